"""A dbt-duckdb plugin: the SQL function ``recipient_pseudonym(recipient, citizen_id)`` for the models of hand-overs."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import duckdb
import pyarrow as pa
from dbt.adapters.duckdb.plugins import BasePlugin
from duckdb.func import ARROW

from warehouse.pseudonym import FOLDER_VARIABLE, pseudonym, recipient_key


@cache
def _key(recipient: str) -> bytes:
    folder = os.environ.get(FOLDER_VARIABLE)
    return recipient_key(recipient, None if folder is None else Path(folder))


def _pseudonyms(recipients: pa.ChunkedArray, citizens: pa.ChunkedArray) -> pa.Array:
    pairs = zip(recipients.to_pylist(), citizens.to_pylist(), strict=True)
    # SM3 is in no engine: each id is hashed by itself.
    return pa.array([pseudonym(_key(recipient), citizen) for recipient, citizen in pairs], pa.string())


class Plugin(BasePlugin):
    """Registers the function on every connection; a key is looked for when the function is first used."""

    def configure_connection(self, conn: duckdb.DuckDBPyConnection) -> None:
        conn.create_function("recipient_pseudonym", _pseudonyms, ["VARCHAR", "VARCHAR"], "VARCHAR", type=ARROW)
