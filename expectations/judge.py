"""Run the rules over a candidate with Great Expectations, and turn its results into a verdict.

Values of people never leave the engine: unexpected values are excluded, rows are named by their ids, and an id that
has the shape of a person's number is withheld. What an exception says may quote a value; it goes to the log of the
audit, in the run's private folder, and not into the verdict.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")

import great_expectations as gx
from great_expectations.data_context.types.base import ProgressBarsConfig
from great_expectations.expectations.metadata_types import FailureSeverity
from great_expectations.expectations.registry import get_expectation_impl

from expectations.dialect import connection_string
from expectations.rules import ROWS, WHOLE_NUMBER_OF_A_PERSON, Rule, rules_of
from expectations.severity import Severity
from expectations.thresholds import EXAMPLES
from warehouse.duck import DEFAULT_MEMORY_LIMIT, connect
from warehouse.rooms import ROOMS, Room
from warehouse.verdict import CheckResult, Outcome, Verdict, fingerprint

Progress = Callable[[int, int | None, str], None]

WITHHELD = "(withheld)"
_LOG = logging.getLogger(__name__)


def judge(
    work_file: Path,
    run_id: str,
    as_of: date,
    previous_rows: Mapping[str, int],
    temp_folder: Path,
    progress: Progress,
    rooms: Iterable[Room] = ROOMS,
) -> Verdict:
    """Check every room's candidate in ``work_file`` and return the verdict.

    ``previous_rows`` are the rows of each table as last published. A table that is missing fails its first check, and
    the rest of them are not asked. Raises ``SuiteUnusable`` when a suite file is wrong.
    """
    rooms = tuple(rooms)
    columns = _columns(work_file)
    mark = fingerprint(work_file)
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False, metric_calculations=False)
    address = connection_string(
        work_file,
        memory_limit=os.environ.get("RONGTONG_MEMORY_LIMIT", DEFAULT_MEMORY_LIMIT),
        temp_folder=temp_folder,
    )
    source = context.data_sources.add_sql("candidate", connection_string=address)
    results: list[CheckResult] = []
    try:
        for index, room in enumerate(rooms):
            progress(index, len(rooms), f"checking {room.name}")
            present = columns.get(room.relation)
            results.append(_existence(room, present is not None))
            if present is not None:
                rules = rules_of(room, present, as_of.isoformat(), previous_rows.get(room.name, 0))
                results += _check_table(source, room, rules)
    finally:
        # The file is free again: whoever comes next may open it in another way.
        source.get_engine().dispose()
        source.get_execution_engine().engine.dispose()
    progress(len(rooms), len(rooms), "checked")
    return Verdict(run_id, mark, tuple(results))


def _existence(room: Room, exists: bool) -> CheckResult:
    message = "The table is there." if exists else f"The candidate has no {room.relation}; build its room again."
    outcome = Outcome.PASS if exists else Outcome.FAIL
    return CheckResult(
        f"{room.name}.table_exists", room.name, None, Severity.CRITICAL.value, outcome, None, (), message
    )


def _columns(work_file: Path) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    with connect(work_file, read_only=True) as connection:
        rows = connection.execute(
            "SELECT schema_name || '.' || table_name, column_name, data_type FROM duckdb_columns()"
            " WHERE database_name = current_database() ORDER BY ALL"
        ).fetchall()
    for relation, column, kind in rows:
        found.setdefault(relation, {})[column] = kind
    return found


def _check_table(source: Any, room: Room, rules: list[Rule]) -> list[CheckResult]:
    schema, _, table = room.relation.partition(".")
    batch = (
        source.add_table_asset(room.name, table_name=table, schema_name=schema)
        .add_batch_definition_whole_table(room.name)
        .get_batch()
    )
    suite = gx.ExpectationSuite(
        room.name,
        expectations=[
            get_expectation_impl(rule.expectation)(
                **rule.kwargs, severity=FailureSeverity(rule.severity.value), meta={"check_id": rule.check_id}
            )
            for rule in rules
        ],
    )
    validated = batch.validate(
        suite,
        result_format={
            "result_format": "COMPLETE",
            "exclude_unexpected_values": True,
            "unexpected_index_column_names": list(room.id_columns),
            "partial_unexpected_count": EXAMPLES,
            "return_unexpected_index_query": False,
        },
    )
    by_id = {rule.check_id: rule for rule in rules}
    found = {
        result.expectation_config.meta["check_id"]: _as_check(
            by_id[result.expectation_config.meta["check_id"]], result, room.id_columns
        )
        for result in validated.results
    }
    # In the order of the suite; Great Expectations reports those that raised first.
    return [found.get(rule.check_id, _not_computed(rule)) for rule in rules]


def _as_check(rule: Rule, result: Any, id_columns: tuple[str, ...]) -> CheckResult:
    if _raised(result.exception_info):
        _LOG.error("%s could not be computed: %s", rule.check_id, result.exception_info)
        return _not_computed(rule)
    details = result.result or {}
    observed = details.get("unexpected_count", details.get("observed_value"))
    return CheckResult(
        rule.check_id,
        rule.table,
        rule.column,
        rule.severity.value,
        Outcome.PASS if result.success else Outcome.FAIL,
        observed if isinstance(observed, int) else None,
        () if result.success else _examples(rule, details, id_columns),
        rule.meaning,
    )


def _not_computed(rule: Rule) -> CheckResult:
    message = f"{rule.meaning} This could not be computed: a table or column it reads is missing, or see gate.log."
    return CheckResult(rule.check_id, rule.table, rule.column, rule.severity.value, Outcome.ERROR, None, (), message)


def _raised(exception_info: Any) -> bool:
    # One flat record, or one per metric that raised.
    if not isinstance(exception_info, dict):
        return False
    if "raised_exception" in exception_info:
        return bool(exception_info["raised_exception"])
    return any(bool(info.get("raised_exception")) for info in exception_info.values() if isinstance(info, dict))


def _examples(rule: Rule, details: Mapping[str, Any], id_columns: tuple[str, ...]) -> tuple[str, ...]:
    rows: list[dict[str, Any]] = []
    if rule.expectation == ROWS:
        # The query of the rule selects ids only.
        rows = [dict(row) for row in (details.get("details") or {}).get("unexpected_rows", [])]
    else:
        for group in details.get("unexpected_index_list") or []:
            rows += _transposed({name: group[name] for name in id_columns if name in group})
    return tuple(_example(row) for row in rows[:EXAMPLES])


def _transposed(group: Mapping[str, Any]) -> list[dict[str, Any]]:
    if all(isinstance(values, list) for values in group.values()):
        return [dict(zip(group, row, strict=True)) for row in zip(*group.values(), strict=True)]
    return [dict(group)]


def _example(row: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={_shown(name, value)}" for name, value in row.items())


def _shown(name: str, value: Any) -> str:
    text = str(value)
    if name != "source_record_id" and re.search(WHOLE_NUMBER_OF_A_PERSON, text):
        return WITHHELD
    return text
