"""An owner's database as tests order it about."""

from __future__ import annotations

from collections.abc import Callable


class OwnerDatabase:
    """An owner's database: ``execute`` as the owner, ``uri`` for us."""

    def __init__(self, kind: str, uri: str, execute: Callable[[str], None]) -> None:
        self.kind = kind
        self.uri = uri
        self.execute = execute
