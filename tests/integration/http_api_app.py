"""An app that is asked over HTTP. On the server of KIND; with Celery, if there is a BROKER."""

import os
import time
from typing import Any

from dash import Input, Output, State, dcc, html, set_props
from in_app import note, serve, wait_for

from dash_long_callback import ApiRequest, CeleryLongCallbackManager, Dash, Event, Pacing, http_api
from dash_long_callback.http_api import events

events.BEAT_SECONDS = 0.3  # so that a test hears soon that a client has gone
manager = None
if "BROKER" in os.environ:
    from celery import Celery

    celery_app = Celery("app", broker=os.environ["BROKER"], backend=os.environ["BROKER"])
    celery_app.conf.worker_prefetch_multiplier = 1
    manager = CeleryLongCallbackManager(celery_app)
kind = os.environ.get("KIND", "flask")
options: dict[str, Any] = {} if kind == "flask" else {"backend": kind}
app = Dash(
    __name__,
    long_callback_manager=manager,
    long_callback_pacing=Pacing(holds=2),
    **options,
)
server = app.server
app.layout = html.Div([dcc.Store(id="n"), dcc.Store(id="gate"), html.P(id="out")])


@app.long_callback(
    Output("out", "children"),
    Input("n", "data"),
    State("gate", "data"),
    progress=Output("out", "title"),
    prevent_initial_call=True,
)
def count(set_progress: Any, n: int, gate: str | None = None) -> list[int]:
    """Count."""
    note("run", os.getpid())
    try:
        for step in range(n):
            set_progress(step)
            set_props("out", {"say": Event(step)})
            time.sleep(0.05)
        if gate is not None:
            wait_for(gate)
    finally:
        note("done")
    return [n, os.getpid()]


def authorize(request: ApiRequest) -> str | None:
    return {"a-token": "ann", "b-token": "ben"}.get(request.token or "")


http_api(app, [count], authorize=authorize)

if __name__ == "__main__":
    serve(app)
