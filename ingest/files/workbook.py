"""Spreadsheets (XLSX): check the archive before trusting it, then read every sheet as text at engine speed."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from xml.etree import ElementTree

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ingest.files.csv_file import name_content
from ingest.files.delivered import FileRefusedError
from ingest.files.layout import EntityLayout, FileLayout
from ingest.files.sheet import Cells, find_header, trimmed_width
from warehouse.duck import connect

# Names inside a compound document that holds an encrypted package, as its directory spells them.
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_BOMB_RATIO, _BOMB_FLOOR = 250, 32 << 20
_STRUCTURE_LIMIT = 16 << 20
# A row is taken to hold so many bytes of text, when a block is measured in rows; of a part, at least the start is read.
_ROW_BYTES, _START_BYTES = 200, 4096
_LAST_COLUMN = 16_384
_LAST_ROW = 1_048_576
# What row elements are called: by a prefix of the sheet's own, if any. Patterns that begin with plain letters are fast.
_PREFIX = re.compile(rb"<(\w+:)?sheetData\b")
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
_ODD_SCHEMA = pa.schema([("row", pa.int32()), ("column", pa.int32()), ("shown", pa.string())])
_DATA_END = re.compile(rb"</(?:\w+:)?sheetData>")
_LONGEST_MARK = 64
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


@dataclass(frozen=True)
class _Extent:
    """Last row that holds a value, last column, and the numbers to show as a spreadsheet does: row, column, text."""

    rows: int
    width: int
    odd: pa.Table


class OpenWorkbook:
    """A sound workbook: its sheets one after another, each as blocks of cells below its header.

    ``notices`` on sheets are complete when all sheets have been read. ``unpacked_bytes``: how large it is.
    """

    def __init__(
        self,
        query: Callable[[_Sheet, _Extent], Iterator[list[pa.Array]]],
        extents: Sequence[tuple[_Sheet, _Extent]],
        unpacked_bytes: int,
        entity: EntityLayout,
        layout: FileLayout,
        file: str,
    ) -> None:
        self._query = query
        self._extents = extents
        self._entity = entity
        self._layout = layout
        self._file = file
        self.unpacked_bytes = unpacked_bytes
        self.notices: list[str] = []

    def sheets(self) -> Iterator[Iterator[Cells]]:
        """The sheets that have a header, numbered as a spreadsheet program shows them, charts and hidden ones counted.

        A sheet must be read to its end before the next is asked for. Raises ``FileRefusedError`` when no sheet has a
        header; so do the blocks of a sheet that cannot be read.
        """
        is_found = False
        for sheet, extent in self._extents:
            blocks = self._open_sheet(sheet, extent) if extent.rows else None
            if blocks is None:
                self.notices.append(f"sheet {sheet.number} has no header row and was not read")
                continue
            if sheet.is_hidden:
                self.notices.append(f"sheet {sheet.number} is hidden; it was read like the others")
            is_found = True
            yield blocks
        if not is_found:
            raise FileRefusedError(
                "no_header",
                f"{self._file}: no sheet has a header of kind {self._entity.name} in its first "
                f"{self._layout.title_rows} rows; name the columns as agreed and drop it again.",
            )

    def read_whole(self) -> list[Cells]:
        """The cells of every sheet that has a header, whole. Raises what ``sheets`` and its blocks raise."""
        return [_join_cells(list(blocks)) for blocks in self.sheets()]

    def _open_sheet(self, sheet: _Sheet, extent: _Extent) -> Iterator[Cells] | None:
        blocks = self._query(sheet, extent)
        first = next(blocks, None)
        if first is None:
            return None
        head = list(zip(*[column.slice(0, self._layout.title_rows + 1).to_pylist() for column in first], strict=True))
        at = find_header(head, self._entity)
        if at is None:
            return None
        header = tuple(cell or "" for cell in head[at])
        return self._cut(sheet, extent, header, at + 1, chain([first], blocks))

    @staticmethod
    def _cut(
        sheet: _Sheet, extent: _Extent, header: tuple[str, ...], header_row: int, blocks: Iterator[list[pa.Array]]
    ) -> Iterator[Cells]:
        above = 0
        for columns in blocks:
            rows = len(columns[0])
            columns = _show_numbers(columns, extent.odd, above)
            begin = max(header_row - above, 0)
            numbers = np.arange(above + begin + 1, above + rows + 1, dtype=np.int64)
            if begin <= rows:
                columns = [column.slice(begin) for column in columns]
                yield Cells(sheet.number, f"sheet {sheet.number}", header, header_row, columns, numbers)
            above += rows


class WorkbookReader:
    """Reads workbooks one after another on a throw-away connection, which is opened anew after an internal error."""

    def __init__(self) -> None:
        self._duck: duckdb.DuckDBPyConnection | None = None

    def close(self) -> None:
        """Give the connection back."""
        if self._duck is not None:
            self._duck.close()
            self._duck = None

    def open(self, path: Path, entity: EntityLayout, layout: FileLayout, file: str) -> OpenWorkbook:
        """Check a workbook through. Raises ``FileRefusedError`` for anything that is no sound, open workbook."""
        _check_kind(path, file)
        try:
            with zipfile.ZipFile(path) as archive:
                unpacked = _check_sizes(archive, layout, file)
                sheets = _list_sheets(archive, layout, file)
                extents = [(sheet, _measure(archive, sheet, file, layout)) for sheet in sheets]
        except ElementTree.ParseError as error:
            raise FileRefusedError("truncated", f"{file}: its list of sheets is broken; save it again.") from error
        except _UNREADABLE as error:
            raise FileRefusedError(
                "truncated", f"{file} is cut off or damaged inside ({type(error).__name__}); drop it again."
            ) from error

        def query(sheet: _Sheet, extent: _Extent) -> Iterator[list[pa.Array]]:
            # The first block holds the header.
            rows = max(layout.block_bytes // _ROW_BYTES, layout.title_rows + 1)
            return self._query(path, sheet, extent, file, rows)

        return OpenWorkbook(query, extents, unpacked, entity, layout, file)

    def read_cells(
        self, path: Path, entity: EntityLayout, layout: FileLayout, file: str
    ) -> tuple[list[Cells], list[str]]:
        """The cells of every sheet that has a header, whole, and notices on the others.

        Raises ``FileRefusedError`` for anything that is no sound, open workbook with at least one such sheet.
        """
        workbook = self.open(path, entity, layout, file)
        return workbook.read_whole(), workbook.notices

    def _query(self, path: Path, sheet: _Sheet, extent: _Extent, file: str, rows: int) -> Iterator[list[pa.Array]]:
        if self._duck is None:
            self._duck = connect(extensions=["excel"], threads=1)
            self._duck.execute("SET preserve_insertion_order = true")
        try:
            blocks = self._duck.execute(
                f"SELECT * FROM read_xlsx({_quote(str(path))}, sheet = {_quote(sheet.name)}, "
                f"range = 'A1:{_column_name(extent.width)}{extent.rows}', "
                "header = false, all_varchar = true, stop_at_empty = false)"
            ).to_arrow_reader(rows)
            for block in blocks:
                for start in range(0, block.num_rows, rows):
                    yield [_tidy(column) for column in block.slice(start, rows).columns]
        except (duckdb.Error, UnicodeDecodeError, pa.ArrowException) as error:
            # An internal error leaves the connection unusable.
            self.close()
            raise FileRefusedError(
                "wrong_shape", f"{file}: sheet {sheet.number} cannot be read; save the workbook again and drop it."
            ) from error


def _join_cells(blocks: list[Cells]) -> Cells:
    """The blocks of a sheet as one, without the empty columns at its right that have no header."""
    first = blocks[0]
    columns = [pa.concat_arrays([block.columns[position] for block in blocks]) for position in range(len(first.header))]
    width = trimmed_width(first.header, [column.null_count < len(column) for column in columns])
    numbers = np.concatenate([block.row_numbers for block in blocks])
    return Cells(first.number, first.place, first.header[:width], first.header_row, columns[:width], numbers)


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


def _check_sizes(archive: zipfile.ZipFile, layout: FileLayout, file: str) -> int:
    """How large the archive is unpacked."""
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
    return total


def _read_part(archive: zipfile.ZipFile, name: str, file: str) -> bytes:
    """One part of the archive's structure, whole and with its checksum tested, as ``_blocks_of`` does."""
    if archive.getinfo(name).file_size > _STRUCTURE_LIMIT:
        raise FileRefusedError(
            "zip_bomb", f"{file}: the part {name} is larger than a workbook may have; save it again."
        )
    return b"".join(_blocks_of(archive, name, file, _STRUCTURE_LIMIT))


def _blocks_of(archive: zipfile.ZipFile, name: str, file: str, block_bytes: int) -> Iterator[bytes]:
    """One part in blocks; at its end its checksum is tested. A stated size that lies ends in ``BadZipFile``."""
    with archive.open(name) as part:
        block = part.read(max(block_bytes, _START_BYTES))
        if b"<!DOCTYPE" in block[:_START_BYTES] or b"<!ENTITY" in block[:_START_BYTES]:
            raise FileRefusedError(
                "wrong_shape", f"{file}: the part {name} declares XML entities; save the workbook again."
            )
        while block:
            yield block
            block = part.read(block_bytes)


def _list_sheets(archive: zipfile.ZipFile, layout: FileLayout, file: str) -> list[_Sheet]:
    names = set(archive.namelist())
    workbook = "xl/workbook.xml"
    if "_rels/.rels" in names:
        for relation in ElementTree.fromstring(_read_part(archive, "_rels/.rels", file)):
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
        for relation in ElementTree.fromstring(_read_part(archive, relations, file))
    }
    sheets = []
    count = 0
    for element in ElementTree.fromstring(_read_part(archive, workbook, file)).iter():
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
    _test_checksums(archive, names - {sheet.part for sheet in sheets}, file, layout)
    return sheets


def _test_checksums(archive: zipfile.ZipFile, names: set[str], file: str, layout: FileLayout) -> None:
    """Read parts for their checksums only: the engine tests none, and may read a damaged one without end."""
    for name in sorted(names):
        if name.endswith((".xml", ".rels")):
            for _ in _blocks_of(archive, name, file, layout.block_bytes):
                pass


def _measure(archive: zipfile.ZipFile, sheet: _Sheet, file: str, layout: FileLayout) -> _Extent:
    """Where a sheet's values end. The stated dimension is often stale, and formatted empty rows run to a million: only
    values count.
    """
    extent = _Measuring(layout.title_rows + 2)
    for piece in _whole_rows(_blocks_of(archive, sheet.part, file, layout.block_bytes)):
        extent.add(piece)
    rows, width = extent.last_row, extent.width()
    if rows > _LAST_ROW or width > _LAST_COLUMN:
        raise FileRefusedError("wrong_shape", f"{file}: sheet {sheet.number} has cells beyond the last row or column.")
    return _Extent(rows, width, pa.concat_tables(extent.odd))


def _whole_rows(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """The rows of a sheet's XML in pieces that end where a row begins; what lies behind the rows is read, not given."""
    held, is_over = b"", False
    for block in blocks:
        if is_over:
            continue
        # Only the end of what was looked at may hold half of a mark.
        looked_at = max(len(held) - _LONGEST_MARK, 0)
        held += block
        if (end := _DATA_END.search(held, looked_at)) is not None:
            is_over = True
            yield held[: end.start()]
            continue
        if begin := _find_last_row(held, looked_at):
            yield held[:begin]
            held = held[begin:]
    if not is_over and held:
        yield held


def _find_last_row(text: bytes, since: int) -> int:
    """Where the last row begins, 0 when none begins behind ``since``."""
    end = len(text)
    while (at := text.rfind(b"row", since, end)) >= 0:
        begin = text.rfind(b"<", since, at)
        if begin > 0 and re.match(rb"<(?:\w+:)?row[\s/>]", text[begin : at + 4]):
            return begin
        end = at
    return 0


class _Measuring:
    """What is known of a sheet's extent after each piece of its rows. ``head_rows``: so many tell the usual width."""

    def __init__(self, head_rows: int) -> None:
        self._head_rows = head_rows
        self._head: bytes | None = b""
        self._prefix: bytes | None = None
        self._seen_rows = 0
        self._highest = 0
        self._width = 1
        self.last_row = 0
        self.odd = [_ODD_SCHEMA.empty_table()]

    def add(self, piece: bytes) -> None:
        """Take in the next piece."""
        if self._prefix is None and (found := _PREFIX.search(piece)) is not None:
            self._prefix = found[1] or b""
        opening = b"<" + (self._prefix or b"") + b"row"
        numbered = re.compile(re.escape(opening) + rb'\b[^>]*?\br="(\d{1,7})"')
        last_value = max(piece.rfind(b"v>"), piece.rfind(b"t>"))
        if last_value >= 0:
            self._highest = max(self._highest, *map(int, numbered.findall(piece, 0, last_value)), 0)
            above = 0 if self._highest else self._seen_rows + len(_find_rows(opening, piece[:last_value]))
            self.last_row = self._highest or above
        self._highest = max(self._highest, *map(int, numbered.findall(piece, max(last_value, 0))), 0)
        starts = _find_rows(opening, piece) if self._head is not None or not self._highest else []
        self._seen_rows += len(starts)
        self._widen(piece, opening)
        if _HAS_ODD_NUMBER.search(piece):
            self.odd.append(_find_odd(piece))

    def _widen(self, piece: bytes, opening: bytes) -> None:
        if self._head is not None:
            self._head += piece
            if self._seen_rows < self._head_rows:
                return
            piece, self._head = self._head, None
            self._measure_head(piece[: _find_rows(opening, piece)[self._head_rows - 1]])
        if not self._highest:
            self._count_cells(piece)
        if self._width < _LAST_COLUMN and _beyond(self._width).search(piece):
            self._width = max(_column_number(name) for name in set(_COLUMN.findall(piece)))

    def _measure_head(self, head: bytes) -> None:
        self._width = max([self._width, *(_column_number(name) for name in set(_COLUMN.findall(head)))])
        self._count_cells(head)

    def _count_cells(self, rows: bytes) -> None:
        most = max((row.count(b"<c ") + row.count(b"<c>") for row in rows.split(b"</row>")), default=0)
        self._width = max(self._width, min(most, 256))

    def width(self) -> int:
        """The last column."""
        if self._head is not None:
            self._measure_head(self._head)
            self._head = None
        return self._width


def _find_rows(opening: bytes, piece: bytes) -> list[int]:
    """Where rows begin."""
    return [match.start() for match in re.finditer(re.escape(opening) + rb"[\s/>]", piece)]


def _find_odd(piece: bytes) -> pa.Table:
    """The numbers that a spreadsheet does not show as they are stored, with the places of their cells."""
    rows, columns, shown = [], [], []
    for match in _ODD_CELL.finditer(piece):
        place = _PLACE.search(match["marks"])
        if place is not None and not _TEXT_TYPE.search(match["marks"]):
            rows.append(int(place[2]) - 1)
            columns.append(_column_number(place[1]) - 1)
            shown.append(_show_number(match["value"].decode()))
    return pa.table([rows, columns, shown], schema=_ODD_SCHEMA)


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
    return re.compile(rb'r="(?<=\sr=")(?:' + b"|".join(options) + rb')\d{1,7}"') if options else re.compile(rb"(?!)")


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


def _tidy(array: pa.Array) -> pa.Array:
    """Text; an empty text is no value; the spreadsheet's escapes of control characters undone."""
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


def _show_numbers(columns: list[pa.Array], odd: pa.Table, above: int) -> list[pa.Array]:
    """The columns of a block below ``above`` rows, with its odd numbers as they are shown."""
    rows = len(columns[0])
    here = odd.filter((pc.field("row") >= above) & (pc.field("row") < above + rows)) if odd.num_rows else odd
    if not here.num_rows:
        return columns
    columns, by_column = list(columns), dict[int, dict[int, str]]()
    for row, column, shown in zip(*(here[name].to_pylist() for name in _ODD_SCHEMA.names), strict=True):
        if column < len(columns):
            by_column.setdefault(column, {})[row - above] = shown
    for column, changes in by_column.items():
        mask = np.zeros(rows, dtype=bool)
        mask[sorted(changes)] = True
        values = pa.array([changes[row] for row in sorted(changes)], pa.string())
        columns[column] = pc.replace_with_mask(columns[column], pa.array(mask), values)
    return columns
