"""Requests and bytes that one job costs, however long it takes."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from benchmarks.harness import Browser, Result, Row, Server

#: Seconds that a job takes, as ``traffic_app`` has them, and how often it is run.
LENGTHS = {0.1: 5, 1: 3, 10: 1, 60: 1}
#: What serves ours, and what it is called.
SERVERS = {
    "development": "development server",
    "gunicorn": "gunicorn, 1 sync worker",
    "uvicorn": "FastAPI on uvicorn",
}
KINDS = {"plain": "", "told": ", progress once a second"}
#: Milliseconds after a job in which the page may ask something more.
AFTER = 300
#: Servers and browsers look for free ports, and start one after the other: else two take the same.
_starting = threading.Lock()


def run() -> Result:
    pages = [
        *((by, "long", kind) for by in SERVERS for kind in KINDS),
        *(("development", "background", kind) for kind in KINDS),
    ]
    # All at once, as most of the time goes by in waiting, and a count does not depend on the load.
    # Each has a server and a page of its own: the jobs of a page share its requests.
    with ThreadPoolExecutor(len(pages)) as pool:
        counts = dict(zip(pages, pool.map(lambda page: _page(*page), pages), strict=True))
    rows: list[Row] = []
    for unit, what in (("requests", ""), ("KB", " in both bodies")):
        for kind, words in KINDS.items():
            for length in LENGTHS:
                for by, name in SERVERS.items():
                    ours = counts[by, "long", kind][length][unit]
                    theirs = counts["development", "background", kind][length][unit]
                    title = f"{length:g} s{words}, {name}: {unit}{what}"
                    rows.append(Row(title, ours, "", theirs, theirs / ours))
    details = {" ".join(page): {f"{s:g} s": n for s, n in c.items()} for page, c in counts.items()}
    title = (
        "one job on a page, counted in front of the app, without headers "
        "(peer: background=True, development server)"
    )
    return Result("traffic", title, rows, details)


def _page(by: str, kind: str, progress: str) -> dict[float, dict[str, float]]:
    """For each length of a job: requests and kilobytes a job."""
    found: dict[float, dict[str, float]] = {}
    with ExitStack() as stack:
        with _starting:
            server = stack.enter_context(Server("traffic_app", by=by, kind=kind))
            if kind == "long":
                server.warm_up(2)
            page = stack.enter_context(Browser(server.url, "plain0"))
        for number, (length, times) in enumerate(LENGTHS.items()):
            name = f"{progress}{number}"
            page.call(f"bench.sleep({AFTER})")
            before = server.get("bench/counted")
            for _ in range(times):
                click = page.call("bench.click(args[0], `${args[0]}-out`, 120000)", name)
                if click["ms"] is None:
                    raise RuntimeError(f"{by}, {name}: no result\n{server.log()}")
                page.call(f"bench.sleep({AFTER})")
            after = server.get("bench/counted")
            found[length] = {
                "requests": round((after["requests"] - before["requests"]) / times, 1),
                "KB": round((after["bytes"] - before["bytes"]) / times / 1000, 2),
            }
    return found
