"""A sample file of any kind as a table of texts, read the way a landing would read it."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
from openpyxl.utils.exceptions import InvalidFileException

from ingest.files import csv_file
from ingest.files.delivered import FileRefusedError
from ingest.files.layout import EntityLayout, FileLayout, fold
from ingest.files.sheet import MIN_HEADERS, Cells, read_rows
from ingest.files.workbook import WorkbookReader
from ingest.judge import quote_text
from ingest.layout_of_headers import layout_of_headers
from warehouse.duck import connect

CSV, XLSX, JSON, PARQUET = "csv", "xlsx", "json", "parquet"
KINDS = {".csv": CSV, ".txt": CSV, ".xlsx": XLSX, ".json": JSON, ".ndjson": JSON, ".jsonl": JSON, ".parquet": PARQUET}
TITLE_ROWS = 10
TOTALS_WORDS = ("合计", "总计")
MAXIMUM_ROWS = 200_000
_DATA = re.compile(r"\d{6,}|\d{4}[-/.年]\d{1,2}")


class SampleUnusable(Exception):
    """A sample cannot be profiled; one sentence."""


@dataclass(frozen=True)
class Sample:
    """A sample: its columns as delivered, all text. ``types``: DuckDB types where the file itself declares them.

    ``items``: where a JSON file keeps its list. ``has_totals``: a totals row closes the file.
    """

    kind: str
    table: pa.Table
    types: dict[str, str] = field(default_factory=dict)
    items: str | None = None
    has_totals: bool = False


def read_sample(file: Path) -> Sample:
    """Read a CSV, XLSX, JSON, NDJSON or Parquet file. Raises ``SampleUnusable``."""
    kind = KINDS.get(file.suffix.lower())
    if kind is None:
        raise SampleUnusable(f"{file.name} is of no known kind; give a file named {', '.join(KINDS)}.")
    try:
        if kind == CSV:
            sample = _read_csv(file)
        elif kind == XLSX:
            sample = _read_workbook(file)
        elif kind == JSON:
            sample = _read_json(file)
        else:
            sample = _read_parquet(file)
    except FileRefusedError as refused:
        raise SampleUnusable(str(refused)) from refused
    except OSError as error:
        raise SampleUnusable(f"{file} cannot be read ({error.strerror}); name a file that is there.") from error
    if not sample.table.num_columns or not sample.table.num_rows:
        raise SampleUnusable(f"{file.name} holds no rows; give a sample with some.")
    return sample


def _find_header(rows: Sequence[Sequence[str | None]], file: str) -> list[str]:
    """The fullest of the first rows, the earliest of equals: titles are short, and data stand below.

    Raises ``SampleUnusable`` when it looks like data: what is no name of a column may be a value of a person.
    """
    filled = [[cell.strip() for cell in row if cell and cell.strip()] for row in rows[:TITLE_ROWS]]
    best = max(filled, key=len, default=[])
    if len(best) < MIN_HEADERS or any(_DATA.search(cell) for cell in best) or len(set(map(fold, best))) < len(best):
        raise SampleUnusable(f"{file}: none of the first {TITLE_ROWS} rows names the columns; add such a row.")
    return best


def _read_csv(file: Path) -> Sample:
    data = file.read_bytes()
    text = data.decode(csv_file.find_encoding(data, file.name)).removeprefix("\ufeff")
    head = [row for row, _ in zip(csv.reader(io.StringIO(text, newline="")), range(TITLE_ROWS), strict=False)]
    header = _find_header(head, file.name)
    entity, layout = layout_of_headers(header, TOTALS_WORDS)
    cells, _ = csv_file.read_cells(data, entity, layout, file.name)
    return _from_cells(CSV, cells, header, entity, layout, file.name)


def _read_workbook(file: Path) -> Sample:
    try:
        book = openpyxl.load_workbook(file, read_only=True)
        head = [
            [None if value is None else str(value) for value in row]
            for row in book.worksheets[0].iter_rows(max_row=TITLE_ROWS, values_only=True)
        ]
        book.close()
    except (InvalidFileException, zipfile.BadZipFile, KeyError, IndexError) as error:
        raise SampleUnusable(f"{file.name} is no sound workbook; save it again.") from error
    header = _find_header(head, file.name)
    entity, layout = layout_of_headers(header, TOTALS_WORDS)
    reader = WorkbookReader()
    try:
        cells, _ = reader.read_cells(file, entity, layout, file.name)
    finally:
        reader.close()
    return _from_cells(XLSX, cells, header, entity, layout, file.name)


def _from_cells(
    kind: str, cells: list[Cells], header: list[str], entity: EntityLayout, layout: FileLayout, file: str
) -> Sample:
    sheets = [read_rows(sheet, entity, layout, file) for sheet in cells]
    headers = {f"c{place}": name for place, name in enumerate(header)}
    tables = [
        pa.table(
            {name: sheet.by_field.get(field, pa.nulls(sheet.rows, pa.string())) for field, name in headers.items()}
        )
        for sheet in sheets
    ]
    has_totals = any(sheet.totals for sheet in sheets)
    return Sample(kind, pa.concat_tables(tables).slice(0, MAXIMUM_ROWS), has_totals=has_totals)


def _read_json(file: Path) -> Sample:
    data = file.read_bytes()
    text = data.decode(csv_file.find_encoding(data, file.name)).removeprefix("\ufeff")
    try:
        try:
            content: Any = json.loads(text, parse_float=str, parse_int=str)
        except json.JSONDecodeError:
            content = [json.loads(line, parse_float=str, parse_int=str) for line in text.splitlines() if line.strip()]
    except json.JSONDecodeError as error:
        raise SampleUnusable(
            f"{file.name}: line {error.lineno} is no JSON; send one document, or one per line."
        ) from None
    items, where = content, None
    if isinstance(content, dict):
        lists = [
            name for name, value in content.items() if isinstance(value, list) and value and isinstance(value[0], dict)
        ]
        if len(lists) != 1:
            raise SampleUnusable(f"{file.name}: {len(lists)} lists of objects are in it; give one with a single list.")
        items, where = content[lists[0]], lists[0]
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise SampleUnusable(f"{file.name} holds no list of objects; give one.")
    flat = [flatten(item) for item in items[:MAXIMUM_ROWS]]
    names = list(dict.fromkeys(name for item in flat for name in item))
    return Sample(
        JSON, pa.table({name: pa.array([item.get(name) for item in flat], pa.string()) for name in names}), items=where
    )


def flatten(item: dict[str, Any], before: str = "") -> dict[str, str | None]:
    """Dotted path → value as text, of an object with objects inside."""
    flat: dict[str, str | None] = {}
    for name, value in item.items():
        if isinstance(value, dict):
            flat |= flatten(value, f"{before}{name}.")
        elif value is None or isinstance(value, str):
            flat[f"{before}{name}"] = value
        else:
            flat[f"{before}{name}"] = json.dumps(value, ensure_ascii=False)
    return flat


def _read_parquet(file: Path) -> Sample:
    if file.read_bytes()[:4] != b"PAR1":
        raise SampleUnusable(f"{file.name} is no Parquet file; write it again.")
    with connect(extensions=("icu",)) as duck:
        relation = f"read_parquet({quote_text(str(file))})"
        types = {row[0]: row[1] for row in duck.execute(f"DESCRIBE FROM {relation}").fetchall()}
        table = duck.execute(
            f"SELECT CAST(COLUMNS(*) AS VARCHAR) FROM {relation} LIMIT {MAXIMUM_ROWS}"
        ).to_arrow_table()
    return Sample(PARQUET, table.rename_columns(list(types)), types)
