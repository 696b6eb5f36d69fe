"""A server that is told to end waits for all its answers: give those that wait for news at once.

Uvicorn and Hypercorn close their sockets only when all requests are answered, and a stream has
minutes to go. They say nothing to the app before that, so we listen to the signals with them.
"""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_pid: int | None = None
_calls: list[Callable[[], object]] = []


def at_end(call: Callable[[], object]) -> None:
    """Call this, once, when the server is told to end. Has no effect outside of the main thread."""
    global _pid  # noqa: PLW0603 - one per process
    if call in _calls or threading.current_thread() is not threading.main_thread():
        return
    if _pid != os.getpid():
        _pid = os.getpid()
        _calls.clear()
        for name in (signal.SIGINT, signal.SIGTERM):
            previous = signal.getsignal(name)
            if callable(previous):  # else nobody waits for anything
                signal.signal(name, _before(previous))
    _calls.append(call)


def _before(previous: Callable[[int, Any], object]) -> Callable[[int, Any], object]:
    def handle(number: int, frame: Any) -> object:
        for call in _calls:
            call()
        return previous(number, frame)

    return handle
