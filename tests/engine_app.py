"""An app whose callbacks do what a test asks of them. Run as a script, by gunicorn, or imported."""

import asyncio
import ctypes
import itertools
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import types
from pathlib import Path
from typing import Any

import diskcache
from celery import Celery
from dash import Input, Output, ctx, dcc, html, set_props

from dash_long_callback import (
    CeleryLongCallbackManager,
    Dash,
    DiskcacheLongCallbackManager,
    runner,
)
from dash_long_callback.executors import celery as celery_engine
from dash_long_callback.managers.base import Manager
from dash_long_callback.stores import base as store_base
from dash_long_callback.stores import redis as redis_store

here = Path(os.environ["FOLDER"])
cache: Any = diskcache.Cache(os.environ.get("CACHE", str(here / "cache")))
if "JOBS" in os.environ:
    # Only the directory counts.
    cache = types.SimpleNamespace(directory=os.environ["JOBS"])
start_method: Any = os.environ.get("ENGINE_APP_START")


def worker_start() -> None:
    """Leave a trace, as where an app opens what each worker has of its own."""
    with (here / "starts").open("a") as out:
        out.write(f"{os.getpid()}\n")
    if (here / "start-fails").exists():
        raise RuntimeError("the database is away")


if "BROKER" in os.environ:
    # A minute is long for a test, and so are ten seconds.
    celery_engine.RESEND_SECONDS = float(os.environ.get("RESEND", "60"))
    if "LEASE" in os.environ:
        lease = float(os.environ["LEASE"])
        store_base.LEASE_SECONDS = redis_store.LEASE_SECONDS = lease
        runner.HEARTBEAT_SECONDS = lease / 6
    celery_app = Celery("app", broker=os.environ["BROKER"], backend=os.environ["BACKEND"])
    celery_app.conf.update(json.loads(os.environ.get("CELERY_CONF", "{}")))
    manager: Manager = CeleryLongCallbackManager(
        celery_app,
        grace=1.0,
        retention=float(os.environ.get("RETENTION", "600")),
        worker_start=worker_start,
    )
else:
    manager = DiskcacheLongCallbackManager(
        cache,
        workers=int(os.environ.get("ENGINE_APP_WORKERS", "2")),
        start_method=start_method,
        grace=1.0,
    )
kind: Any = {"backend": os.environ["SERVER_KIND"]} if "SERVER_KIND" in os.environ else {}
app = Dash(__name__, long_callback_manager=manager, **kind)
server = app.server
app.layout = html.Div(
    [
        dcc.Store(id="order"),
        html.P(id="result"),
        html.P(id="progress"),
        html.P(id="quick"),
        html.P(id="handled"),
        html.P(id="asking"),
        html.P(id="side"),
        html.P(id="ordinary"),
        html.P(id="web"),
    ]
)


@app.long_callback(
    Output("result", "children"),
    Input("order", "data"),
    progress=Output("progress", "children"),
    prevent_initial_call=True,
)
def obey(set_progress: Any, order: Any) -> Any:
    name, *args = order
    set_progress(os.getpid())
    return ORDERS[name](*args)


@app.long_callback(
    Output("quick", "children"), Input("order", "data"), prevent_initial_call=True, timeout=0.5
)
def limited(order: float) -> str:
    time.sleep(order)
    return "in time"


def handle(error: Exception) -> str:
    if (here / "handler-dies").exists():
        os.kill(os.getpid(), signal.SIGKILL)
    return f"{type(error).__name__}: {error}"


@app.long_callback(
    Output("handled", "children"),
    Input("order", "data"),
    prevent_initial_call=True,
    timeout=0.5,
    on_error=handle,
)
def handled(order: Any) -> Any:
    name, *args = order
    return ORDERS[name](*args)


@app.long_callback(
    Output("asking", "children"),
    Input("order", "data"),
    prevent_initial_call=True,
    context=["cookies"],
    queue=os.environ.get("QUEUE"),
    priority=3,
)
def asking(order: Any) -> Any:
    name, *args = order
    return ORDERS[name](*args)


def do_cookie() -> Any:
    return len(ctx.cookies["session"])


def do_headers() -> Any:
    return ctx.headers["Authorization"]


def do_path() -> Any:
    return ctx.path


def do_steps(count: int, seconds: float) -> Any:
    """Tell the page after each step."""
    for number in range(count):
        time.sleep(seconds)
        set_props("side", {"children": number})
    return count


@app.callback(Output("ordinary", "children"), Input("order", "data"), prevent_initial_call=True)
def ordinary(order: Any) -> Any:
    return order


@app.callback(Output("web", "children"), Input("order", "data"), prevent_initial_call=True)
def web(order: Any) -> Any:
    return os.getpid()


def do_pid() -> Any:
    return os.getpid()


def do_sleep(seconds: float, value: str = "slept") -> Any:
    time.sleep(seconds)
    return value


def do_gate(name: str) -> Any:
    """Wait until the test opens a gate."""
    while not (here / f"gate-{name}").exists():
        time.sleep(0.01)
    return name


def do_mark(seconds: float, value: str) -> Any:
    """Leave a trace of when the job began and ended."""
    log = here / "marks"
    with log.open("a") as out:
        out.write(f"begin {value} {time.time()} {os.getpid()}\n")
    time.sleep(seconds)
    with log.open("a") as out:
        out.write(f"end {value} {time.time()} {os.getpid()}\n")
    return value


def do_crash() -> Any:
    ctypes.string_at(0)


def do_exit() -> Any:
    os._exit(7)


def do_kill() -> Any:
    os.kill(os.getpid(), signal.SIGKILL)


def do_clean_up(seconds: float) -> Any:
    try:
        time.sleep(seconds)
    finally:
        (here / "cleaned").write_text("yes")


def do_await(seconds: float) -> Any:
    async def nap() -> None:
        try:
            await asyncio.sleep(seconds)
        finally:
            (here / "cleaned").write_text("yes")

    asyncio.run(nap())


def do_ignore_cancel() -> Any:
    while True:
        try:
            time.sleep(60)
        except BaseException:
            (here / "ignored").write_text("yes")


def do_children(seconds: float) -> Any:
    child = subprocess.Popen([sys.executable, "-c", f"import time; time.sleep({seconds})"])
    (here / "child").write_text(str(child.pid))
    time.sleep(seconds)


def do_children_ignoring(seconds: float) -> Any:
    """Have a child, and let no cancel end either of them."""
    child = subprocess.Popen([sys.executable, "-c", f"import time; time.sleep({seconds})"])
    (here / "child").write_text(str(child.pid))
    do_ignore_cancel()


def do_version() -> Any:
    return VERSION


def do_hold_gil(seconds: int) -> Any:
    """Hold the interpreter's lock, as C code that never lets go of it."""
    (here / "held").write_text(str(os.getpid()))
    ctypes.PyDLL(None).sleep(seconds)


def do_report() -> Any:
    """Tell the page more and more until it is stopped."""
    try:
        for number in itertools.count():
            set_props("side", {"children": number})
            time.sleep(0.02)
    finally:
        (here / "cleaned").write_text("yes")


def do_cwd() -> Any:
    return str(Path.cwd())


def do_chdir() -> Any:
    """Go to a folder, and delete it."""
    folder = tempfile.mkdtemp()
    os.chdir(folder)
    Path(folder).rmdir()


def do_deafen() -> Any:
    """Have this process hear of no Ctrl-C any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


def do_session_ignoring(seconds: float) -> Any:
    """As ``children_ignoring``, with a child in a session of its own."""
    code = f"import time; time.sleep({seconds})"
    child = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
    (here / "child").write_text(str(child.pid))
    do_ignore_cancel()


VERSION = 1
ORDERS = {name[3:]: do for name, do in list(globals().items()) if name.startswith("do_")}

if __name__ == "__main__":
    # Not watchdog, where it is installed: it loses events while a busy machine opens many files.
    app.run(port=int(os.environ["PORT"]), debug="--debug" in sys.argv, reloader_type="stat")
