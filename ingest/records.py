"""The steps that landings of keyed records share: judge what was read, give every row its one place, bury, commit.

A landing reads what changed since a little before the last change it holds, and lands the rows whose content differs
from the state that landed last. Ties, late commits and changes of the same second all arrive; equal rows change
nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

import duckdb

from ingest.contract import Entity
from ingest.errors import SourceError
from ingest.floors import vanished_too_many
from ingest.judge import RowCheck, judge, quote_name, quote_text
from ingest.load import KEPT, KEPT_FEW, PASSING, Load, copy
from ingest.receipt import REFUSED, Receipt
from ingest.reconcile import count_held, count_vanished, parquet, plan_reading, seen_moment, write_tombstones
from warehouse.digest import text_digest

_RECORD_DIGEST = text_digest("_source_record_id")


@dataclass(frozen=True)
class Delivery:
    """One extract, judged but not yet placed: Parquet files of judged rows, and its receipt without their counts.

    ``known``: table of the last states of the delivered records, of all records when ``keys`` are compared.
    ``sorted``: the places of its rows, when they are known already.
    """

    entity: Entity
    part: str
    receipt: Receipt
    judged: tuple[Path, ...]
    known: str | None
    keys: Path | None = None
    sorted: Sorted | None = None


@dataclass(frozen=True)
class Sorted:
    """The judged rows of an extract, each in its place: files with their names in the landing, the receipt that counts
    them, and how many of their records are not held yet.
    """

    files: tuple[tuple[Path, str], ...]
    receipt: Receipt
    new: int


def refuse(load: Load, error: SourceError, part: str, receipt: Receipt) -> NoReturn:
    """Leave a receipt that says why nothing of this delivery landed, and raise ``error``."""
    refused = replace(receipt, state=REFUSED, reason=str(error), raw_files=(), is_whole=False, keys_compared=False)
    load.commit(part, [], [refused])
    raise error


def record_id_of_raw(entity: Entity) -> str:
    """SQL: the record id of a row as delivered (``raw_<field>``), null when a field of it is."""
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


def begin(load: Load, entity: Entity) -> tuple[str, Receipt]:
    """The name of the next part, and a receipt for its delivery that counts nothing yet."""
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


def judge_to(
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
    position = place or f"{quote_text(entity.table + ' ')} || coalesce({record_id_of_raw(entity)}, '?')"
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


def place_rows(
    load: Load, duck: duckdb.DuckDBPyConnection, delivery: Delivery, raw: Sequence[tuple[Path, str]] = ()
) -> None:
    """Put every judged row in its one place, find what was deleted, and commit."""
    placed = delivery.sorted or sort_rows(load, duck, delivery)
    files = [*raw, *placed.files]
    receipt = replace(placed.receipt, source_rows=delivery.receipt.source_rows)
    receipt = _count_records(load, duck, delivery, receipt, placed.new)
    if delivery.keys is not None and delivery.known is not None and delivery.entity.deletes == "physical":
        receipt = _bury(load, duck, delivery, delivery.known, receipt, files)
    load.commit(delivery.part, files, [receipt])


def sort_rows(load: Load, duck: duckdb.DuckDBPyConnection, delivery: Delivery) -> Sorted:
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
    if not read:
        return Sorted((), receipt, 0)
    if is_first and not breached and len(delivery.judged) == 1:
        # The common first landing: what was judged is what lands; nothing has to be sorted out.
        rows_name = f"{delivery.entity.name}/{delivery.part}.parquet"
        receipt = replace(receipt, rows_accepted=read, rows_files=(rows_name,))
        return Sorted(((delivery.judged[0], rows_name),), receipt, read)
    return _write_sorted(load, duck, delivery, receipt)


def _write_sorted(load: Load, duck: duckdb.DuckDBPyConnection, delivery: Delivery, receipt: Receipt) -> Sorted:
    """Write the accepted rows into one file in scratch and the refused ones into another."""
    entity, part, scratch = delivery.entity, delivery.part, load.folder.scratch()
    judged = parquet(*delivery.judged, numbered=True)
    _sort_out(duck, entity, judged, delivery.known)
    counted = duck.execute("SELECT _placed, count(*), count(*) FILTER (_is_new) FROM sorted_out GROUP BY 1").fetchall()
    counts = {place: rows for place, rows, _ in counted}
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
            "SELECT * EXCLUDE (_breaches, _row_json, _filename, file_row_number, _placed, _is_new) "
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
    return Sorted(tuple(files), receipt, sum(new for _, _, new in counted))


def _are_distinct(duck: duckdb.DuckDBPyConnection, judged: str) -> bool:
    """Whether no two judged rows are of the same record; false also when digests of two records happen to agree.

    Eight bytes per row in an array, where the engine's count of different texts would hold them all.
    """
    digests = duck.execute(f"SELECT {_RECORD_DIGEST} AS d FROM {judged}").fetchnumpy()["d"]
    digests.sort()
    return not (digests[1:] == digests[:-1]).any()


def _count_records(
    load: Load, duck: duckdb.DuckDBPyConnection, delivery: Delivery, receipt: Receipt, new: int
) -> Receipt:
    """Write into a database's receipt how many records are held from now on, deleted ones not yet subtracted.

    ``new``: how many of the delivered records were not held.
    """
    if receipt.source_rows is None:
        return receipt
    held = 0
    if delivery.known is not None:
        counted = plan_reading(load, delivery.entity, 0).counted
        before = counted.records_held if counted is not None and not receipt.keys_compared else None
        held = count_held(duck, delivery.known) if before is None else before
    return replace(receipt, records_held=held + new)


def _sort_out(duck: duckdb.DuckDBPyConnection, entity: Entity, judged: str, known: str | None) -> None:
    """Temp table ``sorted_out``: the place of every judged row, by file and row number, and whether it is the first to
    bring a record that is not held (``_is_new``).
    """
    latest = []
    if entity.watermark is not None:
        latest.append(f"{quote_name(entity.watermark)} DESC NULLS LAST")
    latest.append("_filename, file_row_number DESC")
    window = f"OVER (PARTITION BY coalesce(_source_record_id, '?' || _row_hash) ORDER BY {', '.join(latest)})"
    before, unchanged, is_held = "", "false", "false"
    if known is not None:
        before = f"LEFT JOIN {known} AS known USING (_record_key)"
        unchanged, is_held = "known._row_hash = _row_hash_now", "coalesce(known.state <> 'deleted', false)"
    duck.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE sorted_out AS
        SELECT _filename, file_row_number,
            CASE WHEN _turn > 1 AND _row_hash_now = _best_hash THEN 'duplicate'
                 WHEN _turn > 1 THEN 'superseded'
                 WHEN {unchanged} THEN 'duplicate'
                 WHEN has_breaches THEN 'quarantined'
                 ELSE 'accepted' END AS _placed,
            _turn = 1 AND NOT starts_with(_record_key, '?') AND NOT {is_held} AS _is_new
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
    delivery: Delivery,
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
        refuse(load, error, part, delivery.receipt)
    made, name = load.folder.scratch() / f"{part}-deleted.parquet", f"deleted/{part}.parquet"
    write_tombstones(duck, part, receipt.received_at, made)
    files.append((made, name))
    return replace(
        receipt,
        deleted_files=(name,),
        records_held=receipt.records_held - vanished,
        notices=(*receipt.notices, f"{vanished} records were deleted"),
    )
