"""A Celery worker as its users start it: ``celery -A app:celery_app worker``."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
from apps import wait_until

if TYPE_CHECKING:
    from collections.abc import Mapping


class CeleryWorker:
    """A worker process with its pool.

    Args:
        folder: where the module is.
        module: names the Celery app, as after ``-A``.
        env: more environment variables.
        options: more options of the command.
    """

    def __init__(self, folder: Path, module: str, env: Mapping[str, str], *options: str) -> None:
        self._folder = folder
        self._log = folder / f"worker-{id(self)}.log"
        path = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
        self._env = {**os.environ, **env, "PYTHONPATH": path}
        command = [sys.executable, "-m", "celery", "-A", module, "worker", "--loglevel", "INFO"]
        self._command = [*command, "--hostname", f"w{id(self)}@test", *options]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        """What it has written."""
        return self._log.read_text(errors="replace")

    @property
    def pid(self) -> int:
        """The main process."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> CeleryWorker:
        """Start it; returns when it takes jobs."""
        self._log.touch()
        seen = len(self.log)
        with self._log.open("ab") as log:
            process = self._process = subprocess.Popen(
                self._command,
                cwd=self._folder,
                env=self._env,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

        def ready() -> bool:
            assert process.poll() is None, self.log
            return " ready." in self.log[seen:]

        wait_until(ready, 60, "the Celery worker")
        return self

    def pids(self) -> list[int]:
        """The processes of its pool."""
        try:
            children = psutil.Process(self.pid).children()
            return [c.pid for c in children if "resource_tracker" not in " ".join(c.cmdline())]
        except psutil.Error:
            return []

    def kill(self) -> None:
        """End all of its processes as a power cut would."""
        assert self._process is not None
        main = psutil.Process(self.pid)
        for one in [main, *main.children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess):  # it has just ended
                one.kill()
        self._process.wait()

    def stop(self) -> None:
        """End it in peace, if it runs; give it up after a while, with the jobs that still run."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self.kill()
