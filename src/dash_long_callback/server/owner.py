"""Whose a web request is: jobs are told to their own user only.

Who the user is, is known to the app alone: by the ``user`` of its manager, or, if there is none, by
Flask-Login or dash-auth, if they guard its server. What is kept with a job, and told to the page,
is a hash of that: the *owner*.

The hash has no key. It opens nothing: the server finds out the owner of each request anew, from
the session, and what a page says of it can only have it refused. So there is no secret that all
web processes must share, and that a restart must not lose.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import sys
import uuid
from collections.abc import Callable
from typing import Any

import dash
import flask
from werkzeug.exceptions import HTTPException

from dash_long_callback.dash import internals
from dash_long_callback.dash.callbacks import registry
from dash_long_callback.errors import OwnerUnknown
from dash_long_callback.fault_log import FaultLog
from dash_long_callback.job_log import USER_DIGITS

_faults = FaultLog("it can't be told who sends a request")


def owner_of(app: dash.Dash) -> str | None:
    """The owner of the current request; None if nobody is logged in, or that can't be known.

    Raises:
        OwnerUnknown: if it could not be found out; never taken for nobody. The log says why.
    """
    try:
        function = _function(app)
        user = _recognised(app) if function is None else _call(app, function)
        owner = None if user is None else hash_of(user)
    except HTTPException:  # such as abort(401), which is an answer of its own
        raise
    except Exception as error:
        _faults.failed(error, traceback=True)
        raise OwnerUnknown from error
    _faults.succeeded()
    return owner


def hash_of(user: Any) -> str:
    """The owner that a user is, in 32 hexadecimal digits; the same in every process.

    Raises:
        TypeError: if it is not JSON.
    """
    text = json.dumps(user, sort_keys=True, default=_plain)
    return hashlib.sha256(b"dash-long-callback user " + text.encode()).hexdigest()[:32]


def user_hash(user: Any) -> str:
    """What the log calls a user: the first digits of a hash.

    The log does not name users, as it is kept for longer, and read by more people, than what the
    app knows of them. With this function, who has their ids finds the lines of one.

    Args:
        user: what the manager's ``user`` returns for the user. Without one: Flask-Login's id, as
            text; dash-auth's name or email, or ``[iss, sub]`` of OpenID Connect.

    Returns:
        Eight hexadecimal digits, the same in every process.

    Raises:
        TypeError: if it is not JSON.

    Examples:
        >>> user_hash("ann@example.com")
        '40654fc5'
    """
    return hash_of(user)[:USER_DIGITS]


def _plain(value: Any) -> str:
    if isinstance(value, uuid.UUID):
        return str(value)
    raise TypeError(
        f"user= must return a string or other JSON, such as the user's id, or None; "
        f"got a {type(value).__name__}"
    )


def _function(app: dash.Dash) -> Callable[[], Any] | None:
    """An app has one ``user``: its manager's, else the first that a manager of a callback has."""
    managers: list[Any] = [getattr(app, "long_callback_manager", None)]
    managers += [c.options.manager for c in registry.all() if c.registration.app in (None, app)]
    return next((manager.user for manager in managers if manager and manager.user), None)


def _call(app: dash.Dash, function: Callable[[], Any]) -> Any:
    with internals.callback_context(internals.request_context(app)):
        user = function()
    if inspect.iscoroutine(user):
        user.close()
        raise TypeError("user= must return who it is; what it returned would have to be awaited")
    return user


def _recognised(app: dash.Dash) -> Any:
    """The user of the current request, by what guards the server."""
    if not flask.has_request_context():
        return None  # both are for Flask
    user = _flask_login()
    return _dash_auth(app) if user is None else user


def _flask_login() -> Any:
    module: Any = sys.modules.get("flask_login")
    manager = getattr(flask.current_app, "login_manager", None)
    if module is None or not isinstance(manager, module.LoginManager):
        return None
    return module.current_user.get_id()  # None for an anonymous one


def _dash_auth(app: dash.Dash) -> Any:
    module: Any = sys.modules.get("dash_auth")
    hooks = flask.current_app.before_request_funcs.get(None, [])
    of = {getattr(hook, "__module__", None) for hook in hooks}
    if module is None or "dash_auth.auth" not in of:
        return None
    found: Any = flask.session.get("user")
    if isinstance(found, dict):
        # Of OpenID Connect, all else may be other at the next login.
        one: dict[str, Any] = found
        return [one.get("iss"), one["sub"]] if "sub" in one else one.get("email")
    # Without a secret key there is no session, but the password came with this request. It was
    # checked unless what was asked for is public: then it proves nothing.
    public = sys.modules["dash_auth.public_routes"]
    routes: Any = public.get_public_routes(app).map
    if any(True for _ in routes.iter_rules()) or public.get_public_callbacks(app):
        return None
    given = flask.request.authorization
    return given.username if given is not None and given.type == "basic" else None
