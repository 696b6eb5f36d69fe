"""Imports the modules of an app, so that its long callbacks are declared in this process.

Runs in the fork server, whose children then share what was imported, and again in each worker,
where it finds everything imported already.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import sys
import threading
import traceback
from collections.abc import Generator
from dataclasses import dataclass, field
from multiprocessing import process, spawn
from typing import Any

from dash_long_callback import notebook
from dash_long_callback.app_names import MAIN
from dash_long_callback.executors import app_factory, script
from dash_long_callback.executors.local import importing

#: How the names begin by which the standard library tells a child of ``__main__``.
_MAIN = "init_main_from_"
#: Carries an ``AppModules`` to the fork server, which takes no arguments of ours.
VARIABLE = "DASH_LONG_CALLBACK_MODULES"


@dataclass
class AppModules:
    """Where an app's long callbacks are declared, and how to import that elsewhere.

    Attributes:
        main: how the standard library has a child import ``__main__``: the entry with its file, or
            with its name, if it was run with ``-m``. Empty if it can't, as in a notebook, or is not
            to, as of a script that starts a job.
        names: importable modules, in the order in which they declared their callbacks.
        factory: the function that makes the app, as ``"module:function"``, if it was named.
        sys_path: where to find them.
        argv: command line of the app, for apps that read it when imported.
    """

    main: dict[str, str]
    names: list[str]
    factory: str | None = None
    sys_path: list[str] = field(default_factory=lambda: list(sys.path))
    argv: list[str] = field(default_factory=lambda: list(sys.argv))


_leaves_main_out = False
_local = threading.local()


def leave_main_out() -> None:
    """Have workers not import what this process runs, if no app and no callback is in it.

    It is a script that starts a job, and would start it again in each worker.
    """
    global _leaves_main_out  # noqa: PLW0603 - one per process
    _leaves_main_out = True


@contextlib.contextmanager
def without_main(app: AppModules) -> Generator[None]:
    """While this thread starts a worker: the standard library has it import what ``app`` says."""
    _patch()
    _local.without_main = not app.main
    try:
        yield
    finally:
        _local.without_main = False


@functools.cache  # once in a process
def _patch() -> None:
    of_process = spawn.get_preparation_data

    def get_preparation_data(name: str) -> dict[str, Any]:
        data = of_process(name)
        if getattr(_local, "without_main", False):
            data = {key: value for key, value in data.items() if not key.startswith(_MAIN)}
        return data

    spawn.get_preparation_data = get_preparation_data


def app_modules(names: list[str], factory: str | None = None) -> AppModules:
    """Describe what a worker imports: ``__main__``, as any child does, and the app's modules.

    Args:
        names: the modules, as ``__name__`` says; ``__main__`` may be among them.
        factory: what it calls after that.
    """
    main = {} if _leaves_main_out and not set(names) & {*MAIN} else _main_here()
    return AppModules(main, [name for name in names if name not in MAIN], factory)


def _main_here() -> dict[str, str]:
    if notebook.is_kernel():
        return {}  # also if a cell has set `__file__`
    # As the standard library computes it for a child, or it would import the script twice.
    data = spawn.get_preparation_data("")
    return {key: value for key, value in data.items() if key.startswith(_MAIN)}


def import_app(app: AppModules) -> list[str]:
    """Import the app's modules. Returns the tracebacks of those that can't be imported."""
    sys.path[:] = app.sys_path
    sys.argv[:] = app.argv
    errors: list[str] = []
    for load in (_main, _modules, _factory):
        try:
            load(app)
        except (Exception, SystemExit):
            errors.append(traceback.format_exc())
    return errors


def _main(app: AppModules) -> None:
    with importing.marked():
        spawn.prepare(app.main)
    script.rename()


def _modules(app: AppModules) -> None:
    for name in app.names:
        importlib.import_module(name)


def _factory(app: AppModules) -> None:
    if app.factory is not None:
        with importing.marked():
            app_factory.call(app.factory)


def imported(app: AppModules) -> dict[str, list[str]]:
    """The names in each of the app's modules that this process has: see ``by_value.Modules``."""
    found = {name: sys.modules[name] for name in app.names if name in sys.modules}
    names = {name: sorted(vars(module)) for name, module in found.items()}
    # Else `__main__` is the standard library's own, or the fork of a kernel: what is in a cell is
    # sent, as it may have changed since.
    if app.main:
        names["__main__"] = sorted({*vars(sys.modules["__main__"]), *script.namespace()})
    return names


def disown(child: Any) -> None:
    """Let a child go on when this process ends, which would else wait for it."""
    children: set[Any] = process._children  # type: ignore[attr-defined]
    children.discard(child)
