"""What a run keeps for the next one: mentions, nodes, blocks, pairs, clusters and links, in a database under the home.

A day's run derives again only what its changed mentions can change, and takes the rest from here. Nothing here is the
only copy of anything: when the engine, the rules, the parameters or the ledger are not those that it was kept under,
the run works everything out anew and keeps that.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import duckdb

from identity import blocking, claims, comparisons, nodes, score
from identity.model import Parameters
from identity.words import enum
from warehouse import digest

KEPT_FILE = "kept.duckdb"

# What takes few values is kept in a byte: the engine reads whole blocks, and half of what it read were such words.
_KIND, _REASON = enum(nodes.KINDS), enum(claims.REASONS)
# One row per mention: what tells whether it changed, whom it stands beside, and where it was put.
MENTION_ROWS = f"""
    SELECT mention, m.row_hash, m.anchor AS number, m.record, m.household, m.file, m.name, m.is_withdrawn,
           m.birth_day IS NOT NULL AS is_dated,
           coalesce(j.reason, CASE WHEN m.anchor IS NOT NULL THEN 'id' END)::{_REASON} AS claim,
           m.said_kind::{_KIND} AS kind, m.kind::{_KIND} AS node_kind, m.reason::{_REASON} AS reason, m.node
    FROM mention_nodes AS m LEFT JOIN number_judgements AS j USING (mention)
"""
_MEASURES = ", ".join(f"gamma_{c.name}, weight_{c.name}" for c in comparisons.COMPARISONS)
SCORED_ROWS = f"""
    WITH keys AS MATERIALIZED (
        SELECT node, first_key FROM nodes
        SEMI JOIN (SELECT unnest([left_node, right_node]) AS node FROM scored_pairs) USING (node)
    )
    SELECT left_node, right_node, l.first_key AS mention_key_l, r.first_key AS mention_key_r, match_weight, rules,
           {_MEASURES}
    FROM scored_pairs JOIN pairs USING (left_node, right_node)
    JOIN keys AS l ON l.node = left_node JOIN keys AS r ON r.node = right_node
"""
_NODE_CLUSTER = "node, cluster, match_weight, is_decided"
DECIDED_ROWS = "SELECT DISTINCT unnest([mention_l, mention_r]) AS mention FROM decisions"


def kept_nodes(keys: str, among: str = "kept.node") -> str:
    """SQL: those of the kept nodes ``among`` that relation ``keys`` (node) names, with all that follows from a row."""
    return score.comparable_nodes(f"(SELECT * FROM {among} SEMI JOIN {keys} USING (node))")


@dataclass(frozen=True)
class Standing:
    """What kept tables rest on: the engine, what reads names and what scores, the rules in this room's code, the
    parameters, and the ledger's mark.
    """

    fingerprint: str
    token: str | None

    @classmethod
    def of(cls, parameters: Parameters, token: str | None) -> Standing:
        """Today's, with the mark that the last run left in the ledger."""
        versions = [version(package) for package in ("duckdb", "pypinyin", "splink")]
        told = hashlib.sha256(f"{versions}\n{parameters!r}\n".encode())
        for file in [*sorted(Path(__file__).parent.glob("*.py")), Path(digest.__file__)]:
            told.update(file.read_bytes())
        return cls(told.hexdigest(), token)


@contextlib.contextmanager
def open_kept(connection: duckdb.DuckDBPyConnection, folder: Path, standing: Standing) -> Iterator[bool]:
    """Attach what was kept as ``kept`` and say whether it stands; nothing is attached if not.

    A file that cannot be read is what a broken machine leaves, or another version of the engine: it does not stand.
    After an error the connection is of no use any more, and nothing is detached.
    """
    file, stands = folder / KEPT_FILE, False
    if file.exists():
        try:
            connection.execute(f"ATTACH '{_quoted(file)}' AS kept")
            found = connection.execute("SELECT fingerprint, token FROM kept.standing").fetchall()
            stands = found == [(standing.fingerprint, standing.token)]
        except duckdb.Error:
            stands = False
    yield stands
    connection.execute("DETACH DATABASE IF EXISTS kept")


@contextlib.contextmanager
def keep_anew(connection: duckdb.DuckDBPyConnection, folder: Path) -> Iterator[None]:
    """Attach an empty ``kept``; it takes the place of what was kept before when the block ends well."""
    file, fresh = folder / KEPT_FILE, folder / f"{KEPT_FILE}.new"
    fresh.unlink(missing_ok=True)
    Path(f"{fresh}.wal").unlink(missing_ok=True)
    connection.execute(f"ATTACH '{_quoted(fresh)}' AS kept")
    yield
    connection.execute("DETACH kept")
    Path(f"{file}.wal").unlink(missing_ok=True)
    os.replace(fresh, file)


def _quoted(file: Path) -> str:
    return str(file).replace("'", "''")


def keep_all(connection: duckdb.DuckDBPyConnection, standing: Standing, token: str) -> None:
    """Keep of a whole run what was not kept when it was made. Needs its tables and ``review``."""
    connection.execute(
        f"""
        BEGIN;
        CREATE TABLE kept.mention AS {MENTION_ROWS};
        CREATE TABLE kept.scored AS {SCORED_ROWS};
        CREATE TABLE kept.edge AS FROM edges;
        CREATE TABLE kept.node_cluster AS SELECT {_NODE_CLUSTER} FROM node_clusters;
        CREATE TABLE kept.review AS FROM review;
        CREATE TABLE kept.life AS FROM lives;
        CREATE TABLE kept.sound AS FROM sounds;
        CREATE TABLE kept.decided AS {DECIDED_ROWS};
        CREATE TABLE kept.standing AS SELECT '{standing.fingerprint}' AS fingerprint, '{token}' AS token;
        COMMIT
        """
    )


def keep_changes(connection: duckdb.DuckDBPyConnection, token: str) -> None:
    """Bring what is kept up to this run, in one transaction.

    Creates ``citizens_before`` and ``scored_before``: the keys of the published rows to replace.
    """
    affected = "(SELECT node FROM affected)"
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE citizens_before AS SELECT citizen_id FROM kept.citizen WHERE cluster IN {affected};
        CREATE OR REPLACE TEMP TABLE scored_before AS
        SELECT mention_key_l, mention_key_r FROM kept.scored
        WHERE left_node IN (FROM repaired) OR right_node IN (FROM repaired);
        BEGIN;
        DELETE FROM kept.mention WHERE mention IN (FROM mentions_replaced);
        INSERT INTO kept.mention BY NAME FROM placed;
        DELETE FROM kept.node WHERE node IN (FROM derived);
        INSERT INTO kept.node BY NAME SELECT {", ".join(score.NODE_COLUMNS)} FROM nodes SEMI JOIN derived USING (node);
        DELETE FROM kept.block WHERE node IN (FROM dirty);
        INSERT INTO kept.block BY NAME FROM blocks_new;
        DELETE FROM kept.scored WHERE left_node IN (FROM repaired) OR right_node IN (FROM repaired);
        INSERT INTO kept.scored BY NAME FROM scored_new;
        DELETE FROM kept.edge WHERE left_node IN (FROM repaired) OR right_node IN (FROM repaired);
        INSERT INTO kept.edge BY NAME FROM edges_new;
        DELETE FROM kept.node_cluster WHERE node IN {affected};
        INSERT INTO kept.node_cluster BY NAME SELECT {_NODE_CLUSTER} FROM node_clusters WHERE node IN {affected};
        DELETE FROM kept.link WHERE mention IN (FROM in_scope);
        INSERT INTO kept.link BY NAME FROM links;
        DELETE FROM kept.citizen WHERE cluster IN {affected};
        INSERT INTO kept.citizen BY NAME FROM citizens;
        DELETE FROM kept.review WHERE left_node IN {affected} OR right_node IN {affected};
        INSERT INTO kept.review BY NAME FROM review;
        CREATE OR REPLACE TABLE kept.life AS FROM lives_now;
        INSERT INTO kept.sound BY NAME FROM sounds_new;
        CREATE OR REPLACE TABLE kept.decided AS {DECIDED_ROWS};
        UPDATE kept.standing SET token = '{token}';
        COMMIT
        """
    )


def write_fast(connection: duckdb.DuckDBPyConnection) -> None:
    """From here on, compress no text: finding out how takes three times as long as writing it, for one day's use."""
    connection.execute("SET disabled_compression_methods = 'fsst,dict_fsst,zstd,dictionary'")


@contextlib.contextmanager
def uncompressed(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Compress nothing meanwhile: of digests, which look like chance, it gains nothing and takes half the writing."""
    connection.execute("SET force_compression = 'uncompressed'")
    yield
    connection.execute("SET force_compression = 'auto'")


_LINK = """mention_key, citizen_id, link_method::VARCHAR AS link_method, match_weight, is_certain,
    reason::VARCHAR AS reason"""
_CITIZEN = "citizen_id, identity_confidence, id_no, first_run_id"
_SCORED = f"mention_key_l, mention_key_r, match_weight, names AS rules, {_MEASURES}"


def publish(connection: duckdb.DuckDBPyConnection, token: str) -> None:
    """Write schema ``identity`` of the work file from what is kept, in one transaction."""
    connection.execute(
        f"""
        BEGIN;
        CREATE SCHEMA IF NOT EXISTS work.identity;
        CREATE OR REPLACE TABLE work.identity.mention_links AS
        SELECT {_LINK} FROM kept.link LEFT JOIN (SELECT cluster, citizen_id FROM kept.citizen) USING (cluster);
        CREATE OR REPLACE TABLE work.identity.citizens AS SELECT {_CITIZEN} FROM kept.citizen;
        CREATE OR REPLACE TABLE work.identity.scored_pairs AS
        SELECT {_SCORED} FROM kept.scored JOIN ({blocking.rule_lists("kept.scored")}) USING (rules);
        {_SMALL_TABLES.format(token=token)};
        COMMIT
        """
    )


def publish_changes(connection: duckdb.DuckDBPyConnection, token: str) -> None:
    """Bring schema ``identity`` of a work file that the last run wrote up to this one, in one transaction."""
    connection.execute(
        f"""
        BEGIN;
        DELETE FROM work.identity.mention_links WHERE mention_key IN (SELECT mention_key FROM links_before);
        INSERT INTO work.identity.mention_links BY NAME
        SELECT {_LINK} FROM links LEFT JOIN (SELECT cluster, citizen_id FROM citizens) USING (cluster);
        DELETE FROM work.identity.citizens WHERE citizen_id IN (FROM citizens_before);
        INSERT INTO work.identity.citizens BY NAME SELECT {_CITIZEN} FROM citizens;
        DELETE FROM work.identity.scored_pairs WHERE (mention_key_l, mention_key_r) IN (FROM scored_before);
        INSERT INTO work.identity.scored_pairs BY NAME
        SELECT {_SCORED} FROM scored_new JOIN ({blocking.rule_lists("scored_new")}) USING (rules);
        {_SMALL_TABLES.format(token=token)};
        COMMIT
        """
    )


def is_published(connection: duckdb.DuckDBPyConnection, token: str | None) -> bool:
    """Whether schema ``identity`` of the work file is what the run with this mark wrote."""
    try:
        return connection.execute("SELECT token FROM work.identity.mark").fetchall() == [(token,)]
    except duckdb.CatalogException:
        return False


_SMALL_TABLES = """
    CREATE OR REPLACE TABLE work.identity.redirects AS SELECT * FROM redirects ORDER BY old_citizen_id;
    CREATE OR REPLACE TABLE work.identity.review_pairs AS
    SELECT mention_key_l, mention_key_r, match_weight, reason FROM kept.review ORDER BY match_weight DESC, 1, 2;
    CREATE OR REPLACE TABLE work.identity.decision_reports AS
    SELECT decision_id, mention_key_l, mention_key_r, verdict, trouble FROM decision_reports ORDER BY sequence;
    -- Of nodes in no citizen, how many mentions are behind the one that names them.
    CREATE OR REPLACE TABLE work.identity.unresolved_nodes AS
    SELECT first_key AS mention_key, mention_count AS mentions
    FROM kept.node SEMI JOIN (SELECT node FROM kept.node_cluster WHERE cluster IS NULL) USING (node)
    WHERE mention_count > 1;
    CREATE OR REPLACE TABLE work.identity.mark AS SELECT '{token}' AS token
"""
