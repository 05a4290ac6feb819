"""Characters arrive as they were sent, whatever the encoding; what fits no encoding is refused."""

from __future__ import annotations

import codecs

import pytest
from district_folder import MEMBER, MEMBER_FILE, DistrictFolder, member, text

NAMES = ["𠅤", "䶮㛃", "阿依古丽·买买提", "张　三", "赵,钱", '孙"小"李', "龴龵", "\ue863", "𬌗"]


@pytest.mark.parametrize("encoding", ["gb18030", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("line_end", ["\r\n", "\n", "\r"])
def test_rare_characters_survive_every_encoding(district: DistrictFolder, encoding: str, line_end: str) -> None:
    names = [name for name in NAMES if not (encoding == "gb18030" and name == "\ue863")]
    content = text([MEMBER, *map(member, names)], encoding, line_end)
    facts, landed = district.land_one(content, MEMBER_FILE)
    assert facts.state == "accepted", facts.reason
    assert landed.values("member", "raw_name") == names
    assert landed.values("member", "_row") == list(range(2, len(names) + 2))


def test_big_endian_with_mark_is_read(district: DistrictFolder) -> None:
    content = codecs.BOM_UTF16_BE + text([MEMBER, member("𠅤")], "utf-16-be")
    facts, landed = district.land_one(content, MEMBER_FILE)
    assert facts.encoding == "utf-16"
    assert landed.values("member", "raw_name") == ["𠅤"]


def test_gb18030_is_read_as_the_edition_of_2022(district: DistrictFolder) -> None:
    content = text([MEMBER, member("@@")]).replace(b"@@", b"\xfe\x59\xfe\x51\xa6\xd9")
    _, landed = district.land_one(content, MEMBER_FILE)
    assert landed.values("member", "raw_name") == ["\u9fb4\U00020087\ufe10"]


def test_private_use_characters_in_utf_8_are_kept_for_staging_to_repair(district: DistrictFolder) -> None:
    _, landed = district.land_one(text([MEMBER, member("\ue863")], "utf-8"), MEMBER_FILE)
    assert landed.values("member", "raw_name") == ["\ue863"]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(text([MEMBER, member()]) + b"\xff\xff", id="bytes that are no GB18030"),
        pytest.param(codecs.BOM_UTF8 + text([MEMBER, member()], "gb18030"), id="a UTF-8 mark before GB18030"),
        pytest.param(text([MEMBER, member()], "utf-16")[:-1], id="UTF-16 cut inside a character"),
    ],
)
def test_text_that_fits_no_encoding_is_refused(district: DistrictFolder, content: bytes) -> None:
    facts, _ = district.land_one(content, MEMBER_FILE)
    assert (facts.state, facts.reason_code) == ("refused", "encoding")
    assert facts.reason is not None
    assert facts.reason.startswith(MEMBER_FILE)


def test_the_delivered_bytes_are_kept_by_digest(district: DistrictFolder) -> None:
    content = text([MEMBER, member()])
    facts, _ = district.land_one(content, MEMBER_FILE)
    kept = district.home.landing / "allowance" / "raw" / (facts.raw_file or "")
    assert kept.read_bytes() == content
    assert facts.content_hash is not None
    assert facts.content_hash in kept.name
