"""Two years of monthly extracts: nobody's id moves unless something of them changed, and each change has one cause."""

from __future__ import annotations

import random
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from invented_mentions import Book, invent_town, read_links
from same_as_anew import resolve_both_ways

from identity.resolve import resolve
from warehouse.duck import connect
from warehouse.home import Home

MONTHS = 24
Rows = dict[str, dict[str, Any]]


def monthly_extracts(seed: int, families: int) -> list[Rows]:
    """Records come month by month; one in fifteen is misspelt until the next extract, one in sixty goes again."""
    draw = random.Random(seed)
    records: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in invent_town(seed, families).rows:
        records[row["record_key"]].append(row)
    extracts: list[Rows] = [{} for _ in range(MONTHS)]
    for rows in records.values():
        first = draw.randrange(MONTHS)
        last = draw.randrange(first, MONTHS) if draw.random() < 1 / 60 else MONTHS - 1
        misspelt = draw.random() < 1 / 15
        for month in range(first, last + 1):
            for row in rows:
                wrong = {"name": "错" + row["name"][1:]} if misspelt and month == first and row["name"] else {}
                extracts[month][row["mention_key"]] = row | wrong
    return extracts


@pytest.mark.heavy
def test_two_years_of_extracts_move_nobody_without_a_cause(tmp_path: Path) -> None:
    home, work_file = Home(tmp_path / "home"), tmp_path / "work.duckdb"
    extracts = monthly_extracts(seed=2024, families=150)
    before: dict[str, str | None] = {}
    known: Rows = {}
    untouched = moved = 0
    for month, rows in enumerate(extracts):
        Book([dict(row) for row in rows.values()]).write(work_file)
        run = resolve_both_ways if month == MONTHS - 1 else resolve
        result = run(work_file, home, f"month-{month}")
        assert result.changed is None if month == 0 else result.changed is not None
        after = {key: link["citizen_id"] for key, link in read_links(work_file).items()}
        still = unchanged_citizens(known, rows, before, after)
        assert {key: before[key] for key in still} == {key: after[key] for key in still}, f"month {month}"
        untouched += len(still)
        moved += explain_every_change(work_file, before, after)
        before, known = after, rows
    # The claims above would hold of a town in which nothing stays or nothing moves.
    assert untouched > 20_000
    assert moved > 20


def unchanged_citizens(
    known: Rows, rows: Rows, before: dict[str, str | None], after: dict[str, str | None]
) -> set[str]:
    """Mentions of citizens none of whose mentions came, went or changed, in either run, nor any under their numbers.

    Whose number it is may be decided by a record of another person who states it.
    """
    changed = {key for key in known.keys() | rows.keys() if known.get(key) != rows.get(key)}
    numbers = {row["id_no"] for key in changed for row in (known.get(key), rows.get(key)) if row and row.get("id_no")}
    touched = changed | {key for every in (known, rows) for key, row in every.items() if row.get("id_no") in numbers}
    restless = {before.get(key) for key in touched} | {after.get(key) for key in touched}
    return {
        key
        for key in known.keys() & rows.keys()
        if before[key] is not None and before[key] not in restless and after[key] not in restless
    }


def explain_every_change(work_file: Path, before: dict[str, str | None], after: dict[str, str | None]) -> int:
    """Assert that every id that lives no more was merged or split once, or lost all its mentions; count such ids."""
    with connect(work_file, read_only=True) as connection:
        causes = connection.execute("SELECT old_citizen_id, citizen_id, reason FROM identity.redirects").fetchall()
    living = {citizen for citizen in after.values() if citizen}
    gone = {citizen for citizen in before.values() if citizen} - living
    for citizen in gone:
        members = [key for key, holder in before.items() if holder == citizen and after.get(key)]
        led = [(new, reason) for old, new, reason in causes if old == citizen]
        if members:
            assert len(led) == 1, f"{citizen} has {len(led)} causes"
        assert all(new in living and reason in ("merge", "split") for new, reason in led)
    assert not {old for old, _, _ in causes} & living
    return len(gone)
