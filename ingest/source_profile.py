"""What the columns of a sample or of a landed source look like: types, gaps, lengths, patterns, code lists.

Nothing here gives away a value of a person: patterns show digits as 9 and letters as A, and words are listed only where
few short ones come again and again and the column is nobody's name, number, date, phone, address or free text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from ingest.contract import Contract
from ingest.judge import fold, quote_name, quote_text, read_date, read_month, read_number, read_time, register_functions
from ingest.landing_folder import LandingFolder
from ingest.source_sample import MAXIMUM_ROWS, SampleUnusable
from ingest.state import Landed, current_rows
from warehouse.duck import connect
from warehouse.home import Home

NULL_WORDS = ("", "无", "不详", "/", "-", "null", "NULL", "N/A", "暂无")
IDENTITY_NUMBER, PHONE, NAME, ADDRESS, ACCOUNT = "identity number", "phone", "name", "address", "account"
LONG_NUMBER = "long number"
TIMESTAMP, DATE, MONTH, INTEGER, DECIMAL, CODE, TEXT = (
    "timestamp",
    "date",
    "month",
    "integer",
    "decimal",
    "code",
    "text",
)
# Columns whose words are never listed, whatever they look like.
PERSONAL = frozenset({IDENTITY_NUMBER, PHONE, NAME, ADDRESS, ACCOUNT, LONG_NUMBER, TIMESTAMP, DATE, MONTH})
MOST_CODES, LONGEST_CODE, ROWS_PER_CODE, ROWS_PER_WORD = 20, 12, 5, 3
# So large a share of the values must be readable for a column to be of that type.
SURE, LIKELY = 0.99, 0.8
PATTERNS_SHOWN, LONGEST_PATTERN = 3, 24
_DAY = r"(\d{4}[-/.年]\d{1,2}[-/.月]\d{1,2}日?|(18|19|20)\d{6})"
_CLOCK = r"[T ]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?(Z|z|[-+]\d{2}(:?\d{2})?)?"
SIGNS = {
    IDENTITY_NUMBER: r"'?\d{6}((18|19|20)\d{2}|\d{2})(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])\d{3}[\dXx]?",
    PHONE: r"(1\d{10}|0\d{2,3}-?\d{7,8})([/,; ].*)?",
    TIMESTAMP: _DAY + _CLOCK,
    DATE: _DAY,
    MONTH: r"(\d{4}[-/.年]\d{1,2}月?|(19|20)\d{2}(0[1-9]|1[0-2]))",
    LONG_NUMBER: r"'?\d{12,30}",
    INTEGER: r"[-+]?(0|[1-9]\d{0,10})(\.0+)?",
    DECIMAL: r"[-+]?[¥￥]?[-+]?(\d+|\d{1,3}(,\d{3})+)(\.\d+)?元?",
}
# Headers tell what a column is where its values cannot.
HEADER_WORDS = {
    IDENTITY_NUMBER: r"身份证|证件号|idno|idcard|certnum|identity",
    PHONE: r"电话|手机|phone|mobile|^tel",
    NAME: r"姓名|户主$|申请人$|领款人$|联系人$|经办人|受理人|工作人员|^人员|负责人|name$|worker|operator|contact$",
    ADDRESS: r"地址|住址|住所|address",
    ACCOUNT: r"账号|帐号|卡号|account",
}
SURNAMES = frozenset(
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈姚卢姜崔钟谭陆汪范"
    "金石廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔向汤"
)


@dataclass(frozen=True)
class ColumnProfile:
    """One column. Shares are of all rows (``null_share``) or of the rows with a value (the others).

    ``looks_like``: what its values are; ``readable_share``: how many of them are so. ``codes``: the words of a code
    list; ``rare_words``: how many more there are that come too seldom to be shown.
    """

    header: str
    looks_like: str
    readable_share: float
    null_share: float
    null_words: tuple[str, ...]
    distinct: int
    rows: int
    min_length: int | None
    max_length: int | None
    scale: int
    patterns: tuple[tuple[str, float], ...]
    codes: tuple[str, ...]
    rare_words: int
    declared: str | None = None

    @property
    def is_unique(self) -> bool:
        """Whether every row has a value of its own."""
        return self.null_share == 0 and self.distinct == self.rows


def profile_table(table: pa.Table, types: Mapping[str, str] | None = None) -> list[ColumnProfile]:
    """Profile the columns of a table of texts; ``types``: what the file declares of them."""
    with connect(extensions=("icu", "json")) as duck:
        register_functions(duck)
        duck.register("sample", table)
        return [_profile_column(duck, "sample", name, (types or {}).get(name)) for name in table.column_names]


def profile_landed(contract: Contract, home: Home) -> dict[str, list[ColumnProfile]]:
    """Profile what has landed of every entity, as delivered. Raises ``SampleUnusable`` when nothing has."""
    folder = LandingFolder(home, contract.source)
    parts = folder.parts()
    found: dict[str, list[ColumnProfile]] = {}
    with connect(extensions=("icu", "json")) as duck:
        register_functions(duck)
        for entity in contract.entities:
            rows = current_rows(contract, Landed.of(entity, folder.root, parts))
            if rows is None:
                continue
            held = {row[0]: row[1] for row in duck.execute(f"DESCRIBE {rows}").fetchall()}
            prefix = "raw_" if contract.keeps_raw_columns else ""
            names = [field.name for field in entity.fields if prefix + field.name in held]
            columns = ", ".join(f"CAST({quote_name(prefix + name)} AS VARCHAR) AS {quote_name(name)}" for name in names)
            duck.execute(
                f"CREATE OR REPLACE TEMP TABLE sample AS SELECT {columns} FROM ({rows}) "
                f"USING SAMPLE reservoir({MAXIMUM_ROWS} ROWS) REPEATABLE (1)"
            )
            found[entity.name] = [
                _profile_column(duck, "sample", name, None if prefix else held[name]) for name in names
            ]
    if not found:
        raise SampleUnusable(f"{contract.source}: nothing has landed yet; profile a file, or land it first.")
    return found


def _profile_column(duck: duckdb.DuckDBPyConnection, relation: str, header: str, declared: str | None) -> ColumnProfile:
    column, nulls = quote_name(header), ", ".join(map(quote_text, NULL_WORDS))
    duck.execute(
        f"CREATE OR REPLACE TEMP TABLE words AS SELECT {column} AS word, {fold(column)} AS folded, count(*) AS n "
        f"FROM {relation} GROUP BY ALL"
    )
    duck.execute(
        f"CREATE OR REPLACE TEMP TABLE said AS SELECT folded, sum(n)::BIGINT AS n, min(length(word)) AS shortest, "
        f"max(length(word)) AS longest FROM words WHERE word IS NOT NULL AND folded NOT IN ({nulls}) GROUP BY folded"
    )
    rows = _one(duck, f"SELECT count(*) FROM {relation}")
    filled = _one(duck, "SELECT coalesce(sum(n), 0) FROM said")
    distinct, shortest, longest = duck.execute("SELECT count(*), min(shortest), max(longest) FROM said").fetchone() or (
        0,
        None,
        None,
    )
    null_words = tuple(
        row[0]
        for row in duck.execute(
            f"SELECT DISTINCT folded FROM words WHERE folded <> '' AND folded IN ({nulls}) ORDER BY 1"
        ).fetchall()
    )
    shares = _shares(duck, filled)
    looks_like, share = _decide(duck, header, shares, filled)
    codes, rare = _list_codes(duck, looks_like, filled, distinct, longest or 0)
    if codes and looks_like == TEXT:
        looks_like = CODE
    return ColumnProfile(
        header=header,
        looks_like=looks_like,
        readable_share=share,
        null_share=1 - filled / rows if rows else 1.0,
        null_words=null_words,
        distinct=distinct,
        rows=rows,
        min_length=shortest,
        max_length=longest,
        scale=_one(duck, r"SELECT coalesce(max(length(regexp_extract(folded, '\.(\d+)', 1))), 0) FROM said"),
        patterns=_list_patterns(duck, filled),
        codes=codes,
        rare_words=rare,
        declared=declared,
    )


def _one(duck: duckdb.DuckDBPyConnection, query: str) -> int:
    row = duck.execute(query).fetchone()
    return 0 if row is None else int(row[0])


def _shares(duck: duckdb.DuckDBPyConnection, filled: int) -> dict[str, float]:
    """Which share of the values has the signs of each class, and can be read as a landing reads it."""
    readable = {
        TIMESTAMP: read_time("folded", "Asia/Shanghai"),
        DATE: read_date("folded"),
        MONTH: read_month("folded"),
        DECIMAL: read_number("folded", 2),
    }
    asked = []
    for name, sign in SIGNS.items():
        is_read = f" AND {readable[name]} IS NOT NULL" if name in readable else ""
        asked.append(f"coalesce(sum(n) FILTER (regexp_full_match(folded, {quote_text(sign)}){is_read}), 0)")
    names = "".join(sorted(SURNAMES))
    asked.append(f"coalesce(sum(n) FILTER (regexp_full_match(folded, '[{names}]\\p{{Han}}{{1,3}}')), 0)")
    found = duck.execute(f"SELECT {', '.join(asked)} FROM said").fetchone() or ()
    return {name: int(n) / filled if filled else 0.0 for name, n in zip([*SIGNS, NAME], found, strict=True)}


def _decide(
    duck: duckdb.DuckDBPyConnection, header: str, shares: Mapping[str, float], filled: int
) -> tuple[str, float]:
    """What a column is, and for which share of its values that holds."""
    folded = re.sub(r"[\s_.-]", "", header.lower())
    for name, words in HEADER_WORDS.items():
        if re.search(words, folded):
            return name, shares.get(name, 1.0)
    if not filled:
        return TEXT, 1.0
    for name in (IDENTITY_NUMBER, PHONE, TIMESTAMP, DATE, MONTH, INTEGER):
        if shares[name] >= LIKELY:
            return name, shares[name]
    if shares[LONG_NUMBER] >= LIKELY:
        return LONG_NUMBER, shares[LONG_NUMBER]
    has_zeros = _one(duck, r"SELECT count(*) FROM said WHERE regexp_full_match(folded, '0\d+')")
    if shares[DECIMAL] >= LIKELY and not has_zeros:
        return DECIMAL, shares[DECIMAL]
    if shares[NAME] >= LIKELY / 2 and shares[NAME] > 0:
        return NAME, shares[NAME]
    return TEXT, 1.0


def _list_codes(
    duck: duckdb.DuckDBPyConnection, looks_like: str, filled: int, distinct: int, longest: int
) -> tuple[tuple[str, ...], int]:
    """The words of a code list, the most frequent first, and how many words are too rare to be shown."""
    if looks_like in PERSONAL or not 0 < distinct < MOST_CODES or longest > LONGEST_CODE:
        return (), 0
    if filled < ROWS_PER_CODE * distinct:
        return (), 0
    rows = duck.execute("SELECT folded, n FROM said ORDER BY n DESC, folded").fetchall()
    words = tuple(word for word, n in rows if n >= ROWS_PER_WORD)
    return words, len(rows) - len(words)


def _list_patterns(duck: duckdb.DuckDBPyConnection, filled: int) -> tuple[tuple[str, float], ...]:
    """The commonest shapes: digits as 9, capitals as A, small letters as a, Han characters as 汉."""
    shape = (
        r"regexp_replace(regexp_replace(regexp_replace(regexp_replace(folded, '\p{Han}', '汉', 'g'), "
        r"'\p{Ll}', 'a', 'g'), '\p{Lu}', 'A', 'g'), '\p{Nd}', '9', 'g')"
    )
    rows = duck.execute(
        f"SELECT CASE WHEN length(shape) > {LONGEST_PATTERN} THEN '(longer)' ELSE shape END AS shown, sum(n) AS n "
        f"FROM (SELECT {shape} AS shape, n FROM said) GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {PATTERNS_SHOWN}"
    ).fetchall()
    return tuple((shown, int(n) / filled) for shown, n in rows)


def describe(profiles: Sequence[ColumnProfile]) -> list[dict[str, object]]:
    """Profiles for programs."""
    return [
        {
            "column": each.header,
            "looks_like": each.looks_like,
            "readable_share": round(each.readable_share, 4),
            "declared": each.declared,
            "null_share": round(each.null_share, 4),
            "null_words": list(each.null_words),
            "distinct": each.distinct,
            "min_length": each.min_length,
            "max_length": each.max_length,
            "patterns": [{"pattern": pattern, "share": round(share, 4)} for pattern, share in each.patterns],
            "codes": list(each.codes),
            "rare_words": each.rare_words,
        }
        for each in profiles
    ]
