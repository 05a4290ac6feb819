"""The ledger of the work-list: what may be noted, that it is whole, and how it lies over what is published."""

from __future__ import annotations

import itertools
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from warehouse.home import PROJECT, Home
from warehouse.lake import NothingPublished, Snapshot
from warehouse.worklist import (
    LEDGER,
    LEDGER_FILE,
    OPEN,
    TRANSITIONS,
    VERDICTS,
    Decision,
    FindingUnknown,
    Selection,
    State,
    WorklistUnusable,
    copy_decisions_into,
    find_lead,
    history_of,
    open_leads,
    record_decisions,
    refuse_transition,
    select_leads,
)


@pytest.fixture
def leads(publish_run: Callable[..., Snapshot], home: Home) -> list[str]:
    """The ids of the leads of a home with one run."""
    publish_run()
    with open_leads(home) as connection:
        found, total = select_leads(connection, Selection())
    assert total == len(found) >= 3
    return [lead["finding_id"] for lead in found]


def state_of(home: Home, finding_id: str) -> str:
    with open_leads(home) as connection:
        return str(find_lead(connection, finding_id)["state"])


def decide(home: Home, finding: str, state: State, **own: Any) -> Any:
    (noted,) = record_decisions(home, [Decision(finding, state, "wang", **own)])
    return noted


def test_a_lead_about_nobodys_person_goes_to_the_district_of_residence_if_it_is_one_of_the_citys(
    publish_run: Callable[..., Snapshot], home: Home
) -> None:
    publish_run(
        "UPDATE golden.citizens SET managing_district = NULL",
        "UPDATE golden.citizens SET hukou_district = '511902' WHERE citizen_id = "
        "(SELECT min(citizen_id) FROM findings.findings)",
    )
    with open_leads(home) as connection:
        found, _ = select_leads(connection, Selection())
    outside = min(lead["citizen_id"] for lead in found)
    assert {lead["managing_district"] for lead in found if lead["citizen_id"] == outside} == {None}
    assert {lead["managing_district"] for lead in found if lead["citizen_id"] != outside} == {"510104"}


def test_a_decision_is_seen_at_once_and_nothing_published_changes(home: Home, leads: list[str]) -> None:
    noted = decide(home, leads[0], State.CONFIRMED, why="paid for two months")
    assert (noted.before, noted.state, noted.is_new, noted.refusal) == ("candidate", "confirmed", True, None)
    with open_leads(home) as connection:
        lead = find_lead(connection, leads[0])
        assert (lead["state"], lead["published_state"]) == ("confirmed", "candidate")
        (entry,) = history_of(connection, leads[0])
        assert (entry["decided_by"], entry["why"], entry["rule"]) == ("wang", "paid for two months", lead["rule"])
        assert entry["recorded_at"].tzinfo is not None
        assert find_lead(connection, leads[1])["state"] == "candidate"
    assert oct((home.worklist / LEDGER_FILE).stat().st_mode & 0o777) == "0o600"


def test_the_transitions_are_the_declared_ones(home: Home, leads: list[str]) -> None:
    assert set(TRANSITIONS) == set(State)
    for before, wanted in itertools.product(State, State):
        refusal = refuse_transition("0123456789", before, wanted)
        assert (refusal is None) == (wanted in TRANSITIONS[before]), (before, wanted)
        assert refusal is None or refusal.endswith(".")
    # What runs alone may write is open to nobody; what was decided is only revoked or, if true, handled.
    people = set().union(*TRANSITIONS.values())
    assert not people & {State.CLOSED, State.NEEDS_IDENTITY_REVIEW}
    assert people == VERDICTS | {State.DISPATCHED, State.CANDIDATE}
    assert not set(OPEN) & {State.REJECTED, State.HANDLED, State.CLOSED}


def test_a_wrong_transition_is_refused_and_leaves_no_entry(home: Home, leads: list[str]) -> None:
    decide(home, leads[0], State.REJECTED)
    noted = decide(home, leads[0], State.HANDLED)
    assert not noted.is_new
    assert "is rejected and cannot become handled; revoke that first" in noted.refusal
    with open_leads(home) as connection:
        assert len(history_of(connection, leads[0])) == 1


def test_revoking_adds_an_entry_and_the_lead_waits_again(home: Home, leads: list[str]) -> None:
    decide(home, leads[0], State.REJECTED)
    assert decide(home, leads[0], State.CANDIDATE).is_new
    with open_leads(home) as connection:
        assert [entry["state"] for entry in history_of(connection, leads[0])] == ["rejected", "candidate"]
    assert state_of(home, leads[0]) == "candidate"


def test_decisions_of_one_call_are_judged_one_after_another(home: Home, leads: list[str]) -> None:
    wanted = (State.DISPATCHED, State.CONFIRMED, State.CONFIRMED, State.HANDLED)
    noted = record_decisions(home, [Decision(leads[0], state, "wang") for state in wanted])
    assert [each.is_new for each in noted] == [True, True, False, True]
    assert noted[2].refusal is not None
    assert state_of(home, leads[0]) == "handled"


def test_the_same_statement_is_entered_once(home: Home, leads: list[str]) -> None:
    said = [Decision(leads[0], State.CONFIRMED, "wang", key="row 2")]
    assert record_decisions(home, said)[0].is_new
    decide(home, leads[0], State.CANDIDATE)
    # It comes again after it was revoked: it says nothing new.
    (again,) = record_decisions(home, said)
    assert (again.is_new, again.refusal, again.state) == (False, None, "candidate")


def test_a_published_state_that_knows_the_decision_is_not_overlaid(
    home: Home, leads: list[str], publish_run: Callable[..., Snapshot]
) -> None:
    decide(home, leads[0], State.CONFIRMED)
    publish_run(
        "UPDATE findings.findings SET state = 'closed', state_reason = 'The death was withdrawn.', is_holding = false,"
        f" decision_number = 1 WHERE finding_id = '{leads[0]}'"
    )
    assert state_of(home, leads[0]) == "closed"
    noted = decide(home, leads[0], State.REJECTED)
    assert "was closed by a run because it no longer holds" in noted.refusal


def test_a_lead_is_named_by_a_beginning_that_only_it_has(home: Home, leads: list[str]) -> None:
    with open_leads(home) as connection:
        assert find_lead(connection, leads[0][:8])["finding_id"] == leads[0]
        for wrong in ("", "abc", "zzzzzzzz", "%%%%%%%%"):
            with pytest.raises(FindingUnknown):
                find_lead(connection, wrong)


def test_a_run_is_handed_the_decisions_without_names_and_reasons(home: Home, leads: list[str]) -> None:
    with duckdb.connect() as work:
        assert copy_decisions_into(work, home, "history.decisions") == 0
        decide(home, leads[0], State.REJECTED, why="another person of that name")
        assert copy_decisions_into(work, home, "history.decisions") == 1
        columns = {row[0] for row in work.execute("DESCRIBE history.decisions").fetchall()}
        assert not columns & {"decided_by", "why", "dispatched_to", "origin"}
        assert columns < set(LEDGER)


def test_nothing_published_is_said(home: Home) -> None:
    with pytest.raises(NothingPublished), open_leads(home):
        pass
    with pytest.raises(NothingPublished):
        record_decisions(home, [Decision("0123456789", State.REJECTED, "wang")])


def test_a_ledger_that_is_none_is_one_sentence(home: Home, leads: list[str]) -> None:
    home.private_folder(home.worklist)
    (home.worklist / LEDGER_FILE).write_bytes(b"no database" * 2000)
    with pytest.raises(WorklistUnusable, match="cannot be opened"), open_leads(home):
        pass


WRITER = """
import sys
from pathlib import Path
from warehouse.home import Home
from warehouse.worklist import Decision, State, record_decisions
home, leads = Home(Path(sys.argv[1])), sys.argv[2:]
states = [State.DISPATCHED] * 40
print("ready", flush=True)
while True:
    record_decisions(home, [Decision(lead, state, "wang") for lead in leads for state in states])
"""


def kill_a_writer(home: Home, leads: list[str], delay: float) -> None:
    """Let a process enter decisions about three leads, call after call, and kill it ``delay`` seconds later."""
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(home.root), *leads[:3]], cwd=PROJECT, stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        time.sleep(delay)
        writer.send_signal(signal.SIGKILL)


def test_a_writer_killed_at_any_moment_leaves_whole_calls(home: Home, leads: list[str]) -> None:
    per_call = 40 * 3
    for delay in (0.05, 0.2, 0.35):
        kill_a_writer(home, leads, delay)
        with open_leads(home) as connection:
            numbers = [
                row[0] for row in connection.execute("SELECT decision_number FROM decisions ORDER BY 1").fetchall()
            ]
        assert len(numbers) % per_call == 0
        assert numbers == list(range(1, len(numbers) + 1))
    assert decide(home, leads[0], State.CONFIRMED).is_new


def test_the_ledger_appears_whole_or_not_at_all(home: Home, leads: list[str]) -> None:
    for delay in (0, 0.01, 0.02, 0.04, 0.06, 0.1):
        shutil.rmtree(home.worklist, ignore_errors=True)
        kill_a_writer(home, leads, delay)
        with open_leads(home) as connection:
            counted = connection.execute("SELECT count(*) FROM decisions").fetchone()
        assert counted is not None
        assert counted[0] % 120 == 0
        assert decide(home, leads[0], State.CONFIRMED).is_new
    assert (home.worklist / LEDGER_FILE).stat().st_mode & 0o777 == 0o600


def test_what_was_left_of_a_ledger_that_was_never_made_is_in_nobodys_way(home: Home, leads: list[str]) -> None:
    folder = home.private_folder(home.worklist)
    (folder / f".{LEDGER_FILE}.new").write_bytes(b"half a header")
    assert decide(home, leads[0], State.CONFIRMED).is_new
    assert sorted(file.name for file in folder.glob("*ledger*")) == [LEDGER_FILE]


def test_a_ledger_without_its_table_holds_no_decision(home: Home, leads: list[str]) -> None:
    duckdb.connect(str(home.private_folder(home.worklist) / LEDGER_FILE)).close()
    with open_leads(home) as connection:
        assert connection.execute("SELECT count(*) FROM decisions").fetchone() == (0,)
    assert decide(home, leads[0], State.CONFIRMED).is_new


def test_a_ledger_that_cannot_be_made_is_one_sentence(home: Home, leads: list[str]) -> None:
    home.worklist.write_text("a file where the folder would be", encoding="utf-8")
    with pytest.raises(WorklistUnusable, match="cannot be made"):
        record_decisions(home, [Decision(leads[0], State.CONFIRMED, "wang")])


def test_two_writers_wait_for_each_other(home: Home, leads: list[str], tmp_path: Path) -> None:
    program = WRITER.replace("while True:", "for _ in range(3):")
    writers = [
        subprocess.Popen([sys.executable, "-c", program, str(home.root), lead], cwd=PROJECT, stdout=subprocess.DEVNULL)
        for lead in leads[:2]
    ]
    assert [writer.wait(timeout=240) for writer in writers] == [0, 0]
    with open_leads(home) as connection:
        counted = connection.execute("SELECT count(*), count(DISTINCT decision_number) FROM decisions").fetchone()
    assert counted == (240, 240)
