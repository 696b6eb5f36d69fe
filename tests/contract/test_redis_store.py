"""What only a RedisStore is asked: expiries, news without polling, and a Redis that goes away."""

# pyright: reportPrivateUsage=false
from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import redis
from managers import Services
from services import RedisServer
from stores import celery_store, new, put, response, started, wait_until

from dash_long_callback.errors import StoreError
from dash_long_callback.jobs import Begin, Cancelled, End, Job, State, Succeeded, new_job_id
from dash_long_callback.stores import redis_notifier, timing
from dash_long_callback.stores.notifier import Subscription
from dash_long_callback.stores.redis import RedisStore

#: Stores and records know nothing of Dash (see ``tests/unit/test_structure.py``).
pytestmark = pytest.mark.newest_only


@pytest.fixture
def server(services: Services) -> RedisServer:
    return services.get(RedisServer)


@pytest.fixture
def client(server: RedisServer) -> Iterator[Any]:
    """Looks at the server from outside."""
    with redis.Redis(port=server.port) as client:
        yield client


@pytest.fixture
def prefix() -> str:
    return f"{new_job_id()}-"


@pytest.fixture
def make(server: RedisServer, prefix: str) -> Iterator[Callable[..., RedisStore]]:
    opened: list[RedisStore] = []

    def open_store(retention: float = 60.0) -> RedisStore:
        opened.append(celery_store(server.url, prefix, retention))
        return opened[-1]

    yield open_store
    for store in opened:
        store.close()


@pytest.fixture
def store(make: Callable[..., RedisStore]) -> RedisStore:
    return make()


def live(store: RedisStore, expire: float | None) -> None:
    """Whole lives of jobs, with all that can happen to them."""
    job = new(store, cache_key="key", kept=True, expire=expire, owner="o")
    store.join(job, "second")
    store.join(job, "third")
    running = store.change(job.id, Begin())
    assert running is not None
    for n in range(3):
        put(store, running, 0, str(n).encode())
    put(store, running, ("a", "b"), b"1", patch=True)
    store.renew(running)
    store.leave(running, "second")
    store.keep(running, b"{}")
    store.finish(running, Succeeded(b"{}"))
    store.kept("key", expire)
    store.clear(job.callback)
    cancelled = started(store, cache_key="cancelled")
    store.ask_cancel(cancelled.id)
    store.leave(cancelled, cancelled.id)
    store.change(cancelled.id, End(Cancelled()))
    store.clear()
    later = started(store, cache_key="later", kept=True, expire=expire)
    store.keep(later, b"{}")
    store.renew(later)
    new(store, cache_key="waiting")


# Expiry and keys


@pytest.mark.parametrize("expire", [None, 5.0, 500.0])
def test_every_key_has_an_expiry(
    expire: float | None, store: RedisStore, client: Any, prefix: str
) -> None:
    live(store, expire)
    found = list(client.scan_iter(f"{prefix}*"))
    assert len(found) > 10
    assert [key for key in found if client.pttl(key) <= 0] == []


def test_nothing_is_left_when_all_has_expired(
    make: Callable[..., RedisStore], client: Any, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, seconds in (("WAITING", 1), ("LONGEST_SECONDS", 0.3), ("LEASE_SECONDS", 0.2)):
        monkeypatch.setattr(timing, name, seconds)
    live(make(0.3), 0.3)
    assert list(client.scan_iter(f"{prefix}*"))
    wait_until(lambda: not list(client.scan_iter(f"{prefix}*")))


def test_every_key_is_below_the_prefix_of_celery_and_of_ours(
    services: Services, server: RedisServer, tmp_path: Path
) -> None:
    own = RedisServer(tmp_path / "own").start()
    try:
        for prefix in ("", "team-"):
            store = celery_store(own.url, prefix)
            live(store, 60)
            with redis.Redis(port=own.port) as client:
                keys = list(client.scan_iter("*"))
                assert keys
                begins = f"{prefix}dlc:".encode()
                assert [key for key in keys if not key.startswith(begins)] == []
                client.flushall()
            store.close()
    finally:
        own.stop()


def test_stores_with_other_prefixes_see_nothing_of_each_other(
    store: RedisStore, server: RedisServer
) -> None:
    job = started(store)
    other = celery_store(server.url, "other-")
    with other.subscribe() as subscription:
        subscription.follow([job.id])
        drain(subscription)
        store.change(job.id, End(Cancelled()))
        assert not subscription.wait(0.3)
    assert other.load(job.id) is None
    other.close()


# News


def drain(subscription: Subscription) -> None:
    while subscription.wait(0.3):
        pass


def subscribers(client: Any) -> list[dict[str, str]]:
    return client.client_list(_type="pubsub")


def test_twenty_watches_share_one_connection(
    make: Callable[..., RedisStore], client: Any, server: RedisServer
) -> None:
    reader, writer = make(), make()
    jobs = [started(writer) for _ in range(20)]
    before = len(subscribers(client))
    with ExitStack() as stack:
        subscriptions = [stack.enter_context(reader.subscribe()) for _ in jobs]
        for subscription, job in zip(subscriptions, jobs, strict=True):
            subscription.follow([job.id])
        for subscription in subscriptions:
            drain(subscription)
        assert len(subscribers(client)) == before + 1
        for job in jobs:
            writer.change(job.id, End(Cancelled()))
        assert all(subscription.wait(10) for subscription in subscriptions)


def ours(client: Any) -> dict[str, int]:
    """How often each command was executed, but for those of the one who looks."""
    stats = client.info("commandstats")
    return {name: s["calls"] for name, s in stats.items() if name != "cmdstat_info"}


def test_nothing_is_asked_of_redis_while_watches_wait(store: RedisStore, client: Any) -> None:
    jobs = [started(store) for _ in range(5)]
    with ExitStack() as stack:
        subscriptions = [stack.enter_context(store.subscribe()) for _ in jobs]
        for subscription, job in zip(subscriptions, jobs, strict=True):
            subscription.follow([job.id])
            drain(subscription)
        ours(client)
        before = ours(client)
        found: list[bool] = []
        threads = [
            threading.Thread(
                target=lambda subscription=subscription: found.append(subscription.wait(1))
            )
            for subscription in subscriptions
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [False] * 5
        assert ours(client) == before


def test_a_watch_leaves_no_channel_behind(store: RedisStore, client: Any, prefix: str) -> None:
    with store.subscribe() as subscription, store.subscribe_to_cancels() as cancels:
        subscription.follow([started(store).id])
        cancels.follow(["x", "y"])
        wait_until(lambda: len(client.pubsub_channels(f"{prefix}*")) == 3)
        cancels.follow(["y"])
        wait_until(lambda: len(client.pubsub_channels(f"{prefix}*")) == 2)
    wait_until(lambda: not client.pubsub_channels(f"{prefix}*"))
    rows: Any = store.rows
    assert not rows._connected.news._subscriptions


def test_news_go_on_when_the_subscriber_has_lost_its_connection(
    make: Callable[..., RedisStore], client: Any
) -> None:
    reader, writer = make(), make()
    job = started(writer)
    with reader.subscribe() as subscription:
        subscription.follow([job.id])
        drain(subscription)
        for n in range(5):
            client.client_kill_filter(_type="pubsub")
            # At once, while nobody hears of it.
            put(writer, job, 0, str(n).encode())
            wait_until(lambda n=n: subscription.wait(5) and seen(reader, job) == str(n).encode())
            drain(subscription)
            assert seen(reader, job) == str(n).encode()
            # And later, when it listens again.
            put(writer, job, 0, b"later")
            assert subscription.wait(10)
            assert seen(reader, job) == b"later"


def seen(store: RedisStore, job: Job) -> bytes | None:
    record = store.load(job.id)
    assert record is not None
    return store.values(job.id, [n for n, _ in record.since(0)])[-1]


# A Redis that goes away


@pytest.fixture
def own(tmp_path: Path) -> Iterator[RedisServer]:
    """A server that a test may kill. It keeps what it has."""
    server = RedisServer(tmp_path / "own", appendonly="yes", appendfsync="always").start()
    yield server
    server.stop()


def test_a_watch_goes_on_when_redis_was_killed_and_comes_back(own: RedisServer) -> None:
    reader, writer = celery_store(own.url), celery_store(own.url)
    job = started(writer)
    with reader.subscribe() as subscription:
        subscription.follow([job.id])
        drain(subscription)
        own.kill()
        assert subscription.wait(10), "who waits is told to look, and hears what is wrong"
        own.start()
        wait_until(lambda: is_heard(own))
        drain(subscription)
        writer.finish(job, Succeeded(b"1"))
        assert subscription.wait(10)
        assert response(reader, job.id) == b"1"
    reader.close()
    writer.close()


def is_heard(server: RedisServer) -> bool:
    with redis.Redis(port=server.port) as client:
        return bool(subscribers(client))


def test_a_watch_that_began_while_redis_was_down_hears_of_news(own: RedisServer) -> None:
    reader, writer = celery_store(own.url), celery_store(own.url)
    job = started(writer)
    own.kill()
    with reader.subscribe() as subscription:
        subscription.follow([job.id])
        own.start()
        wait_until(lambda: is_heard(own))
        drain(subscription)
        writer.finish(job, Succeeded(b"1"))
        assert subscription.wait(10)
    reader.close()
    writer.close()


def test_news_go_on_when_another_thread_closes_the_connection_while_it_is_read(
    store: RedisStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_notifier, "RETRY_SECONDS", 0.0)
    job = started(store)
    with store.subscribe() as subscription:
        subscription.follow([job.id])
        rows: Any = store.rows
        connection = rows._connected.news._pubsub.connection
        for n in range(300):
            connection.disconnect()
            time.sleep(n % 20 / 10_000)
        drain(subscription)
        store.finish(job, Succeeded(b"1"))
        assert subscription.wait(10)


CALLS: dict[str, Callable[[RedisStore, Job], object]] = {
    "create": lambda store, job: new(store),
    "load": lambda store, job: store.load(job.id),
    "change": lambda store, job: store.change(job.id, End(Cancelled())),
    "write": lambda store, job: put(store, job, 0, b"1"),
    "renew": lambda store, job: store.renew(job),
    "ask_cancel": lambda store, job: store.ask_cancel(job.id),
    "kept": lambda store, job: store.kept("key", 60),
    "flight": lambda store, job: store.in_flight("key"),
}


def test_errors_are_in_words_and_soon_while_redis_is_down(own: RedisServer) -> None:
    store = celery_store(own.url)
    job = started(store)
    own.kill()
    for name, call in CALLS.items():
        begun = time.monotonic()
        with pytest.raises(StoreError, match=r"Redis can't be used \(.*\); check that it is runn"):
            call(store, job)
        assert time.monotonic() - begun < 10, name
    own.start()
    found = store.load(job.id)
    assert found is not None
    assert (found.state, found.seq) == (State.RUNNING, 1), "as it was"
    store.close()
