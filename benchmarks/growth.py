"""What a store takes for each operation while there are more and more jobs in it."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import redis

from benchmarks.harness import TMP, Result, Row, median, redis_server
from dash_long_callback.jobs import Begin, Job, State, Succeeded, new_job_id
from dash_long_callback.stores import sqlite_notifier
from dash_long_callback.stores.diskcache import DiskcacheStore
from dash_long_callback.stores.job_store import JobStore
from dash_long_callback.stores.redis import RedisStore

#: Jobs that are there before anything is measured; every hundredth waits, the others have ended.
SIZES = (10, 1_000, 100_000)
#: Times that each operation is measured, of which the median counts.
ROUNDS = 100
#: Jobs of which all wait; keys of their limits; keys of which as many jobs run as may, which is how
#: many. One of each key waits at least: a claim looks at one of each that it has to pass over.
WAITING = (100, 1_000, 100_000)
KEYS, FULL, LIMIT = 100, 50, 2
#: Seconds that jobs and news are kept: none expires meanwhile, so that a purge deletes nothing.
RETENTION = 24 * 3600.0
#: An operation on the largest store may take so many times what it takes on the smallest.
GOAL = 3.0
REQUEST = b'{"inputs":[]}' * 20
OPERATIONS = ("submit", "claim", "update", "end", "list", "count", "take-over", "purge")


def run() -> Result:
    TMP.mkdir(exist_ok=True)
    sqlite_notifier.KEEP_SECONDS = RETENTION
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(dir=TMP) as folder:
        store = DiskcacheStore(Path(folder) / "jobs", RETENTION)
        rows += _rows("SQLite", store, lambda: DiskcacheStore(Path(folder) / "jobs", RETENTION))
        rows += _queue_rows("SQLite", DiskcacheStore(Path(folder) / "queue", RETENTION))
    with redis_server() as port:
        rows += _rows("Redis", RedisStore(lambda: redis.Redis(port=port), RETENTION), None)
    with redis_server() as port:
        rows += _queue_rows("Redis", RedisStore(lambda: redis.Redis(port=port), RETENTION))
    title = (
        "one operation of a store, by the number of jobs in it "
        f"(medians of {ROUNDS}; peer: the same with {SIZES[0]} jobs, or {WAITING[0]} that wait)"
    )
    return Result("growth", title, rows)


def _rows(name: str, store: JobStore, again: Callable[[], JobStore] | None) -> Iterator[Row]:
    """The figures of one store, which is filled more and more."""
    first: dict[str, float] = {}
    there = 0
    for size in SIZES:
        _fill(store, size - there)
        there = size
        for operation, ms in _measure(store, again).items():
            few = first.setdefault(operation, ms)
            if size == SIZES[0]:
                continue
            label = f"{name}, {size:,} jobs: {operation}"
            if operation == "take-over":
                goal = ("< 500 ms", ms < 500)
            else:
                goal = (f"<= {GOAL:g} x", ms <= GOAL * few)
            last = size == SIZES[-1]
            yield Row(label, ms, "ms", few, few / ms, *(goal if last else ("", None)))
    store.close()


def _fill(store: JobStore, count: int) -> None:
    for number in range(count):
        job = Job(new_job_id(), f"callback-{number % 7}.children", owner=f"user {number % 1000}")
        store.create(job, REQUEST)
        if number % 100:
            running = store.change(job.id, Begin())
            assert running is not None
            store.finish(running, Succeeded(b"{}"))


def _measure(store: JobStore, again: Callable[[], JobStore] | None) -> dict[str, float]:
    """Milliseconds of each operation. The store has as many jobs before and after, nearly."""
    times: dict[str, list[float]] = {name: [] for name in OPERATIONS}

    def timed(name: str, call: Callable[[], object]) -> None:
        begun = time.perf_counter()
        call()
        times[name].append((time.perf_counter() - begun) * 1000)

    for _ in range(ROUNDS):
        job = Job(new_job_id(), "callback-0.children", owner="user 1")
        timed("submit", lambda job=job: store.create(job, REQUEST))
        claimed: list[Job | None] = []
        timed("claim", lambda claimed=claimed: claimed.append(store.claim()))
        (running,) = claimed
        assert running is not None
        slot, stale = running.put(0)
        timed("update", lambda r=running, s=slot, old=stale: store.write(r, {s: b"1"}, old))
        timed("end", lambda r=running: store.finish(r, Succeeded(b"{}")))
        timed("list", lambda: store.list("owner", "user 1", limit=20))
        timed("count", lambda: store.count("state", State.QUEUED.value))
    for _ in range(5):
        timed("purge", store.purge)
        if again is not None:
            timed("take-over", lambda: _take_over(again()))
    return {name: median(found) for name, found in times.items() if found}


def _take_over(store: JobStore) -> None:
    """What a new leader asks before it begins."""
    assert list(store.active()) == []
    assert store.rows.next_queued() is not None
    store.close()


# Jobs that wait


def _queue_rows(name: str, store: JobStore) -> Iterator[Row]:
    """The figures of one store in which jobs of many users, priorities and limits wait."""
    chance = random.Random(1)
    first: dict[str, float] = {}
    there = KEYS
    for number in range(KEYS):
        store.create(_waiting(chance, number), REQUEST)
    free = _measure_queue(store, chance)["claim"]
    for key in range(FULL):
        _hold(store, key)
    for size in WAITING:
        for number in range(there, size):
            store.create(_waiting(chance, number), REQUEST)
        there = size
        for operation, ms in _measure_queue(store, chance).items():
            few = first.setdefault(operation, ms)
            if size == WAITING[0]:
                continue
            label = f"{name}, {size:,} wait behind limits, {FULL} of {KEYS} reached: {operation}"
            # What is counted one by one is few only where few wait: of a turn, and of a gate.
            absolute = operation == "position"
            goal = ("< 1 ms", ms < 1) if absolute else (f"<= {GOAL:g} x", ms <= GOAL * few)
            last = size == WAITING[-1]
            yield Row(label, ms, "ms", few, few / ms, *(goal if last else ("", None)))
    few = first["claim"]
    label = f"{name}, {KEYS} wait behind limits: claim with {FULL} reached, beside none reached"
    yield Row(label, few, "ms", free, free / few)
    store.close()


def _hold(store: JobStore, key: int) -> None:
    """Have as many jobs of a key run as may."""
    for _ in range(LIMIT):
        limits = [[f"key {key}", LIMIT]]
        job = Job(new_job_id(), "callback-0.children", priority=20.0, limits=limits)
        store.create(job, REQUEST)
        running = store.claim()
        assert running is not None
        assert running.id == job.id


def _waiting(chance: random.Random, number: int) -> Job:
    """One of any user and priority; the first of each key are before all others."""
    first = number < KEYS
    return Job(
        new_job_id(),
        f"callback-{chance.randrange(7)}.children",
        owner=f"user {chance.randrange(1000)}",
        priority=10.0 - number / KEYS if first else chance.randrange(10),
        limits=[[f"key {number if first else chance.randrange(KEYS)}", LIMIT]],
    )


def _measure_queue(store: JobStore, chance: random.Random) -> dict[str, float]:
    """Milliseconds of a claim, and of a job that takes its place: to submit and to find it."""
    times: dict[str, list[float]] = {"submit": [], "claim": [], "position": []}
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        running = store.claim()
        times["claim"].append((time.perf_counter() - begun) * 1000)
        assert running is not None
        store.finish(running, Succeeded(b"{}"))
        job = _waiting(chance, KEYS).changed(priority=running.priority, limits=running.limits)
        begun = time.perf_counter()
        store.create(job, REQUEST)
        times["submit"].append((time.perf_counter() - begun) * 1000)
        begun = time.perf_counter()
        store.rows.ahead(job.id)
        times["position"].append((time.perf_counter() - begun) * 1000)
    return {name: median(found) for name, found in times.items()}
