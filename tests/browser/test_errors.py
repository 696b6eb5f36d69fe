"""What goes wrong is seen: by ``on_error``, and in the dev tools with the worker's traceback."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

from apps import Server
from page import Page

keep_page = True

source = """
import signal, sys

class Mishap(Exception):
    pass

def part(name, *more, **kwargs):
    page.extend([html.Button("run", id=f"{name}-run"), html.Div("before", id=f"{name}-result"),
                 html.Div(id=f"{name}-state"), html.Div(id=f"{name}-message"), *more])
    return app.long_callback(Output(f"{name}-result", "children"), Input(f"{name}-run", "n_clicks"),
                             prevent_initial_call=True,
                             running=(Output(f"{name}-state", "children"), "on", "off"), **kwargs)
"""

source += """
def helper(value):
    raise Mishap(f"it went wrong with <b>{value}</b>")

@part("raises")
def update(n):
    helper(n)
"""


def test_type_message_and_the_traceback_of_the_worker_are_in_the_dev_tools(page: Page):
    page.click("#raises-run")
    error = page.wait_error("(?m)^Mishap: it went wrong with <b>1</b>")
    # The title is that of an ordinary callback, and names the function.
    title = "Callback error updating raises-result.children by the long callback update"
    assert error.splitlines()[0] == title
    assert "Traceback (most recent call last):" in error
    assert "app.py" in error
    assert "in update\n    helper(n)" in error
    assert "in helper\n    raise Mishap" in error
    # What lies between the worker and the function is of no use to its author.
    assert "execution.py" not in error
    assert "dash/_callback.py" not in error
    page.wait_text("#raises-state", "off")
    assert page.text("#raises-result") == "before"


source += """
@part("cause")
def update(n):
    try:
        helper("the cause")
    except Mishap as error:
        raise ValueError("the consequence") from error
"""


def test_the_cause_of_an_error_is_shown_too(page: Page):
    page.click("#cause-run")
    error = page.wait_error("ValueError: the consequence")
    assert "Mishap: it went wrong with <b>the cause</b>" in error
    assert "direct cause" in error


source += """
@part("exits")
def update(n):
    sys.exit("enough")
"""


def test_a_function_that_exits_is_an_error_and_not_the_end_of_the_worker(page: Page):
    page.click("#exits-run")
    page.wait_error(r"JobExited.*sys\.exit.*enough")
    page.wait_text("#exits-state", "off")


source += """
def handle(error):
    note("handled", f"{type(error).__name__}: {error}; {ctx.triggered_id}")
    set_props("handled-message", {"children": "set by on_error"})
    return f"handled {type(error).__name__}"

@part("handled", on_error=handle)
def update(n):
    helper(n)

@part("handled-none", on_error=lambda error: None)
def update(n):
    helper(n)

page += [html.Button("run", id="handled-several-run"),
         html.Div(id="handled-several-1"), html.Div("before", id="handled-several-2")]
@app.long_callback(Output("handled-several-1", "children"),
                   Output("handled-several-2", "children"),
                   Input("handled-several-run", "n_clicks"), prevent_initial_call=True,
                   on_error=lambda error: ("handled", no_update))
def update(n):
    helper(n)
"""


def test_on_error_gets_the_exception_itself_and_its_value_is_the_output(page: Page, app: Server):
    page.click("#handled-run")
    page.wait_text("#handled-result", "handled Mishap")
    page.wait_text("#handled-message", "set by on_error")
    page.wait_text("#handled-state", "off")
    assert app.notes("handled") == ["Mishap: it went wrong with <b>1</b>; handled-run"]
    page.click("#handled-several-run")
    page.wait_text("#handled-several-1", "handled")
    assert page.text("#handled-several-2") == "before"


def test_on_error_that_returns_none_leaves_the_outputs(page: Page):
    page.click("#handled-none-run")
    page.wait_text("#handled-none-state", "off")
    assert page.text("#handled-none-result") == "before"


source += """
page += [html.Button("run", id="no-output-run"), html.Div(id="no-output-message"),
         html.Div(id="no-output-state")]

def handle_no_output(error):
    set_props("no-output-message", {"children": f"handled {error}"})
    return "is left alone"

@app.long_callback(Input("no-output-run", "n_clicks"), prevent_initial_call=True,
                   running=(Output("no-output-state", "children"), "on", "off"),
                   on_error=handle_no_output)
def update(n):
    raise ValueError("as planned")
"""


def test_on_error_of_a_callback_without_outputs_is_called_too(page: Page):
    page.click("#no-output-run")
    page.wait_text("#no-output-message", "handled as planned")
    page.wait_text("#no-output-state", "off")


source += """
page += [html.Button("run", id="no-output-error-run")]

@app.long_callback(Input("no-output-error-run", "n_clicks"), prevent_initial_call=True)
def update(n):
    raise ValueError("without an output")
"""


def test_an_error_without_outputs_is_in_the_dev_tools(page: Page):
    page.click("#no-output-error-run")
    title = page.wait_error("ValueError: without an output").splitlines()[0]
    assert title.startswith("Callback error with no output from input no-output-error-run.n_clicks")


source += """
def handle_badly(error):
    raise KeyError("the handler itself")

@part("handler-fails", on_error=handle_badly)
def update(n):
    helper(n)
"""


def test_if_on_error_fails_the_page_tells_what_it_was_to_handle(page: Page, app: Server):
    page.click("#handler-fails-run")
    error = page.wait_error("(?s)handler-fails.*Mishap: it went wrong")
    assert "the handler itself" not in error
    page.wait(lambda: "KeyError: 'the handler itself'" in app.log)


source += """
@part("killed", html.Div(id="killed-bar"), progress=Output("killed-bar", "children"),
      progress_default="idle")
def update(set_progress, n):
    if n > 1:
        return "done"
    set_progress(f"{os.getpid()}")
    wait_for("never")

@part("killed-handled", html.Div(id="killed-handled-bar"), on_error=handle,
      progress=Output("killed-handled-bar", "children"), progress_default="idle")
def update(set_progress, n):
    set_progress(f"{os.getpid()}")
    wait_for("never")
"""


def kill(page: Page, selector: str) -> None:
    """Kill the worker whose process id an element shows, as the system does without memory."""

    def pid() -> int:
        text = page.text(selector) or ""
        return int(text) if text.isdigit() else 0

    os.kill(page.wait(pid), signal.SIGKILL)


def test_a_killed_worker_is_an_error_in_words(page: Page):
    page.click("#killed-run")
    kill(page, "#killed-bar")
    page.wait_error(r"JobLost: .*SIGKILL \(out of memory\?\)")
    page.wait_text("#killed-state", "off")
    page.wait_text("#killed-bar", "idle")
    assert page.text("#killed-result") == "before"
    page.click("#killed-run")
    page.wait_text("#killed-result", "done")


def test_on_error_gets_a_job_that_was_lost(page: Page):
    page.click("#killed-handled-run")
    kill(page, "#killed-handled-bar")
    page.wait_text("#killed-handled-result", "handled JobLost")
    page.wait_text("#killed-handled-state", "off")


source += """
@part("late", timeout=0.5)
def update(n):
    try:
        wait_for("never")
    finally:
        note("late", "cleaned up")

@part("late-handled", timeout=0.5, on_error=handle)
def update(n):
    wait_for("never")
"""


def test_a_job_over_its_timeout_is_an_error_in_words(page: Page, app: Server):
    page.click("#late-run")
    page.wait_error("JobTimedOut: the job ran longer than its timeout of 0.5 s")
    page.wait_text("#late-state", "off")
    assert app.notes("late") == ["cleaned up"]
    page.click("#late-handled-run")
    page.wait_text("#late-handled-result", "handled JobTimedOut")


# The dev tools themselves, which only a server with debug=True sends

DEBUGGED_APP = """
from dash import Input, Output, html
from dash_long_callback import Dash, DiskcacheLongCallbackManager
import diskcache
from in_app import FOLDER, serve

cache = diskcache.Cache(str(FOLDER / "cache"))
app = Dash(__name__, long_callback_manager=DiskcacheLongCallbackManager(cache))
app.layout = html.Div([html.Button("run", id="run"), html.Div(id="result")])

@app.long_callback(Output("result", "children"), Input("run", "n_clicks"))
def update(n):
    if n:
        raise ValueError("an error <b>with tags</b>")
    return "ready"

if __name__ == "__main__":
    serve(app, debug=True, use_reloader=False, dev_tools_hot_reload=False,
          dev_tools_disable_version_check=True)
"""


def test_with_debug_the_page_shows_the_error_as_text(blank: Page, serve: Callable[..., Server]):
    page = blank
    page.open(serve(DEBUGGED_APP).url)
    page.wait_text("#result", "ready")
    page.click("#run")
    page.wait_error("ValueError")
    page.wait_text(".test-devtools-error-count", "1")
    page.click(".test-devtools-error-toggle")
    page.wait(lambda: "ValueError: an error <b>with tags</b>" in (page.text("body") or ""))
    assert page.text("#result") == "ready"


# on_error of the app

APP_WITH_HANDLER = """
from dash import Input, Output, html, set_props
from dash_long_callback import Dash, DiskcacheLongCallbackManager
import diskcache
from in_app import FOLDER, serve

def handle(error):
    set_props("message", {"children": f"the app handles {type(error).__name__}"})
    return "by the app"

cache = diskcache.Cache(str(FOLDER / "cache"))
app = Dash(__name__, on_error=handle, long_callback_manager=DiskcacheLongCallbackManager(cache))
app.layout = html.Div([html.Button("run", id="run"), html.Div(id="one"), html.Div(id="two"),
                       html.Div(id="message"), html.Button("run", id="no-output-run")])

@app.long_callback(Output("one", "children"), Input("run", "n_clicks"), prevent_initial_call=True)
def update(n):
    raise ValueError("as planned")

@app.long_callback(Output("two", "children"), Input("run", "n_clicks"), prevent_initial_call=True,
                   on_error=lambda error: "by the callback")
def update(n):
    raise ValueError("as planned")

@app.long_callback(Input("no-output-run", "n_clicks"), prevent_initial_call=True)
def update(n):
    raise KeyError("as planned")

if __name__ == "__main__":
    serve(app)
"""


def test_on_error_of_the_app_is_for_callbacks_without_their_own(
    blank: Page, serve: Callable[..., Server]
):
    page = blank
    page.open(serve(APP_WITH_HANDLER).url)
    page.click("#run")
    page.wait_text("#one", "by the app")
    page.wait_text("#two", "by the callback")
    page.wait_text("#message", "the app handles ValueError")
    page.click("#no-output-run")
    page.wait_text("#message", "the app handles KeyError")
