/* What this tab remembers: the jobs whose answers the page does not have. */

import { prefix, settings } from "./page.js";
import { emitFailed } from "./window_events.js";
import { once, tried } from "./values.js";

/** @typedef {import("./pending.js").PendingJob} PendingJob */

/** Milliseconds after which what is remembered has expired on any server. */
const REMEMBER = 7 * 24 * 3600 * 1000;

export const memory = {
    prefix: once(() => `dash-long-callback ${prefix()} `),

    /**
     * Whether the user of this page may have what was remembered in this tab, perhaps by another.
     * @param {PendingJob} pending
     * @returns {boolean | null} null: not now, but its owner may be back
     */
    mine(pending) {
        const owner = settings().owner;
        if (owner === undefined) {
            return null; // the server could not tell
        }
        if (pending.owner !== owner && (pending.payload || pending.asked)) {
            // What one has clicked, nobody else sends. But the server may have it already.
            pending.doubtful = pending.doubtful || Boolean(pending.payload);
            pending.payload = pending.asked = undefined;
            this.keep(pending);
        }
        if (pending.owner === owner || pending.owner === null) {
            return true; // also what was asked for before a login: the server knows whose it is
        }
        return owner === null && pending.owner ? null : false;
    },

    /** @param {PendingJob} pending */
    keep(pending) {
        // If the storage is full, or forbidden, a reload does not find it.
        tried(() => sessionStorage.setItem(this.prefix() + pending.id, JSON.stringify(pending)));
    },

    /** @param {string} id */
    drop(id) {
        tried(() => sessionStorage.removeItem(this.prefix() + id));
    },

    /** @returns {PendingJob[]} the oldest first */
    all() {
        /** @type {PendingJob[]} */
        const found = [];
        // The storage may be forbidden, and an entry damaged.
        const keys = tried(() => Object.keys(sessionStorage), []).filter((one) => one.startsWith(this.prefix()));
        for (const key of keys) {
            tried(() => {
                const pending = tried(() => JSON.parse(sessionStorage.getItem(key) || "null"));
                const kept = pending && Date.now() - pending.at < REMEMBER;
                const known = kept && settings().callbacks[pending.name];
                const mine = kept ? this.mine(pending) : false;
                if (known && mine) {
                    found.push(pending);
                } else if (mine !== null) {
                    sessionStorage.removeItem(key);
                    if (kept && mine) {
                        emitFailed(pending.name, pending.outputs, { kind: "changed" });
                    }
                }
            });
        }
        return found.sort((one, other) => one.at - other.at);
    },
};
