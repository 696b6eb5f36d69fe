"""Jobs in the memory of one process: for tests, and for jobs that run where they are asked for."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from typing import TYPE_CHECKING, NamedTuple

from dash_long_callback.stores import names
from dash_long_callback.stores.job_store import JobStore
from dash_long_callback.stores.notifier import Notifier
from dash_long_callback.stores.ports import Ahead, Batch, Cursor, Entry, Field, Head, Place, Rows
from dash_long_callback.stores.row_results import RowResults

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractContextManager

    from dash_long_callback.stores.notifier import Subscription, Waker


class MemoryStore(JobStore):
    """Jobs in memory.

    Args:
        retention: seconds that a job and its outcome are kept.

    Examples:
        >>> store = MemoryStore(retention=60)
        >>> store.load("unknown") is None
        True
    """

    def __init__(self, retention: float) -> None:
        rows = MemoryRows()
        super().__init__(rows, RowResults(rows, retention), retention)


class MemoryRows(Rows):
    """Rows in dictionaries: what the other adapters are compared with.

    Args:
        clock: seconds since 1970.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.RLock()
        self._rows: dict[str, tuple[bytes, float]] = {}
        self._entries: dict[str, Entry] = {}
        self._queue: dict[str, _Queued] = {}
        self._numbers = itertools.count(1)
        self._news = _News()

    def read(self, names: Iterable[str]) -> list[bytes | None]:
        with self._lock:
            return [self._read(name) for name in names]

    def _read(self, name: str) -> bytes | None:
        value, expires = self._rows.get(name, (None, 0.0))
        return value if expires > self._clock() else None

    def apply(self, batch: Batch) -> bool:
        with self._lock:
            if any(self._read(name) != value for name, value in batch.expect.items()):
                return False
            self._write(batch)
            self._enter(batch)
        if batch.news is not None:
            self._news.notify(batch.news)
        if batch.cancel is not None:
            self._news.notify(f"{batch.cancel}:cancel")
        return True

    def _write(self, batch: Batch) -> None:
        now = self._clock()
        for name, seconds in batch.touch.items():
            if (value := self._read(name)) is not None:
                self._rows[name] = value, now + seconds
        for name, (value, seconds) in batch.put.items():
            self._rows[name] = value, now + seconds
        for name in batch.drop:
            self._rows.pop(name, None)

    def _enter(self, batch: Batch) -> None:
        if batch.entry is not None:
            self._entries[batch.entry.id] = batch.entry
            before = self._queue.pop(batch.entry.id, None)
            if batch.place is not None:
                if batch.place.stays and before is not None:
                    kept = before.place._replace(not_before=batch.place.not_before)
                    self._queue[batch.entry.id] = before._replace(place=kept)
                else:
                    self._queue[batch.entry.id] = self._last(batch.entry.id, batch.place)
        if batch.dequeue is not None:
            self._queue.pop(batch.dequeue, None)

    def list(
        self, by: Field, value: str | None, limit: int, before: Cursor | None = None
    ) -> list[Cursor]:
        found = [(entry.created, entry.id) for entry in self._found(by, value)]
        return heapq.nlargest(limit, (one for one in found if before is None or one < before))

    def count(self, by: Field, value: str | None) -> int:
        return len(self._found(by, value))

    def _found(self, by: Field, value: str | None) -> list[Entry]:
        with self._lock:
            entries = self._entries.values()
            there = [one for one in entries if self._read(names.job(one.id)) is not None]
        return [one for one in there if by == "all" or getattr(one, by) == value]

    def _last(self, job_id: str, place: Place) -> _Queued:
        """The place of a job that comes last, or before all others."""
        number = next(self._numbers) * (-1 if place.front else 1)
        return _Queued(job_id, place, -1 if place.front else self._turn(place), number)

    def _turn(self, place: Place) -> int:
        """The turn of a job that comes last in its lane."""
        alike = [
            one
            for one in self._queue.values()
            if (one.place.queue, one.place.priority) == (place.queue, place.priority)
        ]
        now = self._clock()
        ready = (one.turn for one in alike if one.place.not_before <= now and one.turn >= 0)
        next_turn = min(ready, default=0)
        last = max((one.turn for one in alike if one.place.lane == place.lane), default=-1)
        return max(0, next_turn, last + 1)

    def next_queued(self, queue: str = "", hide: float = 0.0) -> Head | None:
        with self._lock:
            job_id = next(iter(self.heads(queue)), None)
            if job_id is None:
                return None
            one = self._queue[job_id]
            if hide and not one.place.gate:
                place = one.place._replace(not_before=self._clock() + hide)
                self._queue[job_id] = one._replace(place=place)
            return Head(job_id, self._read(names.job(job_id)), self._read(names.request(job_id)))

    def heads(self, queue: str = "") -> list[str]:
        first: dict[str, str] = {}
        for one in self._ready(queue):
            first.setdefault(one.place.gate, one.id)
        return list(first.values())

    def _ready(self, queue: str) -> list[_Queued]:
        """What waits and may be taken, in order."""
        with self._lock:
            now = self._clock()
            ready = [
                one
                for one in self._queue.values()
                if one.place.queue == queue and one.place.not_before <= now
            ]
        return sorted(ready, key=_Queued.order)

    def ahead(self, job_id: str) -> Ahead | None:
        with self._lock:
            one = self._queue.get(job_id)
            if one is None or one.place.not_before > self._clock():
                return None
            ready = self._ready(one.place.queue)
        before = ready[: ready.index(one)]
        return Ahead(len(before), sum(other.place.gate == one.place.gate for other in before))

    def waiting(self, queue: str = "") -> int:
        return len(self._ready(queue))

    def subscribe(
        self, waker: Waker | None = None, *, cancels: bool = False
    ) -> AbstractContextManager[Subscription]:
        return self._news.subscribe(lambda i: [f"{i}:cancel" if cancels else i], waker)

    def purge(self) -> None:
        with self._lock:
            now = self._clock()
            self._rows = {name: row for name, row in self._rows.items() if row[1] > now}
            there = {i for i in self._entries if names.job(i) in self._rows}
            self._entries = {i: one for i, one in self._entries.items() if i in there}
            self._queue = {i: place for i, place in self._queue.items() if i in self._entries}

    def close(self) -> None:
        """Nothing to let go of."""


class _Queued(NamedTuple):
    """A job that waits."""

    id: str
    place: Place
    turn: int
    number: int

    def order(self) -> tuple[float, int, int]:
        """What comes first is to be taken first."""
        return -self.place.priority, self.turn, self.number


class _News(Notifier):
    """Whoever writes tells who waits."""

    def _begin(self, subscription: Subscription, new: list[str], known: list[str]) -> None:  # noqa: ARG002
        subscription.waker.wake()  # what was written before is seen by looking then

    def close(self) -> None:
        """Nothing to let go of."""
