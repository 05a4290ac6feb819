"""Why mentions are one citizen, and why not: the facts of the last run about a mention, a citizen, or a pair of them.

Everything said comes from what the run has kept (links, scored pairs, review pairs, decisions) and from the nodes of
the neighbourhood; nothing is weighed anew. Values of persons are masked unless they are asked for.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from identity import thresholds
from identity.clustering import is_linkable, weight_needed
from identity.comparisons import COMPARISONS
from identity.decisions import pair_id
from identity.neighbourhood import MENTIONS, build, open_run
from identity.review import agreement
from identity.sentences import COMPARISONS_IN_CHINESE, LEVELS_IN_CHINESE, Sentence, link_sentences, sentence

MENTION, CITIZEN, PAIR = "mention", "citizen", "pair"
ONE, TWO, UNRESOLVED = "one citizen", "not one citizen", "unresolved"
FIELDS = (
    "name", "id_no", "damaged_id_no", "other_document_no", "certificate_id_no", "birth_date", "sex", "phones",
    "address", "hukou_district", "managing_district", "bank_account", "household_key", "said_on",
)  # fmt: skip
# So much is shown of what may be long; counts say how much is left out.
WATERFALLS_SHOWN, NEAR_SHOWN, BESIDE_SHOWN, STEPS_SHOWN = 4, 5, 8, 6


class SubjectUnknown(LookupError):
    """What was asked about is no mention, citizen or pair of the last run; the message says what to ask."""


@dataclass(frozen=True)
class Reason:
    """A sentence, whom it is about (a mention key; none: the whole), and of how many mentions it holds."""

    sentence: Sentence
    about: str | None = None
    mentions: int = 1


@dataclass(frozen=True)
class Bar:
    """What one comparison of a pair found: its level, and the bits that this weighs."""

    comparison: str
    comparison_chinese: str
    level: str
    level_chinese: str
    bits: float


@dataclass(frozen=True)
class Waterfall:
    """The weight of one scored pair: the prior, then every comparison, adding up to the total (bits).

    A link needs ``needed`` bits and a name that is borne out (``is_linkable``); from ``review`` up it is undecided.
    """

    mention_key_l: str
    mention_key_r: str
    prior: float
    bars: tuple[Bar, ...]
    total: float
    needed: float
    review: float
    is_linkable: bool
    rules: tuple[str, ...]


@dataclass(frozen=True)
class Record:
    """One mention: its link, its values (masked or not), and how many mentions say the very same."""

    mention_key: str
    citizen_id: str | None
    link_method: str
    match_weight: float | None
    values: dict[str, str]
    identical_mentions: int


@dataclass(frozen=True)
class Beside:
    """Somebody who stands on the same records or in the same households: beside the left one, the right one or both."""

    citizen_id: str
    name: str
    roles: tuple[str, ...]
    beside: str


@dataclass(frozen=True)
class Near:
    """A pair that was compared and not linked, and why not."""

    mention_key_l: str
    mention_key_r: str
    match_weight: float
    reasons: tuple[Sentence, ...]


@dataclass(frozen=True)
class Explanation:
    """Everything that is said about ``asked``; ``agreements`` says per field how the two records of a pair compare.

    ``waterfalls_left_out`` counts links of a citizen beyond the weakest ones shown; ``decisions`` are those of people
    about the mentions: id, verdict, and why it was reopened.
    """

    asked: str
    kind: str
    verdict: str
    citizens: tuple[str, ...]
    reasons: tuple[Reason, ...]
    records: tuple[Record, ...] = ()
    agreements: tuple[tuple[str, str], ...] = ()
    beside: tuple[Beside, ...] = ()
    waterfalls: tuple[Waterfall, ...] = ()
    waterfalls_left_out: int = 0
    near: tuple[Near, ...] = ()
    decisions: tuple[tuple[str, str, str | None], ...] = ()
    is_revealed: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def explain(work_file: Path, asked: str, *, reveal: bool = False) -> Explanation:
    """Explain a mention key, a citizen id, two of either with a comma between, or a pair by its id in the queue.

    Raises ``SubjectUnknown``, and ``MentionsUnusable`` when there is no run to explain.
    """
    with open_run(work_file) as connection:
        names = [asked.strip()]
        if _kind(connection, names[0]) is None:
            names = _keys_of_pair(connection, names[0]) or [name.strip() for name in asked.split(",")]
        kinds = [_kind(connection, name) for name in names]
        for name, kind in zip(names, kinds, strict=True):
            if kind is None:
                raise SubjectUnknown(_unknown(connection, name))
        if len(names) == 1:
            found = (_explain_citizen if kinds[0] == CITIZEN else _explain_mention)(connection, names[0], reveal)
        elif len(names) == 2 and kinds[0] == kinds[1] and names[0] != names[1]:
            pair = _closest(connection, *names) if kinds[0] == CITIZEN else (names[0], names[1])
            found = _explain_pair(connection, pair, reveal)
        else:
            raise SubjectUnknown("explain: a pair is two different mention keys or two different citizen ids.")
        return replace(found, asked=asked, is_revealed=reveal)


def _kind(connection: duckdb.DuckDBPyConnection, name: str) -> str | None:
    row = connection.execute(
        f"SELECT CASE WHEN EXISTS (SELECT 1 FROM work.identity.citizens WHERE citizen_id = $1) THEN '{CITIZEN}'"
        f" WHEN EXISTS (SELECT 1 FROM work.identity.mention_links WHERE mention_key = $1) THEN '{MENTION}' END",
        [name],
    ).fetchone()
    return row[0] if row else None


def _keys_of_pair(connection: duckdb.DuckDBPyConnection, name: str) -> list[str]:
    """The two mention keys of a pair that the review shows under this id, or that was scored; none if it is no id."""
    if re.fullmatch("[0-9a-f]{10}", name) is None:
        return []
    tables = ("review_pairs", "decision_reports", "scored_pairs")
    pairs = " UNION ALL ".join(f"SELECT mention_key_l, mention_key_r FROM work.identity.{table}" for table in tables)
    row = connection.execute(
        f"SELECT mention_key_l, mention_key_r FROM ({pairs}) WHERE {pair_id('mention_key_l', 'mention_key_r')} = ?",
        [name],
    ).fetchone()
    return list(row) if row else []


def _unknown(connection: duckdb.DuckDBPyConnection, name: str) -> str:
    gone = connection.execute(
        "SELECT citizen_id FROM work.identity.redirects WHERE old_citizen_id = ?", [name]
    ).fetchone()
    if gone:
        return (
            f"explain: citizen {name} was retired and is {gone[0]} now; explain that one, or rongtong resolve {name}."
        )
    return (
        f"explain: the last run knows no mention, citizen or pair {name}; a mention is source/table/record/role, a pair"
        " two of them with a comma between, or its id in review next."
    )


def _closest(connection: duckdb.DuckDBPyConnection, left: str, right: str) -> tuple[str, str]:
    """The mentions of two citizens that speak most for one person: the best scored pair, else their surest ones."""
    row = connection.execute(
        """
        SELECT s.mention_key_l, s.mention_key_r, l.citizen_id
        FROM work.identity.scored_pairs AS s
        JOIN work.identity.mention_links AS l ON l.mention_key = s.mention_key_l
        JOIN work.identity.mention_links AS r ON r.mention_key = s.mention_key_r
        WHERE (l.citizen_id = $1 AND r.citizen_id = $2) OR (l.citizen_id = $2 AND r.citizen_id = $1)
        ORDER BY s.match_weight DESC, 1, 2 LIMIT 1
        """,
        [left, right],
    ).fetchone()
    if row:
        return (row[0], row[1]) if row[2] == left else (row[1], row[0])
    one, other = (
        connection.execute(
            "SELECT mention_key FROM work.identity.mention_links WHERE citizen_id = ?"
            " ORDER BY is_certain DESC, mention_key LIMIT 1",
            [citizen],
        ).fetchall()[0][0]
        for citizen in (left, right)
    )
    return one, other


def _explain_mention(connection: duckdb.DuckDBPyConnection, key: str, reveal: bool) -> Explanation:
    build(connection, [key])
    first = _first(connection, key)
    scored: list[Waterfall] = []
    if first is not None:
        touches = "s.mention_key_l = $1 OR s.mention_key_r = $1"
        scored = _scored(connection, touches, [first])
        _build_with_partners(connection, [key], scored)
        scored = _scored(connection, touches, [first])
    (record,) = _records(connection, [key], reveal)
    citizens = _citizens_of(connection, scored)
    inside = [pair for pair in scored if record.citizen_id and _is_inside(pair, citizens, record.citizen_id)]
    outside = [pair for pair in scored if pair not in inside]
    # The link itself is the pair whose weight the link has.
    inside.sort(key=lambda pair: (abs(pair.total - (record.match_weight or 0.0)), -pair.total))
    shown = inside[:1] if record.link_method == "probabilistic" else []
    return Explanation(
        asked=key,
        kind=MENTION,
        verdict=ONE if record.citizen_id else UNRESOLVED,
        citizens=(record.citizen_id,) if record.citizen_id else (),
        reasons=tuple(_link_reasons(connection, [key])),
        records=(record,),
        beside=_beside(connection, [key], reveal),
        waterfalls=tuple(shown or outside[:1]),
        near=tuple(_near(connection, outside[:NEAR_SHOWN])),
        decisions=_decisions(connection, [key]),
    )


def _explain_citizen(connection: duckdb.DuckDBPyConnection, citizen: str, reveal: bool) -> Explanation:
    keys = [
        row[0]
        for row in connection.execute(
            "SELECT mention_key FROM work.identity.mention_links WHERE citizen_id = ?"
            " ORDER BY is_certain DESC, mention_key",
            [citizen],
        ).fetchall()
    ]
    build(connection, keys)
    grouped = connection.execute(
        "SELECT reason, count(*), min(mention_key) FROM work.identity.mention_links WHERE citizen_id = ?"
        " GROUP BY reason ORDER BY count(*) DESC, reason",
        [citizen],
    ).fetchall()
    ends = "SELECT mention_key FROM work.identity.mention_links WHERE citizen_id = $1"
    touches = f"s.mention_key_l IN ({ends}) OR s.mention_key_r IN ({ends})"
    _build_with_partners(connection, keys, _scored(connection, touches, [citizen]))
    scored = _scored(connection, touches, [citizen])
    citizens = _citizens_of(connection, scored)
    inside = [pair for pair in scored if _is_inside(pair, citizens, citizen) and pair.is_linkable]
    outside = [
        pair for pair in scored if not _is_inside(pair, citizens, citizen) and pair.total >= thresholds.REVIEW_WEIGHT
    ]
    inside.sort(key=lambda pair: (pair.total, pair.mention_key_l, pair.mention_key_r))
    return Explanation(
        asked=citizen,
        kind=CITIZEN,
        verdict=ONE,
        citizens=(citizen,),
        reasons=tuple(
            Reason(each, about=example if count == 1 else None, mentions=count)
            for reason, count, example in grouped
            for each in link_sentences(reason)
        ),
        records=_records(connection, keys[:1], reveal),
        beside=_beside(connection, keys, reveal),
        waterfalls=tuple(inside[:WATERFALLS_SHOWN]),
        waterfalls_left_out=max(0, len(inside) - WATERFALLS_SHOWN),
        near=tuple(_near(connection, outside[:NEAR_SHOWN])),
        decisions=_decisions(connection, keys),
    )


def _build_with_partners(
    connection: duckdb.DuckDBPyConnection, keys: Sequence[str], scored: Sequence[Waterfall]
) -> None:
    """Build the neighbourhood anew, wide enough to say what keeps a mention from those it was compared with."""
    ends = {end for pair in scored for end in (pair.mention_key_l, pair.mention_key_r)}
    if ends - set(keys):
        build(connection, [*keys, *sorted(ends - set(keys))])


def _explain_pair(connection: duckdb.DuckDBPyConnection, keys: tuple[str, str], reveal: bool) -> Explanation:
    build(connection, keys)
    records = _records(connection, keys, reveal)
    left, right = (record.citizen_id for record in records)
    firsts = (_first(connection, keys[0]), _first(connection, keys[1]))
    direct = _scored_between(connection, *firsts)
    if left is not None and left == right:
        codes, waterfalls = _why_together(connection, keys, firsts, direct, left)
    else:
        codes, waterfalls = _why_not(connection, keys, firsts, direct), direct
    verdict = ONE if left and left == right else TWO if left and right else UNRESOLVED
    return Explanation(
        asked=",".join(keys),
        kind=PAIR,
        verdict=verdict,
        citizens=tuple(dict.fromkeys(citizen for citizen in (left, right) if citizen)),
        reasons=(*(Reason(sentence(code)) for code in codes), *_link_reasons(connection, keys)),
        records=records,
        agreements=_agreements(connection, keys),
        beside=_beside(connection, keys, reveal, is_pair=True),
        waterfalls=tuple(waterfalls[:STEPS_SHOWN]),
        waterfalls_left_out=max(0, len(waterfalls) - STEPS_SHOWN),
        decisions=_decisions(connection, keys, both=True),
    )


def _first(connection: duckdb.DuckDBPyConnection, key: str) -> str | None:
    """The key by which the run names the mention's node; none when the mention names nobody."""
    row = connection.execute("SELECT first_key FROM first_of WHERE mention_key = ?", [key]).fetchone()
    return row[0] if row else None


def _scored(connection: duckdb.DuckDBPyConnection, condition: str, values: Sequence[str]) -> list[Waterfall]:
    """The scored pairs that meet ``condition``, the strongest first."""
    rows = connection.execute(
        f"""
        SELECT s.*, {weight_needed()} AS needed, {is_linkable()} AS is_linkable
        FROM work.identity.scored_pairs AS s
        WHERE {condition} ORDER BY s.match_weight DESC, s.mention_key_l, s.mention_key_r
        """,
        list(values),
    )
    names = [column[0] for column in rows.description]
    return [_waterfall(dict(zip(names, row, strict=True))) for row in rows.fetchall()]


def _waterfall(row: dict[str, Any]) -> Waterfall:
    bars = []
    for comparison in COMPARISONS:
        gamma = int(row[f"gamma_{comparison.name}"])
        # Splink counts levels from the worst, 0, upwards; -1 says nothing.
        level = "unknown" if gamma < 0 else comparison.levels[len(comparison.levels) - 1 - gamma][0]
        bits = float(row[f"weight_{comparison.name}"])
        chinese = COMPARISONS_IN_CHINESE[comparison.name], LEVELS_IN_CHINESE[level]
        bars.append(Bar(comparison.name, chinese[0], level, chinese[1], bits))
    total = float(row["match_weight"])
    return Waterfall(
        mention_key_l=row["mention_key_l"],
        mention_key_r=row["mention_key_r"],
        prior=total - sum(bar.bits for bar in bars),
        bars=tuple(bars),
        total=total,
        needed=float(row["needed"]),
        review=thresholds.REVIEW_WEIGHT,
        is_linkable=bool(row["is_linkable"]),
        rules=tuple(row["rules"]),
    )


def _scored_between(connection: duckdb.DuckDBPyConnection, left: str | None, right: str | None) -> list[Waterfall]:
    if left is None or right is None:
        return []
    ends = [min(left, right), max(left, right)]
    return _scored(
        connection,
        "least(s.mention_key_l, s.mention_key_r) = $1 AND greatest(s.mention_key_l, s.mention_key_r) = $2",
        ends,
    )


def _citizens_of(connection: duckdb.DuckDBPyConnection, pairs: Iterable[Waterfall]) -> dict[str, str | None]:
    keys = sorted({key for pair in pairs for key in (pair.mention_key_l, pair.mention_key_r)})
    return dict(
        connection.execute(
            "SELECT mention_key, citizen_id FROM work.identity.mention_links WHERE mention_key IN (SELECT unnest(?))",
            [keys],
        ).fetchall()
    )


def _is_inside(pair: Waterfall, citizens: dict[str, str | None], citizen: str) -> bool:
    return citizens.get(pair.mention_key_l) == citizen and citizens.get(pair.mention_key_r) == citizen


def _link_reasons(connection: duckdb.DuckDBPyConnection, keys: Sequence[str]) -> list[Reason]:
    """Why each mention has the link it has; a number that it lost on the way is told, too."""
    found = []
    for key in keys:
        reason, lost = connection.execute(
            """
            SELECT l.reason, n.reason FROM work.identity.mention_links AS l
            LEFT JOIN mentions AS m USING (mention_key) LEFT JOIN number_links AS n USING (mention)
            WHERE l.mention_key = ?
            """,
            [key],
        ).fetchall()[0]
        codes = reason.split("; ")
        if lost is not None and lost not in codes and not lost.startswith("id"):
            codes.insert(0, lost)
        found += [Reason(sentence(code), about=key) for code in codes]
    return found


def _why_together(
    connection: duckdb.DuckDBPyConnection,
    keys: tuple[str, str],
    firsts: tuple[str | None, str | None],
    direct: list[Waterfall],
    citizen: str,
) -> tuple[list[str], list[Waterfall]]:
    if any(verdict == "link" and trouble is None for _, verdict, trouble in _decisions(connection, keys, both=True)):
        return ["decision of a person"], direct
    if firsts[0] == firsts[1]:
        row = connection.execute(
            "SELECT kind FROM node_of JOIN mentions USING (mention) WHERE mention_key = ?", [keys[0]]
        ).fetchone()
        return [_COLLAPSED.get(row[0], "identical") if row else "identical"], []
    if direct and direct[0].is_linkable and direct[0].total >= direct[0].needed:
        return ["scored"], direct
    return ["through others"], _path(connection, firsts, citizen)


# Why two mentions are in one node, by its kind; those of other kinds say the very same.
_COLLAPSED = {"anchor": "one number", "document": "one document", "conflict": "one number in conflict"}


def _path(
    connection: duckdb.DuckDBPyConnection, firsts: tuple[str | None, str | None], citizen: str
) -> list[Waterfall]:
    """The fewest links that lead from one node to the other inside a citizen; none where a person's decision does."""
    ends = "SELECT mention_key FROM work.identity.mention_links WHERE citizen_id = $1"
    pairs = [
        pair
        for pair in _scored(connection, f"s.mention_key_l IN ({ends}) AND s.mention_key_r IN ({ends})", [citizen])
        if pair.is_linkable and pair.total >= pair.needed
    ]
    neighbours: dict[str, list[tuple[str, Waterfall]]] = {}
    for pair in pairs:
        neighbours.setdefault(pair.mention_key_l, []).append((pair.mention_key_r, pair))
        neighbours.setdefault(pair.mention_key_r, []).append((pair.mention_key_l, pair))
    start, goal = firsts
    if start is None or goal is None:
        return []
    came: dict[str, tuple[str, Waterfall] | None] = {start: None}
    waiting: deque[str] = deque([start])
    while waiting and goal not in came:
        node = waiting.popleft()
        for other, pair in neighbours.get(node, []):
            if other not in came:
                came[other] = (node, pair)
                waiting.append(other)
    steps: list[Waterfall] = []
    here = came.get(goal)
    while here is not None:
        steps.append(here[1])
        here = came[here[0]]
    return steps[::-1]


def _why_not(
    connection: duckdb.DuckDBPyConnection,
    keys: tuple[str, str],
    firsts: tuple[str | None, str | None],
    direct: list[Waterfall],
) -> list[str]:
    """Codes of everything that keeps two mentions apart, the strongest first."""
    nodes = connection.execute(
        "SELECT f.node, n.held_number, f.is_founder FROM first_of AS f JOIN nodes AS n USING (node)"
        " WHERE f.mention_key IN (?, ?) ORDER BY f.mention_key = ? DESC",
        [*keys, keys[0]],
    ).fetchall()
    if len(nodes) < 2:
        return ["unresolved"]
    (left, left_number, left_founds), (right, right_number, right_founds) = nodes
    if left == right:
        return ["identical", "unresolved"]
    codes = [
        row[0]
        for row in connection.execute(
            "SELECT DISTINCT reason FROM cannot_links WHERE left_node = ? AND right_node = ? ORDER BY 1",
            [min(left, right), max(left, right)],
        ).fetchall()
    ]
    if left_number and right_number and left_number != right_number:
        codes.append("two different sound identity numbers")
    elif _citizens_differ_in_number(connection, keys):
        codes.append("citizens with two different numbers")
    if direct:
        codes += [code for code in _why_scored_apart(connection, direct[0], bool(codes)) if code not in codes]
    elif not (left_number and right_number):
        if not left_founds and not right_founds:
            codes.append("neither founds")
        else:
            proposed = connection.execute(
                "SELECT 1 FROM pairs WHERE left_node = ? AND right_node = ?", [min(left, right), max(left, right)]
            ).fetchall()
            codes.append("key too common" if proposed else "never a candidate")
    if any(trouble for _, _, trouble in _decisions(connection, keys, both=True)):
        codes.append("waits for the next run")
    return codes


def _citizens_differ_in_number(connection: duckdb.DuckDBPyConnection, keys: Sequence[str]) -> bool:
    row = connection.execute(
        "SELECT count(DISTINCT id_no) > 1 FROM work.identity.citizens JOIN work.identity.mention_links"
        " USING (citizen_id) WHERE mention_key IN (SELECT unnest(?))",
        [list(keys)],
    ).fetchone()
    return bool(row and row[0])


def _why_scored_apart(connection: duckdb.DuckDBPyConnection, pair: Waterfall, is_forbidden: bool) -> list[str]:
    """Why a scored pair is no link; ``is_forbidden``: something else forbids it whatever it weighs."""
    noted = connection.execute(
        "SELECT reason FROM work.identity.review_pairs WHERE least(mention_key_l, mention_key_r) = least($1, $2)"
        " AND greatest(mention_key_l, mention_key_r) = greatest($1, $2)",
        [pair.mention_key_l, pair.mention_key_r],
    ).fetchone()
    enough = pair.total >= pair.needed
    if noted and not (enough and noted[0] == "the evidence does not suffice"):
        return [noted[0]]
    if pair.total < pair.review:
        return ["speaks against"]
    if not enough:
        return ["the evidence does not suffice"]
    if not pair.is_linkable:
        return ["name needs support"]
    return [] if is_forbidden else ["taken elsewhere"]


def _near(connection: duckdb.DuckDBPyConnection, pairs: Sequence[Waterfall]) -> list[Near]:
    found = []
    for pair in pairs:
        keys = (pair.mention_key_l, pair.mention_key_r)
        codes = _why_not(connection, keys, keys, [pair])
        found.append(Near(*keys, pair.total, tuple(sentence(code) for code in codes)))
    return found


def _records(connection: duckdb.DuckDBPyConnection, keys: Sequence[str], reveal: bool) -> tuple[Record, ...]:
    records = []
    for key in keys:
        row = connection.execute(
            f"SELECT l.citizen_id, l.link_method, l.match_weight, coalesce(f.mention_count, 1),"
            f" {', '.join(f'm.{field}' for field in FIELDS)}"
            f" FROM work.identity.mention_links AS l JOIN {MENTIONS} AS m USING (mention_key)"
            " LEFT JOIN first_of AS f USING (mention_key) WHERE l.mention_key = ?",
            [key],
        ).fetchall()[0]
        values = {
            field: _shown(field, value, reveal)
            for field, value in zip(FIELDS, row[4:], strict=True)
            if value not in (None, [], "")
        }
        citizen, method, weight, identical = row[:4]
        records.append(Record(key, citizen, method, weight, values, identical))
    return tuple(records)


def _agreements(connection: duckdb.DuckDBPyConnection, keys: tuple[str, str]) -> tuple[tuple[str, str], ...]:
    said = {
        row[0]: row[1:]
        for row in connection.execute(
            f"SELECT mention_key, {', '.join(FIELDS)} FROM {MENTIONS} WHERE mention_key IN (?, ?)", list(keys)
        ).fetchall()
    }
    # When a record was made says nothing of whom it speaks.
    sides = (
        (field, one, other) for field, one, other in zip(FIELDS, *said.values(), strict=True) if field != "said_on"
    )
    return tuple((field, word) for field, one, other in sides if (word := agreement(one, other)) != "none")


def _beside(
    connection: duckdb.DuckDBPyConnection, keys: Sequence[str], reveal: bool, *, is_pair: bool = False
) -> tuple[Beside, ...]:
    """Citizens who stand on the records, or in the households, of the nodes of ``keys``; who stands beside both first.

    Of a pair the sides are told apart; a citizen has one side only.
    """
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE sides AS SELECT unnest($1) AS mention_key, unnest($2) AS side",
        [list(keys), ["left", "right"] if is_pair else ["left"] * len(keys)],
    )
    rows = connection.execute(
        f"""
        WITH own AS (
            SELECT DISTINCT sides.side, m.mention_key, m.record_key, m.household_key
            FROM sides JOIN first_of AS a USING (mention_key) JOIN first_of AS b ON b.node = a.node
            JOIN mentions AS m ON m.mention_key = b.mention_key
            WHERE m.household_key IS NOT NULL OR m.record_key IS NOT NULL
        ),
        mine AS (SELECT citizen_id FROM sides JOIN work.identity.mention_links USING (mention_key)),
        company AS (
            SELECT own.side, o.mention_key FROM own JOIN {MENTIONS} AS o ON o.record_key = own.record_key
            UNION
            SELECT own.side, o.mention_key FROM own JOIN {MENTIONS} AS o ON o.household_key = own.household_key
        )
        SELECT l.citizen_id, min(m.name), list_sort(list(DISTINCT m.role)),
               CASE WHEN count(DISTINCT side) = 2 THEN 'both' ELSE min(side) END AS beside
        FROM company JOIN {MENTIONS} AS m USING (mention_key) JOIN work.identity.mention_links AS l USING (mention_key)
        WHERE l.citizen_id IS NOT NULL
          AND l.citizen_id NOT IN (SELECT citizen_id FROM mine WHERE citizen_id IS NOT NULL)
        GROUP BY l.citizen_id ORDER BY beside <> 'both', count(*) DESC, l.citizen_id LIMIT {BESIDE_SHOWN}
        """
    ).fetchall()
    return tuple(
        Beside(citizen, "" if name is None else _shown("name", name, reveal), tuple(roles), beside)
        for citizen, name, roles, beside in rows
    )


def _decisions(
    connection: duckdb.DuckDBPyConnection, keys: Sequence[str], *, both: bool = False
) -> tuple[tuple[str, str, str | None], ...]:
    """Decisions about one of the mentions; ``both``: about the two of them, or of each one that says the very same.

    Where both say the very same, nothing but a decision about these two is about both.
    """
    rows = connection.execute(
        f"""
        WITH alike AS (
            SELECT a.mention_key AS asked, a.node, list(b.mention_key) AS same
            FROM first_of AS a JOIN first_of AS b USING (node) WHERE list_contains($1, a.mention_key) GROUP BY ALL
        ),
        sides AS (
            SELECT key, CASE WHEN count(*) OVER (PARTITION BY node) = 1 THEN same END AS same
            FROM (SELECT unnest($1) AS key) LEFT JOIN alike ON asked = key
        ),
        ends AS (SELECT key, unnest(list_append(coalesce(same, []), key)) AS mention_key FROM sides)
        SELECT DISTINCT decision_id, verdict, trouble FROM work.identity.decision_reports AS d
        JOIN ends AS e ON e.mention_key IN (d.mention_key_l, d.mention_key_r)
        {"JOIN ends AS o ON o.mention_key IN (d.mention_key_l, d.mention_key_r) AND o.key <> e.key" if both else ""}
        ORDER BY decision_id
        """,
        [list(keys)],
    ).fetchall()
    return tuple((str(row[0]), str(row[1]), row[2]) for row in rows)


def _shown(field: str, value: Any, reveal: bool) -> str:
    """A value as text; without ``reveal`` so much of it that two can be told apart by kind and not by person."""
    if isinstance(value, list):
        return "、".join(_shown(field, each, reveal) for each in value)
    text = value.isoformat() if isinstance(value, date) else str(value)
    if reveal or field in ("sex", "hukou_district", "managing_district", "said_on"):
        return text
    if field == "name":
        # As published: of a Latin or dotted name not even the length is told.
        is_han = not re.search(r"[A-Za-z·\s.'-]", text)
        return text[0] + ("*" * max(1, len(text) - 1) if is_han else "**")
    if field == "birth_date":
        return f"{text[:4]}-**-**"
    if field == "household_key":
        return re.sub(r"\d{15,}[Xx]?", "***", text)
    kept = {"id_no": 6, "phones": 3, "address": 3}.get(field, 0)
    return text[:kept] + "***"
