"""Delimited text: decode strictly, find the header, read rows with the row numbers a spreadsheet would show."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator
from itertools import chain
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc

from ingest.files.delivered import FileRefusedError
from ingest.files.layout import EntityLayout, FileLayout
from ingest.files.sheet import Cells, find_header

# Python's gb18030 is the edition of 2005; the edition of 2022 moved these two-byte codes out of private use.
_EDITION_2022 = str.maketrans(
    "\ue78d\ue78e\ue78f\ue790\ue791\ue792\ue793\ue794\ue795\ue796"
    "\ue81e\ue826\ue82b\ue82c\ue832\ue843\ue854\ue864"
    "\ue816\ue817\ue818\ue831\ue83b\ue855",
    "\ufe10\ufe12\ufe11\ufe13\ufe14\ufe15\ufe16\ufe17\ufe18\ufe19"
    "\u9fb4\u9fb5\u9fb6\u9fb7\u9fb8\u9fb9\u9fba\u9fbb"
    "\U00020087\U00020089\U000200cc\U000215d7\U0002298f\U000241fe",
)
# The first is enough for nearly all; the second for a form with very long title rows.
_HEAD_CHARACTERS = (1 << 13, 1 << 20)
# So much is decoded at once, that a large file does not lie in memory three times over.
BLOCK_BYTES = 4 << 20
_SIGNATURES = (
    (b"%PDF", "a PDF document"),
    (b"\xd0\xcf\x11\xe0", "an old or password-protected office document"),
    (b"PK\x03\x04", "a spreadsheet or ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"Rar!", "a RAR archive"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"\x89PNG", "an image"),
    (b"\xff\xd8\xff", "an image"),
    (b"{\\rtf", "a text-processing document"),
)


class FileBytes:
    """The bytes of an open file, cut out like those of ``bytes``; only what is cut out is ever in memory."""

    def __init__(self, opened: BinaryIO) -> None:
        self._opened = opened
        self._size = opened.seek(0, io.SEEK_END)

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, span: slice) -> bytes:
        start, stop, _ = span.indices(self._size)
        self._opened.seek(start)
        return self._opened.read(max(stop - start, 0))


Delivered = bytes | FileBytes


def name_content(head: bytes) -> str | None:
    """What a file is by its first bytes, in words, when it is something other than text."""
    for signature, meaning in _SIGNATURES:
        if head.startswith(signature):
            return meaning
    start = head[:200].lstrip().lower()
    if start.startswith((b"<html", b"<!doctype", b"<?xml", b"<table")):
        return "a web page or XML document"
    return None


def _find_encoding(data: Delivered, file: str, block_bytes: int = BLOCK_BYTES) -> tuple[str, str | None]:
    """The encoding that fits all bytes strictly, and the text when it is a single block.

    Raises ``FileRefusedError`` when none fits.
    """
    head = data[:4]
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        attempts = ["utf-16"]
    elif head.startswith(codecs.BOM_UTF8):
        attempts = ["utf-8-sig"]
    else:
        attempts = [*_utf_16_without_mark(data[: 1 << 16]), "utf-8", "gb18030"]
    furthest = 0
    for encoding in attempts:
        broken_at, text = _try_encoding(data, encoding, block_bytes)
        if broken_at is None:
            return encoding, text
        furthest = max(furthest, broken_at)
    raise FileRefusedError(
        "encoding",
        f"{file}: byte {furthest + 1} is neither {' nor '.join(attempts)}; save it as UTF-8 or GB18030 and drop it "
        "again.",
    )


def _try_encoding(data: Delivered, encoding: str, block_bytes: int) -> tuple[int | None, str | None]:
    """Where the bytes stop to fit an encoding, counted from 0; None when they fit to the end. And a short text."""
    text = ""
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    for start in range(0, max(len(data), 1), block_bytes):
        block = data[start : start + block_bytes]
        try:
            text = decoder.decode(block, final=start + block_bytes >= len(data))
        except UnicodeDecodeError as error:
            # The decoder may have kept the first bytes of a character from the block before.
            return start + len(block) - len(error.object) + error.start, None
    return None, text if len(data) <= block_bytes else None


def _decode(data: Delivered, encoding: str, whole: str | None, block_bytes: int) -> Iterator[str]:
    """The text in blocks, without a mark at its start. ``whole``: the text, where it is decoded already."""
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    is_first = True
    for start in range(0, len(data), block_bytes):
        block = data[start : start + block_bytes]
        text = decoder.decode(block, final=start + block_bytes >= len(data)) if whole is None else whole
        if encoding == "gb18030" and any(letter in text for letter in map(chr, _EDITION_2022)):
            text = text.translate(_EDITION_2022)
        yield text.removeprefix("\ufeff") if is_first else text
        is_first = is_first and not text


def find_encoding(data: Delivered, file: str) -> str:
    """The encoding that fits all bytes strictly. Raises ``FileRefusedError`` when none does."""
    return _find_encoding(data, file)[0]


def _utf_16_without_mark(head: bytes) -> list[str]:
    """UTF-16 shows in commas, digits and line ends: every other byte of theirs is zero, and text has no others."""
    even, odd = head[0::2].count(0), head[1::2].count(0)
    enough = len(head) // 40
    if odd > max(enough, 3 * even):
        return ["utf-16-le"]
    if even > max(enough, 3 * odd):
        return ["utf-16-be"]
    return []


class _Lines(Iterator[str]):
    """Physical lines of a text, counting the characters given out."""

    def __init__(self, text: str) -> None:
        self._lines = io.StringIO(text, newline="")
        self.consumed = 0
        self.last: list[str] = []

    def __next__(self) -> str:
        line = next(self._lines)
        self.consumed += len(line)
        self.last.append(line)
        return line


def _quotes_are_sound(text: str) -> bool:
    """Whether every quotation mark opens at a cell's start, closes at its end, or is doubled inside."""
    outside = text.split('"')
    if len(outside) % 2 == 0:
        return False
    outside = outside[0::2]
    edges = (",", "\n", "\r")
    return (
        all(part == "" or (part.startswith(edges) and part.endswith(edges)) for part in outside[1:-1])
        and (outside[0] == "" or outside[0].endswith(edges))
        and (len(outside) == 1 or outside[-1] == "" or outside[-1].startswith(edges))
    )


def _refuse_open_quote(text: str, first_row: int, file: str) -> None:
    """Refuse a text in which a quotation mark swallows line ends; a stray mark inside one line is only a character."""
    lines, row = _Lines(text), first_row
    records = csv.reader(lines)
    try:
        while next(records, None) is not None:
            record, lines.last = "".join(lines.last), []
            inside = record.rstrip("\r\n")
            if "\n" in inside or "\r" in inside or record.count('"') % 2:
                list(csv.reader([record], strict=True))
            row += 1
    except csv.Error as error:
        # Of the first reader: a cell longer than any; of the second: a mark that does not close.
        raise _open_quote(file, row) from error


def _open_quote(file: str, row: int) -> FileRefusedError:
    return FileRefusedError(
        "open_quote", f"{file}: in row {row} a quotation mark is opened and not closed; mend that row."
    )


def read_cells(
    data: Delivered, entity: EntityLayout, layout: FileLayout, file: str, *, block_bytes: int = BLOCK_BYTES
) -> tuple[list[Cells], str]:
    """The cells of a delimited text as one sheet, and its encoding. Raises what ``open_cells`` and its blocks raise."""
    encoding, blocks = open_cells(data, entity, layout, file, block_bytes=block_bytes)
    parts = list(blocks)
    first = parts[0]
    ragged: dict[int, list[str]] = {}
    for part in parts:
        ragged |= part.ragged
    columns = [pa.concat_arrays([part.columns[position] for part in parts]) for position in range(len(first.header))]
    numbers = np.concatenate([part.row_numbers for part in parts])
    return [Cells(first.number, first.place, first.header, first.header_row, columns, numbers, ragged)], encoding


def open_cells(
    data: Delivered, entity: EntityLayout, layout: FileLayout, file: str, *, block_bytes: int = BLOCK_BYTES
) -> tuple[str, Iterator[Cells]]:
    """The encoding of a delimited text, and its cells as blocks of one sheet, at least one; a few blocks of
    ``block_bytes`` are held at a time.

    Raises ``FileRefusedError`` for another kind of file, an unreadable encoding, no header; the blocks raise it for an
    open quotation mark or cells that are none.
    """
    kind = name_content(data[:512])
    if kind is not None:
        raise FileRefusedError(
            "wrong_kind", f"{file} is {kind} and not delimited text; export it as CSV and drop it again."
        )
    encoding, whole = _find_encoding(data, file, block_bytes)
    if data[-2:] == bytes(2) or (data[-1:] == bytes(1) and not encoding.startswith("utf-16")):
        raise FileRefusedError("truncated", f"{file} ends in zero bytes, it was not written to its end; drop it again.")
    texts = _decode(data, encoding, whole, block_bytes)
    text = next(texts, "")
    for more in texts:
        text += more
        if len(text) >= _HEAD_CHARACTERS[-1]:
            break
    header, header_row, end = _read_head(text, entity, layout, file)
    below = (text[start : start + block_bytes] for start in range(end, len(text), block_bytes))
    return encoding, _read_blocks(_cut(chain(below, texts)), header, header_row, file)


def _read_blocks(pieces: Iterator[str], header: tuple[str, ...], header_row: int, file: str) -> Iterator[Cells]:
    last_row, is_first = header_row, True
    try:
        for piece in pieces:
            if '"' in piece and not _quotes_are_sound(piece):
                _refuse_open_quote(piece, last_row + 1, file)
            columns, numbers, ragged = _parse(piece, len(header), last_row, file)
            yield Cells(1, "sheet 1", header, header_row, columns, numbers, ragged)
            last_row, is_first = last_row + len(numbers) + len(ragged), False
    except csv.Error as error:
        raise _open_quote(file, last_row + 1) from error
    if is_first:
        none = [pa.array([], pa.string()) for _ in header]
        yield Cells(1, "sheet 1", header, header_row, none, np.empty(0, np.int64))


def _cut(blocks: Iterator[str]) -> Iterator[str]:
    """The text of the blocks in pieces of whole rows. Raises ``csv.Error`` when a row is longer than any may be."""
    text = ""
    for block in blocks:
        end = _find_row_end(text)
        if '"' in text and not _quotes_are_sound(text[:end] if end else text + '"'):
            end = _find_record_end(text)
        if end:
            yield text[:end]
            text = text[end:]
        text += block
    if text:
        yield text


def _find_record_end(text: str) -> int:
    """Behind the last row but one, as a reader of rows tells them where quotation marks leave a doubt; 0 when there is
    only one. Raises ``csv.Error`` when the first row is longer than any may be.
    """
    lines, end = _Lines(text), 0
    records = csv.reader(lines)
    try:
        while next(records, None) is not None:
            lines.last = []
            if lines.consumed < len(text):
                end = lines.consumed
    except csv.Error:
        if not end:
            raise
    return end


def _find_row_end(text: str) -> int:
    """Behind the last line end that no quotation mark encloses; 0 when there is none."""
    # A carriage return at the very end may be half of a line end.
    end = max(text.rfind("\n"), text.rfind("\r", 0, len(text) - 1)) + 1
    marks = text.count('"', 0, end)
    while end and marks % 2:
        before = max(text.rfind("\n", 0, end - 1), text.rfind("\r", 0, end - 1)) + 1
        marks -= text.count('"', before, end)
        end = before
    return end


def _read_head(text: str, entity: EntityLayout, layout: FileLayout, file: str) -> tuple[tuple[str, ...], int, int]:
    """The header, its row, and where it ends in the text. Raises ``FileRefusedError`` when there is none."""
    for characters in _HEAD_CHARACTERS:
        lines = _Lines(text[:characters])
        head: list[list[str]] = []
        ends: list[int] = []
        try:
            for record in csv.reader(lines):
                head.append(record)
                ends.append(lines.consumed)
                if len(head) > layout.title_rows:
                    break
        except csv.Error as error:
            raise _open_quote(file, len(head) + 1) from error
        if len(head) > layout.title_rows or len(text) <= characters:
            break
    found = find_header(head, entity)
    if found is None:
        hint = "separate cells by commas" if any("\t" in cell or ";" in cell for row in head for cell in row) else None
        raise FileRefusedError(
            "no_header",
            f"{file}: none of the first {layout.title_rows} rows is a header of kind {entity.name}; "
            f"{hint or 'name the columns as agreed'} and drop it again.",
        )
    return tuple(head[found]), found + 1, ends[found]


def _parse(
    piece: str, width: int, rows_above: int, file: str
) -> tuple[list[pa.Array], np.ndarray, dict[int, list[str]]]:
    """Columns and row numbers of a piece that starts below ``rows_above``, and the rows of another width by number."""
    try:
        body = piece.encode()
    except UnicodeEncodeError as error:
        raise FileRefusedError(
            "encoding", f"{file}: holds a character that is none (half of a pair); save it again."
        ) from error
    odd: dict[int, str] = {}

    def keep_apart(row: pc.InvalidRow) -> str:
        odd[row.number] = row.text
        return "skip"

    names = [f"c{position}" for position in range(width)]
    try:
        table = pc.read_csv(
            pa.BufferReader(body),
            read_options=pc.ReadOptions(
                use_threads=False, column_names=names, block_size=min(max(len(body) + 1, 1 << 16), 1 << 30)
            ),
            parse_options=pc.ParseOptions(
                newlines_in_values=True, ignore_empty_lines=False, invalid_row_handler=keep_apart
            ),
            convert_options=pc.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                strings_can_be_null=True,
                null_values=[""],
                quoted_strings_can_be_null=True,
            ),
        )
    except pa.ArrowInvalid as error:
        raise FileRefusedError(
            "wrong_shape", f"{file}: the text is no table of cells; export it as CSV again."
        ) from error
    count = table.num_rows + len(odd)
    numbers = np.arange(1, count + 1, dtype=np.int64)
    if odd:
        numbers = np.delete(numbers, np.fromiter(odd, np.int64) - 1)
    ragged = {number + rows_above: next(csv.reader(io.StringIO(text, newline="")), []) for number, text in odd.items()}
    columns = [_one_array(table.column(position)) for position in range(width)]
    return columns, numbers + rows_above, ragged


def _one_array(column: pa.ChunkedArray) -> pa.Array:
    combined = column.combine_chunks()
    return combined.combine_chunks() if isinstance(combined, pa.ChunkedArray) else combined
