"""A thousand visitors who each wait for a job: what one web process makes of them."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psutil
import requests

from benchmarks.harness import HERE, Result, Row, Server, part

TABS = (100, 1000)
#: Seconds that a job takes, and of the time before the first.
SECONDS, BEFORE = 30.0, 8.0
#: Tabs that open in a second.
RATE = 50
#: Seconds after the last tab has opened, and before the first job ends, that do not count.
MARGIN = 1.0
#: Seconds between two ordinary requests.
PERIOD = 0.1
#: What serves, what it is called, and how the tabs hear of news.
SERVERS = {
    "gthread": ("gunicorn, 4 threads", "hold"),
    "uvicorn": ("FastAPI on uvicorn", "stream"),
}
SHARES = (("median", "median"), ("p95", "95 of 100 below"))
ORDINARY = {
    "output": "ordinary-out.children",
    "outputs": {"id": "ordinary-out", "property": "children"},
    "inputs": [{"id": "ordinary", "property": "n_clicks", "value": 1}],
    "changedPropIds": ["ordinary.n_clicks"],
    "parsedChangedPropsIds": ["ordinary.n_clicks"],
}


def run() -> Result:
    # A connection of each tab, in the server.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    rows: list[Row] = []
    details: dict[str, Any] = {}
    for by, (name, kind) in SERVERS.items():
        for tabs in TABS:
            found = details[f"{name}, {tabs} tabs"] = _measure(by, kind, tabs)
            what = f"{name}, {tabs:,} tabs:"
            got = found["outcomes"].get("succeeded", 0)
            rows += [
                Row(f"{what} outcomes", got, "", None, None, f"all {tabs:,}", got == tabs),
                Row(f"{what} web process, of one core", found["CPU"], "%"),
                Row(f"{what} its memory (peer: before)", found["RSS"], "MB", found["RSS before"]),
                *(
                    Row(
                        f"{what} ordinary callback, {words} (peer: before)",
                        found[f"ordinary {share}"],
                        "ms",
                        found[f"ordinary {share} before"],
                        found[f"ordinary {share}"] / found[f"ordinary {share} before"],
                    )
                    for share, words in SHARES
                ),
                Row(
                    f"{what} the same while {RATE} tabs a second come",
                    found["ordinary p95 while tabs come"],
                    "ms",
                    found["ordinary p95 before"],
                    found["ordinary p95 while tabs come"] / found["ordinary p95 before"],
                ),
                *(
                    Row(f"{what} lag of {of}, {words}", found[f"{key} {share}"], "s")
                    for key, of in (("lag", "progress"), ("end lag", "the outcome"))
                    for share, words in SHARES
                ),
                Row(f"{what} answers with news", found["answers"], "/s"),
            ]
    title = (
        f"tabs that each wait for a job of {SECONDS:g} s with progress once a second; one web "
        "process, jobs simulated by another"
    )
    return Result("tabs", title, rows, details)


def _measure(by: str, kind: str, tabs: int) -> dict[str, Any]:
    ramp = tabs / RATE
    with Server("tabs_app", by=by) as server, ThreadPoolExecutor(50) as pool:
        web = psutil.Process(server.web_pid())
        jobs = _start(HERE / "apps" / "tabs_jobs.py", server.folder, SECONDS)
        probe = Probe(server.url, web, pool)
        try:
            time.sleep(BEFORE)
            client = _start("-m", "benchmarks.tabs_client", server.url, tabs, ramp, kind)
            try:
                output, _ = client.communicate(timeout=400)
            finally:
                client.kill()
        finally:
            probe.end()
            simulated, _ = jobs.communicate(timeout=30)
    seen, simulated = json.loads(output), json.loads(simulated)
    begun = min(sent for sent, _ in seen["submits"])
    steady = (begun + ramp + MARGIN, begun + SECONDS)
    lags = [lag for at, lag in seen["lags"] if steady[0] <= at < steady[1]]
    answers = [at for at in seen["answers"] if steady[0] <= at < steady[1]]
    ends = [lag for _, lag in seen["ends"]]
    idle, busy = probe.between(0, begun), probe.between(*steady)
    coming = probe.between(begun, begun + ramp)
    return {
        "outcomes": seen["outcomes"],
        "troubles": seen["troubles"],
        "CPU": round(busy["CPU"], 1),
        "CPU before": round(idle["CPU"], 1),
        "RSS": round(max(rss for _, _, rss in probe.samples), 1),
        "RSS before": round(idle["RSS"], 1),
        "ordinary median": round(part(busy["ms"], 0.5), 2),
        "ordinary p95": round(part(busy["ms"], 0.95), 2),
        "ordinary median before": round(part(idle["ms"], 0.5), 2),
        "ordinary p95 before": round(part(idle["ms"], 0.95), 2),
        "ordinary p95 while tabs come": round(part(coming["ms"], 0.95), 2),
        "ordinary failed": probe.failed,
        "lag median": round(part(lags, 0.5), 4),
        "lag p95": round(part(lags, 0.95), 4),
        "end lag median": round(part(ends, 0.5), 4),
        "end lag p95": round(part(ends, 0.95), 4),
        "answers": round(len(answers) / (steady[1] - steady[0]), 1),
        "requests a tab": round(seen["requests"] / tabs, 1),
        "submit p95": round(part([got - sent for sent, got in seen["submits"]], 0.95), 3),
        "all ended after, s": round(max(at for at, _ in seen["ends"]) - begun, 1),
        # Whether those who measure kept up themselves.
        "client late p95": round(part(seen["late"], 0.95), 4),
        "client CPU, s": seen["cpu"],
        "jobs late at most": round(simulated["late"], 4),
        "jobs CPU, s": simulated["cpu"],
    }


def _start(*arguments: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


class Probe:
    """Asks an ordinary callback again and again, and looks at the web process."""

    def __init__(self, url: str, web: psutil.Process, pool: ThreadPoolExecutor) -> None:
        self._url = url + "_dash-update-component"
        self._web = web
        self._pool = pool
        self._local = threading.local()
        self._ended = threading.Event()
        #: When it was asked, and milliseconds to the answer.
        self.asked: list[tuple[float, float]] = []
        self.failed = 0
        #: When; processor time in seconds; megabytes.
        self.samples: list[tuple[float, float, float]] = []
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def end(self) -> None:
        self._ended.set()
        self._thread.join()

    def between(self, first: float, last: float) -> dict[str, Any]:
        """What was seen in a part of the time."""
        samples = [one for one in self.samples if first <= one[0] < last]
        (begin, cpu_before, _), (end, cpu, rss) = samples[0], samples[-1]
        return {
            "ms": [ms for at, ms in self.asked if first <= at < last],
            "CPU": (cpu - cpu_before) / (end - begin) * 100,
            "RSS": rss,
        }

    def _run(self) -> None:
        due = time.time()
        while not self._ended.is_set():
            times = self._web.cpu_times()
            rss = self._web.memory_info().rss / 1e6
            self.samples.append((time.time(), times.user + times.system, rss))
            # Whether the last one was answered or not: visitors do not wait for each other.
            self._pool.submit(self._ask, due)
            due += PERIOD
            self._ended.wait(max(0, due - time.time()))

    def _ask(self, due: float) -> None:
        try:
            session = self._local.session
        except AttributeError:
            session = self._local.session = requests.Session()
        try:
            session.post(self._url, json=ORDINARY, timeout=60).raise_for_status()
        except requests.RequestException:
            self.failed += 1
        self.asked.append((due, (time.time() - due) * 1000))
