"""``rongtong review`` on a published city: the queue, both records, decisions that are kept, and sheets that return."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest


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
    return ended.json["pairs"]


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
    assert "0 decisions taken in, 2 were in force" in second.out
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


def _write(sheet: Path, rows: list[dict[str, Any]]) -> None:
    with sheet.open("w", encoding="utf-8-sig", newline="") as handle:
        writer = csv.DictWriter(handle, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


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
