"""While a worker imports the app, nothing is to be served: a script needs no main guard.

    app.run(), app.server.run()      do nothing
    uvicorn.run(), waitress.serve()  are refused in words, as nobody can make them return

Without that, a worker would serve and never return, or end as the port is in use.
"""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import socket
from collections.abc import Generator
from typing import Any

from werkzeug import serving

from dash_long_callback.errors import RegistrationError

MESSAGE = (
    "a worker process imports the app's script, which starts a server there: put what starts it "
    'below `if __name__ == "__main__":`, or start it with app.run(), which does nothing in a worker'
)


def is_importing() -> bool:
    """Whether this process is a worker, or will be one, that imports the app's modules.

    The standard library marks a process that imports ``__main__`` for a child in the same way.
    """
    return bool(getattr(multiprocessing.current_process(), "_inheriting", False))


@contextlib.contextmanager
def marked() -> Generator[None]:
    """Mark this process as one that imports."""
    serve_nothing()
    this: Any = multiprocessing.current_process()
    this._inheriting = True
    try:
        yield
    finally:
        del this._inheriting


@functools.cache  # once in a process
def serve_nothing() -> None:
    """See that no server is started in this process while it imports the app. May be repeated.

    Werkzeug's does nothing. What else opens a TCP port of a given number raises a
    ``RegistrationError``: the process that has started the app has that port already.
    """
    cls: Any = socket.socket
    bind, run_simple = cls.bind, serving.run_simple

    def bind_others(self: socket.socket, address: Any) -> None:
        given = isinstance(address, tuple) and any(address[1:2])  # pyright: ignore[reportUnknownArgumentType]
        if given and self.type == socket.SOCK_STREAM and is_importing():
            raise RegistrationError(MESSAGE)
        bind(self, address)

    def serve(*args: Any, **kwargs: Any) -> None:
        if not is_importing():
            run_simple(*args, **kwargs)

    cls.bind, serving.run_simple = bind_others, serve
