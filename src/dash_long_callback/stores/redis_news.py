"""News over Redis's publish/subscribe: one connection per process, and nobody polls.

A message says only "look": what there is to know is in the record. So a lost message loses no
update, and after a lost connection each watch looks once.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import defaultdict
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import redis

from dash_long_callback.stores.base import Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

log = logging.getLogger("dash_long_callback")

#: Messages: the record has changed; nothing is new, but the worker is alive.
CHANGED, ALIVE = b"1", b"0"
#: Seconds between two tries to connect again.
RETRY_SECONDS = 0.5
#: Seconds that the thread waits in one go; redis-py can't wait for ever.
WAIT_SECONDS = 60.0
#: What a lost connection looks like, also to a thread that reads while another one closes it.
_INTERRUPTIONS = (redis.RedisError, OSError, ValueError)


class Subscriber:
    """Hands messages to the watches that follow their channels.

    Args:
        client: a ``redis.Redis``.
    """

    def __init__(self, client: Any) -> None:
        self._pubsub = client.pubsub()
        self._lock = threading.Lock()
        self._watches: dict[bytes, set[RedisWatch]] = defaultdict(set)
        #: Channels that could not be subscribed to.
        self._missing: set[bytes] = set()
        self._thread: threading.Thread | None = None
        self._closed = False

    @contextmanager
    def watch(self, channel_of: Callable[[str], str]) -> Generator[RedisWatch]:
        """A watch that follows the channels of jobs, as long as the block runs."""
        watch = RedisWatch(self, channel_of)
        try:
            yield watch
        finally:
            self.unfollow(watch, watch.channels)

    def follow(self, watch: RedisWatch, channels: Iterable[bytes]) -> None:
        """Have a watch told of messages on these channels."""
        with self._lock:
            new: list[bytes] = []
            for channel in channels:
                watches = self._watches[channel]
                if watches:
                    watch.look_again()  # nobody will confirm it once more
                else:
                    new.append(channel)
                watches.add(watch)
            if not new:
                return
            # The confirmation counts as a message: what came before it is seen by looking then.
            if self._missing:
                self._missing.update(new)  # Redis is away: one thread tries, not each that asks
            else:
                self._subscribe(new)
            if self._thread is None:
                self._thread = threading.Thread(target=self._listen, daemon=True, name="news")
                self._thread.start()

    def _subscribe(self, channels: Iterable[bytes]) -> None:
        try:
            self._pubsub.subscribe(*channels)
        except _INTERRUPTIONS:
            # redis-py subscribes again only to what it was subscribed to before.
            self._missing.update(channels)
            threading.Thread(target=self._try_again, daemon=True, name="news again").start()

    def _try_again(self) -> None:
        while not self._closed:
            time.sleep(RETRY_SECONDS)
            with self._lock:
                wanted = [channel for channel in self._missing if channel in self._watches]
                try:
                    if wanted and not self._closed:
                        self._pubsub.subscribe(*wanted)
                except _INTERRUPTIONS:
                    continue
                self._missing.clear()
                return

    def unfollow(self, watch: RedisWatch, channels: Iterable[bytes]) -> None:
        """Have a watch told no more of these channels."""
        with self._lock:
            gone: list[bytes] = []
            for channel in channels:
                self._watches[channel].discard(watch)
                if not self._watches[channel]:
                    del self._watches[channel]
                    gone.append(channel)
            if gone and not self._closed:
                with suppress(*_INTERRUPTIONS):
                    self._pubsub.unsubscribe(*gone)

    def _listen(self) -> None:
        while not self._closed:
            try:
                message = self._pubsub.get_message(timeout=WAIT_SECONDS)
            except _INTERRUPTIONS as error:
                if self._closed:
                    return
                log.warning("news from Redis are interrupted (%s); connecting again", error)
                self._tell_all()
                time.sleep(RETRY_SECONDS)
                continue
            if message is not None and message["type"] != "unsubscribe":
                with self._lock:
                    watches = list(self._watches.get(message["channel"], ()))
                for watch in watches:
                    watch.tell(message["data"])

    def _tell_all(self) -> None:
        with self._lock:
            watches = {watch for found in self._watches.values() for watch in found}
        for watch in watches:
            watch.look_again()

    def close(self) -> None:
        """End the thread and the connection."""
        self._closed = True
        with self._lock:
            self._pubsub.close()


class RedisWatch(Watch):
    """Waits for messages about some jobs."""

    def __init__(self, subscriber: Subscriber, channel_of: Callable[[str], str]) -> None:
        self._subscriber = subscriber
        self._channel_of = channel_of
        self.channels: set[bytes] = set()
        self.changed = threading.Event()
        self._tell_loop: Callable[[], object] | None = None
        self._heard = time.monotonic()

    def follow(self, job_ids: Iterable[str]) -> None:
        channels = {self._channel_of(job_id).encode() for job_id in job_ids}
        if gone := self.channels - channels:
            self._subscriber.unfollow(self, gone)
        if new := channels - self.channels:
            self._subscriber.follow(self, new)
        self.channels = channels

    def wait(self, timeout: float) -> bool:
        if not self.changed.wait(timeout):
            return False
        self.changed.clear()
        return True

    async def wait_async(self, timeout: float) -> bool:
        loop, told = asyncio.get_running_loop(), asyncio.Event()
        self._tell_loop = lambda: loop.call_soon_threadsafe(told.set)
        try:
            if not self.changed.is_set():
                with suppress(TimeoutError, asyncio.TimeoutError):
                    await asyncio.wait_for(told.wait(), timeout)
            return self.wait(0)
        finally:
            self._tell_loop = None

    def tell(self, message: bytes) -> None:
        """A message has come. Called by the subscriber's thread."""
        self._heard = time.monotonic()
        if message != ALIVE:
            self.look_again()

    def look_again(self) -> None:
        """There may be news. May be called from any thread."""
        self.changed.set()
        tell_loop = self._tell_loop
        if tell_loop is not None:
            with suppress(RuntimeError):  # the loop was closed
                tell_loop()
