"""Functions as people write them, apps as they start them: none is taken for another."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from apps import Server
from page import Page

pytestmark = pytest.mark.newest_only  # workers get functions alike on every Dash
keep_page = True

source = """
import functools

def result(*names):
    page.extend(html.Div(id=name) for name in names)

page += [html.Button("run", id="run")]
"""


def click_once(page: Page) -> None:
    """Run all callbacks of the button, if no test before has done so."""
    if not page.prop("run", "n_clicks"):
        page.click("#run")


source += """
result("same-1", "same-2", "same-3")

@app.long_callback(Output("same-1", "children"), Input("run", "n_clicks"),
                   prevent_initial_call=True)
def update(n):
    return f"first {n}"

@app.long_callback(Output("same-2", "children"), Input("run", "n_clicks"),
                   prevent_initial_call=True)
def update(n):
    return f"second {n}"

@app.long_callback(Output("same-3", "children"), Input("run", "n_clicks"),
                   prevent_initial_call=True)
def update(n):
    return f"third {n}"
"""


def test_functions_of_the_same_name_are_told_apart(page: Page):
    click_once(page)
    page.wait_text("#same-1", "first 1")
    page.wait_text("#same-2", "second 1")
    page.wait_text("#same-3", "third 1")


source += """
result("loop-a", "loop-b", "loop-c", "late-a", "late-b", "late-c")

for word in ("a", "b", "c"):
    @app.long_callback(Output(f"loop-{word}", "children"), Input("run", "n_clicks"),
                       prevent_initial_call=True)
    def update(n, word=word):
        return f"{word} {n}"

    @app.long_callback(Output(f"late-{word}", "children"), Input("run", "n_clicks"),
                       prevent_initial_call=True)
    def update(n):
        return f"{word} {n}"
"""


def test_functions_made_in_a_loop_are_told_apart(page: Page):
    click_once(page)
    for word in ("a", "b", "c"):
        page.wait_text(f"#loop-{word}", f"{word} 1")
        page.wait_text(f"#late-{word}", "c 1")  # as in any Python: the loop has ended


source += """
result("made-2", "made-3", "bound", "partial")
page += [html.Button("run", id="held")]

def make(factor):
    @app.long_callback(Output(f"made-{factor}", "children"), Input("held", "n_clicks"),
                       prevent_initial_call=True)
    def update(n):
        return f"{n * factor}"

make(2)
make(3)

class Model:
    def __init__(self, name):
        self.name = name

    def predict(self, n):
        return f"{self.name} {n}"

app.long_callback(Output("bound", "children"), Input("held", "n_clicks"),
                  prevent_initial_call=True)(Model("model").predict)

def scaled(factor, n):
    return f"{n * factor}"

app.long_callback(Output("partial", "children"), Input("held", "n_clicks"),
                  prevent_initial_call=True)(functools.partial(scaled, 5))
"""


def test_closures_methods_and_partials_keep_what_they_hold(page: Page):
    for clicks in (1, 2):
        page.click("#held")
        page.wait_text("#made-2", f"{clicks * 2}")
        page.wait_text("#made-3", f"{clicks * 3}")
        page.wait_text("#bound", f"model {clicks}")
        page.wait_text("#partial", f"{clicks * 5}")


source += """
result("lambda", "wrapped")

app.long_callback(Output("lambda", "children"), Input("run", "n_clicks"),
                  prevent_initial_call=True)(lambda n: f"lambda {n}")

def shout(function):
    @functools.wraps(function)
    def wrapper(*args):
        return function(*args).upper()
    return wrapper

@app.long_callback(Output("wrapped", "children"), Input("run", "n_clicks"),
                   prevent_initial_call=True)
@shout
def update(n):
    return f"wrapped {n}"
"""


def test_lambdas_and_decorated_functions_work(page: Page):
    click_once(page)
    page.wait_text("#lambda", "lambda 1")
    page.wait_text("#wrapped", "WRAPPED 1")


source += """
result("decided-at-start")

if __name__ == "__main__":
    @app.long_callback(Output("decided-at-start", "children"), Input("run", "n_clicks"),
                       prevent_initial_call=True)
    def update(n):
        return f"only the server declares it {n}"
"""


def test_a_callback_that_a_worker_does_not_find_by_import_is_sent_to_it(page: Page):
    click_once(page)
    page.wait_text("#decided-at-start", "only the server declares it 1")


source += """
result("returned", "returned-direct")
page += [html.Button("call", id="returned-run")]

@app.long_callback(Output("returned", "children"), Input("run", "n_clicks"),
                   prevent_initial_call=True)
def double(n):
    return f"{n * 2}"

@app.callback(Output("returned-direct", "children"), Input("returned-run", "n_clicks"),
              prevent_initial_call=True)
def call(n):
    return double(21)
"""


def test_the_decorator_returns_the_function_itself(page: Page):
    page.click("#returned-run")
    page.wait_text("#returned-direct", "42")
    click_once(page)
    page.wait_text("#returned", "2")


# Ways to start an app

START = """
import dash, diskcache
from dash import Input, Output, html
import dash_long_callback
from dash_long_callback import DiskcacheLongCallbackManager, plug
from in_app import FOLDER, note, serve

imported_as = __name__
note("imported", imported_as)
manager = DiskcacheLongCallbackManager(diskcache.Cache(str(FOLDER / "cache")))
APP
app.layout = html.Div([html.Button("run", id="run"), html.Div(id="result"),
                       html.Div(id="global-result"), html.Div(id="progress")])

@app.long_callback(Output("result", "children"), Input("run", "n_clicks"),
                   progress=Output("progress", "children"), progress_default="idle",
                   prevent_initial_call=True)
def update(set_progress, n):
    set_progress("at work")
    return f"{imported_as} {n}"

@dash_long_callback.long_callback(Output("global-result", "children"), Input("run", "n_clicks"),
                                  prevent_initial_call=True)
def update(n):
    return f"global {n}"

RUN
"""

APPS = {
    "Dash": "app = dash_long_callback.Dash(__name__, long_callback_manager=manager)",
    "plug": (
        "class Special(dash.Dash): pass\n"
        "app = Special(__name__, url_base_pathname='/some/where/')\n"
        "assert plug(app, long_callback_manager=manager) is app"
    ),
    "spawn": (
        "manager = DiskcacheLongCallbackManager(diskcache.Cache(str(FOLDER / 'cache')),\n"
        "                                       start_method='spawn')\n"
        "app = dash_long_callback.Dash(__name__, long_callback_manager=manager)"
    ),
}


@pytest.mark.parametrize("way", APPS)
def test_an_app_may_run_without_a_guard_around_it(
    blank: Page, serve: Callable[..., Server], way: str
):
    page = blank
    app = serve(START.replace("APP", APPS[way]).replace("RUN", "serve(app)"))
    page.open(app.url + ("some/where/" if way == "plug" else ""))
    page.wait_text("#progress", "idle")
    page.click("#run")
    page.wait_text("#result", "__mp_main__ 1")
    page.wait_text("#global-result", "global 1")
    page.wait_text("#progress", "idle")
    # The server, and once more for the workers, or each of them: but no server in any of those.
    assert app.notes("imported")[0] == "__main__"
    assert set(app.notes("imported")[1:]) == {"__mp_main__"}


MODULE = """
from dash import Input, Output, html
from dash_long_callback import Dash, DiskcacheLongCallbackManager
import diskcache
from in_app import FOLDER

app = Dash(__name__, long_callback_manager=DiskcacheLongCallbackManager(
    diskcache.Cache(str(FOLDER / "cache"))))
app.layout = html.Div([html.Button("run", id="run"), html.Div(id="result")])

@app.long_callback(Output("result", "children"), Input("run", "n_clicks"),
                   prevent_initial_call=True)
def update(n):
    return f"{__name__} {n}"
"""


def test_an_app_may_be_a_module_that_a_script_starts(blank: Page, serve: Callable[..., Server]):
    page = blank
    files = {"package/__init__.py": "", "package/dashboard.py": MODULE}
    script = "from package.dashboard import app\nfrom in_app import serve\nserve(app)\n"
    page.open(serve(script, files=files).url)
    page.click("#run")
    page.wait_text("#result", "package.dashboard 1")
