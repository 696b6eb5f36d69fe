"""Rows in SQLite: one file, shared by the processes of one machine."""

from __future__ import annotations

import functools
import heapq
import itertools
import os
import sqlite3
import threading
import time
from collections.abc import Iterable
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeAlias, TypeVar

from dash_long_callback.errors import StoreError
from dash_long_callback.jobs import State
from dash_long_callback.stores import names, sqlite_notifier
from dash_long_callback.stores import sqlite_queue as queue_sql
from dash_long_callback.stores import sqlite_schema as sql
from dash_long_callback.stores.parse import read_id
from dash_long_callback.stores.ports import Ahead, Batch, Cursor, Field, Head, Rows
from dash_long_callback.stores.sqlite_file import SqliteFile
from dash_long_callback.stores.sqlite_fork import IN_USE
from dash_long_callback.stores.sqlite_notifier import SqliteNotifier
from dash_long_callback.stores.sqlite_pool import SqlitePool, is_busy

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    from dash_long_callback.stores.notifier import Subscription, Waker

#: The name of the file.
NAME = "jobs.db"
#: Pages that a purge gives back to the system in one go, and free ones that it leaves for later.
VACUUM_PAGES, KEPT_PAGES = 1000, 1000
#: Of a job that does not wait.
_NO_PLACE = (None,) * 7
#: Before the newest of all jobs.
_NEWEST: Cursor = (1e300, "")

#: The process that opened, the file, what hears of writes.
_Opened: TypeAlias = tuple[int, "SqliteFile[SqlitePool]", SqliteNotifier]

P = ParamSpec("P")
R = TypeVar("R")


def _guarded(
    method: Callable[Concatenate[SqliteRows, P], R],
) -> Callable[Concatenate[SqliteRows, P], R]:
    """Have a method raise StoreError for what SQLite and the file system raise."""

    @functools.wraps(method)
    def guarded(self: SqliteRows, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            with IN_USE:
                return method(self, *args, **kwargs)
        except (sqlite3.Error, OSError) as error:
            raise in_words(self.file, error, self.patience) from error

    return guarded


class SqliteRows(Rows):
    """Rows, index, queue and news in a database of their own.

    Args:
        folder: made on first use, readable by its owner only; or a function that says it.
        patience: seconds to wait for a lock that another process holds.
    """

    def __init__(self, folder: Callable[[], Path], patience: float) -> None:
        self.patience = patience
        self._folder = folder
        self._lock = threading.Lock()
        self._opened: _Opened | None = None

    def _open(self) -> _Opened:
        # On first use, and again after a fork: SQLite connections must not cross one.
        with self._lock:
            if self._opened is None or self._opened[0] != os.getpid():
                file = SqliteFile(self._folder() / NAME, self._make, self.patience, "jobs")
                self._opened = (os.getpid(), file, SqliteNotifier(file, self.patience))
            return self._opened

    def _make(self, path: Path) -> tuple[SqlitePool, SqlitePool]:
        pool = sql.open_pool(path, self.patience)
        return pool, pool

    @property
    def _files(self) -> _Opened:
        opened = self._opened
        return self._open() if opened is None or opened[0] != os.getpid() else opened

    @property
    def file(self) -> SqliteFile[SqlitePool]:
        """The database's file."""
        return self._files[1]

    @property
    def pool(self) -> SqlitePool:
        """Its connections."""
        return self._files[1].get()

    @_guarded
    def read(self, names: Iterable[str]) -> list[bytes | None]:
        # One by one: to have SQLite find them all at once takes longer.
        execute, now = self.pool.execute, time.time()
        return [_value(execute(sql.READ, (name, now))) for name in names]

    @_guarded
    def apply(self, batch: Batch) -> bool:
        with self.pool.transaction() as connection:
            now, execute = time.time(), connection.execute
            for name, expected in batch.expect.items():
                if _value(execute(sql.READ, (name, now))) != expected:
                    return False
            for name, seconds in batch.touch.items():
                execute(sql.TOUCH, (now + seconds, name, now))
            for name, (value, seconds) in batch.put.items():
                execute(sql.PUT, (name, value, now + seconds))
            for name in batch.drop:
                execute(sql.DROP, (name,))
            if batch.entry is not None:
                execute(sql.ENTER, (*batch.entry, *_place(execute, batch, now)))
            if batch.dequeue is not None:
                execute(queue_sql.DEQUEUE, (batch.dequeue,))
            if batch.news is not None:
                sqlite_notifier.write(execute, batch.news)
            if batch.cancel is not None:
                sqlite_notifier.write(execute, f"{batch.cancel}:cancel")
            return True

    @_guarded
    def list(
        self, by: Field, value: str | None, limit: int, before: Cursor | None = None
    ) -> list[Cursor]:
        if by == "all":
            lists = [self.list("state", state.value, limit, before) for state in State]
            return heapq.nlargest(limit, itertools.chain(*lists))
        arguments = (value, time.time(), *(before or _NEWEST), limit)
        rows = self.pool.execute(sql.LIST.format(field=by), arguments).fetchall()
        found = [(created, read_id(job_id, "the name of a job")) for created, job_id in rows]
        return [(created, job_id) for created, job_id in found if job_id is not None]

    @_guarded
    def count(self, by: Field, value: str | None) -> int:
        if by == "all":
            return sum(self.count("state", state.value) for state in State)
        execute = self.pool.execute
        found = execute(sql.COUNT, (by, value)).fetchone()
        if found is None:
            return 0
        expired = execute(sql.EXPIRED.format(field=by), (value, time.time())).fetchone()
        return max(0, found[0] - expired[0])

    @_guarded
    def next_queued(self, queue: str = "", hide: float = 0.0) -> Head | None:  # noqa: ARG002 - only the leader looks
        now, execute = time.time(), self.pool.execute
        found, due = execute(queue_sql.NEXT, (queue, now)).fetchone()
        if due:
            execute(queue_sql.LET_IN, (now,))
            found, _ = execute(queue_sql.NEXT, (queue, now)).fetchone()
        if found is None:
            return None
        job_id = read_id(found, "an entry of the queue")
        if job_id is None:
            execute(queue_sql.DROP_NEXT, (found,))
            return self.next_queued(queue)
        # Without the request: it may be large, and the worker reads it.
        return Head(job_id, _value(execute(sql.READ, (names.job(job_id), now))), None)

    @_guarded
    def heads(self, queue: str = "") -> list[str]:
        found = self.pool.execute(queue_sql.HEADS, (queue,)).fetchall()
        ids = [read_id(job_id, "an entry of the queue") for (job_id,) in found]
        return [job_id for job_id in ids if job_id is not None]

    @_guarded
    def ahead(self, job_id: str) -> Ahead | None:
        found = self.pool.execute(queue_sql.AHEAD, (job_id,)).fetchone()
        return None if found is None else Ahead(*found)

    @_guarded
    def waiting(self, queue: str = "") -> int:
        return int(self.pool.execute(queue_sql.WAITING, (queue,)).fetchone()[0])

    @contextmanager
    def subscribe(
        self, waker: Waker | None = None, *, cancels: bool = False
    ) -> Generator[Subscription]:
        def names(job_id: str) -> list[str]:
            return [f"{job_id}:cancel" if cancels else job_id]

        try:
            with self._files[2].subscribe(names, waker) as subscription:
                yield subscription
        except (sqlite3.Error, OSError) as error:
            raise in_words(self.file, error, self.patience) from error

    @_guarded
    def purge(self) -> None:
        pool, now = self.pool, time.time()
        deleted = 1
        while deleted > 0:
            with pool.transaction() as connection:
                connection.execute(sql.PURGE_JOBS, (now,))
                deleted = connection.execute(sql.PURGE_ROWS, (now,)).rowcount
        sqlite_notifier.purge(pool.execute)
        while (free := pool.execute("PRAGMA freelist_count").fetchone()[0]) > KEPT_PAGES:
            with pool.transaction() as connection:
                for _ in range(min(free, VACUUM_PAGES)):
                    connection.execute("PRAGMA incremental_vacuum")  # one page, as Python runs it

    def close(self) -> None:
        with self._lock:
            if self._opened is not None and self._opened[0] == os.getpid():
                self._opened[2].close()
                self._opened[1].close()
            self._opened = None


def _value(found: sqlite3.Cursor) -> bytes | None:
    row = found.fetchone()
    return None if row is None else row[0]


def _place(execute: Callable[..., sqlite3.Cursor], batch: Batch, now: float) -> tuple[Any, ...]:
    """A job's place in the queue, as its row has it."""
    place, entry = batch.place, batch.entry
    if place is None or entry is None:
        return _NO_PLACE
    not_before = place.not_before if place.not_before > now else 0
    if place.stays and (found := execute(queue_sql.PLACE, (entry.id,)).fetchone()) is not None:
        return *found, not_before
    turn, number = -1, -time.time_ns()
    if not place.front:
        ((turn,),) = execute(queue_sql.TURN, (place.queue, place.priority, place.lane, entry.id))
        number = -number
    return place.queue, place.priority, place.lane, place.gate, turn, number, not_before


def in_words(file: SqliteFile[Any], error: sqlite3.Error | OSError, patience: float) -> StoreError:
    """What SQLite or the file system has raised by using a file, in words."""
    file.failed(error)
    if is_busy(error):
        return StoreError(
            f"another process has held the lock of {file.folder} for {patience:g} s; "
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
