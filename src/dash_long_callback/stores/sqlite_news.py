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
from typing import TYPE_CHECKING

from dash_long_callback.stores.news import Lookout

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from dash_long_callback.stores.news import Watch

#: Seconds between two looks: quick at first, for jobs that end at once, then slower.
FIRST_LOOKS, LATER_LOOKS = 0.0002, 0.002
#: Seconds after which the slower pace begins.
QUICK_SECONDS = 0.05
#: Seconds that a row is there at least: who waits looks some hundred times in that time.
KEEP_SECONDS = 60.0

#: AUTOINCREMENT: a number is never used again, also when all rows were deleted.
CREATE = """CREATE TABLE IF NOT EXISTS News (
    number INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, at REAL NOT NULL
)"""
_WRITE = "INSERT OR REPLACE INTO News (name, at) VALUES (?, ?)"
_PURGE = "DELETE FROM News WHERE at < ?"
_LAST = "SELECT seq FROM sqlite_sequence WHERE name = 'News'"
_SINCE = "SELECT number, name FROM News WHERE number > ? ORDER BY number"


def tell(execute: Callable[..., object], name: str) -> None:
    """Write that there is news, in the transaction that made it."""
    execute(_WRITE, (name, time.time()))


def purge(execute: Callable[..., object]) -> None:
    """Delete what everybody has seen."""
    execute(_PURGE, (time.time() - KEEP_SECONDS,))


class SqliteNews(Lookout):
    """Tells the watches of a process of what others write.

    Args:
        path: of the database.
        busy: seconds to wait for a lock.
    """

    supervised = True  # by the leader of the embedded engine

    def __init__(self, path: Path, busy: float) -> None:
        super().__init__()
        # Of its own, or else what the same process writes would not count.
        self._connection = sqlite3.connect(
            path, timeout=busy, isolation_level=None, check_same_thread=False
        )
        self._version = -1
        self._number = 0
        self._quick_until = 0.0

    def _prepare(self, watch: Watch) -> None:  # noqa: ARG002 - whoever it is
        if self._watches:
            self._catch_up()
        else:
            # Nobody has looked for some time, and nobody missed anything.
            self._version = self._value("PRAGMA data_version") or 0
            self._number = self._value(_LAST) or 0
        self._quick_until = time.monotonic() + QUICK_SECONDS

    def _look(self) -> float:
        with self._lock:
            if not self._closed:
                self._catch_up()
        return FIRST_LOOKS if time.monotonic() < self._quick_until else LATER_LOOKS

    def _catch_up(self) -> None:
        version = self._value("PRAGMA data_version")
        if version == self._version:
            return
        with closing(self._connection.execute(_SINCE, (self._number,))) as rows:
            for number, name in rows.fetchall():
                self._number = number
                self.tell(name)
        self._version = version

    def _value(self, statement: str) -> int | None:
        with closing(self._connection.execute(statement)) as rows:
            row = rows.fetchone()
        return None if row is None else int(row[0])

    def close(self) -> None:
        super().close()
        with self._lock:
            self._connection.close()
