"""A city as staging and identity hand it over, drawn in SQL: the input of golden, findings and figures, at any size.

At scale 1: 3.3 million people of 60 and more in care registrations,
    half a million of them of 80 and more with a year's
allowance, 90,000 assisted people, 8 million visits, 3 million registration acts,
    three years' dead. Everything follows
from the number of a person by hashes, so that a scale and a seed give the same city on any machine. Nobody is real.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import duckdb

from warehouse.duck import connect
from warehouse.home import PROJECT

YEAR = 2025
AS_OF = f"{YEAR}-12-31"
ELDERS, VERY_OLD, HOUSEHOLDS, ACTS = 3_300_000, 500_000, 60_000, 3_000_000
KEY_TARGETS, OTHER_VISITS = 140_000, 1_600_000
DISTRICTS = (
    "510104", "510105", "510106", "510107", "510108", "510112", "510113", "510114", "510115", "510116",
    "510117", "510118", "510121", "510129", "510131", "510181", "510182", "510183", "510184", "510185",
)  # fmt: skip
SURNAMES = "王李张刘陈杨赵黄周吴徐孙"
LETTERS = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华文玉兰建国庆春梅红云志成德福安宁"

# What identity, landing and the last snapshot leave in a work file, beside the shapes of staging.
BESIDE_STAGING = """
CREATE TABLE work.identity.redirects (
    old_citizen_id VARCHAR, citizen_id VARCHAR, reason VARCHAR, run_id VARCHAR, happened_at TIMESTAMPTZ);
CREATE TABLE work.landing.deliveries (
    delivery_id VARCHAR, source_system VARCHAR, entity VARCHAR, district VARCHAR, delivered_month VARCHAR,
    version INTEGER, state VARCHAR, reason VARCHAR, rows_read BIGINT, rows_accepted BIGINT, rows_quarantined BIGINT,
    rows_superseded BIGINT, rows_duplicate BIGINT, notices_count BIGINT, control_rows BIGINT,
    control_sum DECIMAL(18,2), content_hash VARCHAR, received_at TIMESTAMPTZ, load_id VARCHAR);
CREATE TABLE work.landing.quarantine (
    source_system VARCHAR, entity VARCHAR, delivery_id VARCHAR, "position" VARCHAR, reason_code VARCHAR,
    message VARCHAR, row_json VARCHAR, first_seen_at TIMESTAMPTZ, owner VARCHAR);
CREATE TABLE work.history.findings (
    finding_id VARCHAR, rule VARCHAR, severity VARCHAR, citizen_id VARCHAR, household_key VARCHAR, period_from DATE,
    period_to DATE, amount_yuan DECIMAL(14,2), state VARCHAR, state_reason VARCHAR, is_holding BOOLEAN,
    decision_number BIGINT, evidence JSON, first_seen_run VARCHAR, last_seen_run VARCHAR);
CREATE TABLE work.history.deliveries AS FROM work.landing.deliveries;
CREATE TABLE work.history.decisions (
    decision_number BIGINT, finding_id VARCHAR, state VARCHAR, rule VARCHAR, citizen_id VARCHAR,
    household_key VARCHAR, period_from DATE, period_to DATE);
"""

# Odd numbers are men. Number p is born on one of 7,300 days of its generation, and p // 7300 is its area code: all
# identity numbers differ. Every eleventh elder has died in the last three years.
MACROS = """
CREATE MACRO draw(key, what) AS (hash(key, what, {seed}) % 1000003) / 1000003.0;
CREATE MACRO whole(key, what, below) AS (hash(key, what, {seed}) % below)::INTEGER;
CREATE MACRO citizen(p) AS 'c_' || substr(md5(p::VARCHAR), 1, 16);
CREATE MACRO born(p) AS (CASE WHEN p <= {very_old} THEN DATE '1926-01-01' WHEN p <= {elders} THEN DATE '1946-01-01'
    ELSE DATE '1972-01-01' END + (p % 7300)::INTEGER)::DATE;
CREATE MACRO number_of(p) AS (510000 + p // 7300)::VARCHAR || strftime(born(p), '%Y%m%d')
    || lpad((100 + (p // 2 % 400) * 2 + p % 2)::VARCHAR, 3, '0') || (p % 10)::VARCHAR;
CREATE MACRO district(p) AS ({districts})[1 + whole(p // 2, 'district', {district_count})];
CREATE MACRO hukou(p) AS CASE WHEN draw(p // 2, 'hukou') < 0.9 THEN district(p) ELSE '511303' END;
CREATE MACRO name_of(p) AS ({surnames})[1 + whole(p, 'surname', {surname_count})] || ({letters})[1 + whole(p,
    'b', {letter_count})]
    || ({letters})[1 + whole(p, 'c', {letter_count})];
CREATE MACRO died(p) AS CASE WHEN p <= {elders} AND p % 11 = 0 THEN DATE '{year}-12-20' - whole(p, 'died', 1095) END;
CREATE MACRO last_month(p) AS CASE WHEN died(p) IS NULL THEN 12
    ELSE least(12, datediff('month', DATE '{year}-01-01', died(p)) + 1 + (draw(p, 'late') < 0.02)::INTEGER * 3) END;
"""

# Who is written down where. Every claim becomes one mention: system, table, record, role, person,
# what the table asks.
CLAIMS = {
    "elder": """
        SELECT 'eldercare' AS source_system, 'elder' AS source_table, p::VARCHAR AS record, 'elder' AS role,
            p AS person,
            DATE '{year}-11-01' AS said_on, NULL::VARCHAR AS household, NULL::VARCHAR AS delivery, 'wide' AS asks
        FROM range(1, {elders} + 1) AS t(p)""",
    "contact": """
        SELECT 'eldercare', 'elder', p::VARCHAR, 'contact', p + 2, DATE '{year}-11-01', NULL, NULL, 'name'
        FROM range(1, {elders} + 1) AS t(p) WHERE draw(p, 'contact') < 0.8""",
    "acts": """
        SELECT 'marriage', 'registration', act::VARCHAR, unnest(['man', 'woman']), unnest([man, woman]), act_on, NULL,
            NULL, 'wide'
        FROM acts""",
    "dead": """
        SELECT 'funeral', 'cremations', 'x' || p, 'deceased', p, died(p), NULL, NULL, 'wide'
        FROM range(11, {elders} + 1, 11) AS t(p)""",
    "handler": """
        SELECT 'funeral', 'cremations', 'x' || p, 'handler', p + 1, died(p), NULL, NULL, 'number'
        FROM range(11, {elders} + 1, 11) AS t(p) WHERE draw(p, 'handler') < 0.96""",
    "payments": """
        SELECT 'allowance', 'payment', payment_no, CASE WHEN household IS NULL THEN 'payee' ELSE 'head' END, person,
            paid_on, household, delivery, 'account'
        FROM payments""",
    "households": """
        SELECT 'allowance', 'household', record, 'head', head, household_month, household, NULL, 'number'
        FROM household_months""",
    "members": """
        SELECT 'allowance', 'member', record, 'member', person, household_month, household, NULL, 'number'
        FROM members""",
}

FACTS = """
CREATE TEMP TABLE acts AS
-- Act number a: three in four are first marriages of couple a; the others end, restate or repeat an earlier one.
SELECT a AS act,
    CASE WHEN a % 4 > 0 THEN 'IA' WHEN draw(a, 'kind') < 0.6 THEN 'IB' WHEN draw(a, 'kind') < 0.65 THEN 'ICB'
        WHEN draw(a, 'kind') < 0.9 THEN 'ICA' WHEN draw(a, 'kind') < 0.98 THEN 'IA' ELSE 'IX' END AS act_code,
    a - a % 4 + CASE WHEN a % 4 = 0 THEN 1 ELSE a % 4 END AS couple,
    (CASE WHEN couple % 5 = 0 THEN 2 * (couple % ({elders} // 2)) ELSE {elders} + 2 * couple END + 1)::BIGINT AS man,
    (man + CASE WHEN a % 4 = 0 AND act_code = 'IA' THEN 3 ELSE 1 END)::BIGINT AS woman,
    (CASE WHEN a % 4 = 0 THEN DATE '2012-01-01' ELSE DATE '1995-01-01' END
        + whole(a, 'on', CASE WHEN a % 4 = 0 THEN 5000 ELSE 6200 END))::DATE AS act_on
FROM range(1, {acts} + 1) AS t(a);

CREATE TEMP TABLE households AS
SELECT h, district({elders} + 17 * h) || '/' || h AS household, district({elders} + 17 * h) AS managing_district,
    CASE WHEN h % 5 < 2 THEN 3 * h ELSE {elders} + 17 * h END AS head,
    CASE WHEN h % 10 < 6 THEN 1 WHEN h % 10 < 9 THEN 2 ELSE 3 END AS size,
    CASE WHEN draw(h, 'kind') < 0.5 THEN 'dibao_urban' WHEN draw(h,
        'kind') < 0.9 THEN 'dibao_rural' ELSE 'tekun' END AS benefit
FROM range(1, {households} + 1) AS t(h);

CREATE TEMP TABLE household_months AS
SELECT h.*, household || '/' || m AS record, make_date({year}, m::INTEGER, 1) AS household_month
FROM households AS h, range(1, 13) AS t(m) WHERE m <= last_month(head);

CREATE TEMP TABLE members AS
SELECT m.* EXCLUDE (record), record || '/' || n AS record, n, head + CASE n WHEN 0 THEN 0 WHEN 1 THEN 1
    ELSE 4 END AS person
FROM household_months AS m, range(3) AS t(n) WHERE n < size;

CREATE TEMP TABLE payments AS
WITH entitled AS (
    SELECT p AS person, 'old_age_allowance' AS benefit, NULL::VARCHAR AS household, district(p) AS paying,
        CASE WHEN whole(district(p), 'quarterly', 3) = 0 THEN 3 ELSE 1 END AS months, 100 AS yuan
    FROM range(1, {very_old} + 1) AS t(p) WHERE draw(p, 'claimed') < 0.97
    UNION ALL
    SELECT head + 0, CASE WHEN h % 2 = 0 THEN 'disability_living' ELSE 'disability_nursing' END, NULL,
        managing_district, 1, 120
    FROM households WHERE draw(h, 'disabled') < 0.66
    UNION ALL
    SELECT head, benefit, household, managing_district, 1, 700 FROM households
)
SELECT person, benefit, household, months, paying AS managing_district, yuan * months + whole(person, 'fen',
    3) * 0.01 AS yuan,
    (substr(benefit, 1, 3) || person || '/' || m) AS payment_no, make_date({year}, m::INTEGER, 1) AS period_from,
    make_date({year}, (m + months - 1)::INTEGER, 15) AS paid_on,
        'pay/' || paying || '/' || (m + months - 1) AS delivery,
    make_date({year}, (m + months - 1)::INTEGER, 1) AS delivered_month
FROM entitled, range(1, 13) AS t(m)
WHERE (m - 1) % months = 0 AND m <= last_month(person)
"""

MENTIONS = """
CREATE TEMP TABLE claimed AS
SELECT *, source_system || '/' || source_table || '/' || record || '/' || role AS mention_key,
    -- A number that is written soundly, a name that is not; and those whom nobody can tell.
    asks <> 'name' AND draw(mention_key, 'number') < 0.955 AS has_number,
    -- One table's clerk writes a person's name in another way, or knows another address and telephone.
    draw(person, source_table) AS slip,
    CASE WHEN slip < 0.02 THEN substr(name_of(person), 1, 2) || '某' ELSE name_of(person) END AS typed_name,
    CASE WHEN has_number THEN true ELSE draw(mention_key, 'told') < CASE asks WHEN 'name' THEN 0.5
        ELSE 0.75 END END AS is_told
FROM claims;
INSERT INTO work.staging.stg_city__mentions BY NAME
SELECT mention_key, source_system || '/' || source_table || '/' || record AS record_key, source_system, source_table,
    record AS source_record_id, role, false AS is_withdrawn, typed_name AS raw_name, typed_name AS name,
    CASE WHEN has_number THEN number_of(person) END AS raw_id_no,
    CASE WHEN has_number THEN number_of(person) END AS id_no,
    CASE WHEN has_number THEN 'valid' ELSE 'empty' END AS id_no_status,
    CASE WHEN asks = 'wide' THEN born(person) END AS birth_date,
    CASE WHEN asks = 'wide' THEN 'day' END AS birth_date_precision,
    CASE WHEN asks = 'wide' THEN CASE WHEN person % 2 = 1 THEN 'male' ELSE 'female' END END AS sex,
    CASE WHEN asks IN ('wide', 'name')
        THEN ['1390' || lpad(((person + (slip < 0.15)::INTEGER) % 10000000)::VARCHAR, 7, '0')] END AS phones,
    CASE WHEN asks = 'wide' THEN '成都市人民路' || (person // 3 + (slip < 0.2)::INTEGER) || '号' END AS address,
    CASE WHEN asks = 'wide' THEN CASE WHEN slip < 0.03 THEN district(person + 8) ELSE hukou(person) END END
        AS hukou_district,
    CASE WHEN source_table IN ('elder', 'payment', 'household', 'member') THEN district(person) END
        AS managing_district,
    CASE WHEN asks = 'account' THEN '6217' || lpad(person::VARCHAR, 15, '0') END AS bank_account,
    household AS household_key, said_on, said_on::TIMESTAMPTZ AS seen_at,
    coalesce(delivery, 'd/' || source_table) AS delivery_id
FROM claimed;
CREATE TABLE work.identity.mention_links AS
SELECT mention_key, CASE WHEN is_told THEN citizen(person) END AS citizen_id,
    CASE WHEN has_number THEN 'identity_number' WHEN is_told THEN 'probabilistic' ELSE 'unresolved' END
        AS link_method,
    CASE WHEN is_told AND NOT has_number THEN 12.0 END::DOUBLE AS match_weight, has_number AS is_certain,
        'drawn' AS reason
FROM claimed;
CREATE TABLE work.identity.citizens AS
SELECT citizen(person) AS citizen_id, 1.0::DOUBLE AS identity_confidence, number_of(person) AS id_no,
    'run-1' AS first_run_id
FROM (SELECT DISTINCT person FROM claimed WHERE is_told)
"""

SHAPES = {
    "events": """
        SELECT 'marriage/registration/' || act || '/' || unnest(['man', 'woman']) AS mention_key,
            'marriage/registration/' || act || '/' || unnest(['woman', 'man']) AS partner_mention_key,
            'marriage' AS source_system, 'registration' AS source_table, act::VARCHAR AS source_record_id,
            false AS is_withdrawn, act_on AS event_date, 'day' AS date_precision, act_code,
            CASE act_code WHEN 'IA' THEN 'marriage' WHEN 'IB' THEN 'divorce' WHEN 'IX' THEN 'annulment'
                ELSE 'certificate_reissue' END AS event_type,
            'N' || act AS certificate_no, CASE WHEN act_code <> 'IA' THEN 'N' || couple END AS refers_to_no,
            district(man) AS office_district, '{{}}' AS attributes, act_on::TIMESTAMPTZ AS seen_at
        FROM acts
        UNION ALL BY NAME
        SELECT 'funeral/cremations/x' || p || '/deceased' AS mention_key, 'funeral' AS source_system,
            'cremations' AS source_table, 'x' || p AS source_record_id, draw(p, 'void') < 0.01 AS is_withdrawn,
            died(p) + shift AS event_date, 'day' AS date_precision, event_type, died(p)::TIMESTAMPTZ AS seen_at
        FROM range(11, {elders} + 1, 11) AS t(p), (VALUES ('death', 0), ('cremation', 3)) AS e(event_type, shift)""",
    "payments": """
        SELECT 'allowance/payment/' || payment_no || '/' || CASE WHEN household IS NULL THEN 'payee'
            ELSE 'head' END AS mention_key,
            household AS household_key, 'allowance' AS source_system, 'payment' AS source_table,
            payment_no AS source_record_id, managing_district, payment_no, benefit, period_from,
                months AS month_count,
            yuan AS amount_yuan, paid_on, draw(payment_no, 'failed') < 0.01 AS is_failed, delivered_month
        FROM payments""",
    "payment_files": """
        SELECT delivery AS delivery_id, 'allowance' AS source_system, managing_district, delivered_month,
            count(*) AS rows_read, count(*) AS control_rows, sum(yuan) AS control_sum_yuan, 0 AS rows_quarantined,
            0 AS quarantined_yuan, 0 AS rows_superseded, 0 AS superseded_yuan, 0 AS rows_repeated
        FROM payments GROUP BY ALL""",
    "household_months": """
        SELECT household AS household_key, household_month, managing_district,
            'allowance/household/' || record || '/head' AS mention_key, benefit, 'whole_household' AS mode,
            size AS insured_count, 'allowance' AS source_system, 'household' AS source_table,
                record AS source_record_id
        FROM household_months""",
    "household_members": """
        SELECT household AS household_key, household_month, managing_district,
            'allowance/member/' || record || '/member' AS mention_key, ['head', 'spouse', 'son'][n + 1] AS relation,
            true AS is_insured, 'allowance' AS source_system, 'member' AS source_table, record AS source_record_id
        FROM members""",
    "bed_stays": """
        SELECT 'eldercare/elder/' || p || '/elder' AS mention_key, 'i' || p % 600 AS institution_id,
            DATE '2023-01-01' + whole(p, 'in', 1000) AS checked_in_on,
            coalesce(died(p) + 1, CASE WHEN p % 4 = 0 THEN checked_in_on + 200 END) AS checked_out_on,
            CASE WHEN draw(p, 'bed') < 0.7 THEN 900 END AS subsidy_month_yuan, false AS is_withdrawn,
            'eldercare' AS source_system, 'bed_stay' AS source_table, p::VARCHAR AS source_record_id
        FROM range(7, {elders} + 1, 50) AS t(p)""",
    "care_visits": """
        -- Key targets weekly, two weeks in a hundred left out; every twentieth elder more often or less.
        SELECT 'eldercare/elder/' || p || '/elder' AS mention_key,
            DATE '{year}-01-06' + (7 * w + p % 6)::INTEGER AS visited_on,
            'visit' AS kind, NULL::DECIMAL(12,2) AS subsidy_yuan, (visited_on + 2)::TIMESTAMP AS entered_at,
            draw(p * 100 + w, 'withdrawn') < 0.002 AS is_withdrawn, 'eldercare' AS source_system,
            'care_visit' AS source_table, 'w' || p || '/' || w AS source_record_id
        FROM (SELECT 20 * k + 3 AS p FROM range({key_targets}) AS t(k)) AS targets, range(50) AS u(w)
        WHERE draw(p * 100 + w, 'gap') >= 0.02 AND visited_on <= coalesce(died(p), visited_on)
        UNION ALL BY NAME
        SELECT 'eldercare/elder/' || p || '/elder' AS mention_key, DATE '{year}-01-01' + whole(v, 'on',
            360) AS visited_on,
            ['meal', 'home_care', 'day_care'][1 + v % 3] AS kind, [6, 40, 25][1 + v % 3] AS subsidy_yuan,
            (visited_on + 1)::TIMESTAMP AS entered_at, false AS is_withdrawn, 'eldercare' AS source_system,
            'care_visit' AS source_table, 'v' || v AS source_record_id
        FROM (SELECT v, 1 + whole(v, 'who', {elders}) AS p FROM range({other_visits}) AS t(v))""",
    "care_registrations": """
        SELECT 'eldercare/elder/' || p || '/elder' AS mention_key, district(p) AS managing_district,
            hukou(p) AS hukou_district, p % 20 = 3 AND p < 20 * {key_targets} AS is_key_target,
                p % 7 = 0 AS is_living_alone,
            CASE WHEN died(p) IS NOT NULL AND p % 2 = 0 THEN 'deceased' WHEN p % 101 = 0 THEN 'moved'
                ELSE 'active' END AS status,
            false AS is_withdrawn, 'eldercare' AS source_system, 'elder' AS source_table,
                p::VARCHAR AS source_record_id
        FROM range(1, {elders} + 1) AS t(p)""",
    "institutions": """
        SELECT 'i' || i AS institution_id, '养老院' || i AS institution_name, district(i * 97) AS managing_district,
            100 AS licensed_beds, 'public' AS ownership, false AS is_withdrawn, 'eldercare' AS source_system
        FROM range(600) AS t(i)""",
    "relations": """
        SELECT 'eldercare/elder/' || p || '/elder' AS mention_key,
            'eldercare/elder/' || p || '/contact' AS related_mention_key,
            ['child', 'contact', 'sibling'][1 + p % 3] AS relation, false AS is_withdrawn,
                'eldercare' AS source_system
        FROM range(1, {elders} + 1) AS t(p) WHERE draw(p, 'contact') < 0.8
        UNION ALL BY NAME
        SELECT 'funeral/cremations/x' || p || '/deceased' AS mention_key,
            'funeral/cremations/x' || p || '/handler' AS related_mention_key,
            CASE WHEN p % 2 = 1 THEN 'spouse' ELSE 'child' END AS relation, false AS is_withdrawn,
                'funeral' AS source_system
        FROM range(11, {elders} + 1, 11) AS t(p) WHERE draw(p, 'handler') < 0.96""",
    "declarations": """
        SELECT 'marriage/registration/' || act || '/' || unnest(['man', 'woman']) AS mention_key,
            'marital_status' AS attribute,
            CASE WHEN act_code = 'IA' THEN '10' ELSE '20' END AS value, act_on - 1 AS said_on, false AS is_withdrawn,
            'marriage' AS source_system, 'registration' AS source_table, act::VARCHAR AS source_record_id
        FROM acts
        UNION ALL BY NAME
        SELECT 'allowance/member/' || record || '/member' AS mention_key, 'marital_status' AS attribute,
            CASE WHEN n < 2 AND size > 1 THEN '20' ELSE '10' END AS value, household_month AS said_on,
                false AS is_withdrawn,
            'allowance' AS source_system, 'member' AS source_table, record AS source_record_id
        FROM members
        UNION ALL BY NAME
        SELECT 'eldercare/elder/' || p || '/elder' AS mention_key, 'life_status_hint' AS attribute,
            'deceased' AS value,
            NULL::DATE AS said_on, false AS is_withdrawn, 'eldercare' AS source_system, 'elder' AS source_table,
            p::VARCHAR AS source_record_id
        FROM range(22, {elders} + 1, 22) AS t(p)""",
}

DELIVERIES = """
INSERT INTO work.landing.deliveries BY NAME
SELECT delivery_id, source_system, 'payment' AS entity, managing_district AS district,
    strftime(delivered_month, '%Y%m') AS delivered_month, 1 AS version, 'accepted' AS state, rows_read,
    rows_read AS rows_accepted, 0 AS rows_quarantined, 0 AS rows_superseded, 0 AS rows_duplicate, 0 AS notices_count,
    control_rows, control_sum_yuan AS control_sum, delivered_month::TIMESTAMPTZ AS received_at, 'load-1' AS load_id
FROM work.staging.stg_city__payment_files
"""


def staged_shapes() -> dict[str, dict[str, str]]:
    """The columns of every shape, read from the very declaration that staging follows."""
    text = (PROJECT / "dbt_project" / "macros" / "staged_shapes.sql").read_text(encoding="utf-8")
    match = re.search(r"return\((\{.*\})\)", text, re.DOTALL)
    assert match is not None
    shapes: dict[str, dict[str, str]] = ast.literal_eval(match.group(1))
    return shapes


def write_city(work_file: Path, scale: float, seed: int) -> dict[str, int]:
    """Write the city into a new work file; rows of every shape."""
    sizes = {
        name: max(20, round(number * scale))
        for name, number in (
            ("elders", ELDERS), ("very_old", VERY_OLD), ("households", HOUSEHOLDS), ("acts", ACTS),
            ("key_targets", KEY_TARGETS), ("other_visits", OTHER_VISITS),
        )
    }  # fmt: skip
    words = sizes | {"year": YEAR, "seed": seed}
    with connect(temp_folder=work_file.with_suffix(".spill"), extensions=("icu",)) as duck:
        duck.execute(f"ATTACH '{str(work_file).replace(chr(39), chr(39) * 2)}' AS work")
        for schema in ("staging", "identity", "landing", "history"):
            duck.execute(f"CREATE SCHEMA work.{schema}")
        lists = {
            "districts": str(list(DISTRICTS)), "district_count": len(DISTRICTS),
            "surnames": str(list(SURNAMES)),
            "letters": str(list(LETTERS)),
            "surname_count": len(SURNAMES), "letter_count": len(LETTERS),
        }  # fmt: skip
        _run(duck, MACROS.format(**words, **lists))
        _run(duck, FACTS.format(**words))
        claims = " UNION ALL ".join(select.format(**words) for select in CLAIMS.values())
        duck.execute(f"CREATE TEMP VIEW claims AS {claims}")
        shapes = staged_shapes()
        for shape, columns in shapes.items():
            body = ", ".join(f"{name} {kind}" for name, kind in columns.items())
            duck.execute(f"CREATE TABLE work.staging.stg_city__{shape} ({body})")
        _run(duck, MENTIONS.format(**words))
        for shape, select in SHAPES.items():
            duck.execute(f"INSERT INTO work.staging.stg_city__{shape} BY NAME {select.format(**words)}")
        _run(duck, BESIDE_STAGING)
        duck.execute(DELIVERIES)
        return {shape: _count(duck, f"work.staging.stg_city__{shape}") for shape in shapes}


def _run(duck: duckdb.DuckDBPyConnection, statements: str) -> None:
    for statement in duck.extract_statements(statements):
        duck.execute(statement)


def _count(duck: duckdb.DuckDBPyConnection, relation: str) -> int:
    row = duck.execute(f"SELECT count(*) FROM {relation}").fetchone()
    return 0 if row is None else int(row[0])
