"""A small candidate with invented people: every published table, sound by all rules of the gate."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb

AS_OF = date(2026, 1, 20)

# Invented people; the numbers carry the form of identity numbers and belong to nobody.
NAMES = ("欧阳锦绣", "司徒明镜", "上官听雨", "慕容织云", "诸葛望舒")

_SQL = """
CREATE SCHEMA golden;
CREATE SCHEMA findings;
CREATE SCHEMA identity;
CREATE SCHEMA intermediate;
CREATE SCHEMA handovers;

CREATE TEMP TABLE people AS
SELECT
    i,
    'C' || substr(md5('citizen ' || i), 1, 20) AS citizen_id,
    list_extract({names}, 1 + i % 5) AS name,
    '51010419' || (30 + i % 60) || '0101' || lpad((i * 7)::VARCHAR, 3, '0') || '7' AS id_no,
    CASE WHEN i % 2 = 0 THEN 'male' ELSE 'female' END AS sex,
    1930 + i % 60 AS birth_year,
    i % 10 = 9 AS is_dead
FROM range({citizens}) AS t(i);

CREATE TABLE intermediate.int_mentions__unioned AS
SELECT
    source_system || '/' || source_table || '/' || source_record_id || '/' || role AS mention_key,
    source_system, source_table, source_record_id, role, name, id_no, citizen_id, false AS is_withdrawn
FROM (
    SELECT 'marriage' AS source_system, 'registration' AS source_table, (i // 2)::VARCHAR AS source_record_id,
        CASE WHEN i % 2 = 0 THEN 'man' ELSE 'woman' END AS role, *
    FROM people
    UNION ALL
    SELECT 'allowance', 'payment', '510104/2025/' || lpad(i::VARCHAR, 8, '0'), 'payee', * FROM people
    UNION ALL
    SELECT 'funeral', 'cremations', 'BYG01-' || i, 'deceased', * FROM people WHERE is_dead
    UNION ALL
    SELECT 'eldercare', 'elder', i::VARCHAR, 'elder', * FROM people WHERE birth_year < 1950
    UNION ALL
    SELECT 'funeral', 'cremations', 'BYG01-' || i, 'handler', i, NULL, NULL, NULL, NULL, NULL, false
    FROM people WHERE is_dead
);

CREATE TABLE identity.mention_links AS
SELECT
    mention_key, citizen_id,
    CASE WHEN citizen_id IS NULL THEN 'unresolved' WHEN role = 'elder' THEN 'probabilistic' ELSE 'identity_number' END
        AS link_method,
    CASE WHEN role = 'elder' THEN 14.5 END::DOUBLE AS match_weight,
    citizen_id IS NOT NULL AND role <> 'elder' AS is_certain
FROM intermediate.int_mentions__unioned;

CREATE TABLE golden.citizen_mentions AS
SELECT m.source_system, m.source_table, m.source_record_id, m.role, l.citizen_id, l.link_method, l.match_weight,
    m.is_withdrawn
FROM intermediate.int_mentions__unioned AS m
INNER JOIN identity.mention_links AS l USING (mention_key);

CREATE TABLE golden.citizens AS
SELECT
    p.citizen_id, substr(name, 1, 1) || '***' AS name_masked, sex, birth_year::INTEGER AS birth_year,
    'day' AS birth_date_precision, '510104' AS hukou_district, '510104' AS managing_district,
    CASE WHEN is_dead THEN 'deceased' ELSE 'alive' END AS life_status,
    CASE WHEN is_dead THEN DATE '2025-06-15' END AS death_date,
    'married' AS marital_status,
    (SELECT o.citizen_id FROM people AS o WHERE o.i = CASE WHEN p.i % 2 = 0 THEN p.i + 1 ELSE p.i - 1 END)
        AS spouse_citizen_id,
    ['allowance', 'marriage'] AS source_systems, 2::INTEGER AS mention_count, 1.0::DOUBLE AS identity_confidence
FROM people AS p;

CREATE TABLE golden.citizen_redirects AS
SELECT 'Cretired000000000000' AS old_citizen_id, min(citizen_id) AS citizen_id, 'merge' AS reason,
    '20260101T000000-0000' AS run_id, TIMESTAMPTZ '2026-01-01 00:00:00+08' AS happened_at
FROM people;

CREATE TABLE golden.citizen_relationships AS
SELECT citizen_id, spouse_citizen_id AS related_citizen_id, 'spouse' AS relation, DATE '1990-05-01' AS valid_from,
    NULL::DATE AS valid_to, 'marriage' AS source_system
FROM golden.citizens;

CREATE TABLE golden.citizen_marital_states AS
SELECT citizen_id, 1::INTEGER AS state_number, 'married' AS marital_status, spouse_citizen_id,
    DATE '1990-05-01' AS valid_from, NULL::DATE AS valid_to, 'marriage' AS source_system, '1' AS source_record_id
FROM golden.citizens;

CREATE TABLE golden.citizen_events AS
SELECT md5('event ' || citizen_id) AS event_id, citizen_id, 'marriage' AS event_type, DATE '1990-05-01' AS event_date,
    'day' AS date_precision, 'marriage' AS source_system, i::VARCHAR AS source_record_id,
    '{{"act_code": "IA"}}'::JSON AS attributes
FROM people;

CREATE TABLE intermediate.int_payments__unioned AS
SELECT 'allowance' AS source_system, '510104/2025/' || lpad(i::VARCHAR, 8, '0') AS source_record_id, citizen_id,
    DATE '2025-03-01' AS period_from, 1 AS covered_months, 100.00::DECIMAL(14, 2) AS amount_yuan, i = 0 AS is_failed
FROM people;
CREATE TABLE intermediate.int_payments__standing AS
SELECT * FROM intermediate.int_payments__unioned WHERE NOT is_failed;

CREATE TABLE golden.benefit_months AS
SELECT citizen_id, NULL::VARCHAR AS household_key, 'old_age_allowance' AS benefit, period_from AS benefit_month,
    '510104' AS managing_district, amount_yuan::DECIMAL(12, 2) AS amount_yuan, DATE '2025-03-10' AS paid_on,
    source_record_id, source_system
FROM intermediate.int_payments__standing;

CREATE TABLE golden.households AS
SELECT '510104/H' || i AS household_key, DATE '2025-03-01' AS household_month, '510104' AS managing_district,
    'dibao_urban' AS benefit, 'whole_household' AS mode, 1::INTEGER AS insured_count
FROM people WHERE i < 10;

CREATE TABLE golden.household_members AS
SELECT '510104/H' || i AS household_key, DATE '2025-03-01' AS household_month, citizen_id, 'head' AS relation,
    true AS is_insured, 'allowance' AS source_system, '510104/202503/member/1/' || (i + 2) AS source_record_id
FROM people WHERE i < 10;

CREATE TABLE golden.bed_stays AS
SELECT citizen_id, '7' AS institution_id, DATE '2025-01-10' AS checked_in_on, DATE '2025-05-10' AS checked_out_on,
    300.00::DECIMAL(12, 2) AS subsidy_month_yuan, 'eldercare' AS source_system, i::VARCHAR AS source_record_id
FROM people WHERE i < 5;

CREATE TABLE golden.care_visits AS
SELECT citizen_id, DATE '2026-01-10' AS visited_on, 'visit' AS kind, 0.00::DECIMAL(12, 2) AS subsidy_yuan,
    'eldercare' AS source_system, i::VARCHAR AS source_record_id
FROM people WHERE i < 8;

CREATE TABLE golden.payment_reconciliation AS
SELECT d AS managing_district, DATE '2025-03-01' AS delivered_month, 1::BIGINT AS file_count,
    0::BIGINT AS files_without_control, 100::BIGINT AS control_rows, (100 - q)::BIGINT AS rows_accepted,
    q::BIGINT AS rows_quarantined, 0::BIGINT AS rows_superseded, 0::BIGINT AS rows_repeated, 1::BIGINT AS rows_failed,
    0::BIGINT AS rows_reported_twice, 0::BIGINT AS rows_without_month, (99 - q)::BIGINT AS rows_counted,
    0::BIGINT AS difference_rows, 10000.00::DECIMAL(14, 2) AS control_sum_yuan,
    0.00::DECIMAL(14, 2) AS without_control_yuan, (10000 - 100 * q)::DECIMAL(14, 2) AS accepted_yuan,
    (100 * q)::DECIMAL(14, 2) AS quarantined_yuan, 0.00::DECIMAL(14, 2) AS superseded_yuan,
    0.00::DECIMAL(14, 2) AS repeated_yuan, 100.00::DECIMAL(14, 2) AS failed_yuan,
    0.00::DECIMAL(14, 2) AS reported_twice_yuan, 0.00::DECIMAL(14, 2) AS without_month_yuan,
    (9900 - 100 * q)::DECIMAL(14, 2) AS counted_yuan, 0.00::DECIMAL(14, 2) AS difference_yuan
FROM (VALUES ('510104', 1), ('510105', 0)) AS t(d, q);

CREATE TABLE golden.deliveries AS
SELECT 'allowance/payment/payment_510104_2025' || lpad(m::VARCHAR, 2, '0') AS delivery_id, s AS source_system,
    'payment' AS entity, '510104' AS district, '2025' || lpad(m::VARCHAR, 2, '0') AS delivered_month,
    'accepted' AS state, NULL::VARCHAR AS reason, 100::BIGINT AS rows_read, 97::BIGINT AS rows_accepted,
    1::BIGINT AS rows_quarantined, 1::BIGINT AS rows_superseded, 1::BIGINT AS rows_duplicate,
    TIMESTAMPTZ '2026-01-20 02:00:00+08' AS received_at, '20260120T020000000001' AS load_id,
    sha256('delivery ' || m) AS content_hash
FROM (VALUES (1, 'marriage'), (2, 'allowance'), (3, 'funeral'), (4, 'eldercare')) AS t(m, s);

CREATE TABLE findings.findings AS
SELECT md5('finding ' || i) AS finding_id, 'benefit_after_death' AS rule, 'A' AS severity, citizen_id,
    NULL::VARCHAR AS household_key, DATE '2025-07-01' AS period_from, DATE '2025-08-31' AS period_to,
    200.00::DECIMAL(14, 2) AS amount_yuan, 'candidate' AS state, NULL::VARCHAR AS state_reason, true AS is_holding,
    NULL::BIGINT AS decision_number,
    to_json([{{'source_system': 'funeral', 'source_table': 'cremations', 'source_record_id': 'BYG01-' || i}}])
        AS evidence,
    {run_id} AS first_seen_run, {run_id} AS last_seen_run
FROM people WHERE is_dead;

CREATE TABLE findings.kpi_monthly AS
SELECT 'deaths' AS indicator, d AS managing_district, DATE '2025-06-01' AS month, v::DOUBLE AS value,
    'persons' AS unit
FROM (VALUES ('510100', 12), ('510104', 7), ('510105', NULL)) AS t(d, v);

CREATE TABLE handovers.handover_pseudonyms AS
SELECT 'microgrid' AS recipient, sha256('microgrid ' || citizen_id) AS person_id, citizen_id
FROM people WHERE NOT is_dead
UNION ALL
SELECT 'one_stop', sha256('one_stop ' || citizen_id), citizen_id FROM people WHERE is_dead;

CREATE TABLE handovers.handover_microgrid_tasks AS
SELECT md5('task ' || person_id) AS task_id, person_id, '510104' AS managing_district, 'weekly_visit' AS kind,
    DATE '2026-01-25' AS due_on
FROM handovers.handover_pseudonyms WHERE recipient = 'microgrid';

CREATE TABLE handovers.handover_after_death AS
SELECT md5('task ' || person_id) AS task_id, person_id, '510104' AS managing_district, 'stop_benefit' AS action,
    'old_age_allowance' AS detail, DATE '2025-06-15' AS death_date, 'day' AS death_date_precision
FROM handovers.handover_pseudonyms WHERE recipient = 'one_stop';

CREATE TABLE handovers.handover_city_aggregates AS
SELECT indicator, month, value, unit FROM findings.kpi_monthly WHERE managing_district = '510100' AND value IS NOT NULL;

CREATE TABLE golden.citizen_identifiers AS
SELECT citizen_id, 'id_no' AS identifier_kind, id_no AS identifier_value, 'marriage' AS source_system FROM people
UNION ALL
SELECT citizen_id, 'name', name, 'marriage' FROM people;

CREATE TABLE golden.citizen_attributes AS
SELECT citizen_id, 'name' AS attribute, name AS value, 'marriage' AS source_system, i::VARCHAR AS source_record_id,
    true AS is_chosen, 'latest sound record' AS rule
FROM people;

CREATE TABLE findings.finding_evidence AS
SELECT md5('finding ' || i) AS finding_id, 'funeral' AS source_system, 'cremations' AS source_table,
    'BYG01-' || i AS source_record_id, name AS raw_name, id_no AS raw_id_no
FROM people WHERE is_dead;
"""


def build_candidate(work_file: Path, run_id: str, citizens: int = 30) -> Path:
    """Write the candidate of ``run_id`` into a new file and return it."""
    work_file.parent.mkdir(parents=True, exist_ok=True)
    work_file.unlink(missing_ok=True)
    names = "[" + ", ".join(f"'{name}'" for name in NAMES) + "]"
    with duckdb.connect(str(work_file)) as connection:
        connection.execute(_SQL.format(names=names, citizens=citizens, run_id=f"'{run_id}'"))
    return work_file


def change(work_file: Path, *statements: str) -> None:
    """Apply SQL to a candidate."""
    with duckdb.connect(str(work_file)) as connection:
        for statement in statements:
            connection.execute(statement)


def personal_values(work_file: Path) -> list[str]:
    """Every name and number of a person in the candidate: what must not be found in the published lake."""
    with duckdb.connect(str(work_file), read_only=True) as connection:
        rows = connection.execute("SELECT DISTINCT identifier_value FROM golden.citizen_identifiers").fetchall()
    return [row[0] for row in rows]
