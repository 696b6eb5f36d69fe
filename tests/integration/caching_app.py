"""An app that keeps its results. Run as a script, or by gunicorn."""

import os
import time
from typing import Any

import diskcache
import flask
from dash import ALL, Input, Output, ctx, dcc, html
from in_app import FOLDER, note, serve

from dash_long_callback import Dash, DiskcacheLongCallbackManager

manager = DiskcacheLongCallbackManager(
    diskcache.Cache(str(FOLDER / "cache")), cache_by=[], workers=2, grace=1
)
app = Dash(__name__, long_callback_manager=manager)
server = app.server
app.layout = html.Div(
    [
        dcc.Store(id="order"),
        html.P(id="result"),
        html.P(id="user"),
        html.P(id="page"),
        html.P(id="rows"),
    ]
)
order = Input("order", "data")


@app.long_callback(Output("result", "children"), order, prevent_initial_call=True)
def slow(seconds: float) -> str:
    note("run", os.getpid())
    time.sleep(seconds)
    return "slept"


def user() -> str:
    note("web", os.getpid())
    return flask.request.cookies["user"]


@app.long_callback(Output("user", "children"), order, prevent_initial_call=True, cache_by=user)
def per_user(_order: Any) -> str:
    note("user-run")
    return f"for {ctx.cookies['user']}"


def asked_by() -> list[Any]:
    return [ctx.triggered_id, ctx.inputs, ctx.headers.get("X-Tenant")]


@app.long_callback(
    Output("page", "children"),
    order,
    prevent_initial_call=True,
    cache_by=[asked_by],
    cache_args_to_ignore=0,
)
def by_context(value: Any) -> Any:
    note("context-run")
    return value


@app.long_callback(Output("rows", "children"), Input({"row": ALL}, "data"))
def rows(_values: list[Any]) -> str:
    return "rows " + ", ".join(one["id"]["row"] for one in ctx.inputs_list[0])


if __name__ == "__main__":
    serve(app)
