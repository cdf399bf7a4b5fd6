"""What every request passes: who asks, how much it sends, what is counted of it, and which headers an answer bears."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sensor.log import Log
from sensor.metrics import Counts
from sensor.web.auth import Doorkeeper

BODY_OCTETS = 1_024
"""Of a request's body. Nothing that we answer needs one."""

HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
)


class Guard:
    """
    Stands before *app*. *users* gives the names and hashes that hold now, none if nobody has to say who they are;
    *paths* are what may stand in a label.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        users: Callable[[], Mapping[str, str]],
        paths: Collection[str],
        counts: Counts,
        doorkeeper: Doorkeeper,
        log: Log,
    ) -> None:
        self._app, self._users, self._paths = app, users, paths
        self._counts, self._doorkeeper, self._log = counts, doorkeeper, log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        status = 500
        begun = False

        async def told(message: Message) -> None:
            nonlocal status, begun
            if message["type"] == "http.response.start":
                status, begun = message["status"], True
                message = {**message, "headers": [*message.get("headers", ()), *HEADERS]}
            await send(message)

        try:
            refused = await self._refusal(Headers(scope=scope))
            await (refused or self._app)(scope, receive, told)
        except Exception as error:  # noqa: BLE001 - a fault of one answer is told, and the others go on
            self._log.error("answer_failed", path=self._label(scope["path"]), why=f"{type(error).__name__}: {error}")
            if not begun:
                await PlainTextResponse("internal error\n", 500)(scope, receive, told)
        finally:
            self._counts.add("http_requests", 1, self._label(scope["path"]), str(status))

    async def _refusal(self, headers: Headers) -> Response | None:
        """Why the request gets no answer; none if it does."""
        users = self._users()
        if users:
            verdict = await self._doorkeeper.check(headers.get("authorization", ""), users)
            if verdict == "busy":
                return PlainTextResponse("too many logins are being checked\n", 503, {"retry-after": "5"})
            if verdict == "unknown":
                return PlainTextResponse("unauthorized\n", 401, {"www-authenticate": 'Basic realm="mailsensor"'})
        length = headers.get("content-length", "0")
        is_small = length.isascii() and length.isdecimal() and len(length) < 10 and int(length) <= BODY_OCTETS
        if not is_small or "transfer-encoding" in headers:
            return PlainTextResponse(f"no body of more than {BODY_OCTETS} octets\n", 413, {"connection": "close"})
        return None

    def _label(self, path: str) -> str:
        """A path as a label: ours by name, whatever else as "other"."""
        if path in self._paths:
            return path
        start = next(
            (each for each in self._paths if each.endswith("/") and path.startswith(each) and each != "/"), None
        )
        return start or "other"
