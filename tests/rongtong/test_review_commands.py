"""``rongtong review`` on a published city: the queue, both records, decisions that are kept, and sheets that return."""

from __future__ import annotations

import csv
import json
import re
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest

from rongtong import steps
from warehouse.home import Home
from warehouse.run import RunState, begin_run, finish_run, runs


@pytest.fixture(scope="module")
def home(published: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("review") / "var"
    shutil.copytree(published.home, folder)
    # Other tests may have looked at values on the home that was copied.
    (folder / "identity" / "access.jsonl").unlink(missing_ok=True)
    return folder


@pytest.fixture
def rongtong(rongtong_inside: Any) -> Any:
    """The command line inside this process."""
    return rongtong_inside


@pytest.fixture
def waiting(home: Path, rongtong: Any) -> list[dict[str, Any]]:
    ended = rongtong(home, "review", "next", "--json", "--limit", "50")
    assert ended.code == 0, ended.err
    pairs: list[dict[str, Any]] = ended.json["pairs"]
    return pairs


def test_the_queue_names_records_and_no_values_and_the_most_useful_pair_comes_first(
    home: Path, rongtong: Any, waiting: list[dict[str, Any]]
) -> None:
    useful = [pair["usefulness"] for pair in waiting]
    assert useful == sorted(useful, reverse=True)
    shown = rongtong(home, "review", "next", "--limit", "2")
    assert waiting[0]["pair_id"] in shown.out
    assert "pairs wait" in shown.out


def test_values_are_shown_only_when_asked_for_and_the_look_is_noted(
    home: Path, rongtong: Any, waiting: list[dict[str, Any]]
) -> None:
    pair = waiting[0]
    masked = rongtong(home, "review", "show", pair["pair_id"], "--json").json
    assert {record["mention_key"] for record in masked["records"]} == {pair["mention_key_l"], pair["mention_key_r"]}
    assert masked["agreements"]
    assert not (home / "identity" / "access.jsonl").exists()
    revealed = rongtong(home, "review", "show", pair["pair_id"], "--json", "--reveal").json
    name = revealed["records"][0]["values"]["name"]
    assert name != masked["records"][0]["values"]["name"]
    line = json.loads((home / "identity" / "access.jsonl").read_text().splitlines()[-1])
    assert (line["action"], line["rows"]) == ("review show", 2)
    page = rongtong(home, "review", "show", pair["pair_id"])
    assert pair["mention_key_l"] in page.out
    assert name not in page.out


def test_a_decided_pair_leaves_the_queue_until_the_decision_is_revoked(
    home: Path, rongtong: Any, waiting: list[dict[str, Any]]
) -> None:
    pair = waiting[1]
    decided = rongtong(
        home, "review", "decide", pair["pair_id"], "undecided", "--why", "asked the office", "--by", "li"
    )
    assert decided.code == 0, decided.err
    left = [each["pair_id"] for each in rongtong(home, "review", "next", "--json", "--limit", "50").json["pairs"]]
    assert pair["pair_id"] not in left
    (row,) = [each for each in rongtong(home, "review", "list", "--json").json if each["reason"] == "asked the office"]
    assert (row["author"], row["verdict"], row["state"]) == ("li", "undecided", "in force")
    assert rongtong(home, "review", "revoke", row["decision_id"], "--why", "typed wrong").code == 0
    again = [each["pair_id"] for each in rongtong(home, "review", "next", "--json", "--limit", "50").json["pairs"]]
    assert pair["pair_id"] in again


def test_a_pairs_id_leads_to_it_and_to_its_decision_after_it_was_decided(
    home: Path, rongtong: Any, waiting: list[dict[str, Any]]
) -> None:
    pair = waiting[2]["pair_id"]
    keys = {waiting[2]["mention_key_l"], waiting[2]["mention_key_r"]}
    assert rongtong(home, "review", "decide", pair, "undecided", "--why", "two of a name", "--by", "li").code == 0
    (row,) = [each for each in rongtong(home, "review", "list", "--json").json if each["reason"] == "two of a name"]
    assert row["pair_id"] == pair
    listed = rongtong(home, "review", "list").out
    assert {pair, row["decision_id"]} <= set(listed.split())
    for command in (("review", "show"), ("explain",)):
        shown = rongtong(home, *command, pair, "--json")
        assert shown.code == 0, shown.err
        assert {record["mention_key"] for record in shown.json["records"]} == keys
    again = rongtong(home, "review", "decide", pair, "link", "--why", "x")
    assert (again.code, f"{row['decision_id']} decides it" in again.err) == (2, True)
    revoked = rongtong(home, "review", "revoke", pair, "--why", "typed wrong")
    assert (revoked.code, f"{row['decision_id']} is revoked" in revoked.out) == (0, True)
    assert "no decision" in rongtong(home, "review", "revoke", pair, "--why", "once more").err


def test_a_sheet_goes_out_and_comes_back_and_is_taken_in_once(home: Path, rongtong: Any, tmp_path: Path) -> None:
    sheet = tmp_path / "pairs.csv"
    assert rongtong(home, "review", "export", str(sheet), "--limit", "4").code == 0
    assert sheet.stat().st_mode & 0o077 == 0
    with sheet.open(encoding="utf-8-sig", newline="") as handle:
        rows = list(csv.DictReader(handle))
    rows[0] |= {"verdict": "non-link", "author": "wang", "reason": "two files"}
    rows[1] |= {"verdict": "link", "author": "wang", "reason": "one file"}
    _write(sheet, rows)
    first, second = (rongtong(home, "review", "import", str(sheet)) for _ in range(2))
    assert "2 decisions taken in" in first.out
    assert "0 decisions taken in, 2 were taken in before" in second.out
    rows[2] |= {"verdict": "maybe", "author": "wang", "reason": "?"}
    rows[3] |= {"verdict": "link", "author": "wang", "reason": "one file"}
    _write(sheet, rows)
    wrong = rongtong(home, "review", "import", str(sheet))
    assert wrong.code == 2
    assert "'maybe' is no verdict" in wrong.err
    assert len(rongtong(home, "review", "list", "--json").json) == len(
        [
            row
            for row in rongtong(home, "review", "list", "--json").json
            if row["mention_key_l"] != rows[3]["mention_key_l"]
        ]
    )


def test_a_sheet_that_comes_back_after_a_revocation_changes_nothing_and_a_new_one_does(
    home: Path, rongtong: Any, tmp_path: Path
) -> None:
    sheet, newer = tmp_path / "old.csv", tmp_path / "newer.csv"
    rows = _exported(home, rongtong, sheet, 1)
    rows[0] |= {"verdict": "undecided", "author": "wang", "reason": "asked the street office"}
    _write(sheet, rows)
    assert "1 decisions taken in" in rongtong(home, "review", "import", str(sheet)).out
    decided = rongtong(home, "review", "list", "--json").json[-1]
    assert rongtong(home, "review", "revoke", decided["decision_id"], "--why", "wrong pair").code == 0
    again = rongtong(home, "review", "import", str(sheet))
    assert "0 decisions taken in, 1 were taken in before" in again.out
    assert rongtong(home, "review", "list", "--json").json[-1]["verdict"] == "revoked"
    # The pair waits again; who has seen that decides anew, also in the same words.
    fresh = [row for row in _exported(home, rongtong, newer, 500) if row["pair_id"] == rows[0]["pair_id"]]
    _write(newer, [fresh[0] | {name: rows[0][name] for name in ("verdict", "author", "reason")}])
    assert "1 decisions taken in, 0" in rongtong(home, "review", "import", str(newer)).out
    # The first sheet, with another verdict: its clerk has not seen what was decided since.
    _write(sheet, [rows[0] | {"verdict": "non-link"}])
    late = rongtong(home, "review", "import", str(sheet))
    assert (late.code, "decided since" in late.err) == (2, True)
    last = rongtong(home, "review", "list", "--json").json[-1]["decision_id"]
    assert rongtong(home, "review", "revoke", last, "--why", "end of the test").code == 0


def test_a_record_that_was_corrected_since_the_sheet_was_written_is_not_decided_about(
    home: Path, rongtong: Any, tmp_path: Path
) -> None:
    copy, sheet = tmp_path / "var", tmp_path / "pairs.csv"
    shutil.copytree(home, copy)
    rows = _exported(copy, rongtong, sheet, 2)
    (run,) = [folder for folder in (copy / "runs").iterdir() if (folder / "work.duckdb").exists()]
    with duckdb.connect(str(run / "work.duckdb")) as work:
        key = rows[0]["mention_key_l"]
        table = f'staging."stg_{key.split("/")[0]}__mentions"'
        changed = f"UPDATE {table} SET birth_date = coalesce(birth_date, DATE '1950-01-01') + 1 WHERE mention_key = ?"
        assert work.execute(changed, [key]).fetchall() == [(1,)]
    for row in rows:
        row |= {"verdict": "link", "author": "wang", "reason": "one file"}
    _write(sheet, rows)
    before = rongtong(copy, "review", "list", "--json").json
    refused = rongtong(copy, "review", "import", str(sheet))
    assert (refused.code, "say something else now" in refused.err) == (2, True)
    assert rongtong(copy, "review", "list", "--json").json == before
    _write(sheet, rows[1:])
    assert "1 decisions taken in" in rongtong(copy, "review", "import", str(sheet)).out


def test_a_sheet_that_cannot_be_meant_is_refused_whole_in_one_sentence(
    home: Path, rongtong: Any, tmp_path: Path
) -> None:
    sheet = tmp_path / "pairs.csv"
    rows = _exported(home, rongtong, sheet, 2)
    filled = [row | {"verdict": "link", "author": "wang", "reason": "one file"} for row in rows]
    turned = filled[0] | {"mention_key_l": filled[0]["mention_key_r"], "mention_key_r": filled[0]["mention_key_l"]}
    before = rongtong(home, "review", "list", "--json").json
    for broken, said in (
        ([*filled, filled[0] | {"verdict": "non-link"}], "lines 2 and 4 of pairs.csv say different things"),
        ([*filled, filled[0] | {"author": "li"}], "lines 2 and 4 of pairs.csv say different things"),
        ([*filled, turned], "say different things"),
        ([{k: v for k, v in row.items() if k != "mention_key_r"} for row in filled], "no column mention_key_r"),
        ([{k: v for k, v in row.items() if k != "seen"} for row in filled], "no column seen"),
    ):
        _write(sheet, broken)
        ended = rongtong(home, "review", "import", str(sheet))
        assert (ended.code, said in " ".join(ended.err.split())) == (2, True), ended.err
    whole = sheet.with_name("whole.csv")
    _write(whole, filled)
    sheet.write_bytes(whole.read_bytes().rsplit(b",", 12)[0])
    cut = rongtong(home, "review", "import", str(sheet))
    assert (cut.code, "line 3 of pairs.csv is cut off" in cut.err) == (2, True), cut.err
    assert rongtong(home, "review", "list", "--json").json == before


def test_a_sheet_that_is_not_named_csv_is_not_written(home: Path, rongtong: Any, tmp_path: Path) -> None:
    refused = rongtong(home, "review", "export", str(tmp_path / "pairs.xlsx"))
    assert (refused.code, "name it pairs.csv" in refused.err) == (2, True)
    assert not list(tmp_path.iterdir())


def test_a_sheet_is_its_owners_alone_and_says_how_much_of_the_queue_it_holds(
    home: Path, rongtong: Any, tmp_path: Path
) -> None:
    sheet = tmp_path / "pairs.csv"
    sheet.touch(mode=0o644)
    ended = rongtong(home, "review", "export", str(sheet), "--limit", "2")
    assert sheet.stat().st_mode & 0o777 == 0o600
    assert re.search(r"2 of [\d,]+ \(--limit\) pairs in", ended.out)
    for place in (tmp_path, Path("/proc/pairs.csv"), Path("."), Path("/")):
        refused = rongtong(home, "review", "export", str(place))
        assert (refused.code, "cannot be written" in refused.err) == (1, True)
        assert "Traceback" not in refused.err
    assert sorted(file.name for file in tmp_path.iterdir()) == ["pairs.csv"]


def _exported(home: Path, rongtong: Any, sheet: Path, limit: int) -> list[dict[str, Any]]:
    assert rongtong(home, "review", "export", str(sheet), "--limit", str(limit)).code == 0
    with sheet.open(encoding="utf-8-sig", newline="") as handle:
        return list(csv.DictReader(handle))


def _write(sheet: Path, rows: list[dict[str, Any]]) -> None:
    with sheet.open("w", encoding="utf-8-sig", newline="") as handle:
        writer = csv.DictWriter(handle, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def test_runs_that_began_or_failed_since_leave_clerks_at_their_desk(
    home: Path, rongtong: Any, waiting: list[dict[str, Any]], tmp_path: Path
) -> None:
    copy = Home(tmp_path / "var")
    shutil.copytree(home, copy.root)
    (linked,) = (run.run_id for run in runs(copy))
    for _ in range(steps.KEPT_RUN_FOLDERS):
        failed = begin_run(copy, date(2026, 1, 21))
        # What staging leaves of a file when it stops.
        duckdb.connect(str(copy.work_file(failed.run_id))).close()
        finish_run(copy, failed.run_id, RunState.FAILED, reason="room staging: it failed.")
    began = begin_run(copy, date(2026, 1, 21))
    pair = f"{waiting[0]['mention_key_l']},{waiting[0]['mention_key_r']}"
    for command in (("review", "next"), ("review", "show", pair), ("explain", waiting[0]["mention_key_l"])):
        ended = rongtong(copy.root, *command)
        assert ended.code == 0, ended.err
    assert steps.remove_old_runs(copy) == 1
    kept = {run.run_id for run in runs(copy)}
    assert {linked, began.run_id} < kept
    assert rongtong(copy.root, "review", "next").code == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("show", "nopair"), "no pair nopair waits"),
        (("decide", "nopair", "link", "--why", "x"), "no pair nopair waits"),
        (("revoke", "d_0", "--why", "x"), "no decision d_0"),
    ],
    ids=["an unknown pair shown", "an unknown pair decided", "an unknown decision"],
)
def test_what_is_not_there_is_said_in_one_sentence(home: Path, rongtong: Any, arguments: Any, said: str) -> None:
    ended = rongtong(home, "review", *arguments)
    assert ended.code == 2
    assert said in ended.err
    assert "Traceback" not in ended.err


def test_nothing_run_is_said_in_one_sentence(rongtong: Any, tmp_path: Path) -> None:
    ended = rongtong(tmp_path / "var", "review", "next")
    assert ended.code == 1
    assert "make a run first" in ended.err
