"""What is written of Splink's predictions is what Splink says, and no more."""

from __future__ import annotations

from splink import DuckDBAPI, Linker, SettingsCreator, block_on
from splink import comparison_library as cl

from identity.splink_api import NarrowAPI
from warehouse.duck import connect

SETTINGS = SettingsCreator(
    link_type="dedupe_only",
    unique_id_column_name="node",
    comparisons=[cl.ExactMatch("name"), cl.LevenshteinAtThresholds("number", [1, 2])],
    blocking_rules_to_generate_predictions=[block_on("name")],
    retain_matching_columns=True,
    retain_intermediate_calculation_columns=True,
)
LEVELS = ["gamma_name", "mw_name", "gamma_number", "mw_number"]


def test_predictions_are_splinks_own_and_hold_levels_and_weights_alone() -> None:
    with connect() as duck:
        duck.execute(
            """
            CREATE TABLE nodes AS SELECT i AS node, 'name ' || i % 7 AS name, (5000 + i % 13 * 101)::VARCHAR AS number
            FROM range(60) AS t(i);
            CREATE TABLE blocked AS SELECT '0' AS match_key, l.node AS join_key_l, r.node AS join_key_r
            FROM nodes AS l JOIN nodes AS r ON l.node < r.node AND (l.node + r.node) % 3 = 0
            """
        )
        rows = {}
        for api in (DuckDBAPI(duck), NarrowAPI(duck, ["name", "number"])):
            linker = Linker(api.register("nodes"), SETTINGS, log_level=None)
            linker.table_management.register_blocked_pairs_for_predict(api.register("blocked"))
            scored = linker.inference.predict(warning_mode="never")
            columns = [row[0] for row in duck.execute(f"DESCRIBE {scored.physical_name}").fetchall()]
            told = ", ".join(["node_l", "node_r", "match_weight", *LEVELS])
            rows[type(api)] = duck.execute(f"SELECT {told} FROM {scored.physical_name} ORDER BY ALL").fetchall()
    assert columns == ["node_l", "node_r", "match_weight", *LEVELS]
    assert len(rows[NarrowAPI]) > 500
    assert rows[NarrowAPI] == rows[DuckDBAPI]
