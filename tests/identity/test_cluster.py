"""Greedy clustering under constraints: no order of edges changes it, and what must stay apart stays apart."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict

from hypothesis import given, settings
from hypothesis import strategies as st

from identity.cluster import Constraints, Edge, attach_weak, join_founders

NODES = st.integers(1, 12)
EDGES = st.lists(
    st.tuples(st.floats(3, 30, allow_nan=False).map(lambda weight: round(weight, 1)), NODES, NODES).filter(
        lambda edge: edge[1] != edge[2]
    ),
    max_size=40,
    unique_by=lambda edge: (min(edge[1:]), max(edge[1:])),
)


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[Edge], Constraints]:
    edges = draw(EDGES)
    numbers = {node: f"number {node % 5}" for node in draw(st.sets(NODES, max_size=6))}
    apart: dict[int, dict[int, str]] = defaultdict(dict)
    for a, b in draw(st.lists(st.tuples(NODES, NODES).filter(lambda pair: pair[0] != pair[1]), max_size=6)):
        apart[a][b] = apart[b][a] = "two parties of one record"
    return edges, Constraints(numbers=numbers, apart=dict(apart))


def groups(edges: list[Edge], constraints: Constraints) -> set[frozenset[int]]:
    result = join_founders(edges, constraints)
    found: dict[int, set[int]] = defaultdict(set)
    for node in range(1, 13):
        found[result.find(node)].add(node)
    return {frozenset(group) for group in found.values()}


@given(graph=graphs(), order=st.randoms(use_true_random=False))
@settings(max_examples=300, deadline=None)
def test_no_order_of_edges_changes_the_partition(graph: tuple[list[Edge], Constraints], order: object) -> None:
    edges, constraints = graph
    shuffled = [(weight, b, a) for weight, a, b in edges]
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    assert groups(edges, constraints) == groups(shuffled, constraints)


@given(graph=graphs())
@settings(max_examples=300, deadline=None)
def test_no_cluster_has_two_numbers_and_cannot_links_hold(graph: tuple[list[Edge], Constraints]) -> None:
    edges, constraints = graph
    for group in groups(edges, constraints):
        assert len({constraints.numbers[node] for node in group if node in constraints.numbers}) <= 1
        assert not any(other in constraints.apart.get(node, {}) for node in group for other in group)


def test_a_tie_between_two_numbered_people_goes_to_review() -> None:
    constraints = Constraints(numbers={1: "a", 2: "b"}, apart={})
    result = join_founders([(12.0, 1, 3), (11.5, 2, 3)], constraints)
    assert result.root == {}
    assert {reason for *_, reason in result.review} == {"two partners are equally likely"}


def test_a_weak_mention_attaches_to_one_and_joins_nobody() -> None:
    constraints = Constraints(numbers={1: "a", 2: "b"}, apart={})
    partition = join_founders([], constraints)
    attach_weak([(9.0, 3, 1), (4.0, 3, 2)], partition, constraints)
    assert partition.find(3) == 1 and partition.find(2) == 2


def test_a_weak_tie_attaches_to_nobody() -> None:
    constraints = Constraints(numbers={1: "a", 2: "b"}, apart={})
    partition = join_founders([], constraints)
    attach_weak([(9.0, 3, 1), (8.5, 3, 2)], partition, constraints)
    assert partition.root == {}
    assert len(partition.review) == 2


def test_weak_mentions_that_a_person_put_together_attach_as_one() -> None:
    constraints = Constraints(numbers={1: "a", 2: "b"}, apart={}, together=((3, 4),))
    partition = attach_weak([(9.0, 4, 1)], join_founders([], constraints), constraints)
    assert partition.find(3) == partition.find(4) == 1


def test_weak_mentions_put_together_attach_to_nobody_from_whom_one_of_them_must_stay_apart() -> None:
    parted = {1: {3: "two parties of one record"}, 3: {1: "two parties of one record"}}
    constraints = Constraints(numbers={1: "a"}, apart=parted, together=((3, 4),))
    partition = attach_weak([(9.0, 4, 1)], join_founders([], constraints), constraints)
    assert partition.find(4) == 3
    assert partition.review == [(9.0, 4, 1, "two parties of one record")]


def test_weak_mentions_put_together_that_are_like_two_people_go_to_review() -> None:
    constraints = Constraints(numbers={1: "a", 2: "b"}, apart={}, together=((3, 4),))
    partition = attach_weak([(9.0, 4, 1), (8.8, 3, 2)], join_founders([], constraints), constraints)
    assert partition.find(4) == 3
    assert {edge[1:3] for edge in partition.review} == {(4, 1), (3, 2)}


def test_father_and_son_of_one_name_and_address_stay_apart_by_birth() -> None:
    father, son = (dt.date(1930, 11, 27),), (dt.date(1955, 8, 28),)
    constraints = Constraints(numbers={1: "a"}, apart={}, births={1: father, 2: son})
    result = join_founders([(9.0, 1, 2)], constraints)
    assert result.root == {} and result.review[0][3] == "birth dates far apart"


def test_a_lunar_birthday_is_no_other_person() -> None:
    constraints = Constraints(
        numbers={1: "a"}, apart={}, births={1: (dt.date(1950, 3, 20),), 2: (dt.date(1950, 2, 3),)}
    )
    assert join_founders([(9.0, 1, 2)], constraints).find(2) == 1


DIED, BEFORE, AFTER = dt.date(2020, 6, 1), dt.date(2019, 6, 1), dt.date(2021, 6, 1)


def test_who_married_after_the_death_is_not_the_one_who_died() -> None:
    constraints = Constraints(numbers={1: "a"}, apart={}, lives={1: (None, AFTER), 2: (DIED, None)})
    result = join_founders([(15.0, 1, 2)], constraints)
    assert result.root == {} and result.review[0][3] == "an act in person after the death"


def test_who_married_before_the_death_may_be_the_one_who_died() -> None:
    constraints = Constraints(numbers={1: "a"}, apart={}, lives={1: (None, BEFORE), 2: (DIED, None)})
    assert join_founders([(15.0, 1, 2)], constraints).find(2) == 1


def test_a_death_keeps_later_acts_from_the_whole_cluster() -> None:
    constraints = Constraints(numbers={1: "a"}, apart={}, lives={2: (DIED, None), 3: (None, AFTER)})
    result = join_founders([(15.0, 1, 2), (12.0, 1, 3)], constraints)
    assert result.find(2) == 1 and result.find(3) == 3


def test_a_weak_mention_of_a_later_act_does_not_attach_to_the_dead() -> None:
    constraints = Constraints(numbers={1: "a"}, apart={}, lives={1: (DIED, BEFORE), 3: (None, AFTER)})
    partition = attach_weak([(9.0, 3, 1)], join_founders([], constraints), constraints)
    assert partition.root == {} and partition.review[0][3] == "an act in person after the death"
