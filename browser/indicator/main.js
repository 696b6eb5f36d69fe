/*
 * Indicators: what the user sees of a job on the component that it is for, while it waits and runs, and if it does
 * not succeed.
 *
 * The client dispatches `long-callback-status` on the window, with all that there is to know. Here it is drawn:
 *
 *     main     which jobs are shown, from when on
 *     row      one of them: words, bar, buttons
 *     words    what it says
 *     overlay  what lies over a component, with its rows
 *     place    where that is
 *
 * All texts are set as text, all looks are in indicator.css: nothing here is for a Content-Security-Policy to forbid.
 */

import { dark, schemeOfPage } from "../scheme.js";
import { hasEnded, later } from "../seconds.js";
import { say } from "../texts.js";
import { Overlay } from "./overlay.js";
import { targetOf } from "./place.js";
import { Row } from "./row.js";

/** @typedef {import("../status.js").Status} Status */

/**
 * @typedef {Object} Detail What the event has.
 * @property {string} callback @property {{id: any, property: string}[]} outputs
 * @property {number} run tells it from others of the same outputs
 * @property {Status | null} status null: another has taken its place
 * @property {any[] | null} indicator the components that it is to be shown on; null: none
 * @property {boolean} here whether its outputs are on the page
 * @property {boolean} cancelable
 * @property {(() => void) | null} stop
 * @property {(() => void) | null} again
 */

/** Milliseconds that a job has taken before it is shown: quick ones never flash. */
const SHOW_AFTER = 300;
/** Milliseconds for which it is said that a job was cancelled, and that the server answers again. */
const FAREWELL = 4000;
const BACK = 2000;
/** Milliseconds between two looks at the clock. */
const TICK = 1000;

/** @typedef {{detail: Detail, status: Status, at: number, since: number, lost: boolean, back: number}} Entry */

/** By callback and outputs, then by run: the oldest first. @type {Map<string, Map<number, Entry>>} */
const all = new Map();
/** @type {Map<string, {row: Row, overlay: Overlay | null}>} */
const shown = new Map();
/** @type {Map<HTMLElement | null, Overlay>} */
const overlays = new Map();
/** Those that are to be drawn. @type {Set<Overlay>} */
const changed = new Set();
/** @type {ReturnType<typeof setInterval> | undefined} */
let ticking;
/** What had the focus before a button of ours got it. @type {Element | null} */
let before = null;

// In the page from the start, as screen readers tell only what comes into a region that they know.
const region = document.createElement("div");
region.className = "long-callback-indicator-told";
region.setAttribute("role", "status");

/** @param {Entry} entry @returns {Status} with the seconds of this moment */
function statusNow({ status, at }) {
    return later(status, (performance.now() - at) / 1000);
}

/** @param {Map<number, Entry>} runs @returns {Entry | null} the one to show: the first that goes on, else the last that has ended */
function chosen(runs) {
    const entries = Array.from(runs.values());
    return entries.find(({ status }) => !hasEnded(status)) || entries[entries.length - 1] || null;
}

/** @param {Detail} detail */
function take(detail) {
    const name = JSON.stringify([detail.callback, detail.outputs]);
    const runs = all.get(name) || new Map();
    const entry = runs.get(detail.run);
    if (!detail.status || !detail.indicator || detail.status.state === "succeeded") {
        runs.delete(detail.run);
        entry && shown.get(name)?.overlay && detail.status && tell(say("finished"));
    } else {
        const now = performance.now();
        const { status } = detail;
        if (!entry && !hasEnded(status)) {
            // It is asked anew: how others have ended does not matter any more.
            runs.forEach((one, run) => hasEnded(one.status) && runs.delete(run));
            setTimeout(() => refresh(name), SHOW_AFTER);
        }
        const back = entry?.lost && status.connected ? now + BACK : entry?.back || 0;
        runs.set(detail.run, { detail, status, at: now, since: entry?.since ?? now, lost: !status.connected, back });
        back > now && setTimeout(() => refresh(name), back - now);
        // Also while there is nothing to be seen: the tab of a job may be opened.
        ticking = ticking || setInterval(tick, TICK);
        if (status.state === "cancelled") {
            setTimeout(() => dismiss(name, detail.run), shown.get(name)?.overlay ? FAREWELL : 0);
        }
    }
    runs.size ? all.set(name, runs) : all.delete(name);
    refresh(name);
}

/** @param {string} name @param {number} run */
function dismiss(name, run) {
    const runs = all.get(name);
    if (runs?.delete(run)) {
        runs.size || all.delete(name);
        refresh(name);
    }
}

/** @param {string} name of what may have changed: show it as it is now */
function refresh(name) {
    const entry = chosen(all.get(name) || new Map());
    const visible = entry && (isDue(entry) || shown.get(name)?.overlay);
    if (!entry || !visible) {
        hide(name);
        return;
    }
    const { detail } = entry;
    const ids = detail.indicator?.length ? detail.indicator : detail.outputs.map(({ id }) => id);
    const { found, element } = targetOf(ids);
    if (!element && (found || !detail.here)) {
        hide(name, true); // of a tab that is not open, or another page of the app
        return;
    }
    const one = shown.get(name) || { row: new Row(() => dismissShown(name)), overlay: null };
    shown.set(name, one);
    const overlay = overlays.get(element) || new Overlay(element);
    overlays.set(element, overlay);
    if (one.overlay !== overlay) {
        one.overlay && leave(one.overlay, one.row);
        one.overlay = overlay;
    }
    overlay.add(one.row);
    const { about } = one.row;
    keepFocus(one.row, () => one.row.draw(detail, statusNow(entry), entry.back > performance.now()));
    one.row.about === about || tell(one.row.told);
    drawSoon(overlay);
}

/**
 * Draw it with the next picture: many jobs may report at once, and each look at the page has it laid out anew.
 * @param {Overlay} overlay
 */
function drawSoon(overlay) {
    changed.size || requestAnimationFrame(draw);
    changed.add(overlay);
}

function draw() {
    const scheme = schemeOfPage();
    const now = Array.from(changed).filter((overlay) => overlay.rows.size);
    changed.clear();
    now.forEach((overlay) => overlay.draw(scheme));
}

/** @param {Entry} entry @returns {boolean} */
function isDue({ status, since }) {
    return status.state === "failed" || (status.state !== "cancelled" && performance.now() - since >= SHOW_AFTER - 1);
}

/** @param {string} name */
function dismissShown(name) {
    const runs = all.get(name);
    const entry = runs && chosen(runs);
    entry && dismiss(name, entry.detail.run);
}

/** @param {string} name @param {boolean} [comesBack] whether its place may be there again */
function hide(name, comesBack = false) {
    const one = shown.get(name);
    if (one?.overlay) {
        keepFocus(one.row, () => one.overlay && leave(one.overlay, one.row));
        one.overlay = null;
    }
    if (!comesBack) {
        shown.delete(name);
    }
    if (!all.size) {
        clearInterval(ticking);
        ticking = undefined;
    }
}

/** @param {Overlay} overlay @param {Row} row */
function leave(overlay, row) {
    overlay.remove(row);
    if (overlay.rows.size) {
        drawSoon(overlay);
    } else {
        overlay.close();
        overlays.delete(overlay.target);
    }
}

/**
 * Give the focus back, if what is done takes away the button that has it.
 * @param {Row} row
 * @param {() => void} change
 */
function keepFocus(row, change) {
    const focused = document.activeElement;
    const own = focused instanceof HTMLElement && row.element.contains(focused) ? focused : null;
    change();
    if (own && (own.hidden || !own.isConnected)) {
        const next = row.element.isConnected && row.element.querySelector("button:not([hidden])");
        const to = next || before;
        to instanceof HTMLElement && to.focus({ preventScroll: true });
    }
}

/** @param {string} text for who can't see it */
function tell(text) {
    if (region.textContent !== text) {
        region.textContent = text;
    }
}

function tick() {
    Array.from(all.keys()).forEach(refresh);
}

function place() {
    overlays.forEach((overlay) => overlay.place());
}

window.addEventListener("long-callback-status", (event) => take(/** @type {CustomEvent<Detail>} */ (event).detail));
window.addEventListener("long-callback-failed", (event) => {
    // The status of a job that has failed comes before this.
    const { callback, outputs } = /** @type {CustomEvent<Detail>} */ (event).detail;
    if (shown.get(JSON.stringify([callback, outputs]))?.overlay) {
        event.preventDefault(); // no notice: it is told here
    }
});
dark.addEventListener("change", tick);
window.addEventListener("resize", place);
document.addEventListener("scroll", (event) => event.target === document || requestAnimationFrame(place), true);
document.addEventListener("focusin", (event) => {
    const to = event.target instanceof Element && event.target.closest(".long-callback-indicators");
    const from = event.relatedTarget;
    if (to && from instanceof Element && !to.contains(from)) {
        before = from;
    }
});

function begin() {
    document.body.append(region);
    // Themes are switched by an attribute or a class of one of these.
    const observer = new MutationObserver(() => overlays.size && tick());
    observer.observe(document.documentElement, { attributes: true });
    observer.observe(document.body, { attributes: true });
}

document.body ? begin() : document.addEventListener("DOMContentLoaded", begin);
