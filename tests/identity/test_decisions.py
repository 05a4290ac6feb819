"""What people decide about pairs of mentions holds in every run, outranks scores, and is never violated silently."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from invented_mentions import Book, Person, read_links

from identity.cluster import Constraints, join_founders
from identity.decisions import DecisionRefused, history, record, revoke
from identity.resolve import ResolveResult, resolve
from identity.review import open_review, queue
from warehouse.duck import connect
from warehouse.home import Home

OLD = Person("su", "苏文娟", dt.date(1956, 3, 9), 224)
NEW = Person("su", "苏文娟", dt.date(1956, 3, 19), 246)
NAMESAKE = Person("other", "苏文娟", dt.date(1971, 8, 1), 168)
FATHER = Person("father", "聂大海", dt.date(1949, 2, 2), 133)
LONE = Person("lone", "赖春水", dt.date(1960, 1, 1), 135)


def town() -> Book:
    """Two numbers of one woman, a namesake, a father whose death was typed with another's number, a bare contact."""
    book = Book()
    for at, person in enumerate((OLD, NEW, NAMESAKE)):
        for turn in range(2):
            book.say(
                person, f"{at}{turn}", "woman", id_no=person.number, sex="female", birth_date=person.born,
                address=f"青羊区宁夏街{at}号",
            )  # fmt: skip
    book.say(FATHER, "act", "man", id_no=FATHER.number, sex="male", birth_date=FATHER.born)
    book.say(FATHER, "home", "elder", table="elder", id_no=FATHER.number, sex="male", birth_date=FATHER.born)
    book.say(FATHER, "death", "deceased", table="cremations", id_no=FATHER.number, sex="male")
    book.say(LONE, "paid", "payee", table="payment", bank_account="6217000000000009")
    book.say(LONE, "asked", "caller", table="booking")
    book.say(LONE, "seen", "elder", table="elder", id_no=LONE.number, sex="male", birth_date=LONE.born)
    return book


class Desk:
    """A home with its work file, and a clerk."""

    def __init__(self, folder: Path, book: Book) -> None:
        self.home, self.work_file, self.book = Home(folder / "home"), folder / "work.duckdb", book
        self.runs = 0

    def run(self) -> dict[str, dict[str, Any]]:
        self.book.write(self.work_file)
        self.runs += 1
        self.result: ResolveResult = resolve(self.work_file, self.home, f"run-{self.runs}")
        return read_links(self.work_file)

    def decide(self, verdict: str, left: str, right: str, reason: str = "file seen") -> str:
        with connect() as connection:
            connection.execute(f"ATTACH '{self.work_file}' AS work (READ_ONLY)")
            taken = [(verdict, f"silo/{left}", f"silo/{right}", "clerk 7", reason)]
            return record(connection, self.home.identity, "work.intermediate.int_mentions__unioned", taken)[0]

    def reports(self) -> list[tuple[str, str | None]]:
        with connect(self.work_file, read_only=True) as connection:
            return connection.execute("SELECT verdict, trouble FROM identity.decision_reports").fetchall()


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path, town())


def ids(links: dict[str, dict[str, Any]], *keys: str) -> list[str | None]:
    return [links[f"silo/{key}"]["citizen_id"] for key in keys]


def test_a_decided_link_joins_two_numbers_and_revoking_it_gives_both_ids_back(desk: Desk) -> None:
    before = desk.run()
    first, second = ids(before, "registration/00/woman", "registration/10/woman")
    assert first != second
    decision = desk.decide("link", "registration/00/woman", "registration/10/woman")
    joined = desk.run()
    assert len(set(ids(joined, *(f"registration/{at}{n}/woman" for at in (0, 1) for n in (0, 1))))) == 1
    assert joined["silo/registration/00/woman"]["link_method"] == "decision"
    assert joined["silo/registration/00/woman"]["is_certain"]
    assert ids(joined, "registration/20/woman")[0] not in (first, second)
    assert desk.result.ids["merged"] == 1
    with connect() as connection:
        revoke(connection, desk.home.identity, decision, "clerk 8", "wrong file")
    assert ids(desk.run(), "registration/00/woman", "registration/10/woman") == [first, second]


def test_a_decided_non_link_takes_a_record_out_of_its_person_in_every_later_run(desk: Desk) -> None:
    before = desk.run()
    assert len(set(ids(before, "cremations/death/deceased", "elder/home/elder", "registration/act/man"))) == 1
    desk.decide("non-link", "cremations/death/deceased", "elder/home/elder")
    for _ in range(2):
        links = desk.run()
        death, home, act = ids(links, "cremations/death/deceased", "elder/home/elder", "registration/act/man")
        assert home == act == ids(before, "registration/act/man")[0]
        assert death != home
        assert not links["silo/cremations/death/deceased"]["is_certain"]


@pytest.mark.parametrize("weak", ["payment/paid/payee", "booking/asked/caller"], ids=["named after", "named before"])
def test_a_decided_link_attaches_a_mention_that_founds_nobody(desk: Desk, weak: str) -> None:
    assert ids(desk.run(), weak) == [None]
    desk.decide("link", weak, "elder/seen/elder")
    links = desk.run()
    assert ids(links, weak) == ids(links, "elder/seen/elder")
    assert links[f"silo/{weak}"]["link_method"] == "decision"


def test_a_decision_is_reopened_when_its_record_changes_or_goes(desk: Desk) -> None:
    desk.run()
    desk.decide("link", "registration/00/woman", "registration/10/woman")
    desk.run()
    assert desk.reports() == [("link", None)]
    row = next(row for row in desk.book.rows if row["mention_key"] == "silo/registration/00/woman")
    row["name"] = "苏文静"
    links = desk.run()
    assert desk.reports() == [("link", "a record has changed since")]
    assert desk.result.decisions == {"in_force": 0, "reopened": 1}
    assert len(set(ids(links, "registration/01/woman", "registration/11/woman"))) == 2
    desk.book.rows.remove(row)
    desk.run()
    assert desk.reports() == [("link", "a record is gone")]


def test_a_link_that_another_decision_forbids_is_reported_and_not_made(desk: Desk) -> None:
    desk.run()
    desk.decide("link", "registration/00/woman", "registration/10/woman")
    desk.decide("link", "registration/10/woman", "registration/20/woman")
    desk.decide("non-link", "registration/00/woman", "registration/20/woman")
    links = desk.run()
    assert len(set(ids(links, "registration/00/woman", "registration/20/woman"))) == 2
    troubles = sorted(str(trouble) for _, trouble in desk.reports())
    assert troubles == ["None", "None", "another decision keeps two of them apart"]
    with open_review(desk.work_file, desk.home.identity) as connection:
        waiting = queue(connection)
    assert {waiting[0].mention_key_l, waiting[0].mention_key_r} in (
        {"silo/registration/00/woman", "silo/registration/10/woman"},
        {"silo/registration/10/woman", "silo/registration/20/woman"},
    )
    assert waiting[0].reopened == "another decision keeps two of them apart"


def test_the_later_decision_on_a_pair_counts_and_the_ledger_keeps_both(desk: Desk) -> None:
    desk.run()
    desk.decide("non-link", "registration/00/woman", "registration/10/woman")
    desk.decide("link", "registration/10/woman", "registration/00/woman", "old card seen")
    links = desk.run()
    assert len(set(ids(links, "registration/00/woman", "registration/10/woman"))) == 1
    with connect() as connection:
        rows = history(connection, desk.home.identity)
    assert [row.verdict for row in rows] == ["non-link", "link"]
    assert rows[1].author == "clerk 7"
    assert rows[1].reason == "old card seen"


@pytest.mark.parametrize(
    ("verdict", "left", "right", "reason", "said"),
    [
        ("perhaps", "registration/00/woman", "registration/10/woman", "seen", "no verdict"),
        ("link", "registration/00/woman", "registration/00/woman", "seen", "named twice"),
        ("link", "registration/00/woman", "registration/10/woman", " ", "author and a reason"),
        ("link", "registration/00/woman", "registration/99/woman", "seen", "holds no mention"),
    ],
    ids=["an unknown verdict", "one mention twice", "no reason", "a mention that is not there"],
)
def test_a_decision_that_cannot_hold_is_refused(
    desk: Desk, verdict: str, left: str, right: str, reason: str, said: str
) -> None:
    desk.book.write(desk.work_file)
    with pytest.raises(DecisionRefused, match=said):
        desk.decide(verdict, left, right, reason)


def test_a_decision_is_revoked_once(desk: Desk) -> None:
    desk.book.write(desk.work_file)
    decision = desk.decide("undecided", "registration/00/woman", "registration/10/woman")
    with connect() as connection:
        revoke(connection, desk.home.identity, decision, "clerk", "again")
        with pytest.raises(DecisionRefused, match="revoked before"):
            revoke(connection, desk.home.identity, decision, "clerk", "again")
        with pytest.raises(DecisionRefused, match="no decision"):
            revoke(connection, desk.home.identity, "d_1", "clerk", "again")


NODES = st.integers(1, 10)
PAIRS = st.lists(st.tuples(NODES, NODES).filter(lambda pair: pair[0] < pair[1]), max_size=6, unique=True)


@given(
    edges=st.lists(st.tuples(st.floats(3, 30), NODES, NODES).filter(lambda e: e[1] != e[2]), max_size=30),
    numbers=st.dictionaries(NODES, st.sampled_from("abc"), max_size=6),
    together=PAIRS,
    kept_apart=PAIRS,
    order=st.randoms(use_true_random=False),
)
@settings(max_examples=300, deadline=None)
def test_decisions_hold_whatever_the_scores_and_whatever_their_order(
    edges: list[Any], numbers: dict[int, str], together: list[Any], kept_apart: list[Any], order: Any
) -> None:
    apart: dict[int, dict[int, str]] = {}
    for a, b in kept_apart:
        apart.setdefault(a, {})[b] = apart.setdefault(b, {})[a] = "decided"
    links = [pair for pair in together if pair not in kept_apart]
    constraints = Constraints(numbers, apart, decided=frozenset(kept_apart), together=tuple(links))
    found = join_founders(edges, constraints)
    for a, b in kept_apart:
        assert found.find(a) != found.find(b)
    for pair in links:
        assert (found.find(pair[0]) == found.find(pair[1])) != (pair in found.contradicted)
    shuffled = list(links)
    order.shuffle(shuffled)
    again = join_founders(
        list(reversed(edges)), Constraints(numbers, apart, decided=frozenset(kept_apart), together=tuple(shuffled))
    )
    assert [found.find(node) for node in range(1, 11)] == [again.find(node) for node in range(1, 11)]
