"""Connections are lent to threads and come back when these end."""

# pyright: reportPrivateUsage=false
# pyright: reportPrivateUsage=false
from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from dash_long_callback.stores.pooled_cache import PooledCache

#: Stores and records know nothing of Dash (see ``tests/unit/test_structure.py``).
pytestmark = pytest.mark.newest_only

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FILES = Path("/proc/self/fd")
needs_proc = pytest.mark.skipif(not FILES.exists(), reason="counts open files in /proc")


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Any]:  # diskcache has no types
    cache: Any = PooledCache(str(tmp_path))
    yield cache
    cache.close()


def in_thread(function: Callable[[], object]) -> None:
    thread = threading.Thread(target=function)
    thread.start()
    thread.join()


def open_files(cache: Any) -> int:
    found = (str(file.readlink()) for file in FILES.iterdir() if file.is_symlink())
    return sum(name.endswith("cache.db") and name.startswith(cache.directory) for name in found)


@needs_proc
def test_threads_one_after_another_share_a_connection(cache: Any) -> None:
    cache["a"] = 1
    for number in range(50):
        in_thread(lambda number=number: cache.set(number, b"x"))
    assert open_files(cache) == 2
    assert len(cache) == 51


def test_threads_at_once_have_a_connection_each(cache: Any) -> None:
    meet = threading.Barrier(5)
    seen: list[int] = []

    def work() -> None:
        with cache.transact(retry=True):
            cache.incr("count")
        meet.wait(10)
        seen.append(id(cache._con))
        meet.wait(10)

    threads = [threading.Thread(target=work) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(seen)) == 5
    assert cache["count"] == 5


def test_every_connection_has_the_pragmas_of_the_cache(cache: Any) -> None:
    found: list[object] = []
    in_thread(lambda: found.extend(cache._sql("PRAGMA synchronous").fetchone()))
    assert found == [cache.sqlite_synchronous]
    assert found != [2]  # SQLite's own default


@needs_proc
def test_closing_leaves_nothing_open(cache: Any) -> None:
    in_thread(lambda: cache.set("a", 1))
    cache["b"] = 2
    cache.close()
    assert open_files(cache) == 0
    assert cache["a"] == 1  # and it opens again, as its base does
