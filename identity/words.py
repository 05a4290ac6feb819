"""Columns that take few values: the engine keeps such a word in a byte, where it declares them all."""

from __future__ import annotations

from collections.abc import Iterable


def enum(words: Iterable[str]) -> str:
    """SQL: the type of a column that holds one of ``words``; any other word is an error."""
    return f"ENUM({', '.join(f'{chr(39)}{word}{chr(39)}' for word in words)})"
