"""What the documents tell a person to type works, word for word."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from warehouse.home import PROJECT

BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project, with the command beside it."""
    copy = tmp_path_factory.mktemp("tree") / "rongtong"
    left_out = shutil.ignore_patterns(".git", ".venv", ".uv", "var", "target", "__pycache__", "*_cache", ".hypothesis")
    shutil.copytree(PROJECT, copy, ignore=left_out)
    command = copy.parent / "bin" / "rongtong"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m rongtong.cli "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    return copy


@pytest.mark.heavy
@pytest.mark.parametrize("document", ["add-a-source.md", "operations.md"])
def test_the_commands_of_a_document_run_word_for_word(document: str, tree: Path) -> None:
    blocks = BLOCK.findall((PROJECT / "docs" / document).read_text(encoding="utf-8"))
    assert blocks
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_CONN_")}
    environment |= {
        "PATH": f"{tree.parent / 'bin'}{os.pathsep}{environment['PATH']}",
        "PYTHONPATH": str(tree),
        "RONGTONG_HOME": str(tree.parent / "home"),
    }
    ended = subprocess.run(
        ["bash", "-e", "-c", "".join(blocks)], cwd=tree, env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr[-3000:]
    print(ended.stdout)
