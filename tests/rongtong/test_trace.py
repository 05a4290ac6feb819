"""A published cell leads back to the file and row that really carries its value."""

from __future__ import annotations

import csv
import io
import random
import re
import unicodedata
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import openpyxl
import pytest

from rongtong.trace import ATTRIBUTES, Place, Statement, find_places, shown_value, trace_cells
from warehouse.home import PROJECT, Home

CELLS, CELLS_HEAVY, SEED = 300, 10_000, 7
COLUMNS = (
    "name_masked",
    "sex",
    "birth_year",
    "hukou_district",
    "managing_district",
    "life_status",
    "death_date",
    "marital_status",
)
MARITAL_CODES = {"married": "20", "widowed": "30", "divorced": "40"}
SEXES = {"male": {"男", "1", "m", "male", "男性"}, "female": {"女", "2", "f", "female", "女性"}}
ACTS = {"20": {"IA", "ICA"}, "40": {"IB", "ICB"}}
SEEDS = PROJECT / "dbt_project" / "seeds"


def draw(home: Path, number: int) -> list[tuple[str, str, Any]]:
    """So many random cells (citizen, column, value) of the published table citizens that hold something of a record."""
    with duckdb.connect() as connection:
        files = str(home / "published" / "data" / "civil" / "citizens" / "*.parquet")
        rows = connection.execute(
            f"SELECT citizen_id, {', '.join(COLUMNS)} FROM read_parquet('{files}') ORDER BY citizen_id"
        ).fetchall()
    cells = [
        (row[0], column, value)
        for row in rows
        for column, value in zip(COLUMNS, row[1:], strict=True)
        if value not in (None, "alive", "never_recorded")
    ]
    return random.Random(SEED).sample(cells, min(number, len(cells)))


def test_the_row_behind_a_cell_carries_its_value(published: Any) -> None:
    assert assert_cells_lead_to_their_rows(published.home, CELLS) == CELLS


@pytest.mark.heavy
def test_ten_thousand_cells_lead_to_their_rows(published: Any) -> None:
    cells = assert_cells_lead_to_their_rows(published.home, CELLS_HEAVY)
    # What a small city lacks in cells of citizens is drawn from its payments.
    payments = max(CELLS_HEAVY - cells, CELLS)
    assert cells + assert_amounts_lead_to_their_rows(published.home, payments) >= CELLS_HEAVY


def assert_amounts_lead_to_their_rows(root: Path, number: int) -> int:
    """Trace so many random payments; their months add up to the amount in the delivered row. Returns how many."""
    with duckdb.connect() as connection:
        folder = root / "published" / "data" / "civil"
        rows = connection.execute(
            "SELECT m.source_system, m.source_table, m.source_record_id, m.delivery_id, b.yuan FROM"
            f" (SELECT source_system, source_record_id, sum(amount_yuan) AS yuan"
            f" FROM read_parquet('{folder}/benefit_months/*.parquet') GROUP BY ALL) AS b INNER JOIN"
            f" (FROM read_parquet('{folder}/citizen_mentions/*.parquet') WHERE role = 'payee') AS m"
            " USING (source_system, source_record_id) ORDER BY ALL"
        ).fetchall()
    drawn = random.Random(SEED).sample(rows, number)
    places = find_places(Home(root), [row[:4] for row in drawn])
    files: dict[Path, list[list[list[str]]]] = {}
    for *record, _, yuan in drawn:
        cells = texts_at(root, record[0], places[tuple(record)], files)
        assert any(re.sub(r"[,¥￥元]", "", plain(cell)) in written(yuan) for cell in cells), record
    return number


def written(yuan: Decimal) -> set[str]:
    """The ways an amount is typed, apart from separators and units."""
    return {text.replace(".", "·") for text in (f"{yuan:.2f}", f"{yuan:.1f}", f"{yuan:.0f}") if Decimal(text) == yuan}


def assert_cells_lead_to_their_rows(root: Path, number: int) -> int:
    """Trace so many random cells, or all there are; returns how many."""
    cells = draw(root, number)
    traced: dict[tuple[str, str], list[Statement]] = {}
    for said in trace_cells(Home(root), [(citizen, ATTRIBUTES[column]) for citizen, column, _ in cells]):
        traced.setdefault((said.citizen_id, said.attribute), []).append(said)
    files: dict[Path, list[list[list[str]]]] = {}
    for citizen, column, value in cells:
        attribute = ATTRIBUTES[column]
        (chosen,) = [said for said in traced[citizen, attribute] if said.is_chosen]
        assert chosen.rule
        assert_is_the_published_one(chosen, column, value)
        assert chosen.place is not None, (attribute, chosen.source_table)
        texts = texts_of_the_row(root, chosen, files)
        assert carries(chosen, texts), (attribute, chosen.origin, chosen.source_record_id)
    return len(cells)


def assert_is_the_published_one(chosen: Statement, column: str, value: Any) -> None:
    told = chosen.value
    if column == "life_status":
        return
    if column == "death_date":
        assert value == date.fromisoformat(told + "0000-01-01"[len(told) :])
    elif column == "marital_status":
        assert MARITAL_CODES[value] == told
    else:
        assert str(value) == shown_value(chosen.attribute, told)


def texts_of_the_row(root: Path, said: Statement, files: dict[Path, list[list[list[str]]]]) -> list[str]:
    assert said.place is not None
    return texts_at(root, said.source_system, said.place, files)


def texts_at(root: Path, source: str, place: Place, files: dict[Path, list[list[list[str]]]]) -> list[str]:
    """The cells of the row: read from the very file that was delivered, or as the owner's database gave them."""
    if place.file is None:
        return [text for text in place.values.values() if text]
    assert place.kept_as and place.sheet and place.row
    file = root / "landing" / source / place.kept_as
    if file not in files:
        files[file] = read_sheets(file)
    return [text for text in files[file][place.sheet - 1][place.row - 1] if text] + [place.file]


def read_sheets(file: Path) -> list[list[list[str]]]:
    if file.suffix == ".xlsx":
        book = openpyxl.load_workbook(file, data_only=True)
        return [
            [["" if cell is None else str(cell) for cell in row] for row in sheet.iter_rows(values_only=True)]
            for sheet in book.worksheets
        ]
    content = file.read_bytes()
    for encoding in ("utf-8-sig", "utf-16", "gb18030"):
        try:
            return [list(csv.reader(io.StringIO(content.decode(encoding))))]
        except UnicodeDecodeError:
            continue
    raise AssertionError(file)


def plain(text: str) -> str:
    """A text without the habits of typing: width, spaces, dots, case."""
    return re.sub(r"[・•‧∙⋅﹒.]", "·", re.sub(r"[\s'\u200b]", "", unicodedata.normalize("NFKC", text))).upper()


def says_name(name: str, cells: list[str]) -> bool:
    """Whether a plain cell holds a name; a private-use character stands for one that could not be typed."""
    pattern = "".join(f"(?:{re.escape(character)}|[\ue000-\uf8ff])" for character in plain(name))
    return any(re.search(pattern, cell) for cell in cells)


def carries(said: Statement, texts: list[str]) -> bool:
    """Whether one of the texts of a row says what the statement says."""
    cells = [plain(text) for text in texts]
    if said.attribute == "name":
        return says_name(said.value, cells)
    if said.attribute == "sex" and said.origin == "stated":
        return said.role in ("man", "woman") or bool(SEXES[said.value] & {cell.lower() for cell in cells})
    if said.attribute == "sex":
        return any(int(number[16]) % 2 == (said.value == "male") for number in numbers(cells))
    if said.attribute in ("birth_date", "death_date"):
        digits = said.value.replace("-", "")
        in_numbers = any(number[6:14] == digits for number in numbers(cells))
        return in_numbers or any(says_day(cell, said.value) for cell in cells)
    if said.attribute in ("hukou_district", "managing_district"):
        return any(word in cell for word in words_of_district(said.value) for cell in cells)
    if said.value == "30":
        return said.source_table == "cremations"
    return bool(ACTS[said.value] & set(cells))


def numbers(cells: list[str]) -> list[str]:
    """Identity numbers of 18 digits in the cells; older ones of 15 brought into that form."""
    found = [number for cell in cells for number in re.findall(r"(?<!\d)\d{17}[\dXx]", cell)]
    return found + [f"{n[:6]}19{n[6:]}x" for cell in cells for n in re.findall(r"(?<!\d)\d{15}(?!\d)", cell)]


def says_day(cell: str, day: str) -> bool:
    """Whether a cell says a day, as exactly as it is known, in any usual writing."""
    wanted = [int(part) for part in day.split("-")]
    if re.fullmatch(r"\d{8}", cell):
        return [int(cell[:4]), int(cell[4:6]), int(cell[6:])][: len(wanted)] == wanted
    return [int(part) for part in re.findall(r"\d+", cell)][: len(wanted)] == wanted


def words_of_district(code: str) -> set[str]:
    """The code of a district, its names, and the retired codes that lead to it."""
    words = {code}
    for file in ("districts.csv", "district_names.csv", "retired_areas.csv"):
        for row in csv.reader(io.StringIO((SEEDS / file).read_text(encoding="utf-8"))):
            if code in row:
                words |= {word for word in row if re.fullmatch(r"\d{6}|[一-龥]{2,}", word)}
    return words


def test_values_are_withheld_unless_asked_for(published: Any, rongtong: Any) -> None:
    citizen, _, masked = next(cell for cell in draw(published.home, CELLS) if cell[1] == "name_masked")
    shown = rongtong(published.home, "trace", citizen, "name_masked", "--json")
    assert shown.code == 0, shown.err
    assert shown.json["published_value"] == masked
    assert {said["value"] for said in shown.json["statements"] if said["is_chosen"]} == {masked}
    assert all("row_as_delivered" not in said["place"] for said in shown.json["statements"])
    log = published.home / "landing" / "access.jsonl"
    before = log.read_text() if log.exists() else ""
    revealed = rongtong(published.home, "trace", citizen, "name", "--reveal", "--json")
    (chosen,) = [said for said in revealed.json["statements"] if said["is_chosen"]]
    assert shown_value("name", chosen["value"]) == masked
    assert chosen["value"] != masked or len(masked) == 1
    assert says_name(chosen["value"], [plain(text or "") for text in chosen["place"]["row_as_delivered"].values()])
    note = log.read_text().removeprefix(before)
    assert citizen in note and chosen["value"] not in note


def test_a_benefit_month_leads_to_its_payment_row(published: Any, rongtong: Any) -> None:
    asked = rongtong(
        published.home,
        "sql",
        "SELECT source_record_id, sum(amount_yuan) AS yuan, count(*) AS months FROM benefit_months"
        " GROUP BY ALL HAVING count(*) > 1 ORDER BY ALL LIMIT 1",
        "--format",
        "json",
    )
    (payment,) = asked.json
    shown = rongtong(published.home, "trace", "benefit_months", payment["source_record_id"], "--reveal", "--json")
    assert shown.code == 0, shown.err
    assert len(shown.json["benefit_months"]) == payment["months"]
    (place,) = shown.json["places"]
    assert place["file"] and place["row"]
    delivered = re.sub(r"[^\d.]", "", unicodedata.normalize("NFKC", place["row_as_delivered"]["amount"]))
    assert float(delivered) == float(payment["yuan"])


def test_what_cannot_be_traced_is_said_in_one_sentence(published: Any, rongtong: Any) -> None:
    for arguments in (("nobody", "sex"), ("nobody", "mention_count"), ("benefit_months", "nothing")):
        ended = rongtong(published.home, "trace", *arguments)
        assert ended.code == 2, arguments
        assert "Traceback" not in ended.err and ended.err.count("\n") == 1
