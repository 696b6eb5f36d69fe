"""Functions that yield: each value goes to the outputs; on Flask, and as a stream on FastAPI."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from app_parts import EPILOGUE, PROLOGUE
from apps import Server
from page import Page

keep_page = True

source = """
import asyncio

def part(name, *more, **kwargs):
    page.extend([html.Button("run", id=f"{name}-run"), html.Button("stop", id=f"{name}-stop"),
                 html.P(id=f"{name}-state"), html.Div(id=f"{name}-result"), *more])
    kwargs.setdefault("output", Output(f"{name}-result", "children"))
    return app.long_callback(
        inputs=Input(f"{name}-run", "n_clicks"),
        running=(Output(f"{name}-state", "children"), "on", "off"),
        cancel=Input(f"{name}-stop", "n_clicks"), prevent_initial_call=True, **kwargs)

app.config.suppress_callback_exceptions = True

# Attached to the renderer's promise, and not.
for name, policy in (("steps", "replace"), ("beside", "parallel")):
    @part(name, html.P(id=f"{name}-next"), html.P(id=f"{name}-inner-next"), on_retrigger=policy)
    def update(n, name=name):
        for number in range(5):
            wait_for(f"{name}-{number}")
            yield html.B(f"step {number}", id=f"{name}-inner", title="the inside")
        wait_for(f"{name}-end")

    @app.callback(Output(f"{name}-next", "children"), Input(f"{name}-result", "children"),
                  prevent_initial_call=True)
    def follow(child, name=name):
        note(f"{name}-next", "called")
        return f"saw {child['props']['children']}"

    @app.callback(Output(f"{name}-inner-next", "children"), Input(f"{name}-inner", "title"))
    def look_inside(title, name=name):
        return f"saw {title}"

@part("async")
async def update(n):
    for number in range(3):
        await asyncio.to_thread(wait_for, f"async-{number}")
        yield f"step {number}"

@part("returned", html.P(id="returned-second"),
      output=[Output("returned-result", "children"), Output("returned-second", "children")])
def update(n):
    yield "first", no_update
    wait_for("returned")
    yield no_update, "second"
    return "last", no_update

@part("appended")
def update(n):
    yield []
    for number in range(20):
        patch = Patch()
        patch.append(f"{number},")
        yield patch
        time.sleep(0.02)

@part("cancelled")
def update(n):
    try:
        yield "begun"
        wait_for("never")
    finally:
        note("cancelled", "cleaned up")

@part("kept", cache_by=[], cache_args_to_ignore=0)
def update(n):
    note("kept", n)
    yield "half"
    yield "whole"

@part("again")
def update(n):
    yield "early"
    wait_for("again")
    yield "late"

@part("fast")
def update(n):
    for number in range(300):
        yield html.P([html.Span(f"{number} ") for _ in range(200)], title=f"{number}")
        time.sleep(0.005)
"""


@pytest.fixture(
    scope="module",
    params=["flask", pytest.param("fastapi", marks=pytest.mark.newest_only)],
)
def app(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    kind = request.param
    prologue = PROLOGUE.format(pacing="")
    command = ["app.py"]
    if kind != "flask":
        prologue = prologue.replace("Dash(__name__", f"Dash(__name__, backend={kind!r}")
        prologue += "server = app.server\n"
        command = ["-m", "uvicorn", "app:server", "--port", "{port}"]
    text = prologue + source + EPILOGUE
    server = Server(text, tmp_path_factory.mktemp("app"), command=command)
    yield server.start()
    server.stop()


@pytest.mark.parametrize("name", ["steps", "beside"])
def test_each_value_is_shown_and_who_listens_is_called_once_at_the_end(
    name: str, page: Page, app: Server
):
    page.record(f"#{name}-result", f"#{name}-state")
    page.click(f"#{name}-run")
    for number in range(5):
        app.open_gate(f"{name}-{number}")
        page.wait_text(f"#{name}-result", f"step {number}")
    assert page.text(f"#{name}-state") == "on"
    assert page.stays(lambda: page.text(f"#{name}-next") == "")
    app.open_gate(f"{name}-end")
    page.wait_text(f"#{name}-state", "off")
    page.wait_text(f"#{name}-next", "saw step 4")
    page.wait_text(f"#{name}-inner-next", "saw the inside")
    page.wait_idle()
    steps = [f"step {number}" for number in range(5)]
    assert page.recorded(f"#{name}-result") == ["", *steps]
    assert app.notes(f"{name}-next") == ["called"]


def test_an_async_generator_does_the_same(page: Page, app: Server):
    page.record("#async-result")
    page.click("#async-run")
    for number in range(3):
        app.open_gate(f"async-{number}")
        page.wait_text("#async-result", f"step {number}")
    page.wait_text("#async-state", "off")
    assert page.recorded("#async-result") == ["", "step 0", "step 1", "step 2"]


@pytest.mark.newest_only  # it is ours alone, and the same on every Dash
def test_what_is_returned_after_all_is_the_result(page: Page, app: Server):
    page.click("#returned-run")
    page.wait_text("#returned-result", "first")
    app.open_gate("returned")
    page.wait_text("#returned-second", "second")
    page.wait_text("#returned-result", "last")
    assert page.text("#returned-second") == "second"


def test_patches_are_applied_in_order_and_once(page: Page):
    page.click("#appended-run")
    page.wait_text("#appended-state", "off")
    assert page.text("#appended-result") == "".join(f"{number}," for number in range(20))


def test_a_cancel_cleans_up_in_the_generator(page: Page, app: Server):
    page.click("#cancelled-run")
    page.wait_text("#cancelled-result", "begun")
    page.click("#cancelled-stop")
    page.wait_text("#cancelled-state", "off")
    app.wait_for_note("cancelled")
    assert page.text("#cancelled-result") == "begun"


@pytest.mark.newest_only  # it is ours alone, and the same on every Dash
def test_the_result_of_a_generator_is_kept_as_any(page: Page, app: Server):
    for _ in range(2):
        page.js("dash_clientside.set_props('kept-result', {children: ''})")
        page.wait_text("#kept-result", "")
        page.click("#kept-run")
        page.wait_text("#kept-result", "whole")
        page.wait_idle()
    assert app.notes("kept") == ["1"]


def test_a_reload_shows_the_latest_value_and_goes_on(page: Page, app: Server):
    page.click("#again-run")
    page.wait_text("#again-result", "early")
    page.open(app.url)
    page.wait_text("#again-result", "early")
    page.wait_text("#again-state", "on")
    app.open_gate("again")
    page.wait_text("#again-result", "late")
    page.wait_text("#again-state", "off")


@pytest.mark.newest_only  # it is ours alone, and the same on every Dash
def test_a_slow_page_sees_the_latest_value_soon(page: Page):
    """Each value costs the page more time than its making: what it has no time for is left out."""
    page.js(
        "window.late = []; new MutationObserver(() => { const end = performance.now() + 60;"
        " while (performance.now() < end); }).observe("
        "document.querySelector('#fast-result'), {subtree: true, childList: true})"
    )
    page.record("#fast-result")
    page.click("#fast-run")
    page.wait(lambda: page.prop("fast-result", "children"))
    page.wait_text("#fast-state", "off", timeout=60)
    shown = [text for text in page.recorded("#fast-result") if text]
    assert shown[-1].startswith("299 ")
    assert len(shown) < 200
    numbers = [int(text.split()[0]) for text in shown]
    assert numbers == sorted(numbers)


@pytest.mark.newest_only  # it is ours alone, and the same on every Dash
def test_a_stream_is_one_request_and_each_other_answer_one_more(
    page: Page, app: Server, request: pytest.FixtureRequest
):
    page.js("performance.clearResourceTimings()")  # of the tests before
    page.click("#appended-run")
    page.wait_text("#appended-state", "on")
    page.wait_text("#appended-state", "off")
    page.wait(lambda: page.requests("/updates") > 0)
    count = page.requests("/updates")
    assert count <= 2 if "fastapi" in request.node.name else count > 2
