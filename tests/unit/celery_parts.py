"""What tests have in place of a message broker."""

from __future__ import annotations

from typing import Any

from dash_long_callback.executors.celery.executor import CeleryExecutor
from dash_long_callback.jobs import Job
from dash_long_callback.stores.job_store import JobStore


class _Sent:
    """Keeps the jobs for which messages are sent, and the queues of which the next is asked for."""

    def __init__(self, sent: list[Any]) -> None:
        self._sent = sent

    def queue(self, name: str | None) -> str:
        return name or ""

    def send(self, job: Job, *, on: bool = False) -> None:
        self._sent.append(job)

    def ask(self, queue: str, wait: float | None = None) -> None:
        self._sent.append((queue, wait))


def sending(store: JobStore, sent: list[Any]) -> CeleryExecutor:
    """An executor whose messages go to a list."""
    broker: Any = _Sent(sent)
    return CeleryExecutor(store, broker, 1.0)
