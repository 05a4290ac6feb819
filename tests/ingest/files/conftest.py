"""A district folder for every test."""

from __future__ import annotations

from pathlib import Path

import pytest
from district_folder import DistrictFolder


@pytest.fixture
def district(tmp_path: Path) -> DistrictFolder:
    """An empty folder and a home of its own."""
    return DistrictFolder.create(tmp_path)
