"""Keeps the package's own requests out of the servers' access logs.

A page asks again and again what is new on its jobs. On a terminal, a line for each question would
bury all others. What fails stays: lines with a status of 400 or more. To see them all:

    logging.getLogger("dash_long_callback.access").setLevel(logging.DEBUG)
"""

from __future__ import annotations

import logging

from dash_long_callback.server.route import PREFIX

#: Servers write a line for each request with these: Werkzeug, uvicorn, hypercorn.
LOGGERS = ("werkzeug", "uvicorn.access", "hypercorn.access")
#: In the path of each of the package's own routes.
OURS = f"/{PREFIX}"

_switch = logging.getLogger("dash_long_callback.access")


def quiet() -> None:
    """Leave the package's own requests out, from now on.

    Called when an app is served, and again with each page: uvicorn and hypercorn set their loggers
    up when they like. The same filter is added once, however often.
    """
    for name in LOGGERS:
        logging.getLogger(name).addFilter(_is_wanted)


def _is_wanted(record: logging.LogRecord) -> bool:
    match record.args:
        # Of Werkzeug: the first line of the request, the status, a size. Of uvicorn: the client,
        # method, path, version, status. And of hypercorn.
        case (
            (str(request), status, _)
            | (_, _, str(request), _, status)
            | {"r": str(request), "s": status}
        ):
            pass
        case _:
            return True
    failed = not str(status).isdigit() or int(str(status)) >= 400  # noqa: PLR2004 - as HTTP has it
    return OURS not in request or failed or _switch.isEnabledFor(logging.DEBUG)
