"""What contract tests share: a registry that holds the callbacks of one test only."""

# pyright: reportPrivateUsage=false
from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from dash import _callback, _get_app
from managers import INLINE, LOCAL, POOLS, Opened, Services, local, opened

from dash_long_callback.dash.callbacks import registry
from dash_long_callback.managers.base import Manager


@pytest.fixture(autouse=True)
def _own_callbacks(monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction]
    """Each test starts with the callbacks that modules declare, and leaves no more."""
    monkeypatch.setattr(registry, "_by_id", dict(registry._by_id))
    monkeypatch.setattr(_get_app, "APP", None)
    for name in ("GLOBAL_CALLBACK_LIST", "GLOBAL_CALLBACK_MAP"):
        kept = getattr(_callback, name)
        # Emptied and not replaced: others have imported these objects.
        monkeypatch.setattr(_callback, name, kept)
        kept.clear()


@pytest.fixture(scope="session")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """Real servers, started when they are first needed."""
    running = Services(tmp_path_factory.mktemp("services"))
    yield running
    running.stop()


def named(*groups: Mapping[str, object]) -> list[Any]:
    """The managers of these groups as parameters; Celery does not care which Dash there is."""
    mark = pytest.mark.newest_only
    names = [name for group in groups for name in group]
    return [pytest.param(n, marks=mark) if "celery" in n else n for n in names]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out RabbitMQ where a module says ``any_broker = True``: the store does all of it."""

    def tells_nothing(item: pytest.Item) -> bool:
        any_broker: bool = getattr(getattr(item, "module", None), "any_broker", False)
        return any_broker and "rabbitmq" in item.name

    items[:] = [item for item in items if not tells_nothing(item)]


@pytest.fixture(scope="module", params=named(INLINE, POOLS))
def manager(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, services: Services
) -> Iterator[Manager]:
    """One manager for many tests: its workers stay warm."""
    folder = tmp_path_factory.mktemp("any") / "jobs"
    with opened({**INLINE, **POOLS}[request.param], folder, services) as one:
        yield one.manager


@pytest.fixture(scope="module", params=named(POOLS))
def pool_and_worker(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, services: Services
) -> Iterator[Opened]:
    """One manager with worker processes."""
    with opened(POOLS[request.param], tmp_path_factory.mktemp("pool") / "jobs", services) as one:
        yield one


@pytest.fixture
def pool(pool_and_worker: Opened) -> Manager:
    return pool_and_worker.manager


@pytest.fixture(scope="module", params=named(INLINE, LOCAL))
def embedded(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, services: Services
) -> Iterator[Manager]:
    """A manager that is on the machine of its workers."""
    folder = tmp_path_factory.mktemp("embedded") / "jobs"
    with opened({**INLINE, **LOCAL}[request.param], folder, services) as one:
        yield one.manager


@pytest.fixture(scope="module")
def local_pool(tmp_path_factory: pytest.TempPathFactory, services: Services) -> Iterator[Opened]:
    """The embedded engine."""
    with opened(local, tmp_path_factory.mktemp("local") / "jobs", services) as one:
        yield one
