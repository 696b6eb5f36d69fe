"""Web processes, pages and jobs on a simulated machine, and what must hold whatever happens.

A seed says what pages ask for, how functions behave, and what goes wrong: processes are killed and
paused, servers are stopped and restarted, the database is slow or can't be used, datagrams get
lost. After a while nothing goes wrong any more, and everybody must have got what they wait for.
"""

from __future__ import annotations

import math
from contextlib import suppress
from typing import Any, cast

from celery_engine import CeleryEngine
from database import Database
from embedded import EmbeddedEngine
from functions import Behaviour, Function, Plan
from scheduler import BEGIN, Entered, Process, Scheduler, Thread, running
from system import Processes

from dash_long_callback.errors import JobNotFound, LimitReached, StoreError
from dash_long_callback.jobs import Call, Job, State
from dash_long_callback.managers.base import Manager, News, Receipt
from dash_long_callback.stores import names
from dash_long_callback.stores.ports import Batch

#: By name.
ENGINES = {"embedded": EmbeddedEngine, "celery": CeleryEngine}
#: Seconds in which things go wrong.
ROUGH_SECONDS = 20.0
#: How many jobs may start within so many seconds that have a rate.
RATE = (2, 3.0)
#: Seconds after a cancel, or after the deadline of a start, in which all is over, if nothing fails.
CANCEL_SECONDS = LATE_SECONDS = 5.0


class BrokenRule(AssertionError):
    """What must hold does not."""


class Web:
    """One web process."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.process = Process(world.scheduler, "web")
        store = world.database.store()
        self.executor = world.engine.executor(store)
        self.manager = Manager(store, self.executor)
        self.process.start(self._serve)

    def _serve(self) -> None:
        self.manager.ensure_running()
        running().sleep(1e9)

    def stop(self) -> None:
        self.world.engine.stop(self.process, self.executor)


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
        receipt = self._until_answered(self._submit)
        if receipt is None:
            return
        if receipt.result is not None:
            self.end, self.result = Job(self.job_id, "", State.SUCCEEDED), receipt.result.response
            return
        if self.cancels:
            scheduler.sleep(scheduler.random.choice([0.0, 0.5, 3.0, 12.0]))
            self._until_answered(self._cancel)
            self.cancelled = scheduler.now
        seq = 0
        while self.end is None:
            news = self._until_answered(lambda manager, seq=seq: self._wait(manager, seq))
            one: News | None = news.get(self.job_id)
            if one is None:
                raise BrokenRule(f"{self.job_id} is not known any more")
            seq = max(seq, one.job.seq)
            if one.job.state.ended:
                self.end, self.result = one.job, cast("bytes | None", one.response)

    def _submit(self, manager: Manager) -> Receipt | None:
        try:
            return manager.submit(self.call)
        except LimitReached:
            self.world.check_refused(self.call.job)
            self.end = Job(self.job_id, "", State.FAILED)
            return None

    def _cancel(self, manager: Manager) -> None:
        try:
            manager.cancel(self.job_id, self.call.job.owner)
        except JobNotFound:
            raise BrokenRule("a job that was accepted can't be cancelled") from None

    def _wait(self, manager: Manager, seq: int) -> dict[str, News]:
        def enough(found: dict[str, News]) -> bool:
            return any(n.job.seq > seq or n.job.state.ended for n in found.values())

        return manager.wait({self.job_id: seq}, 5.0, enough, self.call.job.owner)

    def _until_answered(self, what: Any) -> Any:
        while True:
            found, answer = self._ask(what)
            if found:
                return answer
            running().sleep(1)

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

    def __init__(self, seed: int, engine: str) -> None:
        self.scheduler = scheduler = Scheduler(seed)
        self.database = Database(scheduler)
        self.database.watch = self._applied
        self.plans: dict[str, Plan] = {}
        self.ended: set[str] = set()
        #: When jobs have started that have a rate.
        self.started: list[float] = []
        self.faults = 0
        #: Where functions run, by job and attempt.
        self.working: dict[tuple[str, int], Process] = {}
        self.webs: list[Web] = []
        self.pages: list[Page] = []
        self.browser = Process(scheduler, "browser")
        self.engine = ENGINES[engine](self.database, Function(self))

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
            deadline = BEGIN + ROUGH_SECONDS + self.engine.calm_seconds
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
        updates = dice.choice([0, 1, 4])
        if dice.random() < 0.4:
            job.waits = [0.5, 3.0][: dice.randint(1, 2)]
            job.retried_after = dice.choice([[], [], ["lost"], ["lost", "timed_out"]])
        failures, limit = dice.choice([1, 2, 9]), 1 + len(job.waits or ())
        self._limit(job)
        self.plans[name] = Plan(kind, seconds, updates, job.handles_errors, failures, limit)
        call = Call(job, b"{}", coalesce=key is not None)
        page = Page(self, call, cancels=dice.random() < 0.3)
        if (within := dice.choice([None, None, 0.5, 3.0, 10.0])) is not None:
            job.start_by = BEGIN + page.begins + within
        self.pages.append(page)

    def _limit(self, job: Job) -> None:
        dice = self.scheduler.random
        job.owner = dice.choice([None, "ann", "bob"])
        job.priority = dice.choice([0.0, 0.0, 1.0])
        job.limits = dice.choice([None, None, [["one", 1]], [["two", 2], [f"of {job.owner}", 1]]])
        job.rates = dice.choice([None, None, None, [["rate", *RATE]]])
        job.reserves = bool(job.gate) and dice.random() < 0.2

    # What goes wrong

    def _fault(self) -> None:
        dice = self.scheduler.random
        what = dice.choice(self.engine.faults)
        webs = [web for web in self.webs if web.process.alive]
        if not what.endswith(" web"):
            self.engine.fault(what)
        elif webs:
            web = dice.choice(webs)
            acts = {
                "kill web": web.process.kill,
                "pause web": web.process.pause_a_while,
                "stop web": web.stop,
            }
            acts[what]()

    def _calm(self) -> None:
        self.database.rough = False
        for process in self.scheduler.processes:
            process.resume()

    # What must hold

    def plan_of(self, job: Job) -> Plan:
        return self.plans[job.id]

    def has(self, job_id: str, attempt: int) -> bool:
        """Whether a worker with this attempt has the job."""
        return self.database.rows.read([names.attempt(job_id)])[0] == b"%d" % attempt

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
            job = Job.load(row.partition(b"\n")[0], job_id)
            if job.state.ended:
                self.ended.add(job_id)
            if job.state is State.EXPIRED and self.plans[job_id].calls:
                self.broken(f"{job_id} has expired, and its function was called")
            if job.state is State.RUNNING and (job.started or 0) >= (job.start_by or math.inf):
                self.broken(f"{job_id} has begun too late")
            if job.state is State.RUNNING and names.attempt(job_id) in batch.put:
                self._check_limits(job)

    def _check_limits(self, begun: Job) -> None:
        """No more jobs run, or have started, than may."""
        running_now = self._with_state(State.RUNNING)
        for key, count in begun.limits or ():
            alike = [job.id for job in running_now if [key, count] in (job.limits or ())]
            if len(alike) > count:
                self.broken(f"{alike} run at once, though {count} may")
        if begun.rates and not begun.reserves:
            times, per = RATE
            now = begun.started or 0.0
            self.started.append(now)
            if len([at for at in self.started if abs(at - now) < per]) > times:
                self.broken(f"more than {times} jobs have started within {per} s")

    def _with_state(self, state: State) -> list[Job]:
        rows = self.database.rows
        ids = [job_id for _, job_id in rows.list("state", state.value, 1000)]
        records = rows.read(map(names.job, ids))
        return [
            Job.load(row.partition(b"\n")[0], i)
            for i, row in zip(ids, records, strict=True)
            if row is not None
        ]

    def check_refused(self, job: Job) -> None:
        """There is another that counts for its limits, or there was one."""
        if not self.others(job) and not job.rates:
            self.broken(f"{job.id} was refused, and nothing else runs")

    def others(self, job: Job) -> list[Job]:
        """Jobs that count for the limits of this one, or have lately."""
        keys = {key for key, _ in job.limits or ()}
        jobs = [page.call.job for page in self.pages if page.call.job is not job]
        return [one for one in jobs if keys & {key for key, _ in one.limits or ()}]

    def _over(self) -> bool:
        if self.database.rough or any(page.end is None for page in self.pages):
            return False
        # Whoever has left a shared job has heard of its end before it ends.
        rows = self.database.rows
        waits = self.engine.supervised and rows.next_queued() is not None
        return not waits and not rows.count("state", State.RUNNING.value)

    def _check(self) -> None:
        for page in self.pages:
            if page.end is None:
                raise BrokenRule(f"{page.job_id} was never told how its job has ended")
            if page.end.state is State.EXPIRED:
                self._check_expired(page)
            late = (page.end.ended or 0) > page.cancelled + CANCEL_SECONDS
            # One that is lost by itself is found by its lease; its on_error may be called then.
            lost = page.end.state is State.LOST or self.plans[page.job_id].kind == "exits"
            if late and page.call.job.cache_key is None and not lost and not self.faults:
                raise BrokenRule(f"{page.job_id} went on after it was cancelled")
            if page.end.state is State.SUCCEEDED:
                expected = {
                    b'{"handled":true}',
                    b'{"job":"%s"}' % (page.call.job.cache_key or page.job_id).encode(),
                }
                if page.result not in expected:
                    raise BrokenRule(f"{page.job_id} got {page.result!r}")
        for name, plan in self.plans.items():
            if plan.calls > plan.limit and not self.engine.calls_again:
                raise BrokenRule(f"the function of {name} was called {plan.calls} times")
            if plan.handled > 1:
                raise BrokenRule(f"the on_error of {name} was called {plan.handled} times")
        self._check_rows()

    def _check_expired(self, page: Page) -> None:
        job = page.end
        assert job is not None
        if self.plans[job.id].calls:
            raise BrokenRule(f"{job.id} has expired, and its function was called")
        # One that cancels does not wait before: then the job ends when a worker would take it.
        if (
            not self.faults
            and not page.cancels
            and (job.ended or 0) > (job.start_by or 0) + LATE_SECONDS
        ):
            raise BrokenRule(f"{job.id} was not ended when it was late")

    def _check_rows(self) -> None:
        rows = self.database.rows
        for job_id in self.ended:
            left = [names.request(job_id), names.lease(job_id), names.attempt(job_id)]
            for name, value in zip(left, rows.read(left), strict=True):
                if value is not None:
                    raise BrokenRule(f"{name} is left")
        # With Celery, those who wait for a job see to it; one that all have left may never begin.
        if self.engine.supervised and rows.next_queued() is not None:
            raise BrokenRule("a job waits in the queue for ever")
