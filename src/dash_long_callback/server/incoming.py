"""A request as it came, whichever server took it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Incoming:
    """All of a request but its body.

    Attributes:
        method: of HTTP, such as ``"POST"``.
        path: as it was asked for, below the server's root.
        rest: what a route that ends with ``REST`` has left of that.
        query: the parameters behind the question mark.
        headers: their names may be in any case.
        remote: the address of whoever has connected; None: not known.
        environ: of WSGI; None: another server.
    """

    method: str
    path: str
    rest: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    remote: str | None
    environ: Mapping[str, Any] | None = None
