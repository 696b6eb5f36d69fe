/* What an indicator says of a job. */

import { language, say, textOf, texts } from "../texts.js";

/** @typedef {import("../status.js").Status} Status */

/**
 * @typedef {Object} Words
 * @property {string} state in a word or two
 * @property {string} time how long it has been in that state
 * @property {string[]} details
 * @property {boolean} own whether these are words of the page's language, and not an author's
 */

/** @param {number} value @returns {string} */
function number(value) {
    return new Intl.NumberFormat(language(), { maximumFractionDigits: value < 10 ? 1 : 0 }).format(value);
}

/** @param {number} fraction @returns {string} */
export function percent(fraction) {
    return new Intl.NumberFormat(language(), { style: "percent" }).format(Math.floor(fraction * 100) / 100);
}

/** @param {number} seconds @returns {string} in the two largest units that it has */
export function time(seconds) {
    const whole = Math.floor(seconds);
    if (whole < 60) {
        return `${whole} s`;
    }
    if (whole < 3600) {
        return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, "0")} s`;
    }
    return `${Math.floor(whole / 3600)} h ${String(Math.floor((whole % 3600) / 60)).padStart(2, "0")} min`;
}

/** @param {number} seconds that are not known well @returns {string} */
export function estimate(seconds) {
    if (seconds < 10) {
        return `${Math.max(1, Math.round(seconds))} s`;
    }
    if (seconds < 57.5) {
        return `${Math.round(seconds / 5) * 5} s`;
    }
    const minutes = Math.round(seconds / 60);
    return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** @param {"retry" | "attempt"} name @param {number} attempt @param {string} [left] @returns {string} */
function ofAttempt(name, attempt, left = "") {
    const own = `${name} ${attempt}`;
    return say(own in texts() ? own : name, { attempt, time: left });
}

/** @param {Status} status with the seconds of this moment @param {boolean} back whether it has just answered again @returns {Words} */
export function wordsFor(status, back) {
    const own = { time: "", details: /** @type {string[]} */ ([]), own: true };
    if (status.error) {
        return { ...own, state: textOf(status.error), own: !status.error.user };
    }
    const words = { ...own, ...ofState(status) };
    if (!status.connected) {
        return { ...words, state: say("reconnecting") };
    }
    return back ? { ...words, state: say("connected") } : words;
}

/** @param {Status} status @returns {Partial<Words> & {state: string}} */
function ofState(status) {
    switch (status.state) {
        case "queued":
            return { state: say("waiting"), details: place(status) };
        case "retrying":
            // Once its time has come, it waits for a worker like any other.
            return status.retry_in
                ? { state: ofAttempt("retry", status.attempt, time(Math.ceil(status.retry_in))) }
                : { state: say("waiting"), details: [ofAttempt("attempt", status.attempt), ...place(status)] };
        case "cancelling":
            return { state: say("cancelling"), time: time(status.elapsed || 0) };
        case "cancelled":
            return { state: say("cancelled") };
        case "succeeded":
            return { state: say("finished") };
        default:
            return { state: say("running"), time: time(status.elapsed || 0), details: progress(status) };
    }
}

/** @param {Status} status @returns {string[]} where it waits */
function place({ ahead, wait }) {
    if (ahead === null) {
        return [];
    }
    const first = ahead ? say("ahead", { count: ahead }) : say("next");
    return wait === null || wait < 1 ? [first] : [first, say("about", { time: estimate(wait) })];
}

/** @param {Status} status @returns {string[]} how far it is */
function progress({ attempt, text, done, total, rate, remaining }) {
    return [
        attempt > 1 ? ofAttempt("attempt", attempt) : "",
        text || "",
        done !== null && total !== null ? say("of", { done: number(done), total: number(total) }) : "",
        rate !== null && rate >= 0.1 ? say("each_second", { rate: number(rate) }) : "",
        remaining !== null ? say("left", { time: estimate(remaining) }) : "",
    ].filter(Boolean);
}
