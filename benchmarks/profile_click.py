"""``python -m benchmarks.profile_click``: where the time between a click and the page goes.

Joins the browser's clock and that of the processes: both count from the system's. Each mark costs
some 10 µs, so the sum is a little above what ``click`` measures.
"""

from __future__ import annotations

import argparse

from benchmarks.harness import Browser, Server, median, wait_until

ROUNDS, WARM_UP = 40, 5

ORDINARY = (
    "click",
    "fetch called",
    "request sent",
    "server called",
    "function called",
    "server answers",
    "response begins",
    "response read",
    "page changed",
)
LONG = (
    "click",
    "fetch called",
    "request sent",
    "server called",
    "submit called",
    "manager called",
    "job stored",
    "leader awake",
    "job claimed",
    "job sent to worker",
    "worker has it",
    "run made",
    "function called",
    "outcome encoded",
    "reporter closed",
    "outcome stored",
    "news seen",
    "answer encoded",
    "server answers",
    "response begins",
    "response read",
    "page changed",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gunicorn", action="store_true", help="serve by one sync worker")
    by = "gunicorn" if parser.parse_args().gunicorn else "development"
    with Server("profile_app", by=by) as server:
        with Browser(server.url, "long") as page:
            wait_until(lambda: len(server.worker_pids()) >= 2, 30)
            runs: dict[str, list[dict[str, float]]] = {"ordinary": [], "long": []}
            for number in range(WARM_UP + ROUNDS):
                for kind, found in runs.items():
                    page.call("bench.sleep(150)")
                    times = page.call("bench.profile(args[0], args[1])", kind, f"{kind}-out")
                    if number >= WARM_UP:
                        found.append(times)
        marks = _marks((server.folder / "marks").read_text())
    for kind, steps in (("ordinary", ORDINARY), ("long", LONG)):
        print(f"\n### {kind}, median of {ROUNDS}\n")
        print("| up to | ms | since click |")
        print("|---|---:|---:|")
        for line in _lines(steps, [_join(times, marks) for times in runs[kind]]):
            print(line)


def _marks(text: str) -> list[tuple[str, float]]:
    found = (line.split("\t") for line in text.splitlines())
    return [(name, float(at)) for name, at in found]


def _join(page: dict[str, float], marks: list[tuple[str, float]]) -> dict[str, float]:
    between = {name: at for name, at in marks if page["click"] <= at <= page["page changed"]}
    return {**between, **page}


def _lines(steps: tuple[str, ...], joined: list[dict[str, float]]) -> list[str]:
    lines = []
    before = steps[0]
    for step in steps[1:]:
        seen = [times for times in joined if step in times and before in times]
        if len(seen) < len(joined) / 2:
            lines.append(f"| ({step}: not seen) | | |")
            continue
        part = median([times[step] - times[before] for times in seen])
        since = median([times[step] - times["click"] for times in seen])
        lines.append(f"| {step} | {part:.2f} | {since:.2f} |")
        before = step
    return lines


if __name__ == "__main__":
    main()
