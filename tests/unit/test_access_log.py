"""Which lines of the servers' access logs are left out."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from dash_long_callback import Dash
from dash_long_callback.server import access_log

OURS, DASHS = "/app/_dash-long-callback/updates", "/app/_dash-update-component"


class _Atoms(dict[str, Any]):
    """As hypercorn's: says "-" for what it does not know."""

    def __getitem__(self, name: str) -> Any:
        return self.get(name, "-")


def werkzeug(path: str, status: int) -> tuple[Any, ...]:
    return '127.0.0.1 - - [now] "%s" %s %s\n', f"POST {path} HTTP/1.1", str(status), "-"


def uvicorn(path: str, status: int) -> tuple[Any, ...]:
    return '%s - "%s %s HTTP/%s" %d', "127.0.0.1:5", "POST", path, "1.1", status


def hypercorn(path: str, status: int) -> tuple[Any, ...]:
    return "%(h)s %(r)s %(s)s %(nothing)s", _Atoms(h="x", r=f"POST {path} 2", s=str(status))


SERVERS = {"werkzeug": werkzeug, "uvicorn.access": uvicorn, "hypercorn.access": hypercorn}


@pytest.mark.parametrize("name", SERVERS)
def test_our_requests_are_left_out_unless_they_failed(
    name: str, app: Dash, caplog: pytest.LogCaptureFixture
) -> None:
    log = logging.getLogger(name)
    app.server.test_client().get("/")
    filters = list(log.filters)
    app.server.test_client().get("/")
    app.server.test_client().post(OURS.removeprefix("/app"), json={})
    assert log.filters == filters  # no more with each page

    def lines() -> list[str]:
        caplog.clear()
        for path, status in ((OURS, 200), (OURS, 404), (OURS, 503), (DASHS, 200)):
            log.info(*SERVERS[name](path, status))
        log.info("another line, of %s", OURS)
        return [record.getMessage() for record in caplog.records]

    with caplog.at_level(logging.INFO, name), caplog.at_level(logging.INFO):
        found = lines()
        assert len(found) == 4
        assert [" 200" in line for line in found] == [False, False, True, False]
        with caplog.at_level(logging.DEBUG, "dash_long_callback.access"):
            assert len(lines()) == 5


def test_nothing_is_changed_by_the_import(app: Dash) -> None:
    log = logging.getLogger("werkzeug")
    log.removeFilter(access_log._is_wanted)  # pyright: ignore[reportPrivateUsage]
    assert log.filters == []
    Dash("another")
    assert log.filters == []
