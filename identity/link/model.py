"""The model of one table: Splink's settings with our parameters, and what Splink says of pairs of nodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import duckdb

from identity.link.settings import Comparison, Configuration

# Splink weighs a level by m / u and takes both to lie strictly between these.
LEAST = 1e-12


@dataclass(frozen=True)
class Parameters:
    """Shares of matching (m) and of not matching pairs (u) per comparison, best level first, and prior odds in bits."""

    prior_weight: float
    m: dict[str, tuple[float, ...]]
    u: dict[str, tuple[float, ...]]

    @classmethod
    def believed(cls, configuration: Configuration, prior_weight: float) -> Parameters:
        """What the configuration believes before any training."""
        return cls(
            prior_weight,
            {c.name: shares([level.m for level in c.levels]) for c in configuration.comparisons},
            {c.name: shares([level.u for level in c.levels]) for c in configuration.comparisons},
        )


def shares(values: list[float]) -> tuple[float, ...]:
    """The same proportions with sum 1."""
    total = sum(values)
    return tuple(value / total for value in values)


def _splink_comparison(comparison: Comparison, parameters: Parameters) -> Any:
    # Here, because it takes half a second that a command without linking need not wait.
    from splink import comparison_level_library as cll
    from splink import comparison_library as cl

    levels: list[Any] = [cll.CustomLevel(comparison.unknown, "unknown").configure(is_null_level=True)]
    for level, m, u in zip(
        comparison.levels, parameters.m[comparison.name], parameters.u[comparison.name], strict=True
    ):
        made = cll.ElseLevel() if level.when == "ELSE" else cll.CustomLevel(level.when, level.name)
        levels.append(made.configure(m_probability=max(m, LEAST), u_probability=max(u, LEAST)))
    return cl.CustomComparison(levels, output_column_name=comparison.name)


def compare(
    connection: duckdb.DuckDBPyConnection, configuration: Configuration, parameters: Parameters, pairs: str, into: str
) -> None:
    """Let Splink compare the nodes of ``pairs`` (left_node, right_node): table ``into`` with gamma_ and weights."""
    odds = 2**parameters.prior_weight
    from splink import Linker, SettingsCreator, block_on

    from identity.splink_api import NarrowAPI

    settings = SettingsCreator(
        link_type="dedupe_only",
        unique_id_column_name="node",
        comparisons=[_splink_comparison(comparison, parameters) for comparison in configuration.comparisons],
        blocking_rules_to_generate_predictions=[block_on("node")],
        probability_two_random_records_match=odds / (1 + odds),
        # Splink drops the gamma_ columns, too, when the matching columns are not retained.
        retain_matching_columns=True,
        retain_intermediate_calculation_columns=True,
    )
    connection.execute(
        f"CREATE OR REPLACE TABLE blocked AS"
        f" SELECT '0' AS match_key, left_node AS join_key_l, right_node AS join_key_r FROM {pairs}"
    )
    names = [comparison.name for comparison in configuration.comparisons]
    api = NarrowAPI(connection, names)
    linker = Linker(api.register("nodes"), settings, log_level=None)
    linker.table_management.register_blocked_pairs_for_predict(api.register("blocked"))
    scored = linker.inference.predict(warning_mode="never")
    columns = "".join(f", gamma_{name}, mw_{name} AS weight_{name}" for name in names)
    connection.execute(
        f"CREATE OR REPLACE TABLE {into} AS"
        f" SELECT least(node_l, node_r) AS left_node, greatest(node_l, node_r) AS right_node, match_weight{columns}"
        f" FROM {scored.physical_name}"
    )
    connection.execute(f"DROP TABLE IF EXISTS {scored.physical_name}")
    _weigh_rarity(connection, configuration, into)


def _weigh_rarity(connection: duckdb.DuckDBPyConnection, configuration: Configuration, into: str) -> None:
    """Add ``weight_rarity``: how much rarer the agreed values are than agreeing ones on the whole, in bits.

    Also ``is_forbidden``: a veto stands against the link.
    Splink adjusts only levels that are one exact match; here a level names the column on which both agree.
    """
    parts, joins = ["0.0"], []
    columns = sorted({level.rare for c in configuration.comparisons for level in c.levels if level.rare})
    for column in columns:
        connection.execute(
            f"""
            CREATE OR REPLACE TABLE rarity_{column} AS
            WITH counted AS (SELECT {column} AS item, count(*) AS n FROM nodes WHERE {column} IS NOT NULL GROUP BY 1),
            agreeing AS (SELECT sum(n * n) / sum(n) AS typical FROM counted)
            SELECT item, log2(typical / greatest(n, 2)) AS bits FROM counted, agreeing
            """
        )
        joins.append(f"LEFT JOIN rarity_{column} ON rarity_{column}.item = n.{column}")
    for comparison in configuration.comparisons:
        for place, level in enumerate(comparison.levels):
            if level.rare:
                gamma = len(comparison.levels) - 1 - place
                parts.append(f"CASE WHEN gamma_{comparison.name} = {gamma} THEN rarity_{level.rare}.bits ELSE 0 END")
    connection.execute(
        f"""
        CREATE OR REPLACE TABLE {into} AS
        SELECT * REPLACE (round(match_weight + weight_rarity, 6) AS match_weight),
               coalesce({configuration.forbidden()}, false) AS is_forbidden FROM (
            SELECT s.*, {" + ".join(f"coalesce({part}, 0)" for part in parts)} AS weight_rarity
            FROM {into} AS s JOIN nodes AS n ON n.node = s.left_node {" ".join(joins)})
        """
    )
