"""Jobs that end at once, jobs that tell their progress first, and ordinary callbacks."""

import time

from dash import Input, Output, html
from settings import PORT, new_app, page

app = new_app(__name__)
server = app.server

#: Of each kind; they are clicked at the same time.
LANES = 3
KINDS = ("quick", "told", "ordinary")
#: Longer than a click is held back, so that the page has to ask for the outcome.
SECONDS = 0.05
app.layout = page(
    *(
        html.Div([html.Button(n, id=n), html.Span(id=f"{n}-bar"), html.Span(id=f"{n}-out")])
        for n in (f"{kind}{lane}" for kind in KINDS for lane in range(LANES))
    )
)


def quick(n_clicks):
    return f"run {n_clicks}"


def told(set_progress, n_clicks):
    set_progress("half")
    time.sleep(SECONDS)
    return f"run {n_clicks}"


def declare(declared, name, function, **options):
    dependencies = Output(f"{name}-out", "children"), Input(name, "n_clicks")
    declared(*dependencies, prevent_initial_call=True, **options)(function)


for number in range(LANES):
    declare(app.long_callback, f"quick{number}", quick)
    bar = Output(f"told{number}-bar", "children")
    declare(app.long_callback, f"told{number}", told, progress=bar)
    declare(app.callback, f"ordinary{number}", quick)


if __name__ == "__main__":
    app.run(port=PORT, debug=False)
