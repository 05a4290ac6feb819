"""The one way in which a landing says that a source cannot be landed."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class SourceError(Exception):
    """A source cannot be landed. The text is one sentence: source, place, what is wrong and what mends it.

    It never holds a password, a token or a value of a person.
    """

    def __init__(self, source: str, place: str, mend: str) -> None:
        super().__init__(f"{source}: {place}; {mend.rstrip('.')}.")
        self.source = source
        self.place = place
        self.mend = mend


def similar_name(name: str, candidates: Iterable[str]) -> str | None:
    """The candidate that looks most like ``name``, if one does: what a renamed column is probably called now."""
    folded = {candidate.lower().replace("_", ""): candidate for candidate in candidates}
    found = get_close_matches(name.lower().replace("_", ""), folded, n=1, cutoff=0.6)
    return folded[found[0]] if found else None
