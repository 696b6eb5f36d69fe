"""A database file that may be deleted, replaced or damaged under the processes that have it open.

SQLite does not notice: its connections keep the file that they have opened, whatever is at its path
now. Here each use looks whether that is still the same file (one ``stat``), and what SQLite says
about a damaged file is taken as a sign, too. Then the connections are dropped, and the file is
opened anew, or made anew if there is none.

Beside the database are SQLite's ``-wal``, with the latest writes, and ``-shm``. They name no
database: what an old one leaves behind would be taken for a part of the new one, and destroy it.
So they are deleted before the new one is opened, by one process at a time.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import sqlite3
import threading
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

import filelock

from dash_long_callback.errors import StoreError
from dash_long_callback.stores.sqlite_fork import IN_USE
from dash_long_callback.stores.sqlite_pool import is_busy, is_damage

if TYPE_CHECKING:
    from collections.abc import Callable

    from dash_long_callback.stores.sqlite_pool import SqlitePool

T = TypeVar("T")

log = logging.getLogger("dash_long_callback")

#: Held while somebody opens the database, so that of several who see that it has gone one makes
#: a new one, and none deletes what belongs to that.
LOCK_NAME = "open.lock"
#: JSON: device and inode of the database, its ``-wal`` and its ``-shm`` when it was last opened.
NOTE_NAME = "open.json"

#: Device and inode: two files that exist at the same time differ in it.
_Identity: TypeAlias = tuple[int, int]


@dataclass(frozen=True)
class _Opened(Generic[T]):
    database: T
    pool: SqlitePool
    identity: _Identity | None


class SqliteFile(Generic[T]):
    """A database that is opened on first use, and again whenever its file has changed.

    Args:
        path: where it is; its folder is made if it is missing, readable by its owner only.
        make: opens the database. Returns what is to be used, and its connections.
        patience: seconds to wait for another process that opens it.
        holds: what is in it, in words.
    """

    def __init__(
        self,
        path: Path,
        make: Callable[[Path], tuple[T, SqlitePool]],
        patience: float,
        holds: str,
    ) -> None:
        self.folder = path.parent
        self.path = path
        #: Counts how often it was opened: who has a connection of their own opens it again, too.
        self.generation = 0
        self._make = make
        self._patience = patience
        self._holds = holds
        self._name = str(self.path)
        self._paths = (path, *(path.with_name(path.name + end) for end in ("-wal", "-shm")))
        self._lock = threading.Lock()
        self._opened: _Opened[T] | None = None
        #: Whether the file may be damaged, and is to be searched before it is used (again).
        self._suspect = False
        #: What was found, and the state of the file that it was found in.
        self._damage: tuple[object, str] | None = None
        self._tries = 0
        self._error: Exception | None = None

    def get(self) -> T:
        """The database, on the file that is at its path now.

        Raises:
            StoreError: if the file is damaged.
            sqlite3.Error, OSError: if it can't be opened.
        """
        opened = self._opened
        if opened is not None:
            if opened.pool.in_transaction:  # one transaction is in one file
                return opened.database
            try:
                found = os.stat(self._name)  # noqa: PTH116 - half the time of Path.stat
                same = (found.st_dev, found.st_ino) == opened.identity and found.st_size
            except OSError:
                same = False
            if same and not self._suspect:
                return opened.database
        return self._reopen(opened)

    def failed(self, error: BaseException) -> None:
        """Tell what SQLite has raised: with the next use, what it was raised by is opened anew."""
        opened = self._opened
        if opened is None or not isinstance(error, sqlite3.Error):
            return
        if is_damage(error) or "no such table" in str(error):
            self._suspect = True
        if not is_busy(error) and "full" not in str(error):
            opened.pool.fail()

    def close(self) -> None:
        """Let go of the connections."""
        with IN_USE, self._lock:
            if self._opened is not None:
                self._opened.pool.close()
                self._opened = None

    def _reopen(self, stale: _Opened[T] | None) -> T:
        tries = self._tries
        with self._lock:
            if self._opened is not None and self._opened is not stale:
                return self._opened.database  # another thread was quicker
            if self._error is not None and self._tries != tries:
                # Another thread has tried meanwhile, for as long as it may take.
                raise self._error.with_traceback(None)
            try:
                self._opened = self._open()
            except Exception as error:
                self._error = error
                raise
            finally:
                self._tries += 1
            self._error = self._damage = None
            self._suspect = False
            self.generation += 1
            return self._opened.database

    def _open(self) -> _Opened[T]:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        lock = filelock.FileLock(self.folder / LOCK_NAME)
        with lock.acquire(self._patience, poll_interval=0.005):
            self._clear()
            if self._suspect:
                self._check()
            try:
                database, pool = self._make(self.path)
            except sqlite3.DatabaseError as error:
                raise self._described(error) from error
            self._note()
            return _Opened(database, pool, _identity(self.path))

    def _clear(self) -> None:
        """Let go of what is open, and delete what does not belong to what will be."""
        opened, self._opened = self._opened, None
        isolated = False
        if opened is not None:
            opened.pool.retire()
            isolated = self._suspect and opened.identity == _identity(self.path)
            if isolated:
                self._isolate()
        found = _identity(self.path)
        if found is None or not self.path.stat().st_size:
            # Not to be filled again: others may have it open.
            stale = list(self._paths)
            if opened is not None:
                log.error("the database %s was deleted; its %s are lost", self.path, self._holds)
        else:
            stale = self._left_behind()
            if stale and not isolated:
                log.error(
                    "the database %s was replaced by another file; %s that are not in it are lost",
                    self.path,
                    self._holds,
                )
        self._suspect = self._suspect or bool(opened or stale)
        for path in stale:
            path.unlink(missing_ok=True)

    def _isolate(self) -> None:
        """Put a copy of a damaged file in its place.

        So each process that has it open notices, and none writes into what will be in its place.
        """
        copy = self.path.with_name(self.path.name + "-copy")
        try:
            shutil.copyfile(self.path, copy)
            copy.replace(self.path)
        except OSError:
            copy.unlink(missing_ok=True)

    def _note(self) -> None:
        """Write down which files belong together."""
        note = json.dumps([_identity(path) for path in self._paths])
        with contextlib.suppress(OSError):
            if self._read_note() != json.loads(note):
                (self.folder / NOTE_NAME).write_text(note)

    def _read_note(self) -> Any:
        try:
            return json.loads((self.folder / NOTE_NAME).read_bytes())
        except (OSError, ValueError):
            return None

    def _left_behind(self) -> list[Path]:
        """The files beside the database that belong to another one, which was in its place."""
        found = json.loads(json.dumps([_identity(path) for path in self._paths]))
        match self._read_note():
            case [database, *sides] if database != found[0]:
                pairs = zip(self._paths[1:], found[1:], sides, strict=False)
                return [path for path, now, noted in pairs if now is not None and now == noted]
            case _:
                return []

    def _check(self) -> None:
        """See that a file that has taken the place of another one is a whole database.

        Raises:
            StoreError: if it is damaged.
        """
        if _identity(self.path) is None:
            return
        if self._damage is not None and self._damage[0] == _state(self.path):
            raise StoreError(self._damage[1])
        try:
            with closing(sqlite3.connect(self.path, timeout=self._patience)) as connection:
                rows = connection.execute("PRAGMA integrity_check(1)").fetchall()
        except sqlite3.DatabaseError as error:
            raise self._described(error) from error
        if rows != [("ok",)]:
            raise self._described(sqlite3.DatabaseError(f"malformed: {rows[0][0]}"))

    def _described(self, error: sqlite3.DatabaseError) -> Exception:
        """An error in words, and noted, if it says that the file is damaged."""
        if not is_damage(error):
            return error
        words = (
            f"the database {self.path} can't be used, as it is damaged ({error}); remove it, and a "
            f"new one is made, or put a good copy in its place: {self._holds} that are only in it "
            "are lost"
        )
        log.error("%s", words)
        self._suspect = True
        self._damage = (_state(self.path), words)
        return StoreError(words)


def _identity(path: Path) -> _Identity | None:
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_dev, found.st_ino


def _state(path: Path) -> object:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
