"""The leader's one thread: hands queued jobs to workers and watches over both."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import threading
import time
from collections import deque
from dataclasses import dataclass
from multiprocessing import connection
from typing import TYPE_CHECKING, Any

import cloudpickle

from dash_long_callback.callbacks import LongCallback, registry
from dash_long_callback.errors import (
    JobEnded,
    JobLost,
    JobTimedOut,
    NotPickleable,
    StoreError,
)
from dash_long_callback.executors.local import preload
from dash_long_callback.executors.local.launch import Launcher
from dash_long_callback.executors.local.worker import (
    Begun,
    Done,
    Ready,
    Start,
    Stop,
    WorkerOptions,
)
from dash_long_callback.jobs import Cancelled, Failed, Job, Lost, Outcome, State, TimedOut, ending

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from dash_long_callback.executors.worker_start import WorkerStart
    from dash_long_callback.stores.diskcache import DiskcacheStore

log = logging.getLogger("dash_long_callback")

#: Seconds between two looks at what nobody rings for: leases of orphans, missed rings.
TICK_SECONDS = 0.5
#: Seconds between two deletions of what has expired.
PURGE_SECONDS = 60.0
#: Seconds that a worker has to exit by itself when everything ends.
EXIT_SECONDS = 2.0
#: Times that a job is given to another worker, if one dies before it calls the function.
BEGIN_TRIES = 2
#: Workers in a row that may die before they are ready; then waiting jobs are told so.
START_TRIES = 3
#: Seconds before another try to start workers, once that has failed.
START_PAUSE = 5.0


@dataclass(frozen=True)
class PoolOptions:
    """How the pool of workers is set up.

    Attributes:
        workers: jobs that run at the same time, at most.
        start_method: ``"forkserver"``, ``"spawn"`` or ``"fork"``.
        grace: seconds that a cancelled function has to end before its process is ended.
        chosen: whether the author asked for that start method.
        worker_start: what each worker calls before its first job.
    """

    workers: int
    start_method: str
    grace: float
    chosen: bool = True
    worker_start: WorkerStart | None = None


@dataclass
class _Worker:
    process: Any
    pipe: Connection
    digests: dict[str, str] | None = None
    job: Job | None = None
    given: float = 0.0
    begun: bool = False
    error: JobEnded | None = None
    stop: Stop | None = None
    kill_at: float = float("inf")
    retiring: bool = False

    @property
    def idle(self) -> bool:
        return self.digests is not None and self.job is None and not self.retiring


@dataclass
class _Unhandled:
    """A job whose worker died, and whose ``on_error`` another worker is to call."""

    job: Job
    error: JobEnded


class Supervisor:
    """Runs the pool. All public methods but ``run`` may be called from any thread."""

    def __init__(self, store: DiskcacheStore, options: PoolOptions) -> None:
        self._store = store
        self._options = options
        self._launcher = Launcher(
            options.start_method, chosen=options.chosen, worker_start=options.worker_start
        )
        self._workers: list[_Worker] = []
        self._orphans: dict[str, Job] = {}
        self._unhandled: list[_Unhandled] = []
        #: Whether somebody rang since the queue was found empty: then a job may wait in it.
        self._queued = True
        #: Whether to look into the queue: a ring may have been missed. Each look takes its lock.
        self._look = True
        self._tries: dict[str, int] = {}
        self._failed_starts = 0
        self._start_after = 0.0
        #: What the store is yet to be told, which may fail: a job's id with its outcome, or with
        #: None if the job is to queue again.
        self._untold: deque[tuple[str, Outcome | None]] = deque()
        #: For what workers do. Never held while workers start, which takes seconds.
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._door = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._door.bind(("127.0.0.1", 0))
        self._door.setblocking(False)
        self._address = self._door.getsockname()

    def stop(self) -> None:
        """Make ``run`` end."""
        self._stopping.set()
        self.wake()

    def wake(self) -> None:
        """Have ``run`` look for news."""
        self._queued = True
        with contextlib.suppress(OSError):
            self._door.sendto(b"", self._address)

    def is_ready(self) -> bool:
        """Whether a worker is idle, and no job queues for it as far as is known."""
        if self._queued or self._stopping.is_set():
            return False
        workers = list(self._workers)
        return any(w.idle for w in workers) and self._busy(workers) < self._options.workers

    def take(self, job: Job) -> bool:
        """Run a job that is marked as running. Returns False if nothing runs here any more."""
        with self._lock:
            if self._stopping.is_set():
                return False
            worker = next((w for w in self._workers if w.idle), None)
            if worker is not None:
                self._give(worker, job)
            else:
                self._untold.append((job.id, None))
            told = not self._untold
        if not told:
            self.wake()
        return True

    def run(self) -> None:
        """Supervise until stopped."""
        self._store.set_doorbell(self._address[1])
        # Jobs that an earlier leader's workers still run, or died with.
        self._orphans = {job.id: job for job in self._store.active()}
        purge_at = time.monotonic() + PURGE_SECONDS
        try:
            while not self._stopping.is_set():
                try:
                    self._turn()
                    if time.monotonic() > purge_at:
                        purge_at = time.monotonic() + PURGE_SECONDS
                        self._store.purge()
                except Exception:
                    # A full disk, a fork server that was killed: whatever it is, the workers and
                    # their jobs are worth another try.
                    log.exception("the engine of %s stumbled; trying again", self._store.directory)
                    self._stopping.wait(TICK_SECONDS)
        finally:
            self._end_all()

    def _turn(self) -> None:
        self._start_workers()
        with self._lock:
            self._assign()
            self._tell_store()
        waiting: list[Any] = [self._door, *(w.pipe for w in self._workers)]
        waiting += [w.process.sentinel for w in self._workers]
        deadline = min((w.kill_at for w in self._workers), default=float("inf"))
        timeout = max(0.0, min(TICK_SECONDS, deadline - time.monotonic(), self._next_timeout()))
        ready = connection.wait(waiting, timeout)
        if self._door in ready:
            with contextlib.suppress(BlockingIOError):
                while True:
                    self._door.recv(1)
        with self._lock:
            if self._door in ready or not ready:
                self._look = True
            if self._door in ready:
                self._queued = True
            for worker in list(self._workers):
                dead = worker.process.sentinel in ready
                if dead or worker.pipe in ready:
                    self._hear(worker)
                if dead:
                    self._bury(worker)
            if self._door in ready or not ready:
                self._look_for_cancels()
            self._look_at_clocks()
            if not ready:
                self._look_at_orphans()
            self._tell_store()

    # Workers: start, hear, bury

    def _start_workers(self) -> None:
        if time.monotonic() < self._start_after:
            return
        while len(self._workers) < self._options.workers:
            self._workers.append(self._spawn())

    def _spawn(self) -> _Worker:
        app = preload.app_modules(self._modules())
        options = WorkerOptions(
            directory=str(self._store.directory),
            retention=self._store.retention,
            app=app,
            # Under the development server a vanished leader means that the developer is done.
            finish="WERKZEUG_RUN_MAIN" not in os.environ,
        )
        process, ours = self._launcher.start(options)
        return _Worker(process, ours)

    def _modules(self) -> list[str]:
        found = list(registry.modules)
        found += [getattr(c.function, "__module__", "") for c in registry.all()]
        return list(dict.fromkeys(name for name in found if name))

    def _hear(self, worker: _Worker) -> None:
        try:
            while worker.pipe.poll():
                message = worker.pipe.recv()
                if isinstance(message, Ready):
                    app = preload.app_modules(self._modules())
                    worker.retiring = not self._launcher.accepts(message, app)
                    worker.digests = message.digests
                    self._failed_starts = 0
                    for error in message.errors:
                        log.warning("a worker could not import a module of the app\n%s", error)
                elif isinstance(message, Begun):
                    worker.begun = True
                elif isinstance(message, Done):
                    self._done(worker, message)
        except (EOFError, OSError):
            pass  # it is dying; the sentinel says when it is dead

    def _done(self, worker: _Worker, done: Done) -> None:
        if done.problem is not None:
            self._end(done.job_id, Lost(done.problem))
        self._tries.pop(done.job_id, None)
        worker.job = worker.stop = None
        worker.kill_at = float("inf")
        if done.spent:
            worker.retiring = True
            worker.kill_at = time.monotonic() + EXIT_SECONDS

    def _bury(self, worker: _Worker) -> None:
        self._kill(worker)  # children of the job that outlived their worker
        worker.process.join()
        worker.pipe.close()
        self._workers.remove(worker)
        if worker.digests is None:
            self._failed_starts += 1
            if self._failed_starts >= START_TRIES:
                self._start_after = time.monotonic() + START_PAUSE
                self._fail_waiting()
        job, code = worker.job, worker.process.exitcode
        if job is None:
            return
        if not worker.begun and self._tries.get(job.id, 0) < BEGIN_TRIES:
            self._tries[job.id] = self._tries.get(job.id, 0) + 1
            self._again(worker, job)
        elif worker.error is not None:  # it was the handler that did not survive
            self._end(job.id, _outcome_of(worker.error, job))
        elif worker.stop is None:
            self._fail(job, JobLost(f"the worker process {_died(code)} while it ran the job"))
        elif worker.stop.timed_out:
            self._fail(job, JobTimedOut(TimedOut(_timeout(job) or 0).reason))
        else:
            self._end(job.id, Cancelled())

    def _again(self, worker: _Worker, job: Job) -> None:
        """A worker died before it called the function, or the handler: another worker may."""
        if worker.error is None:
            self._untold.append((job.id, None))
        else:
            self._unhandled.append(_Unhandled(job, worker.error))

    def _kill(self, worker: _Worker) -> None:
        if hasattr(os, "killpg"):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(worker.process.pid, signal.SIGKILL)
        if worker.process.is_alive():
            worker.process.kill()

    def _fail_waiting(self) -> None:
        log.error("workers die before they are ready; see above for their errors")
        while (job := self._store.claim()) is not None:
            self._end(job.id, Lost("no worker process could be started; the server's log says why"))

    # Jobs: assign, stop, end

    def _busy(self, workers: list[_Worker]) -> int:
        # Jobs that an earlier leader's workers still run count, too.
        return sum(w.job is not None for w in workers) + len(self._orphans)

    def _assign(self) -> None:
        busy = self._busy(self._workers)
        for worker in [w for w in self._workers if w.idle]:
            if self._unhandled:
                unhandled = self._unhandled.pop()
                self._give(worker, unhandled.job, unhandled.error)
            elif busy < self._options.workers:
                if not self._look:
                    return
                job = self._store.claim()
                if job is None:
                    self._look = self._queued = False
                    return
                self._give(worker, job)
                busy += 1

    def _give(self, worker: _Worker, job: Job, error: JobEnded | None = None) -> None:
        callback = registry.get(job.callback)
        if callback is None:
            message = f"this app has no long callback {job.callback!r}: was it renamed since?"
            self._end(job.id, Failed("CallbackNotFound", message))
            return
        try:
            pickled = self._by_value(callback) if self._differs(worker, callback) else None
        except NotPickleable as problem:
            self._end(job.id, Failed("NotPickleable", str(problem)))
            return
        worker.job, worker.error, worker.stop = job, error, None
        worker.given, worker.begun = time.monotonic(), False
        try:
            worker.pipe.send(Start(job, callback.key, pickled, error))
        except OSError:  # it died a moment ago, and never saw the job
            worker.job = None
            self._again(worker, job)

    def _differs(self, worker: _Worker, callback: LongCallback) -> bool:
        assert worker.digests is not None
        return worker.digests.get(callback.key) != callback.digest

    def _by_value(self, callback: LongCallback) -> bytes:
        try:
            return cloudpickle.dumps(callback.recipe)
        except Exception as error:
            raise NotPickleable(
                f"{callback.name} can't be imported by a worker process, nor sent to one "
                f"({type(error).__name__}: {error}). Define it at the top level of a module, or "
                "keep what can't be pickled (connections, locks, the app) out of what it refers to."
            ) from error

    def _look_for_cancels(self) -> None:
        for worker in self._workers:
            if worker.job and not worker.stop and self._store.cancel_asked(worker.job.id):
                self._stop(worker, Stop(worker.job.id))
        for job in list(self._orphans.values()):
            if self._store.cancel_asked(job.id):
                # Nobody can reach that worker; its outcome will not be taken.
                self._end(job.id, Cancelled())

    def _look_at_clocks(self) -> None:
        now = time.monotonic()
        for worker in self._workers:
            if worker.job and not worker.stop:
                timeout = _timeout(worker.job)
                if timeout and now - worker.given > timeout:
                    self._stop(worker, Stop(worker.job.id, timed_out=True))
            if now >= worker.kill_at:
                worker.kill_at = float("inf")
                self._kill(worker)

    def _next_timeout(self) -> float:
        now = time.monotonic()
        left = [
            worker.given + timeout - now
            for worker in self._workers
            if worker.job and not worker.stop and (timeout := _timeout(worker.job))
        ]
        return min(left, default=TICK_SECONDS)

    def _stop(self, worker: _Worker, stop: Stop) -> None:
        worker.stop = stop
        worker.kill_at = time.monotonic() + self._options.grace
        with contextlib.suppress(OSError):
            worker.pipe.send(stop)

    def _look_at_orphans(self) -> None:
        for job in list(self._orphans.values()):
            current = self._store.load(job.id)
            if current is None or current.state is not State.RUNNING:
                del self._orphans[job.id]
            elif not self._store.leased(job.id):
                del self._orphans[job.id]
                self._fail(
                    current,
                    JobLost("its worker process has not been heard of since the server restarted"),
                )

    def _fail(self, job: Job, error: JobEnded) -> None:
        """End a job that can't end by itself: by its ``on_error`` if it has one."""
        log.error("%s: %s", job.callback, error)
        callback = registry.get(job.callback)
        if callback is not None and callback.handles_errors:
            self._unhandled.append(_Unhandled(job, error))
        else:
            self._end(job.id, _outcome_of(error, job))

    def _end(self, job_id: str, outcome: Outcome) -> None:
        self._untold.append((job_id, outcome))

    def _tell_store(self) -> None:
        while self._untold:
            job_id, outcome = self._untold.popleft()
            try:
                if outcome is None:
                    self._store.unclaim(job_id)
                    self._look = self._queued = True
                else:
                    self._store.change(job_id, ending(outcome))
            except StoreError:
                self._untold.appendleft((job_id, outcome))
                raise

    def _end_all(self) -> None:
        self._stopping.set()
        with self._lock:  # whoever gives a job to a worker has done so, or will not
            for worker in self._workers:
                if worker.job is not None:
                    log.error("%s: the server was stopped while the job ran", worker.job.callback)
                    self._end(worker.job.id, Lost("the server was stopped while the job ran"))
            # Before the stop: the workers would write Cancelled, which nobody wished.
            with contextlib.suppress(StoreError):
                self._tell_store()
        for worker in self._workers:
            with contextlib.suppress(OSError):
                worker.pipe.send(Stop(worker.job.id) if worker.job else None)
        deadline = time.monotonic() + EXIT_SECONDS
        for worker in self._workers:
            worker.process.join(max(0.0, deadline - time.monotonic()))
            self._kill(worker)
            worker.process.join()
            worker.pipe.close()
        self._door.close()


def _outcome_of(error: JobEnded, job: Job) -> Outcome:
    if isinstance(error, JobTimedOut):
        return TimedOut(_timeout(job) or 0)
    return Lost(str(error))


def _timeout(job: Job) -> float | None:
    callback = registry.get(job.callback)
    return None if callback is None else callback.options.timeout


def _died(code: int | None) -> str:
    if code is None or code >= 0:
        return f"exited with code {code}"
    with contextlib.suppress(ValueError):
        name = signal.Signals(-code).name
        hint = " (out of memory?)" if name == "SIGKILL" else ""
        return f"was ended by {name}{hint}"
    return f"was ended by signal {-code}"
