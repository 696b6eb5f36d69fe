"""Jobs whose workers have lost their leader: it was killed, or has let them finish.

Such a worker sees to cancels and timeouts itself, renews its lease, and exits after its job. The
next leader finds the job in the store, and ends it if the worker can't.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

from dash_long_callback.jobs import Cancelled, Job, Lost, Problem, State
from dash_long_callback.stores.job_store import JobStore
from dash_long_callback.worker import processes
from dash_long_callback.worker.limits import Limits

#: Seconds after the grace in which a worker ends its job, or itself, without the leader's help.
SLACK = 2.0
_NO_HEARTBEAT = "its worker process has not been heard of since the server restarted"


class Orphans:
    """The jobs that earlier leaders' workers run, or have died with.

    Args:
        store: where they are.
        grace: seconds that a function has to end before its process is ended.
    """

    def __init__(self, store: JobStore, grace: float) -> None:
        self._store = store
        self._grace = grace
        self._limits: dict[str, Limits] = {}

    def __len__(self) -> int:
        """How many places of the pool they take."""
        return len(self._limits)

    def take_over(self) -> None:
        """Find the jobs that are marked as running. Called before any job is given to a worker."""
        for job in self._store.active():
            age = max(0.0, time.time() - (job.started or 0.0))
            limits = Limits.of(job, self._grace + SLACK)
            self._limits[job.id] = replace(limits, since=limits.since - age)

    def judge(self) -> Iterator[tuple[Job, Problem | Cancelled]]:
        """The jobs that are to be ended, as their workers can't, and how.

        Their processes are ended before. They are not given again. One at a time: a store that
        fails over the next one does not lose it.
        """
        for job_id, limits in list(self._limits.items()):
            job = self._store.load(job_id)
            if job is None or job.state is not State.RUNNING:
                del self._limits[job_id]
                continue
            now = time.monotonic()
            limits.expire(now)
            if not limits.stopping and self._store.cancel_asked(job_id):
                limits.stop(now)
            worker = processes.ProcessId.load(self._store.worker(job_id))
            # Of one in another container nothing is known but its lease.
            died = worker is not None and not worker.elsewhere() and not worker.runs()
            if died or limits.overdue(now) or not self._store.leased(job_id):
                if worker is not None and worker.runs():
                    processes.kill_tree(worker.pid)
                del self._limits[job_id]
                yield job, limits.outcome if limits.stopping else Lost(_NO_HEARTBEAT)
