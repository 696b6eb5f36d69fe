"""A job that tells the time while it runs, and at its end; one ordinary button."""

import os
import time

from dash import Input, Output, html
from settings import PORT, new_app, page

app = new_app(__name__)
server = app.server

SECONDS = int(os.environ["BENCH_SECONDS"])
app.layout = page(
    html.Div([html.Button("ordinary", id="ordinary"), html.Div(id="ordinary-out")]),
    html.Div([html.Button("run", id="run"), html.Div(id="progress"), html.Div(id="result")]),
)


@app.callback(Output("ordinary-out", "children"), Input("ordinary", "n_clicks"))
def ordinary(n_clicks):
    return f"clicked {n_clicks}"


@app.long_callback(
    Output("result", "children"),
    Input("run", "n_clicks"),
    progress=Output("progress", "children"),
    prevent_initial_call=True,
)
def job(set_progress, _n_clicks):
    for _ in range(SECONDS):
        set_progress(str(time.time()))
        time.sleep(1)
    return str(time.time())


if __name__ == "__main__":
    app.run(port=PORT, debug=False)
