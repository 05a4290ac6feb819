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
# Those of them that tell a man or a woman.
POLITE_TO_MEN = ("先生", "大爷", "叔叔", "爷爷")
POLITE_TO_WOMEN = ("女士", "小姐", "大妈", "大娘", "阿姨", "婆婆", "奶奶")


def _listed(words: tuple[str, ...]) -> str:
    return ", ".join(f"'{word}'" for word in words)


MACROS = f"""
CREATE OR REPLACE MACRO is_polite(a) AS length(a) = 3 AND substr(a, 2) IN ({_listed(POLITE_FORMS)});
CREATE OR REPLACE MACRO sex_of_polite(a) AS CASE
    WHEN substr(a, 2) IN ({_listed(POLITE_TO_MEN)}) THEN 'male'
    WHEN substr(a, 2) IN ({_listed(POLITE_TO_WOMEN)}) THEN 'female' END;
CREATE OR REPLACE MACRO differing_places(a, b) AS
    len(list_filter(range(1, length(a) + 1), lambda i: substr(a, i, 1) <> substr(b, i, 1)));
-- Strangers are most of what is compared, and looking at characters costs the most: what bytes rule out needs no look.
-- One place differs in at most the four bytes of a character.
CREATE OR REPLACE MACRO is_one_changed(a, b) AS
    CASE WHEN CASE WHEN strlen(a) = strlen(b) THEN hamming(a, b) > 4 END THEN false
         ELSE differing_places(a, b) = 1 END;
-- A swap leaves the bytes the same in number; in three characters it moves the second.
CREATE OR REPLACE MACRO is_one_swap(a, b) AS CASE
    WHEN strlen(a) <> strlen(b) OR (length(a) = 3 AND NOT contains(b, substr(a, 2, 1))) THEN false
    ELSE list_contains(list_transform(range(1, length(a)),
        lambda i: substr(a, 1, i - 1) || substr(a, i + 1, 1) || substr(a, i, 1) || substr(a, i + 2)), b) END;
CREATE OR REPLACE MACRO is_one_dropped(a, b) AS CASE
    WHEN starts_with(a, b) OR ends_with(a, b) THEN true
    WHEN length(a) = 3 THEN substr(a, 1, 1) || substr(a, 3) = b
    ELSE list_contains(list_transform(range(2, length(a)), lambda i: substr(a, 1, i - 1) || substr(a, i + 1)), b) END;
CREATE OR REPLACE MACRO is_one_edit(a, b) AS CASE
    WHEN a = b THEN true
    WHEN length(a) = length(b) THEN is_one_changed(a, b) OR is_one_swap(a, b)
    WHEN length(a) = length(b) + 1 THEN is_one_dropped(a, b)
    WHEN length(b) = length(a) + 1 THEN is_one_dropped(b, a)
    ELSE false END;
CREATE OR REPLACE MACRO has_unreadable(a) AS regexp_matches(a, '[{UNREADABLE}]');
CREATE OR REPLACE MACRO agrees_where_readable(a, b) AS CASE
    WHEN length(a) <> length(b) OR length(a) < 2 THEN false
    WHEN NOT has_unreadable(a || b) THEN a = b
    ELSE len(list_filter(range(1, length(a) + 1), lambda i: substr(a, i, 1) <> substr(b, i, 1)
            AND NOT contains('{UNREADABLE}', substr(a, i, 1)) AND NOT contains('{UNREADABLE}', substr(b, i, 1)))) = 0
        AND len(list_filter(range(1, length(a) + 1), lambda i: substr(a, i, 1) = substr(b, i, 1))) > 0 END;
-- How two names agree, from best to worst; null when they do not. A character left out is no character changed: which
-- of the two is told apart, for a short name is contained in many long ones.
CREATE OR REPLACE MACRO name_agreement(a, sound_a, b, sound_b) AS CASE
    WHEN a = b THEN 'same'
    WHEN sound_a = sound_b THEN 'same_sound'
    WHEN is_polite(a) OR is_polite(b) THEN CASE WHEN substr(a, 1, 1) = substr(b, 1, 1) THEN 'polite_form' END
    WHEN agrees_where_readable(a, b) THEN 'unreadable_char'
    WHEN length(a) <= 2 AND length(b) <= 2 THEN
        CASE WHEN length(a) = 2 AND length(b) = 2 AND substr(a, 1, 1) = substr(b, 1, 1) THEN 'one_char_of_two' END
    WHEN is_one_edit(a, b) THEN CASE
        WHEN length(a) <> length(b) THEN 'char_missing'
        WHEN substr(a, 2) = substr(b, 2) THEN 'same_given'
        ELSE 'one_char' END
    ELSE NULL END;
"""


def create_macros(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the macros in the connection; each counts characters, so one wrong Han character is distance 1."""
    connection.execute(MACROS)
