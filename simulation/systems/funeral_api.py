"""The smart funeral system's HTTP API, with the habits its owner admits, as a process of its own.

``python -m simulation.systems.funeral_api --data records.sqlite --token-file token --port-file port``
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import hmac
import json
import os
import random
import signal
import socket
import sqlite3
import sys
import threading
import time
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

PATH = "/api/v1/cremations"
LOCAL_TIME = timezone(timedelta(hours=8))
DEFAULT_PAGE_SIZE = 200
MAXIMUM_PAGE_SIZE = 1000
# How far the promised ``total`` may be off, as a share.
TOTAL_ERROR = 0.03
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True)
class Habits:
    """How often the owner's API misbehaves: shares of requests, and its limits."""

    error_rate: float = 0.02
    cut_rate: float = 0.01
    truncate_rate: float = 0.01
    change_rate: float = 0.05
    requests_per_second: int = 20
    cursor_seconds: float = 600.0
    seed: int = 0


class RequestError(Exception):
    """A request is answered with an error status; ``headers`` go with it."""

    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers or {}


@dataclass(frozen=True)
class Position:
    """Where a client stands: after which record it goes on, since when, and the total it was told."""

    updated_ms: int
    cert_id: str
    total: int


class FuneralService:
    """The records and the habits; one instance serves all threads."""

    def __init__(self, data: Path, token: str, habits: Habits) -> None:
        self._data = data
        self._token = token
        self._habits = habits
        self._random = random.Random(habits.seed)
        self._lock = threading.Lock()
        self._served: deque[float] = deque(maxlen=max(1, habits.requests_per_second))
        self._local = threading.local()
        self._key = hashlib.sha256(b"cursor" + token.encode()).digest()

    # Judging a request ----------------------------------------------------------------------------------------------

    def check_token(self, header: str | None) -> None:
        """Raises ``RequestError`` (401) unless the bearer token is right."""
        expected = f"Bearer {self._token}".encode()
        if not hmac.compare_digest((header or "").encode(), expected):
            raise RequestError(401, "token missing or wrong", {"WWW-Authenticate": "Bearer"})

    def check_rate(self) -> None:
        """Raises ``RequestError`` (429, with Retry-After) beyond the allowed requests of the last second."""
        with self._lock:
            now = time.monotonic()
            if len(self._served) == self._served.maxlen and now - self._served[0] < 1.0:
                raise RequestError(429, "too many requests", {"Retry-After": "1"})
            self._served.append(now)

    def choose_fault(self) -> str | None:
        """The trouble of this request: ``500``, ``502``, ``503``, ``cut``, ``truncate``, or none."""
        habits = self._habits
        with self._lock:
            draw = self._random.random()
            status = self._random.choice(("500", "502", "503"))
        if draw < habits.error_rate:
            return status
        if draw < habits.error_rate + habits.cut_rate:
            return "cut"
        if draw < habits.error_rate + habits.cut_rate + habits.truncate_rate:
            return "truncate"
        return None

    # Answering ------------------------------------------------------------------------------------------------------

    def page(self, query: dict[str, list[str]]) -> bytes:
        """One page as JSON. Raises ``RequestError`` for parameters the interface does not allow and for old cursors."""
        size = self._page_size(query)
        records = self._records()
        if "cursor" in query:
            start = self._open_cursor(query["cursor"][-1])
            condition, values = "(updated_ms, cert_id) > (?, ?)", [start.updated_ms, start.cert_id]
            total = start.total
        else:
            since = self._since(query)
            condition, values = "updated_ms >= ?", [since]
            total = self._estimate(
                records.execute("SELECT count(*) FROM cremations WHERE updated_ms >= ?", [since]).fetchone()[0]
            )
        rows = records.execute(
            f"SELECT updated_ms, cert_id, body FROM cremations WHERE {condition} ORDER BY updated_ms, cert_id LIMIT ?",
            [*values, size + 1],
        ).fetchall()
        shown = rows[:size]
        following = None
        if len(rows) > size:
            following = self._make_cursor(Position(shown[-1][0], shown[-1][1], total))
            self._let_a_record_change(records, rows)
        items = ",".join(f'{body},"updatedAt":"{_as_text(updated_ms)}"}}' for updated_ms, _, body in shown)
        return f'{{"total":{total},"next":{json.dumps(following)},"items":[{items}]}}'.encode()

    def _records(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "records", None)
        if connection is None:
            connection = sqlite3.connect(self._data, timeout=30, isolation_level=None)
            self._local.records = connection
        return connection

    def close_thread(self) -> None:
        """Close this thread's connection to the records."""
        connection: sqlite3.Connection | None = getattr(self._local, "records", None)
        if connection is not None:
            connection.close()
            self._local.records = None

    def _page_size(self, query: dict[str, list[str]]) -> int:
        text = query.get("pageSize", [str(DEFAULT_PAGE_SIZE)])[-1]
        if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= MAXIMUM_PAGE_SIZE:
            raise RequestError(400, f"pageSize must be a number from 1 to {MAXIMUM_PAGE_SIZE}")
        return int(text)

    def _since(self, query: dict[str, list[str]]) -> int:
        if "updatedSince" not in query:
            return -(2**62)
        try:
            moment = datetime.fromisoformat(query["updatedSince"][-1])
        except ValueError as error:
            raise RequestError(400, "updatedSince must be a date-time with an offset") from error
        if moment.tzinfo is None:
            raise RequestError(400, "updatedSince must be a date-time with an offset")
        return -((_EPOCH - moment) // _MILLISECOND)

    def _estimate(self, count: int) -> int:
        with self._lock:
            return round(count * (1 + self._random.uniform(-TOTAL_ERROR, TOTAL_ERROR)))

    def _make_cursor(self, position: Position) -> str:
        content = json.dumps([time.time(), position.updated_ms, position.cert_id, position.total]).encode()
        signature = hmac.digest(self._key, content, "sha256")[:12]
        return base64.urlsafe_b64encode(signature + content).decode().rstrip("=")

    def _open_cursor(self, cursor: str) -> Position:
        try:
            sealed = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        except ValueError as error:
            raise RequestError(400, "cursor unknown") from error
        signature, content = sealed[:12], sealed[12:]
        if not hmac.compare_digest(signature, hmac.digest(self._key, content, "sha256")[:12]):
            raise RequestError(400, "cursor unknown")
        made_at, updated_ms, cert_id, total = json.loads(content)
        if time.time() - made_at > self._habits.cursor_seconds:
            raise RequestError(410, "cursor expired")
        return Position(updated_ms, cert_id, total)

    def _let_a_record_change(self, records: sqlite3.Connection, rows: list[tuple[int, str, str]]) -> None:
        """Now and then a record just shown, or about to be shown, is saved by its owner and moves to the end."""
        with self._lock:
            if self._random.random() >= self._habits.change_rate:
                return
            updated_ms, cert_id, _ = self._random.choice(rows)
            records.execute(
                "UPDATE cremations SET updated_ms = (SELECT max(updated_ms) + 1 FROM cremations) "
                "WHERE updated_ms = ? AND cert_id = ?",
                [updated_ms, cert_id],
            )


def _as_text(updated_ms: int) -> str:
    return (_EPOCH + updated_ms * _MILLISECOND).astimezone(LOCAL_TIME).isoformat(timespec="milliseconds")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body leave together: in two small packets every answer would wait for the client's delayed receipt.
    wbufsize = -1
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        service = self.server.service
        fault: str | None = None
        try:
            address = urlsplit(self.path)
            if address.path != PATH:
                raise RequestError(404, "no such resource")
            service.check_token(self.headers.get("Authorization"))
            service.check_rate()
            fault = service.choose_fault()
            if fault == "cut":
                self._cut()
                return
            if fault is not None and fault.isdigit():
                raise RequestError(int(fault), "the service is troubled")
            body = service.page(parse_qs(address.query, keep_blank_values=True))
        except RequestError as refused:
            self._answer(refused.status, json.dumps({"message": str(refused)}).encode(), refused.headers)
            return
        self._answer(200, body, {}, cut_in_the_middle=fault == "truncate")

    def _answer(self, status: int, body: bytes, headers: dict[str, str], *, cut_in_the_middle: bool = False) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if cut_in_the_middle:
            self.wfile.write(body[: len(body) // 2])
            self._cut()
            return
        self.wfile.write(body)

    def _cut(self) -> None:
        self.wfile.flush()
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def finish(self) -> None:
        try:
            super().finish()
        except OSError:
            # The client, or this simulator, cut the connection: nothing is left to be sent.
            self.close_connection = True
        self.server.service.close_thread()

    def log_message(self, format: str, *args: object) -> None:
        """Addresses carry dates and cursors of persons: nothing is written."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], service: FuneralService) -> None:
        super().__init__(address, _Handler)
        self.service = service

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is no trouble of the server; anything else is named by its type only."""
        error = sys.exc_info()[1]
        if not isinstance(error, ConnectionError):
            print(f"The funeral API could not answer a request: {type(error).__name__}.", file=sys.stderr)


def main(arguments: list[str] | None = None) -> None:
    """Serve until ended by a signal, or, with ``--lifeline``, until standard input closes."""
    parser = argparse.ArgumentParser(prog="simulation.systems.funeral_api", description=__doc__)
    defaults = Habits()
    parser.add_argument("--data", type=Path, required=True, help="SQLite file of the records")
    parser.add_argument("--token-file", type=Path, required=True, help="file holding the bearer token")
    parser.add_argument("--port-file", type=Path, required=True, help="file to write the port to, once it answers")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--lifeline", action="store_true", help="end when standard input closes")
    parser.add_argument("--error-rate", type=float, default=defaults.error_rate)
    parser.add_argument("--cut-rate", type=float, default=defaults.cut_rate)
    parser.add_argument("--truncate-rate", type=float, default=defaults.truncate_rate)
    parser.add_argument("--change-rate", type=float, default=defaults.change_rate)
    parser.add_argument("--requests-per-second", type=int, default=defaults.requests_per_second)
    parser.add_argument("--cursor-seconds", type=float, default=defaults.cursor_seconds)
    parser.add_argument("--seed", type=int, default=defaults.seed)
    given = parser.parse_args(arguments)
    if not given.data.is_file():
        parser.error(f"--data: there is no file {given.data}")
    habits = Habits(
        given.error_rate,
        given.cut_rate,
        given.truncate_rate,
        given.change_rate,
        given.requests_per_second,
        given.cursor_seconds,
        given.seed,
    )
    service = FuneralService(given.data, given.token_file.read_text().strip(), habits)
    server = _Server(("127.0.0.1", given.port), service)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    if given.lifeline:
        threading.Thread(target=_end_with_input, daemon=True).start()
    fresh = given.port_file.with_name(given.port_file.name + ".new")
    fresh.write_text(str(server.server_address[1]))
    fresh.replace(given.port_file)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()


def _end_with_input() -> None:
    while sys.stdin.buffer.read(1024):
        continue
    os._exit(0)


if __name__ == "__main__":
    main()
