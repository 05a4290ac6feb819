"""From scored pairs to clusters: one sound number is one person, then the strongest pairs down, under constraints."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from itertools import combinations

import duckdb

from identity.cluster import Constraints, Edge, Partition, join_founders
from identity.link.settings import Configuration

Sides = dict[int, dict[int, str]]


def cluster(connection: duckdb.DuckDBPyConnection, configuration: Configuration) -> Partition:
    """Join ``nodes`` by their sound numbers and by the pairs of ``scored`` that reach the link weight.

    Kept apart: different sound numbers, far birth dates beside them, pairs that contradict each other and, where a
    source holds nobody twice, its records. A record with two equally likely partners joins neither.
    """
    limits = configuration.thresholds
    edges: list[Edge] = connection.execute(
        "SELECT match_weight, left_node, right_node FROM scored WHERE match_weight >= ? AND NOT is_forbidden",
        [limits.link_weight],
    ).fetchall()
    numbers = dict(
        connection.execute("SELECT node, number FROM nodes WHERE number IS NOT NULL ORDER BY node").fetchall()
    )
    certain = _number_edges(numbers, limits.certain_weight)
    apart = _read_apart(connection, configuration)
    tied: list[Edge] = []
    if configuration.unique_within_source:
        source = dict(connection.execute("SELECT node, source FROM nodes").fetchall())
        certain = _across_sources(numbers, source, limits.certain_weight)
        certain, equal = _without_ties(certain, source, limits.tie_margin)
        edges, tied = _without_ties(edges, source, limits.tie_margin)
        tied += equal
        _keep_sources_apart(edges + certain, source, apart)
    result = join_founders(certain, Constraints({}, apart))
    result.review += [(weight, a, b, "two partners are equally likely") for weight, a, b in tied]
    # From here on a cluster under one number is one node: its own members are no rivals of each other.
    strongest: dict[tuple[int, int], float] = {}
    for weight, left, right in edges:
        a, b = sorted((result.find(left), result.find(right)))
        if a != b:
            strongest[a, b] = max(weight, strongest.get((a, b), weight))
    joined = join_founders(
        [(weight, a, b) for (a, b), weight in strongest.items()], _raise(connection, result, numbers, apart)
    )
    result.root |= joined.root
    for node, edge in joined.joined.items():
        result.joined.setdefault(node, edge)
    result.review += joined.review
    return result


def _number_edges(numbers: dict[int, str], weight: float) -> list[Edge]:
    first: dict[str, int] = {}
    return [(weight, first[number], node) for node, number in numbers.items() if first.setdefault(number, node) != node]


def _across_sources(numbers: dict[int, str], source: dict[int, str], weight: float) -> list[Edge]:
    """Every two records of different sources under one number."""
    holders: dict[str, list[int]] = defaultdict(list)
    for node, number in numbers.items():
        holders[number].append(node)
    return [(weight, a, b) for nodes in holders.values() for a, b in combinations(nodes, 2) if source[a] != source[b]]


def _raise(
    connection: duckdb.DuckDBPyConnection, joined: Partition, numbers: dict[int, str], apart: Sides
) -> Constraints:
    """What must stay apart, said of the clusters that share a number instead of their nodes."""
    births: dict[int, tuple[date, ...]] = defaultdict(tuple)
    if numbers:
        for node, born in _read_births(connection):
            births[joined.find(node)] += (born,)
    raised: Sides = defaultdict(dict)
    for node, enemies in apart.items():
        for enemy, reason in enemies.items():
            raised[joined.find(node)][joined.find(enemy)] = reason
    return Constraints({joined.find(node): number for node, number in numbers.items()}, dict(raised), dict(births))


def _read_births(connection: duckdb.DuckDBPyConnection) -> list[tuple[int, date]]:
    return connection.execute(
        "SELECT node, try_strptime(birth, '%Y%m%d')::DATE AS born FROM nodes WHERE born IS NOT NULL ORDER BY node"
    ).fetchall()


def _read_apart(connection: duckdb.DuckDBPyConnection, configuration: Configuration) -> Sides:
    apart: Sides = defaultdict(dict)
    for left, right in connection.execute(
        "SELECT left_node, right_node FROM scored WHERE match_weight <= ? ORDER BY ALL",
        [configuration.thresholds.contradiction_weight],
    ).fetchall():
        apart[left][right] = apart[right][left] = "they contradict each other"
    return apart


def _keep_sources_apart(edges: list[Edge], source: dict[int, str], apart: Sides) -> None:
    """Records of one source that edges could bring together are two people."""
    reachable = join_founders(edges, Constraints({}, {}))
    company: dict[tuple[int, str], list[int]] = defaultdict(list)
    for node in sorted({node for _, a, b in edges for node in (a, b)}):
        company[reachable.find(node), source[node]].append(node)
    for nodes in company.values():
        for place, left in enumerate(nodes):
            for right in nodes[place + 1 :]:
                apart[left][right] = apart[right][left] = "one source holds nobody twice"


def _without_ties(edges: list[Edge], source: dict[int, str], margin: float) -> tuple[list[Edge], list[Edge]]:
    """Edges to keep and edges of records whose two best partners in one source are equally likely."""
    best: dict[tuple[int, str], list[float]] = defaultdict(list)
    for weight, a, b in edges:
        best[a, source[b]].append(weight)
        best[b, source[a]].append(weight)
    tied = {
        side for side, weights in best.items()
        if len(weights) > 1 and (top := sorted(weights, reverse=True))[0] - top[1] < margin
    }  # fmt: skip
    keep = [edge for edge in edges if (edge[1], source[edge[2]]) not in tied and (edge[2], source[edge[1]]) not in tied]
    kept = set(keep)
    return keep, [edge for edge in edges if edge not in kept]
