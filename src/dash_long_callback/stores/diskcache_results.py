"""Results in a ``diskcache.Cache``: on disk, evicted by size, the least recently used first."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dash_long_callback.fault_log import FaultLog
from dash_long_callback.stores.bytes_disk import BytesDisk
from dash_long_callback.stores.parse import UnreadableRow, ignored
from dash_long_callback.stores.pooled_cache import PooledCache
from dash_long_callback.stores.ports import Results
from dash_long_callback.stores.sqlite import in_words
from dash_long_callback.stores.sqlite_file import SqliteFile
from dash_long_callback.stores.sqlite_fork import IN_USE

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    from dash_long_callback.stores.sqlite_pool import SqlitePool

#: The database's name, which diskcache has chosen.
_NAME = "cache.db"
_USED = """UPDATE Cache SET access_time = ?, expire_time = coalesce(?, expire_time)
WHERE key = ? AND raw = 1"""


class DiskcacheResults(Results):
    """Keeps results in a folder: the value under its key, tagged with the callback.

    What can't be kept or read is computed again, and said in the log: jobs run all the same.

    Args:
        folder: a function that says where it is; made on first use.
        size_limit: bytes that results may take.
        patience: seconds to wait for a lock that another process holds.
    """

    def __init__(self, folder: Callable[[], Path], size_limit: int, patience: float) -> None:
        self._folder = folder
        self.size_limit = size_limit
        self._patience = patience
        self._lock = threading.Lock()
        self._opened: tuple[int, SqliteFile[PooledCache]] | None = None
        self._faults = FaultLog("results can't be kept, nor given to the next who asks")

    @property
    def _file(self) -> SqliteFile[PooledCache]:
        with self._lock:
            # Again after a fork: SQLite connections must not cross one.
            if self._opened is None or self._opened[0] != os.getpid():
                path = self._folder() / _NAME
                self._opened = os.getpid(), SqliteFile(path, self._make, self._patience, "results")
            return self._opened[1]

    def _make(self, path: Path) -> tuple[PooledCache, SqlitePool]:
        cache = PooledCache(
            str(path.parent),
            self._patience,
            disk=BytesDisk,
            eviction_policy="least-recently-used",
            size_limit=self.size_limit,
            cull_limit=0,  # see _shrink()
            sqlite_mmap_size=0,  # a file that somebody truncates would crash the process
        )
        return cache, cache.pool

    @property
    def cache(self) -> Any:
        """The cache."""
        return self._file.get()

    def get(self, key: str, expire: float | None) -> bytes | None:
        data: bytes | None = None
        with self._optional(), IN_USE:
            cache = self.cache
            data = cache.read_bytes(key)
            if data is not None:
                now = time.time()
                with cache.transact():
                    until = None if expire is None else now + expire
                    cache.execute(_USED, (now, until, key))
                self._faults.succeeded()
        return data

    def put(
        self,
        key: str,
        value: bytes,
        expire: float | None,
        callback: str,
        is_current: Callable[[], bool],
    ) -> None:
        if len(value) > self.size_limit:  # it would evict all others, and then itself
            return
        # In one step, so that `clear` comes before, and is seen, or after, and drops it.
        with self._optional(), IN_USE, self.cache.transact():
            if not is_current():
                return
            self.cache.set(key, value, expire=expire, tag=callback)
            self._faults.succeeded()
        with self._optional(), IN_USE:
            self._shrink()

    def clear(self, callback: str | None) -> None:
        try:
            with IN_USE:
                if callback is None:
                    self.cache.clear()
                else:
                    self.cache.evict(callback)
        except (sqlite3.Error, OSError) as error:
            raise in_words(self._file, error, self._patience) from error

    def purge(self) -> None:
        with self._optional(), IN_USE:
            self.cache.expire()
            self._shrink()

    def _shrink(self) -> None:
        # One by one. diskcache's own cull drops ten at a time, which may be all there is, the
        # newest included.
        cache = self.cache
        while cache.volume() > self.size_limit:
            by_use = cache.execute("SELECT key FROM Cache ORDER BY access_time LIMIT 1")
            if (oldest := by_use.fetchone()) is None:
                return
            cache.delete(oldest[0])

    @contextmanager
    def _optional(self) -> Generator[None]:
        try:
            yield
        except UnreadableRow as error:
            ignored("a kept result", error)
        except Exception as error:
            self._file.failed(error)
            self._faults.failed(error)

    def close(self) -> None:
        with self._lock:
            if self._opened is not None and self._opened[0] == os.getpid():
                self._opened[1].close()
            self._opened = None
