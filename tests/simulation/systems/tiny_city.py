"""A tiny invented city, written as the owners' Parquet tables, for the tests of the four systems."""

from __future__ import annotations

from pathlib import Path

from simulation.districts import MANAGING as DISTRICTS
from simulation.systems.district_styles import HEADERS
from warehouse.duck import connect

_PARTY = ", ".join(
    f"'{name}' AS name_{side}, '111' AS cert_type_{side}, NULL::varchar AS cert_num_{side}, "
    f"'1988年3月15日' AS birth_{side}, '156' AS nation_{side}, '01' AS folk_{side}, '甲街1号' AS reg_addr_{side}, "
    f"NULL::varchar AS phone_{side}, '10' AS marital_{side}"
    for side, name in (("man", "张䶮"), ("woman", "李·四"))
)
_REGISTRATION = f"""
    SELECT i AS id, 'IA' AS op_type, DATE '2025-01-01' + (i % 300)::integer AS op_date,
        'J510104-2025-' || lpad(i::varchar, 6, '0') AS cert_no, '510104' AS dept_code, '锦江区婚姻登记处' AS dept_name,
        {_PARTY}, NULL::varchar AS ref_cert_no, NULL::varchar AS remark,
        TIMESTAMPTZ '2025-01-01 09:00:00+08' AS created_at, TIMESTAMPTZ '2025-01-01 09:00:00+08' AS updated_at
    FROM range(1, 501) t(i)"""
CREMATIONS = """
    SELECT '5101-' || lpad(i::varchar, 6, '0') AS cert_id, if(i % 50 = 0, 'void', 'valid') AS status,
        '5101' AS facility_code, '东郊殡仪馆' AS facility_name, if(i % 40 = 0, '无名氏', '王"五') AS deceased_name,
        if(i % 3 = 0, NULL, '111') AS deceased_id_type, NULL::varchar AS deceased_id_no, '男' AS deceased_sex,
        '1940年3月5日' AS deceased_birth_date, '82岁' AS deceased_age, NULL::varchar AS deceased_hukou_address,
        '510104' AS deceased_hukou_district, if(i % 50 = 7, NULL, '2025-03-01') AS death_date,
        NULL::varchar AS death_cert_no, 'medical' AS death_cert_kind, '2025-03-03' AS cremation_date,
        '赵六' AS handler_name, NULL::varchar AS handler_id_no, NULL::varchar AS handler_phone,
        '子' AS handler_relation, '1,160.00' AS fee_relief,
        CASE i % 3 WHEN 0 THEN true WHEN 1 THEN false END AS green_burial,
        TIMESTAMPTZ '2025-01-01 00:00:00+08' + to_minutes((i // 4)::integer) AS updated_at
    FROM range(1, 5001) t(i)"""
_ELDERCARE = {
    "elder": """
        SELECT i AS id, '孙七' AS full_name, NULL::varchar AS id_card, '男' AS gender, DATE '1940-02-29' AS birthday,
            '1/2' AS phone, '510104' AS hukou_district, '510109' AS live_district, '乙街2号' AS live_address,
            1::tinyint AS living_alone, NULL::tinyint AS key_target, NULL::varchar AS contact_name,
            NULL::varchar AS contact_phone, '20' AS contact_relation, 'active' AS status, 0::tinyint AS is_deleted,
            TIMESTAMP_MS '2025-01-01 23:59:59.123' AS updated_at FROM range(1, 201) t(i)""",
    "ability_assessment": """
        SELECT i AS id, i AS elder_id, 'MZ/T 039-2013' AS standard, 70::integer AS total_score, 1::tinyint AS level,
            DATE '2025-01-01' AS assessed_on, NULL::date AS valid_until, 0::tinyint AS is_deleted,
            TIMESTAMP_MS '2025-01-01 00:00:00' AS updated_at FROM range(1, 51) t(i)""",
    "institution": """
        SELECT i AS id, '丙养老院' AS name, NULL::varchar AS uscc, '510104' AS district, 120::integer AS licensed_beds,
            'public' AS ownership, 0::tinyint AS is_deleted, TIMESTAMP_MS '2025-01-01 00:00:00' AS updated_at
        FROM range(1, 4) t(i)""",
    "bed_stay": """
        SELECT i AS id, i AS elder_id, 1::bigint AS institution_id, DATE '2025-01-01' AS checked_in_on,
            NULL::date AS checked_out_on, NULL::varchar AS checkout_reason,
            300.50::decimal(10, 2) AS subsidy_month_yuan,
            0::tinyint AS is_deleted, TIMESTAMP_MS '2025-01-01 00:00:00' AS updated_at FROM range(1, 21) t(i)""",
    "care_visit": """
        SELECT i AS id, i % 200 + 1 AS elder_id, DATE '2025-01-06' AS visited_on, 'visit' AS kind, 'w1' AS worker_code,
            12.34::decimal(10, 2) AS subsidy_yuan, TIMESTAMP_MS '2025-01-07 08:00:00' AS entered_at,
            0::tinyint AS is_deleted, TIMESTAMP_MS '2025-01-07 08:00:00' AS updated_at FROM range(1, 1001) t(i)""",
}
_HOUSEHOLD = """
    i AS row_uid, 'H' || i AS household_no, '城市低保' AS benefit, '整户保' AS mode,
    CASE i % 5 WHEN 0 THEN '张三' WHEN 1 THEN '欧阳小明' WHEN 2 THEN '张　三' WHEN 3 THEN '䶮𠅤' END AS head_name,
    CASE i % 4 WHEN 0 THEN '11010519491231002X' WHEN 1 THEN '5.10104E+17'
        WHEN 2 THEN '510104198001010010' END AS head_id_no,
    (i % 3 + 1)::varchar AS insured_count,
    CASE WHEN i % 7 = 0 THEN '不久前' ELSE '2020-0' || (i % 9 + 1) END AS approved_from,
    if(i % 6 = 5, NULL, '甲街' || (i % 3) || '号, 2栋') AS address, NULL::varchar AS phone"""
_MEMBER = """
    i AS row_uid, 'H' || i AS household_no, '李四' AS name, NULL::varchar AS id_no,
    if(i % 2 = 0, '户主', '20') AS relation,
    if(i % 3 = 0, NULL, '未婚') AS marital, '是' AS insured, NULL::varchar AS disability_cert_no"""
_PAYMENT = """
    i AS row_uid, if(i % 97 = 0, NULL, 'P' || i) AS payment_no, '高龄津贴' AS benefit, NULL::varchar AS household_no,
    '王五' AS payee_name, '440524188001010014' AS payee_id_no,
    if(i % 9 = 0, NULL, '6222000011112222' || i) AS bank_account,
    '2025-01' AS period_from, if(i % 4 = 0, NULL, '3') AS months,
    CASE i % 11 WHEN 0 THEN '待定' WHEN 1 THEN '1400.00' WHEN 2 THEN '12345.60' WHEN 3 THEN '700.05'
        ELSE '300.00' END AS amount,
    if(i % 13 = 0, '三月初', '2025-03-' || lpad((i % 28 + 1)::varchar, 2, '0')) AS paid_on,
    CASE i % 5 WHEN 0 THEN '失败(退回)' WHEN 1 THEN '成功' END AS status"""
_FILE_ROWS = {"household": (_HOUSEHOLD, 9), "member": (_MEMBER, 12), "payment": (_PAYMENT, 41)}


def write_tiny_city(folder: Path, *, months: int = 2, factor: int = 1) -> Path:
    """Write all tables of the four owners; ``factor`` multiplies the rows of every allowance file."""
    folder.mkdir(parents=True)
    duck = connect(extensions=("icu",))
    districts = ", ".join(f"'{district}'" for district in DISTRICTS)
    tables = {"registration": _REGISTRATION, "cremations": CREMATIONS, **_ELDERCARE}
    for kind in HEADERS:
        columns, rows = _FILE_ROWS[kind]
        tables[f"{kind}_rows"] = f"""
            SELECT district, month, {columns} FROM (
                SELECT row_number() OVER (ORDER BY district, month, n)::bigint AS i, * FROM
                (SELECT unnest([{districts}]) AS district),
                (SELECT '2025' || lpad(m::varchar, 2, '0') AS month FROM range(1, {months} + 1) t(m)),
                (SELECT n FROM range({rows * factor}) t(n)))"""
    for name, query in tables.items():
        duck.execute(f"COPY ({query}) TO '{folder / name}.parquet' (FORMAT parquet)")
    duck.close()
    return folder
