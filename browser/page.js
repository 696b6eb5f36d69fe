/* The page that this client runs in: its settings, and who it is. */

import { once } from "./values.js";

/** @typedef {import("./types.js").Config} Config */

/** @type {any} */
export const page = window;

export const clientside = (page.dash_clientside = page.dash_clientside || {});

/** @param {number} bytes @returns {string} random, in the letters of base64url */
export function random(bytes) {
    const numbers = crypto.getRandomValues(new Uint8Array(bytes));
    return btoa(String.fromCharCode(...numbers)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, "");
}

/** This page, so that the server knows when a request replaces another. */
export const TAB = random(16);

/** @param {string} id @returns {any} */
function json(id) {
    const element = document.getElementById(id);
    return element ? JSON.parse(element.textContent || "null") : null;
}

export const dashConfig = once(() => json("_dash-config") || {});

/**
 * @typedef {Object} Settings
 * @property {number} patience @property {boolean} stream @property {string | null} [owner]
 * @property {Object<string, Object<string, string>>} [texts] the author's, by language
 * @property {Object<string, Config>} callbacks
 */
/** @type {() => Settings} */
export const settings = once(() => json("_dash-long-callbacks") || { patience: 0, stream: false, callbacks: {} });

export const prefix = once(() => dashConfig().requests_pathname_prefix || "/");
