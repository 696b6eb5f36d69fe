"""Progress: the function says how far it is.

Press Run, and Cancel half way: the bar goes away with the work.
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
        html.Progress(id="bar", value="0", max="1", hidden=True),
    ]
)


@app.long_callback(
    Output("result", "children"),
    Input("run", "n_clicks"),
    progress=(Output("bar", "value"), Output("bar", "max")),
    running=[
        (Output("run", "disabled"), True, False),
        (Output("cancel", "disabled"), False, True),
        (Output("bar", "hidden"), False, True),
    ],
    cancel=Input("cancel", "n_clicks"),
    prevent_initial_call=True,
)
def count(set_progress, n_clicks):
    steps = 20
    for step in range(steps):
        set_progress((str(step), str(steps)))
        time.sleep(0.2)
    return f"Clicks so far: {n_clicks}"


if __name__ == "__main__":
    app.run(debug=True)
