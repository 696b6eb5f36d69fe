"""Results that are kept and shared, asked for over HTTP by many at once."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
from engine import EngineServer

APP = Path(__file__).with_name("caching_app.py")


class CachingServer(EngineServer):
    def answers(self) -> bool:
        # Several web processes that start on a busy machine let the first request wait.
        try:
            return requests.get(self.url, timeout=20).ok
        except (requests.ConnectionError, requests.Timeout):
            return False


class Client:
    """Somebody with a browser: a session, cookies, clicks."""

    def __init__(self, server: EngineServer, **cookies: str) -> None:
        self._server = server
        self._session = requests.Session()
        self._session.cookies.update(cookies)
        self.requests = 0

    def click(self, order: Any, output: str = "result", **headers: str) -> Any:
        """The value that the page gets, in the end."""
        body = {
            "output": f"{output}.children",
            "outputs": {"id": output, "property": "children"},
            "inputs": [{"id": "order", "property": "data", "value": order}],
            "changedPropIds": ["order.data"],
        }
        return self.ask(body, headers)["response"][output]["children"]

    def ask(self, body: dict[str, Any], headers: dict[str, str] | None = None) -> Any:
        """What a click is answered in the end."""
        answer = self._post("_dash-update-component", body, headers)
        job, news = answer["job"], answer["news"]
        deadline = time.monotonic() + 60
        while not news["ended"]:
            assert time.monotonic() < deadline, f"{body} is not answered"
            asked = {"tab": str(id(self)), "jobs": {job: news["seq"]}}
            answer = self._post("_dash-long-callback/updates", asked)
            news = answer["jobs"].get(job, news)
            time.sleep(0 if news["ended"] else answer["after"])
        assert news["state"] == "succeeded", news
        return news["response"]

    def _post(self, path: str, body: Any, headers: dict[str, str] | None = None) -> Any:
        self.requests += 1
        answer = self._session.post(self._server.url + path, json=body, headers=headers, timeout=60)
        assert answer.ok, answer.text
        return answer.json()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineServer]:
    server = CachingServer(APP, tmp_path_factory.mktemp("caching")).start()
    yield server
    server.stop()


def storm(server: EngineServer, clients: int, clicks: int, order: float) -> list[Any]:
    """The values that all clients get, who begin at once and click a number of times each."""
    begin = threading.Barrier(clients)

    def one(_number: int) -> list[Any]:
        client = Client(server)
        begin.wait()
        return [client.click(order) for _ in range(clicks)]

    with ThreadPoolExecutor(clients) as pool:
        return list(itertools.chain(*pool.map(one, range(clients))))


def test_a_thousand_equal_requests_of_fifty_clients_are_one_run(server: EngineServer) -> None:
    before = len(server.notes("run"))
    assert storm(server, 50, 20, 1) == ["slept"] * 1000
    assert len(server.notes("run")) - before == 1


def test_one_run_also_with_several_web_processes_and_after_a_restart(tmp_path: Path) -> None:
    command = ("-m", "gunicorn", "app:server", "-b", "127.0.0.1:{port}", "--workers", "3")
    server = CachingServer(APP, tmp_path, command=command).start()
    try:
        assert storm(server, 15, 10, 1) == ["slept"] * 150
        assert len(server.notes("run")) == 1
    finally:
        server.stop()
    server.start()
    try:
        client = Client(server)
        assert client.click(1) == "slept"
        assert client.requests == 1
        assert len(server.notes("run")) == 1
    finally:
        server.stop()


def test_a_hit_is_one_request(server: EngineServer) -> None:
    Client(server).click(0.01)
    client = Client(server)
    assert client.click(0.01) == "slept"
    assert client.requests == 1


def test_two_users_have_results_of_their_own(server: EngineServer) -> None:
    ann, bob = Client(server, user="ann"), Client(server, user="bob")
    for _ in range(2):
        assert ann.click(1, "user") == "for ann"
        assert bob.click(1, "user") == "for bob"
    assert Client(server, user="ann").click(1, "user") == "for ann"
    assert len(server.notes("user-run")) == 2
    # In the web process and not in a worker.
    assert set(server.notes("web")) == {str(server.pid)}


def test_cache_by_sees_the_context_of_the_request(server: EngineServer) -> None:
    client = Client(server)
    values = [
        client.click(1, "page", **{"X-Tenant": tenant}) for tenant in ("one", "two", "one", "two")
    ]
    assert values == [1] * 4
    assert len(server.notes("context-run")) == 2
    assert client.click(2, "page", **{"X-Tenant": "one"}) == 2  # ctx.inputs differs
    assert len(server.notes("context-run")) == 3


def test_equal_values_of_other_components_are_another_question(server: EngineServer) -> None:
    def ask(rows: list[str]) -> str:
        body = {
            "output": "rows.children",
            "outputs": {"id": "rows", "property": "children"},
            "inputs": [
                [{"id": {"row": row}, "property": "data", "value": 1} for row in rows],
            ],
            "changedPropIds": [],
        }
        return client.ask(body)["response"]["rows"]["children"]

    client = Client(server)
    for _ in range(2):
        assert ask(["a", "b"]) == "rows a, b"
        assert ask(["c", "d"]) == "rows c, d"


def test_a_failing_cache_by_function_is_an_error_that_names_it(server: EngineServer) -> None:
    body = {
        "output": "user.children",
        "outputs": {"id": "user", "property": "children"},
        "inputs": [{"id": "order", "property": "data", "value": 1}],
        "changedPropIds": ["order.data"],
    }
    answer = requests.post(server.url + "_dash-update-component", json=body, timeout=60)
    error = answer.json()["news"]["error"]
    assert (error["kind"], error["type"]) == ("refused", "CacheByFailed")
    assert error["message"] == (
        "the cache_by function user of per_user (user.children) failed: "
        "BadRequestKeyError: 400 Bad Request: The browser (or proxy) sent a request that "
        "this server could not understand."
    )
    head = f"no. {error['ref']}: per_user (user.children) could not be started: "
    assert head in server.log
    assert f"attempt 1: CacheByFailed: {error['message']}" in server.log
    assert "in user\n    return flask.request.cookies" in server.log
