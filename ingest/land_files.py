"""Land sources that deliver files: every file is a delivery of its own, committed in bounded chunks.

Parts only grow: which version of a file counts, and which delivery of a re-sent record, is read off the receipts
(``state.py``), so a file that arrives late or again can do no harm.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import duckdb
import pyarrow as pa

from ingest.contract import Entity
from ingest.files import FileChunk, FileFacts, read_deliveries
from ingest.judge import WRONG_SHAPE, RowCheck, find_repeating, judge, quote_text
from ingest.load import Load, copy
from ingest.receipt import ACCEPTED, IGNORED, Receipt

UNKNOWN_ENTITY = "unknown"
POSITION = "concat('sheet ', _sheet, ' row ', _row)"
CARRIED = ("_district", "_month", "_kind", "_version", "_sheet", "_row", "_file", "_delivery_id")
COUNTED = ("rows_accepted", "rows_quarantined", "rows_superseded", "rows_duplicate", "notices_count")
WAITING = "waiting"
# A part of a landing is judged and committed as one; it is complete when it has so many rows or files.
PART_ROWS, PART_FILES = 50_000, 400


def land_files(load: Load) -> None:
    """Land the files that are new or changed. Raises ``SourceError`` when their folder cannot be reached."""
    parts = load.folder.parts()
    receipts = [receipt for part in parts for receipt in part.receipts]
    known = [FileFacts.from_json(receipt.facts) for receipt in receipts if receipt.facts is not None]
    seen = Counter(receipt.facts["path"] for receipt in receipts if receipt.facts is not None)
    duck = load.open_duck()
    try:
        read = read_deliveries(load.contract, load.connection, load.folder.home, known, load.progress)
        for chunk in _gather(read):
            _land_chunk(load, duck, chunk, seen)
    finally:
        duck.close()


def _gather(chunks: Iterable[FileChunk]) -> Iterator[FileChunk]:
    """Put small chunks together: judging many rows at once costs little more than judging few."""
    held = FileChunk()
    for chunk in chunks:
        held.files += chunk.files
        for name, table in chunk.tables.items():
            held.tables[name] = pa.concat_tables([held.tables[name], table]) if name in held.tables else table
        if held.rows >= PART_ROWS or len(held.files) >= PART_FILES:
            yield held
            held = FileChunk()
    if held.files:
        yield held


def _land_chunk(load: Load, duck: duckdb.DuckDBPyConnection, chunk: FileChunk, seen: Counter[str]) -> None:
    part = load.next_part()
    receipts: dict[str, Receipt] = {}
    for facts in chunk.files:
        if facts.state != WAITING:
            receipts[facts.path] = _begin(load, facts, seen)
    duck.execute("CREATE OR REPLACE TEMP TABLE delivery_names (_file VARCHAR, _delivery_id VARCHAR)")
    if receipts:
        names = pa.table({"f": list(receipts), "d": [receipt.delivery_id for receipt in receipts.values()]})
        duck.register("names", names)
        duck.execute("INSERT INTO delivery_names SELECT f, d FROM names")
        duck.unregister("names")
    files: list[tuple[Path, str]] = []
    refused: list[str] = []
    for name, rows in sorted(chunk.tables.items()):
        entity = load.contract.entity(name)
        _judge_rows(load, duck, entity, rows, part)
        _count_rows(duck, receipts)
        kept = load.folder.scratch() / f"{part}-{name}.parquet"
        target = f"{name}/{part}.parquet"
        if copy(
            duck, f"SELECT * EXCLUDE (_breaches, _row_json, _file, _placed, _has_notices) {_PLACED} 'accepted'", kept
        ):
            files.append((kept, target))
            receipts = {
                path: replace(receipt, rows_files=(target,))
                if receipt.rows_accepted and receipt.entity == name
                else receipt
                for path, receipt in receipts.items()
            }
        received = load.received_at()
        duck.execute(
            f"CREATE OR REPLACE TEMP TABLE refused_{len(refused)} AS "
            f"SELECT {load.quarantine_columns(entity, part, received)} {_PLACED} 'quarantined'"
        )
        refused.append(f"SELECT * FROM refused_{len(refused)}")
    target = f"quarantine/{part}.parquet"
    made = load.folder.scratch() / f"{part}-quarantine.parquet"
    if any(receipt.rows_quarantined for receipt in receipts.values()):
        copy(duck, " UNION ALL ".join(refused), made)
        files.append((made, target))
        receipts = {
            path: replace(receipt, quarantine_files=(target,)) if receipt.rows_quarantined else receipt
            for path, receipt in receipts.items()
        }
    if receipts:
        load.commit(part, files, list(receipts.values()))


_PLACED = "FROM judged JOIN sorted_out USING (_file, _sheet, _row) WHERE _placed ="


def _begin(load: Load, facts: FileFacts, seen: Counter[str]) -> Receipt:
    entity = facts.entity or UNKNOWN_ENTITY
    seen[facts.path] += 1
    again = f"#{seen[facts.path]}" if seen[facts.path] > 1 else ""
    is_accepted, is_ignored = facts.state == ACCEPTED, facts.state == IGNORED
    return Receipt(
        delivery_id=f"{load.contract.source}/{entity}/{facts.path}{again}",
        source_system=load.contract.source,
        entity=entity,
        load_id=load.load_id,
        received_at=load.received_at(),
        state=facts.state,
        reason=facts.reason,
        rows_read=facts.rows_read if is_accepted or is_ignored else 0,
        rows_duplicate=facts.rows_read if is_ignored else 0,
        notices_count=len(facts.notices),
        notices=facts.notices,
        district=facts.district,
        delivered_month=facts.month,
        version=facts.version if facts.entity else None,
        control_rows=facts.control_rows,
        control_sum=None if facts.control_sum is None else str(facts.control_sum),
        content_hash=facts.content_hash,
        contract_hash=facts.contract_hash,
        facts=facts.to_json(),
        raw_files=() if facts.raw_file is None else (f"raw/{facts.raw_file}",),
    )


def _judge_rows(load: Load, duck: duckdb.DuckDBPyConnection, entity: Entity, rows: pa.Table, part: str) -> None:
    """Temp tables ``judged`` (every delivered row) and ``sorted_out`` (its one place)."""
    duck.register("delivered", rows)
    relation = "(SELECT * FROM delivered JOIN delivery_names USING (_file))"
    types = {row[0]: row[1] for row in duck.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()}
    checks = [RowCheck("_shape_breach IS NOT NULL", "row", WRONG_SHAPE)] if "_shape_breach" in types else []
    repeating = find_repeating(duck, load.contract, entity, relation, types)
    query = judge(
        load.contract,
        entity,
        relation,
        types,
        position=POSITION,
        carried=CARRIED,
        row_checks=checks,
        repeating=repeating,
    )
    duck.execute(
        f"CREATE OR REPLACE TEMP TABLE judged AS SELECT *, {quote_text(part)} AS _part, "
        f"TIMESTAMPTZ {quote_text(load.received_at())} AS _landed_at FROM ({query})"
    )
    duck.unregister("delivered")
    place = "CASE WHEN _breaches IS NOT NULL THEN 'quarantined' ELSE 'accepted' END"
    turn = ""
    if entity.latest_by_record:
        # The same record twice in one file: the later row counts.
        turn = ", row_number() OVER record AS _turn, first_value(_row_hash) OVER record AS _best_hash"
        place = (
            "CASE WHEN _breaches IS NOT NULL THEN 'quarantined' WHEN _turn = 1 THEN 'accepted' "
            "WHEN _row_hash = _best_hash THEN 'duplicate' ELSE 'superseded' END"
        )
    window = (
        "WINDOW record AS (PARTITION BY _file, _breaches IS NULL, _source_record_id ORDER BY _sheet DESC, _row DESC)"
        if turn
        else ""
    )
    duck.execute(
        f"CREATE OR REPLACE TEMP TABLE sorted_out AS SELECT _file, _sheet, _row, _has_notices, {place} AS _placed FROM "
        "(SELECT _file, _sheet, _row, _row_hash, _breaches, _notices IS NOT NULL AS _has_notices"
        f"{turn} FROM judged {window})"
    )


def _count_rows(duck: duckdb.DuckDBPyConnection, receipts: dict[str, Receipt]) -> None:
    """Write what became of the rows at hand into the receipts of their files."""
    counted = duck.execute(
        "SELECT _file, count(*) FILTER (_placed = 'accepted'), count(*) FILTER (_placed = 'quarantined'), "
        "count(*) FILTER (_placed = 'superseded'), count(*) FILTER (_placed = 'duplicate'), "
        "count(*) FILTER (_has_notices) FROM sorted_out GROUP BY _file"
    ).fetchall()
    for path, *counts in counted:
        found = dict(zip(COUNTED, counts, strict=True))
        found["notices_count"] += receipts[path].notices_count
        receipts[path] = replace(receipts[path], **found)
