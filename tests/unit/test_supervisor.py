"""The leader's pending writes: what can't be stored now waits, what can't be at all is dropped."""

# pyright: reportPrivateUsage=false
from __future__ import annotations

from collections.abc import Iterator

import pytest

from dash_long_callback.errors import StoreError
from dash_long_callback.executors.local.machine import Machine
from dash_long_callback.executors.local.pool_options import PoolOptions
from dash_long_callback.executors.local.supervisor import Supervisor
from dash_long_callback.jobs import Begin, Job, Lost, State
from dash_long_callback.stores.diskcache import DiskcacheStore


@pytest.fixture
def supervisor(store: DiskcacheStore) -> Iterator[Supervisor]:
    options = PoolOptions(1, "spawn", 1.0)
    supervisor = Supervisor(store, options, Machine(store, options), lambda: True)
    yield supervisor
    supervisor._inbox.close()


def running(store: DiskcacheStore, name: str) -> Job:
    job = Job(name * 8, "out.children")
    store.create(job, b"{}")
    changed = store.change(job.id, Begin())
    assert changed is not None
    return changed


def test_a_write_that_can_not_succeed_is_logged_and_holds_up_no_other(
    supervisor: Supervisor, store: DiskcacheStore, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = running(store, "aaaa"), running(store, "bbbb")

    def broken() -> None:
        raise ValueError("a defect")

    supervisor._end(first, Lost("first"))
    supervisor._writes.append(broken)
    supervisor._end(second, Lost("second"))
    supervisor._flush()
    assert not supervisor._writes
    for job in (first, second):
        ended = store.load(job.id)
        assert ended is not None
        assert ended.state is State.LOST
    (record,) = [r for r in caplog.records if r.exc_info]
    assert "given up" in record.message
    assert "a defect" in caplog.text


def test_a_write_that_the_store_refuses_now_is_tried_again_in_order(
    supervisor: Supervisor, store: DiskcacheStore
) -> None:
    job = running(store, "aaaa")
    tries: list[str] = []

    def full() -> None:
        tries.append("try")
        if len(tries) < 3:
            raise StoreError("the disk is full")

    supervisor._writes.append(full)
    supervisor._end(job, Lost("later"))
    for _ in range(2):
        with pytest.raises(StoreError, match="full"):
            supervisor._flush()
        waiting = store.load(job.id)
        assert waiting is not None
        assert waiting.state is State.RUNNING
    supervisor._flush()
    ended = store.load(job.id)
    assert ended is not None
    assert ended.state is State.LOST
