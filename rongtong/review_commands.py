"""``rongtong review``: pairs that no score may decide, both records side by side, and what people decide about them."""

from __future__ import annotations

import getpass
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated

import duckdb
import typer

from identity.citizen_id import LedgerUnusable
from identity.decisions import VERDICTS, Decision, DecisionRefused, history, record, revoke
from identity.explain import explain
from identity.mention import MentionsUnusable
from identity.review import MENTIONS, NoSuchPair, Waiting, find_pair, open_review, queue
from rongtong import steps
from rongtong.console import Reporter, complain
from rongtong.identity_commands import print_explanation
from rongtong.review_sheets import SheetRefused, take_in_sheet, write_sheet
from rongtong.show_rows import print_rows
from warehouse.access_log import note_access
from warehouse.home import Home

FAILED, WRONG_USE = 1, 2

review = typer.Typer(
    help="Clerical review: undecided pairs, most useful first; decisions are kept for ever and replayed in every run. "
    "Values of persons are shown by --reveal and written by export alone; each look is noted.",
    no_args_is_help=True,
)
Reveal = Annotated[bool, typer.Option("--reveal", help="Show the values. They are of persons; the look is noted.")]
Json = Annotated[bool, typer.Option("--json", help="JSON on standard output.")]
By = Annotated[str | None, typer.Option("--by", help="Who decides; default: your user name.")]
Why = Annotated[str, typer.Option("--why", help="The reason, for example what was seen in which file.")]


def _work_file(home: Home) -> Path:
    last = steps.last_linked_run(home)
    if last is None:
        complain("review: no run has linked anything yet; make a run first.")
        raise typer.Exit(FAILED)
    return home.work_file(last.run_id)


@contextmanager
def _desk(home: Home) -> Iterator[duckdb.DuckDBPyConnection]:
    """The queue of the last run; troubles become one sentence and an exit code."""
    work_file = _work_file(home)
    try:
        with open_review(work_file, home.identity) as connection:
            yield connection
    except (MentionsUnusable, LedgerUnusable) as trouble:
        complain(str(trouble))
        raise typer.Exit(FAILED) from None
    except (DecisionRefused, NoSuchPair, SheetRefused) as wrong:
        complain(str(wrong))
        raise typer.Exit(WRONG_USE) from None


@review.command("next")
def show_next(
    limit: Annotated[int, typer.Option("--limit", min=1, help="So many pairs.")] = 10, as_json: Json = False
) -> None:
    """The pairs that wait, the most useful first. No values."""
    with _desk(Home.from_environment()) as connection:
        waiting, total = queue(connection, limit), len(queue(connection))
    if as_json:
        print(json.dumps({"total": total, "pairs": [asdict(pair) for pair in waiting]}, ensure_ascii=False))
        return
    console = Reporter().console
    if not waiting:
        console.print("no pair waits for a decision")
        return
    print_rows(
        console,
        ["pair", "weight", "mentions", "why it waits", "records"],
        [_listed(pair) for pair in waiting],
        counted=False,
    )
    console.print(f"[dim]{total:,} pairs wait; look at one: rongtong review show PAIR[/]")


def _listed(pair: Waiting) -> tuple[str, ...]:
    return (
        pair.pair_id,
        "" if pair.match_weight is None else f"{pair.match_weight:.1f}",
        f"{pair.mentions:,}",
        f"reopened: {pair.reopened}" if pair.reopened else pair.reason,
        f"{_brief(pair.mention_key_l)} | {_brief(pair.mention_key_r)}",
    )


def _brief(key: str) -> str:
    source, table, *_, role = key.split("/")
    return f"{source} {table} {role}"


@review.command()
def show(
    pair: Annotated[str, typer.Argument(metavar="PAIR", help="A pair's id, or two mention keys with a comma between.")],
    reveal: Reveal = False,
    as_json: Json = False,
) -> None:
    """Both records side by side: what agrees, who stands beside, and how each piece of evidence weighs."""
    home = Home.from_environment()
    with _desk(home) as connection:
        keys = find_pair(connection, pair, decided=True)
    found = explain(_work_file(home), ",".join(keys), reveal=reveal)
    if reveal:
        note_access(home, home.identity, "review show", keys)
    if as_json:
        print(json.dumps(found.as_dict(), ensure_ascii=False, default=str))
        return
    print_explanation(Reporter().console, found)


@review.command()
def decide(
    pair: Annotated[str, typer.Argument(metavar="PAIR", help="A pair's id, or two mention keys with a comma between.")],
    verdict: Annotated[str, typer.Argument(help="link, non-link or undecided.")],
    why: Why,
    by: By = None,
) -> None:
    """Decide about a pair; the next run applies it. A non-link takes the first of two keys out of its person."""
    home = Home.from_environment()
    with _desk(home) as connection:
        left, right = find_pair(connection, pair)
        taken = [(verdict, left, right, by or getpass.getuser(), why)]
        decision_id = record(connection, home.identity, MENTIONS, taken)[0]
    Reporter().say(f"{decision_id}: {verdict}; the next run applies it")


@review.command("revoke")
def revoke_decision(
    decision: Annotated[
        str, typer.Argument(metavar="DECISION|PAIR", help="The decision's id, or its pair's: rongtong review list.")
    ],
    why: Why,
    by: By = None,
) -> None:
    """Take a decision back: a row is added, none is removed."""
    home = Home.from_environment()
    with _desk(home) as connection:
        decision_id = _decision_named(history(connection, home.identity), decision)
        revoke(connection, home.identity, decision_id, by or getpass.getuser(), why)
    Reporter().say(f"{decision_id} is revoked; the next run does without it")


def _decision_named(decisions: list[Decision], name: str) -> str:
    """The decision of this id, or the last one about the pair of this id that was not revoked."""
    revoked = {each.revokes for each in decisions}
    of_pair = [
        each.decision_id
        for each in decisions
        if each.pair_id == name and each.revokes is None and each.decision_id not in revoked
    ]
    return of_pair[-1] if of_pair else name


@review.command("list")
def list_decisions(as_json: Json = False) -> None:
    """Every decision ever taken, oldest first, with who and why."""
    home = Home.from_environment()
    with _desk(home) as connection:
        decisions = history(connection, home.identity)
        troubles = dict(connection.execute("SELECT decision_id, trouble FROM decision_reports").fetchall())
    if as_json:
        said = [asdict(each) | {"state": _state(each, decisions, troubles)} for each in decisions]
        print(json.dumps(said, ensure_ascii=False))
        return
    rows = [
        (
            each.decision_id,
            each.pair_id,
            each.verdict,
            _state(each, decisions, troubles),
            each.author,
            f"{datetime.fromisoformat(each.decided_at).astimezone(steps.CITY_TIME):%Y-%m-%d %H:%M}",
            each.reason,
        )
        for each in decisions
    ]
    print_rows(Reporter().console, ["decision", "pair", "verdict", "state", "by", "at", "why"], rows, counted=False)


def _state(decision: Decision, decisions: list[Decision], troubles: dict[str, str | None]) -> str:
    if decision.revokes is not None:
        return f"revokes {decision.revokes}"
    if any(other.revokes == decision.decision_id for other in decisions):
        return "revoked"
    if decision.decision_id not in troubles:
        return "replaced by a later one"
    trouble = troubles[decision.decision_id]
    return f"reopened: {trouble}" if trouble else "in force"


@review.command()
def export(
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", help="A sheet to fill in: verdict, author, reason.")],
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many pairs.")] = 500,
) -> None:
    """Write the queue as a sheet with the values of both records, for a clerk to fill in and send back."""
    home = Home.from_environment()
    if file.name and not file.is_dir() and file.suffix.lower() != ".csv":
        complain(f"review: the sheet is CSV, and {file.name} is named otherwise; name it {file.stem}.csv.")
        raise typer.Exit(WRONG_USE)
    with _desk(home) as connection:
        waiting, total = queue(connection, limit), len(queue(connection))
        try:
            write_sheet(connection, home.identity, file, waiting)
        except OSError as refused:
            complain(f"review: {file} cannot be written ({refused.strerror}); name a file that you may write.")
            raise typer.Exit(FAILED) from None
    note_access(home, home.identity, "review export", [pair.pair_id for pair in waiting])
    left = "" if len(waiting) == total else f" of {total:,} (--limit)"
    Reporter().say(
        f"{len(waiting):,}{left} pairs in {file}; fill in verdict ({', '.join(VERDICTS)}), author and reason"
    )


@review.command("import")
def import_decisions(
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", help="A sheet of review export, filled in.")],
) -> None:
    """Take in a filled sheet: every row with a verdict becomes a decision; where one is wrong, none."""
    home = Home.from_environment()
    with _desk(home) as connection:
        taken = take_in_sheet(connection, home.identity, file)
    Reporter().say(f"{taken.entered:,} decisions taken in, {taken.known:,} were taken in before")
