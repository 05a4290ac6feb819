"""How a landing tells its progress: rows or files done, of how many (none: unknown), and what is being done."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int | None, str], None]


def tell_nobody(done: int, total: int | None, text: str) -> None:
    """The progress listener of a caller that does not listen."""
