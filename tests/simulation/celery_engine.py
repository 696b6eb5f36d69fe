"""Celery, as the engine sees it: a broker that loses and repeats messages, and workers that die.

A worker has a main process, which starts others and hears of their deaths, as Celery's prefork pool
has. A message is acknowledged before its job runs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from typing import Any, ClassVar

from database import Database
from embedded import GRACE
from scheduler import Event, Process, Thread, running

from dash_long_callback.errors import StoreError
from dash_long_callback.executors.celery.broker import LONGEST_WAIT, Message
from dash_long_callback.executors.celery.executor import CeleryExecutor
from dash_long_callback.executors.celery.preparation import EXIT_CODES
from dash_long_callback.executors.celery.worker import MessageRunner
from dash_long_callback.jobs import Job, Lost
from dash_long_callback.stores.job_store import JobStore
from dash_long_callback.worker.run import Runnable
from dash_long_callback.worker.watchdog import Watchdog


class Exchange:
    """Where messages wait."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.scheduler = database.scheduler
        self.messages: list[Message] = []
        self.watchers: list[Thread] = []
        self.workers: list[CeleryWorker] = []

    @property
    def ready(self) -> bool:
        return bool(self.messages)

    def send(self, message: Message, not_before: float) -> None:
        dice = self.scheduler.random.random() if self.database.rough else 0.5
        if dice < 0.03:
            raise StoreError("the broker can't be reached")
        copies = 0 if dice < 0.06 else 2 if dice > 0.95 else 1
        for _ in range(copies):
            delay = self.scheduler.random.choice([0.0, 0.0, 0.01, 0.5])
            when = max(self.scheduler.now, not_before) + delay
            self.scheduler.at(when, lambda: self._arrive(message))

    def _arrive(self, message: Message) -> None:
        self.messages.append(message)
        self.scheduler.wake_all(self.watchers)

    def take(self) -> Message:
        return self.messages.pop(self.scheduler.random.randrange(len(self.messages)))


class Broker:
    """In the place of the engine's ``Broker``, in one process."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def queue(self, name: str | None) -> str:
        return name or ""

    def send(self, job: Job, *, on: bool = False) -> None:
        scheduler = self._exchange.scheduler
        name = f"{job.id}:{job.attempt}:{job.resends}"
        if on:
            name = f"message-{next(scheduler.numbers)}"
        delayed = job.not_before is not None
        when = min(job.not_before or 0.0, scheduler.now + LONGEST_WAIT)
        self._exchange.send(Message(name, job.queue or "", job.id, delayed), when)

    def ask(self, queue: str, wait: float | None = None) -> None:
        scheduler = self._exchange.scheduler
        message = Message(f"message-{next(scheduler.numbers)}", queue, None)
        self._exchange.send(message, scheduler.now + (wait or 0.0))

    def refused(self, _job: Job) -> str | None:
        return None

    def revoke(self, job: Job) -> None:
        for worker in self._exchange.workers:
            worker.revoke(job.message or "")

    def close(self) -> None:
        """Nothing to let go of."""


class SimulatedRunner(MessageRunner):
    """Runs the jobs of messages; all of them have one callback."""

    found: Any

    def callback(self, job: Job) -> Any:
        return self.found

    @contextmanager
    def backstop(self, job: Job) -> Generator[None]:
        scheduler = running()
        process, over = scheduler.here.process, Event()
        if job.timeout is not None:
            when = scheduler.now + self._executor.backstop(job.timeout)
            scheduler.at(when, lambda: None if over.is_set() else process.kill())
        try:
            yield
        finally:
            over.set()


class CeleryWorker:
    """A worker: a main process and its pool."""

    def __init__(self, engine: CeleryEngine) -> None:
        self._engine = engine
        self._scheduler = engine.exchange.scheduler
        #: The processes of its pool, and what they work on.
        self.pool: dict[Process, Message | None] = {}
        self._revoked: set[str] = set()
        self.stopping = Event()
        self.main = Process(self._scheduler, "celery")
        self.main.at_death.append(self._start_another)
        self.main.start(self._supervise)
        engine.exchange.workers.append(self)

    def _start_another(self) -> None:
        self._engine.exchange.workers.remove(self)
        again = self._scheduler.now + self._scheduler.random.uniform(0, 3)
        self._scheduler.at(again, lambda: CeleryWorker(self._engine))

    def _supervise(self) -> None:
        executor = self._engine.executor(self._engine.exchange.database.store())
        while not self.stopping.is_set():
            while len(self.pool) < self._engine.concurrency:
                self._start_process()
            for dead in self._scheduler.wait_for([*self.pool, self.stopping], None):
                if dead is not self.stopping:
                    self._bury(dead, executor)
        for process in self.pool:
            process.join(GRACE + 5)
            process.kill()

    def _start_process(self) -> None:
        process = Process(self._scheduler, "celery pool")
        self.pool[process] = None
        self._engine.processes.append(process)
        process.start(lambda: self._work_until_told(process))

    def _bury(self, process: Process, executor: CeleryExecutor) -> None:
        message = self.pool.pop(process)
        if message is not None:
            executor.process_died(message, Lost("its worker process died"))

    def _work_until_told(self, process: Process) -> None:
        with suppress(SystemExit):
            self._work(process)

    def _work(self, process: Process) -> None:
        exchange = self._engine.exchange
        store = exchange.database.store()
        executor = self._engine.executor(store)
        runner = SimulatedRunner(store, Watchdog(store, GRACE), executor)
        runner.found = self._engine.callback
        while self.main.alive and not self.stopping.is_set():
            self._scheduler.wait_for([exchange, self.main, self.stopping], None)
            if not exchange.messages:
                continue
            message = exchange.take()
            if message.id in self._revoked:
                continue
            self.pool[process] = message
            with suppress(StoreError):  # the task has failed
                runner.run("worker", message)
            self.pool[process] = None

    def revoke(self, message_id: str) -> None:
        self._revoked.add(message_id)
        for process, message in self.pool.items():
            if message is not None and message.id == message_id:
                process.kill()

    def stop(self, *, at_once: bool) -> None:
        """It is told to end, once its jobs are over, or now."""
        self.stopping.set()
        for process in [*self.pool] if at_once else []:
            process.tell(SystemExit(EXIT_CODES[0]))


class CeleryEngine:
    """Celery workers and what may happen to them."""

    faults: ClassVar[list[str]] = [
        "kill",
        "kill",
        "pause",
        "kill main",
        "pause main",
        "stop",
        "quit",
        "kill web",
        "pause web",
        "stop web",
    ]
    #: A message that got lost is sent again after a minute, or after two or four.
    calm_seconds = 600.0
    supervised = False
    limit = math.inf
    calls_again = False

    def __init__(self, database: Database, callback: Runnable) -> None:
        database.hides = True
        self.exchange = Exchange(database)
        self.callback = callback
        self.concurrency = database.scheduler.random.choice([1, 2])
        #: Of all pools.
        self.processes: list[Process] = []
        for _ in range(database.scheduler.random.choice([1, 1, 2])):
            CeleryWorker(self)

    def executor(self, store: JobStore) -> CeleryExecutor:
        broker: Any = Broker(self.exchange)
        return CeleryExecutor(store, broker, GRACE)

    def fault(self, what: str) -> None:
        """One of ``faults`` that is this engine's own."""
        dice = self.exchange.scheduler.random
        workers = self.exchange.workers
        if not workers:
            return
        worker = dice.choice(workers)
        alive = [process for process in self.processes if process.alive]
        acts: dict[str, Callable[[], object]] = {
            "kill main": worker.main.kill,
            "pause main": worker.main.pause_a_while,
            "stop": lambda: worker.stop(at_once=False),
            "quit": lambda: worker.stop(at_once=True),
        }
        if alive:
            process = dice.choice(alive)
            acts |= {"kill": process.kill, "pause": process.pause_a_while}
        acts.get(what, lambda: None)()

    def stop(self, web: Process, _executor: Any) -> None:
        """A web process is told to end."""
        web.end(0)
