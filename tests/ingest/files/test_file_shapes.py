"""Headers are found by content, rows keep the numbers a spreadsheet shows, and no cell slips into another column."""

from __future__ import annotations

import json

import pytest
from district_folder import MEMBER, MEMBER_FILE, PAYMENT, PAYMENT_FILE, DistrictFolder, member, payment, text


def test_title_rows_are_skipped_and_counted(district: DistrictFolder) -> None:
    rows = [["锦江区低保花名册"], ["2025年3月", "单位：元"], [], MEMBER, member("张三"), member("李四")]
    _, landed = district.land_one(text(rows), MEMBER_FILE)
    assert landed.values("member", "_row") == [5, 6]


def test_headers_match_whatever_their_spacing_width_and_order(district: DistrictFolder) -> None:
    header = ["姓　名", " 户 号", "身份证号", "关系", "婚姻状况", "享受低保", "残疾证号\u200b"]
    row = ["张三", "H1", *member()[2:]]
    _, landed = district.land_one(text([header, row], "utf-8"), MEMBER_FILE)
    assert landed.values("member", "raw_name") == ["张三"]
    assert landed.values("member", "raw_household_no") == ["H1"]


def test_every_synonym_of_the_contract_is_understood(district: DistrictFolder) -> None:
    for entity in district.contract.entities:
        for turn in range(max(len(field.headers) for field in entity.fields)):
            header = [field.headers[turn % len(field.headers)] for field in entity.fields]
            path = f"5101{turn:02d}/202503/{entity.name}_5101{turn:02d}_202503.csv"
            district.put(path, text([header, [str(number) for number in range(len(header))]]))
    landed = district.land()
    assert {facts.state for facts in landed.files} == {"accepted"}, [facts.reason for facts in landed.files]
    for entity in district.contract.entities:
        for row in landed.rows(entity.name):
            assert [row[f"raw_{field.name}"] for field in entity.fields] == [
                str(number) for number in range(len(entity.fields))
            ]


def test_line_ends_inside_quotes_do_not_move_row_numbers(district: DistrictFolder) -> None:
    rows = [MEMBER, member("张\n三"), member("李\r\n四"), [""] * 7, [], member("王五")]
    _, landed = district.land_one(text(rows), MEMBER_FILE)
    assert landed.values("member", "raw_name") == ["张\n三", "李\r\n四", "王五"]
    assert landed.values("member", "_row") == [2, 3, 6]


def test_unknown_columns_are_kept_beside_the_row_and_reported(district: DistrictFolder) -> None:
    header = ["序号", *MEMBER, "备注"]
    rows = [header, ["1", *member(), '说"明\n\\'], ["", *member(), ""]]
    facts, landed = district.land_one(text(rows), MEMBER_FILE)
    first, second = landed.values("member", "_extra")
    assert json.loads(first) == {"序号": "1", "备注": '说"明\n\\'}
    assert second is None
    assert [notice for notice in facts.notices if "备注" in notice]


def test_a_value_without_header_is_kept_and_reported(district: DistrictFolder) -> None:
    facts, landed = district.land_one(text([[*MEMBER, ""], [*member(), "?"]]), MEMBER_FILE)
    assert json.loads(landed.values("member", "_extra")[0]) == {"column 8": "?"}
    assert "no header" in facts.notices[0]


def test_short_and_long_rows_are_marked_and_not_shifted(district: DistrictFolder) -> None:
    rows = [MEMBER, member("张三"), member("李四")[:-2], [*member("王五"), "x", "y"], [*member("赵六"), "", ""]]
    facts, landed = district.land_one(text(rows), MEMBER_FILE)
    assert facts.rows_read == 4
    found = landed.rows("member")
    assert [row["_row"] for row in found] == [2, 3, 4, 5]
    assert [row["_shape_breach"] is not None for row in found] == [False, True, True, True]
    assert "row 3 has 5 cells, the header 7" in found[1]["_shape_breach"]
    assert found[2]["raw_name"] == "王五"
    assert json.loads(found[2]["_extra"]) == {"beyond the header": "x,y"}


def test_empty_cells_that_end_every_row_are_none(district: DistrictFolder) -> None:
    rows = [MEMBER, [*member("张三"), "", ""], [*member("李四"), "", ""]]
    _, landed = district.land_one(text(rows), MEMBER_FILE)
    assert landed.values("member", "_shape_breach") == [None, None]
    assert landed.values("member", "raw_name") == ["张三", "李四"]


def test_an_absent_optional_column_is_null(district: DistrictFolder) -> None:
    keep = [position for position, header in enumerate(PAYMENT) if header not in ("月数", "发放状态")]
    rows = [[PAYMENT[position] for position in keep], [payment(1)[position] for position in keep]]
    facts, landed = district.land_one(text(rows))
    assert facts.state == "accepted"
    assert landed.values("payment", "raw_months") == [None]


@pytest.mark.parametrize(
    ("rows", "code", "said"),
    [
        pytest.param(
            [["户号", "姓名", "身份证号", "与户主的关系", *MEMBER[4:]], member()],
            "missing_header",
            "与户主的关系",
            id="renamed",
        ),
        pytest.param([[*MEMBER[:-1]], member()[:-1]], "missing_header", "残疾证号", id="missing"),
        pytest.param(
            [[*MEMBER, "姓名"], [*member(), "x"]], "duplicate_header", "columns 2 and 8", id="twice the same header"
        ),
        pytest.param(
            [[*MEMBER, "成员姓名"], [*member(), "x"]], "duplicate_header", "'成员姓名'", id="two headers of one field"
        ),
        pytest.param([member(), member()], "no_header", "kind member", id="no header"),
        pytest.param([["a"] * 3] * 12 + [MEMBER, member()], "no_header", "first 10 rows", id="header too far down"),
    ],
)
def test_a_wrong_header_refuses_the_file_by_name(
    district: DistrictFolder, rows: list[list[str]], code: str, said: str
) -> None:
    facts, landed = district.land_one(text(rows), MEMBER_FILE)
    assert (facts.state, facts.reason_code) == ("refused", code)
    assert facts.reason is not None
    assert said in facts.reason
    assert not landed.rows("member")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param('H1,"张三,1,户主,未婚,是,\nH2,李四,1,户主,未婚,是,\n', id="to the end of the file"),
        pytest.param('H1,张三,1,户主,未婚,是,"\nH2,李四,1,户主,未婚,是,\n', id="in the last cell"),
        pytest.param('H1,"张三,1,户主,未婚,是,\nH2,"李四",1,户主,未婚,是,\n', id="to the next quotation mark"),
    ],
)
def test_an_open_quotation_mark_refuses_the_file(district: DistrictFolder, body: str) -> None:
    facts, _ = district.land_one(text([MEMBER]) + body.encode("gb18030"), MEMBER_FILE)
    assert (facts.reason_code, facts.rows_read) == ("open_quote", 0)
    assert "row 2" in (facts.reason or "")


def test_a_stray_quotation_mark_inside_a_cell_is_a_character(district: DistrictFolder) -> None:
    body = 'H1,张"三,1,户主,未婚,是,\nH2,李四,1,户主,未婚,是,\n'
    _, landed = district.land_one(text([MEMBER]) + body.encode("gb18030"), MEMBER_FILE)
    assert landed.values("member", "raw_name") == ['张"三', "李四"]


def test_as_above_stays_as_delivered_for_the_judge(district: DistrictFolder) -> None:
    _, landed = district.land_one(text([MEMBER, member("张三"), member("同上")]), MEMBER_FILE)
    assert landed.values("member", "raw_name") == ["张三", "同上"]


def test_a_file_of_a_header_only_has_no_rows(district: DistrictFolder) -> None:
    facts, _ = district.land_one(text([MEMBER]), MEMBER_FILE)
    assert (facts.state, facts.rows_read) == ("accepted", 0)


def test_a_header_repeated_inside_is_no_row(district: DistrictFolder) -> None:
    facts, landed = district.land_one(text([PAYMENT, payment(1), PAYMENT, payment(2)]), PAYMENT_FILE)
    assert facts.rows_read == 2
    assert landed.values("payment", "_row") == [2, 4]


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [
        pytest.param(b"", "empty_file", "0 bytes", id="zero bytes"),
        pytest.param(b"%PDF-1.7\n%\xe2\xe3", "wrong_kind", "PDF", id="a PDF"),
        pytest.param(
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "wrong_kind", "office document", id="an old workbook"
        ),
        pytest.param(b"PK\x03\x04" + bytes(40), "wrong_kind", "ZIP", id="a workbook"),
        pytest.param(b"<html><table><tr><td>x</td></tr></table></html>", "wrong_kind", "web page", id="a web page"),
        pytest.param(text([MEMBER, member()]) + bytes(512), "truncated", "zero bytes", id="a tail of zero bytes"),
        pytest.param("\t".join(MEMBER).encode("gb18030"), "no_header", "commas", id="cells separated by tabs"),
        pytest.param(b"\n\n\n", "no_header", "kind member", id="only line ends"),
    ],
)
def test_what_is_no_table_is_refused_by_name(district: DistrictFolder, content: bytes, code: str, said: str) -> None:
    facts, _ = district.land_one(content, MEMBER_FILE)
    assert (facts.state, facts.reason_code) == ("refused", code)
    assert said in (facts.reason or "")


def test_one_bad_file_does_not_stop_the_others(district: DistrictFolder) -> None:
    district.put(MEMBER_FILE, b"%PDF-1.7")
    district.put(PAYMENT_FILE, text([PAYMENT, payment(1)]))
    landed = district.land()
    assert landed.accepted == [PAYMENT_FILE]
    assert landed[MEMBER_FILE].state == "refused"


def test_every_column_is_text_and_tables_of_one_entity_have_one_schema(district: DistrictFolder) -> None:
    district.put(PAYMENT_FILE, text([PAYMENT, payment(1)]))
    district.put("510105/202503/payment_510105_202503.csv", text([["备注", *PAYMENT[::-1]], ["", *payment(2)[::-1]]]))
    (table,) = district.land().tables["payment"]
    kinds = {column.name: str(column.type) for column in table.schema}
    assert {kinds[f"raw_{field.name}"] for field in district.contract.entity("payment").fields} == {"string"}
    assert {kinds[name] for name in ("_version", "_sheet", "_row")} == {"int32"}
    assert table.num_rows == 2
