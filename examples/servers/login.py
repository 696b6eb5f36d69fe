"""Who opens the app must log in: Flask-Login."""

import time

from dash import Input, Output, ctx, hooks, html
from flask import Flask, redirect, request
from flask_login import LoginManager, UserMixin, current_user, login_user, logout_user

from dash_long_callback import Dash

server = Flask(__name__)
# Yours come from the environment or a database, not from the source.
server.secret_key = "of this server"
PASSWORDS = {"ada": "1815", "grace": "1906"}
FORM = """<form method="post">
<input name="name"> <input name="password" type="password"> <button>Log in</button>
</form>"""


class User(UserMixin):
    def __init__(self, name):
        self.id = name


login_manager = LoginManager(server)


@login_manager.user_loader
def load(name):
    return User(name) if name in PASSWORDS else None


# --8<-- [start:guard]
@server.before_request
def guard():
    if current_user.is_authenticated or request.endpoint == "login":
        return None
    if request.path.startswith("/_dash-"):
        return "Please log in again.", 401  # a script can't show a login page
    return redirect("/login")


# --8<-- [end:guard]


@server.route("/login", methods=["GET", "POST"])
def login():
    name, password = request.form.get("name"), request.form.get("password")
    if name and PASSWORDS.get(name) == password:
        login_user(User(name))
        return redirect("/")
    return FORM


@server.route("/logout", methods=["POST"])
def logout():
    logout_user()
    return redirect("/login")


app = Dash(__name__, server=server)
app.layout = html.Main(
    [
        html.Button("Run", id="run"),
        html.Button("Stop", id="stop"),
        html.Progress(id="bar", value="0", max="100"),
        html.P(id="result"),
    ]
)


@hooks.custom_data("user")
def user(_):  # runs in the web server, in the request of a click
    return current_user.get_id()


@app.long_callback(
    Output("result", "children"),
    Input("run", "n_clicks"),
    progress=Output("bar", "value"),
    progress_default="0",
    cancel=Input("stop", "n_clicks"),
    prevent_initial_call=True,
)
def work(set_progress, n_clicks):
    for percent in range(0, 100, 5):
        set_progress(str(percent))
        time.sleep(0.1)
    return f"Run {n_clicks} of {ctx.custom_data.user} is done."


if __name__ == "__main__":
    app.run()
