"""Citizen ids survive: re-runs, any order of rows, corrections, wrong merges that are taken back."""

from __future__ import annotations

import datetime as dt
import random
import re
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from invented_mentions import Book, Person, invent_town, partition, read_links, sound_number

from identity.citizen_id import LEDGER_FILE, LedgerUnusable, mint
from identity.resolve import ResolveResult, resolve
from warehouse.duck import connect
from warehouse.home import Home

ANNA = Person("anna", "温如玉", dt.date(1950, 3, 4), 122)
BELA = Person("bela", "石破天", dt.date(1961, 8, 9), 333)


def run(book: Book, home: Home, run_id: str) -> tuple[ResolveResult, dict[str, str | None]]:
    work_file = book.write(home.run_folder(run_id) / "work.duckdb")
    result = resolve(work_file, home, run_id)
    return result, {key: link["citizen_id"] for key, link in read_links(work_file).items()}


def redirects(home: Home, run_id: str) -> dict[str, tuple[str, str]]:
    with connect(home.run_folder(run_id) / "work.duckdb", read_only=True) as connection:
        rows = connection.execute("SELECT old_citizen_id, citizen_id, reason FROM identity.redirects").fetchall()
    return {old: (new, reason) for old, new, reason in rows}


def marriage_book(anna_number: str, bela_number: str, extra: str | None = None) -> Book:
    """Anna has two records, Bela two; ``extra`` is the number of a third record under Anna's name."""
    book = Book()
    for n in range(2):
        book.say(ANNA, f"a{n}", "woman", id_no=anna_number)
        book.say(BELA, f"b{n}", "man", id_no=bela_number)
    if extra:
        book.say(ANNA, "c", "woman", id_no=extra)
    return book


def test_ids_are_opaque_and_never_alike() -> None:
    minted = set(mint(2000).to_pylist())
    assert len(minted) == 2000
    assert all(re.fullmatch(r"c_[0-9a-z]{16}", citizen_id) for citizen_id in minted)


@given(seed=st.integers(0, 10**6))
@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_order_of_rows_changes_the_partition_and_a_rerun_keeps_ids(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    home = Home(tmp_path_factory.mktemp("order") / "home")
    book = invent_town(seed, families=10)
    first, ids = run(book, home, "run-1")
    before = partition(home.work_file("run-1"))
    random.Random(seed).shuffle(book.rows)
    second, again = run(book, home, "run-2")
    assert partition(home.work_file("run-2")) == before
    assert again == ids
    assert (second.ids["minted"], second.ids["merged"], second.ids["split"]) == (0, 0, 0)
    assert first.ids["minted"] == first.citizens


def test_a_corrected_number_leaves_its_cluster_and_drags_nobody_along(home: Home) -> None:
    _, before = run(marriage_book(ANNA.number, BELA.number, extra=ANNA.number), home, "run-1")
    other = sound_number(dt.date(1952, 3, 4), 124)
    result, after = run(marriage_book(ANNA.number, BELA.number, extra=other), home, "run-2")
    moved = after.pop("silo/registration/c/woman")
    assert before.pop("silo/registration/c/woman") not in (moved, None)
    assert after == before
    assert result.ids["minted"] == 1 and redirects(home, "run-2") == {}


def test_a_corrected_number_of_every_record_keeps_the_id(home: Home) -> None:
    _, before = run(marriage_book(ANNA.number, BELA.number), home, "run-1")
    _, after = run(marriage_book(sound_number(dt.date(1950, 4, 3), 122), BELA.number), home, "run-2")
    assert after == before


def test_a_merge_redirects_and_taking_it_back_restores_both_ids(home: Home) -> None:
    second = sound_number(dt.date(1950, 3, 5), 122)
    apart = marriage_book(ANNA.number, BELA.number, extra=second)
    together = marriage_book(ANNA.number, BELA.number, extra=ANNA.number)
    _, before = run(apart, home, "run-1")
    merged, middle = run(together, home, "run-2")
    gone, kept = before["silo/registration/c/woman"], before["silo/registration/a0/woman"]
    assert middle["silo/registration/c/woman"] == kept
    assert merged.ids["merged"] == 1
    assert redirects(home, "run-2") == {gone: (kept, "merge")}
    restored, after = run(apart, home, "run-3")
    assert after == before
    assert (restored.ids["minted"], restored.ids["revived"]) == (0, 1)
    assert redirects(home, "run-3") == {}


def test_shifted_rows_of_a_new_file_version_carry_no_ids(home: Home) -> None:
    def roster(people: list[Person]) -> Book:
        book = Book()
        for row, person in enumerate(people, start=2):
            book.say(person, f"510104/202501/member/1/{row}", "member", table="member", id_no=person.number)
        return book

    people = [Person(f"p{n}", f"安{'东南西北中'[n]}", dt.date(1960, 1, 1 + n), 101 + n) for n in range(5)]
    first = roster(people)
    _, before = run(first, home, "run-1")
    second = roster([Person("new", "麻花", dt.date(1999, 9, 9), 55), *people])
    _, after = run(second, home, "run-2")
    by_person = {first.truth[key]: citizen_id for key, citizen_id in before.items()}
    now = {second.truth[key]: citizen_id for key, citizen_id in after.items()}
    assert now.pop("new") not in by_person.values()
    assert now == by_person


def test_a_deleted_mention_leaves_no_orphan_and_its_id_is_not_used_again(home: Home) -> None:
    _, before = run(marriage_book(ANNA.number, BELA.number), home, "run-1")
    book = Book()
    book.say(ANNA, "a0", "woman", id_no=ANNA.number)
    _, after = run(book, home, "run-2")
    assert after == {"silo/registration/a0/woman": before["silo/registration/a0/woman"]}
    with connect(home.work_file("run-2"), read_only=True) as connection:
        assert connection.execute("SELECT count(*) FROM identity.citizens").fetchone() == (1,)
    _, back = run(marriage_book(ANNA.number, BELA.number), home, "run-3")
    assert back == before


def test_the_ledger_holds_no_name_and_no_number(home: Home, tmp_path: Path) -> None:
    run(marriage_book(ANNA.number, BELA.number), home, "run-1")
    with connect(home.identity / "ledger.duckdb", read_only=True) as connection:
        text = str(connection.execute("SELECT * FROM member").fetchall())
        text += str(connection.execute("SELECT * FROM citizen").fetchall())
    assert ANNA.number not in text and ANNA.name not in text


def test_a_ledger_that_holds_texts_is_numbered_and_says_the_same(home: Home) -> None:
    run(marriage_book(ANNA.number, BELA.number, sound_number(ANNA.born, 124)), home, "run-1")
    _, before = run(marriage_book(ANNA.number, ANNA.number), home, "run-2")
    with connect(home.identity / "ledger.duckdb") as ledger:
        numbered = [ledger.execute(f"FROM {table} ORDER BY ALL").fetchall() for table in ("member", "citizen")]
        write_as_texts(ledger, home.work_file("run-1"))
    assert resolve(home.work_file("run-2"), home, "run-3").ids["minted"] == 0
    assert {key: link["citizen_id"] for key, link in read_links(home.work_file("run-2")).items()} == before
    with connect(home.identity / "ledger.duckdb") as ledger:
        assert [ledger.execute(f"FROM {table} ORDER BY ALL").fetchall() for table in ("member", "citizen")] == numbered


def write_as_texts(ledger: duckdb.DuckDBPyConnection, work_file: Path) -> None:
    """Bring the ledger into the layout of version 0.1; ``work_file`` holds every mention that it knows."""
    ledger.execute(
        f"""
        ATTACH '{work_file}' AS work (READ_ONLY);
        CREATE TABLE texts AS
        WITH told AS (SELECT name, id_no FROM work.intermediate.int_mentions__unioned),
        keyed AS (SELECT fingerprint_key || said AS said
                  FROM secret, (SELECT name AS said FROM told UNION SELECT id_no FROM told))
        SELECT md5(said) AS digest, (md5_number_lower(said) >> 1)::BIGINT AS print FROM keyed;
        ALTER TABLE member RENAME TO member_numbered;
        ALTER TABLE citizen RENAME TO citizen_numbered;
        CREATE TABLE citizen (citizen_id VARCHAR PRIMARY KEY, first_run_id VARCHAR, sequence BIGINT,
                              is_active BOOLEAN, number_print VARCHAR);
        CREATE TABLE member (mention_key VARCHAR PRIMARY KEY, citizen_id VARCHAR, origin_id VARCHAR,
                             name_print VARCHAR, number_print VARCHAR);
        INSERT INTO citizen
        SELECT citizen_id, first_run_id, sequence, is_active, digest
        FROM citizen_numbered LEFT JOIN texts ON print = number_print;
        INSERT INTO member
        SELECT m.mention_key, c.citizen_id, o.citizen_id, n.digest, i.digest
        FROM member_numbered
        JOIN work.intermediate.int_mentions__unioned AS m ON (md5_number_lower(mention_key) >> 1)::BIGINT = mention
        LEFT JOIN citizen_numbered AS c ON c.sequence = citizen LEFT JOIN citizen_numbered AS o ON o.sequence = origin
        LEFT JOIN texts AS n ON n.print = name_print LEFT JOIN texts AS i ON i.print = member_numbered.number_print;
        DROP TABLE texts; DROP TABLE member_numbered; DROP TABLE citizen_numbered;
        DETACH work
        """
    )


def test_what_was_left_of_a_ledger_that_was_never_made_is_in_nobodys_way(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    folder = home.private_folder(home.identity)
    (folder / f".{LEDGER_FILE}.new").write_bytes(b"half a header")
    run(marriage_book(ANNA.number, BELA.number), home, "run-1")
    assert sorted(file.name for file in folder.glob("*ledger*")) == [LEDGER_FILE]
    assert (folder / LEDGER_FILE).stat().st_mode & 0o777 == 0o600


def test_a_ledger_that_is_none_is_never_taken_for_an_empty_one(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    (home.private_folder(home.identity) / LEDGER_FILE).write_bytes(b"no database" * 2000)
    with pytest.raises(LedgerUnusable, match="cannot be opened .*; it is damaged: restore it from a backup"):
        run(marriage_book(ANNA.number, BELA.number), home, "run-1")


def test_the_log_of_a_ledger_that_is_gone_is_not_read_into_a_new_one(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    (home.private_folder(home.identity) / f"{LEDGER_FILE}.wal").write_bytes(b"what was said last")
    with pytest.raises(LedgerUnusable, match="is gone and its log .* is there; restore both"):
        run(marriage_book(ANNA.number, BELA.number), home, "run-1")


def test_a_ledger_that_another_process_has_open_is_said_to_be(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    run(marriage_book(ANNA.number, BELA.number), home, "run-1")
    holder = subprocess.Popen(
        [sys.executable, "-c", f"import duckdb; c = duckdb.connect({str(home.identity / LEDGER_FILE)!r});"
         " print('open', flush=True); input()"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with holder:
        assert holder.stdout is not None and holder.stdout.readline() == "open\n"
        with pytest.raises(LedgerUnusable, match="end the run that holds it"):
            run(marriage_book(ANNA.number, BELA.number), home, "run-2")
        holder.communicate("\n")
