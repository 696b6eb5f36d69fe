"""The watchdog of a process whose jobs can't be interrupted: they are told at their next update.

What it does to the main thread, and to the process, is tried with real workers.
"""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

from dash_long_callback import JobCancelled, JobTimedOut
from dash_long_callback.errors import StoreError
from dash_long_callback.jobs import Begin, End, Job, Lost, Outcome, State, Succeeded, new_job_id
from dash_long_callback.stores import timing
from dash_long_callback.stores.job_store import JobStore
from dash_long_callback.stores.memory import MemoryStore
from dash_long_callback.worker.heartbeat import Heartbeat
from dash_long_callback.worker.run import Run
from dash_long_callback.worker.watchdog import Watchdog

pytestmark = pytest.mark.newest_only  # processes end alike on every Dash

GRACE = 0.2


class Waits:
    """A callback whose function waits until it is told to stop."""

    def outcome(self, run: Run) -> Outcome:
        return Succeeded(b"{}")


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore(retention=60)


def begun(store: JobStore, timeout: float | None = None) -> Run:
    job = Job(new_job_id(), "out.children", timeout=timeout)
    store.create(job, b"{}")
    running = store.change(job.id, Begin())
    assert running is not None
    return Run(store, running, Waits())


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def watched(watchdog: Watchdog, run: Run) -> AbstractContextManager[None]:
    return watchdog.over(run, interrupt=False)


@pytest.mark.parametrize("notified", [False, True], ids=["asks", "is told"])
def test_a_job_that_takes_too_long_is_told_so(store: MemoryStore, *, notified: bool) -> None:
    run = begun(store, timeout=0.3)
    with watched(Watchdog(store, 60, notified=notified), run):
        until(lambda: run.stopping)
    assert isinstance(run.stopping, JobTimedOut)


def test_a_wish_to_cancel_is_seen_in_the_store(store: MemoryStore) -> None:
    run, other = begun(store), begun(store)
    watchdog = Watchdog(store, 60)
    with watched(watchdog, run), watched(watchdog, other):
        store.ask_cancel(run.job.id)
        until(lambda: run.stopping)
    assert isinstance(run.stopping, JobCancelled)
    assert other.stopping is None


def test_a_wish_from_before_the_job_was_watched_is_seen(store: MemoryStore) -> None:
    run = begun(store)
    store.ask_cancel(run.job.id)
    with watched(Watchdog(store, 60), run):
        until(lambda: run.stopping)


def test_a_job_is_stopped_when_it_begins_if_that_was_said_before(store: MemoryStore) -> None:
    run = begun(store)
    watchdog = Watchdog(store, 60, notified=True)
    watchdog.stop(run.job.id)
    with watched(watchdog, run):
        assert isinstance(run.stopping, JobCancelled)
    other = begun(store)
    with watched(watchdog, other):
        assert other.stopping is None


@pytest.mark.parametrize("before", [True, False], ids=["then begins", "runs"])
def test_one_that_is_told_no_more_asks_the_store(store: MemoryStore, *, before: bool) -> None:
    run = begun(store)
    watchdog = Watchdog(store, 60, notified=True)
    if before:
        watchdog.ask()
    with watched(watchdog, run):
        store.ask_cancel(run.job.id)
        if not before:
            # The watchdog has taken a turn, for another job.
            other = begun(store, timeout=0.1)
            with watched(watchdog, other):
                until(lambda: other.stopping)
            assert run.stopping is None
            watchdog.ask()
        until(lambda: run.stopping)


def test_one_that_holds_out_is_ended_for_the_page_and_goes_on_until_its_next_update(
    store: MemoryStore,
) -> None:
    run = begun(store)
    watchdog = Watchdog(store, GRACE, notified=True)

    def state() -> State:
        job = store.load(run.job.id)
        assert job is not None
        return job.state

    with watched(watchdog, run):
        watchdog.stop(run.job.id)
        until(lambda: state() is State.CANCELLED)
        run.armed = True
        with pytest.raises(JobCancelled):
            run.checkpoint()


def test_a_job_that_others_have_ended_is_told_to_stop_and_not_ended_once_more(
    store: MemoryStore, caplog: pytest.LogCaptureFixture
) -> None:
    run = begun(store)
    with watched(Watchdog(store, GRACE, notified=True), run):
        store.change(run.job.id, End(Lost("it was silent")))
        run.revoke()
        until(lambda: "goes on until its next update" in caplog.text)
    assert isinstance(run.stopping, JobCancelled)
    job = store.load(run.job.id)
    assert job is not None
    assert job.state is State.LOST


def test_a_store_that_fails_for_a_moment_does_not_end_the_watch(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = threading.Event()
    asked = store.cancel_asked

    def fails_once(job_id: str) -> bool:
        if not failed.is_set():
            failed.set()
            raise StoreError("the server is away")
        return asked(job_id)

    monkeypatch.setattr(store, "cancel_asked", fails_once)
    run = begun(store)
    with watched(Watchdog(store, 60), run):
        store.ask_cancel(run.job.id)
        until(lambda: run.stopping)
    assert failed.is_set()


# When a job has ended


def test_the_watchdog_keeps_nothing_of_a_job_that_has_ended(store: MemoryStore) -> None:
    watchdog = Watchdog(store, 60, notified=True)
    run = begun(store, timeout=3600)
    with watched(watchdog, run):
        taken = begun(store, timeout=0.05)
        with watched(watchdog, taken):
            until(lambda: taken.stopping)  # it has looked at both, and waits for an hour now
    kept = weakref.ref(run)
    del run
    until(lambda: gone(kept))


def test_the_heartbeat_keeps_nothing_of_a_job_that_has_ended(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timing, "HEARTBEAT_SECONDS", 0.01)
    beats = threading.Semaphore(0)
    renew = store.renew

    def renewed(*args: Any) -> bool:
        beats.release()
        return renew(*args)

    monkeypatch.setattr(store, "renew", renewed)
    run = begun(store)
    with Heartbeat().of(run):
        assert beats.acquire(timeout=20)
    kept = weakref.ref(run)
    del run
    until(lambda: gone(kept))


def gone(kept: weakref.ref[Run]) -> bool:
    gc.collect()
    return kept() is None
