"""News over Redis's publish/subscribe: one connection per process, and nobody polls.

A message says only "look". So a lost message loses no update, and after a lost connection each
subscription looks once.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import redis

from dash_long_callback.fault_log import FaultLog
from dash_long_callback.stores.notifier import Notifier

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dash_long_callback.stores.notifier import Subscription

#: Seconds between two tries to connect again.
RETRY_SECONDS = 0.5
#: Seconds that the thread waits in one go; redis-py can't wait for ever.
WAIT_SECONDS = 60.0
#: What a lost connection looks like, also to a thread that reads while another one closes it: then
#: redis-py finds its buffer or its socket gone.
_INTERRUPTIONS = (redis.RedisError, OSError, ValueError, AttributeError)


class RedisNotifier(Notifier):
    """Notifies subscriptions of messages; the names that they follow are channels.

    Args:
        client: a ``redis.Redis``.
    """

    def __init__(self, client: Any) -> None:
        super().__init__()
        self._pubsub = client.pubsub()
        #: Channels that could not be subscribed to.
        self._missing: set[str] = set()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._faults = FaultLog("news from Redis are interrupted")

    def _begin(self, subscription: Subscription, new: list[str], known: list[str]) -> None:
        if known:
            subscription.waker.wake()  # nobody will confirm it once more
        if not new:
            return
        # The confirmation counts as a message: what came before it is seen by looking then.
        if self._missing:
            self._missing.update(new)  # Redis is away: one thread tries, not each that asks
        else:
            self._subscribe(new)
        if self._thread is None or not self._thread.is_alive():  # a fork leaves it behind
            self._thread = threading.Thread(target=self._listen, daemon=True, name="news")
            self._thread.start()

    def _end(self, gone: list[str]) -> None:
        if gone and not self._closed:
            with suppress(*_INTERRUPTIONS):
                self._pubsub.unsubscribe(*gone)

    def _subscribe(self, channels: Iterable[str]) -> None:
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
                wanted = [channel for channel in self._missing if channel in self._subscriptions]
                try:
                    if wanted and not self._closed:
                        self._pubsub.subscribe(*wanted)
                except _INTERRUPTIONS:
                    continue
                self._missing.clear()
                return

    def _listen(self) -> None:
        while not self._closed:
            try:
                message = self._pubsub.get_message(timeout=WAIT_SECONDS)
            except _INTERRUPTIONS as error:
                if self._closed:
                    return
                self._faults.failed(error)
                self.notify_all()
                time.sleep(RETRY_SECONDS)
                continue
            self._faults.succeeded()
            if message is not None and message["type"] != "unsubscribe":
                self.notify(message["channel"].decode())

    def close(self) -> None:
        """End the thread and the connection."""
        self._closed = True
        with self._lock:
            self._pubsub.close()
