"""One check beside the suites: what clerks found when they labelled linked pairs, where anybody has done so.

It warns and never blocks: labels speak of the run that they were drawn from, not of this candidate.
"""

from __future__ import annotations

import json
from dataclasses import replace

from expectations.severity import Severity
from expectations.thresholds import THRESHOLDS
from warehouse.home import Home
from warehouse.verdict import CheckResult, Outcome, Verdict

CHECK_ID = "citizen_mentions.labelled_precision_holds"


def with_labels(verdict: Verdict, home: Home) -> Verdict:
    """The verdict with the check on labelled pairs; unchanged when no sample was ever labelled."""
    if not home.link_estimate.exists():
        return verdict
    return replace(verdict, results=(*verdict.results, _check(home.link_estimate.read_text(encoding="utf-8"))))


def _check(text: str) -> CheckResult:
    floor = THRESHOLDS["labelled_precision_floor"]
    try:
        found = json.loads(text)
        low, run_id, labelled = float(found["precision"]["low"]), str(found["run_id"]), int(found["labelled"])
    except (ValueError, KeyError, TypeError):
        outcome, message = Outcome.FAIL, "The estimate from labels cannot be read: rongtong evaluate --labels again."
    else:
        outcome = Outcome.PASS if low >= floor else Outcome.FAIL
        message = (
            f"By {labelled:,} labels of run {run_id}, at least {low:.4f} of linked pairs are right (95 % limit);"
            f" {floor} is asked."
        )
    return CheckResult(CHECK_ID, "citizen_mentions", None, Severity.WARNING.value, outcome, None, (), message)
