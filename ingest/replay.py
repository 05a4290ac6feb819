"""Judge quarantined rows again, and only those: after a mended contract or rule, or with values their owner corrected.

Rows that pass become accepted rows of the delivery that brought them, with its place, time and digest; they leave the
quarantine by the same commit. No other row is touched, and what does not pass stays as it was.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from ingest.contract import FILES, Contract, Entity
from ingest.corrections import (
    CORRECTIONS,
    CorrectedRow,
    CorrectionsUnusable,
    find_changes,
    read_corrected_file,
    recall_corrections,
    register_corrections,
    write_corrections,
)
from ingest.judge import NO_OBJECT, WRONG_SHAPE, Breach, RowCheck, fold, judge, quote_name, quote_text
from ingest.landing_folder import LandingFolder
from ingest.load import copy
from ingest.quarantine import chosen_contracts, note_quarantine_access, open_quarantine, read_value
from ingest.quarantine_export import ID_HEADER, read_extra
from ingest.receipt import REPLAYED, Receipt
from ingest.registry import SOURCES
from ingest.state import Landed
from warehouse.home import Home

CORRECTED = "corrected"
DIGITS_LOST = Breach("digits_lost", "lost digits in a spreadsheet program")
SAYS_AS_ABOVE = Breach("says_as_above", "says “as above”, and the row above is not at hand: give the value itself")
RECORD_EXISTS = Breach("record_exists", "names a record that is there already")
FILE_PLACES = ("_district", "_month", "_kind", "_version", "_sheet", "_row")


@dataclass(frozen=True)
class StillWaiting:
    """A row that was judged again and stays: where it is and what is wrong with it now."""

    quarantine_id: str
    delivery_id: str
    position: str
    message: str


@dataclass(frozen=True)
class ReplayResult:
    """What judging again did in one source. ``part`` names the commit, none when nothing passed."""

    source: str
    judged: int = 0
    accepted: int = 0
    corrected_values: int = 0
    part: str | None = None
    left: tuple[StillWaiting, ...] = ()


@dataclass(frozen=True)
class Correction:
    """A corrected file: its rows by quarantine id, who brought it."""

    file: Path
    rows: dict[str, dict[str, str | None]]
    by: str

    @classmethod
    def read(cls, file: Path, by: str) -> Correction:
        """Raises ``CorrectionsUnusable``."""
        return cls(file, read_corrected_file(file), by)


def replay(
    home: Home, source: str | None = None, correction: Correction | None = None, *, sources: Path = SOURCES
) -> list[ReplayResult]:
    """Judge what waits again: all of it, or the rows of a corrected file; one commit per source.

    Raises ``ContractError``, ``CorrectionsUnusable``, and ``SourceError`` when a landing of that source is running.
    """
    contracts = chosen_contracts(source, sources)
    if correction is not None:
        if not correction.rows:
            raise CorrectionsUnusable(f"{correction.file.name} names no row in its column {ID_HEADER}.")
        contracts = _concerned(home, contracts, correction)
    results = []
    for contract in contracts:
        folder = LandingFolder(home, contract.source)
        if not folder.root.exists():
            continue
        with folder.writing():
            duck = open_quarantine(home, [contract])
            try:
                corrected = None if correction is None else _compare(duck, home, contract, correction)
                results.append(_replay_source(duck, contract, folder, correction, corrected))
            finally:
                duck.close()
    return results


def _concerned(home: Home, contracts: Sequence[Contract], correction: Correction) -> list[Contract]:
    """The sources whose rows a corrected file speaks of."""
    duck = open_quarantine(home, contracts)
    try:
        wanted = "SELECT DISTINCT source_system FROM waiting WHERE quarantine_id IN (SELECT unnest(?))"
        names = {row[0] for row in duck.execute(wanted, [list(correction.rows)]).fetchall()}
    finally:
        duck.close()
    return [contract for contract in contracts if contract.source in names]


def _compare(
    duck: duckdb.DuckDBPyConnection, home: Home, contract: Contract, correction: Correction
) -> list[CorrectedRow]:
    """The rows of a corrected file that wait in this source, and what was changed in them."""
    rows = duck.execute(
        "SELECT quarantine_id, entity, row_json FROM waiting WHERE quarantine_id IN (SELECT unnest(?))",
        [list(correction.rows)],
    ).fetchall()
    if rows:
        note_quarantine_access(home, "replay", [row[0] for row in rows])
    return [
        find_changes(contract, entity, name, json.loads(said, parse_float=str, parse_int=str), correction.rows[name])
        for name, entity, said in rows
    ]


def _replay_source(
    duck: duckdb.DuckDBPyConnection,
    contract: Contract,
    folder: LandingFolder,
    correction: Correction | None,
    corrected: Sequence[CorrectedRow] | None,
) -> ReplayResult:
    """Judge, and commit what passes: rows, ledger of corrections and receipts in one part."""
    parts = folder.parts()
    if corrected is None:
        recall_corrections(duck, folder.root, parts)
    else:
        register_corrections(duck, corrected)
        duck.execute("DELETE FROM waiting WHERE quarantine_id NOT IN (SELECT quarantine_id FROM corrected)")
    load_id = folder.next_load_id()
    part, at = f"{load_id}-0001", datetime.now(UTC).isoformat(timespec="milliseconds")
    result = ReplayResult(contract.source)
    files: list[tuple[Path, str]] = []
    receipts: list[Receipt] = []
    accepted: list[str] = []
    for entity in contract.entities:
        waiting = duck.execute("SELECT count(*) FROM waiting WHERE entity = ?", [entity.name]).fetchone()
        if waiting is None or not waiting[0]:
            continue
        _judge_again(duck, contract, entity, Landed.of(entity, folder.root, parts))
        result = replace(result, judged=result.judged + waiting[0], left=(*result.left, *_left(duck)))
        made, target = folder.scratch() / f"{part}-{entity.name}.parquet", f"{entity.name}/{part}.parquet"
        if not copy(duck, _accepted_rows(contract, entity, part), made):
            continue
        passed = duck.execute("SELECT _quarantine_id FROM judged WHERE _breaches IS NULL").fetchall()
        accepted += [row[0] for row in passed]
        files.append((made, target))
        receipts.append(
            Receipt(
                delivery_id=f"{contract.source}/{entity.name}/replay/{part}",
                source_system=contract.source,
                entity=entity.name,
                load_id=load_id,
                received_at=at,
                state=REPLAYED,
                reason=f"{len(passed)} rows left the quarantine: judged again{' as corrected' if correction else ''}.",
                contract_hash=entity.judging_hash,
                rows_files=(target,),
            )
        )
    if not accepted:
        return result
    values = 0
    if correction is not None:
        made, target = folder.scratch() / f"{part}-corrections.parquet", f"{CORRECTIONS}/{part}.parquet"
        said = {"by": correction.by, "at": at, "name": correction.file.name}
        values = write_corrections(duck, corrected or (), accepted, said, made)
        if values:
            files.append((made, target))
            receipts[0] = replace(receipts[0], raw_files=(target,))
    folder.commit(part, files, receipts)
    return replace(result, accepted=len(accepted), corrected_values=values, part=part)


def _judge_again(duck: duckdb.DuckDBPyConnection, contract: Contract, entity: Entity, landed: Landed) -> None:
    """Temp table ``judged``: one row per waiting row of the entity, by the contract as it is now."""
    raw = ", ".join(f"{_value_to_judge(contract, entity, name)} AS raw_{name}" for name in _names(entity))
    places = (
        ", district AS _district, delivered_month AS _month, kind AS _kind, version AS _version, "
        "CAST(regexp_extract(position, 'sheet (\\d+) row (\\d+)', 1) AS INTEGER) AS _sheet, "
        "CAST(regexp_extract(position, 'sheet (\\d+) row (\\d+)', 2) AS INTEGER) AS _row"
        if contract.kind == FILES
        else ""
    )
    relation = (
        "(SELECT quarantine_id AS _quarantine_id, delivery_id AS _delivery_id, position AS _place, message AS _said, "
        "_row_hash AS _delivered_hash, _record_key AS _delivered_key, _part AS _delivered_part, "
        "first_seen_at AS _seen_at, row_json AS _delivered, corrected AS _corrected, trouble AS _trouble, "
        f"{raw}{places} FROM waiting LEFT JOIN corrected USING (quarantine_id) "
        f"WHERE entity = {quote_text(entity.name)})"
    )
    carried = ["_quarantine_id", "_delivery_id", "_delivered_hash", "_delivered_key", "_delivered_part"]
    carried += ["_seen_at", "_delivered", "_corrected", *(FILE_PLACES if contract.kind == FILES else ())]
    types = {f"raw_{name}": "VARCHAR" for name in _names(entity)}
    zone = getattr(contract.connector, "time_zone", "Asia/Shanghai")
    query = judge(
        contract,
        entity,
        relation,
        types,
        zone,
        position="_place",
        carried=carried,
        row_checks=_checks_of_rows(contract, entity),
    )
    duck.execute(f"CREATE OR REPLACE TEMP TABLE judged AS {query}")
    if contract.kind != FILES:
        _refuse_other_records(duck, landed)


def _names(entity: Entity) -> list[str]:
    return [field.name for field in entity.fields]


def _value_to_judge(contract: Contract, entity: Entity, name: str) -> str:
    """SQL: the corrected value, else the delivered one, else what stood under a header that is known only now."""
    value = read_value(name)
    if contract.kind == FILES:
        value = f"coalesce({', '.join([value, *map(read_extra, entity.field(name).headers)])})"
    return f"CASE WHEN json_exists(corrected, '$.{name}') THEN corrected ->> '$.{name}' ELSE {value} END"


def _checks_of_rows(contract: Contract, entity: Entity) -> list[RowCheck]:
    """What the values of a row alone do not show: its shape, its parts, words that point to the row above."""
    checks = [
        RowCheck(f"_corrected IS NULL AND contains(_said, {quote_text(WRONG_SHAPE.meaning)})", "row", WRONG_SHAPE),
        RowCheck("_trouble IS NOT NULL", "row", DIGITS_LOST),
    ]
    for path in entity.required_objects:
        keys = tuple(path.split("."))
        inside = [field.name for field in entity.fields if field.path[: len(keys)] == keys]
        empty = "".join(f" AND raw_{name} IS NULL" for name in inside)
        said = quote_text(f"{path} {NO_OBJECT.meaning}")
        checks.append(RowCheck(f"contains(_said, {said}){empty}", path, NO_OBJECT))
    if contract.kind == FILES and contract.files.repeats:
        words = ", ".join(fold(quote_text(word)) for word in contract.files.repeats)
        checks += [
            RowCheck(f"coalesce({fold(f'raw_{name}')} IN ({words}), false)", name, SAYS_AS_ABOVE)
            for name in _names(entity)
        ]
    return checks


def _refuse_other_records(duck: duckdb.DuckDBPyConnection, landed: Landed) -> None:
    """A corrected key must not put one record in the place of another."""
    taken = ["SELECT _source_record_id FROM judged GROUP BY 1 HAVING count(*) > 1"]
    if (rows := landed.rows()) is not None:
        moved = "SELECT _source_record_id FROM judged WHERE _source_record_id IS DISTINCT FROM _delivered_key"
        taken.append(f"SELECT _source_record_id FROM {rows} SEMI JOIN ({moved}) USING (_source_record_id)")
    breach = (
        f"[struct_pack(field := 'row', code := {quote_text(RECORD_EXISTS.code)}, "
        f"message := {quote_text('row ' + RECORD_EXISTS.meaning)})]"
    )
    duck.execute(
        f"UPDATE judged SET _breaches = {breach} WHERE _breaches IS NULL "
        f"AND _source_record_id IN ({' UNION ALL '.join(taken)})"
    )


def _left(duck: duckdb.DuckDBPyConnection) -> list[StillWaiting]:
    message = "list_aggregate(list_transform(_breaches, lambda breach: breach.message), 'string_agg', '; ')"
    rows = duck.execute(
        f"SELECT _quarantine_id, _delivery_id, _position, {message} FROM judged WHERE _breaches IS NOT NULL "
        "ORDER BY _delivery_id, length(_position), _position"
    ).fetchall()
    return [StillWaiting(*row) for row in rows]


def _accepted_rows(contract: Contract, entity: Entity, part: str) -> str:
    """SQL of the rows that pass, as a landing writes them: the value as delivered stays beside a corrected one."""
    values = [quote_name(name) for name in _names(entity)]
    if contract.keeps_raw_columns:
        values += [
            f"CASE WHEN json_exists(_corrected, '$.{name}') THEN _delivered ->> '$.{name}' ELSE raw_{name} END "
            f"AS raw_{name}"
            for name in _names(entity)
        ]
    if contract.kind == FILES:
        values += list(FILE_PLACES)
    notice = "STRUCT(field VARCHAR, code VARCHAR, message VARCHAR)[]"
    told = (
        "list_transform(json_keys(_corrected), lambda name: struct_pack(field := name, "
        f"code := '{CORRECTED}', message := name || ' was corrected by its owner'))"
    )
    before = f"coalesce(CAST(CAST(_notices AS JSON) AS {notice}), CAST([] AS {notice}))"
    # Within a file its rows stand in their order; the state of a record is that of its latest part.
    own_part = "_delivered_part" if contract.kind == FILES else quote_text(part)
    values += [
        "_source_record_id",
        "_position",
        "_delivered_hash AS _row_hash",
        f"CASE WHEN _corrected IS NULL THEN _notices ELSE CAST(to_json(list_concat({before}, {told})) AS VARCHAR) END "
        "AS _notices",
        "_delivery_id",
        f"{own_part} AS _part",
        "_seen_at AS _landed_at",
    ]
    return f"SELECT {', '.join(values)} FROM judged WHERE _breaches IS NULL"
