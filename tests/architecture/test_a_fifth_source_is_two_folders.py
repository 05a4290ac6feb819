"""Law 1, by doing it: copy the tree, add two folders, run a day, and see that nothing else had to change."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from simulation.city import build_city
from simulation.systems.start import RunningSystems, start_systems
from warehouse.home import PROJECT

CONTRACT = r"""
title: Public rental housing (公租房)
owner: Housing office
release: released
schedule: "0 3 1 * *"
freshness_days: 40
nulls: [""]

connector:
  kind: files
  pattern: '(?P<district>\d{6})/(?P<month>\d{6})/(?P<kind>tenant)_(?P=district)_(?P=month)\.(?P<suffix>csv)'
  settle_seconds: 0

entities:
  tenant:
    title: One tenant and month
    record_id: "{_district}/{_month}/{_kind}/{_sheet}/{_row}"
    fields:
      full_name: {headers: [姓名], required: true, sensitivity: personal}
      id_no: {headers: [身份证号], sensitivity: personal}
      rented_from: {headers: [入住日期], type: date}
"""

SOURCES_YML = """
version: 2
sources:
  - name: landing
    schema: landing
    tables:
      - name: housing__tenant
"""

MENTIONS = """
-- One row per tenant named in a month's file.
with raw_mentions as (
    select {{ raw_mention({
        'source_system': "'housing'", 'source_table': "'tenant'", 'source_record_id': '_source_record_id',
        'role': "'tenant'", 'is_withdrawn': 'false', 'raw_name': 'raw_full_name', 'name_text': 'full_name',
        'raw_id_no': 'raw_id_no', 'id_text': 'id_no', 'said_on': 'rented_from', 'seen_at': '_landed_at',
        'delivery_id': '_delivery_id'
    }) }}
    from {{ source('landing', 'housing__tenant') }}
),
{{ standardise_mentions('raw_mentions') }}
select {{ shape_columns('mentions') }}
from standardised_mentions
"""


@pytest.fixture(scope="module")
def systems(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSystems]:
    folder = tmp_path_factory.mktemp("fifth")
    build_city(folder / "city", persons=1_000, seed=5)
    with start_systems(folder / "city", folder / "systems", seed=5) as running:
        yield running


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with the two folders added."""
    copy = tmp_path_factory.mktemp("tree") / "rongtong"
    left_out = shutil.ignore_patterns(".git", ".venv", ".uv", "var", "target", "__pycache__", "*_cache", ".hypothesis")
    shutil.copytree(PROJECT, copy, ignore=left_out)
    contract = copy / "ingest" / "sources" / "housing"
    contract.mkdir()
    (contract / "contract.yml").write_text(CONTRACT, encoding="utf-8")
    staging = copy / "dbt_project" / "models" / "staging" / "housing"
    staging.mkdir()
    (staging / "_housing.yml").write_text(SOURCES_YML, encoding="utf-8")
    (staging / "stg_housing__mentions.sql").write_text(MENTIONS, encoding="utf-8")
    return copy


def run(tree: Path, home: Path, connections: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "rongtong.cli", *arguments],
        cwd=tree,
        env=os.environ | connections | {"RONGTONG_HOME": str(home), "PYTHONPATH": str(tree)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_fifth_source_reaches_the_citizen_view_without_any_other_change(
    systems: RunningSystems, tree: Path, tmp_path: Path
) -> None:
    # A tenant whom the marriage register knows, and a stranger; both invented.
    marriage = duckdb.sql(
        f"SELECT name_man, cert_num_man FROM '{systems.allowance.parents[1]}/city/registration.parquet'"
        " WHERE cert_type_man = '111' AND length(cert_num_man) = 18 AND length(name_man) = 3 ORDER BY id DESC LIMIT 1"
    ).fetchall()[0]
    drop = tmp_path / "housing" / "510104" / "202501"
    drop.mkdir(parents=True)
    (drop / "tenant_510104_202501.csv").write_text(
        f"姓名,身份证号,入住日期\n{marriage[0]},{marriage[1]},2025-01-03\n赵无双,11010519491231002X,2025-01-04\n",
        encoding="utf-8",
    )
    connections = systems.environment | {"AIRFLOW_CONN_HOUSING": f"file://{tmp_path / 'housing'}"}
    ended = run(tree, tmp_path / "var", connections, "run", "--as-of", "2026-01-20", "--json")
    assert ended.returncode == 0, ended.stderr[-3000:]
    facts: dict[str, Any] = json.loads(ended.stdout)
    assert facts["sources"]["housing"]["accepted"] == 2
    sql = (
        "SELECT count(*) AS mentions, count(DISTINCT citizen_id) AS citizens,"
        " count(*) FILTER (link_method = 'identity_number') AS linked"
        " FROM citizen_mentions WHERE source_system = 'housing'"
    )
    asked = run(tree, tmp_path / "var", connections, "sql", sql, "--format", "json")
    assert json.loads(asked.stdout) == [{"mentions": 2, "citizens": 2, "linked": 1}]


def test_airflow_shows_a_landing_for_the_fifth_source(tree: Path, tmp_path: Path) -> None:
    program = "from ingest.registry import schedules; print(sorted(schedules()))"
    listed = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tree,
        env=os.environ | {"PYTHONPATH": str(tree)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "housing" in listed.stdout
