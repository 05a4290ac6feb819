"""Malformed files as districts have sent them, or might: how each is built, and what must become of it."""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
import struct
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import xlsxwriter

HEADER = ["流水号", "项目", "户号", "姓名", "身份证号", "银行账号", "所属期起", "月数", "金额", "发放日期", "发放状态"]
SOUND = ["P1", "城市低保", "H1", "张三", "11010519491231002X", "6222020001", "202503", "1", "700.00", "20250312", ""]
PLACE = "510104/{month}/payment_510104_{month}"


@dataclass(frozen=True)
class FileCase:
    """``claim`` reads "<claim> is <fate>". ``path``: ``{month}`` stands for a month of the case's own.

    ``fate``: state of the receipt and its reason code, or accepted and the reason codes of its quarantined rows.
    ``sidecar``: content of the digest file, ``{digest}`` stands for the right one. ``with_sound``: another path where
    a sound file with the same (``same_bytes``) or other content lies.
    """

    claim: str
    content: bytes
    fate: tuple[str, ...]
    path: str = PLACE + ".csv"
    sidecar: str | None = None
    before: tuple[str, bytes] | None = None
    rows: int | None = None
    age: float = 3600.0


def row(**changes: str) -> list[str]:
    """A sound row with other cells, by position ``c<n>``."""
    cells = [*SOUND]
    for name, value in changes.items():
        cells[int(name[1:])] = value
    return cells


def total(count: str, amount: str, word: str = "合计") -> list[str]:
    return [word, "", count, "", "", "", "", "", amount, "", ""]


def text(*rows: Sequence[str], encoding: str = "gb18030", delimiter: str = ",") -> bytes:
    made = io.StringIO(newline="")
    csv.writer(made, delimiter=delimiter, lineterminator="\r\n").writerows(rows)
    return made.getvalue().encode(encoding)


def book(*sheets: Sequence[Sequence[Any]], hidden: int | None = None, date_1904: bool = False) -> bytes:
    made = io.BytesIO()
    workbook = xlsxwriter.Workbook(made, {"in_memory": True, "default_date_format": "yyyy-mm-dd"})
    if date_1904:
        workbook.date_1904 = True
        workbook.epoch = 1904
    for number, rows in enumerate(sheets):
        sheet = workbook.add_worksheet()
        if number == hidden:
            sheet.hide()
        for line, cells in enumerate(rows):
            for column, value in enumerate(cells):
                if isinstance(value, str) and value.startswith("="):
                    sheet.write_formula(line, column, value, value="#N/A")
                elif value is not None:
                    sheet.write(line, column, value)
    workbook.close()
    return made.getvalue()


def rewrite(content: bytes, change: Callable[[str, bytes], bytes | None], **added: bytes) -> bytes:
    """A workbook with changed, removed (None) or added parts."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            part = change(name, old.read(name))
            if part is not None:
                new.writestr(name, part)
        for name, part in added.items():
            new.writestr(name.replace("__", "/"), part)
    return made.getvalue()


def in_part(end: str, old: bytes, new: bytes) -> Callable[[str, bytes], bytes | None]:
    return lambda name, data: data.replace(old, new) if name.endswith(end) else data


def without(end: str) -> Callable[[str, bytes], bytes | None]:
    return lambda name, data: None if name.endswith(end) else data


def encrypted_flag(content: bytes) -> bytes:
    """A workbook whose parts claim to be encrypted, as an archiver with a password leaves it."""
    made = bytearray(content)
    for mark, flags_at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = made.find(mark)
        while at >= 0:
            (flags,) = struct.unpack_from("<H", made, at + flags_at)
            struct.pack_into("<H", made, at + flags_at, flags | 1)
            at = made.find(mark, at + 4)
    return bytes(made)


def bomb() -> bytes:
    return rewrite(BOOK, lambda name, data: data + b" " * (80 << 20) if name.endswith("sheet1.xml") else data)


def flip_in_middle(content: bytes) -> bytes:
    made = bytearray(content)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        (info,) = [part for part in archive.infolist() if part.filename.endswith("sheet1.xml")]
    at = info.header_offset + 30 + len(info.filename) + info.compress_size // 2
    made[at] ^= 0xFF
    return bytes(made)


SHEET = [HEADER, SOUND]
BOOK = book(SHEET)
TEXT = text(HEADER, SOUND)
UTF_8 = text(HEADER, SOUND, encoding="utf-8")
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504)
HTML = "<html><body><table><tr><td>流水号</td></tr></table></body></html>".encode()
REFUSED, ACCEPTED, IGNORED = "refused", "accepted", "ignored"
XLSX = PLACE + ".xlsx"


def xlsx(claim: str, content: bytes, *fate: str, **more: Any) -> FileCase:
    return FileCase(claim, content, fate, XLSX, **more)


def csv_file(claim: str, content: bytes, *fate: str, **more: Any) -> FileCase:
    return FileCase(claim, content, fate, **more)


ENCODINGS = [
    csv_file("GB18030 with two bytes that are none", TEXT + b"\xff\xff", REFUSED, "encoding"),
    csv_file("UTF-8 with a line of GB18030 in it", UTF_8 + text(row(c0="P2")) + b"\x80\xff", REFUSED, "encoding"),
    csv_file("GB18030 cut inside a character", text(HEADER, row(c10="失"))[:-3], REFUSED, "encoding"),
    csv_file(
        "UTF-8 with mark, cut in a character",
        codecs.BOM_UTF8 + text(HEADER, row(c10="失"), encoding="utf-8")[:-3],
        REFUSED,
        "encoding",
    ),
    csv_file("a UTF-8 mark before GB18030", codecs.BOM_UTF8 + TEXT, REFUSED, "encoding"),
    csv_file(
        "a UTF-16 mark before GB18030 of odd length",
        codecs.BOM_UTF16_LE + TEXT + b"x" * (len(TEXT) % 2 == 0),
        REFUSED,
        "encoding",
    ),
    csv_file(
        "a UTF-16 mark before UTF-8", codecs.BOM_UTF16_LE + UTF_8 + b"x" * (len(UTF_8) % 2 == 0), REFUSED, "encoding"
    ),
    csv_file("UTF-16 cut inside a character", text(HEADER, SOUND, encoding="utf-16")[:-1], REFUSED, "encoding"),
    csv_file("UTF-16 with half of a pair", text(HEADER, SOUND, encoding="utf-16") + b"\x40\xd8", REFUSED, "encoding"),
    csv_file("UTF-32", text(HEADER, SOUND, encoding="utf-32-le"), REFUSED, "encoding"),
    csv_file("Big5", "流水號,項目,姓名".encode("big5") + b"\r\n\xa4\xff\xff\r\n", REFUSED, "encoding"),
    csv_file("UTF-16BE with its mark", codecs.BOM_UTF16_BE + text(HEADER, SOUND, encoding="utf-16-be"), ACCEPTED),
    csv_file("UTF-16BE without a mark", text(HEADER, SOUND, encoding="utf-16-be"), ACCEPTED),
    csv_file("two UTF-8 marks", codecs.BOM_UTF8 * 2 + UTF_8, ACCEPTED),
    csv_file("a text whose last blocks are zero bytes", TEXT + bytes(512), REFUSED, "truncated"),
    csv_file("a text of zero bytes only", bytes(2048), REFUSED, "truncated"),
    csv_file("a zero byte inside an amount", text(HEADER, row(c8="7\x0000")), ACCEPTED, "unreadable_number"),
    csv_file("a private-use character", text(HEADER, row(c3="王\ue863"), encoding="utf-8"), ACCEPTED),
    csv_file("a character of 2022's edition", text(HEADER, row(c3="@@")).replace(b"@@", b"\xfe\x59"), ACCEPTED),
]
TEXTS = [
    csv_file("nothing at all", b"", REFUSED, "empty_file"),
    csv_file("one byte", b"x", REFUSED, "no_header"),
    csv_file("a mark and nothing else", codecs.BOM_UTF8, REFUSED, "no_header"),
    csv_file("blanks and line ends only", b" \r\n\t\r\n  \r\n", REFUSED, "no_header"),
    csv_file("commas only", b",,,,\r\n,,,,\r\n", REFUSED, "no_header"),
    csv_file("a header and no row", text(HEADER), ACCEPTED, rows=0),
    csv_file("a header, no row, and a total of three", text(HEADER, total("3笔", "2100")), REFUSED, "control_total"),
    csv_file("rows without a header", text(SOUND, SOUND), REFUSED, "no_header"),
    csv_file("a header too far down", text(*[["题"]] * 15, HEADER, SOUND), REFUSED, "no_header"),
    csv_file(
        "the header of another kind",
        text(["户号", "成员姓名", "与户主关系"], ["H1", "张三", "户主"]),
        REFUSED,
        "no_header",
    ),
    csv_file("the same header twice", text([*HEADER, "姓名"], [*SOUND, "x"]), REFUSED, "duplicate_header"),
    csv_file("two synonyms of one field", text([*HEADER, "实发金额"], [*SOUND, "1"]), REFUSED, "duplicate_header"),
    csv_file(
        "a header twice but for blanks and width", text([*HEADER, "姓　名"], [*SOUND, "x"]), REFUSED, "duplicate_header"
    ),
    csv_file("a renamed required column", text(["发放编号", *HEADER[1:]], SOUND), REFUSED, "missing_header"),
    csv_file(
        "a lacking required column", text(HEADER[:8] + HEADER[9:], SOUND[:8] + SOUND[9:]), REFUSED, "missing_header"
    ),
    csv_file("semicolons", text(HEADER, SOUND, delimiter=";"), REFUSED, "no_header"),
    csv_file("tabulators", text(HEADER, SOUND, delimiter="\t"), REFUSED, "no_header"),
    csv_file("wide commas", text(HEADER, SOUND).decode("gb18030").replace(",", "，").encode(), REFUSED, "no_header"),
    csv_file(
        "a quotation mark that is never closed",
        TEXT + '"P2,城市低保\r\nP3,城市低保\r\n'.encode("gb18030"),
        REFUSED,
        "open_quote",
    ),
    csv_file("a quotation mark that swallows a row", TEXT + b'"P2,x\r\n"P3"y",z\r\n', REFUSED, "open_quote"),
    csv_file("a row that is too short", text(HEADER, SOUND, SOUND[:5]), ACCEPTED, "wrong_shape"),
    csv_file("a row that is too long", text(HEADER, SOUND, [*row(c0="P2"), "x", "y"]), ACCEPTED, "wrong_shape"),
    csv_file(
        "a comma inside an amount without quotes",
        TEXT + TEXT.splitlines()[1].replace(b"700.00", b"1,400.00") + b"\r\n",
        ACCEPTED,
        "wrong_shape",
    ),
    csv_file("a last row cut off", text(HEADER, SOUND) + text(row(c0="P2"))[:20], ACCEPTED, "wrong_shape"),
    csv_file("a total whose sum is wrong", text(HEADER, SOUND, total("1笔", "701.00")), REFUSED, "control_total"),
    csv_file(
        "a total whose number of rows is wrong", text(HEADER, SOUND, total("2笔", "700")), REFUSED, "control_total"
    ),
    csv_file(
        "a total over rows that did not arrive",
        text(HEADER, SOUND, total("812笔", "568,400.00")),
        REFUSED,
        "control_total",
    ),
    csv_file("a total of a cent less", text(HEADER, SOUND, total("1笔", "699.99")), REFUSED, "control_total"),
    csv_file(
        "two totals of which the last is wrong",
        text(HEADER, SOUND, total("1笔", "700"), total("1笔", "9")),
        REFUSED,
        "control_total",
    ),
    csv_file(
        "two totals of which the last is right",
        text(HEADER, SOUND, total("9笔", "9"), total("1笔", "700")),
        ACCEPTED,
        rows=1,
    ),
    csv_file(
        "a row below the total that it counts",
        text(HEADER, SOUND, total("2笔", "1400"), row(c0="P2")),
        ACCEPTED,
        rows=2,
    ),
    csv_file(
        "a row below the total that it leaves out",
        text(HEADER, SOUND, total("1笔", "700"), row(c0="P2")),
        REFUSED,
        "control_total",
    ),
    csv_file("a header repeated among the rows", text(HEADER, SOUND, HEADER, row(c0="P2")), ACCEPTED, rows=2),
    csv_file("the same payment twice, alike", text(HEADER, SOUND, SOUND), ACCEPTED, rows=2),
    csv_file("the same payment twice, corrected", text(HEADER, SOUND, row(c8="800.00")), ACCEPTED, rows=2),
    csv_file("an unknown column", text([*HEADER, "备注"], [*SOUND, "x"]), ACCEPTED, rows=1),
    csv_file("old Macintosh line ends", TEXT.replace(b"\r\n", b"\r"), ACCEPTED, rows=1),
    csv_file("a PDF document", b"%PDF-1.7\n" + TEXT, REFUSED, "wrong_kind"),
    csv_file("a workbook under the name of a text", BOOK, REFUSED, "wrong_kind"),
    csv_file("an archive", b"\x1f\x8b\x08" + bytes(50), REFUSED, "wrong_kind"),
    csv_file("a web page under the name of a text", HTML, REFUSED, "wrong_kind"),
    csv_file("a photograph", b"\xff\xd8\xff\xe0" + bytes(80), REFUSED, "wrong_kind"),
    csv_file("a letter in rich text", b"{\\rtf1\\ansi hello}", REFUSED, "wrong_kind"),
]
BOOKS = [
    xlsx("an empty file under the name of a workbook", b"", REFUSED, "empty_file"),
    xlsx(
        "a workbook with a password",
        OLE + "EncryptedPackage".encode("utf-16-le") + bytes(100),
        REFUSED,
        "password_protected",
    ),
    xlsx("a workbook packed with a password", encrypted_flag(BOOK), REFUSED, "password_protected"),
    xlsx("an old binary workbook", OLE + "Workbook".encode("utf-16-le") + bytes(100), REFUSED, "wrong_kind"),
    xlsx("a web page under the name of a workbook", HTML, REFUSED, "wrong_kind"),
    xlsx("a text under the name of a workbook", TEXT, REFUSED, "wrong_kind"),
    xlsx("a PDF under the name of a workbook", b"%PDF-1.4" + bytes(64), REFUSED, "wrong_kind"),
    xlsx("a workbook that lost its second half", BOOK[: len(BOOK) // 2], REFUSED, "truncated"),
    xlsx("a workbook that lost its last bytes", BOOK[:-10], REFUSED, "truncated"),
    xlsx("a workbook with a damaged sheet", flip_in_middle(BOOK), REFUSED, "truncated"),
    xlsx("a workbook without its sheet", rewrite(BOOK, without("sheet1.xml")), REFUSED, "truncated"),
    xlsx("a workbook without its list of sheets", rewrite(BOOK, without("workbook.xml")), REFUSED, "wrong_kind"),
    xlsx(
        "a workbook with a broken list of sheets",
        rewrite(BOOK, in_part("xl/workbook.xml", b"</workbook>", b"<")),
        REFUSED,
        "truncated",
    ),
    xlsx("an archive that is no workbook", rewrite(BOOK, lambda name, data: None, a__b=b"x"), REFUSED, "wrong_kind"),
    xlsx("a bomb", bomb(), REFUSED, "zip_bomb"),
    xlsx(
        "a list of sheets with entities of its own",
        rewrite(BOOK, in_part("xl/workbook.xml", b"<workbook ", b'<!DOCTYPE x [<!ENTITY a "aaaa">]><workbook ')),
        REFUSED,
        "wrong_shape",
    ),
    xlsx("a workbook that counts days from 1904", book(SHEET, date_1904=True), REFUSED, "date_1904"),
    xlsx("a workbook without any cell", book([]), REFUSED, "no_header"),
    xlsx("a sheet with a note only", book([["填表说明"], ["一、按月填报"]]), REFUSED, "no_header"),
    xlsx("a note beside the data", book([["填表说明"], ["一、按月填报"]], SHEET), ACCEPTED, rows=1),
    xlsx("a hidden sheet", book(SHEET, [HEADER, row(c0="P2")], hidden=1), ACCEPTED, rows=2),
    xlsx("a stale dimension", rewrite(BOOK, in_part("sheet1.xml", b'ref="A1:K2"', b'ref="A1:K1"')), ACCEPTED, rows=1),
    xlsx(
        "a dimension of a million rows",
        rewrite(BOOK, in_part("sheet1.xml", b'ref="A1:K2"', b'ref="A1:K1048576"')),
        ACCEPTED,
        rows=1,
    ),
    xlsx(
        "a formula that failed",
        book([HEADER, [*SOUND[:8], "=VLOOKUP(1,A:B,2)", *SOUND[9:]]]),
        ACCEPTED,
        "unreadable_number",
    ),
    xlsx("an identity number as a number", book([HEADER, [*SOUND[:4], 510104198001011234, *SOUND[5:]]]), ACCEPTED),
    xlsx(
        "a header over two merged cells",
        book([[*HEADER[:3], "领款人", None, *HEADER[5:]], SOUND]),
        REFUSED,
        "missing_header",
    ),
    xlsx("a sheet whose header lies below twelve titles", book([["题"]] * 12 + SHEET), REFUSED, "no_header"),
    xlsx(
        "a total of another sheet",
        book([HEADER, SOUND, total("1笔", "700")], [HEADER, row(c0="P2"), total("1笔", "900")]),
        REFUSED,
        "control_total",
    ),
    xlsx(
        "a workbook with macros under the agreed name",
        rewrite(BOOK, lambda name, data: data, xl__vbaProject=b"\xd0\xcf\x11\xe0"),
        ACCEPTED,
        rows=1,
    ),
    xlsx("a sheet with headers twice", book([[*HEADER, "金额"], [*SOUND, "1"]]), REFUSED, "duplicate_header"),
]
NAMES = [
    FileCase(
        "a file of another district in this folder",
        TEXT,
        (REFUSED, "unrecognised_name"),
        "510104/{month}/payment_510105_{month}.csv",
    ),
    FileCase(
        "a file of another month in this folder",
        TEXT,
        (REFUSED, "unrecognised_name"),
        "510104/{month}/payment_510104_209901.csv",
    ),
    FileCase("a month that is none", TEXT, (REFUSED, "unrecognised_name"), "510104/202513/payment_510104_202513.csv"),
    FileCase("an unknown kind", TEXT, (REFUSED, "unrecognised_name"), "510104/{month}/salary_510104_{month}.csv"),
    FileCase("a version that is no number", TEXT, (REFUSED, "unrecognised_name"), PLACE + "_vX.csv"),
    FileCase("a version in words", TEXT, (REFUSED, "unrecognised_name"), PLACE + "_最终版.csv"),
    FileCase("a copy of a file manager", TEXT, (REFUSED, "unrecognised_name"), PLACE + " (1).csv"),
    FileCase("a name with blanks", TEXT, (REFUSED, "unrecognised_name"), "510104/{month}/payment 510104 {month}.csv"),
    FileCase("an unknown ending", TEXT, (REFUSED, "unrecognised_name"), PLACE + ".xls"),
    FileCase("a macro workbook", BOOK, (REFUSED, "unrecognised_name"), PLACE + ".xlsm"),
    FileCase("a file outside any folder", TEXT, (REFUSED, "unrecognised_name"), "payment_510104_{month}.csv"),
    FileCase(
        "a file one folder too deep",
        TEXT,
        (REFUSED, "unrecognised_name"),
        "510104/{month}/x/payment_510104_{month}.csv",
    ),
    FileCase("the lock file of an open workbook", b"x", (IGNORED, "scratch_file"), "510104/{month}/~$a.xlsx"),
    FileCase("a thumbnail cache", b"x", (IGNORED, "scratch_file"), "510104/{month}/Thumbs.db"),
    FileCase(
        "version nought beside the first",
        TEXT + text(row(c0="P2")),
        (IGNORED, "replaced"),
        PLACE + "_v0.csv",
        before=(PLACE + ".csv", TEXT),
    ),
    FileCase(
        "the same bytes as the next version",
        TEXT,
        (IGNORED, "duplicate"),
        PLACE + "_v2.csv",
        before=(PLACE + ".csv", TEXT),
    ),
    FileCase(
        "the same bytes under a name of one's own",
        TEXT,
        (IGNORED, "duplicate"),
        PLACE + "备份.csv",
        before=(PLACE + ".csv", TEXT),
    ),
    FileCase(
        "other bytes under the same version",
        TEXT + text(row(c0="P2")),
        (REFUSED, "same_version_twice"),
        PLACE + "_v1.csv",
        before=(PLACE + ".csv", TEXT),
    ),
]
RIGHT = "{digest}  payment.csv\n"
DIGESTS = [
    csv_file("a digest that differs", TEXT, REFUSED, "digest_differs", sidecar="0" * 64 + "  x\n"),
    csv_file("a digest of another file", TEXT, REFUSED, "digest_differs", sidecar=hashlib.sha256(b"other").hexdigest()),
    csv_file("an empty digest", TEXT, REFUSED, "digest_differs", sidecar=""),
    csv_file("a digest of another length", TEXT, REFUSED, "digest_differs", sidecar="d41d8cd98f00b204e9800998ecf8427e"),
    csv_file("a digest that is a sentence", TEXT, REFUSED, "digest_differs", sidecar="checksum follows by letter"),
    csv_file("a digest without a file name", TEXT, ACCEPTED, sidecar="{digest}", rows=1),
    csv_file("a digest in capital letters", TEXT, ACCEPTED, sidecar="{DIGEST}  X.CSV", rows=1),
    csv_file("a digest as a binary file's", TEXT, ACCEPTED, sidecar="{digest} *payment.csv", rows=1),
    csv_file(
        "a right digest over a broken total",
        text(HEADER, SOUND, total("9笔", "9")),
        REFUSED,
        "control_total",
        sidecar=RIGHT,
    ),
    FileCase("a digest whose file never came", b"0" * 64, (REFUSED, "digest_without_file"), PLACE + ".csv.sha256"),
]
CASES = [*ENCODINGS, *TEXTS, *BOOKS, *NAMES, *DIGESTS]
