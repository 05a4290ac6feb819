"""Housekeeping of the lakes: old snapshots expire, and files that no snapshot names any more are removed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import duckdb

from warehouse.duck import connect
from warehouse.home import Home
from warehouse.lake import NothingPublished, attach_published, attach_restricted, single_writer, snapshots_of
from warehouse.rooms import PUBLISHED, RESTRICTED
from warehouse.thresholds import RETENTION_DAYS, UNNAMED_FILES_DAYS


def expire_snapshots(home: Home, *, now: datetime | None = None, days: int = RETENTION_DAYS) -> int:
    """Forget snapshots older than ``days`` in both lakes, remove what only they used; return how many readers lost.

    The current snapshot always stays. Files are touched only under the writer's lock, and only those older than
    ``UNNAMED_FILES_DAYS``. Raises ``LakeBusy`` when a publication does not end in time.
    """
    moment = now or datetime.now(UTC)
    expired = 0
    with single_writer(home), connect(extensions=["icu"]) as connection:
        for lake, attach in ((RESTRICTED, attach_restricted), (PUBLISHED, attach_published)):
            try:
                attach(connection, home, True)
                connection.execute(f"DETACH {lake}")
            except NothingPublished:
                continue
            attach(connection, home, False)
            gone = _expire(connection, lake, moment - timedelta(days=days))
            expired += gone if lake == PUBLISHED else 0
            for procedure in ("ducklake_cleanup_old_files", "ducklake_delete_orphaned_files"):
                connection.execute(
                    f"CALL {procedure}('{lake}', older_than => ?)", [moment - timedelta(days=UNNAMED_FILES_DAYS)]
                )
            connection.execute(f"DETACH {lake}")
    return expired


def _expire(connection: duckdb.DuckDBPyConnection, lake: str, before: datetime) -> int:
    held = snapshots_of(connection, lake)
    connection.execute(f"CALL ducklake_expire_snapshots('{lake}', older_than => ?)", [before])
    return len(held) - len(snapshots_of(connection, lake))
