"""Files that are still arriving, and the digests that say when they have arrived."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from pathlib import Path

import pytest
from district_folder import PAYMENT, PAYMENT_FILE, DistrictFolder, payment, text

from ingest.connection import Connection
from ingest.errors import SourceError
from ingest.files import read_deliveries

CONTENT = text([PAYMENT, payment(1), payment(2)])
SIDECAR = f"{PAYMENT_FILE}.sha256"


def digest(content: bytes = CONTENT, name: str = "payment_510104_202503.csv") -> bytes:
    return f"{hashlib.sha256(content).hexdigest()}  {name}\n".encode()


def test_a_growing_file_is_left_for_the_next_time(district: DistrictFolder) -> None:
    district.settle_within(0.6)
    file = district.put(PAYMENT_FILE, CONTENT[:200], age=0)
    ended = threading.Event()

    def grow() -> None:
        position = 200
        while not ended.wait(0.05):
            with file.open("ab") as opened:
                opened.write(CONTENT[position : position + 4] or b" ")
            position += 4

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        landed = district.land()
    finally:
        ended.set()
        writer.join()
    assert landed[PAYMENT_FILE].state == "waiting"
    assert not landed.rows("payment")
    district.put(PAYMENT_FILE, CONTENT)
    assert district.land().accepted == [PAYMENT_FILE]


def test_a_young_file_that_stays_as_it_is_is_read_after_one_wait_for_all(district: DistrictFolder) -> None:
    district.settle_within(0.5)
    for number in range(10):
        code = f"51010{number}"
        district.put(f"{code}/202503/payment_{code}_202503.csv", CONTENT, age=0)
    begun = time.monotonic()
    assert len(district.land().accepted) == 10
    assert 0.2 < time.monotonic() - begun < 3


def test_an_old_file_is_read_at_once(district: DistrictFolder) -> None:
    district.settle_within(60)
    district.put(PAYMENT_FILE, CONTENT, age=61)
    begun = time.monotonic()
    assert district.land().accepted == [PAYMENT_FILE]
    assert time.monotonic() - begun < 30


@pytest.mark.parametrize(
    "sidecar",
    [
        pytest.param(digest(), id="digest and name"),
        pytest.param(digest().upper(), id="capitals"),
        pytest.param(digest().replace(b"  ", b" *"), id="marked as binary"),
        pytest.param(b"\xef\xbb\xbf" + digest()[:64], id="the digest alone"),
    ],
)
def test_a_right_digest_needs_no_wait(district: DistrictFolder, sidecar: bytes) -> None:
    district.settle_within(60)
    district.put(PAYMENT_FILE, CONTENT, age=0)
    district.put(SIDECAR, sidecar, age=0)
    begun = time.monotonic()
    landed = district.land()
    assert landed.accepted == [PAYMENT_FILE]
    assert len(landed.files) == 1
    assert time.monotonic() - begun < 30


@pytest.mark.parametrize("sidecar", [digest(b"other"), b"", b"no digest"], ids=["another", "empty", "none"])
def test_a_wrong_digest_refuses_a_file_that_grows_no_more(district: DistrictFolder, sidecar: bytes) -> None:
    district.put(PAYMENT_FILE, CONTENT)
    district.put(SIDECAR, sidecar)
    facts = district.land()[PAYMENT_FILE]
    assert (facts.state, facts.reason_code) == ("refused", "digest_differs")
    assert district.land().files == []


def test_a_corrected_digest_reads_the_file_again(district: DistrictFolder) -> None:
    district.put(PAYMENT_FILE, CONTENT)
    district.put(SIDECAR, digest(b"other"))
    district.land()
    district.put(SIDECAR, digest())
    assert district.land().accepted == [PAYMENT_FILE]
    assert district.land().files == []


def test_a_digest_without_its_file_is_reported_once(district: DistrictFolder) -> None:
    district.put(SIDECAR, digest())
    assert district.land()[SIDECAR].reason_code == "digest_without_file"
    assert district.land().files == []
    district.put(PAYMENT_FILE, CONTENT)
    assert district.land().accepted == [PAYMENT_FILE]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_waits(district: DistrictFolder) -> None:
    district.put(PAYMENT_FILE, CONTENT).chmod(0)
    assert district.land()[PAYMENT_FILE].state == "waiting"


def test_a_pipe_among_the_files_is_not_opened(district: DistrictFolder) -> None:
    district.put(PAYMENT_FILE, CONTENT)
    os.mkfifo(district.root / "510104/202503/payment_510104_202503_v2.csv")
    assert district.land().accepted == [PAYMENT_FILE]


def test_a_missing_folder_is_one_sentence(district: DistrictFolder, tmp_path: Path) -> None:
    absent = Connection.from_uri("allowance", f"file://{tmp_path}/nowhere")
    with pytest.raises(SourceError, match=r"^allowance: the folder .*nowhere does not exist; .*\.$"):
        list(read_deliveries(district.contract, absent, district.home))


def test_a_file_named_as_the_folder_is_one_sentence(district: DistrictFolder, tmp_path: Path) -> None:
    (tmp_path / "payment.csv").write_bytes(CONTENT)
    misnamed = Connection.from_uri("allowance", f"file://{tmp_path}/payment.csv")
    with pytest.raises(SourceError, match=r"^allowance: .*payment\.csv is a file; name the folder .*\.$"):
        list(read_deliveries(district.contract, misnamed, district.home))


def test_another_kind_of_connection_is_one_sentence(district: DistrictFolder) -> None:
    database = Connection.from_uri("allowance", "postgresql://reader@127.0.0.1/x")
    with pytest.raises(SourceError, match="leads to no folder"):
        list(read_deliveries(district.contract, database, district.home))
