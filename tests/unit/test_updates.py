"""What a client is told when it asks for news."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dash_long_callback import Pacing
from dash_long_callback.errors import JobNotFound
from dash_long_callback.executors.inline import InlineExecutor
from dash_long_callback.jobs import Begin, Cancelled, End, Job, new_job_id
from dash_long_callback.managers.base import Manager
from dash_long_callback.server import pacing
from dash_long_callback.server import updates as updates_module
from dash_long_callback.server.pacing import Capacity, Pacer
from dash_long_callback.server.route import Request
from dash_long_callback.server.updates import updates, updates_async
from dash_long_callback.stores import names, timing
from dash_long_callback.stores.diskcache import DiskcacheStore
from dash_long_callback.stores.ports import Batch

THREADS, NO_THREADS = Capacity(64, 100), Capacity(0, 100)


@pytest.fixture
def managers(tmp_path: Path) -> Any:
    stores = [DiskcacheStore(tmp_path / name, retention=60) for name in ("one", "two")]
    yield [Manager(store, InlineExecutor(store)) for store in stores]
    for store in stores:
        store.close()


@pytest.fixture
def pacer() -> Pacer:
    return Pacer(Pacing(hold=5))


def waiting_job(manager: Manager, start_within: float | None = None) -> Job:
    job = Job(new_job_id(), "cb")
    job.start_by = None if start_within is None else job.created + start_within
    manager.store.create(job, b"{}")
    return job


@dataclass(frozen=True)
class Question(Request):
    """A request to an app whose callbacks have these managers."""

    known: list[Manager]

    @property
    def managers(self) -> list[Manager]:
        return self.known


def question(
    managers: list[Manager], jobs: dict[str, int], pacer: Pacer, capacity: Capacity, **more: Any
) -> Request:
    body = json.dumps({"tab": "tab", "jobs": jobs, **more}).encode()
    return Question(body, SimpleNamespace(**{pacing.PACER: pacer}), capacity, managers)


def ask(
    managers: list[Manager], jobs: dict[str, int], pacer: Pacer, capacity: Capacity, **more: Any
) -> Any:
    answer = updates(question(managers, jobs, pacer, capacity, **more))
    assert isinstance(answer, bytes)
    return json.loads(answer)


def later(manager: Manager, job: Job, seconds: float = 0.2) -> None:
    threading.Timer(seconds, manager.store.change, (job.id, Begin())).start()


def test_news_are_answered_at_once_and_the_next_question_may_come_at_once(
    managers: list[Manager], pacer: Pacer
) -> None:
    job = waiting_job(managers[0])
    answer = ask(managers, {job.id: -1}, pacer, THREADS)
    assert answer == {"jobs": {job.id: {"state": "queued", "seq": 0, "ended": False}}, "after": 0}


def test_server_without_threads_never_waits_and_paces_the_client(
    managers: list[Manager], pacer: Pacer
) -> None:
    job = waiting_job(managers[0])
    for seq in (-1, 0):
        after = ask(managers, {job.id: seq}, pacer, NO_THREADS)["after"]
        assert pacing.PACE_MIN <= after <= pacing.PACE_MAX


def test_a_tab_in_the_background_is_not_held_and_asks_rarely(
    managers: list[Manager], pacer: Pacer
) -> None:
    job = waiting_job(managers[0])
    answer = ask(managers, {job.id: 0}, pacer, THREADS, hidden=True)
    assert answer == {"jobs": {}, "after": pacer.pacing.hidden}


def test_a_tab_that_asks_to_be_paced_never_waits_and_is_asked_back_as_soon_as_ever(
    managers: list[Manager], pacer: Pacer
) -> None:
    job = waiting_job(managers[0])
    answer = ask(managers, {job.id: 0}, pacer, THREADS, pace=True, stream=True)
    assert answer["jobs"] == {}
    assert pacing.PACE_MIN <= answer["after"] <= pacing.PACE_MAX < pacer.pacing.hidden
    asked = question(managers, {job.id: 0}, pacer, pacer.capacity_asgi(), pace=True, stream=True)
    paced = asyncio.run(updates_async(asked))
    assert isinstance(paced, bytes), "one answer, and no stream"


def test_jobs_of_several_managers_are_waited_for_together(
    managers: list[Manager], pacer: Pacer
) -> None:
    jobs = [waiting_job(manager) for manager in managers]
    for manager, job in zip(managers, jobs, strict=True):
        later(manager, job)
        answer = ask(managers, {one.id: 0 for one in jobs}, pacer, THREADS)
        assert answer["jobs"][job.id]["state"] == "running"
        jobs = [one for one in jobs if one is not job]


def test_question_waits_until_there_is_news(managers: list[Manager], pacer: Pacer) -> None:
    job, other = waiting_job(managers[0]), waiting_job(managers[0])
    later(managers[0], job)
    answer = ask(managers, {job.id: 0, other.id: 0}, pacer, THREADS)
    assert answer["jobs"][job.id]["state"] == "running"
    assert other.id not in answer["jobs"]


@pytest.mark.parametrize("asynchronous", [False, True])
def test_who_waits_is_told_at_the_moment_when_a_job_may_not_begin_any_more(
    asynchronous: bool, managers: list[Manager], pacer: Pacer
) -> None:
    jobs = [waiting_job(manager, start_within=0.3) for manager in managers]
    jobs.append(waiting_job(managers[0], start_within=0.6))
    begun = time.monotonic()
    told: dict[str, Any] = {}
    while len(told) < len(jobs):
        asked = {job.id: 0 for job in jobs if job.id not in told}
        if asynchronous:
            answer: Any = asyncio.run(updates_async(question(managers, asked, pacer, THREADS)))
            told |= json.loads(answer)["jobs"]
        else:
            told |= ask(managers, asked, pacer, THREADS)["jobs"]
        assert told, "the hold has not ended yet"
    assert 0.6 <= time.monotonic() - begun < pacer.pacing.hold
    for job in jobs:
        assert (told[job.id]["state"], told[job.id]["error"]["kind"]) == ("expired", "expired")


def test_who_asks_without_waiting_is_told_the_next_time(
    managers: list[Manager], pacer: Pacer
) -> None:
    job = waiting_job(managers[0], start_within=0.1)
    deadline = time.monotonic() + 5
    while not (told := ask(managers, {job.id: 0}, pacer, NO_THREADS)["jobs"]):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert told[job.id]["state"] == "expired"


def test_a_question_without_news_ends_after_the_hold(managers: list[Manager]) -> None:
    job = waiting_job(managers[0])
    begun = time.monotonic()
    answer = ask(managers, {job.id: 0}, Pacer(Pacing(hold=0.2)), THREADS)
    assert answer == {"jobs": {}, "after": 0}
    assert 0.2 <= time.monotonic() - begun < 5


@pytest.mark.parametrize("newer", [{}, {"pace": True}, {"hidden": True}])
def test_newer_question_of_a_tab_ends_the_wait_of_the_older(
    newer: dict[str, bool], managers: list[Manager], pacer: Pacer
) -> None:
    job = waiting_job(managers[0])
    slow = Pacer(Pacing(hold=60))
    thread = threading.Thread(target=lambda: ask(managers, {job.id: 0}, slow, THREADS))
    thread.start()
    while not slow._tabs:  # pyright: ignore[reportPrivateUsage]
        time.sleep(0.01)
    ask(managers, {job.id: 0}, slow, NO_THREADS, **newer)
    thread.join(5)
    assert not thread.is_alive()


def test_unknown_job_among_known_ones_is_null(managers: list[Manager], pacer: Pacer) -> None:
    job = waiting_job(managers[0])
    assert ask(managers, {job.id: -1, "forged": 0}, pacer, THREADS)["jobs"]["forged"] is None


def test_only_unknown_jobs_are_not_found(managers: list[Manager], pacer: Pacer) -> None:
    with pytest.raises(JobNotFound):
        ask(managers, {"forged": 0}, pacer, THREADS)


# Streams


async def stream(
    managers: list[Manager], jobs: dict[str, int], pacer: Pacer, capacity: Capacity = THREADS
) -> AsyncGenerator[bytes]:
    answer = await updates_async(question(managers, jobs, pacer, capacity, stream=True))
    assert isinstance(answer, AsyncGenerator)
    return answer


def event(data: bytes) -> Any:
    assert data.startswith(b"data: ")
    assert data.endswith(b"\n\n")
    return json.loads(data[len(b"data: ") :])


def test_a_stream_tells_each_change_and_ends_with_the_last_job(
    managers: list[Manager], pacer: Pacer
) -> None:
    job = waiting_job(managers[0])

    async def read() -> list[Any]:
        events = await stream(managers, {job.id: 0}, pacer)
        found = [event(await anext(events))]
        managers[0].store.change(job.id, Begin())
        found.append(event(await anext(events)))
        managers[0].store.change(job.id, End(Cancelled()))
        return [*found, *[event(data) async for data in events]]

    first, *rest = asyncio.run(read())
    assert first == {"jobs": {}, "after": 0}, "at once, so that the client sees that it flows"
    assert [one["jobs"][job.id]["state"] for one in rest] == ["running", "cancelled"]


def test_a_stream_shows_that_it_lives(
    managers: list[Manager], pacer: Pacer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(updates_module, "BEAT_SECONDS", 0.05)
    job = waiting_job(managers[0])

    async def read() -> list[bytes]:
        events = await stream(managers, {job.id: 0}, pacer)
        found = [await anext(events) for _ in range(3)]
        await events.aclose()
        return found[1:]

    assert asyncio.run(read()) == [updates_module.BEAT] * 2
    assert pacer._tabs == {}  # pyright: ignore[reportPrivateUsage]


def test_a_stream_tells_of_a_job_that_has_not_begun_in_time(
    managers: list[Manager], pacer: Pacer
) -> None:
    job = waiting_job(managers[0], start_within=0.3)

    async def read() -> list[Any]:
        events = await stream(managers, {job.id: 0}, pacer)
        return [event(data) async for data in events]

    begun = time.monotonic()
    first, last = asyncio.run(read())
    assert (first["jobs"], last["jobs"][job.id]["state"]) == ({}, "expired")
    assert time.monotonic() - begun < updates_module.BEAT_SECONDS


def test_a_stream_of_a_job_that_is_gone_says_so(managers: list[Manager], pacer: Pacer) -> None:
    job = waiting_job(managers[0])

    async def read() -> Any:
        events = await stream(managers, {job.id: 0}, pacer)
        await anext(events)
        rows = managers[0].store.rows
        rows.apply(Batch(drop=[names.job(job.id)], news=job.id))
        return [event(data) async for data in events]

    assert asyncio.run(read()) == [{"jobs": {job.id: None}, "after": 0, "owner": None}]


def test_many_streams_send_less_often(managers: list[Manager]) -> None:
    pacer, job = Pacer(Pacing()), waiting_job(managers[0])
    managers[0].store.change(job.id, Begin())
    capacity = Capacity(64, 10)

    async def read() -> int:
        answer = await stream(managers, {job.id: 1}, pacer, capacity)
        count, until = 0, time.monotonic() + 1
        await anext(answer)
        while time.monotonic() < until:
            record = managers[0].store.load(job.id)
            assert record is not None
            slot, stale = record.put(0, patch=False)
            managers[0].store.write(record, {slot: b"1"}, stale)
            await anext(answer)
            count += 1
        return count

    assert asyncio.run(read()) <= 12


def test_a_client_that_takes_no_stream_is_held(managers: list[Manager], pacer: Pacer) -> None:
    job = waiting_job(managers[0])
    later(managers[0], job)
    answer: Any = asyncio.run(updates_async(question(managers, {job.id: 0}, pacer, THREADS)))
    assert json.loads(answer)["jobs"][job.id]["state"] == "running"


# Jobs of other tabs


def test_who_waits_is_told_which_jobs_of_other_tabs_have_news_but_not_the_news(
    managers: list[Manager], pacer: Pacer
) -> None:
    own, waits, begins = (waiting_job(one) for one in (managers[0], managers[0], managers[1]))
    later(managers[1], begins)
    others = {waits.id: 0, begins.id: 0, new_job_id(): 0, "no id": 7, own.id: -1}
    begun = time.monotonic()
    answer = ask(managers, {own.id: 0}, pacer, THREADS, others=others, ahead={own.id: [0, False]})
    assert answer == {"jobs": {}, "moved": {begins.id: [1, False]}, "after": 0}
    assert time.monotonic() - begun >= 0.1, "that others wait somewhere is no news of theirs"
    managers[1].store.change(begins.id, End(Cancelled()))
    managers[0].store.change(own.id, Begin())
    answer = ask(managers, {own.id: 0}, pacer, THREADS, others={begins.id: 1})
    assert answer["moved"] == {begins.id: [2, True]}
    assert answer["jobs"].keys() == {own.id}


def test_a_stream_tells_of_jobs_of_other_tabs_and_ends_with_its_own(
    managers: list[Manager], pacer: Pacer
) -> None:
    store = managers[0].store
    own, ends, goes_on = (waiting_job(managers[0]) for _ in range(3))

    async def read() -> list[Any]:
        asked = {"stream": True, "others": {ends.id: 0, goes_on.id: 0}}
        events: Any = await updates_async(question(managers, {own.id: 0}, pacer, THREADS, **asked))
        found = [event(await anext(events))]
        for job, change in ((ends, Begin()), (ends, End(Cancelled())), (own, End(Cancelled()))):
            store.change(job.id, change)
            found.append(event(await anext(events)))
        return [*found, *[event(data) async for data in events]]

    first, *moves, last = asyncio.run(read())
    assert first == {"jobs": {}, "after": 0}
    assert [one["moved"] for one in moves] == [{ends.id: [1, False]}, {ends.id: [2, True]}]
    assert last["jobs"].keys() == {own.id}


def test_a_client_that_was_not_held_is_told_until_when_a_busy_server_wants_no_other_question(
    managers: list[Manager],
) -> None:
    pacer, slow = Pacer(Pacing()), Capacity(64, 0.5)
    jobs = [waiting_job(managers[0]) for _ in range(2)]
    first, second = (ask(managers, {job.id: 0}, pacer, slow, pace=True) for job in jobs)
    assert "least" not in first
    assert 1.5 < second["least"] == second["after"] <= 2


def test_streams_can_be_turned_off(managers: list[Manager]) -> None:
    job = waiting_job(managers[0])
    pacer = Pacer(Pacing(stream=False, hold=0.1))
    asked = question(managers, {job.id: 0}, pacer, THREADS, stream=True)
    answer: Any = asyncio.run(updates_async(asked))
    assert json.loads(answer) == {"jobs": {}, "after": 0}


# Where a job waits, while another is in the way of a quiet moment


@pytest.fixture
def busy(managers: list[Manager]) -> Iterator[Job]:
    """A job that reports twenty times a second."""
    store, job = managers[0].store, waiting_job(managers[0])
    store.change(job.id, Begin())
    over = threading.Event()

    def report() -> None:
        while not over.wait(0.05):
            record = store.load(job.id)
            assert record is not None
            slot, stale = record.put(0, patch=False)
            store.write(record, {slot: b"1"}, stale)

    thread = threading.Thread(target=report)
    thread.start()
    yield job
    over.set()
    thread.join()


#: Seconds after which who asks has long been told where a job waits.
TOLD_WITHIN = 4


def test_a_tab_is_told_where_a_job_waits_while_another_reports_all_the_time(
    managers: list[Manager], pacer: Pacer, busy: Job
) -> None:
    first, second = waiting_job(managers[0]), waiting_job(managers[0])
    seen, ahead = {busy.id: 0, first.id: 0, second.id: 0}, dict[str, Any]()
    until = time.monotonic() + TOLD_WITHIN
    while len(ahead) < 2:
        assert time.monotonic() < until
        for i, news in ask(managers, seen, pacer, THREADS, ahead=ahead)["jobs"].items():
            seen[i] = news["seq"]
            if "ahead" in news:
                ahead[i] = [news["ahead"], news["wait"] is not None]
    assert ahead == {first.id: [0, False], second.id: [1, False]}


def test_a_stream_tells_where_a_job_waits_while_another_reports_all_the_time(
    managers: list[Manager], pacer: Pacer, busy: Job
) -> None:
    first, second = waiting_job(managers[0]), waiting_job(managers[0])
    jobs = {busy.id: 0, first.id: 0, second.id: 0}

    async def read() -> dict[str, int]:
        asked = question(managers, jobs, pacer, THREADS, stream=True, ahead={})
        events: Any = await updates_async(asked)
        ahead: dict[str, int] = {}
        while len(ahead) < 2:
            told = event(await anext(events))["jobs"]
            ahead |= {i: news["ahead"] for i, news in told.items() if "ahead" in news}
        await events.aclose()
        return ahead

    assert asyncio.run(asyncio.wait_for(read(), TOLD_WITHIN)) == {first.id: 0, second.id: 1}


class _Unsupervised(InlineExecutor):
    """Jobs that only those who wait for them can find lost; none begins."""

    supervised = False

    def __init__(self, store: DiskcacheStore) -> None:
        super().__init__(store)
        self.checked: list[str] = []

    def check_liveness(self, job: Job) -> None:
        self.checked.append(job.id)


@pytest.mark.parametrize("hold", [0.1, 2.0])
def test_a_job_is_checked_however_short_the_requests_are_and_busy_the_tab_is(
    hold: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timing, "LEASE_SECONDS", 0.6)
    store = DiskcacheStore(tmp_path / "cache", retention=60)
    executor = _Unsupervised(store)
    manager, pacer = Manager(store, executor), Pacer(Pacing(hold=hold))
    lost, busy = waiting_job(manager), waiting_job(manager)
    deadline = time.monotonic() + 1.5
    asked = 0
    while time.monotonic() < deadline:
        # Of one there is always news: so no request waits.
        ask([manager], {lost.id: 0, busy.id: -1 if hold > 1 else 0}, pacer, THREADS)
        asked += 1
    assert 2 <= executor.checked.count(lost.id) <= 5
    assert asked > 5
    store.close()
