"""Rare characters survive byte for byte from every kind of source through landing and staging to the restricted room.

A leftover of private use stays in the landing as it was delivered; the table of such leftovers repairs it behind it,
and the restricted room flags what was repaired.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from ingest.landing import create_views
from simulation.city import build_city
from simulation.systems.start import start_systems
from tests.ingest.files.district_folder import MEMBER, text, workbook
from warehouse.duck import connect
from warehouse.home import Home
from warehouse.lake import attach_restricted

# As typed at the owner, and as it is to be read.
NAMES = [("王䶮㛃𠅤", "王䶮㛃𠅤"), ("阿依䶮·买买提𠅤", "阿依䶮·买买提𠅤"), ("龙\ue863", "龙䶮")]
FORMS = ["gb18030.csv", "utf-16.csv", "utf-8.csv", "xlsx"]
WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
# Where a source of records keeps a person: name, number, birth, and what else must fit them.
PEOPLE = {
    "registration": ("id", "name_man", "cert_num_man", "birth_man", "cert_type_man = '111', op_type = 'IA'"),
    "cremations": ("cert_id", "deceased_name", "deceased_id_no", "deceased_birth_date", "status = 'valid'"),
    "elder": ("id", "full_name", "id_card", "birthday", "is_deleted = 0"),
}
LANDED = {
    "registration": ("marriage__registration", "name_man", "cert_num_man"),
    "cremations": ("funeral__cremations", "deceased_name", "deceased_id_no"),
    "elder": ("eldercare__elder", "full_name", "id_card"),
} | dict.fromkeys(FORMS, ("allowance__member", "name", "id_no"))


def number(sequence: int) -> str:
    """The sound number of an invented man born on 3 May 1951."""
    body = f"51010419510503{sequence:02d}1"
    return body + "10X98765432"[sum(int(digit) * weight for digit, weight in zip(body, WEIGHTS, strict=True)) % 11]


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, dict[str, list[tuple[str, str, str]]]]]:
    """The systems of a small city, and who was put into which: number, name as typed, name as it is to be read."""
    folder = tmp_path_factory.mktemp("characters")
    facts = build_city(folder / "city", persons=400, seed=8)
    numbers = map(number, count())
    people = {place: [(next(numbers), typed, read) for typed, read in NAMES] for place in (*PEOPLE, *FORMS)}
    for table in PEOPLE:
        put_into_table(folder / "city" / f"{table}.parquet", table, people[table])
    with start_systems(folder / "city", folder / "systems", seed=8) as systems:
        for month, form in enumerate(FORMS, start=1):
            drop_file(systems.allowance, f"2018{month:02d}", form, people[form])
        yield (systems, str(facts.as_of)), people


def put_into_table(file: Path, table: str, people: list[tuple[str, str, str]]) -> None:
    key, name, id_no, birth, only = PEOPLE[table]
    with connect(extensions=("icu",)) as duck:
        duck.execute(f"CREATE TABLE t AS FROM read_parquet('{file}')")
        wanted = " AND ".join(only.split(", "))
        keys = duck.execute(f"SELECT {key} FROM t WHERE {wanted} ORDER BY {key} LIMIT {len(people)}").fetchall()
        for (row,), (told, typed, _) in zip(keys, people, strict=True):
            duck.execute(
                f"UPDATE t SET {name} = ?, {id_no} = ?, {birth} = '1951-05-03' WHERE {key} = ?", [typed, told, row]
            )
        duck.execute(f"COPY t TO '{file}' (FORMAT parquet)")


def drop_file(folder: Path, month: str, form: str, people: list[tuple[str, str, str]]) -> None:
    rows = [MEMBER, *[["H1", typed, told, "户主", "未婚", "是", ""] for told, typed, _ in people]]
    encoding, _, suffix = form.rpartition(".")
    file = folder / "510104" / month / f"member_510104_{month}.{suffix}"
    file.parent.mkdir(parents=True)
    file.write_bytes(text(rows, encoding) if encoding else workbook(("人员", rows)))
    an_hour_ago = time.time() - 3600
    os.utime(file, (an_hour_ago, an_hour_ago))


@pytest.mark.heavy
def test_rare_characters_reach_restricted_byte_for_byte(planted: Any, rongtong: Any, tmp_path: Path) -> None:
    (systems, as_of), people = planted
    home = tmp_path / "var"
    ended = rongtong(home, "run", "--as-of", as_of, "--json", connections=systems.environment)
    assert ended.code == 0, ended.err[-3000:]
    with connect(extensions=("icu", "json")) as duck:
        create_views(duck, Home(home))
        for place, (table, name, id_no) in LANDED.items():
            landed = dict(duck.execute(f"SELECT {id_no}, encode({name}) FROM landing.{table}").fetchall())
            for told, typed, _ in people[place]:
                assert landed[told] == typed.encode(), place
        attach_restricted(duck, Home(home))
        found = duck.execute(
            """SELECT identifier_value, encode(value), is_repaired, names.is_name_repaired
            FROM (SELECT citizen_id, identifier_value FROM restricted.civil.citizen_identifiers)
            JOIN (FROM restricted.civil.citizen_attributes SELECT citizen_id, attribute, value, is_repaired)
                USING (citizen_id)
            JOIN (
                SELECT citizen_id, bool_or(is_repaired) AS is_name_repaired
                FROM restricted.civil.citizen_identifiers WHERE identifier_kind = 'name' GROUP BY citizen_id
            ) AS names USING (citizen_id)
            WHERE attribute = 'name'"""
        ).fetchall()
        duck.execute("DETACH restricted")
    for place, members in people.items():
        for told, typed, read in members:
            stated = {(bytes(value), *flags) for one, value, *flags in found if one == told}
            assert stated == {(read.encode(), typed != read, typed != read)}, place
