"""Intervals for shares estimated from a stratified sample, without a normal approximation: shares here are near 1."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

# Two-sided 95 %.
Z = 1.959963984540054


@dataclass(frozen=True)
class Interval:
    """An estimate with its lower and upper limit."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True)
class Stratum:
    """A stratum of ``size`` units, of which ``labelled`` were judged and ``positive`` found to be so.

    ``is_redrawn``: a unit could be drawn several times, and then counts as often.
    """

    name: str
    size: int
    labelled: int
    positive: int
    is_redrawn: bool = False


def wilson(stratum: Stratum) -> Interval:
    """The score interval of one share (Wilson 1927), its width narrowed by the finite population correction where every
    unit was drawn once: what is drawn again tells nothing of the rest.

    A stratum that nobody has judged can have any share: 0.5 within 0 and 1; one judged whole has no doubt left.
    """
    n = stratum.labelled
    if n == 0:
        return Interval(0.5, 0.0, 1.0)
    share = stratum.positive / n
    spread = 1 + Z * Z / n
    middle = (share + Z * Z / (2 * n)) / spread
    half = Z / spread * math.sqrt(share * (1 - share) / n + Z * Z / (4 * n * n))
    low, high = max(0.0, middle - half), min(1.0, middle + half)
    if stratum.is_redrawn:
        return Interval(share, low, high)
    left = math.sqrt((stratum.size - n) / (stratum.size - 1)) if stratum.size > 1 else 0.0
    return Interval(share, share - (share - low) * left, share + (high - share) * left)


def total(strata: Sequence[Stratum]) -> Interval:
    """The number of positive units in all strata together.

    A linear function of independent shares: the distances of each stratum's Wilson limits from its estimate are added
    in squares (MOVER: Zou, Huang and Zhang, "A note on confidence interval estimation for a linear function of binomial
    proportions", Computational Statistics & Data Analysis 53, 2009, 1080-1085).
    """
    found = [(stratum.size, wilson(stratum)) for stratum in strata]
    estimate = sum(size * each.estimate for size, each in found)
    below = math.sqrt(sum((size * (each.estimate - each.low)) ** 2 for size, each in found))
    above = math.sqrt(sum((size * (each.high - each.estimate)) ** 2 for size, each in found))
    return Interval(estimate, max(0.0, estimate - below), min(float(sum(s.size for s in strata)), estimate + above))


def share(strata: Sequence[Stratum]) -> Interval:
    """The share of positive units in all strata together: ``total`` over the strata's sizes (1 where there is none)."""
    everyone = sum(stratum.size for stratum in strata)
    if everyone == 0:
        return Interval(1.0, 1.0, 1.0)
    found = total(strata)
    return Interval(found.estimate / everyone, found.low / everyone, found.high / everyone)


def part(found: Interval, lost: Interval) -> Interval:
    """``found`` of ``found + lost``, two independent totals: 1 / (1 + lost / found).

    The limits of the ratio are those of MOVER-R (Newcombe, "MOVER-R confidence intervals for ratios and products of two
    independently estimated quantities", Statistical Methods in Medical Research 25, 2016, 1774-1778). Where nothing
    may have been found, the lower limit is 0.
    """
    if found.estimate + lost.estimate == 0:
        return Interval(1.0, 0.0, 1.0)
    estimate = found.estimate / (found.estimate + lost.estimate)
    return Interval(estimate, 1 / (1 + _ratio_limit(found, lost, upper=True)), 1 / (1 + _ratio_limit(found, lost)))


def _ratio_limit(found: Interval, lost: Interval, *, upper: bool = False) -> float:
    """The lower or upper limit of ``lost / found``."""
    edge, other = (lost.high, found.low) if upper else (lost.low, found.high)
    if other <= 0:
        return math.inf
    if not upper and other >= 2 * found.estimate:
        return 0.0
    product = lost.estimate * found.estimate
    inner = product**2 - edge * other * (2 * lost.estimate - edge) * (2 * found.estimate - other)
    root = math.sqrt(max(0.0, inner)) * (1 if upper else -1)
    return max(0.0, (product + root) / (other * (2 * found.estimate - other)))
