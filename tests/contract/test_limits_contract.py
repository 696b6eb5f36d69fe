"""How many jobs run at once, and start within a time, whoever begins them, in every store."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import stores
from managers import Services
from stores import Place, having, new, wait_until

from dash_long_callback.jobs import (
    Cancel,
    Cancelled,
    End,
    Failed,
    Job,
    Lost,
    Requeue,
    State,
    Succeeded,
    new_job_id,
)
from dash_long_callback.stores import limits, names, timing
from dash_long_callback.stores.job_store import JobStore
from dash_long_callback.stores.ports import Batch
from dash_long_callback.stores.shared_jobs import Disposition

#: Stores know nothing of Dash (see ``tests/unit/test_structure.py``).
pytestmark = pytest.mark.newest_only

ONE, TWO = [["one", 1]], [["two", 2]]
#: Of what a test starts in other processes.
CONTEXT = multiprocessing.get_context("spawn")


@pytest.fixture(params=having(queues=True))
def place(request: pytest.FixtureRequest, tmp_path: Path, services: Services) -> Place:
    return stores.place(request.param, tmp_path / "store", services)


@pytest.fixture
def store(place: Place) -> Any:
    store = place.open()
    yield store
    store.close()


def begun(store: JobStore) -> str | None:
    """The id of the job that begins."""
    job = store.claim()
    return None if job is None else job.id


def claimed(store: JobStore) -> Job:
    job = store.claim()
    assert job is not None
    return job


ENDS: dict[str, Callable[[JobStore, Job], object]] = {
    "succeeds": lambda store, job: store.finish(job, Succeeded(b"1", lasting=True)),
    "fails": lambda store, job: store.finish(job, Failed("ValueError", "no luck")),
    "is lost": lambda store, job: store.change(job.id, End(Lost("it died"))),
    "waits again": lambda store, job: store.change(job.id, Requeue(job.attempt, begun=False)),
}


@pytest.mark.parametrize("how", ENDS)
def test_a_job_waits_until_another_with_its_key_has_ended(store: JobStore, how: str) -> None:
    first, second = new(store, limits=ONE), new(store, limits=ONE)
    running = claimed(store)
    assert running.id == first.id
    assert store.claim() is None
    assert store.holders(second) == [first.id]
    ENDS[how](store, running)
    assert store.holders(second) == []
    assert begun(store) == (first.id if how == "waits again" else second.id)
    assert store.claim() is None


def test_jobs_of_other_keys_are_not_held_up(store: JobStore) -> None:
    new(store, limits=ONE)
    behind = [new(store, limits=ONE) for _ in range(3)]
    others = [new(store, limits=TWO), new(store), new(store, limits=TWO), new(store, limits=TWO)]
    first = claimed(store)
    assert [begun(store) for _ in range(3)] == [one.id for one in others[:3]]
    assert store.claim() is None
    store.finish(first, Cancelled())
    assert begun(store) == behind[0].id


def test_a_job_has_its_part_of_all_its_limits_or_of_none(store: JobStore) -> None:
    new(store, limits=ONE)
    first = claimed(store)
    both = new(store, limits=[*TWO, *ONE])
    of_two = [new(store, limits=TWO) for _ in range(3)]
    assert [begun(store) for _ in range(3)] == [of_two[0].id, of_two[1].id, None]
    store.finish(first, Cancelled())
    assert store.claim() is None  # the other one is still full
    running = store.load(of_two[0].id)
    assert running is not None
    store.finish(running, Cancelled())
    assert begun(store) == both.id


BOTH = [["a", 1], ["b", 1]]
A, B = [["a", 1]], [["b", 1]]


def test_a_job_of_two_limits_gets_its_places_though_others_come_for_each(
    store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "STARVED_SECONDS", 0.0)
    for bounds in (A, B):
        new(store, limits=bounds)
    first, other = claimed(store), claimed(store)
    both = new(store, limits=BOTH)
    behind = [new(store, limits=bounds) for bounds in (A, B, A, B)]
    store.finish(first, Cancelled())
    # It lacks a place that an older job has: that of the other limit is no use to it now.
    second = claimed(store)
    assert second.id == behind[0].id
    store.finish(other, Cancelled())
    # Now it lacks one that a younger job has. This one is kept for it.
    assert store.claim() is None
    free = new(store)
    assert begun(store) == free.id
    store.finish(second, Cancelled())
    running = claimed(store)
    assert running.id == both.id
    store.finish(running, Cancelled())
    assert {begun(store), begun(store)} == {behind[1].id, behind[2].id}


def test_one_place_of_many_is_kept_for_a_job_that_starves(
    store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "STARVED_SECONDS", 0.0)
    many = [["many", 3]]
    new(store, limits=many)
    old = claimed(store)
    both = new(store, limits=[["a", 1], *many], owner="ann")
    new(store, limits=A, priority=1.0)
    young = claimed(store)
    assert young.limits == A
    others = [new(store, limits=many, owner="bob") for _ in range(3)]
    assert begun(store) == others[0].id
    assert store.claim() is None  # two of three: the last one is kept
    store.finish(young, Cancelled())
    assert begun(store) == both.id
    store.finish(old, Cancelled())
    assert begun(store) == others[1].id


def test_a_job_that_is_late_ends_though_its_limit_would_not_let_it_begin(store: JobStore) -> None:
    new(store, limits=ONE)
    running = claimed(store)
    late = new(store, limits=ONE, created=1.0, start_by=3.0)
    assert store.claim() is None
    ended = store.load(late.id)
    assert ended is not None
    assert ended.state is State.EXPIRED
    store.finish(running, Cancelled())


def test_a_cancelled_job_that_waited_is_passed_over(store: JobStore) -> None:
    new(store, limits=ONE)
    cancelled, behind = new(store, limits=ONE), new(store, limits=ONE)
    running = claimed(store)
    assert store.change(cancelled.id, Cancel()) is not None
    store.finish(running, Cancelled())
    assert begun(store) == behind.id


def test_no_more_jobs_start_within_a_time_than_a_rate_says(store: JobStore) -> None:
    jobs = [new(store, rates=[["rate", 2, 0.5]]) for _ in range(3)]
    free = new(store)
    assert [begun(store) for _ in range(3)] == [jobs[0].id, jobs[1].id, free.id]
    found = store.begin_next()
    assert found.job is None
    assert found.key == "rate"
    assert 0 < found.due - time.time() < 0.5
    wait_until(lambda: begun(store) == jobs[2].id)
    times = [job.started for one in jobs if (job := store.load(one.id)) is not None]
    assert times[0] is not None
    assert times[2] is not None
    assert times[2] - times[0] >= 0.5


def test_an_alarm_is_set_once_until_it_is_due(store: JobStore) -> None:
    assert store.set_alarm("rate", 0.3)
    assert not store.set_alarm("rate", 0.3)
    assert store.set_alarm("other", 0.3)
    wait_until(lambda: store.set_alarm("rate", 0.3))


def reserve(store: JobStore, **fields: Any) -> tuple[Job, Disposition]:
    job = Job(new_job_id(), "out.children", reserves=True, **fields)
    return job, store.create(job, b"{}")[0]


def test_a_job_that_does_not_wait_counts_from_the_click_on(store: JobStore) -> None:
    first, disposition = reserve(store, limits=ONE)
    assert disposition is Disposition.NEW
    refused, disposition = reserve(store, limits=ONE)
    assert disposition is Disposition.REFUSED
    assert store.load(refused.id) is None
    assert store.create(first, b"{}")[0] is Disposition.KNOWN
    waits = new(store, limits=ONE)
    running = claimed(store)
    assert running.id == first.id
    assert store.claim() is None
    store.finish(running, Cancelled())
    assert begun(store) == waits.id
    assert reserve(store, limits=ONE)[1] is Disposition.REFUSED


def test_one_that_is_cancelled_before_it_begins_leaves_its_place(store: JobStore) -> None:
    first, _ = reserve(store, limits=ONE)
    assert store.change(first.id, Cancel()) is not None
    assert reserve(store, limits=ONE)[1] is Disposition.NEW


def test_one_that_does_not_wait_counts_for_its_rate_when_it_is_asked_for(store: JobStore) -> None:
    rates = [["rate", 1, 0.3]]
    assert reserve(store, rates=rates)[1] is Disposition.NEW
    assert reserve(store, rates=rates)[1] is Disposition.REFUSED
    wait_until(lambda: reserve(store, rates=rates)[1] is Disposition.NEW)


def test_the_heartbeat_of_a_worker_keeps_what_counts_for_its_limits(
    store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    new(store, limits=ONE)
    running = claimed(store)
    # Its rows were touched long ago.
    store.rows.apply(Batch(put={names.lease(running.id): (b"1.0", 60)}))
    touched: dict[str, float] = {}
    apply = store.rows.apply

    def watched(batch: Batch) -> bool:
        touched.update(batch.touch)
        return apply(batch)

    monkeypatch.setattr(store.rows, "apply", watched)
    assert store.renew(running)
    # As long as the record of a job that waits, which may count for it, too.
    assert touched[names.holders("one")] == store.retention * timing.WAITING
    assert touched[names.job(running.id)] == store.retention


@pytest.mark.parametrize(
    "row", [b"garbage", b"[1]", b'{"a": 1}', b'[["gone", 1], ["gone", "x"]]', b"[[]]"]
)
def test_what_nobody_can_read_limits_nobody(store: JobStore, row: bytes) -> None:
    rows = [names.holders("one"), names.starts("rate")]
    store.rows.apply(Batch(put=dict.fromkeys(rows, (row, 60))))
    job = new(store, limits=ONE, rates=[["rate", 1, 60.0]])
    assert begun(store) == job.id
    assert store.holders(job) == [job.id]


def test_lanes_take_turns_and_priorities_come_first(store: JobStore) -> None:
    ann = [new(store, owner="ann") for _ in range(4)]
    assert begun(store) == ann[0].id
    bob = [new(store, owner="bob") for _ in range(2)]
    urgent = new(store, owner="ann", priority=1.5)
    later = new(store, owner="ann", priority=-1.0)
    unfair = new(store, owner="ann", fair=False)
    expected = [urgent, ann[1], bob[0], unfair, ann[2], bob[1], ann[3], later]
    assert [begun(store) for _ in expected] == [one.id for one in expected]


def test_a_queue_has_its_own_jobs_only(store: JobStore) -> None:
    one, gpu = new(store), new(store, queue="gpu")
    found = store.begin_next("gpu", message="a message")
    assert found.job is not None
    assert found.job.id == gpu.id
    assert found.job.message == "a message"
    assert store.begun_by("a message") == gpu.id
    assert store.begun_by("another") is None
    assert store.begin_next("gpu").job is None
    assert begun(store) == one.id


def _work(place: Place, number: int, together: Any, most: Any) -> None:
    """Begin and end jobs, and see how many with the same key run."""
    store = place.open()
    idle = time.monotonic()
    while time.monotonic() - idle < 1.0:
        job = store.claim()
        if job is None:
            continue
        key = job.name
        with together.get_lock():
            together[int(key)] += 1
            most[int(key)] = max(most[int(key)], together[int(key)])
        time.sleep(0.002)
        with together.get_lock():
            together[int(key)] -= 1
        store.finish(job, Succeeded(b"1", lasting=True))
        idle = time.monotonic()
    store.close()


@pytest.mark.timeout(120)
def test_no_limit_is_exceeded_by_many_processes(place: Place, store: JobStore) -> None:
    if place.name == "memory":
        return  # other processes do not see it
    jobs = [
        new(store, name=f"{n % 3}", limits=[[f"key {n % 3}", n % 3 + 1], ["all", 5]])
        for n in range(90)
    ]
    together, most = CONTEXT.Array("i", 3), CONTEXT.Array("i", 3)
    workers = [CONTEXT.Process(target=_work, args=(place, n, together, most)) for n in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    ended = [store.load(job.id) for job in jobs]
    assert [one for one in ended if one is None or not one.state.ended] == []
    assert all(many <= n + 1 for n, many in enumerate(most[:]))
