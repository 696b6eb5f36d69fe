"""Apps of Dash's own class that nobody has plugged: they have long callbacks, too.

Dash is not changed. By its public hook it tells of each new app, which then gets a
``long_callback`` of its own; the app is plugged when that is used. What was declared without an app
goes to the app that gets the first request, so each that may be it is plugged then.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable
from typing import Any

import dash

from dash_long_callback import notebook
from dash_long_callback.dash import background, dash_proxy, decorator, internals, page_channel
from dash_long_callback.dash.app import AUTOMATIC, background_manager, is_plugged, plug
from dash_long_callback.dash.callbacks import registry
from dash_long_callback.errors import RegistrationError
from dash_long_callback.managers.base import Manager
from dash_long_callback.managers.diskcache import DiskcacheLongCallbackManager

#: The id of what a page of a plugged app has.
PAGE_DATA = "_dash-long-callbacks"

_apps: weakref.WeakSet[dash.Dash] = weakref.WeakSet()


def listen() -> None:
    """Have Dash tell of apps that are made from now on, and look at the one that was."""
    dash.hooks.setup()(_prepare)
    dash.hooks.index()(_check)
    page_channel.listen()
    decorator.without_app.append(_before_declaration)
    internals.on_background(_while_background_is_declared)
    registry.unsettled.append(background.settle)
    try:
        app = dash.get_app()
    except Exception:  # there is none
        return
    _prepare(app)
    if not internals.has_started(app):
        internals.before_requests(app, background.take_over)


def _before_declaration() -> None:
    """A long callback is declared that the next app takes over."""
    for app in _found():
        if not internals.has_started(app):
            ensure(app)


def _while_background_is_declared(function: Any) -> None:
    """A callback has ``background=True``, and may be for a manager of ours."""
    background.note(function)
    if _names_manager(None):
        _before_declaration()
    for app in _found():
        # A DashProxy tells at its first request only, and then it is too late to add routes.
        if not (internals.has_started(app) or dash_proxy.is_proxy(app)) and _names_manager(app):
            ensure(app)


def _names_manager(app: dash.Dash | None) -> bool:
    """Whether a manager of ours is that of a background callback, or of all of an app's."""
    own = background_manager(app) if app else None  # some set it when the app is made
    return own is not None or any(isinstance(one, Manager) for one in internals.named_managers(app))


def _prepare(app: dash.Dash) -> None:
    internals.before_setup(app, background.take_over)
    own = getattr(type(app), "long_callback", None)
    module = str(getattr(own, "__module__", ""))
    if module.startswith("dash_long_callback."):
        return  # of our class
    _apps.add(app)
    added: Any = app

    def long_callback(*args: Any, **kwargs: Any) -> Any:
        ensure(app)  # this puts another in the place of this function
        return added.long_callback(*args, **kwargs)

    # DashProxy's own says that it is not supported.
    if own is None or module.startswith("dash_extensions."):
        added.long_callback = long_callback
    enable: Callable[[], None] = app.enable_pages

    def enable_pages() -> None:
        # The first moment at which routes can be added, and before pages are imported.
        if background_manager(app) or internals.has_long_callbacks(None) or _names_manager(None):
            ensure(app)
        enable()

    added.enable_pages = enable_pages


def _found() -> list[dash.Dash]:
    return [app for app in _apps if not is_plugged(app)]


def ensure(app: dash.Dash) -> None:
    """Plug an app whose author has not done so."""
    if not is_plugged(app):
        name = str(app.config.name)
        file = getattr(sys.modules.get(name), "__file__", None)
        if name == "__main__" and notebook.is_kernel():
            file = notebook.file()
        plug(app, background_manager(app) or DiskcacheLongCallbackManager.of_file(file))
        vars(app)[AUTOMATIC] = True


def _check(index: str) -> str:
    """Refuse the page of an app that has long callbacks, and could not be plugged."""
    for app in [] if PAGE_DATA in index else _found():
        if _names_manager(app):
            kind = type(app).__name__
            raise RegistrationError(
                f"a background callback of this {kind} names its manager, and the app has none: "
                f"write app = plug({kind}(...)), or give the app background_callback_manager="
            )
        if internals.has_long_callbacks(app):
            raise RegistrationError(
                "this app has taken over a long callback that was declared without an app, and "
                "has no long callbacks itself: write app = plug(dash.Dash(...)), or make it "
                "with dash_long_callback.Dash(...)"
            )
    return index
