"""The closing page of a run: what came in, who was found, where silos disagree, and what to do next."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table

from ingest.land import LandingResult
from rongtong.steps import CITY_TIME
from warehouse import history
from warehouse.home import Home

METHODS = {
    "identity_number": "identity number 身份证号",
    "probabilistic": "probability 概率",
    "decision": "decision of a person 人工",
    "single": "alone 单独",
    "unresolved": "unresolved 未解析",
}
QUERIES = [
    (
        "Who is paid after death, and how much is at stake?",
        "SELECT period_from, period_to, amount_yuan, state FROM findings"
        " WHERE rule = 'benefit_after_death' ORDER BY amount_yuan DESC LIMIT 10",
    ),
    (
        "How many citizens does each number of silos know?",
        "SELECT len(source_systems) AS silos, count(*) AS citizens FROM citizens GROUP BY ALL ORDER BY ALL",
    ),
    (
        "What did each benefit cost, by district, in the last month?",
        "SELECT managing_district, indicator, value FROM kpi_monthly"
        " WHERE indicator LIKE 'benefit_yuan.%' AND month = (SELECT max(month) FROM kpi_monthly) ORDER BY ALL",
    ),
]


def published_facts(home: Home) -> dict[str, Any]:
    """Counts of the published snapshot, for people and for ``--json``: no row of a person."""
    rows = history.query

    def counts(sql: str) -> dict[str, int]:
        return {str(key): int(value) for key, value in rows(home, sql).fetchall()}

    last_load = """
        SELECT source_system, count(*) AS deliveries, sum(rows_read), sum(rows_accepted), sum(rows_quarantined),
               sum(rows_superseded + rows_duplicate), count(*) FILTER (state = 'refused')
        FROM deliveries GROUP BY source_system ORDER BY source_system
    """
    names = ("deliveries", "read", "accepted", "quarantined", "replaced_or_repeated", "deliveries_refused")
    return {
        "sources": {
            row[0]: dict(zip(names, (int(value or 0) for value in row[1:]), strict=True))
            for row in rows(home, last_load).fetchall()
        },
        "citizens": int(rows(home, "SELECT count(*) FROM citizens").fetchall()[0][0]),
        "mentions_by_method": counts("SELECT link_method, count(*) FROM citizen_mentions GROUP BY ALL ORDER BY 2 DESC"),
        "findings": {
            f"{rule}/{state}": int(number)
            for rule, state, number in rows(
                home, "SELECT rule, state, count(*) FROM findings GROUP BY ALL ORDER BY ALL"
            ).fetchall()
        },
    }


def _sources_table(facts: dict[str, Any]) -> Table:
    table = Table(title="Landed 落地", box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False)
    table.add_column("source 来源")
    for heading in ("deliveries", "read", "accepted", "quarantined", "replaced", "refused"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, counts in facts["sources"].items():
        table.add_row(name, *(f"{value:,}" for value in counts.values()))
    return table


def _links_table(facts: dict[str, Any]) -> Table:
    table = Table(title="Linked 关联", box=box.SIMPLE_HEAD, title_justify="left")
    table.add_column("method 方式")
    table.add_column("mentions", justify="right")
    table.add_column("share", justify="right")
    total = sum(facts["mentions_by_method"].values()) or 1
    for method, number in facts["mentions_by_method"].items():
        table.add_row(METHODS[method], f"{number:,}", f"{number / total:.1%}")
    return table


def _findings_table(facts: dict[str, Any]) -> Table:
    table = Table(title="Findings 疑点: leads to verify, never verdicts", box=box.SIMPLE_HEAD, title_justify="left")
    table.add_column("rule 规则")
    table.add_column("state 状态")
    table.add_column("leads", justify="right")
    for key, number in facts["findings"].items():
        rule, state = key.split("/")
        table.add_row(rule, state, f"{number:,}")
    return table


def closing_page(home: Home, outcome: dict[str, Any]) -> RenderableType:
    """The page; ``outcome`` has run_id, as_of, verdict (text), passed, snapshot_id or None, report (path)."""
    colour = "green" if outcome["passed"] else "red"
    verdict = f"[{colour}]{outcome['verdict']}[/]"
    if outcome["snapshot_id"] is None:
        where = f"nothing was published; the former snapshot stands\nreport  {outcome['report']}"
        return Panel(
            f"verdict {verdict}\n{where}", title=f"run {outcome['run_id']}", border_style=colour, box=box.ROUNDED
        )
    facts = published_facts(home)
    lines = [
        f"verdict   {verdict}",
        f"citizens  [bold]{facts['citizens']:,}[/]  as of {outcome['as_of']}",
        f"snapshot  {outcome['snapshot_id']} in {home.published}",
        f"report    {outcome['report']}",
    ]
    command = ".venv/bin/rongtong" if Path(".venv/bin/rongtong").exists() else "rongtong"
    queries = "\n\n".join(f'[dim]# {meaning}[/]\n{command} sql "{sql}"' for meaning, sql in QUERIES)
    return Group(
        _sources_table(facts),
        _links_table(facts),
        _findings_table(facts),
        Panel("\n".join(lines), title=f"run {outcome['run_id']}", border_style=colour, box=box.ROUNDED),
        # Without a frame, to be copied as they stand.
        f"[bold]three queries to try 试试这三个查询[/]\n\n{queries}",
    )


def show(console: Console, home: Home, outcome: dict[str, Any]) -> None:
    """Print the closing page."""
    console.print(closing_page(home, outcome), soft_wrap=False)


def landing_table(results: list[LandingResult]) -> Table:
    """What this landing brought, one line per source; whole in eighty columns. Replaced: or the same as before."""
    table = Table(box=box.SIMPLE_HEAD, padding=0, show_edge=False)
    table.add_column("source", no_wrap=True)
    for heading in ("deliveries", "read", "accepted", "quarantined", "replaced", "refused"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for result in results:
        counts = result.counts | {"rows_replaced": result.counts["rows_superseded"] + result.counts["rows_duplicate"]}
        keys = ("deliveries", "rows_read", "rows_accepted", "rows_quarantined", "rows_replaced", "deliveries_refused")
        numbers = [f"{counts[key]:,}" for key in keys]
        ended = (
            "[red]failed[/]" if result.error else "[green]landed[/]" if result.receipts else "[yellow]nothing new[/]"
        )
        table.add_row(result.source, *numbers, ended)
    return table


def _minute(moment: str | None) -> str:
    """A receipt's moment as a person in the city reads it."""
    return "never" if moment is None else f"{datetime.fromisoformat(moment).astimezone(CITY_TIME):%Y-%m-%d %H:%M}"


# One column each of the status page; rows that repeat or replace others have a line of their own below it.
_LANDED = (
    "deliveries", "rows_read", "rows_accepted", "rows_quarantined", "deliveries_refused", "last_received_at",
)  # fmt: skip


def show_status(console: Console, home: Home, facts: dict[str, Any]) -> None:
    """The status page."""
    # Eight-digit counts fit into eighty columns, whole.
    table = Table(title="Landed 落地", box=box.SIMPLE_HEAD, title_justify="left", padding=0, show_edge=False)
    table.add_column("source", no_wrap=True)
    for heading in ("deliveries", "read", "accepted", "quarantined", "refused"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("received", no_wrap=True)
    for name, counts in facts["sources"].items():
        *numbers, last = (counts[key] for key in _LANDED)
        table.add_row(name, *(f"{number:,}" for number in numbers), _minute(last))
    console.print(table, soft_wrap=False)
    if replaced := [f"{name} {n:,}" for name, counts in facts["sources"].items() if (n := counts["rows_replaced"])]:
        console.print(f"rows read that repeat or replace others: {', '.join(replaced)}", markup=False)
    run = facts["last_run"]
    if run is None:
        console.print("no run yet: rongtong run, or make demo for a city of invented people")
    else:
        reason = f": {run['reason']}" if run["reason"] else ""
        # Of a run that was killed nobody wrote how it ended.
        state = "building, or cut off" if run["last_written_at"] else run["state"]
        wrote = f", last wrote {_minute(run['last_written_at'])}" if run["last_written_at"] else ""
        console.print(f"last run   {run['run_id']} as of {run['as_of']}, {state}{wrote}{reason}", markup=False)
    if facts["published"] is None:
        console.print("published  nothing yet")
    else:
        rows = facts["published"]["tables"]
        console.print(
            f"published  snapshot {facts['published']['snapshot_id']} with {rows.get('citizens', 0):,} citizens"
        )
