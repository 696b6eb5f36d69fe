"""An app in a FastAPI server that has other routes, too."""

from dash import Input, Output, html
from fastapi import FastAPI

from dash_long_callback import Dash

server = FastAPI()  # for uvicorn: app:server


@server.get("/orders")
def orders():
    return [{"id": 1}]


app = Dash(__name__, server=server, url_base_pathname="/dashboard/")
app.layout = html.Main([html.Button("Run", id="run"), html.P(id="result")])


@app.long_callback(
    Output("result", "children"), Input("run", "n_clicks"), prevent_initial_call=True
)
def report(n_clicks):
    return f"Run {n_clicks} is done."
