"""A day: the run before brought up to date through a small city, and what that took."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from rongtong.day.changes import find_changes
from rongtong.day.closure import TOO_LARGE_A_SHARE, find_touched
from rongtong.day.merge import check_counts, local_tables, merge, take_out
from rongtong.day.small_city import write_small_city


@dataclass(frozen=True)
class Day:
    """What changed and whom it touched; ``tables`` were brought up to date, all others are still the run before's."""

    changed: dict[str, int]
    citizens: int
    households: int
    tables: tuple[str, ...]
    week_moved: bool


def bring_up_to_date(
    connection: duckdb.DuckDBPyConnection,
    small_file: Path,
    build_small: Callable[[Path, tuple[str, ...]], None],
    *,
    before: date,
    now: date,
    week_moved: bool,
    shadow_sources: Iterable[str] = (),
    largest_share: float = TOO_LARGE_A_SHARE,
    when_merged: Callable[[], None] | None = None,
) -> Day:
    """Bring the local tables of ``work`` up to date with its inputs; ``base`` holds the inputs they were built from.

    ``build_small`` builds the given tables in a work file; it is called in a thread of its own. Everything is taken
    over in one transaction, at the end of which ``when_merged`` is called; where anything fails, nothing is committed.
    Raises ``BuildWhole`` where that is cheaper (more than ``largest_share`` of the citizens are touched) or safer.
    """
    changed = find_changes(connection, shadow_sources)
    find_touched(connection, before, now, largest_share)
    write_small_city(connection, small_file)
    tables = local_tables(week_moved=week_moved)
    # Old rows go while another process builds the new ones, which for most of its time takes one core.
    with ThreadPoolExecutor(max_workers=1) as beside:
        built = beside.submit(build_small, small_file, tables)
        connection.execute("BEGIN")
        take_out(connection, tables)
        built.result()
    connection.execute(f"ATTACH '{str(small_file).replace(chr(39), chr(39) * 2)}' AS small (READ_ONLY)")
    merge(connection, tables, before, now)
    check_counts(connection)
    if when_merged is not None:
        when_merged()
    connection.execute("COMMIT")
    connection.execute("DETACH small")
    sizes = connection.execute("SELECT (SELECT count(*) FROM core), (SELECT count(*) FROM core_homes)").fetchall()[0]
    return Day(changed, int(sizes[0]), int(sizes[1]), tables, week_moved)
