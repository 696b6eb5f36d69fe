"""The file ``server`` in a default folder: whose folder it is."""

from __future__ import annotations

import contextlib
import json
import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dash_long_callback.folders.settings import check_sealed
from dash_long_callback.worker.processes import ProcessId

#: Names of default folders: the first of an app file, and further ones.
NAME = re.compile(r"long-callbacks-[0-9a-f]{12}(-[1-9][0-9]*)?")
#: Processes of other machines and containers that a record keeps; nobody can tell when they end.
_KEPT_ELSEWHERE = 16
_FILE = "server"


@dataclass
class Record:
    """Whose folder it is.

    Attributes:
        app: file of the app.
        processes: of the server, those that end last: a master rather than its workers.
        settings: how it was started, sealed (see ``Settings.seal``); None: it is the next server's,
            and a script has jobs in it.
    """

    app: str
    processes: list[ProcessId]
    settings: dict[str, Any] | None

    def running(self) -> int | None:
        """The pid of the server, if it runs."""
        return next((process.pid for process in self.processes if process.runs()), None)

    def add(self, server: list[ProcessId]) -> bool:
        """Add processes of the server and drop those that have ended; whether that is a change."""
        before = self.processes
        # A gunicorn that has lost its master takes a second to end. It must not keep the next
        # one from the folder, so workers are not noted where there is a master.
        masters = server[1:] or server
        here = [p for p in before if p.runs()]
        elsewhere = [p for p in before if p.elsewhere()][-_KEPT_ELSEWHERE:]
        self.processes = list(dict.fromkeys([*elsewhere, *here, *masters]))
        return self.processes != before


def read(folder: Path) -> Record | None:
    """The record of a folder; None if there is none, as older versions wrote none.

    Raises:
        ValueError: if there is one that can't be understood.
    """
    try:
        text = (folder / _FILE).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    try:
        known = json.loads(text)
        processes = [ProcessId(pid, started, place) for pid, started, place in known["processes"]]
        sealed = known["settings"]
        return Record(known["app"], processes, None if sealed is None else check_sealed(sealed))
    except (KeyError, TypeError) as error:
        raise ValueError(f"{folder / _FILE} can't be understood") from error


def write(folder: Path, record: Record) -> None:
    """Make the folder, if needed, and write its record, in one step and for its owner only."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    processes = [[p.pid, p.started, p.place] for p in record.processes]
    new = folder / f"{_FILE}.new"
    try:
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            json.dump({**asdict(record), "processes": processes}, out)
            out.flush()
            os.fsync(out.fileno())  # a power cut would leave an empty file, and jobs nobody finds
        new.replace(folder / _FILE)
    except OSError:
        with contextlib.suppress(OSError):
            new.unlink(missing_ok=True)
            folder.rmdir()  # if it is new; else each try on a full disk would leave one behind
        raise


def written(folder: Path) -> float:
    """When the record of a folder was written: when its server was started, or later."""
    return (folder / _FILE).stat().st_mtime


def folders(base: Path, first: str = "", suffix: str = "") -> list[Path]:
    """The default folders in ``base``.

    Args:
        base: where default folders are.
        first: the name of the first one of an app file, if only its are meant.
        suffix: what is appended to the names of those that are meant.
    """
    found = [path for path in base.glob(f"{first}*{suffix}") if path.is_dir()]
    return [path for path in found if NAME.fullmatch(path.name.removesuffix(suffix))]
