"""What tells two servers of the same app file apart: how they were started."""

from __future__ import annotations

import hashlib
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: Variables that differ from launch to launch of one and the same server, by who sets them.
_VOLATILE = re.compile(
    r"""
    # shells, and tools that choose a Python
    _|SHLVL|PWD|OLDPWD|PATH|PS1|PROMPT|PROMPT_COMMAND|HISTFILE|LINES|COLUMNS|LS_COLORS
    |VIRTUAL_ENV.*|CONDA_.*|PYENV_.*|POETRY_ACTIVE|PIPENV_ACTIVE|UV|UV_RUN_.*
    # terminals and editors
    |TERM|TERM_.*|TERMINAL_.*|COLORTERM|COLORFGBG|WINDOWID|WINDOW|STY|TMUX.*|VTE_VERSION
    |KITTY_.*|ITERM_.*|KONSOLE_.*|GNOME_TERMINAL_.*|WEZTERM_.*|ALACRITTY_.*|GHOSTTY_.*
    |WT_.*|WSL.*|SHELL_SESSION_ID|INSIDE_EMACS|VSCODE_.*|PYCHARM_.*|PYDEVD_.*
    |JPY_(API|PARENT|INTERRUPT).*|JUPYTERHUB_API_TOKEN
    # logins and desktops
    |LOGNAME|MAIL|SSH_.*|SUDO_.*|GPG_.*|KRB5CCNAME|DISPLAY|WAYLAND_DISPLAY|XAUTHORITY
    |DBUS_.*|DESKTOP_.*|SESSION_MANAGER|SESSIONNAME|CLIENTNAME|WINDOWPATH|SECURITYSESSIONID
    |XDG_(SESSION|SEAT|VTNR|RUNTIME|CURRENT|MENU|DATA|GREETER|ACTIVATION).*|XPC_.*|__CF.*
    # service managers and containers
    |INVOCATION_ID|JOURNAL_STREAM|NOTIFY_SOCKET|LISTEN_.*|WATCHDOG_.*|SYSTEMD_.*|MAINPID
    |MANAGERPID|MEMORY_PRESSURE_.*|HOSTNAME
    # servers and tests. Not all of GUNICORN_ and UVICORN_: some are settings of a server
    |WERKZEUG_.*|GUNICORN_(PID|FD)|SERVER_SOFTWARE|PYTEST_(CURRENT_TEST|VERSION)|COVERAGE.*
    # ours, while workers start: see executors/local/preload.py
    |DASH_LONG_CALLBACK_MODULES
    """,
    re.VERBOSE,
)


@dataclass(frozen=True)
class Settings:
    """How a server was started.

    All of it must be equal for a launch to be a restart of an earlier server. An unknown variable
    that changes costs a restart its jobs, and says so in the log; the other way round, a staging
    server would run the jobs of production. Comparing nothing but the command line, or taking the
    most similar of several, would do just that to two launches that differ in DB_URL alone.

    Attributes:
        arguments: the command line.
        directory: where relative paths of the app begin.
        environment: variables that do not change from launch to launch by themselves.
    """

    arguments: tuple[str, ...]
    directory: str
    environment: dict[str, str]

    @classmethod
    def current(cls) -> Settings:
        """Those of this process; to be asked for while the app is imported."""
        script, *rest = sys.argv or [""]
        if os.path.basename(script) == "ipykernel_launcher.py":  # noqa: PTH119 - not a path of ours
            rest = []  # a file with a random name for each start of a notebook
        environment = {k: v for k, v in os.environ.items() if not _VOLATILE.fullmatch(k)}
        directory = _directory()
        script = os.path.normpath(os.path.join(directory, script))  # noqa: PTH118
        return cls((script, *rest), directory, environment)

    def seal(self, salt: str) -> dict[str, Any]:
        """As JSON values from which none of the settings, such as a password, can be read."""
        return {
            "salt": salt,
            "arguments": _digest(salt, *self.arguments),
            "directory": _digest(salt, self.directory),
            "environment": {k: _digest(salt, k, v) for k, v in self.environment.items()},
        }

    def differences(self, sealed: dict[str, Any]) -> list[str]:
        """What was different, in words, when ``sealed`` was made."""
        mine = self.seal(sealed["salt"])
        names = {"arguments": "the arguments", "directory": "the working directory"}
        found = [shown for name, shown in names.items() if mine[name] != sealed[name]]
        ours, theirs = mine["environment"], sealed["environment"]
        return found + sorted(k for k in {*ours, *theirs} if ours.get(k) != theirs.get(k))


def check_sealed(sealed: dict[str, Any]) -> dict[str, Any]:
    """What ``seal`` once returned, as read from a file.

    Raises:
        KeyError, TypeError: if it is something else.
    """
    if not isinstance(sealed["environment"], dict):
        raise TypeError
    return {name: sealed[name] for name in ("salt", "arguments", "directory", "environment")}


def _directory() -> str:
    # As the shell names it, if that is right: a deployment may move a link.
    named = os.environ.get("PWD", "")
    try:
        return named if named and Path(named).samefile(".") else str(Path.cwd())
    except OSError:  # one of them was removed
        return named


def _digest(salt: str, *values: str) -> str:
    data = "\0".join((salt, *values)).encode(errors="surrogatepass")
    return hashlib.sha256(data).hexdigest()[:32]
