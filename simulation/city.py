"""The demo city, built chunk by chunk: invented people, the four owners' records of them, and the truth."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from simulation import allowance, cremations, eldercare, registrations, truth
from simulation.calendar import NEVER, day, iso_days
from simulation.numbers import check_characters
from simulation.people import People, raise_families, wed
from simulation.tables import OWNERS, TRUTH, TableWriters
from warehouse.duck import connect

CHUNK_PERSONS = 20_000
# Days after the end of the year at which the city is looked at.
DAYS_AFTER_YEAR = 19
TRUTH_FOLDER = "truth"
FACTS_FILE = "city.json"


@dataclass(frozen=True)
class CityFacts:
    """What was built: how many persons, from which seed, for which year, seen on which day, rows per table."""

    persons: int
    seed: int
    year: int
    as_of: str
    tables: dict[str, int]
    truth: dict[str, int]

    @classmethod
    def read(cls, folder: Path) -> CityFacts:
        """Read the facts of a city built into ``folder``. Raises ``FileNotFoundError`` when none was."""
        return cls(**json.loads((folder / FACTS_FILE).read_text(encoding="utf-8")))


def build_city(
    folder: Path,
    persons: int = 20_000,
    seed: int = 1,
    year: int = 2025,
    *,
    progress: Callable[[int, int], None] | None = None,
    chunk_persons: int = CHUNK_PERSONS,
) -> CityFacts:
    """Build the city into ``folder`` (owners' tables) and ``folder/truth``; the same arguments give the same bytes.

    Memory holds one chunk of families. ``progress`` is told (chunks done, chunks). Raises ``ValueError`` when
    ``persons`` is below 200: too few to marry, age and die among each other.
    """
    if persons < 200:
        raise ValueError("simulation: a city needs at least 200 persons.")
    chunks = -(-persons // chunk_persons)
    sizes = np.full(chunks, persons // chunks)
    sizes[: persons % chunks] += 1
    starts = np.r_[1, 1 + np.cumsum(sizes)[:-1]]
    as_of = day(year, 12, 31) + DAYS_AFTER_YEAR + 1
    uids = dict.fromkeys(("household", "member", "payment"), 1)
    refused = {("allowance", "household"): 0, ("allowance", "payment"): 0}
    with TableWriters(folder, OWNERS) as owners, TableWriters(folder / TRUTH_FOLDER, TRUTH) as answers:
        owners.append("institution", eldercare.institutions(eldercare.INSTITUTIONS_PER_CHUNK * chunks, as_of))
        for chunk in range(chunks):
            rng = np.random.default_rng([seed, chunk])
            _build_chunk(
                rng, int(sizes[chunk]), int(starts[chunk]), chunk, chunks, year, as_of, uids, refused, owners, answers
            )
            if progress is not None:
                progress(chunk + 1, chunks)
        answers.append(
            "expected_quarantine",
            {
                "source": np.array([key[0] for key in refused], dtype=object),
                "entity": np.array([key[1] for key in refused], dtype=object),
                "count": np.array(list(refused.values())),
            },
        )
    facts = CityFacts(persons, seed, year, str(iso_days(np.array([as_of]))[0]), owners.counts, answers.counts)
    (folder / FACTS_FILE).write_text(json.dumps(asdict(facts), ensure_ascii=False, indent=1), encoding="utf-8")
    return facts


def _build_chunk(
    rng: np.random.Generator,
    size: int,
    first_id: int,
    chunk: int,
    chunks: int,
    year: int,
    as_of: int,
    uids: dict[str, int],
    refused: dict[tuple[str, str], int],
    owners: TableWriters,
    answers: TableWriters,
) -> None:
    people = raise_families(rng, size, first_id, chunk, chunks, year, as_of)
    marriages = wed(rng, people, year, as_of)
    plan = allowance.plan_assistance(rng, people, marriages, year, as_of)
    mix_numbers(rng, people, plan)

    protect_deaths = plan.needed_deaths
    needed = plan.needed_marriages
    acts = registrations.choose_acts(rng, people, marriages, needed, year, as_of)
    registration, acts_mentions = registrations.write_registrations(
        rng, people, marriages, acts, needed, chunk, chunks, as_of
    )
    cremated, death_mentions, deaths, mistaken = cremations.write_cremations(
        rng, people, protect_deaths, chunk, chunks, year, as_of
    )
    nobody = np.zeros(len(people), dtype=bool)
    tables, elder_mentions, care = eldercare.write_eldercare(rng, people, deaths, nobody, chunk, chunks, year, as_of)
    assisted = nobody.copy()
    assisted[plan.head[plan.kind == allowance.UNDECLARED]] = True
    household, member, file_mentions, household_no, member_months, roster = allowance.write_households(
        rng, people, plan, assisted, year, 1, chunk, chunks
    )
    payment, payment_mentions, paid, spoilt = allowance.write_payments(
        rng, people, plan, household_no, roster, nobody, year, 1, chunk, chunks
    )
    refused["allowance", "payment"] += spoilt["payment"]
    refused["allowance", "household"] += int(household["unknown"].sum())
    for kind, frame in (("household", household), ("member", member), ("payment", payment)):
        shift = uids[kind] - 1
        frame["row_uid"] = frame["row_uid"] + shift
        for mentions in file_mentions:
            if len(mentions["kind"]) and mentions["kind"][0] == kind:
                mentions["row_uid"] = mentions["row_uid"] + shift
        uids[kind] += len(frame["row_uid"])
        owners.append(f"{kind}_rows", frame)
    owners.append("registration", registration)
    owners.append("cremations", cremated)
    for name, frame in tables.items():
        owners.append(name, frame)

    for source, table, parts in (
        ("marriage", "registration", acts_mentions),
        ("funeral", "cremations", death_mentions),
        ("eldercare", "elder", elder_mentions),
        ("allowance", "payment", payment_mentions),
    ):
        for part in parts:
            count = len(part["role"])
            origin = {
                "source_system": np.full(count, source, dtype=object),
                "source_table": np.full(count, table, dtype=object),
            }
            answers.append("mentions", origin | part)
    for part in file_mentions:
        answers.append("file_mentions", part)
    answer = truth.answer(
        truth.Evidence(
            people, marriages, acts, deaths, plan, household, household_no, member_months, paid, care, mistaken
        ),
        year,
        as_of,
    )
    for name, frame in answer.items():
        answers.append(name, frame)


def mix_numbers(rng: np.random.Generator, people: People, plan: allowance.Plan) -> None:
    """Give a few people a second number, and a few the number of somebody else: both really happen.

    Whoever carries a rule's weight is spared; the effect on identity is the point.
    """
    weighty = np.zeros(len(people), dtype=bool)
    for group in (plan.head, plan.member, plan.person):
        weighty[group] = True
    quiet = np.flatnonzero(~weighty & (people.number != "") & (people.document_type == "111") & (people.death == NEVER))
    quiet = quiet[people.birth[quiet] < day(1985)]
    chosen = rng.permutation(quiet)[: max(len(people) // 1250, 2)]
    half = len(chosen) // 2
    for person in chosen[:half]:
        people.old_number[person] = _neighbouring_number(rng, str(people.number[person]))
    for one, other in zip(chosen[half::2], chosen[half + 1 :: 2], strict=False):
        people.number[other] = people.number[one]


def _neighbouring_number(rng: np.random.Generator, number: str) -> str:
    """A sound number of the same area and sex whose birthday or sequence was once taken down differently."""
    base = int(number[:17])
    base += int(rng.integers(1, 9)) * 1000 if number[12:14] < "20" else -int(rng.integers(1, 9)) * 1000
    return f"{base}{check_characters(np.array([base]))[0]}"


def finalise_truth(folder: Path, positions: Path, truth_folder: Path) -> int:
    """Complete ``mentions`` with the rows of household and member files, once their places in the files are known.

    ``positions`` is a Parquet file (kind, district, month, row_uid, sheet, row). The owners' city in ``folder`` is only
    read for its facts. Returns the number of mentions; running it again changes nothing.
    """
    CityFacts.read(folder)
    target, spare = truth_folder / "mentions.parquet", truth_folder / "mentions.new.parquet"
    with connect() as connection:
        connection.execute("SET preserve_insertion_order = true")
        connection.execute(
            f"""
            COPY (
                SELECT * FROM read_parquet('{target}') WHERE source_table NOT IN ('household', 'member')
                UNION ALL
                SELECT 'allowance', kind, concat_ws('/', district, month, kind, sheet, row), role, person_id, damage
                FROM read_parquet('{truth_folder / "file_mentions.parquet"}') AS mentions
                JOIN (SELECT DISTINCT kind, row_uid, sheet, row FROM read_parquet('{positions}')) AS places
                USING (kind, row_uid)
                ORDER BY 1, 2, 3, 4
            ) TO '{spare}' (FORMAT parquet)
            """
        )
        counted = connection.execute(f"SELECT count(*) FROM read_parquet('{spare}')").fetchone()
    spare.replace(target)
    return int(counted[0]) if counted else 0
