"""The leader's pending writes: what can't be stored now waits, what can't be at all is dropped."""

from __future__ import annotations

import logging

import pytest

from dash_long_callback.errors import StoreError
from dash_long_callback.executors.local.pending_writes import PendingWrites
from dash_long_callback.jobs import Begin, Job, Lost, State
from dash_long_callback.stores.diskcache import DiskcacheStore


@pytest.fixture
def writes(store: DiskcacheStore) -> PendingWrites:
    return PendingWrites(store, lambda: None)


def running(store: DiskcacheStore, name: str) -> Job:
    job = Job(name * 8, "out.children")
    store.create(job, b"{}")
    changed = store.change(job.id, Begin())
    assert changed is not None
    return changed


def test_a_write_that_can_not_succeed_is_logged_and_holds_up_no_other(
    writes: PendingWrites, store: DiskcacheStore, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = running(store, "aaaa"), running(store, "bbbb")

    def broken() -> None:
        raise ValueError("a defect")

    writes.end(first, Lost("first"))
    writes.add(broken)
    writes.end(second, Lost("second"))
    writes.flush()
    assert not writes
    for job in (first, second):
        ended = store.load(job.id)
        assert ended is not None
        assert ended.state is State.LOST
    (record,) = [r for r in caplog.records if r.exc_info]
    assert "given up" in record.message
    assert "a defect" in caplog.text


@pytest.mark.parametrize("begun", [True, False])
def test_a_job_that_is_to_be_cancelled_ends_in_place_of_waiting_again_and_the_log_says_so(
    begun: bool, writes: PendingWrites, store: DiskcacheStore, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "dash_long_callback")
    job = running(store, "aaaa")
    store.ask_cancel(job.id)
    writes.requeue(job, begun=begun)
    writes.flush()
    ended = store.load(job.id)
    assert ended is not None
    assert ended.state is State.CANCELLED
    (line,) = caplog.messages
    assert line.startswith(f"no. {job.ref}: out.children was cancelled: waited 0.")


def test_a_write_that_the_store_refuses_now_is_tried_again_in_order(
    writes: PendingWrites, store: DiskcacheStore
) -> None:
    job = running(store, "aaaa")
    tries: list[str] = []

    def full() -> None:
        tries.append("try")
        if len(tries) < 3:
            raise StoreError("the disk is full")

    writes.add(full)
    writes.end(job, Lost("later"))
    for _ in range(2):
        with pytest.raises(StoreError, match="full"):
            writes.flush()
        waiting = store.load(job.id)
        assert waiting is not None
        assert waiting.state is State.RUNNING
    writes.flush()
    ended = store.load(job.id)
    assert ended is not None
    assert ended.state is State.LOST
