"""Which processes are one server, and whether a process still runs.

A server may be one process, a master with workers (gunicorn, uwsgi, ``uvicorn --workers``), or a
reloader with its child. A shell, a service manager or a test that starts it is not part of it.
"""

from __future__ import annotations

import functools
import multiprocessing
import os
import platform
import sys
from dataclasses import dataclass, field
from pathlib import Path

import psutil

#: In the command line of the process that job workers are forked from, and so of these, too.
_FORK_SERVER = "dash_long_callback.executors.local.fork_server"
#: The name of a job worker's process, however it was started.
_JOB_WORKER = "long-callback-worker"
#: How servers begin the titles that they show in place of their command lines.
_TITLES = ("gunicorn: ", "uWSGI ")


@dataclass(frozen=True)
class ServerProcess:
    """A process of a server, so that it is not mixed up with a later one of the same number.

    Attributes:
        pid: its number.
        started: when it started, in units of the system; only to be compared.
        place: the machine or container whose process numbers these are.
    """

    pid: int
    started: str
    # Not compared: a laptop changes its name with the network.
    place: str = field(compare=False)

    def runs(self) -> bool:
        """Whether it has not ended. One in another place counts as ended: nobody can tell."""
        return not self.elsewhere() and _started(self.pid) == self.started

    def elsewhere(self) -> bool:
        """Whether it is of another machine or container."""
        return self.place != _place()


def server_processes() -> list[ServerProcess]:
    """The processes of this server from this one up, without those that run jobs.

    Job workers and what they are forked from outlive a killed server, to end their jobs. The next
    server must not take them for the server itself. The list is empty in a job worker whose server
    has ended.
    """
    found: list[ServerProcess] = []
    process = psutil.Process()
    while True:
        try:
            if not _runs_jobs(process):
                started = _started(process.pid)
                found.append(ServerProcess(process.pid, started or "", _place()))
            parent = process.parent()
            if parent is None or not _same_server(process, parent):
                return found
        except psutil.Error:  # it has ended, or is somebody else's
            return found
        process = parent


def _same_server(child: psutil.Process, parent: psutil.Process) -> bool:
    mine, theirs = _command(child), _command(parent)
    if any(part.startswith("from multiprocessing.") for part in mine) or (
        "--multiprocessing-fork" in mine
    ):
        # A worker of uvicorn or Hypercorn. Its parent may have died, and init adopted it.
        return child.exe() == parent.exe()
    if mine and mine == theirs:  # forked
        return True
    # Werkzeug's reloader starts Python by its full path, whatever the user has typed.
    if mine[1:] and mine[1:] == theirs[1:]:
        return True
    return any(
        mine[0].startswith(t) and theirs[0].startswith(t) for t in _TITLES if mine and theirs
    )


def _runs_jobs(process: psutil.Process) -> bool:
    if process.pid == os.getpid() and multiprocessing.current_process().name == _JOB_WORKER:
        return True
    return any(_FORK_SERVER in part for part in _command(process))


def _command(process: psutil.Process) -> list[str]:
    # A title may have been written over the command line, and leave empty arguments.
    return [part for part in process.cmdline() if part]


def _started(pid: int) -> str | None:
    """When a process started; None if it does not run."""
    try:
        if not sys.platform.startswith("linux"):
            return repr(psutil.Process(pid).create_time())
        # Not psutil's time: it is counted from a clock that NTP or a wake-up may set, so two
        # processes may see it differ. The kernel's count of ticks since boot stays.
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        return None if fields[0] in "ZX" else f"{fields[19]} {_boot()}"
    except (OSError, psutil.Error):
        return None


@functools.cache
def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:  # a sandbox may not show it
        return ""


@functools.cache
def _place() -> str:
    try:
        return f"{platform.node()} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return platform.node()
