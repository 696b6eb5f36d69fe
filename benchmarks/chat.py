"""Progress every 20 ms, and a generator's text: what of it the page shows, and how late."""

from __future__ import annotations

from typing import Any, TypeAlias

from benchmarks.harness import Browser, Result, Row, Server, below, median, part

RUNS = 5
#: What ``chat_app`` sends.
VALUES = 250
#: Milliseconds for the page to get the last of it.
AFTER = 300
#: What serves, and whether it sends one answer that goes on.
SERVERS = {
    "FastAPI, streams": {"by": "uvicorn", "stream": "yes"},
    "FastAPI, held requests": {"by": "uvicorn", "stream": "no"},
}
KINDS = {"told": "set_progress", "chat": "yield"}
#: Where the text of a run comes to its end.
ENDS = {"told": "told-out", "chat": "chat-text"}
#: Values that one run showed, and milliseconds of each from the function to the page.
Seen: TypeAlias = "tuple[int, list[float]]"


def run() -> Result:
    runs: dict[tuple[str, str], list[Seen]] = {}
    for name, settings in SERVERS.items():
        for kind, found in _runs(list(KINDS), **settings).items():
            runs[name, kind] = found
    (peer_runs,) = _runs(["told"], by="development", stream="no").values()
    runs["development server", "told"] = peer_runs
    shown = {key: median([values for values, _ in found]) for key, found in runs.items()}
    lags = {key: [lag for _, some in found for lag in some] for key, found in runs.items()}
    values, peer = (of["development server", "told"] for of in (shown, lags))
    rows: list[Row] = []
    for kind, words in KINDS.items():
        for name in SERVERS:
            what, here = f"{words}, {name}:", lags[name, kind]
            rows += [
                Row(
                    f"{what} values shown, of {VALUES}",
                    shown[name, kind],
                    "",
                    values,
                    None,
                    f"all {VALUES}",
                    shown[name, kind] == VALUES,
                ),
                below(
                    f"{what} lag, median",
                    median(here),
                    "ms",
                    15,
                    peer=median(peer),
                    ratio=median(here) / median(peer),
                ),
                Row(
                    f"{what} lag, 95 of 100 below",
                    part(here, 0.95),
                    "ms",
                    part(peer, 0.95),
                    part(here, 0.95) / part(peer, 0.95),
                ),
            ]
    details: dict[str, Any] = {
        f"{name}, {KINDS[kind]}": [
            {"values": values, "lag": round(median(some), 1), "p95": round(part(some, 0.95), 1)}
            for values, some in found
        ]
        for (name, kind), found in runs.items()
    }
    title = (
        "a value every 20 ms for 5 s, from the function to the page "
        "(peer: set_progress, development server)"
    )
    return Result("chat", title, rows, details)


def _runs(kinds: list[str], **settings: str) -> dict[str, list[Seen]]:
    with Server("chat_app", **settings) as server:
        server.warm_up(2)
        with Browser(server.url, "told") as page:
            return {kind: [_watch(page, kind, n + 1) for n in range(RUNS)] for kind in kinds}


def _watch(page: Browser, kind: str, number: int) -> Seen:
    page.call("bench.watch(args[0])", f"{kind}-text")
    page.call("document.getElementById(args[0]).click()", kind)
    if not page.call("bench.until(args[0], args[1])", ENDS[kind], f"end {number}"):
        raise RuntimeError(f"{kind}: the run has not come to its end")
    page.call(f"bench.sleep({AFTER})")
    texts = page.call("(bench.observer.disconnect(), bench.seen)")
    shown = [(text.split()[0].split(":"), at) for text, at in texts if ":" in text]
    return len({value for (value, _), _ in shown}), [at - float(sent) for (_, sent), at in shown]
