"""The allowance silo: assisted households, their members and every payment of one year, as finance sections type them.

Rows carry the folder (district, month) they lie in; the files themselves are written elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from simulation import dirt, districts, numbers
from simulation.calendar import NEVER, birthday_after, day, first_day, iso_days, iso_months, month_of
from simulation.names import Numbers, Text, words
from simulation.people import ANNULLED, DIVORCED, NOBODY, OPEN, SPOUSE_DIED, Marriages, People
from simulation.tables import Frame

URBAN, RURAL_DIBAO, TEKUN, OLD_AGE, LIVING, NURSING, AID, FUNERAL, PRICE = range(9)
WORDS = np.array(
    words("城市低保 农村低保 特困供养 高龄津贴 困难残疾人生活补贴 重度残疾人护理补贴 临时救助 特困丧葬费 价格临时补贴"),
    dtype=object,
)
CODES = np.array(
    words(
        "dibao_urban dibao_rural tekun old_age_allowance disability_living disability_nursing "
        "temporary_aid tekun_funeral price_subsidy"
    ),
    dtype=object,
)
WHOLE, SINGLE = "整户保", "单人保"
QUARTERLY = ("510129", "510131")
ALONE, UNDECLARED, ONE_OF_COUPLE, FAMILY, SUPPORTED, MARGINAL, TWICE = range(7)
_MARITAL_WORDS = {"10": "未婚", "20": "已婚", "30": "丧偶", "40": "离婚", "90": ""}
_RELATION_CODES = {"户主": "02", "配偶": "10", "子": "20", "女": "30", "父": "51", "母": "52", "孙": "40", "其他": "97"}


@dataclass
class Plan:
    """Who is assisted how: households with members, and entitlements with first and last month of the year (0–11)."""

    head: Numbers
    kind: Numbers
    benefit: Numbers
    mode: Text
    district: Numbers
    start: Numbers
    end: Numbers
    member_household: Numbers
    member: Numbers
    relation: Text
    insured: np.ndarray
    member_end: Numbers
    declared: Text
    needed_marriages: np.ndarray
    needed_deaths: np.ndarray
    person: Numbers = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    person_benefit: Numbers = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    person_district: Numbers = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    person_start: Numbers = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    person_end: Numbers = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    grade: Numbers = field(default_factory=lambda: np.zeros(0, dtype=np.int64))


def marital_status(people: People, marriages: Marriages, when: int) -> tuple[Text, Numbers]:
    """True status (GB/T 2261.2) of everybody on a day, and the marriage behind it (index, NOBODY if none)."""
    status = np.full(len(people), "10", dtype=object)
    behind = np.full(len(people), NOBODY)
    for row in np.argsort(marriages.began, kind="stable"):
        if marriages.began[row] > when:
            continue
        kind = marriages.end_kind[row] if marriages.ended[row] != NEVER and marriages.ended[row] <= when else OPEN
        word = {OPEN: "20", SPOUSE_DIED: "30", ANNULLED: "10"}.get(int(kind), "40")
        for who in (marriages.man[row], marriages.woman[row]):
            status[who], behind[who] = word, row
    return status, behind


def last_months(
    rng: np.random.Generator, people: People, who: Numbers, year: int, lawless: float
) -> tuple[Numbers, Numbers]:
    """First and last month (0–11) a benefit is paid for each person: to the end, to the death, or too long after it.

    A person who died before the year gets months only where somebody went on paying; others are (0, -1).
    """
    begin = int(month_of(np.array([day(year)]))[0])
    dead = people.death[who] != NEVER
    month = np.where(dead, month_of(people.death[who]) - begin, 99)
    overlong = rng.random(len(who)) < lawless
    extra = np.where(overlong, rng.integers(1, 6, len(who)), np.where(rng.random(len(who)) < 0.15, -1, 0))
    end = np.where(dead, np.minimum(month + extra, 11), 11)
    end = np.where(~dead & (rng.random(len(who)) < 0.03), rng.integers(4, 11, len(who)), end)
    start = np.where(rng.random(len(who)) < 0.1, rng.integers(1, 8, len(who)), 0)
    start = np.where(dead, 0, start)
    return start, end


def plan_assistance(rng: np.random.Generator, people: People, marriages: Marriages, year: int, as_of: int) -> Plan:
    """Choose the assisted households and persons of one chunk, lawful lives and unlawful ones."""
    size = len(people)
    opening = day(year)
    age = (opening - people.birth) // 365
    status, behind = marital_status(people, marriages, opening)
    now, behind_now = marital_status(people, marriages, as_of)
    steady = (status == now) & (behind == behind_now)
    recent = (people.death == NEVER) | (people.death > opening - 80)
    local = (
        (people.document_type == "111")
        & (people.number != "")
        & recent
        & (age >= 25)
        & np.isin(people.hukou, districts.STATUTORY)
    )
    used = np.zeros(size, dtype=bool)
    needed, deaths = np.zeros(len(marriages), dtype=bool), np.zeros(size, dtype=bool)

    def choose(mask: np.ndarray, share: float) -> Numbers:
        pool = np.flatnonzero(mask & ~used)
        chosen = np.sort(pool[rng.permutation(len(pool))[: max(int(size * share), 1)]])
        used[chosen] = True
        return chosen

    fresh = np.flatnonzero(
        (marriages.end_kind == OPEN) & (marriages.began < day(year, 9)) & (marriages.began > day(year - 12))
    )
    side = np.where(rng.random(len(fresh)) < 0.5, marriages.man[fresh], marriages.woman[fresh])
    newly = np.zeros(size, dtype=bool)
    newly[side] = True
    second = people.partner[side] != np.where(
        side == marriages.man[fresh], marriages.woman[fresh], marriages.man[fresh]
    )
    newly[side[~second & (rng.random(len(side)) < 0.6)]] = False
    undeclared = choose(newly & local & (age < 75) & (now == "20"), 0.005)
    used[
        np.where(
            undeclared == marriages.man[behind_now[undeclared]],
            marriages.woman[behind_now[undeclared]],
            marriages.man[behind_now[undeclared]],
        )
    ] = True
    needed[behind_now[undeclared]] = True
    supported = choose(local & steady & (status == "10") & (age >= 60), 0.007)
    never = choose(local & steady & (status == "10") & (age < 76), 0.006)
    parted = np.isin(marriages.end_kind, (DIVORCED,))
    divorced = choose(local & steady & (status == "40") & (behind >= 0) & parted[behind] & (age < 76), 0.003)
    needed[behind[divorced]] = True
    spouse = np.where(
        behind >= 0,
        np.where(marriages.man[behind] == np.arange(size), marriages.woman[behind], marriages.man[behind]),
        NOBODY,
    )
    buried = (spouse >= 0) & (people.death[spouse] > day(year - 6)) & (people.death[spouse] < opening)
    widowed = choose(local & steady & (status == "30") & buried, 0.005)
    needed[behind[widowed]] = True
    deaths[spouse[widowed]] = True
    couple = choose(local & steady & (status == "20") & (age < 80), 0.003)
    needed[behind[couple]] = True
    old_couple = local & (people.generation == 0) & (status == "20") & (people.sex == 1) & (people.partner >= 0)
    last_year = np.zeros(size, dtype=bool)
    for one in (np.arange(size), people.partner):
        last_year |= (people.death[one] > opening) & (people.death[one] < opening + 210)
    elders = np.sort(np.concatenate([choose(old_couple & last_year, 0.003), choose(old_couple & ~last_year, 0.004)]))
    needed[behind[elders]] = True
    deaths[elders], deaths[spouse[elders]] = True, True
    used[spouse[elders]] = True
    parents = choose(
        local & steady & (people.generation == 1) & (status == "20") & (people.partner >= 0) & (age < 60), 0.004
    )
    used[spouse[parents]] = True
    marginal = choose(local & steady & (status == "20") & (people.generation == 1), 0.001)
    twice = never[rng.random(len(never)) < 0.1]

    head = np.concatenate([undeclared, never, divorced, widowed, couple, elders, parents, supported, marginal, twice])
    sizes = [
        len(undeclared),
        len(never) + len(divorced) + len(widowed),
        len(couple),
        len(elders) + len(parents),
        len(supported),
        len(marginal),
        len(twice),
    ]
    kind = np.repeat([UNDECLARED, ALONE, ONE_OF_COUPLE, FAMILY, SUPPORTED, MARGINAL, TWICE], sizes)
    district = people.managing[head]
    away = kind == TWICE
    district[away] = (district[away] + 1 + rng.integers(0, len(districts.STATUTORY) - 2, int(away.sum()))) % len(
        districts.STATUTORY
    )
    countryside = np.array([code in districts.RURAL for code in districts.MANAGING])[people.managing[head]]
    benefit = np.where(kind == SUPPORTED, TEKUN, np.where(countryside, RURAL_DIBAO, URBAN))
    start, end = last_months(rng, people, head, year, 0.4)
    family = kind == FAMILY
    gone = people.death[head] != NEVER
    lingering = np.where(rng.random(len(head)) < 0.5, rng.integers(4, 8, len(head)), rng.integers(0, 4, len(head)))
    begin = int(month_of(np.array([opening]))[0])
    end = np.where(
        family & gone, np.minimum(month_of(people.death[head]) - begin + lingering, 11), np.where(family, 11, end)
    )
    start = np.where(away, 2 + rng.integers(0, 5, len(head)), start)
    end = np.where(away, np.minimum(start + rng.integers(0, 4, len(head)), end), end)
    wedding = np.where(behind_now[head] >= 0, month_of(marriages.began[behind_now[head]]) - begin + 1, 0)
    late = (kind == UNDECLARED) & (wedding > 0)
    end = np.where(late, 11, end)
    start = np.where(late, 0, start)
    mode = np.where(kind == ONE_OF_COUPLE, SINGLE, WHOLE).astype(object)

    owner, member, relation, member_end = (
        [np.arange(len(head))],
        [head],
        [np.full(len(head), "户主", dtype=object)],
        [end],
    )
    rows = np.flatnonzero(family | (kind == MARGINAL))
    mates = spouse[head[rows]]
    paired = mates >= 0
    leave = np.where(people.death[mates] == NEVER, 11, month_of(people.death[mates]) - begin)
    stays_on = np.where(rng.random(len(rows)) < 0.55, rng.integers(4, 9, len(rows)), rng.integers(0, 4, len(rows)))
    leave = np.where(people.death[mates] == NEVER, 11, leave + stays_on)
    owner.append(rows[paired])
    member.append(mates[paired])
    relation.append(np.full(int(paired.sum()), "配偶", dtype=object))
    member_end.append(np.minimum(leave, end[rows])[paired])
    household_of = np.full(size, NOBODY)
    household_of[head[rows]] = rows
    for parent in (people.father, people.mother):
        kids = np.flatnonzero((parent >= 0) & (people.generation == 2) & (age < 24) & (people.death == NEVER))
        kids = kids[household_of[parent[kids]] >= 0]
        owner.append(household_of[parent[kids]])
        member.append(kids)
        relation.append(np.where(people.sex[kids] == 1, "子", "女").astype(object))
        member_end.append(end[household_of[parent[kids]]])
    members = np.concatenate(member)
    lawful_status = status[members].copy()
    own = np.concatenate(owner)
    hiding = kind[own] == UNDECLARED
    lawful_status[hiding] = np.where(rng.random(int(hiding.sum())) < 0.7, "10", "40")
    slip = rng.random(len(members)) < 0.02
    lawful_status[slip] = rng.choice(np.array(["10", "20", "40", "90"], dtype=object), int(slip.sum()))
    lawful_status[(age[members] < 20)] = "10"
    is_head = np.concatenate(relation) == "户主"
    insured = is_head | (rng.random(len(members)) < 0.93)
    plan = Plan(
        head=head,
        kind=kind,
        benefit=benefit,
        mode=mode,
        district=district,
        start=start,
        end=end,
        member_household=own,
        member=members,
        relation=np.concatenate(relation),
        insured=insured,
        member_end=np.concatenate(member_end),
        declared=lawful_status,
        needed_marriages=needed,
        needed_deaths=deaths,
    )
    _entitle(rng, people, plan, used, supported, year, as_of)
    return plan


def _entitle(
    rng: np.random.Generator, people: People, plan: Plan, used: np.ndarray, supported: Numbers, year: int, as_of: int
) -> None:
    """Person benefits: allowance of the very old, the two disability subsidies, temporary aid; some of them twice."""
    size, opening = len(people), day(year)
    begin = int(month_of(np.array([opening]))[0])
    age = (opening - people.birth) // 365
    recent = ((people.death == NEVER) | (people.death > opening - 120)) & (people.number != "")
    local = np.isin(people.hukou, districts.STATUTORY)
    turning = month_of(birthday_after(people.birth, 80)) - begin
    parts: list[tuple[Numbers, int, Numbers, Numbers, Numbers]] = []

    old = np.flatnonzero(recent & local & (turning <= 11) & (rng.random(size) < 0.9))
    start, end = last_months(rng, people, old, year, 0.5)
    delay = np.where(
        rng.random(len(old)) < 0.12, -rng.integers(1, 4, len(old)), np.where(rng.random(len(old)) < 0.3, 1, 0)
    )
    start = np.maximum(
        np.where(turning[old] > -2, turning[old] + delay, np.where(rng.random(len(old)) < 0.97, 0, start)), 0
    )
    parts.append((old, OLD_AGE, people.managing[old], start, end))
    disabled = np.flatnonzero(
        recent & local & (age > 5) & (age < 80) & ~np.isin(np.arange(size), supported) & (rng.random(size) < 0.035)
    )
    plan.grade = np.zeros(size, dtype=np.int64)
    plan.grade[disabled] = rng.integers(1, 5, len(disabled))
    for benefit, share in ((LIVING, 0.6), (NURSING, 0.5)):
        chosen = disabled[rng.random(len(disabled)) < share]
        start, end = last_months(rng, people, chosen, year, 0.45)
        parts.append((chosen, benefit, people.managing[chosen], start, end))
    both = supported[(rng.random(len(supported)) < 0.16) & (people.death[supported] == NEVER)]
    plan.grade[both] = 1
    start = rng.integers(0, 6, len(both))
    chosen_benefit = np.where(rng.random(len(both)) < 0.5, LIVING, NURSING)
    for benefit in (LIVING, NURSING):
        rows = chosen_benefit == benefit
        parts.append((both[rows], benefit, people.managing[both[rows]], start[rows], np.minimum(start + 4, 11)[rows]))
    # Paid in two districts at once, or lawfully handed over from one to the other.
    for source in range(3):
        who, benefit, where, start, end = parts[source]
        steady = (people.death[who] == NEVER) & (end - start > 5)
        double = np.flatnonzero(steady & (rng.random(len(who)) < (0.04, 0.08, 0.08)[source]))
        other = (where[double] + 1 + rng.integers(0, len(districts.STATUTORY) - 2, len(double))) % len(
            districts.STATUTORY
        )
        since = start[double] + rng.integers(0, 4, len(double))
        parts.append(
            (who[double], benefit, other, since, np.minimum(since + rng.integers(0, 5, len(double)), end[double]))
        )
        moved = np.setdiff1d(np.flatnonzero(steady & (rng.random(len(who)) < 0.03)), double)
        since = start[moved] + rng.integers(2, 5, len(moved))
        other = (where[moved] + 1 + rng.integers(0, len(districts.STATUTORY) - 2, len(moved))) % len(
            districts.STATUTORY
        )
        parts.append((who[moved], benefit, other, since, end[moved].copy()))
        end[moved] = since - 1
    needy = np.flatnonzero(
        people.alive_on(as_of) & local & (age > 20) & (people.number != "") & (rng.random(size) < 0.01)
    )
    month = rng.integers(0, 12, len(needy))
    parts.append((needy, AID, people.managing[needy], month, month))
    plan.person = np.concatenate([part[0] for part in parts])
    plan.person_benefit = np.concatenate([np.full(len(part[0]), part[1]) for part in parts])
    plan.person_district, plan.person_start, plan.person_end = (
        np.concatenate([part[k] for part in parts]) for k in (2, 3, 4)
    )


@dataclass
class Paid:
    """Every payment row: whose, for what, where, when; and what became of it."""

    person: Numbers
    household: Numbers
    benefit: Numbers
    district: Text
    folder: Numbers
    first: Numbers
    months: Numbers
    fen: Numbers
    payment_no: Text
    counts: np.ndarray
    record: Text
    name: Text
    number: Text
    account: Text
    # Whether the payee can be told: by the number typed, or by the household that is paid.
    sound: np.ndarray


@dataclass
class Rosters:
    """What one office keeps of each recipient and copies every month: name and number with their damages."""

    name: Text
    number: Text
    damage: Text


def _roster(rng: np.random.Generator, people: People, who: Numbers, missing: float, protect: np.ndarray) -> Rosters:
    name, name_damage = dirt.damage_names(rng, people.name[who], rate=0.022, droppable=False)
    partner = people.partner[who]
    relative = np.where(partner >= 0, people.number[partner], "")
    carried = np.where(people.old_number[who] != "", people.old_number[who], people.number[who])
    number, damage = dirt.damage_numbers(
        rng,
        carried,
        relative,
        rates=dirt.NumberRates(missing=missing, digit=0.004, swap=0.002, cut=0.001, placeholder=0.002, relative=0.003),
        protect=protect,
    )
    return Rosters(name, number, np.where(name_damage != "", name_damage, damage))


def _copied(rng: np.random.Generator, roster: Rosters, rows: Numbers) -> tuple[Text, Text, Text]:
    """Names, numbers and damages of monthly rows copied from a roster, with the month's own slips."""
    name, number, damage = roster.name[rows], roster.number[rows], roster.damage[rows].copy()
    fresh, label = dirt.damage_names(rng, name, rate=0.004, padded=0.01, droppable=False)
    rates = dirt.NumberRates(
        missing=0.012,
        digit=0.002,
        swap=0.0008,
        cut=0.0005,
        placeholder=0.0008,
        relative=0.0,
        excel=0.006,
        fifteen=0.0,
        spaced=0.004,
    )
    slipped, wrong = dirt.damage_numbers(rng, number, number, rates=rates)
    damage = np.where(wrong != "", wrong, damage)
    return fresh, slipped, np.where(label != "", label, damage)


def write_households(
    rng: np.random.Generator,
    people: People,
    plan: Plan,
    protect: np.ndarray,
    year: int,
    first_uid: int,
    chunk: int,
    chunks: int,
) -> tuple[Frame, Frame, list[Frame], Text, Frame, Rosters]:
    """Household and member rows of twelve months, true mentions, household numbers, accepted member months, rosters."""
    count = len(plan.head)
    code = np.array(districts.MANAGING, dtype=object)[plan.district]
    letter = np.array(["C", "N", "T"], dtype=object)[plan.benefit]
    serial = numbers.ranks_within(plan.district) * chunks + chunk + 1
    household_no = letter + code + numbers.zero_padded(serial, 5)
    roster = _roster(rng, people, plan.member, 0.03, protect[plan.member])
    head_row = np.flatnonzero(plan.relation == "户主")
    approved = month_of(np.array([day(year)]))[0] + plan.start - rng.integers(0, 90, count) * (plan.start == 0)

    span = np.maximum(plan.end - plan.start + 1, 0)
    owner = np.repeat(np.arange(count), span)
    month = np.repeat(plan.start, span) + np.arange(len(owner)) - np.repeat(np.cumsum(span) - span, span)
    yyyymm = (year * 100 + 1 + np.arange(12)).astype("U6").astype(object)
    present = (plan.member_end >= plan.start[plan.member_household]) & plan.insured
    insured_count = np.zeros((count, 12), dtype=np.int64)
    for when in range(12):
        np.add.at(insured_count[:, when], plan.member_household[present & (plan.member_end >= when)], 1)
    name, number, damage = _copied(rng, roster, head_row[owner])
    typed = np.array(["城市低保", "农村低保", "特困分散"], dtype=object)[plan.benefit]
    typed = np.where((plan.kind == SUPPORTED) & (rng.random(count) < 0.35), "特困集中", typed)
    typed = np.where(plan.kind == MARGINAL, "低保边缘", typed)
    word = typed[owner]
    unknown = (rng.random(len(owner)) < 0.0008) & (plan.kind[owner] == MARGINAL) | (rng.random(len(owner)) < 0.0004) & (
        plan.kind[owner] == ONE_OF_COUPLE
    )
    word = np.where(unknown, "低收入户", word)
    empty = np.full(count, "", dtype=object)
    phone = dirt.write_phones(rng, people.phone[plan.head], empty)
    household: Frame = {
        "row_uid": first_uid + np.arange(len(owner)),
        "district": code[owner],
        "month": yyyymm[month],
        "household_no": household_no[owner],
        "benefit": word,
        "mode": plan.mode[owner],
        "head_name": name,
        "head_id_no": number,
        "insured_count": insured_count[owner, month].astype("U3").astype(object),
        "approved_from": iso_months(approved)[owner],
        "address": people.address[plan.head][owner],
        "phone": phone[owner],
    }
    known = ~unknown
    mentions = [_file_mentions("household", household, "head", people.first_id + plan.head[owner], damage, known)]
    household["unknown"] = unknown

    first, last = plan.start[plan.member_household], plan.member_end
    span = np.maximum(last - first + 1, 0)
    row = np.repeat(np.arange(len(plan.member)), span)
    when = np.repeat(first, span) + np.arange(len(row)) - np.repeat(np.cumsum(span) - span, span)
    by_household = np.lexsort((plan.member_household[row], when))
    row, when = row[by_household], when[by_household]
    of = plan.member_household[row]
    name, number, damage = _copied(rng, roster, row)
    style = rng.integers(0, 3, len(districts.MANAGING))[plan.district[of]]
    coded = style == 1
    relation = plan.relation[row]
    marital = plan.declared[row]
    certificate = np.where(
        (plan.grade[plan.member[row]] > 0) & (people.number[plan.member[row]] != ""),
        people.number[plan.member[row]] + "4" + plan.grade[plan.member[row]].astype("U1").astype(object),
        "",
    )
    member: Frame = {
        "row_uid": first_uid + np.arange(len(row)),
        "district": code[of],
        "month": yyyymm[when],
        "household_no": household_no[of],
        "name": name,
        "id_no": number,
        "relation": np.where(coded, np.array([_RELATION_CODES[word] for word in relation], dtype=object), relation),
        "marital": np.where(coded, marital, np.array([_MARITAL_WORDS[key] for key in marital], dtype=object)),
        "insured": np.where(
            plan.insured[row],
            np.array(["是", "1", "Y"], dtype=object)[style],
            np.array(["否", "0", "N"], dtype=object)[style],
        ),
        "disability_cert_no": certificate,
    }
    mentions.append(
        _file_mentions(
            "member", member, "member", people.first_id + plan.member[row], damage, np.ones(len(row), dtype=bool)
        )
    )
    months: Frame = {
        "household": of,
        "person": plan.member[row],
        "month": when,
        "insured": plan.insured[row],
        "declared": marital,
    }
    return household, member, mentions, household_no, months, roster


def _file_mentions(kind: str, frame: Frame, role: str, person: Numbers, damage: Text, rows: np.ndarray) -> Frame:
    count = int(rows.sum())
    return {
        "kind": np.full(count, kind, dtype=object),
        "district": frame["district"][rows],
        "month": frame["month"][rows],
        "row_uid": frame["row_uid"][rows],
        "role": np.full(count, role, dtype=object),
        "person_id": person[rows],
        "damage": damage[rows],
    }


def _monthly_fen(rng: np.random.Generator, benefit: Numbers, age: Numbers, insured: Numbers) -> Numbers:
    """What one month of a benefit pays, in fen."""
    count = len(benefit)
    dibao = insured * 68000 - rng.integers(0, 60, count) * 500 - rng.integers(0, 2, count) * 50
    old = np.where(age >= 100, 50000, np.where(age >= 90, 20000, 10000))
    aid = rng.integers(5, 60, count) * 10000
    rate = np.select(
        [benefit <= RURAL_DIBAO, benefit == TEKUN, benefit == OLD_AGE, benefit == LIVING, benefit == NURSING],
        [dibao, 132600 + rng.integers(0, 3, count) * 20050, old, 15000, 10000],
        aid,
    )
    return np.asarray(rate.astype(np.int64))


def write_payments(
    rng: np.random.Generator,
    people: People,
    plan: Plan,
    household_no: Text,
    households: Rosters,
    protect: np.ndarray,
    year: int,
    first_uid: int,
    chunk: int,
    chunks: int,
) -> tuple[Frame, list[Frame], Paid, dict[str, int]]:
    """Payment rows of twelve folders, true mentions, what was truly paid, and how many rows no contract can accept."""
    begin = int(month_of(np.array([day(year)]))[0])
    paying = np.flatnonzero(plan.kind != MARGINAL)
    head_row = np.flatnonzero(plan.relation == "户主")
    person = np.concatenate([plan.head[paying], plan.person])
    household = np.concatenate([paying, np.full(len(plan.person), NOBODY)])
    benefit = np.concatenate([plan.benefit[paying], plan.person_benefit])
    district = np.concatenate([plan.district[paying], plan.person_district])
    start = np.concatenate([plan.start[paying], plan.person_start])
    end = np.concatenate([plan.end[paying], plan.person_end])
    insured = np.bincount(plan.member_household[plan.insured], minlength=len(plan.head))
    insured_of = np.where(household >= 0, insured[household], 1)
    rate = _monthly_fen(rng, benefit, (day(year) - people.birth[person]) // 365, np.minimum(insured_of, 5))
    own = _roster(rng, people, plan.person, 0.03, protect[plan.person])
    name = np.concatenate([households.name[head_row[paying]], own.name])
    number = np.concatenate([households.number[head_row[paying]], own.number])
    label = np.concatenate([households.damage[head_row[paying]], own.damage])
    roster = Rosters(name, number, label)

    codes = np.array(districts.MANAGING, dtype=object)
    quarterly = np.isin(codes[district], QUARTERLY) & (benefit == OLD_AGE)
    rows: list[tuple[Numbers, Numbers, Numbers, Numbers]] = []
    monthly = np.flatnonzero(~quarterly)
    span = np.maximum(end[monthly] - start[monthly] + 1, 0)
    entry = np.repeat(monthly, span)
    month = np.repeat(start[monthly], span) + np.arange(len(entry)) - np.repeat(np.cumsum(span) - span, span)
    ones = np.ones(len(entry), dtype=np.int64)
    folder, first, months = month.copy(), month.copy(), ones
    # Back-pay: one month is left out and comes with the next; the last month of the dead comes a month or two late.
    joined = np.flatnonzero(np.r_[entry[1:] == entry[:-1], False] & (rng.random(len(entry)) < 0.006))
    joined = joined[np.r_[True, np.diff(joined) > 1]] if len(joined) else joined
    first[joined + 1], months[joined + 1] = month[joined], 2
    gone = people.death[person[entry]] != NEVER
    tail = np.r_[entry[1:] != entry[:-1], True] if len(entry) else np.zeros(0, dtype=bool)
    late = gone & tail & (rng.random(len(entry)) < 0.15)
    folder = np.where(late, np.minimum(folder + rng.integers(1, 3, len(entry)), 11), folder)
    keep = np.ones(len(entry), dtype=bool)
    keep[joined] = False
    rows.append((entry[keep], folder[keep], first[keep], months[keep]))
    for quarter in range(4):
        low, high = np.maximum(start, 3 * quarter), np.minimum(end, 3 * quarter + 2)
        covered = np.flatnonzero(quarterly & (low <= high))
        rows.append((covered, np.full(len(covered), 3 * quarter + 2), low[covered], (high - low + 1)[covered]))
    entry, folder, first, months = (np.concatenate([part[k] for part in rows]) for k in range(4))
    fen = rate[entry] * months + np.where(
        (months > 1) & (rng.random(len(entry)) < 0.3), rng.integers(1, 90, len(entry)), 0
    )
    kind = benefit[entry]

    # Price subsidies in two months, funeral costs of the supported: lawful after a death.
    extra_entry, extra_folder, extra_kind, extra_fen = [], [], [], []
    assisted = np.flatnonzero((household >= 0) & (start <= end))
    for subsidy_month in (1, 8):
        got = assisted[(start[assisted] <= subsidy_month) & (end[assisted] + 2 >= subsidy_month)]
        extra_entry.append(got)
        extra_folder.append(np.full(len(got), subsidy_month))
        extra_kind.append(np.full(len(got), PRICE))
        extra_fen.append(np.full(len(got), 4500) * np.minimum(insured_of[got], 5))
    buried = assisted[(benefit[assisted] == TEKUN) & (people.death[person[assisted]] != NEVER)]
    later = month_of(people.death[person[buried]]) - begin + 1
    buried, later = buried[(later >= 0) & (later < 12)], later[(later >= 0) & (later < 12)]
    extra_entry.append(buried)
    extra_folder.append(later)
    extra_kind.append(np.full(len(buried), FUNERAL))
    extra_fen.append(np.full(len(buried), 680000))
    plain = len(entry)
    entry = np.concatenate([entry, *extra_entry])
    folder, first = np.concatenate([folder, *extra_folder]), np.concatenate([first, *extra_folder])
    months = np.concatenate([months, np.ones(len(entry) - plain, dtype=np.int64)])
    kind, fen = np.concatenate([kind, *extra_kind]), np.concatenate([fen, *extra_fen])

    order = np.lexsort((entry, district[entry], folder))
    entry, folder, first, months, kind, fen = (values[order] for values in (entry, folder, first, months, kind, fen))
    count = len(entry)
    where = codes[district[entry]]
    yyyymm = (year * 100 + 1 + np.arange(12)).astype("U6").astype(object)
    serial = numbers.ranks_within(district[entry] * 12 + folder) * chunks + chunk + 1
    payment_no = where + yyyymm[folder] + numbers.zero_padded(serial, 6)
    draw = rng.random(count)
    failed = draw < 0.012
    spoilt = np.where(failed, 0, np.where(draw < 0.0128, 1, np.where(draw < 0.0136, 2, np.where(draw < 0.0142, 3, 0))))
    resent = failed & (rng.random(count) < 0.8) & (folder < 11)
    zone = np.isin(where, districts.ZONES) & ~failed & (spoilt == 0) & (rng.random(count) < 0.3)
    again, doubled = np.flatnonzero(resent), np.flatnonzero(zone)
    hukou = people.hukou[person[entry[doubled]]]
    partner = np.array(
        [
            land if land in districts.ZONE_LANDS[code] else districts.ZONE_LANDS[code][0]
            for code, land in zip(where[doubled], hukou, strict=True)
        ],
        dtype=object,
    )
    source = np.concatenate([np.arange(count), again, doubled])
    total = len(source)
    place = np.concatenate([where, where[again], partner])
    when = np.concatenate([folder, np.minimum(folder[again] + rng.integers(1, 3, len(again)), 11), folder[doubled]])
    is_failed = np.concatenate([failed, np.zeros(total - count, dtype=bool)])
    superseded = np.concatenate([resent, np.zeros(total - count, dtype=bool)])
    spoilt = np.concatenate([spoilt, np.zeros(total - count, dtype=np.int64)])
    is_double = np.arange(total) >= count + len(again)

    name, number, damage = _copied(rng, roster, entry)
    account = people.account[person[entry]]
    paid_day = first_day(begin + when) + 8 + district[entry[source]] % 14
    amount = (fen // 100).astype("U9").astype(object) + "." + numbers.zero_padded(fen % 100, 2)
    frame: Frame = {
        "row_uid": first_uid + np.arange(total),
        "district": place,
        "month": yyyymm[when],
        "payment_no": np.where(spoilt == 3, "", payment_no[source]),
        "benefit": np.where(spoilt == 2, "爱心券", WORDS[kind[source]]),
        "household_no": np.where(household[entry[source]] >= 0, household_no[household[entry[source]]], ""),
        "payee_name": name[source],
        "payee_id_no": number[source],
        "bank_account": np.where(rng.random(count) < 0.02, "", account)[source],
        "period_from": iso_months(begin + first)[source],
        "months": np.where((months == 1) & (rng.random(count) < 0.3), "", months.astype("U3").astype(object))[source],
        "amount": np.where(spoilt == 1, "待定", amount[source]),
        "paid_on": iso_days(paid_day),
        "status": np.where(
            is_failed,
            np.where(rng.random(total) < 0.5, "失败", "失败(退回)"),
            np.where(rng.random(total) < 0.7, "成功", ""),
        ),
    }
    record = place + f"/{year}/" + frame["payment_no"]
    counted = (spoilt == 0) & ~superseded
    mentions: list[Frame] = [
        {
            "source_record_id": record[counted],
            "role": np.full(int(counted.sum()), "payee", dtype=object),
            "person_id": people.first_id + person[entry[source]][counted],
            "damage": damage[source][counted],
        }
    ]
    paid = Paid(
        person=person[entry[source]],
        household=household[entry[source]],
        benefit=kind[source],
        district=place,
        folder=when,
        first=begin + first[source],
        months=months[source],
        fen=fen[source],
        payment_no=payment_no[source],
        counts=counted & ~is_failed & ~is_double,
        record=record,
        name=name[source],
        number=number[source],
        account=frame["bank_account"],
        sound=dirt.is_sound_damage(damage[source]) | (household[entry[source]] >= 0),
    )
    return frame, mentions, paid, {"payment": int((spoilt > 0).sum())}


def covered_months(paid: Paid) -> Frame:
    """What was truly paid, one row per payment and month covered: equal parts to the fen, the remainder on the last."""
    rows = np.flatnonzero(paid.counts)
    source = np.repeat(rows, paid.months[rows])
    step = np.arange(len(source)) - np.repeat(np.cumsum(paid.months[rows]) - paid.months[rows], paid.months[rows])
    part = paid.fen[source] // paid.months[source]
    last = step == paid.months[source] - 1
    return {
        "person": paid.person[source],
        "household": paid.household[source],
        "benefit": paid.benefit[source],
        "district": paid.district[source],
        "month": paid.first[source] + step,
        "folder": paid.folder[source],
        "fen": np.where(last, paid.fen[source] - part * (paid.months[source] - 1), part),
        "record": paid.record[source],
        "sound": paid.sound[source],
    }
