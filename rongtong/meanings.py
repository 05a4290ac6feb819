"""What published tables and columns mean, in English and Chinese: said once, where dbt declares them."""

from __future__ import annotations

import yaml

from warehouse.comments import Meaning
from warehouse.home import PROJECT
from warehouse.rooms import RECORDS, ROOMS

MODELS = PROJECT / "dbt_project" / "models"
# The source under which dbt knows the tables that the publication itself appends to.
_RECORDS_SOURCE = "published"


def read_meanings() -> dict[str, Meaning]:
    """The meaning of every published table, by its name. Raises ``KeyError`` for a table that is not declared."""
    declared: dict[str, Meaning] = {}
    for file in sorted(MODELS.rglob("*.yml")):
        said = yaml.safe_load(file.read_text(encoding="utf-8"))
        tables = list(said.get("models") or [])
        for source in said.get("sources") or []:
            if source["name"] == _RECORDS_SOURCE:
                tables += source["tables"]
        for table in tables:
            columns = {column["name"]: column.get("description", "") for column in table.get("columns") or []}
            declared[table["name"]] = Meaning(table.get("description", ""), columns)
    built = {room.name: declared[room.relation.split(".")[-1]] for room in ROOMS}
    return built | {name: declared[name] for name in RECORDS}
