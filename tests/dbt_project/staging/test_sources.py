"""Each source's records, staged by dbt: who is named, what happened, what was paid."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from jinja2 import Environment

from ingest.landing import create_views
from warehouse.duck import connect
from warehouse.home import Home

Row = Callable[[str, str], dict[str, Any]]
SHAPES_FILE = Path(__file__).resolve().parents[3] / "dbt_project" / "macros" / "staged_shapes.sql"


def declared_shapes() -> dict[str, dict[str, str]]:
    """The shapes as their macro returns them."""
    kept: list[dict[str, dict[str, str]]] = []
    environment = Environment()
    environment.globals["return"] = lambda value: kept.append(value) or ""  # type: ignore[func-returns-value]
    environment.from_string(SHAPES_FILE.read_text(encoding="utf-8") + "{{ staged_shapes() }}").render()
    return kept[0]


def count(connection: duckdb.DuckDBPyConnection, table: str, condition: str) -> int:
    """How many rows of a staging table meet a condition."""
    found = connection.execute(f"select count(*) from staging.{table} where {condition}").fetchone()
    assert found is not None
    return int(found[0])


def test_every_shape_has_exactly_its_declared_columns(staged: duckdb.DuckDBPyConnection) -> None:
    shapes = declared_shapes()
    tables = staged.execute(
        "select table_name, list(column_name order by ordinal_position) from information_schema.columns"
        " where table_schema = 'staging' group by table_name"
    ).fetchall()
    offered = {name: columns for name, columns in tables if name.split("__")[1] in shapes}
    assert {name.split("__")[1] for name in offered} == set(shapes), "every shape is offered by some source"
    for name, columns in offered.items():
        assert columns == list(shapes[name.split("__")[1]]), name


def test_a_mention_key_is_made_of_where_the_mention_stands(staged: duckdb.DuckDBPyConnection) -> None:
    union = " union all ".join(
        f"select mention_key, record_key, source_system, source_table, source_record_id, role from staging.{table}"
        for (table,) in staged.execute(
            "select table_name from duckdb_tables() where table_name similar to 'stg_[a-z]+__mentions'"
        ).fetchall()
    )
    wrong = staged.execute(
        f"select * from ({union}) where record_key <> source_system || '/' || source_table || '/' || source_record_id"
        " or mention_key <> record_key || '/' || role"
    ).fetchall()
    assert wrong == []


# Marriage registration


def test_a_registration_names_a_man_and_a_woman(row: Row) -> None:
    man = row("stg_marriage__mentions", "mention_key = 'marriage/registration/1/man'")
    assert (man["raw_name"], man["name"], man["sex"]) == ("张　三", "张三", "male")
    assert (man["id_no"], man["birth_date"], man["birth_date_precision"]) == (
        "11010519491231002X",
        date(1949, 12, 31),
        "day",
    )
    assert man["phones"] == ["02885551234", "13800001111"]
    assert (man["address"], man["hukou_district"]) == ("双流县东升镇1号", "510116")
    assert man["said_on"] == date(2022, 5, 20)
    woman = row("stg_marriage__mentions", "mention_key = 'marriage/registration/1/woman'")
    assert (woman["name"], woman["sex"], woman["other_document_no"]) == ("玛丽·史密斯", "female", "E1234567")


@pytest.mark.parametrize(
    ("record", "event_type", "act_code"),
    [
        (1, "marriage", "IA"),
        (2, "divorce", "IB"),
        (3, "certificate_reissue", "ICA"),
        (4, "certificate_reissue", "ICB"),
        (5, "annulment", "IX"),
    ],
)
def test_an_act_is_one_event_of_each_party(row: Row, record: int, event_type: str, act_code: str) -> None:
    for party, partner in (("man", "woman"), ("woman", "man")):
        event = row("stg_marriage__events", f"mention_key = 'marriage/registration/{record}/{party}'")
        assert (event["event_type"], event["act_code"]) == (event_type, act_code)
        assert event["partner_mention_key"] == f"marriage/registration/{record}/{partner}"


def test_certificate_numbers_compare_across_widths_and_cases(row: Row) -> None:
    marriage = row("stg_marriage__events", "mention_key = 'marriage/registration/1/man'")
    divorce = row("stg_marriage__events", "mention_key = 'marriage/registration/2/man'")
    assert marriage["certificate_no"] == divorce["refers_to_no"] == "J510104-2022-000123"


def test_an_office_is_known_by_its_code_of_today_and_a_zone_by_its_own(row: Row) -> None:
    assert row("stg_marriage__events", "mention_key = 'marriage/registration/1/man'")["office_district"] == "510116"
    assert row("stg_marriage__events", "mention_key = 'marriage/registration/3/man'")["office_district"] == "510109"


def test_an_act_without_a_day_stays_an_event_without_a_day(row: Row) -> None:
    event = row("stg_marriage__events", "mention_key = 'marriage/registration/3/man'")
    assert (event["event_date"], event["date_precision"]) == (None, None)


def test_the_status_before_an_act_speaks_of_the_day_before(row: Row) -> None:
    said = row("stg_marriage__declarations", "mention_key = 'marriage/registration/1/woman'")
    assert (said["attribute"], said["value"], said["said_on"]) == ("marital_status", "40", date(2022, 5, 19))


# Funerals


def test_a_certificate_names_the_deceased_and_the_handler(row: Row) -> None:
    deceased = row("stg_funeral__mentions", "mention_key = 'funeral/cremations/A-1/deceased'")
    assert (deceased["id_no"], deceased["id_no_status"]) == ("510102193907120214", "valid_15")
    assert (deceased["birth_date"], deceased["birth_date_precision"]) == (date(1939, 7, 1), "month")
    assert (deceased["hukou_district"], deceased["said_on"]) == ("510117", date(2022, 3, 6))
    handler = row("stg_funeral__mentions", "mention_key = 'funeral/cremations/A-1/handler'")
    assert (handler["name"], handler["phones"], handler["damaged_id_no"]) == (
        "赵小六",
        ["13900002222"],
        "510102196507120211",
    )


def test_a_telephone_alone_names_no_handler(staged: duckdb.DuckDBPyConnection) -> None:
    assert count(staged, "stg_funeral__mentions", "mention_key like '%A-2/handler'") == 0


def test_a_void_certificate_withdraws_its_mentions_and_events(row: Row) -> None:
    assert row("stg_funeral__mentions", "mention_key = 'funeral/cremations/A-2/deceased'")["is_withdrawn"] is True
    assert row("stg_funeral__events", "mention_key = 'funeral/cremations/A-2/deceased'")["is_withdrawn"] is True


def test_a_death_is_as_precise_as_its_date(row: Row) -> None:
    full = row("stg_funeral__events", "mention_key = 'funeral/cremations/A-1/deceased' and event_type = 'death'")
    assert (full["event_date"], full["date_precision"]) == (date(2022, 3, 4), "day")
    month = row("stg_funeral__events", "mention_key = 'funeral/cremations/A-2/deceased' and event_type = 'death'")
    assert (month["event_date"], month["date_precision"]) == (date(2022, 3, 1), "month")
    unknown = row("stg_funeral__events", "mention_key = 'funeral/cremations/A-3/deceased' and event_type = 'death'")
    assert (unknown["event_date"], unknown["date_precision"]) == (None, None)


def test_a_cremation_is_an_event_of_its_own(row: Row, staged: duckdb.DuckDBPyConnection) -> None:
    cremation = row(
        "stg_funeral__events", "mention_key = 'funeral/cremations/A-1/deceased' and event_type = 'cremation'"
    )
    assert cremation["event_date"] == date(2022, 3, 6)
    assert json.loads(cremation["attributes"]) == {
        "facility_code": "F1", "death_certificate_kind": "medical", "fee_relief_yuan": 1160.0, "is_green_burial": True,
    }  # fmt: skip
    without_a_date = "mention_key like '%A-2/deceased' and event_type = 'cremation'"
    assert count(staged, "stg_funeral__events", without_a_date) == 0


def test_the_handler_is_the_relation_of_the_deceased(row: Row) -> None:
    son = row("stg_funeral__relations", "mention_key = 'funeral/cremations/A-1/deceased'")
    assert (son["related_mention_key"], son["relation"]) == ("funeral/cremations/A-1/handler", "child")
    daughter_in_law = row("stg_funeral__relations", "mention_key = 'funeral/cremations/A-3/deceased'")
    assert daughter_in_law["relation"] == "contact"


# Allowances


def test_a_household_row_names_its_head(row: Row) -> None:
    head = row("stg_allowance__mentions", "role = 'head'")
    assert head["mention_key"] == "allowance/household/510104/202203/household/1/2/head"
    assert (head["raw_id_no"], head["id_no"]) == ("'510102193907120214", "510102193907120214")
    assert (head["household_key"], head["managing_district"], head["said_on"]) == (
        "510104/H-1",
        "510104",
        date(2022, 3, 1),
    )
    month = row("stg_allowance__household_months", "true")
    assert (month["mention_key"], month["household_month"]) == (head["mention_key"], date(2022, 3, 1))
    assert (month["benefit"], month["mode"], month["insured_count"]) == ("dibao_urban", "whole_household", 2)


def test_a_members_number_that_a_spreadsheet_cut_is_null_and_the_certificate_still_speaks(row: Row) -> None:
    member = row("stg_allowance__mentions", "source_record_id = '510104/202203/member/1/2'")
    assert (member["raw_id_no"], member["id_no"], member["id_no_status"]) == ("5.10102E+17", None, "excel_damaged")
    assert (member["damaged_id_no"], member["certificate_id_no"]) == (None, "510102193907120214")


def test_a_member_row_keeps_its_relation_and_whether_it_is_insured(row: Row) -> None:
    son = row("stg_allowance__household_members", "source_record_id = '510104/202203/member/1/3'")
    assert (son["household_key"], son["relation"], son["is_insured"]) == ("510104/H-1", "son", False)


def test_a_declared_marital_status_is_said_in_its_month(row: Row) -> None:
    said = row("stg_allowance__declarations", "true")
    assert (said["value"], said["said_on"]) == ("20", date(2022, 3, 1))


def test_a_benefit_of_a_person_has_no_household(row: Row) -> None:
    payment = row("stg_allowance__payments", "payment_no = 'P1'")
    assert (payment["household_key"], payment["month_count"], payment["is_failed"]) == (None, 1, False)
    assert (payment["mention_key"], payment["paid_on"]) == ("allowance/payment/510104/2022/P1/payee", date(2022, 4, 10))
    payee = row("stg_allowance__mentions", "mention_key = 'allowance/payment/510104/2022/P1/payee'")
    assert (payee["bank_account"], payee["said_on"], payee["id_no_status"]) == (
        "6217000012345678",
        date(2022, 4, 10),
        "empty",
    )


def test_a_failed_payment_stays_and_is_marked(row: Row) -> None:
    payment = row("stg_allowance__payments", "payment_no = 'P2'")
    assert (payment["household_key"], payment["month_count"], payment["is_failed"]) == ("510104/H-1", 3, True)
    assert payment["amount_yuan"] == Decimal("2100.00")
    payee = row("stg_allowance__mentions", "mention_key = 'allowance/payment/510104/2022/P2/payee'")
    assert (payee["bank_account"], payee["said_on"]) == (None, date(2022, 3, 1))


# Elderly care


def test_an_elder_carries_both_districts(row: Row) -> None:
    elder = row("stg_eldercare__mentions", "mention_key = 'eldercare/elder/7/elder'")
    assert (elder["hukou_district"], elder["managing_district"]) == ("510116", "510171")
    assert (elder["id_no"], elder["sex"], elder["phones"]) == ("11010519491231002X", "female", ["13800001111"])
    registration = row("stg_eldercare__care_registrations", "source_record_id = '7'")
    assert (registration["is_key_target"], registration["is_living_alone"], registration["status"]) == (
        True,
        True,
        "active",
    )
    assert (registration["hukou_district"], registration["managing_district"]) == ("510116", "510171")


def test_the_day_of_an_instant_is_the_day_in_shanghai(row: Row) -> None:
    elder = row("stg_eldercare__mentions", "mention_key = 'eldercare/elder/7/elder'")
    assert elder["seen_at"].astimezone(UTC) == datetime(2022, 6, 30, 23, 30, tzinfo=UTC)
    assert elder["said_on"] == date(2022, 7, 1)


def test_a_named_contact_is_a_mention_and_a_relation_and_a_telephone_alone_is_none(row: Row) -> None:
    contact = row("stg_eldercare__mentions", "role = 'contact'")
    assert (contact["mention_key"], contact["phones"]) == ("eldercare/elder/7/contact", ["13700003333"])
    relation = row("stg_eldercare__relations", "true")
    assert (relation["mention_key"], relation["relation"]) == ("eldercare/elder/7/elder", "child")


def test_a_deleted_elder_is_withdrawn(row: Row) -> None:
    assert row("stg_eldercare__mentions", "mention_key = 'eldercare/elder/8/elder'")["is_withdrawn"] is True


def test_a_stay_and_a_visit_point_to_the_elders_mention(row: Row) -> None:
    stay = row("stg_eldercare__bed_stays", "source_record_id = '11'")
    assert (stay["mention_key"], stay["checked_out_on"]) == ("eldercare/elder/7/elder", None)
    visit = row("stg_eldercare__care_visits", "source_record_id = '21'")
    assert (visit["mention_key"], visit["entered_at"]) == ("eldercare/elder/7/elder", datetime(2022, 2, 20, 0, 30))


def test_an_open_stay_has_no_check_out(staged: duckdb.DuckDBPyConnection) -> None:
    found = staged.execute(
        "select source_record_id, event_type, event_date from staging.stg_eldercare__events"
        " where source_table = 'bed_stay' order by all"
    ).fetchall()
    assert found == [
        ("11", "bed_check_in", date(2022, 1, 5)),
        ("12", "bed_check_in", date(2022, 1, 5)),
        ("12", "bed_check_out", date(2022, 2, 1)),
    ]


def test_an_assessment_names_its_standard(row: Row) -> None:
    event = row("stg_eldercare__events", "event_type = 'assessment'")
    assert json.loads(event["attributes"])["standard"] == "GB/T 42195-2022"


def test_a_status_of_deceased_is_a_hint_and_no_death(staged: duckdb.DuckDBPyConnection) -> None:
    hints = staged.execute(
        "select source_table, value, said_on from staging.stg_eldercare__declarations order by all"
    ).fetchall()
    assert hints == [("bed_stay", "deceased", date(2022, 2, 1)), ("elder", "deceased", date(2022, 7, 1))]
    assert count(staged, "stg_eldercare__events", "event_type = 'death'") == 0


# The room as a whole


def test_the_invented_landing_is_laid_out_as_the_real_one(staged: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    columns = (
        "select table_name, column_name, data_type from information_schema.columns"
        " where table_schema = 'landing' and table_name similar to '(marriage|funeral|allowance|eldercare)__.*'"
        " order by all"
    )
    with connect(tmp_path / "work.duckdb", extensions=["icu", "json"]) as connection:
        create_views(connection, Home(tmp_path / "home"))
        assert staged.execute(columns).fetchall() == connection.execute(columns).fetchall()


@pytest.fixture
def scratch_copy(staging_room: Any, tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A copy of the staged work file, to change."""
    copy = tmp_path / staging_room.work_file.name
    shutil.copy(staging_room.work_file, copy)
    with duckdb.connect(str(copy)) as connection:
        yield connection


def test_a_source_that_never_landed_gives_empty_shapes(
    staging_room: Any, scratch_copy: duckdb.DuckDBPyConnection
) -> None:
    tables = scratch_copy.execute("select table_name from duckdb_tables() where schema_name = 'landing'").fetchall()
    for (table,) in tables:
        scratch_copy.execute(f"delete from landing.{table}")
    models = scratch_copy.execute("select table_name from duckdb_tables() where schema_name = 'staging'").fetchall()
    # Models build on each other through tables: emptied first, they show what each gives for nothing.
    for (model,) in models:
        scratch_copy.execute(f"delete from staging.{model}")
    for (model,) in models:
        assert scratch_copy.execute(staging_room.compiled(model)).fetchall() == [], model


def test_a_lost_record_stops_the_run(staging_room: Any, scratch_copy: duckdb.DuckDBPyConnection) -> None:
    check = staging_room.compiled("conserves_records_stg_funeral__mentions_funeral__cremations")
    assert scratch_copy.execute(check).fetchall() == []
    scratch_copy.execute("delete from staging.stg_funeral__mentions where source_record_id = 'A-2'")
    assert [lost[0] for lost in scratch_copy.execute(check).fetchall()] == ["A-2"]


def test_every_model_starts_by_saying_its_grain(staging_room: Any) -> None:
    models = sorted((SHAPES_FILE.parents[1] / "models" / "staging").rglob("*.sql"))
    assert models
    assert [model.name for model in models if not re.match(r"-- One row per ", model.read_text(encoding="utf-8"))] == []
