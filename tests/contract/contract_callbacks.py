"""Long callbacks that worker processes import. What they do is told by their input, ``kind``."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from dash import Input, Output, ctx, set_props
from dash.exceptions import PreventUpdate
from tqdm import tqdm, trange

from dash_long_callback import DoNotRetry, Retry, attempt, long_callback, show_step, track

Function = Callable[..., Any]

IN, PATH = Input("in", "value"), Input("in", "path")


@long_callback(Output("contract", "children"), IN, PATH, progress=Output("bar", "value"))
def work(set_progress: Any, kind: Any, path: str) -> Any:
    """Does what it is told."""
    if kind == "raise":
        raise ValueError("no luck")
    if kind == "prevent":
        raise PreventUpdate
    if kind == "exit":
        sys.exit(3)
    if kind == "unserialisable":
        return object()
    if kind == "updates":
        for number in range(3):
            set_progress(number)
        set_props("box", {"children": "side"})
        return "updated"
    if kind == "ctx":
        return [ctx.triggered_id, ctx.cookies["session"]]
    return kind


@long_callback(Output("gate", "children"), IN, PATH, progress=Output("bar", "value"))
def wait(set_progress: Any, kind: Any, path: str) -> Any:
    """Tells that it has begun, and waits until its gate is opened."""
    folder = Path(path)
    try:
        (folder / f"begun-{kind}").write_text(str(os.getpid()))
        deadline = time.monotonic() + 60
        while not (folder / f"open-{kind}").exists():
            if time.monotonic() > deadline:
                raise TimeoutError("nobody opened the gate")
            time.sleep(0.01)
    finally:
        (folder / f"left-{kind}").touch()
    return kind


@long_callback(Output("deserted", "children"), IN, PATH, on_disconnect="cancel")
def wait_for_page(kind: Any, path: str) -> Any:
    """Ends with its page, or after some time."""
    folder = Path(path)
    (folder / f"begun-{kind}").touch()
    try:
        time.sleep(60)
    finally:
        (folder / f"left-{kind}").touch()


@long_callback(Output("stream", "children"), IN, PATH)
def count(kind: Any, path: str) -> Any:
    """Yields some values, and ends with the last."""
    for number in range(kind):
        yield number
        time.sleep(0.05)


def handled(error: Exception) -> str:
    """The ``on_error`` of ``unlucky``."""
    return f"handled {error}"


@long_callback(
    Output("unlucky", "children"),
    IN,
    PATH,
    progress=Output("bar", "value"),
    retry=Retry(2, on=ValueError, backoff=0.2, jitter=False, lost=True),
    on_error=handled,
)
def unlucky(set_progress: Any, kind: Any, path: str) -> Any:
    """Fails at first, or always."""
    number = attempt()
    (Path(path) / f"attempt-{number}").touch()
    if number == 1:
        set_progress(1)
        set_props("box", {"children": "of no use"})
    if kind == "die" and number == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    if kind == "raise" and number < 3:
        raise ValueError("no luck")
    if kind == "never":
        raise ValueError(f"no luck in attempt {number}")
    if kind == "another error":
        raise KeyError(kind)
    if kind == "in vain":
        raise DoNotRetry(kind)
    return object() if kind == "unserialisable" else number


@long_callback(Output("patient", "children"), IN, PATH, retry=Retry(1, backoff=50, jitter=False))
def patient(kind: Any, path: str) -> Any:
    """Fails, and waits for long."""
    (Path(path) / f"{kind}-{attempt()}").touch()
    raise ValueError("no luck")


@long_callback(Output("second", "children"), IN, PATH, retry=Retry(1, backoff=3, jitter=False))
def second_time(kind: Any, path: str) -> Any:
    """Works the second time, some seconds later."""
    if attempt() == 1:
        raise ValueError("no luck")
    return attempt()


@long_callback(Output("slow", "children"), IN, PATH, timeout=0.3)
def too_slow(kind: Any, path: str) -> Any:
    """Never ends by itself."""
    try:
        time.sleep(60)
    finally:
        (Path(path) / f"left-{kind}").touch()


@long_callback(Output("hurried", "children"), IN, PATH, start_within=0.5)
def hurried(kind: Any, path: str) -> Any:
    """Is not worth it if it begins late."""
    (Path(path) / f"begun-{kind}").touch()
    return kind


@long_callback(Output("dies", "children"), IN, PATH)
def die(kind: Any, path: str) -> Any:
    """Ends its own process in the way that it is told."""
    if kind == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    else:
        os._exit(kind)


@long_callback(Output("stubborn", "children"), IN, PATH)
def ignore_cancels(kind: Any, path: str) -> Any:
    """Goes on whatever is raised into it."""
    (Path(path) / f"begun-{kind}").write_text(str(os.getpid()))
    while True:
        try:
            time.sleep(60)
        except BaseException:
            continue


@long_callback(Output("tracked", "children"), IN, PATH, track_tqdm=True)
def read_all(kind: Any, path: str) -> Any:
    """Has loops of all kinds inside of one, and waits in the middle until its gate is opened."""
    with ThreadPoolExecutor(2) as pool:
        for number in track(range(kind), "Reading files"):
            for _ in trange(10, desc="Lines", file=sys.stdout):
                time.sleep(0.01)
            for _ in tqdm(pool.map(_slowly, range(4)), total=4, disable=None):
                pass
            if number == kind // 2:
                (Path(path) / "half").touch()
                _await(Path(path) / "open")
            show_step("One is read", 0.9)
    show_step("Adding it up")
    (Path(path) / "read").touch()
    _await(Path(path) / "end")
    return kind


def _slowly(number: int) -> None:
    for _ in track(range(number)):
        time.sleep(0.01)


def _await(file: Path) -> None:
    deadline = time.monotonic() + 60
    while not file.exists():
        if time.monotonic() > deadline:
            raise TimeoutError(f"nobody made {file.name}")
        time.sleep(0.01)
