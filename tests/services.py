"""Real servers that tests start on free ports, and end by their PID.

Redis, RabbitMQ, memcached, nginx.

A server that is not installed skips its tests by name; under CI it fails them.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

#: Seconds that a server has to start: RabbitMQ takes ten on an idle machine.
START_SECONDS = 120.0


def need(command: str, package: str) -> str:
    """The path of a command; skips the test, or fails it under CI, if it is not installed."""
    found = shutil.which(command, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if found is None:
        words = f"{command} is not installed (Debian package {package}); see scripts/setup-system"
        if os.environ.get("CI") == "true":
            pytest.fail(words)
        pytest.skip(words)
    return found


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(condition: Callable[[], object], what: str, timeout: float = START_SECONDS) -> None:
    """Wait for a condition, or fail with ``what`` did not happen."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {timeout:.0f} s"
        time.sleep(0.05)


def answers(port: int) -> bool:
    """Whether somebody listens on a port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Service:
    """A server process with a port and a folder of its own."""

    command: list[str]
    environment: dict[str, str]

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.port = free_port()
        self.environment = {}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        """What the server has written."""
        return (self.folder / "log").read_text(errors="replace")

    def start(self) -> Any:
        """Start, or start again with the same port and data; returns when it answers."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self.command,
                cwd=self.folder,
                env={**os.environ, **self.environment},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_until(self.ready, f"the start of {self.command[0]}\n{self.log[-2000:]}")
        return self

    def ready(self) -> bool:
        """Whether it serves."""
        assert self._process is not None
        assert self._process.poll() is None, self.log
        return answers(self.port)

    def pause(self) -> None:
        """Have it hang: it takes connections, and answers nothing."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """The end of ``pause``."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGCONT)

    def kill(self) -> None:
        """End it as a power cut would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it in peace, if it runs."""
        self._end(signal.SIGTERM)

    def _end(self, sent: signal.Signals) -> None:
        if self._process is None or self._process.poll() is not None:
            return
        os.killpg(self._process.pid, sent)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


class RedisServer(Service):
    """A Redis. With ``options`` as of its command line, such as ``appendonly="yes"``."""

    def __init__(self, folder: Path, **options: str) -> None:
        super().__init__(folder)
        self.options = {"save": "", "appendonly": "no", **options}

    @property
    def command(self) -> list[str]:  # pyright: ignore[reportIncompatibleVariableOverride]
        flags = [part for k, v in self.options.items() for part in (f"--{k.replace('_', '-')}", v)]
        binary = need("redis-server", "redis-server")
        return [binary, "--port", str(self.port), "--bind", "127.0.0.1", *flags]

    @property
    def url(self) -> str:
        """For Celery and redis-py."""
        return f"redis://127.0.0.1:{self.port}/0"


class RabbitMQ(Service):
    """A RabbitMQ node of its own, with its own Erlang port mapper."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._mapper: subprocess.Popen[bytes] | None = None
        self._seen = 0
        self.environment = {
            "RABBITMQ_NODENAME": f"test{self.port}@localhost",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder / "logs"),
            "RABBITMQ_CONFIG_FILE": str(folder / "none"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "ERL_EPMD_PORT": str(free_port()),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "HOME": str(folder),
        }
        (folder / "plugins").write_text("[].")

    @property
    def command(self) -> list[str]:  # pyright: ignore[reportIncompatibleVariableOverride]
        # Debian's command changes to a user who could not write here.
        script = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
        return [str(script) if script.exists() else need("rabbitmq-server", "rabbitmq-server")]

    @property
    def url(self) -> str:
        """For Celery."""
        return f"amqp://guest:guest@127.0.0.1:{self.port}//"

    def start(self) -> Any:
        if self._mapper is None:  # started by the node, it would stay behind
            port = self.environment["ERL_EPMD_PORT"]
            self._mapper = subprocess.Popen([need("epmd", "erlang-base"), "-port", port])
        self._seen = len(self._node_log())
        return super().start()

    def stop(self) -> None:
        super().stop()
        if self._mapper is not None:
            self._mapper.kill()
            self._mapper.wait()
            self._mapper = None

    def ready(self) -> bool:
        # The port answers before the node does.
        return super().ready() and "Server startup complete" in self._node_log()[self._seen :]

    def _node_log(self) -> str:
        logs = self.folder / "logs"
        return "".join(f.read_text(errors="replace") for f in logs.glob("*.log"))


class Memcached(Service):
    """A memcached."""

    @property
    def command(self) -> list[str]:  # pyright: ignore[reportIncompatibleVariableOverride]
        binary = need("memcached", "memcached")
        return [binary, "-l", "127.0.0.1", "-p", str(self.port), "-u", "nobody"]

    @property
    def url(self) -> str:
        """For Celery."""
        return f"cache+memcached://127.0.0.1:{self.port}/"


class Nginx(Service):
    """An nginx.

    Args:
        folder: for its configuration, its logs and all that it writes.
        site: what an administrator would put into a file in ``/etc/nginx/conf.d``. It listens on
            port 80 there, and here on a free one.
    """

    def __init__(self, folder: Path, site: str) -> None:
        super().__init__(folder)
        assert "listen 80;" in site
        (folder / "site.conf").write_text(
            site.replace("listen 80;", f"listen 127.0.0.1:{self.port};")
        )
        (folder / "nginx.conf").write_text(self._main())

    @property
    def command(self) -> list[str]:  # pyright: ignore[reportIncompatibleVariableOverride]
        return [need("nginx", "nginx-light"), "-p", str(self.folder), "-c", "nginx.conf"]

    @property
    def url(self) -> str:
        """For browsers."""
        return f"http://127.0.0.1:{self.port}/"

    def statuses(self, path: str) -> list[int]:
        """What it has answered to requests whose path ends so; 499 if the client went away."""
        lines = (self.folder / "access").read_text().splitlines()
        return [int(status) for status, uri in map(str.split, lines) if uri.endswith(path)]

    def _main(self) -> str:
        # Started by root, its workers would be of another user, who could not write to the folder.
        user = f"user {pwd.getpwuid(0).pw_name};" if os.geteuid() == 0 else ""
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        paths = "\n".join(f"{kind}_temp_path {self.folder}/{kind};" for kind in kinds)
        return f"""
            daemon off;
            pid {self.folder}/pid;
            error_log stderr;
            {user}
            events {{}}
            http {{
                {paths}
                log_format short "$status $uri";
                access_log {self.folder}/access short;
                include site.conf;
            }}
        """
