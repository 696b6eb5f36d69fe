"""The two routes, asked through Flask."""

from __future__ import annotations

from collections.abc import Callable

import flask
import pytest

from dash_long_callback import Dash

READS: dict[str, Callable[[], object]] = {
    "nothing": lambda: None,
    "JSON": lambda: flask.request.get_json(silent=True),
    "bytes": lambda: flask.request.get_data(as_text=True),
    "a form": lambda: flask.request.form,
}


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize("path", ["updates", "cancel"])
def test_a_hook_may_read_the_body_first(app: Dash, path: str, read: str) -> None:
    def hook() -> None:
        READS[read]()

    app.server.before_request(hook)
    client = app.server.test_client()

    def status(body: bytes) -> int:
        url = f"/_dash-long-callback/{path}"
        return client.post(url, data=body, content_type="application/json").status_code

    unknown = {"updates": b'{"tab":"t","jobs":{"forged":0}}', "cancel": b'{"jobs":["forged"]}'}
    assert status(unknown[path]) == 404  # understood, and not known
    assert status(b"rubbish") == 400
    assert status(b"[" + b" " * 300_000 + b"]") == 413
