"""Ids handed to other parties: keyed HMAC-SM3, one key per recipient, so that no two can put their files together.

The key of a recipient is ``RONGTONG_HANDOVER_KEY_<RECIPIENT>`` or, without it, the file ``handover_<recipient>.key`` of
the home (0600, made on first use). Whoever holds a key and the list of citizen ids can undo its pseudonyms: keep it as
the restricted key is kept. With a new key every pseudonym of that recipient changes.
"""

from __future__ import annotations

import hmac
import os
import re
import secrets
from pathlib import Path

KEY_VARIABLE = "RONGTONG_HANDOVER_KEY_"
FOLDER_VARIABLE = "RONGTONG_HANDOVER_KEY_FOLDER"
SHORTEST_KEY = 32


class KeyUnusable(RuntimeError):
    """A recipient has no key, or one that is too short; the message never holds it."""


def recipient_key(recipient: str, folder: Path | None) -> bytes:
    """The key of ``recipient``; made in ``folder`` when there is none yet. Raises ``KeyUnusable``."""
    variable = KEY_VARIABLE + recipient.upper()
    if not re.fullmatch(r"[a-z][a-z0-9_]*", recipient):
        raise KeyUnusable(f"a recipient is named in lower-case letters, not {recipient!r}.")
    if said := os.environ.get(variable):
        return _long_enough(said.encode(), variable)
    if folder is None:
        raise KeyUnusable(f"the recipient {recipient} has no key; set {variable} or {FOLDER_VARIABLE}.")
    file = folder / f"handover_{recipient}.key"
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _long_enough(file.read_bytes().strip(), str(file))
    with os.fdopen(descriptor, "w", encoding="ascii") as made:
        made.write(key := secrets.token_urlsafe(48))
    return key.encode()


def _long_enough(key: bytes, place: str) -> bytes:
    if len(key) < SHORTEST_KEY:
        raise KeyUnusable(f"the key in {place} is shorter than {SHORTEST_KEY} characters; make a new one.")
    return key


def pseudonym(key: bytes, citizen_id: str) -> str:
    """The id under which a recipient knows a citizen: 64 hexadecimal digits."""
    return hmac.new(key, citizen_id.encode(), "sm3").hexdigest()
