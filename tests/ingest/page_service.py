"""A small HTTP service with every habit that an owner's interface may have; tests choose which."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "open-sesame"
Answer = tuple[int, dict[str, str], bytes]


def record(number: int, moment: str = "2025-01-01T00:00:00+08:00", **changes: Any) -> dict[str, Any]:
    """An invented certificate."""
    return {
        "certId": f"F01-{number:06d}",
        "status": "valid",
        "deceased": {"name": "赵样例", "idNo": None},
        "greenBurial": False,
        "feeRelief": "1,160.00",
        "updatedAt": moment,
    } | changes


class PageService:
    """Serves ``records`` in pages of ``page_size``. ``habits``: request number → what is answered instead."""

    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []
        self.page_size = 2
        self.habits: dict[int, Callable[[], Answer]] = {}
        self.queries: list[dict[str, list[str]]] = []
        self.moments: list[float] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True

    @property
    def uri(self) -> str:
        return f"http://:{TOKEN}@127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> PageService:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def page(self, query: dict[str, list[str]]) -> dict[str, Any]:
        """The page that a well-behaved service gives."""
        rows = sorted(self.records, key=lambda item: (item["updatedAt"], item["certId"]))
        since, start = query.get("updatedSince", [""])[-1], 0
        if "cursor" in query:
            since, _, number = query["cursor"][-1].rpartition("|")
            start = int(number)
        if since:
            rows = [item for item in rows if _utc(item["updatedAt"]) >= _utc(since)]
        end = start + self.page_size
        return {"total": 99, "next": f"{since}|{end}" if end < len(rows) else None, "items": rows[start:end]}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                number = len(service.queries)
                query = parse_qs(urlsplit(self.path).query)
                service.queries.append(query)
                service.moments.append(time.monotonic())
                if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                    status, headers, body = 401, {}, b"{}"
                elif number in service.habits:
                    status, headers, body = service.habits[number]()
                else:
                    status, headers, body = 200, {}, json.dumps(service.page(query), ensure_ascii=False).encode()
                self.send_response(status)
                length = headers.pop("Content-Length", str(len(body)))
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", length)
                self.end_headers()
                self.wfile.write(body)
                if int(length) != len(body):
                    self.wfile.flush()
                    self.close_connection = True
                    self.connection.shutdown(socket.SHUT_RDWR)

            def log_message(self, format: str, *args: object) -> None:
                """Tests are quiet."""

        return Handler


def _utc(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
