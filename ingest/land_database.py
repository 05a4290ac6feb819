"""Land a database: all its tables as of one moment, what changed and what was deleted."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import duckdb

from ingest.connection import SCANNERS
from ingest.contract import Entity
from ingest.database import SourceDatabase, SourceTable, TableChanged
from ingest.drift import changed_types
from ingest.errors import SourceError
from ingest.floors import check_floor, mend_floor
from ingest.load import Load, copy
from ingest.receipt import ACCEPTED, Receipt
from ingest.reconcile import Reading, delivered_keys, find_unseen, plan_reading, remember
from ingest.records import Delivery, begin, judge_to, place_rows, record_id_of_raw, refuse, sort_rows


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
            refuse(load, error, *begin(load, load.contract.entity(error.entity)))
        for table in tables:
            _refuse_changed_types(load, table)
        deliveries = _extract_tables(load, duck, database, tables)
        for done, delivery in enumerate(deliveries):
            load.progress(done, len(deliveries), f"{load.contract.source}: {delivery.entity.name}")
            place_rows(load, duck, delivery)
        load.progress(len(deliveries), len(deliveries), f"{load.contract.source}: landed")
    finally:
        duck.close()


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
        refuse(load, error, *begin(load, table.entity))


def _extract_tables(
    load: Load, duck: duckdb.DuckDBPyConnection, database: SourceDatabase, tables: Sequence[SourceTable]
) -> list[Delivery]:
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
) -> Delivery:
    entity = table.entity
    used = [field.column for field in entity.fields if field.column in table.types]
    part, receipt = begin(load, entity)
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
        return judge_to(load, duck, entity, receipt, part, rows, types, is_whole=reading.is_whole)

    if reading.compares_keys:
        # Before everything is read: too few rows are refused.
        receipt = _take_count(load, entity, database.count(table), reading, part, receipt)
        judged = read()
    else:
        with database.counting(table) as count:
            judged = read()
            # In another connection: where the server counts in the transaction, this goes on beside it.
            with duck.cursor() as other, ThreadPoolExecutor(1, "look-up") as beside:
                looked_up = beside.submit(_look_up, load, other, Delivery(entity, part, receipt, (judged,), None))
                receipt = _take_count(load, entity, count(), reading, part, receipt)
                delivery = looked_up.result()
        if delivery.sorted is not None and reading.explains(receipt.source_rows, delivery.sorted.new):
            return replace(delivery, receipt=receipt)
    receipt = replace(receipt, keys_compared=True)
    delivery = Delivery(entity, part, receipt, (judged,), remember(load, duck, entity))
    return delivery if delivery.known is None else _compare_keys(load, duck, database, table, delivery, delivery.known)


def _compare_keys(
    load: Load,
    duck: duckdb.DuckDBPyConnection,
    database: SourceDatabase,
    table: SourceTable,
    delivery: Delivery,
    known: str,
) -> Delivery:
    """The delivery with all keys of the source, and with the rows that we lack though they did not change lately:
    restored ones, or such as were committed very late.
    """
    entity, (judged,) = delivery.entity, delivery.judged
    keys = load.folder.scratch() / f"{delivery.part}-keys.parquet"
    if delivery.receipt.is_whole:
        copy(duck, f"SELECT _record_key FROM {delivered_keys(judged)}", keys)
        return replace(delivery, keys=keys)
    named = database.select(table, None, entity.record_id_fields)
    copy(duck, f"SELECT {record_id_of_raw(entity)} AS _record_key FROM ({named})", keys)
    if not find_unseen(duck, keys, judged, known):
        return replace(delivery, keys=keys)
    table = database.find_zero_dates(table, None)
    types, everything = database.types(table), database.select(table, None)
    unseen = f"SELECT * FROM ({everything}) SEMI JOIN unseen ON {record_id_of_raw(entity)} = unseen._record_key"
    more = judge_to(load, duck, entity, delivery.receipt, delivery.part, unseen, types, number=2)
    return replace(delivery, judged=(judged, more), keys=keys)


def _take_count(load: Load, entity: Entity, rows: int, reading: Reading, part: str, receipt: Receipt) -> Receipt:
    """The receipt with the owner's number of rows. Raises ``SourceError`` when they are too few to be believed."""
    receipt = replace(receipt, source_rows=rows)
    wrong = check_floor(entity, rows, reading.counted.source_rows if reading.counted is not None else None)
    if wrong is not None:
        refuse(load, SourceError(load.contract.source, wrong, mend_floor(entity)), part, receipt)
    return receipt


def _look_up(load: Load, duck: duckdb.DuckDBPyConnection, delivery: Delivery) -> Delivery:
    """The delivery with the last states of its records (none when nothing has landed), and its rows sorted by them."""
    known = remember(load, duck, delivery.entity, delivered_keys(*delivery.judged))
    delivery = replace(delivery, known=known)
    return replace(delivery, sorted=sort_rows(load, duck, delivery))
