"""A death and a later act in person are not put together by likeness; by number they are, for findings to look at."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pyarrow as pa
import pytest
from invented_mentions import Book, Person, read_links

from identity.resolve import resolve
from warehouse.duck import connect
from warehouse.home import Home

DIED = dt.date(2020, 6, 1)
MAN = Person("man", "邓世荣", dt.date(1950, 9, 9), 301, "13900000001", "青羊区金河路1号2栋3单元401号")


def resolve_life(
    folder: Path, act: str, acted_on: dt.date, *, numbered_death: bool = False, died_precision: str = "day"
) -> tuple[bool, set[str]]:
    """Resolve one act with a number and one death: whether they are one citizen, and the reasons of what waits."""
    book = Book()
    number = MAN.number if numbered_death else None
    acting = book.say(MAN, "act", "man", id_no=MAN.number, sex="male", birth_date=MAN.born, address=MAN.address)
    dead = book.say(
        MAN, "death", "deceased", table="cremations", sex="male", birth_date=MAN.born, address=MAN.address, id_no=number
    )
    work_file = book.write(folder / "work.duckdb")
    events = pa.table(
        {
            "mention_key": [acting, dead],
            "is_withdrawn": [False, False],
            "event_type": [act, "death"],
            "event_date": pa.array([acted_on, DIED], pa.date32()),
            "date_precision": ["day", died_precision],
        }
    )
    with connect(work_file) as connection:
        connection.register("told", events)
        connection.execute("CREATE TABLE intermediate.int_events__unioned AS SELECT * FROM told")
    resolve(work_file, Home(folder / "home"), "run-1")
    links = read_links(work_file)
    with connect(work_file, read_only=True) as connection:
        reasons = {row[0] for row in connection.execute("SELECT reason FROM identity.review_pairs").fetchall()}
    return links[acting]["citizen_id"] == links[dead]["citizen_id"] is not None, reasons


@pytest.mark.parametrize("act", ["marriage", "divorce", "certificate_reissue"])
def test_an_act_in_person_after_a_death_waits_for_a_person(tmp_path: Path, act: str) -> None:
    together, reasons = resolve_life(tmp_path, act, dt.date(2023, 5, 20))
    assert not together
    assert reasons == {"an act in person after the death"}


@pytest.mark.parametrize(
    ("act", "acted_on"),
    [
        pytest.param("marriage", dt.date(1980, 5, 20), id="a marriage long before"),
        pytest.param("marriage", DIED, id="a marriage on the very day"),
        pytest.param("annulment", dt.date(2023, 5, 20), id="an annulment, made without the person"),
    ],
)
def test_other_acts_hold_nobody_apart(tmp_path: Path, act: str, acted_on: dt.date) -> None:
    assert resolve_life(tmp_path, act, acted_on) == (True, set())


def test_a_death_known_by_its_month_holds_nobody_apart(tmp_path: Path) -> None:
    assert resolve_life(tmp_path, "marriage", dt.date(2020, 6, 20), died_precision="month")[0]


def test_a_number_joins_them_and_leaves_the_contradiction_to_findings(tmp_path: Path) -> None:
    assert resolve_life(tmp_path, "marriage", dt.date(2023, 5, 20), numbered_death=True) == (True, set())
