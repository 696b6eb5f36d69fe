"""Fixtures for all tests."""

from __future__ import annotations

import signal
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from apps import Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytest_plugins = ["pytester", "pytest_dash_long_callback"]

# A shell that starts the tests in the background has them ignore Ctrl-C, and so has all that they
# start; some tests send one.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


#: Files that take a minute or more, and mostly wait.
WAITING = (
    "test_celery_faults.py",
    "test_celery.py",
    "test_manager_contract.py",
    "test_celery_connections.py",
    "test_proxy_patience.py",
    "test_sharing_contract.py",
    "test_two_servers.py",
    "test_engine.py",
    "test_asgi.py",
    "test_gunicorn.py",
    "test_faults.py",
    "test_engine_faults.py",
    "test_store_contract.py",
    "test_limits_faults.py",
    "test_control_contract.py",
    "test_job_logs.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let files that wait run beside those of the browser, which take all that a processor has.

    The processes of pytest-xdist take a file each, in this order. Unit tests are last, as they are
    short: so the processes end together.
    """
    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.path, []).append(item)
    waiting = sorted(
        (path for path in files if path.name in WAITING), key=lambda path: WAITING.index(path.name)
    )
    browser = [path for path in files if path.parent.name == "browser" and path not in waiting]
    # The largest first, of each.
    browser.sort(key=lambda path: len(files[path]), reverse=True)
    order = [path for pair in zip_longest(waiting, browser) for path in pair if path is not None]
    order += [path for path in files if path not in order]
    items[:] = [item for path in order for item in files[path]]


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
