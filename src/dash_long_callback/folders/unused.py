"""Default folders that nobody uses any more are removed."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from pathlib import Path

import filelock

from dash_long_callback.fault_log import log
from dash_long_callback.folders import record

#: Seconds without a change after which a folder is removed. Its jobs have expired long before,
#: unless ``retention`` says otherwise; the results of a monthly report are worth keeping.
UNUSED_SECONDS = 60 * 24 * 3600.0
#: The same if the app file is no more. It may be away for a while: a deployment, a branch.
GONE_SECONDS = 24 * 3600.0
#: Appended to the name of a folder that is being removed.
_REMOVED = ".removed"


def is_led(folder: Path) -> bool:
    """Whether a web process leads there: it has the workers of the folder."""
    try:
        with filelock.FileLock(folder / "leader.lock").acquire(blocking=False):
            return False
    except filelock.Timeout:
        return True


def remove(base: Path, lock: Path) -> None:
    """Remove unused folders.

    Args:
        base: where default folders are.
        lock: who chooses a folder holds it.
    """
    try:
        for folder in filter(_is_old, record.folders(base)):
            # Whoever chooses a folder waits for this, and not for large files to go.
            with filelock.FileLock(lock, timeout=60):
                # The lock of the leader comes last: to try it is a change.
                if _is_old(folder) and not is_led(folder):
                    _set_aside(folder)
        for folder in record.folders(base, suffix=_REMOVED):
            log.info("removing %s, which nobody has used for long", folder)
            shutil.rmtree(folder, ignore_errors=True)
    except OSError:  # the next server tries again
        log.debug("unused folders in %s can't be removed", base, exc_info=True)


def _is_old(folder: Path) -> bool:
    if folder.is_symlink():
        return False  # what it leads to is not ours to remove
    limit = UNUSED_SECONDS
    with contextlib.suppress(ValueError):  # a record that can't be read: by age alone
        known = record.read(folder)
        if known is not None:
            if known.running() is not None:
                return False
            if not Path(known.app).exists():
                limit = GONE_SECONDS
    # An orphaned job renews its lease, which is a change.
    return time.time() - _changed(folder) > limit


def _changed(folder: Path) -> float:
    """When anything in a folder was last changed."""
    newest = 0.0
    for path, _, files in os.walk(folder):
        for name in (".", *files):
            with contextlib.suppress(OSError):  # SQLite removes its -wal and -shm
                newest = max(newest, (Path(path) / name).lstat().st_mtime)
    return newest


def _set_aside(folder: Path) -> None:
    aside = folder.with_name(folder.name + _REMOVED)
    if not os.path.lexists(aside):  # else an earlier one is yet to be removed
        folder.rename(aside)
