"""Connections to a SQLite database that outlive their threads, and waits for its lock that end."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dash_long_callback.stores.sqlite_fork import IN_USE

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from pathlib import Path

#: Seconds that SQLite waits for a lock in one go. It looks less and less often while it waits, so
#: that one who waits for long would be overtaken by all who come later.
BUSY_SLICE = 0.05


def is_busy(error: BaseException) -> bool:
    """Whether SQLite says that another connection holds a lock."""
    return isinstance(error, sqlite3.OperationalError) and "locked" in str(error)


def is_damage(error: BaseException) -> bool:
    """Whether SQLite says that a file is no database, or is not one any more."""
    words = str(error)
    return isinstance(error, sqlite3.DatabaseError) and (
        "malformed" in words or "not a database" in words or "unsupported file format" in words
    )


class SqlitePool:
    """Lends each thread a connection, and takes it back when the thread ends.

    Servers that start a thread per request, as Werkzeug's does, would pay for a new connection with
    each click: five times what it takes to store a job.

    Not for use across a fork.

    Args:
        path: where the database is.
        patience: seconds to wait for a lock that another connection holds.
        prepare: called with each new connection, to set its pragmas.
    """

    def __init__(
        self, path: Path, patience: float, prepare: Callable[[sqlite3.Connection], object]
    ) -> None:
        self.patience = patience
        self._path = path
        self._prepare = prepare
        self._local = threading.local()
        self._free = _Free()

    @property
    def in_transaction(self) -> bool:
        """Whether this thread is in a transaction."""
        return getattr(self._local, "inside", False)

    @property
    def connection(self) -> sqlite3.Connection:
        """The one of this thread."""
        loan: _Loan | None = getattr(self._local, "loan", None)
        if loan is None or (loan.failed and not self.in_transaction):
            loan = self._local.loan = self._borrow()
        return loan.connection

    def _borrow(self) -> _Loan:
        try:
            return _Loan(self._free.connections.pop(), self._free)
        except IndexError:
            pass
        connection = IN_USE.connect(
            self._path,
            timeout=min(BUSY_SLICE, self.patience),
            isolation_level=None,
            check_same_thread=False,  # one thread at a time is what SQLite asks for
        )
        loan = self._local.loan = _Loan(connection, self._free)
        self._prepare(connection)
        return loan

    @property
    def execute(self) -> Callable[..., sqlite3.Cursor]:
        """Runs SQL in the transaction of this thread, or in one of its own."""
        # Who is in a transaction has the lock.
        return self.connection.execute if self.in_transaction else self._execute

    def _execute(self, statement: str, arguments: Sequence[Any] = ()) -> sqlite3.Cursor:
        connection = self.connection
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

    @contextmanager
    def transaction(self) -> Generator[sqlite3.Connection]:
        """Hold the lock for writing; all is written at the end, or nothing if the block raises."""
        self._execute("BEGIN IMMEDIATE")
        self._local.inside = True
        try:
            yield self.connection
        except BaseException:
            self._end("ROLLBACK")
            raise
        self._end("COMMIT")

    def _end(self, statement: str) -> None:
        connection = self.connection
        self._local.inside = False
        try:
            # SQLite rolls back by itself after some errors.
            if connection.in_transaction:
                connection.execute(statement)
        except sqlite3.Error:
            with contextlib.suppress(sqlite3.Error):
                connection.rollback()
            if statement == "COMMIT":
                raise

    def fail(self) -> None:
        """Something went wrong on the connection of this thread: do not lend it again."""
        loan: _Loan | None = getattr(self._local, "loan", None)
        if loan is not None:
            loan.failed = True

    def retire(self) -> None:
        """Close each connection as soon as no thread uses it: its file is not to be used."""
        self._free.closed = True
        self._close_free()

    def close(self) -> None:
        """Close this thread's connection and those that no thread has."""
        with contextlib.suppress(AttributeError):
            del self._local.loan  # to the free ones
        self._close_free()

    def _close_free(self) -> None:
        while self._free.connections:
            self._free.connections.pop().close()


class _Free:
    """Connections that no thread has."""

    def __init__(self) -> None:
        self.connections: list[sqlite3.Connection] = []  # appending and popping are atomic
        self.closed = False


class _Loan:
    """Held by a thread's locals, so it is dropped when the thread ends."""

    def __init__(self, connection: sqlite3.Connection, free: _Free) -> None:
        self.connection = connection
        self.failed = False
        self._free = free

    def __del__(self) -> None:
        try:
            if self.connection.in_transaction:  # its thread was torn out of one
                self.connection.rollback()
            if not self.failed and not self._free.closed:
                self._free.connections.append(self.connection)
                return
        except sqlite3.Error:
            pass
        with contextlib.suppress(sqlite3.Error):
            self.connection.close()
