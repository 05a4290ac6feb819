"""Names of the Airflow assets through which a landing tells the citizen view that it is fresh."""

from __future__ import annotations


def landing_asset(source: str) -> str:
    """The asset that stands for the landing of one source."""
    return f"landing_{source}"
