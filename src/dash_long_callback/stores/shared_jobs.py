"""Equal requests share a job: they join the one that is in flight."""

from __future__ import annotations

import json
import time
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from dash_long_callback.stores import names
from dash_long_callback.stores.parse import joined_row, read_id, read_joined, read_waiters
from dash_long_callback.stores.ports import Batch
from dash_long_callback.stores.records import parse

if TYPE_CHECKING:
    from dash_long_callback.jobs import Job
    from dash_long_callback.stores.kept_results import KeptResults
    from dash_long_callback.stores.parse import Joined
    from dash_long_callback.stores.records import Records


class Disposition(str, Enum):
    """What became of a request for a job."""

    #: A job was started.
    NEW = "new"
    #: The same request came before, and its job is there.
    KNOWN = "known"
    #: An equal job runs already: it will answer this request, too.
    JOINED = "joined"
    #: An equal job has run before: its result is the answer, and there is no job.
    CACHED = "cached"
    #: As many of its kind run as may, and it does not wait: there is no job.
    REFUSED = "refused"


class InFlight(NamedTuple):
    """What is known of the job that will give the outcome of a cache key.

    Attributes:
        row: what the key's row holds.
        job: the job, if it may be joined.
        waiters: what the row of its waiters holds.
    """

    row: bytes | None
    job: Job | None = None
    waiters: bytes | None = None


class SharedJobs:
    """Who waits for which job.

    Args:
        records: the jobs.
        kept: what was cleared: a job that began before is not shared.
    """

    def __init__(self, records: Records, kept: KeptResults) -> None:
        self._records = records
        self._rows = records.rows
        self._kept = kept

    def in_flight(self, cache_key: str) -> InFlight:
        """The job that has not ended and will give the outcome of this key."""
        # The row stays when its job has ended, so that it tells who creates another that one has
        # come and gone since they looked.
        row = self._records.row(names.in_flight(cache_key))
        job_id = read_id(row, "the job of a cache key")
        if job_id is None:
            return InFlight(row)
        record, cancel, waiters = self._rows.read(
            [names.job(job_id), names.cancel(job_id), names.waiters(job_id)]
        )
        if record is None or cancel is not None or not read_waiters(waiters):
            return InFlight(row)  # the last who waited for it has left
        job = parse(record, job_id)[0]
        over = job.state.ended or job.is_late(time.time())
        usable = not over and not self._kept.is_cleared(job)
        return InFlight(row, job if usable else None, waiters)

    def put_in_flight(self, job: Job, cache_key: str, batch: Batch) -> None:
        """Have a new job, which a batch creates, give the outcome of its cache key."""
        seconds = self._records.seconds(job)
        batch.put[names.waiters(job.id)] = json.dumps([job.id]).encode(), seconds
        batch.put[names.in_flight(cache_key)] = job.id.encode(), seconds

    def join(
        self, job: Job, waiter: str, owner: str | None, *, in_place_of: str | None = None
    ) -> None:
        """Give a job another waiter."""
        row = names.waiters(job.id)
        while not self.try_join(job, waiter, owner, self._records.row(row), in_place_of):
            pass

    def try_join(
        self,
        job: Job,
        waiter: str,
        owner: str | None,
        row: bytes | None,
        in_place_of: str | None = None,
    ) -> bool:
        """The same, if the row of the waiters is still as it was."""
        others = [one for one in read_waiters(row) if one != in_place_of]
        waiters = list(dict.fromkeys([*others, waiter]))
        seconds = self._records.seconds(job)
        put = {
            names.joined(waiter): (joined_row(job, owner), seconds),
            names.waiters(job.id): (json.dumps(waiters).encode(), seconds),
        }
        return self._rows.apply(Batch({names.waiters(job.id): row}, put))

    def leave(self, job: Job, waiter: str) -> bool:
        """Take a waiter away from a job. Returns whether it was the last."""
        name, seconds = names.waiters(job.id), self._records.seconds(job)
        while True:
            row = self._records.row(name)
            rest = [one for one in read_waiters(row) if one != waiter]
            put = {
                name: (json.dumps(rest).encode(), seconds),
                names.left(waiter): (b"1", seconds),
            }
            if self._rows.apply(Batch({name: row}, put, news=waiter)):
                return not rest

    def joined(self, waiter: str) -> Joined | None:
        """The job that a waiter has joined."""
        return read_joined(self._records.row(names.joined(waiter)))

    def has_left(self, waiter: str) -> bool:
        """Whether ``leave`` was called for this waiter."""
        return self._records.row(names.left(waiter)) is not None
