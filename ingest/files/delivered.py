"""What the file reader hands over: facts about each file, and rows as delivered."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from decimal import Decimal
from typing import Any, Literal

import pyarrow as pa

State = Literal["accepted", "refused", "ignored", "waiting"]


class FileRefusedError(Exception):
    """A file that cannot be taken as it is: ``code`` names the breach, the message says file, place and mend."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class FileFacts:
    """One file as seen in one landing; kept in its receipt, so that the next landing knows it.

    ``rows_read`` counts data rows (no title, header, total or signature). ``control_*`` is what the totals row states,
    ``found_*`` what the rows add up to. ``waiting`` means: still being written, look again next time, no receipt.
    ``raw_file`` is the copy of the delivered bytes, below the source's ``raw`` folder.
    """

    path: str
    size: int
    modified_ns: int
    contract_hash: str
    state: State
    reason_code: str | None = None
    reason: str | None = None
    entity: str | None = None
    district: str | None = None
    month: str | None = None
    kind: str | None = None
    version: int = 1
    content_hash: str | None = None
    declared_hash: str | None = None
    raw_file: str | None = None
    encoding: str | None = None
    headers: tuple[tuple[str, ...], ...] = ()
    rows_read: int = 0
    control_rows: int | None = None
    control_sum: Decimal | None = None
    found_rows: int | None = None
    found_sum: Decimal | None = None
    notices: tuple[str, ...] = ()

    @property
    def partition(self) -> tuple[str, str, str] | None:
        """District, month and kind; None for a file whose name says none."""
        if self.district is None or self.month is None or self.kind is None:
            return None
        return self.district, self.month, self.kind

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dictionary, read back by ``from_json``."""
        said = asdict(self)
        for name in ("control_sum", "found_sum"):
            said[name] = None if said[name] is None else str(said[name])
        return said

    @classmethod
    def from_json(cls, said: dict[str, Any]) -> FileFacts:
        """Facts out of a receipt; fields that a later version added keep their defaults."""
        known = {each.name for each in fields(cls)}
        values = {name: value for name, value in said.items() if name in known}
        for name in ("control_sum", "found_sum"):
            if values.get(name) is not None:
                values[name] = Decimal(values[name])
        values["headers"] = tuple(tuple(row) for row in values.get("headers") or ())
        values["notices"] = tuple(values.get("notices") or ())
        return cls(**values)


@dataclass
class FileChunk:
    """A bounded part of a landing: some files' facts and, per entity, the rows of the accepted ones.

    The columns of a table, all but ``_version``, ``_sheet`` and ``_row`` text (the places held once per file, as a
    dictionary of one word): ``raw_<field>`` for every field of
    the contract, as delivered (null where the file has no such column or the cell is empty); ``_file``,
    ``_district``, ``_month``, ``_kind``, ``_version``, ``_sheet`` and ``_row`` (as a spreadsheet program numbers
    them); ``_extra``, a JSON object of the cells under unknown headers; ``_shape_breach``, a sentence when the row
    has too few or too many cells, in which case the row must be quarantined.

    ``continues``: more rows of its only file follow in the next chunk, which names no file.
    """

    files: list[FileFacts] = field(default_factory=list)
    tables: dict[str, pa.Table] = field(default_factory=dict)
    continues: bool = False

    @property
    def rows(self) -> int:
        """Rows in all tables."""
        return sum(table.num_rows for table in self.tables.values())
