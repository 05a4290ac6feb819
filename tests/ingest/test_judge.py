"""Rows are judged field by field: every breach is shown red and green, and every form of a value that people type."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.contract import Contract, read_contract
from ingest.judge import find_repeating, fold, judge, read_date, read_month, read_number, register_functions
from warehouse.duck import connect

CONTRACT = r"""
title: Library
owner: The library
release: shadow
freshness_days: 3
nulls: ["", 无, 不详, "/", "-"]
connector:
  kind: files
  pattern: '(?P<district>\d{6})/(?P<month>\d{6})/(?P<kind>loan)\.(?P<suffix>csv)'
  repeats: [同上]
code_lists:
  kind: {loan: [借], back: ["归还(退回)", "2"]}
  yes_no: {"true": [是], "false": [否]}
entities:
  loan:
    title: One loan
    record_id: "{_district}/{_year}/{number}"
    fields:
      number: {headers: [编号], required: true}
      kind: {headers: [类型], type: code, codes: kind, required: true}
      day: {headers: [日期], type: date}
      soft_day: {headers: [还期], type: date, on_breach: notice}
      month: {headers: [月份], type: month}
      fee: {headers: [费用], type: "decimal(12,2)"}
      copies: {headers: [册数], type: integer, minimum: 1, maximum: 99, default: "1"}
      lost: {headers: [遗失], type: boolean, codes: yes_no, on_breach: notice}
      at: {headers: [时间], type: timestamptz}
      place: {headers: [地点], corrections: [{delivered: 总官, meant: 总馆, reason: agreed with the owner}]}
"""
GOOD = {"number": "7", "kind": "借"}


@pytest.fixture(scope="module")
def duck() -> Iterator[duckdb.DuckDBPyConnection]:
    connection = connect(extensions=("icu", "json"))
    register_functions(connection)
    yield connection
    connection.close()


@pytest.fixture(scope="module")
def contract(tmp_path_factory: pytest.TempPathFactory) -> Contract:
    folder = tmp_path_factory.mktemp("sources") / "library"
    folder.mkdir()
    (folder / "contract.yml").write_text(CONTRACT, encoding="utf-8")
    return read_contract(folder)


def judged(
    duck: duckdb.DuckDBPyConnection, contract: Contract, *rows: dict[str, str | None]
) -> list[dict[str, object]]:
    entity = contract.entity("loan")
    columns: dict[str, list[object]] = {
        f"raw_{field.name}": [(GOOD | row).get(field.name) for row in rows] for field in entity.fields
    }
    table = {name: pa.array(values, pa.string()) for name, values in columns.items()}
    places = {"_file": "f", "_district": "510104", "_month": "202503", "_kind": "loan", "_extra": None}
    table |= {name: pa.array([value] * len(rows), pa.string()) for name, value in places.items()}
    numbers = {"_version": [1] * len(rows), "_sheet": [1] * len(rows), "_row": list(range(2, len(rows) + 2))}
    table |= {name: pa.array(values, pa.int32()) for name, values in numbers.items()}
    duck.register("delivered", pa.table(table))
    types = dict(duck.execute("SELECT column_name, column_type FROM (DESCRIBE delivered)").fetchall())
    repeating = find_repeating(duck, contract, entity, "delivered", types)
    query = judge(
        contract, entity, "delivered", types, position="concat('row ', _row)", carried=["_row"], repeating=repeating
    )
    result = duck.execute(f"SELECT * FROM ({query}) ORDER BY _row")
    names = [column[0] for column in result.description or []]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def breaches(row: dict[str, object]) -> list[tuple[str, str]]:
    listed = row["_breaches"] or []
    assert isinstance(listed, list)
    return [(breach["field"], breach["code"]) for breach in listed]


@pytest.mark.parametrize(
    ("field", "bad", "code", "good", "value"),
    [
        pytest.param("number", None, "missing", " 8　", "8", id="a number that must be there"),
        pytest.param("number", "不详", "missing", "'0012", "0012", id="a word for nothing is nothing"),
        pytest.param("kind", "买", "unknown_code", "借", "loan", id="a word of the code list"),
        pytest.param("kind", "３", "unknown_code", "２", "back", id="codes are compared after folding"),
        pytest.param("kind", "归还", "unknown_code", "归还（退回）", "back", id="full-width brackets are brackets"),
        pytest.param("kind", "/", "missing", " 借 ", "loan", id="blanks around a code"),
        pytest.param("day", "2022年3月", "unreadable_date", "2022-3-15", date(2022, 3, 15), id="a full day"),
        pytest.param("day", "20220230", "unreadable_date", "20220228", date(2022, 2, 28), id="a day of the calendar"),
        pytest.param("day", "soon", "unreadable_date", "44635", date(2022, 3, 15), id="a spreadsheet's day number"),
        pytest.param("month", "2022", "unreadable_month", "2022年3月", date(2022, 3, 1), id="a month in Chinese"),
        pytest.param("month", "202213", "unreadable_month", "202212", date(2022, 12, 1), id="a month of the year"),
        pytest.param("fee", "待定", "unreadable_number", "1,400.00", Decimal("1400.00"), id="thousands"),
        pytest.param("fee", "14,00", "unreadable_number", "￥７００元", Decimal("700.00"), id="full-width and units"),
        pytest.param("fee", "1.234", "unreadable_number", "-12.5", Decimal("-12.50"), id="no more decimals than cents"),
        pytest.param("fee", "1E+5", "unreadable_number", "699.99999999999", Decimal("700.00"), id="a binary fraction"),
        pytest.param("copies", "2本", "unreadable_number", "１２", 12, id="whole numbers"),
        pytest.param("copies", "0", "out_of_range", "1", 1, id="a floor"),
        pytest.param("copies", "100", "out_of_range", "99.0", 99, id="a ceiling"),
        pytest.param("at", "yesterday", "unreadable_timestamp", "", None, id="no moment at all is allowed"),
    ],
)
def test_a_breach_quarantines_and_a_good_value_lands(
    duck: duckdb.DuckDBPyConnection,
    contract: Contract,
    field: str,
    bad: str | None,
    code: str,
    good: str,
    value: object,
) -> None:
    red, green = judged(duck, contract, {field: bad}, {field: good})
    assert breaches(red) == [(field, code)]
    assert json.loads(str(red["_row_json"]))[field] == bad
    assert breaches(green) == []
    assert green["_row_json"] is None
    assert green[field] == value
    assert green[f"raw_{field}"] == good


def test_a_soft_breach_leaves_the_row_with_a_notice(duck: duckdb.DuckDBPyConnection, contract: Contract) -> None:
    red, green = judged(duck, contract, {"soft_day": "明年", "lost": "也许"}, {"soft_day": "2022.3.1", "lost": "否"})
    assert breaches(red) == []
    assert (red["soft_day"], red["lost"]) == (None, None)
    assert [notice["field"] for notice in json.loads(str(red["_notices"]))] == ["soft_day", "lost"]
    assert (green["soft_day"], green["lost"], green["_notices"]) == (date(2022, 3, 1), False, None)


def test_a_message_never_holds_the_value(duck: duckdb.DuckDBPyConnection, contract: Contract) -> None:
    (row,) = judged(duck, contract, {"fee": "张三的工资", "soft_day": "李四说"})
    assert "张三" not in str(row["_breaches"])
    assert "李四" not in str(row["_notices"])


def test_all_breaches_of_a_row_are_listed(duck: duckdb.DuckDBPyConnection, contract: Contract) -> None:
    (row,) = judged(duck, contract, {"number": "", "kind": "买", "fee": "x"})
    assert breaches(row) == [("number", "missing"), ("kind", "unknown_code"), ("fee", "unreadable_number")]


def test_a_default_stands_for_nothing_and_not_for_nonsense(duck: duckdb.DuckDBPyConnection, contract: Contract) -> None:
    nothing, nonsense = judged(duck, contract, {"copies": "-"}, {"copies": "many"})
    assert nothing["copies"] == 1
    assert breaches(nonsense) == [("copies", "unreadable_number")]


def test_as_above_takes_the_value_above_in_the_same_column(duck: duckdb.DuckDBPyConnection, contract: Contract) -> None:
    rows = judged(
        duck, contract, {"place": "东馆"}, {"place": "同上"}, {"place": " 同上"}, {"place": None}, {"place": "同上"}
    )
    assert [row["place"] for row in rows] == ["东馆", "东馆", "东馆", None, None]
    assert rows[1]["raw_place"] == "同上"


def test_a_correction_agreed_with_the_owner_is_applied(duck: duckdb.DuckDBPyConnection, contract: Contract) -> None:
    (row,) = judged(duck, contract, {"place": "总官"})
    assert (row["place"], row["raw_place"]) == ("总馆", "总官")


def test_the_record_id_follows_the_template(duck: duckdb.DuckDBPyConnection, contract: Contract) -> None:
    good, bad = judged(duck, contract, {"number": " 12"}, {"number": None})
    assert good["_source_record_id"] == "510104/2025/12"
    assert bad["_source_record_id"] is None


def test_a_moment_without_offset_is_local_time(duck: duckdb.DuckDBPyConnection, contract: Contract) -> None:
    local, utc = judged(duck, contract, {"at": "2025-03-01 08:00:00"}, {"at": "2025-03-01T00:00:00Z"})
    assert local["at"] == utc["at"]


def test_the_digest_changes_with_every_value(duck: duckdb.DuckDBPyConnection, contract: Contract) -> None:
    rows = judged(duck, contract, {}, {"fee": "1"}, {"copies": "1"}, {"place": "1"}, {"place": ""}, {})
    digests = [row["_row_hash"] for row in rows]
    assert digests[0] == digests[-1]
    assert len(set(digests)) == 5


def ask(duck: duckdb.DuckDBPyConnection, expression: str, values: list[str]) -> list[object]:
    duck.register("asked", pa.table({"n": list(range(len(values))), "typed": pa.array(values, pa.string())}))
    return [row[0] for row in duck.execute(f"SELECT {expression} FROM asked ORDER BY n").fetchall()]


# One engine for all examples of a property: opening one takes longer than asking it.
READER = connect()
register_functions(READER)
FULL_WIDTH = str.maketrans("0123456789-./,", "０１２３４５６７８９－．／，")


@settings(max_examples=60, deadline=None)
@given(day=st.dates(min_value=date(1850, 1, 1), max_value=date(2150, 12, 31)))
def test_every_form_of_a_day_means_that_day(day: date) -> None:
    forms = [
        f"{day:%Y%m%d}",
        f"{day.year}-{day.month}-{day.day}",
        f"{day.year}/{day.month:02}/{day.day:02}",
        f"{day.year}.{day.month}.{day.day}",
        f"{day.year}年{day.month}月{day.day}日",
        f" {day.isoformat()} 00:00:00 ",
        f"{day:%Y%m%d}".translate(FULL_WIDTH),
        day.isoformat().translate(FULL_WIDTH),
    ]
    serial = (day - date(1899, 12, 30)).days
    if 10_000 <= serial <= 73_050:
        forms.append(str(serial))
    assert ask(READER, read_date(fold("typed")), forms) == [day] * len(forms)
    months = [f"{day:%Y%m}", f"{day.year}年{day.month}月", f"{day.year}-{day.month}", *forms]
    assert ask(READER, read_month(fold("typed")), months) == [day.replace(day=1)] * len(months)


@settings(max_examples=60, deadline=None)
@given(amount=st.decimals(min_value=0, max_value=10**9, places=2))
def test_every_form_of_an_amount_means_that_amount(amount: Decimal) -> None:
    plain = f"{amount:f}"
    forms = [
        plain,
        f"{amount:,f}",
        f"{plain}元",
        f"￥{plain}",
        f"¥{amount:,f} ",
        plain.translate(FULL_WIDTH),
        f"{amount:,f}元".translate(FULL_WIDTH),
    ]
    assert ask(READER, read_number(fold("typed"), 2), forms) == [amount] * len(forms)


@settings(max_examples=150, deadline=None)
@given(text=st.text(max_size=20))
def test_no_text_makes_a_reader_fail(text: str) -> None:
    for read in (read_date, read_month, partial(read_number, scale=2)):
        (value,) = ask(READER, read(fold("typed")), [text])
        if isinstance(value, date):
            assert date(1, 1, 1) <= value <= date(9999, 12, 31) + timedelta(0)


def test_typed_values_of_a_server_are_taken_as_they_are(duck: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    folder = tmp_path / "library"
    folder.mkdir()
    (folder / "contract.yml").write_text(
        """
title: Library
owner: The library
release: shadow
freshness_days: 3
connector: {kind: database}
entities:
  loan:
    title: One loan
    key: [id]
    record_id: "{id}"
    fields:
      id: {type: integer, required: true}
      day: {type: date}
      at: {type: timestamptz}
      note: {}
""",
        encoding="utf-8",
    )
    contract = read_contract(folder)
    entity = contract.entity("loan")
    relation = (
        "(SELECT 1 AS raw_id, DATE '1850-01-01' AS raw_day, TIMESTAMP '2025-01-01 08:00:00' AS raw_at, "
        "' 𠅤 ' AS raw_note "
        "UNION ALL SELECT 2, DATE 'infinity', NULL, '')"
    )
    types = {row[0]: row[1] for row in duck.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()}
    query = judge(contract, entity, relation, types, "Asia/Shanghai", position="'x'")
    first, second = duck.execute(
        f'SELECT day, epoch("at"), note, _breaches, _source_record_id FROM ({query}) ORDER BY id'
    ).fetchall()
    assert first == (date(1850, 1, 1), 1735689600.0, " 𠅤 ", None, "1")
    assert second[3][0]["code"] == "unreadable_date"
