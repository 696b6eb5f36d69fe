"""Servers that somebody guards: what their routes answer, and what the page brings to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from apps import Server, wait_until
from guarded import guarded_server, source_of, working
from page import Page

pytestmark = pytest.mark.newest_only  # servers are guarded alike on every Dash


class Client(requests.Session):
    """What a page sends for its user, with the cookies that a browser would have.

    Attributes:
        token: against CSRF; None for that of the cookie.
    """

    token: str | None = None

    def __init__(self, server: Server) -> None:
        super().__init__()
        self.url = server.url

    def send_json(self, path: str, body: Any) -> requests.Response:
        token = self.token
        if token is None:
            token = self.cookies.get("_csrf_token") or self.cookies.get("csrf_token")
        return self.post(
            self.url + path,
            json=body,
            headers={"X-CSRFToken": token} if token else {},
            allow_redirects=False,
            timeout=30,
        )

    def run(self) -> requests.Response:
        body = {
            "output": "result.children",
            "outputs": {"id": "result", "property": "children"},
            "inputs": [{"id": "run", "property": "n_clicks", "value": 1}],
            "changedPropIds": ["run.n_clicks"],
        }
        return self.send_json("_dash-update-component", body)

    def job(self) -> str:
        """Start a job."""
        answer = self.run()
        assert answer.ok, answer.text
        return answer.json()["job"]

    def ask(self, job: str) -> requests.Response:
        return self.send_json("_dash-long-callback/updates", {"tab": "t", "jobs": {job: 0}})

    def cancel(self, job: str) -> requests.Response:
        return self.send_json("_dash-long-callback/cancel", {"jobs": [job]})

    def leave(self, job: str) -> requests.Response:
        return self.send_json("_dash-long-callback/leave", {"jobs": [job]})

    def ended(self, job: str) -> dict[str, Any] | None:
        """The news of a job, once it has ended."""
        answer = self.ask(job)
        assert answer.ok, answer.text
        news = answer.json()["jobs"].get(job)
        return news if news and news["ended"] else None

    def outcome(self, job: str) -> Any:
        """The state in which the job has ended, or the result if it has succeeded."""
        news = wait_until(lambda: self.ended(job)) or {}
        if news["state"] != "succeeded":
            return news["state"]
        return news["response"]["response"]["result"]["children"]

    def everything(self, job: str) -> list[requests.Response]:
        """The answers of all routes that know of jobs, and of the one that starts them."""
        return [self.run(), self.ask(job), self.cancel(job), self.leave(job)]


@pytest.fixture(scope="module")
def guard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Server]]:
    """Starts examples, each once for the module."""
    servers: dict[str, Server] = {}

    def server(name: str) -> Server:
        if name not in servers:
            # A page asks anew after 1 s instead of 15: its next question may be refused.
            text = source_of(name).replace("import Dash", "import Dash, Pacing")
            made = "Dash(__name__"
            assert made in text
            text = text.replace(made, f"{made}, long_callback_pacing=Pacing(hold=1)")
            servers[name] = guarded_server(text, tmp_path_factory.mktemp(name))
        return servers[name]

    yield server
    for one in servers.values():
        one.stop()


def tells_nothing(answer: requests.Response, job: str) -> bool:
    """Whether an answer has nothing of the job in it, nor of any other."""
    words = (job, "queued", "running", "succeeded", "cancelled", "of ada", "JobNotFound")
    return not any(word in answer.text for word in words)


@pytest.fixture
def page(blank: Page) -> Page:
    """A page that is not opened yet, without cookies: servers on other ports get the same."""
    blank.driver.execute_cdp_cmd("Network.clearBrowserCookies", {})
    return blank


def use(page: Page, server: Server) -> None:
    """Cancel a job, and let one end."""
    with working(server):
        page.click("#run")
        page.wait_prop("bar", "value", "50")
        page.click("#stop")
        page.wait_idle()
    assert page.text("#result") == ""
    page.click("#run")


# Basic authentication


@pytest.fixture
def basic(guard: Callable[[str], Server]) -> Server:
    return guard("basic")


def with_password(server: Server, name: str, password: str) -> Client:
    client = Client(server)
    client.auth = (name, password)
    return client


@pytest.mark.parametrize("password", [None, "1906"], ids=["none", "wrong"])
def test_without_the_password_each_route_answers_401_and_tells_nothing(
    basic: Server, password: str | None
) -> None:
    ada = with_password(basic, "ada", "1815")
    stranger = with_password(basic, "ada", password) if password else Client(basic)
    with working(basic):
        job = ada.job()
        for name in (job, "a" * 32):
            answers = stranger.everything(name)
            assert [answer.status_code for answer in answers] == [401] * 4
            assert all(tells_nothing(answer, job) for answer in answers)
    assert ada.outcome(job) == "Run 1 of ada is done.", "nobody has cancelled it"


def test_the_page_behind_a_password(basic: Server, page: Page):
    # As if typed into the browser's own question, which no driver can see.
    page.driver.get(basic.url.replace("//", "//ada:1815@"))
    page.open(basic.url)
    use(page, basic)
    page.wait_text("#result", "Run 2 of ada is done.")


# A session


@pytest.fixture
def login(guard: Callable[[str], Server]) -> Server:
    return guard("login")


def logged_in(server: Server, name: str = "ada", password: str = "1815") -> Client:
    client = Client(server)
    log_in(client, name, password)
    return client


def log_in(client: Client, name: str = "ada", password: str = "1815") -> None:
    form = {"name": name, "password": password}
    answer = client.post(client.url + "login", form, allow_redirects=False, timeout=30)
    assert answer.headers["Location"] == "/"


def test_a_page_is_sent_to_the_login_and_a_script_gets_401(login: Server) -> None:
    stranger = Client(login)
    page = stranger.get(login.url, allow_redirects=False, timeout=30)
    assert (page.status_code, page.headers["Location"]) == (302, "/login")
    answers = stranger.everything("a" * 32)
    assert [answer.status_code for answer in answers] == [401] * 4
    assert all(tells_nothing(answer, "a" * 32) for answer in answers)


def test_a_session_that_ends_leaves_the_job_which_tells_its_news_after_the_next_login(
    login: Server,
) -> None:
    ada = logged_in(login)
    with working(login):
        job = ada.job()
        ada.post(login.url + "logout", timeout=30)
        answers = ada.everything(job)
        assert [answer.status_code for answer in answers] == [401] * 4
        assert all(tells_nothing(answer, job) for answer in answers)
    log_in(ada)
    assert ada.outcome(job) == "Run 1 of ada is done."


#: Instead of the guard of the example: each view is guarded, as many do.
VIEW_BY_VIEW = """
from flask_login import login_required

login_manager.login_view = "login"
for name, view in list(server.view_functions.items()):
    if name.startswith(app.config.routes_pathname_prefix):
        server.view_functions[name] = login_required(view)
"""


def test_a_guard_that_sends_everything_to_the_login_guards_our_routes_too(tmp_path: Path) -> None:
    source = source_of("login")
    begin, end = (source.index(f"# --8<-- [{mark}:guard]") for mark in ("start", "end"))
    source = source[:begin] + source[end:].replace("if __name__", VIEW_BY_VIEW + "\n\nif __name__")
    server = guarded_server(source, tmp_path)
    try:
        ada = logged_in(server)
        with working(server):
            job = ada.job()
            for answer in Client(server).everything(job):
                assert (answer.status_code, answer.headers["Location"][:6]) == (302, "/login")
                assert tells_nothing(answer, job)
        assert ada.outcome(job) == "Run 1 of ada is done."
    finally:
        server.stop()


PASSWORDS = {"ada": "1815", "grace": "1906"}


def type_login(page: Page, server: Server, name: str = "ada") -> None:
    page.driver.get(server.url)
    page.type("[name=name]", name)
    page.type("[name=password]", PASSWORDS[name])
    page.click("button")
    page.wait(page.is_idle, "the page behind the login")


def test_the_page_behind_a_login_whose_session_ends(login: Server, page: Page):
    type_login(page, login)
    use(page, login)
    page.wait_text("#result", "Run 2 of ada is done.")
    with working(login):
        page.click("#run")
        page.wait_prop("bar", "value", "50")
        page.driver.delete_all_cookies()  # the session is over
        page.expect_console("401")
        page.wait_error("Your session has expired")
    type_login(page, login)
    page.wait_text("#result", "Run 3 of ada is done.")


# Two users


@pytest.mark.parametrize("name", ["basic", "login"])
def test_of_another_user_s_job_a_user_hears_no_more_than_of_none(
    name: str, guard: Callable[[str], Server]
) -> None:
    server = guard(name)
    log_in = with_password if name == "basic" else logged_in
    ada, grace = log_in(server, "ada", "1815"), log_in(server, "grace", "1906")
    with working(server):
        job = ada.job()
        for told, nothing in zip(grace.everything(job), grace.everything("a" * 32), strict=True):
            assert told.status_code == nothing.status_code
            assert job not in told.text
        assert [grace.ask(job).status_code, grace.cancel(job).status_code] == [404, 404]
        assert grace.ask(job).content == grace.ask("a" * 32).content
    assert ada.outcome(job) == "Run 1 of ada is done.", "nobody has cancelled it"


def remembered(page: Page) -> list[dict[str, Any]]:
    """What the tab remembers."""
    return page.js("return Object.values(sessionStorage).map(JSON.parse).filter(q => q.name)")


def log_out(page: Page) -> None:
    assert page.js("return fetch('/logout', {method: 'POST'}).then(answer => answer.ok)")


def test_who_logs_in_next_in_a_tab_finds_nothing_of_who_was_there(login: Server, page: Page):
    type_login(page, login)
    with working(login):
        page.click("#run")
        page.wait_prop("bar", "value", "50")
        (question,) = remembered(page)
        page.expect_console("/updates - Failed to load resource: .* 401")  # if it asks right then
        log_out(page)
        type_login(page, login, "grace")
        assert page.stays(lambda: page.prop("bar", "value") == "0", 2), "nothing of what runs"
        assert remembered(page) == []
    assert logged_in(login).outcome(question["id"]) == "Run 1 of ada is done."
    assert page.stays(lambda: page.text("#result") == "")
    # A click that has not reached the server when its user goes is nobody else's.
    page.block("*_dash-update-component")
    page.expect_console("ERR_BLOCKED")
    page.click("#run")
    page.wait(lambda: remembered(page), "the click to be remembered")
    log_out(page)
    page.driver.get(login.url)  # away from the page, which would send the click as soon as it can
    page.block()
    type_login(page, login)
    assert remembered(page) == []
    assert page.stays(lambda: (page.text("#result"), page.prop("bar", "value")) == ("", "0"), 2)
    assert page.requests("_dash-update-component") == 0
    page.click("#run")
    page.wait_text("#result", "Run 1 of ada is done.")


def test_a_page_that_is_open_while_another_logs_in(login: Server, page: Page):
    def become(client: Client) -> None:
        """As if that user had logged in in another tab."""
        cookie = {"name": "session", "value": client.cookies["session"], "httpOnly": True}
        page.driver.add_cookie(cookie)

    ada, grace = logged_in(login), logged_in(login, "grace", "1906")
    page.driver.get(login.url)
    become(ada)
    page.open(login.url)
    with working(login):
        page.click("#run")
        page.wait_prop("bar", "value", "50")
        (question,) = remembered(page)
        page.expect_console("404")
        become(grace)
        page.wait_error("SessionExpired: you are not logged in any more, or as another user")
        page.wait_prop("bar", "value", "0")
        assert remembered(page) == []
    assert ada.outcome(question["id"]) == "Run 1 of ada is done."
    assert page.stays(lambda: page.text("#result") == "")
    page.click("#run")
    page.wait_text("#result", "Run 2 of grace is done.")  # as any callback of this page
    # Sent again when its user is gone, a click is refused.
    page.block("*_dash-update-component")
    page.expect_console("ERR_BLOCKED")
    page.click("#run")
    page.wait(lambda: remembered(page), "the click to be remembered")
    become(ada)
    page.block()
    page.wait_error("session has expired")
    assert page.text("#result") == "Run 2 of grace is done."
    page.click("#run")
    page.wait_text("#result", "Run 4 of ada is done.")


#: An app with a session of its own, that shows its page to all; ``/as/ada`` logs in.
OWN_SESSION = """
from flask import session
from dash import Input, Output, html
from dash_long_callback import Dash, DiskcacheLongCallbackManager
from in_app import note, serve, wait_for

manager = DiskcacheLongCallbackManager(user=lambda: session.get("user_id"))
app = Dash(__name__, long_callback_manager=manager)
app.server.secret_key = "of this server"
app.layout = html.Div([html.Button("run", id="run"), html.P("-", id="state"),
                       html.P("-", id="result")])

@app.server.route("/as/<name>")
def log_in(name):
    session.clear()
    session["user_id"] = name
    session["renewed"] = session.get("renewed", 0) + 1
    return "hello"

@app.server.route("/out")
def log_out():
    session.clear()
    return "bye"

@app.long_callback(Output("result", "children"), Input("run", "n_clicks"),
                   running=(Output("state", "children"), "on", "off"), prevent_initial_call=True)
def work(n):
    note("work", n)
    wait_for("work")
    return f"done {n}"

if __name__ == "__main__":
    serve(app)
"""


def test_neither_a_login_nor_a_session_that_expires_loses_a_job(
    serve: Callable[..., Server], page: Page
):
    server = serve(OWN_SESSION)
    # The page may ask between a login and the reload: for a job that is another's by then.
    page.expect_console("/updates - Failed to load resource: .* 404")
    page.expect_console("Callback error updating result.children")

    def go(path: str) -> None:
        assert page.js("return fetch(arguments[0]).then(answer => answer.ok)", path)
        page.driver.refresh()
        page.wait(page.is_idle, "the page")

    def click(number: int) -> None:
        page.click("#run")
        server.wait_for_note("work", number)
        page.wait_text("#state", "on")

    page.open(server.url)
    click(1)
    go("/as/ada")
    page.wait_text("#state", "on")  # it was asked for before the login
    go("/as/ada")
    page.wait_text("#state", "on")  # with another session
    go("/out")
    server.open_gate("work")
    page.wait_text("#result", "done 1")  # nobody's: the tab may know it
    server.close_gate("work")
    go("/as/ada")
    click(2)
    go("/out")
    assert page.stays(lambda: page.text("#state") == "-", 1.5), "hers, and she is not logged in"
    assert [question.get("payload") for question in remembered(page)] == [None]
    go("/as/ada")
    page.wait_text("#state", "on")
    go("/as/grace")
    assert page.stays(lambda: page.text("#state") == "-", 1.5)
    assert remembered(page) == []
    server.open_gate("work")
    # A login by a callback leaves the page as it is: it learns of it by the next answer.
    go("/out")
    assert page.js("return fetch('/as/ada').then(answer => answer.ok)")
    server.close_gate("work")
    click(3)
    page.wait(lambda: remembered(page)[0]["owner"], "the answer")
    page.driver.refresh()
    page.wait_text("#state", "on")
    server.open_gate("work")
    page.wait_text("#result", "done 1")
    assert len(server.notes("work")) == 3


# Cross-site request forgery

#: Dash takes other names for the token since version 4.
WTF = pytest.param("csrf_wtf", marks=pytest.mark.newest_only)


@pytest.fixture(params=["csrf", WTF])
def csrf(request: pytest.FixtureRequest, guard: Callable[[str], Server]) -> Server:
    return guard(request.param)


def visitor(server: Server) -> Client:
    """Somebody who has opened the page, and so has the cookies."""
    client = Client(server)
    assert client.get(server.url, timeout=30).ok
    return client


@pytest.mark.parametrize("token", ["", "forged"], ids=["without", "with another"])
def test_a_post_is_refused_without_the_token_that_belongs_to_the_session(
    token: str, csrf: Server
) -> None:
    user = visitor(csrf)
    # The script of another site: the browser adds the cookies, but no script can read them.
    forger = Client(csrf)
    forger.cookies.update(user.cookies)
    forger.token = token
    with working(csrf):
        job = user.job()
        answers = forger.everything(job)
        assert all(answer.status_code in (400, 403) for answer in answers), answers
        assert all("CSRF" in answer.text for answer in answers), "not for another reason"
        assert all(tells_nothing(answer, job) for answer in answers)
    assert user.outcome(job) == "Run 1 is done.", "nobody has cancelled it"


def test_the_page_sends_the_token(csrf: Server, page: Page):
    page.open(csrf.url)
    use(page, csrf)
    page.wait_text("#result", "Run 2 is done.")


#: What frameworks write into the cookie, and the token that they mean.
TOKENS = {"a-b.c": "a-b.c", "a%2Fb%3D%3D": "a/b==", "100%": "100%"}

OWN_CHECK = """
import os, flask
from dash import Input, Output, html
from dash_long_callback import Dash
from in_app import serve

app = Dash(__name__)
app.layout = html.Div([html.Button("run", id="run"), html.P(id="quick"), html.P(id="result")])

@app.server.before_request
def check():
    if flask.request.method == "POST" and flask.request.headers.get("X-CSRFToken") not in TOKENS:
        return "CSRF", 403

@app.callback(Output("quick", "children"), Input("run", "n_clicks"), prevent_initial_call=True)
def quick(n):
    return f"quick {n}"

@app.long_callback(Output("result", "children"), Input("run", "n_clicks"),
                   prevent_initial_call=True)
def work(n):
    return f"done {n}"

if __name__ == "__main__":
    serve(app)
"""


def test_a_token_is_read_from_its_cookie_as_the_renderer_reads_it(
    serve: Callable[..., Server], tmp_path: Path, page: Page
):
    source = OWN_CHECK.replace("TOKENS", repr(set(TOKENS.values())))
    server = serve(source, env={"XDG_CACHE_HOME": str(tmp_path / "cache")})
    page.open(server.url)
    for number, cookie in enumerate(TOKENS, 1):
        page.js("document.cookie = '_csrf_token=' + arguments[0]", cookie)
        page.click("#run")
        page.wait_text("#quick", f"quick {number}")
        page.wait_text("#result", f"done {number}")
