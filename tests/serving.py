"""Fixtures: servers that integration tests and tests of faults need."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from celery_stack import Stack
from services import RabbitMQ, RedisServer, Service


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


#: Databases of a Redis that tests take in turn; 0 and 1 are for those that share one.
_databases = itertools.cycle(range(2, 16))


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """A database of the shared Redis for this test alone."""
    url = redis_server.url.removesuffix("0") + str(next(_databases))
    redis.Redis.from_url(url).flushdb()  # pyright: ignore[reportUnknownMemberType]
    return url


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Starts servers of a test's own, ``run(RedisServer, **options)``, that end with it."""
    started: list[Service] = []

    def start(kind: Callable[..., Service], *args: Any, **options: Any) -> Service:
        started.append(kind(tmp_path / f"service{len(started)}", *args, **options))
        return started[-1].start()

    yield start
    for service in reversed(started):
        service.stop()


# `run` comes first, so that its servers end last: a worker without a broker does not end in peace.
@pytest.fixture
def stack(tmp_path: Path, run: object) -> Iterator[Callable[..., Stack]]:
    """Makes stacks that end with the test."""
    made: list[Stack] = []

    def make(broker: str, backend: str, conf: dict[str, Any] | None = None, **env: str) -> Stack:
        made.append(Stack(tmp_path / f"stack{len(made)}", broker, backend, conf, **env))
        return made[-1]

    yield make
    for one in made:
        one.stop()
