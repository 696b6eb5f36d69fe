"""Who waits for news in this process, and what wakes them.

    store of a worker ──► Source ──► Watch ──► Bell ◄── whoever waits: a thread or a coroutine
    (SQLite, Redis, …)    one per    what is   one per
                          process    followed  request

A ring says only "look": what there is to know is in the records. So a ring too many costs a look,
and none is lost as long as one comes after the last write. Watches of several stores may ring the
same bell.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import threading
import time
from abc import ABC, abstractmethod
from collections import defaultdict
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dash_long_callback.stores import timing

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

log = logging.getLogger("dash_long_callback")

#: Seconds that a thread which looks for news rests after a look that failed.
STUMBLE_SECONDS = 0.5
#: Seconds that it may take to end: a look may wait for a server that does not answer.
CLOSE_SECONDS = 5.0


class Bell:
    """Wakes one thread or one coroutine. May be rung from any thread."""

    def __init__(self) -> None:
        self._rung = threading.Event()
        self._wake: Callable[[], object] | None = None

    def ring(self) -> None:
        """End the wait; the next one, if nobody waits now."""
        self._rung.set()
        wake = self._wake
        if wake is not None:
            with contextlib.suppress(RuntimeError):  # its event loop was closed
                wake()

    def wait(self, timeout: float) -> bool:
        """Return True once it was rung since the last call; False after ``timeout`` seconds."""
        if not self._rung.wait(timeout):
            return False
        self._rung.clear()
        return True

    async def wait_async(self, timeout: float) -> bool:
        """As ``wait``, without holding up the event loop."""
        loop, told = asyncio.get_running_loop(), asyncio.Event()
        self._wake = lambda: loop.call_soon_threadsafe(told.set)
        try:
            if not self._rung.is_set():
                with contextlib.suppress(TimeoutError, asyncio.TimeoutError):
                    await asyncio.wait_for(told.wait(), timeout)
            return self.wait(0)
        finally:
            self._wake = None


class Watch:
    """Rings a bell when there may be news of some jobs. What is written after ``follow`` rings.

    Args:
        source: what hears of news.
        names: what the source calls the news of a job.
        bell: what to ring.
    """

    def __init__(self, source: Source, names: Callable[[str], Iterable[str]], bell: Bell) -> None:
        self.bell = bell
        self.followed: frozenset[str] = frozenset()
        self._source = source
        self._names = names
        self._heard = time.monotonic()

    def follow(self, job_ids: Iterable[str]) -> None:
        """Ring for the news of these jobs from now on, and of no others."""
        wanted = frozenset(name for job_id in job_ids for name in self._names(job_id))
        if gone := self.followed - wanted:
            self._source.unfollow(self, gone)
        new, self.followed = wanted - self.followed, wanted
        if new:
            self._source.follow(self, new)

    def wait(self, timeout: float) -> bool:
        """Return True when there may be news since the last call; False after ``timeout`` s."""
        return self.bell.wait(timeout)

    @property
    def supervised(self) -> bool:
        """Whether somebody else sees to it that jobs end, so that nobody who waits need ask."""
        return self._source.supervised

    def tell(self, *, alive_only: bool = False) -> None:
        """A worker was heard of; there is news unless ``alive_only``. From any thread."""
        self._heard = time.monotonic()
        if not alive_only:
            self.bell.ring()

    def silent(self) -> bool:
        """Whether no worker of these jobs was heard of for as long as a lease lasts.

        Tells it once, and again when as much time has passed. Never, where somebody else asks.
        """
        now = time.monotonic()
        if self.supervised or now - self._heard < timing.LEASE_SECONDS:
            return False
        self._heard = now
        return True


class Source(ABC):
    """Hears of news, and tells the watches that follow them."""

    #: Whether somebody else sees to it that jobs end: then nobody who waits need ask.
    supervised = False

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._watches: dict[str, set[Watch]] = defaultdict(set)

    @contextmanager
    def watch(self, names: Callable[[str], Iterable[str]], bell: Bell | None) -> Generator[Watch]:
        """A watch, as long as the block runs."""
        watch = Watch(self, names, bell or Bell())
        try:
            yield watch
        finally:
            self.unfollow(watch, watch.followed)

    def follow(self, watch: Watch, names: Iterable[str]) -> None:
        """Have a watch told of the news with these names."""
        with self._lock:
            # Before it is there: what the source has yet to hear of is older than this.
            new = [name for name in names if not self._watches.get(name)]
            self._begin(watch, new, [name for name in names if name not in new])
            for name in names:
                self._watches[name].add(watch)

    def unfollow(self, watch: Watch, names: Iterable[str]) -> None:
        """Have a watch told no more of these."""
        with self._lock:
            gone: list[str] = []
            for name in names:
                watches = self._watches.get(name)
                if watches is not None:
                    watches.discard(watch)
                    if not watches:
                        del self._watches[name]
                        gone.append(name)
            self._end(gone)

    def tell(self, name: str, *, alive_only: bool = False) -> None:
        """Tell those who follow a name."""
        with self._lock:
            watches = tuple(self._watches.get(name, ()))
        for watch in watches:
            watch.tell(alive_only=alive_only)

    def tell_all(self) -> None:
        """Have everybody look: news may have been missed."""
        with self._lock:
            watches = {watch for found in self._watches.values() for watch in found}
        for watch in watches:
            watch.bell.ring()

    @abstractmethod
    def _begin(self, watch: Watch, new: list[str], known: list[str]) -> None:
        """A watch is about to follow names: ``new`` ones, and some that others follow already."""

    def _end(self, gone: list[str]) -> None:  # noqa: B027 - a lookout looks at what is left
        """Nobody follows these names any more."""

    @abstractmethod
    def close(self) -> None:
        """Let go of threads and connections."""


class Lookout(Source):
    """A source with a thread that looks, where nothing can wake another process.

    It rests while nobody follows anything.
    """

    def __init__(self) -> None:
        super().__init__()
        self._changed = threading.Condition(self._lock)
        self._thread: threading.Thread | None = None
        self._closed = False
        #: When to look next, as ``time.monotonic`` counts.
        self._next = math.inf

    def _begin(self, watch: Watch, new: list[str], known: list[str]) -> None:  # noqa: ARG002
        self._prepare(watch)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, daemon=True, name="news")
            self._thread.start()
        self._next = 0.0
        self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._lock:
                while not self._closed and (left := self._left()) > 0:
                    self._changed.wait(None if left == math.inf else left)
                if self._closed:
                    return
            try:
                self._next = time.monotonic() + self._look()
            except Exception:
                # Who waits is told, looks, and hears what is wrong in words.
                log.debug("a look for news failed", exc_info=True)
                self._next = time.monotonic() + STUMBLE_SECONDS
                self.tell_all()

    def _left(self) -> float:
        return self._next - time.monotonic() if self._watches else math.inf

    @abstractmethod
    def _prepare(self, watch: Watch) -> None:
        """A watch is about to follow names; what was written before need not be told."""

    @abstractmethod
    def _look(self) -> float:
        """Tell whom there are news for. Returns the seconds until the next look."""

    def close(self) -> None:
        """End the thread: what it looks at is about to be closed, too."""
        with self._lock:
            self._closed = True
            self._changed.notify()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(CLOSE_SECONDS)
