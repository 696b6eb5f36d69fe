"""Apps on FastAPI and Quart, under uvicorn and hypercorn."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any

import psutil
import pytest
import requests
from apps import wait_until
from celery_stack import Stack
from engine import APP, EngineServer

pytestmark = pytest.mark.newest_only  # Dash has other servers than Flask since 4.1

COMMANDS = {
    "uvicorn": ("-m", "uvicorn", "app:server", "--port", "{port}"),
    "hypercorn": ("-m", "hypercorn", "app:server", "--bind", "127.0.0.1:{port}"),
}
JSON = "application/json"
#: Requests that wait at the same time: many more than a pool of threads would take.
WAITING = 60


@pytest.fixture(
    scope="module",
    params=[(kind, command) for kind in ("fastapi", "quart") for command in COMMANDS],
    ids="-".join,
)
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EngineServer]:
    kind, command = request.param
    folder = tmp_path_factory.mktemp(kind)
    server = EngineServer(APP, folder, {"SERVER_KIND": kind}, COMMANDS[command])
    yield server
    server.stop()


@pytest.fixture
def server(shared: EngineServer) -> EngineServer:
    """It runs, also if the test before has ended it."""
    return shared if shared.runs else shared.start()


def test_quick_job_is_answered_in_its_own_request(server: EngineServer) -> None:
    server.value(server.submit("pid"))  # the workers are warm now

    def at_once() -> bool:
        answer = server.dispatch(0, "quick")["news"]
        return answer["ended"] and "response" in answer

    # A click waits for 30 ms, which may be too short on a busy machine.
    wait_until(at_once, what="a job that ends while its click waits")


def test_updates_and_the_result_arrive(server: EngineServer) -> None:
    job = server.submit("sleep", 0.5, "done")
    assert server.worker_of(job) != server.pid
    assert server.value(job) == "done"


def test_cancel_runs_finally_blocks(server: EngineServer) -> None:
    job = server.submit("clean_up", 30)
    server.worker_of(job)
    assert server.post("cancel", {"jobs": [job]}).ok
    assert server.outcome(job)["state"] == "cancelled"
    assert (server.folder / "cleaned").exists()


def test_an_error_of_the_function_is_its_outcome(server: EngineServer) -> None:
    outcome = server.outcome(server.submit("nonsense"))
    assert outcome["error"]["type"] == "KeyError"


def test_context_is_that_of_the_request(server: EngineServer) -> None:
    body = {
        "output": "asking.children",
        "outputs": {"id": "asking", "property": "children"},
        "inputs": [{"id": "order", "property": "data", "value": ["cookie"]}],
        "changedPropIds": ["order.data"],
    }
    url = server.url + "_dash-update-component"
    answer = requests.post(url, json=body, cookies={"session": "four"}, timeout=30).json()
    outcome = server.outcome(answer["job"])
    assert outcome["response"]["response"]["asking"]["children"] == 4


@pytest.mark.parametrize("path", ["updates", "cancel"])
def test_rubbish_is_refused_with_a_sentence(path: str, server: EngineServer) -> None:
    def post(data: bytes) -> requests.Response:
        url, json_type = server.url + "_dash-long-callback/" + path, {"Content-Type": JSON}
        return requests.post(url, data=data, headers=json_type, timeout=30)

    for data, status in ((b"rubbish", 400), (b"[1]", 400), (b'"%s"' % (b"x" * 300_000), 413)):
        answer = post(data)
        assert (answer.status_code, bool(answer.json()["message"])) == (status, True)
    unknown = {"updates": b'{"tab":"t","jobs":{"forged":0}}', "cancel": b'{"jobs":["forged"]}'}
    answer = post(unknown[path])
    assert answer.status_code == 404
    assert "forged" not in answer.text


def test_many_requests_wait_without_threads_and_others_are_answered(server: EngineServer) -> None:
    job = server.submit("gate", "holds")
    server.worker_of(job)
    seq = server.news(job)["seq"]
    web = psutil.Process(server.web_pid())
    with ThreadPoolExecutor(WAITING) as tabs:

        def ask(tab: int) -> requests.Response:
            return server.post("updates", {"tab": f"t{tab}", "jobs": {job: seq}})

        answers = [tabs.submit(ask, tab) for tab in range(WAITING)]
        time.sleep(1.5)
        assert web.num_threads() < WAITING
        ordinary = server.dispatch("hello", "ordinary")
        assert ordinary["response"]["ordinary"]["children"] == "hello"
        assert not any(answer.done() for answer in answers)
        server.open_gate("holds")
        found = [answer.result().json()["jobs"][job] for answer in answers]
    assert [news["state"] for news in found] == ["succeeded"] * WAITING


# Streams


@contextmanager
def stream(server: EngineServer, job: str, tab: str = "t") -> Generator[Iterator[dict[str, Any]]]:
    """The events that a stream sends of a job."""
    answer = requests.post(
        server.url + "_dash-long-callback/updates",
        json={"tab": tab, "jobs": {job: -1}, "stream": True},
        stream=True,
        timeout=30,
    )
    assert answer.headers["Content-Type"] == "text/event-stream"
    assert answer.headers["X-Accel-Buffering"] == "no"
    lines = answer.iter_lines(chunk_size=1)
    with answer:
        yield (json.loads(line[6:])["jobs"][job] for line in lines if line.startswith(b"data: {"))


def test_a_stream_sends_each_update_and_ends_with_the_job(server: EngineServer) -> None:
    job = server.submit("steps", 5, 0.3)
    with stream(server, job) as events:
        found = list(events)
    assert [event["ended"] for event in found] == [False] * (len(found) - 1) + [True]
    assert [event["seq"] for event in found] == sorted({event["seq"] for event in found})
    sides = [value for event in found for target, value in event.get("updates", []) if target]
    assert sides == [0, 1, 2, 3, 4]
    assert found[-1]["response"]["response"]["result"]["children"] == 5


def test_streams_wait_without_threads_and_those_that_are_left_are_forgotten(
    server: EngineServer,
) -> None:
    before = len(server.log)
    job = server.submit("gate", "streams")
    server.worker_of(job)
    web = psutil.Process(server.web_pid())
    with ExitStack() as stack:
        streams = [stack.enter_context(stream(server, job, f"t{i}")) for i in range(WAITING)]
        left = [stack.enter_context(stream(server, job, f"l{i}")) for i in range(5)]
        for events in streams + left:
            assert next(events)["state"] == "running"
        assert web.num_threads() < WAITING
        ordinary = server.dispatch("hello", "ordinary")
        assert ordinary["response"]["ordinary"]["children"] == "hello"
        server.open_gate("streams")
        found = [list(events)[-1] for events in streams]
    assert [event["state"] for event in found] == ["succeeded"] * WAITING
    assert "Traceback" not in server.log[before:]


def test_a_server_that_is_told_to_end_does_not_wait_for_its_streams(server: EngineServer) -> None:
    """The last one of each server. A stream would go on for minutes."""
    job = server.submit("gate", "end")
    server.worker_of(job)
    try:
        with stream(server, job) as events:
            next(events)
            os.kill(server.pid, signal.SIGTERM)
            wait_until(lambda: not server.runs, what="the server to end")
    finally:
        server.open_gate("end")  # its worker finishes the job


def test_over_celery(redis_url: str, stack: Callable[..., Stack]) -> None:
    one = stack(redis_url, redis_url, SERVER_KIND="fastapi")
    web = one.web(lambda folder, **env: EngineServer(APP, folder, env, COMMANDS["uvicorn"]))
    one.worker()
    job = web.submit("steps", 5, 0.1)
    assert web.worker_of(job) != web.pid
    assert web.value(job) == 5
