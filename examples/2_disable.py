"""Disable: the button can't be pressed while the work runs.

Press Run: the button comes back however the work ends, also if it fails.
"""

import time

from dash import Input, Output, html

from dash_long_callback import Dash, DiskcacheLongCallbackManager

# The manager of all long callbacks of this app.
app = Dash(__name__, long_callback_manager=DiskcacheLongCallbackManager())

app.layout = html.Main(
    [
        html.Button("Run", id="run"),
        html.P("Nothing has run yet.", id="result"),
    ]
)


@app.long_callback(
    Output("result", "children"),
    Input("run", "n_clicks"),
    # property, value while it runs, value afterwards
    running=[
        (Output("run", "disabled"), True, False),
        (Output("run", "children"), "Running …", "Run"),
    ],
    prevent_initial_call=True,
)
def count(n_clicks):
    time.sleep(2)
    return f"Clicks so far: {n_clicks}"


if __name__ == "__main__":
    app.run(debug=True)
