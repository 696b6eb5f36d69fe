"""Callbacks that a worker can't have by import: of a class, below the main guard, of a factory."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from celery_stack import Stack
from engine import EngineServer

# A script whose app is made below its main guard

SCRIPT = '''
"""What is above the guard is what workers import; they never come to what is below."""
import concurrent.futures, dataclasses, enum, functools, multiprocessing, os, sys, threading
import dash
from dash import Input, Output, dcc, html
from joblib import Parallel, delayed
from dash_long_callback import Dash, DiskcacheLongCallbackManager

lock = threading.Lock()
runs = 0
setting = "imported"


class Colour(enum.Enum):
    RED = 1


@dataclasses.dataclass
class Point:
    x: int


class Unknown:
    def __init__(self):
        self.connection = [threading.Lock()]


def square(x):
    return x * x


def twice(function):
    @functools.wraps(function)
    def wrapper(*args):
        return 2 * function(*args)
    return wrapper


doubled = twice(square)
table = {"plus": lambda x: x + 1}


def move(point):
    return Point(point.x + 1), Colour.RED


def is_ours(pairs):
    return [isinstance(p, Point) and c is Colour.RED and p.x for p, c in pairs]


class Dashboard:
    kind = "class"

    def __init__(self, factor):
        self.factor = factor
        self.app = Dash(
            __name__,
            url_base_pathname="/",
            assets_url_path="a",
            long_callback_manager=DiskcacheLongCallbackManager(start_method=os.environ["START"]),
        )
        self.server = self.app.server
        self.manager = self.app.long_callback_manager
        self.names = []
        self.app.layout = self.layout

    def layout(self):
        return html.Div([dcc.Store(id="order"), *(html.P(id=name) for name in self.names)])

    def add(self, name, function):
        self.names.append(name)
        self.app.long_callback(
            Output(name, "children"), Input("order", "data"), prevent_initial_call=True
        )(function)

    # What the worker has of the app

    def work(self, n):
        return str(self.factor * n)

    def paths(self, n):
        return [self.app.get_asset_url("x.png"), dash.get_asset_url("y.png"),
                dash.get_app().config.name, isinstance(self, Dashboard)]

    def missing(self, part):
        return getattr(getattr(self, part), {"app": "layout", "server": "config"}.get(part, "news"))

    # Kinds of functions

    async def wait(self, n):
        return f"waited {self.factor * n}"

    def steps(self, n):
        yield "first"
        yield f"last {self.factor * n}"

    async def async_steps(self, n):
        yield f"only {self.factor * n}"

    @staticmethod
    def static(n):
        return f"static {square(n)}"

    @classmethod
    def of_class(cls, n):
        return f"{cls.kind} {cls is Dashboard}"

    def __call__(self, n):
        return f"called {self.factor * n}"


def with_factor(factor, n):
    return f"partial {factor * n}"


def pools(n):
    """What others do to functions of the script: by value, by name, in each kind of child."""
    points = [Point(1), Point(2)]
    found = {"joblib": is_ours(Parallel(n_jobs=2)(delayed(move)(p) for p in points))}
    found["more"] = Parallel(n_jobs=2)(
        [delayed(doubled)(3), delayed(table["plus"])(1), delayed(functools.partial(pow, 2))(3),
         delayed(square)(4)]
    )
    with concurrent.futures.ProcessPoolExecutor(2) as executor:
        found["futures"] = is_ours(executor.map(move, points))
    for method in ("fork", "spawn", "forkserver"):
        with multiprocessing.get_context(method).Pool(1) as pool:
            found[method] = is_ours(pool.map(move, points)) + pool.map(square, [3])
    return found


def count(n):
    """On the module that the worker has itself, lock and all."""
    global runs
    with lock:
        runs += 1
    return [runs, setting]


if __name__ == "__main__":
    below = {"value": 5}
    setting = "changed below"
    one = Dashboard(3)

    class Local(Point):
        def shown(self):
            return f"{type(self).__name__} {self.x + below['value']}"

    def even(n):
        return n == 0 or odd(n - 1)

    def odd(n):
        return n != 0 and even(n - 1)

    def reads(n):
        return [below["value"] + n, Local(1).shown(), isinstance(Local(1), Point), even(4)]

    def counted():
        seen = []
        def work(n):
            with lock:
                seen.append(n)
            return [count(n), len(seen), sys.modules["__main__"].square is square]
        return work

    def captured(value):
        def work(n):
            return value
        return work

    one.add("work", one.work)
    one.add("paths", one.paths)
    one.add("missing", one.missing)
    one.add("wait", one.wait)
    one.add("steps", one.steps)
    one.add("async_steps", one.async_steps)
    one.add("static", one.static)
    one.add("of_class", one.of_class)
    one.add("called", one)
    one.add("partial", functools.partial(with_factor, 4))
    one.add("pools", pools)
    one.add("reads", reads)
    one.add("counted", counted())
    one.add("captured", captured({"unknown": Unknown()}))
    one.app.run(port=int(os.environ["PORT"]))
'''


@pytest.fixture(scope="module", params=["forkserver", "spawn"])
def script(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EngineServer]:
    server = EngineServer(SCRIPT, tmp_path_factory.mktemp("script"), {"START": request.param})
    yield server.start()  # pyright: ignore[reportReturnType]
    server.stop()


def result(server: EngineServer, output: str, order: Any = 1) -> Any:
    """What a callback gives its output, whether it took long or not."""
    return ended(server, output, order)["response"]["response"][output]["children"]


def ended(server: EngineServer, output: str, order: Any = 1) -> dict[str, Any]:
    answer = server.dispatch(order, output)
    if answer.get("job") is None:
        return {"response": answer}
    server.outcome(answer["job"], 90)
    return server.news(answer["job"])


def test_a_method_of_an_app_class_has_its_object(script: EngineServer) -> None:
    assert result(script, "work", 1) == "3"
    assert result(script, "paths") == ["/a/x.png", "/a/y.png", "__main__", True]


@pytest.mark.parametrize(
    "output,value",
    [
        ("wait", "waited 6"),
        ("steps", "last 6"),
        ("async_steps", "only 6"),
        ("static", "static 4"),
        ("of_class", "class True"),
        ("called", "called 6"),
        ("partial", "partial 8"),
    ],
)
def test_all_kinds_of_functions_work(script: EngineServer, output: str, value: str) -> None:
    assert value in json.dumps(ended(script, output, 2))  # what is yielded is an update


@pytest.mark.parametrize(
    "part,name", [("app", "app.layout"), ("server", "server.config"), ("manager", "manager.news")]
)
def test_what_a_worker_does_not_have_of_an_app_is_said_in_words(
    script: EngineServer, part: str, name: str
) -> None:
    error = ended(script, "missing", part)["error"]
    text = json.dumps(error)
    assert "AppNotInWorker" in text or "AppNotInWorker" in script.log
    assert f"{name} is not there in a worker process" in text + script.log


def test_functions_of_the_script_may_be_sent_on_to_processes_of_any_kind(
    script: EngineServer,
) -> None:
    found = result(script, "pools")
    assert found.pop("joblib") == [2, 3]
    assert found.pop("more") == [18, 2, 8, 16]
    assert found.pop("futures") == [2, 3]
    assert found == {method: [2, 3, 9] for method in ("fork", "spawn", "forkserver")}


def test_what_is_set_below_the_guard_is_sent_and_what_is_above_it_is_not(
    script: EngineServer,
) -> None:
    assert result(script, "reads", 1) == [6, "Local 6", True, True]
    # The lock is there, too, which could not have been sent.
    assert result(script, "counted")[0][1] == "imported"
    assert result(script, "counted")[2] is True


def test_what_can_not_be_sent_is_named_with_the_way_to_it(script: EngineServer) -> None:
    error = ended(script, "captured")["error"]["message"] + script.log
    assert "work → value['unknown'].connection[0] (a _thread.lock)" in error
    for help_ in ("at the top level", "worker_start", "module:function", "start_method="):
        assert help_ in error


# A factory, as gunicorn and Celery call it

FACTORY = """
import os, threading
import diskcache
from dash import Input, Output, dcc, html
from dash_long_callback import CeleryLongCallbackManager, Dash, DiskcacheLongCallbackManager

lock = threading.Lock()
state = {"created": 0}
named = os.environ.get("NAMED")
if "BROKER" in os.environ:
    from celery import Celery
    celery_app = Celery("app", broker=os.environ["BROKER"], backend=os.environ["BACKEND"])
    manager = CeleryLongCallbackManager(celery_app, app=named)
else:
    manager = DiskcacheLongCallbackManager(
        diskcache.Cache("cache"), workers=1, start_method=os.environ.get("START"), app=named)


def create_server(mode="none"):
    if os.path.exists("broken"):
        raise RuntimeError("the settings can't be read")
    state["created"] += 1
    own = threading.Lock()
    app = Dash(__name__, long_callback_manager=manager)
    app.layout = html.Div([dcc.Store(id="order"), html.P(id="shared"), html.P(id="own")])

    @app.long_callback(Output("shared", "children"), Input("order", "data"),
                       prevent_initial_call=True)
    def shared(order):
        with lock:
            state["runs"] = state.get("runs", 0) + 1
            return [state["created"], state["runs"], mode]

    @app.long_callback(Output("own", "children"), Input("order", "data"),
                       prevent_initial_call=True)
    def own_lock(order):
        with own:
            return [state["created"], mode, app.server is app.server, len(app.callback_map) > 1]

    return app.server
"""


@pytest.fixture
def gunicorn(tmp_path: Path) -> Iterator[Callable[..., EngineServer]]:
    started: list[EngineServer] = []

    def start(call: str, **env: str) -> EngineServer:
        command = ("-m", "gunicorn", f"app:{call}", "-b", "127.0.0.1:{port}", "--threads", "4")
        server = EngineServer(FACTORY, tmp_path, env, command)
        started.append(server)
        return server.start()

    yield start
    for server in started:
        server.stop()


def test_a_function_of_a_factory_runs_on_the_globals_of_its_worker(
    gunicorn: Callable[..., EngineServer],
) -> None:
    server = gunicorn("create_server('test')")
    assert result(server, "shared") == [0, 1, "test"]
    assert result(server, "shared") == [0, 2, "test"], "nothing was copied"
    assert "own_lock → own (a _thread.lock)" in ended(server, "own")["error"]["message"] + (
        server.log
    )


def test_a_fork_of_the_server_has_what_can_not_be_sent(
    gunicorn: Callable[..., EngineServer],
) -> None:
    server = gunicorn("create_server('test')", START="fork")
    assert result(server, "own") == [1, "test", True, True]


@pytest.mark.parametrize("start", ["forkserver", "spawn"])
def test_workers_call_the_factory_that_was_named(
    gunicorn: Callable[..., EngineServer], start: str
) -> None:
    call = "create_server('test')"
    server = gunicorn(call, NAMED=f"app:{call}", START=start)
    assert result(server, "own") == [1, "test", True, True]
    assert result(server, "shared")[0] == 1


def test_celery_workers_call_the_factory_that_was_named(
    stack: Callable[..., Stack], redis_url: str
) -> None:
    one = stack(redis_url, redis_url, NAMED="app:create_server")
    command = ("-m", "gunicorn", "app:create_server()", "-b", "127.0.0.1:{port}", "--threads", "4")

    def make(folder: Path, **env: str) -> EngineServer:
        return EngineServer(FACTORY, folder, env, command)

    web = one.web(make)
    (one.folder / "broken").touch()
    worker = one.worker("--concurrency", "1", module="app:celery_app")
    assert "the settings can't be read" in worker.log
    message = ended(web, "own")["error"]["message"]
    assert "app='app:create_server'" in message + worker.log
    # It is called again for the next job.
    (one.folder / "broken").unlink()
    assert result(web, "own") == [1, "none", True, True]
    assert result(web, "shared") == [1, 1, "none"]
