"""The kinds of end without success: each has its words, the same wherever they are written."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from dash_long_callback.dash.texts import NAMES
from dash_long_callback.jobs import Failed, Kind, State, Unfinished
from dash_long_callback.server.failures import SENTENCES

#: It reads files, which are the same on every Dash.
pytestmark = pytest.mark.newest_only

HERE = Path(__file__).parents[2]
ENTRY = re.compile(r"""^ +(?:"([^"]+)"|(\w+)):\s+"(.*)",$""", re.MULTILINE)
#: Of the end of a notice, the button.
ROW = re.compile(r"^\| (?:`(\w+)`)? *\| .* \| ([^|]+?)(?: \*\*Reload\*\*)? \|$", re.MULTILINE)


def entries(text: str) -> dict[str, str]:
    """What an object of strings in JavaScript has."""
    return {quoted or bare: words for quoted, bare, words in ENTRY.findall(text)}


def kinds(sentences: dict[str, str]) -> set[str]:
    return {kind.removesuffix(" reload") for kind in sentences}


texts = (HERE / "browser" / "texts.js").read_text()
english = entries((HERE / "browser" / "sentences.js").read_text())
_, others, rest = re.split(" (?:en|es): {", texts)
#: What is said otherwise than of an end.
words = entries(others).keys()
spanish = entries(rest)


def test_what_the_server_tells_is_known() -> None:
    states = {state.value for state in State if state.ended and state is not State.SUCCEEDED}
    ends = {end.state.value for end in (Failed, *Unfinished.__subclasses__())}
    assert ends == states - {State.CANCELLED.value}, "a cancel is what the user wished"
    assert set(SENTENCES) == ends | set(get_args(Kind)) - {""}


@pytest.mark.parametrize("kind", SENTENCES)
def test_a_page_says_the_same_as_the_server_but_for_the_number(kind: str) -> None:
    told = SENTENCES[kind].replace(" (no. {ref})", "")
    # Only the page knows whether it is as new as the app.
    assert told in (english[kind], english.get(f"{kind} reload"))


def test_notices_speak_of_every_kind_in_every_language() -> None:
    assert "...SENTENCES," in texts, "the English ones"
    assert spanish.keys() - words == english.keys()
    assert spanish.keys() == english.keys() | words
    assert spanish.keys() == set(NAMES), "an author may replace all of them"
    assert kinds(english) >= set(SENTENCES)


def test_the_page_has_words_for_the_kinds_that_it_makes() -> None:
    made = {
        kind
        for module in (HERE / "browser").glob("*.js")
        for found in re.findall(r"\bkind: ([^,}]+)", module.read_text())
        for kind in re.findall(r'"(\w+)"', found)
    }
    assert "gone" in made
    assert made <= kinds(english)


def test_the_documentation_has_every_kind_with_its_words() -> None:
    page = (HERE / "docs" / "how-to" / "notices.md").read_text()
    table = page[page.index("| kind |") : page.index("A notice never shows")]
    documented: set[tuple[str, str]] = set()
    kind = ""
    for name, words in ROW.findall(table):
        kind = name or kind  # a row without a name is about the one above
        documented.add((kind, words))
    assert documented == {(name.removesuffix(" reload"), words) for name, words in english.items()}
