"""What unit tests share: an empty registry, an app whose jobs run inline, and a page of it."""

# pyright: reportPrivateUsage=false
from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dash
import pytest
from dash import _callback, _get_app, dcc
from inline_page import Click, Ended, payload

from dash_long_callback import Dash
from dash_long_callback.dash.callbacks import registry
from dash_long_callback.executors.inline import InlineExecutor
from dash_long_callback.managers.base import Manager
from dash_long_callback.stores.diskcache import DiskcacheStore


@pytest.fixture(autouse=True)
def _no_callbacks(monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction]
    """Each test starts without callbacks and without an app, and leaves none."""
    monkeypatch.setattr(registry, "_by_id", {})
    monkeypatch.setattr(registry, "unsettled", [])
    monkeypatch.setattr(_callback, "GLOBAL_CALLBACK_LIST", _callback.GLOBAL_CALLBACK_LIST)
    monkeypatch.setattr(_get_app, "APP", None)
    _callback.GLOBAL_CALLBACK_LIST.clear()
    _callback.GLOBAL_CALLBACK_MAP.clear()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DiskcacheStore]:
    store = DiskcacheStore(tmp_path / "jobs", retention=60)
    yield store
    store.close()


@pytest.fixture
def manager(store: DiskcacheStore) -> Manager:
    return Manager(store, InlineExecutor(store))


@pytest.fixture
def make_app(manager: Manager) -> Callable[..., Dash]:
    """Makes an app whose jobs run inline; takes the arguments of ``Dash``.

    Its page has an input ``in``; a test that needs more has a layout of its own.
    """

    def make(name: str = "app", **kwargs: Any) -> Dash:
        app = Dash(name, long_callback_manager=manager, **kwargs)
        app.layout = dcc.Input(id="in")
        app.enable_dev_tools(debug=False, dev_tools_ui=True)  # its pages are told of errors
        return app

    return make


@pytest.fixture
def app(make_app: Callable[..., Dash]) -> Dash:
    return make_app()


@pytest.fixture
def click(store: DiskcacheStore) -> Click:
    """Triggers the callback declared last, with what the renderer would post, and runs its job.

    For tests of what the page is told, word for word, and of what the store has of a job; what
    the function does is asked of ``long_callbacks``. Arguments are the values of the callback's
    inputs and states, in order; where an id has ALL they are lists, and ``ids`` has its components.
    """

    def fire(
        app: dash.Dash,
        *values: Any,
        ids: dict[str, list[Any]] | None = None,
        cookies: dict[str, str] | None = None,
    ) -> Ended:
        callback = registry.all()[-1]
        client = app.server.test_client()
        for name, value in (cookies or {}).items():
            client.set_cookie(name, value)
        body = payload(callback, values, ids)
        answer = client.post("/_dash-update-component", json=body)
        assert answer.status_code == 200, answer.data
        return Ended(json.loads(answer.data), store)

    return fire
