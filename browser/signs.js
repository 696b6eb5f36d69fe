/* How the page shows that a job runs: what `running` and `progress` set, also on components that come back. */

import { afterPaint, propsOf } from "./components.js";
import { nameOf } from "./ids.js";
import { notePlace } from "./layout.js";
import { isPatch } from "./patches.js";
import { componentsOf } from "./pending.js";
import { inLine } from "./queue.js";
import { inProgress, inSlot } from "./slots.js";
import { sameJson } from "./values.js";

/** @typedef {import("./types.js").ComponentId} ComponentId */
/** @typedef {import("./job.js").Job} Job */
/** @typedef {import("./types.js").Target} Target */

/** @typedef {[ComponentId, string, any]} Sign A component, its property, and the value that shows it. */

export class Signs {
    /** @param {Job} job */
    constructor(job) {
        this.job = job;
        /** Whether the page shows it. */
        this.shown = false;
        /** @type {Map<number, any>} The latest progress. */
        this.progress = new Map();
        /** How many values of progress no screen has shown yet. */
        this.unseen = 0;
    }

    /** Show that the job runs, unless that is shown already. */
    show() {
        if (!this.shown && !this.job.settled) {
            this.shown = true;
            this.setRunning("on");
            this.all().forEach(([id]) => notePlace(id));
        }
    }

    /** Show that it runs no more, unless others of these outputs do. */
    hide() {
        if (this.shown) {
            this.shown = false;
            if (!inSlot(this.job.slot).some((other) => other !== this.job && !other.outcome)) {
                this.setRunning("off");
            }
            this.reset();
        }
    }

    /** @param {"on" | "off"} which */
    setRunning(which) {
        const { config, pending, updates } = this.job;
        for (const target of config.running) {
            componentsOf(pending, target).forEach((id) => updates.set(id, target.property, target[which]));
        }
    }

    /** @param {number} index of a progress output @param {any} value */
    setProgress(index, value) {
        const target = this.job.config.progress[index];
        this.unseen += 1;
        afterPaint(() => (this.unseen -= 1));
        this.progress.set(index, value);
        for (const id of componentsOf(this.job.pending, target)) {
            inLine(nameOf(id, target.property), () => this.job.updates.set(id, target.property, value));
        }
    }

    /** What an attempt has reported that failed is of no use to the next. */
    restart() {
        this.progress.clear();
        this.reset();
    }

    /** Set progress to what it is when nothing runs. */
    reset() {
        const { progress, defaults, keeps } = this.job.config;
        if (keeps) {
            return;
        }
        progress.forEach((target, index) => {
            for (const id of componentsOf(this.job.pending, target)) {
                const event = !defaults && this.job.events.lines.has(nameOf(id, target.property));
                if (!event && !inProgress(id, target.property, this.job)) {
                    this.job.updates.set(id, target.property, defaults ? defaults[index] : null);
                }
            }
        });
    }

    /** @returns {Sign[]} all that shows that it runs */
    all() {
        const { running, progress } = this.job.config;
        /** @type {[Target, any][]} */
        const targets = running.map((target) => [target, target.on]);
        progress.forEach((target, index) => targets.push([target, this.progress.get(index)]));
        return targets.flatMap(([target, value]) =>
            componentsOf(this.job.pending, target).map((id) => /** @type {Sign} */ ([id, target.property, value]))
        );
    }

    /** @param {(id: ComponentId) => boolean} isNew whether a component has come back, or is another one of its name */
    renew(isNew) {
        /** @type {Map<string, Sign>} The last of several signs in one place. */
        const latest = new Map();
        for (const sign of this.shown ? this.all() : []) {
            // A Patch was for what the component had before.
            if (sign[2] !== undefined && !isPatch(sign[2]) && isNew(sign[0])) {
                latest.set(nameOf(sign[0], sign[1]), sign);
            }
        }
        for (const [id, property, value] of latest.values()) {
            if (!sameJson((propsOf(id) || {})[property], value)) {
                this.job.updates.set(id, property, value);
            }
        }
    }
}
