"""Bars of tqdm show on the page, and print what they print."""

from __future__ import annotations

import asyncio
import gc
import io
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import tqdm.asyncio
import tqdm.auto
import tqdm.std
from dash import Input, Output
from jobs_at_hand import AtHand, job_at_hand, until
from tqdm import tqdm as bar_class
from tqdm import trange
from tqdm._monitor import TMonitor
from tqdm.contrib.concurrent import thread_map

from dash_long_callback import Dash, RegistrationError, tqdm_progress, track
from dash_long_callback.testing import LongCallbacks
from dash_long_callback.worker import tqdm_bars
from dash_long_callback.worker.current import current_run

OUT, IN = Output("out", "children"), Input("in", "value")


class Terminal(io.StringIO):
    """Takes what is printed."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def job() -> Iterator[AtHand]:
    with job_at_hand() as job, tqdm_progress():
        yield job


@pytest.fixture
def file() -> Terminal:
    return Terminal()


def test_each_iteration_counts_however_rarely_it_prints(job: AtHand, file: Terminal) -> None:
    loop = bar_class(range(4), "Letters", file=file, mininterval=60, miniters=1000)
    shown = [(job.now["done"], job.fraction, job.now["text"]) for _ in loop]
    assert shown == [(n, n / 4, "Letters") for n in range(4)]
    assert job.fraction is None


def test_it_prints_what_it_prints_without(job: AtHand) -> None:
    def printed() -> str:
        file = Terminal()
        with bar_class(total=4, desc="Letters", file=file, bar_format="{desc} {n_fmt}") as bar:
            bar.update(3)
            bar.set_postfix(loss=1)
            bar.reset(total=5)
            bar.update(2)
            bar.refresh()
        for _ in bar_class("ab", file=file, bar_format="{n_fmt}", mininterval=0):
            pass
        return file.getvalue()

    followed = printed()
    job.tracking.tqdm = 0
    assert followed == printed() != ""


def test_a_bar_that_is_updated_by_hand_counts(job: AtHand, file: Terminal) -> None:
    with bar_class(total=8, file=file, initial=2) as bar:
        assert job.fraction == 0.25
        bar.update()
        bar.update(3)
        assert (job.now["done"], job.fraction) == (6, 0.75)
        bar.total = 12
        bar.set_description("Files")
        assert (job.now["total"], job.now["text"]) == (12, "Files")
        assert job.fraction == 0.75  # it does not fall
        bar.n = 10
        bar.refresh()
        assert job.now["done"] == 10
        bar.set_description_str("Lines", refresh=False)
        assert job.now["text"] == "Lines"
    assert job.fraction is None


def test_a_bar_is_used_again_for_each_item_of_another(job: AtHand, file: Terminal) -> None:
    outer, inner = bar_class(total=2, file=file), bar_class(total=2, file=file)
    seen: list[float] = []
    for _ in range(2):
        inner.reset()
        for _ in range(2):
            seen.append(job.fraction)
            inner.update()
        seen.append(job.fraction)
        outer.update()
    assert seen == [0, 0.25, 0.5, 0.5, 0.75, 1]
    inner.close()
    outer.close()


def test_a_bar_that_begins_again_falls_back(job: AtHand, file: Terminal) -> None:
    with bar_class(total=4, file=file) as bar:
        bar.update(3)
        assert job.fraction == 0.75
        bar.reset(total=8)
        assert (job.fraction, job.now["total"]) == (0, 8)
        bar.update(4)
        bar.n = 0
        bar.refresh()
        assert job.fraction == 0


def test_bars_inside_of_each_other_and_of_track_are_one(job: AtHand, file: Terminal) -> None:
    seen: list[float] = []
    for _ in bar_class(range(2), file=file):
        for _ in track(range(2)):
            seen += [job.fraction for _ in trange(2, file=file, leave=False)]
    assert seen == [n / 8 for n in range(8)]


def test_a_bar_that_is_off_without_a_terminal_counts_and_prints_nothing(job: AtHand) -> None:
    file = io.StringIO()
    assert [job.fraction for _ in bar_class("ab", disable=None, file=file)] == [0, 0.5]
    arguments: list[Any] = [None, None, 4, True, file, None, 0.1, 10.0, None, None, None]
    with bar_class(*arguments) as bar:
        bar.update(3)
        assert job.fraction == 0.75
    assert file.getvalue() == ""
    terminal = Terminal()
    assert [job.fraction for _ in bar_class("ab", disable=None, file=terminal)] == [0, 0.5]
    assert terminal.getvalue() != ""


def test_a_bar_that_is_off_is_off(job: AtHand) -> None:
    assert [job.fraction for _ in bar_class("ab", disable=True)] == [None, None]


def test_a_bar_of_unknown_length_counts(job: AtHand, file: Terminal) -> None:
    for _ in bar_class(iter("ab"), file=file, total=float("inf")):
        assert (job.now["total"], job.fraction) == (None, None)
    assert [job.now["done"] for _ in bar_class(iter("ab"), file=file)] == [0, 1]


def leave(bar: Any) -> None:
    for _ in bar:
        break


def _fail(bar: Any) -> None:
    for _ in bar:
        raise LookupError


def fail(bar: Any) -> None:
    with pytest.raises(LookupError):
        _fail(bar)


def drop(bar: Any) -> None:
    next(iter(bar))


@pytest.mark.parametrize("end", [list, leave, fail, drop])
def test_a_bar_is_closed_however_its_loop_ends(end: Any, job: AtHand, file: Terminal) -> None:
    bar = bar_class(range(4), file=file)
    end(bar)
    assert job.fraction is None
    assert bar.disable


def test_a_bar_that_nobody_has_any_more_is_closed(job: AtHand, file: Terminal) -> None:
    bar: Any = bar_class(total=4, file=file)
    bar.itself = bar
    assert job.fraction == 0
    del bar
    gc.collect()
    assert job.fraction is None


def test_wrong_arguments_raise_as_ever(job: AtHand, file: Terminal) -> None:
    arguments: list[Any] = [None] * 40
    with pytest.raises(KeyError, match="colr"):
        bar_class(range(4), colr="red", file=file)  # pyright: ignore[reportCallIssue]
    with pytest.raises(TypeError):
        bar_class(*arguments)
    assert job.fraction is None


def test_the_classes_of_other_places_count_too(job: AtHand, file: Terminal) -> None:
    base: Any = bar_class

    class Own(base):
        """As those for notebooks and rich: it shows itself in its own way."""

        def display(self, *_: Any, **__: Any) -> None:
            pass

        def __iter__(self) -> Iterator[Any]:
            yield from super().__iter__()

    kinds: list[Any] = [tqdm.auto.tqdm, tqdm.asyncio.tqdm, tqdm.std.tqdm, Own]
    for kind in kinds:
        assert [job.fraction for _ in kind("ab", file=file)] == [0, 0.5]


def test_asynchronous_bars_count(job: AtHand, file: Terminal) -> None:
    async def items() -> AsyncIterator[int]:
        for number in range(2):
            await asyncio.sleep(0)
            yield number

    asynchronous: Any = tqdm.asyncio.tqdm

    async def run() -> None:
        loop = asynchronous(items(), total=2, file=file)
        async for number in loop:  # tqdm counts an item when it has come
            assert job.fraction == (number + 1) / 2
        assert job.fraction is None
        found = await tqdm.asyncio.tqdm.gather(*map(look, range(4)), file=file)
        assert found == [*range(4)]

    async def look(number: int) -> int:
        while job.fraction != number / 4:  # noqa: ASYNC110 - tqdm tells nobody
            await asyncio.sleep(0.001)
        return number

    asyncio.run(asyncio.wait_for(run(), 20))
    assert job.fraction is None


def test_a_pool_of_threads_counts(job: AtHand, file: Terminal) -> None:
    def work(number: int) -> int:
        for step in trange(3, file=file, leave=False):
            if step == 2:
                gates[number].wait(20)  # two at a time have two of their three steps done
                seen.append(job.fraction)
        return number

    gates = [threading.Barrier(2) for _ in range(4) for _ in range(2)]
    for number in range(0, 8, 2):
        gates[number + 1] = gates[number]
    seen: list[float] = []
    found: list[int] = thread_map(work, range(8), max_workers=2, file=file)
    assert found == [*range(8)]
    assert len(seen) == 8
    assert min(seen) == pytest.approx(2 * 2 / 3 / 8, abs=1e-4)
    assert max(seen) > (6 + 2 * 2 / 3) / 8 - 1e-4
    assert job.fraction is None


def test_the_monitor_of_tqdm_may_refresh_a_bar_at_any_time(
    job: AtHand, file: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    with bar_class(total=4, file=file, miniters=100, mininterval=0, maxinterval=0) as bar:
        refreshed = threading.Event()
        refresh = bar.refresh

        def note(*args: Any, **kwargs: Any) -> Any:
            refreshed.set()
            return refresh(*args, **kwargs)

        monkeypatch.setattr(bar, "refresh", note)
        bar.update(3)
        monitor = TMonitor(bar_class, 0.01)
        assert refreshed.wait(20)
        monitor.exit()
        assert job.fraction == 0.75


def test_a_loop_that_stalls_has_its_last_item_reported(job: AtHand, file: Terminal) -> None:
    for number in trange(1000, file=file, miniters=10**6):
        if number == 700:
            until(lambda: job.reports and job.reports[-1]["done"] == 700)
            break


# Where it is on


def test_only_what_is_made_in_the_block_counts(file: Terminal) -> None:
    with job_at_hand() as job:
        assert [job.fraction for _ in bar_class("ab", file=file)] == [None, None]
        with tqdm_progress(), tqdm_progress():
            bar = bar_class("ab", file=file)
        assert [job.fraction for _ in bar_class("cd", file=file)] == [0, 0]
        assert [job.fraction for _ in bar] == [0, 0.5]


def test_outside_of_a_job_nothing_is_done(file: Terminal) -> None:
    with tqdm_progress():
        assert list(bar_class("ab", file=file)) == ["a", "b"]
        off = bar_class("ab", file=io.StringIO(), disable=None)
    assert off.disable


def test_after_the_end_of_a_job_its_bars_still_work(file: Terminal) -> None:
    with job_at_hand(), tqdm_progress():
        early = bar_class("ab", file=file)
    assert list(early) == ["a", "b"]
    with job_at_hand() as job:
        job.tracking.end()
        with tqdm_progress():
            late = bar_class(total=4, file=file)
            late.update(2)
            late.close()
        assert job.reports == []


def test_without_tqdm_there_is_nothing_to_do(job: AtHand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tqdm_bars, "_patched", [])
    monkeypatch.setitem(sys.modules, "tqdm.std", None)
    with tqdm_progress():
        assert tqdm_bars._patched == []  # pyright: ignore[reportPrivateUsage]


def test_a_callback_has_the_bars_of_its_function_followed(
    app: Dash, long_callbacks: LongCallbacks
) -> None:
    def fraction() -> Any:
        run = current_run()
        assert run is not None
        return run.tracking.state()["fraction"]

    def look(items: Any) -> list[Any]:
        return [fraction() for _ in bar_class(items, file=io.StringIO())]

    def handle(error: Exception) -> list[Any]:
        return [*error.args[0], *look("ab")]

    @app.long_callback(OUT, IN, track_tqdm=True, on_error=handle)
    def work(_: Any) -> Any:
        raise ValueError(look("ab"))

    run = long_callbacks.click(app, "in.value", 1)
    assert run.outputs == {"out.children": [0, 0.5, None, None]}


def test_whether_bars_are_followed_is_a_yes_or_a_no(app: Dash) -> None:
    with pytest.raises(RegistrationError, match="track_tqdm='yes' must be True or False"):
        app.long_callback(OUT, IN, track_tqdm="yes")(lambda _: None)  # pyright: ignore[reportArgumentType]
