/* Of triggers that follow each other, the last one starts a job. */

/** @typedef {import("./job.js").Job} Job */

/** @type {Map<string, {job: Job, timer: ReturnType<typeof setTimeout>}>} By slot: one at most waits for each. */
const waiting = new Map();

/** @param {string} slot @returns {Job[]} the job that waits there, if there is one */
export function waitingFor(slot) {
    const one = waiting.get(slot);
    return one ? [one.job] : [];
}

/** @returns {Job[]} */
export function allWaiting() {
    return Array.from(waiting.values(), ({ job }) => job);
}

/**
 * Have a job wait whether another comes for its outputs, which takes its place then.
 * @param {Job} job
 * @param {number} ms
 * @param {() => void} start what is done if none has come, no cancel either, and its outputs are still on the page
 */
export function debounce(job, ms, start) {
    drop(job.slot);
    const timer = setTimeout(() => {
        waiting.delete(job.slot);
        if (!job.settled && job.isHere()) {
            start();
        }
    }, ms);
    waiting.set(job.slot, { job, timer });
}

/** @param {string} slot whose job is not to start */
function drop(slot) {
    clearTimeout((waiting.get(slot) || {}).timer);
    waiting.delete(slot);
}

/** The page is left: nothing that waits is to start. */
export function dropAll() {
    Array.from(waiting.keys()).forEach(drop);
}
