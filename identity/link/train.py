"""Learn the parameters from the table itself, without labels: random pairs show strangers, candidates show matches.

Expectation and maximisation over all pairs of the table, of which only candidates can match; how rare the agreed values
are counts already here. Everything is counted in whole agreement patterns of pairs chosen by hash, so the same records
in any order, on any number of threads, give the same parameters. Where a table shows a level too seldom, the belief of
the configuration stands in.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import duckdb
import numpy as np
import numpy.typing as npt

from identity.link.model import Parameters, compare, shares
from identity.link.settings import Configuration

Floats = npt.NDArray[np.float64]
Levels = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Patterns:
    """How often each combination of levels occurs: a row per pattern, a column per comparison (0 best, -1 unknown).

    ``rarity`` is the weight of the agreed values' rarity in bits.
    """

    levels: Levels
    rarity: Floats
    counts: Floats


def train(connection: duckdb.DuckDBPyConnection, configuration: Configuration) -> Parameters:
    """Estimate parameters from ``nodes`` and ``pairs``."""
    limits = configuration.thresholds
    nodes, pairs = _count(connection, "nodes"), _count(connection, "pairs")
    all_pairs = max(nodes * (nodes - 1) / 2, 1.0)
    current = Parameters.believed(configuration, float(-np.log2(max(nodes, 2))))
    if not configuration.comparisons or pairs == 0:
        return current
    strangers = _compare_strangers(connection, configuration, current)
    candidates = _compare_candidates(connection, configuration, current)
    scale = pairs / candidates.counts.sum()
    for _ in range(limits.rounds):
        found = _maximise(configuration, current, strangers, candidates, scale, all_pairs)
        change = max(abs(a - b) for name in found.m for a, b in zip(found.m[name], current.m[name], strict=True))
        current = found
        if change < limits.small_change:
            break
    return current


def _count(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    row = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    return int(row[0]) if row else 0


def _compare_strangers(
    connection: duckdb.DuckDBPyConnection, configuration: Configuration, parameters: Parameters
) -> Patterns:
    """All pairs among a few records chosen by hash."""
    different = "AND l.source <> r.source" if configuration.unique_within_source else ""
    connection.execute(
        f"""
        CREATE OR REPLACE TABLE strangers AS
        WITH drawn AS (SELECT node, source FROM nodes ORDER BY hash(node, {configuration.seed}), node
                       LIMIT {configuration.thresholds.random_records})
        SELECT l.node AS left_node, r.node AS right_node FROM drawn AS l JOIN drawn AS r ON l.node < r.node {different}
        """
    )
    compare(connection, configuration, parameters, "strangers", "compared_strangers")
    return _read(connection, configuration, "compared_strangers")


def _compare_candidates(
    connection: duckdb.DuckDBPyConnection, configuration: Configuration, parameters: Parameters
) -> Patterns:
    """The candidate pairs, at most so many, chosen by hash."""
    connection.execute(
        f"""
        CREATE OR REPLACE TABLE teachers AS SELECT left_node, right_node FROM pairs
        ORDER BY hash(left_node, right_node, {configuration.seed}), left_node, right_node
        LIMIT {configuration.thresholds.training_pairs}
        """
    )
    compare(connection, configuration, parameters, "teachers", "compared_teachers")
    return _read(connection, configuration, "compared_teachers")


def _read(connection: duckdb.DuckDBPyConnection, configuration: Configuration, table: str) -> Patterns:
    gammas = ", ".join(f"gamma_{c.name}" for c in configuration.comparisons)
    found = connection.execute(
        f"SELECT {gammas}, round(weight_rarity) AS rarity, count(*) AS pair_count FROM {table}"
        " GROUP BY ALL ORDER BY ALL"
    ).fetchnumpy()
    levels = []
    for comparison in configuration.comparisons:
        # Splink counts levels from the worst up; here the best is 0.
        column = np.asarray(found[f"gamma_{comparison.name}"], dtype=np.int64)
        levels.append(np.where(column < 0, -1, len(comparison.levels) - 1 - column))
    return Patterns(
        np.column_stack(levels).reshape(-1, len(levels)),
        np.asarray(found["rarity"], dtype=float),
        np.asarray(found["pair_count"], dtype=float),
    )


def _chance(configuration: Configuration, parameters: Parameters, patterns: Patterns) -> Floats:
    """The probability that the pairs of each pattern are one person."""
    odds = (parameters.prior_weight + patterns.rarity) * np.log(2)
    for place, comparison in enumerate(configuration.comparisons):
        ratio = np.log(np.array(parameters.m[comparison.name])) - np.log(np.array(parameters.u[comparison.name]))
        odds += np.where(patterns.levels[:, place] < 0, 0.0, ratio[patterns.levels[:, place]])
    chance: Floats = 1 / (1 + np.exp(-np.clip(odds, -50, 50)))
    return chance


def _maximise(
    configuration: Configuration, current: Parameters, strangers: Patterns, candidates: Patterns,
    scale: float, all_pairs: float,
) -> Parameters:  # fmt: skip
    """One round: who is likely one person by the current parameters tells better ones."""
    limits = configuration.thresholds
    # A random pair that is likely one person is no pair of strangers.
    unlike = strangers.counts * (1 - _chance(configuration, current, strangers))
    alike = candidates.counts * _chance(configuration, current, candidates)
    expected = max(float(alike.sum()) * scale, 1.0)
    prior = min(expected / all_pairs, 0.5)
    return replace(
        current,
        prior_weight=round(float(np.log2(prior / (1 - prior))), 6),
        m=_shares_of(configuration, candidates.levels, alike, "m", limits.m_strength),
        u=_shares_of(configuration, strangers.levels, unlike, "u", limits.u_strength),
    )


def _shares_of(
    configuration: Configuration, levels: Levels, weights: Floats, which: str, strength: float
) -> dict[str, tuple[float, ...]]:
    """The share of every level among weighted patterns, held to the belief by ``strength`` pairs."""
    result = {}
    for place, comparison in enumerate(configuration.comparisons):
        belief = np.array(shares([getattr(level, which) for level in comparison.levels]))
        seen = levels[:, place] >= 0
        counted = np.bincount(levels[seen, place], weights[seen], minlength=len(comparison.levels))
        result[comparison.name] = shares([float(value) for value in np.round(counted, 6) + strength * belief])
    return result
