"""A ``diskcache.Cache`` whose connections outlive the threads that opened them."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import diskcache


class PooledCache(diskcache.Cache):
    """Lends each thread a connection, and takes it back when the thread ends.

    diskcache opens a connection per thread. Servers that start a thread per request, as Werkzeug's
    does, would pay for one with each click: five times what it takes to store a job.

    Not for use across a fork, unlike its base.
    """

    def __init__(self, *args: Any, **settings: Any) -> None:
        self._free: list[sqlite3.Connection] = []  # appending and popping are atomic
        super().__init__(*args, **settings)

    @property
    def _con(self) -> sqlite3.Connection:
        loan: _Loan | None = getattr(self._local, "loan", None)
        if loan is None:
            loan = self._local.loan = self._borrow()
        return loan.connection

    def _borrow(self) -> _Loan:
        try:
            return _Loan(self._free.pop(), self._free)
        except IndexError:
            pass
        connection = sqlite3.connect(
            Path(self.directory) / diskcache.core.DBNAME,
            timeout=self.timeout,
            isolation_level=None,
            check_same_thread=False,  # one thread at a time is what SQLite asks for
        )
        loan = self._local.loan = _Loan(connection, self._free)
        # As diskcache does: some pragmas are per connection. A new file has no settings yet.
        with contextlib.suppress(sqlite3.OperationalError):
            for key, value in connection.execute("SELECT key, value FROM Settings").fetchall():
                if key.startswith("sqlite_"):
                    self.reset(key, value, update=False)
        return loan

    def execute(self, statement: str, arguments: Sequence[Any] = ()) -> sqlite3.Cursor:
        """Run SQL in the transaction of this thread, or in one of its own."""
        return self._sql_retry(statement, arguments)

    def close(self) -> None:
        """Close this thread's connection and those that no thread has."""
        loan: _Loan | None = getattr(self._local, "loan", None)
        if loan is not None:
            del self._local.loan
            del loan  # to the free ones
        while self._free:
            self._free.pop().close()


class _Loan:
    """Held by a thread's locals, so it is dropped when the thread ends."""

    def __init__(self, connection: sqlite3.Connection, free: list[sqlite3.Connection]) -> None:
        self.connection = connection
        self._free = free

    def __del__(self) -> None:
        if self.connection.in_transaction:  # its thread was torn out of one
            self.connection.rollback()
        self._free.append(self.connection)
