"""Servers of ``engine_app.py``, spoken to as the browser client does."""

from __future__ import annotations

import contextlib
import re
import sqlite3
import uuid
from collections.abc import Generator
from pathlib import Path
from typing import Any

import requests
from apps import Server, wait_until

from dash_long_callback.stores.diskcache import DiskcacheStore

APP = Path(__file__).with_name("engine_app.py")


class EngineServer(Server):
    """A server whose callbacks do what the test says."""

    def start(self) -> EngineServer:
        """Start the app and load its page once, as a browser would before the first click.

        Its pages are told what exceptions say, unless the test wants it otherwise.
        """
        self._env.setdefault("DASH_UI", "true")
        super().start()
        wait_until(self.answers, 30, "the first page")
        return self

    def answers(self) -> bool:
        try:
            return requests.get(self.url, timeout=30).ok
        except requests.ConnectionError:
            return False

    def dispatch(
        self, order: Any, output: str = "result", name: str | None = None
    ) -> dict[str, Any]:
        """A click. With a ``name`` for its job, one that was sent before is the same click."""
        headers = {} if name is None else {"X-Long-Callback-Job": name}
        body = {
            "output": f"{output}.children",
            "outputs": {"id": output, "property": "children"},
            "inputs": [{"id": "order", "property": "data", "value": order}],
            "changedPropIds": ["order.data"],
        }
        url = self.url + "_dash-update-component"
        answer = requests.post(url, json=body, headers=headers, timeout=60)
        assert answer.ok, answer.text
        return answer.json()

    def submit(self, *order: Any) -> str:
        return self.dispatch(list(order))["job"]

    def post(self, path: str, body: Any) -> requests.Response:
        return requests.post(self.url + "_dash-long-callback/" + path, json=body, timeout=30)

    def updates(self, job: str, seq: int) -> dict[str, Any] | None:
        """What is new on a job; None if nothing is."""
        answer = self.post("updates", {"tab": uuid.uuid4().hex, "jobs": {job: seq}})
        assert answer.ok, answer.text
        return answer.json()["jobs"].get(job)

    def news(self, job: str) -> dict[str, Any]:
        """All there is to know of a job."""
        news = self.updates(job, -1)
        assert news is not None
        return news

    def outcome(self, job: str, timeout: float = 40.0) -> dict[str, Any]:
        seen = -1

        def ended() -> dict[str, Any] | None:
            nonlocal seen
            try:
                answer = self.post("updates", {"tab": uuid.uuid4().hex, "jobs": {job: seen}})
            except requests.ConnectionError:
                return None  # the browser client tries again, too
            assert answer.ok or answer.status_code == 503, answer.text
            news = answer.json()["jobs"].get(job) if answer.ok else None
            if news is None:
                return None
            seen = news["seq"]
            return news if news["ended"] else None

        return wait_until(ended, timeout) or {}

    def value(self, job: str, timeout: float = 40.0) -> Any:
        outcome = self.outcome(job, timeout)
        assert outcome["state"] == "succeeded", outcome
        return outcome["response"]["response"]["result"]["children"]

    def value_of(self, job: str, output: str) -> Any:
        """What another callback than the first gives its output."""
        outcome = self.outcome(job)
        assert outcome["state"] == "succeeded", outcome
        return outcome["response"]["response"][output]["children"]

    @contextlib.contextmanager
    def store(self) -> Generator[DiskcacheStore]:
        """Where its jobs are, whether it runs or not."""
        (folder,) = (self.folder / "cache").glob("long-callbacks-*")
        store = DiskcacheStore(folder, 600)
        try:
            yield store
        finally:
            store.close()

    @contextlib.contextmanager
    def locked_store(self) -> Generator[None]:
        """Keep all processes from writing to it."""
        (database,) = (self.folder / "cache").glob("long-callbacks-*/jobs.db")
        connection = sqlite3.connect(database, isolation_level=None, timeout=30)
        with contextlib.closing(connection):
            connection.execute("BEGIN IMMEDIATE")
            yield
            connection.execute("ROLLBACK")

    def holder(self, job: str) -> bytes | None:
        """Which process the store says has a job."""
        with self.store() as store:
            return store.worker(job)

    def state(self, job: str) -> str | None:
        """What the store says of a job."""
        with self.store() as store:
            record = store.load(job)
            return record and record.state.value

    def web_pid(self) -> int:
        """The process that answers requests."""
        return int(self.dispatch([], "web")["response"]["web"]["children"])

    def worker_of(self, job: str) -> int:
        """The process that runs the job: it reports it as its first progress."""

        def reported() -> int:
            updates = self.news(job).get("updates", [])
            return next((value for target, value in updates if target == 0), 0)

        return wait_until(reported)

    def marks(self) -> list[tuple[str, str, float]]:
        path = self.folder / "marks"
        if not path.exists():
            return []
        lines = re.findall(r"(begin|end) (\S+) (\S+) \d+\n", path.read_text())
        return [(kind, name, float(at)) for kind, name, at in lines]


def most_at_once(marks: list[tuple[str, str, float]]) -> int:
    running = most = 0
    for kind, _, _ in sorted(marks, key=lambda mark: mark[2]):
        running += 1 if kind == "begin" else -1
        most = max(most, running)
    return most


def python_server(folder: Path, *args: str, **env: str) -> EngineServer:
    return EngineServer(APP, folder, env, ("app.py", *args))


def gunicorn_server(folder: Path, *args: str, **env: str) -> EngineServer:
    return EngineServer(
        APP, folder, env, ("-m", "gunicorn", "app:server", "-b", "127.0.0.1:{port}", *args)
    )
