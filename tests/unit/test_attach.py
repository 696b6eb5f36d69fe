"""``attach``: what a page gets to know of a job that code has started, and who gets nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextvars import copy_context
from functools import partial
from typing import Any

import dash
import pytest
from dash import ALL, Input, Output, ctx, html
from web import KINDS, Browser

from dash_long_callback import Dash, attach, find_job, submit
from dash_long_callback.dash.page_channel import CHANNEL
from dash_long_callback.jobs import ref_of
from dash_long_callback.managers.base import Manager
from dash_long_callback.server.owner import hash_of
from dash_long_callback.stores import names
from dash_long_callback.stores.diskcache import DiskcacheStore
from dash_long_callback.stores.ports import Batch

IN = Input("in", "value")
OUT = Output("out", "children")


def echo(value: Any) -> Any:
    return value


class Page:
    """A page that calls an ordinary callback, and what it is told by that."""

    def __init__(self, app: dash.Dash) -> None:
        self.app = app
        self.browser = Browser(app)

    def call(self, start: Callable[[], Any], *outputs: str) -> dict[str, Any]:
        """The answer to a callback with these outputs."""
        name = f"call-{len(self.app.callback_map)}"
        wired = [Output(one, "children", allow_duplicate=True) for one in outputs]
        ids = Input(name, "n_clicks")

        def callback(_n: Any) -> Any:
            return start()

        given = wired[0] if len(wired) == 1 else wired
        self.app.callback(*([given] if wired else []), ids, prevent_initial_call=True)(callback)
        [*_, (callback_id, entry)] = self.app.callback_map.items()
        del entry
        filled: Any = [
            {"id": one.component_id, "property": one.component_property} for one in wired
        ]
        body = {
            "output": callback_id,
            "outputs": filled[0] if len(filled) == 1 else filled,
            "inputs": [{"id": name, "property": "n_clicks", "value": 1}],
            "changedPropIds": [f"{name}.n_clicks"],
        }
        # Dash leaves its app behind where it has answered.
        post = partial(self.browser.post, "_dash-update-component", json.dumps(body).encode())
        answer = copy_context().run(post)
        assert answer.status == 200, answer.body
        return answer.json

    def told(self, start: Callable[[], Any]) -> list[dict[str, Any]]:
        """What a page is told by a callback, whose output stays as it is."""
        answer = self.call(start, "other")
        assert answer["response"] == {}
        return list(answer["sideUpdate"][CHANNEL].values())

    def asks(self, job_id: str) -> dict[str, Any] | None:
        """What it is told when it asks for the job then."""
        body = json.dumps({"tab": "a", "jobs": {job_id: -1}, "pace": True}).encode()
        answer = self.browser.post("_dash-long-callback/updates", body)
        return answer.json["jobs"][job_id] if answer.status == 200 else None

    def cancels(self, job_id: str) -> int:
        body = json.dumps({"jobs": [job_id]}).encode()
        return self.browser.post("_dash-long-callback/cancel", body).status


@pytest.fixture
def waiting(manager: Manager, monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs wait: there is nobody who runs them."""
    monkeypatch.setattr(manager.executor, "start", lambda _job: None)  # pyright: ignore[reportUnknownLambdaType]


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_gets_what_it_would_remember_of_a_click(
    make_app: Callable[..., Dash], kind: str
) -> None:
    app = make_app(**({} if kind == "flask" else {"backend": kind}))
    app.long_callback(OUT, IN)(echo)
    page = Page(app)
    [told] = page.told(lambda: attach(submit(echo, 3)))
    assert told.pop("declared")
    job = find_job(told["id"])
    assert told == {
        "name": "out.children",
        "id": job.id,
        "ref": job.ref,
        "outputs": {"id": "out", "property": "children"},
        "matched": ["out"],
        "owner": None,
    }
    news = page.asks(told["id"])
    assert news is not None
    assert news["response"]["response"] == {"out": {"children": 3}}


def test_it_may_be_returned_for_all_outputs_or_one_or_in_a_callback_without_any(app: Dash) -> None:
    app.long_callback(OUT, IN)(echo)
    page = Page(app)

    def both() -> Any:
        return ["changed", attach(submit(echo, 3))]

    for start, outputs, response in (
        (lambda: attach(submit(echo, 1)), ("a", "b"), {}),
        (both, ("a", "b"), {"a": {"children": "changed"}}),
        (lambda: attach(submit(echo, 1)), (), {}),
    ):
        answer = page.call(start, *outputs)
        assert answer.get("response", {}) == response
        assert len(answer["sideUpdate"][CHANNEL]) == 1


def test_of_several_in_one_callback_the_page_gets_all(app: Dash) -> None:
    app.long_callback(OUT, IN)(echo)
    jobs = [submit(echo, n) for n in range(3)]
    told = Page(app).told(lambda: max(map(attach, jobs), key=id))
    assert [one["ref"] for one in told] == [job.ref for job in jobs]


@pytest.mark.usefixtures("waiting")
def test_each_page_has_a_name_of_its_own_and_the_last_that_cancels_ends_the_job(app: Dash) -> None:
    app.long_callback(OUT, IN)(echo)
    app.long_callback(Output("kept", "children"), IN, cache_by=[])(shared)
    for function in (echo, shared):
        job = submit(function, 1)
        pages = [Page(app), Page(app)]
        first, second = [page.told(partial(attach, job))[0]["id"] for page in pages]
        assert len({job.id, first, second}) == 3
        assert pages[0].cancels(first) == 200
        seen = [pages[0].asks(first), pages[1].asks(second)]
        assert [one and one["state"] for one in seen] == ["cancelled", "queued"]
        assert job.state == "queued"
        pages[1].cancels(second)
        assert job.state == "cancelled"


def shared(value: Any) -> Any:
    return value


@pytest.mark.usefixtures("waiting")
def test_code_ends_a_job_for_all_pages(app: Dash) -> None:
    app.long_callback(OUT, IN)(echo)
    job, page = submit(echo, 1), Page(app)
    [told] = page.told(lambda: attach(job))
    job.cancel()
    news = page.asks(told["id"])
    assert news is not None
    assert news["state"] == "cancelled"


def test_a_kept_result_is_told_at_once(app: Dash) -> None:
    app.long_callback(OUT, IN, cache_by=[])(echo)
    submit(echo, "</script>").result()
    job = submit(echo, "</script>")
    assert job.cached
    [told] = Page(app).told(lambda: attach(job))
    news = json.loads(told["news"])
    assert (news["ended"], told["id"]) == (True, job.id)
    assert news["response"]["response"] == {"out": {"children": "</script>"}}


def test_of_a_job_of_another_user_the_page_gets_nothing(
    app: Dash, manager: Manager, store: DiskcacheStore, caplog: pytest.LogCaptureFixture
) -> None:
    manager.user = lambda: ctx.headers.get("X-User") or ctx.cookies.get("user")
    app.long_callback(OUT, IN)(echo)
    job, gone, page = submit(echo, 1, user="ann"), submit(echo, 1), Page(app)
    store.rows.apply(Batch(drop=[names.job(gone.id)]))
    page.browser.cookies["user"] = "ben"
    for one in (job, gone):
        [told] = page.told(partial(attach, one))
        assert one.id not in json.dumps(told)
        assert (told["owner"], page.asks(told["id"])) == (hash_of("ben"), None)
        assert f"no. {ref_of(one.id)} of echo (out.children) is not shown" in caplog.text
    page.browser.cookies["user"] = "ann"
    [told] = page.told(lambda: attach(job))
    assert page.asks(told["id"]) is not None


@pytest.mark.usefixtures("waiting")
def test_a_name_opens_the_job_to_the_user_of_the_page_only(app: Dash, manager: Manager) -> None:
    manager.user = lambda: ctx.cookies.get("user")
    app.long_callback(OUT, IN)(echo)
    page = Page(app)
    page.browser.cookies["user"] = "ann"
    # Nobody's: whoever has its id may know it. But that of the page is ann's.
    [told] = page.told(lambda: attach(submit(echo, 1, user=None)))
    page.browser.cookies["user"] = "ben"
    assert (page.asks(told["id"]), page.cancels(told["id"])) == (None, 404)
    page.browser.cookies["user"] = "ann"
    assert page.asks(told["id"]) is not None


def test_a_callback_without_outputs_is_known_by_its_inputs(app: Dash) -> None:
    rows = Input({"row": ALL}, "value")
    app.long_callback(inputs=[IN, rows])(no_outputs)
    [told] = Page(app).told(lambda: attach(submit(no_outputs, 1, [])))
    assert (told["outputs"], told["matched"]) == (None, ["in"])


def no_outputs(_value: Any, _rows: Any) -> None:
    return None


def test_where_no_page_asks_it_is_refused_in_words(app: Dash) -> None:
    app.long_callback(OUT, IN)(echo)
    app.long_callback(Output("inner", "children"), IN)(inner)
    job = submit(echo, 1)
    words = r"attach\(.*echo\): no page asks here"
    with pytest.raises(RuntimeError, match=words):
        attach(job)
    with app.server.test_request_context("/_dash-layout"), pytest.raises(RuntimeError, match=words):
        attach(job)
    with pytest.raises(Exception, match=words):
        submit(inner, job.id).result()
    with pytest.raises(TypeError, match="give it a job, as submit"):
        attach(job.id)  # type: ignore[arg-type]


def inner(job_id: Any) -> Any:
    return attach(find_job(job_id))


def layout_of(app: dash.Dash) -> Any:
    """What a page gets; in a context of its own, as Dash leaves its app behind."""
    return copy_context().run(lambda: Browser(app).get("_dash-layout").json)


def test_only_pages_of_apps_with_long_callbacks_have_the_component(
    make_app: Callable[..., Dash],
) -> None:
    app = make_app()
    app.layout = html.Div(id="whole")
    assert layout_of(app)["props"]["id"] == "whole"
    app = make_app()
    app.long_callback(OUT, IN)(echo)
    for layout in (html.Div(id="whole"), [html.Div(id="whole")], lambda: html.Div(id="whole")):
        app.layout = layout
        assert [one["props"]["id"] for one in layout_of(app)] == ["whole", CHANNEL]
