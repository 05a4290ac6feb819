"""Leads as spreadsheets: one per managing district to a caseworker, and what comes back as decisions.

A returned row is a decision when its result is filled in. What a row says is its own key: a sheet that comes twice is
taken in once.
"""

from __future__ import annotations

import csv
import os
import zipfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import openpyxl
import xlsxwriter
from openpyxl.utils.exceptions import InvalidFileException

from rongtong.lead_words import (
    RULE_WORDS,
    SEVERITY_WORDS,
    STATE_WORDS,
    EvidenceLine,
    declared_words,
    describe_evidence,
    period_words,
    shortened,
    source_words,
    words_beside_records,
)
from warehouse.home import PROJECT, Home
from warehouse.lake import open_restricted
from warehouse.rooms import RESTRICTED, SCHEMA
from warehouse.worklist import (
    Decision,
    Selection,
    State,
    note_access,
    open_leads,
    record_decisions,
    select_leads,
)

RESULT_WORDS = {
    "属实": State.CONFIRMED,
    "不属实": State.REJECTED,
    "无法核实": State.UNDETERMINED,
    "已处理": State.HANDLED,
}
FINDING, RESULT, VERIFIER, VERIFIED_ON, NOTE = "线索编号", "核查结果", "核查人", "核查日期", "说明"
# Header in Chinese, in English, width in signs.
COLUMNS = (
    (FINDING, "finding", 14),
    ("规则", "rule", 26),
    ("严重程度", "severity", 9),
    ("当事人", "person", 16),
    ("期间", "period", 25),
    ("涉及金额（元）", "amount, yuan", 13),
    ("证据", "evidence: which silo says what", 64),
    ("当前状态", "state", 13),
)
NUMBER_COLUMN = ("证件号码", "identity number", 21)
FILLED = ((RESULT, "result", 12), (VERIFIER, "verified by", 12), (VERIFIED_ON, "verified on", 13), (NOTE, "note", 40))
EVIDENCE_LINES = 12
# Leads that rest on what somebody declared.
DECLARED_RULES = frozenset({"marital_status_differs", "undeclared_marriage"})
HEADER_ROWS_SEARCHED = 10
NO_DISTRICT = "no_district"


class SheetUnusable(Exception):
    """A file is no sheet that was exported here; one sentence."""


@dataclass(frozen=True)
class WrittenSheet:
    """One exported workbook."""

    path: Path
    district: str | None
    leads: int
    finding_ids: tuple[str, ...]


@dataclass(frozen=True)
class Person:
    """A citizen's name and identity number as the restricted lake has chosen them, and the marital statuses that were
    declared, in words.
    """

    name: str | None
    id_no: str | None
    declared: tuple[str, ...] = ()


@dataclass(frozen=True)
class RefusedRow:
    """A row of a returned sheet that was not taken in."""

    file: str
    row: int
    reason: str


@dataclass(frozen=True)
class TakenIn:
    """What became of returned sheets: decisions entered, said before, and rows refused."""

    entered: int
    known: int
    refused: tuple[RefusedRow, ...]


def export_sheets(home: Home, folder: Path, selection: Selection, *, reveal: bool) -> list[WrittenSheet]:
    """Write ``leads_<district>.xlsx`` for every managing district with leads of ``selection`` and note the access.

    ``reveal``: names and identity numbers from the restricted lake instead of masked names. Files are for their owner
    only and appear whole. Raises ``NothingPublished``, ``LakeUnusable``, ``OSError``.
    """
    with open_leads(home) as connection:
        leads, _ = select_leads(connection, selection)
        evidence = describe_evidence(connection, [lead["finding_id"] for lead in leads])
    persons = read_persons(home, {lead["citizen_id"] for lead in leads if lead["citizen_id"]}) if reveal else None
    by_district: dict[str | None, list[dict[str, Any]]] = defaultdict(list)
    for lead in leads:
        by_district[lead["managing_district"]].append(lead)
    home.private_folder(folder)
    written = []
    for district in sorted(by_district, key=lambda code: code or ""):
        path = folder / f"leads_{district or NO_DISTRICT}.xlsx"
        _write_workbook(path, district, by_district[district], evidence, persons)
        ids = tuple(lead["finding_id"] for lead in by_district[district])
        written.append(WrittenSheet(path, district, len(ids), ids))
        note_access(home, "export --reveal" if reveal else "export", ids)
    return written


def read_persons(home: Home, citizen_ids: set[str]) -> dict[str, Person]:
    """Name and identity number of citizens. Raises ``NothingPublished``, ``LakeUnusable``, ``LakeBusy``."""
    with open_restricted(home) as connection:
        rows = connection.execute(
            f"""
            SELECT citizen_id, min(value) FILTER (attribute = 'name'), min(value) FILTER (attribute = 'id_no')
            FROM {RESTRICTED}.{SCHEMA}.citizen_attributes
            WHERE is_chosen AND attribute IN ('name', 'id_no') AND list_contains(?::VARCHAR[], citizen_id)
            GROUP BY citizen_id
            """,
            [sorted(citizen_ids)],
        ).fetchall()
        declared = connection.execute(
            f"""
            SELECT citizen_id, source_system, value, max(said_on), sum(record_count)::BIGINT
            FROM {RESTRICTED}.{SCHEMA}.citizen_attributes
            WHERE attribute = 'marital_status' AND origin = 'declared' AND NOT is_withdrawn
                AND list_contains(?::VARCHAR[], citizen_id)
            GROUP BY ALL ORDER BY ALL
            """,
            [sorted(citizen_ids)],
        ).fetchall()
    silos, statuses = source_words(), defaultdict(list)
    for citizen_id, system, value, said_on, records in declared:
        statuses[citizen_id].append(declared_words(silos.get(system, system), value, said_on, records))
    return {who: Person(name, id_no, tuple(statuses[who])) for who, name, id_no in rows}


def told_of(lead: dict[str, Any], person: Person | None) -> list[str]:
    """What is said of a lead before its records: what they cannot say, and what the person declared, once revealed."""
    told = [words] if (words := words_beside_records(lead)) else []
    if lead["rule"] not in DECLARED_RULES:
        return told
    return told + (list(person.declared) if person else ["申报的婚姻状况未显示"])


def district_names() -> dict[str, str]:
    """Code → name of every district."""
    with (PROJECT / "dbt_project" / "seeds" / "districts.csv").open(encoding="utf-8", newline="") as file:
        return {row["district"]: row["district_name"] for row in csv.DictReader(file)}


def _write_workbook(
    path: Path,
    district: str | None,
    leads: list[dict[str, Any]],
    evidence: dict[str, list[EvidenceLine]],
    persons: dict[str, Person] | None,
) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        # Opened first: for its owner only from the first byte.
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
        with xlsxwriter.Workbook(str(part), {"strings_to_formulas": False, "strings_to_urls": False}) as book:
            name = district_names().get(district or "", district or "无管理区")
            sheet = book.add_worksheet(f"线索 {name}"[:31])
            columns = COLUMNS[:4] + ((NUMBER_COLUMN,) if persons is not None else ()) + COLUMNS[4:] + FILLED
            rows = [_cells(lead, evidence.get(lead["finding_id"], []), persons) for lead in leads]
            _fill(book, sheet, columns, rows)
            _explain(book)
        os.replace(part, path)
    except xlsxwriter.exceptions.FileCreateError as error:
        raise OSError(None, "the disk is full or the folder cannot be written to", str(part)) from error
    finally:
        part.unlink(missing_ok=True)


def _cells(lead: dict[str, Any], evidence: list[EvidenceLine], persons: dict[str, Person] | None) -> list[Any]:
    """The filled cells of one lead, in the order of the columns."""
    person = (persons or {}).get(lead["citizen_id"] or "")
    name = (person.name if person else None) or lead["name_masked"] or lead["household_key"] or lead["citizen_id"]
    shown = told_of(lead, person) + shortened(evidence, EVIDENCE_LINES)
    return [
        lead["finding_id"],
        RULE_WORDS.get(lead["rule"], lead["rule"]),
        SEVERITY_WORDS.get(lead["severity"], lead["severity"]),
        name,
        *([person.id_no if person else None] if persons is not None else []),
        period_words(lead),
        float(lead["amount_yuan"]),
        "\n".join(shown),
        STATE_WORDS[State(lead["state"])],
    ]


def _fill(book: Any, sheet: Any, columns: Sequence[tuple[str, str, int]], rows: list[list[Any]]) -> None:
    header = book.add_format(
        {"bold": True, "text_wrap": True, "valign": "vcenter", "align": "center", "border": 1, "bg_color": "#DDE7F0"}
    )
    to_fill = book.add_format({"text_wrap": True, "valign": "top", "border": 1, "bg_color": "#FFF9E5"})
    day = book.add_format({"num_format": "yyyy-mm-dd", "valign": "top", "border": 1, "bg_color": "#FFF9E5"})
    text = book.add_format({"text_wrap": True, "valign": "top", "border": 1, "num_format": "@"})
    yuan = book.add_format({"num_format": "#,##0.00", "valign": "top", "border": 1})
    sheet.freeze_panes(1, 1)
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(0)
    sheet.set_row(0, 34)
    place = {}
    for index, (chinese, english, width) in enumerate(columns):
        place[chinese] = index
        sheet.set_column(index, index, width)
        sheet.write_string(0, index, f"{chinese}\n{english}", header)
    for number, cells in enumerate(rows, start=1):
        for index, value in enumerate(cells):
            if isinstance(value, float):
                sheet.write_number(number, index, value, yuan)
            else:
                sheet.write_string(number, index, "" if value is None else str(value), text)
        for name, _, _ in FILLED:
            sheet.write_blank(number, place[name], None, day if name == VERIFIED_ON else to_fill)
    last = max(len(rows), 1)
    sheet.autofilter(0, 0, last, len(columns) - 1)
    sheet.data_validation(
        1,
        place[RESULT],
        last,
        place[RESULT],
        {
            "validate": "list",
            "source": list(RESULT_WORDS),
            "error_title": "核查结果",
            "error_message": f"请选择：{'、'.join(RESULT_WORDS)}",
        },
    )
    sheet.data_validation(
        1,
        place[VERIFIED_ON],
        last,
        place[VERIFIED_ON],
        {
            "validate": "date",
            "criteria": ">=",
            "value": date(2000, 1, 1),
            "error_title": "核查日期",
            "error_message": "请填写日期，例如 2026-01-20",
        },
    )


def _explain(book: Any) -> None:
    """The second sheet: how the first is filled in and returned."""
    sheet = book.add_worksheet("填写说明")
    wrapped = book.add_format({"text_wrap": True, "valign": "top"})
    sheet.set_column(0, 0, 90)
    lines = (
        "线索须人工核实，不是结论，也不是停发依据。A lead is to be verified; it is no verdict and stops nothing.",
        "每条线索一行，请填写黄色的四列：核查结果（下拉选择）、核查人、核查日期、说明。其他列请勿改动。",
        "One row per lead. Fill in the four yellow columns; leave the others as they are.",
        "属实 confirmed；不属实 rejected（以后不再提示）；无法核实 undetermined；已处理 verified and dealt with。",
        "未核查的行留空，整表交回即可；同一张表可分几次交回。",
        "Leave rows that wait empty; a sheet may come back several times.",
    )
    for row, line in enumerate(lines):
        sheet.write_string(row, 0, line, wrapped)


def take_in_sheets(home: Home, files: Sequence[Path], today: date) -> TakenIn:
    """Enter every filled row of returned sheets as a decision; a row that cannot be one is refused, the rest goes in.

    Raises ``SheetUnusable`` before anything is entered when a file is none that was exported here.
    """
    refused: list[RefusedRow] = []
    rows: list[tuple[str, int, Decision]] = []
    for file in files:
        for number, cells in _read_rows(file):
            decision = _read_decision(file.name, number, cells, today)
            if isinstance(decision, Decision):
                rows.append((file.name, number, decision))
            elif decision is not None:
                refused.append(decision)
    rows, contradictions = _without_contradictions(rows, _whole_ids(home, {row[2].finding for row in rows}))
    refused += contradictions
    noted = record_decisions(home, [decision for _, _, decision in rows]) if rows else []
    entered = known = 0
    for (file_name, number, decision), note in zip(rows, noted, strict=True):
        entered += note.is_new
        if not note.is_new and (note.refusal is None or note.before == decision.state):
            known += 1
        elif note.refusal is not None:
            refused.append(RefusedRow(file_name, number, note.refusal))
    return TakenIn(entered, known, tuple(sorted(refused, key=lambda row: (row.file, row.row))))


def _read_rows(file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows under the header, as (row number of a spreadsheet program, header → value)."""
    if not file.exists():
        raise SheetUnusable(f"{file}: there is no such file; name a workbook that a district sent back.")
    try:
        book = openpyxl.load_workbook(file, read_only=True, data_only=True)
    except (OSError, zipfile.BadZipFile, InvalidFileException, KeyError, ValueError) as error:
        raise SheetUnusable(f"{file} cannot be read as an .xlsx workbook ({type(error).__name__}).") from None
    try:
        for sheet in book.worksheets:
            columns: dict[str, int] | None = None
            for number, values in enumerate(sheet.iter_rows(values_only=True), start=1):
                if columns is not None:
                    yield number, {name: values[at] if at < len(values) else None for name, at in columns.items()}
                elif number > HEADER_ROWS_SEARCHED:
                    break
                else:
                    columns = _find_columns(values)
            if columns is not None:
                return
    finally:
        book.close()
    needed = "、".join((FINDING, RESULT, VERIFIER, VERIFIED_ON, NOTE))
    raise SheetUnusable(
        f"{file} has no header row with {needed}; return the sheet that rongtong findings export wrote."
    )


def _find_columns(values: Sequence[Any]) -> dict[str, int] | None:
    found = {str(value).split("\n")[0].strip(): index for index, value in enumerate(values) if value is not None}
    wanted = (FINDING, RESULT, VERIFIER, VERIFIED_ON, NOTE)
    return {name: found[name] for name in wanted} if all(name in found for name in wanted) else None


def _read_decision(file: str, row: int, cells: dict[str, Any], today: date) -> Decision | RefusedRow | None:
    """The decision of a row; None for a row that nobody filled in."""
    finding, result, verifier, note = (_text(cells[name]) for name in (FINDING, RESULT, VERIFIER, NOTE))
    day = cells[VERIFIED_ON] if not isinstance(cells[VERIFIED_ON], str) else _text(cells[VERIFIED_ON])
    if not result and not verifier and not note and not day:
        return None
    if not finding:
        return RefusedRow(file, row, f"{FINDING} is empty; nobody can tell which lead is meant.")
    if not result:
        return RefusedRow(file, row, f"{RESULT} is empty though other columns are filled in.")
    if result not in RESULT_WORDS:
        return RefusedRow(file, row, f"{RESULT} holds an unknown word; it is one of {'、'.join(RESULT_WORDS)}.")
    if not verifier:
        return RefusedRow(file, row, f"{VERIFIER} is empty; a decision has a name.")
    decided_on = _read_day(day)
    if day and decided_on is None:
        return RefusedRow(file, row, f"{VERIFIED_ON} is no date; write it as 2026-01-20.")
    if decided_on is not None and decided_on > today:
        return RefusedRow(file, row, f"{VERIFIED_ON} lies in the future.")
    state = RESULT_WORDS[result]
    said = "\n".join((finding, state, verifier, str(decided_on), note))
    key = sha256(said.encode()).hexdigest()
    return Decision(finding, state, verifier, note or None, None, decided_on, key, f"{file} row {row}")


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()


def _read_day(value: Any) -> date | None:
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    for form in ("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y年%m月%d日", "%Y%m%d"):
        try:
            return datetime.strptime(str(value), form).date()
        except ValueError:
            continue
    return None


def _whole_ids(home: Home, written: set[str]) -> dict[str, str]:
    """Of ids and their beginnings, as sheets have them, the ids of the leads that only they can mean."""
    whole: dict[str, str] = {}
    with open_leads(home) as connection:
        # A join for each length, by equal keys: a condition on beginnings would compare everything with everything.
        for length in sorted({len(each) for each in written}):
            rows = connection.execute(
                "SELECT written, min(finding_id) FROM (SELECT unnest(?::VARCHAR[]) AS written)"
                f" JOIN leads ON left(finding_id, {length}) = written GROUP BY written HAVING count(*) = 1",
                [sorted(each for each in written if len(each) == length)],
            ).fetchall()
            whole |= dict(rows)
    return whole


def _without_contradictions(
    rows: list[tuple[str, int, Decision]], whole_ids: dict[str, str]
) -> tuple[list[tuple[str, int, Decision]], list[RefusedRow]]:
    """Rows of one lead with different results refuse each other: no order of rows says which of them is meant."""
    results: dict[str, set[State]] = defaultdict(set)
    for _, _, decision in rows:
        results[whole_ids.get(decision.finding, decision.finding)].add(decision.state)
    reason = f"other rows give another {RESULT} for the same lead; return one of them."
    fit: list[tuple[str, int, Decision]] = []
    refused = []
    for file, row, decision in rows:
        if len(results[whole_ids.get(decision.finding, decision.finding)]) == 1:
            fit.append((file, row, decision))
        else:
            refused.append(RefusedRow(file, row, reason))
    return fit, refused
