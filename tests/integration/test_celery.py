"""The Celery engine: real web servers, workers, brokers and stores, really killed."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import redis
import requests
from apps import wait_until
from celery_worker import CeleryWorker
from engine import EngineServer, gunicorn_server, python_server
from services import RabbitMQ, RedisServer, Service, need

#: The promise to a user who clicks while the broker or the store is down.
ANSWER_SECONDS = 3.0


class Stack:
    """Web servers and workers of the same app, broker and store.

    Args:
        folder: for all of them.
        broker: URL.
        backend: URL.
        conf: Celery's settings.
        env: more environment variables of the app.
    """

    def __init__(
        self,
        folder: Path,
        broker: str,
        backend: str,
        conf: dict[str, Any] | None = None,
        **env: str,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.env = {
            "BROKER": broker,
            "BACKEND": backend,
            "CELERY_CONF": json.dumps({"worker_prefetch_multiplier": 1, **(conf or {})}),
            "FOLDER": str(folder),
            **env,
        }
        self._end = contextlib.ExitStack()

    def web(self, make: Callable[..., EngineServer] = python_server, *args: str) -> EngineServer:
        """Start a web server."""
        server = make(self.folder, *args, **self.env)
        self._end.callback(server.stop)
        return server.start()

    def worker(
        self, *options: str, module: str = "app:celery_app", env: dict[str, str] | None = None
    ) -> CeleryWorker:
        """Start a worker."""
        options = options or ("--concurrency", "2")
        worker = CeleryWorker(self.folder, module, {**self.env, **(env or {})}, *options)
        self._end.callback(worker.stop)
        return worker.start()

    def stop(self) -> None:
        """End all of them."""
        self._end.close()


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Callable[..., Stack]]:
    """Makes stacks that end with the test."""
    made: list[Stack] = []

    def make(broker: str, backend: str, conf: dict[str, Any] | None = None, **env: str) -> Stack:
        made.append(Stack(tmp_path / f"stack{len(made)}", broker, backend, conf, **env))
        return made[-1]

    yield make
    for one in made:
        one.stop()


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


def refusal(web: EngineServer, order: list[Any]) -> tuple[float, str]:
    """Seconds until a click was refused, and the words that the page shows."""
    begun = time.monotonic()
    news = web.dispatch(order)["news"]
    assert news["ended"], news
    return time.monotonic() - begun, news["error"]["message"]


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


@pytest.mark.parametrize(
    "how,words",
    [
        ("kill", "its worker process died while it ran the job: signal 9 (SIGKILL)"),
        ("exit", "its worker process died while it ran the job: exitcode 7"),
        ("crash", "its worker process died while it ran the job: signal 11 (SIGSEGV)"),
    ],
)
def test_a_process_that_dies_ends_its_job_in_words(how: str, words: str, web: EngineServer) -> None:
    begun = time.monotonic()
    outcome = web.outcome(web.submit(how))
    assert outcome["state"] == "lost"
    assert words in outcome["error"]["message"]
    assert time.monotonic() - begun < 8  # not by the lease, which takes 10


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
    assert outcome["state"] in ("succeeded", "timed_out")
    if outcome["state"] == "succeeded":
        assert outcome["response"]["response"]["handled"]["children"].startswith(words)


def test_two_web_servers_know_the_same_jobs(
    shared: tuple[Stack, EngineServer, CeleryWorker], web: EngineServer
) -> None:
    (second := Path(shared[0].folder, "second")).mkdir(exist_ok=True)
    other = python_server(second, **shared[0].env)
    other.start()
    try:
        job = web.submit("sleep", 1, "told to both")
        assert other.value(job) == "told to both"
        assert web.value(job) == "told to both"
        running = other.submit("clean_up", 30)
        web.worker_of(running)
        web.post("cancel", {"jobs": [running]})
        assert other.outcome(running)["state"] == "cancelled"
    finally:
        other.stop()


@pytest.mark.parametrize("workers", ["1", "2"])
def test_under_gunicorn(
    workers: str, shared: tuple[Stack, EngineServer, CeleryWorker], tmp_path: Path
) -> None:
    server = gunicorn_server(
        tmp_path, "--preload", "-w", workers, "--threads", "2", **shared[0].env
    )
    server.start()
    try:
        jobs = [server.submit("sleep", 0.5, f"job{i}") for i in range(4)]
        assert [server.value(job) for job in jobs] == [f"job{i}" for i in range(4)]
    finally:
        server.stop()


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


# Versions and modules


def test_a_worker_with_another_version_of_the_code_says_so(
    stack: Callable[..., Stack], redis_server: RedisServer
) -> None:
    url = redis_server.url.replace("/0", "/2")
    one = stack(url, url)
    web = one.web()
    app = one.folder / "app.py"
    text = app.read_text()
    app.write_text(text.replace("set_progress(os.getpid())", "set_progress(-os.getpid())"))
    one.worker()
    outcome = web.outcome(web.submit("pid"))
    assert (outcome["state"], outcome["error"]["type"]) == ("failed", "CallbackOutdated")
    assert "restart the workers and the web server" in outcome["error"]["message"]


def test_a_worker_that_lacks_the_callback_says_so(
    stack: Callable[..., Stack], redis_server: RedisServer
) -> None:
    url = redis_server.url.replace("/0", "/3")
    one = stack(url, url)
    web = one.web()
    app = one.folder / "app.py"
    text = app.read_text()
    app.write_text(text.replace('Output("result", "children"),', 'Output("other", "children"),'))
    one.worker()
    outcome = web.outcome(web.submit("pid"))
    assert (outcome["state"], outcome["error"]["type"]) == ("failed", "CallbackNotFound")
    assert "has no long callback 'result.children'" in outcome["error"]["message"]


def test_a_worker_of_a_module_without_the_manager_is_told_apart_from_a_slow_one(
    stack: Callable[..., Stack], redis_server: RedisServer
) -> None:
    url = redis_server.url.replace("/0", "/4")
    one = stack(url, url)
    web = one.web()
    (one.folder / "wrong.py").write_text(
        "import os\nfrom celery import Celery\n"
        'celery_app = Celery("app", broker=os.environ["BROKER"], backend=os.environ["BACKEND"])\n'
    )
    one.worker(module="wrong:celery_app")
    outcome = web.outcome(web.submit("pid"), 30)
    assert (outcome["state"], outcome["error"]["type"]) == ("failed", "CallbackNotFound")
    assert "does not know the task" in outcome["error"]["message"]
    client = redis.Redis(port=redis_server.port, db=4)
    assert not list(client.scan_iter("celery-task-meta-*"))


# Other pools


@pytest.mark.parametrize("pool", ["threads", "solo", "gevent"])
def test_other_pools_cancel_at_the_next_update(
    pool: str, stack: Callable[..., Stack], redis_server: RedisServer
) -> None:
    url = redis_server.url.replace("/0", "/5")
    one = stack(url, url)
    web = one.web()
    concurrency = () if pool == "solo" else ("--concurrency", "4")
    one.worker("--pool", pool, *concurrency)
    assert web.value(web.submit("sleep", 0)) == "slept"
    job = web.submit("steps", 200, 0.05)
    web.worker_of(job)
    web.post("cancel", {"jobs": [job]})
    begun = time.monotonic()
    assert web.outcome(job)["state"] == "cancelled"
    assert time.monotonic() - begun < 5
    assert web.value(web.submit("steps", 2, 0.05)) == 2
    timed = web.outcome(web.dispatch(3, "quick")["job"])
    assert timed["state"] == "timed_out"


# Faults


def test_a_worker_that_is_killed_loses_its_jobs_in_words_and_the_next_takes_what_waits(
    stack: Callable[..., Stack], redis_server: RedisServer
) -> None:
    url = redis_server.url.replace("/0", "/6")
    one = stack(url, url)
    web = one.web()
    worker = one.worker("--concurrency", "1")
    job = web.submit("sleep", 60)
    web.worker_of(job)
    worker.kill()
    waiting = web.submit("sleep", 0, "joined later")
    begun = time.monotonic()
    outcome = web.outcome(job, 30)
    assert outcome["state"] == "lost"
    assert "has not been heard of" in outcome["error"]["message"]
    assert time.monotonic() - begun < 20
    one.worker()
    assert web.value(waiting) == "joined later"


def test_a_worker_that_is_stopped_in_haste_says_so(
    stack: Callable[..., Stack], redis_server: RedisServer
) -> None:
    url = redis_server.url.replace("/0", "/12")
    one = stack(url, url)
    web = one.web()
    worker = one.worker("--concurrency", "1")
    job = web.submit("sleep", 60)
    web.worker_of(job)
    os.kill(worker.pid, signal.SIGQUIT)
    outcome = web.outcome(job, 30)
    assert (outcome["state"], outcome["error"]["type"]) == ("lost", "JobLost")


def test_a_limit_of_celery_itself_is_a_timeout(
    stack: Callable[..., Stack], redis_server: RedisServer
) -> None:
    url = redis_server.url.replace("/0", "/13")
    one = stack(url, url, {"task_time_limit": 1})
    web = one.web()
    one.worker("--concurrency", "1")
    outcome = web.outcome(web.submit("sleep", 60), 30)
    assert outcome["state"] == "timed_out"
    assert outcome["error"]["message"] == "the job ran longer than its timeout of 1 s"


def test_a_redis_that_hangs_is_an_error_in_seconds(
    tmp_path: Path, stack: Callable[..., Stack]
) -> None:
    server = RedisServer(tmp_path / "redis").start()
    try:
        one = stack(server.url, server.url)
        web = one.web()
        one.worker()
        assert web.value(web.submit("sleep", 0)) == "slept"
        server.pause()
        took, words = refusal(web, ["pid"])
        assert took < 2 * ANSWER_SECONDS
        assert "Redis can't be used" in words
        server.resume()
        assert web.value(web.submit("sleep", 0)) == "slept"
    finally:
        server.resume()
        server.stop()


def test_a_killed_web_server_loses_nothing(
    stack: Callable[..., Stack], redis_server: RedisServer
) -> None:
    url = redis_server.url.replace("/0", "/7")
    one = stack(url, url)
    web = one.web()
    one.worker()
    job = web.submit("sleep", 2, "after all")
    web.worker_of(job)
    web.kill()
    web.start()
    assert web.value(job) == "after all"


def test_redis_that_comes_back_with_its_data_loses_no_job(
    tmp_path: Path, stack: Callable[..., Stack]
) -> None:
    server = RedisServer(tmp_path / "redis", appendonly="yes", appendfsync="always").start()
    try:
        one = stack(server.url, server.url)
        web = one.web()
        one.worker("--concurrency", "1")
        job = web.submit("steps", 40, 0.1)
        waiting = web.submit("sleep", 0, "waited")
        web.worker_of(job)
        server.kill()
        took, words = refusal(web, ["pid"])
        assert took < ANSWER_SECONDS
        assert "Redis can't be used" in words or "can't be reached" in words
        assert web.post("updates", {"tab": "t", "jobs": {job: 0}}).status_code == 503
        time.sleep(2)
        server.start()
        wait_until(lambda: web.post("updates", {"tab": "t", "jobs": {job: 0}}).ok, 10)
        assert web.outcome(job, 60)["response"]["response"]["result"]["children"] == 40
        # Its message may have been with the worker when the connection broke: sent again then.
        assert web.outcome(waiting, 100)["state"] == "succeeded"
    finally:
        server.stop()


def test_redis_that_comes_back_without_its_data_ends_jobs_in_words(
    tmp_path: Path, stack: Callable[..., Stack]
) -> None:
    server = RedisServer(tmp_path / "redis").start()
    try:
        one = stack(server.url, server.url)
        web = one.web()
        one.worker("--concurrency", "1")
        job = web.submit("sleep", 4)
        web.worker_of(job)
        server.kill()
        server.start()
        answer = web.post("updates", {"tab": "t", "jobs": {job: 0}})
        assert answer.status_code == 404
        assert "run the callback again" in answer.json()["message"]
        assert wait_until(lambda: _value(web, "again"), 90) == "again"
    finally:
        server.stop()


def _value(web: EngineServer, value: str) -> Any:
    with contextlib.suppress(AssertionError):
        return web.value(web.submit("sleep", 0, value))
    return None


def test_a_broker_that_is_killed_and_comes_back(
    tmp_path: Path, stack: Callable[..., Stack], redis_server: RedisServer
) -> None:
    broker = RabbitMQ(tmp_path / "rabbitmq").start()
    try:
        one = stack(broker.url, redis_server.url.replace("/0", "/8"))
        web = one.web()
        one.worker("--concurrency", "1")
        job = web.submit("sleep", 8, "unmoved")
        web.worker_of(job)
        waiting = web.submit("sleep", 0, "kept by the broker")
        broker.kill()
        took, words = refusal(web, ["pid"])
        assert took < ANSWER_SECONDS
        assert "the message broker" in words
        assert "guest:guest" not in words
        broker.start()
        assert web.value(job) == "unmoved"
        assert web.outcome(waiting, 100)["state"] == "succeeded"
        assert wait_until(lambda: _value(web, "again"), 60) == "again"
    finally:
        broker.stop()


def test_a_broker_that_lost_its_messages_gets_them_again(
    tmp_path: Path, stack: Callable[..., Stack], redis_server: RedisServer
) -> None:
    broker = RedisServer(tmp_path / "broker").start()
    try:
        one = stack(broker.url, redis_server.url.replace("/0", "/9"))
        web = one.web()
        job = web.submit("sleep", 0, "sent again")
        broker.kill()
        broker.start()
        one.worker()
        assert not web.news(job)["ended"]
        assert web.outcome(job, 90)["response"]["response"]["result"]["children"] == "sent again"
    finally:
        broker.stop()


def test_a_job_longer_than_the_visibility_timeout_runs_once(
    stack: Callable[..., Stack], redis_server: RedisServer
) -> None:
    url = redis_server.url.replace("/0", "/10")
    conf = {"broker_transport_options": {"visibility_timeout": 1, "unacked_restore_limit": 1}}
    one = stack(url, url, conf)
    web = one.web()
    one.worker("--concurrency", "1")
    one.worker("--concurrency", "1")
    jobs = [web.submit("mark", 4, f"job{i}") for i in range(4)]
    assert [web.outcome(job, 60)["state"] for job in jobs] == ["succeeded"] * 4
    assert sorted(name for kind, name, _ in web.marks() if kind == "begin") == [
        f"job{i}" for i in range(4)
    ]


def test_nothing_is_left_in_redis_when_all_has_expired(
    tmp_path: Path, stack: Callable[..., Stack]
) -> None:
    server = RedisServer(tmp_path / "redis").start()
    try:
        one = stack(server.url, server.url, RETENTION="3")
        web = one.web()
        worker = one.worker()
        for order in (["steps", 5, 0.01], ["kill"], ["nonsense"], ["sleep", 4]):
            web.outcome(web.submit(*order))
        running = web.submit("clean_up", 30)
        web.worker_of(running)
        web.post("cancel", {"jobs": [running]})
        web.outcome(running)
        worker.stop()
        client = redis.Redis(port=server.port)

        def left() -> list[bytes]:
            # How queues are bound is Celery's, and is one small set for each.
            return [key for key in client.scan_iter("*") if not key.startswith(b"_kombu.")]

        assert left()
        wait_until(lambda: not left(), 10, "the end of all keys")
    finally:
        server.stop()


# Queues, connections


def test_a_queue_per_callback_and_a_count_of_what_waits(
    stack: Callable[..., Stack], redis_server: RedisServer
) -> None:
    url = redis_server.url.replace("/0", "/11")
    one = stack(url, url, QUEUE="reports")
    web = one.web()
    general = one.worker("--concurrency", "1", "-Q", "celery")
    asked = web.dispatch(["pid"], "asking")["job"]
    assert web.value(web.submit("sleep", 0)) == "slept"
    assert web.news(asked)["state"] == "queued"
    assert waiting_in(one) == {"celery": 0, "reports": 1}
    one.worker("--concurrency", "1", "-Q", "reports")
    pid = web.outcome(asked)["response"]["response"]["asking"]["children"]
    assert pid not in general.pids()
    assert waiting_in(one) == {"celery": 0, "reports": 0}


def waiting_in(stack: Stack) -> dict[str, int]:
    """What the manager says, in a process like that of a monitor."""
    code = "import app, json; print(json.dumps(app.manager.waiting())); app.manager.stop()"
    folder = next(stack.folder.glob("**/app.py")).parent
    env = {**os.environ, **stack.env}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=env, check=True, capture_output=True
    )
    return json.loads(done.stdout)


def test_a_redis_with_password_database_and_prefix(
    tmp_path: Path, stack: Callable[..., Stack]
) -> None:
    server = RedisServer(tmp_path / "redis", requirepass="open-sesame").start()
    try:
        url = f"redis://:open-sesame@127.0.0.1:{server.port}/5"
        conf = {"result_backend_transport_options": {"global_keyprefix": "mine:"}}
        one = stack(url, url, conf)
        web = one.web()
        one.worker()
        assert web.value(web.submit("sleep", 0)) == "slept"
        client = redis.Redis(port=server.port, password="open-sesame", db=5)
        keys = [key for key in client.scan_iter("*") if b"dlc:" in key]
        assert keys
        assert all(key.startswith(b"mine:dlc:") for key in keys)
    finally:
        server.stop()


def test_a_redis_with_tls(tmp_path: Path, stack: Callable[..., Stack]) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    command += ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    server = RedisServer(
        tmp_path / "redis",
        tls_key_file=str(key),
        tls_cert_file=str(certificate),
        tls_ca_cert_file=str(certificate),
        tls_auth_clients="no",
    )
    server.options["tls-port"], server.options["port"] = str(server.port), "0"
    server.start()
    try:
        checked = f"ssl_cert_reqs=CERT_REQUIRED&ssl_ca_certs={certificate}"
        url = f"rediss://127.0.0.1:{server.port}/0?{checked}"
        one = stack(url, url)
        web = one.web()
        one.worker()
        assert web.value(web.submit("steps", 3, 0.05)) == 3
    finally:
        server.stop()


class Sentinel(Service):
    """Knows which Redis is the master."""

    def __init__(self, folder: Path, master: RedisServer) -> None:
        super().__init__(folder)
        (folder / "sentinel.conf").write_text(
            f"port {self.port}\nbind 127.0.0.1\n"
            f"sentinel monitor mymaster 127.0.0.1 {master.port} 1\n"
        )

    @property
    def command(self) -> list[str]:  # pyright: ignore[reportIncompatibleVariableOverride]
        return [need("redis-server", "redis-server"), "sentinel.conf", "--sentinel"]


def test_a_redis_behind_sentinel(tmp_path: Path, stack: Callable[..., Stack]) -> None:
    server = RedisServer(tmp_path / "redis").start()
    sentinel = Sentinel(tmp_path / "sentinel", server).start()
    try:
        url = f"sentinel://127.0.0.1:{sentinel.port}/0"
        name = {"master_name": "mymaster"}
        conf = {"broker_transport_options": name, "result_backend_transport_options": name}
        one = stack(url, url, conf)
        web = one.web()
        one.worker()
        assert web.value(web.submit("steps", 3, 0.05)) == 3
    finally:
        sentinel.stop()
        server.stop()


def test_one_connection_listens_for_each_web_process(
    stack: Callable[..., Stack], tmp_path: Path
) -> None:
    server = RedisServer(tmp_path / "redis").start()
    try:
        one = stack(server.url, server.url)
        web = one.web()
        client = redis.Redis(port=server.port)
        jobs = [web.submit("sleep", 0) for _ in range(10)]  # nobody runs them
        with ThreadPoolExecutor(10) as tabs:
            answers = [
                tabs.submit(web.post, "updates", {"tab": job, "jobs": {job: 0}}) for job in jobs
            ]
            wait_until(lambda: len(client.pubsub_channels("dlc:news:*")) == 10, 10)
            assert len(client.client_list("pubsub")) == 1
            commands = client.info("commandstats")
            time.sleep(3)
            later = client.info("commandstats")
            # Nobody asks while nothing is new.
            for name in ("cmdstat_hmget", "cmdstat_hget", "cmdstat_exists"):
                assert later.get(name) == commands.get(name)
            assert all(answer.result().ok for answer in answers)
    finally:
        server.stop()
