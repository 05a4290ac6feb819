"""What the smart funeral system holds, kept in SQLite so that two million persons are served in bounded memory."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from simulation.systems import SystemsError
from warehouse.duck import connect

COLUMNS = (
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
    "green_burial",
    "updated_at",
)
# One row per certificate. ``body`` is the JSON object of the record without its ``updatedAt`` and closing brace, so
# that a record that changes moves in the order without being written anew.
TABLE = """
CREATE TABLE cremations (
    updated_ms INTEGER NOT NULL,
    cert_id    TEXT NOT NULL,
    body       TEXT NOT NULL,
    PRIMARY KEY (updated_ms, cert_id)
) WITHOUT ROWID;
"""
_BODY = """
json_object(
    'certId', cert_id, 'status', status,
    'facilityCode', coalesce(facility_code, ''), 'facilityName', coalesce(facility_name, ''),
    'deceased', json_object(
        'name', coalesce(deceased_name, ''), 'idType', coalesce(deceased_id_type, ''), 'idNo', deceased_id_no,
        'sex', deceased_sex, 'birthDate', deceased_birth_date, 'age', deceased_age,
        'hukouAddress', deceased_hukou_address, 'hukouDistrict', deceased_hukou_district),
    'deathDate', death_date, 'deathCertNo', death_cert_no, 'deathCertKind', death_cert_kind,
    'cremationDate', cremation_date,
    'handler', json_object(
        'name', handler_name, 'idNo', handler_id_no, 'phone', handler_phone, 'relation', handler_relation),
    'feeRelief', fee_relief, 'greenBurial', CAST(green_burial AS boolean))
"""


def load_cremations(city: Path, file: Path) -> int:
    """Write ``cremations.parquet`` of the city to the SQLite file the API serves; return the number of records.

    The file appears whole or not at all. Raises ``SystemsError`` when the city lacks the table or columns of it.
    """
    parquet = city / "cremations.parquet"
    if not parquet.exists():
        raise SystemsError(f"The demo city lacks {parquet.name} in {parquet.parent}; generate the city again.")
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = file.with_name(file.name + ".new")
    fresh.unlink(missing_ok=True)
    with sqlite3.connect(fresh) as owner:
        owner.executescript(TABLE)
    owner.close()
    name = str(parquet).replace("'", "''")
    duck = connect(extensions=("icu", "json", "sqlite_scanner"))
    try:
        found = {row[0] for row in duck.execute(f"DESCRIBE SELECT * FROM read_parquet('{name}')").fetchall()}
        if set(COLUMNS) - found:
            missing = ", ".join(sorted(set(COLUMNS) - found))
            raise SystemsError(f"{parquet.name} of the demo city lacks the columns: {missing}.")
        duck.execute(f"ATTACH '{str(fresh).replace(chr(39), chr(39) * 2)}' AS owner (TYPE sqlite)")
        body = f"left({_BODY}::varchar, -1)"
        duck.execute(
            f"INSERT INTO owner.cremations SELECT epoch_ms(updated_at), cert_id, {body} "
            f"FROM read_parquet('{name}') ORDER BY ALL"
        )
    finally:
        duck.close()
    owner = sqlite3.connect(fresh)
    count = int(owner.execute("SELECT count(*) FROM cremations").fetchone()[0])
    owner.close()
    fresh.replace(file)
    return count
