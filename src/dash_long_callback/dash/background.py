"""Callbacks with ``background=True`` whose manager is one of ours: they become long callbacks.

Dash declares them as ever. Before an app gets its first request, and in a worker after its imports,
each of them is taken out of where Dash keeps it, and declared again:

    @callback(..., background=True) ──► Dash's lists ──► take_over ──► register, as a long callback

What Dash's own managers run is left alone, so both kinds may be in one app.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from typing import Any

import dash

from dash_long_callback import changed_values
from dash_long_callback.checks import listed
from dash_long_callback.dash import internals
from dash_long_callback.dash.app_reference import MANAGER
from dash_long_callback.dash.callbacks import registry
from dash_long_callback.dash.conventions import BACKGROUND
from dash_long_callback.dash.declaration_checks import argument_names, module_load, repeats
from dash_long_callback.dash.decorator import register
from dash_long_callback.dash.internals import Background
from dash_long_callback.errors import RegistrationError
from dash_long_callback.managers.base import Manager

#: What ``LongCallback`` notes of a function when it is declared, as that is later here.
_noted: weakref.WeakKeyDictionary[Callable[..., Any], tuple[dict[str, str], Any]] = (
    weakref.WeakKeyDictionary()
)


#: Two page loads must not take over the same.
_lock = threading.RLock()


def note(function: Callable[..., Any]) -> None:
    """Keep in mind how things are while a background callback is declared."""
    try:
        _noted[function] = changed_values.read_by(function), module_load(function)
    except TypeError:  # it can't be referred to: then it is as later
        return


def take_over(app: dash.Dash) -> None:
    """Make long callbacks of an app's background callbacks that a manager of ours is to run.

    That is the one which Dash would ask, or, if it has none, that of the app's long callbacks.

    Also of those that were declared without an app, if it is still to take these over.

    Raises:
        RegistrationError: if one can't be a long callback, with its name and what to do.
    """
    with _lock:
        found = internals.background_callbacks(app)
        if not internals.has_started(app):
            found += internals.background_callbacks(None)
        for one in found:
            manager = one.manager(app) or vars(app).get(MANAGER)
            if isinstance(manager, Manager):
                _take_over(one, manager)


def settle() -> None:
    """In a worker, take over what was declared without an app: its app may not be made there."""
    with _lock:
        for one in internals.background_callbacks(None):
            manager = one.manager(None)
            if manager is None or isinstance(manager, Manager):
                _take_over(one, manager)


def _take_over(one: Background, manager: Manager | None) -> None:
    name = f"the background callback {one.name}"
    _check_manager(name, manager)
    try:
        function, args, kwargs = one.declaration()
    except (LookupError, TypeError) as error:
        raise RegistrationError(
            f"{name}: Dash does not keep what it was declared with where this package looks "
            f"({type(error).__name__}: {error}); write @app.long_callback(...) without "
            "background=True"
        ) from error
    one.take_out()
    try:
        _forget_former(one, function)
        callback = register(one.app, function, args, _options(one, kwargs), BACKGROUND)
    except BaseException:
        one.put_back()  # so that the next request is told the same
        raise
    if (noted := _noted.get(function)) is not None:
        callback.reads, callback.loaded = noted


def _options(one: Background, kwargs: dict[str, Any]) -> dict[str, Any]:
    """The options of a long callback."""
    options = dict(kwargs)
    if options.get("interval") == internals.INTERVAL:
        del options["interval"]  # nobody may have asked for it, and the server paces the page
    if "cache_args_to_ignore" in options:
        # Dash takes what there is not, too.
        known = argument_names(one.entry["inputs_state_indices"])
        ignored = listed(options["cache_args_to_ignore"])
        options["cache_args_to_ignore"] = [value for value in ignored if value in known]
    return options


def _forget_former(one: Background, function: Callable[..., Any]) -> None:
    """Take away what a cell or a module declared that has run again."""
    for other in registry.alike(one.callback_id):
        same = other.registration.app is one.app and not internals.is_there(other.registration)
        if same and repeats(other.function, other.loaded, function):
            registry.remove(other)


def _check_manager(name: str, manager: Manager | None) -> None:
    """Refuse a manager that does something by methods which only Dash would call."""
    kind = type(manager)
    for cls in kind.__mro__:
        own = not cls.__module__.startswith("dash_long_callback.")
        methods = sorted(internals.MANAGER_METHODS & vars(cls).keys()) if own else []
        if methods:
            raise RegistrationError(
                f"{name}: its manager, a {kind.__name__}, has {methods[0]}() from "
                f"{cls.__name__}, which Dash calls and this package does not: take it out of the "
                "class, or derive that from Dash's own manager, which then runs the callback"
            )
