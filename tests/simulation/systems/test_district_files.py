"""The districts' files mean exactly the rows of the city, and show every habit of their writers."""

from __future__ import annotations

import csv
import hashlib
import io
import re
import unicodedata
from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import openpyxl
import pytest

from simulation.systems import SystemsError
from simulation.systems.district_files import AMOUNTS, DATES, LONG_NUMBERS, MONTHS, write_district_files
from simulation.systems.district_styles import HEADERS, NULL_WORDS
from warehouse.duck import connect

_NAME = re.compile(r"(household|member|payment)_(\d{6})_(\d{6})(?:_v(\d+))?\.(csv|xlsx)")
_FIELD_OF = {
    kind: {header: field for field, headers in fields.items() for header in headers} for kind, fields in HEADERS.items()
}
Sheet = list[list[object]]


@dataclass
class Sent:
    """The files of one folder by kind, district, month: the last version, and how many there are."""

    final: dict[tuple[str, str, str], Path]
    versions: dict[tuple[str, str, str], list[Path]]


@pytest.fixture(scope="module")
def out(tiny_city: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("files") / "allowance"
    assert write_district_files(tiny_city, out, 7) == out.parent / "positions.parquet"
    return out


@pytest.fixture(scope="module")
def sent(out: Path) -> Sent:
    versions: dict[tuple[str, str, str], list[tuple[int, Path]]] = defaultdict(list)
    for file in out.rglob("*.*"):
        match = _NAME.fullmatch(file.name)
        if match:
            kind, district, month, version, _ = match.groups()
            assert file.parent == out / district / month
            versions[kind, district, month].append((int(version or 1), file))
    ordered = {key: [file for _, file in sorted(found)] for key, found in versions.items()}
    return Sent({key: files[-1] for key, files in ordered.items()}, ordered)


def _sheets(file: Path) -> list[Sheet]:
    if file.suffix == ".xlsx":
        book = openpyxl.load_workbook(file)
        return [[list(row) for row in sheet.iter_rows(values_only=True)] for sheet in book]
    content = file.read_bytes()
    if content.startswith(b"\xff\xfe"):
        text = content[2:].decode("utf-16-le")
    else:
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = content.decode("gb18030")
    return [[list(row) for row in csv.reader(io.StringIO(text, newline=""))]]


def _meaning(field: str, value: object, above: str | None) -> str | None:
    """What a cell means, in the form in which the city holds it."""
    if value is None or value == "" or value in NULL_WORDS:
        return None
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d" if field in DATES else "%Y-%m")
    if isinstance(value, float) and field in LONG_NUMBERS:
        return f"{value:.5E}"
    text = str(value)
    if field == "address":
        return above if text == "同上" else text
    if field in DATES | MONTHS:
        return _day(field, text)
    if field in AMOUNTS:
        plain = unicodedata.normalize("NFKC", text).strip("元¥￥").replace(",", "")
        return f"{Decimal(plain):.2f}" if re.fullmatch(r"[\d.]+", plain) else text
    if field in ("insured_count", "months"):
        return unicodedata.normalize("NFKC", text)
    if field in LONG_NUMBERS:
        return text.removeprefix("'")
    return text.replace("　", "") if re.search("name$", field) else text


def _day(field: str, text: str) -> str:
    form = "%Y-%m-%d" if field in DATES else "%Y-%m"
    if re.fullmatch(r"\d{5}", text):
        return (date(1899, 12, 30) + timedelta(int(text))).strftime(form)
    if re.fullmatch(r"\d{8}", text):
        return f"{text[:4]}-{text[4:6]}-{text[6:]}"
    if re.fullmatch(r"\d{6}", text):
        return f"{text[:4]}-{text[4:]}"
    parts = re.fullmatch(r"(\d{4})[-年](\d{1,2})(?:-(\d{1,2})|月)?", text)
    return "-".join(part.zfill(2) for part in parts.groups() if part) if parts else text


def _read(kind: str, file: Path) -> tuple[dict[tuple[int, int], dict[str, str | None]], list[object] | None]:
    """Rows by (sheet, row), and the 合计 row."""
    rows: dict[tuple[int, int], dict[str, str | None]] = {}
    total = None
    for number, sheet in enumerate(_sheets(file), start=1):
        header: list[str | None] | None = None
        above: str | None = None
        for line, cells in enumerate(sheet, start=1):
            if header is None:
                fields = [_FIELD_OF[kind].get(str(cell)) for cell in cells]
                if sum(field is not None for field in fields) >= len(HEADERS[kind]):
                    header = fields
                continue
            if cells[0] == "合计":
                total = cells
                break
            row = {field: _meaning(field, cell, above) for field, cell in zip(header, cells, strict=True) if field}
            above = row.get("address")
            rows[number, line] = row
    return rows, total


def test_files_mean_exactly_the_rows_of_the_city_at_their_positions(out: Path, sent: Sent, tiny_city: Path) -> None:
    duck = connect()
    for kind, fields in HEADERS.items():
        expected: dict[tuple[str, str], dict[tuple[int, int], dict[str, str | None]]] = defaultdict(dict)
        query = f"""
            SELECT district, month, sheet, row, {", ".join(fields)}
            FROM read_parquet('{tiny_city / kind}_rows.parquet')
            JOIN read_parquet('{out.parent / "positions.parquet"}') p USING (district, month, row_uid)
            WHERE p.kind = '{kind}'"""
        for district, month, sheet, row, *values in duck.execute(query).fetchall():
            held = dict(zip(fields, values, strict=True))
            for name in ("head_name", "name", "payee_name"):
                if held.get(name):
                    held[name] = held[name].replace("　", "")
            expected[district, month][sheet, row] = held
        assert {key[1:] for key in sent.final if key[0] == kind} == set(expected)
        for (district, month), rows in expected.items():
            assert _read(kind, sent.final[kind, district, month])[0] == rows, (kind, district, month)
    duck.close()


def test_the_control_total_counts_all_rows_and_unreadable_amounts_as_zero(sent: Sent) -> None:
    seen = set()
    for (kind, _, _), files in sent.versions.items():
        for file in files:
            rows, total = _read(kind, file)
            if total is None:
                assert file.suffix == ".csv"
                continue
            seen.add((kind, file.suffix))
            unit = {"household": "户", "member": "人", "payment": "笔"}[kind]
            assert f"{len(rows)}{unit}" in total
            if kind == "payment":
                amounts = [str(row["amount"]) for row in rows.values()]
                readable = [Decimal(text) for text in amounts if re.fullmatch(r"\d+\.\d\d", text)]
                assert len(readable) < len(amounts)
                shown = [str(cell).replace(",", "") for cell in total if cell is not None]
                assert sum(readable) in {Decimal(text) for text in shown if re.fullmatch(r"[\d.]+", text)}
    assert {("payment", ".csv"), ("payment", ".xlsx"), ("household", ".xlsx")} <= seen


def test_every_habit_of_the_districts_is_seen(out: Path, sent: Sent) -> None:
    encodings, titles, sheets = set(), set(), set()
    cells: dict[str, set[str]] = defaultdict(set)
    for (kind, _, _), file in sent.final.items():
        content = file.read_bytes()
        if file.suffix == ".csv":
            if content.startswith(b"\xff\xfe"):
                encodings.add("utf-16")
            elif content.startswith(b"\xef\xbb\xbf"):
                encodings.add("utf-8 with mark")
            else:
                try:
                    content.decode("utf-8")
                    encodings.add("utf-8")
                except UnicodeDecodeError:
                    encodings.add("gb18030")
        for sheet in _sheets(file):
            places = [
                n
                for n, row in enumerate(sheet)
                if {str(cell) for cell in row} & set(HEADERS[kind]["benefit" if kind != "member" else "relation"])
            ]
            if not places:
                sheets.add(str(sheet[0][0]))
                continue
            titles.add(places[0])
            header = [_FIELD_OF[kind].get(str(cell)) for cell in sheet[places[0]]]
            for row in sheet[places[0] + 1 :]:
                for field, cell in zip(header, row, strict=True):
                    if field and cell is not None:
                        cells[field].add(str(cell))
    assert encodings == {"utf-16", "utf-8 with mark", "utf-8", "gb18030"}
    assert titles == {0, 1, 2, 3}
    assert sheets == {"填表说明"}
    assert any(
        len([s for s in _sheets(file) if len(s) > 10]) > 1 for file in sent.final.values() if file.suffix == ".xlsx"
    )
    paid, since, amount = cells["paid_on"], cells["period_from"], cells["amount"]
    assert any(re.fullmatch(r"\d{8}", text) for text in paid)
    assert any(re.fullmatch(r"\d{4}-\d{1,2}-\d{1,2}", text) for text in paid)
    assert any(re.fullmatch(r"\d{5}", text) for text in paid)
    assert any(re.fullmatch(r"\d{4}年\d{1,2}月", text) for text in since)
    assert {"1,400.00", "￥1400", "1400元", "１４００.００"} <= amount
    assert "同上" in cells["address"]
    assert set(NULL_WORDS) <= cells["phone"]
    assert "张　三" in cells["head_name"]
    assert "'11010519491231002X" in cells["head_id_no"]
    assert "1" in cells["insured_count"] and "１" in cells["insured_count"]


def test_versions_and_copies_are_dropped_beside_each_other(out: Path, sent: Sent) -> None:
    replaced = [files for files in sent.versions.values() if len(files) > 1]
    same = [files for files in replaced if files[0].read_bytes() == files[1].read_bytes()]
    assert same
    assert len(same) < len(replaced)
    copies = list(out.rglob("* (1).*"))
    copies = [copy for copy in copies if copy.suffix != ".sha256"]
    assert copies
    for copy in copies:
        assert copy.read_bytes() == copy.with_name(copy.name.replace(" (1)", "")).read_bytes()


def test_half_of_the_districts_send_a_true_digest_with_every_file(out: Path) -> None:
    followers = set()
    for folder in out.iterdir():
        files = [file for file in folder.rglob("*.*") if file.suffix in (".csv", ".xlsx")]
        digests = list(folder.rglob("*.sha256"))
        if not digests:
            continue
        followers.add(folder.name)
        assert len(digests) == len(files)
        for digest in digests:
            shown, name = digest.read_text(encoding="utf-8").split(maxsplit=1)
            assert shown == hashlib.sha256((digest.parent / name.strip()).read_bytes()).hexdigest()
    assert 8 <= len(followers) <= 15


def test_a_district_keeps_its_style_over_the_months_and_the_seed_decides(
    out: Path, sent: Sent, tiny_city: Path, tmp_path: Path
) -> None:
    for (kind, district, _), file in sent.final.items():
        headers = {
            tuple(map(str, row))
            for key, other in sent.final.items()
            if key[:2] == (kind, district)
            for row in _sheets(other)[-1 if other.suffix == ".csv" else 0][:1]
            if other.suffix == file.suffix == ".csv"
        }
        assert len(headers) <= 1
    again = tmp_path / "again"
    write_district_files(tiny_city, again, 7)
    names = sorted(file.relative_to(out) for file in out.rglob("*.*"))
    assert names == sorted(file.relative_to(again) for file in again.rglob("*.*"))
    assert all((out / name).read_bytes() == (again / name).read_bytes() for name in names)
    other = tmp_path / "other"
    write_district_files(tiny_city, other, 8)
    assert names != sorted(file.relative_to(other) for file in other.rglob("*.*"))


def test_a_folder_that_holds_files_is_not_written_into(out: Path, tiny_city: Path) -> None:
    with pytest.raises(SystemsError, match="not empty"):
        write_district_files(tiny_city, out, 7)
