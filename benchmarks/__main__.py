"""``python -m benchmarks [NAME ...]``: run all benchmarks, or those named."""

from __future__ import annotations

import argparse
import importlib
import time

from benchmarks.harness import RESULTS, overview, save, table

NAMES = [
    "click",
    "start",
    "queue",
    "progress",
    "track",
    "memory",
    "burst",
    "throughput",
    "cache_hit",
    "growth",
    "control",
    "celery",
    "busy",
    "traffic",
    "tabs",
    "windows",
    "chat",
    "reload",
    "leak",
]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="of " + ", ".join(NAMES))
    names = parser.parse_args().names or NAMES
    if unknown := [name for name in names if name not in NAMES]:
        parser.error(f"no benchmark {', '.join(unknown)}; there are {', '.join(NAMES)}")
    for name in names:
        begun = time.monotonic()
        result = importlib.import_module(f"benchmarks.{name}").run()
        print(table(result))
        print(f"({time.monotonic() - begun:.0f} s)\n", flush=True)
        save(result)
        (RESULTS / "README.md").write_text(overview(NAMES))


if __name__ == "__main__":
    main()
