"""Extensions come from locked wheels: as installed they load at once, any other file must pass the engine's check."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path

import duckdb
import pytest

from warehouse.duck import connect, extension_file, is_as_installed, load_extension
from warehouse.home import PROJECT

NAMED = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
PREFIX = "duckdb-extension-"
NAMES = [said.split("==")[0].removeprefix(PREFIX).replace("-", "_") for said in NAMED if said.startswith(PREFIX)]


@pytest.mark.parametrize("name", NAMES)
def test_the_engine_itself_accepts_every_locked_wheel(name: str) -> None:
    with duckdb.connect(config={"autoinstall_known_extensions": False}) as engine:
        load_extension(engine, name)


@pytest.mark.parametrize("name", NAMES)
def test_every_locked_wheel_is_as_installed(name: str) -> None:
    assert is_as_installed(extension_file(name))


@pytest.fixture
def another_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of an installed wheel, in which the extension is found from now on."""
    package = extension_file("excel").parents[2]
    for folder in (package, *package.parent.glob(f"{package.name}-*.dist-info")):
        shutil.copytree(folder, tmp_path / folder.name)
    file = tmp_path / extension_file("excel").relative_to(package.parent)
    monkeypatch.syspath_prepend(tmp_path)
    assert extension_file("excel") == file
    return file


def test_a_changed_file_is_refused(another_wheel: Path) -> None:
    content = bytearray(another_wheel.read_bytes())
    content[len(content) // 2] ^= 1
    another_wheel.write_bytes(content)
    assert not is_as_installed(another_wheel)
    with pytest.raises(duckdb.IOException, match="signature"):
        connect(extensions=["excel"])


def test_a_file_without_a_record_must_pass_the_engines_check(another_wheel: Path) -> None:
    for record in another_wheel.parents[3].glob("*.dist-info/RECORD"):
        record.unlink()
    assert not is_as_installed(another_wheel)
    connect(extensions=["excel"]).close()


def test_nothing_else_loads_without_the_engines_check(another_wheel: Path) -> None:
    content = bytearray(another_wheel.read_bytes())
    content[len(content) // 2] ^= 1
    another_wheel.write_bytes(content)
    with connect(extensions=["icu"]) as engine:
        with pytest.raises(duckdb.IOException, match="signature"):
            engine.execute(f"LOAD '{another_wheel}'")
        with pytest.raises(duckdb.InvalidInputException):
            engine.execute("SET allow_unsigned_extensions = true")
