"""Indicator: what a job is at, on its own output. There is no component for that.

Press Run, and Stop half way. Ask for more than a hundred walks, and for fewer then.
"""

import random
import time

import plotly.graph_objects as go
from dash import Input, Output, State, dcc, html

from dash_long_callback import Dash, DiskcacheLongCallbackManager, UserError, track

app = Dash(
    __name__,
    long_callback_manager=DiskcacheLongCallbackManager(),
    long_callback_indicator=True,
)


def chart(walks):
    figure = go.Figure([go.Scatter(y=walk, mode="lines", line_width=1) for walk in walks])
    figure.update_layout(
        height=240,
        margin={"l": 40, "r": 10, "t": 10, "b": 30},
        template="plotly_white",
        showlegend=False,
    )
    return figure


app.layout = html.Main(
    [
        html.Button("Run", id="run"),
        dcc.Input(id="number", type="number", value=40, min=1),
        dcc.Graph(id="chart", figure=chart([]), config={"displayModeBar": False}),
    ]
)


def walk():
    time.sleep(0.2)
    position = [0]
    for _ in range(100):
        position.append(position[-1] + random.choice([-1, 1]))
    return position


@app.long_callback(
    Output("chart", "figure"),
    Input("run", "n_clicks"),
    State("number", "value"),
    cancelable=True,
    prevent_initial_call=True,
)
def simulate(_n_clicks, number):
    if not number or number > 100:
        raise UserError("Choose a number of walks from 1 to 100.")
    return chart([walk() for _ in track(range(number), "Random walks")])


if __name__ == "__main__":
    app.run(debug=True)
