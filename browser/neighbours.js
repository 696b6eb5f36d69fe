/*
 * What the tabs of a browser tell each other: those whose requests may not wait, which jobs they wait for; and one
 * whose request waits, that there is news of such a job, so that its tab asks at once instead of later.
 *
 * What they tell is a hint and no news. Each tab gets what its jobs have to say from the server, by its own request;
 * a hint that is lost, late or wrong costs time, or a request.
 */

import { holder } from "./holder.js";
import { prefix } from "./page.js";
import { tried } from "./values.js";

/** Milliseconds for which a tab that was heard of counts as open: those in the background ask once a minute. */
const OPEN = 70000;
/** Jobs of other tabs that a request follows, at most. */
const OTHERS_MAX = 500;

/** @typedef {Object<string, number>} Seen jobs, each with the sequence number that was seen */
/** @typedef {Object<string, [number, boolean]>} Moved jobs with news: its number, and whether the job has ended */

export const neighbours = {
    /** @type {BroadcastChannel | null} Open while this tab waits for jobs: a page with one may not be kept by "back". */
    channel: null,
    /** @type {Map<string, {seq: number, until: number}>} The jobs of other tabs. */
    jobs: new Map(),
    /** Called when another tab, whose request waits from now on, asks who is there. */
    asked() {},
    /** Called when the request of another tab waits no longer. */
    left() {},
    /** Called when other tabs wait for jobs that the request of this tab does not follow yet. */
    joined() {},
    /** @param {Moved} _jobs of this tab, perhaps, of which there is news */
    moved(_jobs) {},

    open() {
        if (!this.channel && typeof BroadcastChannel !== "undefined") {
            tried(() => {
                this.channel = new BroadcastChannel(`dash-long-callback ${prefix()}`);
                this.channel.onmessage = ({ data }) => tried(() => this.hear(data)); // of another version, perhaps
            });
        }
    },

    close() {
        this.channel?.close();
        this.channel = null;
        this.jobs.clear();
    },

    /** @returns {Seen | undefined} the jobs of other tabs, if it is this one that follows them */
    followed() {
        if (!holder.follows()) {
            return undefined;
        }
        this.jobs.forEach(({ until }, id) => until < Date.now() && this.jobs.delete(id));
        const jobs = Array.from(this.jobs).slice(-OTHERS_MAX);
        return jobs.length ? Object.fromEntries(jobs.map(([id, { seq }]) => [id, seq])) : undefined;
    },

    /** The request of this tab waits no longer: what others wait for, nobody may follow now. */
    leave() {
        this.say({ left: true });
    },

    /** The request of this tab waits from now on: have the others tell. */
    ask() {
        this.say({ who: true });
    },

    /** @param {Seen} wait what this tab waits for, and its request does not */
    tell(wait) {
        this.say({ wait });
    },

    /** @param {Moved} moved of other tabs */
    pass(moved) {
        this.note(moved);
        this.say({ moved });
    },

    /** @param {{who?: true, left?: true, wait?: Seen, moved?: Moved}} what */
    say(what) {
        tried(() => this.channel?.postMessage(what));
    },

    /** @param {any} data */
    hear(data) {
        data.who && this.asked();
        data.left && this.left();
        if (data.moved) {
            this.note(data.moved);
            this.moved(data.moved);
        }
        let others = false;
        for (const [id, seq] of Object.entries(data.wait || {})) {
            if (!Number.isInteger(seq)) {
                continue; // the server would refuse all that is asked
            }
            const known = this.jobs.get(id);
            others = others || !known;
            this.jobs.set(id, { seq: Math.max(seq, known?.seq || 0), until: Date.now() + OPEN });
        }
        if (others && holder.follows()) {
            this.joined();
        }
    },

    /** @param {Moved} moved */
    note(moved) {
        for (const [id, [seq, ended]] of Object.entries(moved)) {
            const known = this.jobs.get(id);
            if (known) {
                known.seq = Math.max(seq, known.seq);
                ended && this.jobs.delete(id);
            }
        }
    },
};
