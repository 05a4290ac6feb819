"""Every rule fires where its book says so, and stays silent in every lawful exception."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import duckdb
import pytest
from case_book import PROJECT, Case, finding_id, read_cases

CASES = read_cases(Path(__file__).parent / "cases")
RULES = sorted(path.stem for path in (PROJECT / "dbt_project" / "models" / "findings").glob("fnd_*.sql"))


@pytest.fixture(scope="module")
def found(candidate: duckdb.DuckDBPyConnection) -> dict[str, list[dict[str, Any]]]:
    """Leads by citizen."""
    relation = candidate.execute("select * from findings.findings order by rule, period_from")
    names = [column[0] for column in relation.description]
    leads: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in relation.fetchall():
        lead = dict(zip(names, row, strict=True))
        leads[lead["citizen_id"]].append(lead)
    return leads


def told(lead: dict[str, Any], case: Case, asked: set[str]) -> dict[str, Any]:
    """A lead in the words of a case book."""
    words = {
        "rule": lead["rule"],
        "who": case.who(lead["citizen_id"]),
        "from": str(lead["period_from"]),
        "to": str(lead["period_to"]),
        "yuan": float(lead["amount_yuan"]),
        "state": lead["state"],
        "household": lead["household_key"],
        "first_seen_run": lead["first_seen_run"],
        "last_seen_run": lead["last_seen_run"],
        "reason": lead["state_reason"],
        "is_holding": lead["is_holding"],
    }
    return {key: words[key] for key in words if key in asked}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.book}: {case.claim}")
def test_the_leads_of_a_case_are_exactly_the_expected_ones(case: Case, found: dict[str, list[dict[str, Any]]]) -> None:
    expected, ids = [], []
    for lead in case.content.get("expect") or []:
        words = {key: str(value) if key in ("from", "to") else value for key, value in lead.items()}
        # An older lead of the same rule whose id this one must carry.
        older = words.pop("carries_id_of", None)
        if "yuan" in words:
            words["yuan"] = float(words["yuan"])
        if "household" in words:
            words["household"] = case.household(words["household"])
        expected.append(words)
        if older is not None:
            ids.append((words["rule"], words["who"], words["from"], finding_id(case, {"rule": words["rule"]} | older)))
    leads = [lead for who in case.content["people"] for lead in found.get(case.citizen(who) or "", [])]
    assert sorted(
        (lead["rule"], str(case.who(lead["citizen_id"])), str(lead["period_from"])) for lead in leads
    ) == sorted((words["rule"], words["who"], words["from"]) for words in expected)
    for words in expected:
        same = [lead for lead in leads if told(lead, case, {"rule", "who", "from"}).items() <= words.items()]
        assert told(same[0], case, set(words)) == words
    carried = {
        (lead["rule"], case.who(lead["citizen_id"]), str(lead["period_from"]), lead["finding_id"]) for lead in leads
    }
    assert set(ids) <= carried


def test_every_rule_is_shown_red_and_every_rule_has_a_case_that_stays_green() -> None:
    red = {lead["rule"] for case in CASES for lead in case.content.get("expect") or []}
    green = {case.book for case in CASES if not case.content.get("expect")}
    assert {f"fnd_{rule}" for rule in red} == set(RULES)
    assert set(RULES) <= {f"fnd_{book}" for book in green}


def test_evidence_names_source_records(candidate: duckdb.DuckDBPyConnection) -> None:
    thin = candidate.execute(
        """select rule, evidence from findings.findings
           where is_holding and (
               json_array_length(evidence) = 0
               or json_extract_string(evidence, '$[0].source_record_id') is null
               or json_extract_string(evidence, '$[0].source_table') is null)"""
    ).fetchall()
    assert thin == []
