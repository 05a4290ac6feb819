"""An id goes to nobody who has no claim to it, a decision makes certain what was decided, and nothing else does."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from desk import Desk
from invented_mentions import Book, Person, sound_number

from identity.alone import alone
from identity.citizen_id import LedgerUnusable
from identity.resolve import resolve

X = Person("x", "邓世荣", dt.date(1950, 9, 9), 301, "13900000001", "青羊区金河路1号2栋3单元401号")
Z = Person("z", "邓世荣", dt.date(1971, 2, 2), 155, "13900000002")
Y = Person("y", "欧阳青", dt.date(1971, 2, 2), 155)
NAMESAKES = [Person(f"n{n}", "邓世荣", dt.date(1930 + n, 5, 5), 201 + 2 * n) for n in range(3)]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_who_was_once_somebodys_takes_that_id_to_no_newcomer_on_a_day(desk: Desk) -> None:
    def book(phone: str | None, newcomer: bool) -> Book:
        said = Book()
        for n, other in enumerate(NAMESAKES):
            said.say(other, f"n{n}", "man", id_no=other.number, sex="male", birth_date=other.born)
        for n in range(2):
            said.say(X, f"x{n}", "man", id_no=X.number, sex="male", birth_date=X.born, phones=[X.phone])
        said.say(X, "c", "contact", table="elder", phones=[phone])
        if newcomer:
            said.say(Z, "z", "man", id_no=Z.number, sex="male", birth_date=Z.born, phones=[Z.phone])
        return said

    desk.run(book(X.phone, False))
    desk.run(book(Z.phone, False))
    links = desk.run(book(Z.phone, True))
    assert links["z"]["citizen_id"] != links["x0"]["citizen_id"]


def test_kept_lists_of_common_things_do_not_depend_on_threads(desk: Desk) -> None:
    phones = [f"1380000000{n}" for n in range(5)]
    for day in range(3):
        book = Book()
        for n in range(40 + 3 * day):
            name = f"王{'明丽强芳静敏伟艳杰娟'[n % 10]}{'东南西北中'[n // 10]}"
            person = Person(f"p{n}", name, dt.date(1950, 1, 1), 2 * n + 1)
            shared = [phones[n % 5], phones[(n + 1 + n // 5) % 5]]
            book.say(person, f"p{n}", "man", id_no=person.number, phones=shared, address=f"青羊区金河路{n * day}号")
        desk.run(book)


def test_a_number_that_stood_behind_another_in_a_decided_cluster_claims_ids_on_a_day(desk: Desk) -> None:
    def book(number: str, owners: int) -> Book:
        said = Book()
        for n in range(2):
            said.say(X, f"a{n}", "man", id_no=X.number, sex="male", birth_date=X.born)
        said.say(Z, "b1", "man", id_no=number, sex="male")
        for n in range(owners):
            said.say(Z, f"b{n + 2}", "man", id_no=Z.number, sex="male", birth_date=Z.born)
        said.say(Y, "y", "man", id_no=Z.number, sex="male")
        return said

    desk.run(book(X.number, 0))
    desk.run(book(X.number, 2))
    desk.run(book(Z.number, 2))
    decision = desk.decide("link", "registration/a0/man", "registration/b1/man")
    desk.run(book(Z.number, 2))
    desk.run(book(Z.number, 0))
    desk.revoke(decision)
    links = desk.run(book(Z.number, 0))
    assert links["b1"]["citizen_id"] != links["y"]["citizen_id"]


def test_a_full_run_of_the_same_mentions_moves_no_id(desk: Desk) -> None:
    born = dt.date(1950, 1, 1)
    first, second = sound_number(born, 101), sound_number(born, 103)
    person = Person("b", "邓世荣", born, 101)

    def book(number: str, name: str, other: str, founder: bool = False) -> Book:
        said = Book()
        for key in ("m1", "m3"):
            said.say(person, key, "man", id_no=number)
        said.say(person, "x", "man", id_no=other, name=name)
        if founder:
            said.say(person, "y", "man", id_no=second)
        return said

    desk.run(book(first, "邓世荣", first, True))
    desk.run(book(second, "邓世荣", first, True))
    desk.run(book(second, "欧阳青", first))
    before = {key: link["citizen_id"] for key, link in desk.run(book(second, "欧阳青", second)).items()}
    # Anew, too: that is held against the day's.
    links = desk.run(book(second, "欧阳青", second))
    assert {key: link["citizen_id"] for key, link in links.items()} == before


def test_a_newcomer_with_the_number_corrected_away_takes_no_ones_id(desk: Desk) -> None:
    def book(number: str, newcomer: bool) -> Book:
        said = Book()
        for n in range(3):
            said.say(X, f"b{n}", "man", id_no=number)
        if newcomer:
            said.say(Y, "y", "man", id_no=Y.number)
        return said

    before = desk.run(book(Y.number, False))
    after = desk.run(book(X.number, True))
    assert after["y"]["citizen_id"] != before["b0"]["citizen_id"]


def test_a_decision_about_two_records_makes_the_likeness_of_one_with_a_third_not_certain(desk: Desk) -> None:
    said = Book()
    said.say(X, "a0", "man", id_no=X.number, sex="male", birth_date=X.born, address=X.address)
    said.say(X, "d", "deceased", table="cremations", sex="male", birth_date=X.born, address=X.address)
    said.say(X, "w", "caller", table="booking", phones=["13900000077"])
    assert not desk.run(said)["d"]["is_certain"]
    desk.decide("link", "booking/w/caller", "cremations/d/deceased")
    links = desk.run(said)
    assert links["d"]["citizen_id"] == links["a0"]["citizen_id"]
    assert not links["d"]["is_certain"], "nobody decided that the dead is this man"


def test_a_decision_about_two_records_that_found_nobody_takes_no_link_from_either(desk: Desk) -> None:
    book = Book()
    for n in range(2):
        book.say(X, f"x{n}", "man", id_no=X.number, sex="male", birth_date=X.born, phones=[X.phone])
    book.say(X, "contact", "contact", table="elder", phones=[X.phone])
    book.say(X, "booking", "caller", table="booking")
    links = desk.run(book)
    assert links["contact"]["citizen_id"] == links["x0"]["citizen_id"] != links["booking"]["citizen_id"]
    desk.decide("link", "elder/contact/contact", "booking/booking/caller")
    for links in (desk.run(book), desk.run(book)):
        for key in ("contact", "booking"):
            assert links[key]["citizen_id"] == links["x0"]["citizen_id"]
            assert (links[key]["link_method"], links[key]["is_certain"]) == ("probabilistic", False)


def test_what_is_only_like_a_citizen_without_a_number_is_not_certain_for_a_decision_among_itself(desk: Desk) -> None:
    book = Book()
    for n, number in enumerate(("1", "2")):
        book.say(X, f"f{n}", "man", sex="male", birth_date=X.born, phones=[X.phone], address=f"青羊区金河路{number}号")
    book.say(X, "contact", "contact", table="elder", phones=[X.phone])
    book.say(X, "booking", "caller", table="booking")
    desk.run(book)
    desk.decide("link", "registration/f0/man", "registration/f1/man")
    desk.decide("link", "elder/contact/contact", "booking/booking/caller")
    links = desk.run(book)
    assert len({link["citizen_id"] for link in links.values()}) == 1
    assert {key: link["is_certain"] for key, link in links.items()} == {
        "f0": True, "f1": True, "contact": False, "booking": False,
    }  # fmt: skip


def test_a_redirect_leads_to_somebody(desk: Desk) -> None:
    def book(number: str | None) -> Book:
        said = Book()
        said.say(Y, "q", "man", id_no=Y.number)
        if number:
            said.say(NAMESAKES[0], "z", "man", id_no=NAMESAKES[0].number)
            said.say(X, "m", "man", id_no=number)
        return said

    for number in (X.number, NAMESAKES[0].number, None):
        desk.run(book(number))
    dangling = "SELECT * FROM identity.redirects ANTI JOIN identity.citizens USING (citizen_id)"
    assert desk.ask(dangling) == []


def test_a_decided_link_of_a_record_without_a_name_is_made_or_reported(desk: Desk) -> None:
    said = Book()
    said.say(X, "a0", "man", id_no=X.number)
    said.say(None, "u", "deceased", table="cremations", sex="male")
    desk.run(said)
    desk.decide("link", "cremations/u/deceased", "registration/a0/man")
    links = desk.run(said)
    made = links["u"]["citizen_id"] is not None
    assert made or desk.ask("SELECT trouble FROM identity.decision_reports") != [(None,)]


def test_one_run_links_at_a_time(desk: Desk) -> None:
    said = Book()
    said.say(X, "a0", "man", id_no=X.number)
    before = desk.run(said)
    with (
        alone(desk.home.identity),
        pytest.raises(LedgerUnusable, match="another run is linking in this home; wait for it to end"),
    ):
        resolve(desk.work_file, desk.home, "run-beside")
    assert {key: link["citizen_id"] for key, link in desk.run(said).items()} == {
        key: link["citizen_id"] for key, link in before.items()
    }


@pytest.mark.parametrize("owner_first", [True, False], ids=["the owner named first", "the owner named last"])
def test_of_two_kept_apart_under_one_number_the_one_goes_who_is_less_its_owner(desk: Desk, owner_first: bool) -> None:
    book = Book()
    for n in range(3):
        book.say(Y, f"y{n}", "man", id_no=Y.number, sex="male", birth_date=Y.born)
    book.say(None, "x", "man", name="欧阳清", id_no=Y.number, sex="male", birth_date=Y.born)
    links = desk.run(book)
    assert links["x"]["citizen_id"] == links["y0"]["citizen_id"]
    pair = ("registration/y0/man", "registration/x/man")
    desk.decide("non-link", *(pair if owner_first else pair[::-1]))
    parted = desk.run(book)
    assert parted["x"]["citizen_id"] not in (None, links["y0"]["citizen_id"])
    assert {parted[f"y{n}"]["citizen_id"] for n in range(3)} == {links["y0"]["citizen_id"]}


def test_who_is_kept_from_several_under_one_number_goes_and_they_stay(desk: Desk) -> None:
    book = Book()
    for n in range(4):
        book.say(Y, f"y{n}", "man", id_no=Y.number, sex="male", birth_date=Y.born)
    before = desk.run(book)
    desk.decide("non-link", "registration/y0/man", "registration/y3/man")
    desk.decide("non-link", "registration/y3/man", "registration/y1/man")
    links = desk.run(book)
    assert {links[f"y{n}"]["citizen_id"] for n in range(3)} == {before["y0"]["citizen_id"]}
    assert links["y3"]["citizen_id"] != before["y0"]["citizen_id"]


@pytest.mark.parametrize("live_first", [True, False], ids=["the living named first", "the void named first"])
def test_a_void_record_that_is_kept_apart_does_not_keep_the_number(desk: Desk, live_first: bool) -> None:
    book = Book()
    book.say(Y, "void", "man", withdrawn=True, id_no=Y.number, sex="male", birth_date=Y.born)
    book.say(Y, "live", "man", id_no=Y.number, sex="male", birth_date=Y.born)
    desk.run(book)
    pair = ("registration/live/man", "registration/void/man")
    desk.decide("non-link", *(pair if live_first else pair[::-1]))
    assert desk.run(book)["live"]["reason"] == "id"


def test_of_three_kept_from_each_other_one_keeps_the_number(desk: Desk) -> None:
    book = Book()
    for key in "abc":
        book.say(Y, key, "man", id_no=Y.number, sex="male", birth_date=Y.born)
    desk.run(book)
    for left, right in ("ab", "bc", "ca"):
        desk.decide("non-link", f"registration/{left}/man", f"registration/{right}/man")
    links = desk.run(book)
    assert sorted(links[key]["reason"] for key in "abc") == ["conflict:decision", "conflict:decision", "id"]
    assert len({links[key]["citizen_id"] for key in "abc"}) == 3


def test_who_is_linked_to_the_one_that_goes_goes_with_it(desk: Desk) -> None:
    book = Book()
    for key in "abc":
        book.say(Y, key, "man", id_no=Y.number, sex="male", birth_date=Y.born)
    desk.run(book)
    desk.decide("non-link", "registration/a/man", "registration/b/man")
    desk.decide("link", "registration/a/man", "registration/c/man")
    links = desk.run(book)
    assert links["a"]["citizen_id"] == links["c"]["citizen_id"] != links["b"]["citizen_id"]
    assert desk.ask("SELECT trouble FROM identity.decision_reports") == [(None,), (None,)]
