"""A document as one HTML page that stands alone: no network, no script, light and dark, on a telephone and on paper.

It is written as well-formed XML, so that any XML reader can check it.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

from ..report import Chain, Report, printable
from ..typeset import latex, mathml
from . import blocks
from .document import Setting, document
from .formula import drawable

# As many letters of a formula as fit beside its reason: wider ones are set smaller.
WIDE = 62
STYLE = Path(__file__).with_name("page.css")


def render(reports: Sequence[Report], setting: Setting | None = None) -> str:
    return write(document(reports, setting))


def framed(report: Report) -> str:
    """The same page in a frame of its own, for a notebook, whose style it neither takes nor changes."""
    style = "width: 100%; height: 40rem; border: 1px solid #8888; border-radius: 6px"
    title, page = escape(printable(report.title)), escape(render([report]))
    return f'<iframe sandbox="" title="{title}" style="{style}" srcdoc="{page}"></iframe>'


def ends(chains: Sequence[Chain]) -> str:
    """Where each starts and ends, for the MathJax of a notebook, from the trees alone: a saved report is anybody's."""
    pairs = [[drawable(form.math) for form in (chain.forms[0], chain.forms[-1])] for chain in chains]
    lines = r" \\ ".join(" &= ".join(map(latex, pair)) for pair in pairs if all(pair))
    return rf"$\displaystyle \begin{{aligned}} {lines} \end{{aligned}}$" if lines else ""


def write(doc: blocks.Document) -> str:
    alone = len(doc.parts) == 1
    body = [_part(part, doc.contents, level=1 if alone else 2) for part in doc.parts]
    if not alone:
        places = [(part.title, part.anchor) for part in doc.parts]
        body = [f"<h1>{escape(doc.title)}</h1>", _contents(places, doc.contents), *body]
    return "\n".join(
        [
            "<!DOCTYPE html>",
            f'<html xmlns="http://www.w3.org/1999/xhtml" lang="{escape(doc.lang)}" xml:lang="{escape(doc.lang)}">',
            "<head>",
            '<meta charset="utf-8" />',
            '<meta name="viewport" content="width=device-width, initial-scale=1" />',
            f"<title>{escape(doc.title)}</title>",
            f"<style>\n{STYLE.read_text(encoding='utf-8')}</style>",
            "</head>",
            "<body>",
            "<main>",
            *([f'<p class="home">{_piece(doc.home)}</p>'] if doc.home else []),
            *body,
            "</main>",
            "</body>",
            "</html>",
            "",
        ]
    )


def _part(part: blocks.Part, contents: str, level: int) -> str:
    sections = [(block.short, block.anchor) for block in part.blocks if isinstance(block, blocks.Section)]
    name = f'<p class="name"><code>{escape(part.name)}</code></p>' if part.name else ""
    head = f'<header id="{part.anchor}"><h{level}>{escape(part.title)}</h{level}>{name}</header>'
    first = [_block(block, level) for block in part.blocks if not isinstance(block, blocks.Section)]
    rest = [_block(block, level) for block in part.blocks if isinstance(block, blocks.Section)]
    return "\n".join([head, *first, *([_contents(sections, contents)] if sections else []), *rest])


def _contents(places: Sequence[tuple[str, str]], title: str) -> str:
    items = "".join(f'<li><a href="#{anchor}">{escape(says)}</a></li>' for says, anchor in places)
    return f'<nav aria-label="{escape(title)}"><ul>{items}</ul></nav>'


def _block(block: blocks.Block, level: int) -> str:
    match block:
        case blocks.Paragraph(pieces=pieces):
            return f"<p>{_pieces(pieces)}</p>"
        case blocks.Equation(formula=formula):
            return f'<div class="formula">{_piece(formula)}</div>'
        case blocks.Command(text=text):
            return f"<pre><code>{escape(text)}</code></pre>"
        case blocks.Summary(verdict=verdict, tallies=tallies):
            items = "".join(f"<li><b>{escape(tally.count)}</b><span>{escape(tally.label)}</span></li>" for tally in tallies)
            return f'<div class="summary {verdict.state}"><p class="verdict">{escape(verdict.text)}</p><ul>{items}</ul></div>'
        case blocks.Facts(rows=rows):
            return f"<dl>{''.join(f'<dt>{escape(name)}</dt><dd>{_pieces(pieces)}</dd>' for name, pieces in rows)}</dl>"
        case blocks.Table():
            return _table(block)
        case blocks.Steps(steps=steps):
            return f'<ol class="chain">{"".join(_step(block, n, level) for n in range(len(steps)))}</ol>'
        case blocks.Entry():
            return _entry(block, level)
        case blocks.Pair():
            left, right = ("".join(_block(b, level) for b in side) for side in (block.left, block.right))
            titles = (f"<h4>{escape(title)}</h4>" for title in (block.left_title, block.right_title))
            sides = f'<div class="wrong">{next(titles)}{left}</div><div class="right">{next(titles)}{right}</div>'
            return f'<div class="pair">{sides}</div>'
        case blocks.Picture():
            says = escape(block.alternative)
            shown = f'<div role="img" aria-label="{says}">{block.drawn}</div>' if block.drawn else _table(block.data)
            return f"<figure><figcaption>{says}</figcaption>{shown}</figure>"
        case blocks.Section():
            inner = "\n".join(_block(b, level + 1) for b in block.blocks)
            n = min(level + 1, 6)
            return f'<section id="{block.anchor}">\n<h{n}>{escape(block.title)}</h{n}>\n{inner}\n</section>'


def _entry(entry: blocks.Entry, level: int) -> str:
    says = f'<p class="says">{escape(entry.says)}</p>' if entry.says else ""
    body = "".join(_block(b, level) for b in entry.blocks)
    spans = "".join(f"<span>{_pieces(note)}</span>" for note in entry.notes)
    notes = f'<p class="notes">{spans}</p>' if spans else ""
    inner = "".join(_block(b, level) for b in entry.evidence)
    details = f"<details><summary>{escape(entry.evidence_title)}</summary>{inner}</details>" if inner else ""
    return (
        f'<article class="entry {entry.verdict.state}" id="{entry.anchor}"><p class="verdict">{escape(entry.verdict.text)}</p>'
        f"<div>{says}{body}{notes}{details}</div></article>"
    )


def _step(chain: blocks.Steps, n: int, level: int) -> str:
    step = chain.steps[n]
    equals = '<span class="equals">=</span>' if n else '<span class="equals"></span>' if len(chain.steps) > 1 else ""
    verdict = _piece(step.verdict) if step.verdict else ""
    why = f'<div class="why">{verdict}{escape(step.reason)}</div>'
    more = "".join(_block(b, level) for b in step.blocks)
    place = f' id="{step.anchor}"' if step.anchor else ""
    below = f'<div class="more">{more}</div>' if more else ""
    return f'<li{place}><div class="formula">{equals}{_piece(step.formula)}</div>{why}{below}</li>'


def _table(table: blocks.Table) -> str:
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in table.columns)
    rows = "".join(f"<tr>{''.join(f'<td>{_pieces(cell)}</td>' for cell in row)}</tr>" for row in table.rows)
    heads = f"<thead><tr>{head}</tr></thead>" if any(table.columns) else ""
    return f'<div class="scroll"><table>{heads}<tbody>{rows}</tbody></table></div>' if table.columns else ""


def _pieces(pieces: blocks.Pieces) -> str:
    return "".join(map(_piece, pieces))


def _piece(piece: blocks.Piece) -> str:
    match piece:
        case str():
            return escape(piece)
        case blocks.Code(text=text):
            return f"<code>{escape(text)}</code>"
        case blocks.Verdict(state=state, text=text):
            return f'<span class="verdict {state}">{escape(text)}</span>'
        case blocks.Link(text=text, anchor=anchor):
            address = anchor if anchor.endswith(".html") else f"#{anchor}"
            return f'<a href="{escape(address)}">{escape(text)}</a>'
        case blocks.Formula(tree=tree, text=text):
            lines = "".join(f"<div>{mathml(line)}</div>" for line in piece.lines)
            return f'<div style="--wide: {piece.width / WIDE:.2f}">{lines}</div>' if tree else f"<pre>{escape(text)}</pre>"
