"""A worker process: imports the app, then runs one job after another in its main thread.

A second thread listens to the leader: ``Start`` and ``Stop`` come in, ``Ready``, ``Begun`` and
``Done`` go out. If the leader vanishes, the worker finishes its job and exits.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import signal
import sys
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cloudpickle

from dash_long_callback.callbacks import LongCallback, registry
from dash_long_callback.errors import JobCancelled, JobEnded, JobTimedOut, StoreError
from dash_long_callback.executors.interrupt import interrupt_main_thread
from dash_long_callback.executors.local.preload import AppModules, import_app
from dash_long_callback.jobs import Cancelled, Job, TimedOut
from dash_long_callback.runner import Run, run_job
from dash_long_callback.stores.diskcache import WORKER_SECONDS, DiskcacheStore

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

log = logging.getLogger("dash_long_callback")


@dataclass(frozen=True)
class WorkerOptions:
    """What a worker is told when it starts.

    Attributes:
        directory: where the store is.
        retention: seconds that the store keeps a job.
        app: what to import.
        finish: whether to finish the job when the leader has vanished.
    """

    directory: str
    retention: float
    app: AppModules
    finish: bool


@dataclass(frozen=True)
class Ready:
    """Worker to leader: the app is imported.

    Attributes:
        digests: the code of each callback that was found, by key.
        errors: tracebacks of modules that could not be imported.
    """

    digests: dict[str, str]
    errors: list[str]


@dataclass(frozen=True)
class Start:
    """Leader to worker: run this job.

    Attributes:
        job: its record.
        callback: its key.
        pickled: the callback by value, if the worker can't have it by import.
        error: how the job ended with an earlier worker; then only ``on_error`` is called.
    """

    job: Job
    callback: str
    pickled: bytes | None = None
    error: JobEnded | None = None


@dataclass(frozen=True)
class Stop:
    """Leader to worker: end this job, because of a cancel or of its timeout."""

    job_id: str
    timed_out: bool = False


@dataclass(frozen=True)
class Begun:
    """Worker to leader: this job's function is about to be called."""

    job_id: str


@dataclass(frozen=True)
class Done:
    """Worker to leader: this job has ended, or why its outcome could not be stored.

    Attributes:
        spent: whether the worker exits, because an exception was injected into it.
    """

    job_id: str
    problem: str | None = None
    spent: bool = False


def worker_main(leader: Connection, options: WorkerOptions) -> None:
    """Entry point of a worker process."""
    # A session of its own: Ctrl-C in the terminal is the server's, and the job's children can be
    # ended together with it.
    if hasattr(os, "setsid"):
        with contextlib.suppress(PermissionError):
            os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    worker = _Worker(leader, options)
    signal.signal(signal.SIGINT, worker.interrupted)
    errors = import_app(options.app)
    with contextlib.suppress(OSError):
        leader.send(Ready({c.key: c.digest for c in registry.all()}, errors))
    worker.work()


class _Worker:
    def __init__(self, leader: Connection, options: WorkerOptions) -> None:
        self._leader = leader
        self._finish = options.finish
        self._store = DiskcacheStore(options.directory, options.retention, patience=WORKER_SECONDS)
        self._todo: queue.SimpleQueue[Start | None] = queue.SimpleQueue()
        self._run: Run | None = None
        self._stopped: set[str] = set()
        self._by_value: dict[str, tuple[bytes, LongCallback]] = {}
        self._sending = threading.Lock()

    def work(self) -> None:
        """Run jobs until the leader says so, or has gone."""
        threading.Thread(target=self._listen, daemon=True, name="leader").start()
        while (start := self._todo.get()) is not None:
            done = self._do(start)
            self._send(done)
            if done.spent:
                break
        sys.stdout.flush()
        sys.stderr.flush()
        # Not sys.exit: threads and atexit functions of the user's libraries may hang for ever.
        os._exit(0)

    def interrupted(self, _signal: int, _frame: Any) -> None:
        """The main thread's part of a stop: raise inside the user's function."""
        if self._run is not None:
            self._run.checkpoint()

    def _do(self, start: Start) -> Done:
        job = start.job
        try:
            callback = self._callback(start)
        except Exception as problem:
            log.exception("%s can't be loaded", start.callback)
            return Done(job.id, f"the worker can't load {start.callback}: {problem}")
        run = self._run = Run(self._store, job, callback, start.error)
        if job.id in self._stopped:
            run.stop(JobCancelled())
        self._send(Begun(job.id))
        try:
            outcome = run_job(run)
        except StoreError as problem:
            log.exception("the outcome of %s is lost", callback.name)
            return Done(job.id, str(problem))
        finally:
            self._run = None
        # After an exception out of nowhere the module state of a library may be half changed, and
        # processes that the function started may be left: a new worker takes this one's place.
        return Done(
            job.id,
            spent=isinstance(outcome, (Cancelled, TimedOut)) or run.stopping is not None,
        )

    def _callback(self, start: Start) -> LongCallback:
        if start.pickled is None:
            callback = registry.get(start.callback)
            assert callback is not None  # the leader knows what we have
            return callback
        known = self._by_value.get(start.callback)
        if known is not None and known[0] == start.pickled:
            return known[1]  # its module state is kept between runs
        callback = cloudpickle.loads(start.pickled)()
        callback.key = start.callback
        self._by_value[start.callback] = (start.pickled, callback)
        return callback

    def _listen(self) -> None:
        while True:
            try:
                message = self._leader.recv()
            except (EOFError, OSError):
                self._orphaned()
                return
            if isinstance(message, Start):
                self._todo.put(message)
            elif isinstance(message, Stop):
                self._stop(message)
            else:
                self._todo.put(None)

    def _stop(self, stop: Stop) -> None:
        run = self._run
        if run is None or run.job.id != stop.job_id:
            self._stopped.add(stop.job_id)  # not begun yet
            run = self._run
            if run is None or run.job.id != stop.job_id:
                return
        limit = TimedOut(run.callback.options.timeout or 0)
        run.stop(JobTimedOut(limit.reason) if stop.timed_out else JobCancelled())
        interrupt_main_thread()

    def _orphaned(self) -> None:
        run = self._run
        if run is not None and not self._finish:
            self._stop(Stop(run.job.id))
        self._todo.put(None)

    def _send(self, message: Begun | Done) -> None:
        with self._sending, contextlib.suppress(OSError):
            self._leader.send(message)
