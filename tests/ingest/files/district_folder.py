"""A real folder of a district's finance section, for tests: drop files, read them, look at rows and facts."""

from __future__ import annotations

import csv
import io
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import xlsxwriter

from ingest.connection import Connection
from ingest.contract import Contract
from ingest.files import FileFacts, read_deliveries
from ingest.registry import read_source
from warehouse.home import Home

PAYMENT = ["流水号", "项目", "户号", "姓名", "身份证号", "银行账号", "所属期起", "月数", "金额", "发放日期", "发放状态"]
MEMBER = ["户号", "姓名", "身份证号", "关系", "婚姻状况", "享受低保", "残疾证号"]
MEMBER_FILE = "510104/202503/member_510104_202503.csv"
PAYMENT_FILE = "510104/202503/payment_510104_202503.csv"
AN_HOUR = 3600.0


def payment(number: int, amount: str = "700.00", name: str = "张三") -> list[str]:
    """A payment row under the headers ``PAYMENT``."""
    account = f"62220200{number:08d}"
    return [
        f"P{number:05d}",
        "城市低保",
        "H1",
        name,
        "11010519491231002X",
        account,
        "202503",
        "1",
        amount,
        "20250312",
        "",
    ]


def member(name: str = "张三", household: str = "H1") -> list[str]:
    """A member row under the headers ``MEMBER``."""
    return [household, name, "11010519491231002X", "户主", "未婚", "是", ""]


def text(rows: Sequence[Sequence[str]], encoding: str = "gb18030", line_end: str = "\r\n") -> bytes:
    """Rows as a district's program would write them."""
    made = io.StringIO(newline="")
    csv.writer(made, lineterminator=line_end).writerows(rows)
    return made.getvalue().encode(encoding)


def workbook(*sheets: tuple[str, Sequence[Sequence[Any]]], **options: Any) -> bytes:
    """A workbook of named sheets; None leaves a cell empty."""
    made = io.BytesIO()
    book = xlsxwriter.Workbook(made, {"in_memory": True, **options})
    for name, rows in sheets:
        sheet = book.add_worksheet(name)
        for number, row in enumerate(rows):
            for column, value in enumerate(row):
                if value is not None:
                    sheet.write(number, column, value)
    book.close()
    return made.getvalue()


@dataclass
class Landed:
    """What one reading gave."""

    files: list[FileFacts] = field(default_factory=list)
    tables: dict[str, list[pa.Table]] = field(default_factory=dict)
    chunks: int = 0

    def __getitem__(self, path: str) -> FileFacts:
        (facts,) = [facts for facts in self.files if facts.path == path]
        return facts

    @property
    def accepted(self) -> list[str]:
        """Paths of the accepted files."""
        return [facts.path for facts in self.files if facts.state == "accepted"]

    def rows(self, entity: str) -> list[dict[str, Any]]:
        """All rows of an entity."""
        return [row for table in self.tables.get(entity, []) for row in table.to_pylist()]

    def values(self, entity: str, column: str) -> list[Any]:
        """One column of all rows of an entity."""
        return [row[column] for row in self.rows(entity)]


@cache
def _contract() -> Contract:
    return read_source("allowance")


@dataclass
class DistrictFolder:
    """A folder on disk and the receipts of earlier readings."""

    root: Path
    home: Home
    contract: Contract
    known: list[FileFacts] = field(default_factory=list)

    @classmethod
    def create(cls, folder: Path) -> DistrictFolder:
        """An empty folder under the contract of the repository."""
        root = folder / "drop"
        root.mkdir()
        return cls(root, Home(folder / "home"), _contract())

    def put(self, path: str, content: bytes, age: float = AN_HOUR) -> Path:
        """Drop a file that was last written ``age`` seconds ago."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        os.utime(file, (time.time() - age, time.time() - age))
        return file

    def settle_within(self, seconds: float) -> None:
        """Shorten the contract's wait for growing files."""
        self.contract = replace(self.contract, connector=replace(self.contract.files, settle_seconds=seconds))

    @property
    def connection(self) -> Connection:
        """How the folder is reached."""
        return Connection.from_uri("allowance", f"file://{self.root}")

    def land(self, connection: Connection | None = None) -> Landed:
        """Read what is new and remember it, as the landing's receipts do."""
        landed = Landed()
        for chunk in read_deliveries(self.contract, connection or self.connection, self.home, self.known):
            landed.chunks += 1
            landed.files += chunk.files
            for entity, table in chunk.tables.items():
                landed.tables.setdefault(entity, []).append(table)
        self.known += [FileFacts.from_json(facts.to_json()) for facts in landed.files if facts.state != "waiting"]
        return landed

    def land_one(self, content: bytes, path: str = PAYMENT_FILE) -> tuple[FileFacts, Landed]:
        """Drop one file and read it."""
        self.put(path, content)
        landed = self.land()
        return landed[path], landed
