"""Contracts are checked before anything is landed, and say in one sentence what is wrong."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from ingest.contract import ContractError, read_contract
from ingest.registry import SOURCES, contracts, read_source, schedules, source_names

GOOD = """
title: Library
owner: The library
release: shadow
freshness_days: 3
connector: {kind: database}
code_lists:
  kind: {loan: [借, "1"]}
entities:
  loan:
    title: One loan
    key: [id]
    record_id: "{id}"
    watermark: changed_at
    fields:
      id: {type: integer, required: true}
      kind: {type: code, codes: kind}
      changed_at: {type: timestamptz, required: true}
"""


def write(folder: Path, text: str) -> Path:
    source = folder / "library"
    source.mkdir()
    (source / "contract.yml").write_text(text, encoding="utf-8")
    return source


def test_every_source_has_a_contract_that_holds() -> None:
    assert [contract.source for contract in contracts()] == source_names()
    assert set(schedules()) == set(source_names())


def test_the_sources_are_the_folders(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    assert source_names(tmp_path) == ["library"]
    assert read_source("library", tmp_path).entity("loan").field("id").sql_type == "BIGINT"


def test_an_unknown_source_is_named_with_the_known_ones(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    with pytest.raises(ContractError, match="no source libary; the sources are library"):
        read_source("libary", tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        pytest.param("type: integer", "type: number", "entities/loan/fields/id/type", id="a type nobody knows"),
        pytest.param("owner: The library\n", "", '"owner" is a required property', id="no owner"),
        pytest.param("release: shadow", "relase: shadow", "relase", id="a misspelt word"),
        pytest.param("codes: kind}", "codes: kinds}", "code list kinds", id="a code list that is not defined"),
        pytest.param('[借, "1"]}', '["1"], back: ["1"]}', "two meanings", id="one word with two meanings"),
        pytest.param("key: [id]", "key: [number]", "names the field number", id="a key that is no field"),
        pytest.param('"{id}"', '"{_month}"', "builds record_id from _month", id="a record id from a file's place"),
        pytest.param("watermark: changed_at", "watermark: at", "names the field at", id="a watermark that is no field"),
        pytest.param(", codes: kind}", "}", "code without a code list", id="a code without words"),
        pytest.param("title: Library", "title: [", "no YAML", id="no YAML at all"),
        pytest.param("title: Library", "title: 2025-01-05", "title", id="a date where words are due"),
        pytest.param("title: Library", "title: Library\n2025: x", "2025", id="a name that is a number"),
        pytest.param("title: Library", "title: Library\n2025-01-05: x", "JSON", id="a name that is a date"),
        pytest.param("    key: [id]\n", "", "has no key", id="a database entity without a key"),
    ],
)
def test_a_wrong_contract_is_refused_in_one_sentence(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in GOOD
    source = write(tmp_path, GOOD.replace(old, new))
    with pytest.raises(ContractError) as caught:
        read_contract(source)
    assert said in str(caught.value)
    assert str(caught.value).startswith("library: ")
    assert "\n" not in str(caught.value)


def test_the_rules_of_judging_are_part_of_the_hash_and_titles_are_not(tmp_path: Path) -> None:
    before = read_contract(write(tmp_path, GOOD)).entity("loan").judging_hash
    file = tmp_path / "library" / "contract.yml"
    file.write_text(GOOD.replace("title: Library", "title: Town library"), encoding="utf-8")
    assert read_contract(file.parent).entity("loan").judging_hash == before
    file.write_text(GOOD.replace("[借,", "[借出, 借,"), encoding="utf-8")
    assert read_contract(file.parent).entity("loan").judging_hash != before


@pytest.mark.parametrize("sample", sorted(SOURCES.glob("*/sample/**/*.csv")), ids=lambda path: path.stem)
def test_every_sample_has_the_columns_of_its_contract(sample: Path) -> None:
    contract = read_source(sample.relative_to(SOURCES).parts[0])
    entity = contract.entity(sample.stem if contract.kind != "files" else sample.stem.split("_")[0])
    with sample.open(encoding="utf-8", newline="") as opened:
        header = next(csv.reader(opened))
    assert len(header) == len(entity.fields)
    assert all(name in field.headers for name, field in zip(header, entity.fields, strict=True))


@pytest.mark.parametrize("sample", sorted(SOURCES.glob("*/sample/*.json")), ids=lambda path: path.stem)
def test_every_sample_page_holds_what_its_contract_reads(sample: Path) -> None:
    contract = read_source(sample.relative_to(SOURCES).parts[0])
    item = json.loads(sample.read_text(encoding="utf-8"))["items"][0]
    for field in contract.entity(sample.stem).fields:
        value = item
        for key in field.path:
            assert key in value, f"{field.name} is not at {'.'.join(field.path)}"
            value = value[key]
