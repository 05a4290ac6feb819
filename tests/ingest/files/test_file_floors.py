"""A file with far fewer rows than the last of its district and kind is refused with both numbers."""

from __future__ import annotations

from dataclasses import replace

import pytest
from district_folder import MEMBER, DistrictFolder, member, text


def members(count: int) -> bytes:
    return text([MEMBER, *[member(f"名{number}") for number in range(count)]])


def path(month: str, version: str = "", district: str = "510104") -> str:
    return f"{district}/{month}/member_{district}_{month}{version}.csv"


@pytest.mark.parametrize(
    ("later", "rows", "state"),
    [
        pytest.param(path("202504"), 239, "refused", id="under four fifths of the month before"),
        pytest.param(path("202504"), 240, "accepted", id="just four fifths of the month before"),
        pytest.param(path("202503", "_v2"), 239, "refused", id="a correction that lost a fifth"),
        pytest.param(path("202502"), 10, "accepted", id="an earlier month is compared with none later"),
        pytest.param(path("202504", district="510105"), 10, "accepted", id="another district"),
    ],
)
def test_a_shrunken_file_is_refused_with_both_numbers(
    district: DistrictFolder, later: str, rows: int, state: str
) -> None:
    district.land_one(members(300), path("202503"))
    facts, landed = district.land_one(members(rows), later)
    assert facts.state == state, facts.reason
    if state == "refused":
        assert facts.reason_code == "floor"
        assert "239 rows" in (facts.reason or "")
        assert "300" in (facts.reason or "")
        assert path("202503") in (facts.reason or "")
        assert not landed.rows("member")


def test_small_files_may_shrink(district: DistrictFolder) -> None:
    district.land_one(members(100), path("202503"))
    facts, _ = district.land_one(members(3), path("202504"))
    assert facts.state == "accepted", facts.reason


def test_within_one_landing_each_month_is_compared_with_the_one_before(district: DistrictFolder) -> None:
    for month, rows in (("202503", 300), ("202504", 200), ("202505", 290)):
        district.put(path(month), members(rows))
    landed = district.land()
    assert landed.accepted == [path("202503"), path("202505")]


def test_a_refused_file_is_read_again_when_the_contract_lowers_the_floor_and_only_then(
    district: DistrictFolder,
) -> None:
    district.land_one(members(300), path("202503"))
    district.land_one(members(100), path("202504"))
    assert not district.land().files
    agreed = [replace(entity, floor=0.3) for entity in district.contract.entities]
    district.contract = replace(district.contract, entities=tuple(agreed))
    assert district.land().accepted == [path("202504")]
    assert not district.land().files
