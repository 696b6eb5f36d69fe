"""Queues: three users share two workers, and take turns.

Press Run 4 for Ann, then for Bob and Cleo: each has one job that runs, at most, and Cleo does not
wait until the others have all of theirs. Press Urgent beside a job that waits: it is the next.
"""

import time

from dash import MATCH, Input, Output, ctx, html
from flask import has_request_context, request

from dash_long_callback import Dash, DiskcacheLongCallbackManager, Limit


def user():
    """In the place of a login: the address of a page says whose it is."""
    page = request.referrer or ""
    return request.args.get("user") or page.partition("?user=")[2] or None


manager = DiskcacheLongCallbackManager(workers=2, user=user)
app = Dash(__name__, long_callback_manager=manager)


def part(name, job=MATCH):
    return {"type": name, "job": job}


def row(job):
    return html.Div(
        [
            html.Span(id=part("runs", job)),
            html.Span(id=part("waits", job)),
            html.Span(id=part("result", job)),
            html.Button("Urgent", id=part("urgent", job), disabled=True),
            html.Progress(id=part("bar", job), value="0", max="30"),
        ],
        className="job",
    )


queue = html.Main([html.Button("Run 4", id="run"), *map(row, range(4))])

# A page is that of one user, so each has a frame.
users = html.Main(
    [
        html.Div([html.H2(name), html.Iframe(src=f"?user={name}", title=name)])
        for name in ("Ann", "Bob", "Cleo")
    ],
    className="users",
)


def layout():
    # Dash looks at it as the app starts, too: there is no request then.
    return users if has_request_context() and user() is None else queue


app.layout = layout


def urgent_first(*_clicks):
    return 0 if ctx.triggered_id == "run" else 1


@app.long_callback(
    Output(part("bar"), "value"),
    Output(part("result"), "children"),
    Input("run", "n_clicks"),  # starts a job for each row
    Input(part("urgent"), "n_clicks"),  # replaces that of this row
    running=[
        (Output(part("waits"), "children"), "waits", ""),
        (Output(part("urgent"), "disabled"), False, True),
    ],
    progress=Output(part("runs"), "children"),
    progress_default="",
    limits=Limit(1, key="user"),
    priority=urgent_first,
    prevent_initial_call=True,
)
def work(set_progress, *_clicks):
    set_progress("runs")
    for step in range(30):
        yield str(step), ""
        time.sleep(0.1)
    yield "30", "done"


if __name__ == "__main__":
    app.run(debug=True)
