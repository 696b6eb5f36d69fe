"""The Celery engine: real web servers and workers, cancels, versions, pools."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import redis
import requests
from apps import wait_until
from celery_stack import Stack
from celery_worker import CeleryWorker
from engine import EngineServer, gunicorn_server
from services import RedisServer


@pytest.fixture(scope="module")
def shared(
    redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Stack, EngineServer, CeleryWorker]]:
    """A web server and a prefork worker that many tests share."""
    url = redis_server.url.replace("/0", "/1")
    stack = Stack(tmp_path_factory.mktemp("shared"), url, url)
    web = stack.web()
    yield stack, web, stack.worker()
    stack.stop()


@pytest.fixture
def web(shared: tuple[Stack, EngineServer, CeleryWorker]) -> EngineServer:
    for name in ("marks", "cleaned", "ignored", "child"):
        (shared[0].folder / name).unlink(missing_ok=True)
    return shared[1]


def alive(pid: int) -> bool:
    try:
        return "zombie" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


# A pool of processes


def test_jobs_run_in_the_worker_and_their_results_arrive(web: EngineServer) -> None:
    pids = {web.value(web.submit("pid")) for _ in range(6)}
    assert web.pid not in pids
    assert len(pids) <= 2


def test_an_update_arrives_before_the_job_ends(web: EngineServer) -> None:
    job = web.submit("sleep", 2)
    assert web.worker_of(job) != web.pid
    assert not web.news(job)["ended"]
    web.post("cancel", {"jobs": [job]})


def test_set_props_arrive(web: EngineServer) -> None:
    outcome = web.outcome(web.submit("steps", 3, 0.01))
    assert outcome["response"]["response"] == {"result": {"children": 3}}


def test_a_cancel_runs_finally_blocks(web: EngineServer) -> None:
    job = web.submit("clean_up", 30)
    web.worker_of(job)
    web.post("cancel", {"jobs": [job]})
    assert web.outcome(job)["state"] == "cancelled"
    assert (web.folder / "cleaned").exists()


def test_a_function_that_ignores_a_cancel_is_ended_with_its_process(web: EngineServer) -> None:
    job = web.submit("ignore_cancel")
    pid = web.worker_of(job)
    web.post("cancel", {"jobs": [job]})
    assert web.outcome(job)["state"] == "cancelled"
    wait_until(lambda: not alive(pid), 10, "the end of the process")
    assert (web.folder / "ignored").exists()
    assert web.value(web.submit("sleep", 0)) == "slept"


def test_the_children_of_a_job_end_with_its_process(web: EngineServer) -> None:
    job = web.submit("children_ignoring", 60)
    child = int(wait_until(lambda: _text(web.folder / "child"), 10, "the child"))
    web.post("cancel", {"jobs": [job]})
    assert web.outcome(job)["state"] == "cancelled"
    wait_until(lambda: not alive(child), 10, "the end of the child")


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def test_a_job_longer_than_its_timeout_ends_in_words(web: EngineServer) -> None:
    outcome = web.outcome(web.dispatch(5, "quick")["job"])
    assert outcome["state"] == "timed_out"
    assert outcome["error"]["message"] == "the job ran longer than its timeout of 0.5 s"


def test_the_words_of_a_user_error_are_told(web: EngineServer) -> None:
    outcome = web.outcome(web.submit("tell_user"))
    assert outcome["state"] == "failed"
    assert (outcome["error"]["message"], outcome["error"]["user"]) == (
        "There are no sales in May.",
        True,
    )


TWO_APPS = """
import os
from celery import Celery
from dash import Input, Output, dcc, html
from dash_long_callback import CeleryLongCallbackManager, Dash

celery_app = Celery("app", broker=os.environ["BROKER"], backend=os.environ["BACKEND"])
manager = CeleryLongCallbackManager(celery_app, queue="two")

def make(name):
    app = Dash(__name__, long_callback_manager=manager)
    app.layout = html.Div([dcc.Store(id="order"), html.P(id="result")])

    @app.long_callback(Output("result", "children"), Input("order", "data"),
                       prevent_initial_call=True)
    def work(order):
        return f"{name} {order}"

    return app

apps = {name: make(name) for name in ("first", "second")}
if __name__ == "__main__":
    apps[os.environ["APP"]].run(port=int(os.environ["PORT"]))
"""


def test_two_apps_of_one_module_have_each_their_own_callback(
    shared: tuple[Stack, EngineServer, CeleryWorker], tmp_path: Path
) -> None:
    env, servers = shared[0].env, dict[str, EngineServer]()
    for name in ("first", "second"):
        (folder := tmp_path / name).mkdir()
        servers[name] = EngineServer(TWO_APPS, folder, {**env, "APP": name}, ("app.py",))
    options = ("--queues", "two", "--concurrency", "1")
    worker = CeleryWorker(tmp_path / "first", "app:celery_app", env, *options)
    try:
        for server in servers.values():
            server.start()
        worker.start()
        for name, server in servers.items():
            assert server.value(server.dispatch(7)["job"]) == f"{name} 7"
    finally:
        for each in (worker, *servers.values()):
            each.stop()


@pytest.mark.parametrize(
    "how,words",
    [
        ("kill", "its worker process died while it ran the job: signal 9 (SIGKILL)"),
        ("exit", "its worker process died while it ran the job: exitcode 7"),
        ("crash", "its worker process died while it ran the job: signal 11 (SIGSEGV)"),
    ],
)
def test_a_process_that_dies_ends_its_job_in_words(how: str, words: str, web: EngineServer) -> None:
    outcome = web.outcome(web.submit(how))
    assert outcome["state"] == "lost"
    assert words in outcome["error"]["message"]


@pytest.mark.parametrize(
    "order,words",
    [
        (["kill"], "JobLost: its worker process died while it ran the job: signal 9"),
        (["ignore_cancel"], "JobTimedOut: the job ran longer than its timeout of 0.5 s"),
        (["nonsense"], "KeyError: 'nonsense'"),
    ],
)
def test_on_error_is_called_whatever_ended_the_job(
    order: list[Any], words: str, web: EngineServer
) -> None:
    outcome = web.outcome(web.dispatch(order, "handled")["job"])
    assert outcome["state"] == "succeeded"
    assert outcome["response"]["response"]["handled"]["children"].startswith(words)


def test_two_web_servers_know_the_same_jobs_and_so_do_the_processes_of_one(
    shared: tuple[Stack, EngineServer, CeleryWorker], web: EngineServer, tmp_path: Path
) -> None:
    other = gunicorn_server(tmp_path, "--preload", "-w", "2", "--threads", "2", **shared[0].env)
    other.start()
    try:
        jobs = [other.submit("sleep", 0.5, f"job{i}") for i in range(4)]
        assert [other.value(job) for job in jobs] == [f"job{i}" for i in range(4)]
        job = web.submit("sleep", 1, "told to both")
        assert other.value(job) == "told to both"
        assert web.value(job) == "told to both"
        running = other.submit("clean_up", 30)
        web.worker_of(running)
        web.post("cancel", {"jobs": [running]})
        assert other.outcome(running)["state"] == "cancelled"
    finally:
        other.stop()


def test_nothing_secret_is_in_redis(
    redis_server: RedisServer, web: EngineServer, shared: tuple[Stack, EngineServer, CeleryWorker]
) -> None:
    client = redis.Redis(port=redis_server.port, db=1)
    secrets = {"Cookie": "session=s3cret", "Authorization": "Bearer s3cret"}

    def click(order: list[Any], output: str) -> str:
        body = {
            "output": f"{output}.children",
            "outputs": {"id": output, "property": "children"},
            "inputs": [{"id": "order", "property": "data", "value": order}],
            "changedPropIds": ["order.data"],
        }
        url = web.url + "_dash-update-component?token=s3cret"
        return requests.post(url, json=body, headers=secrets, timeout=30).json()["job"]

    def dump() -> bytes:
        read: dict[Any, Callable[[Any], Any]] = {
            b"string": client.get,
            b"hash": client.hgetall,
            b"list": lambda key: client.lrange(key, 0, -1),
            b"set": client.smembers,
            b"zset": lambda key: client.zrange(key, 0, -1),
        }
        return repr([read[client.type(k)](k) for k in client.scan_iter("*")]).encode()

    job = click(["sleep", 2], "result")
    web.worker_of(job)
    assert b"result.children" in dump()
    assert b"s3cret" not in dump()
    web.value(job)
    # Who asks for cookies gets them, and nothing else.
    asked = click(["cookie"], "asking")
    assert web.outcome(asked)["response"]["response"]["asking"]["children"] == len("s3cret")
    refused = web.outcome(click(["headers"], "asking"))
    assert refused["error"]["type"] == "ContextNotSent"
    assert "context=['headers']" in refused["error"]["message"]
    assert web.value(click(["path"], "result")) == "/_dash-update-component"
    assert b"s3cret" not in dump()  # all of it went with the end of the jobs
    assert "s3cret" not in shared[2].log
    # Nor does a log show the key to a job.
    assert job not in shared[2].log


# Workers that are started for one test


@pytest.fixture(scope="module")
def unattended(
    redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Stack, EngineServer]]:
    """A web server whose workers come and go with the tests."""
    redis.Redis.from_url(redis_server.url).flushdb()  # pyright: ignore[reportUnknownMemberType]
    stack = Stack(tmp_path_factory.mktemp("unattended"), redis_server.url, redis_server.url)
    yield stack, stack.web()
    stack.stop()


@pytest.fixture
def work(unattended: tuple[Stack, EngineServer]) -> Iterator[Callable[..., CeleryWorker]]:
    """Starts a worker that ends with the test, ``work(*options, module=..., folder=...)``."""
    stack = unattended[0]
    with ExitStack() as end:

        def start(
            *options: str, module: str = "app:handle", folder: Path = stack.folder
        ) -> CeleryWorker:
            worker = CeleryWorker(folder, module, stack.env, *options)
            end.callback(worker.stop)
            return worker.start()

        yield start


# Versions and modules


#: What a worker has otherwise than the web server: other code; the same code with another input;
#: both; a callback less.
CHANGES = {
    "set_progress(os.getpid())": "set_progress(-os.getpid())",
    "def handled(order: Any) -> Any:\n    name, *args = order": (
        "def handled(order: Any) -> Any:\n    name, *args = list(order)"
    ),
    'Output("asking", "children"),\n    Input("order", "data")': (
        'Output("asking", "children"),\n    Input("order", "value")'
    ),
    'Output("quick", "children"), Input("order", "data")': (
        'Output("quick", "children"), Input("order", "value")'
    ),
    'return "in time"': 'return "too late"',
    'Output("urgent", "children"),': 'Output("other", "children"),',
}


def test_a_worker_with_another_version_of_the_code_says_so_and_does_not_run_it(
    unattended: tuple[Stack, EngineServer], work: Callable[..., CeleryWorker], tmp_path: Path
) -> None:
    web = unattended[1]
    shutil.copytree(web.folder, folder := tmp_path / "changed")
    text = (folder / "app.py").read_text()
    for old, new in CHANGES.items():
        assert text.count(old) == 1
        text = text.replace(old, new)
    (folder / "app.py").write_text(text)
    worker = work("--concurrency", "1", folder=folder)
    outcome = web.outcome(web.submit("pid"))
    error = outcome["error"]
    assert (outcome["state"], error["type"]) == ("failed", "CallbackOutdated")
    assert error["kind"] == "unavailable"
    assert "restart the workers and the web server" in error["message"]
    assert worker.log.count(f"no. {error['ref']}: obey (result.children) failed: ") == 1
    # Its on_error is there all the same.
    told = web.value_of(web.dispatch(["pid"], "handled")["job"], "handled")
    assert told.startswith("JobNotStarted: the Celery worker ")
    # Its callback takes other arguments.
    for job in (web.dispatch(["path"], "asking")["job"], web.dispatch(0, "quick")["job"]):
        outcome = web.outcome(job)
        assert outcome["state"] == "failed"
        assert "The app has changed since this page was loaded" in outcome["error"]["message"]
    # It lacks the callback.
    outcome = web.outcome(web.dispatch(["pid"], "urgent")["job"])
    assert (outcome["state"], outcome["error"]["type"]) == ("failed", "CallbackNotFound")
    assert "has no long callback 'urgent.children'" in outcome["error"]["message"]


def test_a_worker_of_a_module_without_the_manager_is_told_apart_from_a_slow_one(
    unattended: tuple[Stack, EngineServer],
    work: Callable[..., CeleryWorker],
    redis_server: RedisServer,
) -> None:
    stack, web = unattended
    (stack.folder / "wrong.py").write_text(
        "import os\nfrom celery import Celery\n"
        'celery_app = Celery("app", broker=os.environ["BROKER"], backend=os.environ["BACKEND"])\n'
    )
    work("--concurrency", "1", module="wrong:celery_app")
    outcome = web.outcome(web.submit("pid"), 30)
    assert (outcome["state"], outcome["error"]["type"]) == ("failed", "CallbackNotFound")
    assert "does not know the task" in outcome["error"]["message"]
    client = redis.Redis.from_url(redis_server.url)
    assert not list(client.scan_iter("celery-task-meta-*"))


# Other pools


@pytest.mark.parametrize("pool", ["threads", "solo", "gevent"])
def test_other_pools_cancel_at_the_next_update(
    pool: str, unattended: tuple[Stack, EngineServer], work: Callable[..., CeleryWorker]
) -> None:
    web = unattended[1]
    concurrency = () if pool == "solo" else ("--concurrency", "4")
    work("--pool", pool, *concurrency)
    assert web.value(web.submit("sleep", 0)) == "slept"
    job = web.submit("steps", 200, 0.05)
    web.worker_of(job)
    web.post("cancel", {"jobs": [job]})
    assert web.outcome(job)["state"] == "cancelled"
    assert web.value(web.submit("steps", 2, 0.05)) == 2
    timed = web.outcome(web.dispatch(3, "quick")["job"])
    assert timed["state"] == "timed_out"
