"""Long callbacks whose results are shared. What they do is told by their input, ``kind``."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dash import Input, Output, Patch, set_props
from dash.exceptions import PreventUpdate

from dash_long_callback import long_callback

IN, PATH = Input("in", "value"), Input("in", "path")


def run(kind: Any, path: str, set_progress: Callable[[Any], None] | None = None) -> Any:
    """Leaves a trace of each run, waits for its gate if it is to, and does what it is told."""
    folder = Path(path)
    (folder / f"run-{os.urandom(8).hex()}").write_text(str(os.getpid()))
    try:
        return _do(kind, folder, set_progress)
    finally:
        (folder / "left").touch()


def _do(kind: Any, folder: Path, set_progress: Callable[[Any], None] | None) -> Any:
    if set_progress is not None:
        set_progress("half")
    if kind == "wait":
        _wait_for(folder / "open")
    if kind == "raise":
        raise ValueError("no luck")
    if kind == "prevent":
        raise PreventUpdate
    if kind == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if kind == "props":
        _set_props()
    if isinstance(kind, dict) and "size" in kind:
        return "x" * kind["size"]
    return None if kind is None else f"{kind}!"


def _wait_for(gate: Path) -> None:
    deadline = time.monotonic() + 60
    while not gate.exists():
        if time.monotonic() > deadline:
            raise TimeoutError("nobody opened the gate")
        time.sleep(0.01)


def _set_props() -> None:
    set_props("a", {"children": "first"})
    for number in range(3):
        patch = Patch()
        patch.append(number)
        set_props("list", {"data": patch})
    set_props("a", {"children": "last"})


@long_callback(Output("shared", "children"), IN, PATH, progress=Output("bar", "value"))
def work(set_progress: Any, kind: Any, path: str) -> Any:
    """Reports progress."""
    return run(kind, path, set_progress)


@long_callback(Output("other", "children"), IN, PATH)
def other(kind: Any, path: str) -> Any:
    """Another callback of the same arguments."""
    return run(kind, path)


@long_callback(Output("handled", "children"), IN, PATH, on_error=lambda error: f"sorry: {error}")
def handled(kind: Any, path: str) -> Any:
    """Has its errors handled."""
    return run(kind, path)


@long_callback(Output("limited", "children"), IN, PATH, timeout=0.3)
def limited(kind: Any, path: str) -> Any:
    """May not run for long."""
    return run(kind, path)


@long_callback(Output("shared-hurried", "children"), IN, PATH, start_within=0.5)
def hurried(kind: Any, path: str) -> Any:
    """Is not worth it if it begins late."""
    return run(kind, path)


@long_callback(Output("streamed", "children"), IN, PATH)
def stream(kind: Any, path: str) -> Any:
    """Yields some values, and ends with the last."""
    yield from range(kind)
