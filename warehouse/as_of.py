"""Two time axes: what was true on a day (valid), as far as it was known at a moment (known).

*Known* chooses the snapshot: the last one published up to then. *Valid* is asked inside it by a table function for each
table that speaks of periods. Both together answer "last March's picture, as known last April".
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo

from warehouse.lake import NothingPublished, Snapshot

CITY_TIME: tzinfo = ZoneInfo("Asia/Shanghai")

# Function → its query over the published tables; ``valid`` is the day asked for. A death known by its month or year
# holds from the first day of it, as death_date says. Districts and names have no past: they are those last stated.
AS_OF = {
    "citizens_as_of": """
        SELECT c.* REPLACE (
            CASE WHEN c.death_date <= valid OR (c.death_date IS NULL AND c.life_status = 'deceased')
                THEN c.life_status ELSE 'alive' END AS life_status,
            CASE WHEN c.death_date <= valid THEN c.death_date END AS death_date,
            coalesce(m.marital_status, 'never_recorded') AS marital_status,
            CASE WHEN m.marital_status = 'married' THEN m.spouse_citizen_id END AS spouse_citizen_id)
        FROM citizens AS c
        LEFT JOIN (
            SELECT citizen_id, arg_max(s, state_number).marital_status AS marital_status,
                arg_max(s, state_number).spouse_citizen_id AS spouse_citizen_id
            FROM citizen_marital_states AS s
            WHERE coalesce(valid_from, DATE '0001-01-01') <= valid
            GROUP BY citizen_id
        ) AS m ON m.citizen_id = c.citizen_id
        WHERE coalesce(c.birth_year, 0) <= year(valid)""",
    "benefit_months_as_of": "SELECT * FROM benefit_months WHERE benefit_month = date_trunc('month', valid)",
    "households_as_of": "SELECT * FROM households WHERE household_month = date_trunc('month', valid)",
    "household_members_as_of": "SELECT * FROM household_members WHERE household_month = date_trunc('month', valid)",
    "citizen_relationships_as_of": """
        SELECT * FROM citizen_relationships
        WHERE coalesce(valid_from, DATE '0001-01-01') <= valid AND coalesce(valid_to, DATE '9999-12-31') >= valid""",
    "bed_stays_as_of": """
        SELECT * FROM bed_stays WHERE checked_in_on <= valid AND coalesce(checked_out_on, DATE '9999-12-31') > valid""",
    "findings_as_of": """
        SELECT * FROM findings WHERE period_from <= valid AND coalesce(period_to, DATE '9999-12-31') >= valid""",
}
AS_OF_TABLES = {
    "citizens_as_of": ("citizens", "citizen_marital_states"),
    **{name: (name.removesuffix("_as_of"),) for name in AS_OF if name != "citizens_as_of"},
}


def as_of_macros(tables: list[str]) -> list[str]:
    """The statements that define the functions whose tables a snapshot holds."""
    return [
        f"CREATE TEMP MACRO {name}(valid) AS TABLE {query}"
        for name, query in AS_OF.items()
        if set(AS_OF_TABLES[name]) <= set(tables)
    ]


def known_at(snapshots: list[Snapshot], moment: datetime) -> Snapshot:
    """The snapshot that readers saw at ``moment``. Raises ``NothingPublished`` when there was none yet."""
    seen = [snapshot for snapshot in snapshots if snapshot.published_at <= moment]
    if not seen:
        first = f"; the first snapshot kept is of {snapshots[0].published_at:%Y-%m-%d %H:%M}" if snapshots else ""
        raise NothingPublished(f"nothing was published by {moment:%Y-%m-%d %H:%M}{first}.")
    return seen[-1]


def end_of_day(day: date) -> datetime:
    """The last moment of a day in the city: what was known on a day was known by its end."""
    return datetime.combine(day + timedelta(days=1), time.min, CITY_TIME) - timedelta(microseconds=1)
