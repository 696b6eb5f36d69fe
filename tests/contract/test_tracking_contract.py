"""What loops report reaches whoever follows the job, with real workers of each engine."""

from __future__ import annotations

import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import contract_callbacks
from managers import PATIENCE, wait_until
from test_manager_contract import ended, result, submit

from dash_long_callback.jobs import TRACKED
from dash_long_callback.managers.base import Manager, News

any_broker = True
NOTHING = {"fraction": None, "done": None, "total": None, "rate": None, "remaining": None}


def tracked(news: News) -> list[dict[str, Any]]:
    return [json.loads(value or b"") for target, value in news.updates if target == TRACKED]


@contextmanager
def following(pool: Manager, job_id: str) -> Generator[list[dict[str, Any]]]:
    """What a page would see of a job, as it comes."""
    reports: list[dict[str, Any]] = []

    def follow() -> None:
        seq, over = 0, False
        while not over:
            news = pool.wait({job_id: seq}, PATIENCE, partial(is_fresh, seq))[job_id]
            reports.extend(tracked(news))
            seq, over = news.job.seq, news.job.state.ended

    def is_fresh(seq: int, found: dict[str, News]) -> bool:
        return found[job_id].job.seq > seq

    thread = threading.Thread(target=follow)
    thread.start()
    yield reports
    thread.join()


def test_loops_in_loops_in_threads_and_of_tqdm_are_reported_until_they_end(
    pool: Manager, tmp_path: Path
) -> None:
    job_id = submit(pool, contract_callbacks.read_all, 5, tmp_path)
    with following(pool, job_id) as reports:
        wait_until((tmp_path / "half").exists)
        # The loop stalls. On a busy machine nobody may have looked when its inner loop was full.
        wait_until(lambda: (one := reports[-1])["text"] == "One is read" and one["remaining"])
        half = reports[-1]
        (tmp_path / "open").touch()
        wait_until((tmp_path / "read").exists)
        wait_until(lambda: reports[-1] == {**NOTHING, "text": "Adding it up"})
        (tmp_path / "end").touch()
        news = ended(pool, job_id)
    assert result(news) == 5
    assert (half["text"], half["done"], half["total"]) == ("One is read", 2, 5)
    assert half["remaining"] > 0
    fractions = [one["fraction"] for one in reports if one["fraction"] is not None]
    assert fractions == sorted(fractions)
    assert len(set(fractions)) >= 5
    assert {one["text"] for one in reports} >= {"Lines", "Adding it up"}
    assert tracked(news) == [{**NOTHING, "text": "Adding it up"}]
    seq = news.job.seq
    assert pool.news({job_id: 0})[job_id].job.seq == seq


def test_a_job_that_is_cancelled_in_a_loop_ends_at_once(pool: Manager, tmp_path: Path) -> None:
    job_id = submit(pool, contract_callbacks.read_all, 3, tmp_path)
    wait_until((tmp_path / "half").exists)
    pool.cancel(job_id)
    news = ended(pool, job_id)
    assert news.job.state.value == "cancelled"
    assert result(ended(pool, submit(pool, contract_callbacks.work, 7))) == 7
