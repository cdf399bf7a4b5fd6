"""
One POST, bounded in time and octets, and what its answer means: what the sinks over HTTP have in common.

Problems name the origin (scheme, host, port) alone: paths and queries of such URLs are often as good as a password. The
answer's text is not told at all, since a receiver may repeat there what it was sent.
"""

from __future__ import annotations

import math
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from urllib.parse import urlsplit

import aiohttp

from sensor.alert.secret import read_secret
from sensor.alert.sinks.base import Delivered, SinkError
from sensor.alert.sinks.reasons import reason_of
from sensor.alert.sinks.tls import tls_context
from sensor.settings import HttpSinkSettings

LONGEST_RETRY_AFTER_S = 3_600.0
"""What a receiver may ask for. Beyond an hour it is taken for a mistake, or for somebody's wish to hear nothing."""

MOST_ANSWER_OCTETS = 65_536
"""Read of an answer, so that the connection ends well; nobody looks at it."""

# The receiver does not want this record, whatever the time: RFC 9110 15.5.1, 15.5.14, 15.5.16, 15.5.21.
_REFUSED = frozenset((400, 413, 415, 422))


@dataclass(frozen=True, slots=True)
class Answer:
    """
    What became of one POST; ``problem`` is none where it was taken. ``refused``: for what it says. ``unsure``: it may
    have arrived, since the connection ended before the answer did.
    """

    problem: str | None = None
    refused: bool = False
    unsure: bool = False
    retry_after_s: float | None = None

    def delivered(self, count: int, *, tried: int = 1) -> Delivered:
        """The same of a batch whose first *count* arrived before, and of which this POST held the next *tried*."""
        if self.problem is None:
            return Delivered(count + tried)
        return Delivered(
            count,
            unsure=tried if self.unsure else 0,
            refuses_next=self.refused and tried == 1,
            problem=self.problem,
            retry_after_s=self.retry_after_s,
        )


class Poster:
    """Posts JSON to the URL of *settings* and what stands below it. ``post`` never raises for what the world does."""

    def __init__(self, settings: HttpSinkSettings, environment: Mapping[str, str]) -> None:
        self._url = settings.url
        self._origin = origin(settings.url)
        self._timeout_s = settings.timeout_s
        self._headers = {"Content-Type": "application/json", "User-Agent": "mailsensor"}
        self._headers |= _authorisation(settings, environment)
        self._context = tls_context(settings.tls) if settings.url.startswith("https:") else None
        self._session: aiohttp.ClientSession | None = None
        self._closed = False

    async def post(self, body: bytes, *, path: str = "", headers: Mapping[str, str] | None = None) -> Answer:
        """Post *body* to the URL, or to *path* below it; the answer within the time that the settings allow."""
        if self._closed:
            return Answer("the sink is closed")
        url = self._url.rstrip("/") + path if path else self._url
        try:
            return await self._post(url, body, self._headers | dict(headers or {}))
        except (aiohttp.ClientConnectionError, ssl.SSLError) as error:
            # Where no connection stood, nothing was sent.
            unsure = not isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)
            return Answer(f"{self._origin}: {_why(error)}", unsure=unsure)
        except TimeoutError:
            return Answer(f"{self._origin}: no answer within {self._timeout_s:g} s", unsure=True)
        except (aiohttp.ClientError, ValueError) as error:
            return Answer(f"{self._origin}: no answer of HTTP ({type(error).__name__})", unsure=True)

    async def close(self) -> None:
        self._closed = True
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        # Redirects are not followed: they would carry alert and password to wherever an answer points.
        async with self._opened().post(url, data=body, headers=headers, allow_redirects=False) as response:
            answer = self._answer(response)
            try:
                await response.content.read(MOST_ANSWER_OCTETS)
            except (aiohttp.ClientError, TimeoutError):
                return answer  # The status has said it all.
            return answer

    def _opened(self) -> aiohttp.ClientSession:
        """The session, made inside the running loop. Each POST has a connection of its own: alerts are few."""
        if self._session is None:
            # Where a connection was not made in time, nothing was sent: a case of its own, told apart by sock_connect.
            half = self._timeout_s / 2
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=self._context or True, force_close=True, limit=1),
                timeout=aiohttp.ClientTimeout(total=self._timeout_s, sock_connect=half),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
            )
        return self._session

    def _answer(self, response: aiohttp.ClientResponse) -> Answer:
        status = response.status
        if 200 <= status < 300:
            return Answer()
        return Answer(
            f"{self._origin}: answered {status} {_phrase(status)}".rstrip(),
            refused=status in _REFUSED,
            # A gateway that waited in vain for its own answer does not know what became of the alert.
            unsure=status == HTTPStatus.GATEWAY_TIMEOUT,
            retry_after_s=retry_after_s(response.headers.get("Retry-After"), datetime.now(UTC)),
        )


def origin(url: str) -> str:
    """Scheme, host and port of *url*: what may be told of it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def retry_after_s(value: str | None, now: datetime) -> float | None:
    """Seconds that Retry-After asks for, by number or date (RFC 9110 10.2.3), within bounds; none for nonsense."""
    if value is None:
        return None
    try:
        asked = float(value)
    except ValueError:
        try:
            asked = (parsedate_to_datetime(value) - now).total_seconds()
        except (ValueError, TypeError, OverflowError):  # no date, one without a zone, one beyond all calendars
            return None
    return min(max(asked, 0.0), LONGEST_RETRY_AFTER_S) if math.isfinite(asked) else None


def _authorisation(settings: HttpSinkSettings, environment: Mapping[str, str]) -> dict[str, str]:
    """The Authorization header, if there is to be one. Raises ``SinkError``."""
    if settings.token is not None:
        token = _in_a_header(read_secret(settings.token, environment).reveal())
        return {"Authorization": f"Bearer {token}"}
    if settings.username is not None and settings.password is not None:
        password = read_secret(settings.password, environment).reveal().decode("utf-8", "surrogateescape")
        return {"Authorization": aiohttp.encode_basic_auth(settings.username, password)}
    return {}


def _in_a_header(octets: bytes) -> str:
    if not octets.isascii() or not octets.decode().isprintable() or b" " in octets:
        raise SinkError("a token of settings has characters that no header can hold")
    return octets.decode()


def _phrase(status: int) -> str:
    """Ours, not that of the answer, in which anything may stand."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _why(error: Exception) -> str:
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return "no connection in time"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        inner = error.certificate_error
        return reason_of(inner) if isinstance(inner, OSError) else "TLS failed"
    if isinstance(error, aiohttp.ClientConnectorError):
        return reason_of(error.os_error)
    return "the connection ended before the answer"
