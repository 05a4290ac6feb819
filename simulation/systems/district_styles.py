"""How each district's finance section writes its files: encoding, headers, order, and the forms of its values.

A district keeps its style over the months; it follows from the seed alone.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

# The headers seen per kind and field, in the order of the owner's description.
HEADERS: dict[str, dict[str, tuple[str, ...]]] = {
    "household": {
        "household_no": ("家庭编号", "户号", "档案编号"),
        "benefit": ("救助类型", "类型"),
        "mode": ("保障方式", "施保方式"),
        "head_name": ("户主姓名", "申请人"),
        "head_id_no": ("户主身份证号", "申请人身份证号"),
        "insured_count": ("保障人数", "享受人数"),
        "approved_from": ("批准时间", "起保年月"),
        "address": ("家庭住址", "地址"),
        "phone": ("联系电话", "电话"),
    },
    "member": {
        "household_no": ("家庭编号", "户号", "档案编号"),
        "name": ("姓名", "成员姓名"),
        "id_no": ("身份证号", "身份证号码", "公民身份号码", "证件号码"),
        "relation": ("与户主关系", "关系"),
        "marital": ("婚姻状况",),
        "insured": ("是否保障对象", "享受低保"),
        "disability_cert_no": ("残疾证号",),
    },
    "payment": {
        "payment_no": ("发放流水号", "流水号"),
        "benefit": ("发放项目", "项目", "补贴类型"),
        "household_no": ("家庭编号", "户号", "档案编号"),
        "payee_name": ("姓名", "领款人", "户主姓名"),
        "payee_id_no": ("身份证号", "身份证号码", "领款人身份证号"),
        "bank_account": ("银行账号", "卡号", "一卡通账号"),
        "period_from": ("所属期起", "补发起始月"),
        "months": ("发放月数", "月数"),
        "amount": ("实发金额", "金额", "发放金额", "保障金"),
        "paid_on": ("发放日期", "打款日期"),
        "status": ("发放状态",),
    },
}
# Columns that no agreement mentions, and that some districts send nevertheless.
EXTRA_HEADERS = {"sequence": "序号", "remark": "备注", "unit": "填报单位"}
KEYS = {"household": "household_no", "member": "household_no", "payment": "payment_no"}
# The text column in which the 合计 row gives the number of rows, and the word behind the number.
COUNTED = {"household": ("head_name", "户"), "member": ("name", "人"), "payment": ("payee_name", "笔")}
TITLES = {"household": "社会救助家庭花名册", "member": "社会救助家庭成员花名册", "payment": "社会救助资金发放表"}
NULL_WORDS = ("无", "不详", "/", "-")

GB18030, UTF8_BOM, UTF8, UTF16 = "gb18030", "utf-8-sig", "utf-8", "utf-16"
_FORMATS = ("xlsx", GB18030, UTF8_BOM, GB18030, "xlsx", GB18030, UTF8, GB18030, UTF8_BOM, GB18030, "xlsx", GB18030)
_DATE_FORMS = ("compact", "dashed", "serial", "compact")
_MONTH_FORMS = ("han", "compact", "dashed", "serial")
_AMOUNT_FORMS = ("plain", "comma", "word", "sign", "full_width", "plain")


@dataclass(frozen=True)
class Layout:
    """The columns of one kind of file in one district: field (or extra column) and the header above it, in order."""

    columns: tuple[str, ...]
    headers: tuple[str, ...]


@dataclass(frozen=True)
class Style:
    """One district's habits."""

    district: str
    is_spreadsheet: bool
    encoding: str
    newline: str
    has_digest: bool
    has_total: bool
    title_rows: int
    signature_rows: int
    splits_sheets: bool
    note_sheet: str
    date_form: str
    month_form: str
    amount_form: str
    null_share: int
    null_words: tuple[str, ...]
    repeats_by_word: bool
    padded_share: int
    has_apostrophes: bool
    full_width_share: int
    layouts: dict[str, Layout] = field(default_factory=dict)


def choose_styles(districts: Sequence[str], seed: int) -> dict[str, Style]:
    """A style per district. Habits are dealt like cards, so that even few districts show most of them."""
    rng = random.Random(f"district styles {seed}")
    dealt = list(districts)
    rng.shuffle(dealt)
    offsets = [rng.randrange(12) for _ in range(4)]
    styles: dict[str, Style] = {}
    for place, district in enumerate(dealt):
        form = _FORMATS[place % len(_FORMATS)]
        is_spreadsheet = form == "xlsx"
        # Spreadsheets and text files each go round all forms.
        turn = sum(1 for style in styles.values() if style.is_spreadsheet == is_spreadsheet)
        amount_form = _AMOUNT_FORMS[(turn + offsets[0]) % len(_AMOUNT_FORMS)]
        own = random.Random(f"district style {seed} {district}")
        styles[district] = Style(
            district=district,
            is_spreadsheet=is_spreadsheet,
            encoding=UTF8 if is_spreadsheet else form,
            newline="\n" if turn % 4 == 3 else "\r\n",
            has_digest=(place // 2 + place) % 2 == 0,
            has_total=is_spreadsheet or turn % 2 == 0,
            title_rows=(turn + offsets[1]) % 4,
            signature_rows=1 + own.randrange(2),
            splits_sheets=is_spreadsheet and turn % 3 != 2,
            note_sheet=("first", "last", "")[turn % 3] if is_spreadsheet else "",
            date_form=_DATE_FORMS[(turn + offsets[2]) % len(_DATE_FORMS)],
            month_form=_MONTH_FORMS[(turn + offsets[3]) % len(_MONTH_FORMS)],
            amount_form="number" if is_spreadsheet and turn % 2 == 0 else amount_form,
            null_share=(0, 30, 60, 90)[turn % 4],
            null_words=tuple(own.sample(NULL_WORDS, 1 + own.randrange(3))),
            repeats_by_word=turn % 2 == 1,
            padded_share=(0, 40, 0, 90)[(turn + 1) % 4],
            has_apostrophes=turn % 3 == 1,
            full_width_share=(0, 0, 15)[turn % 3],
            layouts={kind: _choose_layout(kind, own) for kind in HEADERS},
        )
    return styles


def _choose_layout(kind: str, own: random.Random) -> Layout:
    fields = list(HEADERS[kind])
    key = KEYS[kind]
    others = [name for name in fields if name != key]
    if own.random() < 0.7:
        own.shuffle(others)
    columns = [key, *others]
    if own.random() < 0.5:
        columns.insert(0, "sequence")
    if own.random() < 0.5:
        columns.append("remark")
    if own.random() < 0.3:
        columns.insert(own.randrange(2, len(columns)), "unit")
    headers = [EXTRA_HEADERS.get(name) or own.choice(HEADERS[kind][name]) for name in columns]
    return Layout(tuple(columns), tuple(headers))
