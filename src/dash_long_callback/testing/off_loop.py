"""Calls what an event loop of the test must not be in the way of."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def off_loop(function: Callable[[], T]) -> T:
    """Call a function: in this thread, or in another one if an event loop runs in this."""
    # Not in the handler of the error that says so: it would be the context of all that is raised.
    return in_thread(function) if _has_loop() else function()


def _has_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def in_thread(function: Callable[[], T]) -> T:
    """Call a function in a thread of its own, and wait for that."""
    returned: list[T] = []
    raised: list[BaseException] = []

    def call() -> None:
        try:
            returned.append(function())
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=call, name="long_callbacks")
    thread.start()
    thread.join()
    if raised:
        raise raised[0]
    return returned[0]
