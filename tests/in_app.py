"""What the apps under test import: gates that a test opens, and notes that it reads.

Files, as a job runs in another process than the test and, after a restart, in another one again.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

FOLDER = Path(os.environ["FOLDER"])


def wait_for(name: str, timeout: float = 60) -> None:
    """Wait until the test opens the gate of this name."""
    deadline = time.monotonic() + timeout
    while not (FOLDER / f"gate-{name}").exists():
        if time.monotonic() > deadline:
            raise TimeoutError(f"the test did not open the gate {name!r}")
        time.sleep(0.005)


def is_open(name: str) -> bool:
    """Whether the gate of this name is open."""
    return (FOLDER / f"gate-{name}").exists()


def note(name: str, text: object = "") -> None:
    """Tell the test something, in one line."""
    with (FOLDER / f"note-{name}").open("a") as file:
        file.write(f"{text}\n")


def serve(app: Any, **kwargs: Any) -> None:
    """Run the app where the test expects it, with the dev tools of the renderer.

    Without ``debug``: the bundles are those of production, and load in a fraction of the time.
    """
    app.run(
        host="127.0.0.1",
        port=int(os.environ["PORT"]),
        dev_tools_ui=True,
        dev_tools_silence_routes_logging=True,
        **kwargs,
    )
