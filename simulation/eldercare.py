"""The elderly-care system as its owner holds it: elders, assessments, institutions, bed stays, visits of one year."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulation import dirt, districts, numbers
from simulation.calendar import NEVER, day, lunar_reading
from simulation.cremations import DeathRecords, nearest_kin
from simulation.names import Numbers, words
from simulation.people import People
from simulation.tables import Frame, stack

_KINDS = np.array(["visit", "meal", "home_care", "day_care"], dtype=object)
_SUBSIDIES = {"visit": NEVER, "meal": 600, "home_care": 4000, "day_care": 2500}
INSTITUTIONS_PER_CHUNK = 14


@dataclass
class Care:
    """Elder rows with the persons behind them, and what happened to them: stays and visits, as recorded."""

    row_person: Numbers
    row_id: Numbers
    row_sound: np.ndarray
    key_row: Numbers
    stays: Frame
    visits: Frame


def institutions(count: int, as_of: int) -> Frame:
    """Rows of ``institution``: ``count`` invented nursing homes."""
    rng = np.random.default_rng(count)
    place = np.arange(count)
    code = np.array(districts.MANAGING, dtype=object)[place % len(districts.MANAGING)]
    names = np.array([districts.NAMES[key] for key in code], dtype=object)
    graces = np.array(words("夕阳红 康乐 福寿 松鹤 阳光 仁爱 锦绣 金秋 颐和 长青"), dtype=object)[
        rng.integers(0, 10, count)
    ]
    return {
        "id": place + 1,
        "name": names + graces + np.where(rng.random(count) < 0.5, "养老院", "养老服务中心"),
        "uscc": "52" + code + numbers.digits(rng, count, 9) + "X",
        "district": code,
        "licensed_beds": rng.integers(4, 30, count) * 10,
        "ownership": np.array(["public", "public_private", "private"], dtype=object)[rng.integers(0, 3, count)],
        "is_deleted": np.zeros(count, dtype=np.int64),
        "updated_at": np.full(count, (as_of - 300) * 86400.0 + 7200),
    }


def write_eldercare(
    rng: np.random.Generator,
    people: People,
    deaths: DeathRecords,
    protect: np.ndarray,
    chunk: int,
    chunks: int,
    year: int,
    as_of: int,
) -> tuple[dict[str, Frame], list[Frame], Care]:
    """Rows of the five tables (institutions apart), true mentions, and the care as recorded."""
    size = len(people)
    age = (day(year, 12, 31) - people.birth) // 365
    present = (people.death == NEVER) | (people.death > day(year - 1))
    local = (
        (people.document_type == "111")
        & (people.number != "")
        & present
        & (age >= 60)
        & np.isin(people.hukou, districts.STATUTORY)
    )
    enrolled = np.flatnonzero(local & (rng.random(size) < np.where(age >= 80, 0.85, 0.5)))
    again = enrolled[rng.random(len(enrolled)) < 0.02]
    withdrawn = enrolled[rng.random(len(enrolled)) < 0.008]
    who = np.concatenate([enrolled, again, withdrawn])
    count = len(who)
    ident = np.arange(count) * chunks + chunk + 1
    deleted = np.arange(count) >= len(enrolled) + len(again)
    secondary = (np.arange(count) >= len(enrolled)) & ~deleted

    dead = people.death[who] != NEVER
    frail = (age[who] >= 72) & (rng.random(count) < 0.22) & (np.arange(count) < len(enrolled))
    provable = deaths.is_certain[who] & deaths.has_day[who]
    key = frail & (~dead | provable)
    name, name_damage = dirt.damage_names(rng, people.name[who], rate=0.03)
    partner = people.partner[who]
    relative = np.where(partner >= 0, people.number[partner], "")
    carried = np.where((people.old_number[who] != "") & ~secondary, people.old_number[who], people.number[who])
    number, damage = dirt.damage_numbers(
        rng, carried, relative, rates=dirt.NumberRates(), protect=protect[who] | (key & dead)
    )
    sound = dirt.is_sound_damage(damage) & (carried == people.number[who])
    draw = rng.random(count)
    birthday = np.where(draw < 0.06, lunar_reading(rng, people.birth[who]), people.birth[who])
    birthday = np.where((draw > 0.06) & (draw < 0.065), birthday + 365, np.where(draw > 0.98, NEVER, birthday))
    status = np.where(dead & (rng.random(count) < 0.6), "deceased", "active").astype(object)
    draw = rng.random(count)
    idle = ~key & (status == "active")
    status = np.where(
        idle & (draw < 0.02),
        "moved",
        np.where(idle & (draw < 0.03), "closed", np.where(idle & (draw > 0.998), "deceased", status)),
    )
    live = np.array(districts.MANAGING, dtype=object)[people.managing[who]]
    elsewhere = rng.integers(0, len(districts.MANAGING), count)
    live = np.where(secondary, np.array(districts.MANAGING, dtype=object)[elsewhere], live)

    kin, word = nearest_kin(rng, people, who, np.full(count, as_of))
    has_kin = (kin >= 0) & (rng.random(count) < 0.9)
    contact, contact_damage = dirt.damage_names(rng, people.name[kin])
    polite = has_kin & (rng.random(count) < 0.03)
    contact = np.where(polite, people.surname[kin] + np.where(people.sex[kin] == 1, "先生", "女士"), contact)
    relation = np.array([{"配偶": "10", "子": "20", "女": "30", "": ""}[text] for text in word], dtype=object)
    updated = (as_of - rng.integers(1, 700, count)) * 86400.0 + rng.integers(8 * 3600, 18 * 3600, count)
    bulk = (as_of - 60) * 86400.0 + 10800
    elder: Frame = {
        "id": ident,
        "full_name": name,
        "id_card": number,
        "gender": np.where(
            rng.random(count) < 0.02,
            "",
            np.where(
                rng.random(count) < 0.15,
                people.sex[who].astype("U1").astype(object),
                np.where(people.sex[who] == 1, "男", "女"),
            ),
        ),
        "birthday": birthday,
        "phone": dirt.write_phones(rng, people.phone[who], people.second_phone[who]),
        "hukou_district": people.hukou[who],
        "live_district": live,
        "live_address": people.address[who],
        "living_alone": np.where(rng.random(count) < 0.2, -1, (kin < 0) | (rng.random(count) < 0.2)),
        "key_target": key.astype(np.int64),
        "contact_name": np.where(has_kin, contact, ""),
        "contact_phone": np.where(has_kin, dirt.write_phones(rng, people.phone[kin], people.second_phone[kin]), ""),
        "contact_relation": np.where(has_kin, relation, ""),
        "status": status,
        "is_deleted": deleted.astype(np.int64),
        "updated_at": np.where((rng.random(count) < 0.2) & (updated < bulk), bulk, updated),
    }
    told = ident.astype("U12").astype(object)
    mentions: list[Frame] = [
        {
            "source_record_id": told,
            "role": np.full(count, "elder", dtype=object),
            "person_id": people.first_id + who,
            "damage": np.where(name_damage != "", name_damage, damage),
        },
        {
            "source_record_id": told[has_kin],
            "role": np.full(int(has_kin.sum()), "contact", dtype=object),
            "person_id": people.first_id + kin[has_kin],
            "damage": np.where(polite, "polite", contact_damage)[has_kin],
        },
    ]

    homes = INSTITUTIONS_PER_CHUNK * chunks
    stays = _stays(rng, people, who, ident, key, deleted, sound & provable, homes, year, as_of)
    visits = _visits(rng, people, who, ident, key, deleted | secondary, sound & provable, stays, year, as_of)
    second_row = _second_rows(who, ident, sound, deleted)
    swap = np.isin(visits["elder_id"], list(second_row)) & (rng.random(len(visits["elder_id"])) < 0.2)
    visits["elder_id"][swap] = [second_row[int(row)] for row in visits["elder_id"][swap]]
    # Visits come in date order over all elders, late entries last: the row id follows the day of entry.
    for frame in (stays, visits):
        order = np.argsort(frame["updated_at"], kind="stable")
        for column in frame:
            frame[column] = frame[column][order]
        frame["id"] = np.arange(len(order)) * chunks + chunk + 1
    tables = {
        "elder": elder,
        "ability_assessment": _assessments(rng, people, who, ident, chunk, chunks, year, as_of),
        "bed_stay": stays,
        "care_visit": visits,
    }
    care = Care(who, ident, sound & ~deleted, np.flatnonzero(key), stays, visits)
    return tables, mentions, care


def _second_rows(who: Numbers, ident: Numbers, sound: np.ndarray, deleted: np.ndarray) -> dict[int, int]:
    """First elder row to second row of the same person, where both carry the sound number."""
    first: dict[int, int] = {}
    pairs: dict[int, int] = {}
    for person, row in zip(who[sound & ~deleted].tolist(), ident[sound & ~deleted].tolist(), strict=True):
        if person in first:
            pairs[first[person]] = row
        first.setdefault(person, row)
    return pairs


def _stays(
    rng: np.random.Generator,
    people: People,
    who: Numbers,
    ident: Numbers,
    key: np.ndarray,
    deleted: np.ndarray,
    provable: np.ndarray,
    homes: int,
    year: int,
    as_of: int,
) -> Frame:
    """Bed stays of one elder in fifteen: transfers, hospital, death; some open too long, some in two places at once."""
    count = len(who)
    death = np.where(people.death[who] == NEVER, as_of * 2, people.death[who])
    dies = (death > day(year, 2)) & (death < as_of)
    rows = np.flatnonzero(~deleted & (rng.random(count) < np.where(dies, 0.28, 0.07)) & (death > day(year, 2)))
    begin = day(year - 1) + rng.integers(0, 640, len(rows))
    begin = np.where(begin >= np.minimum(death[rows], as_of) - 20, day(year - 1, 1, 5), begin)
    length = rng.integers(20, 500, len(rows))
    end = begin + length
    is_open = (end >= as_of - 3) & (death[rows] > as_of)
    died = end >= death[rows]
    end = np.where(died, death[rows] + rng.integers(0, 2, len(rows)), end)
    subsidised = rng.random(len(rows)) < 0.7
    lingering = died & subsidised & provable[rows] & (rng.random(len(rows)) < 0.35)
    longer = death[rows] + rng.integers(3, 90, len(rows))
    forgotten = lingering & (longer >= as_of - 2)
    end = np.where(lingering, longer, end)
    end = np.where(is_open | forgotten | ((end >= as_of) & ~died), NEVER, np.minimum(end, as_of - 1))
    reason = np.where(
        end == NEVER,
        "",
        np.where(died, "deceased", rng.choice(np.array(["home", "hospital", "other"], dtype=object), len(rows))),
    )
    home = rng.integers(1, homes + 1, len(rows))
    subsidy = np.where(subsidised, rng.integers(3, 16, len(rows)) * 10000, NEVER)
    first: Frame = {
        "elder_id": ident[rows],
        "person": who[rows],
        "institution_id": home,
        "checked_in_on": begin,
        "checked_out_on": end,
        "checkout_reason": reason,
        "subsidy_month_yuan": subsidy,
    }
    moves = np.flatnonzero(
        (end != NEVER) & ~died & (rng.random(len(rows)) < 0.35) & (end < np.minimum(death[rows], as_of) - 40)
    )
    overlap = np.where(rng.random(len(moves)) < 0.35, rng.integers(3, 15, len(moves)), 0)
    reason[moves] = "transfer"
    second: Frame = {
        "elder_id": ident[rows[moves]],
        "person": who[rows[moves]],
        "institution_id": home[moves] % homes + 1,
        "checked_in_on": end[moves] - overlap,
        "checked_out_on": end[moves] + rng.integers(10, 38, len(moves)),
        "checkout_reason": np.full(len(moves), "home", dtype=object),
        "subsidy_month_yuan": subsidy[moves],
    }
    frame = stack([first, second])
    total = len(frame["elder_id"])
    left = frame["checked_out_on"]
    touched = np.where(left == NEVER, frame["checked_in_on"] + 1, left + 1)
    frame["updated_at"] = np.minimum(touched, as_of - 1) * 86400.0 + rng.integers(30000, 60000, total)
    frame["is_deleted"] = np.zeros(total, dtype=np.int64)
    return frame


def _in_stay(stays: Frame, person: Numbers, first: Numbers, last: Numbers) -> np.ndarray:
    """Whether a stay of the person touches the days ``first`` to ``last``, per row."""
    order = np.argsort(stays["person"], kind="stable")
    owners = stays["person"][order]
    begin, end = stays["checked_in_on"][order], stays["checked_out_on"][order]
    end = np.where(end == NEVER, 1 << 30, end)
    low, high = np.searchsorted(owners, person), np.searchsorted(owners, person, side="right")
    touched = np.zeros(len(person), dtype=bool)
    for step in range(int((high - low).max()) if len(person) else 0):
        row = np.minimum(low + step, max(len(order) - 1, 0))
        touched |= (low + step < high) & (begin[row] <= last) & (end[row] >= first)
    return touched


def _visits(
    rng: np.random.Generator,
    people: People,
    who: Numbers,
    ident: Numbers,
    key: np.ndarray,
    unused: np.ndarray,
    provable: np.ndarray,
    stays: Frame,
    year: int,
    as_of: int,
) -> Frame:
    """Weekly visits of key targets with gaps, visits and meals of others, and a few that cannot have happened."""
    monday = day(year) - (day(year) + 3) % 7
    mondays = np.arange(monday, as_of - 2, 7)
    targets = np.flatnonzero(key)
    death = np.where(people.death[who] == NEVER, as_of * 2, people.death[who])
    weeks = len(mondays)
    begins = np.where(rng.random(len(targets)) < 0.75, -1, rng.integers(0, 30, len(targets)))
    row, week = np.repeat(targets, weeks), np.tile(np.arange(weeks), len(targets))
    start = np.repeat(begins, weeks)
    first, last = mondays[week], mondays[week] + 6
    away = _in_stay(stays, who[row], first, last)
    inside = away & _in_stay(stays, who[row], first - 1, first) & _in_stay(stays, who[row], last, last + 1)
    gap = rng.random(len(row)) < 0.011
    for step in (1, 2):
        longer = np.zeros(len(row), dtype=bool)
        longer[step:] = gap[:-step] & (row[step:] == row[:-step]) & (rng.random(len(row) - step) < 0.45)
        gap |= longer & (week >= step)
    dying = (death[row] >= first) & (death[row] <= last)
    skipped = (gap & ~away & ~dying) | inside | (week < start) | (death[row] < first)
    regular = np.flatnonzero(~skipped)
    when = first[regular] + rng.integers(0, 7, len(regular))
    when = np.minimum(np.where(dying[regular], np.minimum(when, death[row[regular]]), when), as_of - 1)
    parts = [(row[regular], when, _KINDS[rng.choice(4, len(regular), p=[0.7, 0.12, 0.13, 0.05])])]
    # Key targets known before the year have a visit in December.
    early = targets[(begins < 0) & (death[targets] > day(year))]
    parts.append((early, monday - rng.integers(1, 25, len(early)), np.full(len(early), "visit", dtype=object)))
    others = np.flatnonzero(~key & ~unused & (rng.random(len(who)) < 0.12) & (death > day(year, 3)))
    each = np.repeat(others, rng.integers(2, 14, len(others)))
    when = day(year) + (rng.random(len(each)) * (np.minimum(death[each], as_of - 1) - day(year))).astype(np.int64)
    parts.append((each, when, _KINDS[rng.choice(4, len(each), p=[0.3, 0.3, 0.3, 0.1])]))
    row, when, kind = (np.concatenate([part[k] for part in parts]) for k in range(3))
    paid = (kind != "visit") & (rng.random(len(row)) < 0.8)
    # Inside a stay nobody is cared for at home, save on the days of coming and going.
    strictly = (
        _in_stay(stays, who[row], when - 1, when - 1)
        & _in_stay(stays, who[row], when + 1, when + 1)
        & _in_stay(stays, who[row], when, when)
    )
    paid &= ~(strictly & np.isin(kind, ["meal", "home_care"]))
    wrong = np.flatnonzero((rng.random(len(stays["person"])) < 0.22) & (stays["checked_in_on"] < as_of - 40))
    place = {int(ident_): k for k, ident_ in enumerate(ident.tolist())}
    wrong_row = np.array([place[int(elder)] for elder in stays["elder_id"][wrong]], dtype=np.int64)
    latest = np.where(stays["checked_out_on"][wrong] == NEVER, as_of - 2, stays["checked_out_on"][wrong])
    latest = np.minimum(latest, np.minimum(death[wrong_row], as_of - 2))
    room = latest - stays["checked_in_on"][wrong]
    wrong, wrong_row, room = wrong[room > 6], wrong_row[room > 6], room[room > 6]
    border = rng.random(len(wrong)) < 0.3
    when_wrong = stays["checked_in_on"][wrong] + np.where(
        border, 0, 2 + (rng.random(len(wrong)) * (room - 4)).astype(np.int64)
    )
    gone = np.flatnonzero((death < as_of - 30) & (death > day(year)) & provable & ~unused)
    gone = gone[rng.random(len(gone)) < 0.16]
    when_gone = death[gone] + rng.integers(2, 25, len(gone))
    row = np.concatenate([row, wrong_row, gone])
    when = np.concatenate([when, when_wrong, when_gone])
    kind = np.concatenate(
        [kind, np.full(len(wrong), "home_care", dtype=object), np.full(len(gone), "visit", dtype=object)]
    )
    paid = np.concatenate([paid, np.ones(len(wrong), dtype=bool), np.zeros(len(gone), dtype=bool)])
    count = len(row)
    late = np.where(rng.random(count) < 0.28, rng.integers(1, 13, count), 0)
    entered = np.minimum(when + late, as_of - 1) * 86400.0 + rng.integers(60000, 86000, count)
    subsidy = np.array([_SUBSIDIES[word] for word in kind], dtype=np.int64)
    # A withdrawn double of a visit now and then.
    deleted = np.zeros(count, dtype=np.int64)
    twin = np.flatnonzero(rng.random(count) < 0.004)
    frame: Frame = {
        "elder_id": ident[row].copy(),
        "person": who[row],
        "visited_on": when,
        "kind": kind,
        "worker_code": "W" + numbers.zero_padded(people.managing[who[row]] * 40 + row % 37, 5),
        "subsidy_yuan": np.where(paid & (subsidy != NEVER), subsidy, NEVER),
        "entered_at": entered,
        "is_deleted": deleted,
        "updated_at": entered,
    }
    copies = {column: np.asarray(values)[twin] for column, values in frame.items()}
    copies["is_deleted"] = np.ones(len(twin), dtype=np.int64)
    copies["updated_at"] = np.minimum(copies["updated_at"] + 86400, (as_of - 1) * 86400.0 + 80000)
    return stack([frame, copies])


def _assessments(
    rng: np.random.Generator,
    people: People,
    who: Numbers,
    ident: Numbers,
    chunk: int,
    chunks: int,
    year: int,
    as_of: int,
) -> Frame:
    """Ability assessments of a third of the elders, by the new standard or the old one."""
    rows = np.flatnonzero(rng.random(len(who)) < 0.3)
    count = len(rows)
    alive_until = np.where(people.death[who[rows]] == NEVER, as_of, people.death[who[rows]])
    when = np.minimum(day(year - 2) + rng.integers(0, 1000, count), alive_until - 5)
    old = when < day(year - 1, 6)
    score = np.clip(rng.normal(70, 22, count), 0, 90).astype(np.int64)
    level = np.where(old, np.digitize(-score, [-80, -60, -30]), np.digitize(-score, [-89, -66, -46, -29]))
    return {
        "id": np.arange(count) * chunks + chunk + 1,
        "elder_id": ident[rows],
        "standard": np.where(old, "MZ/T 039-2013", "GB/T 42195-2022"),
        "total_score": score,
        "level": level,
        "assessed_on": when,
        "valid_until": when + 730,
        "is_deleted": np.zeros(count, dtype=np.int64),
        "updated_at": (when + 2) * 86400.0 + rng.integers(30000, 60000, count),
    }
