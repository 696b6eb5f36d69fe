"""What contract tests share: a registry that holds the callbacks of one test only."""

# pyright: reportPrivateUsage=false
from __future__ import annotations

from collections.abc import Iterator

import pytest
from dash import _callback, _get_app
from managers import Services

from dash_long_callback.callbacks import registry


@pytest.fixture(autouse=True)
def _own_callbacks(monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction]
    """Each test starts with the callbacks that modules declare, and leaves no more."""
    monkeypatch.setattr(registry, "_callbacks", dict(registry._callbacks))
    monkeypatch.setattr(_get_app, "APP", None)
    for name in ("GLOBAL_CALLBACK_LIST", "GLOBAL_CALLBACK_MAP"):
        kept = getattr(_callback, name)
        # Emptied and not replaced: others have imported these objects.
        monkeypatch.setattr(_callback, name, kept)
        kept.clear()


@pytest.fixture(scope="session")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """Real servers, started when they are first needed."""
    running = Services(tmp_path_factory.mktemp("services"))
    yield running
    running.stop()
