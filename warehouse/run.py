"""A run: one attempt to build, audit and publish a candidate. Its id, its folder, its record."""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime
from enum import StrEnum

from warehouse.home import Home
from warehouse.writing import write_atomically

RECORD_FILE = "run.json"


class RunState(StrEnum):
    """How far a run has come."""

    BUILDING = "building"
    REFUSED = "refused"  # the gate's verdict blocked it: nothing was published
    FAILED = "failed"
    PUBLISHED = "published"


class RunUnknown(LookupError):
    """No run of that id has begun in this home."""


@dataclass(frozen=True)
class RunRecord:
    """What is known about one run, kept as ``run.json`` in its folder.

    ``is_linked``: its work file says who is who among its own mentions.
    """

    run_id: str
    as_of: date
    state: RunState
    started_at: datetime
    finished_at: datetime | None = None
    snapshot_id: int | None = None
    reason: str | None = None
    is_linked: bool = False

    def to_json(self) -> str:
        """The record as JSON text."""
        fields = asdict(self)
        for name in ("as_of", "started_at", "finished_at"):
            fields[name] = fields[name].isoformat() if fields[name] is not None else None
        return json.dumps(fields, indent=2, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> RunRecord:
        """Read what ``to_json`` wrote."""
        fields = json.loads(text)
        fields["as_of"] = date.fromisoformat(fields["as_of"])
        fields["started_at"] = datetime.fromisoformat(fields["started_at"])
        if fields["finished_at"] is not None:
            fields["finished_at"] = datetime.fromisoformat(fields["finished_at"])
        fields["state"] = RunState(fields["state"])
        return cls(**fields)


def new_run_id(now: datetime | None = None) -> str:
    """An id that sorts by time (UTC), e.g. ``20260120T021500-3f9c``; the tail keeps two runs of one second apart."""
    moment = (now or datetime.now(UTC)).astimezone(UTC)
    return f"{moment:%Y%m%dT%H%M%S}-{secrets.token_hex(2)}"


def begin_run(home: Home, as_of: date) -> RunRecord:
    """Start a run: a new id, a private folder, a record in state ``building``."""
    record = RunRecord(new_run_id(), as_of, RunState.BUILDING, datetime.now(UTC))
    home.private_folder(home.run_folder(record.run_id))
    _write(home, record)
    return record


def read_run(home: Home, run_id: str) -> RunRecord:
    """The record of one run. Raises ``RunUnknown``."""
    path = home.run_folder(run_id) / RECORD_FILE
    if not path.exists():
        raise RunUnknown(f"run {run_id}: there is no such run under {home.runs}; rongtong status names the last one.")
    return RunRecord.from_json(path.read_text(encoding="utf-8"))


def finish_run(
    home: Home, run_id: str, state: RunState, *, snapshot_id: int | None = None, reason: str | None = None
) -> RunRecord:
    """Note how a run ended. Raises ``RunUnknown``."""
    record = replace(
        read_run(home, run_id), state=state, finished_at=datetime.now(UTC), snapshot_id=snapshot_id, reason=reason
    )
    _write(home, record)
    return record


def note_linked(home: Home, run_id: str, *, is_linked: bool) -> None:
    """Note whether identity has linked the run's mentions. Raises ``RunUnknown``."""
    _write(home, replace(read_run(home, run_id), is_linked=is_linked))


def runs(home: Home) -> list[RunRecord]:
    """Every run of this home, oldest first."""
    files = sorted(home.runs.glob(f"*/{RECORD_FILE}"))
    return [RunRecord.from_json(file.read_text(encoding="utf-8")) for file in files]


def _write(home: Home, record: RunRecord) -> None:
    write_atomically(home.run_folder(record.run_id) / RECORD_FILE, record.to_json() + "\n")
