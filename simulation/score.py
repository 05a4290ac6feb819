"""How well a published citizen view agrees with the demo city's truth: pairs, findings, benefit months, deaths."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import duckdb
from rich import box
from rich.console import Group
from rich.table import Table

from simulation.dirt import UNSOUND
from warehouse.duck import connect

_KEY = "source_system, source_table, source_record_id, role"


@dataclass(frozen=True)
class Pairs:
    """Pairs of mentions put together: rightly found, all that were put together, all that belong together."""

    right: int
    found: int
    true: int

    @property
    def precision(self) -> float:
        """Share of the pairs put together that belong together (1 when none was)."""
        return self.right / self.found if self.found else 1.0

    @property
    def recall(self) -> float:
        """Share of the pairs that belong together that were put together (1 when there is none)."""
        return self.right / self.true if self.true else 1.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


@dataclass(frozen=True)
class RuleScore:
    """One finding rule: reported leads and how many are true, certain truths and how many were reported."""

    rule: str
    reported: int
    right: int
    right_exactly: int
    true_certain: int
    found: int
    true_uncertain: int
    found_uncertain: int
    lawful_reported: int
    lawful_touched: int

    @property
    def precision(self) -> float:
        """Share of reported leads that overlap a true one of the same case."""
        return self.right / self.reported if self.reported else 1.0

    @property
    def recall(self) -> float:
        """Share of the certain truths that were reported."""
        return self.found / self.true_certain if self.true_certain else 1.0


@dataclass(frozen=True)
class Score:
    """Everything that was compared; see the fields' names for their meaning."""

    mentions_true: int
    mentions_published: int
    mentions_missing: int
    mentions_unknown: int
    linked: Pairs
    linked_without_number: Pairs
    all_mentions: Pairs
    citizens_invented: int
    rules: tuple[RuleScore, ...]
    benefit_months_true: int
    benefit_months_differing: int
    benefit_months_misattributed: int
    deceased_reported: int
    deceased_right: int
    deaths_certain: int
    deaths_found: int
    death_dates_right: int

    @property
    def lawful_reported(self) -> int:
        """Lawful exceptions reported as findings, over all rules."""
        return sum(rule.lawful_reported for rule in self.rules)

    def rule(self, name: str) -> RuleScore:
        """The score of one rule. Raises ``KeyError`` when the truth and the report know nothing of it."""
        for rule in self.rules:
            if rule.rule == name:
                return rule
        raise KeyError(name)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self) | {"pairwise_f1": self.linked.f1, "lawful_reported": self.lawful_reported}


def score(published: Path, truth: Path, city: Path) -> Score:
    """Compare exported tables (one Parquet file each) with the truth of the city that the systems were filled from.

    A citizen stands for the person of most of its mentions. Raises ``FileNotFoundError`` naming the file when a table
    is missing.
    """
    with connect() as connection:
        for schema, folder, tables in (
            ("truth", truth, ("mentions", "findings", "lawful", "benefit_months", "deaths", "people")),
            ("published", published, ("citizen_mentions", "findings", "benefit_months", "citizens")),
        ):
            connection.execute(f"CREATE SCHEMA {schema}")
            for table in tables:
                file = folder / f"{table}.parquet"
                if not file.is_file():
                    raise FileNotFoundError(
                        f"score: {file} is missing; export the published tables, or build the city."
                    )
                connection.execute(f"CREATE VIEW {schema}.{table} AS SELECT * FROM read_parquet('{file}')")
        _join_mentions(connection)
        return Score(
            **_counts(connection),
            linked=_pairs(connection, "citizen_id IS NOT NULL"),
            linked_without_number=_pairs(connection, "citizen_id IS NOT NULL", without_sound=True),
            all_mentions=_pairs(connection, "true"),
            rules=_rules(connection),
            **_benefits(connection),
            **_deaths(connection),
        )


def _one(connection: duckdb.DuckDBPyConnection, query: str) -> tuple[int, ...]:
    row = connection.execute(query).fetchone()
    return tuple(int(value or 0) for value in row) if row else ()


def _join_mentions(connection: duckdb.DuckDBPyConnection) -> None:
    unsound = ", ".join(f"'{kind}'" for kind in sorted(UNSOUND))
    connection.execute(
        f"""
        CREATE TEMP TABLE joined AS
        SELECT
            {_KEY}, truth.person_id, published.citizen_id,
            coalesce(published.known, false) AS is_published,
            coalesce(truth.known, false) AS is_true,
            coalesce(truth.damage, '') NOT IN ({unsound}) AND role <> 'contact' AS is_sound
        FROM (SELECT *, true AS known FROM truth.mentions) AS truth
        FULL JOIN (SELECT {_KEY}, any_value(citizen_id) AS citizen_id, true AS known
              FROM published.citizen_mentions GROUP BY ALL) AS published
        USING ({_KEY})
        """
    )
    connection.execute(
        """
        CREATE TEMP TABLE stands_for AS
        SELECT citizen_id, arg_max(person_id, (mentions, -person_id)) AS person_id
        FROM (SELECT citizen_id, person_id, count(*) AS mentions FROM joined
              WHERE citizen_id IS NOT NULL AND person_id IS NOT NULL GROUP BY ALL)
        GROUP BY citizen_id
        """
    )


def _counts(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    true, published, missing, unknown, invented = _one(
        connection,
        """
        SELECT count(*) FILTER (is_true), count(*) FILTER (is_published),
               count(*) FILTER (is_true AND NOT is_published),
               count(*) FILTER (is_published AND NOT is_true),
               count(*) FILTER (is_true AND person_id IS NULL AND citizen_id IS NOT NULL)
        FROM joined
        """,
    )
    return {
        "mentions_true": true,
        "mentions_published": published,
        "mentions_missing": missing,
        "mentions_unknown": unknown,
        "citizens_invented": invented,
    }


def _pairs(connection: duckdb.DuckDBPyConnection, which: str, *, without_sound: bool = False) -> Pairs:
    """Pairs among the chosen mentions; ``without_sound`` keeps those in which a mention has no sound number."""
    counted = "(n * (n - 1) - s * (s - 1)) / 2" if without_sound else "n * (n - 1) / 2"

    def total(group: str) -> int:
        query = f"""
            SELECT sum({counted})::BIGINT FROM (
                SELECT count(*)::HUGEINT AS n, count(*) FILTER (is_sound)::HUGEINT AS s FROM joined
                WHERE person_id IS NOT NULL AND {which} AND {group.split(",")[0]} IS NOT NULL GROUP BY {group})
        """
        return _one(connection, query)[0]

    return Pairs(total("citizen_id, person_id"), total("citizen_id"), total("person_id"))


def _rules(connection: duckdb.DuckDBPyConnection) -> tuple[RuleScore, ...]:
    connection.execute(
        """
        CREATE TEMP TABLE reported AS
        SELECT finding_id, rule, stands_for.person_id, household_key, period_from::DATE AS period_from,
               coalesce(period_to, period_from)::DATE AS period_to
        FROM published.findings LEFT JOIN stands_for USING (citizen_id)
        WHERE state NOT IN ('rejected', 'closed');
        CREATE TEMP TABLE wanted AS SELECT row_number() OVER () AS number,
            * REPLACE (coalesce(period_to, DATE '9999-01-01') AS period_to) FROM truth.findings;
        CREATE TEMP TABLE excused AS SELECT row_number() OVER () AS number, * FROM truth.lawful;
        """
    )
    same = """
        reported.rule = {other}.rule
        AND (reported.person_id = {other}.person_id OR reported.household_key = {other}.household_key)
        AND reported.period_from <= {other}.period_to AND {other}.period_from <= reported.period_to
    """
    connection.execute(
        f"""
        CREATE TEMP TABLE hits AS
        SELECT finding_id, number, reported.period_from = wanted.period_from
               AND reported.period_to IN (wanted.period_to, date_trunc('month', wanted.period_to)::DATE) AS is_exact
        FROM reported JOIN wanted ON {same.format(other="wanted")};
        CREATE TEMP TABLE excuses AS
        SELECT DISTINCT finding_id FROM reported JOIN excused ON {same.format(other="excused")};
        """
    )
    rows = connection.execute(
        """
        WITH rules AS (SELECT DISTINCT rule FROM wanted UNION SELECT DISTINCT rule FROM reported),
        leads AS (
            SELECT rule, count(*) AS reported,
                   count(*) FILTER (finding_id IN (SELECT finding_id FROM hits)) AS matched,
                   count(*) FILTER (finding_id IN (SELECT finding_id FROM hits WHERE is_exact)) AS matched_exactly,
                   count(*) FILTER (finding_id IN (FROM excuses)
                                    AND finding_id NOT IN (SELECT finding_id FROM hits)) AS lawful,
                   count(*) FILTER (finding_id IN (FROM excuses)) AS touched
            FROM reported GROUP BY rule),
        truths AS (
            SELECT rule, count(*) FILTER (certain) AS sure,
                   count(*) FILTER (certain AND number IN (SELECT number FROM hits)) AS found,
                   count(*) FILTER (NOT certain) AS unsure,
                   count(*) FILTER (NOT certain AND number IN (SELECT number FROM hits)) AS found_unsure
            FROM wanted GROUP BY rule)
        SELECT rule, reported, matched, matched_exactly, sure, found, unsure, found_unsure, lawful, touched
        FROM rules LEFT JOIN leads USING (rule) LEFT JOIN truths USING (rule) ORDER BY rule
        """
    ).fetchall()
    return tuple(RuleScore(row[0], *(int(value or 0) for value in row[1:])) for row in rows)


def _benefits(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    true, differing, misattributed = _one(
        connection,
        """
        WITH wanted AS (
            SELECT source_record_id, benefit, benefit_month, any_value(household_key) AS household_key,
                   any_value(managing_district) AS district, any_value(person_id) AS person_id,
                   sum(amount_yuan) AS yuan, true AS known
            FROM truth.benefit_months GROUP BY ALL),
        given AS (
            SELECT source_record_id, benefit, benefit_month::DATE AS benefit_month,
                   any_value(household_key) AS household_key, any_value(managing_district) AS district,
                   any_value(stands_for.person_id) AS person_id, sum(amount_yuan) AS yuan, true AS known
            FROM published.benefit_months LEFT JOIN stands_for USING (citizen_id)
            GROUP BY source_record_id, benefit, benefit_month)
        SELECT count(wanted.known),
               count(*) FILTER (wanted.known IS NULL OR given.known IS NULL OR wanted.yuan <> given.yuan
                                OR wanted.district <> given.district
                                OR wanted.household_key IS DISTINCT FROM given.household_key),
               count(*) FILTER (wanted.known AND given.known AND wanted.household_key IS NULL
                                AND wanted.person_id IS DISTINCT FROM given.person_id)
        FROM wanted FULL JOIN given USING (source_record_id, benefit, benefit_month)
        """,
    )
    return {
        "benefit_months_true": true,
        "benefit_months_differing": differing,
        "benefit_months_misattributed": misattributed,
    }


def _deaths(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    reported, right, certain, found, dated = _one(
        connection,
        """
        WITH gone AS (
            SELECT person_id, citizen_id, death_date FROM published.citizens LEFT JOIN stands_for USING (citizen_id)
            WHERE life_status = 'deceased'),
        proven AS (SELECT * FROM truth.deaths WHERE is_certain)
        SELECT (SELECT count(*) FROM gone),
               (SELECT count(*) FROM gone WHERE person_id IN (SELECT person_id FROM truth.deaths)),
               (SELECT count(*) FROM proven),
               (SELECT count(*) FROM proven WHERE person_id IN (SELECT person_id FROM gone)),
               (SELECT count(DISTINCT person_id) FROM proven JOIN gone USING (person_id, death_date))
        """,
    )
    return {
        "deceased_reported": reported, "deceased_right": right, "deaths_certain": certain, "deaths_found": found,
        "death_dates_right": dated,
    }  # fmt: skip


def render(result: Score) -> Group:
    """Two tables for a terminal: the view as a whole, and the rules."""
    whole = Table(title="Against the demo city's truth", title_justify="left", show_header=False, box=box.SIMPLE)
    whole.add_column("what")
    whole.add_column("value", justify="right")
    for name, pairs in (
        ("mentions with a citizen", result.linked),
        ("… one without sound number", result.linked_without_number),
        ("all mentions (unresolved: lost)", result.all_mentions),
    ):
        whole.add_row(f"pairwise F1, {name}", f"{pairs.f1:.4f}  (P {pairs.precision:.4f}, R {pairs.recall:.4f})")
    whole.add_row("mentions missing / unknown to the truth", f"{result.mentions_missing} / {result.mentions_unknown}")
    whole.add_row("mentions of nobody given a citizen", str(result.citizens_invented))
    whole.add_row("benefit months that differ", f"{result.benefit_months_differing} of {result.benefit_months_true:,}")
    whole.add_row("benefit months given to another citizen", str(result.benefit_months_misattributed))
    whole.add_row("citizens called dead who are", f"{result.deceased_right} of {result.deceased_reported}")
    whole.add_row(
        "proven deaths found / dated rightly",
        f"{result.deaths_found} / {result.death_dates_right} of {result.deaths_certain}",
    )
    whole.add_row("lawful exceptions reported", str(result.lawful_reported))
    rules = Table(title="Findings", title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    rules.add_column("rule", no_wrap=True, min_width=26)
    for column in ("leads", "prec.", "true", "recall", "unsure", "lawful"):
        rules.add_column(column, justify="right", no_wrap=True)
    for rule in result.rules:
        rules.add_row(
            rule.rule, str(rule.reported), f"{rule.precision:.3f}", str(rule.true_certain), f"{rule.recall:.3f}",
            f"{rule.found_uncertain}/{rule.true_uncertain}", str(rule.lawful_reported),
        )  # fmt: skip
    return Group(whole, rules)
