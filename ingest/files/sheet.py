"""From cells to rows: find the header by its content, set totals and signatures apart, name the columns."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Sequence
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


@dataclass(frozen=True)
class Lines:
    """All lines of a sheet below the header, or a block of them, in their places: ``Cells`` with the rows of another
    width among the others.

    ``widths``: how many cells each line has; ``beyond``: its cells beyond the header, joined by commas, null for none.
    """

    columns: list[pa.Array]
    row_numbers: np.ndarray
    widths: np.ndarray
    beyond: pa.Array


@dataclass(frozen=True)
class SheetSum:
    """What a sheet holds and what its totals rows say: the two that are compared.

    ``amount``: none when the sheet has no column to add up.
    """

    place: str
    rows: int
    amount: float | None
    totals: list[StatedTotal]

    @classmethod
    def of(cls, blocks: Iterable[SheetRows], sum_field: str | None) -> SheetSum:
        """Add up the blocks of a sheet. Raises ``ValueError`` when there is none."""
        place, rows, amount, totals = None, 0, None, []
        for block in blocks:
            place, rows = block.place, rows + block.rows
            totals += block.totals
            if sum_field and sum_field in block.by_field:
                amount = (amount or 0.0) + float(parse_amounts(block.by_field[sum_field]).sum())
        if place is None:
            raise ValueError("a sheet has at least one block")
        return cls(place, rows, amount, totals)


@dataclass(frozen=True)
class Form:
    """What only a whole sheet tells about each of its lines.

    ``totals_at``: row number of the last totals row. ``ends_alike``: all lines end in the same number of empty cells
    too many. ``nameless``: the columns that have values and no header.
    """

    totals_at: int | None = None
    ends_alike: bool = False
    nameless: tuple[int, ...] = ()


def trimmed_width(header: Sequence[str], has_values: Sequence[bool]) -> int:
    """How many columns a sheet has without those at its right that have neither header nor values."""
    width = len(header)
    while width and not header[width - 1].strip() and not has_values[width - 1]:
        width -= 1
    return width


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
    return to_the_cent(float(parse_amounts(values).sum()))


def to_the_cent(amount: float) -> Decimal:
    """An amount as people write it."""
    return Decimal(f"{amount:.2f}")


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


def merge_ragged(cells: Cells) -> Lines:
    """Put ragged rows in their place by position; what lies beyond the header is kept apart."""
    width = len(cells.header)
    regular = np.full(len(cells.row_numbers), width, np.int32)
    if not cells.ragged:
        return Lines(cells.columns, cells.row_numbers, regular, pa.nulls(len(regular), pa.string()))
    numbers = sorted(cells.ragged)
    rows = [cells.ragged[number] for number in numbers]
    row_numbers = np.concatenate([cells.row_numbers, np.asarray(numbers, dtype=np.int64)])
    widths = np.concatenate([regular, np.fromiter(map(len, rows), np.int32, len(rows))])
    # The closing lines of a form are mostly the only ragged ones: then the order is right as it is.
    order = None if np.all(row_numbers[:-1] <= row_numbers[1:]) else np.argsort(row_numbers, kind="stable")

    def placed(regular: pa.Array, short: list[str | None]) -> pa.Array:
        both = pa.concat_arrays([regular, pa.array(short, pa.string())])
        return both if order is None else both.take(pa.array(order))

    columns = [
        placed(column, [row[position] or None if position < len(row) else None for row in rows])
        for position, column in enumerate(cells.columns)
    ]
    over = [",".join(row[width:]) if any(row[width:]) else None for row in rows]
    beyond = placed(pa.nulls(len(regular), pa.string()), over)
    if order is not None:
        row_numbers, widths = row_numbers[order], widths[order]
    return Lines(columns, row_numbers, widths, beyond)


def _find_form_lines(first: pa.Array, words: Sequence[str]) -> np.ndarray:
    """Rows whose first filled cell is blank or opens with the first letter of a word: the few to look at closely."""
    letters = "".join(sorted({re.escape(fold(word)[0]) for word in words}))
    opens = f"|[{letters}]" if letters else ""
    return np.flatnonzero(_flags(pc.match_substring_regex(first, rf"^{_SPACE}(?:${opens})")))


def _first_cells(columns: Sequence[pa.Array], words: Sequence[str]) -> tuple[pa.Array, np.ndarray]:
    """The first filled cell of every line, and the lines to look at closely."""
    first = columns[0]
    for column in columns[1:]:
        first = first if first.null_count == 0 else pc.coalesce(first, column)
    near = _find_form_lines(first, words)
    if any(not (text or "").strip() for text in first.take(pa.array(near)).to_pylist()):
        trimmed = [pc.utf8_trim(each, characters=" \t\r\n\u3000\u00a0") for each in columns]
        first = pc.coalesce(*[pc.if_else(pc.equal(each, ""), pa.scalar(None, pa.string()), each) for each in trimmed])
        near = _find_form_lines(first, words)
    return first, near


def _find_totals(first: pa.Array, near: np.ndarray, entity: EntityLayout) -> list[int]:
    """Indexes of the totals rows."""
    if not entity.totals_words:
        return []
    opening = rf"^{_SPACE}(?:{_words_regex(entity.totals_words)}){_SPACE}(?:[:：(（\d].*)?$"
    found: list[int] = near[_flags(pc.match_substring_regex(first.take(pa.array(near)), opening))].tolist()
    return found


def _recognise_rows(
    lines: Lines, amount_at: int | None, form: Form, entity: EntityLayout, layout: FileLayout
) -> tuple[np.ndarray, list[StatedTotal]]:
    """Which lines are data, and the totals rows."""
    columns, numbers = lines.columns, lines.row_numbers
    first, near = _first_cells(columns, (*entity.totals_words, *layout.signature_words))
    is_data = _flags(pc.is_valid(first))
    totals: list[StatedTotal] = []
    for index in _find_totals(first, near, entity):
        row = [column[index].as_py() for column in columns]
        totals.append(_state_total(row, int(numbers[index]), amount_at, entity))
        is_data[index] = False
    if layout.signature_words:
        signing = _words_regex(layout.signature_words)
        opening = rf"^{_SPACE}(?:{signing})(?:\pL{{0,2}}{_SPACE}[:：(（].*|[\s\x{{3000}}].*)?$"
        is_data[near[_flags(pc.match_substring_regex(first.take(pa.array(near)), opening))]] = False
        if form.totals_at is not None and len(numbers) and numbers[-1] > form.totals_at:
            # Below the totals row a line that opens with such a word, or with "…：" and little else, closes the form.
            start = int(np.searchsorted(numbers, form.totals_at, side="right"))
            opens = _flags(pc.match_substring_regex(first.slice(start), rf"^{_SPACE}(?:{signing})"))
            colon = _flags(pc.match_substring_regex(first.slice(start), r"[:：]"))
            filled = np.sum([_flags(pc.is_valid(column.slice(start))) for column in columns], axis=0)
            is_data[start:] &= ~(opens | (colon & (filled <= max(2, len(columns) // 2))))
    return is_data, totals


def _drop_repeated_headers(lines: Lines, header: Sequence[str], anchor: int, is_data: np.ndarray) -> None:
    again = np.flatnonzero(_flags(pc.equal(lines.columns[anchor], header[anchor])))
    for index in again.tolist():
        row = [fold(column[index].as_py() or "") for column in lines.columns]
        if row == [fold(cell) for cell in header]:
            is_data[index] = False


def _pick(column: pa.Array, rows: np.ndarray) -> pa.Array:
    """The rows of a column; without copying when they lie together, as data rows mostly do."""
    if len(rows) and rows[-1] - rows[0] + 1 == len(rows):
        return column.slice(int(rows[0]), len(rows))
    return column.take(pa.array(rows))


def survey(header: Sequence[str], blocks: Iterable[Lines], entity: EntityLayout, layout: FileLayout) -> Form:
    """Look over all blocks of a sheet for what no single one tells."""
    totals_at, nameless = None, set()
    narrowest, widest = len(header), 0
    counted = 0
    for lines in blocks:
        if not len(lines.row_numbers):
            continue
        narrowest = int(lines.widths.min()) if not counted else min(narrowest, int(lines.widths.min()))
        widest = max(widest, int(lines.widths.max()))
        counted += len(lines.row_numbers)
        first, near = _first_cells(lines.columns, (*entity.totals_words, *layout.signature_words))
        for index in _find_totals(first, near, entity):
            totals_at = int(lines.row_numbers[index])
        nameless |= {
            position
            for position, cell in enumerate(header)
            if not fold(cell) and lines.columns[position].null_count < len(lines.row_numbers)
        }
    return Form(totals_at, counted > 0 and narrowest == widest != len(header), tuple(sorted(nameless)))


def read_rows(cells: Cells, entity: EntityLayout, layout: FileLayout, file: str) -> SheetRows:
    """The rows of a sheet that is whole in memory. Raises what ``read_lines`` raises."""
    lines = merge_ragged(cells)
    return read_lines(cells, lines, survey(cells.header, [lines], entity, layout), entity, layout, file)


def read_lines(
    sheet: Cells, lines: Lines, form: Form, entity: EntityLayout, layout: FileLayout, file: str
) -> SheetRows:
    """Name the columns and tell data rows from totals, signatures, repeated headers and blank rows, in all lines of a
    sheet or in a block of them. ``sheet``: any block of its cells; only its place and header are looked at.

    Raises ``FileRefusedError`` when a header is missing or doubled.
    """
    at, extra_at = _name_columns(sheet, entity, file)
    notices = [f"{sheet.place}: unknown column {name!r} kept, not used" for name in extra_at]
    for position in form.nameless:
        name = f"column {position + 1}"
        extra_at[name] = position
        notices.append(f"{sheet.place}: {name} has values and no header; kept, not used")
    amount_at = at.get(entity.sum_field) if entity.sum_field else None
    is_data, totals = _recognise_rows(lines, amount_at, form, entity, layout)
    _drop_repeated_headers(lines, sheet.header, min(at.values()), is_data)
    rows = np.flatnonzero(is_data)
    row_numbers = lines.row_numbers[rows]
    if form.totals_at is not None and len(row_numbers) and row_numbers[-1] > form.totals_at:
        notices.append(f"{sheet.place}: rows stand below the totals row {form.totals_at}; they are read and counted")
    extra = {name: _pick(lines.columns[position], rows) for name, position in extra_at.items()}
    if lines.beyond.null_count < len(lines.beyond):
        # The cells that the header has no name for stay with the row in quarantine.
        extra["beyond the header"] = _pick(lines.beyond, rows)
    return SheetRows(
        number=sheet.number,
        place=sheet.place,
        header=sheet.header,
        by_field={name: _pick(lines.columns[position], rows) for name, position in at.items()},
        extra=extra,
        row_numbers=row_numbers,
        shape_breach=_say_shape(lines, rows, len(sheet.header), form),
        totals=totals,
        notices=notices,
    )


def _say_shape(lines: Lines, rows: np.ndarray, width: int, form: Form) -> pa.Array:
    """A sentence for each of the lines ``rows`` with too few or too many cells; null for the others.

    Empty cells too many are none where every row of the file ends in them. Where one row does, a comma inside a cell
    may have pushed the others aside.
    """
    widths = lines.widths[rows]
    is_wrong = widths < width
    over = widths > width
    if over.any():
        is_wrong |= over & (_flags(pc.is_valid(lines.beyond))[rows] | (not form.ends_alike))
    if not is_wrong.any():
        return pa.nulls(len(rows), pa.string())
    sentences = pc.binary_join_element_wise(
        "row ",
        pa.array(lines.row_numbers[rows]).cast(pa.string()),
        " has ",
        pa.array(widths).cast(pa.string()),
        f" cells, the header {width}; put cells with commas in quotes.",
        "",
    )
    return pc.if_else(pa.array(is_wrong), sentences, pa.scalar(None, pa.string()))


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
