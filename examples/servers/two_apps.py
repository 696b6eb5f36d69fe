"""Two apps in one Flask server, each below a path of its own."""

from dash import Input, Output, html
from flask import Flask

from dash_long_callback import Dash

server = Flask(__name__)  # for gunicorn: app:server
sales = Dash(__name__, server=server, url_base_pathname="/sales/")
stock = Dash(__name__, server=server, url_base_pathname="/stock/")

# They may use the same ids.
sales.layout = html.Main([html.Button("Run", id="run"), html.P(id="result")])
stock.layout = html.Main([html.Button("Run", id="run"), html.P(id="result")])


@sales.long_callback(
    Output("result", "children"), Input("run", "n_clicks"), prevent_initial_call=True
)
def report_sales(n_clicks):
    return f"Sales, run {n_clicks}"


@stock.long_callback(
    Output("result", "children"), Input("run", "n_clicks"), prevent_initial_call=True
)
def report_stock(n_clicks):
    return f"Stock, run {n_clicks}"
