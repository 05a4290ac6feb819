"""The demo city as a whole: one seed is one city, dirt stays within bounds, the truth contradicts nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from simulation.city import CityFacts, build_city, finalise_truth
from simulation.numbers import is_sound
from simulation.tables import OWNERS, TRUTH

PERSONS = 6_000
UNSOUND = "('missing', 'digit', 'swap', 'cut', 'placeholder', 'relative', 'excel')"


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("city")
    build_city(folder, PERSONS, seed=3)
    return folder


@pytest.fixture()
def ask(city: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        for folder, names in ((city, OWNERS), (city / "truth", TRUTH)):
            for name in names:
                connection.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet('{folder / name}.parquet')")
        yield connection


def one(connection: duckdb.DuckDBPyConnection, query: str) -> float:
    row = connection.execute(query).fetchone()
    assert row is not None
    return float(row[0] or 0)


def digest(folder: Path) -> dict[str, str]:
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*.parquet"))
    }


def test_the_same_seed_builds_the_same_bytes_and_another_seed_does_not(tmp_path: Path) -> None:
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        build_city(tmp_path / name, 600, seed=seed)
    assert digest(tmp_path / "a") == digest(tmp_path / "b")
    assert digest(tmp_path / "a") != digest(tmp_path / "c")


def test_facts_tell_what_was_built(city: Path) -> None:
    facts = CityFacts.read(city)
    assert (facts.persons, facts.seed, facts.year, facts.as_of) == (PERSONS, 3, 2025, "2026-01-20")
    assert facts.truth["people"] == PERSONS
    assert all(count > 0 for name, count in facts.tables.items())


def test_a_city_of_too_few_persons_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least 200"):
        build_city(tmp_path, 20)


def test_chunks_share_no_key(tmp_path: Path) -> None:
    build_city(tmp_path, 2_400, seed=1, chunk_persons=800)
    keys = {
        "registration": "id", "cremations": "cert_id", "elder": "id", "bed_stay": "id", "care_visit": "id",
        "household_rows": "row_uid", "member_rows": "row_uid", "payment_rows": "row_uid",
    }  # fmt: skip
    with duckdb.connect() as connection:
        for table, key in keys.items():
            file = tmp_path / f"{table}.parquet"
            assert one(connection, f"SELECT count(*) - count(DISTINCT {key}) FROM read_parquet('{file}')") == 0, table
        people = tmp_path / "truth" / "people.parquet"
        assert one(connection, f"SELECT count(DISTINCT person_id) FROM read_parquet('{people}')") == 2_400


def test_every_true_number_is_sound(ask: duckdb.DuckDBPyConnection) -> None:
    numbers = [row[0] for row in ask.execute("SELECT id_no FROM people WHERE id_no IS NOT NULL").fetchall()]
    assert len(numbers) > PERSONS * 0.98
    assert all(is_sound(number) for number in numbers)


def test_nearly_every_number_belongs_to_one_person(ask: duckdb.DuckDBPyConnection) -> None:
    shared = one(
        ask, "SELECT count(*) FROM (SELECT id_no FROM people GROUP BY ALL HAVING count(*) > 1 AND id_no IS NOT NULL)"
    )
    assert 1 <= shared <= PERSONS / 1_000


@pytest.mark.parametrize(
    ("table", "role", "low", "high"),
    [
        ("elder", "elder", 0.04, 0.09),
        ("payment", "payee", 0.03, 0.11),
        ("cremations", "deceased", 0.04, 0.10),
        ("cremations", "handler", 0.10, 0.25),
        ("registration", "man", 0.10, 0.30),
    ],
)
def test_shares_of_unsound_numbers_are_as_planned(
    ask: duckdb.DuckDBPyConnection, table: str, role: str, low: float, high: float
) -> None:
    share = one(
        ask,
        f"""SELECT avg((coalesce(damage, '') IN {UNSOUND})::INT) FROM mentions
            WHERE source_table = '{table}' AND role = '{role}'""",
    )
    assert low < share < high


@pytest.mark.parametrize(
    "claim",
    [
        "SELECT count(*) FROM registration WHERE cert_num_man LIKE '0000000000%' OR cert_num_woman = '111111111111111'",
        "SELECT count(*) FROM registration WHERE length(cert_num_man) = 15",
        "SELECT count(*) FROM registration WHERE op_type = 'ICA'",
        "SELECT count(*) - count(DISTINCT updated_at) FROM registration",
        "SELECT count(*) FROM elder WHERE id_card LIKE '% %'",
        "SELECT count(*) FROM elder WHERE id_card LIKE '%x'",
        "SELECT count(*) FROM elder WHERE phone LIKE '%/%' OR phone LIKE '%、%'",
        "SELECT count(*) FROM elder WHERE full_name LIKE '_　_'",
        "SELECT count(*) FROM cremations WHERE status = 'void'",
        "SELECT count(*) FROM cremations WHERE death_date IS NULL",
        "SELECT count(*) FROM cremations WHERE deceased_name LIKE '无名%' OR deceased_name LIKE '%之婴'",
        "SELECT count(*) FROM cremations WHERE deceased_id_no = handler_id_no",
        "SELECT count(*) FROM care_visit WHERE entered_at::DATE > visited_on",
        "SELECT count(*) FROM payment_rows WHERE amount = '待定'",
        "SELECT count(*) FROM payment_rows WHERE payee_id_no LIKE '%E+%'",
        "SELECT count(*) FROM payment_rows WHERE months::INT = 3",
        """SELECT count(*) FROM payment_rows AS a JOIN payment_rows AS b USING (district, payment_no)
           WHERE a.status LIKE '失败%' AND a.month < b.month""",
        "SELECT count(*) FROM payment_rows a JOIN payment_rows b USING (payment_no) WHERE a.district < b.district",
        """SELECT count(*) FROM (SELECT id_card FROM elder WHERE is_deleted = 0 AND length(id_card) = 18
                                 GROUP BY ALL HAVING count(*) > 1)""",
    ],
)
def test_the_owners_habits_are_there(ask: duckdb.DuckDBPyConnection, claim: str) -> None:
    assert one(ask, claim) > 0


def test_a_payment_number_comes_twice_in_a_district_only_when_sent_again(
    ask: duckdb.DuckDBPyConnection,
) -> None:
    again = """SELECT count(*) FROM (
        SELECT district, payment_no FROM payment_rows WHERE payment_no IS NOT NULL GROUP BY ALL
        HAVING count(*) > 1 AND (count(*) > 2 OR count(*) FILTER (status LIKE '失败%') <> 1))"""
    assert one(ask, again) == 0


def test_truly_paid_amounts_add_up_to_the_accepted_successful_rows(ask: duckdb.DuckDBPyConnection) -> None:
    paid = one(ask, "SELECT sum(amount_yuan) FROM benefit_months")
    rows = one(
        ask,
        """SELECT sum(try_cast(amount AS DECIMAL(12, 2))) FROM payment_rows
           WHERE coalesce(status, '成功') = '成功' AND benefit <> '爱心券' AND payment_no LIKE district || '%'""",
    )
    assert paid == rows


def test_no_lawful_exception_is_also_a_finding(ask: duckdb.DuckDBPyConnection) -> None:
    both = """SELECT count(*) FROM lawful JOIN findings USING (rule, person_id)
        WHERE lawful.period_from <= coalesce(findings.period_to, DATE '9999-01-01')
          AND findings.period_from <= lawful.period_to"""
    assert one(ask, both) == 0
    assert one(ask, "SELECT count(DISTINCT reason) FROM lawful") >= 8


def test_the_four_first_rules_have_findings(ask: duckdb.DuckDBPyConnection) -> None:
    rules = dict(ask.execute("SELECT rule, count(*) FROM findings WHERE certain GROUP BY rule").fetchall())
    for rule in ("benefit_after_death", "undeclared_marriage", "same_benefit_two_districts", "weekly_visit_missed"):
        assert rules[rule] >= 10, rule


def test_nobody_the_truth_knows_alive_has_a_certain_death_finding(ask: duckdb.DuckDBPyConnection) -> None:
    query = """SELECT count(*) FROM findings ANTI JOIN deaths USING (person_id)
        WHERE rule IN ('benefit_after_death', 'dead_member_insured', 'care_after_death', 'act_after_death')"""
    assert one(ask, query) == 0


def test_the_nameless_are_nobody(ask: duckdb.DuckDBPyConnection) -> None:
    assert (
        one(ask, "SELECT count(*) FROM mentions WHERE damage IN ('nameless', 'infant') AND person_id IS NOT NULL") == 0
    )
    assert one(ask, "SELECT count(*) FROM mentions WHERE person_id IS NULL AND role = 'deceased'") > 0


def test_completing_the_truth_with_places_in_files_twice_changes_nothing(tmp_path: Path) -> None:
    build_city(tmp_path, 800, seed=2)
    places = tmp_path / "positions.parquet"
    with duckdb.connect() as connection:
        connection.execute(
            f"""COPY (
                SELECT kind, district, month, row_uid, 1 AS sheet,
                       row_number() OVER (PARTITION BY kind, district, month ORDER BY row_uid) + 1 AS row
                FROM (SELECT 'household' AS kind, district, month, row_uid
                      FROM read_parquet('{tmp_path}/household_rows.parquet')
                      UNION ALL
                      SELECT 'member', district, month, row_uid FROM read_parquet('{tmp_path}/member_rows.parquet'))
            ) TO '{places}' (FORMAT parquet)"""
        )
        first = finalise_truth(tmp_path, places, tmp_path / "truth")
        before = digest(tmp_path / "truth")
        assert finalise_truth(tmp_path, places, tmp_path / "truth") == first
        assert digest(tmp_path / "truth") == before
        mentions = tmp_path / "truth" / "mentions.parquet"
        shape = "'^510[0-9]{3}/2025[0-9]{2}/(household|member)/1/[0-9]+$'"
        wrong = f"""SELECT count(*) FROM read_parquet('{mentions}')
            WHERE source_table IN ('household', 'member') AND NOT regexp_matches(source_record_id, {shape})"""
        assert one(connection, wrong) == 0
        rows = one(connection, f"SELECT count(*) FROM read_parquet('{tmp_path}/member_rows.parquet')")
        assert one(connection, f"SELECT count(*) FROM read_parquet('{mentions}') WHERE source_table = 'member'") == rows
