"""Who waits for news in this process, and what wakes them.

    store of a worker ──► Notifier ──► Subscription ──► Waker ◄── whoever waits: thread or coroutine
    (SQLite, Redis, …)    one per      to some          one per
                          process      jobs             request

A notification says only "look": what there is to know is in the records. So one too many costs a
look, and none is lost as long as one comes after the last write. Subscriptions to several stores
may share a waker.
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

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

log = logging.getLogger("dash_long_callback")

#: Seconds that a thread which polls rests after a poll that failed.
STUMBLE_SECONDS = 0.5
#: Seconds that it may take to end: a poll may wait for a server that does not answer.
CLOSE_SECONDS = 5.0


class Waker:
    """Wakes one thread or one coroutine, from any thread."""

    def __init__(self) -> None:
        self._woken = threading.Event()
        self._wake: Callable[[], object] | None = None

    def wake(self) -> None:
        """End the wait; the next one, if nobody waits now."""
        self._woken.set()
        wake = self._wake
        if wake is not None:
            with contextlib.suppress(RuntimeError):  # its event loop was closed
                wake()

    def wait(self, timeout: float) -> bool:
        """Return True once it was woken since the last call; False after ``timeout`` seconds."""
        if not self._woken.wait(timeout):
            return False
        self._woken.clear()
        return True

    async def wait_async(self, timeout: float) -> bool:
        """As ``wait``, without holding up the event loop."""
        loop, woken = asyncio.get_running_loop(), asyncio.Event()
        self._wake = lambda: loop.call_soon_threadsafe(woken.set)
        try:
            if not self._woken.is_set():
                with contextlib.suppress(TimeoutError, asyncio.TimeoutError):
                    await asyncio.wait_for(woken.wait(), timeout)
            return self.wait(0)
        finally:
            self._wake = None


class Subscription:
    """Wakes who waits when there may be news of some jobs: of all that is written after ``follow``.

    Args:
        notifier: what hears of writes.
        names: what the notifier calls the news of a job.
        waker: wakes who waits.
    """

    def __init__(
        self, notifier: Notifier, names: Callable[[str], Iterable[str]], waker: Waker
    ) -> None:
        self.waker = waker
        self.followed: frozenset[str] = frozenset()
        self._notifier = notifier
        self._names = names

    def follow(self, job_ids: Iterable[str]) -> None:
        """Wake for the news of these jobs from now on, and of no others."""
        wanted = frozenset(name for job_id in job_ids for name in self._names(job_id))
        if gone := self.followed - wanted:
            self._notifier.unfollow(self, gone)
        new, self.followed = wanted - self.followed, wanted
        if new:
            self._notifier.follow(self, new)

    def wait(self, timeout: float) -> bool:
        """Return True when there may be news since the last call; False after ``timeout`` s."""
        return self.waker.wait(timeout)


class Notifier(ABC):
    """Hears of writes, and notifies the subscriptions that follow what was written."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._subscriptions: dict[str, set[Subscription]] = defaultdict(set)

    @contextmanager
    def subscribe(
        self, names: Callable[[str], Iterable[str]], waker: Waker | None
    ) -> Generator[Subscription]:
        """A subscription, as long as the block runs."""
        subscription = Subscription(self, names, waker or Waker())
        try:
            yield subscription
        finally:
            self.unfollow(subscription, subscription.followed)

    def follow(self, subscription: Subscription, names: Iterable[str]) -> None:
        """Have a subscription notified of the news with these names."""
        with self._lock:
            # Before it is there: what is yet to be heard of is older than this.
            new = [name for name in names if not self._subscriptions.get(name)]
            self._begin(subscription, new, [name for name in names if name not in new])
            for name in names:
                self._subscriptions[name].add(subscription)

    def unfollow(self, subscription: Subscription, names: Iterable[str]) -> None:
        """Have a subscription notified of these no more."""
        with self._lock:
            gone: list[str] = []
            for name in names:
                subscriptions = self._subscriptions.get(name)
                if subscriptions is not None:
                    subscriptions.discard(subscription)
                    if not subscriptions:
                        del self._subscriptions[name]
                        gone.append(name)
            self._end(gone)

    def notify(self, name: str) -> None:
        """Notify those who follow a name."""
        with self._lock:
            subscriptions = tuple(self._subscriptions.get(name, ()))
        for subscription in subscriptions:
            subscription.waker.wake()

    def notify_all(self) -> None:
        """Have everybody look: news may have been missed."""
        with self._lock:
            subscriptions = {one for found in self._subscriptions.values() for one in found}
        for subscription in subscriptions:
            subscription.waker.wake()

    @abstractmethod
    def _begin(self, subscription: Subscription, new: list[str], known: list[str]) -> None:
        """A subscription is about to follow ``new`` names, and some that others follow."""

    def _end(self, gone: list[str]) -> None:  # noqa: B027 - one that polls looks at what is left
        """Nobody follows these names any more."""

    @abstractmethod
    def close(self) -> None:
        """Let go of threads and connections."""


class PollingNotifier(Notifier):
    """Has a thread that polls, where nothing can wake another process.

    It rests while nobody follows anything.
    """

    def __init__(self) -> None:
        super().__init__()
        self._changed = threading.Condition(self._lock)
        self._thread: threading.Thread | None = None
        self._closed = False
        #: When to poll next, as ``time.monotonic`` counts.
        self._next = math.inf

    def _begin(self, subscription: Subscription, new: list[str], known: list[str]) -> None:  # noqa: ARG002
        self._prepare(subscription)
        if self._thread is None or not self._thread.is_alive():  # a fork leaves it behind
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
                self._next = time.monotonic() + self._poll()
            except Exception:
                # Who waits is woken, looks, and hears what is wrong in words.
                log.debug("a poll for news failed", exc_info=True)
                self._next = time.monotonic() + STUMBLE_SECONDS
                self.notify_all()

    def _left(self) -> float:
        return self._next - time.monotonic() if self._subscriptions else math.inf

    @abstractmethod
    def _prepare(self, subscription: Subscription) -> None:
        """A subscription is about to follow names; what was written before is no news."""

    @abstractmethod
    def _poll(self) -> float:
        """Notify whom there are news for. Returns the seconds until the next poll."""

    def close(self) -> None:
        """End the thread: what it looks at is about to be closed, too."""
        with self._lock:
            self._closed = True
            self._changed.notify()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(CLOSE_SECONDS)
