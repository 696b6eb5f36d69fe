"""The Celery engine when a part of it goes away: workers, brokers and stores, really killed."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis
from apps import wait_until
from celery import Celery
from celery_stack import Stack, refusal
from celery_worker import CeleryWorker
from engine import EngineServer
from services import RabbitMQ, RedisServer

from dash_long_callback import CeleryLongCallbackManager

#: A user who clicks while the broker or the store is down is told; without limits of time, never.
ANSWER_SECONDS = 10.0
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
    outcome = web.outcome(job, 30)
    assert outcome["state"] == "lost"
    assert "has not been heard of" in outcome["error"]["message"]
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
    error = web.outcome(job, 30)["error"]
    assert (error["kind"], error["type"]) == ("stopped", "JobStopped")
    said = f"no. {error['ref']}: obey (result.children) was lost: "
    wait_until(lambda: said in web.log + worker.log)  # a moment after the page hears of it
    assert (web.log + worker.log).count(said) == 1


def test_on_error_of_a_worker_that_is_stopped_in_haste_is_called_by_another(
    stack: Callable[..., Stack], redis_url: str
) -> None:
    one = stack(redis_url, redis_url, TIMEOUT="60")
    web = one.web()
    worker = one.worker("--concurrency", "1")
    job = web.dispatch(["sleep", 60], "handled")["job"]
    wait_until(lambda: web.news(job)["state"] == "running")
    os.kill(worker.pid, signal.SIGQUIT)
    wait_until(lambda: not worker.pids(), 30, "the end of the worker")
    one.worker("--concurrency", "1")
    told = "JobStopped: the worker was stopped while the job ran"
    assert web.value_of(job, "handled") == told


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
        refused = web.dispatch(["pid"])["job"]
        server.resume()
        assert web.value(web.submit("sleep", 0)) == "slept"
        # Redis has come to it since: too late, as the page was told that nothing was started.
        assert web.post("updates", {"tab": "t", "jobs": {refused: -1}}).status_code == 404
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


# Workers that are stuck, paused or late. Leases are short here: tests wait for their end.

#: Seconds of a lease: more than the five after which billiard looks for dead processes.
LEASE = 6.0


@pytest.fixture(scope="module")
def quick(
    redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Stack, EngineServer, CeleryWorker]]:
    """A web server and a worker with one process, which tests share."""
    url = redis_server.url.replace("/0", "/1")
    conf = {"task_default_queue": "quick"}
    one = Stack(tmp_path_factory.mktemp("quick"), url, url, conf, LEASE=str(LEASE), RESEND="4")
    yield one, one.web(), one.worker("--concurrency", "1")
    one.stop()


@pytest.fixture
def web(quick: tuple[Stack, EngineServer, CeleryWorker]) -> EngineServer:
    for name in ("cleaned", "ignored", "child", "held", "handler-dies", "gate-open", "start-fails"):
        (quick[0].folder / name).unlink(missing_ok=True)
    return quick[1]


@pytest.fixture
def worker(quick: tuple[Stack, EngineServer, CeleryWorker]) -> CeleryWorker:
    return quick[2]


def _handled(outcome: dict[str, Any]) -> str:
    assert outcome["state"] == "succeeded", outcome
    return outcome["response"]["response"]["handled"]["children"]


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def _alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _goes_on(web: EngineServer, job: str) -> bool:
    """Wait for a job as its page does, for more than a lease lasts. Whether it has not ended."""
    begun = time.monotonic()
    while (waited := time.monotonic() - begun) < 2 * LEASE:
        news = web.updates(job, web.news(job)["seq"])
        if news is not None and news["ended"]:
            return False
    return waited > LEASE


def test_a_process_that_is_stuck_is_ended_and_another_calls_on_error(web: EngineServer) -> None:
    job = web.dispatch(["hold_gil", 120], "handled")["job"]
    stuck = int(wait_until(lambda: _text(web.folder / "held"), 30, "the job to begin"))
    # There is one process: on_error is called as it is replaced.
    words = _handled(web.outcome(job, 60))
    assert words == "JobLost: its Celery worker has not been heard of any more"
    assert not _alive(stuck)


def test_on_error_waits_for_a_free_worker_as_long_as_it_takes(web: EngineServer) -> None:
    job = web.dispatch(["ignore_cancel"], "handled")["job"]
    first = web.dispatch(["gate", "open"], "urgent")["job"]  # comes before what waits for on_error
    web.worker_of(first)
    assert _goes_on(web, job)
    (web.folder / "gate-open").touch()
    words = _handled(web.outcome(job, 60))
    assert words == "JobTimedOut: the job ran longer than its timeout of 0.5 s"


def test_a_job_that_waits_for_its_on_error_is_cancelled_at_once(web: EngineServer) -> None:
    job = web.dispatch(["ignore_cancel"], "handled")["job"]
    first = web.dispatch(["gate", "open"], "urgent")["job"]
    web.worker_of(first)
    assert not web.news(job)["ended"]
    web.post("cancel", {"jobs": [job]})
    assert web.news(job)["state"] == "cancelled"
    (web.folder / "gate-open").touch()
    assert web.outcome(first)["response"]["response"]["urgent"]["children"] == "open"
    assert web.value(web.submit("sleep", 0)) == "slept"
    assert web.news(job)["state"] == "cancelled"


@pytest.mark.parametrize(
    "order,state,words",
    [
        ("ignore_cancel", "timed_out", "the job ran longer than its timeout of 0.5 s"),
        (
            "crash",
            "lost",
            "its worker process died while it ran the job: signal 11 (SIGSEGV)",
        ),
    ],
)
def test_an_on_error_that_dies_leaves_the_first_error(
    order: str, state: str, words: str, web: EngineServer
) -> None:
    (web.folder / "handler-dies").touch()
    outcome = web.outcome(web.dispatch([order], "handled")["job"], 60)
    assert outcome["state"] == state
    assert outcome["error"]["message"].startswith(words)


def test_a_message_for_on_error_that_is_lost_is_sent_again(
    stack: Callable[..., Stack], redis_url: str
) -> None:
    one = stack(redis_url, redis_url, RESEND="4", LEASE=str(LEASE))
    web = one.web()
    worker = one.worker("--concurrency", "1")
    job = web.dispatch(["ignore_cancel"], "handled")["job"]
    web.worker_of(web.submit("gate", "open"))
    worker.kill()  # with the message that it has reserved
    redis.Redis.from_url(redis_url).delete("celery")
    one.worker("--concurrency", "1")
    words = _handled(web.outcome(job, 60))
    assert words == "JobTimedOut: the job ran longer than its timeout of 0.5 s"


@contextlib.contextmanager
def _paused(worker: CeleryWorker) -> Generator[None]:
    """Stop all processes of a worker; those of its pool go on first."""
    pids = [worker.pid, *worker.pids()]
    try:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        yield
    finally:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def test_a_worker_that_wakes_up_late_is_refused_and_its_function_stopped(
    web: EngineServer, worker: CeleryWorker
) -> None:
    job = web.submit("keep_reporting")
    process = web.worker_of(job)
    with _paused(worker):
        outcome = web.outcome(job, 60)
        assert outcome["state"] == "lost"
        assert "has not been heard of" in outcome["error"]["message"]
        told = web.news(job)
        # Its main process, which would have it killed, still sleeps.
        os.kill(process, signal.SIGCONT)
        wait_until(lambda: _text(web.folder / "cleaned"), 30, "the end of the function")
        assert web.news(job) == told
    assert web.value(web.submit("sleep", 0)) == "slept"
    assert web.news(job) == told


def test_a_late_worker_that_does_not_stop_is_killed(
    web: EngineServer, worker: CeleryWorker
) -> None:
    job = web.submit("ignore_cancel")
    process = web.worker_of(job)
    with _paused(worker):
        assert web.outcome(job, 60)["state"] == "lost"
        os.kill(process, signal.SIGCONT)
        wait_until(lambda: not _alive(process), 30, "the end of the process")
        assert _text(web.folder / "ignored")
    assert web.value(web.submit("sleep", 0)) == "slept"


def test_a_late_result_is_refused_when_on_error_was_asked(
    web: EngineServer, worker: CeleryWorker
) -> None:
    job = web.dispatch(["clean_up", 60], "handled")["job"]
    wait_until(lambda: web.news(job)["state"] == "running", 30, "the job to begin")
    with _paused(worker):
        # Nobody is there to call it: the job waits, and the page is told nothing.
        assert _goes_on(web, job)
        for pid in worker.pids():
            os.kill(pid, signal.SIGCONT)
        wait_until(lambda: _text(web.folder / "cleaned"), 30, "the end of the function")
        assert not web.news(job)["ended"]
    words = _handled(web.outcome(job, 60))
    assert words == "JobLost: its Celery worker has not been heard of any more"


# What a job leaves behind in its process


def test_the_folder_of_a_job_is_not_that_of_the_next(web: EngineServer) -> None:
    before = web.value(web.submit("folder"))
    web.value(web.submit("chdir"))
    assert web.value(web.submit("folder")) == before


def test_a_job_that_takes_the_signal_for_itself_leaves_the_next_to_be_cancelled(
    web: EngineServer,
) -> None:
    web.value(web.submit("deafen"))
    job = web.submit("clean_up", 60)
    web.worker_of(job)
    web.post("cancel", {"jobs": [job]})
    assert web.outcome(job)["state"] == "cancelled"
    assert _text(web.folder / "cleaned")


def test_children_with_a_session_of_their_own_end_with_the_process(web: EngineServer) -> None:
    job = web.submit("session_ignoring", 60)
    child = int(wait_until(lambda: _text(web.folder / "child"), 30, "the child"))
    web.post("cancel", {"jobs": [job]})
    assert web.outcome(job)["state"] == "cancelled"
    wait_until(lambda: not _alive(child), 30, "the end of the child")


def test_children_of_a_function_that_obeys_a_cancel_end_with_it(web: EngineServer) -> None:
    job = web.submit("child_in_its_own_session", 60)
    process = web.worker_of(job)
    child = int(wait_until(lambda: _text(web.folder / "child"), 30, "the child"))
    web.post("cancel", {"jobs": [job]})
    assert web.outcome(job)["state"] == "cancelled"
    wait_until(lambda: not _alive(child), 30, "the end of the child")
    assert web.value(web.submit("pid")) == process


# worker_start


@pytest.mark.parametrize("pool,concurrency", [("prefork", 2), ("threads", 2), ("solo", 1)])
def test_worker_start_is_called_once_in_each_process_and_again_if_it_fails(
    pool: str, concurrency: int, stack: Callable[..., Stack], redis_url: str
) -> None:
    one = stack(redis_url, redis_url)
    web = one.web()
    (one.folder / "start-fails").touch()
    one.worker("--pool", pool, "--concurrency", str(concurrency))
    failed = web.outcome(web.submit("pid"))
    assert (failed["state"], failed["error"]["type"]) == ("failed", "WorkerStartFailed")
    words = "worker_start=worker_start raised RuntimeError: the database is away."
    assert failed["error"]["message"].startswith(words)
    (one.folder / "start-fails").unlink()
    jobs = [web.submit("pid") for _ in range(8)]
    pids = {web.value(job) for job in jobs}
    starts = [int(line) for line in _text(one.folder / "starts").split()]
    # One more: that which failed.
    assert sorted(starts[1:]) == sorted(pids)
    assert web.pid not in starts


# The log


def test_a_redis_that_is_away_for_long_is_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server = RedisServer(tmp_path / "redis").start()
    app = Celery("log", broker=server.url, backend=server.url)
    store = CeleryLongCallbackManager(app).store
    try:
        with store.subscribe() as subscription:
            subscription.follow(["some job"])
            server.kill()
            failures = 0
            while failures < 6:  # each wakes
                failures += subscription.wait(30)
            server.start()
            wait_until(lambda: "interrupted: over after" in caplog.text, 30)
    finally:
        store.close()
        server.stop()
    kinds = {record.getMessage().split(" while ")[0] for record in caplog.records}
    # One line for each kind of error, and its end.
    assert len(caplog.records) == len(kinds) < 5, caplog.text
    assert "Traceback" not in caplog.text
