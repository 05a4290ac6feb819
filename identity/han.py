"""Comparison of names by character as SQL macros: DuckDB's own string distances count bytes and are wrong for Han.

Macros need sounds only where they take them as arguments; Latin names work too.
"""

from __future__ import annotations

import duckdb

# Characters that stand for one nobody could read or type.
UNREADABLE = "?？□*＊〇○●�"

# What follows the surname of somebody whose given name was not asked.
POLITE_FORMS = (
    "先生", "女士", "小姐", "大爷", "大妈", "大娘", "阿姨", "叔叔", "师傅", "老师", "婆婆", "爷爷", "奶奶", "同志"
)  # fmt: skip
_POLITE = ", ".join(f"'{form}'" for form in POLITE_FORMS)

MACROS = f"""
CREATE OR REPLACE MACRO is_polite(a) AS length(a) = 3 AND substr(a, 2) IN ({_POLITE});
CREATE OR REPLACE MACRO differing_places(a, b) AS
    len(list_filter(range(1, length(a) + 1), lambda i: substr(a, i, 1) <> substr(b, i, 1)));
CREATE OR REPLACE MACRO is_one_edit(a, b) AS CASE
    WHEN a = b THEN true
    WHEN length(a) = length(b) THEN differing_places(a, b) = 1
        OR (differing_places(a, b) = 2 AND list_contains(list_transform(range(1, length(a)),
            lambda i: substr(a, 1, i - 1) || substr(a, i + 1, 1) || substr(a, i, 1) || substr(a, i + 2)), b))
    WHEN length(a) = length(b) + 1 THEN
        list_contains(list_transform(range(1, length(a) + 1), lambda i: substr(a, 1, i - 1) || substr(a, i + 1)), b)
    WHEN length(b) = length(a) + 1 THEN
        list_contains(list_transform(range(1, length(b) + 1), lambda i: substr(b, 1, i - 1) || substr(b, i + 1)), a)
    ELSE false END;
CREATE OR REPLACE MACRO agrees_where_readable(a, b) AS
    length(a) = length(b) AND length(a) > 1
    AND len(list_filter(range(1, length(a) + 1), lambda i: substr(a, i, 1) <> substr(b, i, 1)
        AND NOT contains('{UNREADABLE}', substr(a, i, 1)) AND NOT contains('{UNREADABLE}', substr(b, i, 1)))) = 0
    AND len(list_filter(range(1, length(a) + 1), lambda i: substr(a, i, 1) = substr(b, i, 1))) > 0;
-- How two names agree, from best to worst; null when they do not.
CREATE OR REPLACE MACRO name_agreement(a, sound_a, b, sound_b) AS CASE
    WHEN a = b THEN 'same'
    WHEN sound_a = sound_b THEN 'same_sound'
    WHEN is_polite(a) OR is_polite(b) THEN CASE WHEN substr(a, 1, 1) = substr(b, 1, 1) THEN 'polite_form' END
    WHEN agrees_where_readable(a, b) THEN 'unreadable_char'
    WHEN greatest(length(a), length(b)) >= 3 AND is_one_edit(a, b) THEN
        CASE WHEN length(a) = length(b) AND length(a) >= 3 AND substr(a, 2) = substr(b, 2) THEN 'same_given'
             ELSE 'one_char' END
    WHEN length(a) = 2 AND length(b) = 2 AND substr(a, 1, 1) = substr(b, 1, 1) THEN 'one_char_of_two'
    ELSE NULL END;
"""


def create_macros(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the macros in the connection; each counts characters, so one wrong Han character is distance 1."""
    connection.execute(MACROS)
