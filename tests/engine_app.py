"""An app whose callbacks do what a test asks of them. Run as a script, by gunicorn, or imported."""

import asyncio
import contextvars
import ctypes
import hashlib
import itertools
import json
import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
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
    Limit,
    Retry,
    UserError,
)
from dash_long_callback.executors.celery import executor as celery_executor
from dash_long_callback.managers.base import Manager
from dash_long_callback.stores import timing

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
    celery_executor.RESEND_SECONDS = float(os.environ.get("RESEND", "60"))
    if "LEASE" in os.environ:
        lease = float(os.environ["LEASE"])
        timing.LEASE_SECONDS = lease
        timing.HEARTBEAT_SECONDS = lease / 6
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
        grace=float(os.environ.get("GRACE", "1")),
        stop=os.environ.get("STOP"),  # pyright: ignore[reportArgumentType]
        stop_wait=float(os.environ.get("STOP_WAIT", "0")),
    )
handle = manager.handle
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
        html.P(id="urgent"),
        html.P(id="capped"),
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


def handle_error(error: Exception) -> str:
    if (here / "handler-dies").exists():
        os.kill(os.getpid(), signal.SIGKILL)
    if (here / "handler-waits").exists():
        (here / "handles").write_text("yes")
        time.sleep(300)
    return f"{type(error).__name__}: {error}"


@app.long_callback(
    Output("handled", "children"),
    Input("order", "data"),
    prevent_initial_call=True,
    timeout=float(os.environ.get("TIMEOUT", "0.5")),
    on_error=handle_error,
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
)
def asking(order: Any) -> Any:
    name, *args = order
    return ORDERS[name](*args)


def urgent(set_progress: Any, order: Any) -> Any:
    return obey(set_progress, order)


def capped(order: Any) -> Any:
    name, *args = order
    return ORDERS[name](*args)


if manager.store.rows.queues:
    app.long_callback(
        Output("capped", "children"),
        Input("order", "data"),
        prevent_initial_call=True,
        limits=Limit(2),
        retry=Retry(9, backoff=0.1, lost=True),
    )(capped)
    app.long_callback(
        Output("urgent", "children"),
        Input("order", "data"),
        progress=Output("progress", "children"),
        prevent_initial_call=True,
        priority=1,
    )(urgent)


def do_cookie() -> Any:
    return len(ctx.cookies["session"])


def do_headers() -> Any:
    return ctx.headers["Authorization"]


def do_path() -> Any:
    return ctx.path


def do_repeat(text: str, count: int) -> Any:
    return text * count


def do_ascii(value: Any) -> Any:
    """What has come, in letters that JSON carries whatever it is."""
    return ascii(value)


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
        (here / "to-clean-up").touch()
        time.sleep(seconds)
    finally:
        (here / "cleaned").write_text("yes")


def do_await(seconds: float) -> Any:
    async def nap() -> None:
        try:
            (here / "to-clean-up").touch()
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


# What no function should do


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


class Base(BaseException):
    pass


HOSTILE = {
    one.__name__: one
    for one in (asyncio.CancelledError, KeyboardInterrupt, GeneratorExit, Base, Unprintable)
}
#: What JSON can't carry.
UNFIT = {"surrogate": "\udcff", "integer": 2**70, "object": object(), "in a list": ["\udcff"]}


def do_raise(name: str) -> Any:
    raise HOSTILE[name]


def do_tell_user() -> Any:
    raise UserError("There are no sales in May.")


def do_report(name: str) -> Any:
    """Tell the page what can't be told."""
    set_props("side", {"children": UNFIT[name]})


def do_report_and_go_on(name: str) -> Any:
    try:
        do_report(name)
    except TypeError as error:
        return f"caught: {error}"


def do_close_files() -> Any:
    (here / "closed").write_text("yes")
    os.closerange(3, 65536)
    time.sleep(300)


def do_child_in_its_own_session(seconds: float) -> Any:
    child = subprocess.Popen(
        [sys.executable, "-c", f"import time; time.sleep({seconds})"], start_new_session=True
    )
    (here / "child").write_text(str(child.pid))
    time.sleep(seconds)


def do_fork() -> Any:
    """Come back twice: in a child, too, which must not go on as a worker."""
    child = os.fork()
    if child == 0:
        return "from the child"
    _, status = os.waitpid(child, 0)
    return ["from the parent", status]


def do_fork_and_raise() -> Any:
    child = os.fork()
    if child == 0:
        raise ValueError("in the child")
    _, status = os.waitpid(child, 0)
    return ["from the parent", os.waitstatus_to_exitcode(status)]


def do_change_process() -> Any:
    """Change what the next job has, too."""
    os.chdir("/")
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def square(number: int) -> int:
    return number * number


def do_pool() -> Any:
    """Use forked processes, which are ended by SIGTERM."""
    do_gate("later")
    with multiprocessing.get_context("fork").Pool(2) as pool:
        return pool.map(square, range(3))


def do_folder() -> Any:
    return str(Path.cwd())


def do_helper(seconds: float) -> Any:
    """Compute in C, where nothing can be raised, while a helper thread reports."""

    def report() -> None:
        number = 0
        while True:
            number += 1
            time.sleep(0.01)
            try:
                set_props("side", {"children": number})
            except BaseException:
                (here / "helper").write_text("told")
                raise

    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(report,), daemon=True).start()
    try:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            hashlib.pbkdf2_hmac("sha256", b"password", b"salt", 1_000_000)
        time.sleep(30)
    finally:
        (here / "cleaned").write_text("yes")


def do_version() -> Any:
    return VERSION


def do_lock_store_and_pause() -> Any:
    """As a process that is paused in the middle of a write."""
    (database,) = here.glob("cache/long-callbacks-*/jobs.db")
    connection = sqlite3.connect(database, isolation_level=None, timeout=30)
    connection.execute("BEGIN IMMEDIATE")
    (here / "locked").touch()
    os.kill(os.getpid(), signal.SIGSTOP)


def do_hold_gil(seconds: int) -> Any:
    """Hold the interpreter's lock, as C code that never lets go of it."""
    (here / "held").write_text(str(os.getpid()))
    ctypes.PyDLL(None).sleep(seconds)


def do_compute_holding_gil(seconds: float) -> Any:
    """Compute in one call of C code that never lets go of the interpreter's lock."""
    count, took = 1_000_000, 0.0
    while took < seconds:
        # Too short, as the machine was busier before: another try.
        begun = time.monotonic()
        sum(range(count))
        took = time.monotonic() - begun
        count = int(count * min(1.1 * seconds / took, 100))
    return took


def do_keep_reporting() -> Any:
    """Tell the page more and more until it is stopped."""
    try:
        for number in itertools.count():
            set_props("side", {"children": number})
            time.sleep(0.02)
    finally:
        (here / "cleaned").write_text("yes")


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
