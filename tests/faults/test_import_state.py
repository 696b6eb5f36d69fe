"""What an app has when it is imported, and what it sets later, in its workers: real servers."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import socketserver
import threading
import time
import types
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import requests
from apps import Server, wait_until
from engine import EngineServer

from dash_long_callback import DiskcacheLongCallbackManager, changed_values
from dash_long_callback.errors import RegistrationError
from dash_long_callback.executors.local import importing, inherited

HEAD = """
import logging, os, signal, socket, sys, threading, time
import diskcache
from dash import Input, Output, dcc, html
from in_app import note, serve, wait_for
from dash_long_callback import Dash, DiskcacheLongCallbackManager

note("import", os.getpid())

def manager(name="cache", workers=2, **options):
    return DiskcacheLongCallbackManager(diskcache.Cache("./" + name), workers=workers, **options)

# Another app of the same server, with workers of its own.
def beside(app, **options):
    manager_of_it = manager("two", **options)
    path = {"url_base_pathname": "/two/"}
    other = Dash(__name__, server=app.server, long_callback_manager=manager_of_it, **path)
    other.layout = layout()
    return other

def layout():
    return html.Div([dcc.Store(id="order"), *(html.P(id=name) for name in "abcd")])

def long(app, name, **options):
    return app.long_callback(
        Output(name, "children"), Input("order", "data"), prevent_initial_call=True, **options
    )
"""
TAIL = """
if __name__ == "__main__":
    serve(app)
"""
#: Two callbacks, each of which asks a database on the connection that the module has opened.
CONNECTED = """
link = socket.create_connection(DATABASE)
file = link.makefile("rwb")

def query(text):
    file.write(text.encode() + b"\\n")
    file.flush()
    return file.readline().decode().strip()

app = Dash(__name__, long_callback_manager=manager())
app.layout = layout()
for name in "ab":

    @long(app, name)
    def work(order, name=name):
        note("pid", os.getpid())
        note("began-" + name)
        # Both ask at the same time.
        while not all(os.path.exists("note-began-" + other) for other in "ab"):
            time.sleep(0.01)
        return sum(query(q) != q for q in (f"{name}{i}" for i in range(40)))
"""


class Beside(EngineServer):
    """The app that another one has ``beside`` it, in the same process."""

    def __init__(self, server: EngineServer) -> None:
        self.__dict__.update(server.__dict__)

    @property
    def url(self) -> str:
        return super().url + "two/"


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Callable[..., EngineServer]]:
    """Starts apps, ``app(lines, **environment)``, and loads their page."""
    servers: list[EngineServer] = []

    def start(
        body: str | Path, tail: str = TAIL, command: Sequence[str] = ("app.py",), **env: str
    ) -> EngineServer:
        folder = tmp_path / f"app{len(servers)}"
        folder.mkdir()
        source = body if isinstance(body, Path) else HEAD + body + tail
        servers.append(EngineServer(source, folder, env, command))
        return servers[-1].start()

    yield start
    for server in servers:
        server.stop()


def ask(server: EngineServer, *outputs: str, order: Any = 1) -> list[Any]:
    """Run the callbacks of these outputs side by side. Returns their results."""
    jobs = [(name, server.dispatch(order, name)["job"]) for name in outputs]
    found: list[Any] = []
    for name, job in jobs:
        outcome = server.outcome(job)
        assert outcome["state"] == "succeeded", outcome
        found.append(outcome["response"]["response"][name]["children"])
    return found


def warnings(server: Server) -> list[str]:
    """What the log says of the state at import."""
    said = r"while it is imported|changed after import"
    return [line for line in server.log.splitlines() if re.search(said, line)]


# Connections and threads


class Echo(socketserver.StreamRequestHandler):
    """Stands for a database: answers on the connection that asked."""

    def handle(self) -> None:
        for line in self.rfile:
            time.sleep(0.01)
            self.wfile.write(line)


class Database(socketserver.ThreadingTCPServer):
    daemon_threads = True


@pytest.fixture(scope="module")
def database() -> Iterator[tuple[str, int]]:
    """The address of a database."""
    with Database(("127.0.0.1", 0), Echo) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address  # pyright: ignore[reportReturnType]
        server.shutdown()


def connected(database: tuple[str, int], body: str = CONNECTED) -> str:
    return body.replace("DATABASE", repr(database))


CHOSEN = """
long(beside(app, workers=1, start_method="forkserver"), "a")(lambda order: "forked")
"""


def test_connection_opened_at_import_is_not_shared_by_workers_unless_its_author_asks_for_it(
    app: Callable[..., EngineServer], database: tuple[str, int]
) -> None:
    server = app(connected(database) + CHOSEN)
    assert ask(server, "a", "b") == [0, 0]  # wrong answers
    assert Beside(server).answers()
    warning, of_the_other = wait_until(lambda: (w := warnings(server))[1:] and w, what="two")
    assert warning.startswith("app.py: ")
    assert f"127.0.0.1:{database[1]}" in warning
    assert "worker_start" in warning
    assert "so they are started with start_method='spawn'" in warning
    # Its author has asked for it.
    assert "start_method='forkserver' was asked for" in of_the_other
    assert f"127.0.0.1:{database[1]}" in of_the_other
    # The server, the fork server, and one of their own for the workers that had jobs: those that
    # were forked have imported nothing and done nothing, and did not count as failed starts. The
    # other app's are forked from the same.
    imports, pids = server.notes("import"), set(server.notes("pid"))
    assert len(imports) == 4
    assert len(pids) == 2
    assert pids <= set(imports)
    assert "die before they are ready" not in server.log


def test_every_kind_of_connection_is_found_and_nothing_else(tmp_path: Path) -> None:
    before = inherited.open_files()
    with ExitStack() as stack:

        def opened(*kind: int) -> socket.socket:
            return stack.enter_context(socket.socket(*kind))

        def listening(path: Path, kind: int = socket.SOCK_STREAM) -> socket.socket:
            listener = opened(socket.AF_UNIX, kind)
            listener.bind(str(path))
            if kind == socket.SOCK_STREAM:
                listener.listen()
            return listener

        tcp = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        udp, database = opened(socket.AF_INET, socket.SOCK_DGRAM), listening(tmp_path / "db")
        udp.bind(("127.0.0.1", 0))
        journal = listening(tmp_path / "log", socket.SOCK_DGRAM)
        stack.enter_context((tmp_path / "file").open("w"))
        assert inherited.since(before, [], {}).peers == []
        ports = [f"127.0.0.1:{one.getsockname()[1]}" for one in (tcp, udp)]
        opened(socket.AF_INET).connect(tcp.getsockname())
        opened(socket.AF_INET, socket.SOCK_DGRAM).connect(udp.getsockname())
        opened(socket.AF_UNIX).connect(database.getsockname())
        # Takes datagrams and never answers, as the system's log.
        opened(socket.AF_UNIX, socket.SOCK_DGRAM).connect(journal.getsockname())
        # Has a socket pair, by which it is woken.
        stack.enter_context(contextlib.closing(asyncio.new_event_loop()))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(inherited, "ONE_WAY", (journal.getsockname(),))
            found = inherited.since(before, [], {}).peers
    assert found[:-1] == [*ports, str(tmp_path / "db")]
    assert found[-1].startswith("a socket pair (of an event loop")


def test_thread_started_at_import_is_named(app: Callable[..., EngineServer]) -> None:
    """Workers are forked all the same: in each of them, a scheduler would run its jobs again."""
    server = app(
        """
threading.Thread(target=threading.Event().wait, daemon=True, name="scheduler").start()
listener = socket.create_server(("127.0.0.1", 0))  # only listens: nobody is connected
app = Dash(__name__, long_callback_manager=manager())
app.layout = layout()

@long(app, "a")
def work(order):
    return [thread.name for thread in threading.enumerate()]
"""
    )
    (threads,) = ask(server, "a")
    assert "scheduler" not in threads
    (warning,) = warnings(server)
    assert "scheduler" in warning
    assert len(server.notes("import")) == 2


# worker_start

OPENED = """
engine = None
data = ["shared"]

link = socket.create_connection(DATABASE) if METHOD == "spawn" else None

def open_engine():
    global engine
    engine = f"engine of {os.getpid()}"
    note("opened", f"{os.getpid()} {id(data)}")

class Database:
    def connect(self):
        open_engine()

app = Dash(__name__, long_callback_manager=manager(start_method=METHOD, worker_start=open_engine))
app.layout = layout()
other = beside(app, workers=1, start_method=METHOD, worker_start=OPENER)

def work(order, name):
    note("began-" + name)
    while not all(os.path.exists("note-began-" + other) for other in "ab"):
        time.sleep(0.01)
    return [engine, os.getpid(), id(data)]

for name in "ab":
    long(app, name)(lambda order, name=name: work(order, name))
long(other, "c")(lambda order: work(order, "c"))
"""


@pytest.mark.parametrize(
    "opener, method",
    [("lambda: open_engine()", "forkserver"), ("Database().connect", "spawn")],
)
def test_worker_start_runs_once_in_each_worker_on_its_own_module(
    app: Callable[..., EngineServer], database: tuple[str, int], opener: str, method: str
) -> None:
    body = connected(database, OPENED).replace("OPENER", opener).replace("METHOD", repr(method))
    server = app(body)
    found = [*ask(server, "a", "b"), *ask(Beside(server), "c")]
    assert len({pid for _, pid, _ in found}) == 3
    for engine, pid, _ in found:
        assert engine == f"engine of {pid}"
    opened = [line.split() for line in server.notes("opened")]
    assert sorted(opened) == sorted([str(pid), str(where)] for _, pid, where in found)
    assert warnings(server) == []
    if method == "forkserver":  # the memory is that of the fork server
        assert len({where for *_, where in found}) == 1
        assert len(server.notes("import")) == 2
    else:  # and each has opened a connection of its own
        assert {str(pid) for _, pid, _ in found} <= set(server.notes("import"))


def test_worker_start_of_a_notebook_is_sent(app: Callable[..., EngineServer]) -> None:
    code = "exec(compile(open('app.py').read(), '<typed>', 'exec'))"
    server = app(
        """
app = Dash(__name__, long_callback_manager=manager(worker_start=lambda: note("started")))
app.layout = layout()
long(app, "a")(lambda order: "typed")
""",
        command=("-c", code),
    )
    assert ask(server, "a") == ["typed"]
    assert server.notes("started")


def test_worker_start_that_raises_ends_waiting_jobs_in_words_and_is_tried_again(
    app: Callable[..., EngineServer],
) -> None:
    server = app(
        """
def open_engine():
    if not os.path.exists("gate-up"):
        raise ConnectionError("no database at db:5432")

app = Dash(__name__, long_callback_manager=manager(worker_start=open_engine))
app.layout = layout()

@long(app, "a")
def work(order):
    return "done"
"""
    )
    outcome = server.outcome(server.dispatch(1, "a")["job"])
    assert outcome["state"] == "lost"
    error = outcome["error"]
    assert error["kind"] == "unavailable"
    assert error["message"] == (
        "no worker process could be started: worker_start open_engine failed: "
        "ConnectionError: no database at db:5432"
    )
    assert f"no. {error['ref']}: work (a.children) was lost" in server.log
    assert "worker_start open_engine failed" in server.log
    assert "ConnectionError: no database at db:5432" in server.log
    server.open_gate("up")
    wait_until(lambda: _state(server) == "succeeded", what="another try to start workers")


def _state(server: EngineServer) -> str:
    return server.outcome(server.dispatch(1, "a")["job"])["state"]


def _needs(engine: str) -> str:
    return engine


async def _opens_later() -> None:
    pass


@pytest.mark.parametrize(
    "function, words", [("open", "ordinary"), (_opens_later, "ordinary"), (_needs, "arguments")]
)
def test_worker_start_that_can_not_be_called_is_refused(
    tmp_path: Path, function: Any, words: str
) -> None:
    cache: Any = types.SimpleNamespace(directory=str(tmp_path))
    with pytest.raises(RegistrationError, match=f"worker_start=.*{words}"):
        DiskcacheLongCallbackManager(cache, worker_start=function)


# The environment


def test_each_start_of_a_worker_carries_the_environment_of_that_moment(
    app: Callable[..., EngineServer],
) -> None:
    server = app(
        """
import ctypes
if __name__ != "__main__":
    os.environ["ROLE"] = "worker"  # by the app, for workers alone
os.environ["GONE"] = "here"
app = Dash(__name__, long_callback_manager=manager("one", 1))
app.layout = layout()
second = Dash(
    __name__,
    server=app.server,
    url_base_pathname="/two/",
    long_callback_manager=manager("two", 1, worker_start=lambda: note("second", seen())),
)
second.layout = layout()

def seen():
    getenv = ctypes.CDLL(None).getenv
    getenv.restype = ctypes.c_char_p
    in_c = (getenv(b"STAGE") or b"").decode()
    return [os.environ.get(name) for name in ("STAGE", "GONE", "ROLE")] + [in_c, time.tzname[0]]

@long(app, "a")
def of_first(order):
    if order == "exit":
        os._exit(1)
    return seen()

@long(second, "a")
def of_second(order):
    return seen()

@app.callback(Output("c", "children"), Input("order", "data"), prevent_initial_call=True)
def change(order):
    os.environ.update(order)
    os.environ.pop("GONE", None)
    return "changed"
""",
        STAGE="one",
        TZ="UTC",
    )
    assert ask(server, "a") == [["one", "here", "worker", "one", "UTC"]]
    server.dispatch({"STAGE": "two", "TZ": "EST5EDT"}, "c")
    later = ["two", None, "worker", "two", "EST"]
    server.outcome(server.dispatch("exit", "a")["job"])
    assert ask(server, "a") == [later]  # a worker that takes the place of another
    # Workers of a second manager are forked from the fork server of the first.
    assert requests.get(server.url + "two/", timeout=30).ok
    assert server.wait_for_note("second") == [str(later)]
    assert len(server.notes("import")) == 2


# What is set below the guard

BELOW = """
settings = {"mode": "default"}
started, names = time.time(), {"a", "b", "c"}
app = Dash(__name__, long_callback_manager=manager(OPTIONS))
app.layout = layout()

def mode():
    return settings["mode"]

@long(app, "a")
def work(order):
    logging.getLogger("model").info("step %s", order)
    logging.getLogger("model.detail").debug("detail %s", order)
    return [mode(), __name__, started > 0, len(names)]
"""


class Odd:
    """Nothing of it is called."""

    def __eq__(self, other: object) -> bool:
        raise AssertionError

    def __hash__(self) -> int:
        raise AssertionError

    def __repr__(self) -> str:
        raise AssertionError


ODD: Any = Odd()
ENDLESS: list[Any] = []
ENDLESS.append(ENDLESS)
LONG, WIDE = "x" * 20_000, list(range(2_000))
PLAIN: Any = {"a": {1, 2.5}, "b": ("x", b"y", None, True)}


def _reads() -> Any:
    def inner() -> Any:
        return PLAIN, [ODD for _ in LONG]

    return inner, ENDLESS, WIDE, len, __name__


def test_only_plain_values_of_bounded_size_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    assert changed_values.read_by(_reads) == {}  # of a module, not of a script
    monkeypatch.setattr(_reads, "__module__", "__main__")
    before = changed_values.read_by(_reads)
    assert set(before) == {"PLAIN"}
    monkeypatch.setitem(globals(), "PLAIN", {"b": ("x", b"y", None, True), "a": {2.5, 1}})
    assert changed_values.read_by(_reads) == before
    monkeypatch.setitem(PLAIN, "b", ("x", b"y", None, 1))
    assert changed_values.read_by(_reads) != before


@pytest.mark.parametrize("method", ["forkserver", "spawn"])
def test_setting_changed_below_the_guard_is_named_and_a_log_set_up_above_it_is_left_as_it_is(
    app: Callable[..., EngineServer], method: str
) -> None:
    body = BELOW.replace("OPTIONS", f"start_method={method!r}")
    body += "logging.basicConfig(level='INFO', format='own %(message)s')\n"
    tail = TAIL.replace("    serve", '    settings["mode"] = "production"\n    serve')
    server = app(body, tail)
    assert ask(server, "a", order=7)[0][0] == "default"
    (warning,) = warnings(server)
    assert warning.startswith("own app.py: settings was changed after import")
    assert [x for x in server.log.splitlines() if "step 7" in x] == ["own step 7"]


def test_log_of_a_job_is_set_up_as_below_the_guard_and_what_worker_start_sets_needs_no_warning(
    app: Callable[..., EngineServer],
) -> None:
    body = BELOW.replace("OPTIONS", 'worker_start=lambda: settings.update(mode="production")')
    tail = TAIL.replace(
        "    serve",
        """
    settings["mode"] = "production"
    logging.basicConfig(
        level=logging.INFO, style="{", format="{levelname}|{name}|{message}",
        handlers=[logging.StreamHandler(), logging.FileHandler("app.log")],
    )
    logging.getLogger("model.detail").setLevel(logging.DEBUG)
    logging.getLogger().handlers[0].setLevel(logging.INFO)
    serve""",
    )
    server = app(body, tail)
    assert ask(server, "a", order=7)[0][0] == "production"
    lines = ["INFO|model|step 7"]
    assert [x for x in server.log.splitlines() if "7" in x and "|model" in x] == lines
    file = (server.folder / "app.log").read_text().splitlines()
    assert [x for x in file if "|model" in x] == [*lines, "DEBUG|model.detail|detail 7"]
    assert warnings(server) == []


# A server that is started without a guard


SPAWNED = """
other = beside(app, start_method="spawn")
long(other, "a")(lambda order: work(order))
"""


@pytest.mark.parametrize("debug", [False, True], ids=["", "with reloader"])
def test_flask_app_that_is_run_without_a_guard_is_not_run_in_workers(
    app: Callable[..., EngineServer], debug: bool
) -> None:
    body = BELOW.replace("OPTIONS", "start_method='forkserver'") + SPAWNED
    run = f"app.server.run(port=int(os.environ['PORT']), debug={debug})"
    server = app(body, f"\n{run}\n")
    for one, imports in ((server, 2 + debug), (Beside(server), 3 + debug)):
        assert ask(one, "a") == [["default", "__main__", True, 3]]
        assert len(server.notes("import")) >= imports  # the server, its reloader, the fork server


OTHERS = """
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

server = ThreadingHTTPServer(("127.0.0.1", METRICS), BaseHTTPRequestHandler)
threading.Thread(target=server.serve_forever, daemon=True).start()
serve(app)
"""


def test_other_server_that_is_started_without_a_guard_is_refused_in_words(
    app: Callable[..., EngineServer],
) -> None:
    with contextlib.closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    body = BELOW.replace("OPTIONS", "start_method='forkserver'") + SPAWNED
    server = app(body, OTHERS.replace("METRICS", str(port)))
    for one in (server, Beside(server)):
        before = len(server.log)
        outcome = one.outcome(one.dispatch(1, "a")["job"])
        assert "no worker process could be started" in outcome["error"]["message"]
        assert importing.MESSAGE in server.log[before:]
