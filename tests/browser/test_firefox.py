"""A page in Firefox that gets streams. Answers that end are tried there with the indicator."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from apps import Server
from firefox import FirefoxPage

pytestmark = pytest.mark.newest_only  # what is not in Firefox is missing on every Dash

APP = """
import os
import diskcache
from dash import Input, Output, html
from dash_long_callback import Dash, DiskcacheLongCallbackManager
from in_app import FOLDER, note, serve, wait_for

cache = diskcache.Cache(str(FOLDER / "cache"))
manager = DiskcacheLongCallbackManager(cache, workers=2, grace=1)
app = Dash(__name__, long_callback_manager=manager, backend="fastapi")
server = app.server
page = []

def part(name):
    page.extend([html.Button("run", id=f"{name}-run"), html.Button("stop", id=f"{name}-stop"),
                 html.P(id=f"{name}-bar"), html.P("before", id=f"{name}-result"),
                 html.P(id=f"{name}-state")])
    return app.long_callback(
        Output(f"{name}-result", "children"), Input(f"{name}-run", "n_clicks"),
        running=[(Output(f"{name}-run", "disabled"), True, False),
                 (Output(f"{name}-state", "children"), "on", "off")],
        progress=Output(f"{name}-bar", "children"), progress_default="idle",
        cancel=Input(f"{name}-stop", "n_clicks"), prevent_initial_call=True)

for name in ("plain", "cancelled", "wrong", "left", "restart"):
    @part(name)
    def update(set_progress, n, name=name):
        try:
            for step in (1, 2, 3):
                set_progress(f"step {step}")
                wait_for(f"{name}-{step}")
        finally:
            note(name, f"ends {n}")
        if name == "wrong":
            raise ValueError("an error <b>with tags</b>")
        return f"done {n}"

@part("yielded")
def update(set_progress, n):
    for step in (1, 2, 3):
        yield f"value {step}"
        wait_for(f"yielded-{step}")

app.layout = html.Div(page)
tools = {"debug": True, "dev_tools_hot_reload": False, "dev_tools_disable_version_check": True}
if __name__ == "__main__":
    serve(app, use_reloader=False, **tools)
else:
    app.enable_dev_tools(**tools)
"""

# app.run() would start uvicorn as another process, which a kill of the first one leaves.
UVICORN = ("-m", "uvicorn", "app:server", "--port", "{port}")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The app.

    With ``debug``: that has the dev tools, and in it React writes more to the console.
    """
    server = Server(APP, tmp_path_factory.mktemp("app"), command=UVICORN)
    yield server.start()
    server.stop()


@pytest.fixture
def page(firefox_page: FirefoxPage, server: Server) -> FirefoxPage:
    """The app in Firefox. Closing it fails the test if the console has errors or warnings."""
    firefox_page.open(server.url)
    return firefox_page


def open_gates(server: Server, name: str) -> None:
    for step in (1, 2, 3):
        server.open_gate(f"{name}-{step}")


def test_progress_running_and_the_result_are_shown(page: FirefoxPage, server: Server):
    page.wait_text("#plain-bar", "idle")
    page.record("#plain-bar", "#plain-state", "#plain-result")
    page.click("#plain-run")
    for step in (1, 2, 3):
        page.wait_text("#plain-bar", f"step {step}")
        assert page.prop("plain-run", "disabled") is True
        server.open_gate(f"plain-{step}")
    page.wait_text("#plain-result", "done 1")
    page.wait_text("#plain-bar", "idle")
    page.wait_prop("plain-run", "disabled", value=False)
    page.wait_idle()
    assert page.recorded("#plain-bar") == ["idle", "step 1", "step 2", "step 3", "idle"]
    assert page.recorded("#plain-state") == ["", "on", "off"]
    assert page.recorded("#plain-result") == ["before", "done 1"]


def test_a_cancel_ends_the_job_and_the_next_click_runs_it_again(page: FirefoxPage, server: Server):
    page.click("#cancelled-run")
    page.wait_text("#cancelled-bar", "step 1")
    page.click("#cancelled-stop")
    page.wait_text("#cancelled-state", "off")
    page.wait_text("#cancelled-bar", "idle")
    assert page.text("#cancelled-result") == "before"
    assert server.wait_for_note("cancelled") == ["ends 1"]
    open_gates(server, "cancelled")
    page.click("#cancelled-run")
    page.wait_text("#cancelled-result", "done 2")
    page.wait_text("#cancelled-state", "off")


def test_a_page_that_is_loaded_again_finds_its_job(page: FirefoxPage, server: Server):
    page.click("#left-run")
    page.wait_text("#left-bar", "step 1")
    page.reload()
    page.wait_text("#left-bar", "step 1")
    page.wait_text("#left-state", "on")
    open_gates(server, "left")
    page.wait_text("#left-result", "done 1")
    page.wait_text("#left-state", "off")
    assert server.notes("left") == ["ends 1"]


def test_values_that_are_yielded_are_shown(page: FirefoxPage, server: Server):
    page.record("#yielded-result")
    page.click("#yielded-run")
    for step in (1, 2, 3):
        page.wait_text("#yielded-result", f"value {step}")
        server.open_gate(f"yielded-{step}")
    page.wait_text("#yielded-state", "off")
    values = [f"value {step}" for step in (1, 2, 3)]
    assert page.recorded("#yielded-result") == ["before", *values]


def test_a_job_outlives_a_crash_and_a_restart_of_the_server(page: FirefoxPage, server: Server):
    page.click("#restart-run")
    page.wait_text("#restart-bar", "step 1")
    server.kill()
    server.open_gate("restart-1")
    assert page.stays(lambda: page.text("#restart-state") == "on", 0.5)
    server.start()
    page.wait_text("#restart-bar", "step 2")
    open_gates(server, "restart")
    page.wait_text("#restart-result", "done 1")
    page.wait_text("#restart-state", "off")
    page.wait_text("#restart-bar", "idle")


def test_an_error_is_shown_in_the_dev_tools_as_text(page: FirefoxPage, server: Server):
    open_gates(server, "wrong")
    page.click("#wrong-run")
    error = page.wait_error("(?m)^ValueError: an error <b>with tags</b>")
    assert "wrong-result.children" in error.splitlines()[0]
    assert "app.py" in error
    page.wait_text("#wrong-state", "off")
    page.wait_text(".test-devtools-error-count", "1")
    page.click(".test-devtools-error-toggle")
    page.wait(lambda: "ValueError: an error <b>with tags</b>" in (page.text("body") or ""))
    assert page.text("#wrong-result") == "before"


def test_what_a_page_complains_about_is_seen(firefox_page: FirefoxPage):
    page = firefox_page
    page.load("about:blank")
    page.js(
        "console.log('a remark'); console.warn('a warning'); console.error('an error');"
        "setTimeout(() => { throw new Error('uncaught') })"
    )
    page.wait(lambda: len(page.complaints()) == 3)
    page.expect_console("a warning|an error|uncaught")
