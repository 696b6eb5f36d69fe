/* What runs on this page. */

import { flat, stringify } from "./ids.js";
import { componentsOf } from "./pending.js";
import { renderer } from "./renderer.js";

/** @typedef {import("./types.js").ComponentId} ComponentId */
/** @typedef {import("./job.js").Job} Job */

/** Those that have not settled, the oldest first. @type {Job[]} */
let jobs = [];

/** Jobs whose outcome was given a moment ago to outputs that had just appeared, by slot. @type {Map<string, Job>} */
export const answered = new Map();

/** @param {string} slot @returns {Job[]} those of the same concrete outputs */
export function inSlot(slot) {
    return jobs.filter((job) => job.slot === slot);
}

/** @returns {Job[]} */
export function alive() {
    return jobs;
}

/** @param {Job} job */
export function enter(job) {
    jobs = [...jobs, job];
}

/** @param {Job} job */
export function leave(job) {
    jobs = jobs.filter((other) => other !== job);
}

/** @param {Job} job @returns {boolean} whether it waits until others of its outputs have ended */
export function queues(job) {
    return job.config.retrigger === "queue" || job.config.retrigger === "latest";
}

/**
 * Have dcc.Loading show what still runs, once the renderer has taken note of what has ended: it
 * counts an output as loaded when any callback of it ends.
 * @param {string} slot
 */
export function spin(slot) {
    setTimeout(() => {
        const job = inSlot(slot).find((one) => one.detached && !one.outcome);
        if (job) {
            renderer.loading(true, flat(job.outputs));
        }
    });
}

/**
 * @param {ComponentId} id
 * @param {string} property
 * @param {Job} [except]
 * @returns {boolean} whether a job that runs, except one, has this among its progress
 */
export function inProgress(id, property, except) {
    const name = stringify(id);
    const others = jobs.filter((job) => job !== except && job.begun);
    return others.some(({ config, pending }) =>
        config.progress.some(
            (target) => target.property === property && componentsOf(pending, target).map(stringify).includes(name)
        )
    );
}
