"""A document as Markdown that a code host shows: tables, ```math, <details>."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

from ..report import Report
from ..typeset import latex
from . import blocks
from .document import Setting, document

SPECIAL = re.compile(r"([\\`*_\[\]<>#|~$&!])")
# What begins a list, a heading's underline or a rule, where a line begins with it.
BEGINNING = re.compile(r"^(\d+)([.)])|^([-+=])")


def render(reports: Sequence[Report], setting: Setting | None = None) -> str:
    return write(document(reports, setting))


def write(doc: blocks.Document) -> str:
    alone = len(doc.parts) == 1
    parts = [] if alone else [f"# {_line(doc.title)}"]
    parts += [block for part in doc.parts for block in _part(part, 1 if alone else 2)]
    return "\n\n".join(filter(None, parts)) + "\n"


def _part(part: blocks.Part, level: int) -> list[str]:
    name = f"  {_code(part.name)}" if part.name else ""
    head = f"{_place(part.anchor)}\n\n{'#' * level} {_line(part.title)}{name}"
    return [head, *(_block(block, level) for block in part.blocks)]


def _block(block: blocks.Block, level: int) -> str:
    match block:
        case blocks.Paragraph(pieces=pieces):
            return _pieces(pieces)
        case blocks.Equation(formula=formula):
            return _math(formula)
        case blocks.Command(text=text):
            return _fenced(text)
        case blocks.Summary(verdict=verdict, tallies=tallies):
            counts = ", ".join(f"{_line(tally.count)} {_line(tally.label)}" for tally in tallies)
            return f"**{_line(verdict.text)}**: {counts}" if counts else f"**{_line(verdict.text)}**"
        case blocks.Facts(rows=rows):
            return "\n".join(f"- {_line(name)}: {_pieces(pieces, begins=False)}" for name, pieces in rows)
        case blocks.Table():
            return _table(block)
        case blocks.Steps(steps=steps):
            return "\n\n".join(_step(step, n, level) for n, step in enumerate(steps))
        case blocks.Entry():
            return _entry(block, level)
        case blocks.Pair():
            sides = ["<br>".join(filter(None, (_cell(b) for b in side))) for side in (block.left, block.right)]
            return _rows([_line(block.left_title), _line(block.right_title)], [sides])
        case blocks.Picture():
            address = f"![{_line(block.alternative)}]({block.drawn})" if block.drawn else _table(block.data)
            return f"{_line(block.alternative)}\n\n{address}"
        case blocks.Section():
            inner = "\n\n".join(filter(None, (_block(b, level + 1) for b in block.blocks)))
            return f"{_place(block.anchor)}\n\n{'#' * min(level + 1, 6)} {_line(block.title)}\n\n{inner}"


def _entry(entry: blocks.Entry, level: int) -> str:
    says = f" {_text(entry.says)}" if entry.says else ""
    notes = " · ".join(_pieces(note, begins=False) for note in entry.notes)
    parts = [f"{_place(entry.anchor)}**{_line(entry.verdict.text)}**{says}", *(_block(b, level) for b in entry.blocks), notes]
    if entry.evidence:
        inner = "\n\n".join(_block(b, level) for b in entry.evidence)
        parts += [f"<details><summary>{escape(entry.evidence_title)}</summary>", inner, "</details>"]
    first, *rest = "\n\n".join(filter(None, parts)).split("\n")
    return "\n".join([f"- {first}", *(f"  {line}" if line else "" for line in rest)])


def _step(step: blocks.Step, n: int, level: int) -> str:
    equals = "= " if n else ""
    text = step.formula.text
    formula = _math(step.formula, equals) if step.formula.tree else _fenced(f"{equals}{text}" if "\n" not in text else text)
    said = " ".join(filter(None, [f"**{_line(step.verdict.text)}**" if step.verdict else "", _line(step.reason)]))
    place = _place(step.anchor) if step.anchor else ""
    return "\n\n".join(filter(None, [f"{place}{said}", formula, *(_block(b, level) for b in step.blocks)]))


def _table(table: blocks.Table) -> str:
    rows = [[_pieces(cell, begins=False, table=True) for cell in row] for row in table.rows]
    return _rows([_line(column) for column in table.columns], rows) if table.columns else ""


def _rows(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in [columns, ["---"] * len(columns), *rows])


def _cell(block: blocks.Block) -> str:
    """What of a block fits into a line."""
    match block:
        case blocks.Paragraph(pieces=pieces):
            return _pieces(pieces, begins=False, table=True)
        case blocks.Equation(formula=formula):
            return _piece(formula, table=True)
        case _:
            return ""


def _pieces(pieces: blocks.Pieces, begins: bool = True, table: bool = False) -> str:
    said = "".join(_piece(piece, table) for piece in pieces).strip()
    return _begun(said) if begins and pieces and isinstance(pieces[0], str) else said


def _piece(piece: blocks.Piece, table: bool) -> str:
    match piece:
        case str():
            return SPECIAL.sub(r"\\\1", piece.replace("\n", " "))
        case blocks.Code(text=text):
            return _code(text, table)
        case blocks.Verdict(text=text):
            return f"**{_line(text)}**"
        case blocks.Link(text=text, anchor=anchor):
            return f"[{_line(text)}](#{anchor})"
        case blocks.Formula(tree=tree, text=text):
            # A bar would end the cell of a table.
            return f"$`{latex(tree)}`$".replace("|", r"\vert ") if tree else _code(text, table)


def _text(text: str) -> str:
    """Words that Markdown shows as they are written."""
    return SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _line(text: str) -> str:
    """The same where a line may begin."""
    return _begun(_text(text))


def _begun(text: str) -> str:
    return BEGINNING.sub(lambda m: f"{m[1]}\\{m[2]}" if m[1] else f"\\{m[3]}", text)


def _code(text: str, table: bool = False) -> str:
    """Between more backticks than it holds in a row."""
    line = " ".join(text.split())
    if not line:
        return ""
    ticks = "`" * (max(map(len, re.findall("`+", line)), default=0) + 1)
    line = line.replace("|", "\\|") if table else line
    return f"{ticks} {line} {ticks}" if line[0] == "`" or line[-1] == "`" else f"{ticks}{line}{ticks}"


def _fenced(text: str, kind: str = "") -> str:
    fence = "`" * max(3, max(map(len, re.findall("`+", text)), default=0) + 1)
    return f"{fence}{kind}\n{text}\n{fence}"


def _math(formula: blocks.Formula, equals: str = "") -> str:
    first, *rest = map(latex, formula.lines)
    lines = " \\\\\n".join([f"{equals}&{first}", *(f"&{line}" for line in rest)])
    return _fenced(f"\\begin{{aligned}}\n{lines}\n\\end{{aligned}}" if rest else f"{equals}{first}", "math")


def _place(anchor: str) -> str:
    return f'<a id="{anchor}"></a>'
