"""An app whose jobs are started by clicks and by scripts. With Celery, if there is a BROKER."""

import os
import time
from typing import Any

from dash import Input, Output, State, dcc, html
from in_app import note, serve, wait_for

from dash_long_callback import CeleryLongCallbackManager, Dash, Limit, submit

manager = None
if "BROKER" in os.environ:
    from celery import Celery

    celery_app = Celery("app", broker=os.environ["BROKER"], backend=os.environ["BROKER"])
    celery_app.conf.worker_prefetch_multiplier = 1
    manager = CeleryLongCallbackManager(celery_app)
app = Dash(__name__, long_callback_manager=manager)
server = app.server
app.layout = html.Div(
    [dcc.Store(id="order"), dcc.Store(id="name"), *(html.P(id=i) for i in ["result", "step", "id"])]
)
order, name = Input("order", "data"), State("name", "data")


@app.long_callback(
    Output("result", "children"),
    order,
    name,
    progress=Output("step", "children"),
    limits=Limit(1, key="name"),
    cache_by=[],
    prevent_initial_call=True,
)
def work(set_progress: Any, order: Any, name: str = "nobody") -> Any:
    note("run", os.getpid())
    set_progress(f"for {name}")
    if isinstance(order, str):
        wait_for(order)
    else:
        time.sleep(order)
    note("done", os.getpid())
    return [order, name]


@app.long_callback(Output("id", "children"), order, prevent_initial_call=True)
def start_another(order: Any) -> Any:
    return submit(work, order, name="another's").id


@app.callback(Output("step", "title"), order, prevent_initial_call=True)
def start(order: Any) -> Any:
    return submit(work, order, name="a callback").id


if __name__ == "__main__":
    serve(app)
