"""What is wrong with one source is one sentence that names it and the mend; the others land, nothing half-visible."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

TROUBLES = {
    "a database that is down": ("marriage", "postgresql://reader@127.0.0.1:1/marriage"),
    "a wrong password": ("eldercare", None),
    "a wrong token": ("funeral", None),
    "an API that is down": ("funeral", "http://:token@127.0.0.1:1"),
    "a missing folder": ("allowance", "file:///nowhere/at/all"),
    "no connection at all": ("allowance", ""),
    "a connection that cannot be read": ("marriage", "this is no address"),
}


def spoiled(environment: dict[str, str], source: str, uri: str | None) -> dict[str, str]:
    """The connections with the one of ``source`` replaced; None keeps its address and changes its secret."""
    variable = f"AIRFLOW_CONN_{source.upper()}"
    if uri is None:
        head, _, tail = environment[variable].partition("://")
        login = tail.partition("@")[0].partition(":")[0]
        uri = f"{head}://{login}:wrong@{tail.partition('@')[2]}"
    changed = environment | {variable: uri}
    return {name: value for name, value in changed.items() if value}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_one_sentence_names_the_source_and_the_others_land(
    trouble: str, city: Any, rongtong: Any, tmp_path: Path
) -> None:
    source, uri = TROUBLES[trouble]
    other = "marriage" if source != "marriage" else "eldercare"
    ended = rongtong(tmp_path, "land", source, other, connections=spoiled(city.systems.environment, source, uri))
    assert ended.code == 1
    sentences = [line for line in ended.err.splitlines() if line.startswith("rongtong:")]
    assert len(sentences) == 1, ended.err
    assert source in sentences[0]
    assert "Traceback" not in ended.err
    assert re.findall(r"^([✗✓]) landing (\w+)", ended.out, re.MULTILINE) == [("✗", source), ("✓", other)]
    assert "wrong" not in sentences[0].replace("wrong password", "").replace("wrong token", "")
    status = rongtong(tmp_path, "status", "--json").json["sources"]
    assert status[source]["deliveries"] == 0
    assert status[other]["rows_accepted"] > 0


def test_a_renamed_column_refuses_the_source_and_suggests_the_new_name(
    city: Any, rongtong: Any, tmp_path: Path
) -> None:
    server = city.systems.postgres
    server.execute("marriage", "ALTER TABLE hydj.registration RENAME COLUMN op_date TO op_day")
    try:
        ended = rongtong(tmp_path, "land", "marriage", "funeral", connections=city.systems.environment)
    finally:
        server.execute("marriage", "ALTER TABLE hydj.registration RENAME COLUMN op_day TO op_date")
    assert ended.code == 1
    sentence = next(line for line in ended.err.splitlines() if line.startswith("rongtong:"))
    assert "marriage" in sentence and "op_date" in sentence and "op_day" in sentence
    status = rongtong(tmp_path, "status", "--json").json["sources"]
    assert status["marriage"]["rows_accepted"] == 0
    assert status["funeral"]["rows_accepted"] > 0


def test_an_unknown_column_is_reported_and_not_used(city: Any, rongtong: Any, tmp_path: Path) -> None:
    server = city.systems.postgres
    server.execute("marriage", "ALTER TABLE hydj.registration ADD COLUMN blood_type varchar(2)")
    try:
        ended = rongtong(tmp_path, "land", "marriage", connections=city.systems.environment)
    finally:
        server.execute("marriage", "ALTER TABLE hydj.registration DROP COLUMN blood_type")
    assert ended.code == 0
    assert "blood_type" in ended.out + ended.err
    assert "marriage" in ended.out + ended.err


def test_a_run_with_a_source_down_builds_nothing(city: Any, rongtong: Any, tmp_path: Path) -> None:
    connections = spoiled(city.systems.environment, "funeral", "http://:token@127.0.0.1:1")
    ended = rongtong(tmp_path, "run", "--as-of", city.as_of, "--json", connections=connections)
    assert ended.code == 1
    assert ended.json["state"] == "failed"
    assert "funeral" in ended.json["errors"][0]
    status = rongtong(tmp_path, "status", "--json").json
    assert status["published"] is None
    assert status["sources"]["marriage"]["rows_accepted"] > 0
