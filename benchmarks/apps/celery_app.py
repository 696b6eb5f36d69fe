"""The same over Celery: an ordinary callback, a long one, a background one, a raw task."""

import os
import threading
import time

import dash
import flask
from celery import Celery
from dash import Input, Output, html
from settings import PORT, Jobs, add_pid

from dash_long_callback import CeleryLongCallbackManager, Dash

URL = os.environ["BENCH_REDIS"]
#: What a job with many updates does.
UPDATES = 1000

celery_app = Celery(__name__, broker=URL, backend=URL)
celery_app.conf.worker_prefetch_multiplier = 4
app = Dash(
    __name__,
    long_callback_manager=CeleryLongCallbackManager(celery_app),
    background_callback_manager=dash.CeleryManager(celery_app),
)
server = app.server
add_pid(app)

KINDS = ("ordinary", "long", "background", "long-updates", "background-updates")
app.layout = html.Div(
    [
        html.Div([html.Button(k, id=k), html.Div(id=f"{k}-out"), html.P(id=f"{k}-bar")])
        for k in KINDS
    ]
    + [html.Div(id="noop", n_clicks=0)]
    + [
        html.Div([html.Button(f"{k}{i}", id=f"{k}{i}"), html.Div(id=f"{k}-out{i}")])
        for k in ("l", "b")
        for i in range(40)
    ]
)


@celery_app.task(name="raw")
def raw():
    return None


@app.callback(
    Output("ordinary-out", "children"), Input("ordinary", "n_clicks"), prevent_initial_call=True
)
def ordinary(n_clicks):
    return f"clicked {n_clicks}"


@app.long_callback(
    Output("long-out", "children"), Input("long", "n_clicks"), prevent_initial_call=True
)
def long(n_clicks):
    return f"clicked {n_clicks}"


@app.callback(
    Output("background-out", "children"),
    Input("background", "n_clicks"),
    background=True,
    prevent_initial_call=True,
)
def background(n_clicks):
    return f"clicked {n_clicks}"


@app.long_callback(
    Output("long-updates-out", "children"),
    Input("long-updates", "n_clicks"),
    progress=Output("long-updates-bar", "children"),
    prevent_initial_call=True,
)
def long_updates(set_progress, n_clicks):
    for number in range(UPDATES):
        set_progress(str(number))
        time.sleep(0.002)
    return f"clicked {n_clicks}"


@app.callback(
    Output("background-updates-out", "children"),
    Input("background-updates", "n_clicks"),
    background=True,
    progress=Output("background-updates-bar", "children"),
    prevent_initial_call=True,
)
def background_updates(set_progress, n_clicks):
    for number in range(UPDATES):
        set_progress(str(number))
        time.sleep(0.002)
    return f"clicked {n_clicks}"


def long_burst(number):
    @app.long_callback(
        Output(f"l-out{number}", "children"),
        Input(f"l{number}", "n_clicks"),
        prevent_initial_call=True,
    )
    def work(_n_clicks):
        time.sleep(2)
        return f"result {number}"


def background_burst(number):
    @app.callback(
        Output(f"b-out{number}", "children"),
        Input(f"b{number}", "n_clicks"),
        background=True,
        prevent_initial_call=True,
    )
    def work(_n_clicks):
        time.sleep(2)
        return f"result {number}"


for i in range(40):
    long_burst(i)
    background_burst(i)


@app.long_callback(Output("noop", "children"), Input("noop", "n_clicks"), prevent_initial_call=True)
def noop(_n_clicks):
    return None


@server.get("/bench/round_trips")
def round_trips():
    """Milliseconds of round trips, ours and raw Celery's in turn."""
    jobs, ours, theirs = Jobs(app), [], []
    for number in range(int(flask.request.args["count"]) + 20):
        begun = time.perf_counter()
        jobs.wait(jobs.submit("noop"))
        between = time.perf_counter()
        raw.delay().get()
        ended = time.perf_counter()
        if number >= 20:
            ours.append((between - begun) * 1000)
            theirs.append((ended - between) * 1000)
    return flask.jsonify(ours=ours, raw=theirs)


@server.get("/bench/throughput")
def throughput():
    """Jobs a second of clients that each wait for one job after another."""
    kind, each = flask.request.args["kind"], int(flask.request.args["each"])
    jobs = Jobs(app)

    def client():
        for _ in range(each):
            if kind == "raw":
                raw.delay().get()
            else:
                jobs.wait(jobs.submit("noop"))

    threads = [threading.Thread(target=client) for _ in range(int(flask.request.args["clients"]))]
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return flask.jsonify(len(threads) * each / (time.perf_counter() - begun))


if __name__ == "__main__":
    app.run(port=PORT, debug=False)
