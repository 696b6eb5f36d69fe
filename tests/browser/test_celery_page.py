"""The Celery example in a page, and what the page says when a part of it goes away."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from apps import Server
from celery_worker import CeleryWorker
from page import Page
from services import RedisServer

pytestmark = pytest.mark.newest_only  # Celery does not care which Dash there is

EXAMPLE = Path(__file__).parents[2] / "examples" / "6_celery.py"


@pytest.fixture(scope="module")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("redis")).start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def app(redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    quiet = {"DASH_DISABLE_VERSION_CHECK": "true", "DASH_HOT_RELOAD": "false"}
    env = {**quiet, "REDIS_URL": redis_server.url}
    server = Server(EXAMPLE, tmp_path_factory.mktemp("app"), env)
    yield server.start()
    server.stop()


@pytest.fixture(scope="module")
def worker(
    redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[CeleryWorker]:
    """Started as the example says, in the folder of the file."""
    folder = tmp_path_factory.mktemp("worker")
    (folder / EXAMPLE.name).write_text(EXAMPLE.read_text())
    env = {"REDIS_URL": redis_server.url}
    worker = CeleryWorker(folder, "6_celery:celery_app", env, "--concurrency", "2").start()
    yield worker
    worker.stop()


# Before there is a worker: this one waits for a click to be sent.
def test_a_redis_that_is_down_is_told_to_the_page(page: Page, redis_server: RedisServer) -> None:
    redis_server.kill()
    page.click("#run")
    page.wait_error("StoreError: Redis can't be used")
    page.wait_prop("run", "disabled", value=False)
    redis_server.start()
    page.click("#run")
    page.wait_prop("cancel", "disabled", value=False)
    assert page.stays(lambda: page.prop("run", "disabled") is True, 1)
    page.click("#cancel")
    page.wait_prop("run", "disabled", value=False)


@pytest.mark.usefixtures("worker")
def test_run_and_cancel(page: Page) -> None:
    page.click("#run")
    page.wait_prop("cancel", "disabled", value=False)
    page.click("#cancel")
    page.wait_prop("run", "disabled", value=False)
    assert page.text("#result") == "Nothing has run yet."
    page.click("#run")
    page.wait_text("#result", "Clicks so far: 2", 20)
    assert page.prop("run", "disabled") is False


def test_a_process_that_is_killed_is_told_to_the_page(page: Page, worker: CeleryWorker) -> None:
    page.click("#run")
    page.wait_prop("cancel", "disabled", value=False)
    page.stays(lambda: page.prop("run", "disabled") is True, 1)
    for pid in worker.pids():
        psutil.Process(pid).kill()
    page.wait_error("JobLost: its worker process died while it ran the job")
    page.wait_prop("run", "disabled", value=False)
    page.click("#run")
    page.wait_text("#result", "Clicks so far: 2", 20)
