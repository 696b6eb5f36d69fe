"""Which processes serve an app, and which only start a job of it."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from dash_long_callback.folders.processes import is_server

pytestmark = pytest.mark.newest_only  # it knows nothing of Dash


@pytest.mark.parametrize(
    "script, serves",
    [
        ("/srv/app.py", True),
        ("app.py", True),
        ("/usr/bin/gunicorn", True),
        ("/usr/lib/python3/gunicorn/__main__.py", True),
        ("C/Scripts/waitress-serve.exe", True),
        ("/srv/nightly.py", False),
        ("/srv/gunicorn/nightly.py", False),
        ("/other/app.py", False),
        ("-c", False),
        ("", False),
    ],
)
def test_a_server_is_known_by_its_command(
    script: str, serves: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.setattr(sys, "argv", [script])
    monkeypatch.setattr("os.getcwd", lambda: "/srv")
    assert is_server("/srv/app.py") is serves


def test_a_process_without_arguments_is_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [])
    assert not is_server("/srv/app.py")


def test_uwsgi_is_known_by_its_module(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/srv/nightly.py"])
    monkeypatch.setitem(sys.modules, "uwsgi", ModuleType("uwsgi"))
    assert is_server("/srv/app.py")
