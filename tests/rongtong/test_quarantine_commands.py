"""The commands for quarantine and sources as a person types them: exit codes, sentences, and what they never print."""

from __future__ import annotations

import csv
import json
import os
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from warehouse.home import Home
from warehouse.run import RunState, begin_run, finish_run

PAYMENT = (
    "发放流水号,发放项目,家庭编号,姓名,身份证号,银行账号,所属期起,发放月数,实发金额,发放日期,发放状态\n"
    "510104202501000001,城市低保,H0001,赵无双,11010519491231002X,6222000000000000001,2025年1月,1,700,20250115,成功\n"
    "510104202501000002,城市低保,H0002,钱样例,440524188001010014,6222000000000000002,2025年1月,1,七百,20250115,成功\n"
)
PERSONAL = ("赵无双", "钱样例", "11010519491231002X", "440524188001010014", "6222000000000000002")


@pytest.fixture
def rongtong(rongtong_inside: Any) -> Any:
    """The command line inside this process."""
    return rongtong_inside


@pytest.fixture
def allowance(tmp_path: Path, rongtong: Any) -> dict[str, str]:
    """One landed district file with one row that waits; the connections that lead to it."""
    file = tmp_path / "in" / "510104" / "202501" / "payment_510104_202501.csv"
    file.parent.mkdir(parents=True)
    file.write_text(PAYMENT, encoding="utf-8")
    os.utime(file, (1_700_000_000, 1_700_000_000))
    connections = {"AIRFLOW_CONN_ALLOWANCE": f"file://{tmp_path / 'in'}"}
    landed = rongtong(tmp_path / "var", "land", "allowance", connections=connections)
    assert landed.code == 0, landed.err
    return connections


def test_a_row_goes_from_quarantine_to_its_owner_and_back(
    tmp_path: Path, rongtong: Any, allowance: dict[str, str]
) -> None:
    home = tmp_path / "var"
    listed = rongtong(home, "quarantine", "list", "--source", "allowance", "--json")
    (row,) = listed.json["rows"]
    assert (row["reason_code"], row["position"], row["district"]) == ("unreadable_number", "sheet 1 row 3", "510104")
    table = rongtong(home, "quarantine", "list")
    assert "1 rows wait" in table.out
    assert row["quarantine_id"] in table.out
    shown = rongtong(home, "quarantine", "show", row["quarantine_id"])
    assert shown.code == 0
    for value in PERSONAL:
        assert value not in listed.out + table.out + shown.out
    revealed = rongtong(home, "quarantine", "show", row["delivery_id"], row["position"], "--reveal")
    assert "440524188001010014" in revealed.out
    assert "quarantine show" in (home / "landing" / "access.jsonl").read_text()

    exported = rongtong(home, "quarantine", "export", str(tmp_path / "out"))
    file = tmp_path / "out" / "allowance" / "payment_510104.csv"
    assert exported.out == f"{file}  1 rows for District finance sections, 510104\n"
    with file.open(encoding="utf-8-sig", newline="") as opened:
        header, cells = list(csv.reader(opened))
    cells[header.index("实发金额")] = "700.00"
    with file.open("w", encoding="utf-8-sig", newline="") as opened:
        csv.writer(opened).writerows([header, cells])
    replayed = rongtong(home, "quarantine", "replay", "--from", str(file), "--by", "finance section")
    assert replayed.out == "allowance: 1 rows judged again, 1 accepted, 1 values corrected, 0 still wait\n"
    again = rongtong(home, "quarantine", "replay", "--from", str(file))
    assert again.out == "1 rows of the file do not wait any more: accepted before, or replaced by their owner\n"
    assert rongtong(home, "quarantine", "list").out == "nothing waits in quarantine\n"
    assert rongtong(home, "status", "--json").json["sources"]["allowance"]["deliveries"] == 1


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("quarantine", "list", "--source", "nothing"), 2, "there is no source named nothing"),
        (("quarantine", "list", "--limit", "0"), 2, "--limit"),
        (("quarantine", "show", "0123456789abcdef"), 2, "no row waits in quarantine under 0123456789abcdef"),
        (("quarantine", "replay", "--by", "somebody"), 2, "--by says who corrected a file"),
        (("quarantine", "replay", "--from", "nowhere.csv"), 1, "nowhere.csv cannot be read"),
        (("quarantine", "export", "/proc/nowhere"), 1, "name a folder that you may write to"),
        (("source", "check", "nothing"), 2, "there is no source named nothing"),
        (("source", "profile", "nothing"), 2, "neither a source nor a file"),
        (("source", "new", "Housing", "nowhere.csv"), 2, "cannot name a source"),
        (("source", "new", "housing", "nowhere.csv"), 1, "nowhere.csv cannot be read"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_use_and_failure_are_one_sentence_with_their_exit_code(
    arguments: tuple[str, ...], code: int, said: str, tmp_path: Path, rongtong: Any, allowance: dict[str, str]
) -> None:
    ended = rongtong(tmp_path / "var", *arguments)
    assert ended.code == code, ended.err
    assert said in " ".join(ended.err.split())
    assert "Traceback" not in ended.err


def test_every_source_of_this_tree_is_ready(tmp_path: Path, rongtong: Any, allowance: dict[str, str]) -> None:
    ended = rongtong(tmp_path / "var", "source", "check", "--json", connections=allowance)
    assert ended.code == 0, ended.out
    lines = {name: {(line["mark"], line["subject"]) for line in said} for name, said in ended.json.items()}
    assert {("✓", "contract"), ("✓", "sample"), ("✓", "staging"), ("✓", "connection")} == lines["allowance"]
    assert ("–", "connection") in lines["marriage"]


def test_a_connection_that_leads_nowhere_fails_the_check(tmp_path: Path, rongtong: Any) -> None:
    nowhere = {"AIRFLOW_CONN_ALLOWANCE": f"file://{tmp_path / 'nowhere'}"}
    ended = rongtong(tmp_path / "var", "source", "check", "allowance", connections=nowhere)
    assert ended.code == 1
    assert "✗ connection allowance: the folder" in ended.out


def test_a_landed_source_is_profiled_without_values(tmp_path: Path, rongtong: Any, allowance: dict[str, str]) -> None:
    ended = rongtong(tmp_path / "var", "source", "profile", "allowance", "--json")
    columns = {column["column"]: column for column in ended.json["payment"]}
    assert columns["payee_id_no"]["looks_like"] == "identity number"
    table = rongtong(tmp_path / "var", "source", "profile", "allowance")
    for value in PERSONAL:
        assert value not in ended.out + table.out


def test_a_source_that_never_landed_says_so(tmp_path: Path, rongtong: Any) -> None:
    ended = rongtong(tmp_path / "var", "source", "profile", "marriage")
    assert (ended.code, "nothing has landed yet" in ended.err) == (1, True)


def test_the_status_page_fits_eighty_columns(tmp_path: Path, rongtong: Any, allowance: dict[str, str]) -> None:
    ended = rongtong(tmp_path / "var", "status", connections={"COLUMNS": "80"})
    for heading in ("source", "deliveries", "read", "accepted", "quarantined", "refused", "received"):
        assert heading in ended.out
    assert max(map(len, ended.out.splitlines()[:8])) <= 80
    assert "…" not in ended.out
    json.loads(rongtong(tmp_path / "var", "status", "--json").out)


def test_a_wrong_contract_is_wrong_use_and_another_fault_a_failure(tmp_path: Path, rongtong: Any) -> None:
    sources, models = tmp_path / "sources", tmp_path / "models"
    sample = tmp_path / "tenant.csv"
    sample.write_text(PAYMENT, encoding="utf-8")
    folders = ("--sources", str(sources), "--models", str(models))
    sources.mkdir()
    made = rongtong(tmp_path / "var", "source", "new", "housing", str(sample), *folders)
    assert made.code == 0, made.err
    assert rongtong(tmp_path / "var", "source", "check", "housing", *folders).code == 0
    next((models / "housing").glob("*.sql")).unlink()
    assert rongtong(tmp_path / "var", "source", "check", "housing", *folders).code == 1
    (sources / "housing" / "contract.yml").write_text("title: 1\n", encoding="utf-8")
    wrong = rongtong(tmp_path / "var", "source", "check", *folders)
    assert (wrong.code, "✗ contract" in wrong.out) == (2, True)


def test_of_a_run_that_was_killed_the_status_tells_when_it_last_wrote(tmp_path: Path, rongtong: Any) -> None:
    home = Home(tmp_path / "var")
    run = begin_run(home, date(2026, 1, 20))
    (home.run_folder(run.run_id) / "work.duckdb").touch()
    # As a file that goes while the folder is read.
    (home.run_folder(run.run_id) / "work.duckdb.wal").symlink_to("nowhere")
    for file, written in (("run.json", 1_700_000_000), ("work.duckdb", 1_700_000_600)):
        os.utime(home.run_folder(run.run_id) / file, (written, written))
    assert "building, or cut off, last wrote 2023-11-15 06:23" in rongtong(home.root, "status").out
    told = rongtong(home.root, "status", "--json").json["last_run"]
    assert told["last_written_at"] == "2023-11-14T22:23:20+00:00"
    finish_run(home, run.run_id, RunState.FAILED, reason="a source is missing")
    assert "failed: a source is missing" in rongtong(home.root, "status").out
    assert rongtong(home.root, "status", "--json").json["last_run"]["last_written_at"] is None


def test_a_landing_that_finds_nothing_says_so(tmp_path: Path, rongtong: Any, allowance: dict[str, str]) -> None:
    ended = rongtong(tmp_path / "var", "land", "allowance", connections=allowance | {"COLUMNS": "80"})
    assert (ended.code, "nothing new" in ended.out) == (0, True)
    assert max(map(len, ended.out.splitlines())) <= 80
