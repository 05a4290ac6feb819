"""Train the model: hide the numbers of some mentions, and learn how each comparison behaves on their true pairs.

Sound numbers are free labels. Of a share of the places that carry a number the number is hidden, or left with one wrong
digit; the same steps as in a run collapse, block and compare; whether a pair belongs together is known exactly.

    python -m identity.train WORK_FILE [--seed 7] [--output identity/parameters/2026-11-26.json]
"""

from __future__ import annotations

import argparse
import datetime
import math
from pathlib import Path

import duckdb
import numpy as np
import numpy.typing as npt

from identity import blocking, score, thresholds
from identity.comparisons import COMPARISONS
from identity.mention import read_mentions
from identity.model import PARAMETERS, ModelUnusable, Parameters, blank_parameters, level_number
from identity.resolve import prepare
from warehouse.duck import connect


def hide_numbers(connection: duckdb.DuckDBPyConnection, seed: int) -> None:
    """Hide numbers of ``mentions``, whole places at a time; the truth stays in ``true_number``.

    Only a number whose owner the mention names, by ``number_links``, is a truth: a relative's number is no label.
    """
    connection.execute(
        f"""
        CREATE OR REPLACE TABLE mentions AS
        WITH drawn AS (
            SELECT *,
                CASE WHEN mention IN (SELECT mention FROM number_links WHERE starts_with(reason, 'id')) THEN id_no END
                    AS true_number,
                -- Half of what is hidden goes a whole place at a time, half record by record: a person may lack the
                -- number in every file of a household, or in one month of it.
                least((hash(id_no, coalesce(household_key, bank_account, record_key), {seed}) % 10000) / 10000.0,
                      (hash(id_no, record_key, {seed}, 'record') % 10000) / 10000.0) * 2 AS draw,
                1 + (hash(id_no, record_key, {seed}, 'where') % 17)::INT AS place,
                (hash(id_no, record_key, {seed}, 'what') % 9)::INT + 1 AS shift
            FROM mentions
        )
        SELECT * EXCLUDE (draw, place, shift) REPLACE (
            CASE WHEN draw < {thresholds.HIDDEN_SHARE} THEN NULL ELSE id_no END AS id_no,
            CASE WHEN draw < {thresholds.HIDDEN_SHARE} THEN NULL ELSE anchor END AS anchor,
            CASE WHEN draw < {thresholds.HIDDEN_SHARE} THEN NULL ELSE number_birth END AS number_birth,
            CASE WHEN draw < {thresholds.HIDDEN_SHARE} THEN NULL ELSE number_sex END AS number_sex,
            CASE WHEN draw < {thresholds.HIDDEN_SHARE * thresholds.DAMAGED_SHARE} THEN
                substr(id_no, 1, place - 1) || ((ascii(substr(id_no, place, 1)) - 48 + shift) % 10)
                || substr(id_no, place + 1)
                ELSE damaged_id_no END AS damaged_id_no)
        FROM drawn
        """
    )


def train(work_file: Path, seed: int, trained_on: str) -> Parameters:
    """Learn the weight of every level, and of being a candidate at all, from hidden numbers.

    Raises ``ModelUnusable`` when the work file holds too little to learn from.
    """
    connection = connect()
    try:
        connection.execute(f"ATTACH '{str(work_file).replace(chr(39), chr(39) * 2)}' AS work (READ_ONLY)")
        read_mentions(connection, "work")
        prepare(connection)
        hide_numbers(connection, seed)
        prepare(connection)
        blocking.create_pairs(connection)
        score.score_pairs(connection, blank_parameters())
        connection.execute(
            """
            CREATE OR REPLACE TABLE node_truth AS
            SELECT node, min(true_number) AS truth FROM node_of JOIN mentions USING (mention)
            WHERE starts_with(coalesce(reason, 'id'), 'id')
            GROUP BY node HAVING count(DISTINCT true_number) = 1 AND bool_and(true_number IS NOT NULL);
            CREATE OR REPLACE TABLE labelled AS
            SELECT s.*, l.truth = r.truth AS is_match
            FROM scored_pairs AS s
            JOIN node_truth AS l ON l.node = left_node JOIN node_truth AS r ON r.node = right_node
            """
        )
        return _fit(connection, trained_on)
    finally:
        connection.close()


def _fit(connection: duckdb.DuckDBPyConnection, trained_on: str) -> Parameters:
    """Weights in bits by logistic regression over the levels; a comparison that says nothing weighs nothing.

    Counting each comparison by itself would count kin, household and address of one flat three times. The fit is held
    (ridge) to what is believed of a level beforehand, so that a level nobody has seen keeps its declared weight.
    """
    levels = [(c.name, level) for c in COMPARISONS for level, _ in c.levels]
    columns = ", ".join(
        f"(gamma_{name} = {level_number(name, level)})::TINYINT AS x{place}"
        for place, (name, level) in enumerate(levels)
    )
    found = connection.execute(
        f"SELECT is_match::TINYINT AS is_match, {columns} FROM labelled ORDER BY left_node, right_node"
    ).fetchnumpy()
    truth = np.asarray(found["is_match"], dtype=float)
    if not 0 < truth.sum() < len(truth):
        raise ModelUnusable("identity: the work file has too few sound numbers to learn from; train on a larger one.")
    reached = [np.asarray(found[f"x{place}"], dtype=float) for place in range(len(levels))]
    seen = np.column_stack([np.ones(len(truth)), *reached])
    belief = np.array([0.0, *(thresholds.BELIEVED_WEIGHTS.get(name, {}).get(level, 0.0) for name, level in levels)])
    hold = np.array([thresholds.RIDGE_OF_PRIOR] + [thresholds.RIDGE] * len(levels))
    bits = _ridge_logistic(seen, truth, belief * math.log(2), hold) / math.log(2)
    weights: dict[str, dict[str, float]] = {}
    observed: dict[str, dict[str, list[int]]] = {}
    for place, (name, level) in enumerate(levels, start=1):
        weights.setdefault(name, {})[level] = round(float(bits[place]), 3)
        right = int(truth[seen[:, place] > 0].sum())
        observed.setdefault(name, {})[level] = [right, int(seen[:, place].sum()) - right]
    return Parameters(trained_on, round(float(bits[0]), 3), weights, observed, "training")


def _ridge_logistic(
    seen: npt.NDArray[np.float64], truth: npt.NDArray[np.float64], belief: npt.NDArray[np.float64],
    hold: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:  # fmt: skip
    """Newton's method for logistic regression with a ridge towards ``belief``; the optimum is unique."""
    found = belief.copy()
    for _ in range(thresholds.FIT_STEPS):
        chance = 1 / (1 + np.exp(-np.clip(seen @ found, -50, 50)))
        slope = seen.T @ (truth - chance) - hold * (found - belief)
        curve = (seen * (chance * (1 - chance))[:, None]).T @ seen + np.diag(hold)
        step = np.linalg.solve(curve, slope)
        found = found + np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-6:
            break
    return found


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
