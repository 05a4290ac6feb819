"""Old citizen ids lead to the living one, today and as of a day; what is unknown is said in one sentence."""

from __future__ import annotations

import sys
from datetime import date
from pathlib import Path

import pytest

from identity.redirects import CitizenUnknown, resolve_citizen
from warehouse.home import Home
from warehouse.lake import NothingPublished, Snapshot
from warehouse.publish import publish
from warehouse.run import begin_run

# The invented candidate is the warehouse's.
sys.path.insert(0, str(Path(__file__).parents[1] / "warehouse"))
from invented_candidate import build_candidate, change
from published_candidate import passing_verdict

RETIRED = "Cretired000000000000"


def publish_as_of(home: Home, day: date, *changes: str) -> Snapshot:
    run_id = begin_run(home, day).run_id
    work_file = build_candidate(home.work_file(run_id), run_id)
    change(work_file, *changes)
    return publish(work_file, home, run_id, passing_verdict(work_file, run_id), day)


def redirect(old: str, new: str, reason: str, run: str) -> str:
    return (
        f"INSERT INTO golden.citizen_redirects VALUES ('{old}', {new}, '{reason}', '{run}',"
        " TIMESTAMPTZ '2026-02-01 00:00:00+08')"
    )


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, str]:
    """In January Cold lives; in February it went to Cmid, and that to the citizen whose id comes last."""
    home = Home(tmp_path_factory.mktemp("redirects") / "home")
    living = "(SELECT max(citizen_id) FROM golden.citizens)"
    born = (
        "INSERT INTO golden.citizens SELECT * REPLACE ('{id}' AS citizen_id) FROM golden.citizens"
        " ORDER BY citizen_id LIMIT 1"
    )
    publish_as_of(home, date(2026, 1, 20), born.format(id="Cold"), born.format(id="Cvanished"))
    publish_as_of(
        home,
        date(2026, 2, 20),
        redirect("Cold", "'Cmid'", "split", "run-b"),
        redirect("Cmid", living, "merge", "run-c"),
        redirect("Cround", "'Ctrip'", "merge", "run-d"),
        redirect("Ctrip", "'Cround'", "merge", "run-d"),
    )
    return home, resolve_citizen(home, "Cold").citizen_id


def test_an_old_id_leads_through_every_redirect_to_the_living_one(published: tuple[Home, str]) -> None:
    home, living = published
    found = resolve_citizen(home, "Cold")
    assert [(step.old_citizen_id, step.reason, step.run_id) for step in found.chain] == [
        ("Cold", "split", "run-b"),
        ("Cmid", "merge", "run-c"),
    ]
    assert found.citizen_id == living and living not in ("Cold", "Cmid")


def test_a_living_id_is_its_own_answer(published: tuple[Home, str]) -> None:
    home, living = published
    assert (resolve_citizen(home, living).citizen_id, resolve_citizen(home, living).chain) == (living, ())


def test_as_of_a_day_before_the_change_the_old_id_lives(published: tuple[Home, str]) -> None:
    home, living = published
    before = resolve_citizen(home, "Cold", date(2026, 2, 19))
    assert (before.citizen_id, before.as_of) == ("Cold", date(2026, 1, 20))
    assert resolve_citizen(home, "Cold", date(2026, 2, 20)).citizen_id == living
    with pytest.raises(NothingPublished, match="as of 2026-01-19; the oldest snapshot speaks of 2026-01-20"):
        resolve_citizen(home, "Cold", date(2026, 1, 19))


def test_an_id_that_nobody_carries_on_is_told_from_one_that_never_was(published: tuple[Home, str]) -> None:
    home, _ = published
    with pytest.raises(CitizenUnknown, match="Cvanished is gone: last published by run .* as of 2026-01-20"):
        resolve_citizen(home, "Cvanished")
    with pytest.raises(CitizenUnknown, match="no citizen Cnobody has been published; ids are listed"):
        resolve_citizen(home, "Cnobody")
    with pytest.raises(CitizenUnknown, match="no citizen Cmid has been published as of 2026-01-31"):
        resolve_citizen(home, "Cmid", date(2026, 1, 31))
    with pytest.raises(CitizenUnknown):
        resolve_citizen(home, "Cround")


def test_nothing_published_is_said(home: Home) -> None:
    with pytest.raises(NothingPublished, match="nothing is published here yet"):
        resolve_citizen(home, RETIRED)
