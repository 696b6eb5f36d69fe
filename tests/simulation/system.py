"""Simulated processes, as the engine sees them: in the place of ``worker.processes``."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager
from typing import Any, ClassVar

from scheduler import Process, running

from dash_long_callback.worker.run import Run


class ProcessId:
    """In the place of the real one."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.pid = process.pid

    @staticmethod
    def load(data: bytes | None) -> ProcessId | None:
        found = Processes.known.get(int(data)) if data else None
        return None if found is None else ProcessId(found)

    def runs(self) -> bool:
        return self.process.alive

    def elsewhere(self) -> bool:
        return False


class Processes:
    """In the place of the module ``worker.processes``."""

    known: ClassVar[dict[int, Process]] = {}
    ProcessId = ProcessId

    @classmethod
    def this_process(cls, _pid: int) -> bytes:
        process = running().here.process
        cls.known[process.pid] = process
        return b"%d" % process.pid

    @staticmethod
    def descendants(_pid: int) -> list[Any]:
        return []

    @staticmethod
    def kill(_processes: list[Any]) -> None:
        """Functions start no processes here."""

    @classmethod
    def kill_tree(cls, pid: int) -> None:
        if pid in cls.known:
            cls.known[pid].kill()

    @staticmethod
    def clock() -> float:
        return running().now

    @staticmethod
    def end_this() -> None:
        running().here.process.kill()

    @staticmethod
    def processor_time(_pid: int) -> float:
        return 0.0

    @staticmethod
    def waits_for_processor(_pid: int) -> bool:
        return False

    @staticmethod
    @contextlib.contextmanager
    def unchanged(handler: Callable[[int, Any], object] | None) -> Generator[None]:
        if handler is not None:
            running().here.process.handler = handler
        yield


class PerProcess:
    """In the place of an object that a module of the engine has once in each process."""

    def __init__(self, name: str, make: Callable[[], Any]) -> None:
        self._name, self._make = name, make

    def of(self, run: Run) -> AbstractContextManager[None]:
        known = running().here.process.globals
        if self._name not in known:
            known[self._name] = self._make()
        return known[self._name].of(run)
