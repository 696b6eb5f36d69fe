"""Answers the requests to a route: gives it what it asks for, and says in words what fails."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import dash
from werkzeug.exceptions import HTTPException

from dash_long_callback.errors import (
    BadRequest,
    InternalError,
    JobNotFound,
    NotJson,
    OwnerUnknown,
    StoreError,
)
from dash_long_callback.server import access_log
from dash_long_callback.server.incoming import Incoming
from dash_long_callback.server.pacing import pacer_of
from dash_long_callback.server.route import Request, Route
from dash_long_callback.server.wire import MAX_BODY, LargeBody
from dash_long_callback.threads import each_in_thread, in_thread

JSON = "application/json"
_HEADERS = {"Cache-Control": "no-store", "Content-Type": JSON}
#: Of a streaming response. nginx, and proxies that follow it, pass it on as it comes.
STREAM_HEADERS = {**_HEADERS, "Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}

Parts = TypeVar("Parts", bound="Iterator[bytes] | AsyncGenerator[bytes]")


@dataclass(frozen=True)
class Answer(Generic[Parts]):
    """What a server sends.

    Attributes:
        status: of HTTP.
        headers: all but those that the server adds.
        body: as a whole, or in parts as they come: from there on they are sent, or cut off.
    """

    status: int
    headers: dict[str, str]
    body: bytes | Parts


class Responds(Protocol):
    """Answers requests, whichever server they come by.

    Attributes:
        max_body: bytes of a body, at most. One byte more of it is read: enough to see that it is
            too much.
    """

    max_body: int

    def answer(self, incoming: Incoming, read: Callable[[], bytes]) -> Answer[Iterator[bytes]]:
        """Answer in a thread, which may wait. ``read`` reads the body."""
        ...

    async def answer_async(
        self, incoming: Incoming, read: Callable[[], Awaitable[bytes]]
    ) -> Answer[AsyncGenerator[bytes]]:
        """As ``answer``, on an event loop, which never waits."""
        ...


class Responder:
    """Answers the requests to one route of an app.

    Args:
        app: that has the route.
        route: what is asked.
    """

    max_body = MAX_BODY

    def __init__(self, app: dash.Dash, route: Route) -> None:
        self._app = app
        self._route = route

    def answer(self, incoming: Incoming, read: Callable[[], bytes]) -> Answer[Iterator[bytes]]:
        """Answer in a thread, which may wait."""
        access_log.quiet()  # pages that are there already ask as soon as a server has started again
        try:
            check_type(incoming)
            capacity = pacer_of(self._app).capacity_wsgi(incoming.environ or {})
            data = self._route.handle(Request(read(), self._app, capacity))
            # Begun here, so that a result that can't be read is refused in words.
            parts = data.begin() if isinstance(data, LargeBody) else data
        except Exception as error:
            return self._refusal(error)
        self._route.faults.succeeded()
        return Answer(200, _headers(data), parts)

    async def answer_async(
        self, incoming: Incoming, read: Callable[[], Awaitable[bytes]]
    ) -> Answer[AsyncGenerator[bytes]]:
        """As ``answer``, on an event loop, which never waits."""
        access_log.quiet()
        try:
            check_type(incoming)
            request = Request(await read(), self._app, pacer_of(self._app).capacity_asgi())
            if self._route.handle_async is None:
                # With the context of the request: what tells its owner may ask a database.
                data = await in_thread(self._route.handle, request)
            else:
                data = await self._route.handle_async(request)
            if isinstance(data, LargeBody):
                parts = each_in_thread(await in_thread(data.begin))
            else:
                parts = data
        except Exception as error:
            return self._refusal(error)
        self._route.faults.succeeded()
        return Answer(200, _headers(data), parts)

    def _refusal(self, error: Exception) -> Answer[Any]:
        if isinstance(error, HTTPException):  # the server's own, such as a body above its limit
            raise error
        if isinstance(error, (BadRequest, JobNotFound, OwnerUnknown)):
            message = str(error)
        elif isinstance(error, StoreError):
            self._route.faults.failed(error)
            # Its own words name files and hosts.
            message = (
                "the server can't use its store at the moment; try again. Its log has the details"
            )
        else:
            self._route.faults.failed(error, traceback=True)
            error = InternalError()
            message = str(error)
        answer: dict[str, Any] = {"error": type(error).__name__, "message": message}
        if isinstance(error, JobNotFound):
            answer |= error.details
        return Answer(error.status, _HEADERS, json.dumps(answer).encode())


def check_type(incoming: Incoming) -> None:
    """Refuse what any site can have a browser send, a form or plain text: it asks us before JSON.

    Raises:
        NotJson: if the request is said to be something else.
    """
    if incoming.headers.get("Content-Type", "").partition(";")[0].strip().lower() != JSON:
        raise NotJson


def _headers(data: bytes | LargeBody | AsyncGenerator[bytes]) -> dict[str, str]:
    if isinstance(data, LargeBody):
        # So that the client knows when it was cut off.
        return {**_HEADERS, "Content-Length": str(data.size)}
    return STREAM_HEADERS if isinstance(data, AsyncGenerator) else _HEADERS
