"""A job that is submitted in the leading process while a worker is idle begins at once."""

# pyright: reportPrivateUsage=false
from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import contract_callbacks
import pytest
from managers import WORKERS, Opened, Services, local, opened, wait_until
from test_manager_contract import callback_of, ended, request_of, result, submit

from dash_long_callback.jobs import State
from dash_long_callback.managers.base import Manager


def ready(opened: Opened) -> Manager:
    """The manager, once all of its workers are idle and its leader knows that nobody queues."""
    pool = opened.manager
    pool.ensure_running()
    wait_until(lambda: len(opened.pids()) == WORKERS and pool.executor.is_ready())
    return pool


def state(pool: Manager, job_id: str) -> State:
    return pool.news({job_id: 0})[job_id].job.state


def begun(folder: Path) -> int:
    return len(list(folder.glob("begun-*")))


def test_a_job_does_not_queue_for_an_idle_worker(local_pool: Opened, tmp_path: Path) -> None:
    pool = ready(local_pool)
    jobs = [submit(pool, contract_callbacks.wait, i, tmp_path) for i in range(WORKERS)]
    assert [state(pool, job_id) for job_id in jobs] == [State.RUNNING] * WORKERS
    another = submit(pool, contract_callbacks.wait, "last", tmp_path)
    assert state(pool, another) is State.QUEUED
    for name in (*range(WORKERS), "last"):
        (tmp_path / f"open-{name}").touch()
    found = [result(ended(pool, job_id)) for job_id in (*jobs, another)]
    assert found == [*range(WORKERS), "last"]


def test_of_more_jobs_than_idle_workers_in_the_same_moment_some_queue_again(
    local_pool: Opened, tmp_path: Path
) -> None:
    pool = ready(local_pool)
    executor: Any = pool.executor
    names = [f"{i}" for i in range(WORKERS + 2)]
    with ThreadPoolExecutor(len(names)) as threads:
        with executor._supervisor._lock:  # no worker is given anything meanwhile
            submits = [
                threads.submit(submit, pool, contract_callbacks.wait, name, tmp_path)
                for name in names
            ]
            wait_until(lambda: pool.store.count("state", "running") == len(names))
        jobs = [one.result() for one in submits]
    wait_until(lambda: begun(tmp_path) == WORKERS)
    wait_until(lambda: sum(state(pool, j) is State.QUEUED for j in jobs) == 2)
    for name in names:
        (tmp_path / f"open-{name}").touch()
    assert sorted(result(ended(pool, job_id)) for job_id in jobs) == names


def test_many_threads_submit_many_jobs_and_each_runs_once(
    local_pool: Opened, tmp_path: Path
) -> None:
    pool = ready(local_pool)
    names = [f"{i}" for i in range(60)]
    for name in names:
        (tmp_path / f"open-{name}").touch()
    with ThreadPoolExecutor(8) as threads:
        jobs = list(
            threads.map(lambda n: submit(pool, contract_callbacks.wait, n, tmp_path), names)
        )
    assert [result(ended(pool, job_id)) for job_id in jobs] == names
    assert begun(tmp_path) == len(names)


def test_a_job_whose_engine_has_just_been_stopped_queues_for_the_next(
    tmp_path: Path, services: Services
) -> None:
    with opened(local, tmp_path / "jobs", services) as one:
        pool = ready(one)
        start, callback = pool.executor.start, callback_of(contract_callbacks.work)

        def stop_and_start(job: Any) -> None:
            pool.executor.stop()
            start(job)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(pool.executor, "start", stop_and_start)
            job_id = pool.submit(callback.call(request_of(callback, "after all", None))).job_id
        assert result(ended(pool, job_id)) == "after all"
