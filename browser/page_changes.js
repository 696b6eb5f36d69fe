/* Components have come or gone: jobs may have found their outputs again, or lost them. */

import { noteStops } from "./cancel_inputs.js";
import { Job } from "./job.js";
import { isNew, notePlaces } from "./layout.js";
import { memory } from "./memory.js";
import { settings } from "./page.js";
import { poller } from "./poller.js";
import { attempt } from "./renderer.js";
import { repeatable } from "./run.js";
import { alive, answered, enter, inSlot, queues, spin } from "./slots.js";
import { submit } from "./submit.js";
import { once } from "./values.js";

/** What was asked before this page was loaded, and is not on it yet. */
const lost = once(() => memory.all());

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
    const found = lost().map((pending) => new Job(pending, settings().callbacks[pending.name]));
    for (const job of found.filter((one) => one.isHere())) {
        lost().splice(lost().indexOf(job.pending), 1);
        attempt(job.name, () => pickUp(job));
    }
}

/** @param {Job} job that was begun before this page was loaded */
function pickUp(job) {
    const waits = queues(job) && inSlot(job.slot).length;
    job.found = job.detached = true;
    if (job.pending.declared !== job.config.declared) {
        job.config = { ...job.config, progress: [] }; // its numbers are those of others by now
    }
    enter(job);
    repeatable(job);
    job.stops.watch();
    if (waits && job.pending.payload) {
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
