"""Callbacks with ``background=True`` on managers of ours, as apps for Dash's own have them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from apps import Server
from celery_worker import CeleryWorker
from page import Page
from services import RedisServer

APP = Path(__file__).with_name("background_app.py")

keep_page = True


@pytest.fixture(scope="module", params=["diskcache", "celery"])
def app(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """The app with an engine; with Celery, a worker as its users start it."""
    folder = tmp_path_factory.mktemp(request.param)
    env = {"ENGINE": request.param}
    if request.param == "diskcache":
        server = Server(APP, folder, env)
        yield server.start()
        server.stop()
        return
    redis = RedisServer(tmp_path_factory.mktemp("redis")).start()
    server = Server(APP, folder, env | {"REDIS_URL": redis.url})
    settings = env | {"REDIS_URL": redis.url, "FOLDER": str(folder)}
    worker = CeleryWorker(folder, "app:handle", settings, "--concurrency", "2").start()
    yield server.start()
    server.stop()
    worker.stop()
    redis.stop()


def test_the_last_of_many_changes_is_what_the_page_settles_on(page: Page) -> None:
    page.wait_text("#echo", "first")
    page.type("#typed", "many keys")
    page.wait_text("#echo", "many keys")
    page.type("#typed", "first")
    page.wait_text("#echo", "first")


def test_running_and_cancel(page: Page, app: Server) -> None:
    page.click("#run")
    page.wait_text("#state", "busy")
    app.open_gate("run-1")
    page.wait_text("#out", "first 1")
    page.wait_text("#state", "idle")
    page.click("#run")
    page.wait_text("#state", "busy")
    page.click("#stop")
    page.wait_text("#state", "idle")
    assert page.text("#out") == "first 1"
    app.open_gate("run-4")
    page.click("#run")
    page.click("#run")
    page.wait_text("#out", "first 4")
    page.wait_text("#state", "idle")


def test_progress_has_its_default_from_the_end_of_a_job_on(page: Page, app: Server) -> None:
    assert page.text("#step") == "before"
    page.click("#steps")
    for number in range(3):
        page.wait_text("#step", f"step {number}")
        page.wait_text("#after-step", f"seen: step {number}")
        app.open_gate(f"step-1-{number}")
    page.click("#halt")
    page.wait_text("#step", "ready")
    assert page.text("#steps-out") == ""
    for number in range(4):
        app.open_gate(f"step-2-{number}")
    page.click("#steps")
    page.wait_text("#steps-out", "done 2")
    page.wait_text("#step", "ready")


def test_without_a_default_the_last_progress_stays(page: Page, app: Server) -> None:
    page.click("#keep")
    page.wait_text("#kept", "one")
    app.open_gate("keep")
    page.wait_text("#keep-out", "done")
    assert page.stays(lambda: page.text("#kept") == "two")
    assert page.prop("bar", "value") == "2"
    assert page.text("#changes") == "2"


def test_of_several_outputs_some_may_stay(page: Page) -> None:
    for clicks in (1, 2, 3):
        page.click("#several")
        page.wait_text(f"#several-{clicks}", str(clicks - 1))


def test_on_error_gets_what_dash_would_give_it(page: Page) -> None:
    page.click("#own-error")
    page.wait_text("#own-kind", "BackgroundCallbackError")
    told = "An error occurred inside a background callback: "
    page.wait(lambda: (page.text("#own-out") or "").startswith(f"told: {told}of its own Trace"))
    page.click("#own-error")
    page.wait_idle()
    page.click("#app-error")
    shown = f"BackgroundCallbackError: {told}of any Trace"
    page.wait(lambda: (page.text("#any-error") or "").startswith(shown))
    assert page.text("#any-out") == ""


def test_patterns_and_what_triggered(page: Page) -> None:
    for clicks in (1, 2):
        for index in (0, 2):
            page.click({"type": "press", "index": index})
            page.wait_text("#pressed", f"{index}: {clicks}")
            page.wait_idle()


def test_cookies_and_headers_are_in_ctx(page: Page, app: Server) -> None:
    page.click("#set-cookie")
    page.wait_text("#set", "ok")
    page.click("#use-cookie")
    page.wait_text("#cookie", "vanilla")
    page.wait_text("#header", app.url.removeprefix("http://").rstrip("/"))


def test_set_props_and_a_callback_without_outputs(page: Page, app: Server) -> None:
    page.click("#side")
    page.wait_text("#aside", "first")
    page.wait_prop("aside", "style", {"color": "red"})
    assert page.text("#side-out") == "initial"
    app.open_gate("side")
    page.wait_text("#side-out", "completed")
    page.wait_text("#aside", "second")
    page.click("#no-output")
    page.wait_text("#no-output-said", "started")
    app.open_gate("no-output")
    page.wait_text("#no-output-said", "completed")


def test_inputs_and_outputs_in_every_form(page: Page) -> None:
    page.click("#mixed")
    page.wait_text("#mixed-out", "stored 1")
    page.wait_text("#named-out", "stored 1")


def test_functions_of_one_name_are_told_apart(page: Page) -> None:
    for index in (1, 2):
        page.click(f"#make-{index}")
        page.wait_text(f"#made-{index}", f"made {index}")


def test_ordinary_background_and_long_callbacks_are_beside_each_other(
    page: Page, app: Server
) -> None:
    page.click("#both")
    page.wait_text("#dash-out", "ordinary 1")
    page.wait_text("#ours-out", "long 1")
    page.wait_text("#shared", "shared 1")
    assert "1" in app.notes("shared")


# An app with pages, without on_error, and with two managers

APP_OF_PAGES = """
import os
import dash, diskcache
from dash import Input, Output, State, callback, dcc, html
from dash_long_callback.compat import DiskcacheManager
from in_app import FOLDER, serve

manager = DiskcacheManager(diskcache.Cache(str(FOLDER / "cache")))
app = dash.Dash(__name__, use_pages=True, background_callback_manager=manager)
app.layout = html.Div([
    *[dcc.Link(path, path, id=f"to-{path[1:]}") for path in ("/", "/two", "/kept")],
    html.Button("stop", id="stop-all"), dash.page_container,
    html.Button("may fail", id="may-fail"), html.Div(id="failed"),
])

@app.callback(output=Output("failed", "children"), inputs=Input("may-fail", "n_clicks"),
              running=[(Output("may-fail", "disabled"), True, False)],
              prevent_initial_call=True, background=True)
def may_fail(n_clicks):
    if n_clicks == 2:
        raise Exception("it is broken")
    return f"clicked {n_clicks}"

if __name__ == "__main__":
    serve(app)
"""

PAGE = """
import dash
from dash import Input, Output, callback, html
from in_app import wait_for

dash.register_page(__name__, "{path}")
layout = [html.Button("run", id="run-{name}"), html.Button("stop", id="stop-{name}"),
          html.Div("idle", id="state-{name}"), html.Div("initial", id="out-{name}")]

@callback(Output("out-{name}", "children"), Input("run-{name}", "n_clicks"),
          running=[(Output("state-{name}", "children"), "busy", "idle")],
          cancel=[Input("stop-{name}", "n_clicks"), Input("stop-all", "n_clicks")],
          interval=300, background=True, prevent_initial_call=True)
def work(n_clicks):
    wait_for("{name}")
    return f"{name} {{n_clicks}}"
"""

KEPT = """
import dash, diskcache
from dash import Input, Output, State, dcc, html
from dash_long_callback.compat import DiskcacheManager
from in_app import FOLDER, note, wait_for

dash.register_page(__name__, "/kept")
keeping = DiskcacheManager(
    diskcache.Cache(str(FOLDER / "keeping")), [lambda: (FOLDER / "version").read_text()], 60)
layout = [dcc.Input(id="value", value="a"), html.Button("run", id="run"),
          html.Button("stop", id="stop"), html.Div("at the start", id="state"),
          html.Div("nothing", id="out")]

@dash.callback(
    Output("out", "children"),
    dict(button=Input("run", "n_clicks"), value=State("value", "value")),
    progress=Output("state", "children"), progress_default="ready", interval=500,
    cache_args_to_ignore=["button"], prevent_initial_call=True, background=True,
    cancel=[Input("stop", "n_clicks")], manager=keeping)
def work(set_progress, button, value):
    note("ran", value)
    set_progress(f"step of {value}")
    wait_for(f"{value}-{len((FOLDER / 'note-ran').read_text().splitlines())}")
    return f"result of {value}"
"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """An app with pages."""
    files = {"pages/one.py": PAGE.format(path="/", name="one"), "pages/kept.py": KEPT}
    files |= {"pages/two.py": PAGE.format(path="/two", name="two")}
    server = Server(APP_OF_PAGES, tmp_path_factory.mktemp("pages"), files=files)
    yield server.start()
    server.stop()


def test_callbacks_of_pages_are_cancelled_by_a_button_of_all(pages: Server, blank: Page) -> None:
    blank.open(pages.url)
    for name in ("one", "two"):
        blank.wait(lambda name=name: blank.exists(f"#run-{name}"))
        for stop in ("#stop-all", f"#stop-{name}"):
            blank.click(f"#run-{name}")
            blank.wait_text(f"#state-{name}", "busy")
            blank.click(stop)
            blank.wait_text(f"#state-{name}", "idle")
            assert blank.text(f"#out-{name}") == "initial"
        pages.open_gate(name)
        blank.click(f"#run-{name}")
        blank.wait_text(f"#out-{name}", f"{name} 3")
        blank.click("#to-two")


def test_results_are_kept_by_the_manager_s_cache_by(pages: Server, blank: Page) -> None:
    (pages.folder / "version").write_text("1")
    blank.open(pages.url)
    blank.click("#to-kept")
    blank.wait_text("#state", "at the start")
    blank.click("#run")
    blank.wait_text("#state", "step of a")
    pages.open_gate("a-1")
    blank.wait_text("#out", "result of a")
    blank.wait_text("#state", "ready")
    blank.type("#value", "b")
    blank.click("#run")
    blank.wait_text("#state", "step of b")
    blank.click("#stop")
    blank.wait_text("#state", "ready")
    assert blank.text("#out") == "result of a"
    pages.open_gate("b-3")
    blank.click("#run")
    blank.wait_text("#out", "result of b")
    blank.type("#value", "a")
    blank.click("#run")
    blank.wait_text("#out", "result of a")
    assert pages.notes("ran") == ["a", "b", "b"], "kept, though another button was pressed"
    (pages.folder / "version").write_text("2")
    blank.click("#run")
    blank.wait_text("#state", "step of a")
    pages.open_gate("a-4")
    blank.wait_text("#state", "ready")
    assert pages.notes("ran") == ["a", "b", "b", "a"]


def test_an_error_is_in_the_dev_tools_as_dash_shows_it_and_an_older_page_is_served(
    pages: Server, blank: Page
) -> None:
    blank.open(pages.url)
    blank.click("#may-fail")
    blank.wait_text("#failed", "clicked 1")
    blank.click("#may-fail")
    told = blank.wait_error("it is broken")
    assert told.lower().startswith("callback error updating failed.children\n<!doctype html")
    wording = (
        "BackgroundCallbackError: An error occurred inside a background callback: it is broken"
    )
    assert f'<p class="errormsg">dash.exceptions.{wording}' in told
    assert "raise Exception(&#34;it is broken&#34;)" in told
    blank.wait_prop("may-fail", "disabled", value=False)
    pages.end()
    pages.start()
    blank.click("#may-fail")  # the first request
    blank.wait_text("#failed", "clicked 3")
