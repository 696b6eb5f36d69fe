"""Requests to an app without a socket, on whichever of Dash's servers it runs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from http.cookies import SimpleCookie
from typing import Any

import dash

from dash_long_callback.dash import internals
from dash_long_callback.errors import LongCallbackError
from dash_long_callback.testing.off_loop import in_thread, off_loop

_OK, _REDIRECT = 200, 300


class Client:
    """Sends requests, as a browser with one user does. It keeps cookies.

    Args:
        app: that is asked.
    """

    def __init__(self, app: dash.Dash) -> None:
        self._app = app
        server: Any = app.server
        self._flask: Any = server.test_client() if hasattr(server, "wsgi_app") else None
        self._cookies: dict[str, str] = {}

    @property
    def flask(self) -> Any:
        """Flask's own test client, with the same cookies.

        Raises:
            LongCallbackError: if the app does not run on Flask.
        """
        if self._flask is None:
            raise LongCallbackError("this app does not run on Flask: give cookies= and headers=")
        return self._flask

    def set_cookies(self, cookies: Mapping[str, str]) -> None:
        """Have cookies from now on."""
        for name, value in cookies.items():
            self._cookies[name] = value
            if self._flask is not None:
                self._flask.set_cookie(name, value)

    def get(self, path: str) -> Any:
        """What the app has under one of Dash's paths, as JSON."""
        return self._json("GET", path, None, {})

    def post(self, path: str, body: Any, headers: Mapping[str, str] | None = None) -> Any:
        """What the app answers, as JSON."""
        return self._json("POST", path, body, dict(headers or {}))

    def _json(self, method: str, path: str, body: Any, headers: dict[str, str]) -> Any:
        path = f"{self._app.config.routes_pathname_prefix}{path}"
        data = b"" if body is None else json.dumps(body).encode()
        headers.setdefault("Content-Type", "application/json")
        if self._flask is not None:
            # A request of an event loop is another kind of request to the app.
            with internals.current_app():
                answer = off_loop(
                    lambda: self._flask.open(path, method=method, data=data, headers=headers)
                )
            status, found = answer.status_code, answer.data
        else:
            status, found = self._asgi(method, path, data, headers)
        if _OK <= status < _REDIRECT and found:
            return json.loads(found)
        if status in (302, 303, 401, 403):
            raise LongCallbackError(
                f"the app answered {status} to {method} {path}: it asks for a login. Log in by "
                "long_callbacks.client(app), or give cookies= or headers="
            )
        text = found.decode(errors="replace")
        raise LongCallbackError(
            f"the app answered {status} to {method} {path}; the log has more: {text:.500}"
        )

    def _asgi(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Any:
        named = {"host": "localhost", "content-length": str(len(body)), **headers}
        if self._cookies:
            named["cookie"] = SimpleCookie(self._cookies).output(header="", sep=";").strip()
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": b"",
            "headers": [(k.lower().encode(), v.encode("latin-1")) for k, v in named.items()],
            "client": ("127.0.0.1", 1),
            "server": ("localhost", 80),
        }
        server: Any = self._app.server
        return in_thread(lambda: asyncio.run(_answer(server, scope, body)))


async def _answer(server: Any, scope: dict[str, Any], body: bytes) -> tuple[int, bytes]:
    """The status and the body of what an ASGI server answers."""
    requests = [{"type": "http.request", "body": body, "more_body": False}]
    answer, over = {"status": 500, "body": b""}, asyncio.Event()

    async def receive() -> dict[str, Any]:
        if requests:
            return requests.pop()
        await over.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            answer["status"] = message["status"]
        elif message["type"] == "http.response.body":
            answer["body"] += message.get("body", b"")
            if not message.get("more_body"):
                over.set()

    await server(scope, receive, send)
    return int(answer["status"]), bytes(answer["body"])
