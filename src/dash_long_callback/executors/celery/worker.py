"""What happens in a Celery worker: find the callback, run the job, watch for its end.

In a process of a prefork pool a job runs in the main thread: a cancel or a timeout raises inside
its function, and ends the process after a grace period. In other pools nothing can be raised from
outside: the function is told at its next ``set_progress`` or ``set_props``.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psutil
from celery import signals

from dash_long_callback.callbacks import registry
from dash_long_callback.errors import JobCancelled, JobEnded, JobLost, JobTimedOut, StoreError
from dash_long_callback.executors.interrupt import interrupt_main_thread
from dash_long_callback.jobs import (
    Cancelled,
    Failed,
    Job,
    Lost,
    Outcome,
    State,
    TimedOut,
    begin,
    ending,
)
from dash_long_callback.runner import Run, run_job

if TYPE_CHECKING:
    from collections.abc import Callable

    from dash_long_callback.callbacks import LongCallback
    from dash_long_callback.stores.base import Store
    from dash_long_callback.stores.news import Watch

log = logging.getLogger("dash_long_callback")

#: Seconds that a job runs before it is watched: most have ended by then.
WATCH_SECONDS = 0.1
#: Seconds between two looks at the clocks of watched jobs.
TICK_SECONDS = 0.5

#: The main process of the Celery worker that this process is or was forked from.
_main: int | None = None


@signals.worker_init.connect
def _remember_main(**_: Any) -> None:
    global _main  # noqa: PLW0603 - one per process
    _main = os.getpid()


def in_worker() -> bool:
    """Whether this process belongs to a Celery worker."""
    return _main is not None


def can_interrupt() -> bool:
    """Whether jobs run in the main thread of a process of their own: in a prefork pool."""
    return _main not in (None, os.getpid()) and (
        threading.current_thread() is threading.main_thread()
    )


def run_message(
    store: Store,
    watchdog: Watchdog,
    worker: str,
    job_id: str,
    digest: str,
    error: list[str] | None,
) -> None:
    """Run a job that a message names, unless it has begun, ended or expired.

    Args:
        store: where the job is.
        watchdog: ends it when it has to.
        worker: the name of this worker, for messages.
        job_id: the job.
        digest: the code of the callback in the web process; empty if it did not know it.
        error: how it ended with an earlier worker; then only ``on_error`` is called.
    """
    job = store.change(job_id, begin) if error is None else store.load(job_id)
    if job is None or job.state is not State.RUNNING:
        return
    callback = registry.get(job.callback)
    problem = _problem(callback, digest, job, worker)
    if problem is not None:
        log.error("%s", problem.message)
        store.change(job_id, ending(problem))
        return
    assert callback is not None
    run = _CeleryRun(store, job, callback, None if error is None else _error(*error))
    with watchdog.over(run):
        run_job(run)
    if run.ended_by is not None:
        raise run.ended_by


class _CeleryRun(Run):
    #: What billiard raises into a process that gets one of these signals.
    SIGNALS = tuple(
        -(256 - getattr(signal, name)) for name in ("SIGTERM", "SIGQUIT") if hasattr(signal, name)
    )
    ended_by: SystemExit | None = None

    def exited(self, error: SystemExit) -> Outcome:
        if error.code not in self.SIGNALS:
            return super().exited(error)
        self.ended_by = error
        return Lost("the worker was stopped while the job ran")


def _problem(callback: LongCallback | None, digest: str, job: Job, worker: str) -> Failed | None:
    if callback is None:
        return Failed(
            "CallbackNotFound",
            f"the Celery worker {worker} has no long callback {job.callback!r}: the module that "
            "its command names does not declare it, or an older version of it is running. "
            "Start it with the module of the app, as in `celery -A app:celery_app worker`.",
        )
    if digest and callback.digest != digest:
        return Failed(
            "CallbackOutdated",
            f"the Celery worker {worker} has another version of {callback.name} than the web "
            "server: restart the workers and the web server with the same code and the same "
            "version of Python.",
        )
    return None


def _error(kind: str, message: str) -> JobEnded:
    return (JobTimedOut if kind == JobTimedOut.__name__ else JobLost)(message)


@dataclass
class _Watched:
    run: Run
    since: float
    interrupt: bool
    kill_at: float = float("inf")


class Watchdog:
    """Ends jobs of this process that are cancelled or take too long. One thread, when needed.

    Args:
        store: where wishes to cancel are.
        grace: seconds from the end of a job to the end of its process.
        lose: ends a job whose process is about to end, by its ``on_error`` if it has one.
    """

    def __init__(self, store: Store, grace: float, lose: Callable[[Job, TimedOut], object]) -> None:
        self._store = store
        self._grace = grace
        self._lose = lose
        self._lock = threading.Lock()
        self._jobs: dict[str, _Watched] = {}
        self._wake = threading.Event()
        self._pid = 0

    @contextlib.contextmanager
    def over(self, run: Run) -> Any:
        """Watch a job as long as the block runs."""
        watched = _Watched(run, time.monotonic(), can_interrupt())
        with self._lock:
            if self._pid != os.getpid():  # once in each process: threads do not cross a fork
                self._pid = os.getpid()
                self._begin(watched)
            self._jobs[run.job.id] = watched
        self._wake.set()
        try:
            yield
        finally:
            with self._lock:
                del self._jobs[run.job.id]

    def _begin(self, watched: _Watched) -> None:
        if watched.interrupt:
            # Celery has its processes ignore Ctrl-C, which is the main process's; so does this.
            signal.signal(signal.SIGINT, self._interrupted)
        threading.Thread(target=self._watch, daemon=True, name="watchdog").start()

    def _interrupted(self, _signal: int, _frame: Any) -> None:
        """The main thread's part of a stop: raise inside the user's function."""
        for watched in list(self._jobs.values()):
            if watched.interrupt:
                watched.run.checkpoint()

    def _watch(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            time.sleep(WATCH_SECONDS)
            try:
                with self._store.watch_cancel() as watch:
                    while self._jobs:
                        self._turn(watch)
            except StoreError:
                log.exception("cancels can't be seen; trying again")
                time.sleep(TICK_SECONDS)
                self._wake.set()

    def _turn(self, watch: Watch) -> None:
        now = time.monotonic()
        with self._lock:
            jobs = list(self._jobs.values())
        watch.follow([watched.run.job.id for watched in jobs])
        for watched in jobs:
            self._look_at_clock(watched, now)
        if watch.wait(TICK_SECONDS):
            for watched in jobs:
                if watched.run.stopping is None and self._store.cancel_asked(watched.run.job.id):
                    self._stop(watched, JobCancelled())

    def _look_at_clock(self, watched: _Watched, now: float) -> None:
        timeout = watched.run.callback.options.timeout
        if watched.run.stopping is None and timeout and now - watched.since > timeout:
            self._stop(watched, JobTimedOut(TimedOut(timeout).reason))
        if now >= watched.kill_at:
            watched.kill_at = float("inf")
            self._kill(watched)

    def _stop(self, watched: _Watched, reason: JobCancelled | JobTimedOut) -> None:
        watched.run.stop(reason)
        watched.kill_at = time.monotonic() + self._grace
        if watched.interrupt:
            interrupt_main_thread()

    def _kill(self, watched: _Watched) -> None:
        """The grace is over: the page is told, and the process ends if it is the job's own."""
        job = watched.run.job
        timed_out = isinstance(watched.run.stopping, JobTimedOut)
        outcome = TimedOut(watched.run.callback.options.timeout or 0) if timed_out else Cancelled()
        try:
            # A function that goes on would write over what another process does with the job.
            if watched.interrupt and isinstance(outcome, TimedOut):
                self._lose(job, outcome)
            else:
                self._store.change(job.id, ending(outcome))
        except StoreError:
            log.exception("the end of %s could not be stored", watched.run.callback.name)
        if not watched.interrupt:
            log.warning("%s goes on until its next update", watched.run.callback.name)
            return
        for process in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):
                process.kill()
        os.kill(os.getpid(), signal.SIGKILL)
