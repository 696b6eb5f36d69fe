"""Eight windows of one browser, each with a job: what they leave of its six connections."""

from __future__ import annotations

import time
from typing import Any

from benchmarks.harness import Browser, Result, Row, Server, median, wait_until

WINDOWS = 8
#: Of a job, which tells its progress once a second; what the first seconds bring does not count,
#: as a page without a request that waits asks more often then.
SECONDS, YOUNG = 16, 7
#: Seconds after which a page in the background has asked, too.
HIDDEN = 7
#: Milliseconds between two clicks on the ordinary button of the last window.
PAUSE = 110
SERVERS = {"gthread": "gunicorn, 4 threads", "uvicorn": "FastAPI on uvicorn"}
#: How a page is opened, and whether it is in sight.
KINDS = {"window": "windows", "tab": "tabs, of which one is in sight"}
_ALWAYS = {
    "ordinary": "click to answer of an ordinary callback in the last",
    "result": "end of a job to its result on the page",
}
#: A page in the background is shown no progress.
MEASURED = {"window": _ALWAYS | {"progress": "progress to page"}, "tab": _ALWAYS}


def run() -> Result:
    rows: list[Row] = []
    details: dict[str, Any] = {}
    for by, server in SERVERS.items():
        alone = details[f"{server}, 1 window"] = _measure(by, "window", 1)
        for kind, name in KINDS.items():
            found = details[f"{server}, {WINDOWS} {name}"] = _measure(by, kind, WINDOWS)
            what = f"{server}, {WINDOWS} {name}"
            for key, words in MEASURED[kind].items():
                for share, of in (("median", median), ("worst", max)):
                    ours, peer = of(found[key]), of(alone[key])
                    rows.append(Row(f"{what}: {words}, {share}", ours, "ms", peer, ours / peer))
    title = f"{WINDOWS} pages of a browser on HTTP/1.1, each with a job (peer: one such page alone)"
    return Result("windows", title, rows, details)


def _measure(by: str, kind: str, count: int) -> dict[str, list[float]]:
    with (
        Server("windows_app", by=by, seconds=SECONDS, workers=WINDOWS) as server,
        Browser(server.url, "run") as page,
    ):
        server.warm_up(WINDOWS)
        opened = [page.driver.current_window_handle]
        while len(opened) < count:
            opened.append(page.open(server.url, kind))
        for one in opened:
            page.driver.switch_to.window(one)
            page.call("bench.note('progress', 'result')")
            page.driver.execute_script("document.getElementById('run').click()")
        page.call("bench.click('ordinary', 'ordinary-out')")  # nothing is warm before it
        clicks: list[float] = []
        while not page.call("bench.noted.result.length"):
            page.call(f"bench.sleep({PAUSE})")
            clicks.append(page.call("bench.click('ordinary', 'ordinary-out')")["ms"])
        if kind == "tab":  # who looks at one of the others has it ask
            time.sleep(HIDDEN)
        late: dict[str, list[float]] = {"progress": [], "result": []}
        for one in opened:
            page.driver.switch_to.window(one)
            wait_until(lambda: page.call("bench.noted.result.length"), 60)
            noted = page.call("bench.noted")
            first = float(noted["progress"][0][0])
            for name, values in late.items():
                values += [
                    round(seen - 1000 * float(text), 1)
                    for text, seen in noted[name]
                    if float(text) > first + YOUNG
                ]
    return {"ordinary": clicks, **late}
