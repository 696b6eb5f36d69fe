"""Carries the updates of a running job to its store."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager

from dash_long_callback.errors import StoreError
from dash_long_callback.fault_log import FaultLog, log
from dash_long_callback.jobs import Event, Job, Outcome, Target, transition
from dash_long_callback.stores import timing
from dash_long_callback.stores.job_store import JobStore
from dash_long_callback.worker.updates import Joined, Kind, Plain, Update, encoded

#: Seconds between two writes of updates: no screen shows more than 60 pictures a second.
WRITE_SECONDS = 1 / 60
#: Slots after which each write costs twice as much, as it has the record in it with all of them: so
#: a job that has many writes less often.
SLOTS = 200
#: Writes of events that a job keeps, and bytes of them, for pages that have not seen them or are
#: loaded again. A page that asks at all has seen what is a minute old: at the pace of ``SLOTS`` so
#: many writes take six.
EVENT_SLOTS = 2000
EVENT_BYTES = 32 << 20

_faults = FaultLog("updates can't be written")


class Reporter:
    """Carries a job's updates to the store, at most one write per ``WRITE_SECONDS``.

    The first value is written at once; of those that come too fast the latest is written when its
    time comes, by a thread that starts when it is first needed; patches are joined, and so are
    events, of which none is left out. Nothing is lost at the end: ``finish`` writes what is left.

    Args:
        store: where to.
        job: the record, as its worker was given it.
        refused: called when the store does not take updates of this worker any more.
    """

    def __init__(self, store: JobStore, job: Job, refused: Callable[[], object]) -> None:
        self._store = store
        self._job = job
        self._refused = refused
        #: By slot: what is yet to be written.
        self._values: dict[int, bytes | Plain | Joined] = {}
        #: The slots in ``_values`` that another patch or event of the same kind may join.
        self._open: dict[Target, tuple[int, Joined]] = {}
        #: Bytes of the events that are stored, by slot.
        self._events: dict[int, int] = {}
        self._stale: set[int] = set()
        #: Whether events had to be dropped.
        self._dropped = False
        self._due = 0.0
        self._changed = threading.Condition(threading.RLock())
        self._closed = False
        self._thread: threading.Thread | None = None

    @property
    def job(self) -> Job:
        """The record, as its worker knows it."""
        return self._job

    def put(self, updates: Iterable[Update]) -> None:
        """Report new values."""
        with self._changed:
            for update in updates:
                self._put(update)
            if time.monotonic() >= self._due:
                self._write()
            elif self._thread is None:
                self._thread = threading.Thread(target=self._late, daemon=True, name="updates")
                self._thread.start()
            else:
                self._changed.notify()

    def _put(self, update: Update) -> None:
        target, kind = update.target, update.kind
        slot, replaced = self._job.put(target, patch=kind is Kind.PATCH, event=kind.event)
        for old in replaced:
            if self._values.pop(old, self) is self:  # it had been written
                self._stale.add(old)
        opened = self._open.pop(target, None)
        if kind is Kind.VALUE:
            self._values[slot] = update.value
            return
        joined = Joined(update)
        if opened is not None and opened[1].kind is kind:  # nobody has seen it yet
            before, joined = opened
            del self._job.slots[before], self._values[before]
        joined.add(slot, update.value)
        self._open[target] = slot, joined
        self._values[slot] = joined

    def note(self, event: Event) -> bool:
        """Change the record itself, and write it with what is left.

        Returns False if the job has ended elsewhere, or was given to another worker.
        """
        with self._changed:
            change = transition(self._job, event, time.time())
            if change is None:
                return False
            self._job = change.job
            return self._write()

    def close(self) -> None:
        """Stop: what is left is written by ``flush`` or ``finish``."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    def flush(self) -> None:
        """Write what is left."""
        with self._changed:
            if self._values:
                self._write()

    def finish(self, outcome: Outcome) -> Job | None:
        """End the job, with what is left to write.

        Returns:
            The record; None if the job has ended elsewhere, or was given to another worker.

        Raises:
            StoreError: if that can't be written.
        """
        with self._changed, self._unwritten() as (values, stale):
            return self._store.finish(self._job, outcome, values, stale)

    def discard(self) -> bool:
        """Give up what is left. Returns whether there was anything."""
        with self._changed:
            left, self._values, self._open = self._values, {}, {}
            for slot in left:
                del self._job.slots[slot]
        if left:
            text = "no. %s: what %s reported last could not be stored"
            log.error(text, self._job.ref, self._job.name)
        return bool(left)

    def _write(self) -> bool:
        """Write. Returns False if that is refused; if it fails for now, it is tried again later."""
        self._due = time.monotonic() + WRITE_SECONDS * (1 + len(self._job.slots) / SLOTS)
        try:
            with self._unwritten() as (values, stale):
                written = self._store.write(self._job, values, stale)
        except StoreError as error:
            # Not the function's fault, and perhaps over soon: kept for the next write.
            _faults.failed(error)
            self._due += timing.HEARTBEAT_SECONDS
            return True
        _faults.succeeded()
        if not written:
            self._refused()
        return written

    @contextmanager
    def _unwritten(self) -> Generator[tuple[dict[int, bytes], set[int]]]:
        """The slots to write and to drop. They stay as they are if that fails."""
        values = {slot: encoded(value) for slot, value in self._values.items()}
        self._limit(values)
        stale, self._stale = self._stale, set()
        self._values, self._open = {}, {}
        try:
            yield values, stale
        except StoreError:
            self._values |= values
            self._stale |= stale
            raise

    def _limit(self, values: dict[int, bytes]) -> None:
        """Drop the oldest events, if there are too many for the store."""
        slots = self._job.slots
        self._events |= {n: len(v) for n, v in values.items() if slots[n].event}
        dropped = False
        while len(self._events) > 1 and (
            len(self._events) > EVENT_SLOTS or sum(self._events.values()) > EVENT_BYTES
        ):
            oldest = next(iter(self._events))
            del self._events[oldest]
            slots.pop(oldest, None)
            if values.pop(oldest, None) is None:
                self._stale.add(oldest)
            dropped = True
        if dropped and not self._dropped:
            self._dropped = True
            log.warning(
                "%s reports more events than are kept: a page that is loaded again, or was away, "
                "misses the oldest of them",
                self._job.callback,
            )

    def _late(self) -> None:
        with self._changed:
            while not self._closed:
                if not self._values:
                    self._changed.wait()
                elif (left := self._due - time.monotonic()) > 0:
                    self._changed.wait(left)
                else:
                    self._write()
