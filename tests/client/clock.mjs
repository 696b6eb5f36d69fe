// A clock that goes on only when nothing is left to do: a test of minutes takes milliseconds, and is the same each time.

/** @param {number} seed @returns {() => number} numbers from 0 to 1, the same for the same seed (mulberry32) */
export function seeded(seed) {
    let state = seed >>> 0;
    return () => {
        state = (state + 0x6d2b79f5) >>> 0;
        let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
        mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
        return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
    };
}

export class Clock {
    constructor() {
        this.now = 1_700_000_000_000;
        this.count = 0;
        /** @type {Map<number, {at: number, act: () => void}>} */
        this.timers = new Map();
    }

    /** @param {() => void} act @param {number} [ms] @returns {number} */
    setTimeout(act, ms = 0) {
        this.count += 1;
        this.timers.set(this.count, { at: this.now + Math.max(0, ms), act });
        return this.count;
    }

    /** @param {number} id */
    clearTimeout(id) {
        this.timers.delete(id);
    }

    /** @param {() => void} act @param {number} ms @returns {number} */
    setInterval(act, ms) {
        const id = this.setTimeout(() => {
            this.timers.set(id, { at: this.now + ms, act: again });
            act();
        }, ms);
        const again = /** @type {{act: () => void}} */ (this.timers.get(id)).act;
        return id;
    }

    /** @param {number} ms @returns {Promise<void>} */
    wait(ms) {
        return new Promise((resolve) => this.setTimeout(resolve, ms));
    }

    /**
     * Let time pass until a condition holds.
     * @param {() => boolean} condition
     * @param {number} ms at most
     * @returns {Promise<boolean>} whether it holds
     */
    async until(condition, ms) {
        const end = this.now + ms;
        for (;;) {
            await new Promise((resolve) => setImmediate(resolve)); // all promises that can go on do so
            if (condition()) {
                return true;
            }
            const next = [...this.timers].sort(([a, one], [b, other]) => one.at - other.at || a - b)[0];
            if (!next || next[1].at > end) {
                return false;
            }
            this.timers.delete(next[0]);
            this.now = Math.max(this.now, next[1].at);
            next[1].act();
        }
    }
}
