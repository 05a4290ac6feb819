"""A day in the city of ``city_shapes``: what changes among its records, written into a work file that holds them.

At scale 1: 22,000 visits, 300 acts of registration, 270 deaths with their cremations, 1,000 corrected records of
elders, 40 mentions that are linked otherwise. With ``payments`` also the next month of every allowance that two
districts pay monthly, as their files come in.
"""

from __future__ import annotations

import duckdb

VISITS, ACTS, DEATHS, CORRECTED, RELINKED = 22_000, 300, 270, 1_000, 40
_CITY = "work.staging.stg_city__"

_TAKEN = """
CREATE OR REPLACE TEMP TABLE taken_visits AS
SELECT * FROM {city}care_visits USING SAMPLE {visits} ROWS (reservoir, {seed});
CREATE OR REPLACE TEMP TABLE taken_acts AS
SELECT DISTINCT source_record_id FROM (SELECT source_record_id FROM {city}events WHERE event_type = 'marriage'
    USING SAMPLE {acts} ROWS (reservoir, {seed}));
CREATE OR REPLACE TEMP TABLE taken_elders AS
SELECT *, row_number() OVER () AS n FROM (SELECT m.* FROM {city}mentions AS m WHERE role = 'elder'
    AND source_record_id::BIGINT % 11 <> 0 USING SAMPLE {elders} ROWS (reservoir, {seed}));
"""

_CHANGES = """
INSERT INTO {city}care_visits BY NAME
SELECT * REPLACE ('day/' || source_record_id AS source_record_id, DATE '{day}' - 1 AS visited_on,
    false AS is_withdrawn) FROM taken_visits;

INSERT INTO {city}mentions BY NAME
SELECT * REPLACE (replace(mention_key, 'registration/', 'registration/day') AS mention_key,
    replace(record_key, 'registration/', 'registration/day') AS record_key,
    'day' || source_record_id AS source_record_id, DATE '{day}' - 1 AS said_on)
FROM {city}mentions SEMI JOIN taken_acts USING (source_record_id) WHERE source_table = 'registration';
INSERT INTO work.identity.mention_links BY NAME
SELECT * REPLACE (replace(mention_key, 'registration/', 'registration/day') AS mention_key)
FROM work.identity.mention_links WHERE mention_key IN (
    SELECT mention_key FROM {city}mentions SEMI JOIN taken_acts USING (source_record_id)
    WHERE source_table = 'registration');
INSERT INTO {city}events BY NAME
SELECT * REPLACE (replace(mention_key, 'registration/', 'registration/day') AS mention_key,
    replace(partner_mention_key, 'registration/', 'registration/day') AS partner_mention_key,
    'day' || source_record_id AS source_record_id, DATE '{day}' - 1 AS event_date, 'divorce' AS event_type,
    'IB' AS act_code, 'N' || 'day' || source_record_id AS certificate_no, certificate_no AS refers_to_no)
FROM {city}events SEMI JOIN taken_acts USING (source_record_id) WHERE source_table = 'registration';

INSERT INTO {city}mentions BY NAME
SELECT * EXCLUDE (n) REPLACE ('funeral/cremations/day' || source_record_id || '/deceased' AS mention_key,
    'funeral/cremations/day' || source_record_id AS record_key, 'funeral' AS source_system,
    'cremations' AS source_table, 'day' || source_record_id AS source_record_id, 'deceased' AS role,
    DATE '{day}' - 1 AS said_on)
FROM taken_elders WHERE n <= {deaths};
INSERT INTO work.identity.mention_links BY NAME
SELECT l.* REPLACE ('funeral/cremations/day' || t.source_record_id || '/deceased' AS mention_key)
FROM work.identity.mention_links AS l JOIN taken_elders AS t USING (mention_key) WHERE t.n <= {deaths};
INSERT INTO {city}events BY NAME
SELECT 'funeral/cremations/day' || source_record_id || '/deceased' AS mention_key, 'funeral' AS source_system,
    'cremations' AS source_table, 'day' || source_record_id AS source_record_id, false AS is_withdrawn,
    DATE '{day}' - 4 + shift AS event_date, 'day' AS date_precision, event_type, TIMESTAMPTZ '{day}' AS seen_at
FROM taken_elders, (VALUES ('death', 0), ('cremation', 3)) AS e(event_type, shift) WHERE n <= {deaths};

UPDATE {city}mentions SET phones = ['13300000000'], seen_at = TIMESTAMPTZ '{day}'
WHERE mention_key IN (SELECT mention_key FROM taken_elders WHERE n > {deaths} AND n <= {deaths} + {corrected});
UPDATE work.identity.mention_links SET citizen_id = (SELECT min(citizen_id) FROM work.identity.citizens)
WHERE mention_key IN (SELECT mention_key FROM taken_elders WHERE n > {deaths} + {corrected});
"""

# The files of two districts, a month on.
_PAYMENTS = """
CREATE OR REPLACE TEMP TABLE taken_payments AS
SELECT *, replace(mention_key, '/payment/', '/payment/day') AS new_key FROM {city}payments
WHERE managing_district IN ('510104', '510105') AND period_from = DATE '2025-12-01' AND month_count = 1
    AND household_key IS NULL;
INSERT INTO {city}mentions BY NAME
SELECT m.* REPLACE (t.new_key AS mention_key, replace(m.record_key, '/payment/', '/payment/day') AS record_key,
    'day' || m.source_record_id AS source_record_id, DATE '{day}' AS said_on, 'pay/day' AS delivery_id)
FROM {city}mentions AS m JOIN taken_payments AS t USING (mention_key);
INSERT INTO work.identity.mention_links BY NAME
SELECT l.* REPLACE (t.new_key AS mention_key)
FROM work.identity.mention_links AS l JOIN taken_payments AS t USING (mention_key);
INSERT INTO {city}payments BY NAME
SELECT * EXCLUDE (new_key) REPLACE (new_key AS mention_key, 'day' || source_record_id AS source_record_id,
    'day' || payment_no AS payment_no, DATE '2026-01-01' AS period_from, DATE '{day}' AS paid_on,
    DATE '2026-01-01' AS delivered_month)
FROM taken_payments;
INSERT INTO {city}payment_files BY NAME
SELECT 'pay/day' AS delivery_id, 'allowance' AS source_system, managing_district, delivered_month,
    count(*) AS rows_read, count(*) AS control_rows, sum(amount_yuan) AS control_sum_yuan, 0 AS rows_quarantined,
    0 AS quarantined_yuan, 0 AS rows_superseded, 0 AS superseded_yuan, 0 AS rows_repeated
FROM {city}payments WHERE delivered_month = DATE '2026-01-01' GROUP BY ALL;
"""


def live_a_day(duck: duckdb.DuckDBPyConnection, scale: float, day: str, seed: int, *, payments: bool = False) -> None:
    """Change the inputs in the open work file as a day does."""
    sizes = {
        name: max(2, round(number * scale))
        for name, number in (
            ("visits", VISITS), ("acts", ACTS), ("deaths", DEATHS), ("corrected", CORRECTED), ("relinked", RELINKED),
        )
    }  # fmt: skip
    words = sizes | {"elders": sizes["deaths"] + sizes["corrected"] + sizes["relinked"], "city": _CITY}
    for statements in (_TAKEN, _CHANGES, _PAYMENTS if payments else ""):
        for statement in duck.extract_statements(statements.format(day=day, seed=seed, **words)):
            duck.execute(statement)
