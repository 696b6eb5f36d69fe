"""Jobs whose workers have lost their leader: it was killed, or has let them finish.

Such a worker sees to cancels and timeouts itself, renews its lease, and exits after its job. The
next leader finds the job in the store, and ends it if the worker can't.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dash_long_callback.callbacks import registry
from dash_long_callback.errors import JobEnded, JobLost, JobTimedOut
from dash_long_callback.executors import processes
from dash_long_callback.jobs import Job, State, TimedOut, as_exception

if TYPE_CHECKING:
    from dash_long_callback.stores.diskcache import DiskcacheStore

#: Seconds after the grace in which a worker without a leader ends its job by itself.
SLACK = 2.0


@dataclass
class _Orphan:
    job: Job
    #: When it was first seen that it is to end: by a cancel, or by its timeout.
    due: float | None = None


class Orphans:
    """The jobs that earlier leaders' workers run, or have died with.

    Args:
        store: where they are.
        grace: seconds that a function has to end before its process is ended.
    """

    def __init__(self, store: DiskcacheStore, grace: float) -> None:
        self._store = store
        self._grace = grace
        self._jobs: dict[str, _Orphan] = {}

    def __len__(self) -> int:
        """How many places of the pool they take."""
        return len(self._jobs)

    def take_over(self) -> None:
        """Find the jobs that are marked as running. Called before any job is given to a worker."""
        self._jobs = {job.id: _Orphan(job) for job in self._store.active()}

    def look(self) -> Iterator[tuple[Job, JobEnded | None]]:
        """The jobs that are to be ended, as their workers can't, and why; None for a cancel.

        Their processes are ended before. They are not given again. One at a time: a store that
        fails over the next one does not lose it.
        """
        for job_id, orphan in list(self._jobs.items()):
            job = self._store.load(job_id)
            if job is None or job.state is not State.RUNNING:
                del self._jobs[job_id]
                continue
            orphan.job = job
            worker = processes.ProcessId.load(self._store.worker(job_id))
            # Of one in another container nothing is known but its lease.
            died = worker is not None and not worker.elsewhere() and not worker.runs()
            if died or self._is_overdue(orphan) or not self._store.leased(job_id):
                if worker is not None and worker.runs():
                    processes.kill_tree(worker.pid)
                why = self._why(job)
                del self._jobs[job_id]
                yield job, why

    def _is_overdue(self, orphan: _Orphan) -> bool:
        """Whether the worker has failed to end the job, as it should have done."""
        if orphan.due is None:
            if not _is_late(orphan.job) and not self._store.cancel_asked(orphan.job.id):
                return False
            orphan.due = time.monotonic()
        return time.monotonic() - orphan.due > self._grace + SLACK

    def _why(self, job: Job) -> JobEnded | None:
        if job.handler:  # it did not survive
            return as_exception(job.problem)
        if self._store.cancel_asked(job.id):
            return None
        if _is_late(job):
            return JobTimedOut(TimedOut(timeout_of(job) or 0).reason)
        return JobLost("its worker process has not been heard of since the server restarted")


def timeout_of(job: Job) -> float | None:
    """The ``timeout`` of a job's callback."""
    callback = registry.get(job.callback)
    return None if callback is None else callback.options.timeout


def _is_late(job: Job) -> bool:
    timeout = timeout_of(job)
    return bool(timeout) and time.time() - (job.started or 0) > timeout
