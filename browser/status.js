/*
 * What a job is at, for those who look at it: the indicator, the `status` output, and the app's own listeners.
 *
 * All of them get the same object, a `Status`. The client changes it, and it goes out when something has changed; to
 * the `status` output once a second, too, as seconds pass.
 */

import { componentsOf } from "./pending.js";
import { hasEnded, later } from "./seconds.js";
import { emit } from "./window_events.js";
import { sameJson } from "./values.js";

/** @typedef {import("./job.js").Job} Job */
/** @typedef {import("./types.js").Failure} Failure */
/** @typedef {import("./types.js").News} News */
/** @typedef {import("./types.js").Tracked} Tracked */

/**
 * @typedef {Object} Status
 * @property {"queued" | "running" | "retrying" | "cancelling" | "succeeded" | "failed" | "cancelled"} state
 * @property {number | null} ahead how many jobs are to begin before it
 * @property {number | null} wait how many seconds that will take
 * @property {number | null} elapsed seconds since its attempt began
 * @property {number | null} fraction of it that is done
 * @property {number | null} remaining seconds
 * @property {string | null} text what it is doing
 * @property {number | null} done how many items
 * @property {number | null} total of so many
 * @property {number | null} rate items a second
 * @property {number} attempt
 * @property {number | null} retry_in seconds until its next attempt
 * @property {boolean} connected whether the server answers
 * @property {{kind: string, message: string, user: boolean, ref: string | null, reload: boolean} | null} error
 */

/** Milliseconds after which the `status` output hears of the seconds that have passed. */
const TICK = 1000;

/** What a job reports of which nothing is known yet. */
const NOTHING = { fraction: null, remaining: null, text: null, done: null, total: null, rate: null };

let runs = 0;

export class JobStatus {
    /** @param {Job} job */
    constructor(job) {
        this.job = job;
        /** @type {Status} */
        this.now = {
            state: "queued",
            ahead: null,
            wait: null,
            elapsed: null,
            attempt: 1,
            retry_in: null,
            connected: true,
            error: null,
            ...NOTHING,
        };
        /** When the seconds of `now` were true, in milliseconds. */
        this.at = 0;
        /** Whether anybody was told. */
        this.told = false;
        /** @type {ReturnType<typeof setInterval> | undefined} */
        this.timer = undefined;
        /** Tells this run from others of the same outputs. */
        this.run = runs += 1;
    }

    /** @returns {boolean} */
    get ended() {
        return hasEnded(this.now);
    }

    /** @returns {[number, boolean] | null} how many are ahead of it, and whether it is known how long that takes */
    get place() {
        const { ahead, wait } = this.now;
        return ahead === null ? null : [ahead, wait !== null];
    }

    /** The job was asked for, or found. */
    begin() {
        this.tell({});
    }

    /** @param {News} news */
    receive(news) {
        if (news.ended || this.ended) {
            return;
        }
        const attempt = news.attempt || 1;
        /** @type {Partial<Status>} */
        const changes = { attempt, ...(attempt > this.now.attempt ? NOTHING : {}) };
        const state = this.now.state === "cancelling" ? {} : { state: stateOf(news) };
        const waits = news.state === "queued";
        this.tell({
            ...changes,
            ...state,
            ahead: waits ? (news.ahead ?? this.now.ahead) : null,
            wait: waits ? (news.ahead === undefined ? this.now.wait : (news.wait ?? null)) : null,
            elapsed: news.elapsed ?? (waits ? null : this.now.elapsed ?? 0),
            retry_in: news.retry ?? null,
        });
    }

    /** @param {Tracked} tracked */
    track(tracked) {
        this.tell({ ...NOTHING, ...tracked });
    }

    /** @param {boolean} connected whether the server answers */
    connect(connected) {
        if (this.told && !this.ended && connected !== this.now.connected) {
            this.tell({ connected });
        }
    }

    /** A cancel was asked for. */
    cancelling() {
        if (this.told && !this.ended) {
            this.tell({ state: "cancelling" });
        }
    }

    /** @param {"succeeded" | "failed" | "cancelled"} state @param {Status["error"]} [error] */
    end(state, error = null) {
        if (this.told || error) {
            this.tell({ state, error, ahead: null, wait: null, retry_in: null, remaining: null, connected: true });
        }
        this.close();
    }

    /** Another job has taken its place: it is not shown any more. */
    replaced() {
        this.close();
        emit("status", this.job.name, this.job.outputs, { run: this.run, status: null });
    }

    close() {
        clearInterval(this.timer);
        this.timer = undefined;
    }

    /** @param {Partial<Status>} changes */
    tell(changes) {
        this.pass();
        const next = { ...this.now, ...changes };
        const same = this.told && agree(this.now, next);
        this.now = next;
        if (!same) {
            this.told = true;
            this.say();
            this.set();
        }
    }

    /** Tell whoever listens on the page. */
    say() {
        const { job, now } = this;
        const stops = job.config.cancelable && !this.ended && now.state !== "cancelling";
        emit("status", job.name, job.outputs, {
            run: this.run,
            status: now,
            indicator: job.config.indicator && job.config.indicator.flatMap((target) => componentsOf(job.pending, target)),
            here: job.isHere(),
            cancelable: job.config.cancelable,
            stop: stops ? () => job.cancel() : null,
            again: now.state === "failed" && !now.error?.reload ? job.again : null,
        });
    }

    /** Let the seconds be those of this moment. */
    pass() {
        const at = Date.now();
        const passed = this.at ? Math.max(0, at - this.at) / 1000 : 0;
        this.at = at;
        this.now = later(this.now, passed);
    }

    /** Let the `status` output have it. */
    set() {
        const { job, now } = this;
        const target = job.config.status;
        if (!target) {
            return;
        }
        componentsOf(job.pending, target).forEach((id) => job.updates.set(id, target.property, rounded(now)));
        if (!this.timer && !this.ended) {
            this.timer = setInterval(() => {
                this.pass();
                this.set();
            }, TICK);
        }
    }
}

/** @param {News} news @returns {Status["state"]} */
function stateOf(news) {
    if (news.state === "queued") {
        return news.retry === undefined ? "queued" : "retrying";
    }
    return "running";
}

/** @typedef {"elapsed" | "wait" | "remaining" | "retry_in"} Seconds */
/** What changes as time passes. @type {Seconds[]} */
const SECONDS = ["elapsed", "wait", "remaining", "retry_in"];

/** @param {Status} one @param {Status} other @returns {boolean} whether they differ in nothing but in parts of a second */
function agree(one, other) {
    const near = SECONDS.every((name) => {
        const [first, second] = [one[name], other[name]];
        return first === null || second === null ? first === second : Math.abs(first - second) < 1;
    });
    return near && sameJson({ ...one, ...pick(other, (value) => value) }, other);
}

/** @param {Status} status @param {(value: number) => number} change @returns {Partial<Status>} */
function pick(status, change) {
    return Object.fromEntries(SECONDS.map((name) => [name, status[name] === null ? null : change(status[name] ?? 0)]));
}

/** @param {Status} status @returns {Status} with tenths of seconds */
function rounded(status) {
    return { ...status, ...pick(status, (value) => Math.round(value * 10) / 10) };
}
