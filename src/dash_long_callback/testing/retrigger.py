"""What a page does with a trigger: it asks for a job, now, later, or not at all.

So `on_retrigger` and `debounce` decide it. Time passes when a test says so; where it does not say
so, as a job has ended before the next trigger comes, there is nothing to wait for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dash_long_callback.testing.engine import Engine
from dash_long_callback.testing.jobs import Asked, Jobs
from dash_long_callback.testing.page import Page
from dash_long_callback.testing.run import CallbackRun
from dash_long_callback.testing.trigger import Trigger


class Triggers:
    """The triggers of a test's pages.

    Args:
        jobs: which ask for jobs.
        engine: that runs them; None: the app's own.
    """

    def __init__(self, jobs: Jobs, engine: Engine | None) -> None:
        self._jobs = jobs
        self._clock = None if engine is None else engine.clock
        self._engine = engine
        #: What the page has not asked for yet.
        self._held: list[Asked] = []

    def fire(self, triggers: list[Trigger], headers: Mapping[str, str]) -> list[CallbackRun]:
        """Each is triggered at once, so with the same values."""
        asked = [self._jobs.made(one, headers) for one in triggers]
        self._jobs.runs += [one.run for one in asked]
        for one in asked:
            wait = one.trigger.callback.options.debounce
            if wait and self._clock is not None and one.trigger.changed:
                self._drop([other for other in self._alike(one) if other.due is not None])
                one.due = self._clock.now + wait / 1000
                self._held.append(one)
            else:
                self._come(one)
        return [one.run for one in asked]

    def _come(self, asked: Asked) -> None:
        """It is time for a trigger, unless others of its outputs are to end before."""
        asked.due = None
        others = self._jobs.others(asked)
        match asked.trigger.callback.options.on_retrigger if others else "parallel":
            case "ignore":
                asked.run.state = "ignored"
                return
            case "queue":
                self._held.append(asked)
                return
            case "latest":
                self._drop(self._alike(asked))
                self._held.append(asked)
                return
            case "replace":
                self._jobs.ask(asked, instead_of=others)
            case _:
                self._jobs.ask(asked)
        self.go_on()

    def go_on(self) -> None:
        """Ask for what has waited for others that have ended."""
        self._jobs.update()
        for one in [one for one in self._held if one.due is None]:
            if one in self._held and not self._jobs.others(one):
                self._held.remove(one)
                self._jobs.ask(one)

    def advance(self, seconds: float) -> None:
        """Let time pass, and come what is due meanwhile, in its order."""
        assert self._engine is not None
        assert self._clock is not None
        until = self._clock.now + seconds
        while due := [one for one in self._held if one.due is not None and one.due <= until]:
            first = min(due, key=lambda one: one.due or 0.0)
            self._engine.move(self._clock, first.due or until)
            self._held.remove(first)
            self._come(first)
        self._engine.move(self._clock, until)
        self._jobs.note_presence()
        self.go_on()

    def cancel(self, asked: Asked, headers: Mapping[str, str]) -> None:
        """A job is to end; or it is not asked for, if it was not yet."""
        if asked in self._held:
            self._drop([asked])
            asked.run.state = "cancelled"
        else:
            self._jobs.cancel(asked, headers)
            self.go_on()

    def leave(self, page: Page) -> None:
        """A page is loaded anew: what it has asked for goes on without it."""
        self._jobs.leave(page)
        self._drop([one for one in self._held if one.trigger.page is page])

    def cancelled_by(self, page: Page, component_id: Any, prop: str) -> list[Asked]:
        """What a page has asked for, or is to ask for, that a change of a property cancels."""
        return [
            one
            for one in [*self._jobs.open, *self._held]
            if one.trigger.page is page and one.trigger.is_cancelled_by(component_id, prop)
        ]

    def shown(self) -> str:
        """What waits, for messages."""
        assert self._engine is not None
        assert self._clock is not None
        now, found = self._clock.now, list[str]()
        for job in self._engine.waiting():
            later = round((job.not_before or 0.0) - now, 6)
            when = f"for another {later:.6g} s" if later > 0 else "for its limits or rates"
            found.append(f"no. {job.ref} of {job.name} waits {when}")
        for one in self._held:
            wait = (
                "for another job" if one.due is None else f"{one.due - now:.6g} s, as it debounces"
            )
            found.append(f"{one.trigger.name} waits {wait}")
        return "; ".join(found) or "nothing waits"

    def _alike(self, asked: Asked) -> list[Asked]:
        return [one for one in self._held if one.slot == asked.slot]

    def _drop(self, held: list[Asked]) -> None:
        for one in held:
            self._held.remove(one)
            one.run.state = "ignored"
