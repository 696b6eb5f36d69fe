"""A lock file: who holds it leads. The system frees it when its process dies, in whatever way."""

from __future__ import annotations

from pathlib import Path

import filelock

NAME = "leader.lock"


class LeaderLock:
    """The lock, held."""

    def __init__(self, path: Path, lock: filelock.BaseFileLock) -> None:
        self._path, self._lock = path, lock
        self._inode = path.stat().st_ino

    @classmethod
    def of(cls, directory: Path) -> LeaderLock | None:
        """The lock of a directory, which is made if need be; None if somebody else holds it."""
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = directory / NAME
        lock = filelock.FileLock(path, thread_local=False)
        try:
            lock.acquire(blocking=False)
        except filelock.Timeout:
            return None
        return cls(path, lock)

    def holds(self) -> bool:
        """Whether it is still what others ask for: somebody may have deleted the folder."""
        try:
            return self._path.stat().st_ino == self._inode
        except OSError:
            return False

    def release(self) -> None:
        """Let another process lead."""
        self._lock.release()
