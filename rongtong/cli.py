"""The command line: land, run, status, export, sql, trace, quarantine, source, and the demo.

Exit codes: 0 done, 1 failed, 2 wrong use, 3 refused by the gate (nothing published).
"""

from __future__ import annotations

import csv
import json
import math
import sys
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from ingest.corrections import CorrectionsUnusable
from ingest.errors import SourceError
from ingest.registry import source_names
from rongtong import steps, summary
from rongtong.console import Reporter, complain
from rongtong.findings_commands import findings
from rongtong.identity_commands import evaluate, explain, resolve
from rongtong.link_command import link
from rongtong.quarantine_commands import quarantine
from rongtong.review_commands import review
from rongtong.show_rows import print_rows
from rongtong.source_commands import source
from rongtong.trace_command import trace
from simulation.systems import SystemsError
from warehouse import history
from warehouse.as_of import end_of_day
from warehouse.home import Home
from warehouse.lake import NothingPublished

DONE, FAILED, WRONG_USE, REFUSED = 0, 1, 2, 3
# Troubles whose text is one sentence for a person.
FORESEEN = (*steps.FORESEEN, SystemsError, SourceError, CorrectionsUnusable)

app = typer.Typer(
    help="Rongtong 蓉通: one citizen view over a city's civil affairs, published only when it passes its checks.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(findings, name="findings")
app.add_typer(quarantine, name="quarantine")
app.add_typer(source, name="source")
app.add_typer(review, name="review")
app.command()(link)
app.command()(trace)
app.command()(explain)
app.command()(evaluate)
app.command()(resolve)


class Format(StrEnum):
    """How ``rongtong sql`` prints rows."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


def _day(text: str | None, option: str = "--as-of") -> date:
    if text is None:
        return steps.today()
    try:
        return steps.parse_day(text)
    except ValueError:
        complain(f"{option} {text!r} is no day; write it as YYYY-MM-DD, for example 2026-01-20.")
        raise typer.Exit(WRONG_USE) from None


AsOf = Annotated[
    str | None, typer.Option("--as-of", metavar="YYYY-MM-DD", help="The day the findings speak of; default: today.")
]
Json = Annotated[
    bool, typer.Option("--json", help="One JSON object on standard output; progress goes to standard error.")
]


@app.command()
def land(
    sources: Annotated[list[str] | None, typer.Argument(help="Sources to land; default: all.")] = None,
    reconcile: Annotated[
        bool, typer.Option("--reconcile", help="Read everything and compare all keys now, whenever that is due.")
    ] = False,
) -> None:
    """Land sources: extract, judge every row, keep a receipt. What is wrong with one does not stop the others."""
    home = Home.from_environment()
    known = source_names()
    unknown = [name for name in sources or [] if name not in known]
    if unknown:
        complain(f"there is no source named {', '.join(unknown)}; the sources are {', '.join(known)}.")
        raise typer.Exit(WRONG_USE)
    reporter = Reporter()
    results = steps.land_sources(home, sources or known, reporter, reconcile=reconcile)
    reporter.console.print(summary.landing_table(results), soft_wrap=False)
    if any(result.error for result in results):
        raise typer.Exit(FAILED)


@app.command()
def run(as_of: AsOf = None, as_json: Json = False) -> None:
    """Land, build, link, audit and publish, without Airflow."""
    day = _day(as_of)
    if day > steps.today():
        complain(
            f"--as-of {day} is still to come: nothing can be due, paid or missed by then; give today or a past day."
        )
        raise typer.Exit(WRONG_USE)
    home = Home.from_environment()
    reporter = Reporter(quiet=as_json)
    landed = steps.land_sources(home, source_names(), reporter)
    if any(result.error for result in landed):
        reporter.say("nothing was built: a citizen view needs every source; what could be landed has landed.")
        if as_json:
            print(json.dumps({"state": "failed", "errors": [r.error for r in landed if r.error]}, ensure_ascii=False))
        raise typer.Exit(FAILED)
    try:
        outcome = steps.run_after_landing(home, day, reporter)
    except steps.FORESEEN as failure:
        complain(str(failure))
        if as_json:
            print(json.dumps({"state": "failed", "errors": [str(failure)]}, ensure_ascii=False))
        raise typer.Exit(FAILED) from None
    if as_json:
        facts = summary.published_facts(home) if outcome["passed"] else {}
        print(json.dumps(outcome | facts, ensure_ascii=False, default=str))
    else:
        summary.show(reporter.console, home, outcome)
    if not outcome["passed"]:
        reporter.console.print(outcome["breaches"], markup=False)
        raise typer.Exit(REFUSED)


@app.command()
def status(as_json: Json = False) -> None:
    """What is landed, what is published, and how the last run ended."""
    home = Home.from_environment()
    facts = steps.status(home)
    if as_json:
        print(json.dumps(facts, ensure_ascii=False, default=str))
        return
    summary.show_status(Reporter().console, home, facts)


@app.command()
def export(folder: Annotated[Path, typer.Argument(help="Where the Parquet files go.")]) -> None:
    """The published tables as Parquet, one file per table, all of one snapshot."""
    try:
        files = history.export(Home.from_environment(), folder)
    except NothingPublished as nothing:
        complain(str(nothing))
        raise typer.Exit(FAILED) from None
    except OSError as refused:
        complain(f"cannot write to {folder}: {refused.strerror}; name a folder that you may write to.")
        raise typer.Exit(FAILED) from None
    print(f"{len(files)} tables in {folder}")


# A query may begin with a comment, which looks like an option.
@app.command(context_settings={"ignore_unknown_options": True})
def sql(
    query: Annotated[str, typer.Argument(help="A SELECT over the published tables.")],
    form: Annotated[Format, typer.Option("--format", help="table, csv or json.")] = Format.TABLE,
    known_at: Annotated[
        str | None,
        typer.Option(
            "--known-at", metavar="YYYY-MM-DD", help="As readers saw it at the end of that day; default: now."
        ),
    ] = None,
) -> None:
    """Query the published tables, read-only. Rows wider than the terminal are shown one column per line.

    What was true on a day: citizens_as_of(DATE '2026-03-31') and its like for the tables that speak of periods.
    """
    known = None if known_at is None else end_of_day(_day(known_at, "--known-at"))
    try:
        result = history.query(Home.from_environment(), query, known)
        columns, rows = [column[0] for column in result.description], result.fetchall()
    except NothingPublished as nothing:
        complain(str(nothing))
        raise typer.Exit(FAILED) from None
    except history.QueryRefused as refused:
        complain(str(refused))
        raise typer.Exit(WRONG_USE) from None
    _print_rows(columns, rows, form)


def _finite(value: Any) -> Any:
    """The value, with null for numbers that JSON does not know, also in lists and structs."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    return [_finite(each) for each in value] if isinstance(value, list) else value


def _print_rows(columns: list[str], rows: list[tuple[Any, ...]], form: Format) -> None:
    if form is Format.JSON:
        if twice := sorted({column for column in columns if columns.count(column) > 1}):
            complain(f"two columns are named {twice[0]}, and JSON would keep one; name them apart with AS.")
            raise typer.Exit(WRONG_USE)
        # JSON knows no number that is none: a share of nothing is null.
        told = [dict(zip(columns, map(_finite, row), strict=True)) for row in rows]
        print(json.dumps(told, ensure_ascii=False, default=str, allow_nan=False))
    elif form is Format.CSV:
        # As other commands of a shell end their lines, not as the format does: a carriage return stays in a variable.
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
    else:
        print_rows(Reporter().console, columns, rows)


@app.command()
def demo(
    persons: Annotated[int, typer.Option(min=200, max=2_000_000, help="Invented persons in the city.")] = 20_000,
    seed: Annotated[int, typer.Option(help="Another seed, another city.")] = 1,
    score: Annotated[bool, typer.Option("--score", help="Compare what was published with the city's truth.")] = False,
) -> None:
    """The demo city: four real systems with invented people, through the real Airflow DAGs to a published snapshot."""
    from rongtong.demo import run_demo

    raise typer.Exit(run_demo(Home.from_environment(), persons, seed, score_it=score))


@app.command()
def airflow(
    persons: Annotated[int, typer.Option(min=200, max=2_000_000, help="Invented persons in the city.")] = 20_000,
    seed: Annotated[int, typer.Option(help="Another seed, another city.")] = 1,
    port: Annotated[int, typer.Option(help="Port of the web interface on 127.0.0.1.")] = 8080,
) -> None:
    """Airflow's web interface on the same DAGs, with the demo city's systems running."""
    from rongtong.demo import run_web_interface

    raise typer.Exit(run_web_interface(Home.from_environment(), persons, seed, port))


def main() -> None:
    """The console command: every foreseen trouble is one sentence, never a stack trace."""
    try:
        app()
    except FORESEEN as failure:
        complain(str(failure))
        sys.exit(FAILED)


if __name__ == "__main__":
    main()
