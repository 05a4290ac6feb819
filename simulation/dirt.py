"""How clerks, keyboards and spreadsheets damage what people say: names, numbers, birthdays and phones on a record.

Every function takes clean values and gives what stands on the record; damages are told by name, so that the true
answer can say what happened to each mention.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cache

import numpy as np
from pypinyin import Style, pinyin

from simulation import names, numbers
from simulation.calendar import iso_days
from simulation.names import Numbers, Text, words

LOOK_ALIKES = {
    pair[0]: pair[1]
    for pair in words(
        "玫枚 枚玫 俊峻 峻俊 清青 青清 玲珍 珍玲 淑椒 芳芬 芬芳 建健 健建 昌昆 明朋 朋明 伟炜 炜伟 "
        "波坡 成戍 军车 刚钢 钢刚 秀季 季秀 国园 凤风 素索 碧璧 永水 水永 梅海 林材 志忘 德得 洪洗"
    )
}
VARIANTS = {pair[0]: pair[1] for pair in words("宁甯 甯宁 喆哲 哲喆 峰峯 群羣 霞遐 珍珎 玮璋")}
PRIVATE_USE = {"䶮": "\ue863", "䜣": "\ue844"}
RARE_SUBSTITUTES = "?□*〇"
DOTS = "・•．‧∙"
PLACEHOLDERS = (
    "111111111111111",
    "123456789012345678",
    "000000000000000000",
    "999999999999999999",
    "无证",
    "未办理",
    "000000",
)
EXCEL = "excel"
UNSOUND = frozenset(("missing", "digit", "swap", "cut", "placeholder", "relative", EXCEL))


@dataclass(frozen=True)
class NumberRates:
    """Shares of mentions per damage of the identity number; what is left over is typed soundly."""

    missing: float = 0.048
    digit: float = 0.008
    swap: float = 0.003
    cut: float = 0.002
    placeholder: float = 0.004
    relative: float = 0.004
    excel: float = 0.0
    fifteen: float = 0.015
    lower_x: float = 0.15
    spaced: float = 0.007


@cache
def homophones() -> dict[str, str]:
    """For every character of given names, those with the same toneless reading."""
    letters = sorted(set("".join(names._GIVEN.values())) | set("李梅玫力丽张章徐许余于程陈"))
    sounds: dict[str, list[str]] = defaultdict(list)
    for letter, reading in zip(letters, pinyin(letters, style=Style.NORMAL), strict=True):
        sounds[reading[0]].append(letter)
    return {
        letter: "".join(other for other in group if other != letter)
        for group in sounds.values()
        for letter in group
        if len(group) > 1
    }


def damage_names(
    rng: np.random.Generator, clean: Text, *, rate: float = 0.03, padded: float = 0.02, droppable: bool = True
) -> tuple[Text, Text]:
    """Names as typed, and the damage of each ('' when a reader sees the same name).

    Padding, dots and private-use leftovers are damages a standardiser undoes; they are told as ''.
    """
    typed, damage = clean.copy(), np.full(len(clean), "", dtype=object)
    for row in np.flatnonzero(rng.random(len(clean)) < rate):
        name, kind = str(clean[row]), rng.random()
        if len(name) < 2 or name.isascii() or "·" in name:
            continue
        place = int(rng.integers(1, len(name)))
        letter = name[place]
        if kind < 0.5 and letter in homophones():
            other, label = homophones()[letter][int(rng.integers(0, len(homophones()[letter])))], "homophone"
        elif kind < 0.75 and letter in LOOK_ALIKES:
            other, label = LOOK_ALIKES[letter], "look_alike"
        elif kind < 0.85 and letter in VARIANTS:
            other, label = VARIANTS[letter], "variant"
        elif kind < 0.92 and droppable and len(name) > 2:
            other, label = "", "dropped"
        elif kind >= 0.92 and letter in homophones():
            other, label = homophones()[letter][0], "homophone"
        else:
            continue
        typed[row], damage[row] = name[:place] + other + name[place + 1 :], label
    for at, name in enumerate(clean.tolist()):
        if name and not name.isascii():
            for letter in names.RARE_CHARACTERS:
                if letter in name and (draw := rng.random()) < 0.55:
                    if draw < 0.25 and letter in PRIVATE_USE:
                        typed[at] = name.replace(letter, PRIVATE_USE[letter])
                    elif draw < 0.5:
                        typed[at] = name.replace(letter, RARE_SUBSTITUTES[int(rng.integers(0, 4))])
                        damage[at] = "rare_character"
            if "·" in name and rng.random() < 0.6:
                typed[at] = name.replace("·", DOTS[int(rng.integers(0, len(DOTS)))])
    short = np.flatnonzero(rng.random(len(clean)) < padded)
    for row in short:
        name = str(typed[row])
        if len(name) == 2 and not name.isascii():
            typed[row] = name[0] + ("　", " ", "　　")[int(rng.integers(0, 3))] + name[1]
    return typed, damage


def damage_numbers(
    rng: np.random.Generator,
    clean: Text,
    relative: Text,
    *,
    rates: NumberRates,
    protect: np.ndarray | None = None,
) -> tuple[Text, Text]:
    """Identity numbers as typed, and the damage of each ('' when sound; the sound forms are fifteen, lower_x, spaced).

    ``relative`` holds the number of somebody near ('' if none); rows of ``protect`` stay sound. Passports and permits
    of ``clean`` (anything that is not an 18-character number) are only ever left out.
    """
    count = len(clean)
    typed, damage = clean.copy(), np.full(count, "", dtype=object)
    lengths = np.array([len(number) for number in clean], dtype=np.int64)
    eighteen = lengths == 18
    draw = rng.random(count)
    if protect is not None:
        draw = np.where(protect, 1.0, draw)
    edge = 0.0
    for kind in ("missing", "digit", "swap", "cut", "placeholder", "relative", EXCEL, "fifteen", "spaced"):
        rate = getattr(rates, kind)
        rows = np.flatnonzero((draw >= edge) & (draw < edge + rate) & (eighteen if kind != "missing" else lengths > 0))
        edge += rate
        for row in rows:
            number = str(clean[row])
            new = _damage_one(rng, kind, number, str(relative[row]))
            if new != number:
                typed[row], damage[row] = new, kind
    lower = np.flatnonzero((damage == "") & (rng.random(count) < rates.lower_x))
    for row in lower:
        if str(typed[row]).endswith("X"):
            typed[row], damage[row] = typed[row].lower(), "lower_x"
    damage[lengths == 0] = "missing"
    return typed, damage


def _damage_one(rng: np.random.Generator, kind: str, number: str, relative: str) -> str:
    if kind == "missing":
        return ""
    if kind == "digit":
        place = int(rng.integers(6, 17))
        return number[:place] + str((int(number[place]) + int(rng.integers(1, 10))) % 10) + number[place + 1 :]
    if kind == "swap":
        for place in rng.permutation(np.arange(8, 16)).tolist():
            if number[place] != number[place + 1]:
                return number[:place] + number[place + 1] + number[place] + number[place + 2 :]
        return number
    if kind == "cut":
        return number[: int(rng.integers(12, 15))] if rng.random() < 0.5 else number[:-1]
    if kind == "placeholder":
        draw = int(rng.integers(0, len(PLACEHOLDERS) + 1))
        return PLACEHOLDERS[draw] if draw < len(PLACEHOLDERS) else "000000" + number[6:14]
    if kind == "relative":
        return relative if relative else number
    if kind == EXCEL:
        return f"{int(number[:15]) * 1000:.5E}" if rng.random() < 0.7 and number[:15].isdigit() else number[:15] + "000"
    if kind == "fifteen":
        return number[:6] + number[8:17] if number[6:8] == "19" else number
    return number[:6] + " " + number[6:14] + " " + number[14:]


def is_sound_damage(damage: Text) -> np.ndarray:
    """Rows whose number still is the person's own sound number."""
    return ~np.isin(damage.astype(str), list(UNSOUND))


def write_birthdays(rng: np.random.Generator, birth: Numbers, forms: str) -> Text:
    """Birthdays as text in forms drawn from the letters of ``forms``.

    i ISO, c compact, s with slashes, h in Han characters, m to the month, y to the year.
    """
    iso = iso_days(birth)
    drawn = np.array(list(forms), dtype=object)[rng.integers(0, len(forms), len(birth))]
    typed = iso.copy()
    for row in np.flatnonzero(drawn != "i"):
        year, month, dom = str(iso[row]).split("-")
        m, d = int(month), int(dom)
        typed[row] = {
            "c": f"{year}{month}{dom}",
            "s": f"{year}/{m}/{d}",
            "h": f"{year}年{m}月{d}日",
            "m": f"{year}.{month}",
            "y": year,
        }[drawn[row]]
    return typed


def write_phones(rng: np.random.Generator, first: Text, second: Text) -> Text:
    """Phones as typed: now and then none, a digit wrong, or two numbers in one field."""
    draw = rng.random(len(first))
    typed = first.copy()
    both = (draw < 0.5) & (second != "")
    separators = np.array(["/", "、", " / "], dtype=object)[rng.integers(0, 3, len(first))]
    typed = np.where(both, first + separators + second, typed)
    wrong = np.flatnonzero((draw > 0.985) & ~both)
    for row in wrong:
        if phone := str(first[row]):
            place = int(rng.integers(5, len(phone)))
            typed[row] = (
                phone[:place] + str((int(phone[place]) + 3) % 10 if phone[place].isdigit() else 0) + phone[place + 1 :]
            )
    typed = np.where((draw > 0.93) & (draw < 0.97), "", typed)
    return np.asarray(typed, dtype=object)


def inner_numbers_are_sound(typed: Text) -> np.ndarray:
    """Rows whose text is itself a sound 18-character number."""
    return np.array([numbers.is_sound(str(number)) for number in typed], dtype=bool)
