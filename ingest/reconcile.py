"""Records with keys: how much of a source a landing reads, and how the landing finds what a watermark never shows.

A watermark shows rows that changed. Three things escape it: rows deleted without trace, rows that came back with an old
moment, and rows changed without moving it. So every landing counts the owner's rows: when their number is not what the
last landing and the delivered rows make it, all keys are compared at once. They are compared every ``reconcile_days``
in any case, and every ``reread_days`` everything is read and compared by content.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import duckdb

from ingest.contract import Entity
from ingest.judge import quote_name, quote_text
from ingest.load import Load, copy
from ingest.receipt import ACCEPTED, Receipt

ALIVE = "state <> 'deleted' AND NOT starts_with(_record_key, '?')"


@dataclass(frozen=True)
class Reading:
    """How much of one entity a landing reads. ``since``: none for everything. ``compares_keys``: whether it is due.

    ``counted``: the last accepted receipt that says how many rows the owner had and how many records we held.
    """

    since: datetime | None
    compares_keys: bool
    counted: Receipt | None

    @property
    def is_whole(self) -> bool:
        """Whether everything is read."""
        return self.since is None

    def explains(self, source_rows: int | None, new: int | None) -> bool:
        """Whether ``new`` records that we did not hold are the whole difference in the owner's number of rows.

        Where several rows share a record id, or rows vanish that the contract lets go, the two numbers differ by
        nature; only a change of the difference counts.
        """
        if self.counted is None or self.counted.source_rows is None or self.counted.records_held is None:
            return False
        if source_rows is None or new is None:
            return False
        return source_rows - self.counted.source_rows == new


def plan_reading(load: Load, entity: Entity, overlap_days: float) -> Reading:
    """What this landing reads of ``entity``, by the receipts of former ones.

    Everything is read at first, when the contract judges otherwise than before, when it is due, and when it is asked
    for; else what changed since ``overlap_days`` before the last change that was seen.
    """
    own = [receipt for _, receipt in load.landed(entity).receipts if receipt.state == ACCEPTED]
    whole = [receipt for receipt in own if receipt.is_whole]
    compared = [receipt for receipt in own if receipt.keys_compared]
    counted = [receipt for receipt in own if receipt.records_held is not None]
    moments = [datetime.fromisoformat(receipt.watermark) for receipt in own if receipt.watermark is not None]
    is_whole = (
        load.reconcile
        or not moments
        or not whole
        or whole[-1].contract_hash != entity.judging_hash
        or _days_ago(load, whole[-1]) >= entity.reread_days
    )
    return Reading(
        since=None if is_whole else max(moments) - timedelta(days=overlap_days),
        compares_keys=is_whole or not compared or _days_ago(load, compared[-1]) >= entity.reconcile_days,
        counted=counted[-1] if counted else None,
    )


def _days_ago(load: Load, receipt: Receipt) -> int:
    """Calendar days, so that a landing a few seconds earlier in the day than the last does not wait another day."""
    return (load.clock().date() - datetime.fromisoformat(receipt.received_at).date()).days


def seen_moment(entity: Entity, received_at: str) -> str:
    """SQL over judged rows: the last moment of change among the accepted ones, at most ``received_at``; null for none.

    A record dated in the future must not stop the feed for good.
    """
    if entity.watermark is None:
        return "NULL"
    moved = f"CAST(max({quote_name(entity.watermark)}) FILTER (_breaches IS NULL) AS TIMESTAMPTZ)"
    last = f"least({moved}, TIMESTAMPTZ {quote_text(received_at)})"
    # The engine's least() ignores a null.
    return f"CASE WHEN {moved} IS NOT NULL THEN strftime(timezone('UTC', {last}), '%Y-%m-%dT%H:%M:%S.%f+00:00') END"


def remember(load: Load, duck: duckdb.DuckDBPyConnection, entity: Entity, only: str | None = None) -> str | None:
    """A table with the state that landed last for every record (of ``only``); none when nothing has landed.

    Other connections to the same engine see it too.
    """
    known = load.landed(entity).known(only)
    if known is None:
        return None
    name = quote_name(f"known {entity.name}" if only is None else f"known of {entity.name}")
    duck.execute(f"CREATE OR REPLACE TABLE {name} AS SELECT * FROM {known}")
    return name


def delivered_keys(*judged: Path) -> str:
    """SQL relation of the record keys in files of judged rows."""
    return f"(SELECT DISTINCT coalesce(_source_record_id, '?' || _row_hash) AS _record_key FROM {parquet(*judged)})"


def count_held(duck: duckdb.DuckDBPyConnection, known: str) -> int:
    """How many records are held and not deleted; ``known`` with all records."""
    row = duck.execute(f"SELECT count(*) FROM {known} WHERE {ALIVE}").fetchone()
    return 0 if row is None else int(row[0])


def find_unseen(duck: duckdb.DuckDBPyConnection, keys: Path, judged: Path, known: str) -> int:
    """Temp table ``unseen``: keys at the owner that are neither held nor delivered now; how many there are."""
    duck.execute(
        f"CREATE OR REPLACE TEMP TABLE unseen AS SELECT _record_key FROM {parquet(keys)} "
        f"ANTI JOIN (SELECT _record_key FROM {known} WHERE {ALIVE}) USING (_record_key) "
        f"ANTI JOIN {delivered_keys(judged)} USING (_record_key)"
    )
    row = duck.execute("SELECT count(*) FROM unseen").fetchone()
    return 0 if row is None else int(row[0])


def count_vanished(duck: duckdb.DuckDBPyConnection, keys: Path, known: str) -> tuple[int, int, int]:
    """Temp table ``vanished`` (keys we hold and the owner lacks); how many, of how many held, and how many are left."""
    duck.execute(
        f"CREATE OR REPLACE TEMP TABLE vanished AS SELECT _record_key FROM {known} "
        f"ANTI JOIN {parquet(keys)} USING (_record_key) WHERE {ALIVE}"
    )
    row = duck.execute(
        f"SELECT (SELECT count(*) FROM vanished), (SELECT count(*) FROM {known} WHERE {ALIVE}), "
        f"(SELECT count(*) FROM {parquet(keys)})"
    ).fetchone()
    return row or (0, 0, 0)


def write_tombstones(duck: duckdb.DuckDBPyConnection, part: str, noticed_at: str, file: Path) -> None:
    """Write the keys of ``vanished`` with the moment at which they were missed."""
    copy(
        duck,
        f"SELECT _record_key, {quote_text(part)} AS _part, TIMESTAMPTZ {quote_text(noticed_at)} AS _deleted_at "
        "FROM vanished",
        file,
    )


def parquet(*paths: Path, numbered: bool = False) -> str:
    """SQL relation of Parquet files; ``numbered``: with ``_filename`` and ``file_row_number``."""
    listed = ", ".join(quote_text(str(path)) for path in paths)
    options = ", filename = '_filename', file_row_number = true" if numbered else ""
    return f"read_parquet([{listed}]{options})"
