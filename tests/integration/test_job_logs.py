"""What the log has of jobs, with real workers of both engines."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from apps import Server, wait_until
from celery_worker import CeleryWorker
from doc_pages import read
from engine import EngineServer
from services import RedisServer

from dash_long_callback import user_hash
from dash_long_callback.jobs.ids import ref_of

APP = """
import logging, os, signal, sys, threading, time
import diskcache
from celery import Celery
from dash import Input, Output, dcc, html
from dash_long_callback import (
    CeleryLongCallbackManager, Dash, DiskcacheLongCallbackManager, Retry, UserError, attempt,
)
from in_app import FOLDER, note, wait_for

FORMAT = "[%(levelname)s|%(job_ref)s|%(job_callback)s] %(message)s"
logging.basicConfig(level=logging.INFO, format=FORMAT)
options = {"user": lambda: "ann", "log_prefix": "PREFIX" in os.environ, "grace": 1.0}
if "BROKER" in os.environ:
    celery_app = Celery("app", broker=os.environ["BROKER"], backend=os.environ["BROKER"])
    celery_app.conf.update(
        worker_log_format=FORMAT,
        worker_prefetch_multiplier=1,
        worker_redirect_stdouts="DIRECT" not in os.environ,
    )
    manager = CeleryLongCallbackManager(celery_app, **options)
else:
    cache = diskcache.Cache(str(FOLDER / "cache"))
    manager = DiskcacheLongCallbackManager(cache, workers=1, **options)
app = Dash(__name__, long_callback_manager=manager)
server = app.server
IDS = ("result", "kept", "limited", "again")
app.layout = html.Div([dcc.Store(id="order"), *(html.P(id=one) for one in IDS)])
IN = Input("order", "data")

def say(where):
    print(f"{where}: printed", "in two parts")
    print(f"{where}: to stderr", file=sys.stderr)
    print(f"{where}: begun", end="", flush=True)
    print(", and ended")
    logging.getLogger("app").info("%s: logged", where)

@app.long_callback(Output("result", "children"), IN, prevent_initial_call=True)
def work(order):
    if order == "say":
        say("function")
        thread = threading.Thread(target=say, args=("thread",))
        thread.start()
        thread.join()
        print("not ended", end="")
        logging.getLogger("app").info("%s", sys.stdout.fileno() if "DIRECT" in os.environ else 1)
    elif order == "raise":
        raise ValueError("no luck")
    elif order == "user":
        raise UserError("There are no sales in May.")
    elif order == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif order:
        note(order)
        wait_for(order)
    return order

@app.long_callback(Output("kept", "children"), IN, prevent_initial_call=True, cache_by=[])
def kept(order):
    return order

@app.long_callback(Output("limited", "children"), IN, prevent_initial_call=True, timeout=0.3)
def limited(order):
    time.sleep(30)

@app.long_callback(
    Output("again", "children"), IN, prevent_initial_call=True, retry=Retry(3, backoff=0.1)
)
def again(order):
    if attempt() < 3:
        raise ConnectionError("away")
    return attempt()

if __name__ == "__main__":
    app.run(port=int(os.environ["PORT"]))
"""
FIELDS = rf"user {user_hash('ann')}, waited \d+\.\d s"


@dataclass
class Site:
    """Web server and workers, and what they write."""

    web: EngineServer
    env: dict[str, str]
    worker: CeleryWorker | None = None

    @property
    def log(self) -> list[str]:
        return (self.web.log + (self.worker.log if self.worker else "")).splitlines()

    def lines(self, job: str) -> list[str]:
        """The messages of our logger about a job, each with its level."""
        ref = ref_of(job)
        found = (re.match(rf"\[(\w+)\|{ref}\|[^]]*\] no\. {ref}: (.*)", one) for one in self.log)
        return [f"{one[1]} {one[2]}" for one in found if one is not None]

    def runs(self, order: str, output: str = "result") -> str:
        """Run a job to its end."""
        job = self.web.dispatch(order, output)["job"]
        self.web.outcome(job)
        return job

    def start_worker(self) -> None:
        """Start a Celery worker, of a single process."""
        options = ("--concurrency", "1")
        self.worker = CeleryWorker(self.web.folder, "app:celery_app", self.env, *options).start()

    def stop(self) -> None:
        if self.worker is not None:
            self.worker.stop()
        self.web.stop()


#: Databases of the Redis: each site has its own.
_databases = itertools.count()


def start(
    engine: str, folder: Path, redis_server: RedisServer, before: str = "", **env: str
) -> Site:
    """A web server and a single worker process.

    Args:
        engine: ``"embedded"`` or ``"celery"``.
        folder: of the app.
        redis_server: broker and store.
        before: what the app does first.
        env: more environment variables.
    """
    folder.mkdir(exist_ok=True)
    if engine == "celery":
        url = redis_server.url.replace("redis://", "redis://:pa55word@").removesuffix("0")
        env = {**env, "BROKER": url + str(next(_databases))}
    site = Site(EngineServer(before + APP, folder, env), {**env, "FOLDER": str(folder)})
    if engine == "celery":
        site.start_worker()
    site.web.start()
    return site


@pytest.fixture(scope="module")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """One that takes a password, which nobody is to see."""
    server = RedisServer(tmp_path_factory.mktemp("redis"), requirepass="pa55word")
    yield server.start()
    server.stop()


@pytest.fixture(scope="module", params=["embedded", "celery"])
def site(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    redis_server: RedisServer,
) -> Iterator[Site]:
    site = start(request.param, tmp_path_factory.mktemp("site"), redis_server)
    yield site
    site.stop()


def test_each_job_has_one_line_at_its_start_and_one_at_its_end(site: Site) -> None:
    work, web = r"work \(result\.children\)", site.web
    jobs = {name: site.runs(name) for name in ("", "raise", "user", "kill")}
    jobs["limited"] = site.runs("x", "limited")
    jobs["again"] = site.runs("x", "again")
    running = web.dispatch("gate")["job"]
    web.wait_for_note("gate")
    waiting = web.dispatch("never")["job"]
    for job in (waiting, running):
        web.post("cancel", {"jobs": [job]})
        assert web.outcome(job)["state"] == "cancelled"
    jobs |= {"running": running, "waiting": waiting, "last": site.runs("")}
    begins = rf"INFO {work} begins: {FIELDS}, attempt 1"
    ended = rf"{FIELDS}, ran \d+\.\d s, attempt"
    expected = {
        "": [begins, rf"INFO {work} succeeded: {ended} 1"],
        "raise": [begins, rf"ERROR {work} failed: {ended} 1: ValueError: no luck"],
        "user": [begins, rf"INFO {work} failed: {ended} 1: UserError: There are no sales in May\."],
        "kill": [begins, rf"ERROR {work} was lost: {ended} 1: .*SIGKILL.*"],
        "limited": [
            rf"INFO limited \(limited\.children\) begins: {FIELDS}, attempt 1",
            rf"ERROR limited \(limited\.children\) timed out: {ended} 1: the job ran longer .*",
        ],
        "again": [
            rf"INFO again \(again\.children\) begins: {FIELDS}, attempt 1",
            r"WARNING again \(again\.children\): ConnectionError: away; it is tried again in .* s",
            rf"INFO again \(again\.children\) begins: {FIELDS}, attempt 2",
            r"WARNING again \(again\.children\): ConnectionError: away; it is tried again in .* s",
            rf"INFO again \(again\.children\) begins: {FIELDS}, attempt 3",
            rf"INFO again \(again\.children\) succeeded: {ended} 3",
        ],
        "running": [begins, rf"INFO {work} was cancelled: {ended} 1"],
        "waiting": [rf"INFO {work} was cancelled: {FIELDS}, ran 0\.0 s, attempt 1"],
        "last": [begins, rf"INFO {work} succeeded: {ended} 1"],
    }
    wait_until(lambda: len(site.lines(jobs["last"])) == 2)
    for name, patterns in expected.items():
        # Web server and worker have a log each: what the worker has written comes last.
        found = sorted(site.lines(jobs[name]), key=lambda line: " begins: " not in line)
        wanted = sorted(patterns, key=lambda line: " begins: " not in line)
        assert len(found) == len(wanted), found
        for line, pattern in zip(found, wanted, strict=True):
            assert re.fullmatch(pattern, line), (pattern, line)


def test_what_is_answered_from_the_cache_has_no_line(site: Site) -> None:
    first, second = site.runs("x", "kept"), site.web.dispatch("x", "kept")
    assert second["news"]["ended"]
    last = site.runs("")
    wait_until(lambda: len(site.lines(first)) == len(site.lines(last)) == 2)
    assert site.lines(second["job"]) == []


def test_what_a_function_logs_has_the_number_of_its_job_and_no_prefix(site: Site) -> None:
    ref = ref_of(site.runs("say"))
    for where in ("function", "thread"):
        line = f"[INFO|{ref}|work (result.children)] {where}: logged"
        wait_until(lambda line=line: line in site.log, what=line)
        assert any(f"{where}: printed" in one for one in site.log)
    assert not any("no. " in one and "printed" in one for one in site.log)
    # The server's own lines have nobody's.
    assert any(one.startswith("[INFO||] 127.0.0.1") for one in site.log)
    assert not any("Logging error" in one for one in site.log)


def test_the_log_says_once_where_jobs_run(site: Site) -> None:
    site.runs("")
    text = "long callbacks run in"
    (line,) = (one for one in site.web.log.splitlines() if text in one)
    if site.worker is None:
        assert line.startswith(f"[INFO||] {text} up to 1 worker process on this machine; jobs are ")
        (folder,) = (site.web.folder / "cache").glob("long-callbacks-*")
        assert line.endswith(f"kept in {folder}")
        return
    assert re.fullmatch(
        rf"\[INFO\|\|\] {text} Celery workers of the queue 'celery' of redis://:\*\*@\S+/\d; "
        r"results are kept in redis://:\*\*@\S+/\d",
        line,
    )
    (ready,) = (one for one in site.worker.log.splitlines() if "runs long callbacks" in one)
    assert re.search(r"the Celery worker w\d+@test runs .* up to 1 at once; it knows 4$", ready)
    assert "pa55word" not in site.web.log + site.worker.log


SAID = [
    "[INFO|{ref}|work (result.children)] no. {ref}: {where}: logged",
    "no. {ref}: {where}: printed in two parts",
    "no. {ref}: {where}: to stderr",
    "no. {ref}: {where}: begun, and ended",
]


@pytest.mark.parametrize("engine", ["embedded", "celery"])
def test_lines_that_a_function_prints_begin_with_its_number_if_that_is_asked_for(
    engine: str, tmp_path: Path, redis_server: RedisServer
) -> None:
    site = start(engine, tmp_path / "site", redis_server, PREFIX="1", DIRECT="1")
    try:
        for ref in (ref_of(site.runs("say")), ref_of(site.runs("say"))):
            for where in ("function", "thread"):
                for line in (one.format(ref=ref, where=where) for one in SAID):
                    wait_until(lambda line=line: line in site.log, what=line)
            wait_until(lambda ref=ref: f"no. {ref}: not ended" in site.log, what="its last words")
            assert not any(one.count(f"no. {ref}: ") > 1 for one in site.log)
        assert not any("printed" in one and "no. " not in one for one in site.log)
        if site.worker is not None:
            site.worker.stop()
            del site.env["DIRECT"]
            site.start_worker()
            see_that_what_celery_takes_into_its_log_has_the_prefix_once(site)
    finally:
        site.stop()


def see_that_what_celery_takes_into_its_log_has_the_prefix_once(site: Site) -> None:
    ref = ref_of(site.runs("say"))
    for where in ("function", "thread"):
        line = f"[WARNING|{ref}|work (result.children)] no. {ref}: {where}: to stderr"
        wait_until(lambda line=line: line in site.log, what=line)
    assert not any(one.count(f"no. {ref}: ") > 1 for one in site.log)


@pytest.mark.parametrize("engine", ["embedded", "celery"])
def test_the_formatter_of_the_docs_writes_json_with_the_fields(
    engine: str, tmp_path: Path, redis_server: RedisServer
) -> None:
    (formatter,) = (b.text for b in read("docs/how-to/errors.md").blocks if "JsonF" in b.text)
    (setup,) = (b.text for b in read("docs/how-to/production.md").blocks if "setup_log" in b.text)
    setup = setup.replace("handler = logging.StreamHandler()", "") if engine == "celery" else ""
    site = start(engine, tmp_path / "site", redis_server, formatter + setup)
    try:
        job = site.runs("say")
        own = {"job_ref": ref_of(job), "job_callback": "work (result.children)"}

        def found() -> list[dict[str, Any]]:
            # What was printed before may not have ended its line.
            lines = [json.loads(one[one.index("{") :]) for one in site.log if '{"time"' in one]
            return [one for one in lines if own.items() <= one.items()]

        def last() -> list[dict[str, Any]]:
            return [one for one in found() if one.get("job_outcome") == "succeeded"]

        (ends,) = wait_until(last)
        assert ends["job_user"] == user_hash("ann")
        assert (ends["job_attempt"], ends["level"]) == (1, "INFO")
        assert 0 <= ends["job_ran"] < 30
        begins, *logged, again = found()
        assert (begins["job_ran"], begins["job_outcome"]) == (None, None)
        assert [one["message"] for one in logged] == ["function: logged", "thread: logged", "1"]
        assert all(one["logger"] == "app" for one in logged)
        assert again == ends
    finally:
        site.stop()


def test_of_several_web_processes_the_one_that_leads_says_where_jobs_run(tmp_path: Path) -> None:
    command = ("-m", "gunicorn", "app:server", "-b", "127.0.0.1:{port}", "--workers", "2")
    site = Site(EngineServer(APP, tmp_path, {}, command), {})
    site.web.start()
    try:
        for _ in range(9):  # each process loads pages
            assert site.web.answers()
            site.runs("")
        assert sum("long callbacks run in" in one for one in site.log) == 1
    finally:
        site.stop()
        assert site.web not in Server.started
