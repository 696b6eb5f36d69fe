"""The embedded engine on a simulated machine: pipes, datagrams, a lock and worker processes."""

# pyright: reportPrivateUsage=false
from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from database import Database
from scheduler import Process, Scheduler, Thread

from dash_long_callback.executors.local import LocalExecutor
from dash_long_callback.executors.local.messages import Ready, Start
from dash_long_callback.executors.local.pool_options import Ending, PoolOptions
from dash_long_callback.executors.local.pool_worker import PoolWorker
from dash_long_callback.executors.local.worker import Worker
from dash_long_callback.jobs import Job
from dash_long_callback.stores.job_store import JobStore
from dash_long_callback.worker.run import Runnable

#: Seconds that a cancelled function has to end.
GRACE = 2.0


class Pipe:
    """One end of a pipe. What is sent arrives in order, after some time."""

    def __init__(self, scheduler: Scheduler, process: Process) -> None:
        self._scheduler = scheduler
        self.process = process
        self.other: Pipe
        self.closed = False
        self._arriving: deque[tuple[float, Any]] = deque()
        self._last = 0.0
        self.watchers: list[Thread] = []
        process.at_death.append(self.close)

    @classmethod
    def pair(cls, scheduler: Scheduler, one: Process, two: Process) -> tuple[Pipe, Pipe]:
        ours, theirs = cls(scheduler, one), cls(scheduler, two)
        ours.other, theirs.other = theirs, ours
        return ours, theirs

    @property
    def ready(self) -> bool:
        # Who hears of a death finds all that was sent before it.
        if self._arriving and not self.other.closed:
            return self._arriving[0][0] <= self._scheduler.now
        return bool(self._arriving) or self.other.closed

    def send(self, message: Any) -> None:
        if self.closed or self.other.closed:
            raise BrokenPipeError
        delay = self._scheduler.random.choice([0.0, 0.0, 0.001, 0.05])
        self.other._last = when = max(self.other._last, self._scheduler.now + delay)
        self.other._arriving.append((when, message))
        self._scheduler.at(when, self.other._wake)

    def _wake(self) -> None:
        self._scheduler.wake_all(self.watchers)

    def poll(self, timeout: float = 0.0) -> bool:
        if self.closed:
            raise OSError
        if not self.ready and timeout:
            self._scheduler.wait_for([self], timeout)
        return self.ready

    def recv(self) -> Any:
        self._scheduler.wait_for([self], None)
        if not self._arriving:
            raise EOFError
        return self._arriving.popleft()[1]

    def close(self) -> None:
        self.closed = True
        self._scheduler.wake_all(self.other.watchers)


class Inbox:
    """Where the leader waits. A datagram may get lost."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self.port = next(machine.scheduler.numbers)
        self.ready = False
        self.watchers: list[Thread] = []
        machine.inboxes[self.port] = self

    def wake(self) -> None:
        self.ready = True
        self._machine.scheduler.wake_all(self.watchers)

    def wait(self, others: Iterable[Any], timeout: float) -> tuple[bool, list[Any]]:
        found = self._machine.scheduler.wait_for([self, *others], timeout)
        woken, self.ready = self.ready, False
        return woken, [one for one in found if one is not self]

    def close(self) -> None:
        self._machine.inboxes.pop(self.port, None)


class LeaderLock:
    """The lock, as long as its process lives."""

    def __init__(self, machine: Machine, process: Process) -> None:
        self._machine, self._process = machine, process
        machine.leader = process

    def holds(self) -> bool:
        return self._machine.leader is self._process

    def release(self) -> None:
        if self.holds():
            self._machine.leader = None


class SimulatedWorker(Worker):
    """A worker whose callbacks are those of the simulation."""

    callbacks: Callable[[str], Runnable]

    def callback(self, start: Start) -> Runnable:
        return self.callbacks(start.callback)


class Launcher:
    """Starts worker processes."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def start(self) -> PoolWorker:
        scheduler = self._machine.scheduler
        process = Process(scheduler, "worker")
        ours, theirs = Pipe.pair(scheduler, scheduler.here.process, process)
        self._machine.workers.append(process)
        process.start(lambda: self._work(theirs))
        handle: Any = process
        pipe: Any = ours
        return PoolWorker(handle, pipe, _last_message=scheduler.now)

    def _work(self, leader: Any) -> None:
        machine = self._machine
        worker = SimulatedWorker(
            leader, machine.database.store(), machine.options.grace, finish=True
        )
        worker.callbacks = machine.callbacks
        machine.scheduler.sleep(machine.scheduler.random.uniform(0.1, 1.5))
        with contextlib.suppress(OSError):
            leader.send(Ready({}, []))
        worker.work()

    def accepts(self, ready: Ready) -> bool:
        return True

    def start_message(self, job: Job, ready: Ready) -> Start:
        return Start(job, job.callback)


class Machine:
    """In the place of the engine's ``Machine``, for all its processes."""

    name = "the simulation"

    def __init__(
        self, database: Database, options: PoolOptions, callbacks: Callable[[str], Runnable]
    ) -> None:
        self.scheduler = database.scheduler
        self.database = database
        self.options = options
        self.callbacks = callbacks
        self.leader: Process | None = None
        self.inboxes: dict[int, Inbox] = {}
        self.workers: list[Process] = []

    def lead(self) -> LeaderLock | None:
        if self.leader is not None and self.leader.alive:
            return None
        return LeaderLock(self, self.scheduler.here.process)

    def inbox(self) -> Inbox:
        return Inbox(self)

    def wake(self, port: int) -> None:
        inbox = self.inboxes.get(port)
        if inbox is not None and not (self.database.rough and self.scheduler.random.random() < 0.2):
            inbox.wake()

    def launcher(self) -> Launcher:
        return Launcher(self)


class EmbeddedEngine:
    """The embedded engine and what may happen to it."""

    faults: ClassVar[list[str]] = ["kill", "kill", "pause", "kill web", "pause web", "stop web"]
    calm_seconds = 600.0
    supervised = True

    def __init__(self, database: Database, callback: Runnable) -> None:
        workers = database.scheduler.random.choice([1, 2])
        options = PoolOptions(workers, "simulated", grace=GRACE, stop_wait=3.0)
        self._machine = Machine(database, options, lambda _key: callback)
        #: Functions that may run at once.
        self.limit: float = workers
        #: Whether a function may be called a second time, as its server was told so.
        self.calls_again = False

    @property
    def processes(self) -> list[Process]:
        return self._machine.workers

    def executor(self, store: JobStore) -> LocalExecutor:
        machine: Any = self._machine
        return LocalExecutor(store, self._machine.options, machine)

    def fault(self, what: str) -> None:
        """One of ``faults`` that is this engine's own."""
        alive = [process for process in self._machine.workers if process.alive]
        if alive:
            worker = self._machine.scheduler.random.choice(alive)
            worker.kill() if what == "kill" else worker.pause_a_while()

    def stop(self, web: Process, executor: Any) -> None:
        """A web process is told to end."""
        scheduler = self._machine.scheduler
        ending: Ending = scheduler.random.choice(["finish", "requeue", "end"])
        self.calls_again = self.calls_again or ending == "requeue"

        def stop() -> None:
            leading = executor._election
            if leading is not None:
                leading.stop(ending)
            web.end(0)

        Thread(stop, process=web, scheduler=scheduler).start()
