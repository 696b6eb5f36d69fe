"""Processes that run jobs: who they are, whether they are alive, and their end."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
from typing import TYPE_CHECKING, Any

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable, Generator


def identity() -> bytes:
    """This process, for ``find`` in another one: JSON of its pid and of when it was created."""
    # Systems use pids again; the two together name a process for good.
    return json.dumps([os.getpid(), psutil.Process().create_time()]).encode()


def find(identity: bytes | None) -> psutil.Process | None:
    """The living process with this ``identity``; None if it has ended, or the identity is not one.

    A zombie has ended.
    """
    try:
        pid, created = json.loads(identity or b"")
        process = psutil.Process(pid)
        if process.create_time() == created and process.status() != psutil.STATUS_ZOMBIE:
            return process
    except (ValueError, TypeError, psutil.Error):
        pass
    return None


def descendants(pid: int) -> list[psutil.Process]:
    """The children of a process, and theirs, also those that began a session of their own."""
    try:
        return psutil.Process(pid).children(recursive=True)
    except (psutil.Error, ValueError):
        return []


def kill(processes: list[psutil.Process]) -> None:
    """Kill processes; those that have ended meanwhile are left out."""
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.kill()


def kill_tree(pid: int) -> None:
    """Kill a worker, the processes that it has started, and what is left of its session.

    The worker may be dead already: then those in sessions of their own can't be found any more.
    """
    kill(descendants(pid))
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)


def processor_time(pid: int) -> float:
    """Seconds of processor time that a process has used; 0 if it has ended."""
    try:
        times = psutil.Process(pid).cpu_times()
    except (psutil.Error, ValueError):
        return 0.0
    return times.user + times.system


@contextlib.contextmanager
def unchanged(interrupted: Callable[[int, Any], object] | None) -> Generator[None]:
    """Undo what a job changes of its process that the next job would stumble over.

    Its working directory; and what an interrupt of the main thread does, if ``interrupted`` is
    given, which is to be its handler for each job.
    """
    folder = _working_directory()
    if interrupted is not None and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, interrupted)
        if hasattr(signal, "pthread_sigmask"):
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        if folder is not None and folder != _working_directory():
            with contextlib.suppress(OSError):
                os.chdir(folder)


def _working_directory() -> str | None:
    try:
        return os.getcwd()  # noqa: PTH109 - a Path would be made for nothing
    except OSError:  # it was deleted
        return None
