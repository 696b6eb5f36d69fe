"""What real servers write of requests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests
from apps import Server, wait_until

APP = """
import logging, os
import diskcache
from dash import Input, Output, html
from dash_long_callback import Dash, DiskcacheLongCallbackManager
from in_app import FOLDER

logging.basicConfig(level=logging.INFO)
kind = {"backend": os.environ["SERVER_KIND"]} if "SERVER_KIND" in os.environ else {}
manager = DiskcacheLongCallbackManager(diskcache.Cache(str(FOLDER / "cache")), workers=1)
app = Dash(__name__, long_callback_manager=manager, **kind)
server = app.server
app.layout = html.Div([html.Button("run", id="run"), html.P(id="result")])

@app.long_callback(Output("result", "children"), Input("run", "n_clicks"))
def update(n):
    return "done"

if "SHOWN" in os.environ:
    logging.getLogger("dash_long_callback.access").setLevel(logging.DEBUG)

if __name__ == "__main__":
    app.run(port=int(os.environ["PORT"]), debug="DEBUG" in os.environ, use_reloader=False,
            dev_tools_silence_routes_logging=False)
"""
HYPERCORN = ("-m", "hypercorn", "app:server", "--access-logfile", "-", "-b", "127.0.0.1:{port}")
SERVERS: dict[str, tuple[dict[str, str], tuple[str, ...]]] = {
    "the development server": ({}, ("app.py",)),
    "the same with debug": ({"DEBUG": "1"}, ("app.py",)),
    "the same, shown": ({"SHOWN": "1"}, ("app.py",)),
    "uvicorn": (
        {"SERVER_KIND": "fastapi"},
        ("-m", "uvicorn", "app:server", "--port", "{port}"),
    ),
    "hypercorn": ({"SERVER_KIND": "quart"}, HYPERCORN),
}
CLICK: dict[str, Any] = {
    "output": "result.children",
    "outputs": {"id": "result", "property": "children"},
    "inputs": [{"id": "run", "property": "n_clicks", "value": 1}],
    "changedPropIds": ["run.n_clicks"],
}


@pytest.mark.parametrize("name", SERVERS)
def test_questions_for_news_are_not_in_the_log_and_clicks_and_failures_are(
    name: str, serve: Callable[..., Server]
) -> None:
    env, command = SERVERS[name]
    server = serve(APP, env=env, command=command)
    url = server.url + "_dash-long-callback/updates"
    job = requests.post(server.url + "_dash-update-component", json=CLICK, timeout=60).json()["job"]
    question = {"tab": "t", "jobs": {job: 0}}
    for _ in range(3):
        assert requests.post(url, json=question, timeout=60).status_code == 200
    assert requests.post(url, json={**question, "jobs": {"x": 0}}, timeout=60).status_code >= 400

    def lines(path: str) -> list[str]:
        return [line for line in server.log.splitlines() if f"POST /_dash-{path}" in line]

    wait_until(lambda: any(" 40" in line for line in lines("long-callback/updates")))
    assert len(lines("update-component")) == 1
    assert len(lines("long-callback/updates")) == (4 if "SHOWN" in env else 1)
