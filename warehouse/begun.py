"""A database file that appears whole or not at all, for ledgers that are begun by whoever comes first."""

from __future__ import annotations

from pathlib import Path

import duckdb

from warehouse.lock import take_lock
from warehouse.thresholds import LOCK_WAIT_SECONDS


def begin_database(connection: duckdb.DuckDBPyConnection, file: Path, *tables: str) -> None:
    """Make ``file`` with ``tables`` ("name (columns)") if there is none, for its owner only.

    It is written beside and renamed: the engine cannot read a file of which only the beginning was written, and who is
    killed meanwhile leaves nothing that others read. The folder must exist. Raises ``OSError`` or ``duckdb.Error``
    when it cannot be written, ``FileExistsError`` when the log of a lost file is there, which the engine would take for
    the new one's, ``warehouse.lock.Held`` when another process makes it for too long.
    """
    if file.exists():
        return
    with take_lock(file.with_name(".begin.lock"), LOCK_WAIT_SECONDS):
        if file.exists():
            return
        # Asked here only: who made the file meanwhile may have begun its log.
        if (log := file.with_name(f"{file.name}.wal")).exists():
            raise FileExistsError(str(log))
        spare = file.with_name(f".{file.name}.new")
        for left in (spare, spare.with_name(f"{spare.name}.wal")):
            left.unlink(missing_ok=True)
        quoted = str(spare).replace("'", "''")
        connection.execute(f"ATTACH '{quoted}' AS begun")
        try:
            for table in tables:
                connection.execute(f"CREATE TABLE begun.{table}")
        finally:
            connection.execute("DETACH begun")
        spare.chmod(0o600)
        spare.replace(file)
