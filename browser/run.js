/* A long callback is triggered. */

import { noteChange } from "./cancel_inputs.js";
import { debounce, waitingFor } from "./debounce.js";
import { Job } from "./job.js";
import { checkLayout } from "./layout.js";
import { memory } from "./memory.js";
import { clientside, random } from "./page.js";
import { pendingJob } from "./pending.js";
import { poller } from "./poller.js";
import { renderer } from "./renderer.js";
import { answered, enter, inSlot, leave, queues, spin } from "./slots.js";
import { submit } from "./submit.js";

/** @typedef {import("./types.js").Config} Config */
/** @typedef {import("./pending.js").PendingJob} PendingJob */

/** Milliseconds after which the page shows that a job runs whose result may have been kept. */
const SHOW_AFTER = 60;
/** Triggers that wait in a queue at most: those of an interval that is shorter than its job would come for ever. */
const QUEUE_MAX = 50;

/**
 * @param {string} name
 * @param {Config} config
 * @returns {Promise<any>}
 */
export function run(name, config) {
    const context = clientside.callback_context;
    const job = new Job(pendingJob(name, config, context), config);
    checkLayout();
    const changed = renderer.isChange(name, context.triggered.map((/** @type {any} */ one) => one.prop_id));
    const wait = changed ? config.debounce : null;
    if ((!changed && isAskedAlready(job)) || (!wait && isIgnored(job))) {
        letGo(job);
        return job.promise;
    }
    // The change that has triggered it does not cancel it, but others may have since.
    context.triggered.forEach((/** @type {any} */ one) => noteChange(one.prop_id, one.value));
    if (wait) {
        // Detached from now on: a promise that waits would take one of the renderer's twelve places.
        job.stops.watch();
        letGo(job);
        debounce(job, wait, () => {
            if (!isIgnored(job)) {
                start(job);
                spin(job.slot); // the renderer has long ended its call
            }
        });
    } else {
        start(job);
    }
    return job.promise;
}

/**
 * @param {Job} job
 * @param {boolean} [now] whether it was asked for in this moment, by who is logged in
 */
function start(job, now = true) {
    const { config } = job;
    const others = inSlot(job.slot);
    enter(job);
    repeatable(job);
    job.stops.watch(); // also those that have come while it waited
    if (config.retrigger === "replace") {
        others.forEach((other) => replace(other, job));
    } else {
        // The renderer forgets a callback when it is triggered again.
        job.detach();
    }
    if (config.retrigger === "latest") {
        others.filter((other) => !other.begun).forEach((other) => other.cancel());
    }
    if (!queues(job) || !others.length) {
        if (config.cached) {
            // The answer may be there already: then nothing flashes.
            setTimeout(() => job.signs.show(), SHOW_AFTER);
        } else {
            job.signs.show();
        }
        submit(job, now);
    }
    memory.keep(job.pending); // while the request is on its way
}

/**
 * Let a job be asked for once more, if it is known what was asked.
 * @param {Job} job
 */
export function repeatable(job) {
    const payload = job.pending.payload || job.pending.asked;
    if (payload) {
        const pending = { ...job.pending, payload, asked: undefined };
        job.again = () => again(pending, job.config);
    }
}

/** @param {PendingJob} pending of the job before @param {Config} config */
function again(pending, config) {
    const job = new Job({ ...pending, id: random(24), at: Date.now() }, config);
    letGo(job);
    if (!isIgnored(job)) {
        start(job, false);
        spin(job.slot); // the renderer has not called for it
    }
}

/**
 * End its promise, and those of the others: the renderer forgets a callback when it calls it again.
 * @param {Job} job
 */
function letGo(job) {
    [...inSlot(job.slot), job].forEach((one) => one.detach());
}

/** @param {Job} job @returns {boolean} whether it is not to start, as another runs, or too many wait */
function isIgnored(job) {
    const count = inSlot(job.slot).length;
    if (job.config.retrigger === "queue" && count > QUEUE_MAX) {
        console.warn(`Long callback ${job.name}: a trigger is dropped, as ${QUEUE_MAX} wait already`);
        return true;
    }
    return job.config.retrigger === "ignore" && count > 0;
}

/**
 * @param {Job} job that the renderer only calls for as components have come, or the page was loaded
 * @returns {boolean} whether what it asks runs or waits already, or was answered just now
 */
function isAskedAlready(job) {
    const last = answered.get(job.slot);
    answered.delete(job.slot);
    return [...inSlot(job.slot), ...waitingFor(job.slot), ...(last ? [last] : [])].some(
        (other) => !other.cancelled && other.pending.values === job.pending.values
    );
}

/** @param {Job} old @param {Job} job which takes its place */
export function replace(old, job) {
    old.cancel();
    if (!old.settled) {
        old.settled = true;
        poller.remove(old);
        memory.drop(old.id);
        leave(old);
        old.status.replaced();
        // "running" simply stays on. So do spinners, which the end of any promise of these outputs
        // turns off: the old one ends with the new.
        const end = () => old.reject(clientside.PreventUpdate);
        job.promise.then(end, end);
    }
    job.signs.shown = job.signs.shown || old.signs.shown;
    job.signs.reset(); // before the new run writes some
}
