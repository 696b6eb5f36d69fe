"""Jobs in a ``diskcache.Cache``: SQLite and files, shared by the processes of one machine.

Rows, all of them bytes, all with an expiry. ``<id>`` is a job's id.

    <id>:job        the record (see ``jobs.Job.dump``) in one line; behind it, a small result
    <id>:result     a large result: diskcache makes a file of it
    <id>:request    arguments and context, JSON
    <id>:u<n>       the value in slot n, JSON
    <id>:lease      a worker holds this job; expires unless renewed
    <id>:worker     which process that is, see ``executors.processes.ProcessId``
    <id>:cancel     the user wants this job cancelled
    <id>:wanted     a page waits for this job; expires unless the page is heard of
    <id>:askers     ids of those who wait for a shared job, JSON
    <id>:joined     the id of the job that this asker waits for, and the asker's owner
    <id>:left       this asker waits no more
    flight:<key>    the id of the job that will give the outcome of a cache key
    cleared:<name>  when the results of a callback were cleared, of all if <name> is empty
    queue-<n>       ids of queued jobs, in order
    doorbell        UDP port on which the leader hears of news (see ``executors.local``)

A table beside these rows, ``News``, tells who waits of what has changed (see ``sqlite_news``).

Kept results are in a cache of their own, the folder ``results``: cache key → ``jobs.Result``,
tagged with the callback, evicted by size, the least recently used first.
"""

from __future__ import annotations

import functools
import json
import os
import sqlite3
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Concatenate, ParamSpec, TypeAlias, TypeVar

from dash_long_callback.errors import StoreError
from dash_long_callback.executors import processes
from dash_long_callback.fault_log import FaultLog
from dash_long_callback.jobs import Begin, Effect, Job, Result, State, transition
from dash_long_callback.stores import sqlite_news, sqlite_queue
from dash_long_callback.stores.base import LEASE_SECONDS, PIECE_BYTES, Store, divide
from dash_long_callback.stores.bytes_disk import BytesDisk
from dash_long_callback.stores.pooled_cache import COLUMNS, PooledCache, is_busy
from dash_long_callback.stores.rows import (
    UnreadableRow,
    ignored,
    joined_row,
    read_id,
    read_ids,
    read_joined,
    read_port,
    read_result,
    read_time,
)
from dash_long_callback.stores.sqlite_file import SqliteFile
from dash_long_callback.stores.sqlite_fork import IN_USE
from dash_long_callback.stores.sqlite_news import SqliteNews

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable
    from contextlib import AbstractContextManager

    from dash_long_callback.jobs import Event
    from dash_long_callback.stores.base import Joined
    from dash_long_callback.stores.news import Bell, Watch

#: Seconds to wait for a lock that another process holds: in a web process somebody waits for the
#: answer, and a thread waits with them; in a worker the result of hours may depend on it.
WEB_SECONDS, WORKER_SECONDS = 3.0, 60.0
#: Bytes that kept results may take, if not told otherwise.
SIZE_LIMIT = 1 << 30
#: Marks the rows of running jobs, so that they are found without a search.
_RUNNING = "running"
_INDEX = f"CREATE INDEX Cache_running ON Cache (tag) WHERE tag = '{_RUNNING}'"
_HAS_INDEX = "SELECT 1 FROM sqlite_master WHERE name = 'Cache_running'"
#: An earlier version has left none marked.
_MARK = f"""UPDATE Cache SET tag = '{_RUNNING}' WHERE tag IS NULL AND key GLOB '*:job'
AND instr(value, CAST('"state":"running"' AS BLOB))"""  # noqa: S608 - no input
_MARKED = f"""SELECT CAST(key AS BLOB), {COLUMNS} FROM Cache
WHERE tag = '{_RUNNING}' AND (expire_time IS NULL OR expire_time > ?)"""  # noqa: S608 - no input
_USED = """UPDATE Cache SET access_time = ?, expire_time = coalesce(?, expire_time)
WHERE key = ? AND raw = 1"""

#: The process that opened, jobs, what hears of writes, kept results.
_Opened: TypeAlias = tuple[int, SqliteFile, SqliteNews, SqliteFile]

P = ParamSpec("P")
R = TypeVar("R")


def _guarded(
    method: Callable[Concatenate[DiskcacheStore, P], R],
) -> Callable[Concatenate[DiskcacheStore, P], R]:
    """Have a method raise StoreError for what SQLite and the file system raise."""

    @functools.wraps(method)
    def guarded(self: DiskcacheStore, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            with IN_USE:
                return method(self, *args, **kwargs)
        except (sqlite3.Error, OSError) as error:
            raise self.in_words(error) from error

    return guarded


class DiskcacheStore(Store):
    """Jobs in a ``diskcache`` directory of their own.

    Args:
        directory: made on first use, readable by its owner only; or a function that says it.
        retention: seconds that a job and its outcome are kept.
        size_limit: bytes that kept results may take.
        patience: seconds to wait for a lock that another process holds.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str] | Callable[[], Path],
        retention: float,
        size_limit: int = SIZE_LIMIT,
        patience: float = WEB_SECONDS,
    ) -> None:
        self._directory = directory if callable(directory) else Path(directory)
        self.retention = retention
        self.size_limit = size_limit
        self.patience = patience
        self._lock = threading.Lock()
        self._opened: _Opened | None = None
        self._results_faults = FaultLog("results can't be kept, nor given to the next who asks")

    @property
    def directory(self) -> Path:
        """Where the store is. The default folder is chosen when this is first read.

        Raises:
            StoreError: if it can't be chosen.
        """
        return self._directory if isinstance(self._directory, Path) else self._directory()

    def _open(self) -> _Opened:
        # On first use, and again after a fork: SQLite connections must not cross one.
        with self._lock:
            if self._opened is None or self._opened[0] != os.getpid():
                jobs = SqliteFile(self.directory, self._make_jobs, self.patience, "jobs")
                results = SqliteFile(
                    self.directory / "results", self._make_results, self.patience, "results"
                )
                self._opened = (os.getpid(), jobs, SqliteNews(jobs, self.patience), results)
            return self._opened

    def _make_jobs(self, folder: Path) -> PooledCache:
        cache = PooledCache(
            str(folder),
            self.patience,
            disk=BytesDisk,
            eviction_policy="none",
            cull_limit=0,  # the leader purges; a search with each write is not needed
            sqlite_mmap_size=0,  # a file that somebody truncates would crash the process
        )
        cache.execute(sqlite_news.CREATE)
        if not cache.execute(_HAS_INDEX).fetchall():
            with cache.transact():
                if not cache.execute(_HAS_INDEX).fetchall():
                    cache.execute(_INDEX)
                    cache.execute(_MARK)
        return cache

    def _make_results(self, folder: Path) -> PooledCache:
        return PooledCache(
            str(folder),
            self.patience,
            disk=BytesDisk,
            eviction_policy="least-recently-used",
            size_limit=self.size_limit,
            cull_limit=0,  # see _shrink()
            sqlite_mmap_size=0,
        )

    @property
    def _files(self) -> _Opened:
        opened = self._opened
        return self._open() if opened is None or opened[0] != os.getpid() else opened

    @property
    def _cache(self) -> Any:
        return self._files[1].get()

    @property
    def _news(self) -> SqliteNews:
        return self._files[2]

    @property
    def _results(self) -> Any:
        return self._files[3].get()

    @contextmanager
    def exclusive(self, key: str | None) -> Generator[None]:  # noqa: ARG002 - SQLite has one lock
        with self.words(), IN_USE, self._cache.transact():
            yield

    @_guarded
    def create(self, job: Job, request: bytes) -> bool:
        with self._cache.transact():
            cache = self._cache
            if not cache.insert(f"{job.id}:job", job.dump(), self.retention, _tag(job)):
                return False
            if not cache.insert(f"{job.id}:request", request, self.retention):
                self._set(f"{job.id}:request", request)
            if job.cache_key is not None:
                self._set(f"flight:{job.cache_key}", job.id.encode())
                self._set(f"{job.id}:askers", json.dumps([job.id]).encode())
            return True

    @_guarded
    def load(self, job_id: str) -> Job | None:
        found = self.load_all(job_id)
        return None if found is None else found[0]

    @_guarded
    def request(self, job_id: str) -> bytes | None:
        return self._read(f"{job_id}:request", "what a job was created with")

    @_guarded
    def change(self, job_id: str, event: Event, response: bytes | None = None) -> Job | None:
        with self._cache.transact():
            found = self.load(job_id)
            change = None if found is None else transition(found, event, time.time())
            if change is None:
                return None
            job = change.job
            small, large = divide(job, response)
            record = job.dump()
            if Effect.DROP_REQUEST in change.effects:
                self._cache.delete(f"{job_id}:request")
            if Effect.RELEASE_KEY in change.effects:
                self._release(job)
            if Effect.ENQUEUE in change.effects:
                self.enqueue(job_id, front=True)
            self._put(job, record if small is None else record + b"\n" + small)
            self._tell(job_id)
            if large is not None:
                # In the end: nothing takes back a file if what follows it fails.
                self._set(f"{job_id}:result", large)
            return job

    @_guarded
    def write(self, job: Job, values: dict[int, bytes], stale: Iterable[int]) -> bool:
        with self._cache.transact():
            if not self._held(job):
                return False
            for slot, value in values.items():
                self._set(f"{job.id}:u{slot}", value)
            for slot in stale:
                self._cache.delete(f"{job.id}:u{slot}")
            self._put(job, job.dump())
            self._tell(job.id)
            return True

    def _held(self, job: Job) -> bool:
        """Whether the worker that has this record is still the one that was given the job."""
        current = self.load(job.id)
        return (
            current is not None
            and current.state is State.RUNNING
            and current.attempt == job.attempt
        )

    @_guarded
    def values(self, job_id: str, slots: Iterable[int]) -> list[bytes | None]:
        return [self._read(f"{job_id}:u{slot}", "an update") for slot in slots]

    @_guarded
    def load_all(self, job_id: str) -> tuple[Job, bytes | None] | None:
        try:
            data = self._cache.read_bytes(f"{job_id}:job")
        except UnreadableRow:
            data = b""  # as if it was damaged: there is a job, and it is told so
        if data is None:
            return None
        record, _, response = data.partition(b"\n")
        return Job.load(record, job_id), response or None

    @_guarded
    def has_result(self, job_id: str) -> bool:
        with self._result(job_id) as file:
            return file is not None

    def pieces(self, job_id: str) -> Generator[bytes]:
        with self.words(), self._result(job_id) as file:
            while file is not None and (piece := file.read(PIECE_BYTES)):
                yield piece

    @contextmanager
    def _result(self, job_id: str) -> Generator[BinaryIO | None]:
        try:
            with IN_USE:
                found = self._cache.open_bytes(f"{job_id}:result")
        except UnreadableRow as error:
            ignored("a large result", error)
            found = None
        if found is None:
            yield None
            return
        with found as file:
            yield file

    @_guarded
    def renew(self, job: Job) -> bool:
        with self._cache.transact():
            if not self._held(job):
                return False
            self._cache.set(f"{job.id}:lease", b"", expire=LEASE_SECONDS)
            self._set(f"{job.id}:worker", processes.this_process(os.getpid()))
            names = ("job", "request", "askers", *(f"u{n}" for n in tuple(job.slots)))
            rows = [f"{job.id}:{name}" for name in names]
            if job.cache_key is not None:
                rows.append(f"flight:{job.cache_key}")
                rows += [f"{asker}:joined" for asker in self._askers(job)]
            for row in rows:
                self._cache.touch(row, expire=self.retention)
            return True

    @_guarded
    def worker(self, job_id: str) -> bytes | None:
        """The process that was last heard of as the job's worker, if it ever was."""
        return self._read(f"{job_id}:worker", "which process runs a job")

    @_guarded
    def leased(self, job_id: str) -> bool:
        if f"{job_id}:lease" in self._cache:
            return True
        # A young job has not had its first heartbeat.
        job = self.load(job_id)
        return job is not None and time.time() - (job.started or 0) < LEASE_SECONDS

    @_guarded
    def ask_cancel(self, job_id: str) -> None:
        with self._cache.transact():
            self._set(f"{job_id}:cancel", b"")
            self._tell(f"{job_id}:cancel")

    @_guarded
    def cancel_asked(self, job_id: str) -> bool:
        return f"{job_id}:cancel" in self._cache

    @_guarded
    def want(self, job_id: str, seconds: float) -> None:
        self._cache.set(f"{job_id}:wanted", b"", expire=seconds)

    @_guarded
    def wanted(self, job_id: str) -> bool:
        return f"{job_id}:wanted" in self._cache

    @_guarded
    def keep(self, job: Job, response: bytes) -> None:
        slots = [(n, slot) for n, slot in job.since(0) if not isinstance(slot.target, int)]
        values = self.values(job.id, [n for n, _ in slots])
        updates = [(s.target, v) for (_, s), v in zip(slots, values, strict=True) if v is not None]
        data = Result(updates, response).dump()
        if len(data) > self.size_limit:  # it would evict all others, and then itself
            return
        # In one step, so that `clear` comes before, and is seen, or after, and drops it.
        with self._optional(), self._results.transact():
            if self._cleared(job):
                return
            self._results.set(job.cache_key, data, expire=job.expire, tag=job.callback)
            self._results_faults.succeeded()
        with self._optional():
            self._shrink()

    def kept(self, cache_key: str, expire: float | None) -> Result | None:
        found: Result | None = None
        with self._optional(), IN_USE:
            data = self._results.read_bytes(cache_key)
            found = None if data is None else read_result(data)
            if found is not None:
                now = time.time()
                until = None if expire is None else now + expire
                with self._results.transact():
                    self._results.execute(_USED, (now, until, cache_key))
                self._results_faults.succeeded()
        return found

    @contextmanager
    def _optional(self) -> Generator[None]:
        """For what is done with kept results: without them, jobs run all the same."""
        try:
            yield
        except UnreadableRow as error:
            ignored("a kept result", error)
        except Exception as error:
            self._files[3].failed(error)
            self._results_faults.failed(error)

    @_guarded
    def clear(self, callback: str | None = None) -> None:
        # Jobs that run may work on what is out of date: see _cleared().
        self._set(f"cleared:{callback or ''}", str(time.time()).encode())
        with self._told(self._files[3]):
            if callback is None:
                self._results.clear()
            else:
                self._results.evict(callback)

    def _shrink(self) -> None:
        # One by one. diskcache's own cull drops ten at a time, which may be all there is, the
        # newest included.
        results = self._results
        while results.volume() > self.size_limit:
            by_use = results.execute("SELECT key FROM Cache ORDER BY access_time LIMIT 1")
            if (oldest := by_use.fetchone()) is None:
                return
            results.delete(oldest[0])

    @_guarded
    def flight(self, cache_key: str) -> Job | None:
        job_id = self._read_id(f"flight:{cache_key}", "the job of a cache key")
        job = None if job_id is None else self.load(job_id)
        if job is None or job.state.ended or self.cancel_asked(job.id) or self._cleared(job):
            return None
        return job

    def _cleared(self, job: Job) -> bool:
        """Whether results were cleared since the job was created: its own is not for others."""
        what = "the time when results were cleared"
        rows = (self._read(f"cleared:{name}", what) for name in ("", job.callback))
        return any(read_time(at) >= job.created for at in rows)

    @_guarded
    def join(self, job: Job, asker: str, owner: str | None = None) -> None:
        with self._cache.transact():
            self._set(f"{asker}:joined", joined_row(job, owner))
            askers = list(dict.fromkeys([*self._askers(job), asker]))
            self._set(f"{job.id}:askers", json.dumps(askers).encode())

    @_guarded
    def leave(self, job: Job, asker: str) -> bool:
        with self._cache.transact():
            left = [one for one in self._askers(job) if one != asker]
            self._set(f"{job.id}:askers", json.dumps(left).encode())
            self._set(f"{asker}:left", b"")
            self._tell(asker)
            return not left

    @_guarded
    def joined(self, asker: str) -> Joined | None:
        return read_joined(self._read(f"{asker}:joined", "the job that somebody shares"))

    @_guarded
    def has_left(self, asker: str) -> bool:
        return f"{asker}:left" in self._cache

    def _release(self, job: Job) -> None:
        # Unless it was cancelled and another job has taken its place.
        flight = f"flight:{job.cache_key}"
        if self._read_id(flight, "the job of a cache key") == job.id:
            self._cache.delete(flight)

    def _askers(self, job: Job) -> list[str]:
        return read_ids(self._read(f"{job.id}:askers", "the list of those who share a job"))

    @contextmanager
    def watch(self, bell: Bell | None = None) -> Generator[Watch]:
        with self.words(), self._news.watch(lambda job_id: [job_id], bell) as watch:
            yield watch

    @contextmanager
    def watch_cancel(self) -> Generator[Watch]:
        with self.words(), self._news.watch(lambda job_id: [f"{job_id}:cancel"], None) as watch:
            yield watch

    def _tell(self, name: str) -> None:
        sqlite_news.tell(self._cache.execute, name)

    @_guarded
    def enqueue(self, job_id: str, *, front: bool = False) -> None:
        """Put a job at the back of the queue; at the front if it was taken and not begun."""
        sqlite_queue.push(self._cache, job_id.encode(), front=front, expire=self.retention)

    @_guarded
    def claim(self) -> Job | None:
        """Take the next queued job and mark it as running, in one step; None if there is none."""
        with self._cache.transact():
            while (entry := sqlite_queue.pull(self._cache)) is not None:
                job_id = read_id(entry, "an entry of the queue")
                job = None if job_id is None else self.change(job_id, Begin())
                if job is not None:  # else it was cancelled while it waited, or has expired
                    return job
            return None

    @_guarded
    def active(self) -> list[Job]:
        """All jobs that are marked as running, wherever they run."""
        found: list[Job] = []
        for key, *columns in self._cache.execute(_MARKED, (time.time(),)).fetchall():
            job_id = read_id(key, "the name of a row")
            if job_id is None:
                continue
            try:
                record = self._cache.value_of(*columns).partition(b"\n")[0]
            except (OSError, UnreadableRow):
                continue  # as if it was damaged, or it was replaced in this moment
            job = Job.load(record, job_id.removesuffix(":job"))
            if job.state is State.RUNNING:
                found.append(job)
        return found

    @_guarded
    def purge(self) -> None:
        """Delete what has expired."""
        self._cache.expire()
        sqlite_news.purge(self._cache.execute)
        with self._optional():
            self._results.expire()
            self._shrink()

    @_guarded
    def set_doorbell(self, port: int) -> None:
        """Say on which UDP port the leader hears of new jobs and of cancels."""
        self._cache.set("doorbell", str(port).encode(), expire=self.retention)

    @_guarded
    def doorbell(self) -> int | None:
        """The leader's UDP port, if there is or was one."""
        return read_port(self._read("doorbell", "the leader's port"))

    def close(self) -> None:
        with self._lock:
            if self._opened is not None and self._opened[0] == os.getpid():
                self._opened[2].close()
                self._opened[1].close()
                self._opened[3].close()
            self._opened = None

    def words(self) -> AbstractContextManager[None]:
        """Say in words what SQLite and the file system say in codes."""
        return self._told(self._files[1])

    @contextmanager
    def _told(self, file: SqliteFile) -> Generator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise self._described(file, error) from error

    def in_words(self, error: sqlite3.Error | OSError) -> StoreError:
        """What SQLite or the file system has raised, in words."""
        return self._described(self._files[1], error)

    def _described(self, file: SqliteFile, error: sqlite3.Error | OSError) -> StoreError:
        file.failed(error)
        if is_busy(error):
            return StoreError(
                f"another process has held the lock of {file.folder} for {self.patience:g} s; "
                "try again, or see which process has it open"
            )
        if isinstance(error, (FileExistsError, NotADirectoryError)):
            return StoreError(
                f"the folder {file.folder} can't be made ({error}): move the file away that is "
                "in its place, and check that it is writable"
            )
        return StoreError(
            f"the cache directory {file.folder} can't be used ({error}); "
            "check that it is writable and that its disk is not full"
        )

    def _read(self, key: str, what: str) -> bytes | None:
        try:
            return self._cache.read_bytes(key)
        except UnreadableRow as error:
            ignored(what, error)
            return None

    def _read_id(self, key: str, what: str) -> str | None:
        return read_id(self._read(key, what), what)

    def _put(self, job: Job, data: bytes) -> None:
        self._cache.replace(f"{job.id}:job", data, self.retention, _tag(job))

    def _set(self, key: str, value: bytes) -> None:
        self._cache.set(key, value, expire=self.retention)


def _tag(job: Job) -> str | None:
    return _RUNNING if job.state is State.RUNNING else None
