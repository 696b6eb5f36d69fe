"""When a client asks again, and whether its request waits for news. The server decides.

Three ways, from the quickest to the one that costs a server least:

    stream   a streaming response: each update is sent as it comes. ASGI servers.
    hold     a request waits until there is news, then the client asks again. Servers with threads.
    pace     an answer at once, and the client is told when to ask again: soon for a young job,
             later for an old one, and later for everybody if too many ask.

A server with one thread never holds. A tab in the background is only paced.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Any

import dash

from dash_long_callback.checks import is_positive
from dash_long_callback.errors import RegistrationError
from dash_long_callback.managers.following import Following

#: Requests that a process holds at most. A development server starts a thread per request; others
#: have a few threads, and ordinary requests need them. On an event loop a wait costs little.
HOLDS_DEVELOPMENT, HOLDS_THREADS, HOLDS_ASYNC = 64, 2, 5000
#: Answers with news that a process gives a second, at most: about a third of what one core can.
RATE_THREADS, RATE_ASYNC = 100.0, 300.0
#: Thread-seconds that clicks may wait for their results, in each second and saved up at most. Where
#: threads are few, many clicks that each wait a moment would have all others queue.
SUBMIT_SHARE, SUBMIT_SAVED = 0.25, 1.0
#: Seconds that a client is told to leave to others before it asks again, at most: as long as a
#: request is held. With more than can be served in that time, the server is slow instead.
TURN_MAX = 15.0
#: Jobs whose turns a process remembers; beyond that, it begins anew.
TURNS_MAX = 10_000
#: Jobs that a process remembers to have noted; then those are forgotten that are due again.
PRESENCE_MAX = 1000
#: The pace of a client that is not held: this part of the job's age ...
PACE_RATIO = 0.15
#: ... within these seconds.
PACE_MIN, PACE_MAX = 0.05, 1.0


@dataclass(frozen=True)
class Pacing:
    """How a web process serves the pages that wait for jobs. All has defaults that fit most apps.

    Args:
        submit: seconds that a click waits for its result, at most: quicker jobs are answered at
            once. With few threads and many clicks, they wait less.
        hold: seconds that a request waits for news, at most: less than the timeouts of proxies.
        holds: requests that wait at the same time, at most. 0: none does. None: 5,000 on an ASGI
            server, 64 on the development server, 2 on other servers with threads.
        rate: answers with news that a process gives a second, at most. With more pages than
            that, each hears less often. None: 300 on an ASGI server, else 100.
        hidden: seconds between two questions of a tab in the background.
        stream: whether an ASGI server may send a streaming response.
        patience: seconds that a page tries to reach the server before it shows an error.
        gone: seconds after which a job with ``on_disconnect="cancel"`` is cancelled once its page
            was left, unless it is back: more than a reload takes.
        silent: the same, for a page that was not left but does not ask any more. More than a
            minute: browsers let tabs in the background sleep that long.

    Raises:
        RegistrationError: if a value is not a number of its range.

    Examples:
        >>> app = Dash(__name__, long_callback_pacing=Pacing(hold=5, holds=8))
    """

    submit: float = 0.03
    hold: float = 15.0
    holds: int | None = None
    rate: float | None = None
    hidden: float = 5.0
    stream: bool = True
    patience: float = 120.0
    gone: float = 30.0
    silent: float = 120.0

    @property
    def presence(self) -> float:
        """Seconds that a job may go on after a question of its page, which may wait itself."""
        return self.hold + self.silent

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name == "stream" or (value is None and field.default is None):
                continue
            or_zero = field.name != "rate"
            if not is_positive(value, or_zero=or_zero):
                least = "from 0 on" if or_zero else "above 0"
                raise RegistrationError(f"Pacing: {field.name}={value!r} must be a number {least}")


def pace(age: float, interval: float | None) -> float:
    """Seconds until a client that was not held asks again.

    Args:
        age: seconds since the youngest of its jobs was submitted.
        interval: the callback's own upper bound in seconds, if it has one; 0 asks for the least.
    """
    upper = PACE_MAX if interval is None else interval or PACE_MIN
    return min(max(PACE_RATIO * age, PACE_MIN), PACE_MAX, upper)


@dataclass(frozen=True)
class Capacity:
    """What a server can do for those who wait.

    Attributes:
        holds: requests that may wait at the same time.
        rate: answers a second, at most.
        scarce: whether threads are few.
    """

    holds: int
    rate: float
    scarce: bool = False


class Pacer:
    """Counts the requests that a process holds and the answers it gives."""

    def __init__(self, pacing: Pacing) -> None:
        self.pacing = pacing
        self._lock = threading.Lock()
        self._tabs: dict[str, Following] = {}
        self._next = 0.0
        self._turns: dict[str, float] = {}
        self._saved, self._saved_at = SUBMIT_SAVED, time.monotonic()
        self._noted: dict[str, float] = {}
        self._ending = False

    def capacity_wsgi(self, environ: Mapping[str, Any]) -> Capacity:
        """What a WSGI server can do, by its environment. One with one thread holds nothing."""
        development = str(environ.get("SERVER_SOFTWARE", "")).startswith("Werkzeug")
        holds = self._holds(HOLDS_DEVELOPMENT if development else HOLDS_THREADS)
        threads = bool(environ.get("wsgi.multithread"))
        rate = self.pacing.rate or RATE_THREADS
        return Capacity(holds if threads else 0, rate, scarce=not (threads and development))

    def capacity_asgi(self) -> Capacity:
        """What an ASGI server can do."""
        return Capacity(self._holds(HOLDS_ASYNC), self.pacing.rate or RATE_ASYNC)

    def _holds(self, default: int) -> int:
        return default if self.pacing.holds is None else self.pacing.holds

    def after(self, seconds: float, capacity: Capacity, jobs: Collection[str]) -> float:
        """Seconds until a client asks again that would like to do so in so many seconds.

        Each gets the next moment that nobody else has, so however many there are, they come one
        after the other. A client that asks before its turn keeps the turn that it has: nobody
        waits for one who is impatient.

        Args:
            seconds: until it would like to ask.
            capacity: what the server can do.
            jobs: those that the client waits for. They tell clients apart: a name of its own could
                be another each time, but nobody has another's jobs.
        """
        with self._lock:
            now = time.monotonic()
            turn = max((self._turns.get(job_id, 0.0) for job_id in jobs), default=0.0)
            if turn <= now:
                turn = min(max(self._next, now), now + TURN_MAX)
                self._next = turn + 1 / capacity.rate
            self._remember(turn, jobs, now)
        return max(seconds, turn - now)

    def _remember(self, turn: float, jobs: Collection[str], now: float) -> None:
        self._turns.update(dict.fromkeys(jobs, turn))
        if len(self._turns) > TURNS_MAX:
            self._turns = {i: at for i, at in self._turns.items() if at > now}
            if len(self._turns) > TURNS_MAX:
                self._turns = {}

    def presence_due(self, job_ids: Iterable[str]) -> list[str]:
        """The jobs of these whose page has to be noted as heard of: not with each question."""
        now = time.monotonic()
        pacing = self.pacing
        every = min(pacing.silent / 8, pacing.gone / 4)
        with self._lock:
            due = [i for i in job_ids if now >= self._noted.get(i, 0)]
            if len(self._noted) > PRESENCE_MAX:
                self._noted = {i: until for i, until in self._noted.items() if until > now}
            self._noted.update(dict.fromkeys(due, now + every))
        return due

    def leave(self, job_id: str) -> None:
        """The page of a job was left: note it at once when it is heard of again."""
        with self._lock:
            self._noted.pop(job_id, None)

    @contextmanager
    def submit(self, capacity: Capacity) -> Generator[float]:
        """The seconds that a click may wait; the block is the wait."""
        if not capacity.scarce:
            yield self.pacing.submit
            return
        begun = time.monotonic()
        with self._lock:
            saved = self._saved + (begun - self._saved_at) * SUBMIT_SHARE
            self._saved, self._saved_at = min(saved, SUBMIT_SAVED), begun
            seconds = self.pacing.submit if self._saved > 0 else 0
        try:
            yield seconds
        finally:
            with self._lock:
                self._saved -= time.monotonic() - begun

    def let_go(self, tab: str) -> None:
        """A tab asks anew. It has one request at a time: if its last one waits, it gave it up."""
        with self._lock:
            if (last := self._tabs.pop(tab, None)) is not None:
                last.end()

    @contextmanager
    def hold(self, tab: str, request: Following, capacity: Capacity) -> Generator[None]:
        """A place for a request of this tab while the block runs; if none is free, it is ended."""
        self.let_go(tab)
        with self._lock:
            if len(self._tabs) < capacity.holds and not self._ending:
                self._tabs[tab] = request
            else:
                request.end()
        try:
            yield
        finally:
            with self._lock:
                if self._tabs.get(tab) is request:
                    del self._tabs[tab]

    def end(self) -> None:
        """The server ends: have all requests answered that wait, and no more of them."""
        with self._lock:
            self._ending = True
            for request in self._tabs.values():
                request.end()


#: For apps that have no pacing of their own: what they may do together.
shared = Pacer(Pacing())
#: Where an app keeps its pacer.
PACER = "_long_callback_pacer"


def set_pacing(app: dash.Dash, pacing: Pacing | None) -> None:
    """Pace the pages of an app; None: as all apps of the process that do not say."""
    vars(app)[PACER] = shared if pacing is None else Pacer(pacing)


def pacer_of(app: dash.Dash) -> Pacer:
    """What paces the pages of an app."""
    return vars(app)[PACER]
