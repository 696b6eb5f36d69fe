"""What ten thousand jobs leave behind in a page."""

from __future__ import annotations

from typing import Any

from benchmarks.harness import Browser, Result, Row, Server

#: Jobs after which to look: what is made once is there by the first.
LOOKS = (1_000, 10_000)
#: The same for clicks of the peer.
PEER_LOOKS = (1_000, 4_000)
#: As ``leak_app`` has them.
LANES = 3
#: A collection may leave what the next finds.
COLLECTIONS = 3
LONG = [f"{kind}{lane}" for kind in ("quick", "told") for lane in range(LANES)]
ORDINARY = [f"ordinary{lane}" for lane in range(LANES)]
KEYS = "Object.keys(sessionStorage).length"


def run() -> Result:
    with Server("leak_app", by="uvicorn", workers=4) as server:
        server.warm_up(4)
        with Browser(server.url, "quick0") as page:
            ours, growth = _clicks(page, LONG, LOOKS)
            console = page.console()
        with Browser(server.url, "quick0") as page:
            theirs, peer = _clicks(page, ORDINARY, PEER_LOOKS)
    first, last = ours[1:]
    more = growth - peer
    rows = [
        Row("memory a job, after a collection (peer: an ordinary click)", growth, "B", peer),
        Row(
            "of that, more than an ordinary click keeps",
            more,
            "B",
            None,
            None,
            "< 100 B",
            more < 100,
        ),
        *(
            Row(
                f"{words} after {LOOKS[1]:,} jobs (peer: after {LOOKS[0]:,})",
                last[key],
                "",
                first[key],
                None,
                "as many",
                last[key] <= first[key],
            )
            for key, words in (
                ("keys", "entries of sessionStorage"),
                ("nodes", "DOM nodes"),
                ("listeners", "listeners"),
            )
        ),
        Row("warnings and errors in the console", len(console), "", None, None, "0", not console),
    ]
    title = (
        f"a page from {LOOKS[0]:,} to {LOOKS[1]:,} quick jobs, {2 * LANES} at a time, half of "
        "them with progress; FastAPI on uvicorn"
    )
    details = {"ours": ours, "ordinary": theirs, "console": console[:10]}
    return Result("leak", title, rows, details)


def _clicks(
    page: Browser, names: list[str], looks: tuple[int, int]
) -> tuple[list[dict[str, Any]], float]:
    """What was there before the clicks and at each look; bytes a click between the looks."""
    found = [_look(page, 0)]
    for clicks in looks:
        for _ in range((clicks - found[-1]["clicks"]) // 1000):  # a script has limited time
            page.call("bench.repeat(args[0], 1000)", names)
        found.append(_look(page, clicks))
    first, last = found[1:]
    return found, (last["bytes"] - first["bytes"]) / (last["clicks"] - first["clicks"])


def _look(page: Browser, clicks: int) -> dict[str, Any]:
    page.call("bench.sleep(1000)")
    for _ in range(COLLECTIONS):
        page.tool("HeapProfiler.collectGarbage")
    counters = page.tool("Memory.getDOMCounters")
    return {
        "clicks": clicks,
        "bytes": page.tool("Runtime.getHeapUsage")["usedSize"],
        "keys": page.call(KEYS),
        "nodes": counters["nodes"],
        "listeners": counters["jsEventListeners"],
    }
