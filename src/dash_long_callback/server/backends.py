"""The servers that Dash runs on: how each reads a request, and sends an answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import flask

from dash_long_callback.dash import internals
from dash_long_callback.server.incoming import Incoming
from dash_long_callback.server.responder import Responds

if TYPE_CHECKING:
    import quart


def flask_view(responder: Responds) -> Callable[..., flask.Response]:
    """What Flask calls for a request."""
    limit = responder.max_body + 1

    def read() -> bytes:
        # What a hook has read before, such as one that looks for a CSRF token, Flask has kept.
        return flask.request.stream.read(limit) or flask.request.get_data()[:limit]

    def view(rest: str = "") -> flask.Response:
        answer = responder.answer(_incoming(flask.request, rest, flask.request.environ), read)
        return flask.Response(answer.body, answer.status, answer.headers)

    return view


def fastapi_view(responder: Responds) -> Callable[..., Awaitable[Any]]:
    """What FastAPI calls for a request."""
    from fastapi import Request, Response
    from fastapi.responses import StreamingResponse

    async def view(request: Any) -> Any:
        incoming = Incoming(
            request.method,
            request.url.path,
            request.path_params.get("rest", ""),
            request.query_params,
            request.headers,
            None if request.client is None else request.client.host,
        )
        with internals.fastapi_request(request):
            answer = await responder.answer_async(
                incoming, lambda: internals.fastapi_body(request, responder.max_body + 1)
            )
        if isinstance(answer.body, bytes):
            return Response(answer.body, answer.status, answer.headers)
        return StreamingResponse(answer.body, answer.status, answer.headers)

    # FastAPI reads these to know what to pass; as strings it would look for them in this module.
    view.__annotations__ = {"request": Request, "return": Response}
    return view


def quart_view(responder: Responds) -> Callable[..., Awaitable[quart.Response]]:
    """What Quart calls for a request."""
    import quart

    async def read() -> bytes:
        body: Any = await quart.request.get_data(cache=False)
        return bytes(body[: responder.max_body + 1])

    async def view(rest: str = "") -> quart.Response:
        answer = await responder.answer_async(_incoming(quart.request, rest), read)
        response = quart.Response(answer.body, answer.status, answer.headers)
        if not isinstance(answer.body, bytes):
            response.timeout = None  # Quart's own would end it after a minute
        return response

    return view


def _incoming(request: Any, rest: str, environ: Any = None) -> Incoming:
    """A request of Flask, or of Quart, which has the same names."""
    return Incoming(
        request.method,
        request.path,
        rest,
        request.args,
        request.headers,
        request.remote_addr,
        environ,
    )


#: By the kind of server.
VIEWS = {"flask": flask_view, "fastapi": fastapi_view, "quart": quart_view}
#: How the path of a route ends that is asked for all paths below it; see ``Incoming.rest``.
REST = {"flask": "<path:rest>", "fastapi": "{rest:path}", "quart": "<path:rest>"}
