"""Invented landing tables for the staging room, and one dbt run over them for every test of this folder."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
import yaml

DBT_PROJECT = Path(__file__).resolve().parents[3] / "dbt_project"
RECORDS = Path(__file__).with_name("records.yml")
# A fifth source that exists only here: its one table has a column for every text that staging standardises.
FORMS = Path(__file__).with_name("forms")
FORM_FIELDS = (
    "name", "id_no", "document_type", "certificate", "birth", "sex", "phone", "address", "hukou", "hukou_address",
    "managing", "account",
)  # fmt: skip

# The columns that landing promises, by entity: the owner's layout, then the provenance of every row.
LAYOUTS: dict[str, dict[str, str]] = {
    "marriage__registration": {
        "id": "bigint", "op_type": "varchar", "op_date": "date", "cert_no": "varchar", "dept_code": "varchar",
        "dept_name": "varchar",
        **{
            f"{field}_{party}": "varchar"
            for party in ("man", "woman")
            for field in ("name", "cert_type", "cert_num", "birth", "nation", "folk", "reg_addr", "phone", "marital")
        },
        "ref_cert_no": "varchar", "remark": "varchar", "created_at": "timestamptz", "updated_at": "timestamptz",
    },
    "funeral__cremations": {
        "cert_id": "varchar", "status": "varchar", "facility_code": "varchar", "facility_name": "varchar",
        "deceased_name": "varchar", "deceased_id_type": "varchar", "deceased_id_no": "varchar",
        "deceased_sex": "varchar", "deceased_birth_date": "varchar", "deceased_age": "varchar",
        "deceased_hukou_address": "varchar", "deceased_hukou_district": "varchar", "death_date": "varchar",
        "death_cert_no": "varchar", "death_cert_kind": "varchar", "cremation_date": "varchar",
        "handler_name": "varchar", "handler_id_no": "varchar", "handler_phone": "varchar",
        "handler_relation": "varchar", "fee_relief": "decimal(12,2)", "green_burial": "boolean",
        "updated_at": "timestamptz",
    },
    "allowance__household": {
        "household_no": "varchar", "benefit": "varchar", "mode": "varchar", "head_name": "varchar",
        "head_id_no": "varchar", "insured_count": "bigint", "approved_from": "date", "address": "varchar",
        "phone": "varchar",
    },
    "allowance__member": {
        "household_no": "varchar", "name": "varchar", "id_no": "varchar", "relation": "varchar", "marital": "varchar",
        "insured": "boolean", "disability_cert_no": "varchar",
    },
    "allowance__payment": {
        "payment_no": "varchar", "benefit": "varchar", "household_no": "varchar", "payee_name": "varchar",
        "payee_id_no": "varchar", "bank_account": "varchar", "period_from": "date", "months": "bigint",
        "amount": "decimal(12,2)", "paid_on": "date", "status": "varchar",
    },
    "eldercare__elder": {
        "id": "bigint", "full_name": "varchar", "id_card": "varchar", "gender": "varchar", "birthday": "date",
        "phone": "varchar", "hukou_district": "varchar", "live_district": "varchar", "live_address": "varchar",
        "living_alone": "bigint", "key_target": "bigint", "contact_name": "varchar", "contact_phone": "varchar",
        "contact_relation": "varchar", "status": "varchar", "is_deleted": "bigint", "updated_at": "timestamptz",
    },
    "eldercare__ability_assessment": {
        "id": "bigint", "elder_id": "bigint", "standard": "varchar", "total_score": "bigint", "level": "bigint",
        "assessed_on": "date", "valid_until": "date", "is_deleted": "bigint", "updated_at": "timestamptz",
    },
    "eldercare__institution": {
        "id": "bigint", "name": "varchar", "uscc": "varchar", "district": "varchar", "licensed_beds": "bigint",
        "ownership": "varchar", "is_deleted": "bigint", "updated_at": "timestamptz",
    },
    "eldercare__bed_stay": {
        "id": "bigint", "elder_id": "bigint", "institution_id": "bigint", "checked_in_on": "date",
        "checked_out_on": "date", "checkout_reason": "varchar", "subsidy_month_yuan": "decimal(10,2)",
        "is_deleted": "bigint", "updated_at": "timestamptz",
    },
    "eldercare__care_visit": {
        "id": "bigint", "elder_id": "bigint", "visited_on": "date", "kind": "varchar", "worker_code": "varchar",
        "subsidy_yuan": "decimal(10,2)", "entered_at": "timestamptz", "is_deleted": "bigint",
        "updated_at": "timestamptz",
    },
}  # fmt: skip
PROVENANCE = {
    "_source_record_id": "varchar", "_delivery_id": "varchar", "_position": "varchar", "_row_hash": "varchar",
    "_landed_at": "timestamptz", "_notices": "varchar",
}  # fmt: skip
FILE_PROVENANCE = {
    "_district": "varchar", "_month": "varchar", "_kind": "varchar", "_version": "integer", "_sheet": "integer",
    "_row": "integer",
}  # fmt: skip
WHAT_BECAME_OF_ROWS = {
    "deliveries": "delivery_id varchar, source_system varchar, entity varchar, district varchar,"
    " delivered_month varchar, version integer, state varchar, rows_read bigint, rows_accepted bigint,"
    " rows_quarantined bigint,"
    " rows_superseded bigint, rows_duplicate bigint, control_rows bigint, control_sum decimal(18, 2),"
    " received_at timestamptz",
    "quarantine": "source_system varchar, entity varchar, delivery_id varchar, row_json varchar",
}
DEFAULTS: dict[str, dict[str, Any]] = {
    "marriage__registration": {
        "op_type": "IA", "op_date": "2022-05-20", "dept_code": "510104", "created_at": "2022-05-20 09:00:00+08",
        "updated_at": "2022-05-20 09:00:00+08",
    },
    "funeral__cremations": {"status": "valid", "updated_at": "2022-06-01 10:00:00+08"},
    "allowance__household": {"_district": "510104", "_month": "202203", "_kind": "household"},
    "allowance__member": {"_district": "510104", "_month": "202203", "_kind": "member"},
    "allowance__payment": {
        "_district": "510104", "_month": "202203", "_kind": "payment", "benefit": "old_age_allowance",
        "period_from": "2022-03-01", "amount": "100.00",
    },
    **{
        f"eldercare__{entity}": {"is_deleted": 0, "updated_at": "2022-07-01 07:30:00+08"}
        for entity in ("elder", "ability_assessment", "institution", "bed_stay", "care_visit")
    },
}  # fmt: skip


def columns_of(entity: str) -> dict[str, str]:
    """The columns of one landing table and their types, as the landing room promises them."""
    fields = LAYOUTS[entity]
    delivered_as_text = entity.split("__")[0] in {"funeral", "allowance"}
    return {
        **fields,
        **({f"raw_{field}": "varchar" for field in fields} if delivered_as_text else {}),
        **PROVENANCE,
        **(FILE_PROVENANCE if entity.startswith("allowance__") else {}),
    }


def write_landing(connection: duckdb.DuckDBPyConnection, records: dict[str, list[dict[str, Any]]]) -> None:
    """Create the schema ``landing`` and fill it; an entity without records gets an empty table."""
    connection.execute("create schema landing")
    replaced = ", ".join(f'"{name}" {kind}' for name, kind in columns_of("allowance__payment").items())
    connection.execute(f"create table landing.allowance__payment__replaced ({replaced})")
    for table, listed in WHAT_BECAME_OF_ROWS.items():
        connection.execute(f"create table landing.{table} ({listed})")
    for entity in LAYOUTS:
        columns = columns_of(entity)
        listed = ", ".join(f'"{name}" {kind}' for name, kind in columns.items())
        connection.execute(f"create table landing.{entity} ({listed})")
        for number, given in enumerate(records.get(entity, []), start=1):
            record = {"_landed_at": "2022-08-01 12:00:00+08", "_delivery_id": f"{entity}/1"}
            record.update(DEFAULTS[entity])
            record.update(given)
            record.setdefault("_source_record_id", str(record.get("id", record.get("cert_id", number))))
            record.update({f"raw_{name}": value for name, value in given.items() if f"raw_{name}" in columns})
            names = ", ".join(f'"{name}"' for name in record)
            marks = ", ".join("?" for _ in record)
            connection.execute(f"insert into landing.{entity} ({names}) values ({marks})", list(record.values()))


def write_forms(connection: duckdb.DuckDBPyConnection, forms: Sequence[dict[str, str | None]]) -> None:
    """Replace the landing table of the invented fifth source by ``forms``, numbered in their order."""
    listed = ", ".join(f"{field} varchar" for field in FORM_FIELDS)
    connection.execute(f"create or replace table landing.forms__form (_source_record_id varchar, {listed})")
    table = pa.table(
        {
            "_source_record_id": pa.array([str(number) for number in range(len(forms))], pa.string()),
            **{field: pa.array([form.get(field) for form in forms], pa.string()) for field in FORM_FIELDS},
        }
    )
    connection.register("given_forms", table)
    connection.execute("insert into landing.forms__form by name select * from given_forms")
    connection.unregister("given_forms")


def build_staging(work_file: Path, scratch: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run dbt's staging room, seeds and tests included, on one work file; the fifth source is one more folder."""
    project = scratch / "project"
    if not project.exists():
        shutil.copytree(DBT_PROJECT, project, ignore=shutil.ignore_patterns("target", "logs", ".tmp"))
        shutil.copytree(FORMS, project / "models" / "staging" / "forms")
    variables = {"as_of": "2022-12-31", "run_id": "invented", **variables}
    environment = {
        **os.environ,
        "RONGTONG_WORK_FILE": str(work_file),
        "RONGTONG_DBT_TARGET": str(scratch / "target"),
        "RONGTONG_TEMP_FOLDER": str(scratch / "spill"),
        "DBT_LOG_PATH": str(scratch / "logs"),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }
    return subprocess.run(
        [
            str(Path(sys.executable).with_name("dbt")), "--no-use-colors", "build",
            "--project-dir", str(project), "--profiles-dir", str(project),
            "--select", "resource_type:seed", "path:models/staging", "--indirect-selection", "cautious",
            "--vars", json.dumps(variables),
        ],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


@dataclass(frozen=True)
class StagingRoom:
    """A work file that went through staging, and the folder in which dbt left the SQL it ran."""

    work_file: Path
    scratch: Path

    def compiled(self, model: str) -> str:
        """The SQL of one staging model as dbt ran it."""
        (file,) = (self.scratch / "target" / "compiled").rglob(f"{model}.sql")
        return file.read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def staging_room(tmp_path_factory: pytest.TempPathFactory) -> StagingRoom:
    """The one dbt run of this folder, over the records of ``records.yml``."""
    scratch = tmp_path_factory.mktemp("staging")
    work_file = scratch / "work.duckdb"
    with duckdb.connect(str(work_file)) as connection:
        write_landing(connection, yaml.safe_load(RECORDS.read_text(encoding="utf-8")))
        write_forms(connection, [])
    done = build_staging(work_file, scratch)
    assert done.returncode == 0, done.stdout[-4000:]
    return StagingRoom(work_file, scratch)


@pytest.fixture(scope="session")
def staged(staging_room: StagingRoom) -> Iterator[duckdb.DuckDBPyConnection]:
    """The staged work file, to look at."""
    with duckdb.connect(str(staging_room.work_file), read_only=True) as connection:
        yield connection


Standardise = Callable[[Sequence[dict[str, str | None]]], list[dict[str, Any]]]


@pytest.fixture(scope="session")
def standardise(staging_room: StagingRoom, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standardise]:
    """Standardise forms with the very SQL that dbt ran, on a copy of the work file: one mention per form, in order."""
    copy = tmp_path_factory.mktemp("forms") / staging_room.work_file.name
    shutil.copy(staging_room.work_file, copy)
    sql = staging_room.compiled("stg_forms__mentions")
    with duckdb.connect(str(copy)) as connection:

        def run(forms: Sequence[dict[str, str | None]]) -> list[dict[str, Any]]:
            write_forms(connection, forms)
            cursor = connection.execute(f"select * from ({sql}) order by cast(source_record_id as integer)")
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, values, strict=True)) for values in cursor.fetchall()]

        yield run


@pytest.fixture(scope="session")
def row(staged: duckdb.DuckDBPyConnection) -> Callable[[str, str], dict[str, Any]]:
    """Look up the one row of a staging table that meets a condition."""

    def look_up(table: str, condition: str) -> dict[str, Any]:
        cursor = staged.execute(f"select * from staging.{table} where {condition}")
        names = [column[0] for column in cursor.description]
        rows = cursor.fetchall()
        assert len(rows) == 1, f"{table}: {len(rows)} rows where {condition}"
        return dict(zip(names, rows[0], strict=True))

    return look_up
