/* Components have come or gone: jobs may have found their outputs again, or lost them. */

import { noteStops } from "./cancel_inputs.js";
import { Job } from "./job.js";
import { checkLayout, isNew, notePlaces } from "./layout.js";
import { memory } from "./memory.js";
import { settings } from "./page.js";
import { poller } from "./poller.js";
import { attempt, renderer } from "./renderer.js";
import { repeatable, replace } from "./run.js";
import { alive, answered, enter, inSlot, queues, spin } from "./slots.js";
import { cancelJob, submit } from "./submit.js";
import { once } from "./values.js";

/** @typedef {import("./pending.js").PendingJob} PendingJob */
/** @typedef {import("./types.js").ComponentId} ComponentId */
/** @typedef {import("./types.js").Config} Config */
/** @typedef {import("./types.js").News} News */

/** What was asked before this page was loaded, and is not on it yet. */
const lost = once(() => memory.all());
/** Those of them that code has started, with the end of such as need not be asked for. @type {Map<PendingJob, News | null>} */
const brought = new Map();

/** Bring what is known of the page up to date. */
export function onPageChange() {
    noteStops();
    answered.forEach((job) => job.isHere() || answered.delete(job.slot));
    const jobs = alive();
    for (const job of jobs) {
        attempt(job.name, () => job.events.reappear());
        attempt(job.name, () => {
            job.signs.renew(isNew);
            job.appear(job.isHere());
            job.stops.watch();
        });
    }
    notePlaces(jobs.flatMap((job) => job.signs.all().map(([id]) => id)));
    pickUpThoseHere();
}

/**
 * A job was started by code, which lets this page show it.
 * @param {PendingJob} pending
 * @param {News | null} news the end, of one that need not be asked for
 */
export function bring(pending, news) {
    checkLayout();
    if (!news) {
        const shown = alive().filter((other) => !other.cancelled);
        const same = [...shown.map((other) => other.pending), ...lost()].find(
            (other) => other.ref === pending.ref && other.name === pending.name
        );
        if (same) {
            same.id !== pending.id && cancelJob(pending.id); // of two names for one job, this one waits no more
            return;
        }
        memory.keep(pending);
    }
    brought.set(pending, news);
    lost().push(pending);
    pickUpThoseHere();
}

/** Pick up those that are on the page by now. */
function pickUpThoseHere() {
    const found = lost().map((pending) => new Job(pending, settings().callbacks[pending.name]));
    for (const job of found.filter((one) => one.isHere())) {
        lost().splice(lost().indexOf(job.pending), 1);
        attempt(job.name, () => (brought.has(job.pending) ? show(job) : pickUp(job)));
    }
}

/** @param {Job} job that was brought: as by a click, it takes the place of another */
function show(job) {
    const { pending, slot } = job;
    const [news, others] = [brought.get(pending), inSlot(slot)];
    brought.delete(pending);
    // The renderer may wait for them, and would wait for ever.
    others.forEach((other) => other.detach());
    pickUp(job, news);
    if (job.config.retrigger === "replace") {
        others.forEach((other) => replace(other, job));
    }
    if (news) {
        job.receive(news);
    } else {
        memory.keep(pending);
    }
}

/** @param {Config} config @returns {any[]} for each ALL of ours, the ids behind it, which the renderer tells of clicks */
function everyOf({ running, progress, indicator, status }) {
    /** @type {ComponentId[][]} */
    const every = [];
    for (const { all, id } of [...running, ...progress, ...(indicator || []), ...(status ? [status] : [])]) {
        if (all !== undefined) {
            every[all] = renderer.ids(id);
        }
    }
    return every;
}

/**
 * @param {Job} job that was begun before this page was loaded, or by code
 * @param {News | null} [news] the end of it, if that need not be asked for
 */
function pickUp(job, news) {
    const waits = queues(job) && inSlot(job.slot).length;
    job.found = job.detached = true;
    if (job.pending.declared !== job.config.declared) {
        job.config = { ...job.config, progress: [] }; // its numbers are those of others by now
    }
    if (job.pending.ref) {
        job.pending.every = everyOf(job.config);
    }
    enter(job);
    repeatable(job);
    job.stops.watch();
    if (waits && job.pending.payload) {
        return;
    }
    if (news) {
        job.begun = job.known = true; // nothing flashes
        return;
    }
    if (!job.pending.doubtful) {
        job.signs.show();
        spin(job.slot);
        job.status.begin();
    }
    if (job.pending.payload) {
        submit(job); // the page was left before the server had answered
    } else {
        job.begun = job.known = true;
        poller.add(job, 0);
    }
}
