"""How large a delivery must be, and may be, compared with the last accepted one of its kind.

A connector that loses half of a table, or an owner who sends half of a file, looks like any other delivery. The numbers
give it away.
"""

from __future__ import annotations

from ingest.contract import Entity

# Deliveries whose predecessor was smaller than this are not compared: a handful of rows more or less means nothing.
SMALLEST_COMPARED = 200
# So few records may vanish from a source at once, whatever their share.
VANISH_FLOOR = 10


def check_floor(entity: Entity, rows: int, rows_before: int | None) -> str | None:
    """Why a delivery of ``rows`` rows is refused after an accepted one of ``rows_before``, with both numbers.

    None when it is not: within the contract's ``floor`` and ``ceiling``, no predecessor, or a small one. The text says
    what is wrong, not what mends it (``mend_floor``), and begins with a number.
    """
    if rows_before is None or rows_before < SMALLEST_COMPARED:
        return None
    if rows < entity.floor * rows_before:
        return (
            f"{rows:,} rows of {entity.name} came, under {entity.floor:.0%} of the {rows_before:,} of the last "
            "accepted delivery"
        )
    if entity.ceiling is not None and rows > entity.ceiling * rows_before:
        return (
            f"{rows:,} rows of {entity.name} came, over {entity.ceiling:.0%} of the {rows_before:,} of the last "
            "accepted delivery"
        )
    return None


def mend_floor(entity: Entity) -> str:
    """What a person does about a delivery that ``check_floor`` refused."""
    return (
        f"ask the owner whether that is right; if it is, set floor or ceiling of {entity.name} in the contract "
        "for one landing"
    )


def vanished_too_many(entity: Entity, vanished: int, held: int, left: int) -> bool:
    """Whether more of ``held`` records vanished at once than the contract lets pass unseen; ``left`` at the owner."""
    return vanished > max(VANISH_FLOOR, entity.vanish_limit * held) or not left
