"""Indicator: how far a job is, on its own output. There is no component for that.

Press Run, and Stop half way: the chart that was there stays. Press Run twice, or reload the page.
"""

import random
import time

import plotly.graph_objects as go
from dash import Input, Output, dcc, html

from dash_long_callback import Dash, track

app = Dash(__name__, long_callback_indicator=True)


def walk():
    steps = random.choices([-1, 1], k=200)
    return [sum(steps[:n]) for n in range(len(steps))]


def chart(walks):
    figure = go.Figure([go.Scatter(y=walk, line_width=1) for walk in walks])
    figure.update_layout(
        height=260,
        margin={"l": 40, "r": 10, "t": 10, "b": 30},
        template="plotly_white",
        showlegend=False,
    )
    return figure


app.layout = html.Main(
    [
        html.Button("Run", id="run"),
        dcc.Graph(id="chart", figure=chart([walk() for _ in range(3)])),
    ]
)


@app.long_callback(
    Output("chart", "figure"),
    Input("run", "n_clicks"),
    cancelable=True,
    prevent_initial_call=True,
)
def simulate(_n_clicks):
    walks = []
    for _ in track(range(40), "Random walks"):
        time.sleep(0.2)  # stands for a longer one
        walks.append(walk())
    return chart(walks)


if __name__ == "__main__":
    app.run(debug=True)
