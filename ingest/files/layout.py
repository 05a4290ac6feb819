"""What a contract says about delivered files: names, fields and their headers, control rows, limits."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass

from ingest.contract import Contract, Entity

_INVISIBLE = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff"))


def fold(text: str) -> str:
    """A header or word as it is compared: NFKC, no space of any kind, lower case."""
    return "".join(unicodedata.normalize("NFKC", text).translate(_INVISIBLE).split()).lower()


@dataclass(frozen=True)
class FieldLayout:
    """One field of a kind of file: its name, the headers seen for it, whether a file without it is refused."""

    name: str
    headers: tuple[str, ...]
    is_required: bool


@dataclass(frozen=True)
class EntityLayout:
    """One kind of file. ``totals_words`` mark its totals row, ``count_pattern`` finds the number of rows in it (first
    group), ``sum_field`` is the field that it adds up. ``contract_hash`` changes when its rows would be read or judged
    in another way. ``promised``: the contract's own words on it.
    """

    name: str
    fields: tuple[FieldLayout, ...]
    totals_words: tuple[str, ...]
    count_pattern: str | None
    sum_field: str | None
    contract_hash: str
    promised: Entity

    def field_of_header(self) -> dict[str, str]:
        """Folded header → field name."""
        return {fold(header): each.name for each in self.fields for header in each.headers}


@dataclass(frozen=True)
class FileLayout:
    """Everything the file reader needs to know of one source; no word of it is in the reader itself.

    ``pattern`` matches the path below the folder and names the groups ``district``, ``month``, ``kind``, ``suffix``
    and, absent in a first version, ``version``. ``large_bytes``: a text of more, or a workbook that unpacks to
    more, goes through in blocks of about ``block_bytes`` and chunks of ``chunk_rows``; a smaller one is held whole.
    """

    source: str
    pattern: re.Pattern[str]
    entities: dict[str, EntityLayout]
    contract_hash: str
    signature_words: tuple[str, ...]
    digest_suffix: str | None
    settle_seconds: float
    unpacked_bytes: int
    title_rows: int = 10
    chunk_files: int = 64
    chunk_rows: int = 100_000
    large_bytes: int = 16 << 20
    block_bytes: int = 4 << 20


def layout_of(contract: Contract) -> FileLayout:
    """The file layout of a contract. Raises ``TypeError`` when the source delivers no files."""
    settings = contract.files
    entities = {}
    for entity in contract.entities:
        totals = entity.control_totals
        entities[entity.name.lower()] = EntityLayout(
            name=entity.name,
            fields=tuple(FieldLayout(field.name, field.headers, not field.optional) for field in entity.fields),
            totals_words=() if totals is None else totals.words,
            count_pattern=None if totals is None else totals.count_pattern,
            sum_field=None if totals is None else totals.sum_field,
            contract_hash=entity.judging_hash,
            promised=entity,
        )
    return FileLayout(
        source=contract.source,
        pattern=re.compile(settings.pattern, re.IGNORECASE),
        entities=entities,
        contract_hash=hashlib.sha256(settings.pattern.encode()).hexdigest()[:16],
        signature_words=settings.signature_words,
        digest_suffix=settings.digest_suffix,
        settle_seconds=settings.settle_seconds,
        unpacked_bytes=settings.maximum_unpacked_mb << 20,
    )
