"""What must change in a published table so that it equals its candidate: rows to delete, rows to insert.

Computed before the transaction begins, by comparing whole rows as a multiset. Rows that stay are not touched, so the
lake's change feed and our change log tell true operations; a deletion and an insertion stayed right under compaction
where an update did not.
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

from warehouse.digest import digest_of_types
from warehouse.rooms import SCHEMA, Room


class CandidateUnusable(RuntimeError):
    """A candidate table cannot be published; the message names the table and what to mend, never a value."""


@dataclass(frozen=True)
class Difference:
    """The pending change of one published table: everything needed to apply it inside a transaction.

    ``gone`` names a temporary table with the row numbers to delete from the lake's table, ``fresh`` one that holds the
    rows to insert (a candidate may be a view, whose rows have no numbers); without them every candidate row is new.
    """

    room: Room
    source: str
    target: str
    columns: dict[str, str]
    source_columns: frozenset[str]
    is_new_table: bool
    new_columns: tuple[str, ...]
    gone: str | None
    fresh: str | None
    inserted: int
    deleted: int

    def apply(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Change the lake's table, inside the transaction that the caller has begun."""
        if self.is_new_table:
            declared = ", ".join(f"{_name(column)} {kind}" for column, kind in self.columns.items())
            connection.execute(f"CREATE TABLE {self.target} ({declared})")
        for column in self.new_columns:
            connection.execute(f"ALTER TABLE {self.target} ADD COLUMN {_name(column)} {self.columns[column]}")
        if self.deleted:
            connection.execute(f"DELETE FROM {self.target} WHERE rowid IN (SELECT r FROM {self.gone})")
        if self.inserted:
            names = ", ".join(_name(column) for column in self.columns)
            values = ", ".join(value for value, _ in _values(self.columns, self.source_columns))
            # In the order of the key: readers that look for one citizen skip most of the files' row groups.
            connection.execute(
                f"INSERT INTO {self.target} ({names}) SELECT {values}"
                f" FROM {self.fresh or self.source} AS t ORDER BY {', '.join(f't.{_name(c)}' for c in self.room.key)}"
            )


def difference(connection: duckdb.DuckDBPyConnection, room: Room, source: str, lake: str) -> Difference:
    """Compare the candidate ``source`` with the published table of ``room`` in the attached ``lake``.

    The columns of the result are those of the published table, then columns that are new in the candidate; a published
    column that the candidate no longer has becomes null. Contract columns are cast to the contract's type.
    Raises ``CandidateUnusable`` when the candidate does not exist or a value does not fit its published type.
    """
    target = f"{lake}.{SCHEMA}.{room.name}"
    source_columns = _columns(connection, source)
    if source_columns is None:
        raise CandidateUnusable(f"{room.name}: the candidate has no {room.relation}; build that room again.")
    published = _columns(connection, target)
    declared = {name: room.columns.get(name, kind) for name, kind in source_columns.items()}
    columns = (published or {}) | {name: kind for name, kind in declared.items() if name not in (published or {})}
    new_columns = () if published is None else tuple(name for name in columns if name not in published)
    try:
        if published is None:
            rows = _number(connection, f"SELECT count(*) FROM {source}")
            return Difference(room, source, target, columns, frozenset(source_columns), True, (), None, None, rows, 0)
        gone, fresh = f"gone_{lake}_{room.name}", f"fresh_{lake}_{room.name}"
        sides = (source, frozenset(source_columns)), (target, frozenset(published))
        _compare(connection, room, columns, sides, gone, fresh)
        inserted = _number(connection, f"SELECT count(*) FROM {fresh}")
        deleted = _number(connection, f"SELECT count(*) FROM {gone}")
    except duckdb.ConversionException:
        # The engine's text quotes the value.
        raise CandidateUnusable(
            f"{room.name}: a value of the candidate does not fit the type its column is published with;"
            " compare the types of both tables."
        ) from None
    return Difference(
        room, source, target, columns, frozenset(source_columns), False, new_columns, gone, fresh, inserted, deleted
    )


def _compare(
    connection: duckdb.DuckDBPyConnection,
    room: Room,
    columns: dict[str, str],
    sides: tuple[tuple[str, frozenset[str]], tuple[str, frozenset[str]]],
    gone: str,
    fresh: str,
) -> None:
    keys = [f"k{i}" for i in range(len(room.key))]
    keyed = ", ".join(f"t.{_name(column)} AS {key}" for key, column in zip(keys, room.key, strict=True))
    place = "row_number() OVER (PARTITION BY h, k0)" if not room.has_unique_key else "1"
    # A 64-bit digest decides only between rows of one key, so that two rows taken for one are out of reach of chance.
    (source, sent), (target, held) = (
        (side, f"{keyed}, {digest_of_types(_values(columns, present))} AS h") for side, present in sides
    )
    same_row = " AND ".join(["o.h = c.h", *(f"o.{key} IS NOT DISTINCT FROM c.{key}" for key in keys)])
    steps = {
        "new_rows": f"SELECT *, {place} AS n FROM (SELECT {sent} FROM {source} AS t)",
        "old_rows": f"SELECT *, {place} AS n FROM (SELECT rowid AS r, {held} FROM {target} AS t)",
        gone: f"SELECT r FROM old_rows AS o ANTI JOIN new_rows AS c ON {same_row} AND o.n = c.n",
        # Rows of one digest are equal: of those in the candidate any will do, as many as the lake lacks.
        "lacking": "SELECT c.* EXCLUDE (n), count(*) AS copies"
        f" FROM new_rows AS c ANTI JOIN old_rows AS o ON {same_row} AND o.n = c.n GROUP BY ALL",
        fresh: f"SELECT o.* EXCLUDE (h, {', '.join(keys)})"
        f" FROM (SELECT t.*, {sent} FROM {source} AS t) AS o JOIN lacking AS c ON {same_row}"
        f" QUALIFY row_number() OVER (PARTITION BY o.h, {', '.join(f'o.{key}' for key in keys)}) <= c.copies",
    }
    for table, rows in steps.items():
        connection.execute(f"CREATE OR REPLACE TEMP TABLE {table} AS {rows}")
    for table in ("old_rows", "new_rows", "lacking"):
        connection.execute(f"DROP TABLE {table}")


def _values(columns: dict[str, str], present: frozenset[str]) -> list[tuple[str, str]]:
    """SQL of every column's value and its type; of a column that is not present, null."""
    return [
        (f"CAST(t.{_name(column)} AS {kind})" if column in present else f"CAST(NULL AS {kind})", kind)
        for column, kind in columns.items()
    ]


def _columns(connection: duckdb.DuckDBPyConnection, relation: str) -> dict[str, str] | None:
    try:
        rows = connection.execute(f"DESCRIBE {relation}").fetchall()
    except duckdb.CatalogException:
        return None
    return {row[0]: row[1] for row in rows}


def _number(connection: duckdb.DuckDBPyConnection, sql: str) -> int:
    row = connection.execute(sql).fetchone()
    assert row is not None
    return int(row[0])


def _name(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'
