"""Workbooks: sheets and rows as a spreadsheet program numbers them, numbers as it shows them, bombs not opened."""

from __future__ import annotations

import datetime
import io
import json
import re
import zipfile
from collections.abc import Callable

import openpyxl
import pytest
import xlsxwriter
from district_folder import MEMBER, PAYMENT, DistrictFolder, member, payment, workbook

MEMBER_FILE = "510104/202503/member_510104_202503.xlsx"
PAYMENT_FILE = "510104/202503/payment_510104_202503.xlsx"
NOTE = ("填表说明", [["填表说明"], ["一、按月填报"]])


def rewrite(content: bytes, change: Callable[[str, bytes], bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
    return made.getvalue()


def in_sheet(old: bytes, new: bytes) -> Callable[[str, bytes], bytes]:
    return lambda name, data: data.replace(old, new) if name.endswith("sheet1.xml") else data


def test_sheets_are_numbered_as_shown_and_those_without_header_are_no_data(district: DistrictFolder) -> None:
    made = io.BytesIO()
    book = xlsxwriter.Workbook(made, {"in_memory": True})
    book.add_worksheet("填表说明").write_column(0, 0, ["填表说明", "一、按月填报"])
    book.add_chartsheet("图")
    for name in ("it's 甲", "乙"):
        sheet = book.add_worksheet(name)
        sheet.write(0, 0, "锦江区")
        sheet.write_row(2, 0, MEMBER)
        sheet.write_row(3, 0, member(name))
        sheet.write_row(5, 0, member(name))
    book.close()
    facts, landed = district.land_one(made.getvalue(), MEMBER_FILE)
    assert facts.state == "accepted", facts.reason
    assert [(row["_sheet"], row["_row"]) for row in landed.rows("member")] == [(3, 4), (3, 6), (4, 4), (4, 6)]
    assert landed.values("member", "raw_name") == ["it's 甲", "it's 甲", "乙", "乙"]
    assert any("sheet 1 has no header" in notice for notice in facts.notices)


def test_characters_survive(district: DistrictFolder) -> None:
    names = ["𠅤", "䶮㛃·", "张　三", " 两端 ", "行\n行", "a_x000D_b", "\ue863"]
    _, landed = district.land_one(workbook(("Sheet1", [MEMBER, *map(member, names)])), MEMBER_FILE)
    assert landed.values("member", "raw_name") == names


def test_numbers_come_as_a_spreadsheet_shows_them(district: DistrictFolder) -> None:
    row = [*payment(1)]
    row[4], row[5] = 510104198001011234, 622202012345678
    made = io.BytesIO()
    book = xlsxwriter.Workbook(made, {"in_memory": True})
    sheet = book.add_worksheet()
    sheet.write_row(0, 0, PAYMENT)
    sheet.write_row(1, 0, row)
    sheet.write_number(1, 7, 1)
    sheet.write_number(1, 8, 1400.1)
    sheet.write_datetime(1, 9, datetime.datetime(2022, 3, 15), book.add_format({"num_format": "yyyy-mm-dd"}))
    book.close()
    _, landed = district.land_one(made.getvalue(), PAYMENT_FILE)
    (found,) = landed.rows("payment")
    assert re.fullmatch(r"5\.10104\d*E\+17", found["raw_payee_id_no"])
    assert found["raw_bank_account"] == "622202012345678"
    assert (found["raw_months"], found["raw_amount"], found["raw_paid_on"]) == ("1", "1400.1", "44635")


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        (b"13800000000.0", "13800000000"),
        (b"1.38E+10", "13800000000"),
        (b"5.10104E+17", "5.10104E+17"),
        (b"510104198001011200", "5.10104198001011E+17"),
        (b"6222020123456789", "6.22202012345679E+15"),
        (b"700.10", "700.10"),
    ],
)
def test_a_number_cell_shows_no_digit_that_was_not_typed(district: DistrictFolder, stored: bytes, shown: str) -> None:
    row: list[object] = [*payment(1)]
    row[5] = 4711
    content = rewrite(workbook(("Sheet1", [PAYMENT, row])), in_sheet(b"<v>4711</v>", b"<v>" + stored + b"</v>"))
    _, landed = district.land_one(content, PAYMENT_FILE)
    assert landed.values("payment", "raw_bank_account") == [shown]


def test_text_that_looks_like_such_a_number_is_left_alone(district: DistrictFolder) -> None:
    row = payment(1)
    row[2], row[4], row[5] = "700.0", "510104198001011200", "1E5"
    row[8] = "1E5"
    content = workbook(("Sheet1", [PAYMENT, row]))
    _, landed = district.land_one(content, PAYMENT_FILE)
    (found,) = landed.rows("payment")
    assert (found["raw_household_no"], found["raw_payee_id_no"]) == ("700.0", "510104198001011200")
    assert found["raw_bank_account"] == "1E5"


def test_a_stale_dimension_hides_no_row(district: DistrictFolder) -> None:
    content = workbook(("Sheet1", [MEMBER, *[member(f"名{n}") for n in range(50)]]))
    content = rewrite(content, lambda _, data: re.sub(rb'<dimension ref="[^"]*"', b'<dimension ref="A1:B2"', data))
    facts, _ = district.land_one(content, MEMBER_FILE)
    assert facts.rows_read == 50


def test_a_million_formatted_empty_rows_are_no_rows(district: DistrictFolder) -> None:
    content = workbook(("Sheet1", [MEMBER, member()]))
    content = rewrite(
        content, in_sheet(b"</sheetData>", b'<row r="1048576" spans="1:7"><c r="A1048576" s="0"/></row></sheetData>')
    )
    facts, _ = district.land_one(content, MEMBER_FILE)
    assert (facts.state, facts.rows_read) == ("accepted", 1)


def test_cells_to_the_right_of_the_header_are_kept(district: DistrictFolder) -> None:
    rows = [MEMBER, *[member() for _ in range(30)], [*member(), *[None] * 25, "远"]]
    facts, landed = district.land_one(workbook(("Sheet1", rows)), MEMBER_FILE)
    assert facts.state == "accepted"
    assert json.loads(landed.values("member", "_extra")[-1]) == {"column 33": "远"}


def test_a_hidden_sheet_is_read_and_reported(district: DistrictFolder) -> None:
    content = workbook(("甲", [MEMBER, member("甲")]), ("乙", [MEMBER, member("乙")]))
    content = rewrite(
        content,
        lambda name, data: (
            data.replace(b'sheetId="2"', b'sheetId="2" state="hidden"') if name.endswith("workbook.xml") else data
        ),
    )
    facts, landed = district.land_one(content, MEMBER_FILE)
    assert landed.values("member", "raw_name") == ["甲", "乙"]
    assert any("hidden" in notice for notice in facts.notices)


def test_other_writers_are_read(district: DistrictFolder) -> None:
    book = openpyxl.Workbook()
    for row in ([""], MEMBER, member("𠅤"), [], member("李四")):
        book.active.append(row)
    made = io.BytesIO()
    book.save(made)
    _, landed = district.land_one(made.getvalue(), MEMBER_FILE)
    assert [(row["raw_name"], row["_row"]) for row in landed.rows("member")] == [("𠅤", 3), ("李四", 5)]


def test_prefixed_names_and_strict_workbooks_are_read(district: DistrictFolder) -> None:
    plain = workbook(("Sheet1", [MEMBER, member("甲"), member("乙")]))

    def prefix(name: str, data: bytes) -> bytes:
        return re.sub(rb"<(/?)(\w)", rb"<\1x:\2", data).replace(b"xmlns=", b"xmlns:x=") if "sheet1" in name else data

    def strict(_: str, data: bytes) -> bytes:
        old = b"http://schemas.openxmlformats.org/spreadsheetml/2006/main"
        data = data.replace(old, b"http://purl.oclc.org/ooxml/spreadsheetml/main")
        old = b"http://schemas.openxmlformats.org/officeDocument/2006/relationships"
        return data.replace(old, b"http://purl.oclc.org/ooxml/officeDocument/relationships")

    district.put("510104/202503/member_510104_202503.xlsx", rewrite(plain, prefix))
    district.put("510105/202503/member_510105_202503.xlsx", rewrite(plain, strict))
    landed = district.land()
    assert {facts.state for facts in landed.files} == {"accepted"}, [facts.reason for facts in landed.files]
    assert landed.values("member", "raw_name") == ["甲", "乙"] * 2


def bomb() -> bytes:
    return rewrite(
        workbook(("Sheet1", [MEMBER, member()])), in_sheet(b"</sheetData>", b" " * (64 << 20) + b"</sheetData>")
    )


SOUND = workbook(("Sheet1", [MEMBER, member("张三"), member("李四")]))
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504)


PARTS = [part for part in zipfile.ZipFile(io.BytesIO(SOUND)).infolist() if part.filename.endswith((".xml", ".rels"))]


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.filename)
def test_a_part_damaged_on_the_way_is_refused_before_the_engine_reads_it(
    district: DistrictFolder, part: zipfile.ZipInfo
) -> None:
    begin = part.header_offset + 30 + len(part.filename) + part.compress_size // 2
    damaged = SOUND[:begin] + bytes(byte ^ 0xFF for byte in SOUND[begin : begin + 8]) + SOUND[begin + 8 :]
    facts, _ = district.land_one(damaged, MEMBER_FILE)
    assert (facts.state, facts.reason_code) == ("refused", "truncated"), facts.reason


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [
        pytest.param(b"", "empty_file", "0 bytes", id="zero bytes"),
        pytest.param(SOUND[: len(SOUND) // 2], "truncated", "cut off", id="cut in half"),
        pytest.param(SOUND[:-10], "truncated", "cut off", id="cut at the end"),
        pytest.param(SOUND[:300] + bytes(200) + SOUND[500:], "truncated", "damaged", id="damaged inside"),
        pytest.param(OLE + "EncryptedPackage".encode("utf-16-le"), "password_protected", "password", id="a password"),
        pytest.param(OLE, "wrong_kind", ".xls", id="an old workbook"),
        pytest.param(b"%PDF-1.7", "wrong_kind", "PDF", id="a PDF"),
        pytest.param(b"a,b\n1,2\n", "wrong_kind", "no spreadsheet", id="text"),
        pytest.param(bomb(), "zip_bomb", "unpacks to", id="a bomb"),
        pytest.param(
            workbook(("Sheet1", [MEMBER, member()]), date_1904=True), "date_1904", "1904", id="dates from 1904"
        ),
        pytest.param(workbook(NOTE), "no_header", "no sheet", id="only a note"),
        pytest.param(workbook(("Sheet1", [])), "no_header", "no sheet", id="nothing in it"),
        pytest.param(
            rewrite(SOUND, lambda name, data: data.replace(b"<v>0</v>", b"<v>9999</v>") if "sheet1" in name else data),
            "wrong_shape",
            "sheet 1",
            id="a text that is not there",
        ),
        pytest.param(
            rewrite(
                SOUND,
                lambda name, data: data.replace(b"<worksheet", b"<!DOCTYPE x><worksheet") if "sheet1" in name else data,
            ),
            "wrong_shape",
            "entities",
            id="entities",
        ),
        pytest.param(
            rewrite(SOUND, lambda name, data: data[: len(data) // 2] if name[-12:] == "workbook.xml" else data),
            "truncated",
            "list of sheets",
            id="a broken list of sheets",
        ),
    ],
)
def test_what_is_no_sound_workbook_is_refused_by_name(
    district: DistrictFolder, content: bytes, code: str, said: str
) -> None:
    facts, _ = district.land_one(content, MEMBER_FILE)
    assert (facts.state, facts.reason_code) == ("refused", code), facts.reason
    assert said in (facts.reason or "")
    assert (facts.reason or "").startswith(MEMBER_FILE)


def test_the_reader_recovers_after_a_workbook_that_upsets_the_engine(district: DistrictFolder) -> None:
    broken = rewrite(SOUND, lambda name, data: data.replace(b"<v>0</v>", b"<v>9999</v>") if "sheet1" in name else data)
    district.put("510104/202503/member_510104_202503.xlsx", broken)
    district.put("510105/202503/member_510105_202503.xlsx", SOUND)
    landed = district.land()
    assert landed.accepted == ["510105/202503/member_510105_202503.xlsx"]


def test_a_bomb_under_the_ratio_is_stopped_by_the_contracts_limit(district: DistrictFolder) -> None:
    from dataclasses import replace

    district.contract = replace(district.contract, connector=replace(district.contract.files, maximum_unpacked_mb=0))
    facts, _ = district.land_one(SOUND, MEMBER_FILE)
    assert facts.reason_code == "zip_bomb"
