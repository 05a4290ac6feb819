"""Numbers of mentions, nodes and what they stand in, made of what these are: every day and part of the data agrees.

By MD5, not by the engine's own hash: that one gives two keys of one city the same number, when they differ in a few
digits. 63 bits of MD5: two of ten million share a number once in some 200,000 cities. Edges of equal weight are taken
in the order of their nodes, so neither what else arrived nor the engine's version may change a number.
"""

from __future__ import annotations


def content_id(text: str) -> str:
    """SQL: the number of this text; null for null."""
    return f"(md5_number_lower({text}) >> 1)::BIGINT"
