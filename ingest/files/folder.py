"""The folder that districts drop files into: a local one here, an SFTP one in ``sftp``; and the store of raw bytes."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from ingest.errors import SourceError

_BLOCK = 1 << 20
SIDECAR_LIMIT = 4096


@dataclass(frozen=True)
class Listed:
    """A file as the folder shows it. ``path`` is below the folder, with ``/``; ``handle`` is its name in bytes."""

    path: str
    handle: bytes
    size: int
    modified_ns: int

    def looks_like(self, other: Listed | None) -> bool:
        """Whether size and time are the same."""
        return other is not None and (self.size, self.modified_ns) == (other.size, other.modified_ns)


@dataclass(frozen=True)
class Fetched:
    """The kept copy of a file: its name below the raw folder, the digest and number of its bytes."""

    raw_file: str
    content_hash: str
    size: int


class DeliveryFolder(Protocol):
    """What the reader asks of a folder, wherever it is. Raises ``SourceError`` when the folder cannot be reached."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def list_files(self) -> list[Listed]:
        """All files below the folder, ordered by path."""

    def look_again(self, files: Iterable[Listed]) -> dict[str, Listed]:
        """The files as they are now, by path; those that vanished or cannot be seen are missing."""

    def read_starts(self, files: Iterable[Listed]) -> dict[str, bytes]:
        """The first bytes of small files, by path; those that cannot be read are missing."""

    def fetch(self, files: Iterable[Listed]) -> dict[str, Fetched]:
        """Keep a copy of the files' bytes; those that vanished or cannot be read are missing."""


class RawStore:
    """Bytes as delivered, one file per content, named by its digest."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def path(self, fetched: Fetched) -> Path:
        """Where the copy lies."""
        return self.folder / fetched.raw_file

    def new_file(self) -> Path:
        """An empty file for bytes that are arriving; a killed landing may leave it, and the next removes it."""
        handle, name = tempfile.mkstemp(prefix=".arriving-", dir=self.folder)
        os.close(handle)
        return Path(name)

    def keep(self, arrived: Path, delivered_name: str) -> Fetched:
        """Give an arrived file its name by content."""
        digest = hashlib.sha256()
        size = 0
        with arrived.open("rb") as opened:
            while block := opened.read(_BLOCK):
                digest.update(block)
                size += len(block)
        content_hash = digest.hexdigest()
        suffix = Path(delivered_name).suffix.lower()
        suffix = suffix if re.fullmatch(r"\.[a-z0-9]{1,8}", suffix) else ""
        fetched = Fetched(f"{content_hash[:2]}/{content_hash}{suffix}", content_hash, size)
        target = self.path(fetched)
        target.parent.mkdir(exist_ok=True, mode=0o700)
        arrived.replace(target)
        return fetched


def show_name(handle: bytes) -> str:
    """A file name as text: UTF-8, else GB18030, else with escapes."""
    for encoding in ("utf-8", "gb18030"):
        try:
            return handle.decode(encoding)
        except UnicodeDecodeError:
            continue
    return handle.decode("ascii", "backslashreplace")


class LocalFolder:
    """A folder of this machine."""

    def __init__(self, source: str, root: str | None, raw: RawStore) -> None:
        if not root:
            raise SourceError(source, "the connection names no folder", "write it as file:///path/to/folder")
        self._source = source
        self._root = os.fsencode(root)
        self._raw = raw

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def list_files(self) -> list[Listed]:
        """All files below the folder, ordered by path. Raises ``SourceError`` when a folder cannot be listed."""
        if not os.path.isdir(self._root):
            what, mend = (
                (f"{show_name(self._root)} is a file", "name the folder that it is delivered in")
                if os.path.exists(self._root)
                else (f"the folder {show_name(self._root)} does not exist", "create it or correct the connection")
            )
            raise SourceError(self._source, what, mend)
        found = []
        for folder, subfolders, names in os.walk(self._root, onerror=self._refuse):
            subfolders.sort()
            for name in sorted(names):
                handle = os.path.relpath(os.path.join(folder, name), self._root)
                listed = self._look(handle)
                if listed is not None:
                    found.append(listed)
        return sorted(found, key=lambda file: file.path)

    def _refuse(self, error: OSError) -> None:
        raise SourceError(
            self._source,
            f"the folder {show_name(os.fsencode(error.filename))} cannot be listed ({error.strerror})",
            "let this user read it",
        ) from error

    def _look(self, handle: bytes) -> Listed | None:
        try:
            status = os.stat(os.path.join(self._root, handle))
        except OSError:
            # It vanished between two looks; the next landing sees what is there then.
            return None
        if not stat.S_ISREG(status.st_mode):
            return None
        return Listed(show_name(handle), handle, status.st_size, status.st_mtime_ns)

    def look_again(self, files: Iterable[Listed]) -> dict[str, Listed]:
        """The files as they are now, by path."""
        seen = {file.path: self._look(file.handle) for file in files}
        return {path: listed for path, listed in seen.items() if listed is not None}

    def read_starts(self, files: Iterable[Listed]) -> dict[str, bytes]:
        """The first bytes of small files, by path."""
        starts = {}
        for file in files:
            try:
                with open(os.path.join(self._root, file.handle), "rb") as opened:
                    starts[file.path] = opened.read(SIDECAR_LIMIT)
            except OSError:
                continue
        return starts

    def fetch(self, files: Iterable[Listed]) -> dict[str, Fetched]:
        """Keep a copy of the files' bytes."""
        kept = {}
        for file in files:
            arrived = self._raw.new_file()
            try:
                with open(os.path.join(self._root, file.handle), "rb") as opened, arrived.open("wb") as copy:
                    while block := opened.read(_BLOCK):
                        copy.write(block)
            except OSError:
                arrived.unlink()
                continue
            kept[file.path] = self._raw.keep(arrived, file.path)
        return kept
