"""A worker process: imports the app, then runs one job after another in its main thread.

A second thread listens to the leader. If the leader vanishes, the worker finishes its job and
exits; its watchdog then asks the store for cancels.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import sys
import threading
import traceback
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NoReturn

from dash_long_callback import by_value, changed_values
from dash_long_callback.errors import StoreError
from dash_long_callback.executors import worker_start
from dash_long_callback.executors.local import inherited, logging_setup
from dash_long_callback.executors.local.messages import (
    Alive,
    Begun,
    Done,
    Finish,
    Ready,
    Start,
    Stop,
    Unready,
    WorkerOptions,
)
from dash_long_callback.executors.local.preload import import_app, imported
from dash_long_callback.fault_log import log
from dash_long_callback.folders import claim
from dash_long_callback.jobs import Cancelled, Failed, Job, TimedOut
from dash_long_callback.registry import ByValue, registry
from dash_long_callback.stores.diskcache import WORKER_SECONDS, DiskcacheStore
from dash_long_callback.stores.job_store import JobStore
from dash_long_callback.stores.timing import HEARTBEAT_SECONDS
from dash_long_callback.worker import log_tags, processes
from dash_long_callback.worker.failures import failed
from dash_long_callback.worker.run import Run, Runnable
from dash_long_callback.worker.run_job import run_job
from dash_long_callback.worker.watchdog import Watchdog


def worker_main(leader: Connection, options: WorkerOptions) -> None:
    """Entry point of a worker process."""
    # A session of its own: Ctrl-C in the terminal is the server's, and the job's children can be
    # ended together with it.
    if hasattr(os, "setsid"):
        with contextlib.suppress(PermissionError):
            os.setsid()
    _leave_what_is_shared(leader, options)
    claim.use(Path(options.directory))  # if the app's own manager is used in a job
    store = DiskcacheStore(options.directory, options.retention, patience=WORKER_SECONDS)
    worker = Worker(
        *(leader, store, options.grace), finish=options.finish, log_prefix=options.log_prefix
    )
    signal.signal(signal.SIGINT, worker.watchdog.interrupted)
    processes.on_sigterm(worker.shut_down)  # a pool that a job forks is ended by it
    doing = ""
    try:
        errors, values = _set_up(options)
        log_tags.install()  # again, if the app has its own log records
        if options.worker_start is not None:
            # As if the app had failed.
            doing = f"worker_start {options.worker_start.name} failed: "
            worker_start.resolve(options.worker_start)()
            after = changed_values.read_by_all(c.function for c in registry.all())
            values = {name: value for name, value in values.items() if after.get(name) == value}
    except BaseException as error:
        with contextlib.suppress(OSError):
            leader.send(Unready(f"{doing}{failed(error).reason:.1000}"))
        log.exception("a worker process could not be set up")
        _exit(1)
    with contextlib.suppress(OSError):
        ready = Ready(registry.digests(), errors, inherited.here, values, imported(options.app))
        leader.send(ready)
    worker.work()
    _exit(0)


def _exit(code: int) -> NoReturn:
    """End this process. Threads and atexit functions of the user's libraries may hang for ever."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


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
    return errors, changed_values.read_by_all(c.function for c in registry.all())


class Worker:
    """Runs the jobs that the leader sends, one after another.

    Args:
        leader: our end of the pipe.
        store: where jobs are.
        grace: seconds that a function has to end before its process is ended.
        finish: whether to finish the job when the leader has vanished.
        log_prefix: whether what a job prints and logs begins with its number.
    """

    def __init__(
        self,
        leader: Connection,
        store: JobStore,
        grace: float,
        *,
        finish: bool,
        log_prefix: bool = False,
    ) -> None:
        self._leader = leader
        self._finish = finish
        self._log_prefix = log_prefix
        self._store = store
        self.watchdog = Watchdog(store, grace, notified=True)
        self._todo: queue.SimpleQueue[Start | None] = queue.SimpleQueue()
        self._by_value: dict[str, tuple[bytes, Runnable]] = {}
        self._sending = threading.Lock()

    def work(self) -> None:
        """Run jobs until the leader says so, or has gone."""
        threading.Thread(target=self._listen, daemon=True, name="leader").start()
        while (start := self._todo.get()) is not None:
            with processes.unchanged(self.watchdog.interrupted):
                done = self._do(start)
            if done.spent:
                # What the function started and could not end, before anybody believes it is over.
                processes.kill(processes.descendants(os.getpid()))
            self._send(done)
            if done.spent:
                break

    def shut_down(self) -> None:
        """SIGTERM, as systemd sends it to all processes of a service: finish the job and exit."""
        # The only queue that may be used where a signal has interrupted another use of it.
        self._todo.put(None)

    def _do(self, start: Start) -> Done:
        job = start.job
        try:
            callback = self.callback(start)
        except Exception as problem:
            message = f"a worker can't load it ({type(problem).__name__}: {problem})"
            text = traceback.format_exc()
            unloaded = Failed("CallbackNotLoaded", message, text, kind="unavailable")
            return Done(job.id, unloaded=unloaded)
        this = processes.this_process(os.getpid())
        run = Run(self._store, job, callback, worker=this, log_prefix=self._log_prefix)
        self._send(Begun(job.id))
        try:
            with self.watchdog.over(run):
                outcome = run_job(run)
        except StoreError as problem:
            log.exception("no. %s: the outcome of %s is lost", job.ref, job.name)
            return Done(job.id, str(problem))
        # After an exception out of nowhere the module state of a library may be half changed, and
        # processes that the function started may be left: a new worker takes this one's place.
        return Done(
            job.id,
            spent=isinstance(outcome, (Cancelled, TimedOut)) or run.stopping is not None,
        )

    def callback(self, start: Start) -> Runnable:
        """What a message names or has in it."""
        if start.pickled is None:
            callback = registry.get(start.callback)
            assert callback is not None  # the leader knows what we have
            return callback
        known = self._by_value.get(start.callback)
        if known is not None and known[0] == start.pickled:
            return known[1]  # its module state is kept between runs
        if start.sys_path is not None:
            sys.path[:] = start.sys_path
        sent: ByValue = by_value.loads(start.pickled)
        callback = sent()
        self._by_value[start.callback] = (start.pickled, callback)
        return callback

    def _listen(self) -> None:
        job: Job | None = None  # that runs, or is about to, or has
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
                job = message.job
                self._todo.put(message)
            elif isinstance(message, Stop):
                self.watchdog.stop(message.job_id)
            elif isinstance(message, Finish):
                self._finish = True
                break
            else:
                self._todo.put(None)
        self._todo.put(None)
        self.watchdog.ask()
        if job is not None and not self._finish:
            # Nobody will want it: the developer has ended the server.
            self.watchdog.stop(job.id)

    def _send(self, message: Alive | Begun | Done) -> None:
        with self._sending, contextlib.suppress(OSError):
            self._leader.send(message)
