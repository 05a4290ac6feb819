"""``rongtong trace``: from a published cell to the statement, the delivery, the file and the row behind it."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from rongtong.console import complain
from rongtong.trace import (
    Place,
    Statement,
    TraceUnknown,
    attribute_of,
    note_access,
    published_cell,
    shown_value,
    trace_cells,
    trace_payment,
)
from warehouse.home import Home
from warehouse.lake import NothingPublished

FAILED, WRONG_USE = 1, 2
PAYMENTS = "benefit_months"


def trace(
    citizen: Annotated[str, typer.Argument(metavar="CITIZEN|benefit_months", help="A citizen_id, or benefit_months.")],
    attribute: Annotated[
        str, typer.Argument(metavar="ATTRIBUTE|RECORD", help="A column of citizens, or a source_record_id.")
    ],
    reveal: Annotated[
        bool, typer.Option("--reveal", help="Print values and the row as delivered. They are of a person; it is noted.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON on standard output.")] = False,
) -> None:
    """From a published cell to its chosen statement, the competing ones, and each one's delivery, file and row."""
    home = Home.from_environment()
    try:
        said = _payment(home, attribute, reveal) if citizen == PAYMENTS else _cell(home, citizen, attribute, reveal)
    except TraceUnknown as unknown:
        complain(str(unknown))
        raise typer.Exit(WRONG_USE) from None
    except NothingPublished as nothing:
        complain(str(nothing))
        raise typer.Exit(FAILED) from None
    if as_json:
        print(json.dumps(said, ensure_ascii=False, default=str))
    else:
        _print(said)


def _cell(home: Home, citizen: str, column: str, reveal: bool) -> dict[str, Any]:
    attribute = attribute_of(column)
    present, value = published_cell(home, citizen, column)
    statements = trace_cells(home, [(present, attribute)])
    if reveal:
        note_access(home, present, attribute)
    return {
        "citizen_id": present,
        "asked_for": column,
        "published_value": value,
        "attribute": attribute,
        "statements": [_statement(each, reveal) for each in statements],
    }


def _statement(said: Statement, reveal: bool) -> dict[str, Any]:
    kept = {name: value for name, value in vars(said).items() if name not in ("place", "citizen_id", "attribute")}
    return kept | {
        "value": said.value if reveal else shown_value(said.attribute, said.value),
        "place": None if said.place is None else _place(said.place, reveal),
    }


def _place(place: Place, reveal: bool) -> dict[str, Any]:
    said = {name: value for name, value in vars(place).items() if name != "values" and value is not None}
    return said | ({"row_as_delivered": dict(place.values)} if reveal else {})


def _payment(home: Home, record: str, reveal: bool) -> dict[str, Any]:
    months, places = trace_payment(home, record)
    if reveal:
        note_access(home, record, PAYMENTS)
    return {
        "source_record_id": record,
        "benefit_months": [vars(month) for month in months],
        "rule": "the amount of a payment in equal parts to the fen over its months, the remainder on the last",
        "places": [_place(place, reveal) for place in places.values()],
    }


def _print(said: dict[str, Any]) -> None:
    """The same facts as lines for a person: one fact a line, statements apart from each other."""
    for name, value in said.items():
        if isinstance(value, list):
            if not value:
                print(f"{name}: none; no record says anything of it")
            for number, part in enumerate(value, start=1):
                print(f"\n{name} {number} of {len(value)}{_marks(part)}")
                _print_facts(part, "  ")
        else:
            print(f"{name}: {'' if value is None else value}")


def _marks(part: dict[str, Any]) -> str:
    marks = [word for key, word in (("is_chosen", "chosen"), ("is_tied", "tied")) if part.get(key)]
    return f" ({', '.join(marks)})" if marks else ""


def _print_facts(facts: dict[str, Any], indent: str) -> None:
    for name, value in facts.items():
        if isinstance(value, dict):
            print(f"{indent}{name}:")
            _print_facts(value, indent + "  ")
        elif value is not None:
            print(f"{indent}{name}: {value}")
