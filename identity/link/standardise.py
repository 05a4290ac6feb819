"""From any table of person records to one shape: known columns by their synonyms, values made comparable.

Names in Latin script lose accents and case; names in Han script are kept character for character and get their toneless
sound. What the table does not have is null for everybody.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from identity import han
from identity.link.numbers import settle_numbers
from identity.link.settings import Configuration, ConfigurationUnusable
from identity.sound import read_names
from warehouse.duck import take_rows

HAN_SAMPLE = 2000
HAN_SHARE = 0.5

MACROS = r"""
CREATE OR REPLACE MACRO spaced(x) AS nullif(trim(regexp_replace(x, '\s+', ' ', 'g')), '');
-- Letters of any script stay; only accents, case and punctuation go.
CREATE OR REPLACE MACRO plain(x) AS spaced(regexp_replace(regexp_replace(
    replace(replace(translate(lower(strip_accents(x)), 'øłđ', 'old'), 'ß', 'ss'), 'æ', 'ae'),
    '[''’`´]', '', 'g'), '[^\p{L}\p{N}]+', ' ', 'g'));
CREATE OR REPLACE MACRO half_width(x) AS
    translate(x, '０１２３４５６７８９Ｘｘ（）－　', '0123456789XX()- ');
CREATE OR REPLACE MACRO two_digits(x) AS lpad(x, 2, '0');
CREATE OR REPLACE MACRO year_first(x) AS regexp_extract(x, '^\D*(\d{4})\D+(\d{1,2})\D+(\d{1,2})', ['y', 'm', 'd']);
CREATE OR REPLACE MACRO year_last(x) AS regexp_extract(x, '^\D*(\d{1,2})\D+(\d{1,2})\D+(\d{4})', ['a', 'b', 'y']);
CREATE OR REPLACE MACRO named_month(x) AS coalesce(try_strptime(x, '%d %b %Y'), try_strptime(x, '%d %B %Y'),
    try_strptime(x, '%b %d, %Y'), try_strptime(x, '%B %d, %Y'), try_strptime(x, '%d-%b-%Y'));
-- Eight digits, also those of a day that no calendar has: a slip still resembles the day that was meant.
CREATE OR REPLACE MACRO read_day(x, month_first) AS CASE
    WHEN regexp_full_match(x, '\d{8}') THEN CASE
        WHEN substr(x, 1, 2) NOT BETWEEN '18' AND '20' AND substr(x, 5, 2) BETWEEN '18' AND '20'
        THEN substr(x, 5) || CASE WHEN month_first THEN substr(x, 1, 4) ELSE substr(x, 3, 2) || substr(x, 1, 2) END
        ELSE x END
    WHEN year_first(x).y <> '' THEN year_first(x).y || two_digits(year_first(x).m) || two_digits(year_first(x).d)
    WHEN year_last(x).y <> '' THEN year_last(x).y || CASE WHEN month_first
        THEN two_digits(year_last(x).a) || two_digits(year_last(x).b)
        ELSE two_digits(year_last(x).b) || two_digits(year_last(x).a) END
    ELSE strftime(named_month(x), '%Y%m%d') END;
CREATE OR REPLACE MACRO check_character(x) AS substr('10X98765432', (list_sum(list_transform(
    list_zip(range(1, 18), [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]),
    lambda p: (ascii(substr(x, p[1]::INT, 1)) - 48) * p[2])) % 11)::INT + 1, 1);
CREATE OR REPLACE MACRO is_sound_number(x) AS regexp_full_match(x, '[1-9]\d{16}[0-9X]')
    AND try_strptime(substr(x, 7, 8), '%Y%m%d') IS NOT NULL AND check_character(x) = substr(x, 18, 1);
CREATE OR REPLACE MACRO to_eighteen(x) AS CASE WHEN regexp_full_match(x, '[1-9]\d{14}')
    THEN substr(x, 1, 6) || '19' || substr(x, 7) || check_character(substr(x, 1, 6) || '19' || substr(x, 7)) ELSE x END;
CREATE OR REPLACE MACRO sex_of_number(x) AS CASE WHEN ascii(substr(x, 17, 1)) % 2 = 1 THEN 'm' ELSE 'f' END;
CREATE OR REPLACE MACRO is_typed_blindly(x) AS
    regexp_full_match(x, '0+|1+|2+|3+|4+|5+|6+|7+|8+|9+|X+|123456789.*');
CREATE OR REPLACE MACRO first_phone(x) AS nullif(regexp_extract(
    regexp_replace(half_width(x), '^(\+?86|0086)|[ ()-]', '', 'g'), '\d{7,12}'), '');
-- What the comparisons of the configurations name.
-- Most strangers share neither the first nor the last character: they need no closer look.
CREATE OR REPLACE MACRO agreement(a, sound_a, b, sound_b) AS
    CASE WHEN substr(a, 1, 1) = substr(b, 1, 1) OR right(a, 1) = right(b, 1)
         THEN name_agreement(a, sound_a, b, sound_b) END;
CREATE OR REPLACE MACRO is_like(a, b) AS a = b OR jaro_winkler_similarity(a, b) >= 0.88;
CREATE OR REPLACE MACRO is_day_month_swap(a, b) AS substr(a, 1, 4) = substr(b, 1, 4)
    AND substr(a, 5, 2) = substr(b, 7, 2) AND substr(a, 7, 2) = substr(b, 5, 2);
CREATE OR REPLACE MACRO shares_two_parts(a, b) AS (substr(a, 1, 4) = substr(b, 1, 4))::INT
    + (substr(a, 5, 2) = substr(b, 5, 2))::INT + (substr(a, 7, 2) = substr(b, 7, 2))::INT >= 2;
"""

# The columns of ``records``; each is null for everybody when the table does not say it.
COLUMNS = (
    "given_name", "surname", "full_name", "birth", "birth_year", "id_no", "sex", "phone", "street", "street_number",
    "address_2", "postcode", "city", "state", "place", "name", "sound", "surname_sound", "given", "number", "address",
)  # fmt: skip


# Types of the engine that hold several values, or none that is a text.
_NESTED = re.compile(r"\]$|^(STRUCT|MAP|UNION)\b|^BLOB$")


class TableUnusable(ValueError):
    """The table cannot be linked; the message names the file, the place and what to mend."""


@dataclass(frozen=True)
class Table:
    """A Parquet table to link: its file and the type of each of its columns."""

    file: Path
    types: dict[str, str]

    @property
    def query(self) -> str:
        """SQL that reads the file."""
        return f"read_parquet('{str(self.file).replace(chr(39), chr(39) * 2)}')"

    @classmethod
    def open(cls, connection: duckdb.DuckDBPyConnection, file: Path) -> Table:
        """Look at the file. Raises ``TableUnusable`` when it is missing or no Parquet file."""
        if file.is_dir():
            raise TableUnusable(f"{file}: this is a folder; name a Parquet file of person records.")
        if not file.is_file():
            raise TableUnusable(f"{file}: there is no such file; name a Parquet file of person records.")
        table = cls(file, {})
        try:
            described = connection.execute(f"DESCRIBE SELECT * FROM {table.query}").fetchall()
        except duckdb.Error as error:
            raise TableUnusable(f"{file.name}: this is no Parquet file; write the table as Parquet.") from error
        return cls(file, {row[0]: row[1] for row in described})


def match_columns(table: Table, configuration: Configuration) -> tuple[dict[str, str], list[str]]:
    """Which column of the table says what (known name → the table's name), and the columns that nobody reads.

    Raises ``ConfigurationUnusable`` when the caller maps a column that is not there, ``TableUnusable`` without ids or
    for a column that has no single value.
    """
    by_lower = {name.lower().strip().replace(" ", "_"): name for name in table.types}
    found: dict[str, str] = {}
    for known, synonyms in configuration.columns.items():
        if (wanted := configuration.renamed.get(known)) is not None:
            if wanted not in table.types:
                raise ConfigurationUnusable(
                    f"{table.file.name} has no column {wanted!r}, which columns.{known} names; it has"
                    f" {', '.join(table.types)}."
                )
            found[known] = wanted
            continue
        taken = set(found.values()) | set(configuration.renamed.values())
        for synonym in synonyms:
            if synonym in by_lower and by_lower[synonym] not in taken:
                found[known] = by_lower[synonym]
                break
    if "record_id" not in found:
        raise TableUnusable(
            f"{table.file.name} has no column record_id; name the one that has it under columns.record_id."
        )
    for name in found.values():
        if _NESTED.search(table.types[name]):
            raise TableUnusable(
                f"{table.file.name}: column {name} is of type {table.types[name]}; write one value per record."
            )
    return found, [name for name in table.types if name not in found.values()]


def share_of_han(connection: duckdb.DuckDBPyConnection, table: Table, found: dict[str, str]) -> float:
    """The share of the table's names that have a Han character; 0 where none is told."""
    names = [quoted(found[column]) for column in ("name", "surname", "given_name") if column in found]
    if not names:
        return 0.0
    row = connection.execute(
        rf"""
        SELECT coalesce(avg(regexp_matches(name, '\p{{Han}}')::INT), 0) FROM (
            SELECT concat_ws(' ', {", ".join(f"{name}::VARCHAR" for name in names)}) AS name FROM {table.query}
            WHERE name <> '' ORDER BY hash(name) LIMIT {HAN_SAMPLE})
        """
    ).fetchone()
    assert row is not None
    return float(row[0])


def quoted(name: str) -> str:
    """A column name as SQL."""
    return '"' + name.replace('"', '""') + '"'


def _text(column: str, kind: str) -> str:
    """SQL of a value as text: a number that a spreadsheet made a fraction is a whole number again."""
    name = quoted(column)
    if kind in ("DOUBLE", "FLOAT"):
        whole = f"isfinite({name}) AND {name} = floor({name}) AND abs({name}) < 1e18"
        return f"CASE WHEN {whole} THEN {name}::HUGEINT::VARCHAR WHEN isfinite({name}) THEN {name}::VARCHAR END"
    return f"{name}::VARCHAR"


def read_records(
    connection: duckdb.DuckDBPyConnection, table: Table, found: dict[str, str], configuration: Configuration
) -> set[str]:
    """Create ``records`` (one row per record, ``COLUMNS``) and tell which columns say anything.

    Raises ``TableUnusable`` when a record has no id, or two records have the same.
    """
    han.create_macros(connection)
    connection.execute(MACROS)
    source = f"coalesce({quoted(found['source'])}::VARCHAR, '')" if "source" in found else "''"
    values = ", ".join(
        f"spaced({_text(found[known], table.types[found[known]])}) AS {known}" if known in found
        else f"NULL::VARCHAR AS {known}"
        for known in configuration.columns if known not in ("record_id", "source")
    )  # fmt: skip
    connection.execute(
        f"""
        CREATE OR REPLACE TABLE said AS
        SELECT row_number() OVER (ORDER BY source, record_id) AS record, * FROM (
            SELECT {quoted(found["record_id"])} AS record_id, {source} AS source, {values} FROM {table.query})
        """
    )
    _refuse_bad_ids(connection, table, found["record_id"])
    placeholders = ", ".join(f"'{value}'" for value in configuration.placeholders)
    for column in configuration.columns:
        if column not in ("record_id", "source"):
            connection.execute(f"UPDATE said SET {column} = NULL WHERE plain({column}) IN ({placeholders})")
    _create_records(connection, configuration)
    counts = connection.execute(f"SELECT {', '.join(f'count({column})' for column in COLUMNS)} FROM records").fetchone()
    assert counts is not None
    return {column for column, count in zip(COLUMNS, counts, strict=True) if count}


def _refuse_bad_ids(connection: duckdb.DuckDBPyConnection, table: Table, column: str) -> None:
    row = connection.execute("SELECT count(*), count(record_id), count(DISTINCT record_id) FROM said").fetchone()
    assert row is not None
    total, given, distinct = row
    if given < total:
        raise TableUnusable(f"{table.file.name}: {total - given} records have no {column}; give every record its own.")
    if distinct < total:
        raise TableUnusable(
            f"{table.file.name}: {total - distinct} records repeat a {column} of another, perhaps of another source;"
            " make it unique, for example by putting the source before it."
        )


def _create_records(connection: duckdb.DuckDBPyConnection, configuration: Configuration) -> None:
    month_first = "true" if configuration.date_order == "mdy" else "false"
    connection.execute(
        rf"""
        CREATE OR REPLACE TABLE dated AS
        SELECT *,
            CASE WHEN regexp_full_match(day, '(18|19|20)\d{{6}}') THEN day END AS birth,
            coalesce(CASE WHEN day IS NOT NULL THEN substr(day, 1, 4) END, birth_year,
                     nullif(regexp_extract(birth_date, '^((?:18|19|20)\d{{2}})(\D.*)?$', 1), '')) AS year_of_birth
        FROM (SELECT *, coalesce(
            read_day(birth_date, {month_first}),
            CASE WHEN regexp_full_match(birth_year, '\d{{4}}') AND regexp_full_match(birth_month, '\d{{1,2}}')
                      AND regexp_full_match(birth_day, '\d{{1,2}}')
                 THEN birth_year || two_digits(birth_month) || two_digits(birth_day) END) AS day
            FROM said)
        """
    )
    if configuration.script == "han":
        _create_han_records(connection)
    else:
        _create_latin_records(connection)
    # A number under many names is nobody's, whoever checks it; nor is the birth date that was read from it.
    unread = ", birth = typed_birth, birth_year = typed_birth_year" if configuration.script == "han" else ""
    connection.execute(
        f"""
        CREATE OR REPLACE TABLE common_numbers AS
        SELECT id_no FROM records WHERE id_no IS NOT NULL GROUP BY id_no
        HAVING count(DISTINCT coalesce(sound, full_name)) >= {configuration.thresholds.placeholder_names};
        UPDATE records SET id_no = NULL, number = NULL{unread} WHERE id_no IN (SELECT id_no FROM common_numbers)
        """
    )
    if configuration.script == "han":
        settle_numbers(connection)


_SEX = r"""CASE WHEN lower(sex) IN ('m', 'male', 'man', '1', '男', '男性') THEN 'm'
                WHEN lower(sex) IN ('f', 'female', 'woman', 'w', '2', '女', '女性') THEN 'f' END"""


def _create_latin_records(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute(
        rf"""
        CREATE OR REPLACE TABLE records AS
        WITH cleaned AS (
            SELECT record, record_id, source, birth, year_of_birth AS birth_year, {_SEX} AS sex,
                CASE WHEN given_name IS NULL AND surname IS NULL AND name IS NOT NULL
                     THEN CASE WHEN contains(name, ',') THEN plain(split_part(name, ',', 2))
                               ELSE nullif(regexp_extract(plain(name), '^(.*) \S+$', 1), '') END
                     ELSE plain(given_name) END AS given_name,
                CASE WHEN given_name IS NULL AND surname IS NULL AND name IS NOT NULL
                     THEN CASE WHEN contains(name, ',') THEN plain(split_part(name, ',', 1))
                               ELSE regexp_extract(plain(name), '(\S+)$', 1) END
                     ELSE plain(surname) END AS surname,
                nullif(upper(regexp_replace(id_no, '[^0-9A-Za-z]', '', 'g')), '') AS id_no,
                nullif(regexp_replace(phone, '\D', '', 'g'), '') AS phone,
                plain(address) AS whole, plain(street_number) AS typed_number,
                plain(address_2) AS address_2, replace(plain(postcode), ' ', '') AS postcode,
                plain(city) AS city, plain(state) AS state
            FROM dated
        )
        SELECT record, record_id, source, given_name, surname,
            nullif(concat_ws(' ', given_name, surname), '') AS full_name, birth, birth_year, id_no, sex, phone,
            CASE WHEN typed_number IS NULL THEN coalesce(nullif(regexp_extract(whole, '^\d+\w? (.+)$', 1), ''), whole)
                 ELSE whole END AS street,
            coalesce(typed_number, nullif(regexp_extract(whole, '^(\d+\w?) .+$', 1), '')) AS street_number,
            address_2, postcode, city, state, coalesce(postcode, city) AS place,
            NULL::VARCHAR AS name, NULL::VARCHAR AS sound, NULL::VARCHAR AS surname_sound, NULL::VARCHAR AS given,
            NULL::VARCHAR AS number, whole AS address
        FROM cleaned
        """
    )


def _create_han_records(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute(
        r"""
        CREATE OR REPLACE TABLE named AS
        SELECT *, nullif(regexp_replace(regexp_replace(
            half_width(coalesce(name, concat_ws('', surname, given_name))), '[・•．‧∙.]', '·', 'g'), '\s', '', 'g'), '')
            AS whole_name
        FROM dated
        """
    )
    names = connection.execute(
        "SELECT DISTINCT whole_name FROM named WHERE whole_name IS NOT NULL ORDER BY 1"
    ).fetchall()
    sounds: pa.Table = read_names([row[0] for row in names])
    take_rows(connection, "sounds_found", sounds)
    # A spreadsheet that wrote a number as 5.1E+17 has lost it.
    connection.execute(
        rf"""
        CREATE OR REPLACE TABLE records AS
        WITH cleaned AS (
            SELECT *, CASE WHEN NOT regexp_matches(id_no, '^[0-9.]+[Ee]\+') THEN
                    to_eighteen(nullif(upper(regexp_replace(half_width(id_no), '[^0-9A-Za-z]', '', 'g')), ''))
                    END AS typed,
                replace(half_width(address), ' ', '') AS home
            FROM named
        )
        SELECT c.record, c.record_id, c.source, s.given AS given_name, s.surname, c.whole_name AS full_name,
            coalesce(c.birth, CASE WHEN is_sound_number(typed) THEN substr(typed, 7, 8) END) AS birth,
            coalesce(c.year_of_birth, CASE WHEN is_sound_number(typed) THEN substr(typed, 7, 4) END) AS birth_year,
            CASE WHEN length(typed) >= 6 AND NOT is_typed_blindly(typed) THEN typed END AS id_no,
            {_SEX} AS sex,
            first_phone(c.phone) AS phone, NULL::VARCHAR AS street, NULL::VARCHAR AS street_number,
            NULL::VARCHAR AS address_2, c.postcode, c.city, c.state,
            coalesce(c.postcode, c.city) AS place, c.whole_name AS name, s.sound, s.surname_sound, s.given,
            CASE WHEN is_sound_number(typed) THEN typed END AS number, c.home AS address,
            c.birth AS typed_birth, c.year_of_birth AS typed_birth_year
        FROM cleaned AS c LEFT JOIN sounds_found AS s ON s.name = c.whole_name
        """
    )
    connection.execute("DROP TABLE sounds_found")
