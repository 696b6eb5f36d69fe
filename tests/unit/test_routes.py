"""Routes, asked through each of Dash's servers."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

import flask
import pytest
from dash import html
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from web import KINDS, Browser

from dash_long_callback import Dash, Pacing
from dash_long_callback.errors import StoreError
from dash_long_callback.executors.inline import InlineExecutor
from dash_long_callback.fault_log import FaultLog
from dash_long_callback.jobs import Job, new_job_id
from dash_long_callback.managers.base import Manager
from dash_long_callback.server import routes
from dash_long_callback.server.route import Request, Route
from dash_long_callback.stores.diskcache import DiskcacheStore

ROUTES = [route.name for route in routes.ROUTES]
#: Seconds that a request may be held; and after which it counts as held, also on a busy machine.
HOLD, HELD = 60, 20

READS: dict[str, Callable[[], object]] = {
    "nothing": lambda: None,
    "JSON": lambda: flask.request.get_json(silent=True),
    "bytes": lambda: flask.request.get_data(as_text=True),
    "a form": lambda: flask.request.form,
}


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize("path", ROUTES)
def test_a_hook_may_read_the_body_first(app: Dash, path: str, read: str) -> None:
    def hook() -> None:
        READS[read]()

    app.server.before_request(hook)
    client = app.server.test_client()

    def status(body: bytes) -> int:
        url = f"/_dash-long-callback/{path}"
        return client.post(url, data=body, content_type="application/json").status_code

    assert status(unknown(path)) == 404  # understood, and not known
    assert status(b"rubbish") == 400
    assert status(b"[" + b" " * 300_000 + b"]") == 413


class Served:
    """An app that nothing runs in, with a job that waits."""

    def __init__(self, kind: str, folder: Path, *more: Route) -> None:
        store = DiskcacheStore(folder, retention=60)
        self.manager = Manager(store, InlineExecutor(store))
        options: dict[str, Any] = {} if kind == "flask" else {"backend": kind}
        self.app = Dash(
            "routes",
            long_callback_manager=self.manager,
            long_callback_pacing=Pacing(hold=HOLD),
            **options,
        )
        self.app.layout = html.Div()
        routes.add_routes(self.app, more)
        self.browser = Browser(self.app)
        self.job = self.new_job()

    def new_job(self) -> str:
        job = Job(new_job_id(), "cb")
        self.manager.store.create(job, b"{}")
        return job.id

    def ask(self, path: str, body: bytes, content_type: str | None = "application/json") -> Any:
        begun = time.monotonic()
        answer = self.browser.post(f"_dash-long-callback/{path}", body, content_type)
        assert time.monotonic() - begun < HELD, "it was held"
        return answer


@pytest.fixture(scope="module", params=KINDS)
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    one = Served(request.param, tmp_path_factory.mktemp(request.param))
    yield one
    one.manager.stop()


def body_of(path: str, jobs: Any, **more: Any) -> bytes:
    named = {"tab": "t", **more} if path == "updates" else more
    return json.dumps({"jobs": jobs, **named}).encode()


def named(path: str, *ids: str) -> bytes:
    return body_of(path, dict.fromkeys(ids, 0) if path == "updates" else list(ids))


def unknown(path: str) -> bytes:
    return named(path, "forged")


FORMS = ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", None]


@pytest.mark.parametrize("path", ROUTES)
def test_a_post_that_any_other_site_can_send_is_refused_in_words(path: str, served: Served) -> None:
    for kind in [*FORMS, "text/plain; application/json", "application/json-seq", "x"]:
        answer = served.ask(path, named(path, served.job), kind)
        assert (answer.status, answer.json["error"]) == (415, "NotJson")
        assert "application/json" in answer.json["message"]
    state = served.manager.job(served.job)
    assert state is not None
    assert not state.state.ended, "nothing was cancelled"


@pytest.mark.parametrize("path", ROUTES)
def test_json_may_be_named_with_its_charset(path: str, served: Served) -> None:
    for kind in ("application/json; charset=utf-8", "APPLICATION/JSON"):
        assert served.ask(path, unknown(path), kind).status == 404


#: What nobody was ever given as the name of a job.
NO_IDS = ["", "forged", "\ud800" * 32, "\0" * 32, "é" * 32, "a" * 31, "a" * 33, "a" * 100_000]


@pytest.mark.parametrize("path", ROUTES)
def test_what_can_not_be_an_id_is_unknown(path: str, served: Served) -> None:
    for name in [*NO_IDS, served.job + "\n", "../" + "a" * 29, "a" * 32]:
        answer = served.ask(path, named(path, name))
        assert (answer.status, answer.json["error"]) == (404, "JobNotFound")


def test_a_job_is_told_of_beside_what_can_not_be_an_id(served: Served) -> None:
    asked = {served.job: -1, **dict.fromkeys(NO_IDS, 0)}
    jobs = served.ask("updates", body_of("updates", asked)).json["jobs"]
    assert jobs.pop(served.job)["state"] == "queued"
    assert jobs == dict.fromkeys(NO_IDS)


@pytest.mark.parametrize("seq", [1, 2**31, 2**53, 2**64, 10**4000])
def test_a_number_beyond_the_job_s_own_is_answered_at_once(seq: int, served: Served) -> None:
    answer = served.ask("updates", body_of("updates", {served.job: seq})).json
    assert answer["jobs"] == {served.job: {"state": "queued", "seq": 0, "ended": False}}
    assert answer["after"] > 0, "an honest page does not ask without end"


@pytest.mark.parametrize("seq", ["1e400", "1.0", "true", "null", '"1"', "[1]", "-1e400", "NaN"])
def test_what_is_no_whole_number_is_refused(seq: str, served: Served) -> None:
    body = b'{"tab": "t", "jobs": {"%s": %s}}' % (served.job.encode(), seq.encode())
    assert served.ask("updates", body).status == 400


@pytest.mark.parametrize("tab", [None, 1, True, "", "\ud800", "\0", "a b", "a" * 65, ["t"], {}])
def test_a_page_must_have_a_name(tab: Any, served: Served) -> None:
    assert served.ask("updates", body_of("updates", {served.job: -1}, tab=tab)).status == 400


# Whatever comes

texts = st.text(max_size=40) | st.text(st.characters(categories=["Cs", "Cc", "Lu"]), max_size=40)
plain = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from(["9", 10**4000, -(10**4000), 2**63, -(2**63)])
    | st.floats()
    | texts
)
values = st.recursive(plain, lambda v: st.lists(v) | st.dictionaries(texts, v), max_leaves=8)
JOB = "the job's own id"
names = st.sampled_from([*NO_IDS, JOB]) | texts
shapes = st.fixed_dictionaries(
    {},
    optional={
        "tab": st.just("t") | values,
        "jobs": st.dictionaries(names, st.integers(max_value=-1) | st.integers(1) | values)
        | st.lists(names | values)
        | values,
        "others": st.dictionaries(names, st.integers() | values) | values,
        "hidden": values,
        "stream": st.just(value=False) | values,
    },
)


def encoded(value: Any) -> bytes:
    # Python writes no number of more than 4300 digits, but others do.
    return json.dumps(value).encode().replace(b'"9"', b"9" * 5000)


deep = st.integers(1, 40_000).map(lambda n: b"[" * n + b"]" * n)
objects = st.integers(1, 40_000).map(lambda n: b'{"jobs":' * n + b"0" + b"}" * n)
bodies = shapes.map(encoded) | values.map(encoded) | st.binary(max_size=200) | deep | objects


@pytest.mark.parametrize("path", ROUTES)
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(body=bodies)
def test_no_request_is_an_internal_error_or_holds_a_thread(
    served: Served, path: str, body: bytes
) -> None:
    job = served.manager.job(served.job)
    if job is None or job.state.ended:  # cancelled by the example before
        served.job = served.new_job()
    body = body.replace(JOB.encode(), served.job.encode())
    answer = served.ask(path, body)
    assert answer.status in (200, 400, 404, 413), answer
    assert answer.body.startswith((b"{", b"data: {"))


# A route that somebody adds


def route(handle: Callable[[Request], bytes], **more: Any) -> Route:
    return Route("more", FaultLog("no more can be had"), handle, **more)


@pytest.fixture(params=KINDS)
def serve(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    made: list[Served] = []

    def serve(one: Route) -> Browser:
        made.append(Served(request.param, tmp_path, one))
        return made[-1].browser

    yield serve
    for one in made:
        one.manager.stop()


MORE = "_dash-long-callback/more"
Serve = Callable[[Route], Browser]


def test_a_route_is_given_what_it_needs_and_is_not_asked_by_get(serve: Serve) -> None:
    def handle(request: Request) -> bytes:
        jobs = request.managers[0].store.list(limit=10)
        return json.dumps([len(jobs), request.app.title, request.body.decode()]).encode()

    browser = serve(route(handle))
    answer = browser.post(MORE, b'"more"')
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json == [1, "Dash", '"more"']
    assert not browser.get(MORE).body.startswith(b"[1")


def test_no_route_is_asked_by_a_form(serve: Serve) -> None:
    asked: list[bytes] = []

    def handle(request: Request) -> bytes:
        asked.append(request.body)
        return b"{}"

    browser = serve(route(handle))
    for kind in FORMS:
        assert browser.post(MORE, b"{}", kind).status == 415
    assert not asked
    answer = browser.post(MORE, b'{"a": 1}')
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert asked == [b'{"a": 1}']


def test_what_a_route_can_not_do_is_refused_in_words_and_logged_once(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    faults: list[Exception] = [StoreError("secret"), StoreError("secret"), ValueError("secret")]

    def handle(_: Request) -> bytes:
        if faults:
            raise faults.pop(0)
        return b"fine"

    browser = serve(route(handle))
    for status in (503, 503, 500):
        answer = browser.post(MORE, b"{}")
        assert (answer.status, answer.headers["content-type"]) == (status, "application/json")
        assert "Its log has the details" in answer.json["message"]
        assert b"secret" not in answer.body
    assert browser.post(MORE, b"{}").body == b"fine"
    assert [message.partition(": ")[0] for message in caplog.messages] == [
        "no more can be had",
        "no more can be had (3 times so far)",
        "no more can be had",
    ]
    assert "over after" in caplog.messages[-1]


def test_an_event_loop_does_not_wait_for_a_route(serve: Serve) -> None:
    def handle(_: Request) -> bytes:
        return threading.current_thread().name.encode()

    browser = serve(route(handle))
    name = browser.post(MORE, b"{}").body.decode()
    if hasattr(browser.app.server, "wsgi_app"):
        assert name == threading.current_thread().name
    else:
        assert name.startswith("long-callback-store")


def test_on_an_event_loop_a_route_may_stream(serve: Serve) -> None:
    async def handle_async(_: Request) -> AsyncGenerator[bytes]:
        async def stream() -> AsyncGenerator[bytes]:
            yield f"data: {threading.current_thread().name}\n\n".encode()

        return stream()

    browser = serve(route(lambda _: b"{}", handle_async=handle_async))
    answer = browser.post(MORE, b"{}")
    if hasattr(browser.app.server, "wsgi_app"):
        assert answer.body == b"{}"
        return
    assert answer.headers["content-type"] == "text/event-stream"
    assert answer.headers["x-accel-buffering"] == "no"
    assert answer.body == f"data: {threading.current_thread().name}\n\n".encode()
