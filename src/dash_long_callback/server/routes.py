"""The two routes that this package adds to an app, on Flask."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

import flask

from dash_long_callback import dash_internals
from dash_long_callback.callbacks import registry
from dash_long_callback.errors import BadRequest, JobNotFound, StoreError
from dash_long_callback.server.cancel import cancel
from dash_long_callback.server.updates import updates
from dash_long_callback.server.wire import MAX_BODY

if TYPE_CHECKING:
    from collections.abc import Callable

    import dash

    from dash_long_callback.managers.base import Manager

log = logging.getLogger("dash_long_callback")

#: Below the app's prefix.
UPDATES, CANCEL = "_dash-long-callback/updates", "_dash-long-callback/cancel"


def add_routes(app: dash.Dash, app_manager: Callable[[], Manager]) -> None:
    """Add the routes to an app. ``app_manager`` returns the manager of the app."""

    def managers() -> list[Manager]:
        found = [app_manager(), *(c.options.manager for c in registry.all())]
        return [m for m in dict.fromkeys(found) if m is not None]

    def serve_updates() -> flask.Response:
        return _answer(lambda body: updates(body, managers(), flask.request.environ))

    def serve_cancel() -> flask.Response:
        return _answer(lambda body: cancel(body, managers()))

    dash_internals.add_route(app, UPDATES, serve_updates, ("POST",))
    dash_internals.add_route(app, CANCEL, serve_cancel, ("POST",))


def _answer(handle: Callable[[bytes], bytes]) -> flask.Response:
    status, data = 200, b""
    try:
        # One byte more than is allowed: enough to see that it is too much.
        data = handle(flask.request.stream.read(MAX_BODY + 1))
    except (BadRequest, JobNotFound) as error:
        status, data = error.status, _error(error)
    except StoreError as error:
        log.exception("jobs can't be read")
        status, data = 503, _error(error)
    response = flask.Response(data, status=status, mimetype="application/json")
    response.headers["Cache-Control"] = "no-store"
    return response


def _error(error: Exception) -> bytes:
    return json.dumps({"error": type(error).__name__, "message": str(error)}).encode()
