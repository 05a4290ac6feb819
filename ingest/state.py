"""What the landing holds now: the latest state of every record, and the refused rows that still wait.

State is the data: it is computed from committed parts alone, so no second file can disagree with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ingest.contract import FILES, NOTICE, Contract, Entity
from ingest.judge import quote_name, quote_text
from ingest.receipt import ACCEPTED, REPLAYED, Part, Receipt

PROVENANCE = {
    "_source_record_id": "VARCHAR",
    "_delivery_id": "VARCHAR",
    "_position": "VARCHAR",
    "_row_hash": "VARCHAR",
    "_landed_at": "TIMESTAMP WITH TIME ZONE",
    "_notices": "VARCHAR",
}
FILE_PLACE = {
    "_district": "VARCHAR",
    "_month": "VARCHAR",
    "_kind": "VARCHAR",
    "_version": "INTEGER",
    "_sheet": "INTEGER",
    "_row": "INTEGER",
}
QUARANTINE = {
    "source_system": "VARCHAR",
    "entity": "VARCHAR",
    "delivery_id": "VARCHAR",
    "position": "VARCHAR",
    "reason_code": "VARCHAR",
    "message": "VARCHAR",
    "row_json": "VARCHAR",
    "first_seen_at": "TIMESTAMP WITH TIME ZONE",
    "owner": "VARCHAR",
}
# In quarantine files besides: which record a row claims to be, and which part of which load brought it.
QUARANTINE_STATE = {"_record_key": "VARCHAR", "_row_hash": "UBIGINT", "_part": "VARCHAR"}


@dataclass(frozen=True)
class Landed:
    """The committed files of one entity, oldest first, with its receipts."""

    entity: Entity
    root: Path
    receipts: tuple[tuple[str, Receipt], ...]

    @classmethod
    def of(cls, entity: Entity, root: Path, parts: Iterable[Part]) -> Landed:
        """Pick what belongs to ``entity`` out of a source's parts."""
        own = tuple(
            (part.name, receipt) for part in parts for receipt in part.receipts if receipt.entity == entity.name
        )
        return cls(entity, root, own)

    def rows(self) -> str | None:
        """SQL relation of all accepted rows of all loads, none when there are none."""
        return self._read([name for _, receipt in self.receipts for name in receipt.rows_files])

    def quarantined(self) -> str | None:
        """SQL relation of all quarantined rows of all loads, none when there are none."""
        relation = self._read([name for _, receipt in self.receipts for name in receipt.quarantine_files])
        return None if relation is None else f"(SELECT * FROM {relation} WHERE entity = {quote_text(self.entity.name)})"

    def replayed(self) -> str | None:
        """SQL relation of the rows that left the quarantine when they were judged again, none when there are none."""
        again = [receipt for _, receipt in self.receipts if receipt.state == REPLAYED]
        return self._read([name for receipt in again for name in receipt.rows_files])

    def deleted(self) -> str | None:
        """SQL relation of the tombstones of all loads, none when there are none."""
        return self._read([name for _, receipt in self.receipts for name in receipt.deleted_files])

    def active_deliveries(self) -> list[str]:
        """Files: the deliveries that count, per district and month the highest accepted version, landed last."""
        best: dict[tuple[str | None, str | None], tuple[int, str, int]] = {}
        chosen: dict[tuple[str | None, str | None], str] = {}
        for place, (part, receipt) in enumerate(self.receipts):
            if receipt.state != ACCEPTED:
                continue
            partition, rank = (receipt.district, receipt.delivered_month), (receipt.version or 1, part, place)
            if partition not in best or rank > best[partition]:
                best[partition], chosen[partition] = rank, receipt.delivery_id
        return sorted(chosen.values())

    def known(self, only: str | None = None) -> str | None:
        """SQL relation (``_record_key``, ``_row_hash``, ``state``): the state that landed last for every record.

        ``only``: a relation with ``_record_key``; other records are left out, before anything is grouped.
        """
        wanted = f" SEMI JOIN {only} USING (_record_key)" if only is not None else ""
        base, later_rows = self.base_and_later()
        states = []
        if later_rows is not None:
            states.append(
                f"SELECT _source_record_id AS _record_key, _row_hash, _part, 'accepted' AS state FROM {later_rows}"
            )
        if (refused := self.quarantined()) is not None:
            states.append(f"SELECT _record_key, _row_hash, _part, 'quarantined' AS state FROM {refused}")
        if (deleted := self.deleted()) is not None:
            states.append(f"SELECT _record_key, NULL AS _row_hash, _part, 'deleted' AS state FROM {deleted}")
        first = (
            "SELECT * FROM (SELECT _source_record_id AS _record_key, _row_hash, 'accepted' AS state "
            f"FROM {base}){wanted}"
        )
        if only is not None and (number := self._base_number()) is not None:
            name = quote_name(number)
            first = (
                f"SELECT CAST({name} AS VARCHAR) AS _record_key, _row_hash, 'accepted' AS state FROM {base} "
                f"SEMI JOIN (SELECT try_cast(_record_key AS BIGINT) AS {name} FROM {only}) USING ({name})"
            )
        if not states:
            return None if base is None else f"({first})"
        last = (
            "SELECT _record_key, last.h AS _row_hash, last.s AS state FROM (SELECT _record_key, "
            "arg_max(struct_pack(h := _row_hash, s := state), _part) AS last "
            f"FROM ({' UNION ALL '.join(states)}){wanted} GROUP BY _record_key)"
        )
        if base is None:
            return f"({last})"
        return f"({last} UNION ALL (SELECT * FROM ({first}) ANTI JOIN ({last}) USING (_record_key)))"

    def _base_number(self) -> str | None:
        """The field whose number alone is the record id in the first part; none when there is no such field.

        Numbers are found in half the time of texts. What landed under other rules may go by another id.
        """
        fields = self.entity.record_id_fields
        rules = [receipt.contract_hash for _, receipt in self.receipts if receipt.rows_files]
        if len(fields) != 1 or self.entity.record_id != f"{{{fields[0]}}}" or rules[:1] != [self.entity.judging_hash]:
            return None
        field = self.entity.field(fields[0])
        # What lands is then the number that was read: no default for none, no null for one that a notice is about.
        is_as_read = field.sql_type == "BIGINT" and field.default is None and field.on_breach != NOTICE
        return field.name if is_as_read else None

    def base_and_later(self) -> tuple[str | None, str | None]:
        """SQL relations of the rows of the first part, and of all later ones.

        The first part is mostly by far the largest. Whatever landed for a record later, if anything, counts instead of
        it, so it need not be grouped. None for the first when something landed before it: then all are "later".
        """
        names = list(dict.fromkeys(name for _, receipt in self.receipts for name in receipt.rows_files))
        before = [part for part, receipt in self.receipts if receipt.quarantine_files or receipt.deleted_files]
        first = [part for part, receipt in self.receipts if receipt.rows_files]
        if not first or (before and before[0] < first[0]):
            return None, self._read(names)
        return self._read(names[:1]), self._read(names[1:])

    def _read(self, names: Sequence[str]) -> str | None:
        if not names:
            return None
        files = ", ".join(quote_text(str(self.root / name)) for name in dict.fromkeys(names))
        return f"read_parquet([{files}], union_by_name = true)"


def current_rows(contract: Contract, landed: Landed) -> str | None:
    """SQL of the current accepted rows of one entity with all columns of its files; none when it never landed."""
    rows = landed.rows()
    if rows is None:
        return None
    if contract.kind == FILES:
        return _current_file_rows(landed, rows)
    base, later = landed.base_and_later()
    deleted = landed.deleted()
    chosen = []
    if later is not None:
        alive = (
            f"SELECT * FROM {later} AS row_state SEMI JOIN (SELECT _source_record_id, max(_part) AS _part FROM {later} "
            "GROUP BY ALL) USING (_source_record_id, _part)"
        )
        if deleted is not None:
            alive += (
                f" ANTI JOIN (SELECT _record_key, _part AS gone FROM {deleted}) AS tombstone "
                "ON _source_record_id = tombstone._record_key AND tombstone.gone > row_state._part"
            )
        chosen.append(alive)
    if base is not None:
        newer = [f"SELECT _source_record_id FROM {later}"] if later is not None else []
        newer += [f"SELECT _record_key AS _source_record_id FROM {deleted}"] if deleted is not None else []
        replaced = f" ANTI JOIN ({' UNION ALL '.join(newer)}) USING (_source_record_id)" if newer else ""
        chosen.append(f"SELECT * FROM {base}{replaced}")
    return " UNION ALL BY NAME ".join(f"({part})" for part in chosen)


def _current_file_rows(landed: Landed, rows: str) -> str:
    active = ", ".join(quote_text(name) for name in landed.active_deliveries())
    chosen = f"SELECT * FROM {rows} WHERE _delivery_id IN ({active})"
    if not landed.entity.latest_by_record:
        return chosen
    # The later delivery of a record counts; within one file the later row.
    order = "_month DESC, _version DESC, _part DESC, _sheet DESC, _row DESC"
    return f"{chosen} QUALIFY row_number() OVER (PARTITION BY _source_record_id ORDER BY {order}) = 1"


def current_quarantine(contract: Contract, landed: Landed) -> str | None:
    """SQL of the rows of one entity that wait in quarantine now; none when there never were any."""
    refused = landed.quarantined()
    if refused is None:
        return None
    if (replayed := landed.replayed()) is not None:
        left = f"SELECT _delivery_id AS delivery_id, _position AS position, _row_hash FROM {replayed}"
        refused = f"(SELECT * FROM {refused} ANTI JOIN ({left}) USING (delivery_id, position, _row_hash))"
    if contract.kind == FILES:
        active = ", ".join(quote_text(name) for name in landed.active_deliveries())
        return (
            f"SELECT * FROM {refused} WHERE delivery_id IN ({active})" if active else f"SELECT * FROM {refused} LIMIT 0"
        )
    later = [f"SELECT _record_key, _part AS other FROM {refused}"]
    if (rows := landed.rows()) is not None:
        later.append(f"SELECT _source_record_id AS _record_key, _part AS other FROM {rows}")
    if (deleted := landed.deleted()) is not None:
        later.append(f"SELECT _record_key, _part AS other FROM {deleted}")
    return (
        f"SELECT * FROM {refused} AS refused ANTI JOIN ({' UNION ALL '.join(later)}) AS newer "
        "ON refused._record_key = newer._record_key AND newer.other > refused._part"
    )


def columns_of(contract: Contract, entity: Entity) -> dict[str, str]:
    """Columns of the landing relation of one entity, in order, with their types."""
    columns = {field.name: field.sql_type for field in entity.fields}
    if contract.keeps_raw_columns:
        columns |= {f"raw_{field.name}": "VARCHAR" for field in entity.fields}
    return columns | PROVENANCE | (FILE_PLACE if contract.kind == FILES else {})


def select_as(columns: dict[str, str], present: Iterable[str], relation: str) -> str:
    """SQL that gives ``relation`` exactly ``columns``: parts landed under an older contract may lack some."""
    held = set(present)
    chosen = ", ".join(
        f"try_cast({quote_name(name) if name in held else 'NULL'} AS {kind}) AS {quote_name(name)}"
        for name, kind in columns.items()
    )
    return f"SELECT {chosen} FROM ({relation})"
