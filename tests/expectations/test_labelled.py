"""Labels of clerks: good ones pass, poor ones warn and block nothing, none say nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from expectations.labelled import CHECK_ID, with_labels
from warehouse.home import Home
from warehouse.verdict import Outcome, Verdict

EMPTY = Verdict("run-1", "print", ())


def written(tmp_path: Path, text: str) -> Home:
    home = Home(tmp_path / "home")
    home.private_folder(home.identity)
    home.link_estimate.write_text(text, encoding="utf-8")
    return home


@pytest.mark.parametrize(
    ("low", "outcome"), [(0.9999, Outcome.PASS), (0.95, Outcome.PASS), (0.949, Outcome.FAIL), (0.0, Outcome.FAIL)]
)
def test_a_lower_limit_under_the_floor_warns_and_blocks_nothing(tmp_path: Path, low: float, outcome: Outcome) -> None:
    said = {"run_id": "run-0", "labelled": 300, "precision": {"estimate": 1.0, "low": low, "high": 1.0}}
    verdict = with_labels(EMPTY, written(tmp_path, json.dumps(said)))
    (result,) = verdict.results
    assert (result.check_id, result.outcome, result.severity) == (CHECK_ID, outcome, "warning")
    assert "300 labels of run run-0" in result.message
    assert not result.blocks


def test_an_estimate_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    (result,) = with_labels(EMPTY, written(tmp_path, "{}")).results
    assert (result.outcome, result.blocks) == (Outcome.FAIL, False)


def test_without_labels_nothing_is_said(tmp_path: Path) -> None:
    assert with_labels(EMPTY, Home(tmp_path)) == EMPTY
