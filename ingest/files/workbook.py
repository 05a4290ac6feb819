"""Spreadsheets (XLSX): check the archive before trusting it, then read every sheet as text at engine speed."""

from __future__ import annotations

import re
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ingest.files.csv_file import name_content
from ingest.files.delivered import FileRefusedError
from ingest.files.layout import EntityLayout, FileLayout
from ingest.files.sheet import Cells, find_header
from warehouse.duck import connect

# Names inside a compound document that holds an encrypted package, as its directory spells them.
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_BOMB_RATIO, _BOMB_FLOOR = 250, 32 << 20
_STRUCTURE_LIMIT = 16 << 20
_LAST_COLUMN = 16_384
_LAST_ROW = 1_048_576
_ROW = re.compile(rb'<(?:\w+:)?row\b[^>]*?\br="(\d{1,7})"')
_ROW_START = re.compile(rb"<(?:\w+:)?row[\s/>]")
_COLUMN = re.compile(rb'\br="([A-Z]{1,3})\d{1,7}"')
# A number whose digits a spreadsheet does not show as they are stored: 700.0, 1.38E+10, sixteen digits and more.
_ODD_NUMBER = rb"-?\d+\.0+|-?\d+(?:\.\d+)?[eE][+-]?\d+|-?\d{16,}(?:\.\d+)?"
_HAS_ODD_NUMBER = re.compile(rb"v>(?:" + _ODD_NUMBER + rb")</")
_ODD_CELL = re.compile(
    rb"<(?:\w+:)?c\b(?P<marks>[^>]*)>(?:<(?:\w+:)?f\b[^>]*/>|<(?:\w+:)?f\b[^>]*>[^<]*</(?:\w+:)?f>)?"
    rb"<(?:\w+:)?v>(?P<value>" + _ODD_NUMBER + rb")</"
)
_PLACE = re.compile(rb'\br="([A-Z]{1,3})(\d{1,7})"')
_TEXT_TYPE = re.compile(rb'\bt="(?!n")')
_ESCAPE = r"_x[0-9A-Fa-f]{4}_"
_UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    KeyError,
    OverflowError,
)


@dataclass(frozen=True)
class _Sheet:
    number: int
    name: str
    part: str
    is_hidden: bool


class WorkbookReader:
    """Reads workbooks one after another on a throw-away connection, which is opened anew after an internal error."""

    def __init__(self) -> None:
        self._duck: duckdb.DuckDBPyConnection | None = None

    def close(self) -> None:
        """Give the connection back."""
        if self._duck is not None:
            self._duck.close()
            self._duck = None

    def read_cells(
        self, path: Path, entity: EntityLayout, layout: FileLayout, file: str
    ) -> tuple[list[Cells], list[str]]:
        """The cells of every sheet that has a header, and notices on the others.

        Sheets are numbered as a spreadsheet program shows them, charts and hidden ones counted.
        Raises ``FileRefusedError`` for anything that is no sound, open workbook with at least one such sheet.
        """
        _check_kind(path, file)
        try:
            with zipfile.ZipFile(path) as archive:
                _check_sizes(archive, layout, file)
                sheets = _list_sheets(archive, file)
                extents = [(sheet, _measure(archive, sheet, file, layout)) for sheet in sheets]
        except ElementTree.ParseError as error:
            raise FileRefusedError("truncated", f"{file}: its list of sheets is broken; save it again.") from error
        except _UNREADABLE as error:
            raise FileRefusedError(
                "truncated", f"{file} is cut off or damaged inside ({type(error).__name__}); drop it again."
            ) from error
        found, notices = [], []
        for sheet, (rows, width, odd) in extents:
            cells = self._read_sheet(path, sheet, rows, width, odd, entity, layout, file) if rows else None
            if cells is None:
                notices.append(f"sheet {sheet.number} has no header row and was not read")
                continue
            if sheet.is_hidden:
                notices.append(f"sheet {sheet.number} is hidden; it was read like the others")
            found.append(cells)
        if not found:
            raise FileRefusedError(
                "no_header",
                f"{file}: no sheet has a header of kind {entity.name} in its first {layout.title_rows} rows; "
                "name the columns as agreed and drop it again.",
            )
        return found, notices

    def _read_sheet(
        self,
        path: Path,
        sheet: _Sheet,
        rows: int,
        width: int,
        odd: list[tuple[int, int, str]],
        entity: EntityLayout,
        layout: FileLayout,
        file: str,
    ) -> Cells | None:
        table = self._query(path, sheet, f"A1:{_column_name(width)}{rows}", file)
        columns = [_tidy(table.column(position)) for position in range(table.num_columns)]
        head = list(zip(*[column.slice(0, layout.title_rows + 1).to_pylist() for column in columns], strict=True))
        at = find_header(head, entity)
        if at is None:
            return None
        columns = _show_numbers(columns, odd)
        header = [cell or "" for cell in head[at]]
        columns = [column.slice(at + 1) for column in columns]
        while header and not header[-1].strip() and columns[-1].null_count == len(columns[-1]):
            header.pop()
            columns.pop()
        numbers = np.arange(at + 2, at + 2 + len(columns[0]), dtype=np.int64)
        return Cells(sheet.number, f"sheet {sheet.number}", tuple(header), at + 1, columns, numbers)

    def _query(self, path: Path, sheet: _Sheet, extent: str, file: str) -> pa.Table:
        if self._duck is None:
            self._duck = connect(extensions=["excel"], threads=1)
            self._duck.execute("SET preserve_insertion_order = true")
        try:
            return self._duck.execute(
                f"SELECT * FROM read_xlsx({_quote(str(path))}, sheet = {_quote(sheet.name)}, range = '{extent}', "
                "header = false, all_varchar = true, stop_at_empty = false)"
            ).to_arrow_table()
        except (duckdb.Error, UnicodeDecodeError, pa.ArrowException) as error:
            # An internal error leaves the connection unusable.
            self.close()
            raise FileRefusedError(
                "wrong_shape", f"{file}: sheet {sheet.number} cannot be read; save the workbook again and drop it."
            ) from error


def _quote(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _check_kind(path: Path, file: str) -> None:
    with path.open("rb") as opened:
        head = opened.read(1 << 20)
    if head.startswith(b"\xd0\xcf\x11\xe0"):
        if _ENCRYPTED in head or _ENCRYPTED in path.read_bytes():
            raise FileRefusedError(
                "password_protected", f"{file} is protected by a password; remove the password and drop it again."
            )
        raise FileRefusedError(
            "wrong_kind", f"{file} is an old office document (.xls); save it as .xlsx and drop it again."
        )
    if not head.startswith(b"PK"):
        kind = name_content(head[:512]) or "no spreadsheet"
        raise FileRefusedError("wrong_kind", f"{file} is {kind}; save it as .xlsx (or name it .csv if it is text).")


def _check_sizes(archive: zipfile.ZipFile, layout: FileLayout, file: str) -> None:
    total = sum(part.file_size for part in archive.infolist())
    swollen = any(
        part.file_size > _BOMB_FLOOR and part.file_size > _BOMB_RATIO * max(part.compress_size, 1)
        for part in archive.infolist()
    )
    if total > layout.unpacked_bytes or swollen:
        raise FileRefusedError(
            "zip_bomb",
            f"{file} unpacks to {total >> 20} MB, more than a workbook of its size may; save only the table.",
        )
    if any(part.flag_bits & 1 for part in archive.infolist()):
        raise FileRefusedError(
            "password_protected", f"{file} is protected by a password; remove the password and drop it again."
        )


def _read_part(archive: zipfile.ZipFile, name: str, file: str, limit: int) -> bytes:
    """One part, whole and with its checksum tested; a stated size that lies ends in ``BadZipFile``."""
    if archive.getinfo(name).file_size > limit:
        raise FileRefusedError(
            "zip_bomb", f"{file}: the part {name} is larger than a workbook may have; save it again."
        )
    data = archive.read(name)
    if b"<!DOCTYPE" in data[:4096] or b"<!ENTITY" in data[:4096]:
        raise FileRefusedError(
            "wrong_shape", f"{file}: the part {name} declares XML entities; save the workbook again."
        )
    return data


def _list_sheets(archive: zipfile.ZipFile, file: str) -> list[_Sheet]:
    names = set(archive.namelist())
    workbook = "xl/workbook.xml"
    if "_rels/.rels" in names:
        for relation in ElementTree.fromstring(_read_part(archive, "_rels/.rels", file, _STRUCTURE_LIMIT)):
            if relation.get("Type", "").endswith("/officeDocument"):
                workbook = relation.get("Target", workbook).lstrip("/")
    if workbook not in names:
        raise FileRefusedError(
            "wrong_kind", f"{file} is an archive without a workbook; save it as .xlsx and drop it again."
        )
    folder = workbook.rpartition("/")[0]
    relations = f"{folder}/_rels/{workbook.rpartition('/')[2]}.rels".lstrip("/")
    targets = {
        relation.get("Id"): (relation.get("Type", ""), relation.get("Target", ""))
        for relation in ElementTree.fromstring(_read_part(archive, relations, file, _STRUCTURE_LIMIT))
    }
    sheets = []
    count = 0
    for element in ElementTree.fromstring(_read_part(archive, workbook, file, _STRUCTURE_LIMIT)).iter():
        tag = element.tag.rpartition("}")[2]
        if tag == "workbookPr" and element.get("date1904", "0").lower() in ("1", "true"):
            raise FileRefusedError(
                "date_1904", f"{file} counts days from 1904; switch that option off in the workbook and save it again."
            )
        if tag != "sheet":
            continue
        count += 1
        relation_id = next((value for key, value in element.attrib.items() if key.endswith("}id")), None)
        kind, target = targets.get(relation_id, ("", ""))
        if not kind.endswith("/worksheet"):
            continue
        part = target.lstrip("/") if target.startswith("/") else f"{folder}/{target}".lstrip("/")
        if part not in names:
            raise FileRefusedError("truncated", f"{file}: the contents of sheet {count} are missing; save it again.")
        sheets.append(_Sheet(count, element.get("name", ""), part, element.get("state", "visible") != "visible"))
    if "xl/sharedStrings.xml" in names:
        # Read for its checksum only: the engine does not test it.
        _read_part(archive, "xl/sharedStrings.xml", file, archive.getinfo("xl/sharedStrings.xml").file_size)
    return sheets


def _measure(
    archive: zipfile.ZipFile, sheet: _Sheet, file: str, layout: FileLayout
) -> tuple[int, int, list[tuple[int, int, str]]]:
    """Last row that holds a value, last column, and the numbers to show as a spreadsheet does.

    The stated dimension is often stale, and formatted empty rows run to a million: only values count.
    """
    data = _read_part(archive, sheet.part, file, layout.unpacked_bytes)
    end = data.rfind(b"sheetData>")
    last_value = max(data.rfind(b"v>", 0, end), data.rfind(b"t>", 0, end))
    if last_value < 0:
        return 0, 0, []
    stated = [int(number) for number in _ROW.findall(data, 0, last_value)]
    rows = max(stated) if stated else len(_ROW_START.findall(data, 0, last_value))
    head_end = 0
    for _, match in zip(range(layout.title_rows + 2), _ROW_START.finditer(data), strict=False):
        head_end = match.start()
    head = data[:head_end] if len(stated) > layout.title_rows + 1 else data
    width = max((_column_number(name) for name in set(_COLUMN.findall(head))), default=0)
    cells_in_row = max((part.count(b"<c ") + part.count(b"<c>") for part in head.split(b"</row>")), default=0)
    width = max(width, min(cells_in_row, 256), 1)
    if width < _LAST_COLUMN and _beyond(width).search(data):
        width = max(_column_number(name) for name in set(_COLUMN.findall(data)))
    if rows > _LAST_ROW or width > _LAST_COLUMN:
        raise FileRefusedError("wrong_shape", f"{file}: sheet {sheet.number} has cells beyond the last row or column.")
    odd = []
    if _HAS_ODD_NUMBER.search(data):
        for match in _ODD_CELL.finditer(data):
            place = _PLACE.search(match["marks"])
            if place is not None and not _TEXT_TYPE.search(match["marks"]):
                shown = _show_number(match["value"].decode())
                odd.append((int(place[2]) - 1, _column_number(place[1]) - 1, shown))
    return rows, width, odd


def _show_number(stored: str) -> str:
    """Plain digits for a whole number that fits fifteen; beyond that the digits are not the typed ones, and the form
    with an exponent says so.
    """
    if re.fullmatch(r"-?\d+\.0+", stored) and len(stored.partition(".")[0].lstrip("-")) < 16:
        return stored.partition(".")[0]
    if "e" not in stored.lower():
        return f"{float(stored):.14E}" if len(stored.partition(".")[0].lstrip("-")) >= 16 else stored
    value = float(stored)
    if abs(value) < 1e15 and value == int(value):
        return str(int(value))
    return stored


def _beyond(width: int) -> re.Pattern[bytes]:
    """Finds a cell to the right of ``width`` columns."""
    name = _column_name(width)
    longer = rb"[A-Z]{%d,3}" % (len(name) + 1) if len(name) < 3 else None
    options = [longer] if longer else []
    for position, letter in enumerate(name):
        if letter < "Z":
            rest = len(name) - position - 1
            options.append(
                name[:position].encode() + b"[%c-Z]" % (ord(letter) + 1) + (rb"[A-Z]{%d}" % rest if rest else b"")
            )
    return re.compile(rb'\br="(?:' + b"|".join(options) + rb')\d{1,7}"') if options else re.compile(rb"(?!)")


def _column_number(name: bytes) -> int:
    number = 0
    for letter in name:
        number = number * 26 + letter - 64
    return number


def _column_name(number: int) -> str:
    name = ""
    while number:
        number, rest = divmod(number - 1, 26)
        name = chr(65 + rest) + name
    return name


def _tidy(column: pa.ChunkedArray) -> pa.Array:
    """One array of text; an empty text is no value; the spreadsheet's escapes of control characters undone."""
    array = column.combine_chunks()
    array = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
    array = array.cast(pa.string())
    array = pc.if_else(pc.equal(array, ""), pa.scalar(None, pa.string()), array)
    escaped = pc.fill_null(pc.match_substring_regex(array, _ESCAPE), False)
    if not pc.any(escaped).as_py():
        return array
    restored = [
        re.sub(_ESCAPE, lambda match: chr(int(match[0][2:6], 16)), text) for text in array.filter(escaped).to_pylist()
    ]
    # A lone half of a surrogate pair is no character; the escape stays as delivered.
    kept = array.filter(escaped).to_pylist()
    sound = [new if _is_sound(new) else old for new, old in zip(restored, kept, strict=True)]
    return pc.replace_with_mask(array, escaped, pa.array(sound, pa.string()))


def _is_sound(text: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


def _show_numbers(columns: list[pa.Array], odd: list[tuple[int, int, str]]) -> list[pa.Array]:
    by_column: dict[int, dict[int, str]] = {}
    for row, column, shown in odd:
        if column < len(columns) and row < len(columns[column]):
            by_column.setdefault(column, {})[row] = shown
    for position, changes in by_column.items():
        mask = np.zeros(len(columns[position]), dtype=bool)
        rows = sorted(changes)
        mask[rows] = True
        columns[position] = pc.replace_with_mask(
            columns[position], pa.array(mask), pa.array([changes[row] for row in rows], pa.string())
        )
    return columns
