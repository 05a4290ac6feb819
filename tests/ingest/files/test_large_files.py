"""A large text goes through in blocks: what it is refused for, what lands and what waits are those of the whole."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from district_folder import PAYMENT, PAYMENT_FILE, payment, text, workbook
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.connection import Connection
from ingest.files import FileFacts, read_deliveries
from ingest.files.csv_file import open_cells
from ingest.files.layout import FileLayout, layout_of
from ingest.land_files import land_files
from ingest.landing import create_views
from ingest.landing_folder import LandingFolder
from ingest.load import Load
from ingest.progress import tell_nobody
from ingest.receipt import Receipt
from ingest.registry import read_source
from warehouse.duck import connect
from warehouse.home import Home

CONTRACT = read_source("allowance")
WHOLE = layout_of(CONTRACT)


def in_blocks(block_bytes: int, rows: int) -> FileLayout:
    return replace(WHOLE, large_bytes=0, block_bytes=block_bytes, chunk_rows=rows)


def drop(folder: Path, content: bytes, name: str = PAYMENT_FILE) -> Connection:
    shutil.rmtree(folder, ignore_errors=True)
    file = folder / "drop" / name
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    an_hour_ago = time.time() - 3600
    os.utime(file, (an_hour_ago, an_hour_ago))
    return Connection.from_uri("allowance", f"file://{folder / 'drop'}")


def read(connection: Connection, home: Home, layout: FileLayout) -> tuple[FileFacts, list[dict[str, Any]]]:
    chunks = list(read_deliveries(CONTRACT, connection, home, layout=layout))
    (facts,) = [facts for chunk in chunks for facts in chunk.files]
    assert [chunk.continues for chunk in chunks] == [True] * (len(chunks) - 1) + [False]
    return facts, [row for chunk in chunks for table in chunk.tables.values() for row in table.to_pylist()]


def assert_read_alike(connection: Connection, home: Home, blocks: FileLayout) -> None:
    facts, wanted = read(connection, home, WHOLE)
    found_facts, found = read(connection, home, blocks)
    assert sorted(found_facts.notices) == sorted(facts.notices)
    assert asdict(replace(found_facts, notices=())) == asdict(replace(facts, notices=()))
    assert found == wanted


# Lines of all the kinds that a district's form has, in any order.
LINES = st.one_of(
    st.builds(payment, st.integers(1, 9), st.sampled_from(["700.00", "1,400.00", "0.10", "二百"])),
    st.sampled_from(
        [
            PAYMENT,
            ["合计", "2笔", "", "", "", "", "", "", "1400.00", "", ""],
            ["合计", "1笔", "", "", "", "", "", "", "700.00"],
            ["制表人：张三"],
            ["制表王五", "", "", ""],
            ["复核", "说明："],
            ["", " ", "　"],
            ["P00010", "城市低保"],
            [*payment(7), "", ""],
            [*payment(8), "多", "余"],
            ["P00011", "同上", "同上", "同上"] + [""] * 7,
        ]
    ),
)


@settings(max_examples=120, deadline=None)
@given(lines=st.lists(LINES, max_size=14), extra=st.booleans(), block=st.integers(1, 400), rows=st.integers(1, 5))
def test_a_file_read_in_blocks_is_the_file_read_whole(
    tmp_path_factory: pytest.TempPathFactory, lines: list[list[str]], extra: bool, block: int, rows: int
) -> None:
    folder = tmp_path_factory.getbasetemp() / "blocks"
    header = [*PAYMENT, ""] if extra else PAYMENT
    connection = drop(folder, text([header, *lines]))
    home = Home(folder / "home")
    assert_read_alike(connection, home, in_blocks(block, rows))


def land_in(
    folder: Path, content: bytes, layout: FileLayout, name: str = PAYMENT_FILE
) -> tuple[Receipt, dict[str, list[Any]]]:
    connection = drop(folder, content, name)
    home = Home(folder / "home")
    landing = LandingFolder(home, "allowance")
    with landing.writing():
        load = Load(CONTRACT, connection, landing, landing.next_load_id(), tell_nobody)
        land_files(load, layout)
    with connect(extensions=("icu", "json")) as views:
        create_views(views, home)
        columns = "* EXCLUDE (_landed_at)"
        rows = views.execute(f"SELECT {columns} FROM landing.allowance__payment ORDER BY _sheet, _row").fetchall()
        waiting = views.execute(
            "SELECT position, reason_code, message, row_json FROM landing.quarantine ORDER BY ALL"
        ).fetchall()
    (receipt,) = load.receipts
    return receipt, {"rows": rows, "waiting": waiting}


def test_a_large_file_lands_like_a_small_one_whatever_lies_across_its_blocks(tmp_path: Path) -> None:
    repeated = ["P00012", "同上", "同上", "同上", "同上", "同上", "同上", "同上", "同上", "同上", "同上"]
    lines = [payment(number) for number in range(20, 60)]
    # As above, many blocks below its value; records told twice and thrice; a broken amount; a cell too many.
    lines += [[f"P0{number}", *repeated[1:]] for number in range(100, 130)]
    lines += [payment(21, "800.00"), payment(22), payment(23, "900.00"), payment(23, "950.00")]
    lines += [payment(61, "七百"), [*payment(62), "多"], ["制表：张三"]]
    whole, landed = land_in(tmp_path / "whole", text([PAYMENT, *lines]), WHOLE)
    receipt, found = land_in(tmp_path / "blocks", text([PAYMENT, *lines]), in_blocks(300, 7))
    assert found == landed
    counts = ("rows_read", "rows_accepted", "rows_quarantined", "rows_superseded", "rows_duplicate", "notices_count")
    assert [getattr(receipt, name) for name in counts] == [getattr(whole, name) for name in counts]
    assert (receipt.rows_superseded, receipt.rows_duplicate, receipt.rows_quarantined) == (3, 1, 2)
    assert len(receipt.rows_files) > 5


def test_a_last_block_may_hold_nothing_but_the_end_of_the_form(tmp_path: Path) -> None:
    lines = [payment(number) for number in range(20, 27)]
    end = [["合计", "7笔", "", "", "", "", "", "", "4900.00", "", ""], ["制表：张三"]]
    receipt, found = land_in(tmp_path, text([PAYMENT, *lines, *end]), in_blocks(1, 1))
    assert (receipt.rows_read, receipt.rows_accepted, receipt.control_rows) == (7, 7, 7)
    assert len(found["rows"]) == len(receipt.rows_files) == 7


def test_a_large_file_whose_total_disagrees_lands_nothing(tmp_path: Path) -> None:
    lines = [payment(number) for number in range(20, 60)] + [["合计", "40笔", "", "", "", "", "", "", "1.00", "", ""]]
    receipt, found = land_in(tmp_path, text([PAYMENT, *lines]), in_blocks(300, 7))
    assert receipt.state == "refused"
    assert "states 40 rows and a sum of 1.00, the rows are 40 rows and a sum of 28000.00" in (receipt.reason or "")
    assert found == {"rows": [], "waiting": []}
    assert not list((tmp_path / "home" / "landing" / "allowance" / "raw").glob("tmp*"))


WORKBOOK_FILE = PAYMENT_FILE.replace(".csv", ".xlsx")


@settings(max_examples=40, deadline=None)
@given(
    sheets=st.lists(st.lists(LINES, max_size=14), min_size=1, max_size=3),
    shift=st.integers(0, 4),
    extra=st.booleans(),
    block=st.integers(1, 4000),
    rows=st.integers(1, 5),
)
def test_a_workbook_read_in_blocks_is_the_workbook_read_whole(
    tmp_path_factory: pytest.TempPathFactory,
    sheets: list[list[list[str]]],
    shift: int,
    extra: bool,
    block: int,
    rows: int,
) -> None:
    folder = tmp_path_factory.getbasetemp() / "workbook-blocks"
    header = [*PAYMENT, "", ""] if extra else PAYMENT
    title = [["发放表"]] * shift
    content = workbook(*[(f"表{n}", [*title, header, *lines]) for n, lines in enumerate(sheets)])
    connection = drop(folder, content, WORKBOOK_FILE)
    home = Home(folder / "home")
    assert_read_alike(connection, home, in_blocks(block, rows))


def test_a_large_workbook_lands_like_a_small_one_whatever_lies_across_its_blocks(tmp_path: Path) -> None:
    above = ["同上"] * 10
    first = [payment(number) for number in range(20, 60)] + [[f"P0{number}", *above] for number in range(100, 130)]
    # Numbers that a spreadsheet shows otherwise than they are stored, far apart; records told again on another sheet.
    for at, amount in ((3, 700.0), (37, 1.38e10), (38, 4.1e17)):
        first[at] = [*payment(20 + at)[:8], amount, *payment(20 + at)[9:]]
    second = [payment(21, "800.00"), payment(22), [*payment(61, "七百")], [f"P0{200}", *above], ["制表：张三"]]
    content = workbook(("一", [["标题"], PAYMENT, *first]), ("空", []), ("二", [PAYMENT, *second]))
    whole, landed = land_in(tmp_path / "whole", content, WHOLE, WORKBOOK_FILE)
    receipt, found = land_in(tmp_path / "blocks", content, in_blocks(300, 7), WORKBOOK_FILE)
    assert landed["rows"]
    assert found == landed
    counts = ("rows_read", "rows_accepted", "rows_quarantined", "rows_superseded", "rows_duplicate", "notices_count")
    assert [getattr(receipt, name) for name in counts] == [getattr(whole, name) for name in counts]
    assert len(receipt.rows_files) > 5
    assert not list((tmp_path / "blocks" / "home" / "landing" / "allowance" / "raw").glob("tmp*"))


def test_a_quotation_mark_that_stays_open_is_named_by_its_row_far_down_a_long_file(tmp_path: Path) -> None:
    lines = [payment(number) for number in range(20, 5000)]
    lines[90][3] = '"王伟'
    content = "\r\n".join(",".join(line) for line in [PAYMENT, *lines]).encode()
    for layout in (WHOLE, in_blocks(4096, 500)):
        receipt, found = land_in(tmp_path, content, layout)
        assert receipt.state == "refused"
        assert "in row 92 a quotation mark is opened and not closed" in (receipt.reason or "")
        assert found == {"rows": [], "waiting": []}


def test_a_mark_inside_a_cell_holds_up_no_block() -> None:
    lines = [payment(number) for number in range(20, 3000)]
    lines[5][3] = '王"伟'
    content = "\r\n".join(",".join(line) for line in [PAYMENT, *lines]).encode()
    entity = WHOLE.entities["payment"]
    _, blocks = open_cells(content, entity, WHOLE, "a.csv", block_bytes=8192)
    sizes = [len(block.row_numbers) for block in blocks]
    assert sum(sizes) == len(lines)
    assert max(sizes) < 300
