"""What waits in quarantine is listed without values, goes back to its owner, and leaves when it passes: never lost."""

from __future__ import annotations

import csv
import json
import os
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import xlsxwriter
from owner_database import OwnerDatabase
from page_service import PageService, record

from ingest.corrections import CorrectionsUnusable
from ingest.land import land
from ingest.landing import create_views
from ingest.quarantine import NotWaiting, list_waiting, show_waiting
from ingest.quarantine_export import ID_HEADER, REASON_HEADER, export_waiting
from ingest.replay import Correction, ReplayResult, replay
from warehouse.duck import connect
from warehouse.home import PROJECT, Home

LIBRARY = r"""
title: Library
owner: The branch libraries
release: shadow
freshness_days: 40
nulls: ["", 无]
connector:
  kind: files
  pattern: '(?P<district>\d{6})/(?P<month>\d{6})/(?P<kind>loan)_\d+_\d+(?:_v(?P<version>\d+))?\.(?P<suffix>csv|xlsx)'
  repeats: [同上]
  settle_seconds: 0
code_lists:
  kind: {loan: [借], back: [还]}
entities:
  loan:
    title: One loan
    key: [number]
    record_id: "{_district}/{_year}/{number}"
    latest_by_record: true
    fields:
      number: {headers: [编号], required: true}
      kind: {headers: [类型, 种类], type: code, codes: kind, required: true}
      reader_no: {headers: [身份证号], sensitivity: personal}
      fee: {headers: [费用], type: "decimal(12,2)"}
      place: {headers: [地点]}
"""
HEADER = ("编号", "种类", "身份证号", "费用", "地点", "备注")
# Invented numbers; the first cannot be told from an amount by a spreadsheet program.
READER_NO = "440524188001010014"


class Library:
    """Branch libraries that drop files, and what may be asked of their landing."""

    def __init__(self, folder: Path, home: Home) -> None:
        self.sources, self.inbox, self.home, self.folder = folder / "sources", folder / "inbox", home, folder
        (self.sources / "library").mkdir(parents=True)
        self.agree(LIBRARY)

    def agree(self, contract: str) -> None:
        (self.sources / "library" / "contract.yml").write_text(contract, encoding="utf-8")

    def drop(self, name: str, *rows: tuple[str, ...]) -> None:
        _, district, month = name.split(".")[0].split("_")[:3]
        file = self.inbox / district / month / name
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.suffix == ".xlsx":
            with xlsxwriter.Workbook(str(file)) as book:
                sheet = book.add_worksheet()
                sheet.write_string(0, 0, "图书馆借阅表")
                for number, cells in enumerate([HEADER, *rows], start=1):
                    for column, cell in enumerate(cells):
                        sheet.write_string(number, column, cell)
        else:
            with file.open("w", encoding="gb18030", newline="") as opened:
                csv.writer(opened).writerows([HEADER, *rows])
        old = time.time() - 3600
        os.utime(file, (old, old))

    def land(self) -> None:
        result = land("library", f"file://{self.inbox}", self.home, sources=self.sources)
        assert result.error is None, result.error

    def replay(self, correction: Path | None = None) -> ReplayResult:
        brought = None if correction is None else Correction.read(correction, "district clerk")
        (result,) = replay(self.home, "library", brought, sources=self.sources)
        return result

    def export(self) -> list[Path]:
        return [file.path for file in export_waiting(self.home, self.folder / "out", sources=self.sources)]

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        with connect(extensions=("icu", "json")) as connection:
            create_views(connection, self.home, self.sources)
            return connection.execute(query).fetchall()

    def rows(self) -> list[tuple[Any, ...]]:
        return self.ask("SELECT * FROM landing.library__loan ORDER BY ALL")

    def sums(self) -> list[tuple[Any, ...]]:
        """Per delivery: rows read, accepted + quarantined, and what else became of them."""
        return self.ask(
            "SELECT delivery_id, rows_read, rows_accepted + rows_quarantined, rows_superseded, rows_duplicate "
            "FROM landing.deliveries ORDER BY 1"
        )


@pytest.fixture
def library(tmp_path: Path, home: Home) -> Library:
    made = Library(tmp_path, home)
    made.drop(
        "loan_510104_202501.csv",
        ("1", "借", READER_NO, "1.00", "东馆", "甲"),
        ("2", "买", READER_NO, "2,5", "西馆,二楼", "乙"),
        ("3", "", "", "3.00", "同上", ""),
    )
    made.drop("loan_510105_202501.xlsx", ("1", "买", READER_NO, "7元", "南馆", "丙"), ("2", "借", "", "", "", ""))
    made.land()
    return made


def edit_csv(file: Path, row: int, **values: str) -> None:
    """Change cells of a CSV as an owner does."""
    with file.open(encoding="utf-8-sig", newline="") as opened:
        rows = list(csv.DictReader(opened))
    rows[row].update(values)
    with file.open("w", encoding="utf-8-sig", newline="") as opened:
        writer = csv.DictWriter(opened, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)


def test_the_list_says_everything_but_values(library: Library) -> None:
    later = datetime.now(UTC) + timedelta(days=3, hours=1)
    rows, total = list_waiting(library.home, now=later, sources=library.sources)
    assert total == 3
    assert [(row.position, row.reason_code, row.district, row.age_days, row.owner) for row in rows] == [
        ("sheet 1 row 3", "unknown_code", "510104", 3, "The branch libraries"),
        ("sheet 1 row 4", "missing", "510104", 3, "The branch libraries"),
        ("sheet 1 row 3", "unknown_code", "510105", 3, "The branch libraries"),
    ]
    assert READER_NO not in repr(rows)
    assert "西馆" not in repr(rows)


@pytest.mark.parametrize(
    ("asked", "found"),
    [({"reason": "missing"}, 1), ({"district": "510105"}, 1), ({"source": "library"}, 3), ({"reason": "none"}, 0)],
    ids=["by reason", "by district", "by source", "by a reason that nothing has"],
)
def test_the_list_is_filtered(library: Library, asked: dict[str, str], found: int) -> None:
    assert list_waiting(library.home, sources=library.sources, **asked)[1] == found  # type: ignore[arg-type]  # texts only
    assert len(list_waiting(library.home, sources=library.sources, limit=1, **asked)[0]) == min(found, 1)  # type: ignore[arg-type]  # texts only


def test_ids_survive_another_landing(library: Library) -> None:
    before = {row.quarantine_id for row in list_waiting(library.home, sources=library.sources)[0]}
    library.land()
    assert {row.quarantine_id for row in list_waiting(library.home, sources=library.sources)[0]} == before


def test_values_are_shown_on_demand_only_and_the_look_is_noted(library: Library) -> None:
    row = list_waiting(library.home, sources=library.sources)[0][0]
    (hidden,) = show_waiting(library.home, row.quarantine_id, sources=library.sources)
    assert hidden.values is None
    assert {"reader_no", "kind"} <= set(hidden.fields)
    log = library.home.landing / "access.jsonl"
    assert not log.exists()
    (shown,) = show_waiting(library.home, row.delivery_id, row.position, reveal=True, sources=library.sources)
    assert shown.values is not None
    assert shown.values["reader_no"] == READER_NO
    (line,) = map(json.loads, log.read_text().splitlines())
    assert (line["action"], line["keys"]) == ("quarantine show", [row.quarantine_id])
    assert READER_NO not in log.read_text()
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


def test_a_row_that_does_not_wait_is_named(library: Library) -> None:
    with pytest.raises(NotWaiting, match="no row waits in quarantine under 0123"):
        show_waiting(library.home, "0123", sources=library.sources)


def test_replay_under_the_same_contract_does_nothing(library: Library) -> None:
    def look() -> tuple[Any, ...]:
        files = {file for file in library.home.landing.rglob("*") if file.is_file() and file.name != ".lock"}
        return library.rows(), library.ask("SELECT * FROM landing.quarantine"), files

    before = look()
    result = library.replay()
    assert (result.judged, result.accepted, result.part) == (3, 0, None)
    assert look() == before


def test_replay_after_a_mended_contract_accepts_what_now_passes_and_nothing_else(library: Library) -> None:
    kept, sums = library.rows(), library.sums()
    library.agree(LIBRARY.replace("loan: [借]", "loan: [借, 买]"))
    result = library.replay()
    assert (result.judged, result.accepted) == (3, 1)
    # A fee of "2,5" is still no number, a missing kind still missing.
    assert [set(row.message.split("; ")) for row in result.left] == [
        {"fee is no number of the agreed form"},
        {
            "kind has no value, and must have one",
            "place says “as above”, and the row above is not at hand: give the value itself",
        },
    ]
    after = library.rows()
    assert [row for row in after if row in kept] == kept
    assert library.ask(
        "SELECT _source_record_id, _delivery_id, _position, kind, raw_kind, fee::VARCHAR, raw_fee, "
        "_sheet, _row, _version FROM landing.library__loan WHERE number = '1' AND _district = '510105'"
    ) == [
        (
            "510105/2025/1",
            "library/loan/510105/202501/loan_510105_202501.xlsx",
            "sheet 1 row 3",
            "loan",
            "买",
            "7.00",
            "7元",
            1,
            3,
            1,
        )
    ]
    assert library.sums() == sums
    assert library.ask("SELECT count(*) FROM landing.quarantine") == [(2,)]
    assert library.replay().part is None
    assert library.rows() == after


def test_a_landing_after_a_replay_lands_nothing_twice(library: Library) -> None:
    library.agree(LIBRARY.replace("loan: [借]", "loan: [借, 买]"))
    library.replay()
    before = library.ask("SELECT number, kind, fee, _district FROM landing.library__loan ORDER BY ALL")
    # The mended contract has every file judged anew: the new delivery replaces the old one, replayed row and all.
    library.land()
    assert library.ask("SELECT number, kind, fee, _district FROM landing.library__loan ORDER BY ALL") == before
    assert library.ask("SELECT count(*) FROM landing.quarantine") == [(2,)]
    assert library.ask("SELECT sum(rows_accepted), sum(rows_quarantined) FROM landing.deliveries") == [(3, 2)]


def test_within_a_file_the_later_row_of_a_record_counts_also_after_a_replay(tmp_path: Path, home: Home) -> None:
    library = Library(tmp_path, home)
    library.drop("loan_510104_202501.csv", ("1", "买", "", "1.00", "", ""), ("1", "还", "", "2.00", "", ""))
    library.land()
    library.agree(LIBRARY.replace("loan: [借]", "loan: [借, 买]"))
    assert library.replay().accepted == 1
    assert library.ask("SELECT kind FROM landing.library__loan") == [("back",)]
    assert library.ask("SELECT rows_accepted, rows_quarantined, rows_superseded FROM landing.deliveries") == [(1, 0, 1)]


def test_an_export_has_the_layout_that_the_district_sent(library: Library) -> None:
    files = library.export()
    assert [file.name for file in files] == ["loan_510104.csv", "loan_510105.xlsx"]
    assert files[0].read_bytes().startswith(b"\xef\xbb\xbf")
    with files[0].open(encoding="utf-8-sig", newline="") as opened:
        header, *rows = list(csv.reader(opened))
    assert tuple(header[: len(HEADER)]) == HEADER
    assert header[-2:] == [ID_HEADER, REASON_HEADER]
    assert rows[0][: len(HEADER)] == ["2", "买", READER_NO, "2,5", "西馆,二楼", "乙"]
    assert rows[0][-1] == "kind is a word that the contract does not know; fee is no number of the agreed form"
    sheet = openpyxl.load_workbook(files[1]).active
    assert sheet is not None
    assert [cell.value for cell in sheet[2]][: len(HEADER)] == ["1", "买", READER_NO, "7元", "南馆", "丙"]
    assert stat.S_IMODE(files[0].stat().st_mode) == 0o600


def test_a_corrected_export_comes_back_and_lands(library: Library) -> None:
    sums = library.sums()
    (file, _) = library.export()
    edit_csv(file, 0, 种类="借", 费用="2.50")
    result = library.replay(file)
    assert (result.judged, result.accepted, result.corrected_values) == (2, 1, 2)
    (row,) = library.ask(
        "SELECT kind, raw_kind, fee::VARCHAR, raw_fee, _position, _source_record_id, "
        "list_transform(CAST(CAST(_notices AS JSON) AS STRUCT(field VARCHAR, code VARCHAR, message VARCHAR)[]), "
        "lambda n: n.field || ' ' || n.code) "
        "FROM landing.library__loan WHERE number = '2' AND _district = '510104'"
    )
    assert row == ("loan", "买", "2.50", "2,5", "sheet 1 row 3", "510104/2025/2", ["kind corrected", "fee corrected"])
    assert library.sums() == sums
    ledger = next((library.home.landing / "library" / "corrections").glob("*.parquet"))
    with connect() as connection:
        said = connection.execute(
            f"SELECT field, delivered, corrected, corrected_by, file FROM '{ledger}' ORDER BY field"
        ).fetchall()
    assert said == [
        ("fee", "2,5", "2.50", "district clerk", "loan_510104.csv"),
        ("kind", "买", "借", "district clerk", "loan_510104.csv"),
    ]
    before = library.rows()
    assert library.replay(file).accepted == 0
    library.land()
    assert library.rows() == before


def test_a_corrected_workbook_comes_back_and_lands(library: Library) -> None:
    (_, file) = library.export()
    book = openpyxl.load_workbook(file)
    assert book.active is not None
    book.active["B2"] = "还"
    book.save(file)
    assert library.replay(file).accepted == 1
    assert library.ask("SELECT kind, reader_no FROM landing.library__loan WHERE fee = 7") == [("back", READER_NO)]


def test_a_corrected_row_need_not_be_corrected_again_when_files_are_judged_anew(library: Library) -> None:
    (file, _) = library.export()
    edit_csv(file, 0, 种类="借", 费用="2.50")
    library.replay(file)
    library.agree(LIBRARY.replace("back: [还]", "back: [还, 归]"))
    library.land()
    assert library.ask("SELECT count(*) FROM landing.quarantine") == [(3,)]
    assert library.replay().accepted == 1
    assert library.ask(
        "SELECT fee::VARCHAR, raw_fee FROM landing.library__loan WHERE number = '2' AND _district = '510104'"
    ) == [("2.50", "2,5")]


@pytest.mark.parametrize(
    ("returned", "accepted", "number"),
    [
        ("4.40524E+17", 1, READER_NO),
        ("440524188001010000", 1, READER_NO),
        ("4.5E+17", 0, None),
        ("11010519491231002X", 1, "11010519491231002X"),
    ],
    ids=["cut by the program", "rounded by the program", "another number, cut", "typed anew"],
)
def test_digits_that_a_spreadsheet_program_cut_are_never_taken(
    library: Library, returned: str, accepted: int, number: str | None
) -> None:
    (file, _) = library.export()
    edit_csv(file, 0, 种类="借", 费用="2.50", 身份证号=returned)
    result = library.replay(file)
    assert result.accepted == accepted
    found = library.ask("SELECT reader_no FROM landing.library__loan WHERE number = '2' AND _district = '510104'")
    assert found == ([(number,)] if accepted else [])
    if not accepted:
        assert "row lost digits in a spreadsheet program" in result.left[0].message


def test_a_file_that_was_never_exported_is_refused(library: Library, tmp_path: Path) -> None:
    file = tmp_path / "other.csv"
    file.write_text("编号,种类\n1,借\n", encoding="utf-8")
    with pytest.raises(CorrectionsUnusable, match="must be a file of rongtong quarantine export"):
        library.replay(file)


def test_a_row_of_the_wrong_shape_stays_until_its_owner_rewrites_it(tmp_path: Path, home: Home) -> None:
    library = Library(tmp_path, home)
    library.drop("loan_510104_202501.csv", ("1", "借", "", "1.00", "东馆"), ("2", "借", "", "1.00", "", ""))
    library.land()
    assert library.replay().accepted == 0
    (file,) = library.export()
    edit_csv(file, 0, 地点="东馆")
    assert library.replay(file).accepted == 0
    edit_csv(file, 0, 地点="东馆一楼")
    assert library.replay(file).accepted == 1


def test_a_replay_killed_before_its_commit_leaves_nothing_and_is_done_again(library: Library) -> None:
    library.agree(LIBRARY.replace("loan: [借]", "loan: [借, 买]"))
    before = library.rows(), library.ask("SELECT * FROM landing.quarantine ORDER BY ALL")
    program = (
        "import os, sys; from pathlib import Path\n"
        "from ingest import landing_folder; from ingest.replay import replay; from warehouse.home import Home\n"
        "steps = [0]\n"
        "true_flush = landing_folder._flush\n"
        "def flush(path):\n"
        "    steps[0] += 1\n"
        "    os._exit(9) if steps[0] == int(sys.argv[3]) else true_flush(path)\n"
        "landing_folder._flush = flush\n"
        "replay(Home(Path(sys.argv[1])), 'library', sources=Path(sys.argv[2]))\n"
    )
    for step in (1, 2, 3):
        ended = subprocess.run(
            [sys.executable, "-c", program, str(library.home.root), str(library.sources), str(step)],
            cwd=PROJECT,
            env=os.environ | {"PYTHONPATH": str(PROJECT)},
            check=False,
        )
        assert ended.returncode == 9, step
        assert (library.rows(), library.ask("SELECT * FROM landing.quarantine ORDER BY ALL")) == before
    assert library.replay().accepted == 1
    assert library.replay().accepted == 0


OFFICE = """
title: Registry office
owner: The registry office
release: shadow
freshness_days: 3
connector: {kind: database}
code_lists: {act: {marry: [IA], part: [IB]}}
entities:
  acts:
    title: One act
    key: [id]
    record_id: "{id}"
    watermark: changed_at
    fields:
      id: {type: integer, required: true}
      act: {type: code, codes: act, required: true}
      fee: {type: "decimal(30,12)"}
      said: {}
      changed_at: {type: timestamptz, required: true}
"""


def test_a_record_of_a_database_is_corrected_and_stays_so(
    owner_database: OwnerDatabase, home: Home, tmp_path: Path, look: Callable[..., Any]
) -> None:
    sources = tmp_path / "sources"
    (sources / "office").mkdir(parents=True)
    (sources / "office" / "contract.yml").write_text(OFFICE, encoding="utf-8")
    owner_database.execute(
        "CREATE TABLE acts (id bigint PRIMARY KEY, act varchar(9), fee decimal(30, 12), said text,"
        " changed_at timestamp);"
        "INSERT INTO acts VALUES (1, 'IA', 1, 'a', '2025-01-01 08:00'),"
        " (2, 'XX', 123456789012345678.123456789012, 'two\nlines, “䶮”', '2025-01-02 08:00')"
    )
    assert land("office", owner_database.uri, home, sources=sources).error is None
    (file,) = [each.path for each in export_waiting(home, tmp_path / "out", sources=sources)]
    assert file.name == "acts.csv"
    edit_csv(file, 0, act="IB")
    (result,) = replay(home, "office", Correction.read(file, "registrar"), sources=sources)
    assert result.accepted == 1
    rows = "SELECT id, act, fee::VARCHAR, said, changed_at::VARCHAR FROM landing.office__acts ORDER BY id"
    expected = [
        (1, "marry", "1.000000000000", "a", "2025-01-01 08:00:00+08"),
        (2, "part", "123456789012345678.123456789012", "two\nlines, “䶮”", "2025-01-02 08:00:00+08"),
    ]
    assert look(sources).execute(rows).fetchall() == expected
    # The owner's overlap brings the same faulty row again: it has been dealt with.
    assert land("office", owner_database.uri, home, sources=sources).error is None
    assert look(sources).execute(rows).fetchall() == expected
    assert look(sources).execute("SELECT count(*) FROM landing.quarantine").fetchall() == [(0,)]
    # A later change at the owner counts as always.
    owner_database.execute("UPDATE acts SET act = 'IA', changed_at = '2025-01-03 08:00' WHERE id = 2")
    assert land("office", owner_database.uri, home, sources=sources).error is None
    assert look(sources).execute("SELECT act FROM landing.office__acts ORDER BY id").fetchall() == [
        ("marry",),
        ("marry",),
    ]


def test_a_corrected_key_never_takes_another_records_place(
    registry_office: OwnerDatabase, home: Home, tmp_path: Path, look: Callable[..., Any]
) -> None:
    sources = tmp_path / "sources"
    (sources / "office").mkdir(parents=True)
    (sources / "office" / "contract.yml").write_text(OFFICE, encoding="utf-8")
    registry_office.execute(
        "CREATE TABLE acts (id bigint PRIMARY KEY, act text, fee numeric, said text, changed_at timestamptz);"
        "INSERT INTO acts VALUES (1, 'IA', 1, 'a', now()), (2, 'XX', 1, 'b', now())"
    )
    assert land("office", registry_office.uri, home, sources=sources).error is None
    (file,) = [each.path for each in export_waiting(home, tmp_path / "out", sources=sources)]
    edit_csv(file, 0, act="IB", id="1")
    (result,) = replay(home, "office", Correction.read(file, "registrar"), sources=sources)
    assert (result.accepted, [row.message for row in result.left]) == (0, ["row names a record that is there already"])
    assert look(sources).execute("SELECT said FROM landing.office__acts").fetchall() == [("a",)]


SERVICE = """
title: Service
owner: The service
release: shadow
freshness_days: 3
connector:
  {kind: http, path: /api/v1/certificates, items: items, next_cursor: next, cursor_parameter: cursor,
   since_parameter: updatedSince, page_size_parameter: pageSize, page_size: 2, requests_per_second: 1000}
code_lists: {status: {valid: [valid], void: [void]}}
entities:
  certificates:
    title: One certificate
    key: [cert_id]
    record_id: "{cert_id}"
    watermark: updated_at
    required_objects: [deceased]
    fields:
      cert_id: {path: certId, required: true}
      status: {path: status, type: code, codes: status, required: true}
      deceased_name: {path: deceased.name, sensitivity: personal}
      updated_at: {path: updatedAt, type: timestamptz, required: true}
"""


def test_an_item_without_its_part_stays_and_a_mended_word_passes(
    pages: PageService, home: Home, tmp_path: Path, look: Callable[..., Any]
) -> None:
    sources = tmp_path / "sources"
    (sources / "service").mkdir(parents=True)
    contract = sources / "service" / "contract.yml"
    contract.write_text(SERVICE, encoding="utf-8")
    pages.records = [record(1), record(2, status="gone"), record(3, deceased=None)]
    assert land("service", pages.uri, home, sources=sources).error is None
    contract.write_text(SERVICE.replace("void: [void]", "void: [void, gone]"), encoding="utf-8")
    (result,) = replay(home, "service", sources=sources)
    assert (result.judged, result.accepted) == (2, 1)
    assert [row.message for row in result.left] == ["deceased is missing from the item"]
    assert look(sources).execute(
        "SELECT cert_id, status, raw_status, deceased_name FROM landing.service__certificates ORDER BY 1"
    ).fetchall() == [("F01-000001", "valid", "valid", "赵样例"), ("F01-000002", "void", "gone", "赵样例")]
