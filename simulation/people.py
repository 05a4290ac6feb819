"""Invented families: three generations, their marriages and their deaths. The city before anybody writes it down."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulation import districts, names, numbers
from simulation.calendar import NEVER, day, year_of
from simulation.names import Numbers, Text

NOBODY = -1
# Ways in which a marriage ends.
OPEN, DIVORCED, COURT_DIVORCED, ANNULLED, SPOUSE_DIED = range(5)


@dataclass
class People:
    """The people of one chunk, one array element per person; kin are indexes into the same arrays."""

    first_id: int
    family: Numbers
    sex: Numbers
    birth: Numbers
    death: Numbers
    father: Numbers
    mother: Numbers
    partner: Numbers
    surname: Text
    name: Text
    number: Text
    document: Text
    document_type: Text
    nation: Text
    folk: Text
    hukou: Text
    managing: Numbers
    phone: Text
    second_phone: Text
    address: Text
    account: Text
    is_twin: np.ndarray
    old_number: Text
    generation: Numbers

    def __len__(self) -> int:
        return len(self.sex)

    @property
    def person_id(self) -> Numbers:
        """Ids of the true answer, unique over all chunks."""
        return np.arange(self.first_id, self.first_id + len(self))

    def alive_on(self, when: int | Numbers) -> np.ndarray:
        """Who was born and not yet dead on a day."""
        return np.asarray((self.birth <= when) & ((self.death == NEVER) | (self.death > when)))


@dataclass
class Marriages:
    """Every marriage that really happened, with its end if it has one."""

    man: Numbers
    woman: Numbers
    began: Numbers
    ended: Numbers
    end_kind: Numbers

    def __len__(self) -> int:
        return len(self.man)


def _kinship(rng: np.random.Generator, wanted: int, as_of: int) -> dict[str, Numbers]:
    """Family trees until ``wanted`` people exist: elders, their children, the children's spouses, grandchildren."""
    families = wanted // 5 + 4
    every = np.arange(families)
    man_birth = day(1943) + (rng.normal(0, 9.5, families).clip(-22, 22) * 365.25).astype(np.int64)
    woman_birth = man_birth + (rng.normal(2, 2.6, families).clip(-4, 9) * 365.25).astype(np.int64)
    single = rng.random(families)
    has_man, has_woman = single >= 0.07, (single < 0.07) | (single >= 0.11)
    couple = has_man & has_woman
    children = np.where(couple, rng.choice([0, 1, 2, 3, 4], families, p=[0.05, 0.35, 0.33, 0.18, 0.09]), 0)

    child_family = np.repeat(every, children)
    rank = np.arange(len(child_family)) - np.repeat(np.cumsum(children) - children, children)
    child_birth = woman_birth[child_family] + (rng.uniform(20, 25, len(child_family)) * 365.25).astype(np.int64)
    child_birth += rank * rng.integers(500, 1200, len(child_family))
    twin = (rank > 0) & (rng.random(len(child_family)) < 0.035)
    child_birth[twin] = child_birth[np.flatnonzero(twin) - 1]
    weds = rng.random(len(child_family)) < np.where(child_birth < day(1992), 0.84, 0.5)
    child_sex = rng.integers(1, 3, len(child_family))
    spouse_of = np.flatnonzero(weds)
    spouse_birth = child_birth[spouse_of] + (rng.normal(0, 3, len(spouse_of)) * 365.25).astype(np.int64)

    kids = rng.choice([0, 1, 2], len(spouse_of), p=[0.2, 0.55, 0.25])
    kid_parent = np.repeat(np.arange(len(spouse_of)), kids)
    kid_rank = np.arange(len(kid_parent)) - np.repeat(np.cumsum(kids) - kids, kids)
    mother_birth = np.maximum(child_birth[spouse_of], spouse_birth)[kid_parent]
    kid_birth = mother_birth + (rng.uniform(21, 33, len(kid_parent)) * 365.25).astype(np.int64)
    kid_birth += kid_rank * rng.integers(400, 1500, len(kid_parent))
    kid_twin = (kid_rank > 0) & (rng.random(len(kid_parent)) < 0.06)
    kid_birth[kid_twin] = kid_birth[np.flatnonzero(kid_twin) - 1]
    born = kid_birth < as_of - 30
    kid_parent, kid_birth, kid_twin = kid_parent[born], kid_birth[born], kid_twin[born]

    men, women = np.flatnonzero(has_man), np.flatnonzero(has_woman)
    sizes = [len(men), len(women), len(child_family), len(spouse_of), len(kid_parent)]
    starts = np.r_[0, np.cumsum(sizes)]
    man_at, woman_at = np.full(families, NOBODY), np.full(families, NOBODY)
    man_at[men], woman_at[women] = starts[0] + np.arange(sizes[0]), starts[1] + np.arange(sizes[1])
    child_at, spouse_at = starts[2] + np.arange(sizes[2]), starts[3] + np.arange(sizes[3])
    total = int(starts[-1])
    tree = {
        "family": np.concatenate(
            [men, women, child_family, child_family[spouse_of], child_family[spouse_of][kid_parent]]
        ),
        "birth": np.concatenate([man_birth[men], woman_birth[women], child_birth, spouse_birth, kid_birth]),
        "sex": np.concatenate(
            [np.ones(sizes[0]), np.full(sizes[1], 2), child_sex, 3 - child_sex[spouse_of], rng.integers(1, 3, sizes[4])]
        ).astype(np.int64),
        "generation": np.repeat([0, 0, 1, 1, 2], sizes),
    }
    for key in ("father", "mother", "partner"):
        tree[key] = np.full(total, NOBODY)
    tree["twin"] = np.zeros(total, dtype=np.int64)
    tree["inlaw"] = np.zeros(total, dtype=np.int64)
    tree["inlaw"][spouse_at] = 1
    tree["twin"][child_at], tree["twin"][starts[4] :] = twin, kid_twin
    tree["father"][child_at], tree["mother"][child_at] = man_at[child_family], woman_at[child_family]
    tree["partner"][man_at[couple]], tree["partner"][woman_at[couple]] = woman_at[couple], man_at[couple]
    tree["partner"][child_at[spouse_of]], tree["partner"][spouse_at] = spouse_at, child_at[spouse_of]
    one, other = child_at[spouse_of][kid_parent], spouse_at[kid_parent]
    is_father = child_sex[spouse_of][kid_parent] == 1
    tree["father"][starts[4] :] = np.where(is_father, one, other)
    tree["mother"][starts[4] :] = np.where(is_father, other, one)

    order = np.argsort(tree["family"], kind="stable")[:wanted]
    position = np.full(total + 1, NOBODY)
    position[order] = np.arange(len(order))
    tree = {key: values[order] for key, values in tree.items()}
    for key in ("father", "mother", "partner"):
        tree[key] = position[tree[key]]
    return tree


def _deaths(rng: np.random.Generator, tree: dict[str, Numbers], year: int, as_of: int) -> Numbers:
    """Days of death by a Gompertz law, most people conditioned on having lived until the records begin."""
    birth = tree["birth"]
    begin = day(year - 8)
    scale, growth = 2.4e-5, 0.1
    age = np.maximum(begin - birth, 0) / 365.25
    exponential = rng.exponential(1.0, len(birth))
    at = np.log(growth / scale * exponential + np.exp(growth * age)) / growth
    death = birth + (at * 365.25).astype(np.int64)
    early = (tree["generation"] == 0) & (rng.random(len(birth)) < 0.15)
    early_death = begin - rng.integers(1, 24 * 365, len(birth))
    death = np.where(early & (early_death - birth > 50 * 365), early_death, death)
    return np.where(death <= as_of - 6, death, NEVER)


def _names(rng: np.random.Generator, tree: dict[str, Numbers], sex: Numbers) -> tuple[Text, Text]:
    """Surnames by descent and given names by the times; twins and a third of siblings share a character."""
    surname = names.draw_surnames(rng, len(sex))
    for generation in (1, 2):
        children = np.flatnonzero((tree["generation"] == generation) & (tree["inlaw"] == 0))
        father, mother = tree["father"][children], tree["mother"][children]
        inherited = np.where(father >= 0, surname[father], np.where(mother >= 0, surname[mother], surname[children]))
        surname[children] = inherited
    given = names.draw_given(rng, sex, year_of(tree["birth"]))
    siblings = np.flatnonzero(
        (tree["mother"] >= 0) & (np.r_[NOBODY, tree["mother"][:-1]] == tree["mother"]) & (tree["generation"] > 0)
    )
    shares = (tree["twin"][siblings] == 1) | (rng.random(len(siblings)) < 0.3)
    for row in siblings[shares]:
        if len(given[row - 1]) == 2:
            letter, taken = given[row][-1], given[row - 1][1]
            given[row] = given[row - 1][0] + (letter if letter != taken else "文" if taken != "文" else "明")
    return surname, surname + given


def _outsiders(rng: np.random.Generator, people: People, tree: dict[str, Numbers]) -> None:
    """In-laws from elsewhere: foreigners with passports, residents of Hong Kong, Macau, Taiwan; minorities."""
    inlaws = np.flatnonzero(tree["inlaw"] == 1)
    draw = rng.random(len(inlaws))
    foreign, greater = inlaws[draw < 0.006], inlaws[(draw >= 0.006) & (draw < 0.014)]
    people.name[foreign] = names.draw_latin(rng, people.sex[foreign])
    people.number[foreign] = ""
    people.document[foreign] = rng.choice(np.array(list("EGCK"), dtype=object), len(foreign)) + numbers.digits(
        rng, len(foreign), 8
    )
    people.document_type[foreign] = "414"
    people.nation[foreign] = rng.choice(
        np.array(["840", "826", "250", "392", "643", "704"], dtype=object), len(foreign)
    )
    people.folk[foreign] = ""
    people.hukou[foreign] = ""
    kind = rng.integers(0, 6, len(greater))
    code = np.array(["810000", "820000", "830000"])[kind % 3]
    permit = np.where(
        kind % 3 == 2,
        numbers.digits(rng, len(greater), 8),
        np.where(kind % 3 == 0, "H", "M").astype(object) + numbers.digits(rng, len(greater), 8),
    )
    resident = kind >= 3
    people.nation[greater] = np.array(["344", "446", "158"], dtype=object)[kind % 3]
    people.hukou[greater] = ""
    travel = greater[~resident]
    people.number[travel] = ""
    people.document[travel] = permit[~resident]
    people.document_type[travel] = np.where(kind[~resident] % 3 == 2, "511", "516")
    settled = greater[resident]
    area = code[resident].astype(np.int64)
    people.number[settled] = numbers.identity_numbers(
        area, people.birth[settled], people.sex[settled], people.first_id % 97, 97
    )
    minority = np.flatnonzero((tree["inlaw"] == 1) & (rng.random(len(people)) < 0.012) & (people.document == ""))
    minority = np.setdiff1d(minority, np.union1d(foreign, greater))
    people.name[minority] = names.draw_minority(rng, len(minority))
    people.folk[minority] = rng.choice(np.array(["04", "05", "07"], dtype=object), len(minority))


def raise_families(
    rng: np.random.Generator, wanted: int, first_id: int, chunk: int, chunks: int, year: int, as_of: int
) -> People:
    """The people of one chunk: exactly ``wanted`` persons, ids from ``first_id`` on."""
    tree = _kinship(rng, wanted, as_of)
    count = len(tree["sex"])
    families = int(tree["family"].max()) + 1
    home = rng.choice(len(districts.MANAGING), families, p=districts.weights())[tree["family"]]
    moved = (tree["generation"] > 0) & (tree["inlaw"] == 0) & (rng.random(count) < 0.3)
    managing = np.where(moved, rng.choice(len(districts.MANAGING), count, p=districts.weights()), home)
    inlaws = np.flatnonzero((tree["inlaw"] == 1) & (tree["partner"] >= 0))
    managing[inlaws] = managing[tree["partner"][inlaws]]
    kids = np.flatnonzero((tree["generation"] == 2) & (tree["mother"] >= 0))
    managing[kids] = managing[tree["mother"][kids]]
    hukou_index = districts.hukou_of(rng, managing)
    codes = np.array(districts.STATUTORY, dtype=object)
    hukou = codes[hukou_index]
    elsewhere = (tree["inlaw"] == 1) & (rng.random(count) < 0.09)
    hukou[elsewhere] = rng.choice(np.array(districts.ELSEWHERE, dtype=object), int(elsewhere.sum()))

    area = hukou.astype(np.int64)
    for code, old in districts.RETIRED.items():
        rows = np.flatnonzero((hukou == code) & (tree["birth"] < day(1996)) & (rng.random(count) < 0.8))
        share = [0.8] + [0.2 / (len(old) - 1)] * (len(old) - 1) if len(old) > 1 else [1.0]
        area[rows] = rng.choice(np.array(old).astype(np.int64), len(rows), p=share)
    stranger = rng.random(count) < 0.16
    area[stranger] = rng.choice(np.array(districts.ELSEWHERE).astype(np.int64), int(stranger.sum()))

    surname, name = _names(rng, tree, tree["sex"])
    spare = np.array(districts.ELSEWHERE).astype(np.int64).tolist()
    number = numbers.identity_numbers(area, tree["birth"], tree["sex"], chunk, chunks, spare)
    empty = np.full(count, "", dtype=object)
    phone = numbers.mobile_phones(rng, count)
    partner = tree["partner"]
    shared = np.flatnonzero((partner >= 0) & (tree["sex"] == 2) & (rng.random(count) < 0.12))
    phone[shared] = phone[partner[shared]]
    old_hands = np.flatnonzero((tree["generation"] == 0) & (rng.random(count) < 0.12))
    phone[old_hands] = numbers.landlines(rng, len(old_hands))
    second = np.where(rng.random(count) < 0.2, numbers.mobile_phones(rng, count), empty)
    address = districts.draw_addresses(rng, managing)
    wives = np.flatnonzero((partner >= 0) & (tree["sex"] == 2))
    address[wives] = address[partner[wives]]
    address[kids] = address[tree["mother"][kids]]
    stays = np.flatnonzero((tree["generation"] == 1) & ~moved & (tree["mother"] >= 0) & (rng.random(count) < 0.4))
    address[stays] = address[tree["mother"][stays]]

    people = People(
        first_id=first_id,
        family=tree["family"],
        sex=tree["sex"],
        birth=tree["birth"],
        death=_deaths(rng, tree, year, as_of),
        father=tree["father"],
        mother=tree["mother"],
        partner=partner,
        surname=surname,
        name=name,
        number=number,
        document=empty.copy(),
        document_type=np.full(count, "111", dtype=object),
        nation=np.full(count, "156", dtype=object),
        folk=np.full(count, "01", dtype=object),
        hukou=hukou,
        managing=managing,
        phone=phone,
        second_phone=second,
        address=address,
        account=numbers.bank_accounts(rng, count),
        is_twin=tree["twin"] == 1,
        old_number=empty.copy(),
        generation=tree["generation"],
    )
    _outsiders(rng, people, tree)
    return people


def wed(rng: np.random.Generator, people: People, year: int, as_of: int) -> Marriages:
    """All marriages: the couples of the trees, divorces, annulments, and second marriages among the free."""
    men = np.flatnonzero((people.sex == 1) & (people.partner >= 0))
    women = people.partner[men]
    grown = np.maximum(people.birth[men], people.birth[women])
    began = grown + (rng.gamma(6, 0.75, len(men)) * 365.25 + 20.5 * 365.25).astype(np.int64)
    gone = np.where(people.death == NEVER, as_of + 1, people.death)
    real = (began < as_of - 10) & (began < gone[men]) & (began < gone[women])
    men, women, began = men[real], women[real], began[real]
    first = _endings(rng, people, men, women, began, as_of, 0.13)

    # The free: never married, divorced, or widowed before 65.
    married = np.zeros(len(people), dtype=bool)
    married[men], married[women] = True, True
    free_from = np.where(married, as_of * 2, people.birth + 26 * 365)
    over = np.isin(first.end_kind, (DIVORCED, COURT_DIVORCED, ANNULLED, SPOUSE_DIED))
    for side in (first.man, first.woman):
        free_from[side[over]] = first.ended[over] + 200
    earliest = day(year - 12)
    willing = (
        (people.birth < day(year - 27))
        & (people.birth > day(year - 72))
        & (people.death == NEVER)
        & (people.document_type == "111")
        & (free_from < day(year, 9))
        & (rng.random(len(people)) < 0.42)
    )
    grooms, brides = np.flatnonzero(willing & (people.sex == 1)), np.flatnonzero(willing & (people.sex == 2))
    jitter = 6 * 365
    grooms = grooms[np.argsort(people.birth[grooms] + rng.normal(0, jitter, len(grooms)))]
    brides = brides[np.argsort(people.birth[brides] + rng.normal(0, jitter, len(brides)))]
    pairs = min(len(grooms), len(brides))
    grooms = grooms[np.sort(rng.permutation(len(grooms))[:pairs])]
    brides = brides[np.sort(rng.permutation(len(brides))[:pairs])]
    apart = people.family[grooms] != people.family[brides]
    grooms, brides = grooms[apart], brides[apart]
    ready = np.maximum(np.maximum(free_from[grooms], free_from[brides]), earliest)
    latest = day(year, 10)
    when = ready + (rng.random(len(ready)) * np.maximum(latest - ready, 1)).astype(np.int64)
    second = _endings(rng, people, grooms, brides, when, as_of, 0.03)
    return Marriages(
        *(
            np.concatenate([getattr(first, part), getattr(second, part)])
            for part in ("man", "woman", "began", "ended", "end_kind")
        )
    )


def _endings(
    rng: np.random.Generator, people: People, men: Numbers, women: Numbers, began: Numbers, as_of: int, divorcing: float
) -> Marriages:
    death = np.minimum(*(np.where(people.death[side] == NEVER, as_of * 2, people.death[side]) for side in (men, women)))
    draw = rng.random(len(men))
    divorce = began + rng.integers(300, 25 * 365, len(men))
    annul = began + rng.integers(60, 900, len(men))
    kind = np.full(len(men), OPEN)
    ended = np.full(len(men), NEVER)
    died = death < as_of
    kind[died], ended[died] = SPOUSE_DIED, death[died]
    parts = (draw < divorcing) & (divorce < np.minimum(death, as_of - 20))
    kind[parts], ended[parts] = np.where(rng.random(int(parts.sum())) < 0.27, COURT_DIVORCED, DIVORCED), divorce[parts]
    void = (draw > 0.997) & (annul < np.minimum(death, as_of - 20)) & ~parts & (began > day(1995))
    kind[void], ended[void] = ANNULLED, annul[void]
    return Marriages(men, women, began, ended, kind)
