"""Splink's door to our connection, through which of its predictions only what is read of them is written."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
from splink import DuckDBAPI

PREDICTIONS = "__splink__df_predict"


def gammas_and_weights(comparisons: Sequence[str]) -> str:
    """SQL: of Splink's predictions, the level (``gamma_``) and the weight (``mw_``) of each of these comparisons."""
    return ", ".join(f"gamma_{name}, mw_{name}" for name in comparisons)


class NarrowAPI(DuckDBAPI):
    """Splink's own, but for its predictions: of these the pair of nodes, its weight, and its levels are written.

    Splink tells levels only where it may put all that was compared beside every pair, some forty columns, most of them
    lists: to write them takes as long as comparing. Its other tables are left as they are.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, comparisons: Sequence[str]) -> None:
        super().__init__(connection)
        self.columns = f"node_l, node_r, match_weight, {gammas_and_weights(comparisons)}"

    def _setup_for_execute_sql(self, sql: str, physical_name: str) -> str:
        if physical_name.startswith(PREDICTIONS):
            sql = f"SELECT {self.columns} FROM (\n{sql}\n)"
        return super()._setup_for_execute_sql(sql, physical_name)
