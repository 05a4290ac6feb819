"""A large text is decoded in blocks: where a block ends changes nothing, and rows are those of Python's own reader."""

from __future__ import annotations

import csv
import io

from district_folder import MEMBER, member, text
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.files.csv_file import read_cells
from ingest.files.delivered import FileRefusedError
from ingest.files.layout import layout_of
from ingest.registry import read_source

LAYOUT = layout_of(read_source("allowance"))
ENTITY = LAYOUT.entities["member"]
ENCODINGS = ["utf-8", "utf-8-sig", "gb18030", "utf-16"]
QUIET = settings(max_examples=150, deadline=None)
Read = tuple[str, list[tuple[int, list[str | None]]]]


def read_in(content: bytes, block: int) -> Read:
    """Encoding and rows by number; or the code and sentence of the refusal."""
    try:
        ((cells,), encoding) = read_cells(content, ENTITY, LAYOUT, "a.csv", block_bytes=block)
    except FileRefusedError as refused:
        return f"{refused.code}: {refused}", []
    columns = [column.to_pylist() for column in cells.columns]
    rows = {int(number): list(row) for number, *row in zip(cells.row_numbers, *columns, strict=True)}
    rows |= {number: [cell or None for cell in row] for number, row in cells.ragged.items()}
    return encoding, sorted(rows.items())


@QUIET
@given(
    rows=st.lists(
        st.lists(st.text(alphabet='a张䶮𠅤·",\n\r 　', max_size=5), min_size=1, max_size=9).filter(any), max_size=12
    ),
    encoding=st.sampled_from(ENCODINGS),
    line_end=st.sampled_from(["\r\n", "\n", "\r"]),
    block=st.integers(1, 60),
)
def test_blocks_of_any_size_give_the_rows_that_pythons_reader_gives(
    rows: list[list[str]], encoding: str, line_end: str, block: int
) -> None:
    # Python quotes a line feed only where it ends a line.
    quoting = csv.QUOTE_ALL if line_end == "\r" else csv.QUOTE_MINIMAL
    made = io.StringIO(newline="")
    csv.writer(made, lineterminator=line_end, quoting=quoting).writerows([MEMBER, *rows])
    expected = csv.reader(io.StringIO(made.getvalue(), newline=""))
    (_, found) = read_in(made.getvalue().encode(encoding), block)
    assert [cells for _, cells in found] == [_fill(row) for row in [*expected][1:]]
    assert [number for number, _ in found] == list(range(2, len(found) + 2))


def _fill(row: list[str]) -> list[str | None]:
    """A line without any cell is a row of empty ones."""
    return [cell or None for cell in row or [""] * len(MEMBER)]


@QUIET
@given(
    body=st.one_of(st.text(alphabet='a,"\n\r张', max_size=80).map(str.encode), st.binary(max_size=80)),
    encoding=st.sampled_from(["utf-8", "gb18030"]),
    block=st.integers(1, 60),
)
def test_a_malformed_text_is_refused_or_read_alike_in_blocks_of_any_size(
    body: bytes, encoding: str, block: int
) -> None:
    content = text([MEMBER, member()], encoding) + body
    assert read_in(content, block) == read_in(content, 1 << 20)


def test_a_broken_byte_is_named_by_its_place_whatever_the_blocks() -> None:
    content = text([MEMBER, *[member("张三")] * 40]) + b"\xff\xff"
    said = {read_in(content, block)[0] for block in (7, 64, 1 << 20)}
    assert len(said) == 1
    assert f"byte {len(content) - 1} is neither" in said.pop()
