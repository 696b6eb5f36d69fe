"""No other site can start or end a job of somebody who is logged in here: Flask-SeaSurf."""

import time

from dash import Input, Output, html
from flask_seasurf import SeaSurf

from dash_long_callback import Dash

# --8<-- [start:guard]
app = Dash(__name__)
server = app.server
server.secret_key = "of this server"
SeaSurf(server)
# --8<-- [end:guard]

app.layout = html.Main(
    [
        html.Button("Run", id="run"),
        html.Button("Stop", id="stop"),
        html.Progress(id="bar", value="0", max="100"),
        html.P(id="result"),
    ]
)


@app.long_callback(
    Output("result", "children"),
    Input("run", "n_clicks"),
    progress=Output("bar", "value"),
    progress_default="0",
    cancel=Input("stop", "n_clicks"),
    prevent_initial_call=True,
)
def work(set_progress, n_clicks):
    for percent in range(0, 100, 5):
        set_progress(str(percent))
        time.sleep(0.1)
    return f"Run {n_clicks} is done."


if __name__ == "__main__":
    app.run()
