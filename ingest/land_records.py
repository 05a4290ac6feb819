"""Land records from HTTP interfaces and from readers of one's own."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import replace

import pyarrow.parquet as pq

from ingest.contract import PythonSettings
from ingest.errors import SourceError
from ingest.judge import NO_OBJECT, RowCheck, quote_name, quote_text
from ingest.load import Load
from ingest.reconcile import delivered_keys, parquet, plan_reading, remember
from ingest.records import Delivery, begin, judge_to, place_rows

# The engine reserves a few times this much: it is no larger than the pages ask for.
SMALLEST_JSON_LINE_BYTES = 1 << 20
PYTHON_OVERLAP_DAYS = 3


def land_http(load: Load) -> None:
    """Land every entity of an HTTP source. Raises ``SourceError``."""
    # Here, because a database need not wait for the client.
    from ingest.http_api import fetch

    duck = load.open_duck()
    # Items are numbered as they were delivered.
    duck.execute("SET preserve_insertion_order = true")
    try:
        for entity in load.contract.entities:
            part, receipt = begin(load, entity)
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
            judged = judge_to(
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
            place_rows(load, duck, Delivery(entity, part, receipt, (judged,), known), ((pages, raw),))
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
            part, receipt = begin(load, entity)
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
            judged = judge_to(load, duck, entity, receipt, part, select, types, is_whole=reading.is_whole)
            known = remember(load, duck, entity, delivered_keys(judged))
            place_rows(load, duck, Delivery(entity, part, receipt, (judged,), known))
    finally:
        duck.close()
