"""What indicators and notices say: an author may have other words, and other languages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from dash_long_callback.errors import RegistrationError

#: By language, as in ``<html lang>``, and name.
Texts: TypeAlias = Mapping[str, Mapping[str, str]]

#: The names of all texts, which ``browser/texts.js`` has in English and Spanish.
NAMES = (
    # How a job has ended
    *("failed", "timed_out", "expired", "lost", "stopped", "refused", "limit", "unavailable"),
    *("not_stored", "gone", "unreachable", "unreachable reload", "session", "changed"),
    *("changed reload", "library", "cancelled", "finished"),
    # What it is at
    *("waiting", "next", "ahead", "about", "running", "of", "each_second", "left"),
    *("attempt", "attempt 2", "attempt 3", "retry", "retry 2", "retry 3"),
    *("reconnecting", "connected", "cancelling"),
    # Buttons and labels
    *("stop", "try_again", "reload", "dismiss", "number", "times", "progress", "jobs"),
)


def check_texts(texts: Any) -> None:
    """Check what an author has given.

    Raises:
        RegistrationError: if it has another shape, or a name that no text has.
    """
    if texts is None:
        return
    if not isinstance(texts, Mapping) or not all(
        isinstance(language, str) and isinstance(words, Mapping)
        for language, words in texts.items()
    ):
        raise RegistrationError(
            f'long_callback_texts={texts!r} must be a dict by language, as {{"de": {{"running": '
            '"Läuft"}}'
        )
    for language, words in texts.items():
        for name, text in words.items():
            if name not in NAMES:
                known = ", ".join(map(repr, NAMES))
                raise RegistrationError(
                    f"long_callback_texts: {language!r} has {name!r}, and texts are {known}"
                )
            if not isinstance(text, str):
                raise RegistrationError(
                    f"long_callback_texts: {name!r} in {language!r} must be a string, got {text!r}"
                )
