"""A ``diskcache.Cache`` whose connections outlive their threads, and whose waits end."""

from __future__ import annotations

import contextlib
import re
import sqlite3
import time
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import diskcache
from diskcache.core import ENOVAL, MODE_BINARY, MODE_RAW  # pyright: ignore[reportMissingTypeStubs]

from dash_long_callback.stores.parse import UnreadableRow
from dash_long_callback.stores.sqlite_pool import SqlitePool

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    #: Runs SQL; takes the name of a file that is not needed once the transaction has ended.
    _Transaction: TypeAlias = tuple[Callable[..., sqlite3.Cursor], Callable[[str | None], None]]

#: Times that a row is read again whose file was deleted meanwhile, as the row was replaced.
READ_TRIES = 5
#: How diskcache names the files of large values: a damaged row must not name another.
_FILE_NAME = re.compile(rb"[0-9a-f]{2}[/\\][0-9a-f]{2}[/\\][0-9a-f]{28}\.val")
#: None of it is fetched as text: one that is no UTF-8 can't be.
_READ = """SELECT mode, size, CAST(filename AS BLOB), CASE typeof(value) WHEN 'blob' THEN value END
FROM Cache WHERE key = ? AND raw = 1 AND (expire_time IS NULL OR expire_time > ?)"""


class PooledCache(diskcache.Cache):
    """Shares connections between threads: diskcache opens one per thread.

    diskcache also waits without limit for a lock (``retry=True``), and for whatever else SQLite
    says when a transaction begins. This one waits for ``patience`` seconds, and raises what SQLite
    says.

    Not for use across a fork, unlike its base.

    Args:
        directory: where the database is.
        patience: seconds to wait for a lock that another connection holds.
        settings: as for its base.
    """

    def __init__(self, directory: str, patience: float = 60.0, **settings: Any) -> None:
        path = Path(directory) / diskcache.core.DBNAME
        self.pool = SqlitePool(path, patience, self._set_pragmas)
        #: Files that go with the rows of the transaction that is under way.
        self._stale: list[str | None] = []
        super().__init__(directory, **settings)

    def _set_pragmas(self, connection: sqlite3.Connection) -> None:
        # As diskcache does: some pragmas are per connection. A new file has no settings yet.
        with contextlib.suppress(sqlite3.OperationalError):
            for key, value in connection.execute("SELECT key, value FROM Settings").fetchall():
                if key.startswith("sqlite_"):
                    self.reset(key, value, update=False)

    @property
    def _con(self) -> sqlite3.Connection:
        return self.pool.connection

    @property
    def execute(self) -> Callable[..., sqlite3.Cursor]:
        """Runs SQL in the transaction of this thread, or in one of its own."""
        return self.pool.execute

    @property
    def _sql(self) -> Callable[..., sqlite3.Cursor]:
        return self.pool.execute

    @property
    def _sql_retry(self) -> Callable[..., sqlite3.Cursor]:
        return self.pool.execute

    def transact(self, retry: bool = False) -> Any:
        return self._transact(retry)

    def _transact(
        self,
        retry: bool = False,  # noqa: ARG002 - its base waits for ever, if told to
        filename: str | None = None,
    ) -> Any:
        if self.pool.in_transaction:
            return nullcontext((self._con.execute, self._stale.append))
        return self._transaction(filename)

    @contextmanager
    def _transaction(self, filename: str | None) -> Generator[_Transaction]:
        begun = False
        stale: list[str | None] = []
        try:
            with self.pool.transaction() as connection:
                begun, self._stale = True, stale
                yield connection.execute, stale.append
        except sqlite3.Error:
            if filename is not None and not begun:
                self._disk.remove(filename)
            raise
        # Not before: the rows that name these files may come back.
        for name in stale:
            if name is not None:
                self._disk.remove(name)

    def reset(self, key: str, value: Any = ENOVAL, update: bool = True) -> Any:
        """As its base, which would wait a minute for the lock that a pragma needs."""
        if value is ENOVAL or not key.startswith("sqlite_"):
            return super().reset(key, value, update)
        if update:
            self.execute("UPDATE Settings SET value = ? WHERE key = ?", (value, key))
        pragma = key[len("sqlite_") :]
        if self.execute(f"PRAGMA {pragma}").fetchall() != [(value,)]:
            self.execute(f"PRAGMA {pragma} = {value}").fetchall()
        setattr(self, key, value)
        return value

    def read_bytes(self, key: str) -> bytes | None:
        """The value under a key; None if it is missing or has expired.

        Raises:
            UnreadableRow: if it is not bytes, or its file is gone, or not as long as it was.
        """
        for _ in range(READ_TRIES):
            rows = self.execute(_READ, (key, time.time())).fetchall()
            if not rows:
                return None
            try:
                return self._value_of(*rows[0])
            except FileNotFoundError:
                continue  # the row was replaced meanwhile, and its file went with it
            except OSError as error:
                raise UnreadableRow(str(error)) from error
        raise UnreadableRow("its file is missing")

    def _value_of(
        self, mode: object, size: object, name: bytes | None, value: bytes | None
    ) -> bytes:
        if mode == MODE_RAW and value is not None:
            return value
        if mode != MODE_BINARY or name is None or not _FILE_NAME.fullmatch(name):
            raise UnreadableRow("this package did not write it")
        data = (Path(self.directory) / name.decode()).read_bytes()
        if len(data) != size:
            raise UnreadableRow(f"its file has {len(data)} bytes instead of {size}")
        return data

    def close(self) -> None:
        """Close this thread's connection and those that no thread has."""
        self.pool.close()
