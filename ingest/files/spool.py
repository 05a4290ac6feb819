"""A text or sheet too large to hold: its lines go to disk once, and are looked over as often as judging it takes.

What a file is refused for shows only at its end: a totals row, a total that disagrees, too few rows. No row may land
before that, and all of them in memory would be the delivery, not a block of it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import pyarrow as pa
from pyarrow import ipc

from ingest.files.layout import EntityLayout, FileLayout
from ingest.files.sheet import Cells, Form, Lines, SheetRows, merge_ragged, read_lines, survey, trimmed_width


class Spool:
    """The lines of one sheet, block by block, in a file without a name: a killed landing leaves nothing of it.

    ``is_ruled``: all lines have the width of the sheet; then empty columns at its right without a header are no part of
    it.
    """

    def __init__(self, folder: Path, blocks: Iterator[Cells], *, is_ruled: bool = False) -> None:
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed by __exit__
        first = next(blocks)
        self._has_values = [False] * len(first.header)
        self._is_ruled = is_ruled
        names = [f"c{position}" for position in range(len(first.header))]
        schema = pa.schema([(name, pa.string()) for name in (*names, "beyond")]).append(
            pa.field("row_number", pa.int64())
        )
        schema = schema.append(pa.field("width", pa.int32()))
        with ipc.new_stream(self._file, schema) as writer:
            self._write(writer, schema, merge_ragged(first))
            for block in blocks:
                self._write(writer, schema, merge_ragged(block))
        width = trimmed_width(first.header, self._has_values) if is_ruled else len(first.header)
        # All that is asked of it later is where it stands and its header.
        self.sheet = Cells(first.number, first.place, first.header[:width], first.header_row, [], first.row_numbers[:0])

    def _write(self, writer: ipc.RecordBatchStreamWriter, schema: pa.Schema, lines: Lines) -> None:
        for position, column in enumerate(lines.columns):
            self._has_values[position] |= column.null_count < len(column)
        arrays = [*lines.columns, lines.beyond, pa.array(lines.row_numbers), pa.array(lines.widths)]
        writer.write_batch(pa.record_batch(arrays, schema=schema))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the disk back."""
        self._file.close()

    def blocks(self) -> Iterator[Lines]:
        """All lines once more, from the first on."""
        self._file.seek(0)
        width = len(self.sheet.header)
        for batch in ipc.open_stream(self._file):
            *columns, beyond, numbers, widths = batch.columns
            said = np.full(len(widths), width, np.int32) if self._is_ruled else widths.to_numpy()
            yield Lines(columns[:width], numbers.to_numpy(), said, beyond)

    def survey(self, entity: EntityLayout, layout: FileLayout) -> Form:
        """What only all lines together tell."""
        return survey(self.sheet.header, self.blocks(), entity, layout)

    def rows(self, form: Form, entity: EntityLayout, layout: FileLayout, file: str) -> Iterator[SheetRows]:
        """The rows of each block. Raises what ``read_lines`` raises."""
        for lines in self.blocks():
            yield read_lines(self.sheet, lines, form, entity, layout, file)
