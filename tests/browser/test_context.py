"""Inside the job: ``dash.ctx`` as in any callback, and ``set_props``, which need not wait."""

from __future__ import annotations

import json
from typing import Any

from apps import Server
from page import Page

keep_page = True

source = """
import flask, json

def part(name, *more, **kwargs):
    page.extend([html.Button("run", id=f"{name}-run"), html.Div(id=f"{name}-result"), *more])
    return app.long_callback(Output(f"{name}-result", "children"), Input(f"{name}-run", "n_clicks"),
                             prevent_initial_call=True, **kwargs)
"""

source += """
page += [html.Button("one", id="one"), html.Button("two", id={"kind": "two", "n": 2}),
         dcc.Input(id="text", value="a text"), html.Pre(id="context"), html.Div(id="other")]

CONTEXT = {
    "output": {"first": Output("context", "children"), "others": [Output("other", "children")]},
    "inputs": {"clicks": {"one": Input("one", "n_clicks"),
                          "two": Input({"kind": "two", "n": 2}, "n_clicks")},
               "text": State("text", "value")},
}

def describe():
    return {
        "triggered": ctx.triggered, "triggered_id": ctx.triggered_id,
        "triggered_prop_ids": dict(ctx.triggered_prop_ids),
        "inputs": ctx.inputs, "states": ctx.states, "inputs_list": ctx.inputs_list,
        "states_list": ctx.states_list, "outputs_list": ctx.outputs_list,
        "args_grouping": ctx.args_grouping, "outputs_grouping": ctx.outputs_grouping,
        "using_args_grouping": ctx.using_args_grouping,
        "using_outputs_grouping": ctx.using_outputs_grouping,
        "path": ctx.path, "remote": ctx.remote, "origin": ctx.origin,
        "cookies": dict(ctx.cookies), "agent": ctx.headers["User-Agent"],
    }

@app.long_callback(**CONTEXT)
def update(clicks, text):
    return {"first": json.dumps(describe()), "others": [no_update]}

page += [html.Pre(id="ordinary"), html.Div(id="ordinary-other")]

@app.callback(**{**CONTEXT, "output": {"first": Output("ordinary", "children"),
                                       "others": [Output("ordinary-other", "children")]}})
def update(clicks, text):
    return {"first": json.dumps(describe()), "others": [no_update]}

@app.server.after_request
def give_cookie(response):
    response.set_cookie("biscuit", "tasty")
    return response
"""


def described(page: Page, selector: str) -> dict[str, Any]:
    """What a callback has written of its context, without what belongs to its own outputs."""
    found = json.loads(page.wait(lambda: page.text(selector)))
    del found["outputs_list"], found["outputs_grouping"]
    found["path"] = found["path"].partition("?")[0]  # Dash 4.1 adds a number of the renderer's
    return found


def test_ctx_is_what_an_ordinary_callback_would_see(page: Page):
    page.click("#one")
    page.wait(lambda: described(page, "#context")["triggered_id"] == "one")
    page.wait(lambda: described(page, "#ordinary")["triggered_id"] == "one")
    context = described(page, "#context")
    assert context == described(page, "#ordinary")
    assert context["triggered"] == [{"prop_id": "one.n_clicks", "value": 1}]
    assert context["inputs"]["one.n_clicks"] == 1
    assert context["states"] == {"text.value": "a text"}
    assert context["args_grouping"]["clicks"]["one"]["triggered"] is True
    assert context["args_grouping"]["clicks"]["two"]["triggered"] is False
    assert context["args_grouping"]["text"]["value"] == "a text"
    assert context["path"] == "/_dash-update-component"
    assert context["remote"] == "127.0.0.1"
    assert context["cookies"]["biscuit"] == "tasty"
    assert "Chrome" in context["agent"]
    outputs = json.loads(page.text("#context") or "")["outputs_grouping"]
    assert outputs["first"] == {"id": "context", "property": "children"}
    assert outputs["others"] == [{"id": "other", "property": "children"}]


def test_triggered_id_is_a_dict_where_the_id_is_one(page: Page):
    page.click({"kind": "two", "n": 2})
    page.wait(lambda: described(page, "#context")["triggered_id"] == {"kind": "two", "n": 2})
    page.wait(lambda: described(page, "#ordinary")["triggered_id"] == {"kind": "two", "n": 2})
    assert described(page, "#context") == described(page, "#ordinary")


def test_on_load_nothing_has_triggered(page: Page, app: Server):
    page.open(app.url)
    context = described(page, "#context")
    assert context["triggered_id"] is None
    assert context == described(page, "#ordinary")


source += """
@part("early", html.Div(id="early-1"), html.Div(id="early-2"),
      html.Div(id={"kind": "early", "n": 1}))
def update(n):
    set_props("early-1", {"children": "first", "title": "a title"})
    set_props("early-2", {"children": html.B("second")})
    set_props({"kind": "early", "n": 1}, {"children": "third"})
    wait_for("early")
    set_props("early-1", {"children": "last"})
    return "done"
"""


def test_set_props_reaches_the_page_before_the_job_ends(page: Page, app: Server):
    page.click("#early-run")
    page.wait_text("#early-1", "first")
    assert page.prop("early-1", "title") == "a title"
    page.wait_text("#early-2 b", "second")
    page.wait_text({"kind": "early", "n": 1}, "third")
    assert page.text("#early-result") == ""
    app.open_gate("early")
    page.wait_text("#early-result", "done")
    assert page.text("#early-1") == "last"
    assert page.text("#early-2") == "second"


source += """
@part("many", *(html.Div(id=f"many-{i}") for i in range(50)))
def update(n):
    for i in range(50):
        set_props(f"many-{i}", {"children": f"{i}", "title": f"title {i}"})
    return "done"
"""


def test_set_props_of_many_components_loses_none(page: Page):
    page.click("#many-run")
    page.wait_text("#many-result", "done")
    assert [page.text(f"#many-{i}") for i in range(50)] == [str(i) for i in range(50)]
    assert page.prop("many-49", "title") == "title 49"


source += """
@part("patch", dcc.Store(id="patch-store", data=["laid out"]))
def update(n):
    def append(value):
        patch = Patch()
        patch.append(value)
        set_props("patch-store", {"data": patch})

    append("a")
    append("b")
    wait_for("patch-1")
    for i in range(40):
        append(i)
    wait_for("patch-2")
    set_props("patch-store", {"data": ["anew"]})
    append("c")
    return "done"
"""


def test_patches_are_applied_each_and_in_order(page: Page, app: Server):
    page.click("#patch-run")
    page.wait_prop("patch-store", "data", ["laid out", "a", "b"])
    app.open_gate("patch-1")
    page.wait_prop("patch-store", "data", ["laid out", "a", "b", *range(40)])
    app.open_gate("patch-2")
    page.wait_text("#patch-result", "done")
    assert page.prop("patch-store", "data") == ["anew", "c"]


source += """
@part("triggers", html.Div(id="triggers-1"), html.Div(id="triggers-2"))
def update(n):
    set_props("triggers-1", {"children": "set"})
    wait_for("triggers")
    return "done"

@app.callback(Output("triggers-2", "children"), Input("triggers-1", "children"),
              prevent_initial_call=True)
def follow(text):
    note("triggers", text)
    return f"after {text}"
"""


def test_what_set_props_sets_triggers_other_callbacks(page: Page, app: Server):
    page.click("#triggers-run")
    page.wait_text("#triggers-2", "after set")
    app.open_gate("triggers")
    page.wait_text("#triggers-result", "done")
    page.wait_idle()
    assert app.notes("triggers") == ["set"]


source += """
@part("absent")
def update(n):
    set_props("nowhere", {"children": "lost"})
    set_props("absent-result", {"title": "found"})
    return "done"
"""


def test_set_props_of_a_missing_component_is_skipped_with_a_warning(page: Page):
    page.click("#absent-run")
    page.wait_text("#absent-result", "done")
    assert page.prop("absent-result", "title") == "found"
    assert len([text for text in page.console() if "nowhere.children" in text]) == 1


source += """
import asyncio

@part("async", html.Div(id="async-1"), html.Button("stop", id="async-stop"),
      html.Div(id="async-bar"), cancel=Input("async-stop", "n_clicks"),
      progress=Output("async-bar", "children"), progress_default="idle")
async def update(set_progress, n):
    async def helper():
        await asyncio.sleep(0.01)
        set_props("async-1", {"children": f"triggered by {ctx.triggered_id}"})

    set_progress(f"run {n}")
    await asyncio.gather(helper(), asyncio.sleep(0))
    try:
        while not is_open(f"async-{n}"):
            await asyncio.sleep(0.005)
    finally:
        note("async", "cleaned up")
    if n == 3:
        raise ValueError("as planned")
    return f"done {n}"
"""


def test_an_async_function_has_all_that_others_have(page: Page, app: Server):
    page.click("#async-run")
    page.wait_text("#async-bar", "run 1")
    page.wait_text("#async-1", "triggered by async-run")
    app.open_gate("async-1")
    page.wait_text("#async-result", "done 1")
    page.wait_text("#async-bar", "idle")
    page.click("#async-run")
    page.wait_text("#async-bar", "run 2")
    page.click("#async-stop")
    page.wait_text("#async-bar", "idle")
    assert app.notes("async") == ["cleaned up"] * 2
    app.open_gate("async-3")
    page.click("#async-run")
    error = page.wait_error("ValueError: as planned")
    assert 'raise ValueError("as planned")' in error
    assert page.text("#async-result") == "done 1"
