"""Where the leader waits: for its workers, and for other processes to wake it."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterable
from multiprocessing import connection
from typing import Any

_HOST = "127.0.0.1"


class Inbox:
    """An address to which an empty datagram is sent to wake who waits here."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((_HOST, 0))
        self._socket.setblocking(False)
        self.port: int = self._socket.getsockname()[1]

    def wake(self) -> None:
        """End the wait; the next one, if nobody waits now. From any thread."""
        wake(self.port)

    def wait(self, others: Iterable[Any], timeout: float) -> tuple[bool, list[Any]]:
        """Wait until somebody wakes it, or one of ``others`` is ready, at most so many seconds.

        Args:
            others: pipes that may be read, and sentinels of processes that may have ended.
            timeout: in seconds.

        Returns:
            Whether it was woken, and which of the others are ready.
        """
        ready = connection.wait([self._socket, *others], timeout)
        if self._socket not in ready:
            return False, ready
        with contextlib.suppress(BlockingIOError):
            while True:
                self._socket.recv(1)
        return True, [one for one in ready if one is not self._socket]

    def close(self) -> None:
        """Let go of the address."""
        self._socket.close()


def wake(port: int) -> None:
    """Wake who waits at this port. Best effort: they also look by themselves, now and then."""
    with (
        contextlib.suppress(OSError),
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
    ):
        sender.sendto(b"", (_HOST, port))
