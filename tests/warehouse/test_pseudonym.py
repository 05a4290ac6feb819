"""Ids for other parties are keyed, one key per recipient."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from warehouse.pseudonym import KeyUnusable, pseudonym, recipient_key


def test_hmac_sm3_is_what_the_definition_says() -> None:
    key, text = b"k" * 32, "c_1"
    block = key.ljust(64, b"\0")
    inner = hashlib.new("sm3", bytes(b ^ 0x36 for b in block) + text.encode()).digest()
    assert pseudonym(key, text) == hashlib.new("sm3", bytes(b ^ 0x5C for b in block) + inner).hexdigest()


def test_a_key_is_made_once_and_differs_by_recipient(tmp_path: Path) -> None:
    first = recipient_key("microgrid", tmp_path)
    assert recipient_key("microgrid", tmp_path) == first
    assert recipient_key("one_stop", tmp_path) != first
    assert {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {0o600}
    assert pseudonym(first, "c_1") != pseudonym(recipient_key("one_stop", tmp_path), "c_1")


def test_a_key_may_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RONGTONG_HANDOVER_KEY_MICROGRID", "m" * 32)
    assert recipient_key("microgrid", None) == b"m" * 32
    monkeypatch.setenv("RONGTONG_HANDOVER_KEY_MICROGRID", "short")
    with pytest.raises(KeyUnusable, match="shorter") as refused:
        recipient_key("microgrid", tmp_path)
    assert "short'" not in str(refused.value)
    with pytest.raises(KeyUnusable, match="no key"):
        recipient_key("one_stop", None)
