/* What a job sets on the page while it runs: progress, `set_props`, what a generator yields. */

import { propsOf, warnOnce } from "./components.js";
import { nameOf, parseId } from "./ids.js";
import { setProperty } from "./layout.js";
import { apart, patched } from "./patches.js";
import { componentsOf, isOutput, isSentAgain } from "./pending.js";
import { inLine, isEvents } from "./queue.js";
import { renderer } from "./renderer.js";
import { messageOf } from "./values.js";

/** @typedef {import("./types.js").ComponentId} ComponentId */
/** @typedef {import("./job.js").Job} Job */
/** @typedef {import("./types.js").Update} Update */

/** In place of the number of a progress target: what the function reports by `track`. */
const TRACKED = -1;

export class Updates {
    /** @param {Job} job */
    constructor(job) {
        this.job = job;
        /** @type {Set<string>} The outputs that have a value which was yielded. */
        this.yielded = new Set();
        /** @type {Set<string>} The properties that could not be set, which was reported. */
        this.reported = new Set();
    }

    /** @param {Update[0]} target @param {any} value */
    apply(target, value) {
        if (target === TRACKED) {
            this.job.status.track(value);
            return;
        }
        if (typeof target === "number") {
            const place = this.job.config.progress[target];
            if (isEvents(value)) {
                componentsOf(this.job.pending, place).forEach((id) => this.job.events.add(id, place.property, value));
            } else {
                this.job.signs.setProgress(target, value);
            }
            return;
        }
        const [id, property] = [parseId(target[0]), target[1]];
        if (isEvents(value)) {
            this.job.events.add(id, property, value);
        } else if (isOutput(this.job.pending, target[0], property)) {
            // Yielded. Who listens to an output is called once, at the end.
            this.yielded.add(target.join("."));
            inLine(nameOf(id, property), () => renderer.silently(() => this.set(id, property, value)));
        } else if (!isSentAgain(this.job.pending, id, property, value)) {
            inLine(nameOf(id, property), () => this.set(id, property, value));
        }
    }

    /** @param {ComponentId} id @param {string} property @param {any} value */
    set(id, property, value) {
        const props = propsOf(id);
        if (!props) {
            this.job.here && warnOnce(id, property);
            return;
        }
        for (const one of apart(value)) {
            try {
                setProperty(id, property, patched(one, (propsOf(id) || props)[property]));
            } catch (error) {
                this.report(id, property, error);
            }
        }
    }

    /**
     * Report, once for each property, that a value could not be set. The job and its other values go on.
     * @param {ComponentId} id
     * @param {string} property
     * @param {any} error
     */
    report(id, property, error) {
        const name = nameOf(id, property);
        if (!this.reported.has(name)) {
            this.reported.add(name);
            renderer.complain(`The long callback ${this.job.name} could not set ${name}\n${messageOf(error)}`);
        }
    }
}
