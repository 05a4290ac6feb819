"""An owner's HTTP service with all its habits: every record arrives once, in its latest state, or we hear why."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from page_service import Answer, PageService, record

from ingest.http_api import RateLimiter
from ingest.land import land
from warehouse.home import Home

CONTRACT = """
title: Register
owner: The register
release: shadow
freshness_days: 3
connector:
  kind: http
  path: /records
  items: items
  next_cursor: next
  cursor_parameter: cursor
  since_parameter: updatedSince
  page_size_parameter: pageSize
  page_size: 2
  requests_per_second: 200
  timeout_seconds: 0.5
  attempts: 4
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
      id_no: {path: deceased.idNo}
      green: {path: greenBurial, type: boolean, codes: truth, on_breach: notice}
      fee: {path: feeRelief, type: "decimal(12,2)", on_breach: notice}
      updated_at: {path: updatedAt, type: timestamptz, required: true}
"""
Look = Callable[..., duckdb.DuckDBPyConnection]


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    folder = tmp_path / "sources" / "register"
    folder.mkdir(parents=True)
    (folder / "contract.yml").write_text(CONTRACT, encoding="utf-8")
    return folder.parent


def day(number: int) -> str:
    return f"2025-01-{number:02d}T08:00:00.123+08:00"


def landed(look: Look, sources: Path) -> list[tuple[str, str]]:
    connection = look(sources)
    assert connection.execute(
        "SELECT count(*) FROM landing.deliveries "
        "WHERE rows_read <> rows_accepted + rows_quarantined + rows_superseded + rows_duplicate"
    ).fetchone() == (0,)
    query = "SELECT cert_id, status FROM landing.register__certificate ORDER BY cert_id"
    return connection.execute(query).fetchall()


def test_all_pages_arrive_typed_and_their_bytes_are_kept(
    pages: PageService, home: Home, sources: Path, look: Look
) -> None:
    pages.records = [record(n, day(n), deceased={"name": '王䶮𠅤·\n"\\', "idNo": None}) for n in range(1, 6)]
    result = land("register", pages.uri, home, sources=sources)
    assert (result.error, result.counts["rows_accepted"]) == (None, 5)
    (row,) = (
        look(sources)
        .execute(
            "SELECT name, id_no, green, fee, epoch_ms(updated_at), raw_fee, raw_green, raw_id_no "
            "FROM landing.register__certificate WHERE cert_id = 'F01-000001'"
        )
        .fetchall()
    )
    assert [*map(str, row)] == [
        '王䶮𠅤·\n"\\',
        "None",
        "False",
        "1160.00",
        "1735689600123",
        "1,160.00",
        "false",
        "None",
    ]
    (raw,) = [home.landing / "register" / name for receipt in result.receipts for name in receipt.raw_files]
    lines = gzip.decompress(raw.read_bytes()).decode().splitlines()
    assert [len(json.loads(line)["items"]) for line in lines] == [2, 2, 1]


def test_the_next_landing_asks_from_a_little_earlier_and_changes_nothing(
    pages: PageService, home: Home, sources: Path, look: Look
) -> None:
    pages.records = [record(n, day(n)) for n in range(1, 11)]
    land("register", pages.uri, home, sources=sources)
    before, pages.queries = landed(look, sources), []
    result = land("register", pages.uri, home, sources=sources)
    assert pages.queries[0]["updatedSince"] == ["2025-01-07T00:00:00.123Z"]
    assert (result.counts["rows_read"], result.counts["rows_duplicate"]) == (4, 4)
    assert landed(look, sources) == before


def test_a_void_record_is_a_state_of_its_record(pages: PageService, home: Home, sources: Path, look: Look) -> None:
    pages.records = [record(1, day(1)), record(2, day(1))]
    land("register", pages.uri, home, sources=sources)
    pages.records[0] = record(1, day(2), status="void")
    land("register", pages.uri, home, sources=sources)
    assert landed(look, sources) == [("F01-000001", "void"), ("F01-000002", "valid")]


def test_a_record_that_changes_while_we_page_counts_in_its_latest_state(
    pages: PageService, home: Home, sources: Path, look: Look
) -> None:
    pages.records = [record(n, day(n)) for n in range(1, 6)]

    def move_the_first_to_the_end() -> Answer:
        first_page = pages.page({})
        pages.records[0] = record(1, day(20), status="void")
        return 200, {}, json.dumps(first_page | {"next": "|1"}).encode()

    pages.habits[0] = move_the_first_to_the_end
    result = land("register", pages.uri, home, sources=sources)
    assert (result.counts["rows_accepted"], result.counts["rows_superseded"]) == (5, 1)
    assert landed(look, sources)[0] == ("F01-000001", "void")


def test_the_same_record_on_two_pages_counts_once(pages: PageService, home: Home, sources: Path, look: Look) -> None:
    pages.records = [record(n, day(n)) for n in range(1, 4)]
    pages.habits[0] = lambda: (200, {}, json.dumps(pages.page({}) | {"next": "|1"}).encode())
    result = land("register", pages.uri, home, sources=sources)
    assert (result.counts["rows_read"], result.counts["rows_accepted"], result.counts["rows_duplicate"]) == (4, 3, 1)
    assert len(landed(look, sources)) == 3


def test_an_expired_cursor_starts_again_from_the_last_moment_seen(
    pages: PageService, home: Home, sources: Path, look: Look
) -> None:
    pages.records = [record(n, day(n)) for n in range(1, 8)]
    pages.habits[2] = lambda: (410, {}, b"{}")
    result = land("register", pages.uri, home, sources=sources)
    assert result.error is None
    assert pages.queries[3]["updatedSince"] == [day(4)]
    assert "cursor" not in pages.queries[3]
    assert len(landed(look, sources)) == 7


@pytest.mark.parametrize(
    "trouble",
    [
        pytest.param(lambda: (500, {}, b"oops"), id="an error of the server"),
        pytest.param(lambda: (503, {"Retry-After": "0"}, b""), id="a server that is not ready"),
        pytest.param(lambda: (429, {"Retry-After": "0"}, b""), id="too many requests"),
        pytest.param(lambda: (200, {"Content-Length": "900"}, b'{"total": 1, "next": nu'), id="a cut connection"),
        pytest.param(lambda: (200, {}, b'{"total": 1, "next": null, "items": [{"certId": "F0'), id="a cut body"),
        pytest.param(lambda: (200, {}, b"\xff\xfe"), id="a body that is no text"),
    ],
)
def test_a_passing_trouble_is_waited_for(
    pages: PageService, home: Home, sources: Path, look: Look, trouble: Callable[[], Answer]
) -> None:
    pages.records = [record(n, day(n)) for n in range(1, 6)]
    pages.habits = {0: trouble, 2: trouble, 3: trouble}
    assert land("register", pages.uri, home, sources=sources).error is None
    assert len(landed(look, sources)) == 5


def test_retry_after_is_obeyed(pages: PageService, home: Home, sources: Path) -> None:
    pages.records = [record(1)]
    pages.habits[0] = lambda: (429, {"Retry-After": "1"}, b"")
    assert land("register", pages.uri, home, sources=sources).error is None
    assert pages.moments[1] - pages.moments[0] >= 1.0


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        pytest.param((200, b'{"code": 500, "message": "busy"}'), "lacks items", id="an error envelope with status 200"),
        pytest.param((200, b'{"items": []}'), "lacks next", id="no cursor at all"),
        pytest.param((200, b'{"items": {}, "next": null}'), "items in an answer is of the wrong type", id="no list"),
        pytest.param((200, b"[]"), "is no JSON object", id="no object"),
        pytest.param((404, b"{}"), "status 404", id="another path"),
        pytest.param((500, b"{}"), "answers with status 500", id="a trouble that does not end"),
        pytest.param((200, b'{"ite'), "cut ones", id="bodies cut again and again"),
        pytest.param((200, b'{"items": [], "next": "|0"}'), "does not move on", id="a cursor that stands still"),
        pytest.param((410, b"{}"), "expires again and again", id="a cursor that expires at once"),
    ],
)
def test_a_service_that_does_not_keep_its_word_lands_nothing(
    pages: PageService, home: Home, sources: Path, look: Look, answer: tuple[int, bytes], said: str
) -> None:
    pages.records = [record(n, day(n)) for n in range(1, 6)]
    pages.habits = {number: lambda: (answer[0], {}, answer[1]) for number in range(1, 500)}
    error = land("register", pages.uri, home, sources=sources).error
    assert error is not None
    assert said in error
    assert error.startswith("register: ")
    assert "\n" not in error
    assert landed(look, sources) == []


def test_a_wrong_token_is_named_and_not_shown(pages: PageService, home: Home, sources: Path) -> None:
    error = land("register", pages.uri.replace("open-sesame", "secret-word"), home, sources=sources).error
    assert error is not None
    assert "refuses the token; check the token in AIRFLOW_CONN_REGISTER" in error
    assert "secret-word" not in error


def test_a_service_that_is_down_is_named(home: Home, sources: Path) -> None:
    error = land("register", "http://:T@127.0.0.1:1", home, sources=sources).error
    assert error is not None
    assert "127.0.0.1:1 does not answer" in error


def test_rows_that_break_the_contract_wait_in_quarantine(
    pages: PageService, home: Home, sources: Path, look: Look
) -> None:
    pages.page_size = 10
    headless = record(4, day(4))
    del headless["deceased"]
    pages.records = [
        record(1, day(1), status="lost"),
        record(2, day(2)) | {"certId": None},
        record(3, day(3), greenBurial="perhaps", feeRelief="免"),
        headless,
        record(5, day(5)),
    ]
    pages.habits[0] = lambda: (
        200,
        {},
        json.dumps({"total": 1, "next": None, "items": [*pages.records, 7, "text", None]}).encode(),
    )
    result = land("register", pages.uri, home, sources=sources)
    assert (result.counts["rows_read"], result.counts["rows_accepted"]) == (8, 2)
    assert [row[0] for row in landed(look, sources)] == ["F01-000003", "F01-000005"]
    reasons = look(sources).execute("SELECT message FROM landing.quarantine").fetchall()
    assert len(reasons) + result.counts["rows_duplicate"] == 6
    assert ("status is a word that the contract does not know",) in reasons
    assert ("cert_id has no value, and must have one",) in reasons
    assert ("deceased is missing from the item",) in reasons
    (notices,) = (
        look(sources)
        .execute("SELECT _notices FROM landing.register__certificate WHERE cert_id = 'F01-000003'")
        .fetchall()
    )
    assert [notice["field"] for notice in json.loads(notices[0])] == ["green", "fee"]


def test_the_limiter_never_lets_more_through_than_it_may() -> None:
    now, sent = 0.0, []

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    limiter = RateLimiter(15, clock=lambda: now, sleep=sleep)
    for step in range(100):
        limiter.wait()
        sent.append(now)
        now += 0.3 if step == 50 else 0.001
    assert max(sum(start <= moment < start + 1 for moment in sent) for start in sent) <= 16


def test_a_hundred_pages_are_asked_for_without_haste(pages: PageService, home: Home, sources: Path) -> None:
    file = sources / "register" / "contract.yml"
    file.write_text(file.read_text().replace("requests_per_second: 200", "requests_per_second: 50"))
    pages.records = [record(n, day(1)) for n in range(1, 60)]
    began = time.monotonic()
    land("register", pages.uri, home, sources=sources)
    assert time.monotonic() - began > 29 / 50
