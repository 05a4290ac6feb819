"""The true answer: what an all-knowing caseworker would find in the records of one chunk, rule by rule.

It shares no code with the pipeline: plain Python over events, one function per rule of the catalogue. What counts is
what the *records* can show; a finding whose proof hangs on an unsound number is listed with ``certain`` false.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from simulation import allowance as paying
from simulation import districts
from simulation.allowance import Paid, Plan, covered_months
from simulation.calendar import NEVER, birthday_after, day, first_day, month_of
from simulation.cremations import DeathRecords
from simulation.eldercare import Care
from simulation.names import Numbers, Text
from simulation.numbers import is_sound
from simulation.people import Marriages, People
from simulation.registrations import IA, IB, ICA, ICB, IX, Acts
from simulation.tables import Frame

RECHECK_MONTHS = 3
LATE_ENTRY_DAYS = 14
CLAIM_MONTHS = 3
DIBAO = (paying.URBAN, paying.RURAL_DIBAO)
PERSONAL = (paying.OLD_AGE, paying.LIVING, paying.NURSING)


@dataclass
class Evidence:
    """Everything about one chunk that its records were written from."""

    people: People
    marriages: Marriages
    acts: Acts
    deaths: DeathRecords
    plan: Plan
    household: Frame
    household_no: Text
    member_months: Frame
    paid: Paid
    care: Care
    mistaken: Numbers


@dataclass(frozen=True)
class Case:
    """One month, week or day of one case; consecutive ones become one finding."""

    rule: str
    person: int
    household: int
    place: int
    fen: int = 0
    certain: bool = True


@dataclass(frozen=True)
class Span:
    """A finding or a lawful exception: first and last day."""

    rule: str
    person: int
    household: int
    first: int
    last: int
    fen: int = 0
    certain: bool = True
    reason: str = ""


def join_months(cases: list[Case]) -> list[Span]:
    """Consecutive months (since January 1970) of one case as one span, amounts added up, uncertain if any month is."""
    return _join(cases, lambda first, last: (_day_of(first), _day_of(last + 1) - 1))


def join_weeks(cases: list[Case]) -> list[Span]:
    """Consecutive weeks of one case, each given by its Monday divided by seven."""
    return _join(cases, lambda first, last: (first * 7 + _MONDAY, last * 7 + _MONDAY + 6))


_MONDAY = -3  # 1969-12-29 was a Monday


def _day_of(month: int) -> int:
    return int(first_day(np.array([month]))[0])


def _join(cases: list[Case], days_of: Callable[[int, int], tuple[int, int]]) -> list[Span]:
    grouped: dict[tuple[str, int, int], dict[int, list[Case]]] = defaultdict(lambda: defaultdict(list))
    for case in cases:
        grouped[case.rule, case.person, case.household][case.place].append(case)
    spans = []
    for (rule, person, household), places in grouped.items():
        run: list[int] = []
        for place in [*sorted(places), None]:
            if run and (place is None or place != run[-1] + 1):
                members = [case for spot in run for case in places[spot]]
                first, last = days_of(run[0], run[-1])
                total, certain = sum(case.fen for case in members), all(case.certain for case in members)
                spans.append(Span(rule, person, household, first, last, total, certain))
                run = []
            if place is not None:
                run.append(place)
    return spans


def answer(evidence: Evidence, year: int, as_of: int) -> dict[str, Frame]:
    """Frames of the truth for one chunk: people, deaths, benefit months, findings, lawful exceptions."""
    people, covered = evidence.people, covered_months(evidence.paid)
    keys = _household_keys(evidence)
    spans = find_all(evidence, covered, year, as_of)
    lawful = lawful_exceptions(evidence, covered, spans, year)

    def ids(rows: list[int]) -> np.ndarray:
        return np.array([people.first_id + row if row >= 0 else -1 for row in rows], dtype=np.int64)

    def key_of(rows: list[int]) -> np.ndarray:
        return np.array([keys[row] if row >= 0 else "" for row in rows] + [""], dtype=object)[:-1]

    def periods(items: list[Span]) -> Frame:
        return {
            "rule": np.array([item.rule for item in items] + [""], dtype=object)[:-1],
            "person_id": ids([item.person for item in items]),
            "household_key": key_of([item.household for item in items]),
            "period_from": np.array([item.first for item in items], dtype=np.int64),
            "period_to": np.array([item.last for item in items], dtype=np.int64),
        }

    dead = np.flatnonzero(people.death != NEVER)
    deaths = evidence.deaths
    return {
        "people": {
            "person_id": people.person_id,
            "sex": np.where(people.sex == 1, "male", "female").astype(object),
            "birth_date": people.birth,
            "id_no": people.number,
        },
        "deaths": {
            "person_id": people.first_id + dead,
            "death_date": people.death[dead],
            "is_recorded": deaths.is_recorded[dead],
            "is_certain": deaths.is_certain[dead],
            "cert_id": deaths.cert_id[dead],
        },
        "benefit_months": {
            "person_id": people.first_id + covered["person"],
            "household_key": key_of(covered["household"].tolist()),
            "benefit": paying.CODES[covered["benefit"]],
            "benefit_month": first_day(covered["month"]),
            "managing_district": covered["district"],
            "amount_yuan": covered["fen"],
            "source_record_id": covered["record"],
        },
        "findings": periods(spans)
        | {
            "amount_yuan": np.array([span.fen for span in spans], dtype=np.int64),
            "certain": np.array([span.certain for span in spans], dtype=bool),
        },
        "lawful": periods(lawful) | {"reason": np.array([span.reason for span in lawful] + [""], dtype=object)[:-1]},
    }


def _household_keys(evidence: Evidence) -> list[str]:
    codes = np.array(districts.MANAGING, dtype=object)[evidence.plan.district]
    return [f"{code}/{number}" for code, number in zip(codes, evidence.household_no, strict=True)]


def find_all(evidence: Evidence, covered: Frame, year: int, as_of: int) -> list[Span]:
    """Findings of every rule."""
    months = benefit_after_death(evidence, covered, year) + dead_member_insured(evidence, covered, year)
    months += same_benefit_two_districts(covered) + exclusive_benefits(covered) + underage_allowance(evidence, covered)
    months += undeclared_marriage(evidence, covered, year)
    spans = join_months(months) + join_weeks(weekly_visit_missed(evidence, year, as_of))
    spans += after_death_in_care(evidence, as_of) + act_after_death(evidence) + two_open_marriages(evidence)
    spans += inside_institutions(evidence, as_of) + allowance_not_claimed(evidence, covered, as_of)
    return spans + marital_status_differs(evidence, year) + confused_numbers(evidence, as_of)


def death_months(evidence: Evidence) -> dict[int, int]:
    """Month of death per person as the records tell it; the cremation's month where no death date stands."""
    people, deaths = evidence.people, evidence.deaths
    known = {}
    for row in np.flatnonzero(deaths.is_recorded):
        if deaths.known_by_month[row]:
            when = people.death[row] if deaths.has_month[row] else deaths.cremated[row]
            known[int(row)] = int(month_of(np.array([when]))[0])
    return known


def member_counts(evidence: Evidence, year: int) -> dict[tuple[int, int], int]:
    """Member rows per household and month."""
    begin = int(month_of(np.array([day(year)]))[0])
    counts: dict[tuple[int, int], int] = defaultdict(int)
    for household, month in zip(
        evidence.member_months["household"].tolist(), evidence.member_months["month"].tolist(), strict=True
    ):
        counts[household, begin + month] += 1
    return counts


def _rows(covered: Frame) -> list[tuple[int, int, int, int, int, str, bool]]:
    """(person, household, benefit, month, fen, district, whether the payee can be told) of every covered month."""
    names = ("person", "household", "benefit", "month", "fen", "district", "sound")
    columns = [covered[name].tolist() for name in names]
    return list(zip(*columns, strict=True))


def benefit_after_death(evidence: Evidence, covered: Frame, year: int) -> list[Case]:
    """A benefit covers a month later than the death month."""
    died, members = death_months(evidence), member_counts(evidence, year)
    cases = []
    for person, household, benefit, month, fen, _, sound in _rows(covered):
        if person not in died or month <= died[person]:
            continue
        alone = benefit in DIBAO and members.get((household, month)) == 1
        if benefit in PERSONAL or benefit == paying.TEKUN or alone:
            cases.append(
                Case(
                    "benefit_after_death",
                    person,
                    household,
                    month,
                    fen,
                    bool(evidence.deaths.is_certain[person]) and sound,
                )
            )
    return cases


def dead_member_insured(evidence: Evidence, covered: Frame, year: int) -> list[Case]:
    """A household of several still counts a dead member as insured after the re-check window, and was paid."""
    died, members = death_months(evidence), member_counts(evidence, year)
    begin = int(month_of(np.array([day(year)]))[0])
    paid: dict[tuple[int, int], int] = defaultdict(int)
    for _, household, benefit, month, fen, _, _ in _rows(covered):
        if benefit in (*DIBAO, paying.TEKUN) and household >= 0:
            paid[household, month] += fen
    cases = []
    columns = [evidence.member_months[name].tolist() for name in ("household", "person", "month", "insured")]
    for household, person, offset, insured in zip(*columns, strict=True):
        month = begin + offset
        late = person in died and month > died[person] + RECHECK_MONTHS
        if late and insured and members[household, month] > 1 and (household, month) in paid:
            fen = paid[household, month] // members[household, month]
            cases.append(
                Case("dead_member_insured", person, household, month, fen, bool(evidence.deaths.is_certain[person]))
            )
    return cases


def same_benefit_two_districts(covered: Frame) -> list[Case]:
    """One benefit, a one-off too, covers a person's month in two managing districts; at stake: all but the largest."""
    paid: dict[tuple[int, int, int], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    told: dict[tuple[int, int, int], bool] = defaultdict(lambda: True)
    for person, _, benefit, month, fen, district, sound in _rows(covered):
        paid[person, benefit, month][district] += fen
        told[person, benefit, month] &= sound
    return [
        Case(
            "same_benefit_two_districts",
            person,
            -1,
            month,
            sum(places.values()) - max(places.values()),
            told[person, benefit, month],
        )
        for (person, benefit, month), places in paid.items()
        if len(places) > 1
    ]


def exclusive_benefits(covered: Frame) -> list[Case]:
    """Benefits that exclude each other cover one person's month."""
    held: dict[tuple[int, int], dict[int, int]] = defaultdict(lambda: defaultdict(int))
    told: dict[tuple[int, int], bool] = defaultdict(lambda: True)
    for person, _, benefit, month, fen, _, sound in _rows(covered):
        held[person, month][paying.URBAN if benefit in DIBAO else benefit] += fen
        told[person, month] &= sound
    cases = []
    for (person, month), benefits in held.items():
        others = [fen for benefit, fen in benefits.items() if benefit in (paying.URBAN, paying.LIVING, paying.NURSING)]
        if paying.TEKUN in benefits and others:
            cases.append(Case("exclusive_benefits", person, -1, month, sum(others), told[person, month]))
    return cases


def underage_allowance(evidence: Evidence, covered: Frame) -> list[Case]:
    """The allowance of the very old covers a month before the one in which the person turns 80."""
    turning = month_of(birthday_after(evidence.people.birth, 80))
    return [
        Case("underage_allowance", person, -1, month, fen, sound)
        for person, _, benefit, month, fen, _, sound in _rows(covered)
        if benefit == paying.OLD_AGE and month < turning[person]
    ]


@dataclass(frozen=True)
class Standing:
    """A person's latest recorded marital event: marriage, day, spouse, the status it says, whether it is proven."""

    marriage: int
    when: int
    spouse: int
    status: str
    certain: bool


def standings(evidence: Evidence) -> dict[int, Standing]:
    """Marital status of each person as the recorded acts and known deaths tell it."""
    acts, deaths = evidence.acts, evidence.deaths
    latest: dict[int, Standing] = {}
    for row in np.argsort(acts.when, kind="stable").tolist():
        if acts.kind[row] not in (IA, IB, IX):
            continue
        man, woman = int(acts.man[row]), int(acts.woman[row])
        for who, spouse, sound in ((man, woman, acts.man_sound[row]), (woman, man, acts.woman_sound[row])):
            status = {IA: "20", IB: "40", IX: "10"}[acts.kind[row]]
            latest[who] = Standing(int(acts.marriage[row]), int(acts.when[row]), spouse, status, bool(sound))
    died = evidence.people.death
    for who, standing in latest.items():
        # Nobody is widowed by a death after their own.
        outlived = not (deaths.is_recorded[who] and died[who] <= died[standing.spouse])
        if standing.status == "20" and deaths.is_recorded[standing.spouse] and outlived:
            certain = standing.certain and bool(deaths.is_certain[standing.spouse])
            latest[who] = Standing(standing.marriage, standing.when, standing.spouse, "30", certain)
    return latest


def undeclared_marriage(evidence: Evidence, covered: Frame, year: int) -> list[Case]:
    """A one-person dibao household, assisted as a whole, whose head's latest event is an open marriage."""
    known, members = standings(evidence), member_counts(evidence, year)
    begin = int(month_of(np.array([day(year)]))[0])
    plan = evidence.plan
    paid: dict[tuple[int, int], int] = defaultdict(int)
    for _, household, benefit, month, fen, _, _ in _rows(covered):
        if benefit in DIBAO:
            paid[household, month] += fen
    refused = {
        (number, month)
        for number, month in zip(
            evidence.household["household_no"][evidence.household["unknown"]],
            evidence.household["month"][evidence.household["unknown"]],
            strict=True,
        )
    }
    cases = []
    for household in range(len(plan.head)):
        head = int(plan.head[household])
        standing = known.get(head)
        if standing is None or plan.benefit[household] not in DIBAO or plan.mode[household] != paying.WHOLE:
            continue
        if plan.kind[household] == paying.MARGINAL:
            continue
        spouse_dead = evidence.people.death[standing.spouse] != NEVER
        if standing.status != "20" and not (standing.status == "30" and not standing.certain):
            continue
        wedding = int(month_of(np.array([standing.when]))[0])
        for offset in range(int(plan.start[household]), int(plan.end[household]) + 1):
            month = begin + offset
            stamp = f"{year}{offset + 1:02d}"
            if (
                month < wedding
                or members[household, month] != 1
                or (evidence.household_no[household], stamp) in refused
            ):
                continue
            certain = standing.certain and not spouse_dead
            cases.append(Case("undeclared_marriage", head, household, month, paid.get((household, month), 0), certain))
    return cases


def weekly_visit_missed(evidence: Evidence, year: int, as_of: int) -> list[Case]:
    """A living key target at home has a full week, Monday to Sunday, without any visit."""
    care, deaths, people = evidence.care, evidence.deaths, evidence.people
    visited: dict[int, set[int]] = defaultdict(set)
    for person, when, deleted in zip(
        *(care.visits[name].tolist() for name in ("person", "visited_on", "is_deleted")), strict=True
    ):
        if not deleted:
            visited[person].add((when - _MONDAY) // 7)
    stays: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for person, begin, end in zip(
        *(care.stays[name].tolist() for name in ("person", "checked_in_on", "checked_out_on")), strict=True
    ):
        stays[person].append((begin, as_of + 999 if end == NEVER else end))
    cases = []
    for row in care.key_row.tolist():
        person = int(care.row_person[row])
        if not visited[person]:
            continue
        gone = int(people.death[person]) if deaths.is_recorded[person] else as_of + 1
        for week in range(min(visited[person]) + 1, (as_of - LATE_ENTRY_DAYS - 6 - _MONDAY) // 7 + 1):
            monday = week * 7 + _MONDAY
            at_home = not any(begin <= monday + 6 and end >= monday for begin, end in stays[person])
            if week not in visited[person] and at_home and monday + 6 < gone:
                cases.append(Case("weekly_visit_missed", person, -1, week, 0, True))
    return cases


def after_death_in_care(evidence: Evidence, as_of: int) -> list[Span]:
    """Subsidised beds kept, and visits made, after a death whose day is known."""
    care, deaths, people = evidence.care, evidence.deaths, evidence.people
    spans = []
    columns = [
        care.stays[name].tolist() for name in ("person", "checked_in_on", "checked_out_on", "subsidy_month_yuan")
    ]
    for person, _, end, subsidy in zip(*columns, strict=True):
        if deaths.is_recorded[person] and deaths.has_day[person] and subsidy != NEVER:
            last, died = (as_of if end == NEVER else end), int(people.death[person])
            if last > died + 1:
                fen = subsidy * (last - died) // 30
                spans.append(
                    Span("bed_subsidy_after_death", person, -1, died + 1, last, fen, bool(deaths.is_certain[person]))
                )
    days = []
    columns = [care.visits[name].tolist() for name in ("person", "visited_on", "is_deleted", "subsidy_yuan")]
    for person, when, deleted, subsidy in zip(*columns, strict=True):
        if not deleted and deaths.is_recorded[person] and deaths.has_day[person] and when > people.death[person]:
            certain = bool(deaths.is_certain[person])
            days.append(Case("care_after_death", person, -1, when, max(subsidy, 0), certain))
    return spans + _join(days, lambda first, last: (first, last))


def act_after_death(evidence: Evidence) -> list[Span]:
    """A person takes part in an act dated after the day of death; annulments are made of the dead too."""
    acts, deaths, people = evidence.acts, evidence.deaths, evidence.people
    spans = []
    for side, sound in ((acts.man, acts.man_sound), (acts.woman, acts.woman_sound)):
        for row, person in enumerate(side.tolist()):
            known = deaths.is_recorded[person] and deaths.has_day[person]
            if known and acts.kind[row] in (IA, IB, ICA, ICB) and acts.when[row] > people.death[person]:
                certain = bool(deaths.is_certain[person] and sound[row])
                when = int(acts.when[row])
                spans.append(Span("act_after_death", person, -1, when, when, 0, certain))
    return spans


def two_open_marriages(evidence: Evidence) -> list[Span]:
    """Two recorded marriages of one person with no recorded end between them."""
    acts, deaths, people = evidence.acts, evidence.deaths, evidence.people
    weddings: dict[int, list[tuple[int, int, int, bool]]] = defaultdict(list)
    ended: dict[int, int] = {}
    for row in range(len(acts.marriage)):
        man, woman, when, marriage = (
            int(acts.man[row]),
            int(acts.woman[row]),
            int(acts.when[row]),
            int(acts.marriage[row]),
        )
        if acts.kind[row] == IA:
            weddings[man].append((when, marriage, woman, bool(acts.man_sound[row])))
            weddings[woman].append((when, marriage, man, bool(acts.woman_sound[row])))
        elif acts.kind[row] in (IB, IX):
            ended[marriage] = min(when, ended.get(marriage, when))
    # Of a marriage annulled later it can be said that it overlapped, and that it never was: listed as uncertain.
    annulled = set(acts.marriage[acts.kind == IX].tolist())
    spans = []
    for person, list_of in weddings.items():
        list_of.sort()
        for (_, marriage, spouse, sound), (when, other, _, sound_too) in zip(list_of, list_of[1:], strict=False):
            over = ended.get(marriage, when + 1) <= when
            buried = deaths.is_recorded[spouse] and people.death[spouse] <= when
            if not over and not (buried and deaths.is_certain[spouse]):
                last = min(ended.get(marriage, NEVER), NEVER)
                certain = sound and sound_too and not buried and not {marriage, other} & annulled
                spans.append(Span("two_open_marriages", person, -1, when, last, 0, certain))
    return spans


def inside_institutions(evidence: Evidence, as_of: int) -> list[Span]:
    """Subsidised help at home for somebody in an institution, and two institutions for one night."""
    care = evidence.care
    stays: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
    columns = [care.stays[name].tolist() for name in ("person", "checked_in_on", "checked_out_on", "institution_id")]
    for person, begin, end, home in zip(*columns, strict=True):
        stays[person].append((begin, as_of + 999 if end == NEVER else end, home))
    days, spans = [], []
    columns = [care.visits[name].tolist() for name in ("person", "visited_on", "kind", "subsidy_yuan", "is_deleted")]
    for person, when, kind, subsidy, deleted in zip(*columns, strict=True):
        at_home = kind in ("home_care", "meal") and subsidy != NEVER and not deleted
        if at_home and any(begin < when < end for begin, end, _ in stays.get(person, [])):
            days.append(Case("home_care_in_institution", person, -1, when, subsidy))
    for person, list_of in stays.items():
        for place, (begin, end, home) in enumerate(list_of):
            for other_begin, other_end, other_home in list_of[place + 1 :]:
                first, last = max(begin, other_begin), min(end, other_end)
                if home != other_home and first < last:
                    spans.append(Span("bed_in_two_institutions", person, -1, first, min(last, as_of)))
    return spans + _join(days, lambda first, last: (first, last))


def allowance_not_claimed(evidence: Evidence, covered: Frame, as_of: int) -> list[Span]:
    """Living, of this city, 80 for more than three months, and never an allowance of the very old."""
    people, care = evidence.people, evidence.care
    claimed = set(covered["person"][covered["benefit"] == paying.OLD_AGE].tolist())
    seen = set(care.row_person[care.row_sound].tolist())
    turned = birthday_after(people.birth, 80)
    limit = month_of(np.array([as_of]))[0] - CLAIM_MONTHS
    waiting = np.flatnonzero(
        (month_of(turned) < limit) & np.isin(people.hukou, districts.STATUTORY) & (people.number != "")
    )
    spans = []
    for person in waiting.tolist():
        if person not in claimed and not evidence.deaths.is_recorded[person]:
            certain = person in seen and people.death[person] == NEVER
            spans.append(Span("allowance_not_claimed", person, -1, int(turned[person]), as_of, 0, bool(certain)))
    return spans


def marital_status_differs(evidence: Evidence, year: int) -> list[Span]:
    """The status declared last to the assistance office contradicts the recorded acts."""
    known = standings(evidence)
    begin = int(month_of(np.array([day(year)]))[0])
    last: dict[int, tuple[int, str]] = {}
    columns = [evidence.member_months[name].tolist() for name in ("person", "month", "declared")]
    for person, month, declared in zip(*columns, strict=True):
        last[person] = max(last.get(person, (-1, "")), (month, declared))
    spans = []
    for person, (month, declared) in last.items():
        standing = known.get(person)
        if standing is not None and declared != "90" and declared != standing.status and standing.status != "10":
            first = _day_of(begin + month)
            spans.append(Span("marital_status_differs", person, -1, first, first, 0, standing.certain))
    return spans


def confused_numbers(evidence: Evidence, as_of: int) -> list[Span]:
    """One number of two people, two numbers of one person; listed as uncertain, for people to judge."""
    people = evidence.people
    owners: dict[str, list[int]] = defaultdict(list)
    for row, number in enumerate(people.number.tolist()):
        if number:
            owners[number].append(row)
    spans = [
        Span("one_number_two_people", row, -1, as_of, as_of, 0, False)
        for rows in owners.values()
        if len(rows) > 1
        for row in rows
    ]
    twice = {row: False for row in np.flatnonzero(people.old_number != "").tolist()} | paid_by_two_numbers(
        evidence.paid, people.number.tolist()
    )
    return spans + [
        Span("one_person_two_numbers", row, -1, people_began(people, row), as_of, 0, certain)
        for row, certain in twice.items()
    ]


def people_began(people: People, row: int) -> int:
    """The person's day of birth: since when a record could speak of a second number."""
    return int(people.birth[row])


def paid_by_two_numbers(paid: Paid, own: list[str]) -> dict[int, bool]:
    """Who is paid under one name into one account by two valid numbers; true when each stands on several payments.

    False, for people to judge: one of them stands on a single payment, or the payments bear a number other than the
    person's own (``own``, by row of people), which stands on other records only.
    """
    written: dict[tuple[int, str, str], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for row in np.flatnonzero((paid.account != "") & paid.counts).tolist():
        number = str(paid.number[row]).replace(" ", "").upper()
        # A tail of noughts is what a spreadsheet leaves of any number.
        if not is_sound(number) or number.endswith("000"):
            continue
        written[int(paid.person[row]), str(paid.name[row]), str(paid.account[row])][number] += 1
    twice: dict[int, bool] = {}
    for (person, _, _), counts in written.items():
        if len(counts) > 1:
            twice[person] = twice.get(person, False) or sorted(counts.values())[-2] >= 2
        # The own number stands on other records: a lead where these can be told to be of the account's owner.
        elif any(number != own[person] and times >= 2 for number, times in counts.items()):
            twice.setdefault(person, False)
    return twice


def lawful_exceptions(evidence: Evidence, covered: Frame, findings: list[Span], year: int) -> list[Span]:
    """What looks like a finding and is none; never a period that a finding of the same person and rule touches."""
    died = death_months(evidence)
    people, plan, paid = evidence.people, evidence.plan, evidence.paid
    begin = int(month_of(np.array([day(year)]))[0])
    spans: list[Span] = []

    def month_span(rule: str, person: int, household: int, month: int, reason: str) -> None:
        spans.append(Span(rule, person, household, _day_of(month), _day_of(month + 1) - 1, reason=reason))

    folders = covered["folder"].tolist()
    mistaken = set(evidence.mistaken.tolist())
    for (person, household, benefit, month, _, _, _), folder in zip(_rows(covered), folders, strict=True):
        rule = "benefit_after_death"
        if person in died and month == died[person]:
            month_span(
                rule,
                person,
                household,
                month,
                "death month" if begin + folder == month else "paid later for the death month",
            )
        elif person in died and month < died[person] <= begin + folder:
            month_span(rule, person, household, month, "back-pay of a month lived")
        elif person in died and month > died[person] and benefit in (paying.PRICE, paying.FUNERAL):
            month_span(rule, person, household, month, "price subsidy" if benefit == paying.PRICE else "funeral costs")
        elif person in mistaken:
            month_span(rule, person, household, month, "certificate void, person lives")
    rows = np.flatnonzero(paid.counts)
    reported: dict[str, set[str]] = defaultdict(set)
    for number, district in zip(paid.payment_no.tolist(), paid.district.tolist(), strict=True):
        reported[number].add(district)
    for row in rows.tolist():
        if len(reported[paid.payment_no[row]]) > 1:
            for month in range(int(paid.first[row]), int(paid.first[row] + paid.months[row])):
                month_span(
                    "same_benefit_two_districts",
                    int(paid.person[row]),
                    -1,
                    month,
                    "zone and its land report one payment",
                )
    known = standings(evidence)
    for household in range(len(plan.head)):
        head = int(plan.head[household])
        standing = known.get(head)
        last = int(plan.end[household])
        if standing is None or last < plan.start[household] or plan.benefit[household] not in DIBAO:
            continue
        reason = {
            "20": "one person of a couple is assisted",
            "30": "spouse is dead",
            "40": "divorced",
            "10": "annulled",
        }[standing.status]
        if plan.mode[household] == paying.SINGLE or standing.status != "20":
            first, final = _day_of(begin + int(plan.start[household])), _day_of(begin + last + 1) - 1
            spans.append(Span("undeclared_marriage", head, household, first, final, reason=reason))
    stays = evidence.care.stays
    keys = set(evidence.care.row_person[evidence.care.key_row].tolist())
    for person, first, end in zip(
        *(stays[name].tolist() for name in ("person", "checked_in_on", "checked_out_on")), strict=True
    ):
        monday = first - (first - _MONDAY) % 7 + 7
        sunday = (end if end != NEVER else day(year, 12, 31)) - 1
        sunday -= (sunday - _MONDAY + 1) % 7
        if person in keys and sunday > monday:
            spans.append(Span("weekly_visit_missed", person, -1, monday, sunday, reason="week in a bed"))
        if end != NEVER and evidence.deaths.has_day[person] and end == people.death[person] + 1:
            spans.append(
                Span("bed_subsidy_after_death", person, -1, end - 1, end, reason="left the day after the death")
            )
    visits = evidence.care.visits
    for person, when, entered in zip(
        *(visits[name].tolist() for name in ("person", "visited_on", "entered_at")), strict=True
    ):
        if evidence.deaths.has_day[person] and when <= people.death[person] < entered // 86400:
            spans.append(Span("care_after_death", person, -1, when, when, reason="entered late"))
    taken: dict[tuple[str, int], list[Span]] = defaultdict(list)
    for span in findings:
        taken[span.rule, span.person].append(span)
    return [
        span
        for span in dict.fromkeys(spans)
        if not any(span.first <= other.last and other.first <= span.last for other in taken[span.rule, span.person])
    ]
