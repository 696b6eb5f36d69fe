"""Runs each job in the calling thread, before ``submit`` returns. For tests of callbacks."""

from __future__ import annotations

from dash_long_callback.ends import end
from dash_long_callback.executors.base import Executor
from dash_long_callback.jobs import Begin, Job, Lost
from dash_long_callback.registry import registry
from dash_long_callback.stores.job_store import JobStore
from dash_long_callback.worker.run import Run
from dash_long_callback.worker.run_job import run_job


class InlineExecutor(Executor):
    """No process, no thread, no waiting: a job has ended when ``submit`` returns.

    Examples:
        >>> store = MemoryStore(retention=60)
        >>> manager = Manager(store, InlineExecutor(store))
    """

    def __init__(self, store: JobStore) -> None:
        self._store = store

    def start(self, job: Job) -> None:
        # Again at once, if it is to be tried again: nobody waits here.
        while (running := self._store.change(job.id, Begin())) is not None:
            self.run_begun(running)

    def run_begun(self, job: Job) -> None:
        """Run a job that has begun, to its end."""
        callback = registry.get(job.callback)
        if callback is None:
            end(self._store, job.id, Lost(f"this process has no long callback {job.callback}"))
        else:
            run_job(Run(self._store, job, callback))

    def stop(self) -> None:
        """Nothing to stop."""
