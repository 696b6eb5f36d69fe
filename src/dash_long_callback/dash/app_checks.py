"""What can be wrong with an app as a whole: looked at when its first page is loaded.

Then all callbacks are there: those of pages, those that were declared without an app, and those
that a class such as DashProxy has changed.
"""

from __future__ import annotations

from collections.abc import Sequence

import dash

from dash_long_callback.dash import circles, internals
from dash_long_callback.dash.callbacks import LongCallback
from dash_long_callback.dash.declaration_checks import check_outputs
from dash_long_callback.errors import RegistrationError
from dash_long_callback.managers.base import Manager

#: How many callbacks an app had when it was found to be right.
_CHECKED = "_long_callbacks_checked"


def check_app(app: dash.Dash, callbacks: Sequence[LongCallback], manager: Manager) -> None:
    """Refuse an app that can't work. Looks once, and again if it has got more callbacks.

    Args:
        app: a plugged app.
        callbacks: its long callbacks.
        manager: its own.

    Raises:
        RegistrationError: with the names of the callbacks, and what to do.
    """
    wired = internals.wired(app)
    if vars(app).get(_CHECKED) == len(wired):
        return
    for callback in callbacks:
        _check_queue(callback, manager)
    _check_background(app)
    _check_outputs(wired)
    circles.check(wired, callbacks)
    vars(app)[_CHECKED] = len(wired)


def _check_queue(callback: LongCallback, manager: Manager) -> None:
    """Refuse ``queue`` and ``priority`` where there is one queue in the order of the clicks.

    Args:
        callback: to check.
        manager: of its app, if it has none of its own.

    Raises:
        RegistrationError: if they would mean nothing.
    """
    options = callback.options
    used = options.manager or manager
    for name, value in (("queue", options.queue), ("priority", options.priority)):
        if value is not None and not used.has_queues:
            raise RegistrationError(
                f"the long callback {callback.name}: {name}={value!r} needs a "
                f"CeleryLongCallbackManager, and {type(used).__name__} has one queue for all; "
                f"leave {name} out, or pass None where the app runs without Celery"
            )


def _check_background(app: dash.Dash) -> None:
    for name, manager in internals.background_callbacks(app):
        if isinstance(manager, Manager):
            raise RegistrationError(
                f"the callback {name} has background=True, which {type(manager).__name__} does "
                "not run: write @app.long_callback(...) without background=True, or give the "
                "callback one of Dash's own managers by manager="
            )


def _check_outputs(wired: list[internals.Wired]) -> None:
    seen: list[internals.Wired] = []
    for one in wired:
        # Of two, one is ours: what two ordinary ones share is for Dash to say.
        others = seen if one.long else [other for other in seen if other.long]
        if not one.helper:
            check_outputs(f"the callback {one.name}", one, others)
        seen.append(one)
