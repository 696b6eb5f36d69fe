"""Imports the modules of an app, so that its long callbacks are declared in this process.

Runs in the fork server, whose children then share what was imported, and again in each worker,
where it finds everything imported already.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import traceback
from dataclasses import asdict, dataclass, field
from multiprocessing import process, spawn
from pathlib import Path
from typing import Any

from dash_long_callback.app_names import MAIN
from dash_long_callback.executors import app_factory, script
from dash_long_callback.executors.local import importing

#: Carries an ``AppModules`` to the fork server, which takes no arguments of ours.
VARIABLE = "DASH_LONG_CALLBACK_MODULES"


@dataclass
class AppModules:
    """Where an app's long callbacks are declared, and how to import that elsewhere.

    Attributes:
        main_path: file of ``__main__``, if it was run as a script.
        main_name: module name of ``__main__``, if it was run with ``-m``.
        names: importable modules, in the order in which they declared their callbacks.
        factory: the function that makes the app, as ``"module:function"``, if it was named.
        sys_path: where to find them.
        argv: command line of the app, for apps that read it when imported.
    """

    main_path: str | None = None
    main_name: str | None = None
    names: list[str] = field(default_factory=list[str])
    factory: str | None = None
    sys_path: list[str] = field(default_factory=lambda: list(sys.path))
    argv: list[str] = field(default_factory=lambda: list(sys.argv))

    @property
    def has_main(self) -> bool:
        """Whether ``__main__`` can be imported; not so in a notebook."""
        return self.main_path is not None or self.main_name is not None

    def dump(self) -> str:
        """As JSON."""
        return json.dumps(asdict(self))


def app_modules(names: list[str], factory: str | None = None) -> AppModules:
    """Describe what a worker imports: ``__main__``, as any child does, and the app's modules.

    Args:
        names: the modules, as ``__name__`` says; ``__main__`` may be among them.
        factory: what it calls after that.
    """
    found = AppModules(names=[name for name in names if name not in MAIN], factory=factory)
    main = sys.modules["__main__"]
    spec = getattr(main, "__spec__", None)
    path = getattr(main, "__file__", None)
    if spec is not None:
        found.main_name = spec.name
    elif path is not None:
        # The same path that the standard library computes for a child, or it imports it twice.
        started_in: str = getattr(process, "ORIGINAL_DIR", None) or ""
        found.main_path = os.path.normpath(os.path.join(started_in, path))  # noqa: PTH118
    return found


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
        if app.main_name is not None:
            spawn._fixup_main_from_name(app.main_name)  # type: ignore[attr-defined]
        elif app.main_path is not None:
            spawn.import_main_path(app.main_path)
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
    main = sys.modules["__main__"]
    if "__mp_main__" in sys.modules or _is_main(main, app):
        names["__main__"] = sorted({*vars(main), *script.namespace()})
    return names


def _is_main(main: Any, app: AppModules) -> bool:
    """Whether this process is a fork of the server, which has run the script."""
    spec = getattr(main, "__spec__", None)
    path: str | None = getattr(main, "__file__", None)
    if app.main_name is not None:
        return getattr(spec, "name", None) == app.main_name
    return (
        app.main_path is not None
        and path is not None
        and Path(path).name == Path(app.main_path).name
    )


def disown(child: Any) -> None:
    """Let a child go on when this process ends, which would else wait for it."""
    children: set[Any] = process._children  # type: ignore[attr-defined]
    children.discard(child)
