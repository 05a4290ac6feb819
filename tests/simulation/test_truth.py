"""The truth's rules on cases small enough to check by hand."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from simulation.allowance import LIVING, NURSING, OLD_AGE, PRICE, TEKUN, URBAN, Paid, covered_months
from simulation.calendar import birthday_after, day, month_of
from simulation.tables import Frame
from simulation.truth import (
    Case,
    exclusive_benefits,
    join_months,
    join_weeks,
    paid_by_two_numbers,
    same_benefit_two_districts,
)

MARCH = int(month_of(np.array([day(2025, 3)]))[0])


def on(year: int, month: int, dom: int) -> int:
    return (date(year, month, dom) - date(1970, 1, 1)).days


def paid(**columns: list[object]) -> Paid:
    count = len(columns["fen"])
    base: dict[str, list[object]] = {
        "person": [1] * count, "household": [-1] * count, "benefit": [OLD_AGE] * count, "district": ["510104"] * count,
        "folder": [2] * count, "first": [MARCH] * count, "months": [1] * count, "payment_no": ["p"] * count,
        "counts": [True] * count, "record": ["r"] * count, "name": ["甲"] * count, "number": [""] * count,
        "account": [""] * count, "sound": [True] * count,
    }  # fmt: skip
    numbers = {name: np.array(values) for name, values in (base | columns).items()}
    for name in ("district", "payment_no", "record", "name", "number", "account"):
        numbers[name] = numbers[name].astype(object)
    return Paid(**numbers)


def covered(rows: list[tuple[int, int, int, int, str]]) -> Frame:
    """Rows of (person, benefit, month, fen, district)."""
    person, benefit, month, fen, district = zip(*rows, strict=True)
    return {
        "person": np.array(person), "household": np.full(len(rows), -1), "benefit": np.array(benefit),
        "month": np.array(month), "fen": np.array(fen), "district": np.array(district, dtype=object),
        "sound": np.full(len(rows), True),
    }  # fmt: skip


def test_an_amount_is_split_to_the_fen_and_the_last_month_takes_the_remainder() -> None:
    months = covered_months(paid(fen=[10001], months=[3]))
    assert months["fen"].tolist() == [3333, 3333, 3335]
    assert months["month"].tolist() == [MARCH, MARCH + 1, MARCH + 2]


def test_a_failed_payment_covers_no_month() -> None:
    assert covered_months(paid(fen=[100, 200], counts=[False, True]))["fen"].tolist() == [200]


def test_consecutive_months_of_one_case_are_one_finding_and_a_gap_makes_two() -> None:
    cases = [Case("rule", 1, -1, month, 100) for month in (MARCH, MARCH + 1, MARCH + 3)]
    spans = join_months(cases)
    assert [(span.first, span.last, span.fen) for span in spans] == [
        (on(2025, 3, 1), on(2025, 4, 30), 200),
        (on(2025, 6, 1), on(2025, 6, 30), 100),
    ]


def test_a_finding_is_certain_only_if_every_month_of_it_is() -> None:
    spans = join_months([Case("rule", 1, -1, MARCH, 1, True), Case("rule", 1, -1, MARCH + 1, 1, False)])
    assert [span.certain for span in spans] == [False]


def test_weeks_run_from_monday_to_sunday() -> None:
    week = (on(2025, 3, 5) + 3) // 7
    (span,) = join_weeks([Case("rule", 1, -1, week), Case("rule", 1, -1, week + 1)])
    assert (span.first, span.last) == (on(2025, 3, 3), on(2025, 3, 16))


@pytest.mark.parametrize(
    ("rows", "months"),
    [
        pytest.param(
            [(1, OLD_AGE, 5, 9, "510104"), (1, OLD_AGE, 5, 7, "510105")], [(5, 7)], id="two districts, one month"
        ),
        pytest.param(
            [(1, OLD_AGE, 5, 9, "510104"), (1, OLD_AGE, 6, 7, "510105")], [], id="handed over to the next month"
        ),
        pytest.param([(1, LIVING, 5, 9, "510104"), (1, NURSING, 5, 7, "510105")], [], id="two different benefits"),
        pytest.param([(1, OLD_AGE, 5, 9, "510104"), (2, OLD_AGE, 5, 7, "510105")], [], id="two people"),
        pytest.param([(1, PRICE, 5, 9, "510104"), (1, PRICE, 5, 7, "510105")], [(5, 7)], id="price subsidies too"),
    ],
)
def test_same_benefit_in_two_districts(
    rows: list[tuple[int, int, int, int, str]], months: list[tuple[int, int]]
) -> None:
    assert [(case.place, case.fen) for case in same_benefit_two_districts(covered(rows))] == months


@pytest.mark.parametrize(
    ("benefits", "fires"),
    [
        pytest.param([TEKUN, URBAN], True, id="support of the extremely poor with dibao"),
        pytest.param([TEKUN, NURSING], True, id="support of the extremely poor with a disability subsidy"),
        pytest.param([TEKUN, OLD_AGE], False, id="support of the extremely poor with the allowance of the very old"),
        pytest.param([URBAN, LIVING], False, id="dibao with a disability subsidy"),
    ],
)
def test_exclusive_benefits(benefits: list[int], fires: bool) -> None:
    rows = [(1, benefit, 5, 100, "510104") for benefit in benefits]
    assert bool(exclusive_benefits(covered(rows))) is fires


def test_a_finding_whose_payee_nobody_can_tell_is_not_certain() -> None:
    rows = covered([(1, OLD_AGE, 5, 9, "510104"), (1, OLD_AGE, 5, 7, "510105")])
    rows["sound"] = np.array([True, False])
    assert [case.certain for case in same_benefit_two_districts(rows)] == [False]


ONE, OTHER = "510122196907086086", "510122196706179315"


@pytest.mark.parametrize(
    ("numbers", "found"),
    [
        pytest.param([ONE, ONE, OTHER, OTHER], {1: True}, id="each number on several payments"),
        pytest.param([ONE, ONE, OTHER], {1: False}, id="one of them once"),
        pytest.param([ONE, ONE, ONE[:15] + "000"], {}, id="a tail of noughts"),
        pytest.param([ONE, ONE.lower(), ""], {}, id="one number and none"),
        pytest.param([OTHER, OTHER], {1: False}, id="a number not their own, several times"),
        pytest.param([OTHER], {}, id="a number not their own, once"),
    ],
)
def test_who_is_paid_by_two_numbers(numbers: list[object], found: dict[int, bool]) -> None:
    rows = paid(fen=[1] * len(numbers), number=numbers, account=["62"] * len(numbers))
    assert paid_by_two_numbers(rows, own=["", ONE]) == found


def test_who_was_born_on_a_leap_day_turns_eighty_on_a_leap_day_or_the_first_of_march() -> None:
    assert birthday_after(np.array([on(1944, 2, 29)]), 80).tolist() == [on(2024, 2, 29)]
    assert birthday_after(np.array([on(1944, 2, 29)]), 81).tolist() == [on(2025, 3, 1)]
