"""What an exception says reaches the log, and a page only if the app's dev tools are on."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from apps import wait_until
from engine import EngineServer

SECRET = "postgresql://admin:pa55word@db.internal/sales"
APP = f"""
import os, signal, sys, time
from pathlib import Path
import diskcache
from dash import Input, Output, ctx, dcc, html
from dash_long_callback import Dash, DiskcacheLongCallbackManager, UserError
from dash_long_callback.errors import StoreError

here = Path(os.environ["FOLDER"])
manager = DiskcacheLongCallbackManager(diskcache.Cache(str(here / "cache")), workers=1)
kind = {{"backend": os.environ["SERVER_KIND"]}} if "SERVER_KIND" in os.environ else {{}}
app = Dash(__name__, long_callback_manager=manager, **kind)
server = app.server
app.layout = html.Div([dcc.Store(id="order"), html.P(id="result"), html.P(id="asked")])

class NoSales(UserError):
    pass

def connect(order):
    if order == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if order == "exit":
        sys.exit("{SECRET}")
    if order == "user":
        raise NoSales("There are no sales in May.")
    if order == "object":
        return object
    raise RuntimeError("can't connect to {SECRET}")

@app.long_callback(Output("result", "children"), Input("order", "data"),
                   prevent_initial_call=True)
def work(order):
    order, _, wait = order.partition(" ")
    time.sleep(float(wait or 0))
    return connect(order)

@app.long_callback(Output("asked", "children"), Input("order", "data"),
                   prevent_initial_call=True, cache_by=lambda: connect(ctx.triggered[0]["value"]))
def asked(order):
    return "never called"

def breakable(name):
    method = getattr(manager.store, name)
    def call(*args, **kwargs):
        if (here / f"break-{{name}}").exists():
            raise StoreError("can't use {SECRET}")
        return method(*args, **kwargs)
    setattr(manager.store, name, call)

for name in ("create", "load_all"):
    breakable(name)

if __name__ == "__main__":
    app.run(port=int(os.environ["PORT"]), dev_tools_silence_routes_logging=True)
"""
UVICORN = ("-m", "uvicorn", "app:server", "--port", "{port}")
#: As the log says it.
REFUSED = f"RuntimeError: can't connect to {SECRET}"
BY = "<lambda> of asked (asked.children)"
newest_only = pytest.mark.newest_only


def serve(folder: Path, kind: str, **env: str) -> EngineServer:
    kinds = {"SERVER_KIND": kind} if kind else {}
    return EngineServer(APP, folder, {**kinds, **env}, UVICORN if kind else ("app.py",)).start()


@pytest.fixture(
    scope="module",
    params=[
        pytest.param("", id="flask"),
        pytest.param("fastapi", id="fastapi", marks=newest_only),
        pytest.param("quart", id="quart", marks=newest_only),
    ],
)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EngineServer]:
    server = serve(tmp_path_factory.mktemp("errors"), request.param, DASH_UI="false")
    yield server
    server.stop()


def answers(server: EngineServer, order: str, output: str = "result") -> tuple[Any, str]:
    """The error of a job, and all that the page has got of it, byte by byte."""
    name = uuid.uuid4().hex
    click = server.dispatch(order, output, name=name)
    assert click["job"] == name
    news, heard = click["news"], [json.dumps(click)]
    # What a page can send does not change what it is told.
    asked = {"tab": uuid.uuid4().hex, "jobs": {name: -1}, "details": True, "debug": True}
    while not news["ended"]:
        answer = requests.post(
            server.url + "_dash-long-callback/updates?debug=1&dev_tools_ui=true",
            json={**asked, "stream": True},
            headers={"X-Debug": "true"},
            timeout=60,
        )
        heard.append(answer.text)
        for part in answer.text.split("\n\n"):
            text = part.removeprefix("data: ")
            if text.strip(":\n "):
                news = json.loads(text)["jobs"].get(name) or news
    return news["error"], "".join(heard)


def lines(server: EngineServer, ref: str) -> list[str]:
    """The lines of the log with this number. A page may know of an end a moment before."""

    def found() -> list[str]:
        return [line for line in server.log.splitlines() if f"no. {ref}: " in line]

    return wait_until(found)


@pytest.mark.parametrize(
    "order,output,kind,words",
    [
        ("raise", "result", "failed", REFUSED),
        ("raise 0.3", "result", "failed", REFUSED),
        ("exit", "result", "failed", f"JobExited: the function called sys.exit('{SECRET}')"),
        ("object", "result", "failed", "InvalidCallbackReturnValue"),
        ("kill 0.3", "result", "lost", "SIGKILL"),
        (
            "raise",
            "asked",
            "refused",
            f"CacheByFailed: the cache_by function {BY} failed: {REFUSED}",
        ),
    ],
)
def test_a_page_is_told_a_sentence_and_the_log_all_under_one_number(
    order: str, output: str, kind: str, words: str, server: EngineServer
) -> None:
    error, heard = answers(server, order, output)
    ref = error["ref"]
    assert error.keys() == {"kind", "message", "user", "ref"}
    assert (error["kind"], error["user"]) == (kind, False)
    assert f"(no. {ref})" in error["message"]
    for secret in (SECRET, "pa55word", "Error", "Traceback", "work", str(server.folder), "SIG"):
        assert secret not in heard
    (line,) = lines(server, ref)
    how = {
        "failed": r" failed: waited \d+\.\d s, ran \d+\.\d s, attempt 1: ",
        "refused": "could not be started: ",
        "lost": "lost",
    }
    assert re.search(how[kind], line)
    # Dash's own words for a result that is not JSON begin with an empty line.
    assert words in server.log[server.log.index(line) :][:300]


def test_the_words_of_a_user_error_are_told_from_function_and_cache_by(
    server: EngineServer,
) -> None:
    for output in ("result", "asked"):
        error, _ = answers(server, "user", output)
        assert (error["message"], error["user"]) == ("There are no sales in May.", True)
        assert error.keys() == {"kind", "message", "user", "ref"}


def test_a_store_that_fails_names_no_host(server: EngineServer) -> None:
    job = server.dispatch("user")["job"]
    for name in ("create", "load_all"):
        (server.folder / f"break-{name}").touch()
    try:
        error, heard = answers(server, "raise")
        assert error["kind"] == "refused"
        for path in ("updates", "cancel", "leave"):
            jobs: Any = {job: -1} if path == "updates" else [job]
            answer = server.post(path, {"tab": "t", "jobs": jobs})
            assert (answer.status_code, answer.json()["error"]) == (503, "StoreError")
            heard += answer.text
    finally:
        for name in ("create", "load_all"):
            (server.folder / f"break-{name}").unlink()
    assert SECRET not in heard
    (line,) = lines(server, error["ref"])
    assert (
        f"could not be started: waited 0.0 s, ran 0.0 s, attempt 1: StoreError: can't use {SECRET}"
        in line
    )


def test_the_app_that_answers_decides_whoever_has_run_the_job(tmp_path: Path) -> None:
    server = serve(tmp_path, "", DASH_UI="true")
    try:
        job = server.dispatch("raise")["job"]
        assert server.outcome(job)["ended"]
        told = server.news(job)["error"]
        assert (told["type"], told["message"]) == ("RuntimeError", f"can't connect to {SECRET}")
        assert "in connect" in told["traceback"]
        assert told["callback"].endswith("work")
        server.stop()
        server._env["DASH_UI"] = "false"  # pyright: ignore[reportPrivateUsage]
        server.start()
        assert server.news(job)["error"].keys() == {"kind", "message", "user", "ref"}
        assert server.news(job)["error"]["ref"] == told["ref"]
    finally:
        server.stop()
    assert len(lines(server, told["ref"])) == 1
