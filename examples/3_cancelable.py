"""Cancel: a second button ends the work.

Press Run, then Cancel: the function is interrupted, and the result stays what it was.
"""

import time

from dash import Input, Output, html

from dash_long_callback import Dash, DiskcacheLongCallbackManager

app = Dash(__name__, long_callback_manager=DiskcacheLongCallbackManager())

app.layout = html.Main(
    [
        html.Button("Run", id="run"),
        html.Button("Cancel", id="cancel", disabled=True),
        html.P("Nothing has run yet.", id="result"),
    ]
)


@app.long_callback(
    Output("result", "children"),
    Input("run", "n_clicks"),
    running=[
        (Output("run", "disabled"), True, False),
        (Output("cancel", "disabled"), False, True),
    ],
    cancel=Input("cancel", "n_clicks"),
    prevent_initial_call=True,
)
def count(n_clicks):
    time.sleep(5)
    return f"Clicks so far: {n_clicks}"


if __name__ == "__main__":
    app.run(debug=True)
