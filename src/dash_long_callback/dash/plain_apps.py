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

from dash_long_callback.dash import internals
from dash_long_callback.errors import RegistrationError

#: The id of what a page of a plugged app has.
PAGE_DATA = "_dash-long-callbacks"
#: Set on an app that was plugged by us, so that its author may still plug it with a manager.
AUTOMATIC = "_long_callback_automatic"


class PlainApps:
    """Gives plain apps what they need.

    Args:
        plug: plugs an app.
        is_plugged: whether that was done.
    """

    def __init__(
        self, plug: Callable[[dash.Dash], Any], is_plugged: Callable[[dash.Dash], bool]
    ) -> None:
        self._plug = plug
        self._is_plugged = is_plugged
        self._apps: weakref.WeakSet[dash.Dash] = weakref.WeakSet()

    def listen(self) -> None:
        """Have Dash tell of apps that are made from now on, and look at the one that was."""
        dash.hooks.setup()(self._prepare)
        dash.hooks.index()(self._check)
        try:
            self._prepare(dash.get_app())
        except Exception:  # there is none
            return

    def before_declaration(self) -> None:
        """A long callback is declared that the next app takes over."""
        for app in self._found():
            if not internals.has_started(app):
                self._ensure(app)

    def _prepare(self, app: dash.Dash) -> None:
        own = getattr(type(app), "long_callback", None)
        module = str(getattr(own, "__module__", ""))
        if module.startswith("dash_long_callback."):
            return  # of our class
        self._apps.add(app)
        added: Any = app

        def long_callback(*args: Any, **kwargs: Any) -> Any:
            self._ensure(app)  # this puts another in the place of this function
            return added.long_callback(*args, **kwargs)

        # DashProxy's own says that it is not supported.
        if own is None or module.startswith("dash_extensions."):
            added.long_callback = long_callback
        enable: Callable[[], None] = app.enable_pages

        def enable_pages() -> None:
            # The first moment at which routes can be added, and before pages are imported.
            if internals.waits_for_an_app():
                self._ensure(app)
            enable()

        added.enable_pages = enable_pages

    def _found(self) -> list[dash.Dash]:
        return [app for app in self._apps if not self._is_plugged(app)]

    def _ensure(self, app: dash.Dash) -> None:
        if not self._is_plugged(app):
            vars(app)[AUTOMATIC] = True
            self._plug(app)

    def _check(self, index: str) -> str:
        """Refuse the page of an app that has long callbacks, and could not be plugged."""
        for app in [] if PAGE_DATA in index else self._found():
            if internals.long_callback_ids(app):
                raise RegistrationError(
                    "this app has taken over a long callback that was declared without an app, and "
                    "has no long callbacks itself: write app = plug(dash.Dash(...)), or make it "
                    "with dash_long_callback.Dash(...)"
                )
        return index


def file_of(app: dash.Dash) -> str | None:
    """The file of the module that made an app."""
    return getattr(sys.modules.get(str(app.config.name)), "__file__", None)
