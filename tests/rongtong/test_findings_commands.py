"""The work-list as a caseworker meets it: listed, shown, decided, sent out as a workbook and taken in again."""

from __future__ import annotations

import datetime as dt
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from rongtong.findings_sheets import EVIDENCE_LINES, RESULT_WORDS
from rongtong.lead_words import RULE_WORDS, STATE_WORDS, describe_evidence
from warehouse.home import PROJECT, Home
from warehouse.lake import open_published, open_restricted
from warehouse.worklist import State, open_leads


@pytest.fixture
def home(published: Any, tmp_path: Path) -> Path:
    """A copy of a home with one published run: what is decided in one test is not seen by another."""
    copy = tmp_path / "var"
    for part in ("published", "restricted"):
        shutil.copytree(published.home / part, copy / part)
    shutil.copy(published.home / "restricted.key", copy / "restricted.key")
    return copy


@pytest.fixture
def findings(home: Path, rongtong_inside: Any) -> Callable[..., Any]:
    """``findings(*arguments, width=200)`` on the copied home."""
    return lambda *arguments, width=200: rongtong_inside(home, "findings", *arguments, width=width)


def leads_of(findings: Callable[..., Any], *narrowed: str) -> list[dict[str, Any]]:
    listed = findings("list", "--limit", "100000", "--json", *narrowed).json
    assert listed["total"] == len(listed["findings"])
    found: list[dict[str, Any]] = listed["findings"]
    return found


def names_of(home: Path) -> set[str]:
    """Names of two characters and more and every identity number, as the restricted lake holds them."""
    with open_restricted(Home(home)) as connection:
        rows = connection.execute(
            "SELECT DISTINCT identifier_value FROM restricted.civil.citizen_identifiers"
            " WHERE identifier_kind IN ('name', 'id_no') AND length(identifier_value) >= 2"
        ).fetchall()
    return {row[0] for row in rows}


def test_every_rule_and_state_has_words() -> None:
    models = {path.stem.removeprefix("fnd_") for path in (PROJECT / "dbt_project/models/findings").glob("fnd_*.sql")}
    assert set(RULE_WORDS) == models
    assert set(STATE_WORDS) == set(State)
    assert {word: STATE_WORDS[state] for word, state in RESULT_WORDS.items()} == {word: word for word in RESULT_WORDS}


def test_the_list_fits_eighty_columns_is_narrowed_and_names_nobody(home: Path, findings: Callable[..., Any]) -> None:
    leads = leads_of(findings)
    assert len(leads) > 50
    assert [lead["severity"] for lead in leads] == sorted(lead["severity"] for lead in leads)
    listed = findings("list", "--limit", "100000", width=80)
    lines = listed.out.splitlines()
    assert len(lines) == len(leads) + 2
    assert max(map(len, lines)) <= 80
    first = leads[0]
    narrowed = leads_of(
        findings, "--rule", first["rule"], "--district", first["managing_district"], "--severity", first["severity"]
    )
    assert 0 < len(narrowed) < len(leads)
    assert {lead["rule"] for lead in narrowed} == {first["rule"]}
    assert leads_of(findings, "--state", "closed", "--state", "rejected") == []
    short = findings("list", "--limit", "3")
    assert f"{len(leads):,} leads, 3 of them shown" in short.out
    whole = listed.out + findings("list", "--json", "--limit", "100000").out
    assert not set(re.findall(r"[\w·]{2,}", whole)) & names_of(home)


def test_a_lead_is_shown_with_what_its_records_say_and_names_only_when_revealed(
    home: Path, findings: Callable[..., Any]
) -> None:
    lead = leads_of(findings, "--rule", "benefit_after_death")[0]
    shown = findings("show", lead["finding_id"][:8])
    assert shown.code == 0, shown.err
    for said in (
        "死亡后仍领取待遇",
        "智慧殡葬：",
        "死亡 20",
        "元（payment ",
        "decisions       none",
        lead["finding_id"],
    ):
        assert said in shown.out
    names = names_of(home)
    assert not set(re.findall(r"[\w·]{2,}", shown.out)) & names
    assert not (home / "worklist").exists()
    revealed = findings("show", lead["finding_id"], "--reveal")
    assert set(re.findall(r"[\w·]{2,}", revealed.out)) & names
    noted = (home / "worklist" / "access.jsonl").read_text()
    assert lead["finding_id"] in noted
    assert not set(re.findall(r"[\w·]{2,}", noted)) & names
    as_json = findings("show", lead["finding_id"], "--json").json
    assert as_json["in_words"][0]["record"]
    assert "people" not in as_json


def test_what_contradicts_is_told_whatever_else_is(home: Path, findings: Callable[..., Any], tmp_path: Path) -> None:
    """Every silo that a lead rests on has a line of the caseworker's cell, and no line is empty of words."""
    assert findings("export", str(tmp_path / "out")).code == 0
    cells: dict[str, list[str]] = {}
    for path in (tmp_path / "out").iterdir():
        sheet = openpyxl.load_workbook(path).worksheets[0]
        place = headers(sheet)["证据"] - 1
        cells |= {row[0]: row[place].split("\n") for row in sheet.iter_rows(min_row=2, values_only=True)}
    with open_leads(Home(home)) as connection:
        evidence = describe_evidence(connection, list(cells))
    leads = {lead["finding_id"]: lead for lead in leads_of(findings)}
    for finding_id, lines in cells.items():
        silos = {line.silo for line in evidence[finding_id]}
        assert all(any(said.startswith(silo) for said in lines) for silo in silos), leads[finding_id]["rule"]
        assert all(line.says for line in evidence[finding_id]), leads[finding_id]["rule"]
        assert len(lines) <= EVIDENCE_LINES + 4
    of_rule = {lead["rule"]: cells[lead["finding_id"]] for lead in leads.values() if lead["finding_id"] in cells}
    assert any("结婚登记" in line for line in of_rule["undeclared_marriage"])
    assert any("整户保，保障 1 人" in line for line in of_rule["undeclared_marriage"])
    assert "各整周均无上门服务记录" in of_rule["weekly_visit_missed"][0]
    assert "满80周岁" in of_rule["allowance_not_claimed"][0]


def test_a_declared_status_is_told_when_revealed(findings: Callable[..., Any]) -> None:
    lead = leads_of(findings, "--rule", "marital_status_differs")[0]
    assert "申报的婚姻状况未显示" in findings("show", lead["finding_id"]).out
    assert re.search(
        r"：申报婚姻状况 (未婚|已婚|初婚|再婚|复婚|丧偶|离婚)（\d+ 条记录",
        findings("show", lead["finding_id"], "--reveal").out,
    )


def test_what_people_do_is_listed_at_once(findings: Callable[..., Any]) -> None:
    first, second, third = (lead["finding_id"] for lead in leads_of(findings)[:3])
    sent = findings("dispatch", first[:8], second, "--to", "510104", "--by", "li")
    assert sent.out == f"{first[:8]}  candidate → dispatched\n{second[:8]}  candidate → dispatched\n"
    assert findings("decide", first, "rejected", "--by", "wang", "--why", "same name, other person").code == 0
    assert findings("decide", third, "confirmed", "--by", "wang", "--why", "paid").code == 0
    assert [lead["finding_id"] for lead in leads_of(findings, "--state", "rejected")] == [first]
    assert [lead["finding_id"] for lead in leads_of(findings, "--state", "dispatched")] == [second]
    assert first not in {lead["finding_id"] for lead in leads_of(findings)}
    shown = findings("show", first).out
    assert "published state candidate" in shown
    assert re.search(r"dispatched to 510104 by li\n.*rejected by wang: same name, other person", shown)
    assert findings("revoke", first, "--by", "wang", "--why", "wrong row").out == f"{first[:8]}  rejected → candidate\n"
    assert "revoked by wang: wrong row" in findings("show", first).out


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("list", "--rule", "nothing"), 2, "there is no rule nothing; the rules are benefit_after_death"),
        (("list", "--district", "Jinjiang"), 2, "is no district"),
        (("list", "--state", "lost"), 2, "--state"),
        (("show", "0123456789abcdef"), 2, "no published lead has the id"),
        (("show", "01"), 2, "is too short for a lead"),
        (("decide", "0123456789abcdef", "rejected", "--by", "wang", "--why", "no"), 2, "no published lead has the id"),
        (("decide", "0123456789abcdef", "closed", "--by", "wang", "--why", "no"), 2, "closed"),
        (("decide", "0123456789abcdef", "rejected", "--by", " ", "--why", "no"), 2, "--by is empty"),
        (("decide", "0123456789abcdef", "rejected", "--by", "wang"), 2, "--why"),
        (("decide", "0123456789abcdef", "rejected", "--by", "wang", "--why", ""), 2, "--why is empty"),
        (("revoke", "0123456789abcdef", "--by", "", "--why", "no"), 2, "--by is empty"),
        (("dispatch", "0123456789abcdef", "--to", "", "--by", "wang"), 2, "--to is empty"),
        (("export", "nowhere", "--dispatch-by", ""), 2, "--dispatch-by is empty"),
        (("import", "nowhere.xlsx"), 1, "nowhere.xlsx: there is no such file"),
        (("export", "/proc/nowhere"), 1, "name a folder that you may write to"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_use_and_failure_are_one_sentence_with_their_exit_code(
    arguments: tuple[str, ...], code: int, said: str, findings: Callable[..., Any]
) -> None:
    ended = findings(*arguments)
    assert ended.code == code, ended.out + ended.err
    assert said in " ".join(ended.err.split())
    assert "Traceback" not in ended.err


def test_an_unlawful_step_is_refused_in_one_sentence(findings: Callable[..., Any]) -> None:
    lead = leads_of(findings)[0]["finding_id"]
    assert findings("decide", lead, "rejected", "--by", "wang", "--why", "no").code == 0
    refused = findings("decide", lead, "confirmed", "--by", "wang", "--why", "yes")
    assert refused.code == 2
    assert " ".join(refused.err.split()) == (
        f"rongtong: lead {lead[:8]} is rejected and cannot become confirmed;"
        " revoke that first (rongtong findings revoke)."
    )


def test_before_a_run_has_published_there_is_no_list(home: Path, findings: Callable[..., Any]) -> None:
    shutil.rmtree(home / "published")
    for arguments in (("list",), ("show", "0123456789"), ("export", str(home / "out"))):
        ended = findings(*arguments)
        assert (ended.code, "nothing is published here yet" in ended.err) == (1, True), arguments


def headers(sheet: Any) -> dict[str, int]:
    return {str(cell.value).split("\n")[0]: cell.column for cell in sheet[1]}


def fill(path: Path, rows: dict[int, tuple[Any, ...]]) -> None:
    """Fill in result, verifier, day and note of rows (numbered as a spreadsheet does), as a caseworker would."""
    book = openpyxl.load_workbook(path)
    sheet = book.worksheets[0]
    place = headers(sheet)
    for row, values in rows.items():
        for name, value in zip(("核查结果", "核查人", "核查日期", "说明"), values, strict=False):
            sheet.cell(row, place[name]).value = value
    book.save(path)


@pytest.fixture
def exported(home: Path, findings: Callable[..., Any], tmp_path: Path) -> tuple[Path, list[str]]:
    """The workbook of the district with most leads, and the lead of each of its rows from row 2 on."""
    counts: dict[str, int] = {}
    for lead in leads_of(findings):
        if lead["managing_district"]:
            counts[lead["managing_district"]] = counts.get(lead["managing_district"], 0) + 1
    district = max(counts, key=lambda code: counts[code])
    ended = findings("export", str(tmp_path / "out"), "--district", district)
    path = tmp_path / "out" / f"leads_{district}.xlsx"
    assert ended.out == f"{path}  {counts[district]:,} leads\n", ended.err
    sheet = openpyxl.load_workbook(path).worksheets[0]
    return path, [row[0] for row in sheet.iter_rows(min_row=2, values_only=True)]


def test_a_workbook_can_be_read_and_filled_in(
    home: Path, findings: Callable[..., Any], exported: tuple[Path, list[str]], tmp_path: Path
) -> None:
    path, ids = exported
    sheet = openpyxl.load_workbook(path).worksheets[0]
    place = headers(sheet)
    assert "核查结果\nresult" in [cell.value for cell in sheet[1]]
    assert sheet.freeze_panes == "B2"
    choice = next(each for each in sheet.data_validations.dataValidation if each.type == "list")
    assert choice.formula1 == '"属实,不属实,无法核实,已处理"'
    assert len(str(choice.sqref).split(":")) == 2
    assert set(ids) < {lead["finding_id"] for lead in leads_of(findings)}
    texts = [str(cell.value) for row in sheet.iter_rows(min_row=2) for cell in row if cell.value is not None]
    assert all("*" in str(sheet.cell(row, place["当事人"]).value) for row in range(2, 5))
    assert any("（payment " in text for text in texts)
    assert not set(re.findall(r"[\w·]{2,}", " ".join(texts))) & names_of(home)
    assert oct(path.stat().st_mode & 0o777) == "0o600"
    assert findings("export", str(tmp_path / "open"), "--district", path.stem[-6:], "--reveal").code == 0
    revealed = openpyxl.load_workbook(tmp_path / "open" / path.name).worksheets[0]
    column = headers(revealed)["证件号码"]
    numbers = {revealed.cell(row, column).value for row in range(2, revealed.max_row + 1)} - {None, ""}
    assert numbers
    assert numbers <= names_of(home)


def test_a_returned_workbook_is_taken_in_once_and_wrong_rows_are_refused_one_by_one(
    findings: Callable[..., Any], exported: tuple[Path, list[str]]
) -> None:
    path, ids = exported
    assert len(ids) >= 12
    fill(
        path,
        {
            2: ("属实", "张工", dt.datetime(2026, 1, 20), "已停发"),
            3: ("不属实", "张工", "2026/1/20", "同名"),
            4: ("无法核实", "张工"),
            5: ("已处理", "张工", "2026年1月20日"),
            6: ("也许", "张工"),
            7: ("属实", None),
            8: (None, "张工"),
            9: ("属实", "张工", "昨天"),
            10: ("属实", "张工", dt.datetime(2999, 1, 1)),
        },
    )
    book = openpyxl.load_workbook(path)
    sheet = book.worksheets[0]
    sheet.cell(11, 1).value = "0123456789abcdef"
    sheet.cell(11, headers(sheet)["核查结果"]).value = "属实"
    sheet.cell(11, headers(sheet)["核查人"]).value = "张工"
    for row, result in ((12, "属实"), (13, "不属实")):
        sheet.cell(row, 1).value = ids[10] if row == 12 else ids[10][:12]
        sheet.cell(row, headers(sheet)["核查结果"]).value = result
        sheet.cell(row, headers(sheet)["核查人"]).value = "张工"
    book.save(path)
    taken = findings("import", str(path), "--json")
    assert taken.code == 1
    assert taken.json["entered"] == 4
    assert {row["row"]: row["reason"].split()[0] for row in taken.json["refused"]} == {
        6: "核查结果",
        7: "核查人",
        8: "核查结果",
        9: "核查日期",
        10: "核查日期",
        11: "no",
        12: "other",
        13: "other",
    }
    states = {lead["finding_id"]: lead["state"] for lead in leads_of(findings, *all_states())}
    assert [states[finding] for finding in ids[:6]] == ["confirmed", "rejected", "undetermined", "handled"] + [
        states[finding] for finding in ids[4:6]
    ]
    assert {states[finding] for finding in ids[4:12]} <= {"candidate", "needs_identity_review"}
    assert "2026-01-20 confirmed by 张工: 已停发" in findings("show", ids[0]).out
    again = findings("import", str(path))
    assert "0 decisions entered, 4 known before, 8 rows refused" in again.out
    assert f"{path.name} row 6: 核查结果 holds an unknown word" in again.err
    # A decision that was taken back does not come back with the old sheet.
    assert findings("revoke", ids[1], "--by", "李科", "--why", "看错").code == 0
    assert "0 decisions entered" in findings("import", str(path)).out
    assert findings("show", ids[1], "--json").json["state"] == "candidate"


def all_states() -> tuple[str, ...]:
    return tuple(argument for state in State for argument in ("--state", state.value))


def test_a_workbook_of_another_kind_is_refused_whole(findings: Callable[..., Any], tmp_path: Path) -> None:
    path = tmp_path / "other.xlsx"
    book = openpyxl.Workbook()
    book.active.append(["姓名", "核查结果"])
    book.save(path)
    ended = findings("import", str(path))
    assert ended.code == 1
    assert "has no header row with 线索编号" in " ".join(ended.err.split())


def test_an_export_can_note_that_leads_were_dispatched(findings: Callable[..., Any], tmp_path: Path) -> None:
    chosen = ("--rule", "care_after_death")
    before = [lead for lead in leads_of(findings, *chosen) if lead["managing_district"]]
    ended = findings("export", str(tmp_path / "out"), *chosen, "--dispatch-by", "li")
    assert ended.out.endswith(f"{len(before):,} leads noted as dispatched\n")
    after = {lead["finding_id"]: lead for lead in leads_of(findings, *chosen, "--state", "dispatched")}
    assert {lead["finding_id"] for lead in before} == set(after)
    assert all(lead["dispatched_to"] == lead["managing_district"] for lead in after.values())


def test_the_next_run_keeps_decisions_and_an_equal_run_changes_no_lead(
    published: Any, city: Any, rongtong: Any, tmp_path: Path
) -> None:
    home = tmp_path / "var"
    shutil.copytree(published.home, home)
    first, second = rongtong(home, "findings", "list", "--limit", "2", "--json").json["findings"]
    for lead, verdict in ((first, "rejected"), (second, "confirmed")):
        ended = rongtong(home, "findings", "decide", lead["finding_id"], verdict, "--by", "wang", "--why", "seen")
        assert ended.code == 0, ended.err
    changed = []
    for _ in range(2):
        ended = rongtong(home, "run", "--as-of", city.as_of, "--json", connections=city.systems.environment)
        assert ended.code == 0, ended.err[-3000:]
        with open_published(Home(home)) as connection:
            changed += connection.execute(
                "SELECT inserted, deleted FROM published.civil.change_log WHERE table_name = 'findings' AND run_id = ?",
                [ended.json["run_id"]],
            ).fetchall()
    # The two decisions, and then nothing.
    assert changed == [(2, 2), (0, 0)]
    with open_published(Home(home)) as connection:
        rows: list[tuple[Any, ...]] = connection.execute(
            "SELECT state, is_holding, decision_number FROM published.civil.findings"
            " WHERE decision_number IS NOT NULL ORDER BY decision_number"
        ).fetchall()
    assert rows == [("rejected", True, 1), ("confirmed", True, 2)]
