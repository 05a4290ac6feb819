"""A candidate goes out whole, once, and only with a passing verdict on itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import duckdb
import pytest
from invented_candidate import AS_OF, build_candidate, change
from published_candidate import passing_verdict

from warehouse import history, lake
from warehouse.comments import Meaning, write_comments
from warehouse.difference import CandidateUnusable
from warehouse.home import Home
from warehouse.lake import NothingPublished, Snapshot
from warehouse.publish import PublicationFailed, PublicationRefused, publish
from warehouse.retention import expire_snapshots
from warehouse.rooms import PUBLISHED, RESTRICTED, ROOMS, rooms_of
from warehouse.run import RunState, begin_run, finish_run, new_run_id, read_run, runs
from warehouse.verdict import CheckResult, Outcome, Verdict, fingerprint, read_verdict, write_verdict

PublishRun = Callable[..., Snapshot]


def rows(home: Home, sql: str) -> list[tuple]:
    return history.query(home, sql).fetchall()


def test_every_room_of_the_contract_is_published(home: Home, publish_run: PublishRun) -> None:
    publish_run()
    assert set(history.published_counts(home)) == {room.name for room in rooms_of(PUBLISHED)} | {
        "runs",
        "quality_results",
        "change_log",
    }
    with lake.open_restricted(home) as connection:
        assert set(lake.tables_of(connection, RESTRICTED)) == {room.name for room in rooms_of(RESTRICTED)} | {
            "change_log"
        }


def test_what_tables_and_columns_mean_is_published_with_them_and_changed_only_when_it_changed(
    home: Home, publish_run: PublishRun
) -> None:
    said = {"citizens": Meaning("One row per citizen. 公民", {"citizen_id": "The citizen's id. 公民编号"})}
    publish_run(meanings=said)
    comments = """
        SELECT column_name, column_comment FROM information_schema.columns
        WHERE table_catalog = 'published' AND table_name = 'citizens' AND column_name IN ('citizen_id', 'sex')
        ORDER BY 1
    """
    assert rows(home, comments) == [("citizen_id", "The citizen's id. 公民编号"), ("sex", None)]
    with lake.open_published(home, read_only=False) as connection:
        connection.execute("BEGIN")
        assert write_comments(connection, PUBLISHED, said) == 0
        said["citizens"] = Meaning("One row per person. 公民", said["citizens"].columns)
        assert write_comments(connection, PUBLISHED, said) == 1
        connection.execute("ROLLBACK")
    publish_run()
    assert rows(home, comments)[0] == ("citizen_id", "The citizen's id. 公民编号")


def test_one_run_is_one_snapshot_with_its_verdict(home: Home, publish_run: PublishRun) -> None:
    first, second = publish_run(), publish_run()
    assert [s.snapshot_id for s in history.snapshots(home)] == [first.snapshot_id, second.snapshot_id]
    assert second.snapshot_id == first.snapshot_id + 1
    assert history.current_snapshot(home) == second
    assert second.verdict.startswith("passed: 1 checks")
    assert second.as_of == AS_OF


def test_an_unchanged_run_duplicates_nothing(home: Home, publish_run: PublishRun) -> None:
    publish_run()
    before = history.published_counts(home)
    # The same findings, seen again: only when they were seen last has changed.
    second = publish_run("UPDATE findings.findings SET first_seen_run = '1', last_seen_run = '1'")
    third = publish_run("UPDATE findings.findings SET first_seen_run = '1', last_seen_run = '1'")
    after = history.published_counts(home)
    assert {name: after[name] for name in before if name not in ("runs", "quality_results", "change_log")} == {
        name: before[name] for name in before if name not in ("runs", "quality_results", "change_log")
    }
    changes = rows(home, f"SELECT sum(inserted), sum(deleted) FROM change_log WHERE run_id = '{third.run_id}'")
    assert changes == [(0, 0)]
    assert rows(
        home, f"SELECT inserted, deleted FROM change_log WHERE run_id = '{second.run_id}' AND inserted > 0"
    ) == [(3, 3)]
    assert rows(home, "SELECT count(*), count(DISTINCT run_id) FROM runs") == [(3, 3)]


def test_only_rows_that_differ_are_written(home: Home, publish_run: PublishRun) -> None:
    publish_run()
    second = publish_run(
        "UPDATE golden.bed_stays SET checked_out_on = NULL WHERE source_record_id = '1'",
        "DELETE FROM golden.care_visits WHERE source_record_id IN ('2', '3')",
    )
    log = dict(
        (name, (inserted, deleted))
        for name, inserted, deleted in rows(
            home, f"SELECT table_name, inserted, deleted FROM change_log WHERE run_id = '{second.run_id}'"
        )
    )
    assert log["bed_stays"] == (1, 1)
    assert log["care_visits"] == (0, 2)
    assert log["citizens"] == (0, 0)


def test_equal_rows_of_a_table_without_a_key_are_counted(home: Home, publish_run: PublishRun) -> None:
    twice = "INSERT INTO findings.finding_evidence SELECT * FROM findings.finding_evidence"
    publish_run(twice)
    publish_run(twice)
    with lake.open_restricted(home) as connection:
        assert connection.execute("SELECT count(*) FROM restricted.civil.finding_evidence").fetchall() == [(6,)]
    publish_run()
    with lake.open_restricted(home) as connection:
        assert connection.execute("SELECT count(*) FROM restricted.civil.finding_evidence").fetchall() == [(3,)]


AS_VIEWS = [
    f"ALTER TABLE golden.{table} RENAME TO stored_{table}; CREATE VIEW golden.{table} AS FROM golden.stored_{table}"
    for table in ("benefit_months", "citizen_identifiers")
]


def test_a_candidate_that_is_a_view_is_published_like_a_table(home: Home, publish_run: PublishRun) -> None:
    publish_run()
    second = publish_run(*AS_VIEWS)
    changed = f"FROM change_log WHERE run_id = '{second.run_id}'"
    assert rows(home, f"SELECT sum(inserted), sum(deleted) {changed} AND table_name = 'benefit_months'") == [(0, 0)]
    third = publish_run(
        *AS_VIEWS,
        "UPDATE golden.stored_benefit_months SET amount_yuan = 7 WHERE source_record_id = '510104/2025/00000003'",
        "INSERT INTO golden.stored_citizen_identifiers SELECT * FROM golden.stored_citizen_identifiers",
    )
    assert rows(
        home,
        f"SELECT inserted, deleted FROM change_log WHERE run_id = '{third.run_id}' AND table_name = 'benefit_months'",
    ) == [(1, 1)]
    assert rows(home, "SELECT count(*), count(*) FILTER (amount_yuan = 7) FROM benefit_months") == [(29, 1)]
    with lake.open_restricted(home) as connection:
        assert connection.execute("SELECT count(*) FROM restricted.civil.citizen_identifiers").fetchall() == [(120,)]
    publish_run(*AS_VIEWS)
    with lake.open_restricted(home) as connection:
        assert connection.execute("SELECT count(*) FROM restricted.civil.citizen_identifiers").fetchall() == [(60,)]


def test_a_published_run_is_not_published_again(home: Home) -> None:
    run_id = begin_run(home, AS_OF).run_id
    work_file = build_candidate(home.work_file(run_id), run_id)
    verdict = passing_verdict(work_file, run_id)
    first = publish(work_file, home, run_id, verdict, AS_OF)
    assert publish(work_file, home, run_id, verdict, AS_OF) == first
    assert len(history.snapshots(home)) == 1


def failing(verdict: Verdict) -> Verdict:
    bad = CheckResult("citizens.sex", "citizens", "sex", "critical", Outcome.FAIL, 3, ("citizen_id=C1",), "No.")
    return replace(verdict, results=(*verdict.results, bad))


def not_computed(verdict: Verdict) -> Verdict:
    bad = CheckResult("citizens.sex", "citizens", "sex", "info", Outcome.ERROR, None, (), "No.")
    return replace(verdict, results=(*verdict.results, bad))


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda verdict: None, id="there is no verdict"),
        pytest.param(failing, id="a critical check fails"),
        pytest.param(not_computed, id="a check of little weight could not be computed"),
        pytest.param(lambda verdict: replace(verdict, results=()), id="nothing was checked"),
        pytest.param(lambda verdict: replace(verdict, run_id="another"), id="the verdict is on another run"),
        pytest.param(lambda verdict: replace(verdict, fingerprint="0" * 64), id="the verdict is on another candidate"),
    ],
)
def test_without_a_passing_verdict_nothing_is_published(
    home: Home, publish_run: PublishRun, spoil: Callable[[Verdict], Verdict | None]
) -> None:
    former = publish_run()
    run_id = begin_run(home, AS_OF).run_id
    work_file = build_candidate(home.work_file(run_id), run_id, 40)
    with pytest.raises(PublicationRefused):
        publish(work_file, home, run_id, spoil(passing_verdict(work_file, run_id)), AS_OF)
    assert history.current_snapshot(home) == former
    with lake.open_restricted(home) as connection:
        assert len(lake.snapshots_of(connection, RESTRICTED)) == 1


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param("UPDATE golden.citizens SET sex = NULL WHERE birth_year = 1931", id="a cell"),
        pytest.param("DELETE FROM golden.care_visits WHERE source_record_id = '1'", id="a row"),
        pytest.param("INSERT INTO golden.care_visits SELECT * FROM golden.care_visits", id="every row twice"),
        pytest.param("ALTER TABLE golden.citizens ADD COLUMN note VARCHAR", id="a column"),
        pytest.param("DROP TABLE golden.bed_stays", id="a table"),
        pytest.param("DELETE FROM golden.citizen_attributes", id="a restricted table"),
    ],
)
def test_any_change_after_the_audit_changes_the_fingerprint(home: Home, statement: str) -> None:
    work_file = build_candidate(home.work_file("r"), "r")
    before = fingerprint(work_file)
    assert fingerprint(work_file) == before
    change(work_file, statement)
    assert fingerprint(work_file) != before


def test_the_order_of_rows_does_not_change_the_fingerprint(home: Home) -> None:
    work_file = build_candidate(home.work_file("r"), "r")
    before = fingerprint(work_file)
    change(work_file, "CREATE OR REPLACE TABLE golden.citizens AS FROM golden.citizens ORDER BY citizen_id DESC")
    assert fingerprint(work_file) == before


def test_a_new_column_is_added_and_an_absent_one_becomes_null(home: Home, publish_run: PublishRun) -> None:
    publish_run()
    publish_run("ALTER TABLE golden.bed_stays ADD COLUMN checkout_reason VARCHAR DEFAULT 'home'")
    assert rows(home, "SELECT count(checkout_reason), count(*) FROM bed_stays") == [(5, 5)]
    publish_run()
    assert rows(home, "SELECT count(checkout_reason), count(*) FROM bed_stays") == [(0, 5)]


def test_a_value_that_does_not_fit_stops_the_publication_and_is_not_told(home: Home, publish_run: PublishRun) -> None:
    former = publish_run("ALTER TABLE golden.bed_stays ADD COLUMN floor INTEGER")
    with pytest.raises((CandidateUnusable, PublicationFailed)) as stopped:
        publish_run("ALTER TABLE golden.bed_stays ADD COLUMN floor VARCHAR DEFAULT '欧阳锦绣'")
    assert "欧阳" not in str(stopped.value)
    assert "bed_stays" in str(stopped.value)
    assert history.current_snapshot(home) == former


def test_a_missing_candidate_table_stops_the_publication(home: Home, publish_run: PublishRun) -> None:
    former = publish_run()
    with pytest.raises(CandidateUnusable, match=r"golden\.bed_stays"):
        publish_run("DROP TABLE golden.bed_stays")
    assert history.current_snapshot(home) == former


def test_rolling_back_publishes_the_old_tables_again(home: Home, publish_run: PublishRun) -> None:
    first = publish_run()
    publish_run(
        "DELETE FROM golden.citizens WHERE birth_year = 1935",
        "ALTER TABLE golden.bed_stays ADD COLUMN floor INTEGER DEFAULT 3",
        "DELETE FROM golden.citizen_attributes",
    )
    run_id = new_run_id()
    again = history.republish(home, first.snapshot_id, run_id)
    assert again.run_id == run_id
    assert again.republished_snapshot_id == first.snapshot_id
    assert rows(home, "SELECT count(*) FROM citizens") == [(30,)]
    assert rows(home, "SELECT count(*), count(floor) FROM bed_stays") == [(5, 0)]
    assert rows(home, "SELECT state FROM runs ORDER BY finished_at") == [
        ("published",),
        ("published",),
        ("republished",),
    ]
    with lake.open_restricted(home) as connection:
        assert connection.execute("SELECT count(*) FROM restricted.civil.citizen_attributes").fetchall() == [(30,)]


def test_rolling_back_to_an_unknown_snapshot_is_refused(home: Home, publish_run: PublishRun) -> None:
    publish_run()
    with pytest.raises(history.SnapshotUnknown, match="99"):
        history.republish(home, 99, new_run_id())


def test_old_snapshots_expire_and_the_current_one_stays(home: Home, publish_run: PublishRun) -> None:
    publish_run()
    last = publish_run("DELETE FROM golden.citizens WHERE birth_year = 1935")
    assert expire_snapshots(home) == 0
    assert expire_snapshots(home, now=datetime.now(UTC) + timedelta(days=401)) == 1
    assert history.snapshots(home) == [last]
    assert rows(home, "SELECT count(*) FROM citizens") == [(29,)]
    publish_run()
    assert rows(home, "SELECT count(*) FROM citizens") == [(30,)]


def test_expiring_where_nothing_is_published_does_nothing(home: Home) -> None:
    assert expire_snapshots(home) == 0


def test_a_moved_home_is_read_and_written(home: Home, publish_run: PublishRun, tmp_path) -> None:
    publish_run()
    home.root.rename(tmp_path / "elsewhere")
    moved = Home(tmp_path / "elsewhere")
    assert rows(moved, "SELECT count(*) FROM citizens") == [(30,)]
    run_id = begin_run(moved, AS_OF).run_id
    work_file = build_candidate(moved.work_file(run_id), run_id, 32)
    publish(work_file, moved, run_id, passing_verdict(work_file, run_id), AS_OF)
    assert rows(moved, "SELECT count(*) FROM citizens") == [(32,)]
    assert not home.root.exists()


def test_a_run_record_tells_how_the_run_ended(home: Home) -> None:
    record = begin_run(home, AS_OF)
    assert (read_run(home, record.run_id).state, record.as_of) == (RunState.BUILDING, AS_OF)
    finish_run(home, record.run_id, RunState.REFUSED, reason="the gate refused it")
    assert [(r.run_id, r.state) for r in runs(home)] == [(record.run_id, RunState.REFUSED)]
    assert home.run_folder(record.run_id).stat().st_mode & 0o777 == 0o700


def test_run_ids_are_ordered_by_time() -> None:
    moments = [datetime(2026, 1, 20, 10, 15, second, tzinfo=UTC) for second in range(5)]
    ids = [new_run_id(moment) for moment in moments]
    assert ids == sorted(ids)
    assert ids[0].startswith("20260120T101500-")


def test_a_verdict_is_read_as_it_was_written(home: Home) -> None:
    run_id = begin_run(home, AS_OF).run_id
    verdict = failing(Verdict(run_id, "f" * 64, ()))
    file = write_verdict(home, verdict)
    assert read_verdict(home, run_id) == verdict
    assert json.loads(file.read_text())["passed"] is False


def test_key_columns_are_columns_of_the_contract() -> None:
    for room in ROOMS:
        assert set(room.key) <= set(room.columns), room.name
        assert set(room.id_columns) <= set(room.columns), room.name


def test_with_nothing_published_everything_says_so(home: Home, tmp_path) -> None:
    assert history.snapshots(home) == []
    assert history.published_counts(home) == {}
    for ask in (lambda: history.current_snapshot(home), lambda: history.query(home, "SELECT 1")):
        with pytest.raises(NothingPublished):
            ask()
    with pytest.raises(NothingPublished):
        history.export(home, tmp_path / "export")
    assert not home.published.exists()


def test_former_findings_reach_the_work_file(home: Home, publish_run: PublishRun, tmp_path) -> None:
    with duckdb.connect(str(tmp_path / "next.duckdb")) as connection:
        assert history.copy_published_table_into(connection, home, "findings", "history.findings") == 0
        names = [row[0] for row in connection.execute("DESCRIBE history.findings").fetchall()]
        assert {"finding_id", "rule", "state", "first_seen_run", "last_seen_run", "evidence"} <= set(names)
        publish_run()
        assert history.copy_published_table_into(connection, home, "findings", "history.findings") == 3
        # The work file is free again: nothing of the lake stays attached.
        attached = connection.execute("SELECT count(*) FROM duckdb_databases() WHERE NOT internal").fetchone()
        assert attached == (1,)
