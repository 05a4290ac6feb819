"""Whatever the order in which mentions arrive, are corrected and go: one partition, ids that stay, decisions that hold.

A history is a number of days; each day hands over all mentions known by then, in any order of rows, and is resolved in
the same home, from what the day before kept; every day must say what a full run says.
"""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from invented_mentions import Book, invent_town, partition, read_links, say_what_is_left_of_twins
from same_as_anew import resolve_both_ways

from identity.decisions import record, revoke
from warehouse.duck import connect
from warehouse.home import Home

FAMILIES = 3


class History:
    """Days in one home: mentions arrive in parts, some first with a wrong name, some go again; people decide."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.draw = random.Random(seed)
        self.home, self.work_file = Home(folder / "home"), folder / "work.duckdb"
        town = invent_town(seed, FAMILIES)
        say_what_is_left_of_twins(town, seed)
        self.final = town.rows
        self.runs = 0
        self.known: dict[str, dict[str, Any]] = {}

    def hand_over(self, rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
        shuffled = [dict(row) for row in rows]
        self.draw.shuffle(shuffled)
        Book(shuffled).write(self.work_file)
        self.runs += 1
        self.result = resolve_both_ways(self.work_file, self.home, f"run-{self.runs}")
        return read_links(self.work_file)

    def live_through(self, days: int) -> None:
        arrival = {row["mention_key"]: self.draw.randrange(days) for row in self.final}
        mistaken = set(self.draw.sample(sorted(arrival), 3))
        strangers = invent_town(self.draw.randrange(10**6), 1).rows
        for day in range(days):
            for row in self.final:
                if arrival[row["mention_key"]] == day:
                    first = row | {"name": "错" + row["name"][1:]} if row["mention_key"] in mistaken else row
                    self.known[row["mention_key"]] = first
                elif row["mention_key"] in self.known:
                    self.known[row["mention_key"]] = row
            passing = [row | {"mention_key": "gone/" + row["mention_key"], "record_key": "gone/" + row["record_key"]}
                       for row in strangers if self.draw.random() < 0.5]  # fmt: skip
            self.hand_over([*self.known.values(), *passing])

    def decide(self, verdict: str, left: str, right: str) -> str:
        with connect() as connection:
            connection.execute(f"ATTACH '{self.work_file}' AS work (READ_ONLY)")
            taken = [(verdict, left, right, "clerk", "seen")]
            return record(connection, self.home.identity, "work.intermediate.int_mentions__unioned", taken)[0]

    def redirects(self) -> list[tuple[str, str]]:
        with connect(self.work_file, read_only=True) as connection:
            return connection.execute("SELECT old_citizen_id, citizen_id FROM identity.redirects").fetchall()


def run_history(folder: Path, seed: int, days: int) -> None:
    history = History(folder / "lived", seed)
    history.live_through(days)
    lived = history.hand_over(history.final)
    reached = partition(history.work_file)

    at_once = History(folder / "at-once", seed)
    at_once.hand_over(at_once.final)
    assert reached == partition(at_once.work_file)

    again = history.hand_over(history.final)
    assert again == lived
    assert {key: history.result.ids[key] for key in ("minted", "merged", "split", "revived")} == {
        "minted": 0, "merged": 0, "split": 0, "revived": 0,
    }  # fmt: skip
    living = {link["citizen_id"] for link in again.values()} - {None}
    redirects = history.redirects()
    assert len({old for old, _ in redirects}) == len(redirects), "one cause for each retired id"
    assert not {old for old, _ in redirects} & living
    assert {new for _, new in redirects} <= living

    settled_decisions_hold(history, again)


def settled_decisions_hold(history: History, before: dict[str, dict[str, Any]]) -> None:
    """A link of two strangers and its taking back: both ids return, and nobody else's id moves."""
    linked = sorted(key for key, link in before.items() if link["citizen_id"] and "/registration/" in key)
    left = history.draw.choice(linked)
    others = [key for key in linked if before[key]["citizen_id"] != before[left]["citizen_id"]]
    right = history.draw.choice([key for key in others if key.rpartition("/")[0] != left.rpartition("/")[0]])
    decision = history.decide("link", left, right)
    joined = history.hand_over(history.final)
    assert joined[left]["citizen_id"] == joined[right]["citizen_id"]
    touched = {before[left]["citizen_id"], before[right]["citizen_id"]}
    for key, link in before.items():
        if link["citizen_id"] not in touched:
            assert joined[key]["citizen_id"] == link["citizen_id"], key
    with connect() as connection:
        revoke(connection, history.home.identity, decision, "clerk", "wrong")
    assert history.hand_over(history.final) == before


@pytest.mark.parametrize(
    ("histories", "part"),
    [
        pytest.param(2, 0, id="a few"),
        # Two hundred; in parts, that several processors can share them.
        *(pytest.param(50, part, id=f"part {part} of 4", marks=pytest.mark.heavy) for part in range(1, 5)),
    ],
)
def test_no_history_changes_who_is_who(tmp_path: Path, histories: int, part: int) -> None:
    @settings(max_examples=histories, deadline=None)
    # Other towns in every part.
    @given(seed=st.integers(part * 10**6, (part + 1) * 10**6 - 1), days=st.integers(1, 3))
    # The engine looked for what was clustered in a table of Arrow by a Bloom filter, which it cannot.
    @example(seed=4620, days=1)
    def holds(seed: int, days: int) -> None:
        folder = tmp_path / "history"
        shutil.rmtree(folder, ignore_errors=True)
        run_history(folder, seed, days)

    holds()
