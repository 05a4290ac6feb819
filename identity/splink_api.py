"""Splink's door to our connection, through which of its predictions only what is read of them is written."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
from splink import DuckDBAPI

PREDICTIONS = "__splink__df_predict"


class NarrowAPI(DuckDBAPI):
    """Splink's own, but for its predictions: of these the pair of nodes, its weight, and of each of ``comparisons`` its
    level (``gamma_``) and weight (``mw_``) are written.

    Splink tells levels only where it may put all that was compared beside every pair, some forty columns, most of them
    lists: to write them takes as long as comparing. Its other tables are left as they are.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, comparisons: Sequence[str]) -> None:
        super().__init__(connection)
        told = [f"gamma_{name}, mw_{name}" for name in comparisons]
        self.columns = ", ".join(["node_l", "node_r", "match_weight", *told])

    def _setup_for_execute_sql(self, sql: str, physical_name: str) -> str:
        if physical_name.startswith(PREDICTIONS):
            sql = f"SELECT {self.columns} FROM (\n{sql}\n)"
        return super()._setup_for_execute_sql(sql, physical_name)
