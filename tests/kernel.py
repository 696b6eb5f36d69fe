"""A notebook as a test sees it: a kernel, and cells that run in it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import psutil
from apps import missing, wait_until
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import KernelManager

#: Where ipykernel is, which no other process is to have.
PACKAGES = Path(__file__).parents[1] / ".kernel"

#: Seconds that a cell may take on a busy machine.
CELL_SECONDS = 60


class Here(KernelSpecManager):
    """Starts kernels in this environment."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=argv, display_name=kernel_name, language="python")


class Kernel:
    """A kernel of ipykernel, started as Jupyter's server does for a notebook.

    Args:
        notebook: its file, which need not exist; its folder is the working directory.
    """

    def __init__(self, notebook: Path) -> None:
        if not PACKAGES.is_dir():
            missing("ipykernel, which `make test` installs in .kernel,")
        paths = os.pathsep.join(filter(None, [str(PACKAGES), os.environ.get("PYTHONPATH")]))
        cache = str(notebook.parent / "cache")
        named = {"JPY_SESSION_NAME": str(notebook), "XDG_CACHE_HOME": cache, "PYTHONPATH": paths}
        self._manager: Any = KernelManager(kernel_spec_manager=Here())
        self._manager.start_kernel(cwd=str(notebook.parent), env={**os.environ, **named})
        self._connect()

    @property
    def pid(self) -> int:
        return self._manager.provisioner.pid

    def run(self, code: str) -> str:
        """Run a cell, and wait for what it prints; or for the error that it ends with."""
        printed: list[str] = []

        def show(message: dict[str, Any]) -> None:
            content = message["content"]
            if message["msg_type"] == "stream":
                printed.append(content["text"])
            elif message["msg_type"] == "error":
                printed.append(f"{content['ename']}: {content['evalue']}")

        self._client.execute_interactive(code, output_hook=show, timeout=CELL_SECONDS)
        return "".join(printed).strip()

    def interrupt(self, code: str, marker: Path) -> str:
        """Interrupt a cell, once its code has made a file. Returns the name of its error."""
        # Else the kernel drops what it is sent before it is done with the error.
        cell = self._client.execute(code, stop_on_error=False)
        wait_until(marker.exists, what="the cell to run")
        self._manager.interrupt_kernel()
        while True:
            reply = self._client.get_shell_msg(timeout=CELL_SECONDS)
            if reply["parent_header"].get("msg_id") == cell:
                return reply["content"].get("ename", "")

    def restart(self) -> None:
        """As the button of a notebook does."""
        self._client.stop_channels()
        self._manager.restart_kernel()
        self._connect()

    def kill(self) -> None:
        """As the system does that has no more memory."""
        self._manager.provisioner.process.kill()
        self._manager.provisioner.process.wait()

    def started(self) -> list[psutil.Process]:
        """The processes that it has started, and theirs."""
        return psutil.Process(self.pid).children(recursive=True)

    def stop(self) -> None:
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)
        self._manager.cleanup_resources()

    def _connect(self) -> None:
        self._client: Any = self._manager.blocking_client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=CELL_SECONDS)


def running(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those that have not ended."""
    return [p for p in processes if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
