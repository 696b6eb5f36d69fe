"""An app that has imported the usual libraries and loaded 500 MB."""

import os
import time

import flask
import numpy as np
import pandas as pd
from dash import html
from settings import PORT, new_app, page

MEGABYTES = 500

app = new_app(__name__)
server = app.server
app.layout = page(html.Div("memory"))
data = pd.DataFrame(
    {f"c{i}": np.arange(1_250_000, dtype=float) + i for i in range(MEGABYTES // 10)}
)


def dash_job(seconds):
    time.sleep(seconds)
    return len(data)


@server.get("/bench/dash_jobs")
def dash_jobs():
    """Start jobs with a DiskcacheManager. Answers their process ids."""
    manager = app._background_manager
    job = manager.make_job_fn(dash_job, progress=False)
    count, seconds = int(flask.request.args["jobs"]), float(flask.request.args["seconds"])
    return flask.jsonify(
        [manager.call_job_fn(f"job {i}", job, [seconds], {}) for i in range(count)]
    )


if __name__ == "__main__":
    # Each worker imports this module, too; only the process that serves comes here.
    print(f"{os.getpid()} serves")
    app.run(port=PORT, debug=False)
