"""The generic door: link any table of person records, with no knowledge of where it comes from.

``link_table`` reads a Parquet table (record_id, source, and whatever it says of persons), trains itself on it, and
writes record_id, cluster_id, match_weight.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import pyarrow as pa

from identity.cluster import Partition
from identity.link import model, pairs, partition, standardise, train
from identity.link.settings import Configuration, ConfigurationUnusable, Wishes, configure
from identity.link.standardise import TableUnusable
from warehouse.duck import connect, take_rows

FORESEEN = (TableUnusable, ConfigurationUnusable)


@dataclass(frozen=True)
class LinkResult:
    """What one use of the door did: counts of records, candidate pairs and clusters, what was read, how long it took.

    ``columns`` maps known names to the table's; ``ignored`` are columns nobody reads; ``undecided`` counts pairs that
    were put off because of a tie or a constraint; ``in_other_script`` is the share of names in the other script.
    """

    script: str
    records: int
    pairs: int
    clusters: int
    undecided: int
    columns: dict[str, str]
    ignored: list[str]
    compared: list[str]
    seconds: float
    in_other_script: float


def link_table(table_file: Path, output_file: Path, configuration_file: Path | None = None) -> LinkResult:
    """Link the records of ``table_file`` and write ``output_file`` (one row per record, ordered by record_id).

    Raises ``TableUnusable`` or ``ConfigurationUnusable``, each with one sentence that says what to mend.
    """
    began = time.monotonic()
    if output_file.resolve() == table_file.resolve():
        raise TableUnusable(
            f"{table_file.name}: the result would take the place of the table; name another file for it."
        )
    wishes = Wishes.read(configuration_file)
    with _in_the_making(output_file) as spare, connect() as connection:
        table = standardise.Table.open(connection, table_file)
        # Both configurations know the columns of names by the same words; Han has more of them.
        han_share = standardise.share_of_han(connection, table, _names(table, wishes))
        configuration, found, ignored = _choose(table, wishes, han_share)
        known = standardise.read_records(connection, table, found, configuration)
        configuration = configuration.restricted_to(known)
        pairs.create_nodes(connection, configuration)
        candidates = pairs.create_pairs(connection, configuration)
        if candidates:
            parameters = train.train(connection, configuration)
            model.compare(connection, configuration, parameters, "pairs", "scored")
        else:
            connection.execute(
                "CREATE TABLE scored (left_node BIGINT, right_node BIGINT, match_weight DOUBLE, is_forbidden BOOLEAN)"
            )
        result = partition.cluster(connection, configuration)
        records, clusters = _write(connection, result, configuration, spare, output_file)
        return LinkResult(
            configuration.script,
            records,
            candidates,
            clusters,
            len(result.review),
            found,
            ignored,
            [comparison.name for comparison in configuration.comparisons],
            round(time.monotonic() - began, 1),
            round(1 - han_share if configuration.script == "han" else han_share, 3),
        )


@contextmanager
def _in_the_making(output_file: Path) -> Iterator[Path]:
    """A file beside ``output_file`` that takes its place when the block ends well; nothing is left of it else.

    It is made at once: whoever links for an hour is told before, not after, that the result has no place.
    """
    spare = output_file.with_name(f".{output_file.name}.{os.getpid()}.part") if output_file.name else output_file
    try:
        if output_file.is_dir():
            raise IsADirectoryError(str(output_file))
        spare.touch()
    except OSError as error:
        raise _unwritable(output_file) from error
    try:
        yield spare
        spare.replace(output_file)
    finally:
        spare.unlink(missing_ok=True)


def _unwritable(file: Path) -> TableUnusable:
    return TableUnusable(f"{file}: cannot be written; name a file in a folder that you may write to and that has room.")


def _choose(
    table: standardise.Table, wishes: Wishes, han_share: float
) -> tuple[Configuration, dict[str, str], list[str]]:
    """The configuration for the table's script, and which of its columns say what."""
    script = wishes.script
    if script == "auto":
        script = "han" if han_share >= standardise.HAN_SHARE else "latin"
    configuration = configure(script, wishes)
    found, ignored = standardise.match_columns(table, configuration)
    if configuration.unique_within_source and "source" not in found:
        raise ConfigurationUnusable(
            f"{table.file.name}: unique_within_source says that a source names nobody twice, and there is no column"
            " source; say which column it is under columns, or leave unique_within_source out."
        )
    return configuration, found, ignored


def _names(table: standardise.Table, wishes: Wishes) -> dict[str, str]:
    configuration = configure("han", replace(wishes, script="han"))
    found, _ = standardise.match_columns(table, configuration)
    return found


def _write(
    connection: duckdb.DuckDBPyConnection, result: Partition, configuration: Configuration, spare: Path, file: Path
) -> tuple[int, int]:
    """Write the output to ``spare``, which will be ``file``; return how many records and clusters there are. A cluster
    is called by its first record.
    """
    nodes = [row[0] for row in connection.execute("SELECT node FROM nodes ORDER BY node").fetchall()]
    placed = pa.table(
        {
            "node": pa.array(nodes, pa.int64()),
            "root": pa.array([result.find(node) for node in nodes], pa.int64()),
            "weight": pa.array(
                [edge[0] if (edge := result.joined.get(node)) is not None else None for node in nodes], pa.float64()
            ),
        }
    )
    take_rows(connection, "placed", placed)
    connection.execute(
        f"""
        CREATE OR REPLACE TABLE linked AS
        SELECT r.record_id,
            first_value(r.record_id::VARCHAR) OVER (PARTITION BY p.root ORDER BY r.record) AS cluster_id,
            coalesce(p.weight, CASE WHEN count(*) OVER (PARTITION BY o.node) > 1
                                    THEN {configuration.thresholds.certain_weight} END) AS match_weight
        FROM records AS r JOIN node_of AS o USING (record) JOIN placed AS p USING (node)
        """
    )
    quoted = str(spare).replace("'", "''")
    try:
        # The engine's own spare file would stay where the disk is full.
        connection.execute(
            f"COPY (SELECT * FROM linked ORDER BY record_id) TO '{quoted}' (FORMAT parquet, USE_TMP_FILE false)"
        )
    except duckdb.IOException as error:
        raise _unwritable(file) from error
    row = connection.execute("SELECT count(*), count(DISTINCT cluster_id) FROM linked").fetchone()
    assert row is not None
    return int(row[0]), int(row[1])
