"""``running``: set before the request leaves, and set back however the job ends."""

from __future__ import annotations

import pytest
from apps import Server
from page import Page

keep_page = True

source = """
import flask

@app.server.before_request
def misbehave():
    path = flask.request.path
    if is_open("500") and path.endswith("_dash-update-component"):
        flask.abort(500)
    for status in (403, 429, 502):
        if is_open(f"updates-{status}") and path.endswith("/updates"):
            note(f"updates-{status}")
            return f"a proxy says {status}", status

def part(name, **kwargs):
    kwargs.setdefault("running", [(Output(f"{name}-state", "children"), "on", "off")])
    page.extend([html.Button("run", id=f"{name}-run"), html.Button("stop", id=f"{name}-stop"),
                 html.Div(id=f"{name}-state"), html.Div(id=f"{name}-result")])
    return app.long_callback(Output(f"{name}-result", "children"), Input(f"{name}-run", "n_clicks"),
                             prevent_initial_call=True, **kwargs)
"""

source += """
@part("list", running=[(Output("list-state", "children"), "on", "off"),
                       (Output("list-run", "disabled"), True, False)])
def update(n):
    wait_for("list")
    return f"{n}"
"""


def test_every_running_output_has_its_value_while_the_job_runs(page: Page, app: Server):
    page.click("#list-run")
    page.wait_text("#list-state", "on")
    assert page.prop("list-run", "disabled") is True
    app.open_gate("list")
    page.wait_text("#list-result", "1")
    page.wait_text("#list-state", "off")
    assert page.prop("list-run", "disabled") is False


source += """
@part("shared", progress=Output("shared-state", "children"))
def update(set_progress, n):
    set_progress("1")
    wait_for("shared-1")
    set_props("shared-state", {"children": "2"})
    wait_for("shared-2")
    return f"{n}"
"""


def test_what_the_job_sets_later_takes_the_place_of_running_and_progress(page: Page, app: Server):
    page.record("#shared-state")
    page.click("#shared-run")
    page.wait_text("#shared-state", "1")
    app.open_gate("shared-1")
    page.wait_text("#shared-state", "2")
    app.open_gate("shared-2")
    page.wait_text("#shared-result", "1")
    page.wait_text("#shared-state", "")  # progress without a default is cleared
    assert page.recorded("#shared-state")[:4] == ["", "on", "1", "2"]


source += """
@part("tuple", running=(Output("tuple-state", "children"), "on", "off"))
def update(n):
    wait_for("tuple")
    return f"{n}"
"""


def test_one_bare_tuple_is_enough(page: Page, app: Server):
    page.click("#tuple-run")
    page.wait_text("#tuple-state", "on")
    app.open_gate("tuple")
    page.wait_text("#tuple-state", "off")


source += """
@part("empty", running=[])
def update(n):
    return f"{n}"
"""


def test_an_empty_list_is_no_running_at_all(page: Page):
    page.click("#empty-run")
    page.wait_text("#empty-result", "1")
    assert page.text("#empty-state") == ""


source += """
@part("falsy", running=[(Output("falsy-state", "children"), 0, None),
                        (Output("falsy-state", "hidden"), False, True)])
def update(n):
    wait_for("falsy")
    return f"{n}"
"""


def test_falsy_values_are_values(page: Page, app: Server):
    page.click("#falsy-run")
    page.wait_prop("falsy-state", "children", 0)
    assert page.prop("falsy-state", "hidden") is False
    app.open_gate("falsy")
    page.wait_prop("falsy-state", "hidden", True)
    assert page.prop("falsy-state", "children") is None


source += """
@part("components", running=(Output("components-state", "children"),
                             html.B("at work"), html.I(["at ", html.U("rest")])))
def update(n):
    wait_for("components")
    return f"{n}"
"""


def test_the_values_may_be_components(page: Page, app: Server):
    page.click("#components-run")
    page.wait_text("#components-state b", "at work")
    app.open_gate("components")
    page.wait_text("#components-state i u", "rest")


source += """
@part("quick")
def update(n):
    return f"{n}"
"""


def test_a_quick_job_shows_both_values_too(page: Page):
    page.record("#quick-state")
    page.click("#quick-run")
    page.wait_text("#quick-result", "1")
    page.wait_text("#quick-state", "off")
    assert page.recorded("#quick-state") == ["", "on", "off"]


source += """
@part("error")
def update(n):
    wait_for("error")
    raise ValueError("as planned")
"""


def test_running_ends_with_an_error(page: Page, app: Server):
    page.click("#error-run")
    page.wait_text("#error-state", "on")
    app.open_gate("error")
    page.wait_error("ValueError: as planned")
    page.wait_text("#error-state", "off")


source += """
@part("cancel", cancel=Input("cancel-stop", "n_clicks"))
def update(n):
    wait_for("never")
"""


def test_running_ends_with_a_cancel(page: Page):
    page.click("#cancel-run")
    page.wait_text("#cancel-state", "on")
    page.click("#cancel-stop")
    page.wait_text("#cancel-state", "off")


source += """
@part("superseded")
def update(n):
    note("superseded", n)
    wait_for("superseded" if n > 1 else "never")
    return f"{n}"
"""


def test_running_stays_on_when_a_new_job_replaces_one_and_ends_with_it(page: Page, app: Server):
    page.click("#superseded-run")
    app.wait_for_note("superseded")
    page.record("#superseded-state")
    page.click("#superseded-run")
    app.wait_for_note("superseded", 2)
    assert page.text("#superseded-state") == "on"
    app.open_gate("superseded")
    page.wait_text("#superseded-result", "2")
    page.wait_text("#superseded-state", "off")
    assert page.recorded("#superseded-state") == ["on", "off"]


source += """
@part("refused")
def update(n):
    return f"{n}"
"""


def test_running_ends_when_the_server_answers_with_an_error(page: Page, app: Server):
    page.expect_console("500")
    page.record("#refused-state")
    app.open_gate("500")
    page.click("#refused-run")
    page.wait_error("Internal Server Error")
    app.close_gate("500")
    page.wait_text("#refused-state", "off")
    assert page.recorded("#refused-state") == ["", "on", "off"]
    page.click("#refused-run")
    page.wait_text("#refused-result", "2")


source += """
@part("flaky")
def update(n):
    wait_for("flaky")
    time.sleep(0.1)  # longer than the submit waits for it
    return f"{n}"
"""


def test_a_job_survives_a_network_that_fails_for_a_while(page: Page, app: Server):
    page.expect_console("ERR_")
    page.block("*_dash-long-callback/updates")
    page.click("#flaky-run")
    page.wait_text("#flaky-state", "on")
    app.open_gate("flaky")
    assert page.stays(lambda: page.text("#flaky-state") == "on", 1)
    assert page.text("#flaky-result") == ""
    page.block()
    page.wait_text("#flaky-result", "1")
    page.wait_text("#flaky-state", "off")


source += """
for status in (403, 429, 502):
    @part(f"proxy-{status}")
    def update(n, status=status):
        wait_for(f"proxy-{status}")
        return f"{n}"
"""


@pytest.mark.parametrize("status", [429, 502])
def test_a_proxy_that_fails_for_a_while_is_asked_again(page: Page, app: Server, status: int):
    page.expect_console(f"{status}")
    app.open_gate(f"updates-{status}")
    page.click(f"#proxy-{status}-run")
    app.wait_for_note(f"updates-{status}", 2)
    assert page.text(f"#proxy-{status}-state") == "on"
    app.close_gate(f"updates-{status}")
    app.open_gate(f"proxy-{status}")
    page.wait_text(f"#proxy-{status}-result", "1")
    page.wait_text(f"#proxy-{status}-state", "off")


def test_running_ends_when_the_news_is_refused(page: Page, app: Server):
    page.expect_console("403")
    app.open_gate("updates-403")
    page.click("#proxy-403-run")
    page.wait_error("Your session has expired. Log in again and reload the page; .*status 403")
    page.wait_text("#proxy-403-state", "off")
    app.close_gate("updates-403")
    app.open_gate("proxy-403")


source += """
@part("absent", running=[(Output("nowhere", "children"), "on", "off"),
                         (Output("nowhere", "title"), "on", "off"),
                         (Output("absent-state", "children"), "on", "off")])
def update(n):
    return f"{n}"
"""


def test_a_missing_component_is_skipped_with_one_warning(page: Page):
    page.click("#absent-run")
    page.wait_text("#absent-result", "1")
    page.wait_text("#absent-state", "off")
    page.click("#absent-run")
    page.wait_text("#absent-result", "2")
    warnings = [text for text in page.console() if "nowhere" in text]
    assert len(warnings) == 1
    assert "no such component" in warnings[0]


source += """
page += [html.Div([html.Button("run", id={"type": "match-run", "n": n}),
                   html.Div(id={"type": "match-state", "n": n}),
                   html.Div(id={"type": "match-result", "n": n})]) for n in (1, 2)]

@app.long_callback(Output({"type": "match-result", "n": MATCH}, "children"),
                   Input({"type": "match-run", "n": MATCH}, "n_clicks"), prevent_initial_call=True,
                   running=[(Output({"type": "match-state", "n": MATCH}, "children"), "on", "off")])
def update(n):
    wait_for(f"match-{ctx.triggered_id['n']}")
    return f"{n}"
"""


def test_running_with_match_means_the_component_beside_the_output(page: Page, app: Server):
    first, second = ({"type": "match-state", "n": n} for n in (1, 2))
    page.click({"type": "match-run", "n": 1})
    page.wait_text(first, "on")
    assert page.text(second) == ""
    page.click({"type": "match-run", "n": 2})
    page.wait_text(second, "on")
    app.open_gate("match-1")
    page.wait_text(first, "off")
    assert page.text(second) == "on"
    app.open_gate("match-2")
    page.wait_text(second, "off")


source += """
page += [html.Div(id={"type": "all-state", "n": n}) for n in (1, 2)]

@part("all", running=[(Output({"type": "all-state", "n": ALL}, "children"), "on", "off")])
def update(n):
    wait_for("all")
    return f"{n}"
"""


def test_running_with_all_means_every_component(page: Page, app: Server):
    states = [{"type": "all-state", "n": n} for n in (1, 2)]
    page.click("#all-run")
    for state in states:
        page.wait_text(state, "on")
    app.open_gate("all")
    for state in states:
        page.wait_text(state, "off")
