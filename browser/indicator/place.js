/* Where an indicator is: over a component, without moving anything. */

import { stringify } from "../ids.js";

/** Where a window, a menu or the like begins, above the rest of the page. */
const ABOVE = "dialog, [popover], [role=dialog], [aria-modal]";

/**
 * @param {any[]} ids of components
 * @returns {{found: boolean, element: HTMLElement | null}} whether one has an element, and the first that can be seen
 */
export function targetOf(ids) {
    const elements = ids.map((id) => document.getElementById(stringify(id))).filter((one) => one !== null);
    const element = elements.find((one) => {
        const { width } = /** @type {HTMLElement} */ (one).getBoundingClientRect();
        return width > 0 && getComputedStyle(/** @type {HTMLElement} */ (one)).visibility !== "hidden";
    });
    return { found: elements.length > 0, element: element || null };
}

/** @param {HTMLElement} target @returns {HTMLElement} what it scrolls with, and is above the page with */
export function hostOf(target) {
    for (let one = target.parentElement; one && one !== document.body; one = one.parentElement) {
        if (one.matches(ABOVE) || getComputedStyle(one).position === "fixed") {
            return one;
        }
    }
    return document.body;
}

/**
 * @param {HTMLElement} target
 * @param {HTMLElement} host
 * @returns {{left: number, top: number, right: number, bottom: number} | null} the part of it that is not scrolled
 *     away in what holds it, in pixels of the window; null: there is none
 */
export function boxOf(target, host) {
    let { left, top, right, bottom } = target.getBoundingClientRect();
    const empty = bottom - top;
    for (let one = target.parentElement; one && one !== host && one !== document.body; one = one.parentElement) {
        const { overflowX, overflowY } = getComputedStyle(one);
        if (overflowX === "visible" && overflowY === "visible") {
            continue;
        }
        const box = one.getBoundingClientRect();
        [left, top] = [Math.max(left, box.left), Math.max(top, box.top)];
        [right, bottom] = [Math.min(right, box.right), Math.min(bottom, box.bottom)];
    }
    return right > left && (bottom > top || (bottom === top && !empty)) ? { left, top, right, bottom } : null;
}
