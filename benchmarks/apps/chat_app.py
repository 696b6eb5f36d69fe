"""A job that tells its progress often, and one that yields a growing text to its output."""

import os
import time

from dash import Input, Output, html
from settings import PORT, new_app, page

from dash_long_callback import Pacing

app = new_app(__name__, long_callback_pacing=Pacing(stream=os.environ["BENCH_STREAM"] == "yes"))
server = app.server

VALUES, PERIOD = 250, 0.02
app.layout = page(
    html.Div([html.Button("told", id="told"), html.P(id="told-text"), html.Div(id="told-out")]),
    html.Div([html.Button("chat", id="chat"), html.P(id="chat-text")]),
)


def values():
    """Each at its time, whatever those before have cost: its number and when it was made."""
    begun = time.monotonic()
    for number in range(VALUES):
        time.sleep(max(0.0, begun + number * PERIOD - time.monotonic()))
        yield f"{number}:{time.time() * 1000:.1f}"


@app.long_callback(
    Output("told-out", "children"),
    Input("told", "n_clicks"),
    progress=Output("told-text", "children"),
    prevent_initial_call=True,
)
def told(set_progress, n_clicks):
    for value in values():
        set_progress(value)
    return f"end {n_clicks}"


@app.long_callback(
    Output("chat-text", "children"), Input("chat", "n_clicks"), prevent_initial_call=True
)
def chat(n_clicks):
    text = ""
    for number, value in enumerate(values()):
        text += f" word{number}"
        yield value + text
    time.sleep(PERIOD)
    yield f"end {n_clicks}"


if __name__ == "__main__":
    app.run(port=PORT, debug=False)
