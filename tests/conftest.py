"""Fixtures for all tests."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import pytest
from apps import Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


# A shell that starts the tests in the background has them ignore Ctrl-C, and so has all that they
# start; some tests send one.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


#: Files that take a minute or more, and mostly wait. They come first, so that the processes of
#: pytest-xdist end together, and none goes on alone with one of them.
LONG = (
    "test_celery_faults.py",
    "test_celery.py",
    "test_manager_contract.py",
    "test_celery_connections.py",
    "test_proxy_patience.py",
    "test_sharing_contract.py",
    "test_asgi.py",
    "test_examples.py",
    "test_engine.py",
    "test_store_contract.py",
    "test_faults.py",
    "test_two_servers.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put long files first."""
    items.sort(key=lambda item: LONG.index(item.path.name) if item.path.name in LONG else len(LONG))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Any:
    """Show the log of a failed test's servers."""
    report: pytest.TestReport = yield
    if report.failed:
        for server in Server.started:
            report.sections.append((f"log of {server.folder.name}", server.log[-20_000:]))
    return report


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Starts apps, ``serve(source, **arguments of Server)``, that end with the test."""
    servers: list[Server] = []

    def start(source: str | Path, **options: Any) -> Server:
        folder = tmp_path / f"app{len(servers)}"
        folder.mkdir()
        servers.append(Server(source, folder, **options))
        return servers[-1].start()

    yield start
    for server in servers:
        server.stop()
