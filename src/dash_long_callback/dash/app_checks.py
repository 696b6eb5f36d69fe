"""What can be wrong with an app as a whole: looked at when its first page is loaded.

Then all callbacks are there: those of pages, those that were declared without an app, and those
that a class such as DashProxy has changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dash

from dash_long_callback import notebook
from dash_long_callback.dash import circles, internals
from dash_long_callback.dash.callbacks import LongCallback
from dash_long_callback.dash.declaration_checks import check_outputs
from dash_long_callback.errors import RegistrationError
from dash_long_callback.limits import Bound, key_name, numbers
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
        check_importable(callback, callback.options.manager or manager)
        _check_queue(callback, callback.options.manager or manager)
    _check_names(callbacks, manager)
    _check_outputs(wired)
    circles.check(wired, callbacks)
    vars(app)[_CHECKED] = len(wired)


def check_importable(callback: LongCallback, manager: Manager | None) -> None:
    """Refuse a function of a notebook whose workers take what they can import only.

    Raises:
        RegistrationError: with what to do.
    """
    if manager is None or manager.sends_functions or not notebook.is_of_cell(callback.function):
        return
    raise RegistrationError(
        f"the long callback {callback.name} is defined in a cell of a notebook, which the workers "
        f"of {type(manager).__name__} can't import. Write the app to a module: begin its cell with "
        "%%writefile app.py, import it in the next one (from app import app), and start workers "
        "in that folder (celery -A app:celery_app worker). Or use a DiskcacheLongCallbackManager "
        "here, whose workers are sent what is in cells"
    )


def _check_queue(callback: LongCallback, manager: Manager) -> None:
    """Refuse what the manager of a callback can't do.

    Raises:
        RegistrationError: if ``queue``, ``priority``, ``limits`` or ``rate`` would mean nothing.
    """
    options, kind = callback.options, type(manager).__name__
    name = f"the long callback {callback.name}"
    if options.queue is not None and not manager.has_queues:
        raise RegistrationError(
            f"{name}: queue={options.queue!r} needs a CeleryLongCallbackManager, and {kind} has "
            "one queue for all; leave queue out, or pass None where the app runs without Celery"
        )
    used = {
        "priority": options.priority is not None,
        "limits": bool(options.limits),
        "rate": bool(options.rate),
    }
    for option, given in used.items():
        if given and not manager.store.rows.queues:
            raise RegistrationError(
                f"{name}: {option} needs Redis as the Celery result backend, as in "
                f'Celery(..., backend="redis://localhost:6379/0"); or leave {option} out'
            )


def _check_names(callbacks: Sequence[LongCallback], manager: Manager) -> None:
    """Refuse limits of one name that are not one limit.

    Raises:
        RegistrationError: with the names of both callbacks.
    """
    seen: dict[tuple[int, str], tuple[LongCallback, Bound]] = {}
    for callback in callbacks:
        used = callback.options.manager or manager
        for bound in (*callback.options.limits, *callback.options.rate):
            if bound.name is None:
                continue
            other, before = seen.setdefault((id(used), bound.name), (callback, bound))
            if _shape(before) != _shape(bound):
                raise RegistrationError(
                    f"the long callbacks {other.name} and {callback.name} share the limit "
                    f"{bound.name!r}, as {before} and as {bound}: write it once, and give that to "
                    "both, or give them names that differ"
                )


def _shape(bound: Bound) -> tuple[Any, ...]:
    return type(bound), numbers(bound), key_name(bound.key)


def _check_outputs(wired: list[internals.Wired]) -> None:
    seen: list[internals.Wired] = []
    for one in wired:
        # Of two, one is ours: what two ordinary ones share is for Dash to say.
        others = seen if one.long else [other for other in seen if other.long]
        if not one.helper:
            check_outputs(f"the callback {one.name}", one, others)
        seen.append(one)
