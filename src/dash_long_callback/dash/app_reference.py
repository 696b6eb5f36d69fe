"""An app, its server and its manager on the way to a worker: by reference, as it has its own.

None of them can be sent, and each process that imports the app makes them. Where the app is made
below the main guard there is none in a worker. Then an ``AbsentApp`` takes its place, which knows
the app's settings and says in words what it does not have: a method whose ``self`` holds the app
mostly wants something else of it.
"""

from __future__ import annotations

import logging
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NoReturn

import dash

from dash_long_callback import by_value
from dash_long_callback.app_names import MAIN
from dash_long_callback.dash import internals
from dash_long_callback.errors import AppNotInWorker
from dash_long_callback.executors import app_factory
from dash_long_callback.managers.base import Manager

#: Where an app keeps its manager.
MANAGER = "_long_callback_manager"
#: And the prefix of its paths when it got that.
_PREFIX = "_long_callback_prefix"
#: The apps of this process, in the order of their making.
_apps: list[weakref.ref[dash.Dash]] = []

_PLAIN = (str, int, float, bool, type(None))


@dataclass(frozen=True)
class AppReference:
    """Which app it is.

    Attributes:
        module: the name that it was made with.
        number: how many apps of that name were made before it; -1 if it has no long callbacks.
        part: ``"app"``, ``"server"`` or ``"manager"``.
        settings: what of the app's ``config`` is plain.
    """

    module: str
    number: int = -1
    part: str = "app"
    settings: dict[str, Any] = field(default_factory=dict[str, Any])


def remember(app: dash.Dash) -> None:
    """Keep in mind that this process has this app."""
    _apps.append(weakref.ref(app))
    vars(app)[_PREFIX] = app.config.requests_pathname_prefix


def prefix_of(app: dash.Dash) -> str | None:
    """The prefix that an app was made with: in a notebook, ``app.run`` sets another one."""
    return vars(app).get(_PREFIX, app.config.requests_pathname_prefix)


def refer(value: Any) -> AppReference | None:
    """A reference to an app, or to the server or the manager of one; None for all else."""
    kind: type[Any] = type(value)  # not isinstance, which a proxy may not survive
    if issubclass(kind, internals.App):
        return _reference(value, "app")
    for app in _known():
        if value is vars(app).get("server"):
            return _reference(app, "server")
        if issubclass(kind, Manager) and value is vars(app).get(MANAGER):
            return _reference(app, "manager")
    return AppReference("", part="manager") if issubclass(kind, Manager) else None


def resolve(reference: AppReference) -> Any:
    """What is referred to, in this process; something that stands for it if it has none."""
    same = [app for app in _known() if _module(app) == reference.module]
    if 0 <= reference.number < len(same):
        app = same[reference.number]
        key = {"server": "server", "manager": MANAGER}.get(reference.part)
        return vars(app)[key] if key else app
    if reference.part == "app":
        return AbsentApp(reference.settings)
    return Absent(reference.part)


def reduce(value: Any) -> tuple[Callable[[AppReference], Any], tuple[AppReference]] | None:
    """What a worker calls to have its own in the place of a value: see ``by_value.references``."""
    reference = refer(value)
    return None if reference is None else (resolve, (reference,))


def is_made(value: Any) -> bool:
    """Whether this is an app, or the server of one of this process."""
    return isinstance(value, internals.App) or any(
        value is vars(app).get("server") for app in _known()
    )


def _known() -> list[dash.Dash]:
    return [app for one in _apps if (app := one()) is not None]


def _module(app: dash.Dash) -> str:
    # What a worker calls the script while it imports it.
    name = str(app.config.name)
    return MAIN[0] if name in MAIN else name


def _reference(app: dash.Dash, part: str) -> AppReference:
    module = _module(app)
    same = [one for one in _known() if _module(one) == module]
    number = next((number for number, one in enumerate(same) if one is app), -1)
    settings = {key: value for key, value in app.config.items() if isinstance(value, _PLAIN)}
    return AppReference(module, number, part, settings)


class AbsentApp(dash.Dash):
    """In the place of an app that a worker does not have. Knows its ``config`` and paths only."""

    def __init__(self, settings: dict[str, Any]) -> None:
        # Not as Dash does it: that would make a server, and be the app of this process.
        self.config = internals.AttributeDict(settings)
        self.logger = logging.getLogger(dash.dash.__name__)

    def __getattr__(self, name: str) -> NoReturn:
        _refuse("app", name)


class Absent:
    """In the place of a server or a manager that a worker does not have."""

    def __init__(self, part: str) -> None:
        self._part = part

    def __getattr__(self, name: str) -> NoReturn:
        _refuse("manager" if name == "_part" else self._part, name)


def _refuse(part: str, name: str) -> NoReturn:
    if name.startswith("__"):  # Python itself asks for what may not be there
        raise AttributeError(name)
    raise AppNotInWorker(part, name)


by_value.references.append(reduce)
app_factory.is_made.append(is_made)
