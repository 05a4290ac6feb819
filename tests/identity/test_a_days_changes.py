"""What a run keeps for the next: used when it stands, worked out anew when it does not, and always with one result."""

from __future__ import annotations

import dataclasses
import datetime as dt
import shutil
from pathlib import Path

import duckdb
import pytest
from invented_mentions import Book, invent_town, read_links
from same_as_anew import resolve_both_ways

from identity import thresholds
from identity.kept import KEPT_FILE
from identity.mention import MentionsUnusable
from identity.model import Parameters
from identity.resolve import ResolveResult, resolve
from warehouse.duck import connect
from warehouse.home import Home

# Where the engine's first block begins, and how long a block is.
FIRST_BLOCK, BLOCK = 3 * 4096, 262144


class Town:
    """A town of invented families in one home, with a work file a run."""

    def __init__(self, folder: Path) -> None:
        self.home, self.work_file = Home(folder / "home"), folder / "work.duckdb"
        self.rows = invent_town(5, families=8).rows
        self.runs = 0

    def run(self) -> ResolveResult:
        Book([dict(row) for row in self.rows]).write(self.work_file)
        self.runs += 1
        return resolve_both_ways(self.work_file, self.home, f"run-{self.runs}")


@pytest.fixture
def town(tmp_path: Path) -> Town:
    """A town after its first run."""
    found = Town(tmp_path)
    assert found.run().changed is None
    return found


def test_two_keys_that_the_engine_hashes_alike_are_two_mentions(tmp_path: Path) -> None:
    keys = [
        f"allowance/payment/{key}/payee" for key in ("510117/2025/510109202502000082", "510107/2025/510109202502000039")
    ]
    with connect() as connection:
        assert connection.execute("SELECT hash(?) = hash(?)", keys).fetchone() == (True,), "no trap any more"
    rows = [row | {"mention_key": key} for key, row in zip(keys, invent_town(5, families=1).rows, strict=False)]
    work_file = Book(rows).write(tmp_path / "work.duckdb")
    assert resolve(work_file, Home(tmp_path / "home"), "run-1").mentions == 2


def test_a_day_without_changes_changes_nothing(town: Town) -> None:
    before = read_links(town.work_file)
    assert town.run().changed == 0
    assert read_links(town.work_file) == before


def test_what_comes_changes_and_goes_is_all_that_is_looked_at(town: Town) -> None:
    gone, corrected = town.rows[3]["mention_key"], town.rows[10]["mention_key"]
    town.rows = [
        row | {"name": "欧" + row["name"][1:]} if row["mention_key"] == corrected else row
        for row in town.rows
        if row["mention_key"] != gone
    ]
    newcomers = [row | {"mention_key": f"new/{row['mention_key']}", "record_key": f"new/{row['record_key']}"}
                 for row in invent_town(6, families=1).rows]  # fmt: skip
    town.rows += newcomers
    assert town.run().changed == 2 + len(newcomers)
    links = read_links(town.work_file)
    assert gone not in links
    assert {row["mention_key"] for row in newcomers} <= set(links)


def test_a_change_at_the_end_of_a_long_name_or_in_a_second_phone_is_seen(town: Town) -> None:
    def say(name: str, phone: str) -> None:
        town.rows[3] = town.rows[3] | {"name": name}
        town.rows[10] = town.rows[10] | {"phones": ["13800000001", phone]}

    say("阿卜杜拉·买买提明", "13800000002")
    assert town.run().changed == 2
    say("阿卜杜拉·买买提江", "13800000003")
    assert town.run().changed == 2


def test_a_block_that_ceases_to_be_too_common_proposes_pairs_on_that_day(town: Town) -> None:
    shared = {"sex": "male", "birth_date": dt.date(1961, 5, 4), "birth_date_precision": "day"}
    crowd = [
        town.rows[0] | shared | {"mention_key": f"crowd/{name}", "record_key": f"crowd/{name}", "name": name,
                                 "id_no": None, "phones": [], "address": None, "household_key": None}
        for name in (f"邹{one}{other}" for one in "明华丽强军芳娜静" for other in "勇霞平刚桂英建国")
    ][: thresholds.BLOCK_LIMITS["surname_birth"] + 1]  # fmt: skip
    town.rows += crowd
    before = town.run().pairs
    town.rows = [row for row in town.rows if row not in crowd[:2]]
    left = len(crowd) - 2
    assert town.run().pairs >= before + left * (left - 1) // 2


def test_a_town_may_empty_and_fill_again(town: Town) -> None:
    everybody, before = town.rows, read_links(town.work_file)
    town.rows = everybody[:1]
    assert town.run().citizens <= 1
    town.rows = everybody
    result = town.run()
    assert result.changed == len(everybody) - 1
    assert read_links(town.work_file) == before, "who comes back has the ids of before"


@pytest.mark.parametrize("spoil", ["deleted", "cut off", "not a database"])
def test_what_was_kept_may_be_lost(town: Town, spoil: str) -> None:
    before, kept = read_links(town.work_file), town.home.identity / KEPT_FILE
    if spoil == "deleted":
        kept.unlink()
    else:
        kept.write_bytes(kept.read_bytes()[:5000] if spoil == "cut off" else b"nothing of use")
    assert town.run().changed is None
    assert read_links(town.work_file) == before
    assert town.run().changed == 0


def test_a_block_that_the_disk_spoilt_is_worked_out_anew(town: Town) -> None:
    before, kept = read_links(town.work_file), town.home.identity / KEPT_FILE
    whole = kept.read_bytes()
    for at in range(FIRST_BLOCK + 1000, len(whole), BLOCK):
        kept.write_bytes(whole[:at] + bytes(255 - byte for byte in whole[at : at + 8]) + whole[at + 8 :])
        if _can_read(kept, "standing") and not _can_read(kept, "mention"):
            break
    else:
        raise AssertionError("no block of the mentions was found")
    assert town.run().changed is None
    assert read_links(town.work_file) == before
    assert town.run().changed == 0


def _can_read(kept: Path, table: str) -> bool:
    try:
        with connect(kept, read_only=True) as connection:
            connection.execute(f"FROM {table}").fetchall()
    except duckdb.IOException:
        return False
    return True


def test_a_run_killed_after_the_ledger_and_before_what_it_keeps_is_worked_out_anew(town: Town) -> None:
    kept = town.home.identity / KEPT_FILE
    as_before = kept.read_bytes()
    town.rows = town.rows[5:]
    town.run()
    after = read_links(town.work_file)
    kept.write_bytes(as_before)
    assert town.run().changed is None
    assert read_links(town.work_file) == after


def test_other_parameters_and_other_rules_are_worked_out_anew(town: Town) -> None:
    newest = Parameters.latest()
    other = dataclasses.replace(newest, trained_on="another city")
    assert resolve(town.work_file, town.home, "run-2", parameters=other).changed is None
    with connect(town.home.identity / KEPT_FILE) as connection:
        connection.execute("UPDATE standing SET fingerprint = 'of other rules'")
    assert resolve(town.work_file, town.home, "run-3", parameters=other).changed is None
    assert resolve(town.work_file, town.home, "run-4", parameters=other).changed == 0


def test_a_fresh_work_file_and_one_of_an_older_run_are_written_whole(town: Town, tmp_path: Path) -> None:
    of_first_run = tmp_path / "first.duckdb"
    shutil.copy(town.work_file, of_first_run)
    town.rows = town.rows[4:]
    assert town.run().changed == 4
    town.work_file.unlink()
    town.rows = town.rows[2:]
    assert town.run().changed == 2
    shutil.copy(of_first_run, town.work_file)
    town.rows = town.rows[3:]
    assert town.run().changed == 3


@pytest.mark.parametrize("fault", ["the very row", "another row", "a new row"])
def test_a_mention_key_that_comes_twice_is_refused_on_any_day(town: Town, fault: str) -> None:
    again, other = town.rows[7], town.rows[7] | {"name": "欧阳明"}
    more = {
        "the very row": [again],
        "another row": [other],
        "a new row": [other | {"mention_key": "new"}, again | {"mention_key": "new"}],
    }
    Book([dict(row) for row in [*town.rows, *more[fault]]]).write(town.work_file)
    with pytest.raises(MentionsUnusable, match="names 1 mention keys more than once"):
        resolve(town.work_file, town.home, "run-2")
