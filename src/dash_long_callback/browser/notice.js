// @ts-check
/*
 * Notices: what the user of a page sees of a long callback that did not succeed.
 *
 * long_callback.js tells by events of the window, so that neither script waits for the other, and an
 * app can do the same:
 *
 *     long-callback-failed      a notice, unless the app has prevented it
 *     long-callback-started     notices of the same outputs go
 *     long-callback-succeeded   the same
 *
 * All texts are set as text, all looks are in notice.css: nothing here is for a Content-Security-Policy
 * to forbid.
 */
(function () {
    "use strict";

    /** @typedef {{callback: string, outputs: {id: any, property: string}[]}} Work */
    /**
     * @typedef {Work & {kind: string, message: string, user: boolean, ref: string | null, reload: boolean}} Failure
     */

    /** Notices at the same time: of more, the oldest go. */
    const NOTICES_MAX = 3;
    /** Characters of an author's text. */
    const TEXT_MAX = 600;
    /** Where Escape means something else. */
    const OWN_ESCAPE = "input, textarea, select, [contenteditable], dialog, [role=dialog], [role=menu], [role=listbox], [aria-modal]";

    /**
     * By language and kind; with " reload", if it helps to load the page again.
     * @type {Object<string, Object<string, string>>}
     */
    const TEXTS = {
        en: {
            failed: "Something went wrong. Try again.",
            timed_out: "This took too long and was stopped. Try again.",
            lost: "This was interrupted before it had finished. Try again.",
            stopped: "The server was stopped before this had finished. Try again.",
            refused: "The server could not start this. Try again in a moment.",
            unavailable: "The server can't run this at the moment. Try again later.",
            not_stored: "The result could not be stored. Try again later.",
            expired: "The result is not available any more. Run it again.",
            unreachable: "The server can't be reached. Check your connection and try again.",
            "unreachable reload": "The server can't be reached. If the job still runs, reload the page to find it again.",
            session: "Your session has expired. Log in again and reload the page; jobs that still run are found again.",
            changed: "The app has changed since this was started. Run it again.",
            "changed reload": "The app has changed since this page was loaded. Reload the page.",
            library: "A part of the result could not be loaded. Reload the page.",
            number: "no.",
            times: "times",
            reload: "Reload",
            dismiss: "Dismiss",
        },
        es: {
            failed: "Algo ha salido mal. Inténtelo de nuevo.",
            timed_out: "Ha tardado demasiado y se ha detenido. Inténtelo de nuevo.",
            lost: "Se ha interrumpido antes de terminar. Inténtelo de nuevo.",
            stopped: "El servidor se ha detenido antes de terminar. Inténtelo de nuevo.",
            refused: "El servidor no ha podido empezar. Inténtelo de nuevo en un momento.",
            unavailable: "El servidor no puede hacerlo en este momento. Inténtelo más tarde.",
            not_stored: "No se ha podido guardar el resultado. Inténtelo más tarde.",
            expired: "El resultado ya no está disponible. Ejecútelo de nuevo.",
            unreachable: "No se puede conectar con el servidor. Compruebe su conexión e inténtelo de nuevo.",
            "unreachable reload":
                "No se puede conectar con el servidor. Si la tarea sigue en marcha, recargue la página para volver a encontrarla.",
            session:
                "Su sesión ha caducado. Inicie sesión de nuevo y recargue la página; las tareas que siguen en marcha se encontrarán de nuevo.",
            changed: "La aplicación ha cambiado desde que se inició esto. Ejecútelo de nuevo.",
            "changed reload": "La aplicación ha cambiado desde que se cargó esta página. Recargue la página.",
            library: "No se ha podido cargar una parte del resultado. Recargue la página.",
            number: "n.º",
            times: "veces",
            reload: "Recargar",
            dismiss: "Cerrar",
        },
    };

    /** @returns {string} the language of the page, else of the browser, if there are texts in it */
    function language() {
        const language = (document.documentElement.lang || navigator.language || "").split("-")[0].toLowerCase();
        return language in TEXTS ? language : "en";
    }

    /** @param {Failure} failure @returns {string} */
    function textOf({ kind, user, message, reload }) {
        if (user) {
            return message.length > TEXT_MAX ? message.slice(0, TEXT_MAX) + "…" : message;
        }
        const texts = TEXTS[language()];
        return (reload && texts[`${kind} reload`]) || texts[kind] || message || texts.failed;
    }

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
    const room = element("div", "-room");
    room.setAttribute("aria-hidden", "true");

    /** What had the focus before a notice got it. @type {Element | null} */
    let before = null;

    class Notice {
        /** @param {string} text @param {boolean} own whether it is one of ours */
        constructor(text, own) {
            this.text = text;
            /** How often each callback and its outputs have failed so. @type {Map<string, number>} */
            this.counts = new Map();
            this.element = element("div", "");
            const words = element("p", "-text", text);
            if (own) {
                words.lang = language();
            }
            this.details = element("p", "-details");
            this.element.append(words, this.details);
        }

        /** @param {Failure} failure */
        add(failure) {
            const texts = TEXTS[language()];
            if (!this.counts.size) {
                if (failure.reload) {
                    this.element.append(button("-reload", texts.reload, () => location.reload()));
                }
                const dismiss = button("-dismiss", "×", () => remove(this));
                dismiss.setAttribute("aria-label", texts.dismiss);
                dismiss.title = texts.dismiss;
                this.element.append(dismiss);
            }
            const work = nameOf(failure);
            this.counts.set(work, (this.counts.get(work) || 0) + 1);
            this.ref = failure.ref;
            this.tell();
        }

        /** Write how often, and the number under which the server has more. */
        tell() {
            const texts = TEXTS[language()];
            const count = Array.from(this.counts.values()).reduce((sum, one) => sum + one, 0);
            const parts = [count > 1 ? `${count} ${texts.times}` : "", this.ref ? `${texts.number} ${this.ref}` : ""];
            const details = parts.filter(Boolean).join(" · ");
            if (this.details.textContent !== details) {
                this.details.textContent = details;
            }
            this.details.hidden = !details;
        }

        /** @param {string} work that has begun anew, or was done */
        forget(work) {
            if (this.counts.delete(work)) {
                this.counts.size ? this.tell() : remove(this);
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
            notice = new Notice(text, !failure.user);
            notices.push(notice);
        }
        notice.add(failure);
        notices.slice(0, -NOTICES_MAX).forEach(remove);
        if (!notice.element.isConnected) {
            region.append(notice.element);
        }
        region.scrollTop = region.scrollHeight; // on a small screen not all may be seen
        adapt();
        makeRoom();
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
        makeRoom();
    }

    function makeRoom() {
        const page = document.scrollingElement || document.documentElement;
        const { top, bottom } = region.getBoundingClientRect();
        // A page that fits needs no scrollbar, and a body that arranges its children not one more.
        // Authors may place notices at the upper edge, where one can scroll away from them.
        const needed =
            page.scrollHeight - room.offsetHeight > page.clientHeight &&
            getComputedStyle(document.body).display === "block" &&
            top > page.clientHeight - bottom;
        if (!notices.length || !needed) {
            room.remove();
            return;
        }
        room.style.height = `${page.clientHeight - top}px`;
        if (!room.isConnected) {
            document.body.append(room);
        }
    }

    // The page may grow or shrink below a notice: a figure that is drawn, a window that is made narrow.
    // In a frame of its own, as the room is a change of size itself.
    const resized = new ResizeObserver(() => requestAnimationFrame(makeRoom));

    // Light or dark: as the page says, else as it looks, else as the user likes it.

    const dark = window.matchMedia("(prefers-color-scheme: dark)");

    /** @returns {string | null} */
    function declaredScheme() {
        for (const one of [document.documentElement, document.body]) {
            for (const name of ["data-mantine-color-scheme", "data-bs-theme"]) {
                const value = one.getAttribute(name);
                if (value === "light" || value === "dark") {
                    return value;
                }
            }
        }
        const schemes = getComputedStyle(document.documentElement).colorScheme.split(" ");
        const [light, dark] = [schemes.includes("light"), schemes.includes("dark")];
        return light === dark ? null : dark ? "dark" : "light";
    }

    /** @returns {string | null} that of what is painted in the middle of the page */
    function paintedScheme() {
        const painted = [document.body]; // its background is that of the whole page
        let one = document.elementFromPoint(window.innerWidth / 2, window.innerHeight / 2);
        for (; one instanceof HTMLElement; one = one.parentElement) {
            painted.splice(-1, 0, one);
        }
        for (const one of painted) {
            const [red, green, blue, alpha = 1] = (getComputedStyle(one).backgroundColor.match(/[\d.]+/g) || [0, 0, 0, 0]).map(Number);
            if (alpha > 0.5) {
                return 0.3 * red + 0.6 * green + 0.1 * blue < 110 ? "dark" : "light";
            }
        }
        return null;
    }

    function adapt() {
        if (notices.length) {
            const both = /light dark|dark light/.test(getComputedStyle(document.documentElement).colorScheme);
            const scheme = declaredScheme() || (both ? null : paintedScheme());
            region.dataset.scheme = scheme || (dark.matches ? "dark" : "light");
        }
    }

    dark.addEventListener("change", adapt);
    window.addEventListener("resize", makeRoom);

    window.addEventListener("long-callback-failed", (event) => {
        const failure = /** @type {CustomEvent<Failure>} */ (event).detail;
        // Later, so that who listens after this script can prevent it, too.
        queueMicrotask(() => event.defaultPrevented || show(failure));
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
})();
