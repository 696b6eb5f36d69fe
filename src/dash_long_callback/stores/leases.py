"""Timed claims on a job: its worker's lease, and the presence of a page; and the wish to cancel."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from dash_long_callback.stores import names, timing
from dash_long_callback.stores.parse import read_time, read_waiters
from dash_long_callback.stores.ports import Batch
from dash_long_callback.stores.records import entry_of

if TYPE_CHECKING:
    from dash_long_callback.jobs import Job
    from dash_long_callback.stores.limits import Limits
    from dash_long_callback.stores.records import Records


class Leases:
    """What is known of those who are concerned with a job beside its record.

    Args:
        records: the jobs.
        limits: what limits them.
    """

    def __init__(self, records: Records, limits: Limits) -> None:
        self._records = records
        self._limits = limits
        self._rows = records.rows

    def renew(self, job: Job, worker: bytes | None) -> bool:
        """A heartbeat; False if another worker was given the job."""
        retention = self._records.retention
        now, name = time.time(), names.worker(job.id)
        lease, known = self._rows.read([names.lease(job.id), name])
        touched = read_time(lease, "a lease")
        batch = Batch(self._records.held(job))
        # Not with each heartbeat: some databases have to write them all for that.
        if not 0 <= now - touched < retention / 4:
            touched = now
            batch.touch = dict.fromkeys(self._rows_of(job), retention)
            batch.touch |= dict.fromkeys(self._limits.rows_of(job), self._limits.seconds)
            batch.entry = entry_of(job)
        if worker is not None and known != worker:
            batch.put[name] = worker, retention
        batch.put[names.lease(job.id)] = str(touched).encode(), timing.LEASE_SECONDS
        return self._rows.apply(batch)

    def _rows_of(self, job: Job) -> list[str]:
        kinds = (names.job, names.request, names.attempt, names.cancel, names.worker)
        rows = [kind(job.id) for kind in kinds]
        rows += [names.update(job.id, n) for n in tuple(job.slots)]
        if job.cache_key is not None:
            rows.append(names.in_flight(job.cache_key))
        # Without a cache key, there are those whose page an ordinary callback has shown the job.
        if (waiters := self._records.row(names.waiters(job.id))) is not None:
            rows += [names.waiters(job.id), *map(names.joined, read_waiters(waiters))]
        return rows

    def worker(self, job_id: str) -> bytes | None:
        """The process that was last heard of as the job's worker."""
        return self._records.row(names.worker(job_id))

    def leased(self, job_id: str) -> bool:
        """Whether a worker holds the job."""
        return self._records.row(names.lease(job_id)) is not None

    def ask_cancel(self, job_id: str) -> None:
        """Note that the user wants the job cancelled."""
        put = {names.cancel(job_id): (b"1", self._records.retention)}
        self._rows.apply(Batch(put=put, cancel=job_id))

    def cancel_asked(self, job_id: str) -> bool:
        """Whether ``ask_cancel`` was called."""
        return self._records.row(names.cancel(job_id)) is not None

    def note_presence(self, job_id: str, seconds: float) -> None:
        """A page's claim on a job."""
        self._rows.apply(Batch(put={names.presence(job_id): (b"1", seconds)}))

    def is_present(self, job_id: str) -> bool:
        """Whether that has not run out."""
        return self._records.row(names.presence(job_id)) is not None
