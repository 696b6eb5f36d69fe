"""News in stores that can neither tell anybody of a write nor how many there were: look at rows."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dash_long_callback.stores.notifier import PollingNotifier

if TYPE_CHECKING:
    from collections.abc import Callable

    from dash_long_callback.stores.notifier import Subscription

#: Seconds between two looks for news: quick at first, for jobs that end at once, then slower.
FIRST_POLLS, LATER_POLLS = 0.01, 0.25
#: How much longer each pause between two looks is than the one before.
SLOWER = 1.2


@dataclass
class _Pace:
    """How often one subscription wants its rows looked at."""

    due: float = 0.0
    pause: float = FIRST_POLLS
    seen: dict[str, bytes | None] = field(default_factory=dict[str, "bytes | None"])


class RowNotifier(PollingNotifier):
    """Notifies the subscriptions of a process of rows that have changed.

    Args:
        rows: returns the rows with these names, None for one that is missing.
    """

    def __init__(self, rows: Callable[[list[str]], list[bytes | None]]) -> None:
        super().__init__()
        self._rows = rows
        self._paces: dict[Subscription, _Pace] = {}

    def _prepare(self, subscription: Subscription) -> None:
        # The first look tells of all rows, as it has not seen them before: nothing is missed.
        pace = self._paces.setdefault(subscription, _Pace())
        pace.due, pace.pause = 0.0, FIRST_POLLS

    def _poll(self) -> float:
        now = time.monotonic()
        with self._lock:
            follows: dict[Subscription, list[str]] = {}
            for name, subscriptions in self._subscriptions.items():
                for subscription in subscriptions:
                    follows.setdefault(subscription, []).append(name)
            self._paces = {
                subscription: self._paces.get(subscription, _Pace()) for subscription in follows
            }
            due = {
                subscription: pace for subscription, pace in self._paces.items() if pace.due <= now
            }
        # A look may take a network's time; others may begin to follow meanwhile.
        names = list(dict.fromkeys(name for subscription in due for name in follows[subscription]))
        found = dict(zip(names, self._rows(names), strict=True)) if names else {}
        for subscription, pace in due.items():
            seen = {name: found[name] for name in follows[subscription]}
            changed = seen != {name: pace.seen[name] for name in seen if name in pace.seen}
            pace.seen = seen
            pace.pause = FIRST_POLLS if changed else min(LATER_POLLS, pace.pause * SLOWER)
            pace.due = time.monotonic() + pace.pause
            if changed:
                subscription.waker.wake()
        with self._lock:
            dues = [pace.due for pace in self._paces.values()]
        return max(0.0, min(dues, default=0.0) - time.monotonic())
