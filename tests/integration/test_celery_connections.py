"""The Celery engine's queues and its connections to Redis."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import redis
from apps import wait_until
from celery_stack import Stack
from services import Memcached, RedisServer, Service, need


def test_a_queue_per_callback_and_a_count_of_what_waits(
    stack: Callable[..., Stack], redis_url: str
) -> None:
    one = stack(redis_url, redis_url, QUEUE="reports")
    web = one.web()
    general = one.worker("--concurrency", "1", "-Q", "celery")
    asked = web.dispatch(["pid"], "asking")["job"]
    assert web.value(web.submit("sleep", 0)) == "slept"
    assert web.news(asked)["state"] == "queued"
    assert waiting_in(one) == {"celery": 0, "reports": 1}
    # Its priority, 3, is that of Celery's Redis transport: a list of its own.
    client = redis.Redis.from_url(redis_url)
    assert client.llen("reports") == 1
    one.worker("--concurrency", "1", "-Q", "reports")
    pid = web.outcome(asked)["response"]["response"]["asking"]["children"]
    assert pid not in general.pids()
    assert client.llen("reports") == 0


def waiting_in(stack: Stack) -> dict[str, int]:
    """What the manager says, in a process like that of a monitor."""
    code = "import app, json; print(json.dumps(app.manager.waiting())); app.manager.stop()"
    folder = next(stack.folder.glob("**/app.py")).parent
    env = {**os.environ, **stack.env}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=env, check=True, capture_output=True
    )
    return json.loads(done.stdout)


class RedisWithTls(RedisServer):
    """A Redis whose only port is encrypted."""

    def __init__(self, folder: Path, key: Path, certificate: Path, **more: str) -> None:
        files = {"tls_key_file": key, "tls_cert_file": certificate, "tls_ca_cert_file": certificate}
        options = {name: str(path) for name, path in files.items()}
        super().__init__(folder, tls_auth_clients="no", **options, **more)
        self.options["tls-port"], self.options["port"] = str(self.port), "0"


def test_a_redis_with_tls_password_database_and_prefix(
    tmp_path: Path, run: Callable[..., RedisServer], stack: Callable[..., Stack]
) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    command += ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    server = run(RedisWithTls, key, certificate, requirepass="open-sesame")
    checked = f"ssl_cert_reqs=CERT_REQUIRED&ssl_ca_certs={certificate}"
    url = f"rediss://:open-sesame@127.0.0.1:{server.port}/5?{checked}"
    conf = {"result_backend_transport_options": {"global_keyprefix": "mine:"}}
    one = stack(url, url, conf)
    web = one.web()
    one.worker()
    assert web.value(web.submit("steps", 3, 0.05)) == 3
    files: Any = {"ssl": True, "ssl_ca_certs": str(certificate)}
    client = redis.Redis("127.0.0.1", server.port, 5, "open-sesame", **files)
    keys = [key for key in client.scan_iter("*") if b"dlc:" in key]
    assert keys
    assert all(key.startswith(b"mine:dlc:") for key in keys)


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


def test_a_redis_behind_sentinel(run: Callable[..., Any], stack: Callable[..., Stack]) -> None:
    sentinel = run(Sentinel, run(RedisServer))
    url = f"sentinel://127.0.0.1:{sentinel.port}/0"
    name = {"master_name": "mymaster"}
    conf = {"broker_transport_options": name, "result_backend_transport_options": name}
    one = stack(url, url, conf)
    web = one.web()
    one.worker()
    assert web.value(web.submit("steps", 3, 0.05)) == 3


@pytest.mark.parametrize("kind", ["files", "memcached"])
def test_other_stores_of_keys_and_values(
    kind: str, tmp_path: Path, stack: Callable[..., Stack], redis_url: str
) -> None:
    memcached = Memcached(tmp_path / "memcached")
    if kind == "memcached":
        memcached.start()
    (tmp_path / "files").mkdir()
    try:
        backend = memcached.url if kind == "memcached" else f"file://{tmp_path / 'files'}"
        one = stack(redis_url, backend)
        web = one.web()
        one.worker()
        job = web.submit("steps", 20, 0.05)
        assert web.worker_of(job) != web.pid
        assert web.value(job) == 20
        running = web.submit("clean_up", 30)
        web.worker_of(running)
        web.post("cancel", {"jobs": [running]})
        assert web.outcome(running)["state"] == "cancelled"
        lost = web.outcome(web.submit("kill"))
        assert lost["state"] == "lost"
        assert "signal 9 (SIGKILL)" in lost["error"]["message"]
    finally:
        memcached.stop()


def _reads(client: redis.Redis) -> list[int]:
    """How often records were asked for."""
    stats = client.info("commandstats")
    names = ("cmdstat_hmget", "cmdstat_hget", "cmdstat_exists")
    return [stats.get(name, {"calls": 0})["calls"] for name in names]


def _steady_reads(client: redis.Redis) -> list[int] | None:
    """The same, if half a second makes no difference."""
    before = _reads(client)
    time.sleep(0.5)
    return before if _reads(client) == before else None


def test_one_connection_listens_for_each_web_process(
    stack: Callable[..., Stack], run: Callable[..., RedisServer]
) -> None:
    server = run(RedisServer)
    one = stack(server.url, server.url)
    web = one.web()
    client = redis.Redis(port=server.port)
    jobs = [web.submit("sleep", 0) for _ in range(10)]  # nobody runs them
    with ThreadPoolExecutor(10) as tabs:
        answers = [tabs.submit(web.post, "updates", {"tab": job, "jobs": {job: 0}}) for job in jobs]
        wait_until(lambda: len(client.pubsub_channels("dlc:news:*")) == 10, 10)
        assert len(client.client_list("pubsub")) == 1
        # Each has subscribed before it has read.
        before = wait_until(lambda: _steady_reads(client), 10)
        time.sleep(3)
        assert _reads(client) == before, "nobody asks while nothing is new"
        assert not any(answer.done() for answer in answers)
        web.post("cancel", {"jobs": jobs})  # each is told, and need not wait any longer
        assert all(answer.result().ok for answer in answers)
