"""Many buttons, each with a job of some seconds; beside them one ordinary button."""

import os
import time

from dash import Input, Output, State, dcc, html
from settings import FOLDER, PORT, add_route, new_app, page

app = new_app(__name__)
server = app.server

JOBS, SECONDS = int(os.environ["BENCH_JOBS"]), float(os.environ["BENCH_SECONDS"])
LONG = os.environ["BENCH_KIND"] == "long"
app.layout = page(
    html.Div([html.Button("ordinary", id="ordinary"), html.Div(id="ordinary-out")]),
    *(
        # A value of its own for each: equal arguments would make Dash's jobs share one result.
        html.Div([html.Button(i, id=f"b{i}"), dcc.Store(f"s{i}", data=i), html.Div(id=f"o{i}")])
        for i in range(JOBS)
    ),
)


@app.callback(Output("ordinary-out", "children"), Input("ordinary", "n_clicks"))
def ordinary(n_clicks):
    return f"clicked {n_clicks}"


def job(_n_clicks, number):
    with (FOLDER / "runs").open("a") as file:
        file.write(f"{number}\n")
    time.sleep(SECONDS)
    return f"done {number}"


for one in range(JOBS):
    dependencies = (
        Output(f"o{one}", "children"),
        Input(f"b{one}", "n_clicks"),
        State(f"s{one}", "data"),
    )
    if LONG:
        app.long_callback(*dependencies, prevent_initial_call=True)(job)
    else:
        app.callback(*dependencies, prevent_initial_call=True, background=True)(job)


def runs():
    """The number of each job, as often as it was begun."""
    file = FOLDER / "runs"
    return [int(line) for line in file.read_text().split()] if file.exists() else []


add_route(app, "runs", runs)


if __name__ == "__main__":
    app.run(port=PORT, debug=False)
