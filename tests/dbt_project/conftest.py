"""One work file for all case books: built once for a whole test session."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from case_book import build, read_cases
from rebuilt import Model, compiled_models

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def built_work_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The work file of all cases, built by dbt up to the findings and figures."""
    cases = [case for room in ("findings", "golden", "handovers") for case in read_cases(HERE / room / "cases")]
    return build(cases, tmp_path_factory.mktemp("case-books"))


@pytest.fixture(scope="session")
def candidate(built_work_file: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A reading connection to the built work file."""
    with duckdb.connect(str(built_work_file), read_only=True) as connection:
        yield connection


@pytest.fixture(scope="session")
def models(built_work_file: Path) -> list[Model]:
    """What dbt compiled for the work file of all cases, in the order of references."""
    return compiled_models(built_work_file.parent / "target")
