"""An ordinary and a long callback, with a mark in a file at each step of a request and of a job."""

import functools
import os
import time

import diskcache
from dash import Input, Output, html
from settings import FOLDER, PORT, add_pid

from dash_long_callback import Dash, DiskcacheLongCallbackManager
from dash_long_callback.dash import decorator, execution
from dash_long_callback.executors.local import LocalExecutor, supervisor, worker
from dash_long_callback.managers.base import Manager
from dash_long_callback.managers.following import Following
from dash_long_callback.stores.diskcache import DiskcacheStore
from dash_long_callback.worker import reporter

_marks = os.open(FOLDER / "marks", os.O_WRONLY | os.O_CREAT | os.O_APPEND)


def mark(name, at=None):
    os.write(_marks, f"{name}\t{(at or time.time()) * 1000:.3f}\n".encode())


def trace(owner, name, before="", after="", *, if_result=False):
    """Mark the calls of a function; with ``if_result`` only those that return something."""
    original = getattr(owner, name, None)
    if original is None:  # renamed since; the table will say that its steps were not seen
        return

    @functools.wraps(original)
    def traced(*args, **kwargs):
        begun = time.time()
        if before and not if_result:
            mark(before, begun)
        result = original(*args, **kwargs)
        if if_result and result is None:
            return result
        ended = time.time()
        if before and if_result:
            mark(before, begun)
        if after:
            mark(after, ended)
        return result

    setattr(owner, name, traced)


trace(decorator, "submit", "submit called", "answer encoded")
trace(Manager, "submit", "manager called", "waker woken")
trace(Following, "wait", "", "news seen")
trace(LocalExecutor, "start", "job stored")
trace(DiskcacheStore, "claim", "leader awake", "job claimed", if_result=True)
trace(supervisor.Supervisor, "_dispatch", "", "job sent to worker")
trace(worker.Worker, "_do", "worker has it", "worker done")
trace(execution.Execution, "outcome", "run made", "outcome encoded")
trace(reporter.Reporter, "close", "", "reporter closed")
trace(worker, "run_job", "", "outcome stored")

app = Dash(
    __name__, long_callback_manager=DiskcacheLongCallbackManager(diskcache.Cache(FOLDER / "ours"))
)
server = app.server
add_pid(app)
app.layout = html.Div(
    [html.Div([html.Button(k, id=k), html.Div(id=f"{k}-out")]) for k in ("ordinary", "long")]
)


def wsgi(environ, start_response, inner=server.wsgi_app):
    if not environ["PATH_INFO"].endswith("_dash-update-component"):
        return inner(environ, start_response)
    mark("server called")
    answer = inner(environ, start_response)
    mark("server answers")
    return answer


server.wsgi_app = wsgi


@app.callback(Output("ordinary-out", "children"), Input("ordinary", "n_clicks"))
def ordinary(n_clicks):
    mark("function called")
    return f"clicked {n_clicks}"


@app.long_callback(Output("long-out", "children"), Input("long", "n_clicks"))
def long(n_clicks):
    mark("function called")
    return f"clicked {n_clicks}"


if __name__ == "__main__":
    app.run(port=PORT, debug=False)
