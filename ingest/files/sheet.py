"""From cells to rows: find the header by its content, set totals and signatures apart, name the columns."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ingest.files.delivered import FileRefusedError
from ingest.files.layout import EntityLayout, FileLayout, fold

_SPACE = r"[\s\x{3000}\x{a0}]*"
MIN_HEADERS = 2


@dataclass
class Cells:
    """One sheet's cells below the header: string columns, empty cells null, and the row number of each row.

    ``ragged`` holds the rows that have another number of cells than the header: row number → cells.
    """

    number: int
    place: str
    header: tuple[str, ...]
    header_row: int
    columns: list[pa.Array]
    row_numbers: np.ndarray
    ragged: dict[int, list[str]] = field(default_factory=dict)


@dataclass
class SheetRows:
    """The data rows of a sheet (columns by field, extra columns by header) and the totals rows stated in it."""

    number: int
    place: str
    header: tuple[str, ...]
    by_field: dict[str, pa.Array]
    extra: dict[str, pa.Array]
    row_numbers: np.ndarray
    shape_breach: pa.Array
    totals: list[StatedTotal]
    notices: list[str]

    @property
    def rows(self) -> int:
        """Data rows."""
        return len(self.row_numbers)


@dataclass(frozen=True)
class StatedTotal:
    """A totals row: where, how many rows it counts, what they add up to. Either may be missing."""

    row: int
    count: int | None
    amount: Decimal | None


def find_header(rows: Sequence[Sequence[str | None]], entity: EntityLayout) -> int | None:
    """Index of the row that holds most of the entity's headers; None when no row holds at least two.

    The earliest of equals wins: the header stands above its data.
    """
    known = entity.field_of_header()
    best, best_score = None, MIN_HEADERS - 1
    for index, row in enumerate(rows):
        score = len({known[fold(cell)] for cell in row if cell and fold(cell) in known})
        if score > best_score:
            best, best_score = index, score
    return best


def _name_columns(cells: Cells, entity: EntityLayout, file: str) -> tuple[dict[str, int], dict[str, int]]:
    """Column numbers by field and by unknown header. Raises ``FileRefusedError`` on doubled or missing headers."""
    known = entity.field_of_header()
    by_field: dict[str, int] = {}
    extra: dict[str, int] = {}
    seen: dict[str, int] = {}
    for position, header in enumerate(cells.header):
        folded = fold(header)
        if not folded:
            continue
        if folded in seen:
            raise FileRefusedError(
                "duplicate_header",
                f"{file}, {cells.place}: the header {header.strip()!r} stands in columns {seen[folded] + 1} and "
                f"{position + 1}; name each column once.",
            )
        seen[folded] = position
        name = known.get(folded)
        if name is None:
            extra[header.strip()] = position
        elif name in by_field:
            other = cells.header[by_field[name]].strip()
            raise FileRefusedError(
                "duplicate_header",
                f"{file}, {cells.place}: the headers {other!r} and {header.strip()!r} mean the same field; keep one.",
            )
        else:
            by_field[name] = position
    for each in entity.fields:
        if not each.is_required or each.name in by_field:
            continue
        wanted = " or ".join(each.headers)
        folded_extra = {fold(header): header for header in extra}
        near = [
            folded_extra[match]
            for header in each.headers
            for match in difflib.get_close_matches(fold(header), folded_extra, n=1, cutoff=0.4)
        ]
        hint = (
            f"if {near[0]!r} is meant, rename it or add it to the contract"
            if near
            else "add the column or mend the contract"
        )
        raise FileRefusedError(
            "missing_header", f"{file}, {cells.place}: no column {wanted} in row {cells.header_row}; {hint}."
        )
    return by_field, extra


def _words_regex(words: Sequence[str]) -> str:
    return "|".join(_SPACE.join(re.escape(letter) for letter in fold(word)) for word in words)


def parse_amounts(values: pa.Array) -> np.ndarray:
    """Amounts as people type them, as floats; what is no number is 0, as the districts' totals count it.

    What is a number is decided as in the judge of rows, so that a total and the landed rows cannot disagree on it.
    """
    plain = _filled(pc.match_substring_regex(values, r"^-?\d+(\.\d+)?$"))
    amounts = np.array(pc.cast(pc.if_else(plain, values, "0"), pa.float64()))
    odd = pc.invert(plain)
    if pc.any(odd).as_py():
        text = pc.utf8_normalize(values.filter(odd), form="NFKC")
        text = pc.replace_substring_regex(text, r"[\s\x{200b}\x{feff}]", "")
        is_number = pc.match_substring_regex(text, r"^[-+]?[¥￥]?[-+]?(\d+|\d{1,3}(,\d{3})+)(\.\d+)?元?$")
        digits = pc.replace_substring_regex(text, "[¥￥元,]", "")
        amounts[np.asarray(odd)] = np.asarray(pc.cast(pc.if_else(_filled(is_number), digits, "0"), pa.float64()))
    return amounts


def add_up(values: pa.Array) -> Decimal:
    """Sum of a column of amounts, to the cent."""
    return Decimal(f"{parse_amounts(values).sum():.2f}") if len(values) else Decimal("0.00")


def _state_total(row: Sequence[str | None], number: int, amount_at: int | None, entity: EntityLayout) -> StatedTotal:
    count, counted_in = None, None
    for position, cell in enumerate(row):
        found = re.search(entity.count_pattern, fold(cell)) if cell and entity.count_pattern else None
        if found:
            count, counted_in = int(found[1].replace(",", "")), position
            break
    cell = row[amount_at] if amount_at is not None and amount_at != counted_in and amount_at < len(row) else None
    is_stated = cell is not None and re.search(r"\d", cell) is not None
    return StatedTotal(number, count, add_up(pa.array([cell])) if is_stated else None)


def _filled(mask: pa.Array) -> pa.Array:
    return pc.fill_null(mask, False)


def _flags(mask: pa.Array) -> np.ndarray:
    return np.array(_filled(mask).to_numpy(zero_copy_only=False))


def _merge_ragged(cells: Cells) -> tuple[list[pa.Array], np.ndarray, dict[int, list[str]]]:
    """Put ragged rows in their place by position; what lies beyond the header is kept apart by row number."""
    width = len(cells.columns)
    numbers = sorted(cells.ragged)
    rows = [cells.ragged[number] for number in numbers]
    row_numbers = np.concatenate([cells.row_numbers, np.asarray(numbers, dtype=np.int64)])
    # The closing lines of a form are mostly the only ragged ones: then the order is right as it is.
    order = None if np.all(row_numbers[:-1] <= row_numbers[1:]) else np.argsort(row_numbers, kind="stable")
    merged = cells.columns
    for position in range(width):
        short = pa.array([row[position] or None if position < len(row) else None for row in rows], pa.string())
        both = pa.concat_arrays([merged[position], short])
        merged[position] = both if order is None else both.take(pa.array(order))
    beyond = {number: row[width:] for number, row in zip(numbers, rows, strict=True) if any(row[width:])}
    return merged, row_numbers if order is None else row_numbers[order], beyond


def _find_form_lines(first: pa.Array, words: Sequence[str]) -> np.ndarray:
    """Rows whose first filled cell is blank or opens with the first letter of a word: the few to look at closely."""
    letters = "".join(sorted({re.escape(fold(word)[0]) for word in words}))
    opens = f"|[{letters}]" if letters else ""
    return np.flatnonzero(_flags(pc.match_substring_regex(first, rf"^{_SPACE}(?:${opens})")))


def _recognise_rows(
    columns: list[pa.Array], numbers: np.ndarray, amount_at: int | None, entity: EntityLayout, layout: FileLayout
) -> tuple[np.ndarray, list[tuple[int, StatedTotal]]]:
    """Which rows are data, and the totals rows by index."""
    first = columns[0]
    for column in columns[1:]:
        first = first if first.null_count == 0 else pc.coalesce(first, column)
    words = (*entity.totals_words, *layout.signature_words)
    near = _find_form_lines(first, words)
    if any(not (text or "").strip() for text in first.take(pa.array(near)).to_pylist()):
        trimmed = [pc.utf8_trim(each, characters=" \t\r\n\u3000\u00a0") for each in columns]
        first = pc.coalesce(*[pc.if_else(pc.equal(each, ""), pa.scalar(None, pa.string()), each) for each in trimmed])
        near = _find_form_lines(first, words)
    is_data = _flags(pc.is_valid(first))
    cells = first.take(pa.array(near))
    totals: list[tuple[int, StatedTotal]] = []
    if entity.totals_words:
        opening = rf"^{_SPACE}(?:{_words_regex(entity.totals_words)}){_SPACE}(?:[:：(（\d].*)?$"
        for index in near[_flags(pc.match_substring_regex(cells, opening))].tolist():
            row = [column[index].as_py() for column in columns]
            totals.append((index, _state_total(row, int(numbers[index]), amount_at, entity)))
            is_data[index] = False
    if layout.signature_words:
        signing = _words_regex(layout.signature_words)
        opening = rf"^{_SPACE}(?:{signing})(?:\pL{{0,2}}{_SPACE}[:：(（].*|[\s\x{{3000}}].*)?$"
        is_data[near[_flags(pc.match_substring_regex(cells, opening))]] = False
        if totals:
            # Below the totals row a line that opens with such a word, or with "…：" and little else, closes the form.
            start = totals[-1][0] + 1
            opens = _flags(pc.match_substring_regex(first.slice(start), rf"^{_SPACE}(?:{signing})"))
            colon = _flags(pc.match_substring_regex(first.slice(start), r"[:：]"))
            filled = np.sum([_flags(pc.is_valid(column.slice(start))) for column in columns], axis=0)
            is_data[start:] &= ~(opens | (colon & (filled <= max(2, len(columns) // 2))))
    return is_data, totals


def _drop_repeated_headers(cells: Cells, columns: list[pa.Array], anchor: int, is_data: np.ndarray) -> None:
    again = np.flatnonzero(_flags(pc.equal(columns[anchor], cells.header[anchor])))
    for index in again.tolist():
        row = [fold(column[index].as_py() or "") for column in columns]
        if row == [fold(header) for header in cells.header]:
            is_data[index] = False


def _pick(column: pa.Array, rows: np.ndarray) -> pa.Array:
    """The rows of a column; without copying when they lie together, as data rows mostly do."""
    if len(rows) and rows[-1] - rows[0] + 1 == len(rows):
        return column.slice(int(rows[0]), len(rows))
    return column.take(pa.array(rows))


def read_rows(cells: Cells, entity: EntityLayout, layout: FileLayout, file: str) -> SheetRows:
    """Name the columns of a sheet and tell data rows from totals, signatures, repeated headers and blank rows.

    Raises ``FileRefusedError`` when a header is missing or doubled.
    """
    at, extra_at = _name_columns(cells, entity, file)
    columns, numbers = cells.columns, cells.row_numbers
    beyond: dict[int, list[str]] = {}
    if cells.ragged:
        columns, numbers, beyond = _merge_ragged(cells)
    notices = [f"{cells.place}: unknown column {name!r} kept, not used" for name in extra_at]
    for position, header in enumerate(cells.header):
        if not fold(header) and columns[position].null_count < len(numbers):
            name = f"column {position + 1}"
            extra_at[name] = position
            notices.append(f"{cells.place}: {name} has values and no header; kept, not used")
    amount_at = at.get(entity.sum_field) if entity.sum_field else None
    is_data, totals = _recognise_rows(columns, numbers, amount_at, entity, layout)
    _drop_repeated_headers(cells, columns, min(at.values()), is_data)
    if totals and is_data[totals[-1][0] :].any():
        notices.append(f"{cells.place}: rows stand below the totals row {totals[-1][1].row}; they are read and counted")
    rows = np.flatnonzero(is_data)
    extra = {name: _pick(columns[position], rows) for name, position in extra_at.items()}
    row_numbers = numbers[rows]
    breach = _say_shape(cells, row_numbers, beyond)
    if beyond:
        # The cells that the header has no name for stay with the row in quarantine.
        extra["beyond the header"] = _say_of_rows(
            {number: ",".join(cells_beyond) for number, cells_beyond in beyond.items()}, row_numbers
        )
    return SheetRows(
        number=cells.number,
        place=cells.place,
        header=cells.header,
        by_field={name: _pick(columns[position], rows) for name, position in at.items()},
        extra=extra,
        row_numbers=row_numbers,
        shape_breach=breach,
        totals=[total for _, total in totals],
        notices=notices,
    )


def _say_shape(cells: Cells, row_numbers: np.ndarray, beyond: dict[int, list[str]]) -> pa.Array:
    """A sentence for each row with too few or too many cells; null for the others.

    Empty cells too many are none where every row of the file ends in them. Where one row does, a comma inside a cell
    may have pushed the others aside.
    """
    width = len(cells.header)
    lengths = {len(row) for row in cells.ragged.values()}
    all_end_alike = not len(cells.row_numbers) and len(lengths) == 1
    said = {
        number: f"row {number} has {len(row)} cells, the header {width}; put cells with commas in quotes."
        for number, row in cells.ragged.items()
        if len(row) < width or number in beyond or not all_end_alike
    }
    return _say_of_rows(said, row_numbers)


def _say_of_rows(said: dict[int, str], row_numbers: np.ndarray) -> pa.Array:
    """What is said of some rows, by row number; null for the others."""
    held = np.flatnonzero(np.isin(row_numbers, np.fromiter(said, np.int64, len(said))))
    if not len(held):
        return pa.nulls(len(row_numbers), pa.string())
    sentences = np.full(len(row_numbers), None, dtype=object)
    for index in held.tolist():
        sentences[index] = said[int(row_numbers[index])]
    return pa.array(sentences, pa.string())


def pack_json(cells: dict[str, pa.Array], rows: int) -> pa.Array:
    """One JSON object per row of the cells that have a value; null where a row has none."""
    filled = {name: column for name, column in cells.items() if column.null_count < len(column)}
    if not filled:
        return pa.nulls(rows, pa.string())
    # Each member brings its own comma: skipping nulls while joining loses rows in which all are null (pyarrow 26).
    members = []
    for name, column in filled.items():
        named = pc.binary_join_element_wise(f",{json.dumps(name, ensure_ascii=False)}:", _quote_json(column), "")
        members.append(pc.fill_null(named, ""))
    joined = pc.binary_join_element_wise(*members, "") if len(members) > 1 else members[0]
    packed = pc.binary_join_element_wise("{", pc.utf8_slice_codeunits(joined, 1), "}", "")
    return pc.if_else(pc.equal(joined, ""), pa.scalar(None, pa.string()), packed)


def _quote_json(column: pa.Array) -> pa.Array:
    if pc.any(pc.match_substring_regex(column, r'["\\\x00-\x1f]')).as_py():
        # Only such cells need more than quotation marks; they are few.
        column = pa.array(
            [None if text is None else json.dumps(text, ensure_ascii=False)[1:-1] for text in column.to_pylist()],
            pa.string(),
        )
    return pc.binary_join_element_wise('"', column, '"', "")
