"""Corrected rows that an owner sends back in an exported file: what changed, and whether a program changed it.

A correction is kept with the landing: value as delivered, value as corrected, who brought it and when.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from ingest.contract import Contract
from ingest.files.csv_file import read_cells
from ingest.files.delivered import FileRefusedError
from ingest.files.layout import fold
from ingest.files.sheet import SheetRows, read_rows
from ingest.files.workbook import WorkbookReader
from ingest.judge import quote_text
from ingest.layout_of_headers import layout_of_headers
from ingest.quarantine import headers_of
from ingest.quarantine_export import ADDED, ID_HEADER, REASON_HEADER, XLSX
from ingest.receipt import Part
from warehouse.duck import take_rows

CORRECTIONS = "corrections"
# The field that the made-up layout gives to the first of its headers.
_ID = "c0"
# A spreadsheet program shows a number of many digits so, and stores no more of it.
_SCIENTIFIC = re.compile(r"(\d)(?:\.(\d+))?[eE]\+?(\d+)")
EXACT_DIGITS = 15


class CorrectionsUnusable(Exception):
    """A corrected file cannot be taken in at all; one sentence."""


@dataclass(frozen=True)
class CorrectedRow:
    """What one row of a corrected file says: changed fields (delivered → corrected), and what makes it unusable."""

    quarantine_id: str
    changes: dict[str, tuple[str | None, str | None]]
    trouble: str | None = None


def read_corrected_file(file: Path) -> dict[str, dict[str, str | None]]:
    """Quarantine id → header → value, of every row of an exported file that came back.

    Raises ``CorrectionsUnusable``: unreadable, another kind of file, or without the columns that name the rows.
    """
    entity, layout = layout_of_headers((ID_HEADER, REASON_HEADER))
    try:
        if file.suffix.lower() == f".{XLSX}":
            workbooks = WorkbookReader()
            try:
                cells, _ = workbooks.read_cells(file, entity, layout, file.name)
            finally:
                workbooks.close()
        else:
            cells, _ = read_cells(file.read_bytes(), entity, layout, file.name)
        sheets = [read_rows(sheet, entity, layout, file.name) for sheet in cells]
    except FileRefusedError as refused:
        raise CorrectionsUnusable(
            f"{refused} It must be a file of rongtong quarantine export, with its columns {ID_HEADER}, {REASON_HEADER}."
        ) from refused
    except OSError as error:
        raise CorrectionsUnusable(f"{file} cannot be read ({error.strerror}); name a file that is there.") from error
    rows: dict[str, dict[str, str | None]] = {}
    for sheet in sheets:
        for name, values in _rows_of(sheet, file.name):
            if rows.setdefault(name, values) != values:
                raise CorrectionsUnusable(f"{file.name}: the row {name} stands there twice and differs; keep one.")
    return rows


def _rows_of(sheet: SheetRows, file: str) -> list[tuple[str, dict[str, str | None]]]:
    if _ID not in sheet.by_field:
        raise CorrectionsUnusable(
            f"{file} has no column {ID_HEADER}, which names the rows; send the exported file back."
        )
    names = sheet.by_field[_ID].to_pylist()
    wrong = [said for said in sheet.shape_breach.to_pylist() if said is not None]
    if wrong:
        raise CorrectionsUnusable(f"{file}: {wrong[0]}")
    columns = {header: column.to_pylist() for header, column in sheet.extra.items()}
    return [
        (name.strip(), {header: column[row] for header, column in columns.items()})
        for row, name in enumerate(names)
        if name is not None and name.strip()
    ]


def find_changes(
    contract: Contract,
    entity_name: str,
    quarantine_id: str,
    delivered: Mapping[str, str | None],
    returned: Mapping[str, str | None],
) -> CorrectedRow:
    """Compare a returned row with the row as delivered. A column that did not come back says nothing."""
    entity = contract.entity(entity_name)
    known = {fold(header): field.name for field in entity.fields for header in field.headers}
    known |= {fold(header): field for field, header in headers_of(contract, entity_name).items()}
    changes: dict[str, tuple[str | None, str | None]] = {}
    trouble = None
    for header, value in returned.items():
        field = known.get(fold(header))
        if field is None or header in ADDED:
            continue
        before = delivered.get(field)
        if _is_same(before, value):
            continue
        if value is not None and _SCIENTIFIC.fullmatch(value.strip()):
            trouble = (
                f"{field} lost digits in a spreadsheet program; open the file with its columns as text and type it anew"
            )
            continue
        changes[field] = (before, value)
    return CorrectedRow(quarantine_id, changes, trouble)


def _is_same(before: str | None, after: str | None) -> bool:
    """Whether a returned value is the delivered one, or what a spreadsheet program makes of it without being asked."""
    old, new = _plain(before), _plain(after)
    if old == new:
        return True
    digits = old.lstrip("'")
    if not re.fullmatch(r"\d+", digits):
        return False
    if match := _SCIENTIFIC.fullmatch(new):
        shown = match[1] + (match[2] or "")
        hidden = 10 ** max(int(match[3]) + 1 - len(shown), 0)
        # The last digit that is shown is rounded.
        return int(match[3]) + 1 == len(digits) and 2 * abs(int(digits) - int(shown) * hidden) <= hidden
    cut = digits[:EXACT_DIGITS] + "0" * (len(digits) - EXACT_DIGITS)
    return new in (digits, digits.lstrip("0"), cut)


def _plain(value: str | None) -> str:
    return (value or "").replace("\r\n", "\n").replace("\r", "\n").strip()


def register_corrections(duck: duckdb.DuckDBPyConnection, rows: Sequence[CorrectedRow]) -> None:
    """Temp table ``corrected`` (quarantine_id, corrected: JSON object of the changed fields, trouble)."""
    table = pa.table(
        {
            "quarantine_id": pa.array([row.quarantine_id for row in rows], pa.string()),
            "corrected": pa.array([_changed_json(row) for row in rows], pa.string()),
            "trouble": pa.array([row.trouble for row in rows], pa.string()),
        }
    )
    take_rows(duck, "corrected", table)


def _changed_json(row: CorrectedRow) -> str | None:
    new = {field: after for field, (_, after) in row.changes.items()}
    return json.dumps(new, ensure_ascii=False) if new else None


# Where a row will be found again when it is delivered anew: its record, or its place in the same file.
PLACE = "CASE WHEN kind IS NULL THEN _record_key ELSE regexp_replace(delivery_id, '#\\d+$', '') || ' ' || position END"


def recall_corrections(duck: duckdb.DuckDBPyConnection, root: Path, parts: Sequence[Part]) -> None:
    """Temp table ``corrected`` as above, of what was corrected before: a row counts when it comes again unchanged.

    A mended contract has whole files judged anew, and their faulty rows come back; nobody has to correct them twice.
    """
    names = [
        name
        for part in parts
        for receipt in part.receipts
        for name in receipt.raw_files
        if name.startswith(f"{CORRECTIONS}/")
    ]
    if not names:
        register_corrections(duck, [])
        return
    files = ", ".join(quote_text(str(root / name)) for name in dict.fromkeys(names))
    duck.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE corrected AS
        SELECT quarantine_id, CAST(json_group_object(field, corrected) AS VARCHAR) AS corrected,
            CAST(NULL AS VARCHAR) AS trouble
        FROM (SELECT *, {PLACE} AS place FROM waiting)
        JOIN (
            SELECT entity, place, field, delivered, corrected FROM read_parquet([{files}])
            QUALIFY row_number() OVER (PARTITION BY entity, place, field ORDER BY corrected_at DESC) = 1
        ) AS ledger USING (entity, place)
        GROUP BY quarantine_id
        HAVING bool_and(delivered IS NOT DISTINCT FROM (row_json ->> ('$.' || field)))
        """
    )


def write_corrections(
    duck: duckdb.DuckDBPyConnection,
    rows: Sequence[CorrectedRow],
    accepted: Sequence[str],
    said: Mapping[str, str],
    file: Path,
) -> int:
    """Write the ledger of this correction to Parquet: one row per corrected value of an accepted row; how many.

    ``said``: who brought it (``by``), when (``at``), in which file (``name``).
    """
    taken = set(accepted)
    values = [
        (row.quarantine_id, field, before, after)
        for row in rows
        if row.quarantine_id in taken
        for field, (before, after) in row.changes.items()
    ]
    if not values:
        return 0
    names, fields, before, after = zip(*values, strict=True)
    take_rows(
        duck,
        "changes_said",
        pa.table(
            {
                "quarantine_id": names,
                "field": fields,
                "delivered": pa.array(before, pa.string()),
                "corrected": pa.array(after, pa.string()),
            }
        ),
    )
    brought = (
        f"{quote_text(said['by'])} AS corrected_by, TIMESTAMPTZ {quote_text(said['at'])} AS corrected_at, "
        f"{quote_text(said['name'])} AS file"
    )
    duck.execute(
        f"COPY (SELECT quarantine_id, source_system, entity, delivery_id, position, {PLACE} AS place, field, "
        f"delivered, corrected, {brought} FROM changes_said JOIN waiting USING (quarantine_id)) "
        f"TO {quote_text(str(file))} (FORMAT parquet, COMPRESSION zstd)"
    )
    duck.execute("DROP TABLE changes_said")
    return len(values)
