// Each example says how high its frame is: a frame needs no scrollbar. (Loads do not bubble, hence
// the `true`: this listener sees them on their way down.)
document.addEventListener(
    "load",
    ({ target: frame }) => {
        if (frame instanceof HTMLIFrameElement && frame.contentDocument) {
            const page = frame.contentDocument.body;
            new ResizeObserver(() => {
                frame.style.height = page.offsetHeight + "px";
            }).observe(page);
        }
    },
    true
);
