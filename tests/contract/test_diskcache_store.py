"""What only a DiskcacheStore is asked: its queue, its rows and files, its folder, its errors."""

# pyright: reportPrivateUsage=false
from __future__ import annotations

import os
import pickle
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import diskcache  # pyright: ignore[reportMissingTypeStubs]
import pytest
from stores import new, put, started, wait_until

from dash_long_callback.errors import StoreError
from dash_long_callback.jobs import (
    Cancelled,
    End,
    Job,
    Lost,
    Requeue,
    State,
    Succeeded,
    new_job_id,
)
from dash_long_callback.stores import sqlite, sqlite_notifier, timing
from dash_long_callback.stores.diskcache import DiskcacheStore

#: Stores and records know nothing of Dash (see ``tests/unit/test_structure.py``).
pytestmark = pytest.mark.newest_only


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def disk(directory: Path) -> Iterator[DiskcacheStore]:
    store = DiskcacheStore(directory, 60)
    yield store
    store.close()


def fill(store: DiskcacheStore) -> list[Job]:
    """Jobs in every state, with everything that a store keeps."""
    big = b'"' + b"x" * 100_000 + b'"'
    waiting, running, ended = new(store, owner="o"), started(store), started(store)
    for job in (running, ended):
        put(store, job, 0, b"1")
        put(store, job, ("a", "b"), big)
        store.renew(job)
        store.ask_cancel(job.id)
    store.note_presence(running.id, store.retention)
    store.clear()
    store.finish(ended, Succeeded(big))
    store.set_port(12345)
    return [waiting, running, ended]


def test_of_many_threads_each_claims_another_job(disk: DiskcacheStore) -> None:
    ids = [new(disk).id for _ in range(20)]
    claimed: list[str] = []

    def claim_all() -> None:
        while (job := disk.claim()) is not None:
            claimed.append(job.id)

    threads = [threading.Thread(target=claim_all) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(claimed) == sorted(ids)


def test_jobs_are_claimed_in_the_order_in_which_they_came(disk: DiskcacheStore) -> None:
    ids = [new(disk).id for _ in range(30)]
    claimed = [job.id for job in iter(disk.claim, None)]
    assert claimed == ids


def test_a_claimed_job_is_running(disk: DiskcacheStore) -> None:
    job = new(disk)
    claimed = disk.claim()
    assert claimed is not None
    assert claimed.state is State.RUNNING
    assert disk.load(job.id) == claimed
    assert [one.id for one in disk.active()] == [job.id]


def test_an_empty_queue_gives_none(disk: DiskcacheStore) -> None:
    assert disk.claim() is None


def test_a_cancelled_job_is_passed_over(disk: DiskcacheStore) -> None:
    first, second = new(disk), new(disk)
    disk.change(first.id, End(Cancelled()))
    claimed = disk.claim()
    assert claimed is not None
    assert claimed.id == second.id
    assert disk.claim() is None


def test_a_job_that_is_given_back_is_the_next_one(disk: DiskcacheStore) -> None:
    ids = [new(disk).id for _ in range(3)]
    disk.claim()
    disk.change(ids[0], Requeue(1, begun=False))
    record = disk.load(ids[0])
    assert record is not None
    assert (record.state, record.started) == (State.QUEUED, None)
    assert [job.id for job in iter(disk.claim, None)] == ids


def test_a_job_that_has_ended_can_not_be_given_back(disk: DiskcacheStore) -> None:
    job = new(disk)
    disk.claim()
    disk.change(job.id, End(Lost("x")))
    disk.change(job.id, Requeue(1, begun=False))
    assert disk.claim() is None


def test_only_running_jobs_are_active(disk: DiskcacheStore) -> None:
    new(disk)
    disk.change(started(disk).id, End(Cancelled()))
    running = started(disk)
    assert [job.id for job in disk.active()] == [running.id]


def rows(directory: Path) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(directory / "jobs.db")
    found = connection.execute("SELECT name, expires FROM rows").fetchall()
    found += connection.execute("SELECT id, created FROM jobs").fetchall()
    found += connection.execute(
        "SELECT value, number FROM counts WHERE field <> 'state'"
    ).fetchall()
    connection.close()
    return found


def test_nothing_is_left_of_a_diskcache_store_when_all_has_expired(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LEASE_SECONDS", "LONGEST_SECONDS"):
        monkeypatch.setattr(timing, name, 0.1)
    monkeypatch.setattr(timing, "WAITING", 1)
    monkeypatch.setattr(sqlite_notifier, "KEEP_SECONDS", 0.1)
    monkeypatch.setattr(sqlite, "KEPT_PAGES", 10)
    store = DiskcacheStore(directory, 0.1)
    fill(store)
    assert len(rows(directory)) > 15

    def empty() -> bool:
        store.purge()
        return not rows(directory)

    wait_until(empty)
    assert store.count() == store.count("owner", "o") == 0
    sqlite_rows: Any = store.rows
    execute = sqlite_rows.pool.execute
    pages, free = (execute(f"PRAGMA {name}").fetchone()[0] for name in PAGES)
    assert free <= 10 < pages < 50, "what it took is given back"
    assert execute("SELECT count(*) FROM News").fetchone() == (1,), "so that no number comes twice"
    store.close()


PAGES = "page_count", "freelist_count"


def test_a_diskcache_directory_is_readable_by_its_owner_only(
    disk: DiskcacheStore, directory: Path
) -> None:
    disk.port()
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_a_diskcache_directory_that_was_open_is_closed_to_others(directory: Path) -> None:
    directory.mkdir(mode=0o755)
    store = DiskcacheStore(directory, 60)
    store.port()
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


def outcome(job: Job | None) -> str:
    assert job is not None
    assert job.error is not None
    return f"{job.state.value}: {job.error['type']}"


def test_a_pickled_result_is_passed_over_and_not_unpickled(
    disk: DiskcacheStore, tmp_path: Path
) -> None:
    assert disk.kept("key", None) is None
    folder = str(disk.directory / "results")
    with diskcache.Cache(folder, disk=diskcache.Disk) as forger:
        for size in (1, 100_000):  # in a row, in a file
            forger.set("key", (Trap(tmp_path / "trapped"), "x" * size), expire=60)
            assert disk.kept("key", None) is None
        forger.set(Trap(tmp_path / "trapped"), b"", expire=60)
    disk.clear()
    disk.purge()
    assert not (tmp_path / "trapped").exists()


def limit_pages(disk: DiskcacheStore) -> None:
    """Have SQLite say that the disk is full from here on, as it does when it is."""
    sqlite_rows: Any = disk.rows
    connection = sqlite_rows.pool.connection
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
    (directory / "jobs.db").write_bytes(b"this is not SQLite" * 1000)
    store = DiskcacheStore(directory, 60)
    with pytest.raises(StoreError, match="can't be used"):
        store.load("x")


def test_a_store_can_be_used_again_after_it_was_closed(disk: DiskcacheStore) -> None:
    job = new(disk)
    disk.close()
    assert disk.load(job.id) == job


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_store_opens_its_own_connection_after_a_fork(tmp_path: Path) -> None:
    code = """
import os, sys
from dash_long_callback.jobs import Begin, End, Finish, Job
from dash_long_callback.stores.diskcache import DiskcacheStore
store = DiskcacheStore(sys.argv[1], 60)
store.create(Job("parent", "cb"), b"{}")
before = store.rows._opened
child = os.fork()
if child == 0:
    store.create(Job("child", "cb"), b"{}")
    os._exit(0 if store.rows._opened is not before and store.load("parent") else 1)
code = os.waitpid(child, 0)[1]
assert store.load("child") and store.rows._opened is before
sys.exit(code)
"""
    command = [sys.executable, "-c", code, str(tmp_path / "store")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_fork_while_threads_use_the_store_leaves_it_usable_in_the_child(tmp_path: Path) -> None:
    code = """
import os, signal, sys, threading
from dash_long_callback.jobs import Begin, End, Finish, Job, new_job_id
from dash_long_callback.stores.diskcache import DiskcacheStore
store = DiskcacheStore(sys.argv[1], 60)
store.create(Job("parent", "cb"), b"{}")
go_on = True

def write():
    while go_on:
        store.create(Job(new_job_id(), "cb"), b"{}")
        store.load_all("parent")

def follow():
    while go_on:
        with store.subscribe() as subscription:
            subscription.follow(["parent"])

threads = [threading.Thread(target=run) for run in (write, write, write, follow)]
for thread in threads:
    thread.start()
codes = []
for number in range(40):
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        store.create(Job(f"child {number}", "cb"), b"{}")
        os._exit(0 if store.load("parent") else 1)
    codes.append(os.waitpid(child, 0)[1])
go_on = False
for thread in threads:
    thread.join()
assert all(store.load(f"child {number}") for number in range(40))
assert not any(codes), codes
"""
    command = [sys.executable, "-c", code, str(tmp_path / "store")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


def test_the_port_is_the_one_that_was_set_last(disk: DiskcacheStore) -> None:
    assert disk.port() is None
    disk.set_port(1)
    disk.set_port(2)
    assert disk.port() == 2


def test_an_expired_job_is_neither_queued_nor_active(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timing, "WAITING", 1)
    store = DiskcacheStore(directory, 0.3)
    jobs = fill(store)
    wait_until(lambda: all(store.load(job.id) is None for job in jobs))
    assert store.claim() is None
    assert list(store.active()) == []
    store.close()


#: No file may be larger than a megabyte, which ends a write in its middle, as a full disk does.
TOO_LARGE = """
import resource, signal, sys
from pathlib import Path
from dash_long_callback.errors import StoreError
from dash_long_callback.jobs import Begin, Job, State, Succeeded
from dash_long_callback.stores.diskcache import DiskcacheStore

folder, big = Path(sys.argv[1]), b"x" * 5_000_000
store = DiskcacheStore(folder, 60)
store.create(Job("id", "cb"), b"{}")
running = store.change("id", Begin())
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
try:
    store.finish(running, Succeeded(big))
except StoreError as error:
    print(error)
job = store.load("id")
assert (job.state, job.result_size, store.has_result(job)) == (State.RUNNING, None, False)
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
ended = store.finish(running, Succeeded(big))
assert ended.result_size == len(big)
assert b"".join(store.pieces(ended)) == big
store.close()
"""


def test_a_result_that_can_not_be_written_leaves_job_and_folder_as_they_were(
    tmp_path: Path,
) -> None:
    command = [sys.executable, "-c", TOO_LARGE, str(tmp_path / "jobs")]
    done = subprocess.run(command, check=True, timeout=60, capture_output=True, text=True)
    assert "can't be used" in done.stdout
