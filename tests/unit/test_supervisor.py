"""The supervisor's places: no more jobs run than there are workers."""

# pyright: reportPrivateUsage=false
from __future__ import annotations

import multiprocessing
from collections.abc import Iterator

import pytest

from dash_long_callback.executors.local.machine import Machine
from dash_long_callback.executors.local.messages import Ready
from dash_long_callback.executors.local.pool_options import PoolOptions
from dash_long_callback.executors.local.pool_worker import PoolWorker
from dash_long_callback.executors.local.supervisor import Supervisor
from dash_long_callback.jobs import Begin, Job, State, new_job_id
from dash_long_callback.stores.diskcache import DiskcacheStore


@pytest.fixture
def supervisor(store: DiskcacheStore) -> Iterator[Supervisor]:
    options = PoolOptions(1, "spawn", 1.0)
    supervisor = Supervisor(store, options, Machine(store, options), lambda: True)
    yield supervisor
    supervisor._inbox.close()


def running(store: DiskcacheStore) -> Job:
    job = Job(new_job_id(), "out.children")
    store.create(job, b"{}")
    changed = store.change(job.id, Begin())
    assert changed is not None
    return changed


def test_a_click_waits_while_an_earlier_leaders_job_has_the_only_place(
    supervisor: Supervisor, store: DiskcacheStore
) -> None:
    running(store)
    supervisor._orphans.take_over()
    ours, theirs = multiprocessing.Pipe()
    with ours, theirs:
        supervisor._workers.append(PoolWorker(None, ours, ready=Ready({}, [])))
        job = running(store)  # as by a click that found a free place a moment ago
        assert supervisor.take(job)
        supervisor._writes.flush()
        assert not theirs.poll()
    after = store.load(job.id)
    assert after is not None
    assert after.state is State.QUEUED
