"""Edges that nothing can hold apart are joined without the greedy clustering, and the clusters are those it makes."""

from __future__ import annotations

import datetime as dt

from hypothesis import given, settings
from hypothesis import strategies as st

from identity.cluster import Constraints, Edge, attach_weak, join_founders
from identity.clustering import cluster_nodes
from identity.han import create_macros
from warehouse.duck import connect

COUNT = 16
NODES = st.integers(1, COUNT)
PAIRS = st.tuples(NODES, NODES).filter(lambda pair: pair[0] < pair[1])
DAYS = st.sampled_from([dt.date(1950, 3, 20), dt.date(1950, 3, 21), dt.date(1980, 10, 5)])
Cluster = dict[int, tuple[int | None, float | None]]


@st.composite
def cities(draw: st.DrawFn) -> tuple[list[Edge], set[int], Constraints]:
    """Edges, founders and constraints of a few nodes: an edge has a founder, numbers are of founders."""
    founders = draw(st.sets(NODES, min_size=COUNT // 2))
    edges = [
        (draw(st.integers(30, 300)) / 10, *pair)
        for pair in draw(st.lists(PAIRS, max_size=COUNT // 2, unique=True))
        if founders & set(pair)
    ]
    apart: dict[int, dict[int, str]] = {}
    for a, b in draw(st.lists(PAIRS, max_size=3)):
        apart.setdefault(a, {})[b] = apart.setdefault(b, {})[a] = "two parties of one record"
    return (
        edges,
        founders,
        Constraints(
            numbers={node: f"number {node % 3}" for node in draw(st.sets(NODES, max_size=8)) & founders},
            apart=apart,
            births={node: (draw(DAYS),) for node in draw(st.sets(NODES, max_size=8))},
            lives={node: (draw(DAYS), draw(DAYS)) for node in draw(st.sets(NODES, max_size=4))},
            together=tuple(sorted(draw(st.sets(PAIRS, max_size=2)))),
            founders=frozenset(founders),
        ),
    )


def greedily(edges: list[Edge], founders: set[int], constraints: Constraints) -> Cluster:
    """Cluster and weight of every node, by the greedy clustering of all edges."""
    strong = [edge for edge in edges if set(edge[1:]) <= founders]
    weak = [(w, b, a) if a in founders else (w, a, b) for w, a, b in edges if not {a, b} <= founders]
    partition = attach_weak(weak, join_founders(strong, constraints), constraints)
    founded = {partition.find(node) for node in founders}
    return {
        node: (
            partition.find(node) if partition.find(node) in founded else None,
            min(partition.joined[node][0], 60.0) if node in partition.joined else None,
        )
        for node in range(1, COUNT + 1)
    }


def by_tables(edges: list[Edge], founders: set[int], constraints: Constraints) -> Cluster:
    """The same by ``cluster_nodes``, over tables that say so."""
    with connect() as connection:
        create_macros(connection)
        connection.execute(
            """
            CREATE TABLE nodes (node BIGINT, kind VARCHAR, number VARCHAR, held_number VARCHAR, is_founder BOOLEAN,
                                birth_days DATE[], name VARCHAR);
            CREATE TABLE edges (match_weight DOUBLE, left_node BIGINT, right_node BIGINT, left_founds BOOLEAN,
                                right_founds BOOLEAN, is_rival BOOLEAN, nameless_weight DOUBLE, is_part BOOLEAN,
                                is_own BOOLEAN);
            CREATE VIEW joining_edges AS FROM edges;
            CREATE TABLE cannot_links (left_node BIGINT, right_node BIGINT, reason VARCHAR);
            CREATE TABLE decided_pairs (decision_id VARCHAR, verdict VARCHAR, left_node BIGINT, right_node BIGINT);
            CREATE TABLE lives (node BIGINT, died_on DATE, acted_on DATE);
            CREATE TABLE decisions (verdict VARCHAR, mention_l BIGINT, mention_r BIGINT);
            CREATE TABLE node_of (mention BIGINT, node BIGINT, kind VARCHAR, reason VARCHAR)
            """
        )
        numbers, births = constraints.numbers, constraints.births
        rows = {
            "nodes": [
                (node, "residual", *[numbers.get(node)] * 2, node in founders, list(births.get(node, ())), None)
                for node in range(1, COUNT + 1)
            ],
            "edges": [(w, a, b, a in founders, b in founders, False, w, False, False) for w, a, b in edges],
            "cannot_links": [
                (a, b, why) for a, others in constraints.apart.items() for b, why in others.items() if a < b
            ],
            "decided_pairs": [("d", "link", a, b) for a, b in constraints.together],
            "lives": [(node, *life) for node, life in constraints.lives.items()],
        }
        for table, found in rows.items():
            for row in found:
                connection.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", list(row))
        cluster_nodes(connection)
        return {
            node: (cluster, weight)
            for node, cluster, weight in connection.execute(
                "SELECT node, cluster, match_weight FROM node_clusters"
            ).fetchall()
        }


@given(city=cities())
@settings(max_examples=150, deadline=None)
def test_clusters_are_those_of_the_greedy_clustering(city: tuple[list[Edge], set[int], Constraints]) -> None:
    assert by_tables(*city) == greedily(*city)
