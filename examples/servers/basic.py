"""Who opens the app must know a password: dash-auth."""

import time

from dash import Input, Output, ctx, hooks, html
from dash_auth import BasicAuth
from flask import session

from dash_long_callback import Dash

app = Dash(__name__)
server = app.server  # for gunicorn: app:server
# Yours come from the environment or a database, not from the source.
BasicAuth(app, {"ada": "1815", "grace": "1906"}, secret_key="of this server")

app.layout = html.Main(
    [
        html.Button("Run", id="run"),
        html.Button("Stop", id="stop"),
        html.Progress(id="bar", value="0", max="100"),
        html.P(id="result"),
    ]
)


@hooks.custom_data("user")
def user(_):  # runs in the web server, in the request of a click
    return session["user"]["email"]


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
    return f"Run {n_clicks} of {ctx.custom_data.user} is done."


if __name__ == "__main__":
    app.run()
