"""The embedded engine's store when rows, files and locks are not as they should be."""

# pyright: reportPrivateUsage=false
from __future__ import annotations

import json
import logging
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import filelock
import pytest
import redis
from apps import wait_until
from celery_stack import refusal
from engine import EngineServer, gunicorn_server, python_server
from hypothesis import given
from hypothesis import strategies as st

from dash_long_callback.errors import StoreError
from dash_long_callback.jobs import (
    Begin,
    Cancelled,
    End,
    Job,
    Result,
    State,
    Succeeded,
    new_job_id,
)
from dash_long_callback.stores import parse, sqlite_file, sqlite_queue
from dash_long_callback.stores import sqlite_schema as sql
from dash_long_callback.stores.diskcache import DiskcacheStore
from dash_long_callback.stores.job_store import JobStore
from dash_long_callback.stores.ports import Batch
from dash_long_callback.stores.redis import RedisStore

REQUEST = b'{"inputs":[]}'
GARBAGE = b"\xff\xfe\x00 no JSON and no UTF-8"
#: What may be in a row, as SQL.
VALUES = {
    "bytes": f"x'{GARBAGE.hex()}'",
    "text": "'text'",
    "text that is no UTF-8": f"CAST(x'{GARBAGE.hex()}' AS TEXT)",
    "an integer": "42",
    "a pickle": "x'80049589'",
}
#: What may be in a row of diskcache: mode, size, name of a file, value as SQL.
KINDS: dict[str, tuple[object, int, str | None, str]] = {
    "bytes": (1, 0, None, f"x'{GARBAGE.hex()}'"),
    "text": (1, 0, None, "'text'"),
    "text that is no UTF-8": (1, 0, None, f"CAST(x'{GARBAGE.hex()}' AS TEXT)"),
    "an integer": (1, 0, None, "42"),
    "nothing": (1, 0, None, "NULL"),
    "a pickle": (4, 0, None, "x'80049589'"),
    "no mode": ("'x'", 0, None, "x'00'"),
    "a file that is missing": (2, 5, f"ab/cd/{'0' * 28}.val", "NULL"),
    "a file that is cut off": (2, 500, f"ab/cd/{'1' * 28}.val", "NULL"),
    "somebody else's file": (2, 5, "../../secret", "NULL"),
}
kinds = pytest.mark.parametrize("kind", KINDS)
values = pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)


@pytest.fixture(autouse=True)
def _nothing_said_yet(monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction]
    monkeypatch.setattr(parse, "_faults", {})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "some" / "store"


@pytest.fixture
def store(folder: Path) -> Iterator[DiskcacheStore]:
    one = DiskcacheStore(folder, 60, patience=1.0)
    yield one
    one.close()


def new(store: JobStore, **fields: Any) -> Job:
    job = Job(new_job_id(), "cb", **fields)
    store.create(job, REQUEST)
    return job


def run(folder: Path, statement: str, *arguments: object) -> list[Any]:
    """Run SQL as somebody else would."""
    name = "cache.db" if folder.name == "results" else "jobs.db"
    with closing(sqlite3.connect(folder / name, isolation_level=None, timeout=20)) as db:
        return db.execute(statement, arguments).fetchall()


def forge(folder: Path, name: str, value: str) -> None:
    """Put into a row what this package did not write."""
    run(folder, "DELETE FROM rows WHERE name = ?", name)
    run(folder, f"INSERT INTO rows VALUES (?, {value}, 9e9)", name)


def forge_queued(folder: Path, job_id: str, number: int) -> None:
    """Put into the queue what this package did not put there; the id as SQL."""
    run(
        folder,
        "INSERT INTO jobs"
        " (id, state, callback, created, queue, priority, lane, gate, turn, number, not_before)"
        f" VALUES ({job_id}, 'queued', 'cb', 0, '', 0, '', '', 0, ?, 0)",
        number,
    )


def forge_result(folder: Path, key: str, kind: str) -> None:
    """Put into a row of kept results what this package did not write."""
    results = folder / "results"
    (results / "ab" / "cd").mkdir(parents=True, exist_ok=True)
    (results / "ab" / "cd" / f"{'1' * 28}.val").write_bytes(b"short")
    (folder.parent / "secret").write_bytes(b"12345")
    mode, size, name, value = KINDS[kind]
    run(results, "DELETE FROM Cache WHERE key = ?", key)
    run(
        results,
        "INSERT INTO Cache (key, raw, store_time, expire_time, access_time, tag, mode, size,"
        f" filename, value) VALUES (?1, 1, 0, 9e9, 0, 'cb', {mode}, {size}, ?2, {value})",
        key,
        name,
    )


def said(caplog: pytest.LogCaptureFixture, what: str) -> int:
    return sum(what in record.getMessage() for record in caplog.records)


# Rows that can't be read


@values
def test_an_entry_of_the_queue_that_can_not_be_read_holds_up_nobody(
    value: str, store: DiskcacheStore, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    jobs = [new(store) for _ in range(2)]
    forge_queued(folder, value, 1)
    forge_queued(folder, f"CAST({value} || x'31' AS TEXT)", 2)
    assert [job.id for job in iter(store.claim, None)] == [job.id for job in jobs]
    assert said(caplog, "an entry of the queue can't be read and is ignored") <= 1
    store.purge()


@values
def test_a_record_that_can_not_be_read_is_a_failed_job_and_nothing_else_suffers(
    value: str, store: DiskcacheStore, folder: Path
) -> None:
    broken, queued, running = new(store), new(store), new(store)
    store.change(running.id, Begin())
    forge(folder, f"{broken.id}:job", value)
    found = store.load(broken.id)
    assert found is not None
    assert found.state is State.FAILED
    assert found.error is not None
    assert "can't be read" in found.error["message"]
    both = store.load_all(broken.id)
    assert both is not None
    assert (both[0].error, both[1]) == (found.error, None)
    assert store.change(broken.id, End(Cancelled())) is None
    assert not store.write(broken, {1: b"1"}, [])
    assert not store.renew(broken)
    assert [job.id for job in store.active()] == [running.id]
    assert {job.id for job in store.list(limit=9)} == {broken.id, queued.id, running.id}
    claimed = store.claim()
    assert claimed is not None
    assert claimed.id == queued.id
    assert store.claim() is None


@values
def test_other_rows_that_can_not_be_read_count_as_missing(
    value: str, store: DiskcacheStore, folder: Path
) -> None:
    job = store.change(new(store, cache_key="key", kept=True).id, Begin())
    assert job is not None
    for name in ("waiters", "request", "update-1", "lease", "worker"):
        forge(folder, f"{job.id}:{name}", value)
    for name in ("key:in-flight", ":cleared", "cb:cleared", ":port", "waiter:joined"):
        forge(folder, name, value)
    assert store.port() in (None, 42)
    assert store.in_flight("key") is None
    joined = store.joined("waiter")
    assert joined is None or store.load(joined.job_id) is None
    store.request(job.id)  # whatever it is, its job fails alone
    assert len(store.values(job.id, [1])) == 1
    assert store.renew(job)
    store.join(job, "waiter")
    assert store.joined("waiter") == (job.id, None)
    assert store.leave(job, "waiter")
    for name in (":cleared", "cb:cleared"):
        forge(folder, name, value)
    store.keep(job, b'"kept"')
    assert store.kept("key", None) == Result([], b'"kept"')
    assert store.finish(job, Succeeded(b"{}"))
    store.purge()


@values
def test_an_attempt_that_can_not_be_read_is_nobodys(
    value: str, store: DiskcacheStore, folder: Path
) -> None:
    job = store.change(new(store).id, Begin())
    assert job is not None
    forge(folder, f"{job.id}:attempt", value)
    assert not store.write(job, {1: b"1"}, [])
    assert not store.renew(job)
    assert store.change(job.id, End(Cancelled()))


@kinds
def test_a_kept_result_that_can_not_be_read_counts_as_missing(
    kind: str, store: DiskcacheStore, folder: Path
) -> None:
    job = new(store, cache_key="key", kept=True)
    store.keep(job, b'"kept"')
    forge_result(folder, "key", kind)
    assert store.kept("key", None) is None
    store.keep(job, b'"again"')
    assert store.kept("key", None) == Result([], b'"again"')


#: Writes a key of a type, with what nobody expects in it.
REDIS_TYPES: dict[str, Callable[[Any, str], object]] = {
    "string": lambda client, key: client.set(key, GARBAGE),
    "hash": lambda client, key: client.hset(key, "a", "b"),
    "sorted set": lambda client, key: client.zadd(key, {"a": 1}),
    "list": lambda client, key: client.rpush(key, "a"),
    "set": lambda client, key: client.sadd(key, GARBAGE),
}


@pytest.mark.parametrize("kind", REDIS_TYPES)
def test_redis_keys_that_can_not_be_read_count_as_missing(kind: str, redis_url: str) -> None:
    client = redis.Redis.from_url(redis_url)  # pyright: ignore[reportUnknownMemberType]

    def forge(name: str) -> None:
        client.delete(f"dlc:{name}")
        REDIS_TYPES[kind](client, f"dlc:{name}")

    store = RedisStore(lambda: redis.Redis.from_url(redis_url), 60)  # pyright: ignore[reportUnknownMemberType]
    job = new(store, cache_key="key", kept=True)
    job = store.change(job.id, Begin()) or job
    other = store.change(new(store).id, Begin())
    assert other is not None
    for one in (f"{job.id}:waiters", "key:in-flight", "key:kept", ":cleared", "cb:cleared"):
        forge(one)
    for one in (":generation", "cb:generation", "waiter:joined", f"{job.id}:lease"):
        forge(one)
    for one in ("index", "expiry"):
        forge(one)
    assert store.in_flight("key") is None
    joined = store.joined("waiter")
    assert joined is None or store.load(joined.job_id) is None
    assert store.kept("key", None) is None
    assert store.renew(job)
    store.join(job, "waiter")
    assert store.joined("waiter") == (job.id, None)
    assert store.leave(job, "waiter")
    store.keep(job, b'"kept"')
    assert store.kept("key", None) == Result([], b'"kept"')
    store.clear("cb")
    forge("key:in-flight")
    assert store.finish(job, Succeeded(b"{}"))
    assert job.id in [one.id for one in store.list("state", "succeeded", limit=9)]
    forge(f"{job.id}:job")
    found = store.load(job.id)
    if kind == "string":  # else it is as if there was none
        assert found is not None
        assert found.error is not None
        assert found.error["type"] == "JobUnreadable"
    assert not store.write(job, {1: b"1"}, [])
    assert not store.renew(job)
    assert store.change(job.id, End(Cancelled())) is None
    assert store.request(job.id) is None
    assert store.load(other.id) == other
    store.close()


def test_values_of_a_backend_that_can_not_be_read_count_as_missing(tmp_path: Path) -> None:
    from celery import Celery

    from dash_long_callback.managers.celery import _store

    app = Celery("stores", broker="memory://", backend=f"file://{tmp_path}")
    store: Any = _store(app, 60)
    job = new(store, cache_key="key", kept=True)
    job = store.change(job.id, Begin())
    for value in (GARBAGE, b"42", b"[]", b'{"a": 1}', b'["cb"]', b"[1, 2, 3]", b"null"):

        def forge(name: str, value: bytes = value) -> None:
            assert store.rows.apply(Batch(put={name: (value, 60)}))

        store.keep(job, b'"kept"')
        for name in (f"{job.id}:waiters", f"{job.id}:lease", "waiter:joined", "key:in-flight"):
            forge(name)
        for name in ("key:kept", ":generation"):
            forge(name)
        assert store.in_flight("key") is None
        joined = store.joined("waiter")
        assert joined is None or store.load(joined.job_id) is None
        assert store.kept("key", None) is None
        assert store.leased(job.id)
        assert store.renew(job)
        forge(f"{job.id}:waiters")
        store.join(job, "waiter")
        assert store.leave(job, "waiter") is (value != b'["cb"]')
        store.keep(job, b'"kept"')
        assert store.kept("key", None) == Result([], b'"kept"')
        forge("broken:job")
        assert store.load("broken").error["type"] == "JobUnreadable"
        assert store.load(job.id) == job
    store.close()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


def use(job: Job) -> None:
    """What is done with a record whoever's it is."""
    assert job.id == "id"
    assert isinstance(job.dump(), bytes)
    assert isinstance(job.seq > 3, bool)
    assert isinstance(time.time() - (job.started or 0) < 1, bool)
    assert isinstance(job.created <= 1.0, bool)
    job.since(0)
    hash((job.callback, job.cache_key))
    json.dumps([job.error, [slot.target for slot in job.slots.values()]])


@given(st.binary())
def test_any_bytes_are_a_job(data: bytes) -> None:
    job = Job.load(data, "id")
    use(job)
    assert job.state is State.FAILED


@given(st.sampled_from(sorted(json.loads(Job("id", "cb").dump()))), JSON)
def test_a_record_with_any_value_in_a_field_is_a_job(name: str, value: object) -> None:
    raw = json.loads(Job("id", "cb", State.RUNNING).dump())
    use(Job.load(json.dumps({**raw, name: value}).encode(), "id"))


@given(JSON)
def test_a_record_with_any_slot_is_a_job(value: object) -> None:
    raw = json.loads(Job("id", "cb", State.RUNNING).dump())
    use(Job.load(json.dumps({**raw, "slots": [[1, 0, False], value]}).encode(), "id"))


@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode() + b"\n12345"))
def test_any_bytes_are_a_result_or_a_value_error(data: bytes) -> None:
    try:
        result = Result.load(data)
    except ValueError:
        return
    assert all(isinstance(value, bytes) for _, value in result.updates)


# The file


def swap(folder: Path, data: bytes | Path | None) -> None:
    """Put something in the place of a database."""
    path = folder / "jobs.db"
    if data is None:
        path.unlink()
    elif isinstance(data, Path):
        other = folder.parent / "other.db"
        with closing(sqlite3.connect(data)) as good, closing(sqlite3.connect(other)) as copy:
            good.backup(copy)
        other.replace(path)
    else:
        path.write_bytes(data)


@pytest.fixture
def good(tmp_path: Path) -> Iterator[tuple[Path, Job]]:
    """Another database, which holds a job."""
    store = DiskcacheStore(tmp_path / "good", 60)
    yield tmp_path / "good" / "jobs.db", new(store)
    store.close()


def healthy(folder: Path) -> bool:
    return run(folder, "PRAGMA integrity_check") == [("ok",)]


def test_a_deleted_database_is_made_anew_and_said_once(
    store: DiskcacheStore, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    old = new(store)
    swap(folder, None)
    assert store.load(old.id) is None
    job = new(store)
    assert store.load(job.id) == job
    assert said(caplog, "was deleted; its jobs are lost") == 1
    assert healthy(folder)
    assert run(folder, "SELECT count(*) FROM jobs") == [(1,)]


def test_an_emptied_database_is_made_anew(store: DiskcacheStore, folder: Path) -> None:
    old = new(store)
    swap(folder, b"")
    assert store.load(old.id) is None
    job = new(store)
    assert store.load(job.id) == job
    assert healthy(folder)


def test_a_folder_that_was_removed_is_made_anew(store: DiskcacheStore, folder: Path) -> None:
    old = new(store)
    shutil.rmtree(folder)
    assert store.load(old.id) is None
    job = new(store)
    assert store.load(job.id) == job


def test_a_database_that_was_replaced_by_another_is_used_whole(
    store: DiskcacheStore,
    folder: Path,
    good: tuple[Path, Job],
    caplog: pytest.LogCaptureFixture,
) -> None:
    old = [new(store) for _ in range(50)]
    swap(folder, good[0])
    assert store.load(old[0].id) is None
    assert store.load(good[1].id) == good[1]
    assert said(caplog, "was replaced by another file") == 1
    job = new(store)
    store.close()
    assert store.load(job.id) == job
    assert healthy(folder)


def test_a_damaged_database_is_refused_in_words_until_there_is_a_good_one(
    store: DiskcacheStore,
    folder: Path,
    good: tuple[Path, Job],
    caplog: pytest.LogCaptureFixture,
) -> None:
    new(store)
    run(folder, "PRAGMA wal_checkpoint(TRUNCATE)")
    swap(folder, b"garbage " * 5000)
    for _ in range(5):
        with pytest.raises(StoreError, match="can't be used"):
            new(store)
    with pytest.raises(StoreError, match=r"jobs\.db can't be used, as it is damaged .*remove it"):
        store.load("x")
    assert said(caplog, "is damaged") == 1
    assert (folder / "jobs.db").read_bytes().startswith(b"garbage")
    swap(folder, good[0])
    assert store.load(good[1].id) == good[1]
    assert new(store)
    assert healthy(folder)


@pytest.mark.parametrize("size", [0.3, 0.7])
def test_a_database_that_was_cut_off_is_refused_until_it_is_removed(
    size: float, store: DiskcacheStore, folder: Path
) -> None:
    for _ in range(200):
        new(store)
    run(folder, "PRAGMA wal_checkpoint(TRUNCATE)")
    path = folder / "jobs.db"
    os.truncate(path, int(path.stat().st_size * size))

    def refused() -> bool:
        try:
            new(store)
        except StoreError as error:
            return "damaged" in str(error)
        return False

    wait_until(refused, 20)
    path.unlink()
    assert new(store)
    assert healthy(folder)


def test_a_good_copy_that_is_written_over_a_damaged_file_is_used(
    store: DiskcacheStore, folder: Path, good: tuple[Path, Job], tmp_path: Path
) -> None:
    new(store)
    run(folder, "PRAGMA wal_checkpoint(TRUNCATE)")
    swap(folder, b"garbage " * 5000)
    for _ in range(2):
        with pytest.raises(StoreError):
            new(store)
    swap(tmp_path, good[0])  # makes a copy
    shutil.copyfile(tmp_path / "jobs.db", folder / "jobs.db")
    assert store.load(good[1].id) == good[1]
    assert new(store)
    assert healthy(folder)


def test_a_file_in_place_of_the_folder_is_refused_in_words_until_it_is_moved(
    store: DiskcacheStore, folder: Path
) -> None:
    folder.parent.mkdir(parents=True)
    folder.write_text("a file")
    with pytest.raises(StoreError, match="move the file away that is in its place"):
        new(store)
    folder.unlink()
    assert new(store)


def test_damaged_results_stop_no_job_and_are_said_once(
    store: DiskcacheStore, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "results").mkdir(parents=True)
    (folder / "results" / "cache.db").write_bytes(b"garbage " * 5000)
    job = new(store, cache_key="key", kept=True)
    for _ in range(3):
        store.keep(job, b"1")
        assert store.kept("key", None) is None
    store.purge()
    assert store.change(job.id, Begin())
    assert said(caplog, "results can't be kept") == 1
    with pytest.raises(StoreError, match="damaged"):
        store.clear()
    (folder / "results" / "cache.db").unlink()
    store.keep(new(store, cache_key="key", kept=True), b"1")
    assert store.kept("key", None) == Result([], b"1")


@pytest.mark.parametrize("replace", [False, True], ids=["deleted", "replaced"])
def test_who_waits_for_a_job_that_is_gone_is_told_to_look(
    replace: bool, store: DiskcacheStore, folder: Path, good: tuple[Path, Job]
) -> None:
    job = new(store)
    with store.subscribe() as subscription:
        subscription.follow([job.id])
        swap(folder, good[0] if replace else None)
        assert subscription.wait(20)
        assert store.load(job.id) is None
        if replace:
            subscription.follow([good[1].id])
            subscription.waker.wait(0)
            assert store.change(good[1].id, Begin())
            assert subscription.wait(20)


PROCESS = """
import sys, time
from pathlib import Path
from dash_long_callback.errors import StoreError
from dash_long_callback.jobs import Begin, Job, new_job_id
from dash_long_callback.stores.diskcache import DiskcacheStore

folder, stop = Path(sys.argv[1]), Path(sys.argv[2])
store = DiskcacheStore(folder, 600, patience=20)
jobs, last = [], False
while True:
    last = stop.exists()
    try:
        job = Job(new_job_id(), "cb")
        store.create(job, b"{}")
        store.change(job.id, Begin())
        jobs.append(job.id)
        with Path(sys.argv[3]).open("a") as done:
            done.write(".")
    except StoreError as error:
        print("refused", error)
        if last:
            continue
    if last:
        break
    time.sleep(0.001)
assert store.load(jobs[-1])
print("last", jobs[-1])
"""


@contextmanager
def processes(count: int, code: str, *args: object) -> Generator[list[subprocess.Popen[str]]]:
    command = [sys.executable, "-c", code, *map(str, args)]
    started = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(count)
    ]
    try:
        yield started
    finally:
        for one in started:
            one.kill()
            one.communicate()


def test_processes_that_open_a_new_database_at_once_do_not_destroy_it(
    folder: Path, tmp_path: Path, good: tuple[Path, Job]
) -> None:
    stop, done = tmp_path / "stop", tmp_path / "done"
    done.touch()

    def more() -> None:
        # Not by looking into the database, which this process must not open meanwhile.
        before = done.stat().st_size
        wait_until(lambda: done.stat().st_size > before + 100, 60)

    with processes(4, PROCESS, folder, stop, done) as started:
        for number in range(8):
            more()
            swap(folder, good[0] if number % 2 else None)
        more()
        stop.touch()
        last: list[str] = []
        for one in started:
            out, err = one.communicate(timeout=60)
            assert one.returncode == 0, err
            last.append(out.split()[-1])
    assert healthy(folder)
    store = DiskcacheStore(folder, 60)
    assert [store.load(job) is None for job in last] == [False] * 4
    store.close()


def test_a_process_that_comes_after_a_database_was_replaced_uses_it_whole(
    store: DiskcacheStore, folder: Path, good: tuple[Path, Job]
) -> None:
    for _ in range(50):
        new(store)  # in the file beside it, which stays
    swap(folder, good[0])
    with processes(1, ONE, folder, good[1].id) as started:
        out, err = started[0].communicate(timeout=60)
        assert started[0].returncode == 0, err
    assert store.load(out.strip()) is not None
    assert healthy(folder)


ONE = """
import sys
from dash_long_callback.jobs import Job, new_job_id
from dash_long_callback.stores.diskcache import DiskcacheStore

store = DiskcacheStore(sys.argv[1], 60)
assert store.load(sys.argv[2])
job = Job(new_job_id(), "cb")
store.create(job, b"{}")
print(job.id)
"""


# Locks


@contextmanager
def locked(folder: Path) -> Generator[None]:
    """Hold the write lock of a database."""
    name = "cache.db" if folder.name == "results" else "jobs.db"
    with closing(sqlite3.connect(folder / name, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        yield
        db.execute("ROLLBACK")


WRITES: dict[str, Callable[[DiskcacheStore, Job], object]] = {
    "create": lambda store, job: new(store),
    "claim": lambda store, job: store.claim(),
    "change": lambda store, job: store.change(job.id, Begin()),
    "renew": lambda store, job: store.renew(job),
    "presence": lambda store, job: store.note_presence(job.id, 1),
    "clear": lambda store, job: store.clear(),
    "purge": lambda store, job: store.purge(),
    "set_port": lambda store, job: store.set_port(1),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_lock_that_is_held_for_long_is_an_error_in_words(
    write: Callable[[DiskcacheStore, Job], object], folder: Path
) -> None:
    store = DiskcacheStore(folder, 60, patience=0.2)
    job = new(store)
    run(folder, "INSERT INTO News (name, at) VALUES ('x', 0)")
    with locked(folder):
        assert store.load(job.id) == job
        with pytest.raises(StoreError, match=r"held the lock of \S+/store for 0\.2 s"):
            write(store, job)
    write(store, job)
    store.close()


def test_a_database_whose_lock_is_held_is_opened_and_read(folder: Path) -> None:
    with closing_store(folder) as other:
        job = new(other)
    store = DiskcacheStore(folder, 60, patience=0.2)
    with locked(folder):
        assert store.load(job.id) == job
        with pytest.raises(StoreError, match="held the lock"):
            new(store)
    assert new(store)
    store.close()


@contextmanager
def closing_store(folder: Path) -> Generator[DiskcacheStore]:
    store = DiskcacheStore(folder, 60)
    yield store
    store.close()


def test_many_threads_that_wait_for_who_opens_it_wait_at_the_same_time(folder: Path) -> None:
    with closing_store(folder) as other:
        new(other)
    store = DiskcacheStore(folder, 60, patience=0.5)
    errors: list[StoreError] = []

    def read() -> None:
        try:
            store.port()
        except StoreError as error:
            errors.append(error)

    def seconds(count: int) -> float:
        threads = [threading.Thread(target=read) for _ in range(count)]
        begun = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return time.monotonic() - begun

    with filelock.FileLock(folder / sqlite_file.LOCK_NAME):
        one = seconds(1)
        # One after the other they would take twenty times as long.
        assert seconds(20) < 10 * one
    assert len(errors) == 21
    store.close()


def test_what_sqlite_says_when_a_transaction_begins_is_told_and_not_waited_for(
    store: DiskcacheStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new(store)
    sqlite_rows: Any = store.rows
    pool = sqlite_rows.pool
    pool.connection.execute("PRAGMA query_only = 1")  # stays with this connection

    class Broken:
        in_transaction = False

        def execute(self, *_args: object) -> None:
            raise sqlite3.OperationalError("disk I/O error")

        def close(self) -> None:
            pass

    monkeypatch.setattr(pool._local.loan, "connection", Broken())
    with pytest.raises(StoreError, match=r"can't be used \(disk I/O error\)"):
        new(store)
    assert new(store), "on another connection"


def test_kept_results_whose_lock_is_held_are_computed_again(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = DiskcacheStore(folder, 60, patience=0.2)
    job = new(store, cache_key="key", kept=True)
    store.keep(job, b"1")
    with locked(folder / "results"):
        store.keep(new(store, cache_key="other", kept=True), b"2")
        assert store.kept("key", None) == Result([], b"1"), "a hit, if reading is possible"
    assert store.kept("other", None) is None
    assert said(caplog, "results can't be kept") == 1
    store.close()


SUBMIT = """
import sys
from dash_long_callback.jobs import Job, new_job_id
from dash_long_callback.stores.diskcache import DiskcacheStore

store = DiskcacheStore(sys.argv[1], 600)
for _ in range(200):
    job = Job(new_job_id(), "cb")
    store.create(job, b"{}")
"""


def test_honest_contention_refuses_nobody(folder: Path) -> None:
    with processes(8, SUBMIT, folder) as started:
        for one in started:
            err = one.communicate(timeout=100)[1]
            assert one.returncode == 0, err
    store = DiskcacheStore(folder, 60)
    claimed = [job.id for job in iter(store.claim, None)]
    assert len(set(claimed)) == 8 * 200
    store.close()


# Many jobs, and those of an earlier version


#: What is said again and again, and how many values it takes.
STATEMENTS = {"READ": 2, "COUNT": 2, "PURGE_ROWS": 1, "PURGE_JOBS": 1}
#: The same of the queue.
QUEUE_STATEMENTS = {"TURN": 4, "NEXT": 2, "LET_IN": 1, "AHEAD": 1, "WAITING": 1}
STATEMENTS_OF_FIELDS = {"LIST": 5, "EXPIRED": 2}


def test_no_statement_searches_a_whole_table(store: DiskcacheStore, folder: Path) -> None:
    new(store)
    found = [(getattr(sql, name), count) for name, count in STATEMENTS.items()]
    found += [(getattr(sqlite_queue, name), count) for name, count in QUEUE_STATEMENTS.items()]
    for name, count in STATEMENTS_OF_FIELDS.items():
        fields = ("state", "callback", "owner")
        found += [(getattr(sql, name).format(field=field), count) for field in fields]
    for statement, count in found:
        plan = run(folder, f"EXPLAIN QUERY PLAN {statement}", *[1.0] * count)
        steps = [step for *_, step in plan]
        assert not [s for s in steps if re.match("SCAN (rows|jobs)(?!.*INDEX)", s)], statement
        assert "USE TEMP B-TREE FOR ORDER BY" not in steps, statement


def test_the_jobs_of_an_earlier_version_are_deleted_in_words(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with closing_store(folder) as store:
        old = new(store)
    run(folder, "PRAGMA user_version = 1")
    for _ in range(2):
        with closing_store(folder) as store:
            assert store.load(old.id) is None
            assert new(store)
    assert said(caplog, "an earlier version of this package") == 1


def test_a_file_of_a_later_version_is_used_as_it_is(folder: Path) -> None:
    with closing_store(folder) as store:
        job = new(store)
    run(folder, f"PRAGMA user_version = {sql.VERSION + 1}")
    run(folder, "ALTER TABLE jobs ADD COLUMN more TEXT")
    with closing_store(folder) as store:
        assert store.load(job.id) == job
        assert store.claim()


# A server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineServer]:
    one = python_server(tmp_path_factory.mktemp("store-faults"), ENGINE_APP_WORKERS="1").start()
    yield one
    one.stop()


@pytest.fixture
def jobs(server: EngineServer) -> Path:
    """The folder of a server whose worker is idle."""
    assert server.value(server.submit("sleep", 0)) == "slept"
    for gate in server.folder.glob("gate-*"):
        gate.unlink()
    return next(server.folder.glob("cache/long-callbacks-*"))


@contextmanager
def busy(server: EngineServer, name: str = "work") -> Generator[str]:
    """A job that runs as long as the block."""
    job = server.submit("gate", name)
    server.worker_of(job)
    try:
        yield job
    finally:
        server.open_gate(name)


def waits(server: EngineServer, job: str) -> Callable[[], object]:
    """A page that waits for a job; call what is returned to wait until it is told to look."""
    question = {"tab": "a-page", "jobs": {job: server.news(job)["seq"]}}
    thread = threading.Thread(target=lambda: server.post("updates", question))
    thread.start()
    return lambda: thread.join(30)


@values
def test_a_queued_job_runs_though_what_is_before_it_can_not_be_read(
    value: str, server: EngineServer, jobs: Path
) -> None:
    with busy(server):
        job = server.submit("sleep", 0, "after garbage")
        broken = server.submit("sleep", 0)
        forge_queued(jobs, value, 1)
        forge(jobs, f"{broken}:job", value)
        answer = server.post("updates", {"tab": "page", "jobs": {job: -1, broken: -1}})
        assert answer.ok
        found = answer.json()["jobs"]
        assert found[job]["state"] == "queued"
        assert found[broken]["error"]["type"] == "JobUnreadable"
    assert server.value(job) == "after garbage"
    assert server.value(server.submit("sleep", 0, "and the next")) == "and the next"


@pytest.mark.parametrize("how", ["deleted", "emptied", "replaced", "its folder is removed"])
def test_a_page_hears_that_its_job_has_gone_with_the_database_and_the_next_click_works(
    how: str, server: EngineServer, jobs: Path, good: tuple[Path, Job], tmp_path: Path
) -> None:
    before = server.log.count("its jobs are lost") + server.log.count("replaced by another")
    with busy(server, how) as job:
        told = waits(server, job)
        if how == "its folder is removed":
            shutil.rmtree(jobs.rename(tmp_path / "removed"))
        else:
            swap(jobs, {"deleted": None, "emptied": b"", "replaced": good[0]}[how])
        told()
        answer = server.post("updates", {"tab": "a-page", "jobs": {job: 0}})
        assert answer.status_code == 404
        assert "run the callback again" in answer.json()["message"]
    assert server.value(server.submit("sleep", 0, "again")) == "again"
    after = server.log.count("its jobs are lost") + server.log.count("replaced by another")
    assert after == before + 1
    assert healthy(jobs)


def test_a_damaged_database_is_refused_in_words_and_used_as_soon_as_it_is_mended(
    server: EngineServer, jobs: Path, good: tuple[Path, Job]
) -> None:
    said = server.log.count("as it is damaged")
    run(jobs, "PRAGMA wal_checkpoint(TRUNCATE)")
    swap(jobs, b"garbage " * 5000)

    def refused() -> str:
        # What is written to the damaged file may be taken before anybody reads from it.
        return server.dispatch(["sleep", 0])["news"].get("error", {}).get("message", "")

    wait_until(lambda: "jobs.db can't be used, as it is damaged" in refused(), 20)
    assert "remove it, and a new one is made" in refused()
    assert server.dispatch("plain", "ordinary")["response"]["ordinary"]["children"] == "plain"
    swap(jobs, good[0])
    assert server.value(server.submit("sleep", 0, "mended")) == "mended"
    assert server.log.count("as it is damaged") > said


@pytest.mark.parametrize("fault", ["a damaged file", "a file in place of the folder"])
def test_a_server_that_starts_on_a_broken_store_works_as_soon_as_it_is_mended(
    fault: str, tmp_path: Path
) -> None:
    one = python_server(tmp_path, ENGINE_APP_WORKERS="1")
    one.start()
    try:
        assert one.value(one.submit("sleep", 0, "whole")) == "whole"
        folder = next(tmp_path.glob("cache/long-callbacks-*"))
        one.stop()
        run(folder, "PRAGMA wal_checkpoint(TRUNCATE)")
        if fault == "a damaged file":
            (folder / "jobs.db").write_bytes(b"garbage " * 5000)
        else:
            shutil.rmtree(folder)
            folder.write_text("a file")
        one.start()
        words = refusal(one, ["sleep", 0])[1]
        assert ("damaged" if fault == "a damaged file" else "move the file away") in words
        (folder / "jobs.db" if fault == "a damaged file" else folder).unlink()
        assert one.value(one.submit("sleep", 0, "mended")) == "mended"
    finally:
        one.stop()


def test_a_lock_that_is_held_for_long_refuses_clicks_in_words_and_holds_up_nothing_else(
    tmp_path: Path,
) -> None:
    one = gunicorn_server(tmp_path, "--threads", "4")
    one.start()
    try:
        assert one.value(one.submit("sleep", 0)) == "slept"
        folder = next(tmp_path.glob("cache/long-callbacks-*"))
        words: list[str] = []
        clicks = [
            threading.Thread(target=lambda: words.append(refusal(one, ["sleep", 0])[1]))
            for _ in range(6)
        ]
        with locked(folder):
            for click in clicks:
                click.start()
            assert one.dispatch("plain", "ordinary")["response"]["ordinary"]["children"] == "plain"
            for click in clicks:
                click.join()
        assert len(words) == 6
        assert all("another process has held the lock" in said for said in words)
        assert one.value(one.submit("sleep", 0, "again")) == "again"
    finally:
        one.stop()


def test_the_log_of_these_tests_is_the_one_that_is_written(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert sqlite_file.log is logging.getLogger("dash_long_callback")
    parse.ignored("a thing", ValueError("x"))
    assert said(caplog, "a thing can't be read") == 1
