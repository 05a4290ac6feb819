"""Invented identity numbers and other documents: formally valid, unique in the city, belonging to nobody on purpose."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from simulation.names import Numbers, Text, words

_WEIGHTS = np.array([7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2])
_CHECK = np.array(list("10X98765432"))
SEQUENCES = 500


def check_characters(base: Numbers) -> np.ndarray:
    """The GB 11643 check character of every 17-digit number in ``base``."""
    rest, total = base.copy(), np.zeros(len(base), dtype=np.int64)
    for weight in _WEIGHTS[::-1]:
        total += rest % 10 * weight
        rest //= 10
    return _CHECK[total % 11]


def is_sound(number: str) -> bool:
    """Whether an 18-character number is well formed and its check character is right."""
    return (
        len(number) == 18 and number[:17].isdigit() and check_characters(np.array([int(number[:17])]))[0] == number[17]
    )


def ranks_within(groups: Numbers) -> Numbers:
    """0, 1, 2 … within each equal value of ``groups``, in row order."""
    order = np.argsort(groups, kind="stable")
    ordered = groups[order]
    starts = np.r_[True, ordered[1:] != ordered[:-1]] if len(ordered) else np.array([], dtype=bool)
    first = np.maximum.accumulate(np.where(starts, np.arange(len(ordered)), 0))
    ranks = np.empty(len(groups), dtype=np.int64)
    ranks[order] = np.arange(len(ordered)) - first
    return ranks


def as_yyyymmdd(days: Numbers) -> Numbers:
    """Days since 1970-01-01 as the integer YYYYMMDD."""
    dates = days.astype("datetime64[D]")
    years = dates.astype("datetime64[Y]").astype(np.int64) + 1970
    months = dates.astype("datetime64[M]").astype(np.int64) % 12 + 1
    day = (dates - dates.astype("datetime64[M]").astype("datetime64[D]")).astype(np.int64) + 1
    return np.asarray(years * 10000 + months * 100 + day)


def identity_numbers(
    area: Numbers, birth: Numbers, sex: Numbers, chunk: int, chunks: int, spare_areas: Iterable[int] = ()
) -> Text:
    """Valid 18-character numbers, unique over all chunks: each chunk owns every ``chunks``-th sequence of a cell.

    Who finds the sequences of a cell (area, birthday, sex) used up was first registered in one of ``spare_areas``.
    Raises ``ValueError`` when those are used up too.
    """
    day, area = as_yyyymmdd(birth), area.copy()
    for spare in [*spare_areas, None]:
        cell = (area * 100_000_000 + day) * 2 + sex % 2
        slot = ranks_within(cell) * chunks + chunk
        late = slot >= SEQUENCES
        if not late.any():
            break
        if spare is None:
            raise ValueError("simulation: too many people of one birthday in one area; build fewer persons.")
        area[late] = spare
    sequence = (slot + cell * 7919 % SEQUENCES) % SEQUENCES * 2 + sex % 2
    base = (area * 100_000_000 + day) * 1000 + sequence
    return np.strings.add(base.astype("U17"), check_characters(base)).astype(object)


def to_fifteen(numbers: Text) -> Text:
    """The old 15-digit form of 18-character numbers of people born in the 20th century."""
    text = numbers.astype("U18")
    return np.asarray([number[:6] + number[8:17] for number in text], dtype=object)


def digits(rng: np.random.Generator, count: int, width: int) -> Text:
    """Random strings of ``width`` digits."""
    return zero_padded(rng.integers(0, 10**width, count), width)


def zero_padded(values: Numbers, width: int) -> Text:
    """Whole numbers as text of at least ``width`` digits."""
    if not len(values):
        return np.zeros(0, dtype=object)
    return np.strings.zfill(values.astype("U19"), width).astype(object)


def mobile_phones(rng: np.random.Generator, count: int) -> Text:
    """Eleven-digit mobile numbers."""
    prefix = np.array(
        words("138 139 135 136 137 158 159 186 180 189 133 173 177 152 187"),
        dtype=object,
    )
    return np.asarray(prefix[rng.integers(0, len(prefix), count)] + digits(rng, count, 8), dtype=object)


def landlines(rng: np.random.Generator, count: int) -> Text:
    """Chengdu landline numbers, with area code."""
    return np.asarray("028-8" + digits(rng, count, 7), dtype=object)


def bank_accounts(rng: np.random.Generator, count: int) -> Text:
    """Nineteen-digit card numbers of a savings bank."""
    return np.asarray("6217" + digits(rng, count, 15), dtype=object)
