/* What runs on this page. */

import { flat, stringify } from "./ids.js";
import { componentsOf } from "./pending.js";
import { renderer } from "./renderer.js";

/** @typedef {import("./types.js").ComponentId} ComponentId */
/** @typedef {import("./job.js").Job} Job */

/** The jobs of each set of concrete outputs that have not settled, the oldest first. @type {Map<string, Job[]>} */
const slots = new Map();

/** Jobs whose outcome was given a moment ago to outputs that had just appeared, by slot. @type {Map<string, Job>} */
export const answered = new Map();

/** @param {string} slot @returns {Job[]} */
export function inSlot(slot) {
    return slots.get(slot) || [];
}

/** @returns {Job[]} */
export function alive() {
    return Array.from(slots.values()).flat();
}

/** @param {Job} job */
export function enter(job) {
    slots.set(job.slot, [...inSlot(job.slot), job]);
}

/** @param {Job} job */
export function leave(job) {
    const others = inSlot(job.slot).filter((other) => other !== job);
    if (others.length) {
        slots.set(job.slot, others);
    } else {
        slots.delete(job.slot);
    }
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
    return alive().some(
        (job) =>
            job !== except &&
            job.begun &&
            job.config.progress.some(
                (target) =>
                    target.property === property && componentsOf(job.pending, target).some((other) => stringify(other) === name)
            )
    );
}
