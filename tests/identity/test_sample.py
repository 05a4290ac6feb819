"""Clerical samples: every pair has its chance, the labels' estimate is right, and wrong files are named."""

from __future__ import annotations

import csv
import datetime as dt
import itertools
import random
import stat
from collections import Counter
from pathlib import Path

import openpyxl
import pytest
from invented_mentions import Book, Person, invent_town, partition

from identity import interval
from identity.interval import Interval, Stratum
from identity.resolve import resolve
from identity.sample import LABELS, LINKED, SampleRefused, _pair_at, draw_sample, estimate
from warehouse.duck import connect
from warehouse.home import Home

HUGE = 10**9


def test_the_interval_of_one_share_is_wilsons() -> None:
    # Newcombe (1998), Statistics in Medicine 17, table I: 81 of 263.
    found = interval.wilson(Stratum("", HUGE, 263, 81))
    assert (round(found.low, 4), round(found.high, 4)) == (0.2553, 0.3662)
    assert interval.wilson(Stratum("", HUGE, 0, 0)) == Interval(0.5, 0.0, 1.0)
    assert interval.wilson(Stratum("", 40, 40, 38)) == Interval(0.95, 0.95, 0.95)


def test_one_stratum_keeps_its_own_interval_and_none_leaves_no_doubt() -> None:
    only = Stratum("", HUGE, 50, 49)
    assert interval.share([only]).low == pytest.approx(interval.wilson(only).low)
    assert interval.share([]) == Interval(1.0, 1.0, 1.0)
    assert interval.part(Interval(0, 0, 0), Interval(0, 0, 0)) == Interval(1.0, 0.0, 1.0)


def test_intervals_of_stratified_shares_cover_the_truth_nineteen_times_in_twenty() -> None:
    draw = random.Random(5)
    sizes, shares, labels = (9000, 800, 200), (0.995, 0.9, 0.6), (120, 40, 40)
    lost_share, lost_size, lost_labels = 0.1, 1500, 100
    true_found = sum(size * share for size, share in zip(sizes, shares, strict=True))
    precision, recall = true_found / sum(sizes), true_found / (true_found + lost_share * lost_size)
    hits = [0, 0]
    for _ in range(400):
        linked = [
            Stratum("", size, n, sum(draw.random() < share for _ in range(n)))
            for size, share, n in zip(sizes, shares, labels, strict=True)
        ]
        near = [Stratum("", lost_size, lost_labels, sum(draw.random() < lost_share for _ in range(lost_labels)))]
        found = interval.share(linked)
        part = interval.part(interval.total(linked), interval.total(near))
        hits[0] += found.low <= precision <= found.high
        hits[1] += part.low <= recall <= part.high
    # Three standard errors of a share of 0.95 over 400 draws; too wide an interval would be of no use either.
    assert all(hit / 400 >= 0.917 for hit in hits), hits


@pytest.mark.parametrize("asked", [25, 55, 80])
def test_what_is_drawn_again_narrows_no_interval(asked: int) -> None:
    draw, hits = random.Random(asked), 0
    for _ in range(400):
        times = Counter[int]()
        while len(times) < asked:
            times[draw.randrange(100)] += 1
        positive = sum(often for unit, often in times.items() if unit % 4 == 0)
        found = interval.wilson(Stratum("", 100, times.total(), positive, is_redrawn=True))
        hits += found.low <= 0.25 <= found.high
    assert hits / 400 >= 0.917


def test_a_pair_of_clusters_counts_every_mention_behind_a_node_that_is_nobodys(tmp_path: Path) -> None:
    woman, book = Person("p", "苏文娟", dt.date(1956, 3, 9), 224), Book()
    said = {"sex": "female", "address": "青羊区宁夏街9号"}
    for n in range(4):
        book.say(woman, f"a{n}", "woman", id_no=woman.number, birth_date=woman.born, **said)
    for n in range(10):
        book.say(woman, f"c{n}", "contact", table="elder", phones=["13900000099"], **said | {"address": "宁夏街8号"})
    work_file, home = book.write(tmp_path / "work.duckdb"), Home(tmp_path / "home")
    resolve(work_file, home, "run-1")
    strata = draw_sample(work_file, home, "run-1", 2, tmp_path / "sample.csv", seed=1)
    assert [pairs for name, (pairs, _) in strata.items() if name.startswith("near")] == [40]


@pytest.mark.parametrize(("stronger", "own"), [(0, 2), (0, 5), (3, 1), (4, 6)])
def test_every_pair_of_a_stratum_is_counted_once(stronger: int, own: int) -> None:
    pairs = stronger * own + own * (own - 1) // 2
    found = {_pair_at(number, stronger, own) for number in range(pairs)}
    wanted = {(a, b) for a, b in itertools.combinations(range(stronger + own), 2) if b >= stronger}
    assert found == wanted


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> tuple[Book, Path, Home]:
    folder = tmp_path_factory.mktemp("sampled")
    book = invent_town(seed=11, families=40)
    work_file = book.write(folder / "work.duckdb")
    resolve(work_file, Home(folder / "home"), "run-1")
    return book, work_file, Home(folder / "home")


def write_labels(file: Path, out: Path, book: Book, home: Home) -> None:
    """Label as a clerk who knows the truth; the records are those that the file shows."""
    with file.open(encoding="utf-8-sig", newline="") as text:
        rows = list(csv.DictReader(text))
    for row in rows:
        same = book.truth[row["record A 记录"]] == book.truth[row["record B 记录"]]
        row["label"] = "同一人" if same else "non-link"
    with out.open("w", encoding="utf-8", newline="") as text:
        writer = csv.DictWriter(text, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def test_labels_of_every_pair_give_the_true_precision_without_doubt(
    town: tuple[Book, Path, Home], tmp_path: Path
) -> None:
    book, work_file, home = town
    strata = draw_sample(work_file, home, "run-1", 10**6, tmp_path / "all.csv", seed=1)
    assert all(pairs == drawn for name, (pairs, drawn) in strata.items() if name.startswith(LINKED))
    groups = [[book.truth[key] for key in group] for group in partition(work_file)]
    linked = sum(len(group) * (len(group) - 1) // 2 for group in groups)
    assert sum(pairs for name, (pairs, _) in strata.items() if name.startswith(LINKED)) == linked
    write_labels(tmp_path / "all.csv", tmp_path / "labelled.csv", book, home)
    found = estimate(tmp_path / "labelled.csv", home)
    right = sum(n * (n - 1) // 2 for group in groups for n in (group.count(person) for person in set(group)))
    assert found.precision.estimate == pytest.approx(right / linked)
    assert found.precision.high - found.precision.low < 1e-9
    # Of two clusters one pair is asked and counts for all between them: what is asked of all stands for all.
    assert [(stratum.size, stratum.labelled) for stratum in found.near] == [(s.size, s.size) for s in found.near]
    assert (found.unlabelled, found.undecided) == (0, 0)


def test_a_sample_is_the_same_twice_holds_each_pair_once_and_tells_no_stratum(
    town: tuple[Book, Path, Home], tmp_path: Path
) -> None:
    _, work_file, home = town
    for name in ("one.csv", "two.csv"):
        draw_sample(work_file, home, "run-1", 60, tmp_path / name, seed=3)
    draw_sample(work_file, home, "run-1", 60, tmp_path / "other.csv", seed=4)
    one, two, other = ((tmp_path / f"{name}.csv").read_text() for name in ("one", "two", "other"))
    assert one == two and one != other
    rows = list(csv.DictReader((tmp_path / "one.csv").read_text(encoding="utf-8-sig").splitlines()))
    assert len({frozenset((row["record A 记录"], row["record B 记录"])) for row in rows}) == len(rows) == 60
    assert "bits" not in one and "stratum" not in one
    assert stat.S_IMODE((tmp_path / "one.csv").stat().st_mode) == 0o600


def test_a_workbook_offers_the_labels_and_is_read_back(town: tuple[Book, Path, Home], tmp_path: Path) -> None:
    _, work_file, home = town
    draw_sample(work_file, home, "run-1", 30, tmp_path / "sample.xlsx", seed=1)
    book = openpyxl.load_workbook(tmp_path / "sample.xlsx")
    sheet = book.worksheets[0]
    assert [rule.formula1 for rule in sheet.data_validations.dataValidation] == ['"link,non-link,undecided"']
    for row, label in zip(range(2, 31), ("link", "undecided", "不确定"), strict=False):
        sheet.cell(row, 2, label)
    book.save(tmp_path / "labelled.xlsx")
    found = estimate(tmp_path / "labelled.xlsx", home)
    assert (found.labelled, found.undecided, found.unlabelled) == (1, 2, 27)
    assert found.precision.low < 0.5 < found.precision.high


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("pair_id,label\n", "lacks pair_id or label"),
        ("pair_id,etikett\nx-0001,link\n", "lacks pair_id or label"),
        ("pair_id,label\ns_other_1_1-0001,link\n", "is of no sample of this home"),
        ("pair_id,label\n{sample}-0001,yes\n", "'yes' is no label; write link, non-link"),
        ("pair_id,label\n{sample}-0001,link\n{sample}-0001,link\n", "names pair {sample}-0001 twice"),
        ("pair_id,label\n{sample}-9999,link\n", "is no pair of sample"),
        ("pair_id,label\n{sample}-0001,\n", "has no label yet"),
    ],
)
def test_wrong_labels_are_named(town: tuple[Book, Path, Home], tmp_path: Path, text: str, sentence: str) -> None:
    _, work_file, home = town
    draw_sample(work_file, home, "run-1", 20, tmp_path / "sample.csv", seed=1)
    sample = "s_run-1_20_1"
    (tmp_path / "labels.csv").write_text(text.format(sample=sample), encoding="utf-8")
    with pytest.raises(SampleRefused, match=sentence.format(sample=sample)):
        estimate(tmp_path / "labels.csv", home)


def test_what_cannot_be_sampled_is_named(town: tuple[Book, Path, Home], tmp_path: Path) -> None:
    _, work_file, home = town
    with pytest.raises(SampleRefused, match=r"sample\.ods is neither"):
        draw_sample(work_file, home, "run-1", 20, tmp_path / "sample.ods", seed=1)
    with pytest.raises(SampleRefused, match="1 pairs are fewer than the"):
        draw_sample(work_file, home, "run-1", 1, tmp_path / "sample.csv", seed=1)
    with pytest.raises(SampleRefused, match="there is no file"):
        estimate(tmp_path / "none.csv", home)
    with connect(tmp_path / "empty.duckdb"):
        pass
    with pytest.raises(SampleRefused, match="has linked nobody yet"):
        draw_sample(tmp_path / "empty.duckdb", home, "run-1", 20, tmp_path / "sample.csv", seed=1)
    assert len(LABELS) == 6
