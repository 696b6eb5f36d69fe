"""What the apps have in common: settings, and routes that measure inside the web process."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dash
import diskcache
import flask
from dash import Input, Output, html

from dash_long_callback import Dash, DiskcacheLongCallbackManager
from dash_long_callback.dash.callbacks import registry
from dash_long_callback.limits import Terms

FOLDER = Path(os.environ["BENCH_FOLDER"])
PORT = int(os.environ["BENCH_PORT"])
WORKERS = int(os.environ.get("BENCH_WORKERS", "2"))
START_METHOD: Any = os.environ.get("BENCH_START_METHOD") or None
#: "flask" or "fastapi".
BACKEND = os.environ.get("BENCH_BACKEND", "flask")
#: Before 4.1, Dash knows no backends.
BACKEND_ARGUMENT: dict[str, Any] = {} if BACKEND == "flask" else {"backend": BACKEND}


def new_app(name: str, **settings: Any) -> Dash:
    """An app with both managers."""
    app = Dash(
        name,
        **BACKEND_ARGUMENT,
        **settings,
        long_callback_manager=DiskcacheLongCallbackManager(
            diskcache.Cache(FOLDER / "ours"), workers=WORKERS, start_method=START_METHOD
        ),
        background_callback_manager=dash.DiskcacheManager(diskcache.Cache(FOLDER / "dash")),
    )
    routes(app)
    return app


def add_route(app: Dash, name: str, answer: Callable[..., Any]) -> None:
    """A route ``bench/<name>`` of any backend; ``answer`` takes the parameters of the URL."""
    if BACKEND == "flask":

        def flask_view():
            return flask.jsonify(answer(**flask.request.args.to_dict()))

        app.server.add_url_rule(f"/bench/{name}", f"bench_{name}", flask_view)
        return
    from fastapi import Request

    def view(request):
        return answer(**request.query_params)

    # Not in the signature: FastAPI would look up its text among the names of the module.
    view.__annotations__ = {"request": Request}
    app.server.add_api_route(f"/bench/{name}", view)


def add_pid(app: Dash) -> None:
    """A route that tells which process answers."""
    add_route(app, "pid", os.getpid)


def routes(app: Dash) -> None:
    """The process id, and a way to have every worker run a job."""
    add_pid(app)

    @app.long_callback(
        Output("whoami", "children"), Input("whoami", "n_clicks"), prevent_initial_call=True
    )
    def whoami(_n_clicks):
        time.sleep(0.05)
        return os.getpid()

    def warm(workers):
        seen = set()
        while len(seen) < int(workers):
            jobs = Jobs(app)
            ids = [jobs.submit("whoami") for _ in range(2 * int(workers))]
            seen.update(jobs.result(i) for i in ids)
        return sorted(seen)

    add_route(app, "warm", warm)


def page(*children: Any) -> html.Div:
    """A layout with what :func:`routes` needs."""
    return html.Div([html.Div(id="whoami", n_clicks=0), *children])


class Jobs:
    """Submits jobs and reads their results, in the web process and without a browser.

    Args:
        app: its callbacks are named by their outputs' ids.
        owner: whose the jobs are.
    """

    def __init__(self, app: Dash, owner: str | None = None) -> None:
        self.manager = app.long_callback_manager
        self.owner = owner

    def submit(self, name: str, *, value: Any = 1, terms: Terms | None = None) -> str:
        """Start a job. Returns its id."""
        callback = registry.get(f"{name}.children")
        fields = {
            "inputs": [{"id": name, "property": "n_clicks", "value": value}],
            "states": [],
            "outputs": {"id": name, "property": "children"},
            "changed": [f"{name}.n_clicks"],
            "args": {},
        }
        call = callback.call(json.dumps(fields).encode(), owner=self.owner, terms=terms)
        return self.manager.submit(call).job_id

    def wait(self, job_id: str) -> None:
        """Wait for the end of a job as a request does."""
        self.manager.wait(
            {job_id: 0},
            60,
            lambda found: all(n.job.state.ended for n in found.values()),
            self.owner,
        )

    def ended(self, job_id: str) -> bool:
        return self._news(job_id).job.state.ended

    def result(self, job_id: str) -> Any:
        """Wait, at a slow pace, for the end of a job; its output."""
        while not self.ended(job_id):
            time.sleep(0.01)
        (outputs,) = json.loads(self._news(job_id).response)["response"].values()
        return outputs["children"]

    def _news(self, job_id: str) -> Any:
        return self.manager.news({job_id: 0}, self.owner)[job_id]
