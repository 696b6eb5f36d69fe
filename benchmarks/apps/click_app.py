"""Three buttons that do the same: an ordinary callback, a long one, Dash's background callback."""

from dash import Input, Output, html
from settings import PORT, new_app, page

app = new_app(__name__)
server = app.server

KINDS = ("ordinary", "long", "background", "background50")
app.layout = page(*(html.Div([html.Button(k, id=k), html.Div(id=f"{k}-out")]) for k in KINDS))


@app.callback(Output("ordinary-out", "children"), Input("ordinary", "n_clicks"))
def ordinary(n_clicks):
    return f"clicked {n_clicks}"


@app.long_callback(Output("long-out", "children"), Input("long", "n_clicks"))
def long(n_clicks):
    return f"clicked {n_clicks}"


@app.callback(
    Output("background-out", "children"), Input("background", "n_clicks"), background=True
)
def background(n_clicks):
    return f"clicked {n_clicks}"


# The quickest that Dash's own can be told to poll: everything but the interval.
@app.callback(
    Output("background50-out", "children"),
    Input("background50", "n_clicks"),
    background=True,
    interval=50,
)
def background50(n_clicks):
    return f"clicked {n_clicks}"


if __name__ == "__main__":
    app.run(port=PORT, debug=False)
