"""Whatever a district drops, corrects, re-sends and however often landings break off: the landing is what stands in the
files that count.

The model: of the versions of a month the highest counts, whole; of a payment that stands in several months the latest.
"""

from __future__ import annotations

import itertools
import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.land import land
from ingest.landing import create_views
from tests.ingest.files.district_folder import PAYMENT, payment, text
from warehouse.duck import connect
from warehouse.home import Home

MONTHS = ("202501", "202502", "202503")
# One drop: month, whether it repeats the bytes of the version before under another name, and its rows (number, yuan).
DROPS = st.tuples(
    st.sampled_from(MONTHS),
    st.booleans(),
    st.lists(st.tuples(st.integers(1, 6), st.integers(1, 999)), max_size=5, unique_by=lambda row: row[0]),
)
# A day: what is dropped, and after how many reports of progress the landing breaks off (none: it ends).
DAYS = st.lists(st.tuples(st.lists(DROPS, max_size=3), st.none() | st.integers(0, 3)), min_size=1, max_size=4)


class BrokenOff(BaseException):
    """The landing's process ended; nothing in it may catch this."""


class District:
    """A folder on disk, and what a person would read off the files in it."""

    def __init__(self, folder: Path) -> None:
        self.root, self.home = folder / "drop", Home(folder / "home")
        self.root.mkdir(parents=True)
        self.versions: dict[str, list[list[tuple[int, int]]]] = {month: [] for month in MONTHS}

    def drop(self, month: str, repeats: bool, rows: list[tuple[int, int]]) -> None:
        versions = self.versions[month]
        versions.append(versions[-1] if repeats and versions else rows)
        number = len(versions)
        name = f"payment_510104_{month}{'' if number == 1 else f'_v{number}'}.csv"
        file = self.root / "510104" / month / name
        file.parent.mkdir(parents=True, exist_ok=True)
        made = [PAYMENT, *[payment(no, f"{yuan}.00") for no, yuan in versions[-1]]]
        file.write_bytes(text(made, "utf-8-sig" if number % 2 else "gb18030"))
        an_hour_ago = time.time() - 3600
        os.utime(file, (an_hour_ago, an_hour_ago))

    def land(self, broken_after: int | None = None) -> None:
        reports = itertools.count()

        def progress(*_: Any) -> None:
            if broken_after is not None and next(reports) >= broken_after:
                raise BrokenOff

        result = land("allowance", f"file://{self.root}", self.home, progress=progress)
        assert result.error is None

    def landed(self) -> dict[str, int]:
        with connect(extensions=("icu", "json")) as connection:
            create_views(connection, self.home)
            rows = connection.execute("SELECT payment_no, amount FROM landing.allowance__payment").fetchall()
            unbalanced = connection.execute(
                "SELECT count(*) FROM landing.deliveries WHERE rows_read <> rows_accepted + rows_quarantined"
                " + rows_superseded + rows_duplicate"
            ).fetchone()
        assert unbalanced == (0,)
        assert len({number for number, _ in rows}) == len(rows)
        return {number: int(amount) for number, amount in rows}

    def wanted(self) -> dict[str, int]:
        last: dict[str, int] = {}
        for month in MONTHS:
            for number, yuan in self.versions[month][-1] if self.versions[month] else []:
                last[f"P{number:05d}"] = yuan
        return last

    def receipts(self) -> list[str]:
        return sorted(file.name for file in (self.home.landing / "allowance" / "receipts").glob("*.json"))


@pytest.mark.parametrize(
    "histories",
    [pytest.param(8, id="a few"), pytest.param(300, id="three hundred", marks=pytest.mark.heavy)],
)
def test_the_landing_is_what_stands_in_the_files_that_count(tmp_path: Path, histories: int) -> None:
    @settings(max_examples=histories, deadline=None)
    @given(days=DAYS)
    def holds(days: list[Any]) -> None:
        folder = tmp_path / "district"
        shutil.rmtree(folder, ignore_errors=True)
        district = District(folder)
        for drops, broken_after in days:
            for drop in drops:
                district.drop(*drop)
            try:
                district.land(broken_after)
            except BrokenOff:
                continue
            assert district.landed() == district.wanted()
        district.land()
        assert district.landed() == district.wanted()
        before = district.receipts()
        district.land()
        assert district.receipts() == before

    holds()
