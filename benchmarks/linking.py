"""One way of linking one set, in a process of its own: python -m benchmarks.linking JOB ARGUMENTS…; prints JSON.

Jobs: ``door`` and ``splink_latin`` read a Parquet table with its truth (column ``truth``); ``engine`` and
``splink_han`` read a work file with table ``truth``.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
from splink import DuckDBAPI, Linker, SettingsCreator, block_on
from splink import comparison_library as cl

from identity.link import link_table
from identity.resolve import resolve
from warehouse.duck import connect
from warehouse.home import Home

# Plain Splink is given the threshold that suits the set best: the truth chooses it.
THRESHOLDS = (0.01, 0.1, 0.5, 0.9, 0.95, 0.99, 0.999, 0.9999)
SEED = 1
# Of pairs taken by chance to train Splink on. Its manual names 1e8 or 1e9 for a model that is used; with 1e8 it trains
# five times as long at five million mentions and finds no more (F1 .9685 instead of .9684).
U_PAIRS = 1e7


@dataclass
class Clock:
    """Seconds of the parts of a job, on the wall and (``cpu_``) of the processors.

    ``linking`` is what a day costs once parameters are trained.
    """

    parts: dict[str, float] = field(default_factory=dict)
    last: float = field(default_factory=time.perf_counter)
    last_used: float = field(default_factory=time.process_time)

    def done(self, part: str) -> None:
        """Close the part that was running."""
        now, used = time.perf_counter(), time.process_time()
        self.parts[part] = self.parts.get(part, 0.0) + now - self.last
        self.parts[f"cpu_{part}"] = self.parts.get(f"cpu_{part}", 0.0) + used - self.last_used
        self.last, self.last_used = now, used


def agreement(duck: duckdb.DuckDBPyConnection, together: str) -> dict[str, float]:
    """Pairwise precision, recall and F1 of ``together`` (key, cluster) against ``truth`` (key, person).

    ``two_numbers`` counts clusters that hold two different numbers, each sound and its person's own, where there is a
    table ``numbers`` (key, number).
    """
    duck.execute(
        f"CREATE OR REPLACE TEMP TABLE judged AS SELECT t.key, person, coalesce(cluster, 'alone ' || t.key) AS cluster"
        f" FROM truth AS t LEFT JOIN {together} AS c USING (key) WHERE person IS NOT NULL"
    )
    counted = [
        duck.execute(
            f"SELECT coalesce(sum(n * (n - 1) / 2), 0) FROM (SELECT count(*)::HUGEINT AS n FROM judged GROUP BY {by})"
        ).fetchone()
        for by in ("cluster", "person", "cluster, person")
    ]
    found, true, right = (float(row[0]) if row else 0.0 for row in counted)
    result = {
        "precision": right / found if found else 1.0,
        "recall": right / true if true else 1.0,
        "f1": 2 * right / (found + true) if found + true else 0.0,
    }
    if duck.execute("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'numbers'").fetchone() != (0,):
        row = duck.execute(
            f"SELECT count(*) FROM (SELECT cluster FROM {together} JOIN numbers USING (key) WHERE cluster IS NOT NULL"
            " GROUP BY cluster HAVING count(DISTINCT number) > 1)"
        ).fetchone()
        result["two_numbers"] = float(row[0]) if row else 0.0
    return result


def door(table: str, configuration: str = "") -> dict[str, Any]:
    """Our generic door with the configuration that ships."""
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder, connect() as duck:
        output = Path(folder) / "linked.parquet"
        done = link_table(Path(table), output, Path(configuration) if configuration else None)
        clock.done("linking")
        used = _used()
        duck.execute(f"CREATE TABLE truth AS SELECT record_id AS key, truth AS person FROM read_parquet('{table}')")
        duck.execute(
            f"CREATE TABLE found AS SELECT record_id AS key, cluster_id AS cluster FROM read_parquet('{output}')"
        )
        return {"mentions": done.records, **agreement(duck, "found"), **clock.parts, **used}


def engine(work_file: str) -> dict[str, Any]:
    """Our engine for the citizen view, with the parameters that ship, from the work file's mentions to its links.

    Then a day in which one mention in a hundred came, went or says something else (``day``), in the same home.
    """
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder))
        done = resolve(Path(work_file), home, "20260101T000000-bench", anew=True)
        clock.done("linking")
        used = _used()
        with connect() as duck:
            _read_work_file(duck, work_file)
            duck.execute(
                "CREATE TABLE found AS SELECT mention_key AS key, citizen_id AS cluster"
                " FROM work.identity.mention_links"
            )
            found = agreement(duck, "found")
        change_one_in_a_hundred(Path(work_file))
        clock.done("between")
        day = resolve(Path(work_file), home, "20260102T000000-bench")
        clock.done("day")
    return {"mentions": done.mentions, **found, **clock.parts, "changed": day.changed, "steps": done.seconds,
            "day_steps": day.seconds, **used}  # fmt: skip


def change_one_in_a_hundred(work_file: Path) -> None:
    """Of a thousand records take three out, misspell three, and let four be written down again as new ones."""
    mentions, draw = "intermediate.int_mentions__unioned", "hash(record_key, 'day') % 1000"
    with connect() as duck:
        # By the name under which the view of a real run knows its file.
        duck.execute(f"ATTACH '{work_file}' AS work; USE work")
        kind = duck.execute(
            "SELECT table_type FROM information_schema.tables WHERE table_name = 'int_mentions__unioned'"
        ).fetchall()
        if kind == [("VIEW",)]:
            duck.execute(f"CREATE TABLE intermediate.standing AS FROM {mentions}; DROP VIEW {mentions}")
            duck.execute("ALTER TABLE intermediate.standing RENAME TO int_mentions__unioned")
        duck.execute(
            f"""
            INSERT INTO {mentions} BY NAME
            SELECT * REPLACE ('again/' || mention_key AS mention_key, 'again/' || record_key AS record_key)
            FROM {mentions} WHERE {draw} < 4;
            UPDATE {mentions} SET name = '错' || substr(name, 2) WHERE {draw} BETWEEN 4 AND 6;
            DELETE FROM {mentions} WHERE {draw} BETWEEN 7 AND 9
            """
        )


def splink_latin(table: str) -> dict[str, Any]:
    """Plain Splink on a Latin table: its own comparisons for names, dates, numbers and addresses."""
    clock = Clock()
    duck = connect()
    duck.execute(f"CREATE TABLE truth AS SELECT record_id AS key, truth AS person FROM read_parquet('{table}')")
    columns = [row[0] for row in duck.execute(f"DESCRIBE SELECT * FROM read_parquet('{table}')").fetchall()]
    is_febrl = "soc_sec_id" in columns
    if is_febrl:
        duck.execute(f"CREATE TABLE input AS SELECT * EXCLUDE (truth) FROM read_parquet('{table}')")
        comparisons = [
            cl.NameComparison("given_name"),
            cl.NameComparison("surname"),
            cl.LevenshteinAtThresholds("date_of_birth", [1, 2]),
            cl.DamerauLevenshteinAtThresholds("soc_sec_id", [1, 2]),
            cl.ExactMatch("street_number").configure(term_frequency_adjustments=True),
            cl.JaroWinklerAtThresholds("address_1", [0.9]),
            cl.ExactMatch("postcode").configure(term_frequency_adjustments=True),
        ]
        rules = [
            block_on("soc_sec_id"), block_on("given_name", "surname"), block_on("date_of_birth"),
            block_on("postcode", "street_number"), block_on("given_name", "postcode"), block_on("surname", "postcode"),
            block_on("address_1", "street_number"),
        ]  # fmt: skip
        certain, teach = ["soc_sec_id"], (["date_of_birth"], ["postcode"])
    else:
        duck.execute(
            "CREATE TABLE input AS SELECT record_id, source, given_name, surname, birth_year, birth_year || '-' ||"
            f" lpad(birth_month, 2, '0') || '-' || lpad(birth_day, 2, '0') AS dob FROM read_parquet('{table}')"
        )
        comparisons = [
            cl.NameComparison("given_name"), cl.NameComparison("surname"),
            cl.DateOfBirthComparison("dob", input_is_string=True),
        ]  # fmt: skip
        rules = [
            block_on("dob"), block_on("given_name", "surname"), block_on("given_name", "birth_year"),
            block_on("surname", "birth_year"),
        ]  # fmt: skip
        certain, teach = ["given_name", "surname", "dob"], (["dob"], ["given_name", "surname"])
    return _splink(duck, clock, "record_id", comparisons, rules, certain, teach)


def splink_han(work_file: str) -> dict[str, Any]:
    """Plain Splink on the mentions of a work file: the comparisons its documentation recommends."""
    clock = Clock()
    duck = connect()
    _read_work_file(duck, work_file)
    duck.execute(
        """
        CREATE TABLE input AS
        SELECT mention_key, name, coalesce(id_no, damaged_id_no) AS id_no, birth_date::VARCHAR AS dob, sex,
               phones[1] AS phone, address
        FROM work.intermediate.int_mentions__unioned WHERE name IS NOT NULL
        """
    )
    comparisons = [
        cl.JaroWinklerAtThresholds("name", [0.9, 0.7]).configure(term_frequency_adjustments=True),
        cl.DamerauLevenshteinAtThresholds("id_no", [1, 2]),
        cl.DateOfBirthComparison("dob", input_is_string=True),
        cl.ExactMatch("sex"),
        cl.ExactMatch("phone").configure(term_frequency_adjustments=True),
        cl.ExactMatch("address").configure(term_frequency_adjustments=True),
    ]
    rules = [
        block_on("id_no"), block_on("name", "dob"), block_on("name", "phone"), block_on("name", "address"),
        block_on("dob", "phone"),
    ]  # fmt: skip
    return _splink(duck, clock, "mention_key", comparisons, rules, ["id_no"], (["id_no"], ["dob"]))


def _read_work_file(duck: duckdb.DuckDBPyConnection, work_file: str) -> None:
    duck.execute(f"ATTACH '{work_file}' AS work (READ_ONLY)")
    duck.execute("CREATE TABLE truth AS SELECT mention_key AS key, person FROM work.truth")
    duck.execute(
        "CREATE TABLE numbers AS SELECT mention_key AS key, id_no AS number"
        " FROM work.intermediate.int_mentions__unioned JOIN work.truth USING (mention_key)"
        " WHERE id_no IS NOT NULL AND has_sound_number"
    )


def _splink(
    duck: duckdb.DuckDBPyConnection, clock: Clock, key: str, comparisons: list[Any], rules: list[Any],
    certain: list[str], teach: tuple[list[str], list[str]],
) -> dict[str, Any]:  # fmt: skip
    """Train, predict, cluster at the threshold that suits best."""
    settings = SettingsCreator(
        link_type="dedupe_only", unique_id_column_name=key, comparisons=comparisons,
        blocking_rules_to_generate_predictions=rules,
    )  # fmt: skip
    linker = Linker(DuckDBAPI(duck).register("input"), settings, log_level=None)
    clock.done("linking")
    linker.training.estimate_probability_two_random_records_match([block_on(*certain)], recall=0.8)
    linker.training.estimate_u_using_random_sampling(max_pairs=U_PAIRS, seed=SEED)
    for columns in teach:
        linker.training.estimate_parameters_using_expectation_maximisation(block_on(*columns), max_pairs=5e6)
    clock.done("training")
    predicted = linker.inference.predict(threshold_match_probability=min(THRESHOLDS), warning_mode="never")
    clock.done("linking")
    results, seconds, cpu = [], [], []
    for place, threshold in enumerate(THRESHOLDS):
        began, used = time.perf_counter(), time.process_time()
        clusters = linker.clustering.cluster_pairwise_predictions_at_threshold(predicted, threshold)
        seconds.append(time.perf_counter() - began)
        cpu.append(time.process_time() - used)
        duck.execute(
            f"CREATE TABLE found_{place} AS"
            f" SELECT {key} AS key, cluster_id::VARCHAR AS cluster FROM {clusters.physical_name}"
        )
        results.append({"threshold": threshold, **agreement(duck, f"found_{place}")})
    best = max(range(len(results)), key=lambda place: results[place]["f1"])
    parts = dict(clock.parts)
    parts["linking"] += seconds[best]
    parts["cpu_linking"] += cpu[best]
    row = duck.execute("SELECT count(*) FROM input").fetchone()
    return {"mentions": row[0] if row else 0, **results[best], **parts, **_used()}


def _used() -> dict[str, float]:
    """Peak memory of this process so far."""
    return {"peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


JOBS: dict[str, Callable[..., dict[str, Any]]] = {
    "door": door, "engine": engine, "splink_latin": splink_latin, "splink_han": splink_han,
}  # fmt: skip


def main() -> None:
    """Do the job named on the command line."""
    job, *arguments = sys.argv[1:]
    print(json.dumps(JOBS[job](*arguments)))


if __name__ == "__main__":
    main()
