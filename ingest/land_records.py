"""Land sources whose records have keys: databases, HTTP interfaces, readers of one's own.

Every landing reads what changed since a little before the last change it holds, and lands the rows whose content
differs from the state that landed last. Ties, late commits and changes of the same second all arrive; equal rows change
nothing.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from ingest.contract import Entity, PythonSettings
from ingest.database import MissingColumn, SourceDatabase, SourceTable
from ingest.errors import SourceError
from ingest.http_api import fetch
from ingest.judge import NO_OBJECT, RowCheck, judge, quote_name, quote_text
from ingest.load import Load, copy
from ingest.receipt import ACCEPTED, REFUSED, Receipt

# So few records may vanish from a source at once, whatever their share.
VANISH_FLOOR = 10
# The engine reserves a few times this much: it is no larger than the pages ask for.
SMALLEST_JSON_LINE_BYTES = 1 << 20


@dataclass(frozen=True)
class _Delivery:
    """One extract, judged but not yet placed: Parquet files of judged rows, and its receipt without counts."""

    entity: Entity
    part: str
    receipt: Receipt
    judged: tuple[Path, ...]
    known: str | None
    source_keys: Path | None = None


def land_database(load: Load) -> None:
    """Land all tables of a database source from one snapshot. Raises ``SourceError``."""
    duck = load.open_duck()
    try:
        database = SourceDatabase(duck, load.contract, load.connection)
        database.attach()
        try:
            tables = database.find_tables()
        except MissingColumn as error:
            entity = load.contract.entity(error.entity)
            part, receipt = _begin(load, entity)
            load.commit(part, [], [replace(receipt, state=REFUSED, reason=str(error))])
            raise
        deliveries = _extract_tables(load, duck, database, tables)
        for done, delivery in enumerate(deliveries):
            load.progress(done, len(deliveries), f"{load.contract.source}: {delivery.entity.name}")
            _place(load, duck, delivery)
        load.progress(len(deliveries), len(deliveries), f"{load.contract.source}: landed")
    finally:
        duck.close()


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
    entity, settings = table.entity, load.contract.database
    part, receipt = _begin(load, entity)
    notices = tuple(f"column {name} is new and not used" for name in table.extra_columns)
    receipt = replace(receipt, notices=notices)
    since = _since(load, duck, entity, settings.overlap_days)
    judged = [_judge_to(load, duck, entity, receipt, part, database.select(table, since), 1)]
    keys = None
    known = _remember(load, duck, entity)
    if entity.deletes == "physical" and known is not None:
        keys = load.folder.scratch() / f"{part}-keys.parquet"
        copy(duck, _record_ids(load, entity, database.select(table, None, entity.record_id_fields)), keys)
        judged += _fetch_unseen(load, duck, database, table, receipt, part, judged[0], keys, known)
    return _Delivery(entity, part, receipt, tuple(judged), known, keys)


def _fetch_unseen(
    load: Load,
    duck: duckdb.DuckDBPyConnection,
    database: SourceDatabase,
    table: SourceTable,
    receipt: Receipt,
    part: str,
    judged: Path,
    keys: Path,
    known: str,
) -> list[Path]:
    """Rows that the source has and the landing lacks though they did not change lately: restored, or very late."""
    entity = table.entity
    unseen = (
        f"SELECT _record_key FROM {_file(keys)} "
        f"ANTI JOIN (SELECT _record_key FROM {known} WHERE state <> 'deleted') USING (_record_key) "
        f"ANTI JOIN (SELECT _source_record_id AS _record_key FROM {_file(judged)}) USING (_record_key)"
    )
    duck.execute(f"CREATE OR REPLACE TEMP TABLE unseen AS {unseen}")
    if not duck.execute("SELECT 1 FROM unseen LIMIT 1").fetchall():
        return []
    rows = database.select(table, None)
    restored = f"SELECT * FROM ({rows}) SEMI JOIN unseen ON {_record_id_of_raw(entity)} = unseen._record_key"
    return [_judge_to(load, duck, entity, receipt, part, restored, 2)]


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


def _record_ids(load: Load, entity: Entity, select: str) -> str:
    return f"SELECT {_record_id_of_raw(entity)} AS _record_key FROM ({select})"


def land_http(load: Load) -> None:
    """Land every entity of an HTTP source. Raises ``SourceError``."""
    duck = load.open_duck()
    # Items are numbered as they were delivered.
    duck.execute("SET preserve_insertion_order = true")
    try:
        for entity in load.contract.entities:
            part, receipt = _begin(load, entity)
            since = _since(load, duck, entity, load.contract.http.overlap_days)
            pages = load.folder.scratch() / f"{part}.ndjson.gz"
            extract = fetch(load.contract, entity, load.connection, since, pages, load.progress)
            raw = f"raw/{part}.ndjson.gz"
            receipt = replace(receipt, raw_files=(raw,))
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
            judged = _judge_to(load, duck, entity, receipt, part, select, 1, "_place", ("_order",), checks)
            load.progress(extract.items, extract.items, f"{load.contract.source}: landing")
            _place(
                load, duck, _Delivery(entity, part, receipt, (judged,), _remember(load, duck, entity)), ((pages, raw),)
            )
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
            since = _since(load, duck, entity, 3)
            delivered = load.folder.scratch() / f"{part}-delivered.parquet"
            writer: pq.ParquetWriter | None = None
            for table in getattr(module, function)(load.connection, entity.name, since):
                writer = writer or pq.ParquetWriter(delivered, table.schema)
                writer.write_table(table)
            if writer is None:
                load.commit(part, [], [receipt])
                continue
            writer.close()
            held = [row[0] for row in duck.execute(f"DESCRIBE FROM {_file(delivered)}").fetchall()]
            columns = ", ".join(
                f"{quote_name(field.column)} AS {quote_name('raw_' + field.name)}"
                for field in entity.fields
                if field.column in held
            )
            select = f"SELECT {columns} FROM {_file(delivered)}"
            judged = _judge_to(load, duck, entity, receipt, part, select, 1)
            _place(load, duck, _Delivery(entity, part, receipt, (judged,), _remember(load, duck, entity)))
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


def _remember(load: Load, duck: duckdb.DuckDBPyConnection, entity: Entity) -> str | None:
    """A temp table with the state that landed last for every record; none when nothing has landed."""
    known = load.landed(entity).known()
    if known is None:
        return None
    name = quote_name(f"known {entity.name}")
    duck.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT * FROM {known}")
    return name


def _since(load: Load, duck: duckdb.DuckDBPyConnection, entity: Entity, overlap_days: float) -> datetime | None:
    """From when on to read: none (everything) at the first landing under this contract."""
    landed = load.landed(entity)
    rows = landed.rows()
    same = any(
        receipt.contract_hash == entity.judging_hash and receipt.state == ACCEPTED for _, receipt in landed.receipts
    )
    if rows is None or not same or entity.watermark is None:
        return None
    row = duck.execute(f"SELECT epoch_us(max({quote_name(entity.watermark)})) FROM {rows}").fetchone()
    if row is None or row[0] is None:
        return None
    # One record dated in the future must not stop the feed for good.
    last = min(datetime.fromtimestamp(row[0] / 1_000_000, UTC), datetime.now(UTC))
    return last - timedelta(days=overlap_days)


def _judge_to(
    load: Load,
    duck: duckdb.DuckDBPyConnection,
    entity: Entity,
    receipt: Receipt,
    part: str,
    select: str,
    number: int,
    place: str | None = None,
    carried: Sequence[str] = (),
    checks: Sequence[RowCheck] = (),
) -> Path:
    """Read the rows of ``select`` once, judged, into a Parquet file in scratch."""
    types = {row[0]: row[1] for row in duck.execute(f"DESCRIBE {select}").fetchall()}
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
    )
    return file


def _place(
    load: Load, duck: duckdb.DuckDBPyConnection, delivery: _Delivery, raw: Sequence[tuple[Path, str]] = ()
) -> None:
    """Put every judged row in its one place, find what was deleted, and commit."""
    entity, part, known = delivery.entity, delivery.part, delivery.known
    judged = _file(*delivery.judged)
    counted = duck.execute(
        "SELECT count(*), count(_breaches), count(_notices), "
        f"count(DISTINCT coalesce(_source_record_id, '?' || _row_hash)) FROM {judged}"
    ).fetchone()
    read, breached, noticed, distinct = counted or (0, 0, 0, 0)
    files = list(raw)
    receipt = replace(delivery.receipt, rows_read=read, notices_count=noticed + len(delivery.receipt.notices))
    rows_name, refused_name = f"{entity.name}/{part}.parquet", f"quarantine/{part}.parquet"
    if known is None and not breached and distinct == read and len(delivery.judged) == 1:
        # The common first landing: what was judged is what lands; nothing has to be sorted out.
        if read:
            files.append((delivery.judged[0], rows_name))
            receipt = replace(receipt, rows_accepted=read, rows_files=(rows_name,))
    elif read:
        _sort_out(duck, entity, _file(*delivery.judged, numbered=True), known)
        counts = dict(duck.execute("SELECT _placed, count(*) FROM sorted_out GROUP BY 1").fetchall())
        receipt = replace(
            receipt,
            rows_accepted=counts.get("accepted", 0),
            rows_quarantined=counts.get("quarantined", 0),
            rows_superseded=counts.get("superseded", 0),
            rows_duplicate=counts.get("duplicate", 0),
        )
        scratch = load.folder.scratch()
        placed = f"{_file(*delivery.judged, numbered=True)} JOIN sorted_out USING (_filename, file_row_number)"
        if receipt.rows_accepted:
            made = scratch / f"{part}-rows.parquet"
            copy(
                duck,
                "SELECT * EXCLUDE (_breaches, _row_json, _filename, file_row_number, _placed) "
                f"FROM {placed} WHERE _placed = 'accepted'",
                made,
            )
            files.append((made, rows_name))
            receipt = replace(receipt, rows_files=(rows_name,))
        if receipt.rows_quarantined:
            made = scratch / f"{part}-quarantine.parquet"
            columns = load.quarantine_columns(entity, part, receipt.received_at)
            copy(duck, f"SELECT {columns} FROM {placed} WHERE _placed = 'quarantined'", made)
            files.append((made, refused_name))
            receipt = replace(receipt, quarantine_files=(refused_name,))
    if delivery.source_keys is not None and known is not None:
        receipt = _bury(load, duck, delivery, known, receipt, files)
    load.commit(part, files, [receipt])


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
    entity, part = delivery.entity, delivery.part
    keys = _file(delivery.source_keys) if delivery.source_keys is not None else ""
    alive = f"(SELECT _record_key FROM {known} WHERE state <> 'deleted' AND NOT starts_with(_record_key, '?'))"
    gone = f"SELECT _record_key FROM {alive} ANTI JOIN {keys} USING (_record_key)"
    row = duck.execute(
        f"SELECT (SELECT count(*) FROM {alive}), (SELECT count(*) FROM ({gone})), (SELECT count(*) FROM {keys})"
    ).fetchone()
    held, vanished, left = row or (0, 0, 0)
    if not vanished:
        return receipt
    if vanished > max(VANISH_FLOOR, entity.vanish_limit * held) or not left:
        error = SourceError(
            load.contract.source,
            f"{vanished} of {held} records of {entity.name} vanished at once, more than the contract allows",
            "ask the owner whether that is right; if it is, raise vanish_limit in the contract for one landing",
        )
        refused = replace(delivery.receipt, state=REFUSED, reason=str(error), raw_files=())
        load.commit(part, [], [refused])
        raise error
    made, name = load.folder.scratch() / f"{part}-deleted.parquet", f"deleted/{part}.parquet"
    copy(
        duck,
        f"SELECT _record_key, {quote_text(part)} AS _part, "
        f"TIMESTAMPTZ {quote_text(receipt.received_at)} AS _deleted_at FROM ({gone})",
        made,
    )
    files.append((made, name))
    return replace(receipt, deleted_files=(name,), notices=(*receipt.notices, f"{vanished} records were deleted"))


def _file(*paths: Path, numbered: bool = False) -> str:
    listed = ", ".join(quote_text(str(path)) for path in paths)
    options = ", filename = '_filename', file_row_number = true" if numbered else ""
    return f"read_parquet([{listed}]{options})"
