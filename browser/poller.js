/* One request at a time asks for the news of all jobs of the tab. */

import { RetryBudget } from "./backoff.js";
import { holder } from "./holder.js";
import { errorOf, faultOf, post, RequestError } from "./http.js";
import { neighbours } from "./neighbours.js";
import { settings, TAB } from "./page.js";
import { attempt } from "./renderer.js";
import { eventsOf, merged } from "./stream.js";
import { devToolsError } from "./window_events.js";

/** @typedef {import("./job.js").Job} Job */
/** @typedef {import("./types.js").News} News */

/** Milliseconds to wait for an answer: the server holds a request for a fraction of that. */
const ANSWER_MAX = 60000;
/** Milliseconds to wait for the first event of a stream; if none comes, a proxy keeps it back. */
const STREAM_FIRST = 6000;
/** Milliseconds without streams after that: the server may have been busy. Doubled until one comes. */
const STREAM_PAUSE = 60000;
/** Milliseconds between two questions while clicks are on their way: each brings another job. */
export const GATHER = 200;
/** Milliseconds between two questions that other tabs have this one ask. */
const HINTED = 100;
/** Seconds between two questions when what has come is for other tabs only. */
const PASSED = 0.05;

export const poller = {
    /** @type {Map<string, Job>} */
    jobs: new Map(),
    /** @type {AbortController | null} */
    request: null,
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    timer: undefined,
    due: Infinity,
    budget: new RetryBudget(),
    hidden: document.hidden,
    /** Until when no stream is asked for, and for how long after the next that is kept back. */
    noStreams: 0,
    streamPause: STREAM_PAUSE,
    /** Whether the server answers, as the jobs were told. */
    connected: true,
    /** How many clicks the server has not answered yet. */
    submitting: 0,
    /** Whether the last request may wait; when it was sent, and until when the server is too busy for another. */
    holds: false,
    asked: 0,
    least: 0,
    /** Whether another tab has told of news while a request was under way. */
    hinted: false,

    /** @param {Job} job @param {number} after seconds */
    add(job, after) {
        this.jobs.set(job.id, job);
        // The request under way is of the others only. It goes on until then: when many jobs
        // begin at once, the next request is of all of them.
        this.schedule(Math.max(after * 1000, this.submitting ? GATHER : 0));
    },

    /** @param {Job} job */
    remove(job) {
        if (this.jobs.delete(job.id) && !this.jobs.size) {
            this.pause();
        }
    },

    /** Ask nothing, and leave the place to another tab. */
    pause() {
        clearTimeout(this.timer);
        this.due = Infinity;
        this.stop();
        holder.free();
        if (this.holds) {
            this.holds = false;
            neighbours.leave();
        }
        neighbours.close();
    },

    /**
     * Another tab has told something: ask soon, unless the server is busy, or this tab will be told itself.
     * @param {number} [ms]
     */
    hint(ms = 0) {
        if (this.request || this.budget.failures) {
            this.hinted = !this.holds;
        } else {
            this.schedule(Math.max(ms, this.asked + HINTED - Date.now(), this.least - Date.now()));
        }
    },

    stop() {
        this.request?.abort();
        this.request = null;
    },

    /** @param {number} ms after which to ask, if there are jobs to ask for. The earliest wins. */
    schedule(ms) {
        const due = Date.now() + ms;
        if (this.jobs.size && due < this.due) {
            clearTimeout(this.timer);
            this.due = due;
            this.timer = setTimeout(() => {
                this.due = Infinity;
                this.ask();
            }, ms);
        }
    },

    /** The jobs of this tab, each with the sequence number of what has come of it. */
    seen() {
        return Object.fromEntries(Array.from(this.jobs.values(), (job) => [job.id, job.seq]));
    },

    async ask() {
        this.stop();
        const request = (this.request = new AbortController());
        const asked = Array.from(this.jobs.values());
        if (this.hidden) {
            holder.free();
        }
        neighbours.open();
        const held = this.holds;
        const holds = (this.holds = !this.hidden && holder.take());
        const jobs = this.seen();
        if (!holds) {
            neighbours.tell(jobs);
        } else if (!held) {
            neighbours.ask();
        }
        this.asked = Date.now();
        this.hinted = false;
        const stream = holds && settings().stream && Date.now() > this.noStreams;
        const body = JSON.stringify({
            tab: TAB,
            jobs,
            others: holds ? neighbours.followed() : undefined,
            ahead: Object.fromEntries(asked.flatMap((job) => (job.status.place ? [[job.id, job.status.place]] : []))),
            hidden: this.hidden || undefined,
            // Not held, if nobody knows yet whether the server is back: the answer might come late.
            pace: !holds || !this.connected || undefined,
            stream: stream || undefined,
        });
        const late = () => {
            if (stream) {
                this.noStreams = Date.now() + this.streamPause;
                this.streamPause *= 2;
            }
            request.abort();
        };
        const timer = setTimeout(late, stream ? STREAM_FIRST : ANSWER_MAX);
        this.budget.begin();
        let after = 0;
        /** @type {RequestError | null} */
        let fault = null;
        try {
            const response = await post("_dash-long-callback/updates", body, { signal: request.signal });
            if (response.status === 404) {
                const answer = await response.json().catch(() => ({}));
                if (answer.error !== "JobNotFound") {
                    throw new RequestError("status 404"); // a proxy that has lost its server
                }
                asked.filter((job) => this.jobs.get(job.id) === job).forEach((job) => missed(job, answer.owner));
            } else {
                const found = await errorOf(response);
                if (found) {
                    throw found;
                }
                if (response.body && (response.headers.get("Content-Type") || "").startsWith("text/event-stream")) {
                    after = await this.read(response.body, request, () => {
                        clearTimeout(timer);
                        this.streamPause = STREAM_PAUSE;
                    });
                } else {
                    after = this.take([await response.json()], request);
                }
            }
            this.succeed();
        } catch (error) {
            fault = faultOf(error);
        }
        clearTimeout(timer);
        if (this.request === request) {
            this.request = null;
            fault ? this.fail(fault) : this.schedule(after * 1000);
            if (this.hinted && !fault) {
                this.hint();
            }
            if (after && holds) {
                neighbours.tell(this.seen()); // the server has no room for another that waits
            }
        }
    },

    /**
     * @param {any[]} answers in their order; several, if the page was too slow for them
     * @param {AbortController} request what they answer
     * @returns {number} seconds until the next question
     */
    take(answers, request) {
        if (this.request !== request) {
            return 0; // replaced while it was on its way
        }
        /** @type {Map<string, News | null>} */
        const found = new Map();
        /** @type {string | null | undefined} */
        let owner;
        let passed = false;
        for (const answer of answers) {
            if (answer.moved) {
                neighbours.pass(answer.moved);
                passed = true;
            }
            this.least = Date.now() + (answer.least || 0) * 1000;
            owner = "owner" in answer ? answer.owner : owner;
            for (const [id, news] of Object.entries(answer.jobs)) {
                const before = found.get(id);
                found.set(id, before && news ? merged(before, news) : news);
            }
        }
        for (const [id, news] of found) {
            const job = this.jobs.get(id);
            if (job) {
                attempt(job.name, () => (news ? job.receive(news) : missed(job, owner)));
            }
        }
        const after = answers.length ? answers[answers.length - 1].after : 0;
        return passed && !found.size ? Math.max(after, PASSED) : after;
    },

    /**
     * @param {ReadableStream<Uint8Array>} body
     * @param {AbortController} request
     * @param {() => void} flows called when something has come
     * @returns {Promise<number>} seconds until the next question
     */
    async read(body, request, flows) {
        let after = 0;
        for await (const answers of eventsOf(body, () => request.abort())) {
            flows();
            if (this.request !== request) {
                return 0;
            }
            this.succeed();
            this.budget.begin();
            after = answers.length ? this.take(answers, request) : after;
        }
        return after;
    },

    succeed() {
        this.budget.succeed();
        this.connect(true);
    },

    /** @param {boolean} connected whether the server answers */
    connect(connected) {
        this.connected = connected;
        this.jobs.forEach((job) => job.status.connect(connected));
    },

    /** @param {RequestError} fault */
    fail(fault) {
        const pause = this.budget.fail(fault);
        if (pause !== null) {
            this.connect(!this.budget.lasts);
            this.schedule(pause);
            return;
        }
        const message = this.budget.message(
            "The server can't be reached. If the job still runs, reload the page to find it again",
            fault
        );
        this.budget.succeed();
        const failure = { kind: fault.session ? "session" : "unreachable", reload: true };
        Array.from(this.jobs.values()).forEach((job) => job.fail(failure, message, true));
    },
};
holder.lost = () => poller.schedule(0);

/**
 * The server does not know a job, for the user who is logged in now.
 * @param {Job} job
 * @param {string | null} [owner] that user, if the server has said so
 */
function missed(job, owner) {
    const other = owner !== undefined && job.pending.owner && job.pending.owner !== owner;
    const message = other
        ? "SessionExpired: you are not logged in any more, or as another user. Log in again and reload the page"
        : "JobNotFound: no such job: it never existed or has expired; run the callback again";
    // Of one that was found by a reload the page has shown nothing yet.
    const failure = { kind: other ? "session" : "gone", reload: Boolean(other) };
    const result = job.found && !job.seq ? {} : { error: devToolsError(message) };
    job.settle(result, failure, Boolean(other && owner === null));
}
