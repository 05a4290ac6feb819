"""The command ``rongtong link``: link any Parquet table of person records."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from identity.link import FORESEEN, link_table
from rongtong.console import Reporter, complain

WRONG_USE = 2
# A share of names in the other script that is worth a word.
MIXED = 0.05


def link(
    table: Annotated[Path, typer.Argument(metavar="INPUT.parquet", help="A table with record_id and what it knows.")],
    output: Annotated[Path, typer.Argument(metavar="OUTPUT.parquet", help="record_id, cluster_id, match_weight.")],
    configuration: Annotated[
        Path | None, typer.Option("--config", help="YAML: script, columns, unique_within_source, thresholds.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
) -> None:
    """Link any table of person records: it trains itself on the table, for names in Latin or in Han script."""
    reporter = Reporter(quiet=as_json)
    try:
        with reporter.step(f"linking {table.name}"):
            done = link_table(table, output, configuration)
    except FORESEEN as refused:
        complain(str(refused))
        raise typer.Exit(WRONG_USE) from None
    if done.ignored:
        reporter.say(f"not read: {', '.join(done.ignored)}")
    if done.in_other_script >= MIXED:
        reporter.say(
            f"{done.in_other_script:.0%} of the names are in the other script and were compared as {done.script} names,"
            " which finds fewer of them: link them apart."
        )
    if not done.records:
        reporter.say("the table has no rows; the result has none either.")
    elif not done.compared:
        reporter.say("nothing to compare: the table has no column that tells persons apart; every record stays alone.")
    if as_json:
        print(json.dumps(done.__dict__, ensure_ascii=False))
        return
    reporter.say(
        f"{done.records:,} records, {done.pairs:,} candidate pairs, {done.clusters:,} clusters in {output};"
        f" {done.script} names, compared by {', '.join(done.compared) or 'nothing'}; {done.undecided:,} pairs put off."
    )
