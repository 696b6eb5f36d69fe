"""What a manager does: it takes requests for jobs, tells what is new on them, and cancels them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from dash_long_callback.errors import JobNotFound
from dash_long_callback.jobs import Cancelled, Job, State, new_job_id

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dash_long_callback.callbacks import LongCallback
    from dash_long_callback.executors.base import Executor
    from dash_long_callback.stores.base import Store


class Disposition(str, Enum):
    """What a manager did with a request for a job."""

    NEW = "new"


@dataclass(frozen=True)
class Receipt:
    """The answer to a request for a job."""

    job_id: str
    disposition: Disposition


@dataclass(frozen=True)
class News:
    """What is new on a job since a sequence number.

    Attributes:
        job: the record.
        updates: the new slots' targets and JSON values, oldest first.
        response: the JSON result, if the job has succeeded.
    """

    job: Job
    updates: list[tuple[int | tuple[str, str], bytes]]
    response: bytes | None


class Manager:
    """A store and an executor, and the policy between them.

    Every method may be called from any thread of any web process.

    Args:
        store: keeps the jobs.
        executor: runs them.
    """

    def __init__(self, store: Store, executor: Executor) -> None:
        self.store = store
        self.executor = executor

    def ensure_running(self) -> None:
        """Have workers ready before the first job."""
        self.executor.ensure_running()

    def submit(self, callback: LongCallback, request: bytes) -> Receipt:
        """Start a job.

        Args:
            callback: what to run.
            request: JSON of its arguments and context.

        Raises:
            StoreError: if the job can't be stored; it is not started then.
        """
        job = Job(new_job_id(), callback.key, interval=callback.options.interval)
        with self.store.transaction():
            self.store.create(job, request)
            self.executor.start(job)
        self.executor.started()
        return Receipt(job.id, Disposition.NEW)

    def news(self, jobs: Mapping[str, int]) -> dict[str, News]:
        """What is new on these jobs, each since its sequence number. Unknown jobs are left out.

        A job on which nothing is new is there, too, without updates.
        """
        found: dict[str, News] = {}
        for job_id, seq in jobs.items():
            known = self.store.load_all(job_id)
            if known is not None:
                found[job_id] = self._news(*known, seq)
        return found

    def wait(
        self, jobs: Mapping[str, int], timeout: float, enough: Callable[[dict[str, News]], bool]
    ) -> dict[str, News]:
        """As :meth:`news`, but wait up to ``timeout`` seconds until the news is ``enough``."""
        deadline = time.monotonic() + timeout
        while True:
            # The version before the news: what is written in between is seen in the next round.
            version = self.store.version()
            found = self.news(jobs)
            if enough(found) or not self.store.wait(version, deadline - time.monotonic()):
                return found

    def cancel(self, job_id: str) -> None:
        """End a job: at once if it waits, else as soon as its function lets go.

        A job that has ended stays as it is.

        Raises:
            JobNotFound: if there is no such job.
        """
        job = self.store.load(job_id)
        if job is None:
            raise JobNotFound
        if self.store.change(job_id, _cancel_queued) is None and not job.state.ended:
            self.store.ask_cancel(job_id)
            self.executor.cancel(job_id)

    def stop(self) -> None:
        """End everything that was started, running jobs included."""
        self.executor.stop()
        self.store.close()

    def _news(self, job: Job, response: bytes | None, seq: int) -> News:
        slots = job.since(seq)
        values = self.store.values(job.id, [n for n, _ in slots]) if slots else []
        updates = [
            # A value that is gone was replaced after the record was read; the next read has it.
            (slot.target, value)
            for (_, slot), value in zip(slots, values, strict=True)
            if value is not None
        ]
        return News(job, updates, response)


def _cancel_queued(job: Job) -> bool:
    if job.state is not State.QUEUED:
        return False
    job.end(Cancelled())
    return True
