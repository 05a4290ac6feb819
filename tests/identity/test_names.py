"""Names are compared by character and by sound, never by byte; days by what a keyboard or the calendar explains."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from itertools import product

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.names import create_strangers
from identity import han
from identity.claims import BIRTH_MACROS
from identity.comparisons import COMPARISONS
from identity.sound import read_names
from warehouse.duck import connect, take_rows

HAN = st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FA5), min_size=2, max_size=4)


@pytest.fixture(scope="module")
def macros() -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that knows the macros."""
    with connect() as connection:
        han.create_macros(connection)
        yield connection


def agreement(connection: duckdb.DuckDBPyConnection, a: str, b: str) -> str | None:
    sounds = {row["name"]: row["sound"] for row in read_names([a, b]).to_pylist()}
    row = connection.execute("SELECT name_agreement(?, ?, ?, ?)", [a, sounds[a], b, sounds[b]]).fetchone()
    assert row is not None
    return row[0]


@given(name=HAN, at=st.integers(0, 3), other=st.characters(min_codepoint=0x4E00, max_codepoint=0x9FA5))
@settings(max_examples=200, deadline=None)
def test_one_wrong_han_character_is_distance_one(
    macros: duckdb.DuckDBPyConnection, name: str, at: int, other: str
) -> None:
    at %= len(name)
    typed = name[:at] + other + name[at + 1 :]
    row = macros.execute("SELECT is_one_edit(?, ?), differing_places(?, ?)", [name, typed, name, typed]).fetchone()
    assert row == (True, 0 if typed == name else 1)


@given(name=HAN, at=st.integers(0, 3))
@settings(max_examples=50, deadline=None)
def test_a_dropped_character_and_a_swap_are_one_edit(macros: duckdb.DuckDBPyConnection, name: str, at: int) -> None:
    at %= len(name)
    dropped = name[:at] + name[at + 1 :]
    swapped = name[:-2] + name[-1] + name[-2]
    row = macros.execute(
        "SELECT is_one_edit(?, ?), is_one_edit(?, ?), is_one_edit(?, ?)", [name, dropped, dropped, name, name, swapped]
    ).fetchone()
    assert row == (True, True, True)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        pytest.param("李玫", "李玫", "same", id="the same name"),
        pytest.param("李玫", "李梅", "same_sound", id="a homophone from pinyin typing"),
        pytest.param("陈俊杰", "陈峻杰", "same_sound", id="a look-alike with the same sound"),
        pytest.param("王秀兰", "王季兰", "one_char", id="a look-alike with another sound"),
        pytest.param("王秀兰", "王秀", "char_missing", id="a dropped character"),
        pytest.param("王秀兰", "王兰", "char_missing", id="a dropped middle character"),
        pytest.param("王秀兰", "王兰秀", "one_char", id="two swapped characters"),
        pytest.param("王芳", "王", None, id="a surname alone"),
        pytest.param("王〇", "王䶮", "unreadable_char", id="a character nobody could type"),
        pytest.param("张先生", "张建国", "polite_form", id="a polite form"),
        pytest.param("张先生", "李建国", None, id="a polite form of another surname"),
        pytest.param("王芳", "王丽", "one_char_of_two", id="strangers of one surname with short names"),
        pytest.param("王建国", "王秀兰", None, id="strangers of one surname"),
        pytest.param("欧阳娜娜", "欧阳兰兰", None, id="strangers of one compound surname"),
        pytest.param("阿依古丽·买买提", "阿依古丽·买买堤", "one_char", id="a dotted name with one wrong character"),
        pytest.param("JOHN SMITH", "JOHN SMYTH", "one_char", id="a Latin name with one wrong letter"),
        pytest.param("JOHN SMITH", "MARY JONES", None, id="two Latin names"),
    ],
)
def test_names_agree_as_a_reader_would_say(
    macros: duckdb.DuckDBPyConnection, a: str, b: str, expected: str | None
) -> None:
    assert agreement(macros, a, b) == expected
    assert agreement(macros, b, a) == expected


def test_few_strangers_of_one_surname_pass_for_one_person_mistyped(macros: duckdb.DuckDBPyConnection) -> None:
    create_strangers(macros, pairs=400_000)
    shares = dict(
        macros.execute(
            "SELECT name_agreement(a, sound_a, b, sound_b) AS level, count(*) / sum(count(*)) OVER () FROM strangers"
            " WHERE a <> b GROUP BY level"
        ).fetchall()
    )
    assert shares["one_char"] + shares["char_missing"] + shares["same_sound"] <= 0.022


@pytest.mark.parametrize(
    ("name", "sound"),
    [("曾伟", "zengwei"), ("单玲", "shanling"), ("解放", "xiefang"), ("仇英", "qiuying"), ("查理", "zhali")],
)
def test_a_surname_has_its_own_reading(name: str, sound: str) -> None:
    assert read_names([name])["sound"].to_pylist() == [sound]


@pytest.mark.parametrize("level", ["char_missing", "one_char", "polite_form", "same_given", "one_char_of_two"])
def test_what_a_level_asks_first_rules_out_no_pair_that_agrees_so(
    macros: duckdb.DuckDBPyConnection, level: str
) -> None:
    names = ["".join(name) for length in (1, 2, 3) for name in product("王伟李先生?", repeat=length)]
    condition = dict(next(c for c in COMPARISONS if c.name == "name").levels)[level]
    agreements = ("char_missing", "unreadable_char") if level == "char_missing" else (level,)
    take_rows(macros, "names", read_names(names))
    agree, differ = macros.execute(
        f"""
        WITH compared AS (
            SELECT coalesce({condition}, false) AS is_level,
                   coalesce(name_agreement(name_l, sound_l, name_r, sound_r) IN {(*agreements, "-")}, false) AS agrees
            FROM (SELECT l.name AS name_l, l.sound AS sound_l, r.name AS name_r, r.sound AS sound_r,
                         NULL::VARCHAR AS sex_l, NULL::VARCHAR AS sex_r
                  FROM names AS l CROSS JOIN names AS r)
        )
        SELECT count(*) FILTER (agrees), count(*) FILTER (agrees <> is_level) FROM compared
        """
    ).fetchall()[0]
    assert (agree > 0, differ) == (True, 0)


def test_few_other_places_rule_out_no_number_that_is_one_edit_away(macros: duckdb.DuckDBPyConnection) -> None:
    number = "51010419491231002X"
    edited = {number[:at] + digit + number[at + 1 :] for at in range(18) for digit in "0123456789X"}
    edited |= {number[:at] + number[at + 1] + number[at] + number[at + 2 :] for at in range(17)}
    edited |= {number[:at] + number[at + 1 :] for at in range(18)}
    edited |= {number[:at] + digit + number[at:] for at in range(19) for digit in "0123456789X"}
    # And two edits, of which some are as long.
    edited |= {number[:at] + number[at + 1 : 12] + "7" + number[12:] for at in range(12)}
    condition = dict(next(c for c in COMPARISONS if c.name == "number").levels)["one_edit"]
    near, far, differ = macros.execute(
        f"""
        SELECT count(*) FILTER (is_near), count(*) FILTER (NOT is_near), count(*) FILTER (is_near <> is_level)
        FROM (SELECT {condition} AS is_level, damerau_levenshtein(numbers_l[1], numbers_r[1]) <= 1 AS is_near
              FROM (SELECT [$1] AS numbers_l, [unnest($2)] AS numbers_r))
        """,
        [number, sorted(edited)],
    ).fetchall()[0]
    assert (near > 300, far > 5, differ) == (True, True, 0)


def test_a_day_is_near_exactly_where_one_digit_differs_or_day_and_month_are_swapped() -> None:
    days = [date(1949, 1, 1) + timedelta(days=n) for n in range(20_000)]
    pivots = [date(1961, 4, 12), date(1970, 1, 1), date(1988, 11, 11), date(2000, 2, 29)]

    def is_near(a: date, b: date) -> bool:
        written = zip(f"{a:%Y%m%d}", f"{b:%Y%m%d}", strict=True)
        return sum(one != other for one, other in written) <= 1 or (a.year, a.month, a.day) == (b.year, b.day, b.month)

    expected = {(a, b) for a in pivots for b in days if is_near(a, b)}
    with connect() as duck:
        duck.execute(BIRTH_MACROS)
        found = duck.execute(
            "SELECT a, b FROM (SELECT DISTINCT unnest($1) AS a) CROSS JOIN (SELECT DISTINCT unnest($2) AS b)"
            " WHERE is_near_day(a, b)",
            [pivots, days],
        ).fetchall()
    assert (len(expected) > 20, set(found)) == (True, expected)
