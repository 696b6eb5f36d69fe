"""Threads that ask stores on behalf of an event loop."""

from __future__ import annotations

import asyncio
import contextvars
import os
import threading

import pytest

from dash_long_callback.threads import THREADS, each_in_thread, in_thread

word = contextvars.ContextVar("word", default="none")


def test_a_call_has_the_context_of_its_caller_and_a_thread_of_ours() -> None:
    async def call() -> tuple[str, str]:
        word.set("carried")
        return await in_thread(lambda: (word.get(), threading.current_thread().name))

    value, name = asyncio.run(call())
    assert value == "carried"
    assert name.startswith("long-callback-store")


def test_calls_that_wait_take_no_thread_of_asyncio_s_own() -> None:
    free = threading.Event()

    async def call() -> list[bool]:
        waiting = [asyncio.ensure_future(in_thread(free.wait, 30)) for _ in range(2 * THREADS)]
        await asyncio.sleep(0)
        await asyncio.to_thread(lambda: None)
        assert not any(one.done() for one in waiting)
        free.set()
        return await asyncio.gather(*waiting)

    assert asyncio.run(call()) == [True] * 2 * THREADS


def test_items_are_made_one_by_one_in_threads() -> None:
    async def collect() -> list[int]:
        items = (threading.get_ident() for _ in range(3))
        return [item async for item in each_in_thread(items)]

    found = asyncio.run(collect())
    assert len(found) == 3
    assert threading.get_ident() not in found


def test_another_process_has_threads_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    async def call() -> int:
        return await in_thread(threading.get_ident)

    here = {asyncio.run(call()) for _ in range(2 * THREADS)}
    monkeypatch.setattr(os, "getpid", lambda: -1)  # as after a fork, which leaves threads behind
    assert asyncio.run(call()) not in here
