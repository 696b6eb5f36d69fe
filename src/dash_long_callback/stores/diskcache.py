"""Jobs in a ``diskcache.Cache``: SQLite and files, shared by the processes of one machine.

Rows, all of them bytes, all with an expiry. ``<id>`` is a job's id.

    <id>:job        the record (see ``jobs.Job.dump``) in one line; behind it, the result
    <id>:request    arguments and context, JSON
    <id>:u<n>       the value in slot n, JSON
    <id>:lease      a worker holds this job; expires unless renewed
    <id>:worker     which process that is, see ``executors.processes.identity``
    <id>:cancel     the user wants this job cancelled
    <id>:wanted     a page waits for this job; expires unless the page is heard of
    <id>:askers     ids of those who wait for a shared job, JSON
    <id>:joined     the id of the job that this asker waits for
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
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeAlias, TypeVar

import diskcache

from dash_long_callback.errors import StoreError
from dash_long_callback.executors import processes
from dash_long_callback.jobs import Job, Result, State, begin
from dash_long_callback.stores import sqlite_news
from dash_long_callback.stores.base import LEASE_SECONDS, Store
from dash_long_callback.stores.bytes_disk import BytesDisk
from dash_long_callback.stores.pooled_cache import PooledCache
from dash_long_callback.stores.sqlite_news import SqliteNews

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    from dash_long_callback.stores.news import Bell, Watch

#: Seconds to wait for another process's write before giving up.
BUSY_SECONDS = 20
#: Bytes that kept results may take, if not told otherwise.
SIZE_LIMIT = 1 << 30
_QUEUE = "queue"

#: The process that opened, jobs, what hears of writes, kept results.
_Opened: TypeAlias = tuple[int, PooledCache, SqliteNews, PooledCache]

P = ParamSpec("P")
R = TypeVar("R")


def _guarded(
    method: Callable[Concatenate[DiskcacheStore, P], R],
) -> Callable[Concatenate[DiskcacheStore, P], R]:
    """Have a method raise StoreError for what SQLite and the file system raise."""

    @functools.wraps(method)
    def guarded(self: DiskcacheStore, *args: P.args, **kwargs: P.kwargs) -> R:
        with self.words():
            return method(self, *args, **kwargs)

    return guarded


class DiskcacheStore(Store):
    """Jobs in a ``diskcache`` directory of their own.

    Args:
        directory: made on first use, readable by its owner only; or a function that says it.
        retention: seconds that a job and its outcome are kept.
        size_limit: bytes that kept results may take.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str] | Callable[[], Path],
        retention: float,
        size_limit: int = SIZE_LIMIT,
    ) -> None:
        self._directory = directory if callable(directory) else Path(directory)
        self.retention = retention
        self.size_limit = size_limit
        self._lock = threading.Lock()
        self._opened: _Opened | None = None

    @property
    def directory(self) -> Path:
        """Where the store is. The default folder is chosen when this is first read.

        Raises:
            StoreError: if it can't be chosen.
        """
        return self._directory if isinstance(self._directory, Path) else self._directory()

    def _open(self) -> _Opened:
        # Opened on first use, and again after a fork: SQLite connections must not cross one.
        with self._lock:
            if self._opened is None or self._opened[0] != os.getpid():
                self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
                self.directory.chmod(0o700)
                cache = PooledCache(
                    str(self.directory),
                    timeout=BUSY_SECONDS,
                    disk=BytesDisk,
                    eviction_policy="none",
                    cull_limit=0,  # the leader purges; a search with each write is not needed
                )
                cache.execute(sqlite_news.CREATE)
                news = SqliteNews(self.directory / diskcache.core.DBNAME, BUSY_SECONDS)
                results = PooledCache(
                    str(self.directory / "results"),
                    timeout=BUSY_SECONDS,
                    disk=BytesDisk,
                    eviction_policy="least-recently-used",
                    size_limit=self.size_limit,
                    cull_limit=0,  # see _shrink()
                )
                self._opened = (os.getpid(), cache, news, results)
            return self._opened

    @property
    def _cache(self) -> Any:
        opened = self._opened
        if opened is None or opened[0] != os.getpid():
            opened = self._open()
        return opened[1]

    @property
    def _news(self) -> SqliteNews:
        opened = self._opened
        if opened is None or opened[0] != os.getpid():
            opened = self._open()
        return opened[2]

    @property
    def _results(self) -> Any:
        opened = self._opened
        if opened is None or opened[0] != os.getpid():
            opened = self._open()
        return opened[3]

    @contextmanager
    def exclusive(self, key: str | None) -> Generator[None]:  # noqa: ARG002 - SQLite has one lock
        with self.words(), self._cache.transact(retry=True):
            yield

    @_guarded
    def create(self, job: Job, request: bytes) -> bool:
        with self._cache.transact(retry=True):
            if not self._cache.add(f"{job.id}:job", job.dump(), expire=self.retention, retry=True):
                return False
            self._set(f"{job.id}:request", request)
            if job.cache_key is not None:
                self._set(f"flight:{job.cache_key}", job.id.encode())
                self._set(f"{job.id}:askers", json.dumps([job.id]).encode())
            return True

    @_guarded
    def load(self, job_id: str) -> Job | None:
        data = self._cache.get(f"{job_id}:job")
        return None if data is None else Job.load(data.partition(b"\n")[0], job_id)

    @_guarded
    def request(self, job_id: str) -> bytes | None:
        return self._cache.get(f"{job_id}:request")

    @_guarded
    def change(
        self, job_id: str, change: Callable[[Job], bool], response: bytes | None = None
    ) -> Job | None:
        with self._cache.transact(retry=True):
            job = self.load(job_id)
            if job is None or not change(job):
                return None
            # One row for both: who sees "succeeded" finds the result, with one write and one read.
            record = job.dump()
            if job.state.ended:
                # Cookies and headers are in it: kept no longer than they are needed.
                self._cache.delete(f"{job_id}:request")
            if job.cache_key is not None and job.state.ended:
                self._land(job)
            self._set(f"{job_id}:job", record if response is None else record + b"\n" + response)
            self._tell(job_id)
            return job

    @_guarded
    def write(self, job: Job, values: dict[int, bytes], stale: Iterable[int]) -> bool:
        with self._cache.transact(retry=True):
            if not self._held(job):
                return False
            for slot, value in values.items():
                self._set(f"{job.id}:u{slot}", value)
            for slot in stale:
                self._cache.delete(f"{job.id}:u{slot}")
            self._set(f"{job.id}:job", job.dump())
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
        return [self._cache.get(f"{job_id}:u{slot}") for slot in slots]

    @_guarded
    def load_all(self, job_id: str) -> tuple[Job, bytes | None] | None:
        data = self._cache.get(f"{job_id}:job")
        if data is None:
            return None
        record, _, response = data.partition(b"\n")
        return Job.load(record, job_id), response or None

    @_guarded
    def renew(self, job: Job) -> bool:
        with self._cache.transact(retry=True):
            if not self._held(job):
                return False
            self._cache.set(f"{job.id}:lease", b"", expire=LEASE_SECONDS)
            self._set(f"{job.id}:worker", processes.identity())
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
        return self._cache.get(f"{job_id}:worker")

    @_guarded
    def leased(self, job_id: str) -> bool:
        if f"{job_id}:lease" in self._cache:
            return True
        # A young job has not had its first heartbeat.
        job = self.load(job_id)
        return job is not None and time.time() - (job.started or 0) < LEASE_SECONDS

    @_guarded
    def ask_cancel(self, job_id: str) -> None:
        with self._cache.transact(retry=True):
            self._set(f"{job_id}:cancel", b"")
            self._tell(f"{job_id}:cancel")

    @_guarded
    def cancel_asked(self, job_id: str) -> bool:
        return f"{job_id}:cancel" in self._cache

    @_guarded
    def want(self, job_id: str, seconds: float) -> None:
        self._cache.set(f"{job_id}:wanted", b"", expire=seconds, retry=True)

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
        with self._results.transact(retry=True):
            if self._cleared(job):
                return
            self._results.set(job.cache_key, data, expire=job.expire, tag=job.callback, retry=True)
        self._shrink()

    @_guarded
    def kept(self, cache_key: str, expire: float | None) -> Result | None:
        data = self._results.get(cache_key, retry=True)
        if data is None:
            return None
        if expire is not None:
            self._results.touch(cache_key, expire=expire, retry=True)
        return Result.load(data)

    @_guarded
    def clear(self, callback: str | None = None) -> None:
        # Jobs that run may work on what is out of date: see _cleared().
        self._set(f"cleared:{callback or ''}", str(time.time()).encode())
        if callback is None:
            self._results.clear(retry=True)
        else:
            self._results.evict(callback, retry=True)

    def _shrink(self) -> None:
        # One by one. diskcache's own cull drops ten at a time, which may be all there is, the
        # newest included.
        results = self._results
        while results.volume() > self.size_limit:
            by_use = results.execute("SELECT key FROM Cache ORDER BY access_time LIMIT 1")
            if (oldest := by_use.fetchone()) is None:
                return
            results.delete(oldest[0], retry=True)

    @_guarded
    def flight(self, cache_key: str) -> Job | None:
        job_id = self._cache.get(f"flight:{cache_key}")
        job = None if job_id is None else self.load(job_id.decode())
        if job is None or job.state.ended or self.cancel_asked(job.id) or self._cleared(job):
            return None
        return job

    def _cleared(self, job: Job) -> bool:
        """Whether results were cleared since the job was created: its own is not for others."""
        rows = (self._cache.get(f"cleared:{name}") for name in ("", job.callback))
        return any(at is not None and float(at) >= job.created for at in rows)

    @_guarded
    def join(self, job: Job, asker: str) -> None:
        with self._cache.transact(retry=True):
            self._set(f"{asker}:joined", job.id.encode())
            askers = list(dict.fromkeys([*self._askers(job), asker]))
            self._set(f"{job.id}:askers", json.dumps(askers).encode())

    @_guarded
    def leave(self, job: Job, asker: str) -> bool:
        with self._cache.transact(retry=True):
            left = [one for one in self._askers(job) if one != asker]
            self._set(f"{job.id}:askers", json.dumps(left).encode())
            self._set(f"{asker}:left", b"")
            self._tell(asker)
            return not left

    @_guarded
    def joined(self, asker: str) -> str | None:
        job_id = self._cache.get(f"{asker}:joined")
        return None if job_id is None else job_id.decode()

    @_guarded
    def has_left(self, asker: str) -> bool:
        return f"{asker}:left" in self._cache

    def _land(self, job: Job) -> None:
        # Unless it was cancelled and another job has taken its place.
        flight = f"flight:{job.cache_key}"
        if self._cache.get(flight) == job.id.encode():
            self._cache.delete(flight)

    def _askers(self, job: Job) -> list[str]:
        return json.loads(self._cache.get(f"{job.id}:askers", b"[]"))

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
        self._cache.push(
            job_id.encode(),
            prefix=_QUEUE,
            side="front" if front else "back",
            expire=self.retention,
            retry=True,
        )

    @_guarded
    def claim(self) -> Job | None:
        """Take the next queued job and mark it as running, in one step; None if there is none."""
        with self._cache.transact(retry=True):
            while True:
                _, job_id = self._cache.pull(prefix=_QUEUE, default=(None, None), retry=True)
                if job_id is None:
                    return None
                job = self.change(job_id.decode(), begin)
                if job is not None:  # else it was cancelled while it waited, or has expired
                    return job

    @_guarded
    def unclaim(self, job_id: str) -> None:
        """Give back a job whose worker died before the function was called."""
        with self._cache.transact(retry=True):
            job = self.load(job_id)
            if job is not None and job.state is State.RUNNING:
                self._set(
                    f"{job_id}:job",
                    replace(job, state=State.QUEUED, started=None).dump(),
                )
                self._tell(job_id)
                self.enqueue(job_id, front=True)

    @_guarded
    def active(self) -> list[Job]:
        """All jobs that are marked as running, wherever they run."""
        found: list[Job] = []
        for key in self._cache.iterkeys():
            if key.endswith(":job"):
                job = self.load(key[: -len(":job")])
                if job is not None and job.state is State.RUNNING:
                    found.append(job)
        return found

    @_guarded
    def purge(self) -> None:
        """Delete what has expired."""
        self._cache.expire(retry=True)
        sqlite_news.purge(self._cache.execute)
        self._results.expire(retry=True)
        self._shrink()

    @_guarded
    def set_doorbell(self, port: int) -> None:
        """Say on which UDP port the leader hears of new jobs and of cancels."""
        self._cache.set("doorbell", str(port).encode(), expire=self.retention)

    @_guarded
    def doorbell(self) -> int | None:
        """The leader's UDP port, if there is or was one."""
        port = self._cache.get("doorbell")
        return None if port is None else int(port)

    def close(self) -> None:
        with self._lock:
            if self._opened is not None and self._opened[0] == os.getpid():
                self._opened[1].close()
                self._opened[2].close()
                self._opened[3].close()
            self._opened = None

    @contextmanager
    def words(self) -> Generator[None]:
        """Say in words what SQLite and the file system say in codes."""
        try:
            yield
        except (sqlite3.Error, diskcache.Timeout, OSError) as error:
            raise StoreError(
                f"the cache directory {self.directory} can't be used ({error}); "
                "check that it is writable and that its disk is not full"
            ) from error

    def _set(self, key: str, value: bytes) -> None:
        self._cache.set(key, value, expire=self.retention, retry=True)
