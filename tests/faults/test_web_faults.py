"""What the web side answers when something breaks in it, or what comes is odd."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psutil
import pytest
import requests
from apps import wait_until
from celery_stack import Stack
from engine import APP, EngineServer
from services import RedisServer

UVICORN = ("-m", "uvicorn", "app:server", "--port", "{port}")
newest_only = pytest.mark.newest_only  # Dash has other servers than Flask since 4.1
KINDS = [
    pytest.param("", id="flask"),
    pytest.param("fastapi", id="fastapi", marks=newest_only),
    pytest.param("quart", id="quart", marks=newest_only),
]
#: Requests that come while a fault lasts.
MANY = 10
#: Added to the app: a callback whose results are kept, and a store that fails as the test says, in
#: a way that no store should.
MORE = r"""
app.config.suppress_callback_exceptions = True

def cached(order):
    return ascii(order)

app.long_callback(
    Output("cached", "children"), Input("order", "data"), prevent_initial_call=True,
    cache_by=lambda: ["\udcff", 2**70],
)(cached)

def breakable(name):
    method = getattr(manager.store, name)
    def call(*args, **kwargs):
        if (here / f"break-{name}").exists():
            raise ZeroDivisionError("as nobody foresaw")
        return method(*args, **kwargs)
    setattr(manager.store, name, call)

for name in ("create", "load_all"):
    breakable(name)

if __name__"""


@pytest.fixture(scope="module", params=KINDS)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EngineServer]:
    source = APP.read_text().replace("\nif __name__", MORE, 1)
    folder, kind = tmp_path_factory.mktemp("web"), request.param
    command = UVICORN if kind else ("app.py",)
    server = EngineServer(source, folder, {"SERVER_KIND": kind} if kind else {}, command).start()
    yield server
    server.stop()


# Routes


@pytest.mark.parametrize("path", ["updates", "cancel", "leave"])
def test_a_route_that_fails_in_a_way_that_nobody_foresaw_says_so_in_json(
    path: str, server: EngineServer
) -> None:
    job = server.submit("sleep", 0)
    server.value(job)
    body: dict[str, Any] = {"tab": "t", "jobs": {job: -1} if path == "updates" else [job]}
    seen, fault = len(server.log), server.folder / "break-load_all"
    fault.touch()
    try:
        answers = [server.post(path, body) for _ in range(MANY)]
    finally:
        fault.unlink()
    for answer in answers:
        assert answer.status_code == 500
        assert answer.headers["Content-Type"].startswith("application/json")
        assert answer.json()["error"] == "InternalError"
        assert "try again" in answer.json()["message"]
    assert server.log[seen:].count("ZeroDivisionError: as nobody foresaw\n") <= 2, "said once"
    assert "Traceback" in server.log[seen:]
    assert server.post(path, body).ok


def test_a_click_that_fails_in_a_way_that_nobody_foresaw_is_a_failed_job(
    server: EngineServer,
) -> None:
    fault = server.folder / "break-create"
    fault.touch()
    try:
        news = server.dispatch(["sleep", 0])["news"]
    finally:
        fault.unlink()
    assert (news["state"], news["ended"]) == ("failed", True)
    error = news["error"]
    assert (error["kind"], error["type"]) == ("refused", "ZeroDivisionError")
    assert error["message"] == "as nobody foresaw"
    assert f"no. {error['ref']}: " in server.log
    assert server.value(server.submit("sleep", 0)) == "slept"


def test_a_click_that_can_not_wait_for_its_job_leaves_it_to_the_page_to_ask(
    server: EngineServer,
) -> None:
    fault = server.folder / "break-load_all"
    fault.touch()
    try:
        answer = server.dispatch(["sleep", 0, "all the same"])
    finally:
        fault.unlink()
    assert answer["news"] == {"state": "queued", "seq": 0, "ended": False}
    assert server.value(answer["job"]) == "all the same"


def test_a_store_that_can_not_be_read_is_said_once_in_the_log(
    run: Callable[..., Any], stack: Callable[..., Stack]
) -> None:
    redis = run(RedisServer)
    web = stack(redis.url, redis.url).web()
    job = web.submit("sleep", 0)
    redis.kill()
    seen = len(web.log)
    answers = [web.post("updates", {"tab": "t", "jobs": {job: 0}}) for _ in range(MANY)]
    assert [answer.status_code for answer in answers] == [503] * MANY
    assert 1 <= web.log[seen:].count("Redis can't be used") <= 3
    redis.start()
    assert wait_until(
        lambda: web.post("updates", {"tab": "t", "jobs": {job: 0}}).status_code == 404
    )


# Inputs


#: What JSON from a browser may hold, and Dash's way to write JSON refuses.
ODD: list[Any] = ["\udcff file", 2**70, -(2**64), {"\ud800": [2**63]}]


@pytest.mark.parametrize("value", ODD, ids=ascii)
def test_inputs_that_an_ordinary_callback_takes_reach_the_function(
    value: Any, server: EngineServer
) -> None:
    assert server.value(server.submit("ascii", value)) == ascii(value)


def test_such_inputs_can_be_kept_and_are_told_apart(server: EngineServer) -> None:
    def ask(value: Any) -> dict[str, Any]:
        answer = server.dispatch(value, "cached")
        return answer["news"] if answer["news"]["ended"] else server.outcome(answer["job"])

    for _ in range(2):
        for value in ODD:
            outputs = ask(value)["response"]["response"]
            assert outputs == {"cached": {"children": ascii(value)}}


# Threads


@newest_only
def test_a_store_that_hangs_does_not_hold_up_the_other_requests_of_quart(
    run: Callable[..., Any], stack: Callable[..., Stack]
) -> None:
    redis = run(RedisServer)
    one = stack(redis.url, redis.url, SERVER_KIND="quart")
    web = one.web(lambda folder, **env: EngineServer(APP, folder, env, UVICORN))
    job = web.submit("sleep", 0)
    process, waiting = psutil.Process(web.web_pid()), 60

    def connections() -> int:
        found = process.net_connections()
        return sum(one.laddr.port == web.port for one in found if one.status == "ESTABLISHED")

    redis.pause()
    try:
        with ThreadPoolExecutor(waiting) as tabs:
            ask = [
                tabs.submit(web.post, "updates", {"tab": f"t{i}", "jobs": {job: 0}})
                for i in range(waiting)
            ]
            wait_until(lambda: connections() >= waiting, what="all requests to come")
            # Its view is no coroutine: Quart calls it in a thread.
            assert requests.get(web.url + "_dash-layout", timeout=60).ok
            assert web.dispatch("hello", "ordinary")["response"]["ordinary"]["children"] == "hello"
            answered = sum(one.done() for one in ask)
            redis.resume()
        assert answered < waiting / 2, "the others had to wait for ours"
    finally:
        redis.resume()
