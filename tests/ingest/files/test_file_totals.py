"""The totals row is a control: right totals pass, wrong ones refuse the file and name both numbers."""

from __future__ import annotations

from decimal import Decimal

import pytest
from district_folder import PAYMENT, PAYMENT_FILE, DistrictFolder, payment, text, workbook

XLSX_FILE = PAYMENT_FILE.replace(".csv", ".xlsx")


def total(count: str, amount: str, word: str = "合计") -> list[str]:
    return [word, "", count, "", "", "", "", "", amount, "", ""]


def test_a_right_total_passes_and_is_no_row(district: DistrictFolder) -> None:
    rows = [PAYMENT, payment(1), payment(2, "1,400.00"), total("2笔", "2,100.00")]
    facts, _ = district.land_one(text(rows))
    assert facts.state == "accepted", facts.reason
    assert (facts.rows_read, facts.control_rows, facts.control_sum) == (2, 2, Decimal("2100.00"))
    assert (facts.found_rows, facts.found_sum) == (2, Decimal("2100.00"))


@pytest.mark.parametrize(
    "amounts",
    [
        pytest.param(["700元", "￥700", "¥ 700.00"], id="with currency"),
        pytest.param(["７００", "1,400.00", "0"], id="full width and thousands"),
        pytest.param(["2100", "待定", ""], id="what is no number counts zero"),
        pytest.param(["2100.00", "1,2,3", "七百"], id="a misplaced comma is no number"),
    ],
)
def test_amounts_are_added_as_people_type_them(district: DistrictFolder, amounts: list[str]) -> None:
    rows = [payment(number, amount) for number, amount in enumerate(amounts)]
    facts, _ = district.land_one(text([PAYMENT, *rows, total("3笔", "2100元")]))
    assert facts.state == "accepted", facts.reason
    assert facts.found_sum == Decimal("2100.00")


@pytest.mark.parametrize(
    ("count", "amount", "said"),
    [
        pytest.param(
            "3笔", "1400.00", "3 rows and a sum of 1400.00, the rows are 2 rows and a sum of 1400.00", id="count"
        ),
        pytest.param(
            "2笔", "1400.01", "2 rows and a sum of 1400.01, the rows are 2 rows and a sum of 1400.00", id="sum"
        ),
        pytest.param("", "9", "a sum of 9.00, the rows are 2 rows and a sum of 1400.00", id="sum without count"),
    ],
)
def test_a_wrong_total_refuses_the_file_and_says_both_numbers(
    district: DistrictFolder, count: str, amount: str, said: str
) -> None:
    facts, landed = district.land_one(text([PAYMENT, payment(1), payment(2), total(count, amount)]))
    assert (facts.state, facts.reason_code) == ("refused", "control_total")
    assert said in (facts.reason or "")
    assert "row 4" in (facts.reason or "")
    assert not landed.rows("payment")


def test_failed_and_ragged_rows_count_in_the_total(district: DistrictFolder) -> None:
    failed = [*payment(1)[:-1], "失败(退回)"]
    rows = [PAYMENT, failed, payment(2)[:-1], total("2笔", "1400")]
    facts, landed = district.land_one(text(rows))
    assert facts.state == "accepted", facts.reason
    assert [row["_shape_breach"] is None for row in landed.rows("payment")] == [True, False]


@pytest.mark.parametrize("word", ["合计", "合 计", "合　计：", " 合计"])
def test_a_total_is_known_however_it_is_spaced(district: DistrictFolder, word: str) -> None:
    facts, _ = district.land_one(text([PAYMENT, payment(1), total("1笔", "700", word)]))
    assert (facts.rows_read, facts.control_rows) == (1, 1)


def test_a_total_below_a_column_of_numbers_is_known(district: DistrictFolder) -> None:
    rows = [["序号", *PAYMENT], ["1", *payment(1)], ["", *total("1笔", "700")]]
    facts, _ = district.land_one(text(rows))
    assert (facts.rows_read, facts.control_rows, facts.control_sum) == (1, 1, Decimal("700.00"))


def test_a_short_totals_line_is_no_ragged_row(district: DistrictFolder) -> None:
    facts, landed = district.land_one(text([PAYMENT, payment(1)]) + "合计,1笔\r\n".encode("gb18030"))
    assert (facts.control_rows, facts.rows_read) == (1, 1)
    assert landed.values("payment", "_shape_breach") == [None]


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(["制表人：王五", "", "审核：赵六"], id="names after colons"),
        pytest.param(["制表人", "王五", "审核人", "赵六"], id="names in cells of their own"),
        pytest.param(["负责人(签字)："], id="a place to sign"),
        pytest.param(["报表日期：2025年3月31日"], id="a date line below the total"),
        pytest.param(["", "", "审核：赵六"], id="indented"),
    ],
)
def test_signature_lines_are_no_rows(district: DistrictFolder, line: list[str]) -> None:
    facts, _ = district.land_one(text([PAYMENT, payment(1), total("1笔", "700"), line]))
    assert facts.state == "accepted", facts.reason
    assert facts.rows_read == 1


def test_signature_lines_without_a_total_are_no_rows(district: DistrictFolder) -> None:
    facts, _ = district.land_one(text([PAYMENT, payment(1), ["制表人：王五"], ["审核", "赵六"]]))
    assert facts.rows_read == 1


def test_a_payee_named_like_a_signature_word_is_a_row(district: DistrictFolder) -> None:
    rows = [["姓名", *[header for header in PAYMENT if header != "姓名"]]]
    rows.append(["合计民", *[cell for header, cell in zip(PAYMENT, payment(1), strict=True) if header != "姓名"]])
    facts, _ = district.land_one(text(rows))
    assert facts.rows_read == 1


def test_rows_below_the_total_are_read_and_reported(district: DistrictFolder) -> None:
    facts, _ = district.land_one(text([PAYMENT, payment(1), total("2笔", "1400"), payment(2)]))
    assert (facts.state, facts.rows_read) == ("accepted", 2)
    assert "below the totals row" in facts.notices[0]


def sheets(*totals: list[str] | None) -> bytes:
    return workbook(
        *[
            (f"第{n}页", [PAYMENT, payment(n), *([stated] if stated else [])])
            for n, stated in enumerate(totals, start=1)
        ]
    )


@pytest.mark.parametrize(
    ("content", "state"),
    [
        pytest.param(sheets(None, total("2笔", "1400")), "accepted", id="the last sheet sums the file"),
        pytest.param(sheets(total("1笔", "700"), total("1笔", "700")), "accepted", id="each sheet sums itself"),
        pytest.param(
            sheets(total("1笔", "700"), total("2笔", "1400")), "accepted", id="the last of several sums the file"
        ),
        pytest.param(sheets(total("1笔", "700"), total("1笔", "900")), "refused", id="one sheet is wrong"),
        pytest.param(sheets(None, total("1笔", "700")), "refused", id="a single total that leaves out a sheet"),
    ],
)
def test_totals_of_several_sheets(district: DistrictFolder, content: bytes, state: str) -> None:
    facts, _ = district.land_one(content, XLSX_FILE)
    assert facts.state == state, facts.reason
