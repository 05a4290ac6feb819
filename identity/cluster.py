"""Join nodes into clusters: founders greedily from the strongest edge down, under the constraints; weak ones attach.

The order is total (weight, then both nodes), so no row order, thread or split of the data changes the partition. A tie
is never broken: it goes to review.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date

from identity import thresholds

Edge = tuple[float, int, int]


@dataclass
class Partition:
    """Which cluster each node went to (``root`` of nodes that moved), over which edge, and what was put off."""

    root: dict[int, int] = field(default_factory=dict)
    joined: dict[int, Edge] = field(default_factory=dict)
    review: list[tuple[float, int, int, str]] = field(default_factory=list)

    def find(self, node: int) -> int:
        """The root of the cluster that holds ``node``."""
        path = []
        while (above := self.root.get(node, node)) != node:
            path.append(node)
            node = above
        for below in path:
            self.root[below] = node
        return node


@dataclass(frozen=True)
class Constraints:
    """What must stay apart: nodes with different sound numbers, far birth dates, and pairs with the reason why."""

    numbers: dict[int, str]
    apart: dict[int, dict[int, str]]
    births: dict[int, tuple[date, ...]] = field(default_factory=dict)


def join_founders(edges: Iterable[Edge], constraints: Constraints) -> Partition:
    """Greedy constrained clustering of nodes that found citizens; ``edges`` may come in any order."""
    result = Partition()
    number = dict(constraints.numbers)
    births = dict(constraints.births)
    members: dict[int, list[int]] = {}
    ordered = sorted(((-weight, min(a, b), max(a, b)) for weight, a, b in edges))
    tied = _ties([(-minus, a, b) for minus, a, b in ordered], constraints)
    for minus, a, b in ordered:
        weight = -minus
        if (a, b) in tied:
            result.review.append((weight, a, b, "two partners are equally likely"))
            continue
        left, right = result.find(a), result.find(b)
        if left == right:
            continue
        reason = _why_apart(left, right, number, births, members, constraints)
        if reason is not None:
            result.review.append((weight, a, b, reason))
            continue
        keep, drop = min(left, right), max(left, right)
        members[keep] = members.get(keep, [keep]) + members.pop(drop, [drop])
        if (moved := number.pop(drop, None)) is not None:
            number[keep] = moved
        if born := births.get(keep, ()) + births.pop(drop, ()):
            births[keep] = born
        result.root[drop] = keep
        for node in (a, b):
            result.joined.setdefault(node, (weight, a, b))
    return result


def attach_weak(edges: Iterable[Edge], partition: Partition, constraints: Constraints) -> Partition:
    """Attach every weak node to its one best cluster; ``edges`` are (weight, weak node, founder).

    A weak node joins nothing to nothing: it attaches alone, and only when no second cluster is nearly as likely.
    """
    options: dict[int, dict[int, Edge]] = defaultdict(dict)
    for weight, weak, founder in sorted(edges, key=lambda edge: (-edge[0], edge[1], edge[2])):
        options[weak].setdefault(partition.find(founder), (weight, weak, founder))
    members: dict[int, list[int]] = defaultdict(list)
    for node in list(partition.root):
        members[partition.find(node)].append(node)
    order = sorted((-max(edge[0] for edge in found.values()), weak) for weak, found in options.items())
    for _, weak in order:
        forbidden, born = constraints.apart.get(weak, {}), constraints.births.get(weak, ())
        allowed = []
        for root, edge in options[weak].items():
            inside = [root, *members[root]]
            reason = next((forbidden[node] for node in inside if node in forbidden), None)
            if reason is None and any(are_far_apart(born, constraints.births.get(node, ())) for node in inside):
                reason = "birth dates far apart"
            if reason is None:
                allowed.append((edge, root))
            else:
                partition.review.append((edge[0], weak, edge[2], reason))
        allowed.sort(key=lambda item: (-item[0][0], item[0][2]))
        if not allowed:
            continue
        best, root = allowed[0]
        if len(allowed) > 1 and best[0] - allowed[1][0][0] < thresholds.TIE_MARGIN:
            for edge, _ in allowed[:2]:
                partition.review.append((edge[0], weak, edge[2], "two partners are equally likely"))
            continue
        partition.root[weak] = root
        partition.joined[weak] = best
        members[root].append(weak)
    return partition


def are_far_apart(some: tuple[date, ...], others: tuple[date, ...]) -> bool:
    """No birth date of the one lies near one of the other: a slip of one digit or the lunar calendar are near."""
    return bool(some and others) and not any(_is_near(a, b) for a in some for b in others)


def _is_near(a: date, b: date) -> bool:
    if abs((a - b).days) <= thresholds.LUNAR_DAYS:
        return True
    if sum(x != y for x, y in zip(f"{a:%Y%m%d}", f"{b:%Y%m%d}", strict=True)) == 1:
        return True
    return a.year == b.year and (a.month, a.day) == (b.day, b.month)


def _why_apart(
    left: int,
    right: int,
    number: dict[int, str],
    births: dict[int, tuple[date, ...]],
    members: dict[int, list[int]],
    constraints: Constraints,
) -> str | None:
    a, b = number.get(left), number.get(right)
    if a is not None and b is not None and a != b:
        return "two different sound identity numbers"
    if are_far_apart(births.get(left, ()), births.get(right, ())):
        return "birth dates far apart"
    one, other = members.get(left, [left]), members.get(right, [right])
    if len(one) > len(other):
        one, other = other, one
    inside = set(other)
    for node in one:
        for enemy, reason in constraints.apart.get(node, {}).items():
            if enemy in inside:
                return reason
    return None


def _ties(edges: list[Edge], constraints: Constraints) -> set[tuple[int, int]]:
    """Edges of a node without a number whose two best numbered partners lie within the margin."""
    best: dict[int, list[tuple[float, int, tuple[int, int]]]] = defaultdict(list)
    for weight, a, b in edges:
        for node, partner in ((a, b), (b, a)):
            if node not in constraints.numbers and partner in constraints.numbers:
                best[node].append((weight, partner, (a, b)))
    tied: set[tuple[int, int]] = set()
    for node, found in best.items():
        usable = [item for item in found if item[1] not in constraints.apart.get(node, {})]
        if len(usable) > 1 and usable[0][0] - usable[1][0] < thresholds.TIE_MARGIN:
            tied.update(pair for _, _, pair in found)
    return tied
