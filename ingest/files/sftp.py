"""The delivery folder on an SFTP server. One connection per landing, on an event loop in a thread of its own."""

from __future__ import annotations

import asyncio
import stat
import threading
from collections.abc import Coroutine, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import asyncssh

from ingest.connection import Connection
from ingest.errors import SourceError
from ingest.files.folder import SIDECAR_LIMIT, Fetched, Listed, RawStore, show_name

Result = TypeVar("Result")
_PARALLEL = 8
_DEPTH = 8
_CONNECT_SECONDS = 30
_ATTEMPTS = 3
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_LOST = (asyncssh.ConnectionLost, asyncssh.SFTPNoConnection, asyncssh.SFTPConnectionLost, ConnectionError)


class SftpFolder:
    """A folder of an SFTP server, opened by ``with``.

    The server's key must be known: ``host_key`` (a public key line) or ``known_hosts`` (a file) in the connection's
    extra, or the user's own known_hosts. Only on the loopback address may it be unknown.
    """

    def __init__(self, source: str, connection: Connection, raw: RawStore) -> None:
        self._source = source
        self._connection = connection
        self._raw = raw
        self._host = connection.host or "localhost"
        self._port = connection.port or 22
        self._root = (connection.path or ".").encode()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="sftp", daemon=True)
        self._ssh: asyncssh.SSHClientConnection | None = None
        self._sftp: asyncssh.SFTPClient | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self._run(self._connect())
        except SourceError:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._run(self._disconnect())
        self._stop()

    def list_files(self) -> list[Listed]:
        """All files below the folder, ordered by path. Raises ``SourceError`` when it cannot be listed."""
        return sorted(self._run(self._again(self._list)), key=lambda file: file.path)

    def look_again(self, files: Iterable[Listed]) -> dict[str, Listed]:
        """The files as they are now, by path."""
        return self._run(self._again(lambda: self._each(files, self._look)))

    def read_starts(self, files: Iterable[Listed]) -> dict[str, bytes]:
        """The first bytes of small files, by path."""
        return self._run(self._again(lambda: self._each(files, self._read_start)))

    def fetch(self, files: Iterable[Listed]) -> dict[str, Fetched]:
        """Keep a copy of the files' bytes."""
        arrived = self._run(self._again(lambda: self._each(files, self._download)))
        return {path: self._raw.keep(copy, path) for path, copy in arrived.items()}

    def _run(self, work: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _error(self, place: str, mend: str) -> SourceError:
        return SourceError(self._source, f"the SFTP server {self._host}:{self._port} {place}", mend)

    def _known_hosts(self) -> Any:
        extra = self._connection.extra
        if extra.get("host_key"):
            text = extra["host_key"].strip()
            try:
                key = asyncssh.import_public_key(text if " " in text else f"ssh-rsa {text}")
            except (asyncssh.KeyImportError, ValueError) as error:
                raise self._error(
                    "has an unreadable host_key in its connection", "write it as in known_hosts"
                ) from error
            return ([key], [], [])
        if extra.get("known_hosts"):
            if not Path(extra["known_hosts"]).is_file():
                raise self._error(
                    "is to be known from a file that is not there", "correct known_hosts in its connection"
                )
            return extra["known_hosts"]
        return None if self._host in _LOOPBACK else ()

    async def _connect(self) -> None:
        login = self._connection
        known_hosts = self._known_hosts()
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                self._ssh = await asyncssh.connect(
                    self._host,
                    self._port,
                    username=login.login or (),
                    password=login.password,
                    client_keys=_client_keys(login),
                    passphrase=login.extra.get("private_key_passphrase"),
                    known_hosts=known_hosts,
                    config=None,
                    connect_timeout=_CONNECT_SECONDS,
                    login_timeout=_CONNECT_SECONDS,
                    keepalive_interval=15,
                )
                self._sftp = await self._ssh.start_sftp_client(path_encoding=None)
                return
            except asyncssh.PermissionDenied as error:
                raise self._error("refuses the login", "correct user and password of the connection") from error
            except asyncssh.HostKeyNotVerifiable as error:
                raise self._error(
                    "shows a key that is not the known one", "check it with the owner and correct host_key"
                ) from error
            except (OSError, asyncssh.Error, TimeoutError) as error:
                if attempt == _ATTEMPTS:
                    raise self._error("cannot be reached", "start it or correct host and port") from error
                await asyncio.sleep(0.5 * attempt)

    async def _disconnect(self) -> None:
        if self._sftp is not None:
            self._sftp.exit()
        if self._ssh is not None:
            self._ssh.close()
            await self._ssh.wait_closed()

    @property
    def _client(self) -> asyncssh.SFTPClient:
        if self._sftp is None:
            raise self._error("is not connected", "open the folder before reading it")
        return self._sftp

    async def _again(self, work: Any) -> Any:
        """Do ``work``; when the line breaks, connect anew and do it once more."""
        try:
            return await work()
        except _LOST:
            await self._connect()
        try:
            return await work()
        except (*_LOST, asyncssh.Error) as error:
            raise self._error("broke the connection twice", "look at the line and land again") from error

    async def _each(self, files: Iterable[Listed], work: Any) -> dict[str, Any]:
        limit = asyncio.Semaphore(_PARALLEL)

        async def one(file: Listed) -> tuple[str, Any]:
            async with limit:
                try:
                    return file.path, await work(file)
                except _LOST:
                    raise
                except (asyncssh.SFTPError, OSError):
                    # It vanished or may not be read; the caller sees that it is missing.
                    return file.path, None

        return {path: found for path, found in await asyncio.gather(*map(one, files)) if found is not None}

    def _full(self, file: Listed) -> bytes:
        return self._root.rstrip(b"/") + b"/" + file.handle

    async def _list(self) -> list[Listed]:
        if not await self._client.isdir(self._root):
            raise self._error(
                f"has no folder {show_name(self._root)}", "create it or correct the path of the connection"
            )
        found: list[Listed] = []
        level = [b""]
        for _ in range(_DEPTH):
            level = [below for names in [await self._list_one(folder, found) for folder in level] for below in names]
            if not level:
                break
        return found

    async def _list_one(self, folder: bytes, found: list[Listed]) -> list[bytes]:
        below = []
        try:
            names = await self._client.readdir(self._root.rstrip(b"/") + b"/" + folder)
        except asyncssh.SFTPPermissionDenied as error:
            raise self._error(f"does not show its folder {show_name(folder)}", "let the user read it") from error
        for entry in names:
            name = entry.filename if isinstance(entry.filename, bytes) else entry.filename.encode()
            if name in (b".", b".."):
                continue
            handle = folder + b"/" + name if folder else name
            mode = entry.attrs.permissions or 0
            if entry.attrs.type == asyncssh.FILEXFER_TYPE_DIRECTORY or stat.S_ISDIR(mode):
                below.append(handle)
            elif entry.attrs.type == asyncssh.FILEXFER_TYPE_REGULAR or stat.S_ISREG(mode):
                found.append(_listed(handle, entry.attrs))
        return below

    async def _look(self, file: Listed) -> Listed:
        return _listed(file.handle, await self._client.stat(self._full(file)))

    async def _read_start(self, file: Listed) -> bytes:
        async with self._client.open(self._full(file), "rb") as opened:
            start = await opened.read(SIDECAR_LIMIT)
            return start.encode() if isinstance(start, str) else start

    async def _download(self, file: Listed) -> Path | None:
        arrived = self._raw.new_file()
        try:
            await self._client.get(self._full(file), str(arrived).encode())
        except (asyncssh.Error, OSError):
            arrived.unlink(missing_ok=True)
            raise
        return arrived


def _client_keys(login: Connection) -> Any:
    """The key file of the connection; the user's own keys only when there is no password either."""
    if login.extra.get("key_file"):
        return [login.extra["key_file"]]
    return None if login.password else ()


def _listed(handle: bytes, attrs: asyncssh.SFTPAttrs) -> Listed:
    modified_ns = (attrs.mtime or 0) * 1_000_000_000 + (attrs.mtime_ns or 0)
    return Listed(show_name(handle), handle, attrs.size or 0, modified_ns)
