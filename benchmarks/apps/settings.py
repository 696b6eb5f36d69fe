"""What the apps have in common: the settings that a benchmark gave, and how the app is served."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import flask

FOLDER = Path(os.environ["BENCH_FOLDER"])
PORT = int(os.environ["BENCH_PORT"])
WORKERS = int(os.environ.get("BENCH_WORKERS", "2"))
START_METHOD: Any = os.environ.get("BENCH_START_METHOD") or None


def add_pid(server: flask.Flask) -> None:
    """A route that tells which process answers."""
    server.add_url_rule("/bench/pid", "bench_pid", lambda: flask.jsonify(os.getpid()))
