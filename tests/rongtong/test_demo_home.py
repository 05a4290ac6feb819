"""The demo keeps cities apart: one home, one city."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def test_another_city_in_a_home_that_holds_one_is_refused_in_one_sentence(rongtong: Any, tmp_path: Path) -> None:
    home = tmp_path / "var"
    (home / "landing" / "marriage").mkdir(parents=True)
    for command in ("demo", "airflow"):
        ended = rongtong(home, command, "--persons", "300", "--seed", "7")
        assert ended.code == 2
        assert "name a home of its own, for example RONGTONG_HOME=./var-300-7" in ended.err
        assert "Traceback" not in ended.err
    assert not (home / "demo").exists()
