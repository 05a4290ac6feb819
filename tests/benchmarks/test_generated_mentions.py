"""Generated mentions: the relation identity reads, with the faults of the demo city, the same for the same seed."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.linking import engine
from benchmarks.mentions import RATES, write_mentions
from identity.mention import NEEDED
from warehouse.duck import connect


@pytest.fixture(scope="module")
def work_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A work file of about 20,000 mentions."""
    file = tmp_path_factory.mktemp("generated") / "work.duckdb"
    write_mentions(file, 20_000, seed=5)
    return file


def test_the_relation_is_the_one_identity_reads(work_file: Path) -> None:
    with connect(work_file, read_only=True) as duck:
        columns = {row[0] for row in duck.execute("DESCRIBE intermediate.int_mentions__unioned").fetchall()}
        total, distinct = duck.execute(
            "SELECT count(*), count(DISTINCT mention_key) FROM intermediate.int_mentions__unioned"
        ).fetchall()[0]
    assert set(NEEDED) <= columns
    assert total == distinct
    assert 15_000 < total < 25_000


def test_numbers_are_missing_as_often_as_in_the_demo_city(work_file: Path) -> None:
    with connect(work_file, read_only=True) as duck:
        sound, gone = duck.execute(
            "SELECT avg(has_sound_number::INT), avg((id_no IS NULL AND damaged_id_no IS NULL)::INT)"
            " FROM truth JOIN intermediate.int_mentions__unioned USING (mention_key) WHERE role <> 'contact'"
        ).fetchall()[0]
    assert sound == pytest.approx(0.93, abs=0.02)
    assert gone == pytest.approx(RATES.missing + RATES.placeholder, abs=0.015)


def test_the_same_seed_gives_the_same_mentions(work_file: Path, tmp_path: Path) -> None:
    write_mentions(tmp_path / "again.duckdb", 20_000, seed=5)
    said = []
    for file in (work_file, tmp_path / "again.duckdb"):
        with connect(file, read_only=True) as duck:
            said.append(duck.execute("FROM intermediate.int_mentions__unioned ORDER BY mention_key").fetchall())
    assert said[0] == said[1]


@pytest.mark.heavy
def test_the_engine_links_generated_mentions(tmp_path: Path) -> None:
    write_mentions(tmp_path / "work.duckdb", 20_000, seed=5)
    found = engine(str(tmp_path / "work.duckdb"))
    assert found["f1"] > 0.97
    assert found["precision"] > 0.999
