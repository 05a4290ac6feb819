"""Join nodes into clusters: what people decided first, then founders greedily from the strongest edge down, under the
constraints; weak ones attach.

The order is total (weight, then both nodes), so no row order, thread or split of the data changes the partition. A tie
is never broken: it goes to review. A link that a person decided outranks every score and every constraint but one: the
decision of a person that two must stay apart.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from math import inf

from identity import thresholds

Edge = tuple[float, int, int]
# The day of death and the last day of an act in person.
Life = tuple[date | None, date | None]
# The weight of an edge that a person decided.
DECIDED = inf
EQUALLY_LIKELY = "two partners are equally likely"
TWINS = "twins, and either may be meant"
TWO_NUMBERS = "two different sound identity numbers"
FAR_APART = "birth dates far apart"
ACT_AFTER_DEATH = "an act in person after the death"
_UNTOLD: Life = (None, None)
# What a pair that leads to a possible twin weighs, and whether it bears out the doubt without being an edge.
Doubt = tuple[float, bool]


@dataclass
class Partition:
    """Which cluster each node went to (``root`` of nodes that moved), over which edge, what was put off for review,
    which decided links another decision forbids, and which nodes may still be either of two twins.
    """

    root: dict[int, int] = field(default_factory=dict)
    joined: dict[int, Edge] = field(default_factory=dict)
    review: list[tuple[float, int, int, str]] = field(default_factory=list)
    contradicted: list[tuple[int, int]] = field(default_factory=list)
    twins: dict[int, dict[int, Doubt]] = field(default_factory=dict)

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
    """What must stay apart: nodes with different sound numbers, far birth dates, or an act in person after the other's
    death, and pairs with the reason why.

    ``lives``: the day a node's person died and the last day it acted in person, where told. ``decided``: pairs that a
    person keeps apart; ``together``: pairs that a person put together; ``founders``: those of them that found a
    citizen by themselves. ``twins``: of a node that may be either of two twins, or more, its pairs with these.
    """

    numbers: dict[int, str]
    apart: dict[int, dict[int, str]]
    births: dict[int, tuple[date, ...]] = field(default_factory=dict)
    lives: dict[int, Life] = field(default_factory=dict)
    decided: frozenset[tuple[int, int]] = frozenset()
    together: tuple[tuple[int, int], ...] = ()
    founders: frozenset[int] = frozenset()
    twins: dict[int, dict[int, Doubt]] = field(default_factory=dict)


@dataclass
class _Growing:
    """Clusters in the making, by root: the sound numbers, birth dates, lives and members of each."""

    partition: Partition
    numbers: dict[int, frozenset[str]]
    births: dict[int, tuple[date, ...]]
    lives: dict[int, Life]
    members: dict[int, list[int]] = field(default_factory=dict)
    # Of clusters with nodes that a tie or twins tear: these nodes.
    torn: dict[int, set[int]] = field(default_factory=dict)

    def inside(self, root: int) -> list[int]:
        return self.members.get(root, [root])

    def join(self, left: int, right: int, edge: Edge) -> None:
        """Make one cluster of two roots over ``edge``."""
        keep, drop = min(left, right), max(left, right)
        self.members[keep] = self.inside(keep) + self.members.pop(drop, [drop])
        if numbers := self.numbers.get(keep, frozenset()) | self.numbers.pop(drop, frozenset()):
            self.numbers[keep] = numbers
        if born := self.births.get(keep, ()) + self.births.pop(drop, ()):
            self.births[keep] = born
        if torn := self.torn.pop(drop, set()):
            self.torn.setdefault(keep, set()).update(torn)
        if drop in self.lives:
            self.lives[keep] = _latest(self.lives.get(keep, _UNTOLD), self.lives.pop(drop))
        self.partition.root[drop] = keep
        for node in edge[1:]:
            self.partition.joined.setdefault(node, edge)


def join_founders(edges: Iterable[Edge], constraints: Constraints) -> Partition:
    """Greedy constrained clustering of nodes that found citizens; ``edges`` may come in any order."""
    result = Partition()
    growing = _Growing(
        result,
        {node: frozenset((number,)) for node, number in constraints.numbers.items()},
        dict(constraints.births),
        dict(constraints.lives),
    )
    _join_decided(growing, constraints)
    twins = result.twins = _open_doubts(growing, constraints)
    ordered = sorted(((-weight, min(a, b), max(a, b)) for weight, a, b in edges))
    tied = _ties([(-minus, a, b) for minus, a, b in ordered], constraints)
    between = {node for pair in tied for node in pair if node not in constraints.numbers}
    for node in between | set(twins):
        # Whom people put together with others is what the others are.
        if growing.inside(result.find(node)) == [node]:
            growing.torn[node] = {node}
    for minus, a, b in ordered:
        weight = -minus
        left, right = result.find(a), result.find(b)
        if left == right:
            continue
        reason = _why_apart(left, right, growing, constraints)
        if reason is None and (b in twins.get(a, ()) or a in twins.get(b, ())):
            reason = TWINS
        if reason is None and (a, b) in tied:
            reason = EQUALLY_LIKELY
        # Nor does a third record decide who is meant, by having joined one of the two.
        reason = reason or _why_torn(left, right, growing, between, twins)
        if reason is not None:
            result.review.append((weight, a, b, reason))
            continue
        growing.join(left, right, (weight, a, b))
    result.review += [
        (weight, node, partner, TWINS)
        for node, partners in twins.items()
        for partner, (weight, is_rival) in partners.items()
        if is_rival
    ]
    return result


def _open_doubts(growing: _Growing, constraints: Constraints) -> dict[int, dict[int, Doubt]]:
    """``constraints.twins`` but for what people decided: that two partners are one, or that a node is not one of them.

    A node that was joined to one of the partners is not joined to the other by way of a doubt.
    """
    found: dict[int, dict[int, Doubt]] = {}
    for node, partners in constraints.twins.items():
        find = growing.partition.find
        own = growing.inside(find(node))
        left = {
            partner: doubt
            for partner, doubt in partners.items()
            if not any((min(each, partner), max(each, partner)) in constraints.decided for each in own)
        }
        if len({find(partner) for partner in left}) > 1:
            found[node] = {partner: doubt for partner, doubt in left.items() if partner not in own}
    return found


def _why_torn(
    left: int, right: int, growing: _Growing, between: set[int], twins: dict[int, dict[int, Doubt]]
) -> str | None:
    """What a person has to say first, where a cluster holds a node that may be somebody of the other cluster."""
    for here, there in ((left, right), (right, left)):
        torn = growing.torn.get(here)
        if not torn:
            continue
        others = growing.inside(there)
        if any(other in twins[node] for node in torn if node in twins for other in others):
            return TWINS
        if there in growing.numbers and here not in growing.numbers and not between.isdisjoint(torn):
            return EQUALLY_LIKELY
    return None


def _join_decided(growing: _Growing, constraints: Constraints) -> None:
    """Join what people put together, unless people also keep two of the members apart."""
    result = growing.partition
    for a, b in sorted(constraints.together):
        left, right = result.find(a), result.find(b)
        if left == right:
            continue
        pairs = {(min(x, y), max(x, y)) for x in growing.inside(left) for y in growing.inside(right)}
        if pairs & constraints.decided:
            result.contradicted.append((a, b))
        else:
            growing.join(left, right, (DECIDED, a, b))


def attach_weak(edges: Iterable[Edge], partition: Partition, constraints: Constraints) -> Partition:
    """Attach every weak node to its one best cluster; ``edges`` are (weight, weak node, founder).

    A weak node joins nothing to nothing: it attaches alone, and only when no second cluster is nearly as likely. Weak
    nodes that a person put together attach as one: what is likely of one of them holds for all.
    """
    members: dict[int, list[int]] = defaultdict(list)
    for node in list(partition.root):
        members[partition.find(node)].append(node)
    options: dict[int, dict[int, Edge]] = defaultdict(dict)
    for weight, weak, founder in sorted(edges, key=lambda edge: (-edge[0], edge[1], edge[2])):
        unit = partition.find(weak)
        if constraints.founders.isdisjoint([unit, *members[unit]]):  # else a person decided where it belongs
            options[unit].setdefault(partition.find(founder), (weight, weak, founder))
    order = sorted((-max(edge[0] for edge in found.values()), unit) for unit, found in options.items())
    for _, unit in order:
        alike = [unit, *members[unit]]
        torn = {partner for node in alike for partner in partition.twins.get(node, {})}
        allowed, doubted = [], [-inf]
        for root, edge in options[unit].items():
            reason = _why_not_attached(alike, [root, *members[root]], constraints)
            if reason is None and not torn.isdisjoint([root, *members[root]]):
                reason = TWINS
                doubted.append(edge[0])
            if reason is None:
                allowed.append((edge, root))
            else:
                partition.review.append((*edge, reason))
        allowed.sort(key=lambda item: (-item[0][0], item[0][2]))
        if not allowed:
            continue
        best, root = allowed[0]
        if best[0] - max(doubted) < thresholds.TIE_MARGIN:
            partition.review.append((*best, EQUALLY_LIKELY))
            continue
        if len(allowed) > 1 and best[0] - allowed[1][0][0] < thresholds.TIE_MARGIN:
            partition.review += [(*edge, EQUALLY_LIKELY) for edge, _ in allowed[:2]]
            continue
        partition.root[unit] = root
        partition.joined.setdefault(unit, best)
        members[root] += alike
    return partition


def _why_not_attached(alike: list[int], inside: list[int], constraints: Constraints) -> str | None:
    """What keeps nodes without a citizen of their own from the cluster of nodes ``inside``, if anything."""
    own, others = ({constraints.numbers[n] for n in nodes if n in constraints.numbers} for nodes in (alike, inside))
    if own and others and not own & others:
        return TWO_NUMBERS
    forbidden = {enemy: reason for node in alike for enemy, reason in constraints.apart.get(node, {}).items()}
    if reason := next((forbidden[node] for node in inside if node in forbidden), None):
        return reason
    born = tuple(day for node in alike for day in constraints.births.get(node, ()))
    if any(are_far_apart(born, constraints.births.get(node, ())) for node in inside):
        return FAR_APART
    lives = [constraints.lives[node] for node in alike if node in constraints.lives]
    if any(outlives(life, constraints.lives.get(node, _UNTOLD)) for life in lives for node in inside):
        return ACT_AFTER_DEATH
    return None


def are_far_apart(some: tuple[date, ...], others: tuple[date, ...]) -> bool:
    """No birth date of the one lies near one of the other: a slip of one digit or the lunar calendar are near."""
    return bool(some and others) and not any(_is_near(a, b) for a in some for b in others)


def outlives(some: Life, other: Life) -> bool:
    """The one acted in person after the other's death, or the other after the one's: evidence of likeness is no proof.

    Within one node, which a sound number holds together, it is a finding and not a matter of this rule.
    """
    return any(
        died is not None and acted is not None and acted > died
        for (died, _), (_, acted) in ((some, other), (other, some))
    )


def _latest(some: Life, other: Life) -> Life:
    died, acted = ([day for day in days if day is not None] for days in zip(some, other, strict=True))
    return max(died, default=None), max(acted, default=None)


def _is_near(a: date, b: date) -> bool:
    if abs((a - b).days) <= thresholds.LUNAR_DAYS:
        return True
    if sum(x != y for x, y in zip(f"{a:%Y%m%d}", f"{b:%Y%m%d}", strict=True)) == 1:
        return True
    return a.year == b.year and (a.month, a.day) == (b.day, b.month)


def _why_apart(left: int, right: int, growing: _Growing, constraints: Constraints) -> str | None:
    a, b = growing.numbers.get(left), growing.numbers.get(right)
    if a is not None and b is not None and not a & b:
        return TWO_NUMBERS
    if are_far_apart(growing.births.get(left, ()), growing.births.get(right, ())):
        return FAR_APART
    if outlives(growing.lives.get(left, _UNTOLD), growing.lives.get(right, _UNTOLD)):
        return ACT_AFTER_DEATH
    one, other = growing.inside(left), growing.inside(right)
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
