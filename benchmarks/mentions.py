"""Mentions of invented Chinese people by the million, with the truth, in the very relation that identity reads.

Families come from the demo city's generator; who is written down where, and every fault, is drawn in SQL from hashes,
so that a seed and a size give the same mentions on any machine.

Shares of mentions: 93 % carry a sound number of their own, 4.8 % none, 2.2 % another or a spoilt one (1.3 % a wrong,
swapped or missing digit, 0.4 % a placeholder, 0.5 % the number of a relative who stands on the same record); 3 % of
names are misspelt by sound, by look, by a dropped or an unreadable character; 3 % of stated birth dates are wrong, one
in ten is not stated, and there are 55 persons to 100 mentions. All but the last three are the demo
city's own rates; its contacts of elders state no number, here they state one as often as others. Copies of one
household's or one account's papers repeat the first one's faults, which is harder than faults that fall anew.

    python -m benchmarks.mentions WORK_FILE --mentions 1000000 --seed 11
"""

from __future__ import annotations

import argparse
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from simulation.calendar import NEVER, day
from simulation.dirt import LOOK_ALIKES, NumberRates, homophones
from simulation.people import NOBODY, People, raise_families
from warehouse.duck import connect

CHUNK_PERSONS = 20_000
YEAR = 2025
# How many mentions a generated person has on average; found by counting.
MENTIONS_PER_PERSON = 1.785
NAME_FAULTS = 0.03
# Two of three mentions have a relative on their record whose number can be taken for theirs: these make 0.5 % of all.
RATES = NumberRates(relative=0.007)

# Who is written down: role, record, person, and what that table asks for. One row per claim that a person exists.
CLAIMS = """
CREATE TABLE claims AS
WITH alive AS (SELECT * FROM people WHERE died IS NULL),
couples AS (
    SELECT p.person AS one, q.person AS other, p.sex AS sex FROM people AS p JOIN people AS q ON q.person = p.partner
    WHERE p.person < q.person AND draw(p.person, 'wed') < 0.36
),
acts AS (SELECT *, unnest(range(CASE WHEN draw(one, 'again') < 0.25 THEN 2 ELSE 1 END)) AS act FROM couples),
assisted AS (SELECT *, 2 + (draw(person, 'months') * 5)::INT AS months FROM alive WHERE draw(person, 'poor') < 0.018)
SELECT 'registration' AS source_table, CASE WHEN sex = 1 THEN 'man' ELSE 'woman' END AS role,
       'm' || one || '/' || act AS record_key, one AS person, other AS beside, NULL::VARCHAR AS household,
       true AS asks_birth, true AS asks_sex, 0.25 AS phone_share, 0.9 AS address_share, false AS asks_account
FROM acts
UNION ALL
SELECT 'registration', CASE WHEN sex = 1 THEN 'woman' ELSE 'man' END, 'm' || one || '/' || act, other, one, NULL,
       true, true, 0.25, 0.9, false FROM acts
UNION ALL
SELECT 'cremations', 'deceased', 'f' || person, person, coalesce(kin, partner), NULL, true, true, 0, 0.9, false
FROM people WHERE died IS NOT NULL
UNION ALL
SELECT 'cremations', 'handler', 'f' || person, coalesce(kin, partner), person, NULL, false, false, 0.95, 0, false
FROM people WHERE died IS NOT NULL AND coalesce(kin, partner) IS NOT NULL
UNION ALL
SELECT 'elder', 'elder', 'e' || person, person, coalesce(kin, partner), NULL, true, true, 0.95, 1, false
FROM alive WHERE born < DATE '1965-01-01' AND draw(person, 'elder') < 0.35
UNION ALL
SELECT 'elder', 'contact', 'e' || person, coalesce(kin, partner), person, NULL, false, false, 0.97, 0, false
FROM alive WHERE born < DATE '1965-01-01' AND draw(person, 'elder') < 0.35 AND coalesce(kin, partner) IS NOT NULL
UNION ALL
SELECT 'household', 'head', 'h' || person || '/' || unnest(range(months)), person, NULL, 'h' || person,
       false, false, 0.95, 1, false FROM assisted
UNION ALL
SELECT 'payment', 'payee', 'p' || person || '/' || unnest(range(months)), person, NULL, 'h' || person,
       false, false, 0, 0, true FROM assisted
UNION ALL
SELECT 'resident', 'resident', 'r' || person, person, partner, NULL, true, true, 0.6, 0.9, false
FROM alive WHERE draw(person, 'resident') < 0.97;
"""

TYPED = f"""
CREATE TABLE typed AS
WITH drawn AS (
    SELECT c.*, p.name, p.number, p.born, p.sex AS true_sex, p.phone, p.address, p.account, p.district,
           b.number AS beside_number,
           -- The months of one household copy its first file: its faults come again.
           coalesce(c.household || c.role, c.record_key || c.role) AS origin
    FROM claims AS c JOIN people AS p USING (person) LEFT JOIN people AS b ON b.person = c.beside
),
faults AS (
    SELECT *, draw(origin, 'number') AS number_draw, draw(origin, 'name') AS name_draw,
           2 + (draw(origin, 'place') * (length(name) - 1))::INT % greatest(length(name) - 1, 1) AS place,
           (draw(origin, 'what') * 1e6)::INT AS what
    FROM drawn
),
lettered AS (SELECT f.*, l.same_sound, l.look_alike FROM faults AS f LEFT JOIN letters AS l
             ON l.letter = substr(f.name, f.place, 1))
SELECT *,
    CASE WHEN name_draw >= {NAME_FAULTS} THEN name
         WHEN name_draw < {NAME_FAULTS * 0.6} AND len(same_sound) > 0 THEN
            substr(name, 1, place - 1) || same_sound[1 + what % len(same_sound)] || substr(name, place + 1)
         WHEN name_draw < {NAME_FAULTS * 0.8} AND look_alike IS NOT NULL THEN
            substr(name, 1, place - 1) || look_alike || substr(name, place + 1)
         WHEN name_draw < {NAME_FAULTS * 0.9} AND length(name) > 2 THEN
            substr(name, 1, place - 1) || substr(name, place + 1)
         WHEN name_draw >= {NAME_FAULTS * 0.9} THEN substr(name, 1, place - 1) || '?' || substr(name, place + 1)
         ELSE name END AS typed_name,
    CASE {
    " ".join(
        f"WHEN number_draw < {edge} {'AND length(beside_number) = 18' if kind == 'relative' else ''} THEN '{kind}'"
        for kind, edge in (
            ("missing", RATES.missing),
            ("digit", RATES.missing + RATES.digit),
            ("swap", RATES.missing + RATES.digit + RATES.swap),
            ("cut", RATES.missing + RATES.digit + RATES.swap + RATES.cut),
            ("placeholder", RATES.missing + RATES.digit + RATES.swap + RATES.cut + RATES.placeholder),
            ("relative", RATES.missing + RATES.digit + RATES.swap + RATES.cut + RATES.placeholder + RATES.relative),
        )
    )
}
        ELSE 'sound' END AS fault,
    1 + what % 16 AS cut_at
FROM lettered;
"""

UNIONED = """
CREATE TABLE work.intermediate.int_mentions__unioned AS
SELECT
    'bench/' || source_table || '/' || record_key || '/' || role AS mention_key,
    'bench/' || source_table || '/' || record_key AS record_key, source_table, role, false AS is_withdrawn,
    typed_name AS name,
    nullif(CASE fault WHEN 'sound' THEN number WHEN 'relative' THEN beside_number END, '') AS id_no,
    CASE WHEN length(number) < 18 THEN NULL
        WHEN fault = 'digit' THEN substr(number, 1, cut_at)
            || ((ascii(substr(number, cut_at + 1, 1)) - 47 + what % 8) % 10) || substr(number, cut_at + 2)
        WHEN fault = 'swap' THEN substr(number, 1, cut_at - 1) || substr(number, cut_at + 1, 1)
            || substr(number, cut_at, 1) || substr(number, cut_at + 2)
        WHEN fault = 'cut' THEN substr(number, 1, 12 + what % 5) END AS damaged_id_no,
    NULL::VARCHAR AS other_document_no, NULL::VARCHAR AS certificate_id_no,
    CASE WHEN asks_birth AND draw(origin, 'asked') < 0.9 THEN
        CASE WHEN draw(origin, 'birth') < 0.01 THEN born + INTERVAL 10 DAY
             WHEN draw(origin, 'birth') < 0.03 THEN born - (20 + what % 30)::INT ELSE born END END::DATE AS birth_date,
    CASE WHEN birth_date IS NOT NULL THEN 'day' END AS birth_date_precision,
    CASE WHEN asks_sex THEN CASE WHEN true_sex = 1 THEN 'male' ELSE 'female' END END AS sex,
    CASE WHEN phone <> '' AND draw(origin, 'phone') < phone_share THEN [phone] ELSE []::VARCHAR[] END AS phones,
    CASE WHEN draw(origin, 'address') < address_share THEN address END AS address,
    district AS hukou_district, CASE WHEN household IS NOT NULL THEN district END AS managing_district,
    CASE WHEN asks_account THEN account END AS bank_account, household AS household_key, DATE '2025-12-31' AS said_on
FROM typed WHERE name <> '';
CREATE TABLE work.truth AS
SELECT 'bench/' || source_table || '/' || record_key || '/' || role AS mention_key, person,
       fault = 'sound' AND number <> '' AS has_sound_number
FROM typed WHERE name <> '';
"""


def write_mentions(work_file: Path, mentions: int, seed: int) -> int:
    """Write about ``mentions`` mentions and their ``truth`` into a new work file; say how many."""
    work_file.unlink(missing_ok=True)
    with connect(temp_folder=work_file.with_suffix(".spill")) as duck:
        duck.execute(f"ATTACH '{str(work_file).replace(chr(39), chr(39) * 2)}' AS work")
        duck.execute("CREATE SCHEMA work.intermediate")
        duck.execute(
            f"CREATE MACRO draw(key, what) AS (hash(key, what, {seed}) % 1000003) / 1000003.0"  # a share of 0 to 1
        )
        _write_people(duck, round(mentions / MENTIONS_PER_PERSON), seed)
        _write_letters(duck)
        for statement in (CLAIMS, TYPED, UNIONED):
            duck.execute(statement)
        row = duck.execute("SELECT count(*) FROM work.intermediate.int_mentions__unioned").fetchone()
    return 0 if row is None else int(row[0])


def _write_people(duck: duckdb.DuckDBPyConnection, persons: int, seed: int) -> None:
    chunks = max(1, -(-persons // CHUNK_PERSONS))
    as_of = day(YEAR, 12, 31) + 20
    for chunk in range(chunks):
        size = persons // chunks
        first = 1 + chunk * size
        rng = np.random.default_rng([seed, chunk])
        duck.register("chunk", _table(raise_families(rng, size, first, chunk, chunks, YEAR, as_of)))
        duck.execute(("CREATE TABLE people AS" if chunk == 0 else "INSERT INTO people") + " SELECT * FROM chunk")
        duck.unregister("chunk")
    # One near relative who handles a funeral and answers the phone: a child, if there is one.
    duck.execute(
        """
        CREATE OR REPLACE TABLE people AS
        WITH children AS (SELECT parent, min(person) AS kin FROM (
            SELECT father AS parent, person FROM people WHERE died IS NULL
            UNION ALL SELECT mother, person FROM people WHERE died IS NULL) WHERE parent IS NOT NULL GROUP BY parent)
        SELECT people.*, kin FROM people LEFT JOIN children ON parent = person
        """
    )


def _table(people: People) -> pa.Table:
    kin = {
        name: pa.array(np.where(values == NOBODY, 0, values + people.first_id), pa.int64(), mask=values == NOBODY)
        for name, values in (("partner", people.partner), ("father", people.father), ("mother", people.mother))
    }
    text = {
        name: pa.array(values.tolist(), pa.string())
        for name, values in (
            ("name", people.name), ("number", people.number), ("phone", people.phone), ("address", people.address),
            ("account", people.account), ("district", people.hukou),
        )
    }  # fmt: skip
    return pa.table(
        {
            "person": pa.array(people.person_id),
            "sex": pa.array(people.sex),
            "born": pa.array(people.birth.astype("datetime64[D]"), pa.date32()),
            "died": pa.array(people.death.astype("datetime64[D]"), pa.date32(), mask=people.death == NEVER),
            **kin,
            **text,
        }
    )


def _write_letters(duck: duckdb.DuckDBPyConnection) -> None:
    """Per character those of the same sound and the one that looks like it."""
    sounds = homophones()
    letters = sorted(set(sounds) | set(LOOK_ALIKES))
    duck.register(
        "found",
        pa.table(
            {
                "letter": pa.array(letters, pa.string()),
                "same_sound": pa.array([list(sounds.get(letter, "")) for letter in letters], pa.list_(pa.string())),
                "look_alike": pa.array([LOOK_ALIKES.get(letter) for letter in letters], pa.string()),
            }
        ),
    )
    duck.execute("CREATE TABLE letters AS SELECT * FROM found")
    duck.unregister("found")


def main() -> None:
    """Command line of the generator."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mentions", description=__doc__)
    parser.add_argument("work_file", type=Path)
    parser.add_argument("--mentions", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=11)
    asked = parser.parse_args()
    print(f"{write_mentions(asked.work_file, asked.mentions, asked.seed):,} mentions in {asked.work_file}")


if __name__ == "__main__":
    main()
