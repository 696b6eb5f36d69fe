"""Caching: a result that was computed once is returned instantly.

Press Run four times, then once more: the fifth answer is instant, and so are all in a second tab.
"""

import time
import uuid

from dash import Input, Output, html

from dash_long_callback import Dash, DiskcacheLongCallbackManager

# Another one each time the app starts: what an older version of the code has made is not shown.
LAUNCH = uuid.uuid4()

app = Dash(
    __name__,
    long_callback_manager=DiskcacheLongCallbackManager(
        cache_by=lambda: LAUNCH,
        expire=60,  # seconds since somebody last asked for it
    ),
)

app.layout = html.Main(
    [
        html.Button("Run", id="run"),
        html.P("Nothing has run yet.", id="result"),
    ]
)


@app.long_callback(
    # The clicks go 1, 2, 3, 4, 1, ...: four different results.
    (Output("result", "children"), Output("run", "n_clicks")),
    Input("run", "n_clicks"),
    running=[(Output("run", "disabled"), True, False)],
    prevent_initial_call=True,
)
def count(n_clicks):
    time.sleep(2)
    return f"Clicks so far: {n_clicks}", n_clicks % 4


if __name__ == "__main__":
    app.run(debug=True)
