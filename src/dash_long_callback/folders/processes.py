"""Which processes are one server.

A server may be one process, a master with workers (gunicorn, uwsgi, ``uvicorn --workers``), or a
reloader with its child. A shell, a service manager or a test that starts it is not part of it.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from pathlib import Path

import psutil

from dash_long_callback import notebook
from dash_long_callback.worker.processes import ProcessId

#: The module of the process that job workers are forked from: in its command line, and in theirs.
FORK_SERVER = "dash_long_callback.executors.local.fork_server"
#: The name of a job worker's process, however it was started.
JOB_WORKER = "long-callback-worker"
#: Commands that serve apps.
SERVERS = ("daphne", "flask", "granian", "gunicorn", "hypercorn", "uvicorn", "waitress-serve")
#: How servers begin the titles that they show in place of their command lines.
_TITLES = ("gunicorn: ", "uWSGI ")


def server_processes() -> list[ProcessId]:
    """The processes of this server from this one up, without those that run jobs.

    Job workers and what they are forked from outlive a killed server, to end their jobs. The next
    server must not take them for the server itself. The list is empty in a job worker whose server
    has ended.
    """
    found: list[ProcessId] = []
    process = psutil.Process()
    while True:
        try:
            if not _runs_jobs(process):
                found.append(ProcessId.of(process.pid))
            parent = process.parent()
            if parent is None or not _same_server(process, parent):
                return found
        except psutil.Error:  # it has ended, or is somebody else's
            return found
        process = parent


def is_server(app: str) -> bool:
    """Whether this process serves an app, as far as that can be told by how it was started.

    Args:
        app: the file of the app, of which ``python app.py`` is a server.
    """
    if notebook.is_kernel():
        return app == notebook.file()  # else a cell calls what a module has declared
    script = Path(sys.argv[0] if sys.argv else "")
    if os.path.abspath(script) == app:  # noqa: PTH100 - keeps links, as the name of the app does
        return True
    # As a command, or with python -m.
    name = script.parent.name if script.name == "__main__.py" else script.stem
    return name in SERVERS or "uwsgi" in sys.modules


def is_job_worker() -> bool:
    """Whether this process is one that runs jobs."""
    return multiprocessing.current_process().name == JOB_WORKER


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
    if process.pid == os.getpid() and is_job_worker():
        return True
    return any(FORK_SERVER in part for part in _command(process))


def _command(process: psutil.Process) -> list[str]:
    # A title may have been written over the command line, and leave empty arguments.
    return [part for part in process.cmdline() if part]
