"""What an owner changed about a table without telling: types of columns, compared by family.

A longer text or a wider integer is no change of meaning. Anything else is: the delivery is refused until the contract
says which type is agreed now (``owner_type``).
"""

from __future__ import annotations

from collections.abc import Mapping

from ingest.contract import Entity

FAMILIES = {
    "text": (
        *("character varying", "varchar", "character", "char", "bpchar", "text", "citext", "name", "enum"),
        *("tinytext", "mediumtext", "longtext"),
    ),
    "integer": ("tinyint", "smallint", "mediumint", "int", "integer", "bigint"),
    "decimal": ("numeric", "decimal"),
    "floating": ("real", "float", "double", "double precision"),
    "local time": ("timestamp without time zone", "datetime"),
}
_FAMILY_OF = {kind: family for family, kinds in FAMILIES.items() for kind in kinds}


def family_of(kind: str) -> str:
    """The family of an owner's type; a type without family is its own."""
    name = kind.strip().lower().split("(")[0].strip()
    return _FAMILY_OF.get(name, name)


def changed_types(entity: Entity, types: Mapping[str, str], before: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Columns in use whose type changed, with the old and the new type.

    ``types``: the owner's type of every column now; ``before``: at the last accepted delivery. A contract that names
    the ``owner_type`` of a field outranks what was seen before: that is how a change is agreed to.
    """
    changed = []
    for field in entity.fields:
        old, new = field.owner_type or before.get(field.column), types.get(field.column)
        if old is not None and new is not None and family_of(old) != family_of(new):
            changed.append((field.column, old, new))
    return changed
