"""Numbers in the documentation are those of the code and of the benchmarks' results."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from doc_pages import ROOT, read

from dash_long_callback import Pacing, jobs
from dash_long_callback.executors.celery import executor
from dash_long_callback.executors.local import election, starts, supervisor
from dash_long_callback.folders import unused
from dash_long_callback.managers import celery as celery_manager
from dash_long_callback.managers import diskcache as diskcache_manager
from dash_long_callback.server import pacing, submit, updates, wire
from dash_long_callback.stores import large_results, sqlite_notifier, timing
from dash_long_callback.worker import reporter, run_job

pytestmark = pytest.mark.newest_only  # it reads files, which are the same on every Dash

HOW_TO = "docs/how-to/"
BROWSER = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "browser").rglob("*.js"))


def js(name: str) -> float:
    """A constant of the browser client."""
    found = re.search(rf"const {name} = (\d+);", BROWSER)
    assert found, name
    return float(found[1])


#: Numbers that the text spells.
WORDS: dict[float, str] = {
    0.25: "a quarter",
    0.5: "half",
    2: "two",
    3: "three",
    4: "four",
    5: "five",
    10: "ten",
}


def minutes(seconds: float) -> str:
    """Seconds as the text spells them in minutes."""
    return "a minute" if seconds == 60 else f"{WORDS[seconds / 60]} minutes"


P = Pacing()
LEASE, BEAT = timing.LEASE_SECONDS, timing.HEARTBEAT_SECONDS
PER_SECOND = round(1 / reporter.WRITE_SECONDS)
PACE = f"{pacing.PACE_MIN * 1000:g} ms"
RETRIES = f"{js('RETRY_MIN') / 1000:g} s to {js('RETRY_MAX') / 1000:g} s"
BITS = f"{len(jobs.new_job_id()) * 6} random bits"

#: Where, and what is said there.
FIGURES = [
    ("docs/tutorial/3_cancel.md", f"has {WORDS[diskcache_manager.GRACE]} seconds"),
    ("docs/tutorial/4_progress.md", f"at most {PER_SECOND} times a second"),
    ("docs/why.md", f"up to {PER_SECOND} times a second"),
    ("docs/why.md", f"tries for {minutes(P.patience)}"),
    (HOW_TO + "streaming.md", f"at most {PER_SECOND} times a second"),
    (HOW_TO + "auth.md", BITS),
    (HOW_TO + "settings.md", BITS),
    (
        HOW_TO + "settings.md",
        f"not been used for {unused.UNUSED_SECONDS / 86400:g} days, or for one",
    ),
    (HOW_TO + "delivery.md", f"after {RETRIES}, or when `Retry-After` says"),
    (HOW_TO + "delivery.md", f"it asks every {P.hidden:g} s"),
    (HOW_TO + "delivery.md", f"cancelled {P.gone:g} s later unless the page is back"),
    (HOW_TO + "delivery.md", f"is given {minutes(P.silent)}"),
    (HOW_TO + "delivery.md", f"first event of a stream within {js('STREAM_FIRST') / 1000:g} s"),
    (HOW_TO + "delivery.md", f"{pacing.PACE_RATIO:.0%} of the job's age".replace("%", " %")),
    (HOW_TO + "delivery.md", f"from {PACE} to {pacing.PACE_MAX:g} s"),
    (HOW_TO + "delivery.md", f"{WORDS[pacing.SUBMIT_SHARE]} of one thread"),
    (HOW_TO + "delivery.md", f"the default of {pacing.RATE_THREADS:g}, each page asks every ten"),
    (HOW_TO + "gunicorn.md", f"after {PACE} at first, later after {pacing.PACE_RATIO:.0%}"[:-1]),
    (HOW_TO + "gunicorn.md", f"there is an update, {P.hold:g} s at most"),
    (HOW_TO + "gunicorn.md", f"{WORDS[pacing.HOLDS_THREADS].capitalize()} such requests"),
    (HOW_TO + "gunicorn.md", f"within {WORDS[election.TRY_SECONDS]} a second"),
    (HOW_TO + "gunicorn.md", f"within {WORDS[LEASE]} seconds of the first request"),
    (HOW_TO + "gunicorn.md", f"tries again for {minutes(P.patience)}"),
    (HOW_TO + "production.md", f"lets requests take {P.hold:g} s at least"),
    (HOW_TO + "production.md", f"leases, which live for {LEASE:g} s"),
    (HOW_TO + "production.md", f"({celery_manager.RETENTION / 3600:g} h)"),
    (HOW_TO + "proxy.md", f"until the job is started: {P.submit * 1000:g} ms"),
    (HOW_TO + "proxy.md", f"until there is one, {P.hold:g} s at most"),
    (HOW_TO + "proxy.md", f"{updates.BEAT_SECONDS:g} s at most, then"),
    (HOW_TO + "proxy.md", f"tries again for {minutes(P.patience)}"),
    (HOW_TO + "uvicorn.md", f"may have {pacing.HOLDS_ASYNC:,} of them"),
    (HOW_TO + "uvicorn.md", f"every {sqlite_notifier.LATER_POLLS * 1000:g} ms"),
    (HOW_TO + "celery.md", f"after {LEASE:g} to {LEASE + BEAT:g} s"),
    (
        HOW_TO + "celery.md",
        f"again after {minutes(executor.RESEND_SECONDS)}, then after 2, 4",
    ),
    (HOW_TO + "celery.md", f"try again for {minutes(celery_manager.WORKER_SECONDS)}"),
    (HOW_TO + "celery.md", f"is kept {timing.WAITING} times as long"),
    (HOW_TO + "faults.md", f"a result of more than {large_results.INLINE_BYTES >> 10} KB"),
    (HOW_TO + "faults.md", f"room again within {run_job.SETTLE_SECONDS:g} s"),
    ("docs/architecture.md", f"has waited for {P.submit * 1000:g} ms"),
    ("docs/architecture.md", f"a result of up to {large_results.INLINE_BYTES >> 10} KB"),
    ("docs/architecture.md", f"{LEASE:g} s, renewed every {BEAT:g} s"),
    ("docs/architecture.md", f"{P.presence:g} s, renewed while the page asks; {P.gone:g} s when"),
    ("docs/architecture.md", f"has expired once {minutes(supervisor.PURGE_SECONDS)}"),
    ("docs/architecture.md", f"at most {PER_SECOND} times a second"),
    ("docs/architecture.md", f"up to {pacing.HOLDS_DEVELOPMENT} requests"),
    ("docs/architecture.md", f"{P.hold:g} s at most; an ASGI server up to {pacing.HOLDS_ASYNC:,}"),
    ("docs/architecture.md", f"between {PACE} and {pacing.PACE_MAX:g} s"),
    ("docs/architecture.md", f"A result above {submit.ANSWER_BYTES >> 20} MB"),
    ("docs/architecture.md", f"pieces of {large_results.PIECE_BYTES >> 10} KB"),
    (
        "docs/architecture.md",
        f"above {wire.MAX_BODY >> 10} KiB or with more than {wire.MAX_JOBS} jobs",
    ),
    ("docs/architecture.md", f"every {WORDS[updates.BEAT_SECONDS]} seconds shows"),
    ("docs/architecture.md", f"{WORDS[js('PLACES')].capitalize()} may be"),
    ("docs/architecture.md", f"{WORDS[starts.START_TRIES]} in a row"),
    ("docs/architecture.md", f"another try after {starts.START_PAUSE:g} s"),
    ("docs/architecture.md", {2: "of the queue, twice at most"}[supervisor.BEGIN_TRIES]),
    ("docs/architecture.md", f"tries again for {minutes(P.patience)}, pausing {RETRIES}"),
    ("docs/architecture.md", f"tried for {run_job.SETTLE_SECONDS:g} s, then"),
    ("docs/architecture.md", f"`data_version` every {sqlite_notifier.LATER_POLLS * 1000:g} ms"),
]


@pytest.mark.parametrize("page, said", FIGURES)
def test_a_number_is_that_of_the_code(page: str, said: str):
    assert said in read(page).text


def test_the_supported_versions_are_those_that_are_tested():
    versions = re.search(
        r"Python ([\d.]+) or newer and Dash ([\d.]+) or newer", read("docs/index.md").text
    )
    assert versions
    assert f'requires-python = ">={versions[1]}"' in (ROOT / "pyproject.toml").read_text()
    assert f"OLDEST_DASH := {versions[2]}\n" in (ROOT / "Makefile").read_text()
    assert f"Python {versions[1]} or newer" in read("README.md").text


# Benchmarks


def figure(value: float, unit: str, decimals: int | None = None) -> str:
    """A figure of a result, rounded as the text rounds it."""
    text = f"{value:,.{decimals}f}" if decimals is not None else f"{value:,g}"
    return f"{text} {unit}".strip()


def row(benchmark: str, what: str) -> dict[str, Any]:
    """A row of a result."""
    result = json.loads((ROOT / "benchmarks/results" / f"{benchmark}.json").read_text())
    [found] = [row for row in result["rows"] if row["what"] == what]
    return found


def ours(benchmark: str, what: str, decimals: int = 0) -> str:
    """What was measured."""
    found = row(benchmark, what)
    return figure(found["measured"], found["unit"], decimals)


def peer(benchmark: str, what: str, decimals: int = 0) -> str:
    """What was measured beside it."""
    found = row(benchmark, what)
    return figure(found["peer"], found["unit"], decimals)


ORDINARY = "development server: beside an ordinary callback"
BACKGROUND = "development server: beside background=True"
WHOLE = "{}: web process, helpers, 4 workers: sum of PSS"
MINUTE = "60 s, {}: requests"
#: What the table of the README says in its first three columns, by a word of the first.
COMPARED = {
    "an ordinary callback:": [
        peer("click", ORDINARY, 1),
        f"{peer('click', BACKGROUND)}; {peer('click', BACKGROUND + ', interval=50')} with",
        ours("click", ORDINARY),
    ],
    "Progress values": [
        f"{peer('progress', 'values shown, of 250')}; ",
        f"{peer('progress', 'values, beside interval=50')} with",
        ours("progress", "values shown, of 250"),
    ],
    "40 jobs of 2 s": [
        f"{peer('burst', 'results on the page')} results arrive",
        f"{ours('burst', 'results on the page')} results",
    ],
    "Click to page of an ordinary": [
        peer("burst", "click to page of an ordinary callback meanwhile"),
        ours("burst", "click to page of an ordinary callback meanwhile"),
    ],
    "reloaded while 100 jobs": [
        f"{peer('reload', 'reload later: outcomes on the page')} results",
        f"{ours('reload', 'reload later: outcomes on the page')} results",
    ],
    "A function that yields": [
        ours("chat", "yield, FastAPI, streams: lag, median"),
        f"{ours('chat', 'yield, FastAPI, streams: values shown, of 250')} of 250",
    ],
    "a job of a minute": [
        peer("traffic", MINUTE.format("development server")),
        f"{ours('traffic', MINUTE.format('FastAPI on uvicorn'))} on FastAPI",
        f"{ours('traffic', MINUTE.format('development server'))} on the development server",
        f"{ours('traffic', MINUTE.format('gunicorn, 1 sync worker'))} with a single thread",
    ],
    "Memory of 4 workers": [
        peer("memory", WHOLE.format("forkserver")),
        ours("memory", WHOLE.format("forkserver")),
    ],
}


@pytest.mark.parametrize("word", COMPARED)
def test_a_row_of_the_comparison_has_the_figures_of_the_benchmark(word: str):
    [line] = [line for line in read("README.md").lines if line.startswith("|") and word in line]
    for said in COMPARED[word]:
        assert re.search(rf"(?<![\d.,]){re.escape(said)}", line), f"{said!r} is not in {line!r}"


def test_the_figures_of_gunicorn_are_those_of_the_benchmark():
    text = read(HOW_TO + "gunicorn.md").text
    whole = {how: ours("memory", WHOLE.format(how)) for how in ("forkserver", "spawn", "fork")}
    assert f"four workers and the web process took {whole['forkserver']};" in text
    assert f'each worker imports the app, {whole["spawn"]}; with `"fork"` {whole["fork"]} (' in text
    asked = ours("traffic", "10 s, gunicorn, 1 sync worker: requests")
    held = ours("traffic", "10 s, development server: requests")
    assert (
        f"{asked} for a job of 10 s, where a server that lets requests wait needs {held}." in text
    )
