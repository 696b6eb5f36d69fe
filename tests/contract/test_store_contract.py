"""What every store promises, run against each of them (see ``stores.STORES``)."""

# pyright: reportPrivateUsage=false
from __future__ import annotations

import ctypes
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import stores
from managers import Services
from stores import (
    REQUEST,
    Place,
    having,
    new,
    put,
    response,
    started,
    wait_until,
)

from dash_long_callback.errors import NotListed, StoreError
from dash_long_callback.jobs import (
    Begin,
    Cancelled,
    End,
    Event,
    Failed,
    Finish,
    Job,
    Lost,
    Requeue,
    Resend,
    Result,
    Slot,
    State,
    Succeeded,
    new_job_id,
)
from dash_long_callback.stores import names, queue, records, timing
from dash_long_callback.stores.job_store import JobStore
from dash_long_callback.stores.large_results import INLINE_BYTES, PIECE_BYTES, LargeResult
from dash_long_callback.stores.ports import Batch
from dash_long_callback.stores.shared_jobs import Disposition

#: Stores and records know nothing of Dash (see ``tests/unit/test_structure.py``).
pytestmark = pytest.mark.newest_only


def only(**attributes: bool) -> Any:
    """Have a test ask only some of the stores."""
    return pytest.mark.parametrize("place", having(**attributes), indirect=True)


only_atomic = only(atomic=True)
only_shared_and_atomic = only(atomic=True, shared=True)
only_shared = only(shared=True)


@pytest.fixture(params=having())
def place(request: pytest.FixtureRequest, tmp_path: Path, services: Services) -> Place:
    return stores.place(request.param, tmp_path / "store", services)


@pytest.fixture
def make(place: Place) -> Iterator[Callable[..., JobStore]]:
    """Opens the store once more, as another process would."""
    opened: list[JobStore] = []

    def open_store(retention: float = 60.0) -> JobStore:
        opened.append(place.open(retention))
        return opened[-1]

    yield open_store
    for store in opened:
        store.close()


@pytest.fixture
def store(make: Callable[..., JobStore]) -> JobStore:
    return make()


def at_once(*functions: Callable[[], object]) -> None:
    """Run each in a thread of its own."""
    threads = [threading.Thread(target=function) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


# Records


def test_a_job_is_read_as_it_was_created(store: JobStore) -> None:
    job = new(store)
    assert store.load(job.id) == job
    assert store.request(job.id) == REQUEST


def test_another_handle_sees_the_job(make: Callable[..., JobStore]) -> None:
    job = new(make())
    other = make()
    assert other.load(job.id) == job
    assert other.request(job.id) == REQUEST


def test_a_job_that_never_existed_is_none_everywhere(store: JobStore) -> None:
    assert store.load("nothing") is None
    assert store.load_all("nothing") is None
    assert store.request("nothing") is None
    assert response(store, "nothing") is None
    assert store.values("nothing", [1, 2]) == [None, None]
    assert store.change("nothing", Begin()) is None
    assert store.finish(Job("nothing", "cb", State.RUNNING, attempt=1), Succeeded(b"{}")) is None
    assert response(store, "nothing") is None
    assert not store.leased("nothing")
    assert not store.cancel_asked("nothing")


def test_a_change_is_kept_and_returned(store: JobStore) -> None:
    job = new(store)
    changed = store.change(job.id, Begin())
    assert changed is not None
    assert changed.state is State.RUNNING
    assert store.load(job.id) == changed


def test_a_change_that_is_refused_leaves_record_and_response_alone(store: JobStore) -> None:
    job = new(store)
    assert store.finish(job, Succeeded(b'"result"')) is None
    begun = replace(job, state=State.RUNNING, attempt=1)
    assert store.finish(begun, Succeeded(b'"result"'), {1: b"1"}) is None
    assert store.values(job.id, [1]) == [None]
    assert store.load(job.id) == job
    assert response(store, job.id) is None


def test_a_response_is_read_byte_for_byte(store: JobStore) -> None:
    job = started(store)
    written = '{"multi":true,  "☃":1.50}\n'.encode()
    store.finish(job, Succeeded(written))
    assert response(store, job.id) == written
    assert store.load_all(job.id) == (store.load(job.id), written)


def test_reads_delete_nothing(make: Callable[..., JobStore]) -> None:
    store = make()
    job = started(store)
    put(store, job, 0, b"1")
    put(store, job, ("a", "b"), b"2", patch=True)
    store.ask_cancel(job.id)
    store.renew(job)
    store.finish(job, Succeeded(b"{}"))

    def read(handle: JobStore) -> list[Any]:
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


def test_request_is_kept_until_the_job_ends_and_no_longer(store: JobStore) -> None:
    job = started(store)
    assert store.request(job.id) is not None
    store.finish(job, Succeeded(b"{}"))
    assert store.request(job.id) is None


# Lists


@only(listed=True)
def test_jobs_are_listed_the_newest_first_and_in_pages(make: Callable[..., JobStore]) -> None:
    store, other = make(), make()
    jobs = [new(store, owner="one" if n % 2 else None) for n in range(5)]
    running = store.change(jobs[1].id, Begin())
    newest = [job.id for job in reversed(jobs)]
    assert [job.id for job in other.list(limit=3)] == newest[:3]
    last = other.list(limit=3)[-1]
    assert [job.id for job in other.list(limit=3, before=last)] == newest[3:]
    assert other.list("state", "running", limit=9) == [running]
    assert [job.id for job in other.list("owner", "one", limit=9)] == [jobs[3].id, jobs[1].id]
    assert other.list("callback", "unknown", limit=9) == []
    counts = other.count(), other.count("state", "queued"), other.count("owner", "one")
    assert counts == (5, 4, 2)
    assert other.count("callback", jobs[0].callback) == 5
    # Jobs without an owner are not found by it.
    assert (other.list("owner", None, limit=9), other.count("owner", None)) == ([], 0)


@only(listed=False)
def test_a_store_without_an_index_says_so(store: JobStore) -> None:
    asks = [
        lambda: store.list(limit=1),
        lambda: store.list("owner", None, limit=1),
        store.count,
        lambda: store.count("owner", None),
    ]
    for ask in asks:
        with pytest.raises(NotListed, match=r"can't be listed or counted; use Redis"):
            ask()


@only(queues=True)
def test_a_job_that_waits_in_a_state_of_a_newer_version_stays_in_the_queue_for_it(
    store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "NEWER_SECONDS", 0.5)
    job, behind = new(store), new(store)
    newer = job.dump().replace(b'"queued"', b'"dozing"')
    store.rows.apply(Batch(put={names.job(job.id): (newer, 60)}))
    begun = store.claim()
    assert begun is not None
    assert begun.id == behind.id
    assert store.claim() is None
    assert store.rows.read([names.job(job.id)]) == [newer]
    assert store.count("state", "dozing") == 1
    wait_until(lambda: (head := store.rows.next_queued()) is not None and head.id == job.id)


@only(queues=True)
def test_what_begins_later_does_not_hold_up_the_same_user_nor_come_before_all_others(
    store: JobStore,
) -> None:
    due = time.time() + 0.5
    later = [new(store, owner="ann", not_before=due, queued=due) for _ in range(3)]
    ann, ben = new(store, owner="ann"), new(store, owner="ben")
    assert store.rows.ahead(later[0].id) is None
    ahead = [store.rows.ahead(job.id) for job in (ann, ben)]
    assert [one and one.queue for one in ahead] == [0, 1]
    assert [job and job.id for job in (store.claim(), store.claim())] == [ann.id, ben.id]
    assert store.claim() is None
    wait_until(lambda: store.rows.waiting() == 3 or store.rows.next_queued())
    assert time.time() >= due
    ben = new(store, owner="ben")
    begun = [job and job.id for job in (store.claim(), store.claim())]
    assert begun == [later[0].id, ben.id]


@only(queues=True)
def test_a_job_that_may_not_begin_is_lost_in_words_and_holds_up_no_other(
    store: JobStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stuck, behind = new(store), new(store)
    for module in (queue, records):
        allowed = module.transition

        def refuse(job: Job, event: Event, now: float, allowed: Any = allowed) -> Any:
            refused = job.id == stuck.id and isinstance(event, Begin)
            return None if refused else allowed(job, event, now)

        monkeypatch.setattr(module, "transition", refuse)
    begun = store.claim()
    assert begun is not None
    assert begun.id == behind.id
    assert store.claim() is None
    after = store.load(stuck.id)
    assert after is not None
    assert after.state is State.LOST
    assert "could not begin" in str(after.error)
    (line,) = caplog.messages
    assert line.endswith(": it waited in the queue, but could not begin")


@only(queues=True)
def test_a_job_that_is_claimed_too_late_expires_in_words_and_holds_up_no_other(
    store: JobStore, caplog: pytest.LogCaptureFixture
) -> None:
    late, behind = new(store, created=1.0, start_by=3.0), new(store)
    begun = store.claim()
    assert begun is not None
    assert begun.id == behind.id
    assert store.claim() is None
    after = store.load(late.id)
    assert after is not None
    assert after.state is State.EXPIRED
    assert store.count("state", "expired") == 1
    (line,) = caplog.messages
    assert line.endswith(": the job had not begun within its start_within of 2 s")


# Atomic


def test_of_many_threads_exactly_one_gets_to_change_a_job(store: JobStore) -> None:
    count = 8
    jobs = [new(store) for _ in range(5)]
    meet = threading.Barrier(count)
    winners: list[str] = []

    def race() -> None:
        for job in jobs:
            meet.wait(30)
            if store.change(job.id, Begin()) is not None:
                winners.append(job.id)

    threads = [threading.Thread(target=race) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(winners) == sorted(job.id for job in jobs)


def _race(place: Place, ids: list[str], meet: Any, winners: Any) -> None:
    store = place.open()
    for job_id in ids:
        meet.wait(60)
        if store.change(job_id, Begin()) is not None:
            winners.put(job_id)
    store.close()


@only_shared_and_atomic
def test_of_many_processes_exactly_one_gets_to_change_a_job(place: Place, store: JobStore) -> None:
    ids = [new(store).id for _ in range(10)]
    context = multiprocessing.get_context("spawn")
    meet, winners = context.Barrier(4), context.Queue()
    processes = [context.Process(target=_race, args=(place, ids, meet, winners)) for _ in range(4)]
    for process in processes:
        process.start()
    found = sorted(winners.get(timeout=60) for _ in ids)
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    assert found == sorted(ids)
    assert winners.empty()
    winners.close()


def count(store: JobStore, job_id: str) -> None:
    left = 25
    while left:
        job = store.load(job_id)
        assert job is not None
        left -= store.change(job_id, Resend(job.attempt, job.resends)) is not None


def test_changes_by_many_threads_lose_none(store: JobStore) -> None:
    job = new(store)
    at_once(*[lambda: count(store, job.id)] * 4)
    record = store.load(job.id)
    assert record is not None
    assert record.resends == 100


@only_atomic
def test_changes_by_many_handles_lose_none(make: Callable[..., JobStore]) -> None:
    handles = [make() for _ in range(4)]
    job = new(handles[0])
    at_once(*[lambda handle=handle: count(handle, job.id) for handle in handles])
    record = handles[0].load(job.id)
    assert record is not None
    assert record.resends == 100


def ask(store: JobStore) -> tuple[str, Disposition]:
    """Ask for the outcome of a key. Returns the id that was asked by, and what became of it."""
    job = Job(new_job_id(), "out.children", cache_key="key")
    return job.id, store.create(job, REQUEST, coalesce=True)[0]


def test_of_many_threads_that_ask_at_once_one_starts_a_job(store: JobStore) -> None:
    found: list[Disposition] = []
    at_once(*[lambda: found.append(ask(store)[1])] * 8)
    assert sorted(found) == [Disposition.JOINED] * 7 + [Disposition.NEW]


@only_atomic
def test_of_many_handles_that_ask_at_once_one_starts_a_job(make: Callable[..., JobStore]) -> None:
    handles, found = [make() for _ in range(8)], list[Disposition]()
    at_once(*[lambda handle=handle: found.append(ask(handle)[1]) for handle in handles])
    assert sorted(found) == [Disposition.JOINED] * 7 + [Disposition.NEW]


@only_atomic
def test_nobody_joins_a_job_that_the_last_one_leaves(make: Callable[..., JobStore]) -> None:
    leaver, asker = make(), make()
    for _ in range(20):
        first, _ = ask(leaver)
        job = leaver.load(first)
        assert job is not None
        last: list[bool] = []
        asked: list[tuple[str, Disposition]] = []
        at_once(
            lambda job=job, last=last: last.append(leaver.leave(job, job.id)),
            lambda asked=asked: asked.append(ask(asker)),
        )
        # Either it was joined in time, and goes on, or there is another one.
        ((name, disposition),) = asked
        assert (last, disposition) in (
            ([True], Disposition.NEW),
            ([False], Disposition.JOINED),
        )
        found = asker.load(name) if last == [True] else job
        assert found is not None
        asker.change(found.id, End(Cancelled()))


def test_the_same_request_twice_starts_one_job(make: Callable[..., JobStore]) -> None:
    store, other = make(), make()
    job = Job(new_job_id(), "cb", cache_key="key")
    dispositions = [one.create(job, REQUEST, coalesce=True)[0] for one in (store, other)]
    assert dispositions == [Disposition.NEW, Disposition.KNOWN]
    joined = Job(new_job_id(), "cb", cache_key="key")
    dispositions = [one.create(joined, REQUEST, coalesce=True)[0] for one in (store, other)]
    assert dispositions == [Disposition.JOINED, Disposition.JOINED]
    store.change(job.id, End(Cancelled()))
    assert other.create(joined, REQUEST, coalesce=True)[0] is Disposition.KNOWN


def test_a_job_that_has_ended_since_gives_its_result(store: JobStore) -> None:
    keep(store, "key")
    job = Job(new_job_id(), "cb", cache_key="key", kept=True)
    disposition, result = store.create(job, REQUEST, coalesce=True)
    assert disposition is Disposition.CACHED
    assert result is not None
    assert bytes(result.response) == b'"key"'


# Requests that a client has given a key


def test_a_key_names_the_job_that_was_claimed_first(make: Callable[..., JobStore]) -> None:
    store, other = make(), make()
    first = store.request_keys.claim("key", "job", "this")
    assert first == ("job", "this", False)
    assert other.request_keys.claim("key", "another", "that") == first
    assert other.request_keys.claim("another", "another", "that").job_id == "another"
    other.request_keys.note_stored("key", first)
    assert store.request_keys.claim("key", "another", "this") == ("job", "this", True)


def test_of_many_threads_that_claim_a_key_at_once_one_gets_it(store: JobStore) -> None:
    found: list[str] = []
    at_once(
        *[
            lambda n=n: found.append(store.request_keys.claim("key", f"{n}", "this").job_id)
            for n in range(8)
        ]
    )
    assert len(found) == 8
    assert len(set(found)) == 1


@only_atomic
def test_of_many_handles_that_claim_a_key_at_once_one_gets_it(
    make: Callable[..., JobStore],
) -> None:
    handles, found = [make() for _ in range(8)], list[str]()
    at_once(
        *[
            lambda n=n, one=one: found.append(one.request_keys.claim("key", f"{n}", "x").job_id)
            for n, one in enumerate(handles)
        ]
    )
    assert len(found) == 8
    assert len(set(found)) == 1


@pytest.mark.parametrize("size", [10, INLINE_BYTES + 1, PIECE_BYTES + 1])
def test_of_many_who_keep_an_ended_job_at_once_one_does_and_its_result_is_whole(
    size: int, store: JobStore
) -> None:
    job = Job(new_job_id(), "cb", State.SUCCEEDED, seq=2, slots={2: Slot(2, 0)})
    response, found = b"x" * size, list[bool]()
    at_once(*[lambda: found.append(store.create_ended(job, response, {2: b"1"}))] * 4)
    assert sorted(found) == [False] * 3 + [True]
    loaded = store.load_all(job.id)
    assert loaded is not None
    kept, small = loaded
    whole = small if small is not None else LargeResult(store, kept).whole()
    assert (kept.state, whole, store.values(job.id, [2])) == (State.SUCCEEDED, response, [b"1"])
    assert not store.create_ended(job, b"y" * size, {})


# Updates


def test_a_value_is_in_its_slot(store: JobStore) -> None:
    job = started(store)
    assert put(store, job, 0, b'{"a":1}')
    assert store.load(job.id) == job
    assert store.values(job.id, job.slots) == [b'{"a":1}']


def test_a_replaced_value_is_gone(store: JobStore) -> None:
    job = started(store)
    put(store, job, 0, b"1")
    old = list(job.slots)
    put(store, job, 0, b"2")
    assert store.values(job.id, [*old, *job.slots]) == [None, b"2"]


def test_a_patch_leaves_what_it_patches(store: JobStore) -> None:
    job = started(store)
    put(store, job, 0, b"1")
    put(store, job, 0, b"2", patch=True)
    assert store.values(job.id, job.slots) == [b"1", b"2"]


def test_events_stay_and_are_kept_with_a_result(store: JobStore) -> None:
    job = started(store, cache_key="key", kept=True)
    for value, event in ((b"1", True), (b"2", False), (b"3", True), (b"4", False)):
        assert put(store, job, ("a", "b"), value, event=event)
    assert store.load(job.id) == job
    assert store.values(job.id, job.slots) == [b"1", b"3", b"4"]
    store.keep(job, b"{}")
    kept = store.kept("key", None)
    assert kept is not None
    assert [value for _, value in kept.updates] == [b"1", b"3", b"4"]


@pytest.mark.parametrize(
    "outcome", [Succeeded(b"{}"), Failed("E", "m"), Cancelled(), Lost("x")], ids=type
)
def test_a_write_after_the_end_is_refused_and_writes_nothing(outcome: Any, store: JobStore) -> None:
    job = started(store)
    put(store, job, 0, b"1")
    store.change(job.id, End(outcome))
    ended = store.load(job.id)
    slot, stale = job.put(0, patch=False)
    assert not store.write(job, {slot: b"2"}, stale)
    assert store.load(job.id) == ended
    assert store.values(job.id, [*stale, slot]) == [b"1", None]


def test_a_write_to_a_job_that_waits_or_is_unknown_is_refused(store: JobStore) -> None:
    waiting, unknown = new(store), Job("unknown", "cb", state=State.RUNNING)
    assert not store.write(waiting, {1: b"1"}, [])
    assert not store.write(unknown, {1: b"1"}, [])
    assert store.load("unknown") is None
    assert store.values("unknown", [1]) == [None]


def test_a_worker_that_a_job_was_taken_from_is_refused(store: JobStore) -> None:
    late = started(store, handles_errors=True)
    assert store.renew(late)
    taken = store.change(late.id, End(Lost("it was silent")))
    assert taken is not None
    slot, _ = late.put(0, patch=False)
    assert not store.write(late, {slot: b"1"}, [])
    assert not store.renew(late)
    assert store.finish(late, Succeeded(b"1")) is None
    handling = store.change(late.id, Begin())
    assert handling is not None
    assert store.renew(handling)
    assert put(store, handling, 0, b"2")
    assert store.finish(handling, Succeeded(b"3"))
    assert response(store, late.id) == b"3"


def test_many_values_are_written_together(store: JobStore) -> None:
    job = started(store)
    values = {job.put(("a", f"p{i}"), patch=False)[0]: str(i).encode() for i in range(100)}
    assert store.write(job, values, [])
    assert store.values(job.id, values) == list(values.values())


def test_the_end_of_a_job_has_what_its_worker_is_yet_to_write(store: JobStore) -> None:
    job = started(store)
    put(store, job, 0, b"1")
    slot, stale = job.put(0)
    ended = store.finish(job, Failed("E", "m"), {slot: b"2"}, stale)
    assert ended is not None
    assert store.load(job.id) == ended
    assert list(ended.slots) == [slot]
    assert store.values(job.id, [*stale, slot]) == [None, b"2"]


def test_a_result_of_five_megabytes_comes_back_as_it_was(make: Callable[..., JobStore]) -> None:
    store, big = make(), os.urandom(5_000_000)
    job = started(store)
    store.finish(job, Succeeded(big))
    assert response(make(), job.id) == big


def test_half_a_megabyte_comes_back_as_it_was(make: Callable[..., JobStore]) -> None:
    store = make()
    big = os.urandom(500_000)
    job = started(store)
    put(store, job, 0, big)
    store.finish(job, Succeeded(big))
    assert make().values(job.id, job.slots) == [big]
    assert response(make(), job.id) == big


def test_a_large_result_is_apart_from_the_record_and_read_in_pieces(
    make: Callable[..., JobStore],
) -> None:
    store, other = make(), make()
    big = os.urandom(2 * PIECE_BYTES + 10)
    job = started(store)
    ended = store.finish(job, Succeeded(big))
    assert ended is not None
    assert ended.result_size == len(big)
    assert other.load_all(job.id) == (ended, None)
    assert other.has_result(ended)
    pieces = list(other.pieces(ended))
    assert b"".join(pieces) == big
    assert [len(piece) for piece in pieces] == [PIECE_BYTES, PIECE_BYTES, 10]
    assert LargeResult(other, ended).whole() == big
    with pytest.raises(StoreError, match="expired meanwhile"):
        LargeResult(other, replace(ended, result_size=len(big) + 1)).whole()


def test_a_small_result_is_with_the_record(store: JobStore) -> None:
    small = b"x" * INLINE_BYTES
    job = started(store)
    ended = store.finish(job, Succeeded(small))
    assert ended is not None
    assert ended.result_size is None
    assert store.load_all(job.id) == (ended, small)
    assert not store.has_result(ended)
    assert list(store.pieces(ended)) == []


def test_a_large_result_that_comes_too_late_is_not_kept(store: JobStore) -> None:
    big = b"x" * (INLINE_BYTES + 1)
    job = started(store)
    store.change(job.id, End(Cancelled()))
    assert store.finish(job, Succeeded(big)) is None
    assert not store.has_result(replace(job, result_size=len(big)))
    assert store.load_all(job.id) == (store.load(job.id), None)


# Lease, cancel


def test_a_job_is_leased_from_its_begin_on(store: JobStore) -> None:
    job = new(store)
    assert not store.leased(job.id)
    store.change(job.id, Begin())
    assert store.leased(job.id)


@pytest.mark.parametrize("when", ["before", "meanwhile"])
@pytest.mark.parametrize("how", ["retry", "on_error", "requeue"])
def test_a_job_that_is_to_be_cancelled_does_not_wait_again(
    how: str, when: str, store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = started(store, waits=[1.0], handles_errors=True)
    apply = store.rows.apply

    def late(batch: Batch) -> bool:
        monkeypatch.setattr(store.rows, "apply", apply)
        store.ask_cancel(job.id)
        return apply(batch)

    if when == "before":
        store.ask_cancel(job.id)
    else:
        monkeypatch.setattr(store.rows, "apply", late)
    match how:
        case "retry":
            ended = store.finish(job, Failed("E", "m", retry=True))
        case "on_error":
            ended = store.change(job.id, End(Lost("it died")))
        case _:
            ended = store.change(job.id, Requeue(1, begun=False))
    assert ended is not None
    assert ended.state is State.CANCELLED
    assert store.load(job.id) == ended


def test_what_was_reported_by_an_attempt_that_failed_is_gone(store: JobStore) -> None:
    job = started(store, waits=[1.0])
    put(store, job, 0, b"1")
    slot, stale = job.put(("a", "b"))
    again = store.finish(job, Failed("E", "m", retry=True), {slot: b"2"}, stale)
    assert again is not None
    assert (again.state, again.slots) == (State.QUEUED, {})
    assert store.values(job.id, range(slot + 1)) == [None] * (slot + 1)


def test_a_lease_that_is_not_renewed_runs_out(
    place: Place, store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timing, "LEASE_SECONDS", 0.2)
    job = started(store)
    begun = time.monotonic()
    store.renew(job)
    assert store.leased(job.id)
    wait_until(lambda: not store.leased(job.id))
    assert time.monotonic() - begun >= 0.2


def test_a_renewed_lease_lasts_longer(
    place: Place, store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timing, "LEASE_SECONDS", 1.0)
    job = started(store)
    until = time.monotonic() + 1.5
    while time.monotonic() < until:
        store.renew(job)
        assert store.leased(job.id)
        time.sleep(0.05)


def test_a_job_is_wanted_for_as_long_as_was_said_last(make: Callable[..., JobStore]) -> None:
    store, other = make(), make()
    job = started(store)
    assert not store.is_present(job.id)
    store.note_presence(job.id, 0.3)
    assert other.is_present(job.id)
    other.note_presence(job.id, 60)
    time.sleep(0.5)
    assert store.is_present(job.id)
    store.note_presence(job.id, 0.2)
    wait_until(lambda: not other.is_present(job.id))


def test_a_second_job_with_the_same_id_is_refused(make: Callable[..., JobStore]) -> None:
    store, other = make(), make()
    job = new(store, cache_key="key")
    store.change(job.id, Begin())
    again = Job(job.id, "other.children", cache_key="other")
    assert other.create(again, b"other")[0] is Disposition.KNOWN
    found = other.load(job.id)
    assert found is not None
    assert (found.callback, found.state) == (job.callback, State.RUNNING)
    assert other.request(job.id) == REQUEST
    assert other.in_flight("other") is None


def test_who_joins_twice_counts_once(make: Callable[..., JobStore]) -> None:
    store = make()
    job = new(store, cache_key="key")
    for _ in range(2):
        store.join(job, "asker")
    assert not store.leave(job, job.id)
    assert store.leave(job, "asker")


def test_a_wish_to_cancel_is_kept(make: Callable[..., JobStore]) -> None:
    store = make()
    job = started(store)
    assert not store.cancel_asked(job.id)
    store.ask_cancel(job.id)
    assert make().cancel_asked(job.id)


# News


def drained(subscription: Any) -> Any:
    """A subscription that has told of all there was before."""
    while subscription.wait(0.3):
        pass
    return subscription


def test_what_was_written_since_the_watch_began_is_not_missed(
    make: Callable[..., JobStore],
) -> None:
    reader, writer = make(), make()
    job = started(writer)
    with reader.subscribe() as subscription:
        subscription.follow([job.id])
        writer.change(job.id, End(Cancelled()))
        assert subscription.wait(30)


def test_a_wait_without_news_ends_with_its_timeout(store: JobStore) -> None:
    job = started(store)
    with store.subscribe() as subscription:
        subscription.follow([job.id])
        drained(subscription)
        begun = time.monotonic()
        assert not subscription.wait(0.05)
        assert 0.05 <= time.monotonic() - begun < 5


def test_a_wait_notices_a_write_of_the_same_process(make: Callable[..., JobStore]) -> None:
    # SQLite tells of the writes of other connections only, which those of a web server's threads
    # are.
    store, writer = make(), make()
    job = started(store)
    with store.subscribe() as subscription:
        subscription.follow([job.id])
        drained(subscription)
        timer = threading.Timer(0.05, writer.change, [job.id, End(Cancelled())])
        timer.start()
        assert subscription.wait(30)
        timer.join()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_was_ended_is_started_again(make: Callable[..., JobStore]) -> None:
    reader, writer = make(), make()
    first, second = started(writer), started(writer)
    before = threading.enumerate()
    with reader.subscribe() as subscription:
        subscription.follow([first.id])
        drained(subscription)
        ours = [one for one in threading.enumerate() if one not in before and one.name == "news"]
        for thread in ours:  # as dash.testing ends the threads of a server
            end = ctypes.pythonapi.PyThreadState_SetAsyncExc
            end(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(SystemExit))
        writer.change(first.id, End(Cancelled()))
        for thread in ours:
            thread.join(30)
            assert not thread.is_alive()
    with reader.subscribe() as subscription:
        subscription.follow([second.id])
        drained(subscription)
        writer.change(second.id, End(Cancelled()))
        assert subscription.wait(30)


def test_every_write_of_a_job_is_news(make: Callable[..., JobStore]) -> None:
    reader, writer = make(), make()
    job = new(writer, cache_key="key")
    with reader.subscribe() as subscription:
        subscription.follow([job.id])
        drained(subscription)

        def news_of(function: Callable[[], object]) -> None:
            function()
            assert subscription.wait(30)
            drained(subscription)

        news_of(lambda: writer.change(job.id, Begin()))
        running = writer.load(job.id)
        assert running is not None
        news_of(lambda: put(writer, running, 0, b"1"))
        news_of(lambda: writer.leave(running, job.id))
        news_of(lambda: writer.finish(running, Succeeded(b"{}")))


def test_what_is_followed_can_be_changed(make: Callable[..., JobStore]) -> None:
    reader, writer = make(), make()
    first, second, third = (started(writer) for _ in range(3))
    with reader.subscribe() as subscription:
        subscription.follow([first.id])
        drained(subscription)
        subscription.follow([first.id, second.id])
        drained(subscription)
        subscription.follow([second.id])
        drained(subscription)
        subscription.follow([third.id, second.id])
        drained(subscription)
        writer.change(second.id, End(Cancelled()))
        assert subscription.wait(30)


def test_many_watches_hear_of_their_own_jobs(make: Callable[..., JobStore]) -> None:
    reader, writer = make(), make()
    jobs = [started(writer) for _ in range(5)]
    ready, heard = threading.Semaphore(0), list[str]()

    def wait(job: Job) -> None:
        with reader.subscribe() as subscription:
            subscription.follow([job.id])
            drained(subscription)
            ready.release()
            while True:
                subscription.wait(30)
                record = reader.load(job.id)
                assert record is not None
                if record.state.ended:
                    heard.append(job.id)
                    return

    def write() -> None:
        for _ in jobs:
            ready.acquire()
        for job in jobs:
            writer.change(job.id, End(Cancelled()))

    at_once(*[lambda job=job: wait(job) for job in jobs], write)
    assert sorted(heard) == sorted(job.id for job in jobs)


def _end(place: Place, job_id: str, go: Any) -> None:
    store = place.open()
    store.load(job_id)
    go.wait(60)
    store.change(job_id, End(Cancelled()))
    store.close()


@only_shared
def test_a_wait_notices_a_write_of_another_process(place: Place, store: JobStore) -> None:
    context = multiprocessing.get_context("spawn")
    go = context.Event()
    job = started(store)
    process = context.Process(target=_end, args=(place, job.id, go))
    process.start()
    with store.subscribe() as subscription:
        subscription.follow([job.id])
        drained(subscription)
        timer = threading.Timer(0.05, go.set)
        timer.start()
        wait_until(lambda: subscription.wait(1) and _ended(store, job.id), 60)
        timer.join()
    process.join(60)
    assert process.exitcode == 0


def _ended(store: JobStore, job_id: str) -> bool:
    job = store.load(job_id)
    return job is not None and job.state.ended


def test_a_wish_to_cancel_is_news(make: Callable[..., JobStore]) -> None:
    worker, web = make(), make()
    job = started(worker)
    with worker.subscribe_to_cancels() as subscription:
        subscription.follow([job.id])
        drained(subscription)
        web.ask_cancel(job.id)
        assert subscription.wait(30)
        assert worker.cancel_asked(job.id)


@pytest.mark.parametrize("place", [name for name in having() if name != "diskcache"], indirect=True)
def test_a_wish_that_came_before_the_worker_watched_is_news(make: Callable[..., JobStore]) -> None:
    worker, web = make(), make()
    job = started(worker)
    web.ask_cancel(job.id)
    with worker.subscribe_to_cancels() as subscription:
        subscription.follow([job.id])
        assert subscription.wait(30)


def test_a_store_that_was_closed_opens_again(make: Callable[..., JobStore]) -> None:
    store, other = make(), make()
    job = started(store)
    store.close()
    with store.subscribe() as subscription:
        subscription.follow([job.id])
        drained(subscription)
        put(other, job, 0, b"1")
        assert subscription.wait(30)
    assert store.load(job.id) is not None


# Shared jobs and kept results


def test_a_job_is_in_flight_until_it_ends(store: JobStore) -> None:
    assert store.in_flight("key") is None
    job = new(store, cache_key="key")
    assert store.in_flight("key") == job
    running = store.change(job.id, Begin())
    assert running is not None
    assert store.in_flight("key") == running
    store.finish(running, Succeeded(b"{}"))
    assert store.in_flight("key") is None


@pytest.mark.parametrize(
    "event",
    [Finish(Succeeded(b"{}"), 1), End(Cancelled()), End(Lost("x"), final=True)],
    ids=["finished", "cancelled", "lost"],
)
def test_the_end_of_a_job_frees_its_cache_key(store: JobStore, event: Event) -> None:
    job = started(store, cache_key="key", handles_errors=True)
    store.change(job.id, event)
    assert store.in_flight("key") is None


def test_a_job_whose_on_error_is_to_be_called_stays_in_flight(store: JobStore) -> None:
    job = started(store, cache_key="key", handles_errors=True)
    store.change(job.id, End(Lost("it died")))
    flight = store.in_flight("key")
    assert flight is not None
    assert flight.id == job.id


def test_a_job_that_came_and_went_while_another_is_created_answers_it(
    make: Callable[..., JobStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    quick, slow = make(), make()
    look = slow.kept

    def come_and_go(key: str, expire: float | None) -> Result | None:
        found = look(key, expire)
        monkeypatch.setattr(slow, "kept", look)
        job = started(quick, cache_key="key", kept=True)
        quick.keep(job, b'"quick"')
        quick.finish(job, Succeeded(b'"quick"'))
        return found

    monkeypatch.setattr(slow, "kept", come_and_go)
    job = Job(new_job_id(), "out.children", cache_key="key", kept=True)
    disposition, result = slow.create(job, REQUEST, coalesce=True)
    assert disposition is Disposition.CACHED
    assert result is not None
    assert result.response == b'"quick"'


def test_a_cancelled_job_is_in_flight_no_more(store: JobStore) -> None:
    job = started(store, cache_key="key")
    store.ask_cancel(job.id)
    assert store.in_flight("key") is None
    newer = new(store, cache_key="key")
    store.change(job.id, End(Cancelled()))
    flight = store.in_flight("key")
    assert flight is not None
    assert flight.id == newer.id, "the end of the older one leaves it alone"


def test_the_last_who_leaves_is_told_so(make: Callable[..., JobStore]) -> None:
    store, other = make(), make()
    job = new(store, cache_key="key")
    other.join(job, "second", "owner")
    store.join(job, "third")
    assert other.joined("third") == (job.id, None)
    assert store.joined("second") == (job.id, "owner")
    assert store.joined(job.id) is None
    assert not store.leave(job, job.id)
    assert not other.leave(job, "second")
    assert other.has_left(job.id)
    assert not other.has_left("third")
    assert store.leave(job, "third")


def test_askers_who_come_and_go_at_once_are_all_counted(store: JobStore) -> None:
    job = new(store, cache_key="key")
    at_once(*[lambda n=n: store.join(job, f"asker {n}") for n in range(8)])
    last: list[bool] = [store.leave(job, job.id)]
    at_once(*[lambda n=n: last.append(store.leave(job, f"asker {n}")) for n in range(8)])
    assert sorted(last) == [False] * 8 + [True]


def keep(
    store: JobStore, key: str, callback: str = "out.children", expire: float | None = 60
) -> Job:
    job = Job(new_job_id(), callback, cache_key=key, kept=True, expire=expire)
    store.create(job, REQUEST)
    record = store.change(job.id, Begin())
    assert record is not None
    put(store, record, ("a", "b"), b'"set"')
    put(store, record, 0, b'"progress"')
    store.keep(record, f'"{key}"'.encode())
    assert store.finish(record, Succeeded(b"{}"))
    return record


def test_a_result_is_kept_with_what_was_set_on_the_way(make: Callable[..., JobStore]) -> None:
    keep(make(), "key")
    assert make().kept("key", 60) == Result([(("a", "b"), b'"set"')], b'"key"')
    assert make().kept("another", 60) is None


def test_clear_drops_the_results_of_one_callback(make: Callable[..., JobStore]) -> None:
    store, other = make(), make()
    for key, callback in (("1", "one"), ("2", "one"), ("3", "two")):
        keep(store, key, callback)
    other.clear("one")
    assert [store.kept(key, 60) is not None for key in "123"] == [False, False, True]
    keep(store, "1", "one")
    assert other.kept("1", 60) is not None, "what is kept later stays"


def test_clear_drops_the_results_of_all_callbacks(make: Callable[..., JobStore]) -> None:
    store, other = make(), make()
    keep(store, "1", "one")
    keep(store, "2", "two")
    other.clear()
    assert store.kept("1", 60) is None
    assert store.kept("2", 60) is None
    keep(store, "2", "two")
    assert other.kept("2", 60) is not None


@pytest.mark.parametrize("callback", ["out.children", None])
def test_what_ran_when_results_were_cleared_is_for_nobody_else(
    callback: str | None, store: JobStore
) -> None:
    job = started(store, cache_key="key", kept=True, expire=60)
    store.clear(callback)
    assert store.in_flight("key") is None
    store.keep(job, b"{}")
    assert store.kept("key", 60) is None


def test_clearing_another_callback_leaves_a_job_in_flight(store: JobStore) -> None:
    job = started(store, cache_key="key", kept=True, expire=60)
    store.clear("another")
    keep(store, "2", "another")
    assert store.in_flight("key") == job
    store.keep(job, b"{}")
    assert store.kept("key", 60) is not None


def test_a_kept_result_expires_after_its_last_use(make: Callable[..., JobStore]) -> None:
    store = make()
    keep(store, "used", expire=1.0)
    keep(store, "unused", expire=1.0)
    until = time.monotonic() + 1.6
    while time.monotonic() < until:
        assert store.kept("used", 1.0) is not None
        time.sleep(0.05)
    assert store.kept("unused", 1.0) is None
    wait_until(lambda: time.sleep(1.1) or store.kept("used", 1.0) is None)


# Time


def test_a_heartbeat_keeps_a_running_job_from_expiring(make: Callable[..., JobStore]) -> None:
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


def fill(store: JobStore) -> list[Job]:
    """Jobs in every state, with everything that a store keeps."""
    big = b'"' + b"x" * 100_000 + b'"'
    waiting = new(store, cache_key="waiting")
    running = started(store, cache_key="running")
    ended = started(store, cache_key="ended", kept=True, expire=0.3)
    for job in (running, ended):
        put(store, job, 0, b"1")
        put(store, job, ("a", "b"), big)
        store.renew(job)
        store.join(job, f"asker of {job.cache_key}")
        store.ask_cancel(job.id)
    store.leave(running, running.id)
    store.keep(ended, big)
    store.finish(ended, Succeeded(big))
    return [waiting, running, ended]


def test_all_is_gone_for_every_reader_when_it_has_expired(
    place: Place, make: Callable[..., JobStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timing, "WAITING", 1)
    store = make(2.0)  # on a busy machine it takes half of it to fill the store
    jobs = fill(store)
    running = jobs[1]
    other = make()

    def gone() -> bool:
        found = [
            *(other.load(job.id) for job in jobs),
            *(other.request(job.id) for job in jobs),
            *(other.load_all(job.id) for job in jobs),
            *(other.has_result(job) or None for job in jobs),
            *other.values(running.id, running.slots),
            *(other.in_flight(str(job.cache_key)) for job in jobs),
            other.joined("asker of running"),
            other.kept("ended", 0.3),
        ]
        flags = [other.cancel_asked(running.id), other.has_left(running.id)]
        return found == [None] * len(found) and not any(flags)

    assert not gone()
    listed = place.kind.listed
    if listed:
        assert (other.count(), len(other.list(limit=9))) == (3, 3)
        assert [job.id for job in other.active()] == [running.id]
    wait_until(lambda: time.sleep(0.4) or gone())
    if listed:
        assert (other.count(), other.list(limit=9), list(other.active())) == (0, [], [])


def test_the_secret_is_made_once_for_all_who_use_a_store(make: Callable[..., JobStore]) -> None:
    first, second = make(), make()
    assert first.secret(lambda: b"one") == b"one"
    assert second.secret(lambda: b"other") == b"one"
    assert first.secret(lambda: b"another") == b"one"
