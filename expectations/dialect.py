"""How Great Expectations reads the work file: a SQLAlchemy dialect over duckdb-engine.

Great Expectations has no DuckDB source. It runs over this dialect, which calls itself ``postgresql`` so that
expectations about patterns and types take their PostgreSQL path. Three things differ from PostgreSQL and from
duckdb-engine and are mended here: results are read before the connection is given back (Great Expectations reads them
after), ``~`` searches as in PostgreSQL (DuckDB's matches the whole text), and columns come from DESCRIBE
(duckdb-engine's reflection fails under SQLAlchemy 2.1).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from duckdb_engine import Dialect as DuckDBDialect
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql.base import PGCompiler
from sqlalchemy.engine import URL
from sqlalchemy.engine.cursor import FullyBufferedCursorFetchStrategy
from sqlalchemy.engine.default import DefaultExecutionContext
from sqlalchemy.types import UserDefinedType

DRIVER = "rongtongduckdb"


class EngineType(UserDefinedType[Any]):
    """A column's type by the engine's own name for it, e.g. ``DECIMAL(12,2)``."""

    cache_ok = True

    def __init__(self, name: str) -> None:
        self.name = name

    def get_col_spec(self, **_: Any) -> str:
        """The name as written in SQL."""
        return self.name


class BufferedContext(DefaultExecutionContext):
    """Reads every result at once: the cursor is the connection, and the next statement would take its place."""

    def post_exec(self) -> None:
        """Called by SQLAlchemy after each statement."""
        super().post_exec()
        if self.cursor is not None and self.cursor.description is not None:
            rows = self.cursor.fetchall()
            self.cursor_fetch_strategy = FullyBufferedCursorFetchStrategy(self.cursor, initial_buffer=rows)


class SearchingCompiler(PGCompiler):
    """Writes PostgreSQL's ``~`` and ``!~`` as DuckDB's search."""

    def visit_custom_op_binary(self, element: Any, operator: Any, **kw: Any) -> Any:
        """Called by SQLAlchemy for operators that it does not know by name."""
        if operator.opstring in ("~", "!~"):
            search = f"regexp_matches({self.process(element.left, **kw)}, {self.process(element.right, **kw)})"
            return search if operator.opstring == "~" else f"NOT {search}"
        return super().visit_custom_op_binary(element, operator, **kw)


class WorkFileDialect(DuckDBDialect):
    """DuckDB in PostgreSQL's clothes; see the module."""

    name = "postgresql"
    driver = DRIVER
    # Said here, or SQLAlchemy warns that this class does not say it.
    supports_statement_cache = False
    execution_ctx_cls = BufferedContext  # type: ignore[assignment]
    statement_compiler = SearchingCompiler

    def get_columns(self, connection: Any, table_name: str, schema: str | None = None, **_: Any) -> Any:
        """Columns and their types, as DESCRIBE tells them."""
        quote = self.identifier_preparer.quote
        relation = f"{quote(schema)}.{quote(table_name)}" if schema else quote(table_name)
        described = connection.exec_driver_sql(f"DESCRIBE {relation}").fetchall()
        return [{"name": row[0], "type": EngineType(row[1]), "nullable": True, "default": None} for row in described]

    def get_pk_constraint(self, connection: Any, table_name: str, schema: str | None = None, **_: Any) -> Any:
        """The work file declares no keys; the gate itself checks them."""
        return {"constrained_columns": [], "name": None}


registry.register(DRIVER, __name__, WorkFileDialect.__name__)


def connection_string(work_file: Path, *, memory_limit: str, temp_folder: Path) -> str:
    """The address of a work file, opened for reading only, with bounded memory."""
    query = {
        "access_mode": "read_only",
        "threads": "2",
        "memory_limit": memory_limit,
        "temp_directory": str(temp_folder),
    }
    return URL.create(DRIVER, database=str(work_file), query=query).render_as_string(hide_password=False)
