"""The marriage registration system as its owner holds it: acts of decades, typed from paper before 2005."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulation import dirt, districts, numbers
from simulation.calendar import NEVER, day, year_of
from simulation.names import Numbers, Text
from simulation.people import ANNULLED, COURT_DIVORCED, DIVORCED, OPEN, SPOUSE_DIED, Marriages, People
from simulation.tables import Frame

IA, IB, ICA, ICB, IX = "IA", "IB", "ICA", "ICB", "IX"
_LETTERS = {IA: "J", IB: "L", ICA: "BJ", ICB: "BL", IX: "CX"}


@dataclass
class Acts:
    """Which acts stand in the register: the marriage behind each, its kind and day, and who is soundly named."""

    marriage: Numbers
    kind: Text
    when: Numbers
    man: Numbers
    woman: Numbers
    record: Numbers
    man_sound: np.ndarray
    woman_sound: np.ndarray
    wrong: np.ndarray


def choose_acts(
    rng: np.random.Generator, people: People, marriages: Marriages, needed: np.ndarray, year: int, as_of: int
) -> Acts:
    """The acts that this city registered: not court divorces, not what happened elsewhere, plus a few impossible ones.

    Marriages of ``needed`` are always registered (other parts of the city rest on them).
    """
    count = len(marriages)
    began, ended, kind = marriages.began, marriages.ended, marriages.end_kind
    registered = ((rng.random(count) < 0.8) & (began > day(1955))) | needed
    acts: list[tuple[Numbers, str, Numbers, bool]] = []

    def add(rows: np.ndarray, act: str, when: Numbers, wrong: bool = False) -> None:
        acts.append((np.flatnonzero(rows), act, when[rows], wrong))

    add(registered, IA, began)
    divorced = (kind == DIVORCED) & (registered | (rng.random(count) < 0.4)) & (ended > day(1955))
    add(divorced, IB, ended)
    add((kind == ANNULLED) & registered, IX, ended)
    last = np.where(ended == NEVER, as_of - 5, ended)
    reissued = np.maximum(began + 400, day(1998)) + (
        rng.random(count) * (last - np.maximum(began + 400, day(1998)))
    ).astype(np.int64)
    add(
        (rng.random(count) < 0.06) & (last > np.maximum(began + 400, day(1998)) + 10) & (kind != ANNULLED),
        ICA,
        reissued,
    )
    again = ended + 60 + (rng.random(count) * np.maximum(as_of - 70 - ended, 1)).astype(np.int64)
    add(divorced & (rng.random(count) < 0.05) & (ended > day(1998)) & (again < as_of - 5), ICB, again)
    # One of the two records must be wrong: an act dated after a party's death.
    late = ended + rng.integers(20, 500, count)
    parted = (kind == SPOUSE_DIED) & (ended > day(year - 7)) & (late < as_of - 5)
    draw = rng.random(count)
    add(parted & (draw < 0.018), IB, late, True)
    add(parted & (draw > 0.988), ICA, late, True)
    add(parted & (draw > 0.5) & (draw < 0.503), IX, late, True)

    marriage = np.concatenate([rows for rows, *_ in acts])
    size = len(marriage)
    return Acts(
        marriage=marriage,
        kind=np.concatenate([np.full(len(rows), act, dtype=object) for rows, act, *_ in acts]),
        when=np.concatenate([when for _, _, when, _ in acts]),
        man=marriages.man[marriage],
        woman=marriages.woman[marriage],
        record=np.zeros(size, dtype=np.int64),
        man_sound=np.zeros(size, dtype=bool),
        woman_sound=np.zeros(size, dtype=bool),
        wrong=np.concatenate([np.full(len(rows), wrong) for rows, _, _, wrong in acts]),
    )


def _old_numbers(
    rng: np.random.Generator, clean: Text, birth: Numbers, when: Numbers, protect: np.ndarray
) -> tuple[Text, Text]:
    """What the paper before 2005 had for an identity number: often none, 15 digits, zeros and a birthday."""
    typed, damage = clean.copy(), np.full(len(clean), "", dtype=object)
    compact = numbers.as_yyyymmdd(birth).astype("U8").astype(object)
    draw = rng.random(len(clean))
    eighteen = np.array([len(number) == 18 for number in clean]) & ~protect & (when < day(2005))
    for rows, text, label in (
        (draw < 0.14, "0000000000" + compact, "placeholder"),
        ((draw >= 0.14) & (draw < 0.20), np.full(len(clean), "111111111111111", dtype=object), "placeholder"),
        ((draw >= 0.20) & (draw < 0.28), np.full(len(clean), "", dtype=object), "missing"),
    ):
        typed, damage = np.where(eighteen & rows, text, typed), np.where(eighteen & rows, label, damage)
    fifteen = eighteen & (draw >= 0.28) & (draw < 0.62) & (birth < day(2000)) & (birth >= day(1900))
    old = np.flatnonzero(fifteen)
    typed[old], damage[old] = numbers.to_fifteen(clean[old]), "fifteen"
    return typed, damage


def write_registrations(
    rng: np.random.Generator,
    people: People,
    marriages: Marriages,
    acts: Acts,
    protect: np.ndarray,
    chunk: int,
    chunks: int,
    as_of: int,
) -> tuple[Frame, list[Frame]]:
    """Rows of ``registration`` and the true mentions behind them; fills in ``acts.record`` and who is soundly named.

    ``protect`` marks marriages whose acts carry sound numbers.
    """
    count, when = len(acts.marriage), acts.when
    ident = np.arange(count) * chunks + chunk + 1
    acts.record = ident
    safe = protect[acts.marriage]
    managing = people.managing[np.where(rng.random(count) < 0.6, acts.man, acts.woman)]
    office = np.array(districts.MANAGING, dtype=object)[managing]
    zone_born = np.isin(office, districts.ZONES) & (when < day(2014))
    office[zone_born] = np.array([districts.ZONE_LANDS[code][0] for code in office[zone_born]], dtype=object)
    office_name = np.array([districts.NAMES[code] for code in office], dtype=object)
    for code, old in districts.RETIRED.items():
        office[(office == code) & (when < day(2002)) & (rng.random(count) < 0.8)] = old[0]
    letters = np.array([_LETTERS[kind] for kind in acts.kind], dtype=object)
    years = year_of(when)
    group = np.unique(
        np.char.add(np.char.add(letters.astype("U2"), office.astype("U6")), years.astype("U4")), return_inverse=True
    )[1]
    sequence = numbers.ranks_within(group) * chunks + chunk + 1
    padded = numbers.zero_padded(sequence, 6)
    modern = letters + office + "-" + years.astype("U4").astype(object) + "-" + padded
    free = (
        "("
        + (years % 100).astype("U2").astype(object)
        + ")成婚"
        + np.where(acts.kind == IB, "离", "结")
        + "字第"
        + office
        + padded
        + "号"
    )
    cert = np.where(years < 2010, free, modern)

    frame: Frame = {
        "id": ident,
        "op_type": acts.kind,
        "op_date": when,
        "cert_no": cert,
        "dept_code": office,
        "dept_name": office_name + "民政局婚姻登记处",
    }
    mentions = []
    older = np.zeros(count, dtype=bool)
    for side, other, sound_field in (("man", "woman", "man_sound"), ("woman", "man", "woman_sound")):
        person, partner = getattr(acts, side), getattr(acts, other)
        birth = people.birth[person]
        on_paper = when < day(2005)
        name, name_damage = dirt.damage_names(rng, people.name[person], rate=0.035)
        if on_paper.any():
            rows = np.flatnonzero(on_paper)
            worse, label = dirt.damage_names(rng, people.name[person[rows]], rate=0.07)
            name[rows], name_damage[rows] = worse, label
        own = people.number[person]
        carried = np.where((people.old_number[person] != "") & (when < day(2012)), people.old_number[person], own)
        from_paper, paper_damage = _old_numbers(rng, carried, birth, when, safe)
        number, damage = dirt.damage_numbers(
            rng,
            carried,
            people.number[partner],
            rates=dirt.NumberRates(missing=0.02, relative=0.004),
            protect=safe | (paper_damage != ""),
        )
        number, damage = (
            np.where(paper_damage != "", from_paper, number),
            np.where(paper_damage != "", paper_damage, damage),
        )
        foreign = people.document[person] != ""
        number = np.where(foreign, people.document[person], number)
        damage = np.where(foreign, "document", damage)
        setattr(acts, sound_field, dirt.is_sound_damage(damage) & ~foreign & (people.number[person] == carried))
        stated = birth + np.where(rng.random(count) < 0.008, rng.integers(-40, 40, count), 0)
        born = dirt.write_birthdays(rng, stated, "iiiiiiccsh")
        frame |= {
            f"name_{side}": name,
            f"cert_type_{side}": np.where(
                number == "", np.where(rng.random(count) < 0.5, "111", ""), people.document_type[person]
            ),
            f"cert_num_{side}": number,
            f"birth_{side}": np.where(rng.random(count) < np.where(on_paper, 0.12, 0.01), "", born),
            f"nation_{side}": people.nation[person],
            f"folk_{side}": people.folk[person],
            f"reg_addr_{side}": np.where(
                (rng.random(count) < 0.9) & (people.hukou[person] != ""), people.address[person], ""
            ),
            f"phone_{side}": np.where(
                when > day(2006), dirt.write_phones(rng, people.phone[person], people.second_phone[person]), ""
            ),
            f"marital_{side}": _status_before(marriages, acts, person),
        }
        told = np.where(name_damage != "", name_damage, damage)
        mentions.append(
            {
                "source_record_id": ident.astype("U12").astype(object),
                "role": np.full(count, side, dtype=object),
                "person_id": people.first_id + person,
                "damage": told,
            }
        )
        older |= on_paper
    reference = np.full(len(marriages), "", dtype=object)
    first = acts.kind == IA
    reference[acts.marriage[first]] = cert[first]
    frame["ref_cert_no"] = np.where(first | (rng.random(count) < 0.3), "", reference[acts.marriage])
    frame["remark"] = np.where(rng.random(count) < 0.02, "补录", "")
    noon = rng.integers(9 * 3600, 17 * 3600, count)
    keyed = np.where(older, day(2005) + rng.integers(0, 900, count), when)
    created = keyed * 86400.0 + noon
    bulk = np.array([day(2012, 6, 30), day(2018, 3, 12), day(2021, 1, 1), as_of - 200, as_of - 33]) * 86400.0 + 3600 * 2
    pick = bulk[rng.integers(0, len(bulk), count)]
    frame["created_at"] = created
    frame["updated_at"] = np.where(
        (rng.random(count) < 0.14) & (pick > created), pick, created + rng.integers(0, 1800, count)
    )
    return frame, mentions


def _status_before(marriages: Marriages, acts: Acts, person: Numbers) -> Text:
    """Marital status stated before the act: 10, 30, 40 for marriages, 20 for everything else but re-issued divorces."""
    begun = np.argsort(marriages.began, kind="stable")
    earlier: dict[int, list[int]] = {}
    for row in begun:
        for who in (int(marriages.man[row]), int(marriages.woman[row])):
            earlier.setdefault(who, []).append(int(row))
    kinds = {DIVORCED: "40", COURT_DIVORCED: "40", ANNULLED: "10", SPOUSE_DIED: "30", OPEN: "10"}
    result = np.full(len(person), "20", dtype=object)
    for row in np.flatnonzero(acts.kind == IA):
        history = earlier[int(person[row])]
        place = history.index(int(acts.marriage[row]))
        result[row] = kinds[int(marriages.end_kind[history[place - 1]])] if place else "10"
    result[acts.kind == ICB] = "40"
    return result
