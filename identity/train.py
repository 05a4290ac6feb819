"""Train the model: hide the numbers of some mentions, and learn how each comparison behaves on their true pairs.

Sound numbers are free labels. Of a share of the places that carry a number the number is hidden, or left with one wrong
digit; the same steps as in a run collapse, block and compare; whether a pair belongs together is known exactly.

    python -m identity.train WORK_FILE [--seed 7] [--output identity/parameters/2026-11-26.json]
"""

from __future__ import annotations

import argparse
import datetime
from pathlib import Path

import duckdb

from identity import blocking, score, thresholds
from identity.comparisons import COMPARISONS
from identity.mention import read_mentions
from identity.model import PARAMETERS, Parameters, blank_parameters, level_number
from identity.resolve import prepare
from warehouse.duck import connect


def hide_numbers(connection: duckdb.DuckDBPyConnection, seed: int) -> None:
    """Hide numbers of ``mentions``, whole places at a time; the truth stays in ``true_number``."""
    connection.execute(
        f"""
        CREATE OR REPLACE TABLE mentions AS
        WITH drawn AS (
            SELECT *, id_no AS true_number,
                (hash(id_no, coalesce(household_key, bank_account, record_key), {seed}) % 10000) / 10000.0 AS draw,
                1 + (hash(id_no, record_key, {seed}, 'where') % 17)::INT AS place,
                (hash(id_no, record_key, {seed}, 'what') % 9)::INT + 1 AS shift
            FROM mentions
        )
        SELECT * EXCLUDE (draw, place, shift) REPLACE (
            CASE WHEN draw < {thresholds.HIDDEN_SHARE} THEN NULL ELSE id_no END AS id_no,
            CASE WHEN draw < {thresholds.HIDDEN_SHARE} THEN NULL ELSE number_birth END AS number_birth,
            CASE WHEN draw < {thresholds.HIDDEN_SHARE} THEN NULL ELSE number_sex END AS number_sex,
            CASE WHEN draw < {thresholds.HIDDEN_SHARE * thresholds.DAMAGED_SHARE} THEN
                substr(id_no, 1, place - 1) || ((ascii(substr(id_no, place, 1)) - 48 + shift) % 10) || substr(id_no, place + 1)
                ELSE damaged_id_no END AS damaged_id_no)
        FROM drawn
        """
    )


def train(work_file: Path, seed: int, trained_on: str) -> Parameters:
    """Learn m and u of every level, and the share of candidate pairs that match, from hidden numbers."""
    connection = connect()
    try:
        connection.execute(f"ATTACH '{str(work_file).replace(chr(39), chr(39) * 2)}' AS work (READ_ONLY)")
        read_mentions(connection, "work")
        hide_numbers(connection, seed)
        prepare(connection)
        blocking.create_pairs(connection)
        score.score_pairs(connection, blank_parameters())
        connection.execute(
            """
            CREATE OR REPLACE TABLE node_truth AS
            SELECT node, min(true_number) AS truth FROM node_of JOIN mentions USING (mention)
            WHERE starts_with(coalesce(reason, 'id'), 'id')
            GROUP BY node HAVING count(DISTINCT true_number) = 1;
            CREATE OR REPLACE TABLE labelled AS
            SELECT s.*, l.truth = r.truth AS is_match
            FROM scored_pairs AS s JOIN node_truth AS l ON l.node = left_node JOIN node_truth AS r ON r.node = right_node
            """
        )
        return _count_levels(connection, trained_on)
    finally:
        connection.close()


def _count_levels(connection: duckdb.DuckDBPyConnection, trained_on: str) -> Parameters:
    shares: dict[bool, dict[str, dict[str, float]]] = {True: {}, False: {}}
    for comparison in COMPARISONS:
        rows = connection.execute(
            f"SELECT is_match, gamma_{comparison.name}, count(*) FROM labelled GROUP BY ALL"
        ).fetchall()
        counts = {(match, gamma): n for match, gamma, n in rows}
        for match in (True, False):
            seen = {
                level: counts.get((match, level_number(comparison.name, level)), 0) + thresholds.LEVEL_SMOOTHING
                for level, _ in comparison.levels
            }
            total = sum(seen.values())
            shares[match][comparison.name] = {level: round(n / total, 6) for level, n in seen.items()}
    row = connection.execute("SELECT avg(is_match::INT) FROM labelled").fetchone()
    prior = float(row[0]) if row and row[0] else 0.5
    return Parameters(trained_on, round(prior, 6), shares[True], shares[False], "training")


def main() -> None:
    """Command line of the training."""
    parser = argparse.ArgumentParser(prog="python -m identity.train", description=__doc__)
    parser.add_argument("work_file", type=Path)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--trained-on", default="an invented city")
    parser.add_argument("--output", type=Path, default=PARAMETERS / f"{datetime.date.today():%Y-%m-%d}.json")
    asked = parser.parse_args()
    train(asked.work_file, asked.seed, asked.trained_on).write(asked.output)


if __name__ == "__main__":
    main()
