"""Callbacks with ``background=True``, as Dash keeps them, and who hears of them."""

# Dash does not declare types for what it does not document.
# pyright: reportPrivateUsage=false
# ruff: noqa: SLF001

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import dash

# It tells each manager in its list of each function that is declared.
from dash.background_callback.managers import BaseBackgroundCallbackManager

from dash_long_callback.dash.internals import arguments
from dash_long_callback.dash.internals.apps import background_manager, has_started
from dash_long_callback.dash.internals.registration import lists

try:
    from dash import _callback_signing as signing
except ImportError:  # nor has it an MCP server, which takes what is signed
    signing: Any = None

#: The methods by which Dash uses a manager.
MANAGER_METHODS = frozenset(
    name
    for name, value in vars(BaseBackgroundCallbackManager).items()
    if callable(value) and not name.startswith("__")
)
#: Milliseconds between two questions for news, if a callback does not say.
INTERVAL = int(inspect.signature(dash.callback).parameters["interval"].default)


class _Listener:
    """Stands among Dash's managers, and is told what they are."""

    def __init__(self, call: Callable[[Any], object]) -> None:
        self._call = call

    def register(self, _key: str, function: Any, _progress: bool) -> None:
        self._call(function)


def on_background(call: Callable[[Any], object]) -> None:
    """Have a function called with that of each background callback, while it is declared."""
    BaseBackgroundCallbackManager.managers.append(_Listener(call))


def before_setup(app: dash.Dash, call: Callable[[dash.Dash], object]) -> None:
    """Have a function called before an app takes over what was declared without one.

    That is at its first request. See ``before_requests`` for an app that has its server already.
    """
    own: Any = app
    set_up: Callable[[], None] = own._setup_server

    lock, ready = threading.RLock(), threading.Event()

    def setup_server() -> None:
        if ready.is_set():
            set_up()
            return
        # Several may be the first: each waits until all callbacks are there.
        with lock:
            if not has_started(app):
                call(app)
            set_up()
            ready.set()

    own._setup_server = setup_server


def before_requests(app: dash.Dash, call: Callable[[dash.Dash], object]) -> None:
    """Have a function called before each request of an app, which Dash has set up by then.

    For an app that has its server already: ``before_setup`` comes too late for that.
    """
    own: Any = app

    def before_request() -> None:
        call(app)

    if own.server:
        # Before Dash 4.1 there was Flask only.
        getattr(own, "backend", own.server).before_request(before_request)


@dataclass(frozen=True)
class Background:
    """One callback with ``background=True``.

    Attributes:
        app: where it was declared; None if that was without an app.
        spec: what the renderer would get.
        entry: what Dash's dispatch would use.
    """

    app: dash.Dash | None
    spec: dict[str, Any]
    entry: dict[str, Any]

    @property
    def callback_id(self) -> str:
        """Dash's name for it."""
        return self.spec["output"]

    @property
    def name(self) -> str:
        """That of its function."""
        return str(getattr(self.entry.get("callback"), "__qualname__", self.callback_id))

    def manager(self, app: dash.Dash | None) -> Any:
        """What Dash would have it run, if this app took it over."""
        return self.entry["background"].get("manager") or (app and background_manager(app))

    def take_out(self) -> None:
        """Have Dash forget it."""
        callbacks, by_id = lists(self.app)
        callbacks[:] = [spec for spec in callbacks if spec is not self.spec]
        if by_id.get(self.callback_id) is self.entry:
            del by_id[self.callback_id]

    def put_back(self) -> None:
        """The reverse of ``take_out``."""
        callbacks, by_id = lists(self.app)
        callbacks.append(self.spec)
        by_id[self.callback_id] = self.entry

    def declaration(self) -> tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]:
        """Its function, and the arguments that it was declared with: see ``arguments``."""
        return arguments.declared_with(self.spec, self.entry)


def background_callbacks(app: dash.Dash | None) -> list[Background]:
    """The callbacks with ``background=True`` of an app, or of the list that the next one takes."""
    callbacks, by_id = lists(app)
    return [
        Background(app, spec, by_id[spec["output"]])
        for spec in callbacks
        if spec.get("background") and _is_background(by_id.get(spec["output"], {}))
    ]


def task_names(app: dash.Dash, job_id: str) -> dict[str, str]:
    """The names of a job that Dash's MCP server gives its clients, and takes back."""
    own: Any = app
    secret = own._get_signing_secret()
    # Such a client is no page, whose end a name would be bound to.
    return {
        "cacheKey": signing.sign(secret, signing.cache_scope(None), job_id),
        "job": signing.sign(secret, signing.job_scope(None), job_id),
    }


def _is_background(entry: dict[str, Any]) -> bool:
    """Whether what dispatch uses is a background callback, and declared to its end."""
    return bool(entry.get("background")) and "callback" in entry


def named_managers(app: dash.Dash | None) -> list[Any]:
    """The managers that background callbacks name themselves, also one that is being declared."""
    found = [entry.get("background") for entry in lists(app)[1].values()]
    return [one["manager"] for one in found if one and "manager" in one]
