"""A document as Typst, and as PDF by the package `typst` (extra `pdf`), which needs no TeX.

Words stand in string literals, where nothing is markup.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..report import Report
from ..typeset import typst, typst_string
from . import blocks
from .document import Setting, document

LONGEST_WORD, LONGEST_COLUMN = 20, 8

PREAMBLE = """
#set page(paper: "a4", margin: 20mm, numbering: "1")
#set text(font: ("Libertinus Serif", "Noto Serif CJK SC"), size: 10pt)
#set par(leading: 0.6em, spacing: 0.75em)
#show raw: set text(font: ("DejaVu Sans Mono", "Noto Sans Mono CJK SC"), size: 8pt)
#show math.equation.where(block: true): set align(left)
#show heading: set block(above: 1.5em, below: 0.7em)
#let colours = (good: rgb("#176b34"), bad: rgb("#b3261e"), open: rgb("#8a5a00"))
#let dim = rgb("#5b646d")
#let said(state, words) = text(fill: colours.at(state), weight: "bold", words)
#let place-of(name) = [#metadata(name)#label(name)]
#let dimmed(body) = block(text(fill: dim, size: 8.5pt, body))
#let figure-of(says, body) = block(breakable: false, [#dimmed(says) #body])
#let facts(..rows) = block(grid(columns: (auto, 1fr), column-gutter: 1em, row-gutter: 0.5em,
  ..rows.pos().map(row => (text(fill: dim, size: 8.5pt, row.at(0)), text(size: 8.5pt, row.at(1)))).flatten()))
#let fit(body) = layout(size => { let wide = measure(body).width
  if wide > size.width { scale(size.width / wide * 100%, reflow: true, origin: left, body) } else { body } })
#let step(equals, formula, why) = block(breakable: false, grid(columns: (1.5em, 1fr, 30%), column-gutter: 1em, align: horizon,
  equals, fit(formula), text(size: 8.5pt, why)))
#let side(state, wash, title, body) = block(width: 100%, fill: wash, inset: 0.6em, radius: 2pt,
  [#said(state, text(size: 8.5pt, title)) #parbreak() #body])
#let pair(..sides) = block(breakable: false, grid(columns: (1fr, 1fr), column-gutter: 0.8em,
  side("bad", rgb("#fceceb"), sides.at(0), sides.at(1)), side("good", rgb("#e8f4ec"), sides.at(2), sides.at(3))))
#let entry(verdict, body) = block(above: 1em, grid(columns: (6em, 1fr), column-gutter: 0.8em, verdict, body))
#let rows(n, ..cells) = block(text(size: 8.5pt, table(columns: n, stroke: (x, y) => (bottom: 0.4pt + rgb("#dde1e5")),
  inset: (x: 0pt, y: 0.35em), column-gutter: 1.2em, ..cells)))
"""


def render(reports: Sequence[Report], setting: Setting | None = None) -> str:
    return write(document(reports, setting))


def write(doc: blocks.Document) -> str:
    head = f"#set document(title: {typst_string(doc.title)}, date: none)\n#set text(lang: {typst_string(doc.lang)})\n"
    return head + PREAMBLE + "\n".join(_part(part) for part in doc.parts) + "\n"


def pdf(source: str) -> bytes:
    """What the Typst compiler makes of it: the same bytes for the same source and fonts."""
    import typst as compiler

    made = compiler.compile(source.encode(), format="pdf", timestamp=0)
    if not isinstance(made, bytes):
        raise TypeError(f"typst returned {type(made).__name__} in place of a PDF.")
    return made


def _part(part: blocks.Part) -> str:
    head = f'#block(text(size: 18pt, weight: "bold", {_words(part.title)}))#place-of({typst_string(part.anchor)})'
    name = f"#dimmed[{_code(part.name)}]" if part.name else ""
    return "\n\n".join(filter(None, [head, name, *(_block(block, 1) for block in part.blocks)]))


def _block(block: blocks.Block, level: int) -> str:
    match block:
        case blocks.Paragraph(pieces=pieces):
            return f"{_pieces(pieces)}\n"
        case blocks.Equation(formula=formula):
            return f"#block(fit[{_piece(formula)}])"
        case blocks.Command(text=text):
            return f"#block(raw({_words(text)}))"
        case blocks.Summary(verdict=verdict, tallies=tallies):
            counts = ", ".join(f"{tally.count} {tally.label}" for tally in tallies)
            return f"#block[{_verdict(verdict)}{_text(f': {counts}' if counts else '')}]"
        case blocks.Facts(rows=rows):
            return f"#facts({', '.join(f'({_words(name)}, [{_pieces(pieces)}])' for name, pieces in rows)})"
        case blocks.Table():
            return _table(block)
        case blocks.Steps(steps=steps):
            return "\n".join(_step(step, n, level) for n, step in enumerate(steps))
        case blocks.Entry():
            return _entry(block, level)
        case blocks.Pair():
            left, right = ("\n\n".join(_block(b, level) for b in side) for side in (block.left, block.right))
            return f"#pair({_words(block.left_title)}, [{left}], {_words(block.right_title)}, [{right}])"
        case blocks.Picture():
            drawn = f'#image(bytes({typst_string(block.drawn)}), format: "svg", width: 75%)'
            return f"#figure-of({_words(block.alternative)}, [{drawn if block.drawn else _table(block.data)}])"
        case blocks.Section():
            inner = "\n\n".join(_block(b, level + 1) for b in block.blocks)
            return f"#heading(level: {level}, {_words(block.title)})#place-of({typst_string(block.anchor)})\n\n{inner}"


def _entry(entry: blocks.Entry, level: int) -> str:
    notes = _text("  |  ").join(map(_pieces, entry.notes))
    parts = [_text(entry.says) if entry.says else "", *(_block(b, level) for b in entry.blocks)]
    parts += [f"#dimmed[{notes}]"] if notes else []
    parts += [_block(b, level) for b in entry.evidence]
    inner = "\n\n".join(filter(None, parts))
    return f"#entry([{_verdict(entry.verdict)}#place-of({typst_string(entry.anchor)})], [{inner}])"


def _step(step: blocks.Step, n: int, level: int) -> str:
    verdict = f"{_verdict(step.verdict)}#linebreak()" if step.verdict else ""
    place = f"#place-of({typst_string(step.anchor)})" if step.anchor else ""
    formula = f"#step([{'$=$' if n else ''}], [{_piece(step.formula)}], [{place}{verdict}{_text(step.reason)}])"
    return "\n".join([formula, *(_block(b, level) for b in step.blocks)])


def _table(table: blocks.Table) -> str:
    if not table.columns:
        return ""
    head = [f"text(fill: dim, {_words(column, LONGEST_COLUMN)})" for column in table.columns] if any(table.columns) else []
    cells = [f"[{_pieces(cell)}]" for row in table.rows for cell in row]
    return f"#rows({len(table.columns)}, {', '.join([*head, *cells])})" if head or cells else ""


def _pieces(pieces: blocks.Pieces) -> str:
    return "".join(map(_piece, pieces))


def _piece(piece: blocks.Piece) -> str:
    match piece:
        case str():
            return _text(piece)
        case blocks.Code(text=text):
            return _code(text)
        case blocks.Verdict():
            return _verdict(piece)
        case blocks.Link(text=text, anchor=anchor):
            return f"#link(label({typst_string(anchor)}), {_words(text)})"
        case blocks.Formula(tree=tree, text=text):
            return f"$ {' $ $ '.join(map(typst, piece.lines))} $" if tree else f"#raw({typst_string(text)}, block: true)"


def _verdict(verdict: blocks.Verdict) -> str:
    return f"#said({typst_string(verdict.state)}, {_words(verdict.text)})"


def _code(text: str) -> str:
    return f"#raw({_words(text)})"


def _text(text: str) -> str:
    return f"#{_words(text)}"


def _words(text: str, longest: int = LONGEST_WORD) -> str:
    """A string whose words may go on in the next line where they are longer: Typst breaks at a space without width."""
    return typst_string(re.sub(rf"\S{{{longest}}}(?=\S)", "\\g<0>\N{ZERO WIDTH SPACE}", text))
