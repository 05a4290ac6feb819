"""No model may compare the rows of two tables pairwise: a tenth of a city hides what a whole one takes hours for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import duckdb
import pytest
from rebuilt import Model

PAIRWISE = {"BLOCKWISE_NL_JOIN", "NESTED_LOOP_JOIN", "CROSS_PRODUCT", "IE_JOIN", "PIECEWISE_MERGE_JOIN"}
# What a side of few rows is made of: one row of a threshold, a line of months or weeks, nothing at all.
FEW = {"UNGROUPED_AGGREGATE", "UNNEST", "DUMMY_SCAN", "EMPTY_RESULT", "DELIM_SCAN"}


def steps(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("children", []):
        yield from steps(child)


def is_few(side: dict[str, Any]) -> bool:
    """Whether one side of a join is of few rows, whatever the size of the city."""
    while True:
        name = side["name"].strip()
        if name in FEW:
            return True
        if name == "CTE_SCAN":
            return str(side["extra_info"]["Estimated Cardinality"]) == "1"
        if len(side.get("children", [])) != 1:
            return False
        side = side["children"][0]


def pairwise_joins(connection: duckdb.DuckDBPyConnection, sql: str) -> list[str]:
    """The conditions by which a statement compares two tables row by row."""
    rows = connection.execute(f"explain (format json) {sql}").fetchall()
    return [
        str(step["extra_info"])
        for plan in json.loads(rows[0][1])
        for step in steps(plan)
        if step["name"].strip() in PAIRWISE and not any(is_few(side) for side in step["children"])
    ]


def test_no_model_compares_everybody_with_everybody(city: duckdb.DuckDBPyConnection, models: list[Model]) -> None:
    assert len(models) > 40
    found = {model.relation: pairwise_joins(city, model.sql) for model in models}
    assert {relation: joins for relation, joins in found.items() if joins} == {}


@pytest.mark.parametrize(
    "condition",
    [
        "a.mention_key = b.mention_key and not a.is_withdrawn",
        "a.mention_key = b.mention_key or a.source_record_id = b.source_record_id",
    ],
    ids=["a condition on the one side beside the key of an outer join", "one of two keys"],
)
def test_a_join_of_everybody_with_everybody_is_found(city: duckdb.DuckDBPyConnection, condition: str) -> None:
    mentions = "intermediate.int_mentions__unioned"
    assert pairwise_joins(city, f"select * from {mentions} as a left join {mentions} as b on {condition}") != []


@pytest.fixture(scope="module")
def city(built_work_file: Any) -> Iterator[duckdb.DuckDBPyConnection]:
    """The city of all cases, built, in the name under which compiled models know it."""
    with duckdb.connect() as connection:
        connection.execute(f"attach '{built_work_file}' as work (read_only)")
        connection.execute("use work")
        yield connection
