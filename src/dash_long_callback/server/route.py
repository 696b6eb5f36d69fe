"""What a route is, and what it is given: the same for all servers that Dash runs on."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from dash_long_callback.dash.callbacks import callbacks_of, registry
from dash_long_callback.fault_log import FaultLog
from dash_long_callback.managers.base import Manager
from dash_long_callback.server.pacing import Capacity
from dash_long_callback.server.wire import LargeBody

#: Of all routes, below the app's prefix.
PREFIX = "_dash-long-callback/"


@dataclass(frozen=True)
class Request:
    """A request as a route gets it.

    Attributes:
        body: of up to one byte more than ``MAX_BODY``.
        app: that is asked.
        capacity: what the server can do.
    """

    body: bytes
    app: Any
    capacity: Capacity

    @property
    def managers(self) -> list[Manager]:
        """All that may know the jobs in question, first those that callbacks of the app use.

        The app's own may be one that nobody has asked for, or uses.
        """
        own: Manager = self.app.long_callback_manager
        used = [c.options.manager or own for c in callbacks_of(self.app)] or [own]
        found = [*used, *(c.options.manager for c in registry.all())]
        return [one for one in dict.fromkeys(found) if one is not None]


@dataclass(frozen=True)
class Route:
    """A route that this package adds to an app.

    It is asked by a POST that says that it is JSON, which no form on another site can.

    Attributes:
        name: the end of its path.
        faults: logs what can't be done while requests fail. The same fault is logged once and then
            counted, however many ask.
        handle: answers a request: parse, authorise, call the manager once. It may wait; a server
            with an event loop calls it in a thread.
        handle_async: what such a server calls instead, on its event loop, which must not wait. It
            may return server-sent events.

    Examples:
        >>> ROUTE = Route("cancel", FaultLog("jobs can't be cancelled"), cancel)
    """

    name: str
    faults: FaultLog
    handle: Callable[[Request], bytes | LargeBody]
    handle_async: (
        Callable[[Request], Awaitable[bytes | LargeBody | AsyncGenerator[bytes]]] | None
    ) = None

    @property
    def path(self) -> str:
        """Below the app's prefix."""
        return PREFIX + self.name
