"""SQLite in a process that is forked while other threads use it.

SQLite keeps in memory which locks of a file its process has. A fork copies that, and the thread
that would release them is not in the child: there, a lock that was held at that moment is held for
ever. Nor does the child have the system's locks that go with it, so that others may take away
files that it uses. So a fork waits until no thread is in the midst of something, and the child
closes what it has inherited before it opens its own connections.

See https://www.sqlite.org/howtocorrupt.html, section 2.6.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import weakref
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

#: Seconds that a fork waits at most for threads that use SQLite: these may wait for a lock.
FORK_SECONDS = 5.0


class _Connection(sqlite3.Connection):
    """One that can be referred to weakly."""


class _InUse:
    """As a context: this thread uses SQLite, so nobody forks. May be nested."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._changed = threading.Condition(threading.Lock())
        self._thread = threading.local()
        self._users = 0
        self._forking = 0
        #: Whether nobody used SQLite at the moment of the fork.
        self._quiet = False
        self._connections: weakref.WeakSet[sqlite3.Connection] = weakref.WeakSet()

    def __enter__(self) -> None:
        depth = getattr(self._thread, "depth", 0)
        if not depth:
            with self._changed:
                while self._forking:
                    self._changed.wait()
                self._users += 1
        self._thread.depth = depth + 1

    def __exit__(self, *_: object) -> None:
        self._thread.depth -= 1
        if not self._thread.depth:
            with self._changed:
                self._users -= 1
                if self._forking:
                    self._changed.notify_all()

    def connect(self, path: Path, **options: Any) -> sqlite3.Connection:
        """``sqlite3.connect``, for a connection that a forked child is to close."""
        connection = sqlite3.connect(path, factory=_Connection, **options)
        with self._changed:
            self._connections.add(connection)
        return connection

    def before_fork(self) -> None:
        """Wait for the other threads, and keep them waiting."""
        inside = getattr(self._thread, "depth", 0)
        self._changed.acquire()
        self._forking += 1
        self._quiet = not inside and self._changed.wait_for(lambda: not self._users, FORK_SECONDS)

    def after_fork_in_parent(self) -> None:
        """Let the other threads go on."""
        self._forking -= 1
        self._changed.notify_all()
        self._changed.release()

    def after_fork_in_child(self) -> None:
        """Close what is the parent's. What a thread was using must be left as it is."""
        connections = list(self._connections) if self._quiet else []
        self._begin()
        for connection in connections:
            with contextlib.suppress(sqlite3.Error):
                connection.close()


#: For all databases of this process.
IN_USE = _InUse()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=IN_USE.before_fork,
        after_in_parent=IN_USE.after_fork_in_parent,
        after_in_child=IN_USE.after_fork_in_child,
    )
