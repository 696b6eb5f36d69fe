"""The servers that Dash runs on: how each reads a request, and sends an answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import flask

from dash_long_callback.dash import internals
from dash_long_callback.server.responder import Responder
from dash_long_callback.server.wire import MAX_BODY

if TYPE_CHECKING:
    import quart


def flask_view(responder: Responder) -> Callable[[], flask.Response]:
    """What Flask calls for a request."""

    def read() -> bytes:
        # What a hook has read before, such as one that looks for a CSRF token, Flask has kept.
        return flask.request.stream.read(MAX_BODY + 1) or flask.request.get_data()[: MAX_BODY + 1]

    def view() -> flask.Response:
        request = flask.request
        answer = responder.answer(request.content_type, request.environ, read)
        return flask.Response(answer.body, answer.status, answer.headers)

    return view


def fastapi_view(responder: Responder) -> Callable[..., Awaitable[Any]]:
    """What FastAPI calls for a request."""
    from fastapi import Request, Response
    from fastapi.responses import StreamingResponse

    async def view(request: Any) -> Any:
        answer = await responder.answer_async(
            request.headers.get("content-type"),
            lambda: internals.fastapi_body(request, MAX_BODY + 1),
        )
        if isinstance(answer.body, bytes):
            return Response(answer.body, answer.status, answer.headers)
        return StreamingResponse(answer.body, answer.status, answer.headers)

    # FastAPI reads these to know what to pass; as strings it would look for them in this module.
    view.__annotations__ = {"request": Request, "return": Response}
    return view


def quart_view(responder: Responder) -> Callable[[], Awaitable[quart.Response]]:
    """What Quart calls for a request."""
    import quart

    async def read() -> bytes:
        body: Any = await quart.request.get_data(cache=False)
        return bytes(body[: MAX_BODY + 1])

    async def view() -> quart.Response:
        request = quart.request
        answer = await responder.answer_async(request.content_type, read)
        response = quart.Response(answer.body, answer.status, answer.headers)
        if not isinstance(answer.body, bytes):
            response.timeout = None  # Quart's own would end it after a minute
        return response

    return view


#: By the kind of server.
VIEWS = {"flask": flask_view, "fastapi": fastapi_view, "quart": quart_view}
