"""The Celery engine when a part of it goes away: workers, brokers and stores, really killed."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis
from apps import wait_until
from celery_stack import Stack, refusal
from engine import EngineServer
from services import RabbitMQ, RedisServer

#: The promise to a user who clicks while the broker or the store is down.
ANSWER_SECONDS = 3.0
#: Some of them wait for leases and for Celery's own tries.
pytestmark = pytest.mark.timeout(300)


def test_a_worker_that_is_killed_loses_its_jobs_in_words_and_the_next_takes_what_waits(
    stack: Callable[..., Stack], redis_url: str
) -> None:
    one = stack(redis_url, redis_url)
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
    stack: Callable[..., Stack], redis_url: str
) -> None:
    one = stack(redis_url, redis_url)
    web = one.web()
    worker = one.worker("--concurrency", "1")
    job = web.submit("sleep", 60)
    web.worker_of(job)
    os.kill(worker.pid, signal.SIGQUIT)
    outcome = web.outcome(job, 30)
    assert (outcome["state"], outcome["error"]["type"]) == ("lost", "JobLost")


def test_a_limit_of_celery_itself_is_a_timeout(stack: Callable[..., Stack], redis_url: str) -> None:
    one = stack(redis_url, redis_url, {"task_time_limit": 1})
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


def test_a_killed_web_server_loses_nothing(stack: Callable[..., Stack], redis_url: str) -> None:
    one = stack(redis_url, redis_url)
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
        one = stack(server.url, server.url, RESEND="8")
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
    tmp_path: Path, stack: Callable[..., Stack], redis_url: str
) -> None:
    broker = RabbitMQ(tmp_path / "rabbitmq").start()
    try:
        one = stack(broker.url, redis_url)
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
    tmp_path: Path, stack: Callable[..., Stack], redis_url: str
) -> None:
    broker = RedisServer(tmp_path / "broker").start()
    try:
        one = stack(broker.url, redis_url, RESEND="5")
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
    stack: Callable[..., Stack], redis_url: str
) -> None:
    conf = {"broker_transport_options": {"visibility_timeout": 1, "unacked_restore_limit": 1}}
    one = stack(redis_url, redis_url, conf)
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
        one = stack(server.url, server.url, RETENTION="6")
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
        wait_until(lambda: not left(), 20, "the end of all keys")
    finally:
        server.stop()
