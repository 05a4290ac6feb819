"""Who owns a sound identity number: the names that stand beside it are weighed, each agrees, is disowned or conflicts.

A number is never believed alone: it links only mentions whose names agree. A relative's number typed into the wrong
field is disowned when the owner stands on the same record, in the same household file, or is known as kin of a
person with the mention's name.
"""

from __future__ import annotations

import duckdb

from identity import thresholds

# Two full days that a keyboard or the lunar calendar explains: one digit, day and month swapped, two months.
BIRTH_MACROS = f"""
CREATE OR REPLACE MACRO is_near_day(a, b) AS
    a = b OR hamming(strftime(a, '%Y%m%d'), strftime(b, '%Y%m%d')) = 1
    OR (year(a) = year(b) AND month(a) = day(b) AND day(a) = month(b));
CREATE OR REPLACE MACRO is_other_birth(a, b) AS
    a IS NOT NULL AND b IS NOT NULL AND NOT is_near_day(a, b) AND abs(date_diff('day', a, b)) > {thresholds.LUNAR_DAYS};
"""


def create_claims(connection: duckdb.DuckDBPyConnection) -> None:
    """Create ``number_owners`` (one row per sound number) and ``number_links`` (one row per mention with one).

    ``number_links.reason`` says how the mention's name agrees with the owner ('id', 'id+same_sound', …), or why the
    number is not its own ('disowned:…'), or that nobody can tell ('conflict:…').
    """
    connection.execute(BIRTH_MACROS)
    connection.execute(
        f"""
        CREATE OR REPLACE TABLE name_claims AS
        WITH stated AS (
            SELECT DISTINCT id_no, name, coalesce(household_key, record_key) AS place,
                   bool_or(birth_day IS NOT NULL AND is_near_day(birth_day, number_birth)) AS birth_agrees,
                   bool_or(is_other_birth(birth_day, number_birth)) AS birth_differs,
                   bool_or(sex <> number_sex) AS sex_differs
            FROM mentions
            WHERE id_no IS NOT NULL AND name IS NOT NULL AND NOT is_withdrawn
            GROUP BY id_no, name, place
        )
        SELECT id_no, name, any_value(sound) AS sound, count(*) AS places,
               count(*) + {thresholds.CLAIM_POINTS_BIRTH_AGREES} * count(*) FILTER (birth_agrees)
               + {thresholds.CLAIM_POINTS_BIRTH_DIFFERS} * count(*) FILTER (birth_differs)
               + {thresholds.CLAIM_POINTS_SEX_DIFFERS} * count(*) FILTER (sex_differs) AS points
        FROM stated JOIN sounds USING (name)
        GROUP BY id_no, name
        """
    )
    connection.execute(
        f"""
        CREATE OR REPLACE TABLE number_owners AS
        WITH best AS (
            SELECT * FROM name_claims QUALIFY row_number() OVER (PARTITION BY id_no ORDER BY points DESC, name) = 1
        ),
        against AS (
            SELECT best.id_no, any_value(best.name) AS owner_name, any_value(best.sound) AS owner_sound,
                   any_value(best.points) AS points, any_value(best.places) AS places,
                   sum(claims.places) AS all_places,
                   count(*) FILTER (name_agreement(best.name, best.sound, claims.name, claims.sound) IS NULL) AS others,
                   max(claims.points) FILTER (
                       coalesce(name_agreement(best.name, best.sound, claims.name, claims.sound), 'one_char_of_two')
                       IN ('one_char_of_two', 'polite_form')) AS other_points
            FROM best JOIN name_claims AS claims USING (id_no)
            GROUP BY best.id_no
        )
        SELECT id_no, owner_name, owner_sound,
               CASE WHEN others >= {thresholds.PLACEHOLDER_NAMES}
                         AND places < {thresholds.PLACEHOLDER_OWNER_SHARE} * all_places THEN 'conflict:placeholder'
                    WHEN other_points >= points THEN 'conflict:two_owners'
                    WHEN points <= {thresholds.CLAIM_FLOOR} THEN 'disowned:birth_and_sex'
               END AS trouble
        FROM against
        """
    )
    connection.execute(
        """
        CREATE OR REPLACE TABLE named_together AS
        SELECT DISTINCT a.mention, b.name
        FROM mentions AS a JOIN mentions AS b ON a.record_key = b.record_key AND a.mention <> b.mention
        WHERE a.id_no IS NOT NULL AND a.name <> b.name
        UNION
        SELECT DISTINCT a.mention, b.name
        FROM mentions AS a JOIN mentions AS b
             ON a.household_key = b.household_key AND a.source_table = b.source_table AND a.role = b.role
             AND a.said_on = b.said_on AND a.mention <> b.mention
        WHERE a.id_no IS NOT NULL AND a.name <> b.name AND a.role = 'member'
        """
    )
    connection.execute(
        """
        CREATE OR REPLACE TABLE number_links AS
        WITH judged AS (
            SELECT m.mention, m.id_no, m.name, o.owner_name, o.trouble,
                   name_agreement(o.owner_name, o.owner_sound, m.name, s.sound) AS agreement,
                   m.birth_day IS NOT NULL AND is_near_day(m.birth_day, m.number_birth) AS birth_agrees,
                   is_other_birth(m.birth_day, m.number_birth) AS birth_differs,
                   coalesce(m.sex <> m.number_sex, false) AS sex_differs,
                   t.mention IS NOT NULL AS owner_beside,
                   length(m.name) = 3 AND length(o.owner_name) = 3
                       AND substr(m.name, 1, 1) = substr(o.owner_name, 1, 1)
                       AND (substr(m.name, 2, 1) = substr(o.owner_name, 2, 1)
                            OR substr(m.name, 3, 1) = substr(o.owner_name, 3, 1)) AS shares_syllable
            FROM mentions AS m
            LEFT JOIN sounds AS s USING (name)
            LEFT JOIN number_owners AS o USING (id_no)
            LEFT JOIN named_together AS t ON t.mention = m.mention AND t.name = o.owner_name
            WHERE m.id_no IS NOT NULL
        )
        SELECT mention, id_no,
            CASE
                WHEN owner_name IS NULL THEN 'conflict:no_owner'
                WHEN trouble IS NOT NULL THEN trouble
                WHEN name IS NULL THEN CASE WHEN birth_differs OR sex_differs THEN 'conflict:no_name' ELSE 'id+no_name' END
                WHEN agreement = 'same' THEN 'id'
                WHEN owner_beside THEN 'disowned:owner_on_record'
                WHEN agreement = 'same_sound' AND NOT (birth_differs AND sex_differs) THEN 'id+same_sound'
                WHEN birth_differs OR sex_differs THEN 'conflict:name_and_birth'
                WHEN agreement = 'unreadable_char' THEN 'id+unreadable_char'
                WHEN agreement = 'one_char' THEN 'id+one_char'
                WHEN agreement = 'same_given' THEN 'id+same_given'
                WHEN shares_syllable THEN 'id+surname_syllable'
                WHEN agreement = 'one_char_of_two' AND birth_agrees THEN 'id+birth'
                ELSE 'conflict:name'
            END AS reason
        FROM judged
        """
    )


def disown_numbers_of_kin(connection: duckdb.DuckDBPyConnection) -> None:
    """Turn a name conflict into a disowned number where the number's owner has kin of the mention's name."""
    connection.execute(
        """
        CREATE OR REPLACE TABLE owner_companions AS
        SELECT DISTINCT owned.id_no, other.name
        FROM number_links AS owned
        JOIN mentions AS m ON m.mention = owned.mention AND NOT m.is_withdrawn
        JOIN mentions AS other ON other.record_key = m.record_key AND other.mention <> m.mention
        WHERE starts_with(owned.reason, 'id')
          AND owned.id_no IN (SELECT id_no FROM number_links WHERE reason IN ('conflict:name', 'conflict:name_and_birth'))
        UNION
        SELECT DISTINCT owned.id_no, other.name
        FROM number_links AS owned
        JOIN mentions AS m ON m.mention = owned.mention AND NOT m.is_withdrawn
        JOIN mentions AS other ON other.household_key = m.household_key AND other.mention <> m.mention
        WHERE starts_with(owned.reason, 'id')
          AND owned.id_no IN (SELECT id_no FROM number_links WHERE reason IN ('conflict:name', 'conflict:name_and_birth'))
        """
    )
    connection.execute(
        """
        UPDATE number_links SET reason = 'disowned:kin_of_owner'
        FROM mentions, owner_companions AS beside
        WHERE number_links.mention = mentions.mention
          AND number_links.reason IN ('conflict:name', 'conflict:name_and_birth')
          AND beside.id_no = number_links.id_no AND beside.name = mentions.name
        """
    )
