"""What a client is told when it asks for news."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from dash_long_callback.errors import JobNotFound
from dash_long_callback.executors.inline import InlineExecutor
from dash_long_callback.jobs import Job, State, new_job_id
from dash_long_callback.managers.base import Manager
from dash_long_callback.server import pacing
from dash_long_callback.server.updates import updates
from dash_long_callback.stores.diskcache import DiskcacheStore

THREADS = {"wsgi.multithread": True, "SERVER_SOFTWARE": "Werkzeug/3"}
NO_THREADS = {"wsgi.multithread": False}


@pytest.fixture
def managers(tmp_path: Path) -> Any:
    stores = [DiskcacheStore(tmp_path / name, retention=60) for name in ("one", "two")]
    yield [Manager(store, InlineExecutor(store)) for store in stores]
    for store in stores:
        store.close()


def waiting_job(manager: Manager) -> Job:
    job = Job(new_job_id(), "cb")
    manager.store.create(job, b"{}")
    return job


def ask(managers: list[Manager], jobs: dict[str, int], environ: dict[str, Any]) -> Any:
    body = json.dumps({"tab": "tab", "jobs": jobs}).encode()
    return json.loads(updates(body, managers, pacing.room(environ)))


def test_news_are_answered_at_once_and_the_next_question_may_come_at_once(
    managers: list[Manager],
) -> None:
    job = waiting_job(managers[0])
    answer = ask(managers, {job.id: -1}, THREADS)
    assert answer == {"jobs": {job.id: {"state": "queued", "seq": 0, "ended": False}}, "after": 0}


def test_server_without_threads_never_waits_and_paces_the_client(managers: list[Manager]) -> None:
    job = waiting_job(managers[0])
    for seq in (-1, 0):
        after = ask(managers, {job.id: seq}, NO_THREADS)["after"]
        assert pacing.PACE_MIN <= after <= pacing.PACE_MAX


def test_jobs_of_several_managers_are_paced_instead_of_asked_about_without_end(
    managers: list[Manager],
) -> None:
    jobs = {waiting_job(manager).id: 0 for manager in managers}
    answer = ask(managers, jobs, THREADS)
    assert answer["jobs"].keys() == jobs.keys()
    assert answer["after"] >= pacing.PACE_MIN


def test_question_waits_until_there_is_news(managers: list[Manager]) -> None:
    job = waiting_job(managers[0])

    def begin(record: Job) -> bool:
        record.enter(State.RUNNING)
        return True

    threading.Timer(0.2, lambda: managers[0].store.change(job.id, begin)).start()
    answer = ask(managers, {job.id: 0}, THREADS)
    assert answer["jobs"][job.id]["state"] == "running"


def test_newer_question_of_a_tab_ends_the_wait_of_the_older(
    managers: list[Manager], monkeypatch: pytest.MonkeyPatch
) -> None:
    job = waiting_job(managers[0])
    ended: list[float] = []

    def older() -> None:
        ask(managers, {job.id: 0}, THREADS)
        ended.append(time.monotonic())

    thread = threading.Thread(target=older)
    thread.start()
    time.sleep(0.1)  # if it has not begun to wait yet, the newer one waits in vain, and fails below
    monkeypatch.setattr(pacing, "HOLD_SECONDS", 0.3)
    ask(managers, {job.id: 0}, THREADS)
    thread.join(5)
    assert ended


def test_unknown_job_among_known_ones_is_null(managers: list[Manager]) -> None:
    job = waiting_job(managers[0])
    assert ask(managers, {job.id: -1, "forged": 0}, THREADS)["jobs"]["forged"] is None


def test_only_unknown_jobs_are_not_found(managers: list[Manager]) -> None:
    with pytest.raises(JobNotFound):
        ask(managers, {"forged": 0}, THREADS)
