"""``rongtong source``: check the sources there are, look into a sample, draft a new one."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.table import Table

from ingest.connection import Connection
from ingest.errors import SourceError
from ingest.registry import SOURCES, read_source, source_names
from ingest.source_check import CONTRACT, GOOD, OPEN, WRONG, Checked, check_source
from ingest.source_new import SourceExists, create_source
from ingest.source_profile import ColumnProfile, describe, profile_landed, profile_table
from ingest.source_sample import SampleUnusable, read_sample
from rongtong.console import Reporter, complain
from warehouse.home import PROJECT, Home

FAILED, WRONG_USE = 1, 2
MODELS = PROJECT / "dbt_project" / "models" / "staging"
COLOURS = {GOOD: "green", WRONG: "red", OPEN: "yellow"}

source = typer.Typer(
    help="Sources: is each one ready, what does a sample look like, draft a new one.", no_args_is_help=True
)

Sources = Annotated[
    Path, typer.Option("--sources", metavar="DIR", help="Folder of the contracts.", show_default="ingest/sources")
]
Models = Annotated[
    Path,
    typer.Option(
        "--models", metavar="DIR", help="Folder of the staging models.", show_default="dbt_project/models/staging"
    ),
]
Json = Annotated[bool, typer.Option("--json", help="JSON on standard output.")]


class Kind(StrEnum):
    """How a new source is reached."""

    FILES = "files"
    DATABASE = "database"
    HTTP = "http"


@source.command()
def check(
    names: Annotated[list[str] | None, typer.Argument(metavar="SOURCE", help="Sources; default: all.")] = None,
    sources: Sources = SOURCES,
    models: Models = MODELS,
    as_json: Json = False,
) -> None:
    """Is a source ready: contract, sample, staging model, connection; and what a person must still decide.

    ✓ good · ✗ wrong, with the mend · ? to decide · – not set up here. Exit code 2 for a wrong contract, 1 for the rest.
    """
    known = source_names(sources)
    if unknown := [name for name in names or [] if name not in known]:
        complain(f"there is no source named {', '.join(unknown)}; the sources are {', '.join(known) or 'none'}.")
        raise typer.Exit(WRONG_USE)
    found = {name: check_source(name, sources, models, _connection(name)) for name in names or known}
    if as_json:
        said = {name: [asdict(line) for line in lines] for name, lines in found.items()}
        print(json.dumps(said, ensure_ascii=False))
    else:
        _print_checks(found)
    wrong = [line for lines in found.values() for line in lines if line.mark == WRONG]
    if any(line.subject == CONTRACT for line in wrong):
        raise typer.Exit(WRONG_USE)
    if wrong:
        raise typer.Exit(FAILED)


def _connection(name: str) -> Connection | SourceError | None:
    """The connection of this machine's environment; what is wrong with it; none when there is none."""
    if not os.environ.get(f"AIRFLOW_CONN_{name.upper()}"):
        return None
    try:
        return Connection.from_environment(name)
    except SourceError as error:
        return error


def _print_checks(found: dict[str, list[Checked]]) -> None:
    console = Reporter().console
    for name, lines in found.items():
        console.print(f"[bold]{name}[/]")
        for line in lines:
            mark = f"[{COLOURS.get(line.mark, 'dim')}]{line.mark}[/]"
            console.print(f"  {mark} {line.subject:<10} ", end="")
            console.print(line.sentence, markup=False)


@source.command()
def profile(
    what: Annotated[str, typer.Argument(metavar="SOURCE|FILE", help="A source that has landed, or a sample file.")],
    sources: Sources = SOURCES,
    as_json: Json = False,
) -> None:
    """What columns look like: type, gaps, lengths, patterns, code lists. Never a value of a person.

    FILE: CSV, XLSX, JSON, NDJSON or Parquet.
    """
    try:
        if what in source_names(sources):
            found = profile_landed(read_source(what, sources), Home.from_environment())
        elif Path(what).is_file():
            sample = read_sample(Path(what))
            found = {Path(what).name: profile_table(sample.table, sample.types)}
        else:
            complain(f"{what} is neither a source nor a file; the sources are {', '.join(source_names(sources))}.")
            raise typer.Exit(WRONG_USE)
    except SampleUnusable as unusable:
        complain(str(unusable))
        raise typer.Exit(FAILED) from None
    if as_json:
        print(json.dumps({name: describe(columns) for name, columns in found.items()}, ensure_ascii=False))
        return
    console = Reporter().console
    for name, columns in found.items():
        console.print(_profile_table(name, columns), soft_wrap=False)


def _profile_table(name: str, columns: list[ColumnProfile]) -> Table:
    rows = columns[0].rows if columns else 0
    table = Table(title=f"{name}: {rows:,} rows", box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False)
    table.add_column("column", overflow="fold")
    table.add_column("looks like", overflow="fold")
    for heading in ("empty", "distinct", "length"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("patterns, words", overflow="fold")
    for each in columns:
        share = "" if each.readable_share in (0.0, 1.0) else f" ({each.readable_share:.1%})"
        length = "" if each.min_length is None else f"{each.min_length}–{each.max_length}"
        table.add_row(
            each.header,
            f"{each.looks_like}{share}",
            f"{each.null_share:.1%}",
            f"{each.distinct:,}",
            length,
            _words(each),
        )
    return table


def _words(each: ColumnProfile) -> str:
    if each.codes:
        rare = f" (and {each.rare_words} rarer)" if each.rare_words else ""
        text = " ".join(each.codes) + rare
    else:
        text = "  ".join(f"{pattern} {share:.0%}" for pattern, share in each.patterns)
    return text.replace("[", r"\[")


@source.command()
def new(
    name: Annotated[str, typer.Argument(help="Name of the source: small letters and digits.")],
    sample: Annotated[Path, typer.Argument(metavar="SAMPLE_FILE", help="CSV, XLSX, JSON, NDJSON or Parquet.")],
    kind: Annotated[
        Kind | None, typer.Option("--kind", help="How it is reached; default: by the kind of the sample.")
    ] = None,
    sources: Sources = SOURCES,
    models: Models = MODELS,
) -> None:
    """Draft contract, invented sample and staging models from a sample; valid at once, released by nobody yet.

    No value of the sample is kept but the words of code lists. Then: rongtong source check NAME.
    """
    try:
        written = create_source(name, sample, sources, models, None if kind is None else str(kind))
    except SourceExists as refused:
        complain(str(refused))
        raise typer.Exit(WRONG_USE) from None
    except SampleUnusable as unusable:
        complain(str(unusable))
        raise typer.Exit(FAILED) from None
    for file in written:
        print(file)
    print(f"next: rongtong source check {name}")
