"""Pairs that wait for a clerk as a sheet, and the decisions that come back in it.

Every row says in column ``seen`` what it looked like when it was written: both records' values, and how often anybody
had decided about the pair. So no decision is taken down about a record that was corrected after the sheet was written,
and a sheet that comes back twice, or after a decision of it was revoked, changes nothing. What the sheet's own cells of
values say when it comes back is not read: programs for sheets change numbers and dates by themselves.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import duckdb

from identity.decisions import Decision, history, record
from identity.review import MENTIONS, Waiting, read_values
from warehouse.writing import write_atomically

SHEET_COLUMNS = (
    "pair_id", "verdict", "author", "reason", "question", "match_weight", "mention_key_l", "mention_key_r",
    "name_l", "name_r", "id_no_l", "id_no_r", "birth_date_l", "birth_date_r", "sex_l", "sex_r", "phones_l", "phones_r",
    "address_l", "address_r", "seen",
)  # fmt: skip
# In the order of the fields of a row.
_NEEDED = ("verdict", "mention_key_l", "mention_key_r", "author", "reason", "seen")


class SheetRefused(ValueError):
    """A sheet from which nothing was taken in: one sentence that names the place and the mend."""


@dataclass(frozen=True)
class TakenIn:
    """Decisions entered, and rows whose decision the ledger held already."""

    entered: int
    known: int


@dataclass(frozen=True)
class _Row:
    """A filled row of a sheet, and its line."""

    line: int
    verdict: str
    left: str
    right: str
    author: str
    reason: str
    seen: str

    @property
    def decision(self) -> tuple[str, str, str, str, str]:
        return (self.verdict, self.left, self.right, self.author, self.reason)


def write_sheet(
    connection: duckdb.DuckDBPyConnection, ledger_folder: Path, file: Path, pairs: Sequence[Waiting]
) -> None:
    """Write ``pairs`` of an ``open_review`` as a sheet, for its owner only. Raises ``OSError``, ``LedgerUnusable``."""
    values = read_values(connection, [key for pair in pairs for key in (pair.mention_key_l, pair.mention_key_r)])
    decided = _times_decided(history(connection, ledger_folder))
    sheet = io.StringIO(newline="")
    writer = csv.DictWriter(sheet, SHEET_COLUMNS, restval="", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(_cells(pair, values, decided) for pair in pairs)
    # By the mark at its beginning a program for sheets knows UTF-8.
    write_atomically(file, f"\ufeff{sheet.getvalue()}")


def _cells(pair: Waiting, values: dict[str, dict[str, Any]], decided: Counter[frozenset[str]]) -> dict[str, str]:
    left, right = pair.mention_key_l, pair.mention_key_r
    said: dict[str, Any] = asdict(pair) | {"question": pair.reopened or pair.reason, "reason": ""}
    for side, key in (("l", left), ("r", right)):
        said |= {f"{name}_{side}": value for name, value in values[key].items()}
    return {name: _plain(value) for name, value in said.items()} | {"seen": _seen(left, right, values, decided)}


def _plain(value: Any) -> str:
    if value is None:
        return ""
    return "、".join(map(str, value)) if isinstance(value, list) else str(value)


def _times_decided(ledger: Sequence[Decision]) -> Counter[frozenset[str]]:
    return Counter(frozenset((each.mention_key_l, each.mention_key_r)) for each in ledger)


def _seen(left: str, right: str, values: dict[str, dict[str, Any]], decided: Counter[frozenset[str]]) -> str:
    """A short digest; it begins with a letter, so that no program for sheets takes it for a number."""
    told = [[key, values[key]] for key in sorted((left, right))]
    text = json.dumps([told, decided[frozenset((left, right))]], ensure_ascii=False, default=str)
    return f"s{sha256(text.encode()).hexdigest()[:12]}"


def take_in_sheet(connection: duckdb.DuckDBPyConnection, ledger_folder: Path, file: Path) -> TakenIn:
    """Enter every filled row of a returned sheet as a decision; where one row is wrong, none.

    Raises ``SheetRefused``, ``DecisionRefused``, ``NoSuchPair`` or ``LedgerUnusable``.
    """
    rows = _without_repetitions(file, _filled_rows(file))
    in_force = set(
        connection.execute(
            "SELECT verdict, mention_key_l, mention_key_r FROM decision_reports WHERE trouble IS NULL"
        ).fetchall()
    )
    ledger = history(connection, ledger_folder)
    entered_before = {
        (each.verdict, each.mention_key_l, each.mention_key_r, each.author, each.reason) for each in ledger
    }
    values = read_values(connection, [key for row in rows for key in (row.left, row.right)])
    decided = _times_decided(ledger)
    fresh = []
    for row in rows:
        if row.decision[:3] in in_force:
            continue
        if row.seen == _seen(row.left, row.right, values, decided):
            fresh.append(row.decision)
        elif row.decision not in entered_before:
            raise SheetRefused(
                f"review: line {row.line} of {file.name} is about records that say something else now, or about a pair"
                " that was decided since; nothing was taken in: export the pairs again."
            )
    if fresh:
        record(connection, ledger_folder, MENTIONS, fresh)
    return TakenIn(len(fresh), len(rows) - len(fresh))


def _filled_rows(file: Path) -> list[_Row]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as sheet:
            reader = csv.DictReader(sheet)
            missing = [name for name in _NEEDED if name not in (reader.fieldnames or ())]
            if missing:
                raise SheetRefused(
                    f"review: {file} has no column {', '.join(missing)}; send back the sheet of review export."
                )
            rows = [(reader.line_num, {name: row[name] for name in _NEEDED}) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SheetRefused(
            f"review: {file} cannot be read ({type(error).__name__}); give the sheet as CSV in UTF-8."
        ) from None
    filled = []
    for line, cells in rows:
        if any(cell is None for cell in cells.values()):
            raise SheetRefused(f"review: line {line} of {file.name} is cut off; send back the whole sheet.")
        told = [cells[name].strip() for name in _NEEDED]
        if told[0]:
            filled.append(_Row(line, *told))
    return filled


def _without_repetitions(file: Path, rows: list[_Row]) -> list[_Row]:
    """One row per pair. Raises ``SheetRefused`` where two rows of a pair differ: no order says which is meant."""
    by_pair: dict[frozenset[str], _Row] = {}
    for row in rows:
        first = by_pair.setdefault(frozenset((row.left, row.right)), row)
        if first.decision != row.decision:
            raise SheetRefused(
                f"review: lines {first.line} and {row.line} of {file.name} say different things about one pair;"
                " leave one of them."
            )
    return list(by_pair.values())
