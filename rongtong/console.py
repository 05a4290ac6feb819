"""How a long step shows itself: a live bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn

ProgressCallback = Callable[[int, int | None, str], None]

PLAIN_LINE_EVERY_SECONDS = 5.0


class Reporter:
    """Shows steps on ``console``; with ``quiet`` standard output stays free for JSON and steps go to standard error."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.console = Console(stderr=quiet, highlight=False, soft_wrap=True)
        self.started = time.monotonic()

    @contextmanager
    def step(self, title: str, ended_well: Callable[[], bool] = lambda: True) -> Iterator[ProgressCallback]:
        """Show one step from start to end; the callback takes (done, total or None, what is being done).

        ``ended_well`` is asked at the end of a step that can fail without an exception.
        """
        began = time.monotonic()
        shown = self._live(title) if self.console.is_terminal else self._plain(title)
        with shown as callback:
            try:
                yield callback
            except BaseException:
                self._ended(title, began, well=False)
                raise
        self._ended(title, began, well=ended_well())

    def _ended(self, title: str, began: float, *, well: bool) -> None:
        mark = "[green]✓[/]" if well else "[red]✗[/]"
        self.console.print(f"{mark} {title}  [dim]{time.monotonic() - began:.1f} s[/]")

    @contextmanager
    def _live(self, title: str) -> Iterator[ProgressCallback]:
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            TextColumn("[dim]{task.fields[text]}"),
        )
        with Progress(*columns, console=self.console, transient=True) as bars:
            task = bars.add_task(title, total=None, text="")

            def advance(done: int, total: int | None, text: str) -> None:
                bars.update(task, completed=done, total=total, text=text)

            yield advance

    @contextmanager
    def _plain(self, title: str) -> Iterator[ProgressCallback]:
        last = time.monotonic()

        def advance(done: int, total: int | None, text: str) -> None:
            nonlocal last
            if time.monotonic() - last >= PLAIN_LINE_EVERY_SECONDS:
                last = time.monotonic()
                of = f" of {total:,}" if total else ""
                self.console.print(f"  {title}: {done:,}{of} {text}")

        yield advance

    def say(self, text: str) -> None:
        """One line for a person."""
        self.console.print(text)


def complain(sentence: str) -> None:
    """One sentence on standard error: what is wrong, where, and the mend."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(f"[red]rongtong:[/] {sentence}")
    sys.stderr.flush()
