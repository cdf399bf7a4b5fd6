"""The answers: which path gives what, to whom, and what is counted of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Generator, Sequence
from functools import partial
from typing import TypeVar

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from sensor.metrics import WEB_FAMILIES, Counts, render
from sensor.version import version
from sensor.view import View
from sensor.web import api, page
from sensor.web.api import LISTINGS, Listing
from sensor.web.face import BusyError, Face
from sensor.web.openapi import document
from sensor.web.query import QueryError, read_query

T = TypeVar("T")

RELOAD_S = 60.0
"""For a reload to be answered: longer than any save takes."""

ANSWER_S = 20.0
"""For a question to be answered while mail comes in."""

RENDERED_S = 1.0
"""How long a rendered scrape is given out again: counts are no fresher, and whoever asks all the time costs little."""


class Web:
    """The paths and what they answer."""

    def __init__(self, face: Face, counts: Counts, *, allow_reload: Callable[[], bool]) -> None:
        self._face = face
        self._counts = counts
        self._allow_reload = allow_reload
        self._rendered: dict[bool, tuple[float, tuple[str, bytes]]] = {}

    def routes(self) -> list[Route]:
        return [
            Route("/metrics", self.metrics),
            Route("/-/healthy", self.healthy),
            Route("/-/ready", self.ready),
            Route("/-/reload", self.reload, methods=["POST", "PUT"]),
            Route("/api/v1/openapi.json", self.openapi),
            *(Route(f"/api/v1/{name}", partial(self.listing, listing)) for name, listing in LISTINGS.items()),
            Route("/api/v1/transactions/{id}", self.transaction),
            Route("/", self.page),
        ]

    @property
    def paths(self) -> tuple[str, ...]:
        """Every path, up to where a parameter begins."""
        return tuple(route.path.partition("{")[0] for route in self.routes())

    async def metrics(self, request: Request) -> Response:
        accept = request.headers.get("accept", "")
        is_open = "application/openmetrics-text" in accept
        at_s, rendered = self._rendered.get(is_open, (0.0, ("", b"")))
        if not at_s or time.monotonic() - at_s > RENDERED_S:
            self._counts.publish()
            rendered = await asyncio.to_thread(
                render, (*self._face.families, *WEB_FAMILIES), (self._face.snapshot, self._counts.snapshot), accept
            )
            self._rendered[is_open] = time.monotonic(), rendered
        return Response(rendered[1], headers={"content-type": rendered[0]})

    async def listing(self, listing: Listing, request: Request) -> Response:
        try:
            query = read_query(request.scope["query_string"], listing.parameters)
        except QueryError as error:
            return PlainTextResponse(f"{error}\n", 400)
        page = await self._ask(lambda view: listing.ask(view, query))
        return await _as_json(page)

    async def transaction(self, request: Request) -> Response:
        wanted: str = request.path_params["id"]
        record = await self._ask(lambda view: api.transaction(view, wanted))
        if record is None:
            return PlainTextResponse("not among the latest records\n", 404)
        return Response(record, media_type="application/json")

    async def openapi(self, _request: Request) -> Response:
        return await _as_json(document(version()))

    async def page(self, _request: Request) -> Response:
        text = page.render(await self._ask(page.overview), self._face.health())
        return HTMLResponse(text.encode("utf-8", "backslashreplace"))

    async def _ask(self, question: Callable[[View], Generator[None, None, T]]) -> T:
        """The answer. Raises ``HTTPException`` where it does not come in time, or too many ask."""
        try:
            return await asyncio.wait_for(asyncio.wrap_future(self._face.ask(question)), ANSWER_S)
        except (TimeoutError, BusyError):
            raise HTTPException(503, "too many requests at once\n", {"retry-after": "5"}) from None

    async def healthy(self, _request: Request) -> Response:
        health = self._face.health()
        return PlainTextResponse(_lines(health.problems, health.alive), 200 if health.alive else 503)

    async def ready(self, _request: Request) -> Response:
        health = self._face.health()
        return PlainTextResponse(_lines(health.problems, health.ready), 200 if health.ready else 503)

    async def reload(self, _request: Request) -> Response:
        if not self._allow_reload():
            return PlainTextResponse("set web.allow_reload = true, or send SIGHUP\n", 403)
        try:
            problem = await asyncio.wait_for(asyncio.wrap_future(self._face.request_reload()), RELOAD_S)
        except TimeoutError:
            return PlainTextResponse(f"not applied within {RELOAD_S:g} seconds: the sensor is busy, try again\n", 503)
        return PlainTextResponse("applied\n" if problem is None else f"refused: {problem}\n", 400 if problem else 200)


async def _as_json(value: object) -> Response:
    """Encoded on another thread: a page of a thousand alerts takes its time."""
    return Response(await asyncio.to_thread(_encoded, value), media_type="application/json")


def _encoded(value: object) -> bytes:
    return msgspec.json.encode(value)


def _lines(problems: Sequence[str], good: bool) -> str:
    return "ok\n" if good else "".join(f"{each}\n" for each in problems)


def make_app(web: Web) -> ASGIApp:
    """The application without its guard."""
    return Starlette(routes=web.routes())
