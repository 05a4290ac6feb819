"""The gate's verdict on one candidate, and the fingerprint that ties it to that very candidate."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

import duckdb

from warehouse.digest import digest_of_types
from warehouse.duck import connect
from warehouse.home import Home
from warehouse.rooms import ROOMS, Room
from warehouse.writing import write_atomically

VERDICT_FILE = "verdict.json"


class Outcome(StrEnum):
    """How one check ended; ``error`` means that it could not be computed, which is never a pass."""

    PASS = "pass"
    FAIL = "fail"
    ERROR = "error"


class VerdictMissing(LookupError):
    """The gate has not judged that run."""


@dataclass(frozen=True)
class CheckResult:
    """One check on one table of the candidate.

    ``observed`` counts what breaks the rule (for checks of a whole table: what was measured). ``examples`` are keys of
    some rows that break it: ids only, never a value of a person.
    """

    check_id: str
    table: str
    column: str | None
    severity: str
    outcome: Outcome
    observed: int | None
    examples: tuple[str, ...]
    message: str

    @property
    def blocks(self) -> bool:
        """Whether this result keeps the candidate from going out: a critical failure, or any check not computed."""
        return self.outcome is Outcome.ERROR or (self.outcome is Outcome.FAIL and self.severity == "critical")


@dataclass(frozen=True)
class Verdict:
    """Whether the candidate of a run may go out, and every result that led to it."""

    run_id: str
    fingerprint: str
    results: tuple[CheckResult, ...]

    @property
    def passed(self) -> bool:
        """True when checks were made and none of them blocks."""
        return bool(self.results) and not any(result.blocks for result in self.results)

    @property
    def breaches(self) -> tuple[CheckResult, ...]:
        """The results that did not pass, blocking ones first."""
        return tuple(sorted((r for r in self.results if r.outcome is not Outcome.PASS), key=lambda r: not r.blocks))

    @property
    def summary(self) -> str:
        """One line: passed or refused, and how many checks did not pass."""
        blocking = sum(result.blocks for result in self.breaches)
        word = "passed" if self.passed else "refused"
        other = len(self.breaches) - blocking
        return f"{word}: {len(self.results)} checks, {blocking} blocking, {other} not passed without blocking"

    def to_json(self) -> str:
        """The verdict as JSON text; ``passed`` is told for readers and computed anew when read."""
        fields = {"passed": self.passed, "summary": self.summary} | asdict(self)
        return json.dumps(fields, indent=2, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Verdict:
        """Read what ``to_json`` wrote."""
        fields = json.loads(text)
        results = tuple(
            CheckResult(**(r | {"outcome": Outcome(r["outcome"]), "examples": tuple(r["examples"])}))
            for r in fields["results"]
        )
        return cls(fields["run_id"], fields["fingerprint"], results)


def write_verdict(home: Home, verdict: Verdict) -> Path:
    """Keep the verdict in its run's folder and return the file."""
    path = home.run_folder(verdict.run_id) / VERDICT_FILE
    write_atomically(path, verdict.to_json() + "\n")
    return path


def read_verdict(home: Home, run_id: str) -> Verdict:
    """The verdict of one run. Raises ``VerdictMissing``."""
    path = home.run_folder(run_id) / VERDICT_FILE
    if not path.exists():
        raise VerdictMissing(f"run {run_id}: the gate has not judged it; audit the candidate first.")
    return Verdict.from_json(path.read_text(encoding="utf-8"))


def fingerprint(work_file: Path) -> str:
    """A fingerprint of everything that would be published from ``work_file``: tables, columns, types, rows.

    Independent of the order of rows; any row added, removed or changed changes it.
    """
    with connect(work_file, read_only=True) as connection:
        return candidate_fingerprint(connection)


def candidate_fingerprint(connection: duckdb.DuckDBPyConnection, database: str | None = None) -> str:
    """The fingerprint of the candidate in an open connection; ``database`` is its alias when attached."""
    facts = [_table_facts(connection, room, database) for room in ROOMS]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _table_facts(connection: duckdb.DuckDBPyConnection, room: Room, database: str | None) -> list[object]:
    relation = f"{database}.{room.relation}" if database else room.relation
    try:
        columns = [row[:2] for row in connection.execute(f"DESCRIBE {relation}").fetchall()]
    except duckdb.CatalogException:
        return [room.name, None]
    row = digest_of_types([(f't."{name}"', kind) for name, kind in columns])
    # A sum, not an exclusive or: two equal rows must not cancel each other.
    facts = connection.execute(f"SELECT count(*), sum({row}::HUGEINT) FROM {relation} AS t").fetchone()
    assert facts is not None
    return [room.name, columns, facts[0], str(facts[1])]
