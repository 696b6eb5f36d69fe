"""From the click to the page, for a job that returns at once."""

from __future__ import annotations

from benchmarks.harness import Browser, Result, Row, Server, median, wait_until

#: Rounds that count, and rounds before them. In each, ``PAIRS`` clicks on the two that are to be
#: nearly equal, in changing order, and one on each of the slow ones.
ROUNDS, WARM_UP, PAIRS = 30, 4, 2
#: Milliseconds between two clicks: the server and the renderer are idle again.
PAUSE = 120


def run() -> Result:
    rows: list[Row] = []
    details = {}
    for name, by, kinds in (
        ("development server", "development", ["ordinary", "long", "background", "background50"]),
        ("gunicorn, 1 sync worker", "gunicorn", ["ordinary", "long"]),
    ):
        with Server("click_app", by=by) as server, Browser(server.url, "long") as page:
            wait_until(lambda server=server: len(server.worker_pids()) >= 2, 30)
            times = clicks(page, kinds)
        ours, ordinary = median(times["long"]), median(times["ordinary"])
        # Of each pair, as other work on the machine comes and goes within seconds.
        ratio = median([a / b for a, b in zip(times["long"], times["ordinary"], strict=True)])
        rows.append(
            Row(
                f"{name}: beside an ordinary callback",
                ours,
                "ms",
                ordinary,
                ratio,
                "<= 1.3 x the peer",
                ratio <= 1.3,
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
    title = (
        f"click to page, a job that returns at once (medians of {ROUNDS * PAIRS} clicks, {ROUNDS} "
        "on background=True; peers in the rows)"
    )
    return Result("click", title, rows, details)


def clicks(page: Browser, kinds: list[str]) -> dict[str, list[float]]:
    """Milliseconds from click to DOM; one click of each kind in turn, in changing order."""
    times: dict[str, list[float]] = {kind: [] for kind in kinds}
    pair, slow = kinds[:2], kinds[2:]
    for number in range(WARM_UP + ROUNDS):
        for turn in range(PAIRS):
            for kind in pair if (number + turn) % 2 else pair[::-1]:
                ms = _click(page, kind)
                if number >= WARM_UP:
                    times[kind].append(ms)
        if number >= WARM_UP:  # those start a process each time: nothing gets warm
            for kind in slow:
                times[kind].append(_click(page, kind))
            page.call("bench.sleep(300)")  # until the process of the last one has ended
    return times


def _click(page: Browser, kind: str) -> float:
    page.call(f"bench.sleep({PAUSE})")
    click = page.call("bench.click(args[0], args[1])", kind, f"{kind}-out")
    if click["ms"] is None:
        raise RuntimeError(f"{kind}: nothing changed after a click")
    return click["ms"]
