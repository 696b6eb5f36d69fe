"""Keeps jobs. Everything a job is, is in its store; nobody keeps job state in memory.

The policy of all stores is here: what is written when, and for how long. Where it is written is an
adapter's business (see ``ports``). A change reads, computes, and writes if what was read is still
true; else it begins anew.
"""

from __future__ import annotations

import json
import time
from contextlib import closing, suppress
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from dash_long_callback.errors import StoreError
from dash_long_callback.jobs import Begin, Effect, Finish, Job, Result, State, transition
from dash_long_callback.stores import names, timing
from dash_long_callback.stores.parse import (
    joined_row,
    read_id,
    read_ids,
    read_joined,
    read_port,
    read_result,
    read_time,
)
from dash_long_callback.stores.ports import Batch, Entry, Place

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator
    from contextlib import AbstractContextManager

    from dash_long_callback.jobs import Event
    from dash_long_callback.stores.notifier import Subscription, Waker
    from dash_long_callback.stores.parse import Joined
    from dash_long_callback.stores.ports import Cursor, Field, Results, Rows

#: Bytes of a result that is kept with the record, so that a quick job takes no read more. A larger
#: one would be read by all who only want the record.
INLINE_BYTES = 32 * 1024
#: Bytes of a large result that are written and read in one go: few calls, and little memory.
PIECE_BYTES = 256 * 1024
#: How many times longer a job is kept while it waits in a queue: nobody renews it there.
WAITING = 24
#: The longest that a store keeps anything: memcached takes a larger number for a date.
LONGEST_SECONDS = 30 * 24 * 3600.0
#: Running jobs that are looked up in one go.
PAGE = 100


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


class _InFlight(NamedTuple):
    """What is known of the job that will give the outcome of a cache key.

    Attributes:
        row: what the key's row holds.
        job: the job, if it may be joined.
        waiters: what the row of its waiters holds.
    """

    row: bytes | None
    job: Job | None = None
    waiters: bytes | None = None


@dataclass(frozen=True)
class LargeResult:
    """A result that is kept apart from the record of its job, and is read when it is sent."""

    store: JobStore
    job: Job

    @property
    def size(self) -> int:
        """Bytes of it."""
        return self.job.result_size or 0

    def pieces(self) -> Iterator[bytes]:
        """The JSON, piece by piece.

        Raises:
            StoreError: if it can't be read, or is not there any more, or not all of it.
        """
        found = 0
        with closing(self.store.pieces(self.job)) as pieces:
            for piece in pieces:
                found += len(piece)
                yield piece
        if found != self.size:
            raise StoreError(
                f"a result of {self.size} bytes could not be sent: {found} bytes of it are there; "
                "it has expired meanwhile, or was damaged"
            )

    def whole(self) -> bytes:
        """The JSON at once. Raises StoreError as ``pieces`` does."""
        return b"".join(self.pieces())


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
            expect: dict[str, bytes | None] = {names.job(job.id): None}
            if coalesce and job.cache_key is not None:
                flight = self._flight(job.cache_key)
                shared = self._share(job, flight)
                if shared is not None:
                    return shared
                if flight.job is not None:
                    continue  # somebody has joined or left it meanwhile
                expect[names.in_flight(job.cache_key)] = flight.row
            if self.rows.apply(self._creation(job, request, presence, expect)):
                return Disposition.NEW, None
            if self._row(names.job(job.id)) is not None:
                return Disposition.KNOWN, None

    def _share(self, job: Job, flight: _InFlight) -> tuple[Disposition, Result | None] | None:
        """How a request is answered by the job of another; None if it can't be."""
        if flight.job is not None:
            if flight.job.id == job.id:
                return Disposition.KNOWN, None
            joined = self._join(flight.job, job.id, job.owner, flight.waiters)
            return (Disposition.JOINED, None) if joined else None
        if self.joined(job.id) is not None:
            return Disposition.KNOWN, None
        # It may have ended since somebody looked for it.
        result = self.kept(job.cache_key or "", job.expire) if job.kept else None
        return None if result is None else (Disposition.CACHED, result)

    def _creation(
        self, job: Job, request: bytes, presence: float | None, expect: dict[str, bytes | None]
    ) -> Batch:
        seconds = self._seconds(job)
        put = {
            names.request(job.id): (request, seconds),
            names.job(job.id): (job.dump(), seconds),
        }
        if job.cache_key is not None:
            put[names.waiters(job.id)] = json.dumps([job.id]).encode(), seconds
            put[names.in_flight(job.cache_key)] = job.id.encode(), seconds
        if presence is not None:
            put[names.presence(job.id)] = b"1", presence
        if job.state is State.RUNNING:
            put |= self._claim(job)
        place = Place() if job.state is State.QUEUED else None
        return Batch(expect, put, entry=_entry(job), place=place)

    def load(self, job_id: str) -> Job | None:
        """The record of a job, or None if it never existed or has expired."""
        found = self.load_all(job_id)
        return None if found is None else found[0]

    def load_all(self, job_id: str) -> tuple[Job, bytes | None] | None:
        """The record, and the JSON result of a job that succeeded, as its worker wrote it.

        A result that is kept apart (see ``Job.result_size``) is left out.
        """
        data = self._row(names.job(job_id))
        return None if data is None else _load(data, job_id)

    def request(self, job_id: str) -> bytes | None:
        """The JSON that the job was created with, until it ends: cookies and headers are in it."""
        return self._row(names.request(job_id))

    def change(self, job_id: str, event: Event, response: bytes | None = None) -> Job | None:
        """Change a record as ``jobs.transition`` says, in one step.

        Args:
            job_id: the job.
            event: what happens to it.
            response: its result, with ``Finish``. One above ``INLINE_BYTES`` is kept apart, and
                the record gets its size. Who sees the record finds it.

        Returns:
            The changed record; None if that was refused, or there is none.
        """
        large = response if response is not None and len(response) > INLINE_BYTES else None
        if large is not None and not (
            isinstance(event, Finish) and self._put_result(job_id, event.attempt, large)
        ):
            return None
        name = names.job(job_id)
        while (old := self._row(name)) is not None:
            before = _load(old, job_id)[0]
            change = transition(before, event, time.time())
            if change is None:
                break
            job = change.job
            if large is not None:
                job.result_size = len(large)
            batch = self._change(before, job, change.effects, None if large else response)
            batch.expect[name] = old
            if self.rows.apply(batch):
                return job
        if large is not None and isinstance(event, Finish):
            self._drop_result(job_id, event.attempt, len(large))
        return None

    def _change(self, before: Job, job: Job, effects: Effect, response: bytes | None) -> Batch:
        seconds, record = self._seconds(job), job.dump()
        batch = Batch(news=job.id)
        if Effect.START_LEASE in effects:
            batch.put |= self._claim(job)
        elif job.state is not State.RUNNING:
            batch.drop += [names.attempt(job.id), names.lease(job.id)]
        if Effect.DROP_REQUEST in effects:
            batch.drop.append(names.request(job.id))
        if Effect.ENQUEUE in effects:
            batch.place = Place(front=True)
            batch.touch[names.request(job.id)] = seconds
        if Effect.DEQUEUE in effects and job.state is State.CANCELLED and not self.rows.atomic:
            # A worker that begins it in this very moment, and overwrites this, sees the wish.
            batch.put[names.cancel(job.id)] = b"1", self.retention
            batch.cancel = job.id
        if job.state is not before.state:
            batch.entry = _entry(job)
        # Behind the rest: who sees the record finds what it speaks of.
        whole = record + b"\n" + response if response else record
        batch.put[names.job(job.id)] = whole, seconds
        return batch

    def _claim(self, job: Job) -> dict[str, tuple[bytes, float]]:
        """The rows of a job that begins."""
        return {
            names.attempt(job.id): (b"%d" % job.attempt, self.retention),
            names.lease(job.id): (str(time.time()).encode(), timing.LEASE_SECONDS),
        }

    def write(self, job: Job, values: dict[int, bytes], stale: Iterable[int]) -> bool:
        """Write a running job's record and slots, as its worker.

        Returns False, and writes nothing, if the job is not running any more, or another worker
        was given it.
        """
        put = {names.update(job.id, n): (value, self.retention) for n, value in values.items()}
        put[names.job(job.id)] = job.dump(), self.retention
        batch = Batch(_held(job), put, drop=[names.update(job.id, n) for n in stale], news=job.id)
        return self.rows.apply(batch)

    def values(self, job_id: str, slots: Iterable[int]) -> list[bytes | None]:
        """The JSON values in these slots; None where a newer one has replaced it."""
        return self.rows.read([names.update(job_id, n) for n in slots])

    # Large results

    def _put_result(self, job_id: str, attempt: int, result: bytes) -> bool:
        """Keep a large result, as the job's worker. In steps, so that others come in between."""
        held: dict[str, bytes | None] = {names.attempt(job_id): b"%d" % attempt}
        view = memoryview(result)
        try:
            for n, start in enumerate(range(0, len(result), PIECE_BYTES)):
                piece = bytes(view[start : start + PIECE_BYTES])
                put = {names.piece(job_id, attempt, n): (piece, self.retention)}
                if not self.rows.apply(Batch(held, put)):
                    break
            else:
                size = b"%d" % len(result), self.retention
                if self.rows.apply(Batch(held, {names.result(job_id, attempt): size})):
                    return True
        except StoreError:
            self._drop_result(job_id, attempt, len(result))
            raise
        self._drop_result(job_id, attempt, len(result))
        return False

    def _drop_result(self, job_id: str, attempt: int, size: int) -> None:
        count = -(-size // PIECE_BYTES)
        pieces = [names.piece(job_id, attempt, n) for n in range(count)]
        with suppress(StoreError):  # it expires, and there is something more important to say
            self.rows.apply(Batch(drop=[names.result(job_id, attempt), *pieces]))

    def has_result(self, job: Job) -> bool:
        """Whether there is a result that is kept apart from this record."""
        return self._row(names.result(job.id, job.attempt)) is not None

    def pieces(self, job: Job) -> Generator[bytes]:
        """Such a result, ``PIECE_BYTES`` at a time; nothing if there is none."""
        for n in range(-(-(job.result_size or 0) // PIECE_BYTES)):
            piece = self._row(names.piece(job.id, job.attempt, n))
            if piece is None:
                return
            yield piece

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
        now, name = time.time(), names.worker(job.id)
        lease, known = self.rows.read([names.lease(job.id), name])
        touched = read_time(lease, "a lease")
        batch = Batch(_held(job))
        # Not with each heartbeat: some databases have to write them all for that.
        if not 0 <= now - touched < self.retention / 4:
            touched = now
            batch.touch = dict.fromkeys(self._rows_of(job), self.retention)
            batch.entry = _entry(job)
        if worker is not None and known != worker:
            batch.put[name] = worker, self.retention
        batch.put[names.lease(job.id)] = str(touched).encode(), timing.LEASE_SECONDS
        return self.rows.apply(batch)

    def _rows_of(self, job: Job) -> list[str]:
        rows = [f(job.id) for f in (names.job, names.request, names.attempt)]
        rows += [names.cancel(job.id), names.worker(job.id)]
        rows += [names.update(job.id, n) for n in tuple(job.slots)]
        if job.cache_key is not None:
            rows += [names.in_flight(job.cache_key), names.waiters(job.id)]
            rows += map(names.joined, self._waiters(self._row(names.waiters(job.id))))
        return rows

    def worker(self, job_id: str) -> bytes | None:
        """The process that was last heard of as the job's worker, if it ever was."""
        return self._row(names.worker(job_id))

    def leased(self, job_id: str) -> bool:
        """Whether a worker holds the job and has been heard of lately."""
        return self._row(names.lease(job_id)) is not None

    def ask_cancel(self, job_id: str) -> None:
        """Note that the user wants the job cancelled."""
        self.rows.apply(Batch(put={names.cancel(job_id): (b"1", self.retention)}, cancel=job_id))

    def cancel_asked(self, job_id: str) -> bool:
        """Whether ``ask_cancel`` was called."""
        return self._row(names.cancel(job_id)) is not None

    def note_presence(self, job_id: str, seconds: float) -> None:
        """A page's claim on a job: somebody waits for so long from now, and not longer."""
        self.rows.apply(Batch(put={names.presence(job_id): (b"1", seconds)}))

    def is_present(self, job_id: str) -> bool:
        """Whether what ``note_presence`` was told last has not run out."""
        return self._row(names.presence(job_id)) is not None

    # Shared jobs

    def in_flight(self, cache_key: str) -> Job | None:
        """The job that has not ended and will give the outcome of this key, if there is one."""
        return self._flight(cache_key).job

    def _flight(self, cache_key: str) -> _InFlight:
        # The row stays when its job has ended, so that it tells who creates another that one has
        # come and gone since they looked.
        row = self._row(names.in_flight(cache_key))
        job_id = read_id(row, "the job of a cache key")
        if job_id is None:
            return _InFlight(row)
        record, cancel, waiters = self.rows.read(
            [names.job(job_id), names.cancel(job_id), names.waiters(job_id)]
        )
        if record is None or cancel is not None or not self._waiters(waiters):
            return _InFlight(row)  # the last who waited for it has left
        job = _load(record, job_id)[0]
        usable = not job.state.ended and not self._is_cleared(job)
        return _InFlight(row, job if usable else None, waiters)

    def join(self, job: Job, waiter: str, owner: str | None = None) -> None:
        """Give a job another waiter, whose id can be used as the job's is, by its owner."""
        while not self._join(job, waiter, owner, self._row(names.waiters(job.id))):
            pass

    def _join(self, job: Job, waiter: str, owner: str | None, row: bytes | None) -> bool:
        """The same, if the row of the waiters is still as it was."""
        waiters = list(dict.fromkeys([*self._waiters(row), waiter]))
        return self.rows.apply(
            Batch(
                {names.waiters(job.id): row},
                {
                    names.joined(waiter): (joined_row(job, owner), self.retention),
                    names.waiters(job.id): (json.dumps(waiters).encode(), self.retention),
                },
            )
        )

    def leave(self, job: Job, waiter: str) -> bool:
        """Take a waiter away from a job. Returns whether it was the last: nobody joins it then."""
        name = names.waiters(job.id)
        while True:
            row = self._row(name)
            rest = [one for one in self._waiters(row) if one != waiter]
            put = {
                name: (json.dumps(rest).encode(), self.retention),
                names.left(waiter): (b"1", self.retention),
            }
            if self.rows.apply(Batch({name: row}, put, news=waiter)):
                return not rest

    def _waiters(self, row: bytes | None) -> list[str]:
        return read_ids(row, "the list of those who share a job")

    def joined(self, waiter: str) -> Joined | None:
        """The job that a waiter has joined."""
        return read_joined(self._row(names.joined(waiter)))

    def has_left(self, waiter: str) -> bool:
        """Whether ``leave`` was called for this waiter."""
        return self._row(names.left(waiter)) is not None

    # Kept results

    def keep(self, job: Job, response: bytes) -> None:
        """Keep what a running job gives the page, for the next who asks (see ``jobs.Result``)."""
        slots = [(n, slot) for n, slot in job.since(0) if not isinstance(slot.target, int)]
        values = self.values(job.id, [n for n, _ in slots])
        updates = [(s.target, v) for (_, s), v in zip(slots, values, strict=True) if v is not None]
        data = Result(updates, response).dump()
        key = job.cache_key or ""
        self.results.put(key, data, job.expire, job.callback, lambda: not self._is_cleared(job))

    def kept(self, cache_key: str, expire: float | None) -> Result | None:
        """What was kept under a key, if it is still there; a use of it, so it expires later."""
        data = self.results.get(cache_key, expire)
        return None if data is None else read_result(data)

    def clear(self, callback: str | None = None) -> None:
        """Drop what was kept: all of it, or that of one callback."""
        # Jobs that run may work on what is out of date: see _is_cleared().
        now = str(time.time()).encode(), LONGEST_SECONDS
        self.rows.apply(Batch(put={names.cleared(callback or ""): now}))
        self.results.clear(callback)

    def _is_cleared(self, job: Job) -> bool:
        """Whether results were cleared since the job was created: its own is not for others."""
        rows = self.rows.read([names.cleared(), names.cleared(job.callback)])
        return any(read_time(at, "when results were cleared") >= job.created for at in rows)

    # Queue and index

    def claim(self) -> Job | None:
        """Take the next queued job and mark it as running, in one step; None if there is none."""
        while (job_id := self.rows.next_queued()) is not None:
            job = self.change(job_id, Begin())
            if job is not None:
                return job
            # It has expired, or can't be read; or somebody else was quicker.
            record = self._row(names.job(job_id))
            if record is None or _load(record, job_id)[0].state is not State.QUEUED:
                self.rows.apply(Batch({names.job(job_id): record}, dequeue=job_id))
        return None

    def list(
        self, by: Field = "all", value: str | None = None, *, limit: int, before: Job | None = None
    ) -> list[Job]:
        """Jobs, the newest first.

        Args:
            by: what to find them by: ``"state"``, ``"callback"``, ``"owner"``, or ``"all"``.
            value: what that must be.
            limit: how many at most.
            before: only such as are older than this one.

        Raises:
            StoreError: if this store has no index.
        """
        cursor = None if before is None else (before.created, before.id)
        return self._loaded(self.rows.list(by, value, limit, cursor))

    def _loaded(self, found: list[Cursor]) -> list[Job]:
        records = self.rows.read([names.job(job_id) for _, job_id in found])
        pairs = zip(found, records, strict=True)
        return [_load(data, job_id)[0] for (_, job_id), data in pairs if data is not None]

    def count(self, by: Field = "all", value: str | None = None) -> int:
        """How many jobs ``list`` would find without a limit. Raises StoreError as it does."""
        return self.rows.count(by, value)

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
        return read_port(self._row(names.PORT))

    def purge(self) -> None:
        """Delete what has expired, if that does not happen by itself."""
        self.rows.purge()
        self.results.purge()

    def close(self) -> None:
        """Let go of files and connections."""
        self.rows.close()
        self.results.close()

    def _row(self, name: str) -> bytes | None:
        return self.rows.read([name])[0]

    def _seconds(self, job: Job) -> float:
        return self.retention * (WAITING if job.state is State.QUEUED else 1)


def _load(data: bytes, job_id: str) -> tuple[Job, bytes | None]:
    record, _, response = data.partition(b"\n")
    return Job.load(record, job_id), response or None


def _held(job: Job) -> dict[str, bytes | None]:
    """What is true as long as the worker that has this record is the one that may write it."""
    return {names.attempt(job.id): b"%d" % job.attempt}


def _entry(job: Job) -> Entry:
    return Entry(job.id, job.state.value, job.callback, job.owner, job.created)
