"""Servers of the same app file that are given no cache: who shares jobs with whom."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest
from apps import wait_until
from engine import EngineServer

APP = """
import os, sys, time
from pathlib import Path
from dash import Input, Output, dcc, html
from dash_long_callback import Dash, DiskcacheLongCallbackManager

# "twin" waits with the others for the gate, but is imported like them
manager = DiskcacheLongCallbackManager(workers=1, grace=1.0)
if "CLEAR" in os.environ:
    manager.clear()  # the store is used while the app is imported, also where jobs will run
app = Dash(__name__, long_callback_manager=manager)
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
GUNICORN = ("-m", "gunicorn", "twin:server", "--pythonpath", "{shared}", "-b", "127.0.0.1:{port}")
PRODUCTION, STAGING = "PRODUCTION", "STAGING"


class Launch(Protocol):
    """Launches ``twin.py``; it does not start yet."""

    def __call__(
        self, db_url: str, *args: str, like: EngineServer | None = None, **env: str
    ) -> EngineServer: ...


class Machine:
    """A machine with one app file, and one cache directory for all who start it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.app = folder / "shared" / "twin.py"
        self.app.parent.mkdir(parents=True)
        self.app.write_text(APP)
        self.base = folder / "cache" / "dash-long-callback"
        self._servers: list[EngineServer] = []

    def launch(
        self,
        db_url: str,
        command: tuple[str, ...] = PYTHON,
        *args: str,
        like: EngineServer | None = None,
        **env: str,
    ) -> EngineServer:
        """A server, which is not started yet.

        Args:
            db_url: the setting.
            command: how to start the app.
            args: more arguments.
            like: an earlier server; all other settings are as there, the port too.
            env: more environment variables.
        """
        folder = like.folder if like else self.folder / f"server{len(self._servers)}"
        folder.mkdir(exist_ok=True)
        env = {"XDG_CACHE_HOME": str(self.folder / "cache"), "DB_URL": db_url, **env}
        filled = [
            part.replace("{app}", str(self.app)).replace("{shared}", str(self.app.parent))
            for part in (*command, *args)
        ]
        server = EngineServer("", folder, env, filled)
        if like is not None:
            server.port = like.port
            server._command = like._command  # pyright: ignore[reportPrivateUsage] - the port is in it
        self._servers.append(server)
        return server

    def folders(self) -> list[str]:
        """The folders for jobs, without the hash of the app file."""
        found = self.base.glob("long-callbacks-*")
        return sorted(f"folder{path.name[len('long-callbacks-') + 12 :]}" for path in found)

    def stop(self) -> None:
        for server in self._servers:
            server.stop()


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
    """The server and its web processes are killed; workers live on to end their jobs."""
    for pid in [*children(server.pid), server.pid]:
        if "fork_server" not in server.processes().get(pid, "fork_server"):
            os.kill(pid, signal.SIGKILL)
    server.kill()


# At the same time


@pytest.mark.parametrize("command", [PYTHON, (*GUNICORN, "-w", "2")], ids=["python", "gunicorn"])
def test_two_servers_of_one_file_do_not_run_the_jobs_of_each_other(
    machine: Machine, command: tuple[str, ...]
) -> None:
    production = machine.launch(PRODUCTION, command).start()
    staging = machine.launch(STAGING, command).start()
    jobs = [(server, server.submit("now")) for _ in range(4) for server in (production, staging)]
    values = [server.value(job) for server, job in jobs]
    assert values == ["asked PRODUCTION", "asked STAGING"] * 4
    assert machine.folders() == ["folder", "folder-2"]


def test_the_second_server_says_who_has_the_default_folder_and_how_to_share(
    machine: Machine,
) -> None:
    production = machine.launch(PRODUCTION).start()
    assert ask(production) == "asked PRODUCTION"
    staging = machine.launch(STAGING, (*GUNICORN, "-w", "2")).start()
    webs(staging, 2)
    [line] = [line for line in staging.log.splitlines() if "started more than once" in line]
    first = next(path for path in machine.base.glob("long-*") if "-2" not in path.name)
    assert f"another server (process {production.pid}) has {first} for its jobs" in line
    assert f"this one (process {staging.pid}) has {first}-2" in line
    assert 'DiskcacheLongCallbackManager(diskcache.Cache("./cache"))' in line
    assert "more than once" not in production.log


def test_two_servers_that_are_started_in_the_same_way_have_a_folder_each(
    machine: Machine,
) -> None:
    """What is in a file of settings can't be seen; it may have been changed since."""
    first = machine.launch(PRODUCTION).start()
    second = machine.launch(PRODUCTION, like=first)
    second.port += 1  # not in its environment
    second._env |= {"PORT": str(first.port)}  # pyright: ignore[reportPrivateUsage]
    assert first.port


# One server


@pytest.mark.parametrize(
    "command",
    [
        (*GUNICORN, "-w", "2"),
        (*GUNICORN, "-w", "2", "--preload"),
    ],
    ids=["gunicorn", "preload"],
)
@pytest.mark.parametrize("env", [{}, {"CLEAR": "1"}], ids=["", "store used at import"])
def test_all_processes_of_a_server_have_one_folder(
    machine: Machine, command: tuple[str, ...], env: dict[str, str]
) -> None:
    server = machine.launch(PRODUCTION, command, **env).start()
    assert len(set(webs(server, 2).values())) == 1
    folder = server.value(server.submit("folder"))  # a job that uses the app's own manager
    assert Path(folder).parent == machine.base
    assert machine.folders() == ["folder"]
    assert "more than once" not in server.log


def test_the_child_of_the_reloader_keeps_its_folder_when_it_is_reloaded(machine: Machine) -> None:
    server = machine.launch(PRODUCTION, PYTHON, "--debug").start()
    [(first, folder)] = webs(server, 1).items()
    machine.app.write_text(APP + "\n# edited\n")
    wait_until(lambda: server.answers() and first not in webs(server, 1), what="a reload")
    assert set(webs(server, 1).values()) == {folder}
    assert ask(server) == "asked PRODUCTION"
    assert machine.folders() == ["folder"]


def test_a_web_process_that_takes_the_place_of_another_has_its_folder(machine: Machine) -> None:
    """Each comes later than the claim, and the one that made the claim is gone."""
    server = machine.launch(PRODUCTION, (*GUNICORN, "-w", "2")).start()
    before = webs(server, 2)
    for pid in before:
        os.kill(int(pid), signal.SIGKILL)
    wait_until(lambda: not set(before) & {str(pid) for pid in children(server.pid)})
    wait_until(server.answers)
    after = webs(server, 2)
    assert not set(before) & set(after)
    assert set(after.values()) == set(before.values())
    assert ask(server) == "asked PRODUCTION"


def test_gunicorn_keeps_its_folder_when_it_is_upgraded_in_place(machine: Machine) -> None:
    """SIGUSR2: the master starts another one, which takes over."""
    server = machine.launch(PRODUCTION, (*GUNICORN, "-w", "1", "--pid", "pid")).start()
    folder = set(webs(server, 1).values())
    old, pidfile = server.pid, server.folder / "pid"
    os.kill(old, signal.SIGUSR2)
    wait_until(lambda: (server.folder / "pid.2").exists(), what="a second master")
    new = int((server.folder / "pid.2").read_text())
    try:
        wait_until(lambda: children(new), what="its web process")
        os.kill(old, signal.SIGTERM)
        wait_until(lambda: not server.runs and int(pidfile.read_text()) == new)
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


@pytest.mark.parametrize("command", [PYTHON, (*GUNICORN, "-w", "2")], ids=["python", "gunicorn"])
@pytest.mark.parametrize("how", ["killed", "stopped"])
def test_a_server_finds_its_jobs_after_a_restart(
    machine: Machine, command: tuple[str, ...], how: str
) -> None:
    server = machine.launch(PRODUCTION, command).start()
    done = server.submit("now")
    assert server.value(done) == "asked PRODUCTION"
    running = server.submit("gate", "work")
    server.wait_for_note("begun", 2)
    queued = server.submit("now")
    if how == "killed":
        crash(server)
    else:
        server.stop()
    server.start()
    server.open_gate("work")
    assert server.value(done) == "asked PRODUCTION"
    assert server.value(queued) == "asked PRODUCTION"
    if how == "killed":
        assert server.value(running) == "asked PRODUCTION"
    assert machine.folders() == ["folder"]
    assert "more than once" not in server.log


def test_a_server_with_another_setting_leaves_the_jobs_of_the_one_before_alone(
    machine: Machine,
) -> None:
    production = machine.launch(PRODUCTION).start()
    production.submit("gate", "work")
    production.wait_for_note("begun")
    queued = production.submit("now")
    crash(production)
    production.open_gate("work")

    staging = machine.launch(STAGING, like=production).start()
    assert staging.updates(queued, -1) is None
    assert ask(staging) == "asked STAGING"
    assert "a server that was started with other settings (DB_URL) has" in staging.log
    staging.stop()

    # Each finds its own again, whoever comes first.
    staging.start()
    assert ask(staging) == "asked STAGING"
    staging.stop()
    assert staging.log.count("more than once") == 1
    production.start()
    assert production.value(queued) == "asked PRODUCTION"
    assert machine.folders() == ["folder", "folder-2"]


def test_variables_that_change_with_each_launch_do_not_cost_a_restart_its_jobs(
    machine: Machine,
) -> None:
    volatile = ("SHLVL", "TERM_SESSION_ID", "SSH_CLIENT", "INVOCATION_ID", "JOURNAL_STREAM")
    first = machine.launch(PRODUCTION, **dict.fromkeys(volatile, "1")).start()
    job = first.submit("now")
    assert first.value(job) == "asked PRODUCTION"
    crash(first)
    second = machine.launch(PRODUCTION, like=first, **dict.fromkeys(volatile, "2")).start()
    assert second.value(job) == "asked PRODUCTION"


def test_a_server_with_other_arguments_has_another_folder(machine: Machine) -> None:
    first = machine.launch(PRODUCTION).start()
    assert ask(first) == "asked PRODUCTION"
    first.stop()
    second = machine.launch(PRODUCTION, like=first)
    second._command = [*first._command, "--other"]  # pyright: ignore[reportPrivateUsage]
    second.start()
    assert ask(second) == "asked PRODUCTION"
    assert "(the arguments)" in second.log
    assert machine.folders() == ["folder", "folder-2"]
