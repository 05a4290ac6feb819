"""The generic door: any table of person records, in Latin or Han script, in any order, with whatever columns."""

from __future__ import annotations

import datetime as dt
import random
import re
import resource
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from invented_mentions import sound_number
from invented_tables import Rows, han_people, latin_people, pairwise_f1, write_table

from identity.link import ConfigurationUnusable, LinkResult, TableUnusable, link_table


def link(tmp_path: Path, rows: Rows, configuration: str | None = None) -> tuple[LinkResult, dict[Any, str]]:
    """Link rows; the result and the cluster of every record."""
    file, output = write_table(rows, tmp_path / "people.parquet"), tmp_path / "linked.parquet"
    settings = None
    if configuration is not None:
        settings = tmp_path / "settings.yml"
        settings.write_text(configuration, encoding="utf-8")
    result = link_table(file, output, settings)
    return result, {row["record_id"]: row["cluster_id"] for row in pq.read_table(output).to_pylist()}


def test_latin_records_find_each_other_without_training_data(tmp_path: Path) -> None:
    rows, truth = latin_people(400, seed=3)
    result, _ = link(tmp_path, rows)
    assert result.script == "latin"
    assert pairwise_f1(tmp_path / "linked.parquet", truth) >= 0.995


def test_han_records_find_each_other_without_training_data(tmp_path: Path) -> None:
    rows, truth = han_people(300, seed=3)
    result, _ = link(tmp_path, rows)
    assert result.script == "han"
    assert pairwise_f1(tmp_path / "linked.parquet", truth) >= 0.99


@pytest.mark.parametrize("people", [latin_people, han_people], ids=["latin names", "han names"])
def test_the_order_of_rows_changes_nothing(tmp_path: Path, people: Any) -> None:
    rows, _ = people(120, seed=5)
    link(tmp_path, rows)
    first = pq.read_table(tmp_path / "linked.parquet")
    random.Random(1).shuffle(rows)
    link(tmp_path, rows)
    assert pq.read_table(tmp_path / "linked.parquet").equals(first)


def test_dates_in_many_forms_are_one_day(tmp_path: Path) -> None:
    forms = ["1956-04-09", "19560409", "09.04.1956", "9/4/1956", "1956年4月9日", "9 Apr 1956", "1956-04-09 00:00:00"]
    rows = [{"record_id": n, "name": "Ann Lee", "dob": form} for n, form in enumerate(forms)]
    _, clusters = link(tmp_path, [*rows, {"record_id": 99, "name": "Ann Lee", "dob": "1930-11-23"}])
    assert {clusters[n] for n in range(len(forms))} == {"0"}
    assert clusters[99] == "99"


def test_numbers_that_a_spreadsheet_made_fractions_are_whole(tmp_path: Path) -> None:
    table = pa.table({"record_id": [1, 2], "name": ["Ann Lee"] * 2, "dob": [19560409.0, 19560409.0],
                      "postcode": [2119.0, float("nan")]})  # fmt: skip
    pq.write_table(table, tmp_path / "people.parquet")
    link_table(tmp_path / "people.parquet", tmp_path / "linked.parquet")
    assert len(set(pq.read_table(tmp_path / "linked.parquet")["cluster_id"].to_pylist())) == 1


def test_accents_and_apostrophes_do_not_part_people(tmp_path: Path) -> None:
    born = dt.date(1956, 4, 9)
    rows = [
        {"record_id": "a", "given_name": "Zoë", "surname": "O'Brien", "birth_date": born},
        {"record_id": "b", "given_name": "ZOE", "surname": "obrien", "birth_date": born},
    ]
    _, clusters = link(tmp_path, rows)
    assert clusters["a"] == clusters["b"]


def test_names_in_another_alphabet_stay_apart(tmp_path: Path) -> None:
    rows = [
        {"record_id": "a", "name": "Иван Петров", "birth_date": "1956-04-09"},
        {"record_id": "b", "name": "Ольга Смирнова", "birth_date": "1956-04-09"},
    ]
    _, clusters = link(tmp_path, rows)
    assert clusters["a"] != clusters["b"]


def test_chinese_twins_are_two_people(tmp_path: Path) -> None:
    rows, _ = han_people(100, seed=9)
    shared = {"birth_date": "1988-05-05", "phone": "13911112222", "address": "青羊区东街7号3栋", "sex": "女"}
    numbers = [sound_number(dt.date(1988, 5, 5), sequence) for sequence in (22, 24)]
    for twin, number in zip("明朋", numbers, strict=True):
        rows.append({"record_id": f"w/{twin}", "source": "registry", "name": f"王小{twin}", "id_no": number, **shared})
        rows.append({"record_id": f"o/{twin}", "source": "clinic", "name": f"王小{twin}", "id_no": None, **shared})
    _, clusters = link(tmp_path, rows)
    assert clusters["w/明"] == clusters["o/明"]
    assert clusters["w/朋"] == clusters["o/朋"]
    assert clusters["w/明"] != clusters["w/朋"]


def test_a_relative_number_joins_nobody(tmp_path: Path) -> None:
    number = sound_number(dt.date(1950, 1, 2), 31)
    rows = [
        {"record_id": "a", "source": "x", "name": "王建国", "id_no": number, "birth_date": "1950-01-02", "sex": "男"},
        {"record_id": "b", "source": "y", "name": "王建国", "id_no": number, "birth_date": "1950-01-02", "sex": "男"},
        {"record_id": "c", "source": "y", "name": "李秀英", "id_no": number, "birth_date": "1952-07-30", "sex": "女"},
    ]
    _, clusters = link(tmp_path, rows)
    assert clusters["a"] == clusters["b"] != clusters["c"]


def test_one_source_without_doubles_gives_one_record_each(tmp_path: Path) -> None:
    rows, _ = latin_people(100, seed=4)
    person = {"given_name": "nina", "surname": "quist", "date_of_birth": "19700203", "postcode": "2001",
              "suburb": "dover", "soc_sec_id": "7654321", "address_1": "oak street", "street_number": "5"}  # fmt: skip
    alone = [row | {"source": f"{row['record_id']}"} for row in rows]
    for key, source in (("n1", "left"), ("n2", "left"), ("n3", "right")):
        alone.append({"record_id": key, "source": source, **person})
    _, clusters = link(tmp_path, alone)
    assert clusters["n1"] == clusters["n2"] == clusters["n3"]
    result, clusters = link(tmp_path, alone, "unique_within_source: true\n")
    assert len({clusters["n1"], clusters["n2"], clusters["n3"]}) == 3, "two equally likely partners: neither is taken"
    assert result.undecided >= 2


def test_two_records_of_a_clean_source_under_one_number_are_a_tie(tmp_path: Path) -> None:
    number = sound_number(dt.date(1950, 1, 2), 31)
    rows = [
        {"record_id": key, "source": source, "name": "王建国", "id_no": number, "phone": phone}
        for key, source, phone in (("a1", "x", "13800000001"), ("a2", "x", "13800000002"), ("b", "y", None))
    ]
    _, clusters = link(tmp_path, rows)
    assert len(set(clusters.values())) == 1
    _, clusters = link(tmp_path, rows, "unique_within_source: true\n")
    assert len(set(clusters.values())) == 3


def test_a_table_without_rows_gives_a_table_without_rows(tmp_path: Path) -> None:
    pq.write_table(pa.table({"record_id": pa.array([], pa.string()), "name": pa.array([], pa.string())}),
                   tmp_path / "people.parquet")  # fmt: skip
    result = link_table(tmp_path / "people.parquet", tmp_path / "linked.parquet")
    assert result.records == 0
    assert pq.read_table(tmp_path / "linked.parquet").column_names == ["record_id", "cluster_id", "match_weight"]


@pytest.mark.parametrize(
    "columns",
    [
        {"record_id": ["a"], "name": ["Ann Lee"]},
        {"record_id": ["a", "b"], "colour": ["red", "red"]},
        {"record_id": ["a", "b"], "name": pa.nulls(2), "phone": ["1234567", "7654321"]},
        {"record_id": ["a", "b"], "name": ["Ann Lee", "Bob Ray"], "birth_date": pa.nulls(2, pa.string())},
    ],
    ids=["one record", "no column that tells persons apart", "a column of nothing", "dates of nobody"],
)
def test_a_table_that_says_little_leaves_everybody_alone(tmp_path: Path, columns: dict[str, Any]) -> None:
    pq.write_table(pa.table(columns), tmp_path / "people.parquet")
    result = link_table(tmp_path / "people.parquet", tmp_path / "linked.parquet")
    assert result.clusters == result.records == len(columns["record_id"])


def test_columns_that_nobody_reads_are_told(tmp_path: Path) -> None:
    result, _ = link(tmp_path, [{"record_id": "a", "name": "Ann Lee", "shoe_size": 7}])
    assert result.ignored == ["shoe_size"]


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ({"key": ["a"]}, "has no column record_id"),
        ({"record_id": ["a", "a"], "source": ["x", "y"]}, "repeat a record_id"),
        ({"record_id": ["a", None]}, "have no record_id"),
        (
            {"record_id": ["a", "b"], "name": [["Ann"], ["Bob"]]},
            r"column name is of type VARCHAR\[\]; write one value",
        ),
        ({"record_id": ["a", "b"], "phone": [b"1", b"2"]}, "column phone is of type BLOB"),
    ],
    ids=["no ids", "an id in two sources", "a record without id", "a list", "bytes"],
)
def test_a_table_that_cannot_be_read_as_records_is_refused(
    tmp_path: Path, columns: dict[str, Any], sentence: str
) -> None:
    pq.write_table(pa.table(columns), tmp_path / "people.parquet")
    with pytest.raises(TableUnusable, match=sentence):
        link_table(tmp_path / "people.parquet", tmp_path / "linked.parquet")


def test_a_file_that_is_no_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "people.parquet").write_text("name,born\n", encoding="utf-8")
    with pytest.raises(TableUnusable, match="no Parquet file"):
        link_table(tmp_path / "people.parquet", tmp_path / "linked.parquet")
    with pytest.raises(TableUnusable, match="no such file"):
        link_table(tmp_path / "absent.parquet", tmp_path / "linked.parquet")


def test_a_result_never_takes_the_place_of_its_table(tmp_path: Path) -> None:
    table = tmp_path / "people.parquet"
    pq.write_table(pa.table({"record_id": ["a"], "name": ["Ann Lee"]}), table)
    before = table.read_bytes()
    with pytest.raises(TableUnusable, match="name another file"):
        link_table(table, tmp_path / "." / "people.parquet")
    assert table.read_bytes() == before


def test_namesakes_under_one_placeholder_are_not_one_person(tmp_path: Path) -> None:
    rows, _ = han_people(60, 3)
    nothing = dict.fromkeys(("birth_date", "sex", "phone", "address"))
    for n, name in enumerate(["万里", "冉冉", "汪洋", "甘甜", *["王伟"] * 6]):
        rows.append(
            {"record_id": f"x/{n}", "source": f"s{n}", "name": name, "id_no": sound_number(dt.date(1966, 6, 6), 66)}
            | nothing
        )
    link_table(write_table(rows, tmp_path / "people.parquet"), tmp_path / "linked.parquet")
    linked = pq.read_table(tmp_path / "linked.parquet").to_pylist()
    namesakes = [row["cluster_id"] for row in linked if row["record_id"] in {f"x/{n}" for n in range(4, 10)}]
    assert len(set(namesakes)) == 6


def test_unique_within_source_needs_a_source(tmp_path: Path) -> None:
    rows = [{"record_id": str(n), "name": "Ada Byron"} for n in range(3)]
    settings = tmp_path / "settings.yml"
    settings.write_text("unique_within_source: true\n")
    with pytest.raises(ConfigurationUnusable, match="no column source"):
        link_table(write_table(rows, tmp_path / "people.parquet"), tmp_path / "linked.parquet", settings)


def test_names_in_the_other_script_are_counted(tmp_path: Path) -> None:
    names = [*["王伟"] * 3, "Ada Byron"]
    rows = [{"record_id": str(n), "name": name, "phone": str(n)} for n, name in enumerate(names)]
    result = link_table(write_table(rows, tmp_path / "people.parquet"), tmp_path / "linked.parquet")
    assert (result.script, result.in_other_script) == ("han", 0.25)


def test_a_place_that_cannot_take_the_result_is_told_before_linking(tmp_path: Path) -> None:
    file = write_table([{"record_id": "1", "name": "Ada Byron"}], tmp_path / "people.parquet")
    (tmp_path / "folder").mkdir()
    before = sorted(tmp_path.rglob("*"))
    for place in (tmp_path / "folder", tmp_path / "missing" / "linked.parquet", file / "linked.parquet", Path("/")):
        with pytest.raises(TableUnusable, match="cannot be written"):
            link_table(file, place)
    with pytest.raises(TableUnusable, match="no such file"):
        link_table(tmp_path / "nobody.parquet", tmp_path / "linked.parquet")
    assert sorted(tmp_path.rglob("*")) == before


def test_a_disk_that_is_full_is_told_by_the_name_that_was_given(tmp_path: Path) -> None:
    people = [{"record_id": str(n), "name": f"Ada {n}"} for n in range(5_000)]
    file, output = write_table(people, tmp_path / "people.parquet"), tmp_path / "linked.parquet"
    allowed, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_000, most))
    try:
        with pytest.raises(TableUnusable, match=re.escape(f"{output}: cannot be written")):
            link_table(file, output)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (allowed, most))
    assert sorted(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("colums: {name: n}\n", "nobody knows colums"),
        ("columns: {name: nn}\n", "has no column 'nn'"),
        ("columns: {nickname: n}\n", "columns names nickname"),
        ("columns: {name: [n]}\n", "name one column"),
        ("script: greek\n", "script is 'greek'"),
        ("thresholds: {link_weight: high}\n", "give a number"),
        ("thresholds: {speed: 3}\n", "thresholds names speed"),
        ("unique_within_source: perhaps\n", "must be a bool"),
        ("- a list\n", "must be a list of settings"),
        ("a: [\n", "cannot be read"),
    ],
)
def test_a_configuration_that_says_what_nobody_knows_is_refused(tmp_path: Path, said: str, sentence: str) -> None:
    with pytest.raises(ConfigurationUnusable, match=sentence):
        link(tmp_path, [{"record_id": "a", "n": "Ann Lee"}], said)


def test_a_configuration_names_columns(tmp_path: Path) -> None:
    rows = [{"record_id": key, "wer": "Ann Lee", "wann": "1956-04-09"} for key in "ab"]
    result, clusters = link(tmp_path, rows, "columns: {name: wer, birth_date: wann}\n")
    assert result.compared == ["name", "birth"]
    assert clusters["a"] == clusters["b"]


@pytest.mark.parametrize("part", ["surname", "given_name"])
def test_a_part_of_the_name_is_compared_where_a_table_has_no_other(tmp_path: Path, part: str) -> None:
    rows = [{"record_id": n, part: f"name{n // 2}", "birth_date": f"19{10 + n // 2}0101"} for n in range(60)]
    result, clusters = link(tmp_path, rows)
    assert (result.compared, result.ignored) == (["name", "birth"], [])
    assert all((clusters[n] == clusters[n + 1]) is (n % 2 == 0) for n in range(59))


def test_an_empty_configuration_is_the_one_that_ships(tmp_path: Path) -> None:
    rows, _ = latin_people(60, seed=3)
    _, shipped = link(tmp_path, rows)
    assert link(tmp_path, rows, "# nothing differs\n")[1] == shipped


def test_a_level_that_a_table_never_shows_keeps_its_belief(tmp_path: Path) -> None:
    """Everybody distinct, then one pair: no level but the worst is seen among strangers, nothing fails."""
    rows = [
        {"record_id": str(n), "given_name": f"given{n}x", "surname": f"name{n}y", "birth_date": f"19{10 + n}0101"}
        for n in range(80)
    ]
    rows.append(rows[7] | {"record_id": "again", "surname": "name7z"})
    _, clusters = link(tmp_path, rows)
    assert clusters["again"] == clusters["7"]
    assert len(set(clusters.values())) == 80
