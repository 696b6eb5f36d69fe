"""In place of a thousand workers: takes jobs from the queue, writes what they would, ends them.

    python tabs_jobs.py FOLDER SECONDS

Each job tells once a second what time it is, and its result is the time of its end. The program
ends when its input is closed, and then prints how late it was at most.
"""

import heapq
import json
import select
import sys
import time
from pathlib import Path

from dash_long_callback.jobs import Succeeded
from dash_long_callback.stores.diskcache import DiskcacheStore

#: Seconds between two looks at the queue. The leader is woken instead.
LOOK_SECONDS = 0.02
RESPONSE = '{"multi":true,"response":{"long-out":{"children":%r}}}'


def main(folder, seconds):
    store = DiskcacheStore(Path(folder) / "jobs", retention=3600)
    due, late, look = [], 0.0, 0.0
    while True:
        now = time.time()
        if now >= look:
            while (job := store.claim()) is not None:
                heapq.heappush(due, (time.time(), job.id, job))
            look = time.time() + LOOK_SECONDS
        if not due or due[0][0] > now:
            until = min(look, due[0][0]) if due else look
            if select.select([sys.stdin], [], [], max(0, until - time.time()))[0]:
                break
            continue
        at, _, job = heapq.heappop(due)
        late = max(late, now - at)
        if now >= job.started + seconds:
            response = (RESPONSE % time.time()).encode()
            store.finish(job, Succeeded(response))
            continue
        slot, stale = job.put(0, patch=False)
        store.write(job, {slot: json.dumps(time.time()).encode()}, stale)
        heapq.heappush(due, (at + 1, job.id, job))
    print(json.dumps({"late": late, "cpu": time.process_time()}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
