"""What is published: every table of the two lakes, where a run builds it, its key and its column contract.

The columns named here are those that readers rely on; a candidate that lacks one, or types it otherwise, is refused by
the gate. A candidate may carry more columns: they are published too.
"""

from __future__ import annotations

from dataclasses import dataclass, field

# The schema of all published tables, in either lake.
SCHEMA = "civil"

PUBLISHED, RESTRICTED = "published", "restricted"

TEXT, DAY, MOMENT, WHOLE, COUNT, SHARE, YES_NO = (
    "VARCHAR",
    "DATE",
    "TIMESTAMP WITH TIME ZONE",
    "INTEGER",
    "BIGINT",
    "DOUBLE",
    "BOOLEAN",
)
YUAN = "DECIMAL(12,2)"
YUAN_SUM = "DECIMAL(14,2)"


@dataclass(frozen=True)
class Room:
    """One published table: its name, the relation of the work file that holds the candidate, its key and columns.

    ``key`` names the columns that identify a row; ``has_unique_key`` is false for tables in which several rows may
    share it (``key`` then only narrows the comparison of an old row with a new one); ``nullable_key`` names the key
    columns that may be empty. ``comes_and_goes``: a list of work, whose rows vanish when it is done. ``ids`` are the
    columns that a report may show to point at a row: ids only, never a value of a person.
    """

    name: str
    relation: str
    key: tuple[str, ...]
    columns: dict[str, str] = field(hash=False)
    ids: tuple[str, ...] = ()
    lake: str = PUBLISHED
    has_unique_key: bool = True
    nullable_key: tuple[str, ...] = ()
    comes_and_goes: bool = False

    @property
    def id_columns(self) -> tuple[str, ...]:
        """The columns by which reports point at a row."""
        return self.ids or self.key


def _texts(*names: str) -> dict[str, str]:
    return dict.fromkeys(names, TEXT)


ROOMS: tuple[Room, ...] = (
    Room(
        "citizens",
        "golden.citizens",
        ("citizen_id",),
        _texts("citizen_id", "name_masked", "sex")
        | {"birth_year": WHOLE}
        | _texts("birth_date_precision", "hukou_district", "managing_district", "life_status")
        | {"death_date": DAY}
        | _texts("marital_status", "spouse_citizen_id")
        | {"source_systems": "VARCHAR[]", "mention_count": WHOLE, "identity_confidence": SHARE},
    ),
    Room(
        "citizen_mentions",
        "golden.citizen_mentions",
        ("source_system", "source_table", "source_record_id", "role"),
        _texts("source_system", "source_table", "source_record_id", "role", "citizen_id", "link_method")
        | {"match_weight": SHARE, "is_withdrawn": YES_NO},
    ),
    Room(
        "citizen_redirects",
        "golden.citizen_redirects",
        ("old_citizen_id", "citizen_id", "run_id"),
        _texts("old_citizen_id", "citizen_id", "reason", "run_id") | {"happened_at": MOMENT},
    ),
    Room(
        "citizen_relationships",
        "golden.citizen_relationships",
        ("citizen_id", "related_citizen_id", "relation", "valid_from", "source_system"),
        _texts("citizen_id", "related_citizen_id", "relation")
        | {"valid_from": DAY, "valid_to": DAY}
        | _texts("source_system"),
        nullable_key=("valid_from",),
    ),
    Room(
        "citizen_marital_states",
        "golden.citizen_marital_states",
        ("citizen_id", "state_number"),
        _texts("citizen_id")
        | {"state_number": WHOLE}
        | _texts("marital_status", "spouse_citizen_id")
        | {"valid_from": DAY, "valid_to": DAY}
        | _texts("source_system", "source_record_id"),
    ),
    Room(
        "citizen_events",
        "golden.citizen_events",
        ("event_id",),
        _texts("event_id", "citizen_id", "event_type")
        | {"event_date": DAY}
        | _texts("date_precision", "source_system", "source_record_id")
        | {"attributes": "JSON"},
    ),
    Room(
        "benefit_months",
        "golden.benefit_months",
        ("source_system", "source_record_id", "benefit_month"),
        _texts("citizen_id", "household_key", "benefit")
        | {"benefit_month": DAY}
        | _texts("managing_district")
        | {"amount_yuan": YUAN, "paid_on": DAY}
        | _texts("source_record_id", "source_system"),
    ),
    Room(
        "households",
        "golden.households",
        ("household_key", "household_month"),
        _texts("household_key")
        | {"household_month": DAY}
        | _texts("managing_district", "benefit", "mode")
        | {"insured_count": WHOLE},
    ),
    Room(
        "household_members",
        "golden.household_members",
        ("source_system", "source_record_id"),
        _texts("household_key")
        | {"household_month": DAY}
        | _texts("citizen_id", "relation")
        | {"is_insured": YES_NO}
        | _texts("source_system", "source_record_id"),
    ),
    Room(
        "bed_stays",
        "golden.bed_stays",
        ("source_system", "source_record_id"),
        _texts("citizen_id", "institution_id")
        | {"checked_in_on": DAY, "checked_out_on": DAY, "subsidy_month_yuan": YUAN}
        | _texts("source_system", "source_record_id"),
    ),
    Room(
        "care_visits",
        "golden.care_visits",
        ("source_system", "source_record_id"),
        _texts("citizen_id")
        | {"visited_on": DAY}
        | _texts("kind")
        | {"subsidy_yuan": YUAN}
        | _texts("source_system", "source_record_id"),
    ),
    Room(
        "findings",
        "findings.findings",
        ("finding_id",),
        _texts("finding_id", "rule", "severity", "citizen_id", "household_key")
        | {"period_from": DAY, "period_to": DAY, "amount_yuan": YUAN_SUM}
        | _texts("state", "state_reason")
        | {"is_holding": YES_NO, "decision_number": COUNT, "evidence": "JSON"}
        | _texts("first_seen_run", "last_seen_run"),
    ),
    Room(
        "kpi_monthly",
        "findings.kpi_monthly",
        ("indicator", "managing_district", "month"),
        _texts("indicator", "managing_district") | {"month": DAY, "value": SHARE} | _texts("unit"),
    ),
    Room(
        "handover_microgrid_tasks",
        "handovers.handover_microgrid_tasks",
        ("task_id",),
        _texts("task_id", "person_id", "managing_district", "kind") | {"due_on": DAY},
        comes_and_goes=True,
    ),
    Room(
        "handover_after_death",
        "handovers.handover_after_death",
        ("task_id",),
        _texts("task_id", "person_id", "managing_district", "action", "detail")
        | {"death_date": DAY}
        | _texts("death_date_precision"),
        comes_and_goes=True,
    ),
    Room(
        "handover_city_aggregates",
        "handovers.handover_city_aggregates",
        ("indicator", "month"),
        _texts("indicator") | {"month": DAY, "value": SHARE} | _texts("unit"),
    ),
    Room(
        "payment_reconciliation",
        "golden.payment_reconciliation",
        ("managing_district", "delivered_month"),
        _texts("managing_district")
        | {"delivered_month": DAY}
        | dict.fromkeys(
            (
                "file_count",
                "files_without_control",
                "control_rows",
                "rows_accepted",
                "rows_quarantined",
                "rows_superseded",
                "rows_repeated",
                "rows_failed",
                "rows_reported_twice",
                "rows_without_month",
                "rows_counted",
                "difference_rows",
            ),
            COUNT,
        )
        | dict.fromkeys(
            (
                "control_sum_yuan",
                "without_control_yuan",
                "accepted_yuan",
                "quarantined_yuan",
                "superseded_yuan",
                "repeated_yuan",
                "failed_yuan",
                "reported_twice_yuan",
                "without_month_yuan",
                "counted_yuan",
                "difference_yuan",
            ),
            YUAN_SUM,
        ),
    ),
    Room(
        "deliveries",
        "golden.deliveries",
        ("delivery_id",),
        _texts("delivery_id", "source_system", "entity", "district", "delivered_month", "state", "reason")
        | dict.fromkeys(("rows_read", "rows_accepted", "rows_quarantined", "rows_superseded", "rows_duplicate"), COUNT)
        | {"received_at": MOMENT},
    ),
    Room(
        "citizen_identifiers",
        "golden.citizen_identifiers",
        ("citizen_id",),
        _texts("citizen_id", "identifier_kind", "identifier_value", "source_system"),
        lake=RESTRICTED,
        has_unique_key=False,
    ),
    Room(
        "citizen_attributes",
        "golden.citizen_attributes",
        ("citizen_id",),
        _texts("citizen_id", "attribute", "value", "source_system", "source_record_id")
        | {"is_chosen": YES_NO}
        | _texts("rule"),
        lake=RESTRICTED,
        has_unique_key=False,
    ),
    Room(
        "handover_pseudonyms",
        "handovers.handover_pseudonyms",
        ("recipient", "person_id"),
        _texts("recipient", "person_id", "citizen_id"),
        lake=RESTRICTED,
    ),
    Room(
        "finding_evidence",
        "findings.finding_evidence",
        ("finding_id",),
        _texts("finding_id", "source_system", "source_table", "source_record_id"),
        lake=RESTRICTED,
        has_unique_key=False,
    ),
)

# Tables that a publication appends to, in the transaction that it reports on. Nothing is ever deleted from them.
RUNS = (
    _texts("run_id")
    | {"as_of": DAY, "started_at": MOMENT, "finished_at": MOMENT}
    | _texts("state", "verdict", "fingerprint")
    | dict.fromkeys(
        (
            "citizens",
            "mentions",
            "findings",
            "deliveries",
            "rows_read",
            "rows_accepted",
            "rows_quarantined",
            "rows_superseded",
            "rows_duplicate",
            "checks",
            "checks_not_passed",
            "republished_snapshot_id",
        ),
        COUNT,
    )
)
QUALITY_RESULTS = (
    _texts("run_id", "check_id", "table_name", "column_name", "severity", "outcome")
    | {"observed": COUNT}
    | _texts("message")
)
CHANGE_LOG = _texts("run_id", "table_name") | {"inserted": COUNT, "deleted": COUNT}
RECORDS: dict[str, dict[str, str]] = {"runs": RUNS, "quality_results": QUALITY_RESULTS, "change_log": CHANGE_LOG}
RECORD_KEYS: dict[str, tuple[str, ...]] = {
    "runs": ("run_id",),
    "quality_results": ("run_id", "check_id"),
    "change_log": ("run_id", "table_name"),
}


def rooms_of(lake: str) -> tuple[Room, ...]:
    """The rooms of one lake, in the order in which they are written."""
    return tuple(room for room in ROOMS if room.lake == lake)


def room(name: str) -> Room:
    """The room of that name. Raises ``KeyError`` when nothing of that name is published."""
    for candidate in ROOMS:
        if candidate.name == name:
            return candidate
    raise KeyError(f"no published table is named {name}.")
