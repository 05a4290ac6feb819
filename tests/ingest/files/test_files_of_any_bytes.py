"""Whatever bytes are dropped, the reader says accepted, refused or ignored, and goes on."""

from __future__ import annotations

import io
import tempfile
import zipfile
from pathlib import Path

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
