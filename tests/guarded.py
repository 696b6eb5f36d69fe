"""The examples of servers that somebody guards, in processes, with a job that the test ends."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from apps import Server

EXAMPLES = Path(__file__).parents[1] / "examples" / "servers"
#: What the job of each example spends its time with.
WORK = "time.sleep(0.1)"


def source_of(name: str) -> str:
    """An example, whose job waits for the gate ``work`` half way."""
    text = (EXAMPLES / f"{name}.py").read_text()
    assert text.count(WORK) == 1
    return "from in_app import wait_for\n" + text.replace(WORK, 'percent < 50 or wait_for("work")')


def guarded_server(source: str, folder: Path) -> Server:
    """Start it under gunicorn. Its jobs run through until the gate is closed."""
    command = ("-m", "gunicorn", "app:server", "--threads", "4", "-b", "127.0.0.1:{port}")
    # The default manager writes to a folder of the test, and not to the user's.
    server = Server(source, folder, {"XDG_CACHE_HOME": str(folder / "cache")}, command).start()
    server.open_gate("work")
    return server


@contextmanager
def working(server: Server) -> Generator[None]:
    """In this block, jobs that have begun do not end by themselves."""
    server.close_gate("work")
    yield
    server.open_gate("work")
