"""Services for integration tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from celery_stack import Stack
from services import RabbitMQ, RedisServer


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis that tests share; each takes a database or a prefix of its own."""
    server = RedisServer(tmp_path_factory.mktemp("redis")).start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMQ]:
    """A RabbitMQ that tests share."""
    server = RabbitMQ(tmp_path_factory.mktemp("rabbitmq")).start()
    yield server
    server.stop()


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Callable[..., Stack]]:
    """Makes stacks that end with the test."""
    made: list[Stack] = []

    def make(broker: str, backend: str, conf: dict[str, Any] | None = None, **env: str) -> Stack:
        made.append(Stack(tmp_path / f"stack{len(made)}", broker, backend, conf, **env))
        return made[-1]

    yield make
    for one in made:
        one.stop()
