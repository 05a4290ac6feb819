"""A profile tells types, gaps, patterns and code lists, and never a value of a person."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest

from ingest.source_profile import ColumnProfile, describe, profile_table


def profile(values: list[str | None], header: str = "甲") -> ColumnProfile:
    (column,) = profile_table(pa.table({header: pa.array(values, pa.string())}))
    return column


@pytest.mark.parametrize(
    ("values", "looks_like"),
    [
        (["11010519491231002X", "440524188001010014"], "identity number"),
        (["510104202501000001", "510104202501000002"], "long number"),
        (["6222000000000000001"], "long number"),
        (["13900000001", "028-80000000"], "phone"),
        (["2022-03-15", "20220316", "2022年3月17日"], "date"),
        (["2022-03-15 08:00:00+08:00", "2022-03-15T08:00"], "timestamp"),
        (["2022年3月", "202204"], "month"),
        (["510104", "510105"], "integer"),
        (["0", "17"], "integer"),
        (["1,400.00", "700元", "￥700"], "decimal"),
        (["0001", "0002"], "text"),
        (["赵无双", "钱样例", "孙小明"], "name"),
        (["甲类", "乙类", "丙类"], "text"),
        ([None, "无"], "text"),
    ],
)
def test_a_column_is_told_by_its_values(values: list[str | None], looks_like: str) -> None:
    assert profile(values).looks_like == looks_like


@pytest.mark.parametrize(
    ("header", "looks_like"),
    [
        ("户主姓名", "name"),
        ("deceased.name", "name"),
        ("家庭住址", "address"),
        ("一卡通账号", "account"),
        ("手机", "phone"),
    ],
)
def test_a_header_tells_what_values_cannot(header: str, looks_like: str) -> None:
    assert profile(["x", "y"], header).looks_like == looks_like


def test_gaps_lengths_and_patterns_are_counted() -> None:
    column = profile(["A-17", "B-18", "C-190", None, "无", "", "/", "A-17"])
    assert (column.null_share, column.distinct, column.min_length, column.max_length) == (0.5, 3, 4, 5)
    assert column.null_words == ("/", "无")
    assert column.patterns == (("A-99", 0.75), ("A-999", 0.25))


def test_a_few_short_words_that_come_again_and_again_are_a_code_list() -> None:
    column = profile(["在住"] * 30 + ["退租"] * 12 + ["转出"])
    assert (column.looks_like, column.codes, column.rare_words) == ("code", ("在住", "退租"), 1)


@pytest.mark.parametrize(
    ("values", "header"),
    [
        (["赵无双", "钱样例", "孙小明"] * 30, "甲"),
        (["阿依古丽", "欧阳样例"] * 30, "经办人"),
        (["11010519491231002X", "440524188001010014"] * 30, "甲"),
        (["13900000001", "13900000002"] * 30, "甲"),
        (["1949-12-31", "1880-01-01"] * 30, "甲"),
        (["6222000000000000001", "6222000000000000002"] * 30, "甲"),
        (["样例路1号", "样例路2号"] * 30, "住址"),
        (["阿依古丽", "尼玛"], "甲"),
        (["在住"] * 40 + ["阿依古丽"], "状态"),
    ],
    ids=["names", "names by header", "numbers", "phones", "births", "accounts", "addresses", "few rows", "a slip"],
)
def test_no_value_of_a_person_is_ever_told(values: list[str], header: str) -> None:
    told = json.dumps(describe([profile(values, header)]), ensure_ascii=False)
    assert not [value for value in set(values) if value in told and value != "在住"]


def test_most_values_decide_and_the_share_is_told() -> None:
    column = profile(["2022-03-15"] * 9 + ["不记得"])
    assert (column.looks_like, column.readable_share) == ("date", 0.9)
