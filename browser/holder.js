/*
 * Whose requests wait: those of a few tabs of the browser. The others ask now and then.
 *
 * A place is an entry of localStorage: who has it, until when, and in which app. Web Locks would do the same, but browsers have them
 * for https and localhost only. Two tabs may take a place at the same moment; the browser then tells the one whose
 * entry was replaced.
 */

import { prefix, TAB } from "./page.js";
import { tried } from "./values.js";

/** Tabs of a browser whose requests may wait: it has six connections to a server for all of them. */
const HOLDERS = 2;
/** Milliseconds for which a tab has such a place, and after which it says that it still needs it. */
const HOLDER_LEASE = 8000;
const HOLDER_RENEW = 3000;

/** @param {number} i @returns {string} the name of a place */
const keyOf = (i) => `dash-long-callback holder ${i}`;

export const holder = {
    /** The place that this tab has. */
    key: "",
    /** @type {ReturnType<typeof setInterval> | undefined} */
    timer: undefined,
    /** Called when another tab has it. */
    lost() {},

    /** @returns {boolean} whether a request of this tab may wait */
    take() {
        // The storage may be full, or forbidden: then nobody knows who has the places.
        tried(() => {
            if (this.key && !this.isMine()) {
                this.forget();
            }
            for (let i = 0; i < HOLDERS && !this.key; i++) {
                const key = keyOf(i);
                if (this.isFree(localStorage.getItem(key))) {
                    this.write(key);
                    this.key = key;
                    this.timer = setInterval(() => this.renew(), HOLDER_RENEW);
                }
            }
        });
        return Boolean(this.key);
    },

    /** @param {string} key */
    write(key) {
        localStorage.setItem(key, `${TAB} ${Date.now() + HOLDER_LEASE} ${prefix()}`);
    },

    /** @returns {boolean} whether this tab is the first of its app that has a place */
    follows() {
        const isOurs = (/** @type {string | null} */ entry) => !this.isFree(entry) && entry?.split(" ")[2] === prefix();
        return tried(() => {
            for (let i = 0; i < HOLDERS && keyOf(i) !== this.key; i++) {
                if (isOurs(localStorage.getItem(keyOf(i)))) {
                    return false;
                }
            }
            return Boolean(this.key);
        }, false);
    },

    /** @param {string | null} entry */
    isFree(entry) {
        const left = Number((entry || "").split(" ")[1]) - Date.now();
        return !(left > 0 && left <= HOLDER_LEASE); // a clock may have been set back
    },

    /** @returns {boolean} whether nobody else has taken the place */
    isMine() {
        const entry = localStorage.getItem(this.key);
        return !entry || entry.startsWith(TAB);
    },

    renew() {
        try {
            if (this.isMine()) {
                this.write(this.key);
                return;
            }
        } catch (error) {
            // Full, or forbidden by now.
        }
        this.forget();
        this.lost(); // without a place
    },

    forget() {
        clearInterval(this.timer);
        this.key = "";
    },

    /** Leave the place to another tab, which sees it when it asks next. */
    free() {
        tried(() => this.key && this.isMine() && localStorage.removeItem(this.key)); // it may be forbidden by now
        this.forget();
    },
};
window.addEventListener("storage", (event) => event.key === holder.key && holder.renew());
