"""Agreement with a truth: the set-based figures equal those counted pair by pair, and what is unusable is named."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from invented_mentions import Book, Person, invent_town, sound_number

from identity.evaluate import ALL_MENTIONS, WITH_CITIZEN, GroupScore, TruthUnusable, evaluate, score_groups
from identity.resolve import resolve
from warehouse.duck import connect
from warehouse.home import Home

Row = tuple[str | None, str | None, str]
ROWS = st.lists(
    st.tuples(st.sampled_from([None, *"pqrs"]), st.sampled_from([None, *"abcd"]), st.sampled_from("xyz")),
    min_size=1,
    max_size=14,
)


def scores_of(rows: list[Row], question: str) -> dict[tuple[str, str], GroupScore]:
    with connect() as connection:
        table = pa.table(
            {
                "person_id": pa.array([row[0] for row in rows], pa.string()),
                "citizen_id": pa.array([row[1] for row in rows], pa.string()),
                "role": pa.array([row[2] for row in rows], pa.string()),
            }
        )
        connection.register("given", table)
        connection.execute("CREATE TABLE joined AS SELECT * FROM given")
        return {(each.grouping, each.group): each for each in score_groups(connection, question, ["role"])}


def counted(rows: list[Row], wanted: Callable[[Row], bool]) -> tuple[int, int, int, int, float, float]:
    """The same by brute force: mentions, right, found and true pairs, B-cubed precision and recall."""
    right = found = true = 0
    for one, other in itertools.combinations(rows, 2):
        if wanted(one) or wanted(other):
            together, same = one[1] is not None and one[1] == other[1], one[0] == other[0]
            right, found, true = right + (together and same), found + together, true + same
    precisions, recalls = [], []
    for at, row in enumerate(rows):
        if not wanted(row):
            continue
        citizen = {i for i, other in enumerate(rows) if i == at or (row[1] is not None and other[1] == row[1])}
        person = {i for i, other in enumerate(rows) if other[0] == row[0]}
        precisions.append(len(citizen & person) / len(citizen))
        recalls.append(len(citizen & person) / len(person))
    mentions = len(precisions)
    return mentions, right, found, true, sum(precisions) / mentions, sum(recalls) / mentions


@pytest.mark.parametrize("question", [WITH_CITIZEN, ALL_MENTIONS])
@settings(max_examples=60, deadline=None)
@given(rows=ROWS)
def test_set_based_figures_equal_those_counted_pair_by_pair(question: str, rows: list[Row]) -> None:
    scores = scores_of(rows, question)
    kept = [row for row in rows if row[0] is not None and (question == ALL_MENTIONS or row[1] is not None)]
    groups = {("role", row[2]) for row in kept} | ({("all", "all")} if kept else set())
    assert set(scores) == groups
    for grouping, group in groups:
        score = scores[grouping, group]
        *counts, b_precision, b_recall = counted(kept, lambda row, g=group: g in ("all", row[2]))
        assert [score.mentions, score.right, score.found, score.true] == counts
        assert score.b_cubed.precision == pytest.approx(b_precision)
        assert score.b_cubed.recall == pytest.approx(b_recall)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> tuple[Book, Path]:
    folder = tmp_path_factory.mktemp("town")
    book = invent_town(seed=11, families=60)
    work_file = book.write(folder / "work.duckdb")
    resolve(work_file, Home(folder / "home"), "run-1")
    return book, work_file


def truth_of(book: Book) -> pa.Table:
    keys = [key.split("/") for key in book.truth]
    return pa.table(
        {
            "source_system": [key[0] for key in keys],
            "source_table": [key[1] for key in keys],
            "source_record_id": ["/".join(key[2:-1]) for key in keys],
            "role": [key[-1] for key in keys],
            "person_id": list(book.truth.values()),
        }
    )


def test_a_run_is_scored_against_a_truth_by_silo_and_role(town: tuple[Book, Path], tmp_path: Path) -> None:
    book, work_file = town
    pq.write_table(truth_of(book), tmp_path / "truth.parquet")
    found = evaluate(work_file, tmp_path / "truth.parquet")
    assert found.mentions == len(book.rows)
    assert (found.missing, found.unknown, found.invented, found.two_numbers, found.mixed) == (0, 0, 0, 0, 0)
    assert found.overall(WITH_CITIZEN).pairwise.f1 >= 0.98
    assert found.overall(ALL_MENTIONS).pairwise.recall <= found.overall(WITH_CITIZEN).pairwise.recall
    names = {(each.grouping, each.group) for each in found.scores[WITH_CITIZEN]}
    assert ("silo", "silo") in names and ("role", "member") in names
    assert not any(grouping == "damage" for grouping, _ in names)


def test_citizens_of_twins_and_of_spouses_are_counted_apart(tmp_path: Path) -> None:
    born, book = dt.date(1950, 4, 4), Book()
    elder, younger, stranger = (
        Person(key, name, day, place)
        for key, name, day, place in (
            ("elder", "冉冬生", born, 501),
            ("younger", "冉冬明", born, 503),
            ("stranger", "汪洋", dt.date(1951, 2, 3), 505),
        )
    )
    for n in range(3):
        for person in (elder, younger, stranger):
            book.say(person, f"{person.key}{n}", "payee", table="payment", id_no=person.number, sex="male")
    book.say(elder, "pair", "man", id_no=elder.number)
    book.say(stranger, "pair", "woman", id_no=stranger.number)
    work_file = book.write(tmp_path / "work.duckdb")
    resolve(work_file, Home(tmp_path / "home"), "run-1")

    def mixed(truth: dict[str, str]) -> tuple[int, int, int]:
        told = Book(book.rows, book.truth | truth)
        pq.write_table(truth_of(told), tmp_path / "truth.parquet")
        found = evaluate(work_file, tmp_path / "truth.parquet")
        return found.mixed, found.mixed_twins, found.mixed_beside

    assert mixed({}) == (0, 0, 0)
    assert mixed({"silo/payment/elder0/payee": "younger"}) == (1, 1, 0)
    assert mixed({"silo/payment/elder0/payee": "stranger"}) == (1, 0, 1)
    assert mixed({"silo/payment/younger0/payee": "stranger"}) == (1, 0, 0)


def test_a_placeholder_is_no_second_number(tmp_path: Path) -> None:
    man, book = Person("a", "冉冬生", dt.date(1950, 4, 4), 501, "13900000001"), Book()
    placeholder = sound_number(dt.date(1966, 6, 6), 66)
    for n in range(2):
        book.say(man, f"a{n}", "man", id_no=man.number, sex="male", birth_date=man.born, phones=[man.phone])
    for n, name in enumerate(("万里", "冉冉", "汪洋", "甘甜")):
        book.say(Person(f"s{n}", name, man.born, 9), f"x{n}", "payee", table="payment", id_no=placeholder)
    book.say(man, "x9", "payee", table="payment", id_no=placeholder, phones=[man.phone], birth_date=man.born)
    work_file = book.write(tmp_path / "work.duckdb")
    resolve(work_file, Home(tmp_path / "home"), "run-1")
    pq.write_table(truth_of(book), tmp_path / "truth.parquet")
    found = evaluate(work_file, tmp_path / "truth.parquet")
    assert (found.two_numbers, found.overall(WITH_CITIZEN).pairwise.recall) == (0, 1.0)


def test_a_csv_says_the_same_as_parquet(town: tuple[Book, Path], tmp_path: Path) -> None:
    book, work_file = town
    pq.write_table(truth_of(book), tmp_path / "truth.parquet")
    with connect() as connection:
        connection.execute(f"COPY (FROM '{tmp_path}/truth.parquet') TO '{tmp_path}/truth.csv' (HEADER)")
    assert evaluate(work_file, tmp_path / "truth.csv") == evaluate(work_file, tmp_path / "truth.parquet")


def test_an_unusable_truth_is_named(town: tuple[Book, Path], tmp_path: Path) -> None:
    book, work_file = town
    truth = truth_of(book)
    with pytest.raises(TruthUnusable, match="there is no file"):
        evaluate(work_file, tmp_path / "truth.parquet")
    (tmp_path / "broken.parquet").write_text("no parquet")
    with pytest.raises(TruthUnusable, match=r"broken\.parquet cannot be read as \.parquet"):
        evaluate(work_file, tmp_path / "broken.parquet")
    pq.write_table(truth.drop_columns(["person_id"]), tmp_path / "truth.parquet")
    with pytest.raises(TruthUnusable, match=r"truth\.parquet lacks person_id"):
        evaluate(work_file, tmp_path / "truth.parquet")
    pq.write_table(pa.concat_tables([truth, truth.slice(0, 2)]), tmp_path / "truth.parquet")
    with pytest.raises(TruthUnusable, match="names 2 mentions more than once"):
        evaluate(work_file, tmp_path / "truth.parquet")
    strange = truth.set_column(0, "source_system", pa.array(["elsewhere"] * len(truth)))
    pq.write_table(strange, tmp_path / "truth.parquet")
    with pytest.raises(TruthUnusable, match="names no mention of the last run"):
        evaluate(work_file, tmp_path / "truth.parquet")


def test_a_work_file_that_linked_nobody_is_named(tmp_path: Path) -> None:
    pq.write_table(truth_of(Book(truth={"silo/registration/1/man": "p"})), tmp_path / "truth.parquet")
    with connect(tmp_path / "work.duckdb"):
        pass
    with pytest.raises(TruthUnusable, match="has linked nobody yet"):
        evaluate(tmp_path / "work.duckdb", tmp_path / "truth.parquet")
