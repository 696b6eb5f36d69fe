"""The same job, which tells its progress often, as a long and as Dash's background callback."""

import time

from dash import Input, Output, html
from settings import PORT, new_app, page

app = new_app(__name__)
server = app.server

VALUES, PERIOD = 250, 0.02
KINDS = ("long", "background", "background50")
app.layout = page(
    *(
        html.Div([html.Button(k, id=k), html.Div(id=f"{k}-progress"), html.Div(id=f"{k}-out")])
        for k in KINDS
    )
)


def job(set_progress, n_clicks):
    begun = time.monotonic()
    for number in range(VALUES):
        # At its time, whatever the calls before have cost; nothing after the last.
        time.sleep(max(0.0, begun + number * PERIOD - time.monotonic()))
        set_progress(f"{number}:{time.time() * 1000:.1f}")
    return f"run {n_clicks}"


def dependencies(kind):
    return {
        "output": Output(f"{kind}-out", "children"),
        "inputs": Input(kind, "n_clicks"),
        "progress": Output(f"{kind}-progress", "children"),
        "prevent_initial_call": True,
    }


@app.long_callback(**dependencies("long"))
def long(set_progress, n_clicks):
    return job(set_progress, n_clicks)


@app.callback(**dependencies("background"), background=True)
def background(set_progress, n_clicks):
    return job(set_progress, n_clicks)


@app.callback(**dependencies("background50"), background=True, interval=50)
def background50(set_progress, n_clicks):
    return job(set_progress, n_clicks)


if __name__ == "__main__":
    app.run(port=PORT, debug=False)
