"""An app with Celery: web servers and workers of the same broker and store."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from celery_worker import CeleryWorker
from engine import EngineServer, python_server


class Stack:
    """Web servers and workers of the same app, broker and store.

    Args:
        folder: for all of them.
        broker: URL.
        backend: URL.
        conf: Celery's settings.
        env: more environment variables of the app.
    """

    def __init__(
        self,
        folder: Path,
        broker: str,
        backend: str,
        conf: dict[str, Any] | None = None,
        **env: str,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.env = {
            "BROKER": broker,
            "BACKEND": backend,
            "CELERY_CONF": json.dumps({"worker_prefetch_multiplier": 1, **(conf or {})}),
            "FOLDER": str(folder),
            **env,
        }
        self._end = contextlib.ExitStack()

    def web(self, make: Callable[..., EngineServer] = python_server, *args: str) -> EngineServer:
        """Start a web server."""
        server = make(self.folder, *args, **self.env)
        self._end.callback(server.stop)
        return server.start()

    def worker(
        self, *options: str, module: str = "app:handle", env: dict[str, str] | None = None
    ) -> CeleryWorker:
        """Start a worker."""
        options = options or ("--concurrency", "2")
        worker = CeleryWorker(self.folder, module, {**self.env, **(env or {})}, *options)
        self._end.callback(worker.stop)
        return worker.start()

    def stop(self) -> None:
        """End all of them."""
        self._end.close()


def refusal(web: EngineServer, order: list[Any]) -> tuple[float, str]:
    """Seconds until a click was refused, and the words that the page shows."""
    begun = time.monotonic()
    news = web.dispatch(order)["news"]
    assert news["ended"], news
    return time.monotonic() - begun, news["error"]["message"]
