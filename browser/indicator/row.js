/* What the user sees of one job: its words, a bar, and buttons. */

import { language, say, texts } from "../texts.js";
import { percent, wordsFor } from "./words.js";

/** @typedef {import("./main.js").Detail} Detail */
/** @typedef {import("../status.js").Status} Status */

const NAME = "long-callback-indicator-";

/** @param {string} tag @param {string} name @returns {HTMLElement} */
function element(tag, name) {
    const made = document.createElement(tag);
    made.className = NAME + name;
    return made;
}

/** @param {HTMLElement} one @param {string} text */
function write(one, text) {
    if (one.textContent !== text) {
        one.textContent = text;
    }
    one.hidden = !text;
}

export class Row {
    /** @param {() => void} dismiss */
    constructor(dismiss) {
        this.element = element("div", "row");
        this.element.setAttribute("role", "group");
        const head = element("div", "head");
        this.state = element("span", "state");
        this.time = element("span", "time");
        this.percent = element("span", "percent");
        this.details = element("div", "details");
        this.bar = element("div", "bar");
        this.fill = element("div", "fill");
        this.bar.append(this.fill);
        const buttons = element("div", "buttons");
        this.again = this.button("again", () => this.detail?.again?.());
        this.reload = this.button("reload", () => location.reload());
        this.stop = this.button("stop", () => this.detail?.stop?.());
        this.dismiss = this.button("dismiss", dismiss);
        buttons.append(this.again, this.reload, this.stop, this.dismiss);
        head.append(this.state, this.time, this.percent, buttons);
        this.element.append(head, this.details, this.bar);
        /** @type {Detail | null} */
        this.detail = null;
        /** What a screen reader is told, and what that is about: only when this changes it is told again. */
        this.told = this.about = "";
    }

    /** @param {string} name @param {() => void} click @returns {HTMLElement} */
    button(name, click) {
        const made = element("button", name);
        made.setAttribute("type", "button");
        made.addEventListener("click", click);
        return made;
    }

    /** @param {Detail} detail @param {Status} status with the seconds of this moment @param {boolean} back */
    draw(detail, status, back) {
        this.detail = detail;
        const words = wordsFor(status, back);
        const failed = status.state === "failed";
        const waits = status.state === "queued" || status.state === "retrying";
        const active = waits || status.state === "running" || status.state === "cancelling";
        this.element.dataset.state = status.connected ? status.state : "reconnecting";
        this.state.lang = words.own ? language() : "";
        write(this.state, words.state);
        write(this.time, words.time);
        const known = active && !waits && status.fraction !== null;
        write(this.percent, known ? percent(status.fraction || 0) : "");
        const ref = failed && status.error?.ref ? `${say("number")} ${status.error.ref}` : "";
        write(this.details, [...words.details, ref].filter(Boolean).join(" · "));
        this.drawBar(active && !waits, known ? status.fraction : null, words.details);
        this.drawButtons(detail, failed, status);
        // Not of seconds and numbers, which change all the time.
        const { state, attempt, text, ahead, connected } = status;
        const about = JSON.stringify([state, attempt, text, ahead, connected, back, ref]);
        if (about !== this.about) {
            this.about = about;
            const details = state === "running" ? [text] : active ? words.details.slice(0, 1) : words.details;
            this.told = [words.state, ...details, ref].filter(Boolean).join(", ");
        }
    }

    /** @param {boolean} shown @param {number | null} fraction @param {string[]} details */
    drawBar(shown, fraction, details) {
        const { bar, fill } = this;
        bar.hidden = !shown;
        if (!shown) {
            bar.removeAttribute("role");
            return;
        }
        bar.setAttribute("role", "progressbar");
        bar.setAttribute("aria-label", say("progress"));
        bar.classList.toggle(NAME + "unknown", fraction === null);
        if (fraction === null) {
            ["aria-valuenow", "aria-valuetext"].forEach((name) => bar.removeAttribute(name));
            fill.style.inlineSize = "";
        } else {
            bar.setAttribute("aria-valuenow", String(Math.floor(fraction * 100)));
            bar.setAttribute("aria-valuetext", [percent(fraction), ...details].join(", "));
            fill.style.inlineSize = `${fraction * 100}%`;
        }
    }

    /** @param {Detail} detail @param {boolean} failed @param {Status} status */
    drawButtons(detail, failed, status) {
        const { try_again, reload, stop, dismiss } = texts();
        write(this.again, failed && detail.again ? try_again : "");
        write(this.reload, failed && status.error?.reload ? reload : "");
        const stops = Boolean(detail.stop) || status.state === "cancelling";
        write(this.stop, stops && detail.cancelable ? stop : "");
        // Not disabled: the focus would be lost.
        this.stop.setAttribute("aria-disabled", String(!detail.stop));
        write(this.dismiss, failed ? "×" : "");
        this.dismiss.setAttribute("aria-label", dismiss);
        this.dismiss.title = dismiss;
    }
}
