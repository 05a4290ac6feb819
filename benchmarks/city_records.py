"""Invented rows in the shapes of two sources, made by engines in sets: a table of marriages, files of payments."""

from __future__ import annotations

import os
import time
from pathlib import Path

import duckdb

from simulation.systems.postgres import MARRIAGE_INDEX, MARRIAGE_SCHEMA, READER, PostgresServer
from warehouse.duck import connect

DATABASE = "marriage"
DISTRICTS, MONTHS = 23, 12
# So many districts of a hundred still send what their clerks' programs write: GB18030. The others send UTF-8.
GB18030_PERCENT = 85

_NAME = (
    "substr('王李张刘陈杨黄赵吴周徐孙马朱胡郭何林罗高', 1 + (({seed}) % 20)::int, 1) || "
    "substr('伟芳娜敏静丽强磊军洋勇艳杰娟涛明超兰霞平', 1 + (({seed} / 20) % 20)::int, 1) || "
    "CASE WHEN ({seed}) % 997 = 0 THEN '𠅤' ELSE substr('宇轩浩然子涵欣怡梓萱诗雨晨曦若琳嘉佳文', "
    "1 + (({seed} / 400) % 20)::int, 1) END"
)


def _marriage_columns() -> str:
    def person(seed: str, sex: str) -> str:
        born = f"(date '1950-01-01' + (({seed}) % 19000)::int)"
        number = f"'5101' || lpad((({seed}) % 23)::text, 2, '0') || to_char({born}, 'YYYYMMDD')"
        return (
            f"{_NAME.format(seed=seed)}, '111', {number} || lpad((({seed}) % 1000)::text, 3, '0') || '{sex}', "
            f"to_char({born}, 'YYYY-MM-DD'), '156', '01', "
            f"'四川省成都市青羊区某某路' || (({seed}) % 900)::text || '号' || (({seed}) % 40)::text || '栋', "
            f"'139' || lpad((({seed}) % 100000000)::text, 8, '0'), '10'"
        )

    made = "timestamptz '2005-01-01 08:00+08' + (n * interval '10 minutes')"
    return (
        "n, CASE WHEN n % 4 = 0 THEN 'IB' ELSE 'IA' END, (date '2005-01-01' + (n / 144)::int), "
        "'J510104-' || (2005 + n / 52560)::text || '-' || lpad((n % 1000000)::text, 6, '0'), "
        "'5101' || lpad((n % 23)::text, 2, '0'), '某某区民政局婚姻登记处', "
        f"{person('n * 7919', '1')}, {person('n * 104729 + 11', '2')}, "
        f"CASE WHEN n % 4 = 0 THEN 'J510104-2004-000001' END, NULL, {made}, {made}"
    )


def fill_marriages(server: PostgresServer, rows: int) -> None:
    """A table of ``rows`` registrations, vacuumed as an owner's server does by itself."""
    server.recreate_database(DATABASE)
    server.execute(DATABASE, MARRIAGE_SCHEMA)
    server.execute(
        DATABASE,
        f"INSERT INTO hydj.registration SELECT {_marriage_columns()} FROM generate_series(1::bigint, {rows}) AS n",
    )
    server.execute(DATABASE, MARRIAGE_INDEX)
    server.execute(DATABASE, f"GRANT USAGE ON SCHEMA hydj TO {READER}")
    server.execute(DATABASE, f"GRANT SELECT ON hydj.registration TO {READER}")
    # Twice: the first leaves the pages that are still being written.
    server.execute(DATABASE, "VACUUM ANALYZE")
    server.execute(DATABASE, "CHECKPOINT")
    server.execute(DATABASE, "VACUUM")


def change_marriages(server: PostgresServer, rows: int) -> None:
    """A day's changes: ``rows`` registrations corrected all over the table."""
    server.execute(
        DATABASE,
        f"UPDATE hydj.registration SET remark = 'corrected', updated_at = now() WHERE id IN (SELECT 1 + "
        f"(n * 7919) % (SELECT count(*) FROM hydj.registration) FROM generate_series(1::bigint, {rows}) AS n)",
    )


HEADER = "发放流水号,发放项目,家庭编号,姓名,身份证号,银行账号,所属期起,发放月数,实发金额,发放日期,发放状态"


def _payment_cells(number: str, period: str, month: int) -> str:
    """SQL of the cells of payment ``n``, in the order of the header."""
    name = _NAME.format(seed="n").replace(" / ", " // ").replace("𠅤", "䶮")
    born = "strftime(date '1940-01-01' + (n * 7 % 19000)::int, '%Y%m%d')"
    return (
        f"{number}, CASE WHEN n % 3 = 0 THEN '高龄津贴' ELSE '城市低保' END, 'H' || (n % 5000)::text, {name}, "
        f"'5101' || lpad((n % 23)::text, 2, '0') || {born} || lpad((n % 10000)::text, 4, '0'), "
        f"'6217' || lpad((n * 7919)::text, 15, '0'), '{period}', '1', (400 + n % 900)::text || '.00', "
        f"'2025-{month:02d}-25', '成功'"
    )


def write_payments(folder: Path, clean: Path, rows: int) -> int:
    """Payment files of all districts and months under ``folder`` and the same rows as plain UTF-8 under ``clean``.

    Returns how many rows there are.
    """
    each = rows // (DISTRICTS * MONTHS)
    duck = duckdb.connect()
    for district in range(DISTRICTS):
        for month in range(1, MONTHS + 1):
            code, period = f"5101{district + 4:02d}", f"2025{month:02d}"
            cells = _payment_cells(f"'LS{code}{period}' || lpad(n::text, 6, '0')", period, month)
            query = f"""
                SELECT string_agg(concat_ws(',', {cells}), chr(10) ORDER BY n), sum(400 + n % 900)
                FROM (SELECT range + {district * 100_000 + month} AS n FROM range({each}))"""
            body, total = duck.execute(query).fetchall()[0]
            text = f"{HEADER}\n{body}\n"
            (clean / f"{code}_{period}.csv").write_text(text, encoding="utf-8")
            place = folder / code / period
            place.mkdir(parents=True, exist_ok=True)
            file = place / f"payment_{code}_{period}.csv"
            encoding = "gb18030" if district * 100 < DISTRICTS * GB18030_PERCENT else "utf-8"
            file.write_bytes((text + f"合计,{each}笔,,,,,,,{total}.00,,\n").replace("\n", "\r\n").encode(encoding))
            _settle(file)
    duck.close()
    return each * DISTRICTS * MONTHS


def write_one_file(folder: Path, rows: int, kind: str) -> None:
    """One district and month with ``rows`` payments in a single file: ``csv`` in GB18030 with totals, or ``xlsx``."""
    place = folder / "510104" / "202501"
    place.mkdir(parents=True, exist_ok=True)
    file = place / f"payment_510104_202501.{kind}"
    cells = _payment_cells("'LS' || lpad(n::text, 9, '0')", "202501", 1)
    numbered = f"(SELECT range AS n FROM range({rows}))"
    if kind == "xlsx":
        names = ", ".join(f'"{name}"' for name in HEADER.split(","))
        with connect(extensions=("excel",)) as duck:
            query = f"SELECT * FROM (SELECT {cells} FROM {numbered}) AS payment({names})"
            duck.execute(f"COPY ({query}) TO '{file}' (FORMAT xlsx, HEADER true)")
    else:
        _write_gb18030(folder / "plain", file, f"SELECT concat_ws(',', {cells}) FROM {numbered}", rows)
    _settle(file)


def _write_gb18030(plain: Path, file: Path, lines_query: str, rows: int) -> None:
    with duckdb.connect() as duck:
        duck.execute(f"COPY ({lines_query}) TO '{plain}' (FORMAT csv, HEADER false, QUOTE '', DELIMITER '')")
        ((total,),) = duck.execute(f"SELECT sum(400 + range % 900) FROM range({rows})").fetchall()
    with plain.open(encoding="utf-8") as lines, file.open("w", encoding="gb18030", newline="\r\n") as written:
        written.write(f"{HEADER}\n")
        while text := lines.read(1 << 22):
            written.write(text)
        written.write(f"合计,{rows}笔,,,,,,,{total}.00,,\n")
    plain.unlink()


def _settle(file: Path) -> None:
    # A file that has just been written is waited for.
    os.utime(file, (time.time() - 3600,) * 2)
