"""Is a source ready: contract, sample, staging, connection; and what must a person still decide."""

from __future__ import annotations

import csv
import json
import re
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa

from ingest.connection import Connection
from ingest.contract import (
    DATABASE,
    FILES,
    HTTP,
    Contract,
    ContractError,
    Entity,
    HttpSettings,
    PythonSettings,
    read_contract,
)
from ingest.database import SourceDatabase
from ingest.errors import SourceError
from ingest.files.folder import DeliveryFolder, LocalFolder, RawStore
from ingest.files.layout import layout_of
from ingest.http_api import fetch
from ingest.judge import judge, quote_name, register_functions
from ingest.land_files import land_files
from ingest.landing_folder import LandingFolder
from ingest.load import Load
from ingest.progress import tell_nobody
from ingest.quarantine import list_waiting
from ingest.source_new import DECIDE
from ingest.source_sample import flatten
from warehouse.duck import connect
from warehouse.home import Home

GOOD, WRONG, OPEN, ABSENT = "✓", "✗", "?", "–"
CONTRACT, SAMPLE, STAGING, CONNECTION, DECISION = "contract", "sample", "staging", "connection", "decide"
BREACHES_SHOWN = 3


@dataclass(frozen=True)
class Checked:
    """One line of a check. ``mark``: good, wrong, open (a person must decide) or absent (not set up)."""

    mark: str
    subject: str
    sentence: str


def check_source(name: str, sources: Path, models: Path, connection: Connection | SourceError | None) -> list[Checked]:
    """Everything that can be said of a source before it is landed. A wrong contract stops the rest."""
    try:
        contract = read_contract(sources / name)
    except ContractError as error:
        return [Checked(WRONG, CONTRACT, str(error))]
    entities = ", ".join(entity.name for entity in contract.entities)
    lines = [Checked(GOOD, CONTRACT, f"{contract.kind}, {contract.release}; {entities}")]
    lines += check_sample(contract)
    lines += check_staging(contract, models)
    lines.append(check_connection(contract, connection))
    lines += list_decisions(contract, models)
    return lines


def check_sample(contract: Contract) -> list[Checked]:
    """Land the source's sample, or judge it, row by row: every entity has one, and every row passes."""
    folder = contract.folder / "sample"
    if not folder.is_dir():
        return [Checked(WRONG, SAMPLE, f"{folder} is missing; put a small sample of invented rows there.")]
    if contract.kind == FILES:
        return _land_sample(contract, folder)
    lines = []
    for entity in contract.entities:
        file = folder / f"{entity.name}.{'json' if contract.kind == HTTP else 'csv'}"
        if not file.exists():
            lines.append(
                Checked(WRONG, SAMPLE, f"{file.name} is missing; put a few invented rows of {entity.name} there.")
            )
            continue
        try:
            rows = _read_items(contract, file) if contract.kind == HTTP else _read_rows(file)
        except (ValueError, KeyError, TypeError) as error:
            lines.append(Checked(WRONG, SAMPLE, f"{file.name} cannot be read ({type(error).__name__}); write it anew."))
            continue
        lines.append(_judge_sample(contract, entity, file.name, rows))
    return lines


def _land_sample(contract: Contract, folder: Path) -> list[Checked]:
    """A landing of its own in a folder that is thrown away."""
    patient = replace(contract, connector=replace(contract.files, settle_seconds=0))
    with tempfile.TemporaryDirectory() as scratch:
        home = Home(Path(scratch))
        landing = LandingFolder(home, contract.source)
        with landing.writing():
            load = Load(patient, Connection(contract.source, "file", path=str(folder)), landing, "sample", tell_nobody)
            land_files(load)
        receipts = load.receipts
        waiting, _ = list_waiting(home, source=contract.source, sources=contract.folder.parent)
    lines = [Checked(WRONG, SAMPLE, str(receipt.reason)) for receipt in receipts if receipt.state == "refused"]
    lines += [
        Checked(WRONG, SAMPLE, f"{row.delivery_id}, {row.position}: {row.message}; mend the sample or the contract.")
        for row in waiting[:BREACHES_SHOWN]
    ]
    landed = Counter({receipt.entity: receipt.rows_accepted for receipt in receipts if receipt.rows_accepted})
    for entity in contract.entities:
        if landed[entity.name]:
            lines.append(Checked(GOOD, SAMPLE, f"{entity.name}: {landed[entity.name]} rows pass"))
        elif not lines:
            lines.append(Checked(WRONG, SAMPLE, f"no sample file of {entity.name}; put one under {folder.name}/."))
    return lines


def _read_rows(file: Path) -> list[dict[str, str | None]]:
    with file.open(encoding="utf-8", newline="") as opened:
        return [{name: value or None for name, value in row.items()} for row in csv.DictReader(opened)]


def _read_items(contract: Contract, file: Path) -> list[dict[str, str | None]]:
    page = json.loads(file.read_text(encoding="utf-8"), parse_float=str, parse_int=str)
    for key in contract.http.items:
        page = page[key]
    return [flatten(item) for item in page]


def _judge_sample(contract: Contract, entity: Entity, file: str, rows: Sequence[dict[str, str | None]]) -> Checked:
    """Judge rows that are all text, as the contract has it."""
    places = {field.name: ".".join(field.path) if contract.kind == HTTP else field.column for field in entity.fields}
    held = {name for row in rows for name in row}
    missing = [place for name, place in places.items() if place not in held and not entity.field(name).optional]
    if missing or not rows:
        said = f"lacks {', '.join(missing)}" if missing else "has no rows"
        return Checked(WRONG, SAMPLE, f"{file} {said}; mend the sample or the contract.")
    table = pa.table(
        {f"raw_{name}": pa.array([row.get(place) for row in rows], pa.string()) for name, place in places.items()}
        | {"_place": pa.array([f"row {number}" for number in range(1, len(rows) + 1)])}
    )
    with connect(extensions=("icu", "json")) as duck:
        register_functions(duck)
        duck.register("sample", table)
        types = {name: "VARCHAR" for name in table.column_names}
        zone = getattr(contract.connector, "time_zone", "Asia/Shanghai")
        judged = judge(contract, entity, "sample", types, zone, position=quote_name("_place"))
        wrong = duck.execute(
            "SELECT _position, list_transform(_breaches, lambda breach: breach.message) "
            f"FROM ({judged}) WHERE _breaches IS NOT NULL LIMIT 1"
        ).fetchall()
    if wrong:
        return Checked(
            WRONG, SAMPLE, f"{file}, {wrong[0][0]}: {'; '.join(wrong[0][1])}; mend the sample or the contract."
        )
    return Checked(GOOD, SAMPLE, f"{entity.name}: {len(rows)} rows pass")


def staged_shapes(models: Path) -> set[str]:
    """The shapes that staging may offer, read off the macro that declares them."""
    macro = models.parents[1] / "macros" / "staged_shapes.sql"
    if not macro.exists():
        return set()
    return set(re.findall(r"^\s{4}'(\w+)':\s*\{", macro.read_text(encoding="utf-8"), re.MULTILINE))


def check_staging(contract: Contract, models: Path) -> list[Checked]:
    """A model reads every entity, and at least one offers a shape that the rooms behind staging know."""
    folder = models / contract.source
    files = sorted(folder.glob(f"stg_{contract.source}__*.sql"))
    if not files:
        return [
            Checked(
                WRONG,
                STAGING,
                f"{folder} holds no stg_{contract.source}__<shape>.sql; write one (docs/add-a-source.md).",
            )
        ]
    text = "\n".join(file.read_text(encoding="utf-8") for file in files)
    lines = [
        Checked(
            WRONG,
            STAGING,
            f"no model reads {contract.source}__{entity.name}; stage it, or take it out of the contract.",
        )
        for entity in contract.entities
        if not re.search(rf"source\(\s*'landing',\s*'{contract.source}__{entity.name}'\s*\)", text)
    ]
    shapes = staged_shapes(models)
    offered = [file.stem.split("__", 1)[1] for file in files if file.stem.split("__", 1)[1] in shapes]
    if shapes and not offered:
        lines.append(
            Checked(OPEN, STAGING, "no model offers a shape of macros/staged_shapes.sql: nothing goes further yet.")
        )
    return lines or [Checked(GOOD, STAGING, f"{len(files)} models; shapes: {', '.join(offered) or 'none'}")]


def check_connection(contract: Contract, connection: Connection | SourceError | None) -> Checked:
    """Reach the source without landing anything."""
    if connection is None:
        variable = f"AIRFLOW_CONN_{contract.source.upper()}"
        return Checked(ABSENT, CONNECTION, f"none is known here; set {variable} to try it.")
    if isinstance(connection, SourceError):
        return Checked(WRONG, CONNECTION, str(connection))
    try:
        return Checked(GOOD, CONNECTION, _reach(contract, connection))
    except SourceError as error:
        return Checked(WRONG, CONNECTION, str(error))


def _reach(contract: Contract, connection: Connection) -> str:
    """What is found at the source. Raises ``SourceError``."""
    with tempfile.TemporaryDirectory() as scratch:
        if contract.kind == DATABASE:
            with connect(extensions=("icu", "json")) as duck:
                database = SourceDatabase(duck, contract, connection)
                database.attach()
                return f"{len(database.find_tables())} tables found, with all their columns"
        if contract.kind == FILES:
            return _look_into_folder(contract, connection, RawStore(Path(scratch) / "raw"))
        if isinstance(contract.connector, HttpSettings):
            impatient = replace(contract, connector=replace(contract.connector, attempts=2))
            since = datetime.now(UTC) - timedelta(minutes=1)
            for entity in contract.entities:
                fetch(impatient, entity, connection, since, Path(scratch) / "pages.ndjson.gz", tell_nobody)
            return f"{contract.connector.path} answers in the agreed form"
    reader = contract.connector.reader if isinstance(contract.connector, PythonSettings) else ""
    if not (contract.folder / f"{reader.split(':')[0]}.py").exists():
        raise SourceError(contract.source, f"the reader {reader} is missing", "put it beside the contract")
    return f"a reader of its own, {reader}, which is not tried here"


def _look_into_folder(contract: Contract, connection: Connection, raw: RawStore) -> str:
    folder: DeliveryFolder
    if connection.kind == "file":
        folder = LocalFolder(contract.source, connection.path, raw)
    elif connection.kind == "sftp":
        # Here, because its cryptography takes half a second that a local folder need not wait.
        from ingest.files.sftp import SftpFolder

        folder = SftpFolder(contract.source, connection, raw)
    else:
        raise SourceError(
            contract.source, f"a connection of type {connection.kind} leads to no folder", "use file:// or sftp://"
        )
    layout = layout_of(contract)
    with folder:
        listed = folder.list_files()
    fit = sum(layout.pattern.fullmatch(file.path) is not None for file in listed)
    return f"{len(listed):,} files, {fit:,} of them named as agreed"


def list_decisions(contract: Contract, models: Path) -> list[Checked]:
    """What the drafts leave to a person: their comments that begin with "Decide:"."""
    files = [contract.folder / "contract.yml", *sorted((models / contract.source).glob("*"))]
    found = []
    for file in files:
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
            if (place := re.search(rf"(?:#|--)\s*{DECIDE}\s*(.+)", line)) is not None:
                found.append(Checked(OPEN, DECISION, f"{file.name} line {number}: {place[1]}"))
    return found
