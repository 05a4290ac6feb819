"""Land sources that deliver files: every file is a delivery of its own, committed in bounded chunks.

Parts only grow: which version of a file counts, and which delivery of a re-sent record, is read off the receipts
(``state.py``), so a file that arrives late or again can do no harm.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ingest.contract import Entity
from ingest.digests import Digests, digests_in
from ingest.files import FileChunk, FileFacts, read_deliveries
from ingest.files.layout import FileLayout
from ingest.judge import (
    WRONG_SHAPE,
    RowCheck,
    find_repeating,
    judge,
    last_own,
    quote_name,
    quote_text,
    read_words,
)
from ingest.load import Load, copy
from ingest.memory import give_back
from ingest.receipt import ACCEPTED, IGNORED, ConservationError, Receipt
from warehouse.digest import digest, text_digest

UNKNOWN_ENTITY = "unknown"
_RECORD_DIGEST = text_digest("_source_record_id")
POSITION = "concat('sheet ', _sheet, ' row ', _row)"
CARRIED = ("_district", "_month", "_kind", "_version", "_sheet", "_row", "_file", "_delivery_id")
QUARANTINED = "quarantined"
PLACES = [ACCEPTED, QUARANTINED, "superseded", "duplicate"]
WAITING = "waiting"
# A part of a landing is judged and committed as one; it is complete when it has so many rows or files.
PART_ROWS, PART_FILES = 150_000, 400
# Rows that the next reader takes at once: DuckDB's own measure.
GROUP_ROWS = 122_880


def land_files(load: Load, layout: FileLayout | None = None) -> None:
    """Land the files that are new or changed. ``layout``: the contract's, unless told.

    Raises ``SourceError`` when their folder cannot be reached.
    """
    parts = load.folder.parts()
    receipts = [receipt for part in parts for receipt in part.receipts]
    known = [FileFacts.from_json(receipt.facts) for receipt in receipts if receipt.facts is not None]
    seen = Counter(receipt.facts["path"] for receipt in receipts if receipt.facts is not None)
    duck = load.open_duck()
    # What is judged is put beside what was delivered, row by row.
    duck.execute("SET preserve_insertion_order = true")
    try:
        read = read_deliveries(load.contract, load.connection, load.folder.home, known, load.progress, layout)
        chunks = _read_ahead(_gather(read))
        for chunk in chunks:
            if chunk.continues:
                _land_large(load, duck, chunk, chunks, seen)
            else:
                _land_chunk(load, duck, chunk, seen)
    finally:
        duck.close()


def _read_ahead(chunks: Iterator[FileChunk]) -> Iterator[FileChunk]:
    """The same chunks; while one is judged the next is read, in a thread of its own."""
    with ThreadPoolExecutor(1, "read-files") as reader:
        coming = reader.submit(next, chunks, None)
        while (chunk := coming.result()) is not None:
            coming = reader.submit(next, chunks, None)
            yield chunk


def _gather(chunks: Iterable[FileChunk]) -> Iterator[FileChunk]:
    """Put small chunks together: judging many rows at once costs little more than judging few. Those of a large file
    stay as they are.
    """
    held, is_within = FileChunk(), False
    for chunk in chunks:
        if chunk.continues or is_within:
            if held.files:
                yield held
                held = FileChunk()
            is_within = chunk.continues
            yield chunk
            continue
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
    files: list[tuple[Path, str]] = []
    refused: list[str] = []
    for name, rows in sorted(chunk.tables.items()):
        entity = load.contract.entity(name)
        if not rows.num_rows:
            continue
        judged = _judge_rows(load, duck, entity, _name_deliveries(rows, receipts), part)
        placed = _place_rows(judged)
        if entity.latest_by_record:
            placed = _place_outdone(duck, placed)
        _count_rows(placed, receipts)
        if _holds(placed, ACCEPTED):
            target = f"{name}/{part}.parquet"
            files.append((load.folder.scratch() / f"{part}-{name}.parquet", target))
            _write_accepted(placed, files[-1][0])
            receipts = {
                path: replace(receipt, rows_files=(target,))
                if receipt.rows_accepted and receipt.entity == name
                else receipt
                for path, receipt in receipts.items()
            }
        duck.register("waiting_now", placed.filter(pc.equal(placed["_placed"], QUARANTINED)))
        duck.execute(
            f"CREATE OR REPLACE TEMP TABLE refused_{len(refused)} AS "
            f"SELECT {load.quarantine_columns(entity, part, load.received_at())} FROM waiting_now"
        )
        duck.unregister("waiting_now")
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


@dataclass
class _LargeFile:
    """A large file on its way: its receipt so far, files in scratch, the digests of its records, and the row above."""

    part: str
    entity: Entity
    receipts: dict[str, Receipt]
    digests: Digests
    accepted: list[Path] = dataclasses.field(default_factory=list)
    refused: list[Path] = dataclasses.field(default_factory=list)
    above: pa.Table | None = None


def _land_large(
    load: Load, duck: duckdb.DuckDBPyConnection, chunk: FileChunk, more: Iterator[FileChunk], seen: Counter[str]
) -> None:
    """Land one large file, chunk by chunk; it counts as one part, when its last row is in place."""
    (facts,), (name,) = chunk.files, chunk.tables
    begun = {facts.path: _begin(load, facts, seen)}
    with digests_in(load.folder.scratch()) as digests:
        file = _LargeFile(load.next_part(), load.contract.entity(name), begun, digests)
        for rows in _rows_of(chunk, more, name):
            _land_rows(load, duck, file, rows)
            give_back()
        receipt, part = file.receipts[facts.path], file.part
        if file.entity.latest_by_record and file.accepted:
            receipt = _set_aside_outdone(duck, file.accepted, digests.repeated(), receipt)
    files = [(made, f"{name}/{made.name.replace(f'-{name}-', '-')}") for made in file.accepted]
    waiting = [(made, f"quarantine/{made.name.replace('-quarantine-', '-')}") for made in file.refused]
    receipt = replace(receipt, rows_files=tuple(to for _, to in files), quarantine_files=tuple(to for _, to in waiting))
    load.commit(part, [*files, *waiting], [receipt])


def _land_rows(load: Load, duck: duckdb.DuckDBPyConnection, file: _LargeFile, rows: pa.Table) -> None:
    """Judge a chunk of a large file and write it to scratch; of its rows only the last stays in memory."""
    part, name = file.part, file.entity.name
    rows, judged = _judge_below(load, duck, file.entity, _name_deliveries(rows, file.receipts), file.above, part)
    file.above = _find_above(load, duck, file.entity, rows)
    placed = _place_rows(judged)
    _count_rows(placed, file.receipts)
    if _holds(placed, ACCEPTED):
        file.accepted.append(load.folder.scratch() / f"{part}-{name}-{len(file.accepted) + 1:04d}.parquet")
        _write_accepted(placed, file.accepted[-1])
        file.digests.add(_digest_records(duck, placed))
    if _holds(placed, QUARANTINED):
        file.refused.append(load.folder.scratch() / f"{part}-quarantine-{len(file.refused) + 1:04d}.parquet")
        duck.register("waiting_now", placed.filter(pc.equal(placed["_placed"], QUARANTINED)))
        copy(
            duck,
            f"SELECT {load.quarantine_columns(file.entity, part, load.received_at())} FROM waiting_now",
            file.refused[-1],
        )
        duck.unregister("waiting_now")


def _rows_of(chunk: FileChunk, more: Iterator[FileChunk], name: str) -> Iterator[pa.Table]:
    """The rows of one large file, chunk by chunk; the last may hold none, only the end of a form."""
    while True:
        # Taken out, so that a chunk that has landed is not held until the next is read.
        if (rows := chunk.tables.pop(name)).num_rows:
            yield rows
        del rows
        if not chunk.continues:
            return
        chunk = next(more)


def _judge_below(
    load: Load, duck: duckdb.DuckDBPyConnection, entity: Entity, rows: pa.Table, above: pa.Table | None, part: str
) -> tuple[pa.Table, pa.Table]:
    """The rows of a chunk with the row above them, and the judged rows of the chunk alone."""
    if above is None:
        return rows, _judge_rows(load, duck, entity, rows, part)
    rows = pa.concat_tables([above, rows])
    return rows, _judge_rows(load, duck, entity, rows, part).slice(1)


def _find_above(load: Load, duck: duckdb.DuckDBPyConnection, entity: Entity, rows: pa.Table) -> pa.Table | None:
    """The last row, with the values that "as above" would repeat below it; none where no word says so."""
    if not load.contract.files.repeats or not rows.num_rows:
        return None
    last_sheet = rows.filter(pc.equal(rows["_sheet"], rows["_sheet"][-1]))
    duck.register("block", last_sheet)
    told = duck.execute(last_own(load.contract, entity, "block")).to_arrow_table()
    duck.unregister("block")
    # A copy: a slice would hold the whole chunk.
    last = rows.take([rows.num_rows - 1])
    for name in told.column_names:
        last = last.set_column(last.column_names.index(name), name, told[name])
    return last


def _digest_records(duck: duckdb.DuckDBPyConnection, placed: pa.Table) -> np.ndarray:
    """A digest of each accepted row's record: eight bytes that stand for it until the file is whole."""
    duck.register("placed", placed.select(["_source_record_id", "_breaches"]))
    digests = duck.execute(f"SELECT {_RECORD_DIGEST} AS same FROM placed WHERE _breaches IS NULL").fetchnumpy()
    duck.unregister("placed")
    return np.asarray(digests["same"])


def _set_aside_outdone(
    duck: duckdb.DuckDBPyConnection, accepted: Sequence[Path], repeated: np.ndarray, receipt: Receipt
) -> Receipt:
    """Take the rows out of the accepted ones that a later row of the same record outdoes, as ``_find_outdone`` does.

    ``repeated``: the digests among which such records are.
    """
    if not len(repeated):
        return receipt
    duck.register("again", pa.table({"same": repeated}))
    listed = ", ".join(quote_text(str(file)) for file in accepted)
    duck.execute(
        f"""CREATE OR REPLACE TEMP TABLE outdone AS
        SELECT filename, file_row_number,
            CASE WHEN _row_hash = _last_hash THEN 'duplicate' ELSE 'superseded' END AS place
        FROM (
            SELECT filename, file_row_number, _row_hash, row_number() OVER record AS _turn,
                first_value(_row_hash) OVER record AS _last_hash
            FROM read_parquet([{listed}], filename = true, file_row_number = true)
            WHERE {_RECORD_DIGEST} IN (SELECT same FROM again)
            WINDOW record AS (PARTITION BY _source_record_id ORDER BY _sheet DESC, _row DESC)
        ) WHERE _turn > 1"""
    )
    duck.unregister("again")
    for (name,) in duck.execute("SELECT DISTINCT filename FROM outdone").fetchall():
        kept = Path(f"{name}.kept")
        own = f"SELECT file_row_number FROM outdone WHERE filename = {quote_text(name)}"
        copy(
            duck,
            f"SELECT * EXCLUDE (file_row_number) FROM read_parquet({quote_text(name)}, file_row_number = true) "
            f"WHERE file_row_number NOT IN ({own})",
            kept,
        )
        kept.replace(name)
    counts = dict(duck.execute("SELECT place, count(*) FROM outdone GROUP BY 1").fetchall())
    outdone = {"rows_superseded": counts.get("superseded", 0), "rows_duplicate": counts.get("duplicate", 0)}
    return replace(receipt, rows_accepted=receipt.rows_accepted - sum(outdone.values()), **outdone)


def _holds(placed: pa.Table, place: str) -> bool:
    return bool(pc.any(pc.equal(placed["_placed"], place)).as_py())


# Columns of ``placed`` that only the landing itself needs.
_OWN = ["_breaches", "_row_json", "_file", "_placed"]


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


def _name_deliveries(rows: pa.Table, receipts: dict[str, Receipt]) -> pa.Table:
    """The rows with ``_delivery_id``, the name that the receipt of their file goes by."""
    rows = rows.unify_dictionaries()
    files = rows["_file"]
    names = pa.array([receipts[path].delivery_id for path in files.chunk(0).dictionary.to_pylist()], pa.string())
    named = [pa.DictionaryArray.from_arrays(chunk.indices, names) for chunk in files.chunks]
    return rows.append_column("_delivery_id", pa.chunked_array(named))


def _judge_rows(load: Load, duck: duckdb.DuckDBPyConnection, entity: Entity, rows: pa.Table, part: str) -> pa.Table:
    """The delivered rows, judged, in their order. Raises ``ConservationError`` when they are not those delivered."""
    duck.register("delivered", rows)
    types = {row[0]: row[1] for row in duck.execute("DESCRIBE delivered").fetchall()}
    checks = [RowCheck("_shape_breach IS NOT NULL", "row", WRONG_SHAPE)] if "_shape_breach" in types else []
    repeating = find_repeating(duck, load.contract, entity, "delivered", types)
    # Words that say "as above" are read by windows over the rows, which come back in any order.
    rows = rows.append_column("_turn", pa.array(np.arange(rows.num_rows))) if repeating else rows
    words = {field.name for field in entity.fields if field.type != "text" and field.name not in repeating}
    duck.register("delivered", _read_words(load, duck, entity, rows, words))
    query = judge(
        load.contract,
        entity,
        "delivered",
        types,
        position=POSITION,
        carried=(*CARRIED, "_turn") if repeating else CARRIED,
        row_checks=checks,
        repeating=repeating,
        read_before=words,
    )
    # What came from the file goes on as it is; only what judging adds leaves the engine.
    as_delivered = [name for name in rows.column_names if name.startswith("raw_") or name in CARRIED]
    again = ", ".join(quote_name(name) for name in (*as_delivered, *(["_turn"] if repeating else [])) if name != "_row")
    judged = duck.execute(
        f"SELECT * EXCLUDE ({again}), {quote_text(part)} AS _part, "
        f"TIMESTAMPTZ {quote_text(load.received_at())} AS _landed_at FROM ({query})"
        + (" ORDER BY _turn" if repeating else "")
    ).to_arrow_table()
    duck.unregister("delivered")
    if not judged["_row"].equals(rows["_row"]):
        raise ConservationError(f"{load.contract.source}/{entity.name}: judging changed the number or order of rows.")
    for name in as_delivered:
        if name != "_row":
            judged = judged.append_column(name, rows[name])
    return judged


def _read_words(
    load: Load, duck: duckdb.DuckDBPyConnection, entity: Entity, rows: pa.Table, names: Collection[str]
) -> pa.Table:
    """The rows with what their words say (``read_words``): few words fill a column, and each is read but once."""
    for field in entity.fields:
        if field.name not in names:
            continue
        column = rows[f"raw_{field.name}"].dictionary_encode(null_encoding="encode")
        duck.register("words", pa.table({f"raw_{field.name}": column.chunk(0).dictionary}))
        read = duck.execute(read_words(load.contract, field, "words")).to_arrow_table()
        duck.unregister("words")
        for name in read.column_names:
            said = pa.concat_arrays(read[name].chunks)
            told = [pa.DictionaryArray.from_arrays(chunk.indices, said) for chunk in column.chunks]
            rows = rows.append_column(name, pa.chunked_array(told))
    return rows


def _place_rows(judged: pa.Table) -> pa.Table:
    """The judged rows, each with its one place (``_placed``) so far as the row alone decides it."""
    places = np.where(judged["_breaches"].is_valid().to_numpy(), PLACES.index(QUARANTINED), 0).astype(np.int8)
    return judged.append_column("_placed", pa.DictionaryArray.from_arrays(places, pa.array(PLACES)))


def _place_outdone(duck: duckdb.DuckDBPyConnection, placed: pa.Table) -> pa.Table:
    """The same rows; those that a later row of the same record in the same file outdoes have their place."""
    outdone, how = _find_outdone(duck, placed)
    places = np.array(placed["_placed"].combine_chunks().indices)
    places[outdone] = how
    return placed.set_column(
        placed.column_names.index("_placed"), "_placed", pa.DictionaryArray.from_arrays(places, pa.array(PLACES))
    )


def _find_outdone(duck: duckdb.DuckDBPyConnection, judged: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    """Indexes of rows outdone by a later one of the same record in the same file, and their places.

    Hardly any record comes twice in one file: digests find the few, so that only they are sorted.
    """
    same = digest(["_file", "_source_record_id"], ["_source_record_id"])
    needed = judged.select(["_file", "_sheet", "_row", "_source_record_id", "_row_hash", "_breaches"])
    duck.register("judged", needed.append_column("_at", pa.array(np.arange(len(judged), dtype=np.int64))))
    found = duck.execute(
        f"""WITH again AS (SELECT {same} AS same FROM judged WHERE _breaches IS NULL GROUP BY ALL HAVING count(*) > 1)
        SELECT _at, CASE WHEN _row_hash = _last_hash THEN {PLACES.index("duplicate")}
            ELSE {PLACES.index("superseded")} END AS _place
        FROM (
            SELECT _at, _row_hash, row_number() OVER record AS _turn, first_value(_row_hash) OVER record AS _last_hash
            FROM judged WHERE _breaches IS NULL AND {same} IN (SELECT same FROM again)
            WINDOW record AS (PARTITION BY _file, _source_record_id ORDER BY _sheet DESC, _row DESC)
        ) WHERE _turn > 1"""
    ).fetchnumpy()
    duck.unregister("judged")
    return found["_at"], found["_place"]


def _count_rows(placed: pa.Table, receipts: dict[str, Receipt]) -> None:
    """Add what became of the rows at hand to the receipts of their files."""
    seen = placed.select(["_file", "_placed"]).append_column("notices", placed["_notices"].is_valid().cast(pa.int64()))
    counted = seen.group_by(["_file", "_placed"]).aggregate([("notices", "sum"), ([], "count_all")])
    found: dict[str, dict[str, int]] = {}
    for row in counted.to_pylist():
        counts = found.setdefault(row["_file"], {"notices_count": receipts[row["_file"]].notices_count})
        place = f"rows_{row['_placed']}"
        counts[place] = getattr(receipts[row["_file"]], place) + row["count_all"]
        counts["notices_count"] += row["notices_sum"]
    for path, counts in found.items():
        said: dict[str, Any] = dict(counts)
        receipts[path] = replace(receipts[path], **said)


def _write_accepted(placed: pa.Table, file: Path) -> None:
    """The accepted rows without what only the landing needs; a group of rows at a time, as sorting out copies them."""
    placed = placed.unify_dictionaries()
    schema = placed.slice(0, 0).drop_columns(_OWN).schema
    with pq.ParquetWriter(file, schema, compression="zstd", compression_level=1, store_schema=False) as writer:
        for start in range(0, len(placed), GROUP_ROWS):
            group = placed.slice(start, GROUP_ROWS)
            accepted = group.filter(pc.equal(group["_placed"], ACCEPTED)).drop_columns(_OWN)
            if accepted.num_rows:
                writer.write_table(accepted, row_group_size=GROUP_ROWS)
