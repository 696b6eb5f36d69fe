"""Apps on FastAPI and Quart, under uvicorn and hypercorn."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest
import requests
from celery_stack import Stack
from engine import APP, EngineServer

pytestmark = pytest.mark.newest_only  # Dash has other servers than Flask since 4.1

COMMANDS = {
    "uvicorn": ("-m", "uvicorn", "app:server", "--port", "{port}"),
    "hypercorn": ("-m", "hypercorn", "app:server", "--bind", "127.0.0.1:{port}"),
}
#: Requests that wait at the same time: many more than a pool of threads would take.
WAITING = 60


@pytest.fixture(
    scope="module",
    params=[(kind, command) for kind in ("fastapi", "quart") for command in COMMANDS],
    ids="-".join,
)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EngineServer]:
    kind, command = request.param
    folder = tmp_path_factory.mktemp(kind)
    server = EngineServer(APP, folder, {"SERVER_KIND": kind}, COMMANDS[command]).start()
    yield server
    server.stop()


def test_quick_job_is_answered_in_its_own_request(server: EngineServer) -> None:
    server.value(server.submit("pid"))  # the workers are warm now
    answers = [server.dispatch(["sleep", 0])["news"] for _ in range(10)]
    assert any(answer["ended"] and "response" in answer for answer in answers)


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
        return requests.post(server.url + "_dash-long-callback/" + path, data=data, timeout=30)

    for data, status in ((b"rubbish", 400), (b"[1]", 400), (b"x" * 300_000, 413)):
        answer = post(data)
        assert (answer.status_code, bool(answer.json()["message"])) == (status, True)
    unknown = {"updates": b'{"tab":"t","jobs":{"forged":0}}', "cancel": b'{"jobs":["forged"]}'}
    answer = post(unknown[path])
    assert answer.status_code == 404
    assert "forged" not in answer.text


def test_many_requests_wait_without_threads_and_others_are_answered(server: EngineServer) -> None:
    job = server.submit("sleep", 6, "told to all")
    server.worker_of(job)
    seq = server.news(job)["seq"]
    web = psutil.Process(server.web_pid())
    with ThreadPoolExecutor(WAITING) as tabs:

        def ask(tab: int) -> requests.Response:
            return server.post("updates", {"tab": f"t{tab}", "jobs": {job: seq}})

        begun = time.monotonic()
        answers = [tabs.submit(ask, tab) for tab in range(WAITING)]
        time.sleep(1.5)
        assert web.num_threads() < WAITING
        ordinary = server.dispatch("hello", "ordinary")
        assert ordinary["response"]["ordinary"]["children"] == "hello"
        assert time.monotonic() - begun < 5
        assert not any(answer.done() for answer in answers)
        found = [answer.result().json()["jobs"][job] for answer in answers]
    assert [news["state"] for news in found] == ["succeeded"] * WAITING


def test_over_celery(redis_url: str, stack: Callable[..., Stack]) -> None:
    one = stack(redis_url, redis_url, SERVER_KIND="fastapi")
    web = one.web(lambda folder, **env: EngineServer(APP, folder, env, COMMANDS["uvicorn"]))
    one.worker()
    job = web.submit("steps", 5, 0.1)
    assert web.worker_of(job) != web.pid
    assert web.value(job) == 5
