"""What every manager promises, run against each pair of a store and an executor.

What takes worker processes is asked of the pairs in ``POOLS`` only; what only the embedded engine
does, of ``LOCAL``. See ``managers``.
"""

# pyright: reportPrivateUsage=false
from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import contract_callbacks
import pytest
from dash import Input, Output
from ids import plain
from managers import (
    PATIENCE,
    WORKERS,
    Opened,
    Services,
    alive,
    celery_redis,
    local,
    opened,
    wait_until,
)

from dash_long_callback import long_callback
from dash_long_callback.dash.callbacks import LongCallback, registry
from dash_long_callback.errors import JobNotFound
from dash_long_callback.jobs import Job, State, new_job_id
from dash_long_callback.managers.base import Disposition, Manager, News
from dash_long_callback.stores.diskcache import DiskcacheStore

#: How a worker's death is told: by the leader, and by the main process of a Celery worker.
DEATHS: dict[Any, tuple[str, str]] = {
    "kill": ("was ended by SIGKILL (out of memory?)", "signal 9 (SIGKILL)"),
    0: ("exited with code 0", "exitcode 0"),
    7: ("exited with code 7", "exitcode 7"),
}


def callback_of(function: Callable[..., Any]) -> LongCallback:
    return next(c for c in registry.all() if c.function is function)


def request_of(callback: LongCallback, kind: Any, path: Path | None) -> bytes:
    """What the web side hands over."""
    component, prop = callback.registration.callback_id.rsplit(".", 1)
    inputs = [
        {"id": "in", "property": "value", "value": kind},
        {"id": "in", "property": "path", "value": str(path)},
    ]
    return json.dumps(
        {
            "inputs": inputs[: len(callback.registration.spec["inputs"])],
            "states": [],
            "outputs": {"id": component, "property": prop},
            "changed": ["in.value"],
            "cookies": {"session": "s3cret"},
        }
    ).encode()


def submit(
    manager: Manager, function: Callable[..., Any], kind: Any = None, path: Path | None = None
) -> str:
    callback = callback_of(function)
    return manager.submit(callback.call(request_of(callback, kind, path))).job_id


def all_ended(found: dict[str, News]) -> bool:
    return all(news.job.state.ended for news in found.values())


def ended(manager: Manager, job_id: str, since: int = 0) -> News:
    found = manager.wait({job_id: since}, PATIENCE, all_ended)
    assert found[job_id].job.state.ended, f"the job is still {found[job_id].job.state.value}"
    return found[job_id]


def result(news: News) -> Any:
    assert news.job.state is State.SUCCEEDED, news.job.error
    assert isinstance(news.response, bytes)
    (props,) = json.loads(news.response)["response"].values()
    return props["children"]


# Outcomes


@pytest.mark.parametrize("value", [1, None, "text", [1, {"a": 2}], False], ids=plain)
def test_what_the_function_returns_is_the_response(value: Any, manager: Manager) -> None:
    assert result(ended(manager, submit(manager, contract_callbacks.work, value))) == value


def test_an_exception_is_failed_with_type_message_and_traceback(manager: Manager) -> None:
    news = ended(manager, submit(manager, contract_callbacks.work, "raise"))
    assert news.job.state is State.FAILED
    assert news.response is None
    assert news.job.error is not None
    assert (news.job.error["type"], news.job.error["message"]) == ("ValueError", "no luck")
    assert "contract_callbacks.py" in news.job.error["traceback"]


def test_prevent_update_is_an_empty_success(manager: Manager) -> None:
    news = ended(manager, submit(manager, contract_callbacks.work, "prevent"))
    assert (news.job.state, news.response) == (State.SUCCEEDED, b"{}")


def test_sys_exit_is_failed(manager: Manager) -> None:
    news = ended(manager, submit(manager, contract_callbacks.work, "exit"))
    assert news.job.error is not None
    assert (news.job.state, news.job.error["type"]) == (State.FAILED, "JobExited")


def test_a_result_that_can_not_be_encoded_is_failed(manager: Manager) -> None:
    news = ended(manager, submit(manager, contract_callbacks.work, "unserialisable"))
    assert news.job.error is not None
    assert news.job.state is State.FAILED
    assert "contract" in news.job.error["message"]


def test_updates_arrive_and_the_last_progress_is_there(manager: Manager) -> None:
    news = ended(manager, submit(manager, contract_callbacks.work, "updates"))
    assert result(news) == "updated"
    assert dict(news.updates) == {0: b"2", ("box", "children"): b'"side"'}


def test_ctx_is_filled_in_the_job(manager: Manager) -> None:
    news = ended(manager, submit(manager, contract_callbacks.work, "ctx"))
    assert result(news) == ["in", "s3cret"]


def test_two_clients_with_equal_arguments_both_get_their_result(manager: Manager) -> None:
    ids = [submit(manager, contract_callbacks.work, "same") for _ in range(2)]
    assert len(set(ids)) == 2
    assert [result(ended(manager, job_id)) for job_id in ids] == ["same", "same"]


# Retries


def test_a_job_that_fails_is_tried_again_and_what_failed_is_forgotten(
    manager: Manager, tmp_path: Path
) -> None:
    news = ended(manager, submit(manager, contract_callbacks.unlucky, "raise", tmp_path))
    assert result(news) == 3
    assert news.job.failures == 2
    assert news.updates == []
    values = manager.store.values(news.job.id, range(news.job.seq))
    assert set(values) == {None}


def test_on_error_is_called_once_after_the_last_attempt(manager: Manager, tmp_path: Path) -> None:
    news = ended(manager, submit(manager, contract_callbacks.unlucky, "never", tmp_path))
    assert result(news) == "handled no luck in attempt 3"
    assert sorted(f.name for f in tmp_path.iterdir()) == ["attempt-1", "attempt-2", "attempt-3"]


def waits_again(manager: Manager, job_id: str) -> bool:
    """Whether the first attempt at a job has failed, and the next is yet to come."""
    job = manager.store.load(job_id)
    return job is not None and job.state is State.QUEUED and job.failures == 1


@pytest.mark.parametrize("kind", ["another error", "in vain", "unserialisable"])
def test_what_another_attempt_would_not_help_is_not_tried_again(
    kind: str, manager: Manager, tmp_path: Path
) -> None:
    news = ended(manager, submit(manager, contract_callbacks.unlucky, kind, tmp_path))
    assert result(news).startswith("handled")
    assert [f.name for f in tmp_path.iterdir()] == ["attempt-1"]


def test_a_job_whose_worker_dies_is_tried_again_if_it_may_run_twice(
    pool: Manager, tmp_path: Path
) -> None:
    assert result(ended(pool, submit(pool, contract_callbacks.unlucky, "die", tmp_path))) == 2


def test_a_job_that_waits_for_its_next_attempt_holds_no_worker_and_can_be_cancelled(
    pool: Manager, tmp_path: Path
) -> None:
    jobs = [
        submit(pool, contract_callbacks.patient, f"job{n}", tmp_path) for n in range(WORKERS + 1)
    ]
    for job_id in jobs:
        wait_until(lambda job_id=job_id: waits_again(pool, job_id))
    assert result(ended(pool, submit(pool, contract_callbacks.work, "quick"))) == "quick"
    for job_id in jobs:
        pool.cancel(job_id)
        assert ended(pool, job_id).job.state is State.CANCELLED
    assert sorted(f.name for f in tmp_path.iterdir()) == [f"job{n}-1" for n in range(WORKERS + 1)]


def test_a_job_that_waits_for_its_next_attempt_survives_a_restart(
    tmp_path: Path, services: Services
) -> None:
    folder, files = tmp_path / "store", tmp_path / "files"
    files.mkdir()
    first = local(folder, services).manager
    job_id = submit(first, contract_callbacks.unlucky, "raise", files)
    wait_until((files / "attempt-1").exists)
    first.stop()
    second = local(folder, services).manager
    try:
        second.ensure_running()
        assert result(ended(second, job_id)) == 3
    finally:
        second.stop()


@pytest.mark.newest_only
def test_with_celery_it_survives_a_restart_of_the_worker(
    tmp_path: Path, services: Services
) -> None:
    with opened(celery_redis, tmp_path / "jobs", services) as one:
        assert one.worker is not None
        job_id = submit(one.manager, contract_callbacks.second_time, None, tmp_path)
        wait_until(lambda: waits_again(one.manager, job_id))
        one.worker.stop()
        assert waits_again(one.manager, job_id)
        one.worker.start()
        assert result(ended(one.manager, job_id)) == 2


# News


def test_news_since_a_number_are_the_same_each_time(manager: Manager) -> None:
    job_id = submit(manager, contract_callbacks.work, "updates")
    whole = ended(manager, job_id)
    for seq in range(whole.job.seq + 1):
        first, second = (manager.news({job_id: seq})[job_id] for _ in range(2))
        assert first == second
        assert first.job == whole.job
        assert first.response == whole.response
    assert manager.news({job_id: whole.job.seq})[job_id].updates == []


def test_an_unknown_job_is_left_out_of_the_news(manager: Manager) -> None:
    known = submit(manager, contract_callbacks.work, 1)
    ended(manager, known)
    assert set(manager.news({"unknown": 0, known: 0})) == {known}
    assert manager.news({"unknown": 0}) == {}


def test_an_unknown_job_can_not_be_cancelled(manager: Manager) -> None:
    with pytest.raises(JobNotFound, match="no such job"):
        manager.cancel("unknown")


def test_waiting_ends_with_its_timeout_if_nothing_happens(manager: Manager) -> None:
    job_id = submit(manager, contract_callbacks.work, 1)
    ended(manager, job_id)
    begun = time.monotonic()
    found = manager.wait({job_id: 0}, 0.05, lambda found: False)
    assert set(found) == {job_id}
    assert time.monotonic() - begun < PATIENCE


# Cancel


def test_a_job_that_waits_is_cancelled_at_once(manager: Manager) -> None:
    job = Job("waiting" + os.urandom(4).hex(), callback_of(contract_callbacks.work).key)
    manager.store.create(job, b"{}")
    manager.cancel(job.id)
    found = manager.news({job.id: 0})[job.id]
    assert (found.job.state, found.job.error) == (State.CANCELLED, None)


def test_a_job_that_has_ended_stays_as_it_is(manager: Manager) -> None:
    job_id = submit(manager, contract_callbacks.work, "kept")
    before = ended(manager, job_id)
    manager.cancel(job_id)
    assert manager.news({job_id: 0})[job_id] == before


def test_a_running_job_is_cancelled_and_cleans_up(pool: Manager, tmp_path: Path) -> None:
    job_id = submit(pool, contract_callbacks.wait, "c", tmp_path)
    wait_until((tmp_path / "begun-c").exists)
    pool.cancel(job_id)
    news = ended(pool, job_id)
    assert (news.job.state, news.job.error, news.response) == (State.CANCELLED, None, None)
    assert (tmp_path / "left-c").exists()


def test_a_job_in_the_queue_is_cancelled_and_never_begins(pool: Manager, tmp_path: Path) -> None:
    running = [submit(pool, contract_callbacks.wait, f"r{i}", tmp_path) for i in range(WORKERS)]
    wait_until(lambda: len(list(tmp_path.glob("begun-*"))) == WORKERS)
    waiting = submit(pool, contract_callbacks.wait, "queued", tmp_path)
    pool.cancel(waiting)
    assert ended(pool, waiting).job.state is State.CANCELLED
    for i in range(WORKERS):
        (tmp_path / f"open-r{i}").touch()
    assert [result(ended(pool, job_id)) for job_id in running] == ["r0", "r1"]
    assert not (tmp_path / "begun-queued").exists()


def test_a_job_that_ignores_a_cancel_is_ended_after_the_grace(
    pool: Manager, tmp_path: Path
) -> None:
    job_id = submit(pool, contract_callbacks.ignore_cancels, "x", tmp_path)
    begun = tmp_path / "begun-x"
    wait_until(lambda: begun.exists() and begun.read_text())
    pool.cancel(job_id)
    assert ended(pool, job_id).job.state is State.CANCELLED
    wait_until(lambda: not alive(int(begun.read_text())))


# Users


def test_a_job_is_its_owner_s_from_its_beginning_to_its_end(pool: Manager, tmp_path: Path) -> None:
    callback = callback_of(contract_callbacks.wait)
    request, name = request_of(callback, "owned", tmp_path), new_job_id()
    receipt = pool.submit(callback.call(request, owner="ada", job_id=name))
    assert (receipt.job_id, receipt.disposition) == (name, Disposition.NEW)

    def hidden_from(other: str | None) -> None:
        with pytest.raises(JobNotFound, match="it never existed or has expired"):
            pool.cancel(name, other)
        assert pool.job(name, other) is None
        assert pool.news({name: -1}, other) == pool.news({new_job_id(): -1}, other) == {}
        assert pool.wait({name: -1}, 0.01, bool, other) == {}

    hidden_from("grace")
    wait_until((tmp_path / "begun-owned").exists)
    hidden_from("grace")
    hidden_from(None)
    known = pool.submit(callback.call(request, owner="ada", job_id=name))
    assert (known.job_id, known.disposition) == (name, Disposition.KNOWN)
    (tmp_path / "open-owned").touch()
    found = pool.wait({name: 0}, PATIENCE, all_ended, "ada")
    assert result(found[name]) == "owned"
    assert found[name].job.owner == "ada", "the worker has written the record since"
    hidden_from("grace")
    other = pool.submit(callback.call(request, owner="grace", job_id=name))
    assert (other.job_id != name, other.disposition) == (True, Disposition.NEW)
    assert pool.job(name, "ada") == found[name].job
    pool.wait({other.job_id: 0}, PATIENCE, all_ended, "grace")


def test_a_job_without_an_owner_is_told_to_whoever_knows_its_id(manager: Manager) -> None:
    callback = callback_of(contract_callbacks.work)
    request, name = request_of(callback, "plain", None), new_job_id()
    job_id = manager.submit(callback.call(request, job_id=name)).job_id
    assert result(ended(manager, job_id)) == "plain"
    assert result(manager.news({job_id: 0}, "ada")[job_id]) == "plain"
    again = manager.submit(callback.call(request, owner="ada", job_id=name))
    assert (again.job_id, again.disposition) == (name, Disposition.KNOWN)


# Pages


def test_a_request_that_comes_twice_is_one_job(pool: Manager, tmp_path: Path) -> None:
    callback = callback_of(contract_callbacks.wait)
    request, name = request_of(callback, "twice", tmp_path), new_job_id()
    receipts = [pool.submit(callback.call(request, job_id=name)) for _ in range(3)]
    assert [receipt.job_id for receipt in receipts] == [name] * 3
    known = [Disposition.KNOWN] * 2
    assert [receipt.disposition for receipt in receipts] == [Disposition.NEW, *known]
    (tmp_path / "open-twice").touch()
    assert result(ended(pool, name)) == "twice"
    receipt = pool.submit(callback.call(request, job_id=name))
    assert receipt.disposition is Disposition.KNOWN, "also when it has ended"
    assert result(ended(pool, name)) == "twice"


def test_requests_that_come_twice_at_the_same_time_are_one_job(
    pool: Manager, tmp_path: Path
) -> None:
    callback = callback_of(contract_callbacks.work)
    request, name = request_of(callback, "both", tmp_path), new_job_id()
    with ThreadPoolExecutor(8) as threads:
        receipts = list(
            threads.map(lambda _: pool.submit(callback.call(request, job_id=name)), range(8))
        )
    assert [receipt.disposition for receipt in receipts].count(Disposition.NEW) == 1
    assert result(ended(pool, name)) == "both"


def test_what_a_generator_yields_are_updates_of_its_outputs(manager: Manager) -> None:
    news = ended(manager, submit(manager, contract_callbacks.count, 3))
    assert (news.job.state, news.updates) == (State.SUCCEEDED, [(("stream", "children"), b"2")])
    assert isinstance(news.response, bytes)
    assert json.loads(news.response).get("response", {}) == {}, "the last value is there already"


def test_a_job_whose_page_has_gone_is_cancelled_and_cleans_up(
    pool: Manager, tmp_path: Path
) -> None:
    callback = callback_of(contract_callbacks.wait_for_page)
    request = request_of(callback, "gone", tmp_path)
    job_id = pool.submit(callback.call(request), presence=3).job_id
    wait_until((tmp_path / "begun-gone").exists)
    pool.store.note_presence(job_id, 5)
    assert pool.end_with_page([pool.news({job_id: 0})[job_id].job])
    begun = time.monotonic()
    assert ended(pool, job_id).job.state is State.CANCELLED
    assert time.monotonic() - begun > 4
    assert (tmp_path / "left-gone").exists()


def test_a_job_whose_page_has_gone_while_it_waited_does_not_begin(
    pool: Manager, tmp_path: Path
) -> None:
    running = [submit(pool, contract_callbacks.wait, f"w{i}", tmp_path) for i in range(WORKERS)]
    wait_until(lambda: len(list(tmp_path.glob("begun-*"))) == WORKERS)
    callback = callback_of(contract_callbacks.wait_for_page)
    request = request_of(callback, "queued", tmp_path)
    job_id = pool.submit(callback.call(request), presence=0.5).job_id
    wait_until(lambda: not pool.store.is_present(job_id))
    for i in range(WORKERS):
        (tmp_path / f"open-w{i}").touch()
    assert ended(pool, job_id).job.state is State.CANCELLED
    assert not (tmp_path / "begun-queued").exists()
    assert [result(ended(pool, one)) for one in running] == ["w0", "w1"]


# A deadline for the start

TOO_LATE = {
    "type": "JobExpired",
    "message": "the job had not begun within its start_within of 0.5 s",
}


def block(pool: Manager, path: Path) -> list[str]:
    """Have all workers busy, until ``unblock``."""
    jobs = [submit(pool, contract_callbacks.wait, f"b{i}", path) for i in range(WORKERS)]
    wait_until(lambda: len(list(path.glob("begun-b*"))) == WORKERS)
    return jobs


def unblock(pool: Manager, path: Path, jobs: list[str]) -> None:
    """Let them go, and wait until what was in the queue before was taken from it."""
    for i in range(WORKERS):
        (path / f"open-b{i}").touch()
    jobs = [*jobs, *(submit(pool, contract_callbacks.work, f"after {i}") for i in range(WORKERS))]
    assert all(ended(pool, job_id).job.state is State.SUCCEEDED for job_id in jobs)


def test_a_job_that_begins_in_time_is_as_any_other(manager: Manager, tmp_path: Path) -> None:
    callback = callback_of(contract_callbacks.hurried)
    call = callback.call(request_of(callback, "quick", tmp_path))
    call.job.start_by = call.job.created + PATIENCE
    assert result(ended(manager, manager.submit(call).job_id)) == "quick"


def test_who_waits_for_a_job_is_told_when_it_has_not_begun_in_time(
    pool: Manager, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    blockers = block(pool, tmp_path)
    job_id = submit(pool, contract_callbacks.hurried, "late", tmp_path)
    begun = time.monotonic()
    job = ended(pool, job_id).job
    assert 0.4 < time.monotonic() - begun < 4, "with Celery, jobs are looked at every 5 s anyway"
    assert (job.state, job.error) == (State.EXPIRED, TOO_LATE)
    (line,) = (line for line in caplog.messages if "expired" in line)
    assert line.startswith(f"no. {job.ref}: {job.name} expired: waited ")
    assert line.endswith(f" attempt 1: {TOO_LATE['message']}")
    unblock(pool, tmp_path, blockers)
    assert not (tmp_path / "begun-late").exists()
    assert ended(pool, job_id).job == job


def test_whoever_takes_a_job_from_the_queue_too_late_ends_it_and_does_not_call_it(
    pool: Manager, tmp_path: Path
) -> None:
    blockers = block(pool, tmp_path)
    job_id = submit(pool, contract_callbacks.hurried, "alone", tmp_path)

    def record() -> Job:  # as it is: nobody waits for it
        job = pool.store.load(job_id)
        assert job is not None
        return job

    wait_until(lambda: record().is_late(time.time()))
    assert record().state is State.QUEUED
    unblock(pool, tmp_path, blockers)
    wait_until(lambda: record().state is not State.QUEUED)
    assert (record().state, record().error) == (State.EXPIRED, TOO_LATE)
    assert not (tmp_path / "begun-alone").exists()


# Worker processes


def test_a_job_that_takes_too_long_is_timed_out_and_cleans_up(
    pool: Manager, tmp_path: Path
) -> None:
    news = ended(pool, submit(pool, contract_callbacks.too_slow, "t", tmp_path))
    assert news.job.state is State.TIMED_OUT
    assert news.job.error == {
        "type": "JobTimedOut",
        "message": "the job ran longer than its timeout of 0.3 s",
    }
    assert (tmp_path / "left-t").exists()


@pytest.mark.parametrize("how", DEATHS)
def test_a_worker_that_dies_loses_its_job_in_words_and_is_replaced(
    how: Any, pool_and_worker: Opened
) -> None:
    pool, pids = pool_and_worker.manager, pool_and_worker.pids
    news = ended(pool, submit(pool, contract_callbacks.die, how))
    assert news.job.state is State.LOST
    assert news.job.error is not None
    assert news.job.error["type"] == "JobLost"
    assert any(words in news.job.error["message"] for words in DEATHS[how])
    wait_until(lambda: len(pids()) == WORKERS and all(map(alive, pids())))
    assert result(ended(pool, submit(pool, contract_callbacks.work, "after"))) == "after"


def test_an_idle_worker_that_is_killed_loses_no_job(pool_and_worker: Opened) -> None:
    pool, pids = pool_and_worker.manager, pool_and_worker.pids
    result(ended(pool, submit(pool, contract_callbacks.work, 0)))
    wait_until(lambda: len(pids()) == WORKERS)
    before = pids()
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: len(pids()) == WORKERS and not set(before) & set(pids()))
    jobs = [submit(pool, contract_callbacks.work, i) for i in range(4)]
    assert [result(ended(pool, job_id)) for job_id in jobs] == [0, 1, 2, 3]


def test_a_worker_that_dies_before_it_begins_a_job_does_not_lose_it(local_pool: Opened) -> None:
    pool, pids = local_pool.manager, local_pool.pids
    result(ended(pool, submit(pool, contract_callbacks.work, 0)))
    wait_until(lambda: len(pids()) == WORKERS)
    frozen = pids()
    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)
    job_id = submit(pool, contract_callbacks.work, "begun by another")
    wait_until(lambda: pool.news({job_id: 0})[job_id].job.state is State.RUNNING)
    for pid in frozen:
        os.kill(pid, signal.SIGKILL)
    assert result(ended(pool, job_id)) == "begun by another"


def test_no_more_jobs_run_at_once_than_there_are_workers(pool: Manager, tmp_path: Path) -> None:
    jobs = [submit(pool, contract_callbacks.wait, f"j{i}", tmp_path) for i in range(WORKERS * 3)]

    def begun() -> set[str]:
        return {p.name.removeprefix("begun-") for p in tmp_path.glob("begun-*")}

    def left() -> set[str]:
        return {p.name.removeprefix("left-") for p in tmp_path.glob("left-*")}

    for done in range(len(jobs)):
        # `left` first: a job that leaves in between then counts as running, not the reverse.
        wait_until(lambda: len(left()) >= done and len(begun()) >= min(done + 2, len(jobs)))  # noqa: B023
        assert len(begun()) <= done + WORKERS
        running = sorted(begun() - left())
        assert len(running) <= WORKERS
        (tmp_path / f"open-{running[0]}").touch()
        wait_until((tmp_path / f"left-{running[0]}").exists)
    assert [result(ended(pool, j)) for j in jobs] == [f"j{i}" for i in range(len(jobs))]


def test_jobs_begin_in_the_order_in_which_they_came(local_pool: Opened, tmp_path: Path) -> None:
    pool = local_pool.manager
    blockers = [submit(pool, contract_callbacks.wait, f"b{i}", tmp_path) for i in range(WORKERS)]
    wait_until(lambda: len(list(tmp_path.glob("begun-b*"))) == WORKERS)
    jobs = [submit(pool, contract_callbacks.work, i) for i in range(8)]
    for i in range(WORKERS):
        (tmp_path / f"open-b{i}").touch()
    records = [ended(pool, job_id).job for job_id in jobs]
    starts = [record.started or 0 for record in records]
    assert starts == sorted(starts)
    assert all(ended(pool, job_id) for job_id in blockers)


# Functions that a worker can't import


def test_a_closure_runs_by_value(embedded: Manager) -> None:
    captured = {"factor": 3}

    @long_callback(Output("closure", "children"), Input("in", "value"))
    def triple(value: int) -> int:
        return value * captured["factor"]

    assert result(ended(embedded, submit(embedded, triple, 4))) == 12


def test_a_lambda_with_progress_runs_by_value(embedded: Manager) -> None:
    def progressing(set_progress: Any, value: int) -> int:
        set_progress([value, value])
        return value

    long_callback(
        Output("lambda", "children"),
        Input("in", "value"),
        progress=[Output("bar", "value"), Output("bar", "max")],
        progress_default=[0, 100],
    )(progressing)
    news = ended(embedded, submit(embedded, progressing, 5))
    assert result(news) == 5
    assert news.updates == [(0, b"5"), (1, b"5")]


def test_a_function_without_a_module_runs_by_value(embedded: Manager) -> None:
    module: dict[str, Any] = {"__name__": "no_such_module"}
    exec("factor = 5\ndef work(value):\n    return value * factor", module)
    function = module["work"]
    long_callback(Output("homeless", "children"), Input("in", "value"))(function)
    assert result(ended(embedded, submit(embedded, function, 4))) == 20


def test_a_function_that_was_changed_since_the_workers_started_runs_as_it_is_now(
    local_pool: Opened,
) -> None:
    pool = local_pool.manager
    result(ended(pool, submit(pool, contract_callbacks.work, 0)))

    def declare(factor: int) -> Callable[[int], int]:
        def scaled(value: int) -> int:
            return value * factor

        for former in [c for c in registry.all() if c.key == "changed.children"]:
            registry.remove(former)
        return long_callback(Output("changed", "children"), Input("in", "value"))(scaled)

    one, other = declare(10), None
    assert result(ended(pool, submit(pool, one, 4))) == 40
    other = declare(100)
    assert result(ended(pool, submit(pool, other, 4))) == 400


def test_a_closure_that_can_not_be_pickled_fails_in_words(local_pool: Opened) -> None:
    pool = local_pool.manager
    lock = threading.Lock()

    @long_callback(Output("locked", "children"), Input("in", "value"))
    def locked(value: int) -> int:
        with lock:
            return value

    news = ended(pool, submit(pool, locked, 1))
    assert news.job.state is State.FAILED
    assert news.job.error is not None
    assert news.job.error["type"] == "NotPickleable"
    message = news.job.error["message"]
    assert message.startswith(f"{callback_of(locked).name} can't be imported by a worker process")
    assert "at the top level of a module" in message


def test_on_error_gets_a_function_that_can_not_be_sent_without_it(local_pool: Opened) -> None:
    pool = local_pool.manager
    lock = threading.Lock()

    @long_callback(
        Output("locked", "children"),
        Input("in", "value"),
        progress=Output("bar", "value"),
        on_error=lambda error: f"{type(error).__name__}: {error}",
    )
    def locked(_set_progress: Any, value: int) -> int:
        with lock:
            return value

    value = result(ended(pool, submit(pool, locked, 1)))
    assert value.startswith("JobNotStarted: ")
    assert "can't be imported by a worker process, nor sent to one" in value


def test_a_job_of_a_callback_that_is_gone_fails_in_words(manager: Manager) -> None:
    @long_callback(Output("gone", "children"), Input("in", "value"))
    def gone(value: int) -> int:
        return value

    callback = callback_of(gone)
    registry.remove(callback)
    news = ended(manager, manager.submit(callback.call(request_of(callback, 1, None))).job_id)
    assert news.job.state in (State.FAILED, State.LOST)
    assert news.job.error is not None
    assert "has no long callback" in news.job.error["message"]
    assert "gone.children" in news.job.error["message"]


# The end


def test_stopping_ends_running_jobs_in_words_and_leaves_no_process(
    tmp_path: Path, services: Services
) -> None:
    one = local(tmp_path / "jobs", services)
    manager, pids = one.manager, one.pids
    job_id = submit(manager, contract_callbacks.wait, "s", tmp_path)
    wait_until((tmp_path / "begun-s").exists)
    wait_until(lambda: len(pids()) == WORKERS)
    used = pids()
    manager.stop()
    wait_until(lambda: not any(map(alive, used)))
    store = DiskcacheStore(tmp_path / "jobs", 60)
    job = store.load(job_id)
    store.close()
    assert job is not None
    assert (job.state, job.error) == (
        State.LOST,
        {
            "type": "JobStopped",
            "message": "the server was stopped while the job ran",
            "kind": "stopped",
        },
    )


def test_what_waited_when_a_manager_stopped_is_run_by_the_next_one(
    tmp_path: Path, services: Services
) -> None:
    first = local(tmp_path / "jobs", services).manager
    blockers = [submit(first, contract_callbacks.wait, f"b{i}", tmp_path) for i in range(WORKERS)]
    wait_until(lambda: len(list(tmp_path.glob("begun-b*"))) == WORKERS)
    waiting = submit(first, contract_callbacks.work, "kept")
    first.stop()
    second = local(tmp_path / "jobs", services).manager
    second.ensure_running()
    assert result(ended(second, waiting)) == "kept"
    assert all(ended(second, job_id).job.state is State.LOST for job_id in blockers)
    second.stop()
