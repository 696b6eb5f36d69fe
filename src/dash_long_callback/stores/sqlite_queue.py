"""The queue in a database of jobs: its indices, its table, and the statements that use them.

A job that waits has its place in its row of the table ``jobs``, see ``ports.Place``. Its ``number``
is the time at which it came, negative if it is in front; one that waits no more has none.

    ranks    how many jobs may be taken, of a queue and a priority, whose turns are equal when their
             last bits are left out: four more of them with each level. So a few numbers add up to
             how many are ahead of one. Triggers keep them.
"""

# ruff: noqa: S608 - no input

from __future__ import annotations

from dash_long_callback.stores.ports import COUNTED

_LEVELS, _BITS = 5, 4
_TOP = _LEVELS - 1
_LEVEL = f"(VALUES {', '.join(f'({level})' for level in range(_LEVELS))}) AS level"


def _ready(row: str = "jobs") -> str:
    """Whether a job waits, and may be taken."""
    return f"{row}.number IS NOT NULL AND {row}.not_before = 0"


def _turns(row: str) -> str:
    """The turns of a job on a level. That of those in front is -1."""
    return f"({row}.turn + 1) >> ({_BITS} * level.column1)"


def _count(row: str, change: int) -> str:
    """A statement that counts a job in or out."""
    return f"""INSERT INTO ranks
        SELECT {row}.queue, level.column1, {row}.priority, {_turns(row)}, {change}
        FROM {_LEVEL} WHERE true
        ON CONFLICT DO UPDATE SET number = number + {change};"""


_COUNT_OUT = f"""{_count("OLD", -1)}
    DELETE FROM ranks WHERE number <= 0 AND (queue, level, priority, turns) IN
        (SELECT OLD.queue, level.column1, OLD.priority, {_turns("OLD")} FROM {_LEVEL});"""

CREATE = f"""
CREATE INDEX queue ON jobs (queue, priority DESC, turn, number) WHERE {_ready()};
CREATE INDEX gates ON jobs (queue, gate, priority DESC, turn, number) WHERE {_ready()};
CREATE INDEX lanes ON jobs (queue, priority, lane, turn) WHERE number IS NOT NULL;
CREATE INDEX queue_of_later ON jobs (not_before) WHERE number IS NOT NULL AND not_before > 0;

CREATE TABLE ranks (
    queue TEXT, level INTEGER, priority REAL, turns INTEGER, number INTEGER NOT NULL,
    PRIMARY KEY (queue, level, priority, turns)
) WITHOUT ROWID;
CREATE TRIGGER place_given AFTER INSERT ON jobs WHEN {_ready("NEW")} BEGIN {_count("NEW", 1)} END;
CREATE TRIGGER place_left AFTER DELETE ON jobs WHEN {_ready("OLD")} BEGIN {_COUNT_OUT} END;
CREATE TRIGGER old_place_left AFTER UPDATE ON jobs WHEN {_ready("OLD")} BEGIN {_COUNT_OUT} END;
CREATE TRIGGER new_place_given AFTER UPDATE ON jobs WHEN {_ready("NEW")}
    BEGIN {_count("NEW", 1)} END;
""".replace("jobs.", "")

#: An id that is no text is not ours, and would not be found again.
_OURS = f"{_ready()} AND typeof(id) = 'text'"
#: The turn of a job that comes last in its lane: of its queue, priority, lane, id.
TURN = f"""SELECT max(0,
    coalesce((SELECT turn FROM jobs INDEXED BY queue WHERE {_OURS} AND queue = ?1
        AND priority = ?2 AND turn >= 0 AND id <> ?4 ORDER BY turn LIMIT 1), 0),
    coalesce((SELECT turn FROM jobs INDEXED BY lanes WHERE number IS NOT NULL AND queue = ?1
        AND priority = ?2 AND lane = ?3 AND id <> ?4 ORDER BY turn DESC LIMIT 1), -1) + 1)"""
PLACE = """SELECT queue, priority, lane, gate, turn, number FROM jobs
WHERE id = ? AND number IS NOT NULL"""
DEQUEUE = "UPDATE jobs SET number = NULL WHERE id = ?"
#: The job to take next, and whether others may be taken now that could not before.
NEXT = f"""SELECT
    (SELECT CAST(id AS BLOB) FROM jobs INDEXED BY queue WHERE {_OURS} AND queue = ?1
        ORDER BY priority DESC, turn, number LIMIT 1),
    EXISTS (SELECT 1 FROM jobs WHERE number IS NOT NULL AND not_before > 0 AND not_before <= ?2)"""
LET_IN = """UPDATE jobs SET not_before = 0
WHERE number IS NOT NULL AND not_before > 0 AND not_before <= ?"""
DROP_NEXT = "DELETE FROM jobs WHERE CAST(id AS BLOB) = ?"

_OF_QUEUE = f"FROM jobs INDEXED BY gates WHERE {_OURS} AND queue = ?1"
#: The next job of each gate. It goes from gate to gate: the time grows with their number only.
HEADS = f"""WITH RECURSIVE
    every (gate) AS (
        SELECT (SELECT gate {_OF_QUEUE} ORDER BY gate LIMIT 1) UNION ALL
        SELECT (SELECT gate {_OF_QUEUE} AND gate > every.gate ORDER BY gate LIMIT 1)
        FROM every WHERE every.gate IS NOT NULL
    ),
    first (id) AS (
        SELECT (SELECT id {_OF_QUEUE} AND gate = every.gate
            ORDER BY priority DESC, turn, number LIMIT 1)
        FROM every WHERE every.gate IS NOT NULL
    )
SELECT CAST(jobs.id AS BLOB) FROM first JOIN jobs ON jobs.id = first.id
ORDER BY priority DESC, turn, number"""

#: How many are ahead of a job: those of higher priorities; those of lower turns, each on the
#: highest level that tells it from the job's; those of its turn that came before. Then those of its
#: gate.
AHEAD = f"""SELECT
    (SELECT coalesce(sum(number), 0) FROM ranks
        WHERE queue = job.queue AND level = {_TOP} AND priority > job.priority)
    + (SELECT coalesce(sum(ranks.number), 0)
        FROM {_LEVEL} JOIN ranks ON ranks.queue = job.queue
            AND ranks.level = level.column1 AND ranks.priority = job.priority
            AND ranks.turns < {_turns("job")}
            AND ranks.turns >= CASE level.column1 WHEN {_TOP} THEN 0
                ELSE ({_turns("job")} >> {_BITS}) << {_BITS} END)
    + (SELECT count(*) FROM jobs AS other INDEXED BY queue
        WHERE {_ready("other")} AND other.queue = job.queue
            AND other.priority = job.priority AND other.turn = job.turn
            AND other.number < job.number),
    (SELECT count(*)
        FROM (SELECT -priority AS urgency, turn, number FROM jobs AS other INDEXED BY gates
            WHERE {_ready("other")} AND other.queue = job.queue AND other.gate = job.gate
            ORDER BY other.priority DESC, other.turn, other.number LIMIT {COUNTED}) AS first
        WHERE (first.urgency, first.turn, first.number) < (-job.priority, job.turn, job.number))
FROM jobs AS job WHERE id = ? AND {_ready("job")}"""
WAITING = f"SELECT coalesce(sum(number), 0) FROM ranks WHERE queue = ? AND level = {_TOP}"
