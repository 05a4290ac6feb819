"""A day's golden records and findings equal those of a whole build, whatever the day brought.

The city is that of all case books. A seed draws what each day changes: records come, go, come back, are withdrawn or
corrected; people are linked otherwise, merged, split; days pass. After every day each table of golden, findings and
hand-overs that was brought up to date is compared, row by row, with one built anew from the same inputs.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from case_book import AS_OF
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from rebuilt import COPIED, ROOMS, Model, city_of, differences, publish, rebuild

from rongtong.day.build import bring_up_to_date
from rongtong.day.merge import ROWS

SEEDS = st.integers(min_value=0, max_value=2**31)
# Histories, and days of each.
FEW, MANY = (1, 2), (50, 4)
# Days that pass from one run to the next: none, one, a week that becomes due, a month.
PASSED = (0, 1, 7, 31)
LATE_ENTRY_DAYS = 14
RECORD = "source_system || '/' || source_table || '/' || source_record_id"
# What may become of a row: a new value per column, in which {n} is a whole number drawn for the row.
CHANGES = {
    "mentions": {
        "name": "substr(name, 1, 2) || '新'",
        "id_no": "(select max(id_no) from numbered where place = {n} % 9)",
        "is_withdrawn": "not is_withdrawn",
        "hukou_district": "['510104', '510105', '513401'][1 + {n} % 3]",
        "said_on": "[said_on + 1, null][1 + {n} % 2]",
        "phones": "['139' || {n}]",
        "bank_account": "'6217' || {n} % 3",
        "certificate_id_no": "(select max(id_no) from numbered where place = {n} % 9)",
        "birth_date": "date '1940-02-03'",
        "seen_at": "seen_at + interval 1 day",
    },
    "events": {
        "event_date": "event_date + ({n} % 900 - 450)::integer",
        "is_withdrawn": "not is_withdrawn",
        "certificate_no": "refers_to_no",
        "refers_to_no": "'N' || {n} % 5",
        "date_precision": "['day', 'month', 'year'][1 + {n} % 3]",
    },
    "payments": {
        "amount_yuan": "amount_yuan + 1",
        "is_failed": "not is_failed",
        "managing_district": "['510104', '510109', '510116', '510117'][1 + {n} % 4]",
        "period_from": "period_from + interval 1 month",
        "month_count": "1 + {n} % 3",
        "benefit": "['dibao_urban', 'tekun', 'old_age_allowance', 'disability_living'][1 + {n} % 4]",
    },
    "household_months": {
        "mode": "['whole_household', 'single_person'][1 + {n} % 2]",
        "benefit": "['dibao_urban', 'tekun'][1 + {n} % 2]",
        "managing_district": "['510104', '510105'][1 + {n} % 2]",
        "household_month": "household_month + interval 1 month",
    },
    "household_members": {
        "is_insured": "not is_insured",
        "relation": "['head', 'spouse', 'son', 'other'][1 + {n} % 4]",
        "household_month": "household_month + interval 1 month",
        "managing_district": "['510104', '510105'][1 + {n} % 2]",
    },
    "bed_stays": {
        "checked_out_on": "checked_in_on + ({n} % 90)::integer",
        "is_withdrawn": "not is_withdrawn",
        "subsidy_month_yuan": "900",
    },
    "care_visits": {
        "visited_on": "visited_on + ({n} % 20)::integer",
        "is_withdrawn": "not is_withdrawn",
        "kind": "['meal', 'home_care', 'visit'][1 + {n} % 3]",
    },
    "care_registrations": {
        "is_key_target": "not is_key_target",
        "status": "['active', 'moved', 'deceased'][1 + {n} % 3]",
        "managing_district": "'510106'",
    },
    "institutions": {"managing_district": "['510104', '510105'][1 + {n} % 2]"},
    "relations": {
        "relation": "['spouse', 'child', 'parent', 'contact'][1 + {n} % 4]",
        "valid_to": "date '2022-05-06'",
        "is_withdrawn": "not is_withdrawn",
    },
    "declarations": {
        "value": "['10', '20', '30', '40'][1 + {n} % 4]",
        "said_on": "null",
        "is_withdrawn": "not is_withdrawn",
    },
}
# One in so many: rows rewritten per column, records that go or come back, mentions and citizens linked otherwise.
REWRITTEN, GONE, BACK, RELINKED, MERGED, TWICE = 700, 300, 100, 400, 300, 60


def histories(examples: int) -> settings:
    """How many are lived through; a seed has nothing to shrink."""
    return settings(
        max_examples=examples,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.reuse, Phase.generate],
    )


@pytest.fixture(scope="module")
def city(built_work_file: Path, models: list[Model]) -> Iterator[duckdb.DuckDBPyConnection]:
    """The city of all books as it was built, with an empty place for the inputs of the run before."""
    with city_of(built_work_file) as connection:
        rebuild(connection, models)
        for database in ("once", "base", "day"):
            connection.execute(f"attach ':memory:' as {database}")
        copy_inputs(connection, "once")
        yield connection


def tables_of(city: duckdb.DuckDBPyConnection, database: str, schemas: tuple[str, ...]) -> list[str]:
    rows = city.execute(
        "select schema_name || '.' || table_name from duckdb_tables() where database_name = ?"
        " and list_contains(?, schema_name) order by 1",
        [database, list(schemas)],
    ).fetchall()
    return [str(row[0]) for row in rows]


def copy_inputs(city: duckdb.DuckDBPyConnection, to: str, source: str = "work") -> None:
    for schema in COPIED:
        city.execute(f"create schema if not exists {to}.{schema}")
    for table in tables_of(city, source, COPIED):
        city.execute(f"create or replace table {to}.{table} as from {source}.{table}")


class Change:
    """One drawn day, as statements over the inputs of the city."""

    def __init__(self, city: duckdb.DuckDBPyConnection, seed: int) -> None:
        self.city, self.seed = city, seed

    def drawn(self, what: str, one_in: int, of: str = "rowid") -> str:
        return f"hash({of}, '{what}', {self.seed}) % {one_in} = 0"

    def live(self) -> None:
        for shape in CHANGES:
            self._come_and_go(shape)
            self._rewrite(shape)
        self._report_twice()
        self._link_otherwise()

    def _come_and_go(self, shape: str) -> None:
        table = f"staging.stg_city__{shape}"
        if shape in ("institutions", "relations"):
            return
        of = "record_key" if shape == "mentions" else RECORD
        self.city.execute(
            f"delete from work.{table} where {self.drawn('gone', 60, of)};"
            f"insert into work.{table} select * from once.{table} where {self.drawn('back', 25, of)}"
            f" and {RECORD} not in (select {RECORD} from work.{table})"
        )

    def _rewrite(self, shape: str) -> None:
        for column, value in CHANGES[shape].items():
            drawn = value.format(n=f"(hash(rowid, {self.seed}, '{column}') % 1000)::integer")
            self.city.execute(
                f"update work.staging.stg_city__{shape} set {column} = {drawn} where {self.drawn(column, REWRITTEN)}"
            )

    def _report_twice(self) -> None:
        """A zone reports payments of the district of its land too; the second report is a record of its own."""
        drawn = f"where {self.drawn('twice', TWICE, 'source_record_id')} and mention_key not like '%/zone/%'"
        self.city.execute(
            f"""
            update work.staging.stg_city__payments set managing_district = '510116' {drawn};
            insert into work.staging.stg_city__payments select * replace (
                mention_key || '/zone/' as mention_key, 'zone/' || source_record_id as source_record_id,
                '510109' as managing_district)
            from work.staging.stg_city__payments {drawn};
            insert into work.staging.stg_city__mentions select * replace (
                mention_key || '/zone/' as mention_key, 'zone/' || source_record_id as source_record_id)
            from work.staging.stg_city__mentions where mention_key in (
                select mention_key from work.staging.stg_city__payments {drawn});
            delete from work.staging.stg_city__payments where mention_key in (
                select mention_key from work.staging.stg_city__payments group by all having count(*) > 1)
                and mention_key like '%/zone/%';
            delete from work.staging.stg_city__mentions where mention_key in (
                select mention_key from work.staging.stg_city__mentions group by all having count(*) > 1)
                and mention_key like '%/zone/%'
            """
        )

    def _link_otherwise(self) -> None:
        total = "(select count(*) from numbered)"
        self.city.execute(
            f"""
            create or replace table work.identity.mention_links as
            select
                m.mention_key,
                case
                    when {self.drawn("lost", RELINKED, "l.mention_key")} then null
                    when {self.drawn("else", RELINKED, "l.mention_key")} then other.citizen_id
                    when {self.drawn("merged", MERGED, "l.citizen_id")} then another.citizen_id
                    else l.citizen_id
                end as citizen_id,
                coalesce(l.link_method, 'unresolved') as link_method, l.match_weight,
                l.is_certain <> coalesce({self.drawn("doubt", RELINKED, "l.mention_key")}, false) as is_certain,
                l.reason
            from work.staging.stg_city__mentions as m
            left join once.identity.mention_links as l on replace(m.mention_key, '/zone/', '') = l.mention_key
            left join numbered as other on other.place = hash(l.mention_key, 'o', {self.seed}) % {total}
            left join numbered as another on another.place = hash(l.citizen_id, 'a', {self.seed}) % {total}
            """
        )
        self.city.execute(
            f"""
            create or replace table work.identity.citizens as
            select * replace (case when {self.drawn("number", MERGED, "citizen_id")} then null else id_no end as id_no)
            from once.identity.citizens
            where citizen_id in (select citizen_id from work.identity.mention_links)
            """
        )


def on(models: list[Model], as_of: dt.date) -> list[Model]:
    """The same models on another day."""
    return [Model(m.relation, m.materialized, m.sql.replace(f"'{AS_OF}'", f"'{as_of}'")) for m in models]


def week(day: dt.date) -> int:
    return (day - dt.timedelta(days=LATE_ENTRY_DAYS)).toordinal() // 7


@pytest.mark.parametrize(
    "histories_and_days", [pytest.param(FEW, id="few"), pytest.param(MANY, id="many", marks=pytest.mark.heavy)]
)
def test_every_table_of_a_day_equals_a_whole_build(
    histories_and_days: tuple[int, int],
    city: duckdb.DuckDBPyConnection,
    models: list[Model],
    tmp_path: Path,
) -> None:
    examples, days = histories_and_days

    @histories(examples)
    @given(seed=SEEDS)
    def live(seed: int) -> None:
        live_through(city, models, seed, days, tmp_path)

    live()


def live_through(city: duckdb.DuckDBPyConnection, models: list[Model], seed: int, days: int, folder: Path) -> None:
    as_of = dt.date.fromisoformat(AS_OF)
    begin_again(city, models)
    for number in range(days):
        copy_inputs(city, "base")
        before, as_of = as_of, as_of + dt.timedelta(days=PASSED[(seed + number) % len(PASSED)])
        Change(city, seed * 10 + number).live()
        live_a_day(city, on(models, as_of), folder / f"{seed}-{number}.duckdb", before, as_of)


def begin_again(city: duckdb.DuckDBPyConnection, models: list[Model]) -> None:
    """The city as it was in the beginning, and its citizens with a number each to draw them by."""
    copy_inputs(city, "work", "once")
    city.execute(
        "create or replace temp table numbered as"
        " select citizen_id, id_no, row_number() over (order by citizen_id) - 1 as place from once.identity.citizens"
    )
    rebuild(city, models)


def live_a_day(
    city: duckdb.DuckDBPyConnection,
    models: list[Model],
    small_file: Path,
    before: dt.date,
    as_of: dt.date,
    what: str = "",
) -> None:
    """Bring the city up to date, then build it whole; assert that nothing differs."""
    views = [m for m in models if m.materialized == "view" and not m.relation.endswith("__unioned")]

    def build_small(file: Path, tables: tuple[str, ...]) -> None:
        with duckdb.connect() as small:
            small.execute(f"attach '{file}' as work")
            small.execute("use work")
            for room in ROOMS:
                small.execute(f"create schema if not exists {room}")
            rebuild(small, [m for m in models if m.relation in tables or m in views])

    day = bring_up_to_date(
        city,
        small_file,
        build_small,
        before=before,
        now=as_of,
        week_moved=week(before) != week(as_of),
        # In a city of some hundreds a handful of changes is a large share.
        largest_share=1.0,
    )
    small_file.unlink()
    rebuild(city, [m for m in models if m.relation not in day.tables])
    results = tables_of(city, "work", ROOMS)
    for room in ROOMS:
        city.execute(f"create schema if not exists day.{room}")
    for table in results:
        city.execute(f"create or replace table day.{table} as from work.{table}")
    rebuild(city, models)
    unlike = {table: differences(city, f"work.{table}", f"day.{table}") for table in results}
    assert {table: rows for table, rows in unlike.items() if rows} == {}, (what, day)
    publish(city)


# Days on which one kind of thing happens and nothing else, so that no other change brings in whom it touches:
# statements over the inputs. {other} is a citizen drawn for the mention.
ALONE = {
    "strangers are named as contacts": """
        insert into work.staging.stg_city__relations by name
        select a.mention_key, b.mention_key as related_mention_key, 'contact' as relation, false as is_withdrawn,
            'funeral' as source_system
        from (
            select mention_key, row_number() over (order by hash(mention_key, 8)) as place
            from work.staging.stg_city__mentions
        ) as a
        inner join (
            select mention_key, row_number() over (order by hash(mention_key, 9)) as place
            from work.staging.stg_city__mentions
        ) as b on a.place = b.place and a.place <= 60""",
    "the other end of a relation is somebody else": """
        update work.identity.mention_links set citizen_id = {other}
        where mention_key in (select related_mention_key from work.staging.stg_city__relations)""",
    "a funeral moves to another day": """
        update work.staging.stg_city__events set event_date = event_date - 400
        where event_type in ('death', 'cremation')""",
    "a party of an act is somebody else, is known now or no more": """
        update work.identity.mention_links
        set citizen_id = case hash(mention_key, 4) % 3 when 0 then null else {other} end
        where mention_key in (select partner_mention_key from work.staging.stg_city__events)
            and hash(mention_key, 3) % 8 = 0""",
    "those parties are known again": """
        create or replace table work.identity.mention_links as from once.identity.mention_links""",
    "acts refer to the certificates of others": """
        update work.staging.stg_city__events as e set refers_to_no = o.certificate_no
        from (
            select certificate_no, row_number() over (order by certificate_no) as place, count(*) over () as total
            from (select distinct certificate_no from work.staging.stg_city__events where event_type = 'marriage')
        ) as o
        where e.event_type in ('divorce', 'annulment', 'certificate_reissue')
            and o.place = 1 + hash(e.source_record_id, 5) % o.total and hash(e.source_record_id, 6) % 3 = 0""",
    "what people declared loses its day": """
        update work.staging.stg_city__declarations set said_on = null
        where attribute = 'marital_status' and hash(source_record_id, 7) % 3 = 0""",
    "time passes": "",
}
OTHER = "(select citizen_id from numbered where place = hash(mention_key, 'other') % (select count(*) from numbered))"


def test_a_day_on_which_one_kind_of_thing_happens_equals_a_whole_build(
    city: duckdb.DuckDBPyConnection, models: list[Model], tmp_path: Path
) -> None:
    begin_again(city, models)
    as_of = dt.date.fromisoformat(AS_OF)
    for number, (what, statement) in enumerate(ALONE.items()):
        copy_inputs(city, "base")
        before, as_of = as_of, as_of + dt.timedelta(days=0 if statement else 1)
        if statement:
            city.execute(statement.replace("{other}", OTHER))
        live_a_day(city, on(models, as_of), tmp_path / f"{number}.duckdb", before, as_of, what)


def test_what_a_small_city_says_are_tables_of_the_project(models: list[Model]) -> None:
    assert set(ROWS) <= {model.relation for model in models if model.materialized == "table"}
