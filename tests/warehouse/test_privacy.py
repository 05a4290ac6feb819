"""Nothing personal in the published lake; nothing readable in the restricted one without its key."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from invented_candidate import NAMES, build_candidate, personal_values
from privacy_scan import files_with, personal_values_published

from warehouse import lake
from warehouse.duck import connect
from warehouse.home import Home
from warehouse.lake import KEY_VARIABLE, LakeUnusable, Snapshot


def values(tmp_path: Path) -> list[str]:
    return personal_values(build_candidate(tmp_path / "values.duckdb", "r"))


def test_the_published_lake_holds_no_name_and_no_number(
    home: Home, publish_run: Callable[..., Snapshot], tmp_path: Path
) -> None:
    publish_run()
    assert personal_values_published(home, values(tmp_path)) == {}


def test_the_scan_finds_a_name_that_was_published(home: Home, publish_run: Callable[..., Snapshot]) -> None:
    publish_run(f"UPDATE golden.citizens SET marital_status = 'wife of {NAMES[0]}' WHERE birth_year = 1931")
    found = personal_values_published(home, NAMES)
    assert found["citizens.marital_status"] == 1


def test_no_byte_of_the_restricted_lake_tells_a_value(
    home: Home, publish_run: Callable[..., Snapshot], tmp_path: Path
) -> None:
    publish_run()
    publish_run("DELETE FROM golden.citizen_attributes WHERE source_record_id = '3'")
    files = [file for file in home.restricted.rglob("*") if file.is_file()]
    assert len(files) > 3
    assert files_with(home.restricted, [*values(tmp_path), "id_no", "civil", "citizen_identifiers"]) == {}
    for file in home.restricted.rglob("*.parquet"):
        # PARE is the mark of an encrypted file's footer.
        assert file.read_bytes()[:4] == b"PARE"
        with duckdb.connect() as connection, pytest.raises(duckdb.Error):
            connection.execute(f"FROM read_parquet('{file}')").fetchall()


def test_the_restricted_lake_is_for_its_owner_only(home: Home, publish_run: Callable[..., Snapshot]) -> None:
    publish_run()
    assert home.restricted.stat().st_mode & 0o777 == 0o700
    assert (home.root / "restricted.key").stat().st_mode & 0o777 == 0o600


def test_without_its_key_the_restricted_lake_stays_closed(
    home: Home, publish_run: Callable[..., Snapshot], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    publish_run()
    thief = Home(tmp_path / "copy")
    shutil.copytree(home.restricted, thief.restricted)
    with connect() as connection, pytest.raises(LakeUnusable, match="key of the restricted lake is gone"):
        lake.attach_restricted(connection, thief)
    monkeypatch.setenv(KEY_VARIABLE, "a guess that is wrong")
    with connect() as connection, pytest.raises(LakeUnusable, match="the key is wrong"):
        lake.attach_restricted(connection, thief)
    monkeypatch.setenv(KEY_VARIABLE, (home.root / "restricted.key").read_text())
    with lake.open_restricted(thief) as connection:
        found = connection.execute("SELECT count(*) FROM restricted.civil.citizen_identifiers").fetchall()
    assert found == [(60,)]
