"""Who looked at values of persons, when and at what: one line a look, never a value. Kept three years or more."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from warehouse.home import Home

ACCESS_LOG = "access.jsonl"
KEYS_NOTED = 100


def note_access(home: Home, folder: Path, action: str, keys: Sequence[str]) -> None:
    """Append one line to ``access.jsonl`` of a room's private ``folder``: ``keys`` name rows and hold no value."""
    file = home.private_folder(folder) / ACCESS_LOG
    line = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "user_id": os.getuid(),
        "action": action,
        "rows": len(keys),
        "keys": list(keys)[:KEYS_NOTED],
    }
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(handle, (json.dumps(line, ensure_ascii=False) + "\n").encode())
    finally:
        os.close(handle)
