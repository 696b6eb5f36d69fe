"""Which folder a server has for its jobs if it was given none.

The first server of an app file has ``long-callbacks-<hash of the file's name>``. Another one of the
same file, started with other settings or at the same time, has a folder with a number behind that
name, and the log says so. A server that is started again finds its own folder: the same file,
arguments, working directory and environment. So do all processes of one server.

A process that is no server, such as a script that starts a job, has none of its own. It uses the
folder of the server that runs, else that of the one that ran before. If there was none it makes the
first one, which the next server takes over.
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
from dash_long_callback.folders.processes import is_server, server_processes
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
        return self._get(joins=False)

    def join(self) -> None:
        """Choose it now, if it is not chosen; that of the app's server, unless this is one itself.

        Raises:
            StoreError: if none can be chosen, or it can't be told which server is meant.
        """
        self._get(joins=not is_server(self._app))

    def _get(self, *, joins: bool) -> Path:
        if self._chosen is None:
            with self._lock:
                if self._chosen is None:
                    assigned = _assigned.get(self._base / self._name)
                    self._chosen = assigned or self._choose(joins=joins)
        return self._chosen

    def _choose(self, *, joins: bool) -> Path:
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
                    if joins and folder is None:
                        return choice.of_server() or choice.leave(self._app)
                    folder = folder or choice.left() or choice.older()
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
        # Two, if two ran at once: the pages that wait are more likely of the later one.
        return max(free, key=record.written, default=None)

    def older(self) -> Path | None:
        """The first folder, if it is of a version without records, whose servers share it."""
        older = self._first in self._records and self._records[self._first] is None
        return self._first if older and not unused.is_led(self._first) else None

    def left(self) -> Path | None:
        """The folder that a script has made, for whichever server is the next."""
        free = (f for f, known in self._records.items() if known and known.settings is None)
        return next(free, None)

    def of_server(self) -> Path | None:
        """The folder of the server that a script of the app means; None if there was none.

        Raises:
            StoreError: if several may be meant.
        """
        known = {f: one for f, one in self._records.items() if one is not None}
        running = {f: one for f, one in known.items() if one.running() is not None}
        found = running or known or self._records
        if len(found) < 2:  # noqa: PLR2004 - one is meant, or none is there
            return next(iter(found), None)
        # A script has other arguments than a server; the rest is the same, if it can be told.
        alike = [f for f in found if self._differs_by(known.get(f)) <= {"the arguments"}]
        if alike and (len(alike) == 1 or not running):
            return max(alike, key=record.written)
        what = "run" if running else "have run"
        raise StoreError(
            f"{len(found)} servers of this app {what}, and each has its own folder for jobs "
            f"({', '.join(sorted(f.name for f in found))} in {self._first.parent}): it can't be "
            "told which is to run this one. Give the manager of the app a cache, such as "
            'DiskcacheLongCallbackManager(diskcache.Cache("./cache")), which all processes share'
        )

    def _differs_by(self, known: Record | None) -> set[str]:
        if known is None or known.settings is None:
            return {"all"}
        return set(self._settings.differences(known.settings))

    def leave(self, app: str) -> Path:
        """Make a folder that the next server finds."""
        folder = self.new()
        record.write(folder, Record(app, [], None))
        return folder

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
        known = known or Record(app, [], None)
        taken = known.settings is None
        if taken:
            known.settings = self._settings.seal(secrets.token_hex(8))
        if known.add(self._server) or taken:
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
        elif first is not None and first.settings is not None:
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
        return known.settings is not None and not self._settings.differences(known.settings)
