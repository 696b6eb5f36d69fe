/* The events of a job: values that are to reach their component each, where of others the latest will do. */

import { componentOf, warnOnce } from "./components.js";
import { nameOf } from "./ids.js";
import { memory } from "./memory.js";
import { giveEvent, inLine } from "./queue.js";
import { renderer } from "./renderer.js";

/** @typedef {import("./types.js").ComponentId} ComponentId */
/** @typedef {import("./job.js").Job} Job */

/** Events of a component and property that are kept for it to come back. */
const EVENTS_MAX = 10000;

/** @typedef {"once" | "step" | "file"} EventKind */
/** @typedef {{seq: number, kind: EventKind, value: any}} Happening */
/**
 * @typedef {Object} Line The events for one component and property.
 * @property {ComponentId} id
 * @property {string} property
 * @property {number} last the number of the latest that has come
 * @property {boolean} here whether the component was on the page when it was last looked for
 * @property {number} round how often it has come back
 * @property {Set<Happening>} kept those that it gets when it comes back
 */

export class EventLines {
    /** @param {Job} job */
    constructor(job) {
        this.job = job;
        /** @type {Map<string, Line>} By component and property. */
        this.lines = new Map();
        /** How many wait or are on their way. */
        this.waiting = 0;
        /** @type {(() => void) | null} */
        this.then = null;
    }

    /** @param {() => void} action for the moment when all has happened that was to */
    whenDone(action) {
        if (this.waiting) {
            this.then = action;
        } else {
            action();
        }
    }

    /**
     * Events wait in a line for each component and property.
     * @param {ComponentId} id
     * @param {string} property
     * @param {{__dash_long_callback_events: EventKind, events: [number, any][]}} news
     */
    add(id, property, { __dash_long_callback_events: kind, events }) {
        const name = nameOf(id, property);
        const line = this.lines.get(name) || { id, property, last: 0, here: true, round: 0, kept: new Set() };
        this.lines.set(name, line);
        for (const [seq, value] of events) {
            if (seq > line.last) {
                line.last = seq;
                const event = { seq, kind, value };
                line.kept.add(event);
                this.happen(line, event);
                if (line.kept.size > EVENTS_MAX) {
                    const [oldest] = line.kept;
                    line.kept.delete(oldest);
                }
            }
        }
    }

    /** Components have come or gone: what is new gets the events again that are to be seen in it. */
    reappear() {
        for (const line of this.lines.values()) {
            const here = Boolean(componentOf(line.id));
            if (here && !line.here) {
                line.round += 1;
                line.kept.forEach((event) => this.happen(line, event));
            }
            line.here = here;
        }
    }

    /** @param {Line} line @param {Happening} event */
    happen(line, event) {
        const { round } = line;
        this.waiting += 1;
        inLine(nameOf(line.id, line.property), async () => {
            try {
                if (!this.job.settled && line.round === round) {
                    await this.deliver(line, event);
                }
            } catch (error) {
                this.job.updates.report(line.id, line.property, error);
            } finally {
                this.waiting -= 1;
                if (!this.waiting && this.then) {
                    const then = this.then;
                    this.then = null;
                    then();
                }
            }
        });
    }

    /** @param {Line} line @param {Happening} event */
    async deliver(line, event) {
        const component = componentOf(line.id);
        if (!component) {
            line.here = false; // it may come back
            this.job.here && warnOnce(line.id, line.property);
            return;
        }
        await renderer.loaded(component);
        if (this.job.settled) {
            return;
        }
        // Only the page knows whether something that looks like a file is one.
        if (event.kind === "once" || (event.kind === "file" && component.type === "Download")) {
            line.kept.delete(event);
            const { pending } = this.job;
            const name = nameOf(line.id, line.property);
            const happened = (pending.happened = pending.happened || {});
            if (event.seq <= (happened[name] || 0)) {
                return; // before the page was loaded again
            }
            happened[name] = event.seq;
            memory.keep(pending);
        }
        await giveEvent(component, line.id, line.property, event.value);
    }
}
