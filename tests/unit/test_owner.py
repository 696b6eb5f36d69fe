"""Whose a request is, and what others are told of a job, on each of Dash's servers."""

# pyright: reportPrivateUsage=false
from __future__ import annotations

import base64
import contextvars
import json
import uuid
from collections.abc import Callable
from typing import Any

import flask
import pytest
from dash import Input, Output, ctx, html
from inline_page import payload
from web import KINDS, Answer, Browser

from dash_long_callback import Dash, DiskcacheLongCallbackManager, RegistrationError
from dash_long_callback.dash.callbacks import registry
from dash_long_callback.errors import OwnerUnknown
from dash_long_callback.executors.inline import InlineExecutor
from dash_long_callback.fault_log import FaultLog
from dash_long_callback.jobs import new_job_id
from dash_long_callback.managers.base import Manager
from dash_long_callback.server import owner
from dash_long_callback.server.owner import hash_of
from dash_long_callback.server.submit import HEADER, OWNER_HEADER
from dash_long_callback.stores.diskcache import DiskcacheStore

ROUTES = ["updates", "cancel", "leave"]


@pytest.fixture(autouse=True)
def _own_faults(monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction]
    """The end of a fault is logged, too: in the test that had it, and not in the next one."""
    monkeypatch.setattr(owner, "_faults", FaultLog("it can't be told who sends a request"))


def cookie_user() -> str | None:
    return ctx.cookies.get("user")


class Site:
    """An app with a long callback, and its visitors."""

    def __init__(
        self, kind: str, store: DiskcacheStore, user: Callable[[], Any] | None, **declared: Any
    ) -> None:
        self.manager = Manager(store, InlineExecutor(store), user=user)
        options: dict[str, Any] = {} if kind == "flask" else {"backend": kind}
        self.app = Dash("owners", long_callback_manager=self.manager, **options)
        self.app.layout = html.Div()

        @self.app.long_callback(
            Output("out", "children"), Input("in", "value"), context=["headers"], **declared
        )
        def work(value: Any) -> Any:
            return [value, sorted(name.lower() for name in ctx.headers)]

    def visitor(self, user: str | None = None) -> Visitor:
        return Visitor(self, {} if user is None else {"user": user})


class Visitor(Browser):
    """Somebody with cookies."""

    def __init__(self, site: Site, cookies: dict[str, str]) -> None:
        super().__init__(site.app)
        self.site = site
        self.cookies = cookies

    def click(self, name: str | None = None, owner: str | None = None, **more: str) -> Any:
        body = json.dumps(payload(registry.all()[-1], ("v",))).encode()
        headers = {HEADER: name, OWNER_HEADER: owner, **more}
        named = {key.replace("-", "_"): value for key, value in headers.items() if value}
        answer = self.post("_dash-update-component", body, **named)
        assert answer.status == 200, answer
        return answer.json

    def job(self) -> str:
        """A job of this visitor's, that waits."""
        job = registry.all()[-1].call(b"{}", owner=self.owner).job
        self.site.manager.store.create(job, b"{}")
        return job.id

    @property
    def owner(self) -> str | None:
        """What the page that this visitor opens says."""
        return self.config["owner"]

    @property
    def config(self) -> Any:
        page = self.get().body.decode()
        return json.loads(
            page.partition('id="_dash-long-callbacks"')[2].split(">")[1].split("<")[0]
        )

    def ask(self, route: str, job: str) -> Answer:
        jobs = {job: -1} if route == "updates" else [job]
        body = json.dumps({"tab": "t", "jobs": jobs}).encode()
        return self.post(f"_dash-long-callback/{route}", body)


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def site(kind: str, store: DiskcacheStore) -> Site:
    return Site(kind, store, cookie_user)


# What others are told


def test_of_another_s_job_nobody_hears_more_than_of_none(site: Site) -> None:
    ada, job = site.visitor("ada"), site.visitor("ada").job()
    for other in (site.visitor("grace"), site.visitor()):
        for route in ROUTES:
            told, nothing = other.ask(route, job), other.ask(route, new_job_id())
            assert (told.status, told.body) == (nothing.status, nothing.body)
            assert told.status == 404
    assert ada.ask("updates", job).json["jobs"][job]["state"] == "queued", "nobody cancelled it"
    assert ada.ask("cancel", job).status == 200
    assert ada.ask("updates", job).json["jobs"][job]["state"] == "cancelled"


def test_the_name_of_another_s_job_is_none(site: Site) -> None:
    ada, grace = site.visitor("ada"), site.visitor("grace")
    job = ada.click()["job"]
    answer = grace.click(name=job)
    assert answer["job"] != job
    assert answer["news"]["state"] == "succeeded"
    assert grace.ask("updates", answer["job"]).status == 200
    assert grace.ask("updates", job).status == 404
    assert ada.click(name=job)["job"] == job, "her own is still hers"


def test_a_login_loses_nothing_and_a_logout_ends_it(site: Site) -> None:
    somebody = site.visitor()
    job = somebody.job()
    assert somebody.ask("updates", job).status == 200
    somebody.cookies = {"user": "ada", "session": "1"}
    assert somebody.ask("updates", job).status == 200, "asked for before the login"
    job = somebody.job()
    somebody.cookies = {"user": "ada", "session": "renewed"}
    assert somebody.ask("updates", job).status == 200
    somebody.cookies = {}
    answer = somebody.ask("updates", job)
    assert (answer.status, answer.json["owner"]) == (404, None)


def test_the_page_is_told_of_unknown_jobs_who_is_asking(site: Site) -> None:
    ada, grace = site.visitor("ada"), site.visitor("grace")
    mine, hers = grace.job(), ada.job()
    body = json.dumps({"tab": "t", "jobs": {mine: -1, hers: -1}}).encode()
    answer = grace.post("_dash-long-callback/updates", body).json
    assert answer["owner"] == hash_of("grace")
    assert answer["jobs"][hers] is None
    assert answer["jobs"][mine]["state"] == "queued"
    body = json.dumps({"tab": "t", "jobs": {mine: -1}, "others": {hers: -1}}).encode()
    assert "moved" not in grace.post("_dash-long-callback/updates", body).json
    assert "owner" not in grace.ask("updates", mine).json


def test_the_page_says_whose_it_is_and_nothing_of_the_user(site: Site) -> None:
    assert site.visitor("ada").owner == hash_of("ada") == site.visitor("ada").click()["owner"]
    assert site.visitor("grace").owner == hash_of("grace") != hash_of("ada")
    assert site.visitor().owner is None
    assert "ada" not in json.dumps(site.visitor("ada").config)


def test_what_one_has_clicked_does_not_run_as_another(site: Site) -> None:
    ada, grace, nobody = site.visitor("ada"), site.visitor("grace"), site.visitor()
    for other in (grace, nobody):
        name = new_job_id()
        answer = other.click(name, owner=hash_of("ada"))
        assert (answer["news"]["state"], answer["owner"]) == ("failed", other.owner)
        assert answer["news"]["error"]["kind"] == "session"
        assert site.manager.job(name, other.owner) is None
    answer = ada.click(owner=hash_of("ada"))
    assert answer["news"]["state"] == "succeeded"
    value, headers = answer["news"]["response"]["response"]["out"]["children"]
    assert value == "v"
    assert not [header for header in headers if header.startswith("x-long-callback")]


def test_a_page_of_another_does_not_keep_a_job_alive(kind: str, store: DiskcacheStore) -> None:
    site = Site(kind, store, cookie_user, on_disconnect="cancel")
    ada, grace = site.visitor("ada"), site.visitor("grace")
    job = ada.job()
    for route in ("updates", "leave"):
        grace.ask(route, job)
    grace.click(name=job)
    assert not store.is_present(job)
    ada.ask("updates", job)
    assert store.is_present(job)


# A function that fails


class Unlucky(Exception):
    pass


def secret() -> str:
    raise Unlucky("postgres://user:password@host is away")


async def awaited() -> str:
    return "ada"


FAILING: dict[str, Callable[[], Any]] = {
    "raises": secret,
    "an object": object,
    "a coroutine": awaited,
    "a key that is none": lambda: {object(): 1},
    "a set": lambda: {1},
}


@pytest.mark.parametrize("why", FAILING)
def test_a_user_that_can_not_be_told_is_refused_and_never_taken_for_nobody(
    why: str, kind: str, store: DiskcacheStore, caplog: pytest.LogCaptureFixture
) -> None:
    site = Site(kind, store, None)
    visitor = site.visitor()
    job = visitor.job()  # nobody's: whoever knows its id may have it
    site.manager.user = FAILING[why]
    for route in ROUTES:
        answer = visitor.ask(route, job)
        assert (answer.status, answer.json["error"]) == (503, "OwnerUnknown")
        assert b"postgres" not in answer.body
    answer = visitor.click()
    assert (answer["news"]["state"], answer["news"]["error"]["kind"]) == ("failed", "refused")
    assert "postgres" not in json.dumps(answer)
    assert "owner" not in visitor.config, "the page is there, and leaves alone what it remembers"
    assert "it can't be told who sends a request" in caplog.text
    assert (
        "Unlucky" in caplog.text
        if why == "raises"
        else "user= must return" in caplog.text or ("keys must be" in caplog.text)
    )
    site.manager.user = lambda: "ada"
    assert visitor.ask("updates", job).status == 200


def test_a_user_may_abort_the_request(store: DiskcacheStore) -> None:
    site = Site("flask", store, lambda: flask.abort(401))
    visitor = site.visitor()
    body = json.dumps(payload(registry.all()[-1], ("v",))).encode()
    assert visitor.post("_dash-update-component", body).status == 401
    assert visitor.ask("updates", new_job_id()).status == 401
    assert visitor.get().status == 401


def test_a_wrong_user_is_said_at_once(store: DiskcacheStore) -> None:
    for user, words in ((awaited, "must not be async"), ("ada", "must be a function")):
        wrong: Any = user
        with pytest.raises(RegistrationError, match=words):
            Manager(store, InlineExecutor(store), user=wrong)
        with pytest.raises(RegistrationError, match=words):
            DiskcacheLongCallbackManager(user=wrong)


def test_equal_users_are_one_owner_and_others_are_not() -> None:
    same: list[tuple[Any, Any]] = [
        ("ada", "ada"),
        ({"a": 1, "b": [2]}, {"b": [2], "a": 1}),
        (uuid.UUID(int=7), str(uuid.UUID(int=7))),
        (("a", 1), ["a", 1]),
    ]
    assert all(hash_of(one) == hash_of(other) for one, other in same)
    users: list[Any] = ["ada", "Ada", "", 1, "1", True, 1.5, ["ada"], {"id": "ada"}, "\ud800"]
    assert len({hash_of(user) for user in users}) == len(users)
    assert all(len(hash_of(user)) == 32 for user in users)


# What such a function may look at


def test_the_request_is_at_hand_wherever_it_is_called(kind: str, store: DiskcacheStore) -> None:
    looks = {"flask": flask_session, "quart": quart_session, "fastapi": starlette_request}
    site = Site(kind, store, None)
    site.manager.user = looks[kind](site.app)
    ada, grace = site.visitor("ada"), site.visitor("grace")
    assert ada.owner == hash_of("ada")
    assert ada.click()["owner"] == hash_of("ada")
    job = ada.job()
    assert [ada.ask("updates", job).status, grace.ask("updates", job).status] == [200, 404]
    assert [grace.ask("cancel", job).status, ada.ask("cancel", job).status] == [404, 200]
    assert [grace.ask("leave", job).status, ada.ask("leave", job).status] == [404, 200]


def flask_session(app: Dash) -> Callable[[], Any]:
    app.server.secret_key = "secret"

    @app.server.before_request
    def log_in() -> None:  # pyright: ignore[reportUnusedFunction]
        flask.session["user_id"] = flask.request.cookies["user"]

    return lambda: flask.session["user_id"]


def quart_session(app: Dash) -> Callable[[], Any]:
    import quart

    server: Any = app.server
    server.secret_key = "secret"

    @server.before_request
    async def log_in() -> None:  # pyright: ignore[reportUnusedFunction]
        quart.session["user_id"] = quart.request.cookies["user"]

    return lambda: quart.session["user_id"]


def starlette_request(app: Dash) -> Callable[[], Any]:
    user: contextvars.ContextVar[str] = contextvars.ContextVar("user")
    server: Any = app.server

    @server.middleware("http")
    async def log_in(request: Any, call_next: Any) -> Any:  # pyright: ignore[reportUnusedFunction]
        user.set(request.cookies["user"])
        return await call_next(request)

    return user.get


def test_all_of_ctx_that_each_request_has_is_there(site: Site) -> None:
    seen: list[Any] = []

    def look() -> str:
        seen.append((ctx.cookies["user"], ctx.remote, bool(ctx.headers), ctx.path, ctx.origin))
        return "ada"

    site.manager.user = look
    visitor = site.visitor("u")
    visitor.get()
    visitor.click()
    visitor.ask("updates", new_job_id())
    visitor.ask("cancel", new_job_id())
    ends = ["/", "_dash-update-component", "_dash-long-callback/updates"]
    ends.append("_dash-long-callback/cancel")
    assert [one[:3] for one in seen] == [("u", "127.0.0.1", True)] * 4
    assert all(end in path for end, (*_, path, _) in zip(ends, seen, strict=True))


def test_the_user_of_a_callback_s_own_manager_counts_if_the_app_s_has_none(
    store: DiskcacheStore,
) -> None:
    own = Manager(store, InlineExecutor(store), user=cookie_user)
    site = Site("flask", store, None, manager=own)
    assert site.visitor("ada").owner == hash_of("ada") == site.visitor("ada").click()["owner"]
    site.manager.user = lambda: "always"
    assert site.visitor("ada").owner == hash_of("always") == site.visitor("ada").click()["owner"]


# Users who are recognised


def test_users_of_flask_login_are_recognised(store: DiskcacheStore) -> None:
    import flask_login

    class User(flask_login.UserMixin):
        def __init__(self, name: str) -> None:
            self.id = name

    site = Site("flask", store, None)
    login: Any = flask_login.LoginManager(site.app.server)
    login.request_loader(lambda r: User(r.cookies["user"]) if "user" in r.cookies else None)
    site.app.server.secret_key = "secret"
    ada, grace, nobody = (site.visitor(name) for name in ("ada", "grace", None))
    assert (ada.owner, nobody.owner) == (hash_of("ada"), None)
    job = ada.job()
    assert [who.ask("updates", job).status for who in (ada, grace, nobody)] == [200, 404, 404]
    site.manager.user = lambda: "other"
    assert ada.owner == hash_of("other"), "user= comes first"


def basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("secret", [None, "secret"])
@pytest.mark.parametrize("public", [False, True])
def test_users_of_dash_auth_are_recognised_if_their_password_was_checked(
    secret: str | None, public: bool, store: DiskcacheStore
) -> None:
    import dash_auth

    site = Site("flask", store, None)
    more: Any = {"public_routes": ["/_dash-long-callback/updates"]} if public else {}
    if secret:
        more["secret_key"] = secret
    dash_auth.BasicAuth(site.app, {"ada": "1815", "grace": "1906"}, **more)
    client = site.app.server.test_client()

    def ask(job: str, header: str | None) -> int:
        body = {"tab": "t", "jobs": {job: -1}}
        headers = {"Authorization": header} if header else {}
        url = "/_dash-long-callback/updates"
        return client.post(url, json=body, headers=headers).status_code

    click = {
        "output": "out.children",
        "outputs": {"id": "out", "property": "children"},
        "inputs": [{"id": "in", "property": "value", "value": 1}],
        "changedPropIds": ["in.value"],
    }
    headers = {"Authorization": basic("ada", "1815")}
    answer = client.post("/_dash-update-component", json=click, headers=headers)
    job = json.loads(answer.data)["job"]
    record = store.load(job)
    assert record is not None
    # With routes for everybody and without a session, a name may come with any password.
    known = bool(secret) or not public
    assert record.owner == (hash_of("ada") if known else None)
    assert ask(job, basic("ada", "1815")) == 200
    if not public:
        assert ask(job, basic("grace", "1906")) == 404
        assert ask(job, basic("ada", "forged")) == 401
    elif secret:
        client = site.app.server.test_client()  # without the cookie of the session
        assert ask(job, basic("ada", "forged")) == 404
        assert ask(job, None) == 404


def test_an_app_without_either_knows_nobody(kind: str, store: DiskcacheStore) -> None:
    site = Site(kind, store, None)
    visitor = site.visitor("ada")
    assert visitor.owner is None
    job = visitor.click()["job"]
    assert site.visitor("grace").ask("updates", job).status == 200, "who knows the id"


def test_without_a_request_there_is_no_user(store: DiskcacheStore) -> None:
    from dash_long_callback.server.owner import owner_of

    site = Site("flask", store, None)
    assert owner_of(site.app) is None
    site.manager.user = cookie_user
    with pytest.raises(OwnerUnknown):
        owner_of(site.app)
