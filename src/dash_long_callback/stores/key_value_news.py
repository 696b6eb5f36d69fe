"""News in stores that can neither tell anybody of a write nor how many there were: look at rows."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dash_long_callback.stores.news import Lookout

if TYPE_CHECKING:
    from collections.abc import Callable

    from dash_long_callback.stores.news import Watch

#: Seconds between two looks for news: quick at first, for jobs that end at once, then slower.
FIRST_LOOKS, LATER_LOOKS = 0.01, 0.25
#: How much longer each pause between two looks is than the one before.
SLOWER = 1.2


@dataclass
class _Pace:
    """How often one watch wants its rows looked at."""

    due: float = 0.0
    pause: float = FIRST_LOOKS
    seen: dict[str, bytes | None] = field(default_factory=dict[str, "bytes | None"])


class RowNews(Lookout):
    """Tells the watches of a process of rows that have changed.

    Heartbeats are not looked at: whoever is told of silence asks the store for the lease.

    Args:
        rows: returns the rows with these names, None for one that is missing.
    """

    def __init__(self, rows: Callable[[list[str]], list[bytes | None]]) -> None:
        super().__init__()
        self._rows = rows
        self._paces: dict[Watch, _Pace] = {}

    def _prepare(self, watch: Watch) -> None:
        # The first look tells of all rows, as it has not seen them before: nothing is missed.
        pace = self._paces.setdefault(watch, _Pace())
        pace.due, pace.pause = 0.0, FIRST_LOOKS

    def _look(self) -> float:
        now = time.monotonic()
        with self._lock:
            follows: dict[Watch, list[str]] = {}
            for name, watches in self._watches.items():
                for watch in watches:
                    follows.setdefault(watch, []).append(name)
            self._paces = {watch: self._paces.get(watch, _Pace()) for watch in follows}
            due = {watch: pace for watch, pace in self._paces.items() if pace.due <= now}
        # A look may take a network's time; others may begin to follow meanwhile.
        names = list(dict.fromkeys(name for watch in due for name in follows[watch]))
        found = dict(zip(names, self._rows(names), strict=True)) if names else {}
        for watch, pace in due.items():
            seen = {name: found[name] for name in follows[watch]}
            changed = seen != {name: pace.seen[name] for name in seen if name in pace.seen}
            pace.seen = seen
            pace.pause = FIRST_LOOKS if changed else min(LATER_LOOKS, pace.pause * SLOWER)
            pace.due = time.monotonic() + pace.pause
            if changed:
                watch.tell()
        with self._lock:
            dues = [pace.due for pace in self._paces.values()]
        return max(0.0, min(dues, default=0.0) - time.monotonic())
