"""How well the links of a run agree with a known truth: pairwise and B-cubed precision, recall and F1, by group.

Two questions are asked. Of the mentions *with a citizen* alone: are the right ones together? And of *all* mentions of
somebody: one that was left unresolved, or never came this far, is with nobody, so its pairs are lost.

*Pairwise*: of the pairs of mentions put together, the share that belong together (precision); of the pairs that belong
together, the share put together (recall). A pair counts for a group (a silo, a role, a kind of damage) when either of
its mentions is of that group. *B-cubed* (Bagga and Baldwin 1998): per mention, the share of its citizen's mentions that
are of its person (precision), and the share of its person's mentions that are in its citizen (recall), averaged over
the group's mentions; the mention itself is counted. Mentions of nobody take part in neither; those that were given a
citizen are counted on their own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import duckdb

from warehouse.duck import connect

KEY = ("source_system", "source_table", "source_record_id", "role")
WITH_CITIZEN, ALL_MENTIONS = "with a citizen", "all mentions"
# What the groups are made of, and the column of the joined mentions that says so.
GROUPINGS = {"silo": "source_system", "role": "role", "damage": "damage"}
UNDAMAGED = "none"


class TruthUnusable(ValueError):
    """The truth file cannot be compared with the run; the message names the file and what to mend."""


@dataclass(frozen=True)
class Measure:
    """Precision, recall and their harmonic mean; 1 where nothing was put together, or nothing belongs together."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0

    def as_dict(self) -> dict[str, float]:
        """Plain values for JSON."""
        return {"precision": self.precision, "recall": self.recall, "f1": self.f1}


@dataclass(frozen=True)
class GroupScore:
    """One group under one question: its mentions, its pairs put together rightly, at all, and truly, and measures."""

    grouping: str
    group: str
    mentions: int
    right: int
    found: int
    true: int
    pairwise: Measure
    b_cubed: Measure

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self) | {"pairwise": self.pairwise.as_dict(), "b_cubed": self.b_cubed.as_dict()}


@dataclass(frozen=True)
class Evaluation:
    """A run against a truth. ``scores`` per question: first everything, then each silo, role and kind of damage.

    ``missing``: mentions of the truth that the run does not have (in quarantine, say). ``unknown``: mentions of the run
    that the truth does not name; they are left out. ``invented``: mentions of nobody that were given a citizen.
    ``two_numbers``: citizens with mentions that own two different sound numbers. ``mixed``: citizens with mentions of
    two persons or more; of these, ``mixed_twins``: of two with one birthday and surname; ``mixed_beside``: of two who
    stand on one record, as spouses do.
    """

    mentions: int
    missing: int
    unknown: int
    unresolved: int
    invented: int
    citizens: int
    persons: int
    two_numbers: int
    mixed: int
    mixed_twins: int
    mixed_beside: int
    scores: dict[str, tuple[GroupScore, ...]]

    def overall(self, question: str) -> GroupScore:
        """The score of everything under one question."""
        return self.scores[question][0]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        counts = {name: value for name, value in asdict(self).items() if name != "scores"}
        return counts | {
            "scores": {question: [each.as_dict() for each in groups] for question, groups in self.scores.items()}
        }


def evaluate(work_file: Path, truth_file: Path) -> Evaluation:
    """Compare the links in ``work_file`` with ``truth_file`` (Parquet or CSV): ``KEY``, person_id, optionally damage.

    Raises ``TruthUnusable`` when the file cannot be read, lacks a column, names a mention twice, or none of the run.
    """
    with connect() as connection:
        connection.execute(f"ATTACH '{_quoted(work_file)}' AS work (READ_ONLY)")
        _read_truth(connection, truth_file)
        _join(connection, truth_file)
        counts = connection.execute(
            """
            SELECT count(*) FILTER (is_true), count(*) FILTER (is_true AND NOT is_linked),
                   count(*) FILTER (NOT is_true), count(*) FILTER (person_id IS NOT NULL AND citizen_id IS NULL),
                   count(*) FILTER (is_true AND person_id IS NULL AND citizen_id IS NOT NULL),
                   count(DISTINCT citizen_id), count(DISTINCT person_id)
            FROM joined
            """
        ).fetchone()
        assert counts is not None
        mentions, missing, unknown, unresolved, invented, citizens, persons = counts
        mixed, twins, beside = mixed_citizens(connection)
        return Evaluation(
            mentions,
            missing,
            unknown,
            unresolved,
            invented,
            citizens,
            persons,
            two_numbers=citizens_with_two_numbers(connection),
            mixed=mixed,
            mixed_twins=twins,
            mixed_beside=beside,
            scores={question: tuple(score_groups(connection, question)) for question in (WITH_CITIZEN, ALL_MENTIONS)},
        )


def _quoted(file: Path) -> str:
    return str(file).replace("'", "''")


def _read_truth(connection: duckdb.DuckDBPyConnection, file: Path) -> None:
    if not file.is_file():
        raise TruthUnusable(f"evaluate: there is no file {file}; name a Parquet or CSV file with the truth.")
    reader = "read_csv('{}', all_varchar = true)" if file.suffix.lower() == ".csv" else "read_parquet('{}')"
    try:
        connection.execute(f"CREATE TEMP VIEW raw_truth AS SELECT * FROM {reader.format(_quoted(file))}")
        found = {row[0] for row in connection.execute("DESCRIBE raw_truth").fetchall()}
    except duckdb.Error as error:
        raise TruthUnusable(
            f"evaluate: {file} cannot be read as {file.suffix or 'Parquet'} ({type(error).__name__});"
            " write the truth as .parquet or .csv."
        ) from None
    if missing := [column for column in (*KEY, "person_id") if column not in found]:
        raise TruthUnusable(
            f"evaluate: {file} lacks {', '.join(missing)}; it needs {', '.join(KEY)}, person_id, and may have damage."
        )
    damage = f"coalesce(nullif(damage::VARCHAR, ''), '{UNDAMAGED}')" if "damage" in found else "NULL"
    connection.execute(
        f"""
        CREATE TEMP TABLE truth AS
        SELECT {", ".join(f"{column}::VARCHAR AS {column}" for column in KEY)},
               nullif(person_id::VARCHAR, '') AS person_id, {damage} AS damage
        FROM raw_truth
        """
    )
    twice = connection.execute(
        f"SELECT count(*) FROM (SELECT 1 FROM truth GROUP BY {', '.join(KEY)} HAVING count(*) > 1)"
    ).fetchone()
    if twice and twice[0]:
        raise TruthUnusable(f"evaluate: {file} names {twice[0]} mentions more than once; a mention has one person.")


def _join(connection: duckdb.DuckDBPyConnection, file: Path) -> None:
    """Create ``joined``: one row per mention of the truth or the run, with its person, citizen and groups."""
    try:
        connection.execute(
            f"""
            CREATE TEMP TABLE joined AS
            SELECT {", ".join(KEY)}, truth.person_id, truth.damage, run.citizen_id, run.own_number, run.record_key,
                   run.name, run.birth_date,
                   truth.is_true IS NOT NULL AS is_true, run.is_linked IS NOT NULL AS is_linked
            FROM (SELECT *, true AS is_true FROM truth) AS truth
            FULL JOIN (
                SELECT {", ".join(f"m.{column}" for column in KEY)}, l.citizen_id, true AS is_linked,
                       m.record_key, m.name, m.birth_date,
                       CASE WHEN regexp_matches(l.reason, '^(id|conflict:)')
                                 AND NOT starts_with(l.reason, 'conflict:placeholder') THEN m.id_no END AS own_number
                FROM work.identity.mention_links AS l
                JOIN work.intermediate.int_mentions__unioned AS m USING (mention_key)) AS run
            USING ({", ".join(KEY)})
            """
        )
    except duckdb.CatalogException:
        raise TruthUnusable("evaluate: the last run has linked nobody yet; end a run first: rongtong run.") from None
    both = connection.execute("SELECT count(*) FROM joined WHERE is_true AND is_linked").fetchone()
    if both is None or both[0] == 0:
        raise TruthUnusable(f"evaluate: {file} names no mention of the last run; was it made for another city?")


def citizens_with_two_numbers(connection: duckdb.DuckDBPyConnection) -> int:
    """Citizens of ``joined`` whose mentions own two different sound numbers; a disowned number is not owned."""
    row = connection.execute(
        """
        SELECT count(*) FROM (SELECT citizen_id FROM joined WHERE citizen_id IS NOT NULL
                              GROUP BY citizen_id HAVING count(DISTINCT own_number) > 1)
        """
    ).fetchone()
    return int(row[0]) if row else 0


def mixed_citizens(connection: duckdb.DuckDBPyConnection) -> tuple[int, int, int]:
    """Citizens of ``joined`` with mentions of two persons or more; of these, those of two persons with one birthday and
    surname, and those of two persons who stand on one record.

    A person's birthday and surname are those that most of its mentions state; a sound number states its birthday.
    """
    row = connection.execute(
        """
        WITH inside AS (
            SELECT citizen_id, person_id FROM joined
            WHERE citizen_id IS NOT NULL AND person_id IS NOT NULL GROUP BY citizen_id, person_id
            QUALIFY count(*) OVER (PARTITION BY citizen_id) > 1
        ),
        strangers AS (
            SELECT a.citizen_id, a.person_id, b.person_id AS other_id
            FROM inside AS a JOIN inside AS b ON a.citizen_id = b.citizen_id AND a.person_id < b.person_id
        ),
        involved AS MATERIALIZED (
            SELECT person_id, record_key, left(name, 1) AS surname,
                   coalesce(try_strptime(substr(own_number, 7, 8), '%Y%m%d')::DATE, birth_date) AS born
            FROM joined SEMI JOIN inside USING (person_id)
        ),
        people AS (SELECT person_id, mode(born ORDER BY born) AS born, mode(surname ORDER BY surname) AS surname
            FROM involved GROUP BY person_id),
        beside AS (
            SELECT DISTINCT a.person_id, b.person_id AS other_id
            FROM involved AS a JOIN involved AS b ON a.record_key = b.record_key AND a.person_id < b.person_id
        )
        SELECT count(DISTINCT s.citizen_id),
               count(DISTINCT s.citizen_id) FILTER (p.born = q.born AND p.surname = q.surname),
               count(DISTINCT s.citizen_id) FILTER (beside.person_id IS NOT NULL)
        FROM strangers AS s JOIN people AS p ON p.person_id = s.person_id
        JOIN people AS q ON q.person_id = s.other_id
        LEFT JOIN beside ON beside.person_id = s.person_id AND beside.other_id = s.other_id
        """
    ).fetchone()
    return row or (0, 0, 0)


def score_groups(
    connection: duckdb.DuckDBPyConnection, question: str, groupings: Iterable[str] = tuple(GROUPINGS)
) -> list[GroupScore]:
    """Scores over ``joined`` (person_id, citizen_id, and the columns of ``groupings``), everything first.

    Mentions are counted per citizen and person, so the work grows with the mentions and never with their pairs.
    """
    chosen = "person_id IS NOT NULL" + (" AND citizen_id IS NOT NULL" if question == WITH_CITIZEN else "")
    columns = {"all": "'all'"} | {grouping: GROUPINGS[grouping] for grouping in groupings}
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE cells AS
        SELECT citizen_id, person_id, count(*)::HUGEINT AS n FROM joined WHERE {chosen} GROUP BY ALL;
        CREATE OR REPLACE TEMP TABLE citizen_sizes AS
        SELECT citizen_id, sum(n)::HUGEINT AS n FROM cells WHERE citizen_id IS NOT NULL GROUP BY ALL;
        CREATE OR REPLACE TEMP TABLE person_sizes AS SELECT person_id, sum(n)::HUGEINT AS n FROM cells GROUP BY ALL;
        CREATE OR REPLACE TEMP TABLE group_cells AS
        {
            " UNION ALL ".join(
                f"SELECT '{grouping}' AS grouping, {column} AS member_of, citizen_id, person_id, count(*)::HUGEINT AS n"
                f" FROM joined WHERE {chosen} AND {column} IS NOT NULL GROUP BY ALL"
                for grouping, column in columns.items()
            )
        }
        """
    )
    pairs = "sum(whole.n * (whole.n - 1) - (whole.n - part.n) * (whole.n - part.n - 1))::HUGEINT // 2"
    rows = connection.execute(
        f"""
        WITH rights AS (
            SELECT grouping, member_of, {pairs} AS pairs
            FROM group_cells AS part JOIN cells AS whole USING (citizen_id, person_id) GROUP BY ALL),
        founds AS (
            SELECT grouping, member_of, {pairs} AS pairs
            FROM (SELECT grouping, member_of, citizen_id, sum(n)::HUGEINT AS n FROM group_cells GROUP BY ALL) AS part
            JOIN citizen_sizes AS whole USING (citizen_id) GROUP BY ALL),
        trues AS (
            SELECT grouping, member_of, {pairs} AS pairs
            FROM (SELECT grouping, member_of, person_id, sum(n)::HUGEINT AS n FROM group_cells GROUP BY ALL) AS part
            JOIN person_sizes AS whole USING (person_id) GROUP BY ALL),
        means AS (
            SELECT grouping, member_of, sum(part.n)::BIGINT AS mentions,
                   -- An unresolved mention stands alone: all of its own, and one of its person's.
                   sum(part.n * coalesce(cell.n / c.n, 1.0)) / sum(part.n) AS b_precision,
                   sum(part.n * coalesce(cell.n / p.n, 1.0 / p.n)) / sum(part.n) AS b_recall
            FROM group_cells AS part
            JOIN person_sizes AS p USING (person_id)
            LEFT JOIN citizen_sizes AS c USING (citizen_id)
            LEFT JOIN cells AS cell ON cell.citizen_id = part.citizen_id AND cell.person_id = part.person_id
            GROUP BY ALL)
        SELECT grouping, member_of, mentions, coalesce(rights.pairs, 0)::BIGINT, coalesce(founds.pairs, 0)::BIGINT,
               coalesce(trues.pairs, 0)::BIGINT, b_precision, b_recall
        FROM means LEFT JOIN rights USING (grouping, member_of) LEFT JOIN founds USING (grouping, member_of)
        LEFT JOIN trues USING (grouping, member_of)
        """
    ).fetchall()
    order = list(columns)
    return [_as_score(row) for row in sorted(rows, key=lambda row: (order.index(row[0]), -row[2], row[1]))]


def _as_score(row: tuple[Any, ...]) -> GroupScore:
    grouping, group, mentions, right, found, true, b_precision, b_recall = row
    pairwise = Measure(right / found if found else 1.0, right / true if true else 1.0)
    return GroupScore(grouping, group, mentions, right, found, true, pairwise, Measure(b_precision, b_recall))
