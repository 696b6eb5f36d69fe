"""Apps below a prefix, several in one server, and beside routes that are not Dash's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from apps import Server
from page import Page

EXAMPLES = Path(__file__).parents[2] / "examples" / "servers"

#: What fills an app. All have the same ids: what they show tells them apart.
PARTS = """
import diskcache
from dash import Input, Output, html
from dash_long_callback import DiskcacheLongCallbackManager
from in_app import FOLDER, wait_for

def manager(name):
    return DiskcacheLongCallbackManager(diskcache.Cache(str(FOLDER / name)), workers=1, grace=1)

def fill(app, name):
    app.layout = html.Div([
        html.Button("run", id="run"), html.Button("stop", id="stop"), html.P(id="bar"),
        html.P(id="result"), html.Button("fail", id="fail"), html.P(id="failed"),
    ])

    @app.long_callback(
        Output("result", "children"), Input("run", "n_clicks"), prevent_initial_call=True,
        running=(Output("run", "disabled"), True, False), cancel=Input("stop", "n_clicks"),
        progress=Output("bar", "children"), progress_default="idle",
    )
    def work(set_progress, n):
        set_progress(f"{name} works")
        wait_for(name)
        return f"{name} is done"

    @app.long_callback(
        Output("failed", "children"), Input("fail", "n_clicks"), prevent_initial_call=True
    )
    def fail(n):
        raise ValueError("as planned")

    return app

def handler(name):
    return lambda error: f"{name} handles: {error}"
"""

# The examples, whose apps use the folder of this file, as no manager is given; and further apps.
FLASK = (
    (EXAMPLES / "two_apps.py").read_text()
    + """
from parts import fill, handler, manager
from werkzeug.middleware.dispatcher import DispatcherMiddleware

@server.route("/")
def home():
    return "not of Dash"

def add(name, **kwargs):
    fill(Dash(__name__, server=server, url_base_pathname=f"/{name}/", **kwargs), name)

# Managers of their own
add("one", long_callback_manager=manager("one"), on_error=handler("one"))
add("two", long_callback_manager=manager("two"), on_error=handler("two"))
# One for both
shared = manager("shared")
add("three", long_callback_manager=shared)
add("four", long_callback_manager=shared)

# A server of its own at the root, and something before it that takes the prefix away
mounted = Dash(__name__, requests_pathname_prefix="/mounted/", routes_pathname_prefix="/",
               long_callback_manager=manager("mounted"))
application = DispatcherMiddleware(server, {"/mounted": fill(mounted, "mounted").server})
"""
)

FASTAPI = (
    (EXAMPLES / "beside.py").read_text()
    + """
from a2wsgi import WSGIMiddleware
from parts import fill, handler, manager

def add(name, prefix, **kwargs):
    app = Dash(name, url_base_pathname=prefix, long_callback_manager=manager(name), **kwargs)
    return fill(app, name)

add("root", "/", server=server)
add("one", "/one/", server=server, on_error=handler("one"))
add("two", "/two/", server=server, on_error=handler("two"))

@server.get("/late")
def late():
    return "not of Dash"

# An app on Flask, which sees no prefix
flask = Dash("flask", requests_pathname_prefix="/flask/", routes_pathname_prefix="/",
             long_callback_manager=manager("flask"))
server.mount("/flask", WSGIMiddleware(fill(flask, "flask").server))
# An app on FastAPI, which has to see it: Dash finds its own routes by the whole path
server.mount("/", add("mounted", "/mounted/", backend="fastapi").server)
"""
)


def start(source: str, folder: pytest.TempPathFactory, *command: str) -> Server:
    path = folder.mktemp("apps")
    # The default manager writes to a folder of the test, and not to the user's.
    env = {"XDG_CACHE_HOME": str(path / "default")}
    return Server(source, path, env, ("-m", *command), {"parts.py": PARTS}).start()


@pytest.fixture(scope="module")
def on_flask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    gunicorn = ("gunicorn", "app:application", "--threads", "4", "-b", "127.0.0.1:{port}")
    server = start(FLASK, tmp_path_factory, *gunicorn)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def on_fastapi(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    uvicorn = ("uvicorn", "app:server", "--port", "{port}")
    server = start(FASTAPI, tmp_path_factory, *uvicorn)
    yield server
    server.stop()


def use(page: Page, server: Server, name: str, prefix: str | None = None) -> None:
    """Run the job of an app, and the one that fails if the app handles errors."""
    page.open(f"{server.url}{f'{name}/' if prefix is None else prefix}")
    page.wait_text("#bar", "idle")
    page.click("#run")
    page.wait_text("#bar", f"{name} works")
    assert page.prop("run", "disabled") is True
    server.open_gate(name)
    page.wait_text("#result", f"{name} is done")
    page.wait_text("#bar", "idle")
    if name in ("one", "two"):
        page.click("#fail")
        page.wait_text("#failed", f"{name} handles: as planned")


def cancel(page: Page, server: Server, name: str) -> None:
    server.close_gate(name)
    page.open(f"{server.url}{name}/")
    page.click("#run")
    page.wait_text("#bar", f"{name} works")
    page.click("#stop")
    page.wait_text("#bar", "idle")
    assert page.prop("run", "disabled") is False
    assert page.text("#result") == ""


@pytest.mark.parametrize("name", ["one", "two", "three", "four", "mounted"])
def test_each_app_of_a_flask_server_has_its_own_functions_for_the_same_ids(
    name: str, blank: Page, on_flask: Server
):
    use(blank, on_flask, name)


@pytest.mark.parametrize("name", ["two", "four", "mounted"])
@pytest.mark.newest_only  # it is ours alone, and the same on every Dash
def test_cancel_below_a_prefix(name: str, blank: Page, on_flask: Server):
    cancel(blank, on_flask, name)


@pytest.mark.newest_only  # it is ours alone, and the same on every Dash
def test_other_routes_of_the_flask_server_are_untouched(on_flask: Server):
    assert requests.get(on_flask.url, timeout=30).text == "not of Dash"


@pytest.mark.parametrize("name", ["sales", "stock"])
@pytest.mark.newest_only  # it is ours alone, and the same on every Dash
def test_the_example_of_two_apps(name: str, blank: Page, on_flask: Server):
    blank.open(f"{on_flask.url}{name}/")
    blank.click("#run")
    blank.wait_text("#result", f"{name.capitalize()}, run 1")


@pytest.mark.newest_only  # Dash has other servers than Flask since 4.1
@pytest.mark.parametrize("name", ["root", "one", "two", "flask", "mounted"])
def test_each_app_of_a_fastapi_server_has_its_own_functions_for_the_same_ids(
    name: str, blank: Page, on_fastapi: Server
):
    use(blank, on_fastapi, name, "" if name == "root" else None)


@pytest.mark.newest_only
@pytest.mark.parametrize("name", ["two", "flask", "mounted"])
def test_cancel_below_a_prefix_on_fastapi(name: str, blank: Page, on_fastapi: Server):
    cancel(blank, on_fastapi, name)


@pytest.mark.newest_only
def test_the_example_of_an_app_beside_other_routes(blank: Page, on_fastapi: Server):
    blank.open(f"{on_fastapi.url}dashboard/")
    blank.click("#run")
    blank.wait_text("#result", "Run 1 is done.")


@pytest.mark.newest_only
def test_other_routes_of_the_fastapi_server_are_untouched(on_fastapi: Server):
    for path, answer in {"orders": [{"id": 1}], "late": "not of Dash"}.items():
        assert requests.get(on_fastapi.url + path, timeout=30).json() == answer
