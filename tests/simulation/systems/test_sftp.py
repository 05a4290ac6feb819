"""The SFTP server shows the districts' folder and lets nobody change it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import asyncssh
import pytest

from simulation.systems.sftp import SftpAddress, serve_folder


async def _use(address: SftpAddress, password: str) -> tuple[list[str], bytes]:
    known = asyncssh.import_known_hosts(f"[{address.host}]:{address.port} {address.host_key}\n")
    async with (
        asyncssh.connect(
            address.host,
            address.port,
            username=address.username,
            password=password,
            known_hosts=known,
            client_keys=None,
        ) as connection,
        connection.start_sftp_client() as client,
    ):
        names = sorted(name for name in await client.listdir("/510104") if not str(name).startswith("."))
        async with client.open("/510104/a.csv", "rb") as file:
            content = await file.read()
        for change in (client.remove("/510104/a.csv"), client.mkdir("/x"), client.open("/y", "wb")):
            with pytest.raises(asyncssh.SFTPPermissionDenied):
                await change
        return [str(name) for name in names], content


def test_the_folder_can_be_read_and_not_changed(tmp_path: Path) -> None:
    (tmp_path / "510104").mkdir()
    (tmp_path / "510104" / "a.csv").write_bytes(b"a,b\r\n")
    with serve_folder(tmp_path, password="right") as address:
        assert asyncio.run(_use(address, "right")) == (["a.csv"], b"a,b\r\n")
        with pytest.raises(asyncssh.PermissionDenied):
            asyncio.run(_use(address, "wrong"))
    assert (tmp_path / "510104" / "a.csv").read_bytes() == b"a,b\r\n"
