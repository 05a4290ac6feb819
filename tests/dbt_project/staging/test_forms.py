"""How texts are typed and what they mean: the cases of ``forms.yml``, through the SQL that dbt ran."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

CASES: list[tuple[str, dict[str, Any]]] = [
    (f"{subject}: {case['claim']}", case)
    for subject, cases in yaml.safe_load(Path(__file__).with_name("forms.yml").read_text(encoding="utf-8")).items()
    for case in cases
]


@pytest.fixture(scope="module")
def mentions(standardise: Any) -> dict[str, dict[str, Any]]:
    """All cases in one go: what became of the form of each claim."""
    found = standardise([case["given"] for _, case in CASES])
    return {claim: mention for (claim, _), mention in zip(CASES, found, strict=True)}


def test_no_two_cases_make_the_same_claim() -> None:
    assert len({claim for claim, _ in CASES}) == len(CASES)


@pytest.mark.parametrize(("claim", "case"), CASES, ids=[claim for claim, _ in CASES])
def test_a_form_means_what_the_case_says(claim: str, case: dict[str, Any], mentions: dict[str, Any]) -> None:
    found = {column: mentions[claim][column] for column in case["expect"]}
    assert found == case["expect"]
