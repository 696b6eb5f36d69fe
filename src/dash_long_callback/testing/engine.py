"""Where jobs of a test run: in this process, in memory, at once or when the test says so."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from contextvars import Context
from typing import Any
from unittest.mock import patch

from dash_long_callback.dash.callbacks import registry
from dash_long_callback.ends import expire
from dash_long_callback.executors.base import Executor
from dash_long_callback.executors.inline import InlineExecutor
from dash_long_callback.jobs import Job, State
from dash_long_callback.managers.base import Manager
from dash_long_callback.managers.diskcache import RETENTION, DiskcacheLongCallbackManager
from dash_long_callback.managers.positions import Positions
from dash_long_callback.stores.job_store import JobStore
from dash_long_callback.stores.memory import MemoryRows
from dash_long_callback.stores.row_results import RowResults
from dash_long_callback.testing.clock import Clock
from dash_long_callback.testing.off_loop import off_loop
from dash_long_callback.testing.recording import Record, RecordedRun
from dash_long_callback.worker.limits import Limits
from dash_long_callback.worker.run import Run
from dash_long_callback.worker.run_job import run_job

#: Jobs that a test may have, when all that wait are looked at.
_MANY = 10_000


class Engine:
    """A store in memory and an executor in this process, for all managers while it is entered.

    The managers stay as they are, with their options; their own stores and executors are not used.

    Args:
        manual: whether jobs wait until ``run_next``, on a clock that stands still; else each has
            ended when it has been submitted.

    Attributes:
        clock: that stands still; None: it does not.
        asking: whether a page is asking for something: then nobody waits for a job in vain.
    """

    def __init__(self, *, manual: bool) -> None:
        self.clock = Clock() if manual else None
        rows = MemoryRows(time.time if self.clock is None else self.clock.time)
        self.store = JobStore(rows, RowResults(rows, RETENTION), RETENTION)
        self.executor: Executor = _WhenTold(self) if manual else _AtOnce(self)
        self.records: dict[str, Record] = {}
        self.asking = False
        #: What runs now, and for how long it may.
        self._current: list[tuple[Run, Limits]] = []

    @contextmanager
    def installed(self) -> Generator[None]:
        """Be the store and the executor of all managers while the block runs."""
        instead = {
            "store": self.store,
            "executor": self.executor,
            "_positions": Positions(self.store, self.executor),
        }
        with ExitStack() as stack:
            for name, value in instead.items():
                shown = _Instead(name, value)
                stack.enter_context(patch.object(Manager, name, shown, create=True))
            # There is no folder to be found.
            found = Manager.find_server
            stack.enter_context(patch.object(DiskcacheLongCallbackManager, "find_server", found))
            if self.clock is not None:
                stack.enter_context(patch("dash_long_callback.managers.liveness.Checks.due", _due))
                stack.enter_context(self.clock.installed())
            yield

    def run(self, job: Job) -> None:
        """Run a job that has begun, in this thread."""
        callback = registry.get(job.callback, job.digest)
        assert callback is not None, f"{job.callback} is not declared any more"
        record = self.records.setdefault(job.id, Record())
        run = RecordedRun(record, self.store, job, callback)
        now = 0.0 if self.clock is None else self.clock.now
        self._current.append((run, Limits(now, job.timeout, 0.0)))
        try:
            # A worker has nothing of the request, nor of the test.
            off_loop(lambda: Context().run(run_job, run))
        finally:
            self._current.pop()

    def run_next(self) -> Job | None:
        """Run the job that is next, if one may begin. Returns its record as it began."""
        job = self.store.begin_next().job
        if job is not None:
            self.run(job)
        return job

    def waiting(self) -> list[Job]:
        """The jobs that wait, those that were asked for first before others."""
        return self.store.list("state", State.QUEUED.value, limit=_MANY)[::-1]

    def move(self, clock: Clock, to: float) -> None:
        """Let time pass, and have happen what happens by itself: deadlines."""
        clock.move(to)
        for job in self.waiting():
            if job.is_late(to):
                expire(self.store, job.id)
        for run, limits in self._current:
            if limits.expire(to):
                run.stop(limits.reason)
                run.checkpoint()

    def stop_cancelled(self) -> None:
        """Tell the functions that run of cancels."""
        for run, limits in self._current:
            if self.store.cancel_asked(run.job.id) and limits.stop(time.monotonic()):
                run.stop(limits.reason)


class _AtOnce(InlineExecutor):
    def __init__(self, engine: Engine) -> None:
        super().__init__(engine.store)
        self._engine = engine

    def run_begun(self, job: Job) -> None:
        self._engine.run(job)

    def cancel(self) -> None:
        self._engine.stop_cancelled()


class _WhenTold(Executor):
    # So that whoever waits for a job has it checked.
    supervised = False

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def start(self, job: Job) -> None:
        """It waits in the queue."""

    def cancel(self) -> None:
        self._engine.stop_cancelled()

    def check_liveness(self, job: Job) -> None:
        if not self._engine.asking:
            raise RuntimeError(
                f"no. {job.ref} of {job.name} has not ended, and nobody runs it meanwhile: call "
                "long_callbacks.run_next() before you wait for its result"
            )

    def stop(self) -> None:
        """Nothing to stop."""


class _Instead:
    """What all instances of a class have under a name, whatever is in them."""

    def __init__(self, name: str, value: Any) -> None:
        self._name, self._value = name, value

    def __get__(self, instance: object, owner: type) -> Any:
        return self._value

    def __set__(self, instance: object, value: Any) -> None:
        # What the instance has again when this is gone.
        vars(instance)[self._name] = value


def _due(_checks: object, _job: Job) -> bool:
    """Time stands still, so it would never be time to check a job."""
    return True
