"""A server that is told to end waits for all its answers: give those that wait for news at once.

Uvicorn and Hypercorn close their sockets only when all requests are answered, and a stream has
minutes to go. They say nothing to the app before that, so we listen to the signals with them.

A signal comes while its thread does anything at all, and may hold any lock. So the handler only
puts a word into a queue that is made for that (``queue.SimpleQueue``), and a thread that waits for
it does the rest.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

_pid: int | None = None
_calls: list[Callable[[], object]] = []


def at_end(call: Callable[[], object]) -> None:
    """Have this called, in a thread, when the server is told to end.

    Once, however often it is asked for. Has no effect outside of the main thread.
    """
    global _pid  # noqa: PLW0603 - one per process
    if threading.current_thread() is not threading.main_thread():
        return
    if _pid != os.getpid():  # a fork leaves the thread behind
        _pid = os.getpid()
        _calls.clear()
        _listen()
    if call not in _calls:
        _calls.append(call)


def _listen() -> None:
    signals: SimpleQueue[None] = SimpleQueue()
    threading.Thread(target=_wait, args=(signals,), daemon=True, name="server end").start()
    for name in (signal.SIGINT, signal.SIGTERM):
        previous = signal.getsignal(name)
        if callable(previous):  # else nobody waits for anything
            signal.signal(name, _before(previous, signals))


def _wait(signals: SimpleQueue[None]) -> None:
    while True:
        signals.get()
        for call in tuple(_calls):
            call()


def _before(
    previous: Callable[[int, Any], object], signals: SimpleQueue[None]
) -> Callable[[int, Any], object]:
    def handle(number: int, frame: Any) -> object:
        signals.put(None)
        return previous(number, frame)

    return handle
