"""What the functions of jobs do, in place of a user's."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from scheduler import running

from dash_long_callback.errors import JobCancelled, JobLost, JobTimedOut
from dash_long_callback.jobs import (
    Cancelled,
    Handle,
    Job,
    Lost,
    Outcome,
    Problem,
    Succeeded,
    TimedOut,
    retries,
)
from dash_long_callback.worker.call import call
from dash_long_callback.worker.failures import failed
from dash_long_callback.worker.run import Run
from dash_long_callback.worker.updates import Kind, Update

if TYPE_CHECKING:
    from world import World

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
    #: How often one raises that does; then it works.
    failures: int
    #: How often it may be called.
    limit: int
    calls: int = 0
    handled: int = 0


class Function:
    """The callback of all jobs: what ``Execution`` is to Dash's."""

    def __init__(self, world: World) -> None:
        self._world = world

    def outcome(self, run: Run) -> Outcome:
        if run.request() is None:
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
                if ending is None and retries(run.job, ending := _ending(error)):
                    return ending
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
            if plan.kind == "raises" and plan.calls <= plan.failures:
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
    return Lost(str(error)) if isinstance(error, JobLost) else replace(failed(error), retry=True)


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
        if len(busy) > world.engine.limit:
            world.broken(f"functions run at once: {busy}")

    def __exit__(self, *_: object) -> None:
        del self._world.working[self._key]
