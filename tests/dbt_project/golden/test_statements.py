"""However statements are stored, they are those of the mentions, and the chosen one is the one that wins.

The reference takes every mention apart, one value a row, folds equal statements and lets all of them compete: what the
models do only where values of a citizen differ.
"""

from __future__ import annotations

import datetime as dt
from itertools import groupby
from operator import itemgetter
from typing import Any

import duckdb
import pytest

PLAIN = (
    "name", "sex", "id_no", "other_document_no", "certificate_id_no", "hukou_district", "managing_district", "address",
    "bank_account",
)  # fmt: skip
OF_MENTIONS = "origin in ('stated', 'identity_number') and attribute <> 'death_date'"
STATEMENT = "citizen_id, attribute, value, origin, source_system, source_table, role, is_withdrawn"
PLAINLY = " union all ".join(
    f"select '{name}' as attribute, {name} as value, 'stated' as origin, trust as trust_place, 1 as validity_place,"
    " linked.* from linked"
    for name in PLAIN
)
TOLD = f"""
create temp table told as
with linked as (
    select l.citizen_id, m.* exclude (is_withdrawn), coalesce(m.is_withdrawn, false) as is_withdrawn,
        case when m.id_no is not null and l.is_certain then 1 when m.other_document_no is not null then 2 else 3 end
            as trust,
        case when m.id_no = c.id_no then 0 else 4 end as number_trust,
        left(cast(birth_date as varchar), case birth_date_precision when 'year' then 4 when 'month' then 7 else 10 end)
            as birth_text
    from intermediate.int_mentions__unioned as m
    inner join identity.mention_links as l using (mention_key)
    inner join identity.citizens as c on l.citizen_id = c.citizen_id
),
stated as (
    {PLAINLY}
    union all select 'phone', unnest(phones), 'stated', trust, 1, linked.* from linked
    union all select 'birth_date', birth_text, 'stated', trust,
        case birth_date_precision when 'month' then 2 when 'year' then 3 else 1 end, linked.* from linked
    union all select 'birth_date', substr(id_no, 7, 4) || '-' || substr(id_no, 11, 2) || '-' || substr(id_no, 13, 2),
        'identity_number', number_trust, 1, linked.* from linked
    union all select 'sex', ['female', 'male'][1 + cast(substr(id_no, 17, 1) as integer) % 2],
        'identity_number', number_trust, 1, linked.* from linked
)
select {STATEMENT}, min(trust_place) as trust_place, min(validity_place) as validity_place, count(*) as record_count,
    arg_max(source_record_id, (coalesce(said_on, date '0001-01-01'), source_record_id)) as source_record_id,
    max(said_on) as said_on, min(cast(seen_at as date)) as seen_from, max(cast(seen_at as date)) as seen_to
from stated where value is not null
group by all
"""
WORDS = {
    "name": ("trust", "agreement", "recency"), "sex": ("trust", "agreement", "recency"),
    "birth_date": ("trust", "validity", "agreement", "recency"), "id_no": ("trust", "agreement", "recency"),
    "other_document_no": ("agreement", "recency"), "certificate_id_no": ("agreement", "recency"),
}  # fmt: skip


@pytest.fixture(scope="module")
def told(built_work_file: Any) -> Any:
    with duckdb.connect(str(built_work_file), read_only=True) as connection:
        connection.execute(TOLD)
        yield connection


def test_the_statements_are_those_of_the_mentions(told: duckdb.DuckDBPyConnection) -> None:
    columns = f"{STATEMENT}, record_count, source_record_id, said_on, seen_from, seen_to"
    ours = f"select {columns} from golden.citizen_attributes where {OF_MENTIONS}"
    theirs = f"select {columns} from told"
    assert told.execute("select count(*) from told").fetchone() != (0,)
    assert told.execute(f"({ours} except all {theirs}) union all ({theirs} except all {ours})").fetchall() == []


def test_identifiers_are_gathered_from_all_statements(told: duckdb.DuckDBPyConnection) -> None:
    columns = "min(seen_from), max(seen_to), max(said_on), sum(record_count)"
    ours = "select * exclude (record_count, is_repaired), cast(record_count as hugeint) from golden.citizen_identifiers"
    theirs = f"""select citizen_id, attribute, value, source_system, {columns} from told where attribute in
        ('id_no', 'other_document_no', 'certificate_id_no', 'name', 'phone', 'address', 'bank_account') group by all"""
    assert told.execute(f"({ours} except all {theirs}) union all ({theirs} except all {ours})").fetchall() == []


def test_the_chosen_statement_is_the_one_that_wins(told: duckdb.DuckDBPyConnection) -> None:
    rows = told.execute("from told order by citizen_id, attribute").to_arrow_table().to_pylist()
    winners = {
        key: winner(list(statements)) for key, statements in groupby(rows, key=itemgetter("citizen_id", "attribute"))
    }
    chosen = told.execute(
        f"""select citizen_id, attribute, value, origin, source_system, source_table, role, is_withdrawn, is_tied
            from golden.citizen_attributes where is_chosen and {OF_MENTIONS}"""
    ).fetchall()
    assert {row[:2]: row[2:] for row in chosen} == winners
    assert len(chosen) == len(winners)


def winner(statements: list[dict[str, Any]]) -> tuple[Any, ...]:
    """Value, origin, source system, table, role and withdrawal of the statement that wins, and whether another tied."""
    values = [
        list(of_value) for _, of_value in groupby(sorted(statements, key=itemgetter("value")), itemgetter("value"))
    ]
    ranked = sorted((strength(of_value), of_value[0]["value"], of_value) for of_value in values)
    best = min(ranked[0][2], key=carrying)
    is_tied = len(ranked) > 1 and ranked[0][0] == ranked[1][0]
    return (
        *(best[name] for name in ("value", "origin", "source_system", "source_table", "role", "is_withdrawn")),
        is_tied,
    )


def strength(statements: list[dict[str, Any]]) -> tuple[int, ...]:
    """The places of one value among those of its attribute, smallest first."""
    standing = [one for one in statements if not one["is_withdrawn"]]
    words = {
        "trust": (min(one["trust_place"] for one in statements),),
        "validity": (min(one["validity_place"] for one in statements),),
        "agreement": (-len({one["source_system"] for one in standing}), -sum(one["record_count"] for one in standing)),
        "recency": (
            -max((day(one["said_on"]) for one in standing), default=0),
            -max((day(one["seen_to"]) for one in standing), default=0),
        ),
    }
    order = WORDS.get(statements[0]["attribute"], ("recency", "agreement"))
    return (0 if standing else 1, *(place for word in order for place in words[word]))


def carrying(one: dict[str, Any]) -> tuple[Any, ...]:
    """The order of the statements of one value: the first of them carries it."""
    record = (one["source_system"], one["source_table"], one["source_record_id"], one["role"], one["origin"])
    return (one["is_withdrawn"], one["trust_place"], -day(one["said_on"]), -day(one["seen_to"]), *record)


def day(date: dt.date | None) -> int:
    """Days since the year 1; no date counts as the earliest."""
    return 0 if date is None else date.toordinal() - 1
