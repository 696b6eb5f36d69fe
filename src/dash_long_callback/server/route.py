"""What a route is, and what it is given: the same for all servers that Dash runs on."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from dash_long_callback.fault_log import FaultLog
from dash_long_callback.managers.base import Manager
from dash_long_callback.server.client import ANYBODY, Client
from dash_long_callback.server.pacing import Capacity, Pacer
from dash_long_callback.server.wire import LargeBody

#: Of all routes, below the app's prefix.
PREFIX = "_dash-long-callback/"


@dataclass(frozen=True)
class Request:
    """A request as a route gets it.

    Attributes:
        body: of a POST, up to one byte more than ``MAX_BODY``; of a GET nothing.
        query: the parameters in the address; of several with one name, the last.
        managers: all that may know the jobs in question.
        pacer: of the app.
        capacity: what the server can do.
        client: who asks.
    """

    body: bytes
    query: Mapping[str, str]
    managers: Sequence[Manager]
    pacer: Pacer
    capacity: Capacity
    client: Client = ANYBODY


@dataclass(frozen=True)
class Route:
    """A route that this package adds to an app.

    Attributes:
        name: the end of its path.
        faults: logs what can't be done while requests fail. The same fault is logged once and then
            counted, however many ask.
        handle: answers a request: parse, authorise, call the manager once. It may wait; a server
            with an event loop calls it in a thread.
        handle_async: what such a server calls instead, on its event loop, which must not wait. It
            may return server-sent events.
        method: a POST is refused unless it says that it is JSON, which no form on another site
            can. Any site can have a browser send a GET, so it must not change anything.
        content_type: of an answer; that of a refusal is JSON.

    Examples:
        >>> ROUTE = Route("cancel", FaultLog("jobs can't be cancelled"), cancel)
    """

    name: str
    faults: FaultLog
    handle: Callable[[Request], bytes | LargeBody]
    handle_async: (
        Callable[[Request], Awaitable[bytes | LargeBody | AsyncGenerator[bytes]]] | None
    ) = None
    method: Literal["POST", "GET"] = "POST"
    content_type: str = "application/json"

    @property
    def path(self) -> str:
        """Below the app's prefix."""
        return PREFIX + self.name
