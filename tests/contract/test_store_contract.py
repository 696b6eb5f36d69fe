"""What every store promises, run against each of them.

Another store is one more line in ``STORES``. What only a store of one kind can be asked stands at
the end, under its name.
"""

# pyright: reportPrivateUsage=false
from __future__ import annotations

import multiprocessing
import os
import pickle
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import diskcache  # pyright: ignore[reportMissingTypeStubs]
import pytest

from dash_long_callback.errors import StoreError
from dash_long_callback.jobs import Cancelled, Failed, Job, Lost, State, Succeeded, new_job_id
from dash_long_callback.stores import diskcache as diskcache_store
from dash_long_callback.stores.diskcache import DiskcacheStore

#: Makes a handle on the same store: (place, retention in seconds).
MakeStore = Callable[[Path, float], DiskcacheStore]
STORES: dict[str, MakeStore] = {"diskcache": DiskcacheStore}

REQUEST = b'{"inputs":[]}'


@pytest.fixture(params=STORES)
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., DiskcacheStore]]:
    """Opens the store once more, as another process would."""
    opened: list[DiskcacheStore] = []

    def open_store(retention: float = 60.0) -> DiskcacheStore:
        opened.append(STORES[request.param](tmp_path / "store", retention))
        return opened[-1]

    yield open_store
    for store in opened:
        store.close()


@pytest.fixture
def store(make: Callable[..., DiskcacheStore]) -> DiskcacheStore:
    return make()


def new(store: DiskcacheStore) -> Job:
    job = Job(new_job_id(), "out.children", interval=0.5)
    store.create(job, REQUEST)
    return job


def begin(job: Job) -> bool:
    if job.state is not State.QUEUED:
        return False
    job.enter(State.RUNNING)
    return True


def started(store: DiskcacheStore) -> Job:
    job = store.change(new(store).id, begin)
    assert job is not None
    return job


def end(outcome: Any) -> Callable[[Job], bool]:
    def change(job: Job) -> bool:
        job.end(outcome)
        return True

    return change


def response(store: DiskcacheStore, job_id: str) -> bytes | None:
    found = store.load_all(job_id)
    return None if found is None else found[1]


def put(store: DiskcacheStore, job: Job, target: Any, value: bytes, *, patch: bool = False) -> bool:
    slot, stale = job.put(target, patch=patch)
    return store.write(job, {slot: value}, stale)


# Records


def test_a_job_is_read_as_it_was_created(store: DiskcacheStore) -> None:
    job = new(store)
    assert store.load(job.id) == job
    assert store.request(job.id) == REQUEST


def test_another_handle_sees_the_job(make: Callable[..., DiskcacheStore]) -> None:
    job = new(make())
    other = make()
    assert other.load(job.id) == job
    assert other.request(job.id) == REQUEST


def test_a_job_that_never_existed_is_none_everywhere(store: DiskcacheStore) -> None:
    assert store.load("nothing") is None
    assert store.load_all("nothing") is None
    assert store.request("nothing") is None
    assert response(store, "nothing") is None
    assert store.values("nothing", [1, 2]) == [None, None]
    assert store.change("nothing", begin, b"{}") is None
    assert response(store, "nothing") is None
    assert not store.leased("nothing")
    assert not store.cancel_asked("nothing")


def test_a_change_is_kept_and_returned(store: DiskcacheStore) -> None:
    job = new(store)
    changed = store.change(job.id, begin)
    assert changed is not None
    assert changed.state is State.RUNNING
    assert store.load(job.id) == changed


def test_a_change_that_declines_leaves_record_and_response_alone(store: DiskcacheStore) -> None:
    job = new(store)

    def decline(record: Job) -> bool:
        record.enter(State.RUNNING)
        return False

    assert store.change(job.id, decline, b'"result"') is None
    assert store.load(job.id) == job
    assert response(store, job.id) is None


def test_an_exception_in_a_change_leaves_the_record_alone(store: DiskcacheStore) -> None:
    job = new(store)

    def fail(record: Job) -> bool:
        record.enter(State.RUNNING)
        raise KeyError

    with pytest.raises(KeyError):
        store.change(job.id, fail, b"{}")
    assert store.load(job.id) == job
    assert store.change(job.id, begin) is not None, "and the store can be written again"


def test_a_response_is_read_byte_for_byte(store: DiskcacheStore) -> None:
    job = started(store)
    written = '{"multi":true,  "☃":1.50}\n'.encode()
    store.change(job.id, end(Succeeded(written)), written)
    assert response(store, job.id) == written
    assert store.load_all(job.id) == (store.load(job.id), written)


def test_writes_in_a_transaction_happen_together_or_not_at_all(store: DiskcacheStore) -> None:
    jobs: list[Job] = []

    def fail() -> None:
        with store.exclusive(None):
            jobs.append(new(store))
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert store.load(jobs[0].id) is None
    with store.exclusive(None):
        jobs.append(new(store))
    assert store.load(jobs[1].id) == jobs[1]


def test_reads_delete_nothing(make: Callable[..., DiskcacheStore]) -> None:
    store = make()
    job = started(store)
    put(store, job, 0, b"1")
    put(store, job, ("a", "b"), b"2", patch=True)
    store.ask_cancel(job.id)
    store.renew(job)
    store.change(job.id, end(Succeeded(b"{}")), b"{}")

    def read(handle: DiskcacheStore) -> list[Any]:
        return [
            handle.load(job.id),
            response(handle, job.id),
            handle.values(job.id, [2, 3]),
            handle.cancel_asked(job.id),
            handle.leased(job.id),
        ]

    first = read(store)
    assert None not in first
    assert read(store) == read(make()) == first


def test_request_is_kept_until_the_job_ends_and_no_longer(store: DiskcacheStore) -> None:
    job = started(store)
    assert store.request(job.id) is not None
    store.change(job.id, end(Succeeded(b"{}")), b"{}")
    assert store.request(job.id) is None


# Atomic


def test_of_many_threads_exactly_one_gets_to_change_a_job(store: DiskcacheStore) -> None:
    count = 8
    jobs = [new(store) for _ in range(5)]
    meet = threading.Barrier(count)
    winners: list[str] = []

    def race() -> None:
        for job in jobs:
            meet.wait(30)
            if store.change(job.id, begin) is not None:
                winners.append(job.id)

    threads = [threading.Thread(target=race) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(winners) == sorted(job.id for job in jobs)


def _race(kind: str, place: Path, ids: list[str], meet: Any, winners: Any) -> None:
    store = STORES[kind](place, 60)
    for job_id in ids:
        meet.wait(60)
        if store.change(job_id, begin) is not None:
            winners.put(job_id)
    store.close()


def test_of_many_processes_exactly_one_gets_to_change_a_job(
    make: Callable[..., DiskcacheStore], request: pytest.FixtureRequest
) -> None:
    store = make()
    ids = [new(store).id for _ in range(10)]
    kind = request.node.callspec.params["make"]
    context = multiprocessing.get_context("spawn")
    meet, winners = context.Barrier(4), context.Queue()
    processes = [
        context.Process(target=_race, args=(kind, store.directory, ids, meet, winners))
        for _ in range(4)
    ]
    for process in processes:
        process.start()
    found = sorted(winners.get(timeout=60) for _ in ids)
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    assert found == sorted(ids)
    assert winners.empty()
    winners.close()


def test_of_many_threads_each_claims_another_job(store: DiskcacheStore) -> None:
    ids = [new(store).id for _ in range(20)]
    for job_id in ids:
        store.enqueue(job_id)
    claimed: list[str] = []

    def claim_all() -> None:
        while (job := store.claim()) is not None:
            claimed.append(job.id)

    threads = [threading.Thread(target=claim_all) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(claimed) == sorted(ids)


def test_changes_by_many_threads_lose_none(store: DiskcacheStore) -> None:
    job = started(store)

    def count() -> None:
        for _ in range(25):
            store.change(job.id, lambda record: bool(record.put(0, patch=True)))

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    record = store.load(job.id)
    assert record is not None
    assert record.seq == job.seq + 100
    assert len(record.slots) == 100


# Updates


def test_a_value_is_in_its_slot(store: DiskcacheStore) -> None:
    job = started(store)
    assert put(store, job, 0, b'{"a":1}')
    assert store.load(job.id) == job
    assert store.values(job.id, job.slots) == [b'{"a":1}']


def test_a_replaced_value_is_gone(store: DiskcacheStore) -> None:
    job = started(store)
    put(store, job, 0, b"1")
    old = list(job.slots)
    put(store, job, 0, b"2")
    assert store.values(job.id, [*old, *job.slots]) == [None, b"2"]


def test_a_patch_leaves_what_it_patches(store: DiskcacheStore) -> None:
    job = started(store)
    put(store, job, 0, b"1")
    put(store, job, 0, b"2", patch=True)
    assert store.values(job.id, job.slots) == [b"1", b"2"]


@pytest.mark.parametrize(
    "outcome", [Succeeded(b"{}"), Failed("E", "m"), Cancelled(), Lost("x")], ids=type
)
def test_a_write_after_the_end_is_refused_and_writes_nothing(
    outcome: Any, store: DiskcacheStore
) -> None:
    job = started(store)
    put(store, job, 0, b"1")
    store.change(job.id, end(outcome))
    ended = store.load(job.id)
    slot, stale = job.put(0, patch=False)
    assert not store.write(job, {slot: b"2"}, stale)
    assert store.load(job.id) == ended
    assert store.values(job.id, [*stale, slot]) == [b"1", None]


def test_a_write_to_a_job_that_waits_or_is_unknown_is_refused(store: DiskcacheStore) -> None:
    waiting, unknown = new(store), Job("unknown", "cb", state=State.RUNNING)
    assert not store.write(waiting, {1: b"1"}, [])
    assert not store.write(unknown, {1: b"1"}, [])
    assert store.load("unknown") is None
    assert store.values("unknown", [1]) == [None]


def test_many_values_are_written_together(store: DiskcacheStore) -> None:
    job = started(store)
    values = {job.put(("a", f"p{i}"), patch=False)[0]: str(i).encode() for i in range(100)}
    assert store.write(job, values, [])
    assert store.values(job.id, values) == list(values.values())


def test_five_megabytes_come_back_as_they_were(make: Callable[..., DiskcacheStore]) -> None:
    store = make()
    big = b'"' + os.urandom(2_500_000).hex().encode() + b'"'
    job = Job(new_job_id(), "cb")
    store.create(job, big)
    record = store.change(job.id, begin)
    assert record is not None
    put(store, record, 0, big)
    other = make()
    assert other.request(job.id) == big
    store.change(job.id, end(Succeeded(big)), big)
    assert other.values(job.id, record.slots) == [big]
    assert response(other, job.id) == big


# Lease, cancel


def test_a_job_is_leased_from_its_claim_on(store: DiskcacheStore) -> None:
    job = new(store)
    store.enqueue(job.id)
    assert not store.leased(job.id)
    store.claim()
    assert store.leased(job.id)


def test_a_lease_that_is_not_renewed_runs_out(
    store: DiskcacheStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diskcache_store, "LEASE_SECONDS", 0.2)
    job = started(store)
    begun = time.monotonic()
    store.renew(job)
    assert store.leased(job.id)
    wait_until(lambda: not store.leased(job.id))
    assert time.monotonic() - begun >= 0.2


def test_a_renewed_lease_lasts_longer(
    store: DiskcacheStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diskcache_store, "LEASE_SECONDS", 1.0)
    job = started(store)
    until = time.monotonic() + 1.5
    while time.monotonic() < until:
        store.renew(job)
        assert store.leased(job.id)
        time.sleep(0.05)


def test_a_wish_to_cancel_is_kept(make: Callable[..., DiskcacheStore]) -> None:
    store = make()
    job = started(store)
    assert not store.cancel_asked(job.id)
    store.ask_cancel(job.id)
    assert make().cancel_asked(job.id)


# News


def test_what_was_written_since_the_watch_began_is_not_missed(
    make: Callable[..., DiskcacheStore],
) -> None:
    reader, writer = make(), make()
    job = started(writer)
    with reader.watch() as watch:
        watch.follow([job.id])
        writer.change(job.id, ending(Cancelled()))
        assert watch.wait(30)


def test_a_wait_without_news_ends_with_its_timeout(store: DiskcacheStore) -> None:
    job = started(store)
    with store.watch() as watch:
        watch.follow([job.id])
        while watch.wait(0.3):  # what there was before
            pass
        begun = time.monotonic()
        assert not watch.wait(0.05)
        assert 0.05 <= time.monotonic() - begun < 5


def test_a_wait_notices_a_write_of_the_same_handle(store: DiskcacheStore) -> None:
    job = started(store)
    with store.watch() as watch:
        watch.follow([job.id])
        while watch.wait(0.3):
            pass
        timer = threading.Timer(0.05, store.change, [job.id, ending(Cancelled())])
        timer.start()
        assert watch.wait(30)
        timer.join()


def test_wait_notices_a_write_of_another_process(
    store: DiskcacheStore, request: pytest.FixtureRequest
) -> None:
    context = multiprocessing.get_context("spawn")
    go = context.Event()
    kind = request.node.callspec.params["make"]
    process = context.Process(target=_create, args=(kind, store.directory, go))
    process.start()
    version = store.version()
    while store.wait(version, 0.5):  # what the process writes when it opens the store
        version = store.version()
    threading.Timer(0.05, go.set).start()
    assert store.wait(version, 60)
    process.join(60)
    assert process.exitcode == 0


# Queue


def test_jobs_are_claimed_in_the_order_in_which_they_came(store: DiskcacheStore) -> None:
    ids = [new(store).id for _ in range(30)]
    for job_id in ids:
        store.enqueue(job_id)
    claimed = [job.id for job in iter(store.claim, None)]
    assert claimed == ids


def test_a_claimed_job_is_running(store: DiskcacheStore) -> None:
    job = new(store)
    store.enqueue(job.id)
    claimed = store.claim()
    assert claimed is not None
    assert claimed.state is State.RUNNING
    assert store.load(job.id) == claimed
    assert [one.id for one in store.active()] == [job.id]


def test_an_empty_queue_gives_none(store: DiskcacheStore) -> None:
    assert store.claim() is None


def test_a_cancelled_job_is_passed_over(store: DiskcacheStore) -> None:
    first, second = new(store), new(store)
    for job in (first, second):
        store.enqueue(job.id)
    store.change(first.id, end(Cancelled()))
    claimed = store.claim()
    assert claimed is not None
    assert claimed.id == second.id
    assert store.claim() is None


def test_a_job_that_is_given_back_is_the_next_one(store: DiskcacheStore) -> None:
    ids = [new(store).id for _ in range(3)]
    for job_id in ids:
        store.enqueue(job_id)
    store.claim()
    store.unclaim(ids[0])
    record = store.load(ids[0])
    assert record is not None
    assert (record.state, record.started) == (State.QUEUED, None)
    assert [job.id for job in iter(store.claim, None)] == ids


def test_a_job_that_has_ended_can_not_be_given_back(store: DiskcacheStore) -> None:
    job = new(store)
    store.enqueue(job.id)
    store.claim()
    store.change(job.id, end(Lost("x")))
    store.unclaim(job.id)
    assert store.claim() is None


def test_only_running_jobs_are_active(store: DiskcacheStore) -> None:
    new(store)
    store.change(started(store).id, end(Cancelled()))
    running = started(store)
    assert [job.id for job in store.active()] == [running.id]


# Time


def wait_until(condition: Callable[[], bool], timeout: float = 20) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def fill(store: DiskcacheStore) -> list[Job]:
    """Jobs in every state, with everything that a store keeps."""
    big = b'"' + b"x" * 100_000 + b'"'
    waiting, running, ended = new(store), started(store), started(store)
    store.enqueue(waiting.id)
    store.enqueue(new(store).id, front=True)
    for job in (running, ended):
        put(store, job, 0, b"1")
        put(store, job, ("a", "b"), big)
        store.renew(job)
        store.ask_cancel(job.id)
    store.change(ended.id, end(Succeeded(big)), big)
    store.set_doorbell(12345)
    return [waiting, running, ended]


def test_an_expired_job_is_gone_for_every_reader(make: Callable[..., DiskcacheStore]) -> None:
    store = make(0.3)
    jobs = fill(store)
    other = make()
    wait_until(lambda: all(other.load(job.id) is None for job in jobs))
    wait_until(lambda: all(other.request(job.id) is None for job in jobs))
    wait_until(lambda: all(response(other, job.id) is None for job in jobs))
    assert store.claim() is None
    assert store.active() == []


def test_a_heartbeat_keeps_a_running_job_from_expiring(make: Callable[..., DiskcacheStore]) -> None:
    store = make(1.0)
    job = started(store)
    put(store, job, 0, b"1")
    until = time.monotonic() + 1.5
    while time.monotonic() < until:
        store.renew(job)
        time.sleep(0.05)
    assert store.load(job.id) == job
    assert store.request(job.id) == REQUEST
    assert store.values(job.id, job.slots) == [b"1"]


# Diskcache only


def rows(directory: Path) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(directory / "cache.db")
    found = connection.execute("SELECT key, expire_time FROM Cache").fetchall()
    connection.close()
    return found


def files(directory: Path) -> list[str]:
    return [str(p.relative_to(directory)) for p in directory.rglob("*.val")]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def disk(directory: Path) -> Iterator[DiskcacheStore]:
    store = DiskcacheStore(directory, 60)
    yield store
    store.close()


def test_every_row_of_a_diskcache_store_has_an_expiry(
    disk: DiskcacheStore, directory: Path
) -> None:
    fill(disk)
    found = rows(directory)
    assert len(found) > 15
    assert [key for key, expires in found if expires is None] == []


def test_nothing_is_left_of_a_diskcache_store_when_all_has_expired(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diskcache_store, "LEASE_SECONDS", 0.1)
    store = DiskcacheStore(directory, 0.1)
    fill(store)
    assert rows(directory)
    assert files(directory)

    def empty() -> bool:
        store.purge()
        return not rows(directory)

    wait_until(empty)
    assert files(directory) == []
    store.close()


def test_a_diskcache_directory_is_readable_by_its_owner_only(
    disk: DiskcacheStore, directory: Path
) -> None:
    disk.version()
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_a_diskcache_directory_that_was_open_is_closed_to_others(directory: Path) -> None:
    directory.mkdir(mode=0o755)
    store = DiskcacheStore(directory, 60)
    store.version()
    store.close()
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_a_diskcache_directory_is_not_made_before_it_is_used(directory: Path) -> None:
    DiskcacheStore(directory, 60).close()
    assert not directory.exists()


class Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self._path,)


def test_the_trap_of_these_tests_works(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Trap(tmp_path / "trapped")))
    assert (tmp_path / "trapped").exists()


READS: dict[str, tuple[str, Callable[[DiskcacheStore], object]]] = {
    "load": ("job-id:job", lambda store: store.load("job-id")),
    "request": ("job-id:request", lambda store: store.request("job-id")),
    "load_all": ("job-id:job", lambda store: store.load_all("job-id")),
    "values": ("job-id:u1", lambda store: store.values("job-id", [1])),
    "change": ("job-id:job", lambda store: store.change("job-id", begin)),
    "claim": ("queue-500000000000000", lambda store: store.claim()),
    "doorbell": ("doorbell", lambda store: store.doorbell()),
    "active": ("job-id:job", lambda store: store.active()),
}


@pytest.mark.parametrize("size", [1, 100_000], ids=["in a row", "in a file"])
@pytest.mark.parametrize("key,read", READS.values(), ids=READS)
def test_a_pickled_value_is_refused_and_not_unpickled(
    key: str,
    read: Callable[[DiskcacheStore], object],
    size: int,
    disk: DiskcacheStore,
    tmp_path: Path,
) -> None:
    disk.version()
    with diskcache.Cache(str(disk.directory), disk=diskcache.Disk) as forger:
        forger.set(key, (Trap(tmp_path / "trapped"), "x" * size), expire=60)
    with pytest.raises(StoreError, match="a row that this package did not write"):
        read(disk)
    assert not (tmp_path / "trapped").exists()


def test_a_pickled_key_is_refused_and_not_unpickled(
    disk: DiskcacheStore, directory: Path, tmp_path: Path
) -> None:
    disk.version()
    with diskcache.Cache(str(directory), disk=diskcache.Disk) as forger:
        forger.set(Trap(tmp_path / "trapped"), b"", expire=60)
    with pytest.raises(StoreError, match="a row that this package did not write"):
        disk.active()
    assert not (tmp_path / "trapped").exists()


def limit_pages(store: DiskcacheStore) -> None:
    """Have SQLite say that the disk is full from here on, as it does when it is."""
    connection = store._cache._con
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")


def test_a_full_disk_is_an_error_in_words_and_earlier_jobs_are_kept(disk: DiskcacheStore) -> None:
    job = started(disk)
    put(disk, job, 0, b"1")
    limit_pages(disk)
    lost: list[Job] = []

    def create_many() -> None:
        for _ in range(1000):
            lost.append(Job(new_job_id(), "cb"))
            disk.create(lost[-1], b"x" * 20_000)

    with pytest.raises(StoreError, match=r"can't be used \(.*full.*\); check .* disk is not full"):
        create_many()
    assert disk.load(lost[-1].id) is None, "the record and its request, or neither"
    assert disk.load(job.id) == job
    assert disk.values(job.id, job.slots) == [b"1"]


def test_a_directory_that_can_not_be_made_is_an_error_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = DiskcacheStore(tmp_path / "file" / "store", 60)
    with pytest.raises(StoreError, match="check that it is writable"):
        store.load("x")


def test_a_file_that_is_no_database_is_an_error_in_words(directory: Path) -> None:
    directory.mkdir()
    (directory / "cache.db").write_bytes(b"this is not SQLite" * 1000)
    store = DiskcacheStore(directory, 60)
    with pytest.raises(StoreError, match="can't be used"):
        store.load("x")


def test_a_commit_that_fails_is_an_error_in_words(disk: DiskcacheStore) -> None:
    def fail() -> None:
        with disk.transaction():
            limit_pages(disk)
            for _ in range(100):
                disk.create(Job(new_job_id(), "cb"), b"x" * 20_000)

    with pytest.raises(StoreError, match="full"):
        fail()


def test_a_store_can_be_used_again_after_it_was_closed(disk: DiskcacheStore) -> None:
    job = new(disk)
    disk.close()
    assert disk.load(job.id) == job


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_store_opens_its_own_connection_after_a_fork(tmp_path: Path) -> None:
    code = """
import os, sys
from dash_long_callback.jobs import Job
from dash_long_callback.stores.diskcache import DiskcacheStore
store = DiskcacheStore(sys.argv[1], 60)
store.create(Job("parent", "cb"), b"{}")
before = store._opened
child = os.fork()
if child == 0:
    store.create(Job("child", "cb"), b"{}")
    os._exit(0 if store._opened is not before and store.load("parent") else 1)
code = os.waitpid(child, 0)[1]
assert store.load("child") and store._opened is before
sys.exit(code)
"""
    command = [sys.executable, "-c", code, str(tmp_path / "store")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_the_doorbell_is_the_port_that_was_set_last(disk: DiskcacheStore) -> None:
    assert disk.doorbell() is None
    disk.set_doorbell(1)
    disk.set_doorbell(2)
    assert disk.doorbell() == 2
