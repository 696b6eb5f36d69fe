"""News in SQLite, which can wake nobody: a thread looks as long as somebody waits.

SQLite counts the commits of all other connections, and a look at that number takes microseconds.
When it has changed, the table ``News`` tells of which names there is news, so that a process with a
thousand waiting requests reads one record after a write, and not a thousand.

    News    number      of the news, ever growing
            name        what they are of; one row each, so a job of a million updates has one
            at          when, to be deleted some time later
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

from dash_long_callback.stores.notifier import PollingNotifier
from dash_long_callback.stores.sqlite_fork import IN_USE

if TYPE_CHECKING:
    from collections.abc import Callable

    from dash_long_callback.stores.notifier import Subscription
    from dash_long_callback.stores.sqlite_file import SqliteFile

#: Seconds between two looks: quick at first, for jobs that end at once, then slower.
FIRST_POLLS, LATER_POLLS = 0.0002, 0.002
#: Seconds after which the slower pace begins.
QUICK_SECONDS = 0.05
#: Seconds that a row is there at least: who waits looks some hundred times in that time.
KEEP_SECONDS = 60.0

CREATE = """CREATE TABLE News (
    number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, at REAL NOT NULL
)"""
#: A row gets the number after the largest one. So the last row stays, or a number would come again.
_WRITE = "INSERT OR REPLACE INTO News (name, at) VALUES (?, ?)"
_PURGE = """DELETE FROM News WHERE number < ifnull(
    (SELECT number FROM News WHERE at >= ? ORDER BY number LIMIT 1),
    (SELECT max(number) FROM News))"""
_LAST = "SELECT ifnull(max(number), 0) FROM News"
#: Not as text: one that is no UTF-8 can't be fetched.
_SINCE = "SELECT number, CAST(name AS BLOB) FROM News WHERE number > ? ORDER BY number"


def write(execute: Callable[..., object], name: str) -> None:
    """Write that there is news, in the transaction that made it."""
    execute(_WRITE, (name, time.time()))


def purge(execute: Callable[..., object]) -> None:
    """Delete what everybody has seen."""
    execute(_PURGE, (time.time() - KEEP_SECONDS,))


class SqliteNotifier(PollingNotifier):
    """Notifies the subscriptions of a process of what others write.

    Args:
        file: the database. When it was opened anew, everybody is told to look.
        busy: seconds to wait for a lock.
    """

    def __init__(self, file: SqliteFile[Any], busy: float) -> None:
        super().__init__()
        self._file = file
        self._busy = busy
        self._generation = 0
        #: Whether the connection is to another file than the last look was.
        self._renewed = False
        self._connection: sqlite3.Connection | None = None
        self._version = -1
        self._number = 0
        self._quick_until = 0.0

    def _prepare(self, subscription: Subscription) -> None:  # noqa: ARG002 - whoever it is
        if self._subscriptions:
            self._catch_up()
        else:
            # Nobody has looked for some time, and nobody missed anything.
            self._start()
        self._quick_until = time.monotonic() + QUICK_SECONDS

    def _poll(self) -> float:
        with self._lock:
            if not self._closed:
                self._catch_up()
        return FIRST_POLLS if time.monotonic() < self._quick_until else LATER_POLLS

    def _start(self) -> None:
        self._renewed = False
        self._version = self._value("PRAGMA data_version") or 0
        self._number = self._value(_LAST) or 0

    def _catch_up(self) -> None:
        with IN_USE:
            self._connect()
        if self._renewed:
            # Nobody knows what was in the other file, nor what was written to this one meanwhile.
            self._start()
            self.notify_all()
            return
        version = self._value("PRAGMA data_version")
        if version == self._version:
            return
        for number, name in self._rows(_SINCE, self._number):
            self._number = number
            self.notify(bytes(name).decode(errors="replace"))
        self._version = version

    def _value(self, statement: str) -> int | None:
        rows = self._rows(statement)
        return int(rows[0][0]) if rows else None

    def _rows(self, statement: str, *arguments: object) -> list[Any]:
        try:
            with IN_USE, closing(self._connect().execute(statement, arguments)) as rows:
                return rows.fetchall()
        except sqlite3.Error as error:
            self._file.failed(error)
            self._generation = 0  # with the next look, on another connection
            raise

    def _connect(self) -> sqlite3.Connection:
        self._file.get()
        connection, generation = self._connection, self._file.generation
        if connection is None or generation != self._generation:
            self._disconnect()
            # Of its own, or else what the same process writes would not count.
            connection = self._connection = IN_USE.connect(
                self._file.path, timeout=self._busy, isolation_level=None, check_same_thread=False
            )
            self._generation, self._renewed = generation, True
        return connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with IN_USE:
                connection.close()

    def close(self) -> None:
        super().close()
        with self._lock:
            self._disconnect()
