"""Clerical labels: a stratified sample of linked and nearly linked pairs, and what its labels say of the links.

The unit is a pair of mentions. *Linked* pairs share a citizen; a pair is in the stratum of the weaker of its two links
(how it was made, and its weight in bands). *Near* pairs were proposed and not linked: per two citizens (or mentions of
nobody yet) the best scored pair stands for all pairs between them, in the stratum of its weight's band. Within a
stratum every pair has the same chance. What clerks get tells neither stratum nor weight; the plan that does stays in
the home.
"""

from __future__ import annotations

import bisect
import csv
import itertools
import json
import os
import random
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import openpyxl
import xlsxwriter

from identity import interval, thresholds
from identity.interval import Interval, Stratum
from warehouse.duck import connect
from warehouse.home import Home
from warehouse.writing import write_atomically

SAMPLES_FOLDER = "samples"
LINKED, NEAR = "linked", "near"
LINK, NON_LINK, UNDECIDED = "link", "non-link", "undecided"
# What a clerk may write; the Chinese words are offered too.
LABELS = {
    LINK: LINK,
    NON_LINK: NON_LINK,
    UNDECIDED: UNDECIDED,
    "同一人": LINK,
    "非同一人": NON_LINK,
    "不确定": UNDECIDED,
}
SHOWN = (
    ("record", "记录"), ("name", "姓名"), ("id_no", "身份证号"), ("other_document", "其他证件"),
    ("birth_date", "出生日期"), ("sex", "性别"), ("phones", "电话"), ("address", "住址"), ("hukou_district", "户籍区"),
    ("bank_account", "银行账号"), ("household", "家庭"), ("said_on", "日期"), ("beside", "同一记录上的人"),
)  # fmt: skip


class SampleRefused(ValueError):
    """No sample can be drawn or no labels read; the message names the file and what to mend."""


@dataclass(frozen=True)
class Estimate:
    """What labels say: precision of linked pairs, recall among proposed pairs, and each stratum's counts.

    ``recall`` knows no pair that no blocking rule proposed, nor any below the sampled weights: the true one is lower.
    """

    sample_id: str
    run_id: str
    made_at: str
    labelled: int
    undecided: int
    unlabelled: int
    precision: Interval
    recall: Interval
    linked: tuple[Stratum, ...]
    near: tuple[Stratum, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def draw_sample(
    work_file: Path, home: Home, run_id: str, size: int, out: Path, seed: int
) -> dict[str, tuple[int, int]]:
    """Write ``size`` pairs to ``out`` (.xlsx or .csv) for labelling; return pairs of each stratum and how many drawn.

    The same run, size and seed draw the same pairs. The plan goes to the home's identity folder. Raises
    ``SampleRefused`` when the kind of file is unknown, the run links nobody, or ``size`` is smaller than the strata.
    """
    if out.suffix.lower() not in (".xlsx", ".csv"):
        raise SampleRefused(f"evaluate: {out.name} is neither .xlsx nor .csv; name the sample's file so.")
    sample_id = f"s_{run_id}_{size}_{seed}"
    with connect() as connection:
        connection.execute(f"ATTACH '{str(work_file).replace(chr(39), chr(39) * 2)}' AS work (READ_ONLY)")
        strata = _create_strata(connection)
        different = _different_pairs(connection, strata)
        shares = _allocate(strata, different, size)
        drawn = [
            (side, name, *pair)
            for (side, name), count in shares.items()
            for pair in _draw(connection, side, name, strata[side, name], count, seed)
        ]
        random.Random(f"{seed}|order").shuffle(drawn)
        pairs = {f"{sample_id}-{place:04d}": row for place, row in enumerate(drawn, start=1)}
        _write_file(connection, pairs, out)
    plan = {
        "sample_id": sample_id,
        "run_id": run_id,
        "strata": [
            {
                "side": side,
                "name": name,
                "size": total,
                "is_redrawn": side == NEAR and shares[side, name] < different[side, name],
            }
            for (side, name), total in strata.items()
        ],
        "pairs": {
            key: {"side": row[0], "stratum": row[1], "mentions": row[2:4], "times": row[4]}
            for key, row in pairs.items()
        },
    }
    home.private_folder(home.identity)
    write_atomically(_plan_file(home, sample_id), json.dumps(plan, ensure_ascii=False, indent=1) + "\n")
    return {f"{side}: {name}": (strata[side, name], count) for (side, name), count in shares.items()}


def _plan_file(home: Home, sample_id: str) -> Path:
    return home.identity / SAMPLES_FOLDER / f"{sample_id}.json"


def _bands(bounds: Sequence[float], prefix: str, what: str) -> str:
    """A CASE over match_weight: the band's name, which sorts from the strongest band to the last, unbounded one."""
    whens = " ".join(
        f"WHEN match_weight >= {bound} THEN '{prefix}{place} {what} from {bound:g} bits'"
        for place, bound in enumerate(bounds, start=1)
    )
    return f"CASE {whens} ELSE '{prefix}{len(bounds) + 1} {what} below {bounds[-1]:g} bits' END"


def _create_strata(connection: duckdb.DuckDBPyConnection) -> dict[tuple[str, str], int]:
    """Create ``placed`` (mentions with a citizen) and ``near_homes``; return the pairs of every stratum, by side."""
    try:
        connection.execute(
            f"""
            CREATE TEMP TABLE placed AS
            SELECT mention_key, citizen_id, stratum,
                   row_number() OVER (PARTITION BY citizen_id ORDER BY stratum, mention_key) - 1 AS place
            FROM (SELECT *, CASE WHEN link_method = 'decision' THEN 'd decision of a person'
                                 WHEN reason = 'id' THEN 'a number and name'
                                 WHEN starts_with(reason, 'id+') THEN 'b number and a name much like it'
                                 WHEN NOT contains(reason, 'evidence') THEN 'c identical records'
                                 ELSE {_bands(thresholds.SAMPLE_LINK_BANDS, "e", "evidence")}
                            END AS stratum
                  FROM (SELECT * FROM work.identity.mention_links WHERE citizen_id IS NOT NULL))
            """
        )
    except duckdb.CatalogException:
        raise SampleRefused("evaluate: the last run has linked nobody yet; end a run first: rongtong run.") from None
    connection.execute(
        f"""
        CREATE TEMP TABLE linked_homes AS
        SELECT stratum, citizen_id, min(place) AS stronger, count(*) AS own,
               min(place) * count(*) + count(*) * (count(*) - 1) // 2 AS pairs
        FROM placed GROUP BY ALL;
        CREATE TEMP TABLE near_homes AS
        WITH scored AS (
            SELECT s.mention_key_l, s.mention_key_r, s.match_weight,
                   coalesce(l.citizen_id, s.mention_key_l) AS home_l, coalesce(r.citizen_id, s.mention_key_r) AS home_r
            FROM work.identity.scored_pairs AS s
            LEFT JOIN placed AS l ON l.mention_key = s.mention_key_l
            LEFT JOIN placed AS r ON r.mention_key = s.mention_key_r
            WHERE s.match_weight >= {thresholds.SAMPLE_NEAR_FLOOR}
        ),
        best AS (
            SELECT *, least(home_l, home_r) AS home, greatest(home_l, home_r) AS other FROM scored
            WHERE home_l <> home_r
            QUALIFY row_number() OVER (PARTITION BY least(home_l, home_r), greatest(home_l, home_r)
                                       ORDER BY match_weight DESC, mention_key_l, mention_key_r) = 1
        ),
        sizes AS (
            SELECT citizen_id AS home, count(*) AS mentions FROM placed GROUP BY ALL
            UNION ALL SELECT mention_key, mentions FROM work.identity.unresolved_nodes
        )
        SELECT {_bands(thresholds.SAMPLE_NEAR_BANDS, "n", "not linked,")} AS stratum,
               mention_key_l, mention_key_r, coalesce(l.mentions, 1) * coalesce(r.mentions, 1) AS pairs
        FROM best LEFT JOIN sizes AS l ON l.home = best.home LEFT JOIN sizes AS r ON r.home = best.other
        """
    )
    rows = connection.execute(
        f"""
        SELECT '{LINKED}', stratum, sum(pairs)::BIGINT AS pairs FROM linked_homes GROUP BY ALL HAVING sum(pairs) > 0
        UNION ALL SELECT '{NEAR}', stratum, sum(pairs)::BIGINT FROM near_homes GROUP BY ALL ORDER BY 1, 2
        """
    ).fetchall()
    return {(side, name): pairs for side, name, pairs in rows}


def _different_pairs(
    connection: duckdb.DuckDBPyConnection, strata: dict[tuple[str, str], int]
) -> dict[tuple[str, str], int]:
    """How many different pairs can be asked of each stratum: of two clusters only the best scored one."""
    homes = dict(connection.execute("SELECT stratum, count(*) FROM near_homes GROUP BY ALL").fetchall())
    return {(side, name): homes[name] if side == NEAR else pairs for (side, name), pairs in strata.items()}


def _allocate(
    strata: dict[tuple[str, str], int], different: dict[tuple[str, str], int], size: int
) -> dict[tuple[str, str], int]:
    """Labels per stratum: on either side half in proportion to its pairs (for the whole), half evenly (for the small).

    No stratum gets more than it has different pairs, none gets nothing. Raises ``SampleRefused`` when ``size`` is too
    small for that.
    """
    if size < len(strata):
        raise SampleRefused(f"evaluate: {size} pairs are fewer than the {len(strata)} strata; ask for more.")
    given = dict.fromkeys(strata, 1)
    sides = {side: sum(pairs for (of, _), pairs in strata.items() if of == side) for side in (LINKED, NEAR)}
    counts = {side: sum(of == side for of, _ in strata) for side in (LINKED, NEAR)}

    def due(key: tuple[str, str]) -> float:
        return strata[key] / sides[key[0]] + 1 / counts[key[0]]

    for _ in range(size - len(strata)):
        open_strata = [key for key in strata if given[key] < different[key]]
        if not open_strata:
            break
        # The most underserved first (D'Hondt's rule), so that every total is met to the unit.
        given[max(open_strata, key=lambda key: due(key) / given[key])] += 1
    return given


def _draw(
    connection: duckdb.DuckDBPyConnection, side: str, stratum: str, pairs: int, count: int, seed: int
) -> Iterator[tuple[str, str, int]]:
    """``count`` different pairs of one stratum, as mention keys, and how many draws each stands for."""
    if side == NEAR:
        yield from _draw_near(connection, stratum, count, random.Random(f"{seed}|{side}|{stratum}"))
        return
    numbers = sorted(random.Random(f"{seed}|{side}|{stratum}").sample(range(pairs), count))
    homes = connection.execute(
        "SELECT citizen_id, stronger, own, sum(pairs) OVER (ORDER BY citizen_id)::BIGINT FROM linked_homes"
        " WHERE stratum = ? AND pairs > 0 ORDER BY citizen_id",
        [stratum],
    ).fetchall()
    ends = [home[3] for home in homes]
    for number in numbers:
        at = bisect.bisect_right(ends, number)
        citizen_id, stronger, own, _ = homes[at]
        places = _pair_at(number - (ends[at - 1] if at else 0), stronger, own)
        keys = connection.execute(
            "SELECT mention_key FROM placed WHERE citizen_id = ? AND place IN (?, ?) ORDER BY mention_key",
            [citizen_id, *places],
        ).fetchall()
        yield keys[0][0], keys[1][0], 1


def _draw_near(
    connection: duckdb.DuckDBPyConnection, stratum: str, count: int, draw: random.Random
) -> Iterator[tuple[str, str, int]]:
    """Pairs of clusters, drawn with the chance of the pairs between them until ``count`` are different.

    A pair drawn again is asked once and counts as often as it was drawn. Where all are asked, each counts for what it
    stands for.
    """
    homes = connection.execute(
        "SELECT pairs, mention_key_l, mention_key_r FROM near_homes WHERE stratum = ? ORDER BY ALL", [stratum]
    ).fetchall()
    if count == len(homes):
        yield from ((left, right, pairs) for pairs, left, right in homes)
        return
    ends = list(itertools.accumulate(home[0] for home in homes))
    times: dict[int, int] = {}
    while len(times) < count:
        at = bisect.bisect_right(ends, draw.randrange(ends[-1]))
        times[at] = times.get(at, 0) + 1
    yield from ((homes[at][1], homes[at][2], often) for at, often in sorted(times.items()))


def _pair_at(number: int, stronger: int, own: int) -> tuple[int, int]:
    """The pair of places that ``number`` counts: first own with stronger ones, then two of the own."""
    if number < stronger * own:
        return number // own, stronger + number % own
    number -= stronger * own
    later = next(k for k in range(1, own) if number < k * (k + 1) // 2)
    return stronger + number - later * (later - 1) // 2, stronger + later


def _write_file(
    connection: duckdb.DuckDBPyConnection, pairs: dict[str, tuple[str, str, str, str, int]], out: Path
) -> None:
    """One row per pair: its key, room for label and note, then every field of the one mention beside the other's."""
    keys = sorted({key for row in pairs.values() for key in row[2:4]})
    connection.execute("CREATE TEMP TABLE asked AS SELECT unnest(?) AS mention_key", [keys])
    said = {
        row[0]: ["" if value is None else str(value) for value in row]
        for row in connection.execute(
            """
            SELECT m.mention_key, coalesce(m.raw_name, m.name), coalesce(m.raw_id_no, m.id_no), m.other_document_no,
                   m.birth_date, m.sex, array_to_string(m.phones, ' '), m.address, m.hukou_district, m.bank_account,
                   m.household_key, m.said_on,
                   (SELECT string_agg(b.role || ' ' || b.name, ', ' ORDER BY b.mention_key)
                    FROM work.intermediate.int_mentions__unioned AS b
                    WHERE b.record_key = m.record_key AND b.mention_key <> m.mention_key)
            FROM work.intermediate.int_mentions__unioned AS m SEMI JOIN asked USING (mention_key)
            """
        ).fetchall()
    }
    header = ["pair_id", "label", "note"]
    header += [f"{name} {side} {chinese}" for name, chinese in SHOWN for side in ("A", "B")]
    rows = [
        [key, "", "", *itertools.chain.from_iterable(zip(said[row[2]], said[row[3]], strict=True))]
        for key, row in pairs.items()
    ]
    os.close(os.open(out, os.O_WRONLY | os.O_CREAT, 0o600))
    out.chmod(0o600)
    if out.suffix.lower() == ".csv":
        with out.open("w", encoding="utf-8-sig", newline="") as file:
            csv.writer(file).writerows([header, *rows])
        return
    with xlsxwriter.Workbook(out, {"strings_to_numbers": False, "strings_to_formulas": False}) as book:
        sheet = book.add_worksheet("pairs 待判")
        sheet.write_row(0, 0, header, book.add_format({"bold": True}))
        for place, row in enumerate(rows, start=1):
            for column, value in enumerate(row):
                sheet.write_string(place, column, value)
        sheet.data_validation(1, 1, len(rows), 1, {"validate": "list", "source": [LINK, NON_LINK, UNDECIDED]})
        sheet.freeze_panes(1, 3)
        sheet.set_column(0, 0, 14)
        sheet.set_column(1, len(header) - 1, 18)


def estimate(labels_file: Path, home: Home) -> Estimate:
    """Read labels back and estimate precision and recall with 95 % limits; also kept as ``home.link_estimate``.

    Precision: ``interval.share`` over the strata of linked pairs. Recall: found / (found + lost), both totals over
    strata, by ``interval.part``. Undecided pairs are left out of their stratum and counted. Raises ``SampleRefused``.
    """
    labels = _read_labels(labels_file)
    samples = {key.rpartition("-")[0] for key in labels}
    if len(samples) != 1:
        raise SampleRefused(f"evaluate: {labels_file} holds {len(samples)} samples; give the labels of one at a time.")
    sample_id = samples.pop()
    plan_file = _plan_file(home, sample_id)
    if Path(sample_id).name != sample_id or not plan_file.is_file():
        raise SampleRefused(f"evaluate: {labels_file} is of no sample of this home; label a file that --sample wrote.")
    plan = json.loads(plan_file.read_text(encoding="utf-8"))
    if strange := sorted(set(labels) - set(plan["pairs"])):
        raise SampleRefused(f"evaluate: {labels_file} names {strange[0]}, which is no pair of sample {sample_id}.")
    judged = {key: label for key, label in labels.items() if label in (LINK, NON_LINK)}
    if not judged:
        raise SampleRefused(f"evaluate: {labels_file} has no label yet; write link, non-link or undecided per pair.")
    strata = {side: _count(plan, judged, side) for side in (LINKED, NEAR)}
    result = Estimate(
        sample_id=sample_id,
        run_id=plan["run_id"],
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        labelled=len(judged),
        undecided=sum(label == UNDECIDED for label in labels.values()),
        unlabelled=sum(key not in labels or labels[key] == "" for key in plan["pairs"]),
        precision=interval.share(strata[LINKED]),
        recall=interval.part(interval.total(strata[LINKED]), interval.total(strata[NEAR])),
        linked=strata[LINKED],
        near=strata[NEAR],
    )
    write_atomically(home.link_estimate, json.dumps(result.as_dict(), ensure_ascii=False, indent=1) + "\n")
    return result


def _count(plan: dict[str, Any], judged: dict[str, str], side: str) -> tuple[Stratum, ...]:
    found = []
    for stratum in plan["strata"]:
        if stratum["side"] == side:
            mine = [
                (judged[key], pair["times"])
                for key, pair in plan["pairs"].items()
                if key in judged and (pair["side"], pair["stratum"]) == (side, stratum["name"])
            ]
            links = sum(times for label, times in mine if label == LINK)
            # A plan of an older version does not say how it was drawn: the wider limits hold for either way.
            is_redrawn = stratum.get("is_redrawn", side == NEAR)
            judgements = sum(times for _, times in mine)
            found.append(Stratum(stratum["name"], stratum["size"], judgements, links, is_redrawn))
    return tuple(found)


def _read_labels(file: Path) -> dict[str, str]:
    """Label per pair; "" where the clerk wrote none."""
    try:
        rows = list(_rows(file))
    except FileNotFoundError:
        raise SampleRefused(f"evaluate: there is no file {file}; name the labelled sample.") from None
    except (OSError, ValueError, KeyError, openpyxl.utils.exceptions.InvalidFileException) as error:
        raise SampleRefused(
            f"evaluate: {file} cannot be read ({type(error).__name__}); save it as .xlsx or .csv."
        ) from None
    if not rows or not {"pair_id", "label"} <= set(rows[0]):
        raise SampleRefused(f"evaluate: {file} lacks pair_id or label; keep the heading that --sample wrote.")
    labels: dict[str, str] = {}
    for row in rows:
        key, label = (row["pair_id"] or "").strip(), (row["label"] or "").strip().lower()
        if not key:
            continue
        if label and label not in LABELS:
            raise SampleRefused(f"evaluate: {file}, pair {key}: {label!r} is no label; write {', '.join(LABELS)}.")
        if key in labels:
            raise SampleRefused(f"evaluate: {file} names pair {key} twice; keep one row.")
        labels[key] = LABELS.get(label, "")
    return labels


def _rows(file: Path) -> Iterator[dict[str, str]]:
    if file.suffix.lower() == ".csv":
        with file.open(encoding="utf-8-sig", newline="") as text:
            yield from csv.DictReader(text)
        return
    book = openpyxl.load_workbook(file, read_only=True, data_only=True)
    try:
        lines = book.worksheets[0].iter_rows(values_only=True)
        header = [str(cell) for cell in next(lines, ())]
        for line in lines:
            yield dict(zip(header, ("" if cell is None else str(cell) for cell in line), strict=False))
    finally:
        book.close()
