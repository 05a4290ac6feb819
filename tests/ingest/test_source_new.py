"""A new source drafted from a sample is valid at once, lands and builds; nothing of a person goes into the drafts."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
import xlsxwriter
import yaml

from ingest.contract import read_contract
from ingest.land import land
from ingest.landing import create_views
from ingest.source_check import GOOD, OPEN, WRONG, Checked, check_source
from ingest.source_new import SourceExists, create_source
from ingest.source_profile import profile_table
from ingest.source_sample import SampleUnusable, read_sample
from warehouse.duck import connect
from warehouse.home import PROJECT, Home

# Invented; each value below must not be found in what is drafted or shown.
NAMES = ("赵无双", "钱样例", "孙小明", "李样样", "周例子")
HEADER = ("姓名", "身份证号", "性别", "出生日期", "入住日期", "月租", "状态", "联系电话", "住址", "备注")


def tenants(rows: int = 40) -> list[tuple[str, ...]]:
    return [
        (
            NAMES[row % 5],
            f"51010419{50 + row:02d}0102{100 + row}X",
            "男" if row % 2 else "女",
            f"19{50 + row:02d}-01-02",
            "2025年1月3日",
            f"{600 + row},{row:03d}.50".replace(",", "") if row % 2 else f"￥{600 + row}",
            "在住" if row % 4 else "退租",
            f"138{row:08d}",
            f"试验街{row}号",
            "" if row % 3 else "无",
        )
        for row in range(rows)
    ]


def write_csv(file: Path, rows: list[tuple[str, ...]]) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", encoding="gb18030", newline="") as opened:
        csv.writer(opened).writerows([HEADER, *rows])
    return file


def values_of_persons(rows: list[tuple[str, ...]]) -> set[str]:
    return {cell for row in rows for cell in (row[0], row[1], row[3], row[7], row[8]) if cell}


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Folders of contracts and of staging models, beside the macros that staging speaks of."""
    models = tmp_path / "dbt_project" / "models" / "staging"
    models.mkdir(parents=True)
    (tmp_path / "dbt_project" / "macros").mkdir()
    shutil.copy(PROJECT / "dbt_project" / "macros" / "staged_shapes.sql", tmp_path / "dbt_project" / "macros")
    sources = tmp_path / "sources"
    sources.mkdir()
    return sources, models


def marks(lines: list[Checked]) -> set[tuple[str, str]]:
    return {(line.mark, line.subject) for line in lines}


def test_a_draft_is_valid_and_says_what_a_person_must_decide(folders: tuple[Path, Path], tmp_path: Path) -> None:
    sources, models = folders
    create_source("housing", write_csv(tmp_path / "tenant_202501.csv", tenants()), sources, models)
    contract = read_contract(sources / "housing")
    fields = {field.name: field for field in contract.entity("tenant").fields}
    assert {name: field.type for name, field in fields.items()} == {
        "full_name": "text",
        "id_no": "text",
        "sex": "code",
        "birth_date": "date",
        "ru_zhu_ri_qi": "date",
        "yue_zu": "decimal",
        "status": "code",
        "phone": "text",
        "address": "text",
        "remark": "text",
    }
    assert set(fields["status"].codes) == {"在住", "退租"}
    assert fields["full_name"].sensitivity == fields["phone"].sensitivity == "personal"
    assert fields["address"].sensitivity == "sensitive"
    lines = check_source("housing", sources, models, None)
    assert not [line for line in lines if line.mark == WRONG]
    assert {(GOOD, "contract"), (GOOD, "sample"), (GOOD, "staging"), (OPEN, "decide")} <= marks(lines)
    decisions = " ".join(line.sentence for line in lines if line.mark == OPEN)
    for subject in ("office that owns it", "citizen view", "folder and name", "canonical codes", "role"):
        assert subject in decisions


def test_editors_are_told_the_schema(folders: tuple[Path, Path], tmp_path: Path) -> None:
    sources, models = folders
    create_source("housing", write_csv(tmp_path / "tenant.csv", tenants()), sources, models)
    first = (sources / "housing" / "contract.yml").read_text(encoding="utf-8").splitlines()[0]
    place = first.removeprefix("# yaml-language-server: $schema=")
    assert (sources / "housing" / place).resolve() == PROJECT / "ingest" / "contract.schema.json"


def test_no_value_of_a_person_is_drafted(folders: tuple[Path, Path], tmp_path: Path) -> None:
    sources, models = folders
    rows = tenants()
    written = create_source("housing", write_csv(tmp_path / "tenant.csv", rows), sources, models)
    text = "\n".join(file.read_text(encoding="utf-8") for file in written)
    assert not [value for value in values_of_persons(rows) if value in text]


def test_few_rows_make_no_code_list_of_names(folders: tuple[Path, Path], tmp_path: Path) -> None:
    sources, models = folders
    file = tmp_path / "few.csv"
    # Nobody's header says what it holds, and the same three people come again and again.
    file.write_text("甲,乙\n" + "".join(f"{NAMES[row % 3]},{row}\n" for row in range(60)), encoding="utf-8")
    written = create_source("few", file, sources, models)
    text = "\n".join(each.read_text(encoding="utf-8") for each in written)
    assert not [name for name in NAMES if name in text]


def test_a_drafted_file_source_lands_its_sample(folders: tuple[Path, Path], tmp_path: Path) -> None:
    sources, models = folders
    file = write_csv(tmp_path / "in" / "510104" / "202501" / "tenant_510104_202501.csv", tenants())
    os.utime(file, (1_700_000_000, 1_700_000_000))
    create_source("housing", file, sources, models)
    home = Home(tmp_path / "home")
    result = land("housing", f"file://{tmp_path / 'in'}", home, sources=sources)
    assert result.error is None
    assert (result.counts["rows_accepted"], result.counts["rows_quarantined"]) == (40, 0)
    with connect(extensions=("icu", "json")) as duck:
        create_views(duck, home, sources)
        found = duck.execute(
            "SELECT count(birth_date), count(yue_zu), count(status) FROM landing.housing__tenant"
        ).fetchone()
    assert found == (40, 40, 40)


@pytest.mark.parametrize("form", ["xlsx", "json", "ndjson", "parquet"])
def test_other_kinds_of_samples_are_drafted_too(form: str, folders: tuple[Path, Path], tmp_path: Path) -> None:
    sources, models = folders
    file = tmp_path / f"tenancy.{form}"
    items = [
        {
            "tenancyNo": f"T{row:04d}",
            "tenant": {"name": NAMES[row % 5], "idNo": None},
            "updatedAt": f"2025-01-{1 + row % 28:02d}T08:00:00+08:00",
        }
        for row in range(30)
    ]
    if form == "xlsx":
        with xlsxwriter.Workbook(str(file)) as book:
            sheet = book.add_worksheet()
            sheet.write_string(0, 0, "公租房花名册")
            for number, cells in enumerate([HEADER, *tenants()], start=1):
                sheet.write_row(number, 0, cells)
            sheet.write_row(42, 0, ["合计", "40人"])
    elif form == "json":
        file.write_text(json.dumps({"items": items, "next": None}), encoding="utf-8")
    elif form == "ndjson":
        file.write_text("\n".join(map(json.dumps, items)), encoding="utf-8")
    else:
        duckdb.sql(
            "SELECT i AS id, 'A' || i % 3 AS kind, date '2025-01-01' + i::INT AS let_on, "
            "600.50::DECIMAL(10, 2) AS rent, now() AS updated_at FROM range(100) AS t(i)"
        ).write_parquet(str(file))
    create_source("housing", file, sources, models)
    contract = read_contract(sources / "housing")
    assert contract.kind == {"xlsx": "files", "parquet": "database"}.get(form, "http")
    entity = contract.entity("tenancy")
    if form == "xlsx":
        assert entity.control_totals is not None
    elif form == "parquet":
        assert (entity.key, entity.watermark, entity.field("rent").sql_type) == (
            ("id",),
            "updated_at",
            "DECIMAL(10, 2)",
        )
    else:
        assert (entity.key, entity.watermark) == (("tenancy_no",), "updated_at")
        assert entity.field("tenant_name").path == ("tenant", "name")
    assert not [line for line in check_source("housing", sources, models, None) if line.mark == WRONG]


@pytest.mark.parametrize("name", ["Housing", "2housing", "hou__sing", "public housing", ""])
def test_a_name_that_cannot_be_a_source_is_refused(name: str, folders: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(SourceExists, match="cannot name a source"):
        create_source(name, write_csv(tmp_path / "a.csv", tenants()), *folders)


def test_a_source_that_is_there_is_never_overwritten(folders: tuple[Path, Path], tmp_path: Path) -> None:
    sample = write_csv(tmp_path / "tenant.csv", tenants())
    create_source("housing", sample, *folders)
    with pytest.raises(SourceExists, match="is there already"):
        create_source("housing", sample, *folders)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        (
            "a.csv",
            "赵无双,11010519491231002X\n钱样例,440524188001010014\n",
            "none of the first 10 rows names the columns",
        ),
        ("a.csv", "姓名,性别\n", "holds no rows"),
        ("a.docx", "x", "is of no known kind"),
        ("a.json", '{"a": 1}', "0 lists of objects"),
        ("a.json", "[1, 2]", "holds no list of objects"),
        ("a.json", "{", "is no JSON"),
        ("a.xlsx", "no workbook", "no sound workbook"),
        ("a.parquet", "no parquet", "is no Parquet file"),
    ],
    ids=["no header", "no rows", "unknown kind", "no list", "no objects", "no JSON", "no workbook", "no Parquet"],
)
def test_a_sample_that_cannot_be_read_is_named(name: str, content: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / name
    file.write_text(content, encoding="utf-8")
    with pytest.raises(SampleUnusable, match=said) as refused:
        profile_table(read_sample(file).table)
    assert "赵无双" not in str(refused.value)


def test_a_column_with_many_unreadable_values_is_left_to_a_person(folders: tuple[Path, Path], tmp_path: Path) -> None:
    rows = [(*row[:4], "不记得了" if number % 10 == 0 else row[4], *row[5:]) for number, row in enumerate(tenants())]
    create_source("housing", write_csv(tmp_path / "tenant.csv", rows), *folders)
    sentences = [line.sentence for line in check_source("housing", *folders, None) if line.mark == OPEN]
    assert any("what the 10.0% of ru_zhu_ri_qi mean that are no date" in sentence for sentence in sentences)


def test_a_wrong_contract_stops_the_check(folders: tuple[Path, Path], tmp_path: Path) -> None:
    sources, models = folders
    create_source("housing", write_csv(tmp_path / "tenant.csv", tenants()), sources, models)
    file = sources / "housing" / "contract.yml"
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    content["entities"]["tenant"]["fields"]["sex"]["codes"] = "nothing"
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    (line,) = check_source("housing", sources, models, None)
    assert (line.mark, line.subject) == (WRONG, "contract")
    assert "names the code list nothing" in line.sentence


@pytest.mark.parametrize(
    ("spoil", "subject", "said"),
    [
        ("sample", "sample", "is missing"),
        ("row", "sample", "full_name has no value"),
        ("staging", "staging", "holds no stg_housing__<shape>.sql"),
        ("relation", "staging", "no model reads housing__tenant"),
    ],
)
def test_what_is_missing_is_named_with_its_mend(
    spoil: str, subject: str, said: str, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    sources, models = folders
    create_source("housing", write_csv(tmp_path / "tenant.csv", tenants()), sources, models)
    contract = sources / "housing" / "contract.yml"
    model = models / "housing" / "stg_housing__mentions.sql"
    if spoil == "sample":
        shutil.rmtree(sources / "housing" / "sample")
    elif spoil == "row":
        contract.write_text(
            contract.read_text().replace(
                'full_name: {headers: ["姓名"]', 'full_name: {headers: ["姓名"], required: true'
            )
        )
        sample = next((sources / "housing" / "sample").rglob("*.csv"))
        sample.write_text(sample.read_text().replace("张样例", ""))
    elif spoil == "staging":
        model.unlink()
    else:
        model.write_text(model.read_text().replace("housing__tenant", "housing__lodger"))
    wrong = [line for line in check_source("housing", sources, models, None) if line.mark == WRONG]
    assert [line.subject for line in wrong] == [subject]
    assert said in wrong[0].sentence


@pytest.mark.heavy
def test_a_drafted_source_lands_and_builds_in_a_copied_tree(tmp_path: Path) -> None:
    tree = tmp_path / "rongtong"
    left_out = shutil.ignore_patterns(".git", ".venv", ".uv", "var", "target", "__pycache__", "*_cache", ".hypothesis")
    shutil.copytree(PROJECT, tree, ignore=left_out)
    sample = write_csv(tmp_path / "in" / "510104" / "202501" / "tenant_510104_202501.csv", tenants())
    os.utime(sample, (1_700_000_000, 1_700_000_000))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_CONN_")}
    environment |= {
        "PYTHONPATH": str(tree),
        "RONGTONG_HOME": str(tmp_path / "home"),
        "AIRFLOW_CONN_HOUSING": f"file://{tmp_path / 'in'}",
    }

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments], cwd=tree, env=environment, capture_output=True, text=True, check=False
        )

    made = run("-m", "rongtong.cli", "source", "new", "housing", str(sample))
    assert made.returncode == 0, made.stderr
    checked = run("-m", "rongtong.cli", "source", "check", "housing", "--json")
    assert checked.returncode == 0, checked.stdout
    connection = next(line for line in json.loads(checked.stdout)["housing"] if line["subject"] == "connection")
    assert connection["sentence"] == "1 files, 1 of them named as agreed"
    landed = run("-m", "rongtong.cli", "land", "housing")
    assert landed.returncode == 0, landed.stderr
    program = (
        "from datetime import date; from rongtong import steps; from warehouse.home import Home\n"
        "home = Home.from_environment(); run = steps.begin(home, date(2026, 1, 20)); steps.build_staging(home, run)\n"
        "import duckdb; file = duckdb.connect(str(home.work_file(run)), read_only=True)\n"
        "print(file.execute('SELECT count(*), count(name), count(birth_date), count(managing_district) "
        "FROM staging.stg_housing__mentions').fetchone())"
    )
    built = run("-c", program)
    assert built.returncode == 0, built.stderr[-2000:]
    assert built.stdout.splitlines()[-1] == "(40, 40, 40, 40)"
