/* What lies over a component while jobs for it run. It takes no room, and no clicks but for its buttons. */

import { say } from "../texts.js";
import { boxOf, hostOf } from "./place.js";

/** @typedef {import("./row.js").Row} Row */

/** Pixels of height below which a component has no room for several lines. */
const LOW = 64;
/** Pixels of width that an indicator may have over a component that is narrower. */
const NARROW = 240;
/** Pixels that are left between an indicator and the edge of the window. */
const EDGE = 8;
/** Marks a component with an indicator, for authors' style sheets, too. */
const MARK = "data-long-callback";

/** @type {WeakMap<HTMLElement, HTMLElement>} A point in each host from which places are measured. */
const origins = new WeakMap();

/** @param {HTMLElement} host @returns {HTMLElement} */
function originOf(host) {
    let origin = origins.get(host);
    if (!origin) {
        origin = document.createElement("div");
        origin.className = "long-callback-indicators";
        origin.setAttribute("role", "region"); // what is on a page is to be in one
        origins.set(host, origin);
    }
    origin.setAttribute("aria-label", say("jobs"));
    if (!origin.isConnected) {
        host.append(origin);
    }
    return origin;
}

export class Overlay {
    /** @param {HTMLElement | null} target null: there is no component to show, so it is in a corner of the window */
    constructor(target) {
        this.target = target;
        /** @type {Set<Row>} */
        this.rows = new Set();
        this.element = document.createElement("div");
        this.element.className = "long-callback-indicator";
        this.card = document.createElement("div");
        this.card.className = "long-callback-indicator-card";
        this.element.append(this.card);
        if (target === null) {
            this.element.dataset.place = "corner";
        }
        this.host = target === null ? document.body : hostOf(target);
        this.resized = new ResizeObserver(() => requestAnimationFrame(() => this.place()));
        target && this.resized.observe(target);
        this.resized.observe(this.host);
    }

    /** @param {Row} row */
    add(row) {
        if (row.element.parentElement !== this.card) {
            this.rows.add(row);
            this.card.append(row.element);
        }
    }

    /** @param {Row} row */
    remove(row) {
        if (this.rows.delete(row)) {
            row.element.remove();
        }
    }

    /** @param {string} scheme of the page: let it be as its rows are */
    draw(scheme) {
        const states = Array.from(this.rows, (row) => row.element.dataset.state || "");
        const busy = states.some((state) => !["failed", "cancelled", "succeeded"].includes(state));
        this.element.dataset.scheme = scheme;
        this.element.classList.toggle("long-callback-indicator-busy", busy);
        if (this.target) {
            this.target.setAttribute(MARK, states[0] || "");
            busy ? this.target.setAttribute("aria-busy", "true") : this.target.removeAttribute("aria-busy");
        }
        this.place();
    }

    /** Let it be where its component is. */
    place() {
        if (!this.rows.size) {
            return;
        }
        const { target, element } = this;
        const origin = originOf(this.host);
        if (element.parentElement !== origin) {
            origin.append(element);
        }
        const box = target && boxOf(target, this.host);
        element.hidden = target !== null && !box;
        if (box) {
            const { left, top } = origin.getBoundingClientRect();
            const [width, height] = [box.right - box.left, box.bottom - box.top];
            Object.assign(element.style, {
                left: `${box.left - left}px`,
                top: `${box.top - top}px`,
                width: `${width}px`,
                height: `${height}px`,
            });
            const low = height < LOW;
            element.dataset.low = String(low);
            const room = Math.max(width - (low ? 0 : 2 * EDGE), Math.min(NARROW, window.innerWidth - 2 * EDGE));
            this.card.style.maxWidth = `${room}px`;
            this.card.style.translate = "";
            const card = this.card.getBoundingClientRect();
            const over = Math.max(0, card.right + EDGE - document.documentElement.clientWidth);
            const under = Math.max(0, EDGE - (card.left - over));
            this.card.style.translate = over || under ? `${under - over}px` : "";
        }
    }

    close() {
        this.resized.disconnect();
        const origin = this.element.parentElement;
        this.element.remove();
        origin?.childElementCount || origin?.remove();
        this.target?.removeAttribute(MARK);
        this.target?.removeAttribute("aria-busy");
    }
}
