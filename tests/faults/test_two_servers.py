"""Servers of the same app file that are given no cache: who shares jobs with whom."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from apps import wait_until
from engine import EngineServer

APP = """
import os, sys, time
from pathlib import Path
from dash import Input, Output, dcc, html
from dash_long_callback import Dash, DiskcacheLongCallbackManager

manager = DiskcacheLongCallbackManager(workers=1, grace=1.0)
if "CLEAR" in os.environ:
    manager.clear()  # the store is used while the app is imported, also where jobs will run
kind = {"backend": os.environ["SERVER_KIND"]} if "SERVER_KIND" in os.environ else {}
app = Dash(__name__, long_callback_manager=manager, **kind)
server = app.server
app.layout = html.Div([dcc.Store(id="order"), html.P(id="result"), html.P(id="web")])
here = Path(os.environ["FOLDER"])


@app.long_callback(Output("result", "children"), Input("order", "data"), prevent_initial_call=True)
def ask(order):
    with (here / "note-begun").open("a") as notes:
        notes.write(f"{order}\\n")
    if order[0] == "folder":
        manager.clear(ask)
        return str(manager.store.directory)
    while order[0] == "gate" and not (here / f"gate-{order[1]}").exists():
        time.sleep(0.01)
    return "asked " + os.environ["DB_URL"]


@app.callback(Output("web", "children"), Input("order", "data"), prevent_initial_call=True)
def web(order):
    return f"{os.getpid()} {manager.store.directory}"


if __name__ == "__main__":
    app.run(port=int(os.environ["PORT"]), debug="--debug" in sys.argv, reloader_type="stat")
"""
PYTHON = ("{app}",)
# The script, as `python -m gunicorn` can't be upgraded in place.
GUNICORN = (
    str(Path(sys.executable).with_name("gunicorn")),
    *("twin:server", "--pythonpath", "{shared}", "-b", "127.0.0.1:{port}"),
)
UVICORN = ("-m", "uvicorn", "twin:server", "--app-dir", "{shared}", "--port", "{port}")
PRODUCTION, STAGING = "PRODUCTION", "STAGING"


class Machine:
    """A machine with one app file, and one cache directory for all who start it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.app = folder / "shared" / "twin.py"
        self.app.parent.mkdir(parents=True)
        self.app.write_text(APP)
        self.base = folder / "cache" / "dash-long-callback"
        self._servers: list[EngineServer] = []

    def launch(self, db_url: str, command: tuple[str, ...] = PYTHON, **env: str) -> EngineServer:
        """A server, which is not started yet."""
        folder = self.folder / f"server{len(self._servers)}"
        folder.mkdir()
        env = {"XDG_CACHE_HOME": str(self.folder / "cache"), "DB_URL": db_url, **env}
        places = {"app": str(self.app), "shared": str(self.app.parent), "port": "{port}"}
        server = EngineServer("", folder, env, [part.format(**places) for part in command])
        self._servers.append(server)
        return server

    def folders(self) -> list[str]:
        """The folders for jobs, without the hash of the app file."""
        found = self.base.glob("long-callbacks-*")
        return sorted(f"folder{path.name[len('long-callbacks-') + 12 :]}" for path in found)

    def stop(self) -> None:
        for server in self._servers:
            server.stop()


def change(server: EngineServer, *args: str, **env: str) -> EngineServer:
    """Have a server start with other settings from now on, and with the same port."""
    server._env |= env  # pyright: ignore[reportPrivateUsage]
    server._command += args  # pyright: ignore[reportPrivateUsage]
    return server


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    machine = Machine(tmp_path / "machine")
    yield machine
    machine.stop()


def ask(server: EngineServer) -> str:
    return server.value(server.submit("now"))


def webs(server: EngineServer, count: int) -> dict[str, str]:
    """The folders that web processes have, by pid, once so many of them were seen."""
    seen: dict[str, str] = {}

    def all_seen() -> bool:
        pid, folder = server.dispatch([], "web")["response"]["web"]["children"].split()
        seen[pid] = Path(folder).name
        return len(seen) >= count

    wait_until(all_seen, what=f"{count} web processes to answer")
    return seen


def children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in found]


def crash(server: EngineServer) -> None:
    """The server and its web processes are killed; job workers live on to end their jobs."""
    commands = server.processes()
    webs = [
        pid
        for pid in children(server.pid)
        if not any(word in commands.get(pid, "") for word in ("fork_server", "tracker"))
    ]
    # First: it would start others in their place, which have its port until they see that it died.
    server.kill()
    for pid in webs:
        os.kill(pid, signal.SIGKILL)


# At the same time


def test_servers_of_one_file_do_not_run_the_jobs_of_each_other_and_say_how_to_share(
    machine: Machine,
) -> None:
    gunicorn = (*GUNICORN, "-w", "2")
    kinds = {PRODUCTION: PYTHON, STAGING: gunicorn, "DEMO": gunicorn}
    servers = {db_url: machine.launch(db_url, kind).start() for db_url, kind in kinds.items()}
    jobs = [(db_url, server.submit("now")) for _ in range(4) for db_url, server in servers.items()]
    for db_url, job in jobs:
        assert servers[db_url].value(job) == f"asked {db_url}"
    assert machine.folders() == ["folder", "folder-2", "folder-3"]
    production, *others = servers.values()
    assert "more than once" not in production.log
    first = min(machine.base.glob("long-*"), key=lambda path: len(path.name))
    for number, other in enumerate(others, 2):
        webs(other, 2)
        [line] = [line for line in other.log.splitlines() if "started more than once" in line]
        assert f"another server (process {production.pid}) has {first} for its jobs" in line
        assert f"this one (process {other.pid}) has {first}-{number}" in line
        assert 'DiskcacheLongCallbackManager(diskcache.Cache("./cache"))' in line


# One server


def one_folder(machine: Machine, server: EngineServer) -> dict[str, str]:
    """See that both web processes of a server, and its jobs, have one. Returns it by their pids."""
    found = webs(server, 2)
    assert len(set(found.values())) == 1
    folder = server.value(server.submit("folder"))  # a job that uses the app's own manager
    assert Path(folder).parent == machine.base
    assert machine.folders() == ["folder"]
    assert "more than once" not in server.log
    return found


@pytest.mark.parametrize("options", [(), ("--preload",)], ids=["", "--preload"])
def test_all_processes_of_gunicorn_have_one_folder_and_so_have_those_that_take_their_place(
    machine: Machine, options: tuple[str, ...]
) -> None:
    # The store is used while the app is imported, also where jobs will run.
    server = machine.launch(PRODUCTION, (*GUNICORN, "-w", "2", *options), CLEAR="1").start()
    before = one_folder(machine, server)
    # Each comes later than the claim, and the one that made the claim is gone.
    for pid in before:
        os.kill(int(pid), signal.SIGKILL)
    wait_until(lambda: not set(before) & {str(pid) for pid in children(server.pid)})
    wait_until(server.answers)
    after = webs(server, 2)
    assert not set(before) & set(after)
    assert set(after.values()) == set(before.values())
    assert ask(server) == "asked PRODUCTION"


@pytest.mark.newest_only
def test_all_processes_of_uvicorn_have_one_folder(machine: Machine) -> None:
    command = (*UVICORN, "--workers", "2")
    one_folder(machine, machine.launch(PRODUCTION, command, SERVER_KIND="fastapi").start())


def test_the_child_of_the_reloader_keeps_its_folder_when_it_is_reloaded(machine: Machine) -> None:
    server = machine.launch(PRODUCTION, (*PYTHON, "--debug")).start()
    [(first, folder)] = webs(server, 1).items()
    machine.app.write_text(APP + "\n# edited\n")
    wait_until(lambda: server.answers() and first not in webs(server, 1), what="a reload")
    assert set(webs(server, 1).values()) == {folder}
    assert ask(server) == "asked PRODUCTION"
    assert machine.folders() == ["folder"]


def test_gunicorn_keeps_its_folder_when_it_is_upgraded_in_place(machine: Machine) -> None:
    """SIGUSR2: the master starts another one, which takes over."""
    server = machine.launch(PRODUCTION, (*GUNICORN, "-w", "1", "--pid", "pid")).start()
    folder = set(webs(server, 1).values())
    old, pidfile = server.pid, server.folder / "pid"
    os.kill(old, signal.SIGUSR2)
    wait_until((server.folder / "pid.2").exists, what="a second master")
    new = int((server.folder / "pid.2").read_text())
    try:
        wait_until(lambda: children(new), what="its web process")
        os.kill(old, signal.SIGTERM)
        wait_until(lambda: not server.runs and pidfile.exists(), what="the end of the first")
        assert set(webs(server, 1).values()) == folder
        [web] = children(new)
        os.kill(web, signal.SIGKILL)
        wait_until(lambda: server.answers() and str(web) not in webs(server, 1))
        assert set(webs(server, 1).values()) == folder
        assert machine.folders() == ["folder"]
    finally:
        os.kill(new, signal.SIGTERM)
        wait_until(lambda: new not in server.processes())


# One after the other


@pytest.mark.parametrize(
    "command,ends",
    [(PYTHON, ("killed", "stopped")), ((*GUNICORN, "-w", "2"), ("killed",))],
    ids=["python", "gunicorn"],
)
def test_a_server_finds_its_jobs_after_a_restart(
    machine: Machine, command: tuple[str, ...], ends: tuple[str, ...]
) -> None:
    server = machine.launch(PRODUCTION, command).start()
    done = server.submit("now")
    for how in ends:
        assert server.value(done) == "asked PRODUCTION"
        running = server.submit("gate", how)
        wait_until(lambda how=how: any(how in note for note in server.notes("begun")))
        queued = server.submit("now")
        if how == "killed":
            crash(server)
        else:
            server.stop()
        server.start()
        server.open_gate(how)
        assert server.value(done) == "asked PRODUCTION"
        assert server.value(queued) == "asked PRODUCTION"
        if how == "killed":
            assert server.value(running) == "asked PRODUCTION"
        assert machine.folders() == ["folder"]
        assert "more than once" not in server.log


def test_a_server_with_another_setting_or_argument_leaves_the_jobs_of_the_one_before_alone(
    machine: Machine,
) -> None:
    server = machine.launch(PRODUCTION).start()
    server.submit("gate", "work")
    server.wait_for_note("begun")
    queued = server.submit("now")
    crash(server)
    server.open_gate("work")

    change(server, DB_URL=STAGING).start()
    assert server.post("updates", {"tab": "t", "jobs": {queued: -1}}).status_code == 404
    assert ask(server) == "asked STAGING"
    assert "a server that was started with other settings (DB_URL) has" in server.log
    server.stop()

    # Each finds its own again, whoever comes first.
    server.start()
    assert ask(server) == "asked STAGING"
    server.stop()
    assert server.log.count("more than once") == 1
    change(server, DB_URL=PRODUCTION).start()
    assert server.value(queued) == "asked PRODUCTION"
    assert machine.folders() == ["folder", "folder-2"]
    server.stop()

    change(server, "--other").start()
    assert server.post("updates", {"tab": "t", "jobs": {queued: -1}}).status_code == 404
    assert ask(server) == "asked PRODUCTION"
    assert "(the arguments)" in server.log
    assert machine.folders() == ["folder", "folder-2", "folder-3"]
