"""A page of an app on FastAPI and on Quart."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest
from apps import Server, wait_until
from page import Page

pytestmark = pytest.mark.newest_only  # Dash has other servers than Flask since 4.1

APP = """
import os, sys, time
from dash import Input, Output, html
from dash_long_callback import Dash, DiskcacheLongCallbackManager
import diskcache

manager = DiskcacheLongCallbackManager(diskcache.Cache(os.environ["FOLDER"] + "/cache"), workers=2)
app = Dash(__name__, backend=os.environ["SERVER_KIND"], long_callback_manager=manager)
server = app.server
app.layout = html.Div([
    html.Button("Run", id="run"), html.Button("Stop", id="stop"), html.P(id="bar"), html.P(id="out")
])

@app.long_callback(
    Output("out", "children"), Input("run", "n_clicks"), progress=Output("bar", "children"),
    running=(Output("run", "disabled"), True, False), cancel=Input("stop", "n_clicks"),
    progress_default="idle", prevent_initial_call=True,
)
def work(set_progress, n_clicks):
    if n_clicks == 1:
        time.sleep(60)
    for number in range(20):
        set_progress(f"step {number}")
        time.sleep(0.05)
    if n_clicks == 3:
        return "x" * 5_000_000
    return f"done {n_clicks}"

if __name__ == "__main__":
    app.run(port=int(os.environ["PORT"]))
"""


@pytest.mark.parametrize("kind, how", [("fastapi", "app.run"), ("quart", "uvicorn")])
def test_run_cancel_progress_and_result(
    kind: str, how: str, serve: Callable[..., Server], blank: Page
) -> None:
    uvicorn = ("-m", "uvicorn", "app:server", "--port", "{port}")
    command = uvicorn if how == "uvicorn" else ("app.py",)
    server = serve(APP, env={"SERVER_KIND": kind}, command=command)
    blank.open(server.url)
    blank.wait_text("#bar", "idle")
    blank.click("#run")
    blank.wait_prop("run", "disabled", value=True)
    blank.click("#stop")
    blank.wait_prop("run", "disabled", value=False)
    blank.record("#bar")
    blank.click("#run")
    blank.wait_text("#out", "done 2", 20)
    blank.wait_text("#bar", "idle")
    shown = [text for text in blank.recorded("#bar") if (text or "").startswith("step")]
    assert len(set(shown)) >= 10
    assert shown[-1] == "step 19"
    blank.click("#run")
    wait_until(lambda: len(blank.text("#out") or "") == 5_000_000, 20, "a result of 5 MB")
    if (kind, how) == ("fastapi", "app.run"):
        # Dash starts uvicorn as a process of its own, and does not pass a SIGTERM on.
        (uvicorn_pid,) = [pid for pid, name in server.processes().items() if "-m uvicorn" in name]
        os.kill(uvicorn_pid, signal.SIGTERM)
