"""How much a check weighs: what blocks a publication, and what is only told.

*Critical* is what our own code promises: columns, keys, references between tables, sums and row counts that are
conserved, closed vocabularies, and that nothing personal leaves. A candidate that breaks one is not fit for anybody.
*Warning* is what sources do: odd values, shares of refused rows. It is published, counted and told, because a city must
not wait for one mistyped row. *Info* is worth a line in the report. A check that cannot be computed blocks whatever it
weighs: a gate that cannot see does not open.
"""

from __future__ import annotations

from enum import StrEnum


class Severity(StrEnum):
    """The weight of a check, in Great Expectations' own words."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"
