"""The funeral system as its owner holds it: one certificate per cremation, void ones kept, handlers beside the dead."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulation import dirt, numbers
from simulation.calendar import NEVER, day, iso_days, year_of
from simulation.names import Numbers, Text, words
from simulation.people import NOBODY, People
from simulation.tables import Frame, stack, take

_HOMES = words(
    "东郊殡仪馆 北郊殡仪馆 石板滩殡仪馆 双流殡仪馆 温江殡仪馆 都江堰殡仪馆 彭州殡仪馆 邛崃殡仪馆 "
    "崇州殡仪馆 金堂殡仪馆 简阳殡仪馆"
)
_NAMELESS = ["无名氏", "无名尸", "无名氏", "无名氏（男）", "无名氏"]


@dataclass
class DeathRecords:
    """What the funeral system knows of each person: is there a valid certificate, and does it prove the death."""

    is_recorded: np.ndarray
    is_certain: np.ndarray
    has_day: np.ndarray
    has_month: np.ndarray
    known_by_month: np.ndarray
    cremated: Numbers
    cert_id: Text


def nearest_kin(rng: np.random.Generator, people: People, rows: Numbers, when: Numbers) -> tuple[Numbers, Text]:
    """For each person a living relative on that day and the relation in the funeral system's words ('' if nobody)."""
    child = np.full(len(people) + 1, NOBODY)
    for parent in (people.father, people.mother):
        known = np.flatnonzero(parent >= 0)
        known = known[rng.permutation(len(known))]
        child[parent[known]] = known
    grown = (when - people.birth[child[rows]]) > 18 * 365
    partner, heir = people.partner[rows], np.where(grown, child[rows], NOBODY)

    def lives(who: Numbers) -> np.ndarray:
        gone = people.death[who]
        return np.asarray((who >= 0) & ((gone == NEVER) | (gone > when)))

    prefers_partner = rng.random(len(rows)) < 0.3
    partner, heir = np.where(lives(partner), partner, NOBODY), np.where(lives(heir), heir, NOBODY)
    kin = np.where((partner >= 0) & (prefers_partner | (heir < 0)), partner, heir)
    word = np.where(kin < 0, "", np.where(kin == partner, "配偶", np.where(people.sex[kin] == 1, "子", "女"))).astype(
        object
    )
    return kin, word


def write_cremations(
    rng: np.random.Generator, people: People, protect: np.ndarray, chunk: int, chunks: int, year: int, as_of: int
) -> tuple[Frame, list[Frame], DeathRecords, Numbers]:
    """Rows of ``cremations``, true mentions, what they prove, and the living people with a void certificate.

    Deaths of ``protect`` are recorded soundly. History goes back seven years.
    """
    size = len(people)
    begin = day(year - 7)
    dead = np.flatnonzero((people.death >= begin) & (people.death <= as_of - 6))
    kept = (rng.random(len(dead)) < 0.93) | protect[dead]
    dead = dead[kept]
    first = _certificates(rng, people, dead, protect, as_of)
    # A certificate made out with a fault is void, and a second one follows.
    redone = np.flatnonzero(rng.random(len(dead)) < 0.015)
    faulty = take(first, redone)
    faulty["status"][:] = "void"
    faulty["death_day"] = faulty["death_day"] - rng.integers(1, 20, len(redone))
    # A certificate issued on a living person's papers by mistake, and withdrawn.
    living = np.flatnonzero(
        (people.death < begin) & (people.birth < day(year - 79)) & people.alive_on(as_of) & (people.number != "")
    )
    mistaken = living[rng.random(len(living)) < 0.008]
    wrong = _certificates(
        rng, people, mistaken, np.ones(size, dtype=bool), as_of, day(year - 1) + rng.integers(0, 600, len(mistaken))
    )
    wrong["status"][:] = "void"
    # The nameless and the new-born, whom nobody can link.
    nameless = _nameless(rng, people, int(len(dead) * 0.009) + 1, year, as_of)
    every = stack([first, faulty, wrong, nameless])
    order = np.argsort(every["cremation_day"], kind="stable")
    every = take(every, order)

    count = len(order)
    home = every["home"]
    code = np.array([f"CD{place + 1:02d}" for place in range(len(_HOMES))], dtype=object)[home]
    serial = np.arange(count) * chunks + chunk + 1
    cert = code + "-" + year_of(every["cremation_day"]).astype("U4").astype(object) + numbers.zero_padded(serial, 7)
    hour = every["cremation_day"] * 86400.0 + rng.integers(8 * 3600, 18 * 3600, count)
    hour += np.where(rng.random(count) < 0.2, rng.integers(1, 40, count) * 86400, 0)
    bulk = (as_of - 40) * 86400.0 + 7200
    limit = (as_of - 1) * 86400.0 + 36000
    every["updated_at"] = np.minimum(np.where((rng.random(count) < 0.06) & (hour < bulk), bulk, hour), limit)
    every["cert_id"], every["facility_code"] = cert, code
    every["facility_name"] = np.array(_HOMES, dtype=object)[home]

    recorded = DeathRecords(
        is_recorded=np.zeros(size, dtype=bool),
        is_certain=np.zeros(size, dtype=bool),
        has_day=np.zeros(size, dtype=bool),
        has_month=np.zeros(size, dtype=bool),
        known_by_month=np.zeros(size, dtype=bool),
        cremated=np.full(size, 0),
        cert_id=np.full(size, "", dtype=object),
    )
    valid = np.flatnonzero((every["status"] == "valid") & (every["person"] >= 0))
    who = every["person"][valid]
    recorded.is_recorded[who] = True
    recorded.is_certain[who] = every["certain"][valid]
    recorded.has_day[who] = every["precision"][valid] == "day"
    recorded.has_month[who] = np.isin(every["precision"][valid], ("day", "month"))
    recorded.known_by_month[who] = every["precision"][valid] != "year"
    recorded.cremated[who] = every["cremation_day"][valid]
    recorded.cert_id[who] = cert[valid]

    def ids(rows: Numbers) -> np.ndarray:
        return np.where(rows >= 0, people.first_id + rows, NOBODY)

    mentions: list[Frame] = [
        {
            "source_record_id": cert,
            "role": np.full(count, "deceased", dtype=object),
            "person_id": ids(every["person"]),
            "damage": every["damage"],
        }
    ]
    spoken = every["handler_name"] != ""
    mentions.append(
        {
            "source_record_id": cert[spoken],
            "role": np.full(int(spoken.sum()), "handler", dtype=object),
            "person_id": ids(every["handler"])[spoken],
            "damage": every["handler_damage"][spoken],
        }
    )
    return every, mentions, recorded, mistaken


def _certificates(
    rng: np.random.Generator,
    people: People,
    rows: Numbers,
    protect: np.ndarray,
    as_of: int,
    when: Numbers | None = None,
) -> Frame:
    count = len(rows)
    died = people.death[rows] if when is None else when
    safe = protect[rows]
    delay = np.where(rng.random(count) < 0.03, rng.integers(30, 150, count), rng.integers(1, 6, count))
    cremated = np.minimum(died + delay, as_of - 2)
    kin, word = nearest_kin(rng, people, rows, died)
    staff_pool = np.flatnonzero(
        (people.generation == 1) & people.alive_on(died.min() if count else 0) & people.alive_on(as_of)
    )
    staff = staff_pool[rng.integers(0, min(len(staff_pool), 40), count)] if len(staff_pool) else kin
    alone = kin < 0
    handler = np.where(alone, staff, kin)
    relation = np.where(alone, np.where(rng.random(count) < 0.6, "社区", "单位"), word)
    in_law = ~alone & (word != "配偶") & (rng.random(count) < 0.12) & (people.partner[kin] >= 0)
    in_law &= people.death[people.partner[kin]] == NEVER
    handler = np.where(in_law, people.partner[kin], handler)
    relation = np.where(in_law, np.where(people.sex[handler] == 1, "女婿", "儿媳"), relation)

    name, name_damage = dirt.damage_names(rng, people.name[rows], rate=0.03, droppable=False)
    own = np.where(people.number[rows] != "", people.number[rows], people.document[rows])
    number, damage = dirt.damage_numbers(
        rng, own, people.number[handler], rates=dirt.NumberRates(relative=0.0, missing=0.04), protect=safe
    )
    swapped = (rng.random(count) < 0.011) & ~safe & (people.number[handler] != "")
    number, damage = np.where(swapped, people.number[handler], number), np.where(swapped, "relative", damage)
    certain = dirt.is_sound_damage(damage) & (people.document[rows] == "")
    handler_name, handler_name_damage = dirt.damage_names(rng, people.name[handler])
    handler_number, handler_damage = dirt.damage_numbers(
        rng, people.number[handler], own, rates=dirt.NumberRates(missing=0.15, relative=0.0)
    )
    silent = rng.random(count) < 0.03
    age = (died - people.birth[rows]) // 365
    hukou = people.hukou[rows]
    draw = rng.random(count)
    precision = np.where(
        safe,
        "day",
        np.where(draw < 0.02, "none", np.where(draw < 0.03, "month", np.where(draw < 0.034, "year", "day"))),
    )
    stated = np.where(rng.random(count) < 0.05, people.birth[rows] - rng.integers(20, 50, count), people.birth[rows])
    birth = np.where(rng.random(count) < 0.04, "", dirt.write_birthdays(rng, stated, "iiiiiiiihhhmy"))
    kind = np.array(["medical", "police", "court", ""], dtype=object)[rng.choice(4, count, p=[0.86, 0.1, 0.01, 0.03])]
    return {
        "person": rows,
        "handler": np.where(silent, NOBODY, handler),
        "certain": certain,
        "precision": precision,
        "damage": np.where(name_damage != "", name_damage, damage),
        "status": np.full(count, "valid", dtype=object),
        "handler_damage": np.where(handler_name_damage != "", handler_name_damage, handler_damage),
        "home": rng.integers(0, len(_HOMES), count),
        "death_day": died,
        "cremation_day": cremated,
        "deceased_name": name,
        "deceased_id_type": np.where((number == "") & (rng.random(count) < 0.5), "", people.document_type[rows]),
        "deceased_id_no": number,
        "deceased_sex": np.where(rng.random(count) < 0.01, "未知", np.where(people.sex[rows] == 1, "男", "女")),
        "deceased_birth_date": birth,
        "deceased_age": np.where(
            rng.random(count) < 0.1, "", age.astype("U3").astype(object) + np.where(rng.random(count) < 0.4, "岁", "")
        ),
        "deceased_hukou_address": np.where(rng.random(count) < 0.07, "", people.address[rows]),
        "deceased_hukou_district": np.where(rng.random(count) < 0.03, "", hukou),
        "death_date": _write_deaths(rng, died, precision),
        "death_cert_no": np.where(kind == "", "", numbers.digits(rng, count, 12)),
        "death_cert_kind": kind,
        "cremation_date": iso_days(cremated),
        "handler_name": np.where(silent, "", handler_name),
        "handler_id_no": np.where(silent, "", handler_number),
        "handler_phone": np.where(
            silent, "", dirt.write_phones(rng, people.phone[handler], np.full(count, "", dtype=object))
        ),
        "handler_relation": np.where(silent, "", relation),
        "fee_relief": np.array(["1,160.00", "1160.00", "1,460.00", "", "860.00"], dtype=object)[
            rng.integers(0, 5, count)
        ],
        "green_burial": rng.choice([0, 1, -1], count, p=[0.75, 0.1, 0.15]),
    }


def _write_deaths(rng: np.random.Generator, died: Numbers, precision: np.ndarray) -> Text:
    text = dirt.write_birthdays(rng, died, "iiiiiiiih")
    month, year = dirt.write_birthdays(rng, died, "m"), dirt.write_birthdays(rng, died, "y")
    return np.where(
        precision == "none", "", np.where(precision == "month", month, np.where(precision == "year", year, text))
    )


def _nameless(rng: np.random.Generator, people: People, count: int, year: int, as_of: int) -> Frame:
    """Unknown dead, and infants named only after a parent, who then is the handler."""
    young = np.flatnonzero((people.generation == 1) & people.alive_on(as_of) & (people.birth > day(year - 42)))
    parent = young[rng.integers(0, len(young), count)] if len(young) else np.full(count, 0)
    infant = rng.random(count) < 0.45
    died = day(year - 6) + rng.integers(0, 6 * 365, count)
    nothing = np.full(count, "", dtype=object)
    name = np.where(infant, people.name[parent] + "之婴", np.array(_NAMELESS, dtype=object)[rng.integers(0, 5, count)])
    return {
        "person": np.full(count, NOBODY),
        "handler": np.where(infant, parent, NOBODY),
        "certain": np.zeros(count, dtype=bool),
        "precision": np.full(count, "day"),
        "damage": np.where(infant, "infant", "nameless").astype(object),
        "status": np.full(count, "valid", dtype=object),
        "handler_damage": nothing,
        "home": rng.integers(0, len(_HOMES), count),
        "death_day": died,
        "cremation_day": np.minimum(died + 20, as_of - 2),
        "deceased_name": name,
        "deceased_id_type": nothing,
        "deceased_id_no": nothing,
        "deceased_sex": np.array(["男", "女", "未知"], dtype=object)[rng.integers(0, 3, count)],
        "deceased_birth_date": nothing,
        "deceased_age": np.where(infant, "3个月", nothing),
        "deceased_hukou_address": nothing,
        "deceased_hukou_district": nothing,
        "death_date": iso_days(died),
        "death_cert_no": nothing,
        "death_cert_kind": np.where(infant, "medical", "police").astype(object),
        "cremation_date": iso_days(died + 20),
        "handler_name": np.where(infant, people.name[parent], ""),
        "handler_id_no": np.where(infant, people.number[parent], ""),
        "handler_phone": np.where(infant, people.phone[parent], ""),
        "handler_relation": np.where(infant, "其他", "").astype(object),
        "fee_relief": nothing,
        "green_burial": np.full(count, -1),
    }
