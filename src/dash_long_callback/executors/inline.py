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
        callback = registry.get(job.callback)
        running = self._store.change(job.id, Begin())
        if running is None:
            return
        if callback is None:
            end(self._store, job.id, Lost(f"this process has no long callback {job.callback}"))
        else:
            run_job(Run(self._store, running, callback))

    def cancel(self, job_id: str) -> None:
        """Nothing to do: a job has ended before anybody could cancel it."""

    def stop(self) -> None:
        """Nothing to stop."""
