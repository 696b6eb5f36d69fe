"""The API over HTTP, on real servers, with jobs in real workers."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests
from apps import Server, wait_until
from celery_worker import CeleryWorker

APP = Path(__file__).with_name("http_api_app.py")
ANN, BEN = {"Authorization": "Bearer a-token"}, {"Authorization": "Bearer b-token"}
GUNICORN = ("-m", "gunicorn", "app:server", "-b", "127.0.0.1:{port}")
COMMANDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "gunicorn": ("flask", (*GUNICORN, "--workers", "2", "--threads", "8")),
    "fastapi": ("fastapi", ("-m", "uvicorn", "app:server", "--port", "{port}")),
    "quart": ("quart", ("-m", "hypercorn", "app:server", "--bind", "127.0.0.1:{port}")),
}


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(name, marks=[] if kind == "flask" else pytest.mark.newest_only)
        for name, (kind, _) in COMMANDS.items()
    ],
)
def api(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    kind, command = COMMANDS[request.param]
    server = Server(APP, tmp_path_factory.mktemp(request.param), {"KIND": kind}, command).start()
    wait_until(lambda: answers(server), what="the API")
    yield server
    server.stop()


def answers(server: Server) -> bool:
    try:
        return requests.get(f"{server.url}api/openapi.json", headers=ANN, timeout=30).ok
    except requests.ConnectionError:
        return False


def start(server: Server, **arguments: Any) -> requests.Response:
    url = f"{server.url}api/callbacks/count"
    return requests.post(url, json=arguments, headers=ANN, timeout=60)


def get(server: Server, path: str, **params: Any) -> requests.Response:
    return requests.get(server.url + path[1:], params=params, headers=ANN, timeout=60)


def events(
    server: Server, path: str, last: int | None = None
) -> Generator[tuple[str, int, Any, float]]:
    """The events of a stream, as they come: name, number, data, and when."""
    headers = ANN if last is None else {**ANN, "Last-Event-ID": str(last)}
    url = server.url + path[1:]
    with requests.get(url, headers=headers, stream=True, timeout=60) as answer:
        assert answer.status_code == 200, answer.text
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        fields: dict[str, str] = {}
        for line in answer.iter_lines(chunk_size=1, decode_unicode=True):
            if line:
                name, _, value = str(line).partition(":")
                fields[name] = value.strip()
            elif "event" in fields:
                number, data = int(fields["id"]), json.loads(fields["data"])
                yield fields["event"], number, data, time.monotonic()
                fields = {}


def test_a_job_runs_in_a_worker_and_can_be_waited_for(api: Server) -> None:
    begun = start(api, n=3)
    assert begun.status_code == 202
    assert begun.headers["Location"] == begun.json()["links"]["self"]
    path = begun.headers["Location"]

    def ended() -> dict[str, Any] | None:
        found = get(api, path, wait=10)
        assert found.status_code == 200
        if "ended" in found.json() and found.json()["ended"]:
            return found.json()
        assert int(found.headers["Retry-After"]) >= 1
        return None

    job = wait_until(ended)
    assert job is not None
    assert (job["state"], job["result"][0], job["progress"]) == ("succeeded", 3, 2)
    assert job["result"][1] in api.processes()
    assert job["result"][1] != api.pid
    assert requests.get(api.url + path[1:], headers=BEN, timeout=60).status_code == 404
    # The answer to a POST may wait, too.
    url, headers = f"{api.url}api/callbacks/count", {**ANN, "Prefer": "respond-async, wait=10"}
    answer = requests.post(url, json={"n": 1}, headers=headers, timeout=60)
    assert (answer.status_code, answer.json()["state"]) == (200, "succeeded")


def test_events_come_as_they_are_reported_and_none_is_lost_or_comes_twice(api: Server) -> None:
    job = start(api, n=30).json()
    path = job["links"]["events"]
    told: list[tuple[str, int, Any, float]] = []
    # A client that is cut off again and again, and says what it has got.
    while not told or told[-1][0] != "end":
        last = told[-1][1] if told else None
        with closing(events(api, path, last)) as stream:
            for event in stream:
                told.append(event)
                if len(told) % 10 == 0:
                    break
    numbers = [number for _, number, _, _ in told]
    assert numbers == sorted(set(numbers))
    said = [data["props"]["say"] for name, _, data, _ in told if name == "props"]
    assert said == list(range(30))
    steps = [data["value"] for name, _, data, _ in told if name == "progress"]
    assert steps == sorted(set(steps))
    assert steps[-1] == 29
    assert told[-1][3] - told[0][3] > 0.7, "they came together, at the end"
    assert told[-1][2]["result"][0] == 30
    headers = {**ANN, "Last-Event-ID": str(numbers[-1])}
    url = api.url + path[1:]
    assert requests.get(url, headers=headers, timeout=60).status_code == 204


def test_a_cancel_interrupts_the_function(api: Server) -> None:
    job = start(api, n=1, gate="never").json()
    path = job["links"]["self"]
    with closing(events(api, job["links"]["events"])) as stream:
        assert next(stream)[0] in ("progress", "props")
        before = len(api.notes("done"))
        url = api.url + path[1:]
        assert requests.delete(url, headers=BEN, timeout=60).status_code == 404
        assert requests.delete(url, headers=ANN, timeout=60).status_code in (200, 202)
        name, _, data, _ = list(stream)[-1]
    assert (name, data["state"]) == ("end", "cancelled")
    assert "result" not in data
    assert len(api.notes("done")) == before + 1
    again = requests.delete(url, headers=ANN, timeout=60)
    assert (again.status_code, again.json()["state"]) == (200, "cancelled")


class Stream:
    """A stream that somebody has begun to read."""

    def __init__(self, url: str) -> None:
        self._answer = requests.get(url, headers=ANN, stream=True, timeout=60)
        self._lines = self._answer.iter_lines(chunk_size=1)
        assert next(self._lines).startswith(b"retry: ")

    def goes_on(self) -> bool:
        """Whether it gives signs of life; else it has been ended at once."""
        return any(line == b":" for line in self._lines)

    def close(self) -> None:
        self._answer.close()


def test_a_client_that_goes_away_leaves_its_place_to_others(api: Server) -> None:
    gate = uuid.uuid4().hex
    job = start(api, n=0, gate=gate).json()
    url = api.url + job["links"]["events"][1:]
    streams: list[Stream] = []

    def is_full() -> bool:
        streams.append(Stream(url))
        return not streams[-1].goes_on()

    try:
        # Each process of the server holds two.
        wait_until(is_full, what="a stream for which there is no room")
        assert 2 <= len(streams) - 1 <= 4
        assert requests.get(api.url, timeout=60).ok
        for stream in streams:
            stream.close()
        wait_until(lambda: not is_full(), what="a place")
    finally:
        for stream in streams:
            stream.close()
        api.open_gate(gate)


def test_of_many_requests_with_one_key_one_starts_a_job(api: Server) -> None:
    before = len(api.notes("run"))
    url, key = f"{api.url}api/callbacks/count", {"Idempotency-Key": f"a-{uuid.uuid4()}"}

    def ask(user: dict[str, str]) -> requests.Response:
        return requests.post(url, json={"n": 1}, headers={**user, **key}, timeout=60)

    with ThreadPoolExecutor(12) as clients:
        found = list(clients.map(ask, [ANN] * 10 + [BEN] * 2))
    assert {answer.status_code for answer in found} <= {200, 202}
    ids = [answer.json()["id"] for answer in found]
    assert len(set(ids[:10])) == 1
    assert len(set(ids[10:])) == 1
    assert ids[0] != ids[-1]
    api.wait_for_note("done", before + 2)
    assert len(api.notes("run")) == before + 2
    answer = requests.post(url, json={"n": 2}, headers={**ANN, **key}, timeout=60)
    assert answer.status_code == 422


def test_rubbish_is_refused_in_words(api: Server) -> None:
    url = f"{api.url}api/callbacks/count"
    for data, kind, status in (
        (b"rubbish", "application/json", 400),
        (b'{"n": 1}', "text/plain", 415),
        (b'{"n": "%s"}' % (b"x" * (1 << 20)), "application/json", 413),
        (b'{"m": 1}', "application/json", 422),
    ):
        headers = {**ANN, "Content-Type": kind}
        answer = requests.post(url, data=data, headers=headers, timeout=60)
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert (answer.status_code, bool(answer.json()["detail"])) == (status, True)
    assert requests.post(url, json={"n": 1}, timeout=60).status_code == 401


@pytest.mark.newest_only
def test_with_celery(redis_url: str, serve: Callable[..., Server]) -> None:
    env = {"BROKER": redis_url}
    server = serve(APP, env=env, command=COMMANDS["gunicorn"][1])
    wait_until(lambda: answers(server), what="the API")
    env["FOLDER"] = str(server.folder)
    worker = CeleryWorker(server.folder, "app:celery_app", env, "--concurrency", "2").start()
    try:
        test_of_many_requests_with_one_key_one_starts_a_job(server)
        job = start(server, n=5).json()
        told = [(name, data) for name, _, data, _ in events(server, job["links"]["events"])]
        said = [data["props"]["say"] for name, data in told if name == "props"]
        assert (said, told[-1][0]) == (list(range(5)), "end")
        assert told[-1][1]["result"][1] in worker.pids()
        test_a_cancel_interrupts_the_function(server)
    finally:
        worker.stop()
