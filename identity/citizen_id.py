"""Citizen ids that survive runs: minted at random once, carried by the evidence that founded them, never used again.

The ledger is a small database under the home. It keeps, per mention, the id it has and the first id it ever had (its
origin), so that a wrong merge that is taken back gives both ids back. A mention whose name and number have both changed
is another mention under an old key: it carries nothing.

Inside the room a citizen is the number under which the ledger took its id down (its sequence), a mention is the number
made of its key: an eighth of the bytes of both texts.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from identity.content_id import content_id
from warehouse.begun import begin_database
from warehouse.digest import text_digest
from warehouse.duck import HELD_BY_ANOTHER, SPOILT, take_rows
from warehouse.lock import Held

LEDGER_FILE = "ledger.duckdb"
# What the engine says of a file that is no database, or not a whole one.
DAMAGED = ("not a valid DuckDB database file", "Could not read enough bytes", SPOILT)
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_ID_LENGTH = 18
_SCHEMA = """
CREATE TABLE IF NOT EXISTS {l}.secret (fingerprint_key VARCHAR);
CREATE TABLE IF NOT EXISTS {l}.citizen (
    citizen_id VARCHAR, first_run_id VARCHAR, sequence BIGINT, is_active BOOLEAN, number_print BIGINT);
CREATE TABLE IF NOT EXISTS {l}.member (
    mention BIGINT, citizen BIGINT, origin BIGINT, name_print BIGINT, number_print BIGINT);
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
    ids = np.empty((count, _ID_LENGTH), np.uint8)
    ids[:, :2] = np.frombuffer(b"c_", np.uint8)
    ids[:, 2:] = letters.reshape(count, _ID_LENGTH - 2)
    ends = np.arange(0, _ID_LENGTH * (count + 1), _ID_LENGTH, dtype=np.int64)
    return pa.LargeStringArray.from_buffers(count, pa.py_buffer(ends), pa.py_buffer(ids))


def print_of(text: str) -> str:
    """SQL: the keyed fingerprint of a text, by the ledger's own key; needs ``open_ledger`` to have been there."""
    return content_id(f"(SELECT fingerprint_key FROM ledger_secret) || {text}")


@contextmanager
def open_ledger(connection: duckdb.DuckDBPyConnection, folder: Path) -> Iterator[None]:
    """Attach the ledger as ``ledger``, made when it is missing. Raises ``LedgerUnusable`` when it cannot be opened."""
    attach_ledger(connection, folder, "ledger")
    try:
        connection.execute(_SCHEMA.format(l="ledger"))
        if _count(connection, "SELECT count(*) FROM ledger.secret") == 0:
            connection.execute("INSERT INTO ledger.secret VALUES (?)", [secrets.token_hex(16)])
        connection.execute("CREATE OR REPLACE TEMP TABLE ledger_secret AS FROM ledger.secret")
        if any(row[0] == "mention_key" for row in connection.execute("DESCRIBE ledger.member").fetchall()):
            _number_what_was_text(connection)
        yield
    finally:
        connection.execute("DETACH ledger")


def attach_ledger(connection: duckdb.DuckDBPyConnection, folder: Path, name: str) -> None:
    """Attach the ledger as ``name``, made, without its tables, when it is missing. Raises ``LedgerUnusable``."""
    file = folder / LEDGER_FILE
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        begin_database(connection, file)
    except FileExistsError:
        raise LedgerUnusable(
            f"identity: the ledger of citizen ids is gone and its log identity/{LEDGER_FILE}.wal is there; restore both"
            " from a backup: they are the only copy of the ids."
        ) from None
    except (OSError, Held, duckdb.Error) as error:
        raise LedgerUnusable(
            f"identity: the ledger of citizen ids cannot be made ({type(error).__name__}); check that its folder"
            " identity/ can be written to and has room, and that no other process makes it."
        ) from None
    try:
        connection.execute(f"ATTACH '{str(file).replace(chr(39), chr(39) * 2)}' AS {name}")
    except duckdb.Error as error:
        raise LedgerUnusable(
            f"identity: the ledger of citizen ids cannot be opened ({type(error).__name__}); {_mend(str(error))}."
        ) from None


def _mend(said: str) -> str:
    """What to do about what the engine said of a ledger that it cannot open."""
    if any(damage in said for damage in DAMAGED):
        return "it is damaged: restore it from a backup, for it is the only copy of the ids"
    if HELD_BY_ANOTHER in said:
        return "end the run that holds it, or wait for it to end"
    return f"check that identity/{LEDGER_FILE} can be read and written and that nothing else has it open"


def _number_what_was_text(connection: duckdb.DuckDBPyConnection) -> None:
    """A ledger of version 0.1 holds keys, ids and MD5 as texts: write it anew, saying the same, in one transaction."""
    connection.execute(
        f"""
        BEGIN;
        CREATE TABLE ledger.member_numbered AS
        SELECT {content_id("m.mention_key")} AS mention, c.sequence AS citizen, o.sequence AS origin,
               {_print_of_hexadecimal("m.name_print")} AS name_print,
               {_print_of_hexadecimal("m.number_print")} AS number_print
        FROM ledger.member AS m LEFT JOIN ledger.citizen AS c ON c.citizen_id = m.citizen_id
        LEFT JOIN ledger.citizen AS o ON o.citizen_id = m.origin_id;
        CREATE TABLE ledger.citizen_numbered AS
        SELECT citizen_id, first_run_id, sequence, is_active, {_print_of_hexadecimal("number_print")} AS number_print
        FROM ledger.citizen;
        DROP TABLE ledger.member;
        DROP TABLE ledger.citizen;
        ALTER TABLE ledger.member_numbered RENAME TO member;
        ALTER TABLE ledger.citizen_numbered RENAME TO citizen;
        COMMIT
        """
    )


def _print_of_hexadecimal(column: str) -> str:
    """SQL: the number that ``content_id`` makes, from the MD5 in hexadecimal: its second half, the last byte first."""
    last_first = " || ".join(f"substr({column}, {place}, 2)" for place in range(31, 16, -2))
    return f"(('0x' || {last_first})::UBIGINT >> 1)::BIGINT"


def ledger_token(connection: duckdb.DuckDBPyConnection) -> str | None:
    """The mark that the last run left in the ledger, if any."""
    row = connection.execute("SELECT token FROM ledger.state").fetchone()
    return str(row[0]) if row else None


def new_token() -> str:
    """A mark by which the ledger and what a run keeps know that they are of the same run."""
    return secrets.token_hex(16)


def create_prints(connection: duckdb.DuckDBPyConnection) -> None:
    """Create ``prints``: the fingerprints of the name and the number of every row of ``mentions``.

    A name is printed once, from ``sounds``: MD5 is slow, and most names have several bearers.
    """
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE prints AS
        WITH names AS MATERIALIZED (
            SELECT {text_digest("name")} AS name_number, {print_of("name")} AS name_print FROM sounds
        )
        SELECT mention, coalesce(name_print, {print_of("''")}) AS name_print, {print_of("id_no")} AS number_print
        FROM mentions LEFT JOIN names USING (name_number)
        """
    )


def prints(mentions: str) -> str:
    """SQL: mention, and the fingerprints of the name and the number, of every row of relation ``mentions``."""
    return f"""
        SELECT mention, {print_of("coalesce(name, '')")} AS name_print, {print_of("id_no")} AS number_print
        FROM {mentions}
    """


def assign_ids(
    connection: duckdb.DuckDBPyConnection, run_id: str, token: str, scope: str | None = None
) -> dict[str, int]:
    """Give every cluster of ``clustered`` (mention, cluster, is_certain) its citizen id and write the ledger.

    ``scope`` is a relation of the mentions that ``clustered`` speaks for, when it is not all there are: of others the
    ledger keeps what it has. Needs ``prints`` of the mentions. Creates ``cluster_ids`` (cluster, citizen, citizen_id,
    first_run_id), ``origins`` (mention, origin) and ``redirects``. Returns counts: minted, merged, split, revived. The
    ledger changes in one transaction, which also leaves ``token``.
    """
    # Outside of the transaction: the engine scans a table that the same transaction made in one thread.
    _recall(connection, scope)
    create_candidates(connection)
    _choose(connection, run_id)
    _find_retired(connection)
    _find_changes(connection)
    connection.execute("BEGIN")
    try:
        _write_citizens(connection, run_id)
        _write_redirects(connection, run_id)
        connection.execute("DELETE FROM ledger.state")
        connection.execute("INSERT INTO ledger.state VALUES (?)", [token])
        connection.execute("COMMIT")
    except duckdb.Error:
        connection.execute("ROLLBACK")
        raise
    connection.execute(
        """
        CREATE OR REPLACE TEMP TABLE redirects AS
        SELECT old_citizen_id, citizen_id, reason, run_id, happened_at
        FROM ledger.redirect
        -- To nobody none leads: whom it led to may be gone until the records come back.
        JOIN (SELECT citizen_id FROM ledger.citizen WHERE is_active) USING (citizen_id)
        WHERE revoked_run_id IS NULL
        """
    )
    return {
        "minted": _count(connection, "SELECT count(*) FROM minted"),
        "merged": _count(connection, "SELECT count(*) FROM retired WHERE targets = 1"),
        "split": _count(connection, "SELECT count(*) FROM retired WHERE targets > 1"),
        "revived": _count(connection, "SELECT count(*) FROM revived"),
    }


def _recall(connection: duckdb.DuckDBPyConnection, scope: str | None) -> None:
    """Create ``cluster_prints`` (cluster, number, number_print), and ``member_then`` and ``citizen_then``: the ledger's
    rows that a run can speak of.

    Of a few these are read from the ledger once, and then looked at often. Prints are of numbers that clusters own, or
    null: a conflict claims no id by a number that is another's.
    """
    members, citizens, kind = "", "", "VIEW"
    if scope is not None:
        members, kind = f"SEMI JOIN {scope} USING (mention)", "TABLE"
        citizens = """WHERE sequence IN (SELECT citizen FROM member_then UNION SELECT origin FROM member_then)
            OR number_print IN (SELECT number_print FROM cluster_prints)"""
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE cluster_prints AS
        SELECT cluster, number, {print_of("own_number")} AS number_print FROM cluster_numbers;
        CREATE OR REPLACE TEMP {kind} member_then AS SELECT * FROM ledger.member {members};
        CREATE OR REPLACE TEMP {kind} citizen_then AS SELECT * FROM ledger.citizen {citizens}
        """
    )


def create_candidates(connection: duckdb.DuckDBPyConnection) -> None:
    """Create ``candidates``: which ids each cluster of ``clustered`` has a claim to by the ledger, and how good."""
    connection.execute(
        """
        CREATE OR REPLACE TEMP TABLE remembered AS
        SELECT k.mention, k.cluster, k.is_certain, o.citizen, o.origin
        FROM clustered AS k JOIN prints AS p USING (mention) JOIN member_then AS o USING (mention)
        WHERE o.name_print = p.name_print OR o.number_print = p.number_print;
        CREATE OR REPLACE TEMP TABLE candidates AS
        WITH evidence AS (
            SELECT cluster, origin AS citizen, is_certain::INT AS certain, 1 AS origin, 0 AS now
            FROM remembered
            UNION ALL
            SELECT cluster, citizen, 0, 0, 1 FROM remembered WHERE citizen IS NOT NULL
            UNION ALL
            SELECT p.cluster, c.sequence, 0, 0, 0
            FROM cluster_prints AS p JOIN citizen_then AS c USING (number_print)
        )
        SELECT cluster, citizen, sum(certain) AS certain, sum(origin) AS origin, sum(now) AS now,
               coalesce(any_value(p.number_print) = any_value(c.number_print), false) AS same_number
        FROM evidence JOIN citizen_then AS c ON c.sequence = evidence.citizen
        LEFT JOIN cluster_prints AS p USING (cluster)
        GROUP BY cluster, citizen
        """
    )


def _choose(connection: duckdb.DuckDBPyConnection, run_id: str) -> None:
    """Create ``kept_ids`` (cluster, citizen), ``minted`` (cluster, citizen, citizen_id) of whoever has a claim to none,
    ``cluster_choice`` of both, and ``cluster_ids``.
    """
    chosen = _settle_contested(connection)
    take_rows(
        connection,
        "settled_ids",
        pa.table(
            {"cluster": pa.array(list(chosen), pa.int64()), "citizen": pa.array(list(chosen.values()), pa.int64())}
        ),
    )
    connection.execute(
        """
        CREATE OR REPLACE TEMP TABLE kept_ids AS
        SELECT cluster, citizen FROM candidates ANTI JOIN contested USING (cluster, citizen)
        UNION ALL SELECT cluster, citizen FROM settled_ids;
        DROP TABLE settled_ids
        """
    )
    fresh = connection.execute(
        "SELECT cluster FROM cluster_numbers ANTI JOIN kept_ids USING (cluster) ORDER BY cluster"
    ).to_arrow_table()["cluster"]
    start = _count(connection, "SELECT coalesce(max(sequence), 0) FROM ledger.citizen") + 1
    sequences = pa.array(np.arange(start, start + len(fresh), dtype=np.int64))
    take_rows(connection, "minted", pa.table({"cluster": fresh, "citizen": sequences, "citizen_id": mint(len(fresh))}))
    run = run_id.replace("'", "''")
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP VIEW cluster_choice AS
        SELECT cluster, citizen FROM kept_ids UNION ALL SELECT cluster, citizen FROM minted;
        CREATE OR REPLACE TEMP TABLE known_ids AS
        SELECT cluster, c.citizen, l.citizen_id, l.first_run_id
        FROM kept_ids AS c JOIN ledger.citizen AS l ON l.sequence = c.citizen;
        CREATE OR REPLACE TEMP VIEW cluster_ids AS
        SELECT cluster, citizen, citizen_id, '{run}' AS first_run_id FROM minted UNION ALL FROM known_ids
        """
    )


def _settle_contested(connection: duckdb.DuckDBPyConnection) -> dict[int, int]:
    """Settle what is not one cluster and one id that know only each other (temp table ``contested``).

    Each takes the best that is still free, the best claims first: a matter of turns, so a loop. Who bears an id and its
    number keeps it, so that a run over the same mentions moves nothing; then comes who was known by the id, last who
    only has its number: that may have stood on another's records by mistake.
    """
    connection.execute(
        """
        CREATE OR REPLACE TEMP TABLE contested AS
        SELECT * FROM candidates
        QUALIFY count(*) OVER (PARTITION BY cluster) > 1 OR count(*) OVER (PARTITION BY citizen) > 1
        """
    )
    rows = connection.execute(
        """
        SELECT cluster, citizen FROM contested
        ORDER BY same_number AND now > 0 DESC, origin + now > 0 DESC, same_number DESC, certain DESC, origin DESC,
                 now DESC, citizen, cluster
        """
    ).fetchall()
    chosen: dict[int, int] = {}
    taken: set[int] = set()
    for cluster, citizen in rows:
        if cluster not in chosen and citizen not in taken:
            chosen[cluster] = citizen
            taken.add(citizen)
    return chosen


def _find_retired(connection: duckdb.DuckDBPyConnection) -> None:
    """Create ``gone``, the ids that nobody has any more, ``retired``, where they went (old_citizen_id, citizen_id,
    targets), and ``revived``, the ids that live again.
    """
    connection.execute(
        """
        CREATE OR REPLACE TEMP TABLE holders AS SELECT DISTINCT citizen FROM member_then WHERE citizen IS NOT NULL;
        CREATE OR REPLACE TEMP TABLE gone AS
        SELECT sequence AS citizen, citizen_id FROM citizen_then
        WHERE sequence IN (SELECT citizen FROM holders ANTI JOIN cluster_choice USING (citizen)) AND is_active;
        CREATE OR REPLACE TEMP TABLE retired AS
        WITH followed AS (
            SELECT gone.citizen_id AS old_citizen_id, cluster, count(*) AS members, sum(r.is_certain::INT) AS certain
            FROM gone JOIN remembered AS r ON r.citizen = gone.citizen
            GROUP BY ALL
        )
        SELECT old_citizen_id, i.citizen_id, count(*) OVER (PARTITION BY old_citizen_id) AS targets
        FROM followed JOIN cluster_ids AS i USING (cluster)
        QUALIFY row_number() OVER (PARTITION BY old_citizen_id ORDER BY certain DESC, members DESC, i.citizen) = 1;
        CREATE OR REPLACE TEMP TABLE revived AS
        SELECT citizen_id FROM citizen_then JOIN kept_ids ON citizen = sequence WHERE NOT is_active
        """
    )


def _find_changes(connection: duckdb.DuckDBPyConnection) -> None:
    """Create ``citizen_now`` and ``member_changes``, the rows in which the ledger changes, and ``origins``."""
    connection.execute(
        """
        CREATE OR REPLACE TEMP TABLE citizen_now AS
        SELECT l.citizen_id, l.first_run_id, l.sequence, c.citizen IS NOT NULL AS is_active,
               CASE WHEN c.citizen IS NULL THEN l.number_print ELSE p.number_print END AS number_print
        FROM citizen_then AS l LEFT JOIN kept_ids AS c ON c.citizen = l.sequence
        LEFT JOIN cluster_prints AS p USING (cluster)
        WHERE (c.citizen IS NOT NULL OR l.sequence IN (SELECT citizen FROM gone))
          AND (l.is_active, l.number_print) IS DISTINCT FROM
              (c.citizen IS NOT NULL, CASE WHEN c.citizen IS NULL THEN l.number_print ELSE p.number_print END);
        CREATE OR REPLACE TEMP TABLE member_changes AS
        WITH member_now AS (
            SELECT k.mention, c.citizen, coalesce(r.origin, c.citizen) AS origin, p.name_print, p.number_print
            FROM clustered AS k JOIN cluster_choice AS c USING (cluster) JOIN prints AS p USING (mention)
            LEFT JOIN (SELECT mention, origin FROM remembered) AS r USING (mention)
        )
        -- Who is in no cluster any more leaves behind what it was known by.
        SELECT mention, n.citizen,
               CASE WHEN n.citizen IS NULL THEN o.origin ELSE n.origin END AS origin,
               CASE WHEN n.citizen IS NULL THEN o.name_print ELSE n.name_print END AS name_print,
               CASE WHEN n.citizen IS NULL THEN o.number_print ELSE n.number_print END AS number_print
        FROM member_now AS n FULL JOIN member_then AS o USING (mention)
        WHERE CASE WHEN n.citizen IS NULL THEN o.citizen IS NOT NULL
                   ELSE (n.citizen, n.origin, n.name_print, n.number_print)
                        IS DISTINCT FROM (o.citizen, o.origin, o.name_print, o.number_print) END;
        CREATE OR REPLACE TEMP TABLE origins AS
        SELECT mention, origin FROM remembered JOIN cluster_choice AS c USING (cluster) WHERE origin <> c.citizen
        """
    )


def _write_citizens(connection: duckdb.DuckDBPyConnection, run_id: str) -> None:
    """Write what the ledger keeps of citizens and mentions. Rows that change go and come again: an update in place
    would have the whole column written again.
    """
    connection.execute(
        """
        DELETE FROM ledger.citizen WHERE sequence IN (SELECT sequence FROM citizen_now);
        INSERT INTO ledger.citizen BY NAME FROM citizen_now;
        DELETE FROM ledger.member
        WHERE mention IN (SELECT mention FROM member_changes SEMI JOIN member_then USING (mention));
        INSERT INTO ledger.member BY NAME FROM member_changes;
        """
    )
    connection.execute(
        """
        INSERT INTO ledger.citizen
        SELECT citizen_id, ?, citizen, true, number_print FROM minted LEFT JOIN cluster_prints USING (cluster)
        """,
        [run_id],
    )


def _write_redirects(connection: duckdb.DuckDBPyConnection, run_id: str) -> None:
    """Write where the ids went that nobody has any more, and take back what led away from an id that lives again."""
    connection.execute(
        """
        UPDATE ledger.redirect SET revoked_run_id = ?
        WHERE revoked_run_id IS NULL AND old_citizen_id IN (SELECT citizen_id FROM revived)
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


def _count(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    row = connection.execute(query).fetchone()
    return int(row[0]) if row else 0
