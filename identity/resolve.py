"""The room's door: who is who among the mentions of a run, why, and under which citizen id."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pyarrow as pa

from identity import blocking, claims, comparisons, decisions, han, score, thresholds
from identity.citizen_id import assign_ids
from identity.cluster import DECIDED, Partition, attach_weak, join_founders
from identity.constraints import create_cannot_links, read_constraints
from identity.lives import create_lives
from identity.mention import read_mentions
from identity.model import Parameters, level_number
from identity.nodes import create_nodes
from identity.sound import create_sounds
from warehouse.duck import connect
from warehouse.home import Home

Progress = Callable[[int, int | None, str], None]
STEPS = (
    "read mentions",
    "weigh numbers",
    "propose pairs",
    "score pairs",
    "cluster",
    "carry citizen ids",
    "write links",
)


@dataclass(frozen=True)
class ResolveResult:
    """What one run of the room did: mentions, nodes and pairs, citizens, links by method, changes of ids, decisions
    in force and reopened, seconds of every step.
    """

    mentions: int
    nodes: int
    pairs: int
    citizens: int
    by_method: dict[str, int]
    review_pairs: int
    ids: dict[str, int]
    decisions: dict[str, int]
    parameters: str
    seconds: dict[str, float] = field(default_factory=dict)


def resolve(
    work_file: Path, home: Home, run_id: str, progress: Progress | None = None, parameters: Parameters | None = None
) -> ResolveResult:
    """Link the mentions of ``work_file`` and write its schema ``identity``; ids come from the home's ledger.

    ``progress`` is told (steps done, steps, step). ``parameters`` default to the newest trained artefact. Raises
    ``MentionsUnusable``, ``ModelUnusable`` or ``LedgerUnusable``, each with one sentence that says what to mend.
    """
    used = parameters or Parameters.latest()
    clock = _Clock(progress)
    scratch = home.private_folder(home.identity)
    connection = connect(temp_folder=scratch / "spill")
    try:
        connection.execute(f"ATTACH '{str(work_file).replace(chr(39), chr(39) * 2)}' AS work")
        total = read_mentions(connection, "work")
        decisions.load_decisions(connection, home.identity, "work.intermediate.int_mentions__unioned")
        clock.done()
        prepare(connection)
        clock.done()
        pairs = blocking.create_pairs(connection)
        create_cannot_links(connection)
        create_lives(connection, "work")
        clock.done()
        score.score_pairs(connection, used)
        clock.done()
        partition = _cluster(connection)
        clock.done()
        ids = assign_ids(connection, home.identity, run_id)
        clock.done()
        _write(connection, partition)
        by_method = dict(
            connection.execute(
                "SELECT link_method, count(*) FROM work.identity.mention_links GROUP BY 1 ORDER BY 1"
            ).fetchall()
        )
        clock.done()
        return ResolveResult(
            mentions=total,
            nodes=_count(connection, "nodes"),
            pairs=pairs,
            citizens=_count(connection, "work.identity.citizens"),
            by_method=by_method,
            review_pairs=_count(connection, "work.identity.review_pairs"),
            ids=ids,
            decisions=_decision_counts(connection),
            parameters=used.source,
            seconds=clock.seconds,
        )
    finally:
        connection.close()


def prepare(connection: duckdb.DuckDBPyConnection) -> None:
    """From table ``mentions`` to comparable ``nodes``: sounds, owners of numbers, collapse, profiles."""
    decisions.without_decisions(connection)
    han.create_macros(connection)
    create_sounds(connection)
    claims.create_claims(connection)
    comparisons.create_macros(connection)
    claims.disown_numbers_of_kin(connection)
    create_nodes(connection)
    score.create_comparable_nodes(connection)


class _Clock:
    """Seconds of every step, and progress reports."""

    def __init__(self, progress: Progress | None) -> None:
        self.progress = progress
        self.seconds: dict[str, float] = {}
        self.started = time.monotonic()

    def done(self) -> None:
        step = STEPS[len(self.seconds)]
        now = time.monotonic()
        self.seconds[step] = round(now - self.started, 3)
        self.started = now
        if self.progress is not None:
            self.progress(len(self.seconds), len(STEPS), step)


def _decision_counts(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    row = connection.execute(
        "SELECT count(*) FILTER (trouble IS NULL), count(*) FILTER (trouble IS NOT NULL) FROM decision_reports"
    ).fetchone()
    applied, reopened = row or (0, 0)
    return {"in_force": int(applied), "reopened": int(reopened)}


def _count(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    row = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    return int(row[0]) if row else 0


def is_linkable() -> str:
    """SQL over ``scored_pairs``: the rules that no weight can outvote.

    A name alone is nobody, however rare: one more thing must agree, and a district only suffices a rare name. A name
    with a character missing needs a thing of the very person (birth date, document, account, number nearly the same) or
    a phone that one family has; one with a changed character may be a twin's and needs what twins do not share; a
    polite form needs such a phone.
    """
    rules = (
        (comparisons.NAME_SAME, comparisons.OWN_SUPPORT + comparisons.NEAR_SUPPORT + comparisons.LOOSE_SUPPORT),
        (comparisons.RARE_NAME, comparisons.RARE_NAME_SUPPORT),
        (comparisons.NAME_SHORTENED, comparisons.SHORTENED_NAME_SUPPORT),
        (comparisons.NAME_CHANGED, comparisons.CHANGED_NAME_SUPPORT),
        (("polite_form",), (comparisons.POLITE_SUPPORT,)),
    )
    return f"({' OR '.join(f'(gamma_name IN ({_numbers(names)}) AND ({_any(levels)}))' for names, levels in rules)})"


def weight_needed() -> str:
    """SQL over ``scored_pairs``: the match weight that makes the pair a link, by how closely the rest agrees."""
    close = _any(comparisons.OWN_SUPPORT + comparisons.NEAR_SUPPORT)
    return f"CASE WHEN {close} THEN {thresholds.LINK_WEIGHT} ELSE {thresholds.LOOSE_LINK_WEIGHT} END"


def _any(levels: tuple[tuple[str, str], ...]) -> str:
    return " OR ".join(_reaches(*level) for level in levels)


def _numbers(names: tuple[str, ...]) -> str:
    return ", ".join(str(level_number("name", level)) for level in names)


def _reaches(comparison: str, level: str) -> str:
    return f"gamma_{comparison} >= {level_number(comparison, level)}"


def _cluster(connection: duckdb.DuckDBPyConnection) -> Partition:
    connection.execute(
        f"""
        CREATE OR REPLACE TABLE edges AS
        SELECT s.left_node, s.right_node, s.match_weight, l.is_founder AS left_founds, r.is_founder AS right_founds
        FROM scored_pairs AS s JOIN nodes AS l ON l.node = left_node JOIN nodes AS r ON r.node = right_node
        WHERE {is_linkable()} AND s.match_weight >= {weight_needed()}
        """
    )
    constraints = read_constraints(connection)
    strong = connection.execute(
        "SELECT match_weight, left_node, right_node FROM edges WHERE left_founds AND right_founds"
    ).fetchall()
    weak = connection.execute(
        """
        SELECT match_weight, CASE WHEN left_founds THEN right_node ELSE left_node END,
               CASE WHEN left_founds THEN left_node ELSE right_node END
        FROM edges WHERE left_founds <> right_founds
        """
    ).fetchall()
    partition = attach_weak(weak, join_founders(strong, constraints), constraints)
    decisions.report_contradictions(connection, partition.contradicted)
    moved = list(partition.root)
    joined = partition.joined
    connection.register(
        "moves",
        pa.table(
            {
                "node": pa.array(moved, pa.int64()),
                "cluster": pa.array([partition.find(node) for node in moved], pa.int64()),
            }
        ),
    )
    connection.register(
        "joins",
        pa.table(
            {
                "node": pa.array(list(joined), pa.int64()),
                "match_weight": pa.array(
                    [thresholds.DECISION_WEIGHT if edge[0] == DECIDED else edge[0] for edge in joined.values()],
                    pa.float64(),
                ),
                "is_decided": pa.array([edge[0] == DECIDED for edge in joined.values()], pa.bool_()),
                "left_node": pa.array([edge[1] for edge in joined.values()], pa.int64()),
                "right_node": pa.array([edge[2] for edge in joined.values()], pa.int64()),
            }
        ),
    )
    connection.execute(
        """
        CREATE OR REPLACE TABLE node_clusters AS
        WITH placed AS (
            SELECT nodes.node, nodes.kind, nodes.number, nodes.is_founder,
                   coalesce(moves.cluster, CASE WHEN nodes.is_founder THEN nodes.node END) AS cluster,
                   joins.match_weight, coalesce(joins.is_decided, false) AS is_decided
            FROM nodes LEFT JOIN moves USING (node) LEFT JOIN joins USING (node)
        )
        -- Weak mentions that a person put together found nobody either.
        SELECT * REPLACE (CASE WHEN cluster IN (SELECT cluster FROM placed WHERE is_founder) THEN cluster END
                          AS cluster)
        FROM placed;
        CREATE OR REPLACE TABLE decided_mentions AS
        SELECT DISTINCT o.mention
        FROM decisions AS d JOIN node_of AS o ON o.mention IN (d.mention_l, d.mention_r)
        JOIN node_clusters AS c ON c.node = o.node
        JOIN node_of AS p ON p.mention = CASE WHEN o.mention = d.mention_l THEN d.mention_r ELSE d.mention_l END
        JOIN node_clusters AS e ON e.node = p.node AND e.cluster = c.cluster
        WHERE d.verdict = 'link'
        UNION
        SELECT o.mention FROM node_of AS o JOIN node_clusters AS c USING (node)
        WHERE c.is_decided AND o.kind <> 'anchor';
        CREATE OR REPLACE TABLE cluster_numbers AS
        SELECT cluster, min(number) AS number FROM node_clusters WHERE cluster IS NOT NULL GROUP BY cluster;
        CREATE OR REPLACE TABLE clustered AS
        SELECT o.mention, c.cluster,
               o.mention IN (SELECT mention FROM decided_mentions)
                   OR o.kind = 'anchor' AND NOT coalesce(o.reason, '') IN ('id+no_name') AS is_certain
        FROM node_of AS o JOIN node_clusters AS c USING (node) WHERE c.cluster IS NOT NULL
        """
    )
    connection.unregister("moves")
    connection.unregister("joins")
    return partition


def _write(connection: duckdb.DuckDBPyConnection, partition: Partition) -> None:
    """Write schema ``identity`` of the work file in one transaction."""
    weights = " ".join(f"WHEN '{reason}' THEN {weight}" for reason, weight in thresholds.NUMBER_WEIGHTS.items())
    confidence = " ".join(f"WHEN '{reason}' THEN {value}" for reason, value in thresholds.NUMBER_CONFIDENCE.items())
    connection.register(
        "put_off",
        pa.table(
            {
                "match_weight": pa.array([row[0] for row in partition.review], pa.float64()),
                "left_node": pa.array([row[1] for row in partition.review], pa.int64()),
                "right_node": pa.array([row[2] for row in partition.review], pa.int64()),
                "reason": pa.array([row[3] for row in partition.review], pa.string()),
            }
        ),
    )
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE links AS
        WITH sizes AS (SELECT cluster, count(*) AS mentions FROM clustered GROUP BY cluster)
        SELECT
            m.mention, m.mention_key, i.cluster, i.citizen_id,
            CASE
                WHEN i.citizen_id IS NULL THEN 'unresolved'
                WHEN d.mention IS NOT NULL THEN 'decision'
                WHEN z.mentions = 1 THEN 'single'
                WHEN o.kind = 'anchor' THEN 'identity_number'
                WHEN c.match_weight IS NOT NULL THEN 'probabilistic'
                WHEN c.kind IN ('document', 'conflict') THEN 'identity_number'
                ELSE 'probabilistic'
            END AS link_method,
            CASE
                WHEN d.mention IS NOT NULL THEN {thresholds.DECISION_WEIGHT}
                WHEN o.kind = 'anchor' THEN CASE o.reason {weights} END
                -- Whoever founds a cluster that others join has no weight of its own: what was found identical speaks.
                WHEN i.citizen_id IS NOT NULL AND z.mentions > 1 THEN
                    coalesce(c.match_weight, {thresholds.IDENTICAL_MENTIONS_WEIGHT})
                ELSE c.match_weight
            END AS match_weight,
            coalesce(i.citizen_id IS NOT NULL AND k.is_certain, false) AS is_certain,
            CASE
                WHEN m.name IS NULL AND o.mention IS NULL THEN 'no person is named'
                WHEN d.mention IS NOT NULL THEN 'decision of a person'
                WHEN o.kind = 'anchor' THEN o.reason
                WHEN i.citizen_id IS NULL AND m.is_withdrawn THEN 'a withdrawn record founds nobody'
                WHEN i.citizen_id IS NULL THEN 'too little to tell who this is'
                WHEN c.match_weight IS NOT NULL THEN concat_ws('; ', o.reason, 'evidence of name and circumstances')
                WHEN c.kind = 'document' THEN 'document'
                WHEN o.reason IS NULL AND m.birth_day IS NULL THEN 'name and records of one household or account'
                ELSE coalesce(o.reason, 'full name and birth date')
            END AS reason,
            CASE
                WHEN d.mention IS NOT NULL THEN {thresholds.DECISION_CONFIDENCE}
                WHEN o.kind = 'anchor' THEN CASE o.reason {confidence} END
                WHEN c.match_weight IS NOT NULL THEN
                    least({thresholds.PROBABILISTIC_CONFIDENCE_CAP}, 1 / (1 + pow(2, -c.match_weight)))
                ELSE {thresholds.SINGLE_CONFIDENCE}
            END AS confidence
        FROM mentions AS m
        LEFT JOIN node_of AS o USING (mention)
        LEFT JOIN node_clusters AS c USING (node)
        LEFT JOIN clustered AS k ON k.mention = m.mention
        LEFT JOIN cluster_ids AS i ON i.cluster = c.cluster
        LEFT JOIN sizes AS z ON z.cluster = c.cluster
        LEFT JOIN decided_mentions AS d ON d.mention = m.mention
        """
    )
    columns = ", ".join(f"gamma_{c.name}, weight_{c.name}" for c in comparisons.COMPARISONS)
    connection.execute(
        f"""
        BEGIN;
        CREATE SCHEMA IF NOT EXISTS work.identity;
        CREATE OR REPLACE TABLE work.identity.mention_links AS
        SELECT mention_key, citizen_id, link_method, match_weight, is_certain, reason FROM links ORDER BY mention;
        CREATE OR REPLACE TABLE work.identity.citizens AS
        -- A mean of decimals: one of floating points depends on the order in which threads add.
        SELECT any_value(i.citizen_id) AS citizen_id,
               round(avg(l.confidence::DECIMAL(12, 9)), 4) AS identity_confidence,
               any_value(n.number) AS id_no, any_value(i.first_run_id) AS first_run_id
        FROM cluster_ids AS i JOIN cluster_numbers AS n USING (cluster) JOIN links AS l USING (cluster)
        GROUP BY cluster ORDER BY citizen_id;
        CREATE OR REPLACE TABLE work.identity.redirects AS SELECT * FROM redirects ORDER BY old_citizen_id;
        CREATE OR REPLACE TABLE work.identity.review_pairs AS
        WITH undecided AS (
            SELECT left_node, right_node, match_weight, 'the evidence does not suffice' AS reason
            FROM scored_pairs AS s
            WHERE match_weight >= {thresholds.REVIEW_WEIGHT}
              AND NOT EXISTS (SELECT 1 FROM edges AS e WHERE e.left_node = s.left_node AND e.right_node = s.right_node)
              AND NOT EXISTS (SELECT 1 FROM cannot_links AS a
                              WHERE a.left_node = s.left_node AND a.right_node = s.right_node)
            UNION ALL
            SELECT least(left_node, right_node), greatest(left_node, right_node), match_weight, reason FROM put_off
        )
        SELECT l.mention_key AS mention_key_l, r.mention_key AS mention_key_r, u.match_weight, min(u.reason) AS reason
        FROM undecided AS u
        JOIN nodes AS ln ON ln.node = u.left_node JOIN mentions AS l ON l.mention = ln.first_mention
        JOIN nodes AS rn ON rn.node = u.right_node JOIN mentions AS r ON r.mention = rn.first_mention
        JOIN node_clusters AS lc ON lc.node = u.left_node JOIN node_clusters AS rc ON rc.node = u.right_node
        WHERE lc.cluster IS DISTINCT FROM rc.cluster OR lc.cluster IS NULL
        GROUP BY ALL ORDER BY u.match_weight DESC, 1, 2;
        CREATE OR REPLACE TABLE work.identity.decision_reports AS
        SELECT decision_id, mention_key_l, mention_key_r, verdict, trouble FROM decision_reports ORDER BY sequence;
        CREATE OR REPLACE TABLE work.identity.scored_pairs AS
        SELECT l.mention_key AS mention_key_l, r.mention_key AS mention_key_r, s.match_weight, p.rules, {columns}
        FROM scored_pairs AS s JOIN pairs AS p USING (left_node, right_node)
        JOIN nodes AS ln ON ln.node = s.left_node JOIN mentions AS l ON l.mention = ln.first_mention
        JOIN nodes AS rn ON rn.node = s.right_node JOIN mentions AS r ON r.mention = rn.first_mention;
        COMMIT;
        """
    )
    connection.unregister("put_off")
