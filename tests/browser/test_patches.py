"""A ``Patch`` does what it does in an ordinary callback, and one that does not fit harms nobody."""

from __future__ import annotations

import re

import pytest
from apps import Server
from page import Page

source = """
NOTHING = object()

def patch(write):
    made = Patch()
    write(made)
    return made

def raw(operation, location=(), **params):
    steps = [{"operation": operation, "location": list(location), "params": params}]
    return {"__dash_patch_update": "__dash_patch_update", "operations": steps}

def steps(made):
    made.a = 1
    made["b"].append(2)
    del made["nobody"]
    made["a"] += 5

def half(made):
    made["a"] = "changed"
    made["deep"]["list"].extend([9])

def append(made): made.append("x")
def merge(made): made.update({"a": 7, "z": None})
def insert_end(made): made.insert(99, "x")
def remove_object(made): made["deep"].remove({"b": 2, "a": 1})

WRITES = [
    steps, half, append, merge, insert_end, remove_object,
    lambda made: made.__setitem__("a", {"new": 1}),
    lambda made: made["a"]["b"].__setitem__("c", 1),
    lambda made: made["a"][0].__setitem__("c", 1),
    lambda made: made.__setitem__(1, "x"),
    lambda made: made.__setitem__(-1, "x"),
    lambda made: made.__setitem__(7, "x"),
    lambda made: made["deep"]["list"].append(4),
    lambda made: made["deep"][-1].append(4),
    lambda made: made.extend([1, 2]),
    lambda made: made.prepend("x"),
    lambda made: made.insert(-1, "x"),
    lambda made: made["deep"].insert(0, "x"),
    lambda made: made.clear(),
    lambda made: made["deep"].clear(),
    lambda made: made.reverse(),
    lambda made: made.remove(2),
    lambda made: made.__delitem__("a"),
    lambda made: made.__delitem__(0),
    lambda made: made.__delitem__(-1),
    lambda made: made["deep"]["list"].__delitem__(1),
    lambda made: made["no"]["such"].__delitem__("key"),
    lambda made: made["deep"]["list"].__iadd__((5,)),
    lambda made: made["a"].__isub__(1),
    lambda made: made["a"].__imul__("2"),
    lambda made: made["a"].__itruediv__(0),
    lambda made: made.__ior__({"or": 1}),
]
PATCHES = [*map(patch, WRITES), raw("Multiplicate", ["a"], value=1), raw("Assign")]
BEFORE = [None, NOTHING, 3, "text", [1, 2, 3], {"a": 1, "b": [1]},
          {"a": None, "deep": {"list": [1, 2]}}, {"a": {}, "deep": [{"a": 1, "b": 2}, [3]]}]
CASES = [(made, before) for one, made in enumerate(PATCHES) for other, before in enumerate(BEFORE)
         if (one + other) % 2]  # all pairs would take a page long to render

page.append(html.Button("run", id="run"))
for how in ("ordinary", "output", "progress", "props"):
    for number, (made, before) in enumerate(CASES):
        # Any JSON may be the title as far as the renderer is concerned.
        given = {} if before is NOTHING else {"title": before}
        page.append(html.I(id=f"{how}-{number}", **given))
page.extend([html.P(id="progress-done"), html.P(id="props-done")])

for number, (made, before) in enumerate(CASES):
    @app.callback(Output(f"ordinary-{number}", "title"), Input("run", "n_clicks"),
                  prevent_initial_call=True)
    def update(n, made=made):
        return made

def each(how):
    return [Output(f"{how}-{number}", "title") for number in range(len(CASES))]

@app.long_callback(each("output"), Input("run", "n_clicks"), prevent_initial_call=True)
def update(n):
    return [made for made, before in CASES]

@app.long_callback(Output("progress-done", "children"), Input("run", "n_clicks"),
                   progress=[*each("progress"), Output("run", "title")], prevent_initial_call=True)
def update(set_progress, n):
    set_progress([*(made for made, before in CASES), "told"])
    wait_for("progress")
    return "done"

@app.long_callback(Output("props-done", "children"), Input("run", "n_clicks"),
                   prevent_initial_call=True)
def update(n):
    for number, (made, before) in enumerate(CASES):
        set_props(f"props-{number}", {"title": made})
    return "done"
"""

#: What JSON has no word for.
VALUES = """
const plain = (key, value) => value === undefined ? "(undefined)"
    : typeof value === "number" && !Number.isFinite(value) ? `(${value})` : value;
const shown = [];
for (let number = 0; document.getElementById(`${arguments[0]}-${number}`); number++) {
    const {props} = dash_component_api.getLayout(`${arguments[0]}-${number}`);
    shown.push("title" in props ? JSON.stringify(props.title, plain) : "(none)");
}
return shown;
"""


def test_each_patch_does_what_it_does_in_an_ordinary_callback(page: Page, app: Server):
    before = page.js(VALUES, "ordinary")
    page.click("#run")
    page.wait_text("#props-done", "done")
    page.wait_prop("run", "title", "told")
    progress = page.js(VALUES, "progress")
    app.open_gate("progress")
    page.wait_text("#progress-done", "done")
    page.wait_idle(60)
    ordinary = page.js(VALUES, "ordinary")
    assert page.js(VALUES, "output") == ordinary
    assert page.js(VALUES, "props") == ordinary
    assert progress == ordinary
    said = page.errors()
    refused = {how: refusals(how, said) for how in ("output", "progress", "props")}
    assert 20 < len(refused["output"]) < len(ordinary) - 20
    assert refused["progress"] == refused["props"] == refused["output"]
    assert all(ordinary[number] == before[number] for number in refused["output"])
    # As many as the ordinary callbacks say; the title of ours names its outputs.
    titles = ("long_callback", "long callback", "updating output-0.title")
    others = [text for text in said if not any(title in text for title in titles)]
    assert len(others) == len(refused["output"])
    page.wait_error("")
    page.expect_console("")


def refusals(how: str, said: list[str]) -> list[int]:
    """Which cases are said to have failed."""
    pattern = rf"(?:The Patch for|could not set) {how}-(\d+)\.title"
    return sorted(int(number) for text in said for number in re.findall(pattern, text))


source += """
def bad():
    made = Patch()
    made["no"].extend([1])
    return made

def part(name, *more, **kwargs):
    page.extend([html.Button("run", id=f"{name}-run"), html.P(id=f"{name}-state"),
                 html.P(id=f"{name}-good"), html.P(id=f"{name}-bar"), *more])
    return app.long_callback(
        inputs=Input(f"{name}-run", "n_clicks"), prevent_initial_call=True,
        running=(Output(f"{name}-state", "children"), "on", "off"), **kwargs)

# Attached to the renderer's promise, and not.
for name, policy in (("kept", "replace"), ("queued", "queue")):
    spinner = html.B("turning", id=f"{name}-turning")
    loading = dcc.Loading(html.P(id=f"{name}-bad", title=None), custom_spinner=spinner)
    @part(name, loading, on_retrigger=policy,
          output=[Output(f"{name}-bad", "title"), Output(f"{name}-good", "children")])
    def update(n, name=name):
        note(name, n)
        wait_for(f"{name}-{n}")
        return bad(), f"good {n}"

    @part(f"{name}-only", on_retrigger=policy, output=Output(f"{name}-bad", "lang"))
    def update(n, name=name):
        return bad()

@part("steady", output=Output("steady-good", "children"), progress=Output("steady-bar", "children"))
def update(set_progress, n):
    for number in range(100):
        set_progress(str(number))
        time.sleep(0.02)
    return "steady"

@part("noisy", output=Output("noisy-good", "children"), progress=Output("noisy-bar", "title"))
def update(set_progress, n):
    for number in range(50):
        set_progress(bad())
        set_props("noisy-run", {"lang": bad()})
        set_props("noisy-run", {"title": str(number)})
        time.sleep(0.02)
    return "noisy"

@part("cursed", output=Output("cursed-good", "children"), progress=Output("cursed-bar", "children"))
def update(set_progress, n):
    for number in range(20):
        set_progress(number)
        set_props("cursed-run", {"title": str(number)})
        time.sleep(0.02)
    return "blessed"
"""


@pytest.mark.parametrize("name", ["kept", "queued"])
def test_a_result_that_does_not_fit_ends_its_job_and_the_others_go_on(
    name: str, page: Page, app: Server
):
    page.click(f"#{name}-run")
    app.wait_for_note(name)
    assert page.exists(f"#{name}-turning")
    if name == "queued":
        page.click(f"#{name}-run")
    app.open_gate(f"{name}-1")
    page.wait_text(f"#{name}-good", "good 1")
    page.wait_error(f"Patch for {name}-bad.title can't be applied: it changes a list")
    if name == "queued":
        app.wait_for_note(name, 2)
        app.open_gate(f"{name}-2")
        page.wait_text(f"#{name}-good", "good 2")
    page.wait_text(f"#{name}-state", "off")
    page.wait(lambda: not page.exists(f"#{name}-turning"))
    page.click(f"#{name}-only-run")
    page.wait_error(f"Patch for {name}-bad.lang can't be applied: the property has no value yet")
    page.wait_text(f"#{name}-only-state", "off")
    page.wait_idle()
    page.open(app.url)
    assert page.stays(lambda: page.requests("/updates") == 0)
    assert page.text(f"#{name}-state") == ""


def test_progress_that_does_not_fit_is_said_once_and_stops_no_other_job(page: Page):
    page.record("#steady-bar")
    page.click("#steady-run")
    page.click("#noisy-run")
    page.wait_text("#noisy-good", "noisy")
    page.wait_text("#steady-good", "steady", timeout=20)
    assert page.prop("noisy-run", "title") == "49"
    assert len(page.recorded("#steady-bar")) > 10  # how many is the machine's affair
    page.wait_text("#noisy-state", "off")
    page.wait_error("could not set noisy-bar.title")
    page.wait_error("could not set noisy-run.lang")
    assert len(page.errors()) == 2
    page.expect_console("could not set")


def test_a_component_that_fails_ends_neither_its_job_nor_others(page: Page):
    page.js(
        "const set = dash_clientside.set_props;"
        "dash_clientside.set_props = (id, props) => {"
        " if (['cursed-bar', 'cursed-state'].includes(id)) throw new Error('cursed');"
        " set(id, props); }"
    )
    page.click("#steady-run")
    page.click("#cursed-run")
    page.wait_text("#cursed-good", "blessed")
    page.wait_text("#steady-good", "steady", timeout=20)
    assert page.prop("cursed-run", "title") == "19"
    page.wait_error("could not set cursed-bar.children\ncursed")
    page.wait_error("could not set cursed-state.children\ncursed")
    assert len(page.errors()) == 2
    page.expect_console("could not set")
    page.leave()
