"""How many jobs may run at once, and how many may start within a time, that have the same key.

Who counts for a limit is in a row, as pairs of a job and an attempt. Nobody takes a pair out when
the attempt is over: it counts as long as the row of that attempt is there (see ``names``), which
goes in the step in which the record changes, however the attempt ends. So no place is ever lost
with a worker, and a limit is held as all else is: who begins a job says what the rows held.
"""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from dash_long_callback.stores import names, timing
from dash_long_callback.stores.parse import read_holders, read_starts
from dash_long_callback.stores.ports import Batch

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dash_long_callback.jobs import Job
    from dash_long_callback.stores.records import Records


class Holder(NamedTuple):
    """What counts for a limit: an attempt while it runs; with attempt 0, a job until it ends."""

    job_id: str
    attempt: int


@dataclass(frozen=True)
class Admission:
    """Whether a job may begin.

    Attributes:
        batch: what is to be true, and to be written, in the step in which it begins.
        full: the keys that do not let it.
        now: when that was found out, in seconds since 1970: after those had ended who have left
            their places to it.
        until: when they will, in seconds since 1970; inf: when a job has ended.
    """

    batch: Batch
    full: set[str]
    now: float
    until: float


class Limits:
    """What limits the jobs of a store.

    Args:
        records: the jobs.
    """

    def __init__(self, records: Records) -> None:
        self._rows = records.rows
        self._retention = records.retention

    def admission(self, job: Job, attempt: int) -> Admission:
        """Whether a job may begin now.

        Args:
            job: its record.
            attempt: the one that is to begin; 0 if it is to count from now on until its end.
        """
        batch = Batch()
        full = self._check_limits(job, attempt, batch)
        now = time.time()
        spent = self._check_rates(job, now, batch)
        until = math.inf if full else max(spent.values(), default=now)
        return Admission(batch, {*full, *spent}, now, until)

    def reserve(self, job: Job, batch: Batch) -> bool:
        """Have a new job, which a batch creates, count from now on. Returns whether it may."""
        found = self.admission(job, 0)
        batch.expect |= found.batch.expect
        batch.put |= found.batch.put
        return not found.full

    def _check_limits(self, job: Job, attempt: int, batch: Batch) -> list[str]:
        """The keys of which as many run as may."""
        full: list[str] = []
        limits = {names.holders(limit[0]): limit for limit in job.limits or ()}
        rows = self._rows.read(limits) if limits else []
        for (name, (key, count)), row in zip(limits.items(), rows, strict=True):
            holders = [Holder(*one) for one in read_holders(row)]
            if len(holders) >= count:  # else it does not matter who of them is gone
                holders = self.current(holders)
            if len(holders) >= count:
                full.append(key)
            holders.append(Holder(job.id, attempt))
            batch.expect[name] = row
            batch.put[name] = json.dumps(holders).encode(), self.seconds
        return full

    def _check_rates(self, job: Job, now: float, batch: Batch) -> dict[str, float]:
        """The keys of which as many have started as may, and when the next one may."""
        spent: dict[str, float] = {}
        rates = {names.starts(rate[0]): rate for rate in job.rates or ()}
        rows = self._rows.read(rates) if rates else []
        for (name, (key, times, per)), row in zip(rates.items(), rows, strict=True):
            # The clocks of several machines may differ, but not by so much.
            starts = sorted(at for at in read_starts(row) if now - per < at < now + per)
            if len(starts) >= times:
                spent[key] = starts[-times] + per
            batch.expect[name] = row
            batch.put[name] = json.dumps([*starts, now]).encode(), per
        return spent

    @property
    def seconds(self) -> float:
        """How long rows of holders are kept: as the record of a job that waits."""
        return self._retention * timing.WAITING

    def rows_of(self, job: Job) -> list[str]:
        """The rows that have to be there as long as the job counts for its limits."""
        return [names.holders(key) for key, _ in job.limits or ()]

    def holders(self, job: Job) -> list[str]:
        """The ids of the jobs that count for the limits of this one."""
        found = [read_holders(row) for row in self._rows.read(self.rows_of(job))]
        current = self.current([Holder(*one) for part in found for one in part])
        return list(dict.fromkeys(one.job_id for one in current))

    def current(self, holders: Iterable[Holder]) -> list[Holder]:
        """Those of these that still count."""
        row_of = {
            one: names.attempt(one.job_id) if one.attempt else names.request(one.job_id)
            for one in holders
        }
        rows = dict(zip(row_of, self._rows.read(row_of.values()), strict=True))
        return [
            one
            for one, row in rows.items()
            if row is not None and (not one.attempt or row == b"%d" % one.attempt)
        ]
