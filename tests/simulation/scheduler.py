"""Processes and threads on a clock of their own: one runs at a time, and a seed says which.

Stands in for the modules ``time``, ``threading`` and ``queue`` in the modules of the engine, which
run as they are. A thread goes on until it waits for something, or asks a store; then another may.
So one seed gives one history, and all waiting takes no time.
"""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from greenlet import GreenletExit, getcurrent, greenlet

#: When a simulation begins, in seconds since 1970.
BEGIN = 1_000_000.0
#: Steps without any time between them after which somebody is taken to wait in a loop.
MANY_STEPS = 5000


class Process:
    """A simulated process: threads that are paused and killed together."""

    def __init__(self, scheduler: Scheduler, name: str) -> None:
        self.scheduler = scheduler
        self.name = name
        self.pid = next(scheduler.numbers)
        self.alive, self.paused = True, False
        self.exitcode: int | None = None
        self.main: Thread | None = None
        #: What SIGINT does in its main thread.
        self.handler: Callable[[int, Any], object] = lambda _signal, _frame: None
        self.watchers: list[Thread] = []
        self.at_death: list[Callable[[], object]] = []
        #: What a module of the engine keeps for each process.
        self.globals: dict[str, Any] = {}
        scheduler.processes.append(self)

    @property
    def sentinel(self) -> Process:
        """Is ready once the process has ended."""
        return self

    @property
    def ready(self) -> bool:
        return not self.alive

    def start(self, target: Callable[[], object]) -> None:
        self.main = Thread(target, process=self, scheduler=self.scheduler)
        self.main.start()

    def is_alive(self) -> bool:
        return self.alive

    def kill(self) -> None:
        self.end(-9)

    def end(self, code: int) -> None:
        if not self.alive:
            return
        self.alive, self.exitcode = False, code
        for act in self.at_death:
            act()
        self.scheduler.wake_all(self.watchers)
        current = self.scheduler.current
        if current is not None and current.process is self:
            self.scheduler.switch()  # never to come back

    def tell(self, error: BaseException) -> None:
        """Have its main thread raise something, as the handler of a signal does."""
        if self.main is not None:
            self.main.told = error
            self.scheduler.wake(self.main)

    def pause_a_while(self) -> None:
        self.paused = True
        seconds = self.scheduler.random.choice([0.5, 5.0, 15.0])
        self.scheduler.at(self.scheduler.now + seconds, self.resume)

    def resume(self) -> None:
        self.paused = False
        for thread in self.scheduler.held.pop(self, []):
            self.scheduler.ready.append(thread)

    def join(self, timeout: float | None = None) -> None:
        self.scheduler.wait_for([self], timeout)


class Thread:
    """In the place of ``threading.Thread``."""

    def __init__(
        self,
        target: Callable[..., object],
        args: tuple[Any, ...] = (),
        daemon: bool = True,
        name: str = "",
        *,
        process: Process | None = None,
        scheduler: Scheduler | None = None,
    ) -> None:
        self._scheduler = scheduler or running()
        self.process = process or self._scheduler.here.process
        self.number = next(self._scheduler.numbers)
        self.ident = self.number
        self.name, self.daemon = name, daemon
        self.interrupted = False
        #: What it is to raise.
        self.told: BaseException | None = None
        #: Counts its waits: a timer of an earlier one is ignored.
        self.waits = 0
        self.waiting = False
        self.over = False
        self.watchers: list[Thread] = []
        self.greenlet = greenlet(lambda: self._run(target, args))

    @property
    def ready(self) -> bool:
        return self.over

    def start(self) -> None:
        self.greenlet.parent = self._scheduler.hub
        self._scheduler.all.append(self)
        self._scheduler.ready.append(self)

    def _run(self, target: Callable[..., object], args: tuple[Any, ...]) -> None:
        try:
            target(*args)
        except GreenletExit:
            return
        except BaseException as error:
            self._scheduler.failures.append(error)
        self.over = True
        self._scheduler.wake_all(self.watchers)
        if self is self.process.main and self.process.alive:
            self.process.end(0)

    def is_alive(self) -> bool:
        return not self.over

    def join(self, timeout: float | None = None) -> None:
        self._scheduler.wait_for([self], timeout)


class Scheduler:
    """Runs simulated threads, one at a time."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.now = BEGIN
        self.numbers = itertools.count(1)
        self.ready: list[Thread] = []
        self.held: dict[Process, list[Thread]] = {}
        self.all: list[Thread] = []
        self.processes: list[Process] = []
        self.timers: list[tuple[float, int, Callable[[], object]]] = []
        self.current: Thread | None = None
        #: What ends the simulation: the engine's own loops would go on after an exception.
        self.failures: list[BaseException] = []
        self.hub = getcurrent()
        self.discarding = False
        #: A hash of who ran when.
        self.trace = 0

    @property
    def here(self) -> Thread:
        assert self.current is not None
        return self.current

    def at(self, when: float, act: Callable[[], object]) -> None:
        """Call a function at a time."""
        heapq.heappush(self.timers, (when, next(self.numbers), act))

    def run(self, until: Callable[[], bool], deadline: float) -> None:
        """Run until something is true, or to a time."""
        steps = 0
        while not self.failures and not until():
            steps += 1
            if steps > MANY_STEPS:
                raise AssertionError(f"no time goes by: {self.ready[0].name or 'a thread'} loops")
            if self.ready:
                self._step()
            elif self.timers and self.timers[0][0] <= deadline:
                if self.timers[0][0] > self.now:
                    steps = 0
                self.now, _, act = heapq.heappop(self.timers)
                act()
            else:
                return

    def _step(self) -> None:
        ready = self.ready
        if len(ready) > 1:
            # Who is woken first may be up to the order of a set; who runs first is up to the seed.
            ready.sort(key=lambda thread: thread.number)
        thread = ready.pop(self.random.randrange(len(ready)))
        process = thread.process
        if not process.alive:
            return
        if process.paused:
            self.held.setdefault(process, []).append(thread)
            return
        self.current = thread
        self.trace = hash((self.trace, thread.number, self.now))
        thread.greenlet.switch()
        self.current = None

    def switch(self) -> None:
        """Let others run until somebody wakes this thread."""
        if self.discarding:
            raise GreenletExit
        self.hub.switch()
        if self.discarding:
            raise GreenletExit

    def wait(self, timeout: float | None) -> bool:
        """Wait to be woken, at most so many seconds. Returns whether it was."""
        thread = self.here
        thread.waits += 1
        thread.waiting = True
        woken = True
        if timeout is not None and timeout < math.inf:
            number = thread.waits
            timed_out: list[bool] = []

            def wake() -> None:
                if thread.waiting and thread.waits == number:
                    timed_out.append(True)
                    self.wake(thread)

            self.at(self.now + max(0.0, timeout), wake)
            self.switch()
            woken = not timed_out
        else:
            self.switch()
        if thread.told is not None:
            error, thread.told = thread.told, None
            raise error
        if thread.interrupted:
            thread.interrupted = False
            thread.process.handler(2, None)
        return woken

    def wake(self, thread: Thread) -> None:
        if thread.waiting:
            thread.waiting = False
            self.ready.append(thread)

    def wake_all(self, threads: Iterable[Thread]) -> None:
        for thread in list(threads):
            self.wake(thread)

    def sleep(self, seconds: float) -> None:
        deadline = self.now + seconds
        while (left := deadline - self.now) > 0:
            self.wait(left)  # a signal may end it early

    def wait_for(self, things: list[Any], timeout: float | None) -> list[Any]:
        """Wait until one of these is ready. Returns those that are."""
        deadline = math.inf if timeout is None else self.now + timeout
        waited = False  # also with a timeout of 0 others run once
        while not (found := [one for one in things if one.ready]):
            if waited and self.now >= deadline:
                break
            waited = True
            for one in things:
                one.watchers.append(self.here)
            try:
                self.wait(None if deadline == math.inf else deadline - self.now)
            finally:
                for one in things:
                    one.watchers.remove(self.here)
        return found

    def interrupt_main_thread(self) -> None:
        main = self.here.process.main
        assert main is not None
        main.interrupted = True
        self.wake(main)

    def discard(self) -> None:
        """Let go of all threads that have not ended; nothing of them goes on."""
        self.discarding = True
        for thread in self.all:
            for _ in range(100):
                if thread.greenlet.dead:
                    break
                thread.greenlet.throw(GreenletExit)


_running: list[Scheduler] = []


def running() -> Scheduler:
    """The scheduler of the simulation that runs."""
    return _running[-1]


class Entered:
    """Has a scheduler run what is simulated."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    def __enter__(self) -> Scheduler:
        _running.append(self._scheduler)
        return self._scheduler

    def __exit__(self, *_: object) -> None:
        self._scheduler.discard()
        _running.pop()


class Lock:
    """In the place of ``threading.Lock``, and of ``RLock``."""

    reentrant = False

    def __init__(self) -> None:
        self.owner: Thread | None = None
        self.count = 0
        self.watchers: list[Thread] = []

    @property
    def ready(self) -> bool:
        return self.owner is None or not self.owner.process.alive

    def acquire(self) -> bool:
        scheduler = running()
        here = scheduler.current
        if here is None:  # nobody else runs
            return True
        if self.reentrant and self.owner is here:
            self.count += 1
            return True
        while not self.ready:
            scheduler.wait_for([self], None)
        self.owner, self.count = here, 1
        return True

    def release(self) -> None:
        self.count -= 1
        if self.count <= 0:
            self.owner, self.count = None, 0
            running().wake_all(self.watchers)

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


class RLock(Lock):
    reentrant = True


class Event:
    """In the place of ``threading.Event``."""

    def __init__(self) -> None:
        self.ready = False
        self.watchers: list[Thread] = []

    def is_set(self) -> bool:
        return self.ready

    def set(self) -> None:
        self.ready = True
        running().wake_all(self.watchers)

    def clear(self) -> None:
        self.ready = False

    def wait(self, timeout: float | None = None) -> bool:
        if not self.ready:
            running().wait_for([self], timeout)
        return self.ready


class Condition:
    """In the place of ``threading.Condition``."""

    def __init__(self, lock: Lock | None = None) -> None:
        self._lock = lock or RLock()
        self._waiting: list[Event] = []

    def __enter__(self) -> bool:
        return self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def wait(self, timeout: float | None = None) -> bool:
        event, count = Event(), self._lock.count
        self._waiting.append(event)
        self._lock.count = 1
        self._lock.release()
        try:
            return event.wait(timeout)
        finally:
            self._lock.acquire()
            self._lock.count = count

    def notify(self) -> None:
        for event in self._waiting:
            event.set()
        self._waiting.clear()


class SimpleQueue:
    """In the place of ``queue.SimpleQueue``."""

    def __init__(self) -> None:
        self._items: deque[Any] = deque()
        self.watchers: list[Thread] = []

    @property
    def ready(self) -> bool:
        return bool(self._items)

    def put(self, item: Any) -> None:
        self._items.append(item)
        running().wake_all(self.watchers)

    def get(self) -> Any:
        running().wait_for([self], None)
        return self._items.popleft()


class Time:
    """In the place of the module ``time``."""

    @staticmethod
    def time() -> float:
        return running().now

    monotonic = time

    @staticmethod
    def sleep(seconds: float) -> None:
        running().sleep(seconds)


class Threading:
    """In the place of the module ``threading``."""

    Thread, Lock, RLock, Event, Condition = Thread, Lock, RLock, Event, Condition
    TIMEOUT_MAX = 1e9

    @staticmethod
    def get_ident() -> int:
        return running().here.number

    @staticmethod
    def current_thread() -> Thread:
        return running().here

    @staticmethod
    def main_thread() -> Thread | None:
        return running().here.process.main


class Queue:
    """In the place of the module ``queue``."""

    SimpleQueue = SimpleQueue
