"""Why two are one and why not: every case gets its own sentence, its weights add up, and no value leaves unasked."""

from __future__ import annotations

import datetime as dt
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from invented_mentions import Book, Person, invent_town

from identity import claims, constraints, decisions, links, resolve, sentences
from identity.comparisons import COMPARISONS
from identity.explain import ONE, TWO, UNRESOLVED, Explanation, SubjectUnknown, explain
from identity.explain_page import render_page
from identity.mention import MentionsUnusable
from identity.neighbourhood import MENTIONS, build, open_run
from warehouse.duck import connect
from warehouse.home import Home

WIDOW = Person("widow", "罗素琼", dt.date(1938, 5, 2), 302, "13900000001", "青羊区金河路1号2栋3单元401号")
HUSBAND = Person("husband", "邓世荣", dt.date(1935, 9, 9), 301, "13900000001", "青羊区金河路1号2栋3单元401号")
SON = Person("son", "邓小川", dt.date(1962, 7, 7), 117, "13900000002", "青羊区金河路9号1栋1单元102号")
TWINS = (Person("t0", "谭明翰", dt.date(1990, 2, 3), 211), Person("t1", "谭明轩", dt.date(1990, 2, 3), 213))
NAMESAKES = tuple(Person(f"n{n}", "冉冬生", dt.date(1950 + n, 4, 4), 501 + 2 * n, "13900000009") for n in range(2))
ACT, ELDER, DEATH = "silo/registration/act", "silo/elder/e1", "silo/cremations/death"


def write_cases() -> Book:
    book = Book()
    book.say(HUSBAND, "act", "man", id_no=HUSBAND.number, sex="male", birth_date=HUSBAND.born, address=HUSBAND.address)
    book.say(WIDOW, "act", "woman", id_no=WIDOW.number, sex="female", birth_date=WIDOW.born, address=WIDOW.address)
    book.say(WIDOW, "act2", "woman", name="罗素穷", id_no=WIDOW.number)
    book.say(
        HUSBAND, "death", "deceased", table="cremations", id_no=SON.number, birth_date=HUSBAND.born, sex="male",
        address=HUSBAND.address,
    )  # fmt: skip
    book.say(SON, "death", "handler", table="cremations", id_no=SON.number, phones=[SON.phone])
    book.say(
        WIDOW, "e1", "elder", table="elder", phones=[WIDOW.phone], address=WIDOW.address, birth_date=WIDOW.born,
        sex="female",
    )  # fmt: skip
    book.say(
        WIDOW, "e2", "elder", table="elder", phones=[WIDOW.phone], address=WIDOW.address, birth_date=WIDOW.born,
        sex="female", said_on=dt.date(2025, 4, 1),
    )  # fmt: skip
    book.say(SON, "e1", "contact", table="elder", phones=[SON.phone])
    for twin in TWINS:
        book.say(twin, twin.key, "man", id_no=twin.number, sex="male", birth_date=twin.born)
    for person in NAMESAKES:
        book.say(person, person.key, "man", id_no=person.number, sex="male", phones=[person.phone])
    book.say(NAMESAKES[0], "tie", "contact", table="elder", phones=[NAMESAKES[0].phone])
    book.say(Person("nobody", "苟富贵", dt.date(1970, 1, 1), 7), "lonely", "contact", table="elder")
    return book


@pytest.fixture(scope="module")
def work_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("explained")
    file = write_cases().write(folder / "work.duckdb")
    resolve.resolve(file, Home(folder / "home"), "run-1")
    return file


def codes(found: Explanation, about: str | None = None) -> list[str]:
    return [reason.sentence.code for reason in found.reasons if reason.about == about]


def test_one_number_under_two_spellings_is_one_citizen(work_file: Path) -> None:
    found = explain(work_file, f"{ACT}/woman,silo/registration/act2/woman")
    assert (found.verdict, codes(found)) == (ONE, ["one number"])
    assert codes(found, "silo/registration/act2/woman") == ["id+same_sound"]


def test_a_compared_pair_shows_weights_that_add_up(work_file: Path) -> None:
    found = explain(work_file, f"{ACT}/woman,{ELDER}/elder")
    assert (found.verdict, codes(found)) == (ONE, ["scored"])
    (pair,) = found.waterfalls
    assert pair.prior + sum(bar.bits for bar in pair.bars) == pytest.approx(pair.total)
    assert pair.total >= pair.needed and pair.is_linkable
    levels = {bar.comparison: bar.level for bar in pair.bars}
    assert list(levels) == [comparison.name for comparison in COMPARISONS]
    assert (levels["birth"], levels["address"], levels["number"]) == ("same_of_name", "same_rare", "unknown")
    assert "sound_birth" in pair.rules


def test_records_that_say_the_very_same_are_one(work_file: Path) -> None:
    found = explain(work_file, f"{ELDER}/elder,silo/elder/e2/elder")
    assert codes(found) == ["identical"]
    assert [record.identical_mentions for record in found.records] == [2, 2]


def test_what_is_joined_through_others_shows_each_step(work_file: Path) -> None:
    found = explain(work_file, f"{ELDER}/contact,silo/cremations/death/handler")
    assert found.verdict == ONE
    assert codes(found) in (["scored"], ["through others"])
    assert found.waterfalls


def test_spouses_are_two_parties_with_two_numbers(work_file: Path) -> None:
    found = explain(work_file, f"{ACT}/man,{ACT}/woman")
    assert (found.verdict, codes(found)) == (TWO, ["two different sound identity numbers"])
    assert dict(found.agreements)["address"] == "same"


def test_the_dead_man_has_lost_his_sons_number_and_is_not_the_son(work_file: Path) -> None:
    found = explain(work_file, f"{DEATH}/deceased,{DEATH}/handler")
    assert found.verdict == TWO
    assert codes(found)[:2] == ["the number belongs to another person", "two parties of one record"]
    assert codes(found, f"{DEATH}/deceased")[0] == "disowned:owner_on_record"


def test_twins_are_two_by_their_numbers(work_file: Path) -> None:
    assert codes(explain(work_file, "silo/registration/t0/man,silo/registration/t1/man")) == [
        "two different sound identity numbers"
    ]


def test_a_tie_waits_for_a_person(work_file: Path) -> None:
    found = explain(work_file, "silo/elder/tie/contact")
    assert found.verdict == UNRESOLVED
    assert [[each.code for each in near.reasons] for near in found.near] == [["two partners are equally likely"]] * 2
    assert found.waterfalls[0].total >= found.waterfalls[0].needed


def test_strangers_were_never_a_candidate_pair(work_file: Path) -> None:
    found = explain(work_file, f"{ACT}/man,silo/elder/tie/contact")
    assert (found.verdict, codes(found)) == (UNRESOLVED, ["never a candidate"])
    assert found.waterfalls == ()
    assert codes(explain(work_file, "silo/elder/lonely/contact,silo/elder/tie/contact")) == ["neither founds"]


def test_a_mention_names_who_stands_beside_it(work_file: Path) -> None:
    found = explain(work_file, f"{ELDER}/elder", reveal=True)
    assert [(each.name, each.roles) for each in found.beside] == [("邓小川", ("contact",))]
    # A node is named by any one of its mentions: the pair is of the elder's records and of the woman's acts.
    sides = {found.waterfalls[0].mention_key_l, found.waterfalls[0].mention_key_r}
    assert len(sides & {f"{ELDER}/elder", "silo/elder/e2/elder"}) == 1
    assert len(sides & {f"{ACT}/woman", "silo/registration/act2/woman"}) == 1


def test_a_citizen_counts_its_mentions_by_reason_and_two_citizens_are_told_apart(work_file: Path) -> None:
    widow = explain(work_file, f"{ACT}/woman").citizens[0]
    husband = explain(work_file, f"{ACT}/man").citizens[0]
    found = explain(work_file, widow)
    counted = {reason.sentence.code: reason.mentions for reason in found.reasons}
    assert counted == {"id": 1, "id+same_sound": 1, "evidence of name and circumstances": 2}
    assert husband in {each.citizen_id for each in found.beside}
    apart = explain(work_file, f"{widow},{husband}")
    assert (apart.verdict, set(apart.citizens)) == (TWO, {widow, husband})
    assert "two different sound identity numbers" in codes(apart)


def test_decisions_of_people_are_told(work_file: Path, tmp_path: Path) -> None:
    file = write_cases().write(tmp_path / "work.duckdb")
    home = Home(tmp_path / "home")
    tie, partner = "silo/elder/tie/contact", "silo/registration/n0/man"
    with connect() as connection:
        connection.execute(f"ATTACH '{file}' AS work (READ_ONLY)")
        decisions.record(
            connection, home.identity, MENTIONS,
            [("link", tie, partner, "clerk", "seen"), ("non-link", f"{ELDER}/elder", f"{ACT}/woman", "clerk", "seen")],
        )  # fmt: skip
    resolve.resolve(file, home, "run-1")
    linked = explain(file, f"{tie},{partner}")
    assert (linked.verdict, codes(linked)) == (ONE, ["decision of a person"])
    assert [verdict for _, verdict, _ in linked.decisions] == ["link"]
    apart = explain(file, f"{ELDER}/elder,{ACT}/woman")
    assert apart.verdict != ONE
    assert "a person decided that they are two" in codes(apart)


def test_a_decision_about_two_records_is_not_told_of_a_third(tmp_path: Path) -> None:
    file, home = write_cases().write(tmp_path / "work.duckdb"), Home(tmp_path / "home")
    same = ("silo/elder/e1/elder", "silo/elder/e2/elder")
    with connect() as connection:
        connection.execute(f"ATTACH '{file}' AS work (READ_ONLY)")
        decisions.record(connection, home.identity, MENTIONS, [("link", *same, "clerk", "seen")])
    resolve.resolve(file, home, "run-1")
    assert codes(explain(file, ",".join(same))) == ["decision of a person"]
    third = explain(file, f"{same[0]},{ACT}/woman")
    assert (third.verdict, third.decisions) == (ONE, ())
    assert "decision of a person" not in codes(third)


def test_who_stands_beside_a_citizen_of_two_mentions_has_no_sides(work_file: Path) -> None:
    husband = explain(work_file, explain(work_file, f"{ACT}/man").citizens[0])
    assert {each.beside for each in husband.beside} == {"left"}
    pair = explain(work_file, f"{ACT}/man,{DEATH}/deceased")
    assert {each.beside for each in pair.beside} >= {"right"}


def test_values_are_masked_unless_they_are_asked_for(work_file: Path) -> None:
    asked = f"{ACT}/woman,{ELDER}/elder"
    secrets = (WIDOW.name, WIDOW.number, WIDOW.phone, WIDOW.address, WIDOW.born.isoformat(), HUSBAND.name, SON.name)
    masked = explain(work_file, asked)
    for text in (json.dumps(masked.as_dict(), ensure_ascii=False, default=str), render_page(masked)):
        assert not [secret for secret in secrets if secret and secret in text]
    revealed = json.dumps(explain(work_file, asked, reveal=True).as_dict(), ensure_ascii=False, default=str)
    assert WIDOW.name in revealed and WIDOW.number in revealed


class _Page(HTMLParser):
    """Open elements, and everything that would be fetched."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "br"):
            self.open.append(tag)
        self.fetched += [name for name, _ in attrs if name in ("src", "href", "xlink:href")]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element that closes itself."""

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("asked", [f"{ACT}/woman,{ELDER}/elder", "silo/elder/tie/contact", f"{ACT}/man,{ACT}/woman"])
def test_the_page_stands_alone_and_is_well_formed(work_file: Path, asked: str) -> None:
    text = render_page(explain(work_file, asked))
    page = _Page()
    page.feed(text)
    assert page.open == [] and page.fetched == []
    assert "<script" not in text and "http" not in text
    assert "prefers-color-scheme: dark" in text


def test_a_page_draws_each_bar_where_the_last_one_ended(work_file: Path) -> None:
    found = explain(work_file, f"{ACT}/woman,{ELDER}/elder")
    drawing = render_page(found).split("<svg", 1)[1]
    bars = re.findall(r"<rect class='(\w+)' x='([\d.]+)' y='[\d.]+' width='([\d.]+)'", drawing)
    spoken = [bar for bar in found.waterfalls[0].bars if bar.level != "unknown"]
    assert len(bars) == len(spoken) + 2 and bars[-1][0] == "total"
    signs = ["for" if bits >= 0 else "against" for bits in (found.waterfalls[0].prior, *(bar.bits for bar in spoken))]
    assert [kind for kind, *_ in bars[:-1]] == signs
    edges = [{round(float(x)), round(float(x) + float(width))} for _, x, width in bars[:-1]]
    assert all(any(abs(a - b) <= 2 for a in one for b in other) for one, other in zip(edges, edges[1:], strict=False))


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ("silo/registration/none/man", "knows no mention, citizen or pair silo/registration/none/man"),
        (f"{ACT}/man,{ACT}/man", "two different mention keys"),
        (f"{ACT}/man,{ACT}/woman,{ELDER}/elder", "two different mention keys"),
    ],
)
def test_what_cannot_be_explained_is_named(work_file: Path, asked: str, sentence: str) -> None:
    with pytest.raises(SubjectUnknown, match=sentence):
        explain(work_file, asked)


def test_a_run_without_identities_is_named(tmp_path: Path) -> None:
    with connect(tmp_path / "work.duckdb"):
        pass
    with pytest.raises(MentionsUnusable, match="make a run first"):
        explain(tmp_path / "work.duckdb", "silo/a/b/c")


def test_a_neighbourhood_rebuilds_the_very_nodes_of_the_run(tmp_path: Path) -> None:
    work_file = invent_town(seed=11, families=40).write(tmp_path / "work.duckdb")
    resolve.resolve(work_file, Home(tmp_path / "home"), "run-1")
    with open_run(work_file) as connection:
        keys = connection.execute(
            "SELECT DISTINCT unnest([mention_key_l, mention_key_r]) FROM work.identity.scored_pairs ORDER BY 1"
        ).fetchall()
        for chosen in (keys[::7], keys[3::11]):
            build(connection, [row[0] for row in chosen])
            firsts = dict(connection.execute("SELECT mention_key, first_key FROM first_of").fetchall())
            assert all(firsts[row[0]] == row[0] for row in chosen)


def test_every_reason_and_level_has_words_in_both_languages() -> None:
    given = set()
    for module in (claims, decisions, links):
        text = Path(str(module.__file__)).read_text(encoding="utf-8")
        given |= set(re.findall(r"'((?:id\+|disowned:|conflict:)\w+)'", text))
        given |= set(re.findall(r"(?:THEN|ELSE) '([a-z][a-z ]+ [a-z ]+)'", text))
    given |= set(re.findall(r"'([a-z ]+)' (?:AS reason|FROM decided)", Path(str(constraints.__file__)).read_text()))
    # Troubles of decisions, which stand in reports and not behind links.
    given -= {"a record is gone", "a record has changed since", "a record names nobody"}
    given -= {"another decision keeps two of them apart"}
    assert len(given) >= 25
    for code in given:
        words = sentences.sentence(code)
        assert words.english.endswith(".") and words.chinese.endswith("。")
    for comparison in COMPARISONS:
        assert comparison.name in sentences.COMPARISONS_IN_CHINESE
        assert {level for level, _ in comparison.levels} <= set(sentences.LEVELS_IN_CHINESE)
