/* Requests to the server. */

import { dashConfig, prefix } from "./page.js";
import { SENTENCES } from "./sentences.js";
import { tried } from "./values.js";

/** Milliseconds that one failed try counts, at most: a laptop that slept did not try. */
export const TRY_MAX = 30000;
/** Statuses of proxies that say "later", below those that say "never". */
const LATER = [408, 425, 429];

/** What went wrong on the way, in words for the page. */
export class RequestError extends Error {
    /**
     * @param {string} message
     * @param {boolean} [final] whether another try makes no sense
     * @param {number} [pause] milliseconds that the server wants us to wait
     * @param {boolean} [session] whether the session has expired
     */
    constructor(message, final = false, pause = 0, session = false) {
        super(message);
        this.final = final;
        this.pause = pause;
        this.session = session;
    }
}

/** @param {any} error @returns {RequestError} itself, or that no answer has come, or not all of it */
export function faultOf(error) {
    return error instanceof RequestError ? error : new RequestError("the server did not respond");
}

/**
 * @param {string} path
 * @param {string} body
 * @param {{signal?: AbortSignal, keepalive?: boolean, headers?: Object<string, string>}} [more]
 * @returns {Promise<Response>}
 */
export async function post(path, body, more = {}) {
    const config = dashConfig();
    const options = config.fetch || {};
    /** @type {Object<string, string>} */
    const headers = { Accept: "application/json", "Content-Type": "application/json", ...more.headers };
    const token = document.cookie
        .split("; ")
        .find((cookie) => cookie.startsWith((config.csrf_token_name || "_csrf_token") + "="));
    if (token) {
        const value = token.slice(token.indexOf("=") + 1);
        headers[config.csrf_header_name || "X-CSRFToken"] = tried(() => decodeURIComponent(value), value);
    }
    return fetch(prefix() + path, {
        credentials: "same-origin",
        ...options,
        method: "POST",
        headers: { ...headers, ...options.headers },
        body,
        signal: more.signal,
        keepalive: more.keepalive,
    });
}

/**
 * What is wrong with an answer, if anything is: proxies answer, too, and login pages.
 * @param {Response} response
 * @returns {Promise<RequestError | null>}
 */
export async function errorOf(response) {
    const html = (response.headers.get("Content-Type") || "").startsWith("text/html");
    if (response.ok && !html) {
        return null;
    }
    const text = html ? "" : await response.text().catch(() => "");
    const status = `status ${response.status}${text && ": " + text.slice(0, 1000)}`;
    if (response.status === 401 || response.status === 403 || response.ok) {
        const how = response.ok ? "the server answered with another page" : status;
        return new RequestError(`${SENTENCES.session} (${how})`, true, 0, true);
    }
    const later = response.status >= 500 || LATER.includes(response.status);
    const pause = Math.min(Number(response.headers.get("Retry-After")) || 0, TRY_MAX / 1000) * 1000;
    return new RequestError(status, !later, pause);
}
