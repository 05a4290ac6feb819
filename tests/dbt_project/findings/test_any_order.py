"""Records arrive as they like: in any order, in any split over deliveries and runs, and a death may be reversed.

The city is that of all case books: every rule fires in it, and every lawful exception stands beside it. Order, splits
and reversals are drawn; the claims are about whole tables.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from rebuilt import Model, city_of, differences, publish, rebuild

SEEDS = st.integers(min_value=0, max_value=2**31)
ARRIVALS = 3
FEW, MANY = 1, 30
# What each run tells of itself, and the id, which says when a lead was first seen.
OF_THE_RUN = "finding_id, first_seen_run, last_seen_run"
# Records of the sources, as the shapes carry them.
RECORD_SHAPES = (
    "mentions", "events", "payments", "household_months", "household_members", "bed_stays", "care_visits",
    "care_registrations", "declarations",
)  # fmt: skip
RECORD = "source_system || '/' || source_table || '/' || source_record_id"
# Leads that go on, each with the other alone, and bear another id than in the run before.
RENAMED = """(
    select now.finding_id, before.finding_id as id_before from findings.findings as now
    inner join history.findings as before
        on now.rule = before.rule
        and coalesce(now.citizen_id, now.household_key) = coalesce(before.citizen_id, before.household_key)
        and now.period_from <= before.period_to and before.period_from <= now.period_to
    where now.is_holding and before.is_holding
    qualify count(*) over (partition by now.finding_id) = 1 and count(*) over (partition by before.finding_id) = 1
) where finding_id <> id_before"""
DEATHS = "(select source_record_id from reversed)"
# Where a reversed death could still be told.
AFTERMATH = {
    "golden.citizen_events": f"source_record_id in {DEATHS} and event_type in ('death', 'cremation')",
    "golden.citizen_marital_states": f"source_record_id in {DEATHS} and marital_status = 'widowed'",
    "findings.finding_evidence": f"source_record_id in {DEATHS}",
    "intermediate.int_deaths__judged": f"source_record_id in {DEATHS}",
}
# Everything that somebody outside reads, and what hand-overs are drawn from.
CONSEQUENCES = (
    "golden.citizens", "golden.citizen_events", "golden.citizen_relationships", "golden.citizen_marital_states",
    "golden.benefit_months", "golden.households", "golden.household_members", "golden.bed_stays", "golden.care_visits",
    "golden.payment_reconciliation", "findings.findings", "findings.kpi_monthly", "handovers.drawn_microgrid_tasks",
    "handovers.drawn_after_death_tasks", "handovers.handover_city_aggregates",
)  # fmt: skip


def histories(examples: int) -> settings:
    """How many are lived through; a seed has nothing to shrink."""
    return settings(
        max_examples=examples,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.reuse, Phase.generate],
    )


few_and_many = pytest.mark.parametrize(
    "examples", [pytest.param(FEW, id="few"), pytest.param(MANY, id="many", marks=pytest.mark.heavy)]
)


@pytest.fixture(scope="module")
def city(built_work_file: Path, models: list[Model]) -> Iterator[duckdb.DuckDBPyConnection]:
    """Everything arrived at once, in the order of the books: ``once`` keeps what came, ``plain`` what was built."""
    with city_of(built_work_file) as connection:
        connection.execute("create schema once")
        for shape in shapes_of(connection):
            connection.execute(f"create table once.{shape} as from staging.stg_city__{shape}")
        for table in ("mention_links", "citizens"):
            connection.execute(f"create table once.{table} as from identity.{table}")
        forget(connection)
        rebuild(connection, models)
        keep(connection, "plain")
        yield connection


def shapes_of(city: duckdb.DuckDBPyConnection) -> list[str]:
    rows = city.execute("select table_name from duckdb_tables() where schema_name = 'staging' order by 1").fetchall()
    return [str(row[0]).removeprefix("stg_city__") for row in rows]


def give(city: duckdb.DuckDBPyConnection, seed: int, arrivals: int = ARRIVALS) -> None:
    """The records of the first arrivals in an order of the seed; all rows of one record arrive together."""
    order = f"order by hash(rowid, {seed})"
    for shape in shapes_of(city):
        come = f"hash({RECORD}, {seed}) % {ARRIVALS} < {arrivals}" if shape in RECORD_SHAPES else "true"
        city.execute(
            f"create or replace table staging.stg_city__{shape} as select * from once.{shape} where {come} {order}"
        )
    there = "in (select mention_key from staging.stg_city__mentions)"
    city.execute(f"delete from staging.stg_city__relations where not mention_key {there}")
    city.execute(
        f"create or replace table identity.mention_links as select * from once.mention_links"
        f" where mention_key {there} {order}"
    )
    city.execute(
        "create or replace table identity.citizens as select * from once.citizens"
        f" where citizen_id in (select citizen_id from identity.mention_links) {order}"
    )


def forget(city: duckdb.DuckDBPyConnection) -> None:
    """No run before, nothing decided."""
    for table in ("findings", "decisions", "deliveries"):
        city.execute(f"delete from history.{table}")


def keep(city: duckdb.DuckDBPyConnection, schema: str) -> None:
    """Copy what was built, to be compared with later."""
    city.execute(f"create schema if not exists {schema}")
    for table in CONSEQUENCES:
        city.execute(f"create or replace table {schema}.{table.replace('.', '__')} as from {table}")


def unlike(city: duckdb.DuckDBPyConnection, kept: str) -> list[str]:
    """The tables that differ from those kept."""
    return [table for table in CONSEQUENCES if differences(city, table, f"{kept}.{table.replace('.', '__')}")]


def count(city: duckdb.DuckDBPyConnection, rows: str) -> int:
    row = city.execute(f"select count(*) from {rows}").fetchone()
    assert row is not None
    return int(row[0])


@few_and_many
def test_records_in_any_order_and_any_split_over_deliveries_give_the_same_city(
    examples: int, city: duckdb.DuckDBPyConnection, models: list[Model]
) -> None:
    @histories(examples)
    @given(seed=SEEDS)
    def live(seed: int) -> None:
        forget(city)
        give(city, seed)
        # Which delivery brought a record says nothing about the life it speaks of.
        city.execute(
            "update staging.stg_city__mentions set delivery_id ="
            f" case when hash(record_key, {seed}) % 2 = 0 then 'delivery-1' else 'delivery-2' end"
        )
        rebuild(city, models)
        assert unlike(city, "plain") == []

    live()


@few_and_many
def test_leads_are_the_same_however_records_are_spread_over_runs(
    examples: int, city: duckdb.DuckDBPyConnection, models: list[Model]
) -> None:
    @histories(examples)
    @given(seed=SEEDS)
    def live(seed: int) -> None:
        forget(city)
        for arrivals in range(1, ARRIVALS + 1):
            give(city, seed, arrivals)
            rebuild(city, models, f"run-{arrivals + 2}")
            assert count(city, RENAMED) == 0
            assert count(city, "(select finding_id from findings.findings group by 1 having count(*) > 1)") == 0
            publish(city)
        held = "(select * from findings.findings where is_holding)"
        assert differences(city, held, "plain.findings__findings", OF_THE_RUN) == 0
        rebuild(city, models, "run-9")
        assert differences(city, "findings.findings", "history.findings") == 0

    live()


@few_and_many
def test_a_reversed_death_undoes_every_consequence_and_one_restored_brings_it_back(
    examples: int, city: duckdb.DuckDBPyConnection, models: list[Model]
) -> None:
    @histories(examples)
    @given(seed=SEEDS)
    def live(seed: int) -> None:
        forget(city)
        give(city, seed)
        city.execute(
            "create or replace temp table reversed as select distinct mention_key, source_record_id from once.events"
            f" where event_type in ('death', 'cremation') and hash(source_record_id, {seed}) % 2 = 0"
        )
        assert count(city, "reversed") > 0
        ours = "source_record_id in (select source_record_id from reversed) and source_table = 'certificates'"
        city.execute(f"update staging.stg_city__mentions set is_withdrawn = true where {ours}")
        # As if nobody had ever said so, but for the record that says it was void.
        city.execute(f"delete from staging.stg_city__events where {ours}")
        of_death = "mention_key in (select mention_key from reversed)"
        city.execute(f"delete from staging.stg_city__relations where {of_death}")
        rebuild(city, models)
        keep(city, "never")

        void_the_deaths(city, seed, ours, of_death)
        rebuild(city, models)
        assert unlike(city, "never") == []
        assert [table for table in AFTERMATH if count(city, f"{table} where {AFTERMATH[table]}")] == []

        # The same as a story of three runs.
        give(city, seed)
        rebuild(city, models)
        publish(city)
        void_the_deaths(city, seed, ours, of_death)
        rebuild(city, models, "run-3")
        held = "(select * from findings.findings where is_holding)"
        assert differences(city, held, "never.findings__findings", OF_THE_RUN) == 0
        publish(city)
        give(city, seed)
        rebuild(city, models, "run-4")
        assert differences(city, held, "plain.findings__findings", "last_seen_run") == 0

    live()


def void_the_deaths(city: duckdb.DuckDBPyConnection, seed: int, ours: str, of_death: str) -> None:
    give(city, seed)
    for shape in ("mentions", "events"):
        city.execute(f"update staging.stg_city__{shape} set is_withdrawn = true where {ours}")
    city.execute(f"update staging.stg_city__relations set is_withdrawn = true where {of_death}")
