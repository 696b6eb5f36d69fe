"""Answers the requests to a route: gives it what it asks for, and says in words what fails."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from urllib.parse import parse_qsl

import dash
from werkzeug.exceptions import HTTPException

from dash_long_callback.errors import (
    BadRequest,
    InternalError,
    JobNotFound,
    NotJson,
    NotListed,
    OwnerUnknown,
    StoreError,
)
from dash_long_callback.managers.base import Manager
from dash_long_callback.server import access_log
from dash_long_callback.server.client import client_of
from dash_long_callback.server.pacing import Capacity, pacer_of
from dash_long_callback.server.route import Request, Route
from dash_long_callback.server.wire import LargeBody
from dash_long_callback.threads import each_in_thread, in_thread

JSON = "application/json"
_NO_STORE = {"Cache-Control": "no-store"}
#: Of a streaming response. nginx, and proxies that follow it, pass it on as it comes.
STREAM_HEADERS = {**_NO_STORE, "Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}

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


class Responder:
    """Answers the requests to one route of an app, whichever server they come by.

    Args:
        app: that has the route.
        route: what is asked.
        managers: returns those that may know the app's jobs.
    """

    def __init__(
        self, app: dash.Dash, route: Route, managers: Callable[[], Sequence[Manager]]
    ) -> None:
        self._app = app
        self._route = route
        self._managers = managers

    def answer(
        self,
        content_type: str | None,
        query: bytes,
        environ: Mapping[str, Any],
        read: Callable[[], bytes],
    ) -> Answer[Iterator[bytes]]:
        """Answer in a thread, which may wait.

        Args:
            content_type: that the request says it has.
            query: what follows the ``?`` in its address.
            environ: of WSGI.
            read: reads its body, up to one byte more than ``MAX_BODY``: enough to see that it is
                too much.
        """
        access_log.quiet()  # pages that are there already ask as soon as a server has started again
        try:
            body = read() if self._takes_body(content_type) else b""
            capacity = pacer_of(self._app).capacity_wsgi(environ)
            data = self._route.handle(self._request(body, query, capacity))
            # Begun here, so that a result that can't be read is refused in words.
            parts = data.begin() if isinstance(data, LargeBody) else data
        except Exception as error:
            return self._refusal(error)
        self._route.faults.succeeded()
        return Answer(200, self._headers(data), parts)

    async def answer_async(
        self, content_type: str | None, query: bytes, read: Callable[[], Awaitable[bytes]]
    ) -> Answer[AsyncGenerator[bytes]]:
        """As ``answer``, on an event loop, which never waits."""
        access_log.quiet()
        try:
            body = await read() if self._takes_body(content_type) else b""
            request = self._request(body, query, pacer_of(self._app).capacity_asgi())
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
        return Answer(200, self._headers(data), parts)

    def _takes_body(self, content_type: str | None) -> bool:
        """Whether the route takes a body, which is JSON.

        Browsers let any site send a form or plain text, but ask us before JSON.

        Raises:
            NotJson: if it does, and the request is said to be something else.
        """
        if self._route.method == "GET":
            return False
        if (content_type or "").partition(";")[0].strip().lower() != JSON:
            raise NotJson
        return True

    def _request(self, body: bytes, query: bytes, capacity: Capacity) -> Request:
        return Request(
            body,
            # Not by the servers: of several with one name, each keeps another.
            dict(parse_qsl(query.decode(errors="replace"), keep_blank_values=True)),
            self._managers(),
            pacer_of(self._app),
            capacity,
            client_of(self._app),
        )

    def _headers(self, data: bytes | LargeBody | AsyncGenerator[bytes]) -> dict[str, str]:
        if isinstance(data, AsyncGenerator):
            return STREAM_HEADERS
        headers = {**_NO_STORE, "Content-Type": self._route.content_type}
        if isinstance(data, LargeBody):
            # So that the client knows when it was cut off.
            headers["Content-Length"] = str(data.size)
        return headers

    def _refusal(self, error: Exception) -> Answer[Any]:
        if isinstance(error, HTTPException):  # the server's own, such as a body above its limit
            raise error
        if isinstance(error, (BadRequest, JobNotFound, NotListed, OwnerUnknown)):
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
        headers = {**_NO_STORE, "Content-Type": JSON}
        return Answer(error.status, headers, json.dumps(answer).encode())
