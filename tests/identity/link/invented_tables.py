"""Tables of invented people with the slips that keyboards and clerks make, and whom each record truly speaks of."""

from __future__ import annotations

import datetime as dt
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from invented_mentions import GIVEN, SURNAMES, sound_number

Rows = list[dict[str, Any]]
FIRST = (
    "anna", "ben", "clara", "david", "emma", "frank", "greta", "henry", "ida", "jack", "karen", "leo", "mia",
    "noah", "olga", "paul", "rita", "sam", "tina", "ulf", "vera", "walter", "xenia", "yves", "zoe", "albert",
    "bruno", "carmen", "dora", "erik",
)  # fmt: skip
LAST = (
    "abbott", "baker", "carver", "dalton", "ellis", "foster", "garner", "hobbs", "irwin", "jarvis", "keller",
    "lowell", "mercer", "norton", "osborn", "parker", "quincy", "ramsey", "sutton", "turner", "upton", "vickers",
    "walden", "yates", "zeller", "bishop", "cooper", "draper", "fisher", "holden",
)  # fmt: skip
STREETS = ("oak", "elm", "mill", "church", "station", "garden", "river", "bridge", "market", "castle")
TOWNS = ("ashford", "bexley", "corby", "dover", "epsom", "fleet")


def latin_people(count: int, seed: int) -> tuple[Rows, dict[str, str]]:
    """Each person twice or three times, every copy with one slip in name or date or address."""
    chance = random.Random(seed)
    rows, truth = [], {}
    for person in range(count):
        born = dt.date(1930, 1, 1) + dt.timedelta(days=chance.randrange(25_000))
        sound = {
            "given_name": chance.choice(FIRST), "surname": chance.choice(LAST), "date_of_birth": f"{born:%Y%m%d}",
            "address_1": f"{chance.choice(STREETS)} street", "street_number": str(chance.randrange(1, 200)),
            "suburb": chance.choice(TOWNS), "postcode": str(2000 + chance.randrange(300)),
            "soc_sec_id": str(chance.randrange(10**6, 10**7)),
        }  # fmt: skip
        for copy in range(chance.choice((1, 2, 3))):
            row = dict(sound) if copy == 0 else _with_slip(dict(sound), chance)
            key = f"rec-{person}-{copy}"
            rows.append({"record_id": key, "source": "register", **row})
            truth[key] = str(person)
    return rows, truth


def _with_slip(row: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    kind = chance.choice(("letter", "missing", "swapped", "digit", "moved"))
    if kind == "letter":
        row["surname"] = row["surname"][:-1] + chance.choice("aeiou")
    elif kind == "missing":
        row[chance.choice(("given_name", "soc_sec_id", "postcode"))] = None
    elif kind == "swapped":
        row["given_name"], row["surname"] = row["surname"], row["given_name"]
    elif kind == "digit":
        place = chance.randrange(7)
        row["soc_sec_id"] = row["soc_sec_id"][:place] + chance.choice("0123456789") + row["soc_sec_id"][place + 1 :]
    else:
        row["address_1"], row["street_number"] = "high street", str(chance.randrange(1, 200))
    return row


def han_people(count: int, seed: int) -> tuple[Rows, dict[str, str]]:
    """Each person in three sources: numbers missing in a quarter, a digit wrong now and then, a character misheard."""
    chance = random.Random(seed)
    rows, truth = [], {}
    for person in range(count):
        born = dt.date(1940, 1, 1) + dt.timedelta(days=chance.randrange(20_000))
        sequence = chance.randrange(1, 900)
        name = chance.choice(SURNAMES) + chance.choice(GIVEN) + chance.choice(GIVEN)
        number = sound_number(born, sequence)
        phone = f"138{chance.randrange(10**8):08d}"
        address = f"青羊区{chance.choice('东南西北')}街{chance.randrange(1, 400)}号{chance.randrange(1, 30)}栋"
        for source in ("registry", "clinic", "school"):
            typed: str | None = number
            draw = chance.random()
            if draw < 0.25:
                typed = None
            elif draw < 0.3:
                typed = number[:10] + str((int(number[10]) + 1) % 10) + number[11:]
            key = f"{source}/{person}"
            rows.append(
                {
                    "record_id": key, "source": source, "name": name, "id_no": typed,
                    "birth_date": f"{born:%Y-%m-%d}" if chance.random() < 0.9 else None,
                    "sex": "男" if sequence % 2 else "女", "phone": phone if chance.random() < 0.7 else None,
                    "address": address if chance.random() < 0.7 else None,
                }
            )  # fmt: skip
            truth[key] = str(person)
    return rows, truth


def write_table(rows: Rows, file: Path) -> Path:
    """Write rows as Parquet; every column has the type of its first value."""
    pq.write_table(pa.Table.from_pylist(rows), file)
    return file


def pairwise_f1(output: Path, truth: dict[str, str]) -> float:
    """F1 over pairs of records that were put together and that belong together."""
    found: dict[str, int] = {}
    true: dict[str, int] = {}
    both: dict[tuple[str, str], int] = {}
    for row in pq.read_table(output).to_pylist():
        person, cluster = truth[row["record_id"]], row["cluster_id"]
        found[cluster] = found.get(cluster, 0) + 1
        true[person] = true.get(person, 0) + 1
        both[cluster, person] = both.get((cluster, person), 0) + 1
    together, belong, right = (sum(n * (n - 1) // 2 for n in counts.values()) for counts in (found, true, both))
    return 2 * right / (together + belong)
