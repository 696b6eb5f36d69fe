"""What the leader is yet to write: how jobs have ended, and which wait again."""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Callable

from dash_long_callback.ends import end
from dash_long_callback.errors import StoreError
from dash_long_callback.fault_log import log
from dash_long_callback.jobs import Cancelled, Job, Lost, Problem, Requeue, State
from dash_long_callback.stores.job_store import JobStore


class PendingWrites:
    """Writes to the store, in order. They wait while the store can't be used.

    Args:
        store: where to.
        queued: is called when a job waits again.
    """

    def __init__(self, store: JobStore, queued: Callable[[], object]) -> None:
        self._store = store
        self._queued = queued
        self._writes: deque[Callable[[], object]] = deque()

    def __bool__(self) -> bool:
        return bool(self._writes)

    def add(self, write: Callable[..., object], *arguments: object) -> None:
        """Have a function called with the others."""
        self._writes.append(functools.partial(write, *arguments))

    def end(self, job: Job, outcome: Problem | Cancelled, *, final: bool = False) -> None:
        """End a job, or have its ``on_error`` called."""
        self.add(self._end, job, outcome, final)

    def requeue(self, job: Job) -> None:
        """Put a job back that its worker has not begun."""
        self.add(self._requeue, job)

    def take_away(self, job: Job, *, again: bool) -> None:
        """End a job whose worker is about to end, or have it wait for the next leader."""
        self.add(self._take_away, job, again)

    def flush(self) -> None:
        """Write what is pending.

        Raises:
            StoreError: if the store can't take it now: then it stays.
        """
        while self._writes:
            try:
                self._writes[0]()
            except StoreError:
                raise
            except Exception:
                # It will not be better with the next try, and others wait behind it.
                log.exception("a change of a job is given up")
            self._writes.popleft()

    def _end(self, job: Job, outcome: Problem | Cancelled, final: bool) -> None:
        after = end(self._store, job.id, outcome, job.attempt, final=final)
        if after is not None and after.state is State.QUEUED:
            self._queued()

    def _requeue(self, job: Job) -> None:
        self._store.change(job.id, Requeue(job.attempt, begun=False))
        self._queued()

    def _take_away(self, job: Job, again: bool) -> None:
        if again and self._store.change(job.id, Requeue(job.attempt, begun=True)):
            log.warning("no. %s: the server ends; %s queues again", job.ref, job.name)
        else:
            stopped = Lost("the server was stopped while the job ran", "stopped")
            end(self._store, job.id, stopped, job.attempt)
