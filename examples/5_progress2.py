"""Progress in a chart: any property can show it, here a figure.

Press Run: the bars fill one after another, and are empty again when the work has ended.
"""

import time

import plotly.graph_objects as go
from dash import Input, Output, dcc, html

from dash_long_callback import Dash, DiskcacheLongCallbackManager

app = Dash(__name__, long_callback_manager=DiskcacheLongCallbackManager())
STEPS = ["Load", "Clean", "Fit", "Check"]


def chart(percent):
    figure = go.Figure(go.Bar(x=STEPS, y=percent))
    figure.update_yaxes(range=[0, 100], ticksuffix=" %")
    figure.update_layout(
        height=220,
        margin={"l": 50, "r": 10, "t": 10, "b": 30},
        template="plotly_white",
    )
    return figure


empty = chart([0, 0, 0, 0])

app.layout = html.Main(
    [
        html.Button("Run", id="run"),
        html.P("Nothing has run yet.", id="result"),
        dcc.Graph(id="chart", figure=empty, config={"displayModeBar": False}),
    ]
)


@app.long_callback(
    Output("result", "children"),
    Input("run", "n_clicks"),
    progress=Output("chart", "figure"),
    progress_default=empty,
    running=[(Output("run", "disabled"), True, False)],
    prevent_initial_call=True,
)
def work(set_progress, n_clicks):
    percent = [0, 0, 0, 0]
    for step in range(len(STEPS)):
        while percent[step] < 100:
            time.sleep(0.2)
            percent[step] += 20
            set_progress(chart(percent))
    return f"Clicks so far: {n_clicks}"


if __name__ == "__main__":
    app.run(debug=True)
