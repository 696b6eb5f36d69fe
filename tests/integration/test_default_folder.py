"""Which default folder a process gets, tried with processes that do nothing but ask for it."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import filelock
import pytest
from apps import wait_until

from dash_long_callback import DiskcacheLongCallbackManager
from dash_long_callback.errors import StoreError
from dash_long_callback.folders import unused

#: Dash is what costs a process most of its start, and a folder is chosen without it: what follows
#: finds the package's modules, but does not run its ``__init__``, which imports Dash.
WITHOUT_DASH = """
import importlib.util, sys
package = importlib.util.module_from_spec(importlib.util.find_spec("dash_long_callback"))
sys.modules[package.__name__] = package
"""
APP = f"""{WITHOUT_DASH}
import os, time
from pathlib import Path
from types import SimpleNamespace
from dash_long_callback.folders import claim
from dash_long_callback.managers.diskcache import DiskcacheLongCallbackManager

def sleep(seconds):
    Path("looked").touch()
    time.sleep(seconds)

claim.ENDING_SECONDS = ENDING
claim.time = SimpleNamespace(monotonic=time.monotonic, sleep=sleep)
manager = DiskcacheLongCallbackManager()
if "IMPORT" not in os.environ:
    manager.store.port()
    print(manager.store.directory.name, flush=True)
else:
    print("imported", flush=True)
sys.stdin.read()
"""
DAY = 24 * 3600
#: Python finds its packages by the name it is called by, which some of these tests make up.
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


class Places:
    """A machine with one app file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.app = folder / "app.py"
        self.wait_for_the_one_before(0.2)
        self.base = folder / "cache" / "dash-long-callback"
        self._started: list[subprocess.Popen[str]] = []

    def wait_for_the_one_before(self, seconds: float) -> None:
        """How long launches wait for an equal one to end, from now on."""
        self.app.write_text(APP.replace("= ENDING", f"= {seconds}"))

    def start(
        self, *args: str, cwd: Path | None = None, argv: list[str] | None = None, **env: str
    ) -> subprocess.Popen[str]:
        """Start the app. It runs until its input is closed."""
        process = subprocess.Popen(
            argv or [sys.executable, str(self.app), *args],
            env={**ENVIRONMENT, "XDG_CACHE_HOME": str(self.folder / "cache"), **env},
            cwd=cwd or self.folder,
            executable=sys.executable,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._started.append(process)
        return process

    def launch(self, *args: str, **options: Any) -> str:
        """Start the app, see which folder it has, and end it."""
        process = self.start(*args, **options)
        found = said(process)
        self.end(process)
        return found

    def end(self, process: subprocess.Popen[str]) -> str:
        """End the app. Returns what it has logged."""
        _, log = process.communicate(timeout=60)
        assert process.returncode == 0, log
        return log

    def stop(self) -> None:
        for process in self._started:
            process.kill()
            process.communicate()


def said(process: subprocess.Popen[str]) -> str:
    """The folder of a process, without the hash of its app file."""
    assert process.stdout is not None
    name = process.stdout.readline().strip()
    return f"folder{name.removeprefix('long-callbacks-')[12:]}" if name.count("-") else name


@pytest.fixture
def places(tmp_path: Path) -> Iterator[Places]:
    places = Places(tmp_path)
    yield places
    places.stop()


def test_an_app_that_is_only_imported_takes_no_folder(places: Places) -> None:
    assert places.launch(IMPORT="1") == "imported"
    assert not places.base.exists()


def test_a_second_launch_has_its_own_folder_though_it_was_started_in_the_same_way(
    places: Places,
) -> None:
    """A file of settings may have been changed between the two: nobody can tell."""
    first, second = places.start(), places.start()
    assert sorted([said(first), said(second)]) == ["folder", "folder-2"]
    logs = places.end(first) + places.end(second)
    assert logs.count("more than once: another server (process") == 1


def test_a_launch_waits_for_the_server_before_it_to_end(places: Places) -> None:
    """After SIGTERM a server may take some seconds, and the next one has been started."""
    first = places.start()
    assert said(first) == "folder"
    places.wait_for_the_one_before(60)
    second = places.start()
    wait_until((places.folder / "looked").exists, what="the second to find it running")
    places.end(first)
    assert said(second) == "folder"


def test_of_two_equal_servers_the_later_one_is_found_again(places: Places) -> None:
    """The first was still ending: who waits for an answer, waits for one of the second."""
    first, second = places.start(), places.start()
    names = [said(first), said(second)]
    places.end(first)
    places.end(second)
    assert sorted(names) == ["folder", "folder-2"]
    assert places.launch() == "folder-2"


def test_another_environment_is_another_server(places: Places) -> None:
    settings = {"DB_URL": "PRODUCTION", "PORT": "0"}
    for _ in range(2):
        assert places.launch(**settings) == "folder"
        assert places.launch(**{**settings, "DB_URL": "STAGING"}) == "folder-2"
        assert places.launch(**{**settings, "PORT": "1"}) == "folder-3"


def test_other_arguments_and_another_working_directory_are_another_server(places: Places) -> None:
    (places.folder / "elsewhere").mkdir()
    assert places.launch() == "folder"
    assert places.launch("--verbose") == "folder-2"
    assert places.launch(cwd=places.folder / "elsewhere") == "folder-3"
    assert places.launch() == "folder"


def test_what_a_terminal_or_a_service_manager_sets_anew_does_not_count(places: Places) -> None:
    names = ["SHLVL", "TERM_SESSION_ID", "SSH_CLIENT", "INVOCATION_ID", "JOURNAL_STREAM", "PATH"]
    for launch in ("1", "2"):
        assert places.launch(**dict.fromkeys(names, launch)) == "folder"
    # the same file, named otherwise
    assert places.launch(argv=["python", "./app.py"]) == "folder"


def test_a_server_whose_folder_can_not_be_chosen_says_so_and_tries_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    base = tmp_path / "dash-long-callback"
    base.write_text("a file in place of a folder")
    store: Any = DiskcacheLongCallbackManager().store
    with pytest.raises(StoreError, match=r"no folder for jobs can be chosen in .*; check that"):
        store.port()
    base.unlink()
    assert store.port() is None
    assert store.directory.parent == base
    store.close()


def test_a_full_disk_leaves_no_folder_behind_at_each_try(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    store: Any = DiskcacheLongCallbackManager().store

    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        for _ in range(2):
            with pytest.raises(StoreError, match="No space left on device"):
                store.port()
    assert list(tmp_path.glob("*/long-callbacks-*")) == []
    assert store.port() is None
    assert len(list(tmp_path.glob("*/long-callbacks-*"))) == 1
    store.close()


def test_a_folder_of_a_version_without_records_is_taken_over_with_its_jobs(places: Places) -> None:
    assert places.launch() == "folder"
    (first,) = places.base.glob("long-callbacks-*")
    (first / "server").unlink()
    with filelock.FileLock(first / "leader.lock"):  # a server of that version runs
        assert places.launch() == "folder-2"
    (first.with_name(first.name + "-2") / "server").unlink()
    assert places.launch() == "folder"


def test_a_folder_whose_record_is_damaged_is_left_alone(places: Places) -> None:
    assert places.launch() == "folder"
    (first,) = places.base.glob("long-callbacks-*")
    for damaged in ("", '{"app": "", "processes": [], "settings": {}}'):
        (first / "server").write_text(damaged)
        assert places.launch() == "folder-2"


def test_no_setting_can_be_read_from_the_record(places: Places) -> None:
    assert places.launch("--password=secret1", TOKEN="secret2") == "folder"
    (record,) = places.base.glob("long-callbacks-*/server")
    assert "secret" not in record.read_text()
    assert "TOKEN" in json.loads(record.read_text())["settings"]["environment"]
    assert record.stat().st_mode & 0o777 == 0o600
    assert record.parent.stat().st_mode & 0o777 == 0o700


PARENT = """
import subprocess, sys
child = subprocess.Popen(sys.argv[2:], executable=sys.argv[1])
sys.exit(child.wait())
"""
CHILD = f"""{WITHOUT_DASH}
import os
from dash_long_callback.folders.processes import server_processes
print([p.pid for p in server_processes()] == {{expected}})
"""


@pytest.mark.parametrize(
    "parent,child,expected",
    [
        ("gunicorn: master [app]", "gunicorn: worker [app]", "[os.getpid(), os.getppid()]"),
        ("gunicorn: master [app]", "python", "[os.getpid()]"),
        ("python", "python", "[os.getpid()]"),
    ],
)
def test_who_starts_a_server_is_part_of_it_only_if_it_is_a_server(
    tmp_path: Path, parent: str, child: str, expected: str
) -> None:
    command = [parent, "-c", PARENT, sys.executable, child, "-c", CHILD.format(expected=expected)]
    done = subprocess.run(
        command,
        executable=sys.executable,
        env=ENVIRONMENT,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout == "True\n", done.stderr


# Folders that nobody uses


def aged(folder: Path, days: float) -> Path:
    then = time.time() - days * DAY
    for path in (*folder.rglob("*"), folder):
        os.utime(path, (then, then), follow_symlinks=False)
    return folder


def fake(base: Path, name: str, days: float, record: object = None) -> Path:
    folder = base / name
    (folder / "results").mkdir(parents=True)
    (folder / "results" / "cache.db").touch()
    if record is not None:
        (folder / "server").write_text(json.dumps(record))
    return aged(folder, days)


def name(digit: str, more: str = "") -> str:
    return f"long-callbacks-{digit * 12}{more}"


def test_a_server_removes_folders_that_nobody_has_used_for_long(places: Places) -> None:
    old = fake(places.base, name("a"), 61)
    older = fake(places.base, name("a", "-2"), 300)
    interrupted = fake(places.base, name("b", ".removed"), 1)
    process = places.start()
    assert said(process) == "folder"
    wait_until(lambda: not any(path.exists() for path in (old, older, interrupted)))
    places.end(process)


def test_folders_that_may_be_in_use_and_what_is_not_ours_stay(tmp_path: Path) -> None:
    app = tmp_path / "app.py"
    app.touch()
    gone = {"app": str(tmp_path / "gone.py"), "processes": [], "settings": {}}
    sealed = {"salt": "", "arguments": "", "directory": "", "environment": {}}
    gone["settings"] = sealed
    base = tmp_path / "base"
    kept = [
        fake(base, name("1"), 59),
        fake(base, name("2"), 59, {**gone, "app": str(app)}),
        fake(base, name("3"), 0.9, gone),
        fake(base, name("4", "-x"), 300),
        fake(base, "long-callbacks-mine", 300),
        fake(base, "results", 300),
        fake(tmp_path, name("5"), 300),
    ]
    link = base / name("5")
    link.symlink_to(kept[-1])
    changed = fake(base, name("6"), 300)
    (changed / "results" / "cache.db").touch()  # an orphan renews its lease
    led = fake(base, name("7"), 300)
    removed = [fake(base, name("8"), 61), fake(base, name("9"), 1.1, gone)]
    with filelock.FileLock(led / "leader.lock"):
        aged(led, 300)
        unused.remove(base, base / "folders.lock")
    assert all(path.exists() for path in (*kept, link, changed, led))
    assert not any(path.exists() for path in removed)


def test_the_folder_of_a_server_that_runs_stays_however_old(places: Places) -> None:
    process = places.start()
    assert said(process) == "folder"
    (folder,) = places.base.glob("long-callbacks-*")
    unused.remove(places.base, places.base / "folders.lock")
    aged(folder, 300)
    unused.remove(places.base, places.base / "folders.lock")
    assert folder.exists()
    places.end(process)
    aged(folder, 300)
    unused.remove(places.base, places.base / "folders.lock")
    assert not folder.exists()
