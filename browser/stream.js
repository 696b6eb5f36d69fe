/* What comes of a stream: server-sent events, each with an answer in JSON. */

import { isPatch } from "./patches.js";
import { isEvents } from "./queue.js";

/** @typedef {import("./types.js").News} News */

/** Milliseconds to wait for the next: the server shows every ten seconds that it is there. */
const STREAM_NEXT = 25000;

/**
 * @param {ReadableStream<Uint8Array>} body
 * @param {() => void} late called when nothing has come for too long
 * @returns {AsyncGenerator<any[], void>} the answers of each part that has come: several, or none
 */
export async function* eventsOf(body, late) {
    const reader = body.getReader();
    const decoder = new TextDecoder();
    let [text, from] = ["", 0];
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    try {
        for (;;) {
            const { done, value } = await reader.read();
            if (done) {
                return;
            }
            clearTimeout(timer);
            timer = setTimeout(late, STREAM_NEXT);
            text += decoder.decode(value, { stream: true });
            const answers = [];
            for (let end = text.indexOf("\n\n", from); end >= 0; end = text.indexOf("\n\n")) {
                const event = text.slice(0, end);
                text = text.slice(end + 2);
                from = 0;
                if (event.startsWith("data: ")) {
                    answers.push(JSON.parse(event.slice("data: ".length)));
                }
            }
            from = Math.max(0, text.length - 1); // large results come in many pieces
            yield answers;
        }
    } finally {
        clearTimeout(timer);
    }
}

/** @param {News} first @param {News} second @returns {News} the news of both, without what is out of date */
export function merged(first, second) {
    const later = second.updates || [];
    const plain = later.filter(([, value]) => !isPatch(value) && !isEvents(value));
    const replaced = new Set(plain.map(([target]) => String(target)));
    const earlier = (first.updates || []).filter(([target, value]) => isEvents(value) || !replaced.has(String(target)));
    return { ...second, updates: [...earlier, ...later] };
}
