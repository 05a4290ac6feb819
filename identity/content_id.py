"""Numbers of mentions and nodes made of what they are, so that every day and every part of the data agrees on them.

63 bits: two of ten million share a number once in some 200,000 cities.
"""

from __future__ import annotations


def mention_id(key: str) -> str:
    """SQL: the number of the mention with this key. Another version of the engine may give another: nothing rests on
    its order but which mention names a pair."""
    return f"(hash({key}) >> 1)::BIGINT"


def node_id(key: str) -> str:
    """SQL: the number of the node that this text makes one, by MD5: edges of equal weight are taken in the order of
    their nodes, so neither what else arrived nor the engine's version may change it."""
    return f"(md5_number_lower({key}) >> 1)::BIGINT"
