"""Streaming: a function that yields, here an answer that appears word by word.

Press Ask, and Stop in the middle: what is there stays. Reload the page while it writes.
"""

import time

from dash import Input, Output, State, dcc, html

from dash_long_callback import Dash, DiskcacheLongCallbackManager

app = Dash(__name__, long_callback_manager=DiskcacheLongCallbackManager())

app.layout = html.Main(
    [
        dcc.Input(id="question", value="Why does it rain?", type="text"),
        html.Button("Ask", id="run"),
        html.Button("Stop", id="stop", disabled=True),
        dcc.Markdown("Nothing has run yet.", id="result"),
        html.P(id="count"),
    ]
)


def words(question):
    """In the place of a language model."""
    text = (
        f"**{question}** That is a good question. Each word of this answer is on the page as soon "
        "as it is made, and the server is free for others meanwhile."
    )
    for word in text.split(" "):
        time.sleep(0.1)
        yield word


@app.long_callback(
    Output("result", "children"),
    Input("run", "n_clicks"),
    State("question", "value"),
    running=[(Output("run", "disabled"), True, False), (Output("stop", "disabled"), False, True)],
    cancel=Input("stop", "n_clicks"),
    prevent_initial_call=True,
)
def answer(_n_clicks, question):
    text = ""
    for word in words(question):
        text += word + " "
        yield text  # on the page at once; the last one is the result


# A callback that listens to the answer is called once, when it is complete.
@app.callback(Output("count", "children"), Input("result", "children"), prevent_initial_call=True)
def count(text):
    return f"{len(text.split())} words"


if __name__ == "__main__":
    app.run(debug=True)
