# --8<-- [start:app]
"""An app for more than one machine: gunicorn serves it, Celery workers run its jobs."""

import os
import time

from celery import Celery
from dash import Input, Output, html

from dash_long_callback import CeleryLongCallbackManager, Dash, LongCallbackError

redis = os.environ.get("REDIS_URL", "redis://localhost:6379/0")
celery_app = Celery("app", broker=redis, backend=redis)
celery_app.conf.update(
    worker_prefetch_multiplier=1,  # no job waits behind a long one while another process is idle
    worker_send_task_events=True,  # Flower shows what runs
    # A Redis that takes connections and does not answer is to be an error, soon.
    redis_socket_timeout=5,
    broker_transport_options={"socket_timeout": 5},
)

manager = CeleryLongCallbackManager(celery_app)
app = Dash(__name__, long_callback_manager=manager)
server = app.server  # for gunicorn: app:server

app.layout = html.Main(
    [
        html.Button("Run", id="run"),
        html.Button("Stop", id="stop"),
        html.Progress(id="bar", value="0", max="100"),
        html.P(id="result"),
    ]
)


@app.long_callback(
    Output("result", "children"),
    Input("run", "n_clicks"),
    running=(Output("run", "disabled"), True, False),
    progress=Output("bar", "value"),
    progress_default="0",
    cancel=Input("stop", "n_clicks"),
    on_error=lambda error: f"That did not work: {error}",
    timeout=3600,
    prevent_initial_call=True,
)
def work(set_progress, n_clicks):
    for percent in range(100):
        set_progress(str(percent))
        time.sleep(0.2)
    return f"Run {n_clicks} is done."


# --8<-- [start:health]
@server.route("/health")
def health():
    """How many jobs wait in each queue; 503 if the broker can't be reached."""
    try:
        return {"waiting": manager.waiting()}
    except LongCallbackError as error:
        return {"error": str(error)}, 503


# --8<-- [end:health]


if __name__ == "__main__":
    app.run(debug=True)
# --8<-- [end:app]
