"""From the click to the page, for a job that returns at once."""

from __future__ import annotations

from benchmarks.harness import Browser, Result, Row, Server, median, wait_until

#: Clicks that count, per callback and server, and clicks before them.
ROUNDS, WARM_UP = 30, 5
#: Milliseconds between two clicks: the server and the renderer are idle again.
PAUSE = 150


def run() -> Result:
    rows: list[Row] = []
    details = {}
    for name, gunicorn, kinds in (
        ("development server", False, ["ordinary", "long", "background", "background50"]),
        ("gunicorn, 1 sync worker", True, ["ordinary", "long"]),
    ):
        with Server("click_app", gunicorn=gunicorn) as server, Browser(server.url, "long") as page:
            wait_until(lambda server=server: len(server.worker_pids()) >= 2, 30)
            times = clicks(page, kinds)
        ours = median(times["long"])
        ordinary = median(times["ordinary"])
        rows.append(
            Row(
                f"{name}: beside an ordinary callback",
                ours,
                "ms",
                ordinary,
                ours / ordinary,
                "<= 1.3 x the peer",
                ours <= 1.3 * ordinary,
            )
        )
        if "background" in kinds:
            theirs = median(times["background"])
            quickest = median(times["background50"])
            rows.append(
                Row(
                    f"{name}: beside background=True",
                    ours,
                    "ms",
                    theirs,
                    theirs / ours,
                    ">= 30 x faster",
                    theirs >= 30 * ours,
                )
            )
            rows.append(
                Row(
                    f"{name}: beside background=True, interval=50",
                    ours,
                    "ms",
                    quickest,
                    quickest / ours,
                )
            )
        details[name] = {kind: [round(ms, 2) for ms in times[kind]] for kind in kinds}
    return Result(
        "click",
        f"click to page, a job that returns at once (median of {ROUNDS}; peers in the rows)",
        rows,
        details,
    )


def clicks(page: Browser, kinds: list[str]) -> dict[str, list[float]]:
    """Milliseconds from click to DOM; one click of each kind in turn, in changing order."""
    times: dict[str, list[float]] = {kind: [] for kind in kinds}
    for number in range(WARM_UP + ROUNDS):
        # The two that are compared to within 30 % take turns at being first.
        first = kinds[:2] if number % 2 else kinds[1::-1]
        for kind in [*first, *kinds[2:]]:
            if kind.startswith("background") and number < WARM_UP - 1:
                continue  # it starts a process each time: nothing gets warm
            page.call(f"bench.sleep({PAUSE})")
            click = page.call("bench.click(args[0], args[1])", kind, f"{kind}-out")
            if click["ms"] is None:
                raise RuntimeError(f"{kind}: nothing changed after a click")
            if number >= WARM_UP:
                times[kind].append(click["ms"])
        if len(kinds) > 2:
            page.call("bench.sleep(300)")  # until the process of the last one has ended
    return times
