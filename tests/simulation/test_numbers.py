"""Invented numbers: the standard's own examples, uniqueness, the old form."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulation.calendar import day
from simulation.numbers import check_characters, identity_numbers, is_sound, ranks_within, to_fifteen


@pytest.mark.parametrize("number", ["11010519491231002X", "440524188001010014", "510102193907120214"])
def test_published_examples_are_sound(number: str) -> None:
    assert is_sound(number)


@given(st.integers(10**16, 10**17 - 1), st.integers(0, 16), st.integers(1, 9))
def test_one_wrong_digit_is_never_sound(base: int, place: int, step: int) -> None:
    number = f"{base}{check_characters(np.array([base]))[0]}"
    digit = str((int(number[place]) + step) % 10)
    assert is_sound(number)
    assert not is_sound(number[:place] + digit + number[place + 1 :])


def test_one_birthday_in_one_area_gives_different_numbers_in_every_chunk() -> None:
    birth, sex = np.full(40, day(1950, 3, 5)), np.repeat([1, 2], 20)
    area = np.full(40, 510104)
    numbers = np.concatenate([identity_numbers(area, birth, sex, chunk, 5) for chunk in range(5)])
    assert len(set(numbers)) == 200
    assert all(int(number[16]) % 2 == wanted % 2 for number, wanted in zip(numbers, np.tile(sex, 5), strict=True))


def test_too_many_of_one_birthday_are_refused() -> None:
    with pytest.raises(ValueError, match="one birthday"):
        identity_numbers(np.full(600, 510104), np.full(600, 0), np.ones(600, dtype=np.int64), 0, 1)


def test_who_finds_a_birthday_used_up_was_first_registered_elsewhere() -> None:
    area, birth, sex = np.full(600, 510104), np.full(600, 0), np.ones(600, dtype=np.int64)
    numbers = identity_numbers(area, birth, sex, 0, 1, [510722, 511302])
    assert len(set(numbers)) == 600
    assert sum(number.startswith("510104") for number in numbers) == 500
    assert all(is_sound(number) for number in numbers)


def test_the_old_form_leaves_out_the_century_and_the_check_character() -> None:
    assert to_fifteen(np.array(["510102193907120214"], dtype=object))[0] == "510102390712021"


@given(st.lists(st.integers(0, 5), max_size=40))
def test_ranks_count_each_group_in_order(groups: list[int]) -> None:
    ranks = ranks_within(np.array(groups, dtype=np.int64))
    assert [groups[:place].count(group) for place, group in enumerate(groups)] == ranks.tolist()
