"""What travels to a worker by value, by name and by reference, and the words if it can't."""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import dash
import pytest

from dash_long_callback import Dash, by_value, unsendable
from dash_long_callback.dash.app_reference import AbsentApp
from dash_long_callback.errors import AppNotInWorker, RegistrationError
from dash_long_callback.executors import app_factory

MODULE = """
import functools, threading
lock = threading.Lock()
settings = {"mode": "imported"}

def counter():
    count = 0
    def add():
        nonlocal count
        count += 1
        return count
    def read():
        return count
    return add, read

def recursive():
    def down(n):
        return "end" if n == 0 else down(n - 1)
    return down

def reader():
    def read(*, key="mode"):
        with lock:
            return settings[key]
    return read

def late():
    global made_late
    made_late = 5
    def read():
        return made_late
    return read

def holder(value):
    def work(n, *, extra=value):
        return value
    return work
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """A module of an app, with a file, as an import finds it."""
    (tmp_path / "by_value_app.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)  # pyright: ignore[reportUnknownMemberType]
    import by_value_app  # pyright: ignore[reportMissingImports, reportUnknownVariableType]

    yield by_value_app  # pyright: ignore[reportUnknownVariableType]
    del sys.modules["by_value_app"]


def sent(value: Any, modules: by_value.Modules | None = None) -> Any:
    return by_value.loads(by_value.dumps(value, modules or {}))


def test_a_nested_function_runs_on_the_globals_of_its_module(module: Any) -> None:
    read = module.reader()
    data = by_value.dumps(read, {})
    module.settings["mode"] = "of the worker"
    again = by_value.loads(data)
    assert again is not read
    assert again() == "of the worker", "and not a copy of what it was"
    assert again.__globals__ is vars(module)
    assert again.__kwdefaults__ == {"key": "mode"}
    assert again.__qualname__ == "reader.<locals>.read"


def test_functions_that_share_a_variable_go_on_to_share_it(module: Any) -> None:
    add, read = sent(module.counter())
    assert [add(), add(), read()] == [1, 2, 2]


def test_a_function_may_refer_to_itself(module: Any) -> None:
    assert sent(module.recursive())(3) == "end"


def test_a_function_at_the_top_of_a_module_is_not_sent(module: Any) -> None:
    assert sent(module.counter) is module.counter


def test_globals_that_the_worker_lacks_are_sent_and_those_that_it_has_are_not(module: Any) -> None:
    names = sorted(vars(module))
    data = by_value.dumps(module.late(), {"by_value_app": names})
    del module.made_late
    assert by_value.loads(data)() == 5
    module.made_late = 6
    assert by_value.loads(data)() == 6


def test_a_function_of_no_module_is_copied_with_its_globals() -> None:
    values: dict[str, Any] = {"__name__": "typed", "factor": 3}
    exec("def work(n): return n * factor", values)
    again = sent(values["work"])
    values["factor"] = 4
    assert again(2) == 6


def test_an_app_is_the_app_of_the_other_process(make_app: Callable[..., Dash]) -> None:
    first, second = make_app("twice"), make_app("twice")
    apps = sent([first, second, second.server, second.long_callback_manager])
    assert [id(one) for one in apps[:3]] == [id(first), id(second), id(second.server)]
    assert isinstance(sent(dash.Dash("plain", url_base_pathname="/x/")), AbsentApp)


def test_an_app_that_is_absent_knows_its_paths_and_says_what_it_lacks() -> None:
    absent = sent(dash.Dash("plain", url_base_pathname="/x/"))
    assert absent.get_relative_path("/page") == "/x/page"
    assert absent.config.name == "plain"
    assert sent(absent).config.name == "plain"
    assert not hasattr(absent, "layout")
    with pytest.raises(AppNotInWorker, match=r"app\.callback_map is not there .* start_method="):
        _ = absent.callback_map


class Holder:
    def __init__(self, value: Any) -> None:
        self.inner = {"key": [value]}

    def work(self, n: int) -> int:
        return n


@pytest.mark.parametrize(
    "make,path",
    [
        (lambda m, lock: m.holder(lock), "work → value (a _thread.lock)"),
        (lambda _, lock: Holder(lock).work, "work → self.inner['key'][0] (a _thread.lock)"),
        (
            lambda m, lock: functools.partial(m.holder, lock),
            "holder → argument 0 (a _thread.lock)",
        ),
        (
            lambda m, lock: m.holder(m.holder({"x": Holder(lock)})),
            "work → value → value['x'].inner['key'][0] (a _thread.lock)",
        ),
    ],
)
def test_what_can_not_be_sent_is_found(
    make: Callable[[Any, Any], Any], path: str, module: Any
) -> None:
    function = make(module, threading.Lock())

    def is_sendable(value: Any) -> bool:
        return by_value.can_be_sent(value, {})

    assert not is_sendable(function)
    assert unsendable.where(function, {}, is_sendable) == path
    assert unsendable.where(len, {"on_error": function}, is_sendable).endswith("(a _thread.lock)")


# The function that makes the app


@pytest.mark.parametrize(
    "named",
    [
        3,
        "",
        "app",
        "app:",
        ":make",
        "app:make(",
        "app:make(x)",
        "app:1",
        "a b:make",
        "app:make()()",
    ],
)
def test_what_does_not_name_a_function_is_refused(named: Any) -> None:
    with pytest.raises(RegistrationError, match="module:function"):
        app_factory.check(named)


def test_a_factory_is_called_once_with_its_arguments(module: Any) -> None:
    calls: list[Any] = []
    module.make = lambda *args, **kwargs: calls.append((args, kwargs))  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    named = "by_value_app:make('prod', debug=True)"
    assert app_factory.check(named) == named
    app_factory.call(named)
    app_factory.call(named)
    assert calls == [(("prod",), {"debug": True})]


def test_an_app_or_server_that_was_made_is_not_called(
    module: Any, make_app: Callable[..., Dash]
) -> None:
    module.app = make_app("by_value_app")
    module.server = module.app.server
    app_factory.call("by_value_app:app")
    app_factory.call("by_value_app:server")


def test_a_factory_that_is_not_there_is_named(module: Any) -> None:
    with pytest.raises(RegistrationError, match="by_value_app has no maker"):
        app_factory.call("by_value_app:maker")
    with pytest.raises(RegistrationError, match="settings is not a function"):
        app_factory.call("by_value_app:settings")
