"""One way to open DuckDB: extensions from their wheels, never from the net; bounded memory; time in UTC.

The engine checks an extension's signature every time it opens one: a quarter of a second of CPU for a scanner. A file
that is byte for byte what its wheel's record says came with the wheel whose digest the lock demands, so the engine is
told to take it; every other file must pass the engine's own check. A test has the engine check every locked wheel.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import os
from collections.abc import Iterable
from functools import cache
from mmap import ACCESS_READ, mmap
from pathlib import Path
from threading import Lock, Thread

import duckdb
import pyarrow as pa

DEFAULT_MEMORY_LIMIT = "6GB"
# What the engine says of a file that another process has open, and of a block whose checksum is another.
HELD_BY_ANOTHER = "Could not set lock"
SPOILT = "Corrupt database file"
# Of files written anew: from here on texts are kept in dictionaries whose words are compressed, in one pass.
STORAGE = "v1.4.0"
_CHECKING = Lock()


class ExtensionMissing(RuntimeError):
    """A DuckDB extension's wheel is not installed; the message names the package to install."""


def extension_file(name: str) -> Path:
    """Path of the ``.duckdb_extension`` file inside the wheel ``duckdb-extension-<name>``.

    Raises ``ExtensionMissing`` when the wheel is not installed.
    """
    package = f"duckdb_extension_{name}"
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ExtensionMissing(f"DuckDB extension {name}: install the wheel duckdb-extension-{name.replace('_', '-')}.")
    for folder in spec.submodule_search_locations:
        for file in sorted(Path(folder).rglob("*.duckdb_extension")):
            return file
    raise ExtensionMissing(f"DuckDB extension {name}: the package {package} carries no extension file; reinstall it.")


def is_as_installed(file: Path) -> bool:
    """Whether an extension's file has the digest that the record of its wheel states; false when no record is there.

    Computed once for a file; ``begin_check`` has it begun.
    """
    state = file.stat()
    with _CHECKING:
        return _is_as_recorded(file, state.st_mtime_ns, state.st_size, state.st_ino)


@cache
def _is_as_recorded(file: Path, *_state: int) -> bool:
    package = next(folder for folder in file.parents if folder.name.startswith("duckdb_extension_"))
    site = package.parent
    # One call, in which other threads go on.
    with file.open("rb") as opened, mmap(opened.fileno(), 0, access=ACCESS_READ) as content:
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
    stated = f"{file.relative_to(site).as_posix()},sha256={digest},"
    records = site.glob(f"{package.name}-*.dist-info/RECORD")
    return any(
        line.startswith(stated) for record in records for line in record.read_text(encoding="utf-8").splitlines()
    )


def begin_check(name: str) -> None:
    """Have ``is_as_installed`` begin on an extension that ``connect`` will be asked for, in a thread of its own.

    Reading a contract and opening the engine take as long. An extension that is missing is left for ``connect`` to say.
    """
    try:
        file = extension_file(name)
    except ExtensionMissing:
        return
    Thread(target=is_as_installed, args=(file,), name=f"check {name}").start()


def load_extension(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    """Load one extension from its wheel into an open connection; the engine checks its signature."""
    connection.execute(f"LOAD '{extension_file(name)}'")


def connect(
    database: Path | str = ":memory:",
    *,
    read_only: bool = False,
    extensions: Iterable[str] = (),
    temp_folder: Path | None = None,
    threads: int = 2,
) -> duckdb.DuckDBPyConnection:
    """Open DuckDB with this project's settings and load ``extensions`` (wheel names, e.g. ``postgres_scanner``).

    Extensions named here load faster than later ones, in a database in memory: see the module. Nothing but them can be
    loaded without the engine's check.

    The memory limit comes from ``RONGTONG_MEMORY_LIMIT`` (default 6GB); spilling goes to ``temp_folder``.
    """
    config: dict[str, str | bool | int | float | list[str]] = {
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "memory_limit": os.environ.get("RONGTONG_MEMORY_LIMIT", DEFAULT_MEMORY_LIMIT),
        "threads": threads,
        "preserve_insertion_order": False,
        "storage_compatibility_version": STORAGE,
    }
    if temp_folder is not None:
        config["temp_directory"] = str(temp_folder)
    # A file may be opened twice at a time only with the same settings.
    takes_installed = database == ":memory:"
    config["allow_unsigned_extensions"] = takes_installed
    connection = duckdb.connect(str(database), read_only=read_only, config=config)
    extensions = tuple(extensions)
    missing = [name for name in extensions if name not in _built_in(connection)] if extensions else []
    if "icu" in extensions and "icu" not in missing:
        # First: this takes about as long as a check that was begun has still to go.
        _set_time_zone(connection)
    installed = [name for name in missing if takes_installed and is_as_installed(extension_file(name))]
    for name in installed:
        load_extension(connection, name)
    if takes_installed:
        # For good: the engine refuses to go back.
        connection.execute("SET allow_unsigned_extensions = false")
    for name in missing:
        if name not in installed:
            load_extension(connection, name)
    if "icu" in missing:
        _set_time_zone(connection)
    return connection


def _set_time_zone(connection: duckdb.DuckDBPyConnection) -> None:
    """The bureau's time zone, with the calendar that every moment needs: the first reading of one opens it."""
    connection.execute("SET TimeZone = 'Asia/Shanghai'")
    connection.execute("SELECT TIMESTAMPTZ '1970-01-01 00:00:00+00'")


def _built_in(connection: duckdb.DuckDBPyConnection) -> set[str]:
    """Extensions that this build of the engine carries already."""
    return {
        row[0] for row in connection.execute("SELECT extension_name FROM duckdb_extensions() WHERE loaded").fetchall()
    }


def take_rows(connection: duckdb.DuckDBPyConnection, table: str, rows: pa.Table) -> None:
    """Create or replace the temporary ``table`` with the rows of an Arrow table.

    Copied, because a join may push a Bloom filter down into what it reads, and the engine stops with an error where
    that is Arrow itself. What is read without a join can be registered as it is.
    """
    connection.register("rows_taken", rows)
    try:
        connection.execute(f"CREATE OR REPLACE TEMP TABLE {table} AS FROM rows_taken")
    finally:
        connection.unregister("rows_taken")
