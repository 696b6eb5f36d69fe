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


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """Show the log of a failed test's servers."""
    report: pytest.TestReport = yield
    if report.failed:
        for name, value in getattr(item, "funcargs", {}).items():
            if isinstance(value, Server):
                report.sections.append((f"log of {name}", value.log[-20_000:]))
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
