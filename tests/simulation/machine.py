"""A simulated machine: pipes, datagrams, a lock, processes, and a database that may fail."""

# pyright: reportPrivateUsage=false
from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Generator, Iterable
from contextlib import AbstractContextManager
from typing import Any, ClassVar

from scheduler import Process, Scheduler, Thread, running

from dash_long_callback.errors import StoreError
from dash_long_callback.executors.local.messages import Ready, Start
from dash_long_callback.executors.local.pool_options import PoolOptions
from dash_long_callback.executors.local.pool_worker import PoolWorker
from dash_long_callback.executors.local.worker import Worker
from dash_long_callback.jobs import Job
from dash_long_callback.stores.job_store import JobStore
from dash_long_callback.stores.memory import MemoryRows
from dash_long_callback.stores.notifier import Subscription, Waker
from dash_long_callback.stores.ports import Batch, Cursor, Field, Rows
from dash_long_callback.stores.row_results import RowResults
from dash_long_callback.worker.run import Run, Runnable

#: Seconds that jobs are kept.
RETENTION = 600.0


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
        return PoolWorker(handle, pipe, _heard=scheduler.now)

    def _work(self, leader: Any) -> None:
        machine = self._machine
        worker = SimulatedWorker(leader, machine.store(), machine.options.grace, finish=True)
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
        self, scheduler: Scheduler, options: PoolOptions, callbacks: Callable[[str], Runnable]
    ) -> None:
        self.scheduler = scheduler
        self.options = options
        self.callbacks = callbacks
        self.rows = MemoryRows(lambda: scheduler.now)
        self.leader: Process | None = None
        self.inboxes: dict[int, Inbox] = {}
        self.workers: list[Process] = []
        #: Whether things go wrong.
        self.rough = True
        #: Is shown each batch that was applied, and what its rows held before.
        self.watch: Callable[[Batch, list[bytes | None]], object] = lambda _batch, _before: None

    def store(self) -> JobStore:
        """The store as one process opens it."""
        rows = RoughRows(self)
        return JobStore(rows, RowResults(rows, RETENTION), RETENTION)

    def lead(self) -> LeaderLock | None:
        if self.leader is not None and self.leader.alive:
            return None
        return LeaderLock(self, self.scheduler.here.process)

    def inbox(self) -> Inbox:
        return Inbox(self)

    def wake(self, port: int) -> None:
        inbox = self.inboxes.get(port)
        if inbox is not None and not (self.rough and self.scheduler.random.random() < 0.2):
            inbox.wake()

    def launcher(self) -> Launcher:
        return Launcher(self)


class RoughRows(Rows):
    """The machine's rows: others come in between, and now and then they can't be used."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def _step(self) -> None:
        scheduler = self._machine.scheduler
        if scheduler.discarding:
            scheduler.switch()
        if scheduler.current is None or not self._machine.rough:
            return
        dice = scheduler.random.random()
        if dice < 0.1:
            scheduler.sleep(scheduler.random.choice([0.0, 0.0, 0.01, 0.3]))
        elif dice > 0.995:
            raise StoreError("the disk is full")

    def read(self, names: Iterable[str]) -> list[bytes | None]:
        self._step()
        return self._machine.rows.read(names)

    def apply(self, batch: Batch) -> bool:
        self._step()
        before = self._machine.rows.read(batch.put)
        done = self._machine.rows.apply(batch)
        if done:
            self._machine.watch(batch, before)
        return done

    def list(
        self, by: Field, value: str | None, limit: int, before: Cursor | None = None
    ) -> list[Cursor]:
        self._step()
        return self._machine.rows.list(by, value, limit, before)

    def count(self, by: Field, value: str | None) -> int:
        return self._machine.rows.count(by, value)

    def next_queued(self) -> str | None:
        self._step()
        return self._machine.rows.next_queued()

    def subscribe(
        self, waker: Waker | None = None, *, cancels: bool = False
    ) -> AbstractContextManager[Subscription]:
        return self._machine.rows.subscribe(waker, cancels=cancels)

    def purge(self) -> None:
        self._step()
        self._machine.rows.purge()

    def close(self) -> None:
        """Nothing to let go of."""


class ProcessId:
    """In the place of the real one."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.pid = process.pid

    @staticmethod
    def load(data: bytes | None) -> ProcessId | None:
        found = Processes.known.get(int(data)) if data else None
        return None if found is None else ProcessId(found)

    def runs(self) -> bool:
        return self.process.alive

    def elsewhere(self) -> bool:
        return False


class Processes:
    """In the place of the module ``worker.processes``."""

    known: ClassVar[dict[int, Process]] = {}
    ProcessId = ProcessId

    @classmethod
    def this_process(cls, _pid: int) -> bytes:
        process = running().here.process
        cls.known[process.pid] = process
        return b"%d" % process.pid

    @staticmethod
    def descendants(_pid: int) -> list[Any]:
        return []

    @staticmethod
    def kill(_processes: list[Any]) -> None:
        """Functions start no processes here."""

    @classmethod
    def kill_tree(cls, pid: int) -> None:
        if pid in cls.known:
            cls.known[pid].kill()

    @staticmethod
    def end_this() -> None:
        running().here.process.kill()

    @staticmethod
    def processor_time(_pid: int) -> float:
        return 0.0

    @staticmethod
    def waits_for_processor(_pid: int) -> bool:
        return False

    @staticmethod
    @contextlib.contextmanager
    def unchanged(handler: Callable[[int, Any], object]) -> Generator[None]:
        running().here.process.handler = handler
        yield


class PerProcess:
    """In the place of an object that a module of the engine has once in each process."""

    def __init__(self, name: str, make: Callable[[], Any]) -> None:
        self._name, self._make = name, make

    def of(self, run: Run) -> AbstractContextManager[None]:
        known = running().here.process.globals
        if self._name not in known:
            known[self._name] = self._make()
        return known[self._name].of(run)
