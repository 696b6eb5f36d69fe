"""Ends the jobs of this process that are cancelled or take too long."""

from __future__ import annotations

import _thread
import contextlib
import os
import signal
import threading
import time
from collections.abc import Generator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from dash_long_callback.ends import end
from dash_long_callback.errors import StoreError
from dash_long_callback.fault_log import FaultLog, log
from dash_long_callback.jobs import TimedOut
from dash_long_callback.stores.job_store import JobStore
from dash_long_callback.stores.notifier import Subscription, Waker
from dash_long_callback.worker import processes
from dash_long_callback.worker.limits import Limits
from dash_long_callback.worker.run import Run

#: Seconds that a job runs before the store is asked about it: most have ended by then.
FOLLOW_SECONDS = 0.1
#: Seconds between two turns, where the store tells of cancels: jobs that began since are followed
#: from then on.
TURN_SECONDS = 0.5


@dataclass
class _Watched:
    run: Run
    limits: Limits
    interrupt: bool


class Watchdog:
    """Ends jobs of this process. One thread, when there is something to watch.

    A function is told to stop: by an exception, where its thread can be interrupted, else at its
    next update. If it goes on after the grace, others are told how the job has ended, and the
    process ends, if it is the job's own.

    Args:
        store: has the requests to cancel.
        grace: seconds from the one to the other.
        notified: whether ``stop`` is called for each cancel: then the store is not asked.
    """

    def __init__(self, store: JobStore, grace: float, *, notified: bool = False) -> None:
        self._store = store
        self._grace = grace
        self._notified = notified
        #: Whether nobody does that any more.
        self._alone = False
        self._lock = threading.RLock()
        self._jobs: dict[str, _Watched] = {}
        #: One that was to be stopped before it began.
        self._early: str | None = None
        self._waker = Waker()
        self._pid = 0
        self._faults = FaultLog("cancels and timeouts can't be watched")
        self._store_faults = FaultLog("the end of a job can't be stored")

    @contextlib.contextmanager
    def over(self, run: Run, *, interrupt: bool = True) -> Generator[None]:
        """Watch a job as long as the block runs.

        Args:
            run: the job.
            interrupt: whether it runs in the main thread of a process of its own.
        """
        limits = Limits.of(run.job, self._grace)
        watched = _Watched(run, limits, interrupt)
        run.on_stop = self._waker.wake
        with self._lock:
            if self._pid != os.getpid():  # once in each process: threads do not cross a fork
                threading.Thread(target=self._watch, daemon=True, name="watchdog").start()
                self._pid = os.getpid()
            idle = not self._jobs
            self._jobs[run.job.id] = watched
            if run.job.id == self._early:
                self._stop(watched)
        if limits.timeout or (idle and (self._alone or not self._notified)):
            self._waker.wake()
        try:
            yield
        finally:
            with self._lock:
                self._jobs.pop(run.job.id, None)

    def stop(self, job_id: str) -> None:
        """Have a job stop, now or once it begins."""
        with self._lock:
            watched = self._jobs.get(job_id)
            if watched is None:
                self._early = job_id
            else:
                self._stop(watched)

    def ask(self) -> None:
        """Nobody calls ``stop`` any more: ask the store from now on."""
        self._alone = True
        self._waker.wake()

    def interrupted(self, _signal: int, _frame: Any) -> None:
        """The main thread's part of a stop: raise inside the user's function."""
        for watched in list(self._jobs.values()):
            if watched.interrupt:
                watched.run.checkpoint()

    def _watch(self) -> None:
        while True:
            self._waker.wait(threading.TIMEOUT_MAX)
            if not self._notified:
                time.sleep(FOLLOW_SECONDS)
            try:
                with self._subscribed() as subscription:
                    while self._jobs:
                        self._turn(subscription)
                        self._faults.succeeded()
            except Exception as error:
                # Whatever it is: without this thread no job of this process could be stopped.
                self._faults.failed(error, traceback=not isinstance(error, StoreError))
                time.sleep(TURN_SECONDS)
                self._waker.wake()

    def _subscribed(self) -> AbstractContextManager[Subscription | None]:
        if self._notified:
            return contextlib.nullcontext()
        return self._store.subscribe_to_cancels(self._waker)

    def _turn(self, subscription: Subscription | None) -> None:
        # No variable refers to a job while this waits, which may be for longer than the job runs.
        woken = self._waker.wait(self._keep_limits(subscription))
        if self._alone or (woken and subscription is not None):
            self._ask_for_cancels()

    def _watched(self) -> list[_Watched]:
        with self._lock:
            return list(self._jobs.values())

    def _keep_limits(self, subscription: Subscription | None) -> float:
        """End what has to end by now. Returns the seconds until the next that has to."""
        jobs = self._watched()
        if subscription is not None:
            subscription.follow([watched.run.job.id for watched in jobs])
        for watched in jobs:
            self._check_limits(watched)
        now = time.monotonic()
        until = min((watched.limits.next for watched in jobs), default=now)
        if subscription is not None or self._alone:
            until = min(until, now + TURN_SECONDS)
        return min(max(0.0, until - now), threading.TIMEOUT_MAX)

    def _ask_for_cancels(self) -> None:
        for watched in self._watched():
            if not watched.limits.stopping and self._store.cancel_asked(watched.run.job.id):
                self._stop(watched)

    def _check_limits(self, watched: _Watched) -> None:
        now = time.monotonic()
        limits = watched.limits
        with self._lock:
            if self._jobs.get(watched.run.job.id) is not watched:
                return  # it has ended
            if watched.run.stopping is not None and not limits.stopping:
                # Others have ended the job, or given it to another worker.
                self._stop(watched)
            if limits.expire(now):
                self._stop_function(watched)
            if not limits.overdue(now):
                return
            del self._jobs[watched.run.job.id]  # there is nothing more that could be done
        self._end(watched)

    def _stop(self, watched: _Watched) -> None:
        if watched.limits.stop(time.monotonic()):
            self._stop_function(watched)
            self._waker.wake()

    def _stop_function(self, watched: _Watched) -> None:
        if watched.run.stopping is None:
            watched.run.stop(watched.limits.reason)
        if watched.interrupt:
            interrupt_main_thread()

    def _end(self, watched: _Watched) -> None:
        """The grace is over: the page is told, and the process ends if it is the job's own."""
        job, outcome = watched.run.job, watched.limits.outcome
        try:
            # A function that goes on would write over what another process does with the job.
            if watched.interrupt and isinstance(outcome, TimedOut):
                watched.run.lose(outcome)
            else:
                end(self._store, job.id, outcome, job.attempt, final=True)
        except Exception as error:  # whatever it is, the process is to end
            self._store_faults.failed(error, traceback=not isinstance(error, StoreError))
        if not watched.interrupt:
            log.warning("no. %s: %s goes on until its next update", job.ref, job.name)
            return
        processes.end_this()


def interrupt_main_thread() -> None:
    """Have the main thread run its SIGINT handler now."""
    if hasattr(signal, "pthread_kill"):
        # Unlike an exception set from another thread, a signal ends a sleep or a read.
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    else:
        _thread.interrupt_main()
