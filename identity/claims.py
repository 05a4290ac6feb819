"""Who owns a sound identity number: the names that stand beside it are weighed, each agrees, is disowned or conflicts.

A number is never believed alone: it links only mentions whose names agree. A relative's number typed into the wrong
field is disowned when the owner stands on the same record, in the same household file, or is known as kin of a
person with the mention's name.
"""

from __future__ import annotations

import duckdb

from identity import thresholds

# Every reason of ``number_links``, and the one that a person's decision gives.
REASONS = (
    *thresholds.NUMBER_WEIGHTS, "disowned:birth_and_sex", "disowned:owner_on_record", "disowned:kin_of_owner",
    "conflict:placeholder", "conflict:two_owners", "conflict:no_owner", "conflict:no_name", "conflict:name_and_birth",
    "conflict:name", "conflict:kin_of_owner", "conflict:decision",
)  # fmt: skip

# How a name that is not its owner's can agree with a number, the most alike first.
LIKENESS = (
    "id+same_sound", "id+unreadable_char", "id+one_char", "id+same_given", "id+surname_syllable", "id+polite_form",
    "id+birth",
)  # fmt: skip

# Two full days that a keyboard or the lunar calendar explains: one digit, day and month swapped, two months.
BIRTH_MACROS = f"""
CREATE OR REPLACE MACRO is_near_day(a, b) AS
    a = b
    -- One digit is of the year, the month or the day. To write dates out takes long, and most differ in more.
    OR ((year(a) = year(b))::INT + (month(a) = month(b))::INT + (day(a) = day(b))::INT = 2
        AND hamming(strftime(a, '%Y%m%d'), strftime(b, '%Y%m%d')) = 1)
    OR (year(a) = year(b) AND month(a) = day(b) AND day(a) = month(b));
CREATE OR REPLACE MACRO is_other_birth(a, b) AS
    a IS NOT NULL AND b IS NOT NULL AND NOT is_near_day(a, b) AND abs(date_diff('day', a, b)) > {thresholds.LUNAR_DAYS};
"""


def find_weighed(connection: duckdb.DuckDBPyConnection) -> None:
    """Create ``weighed``: the mentions of every sound number that is not simply its bearer's, and ``settled_numbers``
    (anchor, mention_count) of the others.

    Where all mentions of a number bear one name, and none states another birth or sex, is withdrawn or stands beside
    another on one record, there is nothing to weigh: that name owns it. So it is with most numbers. Of a number about
    which a person decided all is looked at.
    The views ``settled`` and ``unsettled`` part the mentions: the settled bear their own number.
    """
    connection.execute(
        """
        CREATE OR REPLACE TEMP TABLE numbers AS
        SELECT anchor, count(*) AS mention_count,
               min(name_number) IS NOT DISTINCT FROM max(name_number) AND count(name_number) = count(*)
                   AND NOT coalesce(bool_or(is_withdrawn OR birth_day <> number_birth OR sex <> number_sex), false)
               AS is_one_bearers
        FROM mentions WHERE anchor IS NOT NULL GROUP BY anchor;
        CREATE OR REPLACE TEMP TABLE settled_numbers AS
        SELECT anchor, mention_count FROM numbers WHERE is_one_bearers AND anchor NOT IN (
            SELECT anchor FROM mentions
            WHERE anchor IS NOT NULL AND mention IN (SELECT unnest([mention_l, mention_r]) FROM decisions)
            UNION
            SELECT anchor FROM mentions WHERE anchor IS NOT NULL GROUP BY record, anchor HAVING count(*) > 1);
        CREATE OR REPLACE TEMP TABLE weighed AS
        SELECT mention, record, household, source_table, role, said_on, id_no, name, is_withdrawn, birth_day,
               number_birth, sex, number_sex
        FROM mentions SEMI JOIN (FROM numbers ANTI JOIN settled_numbers USING (anchor)) USING (anchor);
        DROP TABLE numbers;
        -- Every table of mentions that follows asks which are settled.
        ALTER TABLE mentions ADD COLUMN IF NOT EXISTS is_weighed BOOLEAN DEFAULT false;
        UPDATE mentions SET is_weighed = true WHERE mention IN (SELECT mention FROM weighed);
        CREATE OR REPLACE TEMP VIEW settled AS FROM mentions WHERE anchor IS NOT NULL AND NOT is_weighed;
        CREATE OR REPLACE TEMP VIEW unsettled AS FROM mentions WHERE anchor IS NULL OR is_weighed
        """
    )


def create_claims(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the view ``number_links`` (one row per mention with a sound number) and ``number_owners`` (one row per
    number that is weighed).

    ``number_judgements`` has the links of those that are not ``settled``.

    ``number_links.reason`` says how the mention's name agrees with the owner ('id', 'id+same_sound', …), or why the
    number is not its own ('disowned:…'), or that nobody can tell ('conflict:…'). Needs ``find_weighed`` and ``sounds``.
    """
    connection.execute(BIRTH_MACROS)
    _find_kin_claims(connection)
    connection.execute(
        f"""
        CREATE OR REPLACE TABLE name_claims AS
        WITH stated AS (
            SELECT id_no, name, coalesce(household, record) AS place,
                   bool_or(birth_day IS NOT NULL AND is_near_day(birth_day, number_birth)) AS birth_agrees,
                   bool_or(is_other_birth(birth_day, number_birth)) AS birth_differs,
                   bool_or(sex <> number_sex) AS sex_differs
            FROM weighed
            WHERE name IS NOT NULL AND NOT is_withdrawn
            GROUP BY id_no, name, place
        )
        SELECT id_no, name, any_value(sound) AS sound, (id_no, name) IN (FROM kin_claims) AS is_of_kin,
               count(*) AS places, bool_or(birth_agrees) AS birth_agrees,
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
            SELECT *, count(*) OVER (PARTITION BY id_no) AS name_count,
                   sum(places) OVER (PARTITION BY id_no) AS all_places
            FROM name_claims
            QUALIFY row_number() OVER (PARTITION BY id_no ORDER BY points DESC, is_of_kin, name) = 1
        ),
        rivals AS (
            -- A name that differs by a character is no rival when both state the number's very day of birth.
            SELECT best.id_no, claims.points,
                   name_agreement(best.name, best.sound, claims.name, claims.sound) AS agreement,
                   coalesce(best.birth_agrees AND claims.birth_agrees, false) AS births_agree
            FROM best JOIN name_claims AS claims ON claims.id_no = best.id_no AND claims.name <> best.name
            WHERE best.name_count > 1
        ),
        against AS (
            SELECT id_no, count(*) FILTER (agreement IS NULL) AS others,
                   max(points) FILTER (coalesce(agreement, 'none') IN ('none', 'polite_form')
                                       OR agreement = 'one_char_of_two' AND NOT births_agree) AS other_points
            FROM rivals GROUP BY id_no
        )
        SELECT id_no, name AS owner_name, sound AS owner_sound,
               CASE WHEN others >= {thresholds.PLACEHOLDER_NAMES}
                         AND places < {thresholds.PLACEHOLDER_OWNER_SHARE} * all_places THEN 'conflict:placeholder'
                    WHEN other_points >= points THEN 'conflict:two_owners'
                    WHEN points <= {thresholds.CLAIM_FLOOR} THEN 'disowned:birth_and_sex'
               END AS trouble
        FROM best LEFT JOIN against USING (id_no)
        """
    )
    # Most mentions bear the owner's name: only the others are looked at closely.
    connection.execute(
        """
        CREATE OR REPLACE TABLE doubtful AS
        SELECT m.mention, m.record, m.household, m.source_table, m.role, m.said_on, m.id_no, m.name,
               m.owner_name, m.owner_sound, m.trouble, s.sound,
               m.birth_day IS NOT NULL AND is_near_day(m.birth_day, m.number_birth) AS birth_agrees,
               coalesce(is_other_birth(m.birth_day, m.number_birth), false) AS birth_differs,
               coalesce(coalesce(m.sex, sex_of_polite(m.name)) <> m.number_sex, false) AS sex_differs
        FROM (
            SELECT m.*, owner_name, owner_sound, trouble FROM weighed AS m LEFT JOIN number_owners AS o USING (id_no)
            WHERE m.name IS NULL OR o.owner_name IS NULL OR m.name <> o.owner_name OR o.trouble IS NOT NULL
        ) AS m LEFT JOIN sounds AS s USING (name);
        CREATE OR REPLACE TABLE owner_beside AS
        SELECT DISTINCT d.mention
        FROM doubtful AS d JOIN mentions AS b
             ON b.record = d.record AND b.mention <> d.mention AND b.name = d.owner_name
        WHERE d.name <> d.owner_name
        UNION
        SELECT DISTINCT d.mention
        FROM doubtful AS d JOIN mentions AS b
             ON b.household = d.household AND b.said_on = d.said_on AND b.source_table = d.source_table
             AND b.role = d.role AND b.mention <> d.mention AND b.name = d.owner_name
        WHERE d.name <> d.owner_name AND d.role = 'member'
        """
    )
    connection.execute(
        """
        CREATE OR REPLACE TABLE number_judgements AS
        WITH judged AS (
            SELECT *, name_agreement(owner_name, owner_sound, name, sound) AS agreement,
                   mention IN (SELECT mention FROM owner_beside) AS owner_stands_beside,
                   length(name) = 3 AND length(owner_name) = 3 AND substr(name, 1, 1) = substr(owner_name, 1, 1)
                       AND (substr(name, 2, 1) = substr(owner_name, 2, 1)
                            OR substr(name, 3, 1) = substr(owner_name, 3, 1)) AS shares_syllable
            FROM doubtful
        )
        SELECT mention, id_no, 'id' AS reason FROM weighed ANTI JOIN doubtful USING (mention)
        UNION ALL
        SELECT mention, id_no,
            CASE
                WHEN owner_name IS NULL THEN 'conflict:no_owner'
                WHEN trouble IS NOT NULL THEN trouble
                WHEN name IS NULL AND (birth_differs OR sex_differs) THEN 'conflict:no_name'
                WHEN name IS NULL THEN 'id+no_name'
                WHEN owner_stands_beside THEN 'disowned:owner_on_record'
                WHEN agreement = 'same_sound' AND NOT (birth_differs AND sex_differs) THEN 'id+same_sound'
                WHEN birth_differs OR sex_differs THEN 'conflict:name_and_birth'
                WHEN agreement = 'unreadable_char' THEN 'id+unreadable_char'
                WHEN agreement IN ('one_char', 'char_missing') THEN 'id+one_char'
                WHEN agreement = 'same_given' THEN 'id+same_given'
                WHEN agreement = 'polite_form' THEN 'id+polite_form'
                WHEN shares_syllable THEN 'id+surname_syllable'
                WHEN agreement = 'one_char_of_two' AND birth_agrees THEN 'id+birth'
                ELSE 'conflict:name'
            END
        FROM judged;
        CREATE OR REPLACE VIEW number_links AS
        SELECT mention, id_no, 'id' AS reason FROM settled UNION ALL FROM number_judgements
        """
    )
    _part_parties(connection)


def _find_kin_claims(connection: duckdb.DuckDBPyConnection) -> None:
    """Create ``kin_claims`` (id_no, name): names under a number that somebody else beside its bearer has, with a number
    of his own. Between two names that are stated as often, such a one is the relative's.
    """
    beside = " UNION ALL ".join(
        f"""
        SELECT b.id_no, o.name FROM bearers AS b JOIN mentions AS o ON o.{company} = b.{company}
        WHERE o.mention <> b.mention AND o.name <> b.name AND o.id_no <> b.id_no"""
        for company in ("record", "household")
    )
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE kin_claims AS
        WITH bearers AS MATERIALIZED (
            SELECT id_no, name, mention, record, household FROM weighed
            WHERE name IS NOT NULL AND NOT is_withdrawn AND id_no IN (
                SELECT id_no FROM weighed GROUP BY id_no HAVING min(name) <> max(name))
        )
        SELECT DISTINCT id_no, name FROM ({beside}) SEMI JOIN bearers USING (id_no, name)
        """
    )


def _part_parties(connection: duckdb.DuckDBPyConnection) -> None:
    """Of several parties of one record under one number, leave it to the one who is most like its owner.

    Two parties of a record are two people, father and son of one name too: both cannot be its owner, nor one of them be
    the owner misspelt. Of two who bear the owner's very name it is the one who states the number's birthday; of two
    who are equally like it nobody can tell. Whoever alone bears that name has made those of other names disowned
    already.
    """
    ranks = " ".join(f"WHEN '{reason}' THEN {place + 2}" for place, reason in enumerate(LIKENESS))
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE partners AS
        WITH named AS MATERIALIZED (
            SELECT mention, w.id_no, w.record, CASE l.reason
                       WHEN 'id' THEN CASE WHEN coalesce(is_near_day(birth_day, number_birth), false) THEN 0 ELSE 1 END
                       {ranks} END AS likeness
            FROM number_judgements AS l JOIN weighed AS w USING (mention) WHERE l.reason IN {("id", *LIKENESS)}
        )
        SELECT m.mention, bool_or(o.likeness < m.likeness) AS is_another
        FROM named AS m JOIN named AS o
             ON o.record = m.record AND o.id_no = m.id_no AND o.mention <> m.mention AND o.likeness <= m.likeness
        GROUP BY m.mention;
        UPDATE number_judgements SET reason = CASE WHEN is_another THEN 'disowned:owner_on_record'
                                                   ELSE 'conflict:two_owners' END
        FROM partners WHERE number_judgements.mention = partners.mention
        """
    )


def disown_numbers_of_kin(connection: duckdb.DuckDBPyConnection) -> None:
    """Disown a number where its owner has kin of the mention's name, and the names conflict.

    Where the names are alike, and that relative has a number of his own, nobody can tell: brothers' names often differ
    by a character, and a slip can turn one's name into the other's. The mention then stands alone.
    """
    beside = " UNION ALL ".join(
        f"""
        SELECT owned.id_no, other.name, other.id_no <> owned.id_no AS has_own
        FROM owned JOIN mentions AS other ON other.{company} = owned.{company} AND other.mention <> owned.mention"""
        for company in ("record", "household")
    )
    connection.execute(
        f"""
        CREATE OR REPLACE TABLE in_conflict AS
        SELECT mention, id_no, reason IN {LIKENESS} AS is_like FROM number_judgements
        WHERE reason IN ('conflict:name', 'conflict:name_and_birth') OR reason IN {LIKENESS};
        CREATE OR REPLACE TABLE owner_companions AS
        WITH owned AS MATERIALIZED (
            SELECT w.id_no, w.mention, w.record, w.household
            FROM weighed AS w JOIN number_judgements AS l USING (mention)
            WHERE NOT w.is_withdrawn AND starts_with(l.reason, 'id')
              AND w.id_no IN (SELECT id_no FROM in_conflict)
        )
        SELECT id_no, name, coalesce(bool_or(has_own), false) AS has_own FROM ({beside}) GROUP BY ALL
        """
    )
    connection.execute(
        """
        UPDATE number_judgements
        SET reason = CASE WHEN is_like THEN 'conflict:kin_of_owner' ELSE 'disowned:kin_of_owner' END
        FROM weighed, owner_companions AS beside, in_conflict AS asked
        WHERE number_judgements.mention = weighed.mention AND asked.mention = weighed.mention
          AND beside.id_no = number_judgements.id_no AND beside.name = weighed.name AND (beside.has_own OR NOT is_like)
        """
    )
