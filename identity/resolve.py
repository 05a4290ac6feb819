"""The room's door: who is who among the mentions of a run, why, and under which citizen id."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from identity import blocking, changes, claims, clustering, comparisons, decisions, delta, han, kept, links, score
from identity.alone import alone
from identity.citizen_id import assign_ids, create_prints, ledger_token, new_token, open_ledger
from identity.constraints import create_cannot_links
from identity.kept import keep_changes
from identity.lives import create_lives
from identity.mention import MENTIONS, delivered_rows, read_mentions
from identity.model import Parameters
from identity.nodes import create_nodes
from identity.sound import create_sounds
from warehouse.duck import SPOILT, connect
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

    ``changed`` is the number of mentions that came, went or say something else; None when all was worked out anew.
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
    changed: int | None = None
    seconds: dict[str, float] = field(default_factory=dict)


def resolve(
    work_file: Path,
    home: Home,
    run_id: str,
    progress: Progress | None = None,
    parameters: Parameters | None = None,
    *,
    anew: bool = False,
) -> ResolveResult:
    """Link the mentions of ``work_file`` and write its schema ``identity``; ids come from the home's ledger.

    What the last run kept is used when it stands (``identity.kept``), can be read and not too much has changed; the
    result is the same. ``anew`` works everything out. ``progress`` is told (steps done, steps, step). ``parameters``
    default to the newest trained artefact. Raises ``MentionsUnusable``, ``ModelUnusable`` or ``LedgerUnusable``, each
    with one sentence that says what to mend.
    """
    used = parameters or Parameters.latest()
    with alone(home.private_folder(home.identity)):
        try:
            return _resolve(work_file, home, run_id, used, _Clock(progress), anew=anew)
        except duckdb.IOException as error:
            # A block that the disk spoilt is found when it is read. Of what was kept, nothing is the only copy; where
            # it is another file's, working all out anew meets it again.
            if anew or SPOILT not in str(error):
                raise
            return _resolve(work_file, home, run_id, used, _Clock(progress), anew=True)


def _resolve(work_file: Path, home: Home, run_id: str, used: Parameters, clock: _Clock, *, anew: bool) -> ResolveResult:
    connection = connect(temp_folder=home.identity / "spill")
    try:
        connection.execute(f"ATTACH '{str(work_file).replace(chr(39), chr(39) * 2)}' AS work")
        kept.write_fast(connection)
        delivered_rows(connection, "work")
        decisions.load_decisions(connection, home.identity, f"work.intermediate.{MENTIONS}")
        run = _Run(connection, home.identity, run_id, used, clock)
        with open_ledger(connection, home.identity):
            token = ledger_token(connection)
        standing = kept.Standing.of(used, token)
        result = None
        if not anew:
            with kept.open_kept(connection, home.identity, standing) as stands:
                result = run.of_changes(standing) if stands else None
        if result is None:
            with kept.keep_anew(connection, home.identity):
                result = run.anew(standing)
        return result
    finally:
        connection.close()


@dataclass
class _Run:
    """One run: its connection with the work file attached, and what it needs at every step."""

    connection: duckdb.DuckDBPyConnection
    folder: Path
    run_id: str
    parameters: Parameters
    clock: _Clock
    token: str = field(default_factory=new_token)
    total: int = 0

    def anew(self, standing: kept.Standing) -> ResolveResult:
        """Work everything out, and keep it."""
        connection = self.connection
        # The engine puts tables in memory in order, too, at every so many bytes; these do not live long enough for it.
        connection.execute("SET checkpoint_threshold = '1TB'")
        self.total = read_mentions(connection, "work")
        self.clock.done()
        prepare(connection, "kept.node")
        _let_go(connection, *_USED_ONCE)
        self.clock.done()
        with kept.uncompressed(connection):
            blocking.create_pairs(connection, "kept.block")
        _let_go(connection, "blocks_asked", "proposed")
        create_cannot_links(connection)
        create_lives(connection, "work")
        self.clock.done()
        score.score_pairs(connection, self.parameters, f"({kept.kept_nodes(score.PAIRED)})")
        self.clock.done()
        clustering.create_edges(connection)
        partition = clustering.cluster_nodes(connection)
        self.clock.done()
        with open_ledger(connection, self.folder):
            create_prints(connection)
            ids = assign_ids(connection, self.run_id, self.token)
        self.clock.done()
        connection.execute(f"CREATE OR REPLACE TEMP TABLE open_pairs AS {links.without_joined('scored_pairs')}")
        connection.execute(f"CREATE TABLE kept.link AS {links.link_rows()}")
        links.create_citizens(connection, "kept.link", "kept.citizen")
        links.create_review(connection, partition)
        kept.keep_all(connection, standing, self.token)
        kept.publish(connection, self.token)
        self.clock.done()
        return self._result(ids, None)

    def of_changes(self, standing: kept.Standing) -> ResolveResult | None:
        """Link what changed against what was kept; None when so much changed that all is better worked out anew."""
        connection = self.connection
        changed, self.total = changes.find_changes(connection, "work")
        if changed > max(changes.FEW, changes.MAX_SHARE * self.total):
            return None
        self.clock.done()
        changes.derive_members(connection)
        changes.place_members(connection)
        changes.find_changed_company(connection)
        delta.derive_nodes(connection)
        self.clock.done()
        delta.propose_pairs(connection)
        self.clock.done()
        delta.score_changed(connection, self.parameters)
        self.clock.done()
        delta.find_affected(connection)
        with open_ledger(connection, self.folder):
            delta.find_contested(connection)
        partition = delta.cluster_affected(connection)
        self.clock.done()
        delta.relink(connection)
        with open_ledger(connection, self.folder):
            delta.create_relinked_prints(connection)
            ids = assign_ids(connection, self.run_id, self.token, "in_scope")
        self.clock.done()
        delta.bring_neighbours(connection)
        connection.execute(f"CREATE OR REPLACE TEMP TABLE links AS {links.link_rows(links.RELINKED)}")
        links.create_citizens(connection, "links")
        links.create_review(connection, partition)
        keep_changes(connection, self.token)
        if kept.is_published(connection, standing.token):
            kept.publish_changes(connection, self.token)
        else:
            kept.publish(connection, self.token)
        self.clock.done()
        return self._result(ids, changed)

    def _result(self, ids: dict[str, int], changed: int | None) -> ResolveResult:
        connection = self.connection
        citizens = _count(connection, "kept.citizen")
        methods = connection.execute("SELECT link_method, count(*) FROM kept.link GROUP BY 1").fetchall()
        return ResolveResult(
            mentions=self.total,
            nodes=_count(connection, "kept.node"),
            pairs=_count(connection, "kept.scored"),
            citizens=citizens,
            by_method=dict(sorted(methods)),
            review_pairs=_count(connection, "kept.review"),
            ids={"minted": ids["minted"], "kept": citizens - ids["minted"], **ids},
            decisions=_decision_counts(connection),
            parameters=self.parameters.source,
            changed=changed,
            seconds=self.clock.seconds,
        )


# What a full run makes on the way to its nodes: gigabytes that nothing reads any more.
_USED_ONCE = (
    "names_said", "name_claims", "number_owners", "doubtful", "owner_beside", "owner_companions",
    "said_often", "uneven", "sizes", "placed_names", "company", "kin_lists", "name_counts",
    "node_common_phones", "node_common_addresses",
)  # fmt: skip


def _let_go(connection: duckdb.DuckDBPyConnection, *tables: str) -> None:
    connection.execute("; ".join(f"DROP TABLE {table}" for table in tables))


def prepare(connection: duckdb.DuckDBPyConnection, table: str = "node_rows") -> None:
    """From table ``mentions`` to comparable ``nodes`` over ``table``: sounds, owners of numbers, collapse, profiles."""
    decisions.without_decisions(connection)
    han.create_macros(connection)
    create_sounds(connection, meanwhile=lambda: claims.find_weighed(connection))
    claims.create_claims(connection)
    comparisons.create_macros(connection)
    claims.disown_numbers_of_kin(connection)
    create_nodes(connection)
    score.create_comparable_nodes(connection, table)


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
