"""The names of rows: whose a row is, a colon, what it is. What is a job's is side by side.

``<id>`` is a job's id, or that of one who waits for another's job.

    <id>:job                   the record (see ``jobs.Job.dump``) in one line; behind it, a small
                               result
    <id>:request               arguments and context, JSON; until the job ends
    <id>:attempt               the number of the attempt that runs: only its worker may write
    <id>:lease                 a worker holds this job; expires unless renewed. When the job's rows
                               were last touched
    <id>:worker                which process that is, see ``worker.processes.ProcessId``
    <id>:update-<n>            the value in slot n, JSON
    <id>:result-<attempt>      a large result: its size
    <id>:result-<attempt>-<n>  a piece of it
    <id>:cancel                the user wants this job cancelled
    <id>:presence              a page waits for this job; expires unless the page is heard of
    <id>:waiters               ids of those who wait for a shared job, JSON
    <id>:joined                the job that this waiter waits for, and the waiter's owner, JSON
    <id>:left                  this waiter waits no more
    <key>:in-flight            the id of the job that will give the outcome of a cache key
    <message>:message          the id of the job that a worker has begun by this message of Celery's
    <key>:holders              the jobs that count for a limit, and their attempts, JSON: each as
                               long as that attempt runs, or, with attempt 0, until the job ends
    <key>:starts               when the last jobs have started that count for a rate, JSON
    <key>:alarm                somebody sees to it that a worker looks when a rate allows the next
    <hash>:request-key         the job of a request to which a client has given a key of its own; a
                               hash of what was asked for; whether the job was stored, JSON
    <callback>:cleared         when the results of a callback were cleared; of all without a name
    :secret                    what web processes sign with that must understand each other
    :port                      UDP port on which the leader hears of news (see ``executors.local``)

``stores.row_results`` has names of its own.
"""

from __future__ import annotations

PORT = ":port"
SIGNING = ":secret"


def job(job_id: str) -> str:
    """The record."""
    return f"{job_id}:job"


def request(job_id: str) -> str:
    """What the job was created with."""
    return f"{job_id}:request"


def attempt(job_id: str) -> str:
    """The attempt that runs."""
    return f"{job_id}:attempt"


def lease(job_id: str) -> str:
    """A worker's timed claim."""
    return f"{job_id}:lease"


def worker(job_id: str) -> str:
    """The process that runs it."""
    return f"{job_id}:worker"


def update(job_id: str, slot: int) -> str:
    """The value in a slot."""
    return f"{job_id}:update-{slot}"


def result(job_id: str, number: int) -> str:
    """The size of the large result of an attempt."""
    return f"{job_id}:result-{number}"


def piece(job_id: str, number: int, n: int) -> str:
    """A piece of the large result of an attempt."""
    return f"{job_id}:result-{number}-{n}"


def cancel(job_id: str) -> str:
    """The wish to cancel."""
    return f"{job_id}:cancel"


def presence(job_id: str) -> str:
    """That somebody waits."""
    return f"{job_id}:presence"


def waiters(job_id: str) -> str:
    """Who wait for a shared job."""
    return f"{job_id}:waiters"


def joined(waiter: str) -> str:
    """The job that a waiter has joined."""
    return f"{waiter}:joined"


def left(waiter: str) -> str:
    """That a waiter has left."""
    return f"{waiter}:left"


def in_flight(cache_key: str) -> str:
    """The job that will give the outcome of a key."""
    return f"{cache_key}:in-flight"


def request_key(name: str) -> str:
    """The job of a request."""
    return f"{name}:request-key"


def cleared(callback: str = "") -> str:
    """When results were cleared."""
    return f"{callback}:cleared"


def message(message_id: str) -> str:
    """The job that was begun by a message."""
    return f"{message_id}:message"


def holders(key: str) -> str:
    """The jobs that count for a limit."""
    return f"{key}:holders"


def starts(key: str) -> str:
    """When jobs have started that count for a rate."""
    return f"{key}:starts"


def alarm(key: str) -> str:
    """That a worker will look when a rate allows the next job."""
    return f"{key}:alarm"
