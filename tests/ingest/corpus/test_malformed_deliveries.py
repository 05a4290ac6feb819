"""Malformed deliveries of every kind: each is refused or its rows wait under the agreed name; nothing is dropped."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import malformed_answers
import malformed_files
import pytest
import yaml
from malformed_answers import AnswerCase
from malformed_files import FileCase
from page_service import PageService

from ingest.land import LandingResult, land
from ingest.landing import create_views
from ingest.receipt import Receipt
from warehouse.duck import connect
from warehouse.home import Home

ROWS: dict[str, list[dict[str, Any]]] = yaml.safe_load(
    Path(__file__).with_name("malformed_rows.yml").read_text(encoding="utf-8")
)
SOUND_ROWS = {
    "payment": dict(zip(malformed_files.HEADER, malformed_files.SOUND, strict=True)),
    "member": dict(
        zip(
            ["户号", "姓名", "身份证号", "关系", "婚姻状况", "享受低保", "残疾证号"],
            ["H1", "张三", "11010519491231002X", "户主", "未婚", "是", ""],
            strict=True,
        )
    ),
    "household": dict(
        zip(
            ["户号", "救助类型", "保障方式", "户主姓名", "户主身份证号", "保障人数", "批准时间", "地址", "电话"],
            ["H1", "城市低保", "整户保", "张三", "11010519491231002X", "2", "202001", "某路1号", ""],
            strict=True,
        )
    ),
}
ROW_CASES = [(kind, number, case) for kind, cases in ROWS.items() for number, case in enumerate(cases)]


def _month(number: int) -> str:
    return f"{1950 + number // 12}{number % 12 + 1:02d}"


def _drop(folder: Path, path: str, content: bytes, age: float = 3600.0) -> None:
    file = folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    os.utime(file, (time.time() - age, time.time() - age))


@dataclass
class LandedCorpus:
    """One landing of all malformed files, and what the next room sees of it."""

    result: LandingResult
    receipts: dict[str, Receipt]
    views: duckdb.DuckDBPyConnection

    def quarantined(self, receipt: Receipt) -> list[str]:
        """Reason codes of the rows of a delivery that wait."""
        found = self.views.execute(
            "SELECT reason_code FROM landing.quarantine WHERE delivery_id = ? ORDER BY position", [receipt.delivery_id]
        )
        return [code for (code,) in found.fetchall()]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LandedCorpus]:
    folder = tmp_path_factory.mktemp("corpus")
    for number, case in enumerate(malformed_files.CASES):
        place = {"month": _month(number)}
        if case.before is not None:
            _drop(folder / "drop", case.before[0].format(**place), case.before[1], case.age + 60)
        _drop(folder / "drop", case.path.format(**place), case.content, case.age)
        if case.sidecar is not None:
            digest = hashlib.sha256(case.content).hexdigest()
            said = case.sidecar.format(digest=digest, DIGEST=digest.upper())
            _drop(folder / "drop", case.path.format(**place) + ".sha256", said.encode(), case.age)
    for kind, cases in ROWS.items():
        made = io.StringIO(newline="")
        sound = SOUND_ROWS[kind]
        own = [{"流水号": f"R{number}"} if "流水号" in sound else {} for number, _ in enumerate(cases)]
        rows = [
            [(sound | mark | case["set"])[header] for header in sound] for mark, case in zip(own, cases, strict=True)
        ]
        numbered = [[f"{number}", *row] for number, row in enumerate(rows)]
        csv.writer(made).writerows([["序号", *sound], *numbered])
        _drop(folder / "drop", f"510105/202503/{kind}_510105_202503.csv", made.getvalue().encode())
    home = Home(folder / "home")
    result = land("allowance", f"file://{folder / 'drop'}", home)
    assert result.error is None
    views = connect(extensions=("icu", "json"))
    create_views(views, home)
    yield LandedCorpus(result, {receipt.facts["path"]: receipt for receipt in result.receipts if receipt.facts}, views)
    views.close()


@pytest.mark.parametrize(
    ("number", "case"),
    [
        pytest.param(number, case, id=f"{case.claim} is {' '.join(case.fate)}")
        for number, case in enumerate(malformed_files.CASES)
    ],
)
def test_a_malformed_file_meets_its_fate(corpus: LandedCorpus, number: int, case: FileCase) -> None:
    path = case.path.format(month=_month(number))
    receipt = corpus.receipts[path]
    state, *codes = case.fate
    assert receipt.state == state, receipt.reason
    receipt.check_conservation()
    if state == "accepted":
        assert corpus.quarantined(receipt) == codes
        assert case.rows is None or receipt.rows_read == case.rows
    else:
        assert receipt.facts is not None
        assert [receipt.facts["reason_code"]] == codes, receipt.reason
        assert receipt.reason is not None
        assert receipt.reason.startswith(path)
        assert receipt.rows_accepted == 0


@pytest.mark.parametrize(
    ("kind", "number", "case"),
    [
        pytest.param(kind, number, case, id=f"{kind} with {case['claim']}: {case.get('breach', 'landed')}")
        for kind, number, case in ROW_CASES
    ],
)
def test_a_malformed_row_waits_under_its_breach(
    corpus: LandedCorpus, kind: str, number: int, case: dict[str, Any]
) -> None:
    delivery = corpus.receipts[f"510105/202503/{kind}_510105_202503.csv"].delivery_id
    waiting = corpus.views.execute(
        "SELECT reason_code, message, row_json FROM landing.quarantine WHERE delivery_id = ? AND position = ?",
        [delivery, f"sheet 1 row {number + 2}"],
    ).fetchall()
    landed = corpus.views.execute(
        f"SELECT _notices FROM landing.allowance__{kind} WHERE _delivery_id = ? AND _row = ?", [delivery, number + 2]
    ).fetchall()
    if "breach" in case:
        ((code, message, as_delivered),) = waiting
        assert code == case["breach"], message
        assert set(case["set"].values()) - {""} <= set(json.loads(as_delivered).values())
        assert not landed
        return
    assert not waiting
    ((notices,),) = landed
    codes = [notice["code"] for notice in json.loads(notices or "[]")]
    assert codes == ([case["notice"]] if "notice" in case else [])


def test_no_file_of_the_corpus_is_dropped_in_silence(corpus: LandedCorpus) -> None:
    for receipt in corpus.result.receipts:
        receipt.check_conservation()
    expected = {case.path.format(month=_month(number)) for number, case in enumerate(malformed_files.CASES)}
    assert expected <= set(corpus.receipts)


def test_the_corpus_is_large_and_every_claim_is_its_own() -> None:
    claims = [case.claim for case in (*malformed_files.CASES, *malformed_answers.CASES)]
    claims += [f"{kind}: {case['claim']}" for kind, _, case in ROW_CASES]
    assert [claim for claim, times in Counter(claims).items() if times > 1] == []
    assert len(claims) >= 200


ANSWER_CONTRACT = """
title: Register
owner: The register
release: shadow
freshness_days: 3
connector:
  {kind: http, path: /records, items: items, next_cursor: next, cursor_parameter: cursor, since_parameter: since,
   page_size_parameter: pageSize, page_size: 2, requests_per_second: 500, timeout_seconds: 2, attempts: 2}
code_lists:
  status: {valid: [valid], void: [void]}
  truth: {"true": ["true"], "false": ["false"]}
entities:
  certificate:
    title: One certificate
    key: [cert_id]
    record_id: "{cert_id}"
    watermark: updated_at
    required_objects: [deceased]
    fields:
      cert_id: {path: certId, required: true}
      status: {path: status, type: code, codes: status, required: true}
      name: {path: deceased.name}
      green: {path: greenBurial, type: boolean, codes: truth, on_breach: notice}
      fee: {path: feeRelief, type: "decimal(12,2)", on_breach: notice}
      updated_at: {path: updatedAt, type: timestamptz, required: true}
"""


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=f"{case.claim}: {case.error or 'landed'}") for case in malformed_answers.CASES]
)
def test_a_malformed_answer_meets_its_fate(case: AnswerCase, home: Home, tmp_path: Path) -> None:
    sources = tmp_path / "sources"
    (sources / "register").mkdir(parents=True)
    (sources / "register" / "contract.yml").write_text(ANSWER_CONTRACT, encoding="utf-8")
    with PageService() as service:
        service.habits = dict.fromkeys(range(200), lambda: (case.status, {}, case.body))
        result = land("register", service.uri, home, sources=sources)
    if case.error is not None:
        assert result.error is not None
        assert case.error in result.error
        assert result.error.startswith("register")
        assert not result.receipts
        return
    assert result.error is None
    (receipt,) = result.receipts
    receipt.check_conservation()
    assert (receipt.rows_accepted, receipt.rows_duplicate) == (case.accepted, case.duplicate)
    assert receipt.rows_quarantined == len(case.breaches)
    with connect(extensions=("icu", "json")) as views:
        create_views(views, home, sources)
        waiting = views.execute("SELECT reason_code FROM landing.quarantine").fetchall()
        assert tuple(code for (code,) in waiting) == case.breaches
        notices = views.execute("SELECT _notices FROM landing.register__certificate WHERE _notices IS NOT NULL")
        said = [notice["code"] for (listed,) in notices.fetchall() for notice in json.loads(listed)]
        assert tuple(said) == case.notices
