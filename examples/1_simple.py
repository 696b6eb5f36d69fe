"""Simple: work that takes two seconds, in a process of its own.

Press Run a few times in a row: only the latest click is answered, and the page never waits.
"""

import time

from dash import Input, Output, html

from dash_long_callback import Dash, DiskcacheLongCallbackManager

app = Dash(__name__, long_callback_indicator=True)

app.layout = html.Main(
    [
        html.Button("Run", id="run"),
        html.P("Nothing has run yet.", id="result"),
    ]
)


@app.long_callback(
    Output("result", "children"),
    Input("run", "n_clicks"),
    manager=DiskcacheLongCallbackManager(),
    prevent_initial_call=True,
)
def count(n_clicks):
    time.sleep(2)  # stands for a query, a model, a report
    return f"Clicks so far: {n_clicks}"


if __name__ == "__main__":
    app.run(debug=True)
