"""How many jobs are ahead of one that waits, and how long it will wait.

How many are ahead is counted. How long that takes is an estimate, from how long such jobs have
taken lately: the workers take what is ahead in its queue one after the other, and no more jobs with
its keys run at once than its limits allow.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from dash_long_callback.errors import NotListed
from dash_long_callback.jobs import State

if TYPE_CHECKING:
    from dash_long_callback.executors.base import Executor
    from dash_long_callback.jobs import Job
    from dash_long_callback.stores.job_store import JobStore
    from dash_long_callback.stores.ports import Ahead

#: How many jobs are to begin before one, and whether there is an estimate of how long that takes.
Told: TypeAlias = tuple[int, bool]

#: Seconds for which a position is not counted again.
EVERY_SECONDS = 1.0
#: The same of how long jobs have taken; and how many of them are looked at.
RECENT_SECONDS, RECENT = 10.0, 50


@dataclass(frozen=True)
class Position:
    """Where a job waits.

    Attributes:
        ahead: how many jobs are to begin before it.
        seconds: an estimate of how long it will wait; None: nothing like it has run lately.
    """

    ahead: int
    seconds: float | None

    @property
    def told(self) -> Told:
        """What somebody knows who was told of it; the estimate itself changes all the time."""
        return self.ahead, self.seconds is not None


class Positions:
    """The positions of a manager's jobs, each counted at most once a second in this process.

    Args:
        store: where the jobs are.
        executor: runs them.
    """

    def __init__(self, store: JobStore, executor: Executor) -> None:
        self._store = store
        self._executor = executor
        self._lock = threading.Lock()
        self._known: dict[str, tuple[float, Position | None]] = {}
        self._recent: tuple[float, list[tuple[str, float]]] = 0.0, []
        self._forget = 0.0

    def of(self, job: Job) -> Position | None:
        """The position of a job; None if it does not wait, not yet, or if that is not known.

        Raises:
            StoreError: if the store can't be read.
        """
        if job.state is not State.QUEUED:
            return None
        now = time.monotonic()
        with self._lock:
            until, known = self._known.get(job.id, (0.0, None))
        if now < until:
            return known
        ahead = self._store.rows.ahead(job.id)
        found = None if ahead is None else Position(ahead.queue, self._seconds(job, ahead, now))
        with self._lock:
            if now >= self._forget:
                self._known = {i: one for i, one in self._known.items() if one[0] > now}
                self._forget = now + EVERY_SECONDS
            self._known[job.id] = now + EVERY_SECONDS, found
        return found

    def _seconds(self, job: Job, ahead: Ahead, now: float) -> float | None:
        try:
            running = self._store.count("state", State.RUNNING.value)
            recent = self._took_lately(now)
        except NotListed:
            return None
        if not recent:
            return None
        any_job = _mean([seconds for _, seconds in recent])
        alike = [seconds for callback, seconds in recent if callback == job.callback]
        own = _mean(alike) if alike else any_job
        workers = self._executor.workers or running
        # Those that run have half their time before them, more or less.
        waits = [(ahead.queue + 0.5) * any_job / workers] if running >= workers > 0 else [0.0]
        waits += [(ahead.gate + 0.5) * own / count for _, count in job.limits or ()]
        waits += [ahead.gate // times * per for _, times, per in job.rates or ()]
        return max(waits)

    def _took_lately(self, now: float) -> list[tuple[str, float]]:
        """The callbacks of jobs that have succeeded lately, and the seconds that these took."""
        until, found = self._recent
        if now >= until:
            jobs = self._store.list("state", State.SUCCEEDED.value, limit=RECENT)
            found = [(job.callback, (job.ended or 0.0) - (job.started or 0.0)) for job in jobs]
            self._recent = now + RECENT_SECONDS, found
        return found


def _mean(seconds: list[float]) -> float:
    return max(0.0, sum(seconds) / len(seconds))
