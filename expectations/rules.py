"""What the gate checks: rules written per table in ``suites/*.yml``, and those that follow from the published contract.

A suite file::

    table: citizens                       # a room of warehouse/rooms.py
    rules:
      - id: life_status_is_known          # the check is citizens.life_status_is_known
        severity: critical
        meaning: one sentence
        column: life_status
        expect: expect_column_values_to_be_in_set
        with: {value_set: [alive, deceased]}
      - id: every_citizen_is_mentioned
        severity: critical
        meaning: one sentence
        rows: SELECT citizen_id FROM {batch} WHERE ...   # rows that break the rule, by their ids only

``${name}`` stands for a threshold, for ``${as_of}`` or for ``${previous_rows}`` (rows of the table as last published).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from expectations.severity import Severity
from expectations.thresholds import THRESHOLDS
from warehouse.rooms import PUBLISHED, ROOMS, Room

SUITES = Path(__file__).parent / "suites"
ROWS = "unexpected_rows_expectation"

# Columns in which owners' or our own record numbers stand, and why they are not searched for numbers of persons.
RECORD_NUMBERS: dict[str, str] = {
    "source_record_id": "an owner's record number (payment and certificate numbers may be as long as a bank account)",
    "evidence": "record numbers of owners; findings.evidence_names_only_records bounds what else may stand there",
    "household_key": "an owner's file number; a rule of its own looks for identity numbers of adults in it",
    "load_id": "a time stamp made by the landing",
    "content_hash": "a digest of bytes",
}

# An identity number (18 or 15 characters), a mobile number, or 16 and more digits (a bank account).
NUMBER_OF_A_PERSON = r"(^|[^0-9])([1-9][0-9]{16}[0-9Xx]|[0-9]{15}|1[3-9][0-9]{9})([^0-9]|$)|[0-9]{16,}"
# The same as a word of its own: an opaque id may hold such digits by chance between letters, but not be one.
WHOLE_NUMBER_OF_A_PERSON = r"(^|[^0-9A-Za-z])([1-9][0-9]{16}[0-9Xx]|[0-9]{15,}|1[3-9][0-9]{9})([^0-9A-Za-z]|$)"


class SuiteUnusable(ValueError):
    """A suite file is wrong; the message names the file, the rule and what to mend."""


@dataclass(frozen=True)
class Rule:
    """One check on one table, as an expectation of Great Expectations."""

    check_id: str
    table: str
    column: str | None
    severity: Severity
    meaning: str
    expectation: str
    kwargs: dict[str, Any] = field(hash=False)


def written_rules(room: Room, parameters: Mapping[str, object], folder: Path = SUITES) -> list[Rule]:
    """The rules of one table's suite file, parameters put in; none when the table has no file.

    Raises ``SuiteUnusable``.
    """
    file = folder / f"{room.name}.yml"
    if not file.exists():
        return []
    suite = yaml.safe_load(file.read_text(encoding="utf-8"))
    if suite.get("table") != room.name:
        raise SuiteUnusable(f"{file.name}: table must be {room.name}, as the file is named.")
    return [_read_rule(file.name, room, entry, parameters) for entry in suite["rules"]]


def _read_rule(file: str, room: Room, entry: dict[str, Any], parameters: Mapping[str, object]) -> Rule:
    allowed = {"id", "severity", "meaning", "column", "expect", "with", "rows"}
    name = entry.get("id", "?")
    if strange := sorted(set(entry) - allowed):
        raise SuiteUnusable(
            f"{file}: rule {name} has an unknown key {strange[0]}; the keys are {', '.join(sorted(allowed))}."
        )
    if missing := [key for key in ("id", "severity", "meaning") if key not in entry]:
        raise SuiteUnusable(f"{file}: rule {name} lacks {missing[0]}.")
    if ("rows" in entry) == ("expect" in entry):
        raise SuiteUnusable(f"{file}: rule {name} needs either rows or expect.")
    column = entry.get("column")
    kwargs = {key: _filled(file, name, value, parameters) for key, value in entry.get("with", {}).items()}
    if "rows" in entry:
        kwargs["unexpected_rows_query"] = _query(str(_filled(file, name, entry["rows"], parameters)))
    elif column is not None:
        kwargs["column"] = column
    return Rule(
        f"{room.name}.{name}",
        room.name,
        column,
        Severity(entry["severity"]),
        " ".join(str(entry["meaning"]).split()),
        entry.get("expect", ROWS),
        kwargs,
    )


def _filled(file: str, name: str, value: Any, parameters: Mapping[str, object]) -> Any:
    if not isinstance(value, str):
        return value
    whole = re.fullmatch(r"\$\{(\w+)\}", value)

    def parameter(match: re.Match[str]) -> Any:
        if match[1] not in parameters:
            raise SuiteUnusable(f"{file}: rule {name} asks for ${{{match[1]}}}, which is no parameter of the gate.")
        return parameters[match[1]]

    return parameter(whole) if whole else re.sub(r"\$\{(\w+)\}", lambda match: str(parameter(match)), value)


def _query(sql: str) -> str:
    # Great Expectations formats the text: braces of patterns are doubled, {batch} stays. It gives the batch an alias or
    # not, as it sees fit; inside a query of its own the rule may name it as it likes.
    doubled = " ".join(sql.split()).replace("{", "{{").replace("}", "}}")
    return doubled.replace("{{batch}}", "(SELECT * FROM {batch})")


def contract_rules(room: Room) -> list[Rule]:
    """Rules that follow from the declaration of a room: its columns exist with their types, its key is one."""
    rules = []
    for column, kind in room.columns.items():
        exists = Rule(
            f"{room.name}.{column}_exists",
            room.name,
            column,
            Severity.CRITICAL,
            f"Readers rely on column {column}.",
            "expect_column_to_exist",
            {"column": column},
        )
        typed = Rule(
            f"{room.name}.{column}_has_its_type",
            room.name,
            column,
            Severity.CRITICAL,
            f"Column {column} is {kind}, as the contract says.",
            "expect_column_type_to_be",
            {"column": column, "type_": kind},
        )
        rules += [exists, typed]
    rules += [
        Rule(
            f"{room.name}.{column}_is_present",
            room.name,
            column,
            Severity.CRITICAL,
            f"{column} is part of the key.",
            "expect_column_values_to_not_be_null",
            {"column": column},
        )
        for column in room.key
        if column not in room.nullable_key
    ]
    if room.has_unique_key:
        keys = ", ".join(room.key)
        rules.append(
            Rule(
                f"{room.name}.key_is_unique",
                room.name,
                room.key[0] if len(room.key) == 1 else None,
                Severity.CRITICAL,
                f"A row is identified by {keys}.",
                ROWS,
                {"unexpected_rows_query": _query(f"SELECT {keys} FROM {{batch}} GROUP BY ALL HAVING count(*) > 1")},
            )
        )
    return rules


def privacy_rules(room: Room, columns: Mapping[str, str]) -> list[Rule]:
    """One rule per column of a published table that can hold text, columns beyond the contract included."""
    if room.lake != PUBLISHED:
        return []
    rules = []
    for column, kind in columns.items():
        if column in RECORD_NUMBERS or not ("VARCHAR" in kind or kind == "JSON"):
            continue
        pattern = WHOLE_NUMBER_OF_A_PERSON if column.endswith("_id") else NUMBER_OF_A_PERSON
        rule_id = f"{room.name}.{column}_holds_no_number_of_a_person"
        meaning = "No identity number, telephone number or bank account leaves the restricted lake."
        if kind == "VARCHAR":
            expectation, kwargs = "expect_column_values_to_not_match_regex", {"column": column, "regex": pattern}
        else:
            shown = ", ".join(room.id_columns)
            sql = f"SELECT {shown} FROM {{batch}} WHERE regexp_matches(CAST({column} AS VARCHAR), '{pattern}')"
            expectation, kwargs = ROWS, {"unexpected_rows_query": _query(sql)}
        rules.append(Rule(rule_id, room.name, column, Severity.CRITICAL, meaning, expectation, kwargs))
    return rules


def volume_rule(room: Room, parameters: Mapping[str, object]) -> list[Rule]:
    """A published table does not lose more than the half of its rows from one publication to the next."""
    if room.lake != PUBLISHED:
        return []
    sql = (
        "SELECT count(*) AS rows_now FROM {batch} HAVING ${previous_rows} >= ${volume_rows_at_least}"
        " AND count(*) < ${previous_rows} * ${volume_floor}"
    )
    is_bound_to_change = room.comes_and_goes or room.name in ("findings", "citizen_redirects")
    severity = Severity.WARNING if is_bound_to_change else Severity.CRITICAL
    meaning = "The table holds at least half as many rows as it did when last published."
    kwargs = {"unexpected_rows_query": _query(str(_filled("rules.py", "volume_holds", sql, parameters)))}
    return [Rule(f"{room.name}.volume_holds", room.name, None, severity, meaning, ROWS, kwargs)]


def rules_of(room: Room, columns: Mapping[str, str], as_of: object, previous_rows: int) -> list[Rule]:
    """Every rule of one table; ``columns`` are those that the candidate has. Raises ``SuiteUnusable``."""
    parameters: dict[str, object] = dict(THRESHOLDS) | {"as_of": as_of, "previous_rows": previous_rows}
    rules = [
        *contract_rules(room),
        *privacy_rules(room, columns),
        *volume_rule(room, parameters),
        *written_rules(room, parameters),
    ]
    names = [rule.check_id for rule in rules]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise SuiteUnusable(f"{room.name}.yml: two rules are named {twice[0]}; give each its own name.")
    return rules


def suite_files_without_table(folder: Path = SUITES) -> list[str]:
    """Suite files that name no published table: they would never be checked."""
    known = {room.name for room in ROOMS}
    return sorted(file.name for file in folder.glob("*.yml") if file.stem not in known)
