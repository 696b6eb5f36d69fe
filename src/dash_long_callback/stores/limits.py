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
from dash_long_callback.stores.records import parse

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from dash_long_callback.jobs import Job
    from dash_long_callback.stores.records import Records


#: Limits of which a job needs places at once, from which on it might get none for ever; and seconds
#: after which that is looked at.
SEVERAL, STARVED_SECONDS = 2, 30.0


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
        until: when they will, in seconds since 1970; inf: when a job has ended.
    """

    batch: Batch
    full: set[str]
    until: float


class Counts(NamedTuple):
    """What counts for the limits of some jobs.

    Attributes:
        rows: of holders and of starts, by their names.
        holders: those of limits that may be full, as many as there are still.
        now: when that was read, in seconds since 1970: after those had ended who are gone.
    """

    rows: dict[str, bytes | None]
    holders: dict[str, list[Holder]]
    now: float


class Limits:
    """What limits the jobs of a store.

    Args:
        records: the jobs.
    """

    def __init__(self, records: Records) -> None:
        self._rows = records.rows
        self._retention = records.retention

    def counts(self, jobs: Sequence[Job]) -> Counts:
        """What counts for the limits of these jobs, read in as few steps as for one."""
        limits: dict[str, int] = {}
        for key, count in (limit for job in jobs for limit in job.limits or ()):
            name = names.holders(key)
            limits[name] = min(count, limits.get(name, count))  # they differ during an update
        rates = {names.starts(key) for job in jobs for key, *_ in job.rates or ()}
        wanted = [*limits, *rates]
        rows = dict(zip(wanted, self._rows.read(wanted) if wanted else [], strict=True))
        holders = {name: [Holder(*one) for one in read_holders(rows[name])] for name in limits}
        # Where there is room it does not matter who of them is gone.
        full = [one for name, ones in holders.items() if len(ones) >= limits[name] for one in ones]
        gone = set(full) - set(self.current(full))
        holders = {name: [one for one in ones if one not in gone] for name, ones in holders.items()}
        return Counts(rows, holders, time.time())

    def admission(
        self, job: Job, attempt: int, counts: Counts, kept: Collection[str] = ()
    ) -> Admission:
        """Whether a job may begin now.

        Args:
            job: its record.
            attempt: the one that is to begin; 0 if it is to count from now on until its end.
            counts: of this job, and maybe others.
            kept: the limits of which one place is kept for a job before this one.
        """
        batch, full = Batch(), dict[str, float]()
        for key, count in job.limits or ():
            name = names.holders(key)
            holders = counts.holders[name]
            if len(holders) + (key in kept) >= count:
                full[key] = math.inf
            batch.expect[name] = counts.rows[name]
            batch.put[name] = json.dumps([*holders, (job.id, attempt)]).encode(), self.seconds
        for key, times, per in job.rates or ():
            name, now = names.starts(key), counts.now
            # The clocks of several machines may differ, but not by so much.
            starts = [at for at in read_starts(counts.rows[name]) if now - per < at < now + per]
            if len(starts) >= times:
                full[key] = sorted(starts)[-times] + per
            batch.expect[name] = counts.rows[name]
            batch.put[name] = json.dumps([*starts, now]).encode(), per
        return Admission(batch, set(full), max(full.values(), default=0.0))

    def starves(self, job: Job, full: Collection[str], counts: Counts) -> bool:
        """Whether a job that needs places of several limits at once might never get them.

        It has waited for a while, and since it came others have begun that have the places which it
        lacks: these had been free when it lacked another. Who only waits for jobs that are older
        than itself does not starve.

        Args:
            job: its record.
            full: the keys that do not let it begin.
            counts: of this job, and maybe others.
        """
        limits = [key for key, _ in job.limits or ()]
        came = job.queued or job.created
        if len(limits) < SEVERAL or counts.now - came < STARVED_SECONDS:
            return False
        lacking = [counts.holders[names.holders(key)] for key in limits if key in full]
        ids = {one.job_id for holders in lacking for one in holders}
        rows = self._rows.read(map(names.job, ids))
        begun = [
            parse(row, job_id)[0].started for job_id, row in zip(ids, rows, strict=True) if row
        ]
        return bool(lacking) and all(at is not None and at > came for at in begun)

    def reserve(self, job: Job, batch: Batch) -> bool:
        """Have a new job, which a batch creates, count from now on. Returns whether it may."""
        found = self.admission(job, 0, self.counts([job]))
        batch.expect |= found.batch.expect
        batch.put |= found.batch.put
        return not found.full

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

    def current(self, holders: Sequence[Holder]) -> list[Holder]:
        """Those of these that still count."""
        if not holders:
            return []
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
