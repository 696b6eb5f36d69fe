"""The embedded engine while its store can't be written: what it has to tell is told later."""

# pyright: reportPrivateUsage=false
from __future__ import annotations

import os
import signal
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import contract_callbacks
import pytest
from managers import Opened, wait_until
from test_hand_over import ready
from test_manager_contract import ended, result, submit

from dash_long_callback.errors import StoreError
from dash_long_callback.jobs import State


@contextmanager
def full_disk(store: Any, *methods: str) -> Generator[list[str]]:
    """These methods of a store fail, and are noted."""
    calls: list[str] = []

    def failing(name: str) -> Any:
        def fail(*_args: object) -> None:
            calls.append(name)
            raise StoreError("the disk is full")

        return fail

    with pytest.MonkeyPatch.context() as patch:
        for name in methods:
            patch.setattr(store, name, failing(name))
        yield calls


def pid_of(job: str, folder: Path) -> int:
    """The process that runs a job that waits."""
    note = folder / f"begun-{job}"
    wait_until(lambda: note.exists() and note.read_text())
    return int(note.read_text())


def test_a_job_whose_worker_dies_meanwhile_is_lost_in_words_later(
    local_pool: Opened, tmp_path: Path
) -> None:
    pool = ready(local_pool)
    job_id = submit(pool, contract_callbacks.wait, "doomed", tmp_path)
    pid = pid_of("doomed", tmp_path)
    with full_disk(pool.store, "change") as calls:
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: len(calls) > 1)  # it tries again
        assert pool.news({job_id: 0})[job_id].job.state is State.RUNNING
    news = ended(pool, job_id)
    assert news.job.state is State.LOST
    assert "SIGKILL" in (news.job.error or {})["message"]


def test_a_job_that_is_to_queue_again_meanwhile_runs_later(
    local_pool: Opened, tmp_path: Path
) -> None:
    pool = ready(local_pool)
    frozen = local_pool.pids()
    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)
    job_id = submit(pool, contract_callbacks.work, "in the end")
    wait_until(lambda: pool.news({job_id: 0})[job_id].job.state is State.RUNNING)
    with full_disk(pool.store, "unclaim") as calls:
        for pid in frozen:
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: len(calls) > 1)
    assert result(ended(pool, job_id)) == "in the end"
