"""What must not make a living person dead, or two people one, however alike they are written."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from desk import Desk
from invented_mentions import Book, Person, sound_number

from warehouse.duck import connect

ELDER = Person("elder", "王建国", dt.date(1970, 4, 4), 501)
YOUNGER = Person("younger", "王建军", dt.date(1972, 5, 5), 503)
ONE = Person("one", "冉冬生", dt.date(1950, 4, 4), 501, "13900000001")
BORN = dt.date(1970, 6, 22)
TWIN = Person("twin", "高丽敏", BORN, 472)
SISTER = Person("sister", "高丽华", BORN, 474)
BROTHER = Person("brother", "高丽强", BORN, 473)
OTHER = Person("other", "冉冬生", dt.date(1950, 4, 4), 503, "13900000002")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def in_one_household(book: Book, *people: Person) -> None:
    for month in (1, 2, 3):
        for person in people:
            book.say(
                person, f"{month}/{person.key}", "member", table="member", household_key="510104/1",
                said_on=dt.date(2025, month, 1), id_no=person.number,
            )  # fmt: skip


def married(book: Book, who: Person, role: str = "woman", **said: Any) -> None:
    book.say(who, who.key, role, id_no=who.number, sex=who.sex, birth_date=who.born, **said)


def died_and_married(desk: Desk, death: tuple[str, dt.date], marriage: tuple[str, dt.date]) -> None:
    """Add to the work file when who died, and who acted in person, by the keys of their mentions."""
    with connect(desk.work_file) as connection:
        connection.execute(
            """
            CREATE TABLE intermediate.int_events__unioned AS
            SELECT *, 'day' AS date_precision, false AS is_withdrawn
            FROM (VALUES (?, 'death', ?), (?, 'marriage', ?)) AS e (mention_key, event_type, event_date)
            """,
            [*death, *marriage],
        )


@pytest.mark.parametrize("registrations", [0, 2])
def test_a_brothers_death_under_ones_number_is_not_ones_own(desk: Desk, registrations: int) -> None:
    book = Book()
    in_one_household(book, ELDER, YOUNGER)
    for n in range(registrations):
        for person in (ELDER, YOUNGER):
            book.say(person, f"{person.key}{n}", "man", id_no=person.number, sex="male", birth_date=person.born)
    desk.run(book)
    book.say(YOUNGER, "death", "deceased", table="cremations", id_no=ELDER.number, sex="male")
    links = desk.run(book)
    assert links["elder"]["reason"] == "id"
    assert links["death"]["reason"] == "conflict:kin_of_owner"
    assert links["death"]["citizen_id"] not in (links["elder"]["citizen_id"], links["younger"]["citizen_id"])
    assert not links["death"]["is_certain"]


def test_a_slip_in_ones_own_name_is_still_ones_own(desk: Desk) -> None:
    book = Book()
    in_one_household(book, ELDER)
    book.say(YOUNGER, "death", "deceased", table="cremations", id_no=ELDER.number, sex="male")
    links = desk.run(book)
    assert links["death"]["citizen_id"] == links["elder"]["citizen_id"]


def test_of_two_parties_of_a_record_only_one_bears_its_number(desk: Desk) -> None:
    book = Book()
    for n in range(3):
        book.say(ELDER, f"a{n}", "man", id_no=ELDER.number, sex="male", birth_date=ELDER.born)
    book.say(YOUNGER, "x", "deceased", table="cremations", id_no=ELDER.number)
    book.say(None, "x", "handler", table="cremations", name="王建囯", id_no=ELDER.number)
    desk.run(book)
    told = dict(desk.ask("SELECT split_part(mention_key, '/', 4), reason FROM identity.mention_links"))
    assert told["handler"] == "id+same_sound"
    assert told["deceased"] == "too little to tell who this is"


@pytest.mark.parametrize("stated", [True, False], ids=["with a birthday", "without"])
def test_father_and_son_of_one_name_are_not_both_the_owner_of_a_number(desk: Desk, stated: bool) -> None:
    book = Book()
    for n in range(2):
        book.say(ELDER, f"a{n}", "man", id_no=ELDER.number, sex="male", birth_date=ELDER.born)
    born = {"birth_date": ELDER.born} if stated else {}
    book.say(ELDER, "x", "deceased", table="cremations", id_no=ELDER.number, **born)
    book.say(None, "x", "handler", table="cremations", name=ELDER.name, id_no=ELDER.number)
    desk.run(book)
    told = dict(
        desk.ask(
            "SELECT split_part(mention_key, '/', 4), reason FROM identity.mention_links WHERE mention_key LIKE '%/x/%'"
        )
    )
    owner = desk.ask("SELECT DISTINCT citizen_id FROM identity.mention_links WHERE mention_key LIKE '%/a_/%'")
    here = dict(desk.ask("SELECT split_part(mention_key, '/', 4), citizen_id FROM identity.mention_links"))
    assert told["deceased"] == ("id" if stated else "conflict:two_owners")
    assert (owner == [(here["deceased"],)]) is stated
    assert owner != [(here["handler"],)]


def test_a_polite_form_of_the_other_sex_is_not_the_numbers_owner(desk: Desk) -> None:
    woman = Person("a", "王芳", dt.date(1970, 4, 4), 502)
    book = Book()
    for n in range(3):
        book.say(woman, f"a{n}", "woman", id_no=woman.number, sex="female", birth_date=woman.born)
    for key, said in (("c", "王先生"), ("d", "王女士")):
        book.say(None, key, "deceased", table="cremations", name=said, id_no=woman.number)
    links = desk.run(book)
    assert links["c"]["citizen_id"] != links["a0"]["citizen_id"] == links["d"]["citizen_id"]


def test_who_died_and_who_married_later_do_not_collapse(desk: Desk) -> None:
    said = {"birth_date": ONE.born, "sex": "male", "address": "青羊区宁夏街9号"}
    book = Book()
    dead = book.say(ONE, "d", "deceased", table="cremations", **said)
    act = book.say(ONE, "m", "man", **said)
    links = desk.run(book)
    assert links["d"]["citizen_id"] == links["m"]["citizen_id"]
    died_and_married(desk, (dead, dt.date(2020, 6, 1)), (act, dt.date(2021, 6, 1)))
    links = desk.run_again()
    assert links["d"]["citizen_id"] != links["m"]["citizen_id"]
    assert desk.ask("SELECT reason FROM identity.review_pairs") == [("an act in person after the death",)]


def test_a_third_record_breaks_no_tie(desk: Desk) -> None:
    book = Book()
    for person in (ONE, OTHER):
        for n in range(2):
            book.say(
                person, f"{person.key}{n}", "man", id_no=person.number, sex="male", birth_date=person.born,
                phones=[person.phone],
            )  # fmt: skip
    book.say(ONE, "r", "elder", table="elder", birth_date=ONE.born, sex="male", phones=[ONE.phone])
    book.say(OTHER, "c", "deceased", table="cremations", birth_date=OTHER.born, sex="male")
    links = desk.run(book)
    assert links["r"]["citizen_id"] == links["one0"]["citizen_id"]
    assert links["c"]["citizen_id"] not in (links["one0"]["citizen_id"], links["other0"]["citizen_id"])


@pytest.mark.parametrize(
    "left",
    [
        {"name": "高丽", "birth_date": BORN},
        {"name": "高丽?", "birth_date": BORN},
        {"name": "高女士", "birth_date": BORN, "phones": [ONE.phone]},
        {"name": "高丽", "damaged_id_no": TWIN.number[:14] + "****", "phones": [ONE.phone]},
        {"name": "高丽", "birth_date": BORN + dt.timedelta(1), "phones": [ONE.phone]},
    ],
    ids=["a character lost", "one unreadable", "a polite form", "a masked number", "a birthday off by a day"],
)
def test_what_is_left_of_a_name_is_not_given_to_either_twin(desk: Desk, left: dict[str, Any]) -> None:
    book = Book()
    married(book, TWIN, phones=[ONE.phone])
    married(book, SISTER)
    book.say(None, "part", "woman", sex="female", **left)
    links = desk.run(book)
    assert links["part"]["citizen_id"] not in (links["twin"]["citizen_id"], links["sister"]["citizen_id"])


def test_both_twins_are_shown_to_the_clerk_with_the_reason(desk: Desk) -> None:
    book = Book()
    married(book, TWIN, name="高丽")
    married(book, SISTER)
    part = book.say(None, "part", "woman", name="高丽", sex="female", birth_date=TWIN.born)
    links = desk.run(book)
    assert links["part"]["citizen_id"] not in (links["twin"]["citizen_id"], links["sister"]["citizen_id"])
    waiting = desk.ask(f"SELECT reason FROM identity.review_pairs WHERE '{part}' IN (mention_key_l, mention_key_r)")
    assert waiting == [("twins, and either may be meant",)] * 2


@pytest.mark.parametrize("numbered", [True, False], ids=["one has a number", "neither"])
def test_what_is_left_of_a_name_does_not_bring_twins_together(desk: Desk, numbered: bool) -> None:
    home = {"sex": "female", "birth_date": BORN, "address": "青羊区宁夏街9号"}
    book = Book()
    book.say(TWIN, "twin", "woman", id_no=TWIN.number if numbered else None, **home)
    book.say(SISTER, "sister", "woman", **home)
    apart = desk.run(book)
    assert apart["twin"]["citizen_id"] != apart["sister"]["citizen_id"]
    book.say(None, "part", "woman", name="高丽", **home)
    links = desk.run(book)
    assert len({links[key]["citizen_id"] for key in ("twin", "sister", "part")}) == 3


def test_of_twins_the_dead_one_did_not_marry_later_and_a_brother_is_no_woman(desk: Desk) -> None:
    book = Book()
    home = {"address": "青羊区宁夏街9号"}
    married(book, TWIN, **home)
    married(book, BROTHER, role="man")
    dead = book.say(SISTER, "dead", "deceased", table="cremations", id_no=SISTER.number, sex="female")
    part = book.say(None, "part", "woman", name="高丽", sex="female", birth_date=BORN, **home)
    book.write(desk.work_file)
    died_and_married(desk, (dead, dt.date(1990, 6, 1)), (part, dt.date(2021, 6, 1)))
    links = desk.run_again()
    assert links["part"]["citizen_id"] == links["twin"]["citizen_id"]


def test_a_full_name_is_its_bearers_whatever_twins_share(desk: Desk) -> None:
    book = Book()
    for who in (TWIN, SISTER):
        for n in range(2):
            book.say(who, f"{who.key}{n}", "payee", table="payment", id_no=who.number, bank_account="6200000000000001")
    for n in range(3):
        book.say(SISTER, f"x{n}", "payee", table="payment", bank_account="6200000000000001")
    links = desk.run(book)
    assert links["x0"]["citizen_id"] == links["sister0"]["citizen_id"] != links["twin0"]["citizen_id"]


def test_one_account_does_not_make_one_of_brothers_whose_names_differ(desk: Desk) -> None:
    book = Book()
    for n in range(3):
        if n < 2:
            book.say(ELDER, f"e{n}", "payee", table="payment", id_no=ELDER.number, bank_account="6200000000000002")
        book.say(YOUNGER, f"y{n}", "payee", table="payment", bank_account="6200000000000002")
    links = desk.run(book)
    assert links["y0"]["citizen_id"] != links["e0"]["citizen_id"]


def test_what_a_clerk_says_of_twins_settles_it(desk: Desk) -> None:
    home = {"address": "青羊区宁夏街9号"}
    book = Book()
    married(book, TWIN, **home)
    married(book, SISTER, **home)
    book.say(TWIN, "y", "elder", table="elder", birth_date=BORN, sex="female", phones=[ONE.phone])
    part = book.say(None, "part", "woman", name="高丽", sex="female", birth_date=BORN, **home)
    links = desk.run(book)
    assert links["part"]["citizen_id"] != links["twin"]["citizen_id"] == links["y"]["citizen_id"]
    through = desk.decide("link", "registration/part/woman", "elder/y/elder")
    links = desk.run(book)
    assert links["part"]["citizen_id"] == links["twin"]["citizen_id"] == links["y"]["citizen_id"]
    desk.revoke(through)
    desk.decide("non-link", "registration/part/woman", "registration/sister/woman")
    links = desk.run(book)
    assert links["part"]["citizen_id"] == links["twin"]["citizen_id"] != links["sister"]["citizen_id"]
    asked = desk.ask(f"SELECT reason FROM identity.review_pairs WHERE '{part}' IN (mention_key_l, mention_key_r)")
    assert ("twins, and either may be meant",) not in asked


def test_two_numbers_that_a_clerk_joined_are_no_twins(desk: Desk) -> None:
    book = Book()
    married(book, TWIN, phones=[ONE.phone])
    book.say(SISTER, "again", "woman", id_no=SISTER.number, sex="female", birth_date=BORN)
    book.say(None, "part", "elder", table="elder", name="高丽", sex="female", birth_date=BORN, phones=[ONE.phone])
    links = desk.run(book)
    assert links["part"]["citizen_id"] != links["twin"]["citizen_id"]
    desk.decide("link", "registration/twin/woman", "registration/again/woman")
    links = desk.run(book)
    assert links["part"]["citizen_id"] == links["twin"]["citizen_id"] == links["again"]["citizen_id"]


def test_a_twin_who_comes_later_takes_back_what_her_sister_was_given(desk: Desk) -> None:
    book = Book()
    married(book, TWIN)
    home = {"sex": "female", "birth_date": TWIN.born, "address": "青羊区宁夏街9号"}
    book.say(TWIN, "home", "elder", table="elder", id_no=TWIN.number, **home)
    book.say(None, "part", "elder", table="elder", name="高丽", **home)
    links = desk.run(book)
    assert links["part"]["citizen_id"] == links["twin"]["citizen_id"]
    married(book, SISTER)
    links = desk.run(book)
    assert links["part"]["citizen_id"] not in (links["twin"]["citizen_id"], links["sister"]["citizen_id"])


def test_a_thing_of_the_very_person_tells_twins_apart(desk: Desk) -> None:
    book = Book()
    married(book, TWIN)
    married(book, SISTER)
    slip = "7" + TWIN.number[1:]
    book.say(None, "part", "woman", name="高丽", sex="female", birth_date=TWIN.born, damaged_id_no=slip)
    links = desk.run(book)
    assert links["part"]["citizen_id"] == links["twin"]["citizen_id"] != links["sister"]["citizen_id"]


@pytest.mark.parametrize(
    ("beside", "joins"), [({}, False), ({"address": "青羊区宁夏街9号"}, True)], ids=["alone", "home"]
)
def test_a_birthday_beside_what_is_left_of_a_name_needs_more(desk: Desk, beside: dict[str, str], joins: bool) -> None:
    book = Book()
    book.say(TWIN, "twin", "woman", id_no=TWIN.number, sex="female", birth_date=TWIN.born, **beside)
    book.say(None, "part", "woman", name="高丽", sex="female", birth_date=TWIN.born, **beside)
    links = desk.run(book)
    assert (links["part"]["citizen_id"] == links["twin"]["citizen_id"]) is joins


@pytest.mark.parametrize("days_off", [9, 40], ids=["by a digit", "by the lunar calendar"])
@pytest.mark.parametrize(("beside", "joins"), [({}, False), ({"phones": [ONE.phone]}, True)], ids=["alone", "phone"])
def test_a_birthday_that_is_off_needs_more_than_a_rare_name(
    desk: Desk, days_off: int, beside: dict[str, list[str]], joins: bool
) -> None:
    book = Book()
    off = ONE.born + dt.timedelta(days_off)
    book.say(ONE, "one", "man", id_no=ONE.number, sex="male", birth_date=ONE.born, **beside)
    book.say(ONE, "off", "man", sex="male", birth_date=off, **beside)
    links = desk.run(book)
    assert (links["off"]["citizen_id"] == links["one"]["citizen_id"]) is joins


def test_a_void_record_does_not_join_a_citizen_with_another_number(desk: Desk) -> None:
    book = Book()
    for n in range(2):
        book.say(ONE, f"a{n}", "man", id_no=ONE.number, sex="male", birth_date=ONE.born)
    book.say(OTHER, "v", "man", withdrawn=True, id_no=OTHER.number, sex="male", birth_date=OTHER.born)
    assert desk.run(book)["v"]["citizen_id"] is None


def test_two_members_of_a_file_who_bear_one_name_do_not_collapse(desk: Desk) -> None:
    woman = Person("p", "王秀英", dt.date(1950, 1, 1), 2)

    def book(*members: str) -> Book:
        said = Book()
        for month in (1, 2, 3):
            for who in members:
                said.say(
                    woman, f"{month}/{who}", "member", table="member", household_key="510104/1",
                    said_on=dt.date(2025, month, 1), sex="female",
                )  # fmt: skip
        return said

    assert desk.run(book("mother"))["mother"]["citizen_id"] is not None
    links = desk.run(book("mother", "grandmother"))
    assert links["mother"]["citizen_id"] is links["grandmother"]["citizen_id"] is None
    assert desk.run(book("mother"))["mother"]["citizen_id"] is not None


def test_a_decided_link_with_a_number_that_is_nobodys_is_reported(desk: Desk) -> None:
    book = Book()
    for n in range(2):
        book.say(ONE, f"a{n}", "man", id_no=ONE.number, sex="male", birth_date=ONE.born)
    book.say(None, "p", "payee", table="payment", id_no=sound_number(ONE.born, 503))
    desk.run(book)
    desk.decide("link", "payment/p/payee", "registration/a0/man")
    desk.run(book)
    assert desk.ask("SELECT trouble FROM identity.decision_reports") == [("a record names nobody",)]


def test_a_decision_is_reopened_when_another_document_or_place_is_stated(desk: Desk) -> None:
    book = Book()
    book.say(ONE, "n", "man", id_no=ONE.number, sex="male")
    document = book.say(ONE, "c", "deceased", table="cremations", other_document_no="E12345678")
    contact = book.say(ONE, "k", "contact", table="elder", phones=[ONE.phone])
    desk.run(book)
    desk.decide("link", "registration/n/man", "cremations/c/deceased")
    desk.decide("link", "registration/n/man", "elder/k/contact")
    desk.run(book)
    assert desk.ask("SELECT count(*) FROM identity.decision_reports WHERE trouble IS NULL") == [(2,)]
    for row in book.rows:
        if row["mention_key"] == document:
            row["other_document_no"] = "K99999999"
        if row["mention_key"] == contact:
            row["phones"] = ["18800000009"]
    desk.run(book)
    assert desk.ask("SELECT trouble FROM identity.decision_reports") == [("a record has changed since",)] * 2
