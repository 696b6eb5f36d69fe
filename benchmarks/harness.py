"""What the benchmarks share: a server process, a browser, and a table of results."""

from __future__ import annotations

import datetime as dt
import json
import os
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import redis
import requests
from selenium import webdriver

if TYPE_CHECKING:
    from collections.abc import Generator

HERE = Path(__file__).parent
RESULTS = HERE / "results"
#: Caches and logs of the servers; left behind only if a benchmark is killed.
TMP = HERE / ".tmp"

# Processes

_GUNICORN = "-m gunicorn --workers 1 --bind 127.0.0.1:{port} --chdir {apps} {app}:server"
#: How an app is served: arguments of Python. Each has one web process.
SERVED_BY = {
    "development": "{apps}/{app}.py",
    "gunicorn": _GUNICORN,
    "gthread": _GUNICORN + " --threads 4",
    "uvicorn": "-m uvicorn --port {port} --app-dir {apps} --no-access-log {app}:server",
}


class Server:
    """An app of ``benchmarks/apps`` in a process of its own, as its users start it.

    Args:
        app: name of its file.
        by: what serves it, of ``SERVED_BY``; on uvicorn it is a FastAPI app, else one of Flask.
        **settings: environment variables ``BENCH_<NAME>`` for the app.
    """

    def __init__(self, app: str, *, by: str = "development", **settings: Any) -> None:
        TMP.mkdir(exist_ok=True)
        self.folder = Path(tempfile.mkdtemp(dir=TMP))
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/"
        self.environment = {
            **os.environ,
            "BENCH_FOLDER": str(self.folder),
            "BENCH_PORT": str(self.port),
            "BENCH_BACKEND": "fastapi" if by == "uvicorn" else "flask",
            **{f"BENCH_{name.upper()}": str(value) for name, value in settings.items()},
        }
        apps = str(HERE / "apps")
        words = (word.format(apps=apps, app=app, port=self.port) for word in SERVED_BY[by].split())
        command = [sys.executable, *words]
        self._log = (self.folder / "server.log").open("wb")
        self._process = subprocess.Popen(
            command, env=self.environment, stdout=self._log, stderr=subprocess.STDOUT
        )

    def __enter__(self):
        try:
            wait_until(self._answers, 60)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_exception: object) -> None:
        _end(self._process)
        self._log.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def log(self) -> str:
        """The end of what the server has printed."""
        return (self.folder / "server.log").read_text()[-4000:]

    def descendants(self) -> list[psutil.Process]:
        """All processes that the server has started, and those that they have."""
        return _descendants(self._process.pid)

    def web_pid(self) -> int:
        """The process that answers requests."""
        return int(self.get("bench/pid"))

    def worker_pids(self) -> list[int]:
        """The pool: unlike all else that a server starts, a worker leads a session of its own."""
        return [p.pid for p in self.descendants() if _session(p.pid) == p.pid]

    def get(self, path: str, **parameters: Any) -> Any:
        """The JSON that a route of the app answers."""
        response = requests.get(self.url + path, params=parameters, timeout=120)
        if not response.ok:
            raise RuntimeError(f"{path}: {response.status_code}\n{self.log()}")
        return response.json()

    def warm_up(self, workers: int) -> None:
        """Have all workers started, and each have run a job."""
        # As a visitor does: a page load starts them. Not by a first job, which start_method="fork"
        # may copy in the middle of its SQLite transaction; the copy then waits for ever.
        requests.get(self.url, timeout=60)
        wait_until(lambda: len(self.worker_pids()) >= workers, 180)
        self.get("bench/warm", workers=workers)

    def _answers(self) -> bool:
        if self._process.poll() is not None:
            raise RuntimeError(f"the server ended:\n{self.log()}")
        try:
            return requests.get(self.url + "_dash-layout", timeout=5).ok
        except (requests.ConnectionError, requests.Timeout):
            return False


@contextmanager
def celery_worker(server: Server, app: str, concurrency: int) -> Generator[None]:
    """A Celery worker with so many processes, for the ``celery_app`` of an app that is served."""
    log = server.folder / "worker.log"
    command = [sys.executable, "-m", "celery", "-A", f"{app}:celery_app", "worker"]
    command += ["--concurrency", str(concurrency), "--loglevel", "INFO"]
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, cwd=HERE / "apps", env=server.environment, stdout=out, stderr=out
        )
        try:
            wait_until(lambda: " ready." in log.read_text(), 60)
            yield
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and those that it has started."""
    descendants = [] if process.poll() is not None else _descendants(process.pid)
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        # Celery's worker waits half a minute if it had a message on its way to one of its own.
        process.kill()
        process.wait()
    for one in descendants:
        try:
            one.kill()
        except psutil.NoSuchProcess:
            continue


def _descendants(pid: int) -> list[psutil.Process]:
    return psutil.Process(pid).children(recursive=True)


@contextmanager
def redis_server() -> Generator[int]:
    """A Redis of our own; the port."""
    port = free_port()
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    with tempfile.TemporaryDirectory() as folder:
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=folder)
        client = redis.Redis(port=port)

        def answers() -> bool:
            try:
                return bool(client.ping())
            except redis.ConnectionError:
                return False

        try:
            wait_until(answers, 10)
            yield port
        finally:
            server.terminate()
            server.wait()


def wait_until(condition: Any, timeout: float) -> None:
    """Wait until ``condition()`` is true.

    Raises:
        TimeoutError: if that takes longer than ``timeout`` seconds.
    """
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {timeout} s: {condition}")
        time.sleep(0.02)


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return None


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


# The browser

_FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync"
)


class Browser:
    """A headless Chromium with a fresh profile and ``page.js`` on the page."""

    def __init__(self, url: str, ready: str) -> None:
        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which("chromium") or shutil.which("google-chrome") or ""
        for flag in _FLAGS.split():
            options.add_argument(flag)
        service = webdriver.ChromeService(shutil.which("chromedriver"))
        self.driver = webdriver.Chrome(options=options, service=service)
        self.driver.set_script_timeout(300)
        self._ready = ready
        self.driver.get(url)
        self._loaded()

    def reload(self) -> None:
        """Load the page again."""
        self.driver.refresh()
        self._loaded()

    def open(self, url: str, kind: str) -> str:
        """Load a page in a new ``"window"`` or ``"tab"``, which is in front then; its handle."""
        self.driver.switch_to.new_window(kind)
        self.driver.get(url)
        self._loaded()
        return self.driver.current_window_handle

    def _loaded(self) -> None:
        there = f"return !!document.getElementById('{self._ready}')"
        wait_until(lambda: self.driver.execute_script(there), 30)
        self.driver.execute_script((HERE / "page.js").read_text())

    def __enter__(self):
        return self

    def __exit__(self, *_exception: object) -> None:
        self.driver.quit()

    def call(self, expression: str, *arguments: Any) -> Any:
        """The value of a JavaScript expression, awaited; ``args`` are the arguments."""
        value, error = self.driver.execute_async_script(
            "const args = Array.from(arguments), done = args.pop();"
            f"(async () => {expression})()"
            ".then((value) => done([value, null]), (error) => done([null, String(error)]));",
            *arguments,
        )
        if error is not None:
            raise RuntimeError(f"{expression}: {error}")
        return value

    def tool(self, command: str) -> dict[str, Any]:
        """The answer of a command of the developer tools."""
        return self.driver.execute_cdp_cmd(command, {})

    def console(self) -> list[str]:
        """The warnings and errors that the console has shown since the last call."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    @property
    def version(self) -> str:
        """Of Chromium."""
        return str(self.driver.capabilities["browserVersion"])


# Results


@dataclass
class Row:
    """One line of a table.

    Attributes:
        what: what was measured.
        measured: the figure of this package.
        unit: of ``measured`` and ``peer``.
        peer: the figure of the peer, measured in the same run.
        ratio: of the two, as ``goal`` means it.
        goal: in words.
        met: None if there is no goal.
    """

    what: str
    measured: float
    unit: str = ""
    peer: float | None = None
    ratio: float | None = None
    goal: str = ""
    met: bool | None = None


@dataclass
class Result:
    """What one benchmark found.

    Attributes:
        name: of the benchmark.
        title: a line on what is measured, and beside what.
        rows: its table.
        details: what else helps to understand it, any JSON.
    """

    name: str
    title: str
    rows: list[Row]
    details: dict[str, Any] = field(default_factory=dict[str, Any])


def below(what: str, measured: float, unit: str, goal: float, **rest: Any) -> Row:
    """A row whose figure is to stay below a limit."""
    return Row(what, measured, unit, **rest, goal=f"< {goal:g} {unit}", met=measured < goal)


def median(values: list[float]) -> float:
    return statistics.median(values)


def part(values: list[float], share: float) -> float:
    """What this share of the values is below, 0.95 for example."""
    return sorted(values)[int(len(values) * share)]


def table(result: Result) -> str:
    """A result in Markdown."""
    lines = [
        f"### {result.name}: {result.title}",
        "",
        "| | measured | peer | ratio | goal | met? |",
        "|---|---:|---:|---:|---|---|",
    ]
    for row in result.rows:
        met = "" if row.met is None else "yes" if row.met else "**no**"
        peer = "" if row.peer is None else _figure(row.peer, row.unit)
        ratio = "" if row.ratio is None else f"{row.ratio:.3g} x"
        figure = _figure(row.measured, row.unit)
        lines.append(f"| {row.what} | {figure} | {peer} | {ratio} | {row.goal} | {met} |")
    return "\n".join(lines) + "\n"


def _figure(value: float, unit: str) -> str:
    whole = value == int(value) or abs(value) >= 1000
    text = f"{value:,.0f}" if whole else f"{value:.3g}"
    return f"{text} {unit}".strip()


def save(result: Result) -> None:
    """Keep a result, and write the overview of all that are kept."""
    RESULTS.mkdir(exist_ok=True)
    packages = (
        "dash",
        "dash-long-callback",
        "diskcache",
        "celery",
        "flask",
        "gunicorn",
        "fastapi",
        "uvicorn",
        "orjson",
        "redis",
        "numpy",
        "pandas",
    )
    kept = {
        "date": dt.datetime.now(dt.timezone.utc).strftime("%Y-%m-%d"),
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in packages},
        },
        "system": platform.system(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[1], 1),
        **asdict(result),
    }
    (RESULTS / f"{result.name}.json").write_text(json.dumps(kept, indent=1) + "\n")


def overview(order: list[str]) -> str:
    """The tables of all results that are kept, in Markdown."""
    parts = [
        "# Results\n",
        (
            "Written by `make bench`. The peer, named in the title or the row, ran in the same "
            "run, in turn. The machine did other work, too: compare the ratios, not the times.\n"
        ),
    ]
    for name in order:
        path = RESULTS / f"{name}.json"
        if not path.exists():
            continue
        kept = json.loads(path.read_text())
        rows = [Row(**row) for row in kept["rows"]]
        parts.append(table(Result(kept["name"], kept["title"], rows)))
        versions = ", ".join(f"{k} {v}" for k, v in kept["versions"].items())
        parts.append(
            f"{kept['date']}, {kept['system']}, {kept['cores']} cores, load average "
            f"{kept.get('load')} (5 minutes); {versions}.\n"
        )
    return "\n".join(parts)
