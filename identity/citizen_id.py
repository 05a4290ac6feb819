"""Citizen ids that survive runs: minted at random once, carried by the evidence that founded them, never used again.

The ledger is a small database under the home. It keeps, per mention, the id it has and the first id it ever had (its
origin), so that a wrong merge that is taken back gives both ids back. A mention whose name and number have both changed
is another mention under an old key: it carries nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

LEDGER_FILE = "ledger.duckdb"
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS {l}.secret (fingerprint_key VARCHAR);
CREATE TABLE IF NOT EXISTS {l}.citizen (
    citizen_id VARCHAR PRIMARY KEY, first_run_id VARCHAR, sequence BIGINT, is_active BOOLEAN, number_print VARCHAR);
CREATE TABLE IF NOT EXISTS {l}.member (
    mention_key VARCHAR PRIMARY KEY, citizen_id VARCHAR, origin_id VARCHAR, name_print VARCHAR, number_print VARCHAR);
CREATE TABLE IF NOT EXISTS {l}.redirect (
    old_citizen_id VARCHAR, citizen_id VARCHAR, reason VARCHAR, run_id VARCHAR, happened_at TIMESTAMPTZ,
    revoked_run_id VARCHAR);
CREATE TABLE IF NOT EXISTS {l}.state (token VARCHAR);
"""


class LedgerUnusable(RuntimeError):
    """The ledger of citizen ids cannot be opened or written; the message says why."""


def mint(count: int) -> pa.Array:
    """New opaque citizen ids: 80 random bits each, nothing of the person in them."""
    letters = np.frombuffer(_ALPHABET.encode(), np.uint8)[np.frombuffer(secrets.token_bytes(16 * count), np.uint8) & 31]
    ids = np.empty((count, 18), np.uint8)
    ids[:, :2] = np.frombuffer(b"c_", np.uint8)
    ids[:, 2:] = letters.reshape(count, 16)
    return pa.array(ids.view("S18").ravel().astype(str), pa.string())


@contextmanager
def open_ledger(connection: duckdb.DuckDBPyConnection, folder: Path) -> Iterator[None]:
    """Attach the ledger as ``ledger``, made when it is missing. Raises ``LedgerUnusable`` when it cannot be opened."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        connection.execute(f"ATTACH '{str(folder / LEDGER_FILE).replace(chr(39), chr(39) * 2)}' AS ledger")
    except duckdb.Error as error:
        kind = type(error).__name__
        raise LedgerUnusable(
            f"identity: the ledger of citizen ids cannot be opened ({kind}); end the other run that holds it."
        ) from error
    try:
        connection.execute(_SCHEMA.format(l="ledger"))
        if _count(connection, "SELECT count(*) FROM ledger.secret") == 0:
            connection.execute("INSERT INTO ledger.secret VALUES (?)", [secrets.token_hex(16)])
        yield
    finally:
        connection.execute("DETACH ledger")


def ledger_token(connection: duckdb.DuckDBPyConnection) -> str | None:
    """The mark that the last run left in the ledger, if any."""
    row = connection.execute("SELECT token FROM ledger.state").fetchone()
    return str(row[0]) if row else None


def new_token() -> str:
    """A mark by which the ledger and what a run keeps know that they are of the same run."""
    return secrets.token_hex(16)


def assign_ids(
    connection: duckdb.DuckDBPyConnection, run_id: str, token: str, scope: str | None = None
) -> dict[str, int]:
    """Give every cluster of ``clustered`` (mention, cluster, is_certain) its citizen id and write the ledger.

    ``scope`` is a relation of the mention keys that ``clustered`` speaks for, when it is not all there are: of others
    the ledger keeps what it has. Creates ``cluster_ids`` (cluster, citizen_id, first_run_id) and ``redirects``. Returns
    counts: minted, merged, split, revived. The ledger changes in one transaction, which also leaves ``token``.
    """
    connection.execute("BEGIN")
    try:
        create_candidates(connection)
        counts = _choose(connection, run_id, scope)
        connection.execute("DELETE FROM ledger.state")
        connection.execute("INSERT INTO ledger.state VALUES (?)", [token])
        connection.execute("COMMIT")
    except duckdb.Error:
        connection.execute("ROLLBACK")
        raise
    return counts


def create_candidates(connection: duckdb.DuckDBPyConnection) -> None:
    """Create ``candidates``: which ids each cluster of ``clustered`` has a claim to by the ledger, and how good."""
    connection.execute(
        """
        CREATE OR REPLACE TEMP TABLE kept_members AS
        SELECT c.mention, c.cluster, c.is_certain, m.mention_key,
               md5((SELECT fingerprint_key FROM ledger.secret) || coalesce(m.name, '')) AS name_print,
               md5((SELECT fingerprint_key FROM ledger.secret) || m.id_no) AS number_print
        FROM clustered AS c JOIN mentions AS m USING (mention);
        CREATE OR REPLACE TEMP TABLE remembered AS
        SELECT k.*, o.citizen_id, o.origin_id
        FROM kept_members AS k JOIN ledger.member AS o USING (mention_key)
        WHERE o.name_print = k.name_print OR o.number_print = k.number_print;
        CREATE OR REPLACE TEMP TABLE cluster_prints AS
        SELECT cluster, md5((SELECT fingerprint_key FROM ledger.secret) || number) AS number_print
        FROM cluster_numbers WHERE number IS NOT NULL;
        CREATE OR REPLACE TEMP TABLE candidates AS
        WITH evidence AS (
            SELECT cluster, origin_id AS citizen_id, is_certain::INT AS certain, 1 AS origin, 0 AS now
            FROM remembered
            UNION ALL
            SELECT cluster, citizen_id, 0, 0, 1 FROM remembered WHERE citizen_id IS NOT NULL
            UNION ALL
            SELECT p.cluster, c.citizen_id, 0, 0, 0
            FROM cluster_prints AS p JOIN ledger.citizen AS c USING (number_print)
        )
        SELECT cluster, citizen_id, sum(certain) AS certain, sum(origin) AS origin, sum(now) AS now,
               coalesce(any_value(p.number_print) = any_value(c.number_print), false) AS same_number,
               any_value(c.sequence) AS sequence
        FROM evidence JOIN ledger.citizen AS c USING (citizen_id) LEFT JOIN cluster_prints AS p USING (cluster)
        WHERE citizen_id IS NOT NULL
        GROUP BY cluster, citizen_id
        """
    )


def _choose(connection: duckdb.DuckDBPyConnection, run_id: str, scope: str | None) -> dict[str, int]:
    chosen = _settle_contested(connection)
    connection.register("settled", _pairs(list(chosen), list(chosen.values())))
    connection.execute(
        """
        CREATE OR REPLACE TEMP TABLE kept_ids AS
        SELECT cluster, citizen_id FROM candidates ANTI JOIN contested USING (cluster, citizen_id)
        UNION ALL SELECT cluster, citizen_id FROM settled
        """
    )
    connection.unregister("settled")
    fresh = connection.execute(
        "SELECT cluster FROM cluster_numbers ANTI JOIN kept_ids USING (cluster) ORDER BY cluster"
    ).to_arrow_table()["cluster"]
    connection.register("minted", pa.table({"cluster": fresh, "citizen_id": mint(len(fresh))}))
    connection.execute(
        """
        CREATE OR REPLACE TEMP TABLE cluster_choice AS
        SELECT cluster, citizen_id, false AS is_minted FROM kept_ids
        UNION ALL SELECT cluster, citizen_id, true FROM minted
        """
    )
    connection.unregister("minted")
    start = _count(connection, "SELECT coalesce(max(sequence), 0) FROM ledger.citizen")
    connection.execute(
        """
        INSERT INTO ledger.citizen
        SELECT citizen_id, ?, ? + row_number() OVER (ORDER BY cluster), true, number_print
        FROM cluster_choice LEFT JOIN cluster_prints USING (cluster) WHERE is_minted
        """,
        [run_id, start],
    )
    return _record(connection, run_id, scope, len(fresh))


def _settle_contested(connection: duckdb.DuckDBPyConnection) -> dict[int, str]:
    """Settle what is not one cluster and one id that know only each other (temp table ``contested``).

    Each takes the best that is still free, the best claims first: a matter of turns, so a loop.
    """
    connection.execute(
        """
        CREATE OR REPLACE TEMP TABLE contested AS
        SELECT * FROM candidates
        QUALIFY count(*) OVER (PARTITION BY cluster) > 1 OR count(*) OVER (PARTITION BY citizen_id) > 1
        """
    )
    rows = connection.execute(
        """
        SELECT cluster, citizen_id FROM contested
        ORDER BY same_number DESC, certain DESC, origin DESC, now DESC, sequence, citizen_id, cluster
        """
    ).fetchall()
    chosen: dict[int, str] = {}
    taken: set[str] = set()
    for cluster, citizen_id in rows:
        if cluster not in chosen and citizen_id not in taken:
            chosen[cluster] = citizen_id
            taken.add(citizen_id)
    return chosen


def _pairs(clusters: list[int], citizen_ids: list[str]) -> pa.Table:
    return pa.table({"cluster": pa.array(clusters, pa.int64()), "citizen_id": pa.array(citizen_ids, pa.string())})


def _insert_members(is_first: bool) -> str:
    """SQL: take the mentions that the ledger does not know into it.

    The first time the key is built over all of them at once, which takes half as long as growing it.
    """
    insert = "INSERT INTO ledger.member BY NAME SELECT * FROM member_now ANTI JOIN ledger.member USING (mention_key)"
    if not is_first:
        return insert
    return f"""
        CREATE OR REPLACE TABLE ledger.member AS FROM ledger.member LIMIT 0;
        {insert};
        ALTER TABLE ledger.member ADD PRIMARY KEY (mention_key)
    """


def _record(connection: duckdb.DuckDBPyConnection, run_id: str, scope: str | None, minted: int) -> dict[str, int]:
    is_first = _count(connection, "SELECT count(*) FROM ledger.member") == 0
    in_scope = "true" if scope is None else f"mention_key IN (SELECT mention_key FROM {scope})"
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE holders AS
        SELECT DISTINCT citizen_id FROM ledger.member WHERE citizen_id IS NOT NULL AND {in_scope};
        CREATE OR REPLACE TEMP TABLE retired AS
        WITH gone AS (
            SELECT citizen_id FROM ledger.citizen SEMI JOIN holders USING (citizen_id)
            WHERE is_active AND citizen_id NOT IN (SELECT citizen_id FROM cluster_choice)
        ),
        followed AS (
            SELECT gone.citizen_id AS old_citizen_id, c.citizen_id, count(*) AS members,
                   sum(r.is_certain::INT) AS certain
            FROM gone JOIN remembered AS r ON r.citizen_id = gone.citizen_id JOIN cluster_choice AS c USING (cluster)
            GROUP BY ALL
        )
        SELECT old_citizen_id, citizen_id, count(*) OVER (PARTITION BY old_citizen_id) AS targets
        FROM followed
        QUALIFY row_number() OVER (PARTITION BY old_citizen_id ORDER BY certain DESC, members DESC, citizen_id) = 1
        """
    )
    revived = _count(
        connection,
        "SELECT count(*) FROM cluster_choice JOIN ledger.citizen USING (citizen_id)"
        " WHERE NOT is_minted AND NOT is_active",
    )
    merged = _count(connection, "SELECT count(*) FROM retired WHERE targets = 1")
    split = _count(connection, "SELECT count(*) FROM retired WHERE targets > 1")
    connection.execute(
        """
        UPDATE ledger.redirect SET revoked_run_id = ?
        WHERE revoked_run_id IS NULL AND old_citizen_id IN (SELECT citizen_id FROM cluster_choice)
        """,
        [run_id],
    )
    connection.execute(
        """
        INSERT INTO ledger.redirect
        SELECT old_citizen_id, citizen_id, CASE WHEN targets = 1 THEN 'merge' ELSE 'split' END, ?, now(), NULL
        FROM retired
        """,
        [run_id],
    )
    # A redirect leads to a living id: what pointed to an id that is now retired follows it.
    connection.execute(
        """
        UPDATE ledger.redirect SET citizen_id = retired.citizen_id FROM retired
        WHERE ledger.redirect.citizen_id = retired.old_citizen_id AND ledger.redirect.revoked_run_id IS NULL
          AND ledger.redirect.old_citizen_id <> retired.citizen_id
        """
    )
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE citizen_now AS
        SELECT l.citizen_id, l.first_run_id, l.sequence, c.citizen_id IS NOT NULL AS is_active,
               CASE WHEN c.citizen_id IS NULL THEN l.number_print ELSE p.number_print END AS number_print
        FROM ledger.citizen AS l LEFT JOIN cluster_choice AS c USING (citizen_id)
        LEFT JOIN cluster_prints AS p USING (cluster)
        WHERE c.citizen_id IS NOT NULL OR l.citizen_id IN (SELECT citizen_id FROM holders);
        CREATE OR REPLACE TEMP TABLE member_now AS
        SELECT k.mention_key, c.citizen_id, coalesce(r.origin_id, c.citizen_id) AS origin_id,
               k.name_print, k.number_print
        FROM kept_members AS k LEFT JOIN cluster_choice AS c USING (cluster)
        LEFT JOIN remembered AS r USING (mention_key)
        WHERE c.citizen_id IS NOT NULL;
        UPDATE ledger.citizen AS o SET is_active = n.is_active, number_print = n.number_print FROM citizen_now AS n
        WHERE n.citizen_id = o.citizen_id
          AND (n.is_active, n.number_print) IS DISTINCT FROM (o.is_active, o.number_print);
        UPDATE ledger.member AS o SET
            citizen_id = n.citizen_id, origin_id = n.origin_id, name_print = n.name_print, number_print = n.number_print
        FROM member_now AS n
        WHERE n.mention_key = o.mention_key
          AND (n.citizen_id, n.origin_id, n.name_print, n.number_print)
              IS DISTINCT FROM (o.citizen_id, o.origin_id, o.name_print, o.number_print);
        {_insert_members(is_first)};
        UPDATE ledger.member SET citizen_id = NULL
        WHERE citizen_id IS NOT NULL AND {in_scope} AND mention_key NOT IN (SELECT mention_key FROM member_now);
        CREATE OR REPLACE TEMP TABLE cluster_ids AS
        SELECT c.cluster, c.citizen_id, l.first_run_id
        FROM cluster_choice AS c JOIN ledger.citizen AS l USING (citizen_id);
        CREATE OR REPLACE TEMP TABLE redirects AS
        SELECT old_citizen_id, citizen_id, reason, run_id, happened_at FROM ledger.redirect WHERE revoked_run_id IS NULL
        """
    )
    return {"minted": minted, "merged": merged, "split": split, "revived": revived}


def _count(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    row = connection.execute(query).fetchone()
    return int(row[0]) if row else 0
