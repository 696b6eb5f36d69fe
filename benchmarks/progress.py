"""Progress told every 20 ms for 5 s: what of it the page shows, and how late."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.harness import Browser, Result, Row, Server, below, median

ROUNDS = 5
#: What ``progress_app`` sends.
VALUES = 250
KINDS = ("long", "background", "background50")
#: Milliseconds for the page to get the last of it.
AFTER = 300


@dataclass
class Seen:
    """What the page showed of one run."""

    values: int
    lags: list[float]
    last: bool


def run() -> Result:
    seen: dict[str, list[Seen]] = {kind: [] for kind in KINDS}
    with Server("progress_app") as server:
        server.warm_up(2)
        with Browser(server.url, "long") as page:
            for _ in range(ROUNDS):
                for kind in KINDS:
                    seen[kind].append(_watch(page, kind))
    values = {kind: median([one.values for one in runs]) for kind, runs in seen.items()}
    lag = {k: median([lag for one in runs for lag in one.lags] or [0]) for k, runs in seen.items()}
    last = {kind: sum(one.last for one in runs) for kind, runs in seen.items()}
    theirs = "background"
    rows = [
        Row(
            f"values shown, of {VALUES}",
            values["long"],
            "",
            values[theirs],
            values["long"] / values[theirs] if values[theirs] else None,
            ">= 150",
            values["long"] >= 150,
        ),
        below("lag", lag["long"], "ms", 40, peer=lag[theirs], ratio=lag[theirs] / lag["long"]),
        Row(
            f"runs that showed the last value, of {ROUNDS}",
            last["long"],
            "",
            last[theirs],
            None,
            "all",
            last["long"] == ROUNDS,
        ),
        Row("values, beside interval=50", values["long"], "", values["background50"]),
        Row("lag, beside interval=50", lag["long"], "ms", lag["background50"]),
        Row("last value, beside interval=50", last["long"], "", last["background50"]),
    ]
    title = "set_progress every 20 ms for 5 s, development server (peer: background=True)"
    details = {
        kind: [
            {"values": one.values, "lag": round(median(one.lags or [0]), 1), "last": one.last}
            for one in r
        ]
        for kind, r in seen.items()
    }
    return Result("progress", title, rows, details)


def _watch(page: Browser, kind: str) -> Seen:
    page.call("bench.watch(args[0])", f"{kind}-progress")
    page.call("bench.click(args[0], args[1])", kind, f"{kind}-out")
    page.call(f"bench.sleep({AFTER})")
    texts = page.call("(bench.observer.disconnect(), bench.seen)")
    shown = [(text.split(":"), at) for text, at in texts if ":" in text]
    numbers = [int(number) for (number, _), _ in shown]
    return Seen(
        values=len(set(numbers)),
        lags=[at - float(sent) for (_, sent), at in shown],
        last=VALUES - 1 in numbers,
    )
