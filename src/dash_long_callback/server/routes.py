"""The routes that this package adds to an app, on whichever server the app runs."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import flask
from werkzeug.exceptions import HTTPException

from dash_long_callback.dash import internals
from dash_long_callback.dash.callbacks import registry
from dash_long_callback.errors import (
    BadRequest,
    InternalError,
    JobNotFound,
    NotJson,
    OwnerUnknown,
    StoreError,
)
from dash_long_callback.fault_log import FaultLog
from dash_long_callback.server import access_log
from dash_long_callback.server.cancel import cancel
from dash_long_callback.server.client import client_of
from dash_long_callback.server.leave import leave
from dash_long_callback.server.owner import owner_of
from dash_long_callback.server.pacing import pacer_of
from dash_long_callback.server.updates import updates, updates_async
from dash_long_callback.server.wire import MAX_BODY, LargeBody
from dash_long_callback.threads import each_in_thread, in_thread

if TYPE_CHECKING:
    import dash

    from dash_long_callback.managers.base import Manager

#: Below the app's prefix.
UPDATES = "_dash-long-callback/updates"
CANCEL = "_dash-long-callback/cancel"
LEAVE = "_dash-long-callback/leave"
HEADERS = {"Cache-Control": "no-store", "Content-Type": "application/json"}
#: Of an answer that goes on. nginx, and proxies that follow it, pass it on as it comes.
STREAM_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Type": "text/event-stream",
    "X-Accel-Buffering": "no",
}

_Answer: TypeAlias = tuple[int, "bytes | _Large | AsyncGenerator[bytes]"]
_Serve: TypeAlias = Callable[[Awaitable[bytes]], Awaitable[_Answer]]


def add_routes(app: dash.Dash, app_manager: Callable[[], Manager]) -> None:
    """Add the routes to an app. ``app_manager`` returns the manager of the app."""

    def managers() -> list[Manager]:
        found = [app_manager(), *(c.options.manager for c in registry.all())]
        return [m for m in dict.fromkeys(found) if m is not None]

    kind = internals.backend_of(app)
    if kind == "flask":
        _add_flask(app, managers)
        return

    # In a thread, with the context of the request: what tells its owner may ask a database.
    def owner() -> str | None:
        return owner_of(app)

    async def serve_updates(body: Awaitable[bytes]) -> _Answer:
        pacer = pacer_of(app)
        return await _answer_async(
            UPDATES,
            body,
            lambda read: updates_async(
                read, managers(), pacer, pacer.capacity_asgi(), client_of(app)
            ),
        )

    async def serve_cancel(body: Awaitable[bytes]) -> _Answer:
        return await _answer_async(
            CANCEL, body, lambda read: in_thread(lambda: cancel(read, managers(), owner()))
        )

    async def serve_leave(body: Awaitable[bytes]) -> _Answer:
        return await _answer_async(
            LEAVE,
            body,
            lambda read: in_thread(lambda: leave(read, managers(), pacer_of(app), owner())),
        )

    add = _add_fastapi if kind == "fastapi" else _add_quart
    add(app, UPDATES, serve_updates)
    add(app, CANCEL, serve_cancel)
    add(app, LEAVE, serve_leave)


def _add_flask(app: dash.Dash, managers: Callable[[], list[Manager]]) -> None:
    def body() -> bytes:
        _check_type(flask.request.content_type)
        # One byte more than is allowed: enough to see that it is too much. What a hook has read
        # before, such as one that looks for a CSRF token, Flask has kept.
        return flask.request.stream.read(MAX_BODY + 1) or flask.request.get_data()[: MAX_BODY + 1]

    def owner() -> str | None:
        return owner_of(app)

    def serve_updates() -> flask.Response:
        pacer = pacer_of(app)
        capacity = pacer.capacity_wsgi(flask.request.environ)
        client = client_of(app)
        return _flask(
            *_answer(UPDATES, lambda: updates(body(), managers(), pacer, capacity, client))
        )

    def serve_cancel() -> flask.Response:
        return _flask(*_answer(CANCEL, lambda: cancel(body(), managers(), owner())))

    def serve_leave() -> flask.Response:
        return _flask(*_answer(LEAVE, lambda: leave(body(), managers(), pacer_of(app), owner())))

    internals.add_route(app, UPDATES, serve_updates, ("POST",))
    internals.add_route(app, CANCEL, serve_cancel, ("POST",))
    internals.add_route(app, LEAVE, serve_leave, ("POST",))


@dataclass(frozen=True)
class _Large:
    """An answer that has begun to be read: from here on it is sent, or cut off."""

    size: int
    parts: Iterator[bytes]

    @property
    def headers(self) -> dict[str, str]:
        # With its length, so that the client knows when it was cut off.
        return {**HEADERS, "Content-Length": str(self.size)}


def _flask(status: int, data: bytes | _Large) -> flask.Response:
    if isinstance(data, bytes):
        return flask.Response(data, status, HEADERS)
    return flask.Response(data.parts, status, data.headers)


def _add_fastapi(app: dash.Dash, name: str, serve: _Serve) -> None:
    from fastapi import Request, Response
    from fastapi.responses import StreamingResponse

    async def body(request: Any) -> bytes:
        _check_type(request.headers.get("content-type"))
        return await internals.fastapi_body(request, MAX_BODY + 1)

    async def view(request: Any) -> Any:
        status, data = await serve(body(request))
        if isinstance(data, bytes):
            return Response(data, status, HEADERS)
        if isinstance(data, _Large):
            return StreamingResponse(each_in_thread(data.parts), status, data.headers)
        return StreamingResponse(data, status, STREAM_HEADERS)

    # FastAPI reads these to know what to pass; as strings it would look for them in this module.
    view.__annotations__ = {"request": Request, "return": Response}
    internals.add_route(app, name, view, ("POST",))


def _add_quart(app: dash.Dash, name: str, serve: _Serve) -> None:
    import quart

    async def body() -> bytes:
        _check_type(quart.request.content_type)
        read: Any = await quart.request.get_data(cache=False)
        return bytes(read[: MAX_BODY + 1])

    async def view() -> quart.Response:
        status, data = await serve(body())
        if isinstance(data, bytes):
            return quart.Response(data, status, HEADERS)
        if isinstance(data, _Large):
            response = quart.Response(each_in_thread(data.parts), status, data.headers)
        else:
            response = quart.Response(data, status, STREAM_HEADERS)
        response.timeout = None  # Quart's own would end it after a minute
        return response

    view.__name__ = name
    internals.add_route(app, name, view, ("POST",))


def _check_type(content_type: str | None) -> None:
    """Take JSON only: browsers let any site send a form or plain text, but ask us before JSON.

    Raises:
        NotJson: if the request is said to be something else.
    """
    if (content_type or "").partition(";")[0].strip().lower() != "application/json":
        raise NotJson


#: Of each route: the same fault is logged once and then counted, however many ask.
_faults = {
    UPDATES: FaultLog("pages can't be told of their jobs"),
    CANCEL: FaultLog("jobs can't be cancelled"),
    LEAVE: FaultLog("it can't be noted that pages were left"),
}


def _answer(route: str, handle: Callable[[], bytes | LargeBody]) -> tuple[int, bytes | _Large]:
    access_log.quiet()  # pages that are there already ask as soon as a server has started again
    try:
        data = handle()
        if isinstance(data, LargeBody):
            data = _Large(data.size, data.begin())
    except Exception as error:
        return _refuse(route, error)
    _faults[route].succeeded()
    return 200, data


async def _answer_async(
    route: str,
    body: Awaitable[bytes],
    handle: Callable[[bytes], Awaitable[bytes | LargeBody | AsyncGenerator[bytes]]],
) -> _Answer:
    access_log.quiet()
    try:
        data = await handle(await body)
        if isinstance(data, LargeBody):
            data = _Large(data.size, await in_thread(data.begin))
    except Exception as error:
        return _refuse(route, error)
    _faults[route].succeeded()
    return 200, data


def _refuse(route: str, error: Exception) -> tuple[int, bytes]:
    if isinstance(error, HTTPException):  # the server's own, such as a body above its limit
        raise error
    if isinstance(error, StoreError):
        _faults[route].failed(error)
        # Its own words name files and hosts.
        message = "the server can't use its store at the moment; try again. Its log has the details"
    elif isinstance(error, (BadRequest, JobNotFound, OwnerUnknown)):
        message = str(error)
    else:
        _faults[route].failed(error, traceback=True)
        error = InternalError()
        message = str(error)
    words: dict[str, Any] = {"error": type(error).__name__, "message": message}
    if isinstance(error, JobNotFound):
        words |= error.told
    return error.status, json.dumps(words).encode()
