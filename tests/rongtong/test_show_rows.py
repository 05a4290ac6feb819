"""Rows of a query are never squeezed: a table where it fits, else one column per line."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from rongtong.show_rows import print_rows
from rongtong.summary import show_status
from warehouse.home import Home


def shown(columns: list[str], rows: list[tuple[Any, ...]], width: int = 80) -> list[str]:
    console = Console(file=io.StringIO(), width=width, soft_wrap=True)
    print_rows(console, columns, rows)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def test_rows_that_fit_are_a_table() -> None:
    lines = shown(["benefit", "yuan"], [("城市低保", 700), ("高龄津贴", None)])
    assert [line.split() for line in lines if line.strip() and "─" not in line] == [
        ["benefit", "yuan"],
        ["城市低保", "700"],
        ["高龄津贴"],
        ["2", "rows"],
    ]


def test_rows_that_do_not_fit_are_shown_one_column_per_line() -> None:
    columns = [f"a_rather_long_column_name_{number}" for number in range(4)]
    lines = shown(columns, [(1, "x", None, "[y]"), (2, "z", None, "w" * 100)])
    assert lines[0].startswith("─[ 1 ]─")
    assert lines[1:5] == [
        "a_rather_long_column_name_0 │ 1",
        "a_rather_long_column_name_1 │ x",
        "a_rather_long_column_name_2 │",
        "a_rather_long_column_name_3 │ [y]",
    ]
    assert all(len(line) <= 80 for line in lines)
    assert "".join(line.split("│")[1].strip() for line in lines if "ww" in line) == "w" * 100


@pytest.mark.parametrize("width", [40, 80, 200])
def test_no_value_is_cut_at_any_width(width: int) -> None:
    value = "锦江区样例路一号" * 6
    lines = shown(["place", "number"], [(value, 1)], width)
    assert value in "".join("".join(line.split("│")[-1].split()) for line in lines)


def test_no_rows_still_show_their_columns() -> None:
    assert shown(["a", "b"], [])[-1] == "0 rows"


def test_the_status_table_holds_large_numbers_in_eighty_columns() -> None:
    counts = {
        "deliveries": 1_276,
        "rows_read": 11_000_000,
        "rows_accepted": 10_999_000,
        "rows_quarantined": 1_000,
        "rows_replaced": 2_016,
        "deliveries_refused": 12,
        "last_received_at": "2026-11-26T15:56:52.958+00:00",
    }
    console = Console(file=io.StringIO(), width=80, soft_wrap=True)
    show_status(
        console, Home.from_environment(), {"sources": {"eldercare": counts}, "last_run": None, "published": None}
    )
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert max(len(line) for line in lines[:6]) <= 80
    for word in (
        "source",
        "deliveries",
        "quarantined",
        "received",
        "11,000,000",
        "2026-11-26 23:56",
        "others: eldercare 2,016",
    ):
        assert word in console.file.getvalue(), word
