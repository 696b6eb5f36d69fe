"""The tables of a database of jobs, and the statements that change them.

    rows     name, value, when it expires
    jobs     what the index knows of a job, and its place in the queue if it waits; it goes with
             the job's record
    ranks    see ``sqlite_queue``
    counts   how many jobs each list has; triggers keep them
    News     see ``sqlite_notifier``

Each statement finds what it needs by an index, so that it takes as long with a hundred thousand
jobs as with ten.
"""

from __future__ import annotations

import logging
import sqlite3
from pathlib import Path

from dash_long_callback.stores import sqlite_notifier, sqlite_queue
from dash_long_callback.stores.sqlite_pool import SqlitePool

log = logging.getLogger("dash_long_callback")

#: Pages that the write-ahead log may grow to.
LOG_PAGES = 4000
#: Of the tables below. A database without tables has 0.
VERSION = 2

_TABLES = f"""
CREATE TABLE rows (name TEXT PRIMARY KEY, value BLOB NOT NULL, expires REAL NOT NULL)
    WITHOUT ROWID;
CREATE INDEX rows_by_expiry ON rows (expires);

CREATE TABLE jobs (
    id TEXT PRIMARY KEY, state TEXT NOT NULL, callback TEXT NOT NULL, owner TEXT,
    created REAL NOT NULL,
    queue TEXT, priority REAL, lane TEXT, gate TEXT, turn INTEGER, number INTEGER, not_before REAL
) WITHOUT ROWID;
CREATE INDEX jobs_by_state ON jobs (state, created, id);
CREATE INDEX jobs_by_callback ON jobs (callback, created, id);
CREATE INDEX jobs_by_owner ON jobs (owner, created, id) WHERE owner IS NOT NULL;
{sqlite_queue.CREATE}
CREATE TABLE counts (field TEXT, value TEXT, number INTEGER, PRIMARY KEY (field, value))
    WITHOUT ROWID;
CREATE TRIGGER job_added AFTER INSERT ON jobs BEGIN
    INSERT INTO counts VALUES ('state', NEW.state, 1), ('callback', NEW.callback, 1)
        ON CONFLICT DO UPDATE SET number = number + 1;
END;
CREATE TRIGGER owned_job_added AFTER INSERT ON jobs WHEN NEW.owner IS NOT NULL BEGIN
    INSERT INTO counts VALUES ('owner', NEW.owner, 1)
        ON CONFLICT DO UPDATE SET number = number + 1;
END;
CREATE TRIGGER job_moved AFTER UPDATE OF state ON jobs WHEN OLD.state <> NEW.state BEGIN
    INSERT INTO counts VALUES ('state', NEW.state, 1)
        ON CONFLICT DO UPDATE SET number = number + 1;
    UPDATE counts SET number = number - 1 WHERE field = 'state' AND value = OLD.state;
END;
CREATE TRIGGER job_deleted AFTER DELETE ON jobs BEGIN
    UPDATE counts SET number = number - 1 WHERE (field, value) IN
        (VALUES ('state', OLD.state), ('callback', OLD.callback), ('owner', OLD.owner));
    DELETE FROM counts WHERE number <= 0 AND (field, value) IN
        (VALUES ('state', OLD.state), ('callback', OLD.callback), ('owner', OLD.owner));
END;

{sqlite_notifier.CREATE};
PRAGMA user_version = {VERSION};
"""  # noqa: S608 - no input

#: A value that is no bytes is not ours. As text it might not even be fetched.
READ = """SELECT CASE typeof(value) WHEN 'blob' THEN value ELSE x'' END FROM rows
WHERE name = ? AND expires > ?"""
PUT = """INSERT INTO rows VALUES (?, ?, ?)
ON CONFLICT (name) DO UPDATE SET value = excluded.value, expires = excluded.expires"""
TOUCH = "UPDATE rows SET expires = ? WHERE name = ? AND expires > ?"
DROP = "DELETE FROM rows WHERE name = ?"

ENTER = """INSERT INTO jobs (id, state, callback, owner, created,
    queue, priority, lane, gate, turn, number, not_before)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET state = excluded.state, queue = excluded.queue,
    priority = excluded.priority, lane = excluded.lane, gate = excluded.gate, turn = excluded.turn,
    number = excluded.number, not_before = excluded.not_before"""
_THERE = "EXISTS (SELECT 1 FROM rows WHERE name = jobs.id || ':job' AND expires > ?2)"
LIST = f"""SELECT created, CAST(id AS BLOB) FROM jobs INDEXED BY jobs_by_{{field}}
WHERE {{field}} = ?1 AND {_THERE} AND (created, id) < (?3, ?4)
ORDER BY created DESC, id DESC LIMIT ?5"""  # noqa: S608 - no input
#: How many there are; then, how many of these have expired and were not deleted yet. They are few,
#: as they are deleted again and again.
COUNT = "SELECT number FROM counts WHERE field = ? AND value = ?"
EXPIRED = """SELECT count(*) FROM rows INDEXED BY rows_by_expiry
JOIN jobs ON jobs.id = substr(rows.name, 1, length(rows.name) - 4)
WHERE rows.expires <= ?2 AND rows.name GLOB '*:job' AND jobs.{field} = ?1"""

#: So many at a time that nobody waits long for the lock.
_OLDEST = "SELECT name FROM rows WHERE expires <= ? ORDER BY expires, name LIMIT 1000"
PURGE_JOBS = f"""DELETE FROM jobs WHERE id IN (
    SELECT substr(name, 1, length(name) - 4) FROM ({_OLDEST}) WHERE name GLOB '*:job')"""  # noqa: S608 - no input
PURGE_ROWS = f"DELETE FROM rows WHERE name IN ({_OLDEST})"  # noqa: S608 - no input


def open_pool(path: Path, patience: float) -> SqlitePool:
    """Open a database of jobs; make its tables if it has none. Else nothing is written."""
    pool = SqlitePool(path, patience, _prepare)
    if _version(pool) < VERSION:
        pool.execute("PRAGMA auto_vacuum = INCREMENTAL")
        pool.execute("PRAGMA journal_mode = WAL").fetchall()
        with pool.transaction() as connection:
            if (version := _version(pool)) < VERSION:
                if version > 0:
                    _drop(connection)
                    log.warning(
                        "the jobs in %s were those of an earlier version of this package, which "
                        "this one can't read: they are deleted",
                        path,
                    )
                # Not executescript(), which would end the transaction.
                for statement in _statements():
                    connection.execute(statement)
    return pool


def _drop(connection: sqlite3.Connection) -> None:
    find = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    for (table,) in connection.execute(find).fetchall():
        connection.execute(f'DROP TABLE "{table}"')


def _version(pool: SqlitePool) -> int:
    return int(pool.execute("PRAGMA user_version").fetchone()[0])


def _prepare(connection: sqlite3.Connection) -> None:
    # With a write-ahead log, a power cut may lose the last writes, but damages nothing.
    connection.execute("PRAGMA synchronous = NORMAL")
    # A file that somebody truncates would crash the process.
    connection.execute("PRAGMA mmap_size = 0")
    # Moving the log into the database takes some 20 ms, for whoever writes just then.
    connection.execute(f"PRAGMA wal_autocheckpoint = {LOG_PAGES}")
    # Large results pass through it: what they have made it grow to is given back.
    connection.execute(f"PRAGMA journal_size_limit = {LOG_PAGES * 4096}")


def _statements() -> list[str]:
    found: list[str] = []
    statement = ""
    for line in _TABLES.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            found.append(statement)
            statement = ""
    return found
