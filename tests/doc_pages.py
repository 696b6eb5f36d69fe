"""The documentation as a program reads it: pages, their code blocks, commands, tables and links."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
#: What users and contributors read, from the root of the repository.
NAMES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in [
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
        *(ROOT / "docs").rglob("*.md"),
    ]
)
#: The line before a block: how far it is indented, how many backticks, and what is behind them.
_FENCE = re.compile(r"( *)(```+) *(.*)")
_LANGUAGE = re.compile(r"\{? *\.?(\w+)")
_TITLE = re.compile(r'title="([^"]+)"')
_COMMAND = re.compile(
    r" {4,}((?:\w+=\S+ )*(?:celery|docker|gunicorn|hypercorn|make|pip|python|uvicorn) .+)"
)


@dataclass(frozen=True)
class Block:
    """What is between two fences."""

    page: str
    line: int
    language: str
    title: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


@dataclass
class Page:
    """A page of the documentation.

    Attributes:
        blocks: what is between fences.
        lines: all other lines. Those of blocks are empty, so that indices are line numbers.
    """

    name: str
    blocks: list[Block] = field(default_factory=list[Block])
    lines: list[str] = field(default_factory=list[str])

    @property
    def text(self) -> str:
        """All but the blocks on one line, so that line ends are not in the way of a search."""
        return re.sub(r"\s+", " ", " ".join(self.lines))

    @property
    def commands(self) -> list[str]:
        """The commands for a shell, which stand apart with four spaces in front."""
        return [found[1] for line in self.lines if (found := _COMMAND.fullmatch(line))]

    @property
    def anchors(self) -> set[str]:
        """The anchors of the headings, as mkdocs and GitHub make them."""
        headings = [found[1] for line in self.lines if (found := re.match(r"#+ +(.+)", line))]
        words = [re.sub(r"[^\w\s-]", "", heading.lower()).strip() for heading in headings]
        return {re.sub(r"[-\s]+", "-", heading) for heading in words}

    def table(self, *, below: str) -> dict[str, list[str]]:
        """The first table below a heading: its cells, by the names in its first column."""
        rows: dict[str, list[str]] = {}
        for line in self.lines[self.lines.index(below) :]:
            if line.startswith("|"):
                first, *cells = [cell.strip() for cell in line.strip("|").split("|")]
                rows.update(dict.fromkeys(re.findall(r"`(\w+)`", first), cells))
            elif rows:
                break
        return rows


def read(name: str) -> Page:
    """Read a page."""
    page = Page(name)
    lines = iter((ROOT / name).read_text(encoding="utf-8").splitlines())
    for line in lines:
        page.lines.append(line)
        if fence := _FENCE.fullmatch(line):
            body = list(_until(lines, fence[1] + fence[2]))
            language, title = _LANGUAGE.match(fence[3]), _TITLE.search(fence[3])
            page.blocks.append(
                Block(
                    name,
                    len(page.lines),
                    language[1] if language else "",
                    title[1] if title else "",
                    textwrap.dedent("\n".join([*body, ""])),
                )
            )
            page.lines[-1:] = [""] * (len(body) + 2)
    return page


def _until(lines: Iterator[str], fence: str) -> Iterator[str]:
    for line in lines:
        if line.rstrip() == fence:
            return
        yield line
