"""Whom a change touches: the one place that says what golden's models join and group by.

``core`` are the citizens whose rows are worked out again in every table with a row per citizen, ``core_homes`` the
households, ``core_acts`` the acts of registration, ``redone_<shape>`` the source records whose row of a fact table is.
The sets hold old and new owners, so that whoever lost a record is worked out again too. A citizen too many does no
harm. What a row reads lies within its citizen's own records and:

    an act          the other party; every act that bears the number of another, and all acts of its parties (a marriage
                    is ended by what any of these say): the connected part of the graph of acts is inside or outside
    a relation      the person at its other end; the funeral of a deceased, who arranged it
    a household     every row, member, head and payment of it: a change touches all its people
    a payment       the same payment reported by a zone and by the district of its land
    a stay          its institution
    the latest month of a benefit or of households in a district: who was last paid or reported then (``latest``)
    a number, an account in one name: whoever else carries it (``_touch_sharers``), for the rules that ask whose it is
    the day of the run: what was declared on no day, and leads that go on until the day of the run
"""

from __future__ import annotations

from datetime import date

import duckdb

from rongtong.day.changes import BuildWhole

MARRIAGE_ACTS = "('marriage', 'divorce', 'annulment', 'certificate_reissue')"
# Of a city's citizens: where more are touched, working out everybody is no dearer.
TOO_LARGE_A_SHARE = 0.2
# Tables with a mention_key whose rows belong to nobody but that mention's citizen.
OWN = ("household_months", "household_members", "bed_stays", "care_visits", "care_registrations", "declarations")
_RECORD = "source_system, source_table, source_record_id"


def find_touched(
    connection: duckdb.DuckDBPyConnection, before: date, now: date, largest_share: float = TOO_LARGE_A_SHARE
) -> None:
    """Create ``core``, ``core_homes``, ``core_acts``, ``redone_*``, ``loose_names``, ``neighbours`` and the witnesses.

    ``before`` and ``now`` are the days that the run before and this one speak of.

    Needs the tables of ``changes``, and what golden held before in the schemas of ``work``. Raises ``BuildWhole`` where
    more than ``largest_share`` of the citizens are touched.
    """
    _touch_payments(connection)
    _touch_mentions(connection)
    _touch_citizens(connection)
    if now != before:
        _touch_undated(connection, before)
    _touch_homes(connection)
    _touch_last_reported(connection)
    _touch_last_paid(connection)
    _touch_sharers(connection)
    _touch_acts(connection)
    touched, all_citizens = connection.execute(
        "SELECT (SELECT count(*) FROM core), (SELECT count(*) FROM work.identity.citizens)"
    ).fetchall()[0]
    if touched > largest_share * all_citizens:
        raise BuildWhole(f"{touched:,} of {all_citizens:,} citizens are touched by what changed")
    # What others of the core carry has brought in its carriers already.
    connection.execute("CREATE OR REPLACE TEMP TABLE joined AS FROM core ANTI JOIN asked USING (citizen_id)")
    connection.execute(f"CREATE OR REPLACE TEMP TABLE neighbours AS {_sharers_of('joined')}")
    _touch_records(connection)


def _touch_payments(connection: duckdb.DuckDBPyConnection) -> None:
    """``touched_payments``: changed ones, those of a mention that is another now, and the twins of both."""
    connection.execute(
        """
        CREATE OR REPLACE TEMP TABLE relinked AS SELECT DISTINCT mention_key FROM changed_mention_links;
        CREATE OR REPLACE TEMP TABLE restated AS
        SELECT mention_key FROM relinked UNION SELECT mention_key FROM changed_mentions;
        CREATE OR REPLACE TEMP TABLE touched_payments AS
        SELECT * EXCLUDE (is_new) FROM changed_payments
        UNION SELECT * FROM either_payments SEMI JOIN restated USING (mention_key)
        """
    )
    connection.execute(f"INSERT INTO touched_payments {twins_of('touched_payments', 'either_payments')}")


def twins_of(payments: str, among: str) -> str:
    """SQL of the rows of ``among`` that report one of ``payments`` again: a zone, and the district of its land."""
    same = " AND ".join(
        f"o.{column} = s.{column}" for column in ("payment_no", "benefit", "period_from", "amount_yuan")
    )
    return f"""
        SELECT DISTINCT o.* FROM {payments} AS s
        JOIN work.reference.zone_lands AS z
        ON s.managing_district = z.statutory_district OR s.managing_district = z.zone_district
        JOIN {among} AS o ON {same} AND coalesce(o.month_count, 1) = coalesce(s.month_count, 1)
        AND o.managing_district = CASE s.managing_district
            WHEN z.statutory_district THEN z.zone_district WHEN z.zone_district THEN z.statutory_district END
    """


def _touch_mentions(connection: duckdb.DuckDBPyConnection) -> None:
    """``touched_mentions``: mention keys whose citizen is worked out again."""
    own = " ".join(f"UNION SELECT mention_key FROM changed_{shape}" for shape in OWN)
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE touched_mentions AS
        SELECT mention_key FROM restated {own}
        UNION SELECT mention_key FROM touched_payments
        UNION SELECT unnest([mention_key, partner_mention_key]) FROM changed_events
        UNION SELECT unnest([mention_key, related_mention_key]) FROM changed_relations
        -- The other party of an act, the other end of a relation, whoever arranged the funeral that the event is of.
        UNION SELECT mention_key FROM either_events WHERE partner_mention_key IN (SELECT mention_key FROM relinked)
        UNION SELECT mention_key FROM either_relations WHERE related_mention_key IN (SELECT mention_key FROM relinked)
        UNION SELECT related_mention_key FROM either_relations
        WHERE mention_key IN (SELECT mention_key FROM relinked UNION SELECT mention_key FROM changed_events)
        UNION SELECT mention_key FROM either_bed_stays SEMI JOIN changed_institutions USING (institution_id)
        """
    )


def _touch_citizens(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute(
        """
        CREATE OR REPLACE TEMP TABLE core AS
        SELECT citizen_id FROM changed_citizens
        UNION SELECT citizen_id FROM either_mention_links
        WHERE citizen_id IS NOT NULL AND mention_key IN (SELECT mention_key FROM touched_mentions)
        """
    )


def _touch_undated(connection: duckdb.DuckDBPyConnection, before: date) -> None:
    """Citizens of whom something is said for the day of the run, whatever day that is."""
    connection.execute(
        f"""
        INSERT INTO core
        SELECT citizen_id FROM either_mention_links WHERE citizen_id IS NOT NULL AND mention_key IN (
            SELECT mention_key FROM either_declarations WHERE attribute = 'marital_status' AND said_on IS NULL)
        UNION SELECT citizen_id FROM work.findings.fnd_two_open_marriages WHERE period_to > DATE '{before}'
        -- Whether a lead goes on, or has ended on that very day.
        UNION SELECT citizen_id FROM work.findings.fnd_two_open_marriages SEMI JOIN (
            SELECT citizen_id FROM work.intermediate.int_marriages__dated
            WHERE married_on = DATE '{before}' OR possible_end = DATE '{before}') USING (citizen_id)
        WHERE period_to = DATE '{before}'
        UNION SELECT citizen_id FROM work.findings.fnd_one_number_two_people WHERE period_from >= DATE '{before}'
        UNION SELECT citizen_id FROM work.findings.fnd_one_person_two_numbers WHERE period_from >= DATE '{before}'
        """
    )


def _touch_homes(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute(
        """
        CREATE OR REPLACE TEMP TABLE core_homes AS
        SELECT household_key FROM touched_payments WHERE household_key IS NOT NULL
        UNION SELECT household_key FROM changed_household_months
        UNION SELECT household_key FROM changed_household_members
        UNION SELECT household_key FROM either_household_months SEMI JOIN relinked USING (mention_key)
        UNION SELECT household_key FROM either_household_members SEMI JOIN relinked USING (mention_key)
        """
    )
    _touch_people_of_homes(connection)


def _touch_people_of_homes(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute(
        """
        INSERT INTO core
        SELECT DISTINCT citizen_id FROM either_mention_links SEMI JOIN (
            SELECT mention_key FROM either_household_months SEMI JOIN core_homes USING (household_key)
            UNION SELECT mention_key FROM either_household_members SEMI JOIN core_homes USING (household_key)
            UNION SELECT mention_key FROM either_payments SEMI JOIN core_homes USING (household_key)
        ) USING (mention_key)
        WHERE citizen_id IS NOT NULL AND citizen_id NOT IN (SELECT citizen_id FROM core)
        """
    )


def _touch_last_reported(connection: duckdb.DuckDBPyConnection) -> None:
    """People of districts whose latest month of households may move; ``witness_homes`` keep the latest of the others.

    A membership is over when a later month was reported in one of its districts.
    """
    connection.execute(
        """
        CREATE OR REPLACE TEMP TABLE reported AS
        SELECT managing_district AS district, household_key, max(household_month) AS last_month
        FROM work.golden.household_members GROUP BY ALL;
        CREATE OR REPLACE TEMP TABLE witness_homes AS
        SELECT district, max(last_month) AS last_month, arg_max(household_key, last_month) AS household_key
        FROM reported ANTI JOIN core_homes USING (household_key) GROUP BY district;
        CREATE OR REPLACE TEMP TABLE moving AS
        WITH before AS (SELECT district, max(last_month) AS latest FROM reported GROUP BY district),
        possible AS (
            SELECT managing_district AS district, max(household_month) AS latest
            FROM new_household_members SEMI JOIN core_homes USING (household_key) GROUP BY ALL
        )
        SELECT b.district, least(b.latest, coalesce(w.last_month, DATE '0001-01-01')) AS lowest
        FROM before AS b LEFT JOIN witness_homes AS w USING (district) LEFT JOIN possible AS p USING (district)
        WHERE w.last_month IS DISTINCT FROM b.latest OR p.latest > b.latest;
        CREATE OR REPLACE TEMP TABLE last_reported AS
        WITH there AS (
            SELECT m.citizen_id, min(lowest) AS lowest
            FROM work.golden.household_members AS m JOIN moving ON m.managing_district = moving.district
            WHERE m.citizen_id IS NOT NULL GROUP BY ALL
        ), late AS (
            SELECT m.citizen_id FROM work.golden.household_members AS m JOIN there USING (citizen_id)
            GROUP BY m.citizen_id HAVING max(m.household_month) >= min(there.lowest)
        )
        SELECT DISTINCT household_key FROM work.golden.household_members SEMI JOIN late USING (citizen_id);
        INSERT INTO core_homes FROM last_reported ANTI JOIN core_homes USING (household_key)
        """
    )
    _touch_people_of_homes(connection)


def _touch_last_paid(connection: duckdb.DuckDBPyConnection) -> None:
    """Citizens last paid in a month that may cease to be the latest, or become it; ``witnesses`` keep it for others."""
    connection.execute(
        """
        CREATE OR REPLACE TEMP TABLE redone_payments AS
        SELECT DISTINCT source_system, source_table, source_record_id FROM (
            FROM touched_payments UNION ALL FROM either_payments SEMI JOIN core_homes USING (household_key))
        """
    )
    _find_latest_paid(connection)
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE moving AS
        WITH possible AS (
            SELECT benefit, district, max(month) AS latest FROM (
                SELECT benefit, managing_district AS district, CAST(date_trunc('month', period_from) AS DATE)
                    + to_months(greatest(coalesce(month_count, 1), 1) - 1) AS month
                FROM new_payments SEMI JOIN redone_payments USING (source_system, source_table, source_record_id)
                WHERE period_from IS NOT NULL
                UNION ALL
                SELECT benefit, managing_district, benefit_month FROM work.intermediate.int_benefit_months__expanded
                SEMI JOIN core USING (citizen_id)
            ) GROUP BY ALL
        )
        SELECT b.benefit, b.district, least(b.latest, coalesce(w.last_month, DATE '0001-01-01')) AS lowest,
            greatest(b.latest, p.latest) AS highest
        FROM latest_paid AS b LEFT JOIN witnesses AS w USING (benefit, district)
        LEFT JOIN possible AS p USING (benefit, district)
        WHERE w.last_month IS DISTINCT FROM b.latest OR p.latest > b.latest;
        INSERT INTO core
        SELECT DISTINCT citizen_id FROM ({_paid("benefit_month >= (SELECT min(lowest) FROM moving)")})
        JOIN moving USING (benefit, district)
        WHERE NOT is_core AND benefit_month >= lowest AND benefit_month < highest
        """
    )


def _find_latest_paid(connection: duckdb.DuckDBPyConnection) -> None:
    """``latest_paid``, the latest month of each benefit in each district, and ``witnesses``, a citizen who keeps it.

    Both are looked for in the months in which any payment of a district is its latest. A citizen whom two districts
    paid counts for one of them only; if that leaves a district without either there, all months are gone through.
    """
    connection.execute(
        """
        CREATE OR REPLACE TEMP TABLE last_months AS
        SELECT benefit, managing_district AS district, max(benefit_month) AS latest,
            max(benefit_month) FILTER (citizen_id NOT IN (SELECT citizen_id FROM core)) AS latest_of_others
        FROM work.intermediate.int_benefit_months__expanded WHERE citizen_id IS NOT NULL GROUP BY ALL
        """
    )
    ends = "SELECT latest FROM last_months UNION SELECT latest_of_others FROM last_months"
    for months in (f"benefit_month IN ({ends})", "true"):
        connection.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE paid AS {_paid(months)};
            CREATE OR REPLACE TEMP TABLE latest_paid AS
            SELECT benefit, district, max(benefit_month) AS latest FROM paid GROUP BY ALL;
            CREATE OR REPLACE TEMP TABLE witnesses AS
            SELECT benefit, district, max(benefit_month) AS last_month, arg_max(citizen_id, benefit_month) AS citizen_id
            FROM paid WHERE NOT is_core GROUP BY ALL
            """
        )
        unlike = connection.execute(
            "SELECT count(*) FROM last_months AS m LEFT JOIN latest_paid AS p USING (benefit, district)"
            " LEFT JOIN witnesses AS w USING (benefit, district)"
            " WHERE p.latest IS DISTINCT FROM m.latest OR w.last_month IS DISTINCT FROM m.latest_of_others"
        ).fetchall()[0][0]
        if not unlike:
            return


def _paid(months: str) -> str:
    """SQL of the citizens paid a benefit in a month for which ``months`` holds, each in one district."""
    return f"""
        SELECT citizen_id, benefit, benefit_month, min(managing_district) AS district,
            citizen_id IN (SELECT citizen_id FROM core) AS is_core
        FROM work.intermediate.int_benefit_months__expanded WHERE citizen_id IS NOT NULL AND {months} GROUP BY ALL
    """


def _touch_sharers(connection: duckdb.DuckDBPyConnection) -> None:
    """Whoever carries a number or an account of the core, before or now, joins it."""
    connection.execute(
        """
        -- First by itself: how few these are is not known to the plan of a join of both.
        CREATE OR REPLACE TEMP TABLE restated_links AS
        SELECT mention_key, citizen_id FROM new_mention_links SEMI JOIN restated USING (mention_key)
        WHERE citizen_id IS NOT NULL;
        CREATE OR REPLACE TEMP TABLE restated_rows AS
        SELECT l.citizen_id, m.id_no, m.certificate_id_no, m.bank_account, m.name
        FROM new_mentions AS m JOIN restated_links AS l USING (mention_key);
        CREATE OR REPLACE TEMP VIEW carried AS
        SELECT citizen_id, id_no, certificate_id_no, bank_account || '/' || name AS account
        FROM (
            SELECT citizen_id, id_no, certificate_id_no, bank_account, name FROM work.intermediate.int_mentions__folded
            UNION ALL FROM restated_rows
        )
        UNION ALL SELECT citizen_id, id_no, NULL, NULL FROM work.identity.citizens
        UNION ALL SELECT citizen_id, id_no, NULL, NULL FROM changed_citizens
        """
    )
    connection.execute("CREATE OR REPLACE TEMP TABLE asked AS FROM core")
    connection.execute(f"INSERT INTO core {_sharers_of('asked')}")


def _sharers_of(people: str) -> str:
    """SQL of the citizens beside the core who carry what ``people`` of the core carry."""
    return f"""
        WITH theirs AS (FROM carried SEMI JOIN {people} USING (citizen_id)),
        numbers AS (SELECT id_no AS number FROM theirs UNION SELECT certificate_id_no FROM theirs),
        accounts AS (SELECT DISTINCT account FROM theirs)
        SELECT DISTINCT citizen_id FROM carried
        WHERE (id_no IN (SELECT number FROM numbers WHERE number IS NOT NULL)
            OR certificate_id_no IN (SELECT number FROM numbers WHERE number IS NOT NULL)
            OR account IN (SELECT account FROM accounts WHERE account IS NOT NULL))
        AND citizen_id NOT IN (SELECT citizen_id FROM core)
    """


def _touch_acts(connection: duckdb.DuckDBPyConnection) -> None:
    """``core_acts``: the acts of the core and all that hang together with them; their parties join the core."""
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE act_ends AS
        SELECT act_key, citizen_id, partner_citizen_id, certificate_no, refers_to_no
        FROM work.intermediate.int_acts__linked
        UNION ALL
        SELECT e.source_system || '/' || e.source_table || '/' || e.source_record_id, l.citizen_id, p.citizen_id,
            e.certificate_no, e.refers_to_no
        FROM (
            SELECT * FROM new_events WHERE mention_key IN (SELECT mention_key FROM touched_mentions)
            AND event_type IN {MARRIAGE_ACTS}
        ) AS e JOIN new_mention_links AS l USING (mention_key)
        LEFT JOIN new_mention_links AS p ON e.partner_mention_key = p.mention_key
        WHERE l.citizen_id IS NOT NULL;
        CREATE OR REPLACE TEMP TABLE core_acts (act_key VARCHAR);
        CREATE OR REPLACE TEMP TABLE edge_people AS SELECT citizen_id FROM core;
        CREATE OR REPLACE TEMP TABLE core_numbers (number VARCHAR)
        """
    )
    while connection.execute("SELECT count(*) FROM edge_people").fetchall()[0][0]:
        _widen(connection)


def _widen(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute(
        """
        CREATE OR REPLACE TEMP TABLE edge_numbers AS
        SELECT DISTINCT unnest([certificate_no, refers_to_no]) AS number FROM act_ends SEMI JOIN edge_people
        USING (citizen_id);
        DELETE FROM edge_numbers WHERE number IS NULL OR number IN (SELECT number FROM core_numbers);
        INSERT INTO core_numbers FROM edge_numbers;
        CREATE OR REPLACE TEMP TABLE edge_acts AS
        SELECT DISTINCT act_key FROM act_ends
        WHERE (
            citizen_id IN (SELECT citizen_id FROM edge_people)
            OR partner_citizen_id IN (SELECT citizen_id FROM edge_people)
            OR certificate_no IN (SELECT number FROM edge_numbers) OR refers_to_no IN (SELECT number FROM edge_numbers)
        ) AND act_key NOT IN (SELECT act_key FROM core_acts);
        INSERT INTO core_acts FROM edge_acts;
        CREATE OR REPLACE TEMP TABLE edge_people AS
        SELECT DISTINCT citizen_id FROM (
            SELECT unnest([citizen_id, partner_citizen_id]) AS citizen_id
            FROM act_ends SEMI JOIN edge_acts USING (act_key)
        )
        WHERE citizen_id IS NOT NULL AND citizen_id NOT IN (SELECT citizen_id FROM core);
        INSERT INTO core FROM edge_people
        """
    )


def _touch_records(connection: duckdb.DuckDBPyConnection) -> None:
    """The records whose row of a fact table is worked out again, and the names of payees whom nobody could tell."""
    for shape in ("household_members", "bed_stays", "care_visits"):
        more = "SEMI JOIN changed_institutions USING (institution_id)" if shape == "bed_stays" else "LIMIT 0"
        connection.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE redone_{shape} AS
            SELECT {_RECORD} FROM changed_{shape}
            UNION SELECT {_RECORD} FROM either_{shape} SEMI JOIN relinked USING (mention_key)
            UNION (SELECT {_RECORD} FROM either_{shape} {more})
            """
        )
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE redone_mentions AS
        SELECT DISTINCT {_RECORD}, role FROM either_mentions SEMI JOIN restated USING (mention_key);
        CREATE OR REPLACE TEMP TABLE loose_names AS
        WITH redone AS (
            SELECT DISTINCT mention_key FROM either_payments SEMI JOIN redone_payments USING ({_RECORD})
            WHERE mention_key IS NOT NULL
        ), untold AS (
            SELECT mention_key FROM redone ANTI JOIN (
                SELECT mention_key FROM new_mention_links WHERE citizen_id IS NOT NULL) USING (mention_key)
            UNION
            SELECT mention_key FROM redone ANTI JOIN (
                SELECT mention_key FROM old_mention_links WHERE citizen_id IS NOT NULL) USING (mention_key)
        )
        SELECT DISTINCT name FROM either_mentions SEMI JOIN untold USING (mention_key) WHERE name IS NOT NULL
        """
    )
