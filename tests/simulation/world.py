"""Web processes, pages and jobs on a simulated machine, and what must hold whatever happens.

A seed says what pages ask for, how functions behave, and what goes wrong: processes are killed and
paused, servers are stopped and restarted, the database is slow or can't be used, datagrams get
lost. After a while nothing goes wrong any more, and everybody must have got what they wait for.
"""

# pyright: reportPrivateUsage=false
from __future__ import annotations

import logging
import math
import queue
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal, cast

from machine import Machine, PerProcess, Processes
from scheduler import BEGIN, Entered, Process, Queue, Scheduler, Thread, Threading, Time, running

from dash_long_callback.errors import JobCancelled, JobLost, JobNotFound, JobTimedOut, StoreError
from dash_long_callback.executors.local import LocalExecutor, election, pool_worker
from dash_long_callback.executors.local.pool_options import Ending, PoolOptions
from dash_long_callback.jobs import (
    Call,
    Cancelled,
    Handle,
    Job,
    Lost,
    Outcome,
    Problem,
    State,
    Succeeded,
    TimedOut,
)
from dash_long_callback.managers.base import Manager, News
from dash_long_callback.stores import names
from dash_long_callback.stores.ports import Batch
from dash_long_callback.worker import run_job, watchdog
from dash_long_callback.worker.call import call
from dash_long_callback.worker.failures import failed
from dash_long_callback.worker.heartbeat import Heartbeat
from dash_long_callback.worker.run import Run
from dash_long_callback.worker.updates import Kind, Update

#: Seconds in which things go wrong, and how long at most it takes after that until all is over: a
#: job that is left alone by its worker is found by its lease.
ROUGH_SECONDS, CALM_SECONDS = 20.0, 120.0
#: Seconds that a cancelled function has to end, and in which all is over then, if nothing fails.
GRACE, CANCEL_SECONDS = 2.0, 5.0


class BrokenRule(AssertionError):
    """What must hold does not."""


def install() -> None:
    """Have the engine's modules in this process run on simulated time, threads and processes."""
    log = logging.getLogger("dash_long_callback")
    log.handlers, log.propagate = [_Stumbles()], False
    instead: dict[ModuleType, Any] = {time: Time, threading: Threading, queue: Queue}
    for name, module in list(sys.modules.items()):
        if not name.startswith("dash_long_callback."):
            continue
        for real, simulated in instead.items():
            if vars(module).get(real.__name__) is real:
                setattr(module, real.__name__, simulated)
        if vars(module).get("processes") is sys.modules["dash_long_callback.worker.processes"]:
            cast("Any", module).processes = Processes
    changed: Any = watchdog
    changed.interrupt_main_thread = lambda: running().interrupt_main_thread()
    changed = run_job
    changed.heartbeat = PerProcess("heartbeat", Heartbeat)
    changed = election
    changed.atexit = changed.Finalize = _NoExit
    changed = pool_worker
    changed.preload = _NoExit


class _Stumbles(logging.Handler):
    """The engine logs with a traceback what it did not expect, and goes on. Here it never does."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if error is not None and not isinstance(error, StoreError):
            running().failures.append(error)


class _NoExit:
    """A simulated process has no functions that are called when it exits."""

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def cancel(self) -> None:
        pass

    @staticmethod
    def register(_: object) -> None:
        pass

    unregister = disown = register


#: What a function does: it reports and returns, raises, goes on for a minute though it is
#: told to stop, goes on for ever, or ends its process.
Behaviour = Literal["works", "raises", "deaf", "stuck", "exits"]


@dataclass
class Plan:
    """What a job's function does."""

    kind: Behaviour
    seconds: float
    updates: int
    handler: bool
    calls: int = 0
    handled: int = 0


class Function:
    """The callback of all jobs: what ``Execution`` is to Dash's."""

    def __init__(self, world: World) -> None:
        self._world = world

    def outcome(self, run: Run) -> Outcome:
        if run.store.request(run.job.id) is None:
            return Lost("its arguments have expired")
        plan = self._world.plan_of(run.job)
        ending: Problem | None = run.problem
        try:
            try:
                return Succeeded(
                    call(run, self._call, (run, plan, ending), {}, print), lasting=True
                )
            except JobCancelled:
                raise
            except Exception as error:
                ending = ending or _ending(error)
                if not plan.handler:
                    return ending
                if not run.job.handler and not run.reporter.note(Handle(ending)):
                    raise JobCancelled from None
                return call(run, self._handle, (plan,), {}, print)
        except JobCancelled:
            return Cancelled()
        except Exception as error:
            return ending or _ending(error)
        finally:
            run.armed = False

    def _call(self, run: Run, plan: Plan, ending: Problem | None) -> bytes:
        if ending is not None:
            raise ending.exception()
        plan.calls += 1
        with _Working(self._world, run.job):
            if plan.kind == "raises":
                running().sleep(plan.seconds)
                raise ValueError("no luck")
            if plan.kind == "exits":
                running().here.process.kill()
            for n in range(plan.updates):
                running().sleep(plan.seconds / (plan.updates + 1))
                run.report([Update(0, b"%d" % n, Kind.VALUE, None)])
            if plan.kind == "deaf":  # it goes on, for a while
                for _ in range(3):
                    with suppress(JobCancelled, JobTimedOut):
                        running().sleep(20)
            elif plan.kind == "stuck":
                while True:
                    with suppress(JobCancelled, JobTimedOut):
                        running().sleep(3600)
            else:
                running().sleep(plan.seconds / (plan.updates + 1))
        return b'{"job":"%s"}' % (run.job.cache_key or run.job.id).encode()

    def _handle(self, plan: Plan) -> Succeeded:
        plan.handled += 1
        running().sleep(0.2)
        return Succeeded(b'{"handled":true}', lasting=False)


def _ending(error: Exception) -> Problem:
    if isinstance(error, JobTimedOut):
        return TimedOut.after(1.0)
    return Lost(str(error)) if isinstance(error, JobLost) else failed(error)


class Web:
    """One web process."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.process = Process(world.scheduler, "web")
        machine: Any = world.machine
        store = world.machine.store()
        self.executor = LocalExecutor(store, world.machine.options, machine)
        self.manager = Manager(store, self.executor)
        self.process.start(self._serve)

    def _serve(self) -> None:
        self.manager.ensure_running()
        running().sleep(1e9)

    def stop(self, ending: Ending) -> None:
        """As a server that is told to end."""

        def stop() -> None:
            leading = self.executor._election
            if leading is not None:
                leading.stop(ending)
            self.process.end(0)

        Thread(stop, process=self.process, scheduler=self.world.scheduler).start()


class Page:
    """Asks for a job, and waits until it has heard how that ended."""

    def __init__(self, world: World, call: Call, *, cancels: bool) -> None:
        self.world = world
        self.call = call
        self.job_id = call.job.id
        self.cancels = cancels
        self.end: Job | None = None
        self.result: bytes | None = None
        #: When a server has said that it has the wish to cancel.
        self.cancelled = math.inf
        process = world.browser
        self.begins = world.scheduler.random.uniform(0, ROUGH_SECONDS * 0.8)
        Thread(self._run, process=process, scheduler=world.scheduler).start()

    def _run(self) -> None:
        scheduler = running()
        scheduler.sleep(self.begins)
        while True:
            found, receipt = self._ask(lambda manager: manager.submit(self.call))
            if found:
                break
            scheduler.sleep(1)
        if receipt.result is not None:
            self.end, self.result = Job(self.job_id, "", State.SUCCEEDED), receipt.result.response
            return
        if self.cancels:
            scheduler.sleep(scheduler.random.choice([0.0, 0.5, 3.0, 12.0]))
            while not self._ask(self._cancel)[0]:
                scheduler.sleep(1)
            self.cancelled = scheduler.now
        seq = 0
        while self.end is None:
            found, news = self._ask(lambda manager, seq=seq: self._wait(manager, seq))
            if not found:
                scheduler.sleep(1)
                continue
            one: News | None = news.get(self.job_id)
            if one is None:
                raise BrokenRule(f"{self.job_id} is not known any more")
            seq = max(seq, one.job.seq)
            if one.job.state.ended:
                self.end, self.result = one.job, cast("bytes | None", one.response)

    def _cancel(self, manager: Manager) -> None:
        try:
            manager.cancel(self.job_id)
        except JobNotFound:
            raise BrokenRule("a job that was accepted can't be cancelled") from None

    def _wait(self, manager: Manager, seq: int) -> dict[str, News]:
        def enough(found: dict[str, News]) -> bool:
            return any(n.job.seq > seq or n.job.state.ended for n in found.values())

        return manager.wait({self.job_id: seq}, 5.0, enough)

    def _ask(self, what: Any) -> tuple[bool, Any]:
        """Ask one of the servers. Returns whether it has answered, and what."""
        webs = [web for web in self.world.webs if web.process.alive]
        if not webs:
            return False, None
        web = running().random.choice(webs)
        answer: list[Any] = []

        def act() -> None:
            with suppress(StoreError):  # 503: the page asks again
                answer.append(what(web.manager))

        handling = Thread(act, process=web.process, scheduler=self.world.scheduler)
        handling.start()
        running().wait_for([handling, web.process], 30.0)
        return bool(answer), answer[0] if answer else None


class World:
    """One simulation."""

    def __init__(self, seed: int) -> None:
        self.scheduler = scheduler = Scheduler(seed)
        dice = scheduler.random
        self.function = Function(self)
        options = PoolOptions(dice.choice([1, 2]), "simulated", grace=GRACE, stop_wait=3.0)
        self.machine = Machine(scheduler, options, lambda _key: self.function)
        self.machine.watch = self._applied
        self.plans: dict[str, Plan] = {}
        self.ended: set[str] = set()
        self.requeues = False
        self.faults = 0
        #: Where functions run, by job and attempt.
        self.working: dict[tuple[str, int], Process] = {}
        self.webs: list[Web] = []
        self.pages: list[Page] = []
        self.browser = Process(scheduler, "browser")

    def run(self) -> None:
        with Entered(self.scheduler) as scheduler:
            Processes.known.clear()
            dice = scheduler.random
            for _ in range(dice.choice([1, 2])):
                self._start_web()
            for number in range(dice.randint(1, 4)):
                self._open_page(number)
            self.faults = dice.randint(0, 5)
            for _ in range(self.faults):
                scheduler.at(BEGIN + dice.uniform(0, ROUGH_SECONDS), self._fault)
            scheduler.at(BEGIN + ROUGH_SECONDS, self._calm)
            deadline = BEGIN + ROUGH_SECONDS + CALM_SECONDS
            scheduler.run(self._over, deadline)
            if scheduler.failures:
                raise scheduler.failures[0]
            self._check()

    def _start_web(self) -> None:
        web = Web(self)
        self.webs.append(web)
        # A killed or ended server is started again.
        again = self.scheduler.random.uniform(0, 3)
        web.process.at_death.append(
            lambda: self.scheduler.at(self.scheduler.now + again, self._start_web)
        )

    def _open_page(self, number: int) -> None:
        dice = self.scheduler.random
        kinds: list[Behaviour] = ["works", "works", "works", "raises", "deaf", "stuck", "exits"]
        kind = dice.choice(kinds)
        key = dice.choice([None, None, "one", "two"])
        name = f"job-{number}"
        job = Job(
            name,
            "out.children",
            created=BEGIN,
            timeout=2.0 if kind == "stuck" else dice.choice([None, 4.0, 15.0]),
            handles_errors=dice.random() < 0.4,
        )
        if key is not None:
            job.cache_key, job.kept = key, dice.random() < 0.5
        seconds = dice.choice([0.0, 0.1, 1.0, 8.0])
        self.plans[name] = Plan(kind, seconds, dice.choice([0, 1, 4]), job.handles_errors)
        call = Call(job, b"{}", coalesce=key is not None)
        self.pages.append(Page(self, call, cancels=dice.random() < 0.3))

    # What goes wrong

    def _fault(self) -> None:
        dice = self.scheduler.random
        workers = [p for p in self.machine.workers if p.alive]
        webs = [w for w in self.webs if w.process.alive]
        match dice.choice(["kill", "kill", "pause", "kill web", "pause web", "stop"]):
            case "kill" if workers:
                dice.choice(workers).kill()
            case "pause" if workers:
                self._pause(dice.choice(workers))
            case "kill web" if webs:
                dice.choice(webs).process.kill()
            case "pause web" if webs:
                self._pause(dice.choice(webs).process)
            case "stop" if webs:
                ending: Ending = dice.choice(["finish", "requeue", "end"])
                self.requeues = self.requeues or ending == "requeue"
                dice.choice(webs).stop(ending)
            case _:
                pass

    def _pause(self, process: Process) -> None:
        process.pause()
        seconds = self.scheduler.random.choice([0.5, 5.0, 15.0])
        self.scheduler.at(self.scheduler.now + seconds, process.resume)

    def _calm(self) -> None:
        self.machine.rough = False
        for process in [*self.machine.workers, *(web.process for web in self.webs)]:
            process.resume()

    # What must hold

    def plan_of(self, job: Job) -> Plan:
        return self.plans[job.id]

    def has(self, job_id: str, attempt: int) -> bool:
        """Whether a worker with this attempt has the job."""
        return self.machine.rows.read([names.attempt(job_id)])[0] == b"%d" % attempt

    def broken(self, words: str) -> None:
        """A rule is broken, in the middle of what the engine does: it would catch an exception."""
        self.scheduler.failures.append(BrokenRule(words))

    def _applied(self, batch: Batch, before: list[bytes | None]) -> None:
        for (name, (row, _)), old in zip(batch.put.items(), before, strict=True):
            job_id = name.removesuffix(":job")
            if job_id == name:
                continue
            if job_id in self.ended:
                self.broken(f"{job_id} has ended, and was changed after that: {old!r}, {row!r}")
            if Job.load(row.partition(b"\n")[0], job_id).state.ended:
                self.ended.add(job_id)

    def _over(self) -> bool:
        if self.machine.rough or any(page.end is None for page in self.pages):
            return False
        # Whoever has left a shared job has heard of its end before it ends.
        rows = self.machine.rows
        return rows.next_queued() is None and not rows.count("state", State.RUNNING.value)

    def _check(self) -> None:
        for page in self.pages:
            if page.end is None:
                raise BrokenRule(f"{page.job_id} was never told how its job has ended")
            late = (page.end.ended or 0) > page.cancelled + CANCEL_SECONDS
            if late and not self.faults and page.call.job.cache_key is None:
                raise BrokenRule(f"{page.job_id} went on after it was cancelled")
            if page.end.state is State.SUCCEEDED:
                expected = {
                    b'{"handled":true}',
                    b'{"job":"%s"}' % (page.call.job.cache_key or page.job_id).encode(),
                }
                if page.result not in expected:
                    raise BrokenRule(f"{page.job_id} got {page.result!r}")
        for name, plan in self.plans.items():
            if plan.calls > 1 and not self.requeues:
                raise BrokenRule(f"the function of {name} was called {plan.calls} times")
            if plan.handled > 1:
                raise BrokenRule(f"the on_error of {name} was called {plan.handled} times")
        self._check_rows()

    def _check_rows(self) -> None:
        rows = self.machine.rows
        for job_id in self.ended:
            left = [names.request(job_id), names.lease(job_id), names.attempt(job_id)]
            for name, value in zip(left, rows.read(left), strict=True):
                if value is not None:
                    raise BrokenRule(f"{name} is left")
        if rows.next_queued() is not None:
            raise BrokenRule("a job waits in the queue for ever")


class _Working:
    """While a function runs: no more of them than there are workers.

    One whose job was taken from it does not count. It is ended as soon as it, or the leader, hears
    of that; but a process that is paused before its first heartbeat can't be found.
    """

    def __init__(self, world: World, job: Job) -> None:
        self._world, self._key = world, (job.id, job.attempt)
        self._process = running().here.process

    def __enter__(self) -> None:
        world = self._world
        world.working[self._key] = self._process
        busy = [key for key, process in world.working.items() if process.alive and world.has(*key)]
        if len(busy) > world.machine.options.workers:
            world.broken(f"functions run at once: {busy}")

    def __exit__(self, *_: object) -> None:
        del self._world.working[self._key]
