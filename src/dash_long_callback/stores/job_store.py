"""Keeps jobs. Everything a job is, is in its store; nobody keeps job state in memory.

    JobStore ──► Records        read, change and write records
             ├─► Queue          which job begins next
             ├─► Limits         how many may at once
             ├─► LargeResults   what is too large to be with them
             ├─► Leases         timed claims of workers and pages
             ├─► SharedJobs     who waits for which job
             ├─► KeptResults    what is kept for the next who asks
             └─► RequestKeys    which request of a client was answered by which job

These have the policy of all stores: what is written when, and for how long. Where it is written is
an adapter's business (see ``ports``).
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from dash_long_callback.jobs import State
from dash_long_callback.stores import names
from dash_long_callback.stores.kept_results import KeptResults
from dash_long_callback.stores.large_results import LargeResults
from dash_long_callback.stores.leases import Leases
from dash_long_callback.stores.limits import Limits
from dash_long_callback.stores.parse import read_id, read_port
from dash_long_callback.stores.ports import Batch
from dash_long_callback.stores.queue import Queue
from dash_long_callback.stores.records import Records, parse
from dash_long_callback.stores.request_keys import RequestKeys
from dash_long_callback.stores.shared_jobs import Disposition, SharedJobs
from dash_long_callback.stores.timing import LONGEST_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from dash_long_callback.jobs import Event, Job, Outcome, Result
    from dash_long_callback.stores.notifier import Subscription, Waker
    from dash_long_callback.stores.parse import Joined
    from dash_long_callback.stores.ports import Cursor, Field, Results, Rows
    from dash_long_callback.stores.queue import Begun
    from dash_long_callback.stores.shared_jobs import InFlight

#: Running jobs that are looked up in one go.
PAGE = 100


class JobStore:
    """Keeps jobs. Safe to use from several threads and processes at once.

    Reads delete nothing: time does, ``retention`` seconds after a row was last written.

    Args:
        rows: where jobs are.
        results: where results are kept for the next who asks.
        retention: seconds that a job and its outcome are kept.

    Every method raises StoreError, in words, if the database can't be used.
    """

    def __init__(self, rows: Rows, results: Results, retention: float) -> None:
        self.rows = rows
        self.results = results
        self.retention = retention
        self._large = LargeResults(rows, retention)
        self._records = Records(rows, self._large, retention)
        self._limits = Limits(self._records)
        self._queue = Queue(self._records, self._limits)
        self._leases = Leases(self._records, self._limits)
        self._kept = KeptResults(rows, results)
        self._shared = SharedJobs(self._records, self._kept)
        #: Which job was started for a key of a client's.
        self.request_keys = RequestKeys(rows, retention)

    def secret(self, make: Callable[[], bytes]) -> bytes:
        """The secret that all who use this store share; made by whoever asks first.

        It is kept as long as the store keeps anything, from the last time on that one asked.
        """
        while (found := self._records.row(names.SIGNING)) is None:
            row = make(), LONGEST_SECONDS
            self.rows.apply(Batch({names.SIGNING: None}, {names.SIGNING: row}))
        self.rows.apply(Batch(touch={names.SIGNING: LONGEST_SECONDS}))
        return found

    # Jobs

    def create(
        self,
        job: Job,
        request: bytes,
        *,
        coalesce: bool = False,
        presence: float | None = None,
    ) -> tuple[Disposition, Result | None]:
        """Keep a new job; if it is queued, in the queue as well.

        Args:
            job: its record.
            request: the JSON of its arguments and context.
            coalesce: join the job in flight of its cache key instead, if there is one.
            presence: seconds from now that somebody waits for it; None: not known.

        Returns:
            What became of it, and the result that was kept, if that is the answer.
        """
        while True:
            batch = self._creation(job, request, presence)
            if coalesce and job.cache_key is not None:
                flight = self._shared.in_flight(job.cache_key)
                shared = self._share(job, flight)
                if shared is not None:
                    return shared
                if flight.job is not None:
                    continue  # somebody has joined or left it meanwhile
                batch.expect[names.in_flight(job.cache_key)] = flight.row
            may = not job.reserves or self._limits.reserve(job, batch)
            if may and self.rows.apply(batch):
                return Disposition.NEW, None
            if self._records.row(names.job(job.id)) is not None:
                return Disposition.KNOWN, None
            if not may:
                return Disposition.REFUSED, None

    def _creation(self, job: Job, request: bytes, presence: float | None) -> Batch:
        batch = self._records.creation(job, request)
        if presence is not None:
            batch.put[names.presence(job.id)] = b"1", presence
        if job.cache_key is not None and not job.is_scheduled:  # nobody is to wait for that
            self._shared.put_in_flight(job, job.cache_key, batch)
        return batch

    def _share(self, job: Job, flight: InFlight) -> tuple[Disposition, Result | None] | None:
        """How a request is answered by the job of another; None if it can't be."""
        if flight.job is not None:
            if flight.job.id == job.id:
                return Disposition.KNOWN, None
            joined = self._shared.try_join(flight.job, job.id, job.owner, flight.waiters)
            return (Disposition.JOINED, None) if joined else None
        if self.joined(job.id) is not None:
            return Disposition.KNOWN, None
        # It may have ended since somebody looked for it.
        result = self.kept(job.cache_key or "", job.expire) if job.kept else None
        return None if result is None else (Disposition.CACHED, result)

    def create_ended(self, job: Job, response: bytes, values: Mapping[int, bytes]) -> bool:
        """Keep a new job that has ended already, with its slots.

        Returns False, and changes nothing, if there is a job of its id.
        """
        return self._records.create_ended(job, response, values)

    def load(self, job_id: str) -> Job | None:
        """The record of a job, or None if it never existed or has expired."""
        found = self.load_all(job_id)
        return None if found is None else found[0]

    def load_all(self, job_id: str) -> tuple[Job, bytes | None] | None:
        """The record, and the JSON result of a job that succeeded, as its worker wrote it.

        A result that is kept apart (see ``Job.result_size``) is left out.
        """
        return self._records.load(job_id)

    def request(self, job_id: str) -> bytes | None:
        """The JSON that the job was created with, until it ends: cookies and headers are in it."""
        return self._records.row(names.request(job_id))

    def change(self, job_id: str, event: Event) -> Job | None:
        """Change a record as ``jobs.transition`` says, in one step.

        Returns:
            The changed record; None if that was refused, or there is none.
        """
        return self._records.change(job_id, event)

    def write(self, job: Job, values: Mapping[int, bytes], stale: Iterable[int]) -> bool:
        """Write a running job's record and slots, as its worker.

        Args:
            job: the record. It has the slots already.
            values: the JSON of those that are new.
            stale: those that are gone.

        Returns:
            False, and writes nothing, if the job is not running any more, or another worker was
            given it.
        """
        return self._records.write(job, values, stale)

    def finish(
        self,
        job: Job,
        outcome: Outcome,
        values: Mapping[int, bytes] = MappingProxyType({}),
        stale: Iterable[int] = (),
    ) -> Job | None:
        """End a running job as its worker, with the slots that ``write`` has not written yet.

        A result above ``INLINE_BYTES`` is kept apart, and the record has its size.

        Returns:
            The record; None, and writes nothing, where ``write`` returns False.
        """
        return self._records.finish(job, outcome, values, stale)

    def values(self, job_id: str, slots: Iterable[int]) -> list[bytes | None]:
        """The JSON values in these slots; None where a newer one has replaced it."""
        return self.rows.read([names.update(job_id, n) for n in slots])

    def has_result(self, job: Job) -> bool:
        """Whether there is a result that is kept apart from this record."""
        return self._large.has(job)

    def pieces(self, job: Job) -> Generator[bytes]:
        """Such a result, ``PIECE_BYTES`` at a time; nothing if there is none."""
        return self._large.pieces(job)

    # Lease, cancel, presence

    def renew(self, job: Job, worker: bytes | None = None) -> bool:
        """A heartbeat: extend the lease on a running job, and keep its rows from expiring.

        Args:
            job: its record.
            worker: the process that runs it.

        Returns:
            False, and extends nothing, if the job is not running any more, or another worker was
            given it.
        """
        return self._leases.renew(job, worker)

    def worker(self, job_id: str) -> bytes | None:
        """The process that was last heard of as the job's worker, if it ever was."""
        return self._leases.worker(job_id)

    def leased(self, job_id: str) -> bool:
        """Whether a worker holds the job and has been heard of lately."""
        return self._leases.leased(job_id)

    def ask_cancel(self, job_id: str) -> None:
        """Note that the user wants the job cancelled."""
        self._leases.ask_cancel(job_id)

    def cancel_asked(self, job_id: str) -> bool:
        """Whether ``ask_cancel`` was called."""
        return self._leases.cancel_asked(job_id)

    def note_presence(self, job_id: str, seconds: float) -> None:
        """A page's claim on a job: somebody waits for so long from now, and not longer."""
        self._leases.note_presence(job_id, seconds)

    def is_present(self, job_id: str) -> bool:
        """Whether what ``note_presence`` was told last has not run out."""
        return self._leases.is_present(job_id)

    # Shared jobs and kept results

    def in_flight(self, cache_key: str) -> Job | None:
        """The job that has not ended and will give the outcome of this key, if there is one."""
        return self._shared.in_flight(cache_key).job

    def join(
        self,
        job: Job,
        waiter: str,
        owner: str | None = None,
        *,
        in_place_of: str | None = None,
    ) -> None:
        """Give a job another waiter, whose id can be used as the job's is, by its owner.

        Args:
            job: its record.
            waiter: the id.
            owner: the waiter's.
            in_place_of: one who waits no more, but may still look at the job.
        """
        self._shared.join(job, waiter, owner, in_place_of=in_place_of)

    def leave(self, job: Job, waiter: str) -> bool:
        """Take a waiter away from a job. Returns whether it was the last: nobody joins it then."""
        return self._shared.leave(job, waiter)

    def joined(self, waiter: str) -> Joined | None:
        """The job that a waiter has joined."""
        return self._shared.joined(waiter)

    def has_left(self, waiter: str) -> bool:
        """Whether ``leave`` was called for this waiter."""
        return self._shared.has_left(waiter)

    def keep(self, job: Job, response: bytes) -> None:
        """Keep what a running job gives the page, for the next who asks (see ``jobs.Result``)."""
        self._kept.keep(job, response)

    def kept(self, cache_key: str, expire: float | None) -> Result | None:
        """What was kept under a key, if it is still there; a use of it, so it expires later."""
        return self._kept.get(cache_key, expire)

    def clear(self, callback: str | None = None) -> None:
        """Drop what was kept: all of it, or that of one callback."""
        self._kept.clear(callback)

    # Queue and index

    def claim(self) -> Job | None:
        """Begin the job of the queue that is next, in one step; None if none may begin."""
        return self.begin_next().job

    def begin_next(
        self, queue: str = "", *, message: str | None = None, named: str | None = None
    ) -> Begun:
        """As ``claim``.

        Args:
            queue: where it waits.
            message: Celery's name for the message that has asked for this; see ``begun_by``.
            named: the job to begin in a store that has no queue.

        Returns:
            The record, and the request if that was read; if none may begin, when one may.
        """
        if self.rows.queues or named is None:
            return self._queue.begin_next(queue, message)
        return self._queue.begin(named, message)

    def begun_by(self, message: str) -> str | None:
        """The id of the job that was begun by a message, if one was."""
        return read_id(self._records.row(names.message(message)), "the job of a message")

    def holders(self, job: Job) -> list[str]:
        """The ids of the jobs that count for the limits of this one."""
        return self._limits.holders(job)

    def set_alarm(self, key: str, seconds: float) -> bool:
        """Undertake to look again when a rate allows a job. Returns False if somebody has."""
        alarm = names.alarm(key)
        return self.rows.apply(Batch({alarm: None}, {alarm: (b"1", seconds)}))

    def list(
        self, by: Field = "all", value: str | None = None, *, limit: int, before: Job | None = None
    ) -> list[Job]:
        """Jobs, the newest first.

        Args:
            by: what to find them by: ``"state"``, ``"callback"``, ``"owner"``, or ``"all"``.
            value: what that must be. Jobs without an owner are nobody's: None finds none of them.
            limit: how many at most.
            before: only such as are older than this one.

        Raises:
            NotListed: if this store has no index.
        """
        cursor = None if before is None else (before.created, before.id)
        return self._loaded(self.rows.list(by, _value(by, value), limit, cursor))

    def _loaded(self, found: list[Cursor]) -> list[Job]:
        records = self.rows.read([names.job(job_id) for _, job_id in found])
        pairs = zip(found, records, strict=True)
        return [parse(data, job_id)[0] for (_, job_id), data in pairs if data is not None]

    def count(self, by: Field = "all", value: str | None = None) -> int:
        """How many jobs ``list`` would find without a limit. Raises NotListed as it does."""
        return self.rows.count(by, _value(by, value))

    def active(self) -> Iterator[Job]:
        """All running jobs, wherever they run."""
        before: Cursor | None = None
        while found := self.rows.list("state", State.RUNNING.value, PAGE, before):
            yield from (job for job in self._loaded(found) if job.state is State.RUNNING)
            before = found[-1]

    # News and upkeep

    def subscribe(self, waker: Waker | None = None) -> AbstractContextManager[Subscription]:
        """Hear of news of jobs, as long as the block runs; ``waker`` may be shared."""
        return self.rows.subscribe(waker)

    def subscribe_to_cancels(
        self, waker: Waker | None = None
    ) -> AbstractContextManager[Subscription]:
        """As ``subscribe``, for the wishes to cancel jobs."""
        return self.rows.subscribe(waker, cancels=True)

    def set_port(self, port: int) -> None:
        """Say on which UDP port the leader hears of new jobs and of cancels."""
        self.rows.apply(Batch(put={names.PORT: (str(port).encode(), self.retention)}))

    def port(self) -> int | None:
        """The leader's UDP port, if there is or was one."""
        return read_port(self._records.row(names.PORT))

    def purge(self) -> None:
        """Delete what has expired, if that does not happen by itself."""
        self.rows.purge()
        self.results.purge()

    def close(self) -> None:
        """Let go of files and connections."""
        self.rows.close()
        self.results.close()


def _value(by: Field, value: str | None) -> str | None:
    """What an index is asked for. It has nothing under the empty string."""
    return value if by == "all" else value or ""
