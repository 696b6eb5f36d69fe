"""What an app's ``authorize`` is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class ApiRequest:
    """A request to an ``http_api``, as its ``authorize`` gets it.

    Attributes:
        method: ``"GET"``, ``"POST"`` or ``"DELETE"``.
        path: that was asked for.
        headers: by name, in any case.
        query: the parameters behind the question mark, by name.
        remote: the address of whoever has connected, which may be a proxy; None: not known.
        callback: the name of the callback that is to be started, if it is one of the API's; else
            None, as for a job.

    Examples:
        >>> def authorize(request):
        ...     return USERS.get(request.token)
    """

    method: str
    path: str
    headers: Mapping[str, str]
    query: Mapping[str, str]
    remote: str | None
    callback: str | None = None

    @property
    def token(self) -> str | None:
        """What stands behind ``Bearer`` in the header ``Authorization``; None if there is none."""
        scheme, _, token = self.headers.get("Authorization", "").strip().partition(" ")
        return token.strip() or None if scheme.lower() == "bearer" else None
