"""Digests of rows that tell two rows apart, in SQL and at the engine's speed.

The engine's ``hash`` alone does not. It mixes a text of more than twelve bytes eight at a time, and what changes at the
end of one such word can be undone by the beginning of the next: of a million structured keys (a district, a year, a
person's number, a role) one in five shared its 64 bits with another key at some alignments. Moved by three bytes the
same text is cut into other words; of the pairs that agree at one alignment none agreed at both.
MD5 would do as well and costs about a microsecond a row more.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

# Prime to the eight bytes of a word, so that no word of the one reading is a word of the other.
SHIFT = "'abc' || "


def digest(values: Sequence[str], texts: Iterable[str]) -> str:
    """SQL (UBIGINT) of a digest of ``values``; ``texts``, those of them that are texts, are digested once more, moved.

    Both are SQL expressions. A null differs from every value; order matters.
    """
    return f"hash({', '.join([*values, *(f'{SHIFT}{text}' for text in texts)])})"


def text_digest(text: str) -> str:
    """SQL (UBIGINT) of a digest of one text."""
    return digest([text], [text])


def if_long(text: str) -> str:
    """SQL: the text if it has more than twelve bytes, else null: a shorter one the engine's own hash tells from every
    other, and it need not be digested once more.
    """
    return f"CASE WHEN strlen({text}) > 12 THEN {text} END"


def digest_of_types(values: Sequence[tuple[str, str]]) -> str:
    """SQL (UBIGINT) of a digest of (expression, type) pairs; a list or record that holds texts is read as a text."""
    texts = [
        expression if kind.upper() == "VARCHAR" else f"CAST({expression} AS VARCHAR)"
        for expression, kind in values
        if "VARCHAR" in kind.upper() or "JSON" in kind.upper() or "BLOB" in kind.upper()
    ]
    return digest([expression for expression, _ in values], texts)
