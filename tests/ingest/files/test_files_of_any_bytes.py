"""Whatever bytes are dropped, the reader says accepted, refused or ignored, and goes on."""

from __future__ import annotations

import io
import random
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from district_folder import MEMBER, MEMBER_FILE, PAYMENT, DistrictFolder, member, payment, text, workbook
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

QUIET = settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
SOUND_TEXT = text([MEMBER, *[member(f"名,{n}\n") for n in range(6)]])
SOUND_BOOK = workbook(("Sheet1", [MEMBER, *[member(f"名{n}") for n in range(6)]]))
XLSX_FILE = MEMBER_FILE.replace(".csv", ".xlsx")


def read(path: str, content: bytes) -> str:
    with tempfile.TemporaryDirectory() as folder:
        facts, landed = DistrictFolder.create(Path(folder)).land_one(content, path)
        assert facts.state in ("accepted", "refused")
        assert (facts.reason is None) == (facts.state == "accepted")
        assert facts.rows_read == len(landed.rows("member"))
        return facts.state


@QUIET
@given(st.binary(max_size=400))
def test_any_bytes_as_text(content: bytes) -> None:
    read(MEMBER_FILE, content)


@QUIET
@given(st.text(max_size=300), st.sampled_from(["utf-8", "gb18030", "utf-16"]))
def test_any_text_below_a_header(body: str, encoding: str) -> None:
    content = (",".join(MEMBER) + "\n").encode(encoding) + body.encode(encoding, "ignore")
    read(MEMBER_FILE, content)


@QUIET
@given(st.lists(st.lists(st.text(alphabet='a",\n\r 名\t\0', max_size=6), max_size=9), max_size=8))
def test_rows_written_by_a_csv_program_are_all_read(rows: list[list[str]]) -> None:
    assert read(MEMBER_FILE, text([MEMBER, *rows], "utf-8")) in ("accepted", "refused")


@QUIET
@given(st.data())
def test_a_sound_text_with_changed_bytes(data: st.DataObject) -> None:
    content = bytearray(SOUND_TEXT)
    for _ in range(data.draw(st.integers(1, 5))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    read(MEMBER_FILE, bytes(content[: data.draw(st.integers(0, len(content)))]))


@QUIET
@given(st.binary(max_size=400))
def test_any_bytes_as_workbook(content: bytes) -> None:
    read(XLSX_FILE, content)
    read(XLSX_FILE, b"PK\x03\x04" + content)


@QUIET
@given(st.data())
def test_a_sound_workbook_with_changed_bytes(data: st.DataObject) -> None:
    content = bytearray(SOUND_BOOK)
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    read(XLSX_FILE, bytes(content[: data.draw(st.integers(len(content) // 2, len(content)))]))


@settings(QUIET, max_examples=50)
@given(st.data())
def test_a_workbook_with_changed_parts(data: st.DataObject) -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(SOUND_BOOK)) as old, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new:
        victim = data.draw(st.sampled_from(old.namelist()))
        for name in old.namelist():
            part = bytearray(old.read(name))
            if name == victim:
                for _ in range(data.draw(st.integers(1, 6))):
                    part[data.draw(st.integers(0, len(part) - 1))] = data.draw(st.integers(0, 255))
            new.writestr(name, bytes(part))
    read(XLSX_FILE, made.getvalue())


@settings(QUIET, max_examples=30)
@given(
    st.lists(st.sampled_from(["700.00", "￥1,400.00", "待定", "", "７００元", "12.5"]), max_size=12),
    st.integers(0, 3),
    st.booleans(),
)
def test_rows_read_never_depend_on_titles_and_totals(amounts: list[str], titles: int, has_signature: bool) -> None:
    values = {"700.00": 700.0, "￥1,400.00": 1400.0, "７００元": 700.0, "12.5": 12.5}
    rows = [["题"]] * titles + [PAYMENT] + [payment(n, amount) for n, amount in enumerate(amounts)]
    total = sum(values.get(amount, 0.0) for amount in amounts)
    rows.append(["合计", "", f"{len(amounts)}笔", "", "", "", "", "", f"{total:,.2f}", "", ""])
    rows += [["制表人：甲", "", "审核：乙"]] * has_signature
    for content, suffix in ((text(rows), ".csv"), (workbook(("Sheet1", rows)), ".xlsx")):
        path = f"510104/202503/payment_510104_202503{suffix}"
        with tempfile.TemporaryDirectory() as folder:
            facts, landed = DistrictFolder.create(Path(folder)).land_one(content, path)
            assert facts.state == "accepted", facts.reason
            assert landed.values("payment", "_row") == [titles + 2 + n for n in range(len(amounts))]
            assert (facts.control_rows, float(facts.control_sum or 0)) == (len(amounts), total)


def _flip(content: bytearray, chance: random.Random) -> bytearray:
    for _ in range(chance.randint(1, 12)):
        content[chance.randrange(len(content))] = chance.randrange(256)
    return content


def _cut_out(content: bytearray, chance: random.Random) -> bytearray:
    start = chance.randrange(len(content))
    return content[:start] + content[start + chance.randint(1, 200) :]


def _repeat_some(content: bytearray, chance: random.Random) -> bytearray:
    start = chance.randrange(len(content))
    some = content[start : start + chance.randint(1, 200)]
    return content[:start] + some * chance.randint(2, 40) + content[start:]


def _put_in(content: bytearray, chance: random.Random) -> bytearray:
    odd = [b'"', b'""', b"\r", b"\n", b"\0", b",", b"\xff\xfe", b"\xef\xbb\xbf", b"\x81\x30", "合计".encode("gb18030")]
    start = chance.randrange(len(content))
    return content[:start] + chance.choice(odd) * chance.randint(1, 9) + content[start:]


def _change_part(content: bytearray, chance: random.Random) -> bytearray:
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(SOUND_BOOK)) as old, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new:
        victim = chance.choice(old.namelist())
        for name in old.namelist():
            part = bytearray(old.read(name))
            if name == victim:
                part = chance.choice([_flip, _cut_out, _repeat_some, _put_in])(part, chance)
            new.writestr(name, bytes(part))
    return bytearray(made.getvalue())


Mutation = Callable[[bytearray, random.Random], bytearray]
MUTATIONS: list[Mutation] = [_flip, _cut_out, _repeat_some, _put_in]
ROWS = [MEMBER, *[member(f"名,{n}\n䶮𠅤") for n in range(6)], ["合计", "6人"], ["制表人：甲", "", "审核：乙"]]


@pytest.mark.parametrize(
    ("sound", "suffix", "mutations"),
    [
        *[
            pytest.param(text(ROWS, encoding), ".csv", MUTATIONS, id=f"a text in {encoding}")
            for encoding in ("gb18030", "utf-8", "utf-8-sig", "utf-16", "utf-16-be")
        ],
        pytest.param(SOUND_BOOK, ".xlsx", MUTATIONS, id="the bytes of a workbook"),
        pytest.param(SOUND_BOOK, ".xlsx", [_change_part], id="the parts of a workbook"),
    ],
)
@pytest.mark.parametrize("rounds", [12, pytest.param(600, marks=pytest.mark.heavy)])
def test_no_mutation_of_a_sound_file_crashes_the_reader(
    sound: bytes, suffix: str, mutations: list[Mutation], rounds: int
) -> None:
    chance = random.Random(f"{suffix}{len(sound)}{rounds}")
    for _ in range(rounds):
        content = bytearray(sound)
        for _ in range(chance.randint(1, 3)):
            content = chance.choice(mutations)(content, chance) or bytearray(b"x")
        read(MEMBER_FILE.replace(".csv", suffix), bytes(content))
