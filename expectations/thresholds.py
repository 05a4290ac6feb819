"""The gate's thresholds, by name; suites use them as ``${name}``."""

from __future__ import annotations

THRESHOLDS: dict[str, float | int] = {
    # A table that lost more than half of its rows since the last publication was not built from whole sources.
    "volume_floor": 0.5,
    # Below this many published rows a share says nothing.
    "volume_rows_at_least": 100,
    # More than this share of a delivery in quarantine: its owner's format has changed, or its contract is wrong.
    "quarantined_share": 0.1,
    "quarantined_rows_at_least": 10,
    # Nobody alive or on record is older.
    "earliest_birth_year": 1850,
    # Open figures about fewer persons or acts than this are suppressed.
    "suppression_floor": 5,
    # A household number that would be the identity number of somebody at least this old is one; the numbers that owners
    # build from a district and a recent day are younger.
    "adult_years": 18,
    # Visits are due weekly and typed in up to 14 days late; an owner that is silent for longer has stopped.
    "quiet_visit_days": 35,
    # The lower 95 % limit of the share of linked pairs that are right, by labels of clerks, where there are any.
    "labelled_precision_floor": 0.95,
}

# Keys shown per check that did not pass.
EXAMPLES = 5
