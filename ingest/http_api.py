"""Connector for HTTP interfaces that hand out records page by page, by cursor, with the habits such services have."""

from __future__ import annotations

import gzip
import json
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt
from tenacity.wait import wait_random_exponential

from ingest.connection import Connection
from ingest.contract import Contract, Entity, HttpSettings
from ingest.errors import SourceError
from ingest.progress import Progress

LONGEST_WAIT_SECONDS = 20.0
LONGEST_RETRY_AFTER_SECONDS = 120.0
EMPTY_PAGES = 20
RESTARTS = 50


class _Troubled(Exception):
    """The service could not answer this time; ``wait_seconds`` is what it asked us to wait, if it did."""

    def __init__(self, what: str, wait_seconds: float | None = None) -> None:
        super().__init__(what)
        self.wait_seconds = wait_seconds


class _CursorExpired(Exception):
    """The cursor lives no longer: start again from the last moment seen."""


@dataclass(frozen=True)
class Extract:
    """The pages of one extract, one JSON answer a line, compressed; ``longest_line`` in bytes."""

    file: Path
    pages: int
    items: int
    longest_line: int


def fetch(
    contract: Contract,
    entity: Entity,
    connection: Connection,
    since: datetime | None,
    file: Path,
    progress: Progress,
) -> Extract:
    """Write all pages since ``since`` (all there are when none) to ``file``.

    Raises ``SourceError``: service down, token refused, answers that do not keep the contract, endless troubles.
    """
    settings = contract.http
    with _client(contract, connection) as client, gzip.open(file, "wb", compresslevel=1) as out:
        pages = _Pages(contract, entity, settings, client)
        count = items = longest = 0
        for body, page in pages.follow(since):
            # A line break outside a JSON text is a blank; inside one it cannot be.
            line = body.replace(b"\r", b" ").replace(b"\n", b" ") + b"\n"
            out.write(line)
            longest = max(longest, len(line))
            count += 1
            items += len(_dig(page, settings.items))
            total = page.get("total")
            progress(items, total if isinstance(total, int) and total >= items else None, f"{contract.source}: records")
    return Extract(file, count, items, longest)


@contextmanager
def _client(contract: Contract, connection: Connection) -> Iterator[httpx.Client]:
    source = contract.source
    if connection.kind not in ("http", "https") or not connection.host:
        raise SourceError(source, f"the connection is of type {connection.kind}", "it needs http://:TOKEN@host:port")
    host = f"[{connection.host}]" if ":" in connection.host else connection.host
    port = f":{connection.port}" if connection.port else ""
    headers = {"Accept": "application/json"}
    if connection.password:
        headers["Authorization"] = f"Bearer {connection.password}"
    try:
        with httpx.Client(
            base_url=f"{connection.kind}://{host}{port}",
            headers=headers,
            timeout=contract.http.timeout_seconds,
            # The owner's service is on the inside: no proxy of the environment stands between.
            trust_env=False,
        ) as client:
            yield client
    except (httpx.InvalidURL, UnicodeError) as error:
        raise SourceError(
            source,
            "the connection's address or token cannot be used",
            f"correct AIRFLOW_CONN_{connection.conn_id.upper()}",
        ) from error


class _Pages:
    """Follows the cursor to the end."""

    def __init__(self, contract: Contract, entity: Entity, settings: HttpSettings, client: httpx.Client) -> None:
        self._source = contract.source
        self._settings = settings
        self._watermark = entity.field(entity.watermark or "").path
        self._client = client
        self._limiter = RateLimiter(settings.requests_per_second)
        self._wait = wait_random_exponential(multiplier=0.25, max=LONGEST_WAIT_SECONDS)

    def follow(self, since: datetime | None) -> Iterator[tuple[bytes, dict[str, Any]]]:
        """Each page as delivered and as read."""
        settings = self._settings
        start = None if since is None else format_moment(since)
        cursor: str | None = None
        empty = restarts = 0
        while True:
            parameters = {settings.page_size_parameter: str(settings.page_size)}
            if cursor is not None:
                parameters[settings.cursor_parameter] = cursor
            elif start is not None:
                parameters[settings.since_parameter] = start
            try:
                body, page = self._get(parameters)
            except _CursorExpired as error:
                restarts += 1
                if cursor is None or restarts > RESTARTS:
                    raise self._breach("the cursor expires again and again", "ask the owner why") from error
                cursor = None
                continue
            items = _dig(page, settings.items)
            yield body, page
            start = self._last_moment(items) or start
            following = _dig(page, settings.next_cursor)
            if following is None:
                return
            empty = 0 if items else empty + 1
            if following == cursor or empty > EMPTY_PAGES:
                raise self._breach("the cursor does not move on", "ask the owner to mend paging")
            cursor = following

    def _last_moment(self, items: list[Any]) -> str | None:
        for item in reversed(items):
            value = item
            for key in self._watermark:
                value = value.get(key) if isinstance(value, dict) else None
            if isinstance(value, str) and value:
                return value
        return None

    def _get(self, parameters: dict[str, str]) -> tuple[bytes, dict[str, Any]]:
        attempts = Retrying(
            retry=retry_if_exception_type(_Troubled),
            stop=stop_after_attempt(self._settings.attempts),
            wait=self._how_long,
            reraise=True,
        )
        try:
            result: tuple[bytes, dict[str, Any]] = attempts(self._ask, parameters)
        except _Troubled as error:
            raise SourceError(
                self._source,
                f"the service at {self._client.base_url.host}:{self._client.base_url.port or ''} {error}",
                f"{self._settings.attempts} attempts failed: have the owner look at it, then land again",
            ) from None
        return result

    def _how_long(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome is not None else None
        if isinstance(error, _Troubled) and error.wait_seconds is not None:
            # Jitter upwards only: earlier than asked would be refused again.
            return error.wait_seconds + random.uniform(0, 0.25)
        return self._wait(state)

    def _ask(self, parameters: dict[str, str]) -> tuple[bytes, dict[str, Any]]:
        self._limiter.wait()
        try:
            answer = self._client.get(self._settings.path, params=parameters)
        except httpx.ConnectError as error:
            raise _Troubled("does not answer") from error
        except httpx.TimeoutException as error:
            raise _Troubled("answers too slowly") from error
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise _Troubled("cuts its answers") from error
        self._check_status(answer)
        try:
            page = json.loads(answer.content)
        except ValueError as error:
            raise _Troubled("sends answers that are no JSON, or cut ones") from error
        return answer.content, self._check_envelope(page)

    def _check_status(self, answer: httpx.Response) -> None:
        status = answer.status_code
        if status == httpx.codes.OK:
            return
        if status in (401, 403):
            raise SourceError(
                self._source, "the service refuses the token", f"check the token in AIRFLOW_CONN_{self._source.upper()}"
            )
        if status == 410:
            raise _CursorExpired
        if status == 429:
            raise _Troubled("says that we ask too often", _retry_after(answer))
        if status >= 500 or status == 408:
            raise _Troubled(f"answers with status {status}", _retry_after(answer))
        raise self._breach(f"the service answers with status {status}", "check path and parameters in the contract")

    def _check_envelope(self, page: Any) -> dict[str, Any]:
        """A 200 that is no page must not end the paging "successfully"."""
        mend = "ask the owner what it means; nothing was landed"
        if not isinstance(page, dict):
            raise self._breach("an answer is no JSON object", mend)
        for path, kinds in ((self._settings.items, list), (self._settings.next_cursor, str | None)):
            value: Any = page
            for key in path:
                if not isinstance(value, dict) or key not in value:
                    raise self._breach(f"an answer with status 200 lacks {'.'.join(path)}", mend)
                value = value[key]
            if not isinstance(value, kinds):
                raise self._breach(f"{'.'.join(path)} in an answer is of the wrong type", mend)
        return page

    def _breach(self, place: str, mend: str) -> SourceError:
        return SourceError(self._source, place, mend)


class RateLimiter:
    """Lets at most ``per_second`` requests through in any second, evenly spaced."""

    def __init__(
        self,
        per_second: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._gap = 1 / per_second
        self._next = 0.0
        self._clock = clock
        self._sleep = sleep

    def wait(self) -> None:
        """Return when the next request may be sent."""
        now = self._clock()
        if now < self._next:
            self._sleep(self._next - now)
        self._next = max(now, self._next) + self._gap


def format_moment(moment: datetime) -> str:
    """An instant as the ``date-time`` of an interface, cut to milliseconds (earlier, never later)."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _retry_after(answer: httpx.Response) -> float | None:
    said: str = answer.headers.get("Retry-After", "").strip()
    if said.isascii() and said.isdigit():
        return min(float(said), LONGEST_RETRY_AFTER_SECONDS)
    try:
        moment = parsedate_to_datetime(said)
    except ValueError:
        return None
    return min(max(moment.timestamp() - time.time(), 0.0), LONGEST_RETRY_AFTER_SECONDS)


def _dig(page: dict[str, Any], path: tuple[str, ...]) -> Any:
    value: Any = page
    for key in path:
        value = value[key]
    return value
