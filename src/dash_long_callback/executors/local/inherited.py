"""What a forked worker has from the fork server and can't use: connections, threads, variables.

A connection that is opened while the app is imported is one and the same in all workers that are
forked afterwards, and each gets the answers of the others. A thread does not cross a fork at all.
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

#: Sockets whose peer only takes and never answers: a datagram is whole, whoever sends it.
ONE_WAY = ("/dev/log", "/run/systemd/journal/", "/var/run/syslog")


@dataclass(frozen=True)
class Inherited:
    """What the import of the app has left in the process that workers are forked from.

    Attributes:
        peers: where its open connections lead to, as a person would write it.
        threads: names of the threads that it started.
        environ: the environment variables before the import.
    """

    peers: list[str] = field(default_factory=list[str])
    threads: list[str] = field(default_factory=list[str])
    environ: dict[str, str] | None = None


#: In a fork server, and so in the workers that are forked from it, what it found. Empty elsewhere.
here = Inherited()


def open_files() -> set[int]:
    """The file descriptors of this process; none where the system does not list them."""
    for folder in ("/proc/self/fd", "/dev/fd"):
        with contextlib.suppress(OSError):
            listed = list(Path(folder).iterdir())
            # Without the one that listed them, which is closed now, and free for the next.
            return {int(path.name) for path in listed if path.exists()}
    return set()


def since(files: set[int], threads: list[threading.Thread], environ: dict[str, str]) -> Inherited:
    """What is there now and was not before the import.

    Args:
        files: the file descriptors before the import.
        threads: the threads before the import.
        environ: the environment variables before the import.
    """
    peers = [_peer(file) for file in sorted(open_files() - files)]
    return Inherited(
        peers=list(dict.fromkeys(peer for peer in peers if peer is not None)),
        threads=[thread.name for thread in threading.enumerate() if thread not in threads],
        environ=environ,
    )


def adopt_environ(wanted: dict[str, str]) -> None:
    """Have this worker see the environment variables of its manager's process.

    Only what has changed since the fork server started: what the app itself sets while it is
    imported, perhaps for workers alone, stays.

    Args:
        wanted: the environment variables of the manager's process.
    """
    old = os.environ if here.environ is None else here.environ
    changed = {key for key in (*old, *wanted) if old.get(key) != wanted.get(key)}
    for key in changed:
        if key in wanted:
            os.environ[key] = wanted[key]
        else:
            os.environ.pop(key, None)
    if "TZ" in changed and hasattr(time, "tzset"):
        time.tzset()  # the C library looks at it once


def _peer(file: int) -> str | None:
    """Whom a file descriptor is connected to, if it is a connection that somebody may answer on."""
    try:
        if not stat.S_ISSOCK(os.fstat(file).st_mode):
            return None
        blocking = os.get_blocking(file)
        try:
            with socket.socket(fileno=os.dup(file)) as copy:
                address = copy.getpeername()
        finally:
            # Under socket.setdefaulttimeout(), the copy has made both of them non-blocking.
            os.set_blocking(file, blocking)
    except OSError:  # closed since, or it listens, or is not connected
        return None
    if isinstance(address, tuple):
        host, port = str(address[0]), address[1]  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    path = os.fsdecode(address).replace("\0", "@", 1)  # an abstract name begins with a zero
    if path.startswith(ONE_WAY):
        return None
    return path or "a socket pair (of an event loop, or to a child process)"
