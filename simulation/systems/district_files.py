"""The allowance files as the districts' finance sections drop them: one folder per district and month."""

from __future__ import annotations

import csv
import hashlib
import io
import os
import random
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import duckdb
import xlsxwriter
from xlsxwriter.worksheet import Worksheet

from simulation.districts import NAMES
from simulation.systems import SystemsError
from simulation.systems.district_styles import (
    COUNTED,
    HEADERS,
    TITLES,
    UTF16,
    Style,
    choose_styles,
)
from warehouse.duck import connect

POSITIONS = "positions.parquet"
DATES = {"paid_on"}
MONTHS = {"approved_from", "period_from"}
AMOUNTS = {"amount"}
COUNTS = {"insured_count", "months"}
PERSONS = {"head_name", "name", "payee_name"}
LONG_NUMBERS = {"head_id_no", "id_no", "payee_id_no", "disability_cert_no", "bank_account"}
# An empty cell of these means something, or the owner leaves them blank only.
BLANK_ONLY = {"status", "months", "payment_no", "amount", "benefit"}

ROWS_PER_SHEET = 60_000
FETCHED_ROWS = 20_000
# Shares of all files: with a faulty first version; dropped again under another name; in UTF-16.
FAULTY_SHARE, COPY_SHARE, UTF16_SHARE = 0.03, 0.02, 0.02
OTHER_FORM_PERCENT = 10
# Hours after the end of the month at which the last district has sent its files.
SENDING_HOURS = 240

_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_DAMAGED_NUMBER = re.compile(r"\d\.\d+E\+\d+")
_NOTE_LINES = (
    "填表说明",
    "一、本表由各区（市）县财政、民政部门按月填报。",
    "二、同一家庭或者同一笔资金不得重复填报。",
    "三、更正时请重新报送整张表格。",
)

Row = tuple[str | None, ...]


@dataclass(frozen=True)
class _Part:
    """The rows of one sheet, and the sum that the file's 合计 row would give for them."""

    rows: list[Row]
    total: Decimal


@dataclass(frozen=True)
class _Fate:
    """What happens to single files: which start with a faulty version, are dropped twice, or come in UTF-16."""

    faulty: frozenset[tuple[str, str, str]]
    copied: frozenset[tuple[str, str, str]]
    copied_as_version: frozenset[tuple[str, str, str]]
    utf16: frozenset[tuple[str, str, str]]


def write_district_files(city: Path, out: Path, seed: int) -> Path:
    """Write all files of the city's allowance rows under ``out``; return the path of ``positions.parquet`` beside it.

    ``out`` must be absent or empty. ``positions.parquet`` (in ``out``'s parent folder) has one row per allowance row:
    kind, district, month, row_uid, sheet, row, as a spreadsheet program numbers them in the final version of the file.
    Raises ``SystemsError`` when ``out`` holds something or the city lacks a table.
    """
    if out.exists() and any(out.iterdir()):
        raise SystemsError(f"The allowance folder {out} is not empty; empty it before the districts send their files.")
    for kind in HEADERS:
        if not (city / f"{kind}_rows.parquet").exists():
            raise SystemsError(f"The demo city lacks {kind}_rows.parquet in {city}; generate the city again.")
    out.mkdir(parents=True, exist_ok=True, mode=0o700)
    scratch = out.parent / f".{out.name}.scratch"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(mode=0o700)
    duck = connect(scratch / "rows.duckdb", temp_folder=scratch)
    try:
        districts = [
            row[0] for row in duck.execute(f"SELECT DISTINCT district FROM ({_all_rows(city)}) ORDER BY 1").fetchall()
        ]
        styles = choose_styles(districts, seed)
        _register_styles(duck, styles)
        for kind in HEADERS:
            _format_rows(duck, city, kind, seed)
        fate = _choose_fate(duck, styles, seed)
        positions = out.parent / POSITIONS
        _write_positions(duck, positions)
        for kind in HEADERS:
            for district, month, parts in _files(duck, kind):
                _send(out, kind, styles[district], month, parts, fate)
        return positions
    finally:
        duck.close()
        shutil.rmtree(scratch, ignore_errors=True)


# Forms of values, in SQL over all rows at once -----------------------------------------------------------------------


def _all_rows(city: Path) -> str:
    return " UNION ALL ".join(
        f"SELECT '{kind}' AS kind, district, month FROM {_rows_of(city, kind)}" for kind in HEADERS
    )


def _rows_of(city: Path, kind: str) -> str:
    return "read_parquet('" + str(city / f"{kind}_rows.parquet").replace("'", "''") + "')"


def _register_styles(duck: duckdb.DuckDBPyConnection, styles: dict[str, Style]) -> None:
    duck.execute(
        """
        CREATE TABLE styles (
            district varchar, title_rows integer, splits_sheets boolean, note_first boolean, date_form varchar,
            month_form varchar, amount_form varchar, null_share integer, null_words varchar[], repeats_by_word boolean,
            padded_share integer, has_apostrophes boolean, full_width_share integer, unit varchar)
        """
    )
    if not styles:
        return
    duck.executemany(
        "INSERT INTO styles VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            [
                style.district,
                style.title_rows if style.is_spreadsheet else 0,
                style.splits_sheets,
                style.note_sheet == "first",
                style.date_form,
                style.month_form,
                style.amount_form,
                style.null_share,
                list(style.null_words),
                style.repeats_by_word,
                style.padded_share,
                style.has_apostrophes,
                style.full_width_share,
                NAMES.get(style.district, style.district),
            ]
            for style in styles.values()
        ],
    )


def _draw(column: str, purpose: str, seed: int) -> str:
    """A number from 0 to 99, the same at every run, for one value of one row."""
    return f"(hash(row_uid, '{column} {purpose} {seed}') % 100)::integer"


def _day_form(value: str, day: str, forms: dict[str, str], form: str) -> str:
    cases = " ".join(f"WHEN '{name}' THEN {expression}" for name, expression in forms.items())
    return f"CASE WHEN {day} IS NULL THEN {value} ELSE CASE {form} {cases} END END"


def _full_width(value: str) -> str:
    return f"translate({value}, '0123456789', '０１２３４５６７８９')"


def _form_of(kind: str, column: str, seed: int) -> str:
    """SQL of one value as the district types it. A value that is no proper value stays as it is."""
    value = column
    if column in DATES:
        day = f"CASE WHEN regexp_full_match({column}, '\\d{{4}}-\\d{{2}}-\\d{{2}}') THEN try_cast({column} AS date) END"
        forms = {
            "compact": f"replace({column}, '-', '')",
            "dashed": f"concat_ws('-', year({day}), month({day}), day({day}))",
            "serial": f"({day} - DATE '1899-12-30')::varchar",
        }
        value = _day_form(column, day, forms, "date_form")
    elif column in MONTHS:
        day = f"CASE WHEN regexp_full_match({column}, '\\d{{4}}-\\d{{2}}') THEN try_cast({column} || '-01' AS date) END"
        forms = {
            "compact": f"replace({column}, '-', '')",
            "dashed": f"concat_ws('-', year({day}), month({day}))",
            "han": f"concat(year({day}), '年', month({day}), '月')",
            "serial": f"({day} - DATE '1899-12-30')::varchar",
        }
        value = _day_form(column, day, forms, "month_form")
    elif column in AMOUNTS:
        short = f"regexp_replace({column}, '\\.0+$', '')"
        other = ["plain", "comma", "word", "sign", "full_width"]
        turn = f"(hash(row_uid, '{column} turn {seed}') % {len(other)})::integer + 1"
        form = (
            f"CASE WHEN {_draw(column, 'form', seed)} < {OTHER_FORM_PERCENT} THEN {other}[{turn}] ELSE amount_form END"
        )
        value = f"""
            CASE WHEN NOT regexp_full_match({column}, '-?\\d+(\\.\\d+)?') THEN {column} ELSE
            CASE {form} WHEN 'comma' THEN format('{{:,.2f}}', {column}::double) WHEN 'word' THEN {short} || '元'
            WHEN 'sign' THEN '￥' || {short} WHEN 'full_width' THEN {_full_width(column)} ELSE {column} END END"""
    elif column in COUNTS:
        value = (
            f"CASE WHEN {_draw(column, 'width', seed)} < full_width_share THEN {_full_width(column)} ELSE {column} END"
        )
    elif column in PERSONS:
        value = (
            f"CASE WHEN regexp_full_match({column}, '[一-鿿]{{2}}') AND {_draw(column, 'pad', seed)} < padded_share "
            f"THEN concat(left({column}, 1), '　', right({column}, 1)) ELSE {column} END"
        )
    elif column in LONG_NUMBERS:
        value = (
            f"CASE WHEN has_apostrophes AND NOT regexp_matches({column}, '^''|E\\+') THEN '''' || {column} "
            f"ELSE {column} END"
        )
    elif kind == "household" and column == "address":
        value = (
            "CASE WHEN repeats_by_word "
            "AND address = lag(address) OVER (PARTITION BY district, month, sheet ORDER BY place) "
            "THEN '同上' ELSE address END"
        )
    if column in BLANK_ONLY:
        return value
    word = f"null_words[(hash(row_uid, '{column} word {seed}') % len(null_words))::integer + 1]"
    is_worded = f"{_draw(column, 'null', seed)} < null_share"
    return f"CASE WHEN {column} IS NULL THEN CASE WHEN {is_worded} THEN {word} END ELSE {value} END"


def _format_rows(duck: duckdb.DuckDBPyConnection, city: Path, kind: str, seed: int) -> None:
    """Table ``<kind>_formatted``: place in the file, then every field and extra column as text."""
    order = "CASE WHEN repeats_by_word THEN address END, row_uid" if kind == "household" else "row_uid"
    fields = ",\n".join(f"{_form_of(kind, column, seed)} AS {column}" for column in HEADERS[kind])
    total = (
        "CASE WHEN regexp_full_match(amount, '-?\\d+(\\.\\d+)?') THEN try_cast(amount AS decimal(18, 2)) ELSE 0 END"
        if kind == "payment"
        else "0"
    )
    remarks = "['已核对', '经复核，无误', '第一次核对\n第二次核对', '“补录”', '另附\"说明\"'"
    duck.execute(
        f"""
        CREATE TABLE {kind}_formatted AS
        WITH styled AS (
            SELECT * FROM {_rows_of(city, kind)} JOIN styles USING (district)
        ), numbered AS (
            SELECT *,
                row_number() OVER (PARTITION BY district, month ORDER BY {order}) AS place,
                count(*) OVER (PARTITION BY district, month) AS file_rows
            FROM styled
        ), split AS (
            SELECT *, greatest(
                CASE WHEN NOT splits_sheets OR file_rows < 30 THEN 1 WHEN file_rows < 300 THEN 2 ELSE 3 END,
                CAST(ceil(file_rows / {ROWS_PER_SHEET}) AS bigint)) AS sheets
            FROM numbered
        ), placed AS (
            SELECT *, CAST(ceil(file_rows / sheets) AS bigint) AS sheet_rows, (place - 1) // sheet_rows AS sheet
            FROM split
        )
        SELECT district, month, sheet, place, row_uid,
            sheet + 1 + note_first::bigint AS shown_sheet,
            title_rows + 1 + (place - 1) % sheet_rows + 1 AS shown_row,
            coalesce({total}, 0)::decimal(18, 2) AS amount_value,
            {fields},
            place::varchar AS sequence,
            CASE WHEN {_draw("remark", "kind", seed)} < 6
                 THEN {remarks}][(hash(row_uid, 'remark {seed}') % 5)::integer + 1] END AS remark,
            unit
        FROM placed
        """
    )


def _write_positions(duck: duckdb.DuckDBPyConnection, file: Path) -> None:
    parts = " UNION ALL ".join(
        f"SELECT '{kind}' AS kind, district, month, row_uid, shown_sheet::integer AS sheet, shown_row::integer AS row "
        f"FROM {kind}_formatted"
        for kind in HEADERS
    )
    duck.execute(f"COPY ({parts}) TO '{str(file).replace(chr(39), chr(39) * 2)}' (FORMAT parquet)")


# What becomes of single files ----------------------------------------------------------------------------------------


def _choose_fate(duck: duckdb.DuckDBPyConnection, styles: dict[str, Style], seed: int) -> _Fate:
    keys: list[tuple[str, str, str]] = []
    for kind in HEADERS:
        found = duck.execute(f"SELECT DISTINCT district, month FROM {kind}_formatted ORDER BY ALL").fetchall()
        keys += [(kind, district, month) for district, month in found]
    rng = random.Random(f"fate of files {seed}")
    rng.shuffle(keys)
    if not keys:
        return _Fate(frozenset(), frozenset(), frozenset(), frozenset())
    faulty = max(1, round(len(keys) * FAULTY_SHARE))
    copied = max(1, round(len(keys) * COPY_SHARE))
    text = [key for key in keys if not styles[key[1]].is_spreadsheet]
    rng.shuffle(text)
    return _Fate(
        faulty=frozenset(keys[:faulty]),
        copied=frozenset(keys[faulty : faulty + copied]),
        copied_as_version=frozenset(keys[faulty + copied : faulty + 2 * copied]),
        utf16=frozenset(text[: max(1, round(len(text) * UTF16_SHARE))]),
    )


def _files(duck: duckdb.DuckDBPyConnection, kind: str) -> Iterator[tuple[str, str, list[_Part]]]:
    """The rows of each file in turn; memory holds one file's rows."""
    columns = ", ".join([*HEADERS[kind], "sequence", "remark", "unit"])
    result = duck.execute(
        f"SELECT district, month, sheet, amount_value, {columns} FROM {kind}_formatted ORDER BY district, month, place"
    )

    def rows() -> Iterator[tuple[Any, ...]]:
        while fetched := result.fetchmany(FETCHED_ROWS):
            yield from fetched

    for (district, month), group in groupby(rows(), key=itemgetter(0, 1)):
        parts = []
        for _, sheet in groupby(group, key=itemgetter(2)):
            shown = list(sheet)
            parts.append(_Part([row[4:] for row in shown], sum((row[3] for row in shown), Decimal())))
        yield str(district), str(month), parts


def _send(out: Path, kind: str, style: Style, month: str, parts: list[_Part], fate: _Fate) -> None:
    """Write one month's file, with a faulty version before it or a copy behind it where that is its fate."""
    key = (kind, style.district, month)
    folder = out / style.district / month
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    suffix = "xlsx" if style.is_spreadsheet else "csv"
    stem = f"{kind}_{style.district}_{month}"
    encoding = UTF16 if key in fate.utf16 else style.encoding
    content = _make_file(kind, style, month, parts, encoding)
    sent_at = _sending_time(key)
    if key in fate.faulty:
        faulty = _make_file(kind, style, month, _spoil(kind, parts), encoding)
        _drop(folder / f"{stem}.{suffix}", faulty, style, sent_at)
        _drop(folder / f"{stem}_v2.{suffix}", content, style, sent_at + timedelta(days=6))
        return
    _drop(folder / f"{stem}.{suffix}", content, style, sent_at)
    if key in fate.copied:
        _drop(folder / f"{stem} (1).{suffix}", content, style, sent_at + timedelta(hours=1))
    if key in fate.copied_as_version:
        _drop(folder / f"{stem}_v2.{suffix}", content, style, sent_at + timedelta(days=2))


def _spoil(kind: str, parts: list[_Part]) -> list[_Part]:
    """The first, faulty version: the last rows forgotten; in payments, two amounts changed places."""
    last = parts[-1]
    kept = last.rows[: max(1, len(last.rows) - max(1, len(last.rows) // 8))]
    if len(last.rows) == 1 and len(parts) == 1:
        kept = last.rows
    if kind != "payment":
        return [*parts[:-1], _Part(kept, last.total)]
    place = list(HEADERS[kind]).index("amount")
    if len(kept) > 1:
        first, second = list(kept[0]), list(kept[1])
        first[place], second[place] = second[place], first[place]
        kept = [tuple(first), tuple(second), *kept[2:]]
    spoilt = _Part(kept, sum((_amount_of(row[place]) for row in kept), Decimal()))
    return [*parts[:-1], spoilt]


def _amount_of(text: str | None) -> Decimal:
    """The amount a typed value means; zero where it is no number."""
    plain = (text or "").translate(str.maketrans("０１２３４５６７８９", "0123456789", "￥元,"))
    return Decimal(plain) if _NUMBER.fullmatch(plain) else Decimal()


def _sending_time(key: tuple[str, str, str]) -> datetime:
    """When the district sent the file: some hours into the next month, the same at every run."""
    _, _, month = key
    year, number = int(month[:4]), int(month[4:])
    following = datetime(year + number // 12, number % 12 + 1, 1, tzinfo=UTC)
    hours = int.from_bytes(hashlib.sha256("/".join(key).encode()).digest()[:4], "big") % SENDING_HOURS
    return following + timedelta(hours=hours)


def _drop(file: Path, content: bytes, style: Style, sent_at: datetime) -> None:
    file.write_bytes(content)
    files = [file]
    if style.has_digest:
        digest = file.with_name(file.name + ".sha256")
        digest.write_text(f"{hashlib.sha256(content).hexdigest()}  {file.name}\n", encoding="utf-8")
        files.append(digest)
    for written in files:
        os.utime(written, (sent_at.timestamp(), sent_at.timestamp()))


# Bytes of one file ---------------------------------------------------------------------------------------------------


def _make_file(kind: str, style: Style, month: str, parts: Sequence[_Part], encoding: str) -> bytes:
    if style.is_spreadsheet:
        return _make_workbook(kind, style, month, parts)
    return _make_csv(kind, style, parts, encoding)


def _arrange(kind: str, style: Style) -> Callable[[Row], Row]:
    """Picks a row's values in the order of the district's columns."""
    available = [*HEADERS[kind], "sequence", "remark", "unit"]
    places = [available.index(column) for column in style.layouts[kind].columns]
    return itemgetter(*places)


def _total_row(kind: str, style: Style, parts: Sequence[_Part]) -> list[str | None]:
    columns = style.layouts[kind].columns
    row: list[str | None] = [None] * len(columns)
    row[0] = "合计"
    counted, word = COUNTED[kind]
    row[columns.index(counted)] = f"{sum(len(part.rows) for part in parts)}{word}"
    if kind == "payment":
        total = sum((part.total for part in parts), Decimal())
        row[columns.index("amount")] = f"{total:,.2f}" if style.amount_form == "comma" else f"{total:.2f}"
    return row


def _make_csv(kind: str, style: Style, parts: Sequence[_Part], encoding: str) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator=style.newline)
    writer.writerow(style.layouts[kind].headers)
    arrange = _arrange(kind, style)
    for part in parts:
        writer.writerows(map(arrange, part.rows))
    if style.has_total and kind == "payment":
        writer.writerow(_total_row(kind, style, parts))
    if encoding == UTF16:
        return b"\xff\xfe" + text.getvalue().encode("utf-16-le")
    return text.getvalue().encode(encoding)


def _make_workbook(kind: str, style: Style, month: str, parts: Sequence[_Part]) -> bytes:
    buffer = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    if sum(len(part.rows) for part in parts) > FETCHED_ROWS:
        options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    workbook = xlsxwriter.Workbook(buffer, options)
    # The same rows give the same bytes at every run.
    workbook.set_properties({"created": datetime(2000, 1, 1)})
    date_format = workbook.add_format({"num_format": "yyyy-m-d"})
    if style.note_sheet == "first":
        _write_note(workbook.add_worksheet("填表说明"))
    columns = style.layouts[kind].columns
    arrange = _arrange(kind, style)
    numeric = {place for place, column in enumerate(columns) if column in AMOUNTS and style.amount_form == "number"}
    numeric |= {place for place, column in enumerate(columns) if column in COUNTS | {"sequence"}}
    dated = {
        place
        for place, column in enumerate(columns)
        if (column in DATES and style.date_form == "serial") or (column in MONTHS and style.month_form == "serial")
    }
    damaged = {place for place, column in enumerate(columns) if column in LONG_NUMBERS}
    for number, part in enumerate(parts, start=1):
        sheet = workbook.add_worksheet(f"{month}-{number}" if len(parts) > 1 else month)
        line = _write_titles(sheet, kind, style, month)
        sheet.write_row(line, 0, style.layouts[kind].headers)
        for row in map(arrange, part.rows):
            line += 1
            for place, value in enumerate(row):
                if value is None:
                    continue
                if place in numeric and value.isascii() and _NUMBER.fullmatch(value):
                    sheet.write_number(line, place, float(value))
                elif place in dated and value.isascii() and value.isdigit():
                    sheet.write_number(line, place, int(value), date_format)
                elif place in damaged and _DAMAGED_NUMBER.fullmatch(value):
                    sheet.write_number(line, place, float(value))
                else:
                    sheet.write_string(line, place, value)
        if number == len(parts):
            _write_end(sheet, line + 1, _total_row(kind, style, parts), style, kind)
    if style.note_sheet == "last":
        _write_note(workbook.add_worksheet("填表说明"))
    workbook.close()
    return buffer.getvalue()


def _write_titles(sheet: Worksheet, kind: str, style: Style, month: str) -> int:
    """Write the title rows and return the (zero-based) line of the header."""
    place = NAMES.get(style.district, style.district)
    titles = (f"{place}{TITLES[kind]}", f"{month[:4]}年{int(month[4:])}月", f"填报单位：{place}民政局")
    for line, title in enumerate(titles[: style.title_rows]):
        sheet.write_string(line, 0, title)
    return style.title_rows


def _write_end(sheet: Worksheet, line: int, total: list[str | None], style: Style, kind: str) -> None:
    columns = style.layouts[kind].columns
    for place, value in enumerate(total):
        if value is None:
            continue
        if columns[place] in AMOUNTS and style.amount_form == "number":
            sheet.write_number(line, place, float(value))
        else:
            sheet.write_string(line, place, value)
    for number, text in enumerate(("制表：", "审核：")[: style.signature_rows], start=1):
        sheet.write_string(line + number, 0, text)
        sheet.write_string(line + number, len(columns) - 2, "签章：")


def _write_note(sheet: Worksheet) -> None:
    for line, text in enumerate(_NOTE_LINES):
        sheet.write_string(line, 0, text)
