"""Judge rows as delivered against the contract: typed values, or the list of breaches, never a silent pass.

One SELECT per entity, built from the contract. The relation that is judged holds ``raw_<field>`` per field, as text or
in the owner's own type. A breach names field and reason, never the value: messages may be shown to anybody.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from duckdb.func import PythonUDFType

from ingest.contract import FILES, NOTICE, PLACEHOLDER, Contract, Entity, Field
from warehouse.digest import digest

# Excel counts days from here; its wrong leap day of 1900 lies before every date we accept as a number.
EXCEL_EPOCH = "DATE '1899-12-30'"
EXCEL_FIRST, EXCEL_LAST = 10_000, 73_050
_HAN = r"\x{3400}-\x{4DBF}\x{4E00}-\x{9FFF}\x{20000}-\x{2F7FF}"
HAS_FORMS = rf"[^\x00-\x7F\x{{B7}}\x{{3000}}{_HAN}]"
BLANKS = "' \t\r\n' || chr(160) || chr(12288) || chr(8203) || chr(65279)"
# A text of these alone reads as it stands: nothing to trim, to fold or to unmark.
PLAIN = rf"[\x21-\x26\x28-\x7E\x{{B7}}{_HAN}]+"


@dataclass(frozen=True)
class Breach:
    """One reason why a value does not keep the contract: reason code and what it means to a person."""

    code: str
    meaning: str


MISSING = Breach("missing", "has no value, and must have one")
NO_DATE = Breach("unreadable_date", "is no full calendar day")
NO_MONTH = Breach("unreadable_month", "is no month")
NO_NUMBER = Breach("unreadable_number", "is no number of the agreed form")
NO_TIME = Breach("unreadable_timestamp", "is no point in time")
UNKNOWN_CODE = Breach("unknown_code", "is a word that the contract does not know")
OUT_OF_RANGE = Breach("out_of_range", "lies outside the agreed range")
NO_OBJECT = Breach("missing_part", "is missing from the item")
WRONG_SHAPE = Breach("wrong_shape", "has too few or too many cells")
UNREADABLE = {
    "date": NO_DATE,
    "month": NO_MONTH,
    "integer": NO_NUMBER,
    "decimal": NO_NUMBER,
    "timestamp": NO_TIME,
    "timestamptz": NO_TIME,
    "boolean": UNKNOWN_CODE,
    "code": UNKNOWN_CODE,
}


def quote_text(value: str) -> str:
    """``value`` as an SQL string literal."""
    return "'" + value.replace("'", "''") + "'"


def quote_name(name: str) -> str:
    """``name`` as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def register_functions(duck: duckdb.DuckDBPyConnection) -> None:
    """Give the connection ``nfkc(text)``, which DuckDB lacks: one call per vector, in Arrow."""

    def nfkc(values: pa.ChunkedArray) -> pa.ChunkedArray:
        return pc.utf8_normalize(values, form="NFKC")

    # A second registration on the same connection is refused by DuckDB, and needless.
    with suppress(duckdb.NotImplementedException):
        duck.create_function("nfkc", nfkc, ["VARCHAR"], "VARCHAR", type=PythonUDFType.ARROW)


def fold(value: str) -> str:
    """SQL: compatibility forms and outer blanks removed, as code words and numbers are compared.

    ASCII, Han characters and the wide blank have no other form: most values need no call of ``nfkc``.
    """
    plain = f"length({value}) = strlen({value}) OR NOT regexp_matches({value}, '{HAS_FORMS}')"
    return f"trim(CASE WHEN {plain} THEN {value} ELSE nfkc({value}) END, {BLANKS})"


def read_date(value: str) -> str:
    """SQL: the full day that a folded text means, null when it is none."""
    day = r"'^(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?(?:[T ]\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?)?$'"
    return (
        f"CASE WHEN regexp_full_match({value}, '\\d{{8}}') "
        f"THEN try_cast(concat(left({value}, 4), '-', substr({value}, 5, 2), '-', right({value}, 2)) AS DATE) "
        f"WHEN regexp_full_match({value}, '\\d{{5}}(\\.\\d+)?') THEN {_read_serial(value)} "
        f"WHEN regexp_matches({value}, {day}) "
        f"THEN try_cast(regexp_replace({value}, {day}, '\\1-\\2-\\3') AS DATE) END"
    )


def _read_serial(value: str) -> str:
    number = f"CAST(left({value}, 5) AS INTEGER)"
    return f"CASE WHEN {number} BETWEEN {EXCEL_FIRST} AND {EXCEL_LAST} THEN {EXCEL_EPOCH} + {number} END"


def read_month(value: str) -> str:
    """SQL: the first day of the month that a folded text means, null when it is none."""
    month = r"'^(\d{4})[-/.年](\d{1,2})月?$'"
    return (
        f"CASE WHEN regexp_full_match({value}, '\\d{{6}}') "
        f"THEN try_cast(concat(left({value}, 4), '-', right({value}, 2), '-01') AS DATE) "
        f"WHEN regexp_matches({value}, {month}) "
        f"THEN try_cast(regexp_replace({value}, {month}, '\\1-\\2-01') AS DATE) "
        f"ELSE CAST(date_trunc('month', {read_date(value)}) AS DATE) END"
    )


def read_number(value: str, scale: int, precision: int = 18) -> str:
    """SQL: the decimal that a folded text means (``1,400.00``, ``700元``, ``¥700``), null when it is none.

    More than ``scale`` decimals are a number only when a spreadsheet's binary arithmetic made them.
    """
    sign_and_whole = r"[-+]?[¥￥]?[-+]?(?:\d+|\d{1,3}(?:,\d{3})+)"
    bare = f"replace({value}, ' ', '')"
    digits = f"regexp_replace({bare}, '[¥￥元,]', '', 'g')"
    longer = f"try_cast({digits} AS DECIMAL(38, 12))"
    fraction = rf"(?:\.\d{{1,{scale}}})?" if scale else ""
    return (
        f"CASE WHEN regexp_full_match({bare}, '{sign_and_whole}{fraction}元?') "
        f"THEN try_cast({digits} AS DECIMAL({precision}, {scale})) "
        rf"WHEN regexp_full_match({bare}, '{sign_and_whole}\.\d{{{scale + 1},}}元?') "
        f"AND abs({longer} - round({longer}, {scale})) < 0.000001 "
        f"THEN try_cast(round({longer}, {scale}) AS DECIMAL({precision}, {scale})) END"
    )


def read_integer(value: str) -> str:
    """SQL: the whole number that a folded text means, null when it is none."""
    return (
        f"CASE WHEN regexp_full_match({value}, '[-+]?\\d{{1,18}}(\\.0+)?') "
        f"THEN try_cast(split_part({value}, '.', 1) AS BIGINT) END"
    )


def read_time(value: str, zone: str) -> str:
    """SQL: the instant that a folded text means; a text without offset is local time of ``zone``."""
    return (
        f"CASE WHEN regexp_matches({value}, '[T ]\\d{{2}}:\\d{{2}}.*(Z|z|[-+]\\d{{2}}(:?\\d{{2}})?)$') "
        f"THEN try_cast({value} AS TIMESTAMP WITH TIME ZONE) "
        f"ELSE timezone({quote_text(zone)}, try_cast({value} AS TIMESTAMP)) END"
    )


@dataclass(frozen=True)
class RowCheck:
    """A breach of a row as a whole: the SQL condition under which it fires, what it is about, and the reason."""

    condition: str
    subject: str
    breach: Breach


@dataclass(frozen=True)
class _Judged:
    """SQL of one field over the delivered relation: its value before the default, and its breaches."""

    field: Field
    value: str
    checks: tuple[tuple[str, Breach], ...]


def judge(
    contract: Contract,
    entity: Entity,
    relation: str,
    types: Mapping[str, str],
    zone: str = "Asia/Shanghai",
    *,
    position: str = "_position",
    carried: Sequence[str] = (),
    row_checks: Sequence[RowCheck] = (),
    repeating: Collection[str] = (),
    read_before: Collection[str] = (),
) -> str:
    """SQL that judges ``relation`` (anything that can stand in FROM) and yields one row per delivered row.

    ``types``: DuckDB type of every delivered column. A field without its column has no value. ``carried``: columns to
    hand through. ``row_checks``: what else may be wrong with a row as a whole. ``repeating``: fields in which
    a word says "as above" (``find_repeating``). ``read_before``: fields whose words are read already; the relation
    holds the columns of ``read_words`` for them.
    Columns: the fields, ``raw_<field>`` where the contract keeps them, ``carried``, ``_source_record_id``,
    ``_position``, ``_row_hash``, ``_notices``, ``_breaches`` (list, null when the row is accepted), ``_row_json``
    (null when the row is accepted).
    """
    is_file = contract.kind == FILES
    fields = [_judge_field(field, types, zone) for field in entity.fields]
    fresh = [judged for judged in fields if judged.field.name not in read_before]
    folded = [judged.field for judged in fresh if _is_read_as_text(judged.field, types)]
    filled = _fill_repeats(contract, entity, relation, types, repeating)
    step_folded = ", ".join(
        [f"{_without_nulls(field, is_file)} AS {quote_name('t_' + field.name)}" for field in folded] or ["0 AS t_"]
    )
    typed = ", ".join([f"{judged.value} AS {quote_name('v_' + judged.field.name)}" for judged in fresh] or ["0 AS v_"])
    hard = [(j.field, check) for j in fields for check in j.checks if j.field.on_breach != NOTICE]
    soft = [(j.field, check) for j in fields for check in j.checks if j.field.on_breach == NOTICE]
    breaches = _list_breaches(hard, row_checks)
    notices = _list_breaches(soft, ())
    values = ", ".join(f"{_final_value(judged)} AS {quote_name(judged.field.name)}" for judged in fields)
    raw = [f"raw_{field.name}" for field in entity.fields]
    kept = "".join(f", {quote_name(name)}" for name in raw) if contract.keeps_raw_columns else ""
    through = "".join(f", {quote_name(name)}" for name in carried)
    extra = ", _extra := _extra" if "_extra" in types else ""
    packed = ", ".join(f"{quote_name(field.name)} := {quote_name('raw_' + field.name)}" for field in entity.fields)
    return f"""
        SELECT {values}{kept}{through},
            {_record_id(entity)} AS _source_record_id,
            {position} AS _position,
            {_row_hash(entity, types)} AS _row_hash,
            _notices,
            _breaches,
            CASE WHEN _breaches IS NOT NULL
                 THEN CAST(to_json(struct_pack({packed}{extra})) AS VARCHAR) END AS _row_json
        FROM (
            SELECT *,
                CASE WHEN {notices[0]} THEN CAST(to_json({notices[1]}) AS VARCHAR) END AS _notices,
                CASE WHEN {breaches[0]} THEN {breaches[1]} END AS _breaches
            FROM (SELECT *, {typed} FROM (SELECT *, {step_folded} FROM {filled}))
        )"""


def read_words(contract: Contract, field: Field, relation: str, zone: str = "Asia/Shanghai") -> str:
    """SQL of what each word in the column ``raw_<field>`` of ``relation`` says: ``t_<field>``, the text that is read,
    and ``v_<field>``, its value. Where words come again and again, each need be read but once.
    """
    name, raw = field.name, quote_name("raw_" + field.name)
    read = _judge_field(field, {f"raw_{name}": "VARCHAR"}, zone).value
    text = _without_nulls(field, contract.kind == FILES)
    return (
        f"SELECT {quote_name('t_' + name)}, {read} AS {quote_name('v_' + name)} FROM (SELECT {text} AS "
        f"{quote_name('t_' + name)} FROM (SELECT {raw} AS {quote_name('f_' + name)} FROM {relation}))"
    )


def _is_read_as_text(field: Field, types: Mapping[str, str]) -> bool:
    return types.get(f"raw_{field.name}") == "VARCHAR"


def find_repeating(
    duck: duckdb.DuckDBPyConnection, contract: Contract, entity: Entity, relation: str, types: Mapping[str, str]
) -> list[str]:
    """The fields of ``relation`` in which some row says "as above". Windows cost a sort: only these get one."""
    names = [field.name for field in entity.fields if _is_read_as_text(field, types)]
    if contract.kind != FILES or not contract.files.repeats or not names:
        return []
    # A cell that merely holds such a word gets a window for nothing, which does no harm.
    held = [
        [f"contains({quote_name('raw_' + name)}, {word})" for word in _words(contract.files.repeats)] for name in names
    ]
    asked = ", ".join(f"coalesce(bool_or({' OR '.join(checks)}), false)" for checks in held)
    found = duck.execute(f"SELECT {asked} FROM {relation}").fetchone() or ()
    return [name for name, is_found in zip(names, found, strict=True) if is_found]


def _words(words: Collection[str]) -> list[str]:
    """SQL literals of words, folded as the delivered values are before they are compared."""
    return [quote_text(unicodedata.normalize("NFKC", word).strip()) for word in words]


def last_own(contract: Contract, entity: Entity, relation: str) -> str:
    """SQL of one row: for every field of ``relation``, a block of one sheet, the value that a word which says "as
    above" in the next row would repeat; null where no row has a value of its own.
    """
    chosen = ", ".join(
        f"(max_by(struct_pack(v := {raw}), _row) FILTER ({_is_own(contract, raw)})).v AS {raw}"
        for raw in (quote_name("raw_" + field.name) for field in entity.fields)
    )
    return f"SELECT {chosen} FROM {relation}"


def _is_own(contract: Contract, raw: str) -> str:
    return f"{raw} IS NULL OR {fold(raw)} NOT IN ({', '.join(_words(contract.files.repeats))})"


def _fill_repeats(
    contract: Contract, entity: Entity, relation: str, types: Mapping[str, str], repeating: Collection[str]
) -> str:
    """The relation with ``f_<field>``: the value as delivered, or the one above where a word says "as above"."""
    columns = ""
    for field in entity.fields:
        raw, filled = quote_name("raw_" + field.name), quote_name("f_" + field.name)
        if f"raw_{field.name}" not in types:
            columns += f", CAST(NULL AS VARCHAR) AS {raw}"
        elif field.name in repeating:
            own = _is_own(contract, raw)
            columns += (
                f", (last_value(CASE WHEN {own} THEN struct_pack(v := {raw}) END IGNORE NULLS) "
                f"OVER (PARTITION BY _file, _sheet ORDER BY _row)).v AS {filled}"
            )
        elif _is_read_as_text(field, types):
            columns += f", {raw} AS {filled}"
    return f"(SELECT *{columns} FROM {relation})"


def _without_nulls(field: Field, is_file: bool) -> str:
    """SQL of the text to read: null where it is a word for "no value"; corrected where the owner agreed."""
    delivered = quote_name("f_" + field.name)
    if field.corrections:
        cases = " ".join(f"WHEN {quote_text(old)} THEN {quote_text(new)}" for old, new in field.corrections.items())
        delivered = f"CASE {delivered} {cases} ELSE {delivered} END"
    compared = fold(delivered)
    value = delivered if field.type == "text" else compared
    if field.type == "text" and is_file:
        # A cell's outer blanks and a spreadsheet's text mark are no part of the value; raw_ keeps them.
        value = f"regexp_replace(trim({delivered}, {BLANKS}), '^''', '')"
    plain = delivered
    if field.nulls:
        # The engine makes a join of NOT IN with several words, and one per field is slow.
        words = " ".join(f"WHEN {word} THEN NULL" for word in _words(field.nulls))
        plain, value = f"CASE {plain} {words} ELSE {plain} END", f"CASE {compared} {words} ELSE {value} END"
    return f"CASE WHEN {delivered} IS NULL OR regexp_full_match({delivered}, '{PLAIN}') THEN {plain} ELSE {value} END"


def _judge_field(field: Field, types: Mapping[str, str], zone: str) -> _Judged:
    delivered = types.get(f"raw_{field.name}")
    value = quote_name("v_" + field.name)
    if delivered is None:
        source, read = "NULL", f"CAST(NULL AS {field.sql_type})"
    elif delivered == "VARCHAR":
        source = quote_name("t_" + field.name)
        read = _read_text(field, source, zone)
    else:
        source = quote_name("raw_" + field.name)
        read = _read_typed(field, source, delivered, zone)
    checks: list[tuple[str, Breach]] = []
    if field.required:
        absent = (
            f"{source} IS NULL OR {source} = ''"
            if delivered == "VARCHAR" and field.type == "text"
            else f"{source} IS NULL"
        )
        checks.append((absent, MISSING))
    if field.type != "text" and delivered is not None:
        checks.append((f"{source} IS NOT NULL AND {value} IS NULL", UNREADABLE[field.type]))
    if field.minimum is not None:
        checks.append((f"{value} < {field.minimum}", OUT_OF_RANGE))
    if field.maximum is not None:
        checks.append((f"{value} > {field.maximum}", OUT_OF_RANGE))
    return _Judged(field, read, tuple(checks))


def _read_text(field: Field, value: str, zone: str) -> str:
    if field.codes:
        # Words are folded as the delivered ones are; both spellings of a word have one meaning.
        words = {unicodedata.normalize("NFKC", word).strip(): code for word, code in field.codes.items()}
        cases = " ".join(f"WHEN {quote_text(word)} THEN {quote_text(code)}" for word, code in words.items())
        chosen = f"CASE {value} {cases} END"
        return f"CAST({chosen} AS BOOLEAN)" if field.type == "boolean" else chosen
    if field.type == "decimal":
        return f"try_cast({read_number(value, field.scale or 0, max(18, field.precision or 0))} AS {field.sql_type})"
    if field.type == "timestamp":
        return f"try_cast({value} AS TIMESTAMP)"
    if field.type == "timestamptz":
        return read_time(value, zone)
    if field.type == "boolean":
        return f"try_cast({value} AS BOOLEAN)"
    readers = {"date": read_date, "month": read_month, "integer": read_integer}
    return readers[field.type](value) if field.type in readers else value


def _read_typed(field: Field, value: str, delivered: str, zone: str) -> str:
    """SQL of a value that the owner's server already typed."""
    if field.codes:
        return _read_text(field, f"CAST({value} AS VARCHAR)", zone)
    if field.type == "timestamptz" and delivered in ("TIMESTAMP", "DATE"):
        return f"timezone({quote_text(zone)}, CASE WHEN isfinite({value}) THEN CAST({value} AS TIMESTAMP) END)"
    if field.type == "month":
        return f"CASE WHEN isfinite({value}) THEN CAST(date_trunc('month', {value}) AS DATE) END"
    if field.type in ("date", "timestamp", "timestamptz"):
        return f"CASE WHEN isfinite({value}) THEN try_cast({value} AS {field.sql_type}) END"
    return f"try_cast({value} AS {field.sql_type})"


def _final_value(judged: _Judged) -> str:
    """SQL of the landed value: null where a notice says why, the default where nothing was delivered."""
    field, value = judged.field, quote_name("v_" + judged.field.name)
    out_of_range = [condition for condition, breach in judged.checks if breach is OUT_OF_RANGE]
    if out_of_range and field.on_breach == NOTICE:
        value = f"CASE WHEN {' OR '.join(f'({condition})' for condition in out_of_range)} THEN NULL ELSE {value} END"
    if field.default is not None:
        nothing = [condition for condition, breach in judged.checks if breach is not MISSING]
        default = f"CAST({quote_text(field.default)} AS {field.sql_type})"
        # A value that cannot be read is not the same as none: it gets no default.
        readable = " OR ".join(f"coalesce({condition}, false)" for condition in nothing) or "false"
        value = (
            f"CASE WHEN {quote_name('v_' + field.name)} IS NULL AND NOT ({readable}) THEN {default} ELSE {value} END"
        )
    return value


def _list_breaches(
    checks: Sequence[tuple[Field, tuple[str, Breach]]], row_checks: Sequence[RowCheck]
) -> tuple[str, str]:
    """SQL condition that any check fires, and the list of those that do."""
    # What is wrong with the row as a whole is the cause of what is wrong with its fields: it comes first.
    listed = [(check.condition, check.subject, check.breach) for check in row_checks]
    listed += [(condition, field.name, breach) for field, (condition, breach) in checks]
    if not listed:
        return "false", "NULL"
    condition = " OR ".join(f"({condition})" for condition, _, _ in listed)
    items = ", ".join(
        f"CASE WHEN {condition} THEN struct_pack(field := {quote_text(name)}, code := {quote_text(breach.code)}, "
        f"message := {quote_text(f'{name} {breach.meaning}')}) END"
        for condition, name, breach in listed
    )
    return f"coalesce({condition}, false)", f"list_filter([{items}], lambda breach: breach IS NOT NULL)"


def _record_id(entity: Entity) -> str:
    """SQL of the contract's template; null when a field that it names has no value."""
    pieces: list[str] = []
    place = 0
    for match in PLACEHOLDER.finditer(entity.record_id):
        if match.start() > place:
            pieces.append(quote_text(entity.record_id[place : match.start()]))
        name = match[1]
        if name == "_year":
            pieces.append("left(_month, 4)")
        elif name.startswith("_"):
            pieces.append(f"CAST({name} AS VARCHAR)")
        else:
            pieces.append(f"CAST({quote_name('v_' + name)} AS VARCHAR)")
        place = match.end()
    if place < len(entity.record_id):
        pieces.append(quote_text(entity.record_id[place:]))
    return " || ".join(pieces)


_DIGESTED_AS_TEXT = ("VARCHAR", "DATE", "TIMESTAMP")


def _row_hash(entity: Entity, types: Mapping[str, str]) -> str:
    """SQL of a digest of the row as delivered and of the rules it was judged by: a mended contract lands it anew.

    It is compared only with the same record's former state. Should a new engine hash otherwise, unchanged rows of the
    overlap land once more, with the same content. Days are hashed as text: a database that holds days that are none
    delivers them so, and whether one is among the rows must not change the digest of the others.
    """
    raw = {quote_name("raw_" + field.name): types.get(f"raw_{field.name}") for field in entity.fields}
    values = {name: f"CAST({name} AS VARCHAR)" if kind in ("DATE", "TIMESTAMP") else name for name, kind in raw.items()}
    texts = [value for name, value in values.items() if raw[name] in _DIGESTED_AS_TEXT]
    return digest([quote_text(entity.judging_hash), *values.values()], texts)
