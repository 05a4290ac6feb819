"""The landing of one source on disk: who may write, which files count, how a part of a load is committed.

A part is a handful of Parquet files and one receipts file that names them. The receipts file is renamed into place
last: that rename is the commit. Whatever no receipt names is a leftover of a killed landing and is removed by the next.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ingest.errors import SourceError
from ingest.receipt import Part, Receipt, format_receipts, read_parts
from warehouse.home import Home
from warehouse.lock import Held, take_lock

RECEIPTS, QUARANTINE, DELETED, RAW, SCRATCH = "receipts", "quarantine", "deleted", "raw", ".scratch"
_STAMP = "%Y%m%dT%H%M%S%fZ"


class LandingFolder:
    """The folder ``<home>/landing/<source>``. Reading needs no lock; writing happens inside ``writing()``."""

    def __init__(self, home: Home, source: str) -> None:
        self.source = source
        self.root = home.landing / source
        self.home = home

    def parts(self) -> list[Part]:
        """Committed parts, oldest first."""
        return read_parts(self.root / RECEIPTS)

    def scratch(self) -> Path:
        """A folder for files in the making, on the same file system; emptied at the start of every landing."""
        return self.home.private_folder(self.root / SCRATCH)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Be the only writer, and start without leftovers. Raises ``SourceError`` when another landing runs."""
        self.home.private_folder(self.root)
        with ExitStack() as held:
            try:
                held.enter_context(take_lock(self.root / ".lock"))
            except Held as error:
                raise SourceError(
                    self.source,
                    f"another landing is running (process {error.holder or 'unknown'})",
                    "wait until it has ended",
                ) from error
            self._remove_leftovers()
            yield
            shutil.rmtree(self.root / SCRATCH, ignore_errors=True)

    def _remove_leftovers(self) -> None:
        named = {name for part in self.parts() for receipt in part.receipts for name in receipt.named_files}
        shutil.rmtree(self.root / SCRATCH, ignore_errors=True)
        for path in sorted(self.root.rglob("*")):
            name = path.relative_to(self.root).as_posix()
            is_receipts = path.parent.name == RECEIPTS and path.suffix == ".json"
            if path.is_file() and not is_receipts and name != ".lock" and name not in named:
                path.unlink()

    def next_load_id(self) -> str:
        """A name for a load: readable, and later in order than every load before, whatever the clock says."""
        now = datetime.now(UTC)
        last = max((part.name for part in self.parts()), default="")
        if last and now.strftime(_STAMP) <= last.split("-")[0]:
            now = datetime.strptime(last.split("-")[0], _STAMP).replace(tzinfo=UTC) + timedelta(microseconds=1)
        return now.strftime(_STAMP)

    def commit(self, name: str, files: Sequence[tuple[Path, str]], receipts: Sequence[Receipt]) -> None:
        """Make one part count: move ``files`` (from scratch, to a name under the root), then write the receipts.

        Raises ``ConservationError`` when a receipt does not account for all its rows; nothing is committed then.
        """
        for receipt in receipts:
            receipt.check_conservation()
        folders = set()
        for made, target in files:
            place = self.root / target
            self.home.private_folder(place.parent)
            _flush(made)
            made.replace(place)
            folders.add(place.parent)
        folder = self.home.private_folder(self.root / RECEIPTS)
        fresh = folder / f"{name}.json.new"
        fresh.write_text(format_receipts(receipts), encoding="utf-8")
        for path in (*sorted(folders), fresh):
            _flush(path)
        fresh.replace(folder / f"{name}.json")
        _flush(folder)


def _flush(path: Path) -> None:
    """Have the disk hold ``path`` before anything that depends on it is written."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
