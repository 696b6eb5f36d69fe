/*
 * Notices: what the user of a page sees of a long callback that did not succeed.
 *
 * The client dispatches events of the window, so that neither script waits for the other, and an
 * app can do the same:
 *
 *     long-callback-failed      a notice, unless the app has prevented it, or an indicator or the app shows it
 *     long-callback-started     notices of the same outputs go
 *     long-callback-succeeded   the same
 *
 * All texts are set as text, all looks are in notice.css: nothing here is for a Content-Security-Policy
 * to forbid.
 */

import { dark, schemeOfPage } from "../scheme.js";
import { language, textOf, texts } from "../texts.js";

/** @typedef {{callback: string, outputs: {id: any, property: string}[]}} Work */
/**
 * What the event has of a Failure of ../types.js, and of what.
 * @typedef {Work & {kind: string, message: string, user: boolean, ref: string | null, reload: boolean, shown: boolean}} Failure
 */

/** Notices at the same time: of more, the oldest go. */
const NOTICES_MAX = 3;
/** Where Escape means something else. */
const OWN_ESCAPE = "input, textarea, select, [contenteditable], dialog, [role=dialog], [role=menu], [role=listbox], [aria-modal]";

/** @param {string} tag @param {string} name @param {string} [text] @returns {HTMLElement} */
function element(tag, name, text = "") {
    const made = document.createElement(tag);
    made.className = "long-callback-notice" + name;
    made.textContent = text;
    return made;
}

/** @param {string} name @param {string} text @param {() => void} click @returns {HTMLElement} */
function button(name, text, click) {
    const made = element("button", name, text);
    made.setAttribute("type", "button");
    made.addEventListener("click", click);
    return made;
}

// In the page from the start, as screen readers tell only what comes into a region that they know.
// Politely: what has failed can wait until they have read what they are at.
const region = element("div", "s");
region.setAttribute("role", "alert");
region.setAttribute("aria-live", "polite");
region.setAttribute("aria-atomic", "false");

/** Room at the end of a page that scrolls, so that no notice covers its end for good. */
const spacer = element("div", "-room");
spacer.setAttribute("aria-hidden", "true");

/** What had the focus before a notice got it. @type {Element | null} */
let before = null;

class Notice {
    /** @param {string} text @param {Failure} failure which it is about */
    constructor(text, failure) {
        const { reload, dismiss: label } = texts();
        this.text = text;
        /** How often each callback and its outputs have failed so. @type {Map<string, number>} */
        this.counts = new Map();
        this.element = element("div", "");
        const paragraph = element("p", "-text", text);
        if (!failure.user) {
            paragraph.lang = language();
        }
        this.details = element("p", "-details");
        this.element.append(paragraph, this.details);
        if (failure.reload) {
            this.element.append(button("-reload", reload, () => location.reload()));
        }
        const dismiss = button("-dismiss", "×", () => remove(this));
        dismiss.setAttribute("aria-label", label);
        dismiss.title = label;
        this.element.append(dismiss);
    }

    /** @param {Failure} failure */
    add(failure) {
        const work = nameOf(failure);
        this.counts.set(work, (this.counts.get(work) || 0) + 1);
        this.ref = failure.ref;
        this.showDetails();
    }

    /** Write how often, and the number under which the server has more. */
    showDetails() {
        const { times, number } = texts();
        const count = Array.from(this.counts.values()).reduce((sum, one) => sum + one, 0);
        const parts = [count > 1 ? `${count} ${times}` : "", this.ref ? `${number} ${this.ref}` : ""];
        const details = parts.filter(Boolean).join(" · ");
        if (this.details.textContent !== details) {
            this.details.textContent = details;
        }
        this.details.hidden = !details;
    }

    /** @param {string} work that has begun anew, or was done */
    forget(work) {
        if (this.counts.delete(work)) {
            this.counts.size ? this.showDetails() : remove(this);
        }
    }
}

/** The oldest first. @type {Notice[]} */
let notices = [];

/** @param {Work} work @returns {string} */
function nameOf({ callback, outputs }) {
    return JSON.stringify([callback, outputs]);
}

/** @param {Failure} failure */
function show(failure) {
    if (!region.isConnected) {
        document.body.append(region);
    }
    // The body itself may be as high as the window, whatever is in it.
    [document.body, ...document.body.children].forEach((one) => resized.observe(one));
    const text = textOf(failure);
    let notice = notices.find((one) => one.text === text);
    if (!notice) {
        notice = new Notice(text, failure);
        notices.push(notice);
    }
    notice.add(failure);
    notices.slice(0, -NOTICES_MAX).forEach(remove);
    if (!notice.element.isConnected) {
        region.append(notice.element);
    }
    region.scrollTop = region.scrollHeight; // on a small screen not all may be seen
    adapt();
    fitSpacer();
}

/** @param {Notice} notice */
function remove(notice) {
    const focused = notice.element.contains(document.activeElement);
    const next = notices[notices.indexOf(notice) + 1] || notices[notices.indexOf(notice) - 1];
    notices = notices.filter((one) => one !== notice);
    notice.element.remove();
    if (focused) {
        const target = next ? next.element.querySelector("button") : before;
        if (target instanceof HTMLElement) {
            target.focus();
        }
    }
    if (!notices.length) {
        resized.disconnect();
    }
    fitSpacer();
}

function fitSpacer() {
    const page = document.scrollingElement || document.documentElement;
    const { top, bottom } = region.getBoundingClientRect();
    // A page that fits needs no scrollbar, and a body that arranges its children not one more.
    // Authors may place notices at the upper edge, where one can scroll away from them.
    const needed =
        page.scrollHeight - spacer.offsetHeight > page.clientHeight &&
        getComputedStyle(document.body).display === "block" &&
        top > page.clientHeight - bottom;
    if (!notices.length || !needed) {
        spacer.remove();
        return;
    }
    spacer.style.height = `${page.clientHeight - top}px`;
    if (!spacer.isConnected) {
        document.body.append(spacer);
    }
}

// The page may grow or shrink below a notice: a figure that is drawn, a window that is made narrow.
// In a frame of its own, as the spacer is a change of size itself.
const resized = new ResizeObserver(() => requestAnimationFrame(fitSpacer));

function adapt() {
    if (notices.length) {
        region.dataset.scheme = schemeOfPage();
    }
}

dark.addEventListener("change", adapt);
window.addEventListener("resize", fitSpacer);

window.addEventListener("long-callback-failed", (event) => {
    const failure = /** @type {CustomEvent<Failure>} */ (event).detail;
    // Later, so that who listens after this script can prevent it, too.
    queueMicrotask(() => event.defaultPrevented || failure.shown || show(failure));
});
for (const name of ["long-callback-started", "long-callback-succeeded"]) {
    window.addEventListener(name, (event) => {
        const work = nameOf(/** @type {CustomEvent<Work>} */ (event).detail);
        notices.slice().forEach((notice) => notice.forget(work));
    });
}

region.addEventListener("focusin", (event) => {
    const from = event.relatedTarget;
    before = from instanceof Element && !region.contains(from) ? from : before;
});
document.addEventListener("keydown", (event) => {
    const focused = document.activeElement;
    const elsewhere = focused && !region.contains(focused) && focused.closest(OWN_ESCAPE);
    if (event.key === "Escape" && notices.length && !event.defaultPrevented && !elsewhere) {
        remove(notices.find((one) => one.element.contains(focused)) || notices[notices.length - 1]);
    }
});

function begin() {
    document.body.append(region);
    // Themes are switched by an attribute or a class of one of these.
    const observer = new MutationObserver(adapt);
    observer.observe(document.documentElement, { attributes: true });
    observer.observe(document.body, { attributes: true });
}

document.body ? begin() : document.addEventListener("DOMContentLoaded", begin);
