"""The environment in which Airflow runs on one machine: its home, our DAGs, SQLite, loopback only."""

from __future__ import annotations

import json
import os
import secrets
import sys
from pathlib import Path

from warehouse.home import PROJECT, Home


def airflow_environment(home: Home) -> dict[str, str]:
    """Variables for every Airflow process of ``home``; secrets are made once and kept readable by the owner only.

    This is the shape for one machine (demo, ``make airflow``); docker-compose.yml has the one for production.
    """
    folder = home.private_folder(home.airflow)
    return {
        "RONGTONG_HOME": str(home.root),
        "AIRFLOW_HOME": str(folder),
        "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__PARALLELISM": "2",
        "AIRFLOW__CORE__MAX_ACTIVE_TASKS_PER_DAG": "2",
        "AIRFLOW__CORE__FERNET_KEY": _kept_secret(folder / "fernet.key", _fernet_key),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{folder / 'airflow.db'}",
        "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API_AUTH__JWT_SECRET": _kept_secret(folder / "jwt.key", lambda: secrets.token_urlsafe(48)),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(_password_file(folder)),
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(folder / "logs"),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
        "PYTHONPATH": os.pathsep.join([str(PROJECT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep),
        "GX_ANALYTICS_ENABLED": "false",
    }


def web_login(home: Home) -> tuple[str, str]:
    """User name and password of this home's web interface."""
    passwords = json.loads(_password_file(home.airflow).read_text(encoding="utf-8"))
    return "admin", str(passwords["admin"])


def _password_file(folder: Path) -> Path:
    path = folder / "web_passwords.json"
    _kept_secret(path, lambda: json.dumps({"admin": secrets.token_urlsafe(12)}))
    return path


def _kept_secret(path: Path, make: object) -> str:
    if not path.exists():
        assert callable(make)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(str(make()))
    return path.read_text(encoding="utf-8")


def _fernet_key() -> str:
    from cryptography.fernet import Fernet

    return Fernet.generate_key().decode()
