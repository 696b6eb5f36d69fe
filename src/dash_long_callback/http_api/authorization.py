"""Who may use the API, and as whom."""

from __future__ import annotations

import inspect
import ipaddress
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import dash
from werkzeug.exceptions import HTTPException

from dash_long_callback.dash import internals
from dash_long_callback.fault_log import FaultLog
from dash_long_callback.http_api.problems import Problem
from dash_long_callback.http_api.request import ApiRequest
from dash_long_callback.server.incoming import Incoming
from dash_long_callback.server.owner import hash_of, owner_of

#: What a proxy adds: whoever has connected is not who asks.
_FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Real-IP", "Via")
_faults = FaultLog("authorize= of http_api() failed, and a request was refused")
_OPEN = (
    "this API has no authorize function, so it answers requests of its own machine only, unless "
    "the dev tools of the app are on. Give it one: http_api(app, ..., authorize=function)"
)


class Guard:
    """Lets requests in.

    Args:
        app: that has the API.
        authorize: the app's function; None: the requests of this machine are let in.
    """

    def __init__(self, app: dash.Dash, authorize: Callable[[ApiRequest], Any] | None) -> None:
        self._app = app
        self._authorize = authorize

    def owner(self, incoming: Incoming, callback: str | None) -> str | None:
        """Whose the jobs are of a request.

        Args:
            incoming: the request.
            callback: that it names.

        Raises:
            Problem: if it is refused.
            OwnerUnknown: if the app's own users can't be told apart.
        """
        if self._authorize is None:
            if not (internals.shows_errors(self._app) or _is_local(incoming)):
                raise Problem(403, "no-authorize", _OPEN)
            return owner_of(self._app)
        user = self._user(self._authorize, incoming, callback)
        if user is False:
            raise Problem(403, "", "this user may not do this")
        if user is None or user == "":
            detail = "it is not known who you are: send your credentials with the request"
            raise Problem(401, "", detail, {"WWW-Authenticate": "Bearer"})
        return owner_of(self._app) if user is True else hash_of(user)

    def _user(
        self, authorize: Callable[[ApiRequest], Any], incoming: Incoming, callback: str | None
    ) -> Any:
        request = ApiRequest(
            incoming.method,
            incoming.path,
            incoming.headers,
            incoming.query,
            incoming.remote,
            callback,
        )
        try:
            with internals.callback_context(internals.request_context(self._app)):
                user = authorize(request)
            if inspect.iscoroutine(user):
                user.close()
                raise TypeError("it must return who it is, and what it returned is to be awaited")  # noqa: TRY301 - told as what else fails
            hash_of(user)
        except PermissionError:
            return False
        except Exception as error:
            if (status := _status(error)) is not None:
                raise Problem(status, "", _words(error)) from error
            _faults.failed(error, traceback=True)
            detail = (
                "the server could not find out whether you may do this. Its log has the details"
            )
            raise Problem(500, "", detail) from error
        _faults.succeeded()
        return user


def _status(error: Exception) -> int | None:
    """Of an exception that stands for an answer: Flask's and Quart's, or FastAPI's."""
    status = error.code if isinstance(error, HTTPException) else getattr(error, "status_code", None)
    return status if isinstance(status, int) and 400 <= status < 500 else None  # noqa: PLR2004 - as HTTP has it


def _words(error: Exception) -> str:
    detail: Any = getattr(error, "detail", None) or getattr(error, "description", None)
    return str(detail or "this was refused")


def _is_local(incoming: Incoming) -> bool:
    """Whether somebody on this machine has sent a request, as far as can be told.

    A proxy on this machine has others behind it. And a page of another site can have its own name
    stand for this machine's address (DNS rebinding): the name that was asked for shows that.
    """
    if any(name in incoming.headers for name in _FORWARDED):
        return False
    try:
        host = urlsplit(f"//{incoming.headers.get('Host', '')}").hostname or ""
    except ValueError:
        return False
    return _is_loopback(incoming.remote or "") and (host == "localhost" or _is_loopback(host))


def _is_loopback(address: str) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return (mapped or found).is_loopback
