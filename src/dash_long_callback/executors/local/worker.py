"""A worker process: imports the app, then runs one job after another in its main thread.

A second thread listens to the leader: ``Start``, ``Stop`` and ``Finish`` come in, ``Ready``,
``Begun``, ``Done`` and ``Alive`` go out. If the leader vanishes, the worker finishes its job and
exits; that thread then sees to cancels and to the timeout itself.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import signal
import sys
import threading
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dash_long_callback import by_value, changed_values, dash_internals
from dash_long_callback.callbacks import LongCallback, registry
from dash_long_callback.errors import JobCancelled, JobTimedOut, StoreError
from dash_long_callback.executors import processes, worker_start
from dash_long_callback.executors.interrupt import interrupt_main_thread
from dash_long_callback.executors.local import inherited, logging_setup
from dash_long_callback.executors.local.inherited import Inherited
from dash_long_callback.executors.local.preload import AppModules, import_app, imported
from dash_long_callback.executors.worker_start import Reference
from dash_long_callback.fault_log import FaultLog
from dash_long_callback.folders import claim
from dash_long_callback.jobs import Cancelled, Failed, Job, TimedOut
from dash_long_callback.runner import Run, run_job
from dash_long_callback.stores.diskcache import WORKER_SECONDS, DiskcacheStore
from dash_long_callback.stores.timing import HEARTBEAT_SECONDS

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from dash_long_callback.stores.job_store import JobStore

log = logging.getLogger("dash_long_callback")

#: Seconds between two looks of a worker without a leader at cancels and clocks.
ALONE_SECONDS = 0.5


@dataclass(frozen=True)
class WorkerOptions:
    """What a worker is told when it starts.

    Attributes:
        directory: where the store is.
        retention: seconds that the store keeps a job.
        app: what to import.
        finish: whether to finish the job when the leader has vanished.
        grace: seconds that a function has to end before its process is ended.
        environ: environment variables of the manager's process; None: this process has them.
        logging: logging settings of the manager's process.
        worker_start: the author's function to call before the first job.
        may_share: whether to use connections that other workers have, too.
    """

    directory: str
    retention: float
    app: AppModules
    finish: bool
    grace: float
    environ: dict[str, str] | None = None
    logging: dict[str, Any] | None = None
    worker_start: Reference | None = None
    may_share: bool = True


@dataclass(frozen=True)
class Ready:
    """Worker to leader: the app is imported.

    Attributes:
        digests: the code of each callback that was found, by key.
        errors: tracebacks of modules that could not be imported.
        inherited: what it has from the fork server. With connections that it may not share, it
            has exited.
        values: hashes of values of the script that callbacks read, by name.
        modules: the names in each module of the app that was imported.
    """

    digests: dict[str, str]
    errors: list[str]
    inherited: Inherited = field(default_factory=Inherited)
    values: dict[str, str] = field(default_factory=dict[str, str])
    modules: dict[str, list[str]] = field(default_factory=dict[str, list[str]])


@dataclass(frozen=True)
class Unready:
    """Worker to leader, in the place of ``Ready``: why it can't run jobs, and is about to exit."""

    problem: str


@dataclass(frozen=True)
class Start:
    """Leader to worker: run this job.

    Attributes:
        job: its record.
        callback: its key.
        pickled: the callback by value, if the worker can't have it by import.
    """

    job: Job
    callback: str
    pickled: bytes | None = None


@dataclass(frozen=True)
class Stop:
    """Leader to worker: end this job, because of a cancel or of its timeout."""

    job_id: str
    timed_out: bool = False


@dataclass(frozen=True)
class Finish:
    """Leader to worker: I am about to go; finish the job that you have, and exit."""


@dataclass(frozen=True)
class Alive:
    """Worker to leader, if there is nothing else to say: this process is not stuck."""


@dataclass(frozen=True)
class Begun:
    """Worker to leader: this job's function is about to be called."""

    job_id: str


@dataclass(frozen=True)
class Done:
    """Worker to leader: this job has ended, or why its outcome could not be stored.

    Attributes:
        spent: whether the worker exits, because an exception was injected into it.
        unloaded: how it ends if the worker could not load the callback.
    """

    job_id: str
    problem: str | None = None
    spent: bool = False
    unloaded: Failed | None = None


def worker_main(leader: Connection, options: WorkerOptions) -> None:
    """Entry point of a worker process."""
    # A session of its own: Ctrl-C in the terminal is the server's, and the job's children can be
    # ended together with it.
    if hasattr(os, "setsid"):
        with contextlib.suppress(PermissionError):
            os.setsid()
    _leave_what_is_shared(leader, options)
    worker = _Worker(leader, options)
    signal.signal(signal.SIGINT, worker.interrupted)
    processes.on_sigterm(worker.told_to_end)  # a pool that a job forks is ended by it
    try:
        errors, values = _set_up(options)
    except BaseException as error:
        with contextlib.suppress(OSError):
            name = "" if isinstance(error, _StartFailed) else f"{type(error).__name__}: "
            leader.send(Unready(f"{name}{error!s:.1000}"))
        log.exception("a worker process could not be set up")
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(1)
    with contextlib.suppress(OSError):
        ready = Ready(registry.digests(), errors, inherited.here, values, imported(options.app))
        leader.send(ready)
    worker.work()


def _leave_what_is_shared(leader: Connection, options: WorkerOptions) -> None:
    """Exit before anything is used that other workers have, too, unless the author wants that."""
    if inherited.here.peers and not options.may_share:
        with contextlib.suppress(OSError):
            leader.send(Ready({}, [], inherited.here))
        os._exit(0)  # without atexit functions, which might end the connection for the others


def _set_up(options: WorkerOptions) -> tuple[list[str], dict[str, str]]:
    """Import the app, with the settings of its manager's process. Returns parts of ``Ready``."""
    if options.environ is not None:
        inherited.adopt_environ(options.environ)
    errors = import_app(options.app)
    try:
        registry.settle()
    except Exception:  # as if the app could not be imported
        errors.append(traceback.format_exc())
    if options.logging is not None:
        logging_setup.apply(options.logging)
    values = changed_values.read_by_all(c.function for c in registry.all())
    if options.worker_start is not None:
        _call(options.worker_start)
        after = changed_values.read_by_all(c.function for c in registry.all())
        values = {name: value for name, value in values.items() if after.get(name) == value}
    return errors, values


class _StartFailed(Exception):
    """``worker_start`` has raised."""


def _call(reference: Reference) -> None:
    """Call ``worker_start``. If it fails, this is a failed start, as if the app had failed."""
    try:
        worker_start.resolve(reference)()
    except BaseException as error:
        words = f"{type(error).__name__}: {error}"
        raise _StartFailed(f"worker_start {reference.name} failed: {words}") from error


class _Worker:
    def __init__(self, leader: Connection, options: WorkerOptions) -> None:
        self._leader = leader
        self._finish = options.finish
        self._grace = options.grace
        claim.use(Path(options.directory))  # if the app's own manager is used in a job
        self._store = DiskcacheStore(options.directory, options.retention, patience=WORKER_SECONDS)
        self._todo: queue.SimpleQueue[Start | None] = queue.SimpleQueue()
        self._run: _LocalRun | None = None
        self._stopped: set[str] = set()
        self._by_value: dict[str, tuple[bytes, LongCallback]] = {}
        self._sending = threading.Lock()

    def work(self) -> None:
        """Run jobs until the leader says so, or has gone."""
        threading.Thread(target=self._listen, daemon=True, name="leader").start()
        while (start := self._todo.get()) is not None:
            with processes.unchanged(self.interrupted):
                done = self._do(start)
            if done.spent:
                # What the function started and could not end, before anybody believes it is over.
                processes.kill(processes.descendants(os.getpid()))
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

    def told_to_end(self) -> None:
        """SIGTERM, as systemd sends it to all processes of a service: finish the job and exit."""
        # The only queue that may be used where a signal has interrupted another use of it.
        self._todo.put(None)

    def _do(self, start: Start) -> Done:
        job = start.job
        try:
            callback = self._callback(start)
        except Exception as problem:
            words = f"a worker can't load it ({type(problem).__name__}: {problem})"
            text = traceback.format_exc()
            unloaded = Failed("CallbackNotLoaded", words, text, kind="unavailable")
            return Done(job.id, unloaded=unloaded)
        self._run = run = _LocalRun(self._store, job, callback, self._grace)
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
            run.over()
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
        recipe, app = by_value.loads(start.pickled)
        callback = recipe()
        callback.key = start.callback
        callback.registration.app = app
        dash_internals.provide_app(app)
        self._by_value[start.callback] = (start.pickled, callback)
        return callback

    def _listen(self) -> None:
        while True:
            try:
                # Not a read that waits: it would keep the pipe open for a function that closes all
                # files, and the leader would not hear of that.
                if not self._leader.poll(HEARTBEAT_SECONDS):
                    self._send(Alive())
                    continue
                message = self._leader.recv()
            except (EOFError, OSError):
                break
            if isinstance(message, Start):
                self._todo.put(message)
            elif isinstance(message, Stop):
                self._stop(message)
            elif isinstance(message, Finish):
                self._finish = True
                break
            else:
                self._todo.put(None)
        self._todo.put(None)
        self._watch_alone()

    def _stop(self, stop: Stop) -> None:
        run = self._run
        if run is None or run.job.id != stop.job_id:
            self._stopped.add(stop.job_id)  # not begun yet
            run = self._run
            if run is None or run.job.id != stop.job_id:
                return
        if stop.timed_out:
            run.time_out()
        else:
            run.stop(JobCancelled())

    def _watch_alone(self) -> None:
        """Without a leader: see that the job still ends, and say in the store who has it."""
        faults = FaultLog("a worker without a server can't see cancels")
        known: Run | None = None
        while True:
            run = self._run
            if run is not None:
                if run is not known and not self._finish:
                    run.stop(JobCancelled())
                try:
                    if run is not known:
                        run.renew()
                        known = run
                    run.look()
                    faults.succeeded()
                except StoreError as error:
                    faults.failed(error)
            time.sleep(ALONE_SECONDS)

    def _send(self, message: Alive | Begun | Done) -> None:
        with self._sending, contextlib.suppress(OSError):
            self._leader.send(message)


class _LocalRun(Run):
    """A job in the main thread of a process of its own, which ends if the function does not.

    Args:
        grace: seconds between the two.
    """

    def __init__(self, store: JobStore, job: Job, callback: LongCallback, grace: float) -> None:
        super().__init__(store, job, callback)
        self._begun = time.monotonic()
        self._grace = grace
        self._end: threading.Timer | None = None
        self._over = False

    def stop(self, reason: JobCancelled | JobTimedOut) -> None:
        super().stop(reason)
        # Whoever else does this may have gone, or may not know of it.
        self._end = threading.Timer(self._grace, self._kill)
        self._end.daemon = True
        self._end.start()
        interrupt_main_thread()

    def renew(self) -> bool:
        return self.store.renew(self.job, processes.this_process(os.getpid()))

    def time_out(self) -> None:
        """Stop, as it takes longer than its callback allows."""
        self.stop(JobTimedOut(TimedOut(self.callback.options.timeout or 0).reason))

    def look(self) -> None:
        """Stop if the user wishes it, or it takes too long: where nobody else looks."""
        if self.stopping is not None:
            return
        timeout = self.callback.options.timeout
        if timeout and time.monotonic() - self._begun > timeout:
            self.time_out()
        elif self.store.cancel_asked(self.job.id):
            self.stop(JobCancelled())

    def over(self) -> None:
        """The job has ended."""
        self._over = True
        if self._end is not None:
            self._end.cancel()

    def _kill(self) -> None:
        if not self._over:
            processes.kill_tree(os.getpid())
