"""Dash apps as their users run them: ``python app.py`` in a process of its own."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

T = TypeVar("T")

#: In the environment of a server and so of all that it starts: finds what outlives it.
MARK = "DASH_LONG_CALLBACK_TEST"
#: What the apps under test import.
IN_APP = Path(__file__).with_name("in_app.py")


def wait_until(condition: Callable[[], T], timeout: float = 30, what: str = "") -> T:
    """Wait for a condition to hold; fail the test if it does not within ``timeout`` seconds.

    Returns what the condition returned.
    """
    begun = time.monotonic()
    while not (value := condition()):
        waited = time.monotonic() - begun
        if waited > timeout:
            pytest.fail(f"waited {timeout:g} s in vain{what and ' for ' + what}")
        # What takes long is looked for less often: each look at a page costs three processes some
        # milliseconds, and other tests run meanwhile.
        time.sleep(min(0.01 + waited / 10, 0.2))
    return value


def pause(pid: int) -> None:
    """Pause a process, and wait until each of its threads has stopped.

    The kernel tells one thread, which tells the others when it gets a processor.
    """
    os.kill(pid, signal.SIGSTOP)

    def stopped() -> bool:
        stats = [one.read_text() for one in Path(f"/proc/{pid}/task").glob("*/stat")]
        return all(stat.rpartition(")")[2].split()[0] == "T" for stat in stats)

    wait_until(stopped, what=f"process {pid} to stop")


def missing(what: str) -> Any:
    """Skip a test that lacks something on a developer's machine; fail it in CI."""
    (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(f"{what} is missing")


class Server:
    """An app in a process.

    Args:
        source: the text of ``app.py``, or a file to copy.
        folder: for the app, its cache directory, its gates and notes, and its log.
        env: more environment variables.
        command: arguments of Python; ``{port}`` is filled in.
        files: more files of the app, path to text.

    Attributes:
        folder: as given.
        port: where it listens.
    """

    #: Those that were started and not yet stopped: a test that fails shows their logs.
    started: ClassVar[list[Server]] = []

    def __init__(
        self,
        source: str | Path,
        folder: Path,
        env: Mapping[str, str] | None = None,
        command: Sequence[str] = ("app.py",),
        files: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.port = _free_port()
        self._env = dict(env or {})
        self._command = [sys.executable, *(part.format(port=self.port) for part in command)]
        self._process: subprocess.Popen[bytes] | None = None
        shutil.copy(IN_APP, folder)
        for path, text in (files or {}).items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        app = folder / "app.py"
        if isinstance(source, Path):
            shutil.copy(source, app)
        else:
            app.write_text(source)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    @property
    def log(self) -> str:
        """What the app, the package and the workers have printed."""
        return (self.folder / "log").read_text(errors="replace")

    def start(self) -> Server:
        """Start the app and wait until it listens."""
        env = {
            **os.environ,
            "PORT": str(self.port),
            "FOLDER": str(self.folder),
            "PYTHONUNBUFFERED": "1",
            MARK: str(self.folder),
            # A manager without a cache writes to a folder of the test, and not to the user's.
            "XDG_CACHE_HOME": str(self.folder / "user-cache"),
            **self._env,
        }
        with (self.folder / "log").open("ab") as log:
            process = self._process = subprocess.Popen(
                self._command,
                cwd=self.folder,
                env=env,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

        def listens() -> bool:
            if process.poll() is not None:
                pytest.fail(f"app.py ended with code {process.returncode}:\n{self.log}")
            with socket.socket() as client:
                return client.connect_ex(("127.0.0.1", self.port)) == 0

        if self not in Server.started:
            Server.started.append(self)
        wait_until(listens, 30, f"{self.folder}/app.py to listen")
        return self

    def kill(self) -> None:
        """End the server as a crash would: at once, without a word."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    @property
    def pid(self) -> int:
        """The process that was started."""
        assert self._process is not None
        return self._process.pid

    @property
    def runs(self) -> bool:
        """Whether the process that was started has not ended."""
        return self._process is not None and self._process.poll() is None

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End the server as a service manager would, and leave alone what goes on after it."""
        if self._process is None:
            return
        self._process.send_signal(how)
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            pytest.fail(f"the server did not end within 30 s of SIGTERM:\n{self.log}")
        finally:
            self._process = None

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """As ``end``; fail if anything of the server is left behind."""
        if not (self.folder / "log").exists():
            return  # it was never started
        try:
            self.end(how)
        finally:
            deadline = time.monotonic() + 15
            while (left := self.processes()) and time.monotonic() < deadline:
                time.sleep(0.01)
            for pid in left:
                os.kill(pid, signal.SIGKILL)
        if left:
            pytest.fail(f"the server left processes behind: {left}")
        if self in Server.started:
            Server.started.remove(self)

    def processes(self) -> dict[int, str]:
        """The processes of this server, workers included, with their command lines."""
        found: dict[int, str] = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if f"{MARK}={self.folder}".encode() in (folder / "environ").read_bytes():
                    command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                    if command:  # a zombie has none
                        found[int(folder.name)] = command
            except (OSError, ValueError):
                continue  # it ended, or is somebody else's
        return found

    # What the test and the app tell each other, through files: see in_app.py

    def open_gate(self, name: str) -> None:
        """Let all go on who ``wait_for(name)``."""
        (self.folder / f"gate-{name}").touch()

    def close_gate(self, name: str) -> None:
        """Have those wait again who come to ``wait_for(name)`` from now on."""
        (self.folder / f"gate-{name}").unlink(missing_ok=True)

    def notes(self, name: str) -> list[str]:
        """What the app has said with ``note(name, ...)`` so far."""
        file = self.folder / f"note-{name}"
        return file.read_text().splitlines() if file.exists() else []

    def wait_for_note(self, name: str, count: int = 1) -> list[str]:
        """Wait until the app has said something, ``count`` times."""
        wait_until(lambda: len(self.notes(name)) >= count, what=f"note {name!r}")
        return self.notes(name)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
