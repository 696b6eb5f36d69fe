"""What a job's code prints, if each line is to begin with the job's number."""

from __future__ import annotations

import fcntl
import io
import logging
import os
import pty
import struct
import sys
import termios
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any

import cloudpickle
import pytest

from dash_long_callback.jobs import Job
from dash_long_callback.worker import log_tags
from dash_long_callback.worker.current import running
from dash_long_callback.worker.output import PrefixedStream, prefixed
from dash_long_callback.worker.run import Run

NO = "no. 530046: "  # of a job whose id is "id"


def run_of(*, prefix: bool = True, job_id: str = "id") -> Run:
    anything: Any = None
    return Run(anything, Job(job_id, "out.children", name="work"), anything, log_prefix=prefix)


class Shown(io.TextIOWrapper):
    """A stream as a process has it."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8", newline="", write_through=True)

    @property
    def text(self) -> str:
        self.flush()
        return self.buffer.getvalue().decode()  # type: ignore[attr-defined]


@contextmanager
def streams() -> Generator[Shown]:
    """Have others in the place of those of this process. Not a fixture: pytest has its own then."""
    with redirect_stdout(Shown()) as shown, redirect_stderr(Shown()):
        yield shown


@contextmanager
def job(*, prefix: bool = True, job_id: str = "id") -> Generator[Run]:
    """A job that runs, and is to have its number before its lines, or not."""
    run = run_of(prefix=prefix, job_id=job_id)
    with running(run), prefixed(run):
        yield run


@pytest.mark.parametrize(
    "printed, seen",
    [
        (["one\n"], f"{NO}one\n"),
        (["one", " ", "two", "\n"], f"{NO}one two\n"),
        (["one\ntwo\n"], f"{NO}one\n{NO}two\n"),
        (["one\r\n"], f"{NO}one\r\n"),
        (["\n"], f"{NO}\n"),
        (["", "one"], ""),
        (["one", None], f"{NO}one"),
        (["one", None, "\n"], f"{NO}one\n"),
        (["one", None, " two", None, " three\nfour\n"], f"{NO}one two three\n{NO}four\n"),
        (["\r10 %", None, "\r20 %", None, "\n"], f"\r{NO}10 %\r{NO}20 %\n"),
        (["\r10 %", None, "\r    \r", None], f"\r{NO}10 %\r{NO}    \r"),
        ([f"INFO {NO}said\n"], f"INFO {NO}said\n"),
    ],
)
def test_each_line_begins_with_the_number(printed: list[str | None], seen: str) -> None:
    with streams() as shown, job():
        for part in printed:
            if part is None:
                sys.stdout.flush()
            else:
                assert sys.stdout.write(part) == len(part)
        assert shown.text == seen


def test_lines_of_several_threads_are_whole() -> None:
    def count(letter: str) -> None:
        for number in range(300):
            print(letter, letter, number)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=count, args=(letter,)) for letter in "abc"]
        with streams() as shown, job():
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    finally:
        sys.setswitchinterval(before)
    wanted = [f"{NO}{letter} {letter} {number}" for letter in "abc" for number in range(300)]
    assert sorted(shown.text.splitlines()) == sorted(wanted)


def test_a_line_that_another_thread_interrupts_goes_on_in_one_of_its_own() -> None:
    with streams() as shown, job():
        print("begun", end="", flush=True)
        other = threading.Thread(target=print, args=("other",))
        other.start()
        other.join()
        print(" and ended")
    assert shown.text == f"{NO}begun\n{NO}other\n{NO} and ended\n"


def test_a_line_that_was_not_ended_is_shown_and_ended_with_the_job() -> None:
    with streams() as shown:
        for job_id in ("id", "other"):
            with job(job_id=job_id) as run:
                print("not ended", end="")
                assert run.prefix not in shown.text
            assert shown.text.endswith(f"{run.prefix}not ended\n")
    assert shown.text.count("\n") == 2


def test_what_no_job_prints_and_what_a_job_without_prefix_prints_passes_through() -> None:
    with streams() as shown:
        with job():
            print("first")
        print("none")
        with job(prefix=False):
            print("bare", end="")
    assert shown.text == f"{NO}first\nnone\nbare"


def test_the_streams_are_replaced_once_and_are_as_they_were_but_for_writing() -> None:
    found: list[Any] = []
    with streams() as shown:
        for _ in range(2):
            with job():
                stream: Any = sys.stdout
                found.append(stream)
                assert stream.buffer is shown.buffer
                assert (stream.encoding, stream.isatty()) == ("utf-8", False)
                stream.buffer.write(b"bytes\n")
                stream.writelines(["a\n", "b\n"])
                with pytest.raises(TypeError):
                    stream.write(b"bytes")
                assert cloudpickle.loads(cloudpickle.dumps(stream)) is stream
        assert found == [sys.stdout, sys.stdout]
        assert isinstance(sys.stdout, PrefixedStream)
    assert shown.text == f"bytes\n{NO}a\n{NO}b\n" * 2


def test_a_stream_without_a_buffer_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    logs = io.StringIO()
    monkeypatch.setattr(sys, "stdout", logs)
    monkeypatch.setattr(sys, "stderr", None)
    with job():
        print("to a log")
        assert sys.stdout is logs
    assert logs.getvalue() == "to a log\n"


def test_a_bar_as_wide_as_the_terminal_is_not_made_wider() -> None:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 24, 20, 0, 0))
    with os.fdopen(theirs, "w") as terminal, redirect_stdout(terminal), job():
        for bar in ("=" * 20, "=" * 8):
            print(f"\r{bar}", end="", flush=True)
        wanted, seen = f"\r{'=' * 20}\r{NO}{'=' * 8}", ""
        while len(seen) < len(wanted):
            seen += os.read(ours, 1000).decode()
    os.close(ours)
    assert seen == wanted


# The log's records


class Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture
def kept() -> Iterator[Kept]:
    """Keeps what is logged."""
    kept, root = Kept(), logging.getLogger()
    root.addHandler(kept)
    yield kept
    root.removeHandler(kept)


def test_each_record_says_whose_it_is_so_that_a_format_may_name_it(kept: Kept) -> None:
    app = logging.getLogger("app")
    app.warning("before")
    with running(run_of(prefix=False)):
        app.warning("in %s", "it")
        thread = threading.Thread(target=app.warning, args=("in a thread",))
        thread.start()
        thread.join()
    form = logging.Formatter("%(job_ref)s|%(job_callback)s|%(message)s")
    assert [form.format(record) for record in kept.records] == [
        "||before",
        "530046|work|in it",
        "530046|work|in a thread",
    ]


@pytest.mark.parametrize(
    "message, args, seen",
    [
        ("100 %", (), f"{NO}100 %"),
        ("%d of %d", (1, 2), f"{NO}1 of 2"),
        ("one\ntwo", (), f"{NO}one\n{NO}two"),
        (ValueError("no %s text"), (), f"{NO}no %s text"),
    ],
)
def test_a_message_gets_the_prefix(message: Any, args: Any, seen: str, kept: Kept) -> None:
    with running(run_of()):
        logging.getLogger("app").warning(message, *args)
        logging.getLogger("dash_long_callback").warning("no. 1: ours")
    assert [record.getMessage() for record in kept.records] == [seen, "no. 1: ours"]


def test_the_records_of_a_process_are_tagged_once(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = logging.getLogRecordFactory()
    log_tags.install()
    assert logging.getLogRecordFactory() is ours
    try:
        logging.setLogRecordFactory(logging.LogRecord)  # as an app may do that has its own
        log_tags.install()
        made = logging.getLogRecordFactory()("app", 10, "", 0, "", (), None)
        assert made.__dict__["job_ref"] == ""
    finally:
        logging.setLogRecordFactory(ours)
