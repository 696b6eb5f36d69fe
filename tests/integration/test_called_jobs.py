"""Scripts that start jobs, beside servers of their app, and alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from apps import IN_APP, Server, wait_until
from celery_worker import CeleryWorker

APP = Path(__file__).with_name("calls_app.py")
COMMANDS = {
    "dev": ("app.py",),
    "gunicorn": ("-m", "gunicorn", "app:server", "-b", "127.0.0.1:{port}", "--workers", "2"),
}
#: Not guarded: a worker that imported this would start the jobs again.
HEAD = """
import json, sys
from app import start_another, work
from dash_long_callback import find_job, submit
"""


class Script:
    """A script of an app, in a process of its own.

    Args:
        folder: of the app.
        code: what it does.
        env: more environment variables.
    """

    def __init__(self, folder: Path, code: str, **env: str) -> None:
        (folder / "script.py").write_text(HEAD + code)
        # Files, as the end of a pipe would be that of the last worker which writes to it.
        self._out, self._err = folder / "script.out", folder / "script.err"
        with self._out.open("w") as out, self._err.open("w") as err:
            self._process = subprocess.Popen(
                [sys.executable, "script.py"],
                cwd=folder,
                env={
                    **os.environ,
                    "FOLDER": str(folder),
                    "XDG_CACHE_HOME": str(folder / "user-cache"),
                    **env,
                },
                stdout=out,
                stderr=err,
            )

    @property
    def runs(self) -> bool:
        return self._process.poll() is None

    def printed(self) -> str:
        """What it has printed until now."""
        return self._out.read_text()

    def said(self) -> list[Any]:
        """What it has printed, line by line as JSON, when it has ended."""
        assert self._process.wait(90) == 0, self._err.read_text()
        return [json.loads(line) for line in self.printed().splitlines()]

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


def run(folder: Path, code: str, **env: str) -> list[Any]:
    return Script(folder, code, **env).said()


WORK = """
job = submit(work, {order!r}, name={name!r})
print(json.dumps([job.result(60), job.cached]))
"""


def called(folder: Path, order: Any, name: str, **env: str) -> tuple[Any, bool]:
    """The result of a call in a script, and whether it was kept."""
    [[result, cached]] = run(folder, WORK.format(order=order, name=name), **env)
    return result, cached


def click(server: Server, order: Any, name: str) -> Any:
    """What the page gets for a click."""
    body = {
        "output": "result.children",
        "outputs": {"id": "result", "property": "children"},
        "inputs": [{"id": "order", "property": "data", "value": order}],
        "state": [{"id": "name", "property": "data", "value": name}],
        "changedPropIds": ["order.data"],
    }
    answer = requests.post(server.url + "_dash-update-component", json=body, timeout=60).json()
    news = answer["news"]
    deadline = time.monotonic() + 60
    while not news["ended"]:
        assert time.monotonic() < deadline
        asked = {"tab": uuid.uuid4().hex, "jobs": {answer["job"]: news["seq"]}}
        path = "_dash-long-callback/updates"
        found = requests.post(server.url + path, json=asked, timeout=60).json()
        news = found["jobs"].get(answer["job"], news)
    assert news["state"] == "succeeded", news
    return news["response"]["response"]["result"]["children"]


def load_page(server: Server) -> None:
    """Load it once, as somebody has done on a server that runs."""

    def answers() -> bool:
        try:
            return requests.get(server.url, timeout=30).ok
        except requests.ConnectionError:
            return False

    wait_until(answers, 30, "the page")


def folders(folder: Path) -> list[Path]:
    """The default folders of the app."""
    return sorted((folder / "user-cache" / "dash-long-callback").glob("long-callbacks-*"))


@pytest.fixture(scope="module", params=COMMANDS)
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A server whose page was loaded."""
    server = Server(APP, tmp_path_factory.mktemp("app"), command=COMMANDS[request.param])
    server.start()
    assert folders(server.folder) == []  # until somebody loads a page
    load_page(server)
    yield server
    server.stop()


@pytest.fixture
def server(shared: Server) -> Server:
    """The same, without what the test before has noted."""
    for note in shared.folder.glob("note-*"):
        note.unlink()
    return shared


def test_a_script_beside_a_server_has_its_job_run_there(server: Server) -> None:
    result, cached = called(server.folder, 0.01, "script")
    assert (result, cached) == ([0.01, "script"], False)
    assert int(server.notes("run")[0]) in server.processes()
    # Results are shared in both directions, and each function was called once.
    assert click(server, 0.01, "script") == [0.01, "script"]
    assert click(server, 0.02, "click") == [0.02, "click"]
    begun = time.time()
    delayed = "print(json.dumps(submit(work, 0, delay=8).id))"
    shared, job_id = run(server.folder, WORK.format(order=0.02, name="click") + delayed)
    assert shared == [[0.02, "click"], True]
    assert len(folders(server.folder)) == 1
    # So it is in another process of the same arguments as a server that it may be a fork of. And
    # the delay outlives its script and the server.
    server.end()
    server.start()
    load_page(server)
    assert len(server.notes("run")) == 2
    later = f"print(json.dumps(find_job({job_id!r}).result(60)))"
    shared, result = run(server.folder, WORK.format(order=0.02, name="click") + later)
    assert (shared, result) == ([[0.02, "click"], True], [0, "nobody"])
    assert time.time() >= begun + 8
    assert len(server.notes("run")) == 3
    assert len(folders(server.folder)) == 1


def test_calls_and_clicks_count_for_the_same_limits(server: Server) -> None:
    code = """
first, same, other = (submit(work, gate, name=name) for gate, name in
    [("a", "ann"), (0, "ann"), (0, "ben")])
print(json.dumps([other.result(60), same.state]), flush=True)
print(json.dumps([first.result(60), same.result(60)]), flush=True)
"""
    script = Script(server.folder, code)
    server.wait_for_note("done")  # of "ben", as "ann" has her one
    server.wait_for_note("run", 2)
    wait_until(script.printed, what="its first line")
    server.open_gate("a")
    assert script.said() == [[[0, "ben"], "queued"], [["a", "ann"], [0, "ann"]]]


@pytest.mark.parametrize("output", ["id.children", "step.title"], ids=["a job", "a callback"])
def test_a_job_and_an_ordinary_callback_start_jobs(output: str, server: Server) -> None:
    component, prop = output.split(".")
    body = {
        "output": output,
        "outputs": {"id": component, "property": prop},
        "inputs": [{"id": "order", "property": "data", "value": 0.1}],
        "changedPropIds": ["order.data"],
    }
    answer = requests.post(server.url + "_dash-update-component", json=body, timeout=60)
    assert answer.ok, answer.text
    [pid] = server.wait_for_note("done")
    assert int(pid) in server.processes()
    assert int(pid) != server.pid


def test_a_script_alone_runs_its_job_and_leaves_nothing_but_a_job_that_runs_when_it_ends(
    tmp_path: Path,
) -> None:
    (tmp_path / "app.py").write_text(APP.read_text())
    (tmp_path / "in_app.py").write_text(IN_APP.read_text())
    code = """
job = submit(work, "gate", name="script")
next(iter(job))  # it has begun
print(json.dumps(job.id))
"""
    [job_id] = run(tmp_path, code)
    (tmp_path / "gate-gate").touch()
    wait_until((tmp_path / "note-done").exists, what="the end of the job")
    code = f"print(json.dumps(find_job({job_id!r}).result(60)))"
    code += """
job = submit(work, 0.5, name="script")
print(json.dumps([repr(update) for update in job]))
print(json.dumps([job.result(60), find_job(job.id).ref == job.ref]))
"""
    earlier, updates, end = run(tmp_path, code)
    assert earlier == ["gate", "script"]
    assert updates == ["ProgressUpdate(value='for script')"]
    assert end == [[0.5, "script"], True]
    for pid in (tmp_path / "note-run").read_text().split():
        wait_until(lambda pid=pid: not Path(f"/proc/{pid}").exists(), what="the end of its worker")


def test_a_job_of_a_script_that_ends_at_once_is_run_by_the_next_server(tmp_path: Path) -> None:
    server = Server(APP, tmp_path)
    [job_id] = run(server.folder, 'print(json.dumps(submit(work, 0, name="script").id))')
    assert server.notes("done") == []
    try:
        server.start()
        load_page(server)
        server.wait_for_note("done")
        assert len(folders(server.folder)) == 1
        code = f"job = find_job({job_id!r}); print(json.dumps([job.state, job.result()]))"
        assert run(server.folder, code) == [["succeeded", [0, "script"]]]
    finally:
        server.stop()


def test_which_of_several_servers_is_meant_is_asked_for_in_words(
    serve: Callable[..., Server], tmp_path: Path
) -> None:
    server = serve(APP)
    load_page(server)
    other = Server(APP, server.folder, {"STAGE": "other", "FOLDER": str(server.folder)})
    try:
        other.start()
        load_page(other)
        code = """
try:
    submit(work, 0)
except Exception as error:
    print(json.dumps([type(error).__name__, str(error)]))
"""
        [[kind, words]] = run(server.folder, code)
        assert kind == "StoreError"
        assert "2 servers of this app run" in words
        assert "Give the manager of the app a cache" in words
        # If it can be told, it is: the rest of how it was started is equal.
        env = {"STAGE": "other", "PORT": str(other.port), "PYTHONUNBUFFERED": "1"}
        env["DASH_LONG_CALLBACK_TEST"] = str(server.folder)
        assert called(server.folder, 0, "script", **env) == ([0, "script"], False)
    finally:
        other.end()


@pytest.mark.newest_only
def test_with_celery_a_script_s_job_runs_in_a_worker(
    redis_url: str, serve: Callable[..., Server]
) -> None:
    env = {"BROKER": redis_url}
    server = serve(APP, env=env)
    load_page(server)
    env["FOLDER"] = str(server.folder)
    worker = CeleryWorker(server.folder, "app:celery_app", env, "--concurrency", "2").start()
    try:
        assert called(server.folder, 0.01, "script", **env) == ([0.01, "script"], False)
        assert int(server.notes("run")[0]) in worker.pids()
        assert click(server, 0.01, "script") == [0.01, "script"]
        assert click(server, 0.02, "click") == [0.02, "click"]
        code = WORK.format(order=0.02, name="click")
        code += "print(json.dumps(find_job(submit(start_another, 0).result(60)).result(60)))"
        found = run(server.folder, code, **env)
        assert found == [[[0.02, "click"], True], [0, "another's"]]
        assert len(server.notes("run")) == 3
    finally:
        worker.stop()
