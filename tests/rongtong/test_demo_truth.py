"""The demo city of README size, with a seed that trained nothing, against its true answer: floors, not figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from simulation.city import build_city, finalise_truth
from simulation.score import Score, score
from simulation.systems.start import start_systems
from warehouse.home import PROJECT

RULES = sorted(
    path.stem.removeprefix("fnd_") for path in (PROJECT / "dbt_project" / "models" / "findings").glob("fnd_*.sql")
)


@pytest.fixture(scope="module")
def result(rongtong: Any, tmp_path_factory: pytest.TempPathFactory) -> Score:
    folder: Path = tmp_path_factory.mktemp("truth")
    facts = build_city(folder / "city", persons=20_000, seed=1)
    with start_systems(folder / "city", folder / "systems", seed=1) as systems:
        finalise_truth(folder / "city", systems.positions, folder / "city" / "truth")
        ended = rongtong(folder / "var", "run", "--as-of", str(facts.as_of), connections=systems.environment)
    assert ended.code == 0, ended.err[-2000:] + ended.out[-2000:]
    assert rongtong(folder / "var", "export", str(folder / "out")).code == 0
    return score(folder / "out", folder / "city" / "truth", folder / "city")


def test_identity_finds_who_is_who(result: Score) -> None:
    assert result.linked.f1 >= 0.98
    assert result.linked.precision >= 0.995
    assert result.citizens_invented == 0


@pytest.mark.parametrize("rule", RULES)
def test_the_rule_finds_its_leads_and_accuses_nobody_else(result: Score, rule: str) -> None:
    judged = result.rule(rule)
    assert judged.precision >= 0.98, judged
    assert judged.recall >= 0.95, judged


def test_benefit_months_are_exact_and_lawful_exceptions_stay_silent(result: Score) -> None:
    assert result.benefit_months_differing == 0
    assert result.lawful_reported == 0
