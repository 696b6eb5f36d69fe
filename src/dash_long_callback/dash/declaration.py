"""Whether a request is for a callback as it is declared now: the app may have changed since.

Arguments travel by place. A page that was loaded before a deploy, and a job that was queued before
it, may have them in other places than the code that is to run: two ``State``s that were swapped, or
an ``Input`` that was added. So before anything runs, in the web process and again in the worker,
the components that a request names are compared with those that the callback declares; and the
page's hash of the declaration, in which the targets of ``progress`` are, too, with that of the
code.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dash import Output

from dash_long_callback.dash import internals
from dash_long_callback.dash.internals import Registration

#: Carries the page's hash of the declaration.
HEADER = "x-long-callback-declared"


@dataclass(frozen=True)
class Declaration:
    """What pages and workers must agree on, as both name it by place.

    Attributes:
        parts: id and property of each of ``"inputs"``, ``"states"`` and ``"outputs"``.
        fingerprint: a hash of these, and of the targets of ``progress``.
    """

    parts: Mapping[str, list[tuple[str, str]]]
    fingerprint: str

    @classmethod
    def of(cls, registration: Registration, progress: Sequence[Output]) -> Declaration:
        """That of a callback, with the outputs of its ``progress``."""
        parts = internals.declared(registration)
        targets = [[o.component_id_str(), o.component_property] for o in progress]
        text = json.dumps({**parts, "progress": targets}, sort_keys=True)
        return cls(parts, hashlib.sha256(text.encode()).hexdigest()[:16])

    def fits(self, sent: Mapping[str, Sequence[Any]], fingerprint: str | None) -> bool:
        """Whether a request is for a callback that is declared like this.

        Args:
            sent: what it has in the place of each component: ``internals.sent``.
            fingerprint: of the page; None if it has not said.
        """
        if fingerprint not in (None, self.fingerprint):
            return False
        return all(
            len(declared) == len(sent[part]) and all(map(_fits, declared, sent[part]))
            for part, declared in self.parts.items()
        )


def _fits(declared: tuple[str, str], sent: Any) -> bool:
    """Whether what a request has in a place is what the callback declares there."""
    component_id, prop = declared
    pattern: Any = json.loads(component_id) if component_id.startswith("{") else component_id
    if isinstance(pattern, dict) and any(v in (["ALL"], ["ALLSMALLER"]) for v in pattern.values()):
        return isinstance(sent, list) and all(_is(pattern, prop, one) for one in sent)
    return _is(pattern, prop, sent)


def _is(pattern: Any, prop: str, sent: Any) -> bool:
    # Behind an @ stands what tells apart callbacks that share an output.
    if not isinstance(sent, dict) or str(sent.get("property")).partition("@")[0] != prop:
        return False
    component_id = sent.get("id")
    if not isinstance(pattern, dict):
        return component_id == pattern
    return (
        isinstance(component_id, dict)
        and component_id.keys() == pattern.keys()
        and all(isinstance(v, list) or component_id[key] == v for key, v in pattern.items())
    )
