"""Servers for tests of faults, and the table of what a page is told of each."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from serving import rabbitmq, redis_server, redis_url, run, stack

if TYPE_CHECKING:
    from engine import EngineServer

__all__ = ["rabbitmq", "redis_server", "redis_url", "run", "stack"]

#: A file to which the rows of docs/how-to/faults.md are written as they were seen; none if not set.
TABLE = "FAULT_TABLE"


@pytest.fixture
def told() -> Callable[..., dict[str, Any]]:
    """Waits for what the page is told of a job: ``told(server, job, "what happens")``.

    The seconds in the table are those of this wait: call it right after the fault.
    """

    def wait(server: EngineServer, job: str, fault: str) -> dict[str, Any]:
        begun = time.monotonic()
        outcome = server.outcome(job)
        seconds = time.monotonic() - begun
        if TABLE in os.environ:
            words = outcome.get("error", {}).get("message", outcome["state"])
            with Path(os.environ[TABLE]).open("a") as table:
                table.write(json.dumps([fault, words, round(seconds, 1)]) + "\n")
        return outcome

    return wait
