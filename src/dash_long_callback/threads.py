"""Threads that ask stores on behalf of an event loop.

Not asyncio's own: those are for everybody, and a store that does not answer would take them all.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import os
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")

#: Calls at the same time, at most. Stores answer in a millisecond; more would only wait for the
#: interpreter's lock, or for a store that is away.
THREADS = 16
_pools: dict[int, ThreadPoolExecutor] = {}


async def in_thread(function: Callable[..., T], *args: Any) -> T:
    """Call a function in a thread, with the context variables of the caller."""
    call = functools.partial(contextvars.copy_context().run, function, *args)
    return await asyncio.get_running_loop().run_in_executor(_pool(), call)


async def each_in_thread(items: Iterator[T]) -> AsyncGenerator[T]:
    """What an iterator gives, each item made in a thread."""
    step: Callable[[], T | None] = functools.partial(next, items, None)
    while (item := await in_thread(step)) is not None:
        yield item


def _pool() -> ThreadPoolExecutor:
    pid = os.getpid()  # a fork leaves threads behind
    found = _pools.get(pid)
    # Threads begin with the first call, so one too many costs nothing.
    return found or _pools.setdefault(pid, ThreadPoolExecutor(THREADS, "long-callback-store"))
