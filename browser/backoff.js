/* How long to wait before another try, and when to give up. */

import { TRY_MAX } from "./http.js";
import { settings } from "./page.js";

/** @typedef {import("./http.js").RequestError} RequestError */

/** Milliseconds between tries when the server can't be reached: doubled, up to the second. */
const RETRY_MIN = 250;
const RETRY_MAX = 5000;

/** Counts failed tries, and says how long to wait before the next. */
export class RetryBudget {
    constructor() {
        this.failures = 0;
        /** Milliseconds that went by in failed tries and pauses. */
        this.tried = 0;
        this.since = Date.now();
    }

    begin() {
        this.since = Date.now();
    }

    succeed() {
        this.failures = 0;
        this.tried = 0;
    }

    /** Whether it is more than a moment: the page says so. */
    get lasts() {
        return this.failures > 1;
    }

    /** @param {RequestError} fault @returns {number | null} milliseconds to wait; null: it is over */
    fail(fault) {
        const pause = Math.min(RETRY_MIN * 2 ** this.failures, RETRY_MAX);
        this.failures += 1;
        if (navigator.onLine !== false) {
            this.tried += Math.min(Date.now() - this.since, TRY_MAX) + pause;
        }
        if (fault.final || this.tried > settings().patience * 1000) {
            return null;
        }
        // Many pages have lost the same server in the same moment.
        return Math.max(pause * (0.75 + Math.random() / 2), fault.pause);
    }

    /** @param {string} what @param {RequestError} fault @returns {string} */
    message(what, fault) {
        return fault.final ? fault.message : `${what} (tried for ${Math.round(this.tried / 1000)} s): ${fault.message}`;
    }

    /** The network is back: try at once, and often. */
    renew() {
        this.failures = 0;
    }

    /** @param {number} ms @returns {Promise<void>} after these, or when the network is back */
    wait(ms) {
        return new Promise((resolve) => {
            const online = () => {
                this.renew();
                done();
            };
            const done = () => {
                clearTimeout(timer);
                window.removeEventListener("online", online);
                resolve();
            };
            const timer = setTimeout(done, ms);
            window.addEventListener("online", online);
        });
    }
}
