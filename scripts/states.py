"""A page with an indicator in every state, by real jobs: scripts/pictures shows it."""

import os
import time
from pathlib import Path

import plotly.graph_objects as go
from dash import Input, Output, dash_table, dcc, html

from dash_long_callback import Dash, DiskcacheLongCallbackManager, Limit, Retry, UserError, track

#: What is in the place of a real output.
TEXT = (
    "Sales rose in the north and fell in the south. The old output stays readable while the new "
    "one is made, and it takes clicks. "
) * 2
ROWS = [{"city": city, "sales": 100 + len(city)} for city in ("Lima", "Oslo", "Quito", "Accra")]

#: The colours of text and lines, which can be read on light and on dark.
GREY = "#808794"

manager = DiskcacheLongCallbackManager(workers=5)
assets = Path(__file__).parents[1] / "examples" / "assets"
app = Dash(
    __name__,
    long_callback_manager=manager,
    long_callback_indicator=True,
    assets_folder=str(assets),
)
app.index_string = app.index_string.replace(
    "</head>",
    """<style>
    main.states { max-width: none; display: grid; gap: 28px 24px; padding: 20px;
        grid-template-columns: repeat(auto-fill, minmax(min(100%, 380px), 1fr)); }
    .states h2 { margin: 0 0 6px; font-size: 15px; color: var(--muted); }
    .states p { margin: 0; }
    .states th, .states td { color: #1d2230; }
    .state { min-height: 132px; }
    </style></head>""",
)
buttons = [html.Button(name, id=name, hidden=True) for name in ("run", "next", "last")]
cards = []


def figure():
    chart = go.Figure(go.Bar(x=["Jan", "Feb", "Mar"], y=[3, 5, 4]))
    chart.update_layout(
        margin={"l": 30, "r": 10, "t": 10, "b": 30},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font_color=GREY,
        yaxis_gridcolor=GREY,
    )
    return chart


def part(title, output, prop="children", button="run", **options):
    """A card with an output, and its callback."""
    name = output.id
    cards.append(html.Section([html.H2(title), output], className="state"))
    return app.long_callback(
        Output(name, prop),
        Input(button, "n_clicks"),
        prevent_initial_call=True,
        **{"cancelable": True, **options},
    )


one = Limit(1, name="licence")


@part(
    "A fraction is known", dcc.Graph(id="graph", figure=figure(), style={"height": 170}), "figure"
)
def fraction(_n_clicks):
    for _ in track(range(400), "Reading files"):
        time.sleep(0.1)


@part("No fraction is known", html.P(TEXT, id="plain"), limits=one)
def plain(_n_clicks):
    time.sleep(600)


@part("Next in line", dash_table.DataTable(ROWS, id="table"), "data", "next", limits=one)
def following(_n_clicks):
    time.sleep(600)


@part("Another is before it", html.P(TEXT, id="second"), button="last", limits=one)
def second(_n_clicks):
    time.sleep(600)


@part("Tried again", html.P(TEXT, id="again"), priority=1, retry=Retry(backoff=40, jitter=False))
def again(_n_clicks):
    raise ConnectionError("the service is away")


@part("Succeeded", html.P(TEXT, id="done"), priority=1)
def done(_n_clicks):
    time.sleep(5)
    return TEXT


@part("Failed", html.P(TEXT, id="failed"), priority=1)
def fails(_n_clicks):
    raise ValueError("not for the user")


@part("The author's words", html.P(TEXT, id="told"), priority=1)
def tells(_n_clicks):
    raise UserError("The file has no column 'date'. Choose another one.")


@part("Its process was killed", html.P("A line of text.", id="killed"), priority=1)
def killed(_n_clicks):
    os._exit(1)


@part("Cancelled", html.P(TEXT, id="cancelled"))
def cancelled(_n_clicks):
    time.sleep(600)


@part("Not cancelable", html.P("A line of text.", id="fixed"), cancelable=False)
def fixed(_n_clicks):
    time.sleep(600)


cards.append(html.Section([html.H2("Without an output: in the corner")], className="state"))


@app.long_callback(Input("run", "n_clicks"), prevent_initial_call=True, cancelable=True)
def alone(_n_clicks):
    for _ in track(range(300), "Sending mail"):
        time.sleep(0.1)


app.layout = html.Main([*buttons, *cards], className="states")

if __name__ == "__main__":
    app.run()
