"""The API over HTTP, asked through each of Dash's servers; its jobs run inline."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import flask
import flask_login
import pytest
from dash import ALL, MATCH, Input, Output, State, ctx, html, set_props
from web import KINDS, Answer, Browser

from dash_long_callback import (
    ApiRequest,
    Dash,
    Event,
    Limit,
    RegistrationError,
    UserError,
    http_api,
    submit,
)
from dash_long_callback.errors import StoreError
from dash_long_callback.executors.inline import InlineExecutor
from dash_long_callback.http_api.api import served_callback
from dash_long_callback.http_api.schemas import Schemas, plain
from dash_long_callback.jobs import Job
from dash_long_callback.managers.base import Manager
from dash_long_callback.server.owner import hash_of
from dash_long_callback.stores.diskcache import DiskcacheStore
from dash_long_callback.stores.memory import MemoryStore
from dash_long_callback.stores.ports import Batch

YEAR, STYLE, NOTE = Input("year", "value"), State("style", "value"), Output("note", "title")
#: Tokens of users.
TOKENS = {"a-token": "ann", "b-token": "ben"}
ANN, BEN = {"Authorization": "Bearer a-token"}, {"Authorization": "Bearer b-token"}
Authorize = Callable[[ApiRequest], Any]


def by_token(request: ApiRequest) -> str | None:
    return TOKENS.get(request.token or "")


class Patient(InlineExecutor):
    """Does not run what is to begin later."""

    def start(self, job: Job) -> None:
        if not job.is_scheduled:
            super().start(job)


class Site:
    """An app with an API, and what asks it."""

    def __init__(self, kind: str, folder: Path, authorize: Authorize | None = by_token) -> None:
        self.store = DiskcacheStore(folder, retention=60)
        self.manager = Manager(self.store, Patient(self.store))
        options: dict[str, Any] = {} if kind == "flask" else {"backend": kind}
        self.app = Dash("site", long_callback_manager=self.manager, **options)
        self.app.layout = html.Div()
        self.calls = 0
        self._declare()
        functions: dict[str, Any] = {
            "report": self.report,
            "plain": self.plain,
            "kept": self.kept,
            "hidden-jobs": self.fails,
        }
        http_api(self.app, functions, authorize=authorize)
        self.browser = Browser(self.app)

    def _declare(self) -> None:
        out = iter(range(10))

        def declare(*args: Any, **kwargs: Any) -> Any:
            return self.app.long_callback(Output(f"out{next(out)}", "children"), *args, **kwargs)

        @declare(YEAR, STYLE, progress=[Output("bar", "value"), Output("bar", "max")])
        def report(set_progress: Any, year: int, style: str = "short") -> list[Any]:
            """Write a report.

            It takes a while.
            """
            set_progress((1, 12))
            headers = {name.lower(): value for name, value in ctx.headers.items()}
            set_props("note", {"children": headers["x-note"]})
            set_props("note", {"say": Event("one")})
            set_props("note", {"say": Event("two")})
            set_progress((12, 12))
            return [year, style, "authorization" in headers]

        @declare(YEAR)
        def plain(year: Any) -> Any:
            self.calls += 1
            return year

        @declare(YEAR, cache_by=[])
        def kept(year: Any) -> Any:
            self.calls += 1
            set_props("note", {"children": year})
            return "x" * int(year)

        @declare(YEAR)
        def fails(year: Any) -> Any:
            raise ValueError("a secret")

        @declare(YEAR)
        def other(year: Any) -> Any:
            return year

        self.report, self.plain, self.kept, self.fails, self.other = (
            report,
            plain,
            kept,
            fails,
            other,
        )

    def start(self, name: str, arguments: Any, query: str = "", **headers: str) -> Answer:
        body = json.dumps(arguments).encode()
        return self.browser.post(f"api/callbacks/{name}{query}", body, **{**ANN, **headers})

    def get(self, path: str, **headers: str) -> Answer:
        return self.browser.get(f"api/{path}", **{**ANN, **headers})


Make = Callable[..., Site]


@pytest.fixture(params=KINDS)
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    made: list[Site] = []

    def make(*args: Any) -> Site:
        made.append(Site(request.param, tmp_path / str(len(made)), *args))
        return made[-1]

    yield make
    for one in made:
        one.manager.stop()


@pytest.fixture
def site(make: Make) -> Site:
    return make()


def problem(answer: Answer, status: int) -> dict[str, Any]:
    """What a refusal says."""
    assert (answer.status, answer.headers["content-type"]) == (status, "application/problem+json")
    found = answer.json
    assert found["status"] == status
    assert {"type", "title", "detail"} <= found.keys()
    return found


# Jobs


def test_a_job_is_started_and_read(site: Site) -> None:
    begun = site.start("report", {"year": 2024, "style": "long"}, X_Note="hello")
    job = begun.json
    assert begun.status == 200  # it ran inline, and has ended
    assert begun.headers["location"] == job["links"]["self"] == f"/api/jobs/{job['id']}"
    assert (job["state"], job["result"]) == ("succeeded", [2024, "long", False])
    assert (job["callback"], job["progress"], job["attempt"]) == ("report", [12, 12], 1)
    assert job["created"] <= job["started"] <= job["ended"]
    again = site.get(f"jobs/{job['id']}")
    assert (again.status, again.json) == (200, job)
    assert again.headers["cache-control"] == "no-store"


def test_what_a_job_reports_is_told_as_events_that_can_be_resumed(site: Site) -> None:
    job = site.start("report", {"year": 1}, X_Note="hello").json["id"]
    answer = site.get(f"jobs/{job}/events")
    assert answer.headers["content-type"].partition(";")[0] == "text/event-stream"
    told = events_in(answer.body)
    assert [(name, data) for name, _, data in told[:-1]] == [
        ("props", {"id": "note", "props": {"children": "hello", "say": "one"}}),
        ("props", {"id": "note", "props": {"say": "two"}}),
        ("progress", {"value": [12, 12]}),
    ]
    assert (told[-1][0], told[-1][2]["result"]) == ("end", [1, "short", False])
    numbers = [number for _, number, _ in told]
    assert numbers == sorted(set(numbers))
    # From each of them on, the rest comes: nothing is lost, and nothing comes twice.
    for place, number in enumerate(numbers[:-1]):
        rest = site.get(f"jobs/{job}/events", Last_Event_ID=str(number))
        assert events_in(rest.body) == told[place + 1 :]
    assert site.get(f"jobs/{job}/events", Last_Event_ID=str(numbers[-1])).status == 204
    # What nobody can have seen: all comes.
    more = site.get(f"jobs/{job}/events", Last_Event_ID=str(numbers[-1] + 1))
    assert events_in(more.body) == told
    problem(site.get(f"jobs/{job}/events", Last_Event_ID="x"), 400)


def events_in(body: bytes) -> list[tuple[str, int, Any]]:
    """Name, number and data of each event."""
    found: list[tuple[str, int, Any]] = []
    for block in body.decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
        if "event" in fields:
            found.append((fields["event"], int(fields["id"]), json.loads(fields["data"])))
    return found


def test_an_error_of_the_function_is_told_without_what_it_says(site: Site) -> None:
    job = site.start("hidden-jobs", {"year": 1})
    assert (job.status, job.json["state"]) == (200, "failed")
    assert "result" not in job.json
    assert job.json["error"]["kind"] == "failed"
    assert job.json["ref"] in job.json["error"]["message"]
    assert b"secret" not in job.body


def test_a_kept_result_is_a_job_that_has_ended(site: Site) -> None:
    for length in (3, 100_000):  # a large one is kept in pieces
        first, second = (site.start("kept", {"year": length}).json for _ in range(2))
        assert first["id"] != second["id"]
        for job in (first, second):
            found = site.get(f"jobs/{job['id']}")
            assert (found.json, found.json["result"]) == (job, "x" * length)
            told = events_in(site.get(f"jobs/{job['id']}/events").body)
            assert [name for name, _, _ in told] == ["props", "end"]
            assert told[0][1] < told[1][1]
    assert site.calls == 2


def test_a_job_that_begins_later_waits_and_can_be_cancelled(site: Site) -> None:
    for query in ("?delay=3600", "?at=2100-01-31T12:00:00Z", "?at=2100-01-31T13:00:00%2B01:00"):
        begun = site.start("plain", {"year": 1}, query)
        assert (begun.status, begun.json["state"]) == (202, "queued")
        assert begun.json["not_before"] is not None
        assert int(begun.headers["retry-after"]) > 1000
        path = begun.json["links"]["self"][1:]
        for _ in range(2):
            ended = site.browser.delete(path, **ANN)
            assert (ended.status, ended.json["state"]) == (200, "cancelled")
    for query in ("?delay=x", "?delay=-1", "?delay=nan", "?at=tomorrow", "?at=2100-01-31"):
        assert "2030-01-31T12:00:00Z" in problem(site.start("plain", {"year": 1}, query), 400)[
            "detail"
        ] or query.startswith("?delay=")
    problem(site.start("plain", {"year": 1}, "?delay=1&at=2100-01-31T12:00:00Z"), 400)
    assert site.calls == 0


# What is refused


@pytest.mark.parametrize(
    "body, argument",
    [
        ({}, "year"),
        ({"year": 1, "more": 2}, "more"),
        ({"style": "x"}, "year"),
        ({"year": 1, "set_progress": 2}, "set_progress"),
    ],
)
def test_arguments_that_do_not_fit_are_refused_by_name(
    body: Any, argument: str, site: Site
) -> None:
    found = problem(site.start("report", body), 422)
    assert found["argument"] == argument
    assert repr(argument) in found["detail"]
    assert "its arguments are (year, style='short')" in found["detail"]


def test_what_is_no_json_object_is_refused(site: Site) -> None:
    def post(body: bytes, kind: str | None = "application/json") -> Answer:
        return site.browser.post("api/callbacks/plain", body, kind, **ANN)

    for body in (b"", b"{", b"\xff", b'{"year": NaN}', b"[" * 50_000, b'{"year": 1' + b"0" * 5000):
        problem(post(body), 400)
    problem(post(b"[1]"), 400)
    problem(post(b'{"year": "%s"}' % (b"x" * (1 << 20))), 413)
    for kind in (None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        problem(post(b'{"year": 1}', kind), 415)
    assert site.calls == 0


def test_what_is_not_there_is_refused(site: Site) -> None:
    page = site.start("other", {"year": 1})  # a callback that the API does not serve
    assert problem(page, 404)["type"].endswith("no-such-callback")
    with_app = submit(site.other, 1, user="ann")
    for job in (with_app.id, "forged", "a" * 32, "%2e%2e"):
        for ask in (site.get, lambda path, **_: site.browser.delete(f"api/{path}", **ANN)):
            problem(ask(f"jobs/{job}"), 404)
    problem(site.get(f"jobs/{with_app.id}/events"), 404)
    problem(site.get("nothing"), 404)
    for method, path, allowed in (
        ("GET", "callbacks/plain", "POST"),
        ("POST", "openapi.json", "GET, HEAD"),
        ("PUT", f"jobs/{with_app.id}", "DELETE, GET, HEAD"),
    ):
        answer = site.browser.send(method, f"api/{path}", b"{}", dict(ANN))
        problem(answer, 405)
        assert answer.headers["allow"] == allowed


def test_a_fault_of_the_server_is_told_in_words_that_tell_nothing(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    job = site.start("plain", {"year": 1}).json["id"]

    def fails(*_: Any, **__: Any) -> Any:
        raise errors[0]

    errors: list[Exception] = [StoreError("a secret")]
    monkeypatch.setattr(site.manager, "news", fails)
    answer = site.get(f"jobs/{job}")
    problem(answer, 503)
    assert answer.headers["retry-after"] == "2"
    assert "secret" not in answer.body.decode()
    errors[0] = KeyError("a secret")
    assert "secret" not in str(problem(site.get(f"jobs/{job}"), 500))
    assert caplog.text.count("a secret") >= 2


def test_a_limit_and_words_for_the_user_refuse_a_call(make: Make) -> None:
    site = make()
    app = Dash("other", long_callback_manager=site.manager, **backend_of(site))
    app.layout = html.Div()

    def priority(year: Any) -> Any:
        raise UserError("There are no sales in May.")

    @app.long_callback(Output("x", "children"), YEAR, limits=Limit(1), on_limit="refuse")
    def limited(year: Any) -> Any:
        return submit_more()

    @app.long_callback(Output("y", "children"), YEAR, priority=priority)
    def worded(year: Any) -> Any:
        return year

    http_api(app, [limited, worded], authorize=by_token)
    inner: list[Answer] = []
    browser = Browser(app)

    def submit_more() -> str:
        # While it runs, in another thread, as the job has a request of its own.
        thread = threading.Thread(
            target=lambda: inner.append(
                browser.post("api/callbacks/limited", b'{"year": 1}', **ANN)
            )
        )
        thread.start()
        thread.join()
        return "done"

    answer = browser.post("api/callbacks/limited", b'{"year": 1}', **ANN)
    assert answer.json["result"] == "done"
    problem(inner[0], 429)
    assert int(inner[0].headers["retry-after"]) > 0
    answer = browser.post("api/callbacks/worded", b'{"year": 1}', **ANN)
    assert problem(answer, 422)["detail"] == "There are no sales in May."


def backend_of(site: Site) -> dict[str, Any]:
    kind = getattr(getattr(site.app, "backend", None), "server_type", "flask")
    return {} if kind == "flask" else {"backend": kind}


# A client that asks again


def test_a_key_gives_the_same_job_to_the_same_user(site: Site) -> None:
    first = site.start("plain", {"year": 1}, Idempotency_Key="k")
    again = site.start("plain", {"year": 1}, Idempotency_Key="k")
    assert again.json == first.json
    assert again.headers["location"] == first.headers["location"]
    for name, body, query in (
        ("plain", {"year": 2}, ""),
        ("kept", {"year": 1}, ""),
        ("plain", {"year": 1}, "?delay=5"),
    ):
        answer = site.start(name, body, query, Idempotency_Key="k")
        assert problem(answer, 422)["type"].endswith("key-reused")
    other = site.start("plain", {"year": 1}, **BEN, Idempotency_Key="k").json["id"]
    assert other != first.json["id"]
    assert site.calls == 2
    for key in ("x" * 256, "a b", "\t"):
        problem(site.start("plain", {"year": 1}, Idempotency_Key=key), 400)


def test_a_key_of_a_call_that_was_refused_or_kept_is_as_good_as_new(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem(site.start("plain", {}, Idempotency_Key="k"), 422)

    def dies(*_: Any) -> Any:
        raise StoreError("the disk is full")

    with monkeypatch.context() as patch:  # the key is in the store, and no job
        patch.setattr(site.manager, "submit", dies)
        problem(site.start("plain", {"year": 1}, Idempotency_Key="k"), 503)
    assert site.start("plain", {"year": 1}, Idempotency_Key="k").status == 200
    assert site.calls == 1
    first = site.start("kept", {"year": 1}).json
    second = site.start("kept", {"year": 1}, Idempotency_Key="l").json
    assert site.start("kept", {"year": 1}, Idempotency_Key="l").json == second
    assert second["id"] != first["id"]
    # Its job has expired since.
    site.store.rows.apply(Batch(drop=[f"{second['id']}:job"]))
    answer = site.start("kept", {"year": 1}, Idempotency_Key="l")
    assert problem(answer, 410)["type"].endswith("job-expired")


# Who may


def test_a_job_is_known_to_its_user_only(site: Site) -> None:
    begun = site.start("plain", {"year": 1}, "?delay=3600").json
    path = f"jobs/{begun['id']}"
    for ask in (
        site.get(path, **BEN),
        site.get(f"{path}/events", **BEN),
        site.browser.delete(f"api/{path}", **BEN),
    ):
        problem(ask, 404)
    found = site.manager.job(begun["id"], hash_of("ann"))
    assert found is not None
    assert not found.state.ended


def test_who_is_not_known_is_not_let_in(site: Site) -> None:
    job = site.start("plain", {"year": 1}).json["id"]
    for headers in ({}, {"Authorization": "Bearer forged"}, {"Authorization": "Basic a-token"}):
        for path in (f"jobs/{job}", f"jobs/{job}/events", "openapi.json"):
            answer = site.browser.get(f"api/{path}", **headers)
            problem(answer, 401)
            assert answer.headers["www-authenticate"] == "Bearer"
        problem(site.browser.post("api/callbacks/plain", b"{}", **headers), 401)
        problem(site.browser.post("api/callbacks/unknown", b"{}", **headers), 401)


def test_what_authorize_says_and_raises(
    make: Make, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[ApiRequest] = []
    says: list[Any] = [True]

    def authorize(request: ApiRequest) -> Any:
        asked.append(request)
        if isinstance(says[0], Exception):
            raise says[0]
        return says[0]

    def abort(status: int) -> Exception:
        try:
            flask.abort(status, "Not today.")
        except Exception as error:
            return error

    site = make(authorize)
    assert site.start("plain", {"year": 1}, "?delay=1", X_More="x").status == 202
    request = asked[-1]
    assert (request.method, request.path) == ("POST", "/api/callbacks/plain")
    assert (request.callback, request.query["delay"], request.remote) == ("plain", "1", "127.0.0.1")
    assert request.headers["X-MORE"] == "x"
    for one, status in (
        (False, 403),
        (None, 401),
        ("", 401),
        (PermissionError("a secret"), 403),
        (abort(401), 401),
        (abort(403), 403),
        (abort(429), 429),
        (ValueError("a secret"), 500),
        (object(), 500),
    ):
        says[0] = one
        answer = site.start("plain", {"year": 1})
        assert "secret" not in problem(answer, status)["detail"]
        assert asked[-1].callback == "plain"
        problem(site.start("unknown", {"year": 1}), status)
        assert asked[-1].callback is None
    assert "a secret" in caplog.text
    assert site.calls == 0


def test_true_is_whoever_the_app_knows(make: Make) -> None:
    site = make(lambda _: True)
    site.manager.user = lambda: ctx.headers.get("x-user") or ctx.headers.get("X-User")
    job = site.start("plain", {"year": 1}, X_User="ann").json["id"]
    record = site.store.load(job)
    assert record is not None
    assert record.owner == hash_of("ann")
    problem(site.get(f"jobs/{job}"), 404)
    assert site.get(f"jobs/{job}", X_User="ann").status == 200


def test_users_of_a_login_have_their_jobs_and_no_form_can_start_one() -> None:
    app = Dash("app")
    app.layout = html.Div()
    app.server.secret_key = "x"
    logins = flask_login.LoginManager(app.server)

    @logins.user_loader  # pyright: ignore[reportUntypedFunctionDecorator]
    def load(name: str) -> Any:
        user = flask_login.UserMixin()
        vars(user)["id"] = name
        return user

    @app.server.route("/login/<name>")
    def login(name: str) -> str:
        flask_login.login_user(load(name))
        return name

    manager = _inline()

    @app.long_callback(Output("x", "children"), YEAR, manager=manager)
    def work(year: Any) -> Any:
        return year

    http_api(app, [work], authorize=lambda _: flask_login.current_user.get_id())
    client, path = app.server.test_client(), "/api/callbacks/work"
    assert client.post(path, json={"year": 1}).status_code == 401
    client.get("/login/ann")
    job: Any = client.post(path, json={"year": 1}).json
    # As on a page of hers.
    record = manager.job(job["id"], hash_of("ann"))
    assert record is not None
    assert record.owner == hash_of("ann")
    # What a form of another site can send, with her cookies.
    for kind in ("application/x-www-form-urlencoded", "text/plain", "multipart/form-data", None):
        assert client.post(path, data=b'{"year": 1}', content_type=kind).status_code == 415
    assert client.post(f"/api/jobs/{job['id']}", data={"_method": "DELETE"}).status_code == 405


def test_without_authorize_this_machine_alone_is_let_in(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    site = make(None)
    assert "authorize" in caplog.text
    assert site.get("openapi.json").status == 200
    for headers in (
        {"X_Forwarded_For": "1.2.3.4"},
        {"Forwarded": "for=1.2.3.4"},
        {"Host": "example.com"},
        {"Host": "localhost.example.com"},
    ):
        found = problem(site.get("openapi.json", **headers), 403)
        assert "authorize=" in found["detail"]
    site.app.enable_dev_tools(debug=False, dev_tools_ui=True)
    assert site.get("openapi.json", X_Forwarded_For="1.2.3.4").status == 200


def test_without_authorize_another_machine_is_refused() -> None:
    app, declare = declared(Output("x", "children"), YEAR)

    @declare
    def work(year: Any) -> Any: ...

    http_api(app, [work])
    client = app.server.test_client()
    for remote, status in (
        ("127.0.0.1", 200),
        ("::1", 200),
        ("::ffff:127.0.0.1", 200),
        ("10.0.0.1", 403),
        ("", 403),
    ):
        answer = client.get("/api/openapi.json", environ_overrides={"REMOTE_ADDR": remote})
        assert answer.status_code == status, remote


# What is declared


def declared(*args: Any, **kwargs: Any) -> tuple[Dash, Callable[[Any], Any]]:
    app = Dash("app")
    app.layout = html.Div()
    return app, app.long_callback(*args, **kwargs)


def test_what_can_not_be_served_is_refused_in_words() -> None:
    app, declare = declared(Output("x", "children"), YEAR, STYLE)

    @declare
    def work(year: Any, style: Any) -> Any: ...

    for arguments, words in (
        (([],), "names none"),
        (([work, work],), "two of these callbacks are called work"),
        (({"a/b": work},), "would be part of a path"),
        (({"..": work},), "would be part of a path"),
        (([print],), "not the function of a long callback"),
    ):
        with pytest.raises(RegistrationError, match=words):
            http_api(app, *arguments)
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"prefix": "api"}, "a slash in front"),
        ({"prefix": "/api/"}, "none at its end"),
        ({"prefix": "/<x>"}, "must be a path"),
        ({"authorize": "x"}, "must be a function"),
        ({"authorize": _async}, "can't be async"),
    ]
    for options, words in wrong:
        with pytest.raises(RegistrationError, match=words):
            http_api(app, [work], **options)
    http_api(app, [work], authorize=by_token)
    with pytest.raises(RegistrationError, match="already"):
        http_api(app, [work], authorize=by_token)
    http_api(app, [work], authorize=by_token, prefix="/more/v2")
    client = app.server.test_client()
    assert client.get("/more/v2/openapi.json", headers=ANN).status_code == 200
    with pytest.raises(RegistrationError, match="after the first request"):
        http_api(app, [work], prefix="/late")


def test_the_paths_are_below_those_of_the_app() -> None:
    app = Dash("app", requests_pathname_prefix="/proxy/below/", routes_pathname_prefix="/below/")
    app.layout = html.Div()

    @app.long_callback(Output("x", "children"), YEAR, manager=_inline())
    def work(year: Any) -> Any:
        return year

    http_api(app, [work], authorize=by_token, prefix="/v1")
    client = app.server.test_client()
    answer = client.post("/below/v1/callbacks/work", json={"year": 1}, headers=ANN)
    assert answer.headers["Location"].startswith("/proxy/below/v1/jobs/")
    document = client.get("/below/v1/openapi.json", headers=ANN).json
    assert document is not None
    assert document["servers"] == [{"url": "/proxy/below/v1"}]


def _inline() -> Manager:
    store = MemoryStore(retention=60)
    return Manager(store, InlineExecutor(store))


async def _async(_: Any) -> Any: ...


@pytest.mark.parametrize(
    "args, words",
    [
        ((Output("x", "children"), Input({"row": MATCH}, "value")), "only a page can tell"),
        ((Output({"row": ALL}, "children"), YEAR), "only a page can tell"),
    ],
)
def test_a_callback_that_only_a_page_can_start_is_refused(args: Any, words: str) -> None:
    app, declare = declared(*args)
    if "MATCH" in str(args):
        app, declare = declared(Output({"row": MATCH}, "children"), Input({"row": MATCH}, "value"))

    @declare
    def work(value: Any) -> Any: ...

    with pytest.raises(RegistrationError, match=words):
        http_api(app, [work])


def test_arguments_without_names_are_refused_and_those_of_a_dict_have_theirs() -> None:
    app, declare = declared(Output("x", "children"), YEAR)

    @declare
    def work(*values: Any) -> Any: ...

    with pytest.raises(RegistrationError, match="can be given by name"):
        http_api(app, [work])

    @app.long_callback(output=Output("y", "children"), inputs={"a": YEAR}, state={"b": STYLE})
    def named(*, a: int, **more: Any) -> Any:
        return [a, more]

    http_api(app, [named], authorize=by_token)
    served = served_callback("named", named)
    assert set(served.parameters) == {"a", "b"}


# Its description


@pytest.mark.parametrize("make", ["flask"], indirect=True)
def test_the_api_is_described(site: Site) -> None:
    validator = pytest.importorskip("openapi_spec_validator")
    document = site.get("openapi.json").json
    validator.validate(document)
    assert document["servers"] == [{"url": "/api"}]
    assert set(document["paths"]) == {
        "/callbacks/report",
        "/callbacks/plain",
        "/callbacks/kept",
        "/callbacks/hidden-jobs",
        "/jobs/{id}",
        "/jobs/{id}/events",
    }
    call = document["paths"]["/callbacks/report"]["post"]
    assert (call["summary"], call["description"]) == ("Write a report.", "It takes a while.")
    schema = call["requestBody"]["content"]["application/json"]["schema"]
    assert schema == {
        "type": "object",
        "properties": {
            "year": {"type": "integer"},
            "style": {"type": "string", "default": "short"},
        },
        "required": ["year"],
        "additionalProperties": False,
    }


def test_types_are_described_with_and_without_pydantic(monkeypatch: pytest.MonkeyPatch) -> None:
    _, declare = declared(Output("x", "children"), YEAR, STYLE)

    @declare
    def work(year: int | None, style: Any = Dash) -> dict[str, list[float]]: ...

    served = {"work": served_callback("work", work)}
    integer, number = {"type": "integer"}, {"type": "number"}
    wanted = {"type": "object", "additionalProperties": {"type": "array", "items": number}}
    for found in (True, False):
        monkeypatch.setattr("importlib.util.find_spec", lambda _, found=found: found or None)
        schemas = Schemas(served)
        assert schemas.of("work", "year") == {"anyOf": [integer, {"type": "null"}]}
        assert schemas.of("work", "return") == wanted
        assert schemas.arguments(served["work"])["required"] == ["year"]
        assert schemas.of("work", "style") == {}
    assert plain(tuple[int, str]) == {"type": "array", "items": {}}
    assert plain(Dash) == {}
