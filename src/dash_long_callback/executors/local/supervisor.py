"""The leader's one thread: hands queued jobs to workers and watches over both."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Callable
from typing import Any

from dash_long_callback.errors import StoreError
from dash_long_callback.executors.local.machine import Machine
from dash_long_callback.executors.local.messages import (
    Begun,
    Done,
    Ready,
    Start,
    Stop,
    Unready,
)
from dash_long_callback.executors.local.orphans import SLACK, Orphans
from dash_long_callback.executors.local.pending_writes import PendingWrites
from dash_long_callback.executors.local.pool_options import Ending, PoolOptions
from dash_long_callback.executors.local.pool_worker import EXIT_SECONDS, PoolWorker
from dash_long_callback.executors.local.starts import Starts
from dash_long_callback.fault_log import FaultLog, log
from dash_long_callback.jobs import Failed, Job, Lost
from dash_long_callback.stores.job_store import JobStore
from dash_long_callback.worker import processes
from dash_long_callback.worker.limits import Limits

#: Seconds between two looks at what nobody wakes it for: leases of orphans, lost datagrams.
TICK_SECONDS = 0.5
#: Seconds after which a leader that was busy, or paused itself, does not count what it missed.
#: More than a turn waits for a store that is locked, as then workers are heard of all the same.
PAUSED_SECONDS = 6.0
#: Seconds between two deletions of what has expired.
PURGE_SECONDS = 60.0
#: Times that a job is given to another worker, if one dies before it calls the function.
BEGIN_TRIES = 2


class Supervisor:
    """Runs the pool. All public methods but ``run`` may be called from any thread.

    Args:
        store: where jobs are.
        options: of the pool.
        machine: what starts workers, and wakes the leader.
        leads: whether this process is still the one to do this.
    """

    def __init__(
        self, store: JobStore, options: PoolOptions, machine: Machine, leads: Callable[[], bool]
    ) -> None:
        self._store = store
        self._options = options
        self._leads = leads
        self._launcher = machine.launcher()
        self._workers: list[PoolWorker] = []
        self._orphans = Orphans(store, options.grace)
        #: Whether what an earlier leader has left was looked up.
        self._took_over = False
        #: Whether somebody woke it since the queue was found empty: then a job may wait in it.
        self._queued = True
        #: Whether to look into the queue: a datagram may have got lost.
        self._check_queue = True
        self._tries: dict[str, int] = {}
        self._starts = Starts()
        self._writes = PendingWrites(store, self._expect_queued)
        self._turned = time.monotonic()
        self._upkeep_at = self._orphans_at = 0.0
        self._faults = FaultLog(f"the engine of {machine.name} has an error; trying again")
        #: For what workers do. Never held while workers start, which takes seconds.
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._ending: Ending = "finish"
        self._inbox = machine.inbox()

    def stop(self, ending: Ending) -> None:
        """Make ``run`` end.

        Args:
            ending: what becomes of running jobs.
        """
        self._ending = ending
        self._stopping.set()
        self.wake()

    def wake(self) -> None:
        """Have ``run`` look for news."""
        self._queued = True
        self._inbox.wake()

    def is_ready(self) -> bool:
        """Whether a worker is idle, and no job queues for it as far as is known."""
        if self._queued or self._stopping.is_set():
            return False
        return self._free_worker() is not None

    def take(self, job: Job) -> bool:
        """Run a job that is marked as running. Returns False if nothing runs here any more."""
        with self._lock:
            if self._stopping.is_set():
                return False
            # Since is_ready() others may have come, and those who run for an earlier leader.
            worker = self._free_worker()
            if worker is not None:
                self._dispatch(worker, job)
            else:
                self._writes.requeue(job)
            written = not self._writes
        if not written:
            self.wake()
        return True

    def run(self) -> None:
        """Supervise until stopped, or until another process leads."""
        try:
            while not self._stopping.is_set() and self._leads():
                try:
                    try:
                        self._turn()
                    finally:
                        # In any case: a worker that is to be ended may be what keeps the store from
                        # being used, if it was paused while it wrote.
                        self._react(*self._wait())
                    self._faults.succeeded()
                except Exception as error:
                    # A full disk, a fork server that was killed: whatever it is, the workers and
                    # their jobs are worth another try.
                    self._faults.failed(error, traceback=not isinstance(error, StoreError))
                    self._stopping.wait(TICK_SECONDS)
        finally:
            self._end_all()

    def _keep_up(self) -> None:
        """What is due now and then."""
        if time.monotonic() < self._upkeep_at:
            return
        # Again and again, as the store may be another one since.
        self._store.set_port(self._inbox.port)
        if self._upkeep_at:
            self._store.purge()
        self._upkeep_at = time.monotonic() + PURGE_SECONDS

    def _turn(self) -> None:
        with self._lock:
            self._writes.flush()  # how jobs have ended, before anything that takes long
        self._start_workers()
        if not self._took_over:  # once workers are on their way
            self._orphans.take_over()
            self._took_over = True
        self._keep_up()
        with self._lock:
            self._assign()
            self._writes.flush()

    def _wait(self) -> tuple[bool, list[Any]]:
        """Wait for what happens, at most until something is due."""
        waiting: list[Any] = [w.pipe for w in self._workers if not w.disconnected]
        waiting += [w.process.sentinel for w in self._workers]
        due = min((w.due() for w in self._workers), default=math.inf)
        return self._inbox.wait(waiting, max(0.0, min(TICK_SECONDS, due - time.monotonic())))

    def _react(self, woken: bool, ready: list[Any]) -> None:
        quiet = not woken and not ready
        with self._lock:
            self._check_queue = self._check_queue or woken or quiet
            self._queued = self._queued or woken
            for worker in list(self._workers):
                dead = worker.process.sentinel in ready
                if dead or worker.pipe in ready:
                    self._drain(worker)
                if dead:
                    self._reap(worker)
            self._check_workers()
            if woken or quiet:
                self._pass_on_cancels()
            # A server that is never quiet has orphans, too.
            if quiet or time.monotonic() - self._orphans_at > TICK_SECONDS:
                for job, outcome in self._orphans.judge():
                    self._writes.end(job, outcome)
                self._orphans_at = time.monotonic()

    # Workers: start, drain, reap

    def _start_workers(self) -> None:
        while self._starts.due and len(self._workers) < self._options.workers:
            self._workers.append(self._launcher.start())

    def _drain(self, worker: PoolWorker) -> None:
        for message in worker.messages():
            if isinstance(message, Ready):
                worker.retiring = not self._launcher.accepts(message)
                worker.ready = message
                self._starts.succeeded(message)
            elif isinstance(message, Unready):
                self._starts.problem = message.problem
            elif isinstance(message, Begun):
                worker.begun = worker.job is not None and worker.job.id == message.job_id
            elif isinstance(message, Done):
                self._done(worker, message)

    def _done(self, worker: PoolWorker, done: Done) -> None:
        job = worker.job
        if job is None or job.id != done.job_id:
            return  # of a process that a function has forked
        if done.problem is not None:
            self._writes.end(job, Lost(done.problem), final=True)
        elif done.unloaded is not None:
            self._unable(job, done.unloaded)
        self._tries.pop(job.id, None)
        worker.done(done)
        if job.limits:
            self._expect_queued()  # others may have waited for its end

    def _check_workers(self) -> None:
        now = time.monotonic()
        missed = now - self._turned
        self._turned = now
        for worker in self._workers:
            worker.check_silence(missed if missed > PAUSED_SECONDS else 0.0)
            worker.enforce()

    def _reap(self, worker: PoolWorker) -> None:
        worker.kill()  # children of the job that outlived their worker
        worker.close()
        self._workers.remove(worker)
        if worker.ready is None and (why := self._starts.failed(worker.death)) is not None:
            self._fail_waiting(why)
        job, limits = worker.job, worker.limits
        if job is None:
            return
        # It may have written the end itself, and have left the on_error to another.
        self._expect_queued()
        limits.expire(time.monotonic())
        if limits.stopping:
            self._writes.end(job, limits.outcome)
        elif not worker.begun and self._tries.get(job.id, 0) < BEGIN_TRIES:
            self._tries[job.id] = self._tries.get(job.id, 0) + 1
            self._writes.requeue(job)
        else:
            lost = Lost(f"the worker process {worker.death} while it ran the job")
            self._writes.end(job, lost)

    def _fail_waiting(self, why: str) -> None:
        lost = Lost(f"no worker process could be started: {why}", "unavailable")
        while (job := self._store.claim()) is not None:
            self._writes.end(job, lost, final=True)

    # Jobs: assign, stop, end

    def _free_worker(self) -> PoolWorker | None:
        """One that may be given a job. Jobs that an earlier leader's workers run count, too."""
        workers = list(self._workers)
        if sum(w.job is not None for w in workers) + len(self._orphans) >= self._options.workers:
            return None
        return next((w for w in workers if w.idle), None)

    def _assign(self) -> None:
        for _ in range(self._options.workers):  # one that has died just now stays idle
            worker = self._free_worker() if self._check_queue else None
            if worker is None:
                return
            job = self._store.claim()
            if job is None:
                self._check_queue = self._queued = False
                return
            self._dispatch(worker, job)

    def _dispatch(self, worker: PoolWorker, job: Job) -> None:
        assert worker.ready is not None
        start = self._launcher.start_message(job, worker.ready)
        if not isinstance(start, Start):
            self._unable(job, start)
        elif not worker.dispatch(start, Limits.of(job, self._options.grace + SLACK)):
            self._writes.requeue(job)

    def _pass_on_cancels(self) -> None:
        for worker in self._workers:
            job, told = worker.job, worker.limits.stopping
            if job is not None and not told and self._store.cancel_asked(job.id):
                worker.stop()

    def _unable(self, job: Job, outcome: Failed) -> None:
        """End a job whose function no worker can call: by its ``on_error`` if it has one."""
        self._writes.end(job, self._starts.explained(outcome))

    def _expect_queued(self) -> None:
        self._check_queue = self._queued = True

    def _end_all(self) -> None:
        """Leave as ``stop`` said. What waits is for the next leader."""
        self._stopping.set()
        with self._lock:  # whoever gives a job to a worker has done so, or will not
            busy = [(worker, job) for worker in self._workers if (job := worker.job) is not None]
            if self._ending == "finish":
                self._let_finish(busy)
            else:
                for _, job in busy:
                    self._take_away(job)
            # Before the stop: the workers would write Cancelled, which nobody asked for.
            with contextlib.suppress(StoreError):
                self._writes.flush()
        # Before they end: the children of who has ended can't be found any more.
        below = [process for w in self._workers for process in processes.descendants(w.process.pid)]
        for worker in self._workers:
            worker.send(Stop(worker.job.id) if worker.job else None)
        deadline = time.monotonic() + EXIT_SECONDS
        for worker in self._workers:
            worker.process.join(max(0.0, deadline - time.monotonic()))
            worker.kill()
            worker.close()
        processes.kill(below)
        self._inbox.close()

    def _take_away(self, job: Job) -> None:
        """Have a job end, or queue for the next leader.

        An ``on_error`` is called by the next leader, too: this one's workers are about to end.
        """
        if self._ending == "requeue":
            self._writes.requeue(job, begun=True)
        # Also then: one whose on_error was called is not put back.
        self._writes.end(job, Lost("the server was stopped while the job ran", "stopped"))

    def _let_finish(self, busy: list[tuple[PoolWorker, Job]]) -> None:
        """Let go of these workers: they finish their jobs and exit, and the store has the rest."""
        for worker, job in busy:
            log.warning("no. %s: the server ends; the job of %s goes on", job.ref, job.name)
            worker.release()
            self._workers.remove(worker)
        deadline = time.monotonic() + self._options.stop_wait
        sentinels: list[Any] = [worker.process.sentinel for worker, _ in busy]
        while sentinels and (left := deadline - time.monotonic()) > 0:
            for ended in self._inbox.wait(sentinels, left)[1]:
                sentinels.remove(ended)
