"""Great Expectations over our dialect says what its own pandas engine says, for every expectation the suites use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import great_expectations as gx
import pandas as pd
import pytest
from great_expectations.expectations.registry import get_expectation_impl

from expectations.dialect import connection_string
from expectations.rules import NUMBER_OF_A_PERSON, ROWS, rules_of
from warehouse.rooms import ROOMS

# expect_column_type_to_be speaks of the engine's own types, and rules by query have no pandas form.
WITHOUT_PANDAS = {"expect_column_type_to_be", ROWS}

FRAME = pd.DataFrame(
    {
        "id": [f"k{i}" for i in range(12)],
        "word": ["man", "woman", None, "man", "其他", "woman", "", "man", "MAN", "man ", None, "woman"],
        "text": [
            "510104", "51010419300101007X", None, "张**", "13800138000", "a13800138000b", "电话 13800138000。", "",
            "a\nb", "6217003810000000000", "50%", "x_y",
        ],
        "amount": [0.0, -1.0, 1.5, None, 100.0, 1e9, -0.01, 0.01, 3.0, 4.0, None, 5.0],
    }
)  # fmt: skip

CASES: list[tuple[str, dict[str, Any]]] = [
    ("expect_table_row_count_to_be_between", {"min_value": 1}),
    ("expect_table_row_count_to_be_between", {"min_value": 13}),
    ("expect_column_to_exist", {"column": "word"}),
    ("expect_column_to_exist", {"column": "nothing"}),
    ("expect_column_values_to_not_be_null", {"column": "word"}),
    ("expect_column_values_to_not_be_null", {"column": "id"}),
    ("expect_column_values_to_be_in_set", {"column": "word", "value_set": ["man", "woman"]}),
    ("expect_column_values_to_be_in_set", {"column": "word", "value_set": ["man", "woman", "其他", "", "MAN", "man "]}),
    ("expect_column_values_to_match_regex", {"column": "text", "regex": "^[0-9]{6}$"}),
    ("expect_column_values_to_match_regex", {"column": "text", "regex": r"^[^*\s]\*+$"}),
    ("expect_column_values_to_match_regex", {"column": "text", "regex": "0"}),
    ("expect_column_values_to_not_match_regex", {"column": "text", "regex": NUMBER_OF_A_PERSON}),
    ("expect_column_values_to_not_match_regex", {"column": "text", "regex": "%|_"}),
    ("expect_column_values_to_be_between", {"column": "amount", "min_value": 0}),
    ("expect_column_values_to_be_between", {"column": "amount", "min_value": -1, "max_value": 4}),
]


def facts(batch: Any, expectation: str, kwargs: dict[str, Any]) -> dict[str, Any]:
    result = batch.validate(get_expectation_impl(expectation)(**kwargs), result_format="BASIC")
    assert not (result.exception_info or {}).get("raised_exception")
    names = ("element_count", "missing_count", "unexpected_count", "observed_value")
    return {"success": result.success} | {name: result.result.get(name) for name in names}


@pytest.fixture(scope="module")
def batches(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    work_file = tmp_path_factory.mktemp("engine") / "work.duckdb"
    with duckdb.connect(str(work_file)) as connection:
        connection.register("frame", FRAME)
        connection.execute("CREATE SCHEMA golden")
        connection.execute(
            "CREATE TABLE golden.t AS SELECT id, word::VARCHAR AS word, text::VARCHAR AS text,"
            " CASE WHEN NOT isnan(amount) THEN amount END AS amount FROM frame"
        )
    context = gx.get_context(mode="ephemeral")
    address = connection_string(work_file, memory_limit="1GB", temp_folder=work_file.parent)
    ours = context.data_sources.add_sql("ours", connection_string=address).add_table_asset(
        "t", table_name="t", schema_name="golden"
    )
    theirs = context.data_sources.add_pandas("theirs").add_dataframe_asset("t")
    return (
        ours.add_batch_definition_whole_table("all").get_batch(),
        theirs.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": FRAME}),
    )


@pytest.mark.parametrize(("expectation", "kwargs"), CASES, ids=[f"{name} {kwargs}" for name, kwargs in CASES])
def test_our_dialect_agrees_with_pandas(batches: tuple[Any, Any], expectation: str, kwargs: dict[str, Any]) -> None:
    ours, theirs = batches
    assert facts(ours, expectation, kwargs) == facts(theirs, expectation, kwargs)


def test_every_expectation_of_the_suites_is_compared() -> None:
    used = {rule.expectation for room in ROOMS for rule in rules_of(room, room.columns, "2026-01-20", 0)}
    assert used - WITHOUT_PANDAS == {name for name, _ in CASES}


def test_types_are_told_in_the_words_of_the_engine(tmp_path: Path) -> None:
    work_file = tmp_path / "work.duckdb"
    with duckdb.connect(str(work_file)) as connection:
        connection.execute(
            "CREATE TABLE t AS SELECT 1::DECIMAL(12, 2) AS a, ['x'] AS b, '{}'::JSON AS c, now() AS d, today() AS e"
        )
    context = gx.get_context(mode="ephemeral")
    address = connection_string(work_file, memory_limit="1GB", temp_folder=tmp_path)
    batch = (
        context.data_sources.add_sql("types", connection_string=address)
        .add_table_asset("t", table_name="t")
        .add_batch_definition_whole_table("all")
        .get_batch()
    )
    types = {"a": "DECIMAL(12,2)", "b": "VARCHAR[]", "c": "JSON", "d": "TIMESTAMP WITH TIME ZONE", "e": "DATE"}
    implementation = get_expectation_impl("expect_column_type_to_be")
    for column, kind in types.items():
        assert batch.validate(implementation(column=column, type_=kind)).success, column
        assert not batch.validate(implementation(column=column, type_="DECIMAL(14,2)")).success, column
