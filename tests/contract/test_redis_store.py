"""What only a RedisStore is asked: expiries, the queue, news without polling, a lost Redis."""

# pyright: reportPrivateUsage=false
from __future__ import annotations

import itertools
import math
import multiprocessing
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
from dash_long_callback.jobs import Begin, Cancelled, End, Job, Resend, State, Succeeded, new_job_id
from dash_long_callback.stores import names, redis_notifier, timing
from dash_long_callback.stores.notifier import Subscription
from dash_long_callback.stores.ports import Batch, Entry, Place, Rows
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


# The queue

#: Seconds that a job is kept which a test puts in the queue.
KEPT = 60.0


def enter(rows: Rows, job_id: str, place: Place | None = None, seconds: float = KEPT) -> str:
    """Put a job in the queue. Its record is its id, and its request is ``b"request"``."""
    put = {
        names.request(job_id): (b"request", seconds),
        names.job(job_id): (job_id.encode(), seconds),
    }
    entry = Entry(job_id, State.QUEUED.value, "callback", None, 0.0)
    assert rows.apply(Batch(put=put, entry=entry, place=place or Place()))
    return job_id


def taken(rows: Rows, queue: str = "") -> list[str]:
    """What is in a queue, in order; then it is empty."""
    found: list[str] = []
    while (head := rows.next_queued(queue)) is not None:
        rows.apply(Batch(dequeue=head.id))
        found.append(head.id)
    return found


@pytest.fixture
def rows(store: RedisStore) -> Rows:
    return store.rows


@pytest.fixture
def key(prefix: str) -> str:
    """Where the queue is."""
    return f"{prefix}dlc:queue"


def monitored(client: Any, step: Callable[[], object]) -> tuple[list[str], list[str]]:
    """The commands that are sent in a step, and those that scripts call."""
    sent: list[str] = []
    called: list[str] = []
    with client.monitor() as monitor:
        client.echo("before")  # it connects
        step()
        client.echo("behind it")
        while "before" not in monitor.next_command()["command"]:
            pass
        while "behind it" not in (one := monitor.next_command())["command"]:
            (called if one["client_type"] == "lua" else sent).append(one["command"])
    return sent, called


def test_the_next_job_is_read_with_its_record_and_request_in_one_round_trip(
    rows: Rows, client: Any
) -> None:
    enter(rows, "job")
    assert rows.next_queued() == ("job", b"job", b"request")
    sent, _ = monitored(client, rows.next_queued)
    assert [one.split()[0] for one in sent] == ["EVALSHA"]


def test_rows_of_the_next_job_that_are_missing_or_of_another_type_are_none(
    rows: Rows, client: Any, prefix: str
) -> None:
    enter(rows, "job")
    for name in (names.job("job"), names.request("job")):
        client.delete(f"{prefix}dlc:{name}")
        client.rpush(f"{prefix}dlc:{name}", "a")
    assert rows.next_queued() == ("job", None, None)
    client.delete(f"{prefix}dlc:{names.job('job')}")
    assert rows.next_queued() == ("job", None, None)
    assert taken(rows) == ["job"]


def test_any_finite_priority_has_its_place_and_the_two_zeros_are_one(rows: Rows) -> None:
    priorities = [1e308, 2.0**60, 255, 1.5, 1.0, 5e-324, 0.0, -5e-324, -1.0, -1.5, -255, -1e308]
    enter(rows, "zero", Place(priority=-0.0))
    for n, priority in enumerate(reversed(priorities)):
        enter(rows, f"{len(priorities) - n:02}", Place(priority=priority))
    found = taken(rows)
    assert found.pop(priorities.index(0)) == "zero"
    assert found == sorted(found)


@pytest.mark.parametrize("name", ["", ":", "a" * 9999, "~;\n\x00", "\ud800"])
def test_queues_lanes_and_gates_may_be_called_anything(name: str, rows: Rows) -> None:
    enter(rows, "other", Place(queue="other"))
    for n in range(2):
        enter(rows, f"mine-{n}", Place(queue=name, lane=name, gate=name))
    enter(rows, "lane", Place(queue=name, lane="lane", gate=name))
    enter(rows, "gate", Place(queue=name, lane=name, gate="gate"))
    assert rows.heads(name) == ["mine-0", "gate"]
    assert taken(rows, name) == ["mine-0", "lane", "mine-1", "gate"]
    assert taken(rows, "other") == ["other"]


def test_a_job_that_may_not_be_taken_yet_is_let_in_at_its_time_and_has_kept_its_turn(
    rows: Rows, client: Any, key: str
) -> None:
    at = time.time() + 1.0
    enter(rows, "never", Place(not_before=math.inf))
    for n in range(3):
        enter(rows, f"later-{n}", Place(lane="ann", gate="gate", not_before=at - n / 1000))
    assert (rows.next_queued(), rows.heads()) == (None, [])
    enter(rows, "bob", Place(lane="bob"))
    enter(rows, "behind", Place(lane="ann", gate="gate"))
    assert rows.heads() == ["bob", "behind"] or time.time() > at
    wait_until(lambda: rows.heads() == ["later-0", "bob"])
    late = [one for one in client.zrange(key, 0, -1) if one.startswith(b"d")]
    assert [one[-5:] for one in late] == [b"never"], "the others are not let in again"
    assert taken(rows) == ["later-0", "bob", "later-1", "later-2", "behind"]
    rows.apply(Batch(dequeue="never"))


def test_a_job_that_is_about_to_begin_is_hidden_from_others_for_a_while(rows: Rows) -> None:
    first = enter(rows, "first", Place(lane="ann"))
    second, limited = enter(rows, "second"), enter(rows, "limited", Place(gate="gate"))
    found = [rows.next_queued("", hide=0.3) for _ in range(4)]
    assert [one.id for one in found if one is not None] == [first, second, limited, limited]
    assert rows.ahead(first) is None
    third = enter(rows, "third", Place(lane="ann"))  # behind the turn that the first one has
    rows.apply(Batch(dequeue=second))
    wait_until(lambda: (head := rows.next_queued()) is not None and head.id == first)
    assert taken(rows) == [first, limited, third]


def test_those_that_become_due_while_nobody_asks_count_for_the_turn_of_who_comes(
    rows: Rows,
) -> None:
    at = time.time() + 0.2
    for n in range(3):
        enter(rows, f"early-{n}", Place(lane="ann"))
    enter(rows, "later", Place(lane="ann", not_before=at))
    for n in range(3):
        rows.apply(Batch(dequeue=f"early-{n}"))
    wait_until(lambda: time.time() > at)
    enter(rows, "bob", Place(lane="bob"))
    assert taken(rows) == ["later", "bob"]


@pytest.mark.parametrize("place", [Place(), Place(lane="ann"), Place(not_before=math.inf)])
def test_nothing_takes_more_commands_because_many_wait(
    place: Place, rows: Rows, client: Any
) -> None:
    def commands(job_id: str) -> list[int]:
        steps: list[Callable[[], object]] = [
            lambda: enter(rows, job_id, place),
            rows.next_queued,
            rows.heads,
            lambda: rows.apply(Batch(dequeue=job_id)),
        ]
        return [len(monitored(client, step)[1]) for step in steps]

    ids = (f"job-{n}" for n in itertools.count())
    for _ in range(5):
        enter(rows, next(ids), place)
    few = commands(next(ids))
    for _ in range(500):
        enter(rows, next(ids), place)
    assert commands(next(ids)) == few


def test_a_job_that_was_never_in_the_queue_costs_one_look_when_it_changes(
    store: RedisStore, client: Any, key: str
) -> None:
    job = new(store, state=State.RUNNING)
    store.finish(job, Succeeded(b"{}"))
    job = new(store, state=State.RUNNING)
    _, called = monitored(client, lambda: store.finish(job, Succeeded(b"{}")))
    assert [one.split()[0] for one in called if key in one] == ["ZRANGEBYLEX"]


#: Writes a key of a type that is not the queue's.
TYPES: dict[str, Callable[[Any, str], object]] = {
    "string": lambda client, key: client.set(key, "a"),
    "hash": lambda client, key: client.hset(key, "a", "b"),
    "list": lambda client, key: client.rpush(key, "a"),
    "set": lambda client, key: client.sadd(key, "a"),
}


@pytest.mark.parametrize("kind", TYPES)
def test_a_queue_that_is_of_another_type_is_empty_and_takes_jobs_again(
    kind: str, rows: Rows, client: Any, key: str
) -> None:
    enter(rows, "lost")

    def forge() -> None:
        client.delete(key)
        TYPES[kind](client, key)

    forge()
    assert (rows.next_queued(), rows.heads()) == (None, [])
    rows.apply(Batch(dequeue="lost"))
    touch = {names.job("lost"): KEPT}
    entry = Entry("lost", State.RUNNING.value, "callback", None, 0.0)
    assert rows.apply(Batch(touch=touch, entry=entry))
    assert rows.count("state", "running") == 1
    for place in (Place(), Place(front=True), Place(not_before=time.time() - 1)):
        forge()
        enter(rows, "new", place)
        assert client.pttl(key) > 0
        assert rows.heads() == ["new"]
        assert taken(rows) == ["new"]


def foreign(ours: set[bytes]) -> set[bytes]:
    """Members that look like those of the queue, before, between and behind them."""
    found = {b"", b"a", b"z", b"\x00", b"~", b"j", b"r", b"g", b"l", b"d0", b"j:", b"d" * 99}
    for member in ours:
        for cut in range(1, len(member), 13):
            found |= {member[:cut] + end for end in (b"", b"\xff", b"0" * 99)}
        found |= {member + b"x", member + b":"}
    return found - ours


@pytest.mark.parametrize("score", [0, -1, 1, -math.inf, math.inf])
def test_members_that_are_not_ours_neither_raise_nor_hide_jobs(
    score: float, rows: Rows, client: Any, key: str
) -> None:
    forged: set[bytes] = set()

    def forge() -> None:
        ours = set(client.zrange(key, 0, -1)) - forged
        forged.update(foreign(ours))
        client.zadd(key, dict.fromkeys(foreign(ours), score))

    due = time.time() + 0.5
    for n in range(2):
        enter(rows, f"ann-{n}", Place(lane="ann", gate="gate"))
    enter(rows, "later", Place(lane="ann", not_before=due))
    enter(rows, "out", Place(lane="out"))
    forge()
    for lane in ("bob", "ann"):
        enter(rows, f"{lane}-new", Place(lane=lane))
    forge()
    rows.apply(Batch(dequeue="out"))
    wait_until(lambda: time.time() > due)
    first = [one for one in taken_with(rows, forge) if one != "out"]
    assert first == ["ann-0", "bob-new", "ann-1", "later", "ann-new"]
    assert rows.heads() == []


def taken_with(rows: Rows, forge: Callable[[], None]) -> Iterator[str]:
    """As ``taken``, while somebody writes to the queue again and again."""
    while True:
        forge()
        heads = rows.heads()
        forge()
        head = rows.next_queued()
        if head is None:
            return
        assert heads[0] == head.id
        rows.apply(Batch(dequeue=head.id))
        yield head.id


def test_a_member_without_a_place_does_not_come_first_for_ever(
    rows: Rows, client: Any, key: str
) -> None:
    enter(rows, "gone")
    places = [one for one in client.zrange(key, 0, -1) if one.startswith(b"j")]
    assert client.zrem(key, *places) == 1
    enter(rows, "there")
    assert rows.heads() == ["there"]
    assert taken(rows) == ["there"]


# What expires


def test_the_queue_is_kept_as_long_as_any_job(rows: Rows, client: Any, key: str) -> None:
    enter(rows, "long", seconds=500)
    enter(rows, "short", seconds=5)
    assert client.pttl(key) > 499_000
    enter(rows, "later", Place(not_before=math.inf), seconds=900)
    assert client.pttl(key) > 899_000


def test_a_job_whose_message_is_sent_again_is_in_the_queue_as_long_as_its_record(
    make: Callable[..., RedisStore], monkeypatch: pytest.MonkeyPatch, client: Any, key: str
) -> None:
    monkeypatch.setattr(timing, "WAITING", 1)
    store = make(1.0)
    job, behind = new(store), new(make())
    time.sleep(0.6)
    assert store.change(job.id, Resend(0, 0)) is not None
    time.sleep(0.6)
    new(store)  # what has expired is taken out with it
    assert taken(store.rows)[:2] == [job.id, behind.id]
    client.delete(key)
    assert store.claim() is None
    assert store.change(behind.id, Resend(0, 0)) is not None
    assert taken(store.rows) == [behind.id]


def test_a_job_is_not_stored_when_redis_comes_to_it_after_the_click_was_refused(
    store: RedisStore,
) -> None:
    rows: Any = store.rows
    new(store)
    rows._connected._ahead -= 60  # its clock is set, or it has hung for a minute
    with pytest.raises(StoreError, match="has taken too long"):
        new(store)
    assert store.count() == 1
    new(store)
    assert store.count() == 2


@pytest.mark.parametrize("place", [Place(), Place(gate="gate"), Place(not_before=math.inf)])
def test_jobs_leave_the_queue_when_they_are_trimmed_from_the_index(
    place: Place, rows: Rows, client: Any, key: str, prefix: str
) -> None:
    enter(rows, "stays")
    members = set(client.zrange(key, 0, -1))
    for n in range(3):
        enter(rows, f"expires-{n}", place, seconds=0.2)
    assert set(client.zrange(key, 0, -1)) > members
    wait_until(lambda: not client.exists(f"{prefix}dlc:{names.job('expires-2')}"))
    assert rows.count("all", None) == 1
    assert set(client.zrange(key, 0, -1)) == members
    # Nor is a list needed for that: each job that comes trims a few.
    enter(rows, "expires-too", place, seconds=0.2)
    wait_until(lambda: not client.exists(f"{prefix}dlc:{names.job('expires-too')}"))
    enter(rows, "comes", Place(priority=-1.0))
    assert taken(rows) == ["stays", "comes"]
    assert not client.exists(key)


def _take(url: str, prefix: str, meet: Any, found: Any) -> None:
    rows = celery_store(url, prefix).rows
    meet.wait(60)
    while (head := rows.next_queued()) is not None:
        entry = Entry(head.id, State.RUNNING.value, "callback", None, 0.0)
        name = names.job(head.id)
        if rows.apply(Batch({name: head.record}, {name: (b"taken", KEPT)}, entry=entry)):
            found.put(head.id)
    rows.close()


def test_of_many_processes_that_take_jobs_at_once_each_job_is_taken_by_one(
    server: RedisServer, prefix: str, rows: Rows
) -> None:
    ids = [enter(rows, f"job-{n:03}", Place(lane=str(n % 3))) for n in range(150)]
    context = multiprocessing.get_context("spawn")
    meet, found = context.Barrier(4), context.Queue()
    arguments = (server.url, prefix, meet, found)
    processes = [context.Process(target=_take, args=arguments) for _ in range(4)]
    for process in processes:
        process.start()
    assert sorted(found.get(timeout=60) for _ in ids) == ids
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    assert found.empty()
    found.close()


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
