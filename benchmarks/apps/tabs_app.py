"""An ordinary and a long callback; the jobs of the latter are begun and ended by ``tabs_jobs``."""

from dash import Input, Output, html
from settings import BACKEND_ARGUMENT, FOLDER, PORT, add_pid

from dash_long_callback import Dash
from dash_long_callback.executors.base import Executor
from dash_long_callback.managers.base import Manager
from dash_long_callback.stores.diskcache import DiskcacheStore

store = DiskcacheStore(FOLDER / "jobs", retention=3600)


class Elsewhere(Executor):
    """Puts jobs in the queue; another process takes them from there."""

    def start(self, job):
        store.enqueue(job.id)

    def started(self):
        """Nobody is woken: the other process looks often."""

    def cancel(self, job_id):
        """Nobody cancels."""

    def ensure_running(self):
        """It is started by the benchmark."""

    def stop(self):
        """It is ended by the benchmark."""


app = Dash(__name__, **BACKEND_ARGUMENT, long_callback_manager=Manager(store, Elsewhere()))
server = app.server
add_pid(app)
app.layout = html.Div(
    [html.Div(id=i) for i in ("ordinary", "ordinary-out", "long", "bar", "long-out")]
)


@app.callback(
    Output("ordinary-out", "children"), Input("ordinary", "n_clicks"), prevent_initial_call=True
)
def ordinary(n_clicks):
    return f"clicked {n_clicks}"


@app.long_callback(
    Output("long-out", "children"),
    Input("long", "n_clicks"),
    progress=Output("bar", "children"),
    prevent_initial_call=True,
)
def long(_set_progress, _n_clicks):
    raise NotImplementedError


if __name__ == "__main__":
    app.run(port=PORT, debug=False)
