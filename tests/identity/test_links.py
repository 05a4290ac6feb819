"""Who is linked with whom: one work file of invented cases, each read as a sentence."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from invented_mentions import Book, Person, invent_town, partition, read_links

from identity.mention import MentionsUnusable
from identity.resolve import resolve
from warehouse.duck import connect
from warehouse.home import Home

Links = dict[str, dict[str, Any]]

WIDOW = Person("widow", "罗素琼", dt.date(1938, 5, 2), 302, "13900000001", "青羊区金河路1号2栋3单元401号")
HUSBAND = Person("husband", "邓世荣", dt.date(1935, 9, 9), 301, "13900000001", "青羊区金河路1号2栋3单元401号")
SON = Person("son", "邓小川", dt.date(1962, 7, 7), 117, "13900000002", "青羊区金河路9号1栋1单元102号")
TWINS = (Person("twin 1", "谭明翰", dt.date(1990, 2, 3), 211), Person("twin 2", "谭明轩", dt.date(1990, 2, 3), 213))
PAPER_TWINS = (
    Person("twin 3", "谭文东", dt.date(1951, 4, 22), 311),
    Person("twin 4", "谭文德", dt.date(1951, 4, 22), 313),
)
GRANNY = Person("granny", "钟永芬", dt.date(1941, 12, 1), 420, "13900000003", "郫都区红光镇三观村6组")
BRIDE = Person("bride", "于芳", dt.date(1984, 12, 23), 748)
KNOWN = (Person("known 1", "何平", dt.date(1966, 10, 7), 733), Person("known 2", "高远", dt.date(1958, 10, 12), 253))
FOREIGNER = Person("foreigner", "JOHN CARVER", dt.date(1980, 1, 5), 1)
STRANGERS = tuple(Person(f"stranger {n}", "李娟", dt.date(1970 + n, 4, 4), 500 + 2 * n) for n in range(4))


def write_cases(book: Book) -> Book:
    """Every case that a test below asks about."""
    book.say(HUSBAND, "act", "man", id_no=HUSBAND.number, sex="male", birth_date=HUSBAND.born, address=HUSBAND.address)
    book.say(WIDOW, "act", "woman", id_no=WIDOW.number, sex="female", birth_date=WIDOW.born, address=WIDOW.address)
    # The son's number was typed into the field of his father, who died.
    book.say(
        HUSBAND, "death", "deceased", table="cremations", id_no=SON.number, birth_date=HUSBAND.born, sex="male",
        address=HUSBAND.address,
    )  # fmt: skip
    book.say(SON, "death", "handler", table="cremations", id_no=SON.number, phones=[SON.phone])
    # The widow's elder record lacks a number and spells her name by sound; the son is her contact.
    book.say(
        WIDOW, "e1", "elder", table="elder", name="罗素穷", phones=[WIDOW.phone], address=WIDOW.address,
        birth_date=WIDOW.born, sex="female",
    )  # fmt: skip
    book.say(SON, "e1", "contact", table="elder", phones=[SON.phone])
    for n, twin in enumerate(TWINS):
        book.say(twin, f"t{n}", "man", id_no=twin.number, sex="male", birth_date=twin.born)
    # Twins of a paper record: one without a number, born and living with the other.
    for n, (person, number) in enumerate(((PAPER_TWINS[0], PAPER_TWINS[0].number), (PAPER_TWINS[1], None))):
        book.say(
            person, f"paper{n}", "man", id_no=number, sex="male", birth_date=person.born, address="简阳市永兴村8组"
        )
    book.say(TWINS[0], "t9", "man", damaged_id_no=TWINS[0].number[:-1] + "0", sex="male", birth_date=TWINS[0].born)
    for month in range(1, 13):
        book.say(
            GRANNY, f"m{month}", "member", table="member", household_key="510117/N1", said_on=dt.date(2025, month, 1),
            id_no=None if month == 4 else GRANNY.number,
        )  # fmt: skip
        book.say(
            GRANNY, f"p{month}", "payee", table="payment", bank_account="6217000000000001",
            managing_district="510117", id_no=None if month in (5, 6) else GRANNY.number,
        )  # fmt: skip
    book.say(FOREIGNER, "f1", "man", other_document_no="E12345678", birth_date=FOREIGNER.born)
    book.say(FOREIGNER, "f2", "deceased", table="cremations", other_document_no="E12345678")
    for n, stranger in enumerate(STRANGERS):
        book.say(stranger, f"s{n}", "woman", id_no=stranger.number, sex="female", birth_date=stranger.born)
    book.say(STRANGERS[0], "s9", "contact", table="elder", phones=["13900000099"])
    for n in range(4):
        book.say(
            Person(f"shared {n}", ("万里", "冉冉", "汪洋", "甘甜")[n], dt.date(1950, 1, 1), 9), f"x{n}", "payee",
            table="payment", id_no=Person("", "", dt.date(1966, 6, 6), 66).number,
        )  # fmt: skip
    book.say(WIDOW, "void", "woman", withdrawn=True, id_no=WIDOW.number)
    book.say(Person("only void", "蒲公英", dt.date(1970, 1, 1), 8), "void2", "woman", withdrawn=True,
             id_no=Person("", "", dt.date(1970, 1, 1), 8).number, birth_date=dt.date(1970, 1, 1))  # fmt: skip
    # Nobody asked for number or birthday: a file that names the same man month after month, and one that does so once.
    for month in (1, 2, 3):
        book.say(Person("assisted", "闻人牧", dt.date(1960, 2, 2), 5), f"q{month}", "payee", table="payment",
                 bank_account="6217000000000077")  # fmt: skip
    book.say(Person("paid once", "端木赐", dt.date(1960, 2, 2), 6), "q9", "payee", table="payment",
             bank_account="6217000000000088")  # fmt: skip
    # A name with a character missing, beside the phone of one family and beside a phone of nobody.
    for record, phone in (("c1", SON.phone), ("c2", "13900000055")):
        book.say(SON, record, "contact", table="elder", name="邓川", phones=[phone])
    # A polite form beside the phone of one family, in which a woman has the surname, and beside that of the man meant.
    book.say(None, "c3", "contact", table="elder", name="罗先生", phones=[WIDOW.phone])
    book.say(SON, "c4", "contact", table="elder", name="邓先生", phones=[SON.phone])
    # One name beside two numbers, each known as another's: either may be its bearer's own.
    for n, (owner, table) in enumerate(((KNOWN[0], "elder"), (KNOWN[1], "household"))):
        for copy in (1, 2):
            book.say(owner, f"known{n}{copy}", "man", id_no=owner.number, sex="male", birth_date=owner.born)
        book.say(None, f"open{n}", "contact", table=table, name="陆芬", id_no=owner.number, phones=["13900000066"])
    book.say(None, "known11", "woman", name="陆芬")
    # Two characters, one of them mistyped, and nobody else who bears the name more often.
    book.say(BRIDE, "b1", "woman", id_no=BRIDE.number, sex="female", birth_date=BRIDE.born)
    book.say(BRIDE, "b2", "woman", name="于芬", id_no=BRIDE.number, sex="female", birth_date=BRIDE.born)
    book.say(None, "nameless", "deceased", table="cremations")
    book.say(Person("name only", "苟富贵", dt.date(1970, 1, 1), 7), "n1", "contact", table="elder")
    return book


@pytest.fixture(scope="module")
def links(tmp_path_factory: pytest.TempPathFactory) -> Links:
    """Links of the cases, resolved once."""
    folder = tmp_path_factory.mktemp("cases")
    work_file = write_cases(Book()).write(folder / "work.duckdb")
    resolve(work_file, Home(folder / "home"), "run-1")
    return read_links(work_file)


def same(links: Links, a: str, b: str) -> bool:
    one, other = links[f"silo/{a}"]["citizen_id"], links[f"silo/{b}"]["citizen_id"]
    return one is not None and one == other


def test_a_relatives_number_does_not_make_the_relative_dead(links: Links) -> None:
    assert not same(links, "cremations/death/deceased", "cremations/death/handler")
    assert same(links, "cremations/death/deceased", "registration/act/man")


def test_a_death_linked_by_evidence_is_not_certain(links: Links) -> None:
    assert links["silo/cremations/death/deceased"]["link_method"] == "probabilistic"
    assert links["silo/cremations/death/deceased"]["is_certain"] is False
    assert links["silo/registration/act/man"]["is_certain"] is True


def test_spouses_who_share_phone_and_address_are_never_linked(links: Links) -> None:
    assert not same(links, "registration/act/man", "registration/act/woman")
    assert not same(links, "elder/e1/elder", "registration/act/man")


def test_a_homophone_without_a_number_finds_its_person(links: Links) -> None:
    assert same(links, "elder/e1/elder", "registration/act/woman")


def test_a_contact_is_found_by_name_and_phone(links: Links) -> None:
    assert same(links, "elder/e1/contact", "cremations/death/handler")
    assert links["silo/elder/e1/contact"]["is_certain"] is False


def test_twins_are_never_linked(links: Links) -> None:
    assert not same(links, "registration/t0/man", "registration/t1/man")


def test_a_twin_without_a_number_is_not_the_other_twin(links: Links) -> None:
    assert not same(links, "registration/paper0/man", "registration/paper1/man")
    assert links["silo/registration/paper1/man"]["citizen_id"] is not None


def test_a_damaged_number_finds_the_right_twin(links: Links) -> None:
    assert same(links, "registration/t9/man", "registration/t0/man")


def test_months_without_a_number_stay_with_the_person(links: Links) -> None:
    keys = [f"member/m{month}/member" for month in range(1, 13)] + [f"payment/p{month}/payee" for month in range(1, 13)]
    assert all(same(links, keys[0], key) for key in keys)


def test_a_file_that_names_a_man_month_after_month_founds_him(links: Links) -> None:
    assert same(links, "payment/q1/payee", "payment/q2/payee") and same(links, "payment/q1/payee", "payment/q3/payee")
    assert links["silo/payment/q1/payee"]["reason"] == "name and records of one household or account"
    assert links["silo/payment/q1/payee"]["is_certain"] is False
    assert links["silo/payment/q9/payee"]["link_method"] == "unresolved"


def test_a_name_with_a_character_missing_needs_the_phone_of_the_family(links: Links) -> None:
    assert same(links, "elder/c1/contact", "cremations/death/handler")
    assert links["silo/elder/c2/contact"]["citizen_id"] is None


def test_a_polite_form_finds_a_man_and_no_woman(links: Links) -> None:
    assert links["silo/elder/c3/contact"]["citizen_id"] is None
    assert same(links, "elder/c4/contact", "cremations/death/handler")


def test_two_numbers_of_which_nobody_can_tell_whose_they_are_are_two(links: Links) -> None:
    one, other = links["silo/elder/open0/contact"], links["silo/household/open1/contact"]
    assert one["reason"] == "conflict:name"
    assert one["citizen_id"] != other["citizen_id"]


def test_one_passport_is_one_person(links: Links) -> None:
    assert same(links, "registration/f1/man", "cremations/f2/deceased")


def test_a_common_name_with_an_unknown_phone_is_nobody(links: Links) -> None:
    link = links["silo/elder/s9/contact"]
    assert (link["citizen_id"], link["link_method"]) == (None, "unresolved")


def test_strangers_of_one_name_are_not_linked(links: Links) -> None:
    assert len({links[f"silo/registration/s{n}/woman"]["citizen_id"] for n in range(4)}) == 4


def test_a_number_under_many_names_links_nobody(links: Links) -> None:
    found = [links[f"silo/payment/x{n}/payee"] for n in range(4)]
    assert {link["reason"] for link in found} <= {"conflict:placeholder", "too little to tell who this is"}
    assert all(link["citizen_id"] is None for link in found)


def test_a_withdrawn_record_links_but_founds_nothing(links: Links) -> None:
    assert same(links, "registration/void/woman", "registration/act/woman")
    assert links["silo/registration/void2/woman"]["citizen_id"] is None


def test_nobody_is_invented_from_too_little(links: Links) -> None:
    assert links["silo/cremations/nameless/deceased"]["link_method"] == "unresolved"
    assert links["silo/elder/n1/contact"]["link_method"] == "unresolved"


def test_every_link_says_why(links: Links) -> None:
    assert all(link["reason"] for link in links.values())
    assert all(link["citizen_id"] is None for link in links.values() if link["link_method"] == "unresolved")


def test_a_town_is_found_again(tmp_path: Path, home: Home) -> None:
    book = invent_town(seed=11, families=150)
    work_file = book.write(tmp_path / "work.duckdb")
    result = resolve(work_file, home, "run-1")
    found = partition(work_file)
    right = wrong = 0
    for group in found:
        people = [book.truth[key] for key in group]
        pairs = len(people) * (len(people) - 1) // 2
        agreeing = sum(n * (n - 1) // 2 for n in (people.count(person) for person in set(people)))
        right, wrong = right + agreeing, wrong + pairs - agreeing
    everyone = list(book.truth.values())
    true = sum(n * (n - 1) // 2 for n in (everyone.count(person) for person in set(everyone)))
    assert result.mentions == len(book.rows)
    assert 2 * right / (2 * right + wrong + true - right) >= 0.98
    with connect(work_file, read_only=True) as connection:
        two = connection.execute(
            """
            SELECT count(*) FROM (
                SELECT citizen_id
                FROM identity.mention_links AS l JOIN intermediate.int_mentions__unioned USING (mention_key)
                WHERE starts_with(l.reason, 'id') GROUP BY citizen_id HAVING count(DISTINCT id_no) > 1)
            """
        ).fetchone()
    assert two == (0,)
    twins = {key for key, person in book.truth.items() if "t" in person}
    assert all(len({book.truth[key] for key in group & twins}) <= 1 for group in found)


def test_a_work_file_without_mentions_is_named(tmp_path: Path, home: Home) -> None:
    with connect(tmp_path / "work.duckdb"):
        pass
    with pytest.raises(MentionsUnusable, match="int_mentions__unioned; build staging first"):
        resolve(tmp_path / "work.duckdb", home, "run-1")


def test_a_repeated_mention_key_is_named(tmp_path: Path, home: Home) -> None:
    book = Book()
    book.say(WIDOW, "act", "woman")
    book.say(WIDOW, "act", "woman")
    with pytest.raises(MentionsUnusable, match="names 1 mention keys more than once"):
        resolve(book.write(tmp_path / "work.duckdb"), home, "run-1")


def test_a_name_of_two_characters_with_one_mistyped_is_one_person_where_number_and_birth_agree(links: Links) -> None:
    assert same(links, "registration/b1/woman", "registration/b2/woman")
    assert links["silo/registration/b2/woman"]["is_certain"] is True
