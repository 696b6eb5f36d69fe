"""Jobs of several lengths, with and without progress; counts the requests that they cause."""

import os
import time

from dash import Input, Output, html
from settings import BACKEND, PORT, add_route, new_app, page

app = new_app(__name__)

LONG = os.environ["BENCH_KIND"] == "long"
SECONDS = (0.1, 1, 10, 60)
#: Requests, and bytes of their bodies and of those of the answers.
counted = {"requests": 0, "bytes": 0}


def counts(path):
    return path.startswith(("/_dash-update-component", "/_dash-long-callback/"))


class CountWsgi:
    """In front of a WSGI app."""

    def __init__(self, inner):
        self.inner = inner

    def __call__(self, environ, start_response):
        if not counts(environ["PATH_INFO"]):
            return self.inner(environ, start_response)
        answer = b"".join(self.inner(environ, start_response))
        counted["requests"] += 1
        counted["bytes"] += int(environ.get("CONTENT_LENGTH") or 0) + len(answer)
        return [answer]


class CountAsgi:
    """In front of an ASGI app."""

    def __init__(self, inner):
        self.inner = inner

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http" or not counts(scope["path"]):
            await self.inner(scope, receive, send)
            return
        counted["requests"] += 1

        async def count_in():
            message = await receive()
            counted["bytes"] += len(message.get("body", b""))
            return message

        async def count_out(message):
            counted["bytes"] += len(message.get("body", b""))
            await send(message)

        await self.inner(scope, count_in, count_out)


def names():
    return [f"{kind}{i}" for i in range(len(SECONDS)) for kind in ("plain", "told")]


app.layout = page(
    *(
        html.Div([html.Button(n, id=n), html.Span(id=f"{n}-bar"), html.Span(id=f"{n}-out")])
        for n in names()
    )
)


def declare(name, progress, function):
    options = {} if LONG else {"background": True}
    if progress:
        options["progress"] = Output(f"{name}-bar", "children")
    (app.long_callback if LONG else app.callback)(
        Output(f"{name}-out", "children"),
        Input(name, "n_clicks"),
        prevent_initial_call=True,
        **options,
    )(function)


def add(number, seconds):
    def plain(n_clicks):
        time.sleep(seconds)
        return f"run {n_clicks}"

    def told(set_progress, n_clicks):
        ends = time.monotonic() + seconds
        second = 0
        while (left := ends - time.monotonic()) > 0:
            set_progress(f"{second} s")
            second += 1
            time.sleep(min(left, 1))
        return f"run {n_clicks}"

    declare(f"plain{number}", False, plain)
    declare(f"told{number}", True, told)


for one, length in enumerate(SECONDS):
    add(one, length)

add_route(app, "counted", lambda: counted)
if BACKEND == "flask":
    app.server.wsgi_app = CountWsgi(app.server.wsgi_app)
    server = app.server
else:
    server = CountAsgi(app.server)


if __name__ == "__main__":
    app.run(port=PORT, debug=False)
