"""Parameters are a dated artefact, learnt from hidden numbers and never guessed."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from invented_mentions import invent_town

from identity.comparisons import COMPARISONS
from identity.model import PARAMETERS, ModelUnusable, Parameters
from identity.train import train


def test_the_shipped_parameters_fit_the_comparisons_and_bear_a_date() -> None:
    latest = Parameters.latest()
    assert {c.name for c in COMPARISONS} == set(latest.weights)
    assert all(len(file.stem) == 10 and file.stem[:2] == "20" for file in PARAMETERS.glob("*.json"))


def test_a_level_without_a_parameter_stops_the_run(tmp_path: Path) -> None:
    latest = Parameters.latest()
    weights = {name: dict(levels) for name, levels in latest.weights.items()}
    del weights["birth"]["same"]
    dataclasses.replace(latest, weights=weights).write(tmp_path / "2026-01-01.json")
    with pytest.raises(ModelUnusable, match="no weight for level same of birth; train again"):
        Parameters.latest(tmp_path)


def test_no_parameters_at_all_stop_the_run(tmp_path: Path) -> None:
    with pytest.raises(ModelUnusable, match="no trained parameters"):
        Parameters.latest(tmp_path)


def test_training_is_repeatable_and_learns_what_speaks_for_a_person(tmp_path: Path) -> None:
    work_file = invent_town(seed=3, families=60).write(tmp_path / "work.duckdb")
    learnt = train(work_file, seed=5, trained_on="an invented town")
    assert learnt.weights == train(work_file, seed=5, trained_on="an invented town").weights
    assert learnt.weights["name"]["same_rare"] > learnt.weights["name"]["surname"]
    assert learnt.weights["number"]["one_edit"] > 0 > learnt.weights["number"]["different"]
    assert learnt.weights["birth"]["same"] > learnt.weights["birth"]["different"]
