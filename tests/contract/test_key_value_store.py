"""What only a KeyValueStore is asked: rows, files and memcached, and what they do wrong."""

# pyright: reportPrivateUsage=false
from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from managers import Services
from services import Memcached
from stores import REQUEST, celery_store, new, put, response, started, wait_until

from dash_long_callback.errors import StoreError
from dash_long_callback.jobs import Begin, Cancelled, End, Job, State, Succeeded, new_job_id
from dash_long_callback.stores import key_value, names, timing
from dash_long_callback.stores.key_value import KeyValueStore

#: Stores and records know nothing of Dash (see ``tests/unit/test_structure.py``).
pytestmark = pytest.mark.newest_only


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "results"
    folder.mkdir()
    return folder


@pytest.fixture
def files(folder: Path) -> KeyValueStore:
    return celery_store(f"file://{folder}")


@pytest.fixture
def memcached(services: Services) -> Iterator[KeyValueStore]:
    store = celery_store(services.get(Memcached).url, f"{new_job_id()}-")
    yield store
    store.close()


def process_of(store: KeyValueStore) -> Any:
    """What this process has of a store: connections, and what looks for news."""
    rows: Any = store.rows
    return rows._process


def live(store: KeyValueStore, expire: float) -> Job:
    """A life of a job, with all that can happen to it. Returns one that runs."""
    job = new(store, cache_key="key", kept=True, expire=expire)
    store.join(job, "second")
    running = store.change(job.id, Begin())
    assert running is not None
    put(store, running, 0, b"1")
    put(store, running, ("a", "b"), b"2", patch=True)
    store.renew(running)
    store.leave(running, "second")
    store.keep(running, b"{}")
    store.ask_cancel(job.id)
    store.finish(running, Succeeded(b"{}"))
    other = started(store, cache_key="other", kept=True, expire=expire)
    store.renew(other)
    return other


# Keys


@pytest.mark.parametrize(
    "name", ["../../escape", "/etc/passwd", "with spaces\r\nand lines", "x" * 500, "", "☃", "\0"]
)
@pytest.mark.parametrize("kind", ["files", "memcached"])
def test_any_name_is_safe_as_a_key(
    name: str, kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    store: KeyValueStore = request.getfixturevalue(kind)
    assert store.load(name) is None
    job = Job(name, name, cache_key=name)
    store.create(job, REQUEST)
    store.keep(job, b"1")
    store.join(job, name)
    store.clear(name)
    assert store.load(name) == job
    assert store.joined(name) == (name, None)
    assert {entry.name for entry in tmp_path.iterdir()} <= {"results"}


def test_file_names_do_not_tell_ids_of_jobs(files: KeyValueStore, folder: Path) -> None:
    job = started(files)
    names = [file.name for file in folder.iterdir()]
    assert len(names) == 4
    assert all(name.startswith("dlc-") and job.id not in name for name in names)


# Files


def test_half_a_file_is_waited_for(files: KeyValueStore, folder: Path) -> None:
    job = new(files)
    (file,) = folder.glob("dlc-job-*")
    whole = file.read_bytes()
    for length in (0, 5, len(whole) - 1):
        file.write_bytes(whole[:length])
        timer = threading.Timer(0.05, file.write_bytes, [whole])
        timer.start()
        assert files.load(job.id) == job
        timer.join()


def test_half_a_file_without_a_writer_counts_as_missing(files: KeyValueStore, folder: Path) -> None:
    job = new(files)
    (file,) = folder.glob("dlc-job-*")
    file.write_bytes(file.read_bytes()[:-1])
    assert files.load(job.id) is None
    assert files.rows.read([names.job(job.id), names.request(job.id)]) == [None, REQUEST]


def test_what_a_longer_write_left_behind_is_ignored(files: KeyValueStore, folder: Path) -> None:
    job = new(files)
    (file,) = folder.glob("dlc-job-*")
    file.write_bytes(file.read_bytes() + b'"tail of another"}')
    assert files.load(job.id) == job


def test_readers_never_see_half_a_record(files: KeyValueStore, folder: Path) -> None:
    reader = celery_store(f"file://{folder}")
    job = started(files)
    seen: list[int] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            found = reader.load(job.id)
            seen.append(-1 if found is None else found.seq)

    thread = threading.Thread(target=read)
    thread.start()
    for n in range(200):
        put(files, job, 0, str(n).encode())
    done.set()
    thread.join()
    assert -1 not in seen
    assert seen == sorted(seen)


def test_expired_files_are_deleted_and_those_of_others_left(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_value, "PURGE_SECONDS", 0.3)
    monkeypatch.setattr(timing, "LONGEST_SECONDS", 0.3)
    monkeypatch.setattr(timing, "LEASE_SECONDS", 0.3)
    (folder / "celery-task-meta-x").write_bytes(b"1.0 1 1\n")
    store = celery_store(f"file://{folder}", retention=0.3)
    live(store, 0.3)
    store.clear()
    (folder / "dlc-u1-torn").write_bytes(b"")
    assert len(list(folder.iterdir())) > 10

    def only_theirs_and_the_newest() -> bool:
        newest = new(store)
        found = {file.name for file in folder.iterdir()}
        theirs = {"celery-task-meta-x"}
        own = {store.rows.key(row(newest.id)) for row in (names.job, names.request)}
        return found == theirs | own

    wait_until(lambda: time.sleep(0.7) or only_theirs_and_the_newest())


def test_a_folder_that_is_gone_is_an_error_in_words(files: KeyValueStore, folder: Path) -> None:
    files.create(Job("id", "cb"), b"")
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    with pytest.raises(StoreError, match=r"result backend can't be used \(.*check that"):
        files.create(Job("id", "cb"), b"")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_store_has_its_own_connections_after_a_fork(services: Services) -> None:
    code = """
import os, sys
from celery import Celery
from dash_long_callback.jobs import Begin, End, Finish, Job
from dash_long_callback.managers.celery import _store
store = _store(Celery("x", broker="memory://", backend=sys.argv[1]), 60.0)
store.create(Job("parent", "cb"), b"{}")
idle = store.rows._process._idle
held = store.rows._process.locked(["child:job"])
held.__enter__()
child = os.fork()
if child == 0:
    store.create(Job("child", "cb"), b"{}")
    fine = store.rows._process._idle[0] is not idle[0] and store.load("parent")
    os._exit(0 if fine else 1)
code = os.waitpid(child, 0)[1]
held.__exit__(None, None, None)
assert store.load("child") and store.rows._process._idle is idle
store.close()
sys.exit(code)
"""
    command = [sys.executable, "-c", code, services.get(Memcached).url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


# memcached


def test_a_value_that_memcached_refuses_is_an_error_in_words(memcached: KeyValueStore) -> None:
    big = os.urandom(2_000_000)
    with pytest.raises(StoreError, match=r"did not take a value of 2\d* bytes .*memcached: 1 MB"):
        memcached.create(Job("id", "cb"), big)
    job = started(memcached)
    put(memcached, job, 0, b"1")
    known = memcached.load(job.id)
    changed = Job.load(job.dump(), job.id)
    slot, _ = changed.put(0, patch=False)
    with pytest.raises(StoreError, match="memcached: 1 MB"):
        memcached.write(changed, {slot: big}, [])
    assert memcached.load(job.id) == known, "and the job is as it was"
    assert memcached.values(job.id, job.slots) == [b"1"]
    assert memcached.request(job.id) == REQUEST
    memcached.change(job.id, End(Cancelled()))


def test_a_client_that_only_says_no_is_an_error_in_words(
    memcached: KeyValueStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As python-memcached did, which Celery used before 5.7."""
    job = started(memcached)
    with process_of(memcached).backend() as backend:
        monkeypatch.setattr(backend, "set", lambda key, value: 0)
    with pytest.raises(StoreError, match="did not take a value"):
        memcached.change(job.id, End(Cancelled()))


def listed(server: Memcached) -> list[str]:
    """All that memcached has, a line for each key."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(b"lru_crawler metadump all\r\n")
        with connection.makefile() as answer:
            return list(iter(lambda: answer.readline().strip(), "END"))


def test_every_value_in_memcached_has_an_expiry(tmp_path: Path) -> None:
    server = Memcached(tmp_path / "own").start()
    try:
        store = celery_store(server.url)
        live(store, 600)
        store.clear()
        store.close()
        lines = listed(server)
    finally:
        server.stop()
    assert len(lines) > 8
    assert [line for line in lines if "exp=-1" in line or "exp=0 " in line] == []


def test_a_month_and_more_does_not_expire_at_once(memcached: KeyValueStore) -> None:
    memcached.retention = 90 * 24 * 3600.0
    job = started(memcached, cache_key="key", kept=True, expire=90 * 24 * 3600.0)
    memcached.keep(job, b"{}")
    assert memcached.load(job.id) == job
    assert memcached.kept("key", 90 * 24 * 3600.0) is not None


def test_errors_are_in_words_while_memcached_is_down_and_it_is_found_again(tmp_path: Path) -> None:
    server = Memcached(tmp_path / "own").start()
    store = celery_store(server.url)
    try:
        job = started(store)
        server.kill()
        calls: list[Callable[[], Any]] = [
            lambda: store.load(job.id),
            lambda: new(store),
            lambda: store.change(job.id, End(Cancelled())),
            lambda: store.renew(job),
            lambda: store.kept("key", 60),
        ]
        for call in calls:
            with pytest.raises(StoreError, match="result backend can't be used"):
                call()
        server.start()
        again = started(store)
        assert store.load(again.id) == again
        assert store.load(job.id) is None, "its memory is empty"
    finally:
        store.close()
        server.stop()


def test_threads_one_after_another_share_a_connection(memcached: KeyValueStore) -> None:
    job = new(memcached)
    for _ in range(20):
        thread = threading.Thread(target=memcached.load, args=(job.id,))
        thread.start()
        thread.join()
    assert len(process_of(memcached)._idle) == 1


def test_a_store_can_be_used_again_after_it_was_closed(memcached: KeyValueStore) -> None:
    job = new(memcached)
    memcached.close()
    assert memcached.load(job.id) == job


# All of them


def test_results_are_cleared_when_it_is_not_known_any_more_whether_they_were(
    files: KeyValueStore, folder: Path
) -> None:
    """memcached drops what was not used lately when it is full."""
    job = started(files, cache_key="key", kept=True, expire=60)
    files.keep(job, b"1")
    files.clear()
    for file in folder.glob("dlc-generation-*"):
        file.unlink()
    assert files.kept("key", 60) is None
    later = started(files, cache_key="later", kept=True, expire=60)
    files.keep(later, b"2")
    assert files.kept("key", 60) is None
    assert files.kept("later", 60) is not None


def test_a_job_that_is_cancelled_before_it_begins_leaves_the_wish(files: KeyValueStore) -> None:
    """For a worker that began it in the same moment, and whose write came last."""
    job = new(files)
    files.change(job.id, End(Cancelled()))
    assert files.cancel_asked(job.id)
    other = started(files)
    files.change(other.id, End(Cancelled()))
    assert not files.cancel_asked(other.id)


def test_a_heartbeat_of_a_young_job_writes_its_lease_only(
    files: KeyValueStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = started(files)
    put(files, job, 0, b"1")
    written: list[bytes] = []
    with process_of(files).backend() as backend:
        put_file = backend.set
        monkeypatch.setattr(
            backend, "set", lambda key, value: (written.append(key), put_file(key, value))[1]
        )
    for _ in range(3):
        files.renew(job)
    assert [key.startswith(b"dlc-lease-") for key in written] == [True] * 3


def test_looks_are_quick_at_first_and_then_slower(
    files: KeyValueStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = started(files)
    looks: list[float] = []
    news = process_of(files).news
    rows = news._rows

    def counted(keys: list[str]) -> list[bytes | None]:
        looks.append(time.monotonic())
        return rows(keys)

    monkeypatch.setattr(news, "_rows", counted)
    with files.subscribe() as subscription:
        subscription.follow([job.id])
        assert subscription.wait(1)
        assert not subscription.wait(2)
        assert 5 < len(looks) < 40
        assert looks[-1] - looks[-3] > 0.2
        looks.clear()
        files.change(job.id, End(Cancelled()))
        assert subscription.wait(1)
        assert not subscription.wait(0.3)
        assert len(looks) > 4, "quick again after news"


def test_a_record_and_its_result_are_seen_together(files: KeyValueStore, folder: Path) -> None:
    reader = celery_store(f"file://{folder}")
    job = started(files)
    big = os.urandom(3_000_000)
    odd: list[Any] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            found = reader.load(job.id)
            if found is None or (
                found.state is State.SUCCEEDED and b"".join(reader.pieces(found)) != big
            ):
                odd.append(found)

    thread = threading.Thread(target=read)
    thread.start()
    files.finish(job, Succeeded(big))
    time.sleep(0.05)
    done.set()
    thread.join()
    assert odd == []
    assert response(reader, job.id) == big
