"""What people decided about pairs of mentions: an append-only ledger, replayed in every run, never violated silently.

A decision names mentions by their keys, never clusters or citizens, so it survives whatever clustering does. It holds
for what the clerk saw: when the name, number or birth date of a record has changed since, the decision is reopened and
reported instead of applied. The later decision on a pair counts; revoking adds a row.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow as pa

from identity.citizen_id import attach_ledger
from identity.content_id import content_id
from warehouse.duck import take_rows

LINK, NON_LINK, UNDECIDED, REVOKED = "link", "non-link", "undecided", "revoked"
VERDICTS = (LINK, NON_LINK, UNDECIDED)
_SCHEMA = """
CREATE TABLE IF NOT EXISTS {l}.secret (fingerprint_key VARCHAR);
CREATE TABLE IF NOT EXISTS {l}.decision (
    sequence BIGINT, decision_id VARCHAR, verdict VARCHAR, mention_key_l VARCHAR, mention_key_r VARCHAR,
    author VARCHAR, reason VARCHAR, decided_at TIMESTAMPTZ, print_l VARCHAR, print_r VARCHAR, revokes VARCHAR);
"""
# What of a mention a clerk's decision rests on.
_NUMBERS = ("id_no", "damaged_id_no", "other_document_no", "certificate_id_no")
# And of one that has neither a number nor a birth date, where it is found.
_TELLING = ", ".join(f"{{m}}.{column}" for column in (*_NUMBERS, "birth_date::VARCHAR"))
_PLACES = f"""CASE WHEN coalesce({_TELLING}) IS NULL
    THEN concat_ws('|', coalesce(array_to_string({{m}}.phones, ' '), ''), {{m}}.address) END"""
_SAID = ", ".join(f"coalesce({{m}}.{column}, '')" for column in ("name", *_NUMBERS))
_PRINT = f"md5({{key}} || concat_ws('|', {_SAID}, coalesce({{m}}.birth_date::VARCHAR, ''), {_PLACES}))"
# Before they began with this mark, prints were of these three only.
_MARK = "2:"
_KEY = "(SELECT fingerprint_key FROM decided.secret)"
_PRINT_UNMARKED = (
    "md5({key} || concat_ws('|', coalesce({m}.name, ''), coalesce({m}.id_no, ''), "
    "coalesce({m}.birth_date::VARCHAR, '')))"
)


def pair_id(left: str, right: str) -> str:
    """SQL: the short id of a pair of mention keys, whichever is named first."""
    return f"substr(md5(least({left}, {right}) || ',' || greatest({left}, {right})), 1, 10)"


class DecisionRefused(ValueError):
    """A decision cannot be taken down: one sentence that says why and what to mend."""


@dataclass(frozen=True)
class Decision:
    """One row of the ledger. ``verdict`` is link, non-link, undecided or revoked (then ``revokes`` names the row).

    ``decided_at`` is in UTC; ``pair_id`` is that of the queue.
    """

    decision_id: str
    verdict: str
    mention_key_l: str
    mention_key_r: str
    author: str
    reason: str
    decided_at: str
    pair_id: str
    revokes: str | None = None


@contextmanager
def _ledger(connection: duckdb.DuckDBPyConnection, folder: Path) -> Iterator[str]:
    attach_ledger(connection, folder, "decided")
    try:
        connection.execute(_SCHEMA.format(l="decided"))
        if not connection.execute("SELECT 1 FROM decided.secret").fetchall():
            connection.execute("INSERT INTO decided.secret VALUES (?)", [secrets.token_hex(16)])
        yield "decided"
    finally:
        connection.execute("DETACH decided")


def _print(mention: str) -> str:
    return f"'{_MARK}' || {_PRINT.format(key=_KEY, m=mention)}"


def _is_other(mention: str, then: str) -> str:
    """SQL: whether a mention says something else than when ``then`` was printed of it."""
    unmarked = _PRINT_UNMARKED.format(key=_KEY, m=mention)
    return f"CASE WHEN starts_with({then}, '{_MARK}') THEN {_print(mention)} ELSE {unmarked} END <> {then}"


def record(
    connection: duckdb.DuckDBPyConnection,
    folder: Path,
    mentions: str,
    taken: Sequence[tuple[str, str, str, str, str]],
) -> list[str]:
    """Append decisions (verdict, mention key, mention key, author, reason) and return their ids, all or none.

    ``mentions`` is the relation of the run that the clerk looked at.
    Raises ``DecisionRefused`` for an unknown verdict, an empty author or reason, the same mention twice, or a mention
    that the run does not hold; ``LedgerUnusable`` when a run holds the ledger.
    """
    for verdict, left, right, author, reason in taken:
        if verdict not in VERDICTS:
            raise DecisionRefused(f"review: {verdict!r} is no verdict; say one of {', '.join(VERDICTS)}.")
        if left == right:
            raise DecisionRefused(f"review: {left} is named twice; a decision is about two mentions.")
        if not author.strip() or not reason.strip():
            raise DecisionRefused("review: a decision needs an author and a reason; give both.")
    ids = [_new_id() for _ in taken]
    given = pa.table(
        {
            "place": pa.array(range(len(taken)), pa.int64()),
            "decision_id": pa.array(ids, pa.string()),
            **{
                name: pa.array([row[place] for row in taken], pa.string())
                for place, name in enumerate(("verdict", "mention_key_l", "mention_key_r", "author", "reason"))
            },
        }
    )
    take_rows(connection, "given", given)
    try:
        unknown = connection.execute(
            f"SELECT key FROM (SELECT mention_key_l AS key FROM given UNION SELECT mention_key_r FROM given) "
            f"ANTI JOIN (SELECT mention_key AS key FROM {mentions}) USING (key) ORDER BY key LIMIT 1"
        ).fetchone()
        if unknown is not None:
            raise DecisionRefused(f"review: the last run holds no mention {unknown[0]}; look it up with review next.")
        with _ledger(connection, folder):
            connection.execute(
                f"""
                INSERT INTO decided.decision
                SELECT (SELECT coalesce(max(sequence), 0) FROM decided.decision) + 1 + g.place, g.decision_id,
                       g.verdict, g.mention_key_l, g.mention_key_r, g.author, g.reason, now(),
                       {_print("l")}, {_print("r")}, NULL
                FROM given AS g JOIN {mentions} AS l ON l.mention_key = g.mention_key_l
                JOIN {mentions} AS r ON r.mention_key = g.mention_key_r
                """
            )
    finally:
        connection.execute("DROP TABLE given")
    return ids


def revoke(connection: duckdb.DuckDBPyConnection, folder: Path, decision_id: str, author: str, reason: str) -> str:
    """Take a decision back by a new row. Raises ``DecisionRefused`` when it is unknown or was revoked already."""
    if not author.strip() or not reason.strip():
        raise DecisionRefused("review: revoking needs an author and a reason; give both.")
    with _ledger(connection, folder):
        found = connection.execute(
            "SELECT mention_key_l, mention_key_r FROM decided.decision WHERE decision_id = ? AND revokes IS NULL",
            [decision_id],
        ).fetchone()
        if found is None:
            raise DecisionRefused(f"review: there is no decision {decision_id}; see review list.")
        if connection.execute("SELECT 1 FROM decided.decision WHERE revokes = ?", [decision_id]).fetchall():
            raise DecisionRefused(f"review: the decision {decision_id} was revoked before; nothing changes.")
        fresh = _new_id()
        connection.execute(
            "INSERT INTO decided.decision SELECT (SELECT max(sequence) FROM decided.decision) + 1, ?, ?, ?, ?, ?, ?, "
            "now(), NULL, NULL, ?",
            [fresh, REVOKED, found[0], found[1], author, reason, decision_id],
        )
    return fresh


def history(connection: duckdb.DuckDBPyConnection, folder: Path) -> list[Decision]:
    """Every row of the ledger, oldest first."""
    with _ledger(connection, folder):
        rows = connection.execute(
            "SELECT decision_id, verdict, mention_key_l, mention_key_r, author, reason, decided_at::VARCHAR, "
            f"{pair_id('mention_key_l', 'mention_key_r')}, revokes FROM decided.decision ORDER BY sequence"
        ).fetchall()
    return [Decision(*row) for row in rows]


def load_decisions(connection: duckdb.DuckDBPyConnection, folder: Path, delivered: str) -> None:
    """Create ``decisions`` (those to apply) and ``decision_reports`` (those in force, with ``trouble``: why reopened).

    ``delivered`` is the relation of the run's mentions.
    """
    with _ledger(connection, folder):
        connection.execute(
            f"""
            CREATE OR REPLACE TABLE decision_reports AS
            WITH standing AS (
                SELECT * FROM decided.decision AS d
                WHERE d.revokes IS NULL AND NOT EXISTS (
                    SELECT 1 FROM decided.decision AS later WHERE later.revokes = d.decision_id)
                QUALIFY row_number() OVER (PARTITION BY least(mention_key_l, mention_key_r),
                                           greatest(mention_key_l, mention_key_r) ORDER BY sequence DESC) = 1
            ),
            named AS MATERIALIZED (
                SELECT mention_key, name, {", ".join(_NUMBERS)}, birth_date, phones, address FROM {delivered}
                WHERE mention_key IN (SELECT mention_key_l FROM standing UNION SELECT mention_key_r FROM standing)
            )
            SELECT s.sequence, s.decision_id, s.mention_key_l, s.mention_key_r, s.verdict,
                   {content_id("l.mention_key")} AS mention_l, {content_id("r.mention_key")} AS mention_r,
                   CASE WHEN l.mention_key IS NULL OR r.mention_key IS NULL THEN 'a record is gone'
                        WHEN {_is_other("l", "s.print_l")} OR {_is_other("r", "s.print_r")}
                        THEN 'a record has changed since'
                        -- Whoever has neither a name nor a number is in no node that could be joined to another.
                        WHEN s.verdict = '{LINK}' AND (coalesce(nullif(l.name, ''), l.id_no) IS NULL
                                                       OR coalesce(nullif(r.name, ''), r.id_no) IS NULL)
                        THEN 'a record names nobody'
                   END AS trouble
            FROM standing AS s
            LEFT JOIN named AS l ON l.mention_key = s.mention_key_l
            LEFT JOIN named AS r ON r.mention_key = s.mention_key_r;
            CREATE OR REPLACE TABLE decisions AS
            SELECT sequence, decision_id, verdict, mention_l, mention_r FROM decision_reports
            WHERE trouble IS NULL AND verdict IN ('{LINK}', '{NON_LINK}')
            """
        )


def without_decisions(connection: duckdb.DuckDBPyConnection) -> None:
    """Create empty ``decisions`` unless they were loaded: training and other callers have no ledger."""
    connection.execute(
        "CREATE TABLE IF NOT EXISTS decisions "
        "(sequence BIGINT, decision_id VARCHAR, verdict VARCHAR, mention_l BIGINT, mention_r BIGINT)"
    )


def separate_decided(connection: duckdb.DuckDBPyConnection) -> None:
    """Give one mention of a non-link a node of its own where collapsing had put both into one.

    The one goes whose number is less likely its own: who is of a void record, whose name is not the owner's very name,
    who states another birth date or sex, whom more decisions keep from others of the node, or name first; of two alike
    always the same. Who is linked to it by decision, and kept apart from nobody else there, goes with it. It keeps its
    number only as a claim in conflict: the node that it left owns it. Mends ``unsettled_members``, which hold whoever a
    person decided about.
    """
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE kept_apart AS
        WITH RECURSIVE inside AS (
            SELECT d.verdict, d.mention_l, d.mention_r
            FROM decisions AS d JOIN unsettled_members AS l ON l.mention = d.mention_l
            JOIN unsettled_members AS r ON r.mention = d.mention_r AND r.node = l.node
        ),
        parted AS (FROM inside WHERE verdict = '{NON_LINK}'),
        times AS (
            SELECT mention, count(*) AS times, sum(is_first) AS times_first
            FROM (SELECT mention_l AS mention, 1 AS is_first FROM parted
                  UNION ALL SELECT mention_r, 0 FROM parted) GROUP BY mention
        ),
        doubts AS (
            -- Compared from the first to the last.
            SELECT mention, [
                u.is_withdrawn::BIGINT,
                (coalesce(u.reason, 'id') <> 'id')::BIGINT,
                coalesce(is_other_birth(m.birth_day, m.number_birth), false)::BIGINT
                    + coalesce(m.sex <> m.number_sex, false)::BIGINT,
                times,
                times_first::BIGINT,
                mention] AS doubts
            FROM times JOIN unsettled_members AS u USING (mention) JOIN mentions AS m USING (mention)
        ),
        judged AS (
            SELECT CASE WHEN r.doubts > l.doubts THEN mention_r ELSE mention_l END AS goes
            FROM parted JOIN doubts AS l ON l.mention = mention_l JOIN doubts AS r ON r.mention = mention_r
        ),
        linked AS (
            SELECT mention_l AS mention, mention_r AS other FROM inside WHERE verdict = '{LINK}'
            UNION ALL SELECT mention_r, mention_l FROM inside WHERE verdict = '{LINK}'
        ),
        leaving AS (
            SELECT goes AS mention FROM judged
            UNION
            SELECT linked.other FROM leaving JOIN linked USING (mention)
            WHERE linked.other NOT IN (SELECT mention FROM times)
        )
        SELECT mention FROM leaving;
        UPDATE unsettled_members SET
            node = {content_id("'apart|' || m.mention_key")},
            kind = CASE WHEN unsettled_members.kind = 'anchor' THEN 'conflict' ELSE unsettled_members.kind END,
            reason = CASE WHEN unsettled_members.kind = 'anchor' THEN 'conflict:decision'
                          ELSE unsettled_members.reason END
        FROM kept_apart JOIN mentions AS m USING (mention)
        WHERE unsettled_members.mention = kept_apart.mention
        """
    )


def create_decided_pairs(connection: duckdb.DuckDBPyConnection) -> None:
    """Create ``decided_pairs``: decision_id, verdict and the two nodes (left_node < right_node)."""
    connection.execute(
        """
        CREATE OR REPLACE TABLE decided_pairs AS
        SELECT d.decision_id, d.verdict, least(l.node, r.node) AS left_node, greatest(l.node, r.node) AS right_node
        FROM decisions AS d JOIN node_of AS l ON l.mention = d.mention_l JOIN node_of AS r ON r.mention = d.mention_r
        WHERE l.node <> r.node
        """
    )
    nowhere = connection.execute(
        f"""
        WITH placed AS MATERIALIZED (
            SELECT mention FROM node_of SEMI JOIN (
                SELECT unnest([mention_l, mention_r]) AS mention FROM decisions) USING (mention)
        )
        SELECT decision_id FROM decisions WHERE verdict = '{LINK}' AND NOT (
            mention_l IN (FROM placed) AND mention_r IN (FROM placed))
        """
    ).fetchall()
    if nowhere:
        # A number without a name is somebody only where its owner is known.
        connection.execute(
            "UPDATE decision_reports SET trouble = 'a record names nobody'"
            " WHERE trouble IS NULL AND decision_id IN (SELECT unnest(?))",
            [[row[0] for row in nowhere]],
        )


def report_contradictions(connection: duckdb.DuckDBPyConnection, pairs: Sequence[tuple[int, int]]) -> None:
    """Mark in ``decision_reports`` the decided links between ``pairs`` of nodes that another decision forbids."""
    for left, right in pairs:
        connection.execute(
            "UPDATE decision_reports SET trouble = 'another decision keeps two of them apart' WHERE decision_id IN "
            f"(SELECT decision_id FROM decided_pairs WHERE left_node = ? AND right_node = ? AND verdict = '{LINK}')",
            [left, right],
        )


def _new_id() -> str:
    return f"d_{datetime.now(UTC):%Y%m%d}_{secrets.token_hex(4)}"
