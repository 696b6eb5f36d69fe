"""``http_api()``: adds an API to an app."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import dash

from dash_long_callback.calls.arguments import named_arguments
from dash_long_callback.calls.request import check_startable
from dash_long_callback.calls.submit import called
from dash_long_callback.dash import internals, plain_apps
from dash_long_callback.errors import RegistrationError
from dash_long_callback.executors.local import importing
from dash_long_callback.fault_log import log
from dash_long_callback.http_api.authorization import Guard
from dash_long_callback.http_api.request import ApiRequest
from dash_long_callback.http_api.responder import METHODS, ApiResponder
from dash_long_callback.http_api.service import Api, Served
from dash_long_callback.server.backends import REST, VIEWS

#: Where an app keeps the prefixes of its APIs.
_PREFIXES = "_long_callback_http_apis"
_NAME = re.compile("[A-Za-z0-9_~-][A-Za-z0-9._~-]{0,99}")
_PREFIX = re.compile("(/[A-Za-z0-9._~-]+)+")


def http_api(
    app: dash.Dash,
    callbacks: Iterable[Callable[..., Any]] | Mapping[str, Callable[..., Any]],
    *,
    authorize: Callable[[ApiRequest], Any] | None = None,
    prefix: str = "/api",
) -> None:
    """Have clients other than pages start jobs of some long callbacks over HTTP, and follow them.

    Adds ``POST {prefix}/callbacks/{name}``, ``GET`` and ``DELETE {prefix}/jobs/{id}``,
    ``GET {prefix}/jobs/{id}/events`` with server-sent events, and ``GET {prefix}/openapi.json``.
    Call it when the callbacks are declared, and before the app gets its first request.

    Args:
        app: whose server gets the routes, below the app's own prefix.
        callbacks: functions of long callbacks, which are called as they are named, or by the names
            to give them. Clients can start these, and no others.
        authorize: lets a request in. It is called for each, in a thread, and may use what
            ``user`` of a manager may. It returns the user whose jobs are meant, as ``user``
            returns it; ``True`` for whoever the app knows the sender as, who may be nobody;
            ``None`` if it is not known who asks (the answer is 401); ``False`` if that user may not
            do this (403). It may raise ``PermissionError``, or an ``HTTPException`` of its server.
            Without it, requests are answered that come from this machine; all of them if the app's
            dev tools are on.
        prefix: of the paths.

    Raises:
        RegistrationError: if one of these is of the wrong type or value, a callback can be started
            by a page only, or the app has got its first request already.

    Examples:
        >>> http_api(app, [write_report], authorize=lambda request: USERS.get(request.token))
    """
    _check(app, authorize, prefix)
    plain_apps.ensure(app)
    served = {name: served_callback(name, function) for name, function in _named(callbacks).items()}
    api = Api(app, prefix[1:], served, Guard(app, authorize))
    prefixes: set[str] = vars(app).setdefault(_PREFIXES, set())
    if prefix in prefixes:
        raise RegistrationError(
            f"http_api: this app has an API below {prefix} already; give this one another prefix="
        )
    prefixes.add(prefix)
    kind = internals.backend_of(app)
    view = VIEWS[kind](ApiResponder(api))
    internals.add_route(app, f"{api.prefix}/{REST[kind]}", view, METHODS)
    if authorize is None and not importing.is_importing():
        log.warning(
            "the HTTP API below %s has no authorize function: it answers requests of this machine "
            "only, or all while the dev tools of the app are on. Pass authorize= to http_api()",
            api.url(),
        )


def _check(app: Any, authorize: Any, prefix: Any) -> None:
    if not isinstance(app, dash.Dash):
        raise RegistrationError(f"http_api() takes a dash.Dash, got {app!r}")
    if internals.has_started(app):
        raise RegistrationError(
            "http_api() was called after the first request of the app: call it where the app is "
            "made, below its callbacks"
        )
    if authorize is not None and not callable(authorize):
        raise RegistrationError(f"http_api: authorize={authorize!r} must be a function, or None")
    if inspect.iscoroutinefunction(authorize):
        raise RegistrationError(
            "http_api: authorize= is called in a thread, and can't be async; write it with def"
        )
    if not isinstance(prefix, str) or _PREFIX.fullmatch(prefix) is None:
        raise RegistrationError(
            f"http_api: prefix={prefix!r} must be a path such as '/api', with a slash in front and "
            "none at its end"
        )


def _named(callbacks: Any) -> dict[str, Callable[..., Any]]:
    """The functions, by the names that clients call them."""
    if isinstance(callbacks, Mapping):
        named: dict[Any, Callable[..., Any]] = dict(callbacks)
    else:
        functions = [callbacks] if callable(callbacks) else list(callbacks)
        named = {}
        for function in functions:
            name = getattr(function, "__name__", repr(function))
            if name in named:
                raise RegistrationError(
                    f"http_api: two of these callbacks are called {name}; give each a name, as in "
                    "callbacks={'this': one, 'that': other}"
                )
            named[name] = function
    if not named:
        raise RegistrationError("http_api: callbacks= names none; give the functions to serve")
    for name in named:
        if not isinstance(name, str) or _NAME.fullmatch(name) is None:
            raise RegistrationError(
                f"http_api: the name {name!r:.60} would be part of a path: use letters, digits and "
                "any of _ - . ~"
            )
    return named


def served_callback(name: str, function: Callable[..., Any]) -> Served:
    """What an API has of a callback.

    Raises:
        RegistrationError: if clients can't start it.
    """
    try:
        callback, args, kwargs = called(function)
        check_startable(callback)
        parameters = named_arguments(callback)
    except TypeError as error:
        raise RegistrationError(f"http_api: {name}: {error}") from error
    if args or kwargs:
        raise RegistrationError(
            f"http_api: {name}: a partial has arguments that clients do not give; give the "
            "function itself, or declare a long callback for it"
        )
    return Served(name, callback, parameters)
