"""Whoever reads a published table finds every column described, in English and in Chinese, and who uses it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import duckdb
import pytest

from warehouse.rooms import PUBLISHED, RECORDS, ROOMS, Room, rooms_of


@pytest.fixture(scope="module")
def manifest(built_work_file: Path) -> dict[str, Any]:
    said: dict[str, Any] = json.loads((built_work_file.parent / "target" / "manifest.json").read_text(encoding="utf-8"))
    return said


def assert_in_both_languages(description: str, what: str) -> None:
    assert re.search("[A-Za-z]{2,}", description) and re.search("[一-龥]", description), what


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.name)
def test_every_published_column_is_described(
    room: Room, manifest: dict[str, Any], candidate: duckdb.DuckDBPyConnection
) -> None:
    node = manifest["nodes"][f"model.rongtong.{room.name}"]
    assert_in_both_languages(node["description"], room.name)
    for column, *_ in candidate.execute(f"describe {room.relation}").fetchall():
        said = node["columns"].get(column)
        assert said, f"{room.name}.{column} is not described"
        assert_in_both_languages(said["description"], f"{room.name}.{column}")


@pytest.mark.parametrize("table", RECORDS)
def test_the_records_of_publications_are_described(table: str, manifest: dict[str, Any]) -> None:
    node = manifest["sources"][f"source.rongtong.published.{table}"]
    assert set(node["columns"]) == set(RECORDS[table])
    for column, said in node["columns"].items():
        assert_in_both_languages(said["description"], f"{table}.{column}")


def test_every_published_table_has_a_reader(manifest: dict[str, Any]) -> None:
    read = {name for exposure in manifest["exposures"].values() for name in exposure["depends_on"]["nodes"]}
    unread = {room.name for room in rooms_of(PUBLISHED)} - {name.split(".")[-1] for name in read}
    # What a delivery held is read by those who run the pipeline.
    assert unread == {"deliveries"}


def test_metrics_are_declared_over_published_tables(manifest: dict[str, Any]) -> None:
    assert {"benefit_yuan", "benefit_recipients", "leads", "yuan_at_stake"} <= {
        metric["name"] for metric in manifest["metrics"].values()
    }
    published = {room.name for room in rooms_of(PUBLISHED)}
    for model in manifest["semantic_models"].values():
        assert {name.split(".")[-1] for name in model["depends_on"]["nodes"]} <= published
    for metric in manifest["metrics"].values():
        assert_in_both_languages(metric["description"], metric["name"])


@pytest.mark.parametrize(
    ("measure", "time", "indicator", "where"),
    [
        ("benefit_recipients", "benefit_month", "'benefit_recipients.' || benefit", "true"),
        ("benefit_yuan", "benefit_month", "'benefit_yuan.' || benefit", "true"),
        ("assisted_households", "household_month", "'dibao_households'", "benefit like 'dibao%'"),
    ],
)
def test_a_measure_counts_as_the_figures_do(
    measure: str, time: str, indicator: str, where: str, manifest: dict[str, Any], candidate: duckdb.DuckDBPyConnection
) -> None:
    (model, found) = next(
        (model["node_relation"]["alias"], each)
        for model in manifest["semantic_models"].values()
        for each in model["measures"]
        if each["name"] == measure
    )
    agg = {"count_distinct": "count(distinct {})", "sum": "sum({})"}[found["agg"]].format(found["expr"])
    rows = candidate.execute(
        f"""
        with measured as (
            select {indicator} as indicator, {time} as month, cast({agg} as double) as value
            from golden.{model} where {where} group by all
        )
        select count(*), count(*) filter (abs(m.value - k.value) > 0.001)
        from measured as m inner join findings.kpi_monthly as k using (indicator, month)
        where k.managing_district = '510100' and not k.is_suppressed
        """
    ).fetchall()
    assert rows[0][0] > 0
    assert rows[0][1] == 0


def test_handovers_are_held_to_their_contract(manifest: dict[str, Any]) -> None:
    for room in ROOMS:
        if room.name.startswith("handover_"):
            assert manifest["nodes"][f"model.rongtong.{room.name}"]["contract"]["enforced"] is True


def test_what_is_handed_over_names_no_citizen(candidate: duckdb.DuckDBPyConnection) -> None:
    citizens = {row[0] for row in candidate.execute("select citizen_id from golden.citizens").fetchall()}
    known: list[set[str]] = []
    for table in ("handover_microgrid_tasks", "handover_after_death"):
        columns = {row[0] for row in candidate.execute(f"describe handovers.{table}").fetchall()}
        assert not columns & {"citizen_id", "name_masked", "household_key", "source_record_id"}
        rows = candidate.execute(f"select * from handovers.{table}").fetchall()
        assert rows and not citizens & {str(value) for row in rows for value in row}
        known.append({r[0] for r in candidate.execute(f"select person_id from handovers.{table}").fetchall()})
    assert not known[0] & known[1]
    back = candidate.execute("select person_id, citizen_id from handovers.handover_pseudonyms").fetchall()
    assert {person for person, _ in back} == known[0] | known[1]
    assert {citizen for _, citizen in back} <= citizens


def test_nobody_who_is_probably_dead_is_to_be_visited_as_living(candidate: duckdb.DuckDBPyConnection) -> None:
    wrong = candidate.execute(
        "select count(*) from handovers.drawn_microgrid_tasks as t inner join golden.citizens as c using (citizen_id)"
        " where case t.kind when 'weekly_visit' then c.life_status = 'deceased' else c.has_certain_death end"
    ).fetchone()
    assert wrong == (0,)


def test_only_certain_deaths_are_handed_over(candidate: duckdb.DuckDBPyConnection) -> None:
    wrong = candidate.execute(
        "select count(*) from handovers.drawn_after_death_tasks as t inner join golden.citizens as c using (citizen_id)"
        " where not c.has_certain_death"
    ).fetchone()
    assert wrong == (0,)
