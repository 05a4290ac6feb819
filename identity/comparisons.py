"""The comparisons of two nodes and their levels, best first: each level is a named SQL condition over _l and _r.

Names are compared by character and by toneless sound. How rare a name is stands in its levels: agreeing on a name that
many carry says little. ``unknown`` marks the pairs about which a comparison says nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

from identity import thresholds


@dataclass(frozen=True)
class Comparison:
    """One comparison: its name, when it says nothing, and its levels from best to worst."""

    name: str
    unknown: str
    levels: tuple[tuple[str, str], ...]


_SAME_NAME = "list_has_any(names_l, names_r)"
_NAMESAKES = "greatest(name_count_l, name_count_r)"
# The same thing says more beside the same name: a birthday is a twin's too, a household's number its members' too.
_OF_NAME = f"({_SAME_NAME} OR list_has_any(sounds_l, sounds_r))"
# How two names agree is slow to tell, and most names that are compared do not: what a level takes for granted is asked
# first.
_AGREEMENT = "name_agreement(name_l, sound_l, name_r, sound_r)"
_OTHER_LENGTH = "length(name_l) <> length(name_r)"
_MAY_LACK_A_CHARACTER = f"({_OTHER_LENGTH} OR has_unreadable(name_l || name_r))"
_MAY_BE_POLITE = "(is_polite(name_l) OR is_polite(name_r))"
_SAME_REST = "substr(name_l, 2) = substr(name_r, 2)"
_BOTH_OF_TWO = "length(name_l) = 2 AND length(name_r) = 2"
# One edit of numbers of one length is a changed digit or two that swapped places.
_FEW_PLACES = """CASE WHEN strlen(numbers_l[1]) = strlen(numbers_r[1])
    THEN hamming(numbers_l[1], numbers_r[1]) <= 2 ELSE true END"""
# "Mr Li" is no woman.
_OTHER_SEX = "coalesce(sex_of_polite(name_l) <> sex_r OR sex_of_polite(name_r) <> sex_l, false)"
COMPARISONS = (
    Comparison(
        "name",
        "name_l IS NULL OR name_r IS NULL",
        (
            ("same_rare", f"{_SAME_NAME} AND {_NAMESAKES} <= {thresholds.RARE_NAME_ANCHORS}"),
            (
                "same_uncommon",
                f"{_SAME_NAME} AND {_NAMESAKES} <= {thresholds.COMMON_NAME_ANCHORS}",
            ),
            ("same_common", _SAME_NAME),
            ("same_sound", "list_has_any(sounds_l, sounds_r)"),
            ("char_missing", f"{_MAY_LACK_A_CHARACTER} AND {_AGREEMENT} IN ('char_missing', 'unreadable_char')"),
            ("one_char", f"NOT {_OTHER_LENGTH} AND {_AGREEMENT} = 'one_char'"),
            ("polite_form", f"{_MAY_BE_POLITE} AND {_AGREEMENT} = 'polite_form' AND NOT {_OTHER_SEX}"),
            ("same_given", f"{_SAME_REST} AND {_AGREEMENT} = 'same_given'"),
            ("one_char_of_two", f"{_BOTH_OF_TWO} AND {_AGREEMENT} = 'one_char_of_two'"),
            ("surname", "surname_sound_l = surname_sound_r"),
            ("different", "ELSE"),
        ),
    ),
    Comparison(
        "number",
        "len(numbers_l) = 0 OR len(numbers_r) = 0",
        (
            ("same", "list_has_any(numbers_l, numbers_r)"),
            ("one_edit", f"{_FEW_PLACES} AND damerau_levenshtein(numbers_l[1], numbers_r[1]) <= 1"),
            ("two_edits", "damerau_levenshtein(numbers_l[1], numbers_r[1]) <= 2"),
            ("first_14", "substr(numbers_l[1], 1, 14) = substr(numbers_r[1], 1, 14)"),
            ("different", "ELSE"),
        ),
    ),
    Comparison(
        "certificate",
        "(len(certificates_l) = 0 AND len(certificates_r) = 0) OR len(claims_l) = 0 OR len(claims_r) = 0",
        (("same", "list_has_any(claims_l, claims_r)"), ("different", "ELSE")),
    ),
    Comparison(
        "document",
        "len(documents_l) = 0 OR len(documents_r) = 0",
        (("same", "list_has_any(documents_l, documents_r)"), ("different", "ELSE")),
    ),
    Comparison(
        "birth",
        "len(birth_years_l) = 0 OR len(birth_years_r) = 0",
        (
            ("same_of_name", f"list_has_any(birth_days_l, birth_days_r) AND {_OF_NAME}"),
            ("same", "list_has_any(birth_days_l, birth_days_r)"),
            ("near", "has_near_day(birth_days_l, birth_days_r)"),
            ("within_lunar_days", "has_close_day(birth_days_l, birth_days_r)"),
            ("same_year", "list_has_any(birth_years_l, birth_years_r)"),
            ("different", "ELSE"),
        ),
    ),
    Comparison("sex", "sex_l IS NULL OR sex_r IS NULL", (("same", "sex_l = sex_r"), ("different", "ELSE"))),
    Comparison(
        "phone",
        "len(phones_l) = 0 OR len(phones_r) = 0",
        (
            ("same_rare", "list_has_any(rare_phones_l, rare_phones_r)"),
            ("same_common", "list_has_any(phones_l, phones_r)"),
            ("different", "ELSE"),
        ),
    ),
    Comparison(
        "address",
        "len(addresses_l) = 0 OR len(addresses_r) = 0",
        (
            ("same_rare", "list_has_any(rare_addresses_l, rare_addresses_r)"),
            ("same_common", "list_has_any(addresses_l, addresses_r)"),
            ("different", "ELSE"),
        ),
    ),
    Comparison(
        "account",
        "len(accounts_l) = 0 OR len(accounts_r) = 0",
        (
            ("same_of_name", f"list_has_any(accounts_l, accounts_r) AND {_OF_NAME}"),
            ("same", "list_has_any(accounts_l, accounts_r)"),
            ("different", "ELSE"),
        ),
    ),
    Comparison(
        "household",
        "len(households_l) = 0 OR len(households_r) = 0",
        (
            ("same_of_name", f"list_has_any(households_l, households_r) AND {_OF_NAME}"),
            ("same", "list_has_any(households_l, households_r)"),
            ("different", "ELSE"),
        ),
    ),
    Comparison(
        "kin",
        "len(kin_sounds_l) = 0 OR len(kin_sounds_r) = 0",
        (
            ("same_kin_of_name", f"list_has_any(kin_l, kin_r) AND {_OF_NAME}"),
            ("same_kin", "list_has_any(kin_l, kin_r)"),
            ("same_kin_name", "list_has_any(kin_sounds_l, kin_sounds_r)"),
            ("different", "ELSE"),
        ),
    ),
    Comparison(
        "district",
        "len(districts_l) = 0 OR len(districts_r) = 0",
        (("same", "list_has_any(districts_l, districts_r)"), ("different", "ELSE")),
    ),
)

# What must agree, each at least as well as the named level of its comparison.
Support = tuple[tuple[str, str], ...]

# Name levels that can be one person's name written twice; the others are never linked without a person's decision.
NAME_SAME = ("same_rare", "same_uncommon", "same_common", "same_sound")
NAME_SHORTENED = ("char_missing",)
NAME_CHANGED = ("one_char", "same_given")
NAME_POLITE = ("polite_form",)
RARE_NAME = ("same_rare",)
# Things of the very person. A twin shares birthday, parents and home, and has the next number: two digits off.
OWN_SUPPORT: tuple[Support, ...] = ((("number", "one_edit"),), (("certificate", "same"),), (("document", "same"),))
# What a family or a home shares; brothers are paid into one account.
FAMILY = (
    ("phone", "same_common"), ("address", "same_common"), ("household", "same"), ("kin", "same_kin_name"),
    ("account", "same"),
)  # fmt: skip
ONE_FAMILYS_PHONE: Support = (("phone", "same_rare"),)
# Beside the same name the very birthday suffices, and so does family. A birthday off by a digit or by weeks does not:
# of strangers of one rare name that many have, too.
SAME_NAME_SUPPORT: tuple[Support, ...] = (
    *OWN_SUPPORT, (("number", "two_edits"),), (("birth", "same"),), *((each,) for each in FAMILY),
)  # fmt: skip
# A district is shared by many: it speaks, loosely, beside a name nobody else bears.
RARE_NAME_SUPPORT: tuple[Support, ...] = ((("district", "same"),),)
# What is left of a name that lacks a character may be left of a twin's: a birthday needs the family beside it, where
# no phone of one family speaks.
SHORTENED_NAME_SUPPORT: tuple[Support, ...] = (ONE_FAMILYS_PHONE, *((("birth", "same"), each) for each in FAMILY))
# A surname and a polite form fit many: they are linked on a phone that only one family has.
POLITE_SUPPORT: tuple[Support, ...] = (ONE_FAMILYS_PHONE,)

COMPARED_COLUMNS = (
    "name", "names", "sound", "sounds", "surname_sound", "name_count", "numbers", "certificates", "claims", "documents",
    "birth_days", "birth_years", "sex", "phones", "rare_phones", "addresses", "rare_addresses", "accounts",
    "households", "kin", "kin_sounds", "districts",
)  # fmt: skip

MACROS = f"""
CREATE OR REPLACE MACRO has_near_day(a, b) AS CASE
    -- Most have one day.
    WHEN len(a) = 1 AND len(b) = 1 THEN is_near_day(a[1], b[1])
    ELSE len(list_filter(a, lambda x: len(list_filter(b, lambda y: is_near_day(x, y))) > 0)) > 0 END;
CREATE OR REPLACE MACRO is_close_day(a, b) AS abs(date_diff('day', a, b)) <= {thresholds.LUNAR_DAYS};
CREATE OR REPLACE MACRO has_close_day(a, b) AS CASE
    WHEN len(a) = 1 AND len(b) = 1 THEN is_close_day(a[1], b[1])
    ELSE len(list_filter(a, lambda x: len(list_filter(b, lambda y: is_close_day(x, y))) > 0)) > 0 END;
"""


def create_macros(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the macros that the levels name (those of names and claims are created by their own modules)."""
    connection.execute(MACROS)
