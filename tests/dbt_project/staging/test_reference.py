"""The reference tables say what the standards say."""

from __future__ import annotations

import csv
import unicodedata
from pathlib import Path

import pytest

SEEDS = Path(__file__).resolve().parents[3] / "dbt_project" / "seeds"


def seed(name: str) -> list[dict[str, str]]:
    """The rows of one seed."""
    with (SEEDS / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_private_use_characters_are_the_eighty_of_gb18030() -> None:
    rows = seed("private_use_characters")
    assert [int(row["code_point"], 16) for row in rows] == list(range(0xE815, 0xE865))
    for row in rows:
        assert chr(int(row["standard_code_point"], 16)) == row["standard_character"]
        # Python's table is that of 2005: it leaves a few of these bytes in the private-use area, and no other wrong.
        read = bytes.fromhex(row["gb18030_bytes"]).decode("gb18030")
        assert read in (row["standard_character"], chr(int(row["code_point"], 16)))
        assert unicodedata.category(row["standard_character"]) != "Co"


@pytest.mark.parametrize(("code_point", "character"), [("E863", "䶮"), ("E844", "䜣")])
def test_the_known_private_use_characters_are_repaired(code_point: str, character: str) -> None:
    (row,) = [row for row in seed("private_use_characters") if row["code_point"] == code_point]
    assert row["standard_character"] == character


def test_the_compatibility_characters_are_those_of_unicode() -> None:
    for row in seed("compatibility_characters"):
        character = chr(int(row["code_point"], 16))
        plain = "".join(chr(int(point, 16)) for point in row["plain_code_points"].split())
        assert unicodedata.normalize("NFKC", character) == plain, row["code_point"]
        assert unicodedata.normalize("NFC", character) != plain, row["code_point"]


def test_there_are_twenty_districts_three_zones_and_the_city() -> None:
    kinds = [row["kind"] for row in seed("districts")]
    assert (kinds.count("statutory"), kinds.count("zone"), kinds.count("city")) == (20, 3, 1)


def test_every_zone_shares_land_with_the_districts_that_its_owner_names() -> None:
    pairs = {(row["zone_district"], row["statutory_district"]) for row in seed("zone_lands")}
    assert pairs == {
        ("510171", "510116"),
        ("510109", "510107"),
        ("510109", "510116"),
        ("510109", "510117"),
        ("510173", "510185"),
        ("510173", "510112"),
    }


def test_no_area_is_both_retired_and_in_use() -> None:
    retired = {row["retired_area"] for row in seed("retired_areas")}
    in_use = {row["district"] for row in seed("districts")}
    assert not retired & in_use
    assert {row["district"] for row in seed("retired_areas")} <= in_use
    assert len(retired) == 15
