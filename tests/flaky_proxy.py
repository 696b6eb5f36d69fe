"""A reverse proxy on the way to a server under test, which fails when it is told to."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from apps import Server

#: What may happen to a request: a connection that is closed before the server has it; an answer
#: that gets lost; one of which half arrives; a status of the proxy itself.
Fault: TypeAlias = Literal["refuse", "lose", "cut"] | int

#: Headers that are of one connection only.
_OF_A_CONNECTION = {"connection", "transfer-encoding", "keep-alive", "content-length"}


@dataclass
class _Order:
    path: str
    fault: Fault
    times: int


@dataclass
class FlakyProxy:
    """Passes requests on to a server, and has some of them fail.

    Attributes:
        requests: the paths that were asked for, in their order.
    """

    server: Server
    requests: list[str] = field(default_factory=list[str])
    _orders: list[_Order] = field(default_factory=list[_Order])
    _connections: set[socket.socket] = field(default_factory=set[socket.socket])
    _http: Any = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}/"

    def fail(self, path: str, fault: Fault, times: int = 1) -> None:
        """Have the next requests to a path that ends with this fail."""
        self._orders.append(_Order(path, fault, times))

    def heal(self) -> None:
        """Have no more requests fail."""
        self._orders.clear()

    def hang_up(self) -> None:
        """End all connections, and with them the answers that are under way."""
        for connection in list(self._connections):
            with suppress(OSError):  # it may be ending
                connection.shutdown(socket.SHUT_RDWR)

    def count(self, path: str) -> int:
        """How many requests to this path there were."""
        return sum(one.endswith(path) for one in self.requests)

    def take(self, path: str) -> Fault | None:
        """Note a request. Returns what is to happen to it."""
        self.requests.append(path)
        for order in self._orders:
            if order.times > 0 and path.endswith(order.path):
                order.times -= 1
                return order.fault
        return None


@contextmanager
def flaky_proxy(server: Server) -> Generator[FlakyProxy]:
    """A proxy in front of a server, as long as the block runs."""
    proxy = FlakyProxy(server)

    class Handler(_Handler):
        pass

    Handler.proxy = proxy
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listener:
        listener.daemon_threads = True
        listener.block_on_close = False
        proxy._http = listener  # pyright: ignore[reportPrivateUsage]
        thread = threading.Thread(target=listener.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield proxy
        listener.shutdown()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    proxy: FlakyProxy

    def setup(self) -> None:
        super().setup()
        self.proxy._connections.add(self.connection)  # pyright: ignore[reportPrivateUsage]

    def finish(self) -> None:
        self.proxy._connections.discard(self.connection)  # pyright: ignore[reportPrivateUsage]
        super().finish()

    def do_GET(self) -> None:
        self._pass_on()

    def do_POST(self) -> None:
        self._pass_on()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
        """The test says what it needs."""

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = self.proxy.take(self.path)
        if fault == "refuse":
            self._hang_up()
        elif isinstance(fault, int):
            self._answer(fault, [("Content-Type", "text/html")], b"<h1>The proxy is sorry</h1>")
        else:
            try:
                self._ask(body, fault)
            except ConnectionRefusedError:
                self._answer(502, [("Content-Type", "text/html")], b"<h1>Bad Gateway</h1>")
            except OSError:
                self._hang_up()  # one of both sides has gone

    def _ask(self, body: bytes, fault: Fault | None) -> None:
        server = http.client.HTTPConnection("127.0.0.1", self.proxy.server.port, timeout=60)
        try:
            headers = {k: v for k, v in self.headers.items() if k.lower() not in _OF_A_CONNECTION}
            server.request(self.command, self.path, body or None, headers)
            response = server.getresponse()
            headers = [h for h in response.getheaders() if h[0].lower() not in _OF_A_CONNECTION]
            if response.getheader("Content-Type", "").startswith("text/event-stream"):
                self._stream(response, headers, fault)
                return
            data = response.read()
            if fault == "lose":
                self._hang_up()
            elif fault == "cut":
                self._answer(response.status, headers, data, len(data) // 2)
            else:
                self._answer(response.status, headers, data)
        finally:
            server.close()

    def _answer(
        self, status: int, headers: list[tuple[str, str]], data: bytes, cut: int | None = None
    ) -> None:
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[:cut])
        if cut is not None:
            self._hang_up()

    def _stream(self, response: Any, headers: list[tuple[str, str]], fault: Fault | None) -> None:
        self.send_response_only(response.status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Connection", "close")
        self.end_headers()
        while data := response.read1(65536):
            self.wfile.write(data)
            if fault is not None:
                break
        self._hang_up()

    def _hang_up(self) -> None:
        self.close_connection = True
        with suppress(OSError):  # the other side may have been quicker
            self.connection.shutdown(socket.SHUT_RDWR)
