"""Airflow's connections are read in all forms in which they come."""

from __future__ import annotations

import json

import pytest

from ingest.connection import Connection
from ingest.errors import SourceError


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        pytest.param(
            "postgresql://reader@127.0.0.1:5432/marriage",
            ("postgres", "127.0.0.1", 5432, "reader", None, "marriage"),
            id="a database without a password",
        ),
        pytest.param(
            "postgres://reader:p%40ss%2Fw%3Ard@db.example/city%20data?sslmode=require",
            ("postgres", "db.example", None, "reader", "p@ss/w:rd", "city data"),
            id="percent-encoded parts",
        ),
        pytest.param("mysql://root@db:3306/care", ("mysql", "db", 3306, "root", None, "care"), id="MySQL"),
        pytest.param("mariadb://root@db/care", ("mysql", "db", None, "root", None, "care"), id="MariaDB is MySQL"),
        pytest.param(
            "http://:TOKEN@127.0.0.1:8080",
            ("http", "127.0.0.1", 8080, None, "TOKEN", None),
            id="the password is the token",
        ),
        pytest.param(
            "http://:T@api.example/https",
            ("https", "api.example", None, None, "T", None),
            id="Airflow's way to say https",
        ),
        pytest.param("https://:T@api.example", ("https", "api.example", None, None, "T", None), id="https"),
        pytest.param(
            "file:///srv/in box/files", ("file", None, None, None, None, "/srv/in box/files"), id="a folder as it is"
        ),
        pytest.param(
            "file:///srv%2Fin%20box%2Ffiles",
            ("file", None, None, None, None, "/srv/in box/files"),
            id="a folder as Airflow",
        ),
        pytest.param(
            "sftp://me:s%23cret@host:2222/drop", ("sftp", "host", 2222, "me", "s#cret", "/drop"), id="an SFTP folder"
        ),
    ],
)
def test_a_uri_is_read(uri: str, expected: tuple[object, ...]) -> None:
    read = Connection.from_uri("some", uri)
    assert (read.kind, read.host, read.port, read.login, read.password, read.path) == expected


def test_the_json_form_is_read() -> None:
    text = json.dumps(
        {
            "conn_type": "postgres",
            "host": "db",
            "port": 5433,
            "login": "reader",
            "password": "p@ss/w:rd%",
            "schema": "city",
            "extra": {"sslmode": "require"},
        }
    )
    read = Connection.from_uri("some", text)
    assert (read.kind, read.port, read.password, read.path) == ("postgres", 5433, "p@ss/w:rd%", "city")
    assert read.extra == {"sslmode": "require"}


def test_the_folder_may_stand_in_the_extra() -> None:
    assert Connection.from_uri("some", '{"conn_type": "fs", "extra": "{\\"path\\": \\"/srv/in\\"}"}').path == "/srv/in"


@pytest.mark.parametrize("text", ["nonsense", "ftp://host/x", '{"conn_type": "oracle"}', "{broken", "mysql://h:port/x"])
def test_what_is_no_connection_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(SourceError) as caught:
        Connection.from_uri("some", text)
    assert str(caught.value).startswith("some: ")
    assert text not in str(caught.value)


def test_a_missing_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_NOWHERE", raising=False)
    with pytest.raises(SourceError, match="set AIRFLOW_CONN_NOWHERE"):
        Connection.from_environment("nowhere")


def test_secrets_do_not_show_in_the_representation() -> None:
    assert "hunter2" not in repr(Connection.from_uri("some", "mysql://root:hunter2@db/care"))
