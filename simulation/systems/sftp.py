"""A real SFTP server, in process, that shows one folder read-only on loopback."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncssh

START_SECONDS = 30
_WRITING = asyncssh.FXF_WRITE | asyncssh.FXF_APPEND | asyncssh.FXF_CREAT | asyncssh.FXF_TRUNC


@dataclass(frozen=True)
class SftpAddress:
    """Where the folder is served, and the public host key (OpenSSH form) a client should expect."""

    port: int
    username: str
    password: str
    host_key: str
    host: str = "127.0.0.1"


def _refuse_writing() -> asyncssh.SFTPPermissionDenied:
    return asyncssh.SFTPPermissionDenied("this folder is read-only")


class _ReadOnlyFolder(asyncssh.SFTPServer):
    """Files can be listed and read; everything that would change them is denied."""

    def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> object:
        if pflags & _WRITING:
            raise _refuse_writing()
        return super().open(path, pflags, attrs)

    def open56(self, path: bytes, desired_access: int, flags: int, attrs: asyncssh.SFTPAttrs) -> object:
        if flags & 0x7 != asyncssh.FXF_OPEN_EXISTING:
            raise _refuse_writing()
        return super().open56(path, desired_access, flags, attrs)

    def setstat(self, path: bytes, attrs: asyncssh.SFTPAttrs) -> None:
        raise _refuse_writing()

    def lsetstat(self, path: bytes, attrs: asyncssh.SFTPAttrs) -> None:
        raise _refuse_writing()

    def fsetstat(self, file_obj: object, attrs: asyncssh.SFTPAttrs) -> None:
        raise _refuse_writing()

    def write(self, file_obj: object, offset: int, data: bytes) -> int:
        raise _refuse_writing()

    def remove(self, path: bytes) -> None:
        raise _refuse_writing()

    def mkdir(self, path: bytes, attrs: asyncssh.SFTPAttrs) -> None:
        raise _refuse_writing()

    def rmdir(self, path: bytes) -> None:
        raise _refuse_writing()

    def rename(self, oldpath: bytes, newpath: bytes) -> None:
        raise _refuse_writing()

    def posix_rename(self, oldpath: bytes, newpath: bytes) -> None:
        raise _refuse_writing()

    def symlink(self, oldpath: bytes, newpath: bytes) -> None:
        raise _refuse_writing()

    def link(self, oldpath: bytes, newpath: bytes) -> None:
        raise _refuse_writing()


@contextmanager
def serve_folder(folder: Path, *, username: str = "reader", password: str) -> Iterator[SftpAddress]:
    """Serve ``folder`` as the root of an SFTP server on a free port of 127.0.0.1 until the block ends."""

    class PasswordOnly(asyncssh.SSHServer):
        def begin_auth(self, username: str) -> bool:
            return True

        def password_auth_supported(self) -> bool:
            return True

        def validate_password(self, given_username: str, given_password: str) -> bool:
            return (given_username, given_password) == (username, password)

    key = asyncssh.generate_private_key("ssh-ed25519")
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="sftp-server", daemon=True)
    thread.start()

    async def listen() -> asyncssh.SSHAcceptor:
        return await asyncssh.listen(
            "127.0.0.1",
            0,
            server_factory=PasswordOnly,
            server_host_keys=[key],
            sftp_factory=lambda channel: _ReadOnlyFolder(channel, chroot=str(folder).encode()),
            allow_scp=False,
        )

    async def close(acceptor: asyncssh.SSHAcceptor) -> None:
        acceptor.close()
        await acceptor.wait_closed()

    try:
        acceptor = asyncio.run_coroutine_threadsafe(listen(), loop).result(START_SECONDS)
        public = key.export_public_key("openssh").decode().strip()
        try:
            yield SftpAddress(acceptor.get_port(), username, password, public)
        finally:
            asyncio.run_coroutine_threadsafe(close(acceptor), loop).result(START_SECONDS)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(START_SECONDS)
        loop.close()
