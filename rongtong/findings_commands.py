"""``rongtong findings``: the work-list of leads, what people did with them, and the way to the districts and back."""

from __future__ import annotations

import json
import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from rongtong.console import Reporter, complain
from rongtong.findings_sheets import Person, SheetUnusable, export_sheets, read_persons, take_in_sheets, told_of
from rongtong.lead_words import RULE_WORDS, STATE_WORDS, describe_evidence, period_words
from rongtong.steps import CITY_TIME, today
from warehouse.home import Home
from warehouse.lake import NothingPublished, open_restricted
from warehouse.rooms import RESTRICTED, SCHEMA
from warehouse.worklist import (
    OPEN,
    Decision,
    FindingUnknown,
    Noted,
    Selection,
    State,
    find_lead,
    history_of,
    note_access,
    open_leads,
    record_decisions,
    select_leads,
)

FAILED, WRONG_USE = 1, 2
LISTED = 50
SHORT_ID = 8
WIDE = 104


class Severity(StrEnum):
    """How grave a rule is."""

    A = "A"
    B = "B"
    C = "C"


class Verdict(StrEnum):
    """What a person may find about a lead."""

    CONFIRMED = State.CONFIRMED.value
    REJECTED = State.REJECTED.value
    UNDETERMINED = State.UNDETERMINED.value
    HANDLED = State.HANDLED.value


findings = typer.Typer(
    help="Leads where two silos cannot both be right: the work-list, what people decided, sheets for districts. "
    "Names are shown by --reveal alone.",
    no_args_is_help=True,
)

Finding = Annotated[str, typer.Argument(metavar="FINDING", help="The lead's id, or its first signs.")]
OfRule = Annotated[str | None, typer.Option("--rule", help="Of this rule alone, for example benefit_after_death.")]
InState = Annotated[list[State] | None, typer.Option("--state", help="In this state; may be given several times.")]
District = Annotated[str | None, typer.Option("--district", help="Of this managing district, for example 510104.")]
OfSeverity = Annotated[Severity | None, typer.Option("--severity", help="As grave as this.")]
By = Annotated[str, typer.Option("--by", help="Who decided; kept in the ledger.")]
Why = Annotated[str, typer.Option("--why", help="The reason; kept in the ledger.")]
Json = Annotated[bool, typer.Option("--json", help="JSON on standard output.")]


def _selection(
    rule: str | None, states: tuple[State, ...] | None, district: str | None, severity: Severity | None
) -> Selection:
    if district is not None and not re.fullmatch(r"[0-9]{6}", district):
        complain(f"{district!r} is no district; a district is a code of six digits, for example 510104.")
        raise typer.Exit(WRONG_USE)
    if rule is not None and rule not in RULE_WORDS:
        complain(f"there is no rule {rule}; the rules are {', '.join(RULE_WORDS)}.")
        raise typer.Exit(WRONG_USE)
    return Selection(rule, states, district, severity and severity.value)


def _stop(error: Exception, code: int) -> typer.Exit:
    complain(str(error))
    return typer.Exit(code)


@findings.command("list")
def list_leads(
    rule: OfRule = None,
    state: InState = None,
    district: District = None,
    severity: OfSeverity = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many leads.")] = LISTED,
    as_json: Json = False,
) -> None:
    """Leads, the gravest and dearest first, with what people did since the last run. No names.

    Without --state: those that wait for a person, that is all but rejected, handled and closed ones.
    """
    selection = _selection(rule, tuple(state) if state else OPEN, district, severity)
    try:
        with open_leads(Home.from_environment()) as connection:
            leads, total = select_leads(connection, selection, limit)
    except NothingPublished as nothing:
        raise _stop(nothing, FAILED) from None
    if as_json:
        print(json.dumps({"total": total, "findings": leads}, ensure_ascii=False, default=str))
        return
    console = Reporter().console
    if not leads:
        console.print("no lead is on this list")
        return
    for line in _table(leads, console.width):
        console.print(line, markup=False)
    shown = f", {len(leads):,} of them shown; raise --limit, or narrow by --rule, --state, --district, --severity"
    console.print(f"[dim]{total:,} leads{'' if total == len(leads) else shown}[/]")


def _table(leads: list[dict[str, Any]], width: int) -> list[str]:
    """Aligned lines; the period is shown where the terminal has room for it."""
    headings = ["finding", "sev", "rule", "state", "district", "yuan"]
    rows = [
        [
            lead["finding_id"][:SHORT_ID],
            lead["severity"],
            lead["rule"],
            lead["state"],
            lead["managing_district"] or "",
            f"{lead['amount_yuan']:,.0f}" if lead["amount_yuan"] else "",
        ]
        for lead in leads
    ]
    if width >= WIDE:
        headings += ["from", "to"]
        for row, lead in zip(rows, leads, strict=True):
            row += [str(lead["period_from"]), str(lead["period_to"] or "")]
    widths = [max(len(row[at]) for row in [headings, *rows]) for at in range(len(headings))]
    return [
        " ".join(
            cell.rjust(widths[at]) if headings[at] == "yuan" else cell.ljust(widths[at]) for at, cell in enumerate(row)
        ).rstrip()
        for row in [headings, *rows]
    ]


@findings.command()
def show(
    finding: Finding,
    reveal: Annotated[
        bool, typer.Option("--reveal", help="Add names and identity numbers from the restricted lake; noted.")
    ] = False,
    as_json: Json = False,
) -> None:
    """One lead: what disagrees, the money at stake, and who did what with it, when and why."""
    home = Home.from_environment()
    try:
        with open_leads(home) as connection:
            lead = find_lead(connection, finding)
            lines = describe_evidence(connection, [lead["finding_id"]]).get(lead["finding_id"], [])
            entries = history_of(connection, lead["finding_id"])
        person = _person(home, lead) if reveal else None
        people = _people(home, lead, person) if reveal else None
    except NothingPublished as nothing:
        raise _stop(nothing, FAILED) from None
    except FindingUnknown as unknown:
        raise _stop(unknown, WRONG_USE) from None
    if as_json:
        said = [{"record": line.record, "source_system": line.source_system, "says": line.says} for line in lines]
        whole = lead | {"told": told_of(lead, person), "in_words": said, "decisions": entries}
        whole |= {} if people is None else {"people": people}
        print(json.dumps(whole, ensure_ascii=False, default=str))
        return
    _print_lead(Reporter().console, lead, told_of(lead, person) + [line.text for line in lines], entries, people)


def _person(home: Home, lead: dict[str, Any]) -> Person | None:
    """The lead's citizen, from the restricted lake."""
    return read_persons(home, {lead["citizen_id"]}).get(lead["citizen_id"]) if lead["citizen_id"] else None


def _people(home: Home, lead: dict[str, Any], chosen: Person | None) -> list[dict[str, Any]]:
    """Whom the records of a lead name, from the restricted lake, with the citizen's chosen name first; noted."""
    with open_restricted(home) as connection:
        result = connection.execute(
            f"SELECT DISTINCT source_system, source_table, source_record_id, role, raw_name, raw_id_no"
            f" FROM {RESTRICTED}.{SCHEMA}.finding_evidence"
            " WHERE finding_id = ? AND raw_name IS NOT NULL ORDER BY ALL",
            [lead["finding_id"]],
        )
        names = [column[0] for column in result.description]
        people = [dict(zip(names, row, strict=True)) for row in result.fetchall()]
    note_access(home, "show --reveal", [lead["finding_id"]])
    if chosen is None:
        return people
    return [{"role": "citizen", "raw_name": chosen.name, "raw_id_no": chosen.id_no}, *people]


def _print_lead(
    console: Console,
    lead: dict[str, Any],
    evidence: list[str],
    entries: list[dict[str, Any]],
    people: list[dict[str, Any]] | None,
) -> None:
    facts = {
        "finding": lead["finding_id"],
        "rule": f"{lead['rule']} {RULE_WORDS.get(lead['rule'], '')}",
        "severity": lead["severity"],
        "state": f"{lead['state']} {STATE_WORDS[State(lead['state'])]}",
        "published state": lead["published_state"] if lead["published_state"] != lead["state"] else None,
        "reason": lead["state_reason"],
        "citizen": " ".join(filter(None, (lead["citizen_id"], lead["name_masked"]))) or None,
        "household": lead["household_key"],
        "district": lead["managing_district"],
        "period": period_words(lead),
        "at stake": f"{lead['amount_yuan']:,.2f} yuan",
        "seen by runs": f"{lead['first_seen_run']} … {lead['last_seen_run']}",
        "dispatched to": lead["dispatched_to"],
    }
    for name, value in facts.items():
        if value is not None:
            console.print(f"{name:<16}{value}", markup=False)
    console.print("evidence")
    for line in evidence:
        console.print(f"  {line}", markup=False)
    if people is not None:
        console.print("named in it")
        for person in people:
            where = f"{person['source_table']} {person['source_record_id']} " if "source_table" in person else ""
            console.print(
                f"  {where}{person['role']}: {person['raw_name'] or ''} {person['raw_id_no'] or ''}", markup=False
            )
    console.print("decisions" if entries else "decisions       none")
    for entry in entries:
        console.print(f"  {_entry_words(entry)}", markup=False)


def _entry_words(entry: dict[str, Any]) -> str:
    when = entry["decided_on"] or f"{entry['recorded_at'].astimezone(CITY_TIME):%Y-%m-%d %H:%M}"
    what = "revoked" if entry["state"] == State.CANDIDATE else entry["state"]
    to = f" to {entry['dispatched_to']}" if entry["dispatched_to"] else ""
    why = f": {entry['why']}" if entry["why"] else ""
    return f"{when} {what}{to} by {entry['decided_by']}{why}"


@findings.command()
def dispatch(
    found: Annotated[list[str], typer.Argument(metavar="FINDING…", help="Ids of leads, or their first signs.")],
    to: Annotated[str, typer.Option("--to", help="A district or a person.")],
    by: By,
    why: Annotated[str | None, typer.Option("--why", help="What is asked; kept in the ledger.")] = None,
) -> None:
    """Give leads to a district or a person to verify."""
    _record([Decision(each, State.DISPATCHED, by, why, to) for each in found])


@findings.command()
def decide(finding: Finding, verdict: Annotated[Verdict, typer.Argument()], by: By, why: Why) -> None:
    """Note what was found about a lead. A rejected one stays suppressed when it comes again."""
    _record([Decision(finding, State(verdict.value), by, why)])


@findings.command()
def revoke(finding: Finding, by: By, why: Why) -> None:
    """Take back what was decided about a lead: it waits again. Nothing is removed from the ledger."""
    _record([Decision(finding, State.CANDIDATE, by, why)])


def _record(decisions: list[Decision]) -> None:
    """Enter decisions, say what became of each; exit code 2 when one was refused."""
    for decision in decisions:
        _need_words(by=decision.by, why=decision.why, to=decision.dispatched_to)
    try:
        noted = record_decisions(Home.from_environment(), decisions)
    except NothingPublished as nothing:
        raise _stop(nothing, FAILED) from None
    for each in noted:
        if each.refusal is None:
            print(f"{_short(each)}  {each.before} → {each.state}")
        else:
            complain(each.refusal)
    if any(each.refusal is not None for each in noted):
        raise typer.Exit(WRONG_USE)


def _need_words(**options: str | None) -> None:
    """End with exit code 2 when an option was given (None: it was not) and says nothing: the ledger only grows."""
    for name, text in options.items():
        if text is not None and not text.strip():
            complain(f"--{name.replace('_', '-')} is empty; the ledger needs it.")
            raise typer.Exit(WRONG_USE)


def _short(noted: Noted) -> str:
    return (noted.finding_id or "")[:SHORT_ID]


@findings.command()
def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where the workbooks go.")],
    district: District = None,
    rule: OfRule = None,
    state: InState = None,
    severity: OfSeverity = None,
    reveal: Annotated[
        bool, typer.Option("--reveal", help="Full names and identity numbers instead of masked names; noted.")
    ] = False,
    dispatch_by: Annotated[
        str | None, typer.Option("--dispatch-by", help="Also note the leads as dispatched to their district, by whom.")
    ] = None,
) -> None:
    """One workbook per managing district for a caseworker to fill in and return (rongtong findings import).

    Without --state: every lead that waits for a person.
    """
    _need_words(dispatch_by=dispatch_by)
    home = Home.from_environment()
    selection = _selection(rule, tuple(state) if state else OPEN, district, severity)
    try:
        written = export_sheets(home, folder, selection, reveal=reveal)
    except NothingPublished as nothing:
        raise _stop(nothing, FAILED) from None
    except OSError as refused:
        complain(f"cannot write to {folder}: {refused.strerror}; name a folder that you may write to.")
        raise typer.Exit(FAILED) from None
    for sheet in written:
        print(f"{sheet.path}  {sheet.leads:,} leads")
    if not written:
        print("no lead is on this list")
    if dispatch_by is not None:
        decisions = [
            Decision(each, State.DISPATCHED, dispatch_by, None, sheet.district, origin=sheet.path.name)
            for sheet in written
            if sheet.district is not None
            for each in sheet.finding_ids
        ]
        noted = record_decisions(home, decisions)
        print(f"{sum(each.is_new for each in noted):,} leads noted as dispatched")


@findings.command("import")
def take_in(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Returned workbooks.")],
    as_json: Json = False,
) -> None:
    """Take in returned workbooks: each filled row is a decision. The same sheet twice changes nothing."""
    try:
        taken = take_in_sheets(Home.from_environment(), files, today())
    except NothingPublished as nothing:
        raise _stop(nothing, FAILED) from None
    except SheetUnusable as unusable:
        raise _stop(unusable, FAILED) from None
    if as_json:
        rows = [{"file": each.file, "row": each.row, "reason": each.reason} for each in taken.refused]
        print(json.dumps({"entered": taken.entered, "known": taken.known, "refused": rows}, ensure_ascii=False))
    else:
        for each in taken.refused:
            complain(f"{each.file} row {each.row}: {each.reason}")
        print(f"{taken.entered:,} decisions entered, {taken.known:,} known before, {len(taken.refused):,} rows refused")
    if taken.refused:
        raise typer.Exit(FAILED)
