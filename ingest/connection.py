"""Where a source is reached: an Airflow connection, read from its URI or JSON form without Airflow."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from ingest.errors import SourceError

KINDS = {
    "postgres": "postgres",
    "postgresql": "postgres",
    "mysql": "mysql",
    "mariadb": "mysql",
    "http": "http",
    "https": "https",
    "file": "file",
    "fs": "file",
    "sftp": "sftp",
}
# Kind of a database → the engine's extension that reads it.
SCANNERS = {"postgres": "postgres_scanner", "mysql": "mysql_scanner"}


@dataclass(frozen=True)
class Connection:
    """One connection. ``path`` is the database of a server, or the absolute folder of ``file`` and ``sftp``.

    ``kind``: postgres, mysql, http, https, file or sftp. For HTTP the password is the bearer token.
    """

    conn_id: str
    kind: str
    host: str | None = None
    port: int | None = None
    login: str | None = None
    password: str | None = field(default=None, repr=False)
    path: str | None = None
    extra: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def from_uri(cls, conn_id: str, text: str) -> Connection:
        """Read the URI or JSON form that Airflow uses. Raises ``SourceError`` when it is neither."""
        text = text.strip()
        return cls._from_json(conn_id, text) if text.startswith("{") else cls._from_uri(conn_id, text)

    @classmethod
    def from_environment(cls, conn_id: str) -> Connection:
        """Read ``AIRFLOW_CONN_<ID>``. Raises ``SourceError`` when it is not set."""
        variable = f"AIRFLOW_CONN_{conn_id.upper()}"
        text = os.environ.get(variable)
        if not text:
            raise SourceError(conn_id, "no connection is known", f"set {variable} to its URI or JSON form")
        return cls.from_uri(conn_id, text)

    @classmethod
    def _from_uri(cls, conn_id: str, text: str) -> Connection:
        try:
            parts = urlsplit(text)
            port = parts.port
        except ValueError as error:
            raise _unreadable(conn_id) from error
        if not parts.scheme or "://" not in text:
            raise _unreadable(conn_id)
        extra = dict(parse_qsl(parts.query, keep_blank_values=True))
        if "__extra__" in extra:
            extra = _texts(_object(conn_id, extra["__extra__"]))
        return cls._build(
            conn_id,
            parts.scheme,
            unquote(parts.hostname or "") or None,
            port,
            unquote(parts.username) if parts.username else None,
            unquote(parts.password) if parts.password else None,
            unquote(parts.path[1:]) or None,
            extra,
        )

    @classmethod
    def _from_json(cls, conn_id: str, text: str) -> Connection:
        content = _object(conn_id, text)
        extra = content.get("extra") or {}
        extra = _object(conn_id, extra) if isinstance(extra, str) else extra
        port = content.get("port")
        if not isinstance(extra, dict) or not str(port or "0").isdigit():
            raise _unreadable(conn_id)
        return cls._build(
            conn_id,
            str(content.get("conn_type") or ""),
            content.get("host") or None,
            int(port) if port else None,
            content.get("login") or None,
            content.get("password") or None,
            content.get("schema") or None,
            _texts(extra),
        )

    @classmethod
    def _build(
        cls,
        conn_id: str,
        scheme: str,
        host: str | None,
        port: int | None,
        login: str | None,
        password: str | None,
        path: str | None,
        extra: Mapping[str, str],
    ) -> Connection:
        kind = KINDS.get(scheme.lower().split("+")[0].replace("-", "_"))
        if kind is None:
            raise SourceError(
                conn_id,
                f"the connection's type {scheme or '(none)'} is unknown",
                "use postgresql, mysql, http, https, file or sftp",
            )
        if kind in ("http", "https"):
            # Airflow keeps the protocol in the schema, or in front of the host.
            if host and "://" in host:
                kind, host = host.split("://", 1)[0], host.split("://", 1)[1].rstrip("/")
            if path in ("http", "https"):
                kind, path = path, None
        if kind in ("file", "sftp"):
            path = path or extra.get("path")
            path = "/" + path.lstrip("/") if path else None
        return cls(conn_id, kind, host, port, login, password, path, extra)


def _unreadable(conn_id: str) -> SourceError:
    return SourceError(
        conn_id,
        "the connection is neither a URI nor JSON",
        f"correct AIRFLOW_CONN_{conn_id.upper()}; in a URI, write /, #, ? and @ of a password as %2F, %23, %3F and %40",
    )


def _object(conn_id: str, text: str) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise _unreadable(conn_id) from error
    if not isinstance(content, dict):
        raise _unreadable(conn_id)
    return content


def _texts(content: Mapping[str, Any]) -> dict[str, str]:
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in content.items()}
