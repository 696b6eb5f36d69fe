"""All examples on one page, each running beside its source: `python examples/gallery.py`."""

import ast
import importlib
import os
from pathlib import Path

from dash import dcc, html
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from dash_long_callback import Dash

FOLDER = Path(__file__).parent
NAMES = [
    "11_indicator",
    "1_simple",
    "2_disable",
    "3_cancelable",
    "4_progress",
    "5_progress2",
    "7_caching",
    "8_streaming",
    "9_failures",
    "10_queues",
]


def server(name):
    """The server of an example: the file as it is, told that it is found below /name/."""
    os.environ["DASH_REQUESTS_PATHNAME_PREFIX"] = f"/{name}/"
    try:
        return importlib.import_module(name).app.server
    finally:
        del os.environ["DASH_REQUESTS_PATHNAME_PREFIX"]


def section(name):
    source = (FOLDER / f"{name}.py").read_text(encoding="utf-8")
    # The docstring stands beside the code: "Title: what it is." and, below, what to try.
    headline, what_to_try = ast.get_docstring(ast.parse(source)).split("\n\n")
    title, what_it_is = headline.split(": ", 1)
    code = source.split('"""', 2)[2].strip()
    example = [
        html.H2(title),
        html.P(what_it_is[0].upper() + what_it_is[1:]),
        html.P(what_to_try, className="try"),
        card(
            [
                "try it here",
                html.A("open alone", href=f"/{name}/", target="_blank"),
            ],
            # A frame of its own: examples use the same ids.
            html.Iframe(src=f"/{name}/", title=title),
        ),
    ]
    listing = card(f"examples/{name}.py", dcc.Markdown(f"```python\n{code}\n```"), "code")
    return html.Section([html.Div(example, className="example"), listing], id=name)


def card(bar, content, kind=""):
    return html.Div([html.Div(bar, className="bar"), content], className=f"card {kind}")


app = Dash(__name__, title="dash-long-callback")

app.layout = html.Div(
    [
        html.Header(
            [
                html.H1("dash-long-callback"),
                html.P("Callbacks that may take seconds to hours. The page stays responsive."),
            ]
        ),
        *[section(name) for name in NAMES],
    ],
    className="gallery",
)

app.server.wsgi_app = DispatcherMiddleware(
    app.server.wsgi_app, {f"/{name}": server(name).wsgi_app for name in NAMES}
)

if __name__ == "__main__":
    app.run()
