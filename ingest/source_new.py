"""Draft a source from a sample: its contract, an invented sample, and the staging models; valid as they are.

What only a person can know stands in the drafts as a comment that begins with ``Decide:``; ``source check`` lists them.
No value of the sample is written anywhere but the words of its code lists.
"""

from __future__ import annotations

import csv
import io
import json
import keyword
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ingest import source_profile as looks
from ingest.contract import DATABASE, FILES, HTTP, SCHEMA_FILE, read_contract
from ingest.files.layout import fold
from ingest.registry import SOURCES, contracts, source_names
from ingest.source_profile import SURE, ColumnProfile, profile_table
from ingest.source_sample import JSON, PARQUET, Sample, SampleUnusable, read_sample

DECIDE = "Decide:"
NAME_PATTERN = r"[a-z][a-z0-9]*"
RESERVED = frozenset({"raw", "type", "order", "group", "select", "from", "where", "table", "user"})
# Words that offices use everywhere; what the contracts at hand say of a header outranks them.
KNOWN_HEADERS = {
    "姓名": "full_name",
    "性别": "sex",
    "出生日期": "birth_date",
    "身份证号": "id_no",
    "身份证号码": "id_no",
    "公民身份号码": "id_no",
    "联系电话": "phone",
    "电话": "phone",
    "手机号": "phone",
    "地址": "address",
    "住址": "address",
    "家庭住址": "address",
    "户籍地": "hukou",
    "银行账号": "bank_account",
    "金额": "amount",
    "状态": "status",
    "类型": "kind",
    "编号": "number",
    "备注": "remark",
}
SENSITIVITY = {
    looks.IDENTITY_NUMBER: "personal",
    looks.NAME: "personal",
    looks.PHONE: "personal",
    looks.ADDRESS: "sensitive",
    looks.ACCOUNT: "sensitive",
    looks.LONG_NUMBER: "personal",
    looks.TEXT: "personal",
}
TYPES = {looks.TIMESTAMP: "timestamptz", looks.DATE: "date", looks.MONTH: "month", looks.INTEGER: "integer"}
DECLARED = {
    "BIGINT": "integer",
    "INTEGER": "integer",
    "SMALLINT": "integer",
    "TINYINT": "integer",
    "DATE": "date",
    "TIMESTAMP": "timestamptz",
    "TIMESTAMP WITH TIME ZONE": "timestamptz",
    "BOOLEAN": "boolean",
}
INVENTED = {
    looks.IDENTITY_NUMBER: "11010519491231002X",
    looks.NAME: "张样例",
    looks.PHONE: "13900000001",
    looks.ADDRESS: "样例路1号",
    looks.ACCOUNT: "6222000000000000001",
    looks.LONG_NUMBER: "6222000000000000001",
    looks.TIMESTAMP: "2025-01-02 08:00:00+08:00",
    looks.DATE: "2025-01-02",
    looks.MONTH: "2025-01",
    looks.INTEGER: "1",
    looks.DECIMAL: "1.00",
}
OF_TYPE = {"integer": "1", "date": "2025-01-02", "timestamptz": "2025-01-02 08:00:00+08:00", "boolean": "true"}
SAMPLE_DISTRICT, SAMPLE_MONTH = "510104", "202501"


class SourceExists(Exception):
    """A source of that name is there, or the name cannot be one; one sentence."""


@dataclass(frozen=True)
class DraftField:
    """One column and what the contract says of it."""

    name: str
    column: ColumnProfile
    type: str
    codes: str | None

    @property
    def is_sure(self) -> bool:
        """Whether (nearly) all values of the sample are of the type."""
        return self.type == "text" or self.column.readable_share >= SURE


@dataclass(frozen=True)
class Draft:
    """A source in the making. ``key`` and ``watermark`` are names of fields."""

    source: str
    entity: str
    kind: str
    sample: Sample
    fields: tuple[DraftField, ...]
    key: str | None
    watermark: str | None

    def first(self, looks_like: str, words: str = "") -> DraftField | None:
        """The first field that looks so and whose header or name has one of ``words``."""
        for each in self.fields:
            said = f"{each.column.header} {each.name}".lower()
            if each.column.looks_like == looks_like and re.search(words, said):
                return each
        return None

    def named(self, words: str) -> DraftField | None:
        """The first field whose header or name has one of ``words``."""
        return next((f for f in self.fields if re.search(words, f"{f.column.header} {f.name}".lower())), None)


def create_source(
    name: str, file: Path, sources: Path, models: Path, kind: str | None = None, shapes: Sequence[str] = ()
) -> list[Path]:
    """Draft the source ``name`` from the sample ``file``; the files written.

    Raises ``SourceExists``, ``SampleUnusable``, ``ContractError`` (a contract at hand is wrong), ``OSError``.
    """
    if not re.fullmatch(NAME_PATTERN, name) or keyword.iskeyword(name):
        raise SourceExists(f"{name!r} cannot name a source; use small letters and digits, a letter first: housing.")
    for folder in (sources / name, models / name):
        if folder.exists():
            raise SourceExists(f"{folder} is there already; choose another name, or remove it first.")
    sample = read_sample(file)
    draft = _draft(name, file, sample, kind or {JSON: HTTP, PARQUET: DATABASE}.get(sample.kind, FILES), sources)
    written = {sources / name / "contract.yml": _write_contract(draft, sources)}
    written[_sample_place(draft, sources)] = _write_sample(draft)
    for model, text in _write_staging(draft).items():
        written[models / name / model] = text
    for place, text in written.items():
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
    read_contract(sources / name)
    return list(written)


def _draft(name: str, file: Path, sample: Sample, kind: str, sources: Path) -> Draft:
    profiles = profile_table(sample.table, sample.types)
    known = _known_headers(sources)
    fields: list[DraftField] = []
    for column in profiles:
        taken = {each.name for each in fields}
        field_name = _name_field(column.header, known, taken)
        codes = field_name if column.codes and column.looks_like == looks.CODE else None
        fields.append(DraftField(field_name, column, _type_of(column), codes))
    entity = _name_entity(file.stem, name)
    key = watermark = None
    if kind != FILES:
        key = _find_key(fields, file.name)
        watermark = _find_watermark(fields)
        if kind == HTTP and watermark is None:
            raise SampleUnusable(
                f"{file.name}: no column holds points in time, and an HTTP source needs one that moves when a record "
                "changes; give a sample with it, or say --kind database or files."
            )
    return Draft(name, entity, kind, sample, tuple(fields), key, watermark)


def _known_headers(sources: Path) -> dict[str, str]:
    """Folded header → field name, as the contracts at hand call it."""
    known = {fold(header): name for header, name in KNOWN_HEADERS.items()}
    for contract in contracts(sources) if source_names(sources) else contracts(SOURCES):
        if contract.kind == FILES:
            for entity in contract.entities:
                for field in entity.fields:
                    for header in field.headers:
                        known.setdefault(fold(header), field.name)
    return known


def _name_field(header: str, known: dict[str, str], taken: set[str]) -> str:
    """A field's name: as known, else the header in small letters, Han characters by their sound."""
    name = known.get(fold(header))
    if name is None:
        spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", header)
        # Here, because its dictionaries take a quarter of a second that other commands need not wait.
        from pypinyin import lazy_pinyin

        sounds = "_".join(lazy_pinyin(spaced))
        name = re.sub(r"[^a-z0-9]+", "_", sounds.lower()).strip("_") or "column"
    if not name[0].isalpha() or name in RESERVED:
        name = f"field_{name}"
    number = 2
    unique = name
    while unique in taken:
        unique, number = f"{name}_{number}", number + 1
    return unique


def _name_entity(stem: str, source: str) -> str:
    name = re.sub(r"[^a-z0-9]+", "_", stem.lower()).strip("_")
    name = re.sub(r"(_\d+|_v\d+)+$", "", name)
    return name if re.fullmatch(r"[a-z][a-z0-9_]*", name) and name.isascii() else source


def _type_of(column: ColumnProfile) -> str:
    if column.declared in DECLARED:
        return DECLARED[column.declared]
    if column.declared is not None and (match := re.fullmatch(r"DECIMAL\((\d+),\s*(\d+)\)", column.declared)):
        return f"decimal({match[1]},{match[2]})"
    if column.looks_like == looks.CODE:
        return "code"
    if column.looks_like == looks.DECIMAL:
        return f"decimal(14,{max(column.scale, 2)})"
    return TYPES.get(column.looks_like, "text")


def _find_key(fields: Sequence[DraftField], file: str) -> str:
    """The field that tells records apart: every row has its own, and it is called so if possible."""
    unique = [each for each in fields if each.column.is_unique and not _is_of_a_person(each)]
    if not unique:
        raise SampleUnusable(
            f"{file}: no column has a value of its own in every row, and records of a database or an interface need a "
            "key; give a sample with it, or say --kind files."
        )
    called = [each for each in unique if re.search(r"(^|_)(id|no|number|code|bian_hao)$", each.name)]
    return (called or unique)[0].name


def _is_of_a_person(each: DraftField) -> bool:
    """Whether the column speaks of a person, or of a day: such a value never names a record."""
    return each.column.looks_like in looks.PERSONAL - {looks.LONG_NUMBER}


def _find_watermark(fields: Sequence[DraftField]) -> str | None:
    moments = [each.name for each in fields if each.type == "timestamptz"]
    called = [name for name in moments if re.search(r"updat|modif|chang|geng_xin|xiu_gai", name)]
    return next(iter([*called, *moments]), None)


# The contract ---------------------------------------------------------------------------------------------------------


def _quote(text: str) -> str:
    """A YAML scalar; JSON's strings are YAML's."""
    return json.dumps(text, ensure_ascii=False)


def _write_contract(draft: Draft, sources: Path) -> str:
    beside = sources.parent / SCHEMA_FILE.name
    schema = f"../../{SCHEMA_FILE.name}" if beside.exists() else os.path.relpath(SCHEMA_FILE, sources / draft.source)
    nulls = ["", *sorted({word for each in draft.fields for word in each.column.null_words})]
    lines = [
        f"# yaml-language-server: $schema={schema}",
        f"# {DECIDE} the source's title and the office that owns it and corrects its rows.",
        f"title: {draft.source.capitalize()}",
        f"owner: Owner of {draft.source}",
        f"# {DECIDE} when it may reach the citizen view; until then it lands and is staged, and nothing more.",
        "release: shadow",
        f"# {DECIDE} when to land it, and after how many days without a delivery somebody must ask.",
        'schedule: "0 2 * * *"',
        "freshness_days: 40" if draft.kind == FILES else "freshness_days: 3",
        f"nulls: [{', '.join(map(_quote, nulls))}]",
        "",
        *_connector(draft),
        "",
        *_code_lists(draft),
        "entities:",
        f"  {draft.entity}:",
        f"    title: One row of {draft.entity}",
        *_identity(draft),
        *_control_totals(draft),
        "    fields:",
    ]
    for each in draft.fields:
        lines += _field(draft, each)
    return "\n".join(lines) + "\n"


def _connector(draft: Draft) -> list[str]:
    if draft.kind == FILES:
        return [
            "connector:",
            "  kind: files",
            f"  # {DECIDE} folder and name of the files; this is the form that district files have.",
            f"  # <district>/<yyyymm>/{draft.entity}_<district>_<yyyymm>[_vN].(csv|xlsx)",
            r"  pattern: '(?P<district>\d{6})/(?P<month>\d{6})/(?P<kind>"
            + draft.entity
            + r")_(?P=district)_(?P=month)(?:_v(?P<version>\d+))?\.(?P<suffix>csv|xlsx)'",
            "  settle_seconds: 10",
            "  digest_suffix: .sha256",
        ]
    if draft.kind == HTTP:
        return [
            "connector:",
            "  kind: http",
            f"  # {DECIDE} path, parameters and the promised limit, by the owner's description of the interface.",
            f"  path: /api/v1/{draft.entity}",
            f"  items: {draft.sample.items or 'items'}",
            "  next_cursor: next",
            "  cursor_parameter: cursor",
            "  since_parameter: updatedSince",
            "  page_size_parameter: pageSize",
            "  page_size: 500",
            "  requests_per_second: 5",
        ]
    return [
        "connector:",
        "  kind: database",
        f"  # {DECIDE} whether three days exceed the owner's longest transaction.",
        "  overlap_days: 3",
    ]


def _code_lists(draft: Draft) -> list[str]:
    coded = [each for each in draft.fields if each.codes is not None]
    if not coded:
        return []
    lines = ["code_lists:"]
    for each in coded:
        more = f", and what {each.column.rare_words} rarer words mean" if each.column.rare_words else ""
        lines += [f"  # {DECIDE} the canonical codes of {each.name}{more}.", f"  {each.codes}:"]
        lines += [f"    {_quote(word)}: [{_quote(word)}]" for word in each.column.codes]
    return [*lines, ""]


def _identity(draft: Draft) -> list[str]:
    if draft.kind == FILES:
        unique = [each.name for each in draft.fields if each.column.is_unique and not _is_of_a_person(each)]
        hint = f" (in the sample {unique[0]} is different in every row)" if unique else ""
        return [
            f"    # {DECIDE} whether rows have a number of their own{hint}; this names them by their place.",
            '    record_id: "{_district}/{_month}/{_kind}/{_sheet}/{_row}"',
        ]
    lines = [
        f"    # {DECIDE} whether {draft.key} identifies a record for good.",
        f"    key: [{draft.key}]",
        f'    record_id: "{{{draft.key}}}"',
    ]
    if draft.watermark is not None:
        lines += [
            f"    # {DECIDE} whether {draft.watermark} moves whenever a record changes.",
            f"    watermark: {draft.watermark}",
        ]
    return lines


def _control_totals(draft: Draft) -> list[str]:
    if not draft.sample.has_totals or draft.kind != FILES:
        return []
    amounts = [each.name for each in draft.fields if each.type.startswith("decimal")]
    total = f", sum_field: {amounts[0]}" if len(amounts) == 1 else ""
    return [
        f"    # {DECIDE} how the totals row counts the rows, and which field it adds up.",
        rf"    control_totals: {{words: [合计, 总计], count_pattern: '(\d[\d,]*)\s*(?:笔|人|户|条)'{total}}}",
    ]


def _field(draft: Draft, each: DraftField) -> list[str]:
    said: list[str] = []
    if draft.kind == FILES:
        said.append(f"headers: [{_quote(each.column.header)}]")
    elif draft.kind == HTTP:
        said.append(f"path: {_quote(each.column.header)}")
    elif each.column.header != each.name:
        said.append(f"column: {_quote(each.column.header)}")
    if each.type != "text":
        said.append(f"type: {_quote(each.type) if '(' in each.type else each.type}")
    if each.codes is not None:
        said.append(f"codes: {each.codes}")
    if each.name in (draft.key, draft.watermark):
        said.append("required: true")
    elif each.type != "text":
        # A draft has seen a sample only: what it cannot read is told, and keeps no row from landing.
        said.append("on_breach: notice")
    if sensitivity := SENSITIVITY.get(each.column.looks_like):
        said.append(f"sensitivity: {sensitivity}")
    lines = []
    if not each.is_sure:
        share = f"{1 - each.column.readable_share:.1%}"
        lines.append(f"      # {DECIDE} what the {share} of {each.name} mean that are no {each.type}.")
    return [*lines, f"      {each.name}: {{{', '.join(said)}}}"]


# The sample -----------------------------------------------------------------------------------------------------------


def _sample_place(draft: Draft, sources: Path) -> Path:
    folder = sources / draft.source / "sample"
    if draft.kind == FILES:
        name = f"{draft.entity}_{SAMPLE_DISTRICT}_{SAMPLE_MONTH}.csv"
        return folder / SAMPLE_DISTRICT / SAMPLE_MONTH / name
    return folder / f"{draft.entity}.{'json' if draft.kind == HTTP else 'csv'}"


def _write_sample(draft: Draft) -> str:
    """One invented row under the headers of the sample."""
    row = {each.column.header: _invent(each) for each in draft.fields}
    if draft.kind != HTTP:
        written = io.StringIO()
        csv.writer(written, lineterminator="\n").writerows([list(row), list(row.values())])
        return written.getvalue()
    item: dict[str, Any] = {}
    for path, value in row.items():
        *outer, last = path.split(".")
        place = item
        for name in outer:
            place = place.setdefault(name, {})
        place[last] = value
    page = {draft.sample.items or "items": [item], "next": None}
    return json.dumps(page, ensure_ascii=False, indent=2) + "\n"


def _invent(each: DraftField) -> str:
    if each.column.codes and each.codes is not None:
        return each.column.codes[0]
    return OF_TYPE.get(each.type) or INVENTED.get(each.column.looks_like, "样例" if each.type == "text" else "1")


# The staging models ---------------------------------------------------------------------------------------------------


def _write_staging(draft: Draft) -> dict[str, str]:
    """File name → text. A person's name or number makes a model of mentions; else the rows are staged as they are."""
    name, number = draft.first(looks.NAME), draft.first(looks.IDENTITY_NUMBER)
    relation = f"{draft.source}__{draft.entity}"
    model = f"stg_{draft.source}__mentions" if name or number else f"stg_{draft.source}__{draft.entity}"
    text = _mentions(draft, name, number) if name or number else _plain(draft)
    return {
        f"_{draft.source}.yml": _describe_models(draft, relation, model, bool(name or number)),
        f"{model}.sql": text,
    }


def _describe_models(draft: Draft, relation: str, model: str, is_mentions: bool) -> str:
    lines = [
        "version: 2",
        "",
        "sources:",
        "  - name: landing",
        "    schema: landing",
        "    tables:",
        f"      - name: {relation}",
        f'        description: "One row of {draft.entity} in its latest state."',
        "",
        "models:",
        f"  - name: {model}",
    ]
    if is_mentions:
        lines += [
            '    description: "One row per person named in a record. 提及。"',
            "    data_tests:",
            f"      - conserves_records: {{arguments: {{source_table: {relation}}}}}",
            "    columns:",
            '      - {name: mention_key, description: "Key of the mention. 提及键", data_tests: [unique, not_null]}',
        ]
    else:
        lines.append(f'    description: "One row of {draft.entity}."')
    return "\n".join(lines) + "\n"


def _plain(draft: Draft) -> str:
    return (
        f"-- One row of {draft.entity}.\n"
        f"-- {DECIDE} which shapes of macros/staged_shapes.sql the source offers; the sample names no person.\n"
        f"select * from {{{{ source('landing', '{draft.source}__{draft.entity}') }}}}\n"
    )


def _mentions(draft: Draft, name: DraftField | None, number: DraftField | None) -> str:
    raw = "raw_" if draft.kind in (FILES, HTTP) else ""
    given = {
        "source_system": f"\"'{draft.source}'\"",
        "source_table": f"\"'{draft.entity}'\"",
        "source_record_id": "'_source_record_id'",
        "role": "\"'person'\"",
        "is_withdrawn": "'false'",
    }
    if name is not None:
        given |= {"raw_name": f"'{raw}{name.name}'", "name_text": f"'{name.name}'"}
    if number is not None:
        given |= {"raw_id_no": f"'{raw}{number.name}'", "id_text": f"'{number.name}'"}
    birth = draft.named(r"出生|birth")
    found = {
        "birth_text": birth,
        "sex_text": draft.named(r"性别|(^|[ _])sex|gender"),
        "phone_text": draft.first(looks.PHONE),
        "address_text": draft.first(looks.ADDRESS),
        "hukou_text": draft.named(r"户籍|hukou"),
        "account_text": draft.first(looks.ACCOUNT),
    }
    given |= {field: f"'{raw if each.type != 'text' else ''}{each.name}'" for field, each in found.items() if each}
    if draft.kind == FILES:
        given["managing_text"] = "'_district'"
    said = next((each for each in draft.fields if each.type == "date" and each is not birth), None)
    if said is not None:
        given["said_on"] = f"'{said.name}'"
    given["seen_at"] = f"'{draft.watermark}'" if draft.watermark is not None else "'_landed_at'"
    given["delivery_id"] = "'_delivery_id'"
    listed = ",\n        ".join(f"'{field}': {value}" for field, value in given.items())
    others = [f.name for f in draft.fields if f.column.looks_like == looks.NAME and f is not name]
    more = f" The sample also names {', '.join(others)}: one branch per role." if others else ""
    return (
        f"-- One row per person named in a record of {draft.entity}.\n"
        f"-- {DECIDE} the person's role, and which rows are withdrawn.{more}\n"
        "with raw_mentions as (\n\n"
        f"    select {{{{ raw_mention({{\n        {listed}\n    }}) }}}}\n"
        f"    from {{{{ source('landing', '{draft.source}__{draft.entity}') }}}}\n\n"
        "),\n\n"
        "{{ standardise_mentions('raw_mentions') }}\n\n"
        "select {{ shape_columns('mentions') }}\n"
        "from standardised_mentions\n"
    )
