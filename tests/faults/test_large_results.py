"""Results of many megabytes: what a web process takes for them, and what a page gets of one."""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis
import requests
from apps import wait_until
from celery_stack import Stack
from engine import APP, EngineServer

from dash_long_callback.stores.large_results import PIECE_BYTES

MB = 1 << 20
#: Of a result, and what a web process may grow by when somebody asks for it.
SIZE, GROWTH = 80 * MB, 16 * MB
UVICORN = ("-m", "uvicorn", "app:server", "--port", "{port}")
GUNICORN = ("-m", "gunicorn", "app:server", "-b", "127.0.0.1:{port}", "--threads", "4")
newest_only = pytest.mark.newest_only  # Dash has other servers than Flask since 4.1
KINDS = [
    pytest.param(("", ("app.py",)), id="development"),
    pytest.param(("", GUNICORN), id="gunicorn"),
    pytest.param(("fastapi", UVICORN), id="fastapi", marks=newest_only),
    pytest.param(("quart", UVICORN), id="quart", marks=newest_only),
]


@pytest.fixture(scope="module", params=KINDS)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EngineServer]:
    kind, command = request.param
    env = {"PYTHONWARNINGS": "default::ResourceWarning", **({"SERVER_KIND": kind} if kind else {})}
    server = EngineServer(APP, tmp_path_factory.mktemp("large"), env, command).start()
    yield server
    server.stop()
    assert "unclosed file" not in server.log


def large(server: EngineServer) -> str:
    """A job that has ended with a large result, which this does not read."""
    job = server.submit("repeat", "x", SIZE)
    wait_until(lambda: _ended(server, job), 60, "the end of the job")
    return job


def _ended(server: EngineServer, job: str) -> bool:
    with answer(server, job) as found:
        return int(found.headers["Content-Length"]) > MB


@contextmanager
def answer(server: EngineServer, job: str, **more: bool) -> Generator[requests.Response]:
    """The answer to who asks for all news of a job, not read yet."""
    url = server.url + "_dash-long-callback/updates"
    asked: Any = {"tab": secrets.token_hex(8), "jobs": {job: -1}, **more}
    with requests.post(url, json=asked, stream=True, timeout=60) as found:
        yield found


def received(found: requests.Response) -> tuple[int, bytes, bytes]:
    """How many bytes an answer has, how it begins and how it ends."""
    size, head, tail = 0, b"", b""
    for part in found.iter_content(MB):
        size += len(part)
        head = head or part[:200]
        tail = (tail + part)[-50:]
    return size, head, tail


@contextmanager
def little_memory(server: EngineServer) -> Generator[None]:
    """The web process must not grow by much while the block runs, not even for a moment."""
    pid = server.web_pid()
    Path(f"/proc/{pid}/clear_refs").write_text("5")  # the peak is what it has now
    before = _peak(pid)
    yield
    grown = _peak(pid) - before
    assert grown < GROWTH, f"the web process grew by {grown / MB:.0f} MB"


def _peak(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    (line,) = [line for line in status if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024


def test_a_large_result_is_sent_whole_and_takes_little_memory(server: EngineServer) -> None:
    job = large(server)
    with little_memory(server), answer(server, job) as found:
        size, head, tail = received(found)
    assert size == int(found.headers["Content-Length"]) > SIZE
    start = head.index(b'"xxx')
    whole = head[:start] + b"null" + tail[tail.index(b'x"') + 2 :]
    news = json.loads(whole)["jobs"][job]
    assert (news["state"], news["ended"]) == ("succeeded", True)
    assert news["response"]["response"] == {"result": {"children": None}}


def test_who_wants_the_record_of_a_job_does_not_read_its_large_result(
    server: EngineServer,
) -> None:
    job = large(server)
    with answer(server, job) as found:
        head = next(found.iter_content(200))
    seq = json.loads(head[head.index(b'"seq":') + 6 :].split(b",")[0])
    with little_memory(server):
        assert server.post("cancel", {"jobs": [job]}).ok
        assert server.post("leave", {"jobs": [job]}).ok
        assert server.post("updates", {"tab": "t", "jobs": {job: seq}, "hidden": True}).json() == {
            "jobs": {},
            "after": 0,
        }


def test_a_click_whose_job_has_ended_with_a_large_result_has_the_page_ask_for_it(
    server: EngineServer,
) -> None:
    name = secrets.token_urlsafe(24)
    server.dispatch(["repeat", "x", 2 * MB], name=name)
    assert server.value(name) == "x" * 2 * MB
    again = server.dispatch(["repeat", "x", 2 * MB], name=name)
    news = {"state": "queued", "seq": 0, "ended": False}
    assert again == {"job": name, "news": news, "after": 0, "owner": None}


def test_a_click_whose_job_has_ended_is_answered_with_a_result_of_some_size(
    server: EngineServer,
) -> None:
    name = secrets.token_urlsafe(24)
    server.dispatch(["repeat", "x", 500_000], name=name)
    server.value(name)
    again = server.dispatch(["repeat", "x", 500_000], name=name)["news"]
    assert again["response"]["response"]["result"]["children"] == "x" * 500_000


def test_a_result_that_is_damaged_while_it_is_sent_is_cut_off_and_then_unknown(
    server: EngineServer,
) -> None:
    job = large(server)
    (database,) = server.folder.glob("cache/long-callbacks-*/jobs.db")
    with answer(server, job) as found:
        parts = found.iter_content(MB)
        next(parts)
        with closing(sqlite3.connect(database, isolation_level=None, timeout=20)) as db:
            pieces = "DELETE FROM rows WHERE name GLOB ?"
            assert db.execute(pieces, (f"{job}:result-*",)).rowcount > SIZE // PIECE_BYTES
        with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
            for _ in parts:
                pass
    with answer(server, job) as found:
        assert found.status_code == 404
        assert "run the callback again" in found.json()["message"]
    assert server.value(server.submit("sleep", 0, "next")) == "next"


@newest_only
@pytest.mark.parametrize("server", KINDS[2:], indirect=True)
def test_a_stream_sends_a_large_result_in_one_event(server: EngineServer) -> None:
    job = large(server)
    with little_memory(server), answer(server, job, stream=True) as found:
        assert found.headers["Content-Type"] == "text/event-stream"
        size, head, tail = received(found)
    assert size > SIZE
    assert head.startswith(b"data: {")
    assert tail.endswith(b"}\n\n")


def test_a_large_result_in_redis_is_sent_in_pieces(
    stack: Callable[..., Stack], redis_url: str
) -> None:
    one = stack(redis_url, redis_url)
    web = one.web()
    one.worker("--concurrency", "1")
    job = large(web)
    with little_memory(web), answer(web, job) as found:
        size, _, _ = received(found)
    assert size > SIZE
    with answer(web, job) as found:
        parts = found.iter_content(MB)
        next(parts)
        client = redis.Redis.from_url(redis_url)  # pyright: ignore[reportUnknownMemberType]
        pieces = list(client.scan_iter(f"dlc:{job}:result-*"))
        assert client.delete(*pieces) > SIZE // PIECE_BYTES
        with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
            for _ in parts:
                pass
    with answer(web, job) as found:
        assert found.status_code == 404, "it is gone, as a job is that has expired"
