"""Nothing is lost, nothing is doubled, nothing is half-visible: files, readers of one's own, kills and leftovers."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pytest

from ingest.land import LandingResult, land
from ingest.landing import create_views
from ingest.landing_folder import LandingFolder
from ingest.receipt import ConservationError, Receipt
from warehouse.duck import connect
from warehouse.home import PROJECT, Home

FILES = r"""
title: Library
owner: The branch libraries
release: shadow
freshness_days: 40
nulls: ["", 无]
connector:
  kind: files
  pattern: '(?P<district>\d{6})/(?P<month>\d{6})/(?P<kind>loan|member)_\d+_\d+(?:_v(?P<version>\d+))?\.(?P<suffix>csv)'
  repeats: [同上]
  settle_seconds: 0
  digest_suffix: .sha256
code_lists:
  kind: {loan: [借], back: [还]}
entities:
  loan:
    title: One loan
    key: [number]
    record_id: "{_district}/{_year}/{number}"
    latest_by_record: true
    control_totals: {words: [合计], count_pattern: '(\d+)\s*笔', sum_field: fee}
    fields:
      number: {headers: [编号], required: true}
      kind: {headers: [类型], type: code, codes: kind, required: true}
      fee: {headers: [费用], type: "decimal(12,2)"}
      place: {headers: [地点]}
  member:
    title: One member and month
    record_id: "{_district}/{_month}/{_kind}/{_sheet}/{_row}"
    fields:
      name: {headers: [姓名], required: true}
      town: {headers: [住地]}
"""
PYTHON = """
title: Museum
owner: The museum
release: shadow
freshness_days: 3
connector: {kind: python, reader: "reader:read"}
entities:
  visit:
    title: One visit
    key: [id]
    record_id: "{id}"
    watermark: at
    fields:
      id: {type: integer, required: true}
      at: {type: timestamptz, required: true}
      visitors: {type: integer}
"""
READER = """
import json
from pathlib import Path
import pyarrow as pa

def read(connection, entity, since):
    for rows in json.loads(Path(connection.path).read_text()):
        yield pa.table({name: [row[name] for row in rows] for name in ("id", "at", "visitors")})
"""


class Town:
    """An invented town: a folder of branch libraries' files, a museum with a reader of its own."""

    def __init__(self, folder: Path, home: Home) -> None:
        self.sources, self.inbox, self.home = folder / "sources", folder / "inbox", home
        self.inbox.mkdir()
        for name, contract in (("library", FILES), ("museum", PYTHON)):
            (self.sources / name).mkdir(parents=True)
            (self.sources / name / "contract.yml").write_text(contract, encoding="utf-8")
        (self.sources / "museum" / "reader.py").write_text(READER, encoding="utf-8")
        self.visits = folder / "visits.json"

    def drop(self, name: str, *lines: str) -> Path:
        """A file of a branch library; its folder follows from its name."""
        kind, district, month = name.split(".")[0].split("_")[:3]
        header = "编号,类型,费用,地点" if kind == "loan" else "姓名,住地"
        folder = self.inbox / district / month
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / name
        file.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
        old = time.time() - 3600
        os.utime(file, (old, old))
        return file

    def land(self, source: str = "library") -> LandingResult:
        uri = f"file://{self.inbox if source == 'library' else self.visits}"
        result = land(source, uri, self.home, sources=self.sources)
        assert result.error is None, result.error
        return result

    def ask(self, query: str) -> list[tuple[object, ...]]:
        """A question to the landing, after its sums have been checked."""
        with connect(extensions=("icu", "json")) as connection:
            create_views(connection, self.home, self.sources)
            return self._ask(connection, query)

    def _ask(self, connection: duckdb.DuckDBPyConnection, query: str) -> list[tuple[object, ...]]:
        assert connection.execute(
            "SELECT count(*) FROM landing.deliveries "
            "WHERE rows_read <> rows_accepted + rows_quarantined + rows_superseded + rows_duplicate"
        ).fetchone() == (0,)
        for relation in ("library__loan", "library__member", "museum__visit"):
            source, _, entity = relation.partition("__")
            assert connection.execute(
                f"SELECT coalesce(sum(rows_accepted), 0) = (SELECT count(*) FROM landing.{relation}) "
                f"FROM landing.deliveries WHERE source_system = '{source}' AND entity = '{entity}'"
            ).fetchone() == (True,), relation
        assert connection.execute(
            "SELECT coalesce(sum(rows_quarantined), 0) = (SELECT count(*) FROM landing.quarantine) "
            "FROM landing.deliveries"
        ).fetchone() == (True,)
        return connection.execute(query).fetchall()


@pytest.fixture
def town(tmp_path: Path, home: Home) -> Town:
    return Town(tmp_path, home)


LOANS = "SELECT _source_record_id, kind, fee, _position FROM landing.library__loan ORDER BY ALL"


def test_a_source_that_never_landed_is_an_empty_relation_with_all_columns(town: Town) -> None:
    columns = [row[0] for row in town.ask("DESCRIBE landing.library__loan")]
    assert columns == [
        *("number", "kind", "fee", "place", "raw_number", "raw_kind", "raw_fee", "raw_place"),
        *("_source_record_id", "_delivery_id", "_position", "_row_hash", "_landed_at", "_notices"),
        *("_district", "_month", "_kind", "_version", "_sheet", "_row"),
    ]
    before = town.ask("DESCRIBE landing.library__loan")
    town.drop("loan_510104_202501.csv", "1,借,1,a")
    town.land()
    assert town.ask("DESCRIBE landing.library__loan") == before


def test_rows_land_with_their_place_and_bad_ones_wait(town: Town) -> None:
    town.drop("loan_510104_202501.csv", '1,借,"1,400.00",东馆', "2,买,7元,同上", "3,还,无,同上", "合计,3笔,1407,")
    result = town.land()
    assert result.counts["rows_read"] == 3
    assert [tuple(map(str, row)) for row in town.ask(LOANS)] == [
        ("510104/2025/1", "loan", "1400.00", "sheet 1 row 2"),
        ("510104/2025/3", "back", "None", "sheet 1 row 4"),
    ]
    assert town.ask("SELECT place, raw_place FROM landing.library__loan WHERE number = '3'") == [("东馆", "同上")]
    assert town.ask(
        "SELECT entity, reason_code, position, row_json ->> 'kind', delivery_id FROM landing.quarantine"
    ) == [("loan", "unknown_code", "sheet 1 row 3", "买", "library/loan/510104/202501/loan_510104_202501.csv")]
    ((rows, total),) = town.ask("SELECT control_rows, control_sum FROM landing.deliveries")
    assert (rows, str(total)) == (3, "1407.00")


def test_the_same_landing_again_opens_nothing_and_changes_nothing(town: Town) -> None:
    town.drop("loan_510104_202501.csv", "1,借,1,a", "2,买,1,a")
    town.land()
    before = town.ask(LOANS), town.ask("SELECT * FROM landing.deliveries"), town.ask("SELECT * FROM landing.quarantine")
    assert town.land().receipts == ()
    after = town.ask(LOANS), town.ask("SELECT * FROM landing.deliveries"), town.ask("SELECT * FROM landing.quarantine")
    assert after == before


def test_a_higher_version_replaces_the_file_whole_with_its_quarantine(town: Town) -> None:
    town.drop("loan_510104_202501.csv", "1,借,1,a", "2,借,1,a", "3,买,1,a")
    town.land()
    town.drop("loan_510104_202501_v2.csv", "1,还,1,a", "3,借,1,a")
    town.land()
    assert [row[:2] for row in town.ask(LOANS)] == [("510104/2025/1", "back"), ("510104/2025/3", "loan")]
    assert town.ask("SELECT count(*) FROM landing.quarantine") == [(0,)]
    assert town.ask("SELECT version, rows_accepted, rows_superseded FROM landing.deliveries ORDER BY 1") == [
        (1, 0, 3),
        (2, 2, 0),
    ]


def test_a_lower_version_that_comes_late_changes_nothing(town: Town) -> None:
    town.drop("loan_510104_202501_v2.csv", "1,还,1,a")
    town.land()
    town.drop("loan_510104_202501.csv", "1,借,1,a", "2,借,1,a")
    town.land()
    assert [row[:2] for row in town.ask(LOANS)] == [("510104/2025/1", "back")]


def test_a_refused_version_leaves_the_accepted_one(town: Town) -> None:
    town.drop("loan_510104_202501.csv", "1,借,1,a")
    town.land()
    town.drop("loan_510104_202501_v2.csv", "1,还,1,a", "合计,2笔,1,")
    result = town.land()
    assert [receipt.state for receipt in result.receipts] == ["refused"]
    assert "2 rows" in str(result.receipts[0].reason)
    assert [row[:2] for row in town.ask(LOANS)] == [("510104/2025/1", "loan")]


def test_a_file_written_anew_under_its_old_name_replaces_itself(town: Town) -> None:
    town.drop("member_510104_202501.csv", "张三,a", "李四,a")
    town.land()
    town.drop("member_510104_202501.csv", "张三,a", "王五,a", "赵六,a")
    town.land()
    assert town.ask("SELECT name FROM landing.library__member ORDER BY _row") == [("张三",), ("王五",), ("赵六",)]
    assert town.ask("SELECT count(DISTINCT delivery_id) FROM landing.deliveries") == [(2,)]


def test_the_later_delivery_of_a_record_counts_whatever_comes_first(town: Town) -> None:
    town.drop("loan_510104_202503.csv", "1,还,3,a")
    town.land()
    town.drop("loan_510104_202501.csv", "1,借,1,a", "2,借,1,a")
    town.drop("loan_510105_202501.csv", "1,借,9,a")
    town.land()
    assert [row[:2] for row in town.ask(LOANS)] == [
        ("510104/2025/1", "back"),
        ("510104/2025/2", "loan"),
        ("510105/2025/1", "loan"),
    ]


def test_the_same_record_twice_in_one_file_counts_once(town: Town) -> None:
    town.drop("loan_510104_202501.csv", "1,借,1,a", "2,借,1,a", "2,借,1,a", "1,还,1,a")
    counts = town.land().counts
    assert (counts["rows_accepted"], counts["rows_superseded"], counts["rows_duplicate"]) == (2, 1, 1)
    assert [row[:2] for row in town.ask(LOANS)] == [("510104/2025/1", "back"), ("510104/2025/2", "loan")]


def test_rows_that_look_alike_are_all_kept_where_rows_have_no_number(town: Town) -> None:
    town.drop("member_510104_202501.csv", "张三,a", "张三,a")
    assert town.land().counts["rows_accepted"] == 2


def test_a_mended_contract_lands_the_files_anew(town: Town) -> None:
    town.drop("loan_510104_202501.csv", "1,借,1,a", "2,买,1,a")
    town.land()
    contract = town.sources / "library" / "contract.yml"
    contract.write_text(contract.read_text(encoding="utf-8").replace("loan: [借]", "loan: [借, 买]"), encoding="utf-8")
    town.land()
    assert len(town.ask(LOANS)) == 2
    assert town.ask("SELECT count(*) FROM landing.quarantine") == [(0,)]
    assert town.land().receipts == ()


def test_the_bytes_as_delivered_are_kept(town: Town) -> None:
    file = town.drop("loan_510104_202501.csv", "1,借,1,a")
    (receipt,) = town.land().receipts
    assert (town.home.landing / "library" / receipt.raw_files[0]).read_bytes() == file.read_bytes()


def test_a_missing_folder_is_one_sentence(town: Town) -> None:
    error = land("library", "file:///nowhere/at/all", town.home, sources=town.sources).error
    assert error == "library: the folder /nowhere/at/all does not exist; create it or correct the connection."


def visits(town: Town, *chunks: list[tuple[int, str, object]]) -> None:
    said = [[{"id": n, "at": at, "visitors": str(count)} for n, at, count in rows] for rows in chunks]
    town.visits.write_text(json.dumps(said))


def test_a_reader_of_ones_own_lands_like_any_other_source(town: Town) -> None:
    visits(
        town, [(1, "2025-01-01T00:00:00Z", 5), (2, "2025-01-01T00:00:00Z", "five")], [(3, "2025-01-02T00:00:00Z", 7)]
    )
    counts = town.land("museum").counts
    assert (counts["rows_read"], counts["rows_accepted"], counts["rows_quarantined"]) == (3, 2, 1)
    assert town.ask("SELECT id, visitors FROM landing.museum__visit ORDER BY 1") == [(1, 5), (3, 7)]
    assert town.land("museum").counts["rows_duplicate"] == 3


def test_another_landing_of_the_same_source_waits_its_turn(town: Town) -> None:
    town.drop("loan_510104_202501.csv", "1,借,1,a")
    folder = town.home.landing / "library"
    folder.mkdir(parents=True)
    with (folder / ".lock").open("w") as lock:
        lock.write("4711")
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        error = land("library", f"file://{town.inbox}", town.home, sources=town.sources).error
    assert error == "library: another landing is running (process 4711); wait until it has ended."
    town.land()


def test_what_no_receipt_names_does_not_exist_and_is_removed(town: Town) -> None:
    town.drop("loan_510104_202501.csv", "1,借,1,a")
    town.land()
    folder = town.home.landing / "library"
    (landed,) = (folder / "loan").iterdir()
    stray = [
        folder / "loan" / "20990101T000000000000Z-0001.parquet",
        folder / "quarantine" / "20990101T000000000000Z-0001.parquet",
        folder / "receipts" / "20990101T000000000000Z-0001.json.new",
        folder / "raw" / ".arriving-x",
    ]
    for path in stray:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(landed.read_bytes())
    assert len(town.ask(LOANS)) == 1
    town.land()
    assert not any(path.exists() for path in stray)
    assert landed.exists()


def test_a_receipt_that_does_not_add_up_commits_nothing(home: Home) -> None:
    folder = LandingFolder(home, "library")
    with folder.writing(), pytest.raises(ConservationError, match="2 rows were read and 1 are accounted for"):
        folder.commit("1", [], [Receipt("library/loan/1", "library", "loan", "1", "now", rows_read=2, rows_accepted=1)])
    assert folder.parts() == []


def test_loads_are_in_order_even_when_the_clock_goes_back(home: Home) -> None:
    folder = LandingFolder(home, "library")
    with folder.writing():
        folder.commit("20990101T000000000000Z-0003", [], [])
        assert folder.next_load_id() == "20990101T000000000001Z"


# Lands the same source again and again, each time in a copy of the home, killed one step later than before.
KILLER = """
import os, shutil, signal, sys
from pathlib import Path
import ingest.load, ingest.land_database, ingest.land_files, ingest.records
from ingest.land import land
from ingest.registry import read_source
from warehouse.home import Home
import pandas  # the engine would import it in every child anew

left = 0

def step():
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)

def watched(function):
    def call(*arguments, **options):
        step()
        return function(*arguments, **options)
    return call

Path.replace = watched(Path.replace)
os.fsync = watched(os.fsync)
ingest.load.copy = ingest.land_files.copy = ingest.land_database.copy = ingest.records.copy = watched(ingest.load.copy)
source, uri, first, sources, folder = sys.argv[1:]
read_source(source, Path(sources))
for steps in range(200):
    home = Path(folder) / str(steps)
    shutil.copytree(first, home)
    child = os.fork()
    if child == 0:
        left = steps
        os._exit(1 if land(source, uri, Home(home), sources=Path(sources)).error else 0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code == 0:
        sys.exit(0)
    if code != -signal.SIGKILL:
        sys.exit(2)
sys.exit(3)
"""


@pytest.mark.parametrize("source", ["library", "museum"])
def test_a_kill_between_any_two_steps_leaves_nothing_half_visible(town: Town, tmp_path: Path, source: str) -> None:
    """Killed after 0, 1, 2, … steps, each in a home of its own: what is seen is the old state or the new one, whole."""
    town.drop("loan_510104_202501.csv", "1,借,1,a", "2,买,1,a")
    visits(town, [(1, "2025-01-01T00:00:00Z", 5), (2, "2025-01-01T00:00:00Z", "x")])
    town.land(source)
    relation = "landing.library__loan" if source == "library" else "landing.museum__visit"
    question = f"SELECT * EXCLUDE (_landed_at, _delivery_id) FROM {relation} ORDER BY ALL"
    old, first_home = town.ask(question), town.home
    town.drop("loan_510104_202501_v2.csv", "1,还,1,a", "2,借,1,a", "3,买,1,a")
    visits(town, [(1, "2025-01-01T00:00:00Z", 6), (3, "2025-01-02T00:00:00Z", 7), (4, "2025-01-02T00:00:00Z", "y")])
    uri = f"file://{town.inbox if source == 'library' else town.visits}"
    command = [
        sys.executable,
        "-c",
        KILLER,
        source,
        uri,
        str(first_home.root),
        str(town.sources),
        str(tmp_path / "killed"),
    ]
    subprocess.run(command, cwd=PROJECT, check=True)
    homes = sorted((tmp_path / "killed").iterdir(), key=lambda path: int(path.name))
    assert len(homes) > 8
    states = []
    for root in homes:
        town.home = Home(root)
        states.append(town.ask(question))
    new = states[-1]
    change = states.index(new)
    assert change > 0
    assert states == [old] * change + [new] * (len(states) - change)
    for root in (homes[0], homes[change - 1], homes[change]):
        town.home = Home(root)
        town.land(source)
        assert town.ask(question) == new
        folder = root / "landing" / source
        named = {
            name
            for file in (folder / "receipts").glob("*.json")
            for receipt in json.loads(file.read_text())
            for key in ("rows_files", "quarantine_files", "deleted_files", "raw_files")
            for name in receipt[key]
        }
        kept = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
        assert {name for name in kept if not name.startswith((".lock", "receipts/"))} == named
