"""Celery: jobs run in workers that you start yourself, on this machine or on others.

Press Run, then Cancel: the function is interrupted, in the worker. In a clone of the repository:

    pip install -e ".[celery]"

and, in the folder of this file, one terminal for each of these:

    redis-server
    celery -A 6_celery:celery_app worker
    python 6_celery.py
"""

import os
import time

from celery import Celery
from dash import Input, Output, html

from dash_long_callback import CeleryLongCallbackManager, Dash

redis = os.environ.get("REDIS_URL", "redis://localhost:6379/0")
# A long job is not to wait behind another one in a worker that is busy.
celery_app = Celery(__name__, broker=redis, backend=redis, worker_prefetch_multiplier=1)

app = Dash(__name__, long_callback_manager=CeleryLongCallbackManager(celery_app))

app.layout = html.Main(
    [
        html.Button("Run", id="run"),
        html.Button("Cancel", id="cancel", disabled=True),
        html.P("Nothing has run yet.", id="result"),
    ]
)


@app.long_callback(
    Output("result", "children"),
    Input("run", "n_clicks"),
    running=[
        (Output("run", "disabled"), True, False),
        (Output("cancel", "disabled"), False, True),
    ],
    cancel=Input("cancel", "n_clicks"),
    prevent_initial_call=True,
)
def count(n_clicks):
    time.sleep(5)
    return f"Clicks so far: {n_clicks}"


if __name__ == "__main__":
    app.run(debug=True)
