"""Records of jobs. A change reads, computes, and writes if what was read is still true."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING

from dash_long_callback.jobs import (
    Cancelled,
    Effect,
    End,
    Finish,
    Job,
    State,
    Succeeded,
    transition,
)
from dash_long_callback.stores import names, timing
from dash_long_callback.stores.large_results import INLINE_BYTES
from dash_long_callback.stores.ports import Batch, Entry, Place

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dash_long_callback.jobs import Begin, Event, Outcome, Transition
    from dash_long_callback.stores.large_results import LargeResults
    from dash_long_callback.stores.ports import Rows


class Records:
    """Reads and changes records, and what changes with them.

    Args:
        rows: where they are.
        large: where large results go.
        retention: seconds that a job and its outcome are kept.
    """

    def __init__(self, rows: Rows, large: LargeResults, retention: float) -> None:
        self.rows = rows
        self.retention = retention
        self._large = large

    def row(self, name: str) -> bytes | None:
        """What a row holds."""
        return self.rows.read([name])[0]

    def load(self, job_id: str) -> tuple[Job, bytes | None] | None:
        """A record, and the result that is with it."""
        data = self.row(names.job(job_id))
        return None if data is None else parse(data, job_id)

    def creation(self, job: Job, request: bytes) -> Batch:
        """What there is of a new job."""
        seconds = self.seconds(job)
        put = {
            names.request(job.id): (request, seconds),
            names.job(job.id): (job.dump(), seconds),
        }
        if job.state is State.RUNNING:
            put |= self._begun(job)
        place = place_of(job) if job.state is State.QUEUED else None
        # Somebody who was told that it could not be stored may have asked for another since.
        return Batch({names.job(job.id): None}, put, entry=entry_of(job), place=place, timely=True)

    def create_ended(self, job: Job, response: bytes, values: Mapping[int, bytes]) -> bool:
        """Keep a new job that has ended already; False if there is one of its id."""
        new: dict[str, bytes | None] = {names.job(job.id): None}
        record = job.dump() + b"\n" + response
        if len(response) > INLINE_BYTES:
            # By a number of its own: of two who do this at once, one drops what it has written.
            job = job.changed(attempt=secrets.randbits(31) + 1, result_size=len(response))
            record = job.dump()
            if not self._large.put(job.id, job.attempt, response, new):
                return False
        put = {names.update(job.id, n): (value, self.retention) for n, value in values.items()}
        put[names.job(job.id)] = record, self.retention
        created = self.rows.apply(Batch(new, put, entry=entry_of(job), timely=True))
        if not created and job.result_size is not None:
            self._large.drop(job.id, job.attempt, job.result_size)
        return created

    def begin(self, job: Job, old: bytes, event: Begin, more: Batch, now: float) -> Job | None:
        """Begin a job.

        Args:
            job: its record.
            old: the same, as it was read.
            event: what begins it.
            more: what is to be true, and to be written, in the same step.
            now: seconds since 1970: it begins now.

        Returns:
            The changed record; None if that was refused, or something else is true now.
        """
        change = transition(job, event, now)
        if change is None:
            return None
        batch = self._batch(job, change)
        batch.expect |= {names.job(job.id): old, **more.expect}
        batch.put = {**more.put, **batch.put}  # the record last
        return change.job if self.rows.apply(batch) else None

    def change(self, job_id: str, event: Event) -> Job | None:
        """Change a record as ``jobs.transition`` says, in one step; None if that is refused."""
        name = names.job(job_id)
        while (old := self.row(name)) is not None:
            before = parse(old, job_id)[0]
            change = self._transition(before, event)
            if change is None:
                break
            batch = self._batch(before, change)
            batch.expect[name] = old
            if self.rows.apply(batch):
                return change.job
        return None

    def finish(
        self, job: Job, outcome: Outcome, values: Mapping[int, bytes], stale: Iterable[int]
    ) -> Job | None:
        """End a running job, with what its worker is yet to write; None if that is refused."""
        # The record is not read: only the worker that holds the job may have written it.
        change = self._transition(job, Finish(outcome, job.attempt))
        if change is None:
            return None
        response = outcome.response if isinstance(outcome, Succeeded) else b""
        size = len(response)
        large = size > INLINE_BYTES
        if large:
            if not self._large.put(job.id, job.attempt, response):
                return None
            change.job.result_size, response = size, b""
        batch = self._batch(job, change, response)
        self._report(batch, change.job, values, stale)
        if self.rows.apply(batch):
            return change.job
        if large:
            self._large.drop(job.id, job.attempt, size)
        if change.job.state is State.QUEUED and self._cancel_asked(job):
            return self.finish(job, Cancelled(), values, stale)
        return None

    def _transition(self, job: Job, event: Event) -> Transition | None:
        """As ``transition``; but a job that is to be cancelled does not wait once more."""
        now = time.time()
        change = transition(job, event, now)
        if change is None or Effect.ENQUEUE not in change.effects or not self._cancel_asked(job):
            return change
        return transition(job, End(Cancelled()), now)

    def _cancel_asked(self, job: Job) -> bool:
        return self.row(names.cancel(job.id)) is not None

    def _batch(self, before: Job, change: Transition, response: bytes = b"") -> Batch:
        job, effects = change.job, change.effects
        seconds, record = self.seconds(job), job.dump()
        batch = Batch(news=job.id)
        if Effect.START_LEASE in effects:
            batch.put |= self._begun(job)
        elif job.state is not State.RUNNING:
            batch.drop += [names.attempt(job.id), names.lease(job.id)]
        if Effect.DROP_REQUEST in effects:
            batch.drop.append(names.request(job.id))
        if Effect.ENQUEUE in effects:
            batch.place = place_of(job, front=job.not_before is None)
            batch.touch[names.request(job.id)] = seconds
            batch.expect[names.cancel(job.id)] = None
        batch.drop += [names.update(job.id, n) for n in before.slots if n not in job.slots]
        if Effect.NOTIFY_WORKER in effects and not self.rows.atomic:
            # It may begin it between two rows of this, and overwrite them.
            batch.put[names.cancel(job.id)] = b"1", self.retention
            batch.cancel = job.id
        if Effect.KEEP_PLACE in effects:
            batch.entry, batch.place = entry_of(job), place_of(job)._replace(stays=True)
        if job.state is not before.state:
            batch.entry = entry_of(job)
        # Behind the rest: who sees the record finds what it speaks of.
        whole = record + b"\n" + response if response else record
        batch.put[names.job(job.id)] = whole, seconds
        return batch

    def _begun(self, job: Job) -> dict[str, tuple[bytes, float]]:
        """The rows of a job that begins."""
        return {
            names.attempt(job.id): (b"%d" % job.attempt, self.retention),
            names.lease(job.id): (str(time.time()).encode(), timing.LEASE_SECONDS),
        }

    def write(self, job: Job, values: Mapping[int, bytes], stale: Iterable[int]) -> bool:
        """Write a running job's record and slots; False if another worker was given it."""
        batch = Batch(put={names.job(job.id): (job.dump(), self.retention)}, news=job.id)
        self._report(batch, job, values, stale)
        return self.rows.apply(batch)

    def _report(
        self, batch: Batch, job: Job, values: Mapping[int, bytes], stale: Iterable[int]
    ) -> None:
        """Have a batch write slots, too, as the worker that holds the job."""
        slots = {
            names.update(job.id, n): (value, self.retention)
            for n, value in values.items()
            if n in job.slots
        }
        batch.put = {**slots, **batch.put}  # who sees the record finds them
        batch.drop += [names.update(job.id, n) for n in stale]
        batch.expect |= self.held(job)

    @staticmethod
    def held(job: Job) -> dict[str, bytes | None]:
        """What is true as long as the worker that has this record is the one that may write it."""
        return {names.attempt(job.id): b"%d" % job.attempt}

    def seconds(self, job: Job) -> float:
        """How long a record is kept."""
        waits = job.state in (State.QUEUED, State.NEWER)
        if not waits:
            return self.retention
        # The delay may be longer than all that.
        ahead = max(0.0, (job.not_before or 0.0) - time.time())
        return ahead + self.retention * timing.WAITING


def parse(data: bytes, job_id: str) -> tuple[Job, bytes | None]:
    """What a row of a record holds: the record, and the result that is with it."""
    record, _, response = data.partition(b"\n")
    return Job.load(record, job_id), response or None


def entry_of(job: Job) -> Entry:
    """What the index knows of a job."""
    state = job.unknown.get("state", job.state.value)
    return Entry(job.id, state, job.callback, job.owner, job.created)


def place_of(job: Job, *, front: bool = False) -> Place:
    """Where a job waits."""
    lane = (job.owner or "") if job.fair else ""
    # Else a click of a user would come behind all that is to begin tomorrow.
    lane = f"later {lane}" if job.is_scheduled else lane
    return Place(
        job.queue or "",
        job.priority,
        lane,
        ":".join(job.gate),
        front,
        job.not_before or 0.0,
    )
