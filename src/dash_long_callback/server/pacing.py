"""When a client asks again, and whether its request waits for news. The server decides.

A request that waits ("is held") costs its server a thread. A server with one thread never holds;
a server with several holds a few. Who is not held is told when to ask again: soon for a young job,
later for an old one.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

#: Seconds that a submit waits for its outcome: quick jobs are answered in their own request.
SUBMIT_SECONDS = 0.03
#: Seconds that a request is held at most: less than the timeouts of the usual proxies.
HOLD_SECONDS = 15.0
#: Requests that a process holds at most. A development server starts a thread per request; others
#: have a few threads, and ordinary requests need them.
HOLDS_DEVELOPMENT, HOLDS = 64, 2
#: The same for ASGI servers, where a request that waits costs little.
HOLDS_ASYNC = 2000
#: The pace of a client that is not held: this part of the job's age ...
PACE_RATIO = 0.15
#: ... within these seconds.
PACE_MIN, PACE_MAX = 0.05, 1.0


def pace(age: float, interval: float | None) -> float:
    """Seconds until a client that was not held asks again.

    Args:
        age: seconds since the youngest of its jobs was submitted.
        interval: the callback's own upper bound in seconds, if it has one.
    """
    return min(max(PACE_RATIO * age, PACE_MIN), PACE_MAX, interval or PACE_MAX)


class Holds:
    """Counts the requests that this process holds, and ends those that a newer one replaces."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tabs: dict[str, object] = {}

    @contextmanager
    def hold(self, tab: str, places: int) -> Generator[Hold | None]:
        """A place for a request of this tab; None if as many others have one."""
        token = object()
        with self._lock:
            # A tab has one request at a time. If its last one is still here, the tab gave it up.
            self._tabs.pop(tab, None)
            if len(self._tabs) >= places:
                token = None
            else:
                self._tabs[tab] = token
        try:
            yield None if token is None else Hold(self, tab, token)
        finally:
            with self._lock:
                if token is not None and self._tabs.get(tab) is token:
                    del self._tabs[tab]

    def current(self, tab: str, token: object) -> bool:
        """Whether no newer request of this tab has come."""
        return self._tabs.get(tab) is token


class Hold:
    """A request that is being held."""

    def __init__(self, holds: Holds, tab: str, token: object) -> None:
        self._holds, self._tab, self._token = holds, tab, token

    @property
    def wanted(self) -> bool:
        """Whether somebody still waits for the answer, as far as is known."""
        return self._holds.current(self._tab, self._token)


def room(environ: Mapping[str, Any]) -> int:
    """How many requests a WSGI server may hold, by its environment: none if it has one thread."""
    if not environ.get("wsgi.multithread"):
        return 0
    development = str(environ.get("SERVER_SOFTWARE", "")).startswith("Werkzeug")
    return HOLDS_DEVELOPMENT if development else HOLDS
