"""Failures: what a user sees when work fails, is cut short, or has to wait.

Press one button after another, or all at once: there is one worker, so the others wait for it.
"""

import os
import time

from dash import MATCH, Input, Output, ctx, html

from dash_long_callback import Dash, DiskcacheLongCallbackManager, UserError

app = Dash(
    __name__,
    long_callback_manager=DiskcacheLongCallbackManager(workers=1),
    long_callback_indicator=True,
)


def row(case, title):
    return html.Div(
        [
            html.Button(title, id={"type": "run", "case": case}),
            html.Div(id={"type": "result", "case": case}, className="result"),
        ],
        className="row",
    )


app.layout = html.Main(
    [
        row("raise", "Raise an error"),
        row("tell", "Tell the user"),
        row("kill", "Kill the worker"),
        row("hang", "Take too long"),
        row("work", "Just work"),
    ]
)


@app.long_callback(
    Output({"type": "result", "case": MATCH}, "children"),
    Input({"type": "run", "case": MATCH}, "n_clicks"),
    running=(Output({"type": "run", "case": MATCH}, "disabled"), True, False),
    cancelable=True,
    timeout=3,  # seconds, from when a worker has begun
    prevent_initial_call=True,
)
def work(n_clicks):
    time.sleep(1)
    case = ctx.triggered_id["case"]
    if case == "raise":
        raise ConnectionError("sales: no answer from postgresql://app:secret@db")
    if case == "tell":
        raise UserError("There are no sales in this period. Choose a longer one.")
    if case == "kill":
        os._exit(1)  # as the system does when memory runs out
    if case == "hang":
        time.sleep(60)
    return f"Clicks so far: {n_clicks}"


if __name__ == "__main__":
    app.run(debug=True)
