"""One way to open DuckDB: extensions from their wheels, never from the net; bounded memory; time in UTC."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterable
from pathlib import Path

import duckdb

DEFAULT_MEMORY_LIMIT = "6GB"


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


def load_extension(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    """Load one extension from its wheel into an open connection."""
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

    The memory limit comes from ``RONGTONG_MEMORY_LIMIT`` (default 6GB); spilling goes to ``temp_folder``.
    """
    config: dict[str, str | bool | int | float | list[str]] = {
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "memory_limit": os.environ.get("RONGTONG_MEMORY_LIMIT", DEFAULT_MEMORY_LIMIT),
        "threads": threads,
        "preserve_insertion_order": False,
    }
    if temp_folder is not None:
        config["temp_directory"] = str(temp_folder)
    connection = duckdb.connect(str(database), read_only=read_only, config=config)
    for name in extensions:
        load_extension(connection, name)
    if "icu" in set(extensions):
        connection.execute("SET TimeZone = 'Asia/Shanghai'")
    return connection
