"""Jobs without a page that take turns, and that have limits and rates: of either engine."""

import os
import time
from pathlib import Path

import diskcache
import flask
from celery import Celery
from dash import Input, Output, html
from settings import FOLDER, PORT, WORKERS, Jobs, page, routes

from dash_long_callback import (
    CeleryLongCallbackManager,
    Dash,
    DiskcacheLongCallbackManager,
    Limit,
    Rate,
)
from dash_long_callback.limits import Bound, Terms, numbers, record_key
from dash_long_callback.stores.sqlite import SqliteRows

FAIR = os.environ.get("BENCH_FAIR", "True") == "True"
#: URLs of Redis; without them it is the embedded engine.
BROKER, STORE = os.environ.get("BENCH_BROKER"), os.environ.get("BENCH_STORE")
#: Gets a letter for each operation of the store, from all processes.
OPERATIONS = FOLDER / "operations"
#: Gets a letter for each job that has run.
RAN = FOLDER / "ran"
#: Seconds that workers are held while jobs come.
HELD = 1.5
#: Seconds after which a job that has not ended is missing.
PATIENCE = 60


def tell(path: Path, letter: bytes) -> None:
    """Have one more letter in a file, whatever other processes write just then."""
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, letter)
    os.close(file)


def counted(name, letter):
    """Have a method of the rows tell that it was called."""
    method = getattr(SqliteRows, name)

    def call(self, *args, **kwargs):
        found = method(self, *args, **kwargs)
        tell(OPERATIONS, letter)
        return found

    setattr(SqliteRows, name, call)


def read_counted():
    """The same of ``read``; whether to cancel a job is asked at any time, so it counts apart."""
    method = SqliteRows.read

    def call(self, names):
        names = list(names)
        tell(OPERATIONS, b"c" if all(name.endswith(":cancel") for name in names) else b"r")
        return method(self, names)

    SqliteRows.read = call


if os.environ.get("BENCH_COUNTED"):
    counted("apply", b"a")
    for reads in ("next_queued", "heads", "list", "count"):
        counted(reads, b"r")
    read_counted()

if BROKER is not None:
    celery_app = Celery(__name__, broker=BROKER, backend=STORE)
    manager = CeleryLongCallbackManager(celery_app, fair=FAIR)
else:
    cache = diskcache.Cache(FOLDER / "ours")
    manager = DiskcacheLongCallbackManager(cache, workers=WORKERS, fair=FAIR)
app = Dash(__name__, long_callback_manager=manager)
server = app.server
routes(app)
app.layout = page(*(html.Div(id=name, n_clicks=0) for name in ("span", "noop")))


@app.long_callback(Output("span", "children"), Input("span", "n_clicks"), prevent_initial_call=True)
def span(seconds):
    start = time.time()
    time.sleep(seconds)
    return [start, time.time()]


@app.long_callback(Output("noop", "children"), Input("noop", "n_clicks"), prevent_initial_call=True)
def noop(seconds):
    time.sleep(seconds)
    tell(RAN, b"j")


def terms(bound: Bound | None, value=None) -> Terms | None:
    """What the record of a job says of its limit or rate, as if its callback declared it."""
    if bound is None:
        return None
    entry = [[record_key(bound, "benchmark", value), *numbers(bound)]]
    return Terms(limits=entry) if isinstance(bound, Limit) else Terms(rates=entry)


def ended(jobs: Jobs, job_id: str) -> None:
    """Wait for the end of a job, without asking for it all the time."""
    deadline = time.monotonic() + PATIENCE
    while not jobs.ended(job_id):
        if time.monotonic() > deadline:
            raise TimeoutError(f"a job has not ended: {manager.job(job_id)}")
        time.sleep(0.05)


@server.get("/bench/turns")
def turns():
    """Many jobs of one user, and then one of another, some times. Seconds from its submit."""
    count, seconds = int(flask.request.args["jobs"]), float(flask.request.args["seconds"])
    first, other, found = Jobs(app, "A"), Jobs(app, "B"), []
    for _ in range(count):
        first.submit("span", value=seconds)
    for _ in range(int(flask.request.args["times"])):
        ahead = manager.store.count("state", "queued")
        asked = time.time()
        job_id = other.submit("span", value=seconds)
        other.wait(job_id)
        start, end = other.result(job_id)
        found.append({"ahead": ahead, "begins": start - asked, "ends": end - asked})
    return flask.jsonify(found)


@server.get("/bench/limited")
def limited():
    """Spans of many jobs of a few keys, by key."""
    count, keys = int(flask.request.args["jobs"]), int(flask.request.args["keys"])
    limit = int(flask.request.args["limit"])
    bound = Limit(limit, key="key") if limit else None
    jobs, begun = Jobs(app), time.time()
    ids = [
        # Of different lengths, so that they do not end together.
        jobs.submit("span", value=0.005 + n % 6 * 0.001, terms=terms(bound, n % keys))
        for n in range(count)
    ]
    submitted = time.time()
    for job_id in ids:
        ended(jobs, job_id)
    spans = [[] for _ in range(keys)]
    for n, job_id in enumerate(ids):
        spans[n % keys].append(jobs.result(job_id))
    return flask.jsonify(begun=begun, submitted=submitted, spans=spans)


BOUNDS = {
    "plain": None,
    "limit": Limit(WORKERS),  # as many as there are workers: none waits for it
    "rate": Rate(1000, per=3600),
}


@server.get("/bench/run")
def run():
    """Jobs that do nothing: each when the one before has ended, or all from a queue. Seconds."""
    kind, count = flask.request.args["kind"], int(flask.request.args["jobs"])
    jobs, before = Jobs(app), ran()
    begun = time.monotonic()
    if flask.request.args["queued"] == "False":
        for _ in range(count):
            jobs.wait(jobs.submit("noop", value=0, terms=terms(BOUNDS[kind])))
    else:
        for n in range(count):  # the first hold the workers until all others wait
            seconds = HELD if n < WORKERS else 0
            jobs.submit("noop", value=seconds, terms=terms(BOUNDS[kind]))
    # Not by asking the store, whose operations are counted.
    while ran() < before + count:
        if time.monotonic() > begun + PATIENCE:
            raise TimeoutError(f"{ran() - before} of {count} jobs have run")
        time.sleep(0.005)
    return flask.jsonify(time.monotonic() - begun)


def ran() -> int:
    return RAN.stat().st_size if RAN.exists() else 0


@server.get("/bench/operations")
def operations():
    """How many operations of the store there were."""
    found = OPERATIONS.read_bytes()
    return flask.jsonify({letter: found.count(letter.encode()) for letter in "arc"})


if __name__ == "__main__":
    app.run(port=PORT, debug=False)
