"""One job while it runs in this process: what it reports, and whether it is to stop."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable
from typing import Any, Protocol

from dash_long_callback.ends import end
from dash_long_callback.errors import JobCancelled, JobTimedOut
from dash_long_callback.fault_log import log
from dash_long_callback.jobs import Job, Outcome, Problem, Unfinished
from dash_long_callback.stores.job_store import JobStore
from dash_long_callback.worker.reporter import Reporter
from dash_long_callback.worker.tracking import Tracking
from dash_long_callback.worker.updates import Update


class Runnable(Protocol):
    """What a worker needs of a callback."""

    def outcome(self, run: Run) -> Outcome:
        """Run a job to its end: its function, or its ``on_error`` for ``run.problem``."""
        ...


class Run:
    """One job while it runs.

    Attributes:
        stopping: why its function is to stop.
        armed: whether an exception raised now would hit the user's function.
        settling: whether the function is done with, and the outcome on its way to the store.
        ended_by: what has told this process to end meanwhile.
        on_stop: called when ``stopping`` was set.
        tracking: how far its loops are.

    Args:
        store: where the job is.
        job: its record, as its worker has begun it.
        callback: what to run.
        problem: why its function can't be called here; None: as the record says.
        request: the JSON of its arguments and context, if that was read.
        worker: this process, as the store is to name it.
        exit_codes: those of the ``SystemExit`` by which this process is told to end.
        lose: ends a job that its worker can't end: by its ``on_error`` in another, if it has one.
            None: where the leader finds in the queue what waits for that.
        requeued: is told of a job that waits for another attempt.
    """

    def __init__(
        self,
        store: JobStore,
        job: Job,
        callback: Runnable,
        problem: Problem | None = None,
        *,
        request: bytes | None = None,
        worker: bytes | None = None,
        exit_codes: Collection[int] = (),
        lose: Callable[[Job, Unfinished], object] | None = None,
        requeued: Callable[[Job], object] = lambda _job: None,
    ) -> None:
        self.store = store
        self.callback = callback
        self.problem = problem or (job.problem if job.handler else None)
        self.stopping: JobCancelled | JobTimedOut | None = None
        self.armed = self.settling = False
        self.ended_by: SystemExit | None = None
        self.on_stop: Callable[[], object] = lambda: None
        self.reporter = Reporter(store, job, self.revoke)
        self.tracking = Tracking(self.reporter.put)
        self._request = request
        self._worker = worker
        self.requeued = requeued
        self._lose = lose
        self._exit_codes = exit_codes
        self._thread = threading.get_ident()

    @property
    def job(self) -> Job:
        """The record, as this worker knows it."""
        return self.reporter.job

    def request(self) -> bytes | None:
        """The JSON of its arguments and context; None if they have expired."""
        return self.store.request(self.job.id) if self._request is None else self._request

    @property
    def name(self) -> str:
        """Of the callback, for messages."""
        return self.job.name

    @property
    def deserted(self) -> bool:
        """Whether the job is to end because nobody is there to see its end."""
        return self.job.ends_with_page and not self.store.is_present(self.job.id)

    def renew(self) -> bool:
        """A heartbeat. Returns whether the job is still this worker's."""
        return self.store.renew(self.job, self._worker)

    def stop(self, reason: JobCancelled | JobTimedOut) -> None:
        """Ask the function to stop: the next update, or whoever interrupts the thread, raises."""
        self.stopping = reason
        self.on_stop()

    def revoke(self) -> None:
        """The job has ended without this worker, or was given to another: stop the function."""
        if self.stopping is None and not self.settling:
            log.warning("%s ended elsewhere; its function is stopped", self.name)
            self.stop(JobCancelled())

    def checkpoint(self) -> None:
        """Raise JobCancelled if the job is to stop."""
        if self.stopping is not None and self.armed:
            # A helper thread of the function hears of it, too, but does not take it away from the
            # thread that it is meant for.
            if threading.get_ident() == self._thread:
                self.armed = False
            raise JobCancelled

    def report(self, updates: Iterable[Update]) -> None:
        """Carry updates to the store; before and after, the function may be told to stop."""
        self.checkpoint()
        # An interrupt in the middle of a write could leave a transaction open, and its lock taken.
        armed = self.armed and threading.get_ident() == self._thread
        if armed:
            self.armed = False
        try:
            self.reporter.put(updates)
        finally:
            if armed:
                self.armed = True
        self.checkpoint()

    def lose(self, outcome: Unfinished) -> None:
        """End the job, as this worker can't: by its ``on_error`` in another, if it has one."""
        if self._lose is not None:
            self._lose(self.job, outcome)
        else:
            end(self.store, self.job.id, outcome, self.job.attempt)

    def is_shutdown(self, error: BaseException) -> bool:
        """Whether an exception tells this process to end: not the function has called ``exit``."""
        code: Any = error.code if isinstance(error, SystemExit) else None
        if not isinstance(error, SystemExit) or code not in self._exit_codes:
            return False
        self.ended_by = error
        return True
