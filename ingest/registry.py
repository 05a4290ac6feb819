"""The sources there are: the folders under ``ingest/sources`` that hold a contract, and nothing else."""

from __future__ import annotations

from pathlib import Path

from ingest.contract import Contract, ContractError, read_contract

SOURCES = Path(__file__).with_name("sources")


def source_names(folder: Path = SOURCES) -> list[str]:
    """Names of all sources, in alphabetical order."""
    return sorted(path.parent.name for path in folder.glob("*/contract.yml"))


def read_source(name: str, folder: Path = SOURCES) -> Contract:
    """The contract of one source. Raises ``ContractError`` for an unknown name or a wrong contract."""
    known = source_names(folder)
    if name not in known:
        raise ContractError(f"There is no source {name}; the sources are {', '.join(known) or 'none'}.")
    return read_contract(folder / name)


def contracts(folder: Path = SOURCES) -> list[Contract]:
    """The contracts of all sources. Raises ``ContractError`` when one is wrong."""
    return [read_contract(folder / name) for name in source_names(folder)]


def schedules(folder: Path = SOURCES) -> dict[str, str | None]:
    """Source → cron expression of its landing (none: started by hand)."""
    return {contract.source: contract.schedule for contract in contracts(folder)}
