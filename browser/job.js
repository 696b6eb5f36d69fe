/*
 * A job of this page, from the click to the outcome.
 *
 * It is *attached* while the renderer waits for its promise, and *detached* once it does not: as the page has many,
 * as others of the same outputs run, or as the page was loaded again. A detached job gives its outputs to the
 * renderer as a callback that has just been executed.
 */

import { CancelInputs } from "./cancel_inputs.js";
import { afterPaint, propsOf } from "./components.js";
import { EventLines } from "./event_lines.js";
import { flat, stringify } from "./ids.js";
import { Signs } from "./signs.js";
import { checkLayout } from "./layout.js";
import { memory } from "./memory.js";
import { fitting, give, load } from "./outputs.js";
import { clientside } from "./page.js";
import { poller } from "./poller.js";
import { attempt } from "./renderer.js";
import { alive, answered, inSlot, leave, spin } from "./slots.js";
import { JobStatus } from "./status.js";
import { cancelJob, submit } from "./submit.js";
import { SENTENCES, sentenceOf } from "./sentences.js";
import { describe, detailsOf, devToolsError, emit, emitFailed } from "./window_events.js";
import { Updates } from "./updates.js";
import { messageOf } from "./values.js";

/** @typedef {import("./types.js").Config} Config */
/** @typedef {import("./types.js").News} News */
/** @typedef {import("./pending.js").PendingJob} PendingJob */
/** @typedef {import("./types.js").Failure} Failure */
/** @typedef {import("./outputs.js").Result} Result */

/** Outcomes that wait for their outputs to be on the page again. */
const OUTCOMES_MAX = 50;
/** Milliseconds within which the initial call may come for outputs that were given the outcome of a job. */
const INITIAL_CALL = 5000;

export class Job {
    /** @param {PendingJob} pending @param {Config} config */
    constructor(pending, config) {
        this.pending = pending;
        this.id = pending.id;
        this.name = pending.name;
        this.config = config;
        this.outputs = pending.outputs;
        this.slot = pending.name + " " + JSON.stringify(pending.matched.map(stringify));
        this.seq = 0;
        /** Which attempt at it the server makes. */
        this.attempt = 1;
        this.settled = false;
        this.cancelled = false;
        /** Whether it was asked for; not, while it queues behind another. */
        this.begun = false;
        /** Whether the server has it. */
        this.known = false;
        /** Whether it was found when the page was loaded, or its outputs came back. */
        this.found = false;
        this.detached = false;
        /** Whether its outputs are on the page. */
        this.here = true;
        /** @type {News | null} The end of it, that waits for its outputs. */
        this.outcome = null;
        this.signs = new Signs(this);
        this.events = new EventLines(this);
        this.updates = new Updates(this);
        this.stops = new CancelInputs(this);
        this.status = new JobStatus(this);
        /** @type {(() => void) | null} Asks for the same once more. */
        this.again = null;
        this.promise = new Promise((resolve, reject) => {
            this.resolve = resolve;
            this.reject = reject;
        });
        this.promise.catch(() => {}); // nobody waits for the promise of a job that was found
    }

    /** Whether its outputs, or what it matched, are on the page. */
    isHere() {
        const ids = this.outputs ? flat(this.outputs).map((output) => output.id) : this.pending.matched;
        return !ids.length || ids.some((id) => propsOf(id));
    }

    /** The renderer waits for it no more. */
    detach() {
        if (!this.detached) {
            this.detached = true;
            this.reject(clientside.PreventUpdate);
            spin(this.slot);
        }
    }

    /** @param {News} news */
    receive(news) {
        if (this.settled || this.outcome) {
            return;
        }
        this.status.receive(news);
        if (news.seq <= this.seq && !news.ended) {
            return;
        }
        this.seq = news.seq;
        if (!news.ended) {
            this.signs.show();
        }
        if ((news.attempt || 1) > this.attempt) {
            this.attempt = news.attempt || 1;
            this.signs.restart();
        }
        for (const [target, value] of news.updates || []) {
            attempt(this.name, () => this.updates.apply(target, value));
        }
        if (news.ended) {
            poller.remove(this);
            if (this.signs.unseen) {
                afterPaint(() => this.finish(news));
            } else {
                this.finish(news);
            }
        }
    }

    /** @param {News} news The end: once all has happened that was to. */
    finish(news) {
        this.events.whenDone(async () => {
            try {
                await this.conclude(news);
            } catch (error) {
                this.fail({ kind: "failed" }, `Long callback ${this.name}: ${messageOf(error)}`);
            }
        });
    }

    /** @param {News} news */
    async conclude(news) {
        if (news.response && !this.isHere() && !this.cancelled && !this.settled) {
            // The user is on another page of the app, and may come back.
            this.outcome = news;
            this.detach();
            this.signs.hide();
            const waiting = alive().filter((job) => job.outcome);
            waiting.slice(0, -OUTCOMES_MAX).forEach((job) => job.settle({}));
        } else if (news.error) {
            // Loaded again already, the page is as new as the app.
            const reload = news.error.kind === "session" || (news.error.kind === "changed" && !this.found);
            this.fail({ ...news.error, reload }, describe(news.error));
        } else if (!news.response || this.cancelled) {
            this.settle({});
        } else {
            const { response = {}, dist } = news.response;
            try {
                await (dist && Promise.all(dist.map(load)));
                this.settle({ data: response });
            } catch (error) {
                this.fail({ kind: "library", reload: true }, "A component library could not be loaded.");
            }
        }
    }

    /**
     * The outputs are on the page again, or not any more.
     * @param {boolean} here
     */
    appear(here) {
        const back = here && !this.here;
        if (here !== this.here && this.status.told) {
            this.status.say();
        }
        this.here = here;
        if (!back) {
            return;
        }
        this.found = true;
        if (this.outcome) {
            const outcome = this.outcome;
            this.outcome = null;
            this.finish(outcome);
        } else if (this.signs.shown) {
            this.detach();
            spin(this.slot);
        }
    }

    /**
     * @param {Failure} failure what the user is told
     * @param {string} [text] what the dev tools show
     * @param {boolean} [remember] whether a reload is to find it
     */
    fail(failure, text = sentenceOf(SENTENCES, failure), remember = false) {
        this.settle({ error: devToolsError(failure.html || text, failure.html ? "" : failure.callback) }, failure, remember);
    }

    /**
     * @param {Result} result
     * @param {Failure} [failure] what the user is told of an error, or without one for the dev tools
     * @param {boolean} [remember] whether a reload is to find it
     */
    settle(result, failure, remember = false) {
        // The renderer forgets a callback whose outputs have gone, also if they are back already.
        checkLayout();
        if (this.settled) {
            return;
        }
        this.settled = true;
        poller.remove(this);
        leave(this);
        attempt(this.name, () => this.signs.hide());
        const given = fitting(this, result);
        const said = failure || (given.error && { kind: "failed" });
        // The server may never have had a doubtful one, which the user has been told.
        if (said && !this.cancelled && (given.error || !this.pending.doubtful)) {
            // First, so that the notice knows whether something else shows it.
            this.status.end("failed", detailsOf(said));
            emitFailed(this.name, this.outputs, said, Boolean(this.config.status));
        } else {
            this.status.end(this.cancelled ? "cancelled" : "succeeded");
            result.data && emit("succeeded", this.name, this.outputs);
        }
        attempt(this.name, () => give(this, given));
        if (this.found && (result.data || given.error)) {
            answered.set(this.slot, this);
            setTimeout(() => answered.delete(this.slot), INITIAL_CALL);
        }
        if (!remember) {
            setTimeout(() => memory.drop(this.id)); // once the page has it
        }
        const others = inSlot(this.slot);
        const next = others.find((job) => !job.begun);
        if (next && !others.some((job) => job.begun)) {
            attempt(next.name, () => next.signs.show());
            submit(next);
        }
    }

    /** The outputs stay as they are from here on, even if the job has just succeeded. */
    cancel() {
        this.cancelled = true;
        this.status.cancelling();
        if (this.outcome || !this.begun) {
            this.settle({});
        } else if (this.known) {
            cancelJob(this.id);
        }
    }
}
