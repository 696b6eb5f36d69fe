"""An app behind nginx, with the configuration that the documentation shows."""

from __future__ import annotations

import os
import signal
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import requests
from apps import Server
from page import Page
from services import Nginx

DEPLOY = Path(__file__).parents[2] / "deploy"

APP = """
import os
import diskcache
from dash import Input, Output, html
from dash_long_callback import Dash, DiskcacheLongCallbackManager, Pacing
from in_app import FOLDER, note, wait_for

kind = {"backend": os.environ["SERVER_KIND"]} if "SERVER_KIND" in os.environ else {}
cache = diskcache.Cache(str(FOLDER / "cache"))
app = Dash(
    __name__, requests_pathname_prefix=os.environ["PREFIX"], routes_pathname_prefix="/", **kind,
    long_callback_manager=DiskcacheLongCallbackManager(cache, workers=1, grace=1),
    long_callback_pacing=Pacing(hold=float(os.environ["HOLD"])),
)
server = app.server
app.layout = html.Div([
    html.Button("run", id="run"), html.Button("stop", id="stop"), html.P(id="bar"),
    html.P(id="result"), html.Button("another", id="another"), html.P(id="other"),
])

@app.long_callback(
    Output("result", "children"), Input("run", "n_clicks"), prevent_initial_call=True,
    running=(Output("run", "disabled"), True, False), cancel=Input("stop", "n_clicks"),
    progress=Output("bar", "children"), progress_default="idle",
)
def work(set_progress, n):
    for number in range(3):
        set_progress(f"step {number}")
        wait_for(f"step {number}", 60)
    return f"run {n} is done"

@app.long_callback(Output("other", "children"), Input("another", "n_clicks"),
                   prevent_initial_call=True)
def another(n):
    return "done, too"
"""
COMMANDS = {
    "gunicorn": ("-m", "gunicorn", "app:server", "--threads", "4", "-b", "127.0.0.1:{port}"),
    "uvicorn": ("-m", "uvicorn", "app:server", "--port", "{port}"),
}


@dataclass
class Site:
    """An app, and the nginx in front of it."""

    app: Server
    nginx: Nginx
    prefix: str

    @property
    def url(self) -> str:
        return self.nginx.url.rstrip("/") + self.prefix

    @property
    def away(self) -> bool:
        """Whether nginx says so."""
        return requests.get(self.url, timeout=30).status_code == 502

    def crash(self) -> None:
        """End the app's web processes at once. Its job workers stay."""
        web = psutil.Process(self.app.pid)
        if web.children() and "gunicorn" in self.app.log:
            os.kill(web.pid, signal.SIGSTOP)  # or it would start others
            for child in web.children():
                child.kill()
        self.app.kill()

    def open(self, page: Page) -> None:
        """Open the page; its jobs will wait for the test."""
        for number in range(3):
            self.app.close_gate(f"step {number}")
        page.open(self.url)

    def let_go(self) -> None:
        """Let its jobs end."""
        for number in range(3):
            self.app.open_gate(f"step {number}")


@contextmanager
def served(
    kind: str,
    folder: Path,
    prefix: str = "/",
    hold: float = 15,
    read_timeout: str = "60s",
    *,
    keep_streams: bool = False,
) -> Generator[Site]:
    """The files of ``deploy`` with free ports, and this ``proxy_read_timeout``.

    With ``keep_streams``, nginx collects an answer before it passes it on, although the app asks it
    not to: so that it can be compressed well.
    """
    env = {"PREFIX": prefix, "HOLD": str(hold)}
    if kind == "uvicorn":
        env["SERVER_KIND"] = "fastapi"
    app = Server(APP, folder, env, COMMANDS[kind]).start()
    # gunicorn listens before it has imported the app, which may take longer than nginx waits.
    requests.get(f"http://127.0.0.1:{app.port}{prefix}", timeout=60)
    text = (DEPLOY / "nginx.conf").read_text()
    if prefix != "/":
        begin, end = (text.index(f"    # --8<-- [{mark}:location]") for mark in ("start", "end"))
        text = text[:begin] + (DEPLOY / "nginx-prefix.conf").read_text() + text[end:]
        assert f"location {prefix} " in text
    changes = {"127.0.0.1:8000": f"127.0.0.1:{app.port}", "60s": read_timeout}
    if keep_streams:
        changes["proxy_http_version 1.1;"] = (
            "proxy_http_version 1.1; proxy_ignore_headers X-Accel-Buffering;"
            "gzip on; gzip_types text/event-stream;"
        )
    for old, new in changes.items():
        assert text.count(old) == 1
        text = text.replace(old, new)
    nginx = Nginx(folder / "nginx", text).start()
    try:
        yield Site(app, nginx, prefix)
    finally:
        nginx.stop()
        app.stop()
