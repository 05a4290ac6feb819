"""The funeral API shows every habit that its owner admits, over real sockets."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from quiet_habits import QUIET
from tiny_city import CREMATIONS

from simulation.systems.funeral_api import PATH, Habits
from simulation.systems.funeral_records import load_cremations
from simulation.systems.postgres import keep_secret
from simulation.systems.start import _start_api
from warehouse.duck import connect

RECORDS = 5000


@contextmanager
def _serve(city: Path, folder: Path, habits: Habits) -> Iterator[httpx.Client]:
    load_cremations(city, folder / "records.sqlite")
    token = keep_secret(folder / "token")
    with ExitStack() as ending:
        port = _start_api(folder / "records.sqlite", folder / "token", habits, ending)
        headers = {"Authorization": f"Bearer {token}"}
        yield ending.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers))


def _pages(client: httpx.Client, size: int = 1000, **query: str) -> Iterator[dict]:
    page = client.get(PATH, params={"pageSize": size, **query}).raise_for_status().json()
    yield page
    while page["next"]:
        page = client.get(PATH, params={"pageSize": size, "cursor": page["next"]}).raise_for_status().json()
        yield page


def test_every_record_comes_once_in_order_when_nothing_changes(tiny_city: Path, tmp_path: Path) -> None:
    with _serve(tiny_city, tmp_path, QUIET) as client:
        items = [item for page in _pages(client) for item in page["items"]]
        assert len(items) == RECORDS
        keys = [(item["updatedAt"], item["certId"]) for item in items]
        assert keys == sorted(set(keys))
        first = items[0]
        assert set(first) == {
            "certId", "status", "facilityCode", "facilityName", "deceased", "deathDate", "deathCertNo", "deathCertKind",
            "cremationDate", "handler", "feeRelief", "greenBurial", "updatedAt",
        }  # fmt: skip
        assert set(first["deceased"]) == {
            "name", "idType", "idNo", "sex", "birthDate", "age", "hukouAddress", "hukouDistrict",
        }  # fmt: skip
        assert first["deceased"]["name"] == '王"五'
        assert first["deceased"]["idNo"] is None
        assert first["greenBurial"] is False
        assert first["updatedAt"] == "2025-01-01T00:00:00.000+08:00"
        assert {item["status"] for item in items} == {"valid", "void"}


def test_updated_since_includes_the_very_moment(tiny_city: Path, tmp_path: Path) -> None:
    with _serve(tiny_city, tmp_path, QUIET) as client:
        items = [item for page in _pages(client, updatedSince="2025-01-01T20:00:00+08:00") for item in page["items"]]
        assert items[0]["updatedAt"] == "2025-01-01T20:00:00.000+08:00"
        assert len(items) == RECORDS - 1200 * 4 + 1
        assert client.get(PATH, params={"updatedSince": "2025-01-01T12:00:00Z"}).json()["items"][0] == items[0]


def test_the_total_is_only_an_estimate(tiny_city: Path, tmp_path: Path) -> None:
    with _serve(tiny_city, tmp_path, QUIET) as client:
        totals = {client.get(PATH, params={"pageSize": 1}).json()["total"] for _ in range(8)}
        assert len(totals) > 1
        assert all(abs(total - RECORDS) <= RECORDS * 0.03 + 1 for total in totals)


def test_without_the_right_token_nothing_is_told(tiny_city: Path, tmp_path: Path) -> None:
    with _serve(tiny_city, tmp_path, QUIET) as client:
        assert client.get(PATH, headers={"Authorization": "Bearer wrong"}).status_code == 401
        assert httpx.get(f"{client.base_url}{PATH}").status_code == 401


@pytest.mark.parametrize(
    "query",
    [
        pytest.param({"pageSize": "1001"}, id="a page above the maximum"),
        pytest.param({"pageSize": "0"}, id="an empty page"),
        pytest.param({"updatedSince": "yesterday"}, id="a moment that is none"),
        pytest.param({"updatedSince": "2025-01-01T00:00:00"}, id="a moment without offset"),
        pytest.param({"cursor": "invented"}, id="an invented cursor"),
    ],
)
def test_requests_outside_the_interface_are_refused(running_client: httpx.Client, query: dict[str, str]) -> None:
    assert running_client.get(PATH, params=query).status_code == 400


@pytest.fixture(scope="module")
def running_client(tiny_city: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with _serve(tiny_city, tmp_path_factory.mktemp("api"), QUIET) as client:
        yield client


def test_an_old_cursor_has_expired(tiny_city: Path, tmp_path: Path) -> None:
    with _serve(tiny_city, tmp_path, replace(QUIET, cursor_seconds=0.3)) as client:
        cursor = client.get(PATH).json()["next"]
        assert client.get(PATH, params={"cursor": cursor}).status_code == 200
        time.sleep(0.4)
        assert client.get(PATH, params={"cursor": cursor}).status_code == 410


def test_too_many_requests_are_told_when_to_come_again(tiny_city: Path, tmp_path: Path) -> None:
    with _serve(tiny_city, tmp_path, replace(QUIET, requests_per_second=20)) as client:
        answers = [client.get(PATH, params={"pageSize": 1}) for _ in range(25)]
        assert [answer.status_code for answer in answers] == [200] * 20 + [429] * 5
        time.sleep(float(answers[-1].headers["Retry-After"]))
        assert client.get(PATH, params={"pageSize": 1}).status_code == 200


def test_errors_cut_connections_and_cut_bodies_happen(tiny_city: Path, tmp_path: Path) -> None:
    habits = replace(QUIET, error_rate=0.3, cut_rate=0.2, truncate_rate=0.2)
    with _serve(tiny_city, tmp_path, habits) as client:
        seen: Counter[str] = Counter()
        for _ in range(100):
            try:
                seen[str(client.get(PATH, params={"pageSize": 100}).status_code)] += 1
            except httpx.RemoteProtocolError as error:
                seen["body cut" if "complete message body" in str(error) else "connection cut"] += 1
        assert {"200", "500", "502", "503", "body cut", "connection cut"} == set(seen)


def test_a_record_that_changes_meanwhile_appears_again_and_none_is_skipped(tiny_city: Path, tmp_path: Path) -> None:
    with _serve(tiny_city, tmp_path, replace(QUIET, change_rate=0.5)) as client:
        seen = [(item["certId"], item["updatedAt"]) for page in _pages(client, size=100) for item in page["items"]]
        assert len(seen) == len(set(seen))
        certificates = Counter(certificate for certificate, _ in seen)
        assert len(certificates) == RECORDS
        assert max(certificates.values()) > 1


def test_a_full_page_of_many_records_is_fast(tmp_path: Path) -> None:
    source = connect(extensions=("icu",))
    (tmp_path / "city").mkdir()
    source.execute(
        f"COPY ({CREMATIONS.replace('5001', '100001')}) TO '{tmp_path}/city/cremations.parquet' (FORMAT parquet)"
    )
    source.close()
    with _serve(tmp_path / "city", tmp_path, QUIET) as client:
        began = time.monotonic()
        assert sum(len(page["items"]) for page in _pages(client)) == 100_000
        assert time.monotonic() - began < 20
