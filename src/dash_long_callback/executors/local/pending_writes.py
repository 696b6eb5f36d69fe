"""What the leader is yet to write: how jobs have ended, and which wait again."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from dash_long_callback.ends import end
from dash_long_callback.errors import StoreError
from dash_long_callback.fault_log import log
from dash_long_callback.job_log import log_end
from dash_long_callback.jobs import Cancelled, Job, Problem, Requeue, State
from dash_long_callback.stores.job_store import JobStore


class PendingWrites:
    """Writes to the store, in order. They wait while the store can't be used.

    Args:
        store: where to.
        queued: is called when a job waits again, or when others may have waited for its end.
    """

    def __init__(self, store: JobStore, queued: Callable[[], object]) -> None:
        self._store = store
        self._queued = queued
        self._writes: deque[Callable[[], Job | None]] = deque()

    def __bool__(self) -> bool:
        return bool(self._writes)

    def add(self, write: Callable[[], Job | None]) -> None:
        """Have a change of a job written after the others. It returns the record after it."""
        self._writes.append(write)

    def end(self, job: Job, outcome: Problem | Cancelled, *, final: bool = False) -> None:
        """End a job, or have its ``on_error`` called."""
        self.add(lambda: end(self._store, job.id, outcome, job.attempt, final=final))

    def requeue(self, job: Job, *, begun: bool = False) -> None:
        """Put a job back that its worker has not begun, or that another leader is to begin anew."""
        self.add(lambda: self._requeue(job, begun))

    def flush(self) -> None:
        """Write what is pending.

        Raises:
            StoreError: if the store can't take it now: then it stays.
        """
        while self._writes:
            try:
                after = self._writes[0]()
                if after is not None and (after.state is State.QUEUED or after.limits):
                    self._queued()
            except StoreError:
                raise
            except Exception:
                # It will not be better with the next try, and others wait behind it.
                log.exception("a change of a job is given up")
            self._writes.popleft()

    def _requeue(self, job: Job, begun: bool) -> Job | None:
        after = self._store.change(job.id, Requeue(job.attempt, begun))
        if after is not None and after.state.ended:  # it is cancelled
            log_end(after)
        elif begun and after is not None:
            log.warning("no. %s: the server ends; %s queues again", job.ref, job.name)
        return after
