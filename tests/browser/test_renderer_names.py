"""One test for each undocumented name of the renderer that the browser client uses.

If one fails on a new Dash, ``browser/renderer.js`` is what to change.
"""

from __future__ import annotations

from page import Page

keep_page = True

source = """
from dash import ClientsideFunction

page += [html.Button(id="grows"), html.Div(id="field"),
         html.P(id="target"), html.P(id="listener"), html.P(id={"b": 1, "a": "x"}),
         dcc.Loading(html.P(id="loaded"), custom_spinner=html.B(id="turns"),
                     overlay_style={"visibility": "visible"})]

@app.long_callback(Output("target", "children"), Input("target", "n_clicks"),
                   prevent_initial_call=True)
def update(n):
    return "unused"

@app.callback(Output("field", "children"), Input("grows", "n_clicks"), prevent_initial_call=True)
def grow(n):
    return html.P(id="grown")

page += [html.Button(id="later"), html.Div(id="later-place"), html.P(id="late")]
app.config.suppress_callback_exceptions = True

@app.callback(Output("later-place", "children"), Input("later", "n_clicks"),
              prevent_initial_call=True)
def come(n):
    return html.Button(id="late-run")

app.clientside_callback(ClientsideFunction("probe", "late"), Output("late", "children"),
                        Input("late-run", "n_clicks"), prevent_initial_call=True)

@app.callback(Output("listener", "children"), Input("target", "children"),
              prevent_initial_call=True)
def listen(children):
    note("listener", children)
    return f"heard {children}"
"""


def test_the_state_has_what_is_read(page: Page):
    assert page.js("return store.getState().appLifecycle") == "HYDRATED"
    paths = page.js("return store.getState().paths")
    assert isinstance(paths["strs"]["target"], list)
    assert paths["objs"]["a,b"][0]["values"] == ["x", 1]
    assert isinstance(paths["objs"]["a,b"][0]["path"], list)
    assert page.js("return dash_component_api.stringifyId({b: 1, a: 'x'})") == '{"a":"x","b":1}'
    outputs = page.js("return store.getState().graphs.callbacks.map(one => one.output)")
    assert "target.children" in outputs
    assert page.js("return store.getState().callbacks.requested") == []
    declared = page.js("return store.getState().dependenciesRequest.content")
    found = next(one for one in declared if one["output"] == "target.children")
    assert found["inputs"] == [{"id": "target", "property": "n_clicks"}]
    assert found["state"] == []
    assert page.js(
        "return fetch('/_dash-dependencies').then(answer => answer.json())"
        ".then(content => JSON.stringify(content) ==="
        " JSON.stringify(store.getState().dependenciesRequest.content))"
    )


def test_paths_are_another_object_when_components_come_or_go(page: Page):
    page.js("window.before = store.getState().paths")
    page.js("dash_clientside.set_props('grows', {n_clicks: 1})")
    page.wait(lambda: page.exists("#grown"))
    assert page.js("return store.getState().paths !== before")


def test_paths_tell_a_component_that_was_replaced_from_one_that_stays(page: Page):
    page.js(
        "window.grow = () => dash_clientside.set_props("
        " 'grows', {n_clicks: (window.clicks = (window.clicks || 10) + 1)});"
        "window.path = (id) => store.getState().paths.strs[id]; grow()"
    )
    page.wait(lambda: page.js("return Boolean(path('grown'))"))
    page.wait_idle()
    page.js("window.before = [path('grown'), path('listener')]; grow()")
    page.wait(lambda: page.js("return path('grown') !== before[0]"))
    assert page.js("return path('listener') === before[1]")


def test_a_call_under_way_says_whether_an_input_was_changed_or_has_appeared(page: Page):
    page.js(
        "window.why = []; dash_clientside.probe = {late: (n) => {"
        " const {prioritized, executing} = store.getState().callbacks;"
        " why.push([...executing, ...prioritized]"
        "  .filter(one => one.callback.output === 'late.children')"
        "  .map(one => [one.changedPropIds, Boolean(one.initialCall)]));"
        " return `called with ${n}`; }};"
        "dash_clientside.set_props('later', {n_clicks: 1})"
    )
    page.wait_text("#late", "called with undefined")
    page.js("dash_clientside.set_props('late-run', {n_clicks: 7})")
    page.wait_text("#late", "called with 7")
    appeared, changed = ([[{"late-run.n_clicks": why}, False]] for why in (1, 2))
    assert page.js("return why") == [appeared, changed]


def test_callbacks_add_executed_applies_data_and_calls_who_listens(page: Page):
    page.js(
        "const callback = store.getState().graphs.callbacks"
        ".find(one => one.output === 'target.children');"
        "store.dispatch({type: 'Callbacks.AddExecuted', payload: [{callback, anyVals: '',"
        " changedPropIds: {}, initialCall: false, getInputs: () => [], getState: () => [],"
        " getOutputs: () => [[{id: 'target', property: 'children'}]],"
        " executionResult: {data: {target: {children: 'given'}},"
        " payload: {outputs: [{id: 'target', property: 'children'}]}}}]})"
    )
    page.wait_text("#target", "given")
    page.wait_text("#listener", "heard given")
    page.wait_idle()


def test_callbacks_remove_requested_keeps_a_change_to_itself(page: Page):
    page.js(
        "const requested = () => store.getState().callbacks.requested;"
        "const before = requested();"
        "dash_clientside.set_props('target', {children: 'silent'});"
        "const added = requested().filter(one => !before.includes(one));"
        "store.dispatch({type: 'Callbacks.RemoveRequested', payload: added})"
    )
    page.wait_text("#target", "silent")
    assert page.stays(lambda: page.text("#listener") != "heard silent")


def test_loading_and_loaded_are_what_dcc_loading_shows(page: Page):
    for kind, shown in (("LOADING", True), ("LOADED", False)):
        page.js(
            "const path = store.getState().paths.strs.loaded;"
            "store.dispatch({type: arguments[0], payload: [{path, property: 'children',"
            " id: 'loaded'}]})",
            kind,
        )
        page.wait(lambda shown=shown: page.exists("#turns") is shown)
