"""The leader's one thread: hands queued jobs to workers and watches over both."""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import signal
import socket
import threading
import time
from collections import deque
from dataclasses import dataclass, field, replace
from multiprocessing import connection
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from dash_long_callback import by_value, dash_internals, unsendable
from dash_long_callback.callbacks import LongCallback, registry
from dash_long_callback.declaration import Changed
from dash_long_callback.ends import end, handles_errors, name_of
from dash_long_callback.errors import (
    JobEnded,
    JobLost,
    JobTimedOut,
    NotPickleable,
    StoreError,
)
from dash_long_callback.executors import processes
from dash_long_callback.executors.local import preload
from dash_long_callback.executors.local.launch import Launcher
from dash_long_callback.executors.local.orphans import Orphans, timeout_of
from dash_long_callback.executors.local.worker import (
    Begun,
    Done,
    Finish,
    Ready,
    Start,
    Stop,
    Unready,
    WorkerOptions,
)
from dash_long_callback.fault_log import FaultLog
from dash_long_callback.jobs import (
    Cancelled,
    Failed,
    Job,
    Lost,
    Problem,
    Requeue,
    State,
    TimedOut,
)
from dash_long_callback.stores.timing import LEASE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

    from dash_long_callback.executors.worker_start import WorkerStart
    from dash_long_callback.stores.diskcache import DiskcacheStore

log = logging.getLogger("dash_long_callback")

#: Seconds between two looks at what nobody wakes it for: leases of orphans, lost datagrams.
TICK_SECONDS = 0.5
#: Seconds after which a leader that was busy, or paused itself, does not count what it missed.
#: More than a turn waits for a store that is locked, as then workers are heard of all the same.
PAUSED_SECONDS = 6.0
#: Seconds that a silent worker is watched, and the processor time in them that shows that it
#: computes: a function that holds the interpreter's lock keeps its process from saying so.
#: A machine with too much to do gives it little; threads that wait for that lock use less than 1 %.
COMPUTING_SECONDS, COMPUTING_SHARE = 3.0, 0.05
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


#: What becomes of running jobs when a server is told to end.
Ending: TypeAlias = Literal["finish", "requeue", "end"]


@dataclass(frozen=True)
class PoolOptions:
    """How the pool of workers is set up.

    Attributes:
        workers: jobs that run at the same time, at most.
        start_method: ``"forkserver"``, ``"spawn"`` or ``"fork"``.
        grace: seconds that a cancelled function has to end before its process is ended.
        stop: what becomes of running jobs when the server is told to end; None: ``"end"`` under
            a development server, else ``"finish"``.
        stop_wait: seconds that a server which ends waits for jobs that finish.
        chosen: whether the author asked for that start method.
        worker_start: what each worker calls before its first job.
        app: the function that makes the app, as ``"module:function"``, for workers to call.
    """

    workers: int
    start_method: str
    grace: float
    stop: Ending | None = None
    stop_wait: float = 0.0
    chosen: bool = True
    worker_start: WorkerStart | None = None
    app: str | None = None


@dataclass
class _Worker:
    process: Any
    pipe: Connection
    digests: dict[str, str] | None = None
    modules: by_value.Modules = field(default_factory=dict[str, list[str]])
    job: Job | None = None
    given: float = 0.0
    begun: bool = False
    stop: Stop | None = None
    kill_at: float = float("inf")
    retiring: bool = False
    #: When it was last heard of; whether its end of the pipe is closed.
    heard: float = field(default_factory=time.monotonic)
    deaf: bool = False
    #: Processor time at a moment, if it is silent and looked at.
    looked: tuple[float, float] | None = None
    #: Why it was killed, if that was not the job's doing.
    killed: str | None = None

    @property
    def idle(self) -> bool:
        return self.digests is not None and self.job is None and not self.retiring


class Supervisor:
    """Runs the pool. All public methods but ``run`` may be called from any thread.

    Args:
        store: where jobs are.
        options: of the pool.
        leads: whether this process is still the one to do this.
    """

    def __init__(
        self, store: DiskcacheStore, options: PoolOptions, leads: Callable[[], bool]
    ) -> None:
        self._store = store
        self._options = options
        self._leads = leads
        self._launcher = Launcher(
            options.start_method, chosen=options.chosen, worker_start=options.worker_start
        )
        self._workers: list[_Worker] = []
        self._orphans = Orphans(store, options.grace)
        #: Whether what an earlier leader has left was looked up.
        self._took_over = False
        #: Whether somebody woke it since the queue was found empty: then a job may wait in it.
        self._queued = True
        #: Whether to look into the queue: a datagram may have got lost. Each look takes its lock.
        self._look = True
        self._tries: dict[str, int] = {}
        self._failed_starts = 0
        self._start_after = 0.0
        #: Why the last worker that died before it was ready did so, as far as it could say.
        self._start_problem = ""
        #: What the workers could not import, one line for each module.
        self._import_problems: list[str] = []
        #: Writes to the store that are yet to succeed.
        self._writes: deque[Callable[[], object]] = deque()
        self._turned = time.monotonic()
        self._upkeep_at = self._orphans_at = 0.0
        self._faults = FaultLog(f"the engine of {store.directory} stumbled; trying again")
        #: For what workers do. Never held while workers start, which takes seconds.
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._ending: Ending = "finish"
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.setblocking(False)
        self._address = self._socket.getsockname()

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
        with contextlib.suppress(OSError):
            self._socket.sendto(b"", self._address)

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
                self._dispatch(worker, job)
            else:
                self._requeue(job.id)
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
                        self._react(self._wait())
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
        self._store.set_port(self._address[1])
        if self._upkeep_at:
            self._store.purge()
        self._upkeep_at = time.monotonic() + PURGE_SECONDS

    def _turn(self) -> None:
        with self._lock:
            self._flush()  # how jobs have ended, before anything that takes long
        self._start_workers()
        if not self._took_over:  # once workers are on their way
            self._orphans.take_over()
            self._took_over = True
        self._keep_up()
        with self._lock:
            self._assign()
            self._flush()

    def _wait(self) -> list[Any]:
        """Wait for what happens, at most until something is due."""
        waiting: list[Any] = [self._socket, *(w.pipe for w in self._workers if not w.deaf)]
        waiting += [w.process.sentinel for w in self._workers]
        deadline = min((w.kill_at for w in self._workers), default=float("inf"))
        timeout = max(0.0, min(TICK_SECONDS, deadline - time.monotonic(), self._next_timeout()))
        ready = connection.wait(waiting, timeout)
        if self._socket in ready:
            with contextlib.suppress(BlockingIOError):
                while True:
                    self._socket.recv(1)
        return ready

    def _react(self, ready: list[Any]) -> None:
        woken, quiet = self._socket in ready, not ready
        with self._lock:
            self._look = self._look or woken or quiet
            self._queued = self._queued or woken
            for worker in list(self._workers):
                dead = worker.process.sentinel in ready
                if dead or worker.pipe in ready:
                    self._drain(worker)
                if dead:
                    self._reap(worker)
            self._look_for_silence()
            if woken or quiet:
                self._look_for_cancels()
            self._look_at_clocks()
            # A server that is never quiet has orphans, too.
            if quiet or time.monotonic() - self._orphans_at > TICK_SECONDS:
                self._look_at_orphans()
                self._orphans_at = time.monotonic()

    # Workers: start, drain, reap

    def _start_workers(self) -> None:
        if time.monotonic() < self._start_after:
            return
        while len(self._workers) < self._options.workers:
            self._workers.append(self._spawn())

    def _spawn(self) -> _Worker:
        app = preload.app_modules(self._modules(), self._options.app)
        options = WorkerOptions(
            directory=str(self._store.directory),
            retention=self._store.retention,
            app=app,
            # Under the development server a vanished leader means that the developer is done.
            finish="WERKZEUG_RUN_MAIN" not in os.environ,
            grace=self._options.grace,
        )
        process, ours = self._launcher.start(options)
        return _Worker(process, ours)

    def _modules(self) -> list[str]:
        found = list(registry.modules)
        found += [by_value.source_of(c.function) for c in registry.all()]
        return list(dict.fromkeys(name for name in found if name))

    def _drain(self, worker: _Worker) -> None:
        try:
            while worker.pipe.poll():
                message = worker.pipe.recv()
                worker.heard, worker.looked = time.monotonic(), None
                if isinstance(message, Ready):
                    app = preload.app_modules(self._modules())
                    worker.retiring = not self._launcher.accepts(message, app)
                    worker.digests, worker.modules = message.digests, message.modules
                    self._failed_starts, self._start_problem = 0, ""
                    self._import_problems = [e.strip().splitlines()[-1] for e in message.errors]
                    for error in message.errors:
                        log.warning("a worker could not import a module of the app\n%s", error)
                elif isinstance(message, Unready):
                    self._start_problem = message.problem
                elif isinstance(message, Begun):
                    worker.begun = worker.job is not None and worker.job.id == message.job_id
                elif isinstance(message, Done):
                    self._done(worker, message)
        except (EOFError, OSError):
            # It is dying, and the sentinel will say so, or its function has closed what it had.
            worker.deaf = True
            worker.kill_at = min(worker.kill_at, time.monotonic() + EXIT_SECONDS)

    def _done(self, worker: _Worker, done: Done) -> None:
        if worker.job is None or worker.job.id != done.job_id:
            return  # of a process that a function has forked
        if done.problem is not None:
            self._end(done.job_id, Lost(done.problem))
        elif done.unloaded is not None:
            self._unable(worker.job, done.unloaded)
        self._tries.pop(done.job_id, None)
        worker.job = worker.stop = None
        worker.kill_at = float("inf")
        if done.spent:
            worker.retiring = True
            worker.kill_at = time.monotonic() + EXIT_SECONDS

    def _look_for_silence(self) -> None:
        now = time.monotonic()
        missed = now - self._turned
        self._turned = now
        for worker in self._workers:
            if missed > PAUSED_SECONDS:
                worker.heard = min(now, worker.heard + missed)
            silent = now - worker.heard > LEASE_SECONDS
            if silent and worker.digests is not None and not worker.deaf and not worker.killed:
                self._look_at_silent(worker, now)

    def _look_at_silent(self, worker: _Worker, now: float) -> None:
        used = processes.processor_time(worker.process.pid)
        if worker.looked is None:
            worker.looked = now, used
            return
        since, before = worker.looked
        if now - since < COMPUTING_SECONDS:
            return
        computes = used - before > COMPUTING_SHARE * (now - since)
        if computes or processes.waits_for_processor(worker.process.pid):
            worker.looked = now, used
            return
        worker.killed = f"was not heard of for {now - worker.heard:.0f} s and was ended"
        self._kill(worker)

    def _reap(self, worker: _Worker) -> None:
        self._kill(worker)  # children of the job that outlived their worker
        worker.process.join()
        worker.pipe.close()
        self._workers.remove(worker)
        if worker.digests is None:
            self._failed_starts += 1
            if self._failed_starts >= START_TRIES:
                self._start_after = time.monotonic() + START_PAUSE
                self._fail_waiting(self._start_problem or f"it {_died(worker.process.exitcode)}")
        job, code = worker.job, worker.process.exitcode
        if job is None:
            return
        if not worker.begun and self._tries.get(job.id, 0) < BEGIN_TRIES:
            self._tries[job.id] = self._tries.get(job.id, 0) + 1
            self._requeue(job.id)
        elif worker.stop is None:
            words = worker.killed or _died(code)
            self._fail(job, JobLost(f"the worker process {words} while it ran the job"))
        elif worker.stop.timed_out:
            self._fail(job, JobTimedOut(TimedOut(timeout_of(job) or 0).reason))
        else:
            self._end(job.id, Cancelled())

    def _kill(self, worker: _Worker) -> None:
        processes.kill_tree(worker.process.pid)
        if worker.process.is_alive():
            worker.process.kill()

    def _fail_waiting(self, why: str) -> None:
        lost = Lost(f"no worker process could be started: {why}", "unavailable")
        log.error("workers die before they are ready: %s", why)
        while (job := self._store.claim()) is not None:
            self._end(job.id, lost)

    # Jobs: assign, stop, end

    def _busy(self, workers: list[_Worker]) -> int:
        # Jobs that an earlier leader's workers still run count, too.
        return sum(w.job is not None for w in workers) + len(self._orphans)

    def _assign(self) -> None:
        busy = self._busy(self._workers)
        for worker in [w for w in self._workers if w.idle]:
            if busy >= self._options.workers or not self._look:
                return
            job = self._store.claim()
            if job is None:
                self._look = self._queued = False
                return
            self._dispatch(worker, job)
            busy += 1

    def _dispatch(self, worker: _Worker, job: Job) -> None:
        callback = registry.get(job.callback)
        if callback is None:
            words = f"this app has no long callback {job.callback!r} any more; reload the page"
            self._end(job.id, Changed(message=words))
            return
        try:
            differs = self._differs(worker, callback)
            pickled = self._by_value(worker, callback, whole=not job.handler) if differs else None
        except NotPickleable as problem:
            self._unable(job, Failed("NotPickleable", str(problem), kind="unavailable"))
            return
        worker.job, worker.stop = job, None
        worker.given, worker.begun = time.monotonic(), False
        try:
            worker.pipe.send(Start(job, callback.key, pickled))
        except OSError:  # it died a moment ago, and never saw the job
            worker.job = None
            self._requeue(job.id)

    def _differs(self, worker: _Worker, callback: LongCallback) -> bool:
        assert worker.digests is not None
        return worker.digests.get(callback.key) != callback.digest

    def _by_value(self, worker: _Worker, callback: LongCallback, *, whole: bool) -> bytes:
        app = dash_internals.app_of(callback.registration)
        recipe: Any = callback.recipe if whole else callback.recipe.without_function()
        try:
            return by_value.dumps((recipe, app), worker.modules)
        except Exception as error:

            def is_sendable(value: Any) -> bool:
                return by_value.can_be_sent(value, worker.modules)

            what = unsendable.where(recipe.function, recipe.kwargs, is_sendable)
            raise NotPickleable(
                f"{callback.name} can't be imported by a worker process, nor sent to one, as it "
                f"refers to {what}: {type(error).__name__}: {error}. {unsendable.HELP}."
            ) from error

    def _look_for_cancels(self) -> None:
        for worker in self._workers:
            if worker.job and not worker.stop and self._store.cancel_asked(worker.job.id):
                self._stop(worker, Stop(worker.job.id))

    def _look_at_clocks(self) -> None:
        now = time.monotonic()
        for worker in self._workers:
            if worker.job and not worker.stop:
                timeout = timeout_of(worker.job)
                if timeout and now - worker.given > timeout:
                    self._stop(worker, Stop(worker.job.id, timed_out=True))
            if now >= worker.kill_at:
                worker.kill_at = float("inf")
                if worker.deaf:
                    worker.killed = "closed its connection to the server and was ended"
                self._kill(worker)

    def _next_timeout(self) -> float:
        now = time.monotonic()
        left = [
            worker.given + timeout - now
            for worker in self._workers
            if worker.job and not worker.stop and (timeout := timeout_of(worker.job))
        ]
        return min(left, default=TICK_SECONDS)

    def _stop(self, worker: _Worker, stop: Stop) -> None:
        worker.stop = stop
        worker.kill_at = time.monotonic() + self._options.grace
        with contextlib.suppress(OSError):
            worker.pipe.send(stop)

    def _look_at_orphans(self) -> None:
        for job, error in self._orphans.look():
            if error is None:
                self._end(job.id, Cancelled())
            else:
                self._fail(job, error)

    def _fail(self, job: Job, error: JobEnded) -> None:
        """End a job that can't end by itself: by its ``on_error`` if it has one."""
        self._end(job.id, _outcome_of(error, job), handles=handles_errors(job))

    def _unable(self, job: Job, outcome: Failed) -> None:
        """The same, if no worker can call its function."""
        if self._import_problems:
            more = "; a worker could not import the app: " + "; ".join(self._import_problems)
            outcome = replace(outcome, message=outcome.message + more)
        self._end(job.id, outcome, handles=handles_errors(job))

    def _end(self, job_id: str, outcome: Problem | Cancelled, *, handles: bool = False) -> None:
        def write() -> None:
            job = end(self._store, job_id, outcome, handles=handles)
            if job is not None and job.state is State.QUEUED:
                self._look = self._queued = True

        self._writes.append(write)

    def _requeue(self, job_id: str) -> None:
        def requeue() -> None:
            self._store.change(job_id, Requeue(begun=False))
            self._look = self._queued = True

        self._writes.append(requeue)

    def _flush(self) -> None:
        """Write what is pending.

        Raises:
            StoreError: if the store can't take it now: then it stays.
        """
        while self._writes:
            try:
                self._writes[0]()
            except StoreError:
                raise
            except Exception:
                # It will not be better with the next try, and others wait behind it.
                log.exception("a change of a job is given up")
            self._writes.popleft()

    def _end_all(self) -> None:
        """Leave as ``stop`` said. What waits is for the next leader."""
        self._stopping.set()
        with self._lock:  # whoever gives a job to a worker has done so, or will not
            busy = [worker for worker in self._workers if worker.job is not None]
            if self._ending == "finish":
                self._let_finish(busy)
            else:
                self._take_away(busy)
            # Before the stop: the workers would write Cancelled, which nobody wished.
            with contextlib.suppress(StoreError):
                self._flush()
        # Before they end: the children of who has ended can't be found any more.
        below = [process for w in self._workers for process in processes.descendants(w.process.pid)]
        for worker in self._workers:
            with contextlib.suppress(OSError):
                worker.pipe.send(Stop(worker.job.id) if worker.job else None)
        deadline = time.monotonic() + EXIT_SECONDS
        for worker in self._workers:
            worker.process.join(max(0.0, deadline - time.monotonic()))
            self._kill(worker)
            worker.process.join()
            worker.pipe.close()
        processes.kill(below)
        self._socket.close()

    def _take_away(self, busy: list[_Worker]) -> None:
        """Have the jobs of these workers end, or queue for the next leader.

        An ``on_error`` is called by the next leader, too: this one's workers are about to end.
        """
        stopped = Lost("the server was stopped while the job ran", "stopped")
        for worker in busy:
            assert worker.job is not None
            self._writes.append(functools.partial(self._take, worker.job, stopped))

    def _take(self, job: Job, stopped: Lost) -> None:
        if self._ending == "requeue" and self._store.change(job.id, Requeue(begun=True)):
            log.warning("no. %s: the server ends; %s queues again", job.ref, name_of(job))
        else:
            end(self._store, job.id, stopped, handles=handles_errors(job))

    def _let_finish(self, busy: list[_Worker]) -> None:
        """Let go of these workers: they finish their jobs and exit, and the store has the rest."""
        for worker in busy:
            assert worker.job is not None
            job = worker.job
            log.warning("no. %s: the server ends; the job of %s goes on", job.ref, name_of(job))
            with contextlib.suppress(OSError):
                worker.pipe.send(Finish())
            worker.pipe.close()
            preload.disown(worker.process)
            self._workers.remove(worker)
        deadline = time.monotonic() + self._options.stop_wait
        sentinels: list[Any] = [worker.process.sentinel for worker in busy]
        while sentinels and (left := deadline - time.monotonic()) > 0:
            for ended in connection.wait(sentinels, left):
                sentinels.remove(ended)


def _outcome_of(error: JobEnded, job: Job) -> Lost | TimedOut:
    if isinstance(error, JobTimedOut):
        return TimedOut(timeout_of(job) or 0)
    return Lost(str(error))


def _died(code: int | None) -> str:
    if code is None or code >= 0:
        return f"exited with code {code}"
    with contextlib.suppress(ValueError):
        name = signal.Signals(-code).name
        hint = " (out of memory?)" if name == "SIGKILL" else ""
        return f"was ended by {name}{hint}"
    return f"was ended by signal {-code}"
