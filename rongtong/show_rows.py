"""Rows of a query on a terminal: a table where it fits, else one record after another, as psql's expanded display."""

from __future__ import annotations

from typing import Any

from rich import box
from rich.cells import cell_len, chop_cells
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

SHORTEST_VALUE = 20


def print_rows(console: Console, columns: list[str], rows: list[tuple[Any, ...]], *, counted: bool = True) -> None:
    """Print rows so that every heading and value is whole; ``console`` knows its width (80 where there is none).

    ``counted``: say at the end how many there are.
    """
    table = _table(columns, rows)
    if Measurement.get(console, console.options, table).maximum < console.width or not rows:
        console.print(table, soft_wrap=False)
    else:
        for line in _expanded(columns, rows, console.width):
            console.print(line, markup=False)
    if counted:
        console.print(f"[dim]{len(rows):,} rows[/]")


def _table(columns: list[str], rows: list[tuple[Any, ...]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    for index, column in enumerate(columns):
        numeric = bool(rows) and isinstance(rows[0][index], int | float)
        table.add_column(column, justify="right" if numeric else "left", no_wrap=True)
    for row in rows:
        table.add_row(*(_text(value) for value in row))
    return table


def _text(value: Any) -> str:
    return "" if value is None else str(value).replace("[", r"\[")


def _expanded(columns: list[str], rows: list[tuple[Any, ...]], width: int) -> list[str]:
    names = max(cell_len(column) for column in columns)
    room = max(width - names - 3, SHORTEST_VALUE)
    lines = []
    for number, row in enumerate(rows, start=1):
        title = f"─[ {number:,} ]"
        lines.append(title + "─" * max(min(width, names + 3 + room) - cell_len(title), 0))
        for column, value in zip(columns, row, strict=True):
            pieces = [
                piece
                for part in ("" if value is None else str(value)).split("\n")
                for piece in (chop_cells(part, room) or [""])
            ]
            for place, piece in enumerate(pieces):
                name = column if place == 0 else ""
                lines.append(f"{name}{' ' * (names - cell_len(name))} │ {piece}".rstrip())
    return lines
