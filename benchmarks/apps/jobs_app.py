"""Jobs without a page: how soon they start, how many run at once, how many a second."""

import concurrent.futures
import multiprocessing
import os
import time

import flask
from dash import Input, Output, html
from settings import PORT, Jobs, new_app, page

#: Jobs that are run one after another.
TRIPS = 200

app = new_app(__name__)
server = app.server
app.layout = page(*(html.Div(id=name, n_clicks=0) for name in ("now", "noop", "span")))


@app.long_callback(Output("now", "children"), Input("now", "n_clicks"), prevent_initial_call=True)
def now(_n_clicks):
    return time.time()


@app.long_callback(Output("noop", "children"), Input("noop", "n_clicks"), prevent_initial_call=True)
def noop(_n_clicks):
    return None


@app.long_callback(Output("span", "children"), Input("span", "n_clicks"), prevent_initial_call=True)
def span(seconds):
    start = time.time()
    time.sleep(seconds)
    return [start, time.time(), os.getpid()]


def dash_now(_n_clicks):
    return time.time()


@server.get("/bench/start")
def start():
    """Milliseconds from submit to the first line of the function, one job after another."""
    jobs, found = Jobs(app), []
    for _ in range(int(flask.request.args["jobs"])):
        begun = time.time()
        job_id = jobs.submit("now")
        jobs.wait(job_id)
        found.append((jobs.result(job_id) - begun) * 1000)
        time.sleep(0.005)
    return flask.jsonify(found)


@server.get("/bench/dash_start")
def dash_start():
    """The same with a DiskcacheManager, which starts a process per job."""
    manager, found = app._background_manager, []
    job = manager.make_job_fn(dash_now, progress=False)
    for number in range(int(flask.request.args["jobs"])):
        begun = time.time()
        pid = manager.call_job_fn(f"job {number}", job, [1], {})
        while not manager.result_ready(f"job {number}"):
            time.sleep(0.001)
        found.append((manager.get_result(f"job {number}", pid) - begun) * 1000)
        time.sleep(0.02)
    return flask.jsonify(found)


@server.get("/bench/throughput")
def throughput():
    """Milliseconds of round trips, one after another; then seconds for all jobs at once."""
    jobs, rounds, count = Jobs(app), [], int(flask.request.args["jobs"])
    for _ in range(TRIPS):
        begun = time.perf_counter()
        jobs.wait(jobs.submit("noop"))
        rounds.append((time.perf_counter() - begun) * 1000)
    begun = time.perf_counter()
    ids = [jobs.submit("noop") for _ in range(count)]
    submitted = time.perf_counter() - begun
    for job_id in ids:
        jobs.result(job_id)
    return flask.jsonify(
        round_trips=rounds,
        submit_s=submitted,
        all_s=time.perf_counter() - begun,
        jobs=TRIPS + count,
    )


@server.get("/bench/futures")
def futures():
    """As ``throughput``, by the standard library's process pool: memory only, no cancel."""
    rounds, count = [], int(flask.request.args["jobs"])
    context = multiprocessing.get_context("forkserver")
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as pool:
        list(pool.map(time.sleep, [0.05] * 8))
        for _ in range(TRIPS):
            begun = time.perf_counter()
            pool.submit(os.getppid).result()
            rounds.append((time.perf_counter() - begun) * 1000)
        begun = time.perf_counter()
        for one in [pool.submit(os.getppid) for _ in range(count)]:
            one.result()
        seconds = time.perf_counter() - begun
    return flask.jsonify(round_trips=rounds, all_s=seconds)


@server.get("/bench/spans")
def spans():
    """Start, end and process of many jobs that are submitted at once."""
    jobs, count = Jobs(app), int(flask.request.args["jobs"])
    seconds = float(flask.request.args["seconds"])
    begun = time.time()
    ids = [jobs.submit("span", value=seconds) for _ in range(count)]
    submitted = time.time()
    for job_id in ids:
        while not jobs.ended(job_id):
            time.sleep(0.1)
    return flask.jsonify(begun=begun, submitted=submitted, spans=[jobs.result(i) for i in ids])


if __name__ == "__main__":
    app.run(port=PORT, debug=False)
