"""The tables of the demo city: what is written, with which columns and types, and how chunks are appended."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from simulation.calendar import NEVER
from simulation.names import words

Frame = dict[str, Any]

_TEXT, _BIG, _DAY, _TINY, _INT = pa.string(), pa.int64(), pa.date32(), pa.int8(), pa.int32()
_YUAN = pa.decimal128(12, 2)
_WALL, _INSTANT = pa.timestamp("ms"), pa.timestamp("us", tz="Asia/Shanghai")


def _texts(*columns: str) -> list[tuple[str, pa.DataType]]:
    return [(column, _TEXT) for column in columns]


def _party(side: str) -> list[tuple[str, pa.DataType]]:
    fields = words("name cert_type cert_num birth nation folk reg_addr phone marital")
    return _texts(*(f"{field}_{side}" for field in fields))


_DELETED = [("is_deleted", _TINY), ("updated_at", _WALL)]
_FOLDER = [("row_uid", _BIG), *_texts("district", "month")]

OWNERS: dict[str, pa.Schema] = {
    "registration": pa.schema(
        [
            ("id", _BIG),
            ("op_type", _TEXT),
            ("op_date", _DAY),
            *_texts("cert_no", "dept_code", "dept_name"),
            *_party("man"),
            *_party("woman"),
            *_texts("ref_cert_no", "remark"),
            ("created_at", _INSTANT),
            ("updated_at", _INSTANT),
        ]
    ),
    "cremations": pa.schema(
        [
            *_texts(
                "cert_id",
                "status",
                "facility_code",
                "facility_name",
                "deceased_name",
                "deceased_id_type",
                "deceased_id_no",
                "deceased_sex",
                "deceased_birth_date",
                "deceased_age",
                "deceased_hukou_address",
                "deceased_hukou_district",
                "death_date",
                "death_cert_no",
                "death_cert_kind",
                "cremation_date",
                "handler_name",
                "handler_id_no",
                "handler_phone",
                "handler_relation",
                "fee_relief",
            ),
            ("green_burial", pa.bool_()),
            ("updated_at", _INSTANT),
        ]
    ),
    "elder": pa.schema(
        [
            ("id", _BIG),
            *_texts("full_name", "id_card", "gender"),
            ("birthday", _DAY),
            *_texts("phone", "hukou_district", "live_district", "live_address"),
            ("living_alone", _TINY),
            ("key_target", _TINY),
            *_texts("contact_name", "contact_phone", "contact_relation", "status"),
            *_DELETED,
        ]
    ),
    "ability_assessment": pa.schema(
        [
            ("id", _BIG),
            ("elder_id", _BIG),
            ("standard", _TEXT),
            ("total_score", _INT),
            ("level", _TINY),
            ("assessed_on", _DAY),
            ("valid_until", _DAY),
            *_DELETED,
        ]
    ),
    "institution": pa.schema(
        [("id", _BIG), *_texts("name", "uscc", "district"), ("licensed_beds", _INT), ("ownership", _TEXT), *_DELETED]
    ),
    "bed_stay": pa.schema(
        [
            ("id", _BIG),
            ("elder_id", _BIG),
            ("institution_id", _BIG),
            ("checked_in_on", _DAY),
            ("checked_out_on", _DAY),
            ("checkout_reason", _TEXT),
            ("subsidy_month_yuan", pa.decimal128(10, 2)),
            *_DELETED,
        ]
    ),
    "care_visit": pa.schema(
        [
            ("id", _BIG),
            ("elder_id", _BIG),
            ("visited_on", _DAY),
            *_texts("kind", "worker_code"),
            ("subsidy_yuan", pa.decimal128(10, 2)),
            ("entered_at", _WALL),
            *_DELETED,
        ]
    ),
    "household_rows": pa.schema(
        [
            *_FOLDER,
            *_texts(
                "household_no",
                "benefit",
                "mode",
                "head_name",
                "head_id_no",
                "insured_count",
                "approved_from",
                "address",
                "phone",
            ),
        ]
    ),
    "member_rows": pa.schema(
        [*_FOLDER, *_texts("household_no", "name", "id_no", "relation", "marital", "insured", "disability_cert_no")]
    ),
    "payment_rows": pa.schema(
        [
            *_FOLDER,
            *_texts(
                "payment_no",
                "benefit",
                "household_no",
                "payee_name",
                "payee_id_no",
                "bank_account",
                "period_from",
                "months",
                "amount",
                "paid_on",
                "status",
            ),
        ]
    ),
}

_PERIOD = [("period_from", _DAY), ("period_to", _DAY)]
TRUTH: dict[str, pa.Schema] = {
    "mentions": pa.schema(
        [*_texts("source_system", "source_table", "source_record_id", "role"), ("person_id", _BIG), ("damage", _TEXT)]
    ),
    "file_mentions": pa.schema(
        [
            *_texts("kind", "district", "month"),
            ("row_uid", _BIG),
            ("role", _TEXT),
            ("person_id", _BIG),
            ("damage", _TEXT),
        ]
    ),
    "findings": pa.schema(
        [
            ("rule", _TEXT),
            ("person_id", _BIG),
            ("household_key", _TEXT),
            *_PERIOD,
            ("amount_yuan", _YUAN),
            ("certain", pa.bool_()),
        ]
    ),
    "lawful": pa.schema([("rule", _TEXT), ("person_id", _BIG), ("household_key", _TEXT), *_PERIOD, ("reason", _TEXT)]),
    "benefit_months": pa.schema(
        [
            ("person_id", _BIG),
            ("household_key", _TEXT),
            ("benefit", _TEXT),
            ("benefit_month", _DAY),
            ("managing_district", _TEXT),
            ("amount_yuan", _YUAN),
            ("source_record_id", _TEXT),
        ]
    ),
    "deaths": pa.schema(
        [
            ("person_id", _BIG),
            ("death_date", _DAY),
            ("is_recorded", pa.bool_()),
            ("is_certain", pa.bool_()),
            ("cert_id", _TEXT),
        ]
    ),
    "people": pa.schema([("person_id", _BIG), ("sex", _TEXT), ("birth_date", _DAY), ("id_no", _TEXT)]),
    "expected_quarantine": pa.schema([*_texts("source", "entity"), ("count", _BIG)]),
}


def make_table(frame: Frame, schema: pa.Schema) -> pa.Table:
    """Arrow table of one frame: day numbers become dates, seconds timestamps, fen yuan, '' becomes null."""
    arrays = []
    for field in schema:
        values = frame[field.name]
        if isinstance(values, pa.Array | pa.ChunkedArray):
            arrays.append(values.cast(field.type))
            continue
        values = np.asarray(values)
        if pa.types.is_date32(field.type):
            mask = values == NEVER
            arrays.append(pa.array(values.astype(np.int32), mask=mask).cast(pa.date32()))
        elif pa.types.is_timestamp(field.type):
            unit = 1000 if field.type.unit == "ms" else 1_000_000
            seconds = values.astype(np.float64)
            stamp = np.round(seconds * 1000).astype(np.int64) * (unit // 1000)
            if field.type.tz is not None:
                stamp = stamp - 8 * 3600 * unit
            arrays.append(pa.array(stamp).cast(field.type))
        elif pa.types.is_decimal(field.type):
            fen = values.astype(np.int64)
            arrays.append(_yuan(fen, fen == NEVER, field.type))
        elif pa.types.is_string(field.type):
            text = pa.array([value if value else None for value in values.tolist()], type=pa.string())
            arrays.append(text)
        elif pa.types.is_boolean(field.type):
            mask = values == -1 if values.dtype != bool else None
            arrays.append(pa.array(values.astype(bool), mask=mask))
        else:
            arrays.append(pa.array(values.astype(np.int64), mask=values.astype(np.int64) < 0).cast(field.type))
    return pa.Table.from_arrays(arrays, schema=schema)


def _yuan(fen: np.ndarray, absent: np.ndarray, kind: pa.DataType) -> pa.Array:
    """Decimals with two places made from whole fen."""
    whole = pa.array(np.where(absent, 0, fen))
    halves = np.empty((len(fen), 2), dtype=np.int64)
    halves[:, 0] = whole.to_numpy()
    halves[:, 1] = np.where(halves[:, 0] < 0, -1, 0)
    validity = pa.array(~absent).buffers()[1] if absent.any() else None
    return pa.Array.from_buffers(kind, len(fen), [validity, pa.py_buffer(halves.tobytes())])


class TableWriters:
    """Open Parquet files, one per table, to which each chunk appends its rows; memory holds one chunk only."""

    def __init__(self, folder: Path, schemas: dict[str, pa.Schema]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._schemas = schemas
        self._writers = {name: pq.ParquetWriter(folder / f"{name}.parquet", schema) for name, schema in schemas.items()}
        self.counts = dict.fromkeys(schemas, 0)

    def append(self, name: str, frame: Frame) -> None:
        """Append one chunk's rows to a table."""
        table = make_table(frame, self._schemas[name])
        if table.num_rows:
            self._writers[name].write_table(table)
        self.counts[name] += table.num_rows

    def __enter__(self) -> TableWriters:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        for writer in self._writers.values():
            writer.close()


def stack(frames: list[Frame]) -> Frame:
    """One frame from several with the same columns."""
    return {column: np.concatenate([np.asarray(frame[column]) for frame in frames]) for column in frames[0]}


def take(frame: Frame, rows: np.ndarray) -> Frame:
    """The given rows of a frame."""
    return {column: np.asarray(values)[rows] for column, values in frame.items()}
