"""Rows that differ have different digests, where the engine's own hash of their keys meets in one of five."""

from __future__ import annotations

import duckdb
import pytest

from warehouse.digest import digest, digest_of_types, text_digest

MANY = 300_000
# A payment's key and an address, of which only two far-apart digits differ; before them a text of any length.
KEY = (
    "{before} || '510117/2025/5101' || lpad(CAST(i // 1000 AS VARCHAR), 8, '0') || '02'"
    " || lpad(CAST(i % 1000 AS VARCHAR), 6, '0')"
)
ADDRESS = (
    "{before} || '锦江区双楠街道' || lpad(CAST(i // 1000 AS VARCHAR), 6, '0') || '号'"
    " || lpad(CAST(i % 1000 AS VARCHAR), 6, '0') || '室'"
)


@pytest.mark.parametrize("before", [f"'{'x' * length}'" for length in range(8)])
@pytest.mark.parametrize("key", [KEY, ADDRESS])
def test_different_texts_have_different_digests_wherever_they_begin(before: str, key: str) -> None:
    with duckdb.connect() as duck:
        text = key.format(before=before)
        found = duck.execute(
            f"SELECT count(DISTINCT {text_digest('k')}) FROM (SELECT {text} AS k FROM range({MANY}) r(i))"
        )
        assert found.fetchone() == (MANY,)


def test_the_engines_hash_alone_would_not_do() -> None:
    with duckdb.connect() as duck:
        distinct = [
            duck.execute(
                f"SELECT count(DISTINCT hash(k)) FROM (SELECT {KEY.format(before=repr('x' * length))} AS k"
                f" FROM range({MANY}) r(i))"
            ).fetchone()
            for length in range(8)
        ]
    assert min(row[0] for row in distinct if row) < MANY


def test_two_payment_keys_of_one_city_have_different_digests() -> None:
    ours, theirs = "510117/2025/510109202502000082/payee", "510107/2025/510109202502000039/payee"
    with duckdb.connect() as duck:
        row = duck.execute(f"SELECT {text_digest('$a')}, {text_digest('$b')}", {"a": ours, "b": theirs}).fetchone()
    assert row is not None
    assert row[0] != row[1]


def test_nulls_places_and_texts_inside_a_list_count() -> None:
    with duckdb.connect() as duck:
        row = duck.execute(
            f"SELECT {digest(['1', 'NULL'], ['NULL'])}, {digest(['NULL', '1'], ['NULL'])}, {digest(['1'], [])},"
            f" {digest_of_types([('x', 'VARCHAR[]')])}, {digest_of_types([('y', 'VARCHAR[]')])}"
            " FROM (SELECT ['510117/2025/510109202502000082/payee'] AS x,"
            " ['510107/2025/510109202502000039/payee'] AS y)"
        ).fetchone()
    assert row is not None
    assert len(set(row)) == len(row)
