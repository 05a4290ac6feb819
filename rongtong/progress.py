"""Where a step's progress goes when an orchestrator runs it: to the task's log, and to listeners in this process."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

Listener = Callable[[int, int | None, str], None]

_listeners: list[Listener] = []
_LOG = logging.getLogger("rongtong.progress")
_LOG_EVERY_SECONDS = 10.0
_last_logged = 0.0


def listen(listener: Listener) -> None:
    """Let ``listener`` hear every progress report made in this process (the headless demo shows them as a bar)."""
    _listeners.append(listener)


def report(done: int, total: int | None, text: str) -> None:
    """Progress of the step at hand: counts and names of things, never a value of a person."""
    global _last_logged
    for listener in _listeners:
        listener(done, total, text)
    if time.monotonic() - _last_logged > _LOG_EVERY_SECONDS:
        _last_logged = time.monotonic()
        _LOG.info("%s: %s of %s", text, done, total if total is not None else "?")
