"""Tasks that are handed over follow from deaths and leads as the case books say, and no others do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest
from case_book import Case, read_cases

CASES = read_cases(Path(__file__).parent / "cases")


def expecting(part: str) -> list[Any]:
    return [pytest.param(case, id=case.claim) for case in CASES if part in case.content]


@pytest.mark.parametrize("case", expecting("tasks"))
def test_what_is_to_be_done_after_a_death(case: Case, candidate: duckdb.DuckDBPyConnection) -> None:
    people = [case.citizen(who) for who in case.content["people"]]
    tasks = candidate.execute(
        "select citizen_id, action, detail from handovers.drawn_after_death_tasks where list_contains(?, citizen_id)",
        [people],
    ).fetchall()
    expected = [(case.citizen(task["who"]), task["action"], task["detail"]) for task in case.content["tasks"]]
    assert sorted(tasks) == sorted(expected)


@pytest.mark.parametrize("case", expecting("verify"))
def test_whose_life_is_to_be_looked_at(case: Case, candidate: duckdb.DuckDBPyConnection) -> None:
    people = [case.citizen(who) for who in case.content["people"]]
    asked = candidate.execute(
        "select citizen_id from handovers.drawn_microgrid_tasks"
        " where kind = 'verify_life' and list_contains(?, citizen_id)",
        [people],
    ).fetchall()
    assert sorted(who for (who,) in asked) == sorted(case.citizen(who) or "" for who in case.content["verify"])
