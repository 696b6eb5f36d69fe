"""The same work, kept by each in its way, and asked for by a page, by HTTP clients and directly."""

import time

import dash
import diskcache
import flask
from dash import Input, Output, html
from settings import FOLDER, PORT, add_pid

from dash_long_callback import Dash, DiskcacheLongCallbackManager
from dash_long_callback.dash.callbacks import registry
from dash_long_callback.jobs import Job, Sharing, new_job_id
from dash_long_callback.managers.base import Disposition

app = Dash(
    __name__,
    long_callback_manager=DiskcacheLongCallbackManager(
        diskcache.Cache(FOLDER / "ours"), cache_by=[], workers=2
    ),
    background_callback_manager=dash.DiskcacheManager(
        diskcache.Cache(FOLDER / "dash"), cache_by=[lambda: 1]
    ),
)
server = app.server
add_pid(app)

KINDS = ("ordinary", "long", "background")
app.layout = html.Div(
    [
        *(html.Div([html.Button(k, id=k), html.Div(id=f"{k}-out")]) for k in KINDS),
        html.Div(id="storm", n_clicks=0),
    ]
)


def answer(kind, n_clicks):
    """One of two texts, so that each click changes the page; leaves a trace of each run."""
    with (FOLDER / f"runs-{kind}").open("a") as file:
        file.write("x")
    return f"{kind} {(n_clicks or 0) % 2}"


# The page alternates between two arguments: both outputs are known after two clicks.


@app.callback(
    Output("ordinary-out", "children"),
    Output("ordinary", "n_clicks"),
    Input("ordinary", "n_clicks"),
    prevent_initial_call=True,
)
def ordinary(n_clicks):
    return answer("ordinary", n_clicks), n_clicks % 2


@app.long_callback(
    Output("long-out", "children"),
    Output("long", "n_clicks"),
    Input("long", "n_clicks"),
    prevent_initial_call=True,
)
def long(n_clicks):
    return answer("long", n_clicks), n_clicks % 2


@app.callback(
    Output("background-out", "children"),
    Output("background", "n_clicks"),
    Input("background", "n_clicks"),
    prevent_initial_call=True,
    background=True,
)
def background(n_clicks):
    return answer("background", n_clicks), n_clicks % 2


@app.long_callback(
    Output("storm-out", "children"), Input("storm", "n_clicks"), prevent_initial_call=True
)
def storm(seconds):
    time.sleep(seconds)
    return answer("storm", 0)


@server.get("/bench/runs")
def runs():
    """How often each function has run."""
    found = {path.name[5:]: path.stat().st_size for path in FOLDER.glob("runs-*")}
    return flask.jsonify({kind: found.get(kind, 0) for kind in (*KINDS, "storm")})


@server.get("/bench/fill")
def fill():
    """Have this many results kept."""
    store = app.long_callback_manager.store
    first, last = int(flask.request.args["first"]), int(flask.request.args["last"])
    response = b'{"multi":true,"response":{"long-out":{"children":"' + b"x" * 200 + b'"}}}'
    # In one transaction each thousand: writing them is not what is measured.
    for start in range(first, last, 1000):
        with store.results.cache.transact():
            for number in range(start, min(start + 1000, last)):
                job = Job(new_job_id(), "long", cache_key=f"{number:064x}", kept=True)
                store.keep(job, response)
    return flask.jsonify(last)


@server.get("/bench/hits")
def hits():
    """Milliseconds of hits, on results from all over."""
    manager, count = app.long_callback_manager, int(flask.request.args["kept"])
    callback, found = registry.get("storm-out.children"), []
    for number in range(int(flask.request.args["hits"])):
        sharing = Sharing(f"{number * 7919 % count:064x}", keep=True, coalesce=True, expire=3600)
        begun = time.perf_counter()
        receipt = manager.submit(callback.call(b"{}", sharing))
        found.append((time.perf_counter() - begun) * 1000)
        assert receipt.disposition is Disposition.CACHED
    return flask.jsonify(found)


if __name__ == "__main__":
    app.run(port=PORT, debug=False)
