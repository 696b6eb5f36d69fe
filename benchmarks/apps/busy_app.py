"""Fifty buttons, each with a job that tells its progress once a second; one ordinary button."""

import os
import time

from dash import Input, Output, State, dcc, html
from settings import PORT, new_app, page

app = new_app(__name__)
server = app.server

JOBS = 50
LONG = os.environ["BENCH_KIND"] == "long"
SECONDS = int(os.environ["BENCH_SECONDS"])
app.layout = page(
    html.Div([html.Button("ordinary", id="ordinary"), html.Div(id="ordinary-out")]),
    *(
        # A value of its own for each: equal arguments would make Dash's jobs share one result.
        html.Div(
            [
                html.Button(i, id=f"b{i}"),
                dcc.Store(f"s{i}", data=i),
                html.Span(id=f"p{i}"),
                html.Span(id=f"o{i}"),
            ]
        )
        for i in range(JOBS)
    ),
)


@app.callback(Output("ordinary-out", "children"), Input("ordinary", "n_clicks"))
def ordinary(n_clicks):
    return f"clicked {n_clicks}"


def job(set_progress, n_clicks, _number):
    for second in range(SECONDS):
        set_progress(f"{second} s")
        time.sleep(1)
    return f"run {n_clicks}"


for one in range(JOBS):
    app_callback = app.long_callback if LONG else app.callback
    app_callback(
        Output(f"o{one}", "children"),
        Input(f"b{one}", "n_clicks"),
        State(f"s{one}", "data"),
        progress=Output(f"p{one}", "children"),
        prevent_initial_call=True,
        **({} if LONG else {"background": True}),
    )(job)


if __name__ == "__main__":
    app.run(port=PORT, debug=False)
