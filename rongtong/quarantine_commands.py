"""``rongtong quarantine``: what waits and why; back to its owner; judged again."""

from __future__ import annotations

import getpass
import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from ingest.quarantine import NotWaiting, ShownRow, WaitingRow, list_waiting, show_waiting
from ingest.quarantine_export import export_waiting
from ingest.registry import source_names
from ingest.replay import Correction, ReplayResult, replay
from rongtong.console import Reporter, complain
from rongtong.show_rows import print_rows
from rongtong.steps import CITY_TIME
from warehouse.home import Home

FAILED, WRONG_USE = 1, 2
LISTED = 50
LISTED_COLUMNS = ("id", "source", "delivery", "position", "reason", "message", "first seen", "days", "owner")
SENTENCES_SHOWN = 20

quarantine = typer.Typer(
    help="Refused rows: what waits and why, back to their owners, judged again. "
    "Values of persons are shown by show --reveal and written by export alone.",
    no_args_is_help=True,
)

Source = Annotated[str | None, typer.Option("--source", help="Of this source alone.")]
Reason = Annotated[str | None, typer.Option("--reason", help="With this reason code first, for example unknown_code.")]
District = Annotated[
    str | None, typer.Option("--district", help="Of files of this district alone, for example 510104.")
]
Json = Annotated[bool, typer.Option("--json", help="JSON on standard output.")]


def _check_source(source: str | None) -> None:
    known = source_names()
    if source is not None and source not in known:
        complain(f"there is no source named {source}; the sources are {', '.join(known)}.")
        raise typer.Exit(WRONG_USE)


@quarantine.command("list")
def list_rows(
    source: Source = None,
    reason: Reason = None,
    district: District = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many rows.")] = LISTED,
    as_json: Json = False,
) -> None:
    """The rows that wait: where they are from, why, since when, whose they are. No values."""
    _check_source(source)
    rows, total = list_waiting(Home.from_environment(), source=source, reason=reason, district=district, limit=limit)
    if as_json:
        print(json.dumps({"total": total, "rows": [asdict(row) for row in rows]}, ensure_ascii=False, default=str))
        return
    console = Reporter().console
    if not rows:
        console.print("nothing waits in quarantine")
        return
    print_rows(console, list(LISTED_COLUMNS), [_listed(row) for row in rows], counted=False)
    shown = f", {len(rows):,} of them shown; raise --limit, or narrow by --source, --reason, --district"
    console.print(f"[dim]{total:,} rows wait{'' if total == len(rows) else shown}[/]")


def _listed(row: WaitingRow) -> tuple[str, ...]:
    """The cells of ``LISTED_COLUMNS``."""
    return (
        row.quarantine_id,
        row.source_system,
        row.delivery_id.removeprefix(f"{row.source_system}/"),
        row.position,
        row.reason_code,
        row.message,
        f"{row.first_seen_at.astimezone(CITY_TIME):%Y-%m-%d}",
        f"{row.age_days:,}",
        row.owner,
    )


@quarantine.command()
def show(
    name: Annotated[str, typer.Argument(metavar="ID|DELIVERY", help="A row's id; or its delivery, then its position.")],
    position: Annotated[str | None, typer.Argument(help='Place in the delivery, for example "sheet 1 row 12".')] = None,
    reveal: Annotated[
        bool, typer.Option("--reveal", help="Print the values as delivered. They are of persons; the look is noted.")
    ] = False,
    as_json: Json = False,
) -> None:
    """One row that waits: its fields and what is wrong; its values only with --reveal."""
    try:
        rows = show_waiting(Home.from_environment(), name, position, reveal=reveal)
    except NotWaiting as unknown:
        complain(str(unknown))
        raise typer.Exit(WRONG_USE) from None
    if as_json:
        said = [asdict(each.row) | {"fields": each.fields, "values": each.values} for each in rows]
        print(json.dumps(said, ensure_ascii=False, default=str))
        return
    for each in rows:
        _print_row(each)


def _print_row(shown: ShownRow) -> None:
    facts: dict[str, Any] = asdict(shown.row)
    width = max(map(len, facts))
    for name, value in facts.items():
        print(f"{name:<{width}}  {'' if value is None else value}")
    if shown.values is None:
        print(f"{'fields':<{width}}  {', '.join(shown.fields)}")
        print(f"{'':<{width}}  (values of persons: rongtong quarantine show {shown.row.quarantine_id} --reveal)")
        return
    for name, value in shown.values.items():
        print(f"  {name:<{width}}{'' if value is None else value}")


@quarantine.command("replay")
def judge_again(
    source: Source = None,
    file: Annotated[
        Path | None,
        typer.Option("--from", metavar="FILE", help="A corrected file that rongtong quarantine export wrote."),
    ] = None,
    by: Annotated[
        str | None,
        typer.Option("--by", help="Who corrected the file, for the ledger; default: the user of this machine."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Judge the rows that wait again, and only those: after a mended contract, or with corrected values (--from)."""
    _check_source(source)
    if by is not None and file is None:
        complain("--by says who corrected a file; name the file with --from.")
        raise typer.Exit(WRONG_USE)
    correction = None if file is None else Correction.read(file, by or getpass.getuser())
    results = replay(Home.from_environment(), source, correction)
    missing = 0 if correction is None else len(correction.rows) - sum(result.judged for result in results)
    if as_json:
        said = {"sources": [asdict(result) for result in results], "rows_that_do_not_wait": missing}
        print(json.dumps(said, ensure_ascii=False, default=str))
        return
    _print_results(results, missing)


def _print_results(results: list[ReplayResult], missing: int) -> None:
    console = Reporter().console
    for result in results:
        values = f", {result.corrected_values:,} values corrected" if result.corrected_values else ""
        console.print(
            f"{result.source}: {result.judged:,} rows judged again, {result.accepted:,} accepted{values}, "
            f"{len(result.left):,} still wait"
        )
        for row in result.left[:SENTENCES_SHOWN]:
            console.print(f"  {row.quarantine_id}  {row.delivery_id}, {row.position}: {row.message}", markup=False)
        if len(result.left) > SENTENCES_SHOWN:
            console.print(f"  and {len(result.left) - SENTENCES_SHOWN:,} more: rongtong quarantine list")
    if missing:
        console.print(f"{missing:,} rows of the file do not wait any more: accepted before, or replaced by their owner")
    if not results and not missing:
        console.print("nothing has landed, so nothing waits")


@quarantine.command()
def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where the files go; they hold values of persons.")],
    source: Source = None,
    reason: Reason = None,
    district: District = None,
) -> None:
    """Rows back to their owners: a file per district or table in the layout they sent, with the reason as last column.

    The owner corrects the values, leaves the last four columns as they are, and sends the file back:
    rongtong quarantine replay --from FILE. Never drop it as a _v2: that replaces the whole file.
    """
    _check_source(source)
    try:
        files = export_waiting(Home.from_environment(), folder, source=source, reason=reason, district=district)
    except OSError as refused:
        complain(f"cannot write to {folder}: {refused.strerror}; name a folder that you may write to.")
        raise typer.Exit(FAILED) from None
    for file in files:
        print(f"{file.path}  {file.rows:,} rows for {file.owner}{f', {file.district}' if file.district else ''}")
    if not files:
        print("nothing waits in quarantine")
