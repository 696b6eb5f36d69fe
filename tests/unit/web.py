"""Requests to an app on any of Dash's servers, without a socket."""

from __future__ import annotations

import asyncio
import importlib.util
import json
from dataclasses import dataclass, field
from typing import Any

import dash

#: The servers that this Dash can run on.
KINDS = ["flask", *(["fastapi", "quart"] if importlib.util.find_spec("dash.backends") else [])]


@dataclass
class Answer:
    """What came back; of a stream, what came first. The names of headers are in lower case."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Browser:
    """Sends requests with the cookies that it has been given.

    Attributes:
        cookies: by name.
    """

    def __init__(self, app: dash.Dash) -> None:
        self.app = app
        self.cookies: dict[str, str] = {}

    def post(
        self,
        path: str,
        body: bytes,
        content_type: str | None = "application/json",
        **headers: str,
    ) -> Answer:
        return self.send("POST", path, body, {"Content-Type": content_type, **headers})

    def get(self, path: str = "", **headers: str) -> Answer:
        return self.send("GET", path, b"", headers)

    def delete(self, path: str, **headers: str) -> Answer:
        return self.send("DELETE", path, b"", headers)

    def send(self, method: str, path: str, body: bytes, headers: dict[str, Any]) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items() if value}
        if self.cookies:
            named["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        server: Any = self.app.server
        if hasattr(server, "test_request_context") and hasattr(server, "wsgi_app"):
            client = server.test_client(use_cookies=False)
            answer = client.open("/" + path, method=method, data=body, headers=named)
            got = {name.lower(): value for name, value in answer.headers.items()}
            return Answer(answer.status_code, answer.data, got)
        return asyncio.run(_asgi(server, method, "/" + path, body, named))


async def _asgi(
    server: Any, method: str, path: str, body: bytes, headers: dict[str, str]
) -> Answer:
    answer, ended = Answer(0, b""), asyncio.Event()
    pairs = [(k.lower().encode(), v.encode("latin-1")) for k, v in headers.items()]
    path, _, query = path.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [*pairs, (b"host", b"localhost"), (b"content-length", b"%d" % len(body))],
        "client": ("127.0.0.1", 1),
        "server": ("localhost", 80),
        "extensions": {},
    }
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> dict[str, Any]:
        if messages:
            return messages.pop()
        await ended.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        elif message["type"] == "http.response.body":
            answer.body += message.get("body", b"")
            if not message.get("more_body") or answer.body.endswith(b"\n\n"):
                ended.set()  # a browser that has heard enough of a stream leaves

    task = asyncio.ensure_future(server(scope, receive, send))
    await asyncio.wait([task, asyncio.ensure_future(ended.wait())], return_when="FIRST_COMPLETED")
    await asyncio.wait([task], timeout=5)
    if not task.done():
        task.cancel()
    elif not ended.is_set():
        task.result()
    ended.set()
    return answer
