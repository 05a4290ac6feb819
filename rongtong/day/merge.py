"""What the small city says of the core takes the place of what the run before said."""

from __future__ import annotations

from datetime import date

import duckdb

from rongtong.day.changes import BuildWhole

# Tables with rows of one citizen each.
BY_CITIZEN = (
    "intermediate.int_mentions__folded", "intermediate.int_mentions__compared", "intermediate.int_statements__judged",
    "intermediate.int_identifiers__gathered", "intermediate.int_citizens__described",
    "intermediate.int_declarations__stated", "intermediate.int_deaths__judged", "intermediate.int_acts__linked",
    "intermediate.int_marriages__stated", "intermediate.int_marriages__dated",
    "intermediate.int_marital_states__dated", "intermediate.int_spouses__buried", "intermediate.int_states__stated",
    "intermediate.int_care_registrations__linked", "golden.citizens", "golden.citizen_events",
    "golden.citizen_relationships", "findings.fnd_benefit_after_death", "findings.fnd_dead_member_insured",
    "findings.fnd_care_after_death", "findings.fnd_act_after_death", "findings.fnd_same_benefit_two_districts",
    "findings.fnd_exclusive_benefits", "findings.fnd_undeclared_marriage", "findings.fnd_home_care_in_institution",
    "findings.fnd_marital_status_differs", "findings.fnd_two_open_marriages", "findings.fnd_one_number_two_people",
    "findings.fnd_one_person_two_numbers",
)  # fmt: skip
# Also of one citizen each, but a new week is due for everybody at once.
BY_WEEK = ("intermediate.int_care_weeks__due", "findings.fnd_weekly_visit_missed")
# Leads that go on end with the day of the run, whoever they are of.
_GOING_ON = {
    "findings.fnd_one_number_two_people": "period_to >= DATE '{before}'",
    "findings.fnd_one_person_two_numbers": "period_to >= DATE '{before}'",
    "findings.fnd_two_open_marriages": "period_to = DATE '{before}'",
}


def _in_records(redone: str, of: str = "source_system, source_table, source_record_id") -> str:
    """SQL: the row is of a record of ``redone``; asked by one column first, which leaves few rows to compare by all."""
    return f"source_record_id IN (SELECT source_record_id FROM {redone}) AND ({of}) IN (SELECT ({of}) FROM {redone})"


# Whether a row of the other tables is worked out again.
_ROWS = {
    "intermediate.int_marriages__ended":
        "marriage_key IN (SELECT act_key FROM core_acts) OR end_key IN (SELECT act_key FROM core_acts)",
    "intermediate.int_household_heads__chosen": "household_key IN (SELECT household_key FROM core_homes)",
    "intermediate.int_payments__reported_twice":
        "(source_system, source_record_id) IN (SELECT (source_system, source_record_id) FROM redone_payments)",
    "intermediate.int_benefit_months__expanded": _in_records("redone_payments"),
    "intermediate.int_payees__named":
        "citizen_id IN (SELECT citizen_id FROM core)"
        " OR (citizen_id IS NULL AND name IN (SELECT name FROM loose_names))",
    "golden.household_members": _in_records("redone_household_members"),
    "golden.bed_stays": _in_records("redone_bed_stays"),
    "golden.care_visits": _in_records("redone_care_visits"),
    "golden.citizen_mentions":
        _in_records("redone_mentions", "source_system, source_table, source_record_id, role"),
}  # fmt: skip
ROWS = {table: "citizen_id IN (SELECT citizen_id FROM core)" for table in (*BY_CITIZEN, *BY_WEEK)} | _ROWS


def local_tables(*, week_moved: bool) -> tuple[str, ...]:
    """The tables (schema.name) that a small city can say; all others are built whole, from merged ones."""
    return tuple(table for table in ROWS if not (week_moved and table in BY_WEEK))


def take_out(connection: duckdb.DuckDBPyConnection, tables: tuple[str, ...]) -> None:
    """Delete what the small city will say, inside the transaction that the caller has begun."""
    for table in tables:
        connection.execute(f"DELETE FROM work.{table} WHERE {ROWS[table]}")


def merge(connection: duckdb.DuckDBPyConnection, tables: tuple[str, ...], before: date, now: date) -> None:
    """Take over the small city's rows, in the transaction in which the old ones were taken out.

    ``before`` and ``now`` are the days that the run before and this one speak of.
    """
    for table in tables:
        connection.execute(f"INSERT INTO work.{table} BY NAME SELECT * FROM small.{table} WHERE {ROWS[table]}")
    for table, goes_on in _GOING_ON.items():
        connection.execute(
            f"UPDATE work.{table} SET period_to = greatest(period_to, DATE '{now}')"
            f" WHERE {goes_on.format(before=before)} AND citizen_id NOT IN (SELECT citizen_id FROM core)"
        )


def check_counts(connection: duckdb.DuckDBPyConnection) -> None:
    """As many rows in the tables of facts as in what was handed over. Raises ``BuildWhole``, the transaction undone."""
    standing = "WHERE NOT coalesce(is_withdrawn, false)"
    for table, rows in {
        "golden.citizen_mentions": "new_mentions",
        "golden.household_members": "new_household_members",
        "golden.bed_stays": f"new_bed_stays {standing}",
        "golden.care_visits": f"new_care_visits {standing}",
    }.items():
        counts = connection.execute(
            f"SELECT (SELECT count(*) FROM work.{table}), (SELECT count(*) FROM {rows})"
        ).fetchall()[0]
        if counts[0] != counts[1]:
            connection.execute("ROLLBACK")
            raise BuildWhole(f"{table} would hold {counts[0]:,} rows of {counts[1]:,}")
