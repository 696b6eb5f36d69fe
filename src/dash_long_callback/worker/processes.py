"""Processes that run jobs: who they are, whether they are alive, and their end."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import platform
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil


@dataclass(frozen=True)
class ProcessId:
    """A process, so that it is not mixed up with a later one of the same number.

    Attributes:
        pid: its number.
        started: when it started, in units of the system; only to be compared.
        place: the machine or container whose process numbers these are.
    """

    pid: int
    started: str
    # Not compared: a laptop changes its name with the network.
    place: str = field(compare=False)

    @classmethod
    def of(cls, pid: int) -> ProcessId:
        """The process that has this number now."""
        return cls(pid, _started(pid) or "", _place())

    @classmethod
    def load(cls, data: bytes | None) -> ProcessId | None:
        """The reverse of ``dump``; None for what it has not written."""
        try:
            pid, started, place = json.loads(data or b"")
        except (ValueError, TypeError):
            return None
        return cls(pid, started, place) if isinstance(pid, int) else None

    def dump(self) -> bytes:
        """As JSON."""
        return json.dumps([self.pid, self.started, self.place]).encode()

    def runs(self) -> bool:
        """Whether it has not ended. One in another place counts as ended: nobody can tell."""
        return not self.elsewhere() and _started(self.pid) == self.started

    def elsewhere(self) -> bool:
        """Whether it is of another machine or container."""
        return self.place != _place()


def on_sigterm(act: Callable[[], None]) -> None:
    """Have this process do something instead of ending by SIGTERM. What it forks ends by it."""
    pid = os.getpid()

    def handle(*_: object) -> None:
        if os.getpid() == pid:
            act()
            return
        # A child that was told before it got to what is registered below.
        end_by_it()
        os.kill(os.getpid(), signal.SIGTERM)

    def end_by_it() -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

    signal.signal(signal.SIGTERM, handle)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=end_by_it)


@functools.lru_cache(maxsize=1)
def this_process(pid: int) -> bytes:
    """``ProcessId.dump`` of this process, whose number is given, as it changes with a fork."""
    return ProcessId.of(pid).dump()


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


def clock() -> float:
    """Seconds since 1970 as psutil counts them for the start of a process.

    On Linux that is up to a second before ``time.time``: the kernel says in whole seconds when it
    was booted.
    """
    if sys.platform.startswith("linux"):
        return psutil.boot_time() + time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.time()


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


def end_this() -> None:
    """End this process now, and all that it has started."""
    kill_tree(os.getpid())
    psutil.Process().kill()


def processor_time(pid: int) -> float:
    """Seconds of processor time that a process has used; 0 if it has ended."""
    try:
        times = psutil.Process(pid).cpu_times()
    except (psutil.Error, ValueError):
        return 0.0
    return times.user + times.system


def waits_for_processor(pid: int) -> bool:
    """Whether a process computes, or would if others left it a processor."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_RUNNING
    except (psutil.Error, ValueError):
        return False


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
