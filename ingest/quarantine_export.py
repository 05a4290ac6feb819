"""Quarantined rows back to their owners, in the layout they were sent in, with the reason beside each row."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
import xlsxwriter

from ingest.contract import FILES, Contract
from ingest.files.layout import fold
from ingest.judge import quote_name, quote_text
from ingest.quarantine import (
    chosen_contracts,
    filter_waiting,
    headers_of,
    note_quarantine_access,
    open_quarantine,
    read_value,
)
from ingest.registry import SOURCES
from warehouse.home import Home

# The last columns of an exported file: which delivery and place a row is from, its id, and what is wrong with it.
DELIVERY_HEADER, POSITION_HEADER, ID_HEADER, REASON_HEADER = "交付", "位置", "隔离编号", "原因"
ADDED = {
    DELIVERY_HEADER: "delivery_id",
    POSITION_HEADER: "position",
    ID_HEADER: "quarantine_id",
    REASON_HEADER: "message",
}
XLSX = "xlsx"


@dataclass(frozen=True)
class ExportedFile:
    """One written file: where, whose, how many rows."""

    path: Path
    source_system: str
    entity: str
    district: str | None
    owner: str
    rows: int


@dataclass(frozen=True)
class _Layout:
    """Rows that go into one file: same source, entity, district, headers and kind of file."""

    entity: str
    district: str | None
    headers: str | None
    is_workbook: bool


def export_waiting(
    home: Home,
    folder: Path,
    *,
    source: str | None = None,
    reason: str | None = None,
    district: str | None = None,
    sources: Path = SOURCES,
) -> list[ExportedFile]:
    """Write what waits below ``folder``: per district and kind of file for files, per table or list for other sources.

    Files are readable by their writer only, and the access is noted. Raises ``ContractError``, ``OSError``.
    """
    written: list[ExportedFile] = []
    contracts = chosen_contracts(source, sources)
    duck = open_quarantine(home, contracts)
    try:
        for contract in contracts:
            where = f"source_system = {quote_text(contract.source)} AND {filter_waiting(reason, district)}"
            names: dict[str, int] = {}
            for layout in _find_layouts(duck, contract, where):
                table = _select(duck, contract, layout, where)
                name = _name_file(layout, names)
                home.private_folder(folder / contract.source)
                path = folder / contract.source / name
                (_write_workbook if layout.is_workbook else _write_csv)(table, path)
                written.append(
                    ExportedFile(path, contract.source, layout.entity, layout.district, contract.owner, table.num_rows)
                )
                note_quarantine_access(home, "export", table.column(ID_HEADER).to_pylist())
    finally:
        duck.close()
    return written


def _find_layouts(duck: duckdb.DuckDBPyConnection, contract: Contract, where: str) -> list[_Layout]:
    is_workbook = f"coalesce(encoding = '{XLSX}', false)"
    rows = duck.execute(
        f"SELECT entity, district, headers, {is_workbook} FROM waiting WHERE {where} GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    return [_Layout(*row) for row in rows]


def _name_file(layout: _Layout, names: dict[str, int]) -> str:
    """``<district>/<entity>.csv``, or ``<entity>.csv``; a second layout of a district gets a number."""
    stem = layout.entity if layout.district is None else f"{layout.entity}_{layout.district}"
    names[stem] = names.get(stem, 0) + 1
    number = f"_{names[stem]}" if names[stem] > 1 else ""
    return f"{stem}{number}.{'xlsx' if layout.is_workbook else 'csv'}"


def _select(duck: duckdb.DuckDBPyConnection, contract: Contract, layout: _Layout, where: str) -> pa.Table:
    """The rows of one file, all text, in the order of delivery."""
    headers = _columns(contract, layout)
    listed = [f"{value} AS {quote_name(header)}" for header, value in headers.items()]
    listed += [f"{column} AS {quote_name(header)}" for header, column in ADDED.items()]
    own = (
        f"entity = {quote_text(layout.entity)} AND district IS NOT DISTINCT FROM {_literal(layout.district)} "
        f"AND headers IS NOT DISTINCT FROM {_literal(layout.headers)} "
        f"AND coalesce(encoding = '{XLSX}', false) = {layout.is_workbook}"
    )
    return duck.execute(
        f"SELECT {', '.join(listed)} FROM waiting WHERE {where} AND {own} "
        "ORDER BY delivery_id, length(position), position, quarantine_id"
    ).to_arrow_table()


def _literal(value: str | None) -> str:
    return "NULL" if value is None else quote_text(value)


def _columns(contract: Contract, layout: _Layout) -> dict[str, str]:
    """Header → SQL of its values: the headers as delivered, else the names of the contract."""
    entity = contract.entity(layout.entity)
    if contract.kind != FILES or layout.headers is None:
        return {header: read_value(field) for field, header in headers_of(contract, layout.entity).items()}
    known = {fold(header): field.name for field in entity.fields for header in field.headers}
    columns = {}
    for header in json.loads(layout.headers):
        if header not in ADDED:
            field = known.get(fold(header))
            columns[header] = read_value(field) if field is not None else read_extra(header)
    return columns


def read_extra(header: str) -> str:
    """SQL: the value that a row as delivered has under a header that the contract does not know."""
    path = '$."' + header.replace('"', '\\"') + '"'
    return f"((row_json ->> '$._extra') ->> {quote_text(path)})"


def _write_csv(table: pa.Table, path: Path) -> None:
    """UTF-8 with BOM, as spreadsheet programs know it."""
    with os.fdopen(_open_private(path), "w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(table.column_names)
        writer.writerows(_rows(table))


def _rows(table: pa.Table) -> Sequence[tuple[str | None, ...]]:
    # A text writer takes rows one by one; what waits for people is never many.
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


def _write_workbook(table: pa.Table, path: Path) -> None:
    """Every cell a text, so that no spreadsheet program rounds a number of eighteen digits."""
    os.close(_open_private(path))
    with xlsxwriter.Workbook(str(path), {"strings_to_numbers": False, "strings_to_formulas": False}) as workbook:
        text = workbook.add_format({"num_format": "@"})
        sheet = workbook.add_worksheet()
        sheet.set_column(0, table.num_columns - 1, 18, text)
        for row, cells in enumerate([tuple(table.column_names), *_rows(table)]):
            for column, cell in enumerate(cells):
                if cell is not None:
                    sheet.write_string(row, column, cell, text)


def _open_private(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
