"""The two names of a job: a random id that opens it, and a public number that opens nothing."""

from __future__ import annotations

import hashlib
import re
import secrets


def new_job_id() -> str:
    """A random id of 192 bits: all that a client can name, and not to be guessed."""
    return secrets.token_urlsafe(24)


def ref_of(job_id: str) -> str:
    """The public number of a job: six digits, which tell nothing of the id and open nothing."""
    return f"{int.from_bytes(hashlib.sha256(job_id.encode()).digest()[:8], 'big') % 1_000_000:06d}"


_JOB_ID = re.compile("[A-Za-z0-9_-]{32}")


def is_job_id(text: str) -> bool:
    """Whether this has the form of an id. What has not is no job's: no store is asked for it."""
    return _JOB_ID.fullmatch(text) is not None
