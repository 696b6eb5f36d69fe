"""What the apps have in common: settings, and routes that measure inside the web process."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import dash
import diskcache
import flask
from dash import Input, Output, html

from dash_long_callback import Dash, DiskcacheLongCallbackManager
from dash_long_callback.callbacks import registry

FOLDER = Path(os.environ["BENCH_FOLDER"])
PORT = int(os.environ["BENCH_PORT"])
WORKERS = int(os.environ.get("BENCH_WORKERS", "2"))
START_METHOD: Any = os.environ.get("BENCH_START_METHOD") or None


def new_app(name: str) -> Dash:
    """An app with both managers."""
    app = Dash(
        name,
        long_callback_manager=DiskcacheLongCallbackManager(
            diskcache.Cache(FOLDER / "ours"), workers=WORKERS, start_method=START_METHOD
        ),
        background_callback_manager=dash.DiskcacheManager(diskcache.Cache(FOLDER / "dash")),
    )
    routes(app)
    return app


def add_pid(server: flask.Flask) -> None:
    """A route that tells which process answers."""
    server.add_url_rule("/bench/pid", "bench_pid", lambda: flask.jsonify(os.getpid()))


def routes(app: Dash) -> None:
    """The process id, and a way to have every worker run a job."""
    add_pid(app.server)

    @app.long_callback(
        Output("whoami", "children"), Input("whoami", "n_clicks"), prevent_initial_call=True
    )
    def whoami(_n_clicks):
        time.sleep(0.05)
        return os.getpid()

    @app.server.get("/bench/warm")
    def warm():
        wanted, seen = int(flask.request.args["workers"]), set()
        while len(seen) < wanted:
            jobs = Jobs(app)
            ids = [jobs.submit("whoami") for _ in range(2 * wanted)]
            seen.update(jobs.result(i) for i in ids)
        return flask.jsonify(sorted(seen))


def page(*children: Any) -> html.Div:
    """A layout with what :func:`routes` needs."""
    return html.Div([html.Div(id="whoami", n_clicks=0), *children])


class Jobs:
    """Submits jobs and reads their results, in the web process and without a browser.

    Args:
        app: its callbacks are named by their outputs' ids.
    """

    def __init__(self, app: Dash) -> None:
        self.manager = app.long_callback_manager

    def submit(self, name: str, *, value: Any = 1) -> str:
        """Start a job. Returns its id."""
        callback = registry.get(f"{name}.children")
        fields = {
            "inputs": [{"id": name, "property": "n_clicks", "value": value}],
            "states": [],
            "outputs": {"id": name, "property": "children"},
            "changed": [f"{name}.n_clicks"],
            "args": {},
        }
        return self.manager.submit(callback, json.dumps(fields).encode()).job_id

    def wait(self, job_id: str) -> None:
        """Wait for the end of a job as a request does."""
        self.manager.wait(
            {job_id: 0}, 60, lambda found: all(n.job.state.ended for n in found.values())
        )

    def ended(self, job_id: str) -> bool:
        return self.manager.news({job_id: 0})[job_id].job.state.ended

    def result(self, job_id: str) -> Any:
        """Wait, at a slow pace, for the end of a job; its output."""
        while not self.ended(job_id):
            time.sleep(0.01)
        response = self.manager.news({job_id: 0})[job_id].response
        (outputs,) = json.loads(response)["response"].values()
        return outputs["children"]
