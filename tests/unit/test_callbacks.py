from __future__ import annotations

import functools
import textwrap
from collections.abc import Callable
from typing import Any

import pytest
from dash import Input, Output

from dash_long_callback import Dash, by_value, long_callback
from dash_long_callback.code_digest import code_digest
from dash_long_callback.dash.callbacks import LongCallback, registry


def declare(where: Callable[..., Any], output: str, name: str = "n") -> None:
    @where(Output(output, "children"), Input("in", name))
    def update(value: Any) -> Any:
        return value


def test_a_key_is_the_callback_id_of_dash(app: Dash) -> None:
    declare(app.long_callback, "a")
    assert [c.key for c in registry.all()] == ["a.children"]


def test_functions_of_the_same_name_have_different_keys(app: Dash) -> None:
    declare(app.long_callback, "a")
    declare(app.long_callback, "b")
    assert [c.key for c in registry.all()] == ["a.children", "b.children"]


def test_two_apps_may_use_the_same_ids(make_app: Callable[..., Dash]) -> None:
    for number in range(3):
        declare(make_app(name=f"app{number}").long_callback, "a")
    keys = [c.key for c in registry.all()]
    assert keys == ["a.children#app0", "a.children#app1", "a.children#app2"]
    assert all(registry.get(c.key) is c for c in registry.all())


def test_declaring_in_the_same_order_gives_the_same_keys(
    make_app: Callable[..., Dash], monkeypatch: pytest.MonkeyPatch
) -> None:
    def keys() -> list[str]:
        monkeypatch.setattr(registry, "_by_id", {})
        first, second = make_app(name="first"), make_app(name="second")
        for app in (first, second, second):
            declare(app.long_callback, "ab"[len(registry.all()) // 2])
        return [c.key for c in registry.all()]

    assert keys() == keys()


def test_an_unknown_key_is_none() -> None:
    assert registry.get("nothing.here") is None


def test_all_are_listed_in_the_order_of_their_declaration(app: Dash) -> None:
    for output in "zaq":
        declare(app.long_callback, output)
    assert [c.key[0] for c in registry.all()] == ["z", "a", "q"]


def test_the_name_for_messages_has_the_function_and_what_it_updates(app: Dash) -> None:
    declare(app.long_callback, "a")
    assert registry.all()[0].name == "declare.<locals>.update (a.children)"


def test_the_app_s_on_error_counts_as_handling_errors(make_app: Callable[..., Dash]) -> None:
    declare(make_app().long_callback, "a")
    assert registry.all()[0].handler is None
    declare(make_app(on_error=print).long_callback, "b")
    assert registry.all()[1].handler is print


def test_a_callback_s_own_on_error_counts_as_handling_errors(app: Dash) -> None:
    app.long_callback(Output("a", "b"), Input("c", "d"), on_error=print)(print_it)
    assert registry.all()[0].handler is print


def print_it(value: Any) -> None:
    print(value)


def test_progress_outputs_are_flat_and_in_order(app: Dash) -> None:
    one, two, three = (Output(i, "value") for i in "xyz")
    app.long_callback(
        Output("a", "b"), Input("c", "d"), progress={"second": [one, two], "first": three}
    )(lambda set_progress, value: value)
    assert registry.all()[0].progress_outputs == [one, two, three]


def test_a_call_says_until_when_it_may_begin(app: Dash) -> None:
    app.long_callback(Output("a", "b"), Input("c", "d"), start_within=2)(lambda value: value)
    app.long_callback(Output("e", "f"), Input("c", "d"))(lambda value: value)
    limited, unlimited = (callback.call(b"{}").job for callback in registry.all())
    assert (limited.start_by, unlimited.start_by) == (limited.created + 2, None)


def test_a_callback_without_progress_has_no_progress_outputs(app: Dash) -> None:
    declare(app.long_callback, "a")
    assert registry.all()[0].progress_outputs == []


def sent(callback: LongCallback) -> LongCallback:
    """A callback as a worker has it that is sent it by value."""
    return by_value.loads(by_value.dumps(callback.by_value(whole=True), {}))()


def test_a_recipe_survives_the_pickle_and_declares_the_same_again() -> None:
    long_callback(
        [Output("a", "b"), Output("e", "f")],
        Input("c", "d"),
        progress=Output("p", "value"),
        timeout=5,
    )(lambda progress, value: [value, value])
    callback = registry.all()[0]
    again = sent(callback)
    assert again.registration.callback_id == callback.registration.callback_id
    assert again.options == callback.options
    assert again.function(None, 3) == [3, 3]
    assert registry.all() == [callback], "a worker's copy is not one of the app's callbacks"


def test_a_recipe_without_progress_survives_the_pickle() -> None:
    long_callback(Output("a", "b"), Input("c", "d"))(lambda value: value)
    again = sent(registry.all()[0])
    assert again.options.progress_default is None


def test_a_recipe_has_the_on_error_of_its_app(make_app: Callable[..., Dash]) -> None:
    declare(make_app(on_error=lambda _: "sorry").long_callback, "a")
    handler = sent(registry.all()[0]).handler
    assert handler is not None
    assert handler(ValueError()) == "sorry"


def test_a_recipe_has_the_on_error_of_an_app_that_was_made_later(
    make_app: Callable[..., Dash],
) -> None:
    declare(long_callback, "a")
    make_app(on_error=print)
    assert registry.all()[0].by_value(whole=True).kwargs["on_error"] is print


# code_digest


def source(text: str, name: str = "f", file: str = "one.py") -> Callable[..., Any]:
    """The function ``name`` of a module with this text."""
    module: dict[str, Any] = {"__name__": "made_up"}
    exec(compile(textwrap.dedent(text), file, "exec"), module)
    return module[name]


F = "def f(x):\n    return x + 1\n"


@pytest.mark.parametrize(
    "one,other",
    [
        (F, F),
        (F, "# a comment\n\n\n" + F),
        (F, "def f(x):\n\n    # why\n    return x + 1  # because\n"),
        (F, "def f(x):\n    return (\n        x\n        + 1\n    )\n"),
        (F, "def f(x: int) -> int:\n    return x + 1\n"),
    ],
    ids=["same", "moved down", "comment", "reformatted", "annotated"],
)
def test_what_does_not_change_a_function_does_not_change_its_digest(one: str, other: str) -> None:
    assert code_digest(source(one)) == code_digest(source(other, file="two.py"))


@pytest.mark.parametrize(
    "one,other",
    [
        ("def f(x): return x + 1", "def f(x): return x + 2"),
        ("def f(x): return x + 1", "def f(x): return x - 1"),
        ("def f(): return 1", "def f(): return True"),
        ("def f(): return 1", "def f(): return 1.0"),
        ("def f(): return 'a'", "def f(): return b'a'"),
        ("def f(): return (1, (2, 3))", "def f(): return ((1, 2), 3)"),
        ("def f(): return None", "def f(): return ..."),
        ("def f(x): return x in {1, 2}", "def f(x): return x in {1, 3}"),
        ("def f(x=1): return x", "def f(x=2): return x"),
        ("def f(*, x=1): return x", "def f(*, x=2): return x"),
        ("def f(x=1): return x", "def f(*, x=1): return x"),
        ("def f(a, b): return a", "def f(a, *, b): return a"),
        ("def f(a, b): return a", "def f(b, a): return b"),
        ("def f(x): return x.one", "def f(x): return x.two"),
        ("def f(x): return one(x)", "def f(x): return two(x)"),
        ("def f(x): return [i + 1 for i in x]", "def f(x): return [i + 2 for i in x]"),
        ("def f(x): return lambda: 1", "def f(x): return lambda: 2"),
        (
            "def f(x):\n def g():\n  def h(): return 1\n  return h\n return g",
            "def f(x):\n def g():\n  def h(): return 2\n  return h\n return g",
        ),
        ("def f(x): return x", "async def f(x): return x"),
        ("def f(x): return f'{x:.1f}'", "def f(x): return f'{x:.2f}'"),
    ],
)
def test_what_changes_a_function_changes_its_digest(one: str, other: str) -> None:
    assert code_digest(source(one)) != code_digest(source(other))


def closure(captured: Any) -> Callable[..., Any]:
    def inner() -> Any:
        return captured

    return inner


@pytest.mark.parametrize(
    "one,other",
    [
        (1, 2),
        ("a", "b"),
        ([1, 2], [1, 3]),
        ({"a": 1}, {"a": 2}),
        ({"a": 1}, {"b": 1}),
        ({1, 2}, {1, 3}),
        (closure(1), closure(2)),
        (functools.partial(int, "1"), functools.partial(int, "2")),
        (object(), 1),
    ],
)
def test_a_closed_over_value_counts(one: Any, other: Any) -> None:
    assert code_digest(closure(one)) == code_digest(closure(one))
    assert code_digest(closure(one)) != code_digest(closure(other))


def test_a_set_counts_by_its_members_and_not_by_their_order() -> None:
    forwards, backwards = {0, 8}, {8, 0}
    assert list(forwards) != list(backwards), "8 has the place of 0, and the first one gets it"
    assert code_digest(closure(forwards)) == code_digest(closure(backwards))


def test_an_object_counts_by_its_type_only() -> None:
    # Its repr has an address in it: another one in each process.
    assert code_digest(closure(object())) == code_digest(closure(object()))


def test_a_partial_counts_with_its_arguments() -> None:
    one, other = functools.partial(print_it, 1), functools.partial(print_it, 2)
    assert code_digest(one) != code_digest(other)
    assert code_digest(one) != code_digest(functools.partial(print_it, value=1))


def test_a_method_counts_by_its_code() -> None:
    text = "class C:\n def f(self): return {}\nf = C().f"
    assert code_digest(source(text.format(1))) != code_digest(source(text.format(2)))
    assert code_digest(source(text.format(1))) == code_digest(source(text.format(1)))


def test_a_function_that_refers_to_itself_has_a_digest() -> None:
    def count(n: int) -> int:
        return n and count(n - 1)

    assert code_digest(count) == code_digest(count)


def test_a_value_that_contains_itself_has_a_digest() -> None:
    endless: list[Any] = [1]
    endless.append(endless)
    assert code_digest(closure(endless)) == code_digest(closure(endless))


def test_many_functions_that_refer_to_each_other_have_a_digest_in_no_time() -> None:
    # Followed without a memory, this would be 12 to the power of 6.
    functions: list[Callable[[], Any]] = []
    functions += [closure(functions) for _ in range(12)]
    assert code_digest(functions[0]) == code_digest(functions[0])


def test_a_cell_that_is_not_filled_yet_has_a_digest() -> None:
    def early() -> Any:
        return late

    digest = code_digest(early)
    late = 1
    assert code_digest(early) != digest
    assert early() == late


def test_a_builtin_has_a_digest() -> None:
    assert code_digest(print) == code_digest(print)


def test_of_an_object_that_is_called_the_code_of_its_class_counts() -> None:
    def made(text: str) -> Callable[..., Any]:
        return source(f"class C:\n    def __call__(self, n):\n        return {text}\nf = C()")

    assert code_digest(made("n + 1")) == code_digest(made("n + 1"))
    assert code_digest(made("n + 1")) != code_digest(made("n + 2"))
