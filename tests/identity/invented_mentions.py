"""Mentions of invented people, written as staging would hand them over, each with the person it truly speaks of."""

from __future__ import annotations

import ast
import datetime as dt
import random
import re
from collections import defaultdict
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from warehouse.duck import connect

SHAPES = Path(__file__).resolve().parents[2] / "dbt_project" / "macros" / "staged_shapes.sql"
WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
ARROW = {
    "varchar": pa.string(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamptz": pa.timestamp("us", "UTC"),
    "varchar[]": pa.list_(pa.string()),
}
SURNAMES = "王李张刘陈杨黄赵周吴徐孙胡朱高林何郭马罗"
GIVEN = "明华丽强军芳娜静敏伟艳杰娟涛勇霞平刚桂英建国志玉兰春红海燕波宁鑫浩宇欣怡梓涵雨桐晨曦"


def shape_of_mentions() -> dict[str, str]:
    """The columns of the shape, read from the very declaration that staging follows."""
    match = re.search(r"return\((\{.*\})\)", SHAPES.read_text(encoding="utf-8"), re.DOTALL)
    assert match is not None
    shapes: dict[str, dict[str, str]] = ast.literal_eval(match.group(1))
    return shapes["mentions"]


def sound_number(born: dt.date, sequence: int, area: str = "510104") -> str:
    """A sound number of a person who does not exist; an odd sequence is a man's."""
    body = f"{area}{born:%Y%m%d}{sequence:03d}"
    return body + "10X98765432"[sum(int(digit) * weight for digit, weight in zip(body, WEIGHTS, strict=True)) % 11]


@dataclass(frozen=True)
class Person:
    """An invented person."""

    key: str
    name: str
    born: dt.date
    sequence: int
    phone: str | None = None
    address: str | None = None

    @property
    def number(self) -> str:
        """The person's sound number."""
        return sound_number(self.born, self.sequence)

    @property
    def sex(self) -> str:
        """Sex by the number."""
        return "male" if self.sequence % 2 else "female"


@dataclass
class Book:
    """Mentions collected for one work file, and whom each truly speaks of."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    truth: dict[str, str] = field(default_factory=dict)

    def say(
        self,
        person: Person | None,
        record: str,
        role: str,
        *,
        table: str = "registration",
        withdrawn: bool = False,
        **said: Any,
    ) -> str:
        """Add one mention and return its key; ``said`` holds the shape's columns that the record fills."""
        record_key = f"silo/{table}/{record}"
        key = f"{record_key}/{role}"
        row: dict[str, Any] = {
            "mention_key": key, "record_key": record_key, "source_system": "silo", "source_table": table,
            "source_record_id": record, "role": role, "is_withdrawn": withdrawn,
            "name": person.name if person else None, "phones": [], "said_on": dt.date(2025, 3, 1),
        }  # fmt: skip
        row.update(said)
        if row.get("birth_date"):
            row.setdefault("birth_date_precision", "day")
        self.rows.append(row)
        if person:
            self.truth[key] = person.key
        return key

    def write(self, work_file: Path) -> Path:
        """Write the mentions as ``intermediate.int_mentions__unioned`` of a work file."""
        work_file.parent.mkdir(parents=True, exist_ok=True)
        shape = shape_of_mentions()
        table = pa.table(
            {column: pa.array([row.get(column) for row in self.rows], ARROW[kind]) for column, kind in shape.items()}
        )
        with connect(work_file) as connection:
            connection.execute("CREATE SCHEMA IF NOT EXISTS intermediate")
            connection.register("said", table)
            connection.execute("CREATE OR REPLACE TABLE intermediate.int_mentions__unioned AS SELECT * FROM said")
        return work_file


def read_links(work_file: Path) -> dict[str, dict[str, Any]]:
    """``identity.mention_links`` by mention key."""
    with connect(work_file, read_only=True) as connection:
        found = connection.execute("SELECT * FROM identity.mention_links")
        names = [column[0] for column in found.description]
        rows = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    return {row["mention_key"]: row for row in rows}


def partition(work_file: Path) -> set[frozenset[str]]:
    """Which mentions stand together, whatever their citizen is called."""
    groups: dict[str, set[str]] = defaultdict(set)
    for key, link in read_links(work_file).items():
        if link["citizen_id"]:
            groups[link["citizen_id"]].add(key)
    return {frozenset(group) for group in groups.values()}


def invent_town(seed: int, families: int) -> Book:
    """A town of couples with twins, assisted households, elders with contacts, and the faults records have."""
    draw, twist = random.Random(seed), random.Random(f"twins {seed}")
    book = Book()

    def name(surname: str) -> str:
        return surname + "".join(draw.choice(GIVEN) for _ in range(draw.choice((1, 2, 2))))

    for at in range(families):
        phone, address = f"13{draw.randrange(10**8, 10**9)}", f"锦江区蓉都大道{draw.randrange(900)}号{at}单元"
        surname = draw.choice(SURNAMES)
        born = dt.date(1940, 1, 1) + dt.timedelta(days=draw.randrange(9000))
        man = Person(f"{at}m", name(surname), born, draw.randrange(1, 499) * 2 - 1, phone, address)
        later = born + dt.timedelta(days=400)
        woman = Person(f"{at}w", name(draw.choice(SURNAMES)), later, draw.randrange(1, 499) * 2, phone, address)
        birth = born + dt.timedelta(days=9500)
        first = draw.randrange(1, 400)
        twins = [
            Person(f"{at}t{n}", surname + draw.choice(GIVEN) + GIVEN[(at + n) % 40], birth, first + n) for n in (0, 1)
        ]
        if twist.random() < 0.5:
            # Twins of one sex, who share a character of their names as parents will have it.
            shared = twins[0].name[:2] + twins[1].name[2]
            twins[1] = replace(twins[1], name=shared, sequence=twins[0].sequence + 2)
        for record in range(draw.choice((1, 2))):
            for person, role in ((man, "man"), (woman, "woman")):
                fault = draw.random()
                said: dict[str, Any] = {"birth_date": person.born, "sex": person.sex, "address": address}
                said["phones"] = [phone]
                if fault < 0.8:
                    said["id_no"] = person.number
                elif fault < 0.9:
                    spoilt = draw.randrange(17)
                    digit = str((int(person.number[spoilt]) + 1) % 10)
                    said["damaged_id_no"] = person.number[:spoilt] + digit + person.number[spoilt + 1 :]
                book.say(person, f"a{at}-{record}", role, **said)
        household = f"510104/{at}"
        for month in range(1, 7):
            for person in (man, woman, *twins):
                missing = person.key == f"{at}t0" and month == 2
                book.say(
                    person, f"{month}/{at}/{person.key}", "member", table="member", household_key=household,
                    said_on=dt.date(2025, month, 1), id_no=None if missing else person.number,
                )  # fmt: skip
            book.say(
                man, f"{month}/{at}", "payee", table="payment", household_key=household, bank_account=f"62{at:014d}",
                id_no=man.number if month != 3 else None,
            )  # fmt: skip
        swapped = draw.random() < 0.2
        book.say(
            man, f"e{at}", "elder", table="elder", phones=[phone], address=address, birth_date=man.born, sex="male",
            id_no=woman.number if swapped else man.number,
        )  # fmt: skip
        book.say(woman, f"e{at}", "contact", table="elder", phones=[phone])
    return book


def say_what_is_left_of_twins(book: Book, seed: int) -> None:
    """Add registrations without a number in which the name of one of the town's twins lost its last character."""
    draw = random.Random(f"left {seed}")
    twins = [row for row in book.rows if row["mention_key"].startswith("silo/member/1/") and "t" in row["record_key"]]
    for row in twins:
        if draw.random() < 0.5:
            number = row["id_no"]
            book.say(
                None, f"left-{row['source_record_id']}", "man", name=row["name"][:2],
                birth_date=dt.datetime.strptime(number[6:14], "%Y%m%d").date(),
                sex="male" if int(number[16]) % 2 else "female",
                address=draw.choice(("锦江区蓉都大道1号", "锦江区蓉都大道2号", None)),
            )  # fmt: skip
            if draw.random() < 0.5:
                row["address"] = "锦江区蓉都大道1号"
