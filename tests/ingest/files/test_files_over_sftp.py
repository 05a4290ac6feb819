"""The same folder over a real SFTP server: same facts, same rows; a server that is down is one sentence."""

from __future__ import annotations

import asyncio
import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from district_folder import MEMBER, MEMBER_FILE, PAYMENT, PAYMENT_FILE, DistrictFolder, member, payment, text

from ingest.connection import Connection
from ingest.errors import SourceError
from ingest.files import read_deliveries
from ingest.land import land

PASSWORD = "s3cret"


class _Guard(asyncssh.SSHServer):
    def begin_auth(self, username: str) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return username == "reader" and password == PASSWORD


@dataclass
class Server:
    port: int
    host_key: str

    def connection(self, path: str = "/", password: str = PASSWORD, **extra: str) -> Connection:
        said = {"host_key": self.host_key, **extra}
        return Connection.from_uri(
            "allowance",
            json.dumps(
                {
                    "conn_type": "sftp",
                    "host": "127.0.0.1",
                    "port": self.port,
                    "login": "reader",
                    "password": password,
                    "schema": path,
                    "extra": {name: value for name, value in said.items() if value},
                }
            ),
        )


@pytest.fixture
def server(district: DistrictFolder) -> Iterator[Server]:
    key = asyncssh.generate_private_key("ssh-ed25519")
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def folder(channel: Any) -> asyncssh.SFTPServer:
        return asyncssh.SFTPServer(channel, chroot=str(district.root).encode())

    async def listen() -> asyncssh.SSHAcceptor:
        return await asyncssh.create_server(
            _Guard, "127.0.0.1", 0, server_host_keys=[key], sftp_factory=folder, allow_scp=False
        )

    acceptor = asyncio.run_coroutine_threadsafe(listen(), loop).result(20)
    yield Server(acceptor.get_port(), key.export_public_key().decode().strip())
    loop.call_soon_threadsafe(acceptor.close)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)


def test_a_folder_over_sftp_gives_what_the_local_one_gives(district: DistrictFolder, server: Server) -> None:
    content = text([PAYMENT, payment(1), payment(2)])
    district.put(PAYMENT_FILE, content)
    district.put(PAYMENT_FILE.replace(".csv", "_v2.csv"), content)
    district.put(MEMBER_FILE, text([MEMBER, member("𠅤"), member("䶮")]), age=0)
    district.put(
        f"{MEMBER_FILE}.sha256", hashlib.sha256((district.root / MEMBER_FILE).read_bytes()).hexdigest().encode()
    )
    district.put("510104/202503/说明.docx", b"PK")
    remote = district.land(server.connection())
    district.known.clear()
    local = district.land()

    def told(landed: Any) -> list[tuple[Any, ...]]:
        return [(f.path, f.state, f.reason, f.content_hash, f.rows_read, f.raw_file) for f in landed.files]

    assert told(remote) == told(local)
    assert remote.rows("member") == local.rows("member")
    assert remote.rows("payment") == local.rows("payment")


def test_a_second_look_over_sftp_reads_nothing(district: DistrictFolder, server: Server) -> None:
    district.put(PAYMENT_FILE, text([PAYMENT, payment(1)]))
    assert district.land(server.connection()).accepted == [PAYMENT_FILE]
    assert district.land(server.connection()).files == []


def test_many_files_over_sftp(district: DistrictFolder, server: Server) -> None:
    for number in range(70):
        code = f"5101{number:02d}"
        district.put(f"{code}/202503/payment_{code}_202503.csv", text([PAYMENT, payment(number)]))
    assert len(district.land(server.connection()).accepted) == 70


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param({"password": "wrong"}, "refuses the login", id="a wrong password"),
        pytest.param({"path": "/nowhere"}, "has no folder /nowhere", id="a missing folder"),
        pytest.param({"host_key": "other"}, "key that is not the known one", id="another host key"),
        pytest.param({"host_key": "rubbish"}, "unreadable host_key", id="an unreadable host key"),
        pytest.param(
            {"host_key": "", "known_hosts": "/nowhere/known_hosts"}, "correct known_hosts", id="no known_hosts"
        ),
    ],
)
def test_a_wrong_connection_is_one_sentence(
    district: DistrictFolder, server: Server, changes: dict[str, str], said: str
) -> None:
    if changes.get("host_key") == "other":
        changes = {"host_key": asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip()}
    with pytest.raises(SourceError, match=said) as caught:
        list(read_deliveries(district.contract, server.connection(**changes), district.home))
    assert str(caught.value).startswith("allowance: the SFTP server 127.0.0.1:")
    assert PASSWORD not in str(caught.value)


def test_a_server_that_is_down_is_one_sentence(district: DistrictFolder, tmp_path: Path) -> None:
    nobody = Connection.from_uri("allowance", "sftp://reader:x@127.0.0.1:1/")
    with pytest.raises(SourceError, match="cannot be reached"):
        list(read_deliveries(district.contract, nobody, district.home))


def test_loopback_needs_no_known_key(district: DistrictFolder, server: Server) -> None:
    district.put(PAYMENT_FILE, text([PAYMENT, payment(1)]))
    assert district.land(server.connection(host_key="")).accepted == [PAYMENT_FILE]


def test_a_whole_landing_over_sftp_reads_ahead_of_its_judge(district: DistrictFolder, server: Server) -> None:
    for number in range(1, 13):
        month = f"2024{number:02d}"
        district.put(f"510104/{month}/member_510104_{month}.csv", text([MEMBER, member(f"名{number}")]))
    result = land("allowance", server.connection(), district.home)
    assert result.error is None
    assert (result.counts["deliveries"], result.counts["rows_accepted"]) == (12, 12)
    assert land("allowance", server.connection(), district.home).counts["deliveries"] == 0


def test_a_server_that_is_down_stops_the_landing_with_one_sentence(district: DistrictFolder, server: Server) -> None:
    result = land("allowance", replace(server.connection(), port=1), district.home)
    assert result.error is not None
    assert result.error.startswith("allowance: ")
