"""Rare characters survive byte for byte from every form of file to the landing, beside what was delivered."""

from __future__ import annotations

import csv
import hashlib
import io
from pathlib import Path

import pytest
import xlsxwriter
from district_folder import MEMBER, member

from ingest.land import land
from ingest.landing import create_views
from warehouse.duck import connect
from warehouse.home import Home

RARE = ["䶮", "㛃", "𠅤", "阿依古丽·买买提", "王䶮㛃𠅤·", "𬌗𫛚", "〇", "張"]
# A private-use code keeps its place: the next room repairs it by table, and says so. GB18030 of 2022 has no such left.
PRIVATE_USE = "龴\ue863"


def as_text(names: list[str], encoding: str) -> bytes:
    made = io.StringIO(newline="")
    csv.writer(made).writerows([MEMBER, *map(member, names)])
    return made.getvalue().encode(encoding)


def as_workbook(names: list[str]) -> bytes:
    made = io.BytesIO()
    with xlsxwriter.Workbook(made, {"in_memory": True}) as book:
        sheet = book.add_worksheet()
        for number, row in enumerate([MEMBER, *map(member, names)]):
            sheet.write_row(number, 0, row)
    return made.getvalue()


def landed_names(folder: Path, suffix: str, content: bytes) -> list[tuple[bytes, bytes]]:
    file = folder / "drop/510104/202503" / f"member_510104_202503.{suffix}"
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    (file.parent / f"{file.name}.sha256").write_text(hashlib.sha256(content).hexdigest())
    home = Home(folder / "home")
    assert land("allowance", f"file://{folder / 'drop'}", home).error is None
    with connect(extensions=("icu", "json")) as views:
        create_views(views, home)
        rows = views.execute("SELECT encode(name), encode(raw_name) FROM landing.allowance__member ORDER BY _row")
        return [(bytes(name), bytes(raw)) for name, raw in rows.fetchall()]


@pytest.mark.parametrize("encoding", ["gb18030", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_rare_characters_of_a_text_reach_the_landing(tmp_path: Path, encoding: str) -> None:
    names = RARE if encoding == "gb18030" else [*RARE, PRIVATE_USE]
    found = landed_names(tmp_path, "csv", as_text(names, encoding))
    assert found == [(name.encode(), name.encode()) for name in names]


def test_rare_characters_of_a_workbook_reach_the_landing(tmp_path: Path) -> None:
    names = [*RARE, PRIVATE_USE]
    found = landed_names(tmp_path, "xlsx", as_workbook(names))
    assert found == [(name.encode(), name.encode()) for name in names]


def test_a_padded_name_keeps_its_padding_as_delivered(tmp_path: Path) -> None:
    found = landed_names(tmp_path, "csv", as_text(["　䶮　㛃　"], "gb18030"))
    assert found == [("䶮　㛃".encode(), "　䶮　㛃　".encode())]
