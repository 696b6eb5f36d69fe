"""Which job begins next, and whether it may.

A database keeps the queue in order (see ``ports.Place``). Whether the limits of a job let it begin
is decided here, from rows, and is still true in the step in which it begins. If they do not, all
jobs with the same keys are passed over: there is one to look at for each set of keys, however many
wait behind it.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, NamedTuple

from dash_long_callback.job_log import log_end
from dash_long_callback.jobs import Begin, End, Expire, Lost, State, transition
from dash_long_callback.stores import names
from dash_long_callback.stores.limits import Admission
from dash_long_callback.stores.ports import Batch, Place
from dash_long_callback.stores.records import entry_of, parse, place_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from dash_long_callback.jobs import Job
    from dash_long_callback.stores.limits import Counts, Limits
    from dash_long_callback.stores.records import Records

#: Seconds for which a job that is about to begin is hidden from others who look for one. Whoever
#: has it may die before it begins: then it comes back.
HIDDEN_SECONDS = 10.0
#: Jobs of which each has others behind it that are looked up in one go.
PAGE = 100
#: Seconds until a job is looked at again that waits in a state of a newer version.
NEWER_SECONDS = 30.0


class Begun(NamedTuple):
    """What somebody gets who is ready to run a job.

    Attributes:
        job: the record, as it has begun; None if none may begin now.
        request: the row of its request, if that was read.
        key: if none may begin: of a rate that will let one begin later, sooner than others.
        due: when that will be, in seconds since 1970; inf: not before a job has ended.
    """

    job: Job | None = None
    request: bytes | None = None
    key: str | None = None
    due: float = math.inf


class Queue:
    """The jobs that wait.

    Args:
        records: all jobs.
        limits: what limits them.
    """

    def __init__(self, records: Records, limits: Limits) -> None:
        self._records = records
        self._rows = records.rows
        self._limits = limits

    def begin_next(self, queue: str, message: str | None = None) -> Begun:
        """Begin the job that is next. One whose ``start_by`` has passed ends.

        Args:
            queue: where it waits.
            message: Celery's name for what has asked for this.
        """
        while (head := self._rows.next_queued(queue, HIDDEN_SECONDS)) is not None:
            found = self._begin(head.id, head.record, message)
            if isinstance(found, Begun):
                return found._replace(request=head.request)
            behind = None if found is None else self._begin_behind(queue, message)
            if behind is not None:
                return behind
        return Begun()

    def begin(self, job_id: str, message: str | None = None) -> Begun:
        """Begin this job, where there is no queue."""
        record, request = self._rows.read([names.job(job_id), names.request(job_id)])
        found = self._begin(job_id, record, message)
        return found._replace(request=request) if isinstance(found, Begun) else Begun()

    def _begin_behind(self, queue: str, message: str | None) -> Begun | None:
        """Begin the first job that may, though others do not; None: somebody else was quicker."""
        full: set[str] = set()
        #: Of the limits of a job that starves, one place is kept for it.
        kept: set[str] = set()
        first: tuple[float, str | None] = math.inf, None
        ids = self._rows.heads(queue)
        for start in range(0, len(ids), PAGE):
            part = ids[start : start + PAGE]
            records = self._rows.read(map(names.job, part))
            jobs = [
                None if record is None else parse(record, job_id)[0]
                for job_id, record in zip(part, records, strict=True)
            ]
            counts = self._limits.counts([job for job in jobs if job is not None])
            for job_id, job, record in zip(part, jobs, records, strict=True):
                if job is not None and not full.isdisjoint(job.gate):
                    continue
                found = self._begin(job_id, record, message, counts, kept)
                if not isinstance(found, Admission):
                    return found
                full |= found.full
                if job is not None and self._limits.starves(job, found.full, counts):
                    kept |= {key for key, _ in job.limits or ()}
                if found.until < first[0]:
                    first = found.until, min(found.full)
        return Begun(due=first[0], key=first[1])

    def _begin(
        self,
        job_id: str,
        record: bytes | None,
        message: str | None,
        counts: Counts | None = None,
        kept: Collection[str] = (),
    ) -> Begun | Admission | None:
        """Begin a job; None: it can't be, and is not next any more, or somebody was quicker."""
        while record is not None:
            job = parse(record, job_id)[0]
            more, now = Batch(), time.time()
            if job.gate and not job.is_late(now):
                counts = counts or self._limits.counts([job])
                found = self._limits.admission(job, job.attempt + 1, counts, kept)
                if found.full:
                    return found
                more, now = found.batch, counts.now
            if message is not None:
                more.put[names.message(message)] = job_id.encode(), self._records.retention
                more.expect[names.message(message)] = None
            if (begun := self._records.begin(job, record, Begin(message), more, now)) is not None:
                return Begun(begun)
            if message is not None and self._records.row(names.message(message)) is not None:
                self._show_again(job, record)  # the message has come twice
                return Begun()
            if job.gate or (again := self._records.row(names.job(job_id))) == record:
                break
            record = again  # nobody else sees it for a while, so it is for this one to begin
        self._give_up(job_id)
        return None

    def _show_again(self, job: Job, record: bytes) -> None:
        """Have others find a job that was hidden from them."""
        name, place = names.job(job.id), place_of(job)._replace(stays=True)
        touch = {name: self._records.seconds(job)}
        self._rows.apply(Batch({name: record}, touch=touch, entry=entry_of(job), place=place))

    def _give_up(self, job_id: str) -> None:
        """Take a job from the queue that can't begin. One that has come back meanwhile stays."""
        name = names.job(job_id)
        record = self._records.row(name)
        job = None if record is None else parse(record, job_id)[0]
        batch = Batch({name: record})
        if job is not None and job.state is State.QUEUED:
            if transition(job, Begin(), now := time.time()) is not None:
                return
            if job.is_late(now):
                if (expired := self._records.change(job_id, Expire())) is not None:
                    log_end(expired)
                return
            lost = Lost("it waited in the queue, but could not begin")
            if (ended := self._records.change(job_id, End(lost, final=True))) is not None:
                log_end(ended)
        if job is not None and job.state is State.NEWER:
            # That version is to find it here, when it leads.
            batch.entry, batch.touch[name] = entry_of(job), self._records.seconds(job)
            batch.place = Place(job.queue or "", not_before=time.time() + NEWER_SECONDS)
        else:  # it has expired, or can't be read; or somebody else was quicker
            batch.dequeue = job_id
        self._rows.apply(batch)
