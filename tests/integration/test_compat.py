"""Apps in the words of Dash 2.0 to 2.5 run on today's Dash, with one line on top.

The apps below were run on Dash 2.5.1 without that line, too.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from engine import EngineServer

COMPAT = "import dash_long_callback.compat\n"

SIMPLE = """
import time
import dash
from dash import html
from dash.dependencies import Input, Output
from dash.long_callback import DiskcacheLongCallbackManager
import diskcache

cache = diskcache.Cache("./cache")
long_callback_manager = DiskcacheLongCallbackManager(cache)

app = dash.Dash(__name__)
app.layout = html.Div([html.Button("Run", id="run"), html.P(id="result")])

@app.long_callback(
    output=Output("result", "children"),
    inputs=Input("run", "n_clicks"),
    manager=long_callback_manager,
)
def callback(n_clicks):
    time.sleep(0.2)
    return f"clicked {n_clicks} times"

if __name__ == "__main__":
    app.run_server(debug=True)
"""

DISABLE = """
import time
import dash
from dash import Dash, Input, Output, html
from dash.long_callback import DiskcacheLongCallbackManager
import diskcache

cache = diskcache.Cache("./cache")
app = Dash(__name__, long_callback_manager=DiskcacheLongCallbackManager(cache))
app.layout = html.Div([html.Button("Run", id="run"), html.P(id="result")])

@app.long_callback(
    output=Output("result", "children"),
    inputs=[Input("run", "n_clicks")],
    running=[(Output("run", "disabled"), True, False)],
    prevent_initial_call=True,
)
def callback(n_clicks):
    time.sleep(0.2)
    return f"clicked {n_clicks} times"

if __name__ == "__main__":
    app.run_server(debug=False)
"""

CANCELABLE = """
import time
import dash
import dash.long_callback
from dash import html, Input, Output
import diskcache

cache = diskcache.Cache("./cache")
manager = dash.long_callback.DiskcacheLongCallbackManager(cache)

class MyDash(dash.Dash):
    pass

app = MyDash(__name__, long_callback_manager=manager)
app.layout = html.Div(
    [html.Button("Run", id="run"), html.Button("Cancel", id="cancel"), html.P(id="result")]
)

@app.long_callback(
    output=Output("result", "children"),
    inputs=Input("run", "n_clicks"),
    running=[
        (Output("run", "disabled"), True, False),
        (Output("cancel", "disabled"), False, True),
    ],
    cancel=[Input("cancel", "n_clicks")],
)
def callback(n_clicks):
    time.sleep(60 if n_clicks == 2 else 0.2)
    return f"clicked {n_clicks} times"

app.run_server()
"""

PROGRESS = """
import time
from dash.dash import Dash
from dash import html, Input, Output, State
from dash.long_callback import DiskcacheLongCallbackManager
import diskcache

cache = diskcache.Cache("./cache")
app = Dash(__name__, long_callback_manager=DiskcacheLongCallbackManager(cache))
app.layout = html.Div(
    [html.Button("Run", id="run"), html.P(id="result"), html.Progress(id="bar")]
)

@app.long_callback(
    output=Output("result", "children"),
    inputs=Input("run", "n_clicks"),
    running=[(Output("bar", "style"), {"visibility": "visible"}, {"visibility": "hidden"})],
    progress=[Output("bar", "value"), Output("bar", "max")],
    interval=500,
)
def callback(set_progress, n_clicks):
    for step in range(3):
        set_progress((str(step + 1), "3"))
        time.sleep(0.1)
    return f"clicked {n_clicks} times"

if __name__ == "__main__":
    app.run_server("127.0.0.1", debug=True)
"""

PROGRESS2 = """
import time
import dash
from dash import dcc, html
from dash.dependencies import Input, Output
from dash.long_callback import DiskcacheLongCallbackManager
import diskcache
import plotly.graph_objects as go

long_callback_manager = DiskcacheLongCallbackManager(diskcache.Cache("./cache"))

def chart(done):
    return go.Figure(go.Bar(x=[done], y=["done"], orientation="h"))

app = dash.Dash(__name__, long_callback_manager=long_callback_manager)
app.layout = html.Div(
    [html.Button("Run", id="run"), html.P(id="result"), dcc.Graph(id="bar", figure=chart(0))]
)

@app.long_callback(
    output=Output("result", "children"),
    inputs=Input("run", "n_clicks"),
    progress=Output("bar", "figure"),
    progress_default=chart(0),
    prevent_initial_call=True,
)
def callback(set_progress, n_clicks):
    for step in range(3):
        set_progress(chart(step + 1))
        time.sleep(0.1)
    return f"clicked {n_clicks} times"

if __name__ == "__main__":
    app.run_server(debug=True)
"""


class Dash2Server(EngineServer):
    """An app with one long callback, which a button starts."""

    def click(self, n_clicks: int = 1) -> str:
        """Send what the renderer sends. Returns the job id."""
        specs = requests.get(self.url + "_dash-dependencies", timeout=30).json()
        [spec] = [s for s in specs if s["output"] == "result.children"]
        [trigger] = spec["inputs"]
        body = {
            "output": spec["output"],
            "outputs": {"id": "result", "property": "children"},
            "inputs": [{**trigger, "value": n_clicks}],
            "changedPropIds": [f"{trigger['id']}.{trigger['property']}"],
        }
        answer = requests.post(self.url + "_dash-update-component", json=body, timeout=60)
        assert answer.ok, answer.text
        return answer.json()["job"]

    def config(self) -> dict[str, Any]:
        """What the page tells its browser client of the callback."""
        html = requests.get(self.url, timeout=30).text
        start = html.index(">", html.index('id="_dash-long-callbacks"')) + 1
        return json.loads(html[start : html.index("</script>", start)])["callbacks"][
            "result.children"
        ]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[[str], Dash2Server]]:
    servers: list[Dash2Server] = []

    def run(source: str) -> Dash2Server:
        servers.append(Dash2Server(COMPAT + source, tmp_path))
        servers[-1].start()
        return servers[-1]

    yield run
    for server in servers:
        server.stop()


def updates(news: dict[str, Any]) -> list[Any]:
    return [value for _, value in news.get("updates", [])]


# The five classics


def test_simple_app_with_a_manager_on_the_decorator(run: Callable[[str], Dash2Server]):
    server = run(SIMPLE)
    assert server.value(server.click(3)) == "clicked 3 times"


def test_running(run: Callable[[str], Dash2Server]):
    server = run(DISABLE)
    assert server.value(server.click()) == "clicked 1 times"
    assert server.config()["running"] == [
        {"id": "run", "property": "disabled", "on": True, "off": False}
    ]


def test_cancel_in_a_subclass_of_dash(run: Callable[[str], Dash2Server]):
    server = run(CANCELABLE)
    assert server.value(server.click(1)) == "clicked 1 times"
    job = server.click(2)
    server.post("cancel", {"jobs": [job]})
    assert server.outcome(job)["state"] == "cancelled"
    assert server.config()["cancel"] == [{"id": "cancel", "property": "n_clicks"}]


def test_progress(run: Callable[[str], Dash2Server]):
    server = run(PROGRESS)
    job = server.click()
    assert server.value(job) == "clicked 1 times"
    assert updates(server.news(job)) == ["3", "3"]


def test_progress_in_a_figure(run: Callable[[str], Dash2Server]):
    server = run(PROGRESS2)
    job = server.click()
    assert server.value(job) == "clicked 1 times"
    [figure] = updates(server.news(job))
    assert figure["data"][0]["x"] == [3]
    [default] = server.config()["defaults"]
    assert default["data"][0]["x"] == [0]


# What the import changes, each in a process of its own: it can't be taken back


def python(code: str) -> str:
    """What a new Python prints, in an empty folder."""
    command = [sys.executable, "-c", code]
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=60, check=False
        )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_nothing_is_patched_without_the_import():
    python("""
import sys, pkgutil
import dash, dash.dash
cls, attributes = dash.Dash, dict(vars(dash.Dash))
import dash_long_callback
for module in pkgutil.walk_packages(dash_long_callback.__path__, "dash_long_callback."):
    if module.name != "dash_long_callback.compat" and "celery" not in module.name:
        __import__(module.name)
assert "dash_long_callback.compat" not in sys.modules
assert dash.Dash is dash.dash.Dash is cls
assert dict(vars(cls)) == attributes
assert "dash.long_callback" not in sys.modules and not hasattr(dash, "long_callback")
""")


def test_dash_has_its_old_names_after_the_import():
    python("""
import dash_long_callback.compat
import dash, dash.dash, dash.long_callback
from dash import Dash, long_callback
from dash.long_callback import DiskcacheLongCallbackManager
assert Dash is dash.Dash is dash.dash.Dash
assert issubclass(Dash, dash_long_callback.Dash)
assert long_callback is dash.long_callback
assert DiskcacheLongCallbackManager is dash_long_callback.DiskcacheLongCallbackManager
import dash.long_callback.managers
from dash.long_callback import managers
from dash.long_callback.managers.celery_manager import CeleryLongCallbackManager
from dash.long_callback.managers.diskcache_manager import DiskcacheLongCallbackManager as same
assert same is managers.DiskcacheLongCallbackManager is DiskcacheLongCallbackManager
assert CeleryLongCallbackManager is dash_long_callback.CeleryLongCallbackManager
""")


def test_a_second_import_and_a_reload_change_nothing_more():
    python("""
import importlib
import dash_long_callback.compat as compat
import dash
from dash.long_callback import DiskcacheLongCallbackManager
import diskcache
cache = diskcache.Cache("cache")
manager = DiskcacheLongCallbackManager(cache)
assert manager.handle is cache
assert DiskcacheLongCallbackManager().handle is None
before = len(dash.Dash.__mro__)
importlib.reload(compat)
import dash_long_callback.compat
assert len(dash.Dash.__mro__) == before
app = dash.Dash("app", long_callback_manager=manager)
assert app.long_callback_manager is manager
app.long_callback(dash.Output("a", "children"), dash.Input("b", "n_clicks"))(lambda n: n)
""")


def test_an_own_class_of_this_package_can_be_used_beside_it():
    python("""
import dash_long_callback.compat
from dash_long_callback import Dash
app = Dash("app")
assert type(app) is Dash and type(app) is not dash_long_callback.compat.Dash
""")


def test_the_celery_manager_has_its_old_name():
    python("""
import dash_long_callback.compat
import dash
from celery import Celery
from dash.long_callback import CeleryLongCallbackManager
url = "redis://localhost:1/0"
celery_app = Celery("app", broker=url, backend=url)
manager = CeleryLongCallbackManager(celery_app, cache_by=[], expire=60)
assert manager.handle is celery_app
app = dash.Dash("app", long_callback_manager=manager)
assert app.long_callback_manager is manager
assert type(manager) is dash_long_callback.CeleryLongCallbackManager
""")


def test_run_server_takes_the_arguments_of_run():
    assert (
        python("""
import dash_long_callback.compat
import flask, dash
flask.Flask.run = lambda self, host, port, debug, **kwargs: print(host, port, kwargs["threaded"])
dash.Dash("app").run_server("0.0.0.0", 1234, threaded=False)
""").splitlines()[-1]
        == "0.0.0.0 1234 False"
    )
