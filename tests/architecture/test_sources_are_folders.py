"""Law 1: a source is a folder and the folder is all of it; nothing else names the sources."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from warehouse.home import PROJECT

SOURCES = sorted(path.name for path in (PROJECT / "ingest" / "sources").iterdir() if (path / "contract.yml").exists())
ROOMS = ["rongtong", "ingest", "identity", "expectations", "warehouse", "dags", "dbt_project"]
OWN_FOLDERS = [
    PROJECT / "ingest" / "sources",
    PROJECT / "dbt_project" / "models" / "staging",
    PROJECT / "dbt_project" / "target",
]
# The demo is about the demo city's four systems; the street is not.
DEMO = {PROJECT / "rongtong" / "demo.py"}
# These names are also words of civil affairs (an event, a benefit) that rules must be free to use; the others are not.
ALSO_WORDS = {"marriage", "allowance", "funeral"}


def uses_of(source: str) -> list[str]:
    """Ways in which a file would name a source system."""
    ways = [
        rf"\b(stg|land|landing|source|read|import)_{source}",
        rf"\b{source}__",
        rf"conn_{source}",
        rf"sources[./]{source}",
    ]
    ways += [rf"(source_system|source_name|source)\W{{0,6}}(=|in)\W{{0,6}}{source}\b"]
    return ways if source in ALSO_WORDS else [*ways, rf"\b{source}\b"]


def files() -> list[Path]:
    found = []
    for room in ROOMS:
        for path in sorted((PROJECT / room).rglob("*")):
            own = any(folder in path.parents for folder in OWN_FOLDERS)
            if path.suffix in (".py", ".sql", ".yml", ".csv") and not own and path not in DEMO:
                found.append(path)
    return found


def test_the_four_sources_are_found() -> None:
    assert SOURCES == ["allowance", "eldercare", "funeral", "marriage"]


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(PROJECT)))
def test_no_other_file_names_a_source(path: Path) -> None:
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        for source in SOURCES:
            for way in uses_of(source):
                assert not re.search(way, line, re.IGNORECASE), f"{path.name}:{number} names {source}: {line.strip()}"
