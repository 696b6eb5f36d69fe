"""Jobs that code starts: what `submit` and its handle promise, with real workers of each engine."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import contract_callbacks
import pytest
import sharing_callbacks
from managers import (
    GRACE,
    PATIENCE,
    WORKERS,
    Opened,
    Services,
    celery_redis,
    local,
    opened,
    wait_until,
)

from dash_long_callback import (
    Dash,
    JobEnded,
    JobExpired,
    JobFailed,
    JobHandle,
    JobLost,
    JobNotFound,
    JobTimedOut,
    JobWasCancelled,
    PartialUpdate,
    ProgressUpdate,
    PropsUpdate,
    TrackUpdate,
    find_job,
    submit,
)
from dash_long_callback.executors.celery import broker
from dash_long_callback.managers.base import Manager

#: Managers whose jobs outlive who has asked for them.
DURABLE = [
    pytest.param(local, id="embedded"),
    pytest.param(celery_redis, id="celery", marks=pytest.mark.newest_only),
]


def use(manager: Manager) -> None:
    """Have this process have an app with that manager."""
    Dash("contract", long_callback_manager=manager)


@pytest.fixture
def calls(pool: Manager) -> Manager:
    use(pool)
    return pool


def wait_for_gate(name: str, folder: Path, **options: Any) -> JobHandle:
    return submit(contract_callbacks.wait, name, str(folder), **options)


def open_gate(name: str, folder: Path) -> None:
    (folder / f"open-{name}").touch()


# How it ends


def test_the_result_is_what_the_function_returned(calls: Manager, tmp_path: Path) -> None:
    job = submit(contract_callbacks.work, {"a": [1, None]}, path=str(tmp_path))
    assert job.result(PATIENCE) == {"a": [1, None]}
    assert (job.state, job.cached, job.progress) == ("succeeded", False, None)
    assert job.ref in repr(job)


def test_a_function_that_updates_nothing_has_no_result(calls: Manager, tmp_path: Path) -> None:
    assert submit(contract_callbacks.work, "prevent", str(tmp_path)).result(PATIENCE) is None


def test_the_last_value_that_was_yielded_is_the_result(calls: Manager, tmp_path: Path) -> None:
    assert submit(contract_callbacks.count, 3, str(tmp_path)).result(PATIENCE) == 2


def test_an_exception_comes_with_its_type_its_words_and_its_traceback(
    calls: Manager, tmp_path: Path
) -> None:
    job = submit(contract_callbacks.work, "raise", str(tmp_path))
    with pytest.raises(JobFailed, match="ValueError: no luck") as failed:
        job.result(PATIENCE)
    error = failed.value
    assert (error.type, error.message, error.user) == ("ValueError", "no luck", False)
    assert "contract_callbacks.py" in error.traceback
    assert "contract_callbacks.py" in str(error.__cause__)


@pytest.mark.parametrize(
    "function, kind, error",
    [
        pytest.param(contract_callbacks.work, "unserialisable", JobFailed, id="no result"),
        pytest.param(contract_callbacks.die, "kill", JobLost, id="killed"),
        pytest.param(contract_callbacks.too_slow, "slow", JobTimedOut, id="too slow"),
    ],
)
def test_other_ends_are_exceptions_that_tell_them_apart(
    function: Callable[..., Any], kind: str, error: type[JobEnded], calls: Manager, tmp_path: Path
) -> None:
    job = submit(function, kind, str(tmp_path))
    with pytest.raises(error):
        job.result(PATIENCE)
    with pytest.raises(error):
        asyncio.run(awaited(job))


async def awaited(job: JobHandle) -> Any:
    return await job


def test_what_on_error_made_of_an_error_is_the_result(calls: Manager, tmp_path: Path) -> None:
    job = submit(contract_callbacks.unlucky, "another error", str(tmp_path))
    assert job.result(PATIENCE) == "handled 'another error'"


def test_a_wait_that_is_over_leaves_the_job_alone(calls: Manager, tmp_path: Path) -> None:
    job = wait_for_gate("a", tmp_path)
    with pytest.raises(TimeoutError, match="has not ended yet; it goes on"):
        job.result(0.1)
    assert job.state in ("queued", "running")
    open_gate("a", tmp_path)
    assert job.result(PATIENCE) == "a"
    assert job.result(0) == "a"


def test_a_job_is_cancelled_while_it_runs_and_while_it_waits(
    calls: Manager, tmp_path: Path
) -> None:
    jobs = [wait_for_gate(f"{n}", tmp_path) for n in range(WORKERS + 1)]
    wait_until(lambda: len(list(tmp_path.glob("begun-*"))) == WORKERS)
    for job in reversed(jobs):
        job.cancel()
    for job in jobs:
        with pytest.raises(JobWasCancelled, match="was cancelled"):
            job.result(PATIENCE)
        assert job.state == "cancelled"
        job.cancel()  # it stays as it is
    # Of a function that takes longer than its grace, the end is told before.
    wait_until(lambda: len(list(tmp_path.glob("left-*"))) == WORKERS)


def test_many_jobs_are_awaited_on_one_event_loop(calls: Manager, tmp_path: Path) -> None:
    async def all_of_them() -> list[Any]:
        jobs = [wait_for_gate(f"{n}", tmp_path) for n in range(6)]

        async def open_gates() -> None:
            for n in range(6):  # one after the other: a wait that held the loop would have no end
                await asyncio.sleep(0.01)
                open_gate(f"{n}", tmp_path)

        *found, _ = await asyncio.gather(*map(awaited, jobs), open_gates())
        return found

    assert asyncio.run(all_of_them()) == [f"{n}" for n in range(6)]


def test_a_wait_of_an_event_loop_can_be_given_up(calls: Manager, tmp_path: Path) -> None:
    async def briefly() -> None:
        await asyncio.wait_for(awaited(job), 0.2)

    job = wait_for_gate("a", tmp_path)
    with pytest.raises((TimeoutError, asyncio.TimeoutError)):
        asyncio.run(briefly())
    open_gate("a", tmp_path)
    assert job.result(PATIENCE) == "a"


# What it reports


def test_updates_come_while_it_runs_and_end_with_it(calls: Manager, tmp_path: Path) -> None:
    job = submit(contract_callbacks.work, "updates", str(tmp_path))
    updates = list(job)
    assert updates[-2:] == [ProgressUpdate(2), PropsUpdate("box", {"children": "side"})]
    assert job.result(0) == "updated"
    assert job.progress == 2
    assert list(job) == updates[-2:]  # again, what is there


def test_what_is_yielded_comes_before_the_end_in_a_thread_and_on_a_loop(
    calls: Manager, tmp_path: Path
) -> None:
    job = submit(contract_callbacks.count, 20, str(tmp_path))
    seen: list[Any] = []
    thread = threading.Thread(target=lambda: seen.extend(job))
    thread.start()

    async def follow() -> list[tuple[str, Any]]:
        return [(job.state, update) async for update in job]

    followed = asyncio.run(follow())
    thread.join(PATIENCE)
    values = [update.value for _, update in followed if isinstance(update, PartialUpdate)]
    assert len(values) == len(followed) > 5
    assert values == sorted(values)
    assert values[-1] == 19
    assert followed[0][0] == "running"
    assert [type(one) for one in seen] == [PartialUpdate] * len(seen)
    assert seen[-1] == PartialUpdate(19)


def test_loops_tell_how_far_they_are(calls: Manager, tmp_path: Path) -> None:
    job = submit(contract_callbacks.read_all, 4, str(tmp_path))
    assert job.tracked is None or isinstance(job.tracked, TrackUpdate)
    wait_until((tmp_path / "half").exists)
    wait_until(lambda: (job.tracked or TrackUpdate()).fraction)
    (tmp_path / "open").touch()
    wait_until(lambda: (job.tracked or TrackUpdate()).text == "Adding it up")
    (tmp_path / "end").touch()
    updates = [update for update in job if isinstance(update, TrackUpdate)]
    assert job.result(PATIENCE) == 4
    assert updates[-1].text == "Adding it up"
    assert job.tracked == updates[-1]


# The handle again


def test_a_job_is_found_again_by_its_id(calls: Manager, tmp_path: Path) -> None:
    job = submit(contract_callbacks.work, "found", str(tmp_path), user="ann")
    again = find_job(job.id)
    assert again.result(PATIENCE) == "found"
    assert (again.ref, again.state) == (job.ref, "succeeded")
    for unknown in ("x" * 32, "no id"):
        with pytest.raises(JobNotFound):
            find_job(unknown)


def test_calls_that_share_a_job_each_have_a_handle(calls: Manager, tmp_path: Path) -> None:
    first = submit(sharing_callbacks.work, "wait", str(tmp_path))
    wait_until(lambda: list(tmp_path.glob("run-*")))
    second = submit(sharing_callbacks.work, "wait", str(tmp_path))
    assert second.ref == first.ref
    assert second.id != first.id
    assert find_job(second.id).state == "running"
    first.cancel()
    with pytest.raises(JobWasCancelled):
        first.result(PATIENCE)
    (tmp_path / "open").touch()
    assert second.result(PATIENCE) == "wait!"
    third = submit(sharing_callbacks.work, "wait", str(tmp_path))
    assert (third.cached, third.state, third.result()) == (True, "succeeded", "wait!")
    assert asyncio.run(awaited(third)) == "wait!"
    assert list(third) == []
    third.cancel()
    assert len(list(tmp_path.glob("run-*"))) == 1


# Later


def test_a_job_with_a_delay_begins_after_it(calls: Manager, tmp_path: Path) -> None:
    asked = time.time()
    late = wait_for_gate("late", tmp_path, delay=1.5)
    open_gate("late", tmp_path)
    assert late.state == "queued"
    # Those who come meanwhile do not wait for it, and nobody is told that they do.
    assert submit(contract_callbacks.work, "now", str(tmp_path)).result(PATIENCE) == "now"
    assert time.time() < asked + 1.5
    assert late.state == "queued"
    assert calls.position(late.id) is None
    assert late.result(PATIENCE) == "late"
    job = calls.job(late.id)
    assert job is not None
    assert job.started is not None
    assert job.started >= asked + 1.5


def test_jobs_that_are_to_begin_later_are_not_ahead_of_others(
    calls: Manager, tmp_path: Path
) -> None:
    running = [wait_for_gate(f"{n}", tmp_path) for n in range(WORKERS)]
    wait_until(lambda: len(list(tmp_path.glob("begun-*"))) == WORKERS)
    later = [wait_for_gate("later", tmp_path, delay=3600) for _ in range(3)]
    first, second = (wait_for_gate(name, tmp_path) for name in ("first", "second"))
    positions = [calls.position(job.id) for job in (first, second, *later)]
    ahead = [None if one is None else one.ahead for one in positions]
    assert ahead == [0, 1, None, None, None]
    for job in (*later, second, first, *running):
        job.cancel()
    for job in (*later, second, first, *running):
        with pytest.raises(JobWasCancelled):
            job.result(PATIENCE)
    assert not (tmp_path / "begun-later").exists()


def test_start_within_counts_from_the_moment_at_which_a_job_may_begin(
    calls: Manager, tmp_path: Path
) -> None:
    running = [wait_for_gate(f"{n}", tmp_path) for n in range(WORKERS)]
    wait_until(lambda: len(list(tmp_path.glob("begun-*"))) == WORKERS)
    moment = datetime.now(timezone.utc) + timedelta(seconds=1)
    late = submit(contract_callbacks.hurried, "late", str(tmp_path), at=moment)
    with pytest.raises(JobExpired, match=r"within its start_within of 0\.5 s"):
        late.result(PATIENCE)
    job = calls.job(late.id)
    assert job is not None
    assert job.ended is not None
    assert job.ended >= moment.timestamp() + 0.5
    for n in range(WORKERS):
        open_gate(f"{n}", tmp_path)
    for job in running:
        job.result(PATIENCE)


def test_nobody_waits_for_a_job_that_begins_later_because_it_is_equal(
    calls: Manager, tmp_path: Path
) -> None:
    later = submit(sharing_callbacks.other, "same", str(tmp_path), delay=3600)
    now = submit(sharing_callbacks.other, "same", str(tmp_path))
    assert now.result(PATIENCE) == "same!"
    assert now.ref != later.ref
    assert later.state == "queued"
    soon = submit(sharing_callbacks.other, "same", str(tmp_path), delay=0.2)
    assert not soon.cached
    assert soon.result(PATIENCE) == "same!"
    assert len(list(tmp_path.glob("run-*"))) == 2
    later.cancel()
    with pytest.raises(JobWasCancelled):
        later.result(PATIENCE)


@pytest.mark.parametrize("make", DURABLE)
def test_a_delay_survives_a_restart(
    make: Callable[[Path, Services], Opened], tmp_path: Path, services: Services
) -> None:
    with opened(make, tmp_path / "jobs", services) as before:
        use(before.manager)
        asked = time.time()
        late = wait_for_gate("late", tmp_path, delay=6)
        open_gate("late", tmp_path)
        assert submit(contract_callbacks.work, 1, str(tmp_path)).result(PATIENCE) == 1
        if before.worker is not None:
            before.worker.stop()
            before.worker.start()
            assert late.result(PATIENCE) == "late"
    if make is local:
        assert time.time() < asked + 6
        with opened(make, tmp_path / "jobs", services) as after:
            use(after.manager)
            after.manager.ensure_running()
            again = find_job(late.id)
            assert again.state == "queued"
            assert again.result(PATIENCE) == "late"
    assert (tmp_path / "begun-late").stat().st_mtime >= asked + 6


@pytest.mark.newest_only
def test_a_message_that_comes_too_early_is_sent_on(
    tmp_path: Path, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker, "LONGEST_WAIT", 0.5)
    with opened(celery_redis, tmp_path / "jobs", services) as one:
        use(one.manager)
        asked = time.time()
        late = wait_for_gate("late", tmp_path, delay=3)
        open_gate("late", tmp_path)
        # Its message, when it comes, begins another, whose own finds nothing then.
        others = [submit(contract_callbacks.count, 10, str(tmp_path)) for _ in range(6)]
        assert [job.result(PATIENCE) for job in others] == [9] * 6
        wait_until((tmp_path / "begun-late").exists)
        begun = (tmp_path / "begun-late").stat().st_mtime
        assert asked + 3 <= begun < asked + 3 + 2 + GRACE
        assert late.result(PATIENCE) == "late"
