/* What notices and indicators say. */

import { settings } from "./page.js";
import { SENTENCES, sentenceOf } from "./sentences.js";
import { once } from "./values.js";

/** Characters of an author's text. */
const TEXT_MAX = 600;

/** @typedef {Object<string, string>} Texts By name. `dash/texts.py` has the names, too. */

/** By language. In a text, {…} stands for what is known when it is shown. @type {Object<string, Texts>} */
const TEXTS = {
    en: {
        ...SENTENCES,
        cancelled: "Cancelled",
        finished: "Finished",
        waiting: "Waiting",
        next: "next in line",
        ahead: "{count} ahead",
        running: "Running",
        retry: "Try {attempt} in {time}",
        "retry 2": "Second try in {time}",
        "retry 3": "Third try in {time}",
        attempt: "try {attempt}",
        "attempt 2": "second try",
        "attempt 3": "third try",
        reconnecting: "Connection lost. Trying again…",
        connected: "Connected again",
        cancelling: "Stopping…",
        about: "about {time}",
        left: "about {time} left",
        of: "{done} of {total}",
        each_second: "{rate} per second",
        stop: "Stop",
        try_again: "Try again",
        reload: "Reload",
        dismiss: "Dismiss",
        number: "no.",
        times: "times",
        progress: "Progress",
        jobs: "Running jobs",
    },
    es: {
        failed: "Algo ha salido mal. Inténtelo de nuevo.",
        timed_out: "Ha tardado demasiado y se ha detenido. Inténtelo de nuevo.",
        expired: "No se ha podido empezar a tiempo. Inténtelo más tarde.",
        lost: "Se ha interrumpido antes de terminar. Inténtelo de nuevo.",
        stopped: "El servidor se ha detenido antes de terminar. Inténtelo de nuevo.",
        refused: "El servidor no ha podido empezar. Inténtelo de nuevo en un momento.",
        limit: "Hay demasiadas tareas como esta en marcha. Inténtelo más tarde.",
        unavailable: "El servidor no puede hacerlo en este momento. Inténtelo más tarde.",
        not_stored: "No se ha podido guardar el resultado. Inténtelo más tarde.",
        gone: "El resultado ya no está disponible. Ejecútelo de nuevo.",
        unreachable: "No se puede conectar con el servidor. Compruebe su conexión e inténtelo de nuevo.",
        "unreachable reload":
            "No se puede conectar con el servidor. Si la tarea sigue en marcha, recargue la página para volver a encontrarla.",
        session:
            "Su sesión ha caducado. Inicie sesión de nuevo y recargue la página; las tareas que siguen en marcha se encontrarán de nuevo.",
        changed: "La aplicación ha cambiado desde que se inició esto. Ejecútelo de nuevo.",
        "changed reload": "La aplicación ha cambiado desde que se cargó esta página. Recargue la página.",
        library: "No se ha podido cargar una parte del resultado. Recargue la página.",
        cancelled: "Cancelado",
        finished: "Terminado",
        waiting: "En espera",
        next: "el siguiente",
        ahead: "{count} por delante",
        running: "En marcha",
        retry: "Intento {attempt} en {time}",
        "retry 2": "Segundo intento en {time}",
        "retry 3": "Tercer intento en {time}",
        attempt: "intento {attempt}",
        "attempt 2": "segundo intento",
        "attempt 3": "tercer intento",
        reconnecting: "Conexión perdida. Reintentando…",
        connected: "Conexión recuperada",
        cancelling: "Deteniendo…",
        about: "unos {time}",
        left: "quedan unos {time}",
        of: "{done} de {total}",
        each_second: "{rate} por segundo",
        stop: "Detener",
        try_again: "Reintentar",
        reload: "Recargar",
        dismiss: "Cerrar",
        number: "n.º",
        times: "veces",
        progress: "Progreso",
        jobs: "Tareas en marcha",
    },
};

/** With the author's own. A language of his has the English words for what he leaves out. */
const all = once(() => {
    const own = settings().texts || {};
    const names = new Set([...Object.keys(TEXTS), ...Object.keys(own)]);
    return Object.fromEntries([...names].map((name) => [name, { ...(TEXTS[name] || TEXTS.en), ...own[name] }]));
});

/** @returns {string} the language of the page, else of the browser, if there are texts in it */
export function language() {
    const wanted = (document.documentElement.lang || navigator.language || "").toLowerCase();
    const known = Object.keys(all());
    const find = (/** @type {string} */ one) => known.find((name) => name.toLowerCase() === one);
    return find(wanted) || find(wanted.split("-")[0]) || "en";
}

/** @returns {Texts} the texts in the language of the page */
export function texts() {
    return all()[language()];
}

/**
 * @param {string} name
 * @param {Object<string, string | number>} [values] what stands in the braces
 * @returns {string}
 */
export function say(name, values = {}) {
    return texts()[name].replace(/\{(\w+)\}/g, (all, key) => String(values[key] ?? all));
}

/** @param {{kind: string, user: boolean, message: string, reload: boolean}} failure @returns {string} */
export function textOf(failure) {
    const { user, message } = failure;
    if (user) {
        return message.length > TEXT_MAX ? message.slice(0, TEXT_MAX) + "…" : message;
    }
    return sentenceOf(texts(), failure);
}
