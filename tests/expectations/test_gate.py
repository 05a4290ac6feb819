"""From a candidate through the gate's own process to a publication, or to none."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest
from invented_candidate import AS_OF, NAMES, build_candidate, change, personal_values

from expectations.gate import GateFailed, audit, render_text
from warehouse import history
from warehouse.home import Home
from warehouse.publish import PublicationRefused, publish
from warehouse.rooms import ROOMS
from warehouse.run import begin_run
from warehouse.verdict import Verdict, read_verdict


def candidate(home: Home, *changes: str, as_of: date = AS_OF) -> tuple[str, Path]:
    run_id = begin_run(home, as_of).run_id
    work_file = build_candidate(home.work_file(run_id), run_id)
    change(work_file, *changes)
    return run_id, work_file


def test_a_sound_candidate_passes_the_gate_and_one_that_is_not_stays_inside(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    run_id, work_file = candidate(home)
    steps: list[tuple[int, int | None, str]] = []
    verdict = audit(work_file, home, run_id, lambda *step: steps.append(step))
    assert verdict.passed
    assert read_verdict(home, run_id) == verdict
    tables = len(ROOMS)
    assert steps[0] == (0, tables, "checking citizens")
    assert steps[-1] == (tables, tables, "checked")
    snapshot = publish(work_file, home, run_id, verdict, AS_OF)
    published = history.query(home, "SELECT count(*), count(DISTINCT check_id) FROM quality_results").fetchall()
    assert published == [(len(verdict.results), len(verdict.results))]

    # More than half of the citizens are gone, one has a sex of its own, one name is out, and a table is missing.
    next_id, next_file = candidate(
        home,
        "UPDATE golden.citizens SET sex = 'F' WHERE birth_year = 1931",
        f"UPDATE golden.citizens SET name_masked = '{NAMES[0]}' WHERE birth_year = 1932",
        "DROP TABLE golden.care_visits",
    )
    refused = audit(next_file, home, next_id)
    assert not refused.passed
    assert {result.check_id for result in refused.breaches} == {
        "citizens.sex_is_known_or_empty",
        "citizens.name_is_masked",
        "care_visits.table_exists",
    }
    with pytest.raises(PublicationRefused):
        publish(next_file, home, next_id, refused, AS_OF)
    assert history.current_snapshot(home) == snapshot

    page = (home.run_folder(next_id) / "report.html").read_text(encoding="utf-8")
    text = render_text(refused)
    for told in (page, text):
        assert "citizens.sex_is_known_or_empty" in told
        assert "citizen_id=C" in told
    assert "裁定" in page
    assert "http" not in page.replace("http-equiv", "")
    personal = [*NAMES, *personal_values(work_file)]
    for file in ("report.html", "verdict.json", "gate.log"):
        content = (home.run_folder(next_id) / file).read_text(encoding="utf-8")
        assert not [value for value in personal if value in content], file
        assert (home.run_folder(next_id) / file).stat().st_mode & 0o077 == 0


def test_a_gate_without_a_verdict_says_why(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    run_id = begin_run(home, AS_OF).run_id
    with pytest.raises(GateFailed, match="no candidate"):
        audit(home.work_file(run_id), home, run_id)
    assert not (home.run_folder(run_id) / "verdict.json").exists()


def test_a_verdict_cannot_be_talked_into_passing(tmp_path: Path) -> None:
    verdict = Verdict("r", "f" * 64, ())
    told = json.loads(verdict.to_json()) | {"passed": True}
    assert not Verdict.from_json(json.dumps(told)).passed
