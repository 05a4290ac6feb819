"""Numbers of mentions, nodes and what they stand in, made of what these are: every day and part of the data agrees.

By MD5, not by the engine's own hash: that one gives two keys of one city the same number, when they differ in a few
digits. 63 bits of MD5: two of ten million share a number once in some 200,000 cities. Edges of equal weight are taken
in the order of their nodes, so neither what else arrived nor the engine's version may change a number.
"""

from __future__ import annotations

# The golden ratio of 2**64, an odd number without pattern.
_ODD = 0x9E3779B97F4A7C15


def content_id(text: str) -> str:
    """SQL: the number of this text; null for null."""
    return f"(md5_number_lower({text}) >> 1)::BIGINT"


def anchor_id(number: str) -> str:
    """SQL: the number of the node that owns this sound identity number; null for null.

    Most mentions have one, and MD5 is slow: its digits are a number already, which a product with an odd constant
    scatters over 63 bits, no two to one place. What has not its form is digested as any other text.
    """
    digits = f"TRY_CAST(substr({number}, 1, 17) AS BIGINT) * 12 + strpos('0123456789X', substr({number}, 18))"
    scattered = f"((({digits})::HUGEINT * {_ODD}) & {2**63 - 1})::BIGINT"
    return f"""CASE WHEN regexp_full_match({number}, '[0-9]{{17}}[0-9X]') THEN {scattered}
        ELSE {content_id(f"'anchor|' || {number}")} END"""
