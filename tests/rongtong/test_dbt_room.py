"""What dbt has parsed is kept: it serves another day, run and file, and nothing of a project that has changed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest

from warehouse.home import PROJECT

MODEL = "select {{ as_of() }} as as_of, {{ run_id() }} as run_id, 1 as version"
# Two parses of one project, as what they hold beside the moment at which they were made.
TWO_PARSES = """
import hashlib, json, os, sys
from pathlib import Path
from rongtong.dbt_parsed import parsed_project

def told(value):
    if isinstance(value, dict):
        return {key: told(one) for key, one in value.items() if key not in ("created_at", "metadata", "state_check")}
    return [told(one) for one in value] if isinstance(value, list) else value

folder, project = map(Path, sys.argv[1:])
for number, day in enumerate(("2022-12-31", "2023-03-01")):
    os.environ["RONGTONG_WORK_FILE"] = str(folder / str(number) / "work.duckdb")
    os.environ["RONGTONG_TEMP_FOLDER"] = str(folder / str(number) / "temp")
    variables = {"as_of": day, "run_id": f"run-{number}", "shadow_sources": ["pension"] * number}
    options = ["--project-dir", str(project), "--profiles-dir", str(project), "--log-path", str(folder / "logs")]
    options += ["--vars", json.dumps(variables), "--log-level", "none"]
    manifest = parsed_project(project, folder / str(number), options)
    print(hashlib.sha256(json.dumps(told(manifest.to_dict()), sort_keys=True, default=str).encode()).hexdigest())
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The project's settings and macros of the day, with one model."""
    folder = tmp_path / "project"
    for part in ("dbt_project.yml", "profiles.yml", "macros/golden/as_of.sql", "macros/generate_schema_name.sql"):
        (folder / part).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(PROJECT / "dbt_project" / part, folder / part)
    (folder / "seeds").mkdir()
    (folder / "seeds" / "parameters.csv").write_text("parameter,value,valid_from,valid_to\n", encoding="utf-8")
    (folder / "models" / "golden").mkdir(parents=True)
    (folder / "models" / "golden" / "told.sql").write_text(MODEL, encoding="utf-8")
    return folder


def environment_of(folder: Path, work_file: Path) -> dict[str, str]:
    return os.environ | {
        "RONGTONG_WORK_FILE": str(work_file),
        "RONGTONG_TEMP_FOLDER": str(folder / "temp"),
        "RONGTONG_DBT_TARGET": str(folder / "dbt"),
    }


def build(project: Path, folder: Path, as_of: str, run_id: str) -> list[tuple[Any, ...]]:
    """The child of a room on the project, in a work file of its own; the rows of its model."""
    work_file = folder / run_id / "work.duckdb"
    work_file.parent.mkdir(exist_ok=True)
    variables = json.dumps({"as_of": as_of, "run_id": run_id})
    order = json.dumps({"room": "golden", "work_file": str(work_file)})
    command = [sys.executable, "-m", "rongtong.dbt_room", str(project), str(folder / "dbt")]
    done = subprocess.run(
        [*command, str(folder / run_id), variables],
        env=environment_of(folder, work_file), cwd=PROJECT, input=order.encode(), capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    with duckdb.connect(str(work_file), read_only=True) as connection:
        return connection.execute("SELECT CAST(as_of AS VARCHAR), run_id, version FROM golden.told").fetchall()


def kept(folder: Path) -> dict[str, int]:
    return {file.name: file.stat().st_mtime_ns for file in (folder / "dbt").glob("parsed-*")}


def test_what_was_parsed_serves_another_day_and_a_changed_project_is_parsed_again(
    project: Path, tmp_path: Path
) -> None:
    assert build(project, tmp_path, "2022-12-31", "one") == [("2022-12-31", "one", 1)]
    first = kept(tmp_path)
    assert len(first) == 1
    assert build(project, tmp_path, "2023-01-01", "two") == [("2023-01-01", "two", 1)]
    assert kept(tmp_path) == first
    # As long as it was, so that not its size tells.
    (project / "models" / "golden" / "told.sql").write_text(MODEL.replace("1 as", "2 as"), encoding="utf-8")
    assert build(project, tmp_path, "2023-01-01", "three") == [("2023-01-01", "three", 2)]
    assert len(kept(tmp_path)) == 1
    assert kept(tmp_path).keys() != first.keys()
    # A macro, too, is part of the project.
    macros = project / "macros" / "golden" / "as_of.sql"
    macros.write_text(macros.read_text(encoding="utf-8").replace("'{{ var(\"run", "'of {{ var(\"run"), encoding="utf-8")
    assert build(project, tmp_path, "2023-01-01", "four") == [("2023-01-01", "of four", 2)]


def test_one_process_builds_in_one_file_after_another_and_lets_each_go(project: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "rongtong.dbt_room", str(project), str(tmp_path / "dbt"), str(tmp_path)]
    variables = json.dumps({"as_of": "2022-12-31", "run_id": "run"})
    with subprocess.Popen(
        [*command, variables], env=environment_of(tmp_path, tmp_path / "one" / "work.duckdb"), cwd=PROJECT,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as child:  # fmt: skip
        assert child.stdin is not None and child.stdout is not None
        for name in ("one", "two"):
            work_file = tmp_path / name / "work.duckdb"
            work_file.parent.mkdir()
            child.stdin.write(json.dumps({"room": "golden", "work_file": str(work_file)}) + "\n")
            child.stdin.flush()
            assert next(line for line in child.stdout if "succeeded" in line) == '{"succeeded": true}\n'
            # The process lives on, and another one may write.
            assert child.poll() is None
            with duckdb.connect(str(work_file)) as connection:
                assert connection.execute("SELECT run_id FROM golden.told").fetchall() == [("run",)]
        child.stdin.close()
        assert child.wait() == 0


def test_parsing_reads_neither_the_day_nor_the_run_nor_the_file(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", TWO_PARSES, str(tmp_path), str(PROJECT / "dbt_project")],
        env=os.environ | {"RONGTONG_DBT_TARGET": str(tmp_path / "target"), "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"},
        cwd=PROJECT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    one, other = done.stdout.split()
    assert one == other
