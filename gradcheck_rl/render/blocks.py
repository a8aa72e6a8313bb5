"""What a document is made of: a few kinds of block, and what stands in a line. A format says how each is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..typeset import broken
from ..typeset import text as drawn

WIDEST = 60  # letters in a line of a formula that stands beside something

GOOD, BAD, OPEN = "good", "bad", "open"
MARKS: Mapping[str, str] = {GOOD: "✓", BAD: "✗", OPEN: "?"}


# ---- what stands in a line ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Code:
    """What is typed or computed: a name, a value, a command."""

    text: str


@dataclass(frozen=True)
class Verdict:
    """A word that carries its mark: colour is never the only sign."""

    word: str
    state: str

    @property
    def text(self) -> str:
        return f"{MARKS[self.state]} {self.word}"


@dataclass(frozen=True)
class Link:
    text: str
    anchor: str


@dataclass(frozen=True)
class Formula:
    """A layout tree (notation.py), and the same as text where there is none."""

    tree: list[Any]
    text: str
    widest: int = WIDEST

    @property
    def lines(self) -> list[list[Any]]:
        """A long formula goes on below."""
        return broken(self.tree, self.widest) if self.tree else []

    @property
    def width(self) -> int:
        """About as many letters as its longest line is wide."""
        return max((len(row) for line in self.lines for row in drawn(line).split("\n")), default=0)


Piece = str | Code | Verdict | Link | Formula
Pieces = tuple[Piece, ...]


# ---- blocks ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Paragraph:
    pieces: Pieces


@dataclass(frozen=True)
class Equation:
    """A formula on a line of its own."""

    formula: Formula


@dataclass(frozen=True)
class Command:
    text: str


@dataclass(frozen=True)
class Tally:
    """One number of the summary, and what it counts."""

    count: str
    label: str
    state: str


@dataclass(frozen=True)
class Summary:
    verdict: Verdict
    tallies: tuple[Tally, ...]


@dataclass(frozen=True)
class Facts:
    """Short answers, each under what it answers."""

    rows: tuple[tuple[str, Pieces], ...]


@dataclass(frozen=True)
class Table:
    columns: tuple[str, ...]
    rows: tuple[tuple[Pieces, ...], ...]


@dataclass(frozen=True)
class Step:
    """One form of a chain: how it follows from the one before, and whether it does."""

    formula: Formula
    reason: str
    verdict: Verdict | None
    anchor: str
    blocks: tuple[Block, ...] = ()


@dataclass(frozen=True)
class Steps:
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Entry:
    """A sentence and its verdict; below it what all readers see, and then the evidence."""

    anchor: str
    verdict: Verdict
    says: str
    blocks: tuple[Block, ...]
    notes: tuple[Pieces, ...]
    evidence: tuple[Block, ...]
    evidence_title: str


@dataclass(frozen=True)
class Pair:
    """Two sides to be read beside each other."""

    left_title: str
    left: tuple[Block, ...]
    right_title: str
    right: tuple[Block, ...]


@dataclass(frozen=True)
class Picture:
    """A figure: drawn (an SVG, or the name of a file, as the format wants it), or its data."""

    name: str
    alternative: str
    drawn: str
    data: Table


@dataclass(frozen=True)
class Section:
    """`short` is what a list of contents calls it."""

    title: str
    short: str
    anchor: str
    blocks: tuple[Block, ...]


Block = Paragraph | Equation | Command | Summary | Facts | Table | Steps | Entry | Pair | Picture | Section


@dataclass(frozen=True)
class Part:
    """One report."""

    title: str
    name: str
    anchor: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Document:
    """Reports, and the page that lists them beside others, where there is one."""

    title: str
    lang: str
    contents: str
    parts: tuple[Part, ...]
    home: Link | None = None
