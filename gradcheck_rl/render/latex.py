"""A document as LaTeX that compiles as it stands, with what any TeX distribution has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..report import Report
from ..typeset import latex, latex_text
from . import blocks
from .document import Setting, document

PREAMBLE = r"""\documentclass[10pt,a4paper]{article}
\usepackage[utf8]{inputenc}
\usepackage{amsmath,amssymb,array,color,graphicx,longtable}
\usepackage[margin=22mm]{geometry}
\usepackage[hidelinks,bookmarks=false]{hyperref}
\definecolor{good}{rgb}{0.09,0.42,0.20}
\definecolor{bad}{rgb}{0.70,0.15,0.12}
\definecolor{open}{rgb}{0.54,0.35,0.00}
\definecolor{dim}{rgb}{0.36,0.39,0.43}
\setcounter{secnumdepth}{0}
\setlength{\parindent}{0pt}
\setlength{\parskip}{0.4em}
\raggedright
\emergencystretch=3em
\newcommand{\place}[1]{\raisebox{\ht\strutbox}{\hypertarget{#1}{}}}
\newcommand{\dimmed}[1]{{\small\color{dim}#1\par}}
\newcommand{\fact}[2]{{\small\hangindent=1.5em\textcolor{dim}{#1:} #2\par}}
\newcommand{\fit}[2]{\resizebox{\ifdim\width>#1#1\else\width\fi}{!}{#2}}
\newcommand{\formula}[3]{\par\makebox[1.6em][l]{#1}\fit{0.6\linewidth}{#2}\hfill
  \begin{minipage}{0.3\linewidth}\raggedright\small #3\end{minipage}\par}
\newcommand{\side}[3]{\begin{minipage}[t]{0.48\linewidth}\raggedright\textcolor{#1}{\small\textbf{#2}}\par #3\end{minipage}}
\newcommand{\pair}[4]{\par\side{bad}{#1}{#2}\hfill\side{good}{#3}{#4}\par}
"""

MARKS: Mapping[str, str] = {blocks.GOOD: r"$\checkmark$", blocks.BAD: r"$\times$", blocks.OPEN: "?"}
HEADINGS = ("section*", "section", "subsection", "subsubsection", "paragraph")
WIDEST_TABLE = 0.94
BREAK = r"\allowbreak{}"


def render(reports: Sequence[Report], setting: Setting | None = None) -> str:
    return write(document(reports, setting))


def write(doc: blocks.Document) -> str:
    parts = [_part(part) for part in doc.parts]
    return "\n\n".join([f"{PREAMBLE}\\title{{{_text(doc.title)}}}", r"\begin{document}", *parts, "\\end{document}\n"])


def _part(part: blocks.Part) -> str:
    name = f"\\dimmed{{\\texttt{{{_text(part.name)}}}}}" if part.name else ""
    head = f"\\place{{{part.anchor}}}{{\\LARGE\\bfseries {_text(part.title)}\\par}}"
    return "\n\n".join(filter(None, [head, name, *(_block(block, 1) for block in part.blocks)]))


def _block(block: blocks.Block, level: int) -> str:
    match block:
        case blocks.Paragraph(pieces=pieces):
            return f"{_pieces(pieces)}\\par"
        case blocks.Equation(formula=formula):
            return f"\\fit{{0.97\\linewidth}}{{{_piece(formula)}}}\\par"
        case blocks.Command(text=text):
            return f"\\texttt{{{_lines(text)}}}\\par"
        case blocks.Summary(verdict=verdict, tallies=tallies):
            counts = ", ".join(f"{_text(tally.count)} {_text(tally.label)}" for tally in tallies)
            return f"{_verdict(verdict)}{': ' if counts else ''}{counts}\\par"
        case blocks.Facts(rows=rows):
            return "\n".join(f"\\fact{{{_text(name)}}}{{{_pieces(pieces)}}}" for name, pieces in rows)
        case blocks.Table():
            return _table(block)
        case blocks.Steps(steps=steps):
            return "\n".join(_step(step, n, level) for n, step in enumerate(steps))
        case blocks.Entry():
            return _entry(block, level)
        case blocks.Pair():
            left, right = ("\n".join(_block(b, level) for b in side) for side in (block.left, block.right))
            return f"\\pair{{{_text(block.left_title)}}}{{{left}}}{{{_text(block.right_title)}}}{{{right}}}"
        case blocks.Picture():
            shown = f"\\includegraphics[width=0.8\\linewidth]{{{block.drawn}}}\\par" if block.drawn else _table(block.data)
            return f"\\dimmed{{{_text(block.alternative)}}}\n{shown}"
        case blocks.Section():
            inner = "\n\n".join(_block(b, level + 1) for b in block.blocks)
            heading = HEADINGS[min(level, len(HEADINGS) - 1)]
            return f"\\{heading}{{{_text(block.title)}}}\n\n{inner}"


def _entry(entry: blocks.Entry, level: int) -> str:
    notes = r" \textbar{} ".join(map(_pieces, entry.notes))
    parts = [f"\\medskip\\place{{{entry.anchor}}}{_verdict(entry.verdict)}\\quad {_text(entry.says)}\\par"]
    parts += [_block(b, level) for b in entry.blocks]
    parts += [f"\\dimmed{{{notes}}}"] if notes else []
    return "\n".join([*parts, *(_block(b, level) for b in entry.evidence)])


def _step(step: blocks.Step, n: int, level: int) -> str:
    verdict = _verdict(step.verdict) + r"\\{} " if step.verdict else ""
    place = f"\\place{{{step.anchor}}}" if step.anchor else ""
    formula = f"{place}\\formula{{{'$=$' if n else ''}}}{{{_piece(step.formula)}}}{{{verdict}{_text(step.reason)}}}"
    return "\n".join([formula, *(_block(b, level) for b in step.blocks)])


def _table(table: blocks.Table) -> str:
    """Columns of equal width, but the last, which holds more, where there are two."""
    if not table.columns:
        return ""
    n = len(table.columns)
    widths = [0.6, 0.4] if n == 2 else [1 / n] * n
    columns = "".join(f">{{\\raggedright\\arraybackslash}}p{{{WIDEST_TABLE * width - 0.02:.3f}\\linewidth}}" for width in widths)
    head = " & ".join(f"\\textcolor{{dim}}{{{_text(column)}}}" for column in table.columns)
    # An empty group: a row that begins with a bracket would be read as the space after the row before.
    rows = ["{}" + " & ".join(map(_pieces, row)) for row in table.rows]
    body = "".join(f"{row} \\\\\n" for row in ([head] if any(table.columns) else []) + rows)
    return f"{{\\small\\begin{{longtable}}[l]{{@{{}}{columns}@{{}}}}\n{body}\\end{{longtable}}}}" if body else ""


def _pieces(pieces: blocks.Pieces) -> str:
    return "".join(map(_piece, pieces))


def _piece(piece: blocks.Piece) -> str:
    match piece:
        case str():
            return _text(piece)
        case blocks.Verdict():
            return _verdict(piece)
        case blocks.Link(text=text, anchor=anchor):
            return f"\\hyperlink{{{anchor}}}{{{_code(text)}}}"
        case blocks.Formula(tree=tree, text=text):
            drawing = f"\\begin{{tabular}}{{@{{}}l@{{}}}}\\texttt{{{_lines(text)}}}\\end{{tabular}}"
            lines = r" \\ &\quad ".join(map(latex, piece.lines))
            return rf"$\begin{{aligned}}&{lines}\end{{aligned}}$" if tree else drawing
        case _:
            return _code(piece.text)


def _verdict(verdict: blocks.Verdict) -> str:
    return f"\\textcolor{{{verdict.state}}}{{{MARKS[verdict.state]} \\textbf{{{_text(verdict.word)}}}}}"


def _code(text: str) -> str:
    """A long name goes on after an underscore."""
    underscore = _text("_")
    return f"\\texttt{{{_text(text).replace(underscore, underscore + BREAK)}}}"


def _text(text: str) -> str:
    # An empty group keeps TeX from joining signs: two hyphens, and << or ?` where the font has one sign for both.
    words = latex_text(text)
    for pair in ("--", "''", "``", ",,", "<<", ">>", "?`", "!`"):
        while pair in words:
            words = words.replace(pair, f"{pair[0]}{{}}{pair[1]}")
    return words


def _lines(text: str) -> str:
    """Lines whose spaces stay."""
    return r"}\\ \texttt{".join(_text(line.replace(" ", "\0")).replace(_text("\0"), "~") or "~" for line in text.split("\n"))
