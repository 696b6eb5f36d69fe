"""Which folder a server has for its jobs if it was given none.

The first server of an app file has ``long-callbacks-<hash of the file's name>``. Another one of the
same file, started with other settings or at the same time, has a folder with a number behind that
name, and the log says so. A server that is started again finds its own folder: the same file,
arguments, working directory and environment. So do all processes of one server.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import threading
import time
from pathlib import Path

import filelock

from dash_long_callback.errors import StoreError
from dash_long_callback.fault_log import log
from dash_long_callback.folders import record, unused
from dash_long_callback.folders.processes import server_processes
from dash_long_callback.folders.record import Record
from dash_long_callback.folders.settings import Settings
from dash_long_callback.worker.processes import ProcessId

#: Seconds to wait for other processes that choose a folder, which takes milliseconds each.
LOCK_SECONDS = 10.0
#: Seconds to wait for a server that was started in just the same way to end: after SIGTERM it may
#: take two for its workers, while the next one has been started.
ENDING_SECONDS = 5.0
#: Seconds between two checks of it.
CHECK_SECONDS = 0.1
#: Held while a folder is chosen or removed.
LOCK = "folders.lock"

#: What a job worker was told, by the first folder of the app file. It must not choose by itself:
#: its server may have ended, and it then ends its job alone.
_assigned: dict[Path, Path] = {}


def use(directory: Path) -> None:
    """Have this process, a job worker, use the folder that its server has."""
    match = record.NAME.fullmatch(directory.name)
    if match is not None:
        _assigned[directory.with_name(directory.name.removesuffix(match[1] or ""))] = directory


class DefaultFolder:
    """The folder of this server. It is chosen when it is first asked for, not at import.

    Args:
        base: where default folders are.
        name: of the first folder of the app file.
        app: the app file.
    """

    def __init__(self, base: Path, name: str, app: str) -> None:
        self._base = base
        self._name = name
        self._app = app
        # While the app is imported: later, requests may have changed it, in each process otherwise.
        self._settings = Settings.current()
        self._lock = threading.Lock()
        self._chosen: Path | None = None

    def __call__(self) -> Path:
        """The folder.

        Raises:
            StoreError: if none can be chosen; the next call tries again.
        """
        if self._chosen is None:
            with self._lock:
                if self._chosen is None:
                    self._chosen = _assigned.get(self._base / self._name) or self._choose()
        return self._chosen

    def _choose(self) -> Path:
        server = server_processes()
        if not server:
            raise StoreError("this job goes on without its server, and can't use its manager")
        deadline = time.monotonic() + ENDING_SECONDS
        try:
            self._base.mkdir(mode=0o700, parents=True, exist_ok=True)
            while True:
                with filelock.FileLock(self._base / LOCK, timeout=LOCK_SECONDS):
                    choice = _Choice(self._base, self._name, self._settings, server)
                    folder = choice.shared() or choice.own()
                    if folder is None and not (choice.ending() and time.monotonic() < deadline):
                        folder = choice.new()
                    if folder is not None:
                        if choice.claim(folder, self._app):
                            self._remove_unused()
                        return folder
                time.sleep(CHECK_SECONDS)
        except OSError as error:
            raise StoreError(
                f"no folder for jobs can be chosen in {self._base} ({error}); check that it is "
                "writable and that its disk is not full, or give the manager a cache"
            ) from error

    def _remove_unused(self) -> None:
        """In a thread: a click does not wait for it."""
        args = self._base, self._base / LOCK
        name = "long-callbacks-unused"
        threading.Thread(target=unused.remove, args=args, daemon=True, name=name).start()


class _Choice:
    """The folders of an app file as they are now, seen by one server."""

    def __init__(self, base: Path, name: str, settings: Settings, server: list[ProcessId]) -> None:
        self._first = base / name
        self._settings = settings
        self._server = server
        self._records: dict[Path, Record | None] = {}
        for folder in record.folders(base, name):
            # One that can't be understood is left out: whose it was is not known, and its jobs are
            # rather not run than run by the wrong server.
            with contextlib.suppress(ValueError):
                self._records[folder] = record.read(folder)

    def shared(self) -> Path | None:
        """The folder that another process of this server has."""
        found = (folder for folder, known in self._records.items() if self._shares(known))
        return next(found, None)

    def own(self) -> Path | None:
        """The folder that this server had before it was started again."""
        free = [
            folder
            for folder, known in self._records.items()
            if known is not None and known.running() is None and self._equal(known)
        ]
        if free:  # two, if two ran at once: the pages that wait are more likely of the later one
            return max(free, key=record.written)
        # Of a version without records, whose servers share the first folder.
        older = self._first in self._records and self._records[self._first] is None
        return self._first if older and not unused.is_led(self._first) else None

    def ending(self) -> bool:
        """Whether a server that was started in the same way has not ended, or not yet."""
        return any(
            folder == self._first if known is None else self._equal(known)
            for folder, known in self._records.items()
        )

    def new(self) -> Path:
        number, folder = 1, self._first
        while os.path.lexists(folder):
            number += 1
            folder = self._first.with_name(f"{self._first.name}-{number}")
        return folder

    def claim(self, folder: Path, app: str) -> bool:
        """Write down whose folder it is now. Returns whether this server has just come to it."""
        known = self._records.get(folder)
        has_come = not self._shares(known)
        if known is None:
            known = Record(app, [], self._settings.seal(secrets.token_hex(8)))
        if known.add(self._server):
            record.write(folder, known)
        if has_come and folder != self._first:
            self._warn(folder, is_new=folder not in self._records)
        return has_come

    def _warn(self, folder: Path, *, is_new: bool) -> None:
        first = self._records.get(self._first)
        running = first.running() if first is not None else None
        if running is not None:
            who = f"another server (process {running}) has {self._first}"
        elif not is_new:
            return  # it was said when this server first came to its folder
        elif first is not None:
            differences = ", ".join(self._settings.differences(first.settings)[:5])
            who = f"a server that was started with other settings ({differences}) has {self._first}"
        else:
            who = f"a server that is not known has {self._first}"
        log.warning(
            "This app was started more than once: %s for its jobs, this one (process %d) has %s. "
            "Neither sees the jobs of the other. To share jobs and workers, give both the "
            'same cache, such as DiskcacheLongCallbackManager(diskcache.Cache("./cache")).',
            who,
            self._server[-1].pid,
            folder,
        )

    def _shares(self, known: Record | None) -> bool:
        return known is not None and not set(known.processes).isdisjoint(self._server)

    def _equal(self, known: Record) -> bool:
        return not self._settings.differences(known.settings)
