"""What a source promises, read from ``ingest/sources/<source>/contract.yml``: the only place that describes a source.

The file is checked against ``contract.schema.json`` (editors use the same schema) and then against the rules that a
schema cannot say: names that must exist, code lists that must be defined, words that must be unambiguous.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from jsonschema_rs import Draft202012Validator, ValidationError

SCHEMA_FILE = Path(__file__).with_name("contract.schema.json")
QUARANTINE, NOTICE = "quarantine", "notice"
RELEASED, SHADOW = "released", "shadow"
DATABASE, HTTP, FILES, PYTHON = "database", "http", "files", "python"
PLACEHOLDER = re.compile(r"\{([a-z0-9_]+)\}")
# What a record id of a file source may name besides fields: where the row lies.
FILE_PLACES = frozenset({"_district", "_year", "_month", "_kind", "_version", "_sheet", "_row"})


class ContractError(Exception):
    """A contract is wrong; the message is one sentence that names file, place and mend."""


@dataclass(frozen=True)
class Field:
    """One field of an entity under its canonical name.

    ``headers`` (files), ``path`` (HTTP) and ``column`` (databases) say where it is found. ``optional``: the column may
    be missing from a delivery. ``required``: every row must have a value. ``nulls``: words that mean no value.
    ``default``: the canonical value, as text, of a row that has none. ``codes``: delivered word → canonical code.
    ``corrections``: delivered value → right value, agreed with the owner. ``on_breach``: what an unreadable value does.
    ``owner_type``: the column's type at the owner, where the contract fixes it (else: as it was seen at first).
    """

    name: str
    type: str
    title: str
    headers: tuple[str, ...]
    path: tuple[str, ...]
    column: str
    nulls: tuple[str, ...]
    codes: Mapping[str, str]
    corrections: Mapping[str, str]
    on_breach: str
    sensitivity: str
    required: bool = False
    optional: bool = False
    default: str | None = None
    precision: int | None = None
    scale: int | None = None
    minimum: str | None = None
    maximum: str | None = None
    owner_type: str | None = None

    @property
    def sql_type(self) -> str:
        """The DuckDB type of the field in the landing."""
        if self.type == "decimal":
            return f"DECIMAL({self.precision}, {self.scale})"
        if self.codes:
            return "BOOLEAN" if self.type == "boolean" else "VARCHAR"
        return {
            "text": "VARCHAR",
            "integer": "BIGINT",
            "date": "DATE",
            "month": "DATE",
            "timestamp": "TIMESTAMP",
            "timestamptz": "TIMESTAMP WITH TIME ZONE",
            "boolean": "BOOLEAN",
            "code": "VARCHAR",
        }[self.type]


@dataclass(frozen=True)
class ControlTotals:
    """The totals row of a file: which words mark it, which field it sums, and how the number of rows is written.

    ``count_pattern`` is a regular expression whose first group is the number, searched in every cell of the row.
    ``sum_field`` is none when the file gives no sum.
    """

    words: tuple[str, ...]
    count_pattern: str
    sum_field: str | None


@dataclass(frozen=True)
class Entity:
    """One table, list or kind of file of a source.

    ``key``: fields that identify a record at its owner (empty for file rows that have no number of their own).
    ``record_id``: template of ``_source_record_id`` over fields and, for files, ``FILE_PLACES``. ``watermark``: field
    that moves when a record changes. ``deletes``: ``none`` or ``physical``: keys that vanish become tombstones;
    ``vanish_limit``: the share of landed keys that may vanish at once. ``reconcile_days``: how often all keys are
    compared; ``reread_days``: how often everything is read, whatever the watermark says. ``floor``, ``ceiling``:
    shares of the last accepted delivery's rows (``floors.py``). ``latest_by_record``: the same record may come again
    in another file and the later delivery counts. ``required_objects``: parts of an HTTP item that must be there.
    ``judging_hash`` changes with everything that changes how rows are judged.
    """

    name: str
    title: str
    fields: tuple[Field, ...]
    key: tuple[str, ...]
    record_id: str
    table: str
    watermark: str | None
    deletes: str
    vanish_limit: float
    reconcile_days: int
    reread_days: int
    floor: float
    ceiling: float | None
    latest_by_record: bool
    required_objects: tuple[str, ...]
    control_totals: ControlTotals | None
    judging_hash: str

    def field(self, name: str) -> Field:
        """The field called ``name``. Raises ``KeyError`` when there is none."""
        for candidate in self.fields:
            if candidate.name == name:
                return candidate
        raise KeyError(name)

    @property
    def record_id_fields(self) -> tuple[str, ...]:
        """The fields (not the file places) that the record id is made of."""
        return tuple(name for name in PLACEHOLDER.findall(self.record_id) if name not in FILE_PLACES)


@dataclass(frozen=True)
class DatabaseSettings:
    """``schema``: where the tables are, when the contract knows. ``overlap_days``: how far back every landing reads."""

    schema: str | None
    overlap_days: float
    time_zone: str


@dataclass(frozen=True)
class HttpSettings:
    """Paths into the answer are tuples of keys. ``requests_per_second`` stays under what the owner promises."""

    path: str
    items: tuple[str, ...]
    next_cursor: tuple[str, ...]
    cursor_parameter: str
    since_parameter: str
    page_size_parameter: str
    page_size: int
    requests_per_second: float
    overlap_days: float
    timeout_seconds: float
    attempts: int
    time_zone: str


@dataclass(frozen=True)
class FileSettings:
    """``pattern``: regular expression of a file's path under the folder, with the groups district, month, kind, version
    (may be absent or empty: version 1) and suffix; kinds are the entities' names. ``repeats``: words that repeat the
    value above. ``signature_words``: words that open the closing lines of an office form, which are no data.
    ``settle_seconds``: a file younger than this, or still changing, waits unless its digest agrees.
    """

    pattern: str
    repeats: tuple[str, ...]
    signature_words: tuple[str, ...]
    settle_seconds: float
    maximum_unpacked_mb: int
    digest_suffix: str | None


@dataclass(frozen=True)
class PythonSettings:
    """``reader``: ``module:function`` inside the source's folder that yields Arrow tables of one entity."""

    reader: str


Connector = DatabaseSettings | HttpSettings | FileSettings | PythonSettings


@dataclass(frozen=True)
class Contract:
    """One source: who owns it, how it is reached, what its entities hold."""

    source: str
    folder: Path
    title: str
    owner: str
    release: str
    schedule: str | None
    freshness_days: int
    connector: Connector
    entities: tuple[Entity, ...]

    @property
    def kind(self) -> str:
        """``database``, ``http``, ``files`` or ``python``."""
        return {DatabaseSettings: DATABASE, HttpSettings: HTTP, FileSettings: FILES, PythonSettings: PYTHON}[
            type(self.connector)
        ]

    @property
    def keeps_raw_columns(self) -> bool:
        """Whether the landing keeps ``raw_<field>`` beside each field: where everything is delivered as text."""
        return self.kind in (HTTP, FILES)

    @property
    def files(self) -> FileSettings:
        """The settings of a file source. Raises ``TypeError`` for another kind."""
        if not isinstance(self.connector, FileSettings):
            raise TypeError(f"{self.source} is no file source")
        return self.connector

    @property
    def database(self) -> DatabaseSettings:
        """The settings of a database source. Raises ``TypeError`` for another kind."""
        if not isinstance(self.connector, DatabaseSettings):
            raise TypeError(f"{self.source} is no database source")
        return self.connector

    @property
    def http(self) -> HttpSettings:
        """The settings of an HTTP source. Raises ``TypeError`` for another kind."""
        if not isinstance(self.connector, HttpSettings):
            raise TypeError(f"{self.source} is no HTTP source")
        return self.connector

    def entity(self, name: str) -> Entity:
        """The entity called ``name``. Raises ``KeyError`` when there is none."""
        for candidate in self.entities:
            if candidate.name == name:
                return candidate
        raise KeyError(name)


def read_contract(folder: Path) -> Contract:
    """Read and check ``<folder>/contract.yml``; the folder's name is the source's name. Raises ``ContractError``."""
    file = folder / "contract.yml"
    try:
        # The safe loader written in C: the other one takes longer than a small landing has.
        document = yaml.load(file.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    except OSError as error:
        raise ContractError(f"{folder.name}: {file.name} cannot be read ({error.strerror}); put it there.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ContractError(
            f"{folder.name}: {file.name} is no YAML in UTF-8; correct it: {_one_line(error)}"
        ) from error
    _check_schema(folder.name, document)
    contract = _build(folder, document)
    _check_names(contract)
    return contract


@cache
def _validator() -> Draft202012Validator:
    # Here, because a command without contracts need not wait for it.
    from jsonschema_rs import Draft202012Validator

    return Draft202012Validator(json.loads(SCHEMA_FILE.read_text(encoding="utf-8")))


def _check_schema(source: str, document: object) -> None:
    try:
        errors = sorted(_validator().iter_errors(document), key=_by_place)
    except ValueError as error:
        place = "/".join(_find_foreign(document) or ["the top level"])
        raise ContractError(
            f"{source}: contract.yml at {place} is a date or a name that is no text, which JSON cannot say; quote it."
        ) from error
    if errors:
        place = "/".join(str(part) for part in errors[0].instance_path) or "the top level"
        raise ContractError(f"{source}: contract.yml at {place} is wrong: {_one_line(errors[0].message)}; correct it.")


def _find_foreign(value: object) -> list[str] | None:
    """Where YAML read what JSON does not know: a date, or a name that is no text; none where all is known."""
    inside: list[tuple[object, object]] = []
    if isinstance(value, dict):
        inside = list(value.items())
    elif isinstance(value, list):
        inside = list(enumerate(value))
    elif value is not None and not isinstance(value, str | int | float):
        return []
    for name, held in inside:
        if isinstance(value, dict) and not isinstance(name, str):
            return [str(name)]
        if (found := _find_foreign(held)) is not None:
            return [str(name), *found]
    return None


def _by_place(error: ValidationError) -> tuple[list[str], bool]:
    """The highest place first; there a name that nobody knows before one that is missing: it may be that, misspelt."""
    return [str(part) for part in error.instance_path], error.kind.name != "additionalProperties"


def _one_line(error: object) -> str:
    return " ".join(str(error).split())[:300]


def _build(folder: Path, document: dict[str, Any]) -> Contract:
    settings = document["connector"]
    kind = settings["kind"]
    zone = document.get("time_zone", "Asia/Shanghai")
    return Contract(
        source=folder.name,
        folder=folder,
        title=document["title"],
        owner=document["owner"],
        release=document["release"],
        schedule=document.get("schedule"),
        freshness_days=document["freshness_days"],
        connector=_build_connector(settings, kind, zone),
        entities=tuple(
            _build_entity(folder.name, name, entity, document, zone) for name, entity in document["entities"].items()
        ),
    )


def _build_connector(settings: dict[str, Any], kind: str, zone: str) -> Connector:
    if kind == DATABASE:
        return DatabaseSettings(settings.get("schema"), settings.get("overlap_days", 3), zone)
    if kind == HTTP:
        return HttpSettings(
            path=settings["path"],
            items=tuple(settings["items"].split(".")),
            next_cursor=tuple(settings["next_cursor"].split(".")),
            cursor_parameter=settings["cursor_parameter"],
            since_parameter=settings["since_parameter"],
            page_size_parameter=settings["page_size_parameter"],
            page_size=settings["page_size"],
            requests_per_second=settings["requests_per_second"],
            overlap_days=settings.get("overlap_days", 3),
            timeout_seconds=settings.get("timeout_seconds", 30),
            attempts=settings.get("attempts", 8),
            time_zone=zone,
        )
    if kind == FILES:
        return FileSettings(
            pattern=settings["pattern"],
            repeats=tuple(settings.get("repeats", ())),
            signature_words=tuple(settings.get("signature_words", ())),
            settle_seconds=settings.get("settle_seconds", 10),
            maximum_unpacked_mb=settings.get("maximum_unpacked_mb", 1024),
            digest_suffix=settings.get("digest_suffix"),
        )
    return PythonSettings(settings["reader"])


def _build_entity(source: str, name: str, entity: dict[str, Any], document: dict[str, Any], zone: str) -> Entity:
    totals = entity.get("control_totals")
    record_id = entity["record_id"]
    judged = {
        "fields": entity["fields"],
        "codes": {key: document.get("code_lists", {}).get(key) for key in _used_codes(entity)},
        "nulls": document.get("nulls", []),
        "record_id": record_id,
        "key": entity.get("key", []),
        "required_objects": entity.get("required_objects", []),
        "control_totals": totals,
        "time_zone": zone,
        "connector": {key: document["connector"].get(key) for key in ("pattern", "repeats", "signature_words")},
    }
    return Entity(
        name=name,
        title=entity["title"],
        fields=tuple(_build_field(source, name, key, field, document) for key, field in entity["fields"].items()),
        key=tuple(entity.get("key", ())),
        record_id=record_id,
        table=entity.get("table", name),
        watermark=entity.get("watermark"),
        deletes=entity.get("deletes", "none"),
        vanish_limit=entity.get("vanish_limit", 0.02),
        reconcile_days=entity.get("reconcile_days", 7),
        reread_days=entity.get("reread_days", 28),
        floor=entity.get("floor", 0.8),
        ceiling=entity.get("ceiling"),
        latest_by_record=entity.get("latest_by_record", False),
        required_objects=tuple(entity.get("required_objects", ())),
        control_totals=None
        if totals is None
        else ControlTotals(tuple(totals["words"]), totals["count_pattern"], totals.get("sum_field")),
        judging_hash=hashlib.sha256(json.dumps(judged, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:16],
    )


def _used_codes(entity: dict[str, Any]) -> list[str]:
    return sorted({field["codes"] for field in entity["fields"].values() if "codes" in field})


def _build_field(source: str, entity: str, name: str, field: dict[str, Any], document: dict[str, Any]) -> Field:
    kind, precision, scale = field.get("type", "text"), None, None
    if match := re.fullmatch(r"decimal\((\d+),\s*(\d+)\)", kind):
        kind, precision, scale = "decimal", int(match[1]), int(match[2])
    codes: dict[str, str] = {}
    if "codes" in field:
        code_lists = document.get("code_lists", {})
        if field["codes"] not in code_lists:
            raise ContractError(
                f"{source}: contract.yml field {entity}.{name} names the code list {field['codes']}; "
                "define it under code_lists."
            )
        codes = _delivered_words(source, field["codes"], code_lists[field["codes"]])
    return Field(
        name=name,
        type=kind,
        title=field.get("title", name),
        headers=tuple(field.get("headers", (name,))),
        path=tuple(field.get("path", name).split(".")),
        column=field.get("column", name),
        nulls=tuple(field.get("nulls", document.get("nulls", ()))),
        codes=codes,
        corrections={item["delivered"]: item["meant"] for item in field.get("corrections", ())},
        on_breach=field.get("on_breach", QUARANTINE),
        sensitivity=field.get("sensitivity", "internal"),
        required=field.get("required", False),
        optional=field.get("optional", False),
        default=field.get("default"),
        precision=precision,
        scale=scale,
        minimum=None if "minimum" not in field else str(field["minimum"]),
        maximum=None if "maximum" not in field else str(field["maximum"]),
        owner_type=field.get("owner_type"),
    )


def _delivered_words(source: str, name: str, listed: dict[str, list[str]]) -> dict[str, str]:
    words: dict[str, str] = {}
    for canonical, delivered in listed.items():
        for word in delivered:
            if words.setdefault(word, canonical) != canonical:
                raise ContractError(
                    f"{source}: contract.yml code list {name} gives the word {word} two meanings; keep one."
                )
    return words


def _check_names(contract: Contract) -> None:
    for entity in contract.entities:
        names = {field.name for field in entity.fields}
        place = f"{contract.source}: contract.yml entity {entity.name}"
        allowed = names | (FILE_PLACES if contract.kind == FILES else set())
        wanted = {*entity.key, *([entity.watermark] if entity.watermark else [])}
        if entity.control_totals is not None and entity.control_totals.sum_field is not None:
            wanted.add(entity.control_totals.sum_field)
        for missing in sorted(wanted - names):
            raise ContractError(f"{place} names the field {missing}, which it does not define; add or correct it.")
        for missing in sorted(set(PLACEHOLDER.findall(entity.record_id)) - allowed):
            raise ContractError(f"{place} builds record_id from {missing}, which it does not define; correct it.")
        if contract.kind in (DATABASE, HTTP) and not entity.key:
            raise ContractError(f"{place} has no key; say which fields identify a record.")
        if contract.kind == HTTP and entity.watermark is None:
            raise ContractError(f"{place} has no watermark; say which field moves when a record changes.")
        for field in entity.fields:
            if field.type == "code" and not field.codes:
                raise ContractError(f"{place} field {field.name} is a code without a code list; name one under codes.")
    if isinstance(contract.connector, FileSettings):
        groups = set(re.compile(contract.connector.pattern).groupindex)
        for missing in sorted({"district", "month", "kind", "suffix"} - groups):
            raise ContractError(f"{contract.source}: contract.yml connector pattern lacks the group {missing}; add it.")
