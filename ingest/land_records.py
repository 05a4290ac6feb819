"""Land sources whose records have keys: databases, HTTP interfaces, readers of one's own.

Every landing reads what changed since a little before the last change it holds, and lands the rows whose content
differs from the state that landed last. Ties, late commits and changes of the same second all arrive; equal rows change
nothing.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

import duckdb
import pyarrow.parquet as pq

from ingest.connection import SCANNERS
from ingest.contract import Entity, PythonSettings
from ingest.database import SourceDatabase, SourceTable, TableChanged
from ingest.drift import changed_types
from ingest.errors import SourceError
from ingest.floors import check_floor, mend_floor, vanished_too_many
from ingest.judge import NO_OBJECT, RowCheck, judge, quote_name, quote_text
from ingest.load import KEPT, KEPT_FEW, PASSING, Load, copy
from ingest.receipt import ACCEPTED, REFUSED, Receipt
from ingest.reconcile import (
    Reading,
    count_held,
    count_new,
    count_vanished,
    delivered_keys,
    find_unseen,
    parquet,
    plan_reading,
    remember,
    seen_moment,
    write_tombstones,
)
from warehouse.digest import text_digest

# The engine reserves a few times this much: it is no larger than the pages ask for.
SMALLEST_JSON_LINE_BYTES = 1 << 20
PYTHON_OVERLAP_DAYS = 3
_RECORD_DIGEST = text_digest("_source_record_id")


@dataclass(frozen=True)
class _Delivery:
    """One extract, judged but not yet placed: Parquet files of judged rows, and its receipt without their counts.

    ``known``: table of the last states of the delivered records, of all records when ``keys`` are compared. ``new``:
    how many of the delivered records are not held, when that is known already; ``sorted``: their places, likewise.
    """

    entity: Entity
    part: str
    receipt: Receipt
    judged: tuple[Path, ...]
    known: str | None
    keys: Path | None = None
    new: int | None = None
    sorted: _Sorted | None = None


@dataclass(frozen=True)
class _Sorted:
    """The judged rows of an extract, each in its place: files with their names in the landing, the receipt that counts
    them, and how many records they are at a first landing.
    """

    files: tuple[tuple[Path, str], ...]
    receipt: Receipt
    first: int | None


def land_database(load: Load) -> None:
    """Land all tables of a database source from one snapshot. Raises ``SourceError``."""
    scanner = SCANNERS.get(load.connection.kind)
    duck = load.open_duck(*([scanner] if scanner else []))
    try:
        database = SourceDatabase(duck, load.contract, load.connection)
        database.attach()
        try:
            tables = database.find_tables()
        except TableChanged as error:
            _refuse(load, error, *_begin(load, load.contract.entity(error.entity)))
        for table in tables:
            _refuse_changed_types(load, table)
        deliveries = _extract_tables(load, duck, database, tables)
        for done, delivery in enumerate(deliveries):
            load.progress(done, len(deliveries), f"{load.contract.source}: {delivery.entity.name}")
            _place(load, duck, delivery)
        load.progress(len(deliveries), len(deliveries), f"{load.contract.source}: landed")
    finally:
        duck.close()


def _refuse(load: Load, error: SourceError, part: str, receipt: Receipt) -> NoReturn:
    """Leave a receipt that says why nothing of this delivery landed."""
    refused = replace(receipt, state=REFUSED, reason=str(error), raw_files=(), is_whole=False, keys_compared=False)
    load.commit(part, [], [refused])
    raise error


def _refuse_changed_types(load: Load, table: SourceTable) -> None:
    before: dict[str, str] = {}
    for _, receipt in load.landed(table.entity).receipts:
        if receipt.state == ACCEPTED:
            before |= receipt.column_types or {}
    changed = changed_types(table.entity, table.types, before)
    if changed:
        said = ", ".join(f"{column} was {old} and is {new}" for column, old, new in changed)
        error = TableChanged(
            load.contract.source,
            table.entity.name,
            f"types changed in table {table.table}: {said}",
            "ask the owner what it means, then agree to it by owner_type in the contract",
        )
        _refuse(load, error, *_begin(load, table.entity))


def _extract_tables(
    load: Load, duck: duckdb.DuckDBPyConnection, database: SourceDatabase, tables: Sequence[SourceTable]
) -> list[_Delivery]:
    deliveries = []
    # One transaction: every statement in it reads the owner's database as of one moment.
    duck.execute("BEGIN TRANSACTION")
    try:
        for done, table in enumerate(tables):
            load.progress(done, len(tables), f"{load.contract.source}: reading {table.table}")
            deliveries.append(_extract_table(load, duck, database, table))
        duck.execute("COMMIT")
    except (duckdb.Error, UnicodeDecodeError) as error:
        # The engine's text may quote values of persons, or the password.
        raise SourceError(
            load.contract.source,
            f"reading {tables[len(deliveries)].table} broke off ({type(error).__name__})",
            "see whether the database server is well, then land again",
        ) from None
    return deliveries


def _extract_table(
    load: Load, duck: duckdb.DuckDBPyConnection, database: SourceDatabase, table: SourceTable
) -> _Delivery:
    entity = table.entity
    used = [field.column for field in entity.fields if field.column in table.types]
    part, receipt = _begin(load, entity)
    reading = plan_reading(load, entity, load.contract.database.overlap_days)
    receipt = replace(
        receipt,
        notices=tuple(f"column {name} is new and not used" for name in table.extra_columns),
        column_types={column: table.types[column] for column in used},
        is_whole=reading.is_whole,
    )
    table = database.find_zero_dates(table, reading.since)

    def read() -> Path:
        types, rows = database.types(table), database.select(table, reading.since)
        return _judge_to(load, duck, entity, receipt, part, rows, types, is_whole=reading.is_whole)

    if reading.compares_keys:
        # Before everything is read: too few rows are refused.
        receipt = _take_count(load, entity, database.count(table), reading, part, receipt)
        judged = read()
    else:
        with database.counting(table) as count:
            judged = read()
            # In another connection: where the server counts in the transaction, this goes on beside it.
            with duck.cursor() as other, ThreadPoolExecutor(1, "look-up") as beside:
                looked_up = beside.submit(_look_up, load, other, _Delivery(entity, part, receipt, (judged,), None))
                receipt = _take_count(load, entity, count(), reading, part, receipt)
                delivery = looked_up.result()
        if reading.explains(receipt.source_rows, delivery.new):
            return replace(delivery, receipt=receipt)
    known = remember(load, duck, entity)
    receipt = replace(receipt, keys_compared=True)
    if known is None:
        return _Delivery(entity, part, receipt, (judged,), known)
    keys = load.folder.scratch() / f"{part}-keys.parquet"
    if reading.is_whole:
        copy(duck, f"SELECT _record_key FROM {delivered_keys(judged)}", keys)
        return _Delivery(entity, part, receipt, (judged,), known, keys)
    named = database.select(table, None, entity.record_id_fields)
    copy(duck, f"SELECT {_record_id_of_raw(entity)} AS _record_key FROM ({named})", keys)
    if not find_unseen(duck, keys, judged, known):
        return _Delivery(entity, part, receipt, (judged,), known, keys)
    # The source has rows that we lack though they did not change lately: restored, or committed very late.
    table = database.find_zero_dates(table, None)
    types, everything = database.types(table), database.select(table, None)
    unseen = f"SELECT * FROM ({everything}) SEMI JOIN unseen ON {_record_id_of_raw(entity)} = unseen._record_key"
    more = _judge_to(load, duck, entity, receipt, part, unseen, types, number=2)
    return _Delivery(entity, part, receipt, (judged, more), known, keys)


def _take_count(load: Load, entity: Entity, rows: int, reading: Reading, part: str, receipt: Receipt) -> Receipt:
    """The receipt with the owner's number of rows. Raises ``SourceError`` when they are too few to be believed."""
    receipt = replace(receipt, source_rows=rows)
    wrong = check_floor(entity, rows, reading.counted.source_rows if reading.counted is not None else None)
    if wrong is not None:
        _refuse(load, SourceError(load.contract.source, wrong, mend_floor(entity)), part, receipt)
    return receipt


def _look_up(load: Load, duck: duckdb.DuckDBPyConnection, delivery: _Delivery) -> _Delivery:
    """The delivery with the last states of its records (none when nothing has landed), and its rows sorted by them."""
    known = remember(load, duck, delivery.entity, delivered_keys(*delivery.judged))
    delivery = replace(delivery, known=known, new=count_new(duck, delivery.judged, known))
    return replace(delivery, sorted=_sort_rows(load, duck, delivery))


def _record_id_of_raw(entity: Entity) -> str:
    return _template(
        entity, {name: f"CAST({quote_name('raw_' + name)} AS VARCHAR)" for name in entity.record_id_fields}
    )


def _template(entity: Entity, values: Mapping[str, str]) -> str:
    text = entity.record_id
    for name, value in values.items():
        text = text.replace("{" + name + "}", f"\0{value}\0")
    return " || ".join(
        piece if place % 2 else quote_text(piece) for place, piece in enumerate(text.split("\0")) if piece
    )


def land_http(load: Load) -> None:
    """Land every entity of an HTTP source. Raises ``SourceError``."""
    # Here, because a database need not wait for the client.
    from ingest.http_api import fetch

    duck = load.open_duck()
    # Items are numbered as they were delivered.
    duck.execute("SET preserve_insertion_order = true")
    try:
        for entity in load.contract.entities:
            part, receipt = _begin(load, entity)
            reading = plan_reading(load, entity, load.contract.http.overlap_days)
            pages = load.folder.scratch() / f"{part}.ndjson.gz"
            extract = fetch(load.contract, entity, load.connection, reading.since, pages, load.progress)
            raw = f"raw/{part}.ndjson.gz"
            receipt = replace(receipt, raw_files=(raw,), is_whole=reading.is_whole)
            columns = ", ".join(
                f"item ->> {quote_text(_json_path(field.path))} AS {quote_name('raw_' + field.name)}"
                for field in entity.fields
            )
            items = _json_path(load.contract.http.items)
            read = (
                f"read_json_objects({quote_text(str(pages))}, format = 'newline_delimited', compression = 'gzip', "
                f"maximum_object_size = {max(SMALLEST_JSON_LINE_BYTES, 2 * extract.longest_line)})"
            )
            select = (
                f"SELECT {columns}, item, 'item ' || row_number() OVER () AS _place, row_number() OVER () AS _order "
                f"FROM (SELECT unnest(CAST(json -> {quote_text(items)} AS JSON[])) AS item FROM {read})"
            )
            checks = [
                RowCheck(
                    f"json_type(item, {quote_text(_json_path(tuple(path.split('.'))))}) IS DISTINCT FROM 'OBJECT'",
                    path,
                    NO_OBJECT,
                )
                for path in entity.required_objects
            ]
            types = {f"raw_{field.name}": "VARCHAR" for field in entity.fields} | {"item": "JSON"}
            judged = _judge_to(
                load,
                duck,
                entity,
                receipt,
                part,
                select,
                types,
                is_whole=reading.is_whole,
                place="_place",
                carried=("_order",),
                checks=checks,
            )
            load.progress(extract.items, extract.items, f"{load.contract.source}: landing")
            known = remember(load, duck, entity, delivered_keys(judged))
            _place(load, duck, _Delivery(entity, part, receipt, (judged,), known), ((pages, raw),))
    finally:
        duck.close()


def _json_path(keys: Sequence[str]) -> str:
    return "$" + "".join(f'."{key}"' for key in keys)


def land_python(load: Load) -> None:
    """Land a source through a reader of its own: ``<module>.py`` in its folder, with a function that takes connection,
    entity and since and yields Arrow tables with a column per field. Raises ``SourceError``.
    """
    settings = load.contract.connector
    if not isinstance(settings, PythonSettings):
        raise TypeError(f"{load.contract.source} has no reader")
    module_name, function = settings.reader.split(":")
    file = load.contract.folder / f"{module_name}.py"
    spec = importlib.util.spec_from_file_location(f"ingest.sources.{load.contract.source}.{module_name}", file)
    if spec is None or spec.loader is None or not file.exists():
        raise SourceError(load.contract.source, f"the reader {file.name} is missing", "put it beside the contract")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    duck = load.open_duck()
    try:
        for entity in load.contract.entities:
            part, receipt = _begin(load, entity)
            reading = plan_reading(load, entity, PYTHON_OVERLAP_DAYS)
            delivered = load.folder.scratch() / f"{part}-delivered.parquet"
            writer: pq.ParquetWriter | None = None
            for table in getattr(module, function)(load.connection, entity.name, reading.since):
                writer = writer or pq.ParquetWriter(delivered, table.schema)
                writer.write_table(table)
            if writer is None:
                load.commit(part, [], [receipt])
                continue
            writer.close()
            held = {row[0]: row[1] for row in duck.execute(f"DESCRIBE FROM {parquet(delivered)}").fetchall()}
            columns = ", ".join(
                f"{quote_name(field.column)} AS {quote_name('raw_' + field.name)}"
                for field in entity.fields
                if field.column in held
            )
            types = {f"raw_{field.name}": held[field.column] for field in entity.fields if field.column in held}
            receipt = replace(receipt, is_whole=reading.is_whole)
            select = f"SELECT {columns} FROM {parquet(delivered)}"
            judged = _judge_to(load, duck, entity, receipt, part, select, types, is_whole=reading.is_whole)
            known = remember(load, duck, entity, delivered_keys(judged))
            _place(load, duck, _Delivery(entity, part, receipt, (judged,), known))
    finally:
        duck.close()


# Steps shared by all of them ------------------------------------------------------------------------------------------


def _begin(load: Load, entity: Entity) -> tuple[str, Receipt]:
    part = load.next_part()
    receipt = Receipt(
        delivery_id=f"{load.contract.source}/{entity.name}/{part}",
        source_system=load.contract.source,
        entity=entity.name,
        load_id=load.load_id,
        received_at=load.received_at(),
        contract_hash=entity.judging_hash,
    )
    return part, receipt


def _judge_to(
    load: Load,
    duck: duckdb.DuckDBPyConnection,
    entity: Entity,
    receipt: Receipt,
    part: str,
    select: str,
    types: Mapping[str, str],
    *,
    number: int = 1,
    is_whole: bool = True,
    place: str | None = None,
    carried: Sequence[str] = (),
    checks: Sequence[RowCheck] = (),
) -> Path:
    """Read the rows of ``select``, whose columns have ``types``, once, judged, into a Parquet file in scratch.

    ``is_whole``: they are all rows of the source, many, and may land in this very file.
    """
    zone = getattr(load.contract.connector, "time_zone", "Asia/Shanghai")
    position = place or f"{quote_text(entity.table + ' ')} || coalesce({_record_id_of_raw(entity)}, '?')"
    query = judge(
        load.contract, entity, f"({select})", types, zone, position=position, carried=carried, row_checks=checks
    )
    file = load.folder.scratch() / f"{part}-judged{number}.parquet"
    copy(
        duck,
        f"SELECT *, {quote_text(receipt.delivery_id)} AS _delivery_id, {quote_text(part)} AS _part, "
        f"TIMESTAMPTZ {quote_text(receipt.received_at)} AS _landed_at FROM ({query})",
        file,
        KEPT if is_whole else PASSING,
    )
    return file


def _place(
    load: Load, duck: duckdb.DuckDBPyConnection, delivery: _Delivery, raw: Sequence[tuple[Path, str]] = ()
) -> None:
    """Put every judged row in its one place, find what was deleted, and commit."""
    placed = delivery.sorted or _sort_rows(load, duck, delivery)
    files = [*raw, *placed.files]
    receipt = replace(placed.receipt, source_rows=delivery.receipt.source_rows)
    # At a first landing all records are new; otherwise it takes a comparison with what is held.
    receipt = _count_records(load, duck, delivery, receipt, delivery.new if placed.first is None else placed.first)
    if delivery.keys is not None and delivery.known is not None and delivery.entity.deletes == "physical":
        receipt = _bury(load, duck, delivery, delivery.known, receipt, files)
    load.commit(delivery.part, files, [receipt])


def _sort_rows(load: Load, duck: duckdb.DuckDBPyConnection, delivery: _Delivery) -> _Sorted:
    """Sort the judged rows of an extract into accepted, refused and outdone ones, and count them."""
    judged, moment = parquet(*delivery.judged), seen_moment(delivery.entity, delivery.receipt.received_at)
    counted = duck.execute(
        "SELECT count(*), count(_breaches), count(_notices), "
        f"count(*) - count(_source_record_id), {moment} FROM {judged}"
    ).fetchone()
    read, breached, noticed, nameless, watermark = counted or (0, 0, 0, 0, None)
    is_first = delivery.known is None and not nameless and _are_distinct(duck, judged)
    receipt = replace(
        delivery.receipt,
        rows_read=read,
        notices_count=noticed + len(delivery.receipt.notices),
        watermark=watermark,
    )
    first = read if is_first else None
    if not read:
        return _Sorted((), receipt, first)
    if is_first and not breached and len(delivery.judged) == 1:
        # The common first landing: what was judged is what lands; nothing has to be sorted out.
        rows_name = f"{delivery.entity.name}/{delivery.part}.parquet"
        receipt = replace(receipt, rows_accepted=read, rows_files=(rows_name,))
        return _Sorted(((delivery.judged[0], rows_name),), receipt, first)
    return _write_sorted(load, duck, delivery, receipt, first)


def _write_sorted(
    load: Load, duck: duckdb.DuckDBPyConnection, delivery: _Delivery, receipt: Receipt, first: int | None
) -> _Sorted:
    """Write the accepted rows into one file in scratch and the refused ones into another."""
    entity, part, scratch = delivery.entity, delivery.part, load.folder.scratch()
    judged = parquet(*delivery.judged, numbered=True)
    _sort_out(duck, entity, judged, delivery.known)
    counts = dict(duck.execute("SELECT _placed, count(*) FROM sorted_out GROUP BY 1").fetchall())
    receipt = replace(
        receipt,
        rows_accepted=counts.get("accepted", 0),
        rows_quarantined=counts.get("quarantined", 0),
        rows_superseded=counts.get("superseded", 0),
        rows_duplicate=counts.get("duplicate", 0),
    )
    placed = f"{judged} JOIN sorted_out USING (_filename, file_row_number)"
    files = []
    if receipt.rows_accepted:
        made, name = scratch / f"{part}-rows.parquet", f"{entity.name}/{part}.parquet"
        copy(
            duck,
            "SELECT * EXCLUDE (_breaches, _row_json, _filename, file_row_number, _placed) "
            f"FROM {placed} WHERE _placed = 'accepted'",
            made,
            KEPT if receipt.is_whole else KEPT_FEW,
        )
        files.append((made, name))
        receipt = replace(receipt, rows_files=(name,))
    if receipt.rows_quarantined:
        made, name = scratch / f"{part}-quarantine.parquet", f"quarantine/{part}.parquet"
        columns = load.quarantine_columns(entity, part, receipt.received_at)
        copy(duck, f"SELECT {columns} FROM {placed} WHERE _placed = 'quarantined'", made)
        files.append((made, name))
        receipt = replace(receipt, quarantine_files=(name,))
    return _Sorted(tuple(files), receipt, first)


def _are_distinct(duck: duckdb.DuckDBPyConnection, judged: str) -> bool:
    """Whether no two judged rows are of the same record; false also when digests of two records happen to agree.

    Eight bytes per row in an array, where the engine's count of different texts would hold them all.
    """
    digests = duck.execute(f"SELECT {_RECORD_DIGEST} AS d FROM {judged}").fetchnumpy()["d"]
    digests.sort()
    return not (digests[1:] == digests[:-1]).any()


def _count_records(
    load: Load, duck: duckdb.DuckDBPyConnection, delivery: _Delivery, receipt: Receipt, new: int | None
) -> Receipt:
    """Write into a database's receipt how many records are held from now on, deleted ones not yet subtracted.

    ``new``: how many of the delivered records were not held, when that is known already.
    """
    if receipt.source_rows is None:
        return receipt
    held = 0
    if delivery.known is not None:
        counted = plan_reading(load, delivery.entity, 0).counted
        before = counted.records_held if counted is not None and not receipt.keys_compared else None
        held = count_held(duck, delivery.known) if before is None else before
    new = count_new(duck, delivery.judged, delivery.known) if new is None else new
    return replace(receipt, records_held=held + new)


def _sort_out(duck: duckdb.DuckDBPyConnection, entity: Entity, judged: str, known: str | None) -> None:
    """Temp table ``sorted_out``: the place of every judged row, by file and row number."""
    latest = []
    if entity.watermark is not None:
        latest.append(f"{quote_name(entity.watermark)} DESC NULLS LAST")
    latest.append("_filename, file_row_number DESC")
    window = f"OVER (PARTITION BY coalesce(_source_record_id, '?' || _row_hash) ORDER BY {', '.join(latest)})"
    before = f"LEFT JOIN {known} AS known USING (_record_key)" if known is not None else ""
    unchanged = "known._row_hash = _row_hash_now" if known is not None else "false"
    duck.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE sorted_out AS
        SELECT _filename, file_row_number,
            CASE WHEN _turn > 1 AND _row_hash_now = _best_hash THEN 'duplicate'
                 WHEN _turn > 1 THEN 'superseded'
                 WHEN {unchanged} THEN 'duplicate'
                 WHEN has_breaches THEN 'quarantined'
                 ELSE 'accepted' END AS _placed
        FROM (
            SELECT _filename, file_row_number, _row_hash AS _row_hash_now, _breaches IS NOT NULL AS has_breaches,
                coalesce(_source_record_id, '?' || _row_hash) AS _record_key,
                row_number() {window} AS _turn, first_value(_row_hash) {window} AS _best_hash
            FROM {judged}
        ) {before}
        """
    )


def _bury(
    load: Load,
    duck: duckdb.DuckDBPyConnection,
    delivery: _Delivery,
    known: str,
    receipt: Receipt,
    files: list[tuple[Path, str]],
) -> Receipt:
    """Tombstones for records that the source no longer has. Raises ``SourceError`` when too many vanished at once."""
    if delivery.keys is None or receipt.records_held is None:
        return receipt
    entity, part = delivery.entity, delivery.part
    vanished, held, left = count_vanished(duck, delivery.keys, known)
    if not vanished:
        return receipt
    if vanished_too_many(entity, vanished, held, left):
        error = SourceError(
            load.contract.source,
            f"{vanished} of {held} records of {entity.name} vanished at once, more than the contract allows",
            "ask the owner whether that is right; if it is, raise vanish_limit in the contract for one landing",
        )
        _refuse(load, error, part, delivery.receipt)
    made, name = load.folder.scratch() / f"{part}-deleted.parquet", f"deleted/{part}.parquet"
    write_tombstones(duck, part, receipt.received_at, made)
    files.append((made, name))
    return replace(
        receipt,
        deleted_files=(name,),
        records_held=receipt.records_held - vanished,
        notices=(*receipt.notices, f"{vanished} records were deleted"),
    )
