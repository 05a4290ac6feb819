"""Clerical review: the queue of pairs that no score may decide, the most useful first, and both records side by side.

Usefulness is how open the question is times how many mentions hang on it: 4p(1-p) of the pair's probability, one where
two partners are equally likely or a constraint cut the link, times log2(1 + mentions of both sides). A decision that
was reopened comes before all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from identity.decisions import load_decisions, pair_id
from identity.mention import MentionsUnusable
from warehouse.duck import connect

MENTIONS = "work.intermediate.int_mentions__unioned"
OPEN_QUESTION = "the evidence does not suffice"
FIELDS = ("name", "id_no", "birth_date", "sex", "phones", "address")


class NoSuchPair(LookupError):
    """A pair that the last run does not hold; one sentence."""


@dataclass(frozen=True)
class Waiting:
    """One pair that waits for a person. ``usefulness`` orders the queue; ``reopened`` says why a decision came back."""

    pair_id: str
    mention_key_l: str
    mention_key_r: str
    match_weight: float | None
    reason: str
    mentions: int
    usefulness: float
    reopened: str | None


@contextmanager
def open_review(work_file: Path, ledger_folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with the run attached as ``work`` and the queue as ``waiting``.

    Raises ``MentionsUnusable`` when the run has no identities, ``LedgerUnusable`` when a run holds the ledger.
    """
    with connect() as connection:
        try:
            connection.execute(f"ATTACH '{str(work_file).replace(chr(39), chr(39) * 2)}' AS work (READ_ONLY)")
            connection.execute("SELECT 1 FROM work.identity.review_pairs LIMIT 1")
        except duckdb.Error as error:
            raise MentionsUnusable(
                f"review: the last run's work file cannot be read ({type(error).__name__}); make a run first."
            ) from None
        connection.execute(
            f"CREATE TABLE mentions AS SELECT mention_key, row_number() OVER () AS mention FROM {MENTIONS}"
        )
        load_decisions(connection, ledger_folder, MENTIONS)
        # What only linking finds out: that another decision forbids this one, or that a record is nobody's.
        connection.execute(
            """
            UPDATE decision_reports SET trouble = found.trouble
            FROM (SELECT decision_id, trouble FROM work.identity.decision_reports WHERE trouble IS NOT NULL) AS found
            WHERE decision_reports.decision_id = found.decision_id AND decision_reports.trouble IS NULL
            """
        )
        _create_queue(connection)
        yield connection


def _create_queue(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute(
        f"""
        CREATE TEMP TABLE waiting AS
        WITH asked AS (
            SELECT mention_key_l, mention_key_r, match_weight, reason, NULL AS reopened
            FROM work.identity.review_pairs
            UNION ALL
            SELECT mention_key_l, mention_key_r, NULL, 'it was decided: ' || verdict, trouble
            FROM decision_reports WHERE trouble IS NOT NULL AND trouble <> 'a record is gone'
        ),
        once AS (
            SELECT least(mention_key_l, mention_key_r) AS one, greatest(mention_key_l, mention_key_r) AS other,
                   arg_max(mention_key_l, coalesce(match_weight, -999)) AS mention_key_l,
                   arg_max(mention_key_r, coalesce(match_weight, -999)) AS mention_key_r,
                   max(match_weight) AS match_weight, min(reason) AS reason, max(reopened) AS reopened
            FROM asked GROUP BY one, other
        ),
        sizes AS (
            SELECT mention_key, count(*) OVER (PARTITION BY coalesce(citizen_id, mention_key)) AS mentions
            FROM work.identity.mention_links
        )
        SELECT {pair_id("one", "other")} AS pair_id, once.mention_key_l, once.mention_key_r, match_weight,
               reason, l.mentions + r.mentions AS mentions,
               round(CASE WHEN reason <> '{OPEN_QUESTION}' THEN 1
                          ELSE 4 / ((1 + pow(2, -match_weight)) * (1 + pow(2, match_weight))) END
                     * log2(1 + l.mentions + r.mentions), 3) AS usefulness,
               reopened
        FROM once JOIN sizes AS l ON l.mention_key = once.mention_key_l
        JOIN sizes AS r ON r.mention_key = once.mention_key_r
        WHERE NOT EXISTS (
            SELECT 1 FROM decision_reports AS d
            WHERE d.trouble IS NULL AND least(d.mention_key_l, d.mention_key_r) = one
              AND greatest(d.mention_key_l, d.mention_key_r) = other)
        """
    )


def queue(connection: duckdb.DuckDBPyConnection, limit: int | None = None) -> list[Waiting]:
    """The pairs that wait, the most useful first."""
    rows = connection.execute(
        "SELECT * FROM waiting ORDER BY reopened IS NULL, usefulness DESC, pair_id"
        + (f" LIMIT {limit}" if limit else "")
    ).fetchall()
    return [Waiting(*row) for row in rows]


def find_pair(connection: duckdb.DuckDBPyConnection, name: str, *, decided: bool = False) -> tuple[str, str]:
    """The two mention keys of a pair: by its id in the queue, or two keys with a comma between.

    ``decided``: also one that waits no more, because it was decided. Raises ``NoSuchPair``.
    """
    if "," in name:
        left, right = (key.strip() for key in name.split(",", 1))
        known = connection.execute(
            f"SELECT count(*) FROM {MENTIONS} WHERE mention_key IN (?, ?)", [left, right]
        ).fetchone()
        if known is None or known[0] != 2:
            raise NoSuchPair(f"review: the last run does not hold both of {left} and {right}; see review next.")
        return left, right
    found = connection.execute("SELECT mention_key_l, mention_key_r FROM waiting WHERE pair_id = ?", [name]).fetchone()
    if found is not None:
        return str(found[0]), str(found[1])
    was_decided = connection.execute(
        "SELECT mention_key_l, mention_key_r, decision_id FROM decision_reports"
        f" WHERE {pair_id('mention_key_l', 'mention_key_r')} = ? AND trouble IS DISTINCT FROM 'a record is gone'",
        [name],
    ).fetchone()
    if was_decided is None:
        raise NoSuchPair(f"review: no pair {name} waits; another run changed the queue: review next.")
    if not decided:
        raise NoSuchPair(
            f"review: no pair {name} waits: {was_decided[2]} decides it; revoke that, or name its two mention keys."
        )
    return str(was_decided[0]), str(was_decided[1])


def read_values(connection: duckdb.DuckDBPyConnection, mention_keys: Sequence[str]) -> dict[str, dict[str, Any]]:
    """What records say of their persons, by mention key and field. Raises ``NoSuchPair`` for a key that is unknown."""
    relation = connection.execute(
        f"SELECT mention_key, {', '.join(FIELDS)} FROM {MENTIONS} SEMI JOIN (SELECT unnest(?) AS mention_key)"
        " USING (mention_key)",
        [list(mention_keys)],
    )
    found = {row[0]: dict(zip(FIELDS, row[1:], strict=True)) for row in relation.fetchall()}
    for key in mention_keys:
        if key not in found:
            raise NoSuchPair(f"review: the last run holds no mention {key}; see review next.")
    return found


def agreement(left: Any, right: Any) -> str:
    """How two values of a field stand to each other, without saying them."""
    if left in (None, []) and right in (None, []):
        return "none"
    if left in (None, []) or right in (None, []):
        return "one is missing"
    if left == right:
        return "same"
    if isinstance(left, list) and isinstance(right, list) and set(left) & set(right):
        return "partly"
    return "differs"
