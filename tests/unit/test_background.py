"""Callbacks with ``background=True`` that a manager of ours is to run."""

# pyright: reportPrivateUsage=false, reportUnknownMemberType=false
from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from contextvars import Context
from typing import Any

import dash
import pytest
from dash import Input, Output, State, html
from dash.background_callback.managers import BaseBackgroundCallbackManager
from dash.exceptions import BackgroundCallbackError, MissingLongCallbackManagerError
from dash_extensions.enrich import DashProxy, MultiplexerTransform
from web import KINDS, Browser

from dash_long_callback import Dash, RegistrationError, plug
from dash_long_callback.dash import background
from dash_long_callback.dash.callbacks import LongCallback, registry
from dash_long_callback.dash.client_config import client_config
from dash_long_callback.executors.inline import InlineExecutor
from dash_long_callback.managers.base import Manager
from dash_long_callback.server.pacing import Capacity
from dash_long_callback.server.route import Request
from dash_long_callback.stores.diskcache import DiskcacheStore

OUT, IN = Output("out", "children"), Input("in", "value")
BAR = Output("bar", "value")


def work(value: Any) -> Any:
    return f"{value} done"


def report(set_progress: Any, value: Any) -> Any:
    return value


def make(manager: Any, cls: Any = dash.Dash, **kwargs: Any) -> Any:
    app = cls("app", background_callback_manager=manager, **kwargs)
    app.layout = html.Div()
    app.server.config["PROPAGATE_EXCEPTIONS"] = True
    return app


def load(app: Any) -> None:
    assert app.server.test_client().get("/").status_code == 200


def taken(app: Any) -> list[LongCallback]:
    load(app)
    return [c for c in registry.all() if app.callback_map.get(c.callback_id)]


def body(value: Any, output: str = "out") -> dict[str, Any]:
    return {
        "output": f"{output}.children",
        "outputs": {"id": output, "property": "children"},
        "inputs": [{"id": "in", "property": "value", "value": value}],
        "state": [],
        "changedPropIds": ["in.value"],
    }


def click(app: Any, value: Any, output: str = "out") -> Any:
    client = app.server.test_client()
    answer = client.post("/_dash-update-component", json=body(value, output))
    assert answer.status_code == 200
    return result(json.loads(answer.get_data()), output)


def result(answer: Any, output: str = "out") -> Any:
    return answer["news"]["response"]["response"][output]["children"]


@pytest.mark.parametrize("cls", [dash.Dash, Dash])
@pytest.mark.parametrize("named", [True, False], ids=["its own manager", "the app's"])
@pytest.mark.parametrize("declared", ["by the app", "after it", "before it"])
def test_a_click_runs_it_also_if_it_is_the_first_request(
    manager: Manager, cls: Any, named: bool, declared: str
) -> None:
    own: Any = {"manager": manager} if named else {}
    if declared == "before it":
        dash.callback(OUT, IN, background=True, **own)(work)
    app = make(None if named else manager, cls)
    if declared != "before it":
        callback = app.callback if declared == "by the app" else dash.callback
        callback(OUT, IN, background=True, **own)(work)
    assert click(app, 5) == "5 done"
    [callback] = taken(app)
    assert callback.function is work
    assert [spec["background"] for spec in app._callback_list] == [None]


def test_all_options_are_those_of_a_long_callback(manager: Manager) -> None:
    app = make(manager)
    app.callback(
        output=[OUT],
        inputs=[IN, State("s", "v")],
        background=True,
        interval=0,
        running=[(Output("r", "disabled"), True, False)],
        progress=Output("bar", "value"),
        progress_default=5,
        cancel=Input("stop", "n_clicks"),
        cache_args_to_ignore=[1, 7],
        cache_ignore_triggered=False,
        on_error=print,
        prevent_initial_call=True,
    )(lambda set_progress, a, b: [a])
    [callback] = taken(app)
    options = callback.options
    assert options.interval == 0
    assert repr(options.running) == repr([(Output("r", "disabled"), True, False)])
    assert repr(options.progress) == repr([Output("bar", "value")])
    assert options.progress_default == [5]
    assert repr(options.cancel) == repr([Input("stop", "n_clicks")])
    assert options.cache_args_to_ignore == [1], "Dash takes what there is not, too"
    assert (options.cache_ignore_triggered, options.on_error) == (False, print)
    assert callback.registration.spec["prevent_initial_call"] is True
    helpers = [spec["clientside_function"]["function_name"] for spec in app._callback_list]
    assert sorted(helpers) == ["..out.children..", "cancel"]


def test_the_interval_that_all_have_is_not_asked_for(manager: Manager) -> None:
    app = make(manager)
    app.callback(OUT, IN, background=True)(work)
    app.callback(Output("none", "children"), IN, background=True, interval=None)(work)  # pyright: ignore[reportArgumentType]
    assert [callback.options.interval for callback in taken(app)] == [None, None]


def test_an_app_may_get_its_manager_after_it_is_made(manager: Manager) -> None:
    app = make(None)
    app._background_manager = manager
    app.callback(OUT, IN, background=True)(work)
    assert click(app, 5) == "5 done"


def test_without_a_manager_of_dash_s_the_app_s_long_callback_manager_runs_it(
    manager: Manager,
) -> None:
    app = Dash("app", long_callback_manager=manager)
    app.layout = html.Div()
    app.callback(OUT, IN, background=True)(work)
    assert click(app, 5) == "5 done"
    plain = make(None)
    plain.callback(OUT, IN, background=True)(work)
    with pytest.raises(MissingLongCallbackManagerError):
        click(plain, 5)


def test_of_an_app_without_a_manager_only_those_of_its_callbacks_are_asked(
    manager: Manager,
) -> None:
    app = make(None)
    app.callback(OUT, IN, background=True, manager=manager)(work)
    load(app)
    request = Request(b"", app, Capacity(holds=1, rate=1.0))
    assert request.managers == [manager]


def test_a_cell_that_runs_again_replaces_it(manager: Manager) -> None:
    app = make(manager)
    for text in ("one", "two"):
        cell: dict[str, Any] = {"__name__": "__main__"}
        exec(f"def work(value):\n    return '{text}'", cell)
        app.callback(OUT, IN, background=True)(cell["work"])
        load(app)
        assert click(app, 5) == text
    assert len(app._callback_list) == 1


def test_two_that_set_the_same_are_refused_each_time(manager: Manager) -> None:
    app = make(manager)
    app.callback(OUT, Input("other", "value"))(report)
    app.callback(OUT, IN, background=True)(work)
    for _ in range(2):
        with pytest.raises(RegistrationError, match=r"callback .* both set out\.children"):
            load(app)


# What such code is used to


def broken(value: Any) -> Any:
    raise ValueError("it is <broken>")


def answer(app: Any) -> Any:
    sent = app.server.test_client().post("/_dash-update-component", json=body(5))
    return json.loads(sent.get_data())["news"]


def test_the_dev_tools_have_the_page_that_dash_would_make(manager: Manager) -> None:
    app = make(manager)
    app.enable_dev_tools(debug=False, dev_tools_ui=True)
    app.callback(OUT, IN, background=True)(broken)
    page = answer(app)["error"]["html"]
    wording = "An error occurred inside a background callback: it is &lt;broken&gt;"
    assert f'<p class="errormsg">dash.exceptions.BackgroundCallbackError: {wording}' in page
    assert "raise ValueError(" in page


def test_a_page_of_production_has_nothing_of_an_error(manager: Manager) -> None:
    app = make(manager)
    app.callback(OUT, IN, background=True)(broken)
    assert answer(app)["error"].keys() == {"kind", "message", "user", "ref"}
    assert "broken" not in json.dumps(answer(app))


def test_on_error_gets_dash_s_error_and_its_cause(manager: Manager) -> None:
    seen: list[Any] = []
    app = make(manager)
    app.callback(OUT, IN, background=True, on_error=lambda error: seen.append(error) or "told")(
        broken
    )
    assert click(app, 5) == "told"
    [error] = seen
    assert isinstance(error, BackgroundCallbackError)
    assert str(error).startswith(
        "An error occurred inside a background callback: it is <broken>\nTraceback"
    )
    assert repr(error.__cause__) == "ValueError('it is <broken>')"


def test_an_on_error_that_raises_again_ends_the_job_by_what_the_function_raised(
    manager: Manager, caplog: pytest.LogCaptureFixture
) -> None:
    def again(error: Exception) -> None:
        raise error

    app = make(manager)
    app.enable_dev_tools(debug=False, dev_tools_ui=True)
    app.callback(OUT, IN, background=True, on_error=again)(broken)
    assert answer(app)["error"]["type"] == "ValueError"
    assert "its on_error failed" not in caplog.text


@pytest.mark.parametrize(
    "outputs, given, told",
    [
        (BAR, "value", ["value"]),
        (BAR, ["first", "second"], ["first"]),
        ([BAR, Output("bar", "max")], ("1", "2", "too many"), ["1", "2"]),
    ],
    ids=["a value", "a list for one output", "too many"],
)
def test_set_progress_takes_what_dash_s_does(
    manager: Manager, outputs: Any, given: Any, told: list[Any]
) -> None:
    def work(set_progress: Any, value: Any) -> Any:
        set_progress(given)
        return f"{value} done"

    app = make(manager)
    app.callback(OUT, IN, background=True, progress=outputs)(work)
    news = answer(app)
    assert news["updates"] == [[n, value] for n, value in enumerate(told)]


def test_progress_without_a_default_stays_and_one_with_it_begins_without(manager: Manager) -> None:
    app = make(manager)
    app.callback(OUT, IN, background=True, progress=BAR)(report)
    other = Output("other", "children")
    app.callback(other, IN, background=True, progress=Output("b", "value"), progress_default=0)(
        report
    )
    given = Output("given", "children")
    app.callback(given, IN, background=True, progress=Output("c", "value"), progress_default=5)(
        report
    )
    kept, falsy, default = taken(app)
    told = [client_config(one, manager) for one in (kept, falsy, default)]
    assert [(one["keeps"], one["defaults"]) for one in told] == [
        (True, None),
        (True, None),  # as in Dash
        (False, [5]),
    ]
    names = [spec["clientside_function"]["function_name"] for spec in app._callback_list]
    assert not [name for name in names if name.startswith("default")]


def test_a_job_has_cookies_and_headers_with_any_manager(manager: Manager) -> None:
    manager.context = frozenset({"path"})  # as that for Celery

    def work(value: Any) -> Any:
        return f"{dash.ctx.cookies['a']} {dash.ctx.headers['X-Of']}"

    app = make(manager)
    app.callback(OUT, IN, background=True)(work)
    client = app.server.test_client()
    client.set_cookie("a", "cookie")
    sent = client.post("/_dash-update-component", json=body(5), headers={"X-Of": "header"})
    assert result(json.loads(sent.get_data())) == "cookie header"


# Beside Dash's own


class DashManager(BaseBackgroundCallbackManager):
    """In the place of one of Dash's own."""

    def __init__(self) -> None:
        super().__init__(None)
        self.ran: list[Any] = []

    def make_job_fn(self, fn: Any, progress: Any, key: Any = None) -> Any:
        return fn

    def call_job_fn(self, key: Any, job_fn: Any, args: Any, context: Any) -> str:
        self.ran.append(job_fn(*args))
        return "1"


@pytest.fixture
def theirs() -> Any:
    one = DashManager()
    yield one
    BaseBackgroundCallbackManager.managers.remove(one)


def test_what_dash_s_own_manager_runs_is_left_to_it(manager: Manager, theirs: Any) -> None:
    app = make(theirs)
    app.callback(OUT, IN, background=True)(work)
    app.callback(Output("ours", "children"), IN, background=True, manager=manager)(work)
    other = make(manager)
    other.callback(OUT, IN, background=True, manager=theirs)(work)
    assert [c.callback_id for c in taken(app)] == ["ours.children"]
    assert click(app, 5, "ours") == "5 done"
    assert taken(other) == []
    for one in (app, other):
        [spec] = [spec for spec in one._callback_list if spec["output"] == "out.children"]
        assert spec["background"] == {"interval": 1000}
        with pytest.raises(KeyError):
            click(one, 6)  # the answer is that of Dash
    assert theirs.ran == ["6 done", "6 done"]


def test_a_manager_with_methods_for_dash_is_refused(manager: Manager) -> None:
    class Mine(Manager):
        def call_job_fn(self, *args: Any) -> Any:
            raise AssertionError

    class Both(Manager, BaseBackgroundCallbackManager):
        pass

    for cls, method in ((Mine, "call_job_fn() from Mine"), (Both, "from BaseBackground")):
        app = make(cls(manager.store, manager.executor))
        app.callback(OUT, IN, background=True)(work)
        with pytest.raises(RegistrationError) as error:
            load(app)
        told = str(error.value)
        assert f"the background callback work: its manager, a {cls.__name__}, has " in told
        assert method in told


def test_a_subclass_that_adds_something_of_its_own_is_taken(manager: Manager) -> None:
    class Mine(Manager):
        def statistics(self) -> int:
            return 1

    app = make(Mine(manager.store, manager.executor))
    app.callback(OUT, IN, background=True)(work)
    assert click(app, 5) == "5 done"


def test_two_managers_of_ours_are_refused(manager: Manager) -> None:
    other = Manager(manager.store, manager.executor)
    with pytest.raises(RegistrationError, match="are two managers"):
        plug(make(manager), other)


def test_a_wrapper_that_is_not_dash_s_is_refused_in_words(manager: Manager) -> None:
    app = make(manager)
    app.callback(OUT, IN, background=True)(work)
    app.callback_map["out.children"]["callback"] = work
    for _ in range(2):
        with pytest.raises(RegistrationError, match="Dash does not keep what it was declared with"):
            load(app)


def test_several_requests_may_be_the_first(manager: Manager) -> None:
    for number in range(20):
        dash.callback(Output(f"out-{number}", "children"), IN, background=True)(work)
    app = make(manager)
    app.callback(OUT, IN, background=True)(work)
    together = threading.Barrier(8)
    answers: list[Any] = []

    def first(number: int) -> None:
        together.wait()
        answers.append(click(app, number, f"out-{number}"))

    threads = [threading.Thread(target=first, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [f"{number} done" for number in range(8)]
    assert len(taken(app)) == 21


@pytest.mark.parametrize("kind", KINDS)
def test_any_server_runs_them(manager: Manager, kind: str) -> None:
    options: Any = {} if kind == "flask" else {"backend": kind}
    app = dash.Dash("app", background_callback_manager=manager, **options)  # pyright: ignore[reportArgumentType]
    app.layout = html.Div()
    app.callback(OUT, IN, background=True)(work)
    answer = Browser(app).post("_dash-update-component", json.dumps(body(5)).encode())
    assert result(answer.json) == "5 done"


# In a worker


def test_a_worker_has_them_without_a_request(manager: Manager) -> None:
    app = make(manager)
    app.callback(OUT, IN, background=True)(work)
    dash.callback(Output("free", "children"), IN, background=True)(work)
    background.take_over(app)
    assert {c.callback_id for c in registry.all()} == {"out.children", "free.children"}


def test_a_worker_without_an_app_has_those_without_one() -> None:
    dash.callback(OUT, IN, background=True)(work)
    dash.callback(Output("not", "ours"), IN, background=True, manager=object())(work)  # pyright: ignore[reportArgumentType]
    background.settle()
    assert [c.callback_id for c in registry.all()] == ["out.children"]


def test_it_is_the_same_where_it_is_sent(manager: Manager) -> None:
    app = make(manager)
    app.callback(OUT, IN, background=True, progress=Output("bar", "value"))(report)
    [callback] = taken(app)
    sent = callback.by_value(whole=True)()
    assert sent.key == callback.key
    assert sent.conventions is callback.conventions
    assert sent.options.progress == callback.options.progress


# DashProxy


def test_dash_proxy_with_a_manager_of_a_callback_alone_is_to_be_plugged(manager: Manager) -> None:
    app = make(None, DashProxy)
    app.callback(OUT, IN, background=True, manager=manager)(work)
    with pytest.raises(RegistrationError, match=r"write app = plug\(DashProxy"):
        load(app)
    app = plug(make(None, DashProxy))
    app.callback(OUT, IN, background=True, manager=manager)(work)
    assert click(app, 5) == "5 done"


def test_dash_proxy_transforms_them_first(manager: Manager) -> None:
    app = make(manager, DashProxy, transforms=[MultiplexerTransform()])
    app.callback(OUT, IN, background=True)(work)
    dash.callback(Output("free", "children"), IN, background=True)(work)
    assert click(app, 5) == "5 done"
    assert click(app, 6, "free") == "6 done"


# Dash's MCP server


class Mcp:
    """A client of an app's MCP server."""

    def __init__(self, app: Any) -> None:
        self._client = app.server.test_client()

    def call(self, method: str, **params: Any) -> Any:
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        # Dash leaves the app of the last callback in the context, where each request has its own.
        answer = Context().run(self._client.post, "/_mcp", json=message)
        answer = json.loads(answer.get_data())
        return answer.get("result", answer)

    def tool(self, name: str, **arguments: Any) -> Any:
        found = self.call("tools/call", name=name, arguments=arguments)
        try:
            return json.loads(found["content"][0]["text"])
        except ValueError:
            return found["content"][0]["text"]


def mcp_app(manager: Manager, function: Any = work, **kwargs: Any) -> Any:
    app = make(manager, enable_mcp=True)
    app.layout = html.Div([html.Div(id="in"), html.Div(id="out"), html.Div(id="bar")])
    app.callback(OUT, IN, background=True, interval=70, **kwargs)(function)
    return app


@pytest.mark.newest_only
def test_mcp_starts_a_task_and_gets_its_result(manager: Manager) -> None:
    mcp = Mcp(mcp_app(manager))
    tools = {tool["name"]: tool for tool in mcp.call("tools/list")["tools"]}
    assert {"work", "get_background_task_result", "cancel_background_task"} <= tools.keys()
    assert list(tools["work"]["inputSchema"]["properties"]) == ["value"]
    task = mcp.tool("work", value=5)
    assert (task["status"], task["pollInterval"]) == ("working", 70)
    result = mcp.tool("get_background_task_result", taskId=task["taskId"])
    assert result["response"] == {"out": {"children": "5 done"}}


class Later(InlineExecutor):
    """Runs jobs when it is told to."""

    def __init__(self, store: Any) -> None:
        super().__init__(store)
        self.waiting: list[Any] = []

    def start(self, job: Any) -> None:
        self.waiting.append(job)

    def run(self) -> None:
        """Run those that wait."""
        while self.waiting:
            super().start(self.waiting.pop(0))


@pytest.fixture
def later(store: DiskcacheStore) -> Manager:
    return Manager(store, Later(store))


def begin(app: Any, value: Any = 5) -> tuple[Mcp, str]:
    mcp = Mcp(app)
    made = mcp.call("tools/call", name="work", arguments={"value": value}, task={"ttl": 60_000})
    assert made["task"]["status"] == "working"
    return mcp, made["task"]["taskId"]


@pytest.mark.newest_only
def test_mcp_asks_for_the_state_of_a_task_until_it_has_ended(later: Any) -> None:
    mcp, task = begin(mcp_app(later))
    assert mcp.call("tasks/get", taskId=task)["status"] == "working"
    assert mcp.tool("get_background_task_result", taskId=task)["status"] == "working"
    assert "not ready" in str(mcp.call("tasks/result", taskId=task)["error"])
    later.executor.run()
    found = mcp.call("tasks/get", taskId=task)
    assert (found["status"], found["pollInterval"], found["ttl"]) == ("completed", 70, 60_000)
    for _ in range(2):  # a result may be asked for again
        result = mcp.call("tasks/result", taskId=task)
        assert result["structuredContent"]["response"] == {"out": {"children": "5 done"}}


@pytest.mark.newest_only
def test_mcp_cancels_a_task(later: Any) -> None:
    mcp, task = begin(mcp_app(later))
    assert mcp.tool("cancel_background_task", taskId=task)["status"] == "cancelled"
    assert mcp.call("tasks/get", taskId=task)["status"] == "failed"
    later.executor.run()
    assert mcp.call("tasks/get", taskId=task)["status"] == "failed"


def fails(value: Any) -> Any:
    raise ValueError("it is broken")


fails.__name__ = "work"


@pytest.mark.newest_only
def test_mcp_is_told_of_an_error(manager: Manager) -> None:
    mcp, task = begin(mcp_app(manager, fails))
    assert mcp.call("tasks/get", taskId=task)["status"] == "completed"
    told = str(mcp.call("tasks/result", taskId=task)["error"])
    assert "An error occurred inside a background callback: it is broken" in told


@pytest.mark.newest_only
def test_mcp_sees_progress_and_what_set_props_sets(manager: Manager) -> None:
    def work(set_progress: Any, value: Any) -> Any:
        set_progress(f"at {value}")
        dash.set_props("bar", {"title": "set"})
        return value

    app = mcp_app(manager, work, progress=[Output("bar", "children")])
    mcp = Mcp(app)
    tool = next(t for t in mcp.call("tools/list")["tools"] if t["name"] == "work")
    assert list(tool["inputSchema"]["properties"]) == ["value"]
    mcp, task = begin(app)
    assert mcp.call("tasks/get", taskId=task)["statusMessage"] == "['at 5']"
    result = mcp.call("tasks/result", taskId=task)["structuredContent"]
    assert result["sideUpdate"] == {"bar": {"title": "set"}}


@pytest.mark.newest_only
def test_mcp_takes_back_only_the_names_that_it_was_given(manager: Manager) -> None:
    mcp, task = begin(mcp_app(manager))
    tool, job, key, *rest = task.split(":")
    job = job.partition("~")[0]
    for forged in (f"{tool}:{job}:{job}:{rest[0]}", f"{tool}:x~y:{key}:{rest[0]}"):
        assert "Invalid taskId" in str(mcp.call("tasks/get", taskId=forged)["error"])


@pytest.mark.newest_only
def test_mcp_is_told_why_a_task_can_t_be_started(manager: Manager) -> None:
    def user() -> str:
        raise LookupError("nobody knows")

    manager.user = user
    mcp = Mcp(mcp_app(manager))
    found = mcp.call("tools/call", name="work", arguments={"value": 1})
    assert found["isError"]
    assert "OwnerUnknown" in found["content"][0]["text"] or "failed" in found["content"][0]["text"]


@pytest.mark.newest_only
def test_another_web_process_takes_the_names_of_the_first(
    store: DiskcacheStore, manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, task = begin(mcp_app(manager))
    with monkeypatch.context() as other:
        other.setattr(registry, "_by_id", {})
        again = Manager(store, InlineExecutor(store))
        found = Mcp(mcp_app(again)).call("tasks/result", taskId=task)
    assert found["structuredContent"]["response"] == {"out": {"children": "5 done"}}


LATE = """
import dash
from dash import Input, Output, callback, html

app = dash.Dash("app")
app.layout = html.Div()

from dash_long_callback.compat import DiskcacheManager

manager = DiskcacheManager()

@callback(Output("a", "b"), Input("c", "d"), cancel=Input("x", "n"), manager=manager,
          background=True, prevent_initial_call=True)
def work(value):
    return value

first = app.server.test_client().get("/_dash-dependencies").get_json()
[told] = [one for one in first if one["output"] == "a.b"]
page = app.server.test_client().get("/").get_data(as_text=True)
[spec] = [one for one in app._callback_list if one["output"] == "a.b"]
cancels = '"cancel":[{"id":"x"' in page.replace(": ", ":")
print(told["background"], spec["background"], cancels)
manager.stop()
"""


def test_an_app_that_was_made_before_this_package_is_imported_has_them_too(tmp_path: Any) -> None:
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", LATE],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "None None True"
