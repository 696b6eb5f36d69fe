"""A ``diskcache.Cache`` whose connections outlive their threads, and whose waits end."""

from __future__ import annotations

import contextlib
import io
import os
import re
import sqlite3
import threading
import time
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias, TypeVar

import diskcache
from diskcache.core import ENOVAL, MODE_BINARY, MODE_RAW  # pyright: ignore[reportMissingTypeStubs]

from dash_long_callback.stores.rows import UnreadableRow
from dash_long_callback.stores.sqlite_fork import IN_USE

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    #: Runs SQL; takes the name of a file that is not needed once the transaction has ended.
    _Transaction: TypeAlias = tuple[Callable[..., sqlite3.Cursor], Callable[[str | None], None]]

R = TypeVar("R")

#: Seconds that SQLite waits for a lock in one go. It looks less and less often while it waits, so
#: that one who waits for long would be overtaken by all who come later.
BUSY_SLICE = 0.05
#: Times that a row is read again whose file was deleted meanwhile, as the row was replaced.
READ_TRIES = 5
#: How diskcache names the files of large values: a damaged row must not name another.
_FILE_NAME = re.compile(rb"[0-9a-f]{2}[/\\][0-9a-f]{2}[/\\][0-9a-f]{28}\.val")
#: What ``value_of`` takes. None of it is fetched as text: one that is no UTF-8 can't be.
COLUMNS = """mode, size, CAST(filename AS BLOB), CASE typeof(value) WHEN 'blob' THEN value END"""
_READ = f"""SELECT {COLUMNS} FROM Cache
WHERE key = ? AND raw = 1 AND (expire_time IS NULL OR expire_time > ?)"""  # noqa: S608 - no input

_INSERT = """INSERT OR IGNORE INTO Cache
(key, raw, store_time, expire_time, access_time, access_count, tag, size, mode, filename, value)
VALUES (?, 1, ?, ?, ?, 0, ?, 0, ?, NULL, ?)"""
_REPLACE = """UPDATE Cache SET expire_time = ?, tag = ?, value = ?, mode = ?
WHERE key = ? AND raw = 1 AND filename IS NULL"""


def is_busy(error: BaseException) -> bool:
    """Whether SQLite says that another connection holds a lock."""
    return isinstance(error, sqlite3.OperationalError) and "locked" in str(error)


def is_damage(error: BaseException) -> bool:
    """Whether SQLite says that a file is no database, or is not one any more."""
    words = str(error)
    return isinstance(error, sqlite3.DatabaseError) and (
        "malformed" in words or "not a database" in words or "unsupported file format" in words
    )


class PooledCache(diskcache.Cache):
    """Lends each thread a connection, and takes it back when the thread ends.

    diskcache opens a connection per thread. Servers that start a thread per request, as Werkzeug's
    does, would pay for one with each click: five times what it takes to store a job.

    It also waits without limit for a lock (``retry=True``), and for whatever else SQLite says when
    a transaction begins. This one waits for ``patience`` seconds, and raises what SQLite says.

    Not for use across a fork, unlike its base.

    Args:
        directory: where the database is.
        patience: seconds to wait for a lock that another connection holds.
        settings: as for its base.
    """

    def __init__(self, directory: str, patience: float = 60.0, **settings: Any) -> None:
        self._pool = _Pool()
        #: Files that go with the rows of the transaction that is under way.
        self._stale: list[str | None] = []
        self.patience = patience
        super().__init__(directory, **settings)

    @property
    def in_transaction(self) -> bool:
        """Whether this thread is in a transaction."""
        return self._txn_id == threading.get_ident()

    @property
    def _con(self) -> sqlite3.Connection:
        loan: _Loan | None = getattr(self._local, "loan", None)
        if loan is None or (loan.failed and not self.in_transaction):
            loan = self._local.loan = self._borrow()
        return loan.connection

    def _borrow(self) -> _Loan:
        try:
            return _Loan(self._pool.free.pop(), self._pool)
        except IndexError:
            pass
        connection = IN_USE.connect(
            Path(self.directory) / diskcache.core.DBNAME,
            timeout=min(BUSY_SLICE, self.patience),
            isolation_level=None,
            check_same_thread=False,  # one thread at a time is what SQLite asks for
        )
        loan = self._local.loan = _Loan(connection, self._pool)
        # As diskcache does: some pragmas are per connection. A new file has no settings yet.
        with contextlib.suppress(sqlite3.OperationalError):
            for key, value in connection.execute("SELECT key, value FROM Settings").fetchall():
                if key.startswith("sqlite_"):
                    self.reset(key, value, update=False)
        return loan

    @property
    def execute(self) -> Callable[..., sqlite3.Cursor]:
        """Runs SQL in the transaction of this thread, or in one of its own."""
        # Who is in a transaction has the lock.
        return self._con.execute if self.in_transaction else self._execute

    @property
    def _sql(self) -> Callable[..., sqlite3.Cursor]:
        return self.execute

    @property
    def _sql_retry(self) -> Callable[..., sqlite3.Cursor]:
        return self.execute

    def _execute(self, statement: str, arguments: Sequence[Any] = ()) -> sqlite3.Cursor:
        connection = self._con
        try:
            return connection.execute(statement, arguments)
        except sqlite3.OperationalError as error:
            if not is_busy(error):
                raise
        deadline = time.monotonic() + self.patience
        while True:
            begun = time.monotonic()
            try:
                return connection.execute(statement, arguments)
            except sqlite3.OperationalError as error:
                if not is_busy(error) or time.monotonic() > deadline:
                    raise
            # Where SQLite sees that to wait is of no use, it does not.
            time.sleep(max(0.0, begun + BUSY_SLICE / 2 - time.monotonic()))

    def transact(self, retry: bool = False) -> Any:
        return self._transact(retry)

    def _transact(
        self,
        retry: bool = False,  # noqa: ARG002 - its base waits for ever, if told to
        filename: str | None = None,
    ) -> Any:
        if self.in_transaction:
            return nullcontext((self._con.execute, self._stale.append))
        return self._transaction(filename)

    @contextmanager
    def _transaction(self, filename: str | None) -> Generator[_Transaction]:
        try:
            self._execute("BEGIN IMMEDIATE")
        except sqlite3.Error:
            if filename is not None:
                self._disk.remove(filename)
            raise
        self._txn_id = threading.get_ident()
        stale = self._stale = []
        try:
            yield self._con.execute, stale.append
        except BaseException:
            self._end("ROLLBACK")
            raise
        self._end("COMMIT")
        # Not before: the rows that name these files may come back.
        for name in stale:
            if name is not None:
                self._disk.remove(name)

    def _end(self, statement: str) -> None:
        connection = self._con
        self._txn_id = None
        try:
            # SQLite rolls back by itself after some errors.
            if connection.in_transaction:
                connection.execute(statement)
        except sqlite3.Error:
            with contextlib.suppress(sqlite3.Error):
                connection.rollback()
            if statement == "COMMIT":
                raise

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
        return self._take(key, self.value_of)

    def open_bytes(self, key: str) -> BinaryIO | None:
        """As ``read_bytes``, as a file that is to be closed: for what is too large at once."""
        return self._take(key, self._file_of)

    def _take(self, key: str, take: Callable[..., R]) -> R | None:
        for _ in range(READ_TRIES):
            rows = self.execute(_READ, (key, time.time())).fetchall()
            if not rows:
                return None
            try:
                return take(*rows[0])
            except FileNotFoundError:
                continue  # the row was replaced meanwhile, and its file went with it
            except OSError as error:
                raise UnreadableRow(str(error)) from error
        raise UnreadableRow("its file is missing")

    def value_of(
        self, mode: object, size: object, name: bytes | None, value: bytes | None
    ) -> bytes:
        """The value of a row, from what ``COLUMNS`` select.

        Raises:
            UnreadableRow: if it is not one of ours.
            OSError: if its file can't be read; it may be gone, as the row was replaced.
        """
        if mode == MODE_RAW and value is not None:
            return value
        with self._file_of(mode, size, name, value) as file:
            return file.read()

    def _file_of(
        self, mode: object, size: object, name: bytes | None, value: bytes | None
    ) -> BinaryIO:
        if mode == MODE_RAW and value is not None:
            return io.BytesIO(value)
        if mode != MODE_BINARY or name is None or not _FILE_NAME.fullmatch(name):
            raise UnreadableRow("this package did not write it")
        file = (Path(self.directory) / name.decode()).open("rb")
        found = os.fstat(file.fileno()).st_size
        if found != size:
            file.close()
            raise UnreadableRow(f"its file has {found} bytes instead of {size}")
        return file

    def insert(self, key: str, value: bytes, expire: float, tag: str | None = None) -> bool:
        """As ``add``, in one statement if nothing is in a file. In a transaction only."""
        if len(value) < self._disk.min_file_size:
            now = time.time()
            arguments = (key, now, now + expire, now, tag, MODE_RAW, value)
            if self._con.execute(_INSERT, arguments).rowcount == 1:
                return True
        return self.add(
            key, value, expire=expire, tag=tag
        )  # the one that is there may have expired

    def replace(self, key: str, value: bytes, expire: float, tag: str | None) -> None:
        """As ``set``, in one statement if nothing is in a file. In a transaction only."""
        if len(value) < self._disk.min_file_size:
            arguments = (time.time() + expire, tag, value, MODE_RAW, key)
            if self._con.execute(_REPLACE, arguments).rowcount == 1:
                return
        self.set(key, value, expire=expire, tag=tag)

    def fail(self) -> None:
        """Something went wrong on the connection of this thread: do not lend it again."""
        loan: _Loan | None = getattr(self._local, "loan", None)
        if loan is not None:
            loan.failed = True

    def retire(self) -> None:
        """Close each connection as soon as no thread uses it: its file is not to be used."""
        self._pool.closed = True
        self._close_free()

    def close(self) -> None:
        """Close this thread's connection and those that no thread has."""
        with contextlib.suppress(AttributeError):
            del self._local.loan  # to the free ones
        self._close_free()

    def _close_free(self) -> None:
        while self._pool.free:
            self._pool.free.pop().close()


class _Pool:
    def __init__(self) -> None:
        self.free: list[sqlite3.Connection] = []  # appending and popping are atomic
        self.closed = False


class _Loan:
    """Held by a thread's locals, so it is dropped when the thread ends."""

    def __init__(self, connection: sqlite3.Connection, pool: _Pool) -> None:
        self.connection = connection
        self.failed = False
        self._pool = pool

    def __del__(self) -> None:
        try:
            if self.connection.in_transaction:  # its thread was torn out of one
                self.connection.rollback()
            if not self.failed and not self._pool.closed:
                self._pool.free.append(self.connection)
                return
        except sqlite3.Error:
            pass
        with contextlib.suppress(sqlite3.Error):
            self.connection.close()
