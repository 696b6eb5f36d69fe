"""The same with Flask-WTF, whose names are not those that Dash expects: Dash 4."""

import time

from dash import Input, Output, html
from flask import Flask, request
from flask_wtf import CSRFProtect
from flask_wtf.csrf import generate_csrf

from dash_long_callback import Dash

# --8<-- [start:guard]
server = Flask(__name__)
server.secret_key = "of this server"
CSRFProtect(server)


@server.after_request
def send_token(response):
    # Each answer brings a new one, so that pages stay open for longer than a token lasts.
    response.set_cookie("csrf_token", generate_csrf(), samesite="Lax", secure=request.is_secure)
    return response


app = Dash(__name__, server=server, csrf_token_name="csrf_token")
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
