"""Days as whole numbers since 1970-01-01, the form in which the city keeps every date; -1 << 30 means never."""

from __future__ import annotations

from datetime import date

import numpy as np

from simulation.names import Numbers, Text

NEVER = -(1 << 30)


def day(year: int, month: int = 1, dom: int = 1) -> int:
    """The day number of a calendar date."""
    return (date(year, month, dom) - date(1970, 1, 1)).days


def year_of(days: Numbers) -> Numbers:
    """Calendar years."""
    return np.asarray(days.astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64) + 1970)


def month_of(days: Numbers) -> Numbers:
    """Months since January 1970."""
    return np.asarray(days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64))


def first_day(months: Numbers) -> Numbers:
    """The first day of months counted since January 1970."""
    return np.asarray(months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64))


def iso_days(days: Numbers) -> Text:
    """ISO dates as text."""
    return np.datetime_as_string(days.astype("datetime64[D]")).astype(object)


def iso_months(months: Numbers) -> Text:
    """Months as text, ``2025-03``."""
    return np.datetime_as_string(months.astype("datetime64[M]")).astype(object)


def birthday_after(birth: Numbers, years: int) -> Numbers:
    """The day on which people born on ``birth`` turn ``years`` (29 February becomes 1 March)."""
    dates = birth.astype("datetime64[D]")
    months = dates.astype("datetime64[M]")
    offset = (dates - months.astype("datetime64[D]")).astype(np.int64)
    return np.asarray(first_day(months.astype(np.int64) + 12 * years) + offset)


def lunar_reading(rng: np.random.Generator, birth: Numbers) -> Numbers:
    """A birthday as its lunar month and day would read on the solar calendar: three to seven weeks earlier."""
    return birth - rng.integers(20, 50, len(birth))
