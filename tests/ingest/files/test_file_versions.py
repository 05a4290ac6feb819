"""Which file of a partition counts: the highest version that can be read, once, whatever the order of arrival."""

from __future__ import annotations

import itertools

import pytest
from district_folder import PAYMENT, DistrictFolder, payment, text

FOLDER = "510104/202503"
V1, V2, V3 = (f"{FOLDER}/payment_510104_202503{version}.csv" for version in ("", "_v2", "_v3"))
A, B, C = (text([PAYMENT, payment(1, amount)]) for amount in ("100", "200", "300"))
BAD = text([PAYMENT, payment(1), ["合计", "9笔"]])


def test_the_highest_version_replaces_the_earlier_ones(district: DistrictFolder) -> None:
    district.put(V1, A)
    district.put(V2, B)
    landed = district.land()
    assert landed.accepted == [V2]
    assert (landed[V1].state, landed[V1].reason_code) == ("ignored", "replaced")
    assert landed.values("payment", "_version") == [2]


def test_version_ten_is_higher_than_version_two(district: DistrictFolder) -> None:
    district.put(V2, B)
    district.put(f"{FOLDER}/payment_510104_202503_v10.csv", C)
    assert district.land().values("payment", "raw_amount") == ["300"]


def test_a_refused_correction_leaves_the_earlier_version(district: DistrictFolder) -> None:
    district.put(V1, A)
    district.put(V2, BAD)
    landed = district.land()
    assert landed.accepted == [V1]
    assert landed[V2].state == "refused"
    district.put(V3, BAD)
    again = district.land()
    assert again.accepted == []
    assert again[V3].state == "refused"


@pytest.mark.parametrize("order", list(itertools.permutations([(V1, A), (V2, B), (V3, C)])))
def test_the_highest_version_wins_in_any_order_of_arrival(
    district: DistrictFolder, order: tuple[tuple[str, bytes], ...]
) -> None:
    accepted: list[str] = []
    for path, content in order:
        district.put(path, content)
        accepted += district.land().accepted
    assert accepted[-1] == V3
    assert accepted == sorted(accepted)


@pytest.mark.parametrize("order", list(itertools.permutations([(V1, A), (V2, B), (V3, A)])))
@pytest.mark.parametrize("together", [pytest.param(1, id="one by one"), pytest.param(2, id="the last two together")])
def test_a_correction_taken_back_by_the_first_bytes_stays_taken_back(
    district: DistrictFolder, order: tuple[tuple[str, bytes], ...], together: int
) -> None:
    amounts: list[str] = []
    days = [order[:1], order[1:]] if together == 2 else [[drop] for drop in order]
    for drops in days:
        for path, content in drops:
            district.put(path, content)
        amounts += district.land().values("payment", "raw_amount")
    assert amounts[-1] == "100"


def test_a_file_seen_before_is_not_read_again(district: DistrictFolder) -> None:
    district.put(V1, A)
    district.put(V2, BAD)
    district.put(f"{FOLDER}/说明.txt", b"x")
    assert len(district.land().files) == 3
    assert district.land().files == []


def test_a_touched_file_is_not_a_new_delivery(district: DistrictFolder) -> None:
    district.put(V1, A)
    district.land()
    district.put(V1, A, age=60)
    assert district.land().files == []


def test_a_file_overwritten_in_place_is_read_again(district: DistrictFolder) -> None:
    district.put(V1, A)
    district.land()
    district.put(V1, B, age=60)
    assert district.land().values("payment", "raw_amount") == ["200"]


def test_a_mended_contract_reads_refused_files_again(district: DistrictFolder) -> None:
    from dataclasses import replace

    header = ["流水编号", *PAYMENT[1:]]
    district.put(V1, text([header, payment(1)]))
    assert district.land()[V1].reason_code == "missing_header"
    entities = tuple(
        replace(
            entity,
            judging_hash="mended",
            fields=tuple(
                replace(field, headers=(*field.headers, "流水编号")) if field.name == "payment_no" else field
                for field in entity.fields
            ),
        )
        for entity in district.contract.entities
    )
    district.contract = replace(district.contract, entities=entities)
    assert district.land().accepted == [V1]


@pytest.mark.parametrize("at_once", [True, False], ids=["dropped at once", "dropped one after the other"])
def test_the_same_bytes_under_another_name_are_ignored(district: DistrictFolder, at_once: bool) -> None:
    copy = f"{FOLDER}/payment_510104_202503 (1).csv"
    district.put(V1, A)
    landed = district.land() if not at_once else None
    district.put(V2, A)
    district.put(copy, A)
    landed = district.land()
    for path in (V2, copy):
        assert (landed[path].state, landed[path].reason_code) == ("ignored", "duplicate")
        assert V1 in (landed[path].reason or "")
    assert landed.accepted == ([V1] if at_once else [])


def test_the_same_bytes_in_another_partition_are_a_delivery(district: DistrictFolder) -> None:
    other = "510105/202503/payment_510105_202503.csv"
    later = "510104/202504/payment_510104_202504.csv"
    for path in (V1, other, later):
        district.put(path, A)
    assert sorted(district.land().accepted) == sorted([V1, other, later])


def test_a_version_that_goes_back_to_the_first_bytes_counts(district: DistrictFolder) -> None:
    district.put(V1, A)
    district.put(V2, B)
    district.put(V3, A)
    landed = district.land()
    assert landed.accepted == [V3]
    assert landed.values("payment", "raw_amount") == ["100"]


def test_two_contents_of_one_version_are_not_chosen_between_by_name(district: DistrictFolder) -> None:
    from district_folder import workbook

    district.put(V1, A, age=100)
    other = V1.replace(".csv", ".xlsx")
    district.put(other, workbook(("Sheet1", [PAYMENT, payment(1, "900")])), age=50)
    landed = district.land()
    assert landed.accepted == [V1]
    assert landed[other].reason_code == "same_version_twice"
    assert "version 2" in (landed[other].reason or "")


@pytest.mark.parametrize(
    "path",
    [
        "payment_510104_202503.csv",
        "510105/202503/payment_510104_202503.csv",
        "510104/202504/payment_510104_202503.csv",
        "510104/202513/payment_510104_202513.csv",
        "510104/202503/refund_510104_202503.csv",
        "510104/202503/payment_510104_202503.txt",
        "510104/202503/payment_510104_202503_final.csv",
        "510104/202503/sub/payment_510104_202503.csv",
        "510104/202503/发放表.xlsx",
    ],
)
def test_a_name_that_fits_no_form_is_refused(district: DistrictFolder, path: str) -> None:
    district.put(path, A)
    facts = district.land()[path]
    assert (facts.state, facts.reason_code) == ("refused", "unrecognised_name")
    assert path in (facts.reason or "")


def test_a_name_in_gb18030_is_shown(district: DistrictFolder) -> None:
    import os

    district.put(V1, A)
    with open(
        os.path.join(os.fsencode(district.root), b"510104", b"202503", "发放.doc".encode("gb18030")), "wb"
    ) as file:
        file.write(b"x")
    old = 1_700_000_000
    os.utime(os.path.join(os.fsencode(district.root), b"510104", b"202503", "发放.doc".encode("gb18030")), (old, old))
    assert district.land()[f"{FOLDER}/发放.doc"].state == "refused"


def test_scratch_files_of_programs_are_ignored(district: DistrictFolder) -> None:
    for name in ("~$payment_510104_202503.xlsx", ".DS_Store", "Thumbs.db"):
        district.put(f"{FOLDER}/{name}", b"x")
    assert {facts.state for facts in district.land().files} == {"ignored"}


def test_letter_case_of_a_name_does_not_matter(district: DistrictFolder) -> None:
    district.put(f"{FOLDER}/Payment_510104_202503_V2.CSV", B)
    facts = district.land().files[0]
    assert (facts.state, facts.kind, facts.version) == ("accepted", "payment", 2)


def test_chunks_are_bounded_by_files(district: DistrictFolder) -> None:
    for number in range(150):
        code = f"51{number:04d}"
        district.put(f"{code}/202503/payment_{code}_202503.csv", text([PAYMENT, payment(number)]))
    landed = district.land()
    assert landed.chunks >= 3
    assert len(landed.accepted) == 150
